//! `alert`: a metric of a node, watched from somewhere, and who is told when it stays bad. It lives where it
//! says: one that lives in the region that it judges is lost with that region.

mod watcher;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::client::{Caller, Policy, Sdk};
use crate::ids::{Address, ProcessId};
use crate::node::Process;
use crate::plan::{Endpoint, Location, Plan, PlanError, Protocol};
use crate::random::name_hash;
use crate::recipe::worker::ONLY_PART;
use crate::services::Service;
use crate::time::Span;
use crate::units::{OneOrMany, Threshold};

use watcher::{Metric, Rules, Watcher};

/// A metric alert: evaluated again and again; raised when it was bad for a while, to every app and person that
/// has it as `trigger`; resolved after three good evaluations (facts 9, "Metric alert"). The steps `disable`
/// and `enable` switch it off and on, as one does around a planned failover.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Alert {
    /// From where it watches. Default: the only site.
    #[serde(rename = "in", skip_serializing_if = "OneOrMany::is_empty")]
    pub site: OneOrMany,
    /// The metric: `NODE.availability` (the share of its own probes that are answered, as an availability
    /// test does) or `QUEUE.depth` (how many messages wait).
    pub watch: String,
    /// It is bad below this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub below: Option<Threshold>,
    /// It is bad above this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub above: Option<Threshold>,
    /// How long it has to be bad. Default: 1m, one evaluation.
    #[serde(rename = "for")]
    pub lasts: Span,
    /// It watches only after this other alert was raised, once for each time. Default: always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub once_after: Option<String>,
    /// How often a probe is sent or a depth is asked for. Default: 10s.
    pub every: Span,
    /// Over how long the probes count. Default: 1m, the shortest aggregation of a metric alert (facts 9).
    pub window: Span,
    /// How often it is evaluated. Default: 1m, the shortest (facts 9).
    pub evaluate: Span,
}

impl Default for Alert {
    fn default() -> Self {
        Self {
            site: OneOrMany::default(),
            watch: String::new(),
            below: None,
            above: None,
            lasts: Span::mins(1),
            once_after: None,
            every: Span::secs(10),
            window: Span::mins(1),
            evaluate: Span::mins(1),
        }
    }
}

impl Alert {
    fn metric(&self, name: &str, plan: &Plan) -> Result<Metric, PlanError> {
        let wrong = |message: String| {
            PlanError::at(&["nodes", name, "watch"], message)
                .help("write `NODE.availability` or `QUEUE.depth`")
                .word("dangling")
        };
        let Some((node, metric)) = self.watch.rsplit_once('.') else {
            return Err(wrong(format!("`{}` names no metric", self.watch)));
        };
        let endpoint = plan.resolve(name, "watch", node)?;
        match metric {
            "availability" => Ok(Metric::Availability(endpoint.address.process)),
            "depth" if matches!(endpoint.protocol, Protocol::Broker | Protocol::Store) => {
                Ok(Metric::Depth(endpoint.address))
            }
            "depth" => Err(wrong(format!("nothing waits at `{node}`"))),
            other => Err(wrong(format!("`{other}` is no metric of `{node}`"))),
        }
    }

    fn check(&self, name: &str) -> Result<(), PlanError> {
        let wrong = |field: &str, message: &str, help: &str| {
            Err(PlanError::at(&["nodes", name, field], message).help(help).word("value"))
        };
        match (self.below, self.above) {
            (None, None) => return wrong("below", "it is never bad", "write `below: 10%` or `above: 5000`"),
            (Some(_), Some(_)) => return wrong("above", "it has two bounds", "keep `below` or `above`"),
            _ => {}
        }
        for (field, span) in [("every", self.every), ("window", self.window), ("evaluate", self.evaluate)] {
            if span.is_zero() {
                return wrong(field, "again after no time at all", "write a duration above 0");
            }
        }
        if self.window.0 / self.every.0 > 10_000 {
            return wrong("window", "more than 10,000 probes in one window", "probe less often");
        }
        Ok(())
    }
}

impl Service for Alert {
    fn about(&self) -> &'static str {
        "a metric alert: watches a node from where it is, and starts what has it as trigger"
    }

    fn sites(&self) -> Option<&OneOrMany> {
        Some(&self.site)
    }

    fn sites_mut(&mut self) -> Option<&mut OneOrMany> {
        Some(&mut self.site)
    }

    fn declare(&self, name: &str, plan: &mut Plan) -> Result<(), PlanError> {
        self.check(name)?;
        let site = plan.site(name, &self.site)?;
        let process = plan.add_process(name, "", Location::Redundant { site, blip: Span::ZERO });
        let address = Address { process, part: ONLY_PART };
        let node = plan.node(name).unwrap_or_default();
        plan.add_endpoint(name, Endpoint { address, protocol: Protocol::None, node, place: None });
        if let Some(first) = &self.once_after {
            plan.add_consumer(first, node, address);
        }
        Ok(())
    }

    fn build(&self, name: &str, plan: &Plan) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError> {
        if let Some(first) = &self.once_after {
            plan.resolve(name, "once-after", first)?;
        }
        let process = plan.resolve(name, "kind", name)?.address.process;
        let told = plan.consumers_of(name).iter().map(|consumer| consumer.address).collect();
        let rules = Rules {
            metric: self.metric(name, plan)?,
            below: self.below.map(|bound| bound.0),
            above: self.above.map(|bound| bound.0),
            lasts: self.lasts,
            every: self.every,
            evaluate: self.evaluate,
            window: (self.window.0 / self.every.0).max(1) as usize,
            waits: self.once_after.is_some(),
            told,
        };
        let caller = Caller::new(&Policy::default(), Sdk::Http, name_hash(name), watcher::SPACE);
        Ok(vec![(process, Box::new(Watcher::new(rules, caller)))])
    }
}

#[cfg(test)]
mod tests;
