//! The follower: it writes the leader's log down and keeps shadows of the messages.

use super::{Batch, Geo, letter};
use crate::message::Body;
use crate::message::Message;
use crate::message::broker::Error;
use crate::message::replication::{Change, Record};
use crate::node::{Context, DiskError};
use crate::observe::{End, What};
use crate::services::service_bus::entity::Entity;
use crate::services::service_bus::namespace::Namespace;

/// Tells the syncs of the log from those of requests.
pub(in crate::services::service_bus) const SYNC: u64 = 1 << 63;

impl Namespace {
    /// A batch of the log arrives.
    pub(super) fn shipped(&mut self, batch: Batch, cx: &mut Context<'_>) {
        let Some(geo) = &self.store.geo else { return };
        if geo.leads {
            return self.contest(batch.epoch, cx);
        }
        if batch.epoch != geo.epoch || geo.rising.is_some() {
            return;
        }
        self.live.link.up = true;
        self.live.link.written_next.push(batch);
        if self.live.link.writing.is_empty() {
            self.write(cx);
        }
    }

    fn write(&mut self, cx: &mut Context<'_>) {
        let link = &mut self.live.link;
        std::mem::swap(&mut link.writing, &mut link.written_next);
        if link.writing.is_empty() {
            return;
        }
        link.syncs += 1;
        let about = link.writing[0].changes.iter().find_map(|change| match change {
            Change::Put { letter, .. } => Some(letter.item),
            _ => None,
        });
        cx.sync(SYNC | link.syncs, about.unwrap_or_default());
    }

    /// Batches are durable, or are not: then the leader sends them again when it looks.
    pub(in crate::services::service_bus) fn written(
        &mut self,
        result: Result<(), DiskError>,
        cx: &mut Context<'_>,
    ) {
        let batches = std::mem::take(&mut self.live.link.writing);
        for batch in batches {
            let live = self.store.geo.as_mut().filter(|geo| {
                !geo.leads && geo.epoch == batch.epoch && geo.rising.is_none() && result.is_ok()
            });
            let Some(geo) = live else { continue };
            let complete = geo.apply(&mut self.store.entities, batch.from, &batch.changes);
            let record =
                if complete { Record::Ack { epoch: geo.epoch, upto: geo.applied } } else { self.follow() };
            cx.answer(batch.connection, Message::new(Body::Replica(record)));
        }
        if result.is_err() {
            let record = self.follow();
            self.tell_peer(record, cx);
        }
        self.write(cx);
    }

    fn follow(&self) -> Record {
        let waiting = self.live.link.waiting;
        self.store.geo.as_ref().map_or(Record::Declined, |geo| Record::Follow {
            epoch: geo.epoch,
            applied: geo.applied,
            fresh: geo.fresh,
            rising: waiting || geo.rising.is_some(),
        })
    }

    /// Somebody says that it leads.
    pub(super) fn led(&mut self, epoch: u32, planned: bool, cx: &mut Context<'_>) {
        let Some(geo) = &mut self.store.geo else { return };
        if epoch < geo.epoch || epoch == geo.epoch && geo.leads {
            return self.contest(epoch, cx);
        }
        if epoch > geo.epoch {
            if geo.leads {
                self.depose(epoch, planned, cx);
            } else {
                (geo.epoch, geo.fresh, geo.applied, geo.rising) = (epoch, true, 0, None);
            }
        }
        self.live.link.up = true;
        let record = self.follow();
        self.tell_peer(record, cx);
    }

    /// The other one thinks that it leads, and does not know that its term is over.
    fn contest(&mut self, epoch: u32, cx: &mut Context<'_>) {
        if let Some(geo) = &self.store.geo
            && geo.leads
            && epoch < geo.epoch
        {
            self.tell_peer(Record::Lead { epoch: geo.epoch, planned: geo.planned }, cx);
        }
    }

    /// It leads no more. Its copies end here: those that were replicated live on at the new leader, the
    /// rest is the tail that a forced promotion loses.
    fn depose(&mut self, epoch: u32, planned: bool, cx: &mut Context<'_>) {
        self.quiet(cx);
        let link = &mut self.live.link;
        link.unanswered.clear();
        (link.in_flight, link.checking) = (0, false);
        let Some(geo) = &mut self.store.geo else { return };
        let keeps = planned && geo.fence == super::Fence::Given;
        (geo.leads, geo.epoch, geo.fence) = (false, epoch, super::Fence::No);
        (geo.applied, geo.fresh, geo.base, geo.joins_at) = (0, !keeps, 0, None);
        geo.log.clear();
        let parts = self.layout.entities.iter().zip(&mut self.store.entities);
        for ((settings, entity), shadows) in parts.zip(&mut geo.shadows) {
            let mut messages: Vec<_> = entity.messages.iter().map(|(_, stored)| *stored).collect();
            messages.sort_unstable_by_key(|stored| stored.sequence);
            for stored in messages {
                let place = settings.place;
                cx.observe(stored.item, What::Ended { place, cause: End::Destroyed });
                if keeps {
                    shadows.insert(stored.sequence, letter(&stored));
                }
            }
            let history = std::mem::take(&mut entity.history);
            *entity =
                Entity { history, sequence: entity.sequence, enabled: entity.enabled, ..Entity::default() };
        }
        self.answer_asks(true, cx);
    }

    /// What a namespace that does not serve says to everybody (facts 1.9: during a promotion it rejects
    /// sends and nothing can be consumed; a secondary serves nobody).
    pub(in crate::services::service_bus) const fn away() -> Error {
        Error::ServiceBusy
    }
}

impl Geo {
    /// Takes changes over. False if there is a gap before them.
    fn apply(&mut self, entities: &mut [Entity], from: u64, changes: &[Change]) -> bool {
        if matches!(changes.first(), Some(Change::Clear)) {
            self.applied = from;
            self.fresh = false;
        }
        if self.fresh || from > self.applied {
            return false;
        }
        for change in changes.iter().skip((self.applied - from) as usize) {
            self.applied += 1;
            self.apply_one(entities, change);
        }
        true
    }

    fn apply_one(&mut self, entities: &mut [Entity], change: &Change) {
        match change {
            Change::Clear => {
                self.shadows.iter_mut().for_each(std::collections::BTreeMap::clear);
                entities.iter_mut().for_each(|entity| *entity = Entity::default());
            }
            Change::Put { part, letter } => {
                let part = usize::from(*part);
                let (Some(shadows), Some(entity)) = (self.shadows.get_mut(part), entities.get_mut(part))
                else {
                    return;
                };
                entity.sequence = entity.sequence.max(letter.sequence);
                shadows.insert(letter.sequence, *letter);
            }
            Change::Gone { part, sequence } => {
                if let Some(shadows) = self.shadows.get_mut(usize::from(*part)) {
                    shadows.remove(sequence);
                }
            }
            Change::Seen { part, at, identity } => {
                if let Some(entity) = entities.get_mut(usize::from(*part)) {
                    entity.history.remember(*identity, *at);
                }
            }
            Change::History { part, ids } => {
                if let Some(entity) = entities.get_mut(usize::from(*part)) {
                    ids.iter().for_each(|(at, identity)| entity.history.remember(*identity, *at));
                }
            }
            Change::Enabled { part, on } => {
                if let Some(entity) = entities.get_mut(usize::from(*part)) {
                    entity.enabled = *on;
                }
            }
        }
    }
}
