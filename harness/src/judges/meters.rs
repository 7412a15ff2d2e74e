//! What is measured for the objectives while the world runs.

use beaufort_sim::ids::{FaultId, Item, NodeId, PlaceId, ProcessId, StreamId};
use beaufort_sim::observe::{End, Observation, Outcome, What};
use beaufort_sim::plan::Plan;
use beaufort_sim::time::Time;
use rustc_hash::FxHashMap;

use super::config::While;
use super::copies::Copies;
use super::durations::Durations;
use super::recovery::{Backlog, Interruption, Suffering};
use super::rules::{Goal, Measure};
use super::tail::Tail;
use super::weather::{Level, Weather};

/// So many items without success are kept.
const EXAMPLES: usize = 5;

/// What is measured for one objective.
#[derive(Clone, Debug)]
pub(super) enum Meter {
    Share {
        offered: u64,
        concluded: u64,
        good: u64,
        counted: u64,
        /// The first items without success.
        bad: Vec<Concluded>,
    },
    Durations(Durations),
    Suffering(Suffering),
    /// `open`: items that are accepted and have not had their effect. `peak`: the highest backlog ever seen.
    Backlogs {
        open: i64,
        peak: i64,
        level: Level,
        backlogs: Vec<Backlog>,
    },
    Runs {
        under_way: FxHashMap<u64, Time>,
        durations: Durations,
    },
    Tail(Box<Tail>),
    Interruption(Interruption),
    Nothing,
}

/// All objectives of a run.
#[derive(Clone, Debug)]
pub(crate) struct Meters {
    pub(super) meters: Vec<Meter>,
    begins: Time,
    /// Whether a late effect makes an item of some door a bad one.
    delays: bool,
    /// Whether anybody asks what a failover loses.
    tails: bool,
}

impl Meters {
    pub(crate) fn new(goals: &[Goal], plan: &Plan) -> Meters {
        let meter = |goal: &Goal| match goal.measure {
            Measure::Availability(_) => {
                Meter::Share { offered: 0, concluded: 0, good: 0, counted: 0, bad: Vec::new() }
            }
            Measure::Latency(_) | Measure::Delay => Meter::Durations(Durations::new()),
            Measure::Recovery { .. } => Meter::Suffering(Suffering::default()),
            Measure::Drain { .. } => {
                Meter::Backlogs { open: 0, peak: 0, level: Level::default(), backlogs: Vec::new() }
            }
            Measure::Duration(_) => {
                Meter::Runs { under_way: FxHashMap::default(), durations: Durations::new() }
            }
            Measure::DeadLetters { .. } => Meter::Nothing,
            Measure::RecoveryPoint { .. } => Meter::Tail(Box::default()),
            Measure::Interruption { .. } => Meter::Interruption(Interruption::default()),
        };
        let late =
            |goal: &Goal| matches!(&goal.measure, Measure::Recovery { delays, .. } if !delays.is_empty());
        let delays = goals.iter().any(late);
        let tails = goals.iter().any(|goal| matches!(goal.measure, Measure::RecoveryPoint { .. }));
        Meters { meters: goals.iter().map(meter).collect(), begins: plan.begins(), delays, tails }
    }

    /// A copy comes to be.
    pub(crate) fn born(&mut self, goals: &[Goal], place: PlaceId, item: Item, event: u64, now: Time) {
        self.tails(goals, place, |tail| tail.born(item.identity(), event, now));
    }

    /// A callee dealt with a call, and a caller knows how its call ended.
    #[inline]
    pub(crate) fn called(&mut self, seen: &Observation) {
        if !self.tails {
            return;
        }
        for meter in &mut self.meters {
            match (meter, seen.what) {
                (Meter::Tail(tail), What::Handled { call, .. }) => {
                    tail.handled(call, seen.item.identity(), seen.event, seen.at);
                }
                (Meter::Tail(tail), What::Answered { call, outcome }) => {
                    tail.answered(call, outcome == Outcome::Ok, seen.event, seen.at);
                }
                _ => {}
            }
        }
    }

    /// A copy ends.
    pub(crate) fn ended(&mut self, goals: &[Goal], place: PlaceId, item: Item, cause: End) {
        if matches!(cause, End::Destroyed | End::FailoverTail) {
            self.tails(goals, place, |tail| tail.destroyed(item.identity()));
        }
    }

    #[inline]
    fn tails(&mut self, goals: &[Goal], place: PlaceId, act: impl Fn(&mut Tail)) {
        if !self.tails {
            return;
        }
        for (meter, goal) in self.meters.iter_mut().zip(goals) {
            if let (Meter::Tail(tail), Measure::RecoveryPoint { places, .. }) = (meter, &goal.measure)
                && places.contains(&place)
            {
                act(tail);
            }
        }
    }

    /// An item is offered at a door.
    pub(crate) fn offered(&mut self, goals: &[Goal], door: NodeId, at: Time) {
        if at < self.begins {
            return;
        }
        for (meter, goal) in self.meters.iter_mut().zip(goals) {
            if let (Meter::Share { offered, .. }, Measure::Availability(node)) = (meter, &goal.measure)
                && *node == door
            {
                *offered += 1;
            }
        }
    }

    /// A caller is done with an item.
    pub(crate) fn concluded(&mut self, goals: &[Goal], weather: &Weather, done: Concluded) {
        let Concluded { door, item, offered: since, now, outcome } = done;
        if since < self.begins {
            return;
        }
        for (meter, goal) in self.meters.iter_mut().zip(goals) {
            match (meter, &goal.measure) {
                (Meter::Share { concluded, good, counted, bad, .. }, Measure::Availability(node))
                    if *node == door =>
                {
                    *concluded += 1;
                    if counts(goal.during, weather, since, now) {
                        *counted += 1;
                        *good += u64::from(outcome == Outcome::Ok);
                        if outcome != Outcome::Ok && bad.len() < EXAMPLES {
                            bad.push(done);
                        }
                    }
                }
                (Meter::Durations(durations), Measure::Latency(node))
                    if *node == door
                        && outcome == Outcome::Ok
                        && counts(goal.during, weather, since, now) =>
                {
                    durations.record(now.since(since));
                }
                (Meter::Suffering(suffering), Measure::Recovery { door: node, from, bound, .. })
                    if *node == door && (from.is_empty() || from.contains(&item.stream)) =>
                {
                    let late = bound.is_some_and(|bound| now.since(since) > bound);
                    if outcome != Outcome::Ok || late {
                        suffering.bad(since);
                    } else {
                        suffering.good(since);
                    }
                }
                (Meter::Interruption(seen), Measure::Interruption { door: node, .. }) if *node == door => {
                    seen.item(since, outcome == Outcome::Ok);
                }
                _ => {}
            }
        }
    }

    /// A delay was measured by its hook.
    pub(crate) fn delay(
        &mut self,
        goals: &[Goal],
        weather: &Weather,
        objective: usize,
        from: Time,
        to: Time,
    ) {
        if from < self.begins || !counts(goals[objective].during, weather, from, to) {
            return;
        }
        if let Some(Meter::Durations(durations)) = self.meters.get_mut(objective) {
            durations.record(to.since(from));
        }
    }

    /// An item that was accepted at `from` had its effects at `to`, or at the end of the run had not: where
    /// that is beyond the bound of the delay, it is a bad item of the door that accepted it.
    pub(crate) fn late(&mut self, goals: &[Goal], objective: usize, stream: StreamId, from: Time, to: Time) {
        if !self.delays || from < self.begins {
            return;
        }
        for (meter, goal) in self.meters.iter_mut().zip(goals) {
            if let (Meter::Suffering(suffering), Measure::Recovery { from: streams, delays, .. }) =
                (meter, &goal.measure)
                && delays.iter().any(|(of, bound)| *of == objective && to.since(from) > *bound)
                && (streams.is_empty() || streams.contains(&stream))
            {
                suffering.bad(from);
            }
        }
    }

    /// An item with a delay was still on the way when the run ended.
    pub(crate) fn endless(
        &mut self,
        goals: &[Goal],
        weather: &Weather,
        objective: usize,
        from: Time,
        end: Time,
    ) {
        if from < self.begins || !counts(goals[objective].during, weather, from, end) {
            return;
        }
        if let Some(Meter::Durations(durations)) = self.meters.get_mut(objective) {
            durations.endless += 1;
        }
    }

    /// An item joins the backlog between two points, or leaves it.
    pub(crate) fn waits(&mut self, objective: usize, more: i64) {
        if let Some(Meter::Backlogs { open, .. }) = self.meters.get_mut(objective) {
            *open += more;
        }
    }

    /// A timed sample of the backlogs; `all` is that of every queue.
    pub(crate) fn sample(&mut self, goals: &[Goal], copies: &Copies, all: i64, now: Time) {
        for (meter, goal) in self.meters.iter_mut().zip(goals) {
            match (meter, &goal.measure) {
                (Meter::Suffering(suffering), _) => suffering.sample(all, now),
                (Meter::Backlogs { open, peak, level, backlogs }, Measure::Drain { places, .. }) => {
                    let depth = *open + places.iter().map(|place| copies.depth(*place)).sum::<i64>();
                    *peak = (*peak).max(depth);
                    level.sample(depth);
                    backlogs.iter_mut().for_each(|backlog| backlog.sample(depth, now));
                }
                _ => {}
            }
        }
    }

    /// A fault begins or is healed.
    pub(crate) fn fault(&mut self, goals: &[Goal], fault: FaultId, starts: bool, (event, now): (u64, Time)) {
        for (meter, goal) in self.meters.iter_mut().zip(goals) {
            match (meter, &goal.measure) {
                (Meter::Suffering(suffering), Measure::Recovery { fault: of, .. }) if *of == fault => {
                    if starts {
                        suffering.begin(now)
                    } else {
                        suffering.heal(now)
                    }
                }
                (Meter::Backlogs { level, backlogs, .. }, Measure::Drain { fault: of, .. })
                    if *of == fault =>
                {
                    if starts {
                        backlogs.push(Backlog::new(level.normal()));
                    } else if let Some(backlog) = backlogs.last_mut() {
                        backlog.heal(now);
                    }
                }
                (Meter::Tail(tail), Measure::RecoveryPoint { fault: of, .. }) if *of == fault && starts => {
                    tail.begin(event, now);
                }
                _ => {}
            }
        }
    }

    /// A run begins or ends.
    pub(crate) fn run(
        &mut self,
        goals: &[Goal],
        plan: &Plan,
        process: ProcessId,
        run: u64,
        ends: bool,
        now: Time,
    ) {
        for (meter, goal) in self.meters.iter_mut().zip(goals) {
            let (under_way, durations, node) = match (meter, &goal.measure) {
                (Meter::Runs { under_way, durations }, Measure::Duration(node)) => {
                    (under_way, durations, node)
                }
                (Meter::Interruption(seen), Measure::Interruption { apps, .. }) => {
                    if apps.contains(&plan.process(process).node) {
                        seen.run(process, run, ends, now);
                    }
                    continue;
                }
                _ => continue,
            };
            if plan.process(process).node != *node {
                continue;
            }
            if !ends {
                under_way.entry(run).or_insert(now);
            } else if let Some(since) = under_way.remove(&run)
                && since >= self.begins
            {
                durations.record(now.since(since));
            }
        }
    }
}

/// An item that its caller is done with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Concluded {
    pub(crate) door: NodeId,
    pub(crate) item: Item,
    pub(crate) offered: Time,
    pub(crate) now: Time,
    pub(crate) outcome: Outcome,
}

fn counts(during: While, weather: &Weather, from: Time, to: Time) -> bool {
    match during {
        While::All => true,
        While::Calm => !weather.troubled(from, to),
        While::Faults => weather.troubled(from, to),
    }
}
