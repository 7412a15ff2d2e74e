//! What replicas of a store have in common, whose rows are in tables: transactions are done again, in the same
//! order, by the follower, and rows are told as shadows, brought back and given up.

use std::sync::Arc;

use crate::message::Cargo;
use crate::message::replication::Change;
use crate::message::store::Command;
use crate::node::Context;
use crate::observe::{Birth, End, Held, What};
use crate::services::tables::{self, Table};

/// What a committed transaction is in the log; nothing if it changed nothing.
#[must_use]
pub fn committed(command: &Command, items: &Cargo, journal: &[tables::Change]) -> Option<Change> {
    let Command::Write { operations, execution } = command else { return None };
    let changed = |change: &tables::Change| {
        matches!(
            change,
            tables::Change::Born { .. } | tables::Change::Ended { .. } | tables::Change::Noted { .. }
        )
    };
    let committed =
        || Change::Committed { operations: operations.clone(), execution: *execution, items: items.clone() };
    journal.iter().any(changed).then(committed)
}

/// All tables, to begin with.
#[must_use]
pub fn seed(tables: &[Table]) -> Change {
    Change::Seed { tables: Arc::new(tables.to_vec()) }
}

/// The follower takes a change over.
pub fn apply(tables: &mut [Table], change: &Change, cx: &mut Context<'_>) {
    match change {
        Change::Clear => {
            shadows(tables, false, cx);
            forget(tables);
        }
        Change::Seed { tables: all } => {
            for (mine, other) in tables.iter_mut().zip(all.iter()) {
                let place = mine.place;
                mine.clone_from(other);
                mine.place = place;
            }
            shadows(tables, true, cx);
        }
        Change::Committed { operations, execution, items } => {
            let mut journal = Vec::new();
            // The leader did it in the same order on the same rows: it cannot fail.
            let done = tables::transact(tables, operations, items.items(), *execution, false, &mut journal);
            debug_assert!(done.is_ok(), "{done:?}");
            journal.iter().for_each(|change| shadow(tables, change, cx));
        }
        _ => {}
    }
}

fn shadow(tables: &[Table], change: &tables::Change, cx: &mut Context<'_>) {
    let (part, item, born) = match *change {
        tables::Change::Born { part, item, .. } => (part, item, true),
        tables::Change::Ended { part, item, .. } => (part, item, false),
        _ => return,
    };
    let table = &tables[usize::from(part)];
    if born || !table.contains(item) {
        cx.observe(item, What::Shadow { place: table.place, held: born });
    }
}

/// Shadows become rows: it leads from now on.
pub fn take_over(tables: &[Table], cx: &mut Context<'_>) {
    shadows(tables, false, cx);
    book(tables, |row| What::Born { place: row.place, cause: Birth::Reborn }, cx);
}

/// It leads no more: its rows end here. If it `keeps` them, they are shadows from now on.
pub fn give_up(tables: &mut [Table], keeps: bool, cx: &mut Context<'_>) {
    book(tables, |row| What::Ended { place: row.place, cause: End::FailoverTail }, cx);
    if keeps {
        shadows(tables, true, cx);
    } else {
        forget(tables);
    }
}

/// All rows, each as often as it is there.
fn rows(tables: &[Table]) -> Vec<Held> {
    let mut rows = Vec::new();
    tables.iter().for_each(|table| table.inventory(true, &mut |held| rows.push(held)));
    rows
}

fn shadows(tables: &[Table], held: bool, cx: &mut Context<'_>) {
    for row in rows(tables) {
        cx.observe(row.item, What::Shadow { place: row.place, held });
    }
}

fn book(tables: &[Table], what: impl Fn(&Held) -> What, cx: &mut Context<'_>) {
    for row in rows(tables) {
        (0..row.copies).for_each(|_| cx.observe(row.item, what(&row)));
    }
}

fn forget(tables: &mut [Table]) {
    for table in tables {
        *table = Table::new(table.place, table.is_queue());
    }
}
