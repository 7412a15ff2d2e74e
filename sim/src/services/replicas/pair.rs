//! A pair of replicas that are one service. One leads and serves; the other follows, and holds shadows of
//! what the leader holds, which are in no book. What the leader changes goes into a log, which it ships to
//! the follower; under `sync` it acknowledges, and shows, only what the follower has. A promotion lets the
//! follower lead in the next epoch: it takes its shadows for the real thing, and the old leader, as soon as
//! it hears of that, gives up its own. What is replicated is the service's affair: it says how by the trait
//! [`Replica`], and gets the state machine in return ([`Paired`], [`Leads`], [`Follows`], [`Rises`]).

use std::collections::VecDeque;

use super::{Follows, Leads, Rises};
use crate::ids::{ConnectionId, ProcessId};
use crate::message::control::Transition;
use crate::message::replication::{Change, Record};
use crate::message::{Body, Message};
use crate::node::{Context, Gauge};
use crate::time::{Span, Time};
use crate::units::Sampler;

/// A leader that has lost its follower looks for it again after this \[K\].
const LOOK_AGAIN: Span = Span::secs(5);
/// Under `sync`, a leader whose follower is silent for so long throttles sends \[K\].
const PATIENCE: Span = Span::secs(10);
/// A lag below this is "in sync" for whoever asks \[K\].
const IN_SYNC: Span = Span::secs(10);

/// What timers of the pair are about.
const LOOK: u32 = 0;
pub(super) const RISE: u32 = 1;
const TELL: u32 = 2;
pub(super) const SHIP: u32 = 3;

/// Tells the syncs of the log from those of requests.
pub const SYNC: u64 = 1 << 63;

/// What the leader gives to the follower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everything, before it says that it has it.
    Sync,
    /// Everything, afterwards.
    Async,
    /// Nothing but the name: each has what it has.
    NameOnly,
}

/// The other replica, and how the two are one. Configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// What is replicated.
    pub mode: Mode,
    /// The other one.
    pub peer: ProcessId,
    /// The name, and the control plane, as far as there are any: they have to know who leads.
    pub before: Vec<ProcessId>,
    /// Its site, by file order.
    pub site: u8,
    /// The site of the other one.
    pub peer_site: u8,
    /// Whether this one leads at first.
    pub leads: bool,
    /// A leader whose follower lags more than this says so ([`Paired::lags`]).
    pub max_lag: Span,
    /// How long a promotion takes, during which nobody serves.
    pub promotion: Sampler,
    /// How long a change waits before it is given to the other one.
    pub delay: Span,
    /// A forced promotion ends the pair: the old leader's copy is deleted, and the new one is alone until
    /// people [pair them again](Paired::pair_again).
    pub once: bool,
}

impl Pair {
    /// How far the follower may lag.
    fn most_lag(&self) -> Span {
        if self.mode == Mode::Sync { PATIENCE } else { self.max_lag }
    }
}

/// A replica of a service that has a pair, or may have one. Everything else is provided.
pub trait Replica: Sized {
    /// The pair, if it is one of a pair.
    fn pair(&self) -> Option<&Pair>;
    /// What is durable about that.
    fn tenure(&self) -> Option<&Tenure>;
    /// The same, to be changed.
    fn tenure_mut(&mut self) -> Option<&mut Tenure>;
    /// What is volatile about that.
    fn channel(&self) -> &Channel;
    /// The same, to be changed.
    fn channel_mut(&mut self) -> &mut Channel;
    /// The token of the timer that is about this.
    fn token(what: u32) -> u64;

    /// It stops all work: what is under way is refused or cut off.
    fn quiet(&mut self, cx: &mut Context<'_>);
    /// It serves again, as after a crash.
    fn reopen(&mut self, cx: &mut Context<'_>);
    /// It puts all that it has into the log, so that the follower can start from nothing.
    fn log_everything(&mut self);
    /// A follower takes over a change of the leader.
    fn apply(&mut self, change: &Change, cx: &mut Context<'_>);
    /// It leads from now on: its shadows are the real thing, reborn.
    fn take_over(&mut self, cx: &mut Context<'_>);
    /// It leads no more: what it has ends here. If it `keeps` that, it is as good as what the new leader
    /// has, and becomes shadows.
    fn give_up(&mut self, keeps: bool, cx: &mut Context<'_>);
    /// Under `sync`: the follower has these changes from now on.
    fn released(&mut self, changes: &[Change], cx: &mut Context<'_>) {
        let _ = (changes, cx);
    }
}

/// A change, and when it was made.
#[derive(Clone, Debug)]
pub(super) struct Logged {
    pub(super) at: Time,
    pub(super) change: Change,
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
pub struct Tenure {
    /// Whether it leads.
    pub(super) leads: bool,
    /// The term of the leader.
    pub(super) epoch: u32,
    /// Whether the two are still one (Geo-DR).
    pub(super) paired: bool,
    /// Whether it has run before.
    pub(super) started: bool,
    // -- A leader's. --
    /// Whether the old leader had yielded everything when this one took over.
    pub(super) planned: bool,
    /// The follower has been brought up to date once; from then on it counts.
    pub(super) joined: bool,
    /// The follower is being brought up to date from nothing: the position at which it will have joined.
    pub(super) joins_at: Option<u64>,
    pub(super) log: VecDeque<Logged>,
    /// The position of the first change in the log: the follower has everything before it.
    pub(super) base: u64,
    pub(super) fence: Fence,
    // -- A follower's. --
    /// The position of the next change that it needs.
    pub(super) applied: u64,
    /// It has nothing: everything is needed.
    pub(super) fresh: bool,
    /// It will lead from then on.
    pub(super) rising: Option<(Time, Transition)>,
}

impl Tenure {
    /// How it is at first.
    #[must_use]
    pub fn new(pair: &Pair) -> Tenure {
        Tenure {
            leads: pair.leads,
            epoch: 0,
            paired: true,
            started: false,
            planned: false,
            joined: pair.mode != Mode::NameOnly,
            joins_at: None,
            log: VecDeque::new(),
            base: 0,
            fence: Fence::No,
            applied: 0,
            fresh: false,
            rising: None,
        }
    }

    /// Whether it leads, as far as it knows.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.leads
    }

    /// The term of the leader.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The position after the log.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.base + self.log.len() as u64
    }

    pub(super) fn logs(&self) -> bool {
        self.leads && (self.joined || self.joins_at.is_some())
    }
}

/// A request for a promotion that is under way.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) connection: ConnectionId,
    pub(super) message: Message,
}

/// A batch of the leader's log on its way to the disk.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) connection: ConnectionId,
    pub(super) epoch: u32,
    pub(super) from: u64,
    pub(super) changes: std::sync::Arc<Vec<Change>>,
}

/// The volatile part.
#[derive(Clone, Debug, Default)]
pub struct Channel {
    /// The present, for the log.
    pub now: Time,
    /// Whether the other one answers, as far as is known.
    pub(super) up: bool,
    /// A leader that was away does not serve before it knows that it still leads.
    pub(super) checking: bool,
    /// A timer is armed to look for the other one.
    pub(super) looking: bool,
    /// A timer is armed to ship what waits in the log.
    pub(super) holding: bool,
    /// A timer is armed to tell the name and the control plane who leads.
    pub(super) telling: bool,
    /// The position up to which the log is under way.
    pub(super) shipped: u64,
    /// How many batches are under way.
    pub(super) in_flight: u32,
    /// Answers that wait until the follower has the log up to there.
    pub(super) unanswered: VecDeque<(u64, ConnectionId, Message)>,
    /// What is being written, and what waits for that.
    pub(super) writing: Vec<Batch>,
    pub(super) written_next: Vec<Batch>,
    pub(super) syncs: u64,
    /// A follower that waits for the leader to yield.
    pub(super) waiting: bool,
    pub(super) asks: Vec<Ask>,
}

/// What both of a pair do, and what their service needs to know.
pub trait Paired: Replica {
    /// Whether it takes requests: one alone always, of a pair the one that leads. Where nothing is
    /// replicated both do: which one people mean is a matter of the name.
    fn serves(&self) -> bool {
        let (Some(pair), Some(tenure)) = (self.pair(), self.tenure()) else { return true };
        pair.mode == Mode::NameOnly || tenure.leads && tenure.fence == Fence::No && !self.channel().checking
    }

    /// Whether what it holds is replicated.
    fn replicates(&self) -> bool {
        self.pair().is_some_and(|pair| pair.mode != Mode::NameOnly)
    }

    /// Whether it waits for its follower.
    fn is_sync(&self) -> bool {
        self.pair().is_some_and(|pair| pair.mode == Mode::Sync)
            && self.tenure().is_some_and(|tenure| tenure.joined)
    }

    /// A process of a pair starts.
    fn pair_start(&mut self, cx: &mut Context<'_>) {
        let replicates = self.replicates();
        let Some(tenure) = self.tenure_mut() else { return };
        let first = !std::mem::replace(&mut tenure.started, true);
        if !replicates {
            return self.look(cx);
        }
        let (base, leads, epoch, rising) = (tenure.base, tenure.leads, tenure.epoch, tenure.rising);
        self.channel_mut().shipped = base;
        if first {
            self.channel_mut().up = true;
        } else if leads {
            self.channel_mut().checking = true;
            self.look(cx);
            if epoch > 0 {
                self.proclaim(cx);
            }
        } else if let Some((until, _)) = rising {
            cx.timer(until.since(cx.now()), Self::token(RISE), true);
        }
    }

    /// A timer of the pair.
    fn pair_timer(&mut self, what: u32, cx: &mut Context<'_>) {
        match what {
            LOOK => {
                self.channel_mut().looking = false;
                self.look(cx);
            }
            RISE => self.rise_due(cx),
            TELL => {
                self.channel_mut().telling = false;
                self.proclaim(cx);
            }
            SHIP => self.channel_mut().holding = false,
            _ => {}
        }
    }

    /// One that is alone after a forced promotion is to have a follower again, which is brought up to date
    /// from nothing. False if it does not lead, or is not alone.
    fn pair_again(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(tenure) = self.tenure_mut().filter(|tenure| tenure.leads && !tenure.paired) else {
            return false;
        };
        tenure.paired = true;
        self.channel_mut().up = false;
        self.look(cx);
        true
    }

    /// The other one says something.
    fn replica(&mut self, from: ProcessId, connection: ConnectionId, record: &Record, cx: &mut Context<'_>) {
        if self.pair().is_none_or(|pair| pair.peer != from) {
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
            // That of an account.
            Record::Base { .. } => {}
            Record::Unpaired => {
                if let Some(tenure) = self.tenure_mut() {
                    (tenure.paired, tenure.leads) = (false, false);
                }
            }
        }
    }

    /// Tells the other one.
    fn tell_peer(&self, record: Record, cx: &mut Context<'_>) {
        if let Some(pair) = self.pair() {
            cx.tell(pair.peer, Message::new(Body::Replica(record)));
        }
    }

    /// A connection is gone: perhaps that to the other one.
    fn peer_lost(&mut self, peer: ProcessId, cx: &mut Context<'_>) {
        let Some(pair) = self.pair() else { return };
        let is_peer = pair.peer == peer;
        if pair.before.contains(&peer)
            && self.tenure().is_some_and(|tenure| tenure.leads && tenure.epoch > 0)
            && !std::mem::replace(&mut self.channel_mut().telling, true)
        {
            cx.timer(LOOK_AGAIN, Self::token(TELL), false);
        }
        if !is_peer {
            return;
        }
        if !self.replicates() {
            let unheard = self.tenure().is_some_and(|tenure| tenure.leads && !tenure.paired);
            return if unheard {
                self.look_later(cx)
            };
        }
        let channel = self.channel_mut();
        (channel.up, channel.in_flight, channel.waiting) = (false, 0, false);
        self.answer_lost_asks(cx);
        let Some(tenure) = self.tenure() else { return };
        if !tenure.leads {
            return;
        }
        if tenure.fence == Fence::Draining {
            self.resume(cx);
        }
        if std::mem::take(&mut self.channel_mut().checking) && self.serves() {
            // Nobody is there who could lead instead.
            self.reopen(cx);
        }
        self.look_later(cx);
    }

    /// Looks for the other one again after a while.
    fn look_later(&mut self, cx: &mut Context<'_>) {
        if !std::mem::replace(&mut self.channel_mut().looking, true) {
            cx.timer(LOOK_AGAIN, Self::token(LOOK), false);
        }
    }

    /// Whether the replicas are in sync, as far as this one knows.
    fn in_sync(&self) -> bool {
        let (Some(pair), Some(tenure)) = (self.pair(), self.tenure()) else { return true };
        match pair.mode {
            Mode::NameOnly => tenure.paired,
            _ if tenure.leads => tenure.joined && self.channel().up && self.lag() < IN_SYNC + pair.delay,
            _ => !tenure.fresh && tenure.rising.is_none(),
        }
    }

    /// The age of the oldest change that the follower does not have.
    fn lag(&self) -> Span {
        let oldest = self.tenure().and_then(|tenure| tenure.log.front());
        oldest.map_or(Span::ZERO, |logged| self.channel().now.since(logged.at))
    }

    /// Whether the follower lags more than it may.
    fn lags(&self) -> bool {
        let (Some(pair), Some(tenure)) = (self.pair(), self.tenure()) else { return false };
        tenure.leads && tenure.joined && self.lag() > pair.most_lag()
    }

    /// How far the follower lags, of what it may, where that bounds what is sent. Only a look.
    fn lag_gauge(&self, now: Time) -> Option<Gauge> {
        let (pair, tenure) = (self.pair()?, self.tenure()?);
        if !tenure.leads || !tenure.joined || pair.mode == Mode::NameOnly {
            return None;
        }
        let lag = tenure.log.front().map_or(Span::ZERO, |logged| now.since(logged.at));
        Some(Gauge::span("replication lag", lag, pair.most_lag()))
    }
}

impl<R: Replica> Paired for R {}
