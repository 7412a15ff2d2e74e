//! What a subscription keeps about each of its events, and what it is doing about them right now.

use std::collections::VecDeque;

use crate::ids::{Address, CallId, Item, PlaceId, TypeId};
use crate::kernel::slab::Slab;
use crate::node::TimerId;
use crate::observe::Held;
use crate::time::{Span, Time};

/// What never changes about a subscription.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Setup {
    pub(super) hash: u64,
    pub(super) place: PlaceId,
    pub(super) part: u16,
    /// The consumer.
    pub(super) to: Address,
    pub(super) azure_resource: bool,
    pub(super) types: Option<Vec<TypeId>>,
    pub(super) dead_letter: Option<Address>,
    pub(super) ttl: Span,
    pub(super) max_attempts: u32,
    pub(super) outstanding: u32,
    pub(super) probation_after: u32,
    pub(super) longest_probation: Span,
}

/// A copy of an event, as it is kept on disk.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    pub(super) item: Item,
    /// The event's own identity, the same in every delivery.
    pub(super) id: u64,
    /// Tells it from earlier events in the same slot.
    pub(super) number: u16,
    /// When it was accepted, by the wall clock: the time to live counts from here.
    pub(super) accepted: Time,
    pub(super) attempts: u32,
    /// When the next attempt is due, or the next try to write it as a dead letter.
    pub(super) due: Time,
    /// Since when it is to be a dead letter.
    pub(super) dead_since: Option<Time>,
    /// A fault has let later ones overtake it already.
    pub(super) held_up: bool,
}

/// What survives a restart of the topic.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    pub(super) events: Slab<Event>,
    pub(super) number: u16,
    /// Whether the endpoint has been validated; until then nothing is pushed.
    pub(super) validated: bool,
    /// A validation failed for good: the subscription gets no copies until one succeeds.
    pub(super) rejected: bool,
    /// Failures in a row.
    pub(super) failures: u32,
    /// How many probations in a row.
    pub(super) probations: u32,
    pub(super) probation_until: Time,
}

/// What is being done about an event.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Doing {
    /// Nothing: it waits for its due time.
    #[default]
    Waiting,
    /// Its attempt is due and waits for its turn.
    Ready,
    /// A push is under way.
    Pushing(TimerId),
    /// It is being written as a dead letter.
    Parking,
}

/// The volatile side of an event.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Activity {
    pub(super) doing: Doing,
    /// The latest push.
    pub(super) call: CallId,
    pub(super) sent: Time,
}

/// What a restart of the topic forgets.
#[derive(Clone, Debug, Default)]
pub(super) struct Busy {
    /// By the slot of the event.
    pub(super) activities: Vec<Activity>,
    pub(super) ready: VecDeque<(u32, u16)>,
    pub(super) outstanding: u32,
    /// The validation under way, and its timeout.
    pub(super) handshake: Option<(CallId, TimerId)>,
}

/// A subscription.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) setup: std::sync::Arc<Setup>,
    pub(super) kept: Kept,
    pub(super) busy: Busy,
}

impl Subscription {
    pub(super) fn new(setup: std::sync::Arc<Setup>) -> Subscription {
        Subscription { setup, kept: Kept::default(), busy: Busy::default() }
    }

    /// Whether an event of this type is for it.
    pub(super) fn matches(&self, kind: TypeId) -> bool {
        self.setup.types.as_ref().is_none_or(|types| types.contains(&kind))
    }

    /// Keeps a copy; its first attempt is due now.
    pub(super) fn keep(&mut self, item: Item, id: u64, now: Time, wall: Time) -> u32 {
        self.kept.number = self.kept.number.wrapping_add(1);
        let slot = self.kept.events.insert(Event {
            item,
            id,
            number: self.kept.number,
            accepted: wall,
            attempts: 0,
            due: now,
            dead_since: None,
            held_up: false,
        });
        *self.activity(slot) = Activity::default();
        slot
    }

    pub(super) fn activity(&mut self, slot: u32) -> &mut Activity {
        let index = slot as usize;
        if self.busy.activities.len() <= index {
            self.busy.activities.resize(index + 1, Activity::default());
        }
        &mut self.busy.activities[index]
    }

    /// The event in this slot, if it is still the one of this number.
    pub(super) fn event(&self, slot: u32, number: u16) -> Option<&Event> {
        self.kept.events.get(slot).filter(|event| event.number == number)
    }

    /// Puts an event in line for an attempt.
    pub(super) fn line_up(&mut self, slot: u32) {
        if let Some(number) = self.kept.events.get(slot).map(|event| event.number) {
            self.activity(slot).doing = Doing::Ready;
            self.busy.ready.push_back((slot, number));
        }
    }

    pub(super) fn inventory(&self, out: &mut dyn FnMut(Held)) {
        for (_, event) in self.kept.events.iter() {
            out(Held { place: self.setup.place, item: event.item, copies: 1, rest: false, shut: false });
        }
    }
}
