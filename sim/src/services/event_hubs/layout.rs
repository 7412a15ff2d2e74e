//! A namespace as resolved from the plan: its hubs and consumer groups by part, and its limits. Immutable
//! and shared.

use crate::ids::PlaceId;
use crate::plan::{Plan, PlanError, StreamSlots};
use crate::services::NodeKind;
use crate::services::event_hubs::config::{DEFAULT_GROUP, EventHub, EventHubs};
use crate::services::throttle::Limit;
use crate::time::Span;

/// What one throughput unit lets in each second (facts 3.1).
const INGRESS_EVENTS: u64 = 1000;
const INGRESS_BYTES: u64 = 1 << 20;
/// What it lets out (facts 3.1).
const EGRESS_EVENTS: u64 = 4096;
const EGRESS_BYTES: u64 = 2 << 20;

/// What is addressed by a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A hub: events are published to it.
    Hub(u16),
    /// A consumer group of a hub: it is read.
    Group { hub: u16, group: u16 },
}

/// A hub.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    pub(super) place: PlaceId,
    /// Under which it is addressed.
    pub(super) part: u16,
    pub(super) partitions: u16,
    pub(super) retention: Span,
    /// By consumer group: whether anybody reads it.
    pub(super) read: Vec<bool>,
}

/// The whole namespace.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    pub(super) parts: Vec<Part>,
    pub(super) hubs: Vec<Settings>,
    /// The size of one item, by stream.
    pub(super) bytes: Vec<u32>,
    pub(super) streams: StreamSlots,
    /// The largest event, or batch of events.
    pub(super) largest: u64,
    pub(super) max_connections: u32,
    /// The throughput units at first; none: no fixed limit.
    pub(super) units: Option<u16>,
    /// To how many it grows.
    pub(super) most_units: u16,
}

impl Layout {
    /// Resolves a namespace.
    ///
    /// # Errors
    /// If what a load sends to one of its hubs is too large for it.
    pub(super) fn of(config: &EventHubs, name: &str, plan: &Plan) -> Result<Layout, PlanError> {
        let mut layout = Layout {
            parts: Vec::new(),
            hubs: Vec::new(),
            bytes: plan.streams.iter().map(|stream| size(plan.item_bytes(stream.id))).collect(),
            streams: plan.stream_slots(),
            largest: config.tier.largest().0,
            max_connections: config.tier.connections(config.units),
            units: config.tier.has_throughput_units().then_some(config.throughput_units),
            most_units: config.auto_inflate.unwrap_or(config.throughput_units),
        };
        let mut hubs: Vec<(u16, &str, &EventHub)> = Vec::new();
        for (node, kind) in plan.parts_of(name) {
            if let (NodeKind::EventHub(hub), Some(endpoint)) = (kind, plan.endpoint(node)) {
                hubs.push((endpoint.address.part, node, hub));
            }
        }
        hubs.sort_unstable_by_key(|(part, _, _)| *part);
        for (part, node, hub) in hubs {
            layout.add(part, node, hub, plan);
            layout.check_size(config, node, plan)?;
        }
        Ok(layout)
    }

    fn add(&mut self, part: u16, node: &str, hub: &EventHub, plan: &Plan) {
        let number = self.hubs.len() as u16;
        let groups: Vec<&str> = hub.groups().collect();
        self.parts.push(Part::Hub(number));
        self.parts.extend((0..groups.len() as u16).map(|group| Part::Group { hub: number, group }));
        let read = |group: &&str| {
            let whole = *group == DEFAULT_GROUP && !plan.consumers_of(node).is_empty();
            whole || !plan.consumers_of(&format!("{node}.{group}")).is_empty()
        };
        self.hubs.push(Settings {
            place: plan.endpoint(node).and_then(|endpoint| endpoint.place).unwrap_or_default(),
            part,
            partitions: hub.partitions,
            retention: hub.retention,
            read: groups.iter().map(read).collect(),
        });
    }

    /// Refuses a load whose items no hub of this tier takes.
    fn check_size(&self, config: &EventHubs, node: &str, plan: &Plan) -> Result<(), PlanError> {
        for (name, kind) in &plan.blueprint.nodes {
            let NodeKind::Load(load) = kind else { continue };
            let size = plan.blueprint.flows.get(&load.flow).map_or(0, |flow| flow.size.0);
            if load.to == node && size > self.largest {
                let message = format!("an item of `{}` is too large for `{node}`", load.flow);
                let help =
                    format!("in the tier of its namespace an event has at most {}", config.tier.largest());
                return Err(PlanError::at(&["nodes", name, "to"], message).help(help).word("limit"));
            }
        }
        Ok(())
    }

    /// The hub, or the consumer group, that is addressed.
    pub(super) fn part(&self, part: u16) -> Option<Part> {
        self.parts.get(usize::from(part)).copied()
    }

    /// The size of an item.
    pub(super) fn size_of(&self, stream: crate::ids::StreamId) -> u64 {
        self.bytes.get(self.streams.index(stream)).copied().unwrap_or(0).into()
    }
}

/// What so many throughput units let in: events, and bytes.
pub(super) fn ingress(units: u16) -> [Limit; 2] {
    [INGRESS_EVENTS, INGRESS_BYTES].map(|each| Limit { count: each * u64::from(units), per: Span::secs(1) })
}

/// How long so many throughput units need to let this out.
pub(super) fn egress(units: u16, events: u64, bytes: u64) -> Span {
    let second = Span::secs(1).0;
    let units = u64::from(units.max(1));
    let events = events * second / (EGRESS_EVENTS * units);
    let bytes = bytes * second / (EGRESS_BYTES * units);
    Span(events.max(bytes))
}

fn size(bytes: u64) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
