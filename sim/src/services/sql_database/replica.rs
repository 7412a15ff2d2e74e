//! A database as one of two (facts 3): transactions are shipped after their commit and done again, in the
//! same order, by the secondary, which can be read. A forced failover loses what was not shipped; the old
//! primary is then seeded again.

use super::{Error, SqlDatabaseProcess, Volatile};
use crate::ids::Item;
use crate::message::Cargo;
use crate::message::replication::Change;
use crate::message::store::{Command, Operation};
use crate::node::Context;
use crate::observe::{Birth, End, Held, What};
use crate::services::replicas::{Channel, Leads, Pair, Paired, Replica, Tenure};
use crate::services::tables::{self, Table};

/// Timers of the pair, as opposed to those of requests.
pub(super) const PAIR: u64 = 1 << 62;

impl SqlDatabaseProcess {
    /// Why this request is not served here: by a secondary nothing is written (error 3906), by one that is
    /// about to lead, is being seeded or has stepped back, nothing is served (40613).
    pub(super) fn turned_away(&self, command: &Command) -> Option<Error> {
        if self.serves() {
            return None;
        }
        match command {
            Command::Write { .. } if self.can_be_read() => Some(Error::ReadOnly),
            Command::Read { .. } | Command::Poll { .. } if self.can_be_read() => None,
            _ => Some(Error::Unavailable),
        }
    }

    /// Whether reads are served.
    pub(super) fn can_be_read(&self) -> bool {
        self.serves() || self.tenure().is_some_and(|tenure| !tenure.leads()) && self.in_sync()
    }

    /// Whether what it has is in the books: shadows are not.
    pub(super) fn is_booked(&self) -> bool {
        self.tenure.as_ref().is_none_or(|tenure| tenure.leads())
    }

    /// A transaction is committed: the secondary is to do it too.
    pub(super) fn log_commit(&mut self, command: &Command, items: &Cargo, journal: &[tables::Change]) {
        let Command::Write { operations, execution } = command else { return };
        let changed = |change: &tables::Change| {
            matches!(
                change,
                tables::Change::Born { .. } | tables::Change::Ended { .. } | tables::Change::Noted { .. }
            )
        };
        if self.tenure.is_some() && journal.iter().any(changed) {
            let (operations, execution) = (operations.clone(), *execution);
            self.log(Change::Committed { operations, execution, items: items.clone() });
        }
    }

    /// The secondary does a transaction again.
    fn redo(
        &mut self,
        operations: &[Operation],
        items: &[Item],
        execution: crate::ids::Execution,
        cx: &mut Context<'_>,
    ) {
        let mut journal = std::mem::take(&mut self.volatile.journal);
        // The primary did it in the same order on the same rows: it cannot fail.
        let done = tables::transact(&mut self.tables, operations, items, execution, false, &mut journal);
        debug_assert!(done.is_ok(), "{done:?}");
        for change in &journal {
            let (part, item, born) = match *change {
                tables::Change::Born { part, item, .. } => (part, item, true),
                tables::Change::Ended { part, item, .. } => (part, item, false),
                _ => continue,
            };
            let table = &self.tables[usize::from(part)];
            if born || !table.contains(item) {
                cx.observe(item, What::Shadow { place: table.place, held: born });
            }
        }
        journal.clear();
        self.volatile.journal = journal;
    }

    /// All rows, each as often as it is there.
    fn rows(&self) -> Vec<Held> {
        let mut rows = Vec::new();
        self.tables.iter().for_each(|table| table.inventory(true, &mut |held| rows.push(held)));
        rows
    }

    fn shadows(&self, held: bool, cx: &mut Context<'_>) {
        for row in self.rows() {
            cx.observe(row.item, What::Shadow { place: row.place, held });
        }
    }

    fn book_all(&self, what: impl Fn(&Held) -> What, cx: &mut Context<'_>) {
        for row in self.rows() {
            (0..row.copies).for_each(|_| cx.observe(row.item, what(&row)));
        }
    }

    fn forget_rows(&mut self) {
        for table in &mut self.tables {
            *table = Table::new(table.place, table.is_queue());
        }
    }
}

impl Replica for SqlDatabaseProcess {
    fn pair(&self) -> Option<&Pair> {
        self.setup.pair.as_ref()
    }

    fn tenure(&self) -> Option<&Tenure> {
        self.tenure.as_deref()
    }

    fn tenure_mut(&mut self) -> Option<&mut Tenure> {
        self.tenure.as_deref_mut()
    }

    fn channel(&self) -> &Channel {
        &self.volatile.channel
    }

    fn channel_mut(&mut self) -> &mut Channel {
        &mut self.volatile.channel
    }

    fn token(what: u32) -> u64 {
        PAIR | u64::from(what)
    }

    /// All sessions are terminated; what is not committed is rolled back, and nobody is told (facts 3).
    fn quiet(&mut self, cx: &mut Context<'_>) {
        let Volatile { front, log, .. } = &mut self.volatile;
        let mut cut = front.deafen_all();
        cut.extend(log.drain(..).map(|(_, pending)| pending.connection));
        cut.sort_unstable();
        cut.dedup();
        cut.into_iter().for_each(|connection| cx.close(connection));
    }

    fn reopen(&mut self, _: &mut Context<'_>) {}

    fn log_everything(&mut self) {
        let tables = std::sync::Arc::new(self.tables.clone());
        self.log(Change::Seed { tables });
    }

    fn apply(&mut self, change: &Change, cx: &mut Context<'_>) {
        match change {
            Change::Clear => {
                self.shadows(false, cx);
                self.forget_rows();
            }
            Change::Seed { tables } => {
                for (mine, other) in self.tables.iter_mut().zip(tables.iter()) {
                    let place = mine.place;
                    mine.clone_from(other);
                    mine.place = place;
                }
                self.shadows(true, cx);
            }
            Change::Committed { operations, execution, items } => {
                self.redo(operations, items.items(), *execution, cx);
            }
            _ => {}
        }
    }

    fn take_over(&mut self, cx: &mut Context<'_>) {
        self.shadows(false, cx);
        self.book_all(|row| What::Born { place: row.place, cause: Birth::Reborn }, cx);
    }

    fn give_up(&mut self, keeps: bool, cx: &mut Context<'_>) {
        self.book_all(|row| What::Ended { place: row.place, cause: End::FailoverTail }, cx);
        if keeps {
            self.shadows(true, cx);
        } else {
            self.forget_rows();
        }
    }
}
