//! Topics and subscriptions as a scenario writes them.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{Address, ProcessId};
use crate::node::Process;
use crate::plan::{Endpoint, Location, PlaceRole, Plan, PlanError, Protocol};
use crate::random::name_hash;
use crate::services::event_grid::subscription::{Setup, Subscription};
use crate::services::event_grid::topic::Topic;
use crate::services::{NodeKind, Service};
use crate::time::Span;
use crate::units::{OneOrMany, Rate};

/// A topic of an event router (facts 2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct EventGridTopic {
    /// The site. May be left out where there is one.
    #[serde(rename = "in", skip_serializing_if = "OneOrMany::is_empty")]
    pub site: OneOrMany,
    /// How many events it accepts in a period; more get 429 \[K: the code\]. Default: 5000/s (facts 2.4).
    pub ingress: Rate,
    /// How long it does not answer when a zone is lost (it is zone-redundant by itself). Default: 5s
    /// \[K\].
    pub blip: Span,
}

impl Default for EventGridTopic {
    fn default() -> Self {
        Self { site: OneOrMany::default(), ingress: Rate::per_second(5000.0), blip: Span::secs(5) }
    }
}

/// A subscription of an event router's topic. Who it is pushed to is said by the app that has it as its
/// `trigger` (facts 2.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct EventGridSubscription {
    /// The topic. Required.
    pub of: String,
    /// Only events of these types. Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub types: Option<Vec<String>>,
    /// The container for events that cannot be delivered, written 5 minutes after the last attempt and
    /// dropped if it does not take them for 4 hours. Default: none; they are dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<String>,
    /// How long it is tried; looked at only when an attempt is due. Default: 24h; 1m to 24h.
    pub ttl: Span,
    /// How many attempts there are. Default: 30; 1 to 30.
    pub max_attempts: u32,
    /// At most so many pushes at once \[K\]. Default: 100.
    pub outstanding: u32,
    /// After so many failures in a row the subscription is on probation \[K; the documentation says
    /// "for example the first 10"\]. Default: 10.
    pub probation_after: u32,
    /// The longest probation: each in a row is twice as long as the one before ("in some cases up to
    /// several hours") \[K\]. Default: 1h.
    pub longest_probation: Span,
}

impl Default for EventGridSubscription {
    fn default() -> Self {
        Self {
            of: String::new(),
            types: None,
            dead_letter: None,
            ttl: Span::hours(24),
            max_attempts: 30,
            outstanding: 100,
            probation_after: 10,
            longest_probation: Span::hours(1),
        }
    }
}

/// How many subscriptions a topic has at most in the model; the service allows 500 (facts 2.4).
pub(super) const SUBSCRIPTIONS: usize = 250;

impl Service for EventGridTopic {
    fn about(&self) -> &'static str {
        "a topic of an event router: every matching subscription gets a copy, pushed at least once"
    }

    fn sites(&self) -> Option<&OneOrMany> {
        Some(&self.site)
    }

    fn sites_mut(&mut self) -> Option<&mut OneOrMany> {
        Some(&mut self.site)
    }

    fn declare(&self, name: &str, plan: &mut Plan) -> Result<(), PlanError> {
        let count = plan.parts_of(name).count();
        if count > SUBSCRIPTIONS {
            let message = format!("{count} subscriptions; at most {SUBSCRIPTIONS} here");
            return Err(PlanError::at(&["nodes", name], message));
        }
        let site = plan.site(name, &self.site)?;
        let process = plan.add_process(name, "", Location::Redundant { site, blip: self.blip });
        let place = Some(plan.add_place(name, name, PlaceRole::Queue));
        let node = plan.node(name).unwrap_or_default();
        let address = Address { process, part: 0 };
        plan.add_endpoint(name, Endpoint { address, protocol: Protocol::EventTopic, node, place });
        Ok(())
    }

    fn build(&self, name: &str, plan: &Plan) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError> {
        let endpoint = plan.resolve(name, "of", name)?;
        let mut subscriptions = Vec::new();
        for (part, kind) in plan.parts_of(name) {
            if let NodeKind::EventGridSubscription(config) = kind {
                subscriptions.push(Subscription::new(Arc::new(config.setup(part, plan)?)));
            }
        }
        let topic = Topic::new(name, endpoint.place.unwrap_or_default(), self.ingress, subscriptions);
        Ok(vec![(endpoint.address.process, Box::new(topic))])
    }
}

impl EventGridSubscription {
    fn check(&self, name: &str, plan: &Plan) -> Result<(), PlanError> {
        let wrong = |field, message: String| Err(PlanError::at(&["nodes", name, field], message));
        if !matches!(plan.blueprint.nodes.get(&self.of), Some(NodeKind::EventGridTopic(_))) {
            let error =
                PlanError::at(&["nodes", name, "of"], format!("`{}` is not an event-grid-topic", self.of));
            return Err(error.word("dangling"));
        }
        if self.ttl < Span::mins(1) || self.ttl > Span::hours(24) {
            return wrong("ttl", format!("{} is not between 1m and 24h", self.ttl));
        }
        if !(1..=30).contains(&self.max_attempts) {
            return wrong("max-attempts", format!("{} is not between 1 and 30", self.max_attempts));
        }
        if self.outstanding == 0 || self.probation_after == 0 {
            return wrong("outstanding", "0 would never deliver anything".to_owned());
        }
        Ok(())
    }

    fn setup(&self, name: &str, plan: &Plan) -> Result<Setup, PlanError> {
        let own = plan.resolve(name, "of", name)?;
        let consumers = plan.consumers_of(name);
        let [consumer] = consumers else {
            let message = match consumers.len() {
                0 => "nobody takes its events",
                _ => "a subscription pushes to one endpoint, but several apps have it as their trigger",
            };
            return Err(PlanError::at(&["nodes", name], message)
                .help(format!("exactly one app says `trigger: {name}`"))
                .word("dangling"));
        };
        let kind = plan.blueprint.nodes.get_index(consumer.node.index()).map(|(_, kind)| kind.word());
        let types = self.types.as_ref().map(|types| types.iter().filter_map(|t| plan.type_id(t)).collect());
        Ok(Setup {
            hash: name_hash(name),
            place: own.place.unwrap_or_default(),
            part: own.address.part,
            to: consumer.address,
            azure_resource: kind == Some("function-app"),
            types,
            dead_letter: self.container(name, plan)?,
            ttl: self.ttl,
            max_attempts: self.max_attempts,
            outstanding: self.outstanding,
            probation_after: self.probation_after,
            longest_probation: self.longest_probation,
        })
    }

    fn container(&self, name: &str, plan: &Plan) -> Result<Option<Address>, PlanError> {
        let Some(target) = &self.dead_letter else { return Ok(None) };
        let endpoint = plan.resolve(name, "dead-letter", target)?;
        if endpoint.protocol != Protocol::Store {
            let message = format!("`{target}` is not a storage-container");
            return Err(PlanError::at(&["nodes", name, "dead-letter"], message).word("dangling"));
        }
        Ok(Some(endpoint.address))
    }
}

impl Service for EventGridSubscription {
    fn about(&self) -> &'static str {
        "a subscription of an event router's topic: filter, retries, dead-letter container"
    }

    fn of(&self) -> Option<&str> {
        Some(&self.of)
    }

    fn declare(&self, name: &str, plan: &mut Plan) -> Result<(), PlanError> {
        self.check(name, plan)?;
        let process = plan.resolve(name, "of", &self.of)?.address.process;
        let index = plan.parts_of(&self.of).position(|(part, _)| part == name).unwrap_or(0);
        for kind in self.types.iter().flatten() {
            plan.add_type(kind);
        }
        let place = Some(plan.add_place(name, name, PlaceRole::Queue));
        let node = plan.node(name).unwrap_or_default();
        let address = Address { process, part: index as u16 + 1 };
        plan.add_endpoint(name, Endpoint { address, protocol: Protocol::None, node, place });
        Ok(())
    }

    fn build(&self, _: &str, _: &Plan) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError> {
        Ok(Vec::new())
    }
}
