//! The verdict lattice and the exit codes. The lattice itself stands in the results document.

pub use beaufort_reports::Verdict;

/// Exit codes; part of the stable interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Everything passed (or is degraded).
    Pass = 0,
    /// A contract was violated or an objective missed.
    Violated = 1,
    /// The scenario or the command line is wrong.
    BadInput = 2,
    /// Nothing can be said: a fault was not felt, there was no traffic, the deadline passed.
    Inconclusive = 3,
    /// Nothing was selected.
    NothingSelected = 4,
    /// Degraded, under `--strict`.
    Degraded = 5,
    /// Worse than the baseline.
    Regression = 6,
    /// A rerun did not give the same digest.
    NotDeterministic = 7,
    /// A defect of Beaufort itself.
    Internal = 70,
    /// Interrupted; what had finished was reported.
    Interrupted = 130,
}

impl Exit {
    /// The exit code of a run or a sweep with this verdict.
    #[must_use]
    pub fn of(verdict: Verdict, strict: bool) -> Exit {
        match verdict {
            Verdict::Pass => Exit::Pass,
            Verdict::Degraded if strict => Exit::Degraded,
            Verdict::Degraded => Exit::Pass,
            Verdict::Inconclusive => Exit::Inconclusive,
            Verdict::Fail => Exit::Violated,
            Verdict::Error => Exit::Internal,
        }
    }

    /// The number that the process exits with.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_verdict_wins_and_an_error_is_never_swallowed() {
        use Verdict::{Degraded, Error, Fail, Inconclusive, Pass};
        let order = [Pass, Degraded, Inconclusive, Fail, Error];
        for (i, a) in order.into_iter().enumerate() {
            for (j, b) in order.into_iter().enumerate() {
                assert_eq!(a.worst(b), order[i.max(j)]);
            }
        }
    }

    #[test]
    fn a_degraded_run_exits_with_zero_unless_strict() {
        assert_eq!(Exit::of(Verdict::Degraded, false).code(), 0);
        assert_eq!(Exit::of(Verdict::Degraded, true).code(), 5);
        assert_eq!(Exit::of(Verdict::Error, false).code(), 70);
    }
}
