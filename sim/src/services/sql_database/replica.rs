//! A database as one of two (facts 3): transactions are shipped after their commit and done again, in the
//! same order, by the secondary, which can be read. A forced failover loses what was not shipped; the old
//! primary is then seeded again.

use super::{Error, SqlDatabaseProcess, Volatile};
use crate::message::Cargo;
use crate::message::replication::Change;
use crate::message::store::Command;
use crate::node::Context;
use crate::services::replicas::{Channel, Leads, Pair, Paired, Replica, Tenure, rows};
use crate::services::tables;

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
        if self.tenure.is_some()
            && let Some(change) = rows::committed(command, items, journal)
        {
            self.log(change);
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
        self.log(rows::seed(&self.tables));
    }

    fn apply(&mut self, change: &Change, cx: &mut Context<'_>) {
        rows::apply(&mut self.tables, change, cx);
    }

    fn take_over(&mut self, cx: &mut Context<'_>) {
        rows::take_over(&self.tables, cx);
    }

    fn give_up(&mut self, keeps: bool, cx: &mut Context<'_>) {
        rows::give_up(&mut self.tables, keeps, cx);
    }
}
