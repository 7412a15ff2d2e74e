//! The event queue: events ordered by time, and at one time by the order in which they were put in, faults
//! first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::time::Time;

/// What an entry stands for. The payload is a slot or an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A process has a timer due.
    Wake(u32),
    /// A message or notice in this slot arrives.
    Arrival(u32),
    /// The fault registry has something to do.
    Fault,
    /// A connection's stalled head tries again.
    Transport(u32),
}

const SLOT_BITS: u32 = 24;
const KIND_BITS: u32 = 2;
/// A bucket is about a millisecond: 2 to this power nanoseconds.
const BUCKET_SHIFT: u32 = 20;
/// So many buckets are ahead, about a second.
const BUCKETS: usize = 1024;
const WORDS: usize = BUCKETS / 64;
/// Into this many events another one is put in order; beyond, a heap is cheaper.
const MOST_INSERTED: usize = 64;
const _: () = assert!(WORDS == 16, "`some` has a bit for each word");

/// Events by time, ties in order of arrival. An entry is one 128-bit number: time, sequence, kind, slot.
///
/// A calendar: the next events stand in order, those of the coming second in buckets by time, later ones in
/// a heap. While there is any event, `near` or `late` holds the first.
#[derive(Clone, Debug)]
pub struct Queue {
    /// The bucket `base` and what was before it, in order, the next one last.
    near: Vec<u128>,
    /// What came to `near` when there was already much in it.
    late: BinaryHeap<Reverse<u128>>,
    /// The buckets after `base`, each in no order.
    ring: Vec<Vec<u128>>,
    /// Which buckets of the ring are not empty.
    full: [u64; WORDS],
    /// Which words of `full` are not zero.
    some: u16,
    /// The number of the last bucket that is in `near`.
    base: u64,
    /// Everything beyond the ring.
    far: BinaryHeap<Reverse<u128>>,
    len: usize,
    sequence: u64,
}

impl Default for Queue {
    fn default() -> Self {
        Queue {
            near: Vec::new(),
            late: BinaryHeap::new(),
            ring: vec![Vec::new(); BUCKETS],
            full: [0; WORDS],
            some: 0,
            base: 0,
            far: BinaryHeap::new(),
            len: 0,
            sequence: 0,
        }
    }
}

const fn bucket(key: u128) -> u64 {
    (key >> (64 + BUCKET_SHIFT)) as u64
}

impl Queue {
    /// Puts an event in.
    ///
    /// # Panics
    /// If a slot does not fit 24 bits: over 16 million messages in flight.
    #[inline]
    pub fn push(&mut self, at: Time, entry: Entry) {
        let (kind, slot) = match entry {
            Entry::Wake(process) => (0u128, process),
            Entry::Arrival(slot) => (1, slot),
            Entry::Fault => (2, 0),
            Entry::Transport(slot) => (3, slot),
        };
        assert!(slot < 1 << SLOT_BITS, "more than 16 million events in flight");
        self.sequence += 1;
        // Faults come before all else of their instant, whenever they were put in: otherwise one more fault
        // would decide in which order others and a timer of that instant come.
        let sequence = if entry == Entry::Fault { 0 } else { self.sequence };
        let order = u128::from(sequence) << (SLOT_BITS + KIND_BITS);
        let key = u128::from(at.0) << 64 | order | kind << SLOT_BITS | u128::from(slot);
        if self.len == 0 {
            self.base = bucket(key);
        }
        self.len += 1;
        self.put(key);
    }

    #[inline]
    fn put(&mut self, key: u128) {
        let bucket = bucket(key);
        if bucket <= self.base {
            self.put_near(key);
        } else if bucket - self.base < BUCKETS as u64 {
            let index = bucket as usize % BUCKETS;
            self.ring[index].push(key);
            self.full[index / 64] |= 1 << (index % 64);
            self.some |= 1 << (index / 64);
        } else {
            self.far.push(Reverse(key));
        }
    }

    fn put_near(&mut self, key: u128) {
        if self.near.len() < MOST_INSERTED {
            let place = self.near.partition_point(|other| *other > key);
            self.near.insert(place, key);
        } else {
            self.late.push(Reverse(key));
        }
    }

    /// Takes the next event.
    #[inline]
    pub fn pop(&mut self) -> Option<(Time, Entry)> {
        let key = if self.late.is_empty() { self.near.pop()? } else { self.pop_either()? };
        self.len -= 1;
        if self.near.is_empty() && self.late.is_empty() && self.len > 0 {
            self.advance();
        }
        let slot = (key & ((1 << SLOT_BITS) - 1)) as u32;
        let entry = match (key >> SLOT_BITS) & ((1 << KIND_BITS) - 1) {
            0 => Entry::Wake(slot),
            1 => Entry::Arrival(slot),
            2 => Entry::Fault,
            _ => Entry::Transport(slot),
        };
        Some((Time((key >> 64) as u64), entry))
    }

    #[cold]
    fn pop_either(&mut self) -> Option<u128> {
        let Reverse(late) = *self.late.peek()?;
        if self.near.last().is_none_or(|near| late < *near) {
            return self.late.pop().map(|Reverse(key)| key);
        }
        self.near.pop()
    }

    /// Makes the first bucket that is not empty the near one.
    fn advance(&mut self) {
        if let Some(ahead) = self.next_full() {
            self.base += ahead;
            let index = self.base as usize % BUCKETS;
            self.full[index / 64] &= !(1 << (index % 64));
            if self.full[index / 64] == 0 {
                self.some &= !(1 << (index / 64));
            }
            std::mem::swap(&mut self.near, &mut self.ring[index]);
            if self.near.len() > 1 {
                self.near.sort_unstable_by(|a, b| b.cmp(a));
            }
        } else if let Some(Reverse(first)) = self.far.peek() {
            self.base = bucket(*first);
        }
        while let Some(Reverse(first)) = self.far.peek()
            && bucket(*first).saturating_sub(self.base) < BUCKETS as u64
            && let Some(Reverse(key)) = self.far.pop()
        {
            self.put(key);
        }
    }

    /// How far ahead of the near bucket the next one is that is not empty.
    fn next_full(&self) -> Option<u64> {
        let start = (self.base as usize + 1) % BUCKETS;
        let (word, bit) = (start / 64, start % 64);
        let here = self.full[word] & u64::MAX << bit;
        if here != 0 {
            return Some(u64::from(here.trailing_zeros()) - bit as u64 + 1);
        }
        // Rotated so that the next word comes first and this one, for its lower half, last.
        let ahead = self.some.rotate_right(word as u32 + 1).trailing_zeros() as usize;
        if ahead >= WORDS {
            return None;
        }
        let found = (word + 1 + ahead) % WORDS;
        let index = found * 64 + self.full[found].trailing_zeros() as usize;
        Some(((index + BUCKETS - start) % BUCKETS) as u64 + 1)
    }

    /// When the next event is.
    #[must_use]
    pub fn next_at(&self) -> Option<Time> {
        let near = self.near.last().copied();
        let late = self.late.peek().map(|Reverse(key)| *key);
        let first = match (near, late) {
            (Some(near), Some(late)) => near.min(late),
            (near, late) => near.or(late)?,
        };
        Some(Time((first >> 64) as u64))
    }

    /// How many events wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn events_come_out_by_time_and_ties_in_the_order_they_went_in(times in prop::collection::vec(0u64..20, 0..200)) {
            let mut queue = Queue::default();
            for (slot, &at) in times.iter().enumerate() {
                queue.push(Time(at), Entry::Arrival(slot as u32));
            }
            let mut expected: Vec<(Time, Entry)> =
                times.iter().enumerate().map(|(slot, &at)| (Time(at), Entry::Arrival(slot as u32))).collect();
            expected.sort_by_key(|(at, _)| *at);
            let popped: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
            prop_assert_eq!(popped, expected);
        }

        #[test]
        fn a_fault_comes_first_of_its_instant(before in 0u32..5, after in 0u32..5) {
            let mut queue = Queue::default();
            (0..before).for_each(|slot| queue.push(Time(7), Entry::Wake(slot)));
            queue.push(Time(7), Entry::Fault);
            (before..before + after).for_each(|slot| queue.push(Time(7), Entry::Wake(slot)));
            queue.push(Time(6), Entry::Wake(99));
            prop_assert_eq!(queue.pop(), Some((Time(6), Entry::Wake(99))));
            prop_assert_eq!(queue.pop(), Some((Time(7), Entry::Fault)));
            let rest: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|(_, entry)| entry).collect();
            prop_assert_eq!(rest, (0..before + after).map(Entry::Wake).collect::<Vec<_>>());
        }

        #[test]
        fn it_is_a_heap_whatever_lies_between_the_events(
            steps in prop::collection::vec((0u32..40, 0u64..1 << 40, 0usize..3), 1..300),
        ) {
            let mut queue = Queue::default();
            let mut plain = BinaryHeap::new();
            let mut now = 0;
            for (slot, (scale, pause, pops)) in steps.into_iter().enumerate() {
                let at = now + (pause >> scale);
                queue.push(Time(at), Entry::Arrival(slot as u32));
                plain.push(Reverse((at, slot as u32)));
                for _ in 0..pops {
                    prop_assert_eq!(queue.next_at(), plain.peek().map(|Reverse((at, _))| Time(*at)));
                    let expected = plain.pop().map(|Reverse((at, slot))| (Time(at), Entry::Arrival(slot)));
                    now = expected.map_or(now, |(at, _)| at.0);
                    prop_assert_eq!(queue.pop(), expected);
                }
                prop_assert_eq!(queue.len(), plain.len());
            }
            while let Some(Reverse((at, slot))) = plain.pop() {
                prop_assert_eq!(queue.pop(), Some((Time(at), Entry::Arrival(slot))));
            }
            prop_assert!(queue.is_empty() && queue.pop().is_none());
        }
    }
}
