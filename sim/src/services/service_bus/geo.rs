//! A namespace as one of a pair (facts 1.9): what it gives to the other, and what becomes of its messages
//! when the lead changes. Under Geo-DR (`metadata-only`) nothing is given but the name.

use crate::message::broker::Error;
use crate::message::replication::{Change, Letter, Rest};
use crate::node::Context;
use crate::observe::{Birth, End, What};
use crate::services::replicas::{Channel, Leads, Pair, Paired, Replica, Tenure};
use crate::services::service_bus::entity::{Entity, State, Stored};
use crate::services::service_bus::namespace::{Namespace, Outlet, token};

impl Namespace {
    /// Logs that a message is there, or has changed.
    pub(super) fn log_put(&mut self, part: u16, slot: u32) {
        if !self.logs() {
            return;
        }
        let Some(letter) = self.entity(part).messages.get(slot).map(letter) else { return };
        let Some(end) = self.log(Change::Put { part, letter }) else { return };
        if let Some(stored) = self.entity(part).messages.get_mut(slot)
            && stored.position == 0
        {
            stored.position = end;
        }
    }

    /// What a namespace that does not serve says to everybody (facts 1.9: during a promotion it rejects
    /// sends and nothing can be consumed; a secondary serves nobody).
    pub(super) const fn away() -> Error {
        Error::ServiceBusy
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

    fn reborn(&mut self, part: u16, stored: Stored, cx: &mut Context<'_>) {
        let place = self.layout.entities[usize::from(part)].place;
        cx.observe(stored.item, What::Born { place, cause: Birth::Reborn });
        self.count(part, u64::from(stored.bytes), true);
        let slot = self.entity(part).insert(stored);
        match stored.state {
            State::Scheduled(due) => {
                cx.timer(due.since(cx.wall()), token::of(token::SCHEDULED, part, 0), true)
            }
            State::Deferred => self.entity(part).defer(slot),
            State::Ready | State::Locked(_) => self.line_up(part, slot, cx),
        }
    }
}

impl Replica for Namespace {
    fn pair(&self) -> Option<&Pair> {
        self.layout.pair.as_ref()
    }

    fn tenure(&self) -> Option<&Tenure> {
        self.store.tenure.as_deref()
    }

    fn tenure_mut(&mut self) -> Option<&mut Tenure> {
        self.store.tenure.as_deref_mut()
    }

    fn channel(&self) -> &Channel {
        &self.live.channel
    }

    fn channel_mut(&mut self) -> &mut Channel {
        &mut self.live.channel
    }

    fn token(what: u32) -> u64 {
        token::of(token::GEO, 0, what)
    }

    /// Links are detached, what is not yet durable is refused, no timer counts any more.
    fn quiet(&mut self, cx: &mut Context<'_>) {
        for op in self.live.commits.give_up() {
            self.refuse(op.connection, &op.message, Error::ServiceBusy, cx);
        }
        for part in 0..self.layout.entities.len() as u16 {
            self.detach_all(part, Error::ServiceBusy, cx);
            let entity = self.entity(part);
            let locks = entity.messages.iter().filter_map(|(_, stored)| match stored.state {
                State::Locked(lock) => lock.timer,
                _ => None,
            });
            let sessions = entity.sessions.table.iter().filter_map(|(_, session)| session.timer);
            let timers: Vec<_> = locks.chain(sessions).collect();
            timers.into_iter().for_each(|timer| cx.cancel(timer));
            self.entity(part).recover();
            *self.outlet(part) = Outlet::default();
        }
    }

    /// The locks are lost.
    fn reopen(&mut self, cx: &mut Context<'_>) {
        self.recover_entities(cx);
    }

    fn log_everything(&mut self) {
        for part in 0..self.layout.entities.len() as u16 {
            let entity = &self.store.entities[usize::from(part)];
            let ids = std::sync::Arc::new(entity.history.seen());
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
    }

    fn apply(&mut self, change: &Change, _: &mut Context<'_>) {
        let (shadows, entities) = (&mut self.store.shadows, &mut self.store.entities);
        match change {
            Change::Clear => {
                shadows.iter_mut().for_each(std::collections::BTreeMap::clear);
                entities.iter_mut().for_each(|entity| *entity = Entity::default());
            }
            Change::Put { part, letter } => {
                let part = usize::from(*part);
                let (Some(shadows), Some(entity)) = (shadows.get_mut(part), entities.get_mut(part)) else {
                    return;
                };
                entity.sequence = entity.sequence.max(letter.sequence);
                shadows.insert(letter.sequence, *letter);
            }
            Change::Gone { part, sequence } => {
                if let Some(shadows) = shadows.get_mut(usize::from(*part)) {
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
            Change::Seed { .. }
            | Change::Committed { .. }
            | Change::Documents { .. }
            | Change::Hub(_)
            | Change::Expired { .. } => {}
        }
    }

    fn take_over(&mut self, cx: &mut Context<'_>) {
        let shadows: Vec<_> = self.store.shadows.iter_mut().map(std::mem::take).collect();
        for (part, letters) in shadows.into_iter().enumerate() {
            for letter in letters.values() {
                self.reborn(part as u16, stored(letter), cx);
            }
        }
    }

    fn give_up(&mut self, keeps: bool, cx: &mut Context<'_>) {
        let parts = self.layout.entities.iter().zip(&mut self.store.entities);
        for ((settings, entity), shadows) in parts.zip(&mut self.store.shadows) {
            let mut messages: Vec<_> = entity.messages.iter().map(|(_, stored)| *stored).collect();
            messages.sort_unstable_by_key(|stored| stored.sequence);
            for stored in messages {
                let place = settings.place;
                cx.observe(stored.item, What::Ended { place, cause: End::FailoverTail });
                if keeps {
                    shadows.insert(stored.sequence, letter(&stored));
                }
            }
            let history = std::mem::take(&mut entity.history);
            *entity =
                Entity { history, sequence: entity.sequence, enabled: entity.enabled, ..Entity::default() };
        }
    }

    fn released(&mut self, changes: &[Change], cx: &mut Context<'_>) {
        let mut shown: Vec<(u16, u64)> = Vec::new();
        for change in changes {
            if let Change::Put { part, letter } = change {
                shown.push((*part, letter.session));
            }
        }
        shown.dedup();
        for (part, session) in shown {
            self.show(part, session, cx);
        }
    }
}

/// A message as it is replicated.
fn letter(stored: &Stored) -> Letter {
    let rest = match stored.state {
        State::Scheduled(due) => Rest::Scheduled(due),
        State::Deferred => Rest::Deferred,
        State::Locked(lock) if lock.deferred => Rest::Deferred,
        State::Ready | State::Locked(_) => Rest::Ready,
    };
    Letter {
        item: stored.item,
        identity: stored.identity,
        session: stored.session,
        sequence: stored.sequence,
        expires: stored.expires,
        deliveries: stored.deliveries,
        bytes: stored.bytes,
        hops: stored.hops,
        recognise: stored.recognise,
        delayed: stored.delayed,
        spared: stored.spared,
        rest,
    }
}

/// The message that a replicated one becomes.
fn stored(letter: &Letter) -> Stored {
    let state = match letter.rest {
        Rest::Ready => State::Ready,
        Rest::Scheduled(due) => State::Scheduled(due),
        Rest::Deferred => State::Deferred,
    };
    Stored {
        item: letter.item,
        identity: letter.identity,
        session: letter.session,
        sequence: letter.sequence,
        expires: letter.expires,
        deliveries: letter.deliveries,
        bytes: letter.bytes,
        hops: letter.hops,
        recognise: letter.recognise,
        delayed: letter.delayed,
        spared: letter.spared,
        position: 0,
        state,
    }
}
