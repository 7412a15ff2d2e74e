//! Request units. Each physical partition has its share of the provisioned throughput, filled up every
//! second (facts 1.6). A request is admitted while anything is left, and may overdraw: the debt is paid
//! in the next second. Over budget: 429 with the time until something is left again.

use crate::time::{Span, Time};

/// Hundredths of a request unit, so that shares of a partition are whole numbers.
pub(super) const RU: u64 = 100;

/// What each physical partition has used of the current second.
#[derive(Clone, Debug)]
pub(super) struct Budgets {
    partitions: Vec<Budget>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Budget {
    second: u64,
    used: u64,
}

impl Budgets {
    pub(super) fn new(partitions: usize) -> Budgets {
        Budgets { partitions: vec![Budget::default(); partitions] }
    }

    /// How long until this partition has something left under this limit (hundredths of a unit a
    /// second); zero if it has now.
    pub(super) fn wait(&mut self, partition: usize, now: Time, limit: u64) -> Span {
        let budget = &mut self.partitions[partition];
        budget.refill(now, limit);
        if budget.used < limit {
            return Span::ZERO;
        }
        let seconds = budget.second + budget.used / limit.max(1);
        Span(seconds.saturating_mul(1_000_000_000).saturating_sub(now.0).max(1))
    }

    /// What is used of this limit in the partition that has used most, in hundredths of a unit: what was charged
    /// and is not paid yet. Only a look.
    pub(super) fn most_used(&self, now: Time, limit: u64) -> u64 {
        let refilled = |mut budget: Budget| {
            budget.refill(now, limit);
            budget.used
        };
        self.partitions.iter().copied().map(refilled).max().unwrap_or(0)
    }

    /// Charges a request that was admitted.
    pub(super) fn charge(&mut self, partition: usize, units: u64) {
        self.partitions[partition].used += units;
    }
}

impl Budget {
    fn refill(&mut self, now: Time, limit: u64) {
        let second = now.0 / 1_000_000_000;
        let paid = second.saturating_sub(self.second).saturating_mul(limit);
        self.used = self.used.saturating_sub(paid);
        self.second = second;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_filled_up_every_second_and_a_debt_is_carried_over() {
        let mut budgets = Budgets::new(2);
        let limit = 10 * RU;
        let at = |ms: u64| Time(ms * 1_000_000);
        assert_eq!(budgets.wait(0, at(200), limit), Span::ZERO);
        budgets.charge(0, 9 * RU);
        assert_eq!(budgets.wait(0, at(300), limit), Span::ZERO, "something is left");
        budgets.charge(0, 13 * RU);
        assert_eq!(budgets.wait(0, at(400), limit), Span::millis(1600), "22 units are more than two seconds");
        assert_eq!(budgets.most_used(at(400), limit), 22 * RU);
        assert_eq!(budgets.most_used(at(1999), limit), 12 * RU, "a look does not pay");
        assert_eq!(budgets.most_used(at(400), limit), 22 * RU);
        assert_eq!(budgets.wait(1, at(400), limit), Span::ZERO, "the other partition is free");
        assert_eq!(budgets.wait(0, at(1000), limit), Span::millis(1000));
        assert_eq!(budgets.wait(0, at(2000), limit), Span::ZERO);
        budgets.charge(0, 8 * RU);
        assert_eq!(budgets.wait(0, at(2500), limit), Span::millis(500));
    }
}
