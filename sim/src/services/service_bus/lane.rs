//! The order in which messages are retrieved: by sequence number, what came back before what is newer.
//! And the memory of duplicate detection, bounded by its window.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;

use rustc_hash::FxHashMap;

use crate::time::{Span, Time};

/// Messages that can be retrieved, lowest sequence number first. An entry whose message has left the
/// queue in another way is stale and is skipped by the caller.
#[derive(Clone, Debug, Default)]
pub(super) struct Lane {
    /// Ascending: what came in order, which is nearly everything.
    fresh: VecDeque<(u64, u32)>,
    /// What came back after newer ones had gone.
    back: BTreeSet<(u64, u32)>,
}

impl Lane {
    /// Adds the message in this slot.
    pub(super) fn push(&mut self, sequence: u64, slot: u32) {
        if self.fresh.back().is_none_or(|(last, _)| *last < sequence) {
            self.fresh.push_back((sequence, slot));
        } else {
            self.back.insert((sequence, slot));
        }
    }

    /// The first entry, stale or not.
    pub(super) fn first(&self) -> Option<(u64, u32)> {
        match (self.fresh.front(), self.back.first()) {
            (Some(fresh), Some(back)) => Some(*fresh.min(back)),
            (fresh, back) => fresh.or(back).copied(),
        }
    }

    /// Takes the first entry, stale or not.
    pub(super) fn pop(&mut self) -> Option<(u64, u32)> {
        let first = self.first()?;
        if self.back.first() == Some(&first) {
            self.back.pop_first();
        } else {
            self.fresh.pop_front();
        }
        Some(first)
    }
}

/// The message ids of the last window (facts 1.1 DuplicateDetectionHistoryTimeWindow).
#[derive(Clone, Default)]
pub(super) struct History {
    order: VecDeque<(Time, u64)>,
    /// How often the id is in `order`; never iterated.
    known: FxHashMap<u64, u32>,
}

impl History {
    /// Forgets what is older than the window.
    fn forget(&mut self, now: Time, window: Span) {
        while let Some((at, id)) = self.order.front().copied()
            && at + window <= now
        {
            self.order.pop_front();
            if let Some(count) = self.known.get_mut(&id) {
                *count -= 1;
                if *count == 0 {
                    self.known.remove(&id);
                }
            }
        }
    }

    /// All that is remembered, oldest first.
    pub(super) fn seen(&self) -> Vec<(Time, u64)> {
        self.order.iter().copied().collect()
    }

    /// Whether the id was seen within the window.
    pub(super) fn knows(&mut self, id: u64, now: Time, window: Span) -> bool {
        self.forget(now, window);
        self.known.contains_key(&id)
    }

    /// Remembers the id from now on.
    pub(super) fn remember(&mut self, id: u64, now: Time) {
        self.order.push_back((now, id));
        *self.known.entry(id).or_insert(0) += 1;
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.order.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_ordered_by_sequence_whatever_comes_back() {
        let mut lane = Lane::default();
        for sequence in [3, 5, 4, 9, 1] {
            lane.push(sequence, sequence as u32);
        }

        let popped: Vec<u64> = std::iter::from_fn(|| lane.pop()).map(|(sequence, _)| sequence).collect();
        assert_eq!(popped, [1, 3, 4, 5, 9]);
    }

    #[test]
    fn the_history_forgets_after_its_window() {
        let mut history = History::default();
        history.remember(7, Time(10));
        history.remember(7, Time(20));
        assert!(history.knows(7, Time(25), Span(10)));
        assert!(!history.knows(7, Time(30), Span(10)));
        assert!(history.order.is_empty() && history.known.is_empty());
    }
}
