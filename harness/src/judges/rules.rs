//! Contracts and objectives with every name resolved: which lanes of an item's state they look at.

use beaufort_sim::faults::{At, FaultKind};
use beaufort_sim::ids::{FaultId, FlowId, NodeId, PlaceId, StreamId};
use beaufort_sim::plan::{PlaceRole, Plan, PlanError, Protocol};
use beaufort_sim::services::{NodeKind, Service as _};
use beaufort_sim::time::Span;
use indexmap::IndexMap;
use smallvec::SmallVec;

use super::config::{Contract, Objective, While};

/// A counter of four bits in the words of an item; it stays at 15.
pub(crate) type Lane = u8;
/// Several of them.
pub(crate) type Lanes = SmallVec<[Lane; 4]>;

/// No lane.
pub(crate) const NOWHERE: Lane = Lane::MAX;
/// Lane 0: what became of copies (bits below).
pub(crate) const ENDS: Lane = 0;
/// Lane 1: how its caller was answered (bits below).
pub(crate) const CONCLUSION: Lane = 1;
/// The first lane that counts something.
const FIRST: Lane = 2;

/// Bits of [`ENDS`].
pub(crate) mod ends {
    /// A copy was dead-lettered.
    pub(crate) const DEAD_LETTERED: u64 = 1;
    /// A copy expired.
    pub(crate) const EXPIRED: u64 = 2;
    /// A copy was discarded for a documented reason.
    pub(crate) const DISCARDED: u64 = 4;
    /// A copy was destroyed.
    pub(crate) const DESTROYED: u64 = 8;
}

/// Bits of [`CONCLUSION`].
pub(crate) mod conclusion {
    /// Success.
    pub(crate) const OK: u64 = 1;
    /// Not known.
    pub(crate) const UNKNOWN: u64 = 2;
    /// A definite no.
    pub(crate) const REFUSED: u64 = 4;
    /// Given up after definite errors.
    pub(crate) const FAILED: u64 = 8;
}

/// Where a promise begins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Start {
    /// All of them counted: accepted. One for a door, one for each place.
    pub(crate) lanes: Lanes,
    /// The door, if it is one.
    pub(crate) door: Option<NodeId>,
}

/// What a contract looks at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Check {
    /// The at-least-once and at-most-once family.
    Delivery {
        /// From where on every item counts; `None` for at-most-once.
        start: Option<Start>,
        /// The effects.
        effects: Lanes,
        /// Whether two effects are too many.
        single: bool,
        /// Where an item may be kept instead.
        parked: SmallVec<[PlaceId; 2]>,
        /// The hook that knows what is superseded.
        latest: Option<usize>,
    },
    /// Effects without acceptance.
    Phantom {
        /// The acceptance.
        start: Start,
        /// The effects.
        effects: Lanes,
    },
    /// The order of effects; the hooks find the violations as they happen.
    Order,
    /// All groups or none, by lanes of net effects.
    Whole {
        /// Each name with its lanes.
        groups: Vec<(String, Lanes)>,
    },
    /// Net effects that follow from one.
    Implies {
        /// The claim.
        claim: Lanes,
        /// What it claims.
        then: Lanes,
    },
}

/// A contract.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// Its name.
    pub(crate) name: String,
    /// `exactly-once orders`.
    pub(crate) text: String,
    /// The flow.
    pub(crate) flow: FlowId,
    /// What it looks at.
    pub(crate) check: Check,
    /// The lanes by which it is exercised.
    pub(crate) lanes: Lanes,
}

/// Something that has to be done when a lane is counted for the first time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Hook {
    /// Measures from start to the last effect; one register.
    Delay { objective: usize, start: Lanes, end: Lanes, register: usize },
    /// The backlog between start and the last effect.
    Backlog { objective: usize, start: Lanes, end: Lanes },
    /// Order relative to real time at the door; the flow's two registers.
    RealTime { contract: usize, effect: Lane },
    /// Order relative to the sequence at places; one register.
    Sequence { contract: usize, start: Lanes, effect: Lane, register: usize },
    /// The newest effected item of each key; two registers.
    Latest { start: Lanes, end: Lanes, register: usize },
}

/// What is remembered about the items of a flow.
#[derive(Clone, Debug, Default)]
pub(crate) struct FlowRules {
    /// By place: the lane of births and the lane of births less what was undone.
    pub(crate) places: Vec<[Lane; 2]>,
    /// The lane of each door.
    pub(crate) doors: Vec<(NodeId, Lane)>,
    /// How many lanes there are.
    pub(crate) lanes: Lane,
    /// By lane: what it is called.
    pub(crate) names: Vec<String>,
    /// The hooks.
    pub(crate) hooks: Vec<Hook>,
    /// By lane: which hooks.
    pub(crate) interest: Vec<SmallVec<[u8; 4]>>,
    /// The effect lanes of all real-time hooks.
    pub(crate) real_time: Lanes,
    /// The registers of offer and conclusion, if there are real-time hooks.
    pub(crate) clock: Option<usize>,
    /// How many words a state has, without the time of the last booking.
    pub(crate) words: usize,
}

/// An objective with its names resolved.
#[derive(Clone, Debug)]
pub(crate) struct Goal {
    /// Its name.
    pub(crate) name: String,
    /// As written.
    pub(crate) objective: Objective,
    /// What it measures: `availability edge`.
    pub(crate) text: String,
    /// What it looks at.
    pub(crate) measure: Measure,
    /// Which part of the run.
    pub(crate) during: While,
}

/// What an objective looks at.
#[derive(Clone, Debug)]
pub(crate) enum Measure {
    /// Items with success at a door.
    Availability(NodeId),
    /// Time to success at a door.
    Latency(NodeId),
    /// Fed by its hook.
    Delay,
    /// Bad items at a door around a fault. `from`: the streams that count; empty for all. `bound`: later
    /// than this is bad too. `delays`: objectives whose items are accepted at the door, and the bound
    /// beyond which the effects of an item come so late that it is bad.
    Recovery {
        fault: FaultId,
        door: NodeId,
        from: Vec<StreamId>,
        bound: Option<Span>,
        delays: Vec<(usize, Span)>,
    },
    /// The backlog after a fault: of places, or fed by its hook.
    Drain { fault: FaultId, places: Vec<PlaceId> },
    /// Arrivals at places. `sources`: where what arrives there comes from.
    DeadLetters { places: Vec<PlaceId>, sources: Vec<PlaceId> },
    /// The runs of an app.
    Duration(NodeId),
}

/// What the scenario says about a fault.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FaultFacts {
    /// Its name in the scenario.
    pub(crate) name: String,
    /// Its id in the catalogue.
    pub(crate) fault: String,
    /// What it strikes.
    pub(crate) target: String,
    /// The seed decides whether or when it strikes.
    pub(crate) random: bool,
    /// It has no instant of its own: part of the calm.
    pub(crate) background: bool,
}

/// All contracts and objectives of a scenario, resolved against its plan.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub(crate) contracts: Vec<Rule>,
    pub(crate) objectives: Vec<Goal>,
    pub(crate) flows: Vec<FlowRules>,
    pub(crate) faults: Vec<FaultFacts>,
}

impl Rules {
    /// Resolves every name.
    ///
    /// # Errors
    /// All that is wrong, each with its place (`["always", name, field]`, `["objectives", name, field]`).
    pub fn resolve(
        plan: &Plan,
        contracts: &IndexMap<String, Contract>,
        objectives: &IndexMap<String, Objective>,
    ) -> Result<Rules, Vec<PlanError>> {
        let mut resolver = Resolver::new(plan);
        for (name, contract) in contracts {
            resolver.contract(name, contract);
        }
        for (name, objective) in objectives {
            resolver.objective(name, objective, objectives);
        }
        resolver.finish()
    }

    /// The names of the contracts and objectives, in file order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let contracts = self.contracts.iter().map(|rule| rule.name.as_str());
        contracts.chain(self.objectives.iter().map(|goal| goal.name.as_str()))
    }
}

struct Resolver<'a> {
    plan: &'a Plan,
    rules: Rules,
    errors: Vec<PlanError>,
}

impl<'a> Resolver<'a> {
    fn new(plan: &'a Plan) -> Self {
        let flow = FlowRules {
            places: vec![[NOWHERE; 2]; plan.places.len()],
            lanes: FIRST,
            names: vec![String::new(); FIRST as usize],
            interest: vec![SmallVec::new(); FIRST as usize],
            ..FlowRules::default()
        };
        let rules = Rules {
            flows: vec![flow; plan.blueprint.flows.len()],
            faults: plan.blueprint.faults.iter().map(|(name, kind)| facts(name, kind)).collect(),
            ..Rules::default()
        };
        Resolver { plan, rules, errors: Vec::new() }
    }

    fn finish(mut self) -> Result<Rules, Vec<PlanError>> {
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        for flow in &mut self.rules.flows {
            let banks = usize::from(flow.lanes).div_ceil(16);
            let mut next = banks;
            flow.clock = (!flow.real_time.is_empty()).then_some(next);
            next += if flow.clock.is_some() { 2 } else { 0 };
            for (index, hook) in flow.hooks.iter_mut().enumerate() {
                let lanes: Lanes = match hook {
                    Hook::Delay { start, end, register, .. } => {
                        *register = next;
                        next += 1;
                        start.iter().chain(end.iter()).copied().collect()
                    }
                    Hook::Sequence { start, effect, register, .. } => {
                        *register = next;
                        next += 1;
                        start.iter().copied().chain([*effect]).collect()
                    }
                    Hook::Latest { start, end, register } => {
                        *register = next;
                        next += 2;
                        start.iter().chain(end.iter()).copied().collect()
                    }
                    Hook::Backlog { start, end, .. } => start.iter().chain(end.iter()).copied().collect(),
                    Hook::RealTime { effect, .. } => SmallVec::from_slice(&[*effect]),
                };
                for lane in lanes {
                    let interest = &mut flow.interest[usize::from(lane)];
                    if !interest.contains(&(index as u8)) {
                        interest.push(index as u8);
                    }
                }
            }
            flow.words = next;
        }
        Ok(self.rules)
    }

    fn contract(&mut self, name: &str, contract: &Contract) {
        let section = ["always", name];
        let Some(flow) = self.flow(section, contract.flow()) else { return };
        let index = self.rules.contracts.len();
        let check = match contract {
            Contract::AtLeastOnce(c) | Contract::ExactlyOnce(c) => {
                let start = self.start(section, "accepted-at", flow, &c.accepted_at);
                let effects = self.effects(section, "effect-at", flow, c.effect_at.names());
                let latest = c.latest_per.as_ref().map(|key| {
                    self.key(section, "latest-per", flow, key);
                    let hook = Hook::Latest { start: start.lanes.clone(), end: effects.clone(), register: 0 };
                    self.hook(flow, hook)
                });
                let parked = c.or_parked_in.as_ref().map(|names| {
                    names.names().iter().flat_map(|n| self.parked(section, "or-parked-in", n)).collect()
                });
                Check::Delivery {
                    start: Some(start),
                    effects,
                    single: matches!(contract, Contract::ExactlyOnce(_)),
                    parked: parked.unwrap_or_default(),
                    latest,
                }
            }
            Contract::AtMostOnce(c) => Check::Delivery {
                start: None,
                effects: self.effects(section, "effect-at", flow, c.effect_at.names()),
                single: true,
                parked: SmallVec::new(),
                latest: None,
            },
            Contract::NoPhantom(c) => Check::Phantom {
                start: self.start(section, "accepted-at", flow, &c.accepted_at),
                effects: self.effects(section, "effect-at", flow, c.effect_at.names()),
            },
            Contract::Ordered(c) => {
                self.key(section, "per", flow, &c.per);
                let start = c.accepted_at.as_ref().map(|at| self.start(section, "accepted-at", flow, at));
                let place = start.filter(|start| start.door.is_none());
                for effect in self.effects(section, "effect-at", flow, c.effect_at.names()) {
                    let hook = match &place {
                        Some(start) => {
                            let start = start.lanes.clone();
                            Hook::Sequence { contract: index, start, effect, register: 0 }
                        }
                        None => {
                            self.rules.flows[flow.index()].real_time.push(effect);
                            Hook::RealTime { contract: index, effect }
                        }
                    };
                    self.hook(flow, hook);
                }
                Check::Order
            }
            Contract::AllOrNothing(c) => {
                let groups = c.of.iter().map(|n| (n.clone(), self.net(section, "of", flow, n))).collect();
                Check::Whole { groups }
            }
            Contract::Implies(c) => Check::Implies {
                claim: self.net(section, "if", flow, &c.claim),
                then: c.then.names().iter().flat_map(|n| self.net(section, "then", flow, n)).collect(),
            },
        };
        let mut lanes: Lanes = match &check {
            Check::Delivery { effects, .. } | Check::Phantom { effects, .. } => effects.clone(),
            Check::Order => {
                let hooks = self.rules.flows[flow.index()].hooks.iter();
                let effect = |hook: &Hook| match hook {
                    Hook::RealTime { contract, effect } | Hook::Sequence { contract, effect, .. }
                        if *contract == index =>
                    {
                        Some(*effect)
                    }
                    _ => None,
                };
                hooks.filter_map(effect).collect()
            }
            Check::Whole { groups } => groups.iter().flat_map(|(_, lanes)| lanes.clone()).collect(),
            Check::Implies { claim, .. } => claim.clone(),
        };
        lanes.sort_unstable();
        lanes.dedup();
        let text = format!("{} {}", contract.verb(), contract.flow());
        self.rules.contracts.push(Rule { name: name.to_owned(), text, flow, check, lanes });
    }

    fn objective(&mut self, name: &str, objective: &Objective, all: &IndexMap<String, Objective>) {
        let section = ["objectives", name];
        let index = self.rules.objectives.len();
        let mut during = While::All;
        let (target, measure) = match objective {
            Objective::Availability(o) => {
                during = o.during;
                (&o.target, self.door(section, "target", &o.target).map(Measure::Availability))
            }
            Objective::Latency(o) => {
                during = o.during;
                self.bounded(section, [o.p50, o.p95, o.p99, o.max]);
                (&o.target, self.door(section, "target", &o.target).map(Measure::Latency))
            }
            Objective::Delay(o) => {
                during = o.during;
                self.bounded(section, [o.p50, o.p95, o.p99, o.max]);
                let flow = self.flow(section, &o.target);
                if let Some(flow) = flow {
                    let start = self.start(section, "accepted-at", flow, &o.accepted_at).lanes;
                    let end = self.effects(section, "effect-at", flow, o.effect_at.names());
                    self.hook(flow, Hook::Delay { objective: index, start, end, register: 0 });
                }
                (&o.target, flow.map(|_| Measure::Delay))
            }
            Objective::RecoveryTime(o) => {
                let fault = self.fault(section, "target", &o.target);
                let door = self.door(section, "of", &o.of);
                let from = o.from.as_ref().map(|from| self.streams(section, from)).unwrap_or_default();
                let (bound, delays) = bad_bounds(&o.of, all);
                let measure = |(fault, door)| Measure::Recovery { fault, door, from, bound, delays };
                (&o.target, fault.zip(door).map(measure))
            }
            Objective::DrainTime(o) => {
                let fault = self.fault(section, "after", &o.after);
                let places = match (&o.accepted_at, &o.effect_at) {
                    (None, None) => self.queues(section, "target", &o.target, false),
                    (Some(from), Some(to)) => {
                        self.backlog(section, index, &o.target, from, to.names());
                        Vec::new()
                    }
                    _ => {
                        let message = "the backlog of a flow lies between two points".to_owned();
                        let help = Some("write `accepted-at` and `effect-at`, or neither".to_owned());
                        self.error(section, "target", message, help, "unbounded");
                        Vec::new()
                    }
                };
                (&o.target, fault.map(|fault| Measure::Drain { fault, places }))
            }
            Objective::DeadLetters(o) => {
                let places = self.queues(section, "target", &o.target, true);
                let sources = self.places(source_of(&o.target), |role| role != PlaceRole::DeadLetter);
                (&o.target, Some(Measure::DeadLetters { places, sources }))
            }
            Objective::Duration(o) => {
                let node = self.plan.node(&o.target);
                if node.is_none() {
                    self.dangling(section, "target", &o.target, "app", self.nodes());
                }
                (&o.target, node.map(Measure::Duration))
            }
        };
        let text = format!("{} {target}", objective.verb());
        if let Some(measure) = measure {
            let (name, objective) = (name.to_owned(), objective.clone());
            self.rules.objectives.push(Goal { name, objective, text, measure, during });
        }
    }

    fn backlog(&mut self, section: [&str; 2], objective: usize, flow: &str, from: &str, to: &[String]) {
        let Some(flow) = self.flow(section, flow) else { return };
        let start = self.start(section, "accepted-at", flow, from).lanes;
        let end = self.effects(section, "effect-at", flow, to);
        self.hook(flow, Hook::Backlog { objective, start, end });
    }

    // -- Names --

    fn nodes(&self) -> Vec<&'a str> {
        self.plan.nodes.iter().map(|node| node.name.as_str()).collect()
    }

    fn known_places(&self) -> Vec<&'a str> {
        self.plan.places.iter().map(|place| place.name.as_str()).chain(self.nodes()).collect()
    }

    fn error(
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

    fn dangling(&mut self, section: [&str; 2], field: &str, name: &str, what: &str, known: Vec<&str>) {
        let near = known
            .iter()
            .map(|other| (strsim::jaro_winkler(name, other), *other))
            .filter(|(likeness, _)| *likeness > 0.75)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let help = near.map(|(_, other)| format!("did you mean `{other}`?"));
        self.error(section, field, format!("there is no {what} `{name}`"), help, "dangling");
    }

    fn flow(&mut self, section: [&str; 2], name: &str) -> Option<FlowId> {
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

    fn key(&mut self, section: [&str; 2], field: &str, flow: FlowId, key: &str) {
        let Some((flow, config)) = self.plan.blueprint.flows.get_index(flow.index()) else { return };
        if config.key != key {
            let message = format!("the key of `{flow}` is `{}`, not `{key}`", config.key);
            let help = Some(format!("write `{field}: {}`", config.key));
            self.error(section, field, message, help, "key");
        }
    }

    fn fault(&mut self, section: [&str; 2], field: &str, name: &str) -> Option<FaultId> {
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

    fn bounded(&mut self, section: [&str; 2], bounds: [Option<Span>; 4]) {
        if bounds.iter().all(Option::is_none) {
            let help = Some("write for example `p99: 800ms`".to_owned());
            self.error(section, "p99", "it has no bound".to_owned(), help, "unbounded");
        }
    }

    fn streams(&mut self, section: [&str; 2], from: &str) -> Vec<StreamId> {
        let in_site = |name: &str| {
            let kind = self.plan.blueprint.nodes.get(name);
            let value = kind.and_then(|kind| serde_json::to_value(kind).ok());
            let fields =
                value.as_ref().and_then(|value| value.as_object()).and_then(|map| map.values().next());
            fields.and_then(|fields| fields.get("in")).is_some_and(|site| site == from)
        };
        let streams = self.plan.streams.iter().enumerate();
        let found: Vec<StreamId> = streams
            .filter(|(_, stream)| stream.name == from || in_site(&stream.name))
            .map(|(index, _)| StreamId(index as u16))
            .collect();
        if found.is_empty() {
            let known = self.plan.streams.iter().map(|stream| stream.name.as_str()).collect();
            self.dangling(section, "from", from, "load or site with a load", known);
        }
        found
    }

    fn is_door(&self, name: &str) -> bool {
        let door = |e: &beaufort_sim::plan::Endpoint| {
            matches!(e.protocol, Protocol::Http | Protocol::EventTopic) && e.place.is_none()
        };
        self.plan.endpoint(name).is_some_and(door)
    }

    fn door(&mut self, section: [&str; 2], field: &str, name: &str) -> Option<NodeId> {
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

    /// The places of this name: the place itself, else all of the node that fit.
    fn places(&self, name: &str, fits: impl Fn(PlaceRole) -> bool) -> Vec<PlaceId> {
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

    fn start(&mut self, section: [&str; 2], field: &str, flow: FlowId, name: &str) -> Start {
        let places = self.places(name, |role| role != PlaceRole::DeadLetter);
        if !places.is_empty() {
            let lanes = places.into_iter().map(|place| self.lane(flow, place, 0)).collect();
            return Start { lanes, door: None };
        }
        if self.is_door(name)
            && let Some(node) = self.plan.node(name)
        {
            let lane = self.door_lane(flow, node, name);
            return Start { lanes: SmallVec::from_slice(&[lane]), door: Some(node) };
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

    fn effects(&mut self, section: [&str; 2], field: &str, flow: FlowId, names: &[String]) -> Lanes {
        names.iter().flat_map(|name| self.effect(section, field, flow, name, 0)).collect()
    }

    fn net(&mut self, section: [&str; 2], field: &str, flow: FlowId, name: &str) -> Lanes {
        self.effect(section, field, flow, name, 1)
    }

    fn effect(&mut self, section: [&str; 2], field: &str, flow: FlowId, name: &str, net: usize) -> Lanes {
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
        places.into_iter().map(|place| self.lane(flow, place, net)).collect()
    }

    fn parked(&mut self, section: [&str; 2], field: &str, name: &str) -> Vec<PlaceId> {
        let places = self.places(name, |_| true);
        if places.is_empty() {
            let known = self.known_places();
            self.dangling(section, field, name, "place", known);
        }
        places
    }

    fn queues(&mut self, section: [&str; 2], field: &str, name: &str, dead: bool) -> Vec<PlaceId> {
        let wanted = |role| (role == PlaceRole::DeadLetter) == dead;
        let mut places: Vec<PlaceId> = self.places(name, wanted);
        if !dead && matches!(self.plan.blueprint.nodes.get(name), Some(NodeKind::ServiceBusTopic(_))) {
            // A topic keeps nothing: what was published waits in its subscriptions.
            let nodes = self.plan.blueprint.nodes.iter().filter(|(_, kind)| kind.of() == Some(name));
            places = nodes.flat_map(|(subscription, _)| self.places(subscription, wanted)).collect();
        }
        let dead_name = format!("{name}.dead-letter");
        if dead && !places.iter().all(|place| self.plan.place(*place).role == PlaceRole::DeadLetter) {
            let by_name = self.plan.place_named(&dead_name).or_else(|| self.plan.endpoint(&dead_name)?.place);
            places = by_name.map_or(places, |place| vec![place]);
        }
        if places.is_empty() {
            let known = self.known_places();
            let what = if dead { "dead-letter place of" } else { "place with a backlog called" };
            self.dangling(section, field, name, what, known);
        }
        places
    }

    // -- Lanes and hooks --

    fn new_lane(&mut self, flow: FlowId, name: &str) -> Lane {
        let rules = &mut self.rules.flows[flow.index()];
        if rules.lanes == NOWHERE {
            return NOWHERE - 1; // 250 places in the contracts of one flow: beyond any scenario, and safe
        }
        rules.lanes += 1;
        rules.names.push(name.to_owned());
        rules.interest.push(SmallVec::new());
        rules.lanes - 1
    }

    fn lane(&mut self, flow: FlowId, place: PlaceId, net: usize) -> Lane {
        let known = self.rules.flows[flow.index()].places[place.index()][net];
        if known != NOWHERE {
            return known;
        }
        let lane = self.new_lane(flow, &self.plan.place(place).name);
        self.rules.flows[flow.index()].places[place.index()][net] = lane;
        lane
    }

    fn door_lane(&mut self, flow: FlowId, node: NodeId, name: &str) -> Lane {
        let known = self.rules.flows[flow.index()].doors.iter().find(|(door, _)| *door == node);
        if let Some((_, lane)) = known {
            return *lane;
        }
        let lane = self.new_lane(flow, name);
        self.rules.flows[flow.index()].doors.push((node, lane));
        lane
    }

    fn hook(&mut self, flow: FlowId, hook: Hook) -> usize {
        let hooks = &mut self.rules.flows[flow.index()].hooks;
        hooks.push(hook);
        hooks.len() - 1
    }
}

/// Beyond which latency at the door, and beyond which delays from it on, an item is bad: the bound of the
/// slowest (`max`). A percentile says nothing about one item: it is meant to be exceeded by some.
fn bad_bounds(door: &str, all: &IndexMap<String, Objective>) -> (Option<Span>, Vec<(usize, Span)>) {
    let latency = all.values().filter_map(|other| match other {
        Objective::Latency(l) if l.target == door => l.max,
        _ => None,
    });
    let delays = all.values().enumerate().filter_map(|(index, other)| match other {
        Objective::Delay(d) if d.accepted_at == door => Some((index, d.max?)),
        _ => None,
    });
    (latency.min(), delays.collect())
}

/// Whose dead letters they are: `payments` of `payments` and of `payments.dead-letter`.
pub(crate) fn source_of(target: &str) -> &str {
    target.strip_suffix(".dead-letter").unwrap_or(target)
}

/// What the scenario says about when a fault strikes.
fn facts(name: &str, kind: &FaultKind) -> FaultFacts {
    let value = serde_json::to_value(kind).unwrap_or_default();
    let fault = value.as_object().and_then(|map| map.keys().next().cloned()).unwrap_or_default();
    let placement = kind.placement();
    let chance = placement.chance.is_some_and(|chance| chance.0 < 1.0);
    let striking = placement.chance.is_some() || placement.nth.is_some() || placement.point().is_some();
    FaultFacts {
        name: name.to_owned(),
        fault,
        target: kind.target().to_owned(),
        random: chance || placement.at == Some(At::Random),
        background: placement.at.is_none() && placement.when.is_none() && striking,
    }
}

/// The value of a lane.
pub(crate) fn lane(words: &[u64], lane: Lane) -> u64 {
    words[usize::from(lane) / 16] >> (u32::from(lane) % 16 * 4) & 15
}

/// Counts one more on a lane, to at most 15, and returns what it was before.
pub(crate) fn count(words: &mut [u64], which: Lane) -> u64 {
    let before = lane(words, which);
    if before < 15 {
        words[usize::from(which) / 16] += 1 << (u32::from(which) % 16 * 4);
    }
    before
}

/// Counts one less on a lane, to no less than 0.
pub(crate) fn uncount(words: &mut [u64], which: Lane) {
    if lane(words, which) > 0 {
        words[usize::from(which) / 16] -= 1 << (u32::from(which) % 16 * 4);
    }
}

/// Sets bits of a lane.
pub(crate) fn mark(words: &mut [u64], which: Lane, bits: u64) {
    words[usize::from(which) / 16] |= bits << (u32::from(which) % 16 * 4);
}

/// Whether every one of these lanes has counted.
pub(crate) fn all(words: &[u64], lanes: &[Lane]) -> bool {
    lanes.iter().all(|which| lane(words, *which) > 0)
}
