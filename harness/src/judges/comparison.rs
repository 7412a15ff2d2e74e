//! Which of two designs is better, and by how much: the section `compare`. Both run on the same seeds, in
//! the same weather, so every seed is a pair; a comparison is part of neither design's verdict.

use beaufort_reports::{ComparisonResult, ObjectiveResult, Results, SeedResult, Verdict};
use beaufort_sim::units::Ratio;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::config::{ItemsOrAge, Objective};

/// The lines of `objectives` of a design, by name.
pub type Objectives = IndexMap<String, Objective>;

/// A claim about two designs: `{ recovery-time: region-lost, of: base, shorter-than: by-hand, by: 50% }`. The
/// measure and its subject are those of a line of `objectives`, which both designs have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Comparison {
    /// The share of offered items that a door answered with success.
    Availability(Sides),
    /// From offering an item at a door to the success.
    Latency(Sides),
    /// From acceptance to the last of the effects.
    Delay(Sides),
    /// From the start of a fault to the last item that suffered from it.
    RecoveryTime(Sides),
    /// What had been acknowledged before a fault and is not there any more.
    RecoveryPoint(Sides),
    /// From the end of a fault until the backlog is back at its level before.
    DrainTime(Sides),
    /// How many items came to a dead-letter place.
    DeadLetters(Sides),
    /// How long the longest run of an app took.
    Duration(Sides),
    /// For how long a door had no success while an app ran.
    Interruption(Sides),
}

/// The two designs, and what is said of them. One of `shorter-than`, `fewer-than` and `higher-than`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Sides {
    /// The subject of the measure, as in `objectives`.
    pub target: String,
    /// The line of `objectives` that is meant. Default: the only one with this measure and subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// Which number of the line: `p50`, `p95`, `p99` or `max`. Default: the only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// The design that is better: a variant, or `base`.
    pub of: String,
    /// The design whose times are longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shorter_than: Option<String>,
    /// The design whose counts are higher.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fewer_than: Option<String>,
    /// The design whose shares are lower.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub higher_than: Option<String>,
    /// By how much at least: a share of the other design's number; with `higher-than`, percentage points.
    /// Default: 0%, at all.
    #[serde(default)]
    pub by: Ratio,
}

/// How the first design is better than the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Its times are shorter.
    Shorter,
    /// Its counts are lower.
    Fewer,
    /// Its shares are higher.
    Higher,
}

impl Relation {
    /// How the scenario says it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Relation::Shorter => "shorter-than",
            Relation::Fewer => "fewer-than",
            Relation::Higher => "higher-than",
        }
    }

    /// By how much `one` is better than `other`; infinite is what did not come to its end.
    fn gain(self, one: f64, other: f64) -> f64 {
        match self {
            Relation::Higher => one - other,
            _ if one == other => 0.0,
            _ if one.is_infinite() => f64::NEG_INFINITY,
            _ if other.is_infinite() => 1.0,
            _ if other == 0.0 => f64::NEG_INFINITY,
            _ => 1.0 - one / other,
        }
    }

    /// How a design is that has this gain.
    const fn adjective(self, gain: f64) -> &'static str {
        match (self, gain < 0.0) {
            (Relation::Shorter, false) => "shorter",
            (Relation::Shorter, true) => "longer",
            (Relation::Fewer, false) => "less",
            (Relation::Fewer, true) => "more",
            (Relation::Higher, false) => "higher",
            (Relation::Higher, true) => "lower",
        }
    }

    /// How much that is, whichever way: `75.0%`, `1.2 points`.
    fn amount(self, gain: f64) -> String {
        match (self, gain.is_finite()) {
            (_, false) => "infinitely".to_owned(),
            (Relation::Higher, true) => format!("{:.1} points", gain.abs() * 100.0),
            (_, true) => format!("{:.1}%", gain.abs() * 100.0),
        }
    }

    /// Both: `75.0% shorter`.
    fn told(self, gain: f64) -> String {
        format!("{} {}", self.amount(gain), self.adjective(gain))
    }
}

impl Comparison {
    /// The measure.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match self {
            Comparison::Availability(_) => "availability",
            Comparison::Latency(_) => "latency",
            Comparison::Delay(_) => "delay",
            Comparison::RecoveryTime(_) => "recovery-time",
            Comparison::RecoveryPoint(_) => "recovery-point",
            Comparison::DrainTime(_) => "drain-time",
            Comparison::DeadLetters(_) => "dead-letters",
            Comparison::Duration(_) => "duration",
            Comparison::Interruption(_) => "interruption",
        }
    }

    /// The two designs.
    #[must_use]
    pub fn sides(&self) -> &Sides {
        match self {
            Comparison::Availability(sides)
            | Comparison::Latency(sides)
            | Comparison::Delay(sides)
            | Comparison::RecoveryTime(sides)
            | Comparison::RecoveryPoint(sides)
            | Comparison::DrainTime(sides)
            | Comparison::DeadLetters(sides)
            | Comparison::Duration(sides)
            | Comparison::Interruption(sides) => sides,
        }
    }

    /// How, and than which design; none if that is not said exactly once.
    #[must_use]
    pub fn relation(&self) -> Option<(Relation, &str)> {
        let Sides { shorter_than, fewer_than, higher_than, .. } = self.sides();
        let said = [
            (Relation::Shorter, shorter_than),
            (Relation::Fewer, fewer_than),
            (Relation::Higher, higher_than),
        ];
        let mut said = said.into_iter().filter_map(|(how, than)| Some((how, than.as_deref()?)));
        said.next().filter(|_| said.next().is_none())
    }

    /// The relations that make sense for the measure.
    #[must_use]
    pub fn fitting(&self) -> &'static [Relation] {
        match self {
            Comparison::Availability(_) => &[Relation::Higher],
            Comparison::DeadLetters(_) => &[Relation::Fewer],
            Comparison::RecoveryPoint(_) => &[Relation::Shorter, Relation::Fewer],
            _ => &[Relation::Shorter],
        }
    }

    /// The line of `objectives` and the number in it that is compared, in one of the designs.
    ///
    /// # Errors
    /// In words, why there is none, or not only one.
    pub fn found<'s>(&self, objectives: &'s Objectives) -> Result<(&'s str, String), String> {
        let sides = self.sides();
        let measures = |goal: &Objective| goal.verb() == self.verb() && goal.subject() == sides.target;
        let is_named = |name: &str| sides.line.as_deref().is_none_or(|line| line == name);
        let lines: Vec<(&String, &Objective)> =
            objectives.iter().filter(|(name, goal)| measures(goal) && is_named(name)).collect();
        let what = format!("`{}: {}`", self.verb(), sides.target);
        let (name, goal) = match lines.as_slice() {
            [one] => *one,
            [] => return Err(format!("no line of `objectives` measures {what}")),
            [_, _, ..] => {
                return Err(format!("several lines of `objectives` measure {what}: name the `line`"));
            }
        };
        let numbers = numbers(goal);
        match (&sides.number, numbers.as_slice()) {
            (Some(number), known) if known.contains(&number.as_str()) => Ok((name, number.clone())),
            (Some(number), known) => {
                Err(format!("`{name}` has no bound for `{number}`; it has {}", known.join(", ")))
            }
            (None, [one]) => Ok((name, (*one).to_owned())),
            (None, known) => Err(format!("say which `number` of `{name}` is meant: {}", known.join(", "))),
        }
    }
}

/// The numbers that a line of `objectives` has a bound for, by their names in the results.
fn numbers(goal: &Objective) -> Vec<&'static str> {
    let bounded = |quantiles: [(&'static str, bool); 4]| {
        quantiles.into_iter().filter_map(|(name, given)| given.then_some(name)).collect()
    };
    match goal {
        Objective::Availability(_) => vec!["share"],
        Objective::Latency(o) => bounded([
            ("p50", o.p50.is_some()),
            ("p95", o.p95.is_some()),
            ("p99", o.p99.is_some()),
            ("max", o.max.is_some()),
        ]),
        Objective::Delay(o) => bounded([
            ("p50", o.p50.is_some()),
            ("p95", o.p95.is_some()),
            ("p99", o.p99.is_some()),
            ("max", o.max.is_some()),
        ]),
        Objective::RecoveryTime(_) => vec!["recovered"],
        Objective::DrainTime(_) => vec!["drained"],
        Objective::DeadLetters(_) => vec!["count"],
        Objective::Duration(_) => vec!["longest"],
        Objective::RecoveryPoint(o) => match o.below {
            ItemsOrAge::Age(_) => vec!["age"],
            ItemsOrAge::Items(_) => vec!["count"],
        },
        Objective::Interruption(_) => vec!["interrupted"],
    }
}

/// Judges a comparison; none if one of its designs is not among those that ran.
#[must_use]
pub fn judge(
    name: &str,
    comparison: &Comparison,
    ran: &[(&Objectives, &Results)],
) -> Option<ComparisonResult> {
    let (relation, than) = comparison.relation()?;
    let sides = comparison.sides();
    let find = |design: &str| ran.iter().find(|(_, results)| results.variant == design);
    let ((one, ones), (other, others)) = (find(&sides.of)?, find(than)?);
    let (line, other_line) = (comparison.found(one).ok()?, comparison.found(other).ok()?);
    let pairs = ones.seeds.iter().filter_map(|seed| {
        let twin = others.seeds.iter().find(|twin| twin.seed == seed.seed)?;
        Some((measured(seed, &line)?, measured(twin, &other_line)?))
    });
    let mut gains: Vec<f64> = pairs.map(|(one, other)| relation.gain(one, other)).collect();
    gains.sort_by(f64::total_cmp);
    let judged = ComparisonResult {
        name: name.to_owned(),
        measure: format!("{} {}", comparison.verb(), sides.target),
        of: sides.of.clone(),
        relation: relation.word().to_owned(),
        than: than.to_owned(),
        by: sides.by.to_string(),
        verdict: Verdict::Inconclusive,
        pairs: gains.len() as u64,
        ..ComparisonResult::default()
    };
    let Some((low, median, high)) = middle(&gains) else {
        let said = format!("{} was measured in both {} and {than} on no seed", judged.measure, sides.of);
        return Some(ComparisonResult { said, ..judged });
    };
    let verdict = match (low >= sides.by.0, high < sides.by.0) {
        (true, _) => Verdict::Pass,
        (_, true) => Verdict::Fail,
        _ => Verdict::Inconclusive,
    };
    let finite = |gain: f64| Some(gain).filter(|gain| gain.is_finite());
    Some(ComparisonResult {
        verdict,
        said: sentence(&judged, relation, [low, median, high]),
        gain: finite(median),
        low: finite(low),
        high: finite(high),
        ..judged
    })
}

/// What was found, with the numbers: `recovery-time lost of base is 75.0% shorter than of by-hand (70.0% to
/// 80.0%, 20 pairs), wanted at least 50%`.
fn sentence(judged: &ComparisonResult, relation: Relation, [low, median, high]: [f64; 3]) -> String {
    let same = (low < 0.0) == (high < 0.0);
    let range = match (same, high < 0.0) {
        (true, false) => format!("{} to {}", relation.amount(low), relation.amount(high)),
        (true, true) => format!("{} to {}", relation.amount(high), relation.amount(low)),
        (false, _) => format!("{} to {}", relation.told(low), relation.told(high)),
    };
    format!(
        "{} of {} is {} than of {} ({range}, {} pair{}), wanted {} by at least {}",
        judged.measure,
        judged.of,
        relation.told(median),
        judged.than,
        judged.pairs,
        if judged.pairs == 1 { "" } else { "s" },
        relation.adjective(0.0),
        judged.by,
    )
}

/// The number of a line on one seed: 0 where there was nothing of it (no impact, no backlog), infinite where
/// it did not come to its end, none where it was not measured.
fn measured(seed: &SeedResult, (line, number): &(&str, String)) -> Option<f64> {
    let goal: &ObjectiveResult = seed.objectives.iter().find(|goal| goal.name == *line)?;
    match (goal.numbers.0.get(number), goal.verdict) {
        (Some(number), _) => Some(*number),
        (None, Verdict::Pass) => Some(0.0),
        (None, Verdict::Fail | Verdict::Degraded) => Some(f64::INFINITY),
        _ => None,
    }
}

/// The median of sorted numbers between the ends of its 95 % confidence interval, which are two of the
/// numbers themselves (whatever their distribution); of fewer than six the least and the greatest.
fn middle(sorted: &[f64]) -> Option<(f64, f64, f64)> {
    let count = sorted.len();
    let (least, greatest) = (*sorted.first()?, *sorted.last()?);
    let median = (sorted[(count - 1) / 2] + sorted[count / 2]) / 2.0;
    // Of `count` fair coins so many or fewer show heads in at most 2.5 % of cases.
    let mut chance = (0..count.min(1_000)).fold(1.0, |chance, _| chance * 0.5);
    let (mut sum, mut cut) = (0.0, 0);
    while cut < count / 2 {
        sum += chance;
        if sum > 0.025 {
            break;
        }
        chance *= (count - cut) as f64 / (cut + 1) as f64;
        cut += 1;
    }
    match cut {
        0 => Some((least, median, greatest)),
        _ => Some((sorted[cut - 1], median, sorted[count - cut])),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]
mod tests {
    use beaufort_reports::Achieved;

    use super::*;

    fn goals(text: &str) -> Objectives {
        serde_json::from_str(text).expect("objectives")
    }

    fn comparison(text: &str) -> Comparison {
        serde_json::from_str(text).expect("a comparison")
    }

    /// A design that took so long on each seed from 1 on; `None`: for ever.
    fn ran(variant: &str, times: &[Option<f64>]) -> Results {
        let seeds = times.iter().zip(1..).map(|(time, seed)| {
            let verdict = if time.is_some() { Verdict::Pass } else { Verdict::Fail };
            let numbers = Achieved(time.iter().map(|time| ("recovered".to_owned(), *time)).collect());
            let goal = ObjectiveResult { name: "rto".to_owned(), verdict, numbers, ..Default::default() };
            SeedResult { seed, objectives: vec![goal], ..SeedResult::default() }
        });
        Results { variant: variant.to_owned(), seeds: seeds.collect(), ..Results::default() }
    }

    fn judged(by: &str, quick: &[Option<f64>], slow: &[Option<f64>]) -> ComparisonResult {
        let goals = goals(r#"{"rto":{"recovery-time":{"target":"lost","of":"door","below":"1m"}}}"#);
        let text = format!(
            r#"{{"recovery-time":{{"target":"lost","of":"base","shorter-than":"by-hand","by":"{by}"}}}}"#
        );
        let (one, other) = (ran("base", quick), ran("by-hand", slow));
        judge("quicker", &comparison(&text), &[(&goals, &other), (&goals, &one)]).expect("both ran")
    }

    #[test]
    fn the_seeds_are_paired_and_the_median_gain_decides() {
        let slow: Vec<_> = (1..=20).map(|seed| Some(100.0 * f64::from(seed))).collect();
        let quick: Vec<_> = slow.iter().map(|time| time.map(|time| time * 0.25)).collect();
        // Seed by seed a quarter, though the slowest of the one is slower than the quickest of the other.
        let holds = judged("70%", &quick, &slow);
        assert_eq!(holds.verdict, Verdict::Pass, "{}", holds.said);
        assert_eq!(
            holds.said,
            "recovery-time lost of base is 75.0% shorter than of by-hand (75.0% to 75.0%, 20 pairs), wanted \
             shorter by at least 70%"
        );
        assert_eq!((holds.gain, holds.low, holds.pairs), (Some(0.75), Some(0.75), 20));
        assert_eq!(judged("80%", &quick, &slow).verdict, Verdict::Fail);
        assert_eq!(judged("0%", &slow, &quick).verdict, Verdict::Fail);
    }

    #[test]
    fn seeds_that_do_not_agree_do_not_tell() {
        let other = vec![Some(100.0); 8];
        let one: Vec<_> = (0..8).map(|seed| Some(if seed % 2 == 0 { 20.0 } else { 90.0 })).collect();
        assert_eq!(judged("50%", &one, &other).verdict, Verdict::Inconclusive);
        assert_eq!(judged("5%", &one, &other).verdict, Verdict::Pass);
    }

    #[test]
    fn what_never_came_to_its_end_is_longer_than_anything() {
        assert_eq!(judged("99%", &[Some(9.0); 3], &[None; 3]).verdict, Verdict::Pass);
        let lost = judged("0%", &[None; 3], &[Some(9.0); 3]);
        assert_eq!(lost.verdict, Verdict::Fail, "{}", lost.said);
        assert!(lost.said.contains("base is infinitely longer than of by-hand"), "{}", lost.said);
        assert_eq!(lost.gain, None);
        assert_eq!(judged("1%", &[None; 3], &[None; 3]).verdict, Verdict::Fail);
    }

    #[test]
    fn what_is_worse_is_told_as_what_it_is() {
        let worse = judged("10%", &[Some(46.0), Some(55.6), Some(60.0)], &[Some(10.0); 3]);
        let said = "recovery-time lost of base is 456.0% longer than of by-hand (360.0% to 500.0%, 3 pairs), \
                    wanted shorter by at least 10%";
        assert_eq!((worse.verdict, worse.said.as_str()), (Verdict::Fail, said));
        let mixed = judged("10%", &[Some(5.0), Some(9.0), Some(20.0)], &[Some(10.0); 3]);
        assert!(mixed.said.contains("(100.0% longer to 50.0% shorter, 3 pairs)"), "{}", mixed.said);
    }

    #[test]
    fn the_interval_is_that_of_the_order_statistics() {
        let numbers: Vec<f64> = (1..=20).map(f64::from).collect();
        // The published table of the median: of 20 the 6th and the 15th, of 10 the 2nd and the 9th.
        assert_eq!(middle(&numbers), Some((6.0, 10.5, 15.0)));
        assert_eq!(middle(&numbers[..10]), Some((2.0, 5.5, 9.0)));
        assert_eq!(middle(&numbers[..5]), Some((1.0, 3.0, 5.0)));
        assert_eq!(middle(&[]), None);
    }

    #[test]
    fn a_line_with_several_numbers_has_to_be_asked_for_one() {
        let goals = goals(r#"{"quick":{"latency":{"target":"door","p50":"1s","p99":"2s"}}}"#);
        let text = r#"{"latency":{"target":"door","of":"base","shorter-than":"slow"}}"#;
        assert!(comparison(text).found(&goals).unwrap_err().contains("p50, p99"));
        let text = text.replace(r#","of""#, r#","number":"p99","of""#);
        assert_eq!(comparison(&text).found(&goals), Ok(("quick", "p99".to_owned())));
        let text = text.replace("door", "gate");
        assert!(comparison(&text).found(&goals).unwrap_err().contains("no line"));
    }
}
