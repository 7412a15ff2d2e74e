//! The processors of feeds: that of the Cosmos client library for a change feed (facts 1.7), and the event
//! processor for an event hub (facts 3.3). It gets its fair share of the ranges (the partitions), reads each
//! of them page by page, hands a page to its host, and moves the checkpoint when the host says so. What was
//! not checkpointed is read again: at least once. The two differ in how a range changes hands, which for an
//! event hub is the affair of `balance`, and in what they say to the service (`wire`).
//!
//! A plain struct that a host embeds. The host hands it starts, messages, timers and closed connections,
//! and gets [`Event`]s back. One page of a range is out at a time; pages of different ranges run side by
//! side. All of it is upkeep but the pages themselves, which carry items.

use std::collections::VecDeque;

use crate::ids::{Address, Item, ProcessId};
use crate::message::store::{Answer, Command, LeaseAction};
use crate::message::{Body, Cargo, Message, broker};
use crate::node::Context;
use crate::observe::Symptom;
use crate::random::{Purpose, mix};
use crate::time::{Span, Time};

pub use rules::{FeedRules, Strategy};
pub use wire::Wire;

/// What the host has to know.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Changes to work on. The range waits until [`done`](FeedProcessor::done) or
    /// [`retry`](FeedProcessor::retry).
    Page(Page),
    /// The checkpoint of this range has moved; the run of its page goes on.
    Checkpointed {
        /// The range.
        range: u16,
    },
    /// The checkpoint could not be moved, or nobody knows: the run of the page has failed. Call
    /// [`retry`](FeedProcessor::retry).
    CheckpointFailed {
        /// The range.
        range: u16,
    },
    /// The lease of this range is somebody else's now; its page, if one is out, can no longer be
    /// checkpointed. Nothing is to be called for it.
    Lost {
        /// The range.
        range: u16,
    },
}

/// One page of changes, oldest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// From which range.
    pub range: u16,
    /// The changed items; never empty.
    pub cargo: Cargo,
    /// The position to checkpoint when they are done.
    pub upto: u64,
}

/// Reads one feed for one app instance.
#[derive(Clone, Debug)]
pub struct FeedProcessor {
    wire: Wire,
    processor: u16,
    /// What its owner's number is made from.
    name: u64,
    owner: u64,
    space: u8,
    rules: FeedRules,
    owned: Vec<Owned>,
    /// When leases are looked for next: a timer armed for another time is out of date.
    looking: Time,
    asked: u16,
    /// How many claims of partitions are under way.
    claims: u16,
    /// What waits until it is known where a name leads.
    unsent: Vec<(Address, Message)>,
    /// The name that it asks for.
    asking: Option<ProcessId>,
}

/// A range whose lease it holds.
#[derive(Clone, Debug, PartialEq)]
struct Owned {
    range: u16,
    /// After which it reads: the checkpoint, or further where nothing of interest lay in between.
    position: u64,
    checkpoint: u64,
    phase: Phase,
    /// When its timer is due; one armed for another time is out of date.
    due: Time,
    /// Which request is under way: an answer to another one came too late.
    attempt: u16,
    /// Where it went.
    at: ProcessId,
    renewed: Time,
    renewal_due: Time,
    /// Whether its link is still to be opened.
    opens: bool,
    /// How many pages are done since the last checkpoint, and up to where.
    unwritten: (u32, u64),
    /// What is fetched and not yet worked on; it ends at `position`.
    fetched: VecDeque<Item>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Until the next read.
    Pausing,
    Reading,
    /// The host has a page.
    Working,
    Checkpointing(u64),
}

const LOOK: u64 = 1;
const RANGE: u64 = 2;
const RENEW: u64 = 3;
const LOOKUP: u64 = 4;
const ACQUIRE: u32 = 1;
const RENEWAL: u32 = 2;
const CHECKPOINT: u32 = 3;
const READ: u32 = 4;
const RELEASE: u32 = 5;
const OWNERS: u32 = 6;
const CLAIM: u32 = 7;
const NAME: u32 = 8;
const ANY: u16 = u16::MAX;

impl FeedProcessor {
    /// A processor. `processor` is the group whose members share the ranges: the node of an app that reads a
    /// change feed, the number of a consumer group. `name` names this instance. On a change feed it is the
    /// same after a restart, and resumes its leases at once; an event processor is a stranger then, and has
    /// to wait until they expire. `space` (1 to 254, unique within the process) is the top byte of its timer
    /// tokens and message tags.
    #[must_use]
    pub fn new(wire: Wire, processor: u16, name: u64, space: u8, rules: FeedRules) -> Self {
        FeedProcessor {
            wire,
            processor,
            name,
            owner: wire.owner(name, Time::ZERO),
            space,
            rules,
            owned: Vec::new(),
            looking: Time::NEVER,
            asked: 0,
            claims: 0,
            unsent: Vec::new(),
            asking: None,
        }
    }

    /// Forgets its leases: the process died.
    pub fn crash(&mut self) {
        *self = FeedProcessor::new(self.wire, self.processor, self.name, self.space, self.rules);
    }

    /// The instance starts: it gives back what it held in its last life, and then looks for leases.
    pub fn on_start(&mut self, cx: &mut Context<'_>) {
        self.owner = self.wire.owner(self.name, cx.now());
        if self.wire.is_hub() {
            return self.look(cx);
        }
        self.ask(RELEASE, ANY, LeaseAction::Release, cx);
        // Looking at once could overtake the release and lose what it finds.
        self.looking = cx.now() + self.rules.timeout;
        cx.timer(self.rules.timeout, self.token(LOOK, 0), false);
    }

    /// The instance stops in good order: others may take its leases at once.
    pub fn release(&mut self, cx: &mut Context<'_>) {
        self.ask(RELEASE, ANY, LeaseAction::Release, cx);
        self.owned.clear();
        self.looking = Time::NEVER;
    }

    /// The ranges whose leases it holds.
    pub fn ranges(&self) -> impl Iterator<Item = u16> + '_ {
        self.owned.iter().map(|owned| owned.range)
    }

    /// Whether this timer token or message tag is its own.
    #[must_use]
    pub fn owns_token(&self, token: u64) -> bool {
        (token >> 56) as u8 == self.space
    }

    /// Whether this message is an answer to it.
    #[must_use]
    pub fn owns_tag(&self, tag: u32) -> bool {
        (tag >> 24) as u8 == self.space
    }

    /// An answer of the store; anything else is ignored.
    pub fn on_message(&mut self, message: &Message, cx: &mut Context<'_>) -> Option<Event> {
        if !self.owns_tag(message.tag) {
            return None;
        }
        let range = message.tag as u16;
        let answer = match &message.body {
            Body::StoreAnswer(answer) => *answer,
            Body::Owners(owners) => return self.balance(owners, cx),
            Body::Record(answer) => {
                self.looked_up(*answer, cx);
                return None;
            }
            Body::BrokerEvent(broker::Event::Received { upto, .. }) => Answer::Rows { range, upto: *upto },
            Body::BrokerEvent(broker::Event::Refused(why)) => return self.not_read(range, message, *why, cx),
            _ => return None,
        };
        match message.tag >> 16 & 0xff {
            CLAIM => {
                self.claimed(range, answer, cx);
                None
            }
            ACQUIRE => {
                self.acquired(answer, cx);
                None
            }
            RENEWAL => self.renewed(range, answer, cx),
            READ => self.read(range, message, answer, cx),
            CHECKPOINT => self.checkpointed(range, message.attempt, answer, cx),
            RELEASE if self.owned.is_empty() && self.looking != Time::NEVER => {
                self.look(cx);
                None
            }
            _ => None,
        }
    }

    /// A timer of its own.
    pub fn on_timer(&mut self, token: u64, cx: &mut Context<'_>) -> Option<Event> {
        if !self.owns_token(token) {
            return None;
        }
        let range = token as u16;
        match token >> 48 & 0xff {
            LOOK if self.looking <= cx.now() => {
                self.look(cx);
                None
            }
            LOOKUP => {
                self.ask_again(cx);
                None
            }
            RANGE => self.range_due(range, cx),
            RENEW => self.renewal_due(range, cx),
            _ => None,
        }
    }

    /// The connection to a process is gone: what was asked there will not be answered.
    pub fn on_closed(&mut self, peer: ProcessId, cx: &mut Context<'_>) -> Vec<Event> {
        let waits = |phase| matches!(phase, Phase::Reading | Phase::Checkpointing(_));
        let under_way = self.owned.iter().filter(|owned| owned.at == peer && waits(owned.phase));
        let ranges: Vec<u16> = under_way.map(|owned| owned.range).collect();
        ranges.into_iter().filter_map(|range| self.unanswered(range, cx)).collect()
    }

    /// Moves the checkpoint of a range to there: an event follows. At once if the lease is lost.
    pub fn checkpoint(&mut self, range: u16, upto: u64, cx: &mut Context<'_>) -> Option<Event> {
        let every = self.rules.checkpoint_every;
        let Some(owned) = self.owned(range) else { return Some(Event::Lost { range }) };
        let pages = owned.unwritten.0 + 1;
        if pages < every {
            owned.unwritten = (pages, upto);
            return Some(Event::Checkpointed { range });
        }
        self.enter(range, Phase::Checkpointing(upto), self.rules.timeout, cx);
        let attempt = self.ask(CHECKPOINT, range, LeaseAction::Checkpoint(upto), cx);
        if let Some(owned) = self.owned(range) {
            owned.attempt = attempt;
        }
        None
    }

    /// The run of the page is over: the next one is read from the checkpoint on.
    pub fn done(&mut self, range: u16, cx: &mut Context<'_>) {
        if let Some(owned) = self.owned(range) {
            if !owned.fetched.is_empty() {
                // The next page follows as an event of its own.
                return self.enter(range, Phase::Pausing, Span::ZERO, cx);
            }
            owned.position = owned.checkpoint.max(owned.unwritten.1);
            self.request_page(range, cx);
        }
    }

    /// The run of the page failed, and is not to be repeated: the next page follows, whatever was written.
    pub fn skip(&mut self, range: u16, upto: u64, cx: &mut Context<'_>) {
        if let Some(owned) = self.owned(range) {
            owned.unwritten = (owned.unwritten.0, upto);
        }
        self.done(range, cx);
    }

    /// The run of the page failed: after a pause, the range is read again from the last checkpoint.
    pub fn retry(&mut self, range: u16, cx: &mut Context<'_>) {
        if let Some(owned) = self.owned(range) {
            (owned.position, owned.unwritten) = (owned.checkpoint, (0, 0));
            owned.fetched.clear();
            self.enter(range, Phase::Pausing, self.rules.poll, cx);
        }
    }

    fn owned(&mut self, range: u16) -> Option<&mut Owned> {
        self.owned.iter_mut().find(|owned| owned.range == range)
    }

    fn token(&self, kind: u64, range: u16) -> u64 {
        u64::from(self.space) << 56 | kind << 48 | u64::from(range)
    }

    /// Asks something about a lease; returns the number of the request.
    fn ask(&mut self, kind: u32, range: u16, how: LeaseAction, cx: &mut Context<'_>) -> u16 {
        let command = Command::Lease { processor: self.processor, range, owner: self.owner, how };
        self.send(kind, range, self.wire.store(), Body::Store(command), cx)
    }

    fn send(&mut self, kind: u32, range: u16, to: Address, body: Body, cx: &mut Context<'_>) -> u16 {
        self.asked = self.asked.wrapping_add(1);
        let mut message = Message::new(body);
        message.tag = u32::from(self.space) << 24 | kind << 16 | u32::from(range);
        message.attempt = self.asked;
        self.tell(to, message, cx);
        self.asked
    }

    /// Looks for a lease, and again after the interval.
    fn look(&mut self, cx: &mut Context<'_>) {
        if self.wire.is_hub() {
            self.list_owners(cx);
        } else {
            self.ask(ACQUIRE, ANY, LeaseAction::Acquire, cx);
        }
        // Instances that start together must not look together for ever.
        let early =
            cx.draw(Purpose::Phase, [self.owner, u64::from(self.asked)]) % (self.rules.acquire.0 / 10 + 1);
        let pause = Span(self.rules.acquire.0 - early);
        self.looking = cx.now() + pause;
        cx.timer(pause, self.token(LOOK, 0), false);
    }

    fn acquired(&mut self, answer: Answer, cx: &mut Context<'_>) {
        let Answer::Leased { range, position } = answer else { return };
        if self.owned(range).is_some() {
            return;
        }
        self.own(range, position, cx);
        self.arm_renewal(range, cx);
        self.request_page(range, cx);
        self.ask(ACQUIRE, ANY, LeaseAction::Acquire, cx); // there may be more
    }

    /// A range is its own from now on.
    fn own(&mut self, range: u16, position: u64, cx: &Context<'_>) {
        let now = cx.now();
        self.owned.push(Owned {
            range,
            position,
            checkpoint: position,
            phase: Phase::Pausing,
            due: Time::NEVER,
            attempt: 0,
            at: ProcessId::default(),
            renewed: now,
            renewal_due: Time::NEVER,
            opens: true,
            unwritten: (0, 0),
            fetched: VecDeque::new(),
        });
    }

    fn arm_renewal(&mut self, range: u16, cx: &mut Context<'_>) {
        let renew = self.rules.renew;
        if let Some(owned) = self.owned(range) {
            owned.renewal_due = cx.now() + renew;
            cx.timer(renew, self.token(RENEW, range), false);
        }
    }

    fn renewal_due(&mut self, range: u16, cx: &mut Context<'_>) -> Option<Event> {
        let (now, expiration) = (cx.now(), self.rules.expiration);
        let owned = self.owned(range).filter(|owned| owned.renewal_due <= now)?;
        if now.since(owned.renewed) > expiration {
            return self.lose(range, cx);
        }
        self.ask(RENEWAL, range, LeaseAction::Renew, cx);
        self.arm_renewal(range, cx);
        None
    }

    fn renewed(&mut self, range: u16, answer: Answer, cx: &mut Context<'_>) -> Option<Event> {
        match answer {
            Answer::Leased { .. } => {
                let now = cx.now();
                self.owned(range)?.renewed = now;
                None
            }
            Answer::NotLeased { .. } => self.lose(range, cx),
            _ => None, // tried again at the next renewal
        }
    }

    fn lose(&mut self, range: u16, cx: &mut Context<'_>) -> Option<Event> {
        let index = self.owned.iter().position(|owned| owned.range == range)?;
        self.owned.remove(index);
        cx.trouble(self.wire.store().process, Symptom::LeaseLost);
        Some(Event::Lost { range })
    }

    /// Enters a phase that ends after this time at the latest.
    fn enter(&mut self, range: u16, phase: Phase, limit: Span, cx: &mut Context<'_>) {
        let token = self.token(RANGE, range);
        if let Some(owned) = self.owned(range) {
            owned.phase = phase;
            owned.due = cx.now() + limit;
            cx.timer(limit, token, false);
        }
    }

    fn request_page(&mut self, range: u16, cx: &mut Context<'_>) {
        let Some(owned) = self.owned.iter().find(|owned| owned.range == range) else { return };
        let body = self.wire.read(owned, self.owner, self.rules.max.max(self.rules.prefetch));
        self.enter(range, Phase::Reading, self.rules.timeout + self.wire.patience(), cx);
        let attempt = self.send(READ, range, self.wire.source(), body, cx);
        if let Some(owned) = self.owned(range) {
            (owned.attempt, owned.opens) = (attempt, false);
        }
    }

    fn read(&mut self, range: u16, message: &Message, answer: Answer, cx: &mut Context<'_>) -> Option<Event> {
        let (attempt, max, waits) = (message.attempt, self.rules.max as usize, self.wire.is_hub());
        let owned = self.owned(range).filter(|o| o.phase == Phase::Reading && o.attempt == attempt)?;
        match answer {
            Answer::Rows { upto, .. } if !message.cargo.is_empty() => {
                owned.position = upto;
                if message.cargo.items().len() <= max {
                    owned.phase = Phase::Working;
                    owned.due = Time::NEVER;
                    return Some(Event::Page(Page { range, cargo: message.cargo.clone(), upto }));
                }
                owned.fetched.extend(message.cargo.items());
                self.next_fetched(range)
            }
            // Whoever has waited for an answer asks again at once.
            Answer::Rows { upto, .. } if waits => {
                owned.position = upto;
                self.request_page(range, cx);
                None
            }
            Answer::Rows { upto, .. } => {
                owned.position = owned.position.max(upto);
                self.enter(range, Phase::Pausing, self.rules.poll, cx);
                None
            }
            Answer::Refused { retry_after, .. } => {
                cx.trouble(self.wire.source().process, Symptom::Error);
                let pause = retry_after.map_or(self.rules.poll, |after| Span(after.0.max(1)));
                self.enter(range, Phase::Pausing, pause, cx);
                None
            }
            _ => None,
        }
    }

    /// A page of what is fetched.
    fn next_fetched(&mut self, range: u16) -> Option<Event> {
        let max = self.rules.max as usize;
        let owned = self.owned(range).filter(|owned| !owned.fetched.is_empty())?;
        let many = max.min(owned.fetched.len());
        let cargo = Cargo::of(owned.fetched.drain(..many).collect());
        owned.phase = Phase::Working;
        owned.due = Time::NEVER;
        Some(Event::Page(Page { range, cargo, upto: owned.position - owned.fetched.len() as u64 }))
    }

    fn checkpointed(
        &mut self,
        range: u16,
        attempt: u16,
        answer: Answer,
        cx: &mut Context<'_>,
    ) -> Option<Event> {
        let now = cx.now();
        let owned = self.owned(range).filter(|owned| owned.attempt == attempt)?;
        let Phase::Checkpointing(upto) = owned.phase else { return None };
        match answer {
            Answer::Leased { .. } => {
                owned.checkpoint = upto;
                owned.unwritten = (0, 0);
                owned.renewed = now;
                owned.phase = Phase::Working;
                owned.due = Time::NEVER;
                Some(Event::Checkpointed { range })
            }
            Answer::NotLeased { .. } => self.lose(range, cx),
            _ => {
                owned.phase = Phase::Working;
                owned.due = Time::NEVER;
                Some(Event::CheckpointFailed { range })
            }
        }
    }

    /// A pause is over, or an answer did not come in time.
    fn range_due(&mut self, range: u16, cx: &mut Context<'_>) -> Option<Event> {
        let now = cx.now();
        let owned = self.owned(range).filter(|owned| owned.due <= now)?;
        if owned.phase == Phase::Pausing {
            let next = self.next_fetched(range);
            if next.is_none() {
                self.request_page(range, cx);
            }
            return next;
        }
        let subject = if owned.phase == Phase::Reading { self.wire.source() } else { self.wire.store() };
        cx.trouble(subject.process, Symptom::Timeout);
        self.unanswered(range, cx)
    }

    fn unanswered(&mut self, range: u16, cx: &mut Context<'_>) -> Option<Event> {
        let owned = self.owned(range)?;
        match owned.phase {
            Phase::Reading => {
                self.enter(range, Phase::Pausing, self.rules.poll, cx);
                None
            }
            Phase::Checkpointing(_) => {
                owned.phase = Phase::Working;
                owned.due = Time::NEVER;
                Some(Event::CheckpointFailed { range })
            }
            Phase::Pausing | Phase::Working => None,
        }
    }
}

/// An owner's number for an instance of this name in this life, where a restart is a stranger (the
/// Functions host takes a new id at each start).
#[must_use]
pub fn owner_of_life(name: u64, started: Time) -> u64 {
    mix(name, started.0)
}

mod balance;
mod names;
mod rules;
#[cfg(test)]
mod tests;
mod wire;
