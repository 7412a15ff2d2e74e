//! `guest`: a node whose place is taken by code that is registered in Rust.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::guest::mailbox::Mailbox;
use crate::guest::port::{Port, Settings};
use crate::ids::{Address, ProcessId};
use crate::node::Process;
use crate::plan::{Endpoint, Location, PlaceRole, Plan, PlanError, Protocol};
use crate::random::name_hash;
use crate::services::Service;
use crate::time::Span;
use crate::units::{Distribution, OneOrMany};

/// A node whose place is taken by the user's own async code, registered in Rust under the name of the
/// program. Runs on the engines turmoil and madsim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Guest {
    /// The site; several: a copy in each of them. Default: the only one.
    #[serde(rename = "in", skip_serializing_if = "OneOrMany::is_empty")]
    pub site: OneOrMany,
    /// The name under which the code is registered. Default: the node's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// How many replicas, one zone after the other. Default: 1.
    pub replicas: u16,
    /// The queues, subscriptions and dead-letter queues from which it receives. The code names them itself;
    /// here they are named so that it is known who reads them. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub receives: Vec<String>,
    /// The message types under which it sends and writes, where nobody else names them. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// The policy of the calls that name none. Default: sdk.
    pub policy: String,
    /// How long a replica takes from its start until its code runs. Default: 2s \[K\].
    pub start_up: Distribution,
}

/// At most so many replicas; more are more real tasks than anybody means.
const MOST_REPLICAS: u16 = 100;

impl Default for Guest {
    fn default() -> Self {
        Self {
            site: OneOrMany::default(),
            program: None,
            replicas: 1,
            receives: Vec::new(),
            types: Vec::new(),
            policy: "sdk".to_owned(),
            start_up: Distribution::Constant(Span::secs(2)),
        }
    }
}

impl Guest {
    /// The program that takes the place of the node of this name.
    #[must_use]
    pub fn program<'a>(&'a self, node: &'a str) -> &'a str {
        self.program.as_deref().unwrap_or(node)
    }
}

impl Service for Guest {
    fn about(&self) -> &'static str {
        "your own async code, registered in Rust; needs the engine turmoil or madsim"
    }

    fn sites(&self) -> Option<&OneOrMany> {
        Some(&self.site)
    }

    fn sites_mut(&mut self) -> Option<&mut OneOrMany> {
        Some(&mut self.site)
    }

    fn declare(&self, name: &str, plan: &mut Plan) -> Result<(), PlanError> {
        let site = plan.site(name, &self.site)?;
        if !(1..=MOST_REPLICAS).contains(&self.replicas) {
            let message = format!("{} is no number of replicas: from 1 to {MOST_REPLICAS}", self.replicas);
            return Err(PlanError::at(&["nodes", name, "replicas"], message));
        }
        for kind in &self.types {
            plan.add_type(kind);
        }
        let zones =
            plan.blueprint.sites.get_index(usize::from(site)).map_or(1, |(_, site)| site.zones.max(1));
        // What it took for good and has not finished is in its memory.
        plan.add_place(name, name, PlaceRole::Queue);
        let mut first = None;
        for index in 0..self.replicas {
            let zone = (index % u16::from(zones)) as u8 + 1;
            let id = plan.add_process(name, &format!("#{index}"), Location::Zone { site, zone });
            if let Some(info) = plan.processes.get_mut(id.index()) {
                info.runs_recipe = true;
            }
            first.get_or_insert(id);
        }
        let node = plan.node(name).unwrap_or_default();
        let address = Address { process: first.unwrap_or_default(), part: 0 };
        plan.add_endpoint(name, Endpoint { address, protocol: Protocol::None, node, place: None });
        for source in &self.receives {
            plan.add_consumer(source, node, address);
        }
        Ok(())
    }

    fn build(&self, name: &str, plan: &Plan) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError> {
        for source in &self.receives {
            let endpoint = plan.resolve(name, "receives", source)?;
            if endpoint.protocol != Protocol::Broker {
                let message = format!("`{source}` is no queue or subscription of a broker");
                return Err(PlanError::at(&["nodes", name, "receives"], message).word("dangling"));
            }
        }
        if plan.policy(&self.policy).is_none() {
            let mut known = vec!["none", "sdk"];
            known.extend(plan.blueprint.policies.keys().map(String::as_str));
            let message = format!("there is no policy `{}`", self.policy);
            return Err(PlanError::at(&["nodes", name, "policy"], message)
                .help(format!("the policies are: {}", known.join(", ")))
                .word("dangling"));
        }
        let node = plan.node(name).unwrap_or_default();
        let settings = Arc::new(Settings {
            app: name_hash(name),
            place: plan.place_named(name).unwrap_or_default(),
            policy: self.policy.clone(),
            start_up: self.start_up.sampler(),
        });
        let replicas = plan.processes_of(node).enumerate();
        let built = replicas.map(|(index, (id, _))| {
            let mailbox = Mailbox::new(name, self.program(name), index as u16);
            let port: Box<dyn Process> = Box::new(Port::new(Arc::clone(&settings), mailbox));
            (id, port)
        });
        Ok(built.collect())
    }
}
