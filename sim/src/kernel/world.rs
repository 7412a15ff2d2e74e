//! The world: many shells, one network, one queue. It steps from event to event and pushes what happens
//! to a sink.

use std::sync::Arc;

use crate::faults::{FaultCount, Registry};
use crate::guest::{guests, not_here};
use crate::ids::{ConnectionId, FaultMask, Item, ProcessId};
use crate::kernel::digest::Digest;
use crate::kernel::hosted::Freight;
use crate::kernel::queue::{Entry, Queue};
use crate::kernel::slab::Slab;
use crate::network::transport::{Surroundings, kind_of};
use crate::network::{self, Network};
use crate::node::context::Effect;
use crate::node::shell::{Lent, Presence};
use crate::node::{CloseReason, Gauge, Input, Process, Shell};
use crate::observe::{Held, Life, LinkBook, Observation, Sink, What};
use crate::plan::{Location, Plan, PlanError};
use crate::random::{Random, mix};
use crate::services::Service;
use crate::time::{Span, Time};
use crate::units::{Distribution, Sampler};

/// Why a world could not be built.
pub type BuildError = Vec<PlanError>;

/// Something under way.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    pub(super) from: ProcessId,
    pub(super) to: ProcessId,
    pub(super) connection: ConnectionId,
    pub(super) parent: u64,
    pub(super) by: FaultMask,
    pub(super) delayed: bool,
    pub(super) freight: Freight,
}

/// Where a message came from, when it has arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) from: ProcessId,
    pub(super) to: ProcessId,
    pub(super) connection: ConnectionId,
    pub(super) parent: u64,
    pub(super) by: FaultMask,
    pub(super) delayed: bool,
}

/// Something that a connection waits for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Alarm {
    /// The head of a stalled direction is sent again.
    Retry(ConnectionId, usize),
    /// A side has heard nothing for so long that it looks whether the peer is still there.
    Silence(ConnectionId, usize),
}

/// A world in the middle of its run. A clone of it runs on in exactly the same way.
#[derive(Clone, Debug)]
pub struct World {
    pub(super) plan: Arc<Plan>,
    pub(super) random: Random,
    pub(super) now: Time,
    pub(super) queue: Queue,
    pub(super) flights: Slab<Flight>,
    /// How many of the flights are messages.
    pub(super) messages: u64,
    pub(super) alarms: Slab<Alarm>,
    pub(super) shells: Vec<Shell>,
    pub(super) locations: Arc<Vec<Location>>,
    pub(super) network: Network,
    pub(super) registry: Registry,
    /// The earliest entry for the registry that is in the queue.
    pub(super) fault_wake: Time,
    disk: Arc<Sampler>,
    pub(super) digest: Digest,
    pub(super) events: u64,
    calls: u64,
    /// Messages with items under way, timers armed for one, inputs with one that wait.
    pub(super) work: usize,
    effects: Vec<Effect>,
}

impl World {
    /// Builds the world of this plan for one seed. Its processes start at time zero.
    ///
    /// # Errors
    /// All that is wrong with the plan, each with its place; a guest too, because nobody here lets its
    /// code run.
    pub fn new(plan: Arc<Plan>, seed: u64) -> Result<World, BuildError> {
        let guests: BuildError = guests(&plan).map(|(node, _)| not_here(node)).collect();
        if !guests.is_empty() {
            return Err(guests);
        }
        let processes = build(&plan)?;
        World::with_processes(plan, seed, processes)
    }

    /// The same with processes that somebody else built, one for each of the plan's, in order.
    ///
    /// # Errors
    /// If a fault cannot apply.
    pub fn with_processes(
        plan: Arc<Plan>,
        seed: u64,
        processes: Vec<Box<dyn Process>>,
    ) -> Result<World, BuildError> {
        let random = Random::new(seed);
        let locations = network::place(&plan, &random);
        let registry = Registry::new(&plan, &locations, random)?;
        let shell = |(index, process)| {
            let id = ProcessId(index as u32);
            Shell::new(id, process, plan.process(id).dormant)
        };
        let shells: Vec<Shell> = processes.into_iter().enumerate().map(shell).collect();
        let mut world = World {
            random,
            now: Time::ZERO,
            queue: Queue::default(),
            flights: Slab::default(),
            messages: 0,
            alarms: Slab::default(),
            shells,
            locations: Arc::new(locations),
            network: Network::new(&plan),
            registry,
            fault_wake: Time::NEVER,
            disk: Arc::new(
                Distribution::Lognormal { median: Span::micros(800), p99: Span::millis(5) }.sampler(),
            ),
            digest: Digest::default(),
            events: 0,
            calls: 0,
            work: 0,
            effects: Vec::new(),
            plan,
        };
        world.schedule_faults();
        for index in 0..world.shells.len() {
            world.schedule_wake(ProcessId(index as u32));
        }
        Ok(world)
    }

    /// From now on every stretch of the network takes so long one way, whatever it is: for benchmarks.
    pub fn set_latency(&mut self, one_way: &Distribution) {
        self.network.set_latency(one_way);
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

    /// How much is pending that carries an item: messages under way, timers armed for one, inputs that
    /// wait in a paused process.
    #[must_use]
    pub fn pending_work(&self) -> usize {
        self.work
    }

    /// The links book.
    #[must_use]
    pub fn links(&self) -> LinkBook {
        LinkBook { in_flight: self.messages, ..self.network.book }
    }

    /// The counts of every fault, in file order.
    pub fn fault_counts(&self) -> impl Iterator<Item = FaultCount> + '_ {
        self.registry.counts()
    }

    /// The faults that are in force.
    #[must_use]
    pub fn active_faults(&self) -> FaultMask {
        self.registry.active()
    }

    /// Where a process runs: `AnyZone` resolved by the seed.
    #[must_use]
    pub fn location(&self, process: ProcessId) -> Location {
        self.locations[process.index()]
    }

    /// What somebody outside meets at a process.
    #[must_use]
    pub fn presence(&self, process: ProcessId) -> Presence {
        self.shells[process.index()].presence()
    }

    /// A process, to look at.
    #[must_use]
    pub fn process(&self, id: ProcessId) -> &dyn Process {
        self.shells[id.index()].process()
    }

    /// Every copy that any process holds.
    pub fn inventory(&self, out: &mut dyn FnMut(Held)) {
        for shell in &self.shells {
            shell.process().inventory(out);
        }
    }

    /// How near every process that is alive is to its limits, at an instant that is neither before
    /// [`now`](World::now) nor after [`next_at`](World::next_at): nothing happens in between. Only a look: a world
    /// that is looked at runs on in exactly the same way.
    pub fn gauges(&self, at: Time, out: &mut dyn FnMut(ProcessId, Gauge)) {
        for (index, shell) in self.shells.iter().enumerate() {
            shell.gauges(at, &mut |gauge| out(ProcessId(index as u32), gauge));
        }
    }

    /// When the next event is, if there is one.
    #[must_use]
    pub fn next_at(&self) -> Option<Time> {
        self.queue.next_at()
    }

    /// Goes to the next event and lets it happen. False when nothing will ever happen again.
    pub fn step(&mut self, sink: &mut impl Sink) -> bool {
        // From here on behind a pointer: the whole kernel is compiled once, in one crate.
        self.proceed(sink)
    }

    fn proceed(&mut self, sink: &mut dyn Sink) -> bool {
        let Some((at, entry)) = self.queue.pop() else { return false };
        self.now = at;
        match entry {
            Entry::Wake(process) => self.wake(ProcessId(process), sink),
            Entry::Arrival(slot) => self.arrive(slot, sink),
            Entry::Fault => self.advance_faults(sink),
            Entry::Transport(slot) => self.alarm(slot, sink),
        }
        true
    }

    fn wake(&mut self, id: ProcessId, sink: &mut dyn Sink) {
        if self.shells[id.index()].wake != self.now {
            return; // an earlier timer was cancelled or has fired already
        }
        self.shells[id.index()].wake = Time::NEVER;
        self.run(id, sink);
    }

    /// Lets a process handle everything that is due, and sees to it that it is woken for the rest.
    pub(super) fn run(&mut self, id: ProcessId, sink: &mut dyn Sink) {
        if self.shells[id.index()].is_frozen() {
            self.thaw(id, sink);
        }
        loop {
            let shell = &mut self.shells[id.index()];
            let before = shell.work();
            let Some((input, parent)) = shell.next(self.now) else { break };
            self.recount(id, before);
            if matches!(input, Input::Start) {
                self.note(sink, id, parent, What::Life(Life::Started));
            }
            self.handle(id, input, parent, sink);
            let due = self.shells[id.index()].next_wake(self.now);
            if due > self.now {
                self.wake_at(id, due);
                return;
            }
        }
        self.schedule_wake(id);
    }

    /// Carries out what a process at a point had left to do.
    #[cold]
    fn thaw(&mut self, id: ProcessId, sink: &mut dyn Sink) {
        let before = self.shells[id.index()].work();
        let mut frozen = self.shells[id.index()].thaw();
        self.recount(id, before);
        if !frozen.is_empty() {
            let parent = self.shells[id.index()].parent();
            self.apply_all(id, &mut frozen, parent, sink);
        }
    }

    /// Brings the running count of pending work up to date after a change in one shell.
    #[inline]
    pub(super) fn recount(&mut self, id: ProcessId, before: usize) {
        self.work = self.work - before + self.shells[id.index()].work();
    }

    /// Hands an input to a process, now or, if it is paused, later.
    #[inline]
    pub(super) fn give(&mut self, id: ProcessId, input: Input, parent: u64, sink: &mut dyn Sink) {
        let shell = &mut self.shells[id.index()];
        if shell.takes() {
            self.handle(id, input, parent, sink);
        } else {
            let before = shell.work();
            shell.keep(self.now, input, parent);
            self.recount(id, before);
        }
        self.schedule_wake(id);
    }

    /// One kernel event.
    fn handle(&mut self, id: ProcessId, input: Input, parent: u64, sink: &mut dyn Sink) {
        self.events += 1;
        let (code, subject) = fields(&input);
        self.digest.fold(self.now.0, mix(u64::from(id.0) << 32 | code, subject));
        let mut effects = std::mem::take(&mut self.effects);
        let shell = &mut self.shells[id.index()];
        let before = shell.timers.work();
        let lent = Lent {
            plan: &self.plan,
            random: &self.random,
            disk: &self.disk,
            calls: &mut self.calls,
            effects: &mut effects,
            sink: if self.registry.counts_copies() { None } else { Some(&mut *sink) },
        };
        shell.turn(self.now, self.events, parent, input, lent);
        self.work = self.work - before + shell.timers.work();
        if shell.faults.has_fired() {
            self.count_fired(id, sink);
        }
        if !effects.is_empty() {
            self.apply_all(id, &mut effects, parent, sink);
        }
        // Nothing was put in its place, so there is nothing to drop.
        std::mem::forget(std::mem::replace(&mut self.effects, effects));
    }

    /// Carries effects out in order, until a fault at a point cuts them. Leaves none.
    fn apply_all(&mut self, id: ProcessId, effects: &mut Vec<Effect>, parent: u64, sink: &mut dyn Sink) {
        let mut index = 0;
        while let Some(effect) = effects.get_mut(index) {
            index += 1;
            let Effect::Point { step, point, item, run } = *effect else {
                self.apply(id, effect, parent, sink);
                continue;
            };
            if !self.pass_point(id, step, point, item, run, sink) {
                continue;
            }
            if self.shells[id.index()].is_alive() {
                // It stands still: the rest follows when it goes on.
                let before = self.shells[id.index()].work();
                self.shells[id.index()].freeze(effects.drain(index..));
                self.recount(id, before);
            }
            break;
        }
        effects.clear();
    }

    /// Carries one effect out. In place: an effect is large, and most are only looked at.
    fn apply(&mut self, id: ProcessId, effect: &mut Effect, parent: u64, sink: &mut dyn Sink) {
        match effect {
            Effect::Observe { connection, item, by, what } => {
                if self.registry.counts_copies() {
                    self.count_copies(what);
                }
                sink.observe(&Observation {
                    at: self.now,
                    event: self.events,
                    parent,
                    process: id,
                    incarnation: self.shells[id.index()].incarnation(),
                    connection: *connection,
                    item: *item,
                    by: *by,
                    what: *what,
                });
            }
            Effect::Call { to, message } => self.call(id, *to, message, sink),
            Effect::Answer { connection, message } => self.send(id, *connection, message, sink),
            Effect::Datagram { to, message } => self.cast(id, *to, message, sink),
            Effect::Close { connection } => self.close(id, *connection),
            Effect::Point { .. } => {}
            Effect::StartSlot(slot) => self.start_slot(*slot),
            Effect::StopSlot(slot) => self.stop_slot(*slot, sink),
        }
    }

    fn start_slot(&mut self, id: ProcessId) {
        self.shells[id.index()].want();
        self.schedule_wake(id);
    }

    fn stop_slot(&mut self, id: ProcessId, sink: &mut dyn Sink) {
        let before = self.shells[id.index()].work();
        let was_alive = self.shells[id.index()].unwant();
        self.recount(id, before);
        if was_alive {
            self.close_all(id, CloseReason::Closed);
            self.note(sink, id, self.events, What::Life(Life::Stopped));
        }
    }

    /// Observes something about a process as such.
    pub(super) fn note(&self, sink: &mut dyn Sink, process: ProcessId, parent: u64, what: What) {
        self.note_by(sink, process, parent, FaultMask::NONE, Item::default(), what);
    }

    /// Observes something about an item that faults have touched.
    pub(super) fn note_by(
        &self,
        sink: &mut dyn Sink,
        process: ProcessId,
        parent: u64,
        by: FaultMask,
        item: Item,
        what: What,
    ) {
        sink.observe(&Observation {
            at: self.now,
            event: self.events,
            parent,
            process,
            incarnation: self.shells.get(process.index()).map_or(0, Shell::incarnation),
            connection: ConnectionId::NONE,
            item,
            by,
            what,
        });
    }

    #[inline]
    pub(super) fn schedule_wake(&mut self, id: ProcessId) {
        let due = self.shells[id.index()].next_wake(self.now);
        self.wake_at(id, due);
    }

    #[inline]
    fn wake_at(&mut self, id: ProcessId, due: Time) {
        let shell = &mut self.shells[id.index()];
        if due < shell.wake {
            shell.wake = due;
            self.queue.push(due, Entry::Wake(id.0));
        }
    }

    pub(super) fn schedule_faults(&mut self) {
        if let Some(due) = self.registry.next_due().map(|due| due.max(self.now))
            && due < self.fault_wake
        {
            self.fault_wake = due;
            self.queue.push(due, Entry::Fault);
        }
    }

    /// What the network needs to know.
    pub(super) fn surroundings<'a>(
        plan: &'a Plan,
        random: &'a Random,
        locations: &'a [Location],
    ) -> Surroundings<'a> {
        Surroundings { plan, random, locations }
    }
}

/// Builds every process of a plan.
pub(super) fn build(plan: &Plan) -> Result<Vec<Box<dyn Process>>, BuildError> {
    let mut built: Vec<Option<Box<dyn Process>>> = Vec::new();
    built.resize_with(plan.processes.len(), || None);
    let mut errors = Vec::new();
    for (name, kind) in &plan.blueprint.nodes {
        match kind.build(name, plan) {
            Ok(processes) => {
                for (id, process) in processes {
                    built[id.index()] = Some(process);
                }
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        for (info, _) in plan.processes.iter().zip(&built).filter(|(_, process)| process.is_none()) {
            let node = &plan.nodes[info.node.index()].name;
            errors.push(PlanError::at(&["nodes", node], format!("process {} was not built", info.name)));
        }
    }
    if errors.is_empty() { Ok(built.into_iter().flatten().collect()) } else { Err(plan.as_written(errors)) }
}

/// The declared fields of an input that enter the digest.
#[inline(always)]
fn fields(input: &Input) -> (u64, u64) {
    match input {
        Input::Start => (1, 0),
        Input::Message { from, message, .. } => {
            let (kind, detail) = kind_of(&message.body);
            let subject = message.cargo.first().map_or(message.call.0 | 1 << 63, Item::identity);
            let told = mix(detail, u64::from(message.attempt) << 32 | u64::from(from.0));
            (2 | u64::from(kind) << 8, mix(subject, told))
        }
        Input::Timer(token) => (3, *token),
        Input::Disk(token, result) => (4 | u64::from(result.is_err()) << 8, *token),
        Input::Closed { peer, reason, .. } => (5 | (*reason as u64) << 8, u64::from(peer.0)),
        Input::Poke => (6, 0),
    }
}
