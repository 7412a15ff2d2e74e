//! Objectives: what is measured while the world runs, and how it compares with the bounds at the end.

use std::collections::BTreeMap;

use beaufort_reports::{Achieved, ObjectiveResult, Recovery, Verdict};
use beaufort_sim::ids::{FaultId, ProcessId, StreamId};
use beaufort_sim::observe::Outcome;
use beaufort_sim::plan::Plan;
use beaufort_sim::time::{Span, Time};
use hdrhistogram::Histogram;
use rustc_hash::FxHashMap;

use super::config::{DrainTime, Objective, RecoveryTime, While};
use super::copies::Copies;
use super::felt::Faults;
use super::recovery::{Backlog, Drained, Recovered, Suffering};
use super::rules::{FaultFacts, Goal, Measure, source_of};
use super::weather::{Level, Weather};

/// Durations, and how many never came to an end.
#[derive(Clone, Debug)]
pub(crate) struct Durations {
    /// In microseconds.
    histogram: Option<Histogram<u32>>,
    longest: Span,
    /// Longer than any bound: not over when the run ended.
    pub(crate) endless: u64,
}

impl Durations {
    fn new() -> Durations {
        // One microsecond to ten days, three digits.
        let histogram = Histogram::new_with_bounds(1, 864_000_000_000, 3).ok();
        Durations { histogram, longest: Span::ZERO, endless: 0 }
    }

    pub(crate) fn record(&mut self, span: Span) {
        self.longest = self.longest.max(span);
        if let Some(histogram) = &mut self.histogram {
            histogram.saturating_record((span.0 / 1000).max(1));
        }
    }

    fn len(&self) -> u64 {
        self.histogram.as_ref().map_or(0, Histogram::len) + self.endless
    }

    /// The quantile in per mille; `None` where it never ended.
    fn quantile(&self, per_mille: u64) -> Option<Span> {
        let histogram = self.histogram.as_ref()?;
        let rank = (self.len() * per_mille).div_ceil(1000).max(1);
        if rank > histogram.len() {
            return None;
        }
        if rank == self.len() {
            return Some(self.longest);
        }
        let mut below = 0;
        for step in histogram.iter_recorded() {
            below += step.count_since_last_iteration();
            if below >= rank {
                return Some(Span::micros(histogram.lowest_equivalent(step.value_iterated_to())));
            }
        }
        Some(self.longest)
    }

    fn longest(&self) -> Option<Span> {
        (self.endless == 0).then_some(self.longest)
    }
}

/// What is measured for one objective.
#[derive(Clone, Debug)]
enum Meter {
    Share {
        offered: u64,
        concluded: u64,
        good: u64,
        counted: u64,
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
    Nothing,
}

/// All objectives of a run.
#[derive(Clone, Debug)]
pub(crate) struct Meters {
    meters: Vec<Meter>,
    begins: Time,
    /// Whether a late effect makes an item of some door a bad one.
    delays: bool,
}

impl Meters {
    pub(crate) fn new(goals: &[Goal], plan: &Plan) -> Meters {
        let meter = |goal: &Goal| match goal.measure {
            Measure::Availability(_) => Meter::Share { offered: 0, concluded: 0, good: 0, counted: 0 },
            Measure::Latency(_) | Measure::Delay => Meter::Durations(Durations::new()),
            Measure::Recovery { .. } => Meter::Suffering(Suffering::default()),
            Measure::Drain { .. } => {
                Meter::Backlogs { open: 0, peak: 0, level: Level::default(), backlogs: Vec::new() }
            }
            Measure::Duration(_) => {
                Meter::Runs { under_way: FxHashMap::default(), durations: Durations::new() }
            }
            Measure::DeadLetters { .. } => Meter::Nothing,
        };
        let late =
            |goal: &Goal| matches!(&goal.measure, Measure::Recovery { delays, .. } if !delays.is_empty());
        let delays = goals.iter().any(late);
        Meters { meters: goals.iter().map(meter).collect(), begins: plan.begins(), delays }
    }

    /// An item is offered at a door.
    pub(crate) fn offered(&mut self, goals: &[Goal], door: beaufort_sim::ids::NodeId, at: Time) {
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
        let Concluded { door, stream, offered: since, now, outcome } = done;
        if since < self.begins {
            return;
        }
        for (meter, goal) in self.meters.iter_mut().zip(goals) {
            match (meter, &goal.measure) {
                (Meter::Share { concluded, good, counted, .. }, Measure::Availability(node))
                    if *node == door =>
                {
                    *concluded += 1;
                    if counts(goal.during, weather, since, now) {
                        *counted += 1;
                        *good += u64::from(outcome == Outcome::Ok);
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
                    if *node == door && (from.is_empty() || from.contains(&stream)) =>
                {
                    let late = bound.is_some_and(|bound| now.since(since) > bound);
                    if outcome != Outcome::Ok || late {
                        suffering.bad(since);
                    } else {
                        suffering.good(since);
                    }
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
    pub(crate) fn fault(&mut self, goals: &[Goal], fault: FaultId, starts: bool, now: Time) {
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
            let (Meter::Runs { under_way, durations }, Measure::Duration(node)) = (meter, &goal.measure)
            else {
                continue;
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

    /// Compares with the bounds.
    pub(crate) fn results(&self, goals: &[Goal], end: &Facts<'_>) -> Vec<ObjectiveResult> {
        self.meters.iter().zip(goals).map(|(meter, goal)| result(meter, goal, end)).collect()
    }
}

/// An item that its caller is done with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Concluded {
    pub(crate) door: beaufort_sim::ids::NodeId,
    pub(crate) stream: StreamId,
    pub(crate) offered: Time,
    pub(crate) now: Time,
    pub(crate) outcome: Outcome,
}

/// What is known when the run ends.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) faults: &'a Faults,
    /// What the scenario says about the faults.
    pub(crate) written: &'a [FaultFacts],
    pub(crate) copies: &'a Copies,
    pub(crate) weather: &'a Weather,
    pub(crate) end: Time,
    pub(crate) begins: Time,
}

impl Facts<'_> {
    /// Why an objective about a fault says nothing: it did not strike, or nobody noticed. A fault that the
    /// seed may leave out is answered for by the sweep.
    fn idle(&self, fault: FaultId, struck: bool) -> Option<(Verdict, &'static str)> {
        let random = self.written.get(fault.index()).is_some_and(|facts| facts.random);
        let felt = self.faults.records.get(fault.index()).is_some_and(|record| record.felt > 0);
        match (struck, felt) {
            (true, true) => None,
            (true, false) => Some((Verdict::Inconclusive, "but nobody felt the fault")),
            (false, _) if random => Some((Verdict::Pass, "the fault did not strike")),
            (false, _) => Some((Verdict::Inconclusive, "the fault never began")),
        }
    }
}

fn counts(during: While, weather: &Weather, from: Time, to: Time) -> bool {
    match during {
        While::All => true,
        While::Calm => !weather.troubled(from, to),
        While::Faults => weather.troubled(from, to),
    }
}

/// One comparison: name of the number, what was achieved (`None`: never), the bound.
struct Compared {
    label: &'static str,
    achieved: Option<f64>,
    bound: f64,
    texts: (String, String),
    /// Whether more is better.
    floor: bool,
}

impl Compared {
    fn span(label: &'static str, achieved: Option<Span>, bound: Span) -> Compared {
        let text = achieved.map_or_else(|| "never".to_owned(), human);
        let achieved = achieved.map(Span::as_secs_f64);
        Compared {
            label,
            achieved,
            bound: bound.as_secs_f64(),
            texts: (text, bound.to_string()),
            floor: false,
        }
    }

    fn met(&self) -> bool {
        match self.achieved {
            None => false,
            Some(achieved) if self.floor => achieved >= self.bound,
            Some(achieved) => achieved <= self.bound,
        }
    }

    fn margin(&self) -> Option<f64> {
        let achieved = self.achieved?;
        let distance = if self.floor { achieved - self.bound } else { self.bound - achieved };
        // For a share of success the room is what may fail: 99.95 % of 99.9 % leaves half of the budget.
        let room = if self.floor { 1.0 - self.bound } else { self.bound };
        if room > 0.0 { Some(distance / room) } else { None }
    }
}

/// What one objective comes to, before it is put in words.
#[derive(Default)]
struct Found {
    compared: Vec<Compared>,
    samples: u64,
    /// Said instead of the numbers, which then are none.
    words: Option<String>,
    /// Given instead of the comparison.
    verdict: Option<Verdict>,
    recoveries: Vec<Recovery>,
}

fn result(meter: &Meter, goal: &Goal, end: &Facts<'_>) -> ObjectiveResult {
    let found = |compared, samples| Found { compared, samples, ..Found::default() };
    let found = match (&goal.objective, meter, &goal.measure) {
        (Objective::Availability(o), Meter::Share { offered, concluded, good, counted }, _) => {
            // Items whose caller never came to an end had no success. They lasted into the last window of
            // trouble, if there was one.
            let part = match goal.during {
                While::All => true,
                While::Calm => !end.weather.ever(),
                While::Faults => end.weather.ever(),
            };
            let open = if part { offered.saturating_sub(*concluded) } else { 0 };
            let samples = counted + open;
            let share = (samples > 0).then(|| *good as f64 / samples as f64);
            let texts = (share.map_or_else(String::new, percent), o.at_least.to_string());
            let achieved = share;
            let bound = o.at_least.0;
            found(vec![Compared { label: "share", achieved, bound, texts, floor: true }], samples)
        }
        (Objective::Latency(o), Meter::Durations(d), _) => {
            found(quantiles(d, [o.p50, o.p95, o.p99, o.max]), d.len())
        }
        (Objective::Delay(o), Meter::Durations(d), _) => {
            found(quantiles(d, [o.p50, o.p95, o.p99, o.max]), d.len())
        }
        (Objective::RecoveryTime(o), Meter::Suffering(suffering), Measure::Recovery { fault, .. }) => {
            recovery(o, suffering, *fault, end)
        }
        // Where nothing ever waits, no backlog proves nothing.
        (Objective::DrainTime(o), Meter::Backlogs { peak: 0, .. }, _) => Found {
            compared: vec![Compared::span("drained", None, o.below)],
            words: Some("nothing ever waited there".to_owned()),
            verdict: Some(Verdict::Inconclusive),
            ..Found::default()
        },
        (Objective::DrainTime(o), Meter::Backlogs { backlogs, .. }, Measure::Drain { fault, .. }) => {
            drain(o, backlogs, *fault, end)
        }
        (Objective::DeadLetters(o), _, Measure::DeadLetters { places, sources }) => {
            let arrivals: u64 = places.iter().map(|place| end.copies.arrivals(*place)).sum();
            let idle = arrivals == 0
                && !sources.is_empty()
                && sources.iter().all(|place| end.copies.arrivals(*place) == 0);
            let texts = (arrivals.to_string(), o.at_most.to_string());
            let (achieved, bound) = (Some(arrivals as f64), o.at_most as f64);
            let compared = Compared { label: "count", achieved, bound, texts, floor: false };
            let mut found = found(vec![compared], arrivals.max(1));
            if idle {
                // No dead letter of a queue that was never used proves nothing.
                found.samples = 0;
                found.words = Some(format!("nothing ever came to {}", source_of(&o.target)));
            }
            found
        }
        (Objective::Duration(o), Meter::Runs { under_way, durations }, _) => {
            let samples = durations.len() + under_way.len() as u64;
            let longest = if under_way.is_empty() { durations.longest() } else { None };
            found(vec![Compared::span("longest", longest, o.below)], samples)
        }
        _ => Found::default(),
    };
    conclude(goal, found)
}

/// The worst occurrence of the fault decides. Nobody suffered is a result only if somebody felt the fault.
fn recovery(o: &RecoveryTime, suffering: &Suffering, fault: FaultId, end: &Facts<'_>) -> Found {
    let detections = end.faults.records.get(fault.index()).map_or(&[][..], |record| &record.detections);
    let all = suffering.occurrences(detections, end.end);
    let spans =
        |of: fn(&Recovered) -> Option<Span>| all.iter().filter_map(move |one| of(&one.recovered)).max();
    let worst = spans(|r| if let Recovered::After(span) = r { Some(*span) } else { None });
    let still = spans(|r| if let Recovered::Still(span) = r { Some(*span) } else { None });
    let mut found = Found {
        compared: vec![Compared::span("recovered", if still.is_some() { None } else { worst }, o.below)],
        samples: all.len() as u64,
        recoveries: all.iter().map(|one| one.told(o, end.begins)).collect(),
        ..Found::default()
    };
    if let Some(still) = still {
        found.words = Some("not recovered by the end".to_owned());
        // What may yet come within the bound is not missed.
        found.verdict = (still <= o.below).then_some(Verdict::Inconclusive);
    } else if worst.is_none() {
        found.nothing("not impacted", end.idle(fault, !all.is_empty()));
    }
    found
}

/// The worst occurrence of the fault decides. No backlog is a result only if somebody felt the fault.
fn drain(o: &DrainTime, backlogs: &[Backlog], fault: FaultId, end: &Facts<'_>) -> Found {
    let spans = backlogs.iter().filter_map(|backlog| match backlog.drained() {
        Drained::NoBacklog => None,
        Drained::At(at) => Some(Some(at.since(backlog.healed().unwrap_or(end.end)))),
        Drained::Never => Some(None),
    });
    let spans: Vec<Option<Span>> = spans.collect();
    let worst = if spans.contains(&None) { None } else { spans.iter().flatten().copied().max() };
    let compared = vec![Compared::span("drained", worst, o.below)];
    let mut found = Found { compared, samples: backlogs.len() as u64, ..Found::default() };
    if spans.contains(&None) {
        found.words = Some("not drained by the end".to_owned());
    } else if spans.is_empty() {
        found.nothing("no backlog", end.idle(fault, !backlogs.is_empty()));
    }
    found
}

impl Found {
    /// Nothing was to be seen of the fault: good, unless there is a reason to doubt that it was there.
    fn nothing(&mut self, words: &str, doubt: Option<(Verdict, &str)>) {
        let (verdict, words) = match doubt {
            None => (Verdict::Pass, words.to_owned()),
            Some((verdict, why)) if self.samples > 0 => (verdict, format!("{words}, {why}")),
            Some((verdict, why)) => (verdict, why.to_owned()),
        };
        (self.verdict, self.words) = (Some(verdict), Some(words));
    }
}

fn conclude(goal: &Goal, found: Found) -> ObjectiveResult {
    let Found { compared, samples, words, verdict, recoveries } = found;
    let met = compared.iter().all(Compared::met);
    let verdict = match (verdict, samples, met) {
        (Some(verdict), ..) => verdict,
        (_, 0, _) => Verdict::Inconclusive,
        (_, _, true) => Verdict::Pass,
        _ if goal.objective.ideally() => Verdict::Degraded,
        _ => Verdict::Fail,
    };
    let several = matches!(goal.objective, Objective::Latency(_) | Objective::Delay(_));
    let label = |c: &Compared| if several { format!("{} ", c.label) } else { String::new() };
    let sign = |c: &Compared| match (several, c.floor) {
        (true, _) => "",
        (false, true) => "at least ",
        (false, false) if c.label == "count" => "at most ",
        _ => "below ",
    };
    let target: Vec<String> =
        compared.iter().map(|c| format!("{}{}{}", label(c), sign(c), c.texts.1)).collect();
    let achieved: Vec<String> = compared.iter().map(|c| format!("{}{}", label(c), c.texts.0)).collect();
    let numbers = compared.iter().filter_map(|c| Some((c.label.to_owned(), c.achieved?)));
    let margin = match (words.is_some(), verdict) {
        // Nothing of the bound was used.
        (true, Verdict::Pass) if samples > 0 => Some(1.0),
        (false, _) if samples > 0 => compared.iter().filter_map(Compared::margin).min_by(f64::total_cmp),
        _ => None,
    };
    let mut numbers: BTreeMap<String, f64> = if samples > 0 { numbers.collect() } else { BTreeMap::new() };
    if let Some(worst) = Recovery::worst(&recoveries) {
        let all = [("impact", worst.impact), ("detected", worst.detected), ("drained", worst.drained)];
        numbers.extend(all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        numbers.insert("bad".to_owned(), worst.bad as f64);
    }
    ObjectiveResult {
        name: goal.name.clone(),
        measure: goal.text.clone(),
        verdict,
        target: target.join(", "),
        achieved: match (samples, words) {
            (_, Some(words)) => words,
            (0, _) => "nothing measured".to_owned(),
            _ => achieved.join(", "),
        },
        margin,
        samples,
        numbers: Achieved(numbers),
        recoveries,
    }
}

fn quantiles(durations: &Durations, bounds: [Option<Span>; 4]) -> Vec<Compared> {
    let labels = ["p50", "p95", "p99", "max"];
    let per_mille = [500, 950, 990, 1000];
    let bounded = bounds.into_iter().enumerate().filter_map(|(i, bound)| Some((i, bound?)));
    bounded
        .map(|(i, bound)| {
            let achieved = if i == 3 { durations.longest() } else { durations.quantile(per_mille[i]) };
            Compared::span(labels[i], achieved, bound)
        })
        .collect()
}

/// A duration for people: three digits.
pub(crate) fn human(span: Span) -> String {
    let seconds = span.as_secs_f64();
    match span.0 {
        0 => "0s".to_owned(),
        n if n < 1_000_000 => format!("{:.0}us", seconds * 1e6),
        n if n < 10_000_000 => format!("{:.1}ms", seconds * 1e3),
        n if n < 1_000_000_000 => format!("{:.0}ms", seconds * 1e3),
        n if n < 120_000_000_000 => format!("{seconds:.1}s"),
        n if n < 7_200_000_000_000 => format!("{:.1}m", seconds / 60.0),
        _ => format!("{:.1}h", seconds / 3600.0),
    }
}

/// A share for people: never rounded up to 100 %.
pub(crate) fn percent(share: f64) -> String {
    let text = format!("{:.3}%", share * 100.0);
    if text == "100.000%" { if share < 1.0 { "99.999%".to_owned() } else { "100%".to_owned() } } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_counts_what_never_ended() {
        let mut durations = Durations::new();
        (1..=99).for_each(|ms| durations.record(Span::millis(ms)));
        let near = |span: Option<Span>, ms: u64| {
            span.is_some_and(|span| span <= Span::millis(ms) && span + Span::micros(100) > Span::millis(ms))
        };
        assert!(near(durations.quantile(500), 50), "{:?}", durations.quantile(500));
        durations.endless = 1;
        assert!(near(durations.quantile(990), 99), "{:?}", durations.quantile(990));
        durations.endless = 2;
        assert_eq!(durations.quantile(990), None);
    }

    #[test]
    fn people_read_three_digits_and_never_a_rounded_hundred() {
        assert_eq!(percent(0.999_999_9), "99.999%");
        assert_eq!(percent(1.0), "100%");
        assert_eq!(human(Span::micros(1234)), "1.2ms");
        assert_eq!(human(Span::secs(90)), "90.0s");
    }
}
