//! `api-management`: the gateway in front of the apps. It limits, refuses and forwards; it passes the
//! backend's answer on as it is, and says 504 when there is none in time.
//!
//! Sends book: the gateway stands for its backend. It says *stored* when it passes a success on,
//! *rejected* when it passes on or gives itself an answer that means that nothing happened (4xx, 429,
//! 503), and nothing when that is open (500, 502, 504).
//!
//! In several regions (`in: [a, b]`, Premium) there is a gateway in each, which counts its limits for itself
//! and knows nothing of the others; the name of the service leads each client to the nearest one that
//! answers; and the management plane is in one of them, the primary (facts 6).

mod gateway;
mod management;
mod rules;
mod tripping;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use rules::{Pool, Retry, Trip};

use crate::client::Dns;
use crate::ids::{Address, ProcessId};
use crate::node::Process;
use crate::plan::{Endpoint, Location, Plan, PlanError, Protocol};
use crate::recipe::hosts::app::CONTROL;
use crate::services::Service;
use crate::services::traffic_manager::{Method, TrafficManager};
use crate::time::Span;
use crate::units::{OneOrMany, Rate};

use management::Management;

/// What is added to the name of a service in several regions for its management plane.
const MANAGEMENT: &str = ".management";

type Built = Vec<(ProcessId, Box<dyn Process>)>;

/// An API gateway (facts 6).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ApiManagement {
    /// The site. May be left out where there is one. Several: a gateway in each, and its name leads each client
    /// to the nearest that answers (facts 6, multi-region).
    #[serde(rename = "in", skip_serializing_if = "OneOrMany::is_empty")]
    pub site: OneOrMany,
    /// In several sites: where the management plane is, with the developer portal. The gateways go on without it
    /// as they are; the steps `enable` and `disable`, which take a gateway into the routing and out of it, need
    /// it. Default: the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<String>,
    /// Where requests are forwarded: an app, an endpoint, an event topic, another gateway; or a pool of
    /// them. A gateway means the copy in its own site, where there is one; one that is named twice is in the
    /// pool once: `[api, api/west, api/north]` is the own one and then the other. Required.
    pub backend: OneOrMany,
    /// How a pool is used: in turn (the default), or in order: a backend only while all before it are tripped
    /// (facts 6).
    #[serde(skip_serializing_if = "Pool::is_default")]
    pub pool: Pool,
    /// At most so many calls in a sliding window of at most 300 s; more get 429 with `Retry-After`. As
    /// in the service, the limit is approximate: the window moves in steps of a sixtieth. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<Rate>,
    /// At most so many calls in a fixed window; more get 403 with `Retry-After`. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<Rate>,
    /// At most so many requests at once; more get 429 \[K\]. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// How long it waits for the backend before it answers 504. Default: 300s; the infrastructure may
    /// cut what is above 240s.
    pub timeout: Span,
    /// Whether it tries again: on 408, 429, 5xx and no answer, at the same backend. Default: not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// When it stops calling a backend that fails (5xx, no answer), and for how long; meanwhile 503, or
    /// another backend of the pool. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Trip>,
    /// Which backends a health probe asks about: it is answered *ready* unless all of these are tripped.
    /// Default: none; a probe asks the gateway alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub health: Vec<String>,
    /// How long it remembers where the name of a backend leads: `honour` (the record's time to live, the
    /// default), `resolve-once`, or at least a span.
    #[serde(skip_serializing_if = "Dns::is_default")]
    pub dns: Dns,
    /// Whether its units are spread over the zones (Premium, two units or more). Default: true.
    pub zone_redundant: bool,
    /// How long requests fail when a zone is lost under it, if zone-redundant. Default: 10s \[K\].
    pub blip: Span,
}

impl Default for ApiManagement {
    fn default() -> Self {
        Self {
            site: OneOrMany::default(),
            primary: None,
            backend: OneOrMany::Many(Vec::new()),
            pool: Pool::InTurn,
            rate_limit: None,
            quota: None,
            concurrency: None,
            timeout: Span::secs(300),
            retry: None,
            breaker: None,
            health: Vec::new(),
            dns: Dns::Honour,
            zone_redundant: true,
            blip: Span::secs(10),
        }
    }
}

impl ApiManagement {
    fn check(&self, name: &str) -> Result<(), PlanError> {
        let wrong = |field, message: &str| Err(PlanError::at(&["nodes", name, field], message));
        if self.backend.names().is_empty() {
            return wrong("backend", "a gateway needs a backend to forward to");
        }
        if self.backend.names().len() > 30 {
            return wrong("backend", "a pool holds at most 30 backends");
        }
        if self.rate_limit.is_some_and(|rate| rate.per > Span::secs(300)) {
            let error =
                PlanError::at(&["nodes", name, "rate-limit"], "the window of a rate limit is at most 300s");
            return Err(error.help("use `quota` for longer periods"));
        }
        let stranger = self.health.iter().find(|probed| !self.backend.names().contains(probed));
        if let Some(stranger) = stranger {
            let message = format!("`{stranger}` is not one of its backends");
            return Err(PlanError::at(&["nodes", name, "health"], message).word("dangling"));
        }
        Ok(())
    }

    fn backends(&self, name: &str, plan: &Plan) -> Result<Vec<Endpoint>, PlanError> {
        let resolve = |backend: &String| {
            let endpoint = plan.resolve(name, "backend", backend)?.clone();
            if matches!(endpoint.protocol, Protocol::Http | Protocol::EventTopic) {
                return Ok(endpoint);
            }
            let message = format!("`{backend}` does not speak HTTP");
            Err(PlanError::at(&["nodes", name, "backend"], message)
                .help("put an app in front of it")
                .word("dangling"))
        };
        self.pool().map(resolve).collect()
    }

    /// The backends, each once.
    fn pool(&self) -> impl Iterator<Item = &String> {
        let names = self.backend.names();
        names.iter().enumerate().filter(|(index, name)| !names[..*index].contains(name)).map(|(_, name)| name)
    }

    fn location(&self, site: u8) -> Location {
        if self.zone_redundant {
            Location::Redundant { site, blip: self.blip }
        } else {
            Location::AnyZone { site }
        }
    }

    /// The name of a service in several regions: built like a profile that leads to the nearest (facts 6); what
    /// is not documented is as in a profile by default \[K\].
    fn routing(&self, name: &str) -> TrafficManager {
        let sites = self.site.names().iter();
        TrafficManager {
            method: Method::Performance,
            endpoints: sites.map(|site| format!("{name}/{site}")).collect(),
            ..TrafficManager::default()
        }
    }

    /// The name of a service in several regions, and its management plane.
    fn declare_whole(&self, name: &str, plan: &mut Plan) -> Result<(), PlanError> {
        let sites = self.site.names();
        let primary = self.primary.as_ref().or(sites.first()).map_or("", String::as_str);
        if !sites.iter().any(|site| site == primary) {
            let message = format!("it has no gateway in `{primary}`");
            return Err(PlanError::at(&["nodes", name, "primary"], message)
                .help(format!("its sites are: {}", sites.join(", ")))
                .word("dangling"));
        }
        let site = plan.site_named(name, "primary", primary)?;
        self.routing(name).declare(name, plan)?;
        let process = plan.add_process(name, MANAGEMENT, self.location(site));
        for (part, site) in (0..).zip(sites) {
            let gateway = format!("{name}/{site}");
            // It belongs to the gateway that it switches: the profile of the whole has a control plane itself.
            let node = plan.node(&gateway).unwrap_or_default();
            let address = Address { process, part };
            let endpoint = Endpoint { address, protocol: Protocol::None, node, place: None };
            if site == primary {
                plan.add_endpoint(&format!("{name}{MANAGEMENT}"), endpoint.clone());
            }
            plan.add_endpoint(&format!("{gateway}{CONTROL}"), endpoint);
        }
        Ok(())
    }

    fn build_whole(&self, name: &str, plan: &Plan) -> Result<Built, PlanError> {
        let mut built = self.routing(name).build(name, plan)?;
        let monitor = plan.control_of(plan.node(name).unwrap_or_default()).unwrap_or_default().process;
        let process = plan.resolve(name, "kind", &format!("{name}{MANAGEMENT}"))?.address.process;
        built.push((process, Box::new(Management::new(monitor, self.site.names().len()))));
        Ok(built)
    }
}

impl Service for ApiManagement {
    fn about(&self) -> &'static str {
        "an API gateway: limits, quotas, timeout, retry and breaker in front of a backend"
    }

    fn sites(&self) -> Option<&OneOrMany> {
        Some(&self.site)
    }

    fn sites_mut(&mut self) -> Option<&mut OneOrMany> {
        Some(&mut self.site)
    }

    fn has_name(&self) -> bool {
        self.site.names().len() > 1
    }

    fn declare(&self, name: &str, plan: &mut Plan) -> Result<(), PlanError> {
        self.check(name)?;
        if self.has_name() {
            return self.declare_whole(name, plan);
        }
        if self.primary.is_some() && plan.copies.written(name) == name {
            let message = "it is in one site, where all of it is";
            return Err(PlanError::at(&["nodes", name, "primary"], message)
                .help("leave `primary` out, or name several sites in `in`")
                .word("inapplicable"));
        }
        let site = plan.site(name, &self.site)?;
        let process = plan.add_process(name, "", self.location(site));
        let node = plan.node(name).unwrap_or_default();
        plan.names.keep(node, self.dns);
        let address = Address { process, part: 0 };
        plan.add_endpoint(name, Endpoint { address, protocol: Protocol::Http, node, place: None });
        Ok(())
    }

    fn build(&self, name: &str, plan: &Plan) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError> {
        if self.has_name() {
            return self.build_whole(name, plan);
        }
        let backends = self.backends(name, plan)?;
        let address = plan.resolve(name, "backend", name)?.address;
        let gateway = gateway::Gateway::new(self, name, backends);
        Ok(vec![(address.process, Box::new(gateway))])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]
mod regions_tests;
