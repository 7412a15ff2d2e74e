//! `load`: a generator of items, and the clients that send them. Open loop: an item is offered when it is
//! due, however the earlier ones fared; each is a call of its own under the load's policy.

mod generator;
mod keys;
mod shape;
mod trace;

use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use keys::Keys;
pub use shape::{Profile, Shape};

use crate::blueprint::Blueprint;
use crate::client::{Caller, Dns, Sdk};
use crate::faults;
use crate::ids::{FlowId, ProcessId};
use crate::node::Process;
use crate::plan::{Location, Plan, PlanError, Protocol};
use crate::random::name_hash;
use crate::services::{NodeKind, Service};
use crate::units::Rate;
use generator::{Arrivals, Generator, Source};

/// A generator of items. It offers them from time zero (the warm-up included) to the end of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Load {
    /// What it makes items of: a flow. Required.
    pub flow: String,
    /// The door: where every item is sent (an app, a gateway, an endpoint, an event topic, a queue, a
    /// table). Required.
    pub to: String,
    /// Where its clients are: a site, a zone of one (`westeurope/1`), or `internet` (the default).
    #[serde(rename = "in")]
    pub place: String,
    /// How many items in a period, on average. Required, except with `shape: trace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// How arrivals are spread. Default: `poisson`, as from many clients that know nothing of each other.
    pub shape: Shape,
    /// How long its clients remember where a name leads: `honour` (the record's time to live, the
    /// default), `resolve-once`, or at least a span. They share one cache.
    #[serde(skip_serializing_if = "Dns::is_default")]
    pub dns: Dns,
    /// How its clients call. Default: `sdk`, the documented defaults of the door's client library.
    pub policy: String,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            flow: String::new(),
            to: String::new(),
            place: "internet".to_owned(),
            rate: None,
            shape: Shape::Poisson,
            dns: Dns::Honour,
            policy: "sdk".to_owned(),
        }
    }
}

/// Makes the trace files of all loads relative to this folder (that of the scenario file). An absolute
/// path stays as it is.
pub fn anchor(blueprint: &mut Blueprint, folder: &Path) {
    for kind in blueprint.nodes.values_mut() {
        if let NodeKind::Load(Load { shape: Shape::Trace(file), .. }) = kind {
            *file = folder.join(&file);
        }
    }
}

impl Load {
    fn flow_id(&self, name: &str, plan: &Plan) -> Result<FlowId, PlanError> {
        let flows = &plan.blueprint.flows;
        let index = flows.get_index_of(&self.flow).map(|index| FlowId(index as u16));
        index.ok_or_else(|| {
            let known: Vec<&str> = flows.keys().map(String::as_str).collect();
            PlanError::at(&["nodes", name, "flow"], format!("there is no flow `{}`", self.flow))
                .help(format!("the flows are: {}", known.join(", ")))
                .word("dangling")
        })
    }

    fn location(&self, name: &str, plan: &Plan) -> Result<Location, PlanError> {
        if self.place == "internet" {
            return Ok(Location::Internet);
        }
        let (site, zone) = match self.place.split_once('/') {
            Some((site, zone)) => (site, Some(zone)),
            None => (self.place.as_str(), None),
        };
        let index = plan.site_named(name, "in", site)?;
        let Some(zone) = zone else { return Ok(Location::AnyZone { site: index }) };
        let zones = plan.blueprint.sites.get_index(usize::from(index)).map_or(1, |(_, site)| site.zones);
        let zone = zone.parse().ok().filter(|zone| (1..=zones).contains(zone)).ok_or_else(|| {
            let message = format!("`{site}` has no zone `{zone}`; it has 1 to {zones}");
            PlanError::at(&["nodes", name, "in"], message).word("dangling")
        })?;
        Ok(Location::Zone { site: index, zone })
    }

    /// When its items are due.
    fn arrivals(&self, name: &str, plan: &Plan, keys: u32) -> Result<Arrivals, PlanError> {
        match (&self.shape, self.rate) {
            (Shape::Trace(file), None) => {
                let rows = trace::read(file, plan.begins(), plan.ends(), keys);
                let rows = rows.map_err(|message| PlanError::at(&["nodes", name, "shape"], message))?;
                Ok(Arrivals::Trace(rows.into()))
            }
            (Shape::Trace(_), Some(_)) => {
                let message = "a trace says itself when items are due; it takes no `rate`";
                Err(PlanError::at(&["nodes", name, "rate"], message).help("leave `rate` out"))
            }
            (_, None) => {
                let message = "it is not said how many items there are";
                Err(PlanError::at(&["nodes", name, "rate"], message).help("write for example `rate: 50/s`"))
            }
            (shape, Some(rate)) => Ok(Arrivals::Drawn(Arc::new(shape.profile(rate, plan.begins())))),
        }
    }
}

impl Service for Load {
    fn about(&self) -> &'static str {
        "a generator of items, and the clients that send them"
    }

    fn declare(&self, name: &str, plan: &mut Plan) -> Result<(), PlanError> {
        let flow = self.flow_id(name, plan)?;
        let location = self.location(name, plan)?;
        plan.add_process(name, "", location);
        plan.names.keep(plan.node(name).unwrap_or_default(), self.dns);
        plan.add_stream(name, flow);
        Ok(())
    }

    fn build(&self, name: &str, plan: &Plan) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError> {
        let door = plan.resolve(name, "to", &self.to)?.clone();
        if door.protocol == Protocol::None {
            let message = format!("nothing can be sent to `{}`", self.to);
            return Err(PlanError::at(&["nodes", name, "to"], message).word("dangling"));
        }
        if door.protocol == Protocol::Store {
            let message = format!("`{}` is a store; a load sends requests or messages", self.to);
            return Err(PlanError::at(&["nodes", name, "to"], message)
                .help("send to an app that writes to it, to a queue or to a topic")
                .word("dangling"));
        }
        let policy = plan.policy(&self.policy).ok_or_else(|| {
            PlanError::at(&["nodes", name, "policy"], format!("there is no policy `{}`", self.policy))
                .help("`none`, `sdk`, or a name from the section `policies`")
                .word("dangling")
        })?;
        let flow = self.flow_id(name, plan)?;
        let (_, settings) = plan.blueprint.flows.get_index(flow.index()).ok_or_else(|| {
            PlanError::at(&["nodes", name, "flow"], format!("there is no flow `{}`", self.flow))
        })?;
        let keys = Arc::new(Keys::new(settings.keys, settings.skew));
        let arrivals = self.arrivals(name, plan, settings.keys)?;
        let below = arrivals.profile(plan);
        let stream = plan.stream_named(name).unwrap_or_default();
        let mut sources = vec![Source::new(stream, name_hash(name), arrivals, keys.clone())];
        for surge in faults::load::surges(plan, name) {
            sources.push(Source::superposed(surge, below.clone(), keys.clone()));
        }
        let node = plan.node(name).unwrap_or_default();
        let caller = Caller::new(&policy, Sdk::of(plan, &door), name_hash(name), generator::SPACE);
        let generator = Generator::new(door, plan.ends(), sources, caller);
        let id = plan.processes_of(node).map(|(id, _)| id).next().unwrap_or_default();
        Ok(vec![(id, Box::new(generator))])
    }
}
