//! A region that follows: it does again what the leader did, and holds shadows of its documents.

use super::{Fence, Follower};
use crate::ids::ConnectionId;
use crate::message::replication::{self, Record};
use crate::message::{Body, Message};
use crate::node::Context;
use crate::observe::{End, What};
use crate::services::cosmos_db::CosmosDbProcess;
use crate::services::tables::{self, Change};

impl CosmosDbProcess {
    /// A batch of the log arrives.
    pub(super) fn shipped(
        &mut self,
        peer: usize,
        connection: ConnectionId,
        (epoch, from): (u32, u64),
        changes: &[replication::Change],
        cx: &mut Context<'_>,
    ) {
        if self.is_multi() {
            return self.merged(peer, connection, (epoch, from), changes, cx);
        }
        let Some(geo) = &self.geo else { return };
        if geo.leads {
            return self.contest(peer, epoch, cx);
        }
        if epoch != geo.epoch || geo.rising.is_some() || geo.offline {
            return;
        }
        self.hear(peer);
        let applied = self.geo.as_ref().map_or(0, |geo| geo.base);
        if from > applied {
            let record = self.follow();
            return self.tell_peer(peer, record, cx); // there is a gap before it
        }
        for change in changes.iter().skip((applied - from) as usize) {
            self.apply(change, cx);
        }
        let upto = self.geo.as_ref().map_or(0, |geo| geo.base);
        cx.answer(connection, Message::new(Body::Replica(Record::Ack { epoch, upto })));
    }

    fn hear(&mut self, peer: usize) {
        if let Some(geo) = &mut self.geo {
            geo.leader = Some(peer);
        }
        if let Some(line) = self.volatile.link.lines.get_mut(peer) {
            line.up = true;
        }
    }

    fn apply(&mut self, change: &replication::Change, cx: &mut Context<'_>) {
        if let Some(geo) = &mut self.geo {
            geo.base += 1;
        }
        match change {
            replication::Change::Committed { operations, execution, items } => {
                let mut journal = std::mem::take(&mut self.volatile.journal);
                let tables = &mut self.durable.tables;
                // It was possible there, and this region has what that one had.
                let done =
                    tables::transact(tables, operations, items.items(), *execution, true, &mut journal);
                if done.is_ok() {
                    for change in &journal {
                        self.publish(change, cx);
                        self.shadow(change, cx);
                    }
                }
                journal.clear();
                self.volatile.journal = journal;
            }
            replication::Change::Expired { part, item, typed, range, position } => {
                let table = &mut self.durable.tables[usize::from(*part)];
                if table.expire(*item, *typed) {
                    let place = table.place;
                    cx.observe(*item, What::Shadow { place, held: table.contains(*item) });
                }
                self.durable.feed.forget_at(usize::from(*range), *position);
                self.durable.expiries.cancel(*part, *item, *typed, *position);
            }
            _ => {} // not of an account
        }
    }

    fn shadow(&self, change: &Change, cx: &mut Context<'_>) {
        if let Change::Born { part, item, .. } | Change::Ended { part, item, .. } = *change {
            let table = &self.durable.tables[usize::from(part)];
            cx.observe(item, What::Shadow { place: table.place, held: table.contains(item) });
        }
    }

    pub(super) fn follow(&self) -> Record {
        let waiting = self.volatile.link.asked_leader;
        self.geo.as_ref().map_or(Record::Declined, |geo| Record::Follow {
            epoch: geo.epoch,
            applied: geo.base,
            fresh: geo.offline,
            rising: waiting || geo.rising.is_some(),
        })
    }

    /// Somebody says that it leads.
    pub(super) fn led(&mut self, peer: usize, epoch: u32, planned: bool, cx: &mut Context<'_>) {
        if self.is_multi() {
            return self.tell_how_far(peer, cx);
        }
        let Some(geo) = &mut self.geo else { return };
        if epoch < geo.epoch || epoch == geo.epoch && geo.leads {
            return self.contest(peer, epoch, cx);
        }
        if epoch > geo.epoch {
            if geo.leads {
                self.depose(epoch, planned, cx);
            } else {
                (geo.epoch, geo.rising) = (epoch, None);
                self.volatile.link.asked_leader = false;
                self.answer_asks(false, cx);
            }
        }
        self.hear(peer);
        let record = self.follow();
        self.tell_peer(peer, record, cx);
    }

    /// It leads no more. After a planned failover its documents are shadows of the new leader's; after a
    /// forced one it is offline, and keeps them until it hears which of them the others have.
    fn depose(&mut self, epoch: u32, planned: bool, cx: &mut Context<'_>) {
        let Some(geo) = &mut self.geo else { return };
        let keeps = planned && geo.fence == Fence::Given;
        (geo.leads, geo.epoch, geo.fence) = (false, epoch, Fence::No);
        geo.followers.fill(Follower::Lapsed);
        if keeps {
            (geo.base, geo.books) = (geo.end(), false);
            geo.log.clear();
            let term = (epoch, geo.base);
            self.durable.terms.push(term);
            self.close_books(cx);
        } else {
            geo.offline = true;
        }
        let link = &mut self.volatile.link;
        link.waiting.clear();
        link.checking = false;
        self.answer_asks(true, cx);
    }

    /// Its documents are in no book any more: they are shadows.
    fn close_books(&mut self, cx: &mut Context<'_>) {
        for table in &self.durable.tables {
            table.inventory(true, &mut |held| {
                let place = held.place;
                for _ in 0..held.copies {
                    cx.observe(held.item, What::Ended { place, cause: End::FailoverTail });
                }
                cx.observe(held.item, What::Shadow { place, held: true });
            });
        }
    }

    /// The leader says that this region is offline.
    pub(super) fn taken_offline(&mut self, peer: usize, cx: &mut Context<'_>) {
        if let Some(geo) = &mut self.geo
            && !geo.leads
            && geo.rising.is_none()
            && geo.leader == Some(peer)
        {
            geo.offline = true;
            let record = self.follow();
            self.tell_peer(peer, record, cx);
        }
    }
}
