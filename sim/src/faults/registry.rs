//! The registry: which fault is where in its life, and what is to be done next. It knows nothing of
//! processes or networks; the engine asks [`Registry::advance`] and carries the moves out, beginning
//! and end alike.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::faults::{Action, At, Placement, check};
use crate::ids::{FaultId, FaultMask, Item, PlaceId, ProcessId};
use crate::node::Point;
use crate::plan::{Location, Plan, PlanError};
use crate::random::{Purpose, Random, mix};
use crate::time::{Span, Time};

/// How often a fault was planned, began, altered something and healed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultCount {
    /// Which fault.
    pub fault: FaultId,
    /// How often it was scheduled, or its points or condition were watched.
    pub armed: u64,
    /// How often it began.
    pub started: u64,
    /// How many events it altered.
    pub fired: u64,
    /// How often it ended.
    pub healed: u64,
}

/// What the engine is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Say that the fault is armed.
    Arm(FaultId),
    /// Begin its actions: all, or those that strike this process.
    Begin(FaultId, Option<ProcessId>),
    /// End them. `true`: nothing of the fault is left.
    End(FaultId, Option<ProcessId>, bool),
    /// Go on with another strength, in thousandths.
    Strength(FaultId, u64),
    /// Let its processes watch its point.
    Watch(FaultId),
    /// No longer.
    Unwatch(FaultId),
    /// A zone-redundant process has moved away from its lost zone.
    BlipOver(FaultId, ProcessId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Arm,
    Open,
    Close,
    Ready,
    Begin(u64),
    /// To this many thousandths, in this activation.
    Strength(u64, u64),
    Blip(ProcessId),
    End(Option<ProcessId>),
}

/// Growing faults reach their full strength in so many steps.
const STEPS: u64 = 10;

/// A point of a recipe that a fault watches.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched {
    /// The processes that run the recipe.
    pub processes: Vec<ProcessId>,
    /// The step.
    pub step: u16,
    /// Its point.
    pub point: Point,
}

/// One fault, ready to be carried out.
#[derive(Clone, Debug)]
struct Scheduled {
    label: u64,
    actions: Arc<Vec<Action>>,
    placement: Arc<Placement>,
    watched: Option<Arc<Watched>>,
    /// Strikes at a point that are left; `None`: no limit.
    left: Option<u32>,
    /// With drawn instants: how many strikes are due at the next pass.
    ready: u32,
    /// How often each item was struck at a point; only those that were.
    struck: BTreeMap<u64, u32>,
    /// Whole activations in force.
    whole: u32,
    /// At which strength it is, in thousandths.
    strength: u64,
    /// All activations in force, those of single processes included.
    active: u32,
    count: FaultCount,
}

/// How many copies wait at a place that some condition is about.
#[derive(Clone, Debug)]
struct Depth {
    place: PlaceId,
    waiting: u64,
    above: u64,
    fault: FaultId,
}

/// All faults of a run.
#[derive(Clone, Debug)]
pub struct Registry {
    faults: Vec<Scheduled>,
    agenda: BinaryHeap<Reverse<(Time, u64, FaultId, Due)>>,
    order: u64,
    depths: Vec<Depth>,
    random: Random,
    begins: Time,
    ends: Time,
}

impl Registry {
    /// The faults of this plan, with every process where the seed has placed it.
    ///
    /// # Errors
    /// If a fault cannot apply.
    pub fn new(plan: &Plan, locations: &[Location], random: Random) -> Result<Registry, Vec<PlanError>> {
        let (begins, ends) = (plan.begins(), plan.ends());
        let mut registry = Registry {
            faults: Vec::new(),
            agenda: BinaryHeap::new(),
            order: 0,
            depths: Vec::new(),
            random,
            begins,
            ends,
        };
        let mut errors = Vec::new();
        for (index, (name, kind)) in plan.blueprint.faults.iter().enumerate() {
            let placement = kind.placement();
            let mut aim = check::aim(plan, index, name, kind, &placement);
            aim.locations = locations;
            let label = aim.label;
            match kind.actions(&aim) {
                Ok(actions) => registry.add(plan, kind.target(), label, actions, placement),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(registry) } else { Err(errors) }
    }

    fn add(&mut self, plan: &Plan, target: &str, label: u64, actions: Vec<Action>, placement: Placement) {
        let fault = FaultId(self.faults.len() as u16);
        let watched = watched(plan, target, &placement, &actions);
        let times = placement.times;
        let scheduled = Scheduled {
            label,
            actions: Arc::new(actions),
            watched: watched.map(Arc::new),
            left: times,
            ready: 0,
            struck: BTreeMap::new(),
            whole: 0,
            strength: 1000,
            active: 0,
            count: FaultCount { fault, ..FaultCount::default() },
            placement: Arc::new(placement),
        };
        self.faults.push(scheduled);
        self.schedule(Time::ZERO, fault, Due::Arm);
        self.place(plan, fault);
    }

    /// Puts the beginnings of a fault on the agenda.
    fn place(&mut self, plan: &Plan, fault: FaultId) {
        let scheduled = &self.faults[fault.index()];
        let placement = Arc::clone(&scheduled.placement);
        let instants = placement.instants(scheduled.label, &self.random, self.begins, self.ends);
        let armed;
        if let Some(condition) = &placement.when {
            armed = 1;
            if let Some(place) = plan.place_named(&condition.entity) {
                self.depths.push(Depth { place, waiting: 0, above: condition.above, fault });
            }
        } else if scheduled.watched.is_some() {
            let from = if placement.is_repeated() {
                self.begins
            } else {
                instants.first().copied().unwrap_or(self.begins)
            };
            self.schedule(from, fault, Due::Open);
            self.schedule(self.ends, fault, Due::Close);
            armed = if placement.is_repeated() { instants.len() as u64 } else { 1 };
            if placement.is_repeated() {
                for at in instants {
                    self.schedule(at, fault, Due::Ready);
                }
            }
        } else {
            armed = instants.len() as u64;
            for (number, at) in instants.into_iter().enumerate() {
                self.schedule(at, fault, Due::Begin(number as u64));
            }
        }
        self.faults[fault.index()].count.armed = armed;
    }

    fn schedule(&mut self, at: Time, fault: FaultId, due: Due) {
        self.order += 1;
        self.agenda.push(Reverse((at, self.order, fault, due)));
    }

    /// When there is something to do next.
    #[must_use]
    pub fn next_due(&self) -> Option<Time> {
        self.agenda.peek().map(|Reverse((at, ..))| *at)
    }

    /// The next thing to do by now, if there is one.
    pub fn advance(&mut self, now: Time) -> Option<Move> {
        while self.next_due().is_some_and(|at| at <= now) {
            let Reverse((_, _, fault, due)) = self.agenda.pop()?;
            if let Some(next) = self.carry_out(fault, due, now) {
                return Some(next);
            }
        }
        None
    }

    fn carry_out(&mut self, fault: FaultId, due: Due, now: Time) -> Option<Move> {
        match due {
            Due::Arm => Some(Move::Arm(fault)),
            Due::Open => Some(Move::Watch(fault)),
            Due::Close => Some(Move::Unwatch(fault)),
            Due::Ready => {
                self.faults[fault.index()].ready += 1;
                None
            }
            Due::Begin(number) => {
                if !self.falls(fault, number) {
                    return None;
                }
                self.begin(fault, None, now).then_some(Move::Begin(fault, None))
            }
            Due::Strength(thousandths, activation) => {
                let scheduled = &self.faults[fault.index()];
                let same = scheduled.whole > 0 && scheduled.count.started == activation;
                same.then_some(Move::Strength(fault, thousandths))
            }
            Due::Blip(process) => Some(Move::BlipOver(fault, process)),
            Due::End(only) => self.end(fault, only),
        }
    }

    /// Whether a timed activation happens at all. Where `chance` is about single items or messages, it
    /// is decided there.
    fn falls(&self, fault: FaultId, number: u64) -> bool {
        let scheduled = &self.faults[fault.index()];
        let by_item =
            |action: &Action| matches!(action, Action::Local(..) | Action::Network(_) | Action::Surge);
        match scheduled.placement.chance {
            Some(chance) if !scheduled.actions.iter().any(by_item) => {
                self.random.chance(chance.0, Purpose::FaultChance, scheduled.label, [number, 1 << 63])
            }
            _ => true,
        }
    }

    /// Books an activation; true if its actions are to begin now.
    fn begin(&mut self, fault: FaultId, only: Option<ProcessId>, now: Time) -> bool {
        let ends = self.ends;
        let scheduled = &mut self.faults[fault.index()];
        scheduled.count.started += 1;
        scheduled.active += 1;
        let activation = scheduled.count.started;
        let placement = Arc::clone(&scheduled.placement);
        // A blow at a hook waits for its item until the end of the run; several of them may wait at once.
        let blow = placement.is_repeated() && placement.lasts.is_none();
        let first = scheduled.whole == 0;
        if only.is_none() {
            scheduled.whole += 1;
        }
        let end = placement.lasts.map_or(ends, |span| (now + span).min(ends));
        let blips: Vec<(ProcessId, Span)> = scheduled
            .actions
            .iter()
            .filter_map(|action| if let Action::Blip(id, span) = action { Some((*id, *span)) } else { None })
            .collect();
        self.schedule(end, fault, Due::End(only));
        if only.is_none() && first {
            for (process, span) in blips {
                self.schedule(now + span, fault, Due::Blip(process));
            }
            if let Some(ramp) = placement.ramp {
                for step in 2..=STEPS {
                    let at = now + ramp.scaled(step - 1, STEPS - 1);
                    self.schedule(at, fault, Due::Strength(1000 * step / STEPS, activation));
                }
            }
        }
        only.is_some() || first || blow
    }

    fn end(&mut self, fault: FaultId, only: Option<ProcessId>) -> Option<Move> {
        let scheduled = &mut self.faults[fault.index()];
        scheduled.count.healed += 1;
        scheduled.active = scheduled.active.saturating_sub(1);
        let over = scheduled.active == 0;
        if only.is_none() {
            scheduled.whole = scheduled.whole.saturating_sub(1);
            if scheduled.whole > 0 {
                return None; // another activation of the same fault is still in force
            }
        }
        Some(Move::End(fault, only, over))
    }

    /// The strength at which a fault begins, in thousandths; it is that from now on.
    pub fn first_strength(&mut self, fault: FaultId) -> u64 {
        let scheduled = &mut self.faults[fault.index()];
        scheduled.strength = if scheduled.placement.ramp.is_some() { 1000 / STEPS } else { 1000 };
        scheduled.strength
    }

    /// The strength at which a fault is, in thousandths.
    #[must_use]
    pub fn strength(&self, fault: FaultId) -> u64 {
        self.faults[fault.index()].strength
    }

    /// The fault has another strength from now on; returns the one before.
    pub fn set_strength(&mut self, fault: FaultId, thousandths: u64) -> u64 {
        std::mem::replace(&mut self.faults[fault.index()].strength, thousandths)
    }

    /// A process passes a point that a fault watches. If the fault strikes, its actions are to begin: for
    /// this process, or (`None`) for all. A redelivery is another run and may survive; so may a request
    /// that is tried again, although neither the item nor the run tell it from the one that was struck.
    pub fn pass(
        &mut self,
        fault: FaultId,
        process: ProcessId,
        item: Item,
        run: u64,
        now: Time,
    ) -> Option<Option<ProcessId>> {
        if now < self.begins || now >= self.ends {
            return None;
        }
        let random = self.random;
        let scheduled = &mut self.faults[fault.index()];
        let placement = Arc::clone(&scheduled.placement);
        let struck = scheduled.struck.get(&item.identity()).copied().unwrap_or(0);
        let chosen = match (placement.chance, placement.nth) {
            (Some(chance), _) => {
                let identity = [item.identity(), mix(run, u64::from(struck))];
                random.chance(chance.0, Purpose::FaultChance, scheduled.label, identity)
            }
            (None, Some(nth)) => struck == 0 && item.number % nth.max(1) == nth.max(1) - 1,
            (None, None) => true,
        };
        if !chosen {
            return None;
        }
        if placement.is_repeated() {
            scheduled.ready = scheduled.ready.checked_sub(1)?;
        } else if let Some(left) = &mut scheduled.left {
            *left = left.checked_sub(1)?;
        }
        *scheduled.struck.entry(item.identity()).or_insert(0) += 1;
        let only = (!placement.all).then_some(process);
        self.begin(fault, only, now).then_some(only)
    }

    /// Whether any condition counts copies.
    #[must_use]
    pub fn counts_copies(&self) -> bool {
        !self.depths.is_empty()
    }

    /// One copy more or less waits at a place. True if a fault's condition came true.
    pub fn count_copy(&mut self, place: PlaceId, more: bool, now: Time) -> bool {
        let mut came_true = Vec::new();
        for depth in self.depths.iter_mut().filter(|depth| depth.place == place) {
            if !more {
                depth.waiting = depth.waiting.saturating_sub(1);
                continue;
            }
            depth.waiting += 1;
            if depth.waiting == depth.above + 1 && now >= self.begins && now < self.ends {
                came_true.push(depth.fault);
            }
        }
        for fault in &came_true {
            let scheduled = &mut self.faults[fault.index()];
            let started = scheduled.count.started;
            let from = match scheduled.placement.at {
                Some(At::Instant(span)) => self.begins + span,
                _ => self.begins,
            };
            // Once, unless it says how often.
            if now >= from
                && started < u64::from(scheduled.placement.times.unwrap_or(1))
                && scheduled.active == 0
            {
                self.schedule(now, *fault, Due::Begin(started));
            }
        }
        !came_true.is_empty()
    }

    /// What a fault does.
    #[must_use]
    pub fn actions(&self, fault: FaultId) -> Arc<Vec<Action>> {
        Arc::clone(&self.faults[fault.index()].actions)
    }

    /// The point that it watches.
    #[must_use]
    pub fn watched(&self, fault: FaultId) -> Option<Arc<Watched>> {
        self.faults[fault.index()].watched.clone()
    }

    /// Whether probes do not see it.
    #[must_use]
    pub fn is_hidden(&self, fault: FaultId) -> bool {
        self.faults[fault.index()].placement.hidden
    }

    /// Counts alterations by a fault; true if they are the first since it began last.
    pub fn fired(&mut self, fault: FaultId, times: u64) -> bool {
        let count = &mut self.faults[fault.index()].count;
        let first = count.fired == 0;
        count.fired += times;
        first
    }

    /// The faults that are in force.
    #[must_use]
    pub fn active(&self) -> FaultMask {
        let active = self.faults.iter().filter(|fault| fault.active > 0);
        active.fold(FaultMask::NONE, |mask, fault| mask.and(FaultMask::of(fault.count.fault)))
    }

    /// The counts of every fault, in file order.
    pub fn counts(&self) -> impl Iterator<Item = FaultCount> + '_ {
        self.faults.iter().map(|fault| fault.count)
    }
}

/// The point that a placement names, and who passes it.
fn watched(plan: &Plan, target: &str, placement: &Placement, actions: &[Action]) -> Option<Watched> {
    let (step, point) = placement.point()?;
    let nodes = plan.nodes_of(target);
    let step = plan.step_index(*nodes.first()?, step)?;
    let mut processes: Vec<ProcessId> = actions.iter().filter_map(Action::process).collect();
    if processes.is_empty() {
        let all = nodes.iter().flat_map(|node| plan.processes_of(*node));
        processes = all.filter(|(_, info)| info.runs_recipe).map(|(id, _)| id).collect();
    }
    Some(Watched { processes, step, point })
}
