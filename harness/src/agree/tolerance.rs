//! How far two engines may be apart before it means something. The tolerance is measured on the hosted run,
//! not declared: it follows from how late that engine let inputs happen.
//!
//! **Durations** (`latency`, `delay`, `duration`). The time that an item takes is the sum over a chain of
//! inputs (messages, timers), each the cause of the next. Each is taken at most *the greatest lateness of the
//! run* after it was due, so the sum is off by at most that times the length of the chain; the length is
//! bounded by the number of inputs that the run needed for an item on average (`events_per_item`: it counts
//! every input of the item and its share of probes and polls). A quantile of durations that are each off by
//! at most so much is itself off by at most so much.
//!
//! **Recovery and drain times** begin or end at an item or at a sample: they are off by the same, plus the
//! distance of two items at the door (`recovery-time`: the last bad item may be one further) or of two
//! samples of the backlog (`drain-time`: one second).
//!
//! **Shares and counts** (`availability`, `dead-letters`) change when an item's outcome flips. Lateness can
//! flip it only where something begins or ends while the item passes: at an *edge*, the beginning or end of
//! a fault. At each edge these are the items that come through within the tolerance of a duration before and
//! after it, and one more. So `flips = edges x (1 + 2 x rate x duration tolerance)`.
//!
//! Without any late input the tolerance is zero: then the engines must say the same.
//!
//! What this does not cover: an input that is late by a microsecond can come second where it was first, and
//! then another replica takes an item, another retry wins, a breaker opens or does not. Such a run is as right
//! as the other one, but may differ by more than the bound above, and in a contract. Whether a line turns on
//! that is measured too ([`super::weigh`]): the native engine runs the seed a few times more with its messages
//! delayed by less than the other engine's lateness ([`disturbances`]). If it comes to the other's verdict
//! by itself, the line is too close to call; if it stands by its own each time, the engines differ.

use beaufort_reports::{FaultResult, SeedResult};

use crate::judges::config::{ItemsOrAge, Objective};
use crate::scenario::resolve::Resolved;

/// Backlogs are sampled at this distance, in seconds.
const SAMPLE: f64 = 1.0;
/// A results document keeps so many windows of a fault at most.
const MOST_WINDOWS: usize = 20;

/// The tolerance of the comparison of two runs of one seed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tolerance {
    /// Of a duration, in seconds.
    pub duration: f64,
    /// Of a share or a count, in items.
    pub flips: f64,
    /// How far apart two items are at the door on average, in seconds; zero where nothing was late.
    pub gap: f64,
    /// How far apart two samples are, in seconds; zero where nothing was late.
    pub sample: f64,
}

impl Tolerance {
    /// From the lateness of either run; the native one has none.
    #[must_use]
    pub fn measured(resolved: &Resolved, native: &SeedResult, other: &SeedResult) -> Tolerance {
        let runs = [native, other];
        let late = runs.iter().filter_map(|run| run.lateness.as_ref());
        let latest = late.map(|lateness| lateness.max).fold(0.0, f64::max);
        if latest <= 0.0 {
            return Tolerance::default();
        }
        let chain = runs.iter().map(|run| run.events_per_item).fold(1.0, f64::max).ceil();
        let duration = latest * chain;
        let time = resolved.scenario.time;
        let loaded = (time.warmup + time.run).as_secs_f64();
        let offered = runs.iter().map(|run| run.offered()).max().unwrap_or(0) as f64;
        let rate = if loaded > 0.0 { offered / loaded } else { 0.0 };
        let edges = runs.iter().map(|run| edges(&run.faults)).max().unwrap_or(0) as f64;
        Tolerance {
            duration,
            flips: edges * (1.0 + 2.0 * rate * duration),
            gap: if rate > 0.0 { 1.0 / rate } else { 0.0 },
            sample: SAMPLE,
        }
    }

    /// Of this objective's numbers, when so many items, runs or occurrences were measured.
    #[must_use]
    pub fn of(&self, objective: &Objective, samples: u64) -> f64 {
        match objective {
            Objective::Latency(_) | Objective::Delay(_) | Objective::Duration(_) => self.duration,
            Objective::Interruption(_) => self.duration + self.gap,
            Objective::RecoveryPoint(o) => match o.below {
                ItemsOrAge::Items(_) => self.flips,
                ItemsOrAge::Age(_) => self.duration + self.gap,
            },
            Objective::RecoveryTime(_) => self.duration + self.gap,
            Objective::DrainTime(_) => self.duration + self.sample,
            Objective::Availability(_) => self.flips / samples.max(1) as f64,
            Objective::DeadLetters(_) => self.flips,
        }
    }
}

/// The greatest delays of messages, in seconds, by which the native engine is disturbed to see whether a line
/// turns on so little: what one input in a hundred of that run had, at least a microsecond, and fractions.
pub fn disturbances(other: &SeedResult) -> impl Iterator<Item = f64> {
    const TIMES: u32 = 8;
    let late = other.lateness.as_ref().map(|lateness| lateness.p99.max(1e-6));
    late.into_iter().flat_map(|late| (1..=TIMES).map(move |part| late / f64::from(part)))
}

/// How often a fault began or ended.
fn edges(faults: &[FaultResult]) -> u64 {
    let windows = |fault: &FaultResult| match fault.windows.len() {
        // There may have been more; each of them altered something.
        MOST_WINDOWS.. => fault.fired.max(MOST_WINDOWS as u64),
        few => few as u64,
    };
    faults.iter().map(|fault| 2 * windows(fault)).sum()
}

/// A bound of an objective.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bound {
    /// The name of its number in the results.
    pub(super) label: &'static str,
    /// In seconds, as a share or a count.
    pub(super) value: f64,
    /// Whether more is better.
    floor: bool,
}

impl Bound {
    pub(super) fn met(&self, achieved: f64) -> bool {
        if self.floor { achieved >= self.value } else { achieved <= self.value }
    }
}

/// The bounds that a scenario writes.
pub(super) fn bounds(objective: &Objective) -> Vec<Bound> {
    let most = |label, value| Bound { label, value, floor: false };
    let quantiles = |bounds: [Option<beaufort_sim::time::Span>; 4]| {
        let all = ["p50", "p95", "p99", "max"].into_iter().zip(bounds);
        all.filter_map(|(label, bound)| Some(most(label, bound?.as_secs_f64()))).collect()
    };
    match objective {
        Objective::Availability(o) => vec![Bound { label: "share", value: o.at_least.0, floor: true }],
        Objective::Latency(o) => quantiles([o.p50, o.p95, o.p99, o.max]),
        Objective::Delay(o) => quantiles([o.p50, o.p95, o.p99, o.max]),
        Objective::RecoveryTime(o) => vec![most("recovered", o.below.as_secs_f64())],
        Objective::DrainTime(o) => vec![most("drained", o.below.as_secs_f64())],
        Objective::DeadLetters(o) => vec![most("count", o.at_most as f64)],
        Objective::Duration(o) => vec![most("longest", o.below.as_secs_f64())],
        Objective::Interruption(o) => vec![most("interrupted", o.below.as_secs_f64())],
        Objective::RecoveryPoint(o) => vec![match o.below {
            ItemsOrAge::Items(count) => most("count", count as f64),
            ItemsOrAge::Age(span) => most("age", span.as_secs_f64()),
        }],
    }
}
