//! What becomes of an event that is not delivered: a dead letter, or nothing.

use std::sync::Arc;

use crate::faults::Hook;
use crate::ids::{Execution, Once, TypeId};
use crate::message::{Body, Cargo, Message, store};
use crate::node::Context;
use crate::observe::{Discard, End, Outcome, Symptom, What};
use crate::services::event_grid::schedule::{DEAD_LETTER_DELAY, DEAD_LETTER_PATIENCE};
use crate::services::event_grid::subscription::Doing;
use crate::services::event_grid::topic::Topic;
use crate::time::Span;

/// An event that is being written as a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DeadLetter {
    index: u16,
    slot: u32,
    number: u16,
}

impl Topic {
    /// There will be no further attempt. Without a container that is the end; else it is written there
    /// after the documented delay.
    pub(super) fn undeliverable(&mut self, cx: &mut Context<'_>, index: usize, slot: u32, cause: End) {
        let subscription = &mut self.subscriptions[index];
        if subscription.setup.dead_letter.is_none() {
            return self.end(cx, index, slot, cause);
        }
        if let Some(event) = subscription.kept.events.get_mut(slot) {
            event.dead_since = Some(cx.now() + DEAD_LETTER_DELAY);
        }
        self.wait(cx, index, slot, DEAD_LETTER_DELAY);
    }

    /// Writes an event into the container.
    pub(super) fn park(&mut self, cx: &mut Context<'_>, index: usize, slot: u32) {
        let subscription = &mut self.subscriptions[index];
        let setup = subscription.setup.clone();
        let (Some(to), Some(event)) = (setup.dead_letter, subscription.kept.events.get(slot)) else { return };
        let (item, id, number) = (event.item, event.id, event.number);
        if cx.strike(Hook::DeadLetterMissing, setup.part, item, 0).is_some() {
            cx.observe(item, What::Symptom(Symptom::Error));
            return self.unavailable(cx, index, slot);
        }
        subscription.activity(slot).doing = Doing::Parking;
        let append = store::Operation {
            verb: store::WriteVerb::Append,
            part: to.part,
            once: Once::NONE,
            by: 0,
            ttl: Span::FOREVER,
            kind: TypeId::default(),
        };
        let execution = Execution { run: id, message: id };
        let command = store::Command::Write { operations: Arc::new(vec![append]), execution };
        let message = Message::new(Body::Store(command)).carrying(Cargo::One(item));
        self.writer.call(cx, to, message, DeadLetter { index: index as u16, slot, number });
    }

    /// The container took it, or did not (the library's own retries included).
    pub(super) fn dead_letter_over(&mut self, cx: &mut Context<'_>, letter: DeadLetter, outcome: Outcome) {
        let index = usize::from(letter.index);
        let Some(subscription) = self.subscriptions.get(index) else { return };
        if subscription.event(letter.slot, letter.number).is_none() {
            return;
        }
        match outcome {
            Outcome::Ok => self.end(cx, index, letter.slot, End::Completed),
            // An unknown write is written again: a second blob is better than none.
            Outcome::Refused | Outcome::Failed | Outcome::Unknown => self.unavailable(cx, index, letter.slot),
        }
    }

    fn unavailable(&mut self, cx: &mut Context<'_>, index: usize, slot: u32) {
        let event = self.subscriptions[index].kept.events.get(slot);
        let since = event.and_then(|event| event.dead_since).unwrap_or(cx.now());
        if cx.now().since(since) >= DEAD_LETTER_PATIENCE {
            return self.end(cx, index, slot, End::Discarded(Discard::DeadLetterUnavailable));
        }
        self.wait(cx, index, slot, DEAD_LETTER_DELAY);
    }
}
