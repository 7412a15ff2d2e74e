//! `api-management`: the gateway in front of the apps. It limits, refuses and forwards; it passes the
//! backend's answer on as it is, and says 504 when there is none in time.
//!
//! Sends book: the gateway stands for its backend. It says *stored* when it passes a success on,
//! *rejected* when it passes on or gives itself an answer that means that nothing happened (4xx, 429,
//! 503), and nothing when that is open (500, 502, 504).

mod gateway;
mod rules;
mod tripping;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use rules::{Retry, Trip};

use crate::client::Dns;
use crate::ids::ProcessId;
use crate::node::Process;
use crate::plan::{Endpoint, Location, Plan, PlanError, Protocol};
use crate::services::Service;
use crate::time::Span;
use crate::units::{OneOrMany, Rate};

/// An API gateway (facts 6).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ApiManagement {
    /// The site. May be left out where there is one.
    #[serde(rename = "in", skip_serializing_if = "OneOrMany::is_empty")]
    pub site: OneOrMany,
    /// Where requests are forwarded: an app, an endpoint, an event topic, another gateway; or a pool of
    /// them, taken in turn. Required.
    pub backend: OneOrMany,
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
            backend: OneOrMany::Many(Vec::new()),
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
        self.backend.names().iter().map(resolve).collect()
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

    fn declare(&self, name: &str, plan: &mut Plan) -> Result<(), PlanError> {
        self.check(name)?;
        let site = plan.site(name, &self.site)?;
        let location = if self.zone_redundant {
            Location::Redundant { site, blip: self.blip }
        } else {
            Location::AnyZone { site }
        };
        let process = plan.add_process(name, "", location);
        let node = plan.node(name).unwrap_or_default();
        plan.names.keep(node, self.dns);
        let address = crate::ids::Address { process, part: 0 };
        plan.add_endpoint(name, Endpoint { address, protocol: Protocol::Http, node, place: None });
        Ok(())
    }

    fn build(&self, name: &str, plan: &Plan) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError> {
        let backends = self.backends(name, plan)?;
        let address = plan.resolve(name, "backend", name)?.address;
        let gateway = gateway::Gateway::new(self, name, backends);
        Ok(vec![(address.process, Box::new(gateway))])
    }
}
