//! Sending: what is checked when a send arrives, and what happens when its sync completes. Syncs are
//! batched: what arrives while one is under way goes with the next.

use crate::faults::Hook;
use crate::faults::local::Value;
use crate::ids::{ConnectionId, Execution, Item, Once};
use crate::message::broker::{Command, Error, Event};
use crate::message::{Body, Message};
use crate::node::{Context, DiskError};
use crate::observe::{Birth, Handling};
use crate::random::mix;
use crate::services::commits::Op;
use crate::services::replicas::{Leads, Paired};
use crate::services::service_bus::incoming::{Incoming, Origin};
use crate::services::service_bus::layout::Role;
use crate::services::service_bus::namespace::Namespace;
use crate::services::throttle::Limit;
use crate::time::Span;

/// How a message is addressed, for itself or within a transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Envelope {
    pub(super) part: u16,
    pub(super) once: Once,
    pub(super) session: Once,
    pub(super) execution: Execution,
    pub(super) ttl: Span,
    pub(super) delay: Span,
}

impl Namespace {
    /// Lets an operation wait for a sync.
    pub(super) fn stage(&mut self, connection: ConnectionId, message: Message, cx: &mut Context<'_>) {
        self.live.commits.stage(connection, message, cx);
    }

    /// A sync is over: what it held takes effect and is acknowledged, or is refused.
    pub(super) fn synced(&mut self, result: Result<(), DiskError>, cx: &mut Context<'_>) {
        let mut ops = self.live.commits.finished();
        for Op { connection, message } in ops.drain(..) {
            match result {
                Ok(()) => self.commit(connection, &message, cx),
                Err(DiskError::Failed) => self.not_written(connection, &message, cx),
            }
        }
        self.live.commits.next(ops, cx);
    }

    fn commit(&mut self, connection: ConnectionId, message: &Message, cx: &mut Context<'_>) {
        match &message.body {
            Body::Broker(Command::Send { .. }) => self.commit_send(connection, message, cx),
            Body::Broker(Command::Settle { .. }) => self.commit_settle(connection, message, cx),
            Body::Broker(Command::Transact { .. }) => self.commit_transaction(connection, message, cx),
            Body::Broker(Command::CancelScheduled { part, sequence }) => {
                self.commit_cancel(connection, message, *part, *sequence, cx);
            }
            _ => {}
        }
    }

    fn not_written(&mut self, connection: ConnectionId, message: &Message, cx: &mut Context<'_>) {
        self.release_settling(connection, message, cx);
        self.refuse(connection, message, Error::GeneralError, cx);
    }

    /// A send arrives.
    pub(super) fn send(&mut self, connection: ConnectionId, message: Message, cx: &mut Context<'_>) {
        let Some(envelope) = envelope(&message) else { return };
        match self.check_send(connection, &message, envelope, false, cx) {
            Ok(()) => self.stage(connection, message, cx),
            Err(error) => self.refuse(connection, &message, error, cx),
        }
    }

    /// Whether a message may be sent to an entity now. `via`: another entity hands it over, so that a
    /// disabled destination refuses it only then (facts 1.4).
    pub(super) fn check_send(
        &mut self,
        connection: ConnectionId,
        message: &Message,
        to: Envelope,
        via: bool,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        let items = message.cargo.items();
        let first = items.first().copied().unwrap_or_default();
        let occurrence = u64::from(message.attempt);
        self.admit(connection, to.part, (first, occurrence), cx)?;
        let settings = &self.layout.entities[usize::from(to.part)];
        if !matches!(settings.role, Role::Queue | Role::Topic) {
            return Err(Error::InvalidOperation);
        }
        if settings.sessions && to.session.is_none() {
            return Err(Error::SessionIdRequired);
        }
        let (quota, max_size, max_message) = (settings.quota, settings.max_size, settings.max_message);
        if !via && self.send_disabled(to.part, first, occurrence, cx) {
            return Err(Error::MessagingEntityDisabled);
        }
        let mut total = 0;
        for item in items {
            let bytes = u64::from(self.bytes_of(*item));
            let struck = cx.strike(Hook::MessageTooLarge, to.part, *item, 0).is_some();
            if struck || bytes > max_message {
                return Err(Error::MessageSizeExceeded);
            }
            total += bytes;
        }
        if cx.strike(Hook::EntityFull, to.part, first, occurrence).is_some() {
            return Err(Error::QuotaExceeded);
        }
        if self.entity(quota).used + total > max_size {
            return Err(Error::QuotaExceeded);
        }
        if self.lags() {
            return Err(Error::ServiceBusy);
        }
        let cost = items.len() as u64 * (1 + self.filters(to.part));
        self.take_credits(to.part, cost, total, first, cx)
    }

    /// Whether the entity takes no messages now.
    pub(super) fn send_disabled(
        &mut self,
        part: u16,
        item: Item,
        occurrence: u64,
        cx: &mut Context<'_>,
    ) -> bool {
        cx.strike(Hook::EntityDisabledForSend, part, item, occurrence).is_some() || !self.entity(part).enabled
    }

    /// How many filters are evaluated for a message to this entity (facts 1.2).
    fn filters(&self, part: u16) -> u64 {
        self.layout.entities[usize::from(part)].subscriptions.len() as u64
    }

    pub(super) fn bytes_of(&self, item: Item) -> u32 {
        self.layout.bytes.get(self.layout.streams.index(item.stream)).copied().unwrap_or(0)
    }

    /// Takes credits for a request; the request is not looked at if there are none left (facts 1.2).
    pub(super) fn take_credits(
        &mut self,
        part: u16,
        cost: u64,
        bytes: u64,
        item: Item,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        if let Some(strike) = cx.impaired(Hook::BrokerThrottle, part)
            && let Value::Rate(rate) = strike.value
            && !self.live.fault.take(cost, Limit::of(rate), cx.now())
        {
            cx.touched(item, strike);
            return Err(Error::ServiceBusy);
        }
        if let Some(limit) = self.layout.credits
            && !self.live.credits.take(cost, limit, cx.now())
        {
            return Err(Error::ServiceBusy);
        }
        if let Some(limit) = self.layout.ingress
            && bytes > 0
            && !self.live.ingress.take(bytes, limit, cx.now())
        {
            return Err(Error::ServiceBusy);
        }
        Ok(())
    }

    fn commit_send(&mut self, connection: ConnectionId, message: &Message, cx: &mut Context<'_>) {
        let Some(envelope) = envelope(message) else { return };
        let (mut how, mut sequence) = (Handling::Suppressed, 0);
        for item in message.cargo.items() {
            if let Some(given) = self.arrive(envelope.part, self.incoming(*item, envelope), cx) {
                (how, sequence) = (Handling::Stored, given);
            }
        }
        cx.handled(connection, message, how);
        let first = message.cargo.first().unwrap_or_default();
        let lost = cx.strike(Hook::SendAnswerLost, envelope.part, first, u64::from(message.attempt));
        if lost.is_none() {
            self.acknowledge(connection, message.answer(Body::BrokerEvent(Event::Accepted { sequence })), cx);
        }
    }

    /// A message as its sender addressed it.
    pub(super) fn incoming(&self, item: Item, envelope: Envelope) -> Incoming {
        let identity = envelope.once.identity(item, envelope.execution);
        // Without an id of the sender's own there is nothing to recognise; the id is new in each run.
        let fresh = || mix(mix(item.identity(), u64::from(item.kind.0)), envelope.execution.run);
        Incoming {
            item,
            identity: identity.unwrap_or_else(fresh),
            recognise: identity.is_some(),
            session: envelope.session.identity(item, envelope.execution).map_or(0, |id| id.max(1)),
            ttl: envelope.ttl,
            delay: envelope.delay,
            bytes: self.bytes_of(item),
            hops: 0,
            deliveries: 0,
            origin: Origin::Born(Birth::Stored),
        }
    }
}

/// How the message of a plain send is addressed.
fn envelope(message: &Message) -> Option<Envelope> {
    match message.body {
        Body::Broker(Command::Send { part, once, session, execution, ttl, delay }) => {
            Some(Envelope { part, once, session, execution, ttl, delay })
        }
        _ => None,
    }
}
