//! The event queue: events ordered by time, and at one time by the order in which they were put in.

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

/// Events by time, ties in order of arrival. An entry is one 128-bit number: time, sequence, kind, slot.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    heap: BinaryHeap<Reverse<u128>>,
    sequence: u64,
}

impl Queue {
    /// Puts an event in.
    ///
    /// # Panics
    /// If a slot does not fit 24 bits: over 16 million messages in flight.
    pub fn push(&mut self, at: Time, entry: Entry) {
        let (kind, slot) = match entry {
            Entry::Wake(process) => (0u128, process),
            Entry::Arrival(slot) => (1, slot),
            Entry::Fault => (2, 0),
            Entry::Transport(slot) => (3, slot),
        };
        assert!(slot < 1 << SLOT_BITS, "more than 16 million events in flight");
        self.sequence += 1;
        let order = u128::from(self.sequence) << (SLOT_BITS + KIND_BITS);
        self.heap.push(Reverse(u128::from(at.0) << 64 | order | kind << SLOT_BITS | u128::from(slot)));
    }

    /// Takes the next event.
    pub fn pop(&mut self) -> Option<(Time, Entry)> {
        let Reverse(key) = self.heap.pop()?;
        let slot = (key & ((1 << SLOT_BITS) - 1)) as u32;
        let entry = match (key >> SLOT_BITS) & ((1 << KIND_BITS) - 1) {
            0 => Entry::Wake(slot),
            1 => Entry::Arrival(slot),
            2 => Entry::Fault,
            _ => Entry::Transport(slot),
        };
        Some((Time((key >> 64) as u64), entry))
    }

    /// When the next event is.
    #[must_use]
    pub fn next_at(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse(key)| Time((key >> 64) as u64))
    }

    /// How many events wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
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
    }
}
