//! How well each node was: from the lanes of health of a seed.

use crate::results::SeedResult;
use crate::series::{HealthSpan, LaneKind, Series};

/// How a node was over a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Health {
    /// The worst state that was seen of it, in words.
    pub(super) worst: String,
    /// How much of it that concerns.
    pub(super) grade: Grade,
    /// In which share of the time anything of it was not well.
    pub(super) share: f64,
}

/// How bad a state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Grade {
    /// Nothing was seen.
    Well,
    /// Somebody takes it for unwell: a probe, a circuit breaker.
    Doubted,
    /// A process of it is there and does nothing.
    Paused,
    /// A process of it is gone.
    Down,
}

/// The grade of a state of a lane, and its rank among its like; None: it is no sign of illness.
fn grade(state: &str, kind: LaneKind) -> Option<(Grade, u8)> {
    match (state, kind) {
        (_, LaneKind::Action) | ("acting", _) => None,
        ("power-lost", _) => Some((Grade::Down, 3)),
        ("crashed", _) => Some((Grade::Down, 2)),
        ("stopped", _) => Some((Grade::Down, 1)),
        ("paused", _) => Some((Grade::Paused, 0)),
        ("unready", _) => Some((Grade::Doubted, 3)),
        ("open", _) => Some((Grade::Doubted, 2)),
        ("half-open", _) => Some((Grade::Doubted, 1)),
        (_, LaneKind::Process) => Some((Grade::Down, 0)),
        _ => Some((Grade::Doubted, 0)),
    }
}

/// A state in words.
pub(super) fn words(state: &str) -> &str {
    match state {
        "power-lost" => "power lost",
        "open" => "breaker open",
        "half-open" => "breaker half open",
        other => other,
    }
}

impl Health {
    /// Of a node in a seed. None: the seed has no lanes of health to tell from.
    pub(super) fn of(node: &str, seed: &SeedResult) -> Option<Health> {
        let series = seed.series.as_ref()?;
        let ill = spans(node, series);
        let worst = ill.iter().max_by(|a, b| a.0.cmp(&b.0));
        let Some(((grade, _), span)) = worst else {
            return Some(Health { worst: "well".to_owned(), grade: Grade::Well, share: 0.0 });
        };
        let worst = words(&span.state).to_owned();
        Some(Health { worst, grade: *grade, share: covered(&ill, series) })
    }

    /// In a few words, for a badge.
    pub(super) fn badge(&self) -> String {
        match self.grade {
            Grade::Well => "well".to_owned(),
            _ => format!("{} {}", self.worst, share(self.share)),
        }
    }

    /// In a sentence.
    pub(super) fn told(&self) -> String {
        match self.grade {
            Grade::Well => "well all the time".to_owned(),
            _ => format!("at worst {}; not well {} of the time", self.worst, share(self.share)),
        }
    }
}

/// A share in few digits; what is more than nothing and less than all is never told as nothing or all.
fn share(part: f64) -> String {
    match part * 100.0 {
        percent if percent <= 0.0 => "0 %".to_owned(),
        percent if percent < 0.1 => "< 0.1 %".to_owned(),
        percent if percent < 9.95 => format!("{percent:.1} %"),
        percent if percent > 99.0 && percent < 100.0 => "> 99 %".to_owned(),
        percent => format!("{percent:.0} %"),
    }
}

type Ill<'a> = ((Grade, u8), &'a HealthSpan);

fn spans<'a>(node: &str, series: &'a Series) -> Vec<Ill<'a>> {
    let lanes = series.lanes.iter().filter(|lane| lane.node == node);
    let spans = lanes.flat_map(|lane| lane.spans.iter().map(move |span| (lane.kind, span)));
    spans.filter_map(|(kind, span)| Some((grade(&span.state, kind)?, span))).collect()
}

/// The share of the run that at least one of the spans covers.
fn covered(ill: &[Ill<'_>], series: &Series) -> f64 {
    let (start, end) = (series.start, series.end());
    let mut spans: Vec<(f64, f64)> =
        ill.iter().map(|(_, span)| (span.from.max(start), span.to.min(end))).collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut sum, mut until) = (0.0, start);
    for (from, to) in spans {
        sum += (to - from.max(until)).max(0.0);
        until = until.max(to);
    }
    if end > start { (sum / (end - start)).clamp(0.0, 1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::HealthLane;

    type Told<'a> = (&'a str, LaneKind, &'a [(f64, f64, &'a str)]);

    fn seed(lanes: &[Told<'_>]) -> SeedResult {
        let lane = |(name, kind, spans): &Told<'_>| HealthLane {
            name: (*name).to_owned(),
            node: "app".to_owned(),
            kind: *kind,
            spans: spans
                .iter()
                .map(|(from, to, state)| HealthSpan { from: *from, to: *to, state: (*state).to_owned() })
                .collect(),
            more: 0,
        };
        let series = Series {
            start: -10.0,
            step: 10.0,
            bins: 11,
            lanes: lanes.iter().map(lane).collect(),
            ..Series::default()
        };
        SeedResult { series: Some(series), ..SeedResult::default() }
    }

    #[test]
    fn time_that_two_processes_were_down_counts_once() {
        let seed = seed(&[
            ("app/0", LaneKind::Process, &[(0.0, 11.0, "crashed")]),
            ("app/1", LaneKind::Process, &[(0.0, 22.0, "stopped")]),
            ("gate about app", LaneKind::Breaker, &[(90.0, 900.0, "open")]),
        ]);
        let health = Health::of("app", &seed).expect("there are lanes");
        assert_eq!(health.badge(), "crashed 29 %");
        assert_eq!(health.told(), "at worst crashed; not well 29 % of the time");
    }

    #[test]
    fn a_share_is_told_in_few_digits() {
        let told = [0.0, 0.0004, 0.031, 0.5, 0.9999, 1.0].map(share);
        assert_eq!(told, ["0 %", "< 0.1 %", "3.1 %", "50 %", "> 99 %", "100 %"]);
    }

    #[test]
    fn to_act_is_not_to_be_ill_and_without_lanes_nothing_is_said() {
        let acts = seed(&[("app", LaneKind::Action, &[(0.0, 50.0, "acting")])]);
        assert_eq!(Health::of("app", &acts).expect("there are lanes").badge(), "well");
        assert_eq!(Health::of("app", &SeedResult::default()), None);
    }
}
