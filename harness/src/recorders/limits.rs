//! How near each node came to its limits: all gauges of the world, looked at between its steps. Unlike the other
//! recorders it needs the world itself, which no engine but the native one can show.
//!
//! It looks at the end of every second (of every bin where these are shorter; at fewer instants where the run takes
//! days): what is granted second by second is then used as far as it will be.

use std::collections::BTreeMap;

use beaufort_reports::series::LimitSeries;
use beaufort_sim::ids::{NodeId, PlaceId, ProcessId};
use beaufort_sim::kernel::World;
use beaufort_sim::node::Gauge;
use beaufort_sim::plan::Plan;
use beaufort_sim::time::{Span, Time};

use super::Bins;
use crate::judges::naming::scenario_seconds;

/// It looks at most so often.
const MOST_LOOKS: u64 = 100_000;
/// A limit of which no more was ever used is left out.
const LEAST: f64 = 0.01;

/// A limit of a node, or of a part of it. Of instances of a node that have the same limit each, the one counts
/// that uses most of it.
type Key = (NodeId, &'static str, Option<PlaceId>);

/// What is known about one limit.
#[derive(Clone, Debug)]
struct Track {
    /// The most used gauge of this look.
    now: Option<Gauge>,
    /// The most used one of all, and when that was.
    peak: (Gauge, Time),
    /// When it was reached first.
    reached: Option<Time>,
    /// In how many looks it was.
    at_limit: u64,
    /// The sum of the shares, while load came.
    sum: f64,
    /// The highest share, bin by bin.
    shares: Vec<f64>,
}

/// Looks at all limits while a run goes on.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    bins: Bins,
    /// Until when load comes.
    ends: Time,
    /// How far looks are apart.
    every: Span,
    /// The end of the stretch at which it looks next.
    next: Time,
    /// By process: its node.
    nodes: Vec<NodeId>,
    /// How often it looked while load came.
    loaded: u64,
    tracks: BTreeMap<Key, Track>,
}

impl Limits {
    pub(crate) fn new(plan: &Plan, bins: Bins) -> Limits {
        let every = apart(&bins);
        Limits {
            bins,
            ends: plan.ends(),
            every,
            next: Time::ZERO + every,
            nodes: plan.processes.iter().map(|process| process.node).collect(),
            loaded: 0,
            tracks: BTreeMap::new(),
        }
    }

    /// Before the world goes to its next event: looks at every instant until then whose turn it is.
    #[inline]
    pub(crate) fn look(&mut self, world: &World, until: Time) {
        while self.next <= until {
            self.look_at(world, self.next);
            self.next += self.every;
        }
    }

    /// One look, just before this instant.
    fn look_at(&mut self, world: &World, end: Time) {
        world.gauges(Time(end.0 - 1), &mut |process, gauge| self.seen(process, gauge, end));
        let (bin, loaded) = (self.bins.of(Time(end.0 - 1)), end <= self.ends);
        self.loaded += u64::from(loaded);
        for track in self.tracks.values_mut() {
            if let Some(gauge) = track.now.take() {
                track.note(gauge, end, bin, loaded);
            }
        }
    }

    fn seen(&mut self, process: ProcessId, gauge: Gauge, at: Time) {
        let key = (self.nodes[process.index()], gauge.name, gauge.part);
        let (bins, idle) = (self.bins, Gauge { used: 0.0, ..gauge });
        let track = self.tracks.entry(key).or_insert_with(|| Track::new(idle, at, &bins));
        if track.now.is_none_or(|most| most.share() < gauge.share()) {
            track.now = Some(gauge);
        }
    }

    /// What came of it: the limits of which something was used.
    pub(crate) fn finish(self, plan: &Plan) -> Vec<LimitSeries> {
        let looks = (self.every.as_secs_f64(), self.loaded.max(1) as f64);
        let used = self.tracks.into_iter().filter(|(_, track)| track.peak.0.share() > LEAST);
        used.map(|(key, track)| track.told(key, plan, looks)).collect()
    }
}

/// How far looks are apart: a second, a bin where that is shorter, more seconds where the run is long.
fn apart(bins: &Bins) -> Span {
    let second = Span::secs(1);
    let total = bins.width().0 / second.0 * bins.count as u64;
    bins.width().min(second.times(total.div_ceil(MOST_LOOKS).max(1)))
}

/// A share as the document has it: to a hundredth of a per cent.
fn rounded(share: f64) -> f64 {
    (share * 1e4).round() / 1e4
}

impl Track {
    fn new(gauge: Gauge, at: Time, bins: &Bins) -> Track {
        Track { now: None, peak: (gauge, at), reached: None, at_limit: 0, sum: 0.0, shares: bins.zeros() }
    }

    fn note(&mut self, gauge: Gauge, at: Time, bin: usize, loaded: bool) {
        let share = rounded(gauge.share());
        if share > self.peak.0.share() {
            self.peak = (gauge, at);
        }
        if share >= 1.0 {
            self.reached.get_or_insert(at);
            self.at_limit += 1;
        }
        if loaded {
            self.sum += share;
        }
        self.shares[bin] = share.max(self.shares[bin]);
    }

    /// `every`, `loaded`: how many seconds looks are apart, and how many there were while load came.
    fn told(self, (node, limit, part): Key, plan: &Plan, (every, loaded): (f64, f64)) -> LimitSeries {
        let (peak, at) = self.peak;
        LimitSeries {
            node: part.map_or(&plan.nodes[node.index()].name, |part| &plan.place(part).name).clone(),
            limit: limit.to_owned(),
            unit: peak.counted_in(),
            most: peak.limit,
            used: peak.used,
            peak: rounded(peak.share()),
            peak_at: scenario_seconds(plan, at),
            mean: rounded(self.sum / loaded),
            first_reached: self.reached.map(|at| scenario_seconds(plan, at)),
            seconds_at_limit: self.at_limit as f64 * every,
            share: self.shares,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judges::golden::plan;
    use crate::scenario::load::load;

    fn at(seconds: u64) -> Time {
        Time::ZERO + Span::secs(seconds)
    }

    #[test]
    fn looks_are_a_second_apart_unless_bins_are_shorter_or_the_run_is_long() {
        let plan = plan();
        let apart = |until: Time| apart(&Bins::until(&plan, until));
        assert_eq!(apart(Time(1)), Span::millis(10));
        assert_eq!(apart(at(90)), Span::millis(500));
        assert_eq!(apart(at(3 * 3600)), Span::secs(1));
        assert_eq!(apart(at(40 * 86_400)), Span::secs(35), "forty days at no more than 100,000 looks");
    }

    #[test]
    fn of_each_limit_the_fullest_instance_counts_and_what_was_hardly_used_is_left_out() {
        let loaded = load("order-flow", &[]).unwrap_or_else(|refused| panic!("{refused:?}"));
        let plan = loaded.resolve(None).expect("resolves").plan;
        let mut limits = Limits::new(&plan, Bins::until(&plan, at(2000)));
        let process = ProcessId(0);
        let runs = |used| Gauge::level("runs", "runs", used, 4);
        for (second, used) in [(1, [1, 2]), (2, [4, 0]), (3, [0, 5]), (4, [0, 0])] {
            for used in used {
                limits.seen(process, runs(used), at(second));
            }
            limits.seen(process, Gauge::level("connections", "connections", 10, 1000), at(second));
            limits.loaded += 1;
            for track in limits.tracks.values_mut() {
                let gauge = track.now.take().expect("it was looked at");
                track.note(gauge, at(second), usize::from(second > 2), true);
            }
        }
        let told = limits.finish(&plan);
        let [runs] = &told[..] else { panic!("{told:?}") };
        let start = scenario_seconds(&plan, Time::ZERO);
        assert_eq!((runs.limit.as_str(), runs.unit.as_str(), runs.most), ("runs", "runs", 4.0));
        assert_eq!((runs.used, runs.peak, runs.peak_at), (5.0, 1.25, start + 3.0));
        assert_eq!((runs.first_reached, runs.seconds_at_limit), (Some(start + 2.0), 2.0));
        assert_eq!((runs.mean, &runs.share[..3]), (0.6875, &[1.0, 1.25, 0.0][..]));
    }
}
