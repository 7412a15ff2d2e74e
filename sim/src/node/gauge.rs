//! How near a process is to its limits: a look at it from outside. Looking draws nothing and changes nothing, so
//! that a run that is looked at closely is the same, event for event.

use crate::ids::PlaceId;
use crate::time::Span;

/// What a limit bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitKind {
    /// How much within so long: a rate limit, a quota, throughput.
    Rate(Span),
    /// How much at once: connections, runs, bytes that are kept.
    Level,
}

/// A limit that a process enforces, and how much of it is used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gauge {
    /// Which limit: `rate limit`, `request units`, `connections`. The same words for the same limit wherever it is.
    pub name: &'static str,
    /// The part whose limit it is (a queue of a namespace); none: the whole.
    pub part: Option<PlaceId>,
    /// What it bounds.
    pub kind: LimitKind,
    /// What is counted: `calls`, `bytes`, `runs`.
    pub unit: &'static str,
    /// How much is used. More than the limit where what was let in last may overdraw it.
    pub used: f64,
    /// How much there may be.
    pub limit: f64,
}

impl Gauge {
    /// So much of what there may be at once.
    #[must_use]
    pub fn level(name: &'static str, unit: &'static str, used: u64, limit: u64) -> Gauge {
        Gauge { name, part: None, kind: LimitKind::Level, unit, used: used as f64, limit: limit as f64 }
    }

    /// So long, of the time that it may be.
    #[must_use]
    pub fn span(name: &'static str, used: Span, limit: Span) -> Gauge {
        let kind = LimitKind::Level;
        Gauge {
            name,
            part: None,
            kind,
            unit: "seconds",
            used: used.as_secs_f64(),
            limit: limit.as_secs_f64(),
        }
    }

    /// So much of what there may be within this time.
    #[must_use]
    pub fn rate(name: &'static str, unit: &'static str, used: f64, limit: f64, per: Span) -> Gauge {
        Gauge { name, part: None, kind: LimitKind::Rate(per), unit, used, limit }
    }

    /// The same as the limit of a part.
    #[must_use]
    pub const fn at(self, part: PlaceId) -> Gauge {
        Gauge { part: Some(part), ..self }
    }

    /// Which share of the limit is used: 1 at the limit. A limit that lets nothing in is always reached.
    #[must_use]
    pub fn share(&self) -> f64 {
        if self.limit > 0.0 { self.used / self.limit } else { 1.0 }
    }

    /// What is counted, and within what time: `calls in 1m`, `runs`.
    #[must_use]
    pub fn counted_in(&self) -> String {
        match self.kind {
            LimitKind::Rate(per) => format!("{} in {per}", self.unit),
            LimitKind::Level => self.unit.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_says_its_share_and_what_it_counts() {
        let calls = Gauge::rate("rate limit", "calls", 50.0, 200.0, Span::mins(1));
        assert_eq!((calls.share(), calls.counted_in().as_str()), (0.25, "calls in 1m"));
        let runs = Gauge::level("concurrent runs", "runs", 3, 2);
        assert_eq!((runs.share(), runs.counted_in().as_str()), (1.5, "runs"));
        assert_eq!(Gauge::level("workers", "requests", 0, 0).share(), 1.0);
    }
}
