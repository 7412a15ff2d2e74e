//! One partition: a log. Events have sequence numbers from 1, ascending without gaps. The books hold a copy
//! of each event from its arrival until all consumer groups that somebody reads have checkpointed it; the
//! log keeps it for as long as its retention lasts, because a reader may go back.
//!
//! Where readers say how far they are, the term of the leader stands before the sequence number: after a forced
//! promotion numbers are given a second time, and who has read further than the new leader has begins with
//! what is new (facts 3.6: resume from the last committed offset).

use std::collections::VecDeque;
use std::sync::Arc;

use crate::ids::Item;
use crate::message::Cargo;
use crate::message::replication::HubChange;
use crate::time::{Span, Time};

/// An event and when it was enqueued, on the service's wall clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Event {
    pub(super) item: Item,
    pub(super) at: Time,
}

/// A partition. Durable.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Log {
    /// The sequence number of the last event that is gone.
    base: u64,
    events: VecDeque<Event>,
    /// Up to where the copies in the books have ended.
    settled: u64,
    /// By consumer group: up to where it was read and checkpointed, as far as its readers have said.
    done: Vec<u64>,
    /// The terms of the leaders after the first, each with the sequence number after which it began.
    terms: Vec<(u32, u64)>,
    /// Of a leader that waits for its follower: the positions in its log of the newest events, which nobody
    /// may read yet.
    hidden: VecDeque<u64>,
}

/// Sequence numbers have so many bits in a position.
const BITS: u32 = 40;
const NUMBER: u64 = (1 << BITS) - 1;

impl Log {
    /// An empty log for so many consumer groups.
    pub(super) fn new(groups: usize) -> Log {
        Log { done: vec![0; groups], ..Log::default() }
    }

    /// The sequence number of the last event.
    pub(super) fn end(&self) -> u64 {
        self.base + self.events.len() as u64
    }

    /// Appends an event and returns its sequence number.
    pub(super) fn append(&mut self, item: Item, at: Time) -> u64 {
        self.events.push_back(Event { item, at });
        self.end()
    }

    /// The same of one that is copied from a leader.
    pub(super) fn restored(
        base: u64,
        settled: u64,
        done: &[u64],
        terms: &[(u32, u64)],
        events: impl Iterator<Item = (Item, Time)>,
    ) -> Log {
        let events = events.map(|(item, at)| Event { item, at }).collect();
        Log { base, events, settled, done: done.to_vec(), terms: terms.to_vec(), hidden: VecDeque::new() }
    }

    /// A new leader's term begins here.
    pub(super) fn begin_term(&mut self, epoch: u32) {
        self.hidden.clear();
        self.terms.push((epoch, self.end()));
    }

    /// The newest event may be read once its follower has the log up to there.
    pub(super) fn hide(&mut self, position: u64) {
        self.hidden.push_back(position);
    }

    /// Shows what may be shown.
    pub(super) fn unhide(&mut self, may_show: impl Fn(u64) -> bool) {
        while self.hidden.front().is_some_and(|position| may_show(*position)) {
            self.hidden.pop_front();
        }
    }

    /// How a reader names a sequence number.
    fn position(&self, number: u64) -> u64 {
        let term = self.terms.iter().rev().find(|(_, after)| *after < number);
        u64::from(term.map_or(0, |(epoch, _)| *epoch)) << BITS | number
    }

    /// The sequence number that a reader means: not more than its leader had given when another took over.
    fn number(&self, position: u64) -> u64 {
        let epoch = (position >> BITS) as u32;
        let next = self.terms.iter().find(|(other, _)| *other > epoch);
        (position & NUMBER).min(next.map_or(NUMBER, |(_, after)| *after))
    }

    /// Whether a reader names a place that there is.
    pub(super) fn knows(&self, position: u64) -> bool {
        self.number(position) <= self.end()
    }

    /// At most so many events after a position, and that of the last of them. Where the next one is gone,
    /// from the earliest that is there (facts 3.2).
    pub(super) fn read(&self, after: u64, most: usize) -> (Vec<Item>, u64) {
        let shown = self.end() - self.hidden.len() as u64;
        let from = self.number(after).max(self.base);
        let most = most.min(shown.saturating_sub(from) as usize);
        let skip = (from.min(self.end()) - self.base) as usize;
        let items: Vec<Item> = self.events.range(skip..).take(most).map(|event| event.item).collect();
        let upto = from + items.len() as u64;
        (items, self.position(upto))
    }

    /// A reader says how far its group is. Calls `ends` for each event that no group waits for any more.
    /// `read`: which of the groups somebody reads.
    pub(super) fn settle(&mut self, group: usize, done: u64, read: &[bool], mut ends: impl FnMut(Item)) {
        let done = self.number(done);
        let Some(known) = self.done.get_mut(group) else { return };
        *known = done;
        let slowest = self.done.iter().zip(read).filter(|(_, read)| **read).map(|(done, _)| *done).min();
        let upto = slowest.unwrap_or(0).min(self.end());
        while self.settled < upto {
            let index = self.settled.max(self.base) - self.base;
            self.settled += 1;
            if let Some(event) = self.events.get(index as usize) {
                ends(event.item);
            }
        }
    }

    /// Forgets what is older than the retention. Calls `lost` for each event that some group had not done.
    pub(super) fn expire(&mut self, now: Time, retention: Span, mut lost: impl FnMut(Item)) {
        while let Some(event) = self.events.front().copied().filter(|event| event.at + retention <= now) {
            self.events.pop_front();
            self.base += 1;
            if self.settled < self.base {
                self.settled = self.base;
                lost(event.item);
            }
        }
    }

    /// When the oldest event was enqueued.
    pub(super) fn oldest(&self) -> Option<Time> {
        self.events.front().map(|event| event.at)
    }

    /// How many events a group has not done.
    pub(super) fn waiting(&self, group: usize) -> u64 {
        let done = self.done.get(group).copied().unwrap_or(0);
        self.end() - done.clamp(self.base, self.end())
    }

    /// Everything, for a follower that begins from nothing.
    pub(super) fn all(&self, part: u16, partition: u16) -> HubChange {
        HubChange::Log {
            part,
            partition,
            base: self.base,
            settled: self.settled,
            done: Arc::new(self.done.clone()),
            terms: Arc::new(self.terms.clone()),
            items: Cargo::of(self.events.iter().map(|event| event.item).collect()),
            at: Arc::new(self.events.iter().map(|event| event.at).collect()),
        }
    }

    /// Up to where a group has done, as a position.
    pub(super) fn place_of(&self, group: usize) -> u64 {
        self.position(self.done.get(group).copied().unwrap_or(0))
    }

    /// The events whose copies have not ended.
    pub(super) fn open(&self) -> impl Iterator<Item = Item> + '_ {
        let skip = self.settled.max(self.base) - self.base;
        self.events.range(skip as usize..).map(|event| event.item)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn item(number: u32) -> Item {
        Item { number, ..Item::default() }
    }

    fn at(seconds: u64) -> Time {
        Time::ZERO + Span::secs(seconds)
    }

    fn numbers(items: impl IntoIterator<Item = Item>) -> Vec<u32> {
        items.into_iter().map(|item| item.number).collect()
    }

    #[test]
    fn each_group_reads_for_itself_and_nothing_is_taken() {
        let mut log = Log::new(2);
        for number in 1..=5 {
            assert_eq!(log.append(item(number), at(0)), u64::from(number));
        }
        let (items, upto) = log.read(0, 3);
        assert_eq!((numbers(items), upto), (vec![1, 2, 3], 3));
        assert_eq!(log.read(5, 3), (Vec::new(), 5));
        assert!(log.knows(5) && !log.knows(6), "a position that never was");
        let mut ended = Vec::new();
        log.settle(0, 4, &[true, true], |item| ended.push(item));
        assert!(ended.is_empty(), "the other group has not read them");
        log.settle(1, 2, &[true, true], |item| ended.push(item));
        assert_eq!(numbers(ended.drain(..)), [1, 2]);
        log.settle(1, 1, &[true, true], |item| ended.push(item));
        assert!(ended.is_empty(), "its checkpoint went back; the copies have ended all the same");
        assert_eq!((log.waiting(0), log.waiting(1)), (1, 4));
        assert_eq!(numbers(log.open()), [3, 4, 5]);
        assert_eq!(log.read(0, 9).1, 5, "all of it can still be read");
    }

    #[test]
    fn what_is_older_than_its_retention_is_gone_read_or_not() {
        let mut log = Log::new(1);
        for number in 1..=4 {
            log.append(item(number), at(u64::from(number)));
        }
        log.settle(0, 1, &[true], |_| {});
        let mut lost = Vec::new();
        log.expire(at(12), Span::secs(10), |item| lost.push(item));
        assert_eq!(numbers(lost), [2], "the first one had been done");
        let (items, upto) = log.read(1, 9);
        assert_eq!((numbers(items), upto), (vec![3, 4], 4), "a reader resumes from the earliest");
        assert_eq!(log.oldest(), Some(at(3)));
    }

    #[test]
    fn what_the_last_leader_had_and_this_one_has_not_is_not_taken_for_what_is_new() {
        let mut log = Log::new(1);
        for number in 1..=3 {
            log.append(item(number), at(0));
        }
        // The reader had got up to 5 from the leader before, of which this one has 3.
        log.begin_term(1);
        for number in 4..=7 {
            log.append(item(number), at(0));
        }
        let (items, upto) = log.read(5, 2);
        assert_eq!(numbers(items), [4, 5]);
        assert_eq!(numbers(log.read(upto, 9).0), [6, 7]);
        assert_eq!(numbers(log.read(2, 2).0), [3, 4], "and who was behind misses nothing");
        log.settle(0, upto, &[true], |_| {});
        assert_eq!(log.waiting(0), 2);
    }

    #[test]
    fn what_the_follower_does_not_have_cannot_be_read() {
        let mut log = Log::new(1);
        for position in 11..=13 {
            log.append(item(position), at(0));
            log.hide(u64::from(position));
        }
        assert_eq!(log.read(0, 9), (Vec::new(), 0));
        log.unhide(|position| position <= 12);
        assert_eq!(numbers(log.read(0, 9).0), [11, 12]);
        assert!(log.knows(2));
    }

    proptest! {
        /// Every event ends exactly once in the books: done by all, or expired before.
        #[test]
        fn every_copy_ends_once(steps in prop::collection::vec((0u8..4, 0u64..12), 1..80)) {
            let mut log = Log::new(2);
            let (mut number, mut ended) = (0, Vec::new());
            for (second, (what, value)) in (0u64..).zip(steps) {
                match what {
                    0 | 1 => {
                        number += 1;
                        log.append(item(number), at(second));
                    }
                    2 => {
                        let upto = log.end().min(value * 4);
                        log.settle((value % 2) as usize, upto, &[true, true], |item| ended.push(item.number));
                    }
                    _ => log.expire(at(second), Span::secs(15), |item| ended.push(item.number)),
                }
            }
            let mut all = ended.clone();
            all.extend(numbers(log.open()));
            prop_assert_eq!(all, (1..=number).collect::<Vec<_>>());
        }
    }
}
