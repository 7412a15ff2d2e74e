//! Receiver links: opened, given credit, closed, lost; and the sessions that they own.

use crate::faults::Hook;
use crate::faults::local::Value;
use crate::ids::{CallId, ConnectionId, Item};
use crate::message::broker::{Error, Event, ReceiveMode, Source};
use crate::message::{Body, Message};
use crate::node::Context;
use crate::observe::{Handling, Symptom, What};
use crate::services::service_bus::entity::Owner;
use crate::services::service_bus::layout::Role;
use crate::services::service_bus::namespace::{Link, Namespace, token};

impl Namespace {
    /// Opens a receiver link, or takes what it asks for.
    pub(super) fn attach(
        &mut self,
        from: ConnectionId,
        message: &Message,
        (part, number): (u16, u32),
        (source, mode, credit): (Source, ReceiveMode, u32),
        cx: &mut Context<'_>,
    ) {
        if let Some(old) = self.live.index.get(&(from, number)).copied() {
            self.drop_link(old, None, cx);
        }
        if let Err(error) = self.check_attach(from, part, source, mode, cx) {
            return self.refuse(from, message, error, cx);
        }
        self.live.serial += 1;
        let link = Link {
            connection: from,
            number,
            serial: self.live.serial,
            part,
            mode,
            source,
            credit,
            in_ring: false,
            session: None,
            active: cx.now(),
            opened_by: (message.call, message.tag, message.attempt),
            wait: None,
        };
        let slot = self.live.links.insert(link);
        self.live.index.insert((from, number), slot);
        self.outlet(part).links += 1;
        self.purge(part, cx);
        match source {
            Source::Any => {
                self.attached(slot, cx);
                self.enter_ring(slot);
                self.pump(part, cx);
            }
            Source::NextSession => self.next_session(part, slot, cx),
            Source::Session(id) => {
                let session = self.entity(part).sessions.slot(id);
                self.accept(part, session, slot, cx);
            }
        }
        self.plan_expiry(part, cx);
    }

    fn check_attach(
        &mut self,
        from: ConnectionId,
        part: u16,
        source: Source,
        mode: ReceiveMode,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        self.admit(from, part, (Item::NONE, 0), cx)?;
        let settings = &self.layout.entities[usize::from(part)];
        let sessions = settings.sessions;
        let wants_session = source != Source::Any;
        if settings.role == Role::Topic || sessions != wants_session {
            return Err(Error::InvalidOperation);
        }
        // A session is locked as a whole; the model knows it under peek-lock only.
        if sessions && mode == ReceiveMode::ReceiveAndDelete {
            return Err(Error::InvalidOperation);
        }
        if self.receive_disabled(part, Item::NONE, cx) {
            return Err(Error::MessagingEntityDisabled);
        }
        let quota = settings_quota(self, part);
        if let Some(strike) = cx.impaired(Hook::ReceiveQuota, part) {
            let most = if let Value::Number(n) = strike.value { n } else { 0 };
            if self.receivers(quota) >= most {
                cx.touched(Item::NONE, strike);
                return Err(Error::ServiceBusy);
            }
        }
        if self.receivers(quota) >= u64::from(self.layout.max_receivers) {
            return Err(Error::ServiceBusy);
        }
        if let Source::Session(id) = source
            && let Some(session) = self.entity(part).sessions.find(id)
            && self.entity(part).sessions.table.get(session).is_some_and(|s| s.owner != Owner::Nobody)
        {
            return Err(Error::SessionCannotBeLocked);
        }
        Ok(())
    }

    /// How many links receive from the parts that share a quota (facts 1.1).
    pub(super) fn receivers(&self, quota: u16) -> u64 {
        let parts = self.layout.entities.iter().zip(&self.live.outlets);
        parts.filter(|(e, _)| e.quota == quota).map(|(_, outlet)| u64::from(outlet.links)).sum()
    }

    /// Whether the entity gives out no messages now.
    pub(super) fn receive_disabled(&mut self, part: u16, item: Item, cx: &mut Context<'_>) -> bool {
        if let Some(strike) = cx.impaired(Hook::EntityDisabledForReceive, part) {
            cx.touched(item, strike);
            return true;
        }
        !self.entity(part).enabled
    }

    fn attached(&mut self, slot: u32, cx: &mut Context<'_>) {
        let Some(link) = self.live.links.get_mut(slot) else { return };
        if let Some(timer) = link.wait.take() {
            cx.cancel(timer);
        }
        let link = link.clone();
        let session = link.session.and_then(|session| self.entity(link.part).sessions.table.get(session));
        let (session, locked_until) = session.map_or((0, cx.wall()), |s| (s.id, s.until));
        let event = Event::Attached { link: link.number, session, locked_until };
        self.answer_attach(&link, event, cx);
    }

    fn answer_attach(&self, link: &Link, event: Event, cx: &mut Context<'_>) {
        let (call, tag, attempt) = link.opened_by;
        let refused = matches!(event, Event::Refused(_));
        let message = Message { call, tag, attempt, ..Message::new(Body::BrokerEvent(event)) };
        if call != CallId(0) {
            let how = if refused { Handling::Rejected } else { Handling::Stored };
            cx.observe_on(link.connection, Item::default(), What::Handled { call, how });
        }
        cx.answer(link.connection, message);
    }

    pub(super) fn enter_ring(&mut self, slot: u32) {
        let Some(link) = self.live.links.get_mut(slot) else { return };
        if link.credit > 0 && !link.in_ring && link.source == Source::Any {
            link.in_ring = true;
            let (part, serial) = (link.part, link.serial);
            self.outlet(part).ring.push_back((slot, serial));
        }
    }

    fn next_session(&mut self, part: u16, slot: u32, cx: &mut Context<'_>) {
        while let Some(session) = self.entity(part).sessions.available.pop_front() {
            if let Some(s) = self.entity(part).sessions.table.get_mut(session) {
                s.queued = false;
                let free = s.owner == Owner::Nobody;
                if free && self.entity(part).head(Some(session)).is_some() {
                    return self.accept(part, session, slot, cx);
                }
            }
            self.entity(part).tidy(session);
        }
        let wait = self.layout.session_wait;
        let Some(link) = self.live.links.get_mut(slot) else { return };
        link.wait = Some(cx.timeout(wait, token::of(token::SESSION_WAIT, part, slot), false));
        let serial = link.serial;
        self.outlet(part).waiters.push_back((slot, serial));
    }

    /// A link that asked for the next session got none (facts 1.5).
    pub(super) fn session_wait_over(&mut self, slot: u32, cx: &mut Context<'_>) {
        let Some(link) = self.live.links.get(slot).cloned() else { return };
        self.remove_link(slot, cx);
        self.answer_attach(&link, Event::Refused(Error::ServiceTimeout), cx);
    }

    /// A link takes the lock of a session.
    fn accept(&mut self, part: u16, session: u32, slot: u32, cx: &mut Context<'_>) {
        let lock = self.layout.entities[usize::from(part)].lock;
        let timer = cx.timeout(lock, token::of(token::SESSION, part, session), true);
        let until = cx.wall() + lock;
        if let Some(s) = self.entity(part).sessions.table.get_mut(session) {
            (s.owner, s.until, s.timer) = (Owner::Link(slot), until, Some(timer));
        }
        if let Some(link) = self.live.links.get_mut(slot) {
            link.session = Some(session);
        }
        self.attached(slot, cx);
        self.pump_session(part, session, cx);
    }

    /// A session got a message: its owner gets it, or the next that waits for a session gets both.
    pub(super) fn session_filled(&mut self, part: u16, session: u32, cx: &mut Context<'_>) {
        let Some(owner) = self.entity(part).sessions.table.get(session).map(|s| s.owner) else { return };
        match owner {
            Owner::Link(_) => self.pump_session(part, session, cx),
            Owner::Gone => {}
            Owner::Nobody => self.offer_session(part, session, cx),
        }
    }

    fn offer_session(&mut self, part: u16, session: u32, cx: &mut Context<'_>) {
        if self.entity(part).head(Some(session)).is_none() {
            return self.entity(part).tidy(session);
        }
        while !self.receive_disabled(part, Item::NONE, cx)
            && let Some((slot, serial)) = self.outlet(part).waiters.pop_front()
        {
            if self.link(slot, serial).is_some() {
                return self.accept(part, session, slot, cx);
            }
        }
        let sessions = &mut self.entity(part).sessions;
        if let Some(s) = sessions.table.get_mut(session)
            && !s.queued
        {
            s.queued = true;
            sessions.available.push_back(session);
        }
    }

    /// Ends the ownership of a session. What was delivered and not settled is available again;
    /// `counted`: as a failed delivery (the lock expired), or not (closed in good order; facts 1.5).
    pub(super) fn release_session(&mut self, part: u16, session: u32, counted: bool, cx: &mut Context<'_>) {
        let Some(s) = self.entity(part).sessions.table.get_mut(session) else { return };
        // Nobody gets the session before all its messages are in line again.
        s.owner = Owner::Gone;
        let held = std::mem::take(&mut s.held);
        if let Some(timer) = s.timer.take() {
            cx.cancel(timer);
        }
        for slot in held {
            let settling = self.entity(part).lock_of(slot).is_none_or(|lock| lock.settling);
            if !settling {
                self.unlock(part, slot, counted, cx);
            }
        }
        if let Some(s) = self.entity(part).sessions.table.get_mut(session) {
            s.owner = Owner::Nobody;
        }
        self.offer_session(part, session, cx);
    }

    /// A session's lock ran out, or a fault took it.
    pub(super) fn session_expired(&mut self, part: u16, session: u32, cx: &mut Context<'_>) {
        let Some(s) = self.entity(part).sessions.table.get_mut(session) else { return };
        let owner = std::mem::replace(&mut s.owner, Owner::Gone);
        // If a fault took the lock, its timer still runs, and would end that of the next owner.
        if let Some(timer) = s.timer.take() {
            cx.cancel(timer);
        }
        for slot in s.held.clone() {
            if let Some(stored) = self.entity(part).messages.get(slot) {
                cx.observe(stored.item, What::Symptom(Symptom::LockLost));
            }
        }
        if let Owner::Link(slot) = owner {
            if let Some(link) = self.live.links.get_mut(slot) {
                link.session = None;
            }
            self.drop_link(slot, Some(Error::SessionLockLost), cx);
        }
        self.release_session(part, session, true, cx);
    }

    /// More credit for a link.
    pub(super) fn credit(&mut self, from: ConnectionId, number: u32, more: u32, cx: &mut Context<'_>) {
        let Some(slot) = self.live.index.get(&(from, number)).copied() else { return };
        self.give_credit(slot, more, cx);
    }

    /// Nothing more is delivered on a link until it gets credit again.
    pub(super) fn drain(&mut self, from: ConnectionId, number: u32) {
        let Some(slot) = self.live.index.get(&(from, number)).copied() else { return };
        let Some(link) = self.live.links.get_mut(slot) else { return };
        link.credit = 0;
        if std::mem::take(&mut link.in_ring) {
            let (part, serial) = (link.part, link.serial);
            self.outlet(part).ring.retain(|waiting| *waiting != (slot, serial));
        }
    }

    pub(super) fn give_credit(&mut self, slot: u32, more: u32, cx: &mut Context<'_>) {
        if more == 0 {
            return;
        }
        let Some(link) = self.live.links.get_mut(slot) else { return };
        link.credit += more;
        link.active = cx.now();
        let (part, session) = (link.part, link.session);
        match session {
            Some(session) => self.pump_session(part, session, cx),
            None => {
                self.enter_ring(slot);
                self.pump(part, cx);
            }
        }
    }

    /// The client closes a link in good order: its session is given back at once, single locks run on.
    pub(super) fn detach(&mut self, from: ConnectionId, number: u32, cx: &mut Context<'_>) {
        let Some(slot) = self.live.index.get(&(from, number)).copied() else { return };
        let Some(link) = self.remove_link(slot, cx) else { return };
        if let Some(session) = link.session {
            self.release_session(link.part, session, false, cx);
        }
    }

    /// A link is lost: nothing that was locked on it can be settled any more; the locks run out.
    pub(super) fn drop_link(&mut self, slot: u32, why: Option<Error>, cx: &mut Context<'_>) {
        let Some(link) = self.remove_link(slot, cx) else { return };
        if let Some(session) = link.session
            && let Some(s) = self.entity(link.part).sessions.table.get_mut(session)
        {
            s.owner = Owner::Gone;
        }
        if let Some(why) = why {
            let event = Event::Detached { link: link.number, why };
            cx.answer(link.connection, Message::new(Body::BrokerEvent(event)));
        }
    }

    fn remove_link(&mut self, slot: u32, cx: &mut Context<'_>) -> Option<Link> {
        let link = self.live.links.take(slot)?;
        self.live.index.remove(&(link.connection, link.number));
        let serial = link.serial;
        let outlet = self.outlet(link.part);
        outlet.links -= 1;
        outlet.waiters.retain(|waiter| *waiter != (slot, serial));
        if link.in_ring {
            outlet.ring.retain(|waiting| *waiting != (slot, serial));
        }
        if let Some(timer) = link.wait {
            cx.cancel(timer);
        }
        Some(link)
    }

    /// A connection is gone, and its links with it.
    pub(super) fn closed(&mut self, connection: ConnectionId, cx: &mut Context<'_>) {
        self.live.connections.close(connection);
        let links = self.live.index.range((connection, 0)..=(connection, u32::MAX));
        let slots: Vec<u32> = links.map(|(_, slot)| *slot).collect();
        for slot in slots {
            self.drop_link(slot, None, cx);
        }
    }

    /// Detaches every link of an entity.
    pub(super) fn detach_all(&mut self, part: u16, why: Error, cx: &mut Context<'_>) {
        let links = self.live.links.iter().filter(|(_, link)| link.part == part);
        let mut slots: Vec<(u32, u32)> = links.map(|(slot, link)| (link.serial, slot)).collect();
        slots.sort_unstable();
        for (_, slot) in slots {
            self.drop_link(slot, Some(why), cx);
        }
    }
}

fn settings_quota(namespace: &Namespace, part: u16) -> u16 {
    namespace.layout.entities[usize::from(part)].quota
}
