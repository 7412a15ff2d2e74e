//! Delivery: messages in order, to links with credit in turn. And the end of messages that have waited
//! too long, which is only looked at while somebody receives (facts 1.3).

use crate::faults::Hook;
use crate::faults::local::Value;
use crate::ids::Item;
use crate::message::broker::{Error, Event, ReceiveMode};
use crate::message::{Body, Cargo, Message};
use crate::node::Context;
use crate::observe::{Birth, End, Symptom, What};
use crate::services::replicas::Leads;
use crate::services::service_bus::entity::{Lock, Owner, State, Stored};
use crate::services::service_bus::namespace::{Namespace, lock_id, token};
use crate::services::throttle::{Limit, Meter};
use crate::time::{Span, Time};

impl Namespace {
    /// Delivers what can be delivered from an entity, sessions included.
    pub(super) fn pump_all(&mut self, part: u16, cx: &mut Context<'_>) {
        if !self.layout.entities[usize::from(part)].sessions {
            return self.pump(part, cx);
        }
        let sessions = &self.entity(part).sessions;
        let slots: Vec<u32> = sessions.table.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.session_filled(part, slot, cx);
        }
    }

    /// Delivers what can be delivered from an entity without sessions: links with credit take turns.
    pub(super) fn pump(&mut self, part: u16, cx: &mut Context<'_>) {
        while let Some((slot, serial)) = self.outlet(part).ring.front().copied()
            && self.next(part, None, cx)
        {
            // Looking for a message may have detached the link.
            if self.outlet(part).ring.front() != Some(&(slot, serial)) {
                continue;
            }
            self.outlet(part).ring.pop_front();
            if let Some(link) = self.link(slot, serial) {
                link.in_ring = false;
            }
            self.deliver(part, slot, None, cx);
            if self.link(slot, serial).is_some() {
                self.enter_ring(slot);
            }
        }
    }

    /// Delivers what can be delivered of a session to its owner.
    pub(super) fn pump_session(&mut self, part: u16, session: u32, cx: &mut Context<'_>) {
        loop {
            let owner = self.entity(part).sessions.table.get(session).map(|s| s.owner);
            let Some(Owner::Link(slot)) = owner else { return };
            if self.live.links.get(slot).is_none_or(|link| link.credit == 0) {
                return;
            }
            if !self.next(part, Some(session), cx) {
                return;
            }
            self.deliver(part, slot, Some(session), cx);
        }
    }

    /// Whether there is a message that may be delivered now.
    fn next(&mut self, part: u16, session: Option<u32>, cx: &mut Context<'_>) -> bool {
        loop {
            let Some(slot) = self.entity(part).head(session) else { return false };
            let Some(stored) = self.entity(part).messages.get(slot).copied() else { return false };
            if !self.may_show(stored.position) {
                return false;
            }
            if stored.expires > cx.wall() {
                return self.may_deliver(part, stored.item, cx);
            }
            self.expire(part, slot, cx);
        }
    }

    fn may_deliver(&mut self, part: u16, item: Item, cx: &mut Context<'_>) -> bool {
        if self.receive_disabled(part, item, cx) {
            self.detach_all(part, Error::MessagingEntityDisabled, cx);
            return false;
        }
        if self.deleted(part, item, cx) {
            self.detach_all(part, Error::MessagingEntityNotFound, cx);
            return false;
        }
        // Each look is a chance of its own: a message that was held back once may go the next time.
        let occurrence = cx.now().0;
        for hook in [Hook::StoreDown, Hook::BrokerBusy] {
            if cx.strike(hook, part, item, occurrence).is_some() {
                self.plan_retry(part, Span::secs(1), cx);
                return false;
            }
        }
        if self.take_credits(part, 1, 0, item, cx).is_ok() {
            return true;
        }
        // A receiver that pulls is told to wait; one that is pushed to waits for the next grant.
        cx.observe(item, What::Symptom(Symptom::Throttled));
        let limits = [self.layout.credits, fault_limit(part, cx)];
        let wait = limits.into_iter().flatten().map(|limit| Meter::wait(limit, cx.now())).max();
        self.plan_retry(part, wait.unwrap_or(Span::secs(1)), cx);
        false
    }

    fn plan_retry(&mut self, part: u16, after: Span, cx: &mut Context<'_>) {
        if !std::mem::replace(&mut self.outlet(part).retry, true) {
            cx.timer(after, token::of(token::RETRY, part, 0), true);
        }
    }

    /// Delivers the head to this link, unless a fault has it otherwise.
    fn deliver(&mut self, part: u16, to: u32, session: Option<u32>, cx: &mut Context<'_>) {
        let Some(slot) = self.entity(part).pop(session) else { return };
        let Some(stored) = self.entity(part).messages.get(slot).copied() else { return };
        let (item, occurrence) = (stored.item, u64::from(stored.deliveries));
        if cx.strike(Hook::TtlExpire, part, item, occurrence).is_some() {
            return self.expire(part, slot, cx);
        }
        if cx.strike(Hook::LinkDetach, part, item, occurrence).is_some() {
            cx.observe(item, What::Symptom(Symptom::Reset));
            self.drop_link(to, Some(Error::ServiceCommunicationProblem), cx);
            return self.line_up(part, slot, cx);
        }
        let slot = self.overtaken(part, slot, session, cx).unwrap_or(slot);
        self.twin(part, slot, cx);
        self.hand_over(part, slot, to, cx);
    }

    /// A fault lets the next message go first. Its slot, if there is one and the fault strikes.
    fn overtaken(&mut self, part: u16, slot: u32, session: Option<u32>, cx: &mut Context<'_>) -> Option<u32> {
        let stored = self.entity(part).messages.get(slot).copied()?;
        if stored.spared || self.entity(part).head(session).is_none() {
            return None;
        }
        cx.strike(Hook::DeliverOutOfOrder, part, stored.item, 0)?;
        cx.observe(stored.item, What::Symptom(Symptom::Delayed));
        let next = self.entity(part).pop(session)?;
        if let Some(first) = self.entity(part).messages.get_mut(slot) {
            first.spared = true;
        }
        let sessions = session.is_some();
        self.entity(part).line_up(slot, sessions);
        Some(next)
    }

    /// A fault doubles the message: a second copy, with a sequence number of its own, waits.
    fn twin(&mut self, part: u16, slot: u32, cx: &mut Context<'_>) {
        let Some(stored) = self.entity(part).messages.get(slot).copied().filter(|m| !m.spared) else {
            return;
        };
        if cx.strike(Hook::DeliverTwice, part, stored.item, u64::from(stored.deliveries)).is_none() {
            return;
        }
        cx.observe(stored.item, What::Symptom(Symptom::Redelivery));
        let place = self.layout.entities[usize::from(part)].place;
        let sequence = self.entity(part).next_sequence();
        cx.observe(stored.item, What::Born { place, cause: Birth::Reborn });
        self.count(part, u64::from(stored.bytes), true);
        if let Some(original) = self.entity(part).messages.get_mut(slot) {
            original.spared = true;
        }
        let twin = self.entity(part).insert(Stored { sequence, spared: true, position: 0, ..stored });
        self.log_put(part, twin);
        let sessions = self.layout.entities[usize::from(part)].sessions;
        self.entity(part).line_up(twin, sessions);
    }

    /// Puts a message on the wire: locked, or removed under receive-and-delete.
    pub(super) fn hand_over(&mut self, part: u16, slot: u32, to: u32, cx: &mut Context<'_>) {
        let Some(link) = self.live.links.get_mut(to) else { return };
        link.credit = link.credit.saturating_sub(1);
        link.active = cx.now();
        let (connection, number, mode) = (link.connection, link.number, link.mode);
        let Some(stored) = self.entity(part).messages.get(slot).copied() else { return };
        if stored.deliveries > 0 {
            cx.observe_on(connection, stored.item, What::Symptom(Symptom::Redelivery));
        }
        let (lock, locked_until) = match mode {
            ReceiveMode::PeekLock => self.lock(part, slot, to, cx),
            ReceiveMode::ReceiveAndDelete => {
                let place = self.layout.entities[usize::from(part)].place;
                self.remove(part, slot);
                cx.observe_on(connection, stored.item, What::Ended { place, cause: End::Completed });
                (0, cx.wall())
            }
        };
        let event = Event::Delivered {
            link: number,
            delivery_count: stored.deliveries,
            lock,
            locked_until,
            identity: stored.identity,
            sequence: stored.sequence,
        };
        let mut message = Message::new(Body::BrokerEvent(event)).carrying(Cargo::One(stored.item));
        // Tells the draws about two deliveries of one item apart.
        message.attempt = stored.deliveries.min(u32::from(u16::MAX)) as u16;
        cx.answer(connection, message);
    }

    fn lock(&mut self, part: u16, slot: u32, to: u32, cx: &mut Context<'_>) -> (u64, Time) {
        self.store.last_lock = (self.store.last_lock + 1) % (1 << 24);
        let id = lock_id(self.store.last_lock, part, slot);
        let Some(link) = self.live.links.get(to) else { return (0, Time::ZERO) };
        let (serial, session) = (link.serial, link.session);
        let (until, timer) = match session {
            Some(session) => {
                let sessions = &mut self.entity(part).sessions.table;
                let Some(session) = sessions.get_mut(session) else { return (0, Time::ZERO) };
                session.held.push(slot);
                (session.until, None)
            }
            None => {
                let lock = self.layout.entities[usize::from(part)].lock;
                let timer = cx.timeout(lock, token::of(token::LOCK, part, slot), true);
                (cx.wall() + lock, Some(timer))
            }
        };
        let entity = self.entity(part);
        let deferred = entity.messages.get(slot).is_some_and(|m| m.state == State::Deferred);
        entity.lock(slot, Lock { id, link: serial, until, timer, settling: false, deferred });
        (id, until)
    }

    /// Plans to look at the first message that will expire, if anybody receives.
    pub(super) fn plan_expiry(&mut self, part: u16, cx: &mut Context<'_>) {
        if self.outlet(part).links == 0 {
            return;
        }
        let first = self.entity(part).expiring.first_key_value().map(|((expires, _), _)| *expires);
        let Some(expires) = first else { return };
        let outlet = self.outlet(part);
        if outlet.expiry.is_none_or(|planned| expires < planned) {
            outlet.expiry = Some(expires);
            cx.timer(expires.since(cx.wall()), token::of(token::EXPIRY, part, 0), true);
        }
    }

    pub(super) fn expiry_due(&mut self, part: u16, cx: &mut Context<'_>) {
        self.outlet(part).expiry = None;
        if self.outlet(part).links > 0 {
            self.purge(part, cx);
            self.plan_expiry(part, cx);
        }
    }

    /// Ends every message that has waited too long. Scheduled, locked and deferred ones are not among them.
    pub(super) fn purge(&mut self, part: u16, cx: &mut Context<'_>) {
        let wall = cx.wall();
        while let Some(((expires, _), slot)) =
            self.entity(part).expiring.first_key_value().map(|(k, v)| (*k, *v))
            && expires <= wall
        {
            let session = self.entity(part).messages.get(slot).map_or(0, |m| m.session);
            self.expire(part, slot, cx);
            if let Some(session) = self.entity(part).sessions.find(session) {
                self.entity(part).tidy(session);
            }
        }
    }
}

/// The limit that a fault sets.
fn fault_limit(part: u16, cx: &Context<'_>) -> Option<Limit> {
    match cx.impaired(Hook::BrokerThrottle, part)?.value {
        Value::Rate(rate) => Some(Limit::of(rate)),
        _ => None,
    }
}
