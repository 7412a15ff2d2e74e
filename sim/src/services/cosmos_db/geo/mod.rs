//! An account in several regions (facts 1.4, 1.8). The write region leads: what it commits
//! goes into a log, which it ships to the others; they do the same again and hold shadows, which are in no
//! book. How long a write and a read wait for that is the consistency level. A failover lets another region
//! lead in the next term: its shadows become documents. The old write region, once it hears of that, is
//! offline until the service brings it back; then it takes over what the leader has, and what it had not
//! replicated stands in the conflict feed. Where all regions take writes all of them lead: see `multi`.

mod base;
mod conflicts;
mod follow;
mod lead;
mod multi;
mod quorum;
mod rise;

use conflicts::Replay;
use multi::Merging;

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::config::Consistency;
use super::{CosmosDbProcess, GEO};
use crate::ids::{ConnectionId, Item, PlaceId, ProcessId};
use crate::message::control::Transition;
use crate::message::replication::{self, Record};
use crate::message::store::{Command, Error};
use crate::message::{Body, Message};
use crate::node::Context;
use crate::time::{Span, Time};
use crate::units::Sampler;

/// A leader that has lost a follower looks for it again after this \[K\].
const LOOK_AGAIN: Span = Span::secs(5);
/// A lag below this is "in sync" for whoever asks \[K\].
const IN_SYNC: Span = Span::secs(10);

/// What timers of the group are about; the index of a region stands above.
const LOOK: u64 = 0;
const RISE: u64 = 1;
const TELL: u64 = 2;
const RETURN: u64 = 3;

/// The other regions, and how all are one. Configuration.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    pub(super) site: u8,
    /// Its place in the order of priority, which makes the number of its terms its own.
    pub(super) rank: u32,
    /// In order of priority.
    pub(super) peers: Vec<ProcessId>,
    /// The name, and the control plane: they have to know who leads.
    pub(super) before: [ProcessId; 2],
    /// Whether this one leads at first: where all take writes, all do.
    pub(super) leads: bool,
    pub(super) multi: bool,
    pub(super) level: Consistency,
    /// How far a region may be behind under bounded staleness: so many writes, or so long.
    pub(super) bound: (u64, Span),
    /// How long a failover takes from the request on.
    pub(super) failover: Sampler,
    /// How long it takes to bring a region back that was taken offline.
    pub(super) region_return: Sampler,
    /// Where what was not replicated rests.
    pub(super) conflicts: PlaceId,
}

impl Group {
    /// The term after this one in which this region may lead: no two regions lead in the same.
    fn next_term(&self, epoch: u32) -> u32 {
        let regions = self.peers.len() as u32 + 1;
        (epoch / regions + 1) * regions + self.rank
    }
}

/// A document: in which container, under which key.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Row {
    part: u16,
    item: Item,
    typed: bool,
}

/// A change, when it was made, and what was new.
#[derive(Clone, Debug)]
struct Logged {
    at: Time,
    change: replication::Change,
    births: SmallVec<[Row; 1]>,
    /// Where all regions take writes: up to where it had the log of each.
    seen: SmallVec<[u64; 2]>,
}

/// How far a leader has stepped back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fence {
    /// It takes writes.
    #[default]
    No,
    /// It takes none, and brings its follower up to date.
    Draining,
    /// It takes none; the follower may lead at any moment.
    Given,
}

/// Another region as its leader knows it. Durable.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Follower {
    /// It has the log up to this position.
    Joined(u64),
    /// It needs everything, as soon as it answers.
    Lapsed,
    /// It is to be taken offline, and does not know it yet: it may still be asked to lead from this position.
    Leaving(u64),
    /// It was taken offline; the service has begun to bring it back and will have done so then.
    Offline(Option<Time>),
}

/// The durable part.
#[derive(Clone, Debug)]
pub(super) struct Geo {
    leads: bool,
    /// The term of the leader.
    epoch: u32,
    /// Whether it has run before.
    started: bool,
    /// Whether its documents are in its place's book: a leader's are, and those of one that does not know
    /// yet what became of it.
    books: bool,
    /// The position of the first change in the log.
    base: u64,
    /// A leader's: what some follower does not have. Of a region that led until it was taken offline: what it
    /// had not shipped to all.
    log: VecDeque<Logged>,
    /// The term in which the log was written.
    log_epoch: u32,
    /// Whether the old leader had yielded everything when this one took over.
    planned: bool,
    followers: Vec<Follower>,
    fence: Fence,
    /// Of a fenced leader: who is to lead instead.
    yields_to: Option<usize>,
    /// Whose log it follows.
    leader: Option<usize>,
    /// It was taken offline, and serves nobody.
    offline: bool,
    /// It will lead from then on.
    rising: Option<(Time, Transition)>,
    /// The conflict feed, as far as it has surfaced here.
    conflicts: Vec<Row>,
    merging: Merging,
}

impl Geo {
    pub(super) fn new(group: &Group) -> Geo {
        Geo {
            leads: group.leads,
            epoch: 0,
            started: false,
            books: group.leads,
            base: 0,
            log: VecDeque::new(),
            log_epoch: 0,
            planned: false,
            followers: vec![Follower::Joined(0); group.peers.len()],
            fence: Fence::No,
            yields_to: None,
            leader: None,
            offline: false,
            rising: None,
            conflicts: Vec::new(),
            merging: Merging::new(group.peers.len()),
        }
    }

    /// The position of the next change.
    fn end(&self) -> u64 {
        self.base + self.log.len() as u64
    }

    /// Whether its documents are in its place's book.
    pub(super) fn books(&self) -> bool {
        self.books
    }
}

/// A request for a failover that is under way.
#[derive(Clone, Debug)]
struct Ask {
    connection: ConnectionId,
    message: Message,
}

/// Somebody who waits until enough regions have the log up to a position.
#[derive(Clone, Debug)]
enum Waiting {
    /// For this answer.
    Answer(Message),
    /// To read.
    Read(Message, u16),
}

/// The way to another region.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    /// Whether it answers, as far as is known.
    up: bool,
    /// The position up to which the log is under way.
    shipped: u64,
    /// How many batches are under way.
    in_flight: u32,
}

/// The volatile part.
#[derive(Clone, Debug, Default)]
pub(super) struct Link {
    lines: Vec<Line>,
    /// A leader that was away takes no request before it knows that it still leads.
    checking: bool,
    /// A timer is armed to look for the others.
    looking: bool,
    /// A timer is armed to tell the name and the control plane who leads.
    telling: bool,
    waiting: VecDeque<(u64, ConnectionId, Waiting)>,
    /// A follower that waits for the leader to yield.
    asked_leader: bool,
    asks: Vec<Ask>,
    replay: Option<Replay>,
}

impl CosmosDbProcess {
    /// Why a region does not take this request, if so.
    pub(super) fn barred(&self, command: &Command) -> Option<Error> {
        let geo = self.geo.as_ref()?;
        let link = &self.volatile.link;
        let away = geo.offline || geo.leads && link.checking;
        match command {
            _ if away => Some(Error::Unavailable),
            // 403.3: not the write region.
            Command::Write { .. } if !geo.leads || geo.fence != Fence::No => Some(Error::ReadOnly),
            Command::Write { .. } if !self.has_quorum() => Some(Error::Unavailable),
            Command::Read { .. } if !self.may_read() => Some(Error::Unavailable),
            _ => None,
        }
    }

    /// Whether it commits writes now.
    pub(super) fn commits(&self) -> bool {
        self.geo.as_ref().is_none_or(|geo| {
            geo.leads && geo.fence == Fence::No && !geo.offline && !self.volatile.link.checking
        })
    }

    /// A region of a group starts.
    pub(super) fn geo_start(&mut self, cx: &mut Context<'_>) {
        let multi = self.is_multi();
        let Some(geo) = &mut self.geo else { return };
        let first = !std::mem::replace(&mut geo.started, true);
        let line = Line { up: first, shipped: geo.base, in_flight: 0 };
        self.volatile.link.lines = vec![line; geo.followers.len()];
        if first {
            return;
        }
        if geo.leads {
            self.volatile.link.checking = !multi;
            self.wake_returns(cx);
            self.look(cx);
            self.proclaim(cx);
        } else if let Some((until, _)) = geo.rising {
            cx.timer(until.since(cx.now()), GEO | RISE, true);
        }
    }

    pub(super) fn geo_timer(&mut self, what: u64, cx: &mut Context<'_>) {
        match what & 0xff {
            LOOK => {
                self.volatile.link.looking = false;
                self.look(cx);
            }
            RISE => self.rise_due(cx),
            TELL => {
                self.volatile.link.telling = false;
                self.proclaim(cx);
            }
            RETURN => self.bring_back((what >> 8) as usize, cx),
            _ => {}
        }
    }

    /// Another region says something.
    pub(super) fn replica(
        &mut self,
        from: ProcessId,
        connection: ConnectionId,
        record: &Record,
        cx: &mut Context<'_>,
    ) {
        let Some(peer) = self.peer(from) else { return };
        match record {
            Record::Ship { epoch, from, changes } => {
                self.shipped(peer, connection, (*epoch, *from), changes, cx)
            }
            Record::Base { epoch, at, state } => self.based(peer, connection, (*epoch, *at), state, cx),
            Record::Ack { epoch, upto } => self.acked(peer, *epoch, *upto, cx),
            Record::Lead { epoch, planned } => self.led(peer, *epoch, *planned, cx),
            Record::Follow { epoch, applied, fresh, rising } => {
                self.followed(peer, *epoch, *applied, (*fresh, *rising), cx);
            }
            Record::Yield { epoch, planned } => self.asked_to_yield(peer, *epoch, *planned, cx),
            Record::Yielded { epoch } => self.yielded(peer, *epoch, cx),
            Record::Unpaired => self.taken_offline(peer, cx),
            Record::Declined => self.declined(cx),
            // Here it is asked by the control plane.
            Record::Promote { .. } => {}
        }
    }

    fn peer(&self, process: ProcessId) -> Option<usize> {
        self.setup.group.as_ref()?.peers.iter().position(|peer| *peer == process)
    }

    fn tell_peer(&self, peer: usize, record: Record, cx: &mut Context<'_>) {
        if let Some(group) = &self.setup.group {
            cx.tell(group.peers[peer], Message::new(Body::Replica(record)));
        }
    }

    /// A connection is gone.
    pub(super) fn peer_lost(&mut self, process: ProcessId, cx: &mut Context<'_>) {
        let (Some(group), Some(geo)) = (&self.setup.group, &self.geo) else { return };
        if group.before.contains(&process)
            && geo.leads
            && geo.epoch > 0
            && !std::mem::replace(&mut self.volatile.link.telling, true)
        {
            cx.timer(LOOK_AGAIN, GEO | TELL, false);
        }
        let Some(peer) = self.peer(process) else { return };
        let link = &mut self.volatile.link;
        let Some(line) = link.lines.get_mut(peer) else { return };
        (line.up, line.in_flight) = (false, 0);
        self.answer_lost_asks(peer, cx);
        let (Some(geo), link) = (&self.geo, &mut self.volatile.link) else { return };
        if !geo.leads {
            return;
        }
        if geo.fence == Fence::Draining {
            self.resume(cx);
        } else if link.checking && link.lines.iter().all(|line| !line.up) {
            // Nobody is there who could lead instead.
            link.checking = false;
            self.expire(cx);
        }
        self.settle(cx);
        self.look_later(cx);
    }

    fn look_later(&mut self, cx: &mut Context<'_>) {
        if !std::mem::replace(&mut self.volatile.link.looking, true) {
            cx.timer(LOOK_AGAIN, GEO | LOOK, false);
        }
    }

    /// Whether the regions are in sync, as far as this one knows.
    pub(super) fn in_sync(&self, now: Time) -> bool {
        let Some(geo) = &self.geo else { return true };
        let joined = geo.followers.iter().all(|follower| matches!(follower, Follower::Joined(_)));
        let up = self.volatile.link.lines.iter().all(|line| line.up);
        let fresh = geo.log.front().is_none_or(|oldest| now.since(oldest.at) < IN_SYNC);
        geo.leads && joined && up && fresh
    }
}
