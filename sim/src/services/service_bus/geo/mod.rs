//! Geo-replication: two namespaces that are one (facts 1.9). One leads and serves; the other follows, and
//! holds shadows of the leader's messages that are in no book. What the leader changes goes into a log,
//! which it ships to the follower; under `sync` it acknowledges, and delivers, only what the follower has.
//! A promotion lets the follower lead in the next epoch: it takes its shadows for messages, and the old
//! leader, as soon as it hears of that, gives up its own.

mod follow;
mod lead;
mod rise;

pub(super) use follow::SYNC;

use std::collections::{BTreeMap, VecDeque};

use crate::ids::{ConnectionId, ProcessId};
use crate::message::broker::Error;
use crate::message::control::Transition;
use crate::message::replication::{Change, Letter, Record, Rest};
use crate::message::{Body, Message};
use crate::node::Context;
use crate::services::service_bus::config::Replication;
use crate::services::service_bus::entity::{State, Stored};
use crate::services::service_bus::namespace::{Namespace, token};
use crate::time::{Span, Time};
use crate::units::Sampler;

/// A leader that has lost its follower looks for it again after this \[K\].
const LOOK_AGAIN: Span = Span::secs(5);
/// Under `sync`, a leader whose follower is silent for so long throttles sends \[K\].
const PATIENCE: Span = Span::secs(10);
/// A lag below this is "in sync" for whoever asks \[K\].
const IN_SYNC: Span = Span::secs(10);

/// What timers of the pair are about.
pub(super) const LOOK: u32 = 0;
pub(super) const RISE: u32 = 1;
pub(super) const TELL: u32 = 2;

/// The other namespace, and how the two are one. Configuration.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pair {
    pub(super) mode: Replication,
    pub(super) peer: ProcessId,
    /// The name, and the control plane: they have to know who leads.
    pub(super) before: [ProcessId; 2],
    pub(super) site: u8,
    pub(super) peer_site: u8,
    /// Whether this one leads at first.
    pub(super) leads: bool,
    pub(super) max_lag: Span,
    pub(super) promotion: Sampler,
}

/// A change, and when it was made.
#[derive(Clone, Debug)]
pub(super) struct Logged {
    at: Time,
    change: Change,
}

/// How far a leader has stepped back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fence {
    /// It serves.
    #[default]
    No,
    /// It serves no more, and brings its follower up to date.
    Draining,
    /// It serves no more; the follower may lead at any moment.
    Given,
}

/// The durable part.
#[derive(Clone, Debug)]
pub(super) struct Geo {
    /// Whether it leads.
    pub(super) leads: bool,
    /// The term of the leader.
    pub(super) epoch: u32,
    /// Whether the two are still one (Geo-DR).
    paired: bool,
    /// Whether it has run before.
    started: bool,
    // -- A leader's. --
    /// Whether the old leader had yielded everything when this one took over.
    planned: bool,
    /// The follower has been brought up to date once; from then on it counts.
    joined: bool,
    /// The follower is being brought up to date from nothing: the position at which it will have joined.
    joins_at: Option<u64>,
    log: VecDeque<Logged>,
    /// The position of the first change in the log: the follower has everything before it.
    base: u64,
    fence: Fence,
    // -- A follower's. --
    /// The position of the next change that it needs.
    applied: u64,
    /// It has nothing: everything is needed.
    fresh: bool,
    /// It will lead from then on.
    rising: Option<(Time, Transition)>,
    /// What the leader holds, by entity and sequence number.
    shadows: Vec<BTreeMap<u64, Letter>>,
}

impl Geo {
    pub(super) fn new(pair: &Pair, entities: usize) -> Geo {
        Geo {
            leads: pair.leads,
            epoch: 0,
            paired: true,
            started: false,
            planned: false,
            joined: pair.mode != Replication::MetadataOnly,
            joins_at: None,
            log: VecDeque::new(),
            base: 0,
            fence: Fence::No,
            applied: 0,
            fresh: false,
            rising: None,
            shadows: vec![BTreeMap::new(); entities],
        }
    }

    /// The position after the log.
    fn end(&self) -> u64 {
        self.base + self.log.len() as u64
    }

    fn logs(&self) -> bool {
        self.leads && (self.joined || self.joins_at.is_some())
    }
}

/// A request for a promotion that is under way.
#[derive(Clone, Debug)]
struct Ask {
    connection: ConnectionId,
    message: Message,
}

/// A batch of the leader's log on its way to the disk.
#[derive(Clone, Debug)]
struct Batch {
    connection: ConnectionId,
    epoch: u32,
    from: u64,
    changes: std::sync::Arc<Vec<Change>>,
}

/// The volatile part.
#[derive(Clone, Debug, Default)]
pub(super) struct Link {
    /// The present, for the log.
    pub(super) now: Time,
    /// Whether the other one answers, as far as is known.
    up: bool,
    /// A leader that was away does not serve before it knows that it still leads.
    checking: bool,
    /// A timer is armed to look for the other one.
    looking: bool,
    /// A timer is armed to tell the name and the control plane who leads.
    telling: bool,
    /// The position up to which the log is under way.
    shipped: u64,
    /// How many batches are under way.
    in_flight: u32,
    /// Answers that wait until the follower has the log up to there.
    unanswered: VecDeque<(u64, ConnectionId, Message)>,
    /// What is being written, and what waits for that.
    writing: Vec<Batch>,
    written_next: Vec<Batch>,
    syncs: u64,
    /// A follower that waits for the leader to yield.
    waiting: bool,
    asks: Vec<Ask>,
}

impl Namespace {
    /// Whether it takes requests: a namespace alone always, of a pair the one that leads. Under Geo-DR both
    /// do: which one people mean is a matter of the name.
    pub(super) fn serves(&self) -> bool {
        let (Some(pair), Some(geo)) = (&self.layout.pair, &self.store.geo) else { return true };
        pair.mode == Replication::MetadataOnly
            || geo.leads && geo.fence == Fence::No && !self.live.link.checking
    }

    /// Whether its messages are replicated.
    fn replicates(&self) -> bool {
        self.layout.pair.as_ref().is_some_and(|pair| pair.mode != Replication::MetadataOnly)
    }

    fn is_sync(&self) -> bool {
        self.layout.pair.as_ref().is_some_and(|pair| pair.mode == Replication::Sync)
            && self.store.geo.as_ref().is_some_and(|geo| geo.joined)
    }

    /// A process of a pair starts.
    pub(super) fn geo_start(&mut self, cx: &mut Context<'_>) {
        let replicates = self.replicates();
        let Some(geo) = &mut self.store.geo else { return };
        let first = !std::mem::replace(&mut geo.started, true);
        if !replicates {
            return self.look(cx);
        }
        self.live.link.shipped = geo.base;
        if first {
            self.live.link.up = true;
        } else if geo.leads {
            self.live.link.checking = true;
            self.look(cx);
            if self.store.geo.as_ref().is_some_and(|geo| geo.epoch > 0) {
                self.proclaim(cx);
            }
        } else if let Some((until, _)) = geo.rising {
            cx.timer(until.since(cx.now()), token::of(token::GEO, 0, RISE), true);
        }
    }

    pub(super) fn geo_timer(&mut self, what: u32, cx: &mut Context<'_>) {
        match what {
            LOOK => {
                self.live.link.looking = false;
                self.look(cx);
            }
            RISE => self.rise_due(cx),
            TELL => {
                self.live.link.telling = false;
                self.proclaim(cx);
            }
            _ => {}
        }
    }

    /// The other one says something.
    pub(super) fn replica(
        &mut self,
        from: ProcessId,
        connection: ConnectionId,
        record: &Record,
        cx: &mut Context<'_>,
    ) {
        if self.layout.pair.as_ref().is_none_or(|pair| pair.peer != from) {
            return;
        }
        match record {
            Record::Ship { epoch, from, changes } => {
                let changes = std::sync::Arc::clone(changes);
                self.shipped(Batch { connection, epoch: *epoch, from: *from, changes }, cx);
            }
            Record::Ack { epoch, upto } => self.acked(*epoch, *upto, cx),
            Record::Lead { epoch, planned } => self.led(*epoch, *planned, cx),
            Record::Follow { epoch, applied, fresh, rising } => {
                self.followed(*epoch, *applied, *fresh, *rising, cx);
            }
            Record::Promote { mode } => self.asked_by_peer(*mode, cx),
            Record::Declined => self.answer_asks(false, cx),
            Record::Yield { epoch, planned } => self.asked_to_yield(*epoch, *planned, cx),
            Record::Yielded { epoch } => self.yielded(*epoch, cx),
            // Those of a database.
            Record::Rows { .. } | Record::Base { .. } => {}
            Record::Unpaired => {
                if let Some(geo) = &mut self.store.geo {
                    (geo.paired, geo.leads) = (false, false);
                }
            }
        }
    }

    fn tell_peer(&self, record: Record, cx: &mut Context<'_>) {
        if let Some(pair) = &self.layout.pair {
            cx.tell(pair.peer, Message::new(Body::Replica(record)));
        }
    }

    /// The connection to the other one is gone.
    pub(super) fn peer_lost(&mut self, peer: ProcessId, cx: &mut Context<'_>) {
        if self.layout.pair.as_ref().is_some_and(|pair| pair.before.contains(&peer))
            && self.store.geo.as_ref().is_some_and(|geo| geo.leads && geo.epoch > 0)
            && !std::mem::replace(&mut self.live.link.telling, true)
        {
            cx.timer(LOOK_AGAIN, token::of(token::GEO, 0, TELL), false);
        }
        if self.layout.pair.as_ref().is_none_or(|pair| pair.peer != peer) {
            return;
        }
        if !self.replicates() {
            let unheard = self.store.geo.as_ref().is_some_and(|geo| geo.leads && !geo.paired);
            return if unheard {
                self.look_later(cx)
            };
        }
        let link = &mut self.live.link;
        (link.up, link.in_flight, link.waiting) = (false, 0, false);
        self.answer_lost_asks(cx);
        let Some(geo) = &self.store.geo else { return };
        if !geo.leads {
            return;
        }
        if geo.fence == Fence::Draining {
            self.resume(cx);
        }
        if std::mem::take(&mut self.live.link.checking) && self.serves() {
            // Nobody is there who could lead instead.
            self.recover_entities(cx);
        }
        self.look_later(cx);
    }

    fn look_later(&mut self, cx: &mut Context<'_>) {
        if !std::mem::replace(&mut self.live.link.looking, true) {
            cx.timer(LOOK_AGAIN, token::of(token::GEO, 0, LOOK), false);
        }
    }

    /// Stops all work: links are detached, what is not yet durable is refused, no timer counts any more.
    fn quiet(&mut self, cx: &mut Context<'_>) {
        let ops = std::mem::take(&mut self.live.syncing).into_iter();
        for op in ops.chain(std::mem::take(&mut self.live.staged)) {
            self.refuse(op.connection, &op.message, Error::ServiceBusy, cx);
        }
        for part in 0..self.layout.entities.len() as u16 {
            self.detach_all(part, Error::ServiceBusy, cx);
            let entity = self.entity(part);
            let locks = entity.messages.iter().filter_map(|(_, stored)| match stored.state {
                State::Locked(lock) => lock.timer,
                _ => None,
            });
            let sessions = entity.sessions.table.iter().filter_map(|(_, session)| session.timer);
            let timers: Vec<_> = locks.chain(sessions).collect();
            timers.into_iter().for_each(|timer| cx.cancel(timer));
            self.entity(part).recover();
            *self.outlet(part) = super::namespace::Outlet::default();
        }
    }

    /// Whether the replicas are in sync, as far as this one knows.
    pub(super) fn in_sync(&self) -> bool {
        let (Some(pair), Some(geo)) = (&self.layout.pair, &self.store.geo) else { return true };
        match pair.mode {
            Replication::MetadataOnly => geo.paired,
            _ if geo.leads => geo.joined && self.live.link.up && self.lag() < IN_SYNC,
            _ => !geo.fresh && geo.rising.is_none(),
        }
    }

    /// The age of the oldest change that the follower does not have.
    fn lag(&self) -> Span {
        let oldest = self.store.geo.as_ref().and_then(|geo| geo.log.front());
        oldest.map_or(Span::ZERO, |logged| self.live.link.now.since(logged.at))
    }

    /// Whether sends are throttled because the follower lags (facts 1.9).
    pub(super) fn lags(&self) -> bool {
        let (Some(pair), Some(geo)) = (&self.layout.pair, &self.store.geo) else { return false };
        let most = if pair.mode == Replication::Sync { PATIENCE } else { pair.max_lag };
        geo.leads && geo.joined && self.lag() > most
    }
}

/// A message as it is replicated.
fn letter(stored: &Stored) -> Letter {
    let rest = match stored.state {
        State::Scheduled(due) => Rest::Scheduled(due),
        State::Deferred => Rest::Deferred,
        State::Locked(lock) if lock.deferred => Rest::Deferred,
        State::Ready | State::Locked(_) => Rest::Ready,
    };
    Letter {
        item: stored.item,
        identity: stored.identity,
        session: stored.session,
        sequence: stored.sequence,
        expires: stored.expires,
        deliveries: stored.deliveries,
        bytes: stored.bytes,
        hops: stored.hops,
        recognise: stored.recognise,
        delayed: stored.delayed,
        spared: stored.spared,
        rest,
    }
}

/// The message that a replicated one becomes.
fn stored(letter: &Letter) -> Stored {
    let state = match letter.rest {
        Rest::Ready => State::Ready,
        Rest::Scheduled(due) => State::Scheduled(due),
        Rest::Deferred => State::Deferred,
    };
    Stored {
        item: letter.item,
        identity: letter.identity,
        session: letter.session,
        sequence: letter.sequence,
        expires: letter.expires,
        deliveries: letter.deliveries,
        bytes: letter.bytes,
        hops: letter.hops,
        recognise: letter.recognise,
        delayed: letter.delayed,
        spared: letter.spared,
        position: 0,
        state,
    }
}
