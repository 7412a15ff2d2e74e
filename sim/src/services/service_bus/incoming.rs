//! How a message comes into an entity: recognised or stored, forwarded, fanned out, scheduled; and how it
//! goes from there to the dead-letter queue.

use crate::faults::Hook;
use crate::faults::local::Value;
use crate::ids::{Item, PlaceId};
use crate::message::replication::Change;
use crate::node::Context;
use crate::observe::{Birth, DeadLetterReason, Discard, End, Symptom, What};
use crate::random::Purpose;
use crate::services::replicas::Leads;
use crate::services::service_bus::entity::{State, Stored};
use crate::services::service_bus::layout::Role;
use crate::services::service_bus::namespace::{Namespace, token};
use crate::time::{Span, Time};

/// Where a message comes from, for the books.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    /// It comes to be here.
    Born(Birth),
    /// It was at that place before.
    Moved(PlaceId, Option<DeadLetterReason>),
}

/// A message on its way into an entity.
#[derive(Clone, Copy, Debug)]
pub(super) struct Incoming {
    pub(super) item: Item,
    /// The message id.
    pub(super) identity: u64,
    /// Whether the sender gave the id, so that a repetition can be recognised.
    pub(super) recognise: bool,
    /// 0: none.
    pub(super) session: u64,
    pub(super) ttl: Span,
    pub(super) delay: Span,
    pub(super) bytes: u32,
    pub(super) hops: u8,
    pub(super) deliveries: u32,
    pub(super) origin: Origin,
}

impl Namespace {
    /// A message comes into an entity. Its sequence number, or `None` if it was recognised as a repetition.
    pub(super) fn arrive(&mut self, part: u16, incoming: Incoming, cx: &mut Context<'_>) -> Option<u64> {
        let settings = &self.layout.entities[usize::from(part)];
        let (place, dedup, longest) = (settings.place, settings.dedup, settings.ttl);
        let dead = settings.role == Role::DeadLetter;
        let item = incoming.item;
        if let Some(window) = dedup
            && incoming.recognise
            && self.recognised(part, &incoming, window, cx)
        {
            if let Origin::Moved(from, _) = incoming.origin {
                cx.observe(item, What::Ended { place: from, cause: End::Completed });
            }
            cx.observe(item, What::Absorbed { place });
            return None;
        }
        match incoming.origin {
            Origin::Born(cause) => cx.observe(item, What::Born { place, cause }),
            Origin::Moved(from, reason) => cx.observe(item, What::Moved { from, to: place, reason }),
        }
        let delayed = cx.strike(Hook::VisibilityDelay, part, item, 0);
        let delayed = delayed.and_then(|strike| delay_of(strike.value, item, cx));
        if delayed.is_some() {
            cx.observe(item, What::Symptom(Symptom::Delayed));
        }
        let wait = incoming.delay + delayed.unwrap_or(Span::ZERO);
        let enqueued = cx.wall() + wait;
        // In a dead-letter queue the time to live is not observed (facts 1.3).
        let ttl = if dead { Span::FOREVER } else { incoming.ttl.min(longest) };
        let sequence = self.entity(part).next_sequence();
        let stored = Stored {
            item,
            identity: incoming.identity,
            session: incoming.session,
            sequence,
            expires: if ttl == Span::FOREVER { Time::NEVER } else { enqueued + ttl },
            deliveries: incoming.deliveries,
            bytes: incoming.bytes,
            hops: incoming.hops,
            recognise: incoming.recognise,
            delayed: incoming.delay.is_zero(),
            spared: false,
            position: 0,
            state: if wait.is_zero() { State::Ready } else { State::Scheduled(enqueued) },
        };
        self.count(part, u64::from(incoming.bytes), true);
        if wait.is_zero() {
            self.enter(part, stored, cx);
        } else {
            let slot = self.entity(part).insert(stored);
            self.log_put(part, slot);
            cx.timer(wait, token::of(token::SCHEDULED, part, 0), true);
        }
        Some(sequence)
    }

    fn recognised(&mut self, part: u16, incoming: &Incoming, window: Span, cx: &mut Context<'_>) -> bool {
        let now = cx.wall();
        let known = self.entity(part).history.knows(incoming.identity, now, window);
        if known {
            if cx.strike(Hook::DedupMiss, part, incoming.item, 0).is_none() {
                return true;
            }
            cx.observe(incoming.item, What::Symptom(Symptom::Redelivery));
        }
        self.entity(part).history.remember(incoming.identity, now);
        self.log(Change::Seen { part, at: now, identity: incoming.identity });
        false
    }

    /// Counts bytes to or from the quota.
    pub(super) fn count(&mut self, part: u16, bytes: u64, more: bool) {
        let quota = self.layout.entities[usize::from(part)].quota;
        let used = &mut self.entity(quota).used;
        *used = if more { *used + bytes } else { used.saturating_sub(bytes) };
    }

    /// Takes a message out of an entity and off its quota.
    pub(super) fn remove(&mut self, part: u16, slot: u32) -> Option<Stored> {
        let stored = self.entity(part).take(slot)?;
        self.count(part, u64::from(stored.bytes), false);
        self.log(Change::Gone { part, sequence: stored.sequence });
        Some(stored)
    }

    /// A message that is counted and visible finds its way: on, out to subscriptions, aside, or in line.
    fn enter(&mut self, part: u16, stored: Stored, cx: &mut Context<'_>) {
        let settings = &self.layout.entities[usize::from(part)];
        let (role, forward, sessions) = (settings.role, settings.forward, settings.sessions);
        if role == Role::Topic {
            self.count(part, u64::from(stored.bytes), false);
            return self.fan_out(part, stored, cx);
        }
        if let Some(to) = forward
            && self.forward(part, to, &stored, cx)
        {
            return;
        }
        let slot = self.entity(part).insert(stored);
        self.log_put(part, slot);
        if sessions && stored.session == 0 {
            self.dead_letter(part, slot, DeadLetterReason::SessionIdIsNull, cx);
            return;
        }
        self.line_up(part, slot, cx);
        self.plan_expiry(part, cx);
    }

    /// Puts a ready message in line and delivers what can be delivered.
    pub(super) fn line_up(&mut self, part: u16, slot: u32, cx: &mut Context<'_>) {
        let sessions = self.layout.entities[usize::from(part)].sessions;
        match self.entity(part).line_up(slot, sessions) {
            Some(session) => self.session_filled(part, session, cx),
            None => self.pump(part, cx),
        }
    }

    fn fan_out(&mut self, topic: u16, stored: Stored, cx: &mut Context<'_>) {
        let place = self.layout.entities[usize::from(topic)].place;
        let mut copies = 0;
        for index in 0..self.layout.entities[usize::from(topic)].subscriptions.len() {
            let part = self.layout.entities[usize::from(topic)].subscriptions[index];
            if self.takes(part, stored.item, cx) {
                copies += 1;
                let incoming = again(&stored, Origin::Born(Birth::FannedOut), cx.wall());
                self.arrive(part, incoming, cx);
            }
        }
        let cause = if copies > 0 { End::FannedOut } else { End::Discarded(Discard::Unsubscribed) };
        cx.observe(stored.item, What::Ended { place, cause });
    }

    /// Whether a subscription gets a copy (facts 1.8).
    fn takes(&mut self, part: u16, item: Item, cx: &mut Context<'_>) -> bool {
        let types = &self.layout.entities[usize::from(part)].types;
        let matches = types.as_ref().is_none_or(|types| types.contains(&item.kind));
        let deleted = cx.impaired(Hook::EntityDeleted, part);
        if let Some(strike) = deleted {
            cx.touched(item, strike);
        }
        let gone = deleted.is_some() || cx.strike(Hook::SubscriptionMissing, part, item, 0).is_some();
        let astray = !gone && cx.strike(Hook::FilterMisroute, part, item, 0).is_some();
        if astray || gone && matches {
            cx.observe(item, What::Symptom(Symptom::Misrouted));
        }
        !gone && matches != astray
    }

    /// Forwards a message that has just entered `part` (facts 1.4). True if it is out of this entity:
    /// at its destination, or dead-lettered.
    fn forward(&mut self, part: u16, to: u16, stored: &Stored, cx: &mut Context<'_>) -> bool {
        let settings = &self.layout.entities[usize::from(part)];
        let (place, dead_letter) = (settings.place, settings.dead_letter);
        let failed = if stored.hops >= self.layout.max_hops {
            Some(DeadLetterReason::MaxTransferHopCountExceeded)
        } else if cx.strike(Hook::ForwardBroken, part, stored.item, 0).is_some()
            || !self.accepts(to, stored, cx)
        {
            Some(DeadLetterReason::ForwardingFailed)
        } else {
            None
        };
        let (to, origin) = match (failed, dead_letter) {
            (None, _) => (to, Origin::Moved(place, None)),
            (Some(reason), Some(dead)) => (dead, Origin::Moved(place, Some(reason))),
            // A dead-letter queue that cannot forward keeps its message.
            (Some(_), None) => return false,
        };
        self.count(part, u64::from(stored.bytes), false);
        let incoming = again(stored, origin, cx.wall());
        let hops = if failed.is_none() { stored.hops + 1 } else { stored.hops };
        self.arrive(to, Incoming { hops, ..incoming }, cx);
        true
    }

    /// Whether an entity takes a forwarded message.
    fn accepts(&mut self, part: u16, stored: &Stored, cx: &mut Context<'_>) -> bool {
        let item = stored.item;
        let occurrence = u64::from(stored.deliveries);
        if cx.strike(Hook::EntityFull, part, item, occurrence).is_some()
            || self.deleted(part, item, cx)
            || self.send_disabled(part, item, occurrence, cx)
        {
            return false;
        }
        let settings = &self.layout.entities[usize::from(part)];
        let (quota, most) = (settings.quota, settings.max_size);
        self.entity(quota).used + u64::from(stored.bytes) <= most
    }

    /// Moves a message to the dead-letter queue. False if that takes none now: the message is where it was.
    pub(super) fn dead_letter(
        &mut self,
        part: u16,
        slot: u32,
        reason: DeadLetterReason,
        cx: &mut Context<'_>,
    ) -> bool {
        let settings = &self.layout.entities[usize::from(part)];
        let (place, Some(dead)) = (settings.place, settings.dead_letter) else { return false };
        if self.dead_letters_full(part, slot, cx) {
            return false;
        }
        let Some(stored) = self.remove(part, slot) else { return false };
        let incoming = again(&stored, Origin::Moved(place, Some(reason)), cx.wall());
        self.arrive(dead, incoming, cx);
        true
    }

    /// Whether a fault keeps the dead-letter queue from taking messages.
    pub(super) fn dead_letters_full(&mut self, part: u16, slot: u32, cx: &mut Context<'_>) -> bool {
        let slot = self.entity(part).messages.get(slot);
        let Some((item, occurrence)) = slot.map(|stored| (stored.item, u64::from(stored.deliveries))) else {
            return false;
        };
        cx.strike(Hook::DeadLetterFull, part, item, occurrence).is_some()
    }

    /// Scheduled messages whose time has come enter as if enqueued now (facts 1.6).
    pub(super) fn scheduled_due(&mut self, part: u16, cx: &mut Context<'_>) {
        let wall = cx.wall();
        let mut released = false;
        while let Some(((due, _), slot)) =
            self.entity(part).scheduled.first_key_value().map(|(k, v)| (*k, *v))
            && due <= wall
        {
            released = true;
            if !self.scheduled_late(part, slot, cx) {
                self.release_scheduled(part, slot, cx);
            }
        }
        let next = self.entity(part).scheduled.first_key_value().map(|((due, _), _)| *due);
        if let Some(due) = next.filter(|_| !released) {
            cx.timer(due.since(wall), token::of(token::SCHEDULED, part, 0), true);
        }
    }

    fn scheduled_late(&mut self, part: u16, slot: u32, cx: &mut Context<'_>) -> bool {
        let Some(stored) = self.entity(part).messages.get(slot).copied().filter(|m| !m.spared) else {
            return false;
        };
        let Some(strike) = cx.strike(Hook::ScheduleLate, part, stored.item, 0) else { return false };
        let Some(span) = delay_of(strike.value, stored.item, cx) else { return false };
        cx.observe(stored.item, What::Symptom(Symptom::Delayed));
        if let Some(taken) = self.entity(part).take(slot) {
            let state = State::Scheduled(cx.wall() + span);
            let slot = self.entity(part).insert(Stored { state, spared: true, ..taken });
            self.log_put(part, slot);
        }
        cx.timer(span, token::of(token::SCHEDULED, part, 0), true);
        true
    }

    fn release_scheduled(&mut self, part: u16, slot: u32, cx: &mut Context<'_>) {
        let Some(mut stored) = self.entity(part).take(slot) else { return };
        self.log(Change::Gone { part, sequence: stored.sequence });
        (stored.state, stored.position) = (State::Ready, 0);
        if !stored.delayed {
            stored.sequence = self.entity(part).next_sequence();
        }
        self.enter(part, stored, cx);
    }

    /// Ends a message whose time to live has passed.
    pub(super) fn expire(&mut self, part: u16, slot: u32, cx: &mut Context<'_>) {
        let settings = &self.layout.entities[usize::from(part)];
        let (place, keep) = (settings.place, settings.dead_letter_on_expiration);
        if keep && self.dead_letter(part, slot, DeadLetterReason::TtlExpired, cx) {
            return;
        }
        if let Some(stored) = self.remove(part, slot) {
            let full = End::Discarded(Discard::DeadLetterUnavailable);
            let cause = if keep { full } else { End::Expired };
            cx.observe(stored.item, What::Ended { place, cause });
        }
    }

    /// Whether the entity does not exist now. Its messages went with it.
    pub(super) fn deleted(&mut self, part: u16, item: Item, cx: &mut Context<'_>) -> bool {
        let Some(strike) = cx.impaired(Hook::EntityDeleted, part) else { return false };
        cx.touched(item, strike);
        let settings = &self.layout.entities[usize::from(part)];
        let mut gone = settings.subscriptions.clone();
        gone.push(part);
        for part in gone {
            let dead = self.layout.entities[usize::from(part)].dead_letter;
            for part in std::iter::once(part).chain(dead) {
                self.empty(part, cx);
            }
        }
        true
    }

    fn empty(&mut self, part: u16, cx: &mut Context<'_>) {
        let place = self.layout.entities[usize::from(part)].place;
        let slots: Vec<u32> = self.entity(part).messages.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.free_lock(part, slot, cx);
            if let Some(stored) = self.remove(part, slot) {
                let cause = End::Discarded(Discard::Fault);
                cx.observe(stored.item, What::Ended { place, cause });
            }
        }
    }
}

/// A stored message on its way to another entity.
fn again(stored: &Stored, origin: Origin, now: Time) -> Incoming {
    let left = if stored.expires == Time::NEVER { Span::FOREVER } else { stored.expires.since(now) };
    Incoming {
        item: stored.item,
        identity: stored.identity,
        recognise: stored.recognise,
        session: stored.session,
        ttl: left,
        delay: Span::ZERO,
        bytes: stored.bytes,
        hops: stored.hops,
        deliveries: stored.deliveries,
        origin,
    }
}

/// The delay that a fault brings about for this item.
fn delay_of(value: Value, item: Item, cx: &Context<'_>) -> Option<Span> {
    match value {
        Value::Span(span) => Some(span),
        Value::Latency(latency) => {
            Some(latency.sampler().at(cx.draw(Purpose::Latency, [item.identity(), u64::from(item.kind.0)])))
        }
        _ => None,
    }
}
