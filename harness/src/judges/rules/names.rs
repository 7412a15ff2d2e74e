//! What the names in contracts and objectives mean, and what to say where they mean nothing.

use beaufort_sim::ids::{FaultId, FlowId, NodeId, PlaceId, StreamId};
use beaufort_sim::plan::{PlaceRole, PlanError, Protocol};
use beaufort_sim::services::{NodeKind, Service as _};
use beaufort_sim::time::Span;
use indexmap::IndexMap;
use smallvec::SmallVec;

use super::resolver::Resolver;
use super::{GROSS, Lanes, NET, Promise, STANDING, Start};
use crate::judges::config::{Consistent, Contract, Level};

impl<'a> Resolver<'a> {
    pub(super) fn nodes(&self) -> Vec<&'a str> {
        self.plan.nodes.iter().map(|node| node.name.as_str()).collect()
    }

    pub(super) fn known_places(&self) -> Vec<&'a str> {
        self.plan.places.iter().map(|place| place.name.as_str()).chain(self.nodes()).collect()
    }

    pub(super) fn error(
        &mut self,
        section: [&str; 2],
        field: &str,
        message: String,
        help: Option<String>,
        word: &'static str,
    ) {
        let mut error = PlanError::at(&[section[0], section[1], field], message).word(word);
        error.help = help;
        self.errors.push(error);
    }

    pub(super) fn dangling(
        &mut self,
        section: [&str; 2],
        field: &str,
        name: &str,
        what: &str,
        known: Vec<&str>,
    ) {
        let near = known
            .iter()
            .map(|other| (strsim::jaro_winkler(name, other), *other))
            .filter(|(likeness, _)| *likeness > 0.75)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let help = near.map(|(_, other)| format!("did you mean `{other}`?"));
        self.error(section, field, format!("there is no {what} `{name}`"), help, "dangling");
    }

    pub(super) fn flow(&mut self, section: [&str; 2], name: &str) -> Option<FlowId> {
        let flows = &self.plan.blueprint.flows;
        match flows.get_index_of(name) {
            Some(index) => Some(FlowId(index as u16)),
            None => {
                let known = flows.keys().map(String::as_str).collect();
                self.dangling(section, "target", name, "flow", known);
                None
            }
        }
    }

    pub(super) fn key(&mut self, section: [&str; 2], field: &str, flow: FlowId, key: &str) {
        let Some((flow, config)) = self.plan.blueprint.flows.get_index(flow.index()) else { return };
        if config.key != key {
            let message = format!("the key of `{flow}` is `{}`, not `{key}`", config.key);
            let help = Some(format!("write `{field}: {}`", config.key));
            self.error(section, field, message, help, "key");
        }
    }

    pub(super) fn fault(&mut self, section: [&str; 2], field: &str, name: &str) -> Option<FaultId> {
        let faults = &self.plan.blueprint.faults;
        match faults.get_index_of(name) {
            Some(index) => Some(FaultId(index as u16)),
            None => {
                let known = faults.keys().map(String::as_str).collect();
                self.dangling(section, field, name, "fault", known);
                None
            }
        }
    }

    /// The app of this name, in all its sites.
    pub(super) fn apps(&mut self, section: [&str; 2], field: &str, name: &str) -> Vec<NodeId> {
        let copies = self.plan.copies.of(name);
        let found: Vec<NodeId> = copies.iter().filter_map(|copy| self.plan.node(copy)).collect();
        if found.is_empty() {
            let known = self.nodes();
            self.dangling(section, field, name, "app", known);
        } else if found.iter().any(|node| self.plan.nodes[node.index()].steps.is_empty()) {
            let help = Some("name an app or a person: something with `steps`".to_owned());
            self.error(section, field, format!("`{name}` has no recipe and never runs"), help, "not-an-app");
        }
        found
    }

    /// The apps and the bound of a contract about runs; none if it is about something else.
    pub(super) fn about_runs(
        &mut self,
        section: [&str; 2],
        contract: &Contract,
    ) -> Option<(Vec<NodeId>, Option<u64>)> {
        let (target, most) = match contract {
            Contract::SingleActive(c) => (&c.target, None),
            Contract::Runs(c) => (&c.target, Some(c.at_most)),
            _ => return None,
        };
        let apps = self.apps(section, "target", target);
        if most.is_none() && apps.len() == 1 {
            let message = format!("`{target}` is in one site: there is no other copy that could be at work");
            let help = Some("give it two sites (`in: [a, b]`), or leave the line out".to_owned());
            self.error(section, "target", message, help, "single");
        }
        Some((apps, most))
    }

    /// The places of each of several copies of a store.
    pub(super) fn replicas(&mut self, section: [&str; 2], names: &[String]) -> Vec<(String, Vec<PlaceId>)> {
        if names.len() < 2 {
            let help = Some("name two copies or more: `at: [store/a, store/b]`".to_owned());
            self.error(section, "at", "a copy alone cannot differ".to_owned(), help, "single");
        }
        names.iter().map(|name| (name.clone(), self.replica(section, name))).collect()
    }

    fn replica(&mut self, section: [&str; 2], name: &str) -> Vec<PlaceId> {
        let mut places = self.places(name, |role| role != PlaceRole::DeadLetter);
        if places.is_empty() {
            // A service that replicates is one node; its places bear the sites.
            let own = |place: &str| place.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
            let all = self.plan.places.iter().enumerate();
            let all = all.filter(|(_, place)| own(&place.name) && place.role != PlaceRole::DeadLetter);
            places = all.map(|(index, _)| PlaceId(index as u16)).collect();
        }
        if places.is_empty() {
            let known = self.known_places();
            self.dangling(section, "at", name, "place", known);
        }
        places
    }

    /// The places of a store that is read.
    pub(super) fn read_places(&mut self, section: [&str; 2], name: &str) -> Vec<PlaceId> {
        let places = self.places(name, |role| role == PlaceRole::Effect);
        if places.is_empty() {
            let known = self.known_places();
            self.dangling(section, "at", name, "place", known);
        }
        places
    }

    /// What readers may rely on.
    pub(super) fn promise(&mut self, section: [&str; 2], contract: &Consistent) -> Promise {
        match (contract.level, contract.within) {
            (Level::BoundedStaleness, Some(within)) => return Promise::BoundedStaleness(within),
            (Level::BoundedStaleness, None) => {
                let help = Some("write for example `within: 5m`".to_owned());
                self.error(section, "level", "it does not say how stale".to_owned(), help, "unbounded");
            }
            (_, Some(_)) => {
                let message = "`within` is the bound of `level: bounded-staleness`".to_owned();
                self.error(section, "within", message, Some("leave it out".to_owned()), "staleness");
            }
            _ => {}
        }
        match contract.level {
            Level::Linearizable | Level::BoundedStaleness => Promise::Linearizable,
            Level::Session => Promise::Session,
            Level::ConsistentPrefix => Promise::ConsistentPrefix,
        }
    }

    pub(super) fn bounded(&mut self, section: [&str; 2], bounds: [Option<Span>; 4]) {
        if bounds.iter().all(Option::is_none) {
            let help = Some("write for example `p99: 800ms`".to_owned());
            self.error(section, "p99", "it has no bound".to_owned(), help, "unbounded");
        }
    }

    pub(super) fn streams(&mut self, section: [&str; 2], from: &str) -> Vec<StreamId> {
        let in_site = |name: &str| {
            let kind = self.plan.blueprint.nodes.get(name);
            let value = kind.and_then(|kind| serde_json::to_value(kind).ok());
            let fields =
                value.as_ref().and_then(|value| value.as_object()).and_then(|map| map.values().next());
            fields.and_then(|fields| fields.get("in")).is_some_and(|site| site == from)
        };
        let named = self.plan.streams.iter().filter(|stream| stream.name == from || in_site(&stream.name));
        let found: Vec<StreamId> = named.map(|stream| stream.id).collect();
        if found.is_empty() {
            let known = self.plan.streams.iter().map(|stream| stream.name.as_str()).collect();
            self.dangling(section, "from", from, "load or site with a load", known);
        }
        found
    }

    pub(super) fn is_door(&self, name: &str) -> bool {
        let door = |e: &beaufort_sim::plan::Endpoint| {
            matches!(e.protocol, Protocol::Http | Protocol::EventTopic) && e.place.is_none()
        };
        self.plan.endpoint(name).is_some_and(door)
    }

    pub(super) fn door(&mut self, section: [&str; 2], field: &str, name: &str) -> Option<NodeId> {
        let node = self.plan.node(name);
        let callable = self.plan.endpoint(name).is_some_and(|e| e.protocol != Protocol::None)
            || node.is_some_and(|node| self.plan.places.iter().any(|place| place.node == node));
        if node.is_some() && callable {
            return node;
        }
        if node.is_some() {
            let help = Some("name what a load or an app calls".to_owned());
            self.error(
                section,
                field,
                format!("`{name}` is not a door: nothing can call it"),
                help,
                "not-a-door",
            );
        } else {
            let known = self.nodes();
            self.dangling(section, field, name, "node", known);
        }
        None
    }

    /// The places of this name, in all sites where it names none: the place itself, else all of the node
    /// that fit.
    pub(super) fn places(&self, name: &str, fits: impl Fn(PlaceRole) -> bool) -> Vec<PlaceId> {
        if let Some(place) = self.plan.place_named(name) {
            return vec![place];
        }
        let places = self.plan.places.iter().enumerate();
        let everywhere = places.filter(|(_, place)| self.plan.anywhere(&place.name) == name);
        let everywhere: Vec<PlaceId> = everywhere.map(|(index, _)| PlaceId(index as u16)).collect();
        if !everywhere.is_empty() {
            return everywhere;
        }
        let copies = self.plan.copies.of(name);
        copies.iter().flat_map(|copy| self.places_of_one(copy, &fits)).collect()
    }

    /// The lanes of places: one for all that are the same in several sites.
    fn lanes_of(&mut self, flow: FlowId, places: &[PlaceId], column: usize) -> Lanes {
        let mut groups: IndexMap<String, Vec<PlaceId>> = IndexMap::new();
        for place in places {
            groups.entry(self.plan.anywhere(&self.plan.place(*place).name)).or_default().push(*place);
        }
        groups.iter().map(|(name, group)| self.lane(flow, name, group, column)).collect()
    }

    fn places_of_one(&self, name: &str, fits: &impl Fn(PlaceRole) -> bool) -> Vec<PlaceId> {
        if let Some(place) = self.plan.place_named(name) {
            return vec![place];
        }
        if let Some(place) = self.plan.endpoint(name).and_then(|endpoint| endpoint.place) {
            return vec![place];
        }
        let Some(node) = self.plan.node(name) else { return Vec::new() };
        let places = self.plan.places.iter().enumerate();
        places
            .filter(|(_, place)| place.node == node && fits(place.role))
            .map(|(index, _)| PlaceId(index as u16))
            .collect()
    }

    pub(super) fn start(&mut self, section: [&str; 2], field: &str, flow: FlowId, name: &str) -> Start {
        let places = self.places(name, |role| role != PlaceRole::DeadLetter);
        if !places.is_empty() {
            return Start { lanes: self.lanes_of(flow, &places, GROSS), door: None };
        }
        let mut named = self.plan.copies.of(name);
        // Copies may be reached by a name of their own, which is what loads call.
        if !named.iter().any(|copy| copy == name) {
            named.insert(0, name.to_owned());
        }
        let doors: Vec<NodeId> =
            named.iter().filter(|copy| self.is_door(copy)).filter_map(|copy| self.plan.node(copy)).collect();
        if let Some(first) = doors.first() {
            let lane = self.door_lane(flow, &doors, name);
            return Start { lanes: SmallVec::from_slice(&[lane]), door: Some(*first) };
        }
        if self.plan.node(name).is_some() {
            let help = Some("name a door that a load calls, or a place that stores".to_owned());
            let message = format!("nothing is accepted at `{name}`: it is neither a door nor a place");
            self.error(section, field, message, help, "not-a-place");
        } else {
            let known = self.known_places();
            self.dangling(section, field, name, "door or place", known);
        }
        Start { lanes: Lanes::new(), door: None }
    }

    pub(super) fn effects(
        &mut self,
        section: [&str; 2],
        field: &str,
        flow: FlowId,
        names: &[String],
    ) -> Lanes {
        names.iter().flat_map(|name| self.effect(section, field, flow, name, GROSS)).collect()
    }

    pub(super) fn net(&mut self, section: [&str; 2], field: &str, flow: FlowId, name: &str) -> Lanes {
        self.effect(section, field, flow, name, NET)
    }

    pub(super) fn effect(
        &mut self,
        section: [&str; 2],
        field: &str,
        flow: FlowId,
        name: &str,
        column: usize,
    ) -> Lanes {
        let places = self.places(name, |role| role != PlaceRole::DeadLetter);
        if places.is_empty() {
            if self.plan.node(name).is_some() {
                let help = Some("name a store, a queue or an endpoint, or a part of one".to_owned());
                let message = format!("nothing has an effect at `{name}`: it keeps nothing");
                self.error(section, field, message, help, "not-a-place");
            } else {
                let known = self.known_places();
                self.dangling(section, field, name, "place", known);
            }
        }
        // What a failover takes away has no effect any more, even if it was accepted.
        let replicates = |place: &PlaceId| {
            let node = self.plan.place(*place).node;
            let node = self.plan.blueprint.nodes.get_index(node.index());
            node.is_some_and(|(_, kind)| kind.replicates())
        };
        let standing = column == GROSS && places.iter().any(replicates);
        self.lanes_of(flow, &places, if standing { STANDING } else { column })
    }

    pub(super) fn parked(&mut self, section: [&str; 2], field: &str, name: &str) -> Vec<PlaceId> {
        let places = self.places(name, |_| true);
        if places.is_empty() {
            let known = self.known_places();
            self.dangling(section, field, name, "place", known);
        }
        places
    }

    fn queues_of_one(&self, name: &str, dead: bool, wanted: &impl Fn(PlaceRole) -> bool) -> Vec<PlaceId> {
        let mut places: Vec<PlaceId> = self.places_of_one(name, wanted);
        if !dead && matches!(self.plan.blueprint.nodes.get(name), Some(NodeKind::ServiceBusTopic(_))) {
            // A topic keeps nothing: what was published waits in its subscriptions.
            let nodes = self.plan.blueprint.nodes.iter().filter(|(_, kind)| kind.of() == Some(name));
            places = nodes.flat_map(|(subscription, _)| self.places_of_one(subscription, wanted)).collect();
        }
        let dead_name = format!("{name}.dead-letter");
        if dead && !places.iter().all(|place| self.plan.place(*place).role == PlaceRole::DeadLetter) {
            let by_name = self.plan.place_named(&dead_name).or_else(|| self.plan.endpoint(&dead_name)?.place);
            places = by_name.map_or(places, |place| vec![place]);
        }
        places
    }

    pub(super) fn queues(&mut self, section: [&str; 2], field: &str, name: &str, dead: bool) -> Vec<PlaceId> {
        let wanted = |role| (role == PlaceRole::DeadLetter) == dead;
        let copies = self.plan.copies.of(name);
        let places: Vec<PlaceId> =
            copies.iter().flat_map(|copy| self.queues_of_one(copy, dead, &wanted)).collect();
        if places.is_empty() {
            let known = self.known_places();
            let what = if dead { "dead-letter place of" } else { "place with a backlog called" };
            self.dangling(section, field, name, what, known);
        }
        places
    }
}

/// Whose dead letters they are: `payments` of `payments` and of `payments.dead-letter`.
pub(crate) fn source_of(target: &str) -> &str {
    target.strip_suffix(".dead-letter").unwrap_or(target)
}
