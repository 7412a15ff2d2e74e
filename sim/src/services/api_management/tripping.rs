//! The breaker of a gateway about one backend.

use crate::services::api_management::rules::{Trip, TripAt};
use crate::services::window::Window;
use crate::time::{Span, Time};

/// The breaker about one backend (facts 6): closed, or tripped for a while. It has no half-open state.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tripping {
    rule: Trip,
    calls: Window,
    failures: Window,
    until: Time,
}

impl Tripping {
    pub(super) fn new(rule: Trip) -> Tripping {
        let window = Window::new(rule.within);
        Tripping { rule, calls: window.clone(), failures: window, until: Time::ZERO }
    }

    pub(super) fn rule(&self) -> Trip {
        self.rule
    }

    pub(super) fn is_tripped(&self, now: Time) -> bool {
        now < self.until
    }

    /// A call ended. Returns for how long it tripped, if it did.
    pub(super) fn record(&mut self, now: Time, failed: bool) -> Option<Span> {
        if self.is_tripped(now) {
            return None; // an answer to a call from before
        }
        self.calls.add(now);
        if !failed {
            return None;
        }
        self.failures.add(now);
        let failures = self.failures.count(now);
        let trips = match self.rule.at {
            TripAt::Count(count) => failures >= u64::from(count),
            TripAt::Share(share) => failures as f64 >= share.0 * self.calls.count(now) as f64,
        };
        if !trips {
            return None;
        }
        self.until = now + self.rule.lasts;
        self.calls.clear();
        self.failures.clear();
        Some(self.rule.lasts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Ratio;

    #[test]
    fn a_breaker_trips_by_count_or_share_and_closes_by_itself() {
        let at = |secs| Time::ZERO + Span::secs(secs);
        let rule = |at| Trip { at, within: Span::secs(60), lasts: Span::secs(30) };
        let mut count = Tripping::new(rule(TripAt::Count(2)));
        assert_eq!(count.record(at(1), true), None);
        assert_eq!(count.record(at(70), true), None, "the first is forgotten");
        assert_eq!(count.record(at(71), true), Some(Span::secs(30)));
        assert!(count.is_tripped(at(100)) && !count.is_tripped(at(101)));
        assert_eq!(count.record(at(101), true), None, "it starts anew");
        let mut share = Tripping::new(rule(TripAt::Share(Ratio(0.5))));
        for _ in 0..3 {
            assert_eq!(share.record(at(1), false), None);
        }
        assert_eq!(share.record(at(2), true), None);
        assert_eq!(share.record(at(2), true), None);
        assert_eq!(share.record(at(2), true), Some(Span::secs(30)));
    }
}
