//! The world: many shells, one queue. It steps from event to event and pushes what happens to a sink.

use std::sync::Arc;

use crate::faults::local::LocalFaults;
use crate::ids::{ConnectionId, Item, ProcessId};
use crate::kernel::digest::Digest;
use crate::kernel::queue::{Entry, Queue};
use crate::kernel::slab::Slab;
use crate::message::{Body, Cargo, Message};
use crate::network::Transport;
use crate::node::context::{Context, Effect, Parts};
use crate::node::timers::{Fired, Timers};
use crate::node::{Input, Process};
use crate::observe::{Held, Life, Observation, Sink, What};
use crate::plan::{Plan, PlanError};
use crate::random::{Random, mix};
use crate::services::Service;
use crate::time::{Span, Time};
use crate::units::{Distribution, Sampler};

/// Why a world could not be built.
pub type BuildError = Vec<PlanError>;

/// Something under way.
#[derive(Clone, Debug)]
struct Flight {
    from: ProcessId,
    to: ProcessId,
    connection: ConnectionId,
    parent: u64,
    message: Message,
}

/// A process and all that belongs to its life.
#[derive(Clone, Debug)]
struct Shell {
    process: Box<dyn Process>,
    timers: Timers,
    faults: LocalFaults,
    incarnation: u32,
    running: bool,
    slowness: u64,
    /// The earliest wake-up that is in the queue.
    wake: Time,
    /// The event that last armed a timer, for lineage.
    parent: u64,
}

/// A world in the middle of its run. A clone of it runs on in exactly the same way.
#[derive(Clone, Debug)]
pub struct World {
    plan: Arc<Plan>,
    random: Random,
    now: Time,
    queue: Queue,
    flights: Slab<Flight>,
    shells: Vec<Shell>,
    transport: Transport,
    disk: Sampler,
    digest: Digest,
    events: u64,
    calls: u64,
    /// Messages with items under way.
    work_in_flight: usize,
    effects: Vec<Effect>,
}

impl World {
    /// Builds the world of this plan for one seed. Its processes start at time zero.
    ///
    /// # Errors
    /// All that is wrong with the plan, each with its place.
    pub fn new(plan: Arc<Plan>, seed: u64) -> Result<World, BuildError> {
        let mut built: Vec<Option<Box<dyn Process>>> = Vec::new();
        built.resize_with(plan.processes.len(), || None);
        let mut errors = Vec::new();
        for (name, kind) in &plan.blueprint.nodes {
            match kind.build(name, &plan) {
                Ok(processes) => {
                    for (id, process) in processes {
                        built[id.index()] = Some(process);
                    }
                }
                Err(error) => errors.push(error),
            }
        }
        for (info, process) in plan.processes.iter().zip(&built) {
            if process.is_none() && errors.is_empty() {
                let node = &plan.nodes[info.node.index()].name;
                errors.push(PlanError::at(&["nodes", node], format!("process {} was not built", info.name)));
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut world = World {
            random: Random::new(seed),
            now: Time::ZERO,
            queue: Queue::default(),
            flights: Slab::default(),
            shells: built.into_iter().flatten().map(Shell::new).collect(),
            transport: Transport::default(),
            disk: Distribution::Lognormal { median: Span::micros(800), p99: Span::millis(5) }.sampler(),
            digest: Digest::default(),
            events: 0,
            calls: 0,
            work_in_flight: 0,
            effects: Vec::new(),
            plan,
        };
        for index in 0..world.shells.len() {
            if !world.plan.processes[index].dormant {
                world.schedule_start(ProcessId(index as u32), Time::ZERO);
            }
        }
        Ok(world)
    }

    /// The plan it was built from.
    #[must_use]
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// True time.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// How many kernel events there were: one for each `handle` call.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The digest of all events so far.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// How much is pending that carries an item: messages under way and timers armed for one.
    #[must_use]
    pub fn pending_work(&self) -> usize {
        self.work_in_flight + self.shells.iter().map(|shell| shell.timers.work()).sum::<usize>()
    }

    /// Every copy that any process holds.
    pub fn inventory(&self, out: &mut dyn FnMut(Held)) {
        for shell in &self.shells {
            shell.process.inventory(out);
        }
    }

    /// When the next event is, if there is one.
    #[must_use]
    pub fn next_at(&self) -> Option<Time> {
        self.queue.next_at()
    }

    /// Goes to the next event and lets it happen. False when nothing will ever happen again.
    pub fn step(&mut self, sink: &mut impl Sink) -> bool {
        let Some((at, entry)) = self.queue.pop() else { return false };
        self.now = at;
        match entry {
            Entry::Wake(process) => self.wake(ProcessId(process), sink),
            Entry::Arrival(slot) => self.arrive(slot, sink),
            Entry::Fault | Entry::Transport(_) => {}
        }
        true
    }

    fn schedule_start(&mut self, process: ProcessId, at: Time) {
        // A start is a timer of the shell, so that it too has one entry in the queue.
        self.shells[process.index()].timers.at(at, u64::MAX, false);
        self.schedule_wake(process);
    }

    fn wake(&mut self, id: ProcessId, sink: &mut impl Sink) {
        let shell = &mut self.shells[id.index()];
        if shell.wake != self.now {
            return; // an earlier timer was cancelled or has fired already
        }
        shell.wake = Time::NEVER;
        while let Some(fired) = self.shells[id.index()].timers.pop(self.now) {
            let parent = self.shells[id.index()].parent;
            let input = match fired {
                Fired::Timer(u64::MAX) => {
                    self.shells[id.index()].running = true;
                    self.note(sink, id, parent, What::Life(Life::Started));
                    Input::Start
                }
                Fired::Timer(token) => Input::Timer(token),
                Fired::Disk(token) => Input::Disk(token, Ok(())),
            };
            self.handle(id, input, parent, sink);
        }
        self.schedule_wake(id);
    }

    fn arrive(&mut self, slot: u32, sink: &mut impl Sink) {
        let Some(flight) = self.flights.take(slot) else { return };
        if !flight.message.cargo.is_empty() {
            self.work_in_flight -= 1;
        }
        let open = flight.connection == ConnectionId::NONE || self.transport.get(flight.connection).is_some();
        if !open || !self.shells[flight.to.index()].running {
            return;
        }
        let input =
            Input::Message { from: flight.from, connection: flight.connection, message: flight.message };
        self.handle(flight.to, input, flight.parent, sink);
        self.schedule_wake(flight.to);
    }

    /// One kernel event.
    fn handle(&mut self, id: ProcessId, input: Input, parent: u64, sink: &mut impl Sink) {
        self.events += 1;
        let (code, subject) = fields(&input);
        self.digest.fold(self.now.0, mix(u64::from(id.0) << 32 | code, subject));
        let mut effects = std::mem::take(&mut self.effects);
        let shell = &mut self.shells[id.index()];
        shell.parent = self.events;
        let mut context = Context::new(Parts {
            me: id,
            now: self.now,
            wall: self.now,
            plan: &self.plan,
            random: &self.random,
            timers: &mut shell.timers,
            effects: &mut effects,
            calls: &mut self.calls,
            faults: &mut shell.faults,
            disk: &self.disk,
            slowness: shell.slowness,
        });
        shell.process.handle(input, &mut context);
        for effect in effects.drain(..) {
            self.apply(id, effect, parent, sink);
        }
        self.effects = effects;
    }

    fn apply(&mut self, id: ProcessId, effect: Effect, parent: u64, sink: &mut impl Sink) {
        match effect {
            Effect::Observe { connection, item, by, what } => {
                let incarnation = self.shells[id.index()].incarnation;
                sink.observe(&Observation {
                    at: self.now,
                    event: self.events,
                    parent,
                    process: id,
                    incarnation,
                    connection,
                    item,
                    by,
                    what,
                });
            }
            Effect::Call { to, message } => {
                let connection = self.transport.connect(id, to);
                self.send(id, connection, message, sink);
            }
            Effect::Answer { connection, message } => self.send(id, connection, message, sink),
            Effect::Datagram { to, message } => {
                let latency = self.transport.latency(&self.plan, &self.random, id, to, [self.events, 0]);
                self.launch(self.now + latency, id, to, ConnectionId::NONE, message, sink);
            }
            Effect::Close { connection } => {
                self.transport.close(connection);
            }
            Effect::Point { .. } => {}
            Effect::StartSlot(slot) => self.schedule_start(slot, self.now),
            Effect::StopSlot(slot) => self.stop(slot, sink),
        }
    }

    fn send(&mut self, from: ProcessId, connection: ConnectionId, message: Message, sink: &mut impl Sink) {
        let identity = identity(&message);
        let path = self.transport.deliver_at(&self.plan, &self.random, self.now, connection, from, identity);
        match path {
            Some((to, at)) => self.launch(at, from, to, connection, message, sink),
            None => {}
        }
    }

    fn launch(
        &mut self,
        at: Time,
        from: ProcessId,
        to: ProcessId,
        connection: ConnectionId,
        message: Message,
        sink: &mut impl Sink,
    ) {
        if !message.cargo.is_empty() {
            self.work_in_flight += 1;
        }
        let flight = Flight { from, to, connection, parent: self.events, message };
        let slot = self.flights.insert(flight);
        self.queue.push(at, Entry::Arrival(slot));
    }

    fn stop(&mut self, id: ProcessId, sink: &mut impl Sink) {
        let shell = &mut self.shells[id.index()];
        shell.process.crash();
        shell.timers.clear();
        shell.running = false;
        shell.incarnation += 1;
        self.note(sink, id, self.events, What::Life(Life::Stopped));
    }

    fn note(&self, sink: &mut impl Sink, process: ProcessId, parent: u64, what: What) {
        sink.observe(&Observation {
            at: self.now,
            event: self.events,
            parent,
            process,
            incarnation: self.shells[process.index()].incarnation,
            connection: ConnectionId::NONE,
            item: Item::default(),
            by: crate::ids::FaultMask::NONE,
            what,
        });
    }

    fn schedule_wake(&mut self, id: ProcessId) {
        let shell = &mut self.shells[id.index()];
        if let Some(due) = shell.timers.next_due()
            && due < shell.wake
        {
            shell.wake = due;
            self.queue.push(due, Entry::Wake(id.0));
        }
    }
}

impl Shell {
    fn new(process: Box<dyn Process>) -> Shell {
        Shell {
            process,
            timers: Timers::default(),
            faults: LocalFaults::default(),
            incarnation: 0,
            running: false,
            slowness: 1000,
            wake: Time::NEVER,
            parent: 0,
        }
    }
}

/// What tells the draws about two messages apart: the item, what is said, and which repetition it is.
fn identity(message: &Message) -> [u64; 2] {
    let kind = match &message.body {
        Body::Request(request) => 1 + (request.verb as u64) * 16,
        Body::Response(_) => 2,
        Body::Broker(_) => 3,
        Body::BrokerEvent(_) => 4,
        Body::Store(_) => 5,
        Body::StoreAnswer(_) => 6,
        Body::Probe => 7,
        Body::ProbeAnswer { .. } => 8,
        Body::Control(_) => 9,
        Body::ControlAnswer(_) => 10,
    };
    let subject = match &message.cargo {
        Cargo::None => message.call.0 | 1 << 63,
        cargo => cargo.first().map_or(0, Item::identity),
    };
    [subject, kind << 32 | u64::from(message.attempt)]
}

/// The declared fields of an input that enter the digest.
fn fields(input: &Input) -> (u64, u64) {
    match input {
        Input::Start => (1, 0),
        Input::Message { from, message, .. } => {
            let [subject, kind] = identity(message);
            (2 | kind << 8, mix(subject, u64::from(from.0)))
        }
        Input::Timer(token) => (3, *token),
        Input::Disk(token, _) => (4, *token),
        Input::Closed { connection, .. } => (5, u64::from(connection.slot)),
    }
}
