//! How much of a second a server is taken that serves one after the other. Nothing depends on it: it is kept for
//! those who look from outside.

use crate::time::{Span, Time};

const SECOND: u64 = Span::secs(1).0;

/// What is taken of the latest second in which a turn begins, and of the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Turns {
    second: u64,
    taken: u64,
    before: u64,
}

impl Turns {
    /// A turn begins then, not before the one before it, and lasts so long.
    pub(crate) fn take(&mut self, from: Time, lasts: Span) {
        let second = from.0 / SECOND;
        if second != self.second {
            self.before = if second == self.second + 1 { self.taken } else { 0 };
            (self.second, self.taken) = (second, 0);
        }
        self.taken += lasts.0;
    }

    /// Which share of the second around this instant is taken by the turns that begin in it; all of it where who
    /// comes now waits for longer than that.
    pub(crate) fn share(&self, now: Time) -> f64 {
        let taken = match self.second.checked_sub(now.0 / SECOND) {
            None => 0,
            Some(0) => self.taken,
            Some(1) => self.before,
            Some(_) => SECOND,
        };
        (taken as f64 / SECOND as f64).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_taken_by_the_turns_that_begin_in_it() {
        let at = |ms: u64| Time::ZERO + Span::millis(ms);
        let mut turns = Turns::default();
        for ms in [100, 300, 500] {
            turns.take(at(ms), Span::millis(200));
        }
        assert!((turns.share(at(999)) - 0.6).abs() < 1e-9);
        assert_eq!(turns.share(at(1000)), 0.0, "nothing begins in the next second");
        turns.take(at(1100), Span::millis(300));
        assert!((turns.share(at(999)) - 0.6).abs() < 1e-9, "the second before is still known");
        assert!((turns.share(at(1999)) - 0.3).abs() < 1e-9);
        turns.take(at(3500), Span::millis(300));
        assert_eq!(turns.share(at(1200)), 1.0, "who comes now has to wait for seconds");
        assert_eq!(turns.share(at(2500)), 0.0, "nothing began in the second before that of the last turn");
        turns.take(at(3800), Span::secs(2));
        assert_eq!(turns.share(at(3900)), 1.0);
    }
}
