//! The plan of a world: every name resolved once, every process, place and stream numbered. Immutable
//! and shared; a snapshot of the world does not copy it.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::blueprint::Blueprint;
use crate::client::Policy;
use crate::client::names::Naming;
use crate::ids::{Address, FlowId, NodeId, PlaceId, ProcessId, StreamId, TypeId, label};
use crate::random::name_hash;
use crate::services::{NodeKind, Service};
use crate::time::{Span, Time};
use crate::units::OneOrMany;

mod copies;

pub use copies::Copies;

/// Why a world cannot be built: which part of the scenario, what is wrong, what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", path.join("."))]
pub struct PlanError {
    /// Where in the scenario, segment by segment: `["nodes", "payments", "of"]`.
    pub path: Vec<String>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
    /// A word that a variant may expect (`expect: { refused: transaction }`).
    pub word: &'static str,
}

impl PlanError {
    /// An error at this path.
    #[must_use]
    pub fn at(path: &[&str], message: impl Into<String>) -> PlanError {
        PlanError {
            path: path.iter().map(|&segment| segment.to_owned()).collect(),
            message: message.into(),
            help: None,
            word: "",
        }
    }
    /// The same with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> PlanError {
        self.help = Some(help.into());
        self
    }
    /// The same with the word by which a variant can expect it.
    #[must_use]
    pub fn word(mut self, word: &'static str) -> PlanError {
        self.word = word;
        self
    }
}

/// How a thing is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Requests: an app, a gateway, an endpoint.
    Http,
    /// An event router's topic (requests of the verb `Publish`).
    EventTopic,
    /// A queue, topic or subscription of a broker.
    Broker,
    /// A table or container of a database.
    Store,
    /// Nothing calls it; it is named by faults, contracts and people only.
    None,
}

/// What a name resolves to.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// Where calls go.
    pub address: Address,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Which node it belongs to.
    pub node: NodeId,
    /// Where copies rest or effects happen when it is used, if anywhere.
    pub place: Option<PlaceId>,
}

/// A node of the scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeInfo {
    /// Its name.
    pub name: String,
    /// The hash of its name.
    pub hash: u64,
    /// The steps of its recipe by name (`as`, else the verb), where it has one.
    pub steps: Vec<String>,
}

/// Where a process runs, for latency and for zone faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Location {
    /// Outside all sites.
    Internet,
    /// In a zone of a site.
    Zone {
        /// The site, by file order.
        site: u8,
        /// The zone, from 1.
        zone: u8,
    },
    /// Spread over all zones of a site; the loss of one is a documented blip.
    Redundant {
        /// The site, by file order.
        site: u8,
        /// How long it does not answer when a zone is lost.
        blip: Span,
    },
    /// In some zone of the site; which one is drawn from the seed.
    AnyZone {
        /// The site, by file order.
        site: u8,
    },
}

impl Location {
    /// The site, if it is in one.
    #[must_use]
    pub const fn site(self) -> Option<u8> {
        match self {
            Location::Internet => None,
            Location::Zone { site, .. } | Location::Redundant { site, .. } | Location::AnyZone { site } => {
                Some(site)
            }
        }
    }
}

/// A process.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessInfo {
    /// Its name: the node's, with `#n` for a replica, or a suffix for a part of the host (`.ingress`).
    pub name: String,
    /// The hash of its name; enters draws.
    pub hash: u64,
    /// The node it belongs to.
    pub node: NodeId,
    /// Where it runs.
    pub location: Location,
    /// Whether it waits to be started (a replica slot beyond the minimum).
    pub dormant: bool,
    /// Whether it runs the recipe of an app, as opposed to a managed service.
    pub runs_recipe: bool,
    /// Whether it is isolated from the other processes of its node: no fault of the node strikes it.
    pub apart: bool,
}

/// What a place is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PlaceRole {
    /// Copies wait here for a consumer.
    Queue,
    /// Dead letters.
    DeadLetter,
    /// A copy that comes here is an effect and stays.
    Effect,
}

/// A place.
#[derive(Clone, Debug, PartialEq)]
pub struct PlaceInfo {
    /// Its name as contracts write it: `orders-db.order`, `payments.dead-letter`, `psp.charge`.
    pub name: String,
    /// The hash of its name.
    pub hash: u64,
    /// Its node.
    pub node: NodeId,
    /// What it is for.
    pub role: PlaceRole,
}

/// A generator's items.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamInfo {
    /// The generator's name: a load node, or a load fault's label.
    pub name: String,
    /// What its items bear.
    pub id: StreamId,
    /// The flow.
    pub flow: FlowId,
    /// The size of its items where it is not that of the flow.
    pub bytes: Option<u64>,
}

/// Which of the plan's streams a stream id means.
#[derive(Clone, PartialEq)]
pub struct StreamSlots(Arc<[u16]>);

impl std::fmt::Debug for StreamSlots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let known = self.0.iter().filter(|slot| **slot != u16::MAX).count();
        write!(f, "StreamSlots({known})")
    }
}

impl Default for StreamSlots {
    fn default() -> StreamSlots {
        StreamSlots(vec![u16::MAX; 1 << 16].into())
    }
}

impl StreamSlots {
    /// The index into a table of all streams; beyond its end for a stream that nobody declared.
    #[inline]
    #[must_use]
    pub fn index(&self, stream: StreamId) -> usize {
        usize::from(self.0[usize::from(stream.0)])
    }
}

/// Every name resolved.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What it was made from, with a node for each copy.
    pub blueprint: Blueprint,
    /// Which nodes are copies.
    pub copies: Copies,
    /// The nodes, in file order.
    pub nodes: Vec<NodeInfo>,
    /// The processes.
    pub processes: Vec<ProcessInfo>,
    /// The places.
    pub places: Vec<PlaceInfo>,
    /// The generators.
    pub streams: Vec<StreamInfo>,
    /// Which addresses are names that may lead elsewhere, and how long who remembers where.
    pub names: Naming,
    stream_slots: StreamSlots,
    types: IndexMap<String, TypeId>,
    endpoints: IndexMap<String, Endpoint>,
    /// The hashes of the names of the parts of every process, by process and part.
    parts: Vec<Vec<u64>>,
    consumers: IndexMap<String, Vec<Consumer>>,
    control_planes: Vec<(NodeId, Address)>,
}

/// An app (or a person) whose `trigger` names a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// The node.
    pub node: NodeId,
    /// Where a push goes: its front door. Meaningless for a source that is read, not pushed.
    pub address: Address,
}

impl Plan {
    /// Resolves every name of the blueprint.
    ///
    /// # Errors
    /// All that is wrong with it, each with its place.
    pub fn new(mut blueprint: Blueprint) -> Result<Plan, Vec<PlanError>> {
        let copies = Copies::expand(&mut blueprint)?;
        let mut plan = Plan {
            copies,
            nodes: Vec::new(),
            processes: Vec::new(),
            places: Vec::new(),
            streams: Vec::new(),
            names: Naming::default(),
            stream_slots: StreamSlots::default(),
            types: IndexMap::new(),
            endpoints: IndexMap::new(),
            parts: Vec::new(),
            consumers: IndexMap::new(),
            control_planes: Vec::new(),
            blueprint,
        };
        let nodes: Vec<(String, NodeKind)> =
            plan.blueprint.nodes.iter().map(|(name, kind)| (name.clone(), kind.clone())).collect();
        for (name, _) in &nodes {
            plan.nodes.push(NodeInfo { name: name.clone(), hash: name_hash(name), steps: Vec::new() });
        }
        let mut errors = plan.blueprint.odd_numbers();
        // Wholes before their parts, whatever the order in the file; a part of a part comes third.
        for depth in 0..3 {
            for (name, kind) in &nodes {
                if plan.depth(kind) == depth
                    && let Err(error) = kind.declare(name, &mut plan)
                {
                    errors.push(error);
                }
            }
        }
        for (_, kind) in &nodes {
            for name in kind.consumes() {
                plan.mark_queue(&name);
            }
        }
        if errors.is_empty() {
            crate::faults::load::declare(&mut plan);
            errors = crate::faults::check::check(&plan);
        }
        if errors.is_empty() { Ok(plan) } else { Err(plan.as_written(errors)) }
    }

    /// Copies have the same mistakes; each is told once, of the node that the scenario has.
    pub(crate) fn as_written(&self, errors: Vec<PlanError>) -> Vec<PlanError> {
        let mut told: Vec<PlanError> = Vec::new();
        for mut error in errors {
            if let [section, node, ..] = error.path.as_mut_slice()
                && section == "nodes"
            {
                *node = self.copies.written(node).to_owned();
            }
            if !told.contains(&error) {
                told.push(error);
            }
        }
        told
    }

    /// Rows of a table that a recipe reads as its trigger wait there: the place is a queue. A change feed
    /// is one of all parts of its store.
    fn mark_queue(&mut self, name: &str) {
        let places: Vec<PlaceId> = match name.strip_suffix(".change-feed") {
            Some(store) => {
                let node = self.node(&self.anywhere(store));
                self.endpoints.values().filter(|e| Some(e.node) == node).filter_map(|e| e.place).collect()
            }
            None => {
                let named = self.copies.of(name);
                let endpoints = named.iter().filter_map(|name| self.endpoints.get(name.as_str()));
                endpoints.filter_map(|endpoint| endpoint.place).collect()
            }
        };
        for place in places {
            let place = &mut self.places[place.index()];
            if place.role == PlaceRole::Effect {
                place.role = PlaceRole::Queue;
            }
        }
    }

    fn depth(&self, kind: &NodeKind) -> usize {
        let mut depth = 0;
        let mut kind = Some(kind);
        while let Some(of) = kind.and_then(Service::of)
            && depth < 2
        {
            depth += 1;
            kind = self.blueprint.nodes.get(of);
        }
        depth
    }

    /// The nodes that a name means: of `ingest` all its copies, of `ingest/1` (an instance) the node.
    #[must_use]
    pub fn nodes_of(&self, name: &str) -> Vec<NodeId> {
        let found = |name: &String| {
            self.node(name).or_else(|| name.rsplit_once('/').and_then(|(node, _)| self.node(node)))
        };
        let mut nodes: Vec<NodeId> = self.copies.of(name).iter().filter_map(found).collect();
        // The replicas of a node are all that node.
        nodes.dedup();
        nodes
    }

    /// The node of this name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<NodeId> {
        self.nodes.iter().position(|node| node.name == name).map(|index| NodeId(index as u16))
    }

    /// What this name (a node, or a part of one: `orders-db.order`) resolves to.
    #[must_use]
    pub fn endpoint(&self, name: &str) -> Option<&Endpoint> {
        self.endpoints.get(name)
    }

    /// All resolvable names, in order of declaration.
    pub fn endpoints(&self) -> impl Iterator<Item = (&str, &Endpoint)> {
        self.endpoints.iter().map(|(name, endpoint)| (name.as_str(), endpoint))
    }

    /// What a field of a node names.
    ///
    /// # Errors
    /// With the field's path and the nearest names if there is no such thing.
    pub fn resolve(&self, node: &str, field: &str, name: &str) -> Result<&Endpoint, PlanError> {
        self.endpoint(name).ok_or_else(|| {
            let at = |message: String| PlanError::at(&["nodes", node, field], message).word("dangling");
            match (name, self.copies.sites(name)) {
                ("", _) => at(format!("`{field}` is missing")),
                (name, []) => at(format!("there is no `{name}`")),
                (name, sites) => at(format!("`{name}` has a copy in each of {}", sites.join(", ")))
                    .help(format!("say which one is meant: `{}`", self.copies.of(name).join("` or `"))),
            }
        })
    }

    /// Who has this source as its `trigger` (a queue, a table, `orders.change-feed`, an event
    /// subscription), in file order within one depth of the parts. Complete once the plan is made: ask
    /// in `build`, not in `declare`.
    #[must_use]
    pub fn consumers_of(&self, source: &str) -> &[Consumer] {
        self.consumers.get(source).map_or(&[], Vec::as_slice)
    }

    /// The first of [`consumers_of`](Self::consumers_of): its node, and where a push to it goes.
    #[must_use]
    pub fn consumer_of(&self, source: &str) -> Option<(NodeId, Address)> {
        self.consumers_of(source).first().map(|consumer| (consumer.node, consumer.address))
    }

    /// A process by its id.
    #[must_use]
    pub fn process(&self, id: ProcessId) -> &ProcessInfo {
        &self.processes[id.index()]
    }

    /// The hash of the name of a part of a process: what keys a draw about that part. Its number does not,
    /// because one more part before it would change it.
    #[must_use]
    pub fn part_hash(&self, process: ProcessId, part: u16) -> u64 {
        let named = self.parts.get(process.index()).and_then(|parts| parts.get(usize::from(part)));
        named.copied().unwrap_or(u64::from(part))
    }

    /// The step of this name in the recipe of a node; `None` too where two steps have that name.
    #[must_use]
    pub fn step_index(&self, node: NodeId, name: &str) -> Option<u16> {
        let steps = &self.nodes.get(node.index())?.steps;
        let mut found = steps.iter().enumerate().filter(|(_, step)| *step == name);
        let (index, _) = found.next()?;
        found.next().is_none().then_some(index as u16)
    }

    /// The name of a step.
    #[must_use]
    pub fn step_name(&self, node: NodeId, step: u16) -> Option<&str> {
        self.nodes.get(node.index())?.steps.get(usize::from(step)).map(String::as_str)
    }

    /// A place by its id.
    #[must_use]
    pub fn place(&self, id: PlaceId) -> &PlaceInfo {
        &self.places[id.index()]
    }

    /// A name without the site in it: `store.reading` for `store/westeurope.reading`.
    #[must_use]
    pub fn anywhere(&self, name: &str) -> String {
        let (node, part) = name.split_at(name.find('.').unwrap_or(name.len()));
        match node.rsplit_once('/') {
            Some((node, site)) if self.blueprint.sites.contains_key(site) => format!("{node}{part}"),
            _ => name.to_owned(),
        }
    }

    /// The place of this name.
    #[must_use]
    pub fn place_named(&self, name: &str) -> Option<PlaceId> {
        self.places.iter().position(|place| place.name == name).map(|index| PlaceId(index as u16))
    }

    /// The place of this name, or the first of those that are it in several sites.
    #[must_use]
    pub fn place_anywhere(&self, name: &str) -> Option<PlaceId> {
        let of_one = || self.places.iter().position(|place| self.anywhere(&place.name) == name);
        self.place_named(name).or_else(|| of_one().map(|index| PlaceId(index as u16)))
    }

    /// The processes of a node, in order.
    pub fn processes_of(&self, node: NodeId) -> impl Iterator<Item = (ProcessId, &ProcessInfo)> {
        self.processes
            .iter()
            .enumerate()
            .filter(move |(_, process)| process.node == node)
            .map(|(index, process)| (ProcessId(index as u32), process))
    }

    /// The nodes that are parts of this one (`of: name`), in file order.
    pub fn parts_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, &'a NodeKind)> + 'a {
        let nodes = self.blueprint.nodes.iter();
        nodes.filter(move |(_, kind)| kind.of() == Some(name)).map(|(part, kind)| (part.as_str(), kind))
    }

    /// The policy of this name: `none`, `sdk` (an empty policy: the callee's documented defaults) or a
    /// declared one.
    #[must_use]
    pub fn policy(&self, name: &str) -> Option<Policy> {
        match name {
            "sdk" => Some(Policy::default()),
            "none" => Some(Policy { retries: Some(0), ..Policy::default() }),
            _ => self.blueprint.policies.get(name).cloned(),
        }
    }

    /// The size of one item of this stream, in bytes.
    #[must_use]
    pub fn item_bytes(&self, stream: StreamId) -> u64 {
        let info = self.streams.get(self.stream_index(stream));
        if let Some(bytes) = info.and_then(|stream| stream.bytes) {
            return bytes;
        }
        let flow = info.map(|stream| stream.flow.index());
        flow.and_then(|flow| self.blueprint.flows.get_index(flow)).map_or(0, |(_, flow)| flow.size.0)
    }

    /// The end of the warm-up: instant 0 of the scenario.
    #[must_use]
    pub fn begins(&self) -> Time {
        Time::ZERO + self.blueprint.time.warmup
    }

    /// When load and faults end.
    #[must_use]
    pub fn ends(&self) -> Time {
        self.begins() + self.blueprint.time.run
    }

    /// The deadline for what is still under way.
    #[must_use]
    pub fn deadline(&self) -> Time {
        self.ends() + self.blueprint.time.drain
    }

    /// Whether this names the conflict feed of a database in several regions.
    #[must_use]
    pub fn is_conflict_feed(&self, name: &str) -> bool {
        let node = name.strip_suffix(".conflicts").and_then(|node| self.blueprint.nodes.get(node));
        node.is_some_and(|kind| kind.word() == "cosmos-db") && self.endpoint(name).is_some()
    }

    // -- Declaring: used by the services while the plan is made. --

    /// Adds a process of this node and returns its id.
    pub fn add_process(&mut self, node: &str, suffix: &str, location: Location) -> ProcessId {
        let name = format!("{node}{suffix}");
        let node = self.node(node).unwrap_or_default();
        let hash = name_hash(&name);
        self.processes.push(ProcessInfo {
            name,
            hash,
            node,
            location,
            dormant: false,
            runs_recipe: false,
            apart: false,
        });
        ProcessId(self.processes.len() as u32 - 1)
    }

    /// Isolates a process from the others of its node: it has to be named itself to be struck.
    pub fn set_apart(&mut self, process: ProcessId) {
        if let Some(info) = self.processes.get_mut(process.index()) {
            info.apart = true;
        }
    }

    /// Adds a step to the recipe of a node and returns its index, by which points and observations name it.
    pub fn add_step(&mut self, node: &str, name: &str) -> u16 {
        let Some(info) = self.node(node).and_then(|id| self.nodes.get_mut(id.index())) else { return 0 };
        info.steps.push(name.to_owned());
        info.steps.len() as u16 - 1
    }

    /// Adds a place and returns its id.
    pub fn add_place(&mut self, node: &str, name: &str, role: PlaceRole) -> PlaceId {
        let node = self.node(node).unwrap_or_default();
        self.places.push(PlaceInfo { name: name.to_owned(), hash: name_hash(name), node, role });
        PlaceId(self.places.len() as u16 - 1)
    }

    /// Lets a name resolve.
    pub fn add_endpoint(&mut self, name: &str, endpoint: Endpoint) {
        if endpoint.protocol != Protocol::None {
            self.name_part(endpoint.address, name);
        }
        self.endpoints.insert(name.to_owned(), endpoint);
    }

    /// A part is known by its first name: a store with parts may be called by its own name as well.
    fn name_part(&mut self, address: Address, name: &str) {
        let (process, part) = (address.process.index(), usize::from(address.part));
        if address.part == u16::MAX {
            return; // the whole, not a part of it
        }
        if self.parts.len() <= process {
            self.parts.resize_with(process + 1, Vec::new);
        }
        let parts = &mut self.parts[process];
        if parts.len() <= part {
            parts.resize(part + 1, 0);
        }
        if parts[part] == 0 {
            parts[part] = name_hash(name);
        }
    }

    /// Says where requests to the control plane of a node go, where it has one apart from its data plane.
    pub fn add_control(&mut self, node: NodeId, address: Address) {
        self.control_planes.push((node, address));
    }

    /// Where requests to the control plane of a node go, where it has one apart from its data plane.
    #[must_use]
    pub fn control_of(&self, node: NodeId) -> Option<Address> {
        self.control_planes.iter().find(|(of, _)| *of == node).map(|(_, address)| *address)
    }

    /// Registers that `node` has `source` as its trigger, and that a push to it goes to `address`.
    pub fn add_consumer(&mut self, source: &str, node: NodeId, address: Address) {
        self.consumers.entry(source.to_owned()).or_default().push(Consumer { node, address });
    }

    /// Adds a generator and returns its stream.
    pub fn add_stream(&mut self, name: &str, flow: FlowId) -> StreamId {
        let id = StreamId(label(name, |label| self.stream_index(StreamId(label)) < self.streams.len()));
        Arc::make_mut(&mut self.stream_slots.0)[usize::from(id.0)] = self.streams.len() as u16;
        self.streams.push(StreamInfo { name: name.to_owned(), id, flow, bytes: None });
        id
    }

    /// Which of the [streams](Self::streams) this is; beyond their end for one that nobody declared.
    #[must_use]
    pub fn stream_index(&self, stream: StreamId) -> usize {
        self.stream_slots.index(stream)
    }

    /// The same as a table to keep.
    #[must_use]
    pub fn stream_slots(&self) -> StreamSlots {
        self.stream_slots.clone()
    }

    /// The stream of this generator.
    #[must_use]
    pub fn stream_named(&self, name: &str) -> Option<StreamId> {
        self.streams.iter().find(|stream| stream.name == name).map(|stream| stream.id)
    }

    /// The id of a message type, given one if it is new.
    pub fn add_type(&mut self, name: &str) -> TypeId {
        if let Some(known) = self.types.get(name) {
            return *known;
        }
        let id = TypeId(label(name, |label| self.types.values().any(|taken| taken.0 == label)));
        self.types.insert(name.to_owned(), id);
        id
    }

    /// The id of a message type that has been declared.
    #[must_use]
    pub fn type_id(&self, name: &str) -> Option<TypeId> {
        self.types.get(name).copied()
    }

    /// The name of a message type; empty for "none".
    #[must_use]
    pub fn type_name(&self, id: TypeId) -> &str {
        self.types.iter().find(|(_, known)| **known == id).map_or("", |(name, _)| name)
    }

    /// The site of a node: the one it names, or the only one.
    ///
    /// # Errors
    /// If it names none and there are several, or one that does not exist.
    pub fn site(&self, node: &str, site: &OneOrMany) -> Result<u8, PlanError> {
        match site.names() {
            [name] => self.site_named(node, "in", name),
            [] if self.blueprint.sites.len() == 1 => Ok(0),
            [] => Err(self.no_site(node, "in", "it is not said in which site this is".to_owned())),
            names => Err(self.no_site(node, "in", format!("there is no site `{}`", names.join(", ")))),
        }
    }

    /// A site that a field of a node names.
    ///
    /// # Errors
    /// If there is no such site.
    pub fn site_named(&self, node: &str, field: &str, site: &str) -> Result<u8, PlanError> {
        let index = self.blueprint.sites.get_index_of(site).map(|index| index as u8);
        index.ok_or_else(|| self.no_site(node, field, format!("there is no site `{site}`")))
    }

    fn no_site(&self, node: &str, field: &str, message: String) -> PlanError {
        let help = crate::network::links::sites(&self.blueprint);
        PlanError::at(&["nodes", node, field], message).help(help).word("dangling")
    }
}
