//! What was counted in the last so many seconds: a sliding window in sixty steps, for limits.

use crate::node::Gauge;
use crate::time::{Span, Time};
use crate::units::Rate;

const STEPS: u64 = 60;

/// A sliding window. Not exact, as the service is not: it moves by a sixtieth of its length.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Window {
    step: u64,
    /// The number of the newest step.
    newest: u64,
    counts: [u32; STEPS as usize],
    sum: u64,
}

impl Window {
    pub(crate) fn new(length: Span) -> Window {
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

    pub(crate) fn add(&mut self, now: Time) {
        self.add_many(now, 1);
    }

    pub(crate) fn add_many(&mut self, now: Time, many: u32) {
        self.forget(now);
        self.counts[(self.newest % STEPS) as usize] += many;
        self.sum += u64::from(many);
    }

    pub(crate) fn count(&mut self, now: Time) -> u64 {
        self.forget(now);
        self.sum
    }

    /// The same, without forgetting what is too old.
    pub(crate) fn seen(&self, now: Time) -> u64 {
        let gone = (now.0 / self.step).saturating_sub(self.newest).min(STEPS);
        let oldest = (0..gone).map(|passed| self.counts[((self.newest + 1 + passed) % STEPS) as usize]);
        self.sum - oldest.map(u64::from).sum::<u64>()
    }

    /// How much of a rate with this window is used. Only a look.
    pub(crate) fn gauge(&self, name: &'static str, unit: &'static str, rate: Rate, now: Time) -> Gauge {
        Gauge::rate(name, unit, self.seen(now) as f64, rate.count, rate.per)
    }

    pub(crate) fn clear(&mut self) {
        self.counts = [0; STEPS as usize];
        self.sum = 0;
    }

    /// How long until fewer than `limit` are left in it.
    pub(crate) fn until_below(&mut self, now: Time, limit: u64) -> Span {
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
pub(crate) fn whole_seconds(span: Span) -> Span {
    Span::secs(span.0.div_ceil(1_000_000_000).max(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
                prop_assert_eq!(window.seen(now), count);
                let wait = window.until_below(now, count);
                // A look ahead sees what a count then would, and leaves the window as it is.
                let before = window.clone();
                for ahead in [Span(1), Span(999), Span(30_500), wait, Span(200_000)] {
                    prop_assert_eq!(window.seen(now + ahead), window.clone().count(now + ahead));
                }
                prop_assert_eq!(&window, &before);
                prop_assert!(window.clone().count(now + wait) < count);
                prop_assert!(wait.0 <= 1 || window.clone().count(now + Span(wait.0 - 1)) >= count);
            }
        }
    }
}
