//! Transactions (facts 1.7): settle and send within one namespace, all or nothing. What is sent to
//! another entity than the one that is settled is handed over by that one ("send via").

use crate::faults::Hook;
use crate::ids::{ConnectionId, Execution};
use crate::message::broker::{Command, Error, Event, TransactionStep};
use crate::message::{Body, Cargo, Message};
use crate::node::Context;
use crate::observe::Handling;
use crate::services::replicas::Leads;
use crate::services::service_bus::commit::Envelope;
use crate::services::service_bus::config::Tier;
use crate::services::service_bus::namespace::Namespace;
use crate::services::service_bus::settle::Held;
use crate::time::Span;

/// How many messages a transaction may send (facts 1.1).
const MESSAGES: usize = 100;

impl Namespace {
    /// A transaction arrives: all of it is possible, or none of it happens.
    pub(super) fn transact(&mut self, from: ConnectionId, message: Message, cx: &mut Context<'_>) {
        match self.check_transaction(from, &message, cx) {
            Ok(held) => {
                for held in held {
                    self.hold(held, cx);
                }
                self.stage(from, message, cx);
            }
            Err(error) => self.refuse(from, &message, error, cx),
        }
    }

    fn check_transaction(
        &mut self,
        from: ConnectionId,
        message: &Message,
        cx: &mut Context<'_>,
    ) -> Result<Vec<Held>, Error> {
        let Body::Broker(Command::Transact { operations, execution }) = &message.body else {
            return Err(Error::InvalidOperation);
        };
        if self.layout.tier == Tier::Basic {
            return Err(Error::InvalidOperation);
        }
        let sends = operations.iter().filter(|step| matches!(step, TransactionStep::Send { .. })).count();
        if sends * message.cargo.items().len() > MESSAGES {
            return Err(Error::QuotaExceeded);
        }
        let mut held: Vec<Held> = Vec::new();
        let mut part = None;
        for step in operations.iter() {
            match *step {
                TransactionStep::Settle { link, lock, how } => {
                    let one = self.check_settle(from, link, lock, how, cx)?;
                    if held.iter().any(|other| (other.part, other.slot) == (one.part, one.slot)) {
                        return Err(Error::InvalidOperation);
                    }
                    part = part.or(Some(one.part));
                    held.push(one);
                }
                TransactionStep::Send { part: to, once, session, kind } => {
                    let typed = typed(message, kind);
                    let envelope = envelope(to, once, session, *execution);
                    let via = part.is_some_and(|via| via != to && self.via(via).is_some());
                    self.check_send(from, &typed, envelope, via, cx)?;
                    part = part.or(Some(to));
                }
            }
        }
        let item = message.cargo.first().unwrap_or_default();
        let struck =
            part.and_then(|part| cx.strike(Hook::TransactionAborts, part, item, u64::from(message.attempt)));
        if struck.is_some() { Err(Error::TransactionAborted) } else { Ok(held) }
    }

    /// Where messages go whose destination turns out to be disabled: the transfer dead-letter queue of
    /// the first entity of the transaction, here one place with its dead-letter queue (facts 1.4).
    fn via(&self, part: u16) -> Option<u16> {
        self.layout.entities[usize::from(part)].dead_letter
    }

    /// A transaction is durable.
    pub(super) fn commit_transaction(&mut self, from: ConnectionId, message: &Message, cx: &mut Context<'_>) {
        let Body::Broker(Command::Transact { operations, execution }) = &message.body else { return };
        cx.handled(from, message, Handling::Stored);
        let mut sequence = 0;
        let mut via = None;
        for step in operations.iter() {
            match *step {
                TransactionStep::Settle { lock, how, .. } => {
                    if let Some((part, slot, _)) = self.settling(lock) {
                        via = via.or(self.via(part).filter(|_| sequence == 0));
                        self.apply_settlement(part, slot, how, cx);
                    }
                }
                TransactionStep::Send { part, once, session, kind } => {
                    for item in typed(message, kind).cargo.items() {
                        let refused =
                            via.is_some() && self.send_disabled(part, *item, u64::from(message.attempt), cx);
                        let part = via.filter(|_| refused).unwrap_or(part);
                        let incoming = self.incoming(*item, envelope(part, once, session, *execution));
                        sequence = self.arrive(part, incoming, cx).unwrap_or(sequence);
                    }
                }
            }
        }
        let item = message.cargo.first().unwrap_or_default();
        let part = operations.iter().find_map(|step| match step {
            TransactionStep::Send { part, .. } => Some(*part),
            TransactionStep::Settle { .. } => None,
        });
        let lost =
            part.and_then(|part| cx.strike(Hook::SendAnswerLost, part, item, u64::from(message.attempt)));
        if lost.is_none() {
            self.acknowledge(from, message.answer(Body::BrokerEvent(Event::Accepted { sequence })), cx);
        }
    }
}

fn envelope(part: u16, once: crate::ids::Once, session: crate::ids::Once, execution: Execution) -> Envelope {
    Envelope { part, once, session, execution, ttl: Span::FOREVER, delay: Span::ZERO }
}

/// The command with its items under the type of one of its sends.
fn typed(message: &Message, kind: crate::ids::TypeId) -> Message {
    let items = message.cargo.items().iter().map(|item| item.typed(kind)).collect();
    Message { cargo: Cargo::of(items), ..message.answer(message.body.clone()) }
}
