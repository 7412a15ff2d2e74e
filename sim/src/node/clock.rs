//! The two clocks of a host. The monotonic one drifts and never jumps; the wall clock is the monotonic
//! one plus an offset that faults change. All in integers.

use crate::time::Time;

const MILLION: i128 = 1_000_000;

/// The clocks of one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// Since when, in true time, the present drift holds.
    since: Time,
    /// What the monotonic clock showed then.
    shown: Time,
    ppm: i64,
    offset: i64,
}

impl Clock {
    /// What the monotonic clock shows at a true instant.
    #[must_use]
    #[inline]
    pub fn monotonic(&self, now: Time) -> Time {
        if self.ppm == 0 {
            return Time(now.0 - self.since.0 + self.shown.0);
        }
        let passed = i128::from(now.0) - i128::from(self.since.0);
        Time((i128::from(self.shown.0) + passed + passed * i128::from(self.ppm) / MILLION) as u64)
    }

    /// What the wall clock shows at a true instant.
    #[must_use]
    #[inline]
    pub fn wall(&self, now: Time) -> Time {
        Time(self.monotonic(now).0.saturating_add_signed(self.offset))
    }

    /// The first true instant at which the monotonic clock shows this.
    #[must_use]
    #[inline]
    pub fn true_time(&self, local: Time) -> Time {
        if local == Time::NEVER {
            return local;
        }
        if self.ppm == 0 {
            return Time(self.since.0.saturating_add(local.0.saturating_sub(self.shown.0)));
        }
        let ahead = i128::from(local.0) - i128::from(self.shown.0);
        if ahead <= 0 {
            return self.since;
        }
        let rate = MILLION + i128::from(self.ppm);
        let mut guess = i128::from(self.since.0) + ahead * MILLION / rate;
        // Rounding in `monotonic` can make the quotient a nanosecond too early or too late.
        while guess > i128::from(self.since.0) && self.monotonic(Time((guess - 1) as u64)) >= local {
            guess -= 1;
        }
        while self.monotonic(Time(guess as u64)) < local {
            guess += 1;
        }
        Time(guess as u64)
    }

    /// From now on it runs fast by so many parts per million more.
    pub fn drift(&mut self, now: Time, ppm: i64) {
        (self.shown, self.since) = (self.monotonic(now), now);
        self.ppm = (self.ppm + ppm).max(-900_000);
    }

    /// The wall clock is set forward (or back) by so many nanoseconds.
    pub fn jump(&mut self, nanos: i64) {
        self.offset = self.offset.saturating_add(nanos);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_timer_fires_at_the_first_instant_at_which_the_local_clock_shows_its_due_time(
            drifts in prop::collection::vec((0u64..10_000_000, -500_000i64..500_000), 0..5),
            ahead in 1u64..1_000_000_000,
        ) {
            let mut clock = Clock::default();
            let mut now = Time::ZERO;
            for (pause, ppm) in drifts {
                now = Time(now.0 + pause);
                let before = clock.monotonic(now);
                clock.drift(now, ppm);
                prop_assert_eq!(clock.monotonic(now), before, "a drift never jumps");
            }
            let due = Time(clock.monotonic(now).0 + ahead);
            let at = clock.true_time(due);
            prop_assert!(clock.monotonic(at) >= due);
            prop_assert!(clock.monotonic(Time(at.0 - 1)) < due);
        }
    }

    #[test]
    fn the_wall_clock_jumps_and_the_monotonic_one_does_not() {
        let mut clock = Clock::default();
        clock.jump(-5);
        assert_eq!((clock.monotonic(Time(10)), clock.wall(Time(10))), (Time(10), Time(5)));
        clock.jump(5);
        assert_eq!(clock.wall(Time(10)), Time(10));
    }
}
