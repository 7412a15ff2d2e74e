//! The tail that a failover loses: what had been acknowledged before a fault, was destroyed after it began and
//! did not come back.

use std::collections::{BTreeSet, VecDeque};

use beaufort_sim::ids::CallId;
use beaufort_sim::time::{Span, Time};

use super::acknowledged::{Acknowledgements, Now};

/// What was acknowledged longer than this before a fault is taken to be safe.
const WINDOW: Span = Span::hours(1);
/// So many occurrences of a fault are told apart.
const MOST: usize = 100;

/// One occurrence of the fault.
#[derive(Clone, Debug)]
struct Occurrence {
    start: Time,
    /// What had been acknowledged, by identity, and when.
    before: Vec<(u64, Time)>,
    lost: BTreeSet<u32>,
    back: BTreeSet<u32>,
}

/// What is remembered of the copies at some places, for one fault.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tail {
    told: Acknowledgements,
    window: VecDeque<(Time, u64)>,
    occurrences: Vec<Occurrence>,
}

/// What one occurrence of the fault took away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Loss {
    /// How many items.
    pub(crate) items: u64,
    /// How long before the fault the oldest of them had been acknowledged.
    pub(crate) age: Span,
    /// Of how many that had been acknowledged.
    pub(crate) of: u64,
}

impl Tail {
    /// A copy came to be in this kernel event, or came back.
    pub(crate) fn born(&mut self, identity: u64, event: u64, now: Time) {
        for one in &mut self.occurrences {
            if let Some(index) = one.find(identity) {
                one.lost.remove(&index);
                one.back.insert(index);
            }
        }
        let acknowledged = self.told.born(identity, event, now);
        self.keep(&acknowledged, now);
    }

    /// In this kernel event the callee dealt with a call.
    pub(crate) fn handled(&mut self, call: CallId, identity: u64, event: u64, now: Time) {
        let acknowledged = self.told.handled(call, identity, event, now);
        self.keep(&acknowledged, now);
    }

    /// The caller knows how its call ended.
    pub(crate) fn answered(&mut self, call: CallId, ok: bool, event: u64, now: Time) {
        let acknowledged = self.told.answered(call, ok, event, now);
        self.keep(&acknowledged, now);
    }

    fn keep(&mut self, acknowledged: &Now, now: Time) {
        while self.window.front().is_some_and(|(at, _)| now.since(*at) > WINDOW) {
            self.window.pop_front();
        }
        self.window.extend(acknowledged.iter().map(|one| (one.at, one.identity)));
    }

    /// A copy was destroyed.
    pub(crate) fn destroyed(&mut self, identity: u64) {
        for one in &mut self.occurrences {
            if let Some(index) = one.find(identity)
                && !one.back.contains(&index)
            {
                one.lost.insert(index);
            }
        }
    }

    /// The fault begins.
    pub(crate) fn begin(&mut self, event: u64, now: Time) {
        let acknowledged = self.told.turn(event, now);
        self.keep(&acknowledged, now);
        if self.occurrences.len() < MOST {
            let within = self.window.iter().filter(|(at, _)| now.since(*at) <= WINDOW);
            let mut before: Vec<(u64, Time)> = within.map(|(at, identity)| (*identity, *at)).collect();
            // Of a repeated effect the first counts.
            before.sort_unstable();
            before.dedup_by_key(|(identity, _)| *identity);
            self.occurrences.push(Occurrence {
                start: now,
                before,
                lost: BTreeSet::new(),
                back: BTreeSet::new(),
            });
        }
    }

    /// What each occurrence took away.
    pub(crate) fn losses(&self) -> Vec<Loss> {
        self.occurrences.iter().map(Occurrence::loss).collect()
    }
}

impl Occurrence {
    fn find(&self, identity: u64) -> Option<u32> {
        self.before.binary_search_by_key(&identity, |(known, _)| *known).ok().map(|index| index as u32)
    }

    fn loss(&self) -> Loss {
        let oldest = self.lost.iter().map(|index| self.before[*index as usize].1).min();
        Loss {
            items: self.lost.len() as u64,
            age: oldest.map_or(Span::ZERO, |at| self.start.since(at)),
            of: self.before.len() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::ZERO + Span::secs(seconds)
    }

    #[test]
    fn lost_is_what_was_there_before_and_did_not_come_back() {
        let mut tail = Tail::default();
        (0..10).for_each(|n| tail.born(n, n, at(n)));
        tail.begin(10, at(10));
        tail.born(3, 11, at(11)); // reborn elsewhere before the old copy is closed
        tail.born(77, 12, at(11)); // of after the fault
        for identity in [3, 4, 5, 77] {
            tail.destroyed(identity);
        }
        assert_eq!(tail.losses(), [Loss { items: 2, age: Span::secs(6), of: 10 }]);
        tail.born(4, 20, at(20)); // resubmitted by hand
        assert_eq!(tail.losses(), [Loss { items: 1, age: Span::secs(5), of: 10 }]);
    }

    #[test]
    fn each_occurrence_has_its_own_tail_and_old_things_are_safe() {
        let mut tail = Tail::default();
        tail.born(1, 1, at(0));
        tail.born(2, 2, at(4000));
        tail.begin(3, at(4001));
        tail.destroyed(1);
        tail.begin(4, at(4002));
        tail.destroyed(2);
        let items: Vec<u64> = tail.losses().iter().map(|loss| loss.items).collect();
        assert_eq!(items, [1, 1]);
        assert_eq!(tail.losses()[0].of, 1);
    }

    #[test]
    fn what_nobody_was_told_is_not_lost() {
        let mut tail = Tail::default();
        // One call brings two and is answered, one is not answered before the fault, one never.
        tail.born(1, 1, at(1));
        tail.born(2, 1, at(1));
        tail.handled(CallId(1), 1, 1, at(1));
        tail.born(3, 2, at(2));
        tail.handled(CallId(2), 3, 2, at(2));
        tail.born(4, 3, at(2));
        tail.handled(CallId(3), 4, 3, at(2));
        tail.answered(CallId(1), true, 4, at(3));
        tail.answered(CallId(3), false, 5, at(3));
        tail.begin(6, at(10));
        tail.answered(CallId(2), true, 7, at(11));
        (1..=4).for_each(|identity| tail.destroyed(identity));
        assert_eq!(tail.losses(), [Loss { items: 2, age: Span::secs(7), of: 2 }]);
    }
}
