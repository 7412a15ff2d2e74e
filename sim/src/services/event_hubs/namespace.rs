//! The namespace as a process: what arrives is sorted out here. Its state is the configuration, the logs,
//! and what a crash takes away (who reads, what waits).

use std::sync::Arc;

use crate::client::Caller;
use crate::faults::Hook;
use crate::ids::{ConnectionId, Item, ProcessId};
use crate::kernel::slab::Slab;
use crate::message::broker::{Command, Error, Event};
use crate::message::replication::{Change, HubChange};
use crate::message::store::{self as store_message, Error::Unavailable};
use crate::message::{Body, Message, control};
use crate::node::{Context, Gauge, Input, Process};
use crate::observe::{End, Handling, Held, What};
use crate::services::commits::Commits;
use crate::services::connections::Connections;
use crate::services::event_hubs::capture::{self, File, Window};
use crate::services::event_hubs::config::NAMESPACE;
use crate::services::event_hubs::layout::{Layout, Part, Settings};
use crate::services::event_hubs::log::Log;
use crate::services::event_hubs::receive::{Delayed, Reader};
use crate::services::front::{answer_control, turned_away};
use crate::services::ownership::Ownerships;
use crate::services::replicas::{Channel, Leads, Paired, Replica, Rises, SYNC, Tenure, Writes};
use crate::services::store::{self, answer_probe};
use crate::services::throttle::{Meter, Pinch};
use crate::services::turns::Turns;
use crate::time::{Span, Time};

/// What a timer is for; the top byte of its token.
pub(super) mod token {
    pub(in crate::services::event_hubs) const EXPIRY: u64 = 1;
    pub(in crate::services::event_hubs) const EMPTY: u64 = 2;
    pub(in crate::services::event_hubs) const DELAYED: u64 = 3;
    pub(in crate::services::event_hubs) const INFLATE: u64 = 4;
    pub(in crate::services::event_hubs) const GEO: u64 = 5;
    pub(in crate::services::event_hubs) const CAPTURE: u64 = 6;

    /// A token: what for, and about what.
    pub(in crate::services::event_hubs) const fn of(kind: u64, about: u64) -> u64 {
        kind << 56 | about
    }
}

/// The service looks for events that are too old no more often than this \[K\].
const SWEEP: Span = Span::secs(1);

/// What survives a crash.
#[derive(Clone, Debug)]
pub(super) struct Store {
    /// By hub, by partition.
    pub(super) logs: Vec<Vec<Log>>,
    /// By hub: whether it is switched on.
    pub(super) enabled: Vec<bool>,
    /// The throughput units, as inflated so far.
    pub(super) units: Option<u16>,
    /// What the processors write down that have no checkpoint store of their own.
    pub(super) ownerships: Ownerships,
    /// Of one of a pair.
    pub(super) tenure: Option<Box<Tenure>>,
}

/// What a crash takes away.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub(super) commits: Commits,
    /// By hub, by partition, by consumer group.
    pub(super) readers: Vec<Vec<Vec<Reader>>>,
    /// Answers that wait for their turn to go out.
    pub(super) delayed: Slab<Delayed>,
    /// Until when the egress is taken.
    pub(super) egress: Time,
    pub(super) turns_out: Turns,
    pub(super) ingress: [Meter; 2],
    pub(super) fault: Pinch,
    /// By hub: the partition of the next event without a key.
    pub(super) turns: Vec<u16>,
    /// By hub: whether a sweep is planned.
    pub(super) sweeping: Vec<bool>,
    /// Whether a throughput unit is being added.
    pub(super) inflating: bool,
    pub(super) connections: Connections,
    pub(super) channel: Channel,
    /// By hub, by partition: what is being captured.
    pub(super) windows: Vec<Vec<Window>>,
    pub(super) writer: Caller<File>,
}

/// A namespace with its hubs.
#[derive(Clone, Debug)]
pub(super) struct Namespace {
    pub(super) layout: Arc<Layout>,
    pub(super) store: Store,
    pub(super) live: Live,
}

impl Namespace {
    /// A new namespace with empty hubs.
    pub(super) fn new(layout: Layout) -> Namespace {
        let logs = |hub: &Settings| (0..hub.partitions).map(|_| Log::new(hub.read.len())).collect();
        let store = Store {
            logs: layout.hubs.iter().map(logs).collect(),
            enabled: vec![true; layout.hubs.len()],
            units: layout.units,
            ownerships: Ownerships::default(),
            tenure: layout.pair.as_ref().map(|pair| Box::new(Tenure::new(pair))),
        };
        let live = Namespace::fresh(&layout);
        Namespace { layout: Arc::new(layout), store, live }
    }

    /// What a process has that has just started.
    pub(super) fn fresh(layout: &Layout) -> Live {
        let readers =
            |hub: &Settings| vec![vec![Reader::default(); hub.read.len()]; usize::from(hub.partitions)];
        Live {
            readers: layout.hubs.iter().map(readers).collect(),
            turns: vec![0; layout.hubs.len()],
            sweeping: vec![false; layout.hubs.len()],
            commits: Commits::default(),
            delayed: Slab::default(),
            egress: Time::ZERO,
            turns_out: Turns::default(),
            ingress: [Meter::default(); 2],
            fault: Pinch::default(),
            inflating: false,
            connections: Connections::default(),
            channel: Channel::default(),
            windows: layout
                .hubs
                .iter()
                .map(|hub| vec![Window::default(); usize::from(hub.partitions)])
                .collect(),
            writer: capture::writer(layout.name),
        }
    }

    /// Refuses a command: nothing has happened.
    pub(super) fn refuse(&self, to: ConnectionId, message: &Message, why: Error, cx: &mut Context<'_>) {
        cx.handled(to, message, Handling::Rejected);
        cx.answer(to, message.answer(Body::BrokerEvent(Event::Refused(why))));
    }

    /// What every request passes: the quota of connections, and the faults of the whole. `part`: of the hub.
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
        Ok(())
    }

    fn message(&mut self, from: ProcessId, connection: ConnectionId, message: Message, cx: &mut Context<'_>) {
        if self.live.writer.on_message(cx, &message) {
            return self.written_files(cx);
        }
        if !self.serves() && matches!(message.body, Body::Broker(_)) {
            // During a promotion nothing is published and nothing consumed; a secondary serves nobody (facts 3.6).
            return self.refuse(connection, &message, Error::ServiceBusy, cx);
        }
        match &message.body {
            Body::Broker(Command::Send { .. }) => self.publish(connection, message, cx),
            Body::Broker(Command::Receive { .. }) => self.receive(connection, message, cx),
            Body::Broker(_) => self.refuse(connection, &message, Error::InvalidOperation, cx),
            Body::Store(command) => {
                if self.serves() {
                    self.ownership(connection, &message, command.clone(), cx);
                } else {
                    store::refuse(connection, &message, Unavailable, None, cx);
                }
            }
            Body::Control(command) => self.control(connection, &message, *command, cx),
            Body::Replica(record) => self.replica(from, connection, record, cx),
            Body::Probe => {
                let ready = cx.visible(Hook::StoreDown, NAMESPACE);
                answer_probe(from, connection, &message, ready.is_none() && self.serves(), cx);
            }
            _ => {}
        }
    }

    /// What processors write down here that have no checkpoint store of their own.
    fn ownership(
        &mut self,
        connection: ConnectionId,
        message: &Message,
        command: store_message::Command,
        cx: &mut Context<'_>,
    ) {
        let at = cx.wall();
        let Some(answer) = self.store.ownerships.answer(&command, at) else { return };
        if !matches!(answer, Body::Owners(_)) {
            self.log(Change::Hub(HubChange::Written { command, at }));
        }
        self.acknowledge(connection, message.answer(answer), cx);
    }

    fn timer(&mut self, token: u64, cx: &mut Context<'_>) {
        if self.live.writer.on_timer(cx, token) {
            return self.written_files(cx);
        }
        let about = token & ((1 << 56) - 1);
        match token >> 56 {
            token::GEO => self.pair_timer(about as u32, cx),
            _ if !self.serves() => {}
            token::EXPIRY => self.sweep(about as usize, cx),
            token::EMPTY => self.nothing_came(about, cx),
            token::DELAYED => self.let_out(about as u32, cx),
            token::INFLATE => self.inflated(),
            token::CAPTURE => self.window_over(about, cx),
            _ => {}
        }
    }

    /// Forgets what is older than the retention of a hub, and plans the next look.
    fn sweep(&mut self, hub: usize, cx: &mut Context<'_>) {
        let Some(settings) = self.layout.hubs.get(hub) else { return };
        let (place, retention, now) = (settings.place, settings.retention, cx.wall());
        for log in &mut self.store.logs[hub] {
            log.expire(now, retention, |item| cx.observe(item, What::Ended { place, cause: End::Expired }));
        }
        self.live.sweeping[hub] = false;
        self.plan_sweep(hub, cx);
    }

    /// Looks again when the oldest event is too old. No event waits for that: it is upkeep.
    pub(super) fn plan_sweep(&mut self, hub: usize, cx: &mut Context<'_>) {
        let Some(oldest) = self.store.logs[hub].iter().filter_map(Log::oldest).min() else { return };
        if !std::mem::replace(&mut self.live.sweeping[hub], true) {
            let due = (oldest + self.layout.hubs[hub].retention).since(cx.wall());
            cx.timer(due.max(SWEEP), token::of(token::EXPIRY, hub as u64), false);
        }
    }

    fn control(
        &mut self,
        from: ConnectionId,
        message: &Message,
        command: control::Command,
        cx: &mut Context<'_>,
    ) {
        if turned_away(from, message, command, cx) {
            return;
        }
        if let control::Command::Promote { to, mode } = command {
            return self.promote(from, message, to, mode, cx);
        }
        let answer = self.manage(command, cx).unwrap_or(control::Answer::Refused);
        answer_control(from, message, answer, cx);
    }

    fn manage(&mut self, command: control::Command, cx: &mut Context<'_>) -> Option<control::Answer> {
        match command {
            control::Command::Verify { part } => {
                let faults = [Hook::EntityDisabledForSend, Hook::EntityDisabledForReceive, Hook::StoreDown];
                let mut up = faults.iter().all(|hook| cx.impaired(*hook, part).is_none()) && self.serves();
                if let Some(Part::Hub(hub)) = self.layout.part(part) {
                    up &= self.store.enabled[usize::from(hub)];
                }
                Some(control::Answer::State { up, in_sync: self.in_sync() })
            }
            _ if !self.serves() => None,
            control::Command::Depth { part } => {
                let (hub, group) = match self.layout.part(part)? {
                    Part::Hub(hub) => (hub, 0),
                    Part::Group { hub, group } => (hub, group),
                };
                let logs = &self.store.logs[usize::from(hub)];
                let waiting = logs.iter().map(|log| log.waiting(usize::from(group))).sum();
                Some(control::Answer::Depth { part, waiting })
            }
            control::Command::Enable { part, on } => {
                let Part::Hub(hub) = self.layout.part(part)? else { return None };
                self.store.enabled[usize::from(hub)] = on;
                self.log(Change::Enabled { part, on });
                if !on {
                    self.disconnect_all(usize::from(hub), Error::MessagingEntityDisabled, cx);
                }
                Some(control::Answer::Done)
            }
            _ => None,
        }
    }
}

impl Process for Namespace {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        self.live.channel.now = cx.now();
        match input {
            Input::Start => {
                self.pair_start(cx);
                if self.serves() {
                    self.reopen(cx);
                }
            }
            Input::Message { from, connection, message } => self.message(from, connection, message, cx),
            Input::Timer(token) => self.timer(token, cx),
            Input::Disk(token, result) if token & SYNC != 0 => self.written(result, cx),
            Input::Disk(_, result) => self.synced(result, cx),
            Input::Closed { connection, peer, .. } => {
                self.closed(connection);
                self.live.writer.on_closed(cx, peer);
                self.written_files(cx);
                self.peer_lost(peer, cx);
            }
            Input::Poke => {}
        }
        self.ship(cx);
    }

    fn crash(&mut self) {
        self.live = Namespace::fresh(&self.layout);
    }

    fn gauges(&self, now: Time, out: &mut dyn FnMut(Gauge)) {
        self.look(now, out);
    }

    fn inventory(&self, out: &mut dyn FnMut(Held)) {
        if !self.is_booked() {
            return;
        }
        for ((settings, logs), enabled) in
            self.layout.hubs.iter().zip(&self.store.logs).zip(&self.store.enabled)
        {
            // What nobody reads may stay where it is.
            let rest = !settings.read.contains(&true);
            for item in logs.iter().flat_map(Log::open) {
                out(Held { place: settings.place, item, copies: 1, rest, shut: !enabled });
            }
        }
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}
