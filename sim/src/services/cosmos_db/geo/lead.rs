//! The leader: what it commits goes into the log, the log goes to the other regions.

use std::sync::Arc;

use super::{Follower, Geo, LOOK_AGAIN, Logged, RETURN, Row};
use smallvec::SmallVec;

use crate::ids::ConnectionId;
use crate::message::replication::{self, Record};
use crate::message::store::Command;
use crate::message::{Body, Cargo, Message};
use crate::node::Context;
use crate::random::Purpose;
use crate::services::cosmos_db::{CosmosDbProcess, GEO};
use crate::services::tables::Change;

/// So many batches may be under way to a region at once \[K\].
const WINDOW: u32 = 16;
/// So many changes make a batch at most \[K\].
const BATCH: usize = 256;

impl Logged {
    /// The change as it goes to this region.
    fn for_region(&self, peer: usize) -> replication::Change {
        let mut change = self.change.clone();
        if let replication::Change::Documents { seen, .. } = &mut change {
            *seen = self.seen.get(peer).copied().unwrap_or(0);
        }
        change
    }
}

impl Geo {
    fn log(&mut self, logged: Logged) {
        self.log_epoch = self.epoch;
        self.log.push_back(logged);
    }
}

impl CosmosDbProcess {
    /// Logs what a request has committed.
    pub(in crate::services::cosmos_db) fn log_commit(
        &mut self,
        message: &Message,
        journal: &[Change],
        cx: &Context<'_>,
    ) {
        if self.is_multi() {
            return self.log_documents(message, journal, cx);
        }
        let (Some(geo), Body::Store(Command::Write { operations, execution })) =
            (&mut self.geo, &message.body)
        else {
            return;
        };
        let births = journal.iter().filter_map(|change| match *change {
            Change::Born { part, item, typed, .. } => Some(Row { part, item, typed }),
            _ => None,
        });
        let change = replication::Change::Committed {
            operations: Arc::clone(operations),
            execution: *execution,
            items: message.cargo.clone(),
        };
        geo.log(Logged { at: cx.now(), change, births: births.collect(), seen: SmallVec::new() });
    }

    /// Logs that a document has expired. Where all regions take writes each finds out by itself.
    pub(in crate::services::cosmos_db) fn log_expired(
        &mut self,
        change: replication::Change,
        cx: &Context<'_>,
    ) {
        let multi = self.is_multi();
        if let Some(geo) = self.geo.as_mut().filter(|_| !multi) {
            geo.log(Logged { at: cx.now(), change, births: SmallVec::new(), seen: SmallVec::new() });
        }
    }

    /// Sends what is new in the log.
    pub(in crate::services::cosmos_db) fn ship(&mut self, cx: &mut Context<'_>) {
        let (Some(group), Some(geo)) = (&self.setup.group, &mut self.geo) else { return };
        if !geo.leads {
            return;
        }
        for (peer, line) in self.volatile.link.lines.iter_mut().enumerate() {
            let joined = matches!(geo.followers[peer], Follower::Joined(_));
            while joined && line.up && line.in_flight < WINDOW && line.shipped < geo.end() {
                let start = (line.shipped - geo.base) as usize;
                let end = (start + BATCH).min(geo.log.len());
                let changes: Vec<replication::Change> =
                    geo.log.range(start..end).map(|logged| logged.for_region(peer)).collect();
                let cargo = Cargo::of(changes.iter().flat_map(replication::Change::items).copied().collect());
                let record =
                    Record::Ship { epoch: geo.epoch, from: line.shipped, changes: Arc::new(changes) };
                line.shipped = geo.base + end as u64;
                line.in_flight += 1;
                cx.tell(group.peers[peer], Message::new(Body::Replica(record)).carrying(cargo));
            }
        }
        self.trim();
    }

    /// A region has the log up to there.
    pub(super) fn acked(&mut self, peer: usize, epoch: u32, upto: u64, cx: &mut Context<'_>) {
        let Some(geo) = self.geo.as_mut().filter(|geo| geo.leads && geo.epoch == epoch) else { return };
        if let Follower::Joined(applied) = &mut geo.followers[peer] {
            *applied = upto.max(*applied);
        }
        let line = &mut self.volatile.link.lines[peer];
        (line.up, line.in_flight) = (true, line.in_flight.saturating_sub(1));
        self.trim();
        self.settle(cx);
        self.check_drained(cx);
    }

    /// Forgets what all regions have that follow.
    pub(super) fn trim(&mut self) {
        let Some(geo) = self.geo.as_mut().filter(|geo| geo.leads) else { return };
        let needed = geo.followers.iter().filter_map(|follower| match follower {
            Follower::Joined(applied) | Follower::Leaving(applied) => Some(*applied),
            // It may be asked to lead before it has heard of this one: then all of this is a tail.
            Follower::Lapsed => Some(0),
            Follower::Offline(_) => None,
        });
        let least = needed.min().unwrap_or(u64::MAX);
        while geo.base < least && geo.log.pop_front().is_some() {
            geo.base += 1;
        }
    }

    /// Looks for the regions that do not answer, and says that it leads.
    pub(super) fn look(&mut self, cx: &mut Context<'_>) {
        let Some(geo) = self.geo.as_ref().filter(|geo| geo.leads) else { return };
        for (peer, line) in self.volatile.link.lines.iter().enumerate() {
            if !line.up {
                self.tell_peer(peer, Record::Lead { epoch: geo.epoch, planned: geo.planned }, cx);
            }
        }
    }

    /// A region says how far it is.
    pub(super) fn followed(
        &mut self,
        peer: usize,
        epoch: u32,
        applied: u64,
        (fresh, rising): (bool, bool),
        cx: &mut Context<'_>,
    ) {
        let Some(geo) = self.geo.as_mut().filter(|geo| geo.leads && geo.epoch == epoch) else { return };
        let line = &mut self.volatile.link.lines[peer];
        (line.up, line.in_flight) = (true, 0);
        match &mut geo.followers[peer] {
            Follower::Joined(known)
                if !fresh && (geo.base..=geo.base + geo.log.len() as u64).contains(&applied) =>
            {
                *known = applied;
                line.shipped = applied;
            }
            Follower::Joined(_) | Follower::Lapsed => self.rejoin(peer, cx),
            Follower::Leaving(_) if !fresh => self.tell_peer(peer, Record::Unpaired, cx),
            Follower::Leaving(_) | Follower::Offline(_) => self.begin_return(peer, cx),
        }
        if std::mem::take(&mut self.volatile.link.checking) {
            self.expire(cx);
        }
        self.fenced(peer, rising, cx);
        self.settle(cx);
    }

    /// A region that was taken offline answers: the service begins to bring it back (facts 1.8).
    fn begin_return(&mut self, peer: usize, cx: &mut Context<'_>) {
        let (Some(group), Some(geo)) = (&self.setup.group, &mut self.geo) else { return };
        if matches!(geo.followers[peer], Follower::Offline(None) | Follower::Leaving(_)) {
            let identity = [u64::from(geo.epoch), cx.plan().process(group.peers[peer]).hash];
            let due = cx.now() + group.region_return.at(cx.draw(Purpose::Work, identity));
            geo.followers[peer] = Follower::Offline(Some(due));
            self.wake_return(peer, cx);
        }
    }

    pub(super) fn wake_returns(&self, cx: &mut Context<'_>) {
        let followers = self.geo.as_ref().map_or(0, |geo| geo.followers.len());
        (0..followers).for_each(|peer| self.wake_return(peer, cx));
    }

    fn wake_return(&self, peer: usize, cx: &mut Context<'_>) {
        if let Some(geo) = &self.geo
            && let Follower::Offline(Some(due)) = geo.followers[peer]
        {
            // What the region holds is waited for, unless it comes back after everything.
            let work = due <= cx.plan().deadline();
            cx.timer(due.since(cx.now()), GEO | (peer as u64) << 8 | RETURN, work);
        }
    }

    /// The service has brought a region back: it follows from now on. One that does not answer now is tried
    /// again.
    pub(super) fn bring_back(&mut self, peer: usize, cx: &mut Context<'_>) {
        let Some(geo) = self.geo.as_mut().filter(|geo| geo.leads) else { return };
        let Follower::Offline(Some(due)) = geo.followers[peer] else { return };
        if due > cx.now() {
            return;
        }
        if self.volatile.link.lines[peer].up {
            self.rejoin(peer, cx);
        } else {
            geo.followers[peer] = Follower::Offline(Some(cx.now() + LOOK_AGAIN));
            self.wake_return(peer, cx);
        }
    }

    /// A region gets everything that there is, and follows from there.
    fn rejoin(&mut self, peer: usize, cx: &mut Context<'_>) {
        let Some(geo) = &mut self.geo else { return };
        let at = geo.end();
        geo.followers[peer] = Follower::Joined(at);
        self.volatile.link.lines[peer].shipped = at;
        let record = Record::Base { epoch: geo.epoch, at, state: Arc::new(self.durable.clone()) };
        self.tell_peer(peer, record, cx);
    }

    /// Somebody asks for a forced failover to the region that leads: those that do not answer are taken
    /// offline (facts 1.8: the mitigation where a lost read region stops writes).
    pub(super) fn offline_the_silent(&mut self, cx: &mut Context<'_>) {
        let Some(geo) = &mut self.geo else { return };
        for (follower, line) in geo.followers.iter_mut().zip(&self.volatile.link.lines) {
            if let Follower::Joined(applied) = *follower
                && !line.up
            {
                *follower = Follower::Leaving(applied);
            }
        }
        self.trim();
        self.settle(cx);
    }

    /// A region that does not follow its leader's term is told of it.
    pub(super) fn contest(&self, peer: usize, epoch: u32, cx: &mut Context<'_>) {
        if let Some(geo) = &self.geo
            && geo.leads
            && epoch < geo.epoch
        {
            self.tell_peer(peer, Record::Lead { epoch: geo.epoch, planned: geo.planned }, cx);
        }
    }

    /// Tells the name and the control plane that it leads.
    pub(super) fn proclaim(&self, cx: &mut Context<'_>) {
        let (Some(group), Some(geo)) = (&self.setup.group, &self.geo) else { return };
        if geo.leads && geo.epoch > 0 {
            let record = Record::Lead { epoch: geo.epoch, planned: geo.planned };
            let to = |process| cx.tell(process, Message::new(Body::Replica(record.clone())));
            group.before.into_iter().for_each(to);
        }
    }

    /// Answers a write; under strong consistency as soon as the other regions have it.
    pub(in crate::services::cosmos_db) fn acknowledge(
        &mut self,
        connection: ConnectionId,
        answer: Message,
        cx: &mut Context<'_>,
    ) {
        match self.uncommitted() {
            Some(position) => self.wait_for(position, connection, super::Waiting::Answer(answer)),
            None => cx.answer(connection, answer),
        }
    }
}
