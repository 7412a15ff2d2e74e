//! Objectives: what is measured while the world runs, and how it compares with the bounds at the end.

use beaufort_reports::{Achieved, ObjectiveResult, Verdict};
use beaufort_sim::ids::{FaultId, ProcessId, StreamId};
use beaufort_sim::observe::Outcome;
use beaufort_sim::plan::Plan;
use beaufort_sim::time::{Span, Time};
use hdrhistogram::Histogram;
use rustc_hash::FxHashMap;

use super::config::{Objective, While};
use super::copies::Copies;
use super::felt::Faults;
use super::rules::{Goal, Measure};
use super::weather::{Level, MARGIN, Weather};

/// Bad items closer together than this belong to one episode.
const JOIN: Span = Span::secs(10);

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

/// Bad items near each other, by when they were offered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Episode {
    first: Time,
    last: Time,
    count: u64,
}

/// Adds a bad item to the episodes, which stay sorted and further apart than [`JOIN`].
fn suffer(episodes: &mut Vec<Episode>, at: Time) {
    let after = episodes.partition_point(|episode| episode.last + JOIN < at);
    match episodes.get_mut(after) {
        Some(episode) if episode.first <= at + JOIN => {
            episode.first = episode.first.min(at);
            episode.last = episode.last.max(at);
            episode.count += 1;
            if let Some(&next) = episodes.get(after + 1)
                && next.first <= episodes[after].last + JOIN
            {
                let episode = &mut episodes[after];
                episode.last = episode.last.max(next.last);
                episode.count += next.count;
                episodes.remove(after + 1);
            }
        }
        _ => episodes.insert(after, Episode { first: at, last: at, count: 1 }),
    }
}

/// The backlog after one occurrence of a fault.
#[derive(Clone, Copy, Debug)]
struct Backlog {
    normal: i64,
    healed: Option<Time>,
    last_above: Option<Time>,
    above: bool,
    over: bool,
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
    Episodes(Vec<Episode>),
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
}

impl Meters {
    pub(crate) fn new(goals: &[Goal], plan: &Plan) -> Meters {
        let meter = |goal: &Goal| match goal.measure {
            Measure::Availability(_) => Meter::Share { offered: 0, concluded: 0, good: 0, counted: 0 },
            Measure::Latency(_) | Measure::Delay => Meter::Durations(Durations::new()),
            Measure::Recovery { .. } => Meter::Episodes(Vec::new()),
            Measure::Drain { .. } => {
                Meter::Backlogs { open: 0, peak: 0, level: Level::default(), backlogs: Vec::new() }
            }
            Measure::Duration(_) => {
                Meter::Runs { under_way: FxHashMap::default(), durations: Durations::new() }
            }
            Measure::DeadLetters(_) => Meter::Nothing,
        };
        Meters { meters: goals.iter().map(meter).collect(), begins: plan.begins() }
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
                (Meter::Episodes(episodes), Measure::Recovery { door: node, from, bound, .. })
                    if *node == door && (from.is_empty() || from.contains(&stream)) =>
                {
                    let late = bound.is_some_and(|bound| now.since(since) > bound);
                    if outcome != Outcome::Ok || late {
                        suffer(episodes, since);
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

    /// So many items with a delay were still on the way when the run ended.
    pub(crate) fn endless(&mut self, objective: usize, items: u64) {
        if let Some(Meter::Durations(durations)) = self.meters.get_mut(objective) {
            durations.endless += items;
        }
    }

    /// An item joins the backlog between two points, or leaves it.
    pub(crate) fn waits(&mut self, objective: usize, more: i64) {
        if let Some(Meter::Backlogs { open, .. }) = self.meters.get_mut(objective) {
            *open += more;
        }
    }

    /// A timed sample of the backlogs.
    pub(crate) fn sample(&mut self, goals: &[Goal], copies: &Copies, now: Time) {
        for (meter, goal) in self.meters.iter_mut().zip(goals) {
            let (Meter::Backlogs { open, peak, level, backlogs }, Measure::Drain { places, .. }) =
                (meter, &goal.measure)
            else {
                continue;
            };
            let depth = *open + places.iter().map(|place| copies.depth(*place)).sum::<i64>();
            *peak = (*peak).max(depth);
            level.sample(depth);
            for backlog in backlogs.iter_mut().filter(|backlog| !backlog.over) {
                backlog.above = depth > backlog.normal;
                if backlog.above {
                    backlog.last_above = Some(now);
                }
                let quiet_since = backlog.last_above.max(backlog.healed);
                backlog.over = backlog.healed.is_some() && quiet_since.is_some_and(|t| now > t + MARGIN);
            }
        }
    }

    /// A fault begins or is healed.
    pub(crate) fn fault(&mut self, goals: &[Goal], fault: FaultId, starts: bool, now: Time) {
        for (meter, goal) in self.meters.iter_mut().zip(goals) {
            let (Meter::Backlogs { level, backlogs, .. }, Measure::Drain { fault: of, .. }) =
                (meter, &goal.measure)
            else {
                continue;
            };
            if *of != fault {
                continue;
            }
            if starts {
                let normal = level.normal();
                backlogs.push(Backlog { normal, healed: None, last_above: None, above: false, over: false });
            } else if let Some(backlog) = backlogs.iter_mut().find(|b| b.healed.is_none()) {
                backlog.healed = Some(now);
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
    pub(crate) copies: &'a Copies,
    pub(crate) end: Time,
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

fn result(meter: &Meter, goal: &Goal, end: &Facts<'_>) -> ObjectiveResult {
    let mut words = None;
    let (compared, samples): (Vec<Compared>, u64) = match (&goal.objective, meter, &goal.measure) {
        (Objective::Availability(o), Meter::Share { offered, concluded, good, counted }, _) => {
            // Items whose caller never came to an end had no success; in the calm they do not count.
            let open = if goal.during == While::Calm { 0 } else { offered.saturating_sub(*concluded) };
            let samples = counted + open;
            let share = (samples > 0).then(|| *good as f64 / samples as f64);
            let texts = (share.map_or_else(String::new, percent), o.at_least.to_string());
            let achieved = share;
            let bound = o.at_least.0;
            (vec![Compared { label: "share", achieved, bound, texts, floor: true }], samples)
        }
        (Objective::Latency(o), Meter::Durations(d), _) => {
            (quantiles(d, [o.p50, o.p95, o.p99, o.max]), d.len())
        }
        (Objective::Delay(o), Meter::Durations(d), _) => {
            (quantiles(d, [o.p50, o.p95, o.p99, o.max]), d.len())
        }
        (Objective::RecoveryTime(o), Meter::Episodes(episodes), Measure::Recovery { fault, .. }) => {
            let (worst, samples) = recovery(episodes, *fault, end);
            if worst.is_none() && samples > 0 {
                words = Some("not impacted".to_owned());
            }
            (vec![Compared::span("recovered", Some(worst.unwrap_or_default()), o.below)], samples)
        }
        // Where nothing ever waits, no backlog proves nothing.
        (Objective::DrainTime(o), Meter::Backlogs { peak: 0, .. }, _) => {
            (vec![Compared::span("drained", None, o.below)], 0)
        }
        (Objective::DrainTime(o), Meter::Backlogs { backlogs, .. }, _) => {
            let spans: Vec<Option<Span>> = backlogs.iter().map(|b| drained(b, end.end)).collect();
            let worst = if spans.contains(&None) { None } else { spans.iter().flatten().copied().max() };
            if worst == Some(Span::ZERO) {
                words = Some("no backlog".to_owned());
            }
            (vec![Compared::span("drained", worst, o.below)], spans.len() as u64)
        }
        (Objective::DeadLetters(o), _, Measure::DeadLetters(places)) => {
            let arrivals: u64 = places.iter().map(|place| end.copies.arrivals(*place)).sum();
            let texts = (arrivals.to_string(), o.at_most.to_string());
            let (achieved, bound) = (Some(arrivals as f64), o.at_most as f64);
            (vec![Compared { label: "count", achieved, bound, texts, floor: false }], arrivals.max(1))
        }
        (Objective::Duration(o), Meter::Runs { under_way, durations }, _) => {
            let samples = durations.len() + under_way.len() as u64;
            let longest = if under_way.is_empty() { durations.longest() } else { None };
            (vec![Compared::span("longest", longest, o.below)], samples)
        }
        _ => (Vec::new(), 0),
    };
    conclude(goal, &compared, samples, words)
}

fn conclude(goal: &Goal, compared: &[Compared], samples: u64, words: Option<String>) -> ObjectiveResult {
    let met = compared.iter().all(Compared::met);
    let verdict = match (samples, met) {
        (0, _) => Verdict::Inconclusive,
        (_, true) => Verdict::Pass,
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
    let numbers = compared.iter().filter_map(|c| Some((c.label.to_owned(), c.achieved?))).collect();
    let margin = compared.iter().filter_map(Compared::margin).min_by(f64::total_cmp);
    ObjectiveResult {
        name: goal.name.clone(),
        measure: goal.text.clone(),
        verdict,
        target: target.join(", "),
        achieved: match (samples, words) {
            (0, _) => "nothing measured".to_owned(),
            (_, Some(words)) => words,
            _ => achieved.join(", "),
        },
        margin: if samples > 0 { margin } else { None },
        samples,
        numbers: if samples > 0 { Achieved(numbers) } else { Achieved::default() },
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

/// The longest time from the start of the fault to the last bad item of its episodes, and how often the
/// fault struck. No bad item is `None`.
fn recovery(episodes: &[Episode], fault: FaultId, end: &Facts<'_>) -> (Option<Span>, u64) {
    let windows = end.faults.records.get(fault.index()).map_or(&[][..], |record| &record.windows);
    let one = |&(start, healed): &(Time, Option<Time>)| {
        let until = healed.unwrap_or(end.end) + JOIN;
        let own = episodes.iter().filter(|e| e.first <= until && e.last >= start);
        own.map(|episode| episode.last.since(start)).max()
    };
    (windows.iter().filter_map(one).max(), windows.len() as u64)
}

fn drained(backlog: &Backlog, end: Time) -> Option<Span> {
    let healed = backlog.healed.unwrap_or(end);
    if backlog.above {
        return None;
    }
    Some(backlog.last_above.map_or(Span::ZERO, |last| last.since(healed)))
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

    fn at(seconds: u64) -> Time {
        Time::ZERO + Span::secs(seconds)
    }

    #[test]
    fn bad_items_join_to_episodes_whatever_their_order() {
        let mut episodes = Vec::new();
        for second in [100, 130, 108, 122, 5, 115] {
            suffer(&mut episodes, at(second));
        }
        assert_eq!(
            episodes,
            [
                Episode { first: at(5), last: at(5), count: 1 },
                Episode { first: at(100), last: at(130), count: 5 }
            ]
        );
    }

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
