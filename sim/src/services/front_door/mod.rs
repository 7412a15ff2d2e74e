//! `front-door`: a reverse proxy at the edge of the network (facts data 4.2). Every edge location is a
//! process of its own, probes the origins for itself and decides for itself; clients reach one of them by
//! anycast, so that nothing has to be looked up and no record has to expire when an origin is lost.
//!
//! Sends book: as an API gateway, an edge location stands for the origin.

mod edge;
mod origins;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::client::Dns;
use crate::ids::{Address, ProcessId};
use crate::node::Process;
use crate::plan::{Endpoint, Location, Plan, PlanError, Protocol};
use crate::random::name_hash;
use crate::services::Service;
use crate::time::Span;
use origins::{Origin, Rules};

/// A global reverse proxy with health probes of its own (facts data 4.2). It is in no site.
///
/// When an edge location is lost its clients find nobody until it is back: that routes are withdrawn and
/// lead them to another one is not modelled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct FrontDoor {
    /// Where requests are forwarded: apps, gateways, endpoints. Required.
    pub origins: Vec<String>,
    /// The priority of each origin, 1 (first) to 5. Default: 1 each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub priorities: Vec<u8>,
    /// The weight of each origin, 1 to 1000. Default: 50 each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<u32>,
    /// How much slower than the fastest an origin may be and still share the load. Default: 0ms, the
    /// fastest alone, so that weights have no effect; up to 1s.
    pub latency_sensitivity: Span,
    /// How often each edge location probes each origin, 5s to 255s. Default: 30s.
    pub probe: Span,
    /// How many of the last probes count, 1 to 255. Default: 4.
    pub sample_size: u8,
    /// How many of them must have gone well. Default: 3 (the how-to guide; the API's default is 2).
    pub successful_samples: u8,
    /// How long it waits for an origin before it answers 504, 16s to 240s. Default: 60s.
    pub timeout: Span,
    /// How many edge locations there are, 1 to 100. Default: 3 \[K\]: there are many more, but each that
    /// decides for itself costs probes.
    pub edge_locations: u8,
    /// How long it remembers where the name of an origin leads. Default: honour.
    #[serde(skip_serializing_if = "Dns::is_default")]
    pub dns: Dns,
}

impl Default for FrontDoor {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            priorities: Vec::new(),
            weights: Vec::new(),
            latency_sensitivity: Span::ZERO,
            probe: Span::secs(30),
            sample_size: 4,
            successful_samples: 3,
            timeout: Span::secs(60),
            edge_locations: 3,
            dns: Dns::Honour,
        }
    }
}

impl FrontDoor {
    fn check(&self, name: &str) -> Result<(), PlanError> {
        let wrong = |field, message: &str| Err(PlanError::at(&["nodes", name, field], message));
        let count = self.origins.len();
        let within = |span: Span, least, most| (Span::secs(least)..=Span::secs(most)).contains(&span);
        if count == 0 || count > 50 {
            return wrong("origins", "an origin group has 1 to 50 origins");
        }
        if !(self.priorities.is_empty() || self.priorities.len() == count)
            || self.priorities.iter().any(|priority| !(1..=5).contains(priority))
        {
            return wrong("priorities", "one priority from 1 to 5 for each origin");
        }
        if !(self.weights.is_empty() || self.weights.len() == count)
            || self.weights.iter().any(|weight| !(1..=1000).contains(weight))
        {
            return wrong("weights", "one weight from 1 to 1000 for each origin");
        }
        if self.latency_sensitivity > Span::secs(1) {
            return wrong("latency-sensitivity", "from 0ms to 1s");
        }
        if !within(self.probe, 5, 255) {
            return wrong("probe", "origins are probed every 5s to 255s");
        }
        if self.sample_size == 0 || self.successful_samples > self.sample_size {
            return wrong("successful-samples", "at most so many as count (`sample-size`, at least 1)");
        }
        if !within(self.timeout, 16, 240) {
            return wrong("timeout", "from 16s to 240s");
        }
        if !(1..=100).contains(&self.edge_locations) {
            return wrong("edge-locations", "from 1 to 100");
        }
        Ok(())
    }

    fn origins(&self, name: &str, plan: &Plan) -> Result<Vec<Origin>, PlanError> {
        let origin = |(index, origin): (usize, &String)| {
            let endpoint = plan.resolve(name, "origins", origin)?;
            let wrong =
                |message: String, word| Err(PlanError::at(&["nodes", name, "origins"], message).word(word));
            if endpoint.protocol != Protocol::Http {
                return wrong(format!("`{origin}` does not speak HTTP"), "dangling");
            }
            if Some(endpoint.node) == plan.node(name) {
                return wrong("it cannot be its own origin".to_owned(), "circle");
            }
            Ok(Origin {
                address: endpoint.address,
                priority: self.priorities.get(index).copied().unwrap_or(1),
                weight: self.weights.get(index).copied().unwrap_or(50),
            })
        };
        self.origins.iter().enumerate().map(origin).collect()
    }
}

impl Service for FrontDoor {
    fn about(&self) -> &'static str {
        "a global reverse proxy: edge locations that each probe the origins and choose among them"
    }

    fn declare(&self, name: &str, plan: &mut Plan) -> Result<(), PlanError> {
        self.check(name)?;
        let edge = |number: u8| format!(".edge-{number}");
        let edges: Vec<ProcessId> = (1..=self.edge_locations)
            .map(|number| plan.add_process(name, &edge(number), Location::Internet))
            .collect();
        let node = plan.node(name).unwrap_or_default();
        plan.names.keep(node, self.dns);
        let address = Address { process: edges.first().copied().unwrap_or_default(), part: 0 };
        plan.names.add_anycast(edges);
        plan.add_endpoint(name, Endpoint { address, protocol: Protocol::Http, node, place: None });
        Ok(())
    }

    fn build(&self, name: &str, plan: &Plan) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError> {
        let rules = Rules {
            origins: self.origins(name, plan)?,
            sensitivity: self.latency_sensitivity,
            interval: self.probe,
            samples: usize::from(self.sample_size),
            successes: usize::from(self.successful_samples),
        };
        let rules = Arc::new(rules);
        let node = plan.node(name).unwrap_or_default();
        let edge = |(id, _)| {
            let edge = edge::Edge::new(rules.clone(), self.timeout, name_hash(name));
            (id, Box::new(edge) as Box<dyn Process>)
        };
        Ok(plan.processes_of(node).map(edge).collect())
    }
}

#[cfg(test)]
mod tests;
