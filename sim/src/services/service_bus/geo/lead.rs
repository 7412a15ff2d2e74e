//! The leader: what it changes goes into the log, the log goes to the follower, and what waits for that
//! goes on when the follower has it.

use std::sync::Arc;

use super::{Fence, Logged, letter};
use crate::ids::ConnectionId;
use crate::message::replication::{Change, Record};
use crate::message::{Body, Cargo, Message};
use crate::node::Context;
use crate::services::service_bus::namespace::Namespace;

/// So many batches may be under way at once \[K\].
const WINDOW: u32 = 16;
/// So many changes make a batch at most \[K\].
const BATCH: usize = 256;

impl Namespace {
    /// Puts a change into the log.
    pub(in crate::services::service_bus) fn log(&mut self, change: Change) {
        let at = self.live.link.now;
        if let Some(geo) = &mut self.store.geo
            && geo.logs()
        {
            geo.log.push_back(Logged { at, change });
        }
    }

    /// Logs that a message is there, or has changed.
    pub(in crate::services::service_bus) fn log_put(&mut self, part: u16, slot: u32) {
        if self.store.geo.as_ref().is_none_or(|geo| !geo.logs()) {
            return;
        }
        let Some(letter) = self.entity(part).messages.get(slot).map(letter) else { return };
        self.log(Change::Put { part, letter });
        let end = self.store.geo.as_ref().map_or(0, |geo| geo.end());
        if let Some(stored) = self.entity(part).messages.get_mut(slot)
            && stored.position == 0
        {
            stored.position = end;
        }
    }

    /// Whether a message may be delivered: under `sync` only once the follower has it.
    pub(in crate::services::service_bus) fn may_show(&self, position: u64) -> bool {
        position == 0 || !self.is_sync() || self.store.geo.as_ref().is_none_or(|geo| geo.base >= position)
    }

    /// Answers that something was done: under `sync` as soon as the follower has it too.
    pub(in crate::services::service_bus) fn acknowledge(
        &mut self,
        connection: ConnectionId,
        message: Message,
        cx: &mut Context<'_>,
    ) {
        match &self.store.geo {
            Some(geo) if geo.base < geo.end() && self.is_sync() => {
                self.live.link.unanswered.push_back((geo.end(), connection, message));
            }
            _ => cx.answer(connection, message),
        }
    }

    /// Sends what is new in the log.
    pub(in crate::services::service_bus) fn ship(&mut self, cx: &mut Context<'_>) {
        let (Some(pair), Some(geo)) = (&self.layout.pair, &self.store.geo) else { return };
        let link = &mut self.live.link;
        if !geo.leads || !link.up {
            return;
        }
        while link.in_flight < WINDOW && link.shipped < geo.end() {
            let start = (link.shipped - geo.base) as usize;
            let end = (start + BATCH).min(geo.log.len());
            let changes: Vec<Change> =
                geo.log.range(start..end).map(|logged| logged.change.clone()).collect();
            let items = changes.iter().filter_map(|change| match change {
                Change::Put { letter, .. } => Some(letter.item),
                _ => None,
            });
            let cargo = Cargo::of(items.collect());
            let record = Record::Ship { epoch: geo.epoch, from: link.shipped, changes: Arc::new(changes) };
            link.shipped = geo.base + end as u64;
            link.in_flight += 1;
            cx.tell(pair.peer, Message::new(Body::Replica(record)).carrying(cargo));
        }
    }

    /// The follower has the log up to there.
    pub(super) fn acked(&mut self, epoch: u32, upto: u64, cx: &mut Context<'_>) {
        if self.store.geo.as_ref().is_none_or(|geo| !geo.leads || geo.epoch != epoch) {
            return;
        }
        self.live.link.up = true;
        self.live.link.in_flight = self.live.link.in_flight.saturating_sub(1);
        self.trim(upto, cx);
        self.check_drained(cx);
    }

    /// Forgets what the follower has, and lets go on what waited for that.
    fn trim(&mut self, upto: u64, cx: &mut Context<'_>) {
        let sync = self.is_sync();
        let Some(geo) = &mut self.store.geo else { return };
        let mut shown: Vec<(u16, u64)> = Vec::new();
        while geo.base < upto
            && let Some(logged) = geo.log.pop_front()
        {
            geo.base += 1;
            if let Change::Put { part, letter } = logged.change
                && sync
            {
                shown.push((part, letter.session));
            }
        }
        if geo.joins_at.is_some_and(|at| geo.base >= at) {
            (geo.joined, geo.joins_at) = (true, None);
        }
        let base = geo.base;
        self.live.link.shipped = self.live.link.shipped.max(base);
        while let Some((position, _, _)) = self.live.link.unanswered.front()
            && *position <= base
            && let Some((_, connection, message)) = self.live.link.unanswered.pop_front()
        {
            cx.answer(connection, message);
        }
        shown.dedup();
        for (part, session) in shown {
            self.show(part, session, cx);
        }
    }

    /// Delivers what may be delivered from now on.
    fn show(&mut self, part: u16, session: u64, cx: &mut Context<'_>) {
        if !self.serves() {
            return;
        }
        if !self.layout.entities[usize::from(part)].sessions {
            return self.pump(part, cx);
        }
        if let Some(session) = self.entity(part).sessions.find(session) {
            self.session_filled(part, session, cx);
        }
    }

    /// Looks for the follower, and says that it leads.
    pub(super) fn look(&mut self, cx: &mut Context<'_>) {
        let Some(geo) = &self.store.geo else { return };
        if !self.replicates() {
            if geo.leads && !geo.paired {
                self.tell_peer(Record::Unpaired, cx);
            }
        } else if geo.leads && !self.live.link.up {
            self.tell_peer(Record::Lead { epoch: geo.epoch, planned: geo.planned }, cx);
        }
    }

    /// The follower says how far it is.
    pub(super) fn followed(
        &mut self,
        epoch: u32,
        applied: u64,
        fresh: bool,
        rising: bool,
        cx: &mut Context<'_>,
    ) {
        let Some(geo) = &self.store.geo else { return };
        if !geo.leads || geo.epoch != epoch {
            return;
        }
        let fence = geo.fence;
        let link = &mut self.live.link;
        (link.up, link.in_flight) = (true, 0);
        let checked = std::mem::take(&mut link.checking);
        if fresh {
            self.snapshot();
        } else {
            self.trim(applied, cx);
        }
        if let Some(geo) = &self.store.geo {
            self.live.link.shipped = geo.base;
        }
        match fence {
            Fence::No if checked => self.recover_entities(cx),
            Fence::No => {}
            Fence::Draining | Fence::Given if !rising => self.resume(cx),
            Fence::Draining => self.check_drained(cx),
            Fence::Given => self.tell_peer(Record::Yielded { epoch }, cx),
        }
    }

    /// The log begins anew, with everything that there is.
    fn snapshot(&mut self) {
        let Some(geo) = &mut self.store.geo else { return };
        geo.base = geo.end();
        geo.log.clear();
        geo.joins_at = Some(geo.base);
        self.log(Change::Clear);
        for part in 0..self.layout.entities.len() as u16 {
            let entity = &self.store.entities[usize::from(part)];
            let ids = Arc::new(entity.history.seen());
            let mut slots: Vec<(u64, u32)> =
                entity.messages.iter().map(|(slot, stored)| (stored.sequence, slot)).collect();
            slots.sort_unstable();
            let on = entity.enabled;
            self.log(Change::Enabled { part, on });
            if !ids.is_empty() {
                self.log(Change::History { part, ids });
            }
            for (_, slot) in slots {
                self.log_put(part, slot);
            }
        }
        if let Some(geo) = &mut self.store.geo {
            geo.joins_at = Some(geo.end());
        }
    }

    /// Somebody is to lead instead.
    pub(super) fn asked_to_yield(&mut self, epoch: u32, planned: bool, cx: &mut Context<'_>) {
        let Some(geo) = &mut self.store.geo else { return };
        if !geo.leads || epoch != geo.epoch {
            return;
        }
        if geo.fence == Fence::No {
            geo.fence = if planned { Fence::Draining } else { Fence::Given };
            self.quiet(cx);
        }
        self.check_drained(cx);
    }

    /// Says that everything is there, as soon as it is.
    fn check_drained(&mut self, cx: &mut Context<'_>) {
        let Some(geo) = &mut self.store.geo else { return };
        if geo.fence == Fence::Draining && geo.log.is_empty() && self.live.link.up {
            geo.fence = Fence::Given;
            let epoch = geo.epoch;
            self.tell_peer(Record::Yielded { epoch }, cx);
        }
    }

    /// Nobody leads instead after all: it serves again. All locks are lost, as after a crash.
    pub(super) fn resume(&mut self, cx: &mut Context<'_>) {
        if let Some(geo) = &mut self.store.geo {
            geo.fence = Fence::No;
        }
        self.recover_entities(cx);
    }
}
