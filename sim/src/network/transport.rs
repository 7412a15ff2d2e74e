//! Connections that behave as TCP, TLS and AMQP do: loss costs delay, order holds inside a connection,
//! and the sender of a request that got no answer does not know whether it happened. Datagrams get lost,
//! doubled and overtaken. Every draw is keyed by names and by the item, or where there is none by a
//! counter of the pair's own, so that more traffic elsewhere shifts nothing.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::ids::{ConnectionId, FaultMask, Item, ProcessId};
use crate::kernel::slab::Slab;
use crate::message::{Body, Cargo, Message, broker, store};
use crate::network::disturbance::{Disturbance, Silence, Wrong};
use crate::network::line::Line;
use crate::network::links::routes;
use crate::network::manners::{HANDSHAKE_GIVES_UP, HANDSHAKE_RETRANSMISSION, RETRANSMISSION, Speech};
use crate::network::path::{Latencies, Path, Segment, Stretch, site_of, stretch_hash, stretches};
use crate::observe::LinkBook;
use crate::plan::{Location, Plan};
use crate::random::{Purpose, Random, mix};
use crate::time::{Span, Time};
use crate::units::Distribution;

/// Bytes of a message beyond its items: headers, framing, acknowledgements.
const OVERHEAD: u64 = 256;
/// More retransmissions than this in a row are a cut, not a loss.
const MOST_LOSSES: u32 = 8;
/// How many kinds of message without an item have a counter of their own.
const KINDS: usize = 16;

/// What the network needs to know of the world.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Chance.
    pub random: &'a Random,
    /// Where each process runs.
    pub locations: &'a [Location],
}

/// Who talks to whom; outlives their connections.
#[derive(Clone, Debug)]
struct Pair {
    client: ProcessId,
    server: ProcessId,
    path: Path,
    /// Segments and nodes, forth and back: keys the draws about items, whatever the replica.
    names: [u64; 2],
    /// The processes, forth and back: keys the draws about traffic without an item.
    own: [u64; 2],
    counters: [[u32; KINDS]; 2],
    connection: Option<ConnectionId>,
    /// The link with losses or a limit that its path leads over, and whether the client is at its far end.
    line: Option<(u16, bool)>,
}

/// Messages that a cut, or a dark host, has stopped. Only the first has an event of its own.
#[derive(Clone, Debug)]
pub struct Stall {
    /// The messages, by flight slot, in order.
    pub queue: VecDeque<u32>,
    /// Since when.
    pub since: Time,
    /// How often the first has been sent again.
    pub tries: u32,
    /// Because of which faults.
    pub by: FaultMask,
}

/// One connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Who opened it.
    pub client: ProcessId,
    /// To whom.
    pub server: ProcessId,
    /// What is spoken on it.
    pub speech: Speech,
    /// Whether the client's and the server's side still hold it.
    pub open: [bool; 2],
    /// Whether its first message has arrived.
    pub established: bool,
    /// What has stopped it, from the client's and from the server's side.
    pub stalls: [Option<Box<Stall>>; 2],
    /// What makes the path refuse its messages: a limit that it is beyond, a reset on its way.
    pub refused: FaultMask,
    /// Whether links have been attached to it, over which a broker pushes.
    linked: bool,
    generation: u32,
    pair: u32,
    ready: Time,
    used: Time,
    calls: u32,
    bytes: u64,
    last: [Time; 2],
}

impl Connection {
    /// The side of a process: 0 for the client's, 1 for the server's.
    #[must_use]
    pub fn side(&self, of: ProcessId) -> usize {
        usize::from(self.client != of)
    }

    /// The process at a side.
    #[must_use]
    pub const fn at(&self, side: usize) -> ProcessId {
        if side == 0 { self.client } else { self.server }
    }
}

/// How a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending {
    /// To whom.
    pub to: ProcessId,
    /// When it arrives.
    pub at: Time,
    /// Which faults altered that.
    pub by: FaultMask,
    /// Whether it takes at least twice as long as it would have.
    pub delayed: bool,
}

/// What becomes of a message that is put on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is under way.
    Goes(Sending),
    /// The sender's side is gone.
    Gone,
    /// A fault resets the connection now.
    Broken(FaultMask),
}

/// What becomes of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cast {
    /// Its arrival, or `None` if it is lost.
    pub first: Option<Sending>,
    /// The arrival of its double.
    pub double: Option<Sending>,
    /// Which faults altered it.
    pub by: FaultMask,
}

/// Client, server and their pair, by a part of a hash of the two.
#[derive(Clone, Debug)]
struct Lately(Vec<(ProcessId, ProcessId, u32)>);

impl Lately {
    const SLOTS: usize = 1024;

    #[inline]
    const fn index(client: ProcessId, server: ProcessId) -> usize {
        (client.index().wrapping_mul(37) ^ server.index()) % Lately::SLOTS
    }
}

impl Default for Lately {
    fn default() -> Lately {
        let nobody = ProcessId(u32::MAX);
        Lately(vec![(nobody, nobody, 0); Lately::SLOTS])
    }
}

/// All paths and connections of a world.
#[derive(Clone, Debug)]
pub struct Network {
    segments: Vec<Segment>,
    lines: Vec<Line>,
    latencies: std::sync::Arc<Latencies>,
    pairs: Vec<Pair>,
    by_pair: FxHashMap<(ProcessId, ProcessId), u32>,
    /// Where pairs that talked lately stand in `pairs`: saves the hashing.
    lately: Lately,
    connections: Slab<Connection>,
    generations: Vec<u32>,
    disturbances: Vec<Disturbance>,
    /// How many of the disturbances are cuts.
    cuts: usize,
    /// The links book, but for what is in flight.
    pub book: LinkBook,
}

impl Network {
    /// That of this plan, with nobody connected.
    #[must_use]
    pub fn new(plan: &Plan) -> Network {
        let routes = routes(&plan.blueprint);
        Network {
            segments: Vec::new(),
            lines: routes.iter().filter_map(Line::of).collect(),
            latencies: Latencies::of_sites(plan.blueprint.sites.len(), &routes).into(),
            pairs: Vec::new(),
            by_pair: FxHashMap::default(),
            lately: Lately::default(),
            connections: Slab::default(),
            generations: Vec::new(),
            disturbances: Vec::new(),
            cuts: 0,
            book: LinkBook::default(),
        }
    }

    /// From now on every stretch takes so long one way, whatever it is: for benchmarks.
    pub fn set_latency(&mut self, one_way: &Distribution) {
        self.latencies = std::sync::Arc::new(Latencies::all(&one_way.sampler(), self.latencies.sites()));
    }

    // -- Disturbances. --

    /// Something begins to be wrong.
    pub fn disturb(&mut self, mut disturbance: Disturbance, now: Time) {
        disturbance.since = now;
        self.disturbances.push(disturbance);
        self.count_cuts();
    }

    /// One disturbance by this fault, of this sort, ends.
    pub fn calm(&mut self, ended: &Disturbance) {
        let same = |d: &Disturbance| {
            d.fault == ended.fault
                && d.scope == ended.scope
                && std::mem::discriminant(&d.what) == std::mem::discriminant(&ended.what)
        };
        if let Some(index) = self.disturbances.iter().position(same) {
            self.disturbances.remove(index);
        }
        self.count_cuts();
    }

    fn count_cuts(&mut self) {
        self.cuts = self.disturbances.iter().filter(|d| matches!(d.what, Wrong::Cut { .. })).count();
    }

    /// Whether a message in this direction is cut now; by which faults, and how.
    #[must_use]
    pub fn cut(
        &self,
        from: ProcessId,
        to: ProcessId,
        established: bool,
        probe: bool,
        now: Time,
    ) -> Option<(FaultMask, Silence)> {
        let mut found = None;
        for disturbance in &self.disturbances {
            if probe && disturbance.hidden {
                continue;
            }
            if let Some(how) = disturbance.cuts(from, to, established, now) {
                let (mask, _) = found.unwrap_or((FaultMask::NONE, how));
                found = Some((mask.and(FaultMask::of(disturbance.fault)), how));
            }
        }
        found
    }

    /// Whether nothing is cut anywhere.
    #[inline]
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.cuts == 0
    }

    // -- Pairs and paths. --

    #[inline]
    fn pair(&mut self, around: Surroundings<'_>, client: ProcessId, server: ProcessId) -> u32 {
        let known = &mut self.lately.0[Lately::index(client, server)];
        if (known.0, known.1) == (client, server) {
            return known.2;
        }
        let pair = self.find_pair(around, client, server);
        self.lately.0[Lately::index(client, server)] = (client, server, pair);
        pair
    }

    fn find_pair(&mut self, around: Surroundings<'_>, client: ProcessId, server: ProcessId) -> u32 {
        if let Some(pair) = self.by_pair.get(&(client, server)) {
            return *pair;
        }
        let locate = |id: ProcessId| around.locations[id.index()];
        let mut path = Path::new();
        let (mut name, mut line) = (0, None);
        for stretch in stretches(locate(client), locate(server)) {
            let index = match self.segments.iter().position(|segment| segment.stretch == stretch) {
                Some(index) => index,
                None => {
                    self.segments.push(Segment { stretch, hash: stretch_hash(around.plan, stretch) });
                    self.segments.len() - 1
                }
            };
            name = mix(name, self.segments[index].hash);
            if let Stretch::Backbone(a, b) = stretch
                && let Some(found) = self.lines.iter().position(|line| line.sites == (a, b))
            {
                line = Some((found as u16, site_of(locate(client)) == Some(b)));
            }
            path.push(index as u16);
        }
        let node = |id: ProcessId| around.plan.nodes[around.plan.process(id).node.index()].hash;
        let process = |id: ProcessId| around.plan.process(id).hash;
        let both = |a: u64, b: u64| [mix(a, b.rotate_left(17)), mix(b, a.rotate_left(17))];
        let [there, back] = both(node(client), node(server));
        self.pairs.push(Pair {
            client,
            server,
            path,
            names: [mix(name, there), mix(name, back)],
            own: both(process(client), process(server)),
            counters: [[0; KINDS]; 2],
            connection: None,
            line,
        });
        let index = self.pairs.len() as u32 - 1;
        self.by_pair.insert((client, server), index);
        index
    }

    /// What keys the draws about a message: names and identity.
    #[inline(always)]
    fn identify(&mut self, plan: &Plan, pair: u32, side: usize, message: &Message) -> (u64, [u64; 2]) {
        let pair = &mut self.pairs[pair as usize];
        let (kind, detail) = kind_of(&message.body);
        match message.cargo.first() {
            Some(item) => {
                let item = item.identity() ^ u64::from(item.kind.0) << 48;
                let (part, verb) = match part_of(&message.body) {
                    Some(part) => (plan.part_hash(pair.server, part), detail & !0xffff),
                    None => (0, detail),
                };
                let names = pair.names[side] ^ part;
                (names, [item, u64::from(kind) << 56 | verb << 16 | u64::from(message.attempt)])
            }
            None => {
                let counter = &mut pair.counters[side][usize::from(kind) % KINDS];
                *counter += 1;
                (pair.own[side], [u64::from(*counter), u64::from(kind) << 56 | 1 << 55])
            }
        }
    }

    /// What keys the draws about something that is no message, such as a set-up.
    fn count(&mut self, pair: u32, side: usize, kind: usize) -> (u64, [u64; 2]) {
        let pair = &mut self.pairs[pair as usize];
        pair.counters[side][kind] += 1;
        (pair.own[side], [u64::from(pair.counters[side][kind]), (kind as u64) << 56 | 1 << 54])
    }

    #[inline(always)]
    fn base_latency(&self, random: &Random, pair: u32, names: u64, identity: [u64; 2]) -> Span {
        let pair = &self.pairs[pair as usize];
        let mut sum = Span::ZERO;
        for index in &pair.path {
            let segment = &self.segments[usize::from(*index)];
            let draw = random.draw(Purpose::Latency, names ^ segment.hash, identity);
            sum = sum + self.latencies.of(segment.stretch).at(draw);
        }
        sum
    }

    /// What the link between two sites that the path leads over does to a message: how long it waits and is
    /// being sent, and how often it is lost.
    #[inline]
    fn on_line(
        &mut self,
        around: Surroundings<'_>,
        now: Time,
        (pair, side): (u32, usize),
        message: &Message,
        names: u64,
        identity: [u64; 2],
    ) -> (Span, u32) {
        let Some((line, far)) = self.pairs[pair as usize].line else { return (Span::ZERO, 0) };
        let line = &mut self.lines[usize::from(line)];
        let waits = line.carry(side ^ usize::from(far), size(around.plan, &message.cargo), now);
        (waits, line.losses(around.random, names, identity))
    }

    /// How long something small takes from one process to another: a reset, a close.
    pub fn notice_latency(&mut self, around: Surroundings<'_>, from: ProcessId, to: ProcessId) -> Span {
        let pair = self.pair(around, from, to);
        let (names, identity) = self.count(pair, 0, 14);
        self.base_latency(around.random, pair, names, identity)
    }

    // -- Connections. --

    /// The connection from `client` to `server`, opened if there is none. One that was idle for too long is
    /// replaced without a word, at the price of a new set-up; but if a broker had links on it, these are
    /// detached (facts 1.1), and what was to go over them is lost: `Err` with that connection.
    ///
    /// # Errors
    /// With the connection whose links are detached; both of its sides are to be told.
    pub fn connect(
        &mut self,
        around: Surroundings<'_>,
        now: Time,
        client: ProcessId,
        server: ProcessId,
        speech: Speech,
    ) -> Result<ConnectionId, ConnectionId> {
        let pair = self.pair(around, client, server);
        if let Some(id) = self.pairs[pair as usize].connection
            && let Some(known) = self.get(id)
        {
            let (idle, linked) = (is_idle(known, now), known.linked);
            if !idle {
                return Ok(id);
            }
            if linked {
                self.pairs[pair as usize].connection = None;
                return Err(id);
            }
            self.let_go(id, 0);
            self.let_go(id, 1);
        }
        Ok(self.open(around, now, pair, speech))
    }

    fn open(&mut self, around: Surroundings<'_>, now: Time, pair: u32, speech: Speech) -> ConnectionId {
        let (names, identity) = self.count(pair, 0, 15);
        let round_trip = self.base_latency(around.random, pair, names, identity).times(2);
        let Pair { client, server, .. } = self.pairs[pair as usize];
        let refused = self.beyond_limit(client, server);
        let slot = self.connections.insert(Connection {
            client,
            server,
            speech,
            open: [true; 2],
            established: false,
            stalls: [None, None],
            refused,
            linked: false,
            generation: 0,
            pair,
            ready: now + round_trip.times(speech.manners().set_up),
            used: now,
            calls: 0,
            bytes: 0,
            last: [Time::ZERO; 2],
        });
        if self.generations.len() <= slot as usize {
            self.generations.resize(slot as usize + 1, 0);
        }
        self.generations[slot as usize] += 1;
        let generation = self.generations[slot as usize];
        if let Some(connection) = self.connections.get_mut(slot) {
            connection.generation = generation;
        }
        let id = ConnectionId { slot, generation };
        self.pairs[pair as usize].connection = Some(id);
        id
    }

    fn beyond_limit(&self, client: ProcessId, server: ProcessId) -> FaultMask {
        let mut refused = FaultMask::NONE;
        for disturbance in &self.disturbances {
            if let Wrong::ConnectionLimit(max) = disturbance.what
                && disturbance.scope.touches(client, server)
            {
                let meant = |c: &Connection| disturbance.scope.touches(c.client, c.server) && c.open[0];
                let count = self.connections.iter().filter(|(_, c)| meant(c)).count();
                if count >= max as usize {
                    refused = refused.and(FaultMask::of(disturbance.fault));
                }
            }
        }
        refused
    }

    /// The connection of this id, if any side still holds it.
    #[must_use]
    #[inline]
    pub fn get(&self, id: ConnectionId) -> Option<&Connection> {
        self.connections.get(id.slot).filter(|connection| connection.generation == id.generation)
    }

    /// The same, to change it.
    #[inline]
    pub fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections.get_mut(id.slot).filter(|connection| connection.generation == id.generation)
    }

    /// One side lets go of a connection. When both have, what was stalled on it is returned.
    pub fn let_go(&mut self, id: ConnectionId, side: usize) -> Vec<u32> {
        let Some(connection) = self.get_mut(id) else { return Vec::new() };
        connection.open[side] = false;
        let (pair, both) = (connection.pair, connection.open == [false, false]);
        let stalled = if both {
            let stalls = std::mem::take(&mut connection.stalls);
            self.connections.take(id.slot);
            stalls.into_iter().flatten().flat_map(|stall| stall.queue).collect()
        } else {
            // What this side had sent and not seen acknowledged is not sent again.
            connection.stalls[side].take().map(|stall| stall.queue.into()).unwrap_or_default()
        };
        let pair = &mut self.pairs[pair as usize];
        if (side == 0 || both) && pair.connection == Some(id) {
            pair.connection = None;
        }
        stalled
    }

    /// The connections that a process holds a side of, in the order of their pairs' first contact.
    #[must_use]
    pub fn of(&self, process: ProcessId) -> Vec<ConnectionId> {
        self.those(|c| c.client == process && c.open[0] || c.server == process && c.open[1])
    }

    /// The connections that a scope touches.
    #[must_use]
    pub fn within(&self, scope: &crate::network::Scope) -> Vec<ConnectionId> {
        self.those(|c| scope.touches(c.client, c.server))
    }

    fn those(&self, fits: impl Fn(&Connection) -> bool) -> Vec<ConnectionId> {
        let meant = self.connections.iter().filter(|(_, connection)| fits(connection));
        // Slots are used again, by whoever comes next: their order would depend on strangers.
        let mut meant: Vec<(u32, Time, u32, u32)> =
            meant.map(|(slot, c)| (c.pair, c.ready, slot, c.generation)).collect();
        meant.sort_unstable();
        meant.into_iter().map(|(_, _, slot, generation)| ConnectionId { slot, generation }).collect()
    }

    // -- Messages. --

    /// Puts a message on a connection.
    #[inline]
    pub fn send(
        &mut self,
        around: Surroundings<'_>,
        now: Time,
        id: ConnectionId,
        from: ProcessId,
        message: &Message,
    ) -> Fate {
        let Some(connection) = self.get_mut(id) else { return Fate::Gone };
        let side = connection.side(from);
        if !connection.open[side] {
            return Fate::Gone;
        }
        if message.call.0 != 0 {
            // An answer bears the id of its call: it comes from the server's side.
            connection.calls =
                if side == 0 { connection.calls + 1 } else { connection.calls.saturating_sub(1) };
        }
        connection.used = now;
        connection.linked |= matches!(message.body, Body::Broker(broker::Command::Attach { .. }));
        let (pair, to, start) = (connection.pair, connection.at(1 - side), connection.ready.max(now));
        let (names, identity) = self.identify(around.plan, pair, side, message);
        let (line, lost) = self.on_line(around, start, (pair, side), message, names, identity);
        let base = self.base_latency(around.random, pair, names, identity) + line + retransmissions(lost);
        let mut weather = Weather::default();
        if !self.disturbances.is_empty() {
            let bytes = size(around.plan, &message.cargo);
            weather = self.weather(around.random, now, (from, to), bytes, names, identity, false);
            if let Some(broken) = self.breaks(around.random, id, (from, to), bytes, identity) {
                return Fate::Broken(broken);
            }
        }
        let extra = weather.extra + retransmissions(weather.losses);
        let Some(connection) = self.get_mut(id) else { return Fate::Gone };
        let at = (start + base + extra).max(connection.last[side] + Span::nanos(1));
        connection.last[side] = at;
        Fate::Goes(Sending { to, at, by: weather.by, delayed: !weather.by.is_empty() && extra >= base })
    }

    /// When a close that is sent now from this side arrives: after everything that was sent before.
    pub fn close_at(&mut self, around: Surroundings<'_>, now: Time, id: ConnectionId, side: usize) -> Time {
        let Some(connection) = self.get(id) else { return now };
        let (from, to) = (connection.at(side), connection.at(1 - side));
        let latency = self.notice_latency(around, from, to);
        let Some(connection) = self.get_mut(id) else { return now };
        let at = (now + latency).max(connection.last[side] + Span::nanos(1));
        connection.last[side] = at;
        at
    }

    /// Sends a datagram.
    #[inline]
    pub fn cast(
        &mut self,
        around: Surroundings<'_>,
        now: Time,
        from: ProcessId,
        to: ProcessId,
        message: &Message,
    ) -> Cast {
        let pair = self.pair(around, from, to);
        let (names, identity) = self.identify(around.plan, pair, 0, message);
        let mut cast = Cast { first: None, double: None, by: FaultMask::NONE };
        let (line, lost) = self.on_line(around, now, (pair, 0), message, names, identity);
        if lost > 0 {
            return cast;
        }
        let base = self.base_latency(around.random, pair, names, identity) + line;
        let goes = |at, by| Some(Sending { to, at, by, delayed: false });
        if self.disturbances.is_empty() {
            cast.first = goes(now + base, FaultMask::NONE);
            return cast;
        }
        let probe = matches!(message.body, Body::Probe | Body::ProbeAnswer { .. });
        let bytes = size(around.plan, &message.cargo);
        let weather = self.weather(around.random, now, (from, to), bytes, names, identity, probe);
        cast.by = weather.by;
        let at = now + base + weather.extra + weather.held_back;
        if weather.losses == 0 {
            cast.first = goes(at, weather.by);
        }
        if weather.doubled {
            let again = [identity[0], identity[1] ^ 1 << 53];
            let base = self.base_latency(around.random, pair, names, again);
            cast.double = goes(now + base + weather.extra, weather.by);
        }
        cast
    }

    /// What the active disturbances do to one message.
    fn weather(
        &mut self,
        random: &Random,
        now: Time,
        (from, to): (ProcessId, ProcessId),
        bytes: u64,
        names: u64,
        identity: [u64; 2],
        probe: bool,
    ) -> Weather {
        let mut weather = Weather::default();
        for disturbance in &mut self.disturbances {
            if probe && disturbance.hidden || !disturbance.scope.covers(from, to) {
                continue;
            }
            let label = disturbance.label ^ names;
            let altered = match &disturbance.what {
                Wrong::Latency(sampler) => {
                    let more = sampler.at(random.draw(Purpose::Latency, label, identity));
                    weather.extra = weather.extra + more;
                    !more.is_zero()
                }
                Wrong::Loss { .. } => {
                    let p = disturbance.loss_at(random, now);
                    let losses = losses(p, random.unit(Purpose::Loss, label, identity));
                    weather.losses += losses;
                    losses > 0
                }
                Wrong::Duplicate(rate) => {
                    let doubled = random.chance(*rate, Purpose::Placement, label, identity);
                    weather.doubled |= doubled;
                    doubled && probe
                }
                Wrong::Reorder { rate, gap } => {
                    let held = random.chance(*rate, Purpose::Balance, label, identity);
                    if held {
                        weather.held_back = gap.at(random.draw(Purpose::Jitter, label, identity));
                    }
                    held && probe
                }
                Wrong::Bandwidth(rate) => {
                    let back = usize::from(!disturbance.scope.from.has(from));
                    let free = disturbance.free_at[back].max(now);
                    let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(*rate);
                    disturbance.free_at[back] = free + Span(u64::try_from(nanos).unwrap_or(u64::MAX));
                    weather.extra = weather.extra + disturbance.free_at[back].since(now);
                    true
                }
                Wrong::Cut { .. } | Wrong::Reset(_) | Wrong::LimitData(_) | Wrong::ConnectionLimit(_) => {
                    false
                }
            };
            if altered {
                weather.by = weather.by.and(FaultMask::of(disturbance.fault));
            }
        }
        weather
    }

    /// Whether a disturbance resets the connection as this message is sent.
    fn breaks(
        &mut self,
        random: &Random,
        id: ConnectionId,
        (from, to): (ProcessId, ProcessId),
        bytes: u64,
        identity: [u64; 2],
    ) -> Option<FaultMask> {
        let mut by = FaultMask::NONE;
        let mut carried = 0;
        if let Some(connection) = self.get_mut(id) {
            connection.bytes += bytes;
            carried = connection.bytes;
        }
        for disturbance in self.disturbances.iter().filter(|d| d.scope.covers(from, to)) {
            let breaks = match disturbance.what {
                Wrong::Reset(p) => random.chance(p, Purpose::FaultChance, disturbance.label, identity),
                Wrong::LimitData(limit) => carried > limit,
                _ => false,
            };
            if breaks {
                by = by.and(FaultMask::of(disturbance.fault));
            }
        }
        (!by.is_empty()).then_some(by)
    }

    // -- Stalls. --

    /// Stops a message at the end of its path. Returns when its sender tries again, if it is the first.
    pub fn stall(
        &mut self,
        id: ConnectionId,
        side: usize,
        slot: u32,
        by: FaultMask,
        now: Time,
    ) -> Option<Time> {
        let connection = self.get_mut(id)?;
        if let Some(stall) = &mut connection.stalls[side] {
            stall.queue.push_back(slot);
            stall.by = stall.by.and(by);
            return None;
        }
        let first = if connection.established { RETRANSMISSION } else { HANDSHAKE_RETRANSMISSION };
        let queue = VecDeque::from([slot]);
        connection.stalls[side] = Some(Box::new(Stall { queue, since: now, tries: 0, by }));
        Some(now + first)
    }

    /// The first stalled message was sent again in vain. Returns when it is tried next, or `None`: the
    /// stream is given up.
    pub fn retry(&mut self, id: ConnectionId, side: usize, now: Time) -> Option<Time> {
        let connection = self.get_mut(id)?;
        let (first, limit) = if connection.established {
            (RETRANSMISSION, connection.speech.manners().gives_up)
        } else {
            (HANDSHAKE_RETRANSMISSION, HANDSHAKE_GIVES_UP)
        };
        let stall = connection.stalls[side].as_mut()?;
        let deadline = stall.since + limit;
        if now >= deadline {
            return None;
        }
        stall.tries += 1;
        Some((now + first.times(1 << stall.tries.min(20))).min(deadline))
    }

    /// The way is free: what was stalled follows at once, in order. Returns the slots with their instants.
    pub fn unstall(&mut self, id: ConnectionId, side: usize, now: Time) -> (FaultMask, Vec<(u32, Time)>) {
        let Some(connection) = self.get_mut(id) else { return (FaultMask::NONE, Vec::new()) };
        let Some(stall) = connection.stalls[side].take() else { return (FaultMask::NONE, Vec::new()) };
        let mut at = now;
        let mut out = Vec::with_capacity(stall.queue.len());
        for slot in stall.queue {
            at += Span::nanos(1);
            out.push((slot, at));
        }
        connection.last[side] = connection.last[side].max(at);
        (stall.by, out)
    }
}

/// What the disturbances do to one message.
#[derive(Clone, Copy, Debug, Default)]
struct Weather {
    extra: Span,
    losses: u32,
    held_back: Span,
    doubled: bool,
    by: FaultMask,
}

/// A connection without traffic and without an open call is closed after the protocol's idle time.
fn is_idle(connection: &Connection, now: Time) -> bool {
    connection.calls == 0
        && connection.established
        && connection.stalls == [const { None }; 2]
        && now.since(connection.used) > connection.speech.manners().idle
}

impl PartialEq for Stall {
    fn eq(&self, other: &Self) -> bool {
        self.queue == other.queue && self.since == other.since && self.tries == other.tries
    }
}

/// How often in a row a message of this loss probability is lost, from one uniform draw.
pub(crate) fn losses(p: f64, draw: f64) -> u32 {
    let mut count = 0;
    let mut threshold = p;
    while draw < threshold && count < MOST_LOSSES {
        count += 1;
        threshold *= p;
    }
    count
}

/// The delay of so many retransmissions: 200 ms, doubling.
fn retransmissions(losses: u32) -> Span {
    RETRANSMISSION.times((1u64 << losses.min(MOST_LOSSES * 2)) - 1)
}

fn size(plan: &Plan, cargo: &Cargo) -> u64 {
    let bytes = |item: &Item| plan.item_bytes(item.stream);
    OVERHEAD + cargo.items().iter().map(bytes).sum::<u64>()
}

/// The part of the callee that a request names, which is in the low 16 bits of its detail: draws are keyed
/// by its name.
#[inline(always)]
fn part_of(body: &Body) -> Option<u16> {
    use broker::Command as B;
    use store::Command as S;
    match body {
        Body::Request(request) => Some(request.part),
        Body::Broker(
            B::Send { part, .. }
            | B::Attach { part, .. }
            | B::ReceiveDeferred { part, .. }
            | B::CancelScheduled { part, .. }
            | B::Peek { part, .. }
            | B::Receive { part, .. },
        )
        | Body::Store(S::Poll { part, .. } | S::Read { part, .. }) => Some(*part),
        Body::Store(S::Write { operations, .. }) => operations.first().map(|operation| operation.part),
        _ => None,
    }
}

/// The kind of a message, and what else tells two messages about one item apart.
#[inline(always)]
pub(crate) fn kind_of(body: &Body) -> (u8, u64) {
    match body {
        Body::Request(request) => (0, u64::from(request.part) | (request.verb as u64) << 16),
        Body::Response(_) => (1, 0),
        Body::Broker(command) => (2, broker_detail(command)),
        Body::BrokerEvent(event) => match event {
            broker::Event::Delivered { delivery_count, .. } => (3, u64::from(*delivery_count)),
            _ => (4, 0),
        },
        Body::Store(command) => (5, store_detail(command)),
        Body::StoreAnswer(_) => (6, 0),
        Body::Probe => (7, 0),
        Body::ProbeAnswer { .. } => (8, 0),
        Body::Control(_) => (9, 0),
        Body::ControlAnswer(_) => (10, 0),
        Body::Lookup => (11, 0),
        Body::Record(_) => (12, 0),
        Body::Replica(_) => (13, 0),
        Body::Owners(_) => (14, 0),
        Body::Credential(_) => (15, 0),
        Body::Granted(_) => (16, 0),
    }
}

fn broker_detail(command: &broker::Command) -> u64 {
    use broker::Command as C;
    let (verb, part) = match command {
        C::Send { part, .. } => (0, *part),
        C::Attach { part, .. } => (1, *part),
        C::Credit { .. } => (2, 0),
        C::Detach { .. } => (3, 0),
        C::Settle { how, .. } => (4, *how as u16),
        C::Renew { .. } => (5, 0),
        C::Transact { .. } => (6, 0),
        C::ReceiveDeferred { part, .. } => (7, *part),
        C::CancelScheduled { part, .. } => (8, *part),
        C::Peek { part, .. } => (9, *part),
        C::Receive { part, partition, .. } => (11 | u64::from(*partition) << 8, *part),
        C::Drain { .. } => (10, 0),
    };
    verb << 16 | u64::from(part)
}

fn store_detail(command: &store::Command) -> u64 {
    use store::Command as C;
    match command {
        C::Write { operations, .. } => operations
            .first()
            .map_or(0, |operation| u64::from(operation.part) | (operation.verb as u64) << 20),
        C::Poll { part, .. } => 1 << 16 | u64::from(*part),
        C::Read { part, .. } => 2 << 16 | u64::from(*part),
        C::Lease { range, .. } => 3 << 16 | u64::from(*range),
        C::ReadFeed { range, .. } => 4 << 16 | u64::from(*range),
        C::Owners { processor } => 5 << 16 | u64::from(*processor),
    }
}
