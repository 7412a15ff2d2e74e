//! A namespace as resolved from the plan: its hubs and consumer groups by part, and its limits. Immutable
//! and shared.

use crate::ids::PlaceId;
use crate::plan::{Plan, PlanError, StreamSlots};
use crate::random::name_hash;
use crate::services::NodeKind;
use crate::services::event_hubs::capture;
use crate::services::event_hubs::config::{DEFAULT_GROUP, EventHub, EventHubs};
use crate::services::replicas::declare::at;
use crate::services::replicas::{Pair, modes};
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
    /// By consumer group: whether anybody reads it. The last one is that of the capture, if there is one.
    pub(super) read: Vec<bool>,
    pub(super) capture: Option<capture::Settings>,
}

/// The whole namespace.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    /// The hash of its name.
    pub(super) name: u64,
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
    /// The other namespace, if there is one.
    pub(super) pair: Option<Pair>,
}

impl Layout {
    /// Resolves a namespace.
    ///
    /// # Errors
    /// If what a load sends to one of its hubs is too large for it.
    pub(super) fn of(
        config: &EventHubs,
        name: &str,
        site: Option<&str>,
        plan: &Plan,
    ) -> Result<Layout, PlanError> {
        let mut layout = Layout {
            name: name_hash(name),
            parts: Vec::new(),
            hubs: Vec::new(),
            bytes: plan.streams.iter().map(|stream| size(plan.item_bytes(stream.id))).collect(),
            streams: plan.stream_slots(),
            largest: config.tier.largest().0,
            max_connections: config.tier.connections(config.units),
            units: config.tier.has_throughput_units().then_some(config.throughput_units),
            most_units: config.auto_inflate.unwrap_or(config.throughput_units),
            pair: modes::pair(&config.modes(), name, site, plan),
        };
        let mut hubs: Vec<(u16, &str, &EventHub)> = Vec::new();
        for (node, kind) in plan.parts_of(name) {
            if let (NodeKind::EventHub(hub), Some(endpoint)) = (kind, plan.endpoint(node)) {
                hubs.push((endpoint.address.part, node, hub));
            }
        }
        hubs.sort_unstable_by_key(|(part, _, _)| *part);
        for (part, node, hub) in hubs {
            layout.add(part, node, hub, site, plan)?;
            layout.check_size(config, node, plan)?;
        }
        Ok(layout)
    }

    fn add(
        &mut self,
        part: u16,
        node: &str,
        hub: &EventHub,
        site: Option<&str>,
        plan: &Plan,
    ) -> Result<(), PlanError> {
        let number = self.hubs.len() as u16;
        let groups: Vec<&str> = hub.groups().collect();
        self.parts.push(Part::Hub(number));
        self.parts.extend((0..groups.len() as u16).map(|group| Part::Group { hub: number, group }));
        let here = site.map_or_else(|| node.to_owned(), |site| at(node, site));
        let is_read = |name: &str| !plan.consumers_of(name).is_empty();
        let read = |group: &&str| {
            let names = [node, here.as_str()];
            names
                .iter()
                .any(|name| *group == DEFAULT_GROUP && is_read(name) || is_read(&format!("{name}.{group}")))
        };
        let mut read: Vec<bool> = groups.iter().map(read).collect();
        let capture = hub.captured(node, read.len(), plan)?;
        read.extend(capture.is_some().then_some(true));
        self.hubs.push(Settings {
            place: plan.endpoint(&here).and_then(|endpoint| endpoint.place).unwrap_or_default(),
            part,
            partitions: hub.partitions,
            retention: hub.retention,
            read,
            capture,
        });
        Ok(())
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
