//! `traffic-manager`: a name that leads to one of several endpoints, by their health (facts data 4.1).
//!
//! Two processes, both spread over the world: the name servers, which answer lookups from the last records
//! that they were given, and the monitor, which probes the endpoints from several probing regions and is
//! the control plane of the profile. While the monitor is away names still resolve, as they last did.

mod monitor;
mod profile;
mod servers;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use profile::Method;

use crate::ids::{Address, ProcessId};
use crate::message::control::Listing;
use crate::node::Process;
use crate::plan::{Endpoint, Location, Plan, PlanError, Protocol};
use crate::services::Service;
use crate::time::Span;
use crate::units::Distribution;
use profile::{Profile, Target};

/// A DNS profile that leads clients to healthy endpoints (facts data 4.1). It is in no site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct TrafficManager {
    /// By which rule an endpoint is chosen. Default: priority.
    pub method: Method,
    /// The endpoints, in order of priority: apps, gateways, endpoints, other profiles. At most 15; a
    /// `set` step chooses among these. Required.
    pub endpoints: Vec<String>,
    /// With `method: weighted`: the weight of each endpoint, 1 to 1000. Default: 1 each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<u32>,
    /// With `method: geographic`: which endpoint serves clients of which site; `world` those of all
    /// others. There is no failover: a client whose endpoint is away gets no other, and one that nothing
    /// is said about gets no answer at all.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub geography: IndexMap<String, String>,
    /// How often each probing region probes each endpoint: 30s (the default) or 10s.
    pub probe: Span,
    /// So many failed probes in a row are tolerated, 0 to 9; one more and the endpoint is degraded. Default: 3.
    pub tolerated: u8,
    /// How long a probe may take: 5s to 10s, or to 9s with `probe: 10s`. Default: the longest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// The time to live of its records. Default: 60s (as the portal sets it; 300s in the performance guide).
    pub ttl: Span,
    /// What a lookup takes besides the way to the name servers and back, which makes about 50 ms in all
    /// (facts data 4.1). Default: 25ms p99 100ms \[K\].
    pub lookup: Distribution,
    /// From how many regions the endpoints are probed. Default: 3 \[K\]: the service says only that there
    /// are several.
    pub probing_regions: u8,
}

impl Default for TrafficManager {
    fn default() -> Self {
        Self {
            method: Method::Priority,
            endpoints: Vec::new(),
            weights: Vec::new(),
            geography: IndexMap::new(),
            probe: Span::secs(30),
            tolerated: 3,
            timeout: None,
            ttl: Span::secs(60),
            lookup: Distribution::Lognormal { median: Span::millis(25), p99: Span::millis(100) },
            probing_regions: 3,
        }
    }
}

impl TrafficManager {
    fn longest_timeout(&self) -> Span {
        if self.probe == Span::secs(10) { Span::secs(9) } else { Span::secs(10) }
    }

    fn check(&self, name: &str) -> Result<(), PlanError> {
        let wrong = |field, message: String| Err(PlanError::at(&["nodes", name, field], message));
        if self.endpoints.is_empty() || self.endpoints.len() > Listing::MOST {
            return wrong("endpoints", format!("a profile has 1 to {} endpoints", Listing::MOST));
        }
        if ![Span::secs(10), Span::secs(30)].contains(&self.probe) {
            return wrong("probe", "endpoints are probed every 30s or every 10s".to_owned());
        }
        if self.tolerated > 9 {
            return wrong("tolerated", "0 to 9 failed probes can be tolerated".to_owned());
        }
        let most = self.longest_timeout();
        if self.timeout.is_some_and(|timeout| timeout < Span::secs(5) || timeout > most) {
            return wrong("timeout", format!("with `probe: {}` a probe may take 5s to {most}", self.probe));
        }
        if !(1..=16).contains(&self.probing_regions) {
            return wrong("probing-regions", "from 1 to 16".to_owned());
        }
        let fits = self.weights.is_empty() || self.weights.len() == self.endpoints.len();
        if !fits || self.weights.iter().any(|weight| !(1..=1000).contains(weight)) {
            return wrong("weights", "one weight from 1 to 1000 for each endpoint".to_owned());
        }
        if self.method == Method::Geographic && self.geography.is_empty() {
            return wrong("geography", "say which endpoint serves which site, or `world`".to_owned());
        }
        Ok(())
    }

    fn targets(&self, name: &str, plan: &Plan) -> Result<Vec<Target>, PlanError> {
        let target = |(index, endpoint): (usize, &String)| {
            let found = plan.resolve(name, "endpoints", endpoint)?;
            if found.protocol != Protocol::Http {
                let message = format!("`{endpoint}` does not speak HTTP");
                return Err(PlanError::at(&["nodes", name, "endpoints"], message)
                    .help("a profile leads to apps, gateways, endpoints or other profiles")
                    .word("dangling"));
            }
            if Some(found.node) == plan.node(name) {
                let message = "a profile cannot lead to itself";
                return Err(PlanError::at(&["nodes", name, "endpoints"], message).word("circle"));
            }
            Ok(Target { address: found.address, weight: self.weights.get(index).copied().unwrap_or(1) })
        };
        self.endpoints.iter().enumerate().map(target).collect()
    }

    /// Which endpoint serves which site; the last entry without a site is the world.
    fn geography(&self, name: &str, plan: &Plan) -> Result<Vec<(Option<u8>, u8)>, PlanError> {
        let dangling =
            |message: String| PlanError::at(&["nodes", name, "geography"], message).word("dangling");
        let entry = |(site, endpoint): (&String, &String)| {
            let index = self.endpoints.iter().position(|known| known == endpoint);
            let index = index.ok_or_else(|| dangling(format!("`{endpoint}` is not one of its endpoints")))?;
            if site == "world" {
                return Ok((None, index as u8));
            }
            let site = plan.blueprint.sites.get_index_of(site).ok_or_else(|| {
                dangling(format!("there is no site `{site}`")).help("name a site, or `world`")
            })?;
            Ok((Some(site as u8), index as u8))
        };
        self.geography.iter().map(entry).collect()
    }
}

impl Service for TrafficManager {
    fn about(&self) -> &'static str {
        "a DNS profile that leads clients to healthy endpoints: priority, weighted, performance, geographic"
    }

    fn declare(&self, name: &str, plan: &mut Plan) -> Result<(), PlanError> {
        self.check(name)?;
        let servers = plan.add_process(name, "", Location::Internet);
        let monitor = plan.add_process(name, ".monitor", Location::Internet);
        plan.names.add(servers);
        let node = plan.node(name).unwrap_or_default();
        plan.add_control(node, Address { process: monitor, part: 0 });
        let address = Address { process: servers, part: 0 };
        plan.add_endpoint(name, Endpoint { address, protocol: Protocol::Http, node, place: None });
        Ok(())
    }

    fn build(&self, name: &str, plan: &Plan) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError> {
        let node = plan.node(name).unwrap_or_default();
        let servers = plan.resolve(name, "kind", name)?.address.process;
        let monitor = plan.control_of(node).unwrap_or_default().process;
        let profile = Profile {
            method: self.method,
            targets: self.targets(name, plan)?,
            geography: self.geography(name, plan)?,
            distances: profile::Distances::new(&plan.blueprint),
            interval: self.probe,
            tolerated: self.tolerated,
            timeout: self.timeout.unwrap_or_else(|| self.longest_timeout()),
            ttl: self.ttl,
            lookup: self.lookup.sampler(),
            regions: self.probing_regions,
            servers,
            monitor,
        };
        let profile = std::sync::Arc::new(profile);
        Ok(vec![
            (servers, Box::new(servers::NameServers::new(profile.clone()))),
            (monitor, Box::new(monitor::Monitor::new(profile))),
        ])
    }
}

#[cfg(test)]
mod tests;
