//! What a fault is aimed at: names of the scenario resolved into processes, parts, zones and directions.

use crate::faults::action::Action;
use crate::faults::local::{Active, Frequency, Value};
use crate::faults::{Hook, Placement};
use crate::ids::{FaultId, NodeId, ProcessId};
use crate::network::{Link, ProcessSet, Scope};
use crate::plan::{Location, Plan, PlanError};

/// The kinds of node that have certain hooks, by the word after `kind:`.
pub mod kinds {
    /// Brokers and their entities.
    pub const BROKER: &[&str] =
        &["service-bus", "service-bus-queue", "service-bus-topic", "service-bus-subscription"];
    /// Entities of a broker.
    pub const ENTITY: &[&str] = &["service-bus-queue", "service-bus-topic", "service-bus-subscription"];
    /// What messages and events are published to over AMQP: brokers, event hubs and their entities.
    pub const PUBLISHED: &[&str] = &[
        "service-bus",
        "service-bus-queue",
        "service-bus-topic",
        "service-bus-subscription",
        "event-hubs",
        "event-hub",
    ];
    /// Those of them that can be switched off one by one.
    pub const SWITCHED: &[&str] =
        &["service-bus-queue", "service-bus-topic", "service-bus-subscription", "event-hub"];
    /// Event routers.
    pub const ROUTER: &[&str] = &["event-grid-topic", "event-grid-subscription"];
    /// API gateways.
    pub const GATEWAY: &[&str] = &["api-management"];
    /// What answers HTTP requests: of an app, its ingress.
    pub const HTTP: &[&str] = &["api-management", "endpoint", "container-app", "function-app", "logic-app"];
    /// Databases and blob storage.
    pub const STORE: &[&str] = &["sql-database", "cosmos-db", "storage-container"];
    /// Databases that have transactions.
    pub const DATABASE: &[&str] = &["sql-database", "cosmos-db"];
    /// What is called and can be slow, wrong or away: of an app, its ingress.
    pub const DEPENDENCY: &[&str] = &[
        "endpoint",
        "sql-database",
        "cosmos-db",
        "storage-container",
        "container-app",
        "function-app",
        "logic-app",
        "entra-id",
        "key-vault",
    ];
    /// Hosts of the user's own code.
    pub const HOST: &[&str] = &["container-app", "function-app", "logic-app", "operator"];
    /// What answers for a name that leads elsewhere.
    pub const NAME: &[&str] = &["traffic-manager"];
    /// Proxies at the edge of the network.
    pub const EDGE: &[&str] = &["front-door"];
    /// What looks names up.
    pub const CALLER: &[&str] = &[
        "load",
        "api-management",
        "front-door",
        "container-app",
        "function-app",
        "logic-app",
        "operator",
        "guest",
    ];
    /// Generators.
    pub const LOAD: &[&str] = &["load"];
    /// Everything.
    pub const ANY: &[&str] = &[];
}

/// One fault of the scenario, being translated into actions.
#[derive(Clone, Copy, Debug)]
pub struct Aim<'a> {
    /// The world's plan.
    pub plan: &'a Plan,
    /// Where each process really runs: `AnyZone` resolved by the seed. Empty while the plan is checked.
    pub locations: &'a [Location],
    /// Which fault.
    pub fault: FaultId,
    /// Its name in the scenario.
    pub name: &'a str,
    /// The hash of its name.
    pub label: u64,
    /// Its id in the catalogue.
    pub id: &'static str,
    /// What it is aimed at.
    pub target: &'a str,
    /// When and how often.
    pub placement: &'a Placement,
}

impl Aim<'_> {
    /// An error about the target.
    #[must_use]
    pub fn error(&self, message: impl Into<String>) -> PlanError {
        PlanError::at(&["faults", self.name, self.id], message)
    }

    fn unknown(&self, name: &str) -> PlanError {
        let names: Vec<&str> = self.plan.nodes.iter().map(|node| node.name.as_str()).collect();
        self.error(format!("there is no `{name}`"))
            .help(format!("the nodes are: {}", names.join(", ")))
            .word("dangling")
    }

    fn inapplicable(&self, kind: &str, kinds: &[&str]) -> PlanError {
        self.error(format!("`{}` cannot apply to a node of the kind `{kind}`", self.id))
            .help(format!("it applies to: {}", kinds.join(", ")))
            .word("inapplicable")
    }

    /// The kind of a node, checked against those that have the hook.
    fn check_kind(&self, node: NodeId, allowed: &[&str]) -> Result<(), PlanError> {
        let name = &self.plan.nodes[node.index()].name;
        let Some(kind) = self.plan.blueprint.nodes.get(name) else { return Ok(()) };
        if !allowed.is_empty() && !allowed.contains(&kind.word()) {
            return Err(self.inapplicable(kind.word(), allowed));
        }
        Ok(())
    }

    fn location(&self, process: ProcessId) -> Location {
        self.locations.get(process.index()).copied().unwrap_or(self.plan.process(process).location)
    }

    /// The processes of a node: those that run its recipe where there is one, else all.
    fn instances(&self, node: NodeId) -> Vec<ProcessId> {
        let all: Vec<_> = self.plan.processes_of(node).filter(|(_, info)| !info.apart).collect();
        let recipe: Vec<ProcessId> =
            all.iter().filter(|(_, info)| info.runs_recipe).map(|(id, _)| *id).collect();
        if recipe.is_empty() { all.into_iter().map(|(id, _)| id).collect() } else { recipe }
    }

    /// The site and the zone that a text like `westeurope/1` or `westeurope` names.
    fn place(&self, text: &str) -> Option<(u8, Option<u8>)> {
        let (site, zone) = match text.split_once('/') {
            Some((site, zone)) => (site, Some(zone.parse::<u8>().ok()?)),
            None => (text, None),
        };
        let index = self.plan.blueprint.sites.get_index_of(site)?;
        let zones = self.plan.blueprint.sites.get_index(index).map_or(0, |(_, site)| site.zones);
        zone.is_none_or(|zone| (1..=zones).contains(&zone)).then_some((index as u8, zone))
    }

    /// The zone (or the whole site) that the target names.
    ///
    /// # Errors
    /// If it names none.
    pub fn zone(&self, whole_site: bool) -> Result<(u8, Option<u8>), PlanError> {
        let sites: Vec<&str> = self.plan.blueprint.sites.keys().map(String::as_str).collect();
        let example = if whole_site { "" } else { "/1" };
        let found = self.place(self.target).filter(|(_, zone)| zone.is_none() == whole_site);
        found.ok_or_else(|| {
            let what = if whole_site { "site" } else { "zone" };
            self.error(format!("there is no {what} `{}`", self.target))
                .help(format!(
                    "write for example `{}{example}`",
                    sites.first().copied().unwrap_or("westeurope")
                ))
                .word("dangling")
        })
    }

    /// The processes that run in that zone (or anywhere in that site) and in no other.
    #[must_use]
    pub fn within(&self, site: u8, zone: Option<u8>) -> Vec<ProcessId> {
        self.those(|location| match location {
            Location::Zone { site: s, zone: z } => s == site && zone.is_none_or(|zone| zone == z),
            Location::Redundant { site: s, .. } | Location::AnyZone { site: s } => {
                s == site && zone.is_none()
            }
            Location::Internet => false,
        })
    }

    /// The zone-redundant processes of a site, which only blink when a zone is lost.
    #[must_use]
    pub fn redundant(&self, site: u8) -> Vec<ProcessId> {
        self.those(|location| matches!(location, Location::Redundant { site: s, .. } if s == site))
    }

    fn those(&self, fits: impl Fn(Location) -> bool) -> Vec<ProcessId> {
        let all = (0..self.plan.processes.len() as u32).map(ProcessId);
        all.filter(|id| fits(self.location(*id))).collect()
    }

    /// The processes that a name means: a node, `node/1` (its first instance), `site/zone`, a site, or
    /// an entity (the process that holds it).
    ///
    /// # Errors
    /// If there is no such thing.
    pub fn named(&self, name: &str) -> Result<Vec<ProcessId>, PlanError> {
        if let Some((site, zone)) = self.place(name) {
            return Ok(self.within(site, zone));
        }
        let copies = self.plan.copies.of(name);
        if copies != [name] {
            let each = copies.iter().map(|copy| self.named(copy));
            return Ok(each.collect::<Result<Vec<_>, _>>()?.concat());
        }
        // A service that replicates has a process in each of its sites.
        if name.contains('/')
            && let Some(index) = self.plan.processes.iter().position(|process| process.name == name)
        {
            return Ok(vec![ProcessId(index as u32)]);
        }
        if self.plan.node(name).is_none()
            && name.contains('/')
            && let Some(replica) = self.plan.endpoint(name)
        {
            return Ok(vec![replica.address.process]);
        }
        if self.plan.node(name).is_none()
            && let Some((node, index)) = name.rsplit_once('/')
            && let Some(id) = self.plan.node(node)
        {
            let instances = self.instances(id);
            let index: Option<usize> = index.parse().ok();
            let found = index.and_then(|index| instances.get(index.checked_sub(1)?));
            return found.map(|id| vec![*id]).ok_or_else(|| {
                self.error(format!("`{node}` has no instance of that number in `{name}`"))
                    .help(format!("its instances are {node}/1 to {node}/{}", instances.len()))
                    .word("dangling")
            });
        }
        if let Some(node) = self.plan.node(name) {
            let instances = self.instances(node);
            if !instances.is_empty() {
                return Ok(instances);
            }
        }
        match self.plan.endpoint(name) {
            Some(endpoint) => Ok(vec![endpoint.address.process]),
            None => Err(self.unknown(name)),
        }
    }

    /// The processes of the target, which must be a node, an instance, a zone or a site.
    ///
    /// # Errors
    /// If there is no such thing, or it is a part of a process, which cannot die alone.
    pub fn processes(&self) -> Result<Vec<ProcessId>, PlanError> {
        let is_node = |name: &str| {
            self.plan.node(name).is_some_and(|node| self.plan.processes_of(node).next().is_some())
        };
        let copies = self.plan.copies.of(self.target);
        let named =
            |target: &str| is_node(target) || target.rsplit_once('/').is_some_and(|(node, _)| is_node(node));
        if !copies.iter().any(|target| named(target))
            && self.place(self.target).is_none()
            && let Some(endpoint) = self.plan.endpoint(self.target)
            && self.plan.process(endpoint.address.process).name != self.target
        {
            let owner = self.plan.process(endpoint.address.process).name.clone();
            return Err(self
                .error(format!("`{}` is a part of `{owner}` and cannot be struck alone", self.target))
                .help(format!("aim it at `{owner}`"))
                .word("inapplicable"));
        }
        self.named(self.target)
    }

    /// Between whom a network fault is: `a -> b`, `a <-> b`, a link (between its sites), or a name (between it
    /// and all others).
    ///
    /// # Errors
    /// If a name is unknown.
    pub fn scope(&self) -> Result<Scope, PlanError> {
        let set = |name: &str| self.named(name.trim()).map(|ids| ProcessSet::of(&ids));
        if let Some((a, b)) = self.target.split_once("<->") {
            return Ok(Scope { from: set(a)?, to: set(b)?, both: true });
        }
        if let Some((a, b)) = self.target.split_once("->") {
            return Ok(Scope { from: set(a)?, to: set(b)?, both: false });
        }
        if let Some((a, b)) = self.plan.blueprint.links.get(self.target).and_then(Link::joins) {
            return Ok(Scope { from: set(a)?, to: set(b)?, both: true });
        }
        self.alone()
    }

    /// Between the target, with everything that belongs to it, and all others.
    ///
    /// # Errors
    /// If the name is unknown.
    pub fn alone(&self) -> Result<Scope, PlanError> {
        let from = self.whole(self.target)?;
        let to = from.complement(self.plan.processes.len());
        Ok(Scope { from, to, both: true })
    }

    /// A name with everything that belongs to it: the managers of an app's instances are on its side of a cut.
    fn whole(&self, name: &str) -> Result<ProcessSet, PlanError> {
        let nodes = self.plan.copies.of(name.trim());
        let nodes = nodes.iter().filter_map(|name| self.plan.node(name));
        let all: Vec<ProcessId> = nodes
            .flat_map(|node| self.plan.processes_of(node))
            .filter(|(_, info)| !info.apart)
            .map(|(id, _)| id)
            .collect();
        if !all.is_empty() {
            return Ok(ProcessSet::of(&all));
        }
        self.named(name.trim()).map(|ids| ProcessSet::of(&ids))
    }

    /// The processes and parts whose hooks are struck.
    fn hooked(&self, allowed: &[&str]) -> Result<Vec<(ProcessId, Option<u16>)>, PlanError> {
        let each = self.plan.copies.of(self.target);
        Ok(each.iter().map(|target| self.hooked_at(target, allowed)).collect::<Result<Vec<_>, _>>()?.concat())
    }

    fn hooked_at(&self, target: &str, allowed: &[&str]) -> Result<Vec<(ProcessId, Option<u16>)>, PlanError> {
        if self.plan.node(target).is_none()
            && self.plan.endpoint(target).is_none()
            && let Some((node, _)) = target.rsplit_once('/')
            && let Some(node) = self.plan.node(node)
        {
            self.check_kind(node, allowed)?;
            return Ok(self.named(target)?.into_iter().map(|id| (id, None)).collect());
        }
        if let Some(node) = self.plan.node(target) {
            self.check_kind(node, allowed)?;
            let own = self.plan.processes_of(node).filter(|(_, info)| !info.apart);
            let own: Vec<_> = own.map(|(id, _)| (id, None)).collect();
            if !own.is_empty() {
                return Ok(own);
            }
        }
        let Some(endpoint) = self.plan.endpoint(target) else { return Err(self.unknown(target)) };
        self.check_kind(endpoint.node, allowed)?;
        // A replica that is a process of its own is struck as a whole.
        let whole = target.contains('/') && self.plan.process(endpoint.address.process).name == target;
        let part = Some(endpoint.address.part).filter(|part| *part != u16::MAX && !whole);
        Ok(vec![(endpoint.address.process, part)])
    }

    /// Strikes at a hook of every process of the target.
    ///
    /// # Errors
    /// If the target is unknown or its kind does not have the hook.
    pub fn hook(&self, allowed: &[&str], hook: Hook, value: Value) -> Result<Vec<Action>, PlanError> {
        Ok(self.hook_at(self.hooked(allowed)?, hook, value))
    }

    /// Strikes at a hook of these processes, each at one of its parts or at all of them.
    #[must_use]
    pub fn hook_at(&self, hooked: Vec<(ProcessId, Option<u16>)>, hook: Hook, value: Value) -> Vec<Action> {
        let placement = self.placement;
        let frequency = match (placement.chance, placement.nth) {
            (Some(chance), _) => Frequency::Chance(chance.0),
            (None, Some(nth)) => Frequency::Nth(nth),
            (None, None) => Frequency::Always,
        };
        let left = match placement.times {
            _ if placement.is_repeated() => placement.lasts.is_none().then_some(1),
            times => times,
        };
        let active = |part| Active {
            fault: self.fault,
            label: self.label,
            hook,
            part,
            frequency,
            left,
            value,
            hidden: placement.hidden,
        };
        hooked.into_iter().map(|(process, part)| Action::Local(process, active(part))).collect()
    }

    /// One action for each process of the target, which must be a node of one of these kinds, or one of its
    /// instances.
    ///
    /// # Errors
    /// If the target is unknown or of another kind.
    pub fn each_of(
        &self,
        allowed: &[&str],
        action: impl Fn(ProcessId) -> Action,
    ) -> Result<Vec<Action>, PlanError> {
        Ok(self.hooked(allowed)?.into_iter().map(|(process, _)| action(process)).collect())
    }

    /// One action for each process of the target.
    ///
    /// # Errors
    /// If the target is unknown.
    pub fn each(&self, action: impl Fn(ProcessId) -> Action) -> Result<Vec<Action>, PlanError> {
        Ok(self.processes()?.into_iter().map(action).collect())
    }
}
