//! A namespace as resolved from the plan: its entities by part, who forwards to whom, its limits.
//! Immutable and shared.

use crate::ids::{PlaceId, ProcessId, TypeId};
use crate::plan::{Plan, PlanError, Protocol, StreamSlots};
use crate::services::NodeKind;
use crate::services::replicas::declare::at;
use crate::services::replicas::{Pair, modes};
use crate::services::service_bus::config::{ServiceBus, Tier};
use crate::services::throttle::Limit;
use crate::time::Span;
use crate::units::Bytes;

/// What kind of entity it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Queue,
    Topic,
    Subscription,
    DeadLetter,
}

/// One entity.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    pub(super) place: PlaceId,
    pub(super) role: Role,
    pub(super) lock: Span,
    pub(super) max_delivery: u32,
    pub(super) ttl: Span,
    pub(super) dead_letter_on_expiration: bool,
    pub(super) dedup: Option<Span>,
    pub(super) sessions: bool,
    pub(super) forward: Option<u16>,
    pub(super) dead_letter: Option<u16>,
    /// The part to whose quota its messages count.
    pub(super) quota: u16,
    pub(super) max_size: u64,
    pub(super) max_message: u64,
    /// Of a topic.
    pub(super) subscriptions: Vec<u16>,
    /// Of a subscription; `None`: all.
    pub(super) types: Option<Vec<TypeId>>,
}

/// The whole namespace.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    pub(super) entities: Vec<Settings>,
    /// The size of one item, by stream.
    pub(super) bytes: Vec<u32>,
    pub(super) streams: StreamSlots,
    pub(super) tier: Tier,
    pub(super) credits: Option<Limit>,
    pub(super) ingress: Option<Limit>,
    pub(super) max_connections: u32,
    pub(super) max_receivers: u32,
    pub(super) max_hops: u8,
    pub(super) session_wait: Span,
    pub(super) idle_detach: Span,
    /// The other namespace, if there is one.
    pub(super) pair: Option<Pair>,
}

/// Everything about a name in the namespace that the plan knows.
struct Names<'a> {
    plan: &'a Plan,
    process: ProcessId,
    /// Of a namespace in several sites: which one this is.
    site: Option<&'a str>,
    bus: &'a ServiceBus,
}

impl Layout {
    /// Resolves a namespace.
    ///
    /// # Errors
    /// If something forwards to what does not exist, has sessions or leads back to itself, or there are
    /// more entities than the documented limits.
    pub(super) fn of(
        bus: &ServiceBus,
        name: &str,
        process: ProcessId,
        site: Option<String>,
        plan: &Plan,
    ) -> Result<Layout, PlanError> {
        let site = site.as_deref();
        let names = Names { plan, process, site, bus };
        let found: Vec<(u16, String)> = plan
            .endpoints()
            .filter(|(_, e)| e.address.process == process && e.protocol == Protocol::Broker)
            .map(|(name, e)| {
                (e.address.part, if site.is_some() { plan.anywhere(name) } else { name.to_owned() })
            })
            .collect();
        let mut parts: Vec<(u16, &str)> = found.iter().map(|(part, name)| (*part, name.as_str())).collect();
        parts.sort_unstable();
        // The name of what is in several sites leads to one of them as well.
        parts.dedup_by_key(|(part, _)| *part);
        let entities = parts
            .iter()
            .map(|(part, entity)| names.settings(*part, entity))
            .collect::<Result<Vec<_>, _>>()?;
        let per_second = |count: u64| Limit { count, per: Span::secs(1) };
        let premium = bus.tier == Tier::Premium;
        let layout = Layout {
            entities,
            streams: plan.stream_slots(),
            bytes: plan
                .streams
                .iter()
                .map(|stream| u32::try_from(plan.item_bytes(stream.id)).unwrap_or(u32::MAX))
                .collect(),
            tier: bus.tier,
            credits: (!premium).then(|| per_second(u64::from(bus.credits))),
            ingress: bus.unit_throughput.map(|each| per_second(each.0 * u64::from(bus.units))),
            max_connections: bus.max_connections,
            max_receivers: bus.max_receivers,
            max_hops: bus.max_hops,
            session_wait: bus.session_wait,
            idle_detach: bus.idle_detach,
            pair: modes::pair(&bus.modes(), name, site, plan),
        };
        layout.check_limits(name, bus)?;
        layout.check_cycles(&parts)?;
        Ok(layout)
    }

    fn check_limits(&self, name: &str, bus: &ServiceBus) -> Result<(), PlanError> {
        let top = self.entities.iter().filter(|e| matches!(e.role, Role::Queue | Role::Topic)).count();
        let most = if bus.tier == Tier::Premium { 1000 * usize::from(bus.units) } else { 10_000 };
        let subscriptions = self.entities.iter().map(|e| e.subscriptions.len()).max().unwrap_or(0);
        let message = match () {
            () if top > most => format!("{top} queues and topics; at most {most} are possible"),
            () if subscriptions > 2000 => format!("{subscriptions} subscriptions of a topic; at most 2000"),
            () => return Ok(()),
        };
        Err(PlanError::at(&["nodes", name], message).word("limit"))
    }

    /// Every way that a message can be forwarded must end. A topic leads to its subscriptions.
    fn check_cycles(&self, parts: &[(u16, &str)]) -> Result<(), PlanError> {
        for (start, name) in parts {
            let mut seen = vec![false; self.entities.len()];
            let mut next: Vec<u16> = self.leads_to(*start).collect();
            while let Some(part) = next.pop() {
                if part == *start {
                    let node = name.strip_suffix(".dead-letter").unwrap_or(name);
                    let field = if *name == node { "forward-to" } else { "dead-letter-forward-to" };
                    return Err(PlanError::at(&["nodes", node, field], "cycle in auto-forward")
                        .help(format!("what is forwarded from `{name}` comes back to it"))
                        .word("cycle"));
                }
                if !std::mem::replace(&mut seen[usize::from(part)], true) {
                    next.extend(self.leads_to(part));
                }
            }
        }
        Ok(())
    }

    fn leads_to(&self, part: u16) -> impl Iterator<Item = u16> + '_ {
        let entity = &self.entities[usize::from(part)];
        entity.forward.iter().chain(&entity.subscriptions).copied()
    }
}

impl Names<'_> {
    fn located(&self, name: &str) -> String {
        self.site.map_or_else(|| name.to_owned(), |site| at(name, site))
    }

    fn part(&self, name: &str) -> Option<u16> {
        let endpoint = self.plan.endpoint(&self.located(name))?;
        let ours = endpoint.address.process == self.process && endpoint.protocol == Protocol::Broker;
        ours.then_some(endpoint.address.part)
    }

    /// The part to which a field forwards.
    fn forward(&self, node: &str, field: &str, to: Option<&String>) -> Result<Option<u16>, PlanError> {
        let Some(to) = to else { return Ok(None) };
        self.plan.resolve(node, field, to)?;
        let kind = self.plan.blueprint.nodes.get(to);
        let fits = matches!(kind, Some(NodeKind::ServiceBusQueue(_) | NodeKind::ServiceBusTopic(_)));
        match self.part(to).filter(|_| fits) {
            Some(part) => Ok(Some(part)),
            None => {
                let message = format!("`{to}` is not a queue or topic of this namespace");
                Err(PlanError::at(&["nodes", node, field], message)
                    .help("messages are forwarded within a namespace only")
                    .word("forward"))
            }
        }
    }

    fn settings(&self, part: u16, name: &str) -> Result<Settings, PlanError> {
        let node = name.strip_suffix(".dead-letter").unwrap_or(name);
        let dead = node != name;
        let settings = match self.plan.blueprint.nodes.get(node) {
            Some(NodeKind::ServiceBusTopic(_)) => self.topic(part, name),
            Some(NodeKind::ServiceBusSubscription(_)) => self.subscription(part, node),
            _ => self.queue(part, node),
        }?;
        if dead { self.dead_letter(settings, part, node) } else { Ok(settings) }
    }

    fn max_message(&self, own: Option<Bytes>) -> u64 {
        let default = if self.bus.tier == Tier::Premium { 1 << 20 } else { 256 << 10 };
        own.map_or(default, |bytes| bytes.0)
    }

    fn queue(&self, part: u16, node: &str) -> Result<Settings, PlanError> {
        let Some(NodeKind::ServiceBusQueue(config)) = self.plan.blueprint.nodes.get(node) else {
            return Err(PlanError::at(&["nodes", node], format!("`{node}` is not a queue")));
        };
        if config.sessions && config.forward_to.is_some() {
            return Err(session_source(node));
        }
        let longest = if self.bus.tier == Tier::Basic { Span::days(14) } else { Span::FOREVER };
        Ok(Settings {
            place: self.place(node),
            role: Role::Queue,
            lock: config.lock,
            max_delivery: config.max_delivery,
            ttl: config.ttl.unwrap_or(longest),
            dead_letter_on_expiration: config.dead_letter_on_expiration,
            dedup: config.dedup_window,
            sessions: config.sessions,
            forward: self.forward(node, "forward-to", config.forward_to.as_ref())?,
            dead_letter: self.part(&format!("{node}.dead-letter")),
            quota: part,
            max_size: config.max_size.0,
            max_message: self.max_message(config.max_message),
            subscriptions: Vec::new(),
            types: None,
        })
    }

    fn topic(&self, part: u16, node: &str) -> Result<Settings, PlanError> {
        let Some(NodeKind::ServiceBusTopic(config)) = self.plan.blueprint.nodes.get(node) else {
            return Err(PlanError::at(&["nodes", node], format!("`{node}` is not a topic")));
        };
        Ok(Settings {
            place: self.place(node),
            role: Role::Topic,
            lock: Span::ZERO,
            max_delivery: u32::MAX,
            ttl: config.ttl.unwrap_or(Span::FOREVER),
            dead_letter_on_expiration: false,
            dedup: config.dedup_window,
            sessions: false,
            forward: None,
            dead_letter: None,
            quota: part,
            max_size: config.max_size.0,
            max_message: self.max_message(config.max_message),
            subscriptions: self.plan.parts_of(node).filter_map(|(name, _)| self.part(name)).collect(),
            types: None,
        })
    }

    fn subscription(&self, part: u16, node: &str) -> Result<Settings, PlanError> {
        let Some(NodeKind::ServiceBusSubscription(config)) = self.plan.blueprint.nodes.get(node) else {
            return Err(PlanError::at(&["nodes", node], format!("`{node}` is not a subscription")));
        };
        if config.sessions && config.forward_to.is_some() {
            return Err(session_source(node));
        }
        let types = config.types.as_ref();
        Ok(Settings {
            place: self.place(node),
            role: Role::Subscription,
            lock: config.lock,
            max_delivery: config.max_delivery,
            ttl: config.ttl.unwrap_or(Span::FOREVER),
            dead_letter_on_expiration: config.dead_letter_on_expiration,
            dedup: None,
            sessions: config.sessions,
            forward: self.forward(node, "forward-to", config.forward_to.as_ref())?,
            dead_letter: self.part(&format!("{node}.dead-letter")),
            quota: self.part(&config.of).unwrap_or(part),
            max_size: u64::MAX,
            max_message: u64::MAX,
            subscriptions: Vec::new(),
            types: types.map(|names| names.iter().filter_map(|name| self.plan.type_id(name)).collect()),
        })
    }

    /// The dead-letter queue of an entity: the same lock, no time to live, no delivery limit (facts 1.3).
    fn dead_letter(&self, of: Settings, part: u16, node: &str) -> Result<Settings, PlanError> {
        let to = match self.plan.blueprint.nodes.get(node) {
            Some(NodeKind::ServiceBusQueue(config)) => config.dead_letter_forward_to.as_ref(),
            Some(NodeKind::ServiceBusSubscription(config)) => config.dead_letter_forward_to.as_ref(),
            _ => None,
        };
        let quota = if of.role == Role::Queue { self.part(node).unwrap_or(part) } else { of.quota };
        Ok(Settings {
            place: self.place(&format!("{node}.dead-letter")),
            role: Role::DeadLetter,
            max_delivery: u32::MAX,
            ttl: Span::FOREVER,
            dead_letter_on_expiration: false,
            dedup: None,
            sessions: false,
            forward: self.forward(node, "dead-letter-forward-to", to)?,
            dead_letter: None,
            quota,
            ..of
        })
    }

    fn place(&self, name: &str) -> PlaceId {
        self.plan.endpoint(&self.located(name)).and_then(|endpoint| endpoint.place).unwrap_or_default()
    }
}

fn session_source(node: &str) -> PlanError {
    PlanError::at(&["nodes", node, "forward-to"], "an entity with sessions cannot forward its messages")
        .help("forward to an entity with sessions instead, or switch `sessions` off here")
        .word("sessions")
}
