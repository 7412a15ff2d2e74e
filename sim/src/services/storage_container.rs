//! `storage-container`: blobs in a storage account (facts 2). Where a broker or router parks what it
//! could not deliver, and where files are dropped.
//!
//! A write is acknowledged when all copies have it: the account's three copies are its disk, written in
//! the time of the request. Above the request rate of the account: 503 (facts 2.2).

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::faults::Hook;
use crate::ids::{ConnectionId, Item, ProcessId};
use crate::message::store::{Command, Error};
use crate::message::{Body, Message, control};
use crate::node::{Context, DiskError, Gauge, Input, Process};
use crate::observe::{Handling, Held, Symptom, What};
use crate::plan::{Location, PlaceRole, Plan, PlanError};
use crate::services::Service;
use crate::services::front::{Front, Line, Pending, answer_control, turned_away};
use crate::services::ownership::Ownerships;
use crate::services::replicas::declare::at;
use crate::services::replicas::{Channel, Leads, Pair, Paired, Rises, SYNC, Tenure, Writes, rows};
use crate::services::store::{
    about, answer_probe, book, build_tables, declare_parts, declare_parts_at, done, keeps_rows, read, refuse,
};
use crate::services::tables::{self, Change, Table};
use crate::time::{Span, Time};
use crate::units::{Distribution, OneOrMany, Rate, Sampler};

mod geo;
#[cfg(test)]
mod tests;

use geo::PAIR;

/// A container of blobs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct StorageContainer {
    /// The region; several: a container in each of them, or with a geo-redundant `redundancy` one in a
    /// region and its pair. Default: the only site.
    #[serde(rename = "in", skip_serializing_if = "OneOrMany::is_empty")]
    pub site: OneOrMany,
    /// Its folders (`lake.row`), which are then places of effects. Default: none; the container is one
    /// place, named by the node, and holds dead letters.
    pub holds: Vec<String>,
    /// How it is copied. Default: lrs.
    pub redundancy: Redundancy,
    /// With a geo-redundant `redundancy`: the region of the primary at first. Default: the first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<String>,
    /// With a geo-redundant `redundancy`: how long a write waits until it is copied to the other region; all
    /// writes before the last sync time are there. Default: 5m \[K\] (facts 2.1: typically below 15 min,
    /// no SLA).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag: Option<Span>,
    /// With a geo-redundant `redundancy`: how long a customer-managed failover (a step `failover`) takes;
    /// meanwhile nothing is read or written. Default: 30m..60m (facts 2.1, 2.3: typically within 60 min).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promotion: Option<Distribution>,
    /// How long it does not answer when a zone is lost under `zrs`. Default: 5s (facts 2.1: typically a
    /// few seconds).
    pub failover: Span,
    /// The time of one request without its sync to disk. Default: 5ms p99 50ms (not documented).
    pub latency: Distribution,
    /// The requests that the account takes; more are answered 503. Default: 20000/s (facts 2.1; 40000/s
    /// in listed large regions).
    pub request_rate: Rate,
}

/// How the copies of a storage account are spread (facts 2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Redundancy {
    /// Three copies in one datacentre: lost together with its zone.
    #[default]
    Lrs,
    /// Three copies in three zones.
    Zrs,
    /// As `lrs`, and three copies in the paired region, written later. After a failover that is not planned
    /// the account is `lrs`, until a step `enable` switches the replication on again (facts 2.3).
    Grs,
    /// As `grs`, and the copies in the paired region can be read (`lake/northeurope`).
    RaGrs,
    /// As `grs`, with three copies in three zones of the primary region.
    Gzrs,
    /// As `gzrs`, and the copies in the paired region can be read.
    RaGzrs,
}

impl Default for StorageContainer {
    fn default() -> Self {
        Self {
            site: OneOrMany::default(),
            holds: Vec::new(),
            redundancy: Redundancy::Lrs,
            primary: None,
            lag: None,
            promotion: None,
            failover: Span::secs(5),
            latency: Distribution::Lognormal { median: Span::millis(5), p99: Span::millis(50) },
            request_rate: Rate::per_second(20_000.0),
        }
    }
}

impl StorageContainer {
    fn process(
        &self,
        label: &str,
        pair: Option<Pair>,
        plan: &Plan,
    ) -> Result<StorageContainerProcess, PlanError> {
        let tables = build_tables(label, &self.holds, plan)?;
        let rests = tables.iter().map(|table| !table.is_queue()).collect();
        let tenure = pair.as_ref().map(|pair| Box::new(Tenure::new(pair)));
        let reads = self.redundancy.is_read();
        let setup = Setup { latency: self.latency.sampler(), rate: self.request_rate, rests, reads, pair };
        Ok(StorageContainerProcess {
            setup: Arc::new(setup),
            tables,
            ownerships: Ownerships::default(),
            tenure,
            volatile: Volatile::default(),
        })
    }

    fn location(&self, site: u8, zonal: bool) -> Location {
        if zonal { Location::Redundant { site, blip: self.failover } } else { Location::AnyZone { site } }
    }
}

impl Service for StorageContainer {
    fn about(&self) -> &'static str {
        "a container of blobs, for dead letters and files"
    }

    fn sites(&self) -> Option<&OneOrMany> {
        Some(&self.site)
    }

    fn sites_mut(&mut self) -> Option<&mut OneOrMany> {
        Some(&mut self.site)
    }

    fn replicates(&self) -> bool {
        self.redundancy.is_geo()
    }

    fn declare(&self, name: &str, plan: &mut Plan) -> Result<(), PlanError> {
        if self.request_rate.interval().is_none() {
            let path = ["nodes", name, "request-rate"];
            let error = PlanError::at(&path, "an account with request rate 0 takes nothing");
            return Err(error.help("the default is 20000/s; use the fault `dep.down` for an outage"));
        }
        self.check_replication(name, plan)?;
        let role = if self.holds.is_empty() { PlaceRole::DeadLetter } else { PlaceRole::Effect };
        if self.redundancy.is_geo() {
            for site in self.site.names() {
                let index = plan.site(name, &OneOrMany::One(site.clone()))?;
                // The copies in the paired region are in one place (facts 2.1).
                let zonal = self.redundancy.is_zonal() && self.first() == Some(site);
                let process = plan.add_process(name, &format!("/{site}"), self.location(index, zonal));
                declare_parts_at(name, &at(name, site), &self.holds, process, Some(role), plan)?;
            }
            self.stand_before(name, plan);
            return Ok(());
        }
        let site = plan.site(name, &self.site)?;
        let process = plan.add_process(name, "", self.location(site, self.redundancy.is_zonal()));
        declare_parts(name, &self.holds, process, role, plan)
    }

    fn build(&self, name: &str, plan: &Plan) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError> {
        let build = |label: &str, pair| {
            let id = plan.resolve(name, "kind", label)?.address.process;
            let process: Box<dyn Process> = Box::new(self.process(label, pair, plan)?);
            Ok((id, process))
        };
        if !self.redundancy.is_geo() {
            return Ok(vec![build(name, None)?]);
        }
        let sites = self.site.names().iter();
        let both = sites.map(|site| build(&at(name, site), self.pair(name, site, plan)));
        both.chain(self.before(name, plan).into_iter().map(Ok)).collect()
    }
}

/// What never changes about a container.
#[derive(Debug)]
struct Setup {
    latency: Sampler,
    rate: Rate,
    /// Of which parts the blobs wait for nobody.
    rests: Vec<bool>,
    /// Whether the secondary can be read.
    reads: bool,
    /// The copy in the other region, if there is one.
    pair: Option<Pair>,
}

/// A container.
#[derive(Clone, Debug)]
struct StorageContainerProcess {
    setup: Arc<Setup>,
    /// The blobs: durable.
    tables: Vec<Table>,
    /// The owners and checkpoints of event hubs: durable.
    ownerships: Ownerships,
    /// Of one of a pair: durable.
    tenure: Option<Box<Tenure>>,
    volatile: Volatile,
}

#[derive(Clone, Debug, Default)]
struct Volatile {
    front: Front,
    requests: Line,
    journal: Vec<Change>,
    channel: Channel,
}

impl StorageContainerProcess {
    fn arrive(&mut self, connection: ConnectionId, message: Message, cx: &mut Context<'_>) {
        let Body::Store(command) = &message.body else { return };
        let (part, run) = about(command);
        let item = message.cargo.first().unwrap_or_default();
        let front = &mut self.volatile.front;
        let occurrence = front.occurrence(&message, run);
        if front.is_down(cx, part, item, occurrence) {
            return refuse(connection, &message, Error::Unavailable, None, cx);
        }
        if let Some(error) = self.turned_away(command) {
            return refuse(connection, &message, error, None, cx);
        }
        let front = &mut self.volatile.front;
        if front.is_exhausted(cx, part, item) {
            return refuse(connection, &message, Error::ConnectionLimit, None, cx);
        }
        if let Some(wait) = front.throttled(cx, part, item) {
            return refuse(connection, &message, Error::TooManyRequests, Some(wait), cx);
        }
        // A second's worth may come at once; what is above it is refused, not queued (503 Server Busy).
        let second = (self.setup.rate.a_second() as u32).max(1);
        if self.volatile.requests.join(cx.now(), self.setup.rate, Some(second)).is_none() {
            return refuse(connection, &message, Error::TooManyRequests, None, cx);
        }
        if let Command::Write { operations, .. } = command
            && (operations.len() > 1 || !keeps_rows(command))
        {
            return refuse(connection, &message, Error::BadRequest, None, cx);
        }
        let service = front.service_time(cx, &self.setup.latency, part, item, occurrence);
        let work = !message.cargo.is_empty();
        let token = front.keep(Pending { connection, message });
        cx.timer(service, token, work);
    }

    fn serve(&mut self, token: u64, cx: &mut Context<'_>) {
        let Some(Pending { connection, message }) = self.volatile.front.look(token) else { return };
        let Body::Store(command) = &message.body else { return };
        let (part, _) = about(command);
        let item = message.cargo.first().unwrap_or_default();
        let connection = *connection;
        if connection == ConnectionId::NONE {
            self.volatile.front.take(token); // it was cut off
            return;
        }
        if self.volatile.front.went_down(cx, part, item) {
            self.volatile.front.take(token);
            return cx.close(connection);
        }
        if matches!(command, Command::Write { .. } | Command::Lease { .. }) {
            return cx.sync(token, item); // acknowledged when all copies have it
        }
        let Some(Pending { message, .. }) = self.volatile.front.take(token) else { return };
        match message.body {
            Body::Store(Command::Read { part }) => read(&self.tables, connection, &message, part, cx),
            Body::Store(Command::Owners { .. }) => self.ownership(connection, &message, cx),
            _ => refuse(connection, &message, Error::BadRequest, None, cx),
        }
    }

    fn synced(&mut self, token: u64, result: Result<(), DiskError>, cx: &mut Context<'_>) {
        let Some(Pending { connection, message }) = self.volatile.front.take(token) else { return };
        if connection == ConnectionId::NONE {
            return; // it was cut off
        }
        if matches!(message.body, Body::Store(Command::Lease { .. })) {
            return match result {
                Ok(()) => self.ownership(connection, &message, cx),
                Err(_) => refuse(connection, &message, Error::Unavailable, None, cx),
            };
        }
        let Body::Store(command @ Command::Write { operations, execution }) = &message.body else { return };
        let (part, item) = (operations.first().map_or(0, |operation| operation.part), first(&message));
        if result.is_err() {
            return refuse(connection, &message, Error::Unavailable, None, cx);
        }
        let occurrence = self.volatile.front.occurrence(&message, execution.run);
        if cx.strike(Hook::DatabaseReadOnly, part, item, occurrence).is_some() {
            return refuse(connection, &message, Error::ReadOnly, None, cx);
        }
        if cx.strike(Hook::DependencyWrongAnswer, part, item, occurrence).is_some() {
            cx.observe(item, What::Symptom(Symptom::Misled));
            return done(connection, &message, true, cx);
        }
        let terminated = self.volatile.front.went_down(cx, part, item);
        let mut journal = std::mem::take(&mut self.volatile.journal);
        let items = message.cargo.items();
        match tables::transact(&mut self.tables, operations, items, *execution, false, &mut journal) {
            Err(error) => refuse(connection, &message, error, None, cx),
            Ok(()) => {
                let absorbed = tables::is_absorbed(&journal);
                book(&self.tables, connection, &journal, cx);
                if self.tenure.is_some()
                    && let Some(change) = rows::committed(command, &message.cargo, &journal)
                {
                    self.log(change);
                }
                if terminated {
                    // Written, and nobody is told.
                    let how = if absorbed { Handling::Suppressed } else { Handling::Stored };
                    cx.handled(connection, &message, how);
                    cx.close(connection);
                } else {
                    done(connection, &message, absorbed, cx);
                }
            }
        }
        journal.clear();
        self.volatile.journal = journal;
    }

    /// What event processors write down here about who reads what.
    fn ownership(&mut self, connection: ConnectionId, message: &Message, cx: &mut Context<'_>) {
        let Body::Store(command) = &message.body else { return };
        if let Some(answer) = self.ownerships.answer(command, cx.wall()) {
            cx.answer(connection, message.answer(answer));
        }
    }

    fn control(
        &mut self,
        connection: ConnectionId,
        message: &Message,
        command: control::Command,
        cx: &mut Context<'_>,
    ) {
        if turned_away(connection, message, command, cx) {
            return;
        }
        if let control::Command::Promote { to, mode } = command {
            return self.promote(connection, message, to, mode, cx);
        }
        let up = self.volatile.front.is_ready(cx) && self.can_be_read();
        let answer = match command {
            control::Command::Enable { on: true, .. } if self.pair_again(cx) => control::Answer::Done,
            control::Command::Depth { part } if up => {
                let waiting = self.tables.get(usize::from(part)).map(Table::len);
                waiting.map_or(control::Answer::Refused, |waiting| control::Answer::Depth { part, waiting })
            }
            control::Command::Verify { .. } => control::Answer::State { up, in_sync: self.in_sync() },
            _ => control::Answer::Refused,
        };
        answer_control(connection, message, answer, cx);
    }
}

fn first(message: &Message) -> Item {
    message.cargo.first().unwrap_or_default()
}

impl Process for StorageContainerProcess {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        if self.tenure.is_some() {
            self.volatile.channel.now = cx.now();
        }
        match input {
            Input::Message { from, connection, message } => match message.body {
                Body::Store(_) => self.arrive(connection, message, cx),
                Body::Probe => {
                    let ready = self.volatile.front.is_ready(cx) && self.can_be_read();
                    answer_probe(from, connection, &message, ready, cx);
                }
                Body::Control(command) => self.control(connection, &message, command, cx),
                Body::Replica(ref record) => self.replica(from, connection, record, cx),
                _ => {}
            },
            Input::Timer(token) if token & PAIR != 0 => self.pair_timer(token as u32, cx),
            Input::Timer(token) => self.serve(token, cx),
            Input::Disk(token, result) if token & SYNC != 0 => self.written(result, cx),
            Input::Disk(token, result) => self.synced(token, result, cx),
            Input::Start => self.pair_start(cx),
            Input::Closed { peer, .. } => self.peer_lost(peer, cx),
            Input::Poke => {}
        }
        self.ship(cx);
    }

    fn crash(&mut self) {
        self.volatile = Volatile::default();
    }

    fn gauges(&self, now: Time, out: &mut dyn FnMut(Gauge)) {
        out(self.volatile.requests.gauge("request rate", self.setup.rate, now));
    }

    fn inventory(&self, out: &mut dyn FnMut(Held)) {
        for (table, rests) in self.tables.iter().zip(&self.setup.rests).filter(|_| self.is_booked()) {
            table.inventory(*rests, out);
        }
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}
