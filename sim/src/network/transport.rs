//! Connections that behave as TCP and AMQP do: loss costs delay, order holds inside a connection, and
//! the sender of a request that got no answer does not know whether it happened.

use rustc_hash::FxHashMap;

use crate::ids::{ConnectionId, ProcessId};
use crate::kernel::slab::Slab;
use crate::plan::{Location, Plan};
use crate::random::{Purpose, Random};
use crate::time::{Span, Time};
use crate::units::{Distribution, Sampler};

/// One connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Who opened it.
    pub client: ProcessId,
    /// To whom.
    pub server: ProcessId,
    generation: u32,
    last: [Time; 2],
}

/// All connections of a world.
#[derive(Clone, Debug)]
pub struct Transport {
    connections: Slab<Connection>,
    generations: Vec<u32>,
    by_pair: FxHashMap<(ProcessId, ProcessId), ConnectionId>,
    within_zone: Sampler,
    across_zones: Sampler,
    internet: Sampler,
}

impl Default for Transport {
    fn default() -> Self {
        let lognormal = |median, p99| Distribution::Lognormal { median, p99 }.sampler();
        Self {
            connections: Slab::default(),
            generations: Vec::new(),
            by_pair: FxHashMap::default(),
            within_zone: lognormal(Span::micros(120), Span::micros(500)),
            across_zones: lognormal(Span::micros(500), Span::millis(1)),
            internet: lognormal(Span::millis(12), Span::millis(40)),
        }
    }
}

impl Transport {
    /// The connection from `client` to `server`, opened if there is none.
    pub fn connect(&mut self, client: ProcessId, server: ProcessId) -> ConnectionId {
        if let Some(id) = self.by_pair.get(&(client, server)) {
            return *id;
        }
        let slot =
            self.connections.insert(Connection { client, server, generation: 0, last: [Time::ZERO; 2] });
        if self.generations.len() <= slot as usize {
            self.generations.resize(slot as usize + 1, 0);
        }
        self.generations[slot as usize] += 1;
        let generation = self.generations[slot as usize];
        if let Some(connection) = self.connections.get_mut(slot) {
            connection.generation = generation;
        }
        let id = ConnectionId { slot, generation };
        self.by_pair.insert((client, server), id);
        id
    }

    /// The connection of this id, if it is still open.
    #[must_use]
    pub fn get(&self, id: ConnectionId) -> Option<&Connection> {
        self.connections.get(id.slot).filter(|connection| connection.generation == id.generation)
    }

    /// Closes a connection.
    pub fn close(&mut self, id: ConnectionId) -> Option<Connection> {
        self.get(id)?;
        let connection = self.connections.take(id.slot)?;
        self.by_pair.remove(&(connection.client, connection.server));
        Some(connection)
    }

    /// The open connections of a process, by slot.
    #[must_use]
    pub fn of(&self, process: ProcessId) -> Vec<ConnectionId> {
        let connections = self.connections.iter();
        connections
            .filter(|(_, connection)| connection.client == process || connection.server == process)
            .map(|(slot, connection)| ConnectionId { slot, generation: connection.generation })
            .collect()
    }

    /// When a message that is put on the connection now arrives at the other side.
    pub fn deliver_at(
        &mut self,
        plan: &Plan,
        random: &Random,
        now: Time,
        id: ConnectionId,
        from: ProcessId,
        identity: [u64; 2],
    ) -> Option<(ProcessId, Time)> {
        let connection = self.connections.get(id.slot).filter(|c| c.generation == id.generation)?;
        let (to, side) =
            if connection.client == from { (connection.server, 0) } else { (connection.client, 1) };
        let latency = self.latency(plan, random, from, to, identity);
        let connection = self.connections.get_mut(id.slot)?;
        let at = (now + latency).max(connection.last[side] + Span::nanos(1));
        connection.last[side] = at;
        Some((to, at))
    }

    /// The time under way of one message between two processes.
    #[must_use]
    pub fn latency(
        &self,
        plan: &Plan,
        random: &Random,
        from: ProcessId,
        to: ProcessId,
        identity: [u64; 2],
    ) -> Span {
        let (from, to) = (plan.process(from), plan.process(to));
        let sampler = match (from.location, to.location) {
            (Location::Internet, _) | (_, Location::Internet) => &self.internet,
            (Location::Zone { zone: a, .. }, Location::Zone { zone: b, .. }) if a == b => &self.within_zone,
            _ => &self.across_zones,
        };
        sampler.at(random.draw(Purpose::Latency, from.hash ^ to.hash.rotate_left(17), identity))
    }
}
