//! Every region takes writes (facts 1.5). Each ships its own log to all others, and what it wrote is in its own
//! book; what others wrote are shadows. Two regions that write one document before they hear of each other
//! collide: the later write wins, by its time stamp, and the loser is discarded; a delete always wins. All
//! regions come to the same, because each decides by the same rule.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Logged, Row};
use crate::ids::{ConnectionId, Item, TypeId};
use crate::message::replication::{self, Record};
use crate::message::store::Command;
use crate::message::{Body, Message};
use crate::node::Context;
use crate::observe::{Birth, Discard, End, Held, What};
use crate::services::cosmos_db::CosmosDbProcess;
use crate::services::tables::Change;
use crate::time::Time;

/// What names a document within the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    part: u16,
    typed: bool,
    kind: TypeId,
    identity: u64,
}

/// A document that was written here.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Home {
    item: Item,
    copies: u32,
    /// Its time stamp.
    at: Time,
}

/// What a region remembers where all of them take writes. Durable.
#[derive(Clone, Debug, Default)]
pub(super) struct Merging {
    homes: BTreeMap<Key, Home>,
    /// What was deleted here, and the position of that in the log, until all regions have answered to it.
    deleted: BTreeMap<Key, u64>,
    /// The position of the next change that is needed, by region.
    received: Vec<u64>,
    /// Up to which position each region had this one's log when it wrote what came last.
    seen: Vec<u64>,
}

impl Row {
    fn key(&self) -> Key {
        let kind = if self.typed { self.item.kind } else { TypeId(0) };
        Key { part: self.part, typed: self.typed, kind, identity: self.item.identity() }
    }
}

impl Merging {
    pub(super) fn new(peers: usize) -> Merging {
        Merging { received: vec![0; peers], seen: vec![0; peers], ..Merging::default() }
    }

    fn add(&mut self, row: Row, at: Time) {
        let home = self.homes.entry(row.key()).or_insert(Home { item: row.item, copies: 0, at });
        home.copies += 1;
    }

    /// Takes a copy; false if none was written here.
    fn take(&mut self, row: Row) -> bool {
        let Some(home) = self.homes.get_mut(&row.key()) else { return false };
        home.copies -= 1;
        if home.copies == 0 {
            self.homes.remove(&row.key());
        }
        true
    }

    /// Whether a region wrote this before it heard that it was deleted here.
    fn is_deleted(&self, row: Row, seen: u64) -> bool {
        self.deleted.get(&row.key()).is_some_and(|position| seen <= *position)
    }

    /// A region had this one's log up to there when it wrote.
    fn heard(&mut self, peer: usize, seen: u64) {
        if seen > self.seen[peer] {
            self.seen[peer] = seen;
            let least = self.seen.iter().copied().min().unwrap_or(0);
            self.deleted.retain(|_, position| *position >= least);
        }
    }
}

impl CosmosDbProcess {
    /// Whether every region takes writes.
    pub(in crate::services::cosmos_db) fn is_multi(&self) -> bool {
        self.setup.group.as_ref().is_some_and(|group| group.multi)
    }

    /// Observes what a request has done: to what was written here, and to shadows.
    pub(in crate::services::cosmos_db) fn book_here(
        &mut self,
        connection: ConnectionId,
        journal: &[Change],
        cx: &mut Context<'_>,
    ) {
        for change in journal {
            let (item, what) = match *change {
                Change::Born { part, item, typed, .. } => {
                    let Some(geo) = &mut self.geo else { return };
                    geo.merging.add(Row { part, item, typed }, cx.wall());
                    (
                        item,
                        What::Born {
                            place: self.durable.tables[usize::from(part)].place,
                            cause: Birth::Stored,
                        },
                    )
                }
                Change::Ended { part, item, typed, .. } => {
                    let row = Row { part, item, typed };
                    if let Some(geo) = &mut self.geo {
                        let position = geo.end();
                        geo.merging.deleted.insert(row.key(), position);
                    }
                    self.gone(row, End::Completed, cx);
                    continue;
                }
                Change::Absorbed { part, item } | Change::Rewritten { part, item, .. } => {
                    (item, What::Absorbed { place: self.durable.tables[usize::from(part)].place })
                }
                Change::Noted { .. } => continue,
            };
            cx.observe_on(connection, item, what);
        }
    }

    /// A document is not in its table any more.
    pub(in crate::services::cosmos_db) fn gone_here(
        &mut self,
        (part, item, typed): (u16, Item, bool),
        cause: End,
        cx: &mut Context<'_>,
    ) {
        self.gone(Row { part, item, typed }, cause, cx);
    }

    fn gone(&mut self, row: Row, cause: End, cx: &mut Context<'_>) {
        let table = &self.durable.tables[usize::from(row.part)];
        let place = table.place;
        let held = table.contains(row.item);
        let mine = self.geo.as_mut().is_some_and(|geo| geo.merging.take(row));
        cx.observe(row.item, if mine { What::Ended { place, cause } } else { What::Shadow { place, held } });
    }

    /// Logs what a request has done.
    pub(super) fn log_documents(&mut self, message: &Message, journal: &[Change], cx: &Context<'_>) {
        let (Some(geo), Body::Store(Command::Write { execution, .. })) = (&mut self.geo, &message.body)
        else {
            return;
        };
        let change = replication::Change::Documents {
            at: cx.wall(),
            seen: 0,
            execution: *execution,
            journal: Arc::new(journal.to_vec()),
            items: message.cargo.clone(),
        };
        let seen = geo.merging.received.iter().copied().collect();
        geo.log.push_back(Logged { at: cx.now(), change, births: smallvec::SmallVec::new(), seen });
    }

    /// A batch of another region's log arrives.
    pub(super) fn merged(
        &mut self,
        peer: usize,
        connection: ConnectionId,
        (epoch, from): (u32, u64),
        changes: &[replication::Change],
        cx: &mut Context<'_>,
    ) {
        let Some(geo) = &self.geo else { return };
        let received = geo.merging.received[peer];
        if from > received {
            return self.tell_how_far(peer, cx); // there is a gap before it
        }
        for change in changes.iter().skip((received - from) as usize) {
            if let replication::Change::Documents { at, seen, execution, journal, .. } = change {
                for change in journal.iter() {
                    self.merge(peer, (*at, *seen), change, *execution, cx);
                }
                if let Some(geo) = &mut self.geo {
                    geo.merging.heard(peer, *seen);
                }
            }
            if let Some(geo) = &mut self.geo {
                geo.merging.received[peer] += 1;
            }
        }
        let upto = self.geo.as_ref().map_or(0, |geo| geo.merging.received[peer]);
        cx.answer(connection, Message::new(Body::Replica(Record::Ack { epoch, upto })));
    }

    /// Says up to where it has the log of another region.
    pub(super) fn tell_how_far(&self, peer: usize, cx: &mut Context<'_>) {
        if let Some(geo) = &self.geo {
            let applied = geo.merging.received[peer];
            let record = Record::Follow { epoch: geo.epoch, applied, fresh: false, rising: false };
            self.tell_peer(peer, record, cx);
        }
    }

    fn merge(
        &mut self,
        peer: usize,
        (at, seen): (Time, u64),
        change: &Change,
        execution: crate::ids::Execution,
        cx: &mut Context<'_>,
    ) {
        let Some(geo) = &mut self.geo else { return };
        match *change {
            Change::Born { part, item, typed, by, unique, .. } => {
                let row = Row { part, item, typed };
                if geo.merging.is_deleted(row, seen) {
                    return;
                }
                let table = &mut self.durable.tables[usize::from(part)];
                if unique && table.has(item, typed) {
                    return self.collide(peer, at, row, cx);
                }
                table.put(item, typed, by);
                cx.observe(item, What::Shadow { place: table.place, held: true });
                self.publish(change, cx);
            }
            Change::Ended { part, item, typed, .. } => {
                if self.durable.tables[usize::from(part)].expire(item, typed) {
                    self.publish(change, cx);
                    self.gone(Row { part, item, typed }, End::Completed, cx);
                }
            }
            Change::Rewritten { part, item, typed, .. } => {
                // A delete wins over it.
                if self.durable.tables[usize::from(part)].has(item, typed) {
                    self.publish(change, cx);
                }
            }
            Change::Noted { part, item, once } => {
                self.durable.tables[usize::from(part)].remember(once, item, execution);
            }
            Change::Absorbed { .. } => {}
        }
    }

    /// Another region has written what is here too. If that was written here, the later one stays in its
    /// region's book; of two at the same time that of the region of higher priority.
    fn collide(&mut self, peer: usize, at: Time, row: Row, cx: &mut Context<'_>) {
        let (Some(group), Some(geo)) = (&self.setup.group, &mut self.geo) else { return };
        let Some(mine) = geo.merging.homes.get(&row.key()).copied() else { return };
        let their_rank = peer as u32 + u32::from(peer as u32 >= group.rank);
        let they_win = at > mine.at || at == mine.at && their_rank < group.rank;
        if they_win && geo.merging.take(row) {
            let place = self.durable.tables[usize::from(row.part)].place;
            cx.observe(row.item, What::Moved { from: place, to: group.conflicts, reason: None });
            let cause = End::Discarded(Discard::Superseded);
            cx.observe(row.item, What::Ended { place: group.conflicts, cause });
            cx.observe(row.item, What::Shadow { place, held: true });
        }
    }

    /// What is in this region's book: of part `part`.
    pub(in crate::services::cosmos_db) fn inventory_here(&self, part: u16, out: &mut dyn FnMut(Held)) {
        let place = self.durable.tables[usize::from(part)].place;
        let homes = self.geo.iter().flat_map(|geo| &geo.merging.homes);
        for (_, home) in homes.filter(|(key, _)| key.part == part) {
            out(Held { place, item: home.item, copies: home.copies, rest: true, shut: false });
        }
    }
}
