//! The change feed and its leases (facts 1.7): per feed range one log of changes, in which each change
//! stands exactly once, and per processor one lease with a checkpoint. Latest version mode: a row that
//! was written again stands at its newest place only, and one that is gone does not stand there.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::ids::Item;
use crate::message::store::LeaseAction;
use crate::time::{Span, Time};

/// A recipe that reads the feed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Consumer {
    /// The node of the app.
    pub(super) processor: u16,
    /// Which parts it reads.
    pub(super) parts: Vec<u16>,
}

/// The feed of one account. Durable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Feed {
    consumers: Vec<Consumer>,
    /// Somebody reads the feed of another region, and may come here.
    keeps: bool,
    ranges: Vec<Range>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Range {
    /// The position of the last change that was forgotten; the log begins behind it.
    base: u64,
    log: VecDeque<Entry>,
    leases: Vec<(u16, Lease)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    item: Item,
    /// `GONE`: superseded or deleted.
    part: u16,
    typed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Lease {
    owner: u64,
    until: Time,
    position: u64,
}

const GONE: u16 = u16::MAX;
const ANY: u16 = u16::MAX;

impl Feed {
    pub(super) fn new(ranges: usize, consumers: Vec<Consumer>) -> Feed {
        Feed { consumers, keeps: false, ranges: vec![Range::default(); ranges] }
    }

    /// The same, kept although nobody reads it here, if `keeps`.
    pub(super) fn keeping(self, keeps: bool) -> Feed {
        Feed { keeps, ..self }
    }

    /// Whether anybody reads it.
    pub(super) fn is_read(&self) -> bool {
        self.keeps || !self.consumers.is_empty()
    }

    /// Becomes the feed of another region. Its own readers stay where they are, and find what they have not
    /// read; positions that the other one does not have never were.
    pub(super) fn adopt(&mut self, other: &Feed) {
        for (mine, theirs) in self.ranges.iter_mut().zip(&other.ranges) {
            let mut log = std::mem::take(&mut mine.log);
            let older = theirs.base.saturating_sub(mine.base);
            if older > log.len() as u64 {
                (mine.base, log) = (theirs.base, VecDeque::new());
            }
            log.truncate(older as usize);
            mine.base = mine.base.min(theirs.base);
            log.extend(theirs.log.iter().copied().skip(theirs.skips(mine.base + log.len() as u64)));
            let end = mine.base + log.len() as u64;
            mine.log = log;
            mine.leases.iter_mut().for_each(|(_, lease)| lease.position = lease.position.min(end));
        }
    }

    /// Adds a change and returns its position. Where nobody reads, nothing is kept.
    pub(super) fn append(&mut self, range: usize, part: u16, item: Item, typed: bool) -> u64 {
        let read = self.is_read();
        let range = &mut self.ranges[range];
        if read {
            range.log.push_back(Entry { item, part, typed });
        } else {
            range.base += 1;
        }
        range.base + range.log.len() as u64
    }

    /// The row behind this change is superseded or gone.
    pub(super) fn forget_at(&mut self, range: usize, position: u64) {
        let range = &mut self.ranges[range];
        if let Some(index) = position.checked_sub(range.base + 1)
            && let Some(entry) = range.log.get_mut(index as usize)
        {
            entry.part = GONE;
        }
    }

    /// The oldest row of this key is superseded or gone. Returns the position of its change, or the last
    /// one that was forgotten where the change is among those.
    pub(super) fn forget(&mut self, range: usize, part: u16, item: Item, typed: bool) -> u64 {
        let Range { base, log, .. } = &mut self.ranges[range];
        let found = log.iter_mut().zip(*base + 1..).find(|(entry, _)| {
            let kind = !typed || entry.item.kind == item.kind;
            entry.part == part && entry.typed == typed && entry.item.same(item) && kind
        });
        found.map_or(*base, |(entry, position)| {
            entry.part = GONE;
            position
        })
    }

    /// The changes of a part (or of all) after a position, and the position up to which was read.
    pub(super) fn page(&self, range: u16, part: u16, after: u64, max: usize) -> Option<(Vec<Item>, u64)> {
        let range = self.ranges.get(usize::from(range)).filter(|_| self.is_read())?;
        let start = after.max(range.base);
        let mut items = Vec::new();
        let mut upto = start;
        for entry in range.log.iter().skip((start - range.base) as usize) {
            if items.len() == max {
                break;
            }
            upto += 1;
            if entry.part != GONE && (part == ANY || part == entry.part) {
                items.push(entry.item);
            }
        }
        Some((items, upto))
    }

    /// The changes of a part that some reader of it has not checkpointed yet.
    pub(super) fn unread(&self, part: u16) -> impl Iterator<Item = Item> + '_ {
        let readers = move || self.consumers.iter().filter(move |consumer| consumer.parts.contains(&part));
        self.ranges.iter().flat_map(move |range| {
            let read = readers().map(|consumer| range.checkpoint(consumer.processor)).min();
            let skip = read.map_or(usize::MAX, |read| read.saturating_sub(range.base) as usize);
            range.log.iter().skip(skip).filter(move |entry| entry.part == part).map(|entry| entry.item)
        })
    }

    /// Does something with a lease: the range and its checkpoint, or that it is not the asker's.
    ///
    /// Leases are spread as the library's instances do it: each takes free or expired ones up to its
    /// fair share, and one at a time from an instance that has more than its own.
    pub(super) fn lease(
        &mut self,
        processor: u16,
        range: u16,
        owner: u64,
        how: LeaseAction,
        now: Time,
        expiration: Span,
    ) -> Option<(u16, u64)> {
        let until = now + expiration;
        if range == ANY {
            return match how {
                LeaseAction::Acquire => self.acquire(processor, owner, now, until),
                LeaseAction::Release => {
                    self.release(processor, owner);
                    Some((ANY, 0))
                }
                LeaseAction::Renew | LeaseAction::Checkpoint(_) | LeaseAction::Claim(_) => None,
            };
        }
        let lease = self.ranges.get_mut(usize::from(range))?.lease(processor);
        if how == LeaseAction::Acquire && (lease.owner == owner || lease.until <= now) {
            lease.owner = owner;
        }
        if lease.owner != owner || matches!(how, LeaseAction::Claim(_)) {
            return None;
        }
        match how {
            LeaseAction::Acquire | LeaseAction::Renew => lease.until = until,
            LeaseAction::Checkpoint(position) => {
                lease.until = until;
                lease.position = lease.position.max(position);
            }
            LeaseAction::Release => lease.free(),
            LeaseAction::Claim(_) => {}
        }
        let position = lease.position;
        self.trim(usize::from(range));
        Some((range, position))
    }

    fn release(&mut self, processor: u16, owner: u64) {
        for range in &mut self.ranges {
            let lease = range.lease(processor);
            if lease.owner == owner {
                lease.free();
            }
        }
    }

    fn acquire(&mut self, processor: u16, owner: u64, now: Time, until: Time) -> Option<(u16, u64)> {
        let mut held: Vec<(u64, usize)> = vec![(owner, 0)];
        let mut free = None;
        for (index, range) in self.ranges.iter_mut().enumerate() {
            let lease = range.lease(processor);
            if lease.until <= now {
                free = free.or(Some(index));
                continue;
            }
            match held.iter_mut().find(|(holder, _)| *holder == lease.owner) {
                Some((_, count)) => *count += 1,
                None => held.push((lease.owner, 1)),
            }
        }
        let share = self.ranges.len().div_ceil(held.len());
        if held[0].1 >= share {
            return None;
        }
        let index = free.or_else(|| {
            let (rich, count) = held.iter().skip(1).max_by_key(|(holder, count)| (*count, *holder))?;
            // Taking the last one that another has above its share must make things more equal.
            if *count <= share && *count <= held[0].1 + 1 {
                return None;
            }
            self.ranges.iter_mut().position(|range| range.lease(processor).owner == *rich)
        })?;
        let lease = self.ranges[index].lease(processor);
        *lease = Lease { owner, until, ..*lease };
        Some((index as u16, lease.position))
    }

    /// Forgets what every reader has checkpointed.
    fn trim(&mut self, range: usize) {
        let range = &mut self.ranges[range];
        let read = self.consumers.iter().map(|consumer| range.checkpoint(consumer.processor)).min();
        let read = read.unwrap_or(0);
        while range.base < read && range.log.pop_front().is_some() {
            range.base += 1;
        }
    }
}

impl Range {
    /// How many entries stand up to this position.
    fn skips(&self, position: u64) -> usize {
        position.saturating_sub(self.base) as usize
    }

    fn checkpoint(&self, processor: u16) -> u64 {
        self.leases.iter().find(|(of, _)| *of == processor).map_or(0, |(_, lease)| lease.position)
    }

    fn lease(&mut self, processor: u16) -> &mut Lease {
        let index = match self.leases.iter().position(|(of, _)| *of == processor) {
            Some(index) => index,
            None => {
                self.leases.push((processor, Lease { owner: 0, until: Time::ZERO, position: 0 }));
                self.leases.len() - 1
            }
        };
        &mut self.leases[index].1
    }
}

impl Lease {
    fn free(&mut self) {
        self.owner = 0;
        self.until = Time::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: u16 = 7;
    const LIFE: Span = Span::secs(60);

    fn item(number: u32) -> Item {
        Item { number, ..Item::default() }
    }

    fn feed(ranges: usize) -> Feed {
        Feed::new(ranges, vec![Consumer { processor: APP, parts: vec![1] }])
    }

    fn at(secs: u64) -> Time {
        Time::ZERO + Span::secs(secs)
    }

    fn take(feed: &mut Feed, owner: u64, now: u64) -> Option<u16> {
        feed.lease(APP, ANY, owner, LeaseAction::Acquire, at(now), LIFE).map(|(range, _)| range)
    }

    #[test]
    fn each_change_stands_once_at_its_newest_place() {
        let mut feed = feed(1);
        for (part, number) in [(0, 1), (1, 1), (1, 2), (1, 3)] {
            feed.append(0, part, item(number), false);
        }
        assert_eq!(feed.page(0, 1, 0, 2), Some((vec![item(1), item(2)], 3)));
        feed.forget(0, 1, item(2), false);
        feed.append(0, 1, item(2), false);
        assert_eq!(feed.page(0, 1, 0, 9), Some((vec![item(1), item(3), item(2)], 5)));
        assert_eq!(feed.page(0, ANY, 0, 1), Some((vec![item(1)], 1)));
        assert_eq!(feed.page(0, 1, 5, 9), Some((Vec::new(), 5)));
        assert_eq!(feed.page(1, 1, 0, 9), None);
    }

    #[test]
    fn what_all_readers_have_checkpointed_is_forgotten_and_the_rest_is_unread() {
        let mut feed = feed(1);
        for number in 0..10 {
            feed.append(0, 1, item(number), false);
        }
        assert_eq!(feed.unread(1).count(), 10);
        assert_eq!(take(&mut feed, 1, 0), Some(0));
        feed.lease(APP, 0, 1, LeaseAction::Checkpoint(6), at(1), LIFE);
        assert_eq!(feed.unread(1).map(|item| item.number).collect::<Vec<_>>(), [6, 7, 8, 9]);
        assert_eq!(feed.ranges[0].log.len(), 4);
        assert_eq!(feed.page(0, 1, 6, 2), Some((vec![item(6), item(7)], 8)));
        assert_eq!(feed.unread(0).count(), 0, "nobody reads part 0");
    }

    #[test]
    fn leases_are_shared_fairly_and_taken_over_when_they_expire() {
        let mut feed = feed(4);
        let first: Vec<_> = (0..5).map(|_| take(&mut feed, 1, 0)).collect();
        assert_eq!(first, [Some(0), Some(1), Some(2), Some(3), None]);
        // A second instance takes from the first, one at a time, until both have the same.
        let second: Vec<_> = (0..3).map(|_| take(&mut feed, 2, 10)).collect();
        assert_eq!(second, [Some(0), Some(1), None]);
        assert_eq!(feed.lease(APP, 0, 1, LeaseAction::Renew, at(11), LIFE), None, "it was taken away");
        assert_eq!(feed.lease(APP, 0, 1, LeaseAction::Checkpoint(9), at(11), LIFE), None);
        for range in [2, 3] {
            assert_eq!(feed.lease(APP, range, 1, LeaseAction::Renew, at(11), LIFE), Some((range, 0)));
        }
        // The second dies. At 70 s its leases are free, but not before.
        assert_eq!(take(&mut feed, 1, 69), None);
        let taken: Vec<_> = (0..3).map(|_| take(&mut feed, 1, 70)).collect();
        assert_eq!(taken, [Some(0), Some(1), None]);
        assert_eq!(take(&mut feed, 3, 70), Some(0));
    }

    #[test]
    fn an_instance_beyond_the_number_of_ranges_is_idle() {
        let mut feed = feed(1);
        assert_eq!((take(&mut feed, 1, 0), take(&mut feed, 2, 0)), (Some(0), None));
        feed.lease(APP, ANY, 1, LeaseAction::Release, at(1), LIFE);
        assert_eq!(take(&mut feed, 2, 1), Some(0));
    }
}
