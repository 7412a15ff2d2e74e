//! Idempotency keys. A key that says no more than the item takes a bit; others take an entry. Keys that
//! outlive the run are never forgotten, so that only a short window costs a queue.

use std::collections::VecDeque;

use rustc_hash::FxHashSet;

use crate::ids::{Execution, Item, Once};
use crate::node::ItemBag;
use crate::random::mix;
use crate::time::Time;

/// What is remembered of the keys, by operation.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    items: Vec<ItemBag>,
    /// Never iterated.
    others: FxHashSet<u64>,
    expiring: VecDeque<(Time, u16, u64, Item)>,
}

/// Whether the key is the item's own, so that a bit says it.
fn is_plain(key: u64, item: Item) -> bool {
    Once::ITEM.identity(item, Execution::default()) == Some(key)
}

impl Keys {
    pub(super) fn knows(&self, part: u16, key: u64, item: Item) -> bool {
        if is_plain(key, item) {
            return self.items.get(usize::from(part)).is_some_and(|bag| bag.contains(item));
        }
        self.others.contains(&mix(key, u64::from(part)))
    }

    /// Remembers a key that is not known, until then or for ever.
    pub(super) fn remember(&mut self, part: u16, key: u64, item: Item, until: Option<Time>) {
        if is_plain(key, item) {
            if self.items.len() <= usize::from(part) {
                self.items.resize_with(usize::from(part) + 1, ItemBag::default);
            }
            self.items[usize::from(part)].add(item);
        } else {
            self.others.insert(mix(key, u64::from(part)));
        }
        if let Some(until) = until {
            self.expiring.push_back((until, part, key, item));
        }
    }

    /// Forgets the keys whose window is over.
    pub(super) fn forget(&mut self, now: Time) {
        while let Some((_, part, key, item)) =
            self.expiring.front().copied().filter(|(until, ..)| *until <= now)
        {
            self.expiring.pop_front();
            if is_plain(key, item) {
                self.items[usize::from(part)].remove(item);
            } else {
                self.others.remove(&mix(key, u64::from(part)));
            }
        }
    }
}
