//! What the judges remember about every item: a few words each, in chunks. A chunk in which most items
//! came to one of a few common states is folded to two bits an item plus a sparse list of exceptions, so
//! that memory follows what is in flight and what is odd; an event about an item of long ago still finds
//! its state. Chunks are shared between clones until they change.

use std::sync::Arc;

use smallvec::SmallVec;

/// Items in a chunk.
const CHUNK: usize = 256;
/// More exceptions than this, and a chunk stays (or becomes) open.
const MOST_EXCEPTIONS: usize = 112;
/// A chunk is first looked at when this many later ones have begun.
const PATIENCE: u32 = 3;
/// Selector of an item that stands in the list of exceptions.
const EXCEPTION: u8 = 3;

/// The words of one item. The last one is not part of its state: it is when it was last booked.
pub(crate) type Words = SmallVec<[u64; 8]>;

/// A dense table of items, numbered from 0.
#[derive(Clone, Debug)]
pub(crate) struct ItemTable {
    stride: usize,
    chunks: Vec<Chunk>,
    /// Open chunks, and from which newest chunk on it is worth trying to fold them.
    waiting: std::collections::VecDeque<(u32, u32)>,
    /// The highest number seen, plus one.
    seen: u32,
}

#[derive(Clone, Debug)]
enum Chunk {
    Untouched,
    Open(Arc<Vec<u64>>),
    Folded(Arc<Folded>),
}

#[derive(Clone, Debug)]
struct Folded {
    /// Up to three common states.
    palette: Vec<Words>,
    /// Two bits an item: an index into the palette, or an exception.
    selectors: [u64; CHUNK / 32],
    /// The exceptions, ascending.
    rows: Vec<u8>,
    records: Vec<u64>,
}

impl Folded {
    fn selector(&self, row: usize) -> u8 {
        (self.selectors[row / 32] >> (row % 32 * 2) & 3) as u8
    }
    fn select(&mut self, row: usize, selector: u8) {
        let word = &mut self.selectors[row / 32];
        *word = *word & !(3 << (row % 32 * 2)) | u64::from(selector) << (row % 32 * 2);
    }
}

impl ItemTable {
    /// A table whose items have this many words, the time of the last booking included.
    pub(crate) fn new(stride: usize) -> ItemTable {
        ItemTable { stride, chunks: Vec::new(), waiting: std::collections::VecDeque::new(), seen: 0 }
    }

    /// The highest number seen, plus one.
    #[cfg(test)]
    pub(crate) fn seen(&self) -> u32 {
        self.seen
    }

    /// Lets `change` see and alter the words of an item.
    pub(crate) fn update<R>(&mut self, number: u32, change: impl FnOnce(&mut [u64]) -> R) -> R {
        let (index, row) = (number as usize / CHUNK, number as usize % CHUNK);
        self.seen = self.seen.max(number.saturating_add(1));
        if index >= self.chunks.len() {
            self.chunks.resize(index + 1, Chunk::Untouched);
        }
        if matches!(self.chunks[index], Chunk::Untouched) {
            self.open(index, vec![0; CHUNK * self.stride]);
        }
        let stride = self.stride;
        match &mut self.chunks[index] {
            Chunk::Open(words) => change(&mut Arc::make_mut(words)[row * stride..(row + 1) * stride]),
            Chunk::Folded(folded) => {
                let folded = Arc::make_mut(folded);
                let result = change_folded(folded, row, stride, change);
                if folded.rows.len() > MOST_EXCEPTIONS {
                    let words = unfold(folded, stride);
                    self.open(index, words);
                }
                result
            }
            Chunk::Untouched => change(&mut Words::from_elem(0, stride)),
        }
    }

    /// The words of an item; all zero if it was never seen.
    pub(crate) fn get(&self, number: u32) -> Words {
        let (index, row) = (number as usize / CHUNK, number as usize % CHUNK);
        match self.chunks.get(index) {
            None | Some(Chunk::Untouched) => Words::from_elem(0, self.stride),
            Some(Chunk::Open(words)) => words[row * self.stride..(row + 1) * self.stride].into(),
            Some(Chunk::Folded(folded)) => words_of(folded, row, self.stride),
        }
    }

    fn open(&mut self, index: usize, words: Vec<u64>) {
        self.chunks[index] = Chunk::Open(Arc::new(words));
        let newest = self.chunks.len() as u32;
        self.waiting.push_back((index as u32, newest.max(index as u32 + 1) + PATIENCE));
        for _ in 0..2 {
            let Some(&(chunk, from)) = self.waiting.front() else { break };
            if from > newest {
                break;
            }
            self.waiting.pop_front();
            if !self.fold(chunk as usize) {
                // Doubling the distance keeps the work small for chunks that stay odd.
                let wait = (newest - chunk.min(newest)).clamp(8, 1024);
                self.waiting.push_back((chunk, newest + wait));
            }
        }
    }

    /// Tries to fold an open chunk. False if too much in it is still odd.
    fn fold(&mut self, index: usize) -> bool {
        let Chunk::Open(words) = &self.chunks[index] else { return true };
        let state = self.stride - 1;
        let record = |row: usize| &words[row * self.stride..(row + 1) * self.stride];
        let mut classes: SmallVec<[(usize, u32); 16]> = SmallVec::new();
        for row in 0..CHUNK {
            let known = classes.iter().position(|(first, _)| record(*first)[..state] == record(row)[..state]);
            match known {
                Some(known) => classes[known].1 += 1,
                None if classes.len() < 64 => classes.push((row, 1)),
                None => {}
            }
        }
        classes.sort_by_key(|&(first, count)| (u32::MAX - count, first));
        classes.retain(|(_, count)| *count >= 4);
        classes.truncate(usize::from(EXCEPTION));
        let covered: u32 = classes.iter().map(|(_, count)| count).sum();
        if CHUNK - covered as usize > MOST_EXCEPTIONS {
            return false;
        }
        let palette: Vec<Words> = classes.iter().map(|(first, _)| record(*first)[..state].into()).collect();
        let mut folded =
            Folded { palette, selectors: [0; CHUNK / 32], rows: Vec::new(), records: Vec::new() };
        for row in 0..CHUNK {
            let here = record(row);
            match folded.palette.iter().position(|words| words[..] == here[..state]) {
                Some(selector) => folded.select(row, selector as u8),
                None => {
                    folded.select(row, EXCEPTION);
                    folded.rows.push(row as u8);
                    folded.records.extend_from_slice(here);
                }
            }
        }
        folded.rows.shrink_to_fit();
        folded.records.shrink_to_fit();
        self.chunks[index] = Chunk::Folded(Arc::new(folded));
        true
    }

    /// Hands every state that occurs to `visit`, with the items that are in it. Items of one state may
    /// come in several groups; groups come in ascending order of their first item's chunk.
    pub(crate) fn groups(&self, visit: &mut dyn FnMut(&[u64], Group<'_>)) {
        for (index, chunk) in self.chunks.iter().enumerate() {
            let base = (index * CHUNK) as u32;
            let len = (self.seen - base.min(self.seen)).min(CHUNK as u32) as usize;
            match chunk {
                Chunk::Untouched => {
                    visit(&Words::from_elem(0, self.stride), Group::Range(base, len as u32));
                }
                Chunk::Open(words) => {
                    for row in 0..len {
                        let record = &words[row * self.stride..(row + 1) * self.stride];
                        visit(record, Group::Range(base + row as u32, 1));
                    }
                }
                Chunk::Folded(folded) => {
                    for selector in 0..folded.palette.len() {
                        let mut words = folded.palette[selector].clone();
                        words.push(0);
                        visit(
                            &words,
                            Group::Folded { base, len, folded: Chosen(folded), selector: selector as u8 },
                        );
                    }
                    for (place, row) in folded.rows.iter().enumerate() {
                        let record = &folded.records[place * self.stride..(place + 1) * self.stride];
                        visit(record, Group::Range(base + u32::from(*row), 1));
                    }
                }
            }
        }
    }

    /// Roughly how many bytes it takes.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        let chunk = |chunk: &Chunk| match chunk {
            Chunk::Untouched => 0,
            Chunk::Open(words) => words.len() * 8,
            Chunk::Folded(folded) => {
                size_of::<Folded>() + folded.palette.len() * 80 + folded.rows.len() + folded.records.len() * 8
            }
        };
        self.chunks.iter().map(chunk).sum::<usize>() + self.chunks.capacity() * size_of::<Chunk>()
    }
}

fn words_of(folded: &Folded, row: usize, stride: usize) -> Words {
    match folded.selector(row) {
        EXCEPTION => match folded.rows.binary_search(&(row as u8)) {
            Ok(place) => folded.records[place * stride..(place + 1) * stride].into(),
            Err(_) => Words::from_elem(0, stride),
        },
        selector => {
            let mut words = folded.palette[usize::from(selector)].clone();
            words.push(0);
            words
        }
    }
}

fn change_folded<R>(
    folded: &mut Folded,
    row: usize,
    stride: usize,
    change: impl FnOnce(&mut [u64]) -> R,
) -> R {
    let mut words = words_of(folded, row, stride);
    let result = change(&mut words);
    let state = stride - 1;
    let common = folded.palette.iter().position(|known| known[..] == words[..state]);
    let place = folded.rows.binary_search(&(row as u8));
    match (common, place) {
        (Some(selector), Ok(place)) => {
            folded.rows.remove(place);
            folded.records.drain(place * stride..(place + 1) * stride);
            folded.select(row, selector as u8);
        }
        (Some(selector), Err(_)) => folded.select(row, selector as u8),
        (None, Ok(place)) => {
            folded.records[place * stride..(place + 1) * stride].copy_from_slice(&words);
        }
        (None, Err(place)) => {
            folded.rows.insert(place, row as u8);
            let at = place * stride;
            folded.records.splice(at..at, words.iter().copied());
            folded.select(row, EXCEPTION);
        }
    }
    result
}

fn unfold(folded: &Folded, stride: usize) -> Vec<u64> {
    (0..CHUNK).flat_map(|row| words_of(folded, row, stride)).collect()
}

/// A borrowed folded chunk.
#[derive(Clone, Copy)]
pub(crate) struct Chosen<'a>(&'a Folded);

/// Items in one state.
#[derive(Clone, Copy)]
pub(crate) enum Group<'a> {
    /// So many from this number on.
    Range(u32, u32),
    /// Those of a folded chunk that have this selector.
    Folded {
        /// The number of the chunk's first item.
        base: u32,
        /// How many items of the chunk exist.
        len: usize,
        /// The chunk.
        folded: Chosen<'a>,
        /// Which of its states.
        selector: u8,
    },
}

impl Group<'_> {
    /// How many items.
    pub(crate) fn count(&self) -> u64 {
        match *self {
            Group::Range(_, count) => u64::from(count),
            Group::Folded { .. } => {
                let mut count = 0;
                self.each(&mut |_| count += 1);
                count
            }
        }
    }

    /// Their numbers, ascending.
    pub(crate) fn each(&self, visit: &mut dyn FnMut(u32)) {
        match *self {
            Group::Range(first, count) => (first..first + count).for_each(visit),
            Group::Folded { base, len, folded, selector } => {
                let rows = (0..len).filter(|&row| folded.0.selector(row) == selector);
                rows.for_each(|row| visit(base + row as u32));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn all(table: &ItemTable) -> BTreeMap<u32, u64> {
        let mut found = BTreeMap::new();
        table.groups(&mut |words, group| {
            group.each(&mut |number| assert!(found.insert(number, words[0]).is_none()))
        });
        found
    }

    #[test]
    fn a_million_ordinary_items_take_less_than_a_megabyte_and_none_is_forgotten() {
        let mut table = ItemTable::new(3);
        for number in 0..1_000_000u32 {
            table.update(number, |words| {
                words[0] = 0x11;
                words[1] = u64::from(number) + 1;
                words[2] = u64::from(number);
            });
            if number >= 300 {
                // Its effect comes 300 items later; one item in a thousand never has it.
                let done = number - 300;
                if done % 1000 != 7 {
                    table.update(done, |words| {
                        words[0] |= 0x100;
                        words[1] = 0;
                    });
                }
            }
        }
        assert!(table.bytes() < 1_000_000, "{} bytes", table.bytes());
        assert_eq!(table.get(7)[1], 8);
        assert_eq!(table.get(8)[..2], [0x111, 0]);
        table.update(1, |words| words[0] += 0x100);
        assert_eq!(table.get(1)[0], 0x211);
        let states = all(&table);
        assert_eq!(states.len(), 1_000_000);
        assert_eq!(states.values().filter(|state| **state == 0x111).count(), 1_000_000 - 300 - 1000 - 1);
    }

    proptest! {
        #[test]
        fn it_remembers_what_a_plain_map_remembers(changes in prop::collection::vec((0u32..3000, 0u64..5), 1..4000)) {
            let mut table = ItemTable::new(2);
            let mut plain = BTreeMap::new();
            for (number, value) in changes {
                table.update(number, |words| { words[0] = value; words[1] = 99; });
                plain.insert(number, value);
            }
            for number in 0..table.seen() {
                prop_assert_eq!(table.get(number)[0], plain.get(&number).copied().unwrap_or(0));
            }
            let states = all(&table);
            prop_assert_eq!(states.len(), table.seen() as usize);
            for (number, value) in plain {
                prop_assert_eq!(states[&number], value);
            }
        }
    }
}
