//! The kinds `event-hubs` and `event-hub` as a scenario writes them, and what they may not be.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::faults::FaultKind;
use crate::ids::{Address, NodeId, PlaceId, ProcessId};
use crate::node::Process;
use crate::plan::{Endpoint, Location, PlaceRole, Plan, PlanError, Protocol};
use crate::services::event_hubs::capture;
use crate::services::event_hubs::layout::Layout;
use crate::services::event_hubs::namespace::Namespace;
use crate::services::event_hubs::tier::Tier;
use crate::services::replicas::declare::at;
use crate::services::replicas::modes::{self, Modes, Replication};
use crate::services::{NodeKind, Service};
use crate::time::Span;
use crate::units::{Bytes, Distribution, OneOrMany};

/// The part under which the namespace itself is addressed, as opposed to a hub or a consumer group.
pub(super) const NAMESPACE: u16 = u16::MAX;

/// The consumer group that every hub has.
pub(super) const DEFAULT_GROUP: &str = "$Default";

/// The most throughput units of a namespace (facts 3.1).
const MOST_THROUGHPUT_UNITS: u16 = 40;
/// The shortest retention \[K\].
const SHORTEST_RETENTION: Span = Span::hours(1);

/// A namespace of event hubs: the unit of throttling, connections and failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct EventHubs {
    /// The site; several: a copy in each of them, or with `replication` one namespace in two. Default: the
    /// only one.
    #[serde(rename = "in", skip_serializing_if = "OneOrMany::is_empty")]
    pub site: OneOrMany,
    /// What its primary replicates to its secondary: `sync`, `async` (Geo-Replication: events, and what is
    /// checkpointed in the namespace) or `metadata-only` (Geo-DR). Premium and dedicated only, the latter
    /// from standard on. Default: nothing, each site has a namespace of its own (facts 3.6).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replication: Option<Replication>,
    /// The site of the primary at first. Default: the first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<String>,
    /// With `replication: async`: when the secondary lags more than this, publishers are throttled. Default:
    /// 5m (facts 3.6: set by the user; the default is unconfirmed).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_lag: Option<Span>,
    /// With `replication: sync` or `async`: how long a promotion takes; meanwhile nothing is published or
    /// consumed. Default: 5m..10m, as of a Service Bus namespace (facts 1.9).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promotion: Option<Distribution>,
    /// `basic`, `standard`, `premium` or `dedicated`. Default: standard (facts 3.1).
    pub tier: Tier,
    /// Of the basic and standard tiers: each lets in 1 MB or 1000 events a second, beyond which publishers
    /// are throttled, and lets out 2 MB or 4096 events a second. Default: 1; at most 40 (facts 3.1).
    pub throughput_units: u16,
    /// Of the standard tier: when publishers are throttled there is a throughput unit more, up to so many;
    /// never one less again. Default: none is added (facts 3.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_inflate: Option<u16>,
    /// Processing units (premium) or capacity units (dedicated); neither has a fixed throughput. Default: 1
    /// (facts 3.1).
    pub units: u16,
    /// How long it does not answer when a zone is lost. Default: 5s, as a Service Bus namespace (facts 1.9).
    pub blip: Span,
}

impl Default for EventHubs {
    fn default() -> Self {
        Self {
            site: OneOrMany::default(),
            replication: None,
            primary: None,
            max_lag: None,
            promotion: None,
            tier: Tier::Standard,
            throughput_units: 1,
            auto_inflate: None,
            units: 1,
            blip: Span::secs(5),
        }
    }
}

/// An event hub.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct EventHub {
    /// The namespace.
    pub of: String,
    /// How many logs it consists of; events are in order within one of them only. Default: 4 (at most 32,
    /// premium 100, dedicated 1024; facts 3.1).
    pub partitions: u16,
    /// How long an event is kept, whether or not anybody has read it. Default: 1d (at most 1d in the basic,
    /// 7d in the standard, 90d in the other tiers; facts 3.1).
    pub retention: Span,
    /// Its consumer groups besides `$Default`, each of which reads all events for itself: the trigger
    /// `telemetry.billing`. Default: none (at most 20 in all, premium 100, dedicated 1000, basic 1; facts 3.1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub consumer_groups: Vec<String>,
    /// The service writes what comes into it to a container. Default: no. Not in the basic tier (facts 3.5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capture: Option<Capture>,
}

/// Where a hub is captured to, and how often (facts 3.5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Capture {
    /// The storage-container, or one of its folders: `lake.raw`. Required.
    pub to: String,
    /// A file is written when so long has passed; 1m to 15m. Default: 5m (facts 3.5 \[K\]).
    pub window: Span,
    /// Or when so much has come into the partition; 10MB to 500MB. Default: 300MB (facts 3.5 \[K\]).
    pub size: Bytes,
}

impl Default for Capture {
    fn default() -> Self {
        Self { to: String::new(), window: Span::mins(5), size: Bytes(300 << 20) }
    }
}

impl Default for EventHub {
    fn default() -> Self {
        Self {
            of: String::new(),
            partitions: 4,
            retention: Span::days(1),
            consumer_groups: Vec::new(),
            capture: None,
        }
    }
}

impl EventHub {
    /// Its consumer groups.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        std::iter::once(DEFAULT_GROUP).chain(self.consumer_groups.iter().map(String::as_str))
    }
}

/// The number of a consumer group, unique in the plan, under which its processors write down who owns what;
/// and its hub.
#[must_use]
pub fn group_number(group: Address, plan: &Plan) -> Option<(u16, EventHub)> {
    let (name, endpoint) = plan.endpoints().find(|(_, endpoint)| endpoint.address == group)?;
    let (hub, _) = plan.blueprint.nodes.get_index(endpoint.node.index())?;
    let (_, group) = name.rsplit_once('.')?;
    let mut number = 0;
    for (name, kind) in &plan.blueprint.nodes {
        let NodeKind::EventHub(config) = kind else { continue };
        for one in config.groups() {
            if name == hub && one == group {
                return Some((number, config.clone()));
            }
            number += 1;
        }
    }
    None
}

/// The consumer group that a trigger reads: `telemetry.billing`, or of `telemetry` the default one. `None` if
/// it is no event hub.
#[must_use]
pub fn group_of(endpoint: &Endpoint, trigger: &str, plan: &Plan) -> Option<Address> {
    let (_, kind) = plan.blueprint.nodes.get_index(endpoint.node.index())?;
    match (kind, endpoint.protocol) {
        (NodeKind::EventHub(_), Protocol::Broker) => {
            plan.endpoint(&format!("{trigger}.{DEFAULT_GROUP}")).map(|endpoint| endpoint.address)
        }
        (NodeKind::EventHub(_), _) => Some(endpoint.address),
        _ => None,
    }
}

/// The error at a field of a node, under the word by which a variant can expect it.
fn wrong(node: &str, field: &str, word: &'static str, message: String) -> PlanError {
    PlanError::at(&["nodes", node, field], message).word(word)
}

/// The namespace that this name means.
fn namespace<'a>(node: &str, of: &str, plan: &'a Plan) -> Result<&'a EventHubs, PlanError> {
    let help = "`of` must name an event-hubs, the namespace that this is a part of";
    match plan.blueprint.nodes.get(of) {
        Some(NodeKind::EventHubs(config)) if plan.endpoint(of).is_some() => Ok(config),
        Some(NodeKind::EventHubs(_)) => {
            Err(wrong(node, "of", "dangling", format!("the namespace `{of}` is itself wrong")))
        }
        Some(other) => Err(wrong(node, "of", "of", format!("`{of}` is a {}", other.word())).help(help)),
        None if of.is_empty() => Err(wrong(node, "of", "dangling", "`of` is missing".to_owned()).help(help)),
        None => Err(wrong(node, "of", "dangling", format!("there is no `{of}`")).help(help)),
    }
}

impl EventHubs {
    /// How it is replicated (facts 3.6: Geo-Replication is for the premium and dedicated tiers; Geo-DR is not
    /// for the basic one \[K\]).
    pub(super) fn modes(&self) -> Modes<'_> {
        let metadata_only = self.replication == Some(Replication::MetadataOnly);
        let tier = match self.tier {
            Tier::Premium | Tier::Dedicated => Ok(()),
            Tier::Standard if metadata_only => Ok(()),
            Tier::Standard => Err("set `tier: premium`, or say `replication: metadata-only`"),
            Tier::Basic => Err("set `tier: premium`"),
        };
        Modes {
            sites: self.site.names(),
            replication: self.replication,
            primary: self.primary.as_deref(),
            max_lag: self.max_lag,
            promotion: self.promotion,
            tier,
        }
    }

    fn check(&self, name: &str) -> Result<(), PlanError> {
        let tier = self.tier.name();
        let metered = self.tier.has_throughput_units();
        let units = self.throughput_units;
        if metered && !(1..=MOST_THROUGHPUT_UNITS).contains(&units) {
            let message = format!("{units} throughput units are not possible");
            return Err(wrong(name, "throughput-units", "limit", message)
                .help(format!("write 1 to {MOST_THROUGHPUT_UNITS}")));
        }
        if !metered && units != EventHubs::default().throughput_units {
            let message = format!("a {tier} namespace has no throughput units");
            return Err(wrong(name, "throughput-units", "tier", message).help("say how many `units` it has"));
        }
        if metered && self.units != 1 {
            let message = format!("a {tier} namespace is bought in throughput units");
            return Err(wrong(name, "units", "tier", message).help("say how many `throughput-units` it has"));
        }
        if !(1..=self.tier.most_units()).contains(&self.units) {
            let message = format!("{} units are not possible in the {tier} tier", self.units);
            let help = format!("write 1 to {}", self.tier.most_units());
            return Err(wrong(name, "units", "limit", message).help(help));
        }
        modes::check(&self.modes(), name)?;
        self.check_inflation(name)
    }

    fn check_inflation(&self, name: &str) -> Result<(), PlanError> {
        let Some(most) = self.auto_inflate else { return Ok(()) };
        if self.tier != Tier::Standard {
            let message = format!("a {} namespace does not inflate", self.tier.name());
            return Err(wrong(name, "auto-inflate", "tier", message)
                .help("only the standard tier has auto-inflate; leave it out"));
        }
        if most <= self.throughput_units || most > MOST_THROUGHPUT_UNITS {
            let message = format!("from {} to {most} throughput units it cannot grow", self.throughput_units);
            return Err(wrong(name, "auto-inflate", "limit", message)
                .help(format!("write more than `throughput-units`, and at most {MOST_THROUGHPUT_UNITS}")));
        }
        Ok(())
    }
}

impl Service for EventHubs {
    fn about(&self) -> &'static str {
        "an Event Hubs namespace: throughput units, connections and failure of its hubs"
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
        refuses(fault)
    }

    fn declare(&self, name: &str, plan: &mut Plan) -> Result<(), PlanError> {
        self.check(name)?;
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
        let hubs = plan.parts_of(name).count();
        let most = self.tier.most_hubs(self.units);
        if hubs > most {
            let message =
                format!("{hubs} hubs; at most {most} are possible in the {} tier", self.tier.name());
            return Err(PlanError::at(&["nodes", name], message).word("limit"));
        }
        let before = modes::before(&self.modes(), name, plan);
        let namespaces = modes::namespaces(&self.modes(), name, plan);
        let built = namespaces.into_iter().map(|(process, site)| {
            let layout = Layout::of(self, name, site.as_deref(), plan)?;
            let namespace: Box<dyn Process> = Box::new(Namespace::new(layout));
            Ok((process, namespace))
        });
        built.chain(before.into_iter().map(Ok)).collect()
    }
}

/// Why a fault cannot apply.
fn refuses(fault: &FaultKind) -> Option<String> {
    let FaultKind::BrokerThrottle(throttle) = fault else { return None };
    let credits = throttle.credits.is_some();
    credits.then(|| "event hubs have no credits; `limit` throttles their operations".to_owned())
}

impl Service for EventHub {
    fn about(&self) -> &'static str {
        "an event hub: partitions, retention, consumer groups"
    }

    fn of(&self) -> Option<&str> {
        Some(&self.of)
    }

    fn refuses(&self, fault: &FaultKind) -> Option<String> {
        refuses(fault)
    }

    fn declare(&self, name: &str, plan: &mut Plan) -> Result<(), PlanError> {
        let tier = namespace(name, &self.of, plan)?.tier;
        self.check(name, tier)?;
        self.check_capture(name, tier)?;
        self.add(name, plan);
        Ok(())
    }

    fn build(&self, _: &str, _: &Plan) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError> {
        Ok(Vec::new())
    }
}

impl EventHub {
    /// The capture, resolved. `group`: its number among the groups.
    pub(super) fn captured(
        &self,
        name: &str,
        group: usize,
        plan: &Plan,
    ) -> Result<Option<capture::Settings>, PlanError> {
        let Some(Capture { to, window, size }) = &self.capture else { return Ok(None) };
        let endpoint = plan.resolve(name, "capture", to)?;
        let node = plan.blueprint.nodes.get_index(endpoint.node.index());
        if !matches!(node, Some((_, NodeKind::StorageContainer(_)))) {
            let message = format!("nothing is captured to `{to}`");
            return Err(
                wrong(name, "capture", "dangling", message).help("`to` must name a storage-container")
            );
        }
        Ok(Some(capture::Settings { to: endpoint.address, window: *window, size: size.0, group }))
    }

    fn check_capture(&self, name: &str, tier: Tier) -> Result<(), PlanError> {
        let Some(capture) = &self.capture else { return Ok(()) };
        if tier == Tier::Basic {
            return Err(wrong(name, "capture", "tier", "there is no capture in the basic tier".to_owned())
                .help("set the namespace's `tier` to standard, premium or dedicated"));
        }
        if capture.window < Span::mins(1) || capture.window > Span::mins(15) {
            let message = format!("a window of {} is not possible", capture.window);
            return Err(wrong(name, "capture", "limit", message).help("write 1m to 15m"));
        }
        if capture.size < Bytes(10 << 20) || capture.size > Bytes(500 << 20) {
            let message = format!("files of {} are not possible", capture.size);
            return Err(wrong(name, "capture", "limit", message).help("write 10MB to 500MB"));
        }
        Ok(())
    }

    /// Adds the hub and its groups as the next parts of the namespace, and a place in each of its sites.
    fn add(&self, name: &str, plan: &mut Plan) {
        let Some(NodeKind::EventHubs(namespace)) = plan.blueprint.nodes.get(&self.of).cloned() else {
            return;
        };
        let node = plan.node(name).unwrap_or_default();
        let found = plan.endpoint(&self.of).map(|endpoint| endpoint.address.process).unwrap_or_default();
        let mut first = None;
        for (process, site) in modes::namespaces(&namespace.modes(), &self.of, plan) {
            let parts = plan.endpoints().map(|(_, endpoint)| endpoint.address);
            let parts = parts.filter(|address| address.process == process && address.part != NAMESPACE);
            let part = parts.map(|address| address.part + 1).max().unwrap_or(0);
            let located = site.as_ref().map_or_else(|| name.to_owned(), |site| at(name, site));
            // What is captured waits for that, as for somebody who reads it.
            let role = if self.capture.is_some() { PlaceRole::Queue } else { PlaceRole::Effect };
            let place = plan.add_place(name, &located, role);
            if site.is_some() {
                self.add_at(&located, (process, part), (node, place), plan);
            }
            if site.as_deref() == modes::primary(&namespace.modes()) || first.is_none() {
                first = Some((part, place));
            }
        }
        if let Some((part, place)) = first {
            self.add_at(name, (found, part), (node, place), plan);
        }
    }

    fn add_at(
        &self,
        name: &str,
        (process, part): (ProcessId, u16),
        (node, place): (NodeId, PlaceId),
        plan: &mut Plan,
    ) {
        let endpoint = |part, protocol| Endpoint {
            address: Address { process, part },
            protocol,
            node,
            place: Some(place),
        };
        plan.add_endpoint(name, endpoint(part, Protocol::Broker));
        for (part, group) in (part + 1..).zip(self.groups()) {
            plan.add_endpoint(&format!("{name}.{group}"), endpoint(part, Protocol::None));
        }
    }

    fn check(&self, name: &str, tier: Tier) -> Result<(), PlanError> {
        let word = tier.name();
        let most = tier.most_partitions();
        if !(1..=most).contains(&self.partitions) {
            let message = format!("{} partitions are not possible", self.partitions);
            return Err(wrong(name, "partitions", "limit", message)
                .help(format!("in the {word} tier a hub has 1 to {most}")));
        }
        let longest = tier.longest_retention();
        if self.retention < SHORTEST_RETENTION || self.retention > longest {
            let message = format!("a retention of {} is not possible", self.retention);
            return Err(wrong(name, "retention", "limit", message)
                .help(format!("in the {word} tier events are kept for {SHORTEST_RETENTION} to {longest}")));
        }
        let groups: Vec<&str> = self.groups().collect();
        let most = tier.most_groups();
        if groups.len() > most {
            let message = format!("{} consumer groups are not possible", groups.len());
            return Err(wrong(name, "consumer-groups", "limit", message)
                .help(format!("in the {word} tier a hub has at most {most}, `{DEFAULT_GROUP}` included")));
        }
        let twice = groups.iter().enumerate().find(|(index, group)| groups[..*index].contains(group));
        if let Some((_, group)) = twice {
            let message = format!("the consumer group `{group}` is there twice");
            return Err(wrong(name, "consumer-groups", "limit", message).help(format!(
                "each has a name of its own; `{DEFAULT_GROUP}` is there without being named"
            )));
        }
        Ok(())
    }
}
