//! From the contracts and objectives of a scenario to rules: lanes, hooks and registers.

use beaufort_sim::faults::{At, FaultKind};
use beaufort_sim::ids::{FlowId, NodeId, PlaceId};
use beaufort_sim::plan::{PlaceRole, Plan, PlanError};
use beaufort_sim::time::Span;
use indexmap::IndexMap;
use smallvec::SmallVec;

use super::lanes::FIRST;
use super::{
    COLUMNS, Check, FaultFacts, FlowRules, Goal, Hook, Lane, Lanes, Measure, NOWHERE, Rule, Rules, source_of,
};
use crate::judges::config::{Contract, Objective, While};

pub(super) struct Resolver<'a> {
    pub(super) plan: &'a Plan,
    pub(super) rules: Rules,
    pub(super) errors: Vec<PlanError>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        let flow = FlowRules {
            places: vec![[NOWHERE; COLUMNS]; plan.places.len()],
            unions: vec![[NOWHERE; COLUMNS]; plan.places.len()],
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

    pub(super) fn finish(mut self) -> Result<Rules, Vec<PlanError>> {
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

    pub(super) fn contract(&mut self, name: &str, contract: &Contract) {
        let section = ["always", name];
        if let Some((apps, most)) = self.about_runs(section, contract) {
            let text = format!("{} {}", contract.verb(), contract.subject());
            let (name, check) = (name.to_owned(), Check::Runs { apps, most });
            let rule = Rule { name, text, flow: FlowId(0), check, lanes: Lanes::new() };
            return self.rules.contracts.push(rule);
        }
        let Some(flow) = self.flow(section, contract.subject()) else { return };
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
            Contract::Converge(c) => Check::Converge { copies: self.replicas(section, &c.at) },
            Contract::Consistent(c) => {
                let places = self.read_places(section, &c.at);
                Check::Consistent { places, promise: self.promise(section, c) }
            }
            Contract::SingleActive(_) | Contract::Runs(_) => return,
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
            Check::Converge { .. } | Check::Consistent { .. } | Check::Runs { .. } => Lanes::new(),
        };
        lanes.sort_unstable();
        lanes.dedup();
        let text = format!("{} {}", contract.verb(), contract.subject());
        self.rules.contracts.push(Rule { name: name.to_owned(), text, flow, check, lanes });
    }

    pub(super) fn objective(&mut self, name: &str, objective: &Objective, all: &IndexMap<String, Objective>) {
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
            Objective::RecoveryPoint(o) => {
                let fault = self.fault(section, "target", &o.target);
                let places = self.parked(section, "of", &o.of);
                (&o.target, fault.map(|fault| Measure::RecoveryPoint { fault, places }))
            }
            Objective::Interruption(o) => {
                let apps = self.apps(section, "target", &o.target);
                let door = self.door(section, "of", &o.of);
                (&o.target, door.map(|door| Measure::Interruption { apps, door }))
            }
        };
        let text = format!("{} {target}", objective.verb());
        if let Some(measure) = measure {
            let (name, objective) = (name.to_owned(), objective.clone());
            self.rules.objectives.push(Goal { name, objective, text, measure, during });
        }
    }

    pub(super) fn backlog(
        &mut self,
        section: [&str; 2],
        objective: usize,
        flow: &str,
        from: &str,
        to: &[String],
    ) {
        let Some(flow) = self.flow(section, flow) else { return };
        let start = self.start(section, "accepted-at", flow, from).lanes;
        let end = self.effects(section, "effect-at", flow, to);
        self.hook(flow, Hook::Backlog { objective, start, end });
    }

    pub(super) fn new_lane(&mut self, flow: FlowId, name: &str) -> Lane {
        let rules = &mut self.rules.flows[flow.index()];
        if rules.lanes == NOWHERE {
            return NOWHERE - 1; // 250 places in the contracts of one flow: beyond any scenario, and safe
        }
        rules.lanes += 1;
        rules.names.push(name.to_owned());
        rules.interest.push(SmallVec::new());
        rules.lanes - 1
    }

    /// The lane of a place, or of places that are one thing in several sites.
    pub(super) fn lane(&mut self, flow: FlowId, name: &str, group: &[PlaceId], column: usize) -> Lane {
        let Some(first) = group.first() else { return NOWHERE };
        let single = group.len() == 1;
        let rules = &self.rules.flows[flow.index()];
        let lanes = if single { &rules.places } else { &rules.unions };
        let known = lanes[first.index()][column];
        if known != NOWHERE {
            return known;
        }
        let name = if single { self.plan.place(*first).name.as_str() } else { name };
        let lane = self.new_lane(flow, name);
        let rules = &mut self.rules.flows[flow.index()];
        let lanes = if single { &mut rules.places } else { &mut rules.unions };
        group.iter().for_each(|place| lanes[place.index()][column] = lane);
        lane
    }

    /// The lane of a door, or of the copies of one.
    pub(super) fn door_lane(&mut self, flow: FlowId, nodes: &[NodeId], name: &str) -> Lane {
        let doors = &self.rules.flows[flow.index()].doors;
        let known = doors.iter().find(|(doors, _)| doors.as_slice() == nodes);
        if let Some((_, lane)) = known {
            return *lane;
        }
        let lane = self.new_lane(flow, name);
        self.rules.flows[flow.index()].doors.push((SmallVec::from_slice(nodes), lane));
        lane
    }

    pub(super) fn hook(&mut self, flow: FlowId, hook: Hook) -> usize {
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
