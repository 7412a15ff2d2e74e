//! The namespace as a process: what arrives is sorted out here. Its state is the configuration, the
//! durable store and what a crash takes away (links, locks' owners, what waits for a sync).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::faults::Hook;
use crate::ids::{CallId, ConnectionId, Item, ProcessId};
use crate::kernel::slab::Slab;
use crate::message::broker::{Command, Error, Event, ReceiveMode, Source};
use crate::message::replication::Letter;
use crate::message::{Body, Message};
use crate::node::{Context, Gauge, Input, Process, TimerId};
use crate::observe::{Handling, Held};
use crate::services::commits::Commits;
use crate::services::connections::Connections;
use crate::services::replicas::{Channel, Leads, Paired, SYNC, Tenure, Writes};
use crate::services::service_bus::entity::{Entity, State};
use crate::services::service_bus::layout::{Layout, Role};
use crate::services::throttle::{Meter, Pinch};
use crate::time::Time;

/// What a timer is for; the top byte of its token.
pub(super) mod token {
    pub(in crate::services::service_bus) const LOCK: u64 = 1;
    pub(in crate::services::service_bus) const SESSION: u64 = 2;
    pub(in crate::services::service_bus) const SCHEDULED: u64 = 3;
    pub(in crate::services::service_bus) const EXPIRY: u64 = 4;
    pub(in crate::services::service_bus) const RETRY: u64 = 5;
    pub(in crate::services::service_bus) const SESSION_WAIT: u64 = 6;
    pub(in crate::services::service_bus) const GEO: u64 = 7;

    /// A token: what for, at which part, about which slot.
    pub(in crate::services::service_bus) const fn of(kind: u64, part: u16, slot: u32) -> u64 {
        kind << 56 | (part as u64) << 32 | slot as u64
    }
}

/// A lock token: never 0, and never again the same for the same message within 16 million locks.
pub(super) fn lock_id(count: u32, part: u16, slot: u32) -> u64 {
    u64::from(count) << 40 | 1 << 63 | u64::from(part) << 24 | u64::from(slot & 0xff_ffff)
}

/// Which message a lock token is about: the part and the slot.
pub(super) fn locked_at(lock: u64) -> (u16, u32) {
    ((lock >> 24) as u16, lock as u32 & 0xff_ffff)
}

/// A receiver link.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) connection: ConnectionId,
    /// The client's number for it.
    pub(super) number: u32,
    /// Unique in the life of the process; locks name it.
    pub(super) serial: u32,
    pub(super) part: u16,
    pub(super) mode: ReceiveMode,
    pub(super) source: Source,
    pub(super) credit: u32,
    pub(super) in_ring: bool,
    /// The session that it owns.
    pub(super) session: Option<u32>,
    /// The last traffic on it.
    pub(super) active: Time,
    /// The request that opened it, to be answered when a session is there.
    pub(super) opened_by: (CallId, u32, u16),
    /// The end of its wait for a session.
    pub(super) wait: Option<TimerId>,
}

/// The receivers of one entity.
#[derive(Clone, Debug, Default)]
pub(super) struct Outlet {
    /// Links that may have credit, by slot and serial number, in their turn.
    pub(super) ring: VecDeque<(u32, u32)>,
    /// Links that wait for a session.
    pub(super) waiters: VecDeque<(u32, u32)>,
    /// How many links there are.
    pub(super) links: u32,
    /// Whether a further attempt to deliver is planned.
    pub(super) retry: bool,
    /// For when the next look at expired messages is planned.
    pub(super) expiry: Option<Time>,
}

/// What survives a crash.
#[derive(Clone, Debug)]
pub(super) struct Store {
    pub(super) entities: Vec<Entity>,
    /// Counts the locks given out, so that no token of an earlier life is valid again.
    pub(super) last_lock: u32,
    /// Of one of a pair.
    pub(super) tenure: Option<Box<Tenure>>,
    /// Of one that follows: what the leader holds, by entity and sequence number.
    pub(super) shadows: Vec<BTreeMap<u64, Letter>>,
}

/// What a crash takes away.
#[derive(Clone, Debug, Default)]
pub(super) struct Live {
    pub(super) commits: Commits,
    pub(super) links: Slab<Link>,
    pub(super) index: BTreeMap<(ConnectionId, u32), u32>,
    pub(super) serial: u32,
    pub(super) outlets: Vec<Outlet>,
    pub(super) credits: Meter,
    pub(super) ingress: Meter,
    pub(super) fault: Pinch,
    pub(super) connections: Connections,
    pub(super) channel: Channel,
}

/// A namespace with its entities.
#[derive(Clone, Debug)]
pub struct Namespace {
    pub(super) layout: Arc<Layout>,
    pub(super) store: Store,
    pub(super) live: Live,
}

impl Namespace {
    /// A new namespace with empty entities.
    pub(super) fn new(layout: Layout) -> Namespace {
        let entities = layout.entities.iter().map(|_| Entity::default()).collect();
        let tenure = layout.pair.as_ref().map(|pair| Box::new(Tenure::new(pair)));
        let shadows = if tenure.is_some() { layout.entities.len() } else { 0 };
        let shadows = vec![BTreeMap::new(); shadows];
        Namespace::rebuilt(Arc::new(layout), Store { entities, last_lock: 0, tenure, shadows })
    }

    /// A namespace that starts from its durable state.
    pub(super) fn rebuilt(layout: Arc<Layout>, mut store: Store) -> Namespace {
        store.entities.iter_mut().for_each(Entity::recover);
        let outlets = layout.entities.iter().map(|_| Outlet::default()).collect();
        Namespace { layout, store, live: Live { outlets, ..Live::default() } }
    }

    pub(super) fn entity(&mut self, part: u16) -> &mut Entity {
        &mut self.store.entities[usize::from(part)]
    }

    pub(super) fn outlet(&mut self, part: u16) -> &mut Outlet {
        &mut self.live.outlets[usize::from(part)]
    }

    /// The link in this slot, if it is still the one with this serial number.
    pub(super) fn link(&mut self, slot: u32, serial: u32) -> Option<&mut Link> {
        self.live.links.get_mut(slot).filter(|link| link.serial == serial)
    }

    /// Refuses a command: nothing has happened.
    pub(super) fn refuse(&self, to: ConnectionId, message: &Message, why: Error, cx: &mut Context<'_>) {
        cx.handled(to, message, Handling::Rejected);
        cx.answer(to, message.answer(Body::BrokerEvent(Event::Refused(why))));
    }

    /// What every request passes: quota of connections, throttling of the whole, the store, the entity.
    /// `occurrence` tells requests about the same item apart.
    pub(super) fn admit(
        &mut self,
        connection: ConnectionId,
        part: u16,
        (item, occurrence): (Item, u64),
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        let limited = cx.impaired(Hook::ConnectionQuota, part);
        if let Err(quota) = self.live.connections.admit(connection, self.layout.max_connections, limited) {
            if let Some(strike) = quota {
                cx.touched(item, strike);
            }
            return Err(Error::QuotaExceeded);
        }
        for (hook, error) in [(Hook::BrokerBusy, Error::ServiceBusy), (Hook::StoreDown, Error::GeneralError)]
        {
            if cx.strike(hook, part, item, occurrence).is_some() {
                return Err(error);
            }
        }
        if usize::from(part) >= self.layout.entities.len() || self.deleted(part, item, cx) {
            return Err(Error::MessagingEntityNotFound);
        }
        Ok(())
    }

    fn command(&mut self, from: ConnectionId, message: Message, cx: &mut Context<'_>) {
        let Body::Broker(command) = &message.body else { return };
        if !self.serves() {
            if !matches!(command, Command::Credit { .. } | Command::Drain { .. } | Command::Detach { .. }) {
                self.refuse(from, &message, Namespace::away(), cx);
            }
            return;
        }
        match command {
            Command::Send { .. } => self.send(from, message, cx),
            Command::Attach { part, link, from: source, mode, credit } => {
                let (part, link, source, mode, credit) = (*part, *link, *source, *mode, *credit);
                self.attach(from, &message, (part, link), (source, mode, credit), cx);
            }
            Command::Credit { link, more } => self.credit(from, *link, *more, cx),
            Command::Drain { link } => self.drain(from, *link),
            Command::Detach { link } => self.detach(from, *link, cx),
            Command::Settle { .. } => self.settle(from, message, cx),
            Command::Renew { link, lock } => self.renew(from, &message, *link, *lock, cx),
            Command::Transact { .. } => self.transact(from, message, cx),
            Command::ReceiveDeferred { link, sequence, .. } => {
                self.receive_deferred(from, &message, *link, *sequence, cx);
            }
            Command::CancelScheduled { .. } => self.cancel_scheduled(from, message, cx),
            Command::Peek { part, max } => self.peek(from, &message, *part, *max, cx),
            Command::Receive { .. } => self.refuse(from, &message, Error::InvalidOperation, cx),
        }
    }

    fn timer(&mut self, token: u64, cx: &mut Context<'_>) {
        let (part, slot) = ((token >> 32) as u16, token as u32);
        if token >> 56 != token::GEO && !self.serves() {
            return;
        }
        match token >> 56 {
            token::GEO => self.pair_timer(slot, cx),
            token::LOCK => self.lock_expired(part, slot, cx),
            token::SESSION => self.session_expired(part, slot, cx),
            token::SCHEDULED => self.scheduled_due(part, cx),
            token::EXPIRY => self.expiry_due(part, cx),
            token::RETRY => {
                self.outlet(part).retry = false;
                self.pump_all(part, cx);
            }
            token::SESSION_WAIT => self.session_wait_over(slot, cx),
            _ => {}
        }
    }

    /// After a crash: the locks are lost, as if expired; scheduled messages still wait for their time.
    fn start(&mut self, cx: &mut Context<'_>) {
        self.pair_start(cx);
        if self.serves() {
            self.recover_entities(cx);
        }
    }

    /// The same for its entities, as soon as it serves.
    pub(super) fn recover_entities(&mut self, cx: &mut Context<'_>) {
        for part in 0..self.layout.entities.len() as u16 {
            let entity = self.entity(part);
            let mut locked: Vec<(u64, u32)> = entity
                .messages
                .iter()
                .filter(|(_, m)| matches!(m.state, State::Locked(_)))
                .map(|(slot, m)| (m.sequence, slot))
                .collect();
            locked.sort_unstable();
            let due: Vec<Time> = entity.scheduled.keys().map(|(due, _)| *due).collect();
            for (_, slot) in locked {
                self.lock_expired(part, slot, cx);
            }
            self.entity(part).line_up_sessions();
            for due in due {
                cx.timer(due.since(cx.wall()), token::of(token::SCHEDULED, part, 0), true);
            }
        }
    }
}

impl Process for Namespace {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        self.live.channel.now = cx.now();
        match input {
            Input::Start => self.start(cx),
            Input::Message { from, connection, message } => match &message.body {
                Body::Broker(_) => self.command(connection, message, cx),
                Body::Control(command) => self.control(connection, &message, *command, cx),
                Body::Probe => probe(self.serves(), from, connection, &message, cx),
                Body::Replica(record) => self.replica(from, connection, record, cx),
                _ => {}
            },
            Input::Timer(token) => self.timer(token, cx),
            Input::Disk(token, result) if token & SYNC != 0 => self.written(result, cx),
            Input::Disk(_, result) => self.synced(result, cx),
            Input::Closed { connection, peer, .. } => {
                self.closed(connection, cx);
                self.peer_lost(peer, cx);
            }
            Input::Poke => {}
        }
        self.ship(cx);
    }

    fn crash(&mut self) {
        let entities = std::mem::take(&mut self.store.entities);
        let tenure = self.store.tenure.take();
        let shadows = std::mem::take(&mut self.store.shadows);
        let store = Store { entities, last_lock: self.store.last_lock, tenure, shadows };
        *self = Namespace::rebuilt(Arc::clone(&self.layout), store);
    }

    fn gauges(&self, now: Time, out: &mut dyn FnMut(Gauge)) {
        self.look(now, out);
    }

    fn inventory(&self, out: &mut dyn FnMut(Held)) {
        for (settings, entity) in self.layout.entities.iter().zip(&self.store.entities) {
            let rest = settings.role == Role::DeadLetter;
            let shut = !entity.enabled;
            for (_, stored) in entity.messages.iter() {
                out(Held { place: settings.place, item: stored.item, copies: 1, rest, shut });
            }
        }
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}

fn probe(ready: bool, from: ProcessId, connection: ConnectionId, message: &Message, cx: &mut Context<'_>) {
    let answer = message.answer(Body::ProbeAnswer { ready });
    if connection == ConnectionId::NONE {
        cx.datagram(from, answer);
    } else {
        cx.answer(connection, answer);
    }
}
