//! A region gets everything from its leader. If it led before and was taken offline, what it had not replicated
//! surfaces in the conflict feed (facts 1.8), and the rest of its documents lives on elsewhere.

use super::Row;
use crate::ids::ConnectionId;
use crate::message::replication::Record;
use crate::message::{Body, Message};
use crate::node::Context;
use crate::observe::{End, What};
use crate::services::cosmos_db::{Account, CosmosDbProcess};
use crate::services::tables::Table;

impl Account {
    /// The position after which a log of this term is not part of this account's history.
    fn fork(&self, term: u32) -> u64 {
        if term > 0 && self.terms.iter().all(|(known, _)| *known != term) {
            return 0; // nobody who led later knows of that term
        }
        let next = self.terms.iter().find(|(epoch, _)| *epoch > term);
        next.map_or(u64::MAX, |(_, start)| *start)
    }
}

impl CosmosDbProcess {
    /// Everything arrives.
    pub(super) fn based(
        &mut self,
        peer: usize,
        connection: ConnectionId,
        (epoch, at): (u32, u64),
        state: &Account,
        cx: &mut Context<'_>,
    ) {
        let Some(geo) = &self.geo else { return };
        if geo.leads {
            return self.contest(peer, epoch, cx);
        }
        if epoch != geo.epoch || geo.rising.is_some() {
            return;
        }
        if geo.books {
            self.surface(state, cx);
        }
        self.replace_shadows(state, cx);
        self.install(state);
        if let Some(geo) = &mut self.geo {
            geo.log.clear();
            (geo.base, geo.books, geo.offline, geo.leader) = (at, false, false, Some(peer));
        }
        cx.answer(connection, Message::new(Body::Replica(Record::Ack { epoch, upto: at })));
    }

    /// The documents of this region leave its book. Its tail is what it has written since the next leader
    /// took over.
    fn surface(&mut self, state: &Account, cx: &mut Context<'_>) {
        let (Some(group), Some(geo)) = (&self.setup.group, &mut self.geo) else { return };
        let to = group.conflicts;
        let fork = state.fork(geo.log_epoch);
        let tail = geo.log.iter().skip(fork.saturating_sub(geo.base).min(geo.log.len() as u64) as usize);
        let mut births: Vec<Row> = tail.flat_map(|logged| logged.births.iter().copied()).collect();
        if fork < geo.base {
            // Its log does not reach back so far, because it took over from somebody who had written beyond
            // that: rather too much surfaces than too little.
            for (part, (mine, theirs)) in self.durable.tables.iter().zip(&state.tables).enumerate() {
                let lacking = mine.rows().filter(|(item, typed, _)| !theirs.has(*item, *typed));
                births.extend(lacking.flat_map(|(item, typed, copies)| {
                    std::iter::repeat_n(Row { part: part as u16, item, typed }, copies as usize)
                }));
            }
        }
        for row in births {
            let part = usize::from(row.part);
            let table = &mut self.durable.tables[part];
            if !table.expire(row.item, row.typed) {
                continue; // it was deleted again
            }
            cx.observe(row.item, What::Moved { from: table.place, to, reason: None });
            if state.tables[part].has(row.item, row.typed) {
                // It was written again elsewhere: the later write wins, and the loser is discarded (facts 1.5).
                cx.observe(row.item, What::Ended { place: to, cause: End::FailoverTail });
            } else {
                geo.conflicts.push(row);
            }
        }
        for table in &mut self.durable.tables {
            table.inventory(true, &mut |held| {
                for _ in 0..held.copies {
                    let what = What::Ended { place: held.place, cause: End::FailoverTail };
                    cx.observe(held.item, what);
                }
            });
            *table = Table::new(table.place, false);
        }
    }

    /// Observes which shadows come and go.
    fn replace_shadows(&self, state: &Account, cx: &mut Context<'_>) {
        for (mine, theirs) in self.durable.tables.iter().zip(&state.tables) {
            let place = mine.place;
            mine.inventory(true, &mut |old| {
                if !theirs.contains(old.item) {
                    cx.observe(old.item, What::Shadow { place, held: false });
                }
            });
            theirs.inventory(true, &mut |new| {
                if !mine.contains(new.item) {
                    cx.observe(new.item, What::Shadow { place, held: true });
                }
            });
        }
    }

    /// Takes over what the leader has; places, and how far the readers of its own feed are, stay.
    fn install(&mut self, state: &Account) {
        let mine = &mut self.durable;
        for (table, theirs) in mine.tables.iter_mut().zip(&state.tables) {
            let place = table.place;
            table.clone_from(theirs);
            table.place = place;
        }
        mine.feed.adopt(&state.feed);
        mine.expiries.clone_from(&state.expiries);
        mine.terms.clone_from(&state.terms);
    }
}
