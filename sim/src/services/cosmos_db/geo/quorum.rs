//! What a consistency level asks of the regions (facts 1.1, 1.4): whether a write may begin, when it is
//! answered, who may read.

use super::{Follower, Waiting};
use crate::ids::ConnectionId;
use crate::message::Message;
use crate::node::{Context, Gauge};
use crate::services::cosmos_db::{Consistency, CosmosDbProcess};
use crate::services::store::read;
use crate::time::{Span, Time};

/// A write that bounded staleness does not let in comes again after this \[K\].
const COME_AGAIN: Span = Span::secs(1);

impl CosmosDbProcess {
    fn is_strong(&self) -> bool {
        self.setup.group.as_ref().is_some_and(|group| group.level == Consistency::Strong)
    }

    /// Of the regions that follow: how far each is, and whether it answers.
    fn following(&self) -> impl Iterator<Item = (u64, bool)> + '_ {
        let followers = self.geo.iter().flat_map(|geo| &geo.followers).zip(&self.volatile.link.lines);
        followers.filter_map(|(follower, line)| match follower {
            Follower::Joined(applied) => Some((*applied, line.up)),
            _ => None,
        })
    }

    /// Whether enough regions answer for a write: under strong consistency all, or with three or more a
    /// global majority of them (facts 1.4, dynamic quorum).
    pub(super) fn has_quorum(&self) -> bool {
        if !self.is_strong() {
            return true;
        }
        let regions = self.following().count() + 1;
        let silent = self.following().filter(|(_, up)| !up).count();
        silent <= (regions - 1) / 2
    }

    /// Whether a read is answered here: under strong consistency a region that has lost the write region may
    /// be behind, and does not answer.
    pub(super) fn may_read(&self) -> bool {
        let Some(geo) = self.geo.as_ref().filter(|_| self.is_strong()) else { return true };
        if geo.leads {
            return true;
        }
        self.volatile.link.lines.get(self.leader()).is_some_and(|line| line.up)
    }

    /// The position up to which enough regions have the log.
    fn committed(&self) -> u64 {
        let Some(geo) = &self.geo else { return u64::MAX };
        if !self.has_quorum() {
            return geo.base;
        }
        self.following().filter(|(_, up)| *up).map(|(applied, _)| applied).min().unwrap_or(u64::MAX)
    }

    /// The end of the log, if somebody has to wait until other regions have it.
    pub(super) fn uncommitted(&self) -> Option<u64> {
        let geo = self.geo.as_ref().filter(|geo| geo.leads && self.is_strong())?;
        (self.committed() < geo.end()).then(|| geo.end())
    }

    pub(super) fn wait_for(&mut self, position: u64, connection: ConnectionId, waiting: Waiting) {
        self.volatile.link.waiting.push_back((position, connection, waiting));
    }

    /// Answers whoever waited for what other regions have by now.
    pub(super) fn settle(&mut self, cx: &mut Context<'_>) {
        if self.volatile.link.waiting.is_empty() {
            return;
        }
        let committed = self.committed();
        while let Some((position, _, _)) = self.volatile.link.waiting.front()
            && *position <= committed
            && let Some((_, connection, waiting)) = self.volatile.link.waiting.pop_front()
        {
            match waiting {
                Waiting::Answer(message) => cx.answer(connection, message),
                Waiting::Read(message, part) => read(&self.durable.tables, connection, &message, part, cx),
            }
        }
    }

    /// Reads a document. Under strong consistency what not all regions have is not shown: the read waits.
    pub(in crate::services::cosmos_db) fn read(
        &mut self,
        connection: ConnectionId,
        message: &Message,
        part: u16,
        cx: &mut Context<'_>,
    ) {
        match self.uncommitted() {
            Some(position) => self.wait_for(position, connection, Waiting::Read(message.clone(), part)),
            None => read(&self.durable.tables, connection, message, part, cx),
        }
    }

    /// How long a write has to wait because another region is too far behind (facts 1.4: bounded staleness
    /// throttles writes until the lag is in bound).
    pub(in crate::services::cosmos_db) fn too_stale(&self, cx: &Context<'_>) -> Option<Span> {
        let (group, geo) = (self.setup.group.as_ref()?, self.geo.as_ref()?);
        let (count, span) = group.bound;
        let oldest = geo.log.front().filter(|_| geo.leads && group.level == Consistency::BoundedStaleness)?;
        let stale = geo.log.len() as u64 >= count || cx.now().since(oldest.at) >= span;
        stale.then_some(COME_AGAIN)
    }

    /// How far the other regions may be behind, and are, where that bounds what is written. Only a look.
    pub(in crate::services::cosmos_db) fn lag_gauges(&self, now: Time, out: &mut dyn FnMut(Gauge)) {
        let (Some(group), Some(geo)) = (&self.setup.group, &self.geo) else { return };
        if !geo.leads || group.level != Consistency::BoundedStaleness {
            return;
        }
        let (count, span) = group.bound;
        let lag = geo.log.front().map_or(Span::ZERO, |oldest| now.since(oldest.at));
        out(Gauge::level("writes behind", "writes", geo.log.len() as u64, count));
        out(Gauge::span("replication lag", lag, span));
    }
}
