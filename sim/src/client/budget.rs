//! A retry budget: at most a share of all attempts may be further ones, so that retries cannot multiply
//! the load on a callee that is down.

use crate::units::Ratio;

/// One attempt, in the budget's unit (millionths).
const ONE: u64 = 1_000_000;

/// How many further attempts are allowed before any attempt has earned one \[K\]: without a reserve the
/// first calls after a start could never be tried again.
const RESERVE: u64 = 10;

/// Every attempt earns the share, every further one costs a whole. Integers, so that no rounding shifts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    share: u64,
    left: u64,
}

impl Budget {
    /// A full budget of this share. A share of zero allows no further attempt at all.
    #[must_use]
    pub fn new(share: Ratio) -> Budget {
        let share = (share.0 * ONE as f64).round() as u64;
        Budget { share, left: if share == 0 { 0 } else { RESERVE * ONE } }
    }

    /// An attempt was made.
    pub fn earn(&mut self) {
        self.left = (self.left + self.share).min(RESERVE * ONE);
    }

    /// Takes one further attempt out of the budget; false if there is none left.
    pub fn spend(&mut self) -> bool {
        let enough = self.left >= ONE;
        if enough {
            self.left -= ONE;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_attempts_stay_below_the_share_plus_the_reserve() {
        let mut budget = Budget::new(Ratio(0.1));
        let (mut attempts, mut further) = (0u64, 0u64);
        for _ in 0..10_000 {
            budget.earn();
            attempts += 1;
            while budget.spend() {
                budget.earn();
                attempts += 1;
                further += 1;
            }
        }
        assert!(further <= attempts / 10 + RESERVE, "{further} of {attempts}");
        assert!(further >= attempts / 10 - 1, "the share is really given: {further} of {attempts}");
        assert!(!Budget::new(Ratio(0.0)).spend());
    }
}
