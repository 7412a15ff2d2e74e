//! Objectives at the end of a run: how what was measured compares with the bounds.

use std::collections::BTreeMap;

use beaufort_reports::{Achieved, ObjectiveResult, Recovery, Verdict, Violation};
use beaufort_sim::ids::FaultId;
use beaufort_sim::observe::Outcome;
use beaufort_sim::plan::Plan;
use beaufort_sim::time::{Span, Time};

use super::activity::Activity;
use super::config::{DrainTime, ItemsOrAge, Objective, RecoveryPoint, RecoveryTime, While};
use super::copies::Copies;
use super::durations::Durations;
use super::felt::Faults;
use super::meters::{Concluded, Meter, Meters};
use super::naming::{item_name, scenario_seconds};
use super::recovery::{Backlog, Drained, Recovered, Suffering};
use super::rules::{FaultFacts, Goal, Measure, source_of};
use super::tail::Tail;
use super::weather::Weather;

impl Meters {
    /// Compares with the bounds.
    pub(crate) fn results(&self, goals: &[Goal], end: &Facts<'_>) -> Vec<ObjectiveResult> {
        self.meters.iter().zip(goals).map(|(meter, goal)| result(meter, goal, end)).collect()
    }
}

/// What is known when the run ends.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) faults: &'a Faults,
    pub(crate) activity: &'a Activity,
    /// What the scenario says about the faults.
    pub(crate) written: &'a [FaultFacts],
    pub(crate) plan: &'a Plan,
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
    /// Items that missed it.
    examples: Vec<Violation>,
    /// Further numbers.
    more: Vec<(&'static str, f64)>,
    /// What was achieved in better words than those of the comparison.
    told: Option<String>,
}

/// An item that had no success at a door.
fn example(done: &Concluded, door: &str, plan: &Plan) -> Violation {
    let (item, stream) = item_name(plan, done.item.stream, done.item.number);
    Violation {
        item,
        stream,
        number: done.item.number,
        key: Some(done.item.key),
        reason: match done.outcome {
            Outcome::Ok => "done",
            Outcome::Refused => "refused",
            Outcome::Failed => "failed",
            Outcome::Unknown => "not answered",
        }
        .to_owned(),
        place: door.to_owned(),
        at_seconds: Some(scenario_seconds(plan, done.offered)),
        ..Violation::default()
    }
}

fn result(meter: &Meter, goal: &Goal, end: &Facts<'_>) -> ObjectiveResult {
    let found = |compared, samples| Found { compared, samples, ..Found::default() };
    let found = match (&goal.objective, meter, &goal.measure) {
        (Objective::Availability(o), Meter::Share { offered, concluded, good, counted, bad }, _) => {
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
            let compared = vec![Compared { label: "share", achieved, bound, texts, floor: true }];
            let examples = bad.iter().map(|done| example(done, &o.target, end.plan)).collect();
            Found { examples, ..found(compared, samples) }
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
        (Objective::RecoveryPoint(o), Meter::Tail(tail), Measure::RecoveryPoint { fault, .. }) => {
            recovery_point(o, tail, *fault, end)
        }
        (Objective::Interruption(o), Meter::Interruption(seen), _) => {
            let spans = seen.spans(end.end);
            let worst = spans.iter().copied().max();
            let mut found = found(vec![Compared::span("interrupted", worst, o.below)], spans.len() as u64);
            match (spans.is_empty(), seen.served()) {
                (true, _) => found.nothing("", Some((Verdict::Inconclusive, "it never ran"))),
                (_, 0) => found
                    .nothing("nobody came to the door", Some((Verdict::Inconclusive, "so nothing is known"))),
                _ => {}
            }
            found
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
        recoveries: all.iter().map(|one| one.told(o, end.begins, end.activity)).collect(),
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

/// The worst occurrence of the fault decides. Nothing lost is a result only if somebody felt the fault.
fn recovery_point(o: &RecoveryPoint, tail: &Tail, fault: FaultId, end: &Facts<'_>) -> Found {
    let losses = tail.losses();
    let items = losses.iter().map(|loss| loss.items).max().unwrap_or(0);
    let age = losses.iter().map(|loss| loss.age).max().unwrap_or(Span::ZERO);
    let samples: u64 = losses.iter().map(|loss| loss.of).sum();
    let compared = match o.below {
        ItemsOrAge::Age(bound) => Compared::span("age", Some(age), bound),
        ItemsOrAge::Items(bound) => Compared {
            label: "count",
            achieved: Some(items as f64),
            bound: bound as f64,
            texts: (items.to_string(), bound.to_string()),
            floor: false,
        },
    };
    let mut found = Found { compared: vec![compared], samples, ..Found::default() };
    let doubt = end.idle(fault, !losses.is_empty());
    if losses.is_empty() {
        found.nothing("", doubt);
    } else if samples == 0 {
        found.words = Some("nothing was acknowledged before it".to_owned());
    } else if items == 0 {
        found.nothing("nothing lost", doubt);
    } else {
        found.more = vec![("items", items as f64), ("age", age.as_secs_f64())];
        let noun = if items == 1 { "item" } else { "items" };
        found.told = Some(format!("{items} {noun}, {} old", human(age)));
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
    let Found { compared, samples, words, verdict, recoveries, mut examples, more, told } = found;
    let met = compared.iter().all(Compared::met);
    let verdict = match (verdict, samples, met) {
        (Some(verdict), ..) => verdict,
        (_, 0, _) => Verdict::Inconclusive,
        (_, _, true) => Verdict::Pass,
        _ if goal.objective.ideally() => Verdict::Degraded,
        _ => Verdict::Fail,
    };
    if !matches!(verdict, Verdict::Fail | Verdict::Degraded) {
        examples.clear();
    }
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
    numbers.extend(more.into_iter().map(|(name, value)| (name.to_owned(), value)));
    if let Some(worst) = Recovery::worst(&recoveries) {
        let all = [
            ("impact", worst.impact),
            ("detected", worst.detected),
            ("decided", worst.decided),
            ("acted", worst.acted),
            ("drained", worst.drained),
        ];
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
            _ => told.unwrap_or_else(|| achieved.join(", ")),
        },
        margin,
        samples,
        numbers: Achieved(numbers),
        recoveries,
        examples,
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
    fn people_read_three_digits_and_never_a_rounded_hundred() {
        assert_eq!(percent(0.999_999_9), "99.999%");
        assert_eq!(percent(1.0), "100%");
        assert_eq!(human(Span::micros(1234)), "1.2ms");
        assert_eq!(human(Span::secs(90)), "90.0s");
    }
}
