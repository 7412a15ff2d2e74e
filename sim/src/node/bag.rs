//! A multiset of items, compact where every item is there once: what a table or an endpoint remembers.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use crate::ids::{Item, StreamId};

/// Items with their counts. One bit for an item that is there once; an entry for each further copy.
/// Keys and types of the copies are not kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ItemBag {
    once: Vec<(StreamId, RoaringBitmap)>,
    more: BTreeMap<u64, u32>,
    len: u64,
}

impl ItemBag {
    fn bitmap(&self, stream: StreamId) -> Option<&RoaringBitmap> {
        self.once.iter().find(|(id, _)| *id == stream).map(|(_, bitmap)| bitmap)
    }

    fn bitmap_mut(&mut self, stream: StreamId) -> &mut RoaringBitmap {
        let index = match self.once.iter().position(|(id, _)| *id == stream) {
            Some(index) => index,
            None => {
                self.once.push((stream, RoaringBitmap::new()));
                self.once.len() - 1
            }
        };
        &mut self.once[index].1
    }

    /// Adds one copy and returns how many there are now.
    pub fn add(&mut self, item: Item) -> u32 {
        self.len += 1;
        if self.bitmap_mut(item.stream).insert(item.number) {
            return 1;
        }
        let more = self.more.entry(item.identity()).or_insert(0);
        *more += 1;
        *more + 1
    }

    /// Removes one copy; false if there is none.
    pub fn remove(&mut self, item: Item) -> bool {
        if let Some(more) = self.more.get_mut(&item.identity()) {
            *more -= 1;
            if *more == 0 {
                self.more.remove(&item.identity());
            }
        } else if !self.bitmap_mut(item.stream).remove(item.number) {
            return false;
        }
        self.len -= 1;
        true
    }

    /// How many copies of the item there are.
    #[must_use]
    pub fn count(&self, item: Item) -> u32 {
        let once = self.bitmap(item.stream).is_some_and(|bitmap| bitmap.contains(item.number));
        u32::from(once) + self.more.get(&item.identity()).copied().unwrap_or(0)
    }

    /// Whether there is a copy of the item.
    #[must_use]
    pub fn contains(&self, item: Item) -> bool {
        self.bitmap(item.stream).is_some_and(|bitmap| bitmap.contains(item.number))
    }

    /// How many copies there are in all.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Every item with its count, by stream and number. The items carry neither key nor type.
    pub fn iter(&self) -> impl Iterator<Item = (Item, u32)> + '_ {
        self.once.iter().flat_map(move |(stream, bitmap)| {
            bitmap.iter().map(move |number| {
                let item = Item { number, stream: *stream, ..Item::default() };
                (item, 1 + self.more.get(&item.identity()).copied().unwrap_or(0))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(number: u32) -> Item {
        Item { number, ..Item::default() }
    }

    #[test]
    fn a_bag_counts_what_it_holds() {
        let mut bag = ItemBag::default();
        assert_eq!(bag.add(item(1)), 1);
        assert_eq!(bag.add(item(1)), 2);
        assert_eq!(bag.add(item(7)), 1);
        assert_eq!(bag.iter().collect::<Vec<_>>(), [(item(1), 2), (item(7), 1)]);
        assert!(bag.remove(item(1)) && bag.remove(item(1)) && !bag.remove(item(1)));
        assert_eq!((bag.len(), bag.count(item(1)), bag.contains(item(7))), (1, 0, true));
    }
}
