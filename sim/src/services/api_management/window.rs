//! What was counted in the last so many seconds: a sliding window in sixty steps.

use crate::services::api_management::rules::{Trip, TripAt};
use crate::time::{Span, Time};

const STEPS: u64 = 60;

/// A sliding window. Not exact, as the service is not: it moves by a sixtieth of its length.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Window {
    step: u64,
    /// The number of the newest step.
    newest: u64,
    counts: [u32; STEPS as usize],
    sum: u64,
}

impl Window {
    pub(super) fn new(length: Span) -> Window {
        Window { step: (length.0 / STEPS).max(1), newest: 0, counts: [0; STEPS as usize], sum: 0 }
    }

    fn forget(&mut self, now: Time) {
        let step = now.0 / self.step;
        let gone = step.saturating_sub(self.newest).min(STEPS);
        for passed in 0..gone {
            let index = ((self.newest + 1 + passed) % STEPS) as usize;
            self.sum -= u64::from(self.counts[index]);
            self.counts[index] = 0;
        }
        self.newest = self.newest.max(step);
    }

    pub(super) fn add(&mut self, now: Time) {
        self.forget(now);
        self.counts[(self.newest % STEPS) as usize] += 1;
        self.sum += 1;
    }

    pub(super) fn count(&mut self, now: Time) -> u64 {
        self.forget(now);
        self.sum
    }

    pub(super) fn clear(&mut self) {
        self.counts = [0; STEPS as usize];
        self.sum = 0;
    }

    /// How long until fewer than `limit` are left in it.
    pub(super) fn until_below(&mut self, now: Time, limit: u64) -> Span {
        self.forget(now);
        let mut left = self.sum;
        for age in 0..STEPS {
            if left < limit {
                break;
            }
            // The oldest step leaves the window first.
            left -= u64::from(self.counts[((self.newest + 1 + age) % STEPS) as usize]);
            if left < limit {
                return Time((self.newest + 1 + age) * self.step).since(now);
            }
        }
        Span(self.step)
    }
}

/// A header carries whole seconds, and never too few.
pub(super) fn whole_seconds(span: Span) -> Span {
    Span::secs(span.0.div_ceil(1_000_000_000).max(1))
}

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
    use proptest::prelude::*;

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

    proptest! {
        /// Between an exact window of its length and one that is a step shorter.
        #[test]
        fn a_window_is_exact_up_to_a_step(gaps in prop::collection::vec(0u64..20_000, 1..100)) {
            let length = Span(60_000);
            let mut window = Window::new(length);
            let mut times = Vec::new();
            let mut now = Time(5);
            for gap in gaps {
                now += Span(gap);
                window.add(now);
                times.push(now);
                let within = |span: Span| times.iter().filter(|t| now.since(**t) < span).count() as u64;
                let count = window.count(now);
                prop_assert!(count <= within(length) && count >= within(Span(length.0 - 1_000)));
                let wait = window.until_below(now, count);
                prop_assert!(window.clone().count(now + wait) < count);
                prop_assert!(wait.0 <= 1 || window.clone().count(now + Span(wait.0 - 1)) >= count);
            }
        }
    }
}
