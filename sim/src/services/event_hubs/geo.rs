//! A namespace as one of a pair (facts 3.6): what it gives to the other, and what becomes of its events when
//! the lead changes. Under Geo-DR (`metadata-only`) nothing is given but the name.

use crate::message::broker::Error;
use crate::message::replication::{Change, HubChange};
use crate::node::Context;
use crate::observe::{Birth, End, What};
use crate::services::event_hubs::layout::Part;
use crate::services::event_hubs::log::Log;
use crate::services::event_hubs::namespace::{Live, Namespace, token};
use crate::services::replicas::{Channel, Leads, Mode, Pair, Paired, Replica, Tenure};

impl Namespace {
    /// Whether what it has is in the books: a follower holds shadows.
    pub(super) fn is_booked(&self) -> bool {
        let shadows = self.layout.pair.as_ref().is_some_and(|pair| pair.mode != Mode::NameOnly);
        !shadows || self.store.tenure.as_ref().is_none_or(|tenure| tenure.leads())
    }

    /// The hub and the consumer group of a change.
    fn group(&self, part: u16) -> Option<(usize, usize)> {
        match self.layout.part(part)? {
            Part::Hub(hub) => Some((usize::from(hub), 0)),
            Part::Group { hub, group } => Some((usize::from(hub), usize::from(group))),
        }
    }

    fn follow_hub(&mut self, change: &HubChange) {
        match change {
            HubChange::Event { part, partition, item, at } => {
                if let Some((hub, _)) = self.group(*part)
                    && let Some(log) = self.store.logs[hub].get_mut(usize::from(*partition))
                {
                    log.append(*item, *at);
                }
            }
            HubChange::Done { part, partition, done } => {
                if let Some((hub, group)) = self.group(*part)
                    && let Some(log) = self.store.logs[hub].get_mut(usize::from(*partition))
                {
                    log.settle(group, *done, &self.layout.hubs[hub].read, |_| {});
                }
            }
            HubChange::Log { part, partition, base, settled, done, terms, items, at } => {
                if let Some((hub, _)) = self.group(*part)
                    && let Some(log) = self.store.logs[hub].get_mut(usize::from(*partition))
                {
                    let events = items.items().iter().copied().zip(at.iter().copied());
                    *log = Log::restored(*base, *settled, done, terms, events);
                }
            }
            HubChange::Written { command, at } => {
                self.store.ownerships.answer(command, *at);
            }
            HubChange::Ownerships(all) => self.store.ownerships = all.as_ref().clone(),
        }
    }

    fn clear(&mut self) {
        for (settings, logs) in self.layout.hubs.iter().zip(&mut self.store.logs) {
            logs.iter_mut().for_each(|log| *log = Log::new(settings.read.len()));
        }
    }
}

impl Replica for Namespace {
    fn pair(&self) -> Option<&Pair> {
        self.layout.pair.as_ref()
    }

    fn tenure(&self) -> Option<&Tenure> {
        self.store.tenure.as_deref()
    }

    fn tenure_mut(&mut self) -> Option<&mut Tenure> {
        self.store.tenure.as_deref_mut()
    }

    fn channel(&self) -> &Channel {
        &self.live.channel
    }

    fn channel_mut(&mut self) -> &mut Channel {
        &mut self.live.channel
    }

    fn token(what: u32) -> u64 {
        token::of(token::GEO, u64::from(what))
    }

    /// Readers are disconnected, what is not yet durable is refused.
    fn quiet(&mut self, cx: &mut Context<'_>) {
        for op in self.live.commits.give_up() {
            self.refuse(op.connection, &op.message, Error::ServiceBusy, cx);
        }
        for hub in 0..self.layout.hubs.len() {
            self.disconnect_all(hub, Error::ServiceBusy, cx);
        }
        let channel = std::mem::take(&mut self.live.channel);
        let connections = std::mem::take(&mut self.live.connections);
        let commits = std::mem::take(&mut self.live.commits);
        self.live = Live { channel, connections, commits, ..Namespace::fresh(&self.layout) };
    }

    fn reopen(&mut self, cx: &mut Context<'_>) {
        for hub in 0..self.layout.hubs.len() {
            self.plan_sweep(hub, cx);
        }
        self.resume_captures(cx);
    }

    fn log_everything(&mut self) {
        self.log(Change::Hub(HubChange::Ownerships(self.store.ownerships.clone().into())));
        for hub in 0..self.layout.hubs.len() {
            let part = self.layout.hubs[hub].part;
            let on = self.store.enabled[hub];
            self.log(Change::Enabled { part, on });
            for partition in 0..self.store.logs[hub].len() {
                let change = self.store.logs[hub][partition].all(part, partition as u16);
                self.log(Change::Hub(change));
            }
        }
    }

    fn apply(&mut self, change: &Change, _: &mut Context<'_>) {
        match change {
            Change::Clear => self.clear(),
            Change::Hub(change) => self.follow_hub(change),
            Change::Enabled { part, on } => {
                if let Some((hub, _)) = self.group(*part) {
                    self.store.enabled[hub] = *on;
                }
            }
            _ => {}
        }
    }

    fn take_over(&mut self, cx: &mut Context<'_>) {
        let epoch = self.store.tenure.as_ref().map_or(0, |tenure| tenure.epoch());
        for (settings, logs) in self.layout.hubs.iter().zip(&mut self.store.logs) {
            for log in logs {
                // What grew too old meanwhile is not brought back.
                log.expire(cx.wall(), settings.retention, |_| {});
                log.begin_term(epoch);
                for item in log.open() {
                    cx.observe(item, What::Born { place: settings.place, cause: Birth::Reborn });
                }
            }
        }
    }

    fn give_up(&mut self, keeps: bool, cx: &mut Context<'_>) {
        for (settings, logs) in self.layout.hubs.iter().zip(&self.store.logs) {
            let place = settings.place;
            for item in logs.iter().flat_map(Log::open) {
                cx.observe(item, What::Ended { place, cause: End::FailoverTail });
            }
        }
        if !keeps {
            self.clear();
        }
    }

    fn released(&mut self, changes: &[Change], cx: &mut Context<'_>) {
        let mut shown: Vec<(usize, u16)> = Vec::new();
        for change in changes {
            if let Change::Hub(HubChange::Event { part, partition, .. }) = change
                && let Some((hub, _)) = self.group(*part)
            {
                shown.push((hub, *partition));
            }
        }
        shown.sort_unstable();
        shown.dedup();
        for (hub, partition) in shown.into_iter().filter(|_| self.serves()).collect::<Vec<_>>() {
            self.serve_waiting(hub, usize::from(partition), cx);
        }
    }
}
