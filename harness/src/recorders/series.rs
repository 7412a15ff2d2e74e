//! What a run did over time: counts in bins.

use std::collections::BTreeMap;

use beaufort_reports::series::{
    CallSeries, DoorSeries, PlaceKind, PlaceSeries, RunSeries, Series, SignSeries, latency_bucket,
};
use beaufort_sim::ids::{Address, CallId, Item, NodeId, PlaceId, ProcessId};
use beaufort_sim::observe::{Observation, Outcome, Sink, Symptom, What};
use beaufort_sim::plan::{PlaceRole, Plan};
use beaufort_sim::time::Time;
use rustc_hash::{FxHashMap, FxHashSet};

use super::Bins;
use super::health::Health;
use super::order::Orders;
use super::rows::sign as sign_word;
use crate::judges::sends;

/// So many calls in vain are remembered, to tell repetitions from first attempts.
const MOST_IN_VAIN: usize = 1_000_000;

/// A door, while the run goes on.
#[derive(Clone, Debug, Default)]
struct Door {
    offered: Vec<u64>,
    ok: Vec<u64>,
    refused: Vec<u64>,
    failed: Vec<u64>,
    unknown: Vec<u64>,
    latency: Vec<BTreeMap<u16, u32>>,
}

#[derive(Clone, Debug, Default)]
struct Place {
    came: Vec<u64>,
    left: Vec<u64>,
    absorbed: Vec<u64>,
    shadows: Vec<i64>,
}

#[derive(Clone, Debug, Default)]
struct Calls {
    sent: Vec<u64>,
    ok: Vec<u64>,
    retries: Vec<u64>,
}

#[derive(Clone, Debug, Default)]
struct Runs {
    started: Vec<u64>,
    done: Vec<u64>,
    failed: Vec<u64>,
    /// A run with a batch begins and ends once for every item; it is one run.
    under_way: FxHashSet<(ProcessId, u64)>,
}

/// A call about an item: who makes it, and to whom.
type Attempt = (NodeId, Address, u64);

/// Counts what happens, bin by bin.
#[derive(Clone, Debug)]
pub(crate) struct SeriesRecorder {
    bins: Bins,
    /// By process: its node.
    nodes: Vec<NodeId>,
    doors: BTreeMap<NodeId, Door>,
    places: BTreeMap<PlaceId, Place>,
    calls: BTreeMap<Address, Calls>,
    under_way: FxHashMap<CallId, Attempt>,
    in_vain: FxHashSet<Attempt>,
    signs: BTreeMap<(NodeId, u8), (Symptom, Vec<u64>)>,
    runs: BTreeMap<NodeId, Runs>,
    health: Health,
    order: Orders,
}

/// Adds to a series, which is made of zeros when it is first needed.
fn add<T: Copy + Default + std::ops::AddAssign>(series: &mut Vec<T>, bins: &Bins, at: Time, more: T) {
    if series.is_empty() {
        *series = bins.zeros();
    }
    series[bins.of(at)] += more;
}

/// What a place is for.
pub(super) fn role(plan: &Plan, place: PlaceId) -> PlaceKind {
    match plan.place(place).role {
        PlaceRole::Queue => PlaceKind::Queue,
        PlaceRole::DeadLetter => PlaceKind::DeadLetter,
        PlaceRole::Effect => PlaceKind::Effect,
    }
}

impl SeriesRecorder {
    pub(crate) fn new(plan: &Plan, bins: Bins) -> SeriesRecorder {
        SeriesRecorder {
            bins,
            nodes: plan.processes.iter().map(|process| process.node).collect(),
            doors: BTreeMap::new(),
            places: BTreeMap::new(),
            calls: BTreeMap::new(),
            under_way: FxHashMap::default(),
            in_vain: FxHashSet::default(),
            signs: BTreeMap::new(),
            runs: BTreeMap::new(),
            health: Health::new(plan),
            order: Orders::new(plan),
        }
    }

    fn concluded(&mut self, door: NodeId, outcome: Outcome, offered: Time, now: Time) {
        let bins = self.bins;
        let door = self.doors.entry(door).or_default();
        let series = match outcome {
            Outcome::Ok => &mut door.ok,
            Outcome::Refused => &mut door.refused,
            Outcome::Failed => &mut door.failed,
            Outcome::Unknown => &mut door.unknown,
        };
        add(series, &bins, offered, 1);
        if outcome == Outcome::Ok {
            if door.latency.is_empty() {
                door.latency = bins.zeros();
            }
            *door.latency[bins.of(offered)]
                .entry(latency_bucket(now.since(offered).as_secs_f64()))
                .or_default() += 1;
        }
    }

    fn sent(&mut self, call: CallId, to: Address, seen: &Observation) {
        let attempt = (self.nodes[seen.process.index()], to, seen.item.identity());
        let calls = self.calls.entry(to).or_default();
        add(&mut calls.sent, &self.bins, seen.at, 1);
        if self.in_vain.remove(&attempt) {
            add(&mut calls.retries, &self.bins, seen.at, 1);
        }
        self.under_way.insert(call, attempt);
    }

    fn answered(&mut self, call: CallId, outcome: Outcome, seen: &Observation) {
        let Some(attempt) = self.under_way.remove(&call) else { return };
        if outcome == Outcome::Ok {
            let calls = self.calls.entry(attempt.1).or_default();
            add(&mut calls.ok, &self.bins, seen.at, 1);
        } else if self.in_vain.len() < MOST_IN_VAIN && attempt.2 != Item::default().identity() {
            self.in_vain.insert(attempt);
        }
    }

    fn run(&mut self, seen: &Observation, run: u64, ended: Option<bool>) {
        let runs = self.runs.entry(self.nodes[seen.process.index()]).or_default();
        let key = (seen.process, run);
        match ended {
            None if runs.under_way.insert(key) => add(&mut runs.started, &self.bins, seen.at, 1),
            Some(true) if runs.under_way.remove(&key) => add(&mut runs.done, &self.bins, seen.at, 1),
            Some(false) if runs.under_way.remove(&key) => add(&mut runs.failed, &self.bins, seen.at, 1),
            _ => {}
        }
    }

    /// What came of it, at the end of the run.
    pub(crate) fn finish(self, plan: &Plan, end: Time) -> Series {
        let bins = self.bins;
        let full = |series: Vec<u64>| if series.is_empty() { bins.zeros() } else { series };
        let node = |node: &NodeId| plan.nodes[node.index()].name.clone();
        let doors = self.doors.into_iter().map(|(door, counts)| DoorSeries {
            door: node(&door),
            offered: full(counts.offered),
            ok: full(counts.ok),
            refused: full(counts.refused),
            failed: full(counts.failed),
            unknown: full(counts.unknown),
            latency: counts.latency.into_iter().map(|bin| bin.into_iter().collect()).collect(),
        });
        let places = self.places.into_iter().map(|(place, counts)| PlaceSeries {
            place: plan.place(place).name.clone(),
            role: role(plan, place),
            came: full(counts.came),
            left: full(counts.left),
            absorbed: counts.absorbed,
            shadows: counts.shadows,
        });
        let calls = self.calls.into_iter().map(|(target, counts)| CallSeries {
            target: sends::name(plan, target),
            sent: full(counts.sent),
            ok: full(counts.ok),
            retries: full(counts.retries),
        });
        let signs = self.signs.into_iter().map(|((at, _), (sign, count))| SignSeries {
            node: node(&at),
            sign: sign_word(sign).to_owned(),
            count,
        });
        let runs = self.runs.into_iter().map(|(of, counts)| RunSeries {
            node: node(&of),
            started: full(counts.started),
            done: full(counts.done),
            failed: full(counts.failed),
        });
        Series {
            start: bins.start,
            step: bins.step(),
            bins: bins.count as u32,
            doors: doors.collect(),
            places: places.collect(),
            calls: calls.collect(),
            signs: signs.collect(),
            runs: runs.collect(),
            lanes: self.health.finish(plan, end),
            order: self.order.finish(plan),
            limits: Vec::new(),
        }
    }
}

impl Sink for SeriesRecorder {
    fn observe(&mut self, seen: &Observation) {
        let (bins, now) = (self.bins, seen.at);
        self.health.observe(seen);
        self.order.observe(seen);
        match seen.what {
            What::Offered { door } => add(&mut self.doors.entry(door).or_default().offered, &bins, now, 1),
            What::Concluded { door, outcome, offered } => self.concluded(door, outcome, offered, now),
            What::Sent { call, to } => self.sent(call, to, seen),
            What::Answered { call, outcome } => self.answered(call, outcome, seen),
            What::Born { place, .. } => add(&mut self.places.entry(place).or_default().came, &bins, now, 1),
            What::Ended { place, .. } => add(&mut self.places.entry(place).or_default().left, &bins, now, 1),
            What::Moved { from, to, .. } => {
                add(&mut self.places.entry(from).or_default().left, &bins, now, 1);
                add(&mut self.places.entry(to).or_default().came, &bins, now, 1);
            }
            What::Absorbed { place } => {
                add(&mut self.places.entry(place).or_default().absorbed, &bins, now, 1);
            }
            What::Shadow { place, held } => {
                let more = if held { 1 } else { -1 };
                add(&mut self.places.entry(place).or_default().shadows, &bins, now, more);
            }
            What::Symptom(symptom) | What::Trouble { symptom, .. } => {
                let key = (self.nodes[seen.process.index()], symptom as u8);
                let entry = self.signs.entry(key).or_insert((symptom, Vec::new()));
                add(&mut entry.1, &bins, now, 1);
            }
            What::RunStarted { run } => self.run(seen, run, None),
            What::RunEnded { run, done } => self.run(seen, run, Some(done)),
            _ => {}
        }
    }
}
