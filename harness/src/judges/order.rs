//! The order of effects, key by key, against the order of acceptance. An item is *overtaken* if one that
//! was accepted later had its first effect earlier.

use beaufort_sim::ids::Item;
use rustc_hash::FxHashMap;

/// At most so many entries are kept for a key in which an effect came before its acceptance.
const LOG: usize = 4096;

fn slot<T: Copy + Default>(table: &mut Vec<T>, key: u32) -> &mut T {
    let index = key as usize;
    if index >= table.len() {
        table.resize(index + 1, T::default());
    }
    &mut table[index]
}

/// Relative to real time at the door: one that was acknowledged before another was offered comes first;
/// overlapping ones are unordered.
#[derive(Clone, Debug, Default)]
pub(crate) struct RealTime {
    /// By key: when the latest of the items that had their effect was offered.
    latest_offer: Vec<u64>,
}

impl RealTime {
    /// The first effect of an item that was offered and acknowledged at these times (0: not acknowledged
    /// yet). True if it was overtaken.
    pub(crate) fn effect(&mut self, key: u32, offered: u64, acknowledged: u64) -> bool {
        let latest = slot(&mut self.latest_offer, key);
        let overtaken = acknowledged != 0 && *latest > acknowledged;
        *latest = (*latest).max(offered);
        overtaken
    }
}

/// An effect in a key in which an earlier one waits for its acceptance.
#[derive(Clone, Copy, Debug)]
struct Logged {
    item: Item,
    sequence: Option<u32>,
    told: bool,
}

/// Relative to the sequence in which a place stored.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sequence {
    next: Vec<u32>,
    latest: Vec<u32>,
    /// By key: the effects since the first one whose acceptance has not come yet.
    early: FxHashMap<u32, Vec<Logged>>,
}

impl Sequence {
    /// An item is accepted. Returns its number in the sequence of its key, from 1.
    pub(crate) fn accept(&mut self, key: u32) -> u32 {
        let next = slot(&mut self.next, key);
        *next += 1;
        *next
    }

    /// The first effect of an item that is `sequence`-th of its key (0: not accepted yet). True if it was
    /// overtaken.
    pub(crate) fn effect(&mut self, item: Item, sequence: u32) -> bool {
        let latest = slot(&mut self.latest, item.key);
        let overtaken = sequence != 0 && *latest > sequence;
        *latest = (*latest).max(sequence);
        if sequence == 0 || !self.early.is_empty() {
            self.log(item, sequence, overtaken);
        }
        overtaken
    }

    fn log(&mut self, item: Item, sequence: u32, told: bool) {
        let log = match self.early.get_mut(&item.key) {
            Some(log) => log,
            None if sequence == 0 => self.early.entry(item.key).or_default(),
            None => return,
        };
        if log.len() < LOG {
            log.push(Logged { item, sequence: (sequence != 0).then_some(sequence), told });
        }
    }

    /// The acceptance of an item whose effect had come before it; `sequence` is that of
    /// [`accept`](Self::accept). Calls `overtaken` for each item that turns out to have been overtaken by it.
    pub(crate) fn accept_late(&mut self, item: Item, sequence: u32, mut overtaken: impl FnMut(Item)) {
        let latest = slot(&mut self.latest, item.key);
        *latest = (*latest).max(sequence);
        let Some(log) = self.early.get_mut(&item.key) else { return };
        let Some(place) = log.iter().position(|entry| entry.item.same(item)) else { return };
        log[place].sequence = Some(sequence);
        for entry in &mut log[place + 1..] {
            if entry.sequence.is_some_and(|earlier| earlier < sequence) && !entry.told {
                entry.told = true;
                overtaken(entry.item);
            }
        }
        let waiting = log.iter().position(|entry| entry.sequence.is_none());
        match waiting {
            Some(first) => drop(log.drain(..first)),
            None => drop(self.early.remove(&item.key)),
        }
    }
}
