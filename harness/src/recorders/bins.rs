//! Bins of equal width, a few hundred at most, with widths that a person would choose.

use beaufort_sim::plan::Plan;
use beaufort_sim::time::{Span, Time};

use crate::judges::naming::scenario_seconds;

/// At most so many bins.
const MOST: u64 = 240;
/// The widths, in milliseconds; beyond them whole days.
const WIDTHS: [u64; 22] = [
    10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000,
    600_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 43_200_000,
];
const DAY: u64 = 86_400_000;

/// Bins from the beginning of the warm-up on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bins {
    /// How wide a bin is.
    width: Span,
    /// How many there are.
    pub(crate) count: usize,
    /// When the first begins, in seconds of the scenario.
    pub(crate) start: f64,
}

impl Bins {
    /// As many as cover a run up to this instant.
    pub(crate) fn until(plan: &Plan, until: Time) -> Bins {
        let total = (until.0 / 1_000_000).max(1);
        let fits = |width: &u64| total.div_ceil(*width) <= MOST;
        let days = || total.div_ceil(DAY * MOST).max(1) * DAY;
        let width = WIDTHS.into_iter().find(fits).unwrap_or_else(days);
        let count = total.div_ceil(width).max(1) as usize;
        Bins { width: Span::millis(width), count, start: scenario_seconds(plan, Time::ZERO) }
    }

    /// As many as cover warm-up and run: all of the load.
    pub(crate) fn of_load(plan: &Plan) -> Bins {
        Bins::until(plan, plan.ends())
    }

    /// How wide a bin is.
    pub(crate) const fn width(&self) -> Span {
        self.width
    }

    /// The width, in seconds.
    pub(crate) fn step(&self) -> f64 {
        self.width.as_secs_f64()
    }

    /// In which bin an instant is; one after the end is in the last.
    #[inline]
    pub(crate) fn of(&self, at: Time) -> usize {
        ((at.0 / self.width.0) as usize).min(self.count - 1)
    }

    /// A series of zeros.
    pub(crate) fn zeros<T: Clone + Default>(&self) -> Vec<T> {
        vec![T::default(); self.count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judges::golden::plan;

    #[test]
    fn there_are_never_too_many_and_their_widths_are_round() {
        let plan = plan();
        for seconds in [0, 1, 59, 1_800, 7_200, 86_400, 40_000_000] {
            let end = Time::ZERO + Span::secs(seconds);
            let bins = Bins::until(&plan, end);
            assert!((1..=MOST as usize).contains(&bins.count), "{bins:?}");
            assert!(bins.step() * bins.count as f64 >= seconds as f64);
            assert_eq!(bins.of(end + Span::days(9)), bins.count - 1);
        }
        assert_eq!(Bins::until(&plan, Time::ZERO + Span::mins(30)).step(), 10.0);
    }
}
