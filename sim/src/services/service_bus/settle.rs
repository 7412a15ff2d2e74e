//! Locks: settled, renewed, expired, lost. Deferred messages and cancellations.

use crate::faults::Hook;
use crate::ids::{ConnectionId, Item};
use crate::message::broker::{Command, Error, Event, Settlement, TransactionStep};
use crate::message::{Body, Message};
use crate::node::Context;
use crate::observe::{DeadLetterReason, End, Handling, Symptom, What};
use crate::services::replicas::Leads;
use crate::services::service_bus::entity::{State, Stored};
use crate::services::service_bus::layout::Role;
use crate::services::service_bus::namespace::{Namespace, locked_at, token};

/// A lock that may be settled: where its message is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) part: u16,
    pub(super) slot: u32,
    pub(super) item: Item,
}

impl Namespace {
    /// A settlement arrives.
    pub(super) fn settle(&mut self, from: ConnectionId, message: Message, cx: &mut Context<'_>) {
        let Body::Broker(Command::Settle { link, lock, how, .. }) = message.body else { return };
        match self.check_settle(from, link, lock, how, cx) {
            Ok(held) => {
                self.hold(held, cx);
                self.stage(from, message, cx);
            }
            Err(error) => {
                self.refuse(from, &message, error, cx);
                self.credit(from, link, credit_of(&message), cx);
            }
        }
    }

    /// Whether this link may settle this lock now.
    pub(super) fn check_settle(
        &mut self,
        from: ConnectionId,
        number: u32,
        lock: u64,
        how: Settlement,
        cx: &mut Context<'_>,
    ) -> Result<Held, Error> {
        let held = self.held(from, number, lock, cx)?;
        let Held { part, slot, item } = held;
        if self.receive_disabled(part, item, cx) {
            return Err(Error::MessagingEntityDisabled);
        }
        if how == Settlement::DeadLetter {
            if self.layout.entities[usize::from(part)].role == Role::DeadLetter {
                return Err(Error::InvalidOperation);
            }
            if self.dead_letters_full(part, slot, cx) {
                return Err(Error::QuotaExceeded);
            }
        }
        Ok(held)
    }

    /// The message of a lock, if the lock is this link's and holds.
    fn held(
        &mut self,
        from: ConnectionId,
        number: u32,
        lock: u64,
        cx: &mut Context<'_>,
    ) -> Result<Held, Error> {
        let slot = self.live.index.get(&(from, number)).copied().ok_or(Error::MessageLockLost)?;
        let Some(link) = self.live.links.get_mut(slot) else { return Err(Error::MessageLockLost) };
        let (part, serial, session) = (link.part, link.serial, link.session);
        let idle = cx.now().since(link.active) > self.layout.idle_detach;
        link.active = cx.now();
        let lost = if session.is_some() { Error::SessionLockLost } else { Error::MessageLockLost };
        if idle {
            self.drop_link(slot, Some(lost), cx);
            return Err(lost);
        }
        let message = locked_at(lock).1;
        let wall = cx.wall();
        let stored = self.entity(part).messages.get(message).copied().ok_or(lost)?;
        self.admit(from, part, (stored.item, u64::from(stored.deliveries)), cx)?;
        let State::Locked(held) = stored.state else { return Err(lost) };
        let live = session.is_some() || held.until > wall;
        if held.id != lock || held.link != serial || held.settling || !live {
            return Err(lost);
        }
        let (item, occurrence) = (stored.item, u64::from(stored.deliveries));
        if let Some(session) = session
            && cx.strike(Hook::SessionLockLost, part, item, occurrence).is_some()
        {
            self.session_expired(part, session, cx);
            return Err(Error::SessionLockLost);
        }
        if cx.strike(Hook::LockLost, part, item, occurrence).is_some() {
            self.lose(part, message, cx);
            return Err(Error::MessageLockLost);
        }
        Ok(Held { part, slot: message, item })
    }

    /// The lock no longer runs out: its settlement waits for a sync.
    pub(super) fn hold(&mut self, held: Held, cx: &mut Context<'_>) {
        if let Some(lock) = self.entity(held.part).lock_of(held.slot) {
            lock.settling = true;
            if let Some(timer) = lock.timer.take() {
                cx.cancel(timer);
            }
        }
    }

    /// A settlement is durable.
    pub(super) fn commit_settle(&mut self, from: ConnectionId, message: &Message, cx: &mut Context<'_>) {
        let Body::Broker(Command::Settle { link, lock, how, .. }) = message.body else { return };
        let Some((part, slot, stored)) = self.settling(lock) else {
            return self.refuse(from, message, Error::MessageLockLost, cx);
        };
        cx.handled(from, message, Handling::Stored);
        let attempt = u64::from(stored.deliveries);
        let answered = cx.strike(Hook::SettleAnswerLost, part, stored.item, attempt).is_none();
        let settled = || message.answer(Body::BrokerEvent(Event::Settled));
        let waits = self.store.tenure.is_some();
        if answered && !waits {
            cx.answer(from, settled());
        }
        self.apply_settlement(part, slot, how, cx);
        if answered && waits {
            self.acknowledge(from, settled(), cx);
        }
        self.credit(from, link, credit_of(message), cx);
    }

    /// The message whose settlement under this lock is under way.
    pub(super) fn settling(&self, lock: u64) -> Option<(u16, u32, Stored)> {
        let (part, slot) = locked_at(lock);
        let stored = self.store.entities.get(usize::from(part))?.messages.get(slot)?;
        matches!(stored.state, State::Locked(held) if held.id == lock && held.settling)
            .then_some((part, slot, *stored))
    }

    /// Carries a settlement out.
    pub(super) fn apply_settlement(&mut self, part: u16, slot: u32, how: Settlement, cx: &mut Context<'_>) {
        match how {
            Settlement::Complete => {
                self.free_lock(part, slot, cx);
                if let Some(stored) = self.remove(part, slot) {
                    let place = self.layout.entities[usize::from(part)].place;
                    cx.observe(stored.item, What::Ended { place, cause: End::Completed });
                    self.tidy(part, stored.session);
                }
            }
            Settlement::Abandon => self.unlock(part, slot, true, cx),
            Settlement::DeadLetter => {
                let session = self.entity(part).messages.get(slot).map_or(0, |m| m.session);
                self.free_lock(part, slot, cx);
                if !self.dead_letter(part, slot, DeadLetterReason::Application, cx) {
                    self.unlock(part, slot, true, cx);
                }
                self.tidy(part, session);
            }
            Settlement::Defer => {
                self.free_lock(part, slot, cx);
                self.entity(part).defer(slot);
                self.log_put(part, slot);
            }
        }
    }

    fn tidy(&mut self, part: u16, session: u64) {
        if let Some(slot) = self.entity(part).sessions.find(session) {
            self.entity(part).tidy(slot);
        }
    }

    /// Stops the lock's timer and takes the message out of its session's hands.
    pub(super) fn free_lock(&mut self, part: u16, slot: u32, cx: &mut Context<'_>) {
        let entity = self.entity(part);
        if let Some(lock) = entity.lock_of(slot)
            && let Some(timer) = lock.timer.take()
        {
            cx.cancel(timer);
        }
        let session = entity.messages.get(slot).map_or(0, |m| m.session);
        if let Some(session) = entity.sessions.find(session)
            && let Some(session) = entity.sessions.table.get_mut(session)
        {
            session.held.retain(|held| *held != slot);
        }
    }

    /// A delivered message is available again. `counted`: as a failed delivery.
    pub(super) fn unlock(&mut self, part: u16, slot: u32, counted: bool, cx: &mut Context<'_>) {
        self.free_lock(part, slot, cx);
        let most = self.layout.entities[usize::from(part)].max_delivery;
        let Some(stored) = self.entity(part).messages.get_mut(slot) else { return };
        stored.deliveries += u32::from(counted);
        let (used_up, late) = (stored.deliveries >= most, stored.expires <= cx.wall());
        if used_up && self.dead_letter(part, slot, DeadLetterReason::MaxDeliveryCountExceeded, cx) {
            return;
        }
        let ready = self.entity(part).unlock(slot);
        if counted {
            self.log_put(part, slot);
        }
        if !ready {
            return;
        }
        if late {
            return self.expire(part, slot, cx);
        }
        self.line_up(part, slot, cx);
        self.plan_expiry(part, cx);
    }

    /// The timer of a lock, or a crash.
    pub(super) fn lock_expired(&mut self, part: u16, slot: u32, cx: &mut Context<'_>) {
        let lock = self.layout.entities[usize::from(part)].lock;
        let wall = cx.wall();
        let Some(held) = self.entity(part).lock_of(slot) else { return };
        if held.settling {
            return;
        }
        if held.timer.take().is_some() && held.until > wall {
            // The wall clock was set back: the lock still holds.
            held.timer = Some(cx.timeout(lock, token::of(token::LOCK, part, slot), true));
            return;
        }
        self.lose(part, slot, cx);
    }

    fn lose(&mut self, part: u16, slot: u32, cx: &mut Context<'_>) {
        if let Some(stored) = self.entity(part).messages.get(slot) {
            cx.observe(stored.item, What::Symptom(Symptom::LockLost));
        }
        self.unlock(part, slot, true, cx);
    }

    /// Extends the lock of a message, or of the session of a link.
    pub(super) fn renew(
        &mut self,
        from: ConnectionId,
        message: &Message,
        number: u32,
        lock: u64,
        cx: &mut Context<'_>,
    ) {
        let result = if lock == 0 {
            self.renew_session(from, number, cx)
        } else {
            self.renew_lock(from, number, lock, cx)
        };
        match result {
            Ok(event) => {
                cx.handled(from, message, Handling::Stored);
                cx.answer(from, message.answer(Body::BrokerEvent(event)));
            }
            Err(error) => self.refuse(from, message, error, cx),
        }
    }

    fn renew_lock(
        &mut self,
        from: ConnectionId,
        number: u32,
        lock: u64,
        cx: &mut Context<'_>,
    ) -> Result<Event, Error> {
        let Held { part, slot, item } = self.held(from, number, lock, cx)?;
        if cx.strike(Hook::RenewFails, part, item, cx.now().0).is_some() {
            return Err(Error::GeneralError);
        }
        let span = self.layout.entities[usize::from(part)].lock;
        let locked_until = cx.wall() + span;
        let Some(held) = self.entity(part).lock_of(slot) else { return Err(Error::MessageLockLost) };
        held.until = locked_until;
        if let Some(timer) = held.timer.take() {
            cx.cancel(timer);
            held.timer = Some(cx.timeout(span, token::of(token::LOCK, part, slot), true));
        }
        Ok(Event::Renewed { locked_until })
    }

    fn renew_session(
        &mut self,
        from: ConnectionId,
        number: u32,
        cx: &mut Context<'_>,
    ) -> Result<Event, Error> {
        let slot = self.live.index.get(&(from, number)).copied().ok_or(Error::SessionLockLost)?;
        let Some(link) = self.live.links.get_mut(slot) else { return Err(Error::SessionLockLost) };
        link.active = cx.now();
        let (part, session) = (link.part, link.session.ok_or(Error::SessionLockLost)?);
        let held = self.entity(part).sessions.table.get(session).and_then(|s| s.held.first().copied());
        let item =
            held.and_then(|slot| self.entity(part).messages.get(slot)).map_or(Item::default(), |m| m.item);
        self.admit(from, part, (item, cx.now().0), cx)?;
        if cx.strike(Hook::SessionLockLost, part, item, cx.now().0).is_some() {
            self.session_expired(part, session, cx);
            return Err(Error::SessionLockLost);
        }
        if cx.strike(Hook::RenewFails, part, item, cx.now().0).is_some() {
            return Err(Error::GeneralError);
        }
        let span = self.layout.entities[usize::from(part)].lock;
        let locked_until = cx.wall() + span;
        let Some(s) = self.entity(part).sessions.table.get_mut(session) else {
            return Err(Error::SessionLockLost);
        };
        if let Some(timer) = s.timer.take() {
            cx.cancel(timer);
        }
        s.timer = Some(cx.timeout(span, token::of(token::SESSION, part, session), true));
        s.until = locked_until;
        for slot in s.held.clone() {
            if let Some(lock) = self.entity(part).lock_of(slot) {
                lock.until = locked_until;
            }
        }
        Ok(Event::Renewed { locked_until })
    }

    /// Fetches a deferred message by its sequence number; it is delivered on the link, under lock.
    pub(super) fn receive_deferred(
        &mut self,
        from: ConnectionId,
        message: &Message,
        number: u32,
        sequence: u64,
        cx: &mut Context<'_>,
    ) {
        let Some(link) = self.live.index.get(&(from, number)).copied() else {
            return self.refuse(from, message, Error::InvalidOperation, cx);
        };
        let Some((part, owned)) = self.live.links.get(link).map(|link| (link.part, link.session)) else {
            return;
        };
        if let Err(error) = self.admit(from, part, (Item::NONE, 0), cx) {
            return self.refuse(from, message, error, cx);
        }
        let session = owned.and_then(|session| self.entity(part).sessions.table.get(session)).map(|s| s.id);
        let sessions = self.layout.entities[usize::from(part)].sessions;
        let entity = self.entity(part);
        let found = entity.deferred.get(&sequence).copied();
        // A session link reaches the deferred messages of its own session only.
        let reached =
            found.filter(|slot| !sessions || entity.messages.get(*slot).map(|m| m.session) == session);
        let Some(slot) = reached else {
            return self.refuse(from, message, Error::MessageNotFound, cx);
        };
        if let Some(link) = self.live.links.get_mut(link) {
            link.credit += 1; // it was asked for by itself, outside the link's credit
        }
        self.hand_over(part, slot, link, cx);
    }

    /// A scheduled message is not to be enqueued after all.
    pub(super) fn cancel_scheduled(&mut self, from: ConnectionId, message: Message, cx: &mut Context<'_>) {
        let Body::Broker(Command::CancelScheduled { part, .. }) = message.body else { return };
        match self.admit(from, part, (Item::NONE, 0), cx) {
            Ok(()) => self.stage(from, message, cx),
            Err(error) => self.refuse(from, &message, error, cx),
        }
    }

    pub(super) fn commit_cancel(
        &mut self,
        from: ConnectionId,
        message: &Message,
        part: u16,
        sequence: u64,
        cx: &mut Context<'_>,
    ) {
        let scheduled = &self.entity(part).scheduled;
        let found = scheduled.iter().find(|((_, number), _)| *number == sequence).map(|(_, slot)| *slot);
        let Some(stored) = found.and_then(|slot| self.remove(part, slot)) else {
            return self.refuse(from, message, Error::MessageNotFound, cx);
        };
        let place = self.layout.entities[usize::from(part)].place;
        cx.observe(stored.item, What::Ended { place, cause: End::Completed });
        cx.handled(from, message, Handling::Stored);
        self.acknowledge(from, message.answer(Body::BrokerEvent(Event::Settled)), cx);
    }

    /// The sync of a settlement failed: its lock runs on from now.
    pub(super) fn release_settling(&mut self, _: ConnectionId, message: &Message, cx: &mut Context<'_>) {
        let locks: Vec<u64> = match &message.body {
            Body::Broker(Command::Settle { lock, .. }) => vec![*lock],
            Body::Broker(Command::Transact { operations, .. }) => operations
                .iter()
                .filter_map(|step| match step {
                    TransactionStep::Settle { lock, .. } => Some(*lock),
                    TransactionStep::Send { .. } => None,
                })
                .collect(),
            _ => Vec::new(),
        };
        for lock in locks {
            let Some((part, slot, _)) = self.settling(lock) else { continue };
            let span = self.layout.entities[usize::from(part)].lock;
            let until = cx.wall() + span;
            let sessions = self.layout.entities[usize::from(part)].sessions;
            let timer = (!sessions).then(|| cx.timeout(span, token::of(token::LOCK, part, slot), true));
            if let Some(held) = self.entity(part).lock_of(slot) {
                (held.settling, held.timer, held.until) = (false, timer, until);
            }
        }
    }
}

/// The credit that a settlement brings; its first attempt only, or a retry would bring it twice.
fn credit_of(message: &Message) -> u32 {
    match message.body {
        Body::Broker(Command::Settle { more, .. }) if message.attempt <= 1 => more,
        _ => 0,
    }
}
