//! The kinds `service-bus`, `service-bus-queue`, `service-bus-topic` and `service-bus-subscription` as a
//! scenario writes them, and what they may not be.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::faults::FaultKind;
use crate::ids::{Address, ProcessId};
use crate::node::Process;
use crate::plan::{Endpoint, Location, PlaceRole, Plan, PlanError, Protocol};
use crate::services::replicas::declare::at;
use crate::services::replicas::modes::{self, Modes, Replication};
use crate::services::service_bus::layout::Layout;
use crate::services::service_bus::namespace::Namespace;
use crate::services::{NodeKind, Service};
use crate::time::Span;
use crate::units::{Bandwidth, Bytes, Distribution, OneOrMany};

/// The part under which the namespace itself is addressed, as opposed to one of its entities.
pub(super) const NAMESPACE: u16 = u16::MAX;

/// The tiers of a namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Queues only: no topics, sessions, duplicate detection or transactions (facts 1.1, 1.7).
    Basic,
    /// Shared capacity, throttled by credits (facts 1.2).
    #[default]
    Standard,
    /// Capacity of its own, in messaging units (facts 1.1).
    Premium,
}

/// A namespace: the unit of throttling, connections and failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ServiceBus {
    /// The site; several: a copy in each of them, or with `replication` one namespace in two. Default: the
    /// only one.
    #[serde(rename = "in", skip_serializing_if = "OneOrMany::is_empty")]
    pub site: OneOrMany,
    /// What its primary replicates to its secondary: `sync`, `async` (Geo-Replication) or `metadata-only`
    /// (Geo-DR). Premium only. Default: nothing, each site has a namespace of its own (facts 1.9).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replication: Option<Replication>,
    /// The site of the primary at first. Default: the first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<String>,
    /// With `replication: async`: when the secondary lags more than this, sends are throttled. Default: 5m
    /// (facts 1.9: set by the user; the default is unconfirmed).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_lag: Option<Span>,
    /// With `replication: sync` or `async`: how long a promotion takes; meanwhile nobody can send or
    /// receive. Default: 5m..10m (facts 1.9).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promotion: Option<Distribution>,
    /// `basic`, `standard` or `premium`. Default: standard.
    pub tier: Tier,
    /// Messaging units of a premium namespace: 1, 2, 4, 8 or 16. Default: 1 (facts 1.1).
    pub units: u16,
    /// How long it does not answer when a zone is lost; "a few seconds", in all tiers. Default: 5s (facts 1.9).
    pub blip: Span,
    /// Credits granted each second in the basic and standard tiers: 1 for each message sent or received
    /// and for each filter evaluation, 10 for a management operation. Default: 1000 (facts 1.2).
    pub credits: u32,
    /// What one premium messaging unit takes in; over it, sends are throttled. A rule of thumb is 4 MB/s;
    /// default: no limit, because none is fixed (facts 1.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit_throughput: Option<Bandwidth>,
    /// Concurrent AMQP connections; further ones are refused. Default: 5000 (facts 1.1).
    pub max_connections: u32,
    /// Concurrent receivers of one entity, summed over the subscriptions of a topic. Default: 5000 (facts 1.1).
    pub max_receivers: u32,
    /// How often a message may be forwarded. Default: 4; an older document says 3 (facts 1.1, in conflict).
    pub max_hops: u8,
    /// How long a request for the next session waits for one before it is answered with
    /// `ServiceTimeout`. Default: 60s, the client's try time-out (facts 1.5, unconfirmed).
    pub session_wait: Span,
    /// A link without traffic for so long is detached; its locks can no longer be settled. Default: 10m (facts 1.1).
    pub idle_detach: Span,
}

impl Default for ServiceBus {
    fn default() -> Self {
        Self {
            site: OneOrMany::default(),
            replication: None,
            primary: None,
            max_lag: None,
            promotion: None,
            tier: Tier::Standard,
            units: 1,
            blip: Span::secs(5),
            credits: 1000,
            unit_throughput: None,
            max_connections: 5000,
            max_receivers: 5000,
            max_hops: 4,
            session_wait: Span::secs(60),
            idle_detach: Span::mins(10),
        }
    }
}

impl ServiceBus {
    /// How it is replicated.
    pub(super) fn modes(&self) -> Modes<'_> {
        let premium = self.tier == Tier::Premium;
        Modes {
            sites: self.site.names(),
            replication: self.replication,
            primary: self.primary.as_deref(),
            max_lag: self.max_lag,
            promotion: self.promotion,
            tier: if premium { Ok(()) } else { Err("set `tier: premium`") },
        }
    }
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ServiceBusQueue {
    /// The namespace.
    pub of: String,
    /// How long a delivered message (or an accepted session) is locked; at most 5m. Default: 60s (facts 1.1 LockDuration).
    pub lock: Span,
    /// A message whose delivery has failed so often goes to the dead-letter queue. Default: 10 (facts 1.1 MaxDeliveryCount).
    pub max_delivery: u32,
    /// Messages older than this can no longer be retrieved; shorter times of a message count. Default:
    /// none, in the basic tier 14d (facts 1.1 DefaultMessageTimeToLive; the latter unconfirmed).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Span>,
    /// Expired messages go to the dead-letter queue instead of being dropped. Default: false (facts 1.1).
    pub dead_letter_on_expiration: bool,
    /// Message ids seen within this window are absorbed; 20s to 7d. Default: no duplicate detection
    /// (facts 1.1; where it is on, the documents say 10m, the .NET create option 1m).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dedup_window: Option<Span>,
    /// Messages are grouped by session id; one receiver at a time for each session. Default: false (facts 1.5).
    pub sessions: bool,
    /// Every message is forwarded to this queue or topic of the namespace. Default: none (facts 1.4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward_to: Option<String>,
    /// Every dead letter is forwarded to this queue or topic of the namespace. Default: none (facts 1.4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter_forward_to: Option<String>,
    /// The size of all its messages, dead letters included. Default: 1GB (facts 1.1 MaxSizeInMegabytes).
    pub max_size: Bytes,
    /// The size of one message. Default: 256KB; premium 1MB, up to 100MB (facts 1.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_message: Option<Bytes>,
}

impl Default for ServiceBusQueue {
    fn default() -> Self {
        Self {
            of: String::new(),
            lock: Span::secs(60),
            max_delivery: 10,
            ttl: None,
            dead_letter_on_expiration: false,
            dedup_window: None,
            sessions: false,
            forward_to: None,
            dead_letter_forward_to: None,
            max_size: Bytes(1 << 30),
            max_message: None,
        }
    }
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ServiceBusTopic {
    /// The namespace.
    pub of: String,
    /// The longest time to live of its messages. Default: none (facts 1.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Span>,
    /// Message ids seen within this window are absorbed; 20s to 7d. Default: no duplicate detection (facts 1.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dedup_window: Option<Span>,
    /// The size of all messages in its subscriptions, each copy counted. Default: 1GB (facts 1.1; that
    /// small messages count once for each copy is unconfirmed).
    pub max_size: Bytes,
    /// The size of one message. Default: 256KB; premium 1MB, up to 100MB (facts 1.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_message: Option<Bytes>,
}

impl Default for ServiceBusTopic {
    fn default() -> Self {
        Self { of: String::new(), ttl: None, dedup_window: None, max_size: Bytes(1 << 30), max_message: None }
    }
}

/// A subscription of a topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ServiceBusSubscription {
    /// The topic.
    pub of: String,
    /// The message types that it takes (a correlation filter on the type). Default: all (the TrueFilter, facts 1.8).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub types: Option<Vec<String>>,
    /// How long a delivered message (or an accepted session) is locked; at most 5m. Default: 60s (facts 1.1 LockDuration).
    pub lock: Span,
    /// A message whose delivery has failed so often goes to the dead-letter queue. Default: 10 (facts 1.1 MaxDeliveryCount).
    pub max_delivery: u32,
    /// Messages older than this can no longer be retrieved. Default: none (facts 1.1 DefaultMessageTimeToLive).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Span>,
    /// Expired messages go to the dead-letter queue instead of being dropped. Default: false (facts 1.1).
    pub dead_letter_on_expiration: bool,
    /// Messages are grouped by session id; one receiver at a time for each session. Default: false (facts 1.5).
    pub sessions: bool,
    /// Every message is forwarded to this queue or topic of the namespace. Default: none (facts 1.4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward_to: Option<String>,
    /// Every dead letter is forwarded to this queue or topic of the namespace. Default: none (facts 1.4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter_forward_to: Option<String>,
}

impl Default for ServiceBusSubscription {
    fn default() -> Self {
        Self {
            of: String::new(),
            types: None,
            lock: Span::secs(60),
            max_delivery: 10,
            ttl: None,
            dead_letter_on_expiration: false,
            sessions: false,
            forward_to: None,
            dead_letter_forward_to: None,
        }
    }
}

/// The error at a field of a node, under the word by which a variant can expect it.
fn wrong(node: &str, field: &str, word: &'static str, message: String) -> PlanError {
    PlanError::at(&["nodes", node, field], message).word(word)
}

/// The configuration of the namespace that this name means.
fn namespace<'a>(node: &str, of: &str, plan: &'a Plan) -> Result<&'a ServiceBus, PlanError> {
    match plan.blueprint.nodes.get(of) {
        Some(NodeKind::ServiceBus(config)) => match plan.endpoint(of) {
            Some(_) => Ok(config),
            None => Err(wrong(node, "of", "dangling", format!("the namespace `{of}` is itself wrong"))),
        },
        Some(other) => Err(wrong(node, "of", "of", format!("`{of}` is a {}", other.word()))
            .help("`of` must name a service-bus, the namespace that this is a part of")),
        None => Err(wrong(node, "of", "dangling", no_whole(of))
            .help("`of` must name a service-bus, the namespace that this is a part of")),
    }
}

/// Adds an entity's name as the next part of the namespace `of`, and a place for it in each of its sites.
fn add_part(plan: &mut Plan, of: &str, node: &str, name: &str, role: PlaceRole) {
    let Some(NodeKind::ServiceBus(bus)) = plan.blueprint.nodes.get(of).cloned() else { return };
    let id = plan.node(node).unwrap_or_default();
    let found = plan.endpoint(of).map(|endpoint| endpoint.address.process).unwrap_or_default();
    let endpoint = |process, part, place| {
        let address = Address { process, part };
        Endpoint { address, protocol: Protocol::Broker, node: id, place: Some(place) }
    };
    let mut first = None;
    for (process, site) in modes::namespaces(&bus.modes(), of, plan) {
        let parts = plan.endpoints().map(|(_, endpoint)| endpoint.address);
        let parts = parts.filter(|address| address.process == process && address.part != NAMESPACE);
        let part = parts.map(|address| address.part + 1).max().unwrap_or(0);
        let located = site.as_ref().map_or_else(|| name.to_owned(), |site| at(name, site));
        let place = plan.add_place(node, &located, role);
        if site.is_some() {
            plan.add_endpoint(&located, endpoint(process, part, place));
        }
        if site.as_deref() == modes::primary(&bus.modes()) || first.is_none() {
            first = Some((part, place));
        }
    }
    if let Some((part, place)) = first {
        plan.add_endpoint(name, endpoint(found, part, place));
    }
}

fn check_window(node: &str, window: Option<Span>) -> Result<(), PlanError> {
    match window {
        Some(window) if window < Span::secs(20) || window > Span::days(7) => Err(wrong(
            node,
            "dedup-window",
            "dedup-window",
            format!("a window of {window} for duplicate detection is not possible"),
        )
        .help("write 20s to 7d, or leave it out for no duplicate detection")),
        _ => Ok(()),
    }
}

fn check_ttl(node: &str, ttl: Option<Span>) -> Result<(), PlanError> {
    match ttl {
        Some(ttl) if ttl < Span::secs(1) => {
            Err(wrong(node, "ttl", "ttl", format!("a time to live of {ttl} is not possible"))
                .help("write at least 1s"))
        }
        _ => Ok(()),
    }
}

fn check_lock(node: &str, lock: Span, max_delivery: u32) -> Result<(), PlanError> {
    if lock.is_zero() || lock > Span::mins(5) {
        return Err(wrong(node, "lock", "lock", format!("a lock of {lock} is not possible"))
            .help("a lock lasts at most 5m; a receiver that needs longer renews it (renew-lock)"));
    }
    if max_delivery == 0 {
        return Err(wrong(node, "max-delivery", "max-delivery", "no delivery at all".to_owned())
            .help("write at least 1; dead-lettering by delivery count cannot be switched off"));
    }
    Ok(())
}

fn check_sizes(node: &str, tier: Tier, max_size: Bytes, max_message: Option<Bytes>) -> Result<(), PlanError> {
    let (most, largest) = match tier {
        Tier::Premium => (Bytes(80 << 30), Bytes(100 << 20)),
        Tier::Basic | Tier::Standard => (Bytes(5 << 30), Bytes(256 << 10)),
    };
    if max_size > most || max_size.0 == 0 {
        return Err(wrong(node, "max-size", "max-size", format!("a size of {max_size} is not possible"))
            .help(format!("in this tier an entity holds at most {most}")));
    }
    match max_message {
        Some(size) if size > largest => {
            Err(wrong(node, "max-message", "max-message", format!("messages of {size} are not possible"))
                .help(format!("in this tier a message has at most {largest}")))
        }
        _ => Ok(()),
    }
}

fn not_on_basic(node: &str, field: &str, tier: Tier, used: bool) -> Result<(), PlanError> {
    if tier == Tier::Basic && used {
        return Err(wrong(node, field, "tier", format!("`{field}` does not exist in the basic tier"))
            .help("set the namespace's `tier` to standard or premium"));
    }
    Ok(())
}

impl Service for ServiceBus {
    fn about(&self) -> &'static str {
        "a Service Bus namespace: throttling, connections and failure of its queues and topics"
    }

    fn sites(&self) -> Option<&OneOrMany> {
        Some(&self.site)
    }

    fn sites_mut(&mut self) -> Option<&mut OneOrMany> {
        Some(&mut self.site)
    }

    fn replicates(&self) -> bool {
        self.replication.is_some()
    }

    fn refuses(&self, fault: &FaultKind) -> Option<String> {
        let FaultKind::BrokerThrottle(throttle) = fault else { return None };
        let premium = self.tier == Tier::Premium && throttle.credits.is_some();
        premium.then(|| "a premium namespace has no credits; `limit` throttles its operations".to_owned())
    }

    fn declare(&self, name: &str, plan: &mut Plan) -> Result<(), PlanError> {
        if self.tier == Tier::Premium && ![1, 2, 4, 8, 16].contains(&self.units) {
            return Err(wrong(
                name,
                "units",
                "units",
                format!("{} messaging units are not possible", self.units),
            )
            .help("write 1, 2, 4, 8 or 16"));
        }
        if self.tier != Tier::Premium && self.units != 1 {
            return Err(wrong(
                name,
                "units",
                "tier",
                "only a premium namespace has messaging units".to_owned(),
            )
            .help("set `tier: premium`, or leave `units` out"));
        }
        if self.tier != Tier::Premium && self.unit_throughput.is_some() {
            let message = "only a premium namespace has messaging units".to_owned();
            return Err(wrong(name, "unit-throughput", "tier", message)
                .help("basic and standard are throttled by `credits`"));
        }
        if self.tier == Tier::Premium && self.credits != ServiceBus::default().credits {
            let message = "a premium namespace has no credits".to_owned();
            return Err(wrong(name, "credits", "tier", message)
                .help("leave `credits` out; `unit-throughput` throttles a premium namespace"));
        }
        modes::check(&self.modes(), name)?;
        let node = plan.node(name).unwrap_or_default();
        let whole = |process| {
            let address = Address { process, part: NAMESPACE };
            Endpoint { address, protocol: Protocol::None, node, place: None }
        };
        let process = if self.replication.is_some() {
            for site in self.site.names() {
                let index = plan.site_named(name, "in", site)?;
                let location = Location::Redundant { site: index, blip: self.blip };
                let process = plan.add_process(name, &format!("/{site}"), location);
                plan.add_endpoint(&at(name, site), whole(process));
            }
            modes::stand_before(name, plan)
        } else {
            let site = plan.site(name, &self.site)?;
            plan.add_process(name, "", Location::Redundant { site, blip: self.blip })
        };
        plan.add_endpoint(name, whole(process));
        Ok(())
    }

    fn build(&self, name: &str, plan: &Plan) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError> {
        let before = modes::before(&self.modes(), name, plan);
        let built = modes::namespaces(&self.modes(), name, plan).into_iter().map(|(process, site)| {
            let layout = Layout::of(self, name, process, site, plan)?;
            let namespace: Box<dyn Process> = Box::new(Namespace::new(layout));
            Ok((process, namespace))
        });
        built.chain(before.into_iter().map(Ok)).collect()
    }
}

impl Service for ServiceBusQueue {
    fn about(&self) -> &'static str {
        "a queue with its dead-letter queue: locks, delivery count, sessions, duplicate detection"
    }

    fn of(&self) -> Option<&str> {
        Some(&self.of)
    }

    fn repetition_window(&self) -> Option<Span> {
        self.dedup_window
    }

    fn declare(&self, name: &str, plan: &mut Plan) -> Result<(), PlanError> {
        let bus = namespace(name, &self.of, plan)?.clone();
        check_lock(name, self.lock, self.max_delivery)?;
        check_ttl(name, self.ttl)?;
        check_window(name, self.dedup_window)?;
        check_sizes(name, bus.tier, self.max_size, self.max_message)?;
        not_on_basic(name, "dedup-window", bus.tier, self.dedup_window.is_some())?;
        not_on_basic(name, "sessions", bus.tier, self.sessions)?;
        not_on_basic(name, "forward-to", bus.tier, self.forward_to.is_some())?;
        add_part(plan, &self.of, name, name, PlaceRole::Queue);
        add_part(plan, &self.of, name, &format!("{name}.dead-letter"), PlaceRole::DeadLetter);
        Ok(())
    }

    fn build(&self, _: &str, _: &Plan) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError> {
        Ok(Vec::new())
    }
}

impl Service for ServiceBusTopic {
    fn about(&self) -> &'static str {
        "a topic: every subscription whose filter matches gets a copy"
    }

    fn of(&self) -> Option<&str> {
        Some(&self.of)
    }

    fn repetition_window(&self) -> Option<Span> {
        self.dedup_window
    }

    fn declare(&self, name: &str, plan: &mut Plan) -> Result<(), PlanError> {
        let bus = namespace(name, &self.of, plan)?.clone();
        if bus.tier == Tier::Basic {
            return Err(wrong(name, "of", "tier", "there are no topics in the basic tier".to_owned())
                .help("set the namespace's `tier` to standard or premium"));
        }
        check_ttl(name, self.ttl)?;
        check_window(name, self.dedup_window)?;
        check_sizes(name, bus.tier, self.max_size, self.max_message)?;
        add_part(plan, &self.of, name, name, PlaceRole::Queue);
        Ok(())
    }

    fn build(&self, _: &str, _: &Plan) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError> {
        Ok(Vec::new())
    }
}

impl Service for ServiceBusSubscription {
    fn about(&self) -> &'static str {
        "a subscription of a topic, with its filter and its dead-letter queue"
    }

    fn of(&self) -> Option<&str> {
        Some(&self.of)
    }

    fn declare(&self, name: &str, plan: &mut Plan) -> Result<(), PlanError> {
        let topic = match plan.blueprint.nodes.get(&self.of) {
            Some(NodeKind::ServiceBusTopic(topic)) => topic.of.clone(),
            Some(other) => {
                let message = format!("`{}` is a {}", self.of, other.word());
                return Err(wrong(name, "of", "of", message).help("`of` must name a service-bus-topic"));
            }
            None => {
                return Err(wrong(name, "of", "dangling", no_whole(&self.of))
                    .help("`of` must name a service-bus-topic"));
            }
        };
        namespace(&self.of, &topic, plan)?;
        check_lock(name, self.lock, self.max_delivery)?;
        check_ttl(name, self.ttl)?;
        for word in self.types.iter().flatten() {
            plan.add_type(word);
        }
        add_part(plan, &topic, name, name, PlaceRole::Queue);
        add_part(plan, &topic, name, &format!("{name}.dead-letter"), PlaceRole::DeadLetter);
        Ok(())
    }

    fn build(&self, _: &str, _: &Plan) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError> {
        Ok(Vec::new())
    }
}

fn no_whole(of: &str) -> String {
    if of.is_empty() { "`of` is missing".to_owned() } else { format!("there is no `{of}`") }
}
