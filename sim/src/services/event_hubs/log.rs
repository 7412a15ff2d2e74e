//! One partition: a log. Events have sequence numbers from 1, ascending without gaps. The books hold a copy
//! of each event from its arrival until all consumer groups that somebody reads have checkpointed it; the
//! log keeps it for as long as its retention lasts, because a reader may go back.

use std::collections::VecDeque;

use crate::ids::Item;
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
}

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

    /// At most so many events after a sequence number, and that of the last of them. Where the next one is
    /// gone, from the earliest that is there (facts 3.2).
    pub(super) fn read(&self, after: u64, most: usize) -> (Vec<Item>, u64) {
        let from = after.clamp(self.base, self.end());
        let skip = (from - self.base) as usize;
        let items: Vec<Item> = self.events.range(skip..).take(most).map(|event| event.item).collect();
        let upto = from + items.len() as u64;
        (items, upto)
    }

    /// A reader says how far its group is. Calls `ends` for each event that no group waits for any more.
    /// `read`: which of the groups somebody reads.
    pub(super) fn settle(&mut self, group: usize, done: u64, read: &[bool], mut ends: impl FnMut(Item)) {
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
        assert_eq!(log.read(9, 3), (Vec::new(), 5), "a position that never was");
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
