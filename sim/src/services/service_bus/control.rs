//! What people and automation ask of a namespace, and peeking.

use crate::faults::Hook;
use crate::ids::{ConnectionId, Item};
use crate::message::broker::{Error, Event};
use crate::message::control::{Answer, Command};
use crate::message::replication::Change;
use crate::message::{Body, Cargo, Message};
use crate::node::Context;
use crate::services::front::{answer_control, turned_away};
use crate::services::replicas::{Leads, Paired, Rises};
use crate::services::service_bus::incoming::{Incoming, Origin};
use crate::services::service_bus::namespace::Namespace;
use crate::time::{Span, Time};

/// What a management operation costs (facts 1.2).
const MANAGEMENT: u64 = 10;

impl Namespace {
    /// A management operation.
    pub(super) fn control(
        &mut self,
        from: ConnectionId,
        message: &Message,
        command: Command,
        cx: &mut Context<'_>,
    ) {
        if turned_away(from, message, command, cx) {
            return;
        }
        if let Command::Promote { to, mode } = command {
            return self.promote(from, message, to, mode, cx);
        }
        let answer = self.manage(command, cx).unwrap_or(Answer::Refused);
        answer_control(from, message, answer, cx);
    }

    fn manage(&mut self, command: Command, cx: &mut Context<'_>) -> Option<Answer> {
        let part = match command {
            Command::Depth { part }
            | Command::Enable { part, .. }
            | Command::Verify { part }
            | Command::Resubmit { part, .. } => part,
            Command::Ready { .. }
            | Command::Drain
            | Command::Scale { .. }
            | Command::Raise { .. }
            | Command::Set { .. }
            | Command::Promote { .. }
            | Command::Replay { .. }
            | Command::Rotate { .. }
            | Command::Accept { .. }
            | Command::Copy { .. }
            | Command::Publish { .. } => return None,
        };
        let whole = usize::from(part) >= self.layout.entities.len();
        if whole {
            let up = cx.impaired(Hook::StoreDown, part).is_none() && self.serves();
            let in_sync = self.in_sync();
            return matches!(command, Command::Verify { .. }).then_some(Answer::State { up, in_sync });
        }
        if !self.serves() {
            let state = Answer::State { up: false, in_sync: self.in_sync() };
            return matches!(command, Command::Verify { .. }).then_some(state);
        }
        self.take_credits(part, MANAGEMENT, 0, Item::default(), cx).ok()?;
        match command {
            Command::Depth { .. } => {
                let waiting = self.entity(part).active;
                Some(Answer::Depth { part, waiting })
            }
            Command::Enable { on, .. } => {
                self.entity(part).enabled = on;
                self.log(Change::Enabled { part, on });
                if on {
                    self.pump_all(part, cx);
                } else {
                    self.detach_all(part, Error::MessagingEntityDisabled, cx);
                }
                Some(Answer::Done)
            }
            Command::Verify { .. } => {
                let faults = [Hook::EntityDisabledForSend, Hook::EntityDisabledForReceive, Hook::StoreDown];
                let up = faults.iter().all(|hook| cx.impaired(*hook, part).is_none());
                let up = up && self.entity(part).enabled;
                Some(Answer::State { up, in_sync: self.in_sync() })
            }
            Command::Resubmit { to, .. } => self.resubmit(part, to, cx),
            _ => None,
        }
    }

    /// Moves every dead letter that waits to another entity, as a new message.
    fn resubmit(&mut self, part: u16, to: u16, cx: &mut Context<'_>) -> Option<Answer> {
        let dead = self.layout.entities[usize::from(part)].dead_letter.unwrap_or(part);
        self.layout.entities.get(usize::from(to))?;
        let place = self.layout.entities[usize::from(dead)].place;
        while let Some(slot) = self.entity(dead).pop(None) {
            let stored = self.remove(dead, slot)?;
            let incoming = Incoming {
                item: stored.item,
                identity: stored.identity,
                recognise: false,
                session: stored.session,
                ttl: Span::FOREVER,
                delay: Span::ZERO,
                bytes: stored.bytes,
                hops: 0,
                deliveries: 0,
                origin: Origin::Moved(place, None),
            };
            self.arrive(to, incoming, cx);
        }
        Some(Answer::Done)
    }

    /// Shows messages without locking them.
    pub(super) fn peek(
        &mut self,
        from: ConnectionId,
        message: &Message,
        part: u16,
        max: u16,
        cx: &mut Context<'_>,
    ) {
        if let Err(error) = self.admit(from, part, (Item::NONE, 0), cx) {
            return self.refuse(from, message, error, cx);
        }
        // At most 250 in one call (facts 1.1).
        let max = usize::from(max.min(250));
        let wall = cx.wall();
        let mut found: Vec<(u64, Item)> = Vec::new();
        for (_, stored) in self.entity(part).messages.iter() {
            if stored.expires > wall || stored.expires == Time::NEVER {
                found.push((stored.sequence, stored.item));
            }
        }
        found.sort_unstable_by_key(|(sequence, _)| *sequence);
        found.truncate(max);
        let items: Vec<Item> = found.into_iter().map(|(_, item)| item).collect();
        if let Err(error) = self.take_credits(part, items.len() as u64, 0, Item::default(), cx) {
            return self.refuse(from, message, error, cx);
        }
        let answer = message.answer(Body::BrokerEvent(Event::Peeked)).carrying(Cargo::of(items));
        cx.answer(from, answer);
    }
}
