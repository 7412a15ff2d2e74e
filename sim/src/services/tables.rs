//! The rows of a store, and how a transaction changes them: what SQL databases, Cosmos containers and
//! blob containers have in common. A row takes a bit; only what is read in order takes an entry.

use std::collections::VecDeque;

use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use crate::ids::{Execution, Item, Once, PlaceId, TypeId};
use crate::message::store::{Error, Operation, WriteVerb};
use crate::node::ItemBag;
use crate::observe::Held;
use crate::time::Span;

/// The inbox of a table: identities that were seen, written in the same transaction as the row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Inbox {
    items: ItemBag,
    /// Never iterated.
    others: FxHashSet<u64>,
}

impl Inbox {
    fn knows(&self, once: Once, item: Item, execution: Execution) -> bool {
        if once == Once::ITEM {
            return self.items.contains(item);
        }
        once.identity(item, execution).is_some_and(|identity| self.others.contains(&identity))
    }

    /// True if it is new.
    fn note(&mut self, once: Once, item: Item, execution: Execution) -> bool {
        if once == Once::ITEM {
            return !self.items.contains(item) && self.items.add(item) == 1;
        }
        once.identity(item, execution).is_some_and(|identity| self.others.insert(identity))
    }

    fn forget(&mut self, once: Once, item: Item, execution: Execution) {
        if once == Once::ITEM {
            self.items.remove(item);
        } else if let Some(identity) = once.identity(item, execution) {
            self.others.remove(&identity);
        }
    }
}

/// A table or container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Where its rows rest.
    pub place: PlaceId,
    /// Rows whose key is the item: all but those written with a `once` that contains the type.
    by_item: ItemBag,
    /// Rows whose key is the item and its type.
    by_type: Vec<(TypeId, ItemBag)>,
    inbox: Inbox,
    /// The rows in the order in which they were written; only where a recipe reads them as a queue.
    order: Option<VecDeque<Row>>,
    counter: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    item: Item,
    typed: bool,
}

impl Table {
    /// An empty table. `queue`: its rows are read in order and wait for a consumer.
    #[must_use]
    pub fn new(place: PlaceId, queue: bool) -> Table {
        Table {
            place,
            by_item: ItemBag::default(),
            by_type: Vec::new(),
            inbox: Inbox::default(),
            order: queue.then(VecDeque::new),
            counter: 0,
        }
    }

    /// Whether rows are read from it in order.
    #[must_use]
    pub fn is_queue(&self) -> bool {
        self.order.is_some()
    }

    /// The oldest rows, at most so many; `None` if it is not read as a queue. They stay until deleted.
    #[must_use]
    pub fn oldest(&self, max: usize) -> Option<Vec<Item>> {
        self.order.as_ref().map(|order| order.iter().take(max).map(|row| row.item).collect())
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.by_item.len() + self.by_type.iter().map(|(_, bag)| bag.len()).sum::<u64>()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is a row of the item, under whatever type.
    #[must_use]
    pub fn contains(&self, item: Item) -> bool {
        self.by_item.contains(item) || self.by_type.iter().any(|(_, bag)| bag.contains(item))
    }

    /// How many rows of the item there are.
    #[must_use]
    pub fn count(&self, item: Item) -> u32 {
        self.by_item.count(item) + self.by_type.iter().map(|(_, bag)| bag.count(item)).sum::<u32>()
    }

    /// The sum of its increments.
    #[must_use]
    pub fn counter(&self) -> i64 {
        self.counter
    }

    fn bag(&mut self, item: Item, typed: bool) -> &mut ItemBag {
        if !typed {
            return &mut self.by_item;
        }
        let index = match self.by_type.iter().position(|(kind, _)| *kind == item.kind) {
            Some(index) => index,
            None => {
                self.by_type.push((item.kind, ItemBag::default()));
                self.by_type.len() - 1
            }
        };
        &mut self.by_type[index].1
    }

    /// Whether there is a row of this key.
    #[must_use]
    pub fn has(&self, item: Item, typed: bool) -> bool {
        if !typed {
            return self.by_item.contains(item);
        }
        self.by_type.iter().any(|(kind, bag)| *kind == item.kind && bag.contains(item))
    }

    fn add(&mut self, item: Item, typed: bool) {
        self.bag(item, typed).add(item);
        if let Some(order) = &mut self.order {
            order.push_back(Row { item, typed });
        }
    }

    /// Takes the newest row of this key away again.
    fn unadd(&mut self, item: Item, typed: bool) {
        self.bag(item, typed).remove(item);
        if let Some(order) = &mut self.order
            && let Some(index) = order.iter().rposition(|row| row.is(item, typed))
        {
            order.remove(index);
        }
    }

    /// Removes the oldest row of this key and returns where it stood in the order, and as what.
    fn take(&mut self, item: Item, typed: bool) -> Option<(usize, Item)> {
        if !self.has(item, typed) || !self.bag(item, typed).remove(item) {
            return None;
        }
        let Some(order) = &mut self.order else { return Some((0, item)) };
        let index = order.iter().position(|row| row.is(item, typed))?;
        order.remove(index).map(|row| (index, row.item))
    }

    /// Adds a row that was written elsewhere.
    pub fn put(&mut self, item: Item, typed: bool, by: i64) {
        self.add(item, typed);
        self.counter += by;
    }

    /// Remembers an identity that was seen elsewhere.
    pub fn remember(&mut self, once: Once, item: Item, execution: Execution) {
        self.inbox.note(once, item, execution);
    }

    /// Removes the oldest row of the item because its time is over; false if there is none.
    pub fn expire(&mut self, item: Item, typed: bool) -> bool {
        self.take(item, typed).is_some()
    }

    /// Every key with whether the type is part of it, and how many rows it has. The items carry no key of
    /// their flow.
    pub fn rows(&self) -> impl Iterator<Item = (Item, bool, u32)> + '_ {
        let untyped = self.by_item.iter().map(|(item, copies)| (item, false, copies));
        let of_type = |(kind, bag): &'_ (TypeId, ItemBag)| {
            let kind = *kind;
            bag.iter().map(move |(item, copies)| (item.typed(kind), true, copies)).collect::<Vec<_>>()
        };
        untyped.chain(self.by_type.iter().flat_map(of_type))
    }

    /// What it holds. `rest`: rows that nobody waits for.
    pub fn inventory(&self, rest: bool, out: &mut dyn FnMut(Held)) {
        for bag in std::iter::once(&self.by_item).chain(self.by_type.iter().map(|(_, bag)| bag)) {
            for (item, copies) in bag.iter() {
                out(Held { place: self.place, item, copies, rest, shut: false });
            }
        }
    }
}

impl Row {
    fn is(&self, item: Item, typed: bool) -> bool {
        self.typed == typed && self.item.same(item) && (!typed || self.item.kind == item.kind)
    }
}

/// One thing that a transaction did; enough to observe it and to take it back.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Change {
    /// A new row (or an increment).
    Born {
        /// The table.
        part: u16,
        /// The item, under the type of the row.
        item: Item,
        /// Whether the type is part of the row's key.
        typed: bool,
        /// By how much a counter changed.
        by: i64,
        /// The row's own time to live; `FOREVER`: none.
        ttl: Span,
        /// There is at most one row of this key (it was inserted or upserted).
        unique: bool,
    },
    /// A row is gone.
    Ended {
        /// The table.
        part: u16,
        /// The item.
        item: Item,
        /// Whether the type is part of the row's key.
        typed: bool,
        /// Where it stood in the order.
        index: usize,
    },
    /// A row was written again, as it was.
    Rewritten {
        /// The table.
        part: u16,
        /// The item.
        item: Item,
        /// Whether the type is part of the row's key.
        typed: bool,
        /// The row's own time to live, from now.
        ttl: Span,
    },
    /// A repetition was recognised.
    Absorbed {
        /// The table.
        part: u16,
        /// The item.
        item: Item,
    },
    /// An identity went into the inbox.
    Noted {
        /// The table.
        part: u16,
        /// The item.
        item: Item,
        /// By what.
        once: Once,
    },
}

/// Does the operations for every item, all or nothing. The journal says what was done; it is empty after
/// an error.
///
/// # Errors
/// `Conflict` for an insert without `once` where there is a row, `BadRequest` for a table that does not
/// exist, `NotFound` for a delete of nothing where `strict`.
pub fn transact(
    tables: &mut [Table],
    operations: &[Operation],
    items: &[Item],
    execution: Execution,
    strict: bool,
    journal: &mut Vec<Change>,
) -> Result<(), Error> {
    journal.clear();
    for item in items {
        for operation in operations {
            if let Err(error) = apply(tables, operation, *item, execution, strict, journal) {
                undo(tables, execution, journal);
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Whether a journal did anything, or only met repetitions.
#[must_use]
pub fn is_absorbed(journal: &[Change]) -> bool {
    !journal.iter().any(|change| matches!(change, Change::Born { .. } | Change::Ended { .. }))
}

fn apply(
    tables: &mut [Table],
    operation: &Operation,
    item: Item,
    execution: Execution,
    strict: bool,
    journal: &mut Vec<Change>,
) -> Result<(), Error> {
    let Operation { verb, part, once, by, ttl, kind } = *operation;
    let table = tables.get_mut(usize::from(part)).ok_or(Error::BadRequest)?;
    let item = if kind == TypeId(0) { item } else { item.typed(kind) };
    let typed = once.has(Once::TYPE);
    if table.inbox.knows(once, item, execution) {
        journal.push(Change::Absorbed { part, item });
        return Ok(());
    }
    let born = Change::Born { part, item, typed, by: 0, ttl, unique: verb != WriteVerb::Append };
    match verb {
        WriteVerb::Insert if table.has(item, typed) => {
            if once.is_none() {
                return Err(Error::Conflict);
            }
            journal.push(Change::Absorbed { part, item });
        }
        WriteVerb::Upsert if table.has(item, typed) => {
            journal.push(Change::Rewritten { part, item, typed, ttl });
        }
        WriteVerb::Insert | WriteVerb::Upsert | WriteVerb::Append => {
            table.add(item, typed);
            journal.push(born);
        }
        WriteVerb::Increment => {
            table.add(item, typed);
            table.counter += by;
            journal.push(Change::Born { part, item, typed, by, ttl, unique: false });
        }
        WriteVerb::Delete => {
            let before = journal.len();
            for typed in [false, true] {
                while let Some((index, item)) = table.take(item, typed) {
                    journal.push(Change::Ended { part, item, typed, index });
                }
            }
            if strict && journal.len() == before {
                return Err(Error::NotFound);
            }
        }
    }
    if table.inbox.note(once, item, execution) {
        journal.push(Change::Noted { part, item, once });
    }
    Ok(())
}

fn undo(tables: &mut [Table], execution: Execution, journal: &mut Vec<Change>) {
    while let Some(change) = journal.pop() {
        match change {
            Change::Born { part, item, typed, by, .. } => {
                let table = &mut tables[usize::from(part)];
                table.unadd(item, typed);
                table.counter -= by;
            }
            Change::Ended { part, item, typed, index } => {
                let table = &mut tables[usize::from(part)];
                table.bag(item, typed).add(item);
                if let Some(order) = &mut table.order {
                    order.insert(index, Row { item, typed });
                }
            }
            Change::Noted { part, item, once } => {
                tables[usize::from(part)].inbox.forget(once, item, execution);
            }
            Change::Absorbed { .. } | Change::Rewritten { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(number: u32) -> Item {
        Item { number, ..Item::default() }
    }

    fn write(verb: WriteVerb, part: u16, once: Once) -> Operation {
        Operation { verb, part, once, by: 1, ttl: Span::FOREVER, kind: TypeId(0) }
    }

    fn tables() -> Vec<Table> {
        vec![Table::new(PlaceId(0), false), Table::new(PlaceId(1), true)]
    }

    fn run(tables: &mut [Table], operations: &[Operation], items: &[Item]) -> Result<Vec<Change>, Error> {
        let mut journal = Vec::new();
        transact(tables, operations, items, Execution::default(), false, &mut journal).map(|()| journal)
    }

    #[test]
    fn an_insert_conflicts_unless_it_says_once() {
        let mut tables = tables();
        let plain = [write(WriteVerb::Insert, 0, Once::NONE)];
        assert!(run(&mut tables, &plain, &[item(1)]).is_ok());
        assert_eq!(run(&mut tables, &plain, &[item(1)]), Err(Error::Conflict));
        let once = [write(WriteVerb::Insert, 0, Once::ITEM)];
        let journal = run(&mut tables, &once, &[item(1)]).unwrap_or_default();
        assert!(is_absorbed(&journal), "{journal:?}");
        assert_eq!(tables[0].count(item(1)), 1);
    }

    #[test]
    fn a_transaction_that_fails_leaves_no_trace() {
        let mut tables = tables();
        run(&mut tables, &[write(WriteVerb::Insert, 0, Once::NONE)], &[item(2)]).unwrap_or_default();
        run(&mut tables, &[write(WriteVerb::Insert, 1, Once::NONE)], &[item(7), item(8)]).unwrap_or_default();
        let before = tables.clone();
        let all = [
            write(WriteVerb::Increment, 0, Once::KEY),
            write(WriteVerb::Delete, 1, Once::NONE),
            write(WriteVerb::Insert, 0, Once::NONE),
        ];
        assert_eq!(run(&mut tables, &all, &[item(7), item(2)]), Err(Error::Conflict));
        assert_eq!(format!("{tables:?}"), format!("{before:?}"));
    }

    #[test]
    fn the_inbox_outlives_the_row() {
        let mut tables = tables();
        let insert = [write(WriteVerb::Insert, 1, Once::ITEM)];
        assert!(run(&mut tables, &insert, &[item(1)]).is_ok());
        assert!(run(&mut tables, &[write(WriteVerb::Delete, 1, Once::NONE)], &[item(1)]).is_ok());
        let journal = run(&mut tables, &insert, &[item(1)]).unwrap_or_default();
        assert!(is_absorbed(&journal));
        assert_eq!(tables[1].oldest(10), Some(Vec::new()));
    }

    #[test]
    fn rows_of_two_types_are_two_rows_only_where_once_says_so() {
        let mut tables = tables();
        let mut typed = write(WriteVerb::Insert, 1, Once::ITEM.and(Once::TYPE));
        typed.kind = TypeId(1);
        let mut other = typed;
        other.kind = TypeId(2);
        assert!(run(&mut tables, &[typed, other], &[item(1)]).is_ok());
        assert_eq!(tables[1].count(item(1)), 2);
        let delete = [write(WriteVerb::Delete, 1, Once::NONE)];
        assert!(run(&mut tables, &delete, &[item(1).typed(TypeId(1))]).is_ok());
        assert_eq!(tables[1].oldest(10), Some(vec![item(1).typed(TypeId(2))]));
    }

    #[test]
    fn the_oldest_rows_come_first_and_stay() {
        let mut tables = tables();
        let insert = [write(WriteVerb::Append, 1, Once::NONE)];
        for number in [5, 3, 9] {
            assert!(run(&mut tables, &insert, &[item(number)]).is_ok());
        }
        assert_eq!(tables[1].oldest(2), Some(vec![item(5), item(3)]));
        assert_eq!(tables[1].oldest(2), Some(vec![item(5), item(3)]));
        assert_eq!(tables[0].oldest(2), None);
    }
}
