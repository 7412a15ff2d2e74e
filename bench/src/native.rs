//! The relay on this kernel: real network, real books. Every message is offered and concluded, every attempt
//! is sent, handled and answered, every copy is born and ends, as any service of a scenario does it.

use std::sync::Arc;

use beaufort_sim::blueprint::{Blueprint, Flow, Site, Timetable};
use beaufort_sim::faults::{FaultKind, network};
use beaufort_sim::ids::{
    Address, CallId, ConnectionId, Execution, FlowId, Item, NodeId, PlaceId, ProcessId, StreamId,
};
use beaufort_sim::kernel::World;
use beaufort_sim::message::{Body, Cargo, Message, http};
use beaufort_sim::node::{Context, Input, ItemBag, Process, TimerId};
use beaufort_sim::observe::{Birth, End, Handling, Held, Nobody, Observation, Outcome, Sink, What};
use beaufort_sim::plan::{Endpoint, Location, NodeInfo, PlaceRole, Plan, PlanError, Protocol};
use beaufort_sim::random::name_hash;
use beaufort_sim::time::{Span, Time};
use beaufort_sim::units::{Distribution, Ratio};

use crate::relay::{LATENCY_FROM, LATENCY_TO, LOSS, Node, Note, Packet, Port, Shape, Tally};
use crate::{Figure, Stopwatch};

/// The nodes' names.
const NODES: [&str; 3] = ["producers", "broker", "consumers"];
/// Where copies wait at the broker.
pub const QUEUE: &str = "broker";
/// Where the application takes them.
pub const EFFECT: &str = "application";
/// The name of the flow.
pub const FLOW: &str = "messages";

const BROKER: NodeId = NodeId(1);
const AT_BROKER: PlaceId = PlaceId(0);
const AT_APPLICATION: PlaceId = PlaceId(1);
const TICK: u64 = 1 << 32;

/// Over what the nodes talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Datagrams, as on the other engines: what is lost is gone, and the nodes repeat it.
    Datagrams,
    /// Connections, as the services of a scenario do: what is lost comes 200 ms later, and in order.
    Connections,
}

/// The plan of a relay.
///
/// # Errors
/// If the kernel does not take it, which is a defect.
pub fn plan(shape: &Shape) -> Result<Plan, Vec<PlanError>> {
    let length = Span::nanos(shape.length());
    let time = Timetable { warmup: Span::ZERO, run: length, drain: Span::hours(1) };
    let mut blueprint = Blueprint { time, ..Blueprint::default() };
    blueprint.sites.insert("here".to_owned(), Site::default());
    blueprint.flows.insert(FLOW.to_owned(), Flow::default());
    let mut plan = Plan::new(blueprint)?;
    for name in NODES {
        let steps = Vec::new();
        plan.nodes.push(NodeInfo { name: name.to_owned(), hash: name_hash(name), steps });
    }
    let location = Location::Zone { site: 0, zone: 1 };
    for index in 0..shape.nodes() {
        let node = match index.cmp(&shape.broker()) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal => 1,
            std::cmp::Ordering::Greater => 2,
        };
        plan.add_process(NODES[node], &format!("#{index}"), location);
    }
    plan.add_place(QUEUE, QUEUE, PlaceRole::Queue);
    plan.add_place(NODES[2], EFFECT, PlaceRole::Effect);
    let broker = Address { process: ProcessId(shape.broker()), part: 0 };
    let door = Endpoint { address: broker, protocol: Protocol::Broker, node: BROKER, place: Some(AT_BROKER) };
    plan.add_endpoint(QUEUE, door);
    plan.add_stream(NODES[0], FlowId(0));
    let loss = network::Loss { target: QUEUE.to_owned(), rate: Ratio(LOSS), ..network::Loss::default() };
    plan.blueprint.faults.insert("weather".to_owned(), FaultKind::NetLoss(loss));
    Ok(plan)
}

/// The world of a relay, before its first event.
///
/// # Errors
/// If the kernel does not take it, which is a defect.
pub fn world(plan: &Arc<Plan>, shape: &Shape, over: Over) -> Result<World, Vec<PlanError>> {
    let stream = plan.stream_named(NODES[0]).unwrap_or_default();
    let process = |index| -> Box<dyn Process> {
        let effects = ItemBag::default();
        Box::new(Member { node: Node::new(*shape, index), shape: *shape, over, stream, effects })
    };
    let processes = (0..shape.nodes()).map(process).collect();
    let mut world = World::with_processes(Arc::clone(plan), shape.seed, processes)?;
    world.set_latency(&Distribution::Uniform(Span::nanos(LATENCY_FROM), Span::nanos(LATENCY_TO)));
    Ok(world)
}

/// Steps a world to its end. `sink` sees everything; what reaches the application is counted.
pub fn drive(world: &mut World, sink: &mut impl Sink) -> Tally {
    let mut counted = Counted { sink, tally: Tally::default() };
    while world.step(&mut counted) {}
    counted.tally
}

/// Runs a relay with this sink for its observations.
///
/// # Errors
/// If the kernel does not take it, which is a defect.
pub fn run(shape: &Shape, over: Over, sink: &mut impl Sink) -> Result<Figure, Vec<PlanError>> {
    let watch = Stopwatch::start();
    let plan = Arc::new(plan(shape)?);
    let mut world = world(&plan, shape, over)?;
    let tally = drive(&mut world, sink);
    Ok(figure(&world, shape, tally, &watch))
}

/// The same with nobody who looks.
///
/// # Errors
/// If the kernel does not take it, which is a defect.
pub fn run_alone(shape: &Shape, over: Over) -> Result<Figure, Vec<PlanError>> {
    run(shape, over, &mut Nobody)
}

/// What a run came to.
#[must_use]
pub fn figure(world: &World, shape: &Shape, tally: Tally, watch: &Stopwatch) -> Figure {
    Figure {
        delivered: tally.delivered,
        whole: tally.is_whole(shape),
        packets: world.links().sent,
        events: world.events(),
        simulated: world.now().0 as f64 / 1e9,
        wall: watch.seconds(),
        digest: Some(world.digest().to_string()),
    }
}

/// Counts effects on their way to a sink.
struct Counted<'a, S> {
    sink: &'a mut S,
    tally: Tally,
}

impl<S: Sink> Sink for Counted<'_, S> {
    #[inline]
    fn observe(&mut self, seen: &Observation) {
        if let What::Born { place: AT_APPLICATION, .. } = seen.what {
            self.tally.add(seen.item.number);
        }
        self.sink.observe(seen);
    }
}

/// A node of the relay as a process.
#[derive(Clone, Debug)]
struct Member {
    node: Node<Ticket>,
    shape: Shape,
    over: Over,
    stream: StreamId,
    /// What the application has.
    effects: ItemBag,
}

/// An attempt: its time-out and its call.
#[derive(Clone, Copy, Debug)]
struct Ticket {
    timer: TimerId,
    call: CallId,
}

/// What a packet is an answer to, or has to be answered with.
#[derive(Clone, Copy)]
struct Arrived<'m> {
    from: ProcessId,
    connection: ConnectionId,
    message: &'m Message,
}

struct Door<'a, 'c> {
    cx: &'a mut Context<'c>,
    shape: &'a Shape,
    over: Over,
    stream: StreamId,
    effects: &'a mut ItemBag,
    arrived: Option<Arrived<'a>>,
}

impl Door<'_, '_> {
    fn item(&self, id: u32) -> Item {
        Item { number: id, stream: self.stream, ..Item::default() }
    }
}

impl Port for Door<'_, '_> {
    type Attempt = Ticket;

    fn attempt(&mut self, to: u32, packet: Packet, key: u32, after: u64, count: u16) -> Ticket {
        let (id, verb) = match packet {
            Packet::Deliver { id, .. } => (id, http::Verb::Push),
            Packet::Publish { id } | Packet::Accepted { id } | Packet::Done { id, .. } => {
                (id, http::Verb::Publish)
            }
        };
        let body = Body::Request(http::Request {
            part: 0,
            verb,
            key: None,
            secret: 0,
            execution: Execution::default(),
        });
        let cargo = Cargo::One(self.item(id));
        let message = Message { tag: key, attempt: count, cargo, ..Message::new(body) };
        let to = Address { process: ProcessId(to), part: 0 };
        let call = match self.over {
            Over::Datagrams => self.cx.ask(to, message),
            Over::Connections => self.cx.call(to, message),
        };
        let timer = self.cx.timeout(Span::nanos(after), u64::from(key), true);
        Ticket { timer, call }
    }

    fn settle(&mut self, attempt: Ticket, id: u32) {
        self.cx.cancel(attempt.timer);
        let this = self.arrived.as_ref().is_some_and(|arrived| arrived.message.call == attempt.call);
        // The answer to an earlier attempt says nothing about this one.
        let outcome = if this { Outcome::Ok } else { Outcome::Unknown };
        self.cx.observe(self.item(id), What::Answered { call: attempt.call, outcome });
    }

    fn give_up(&mut self, attempt: Ticket, id: u32) {
        let what = What::Answered { call: attempt.call, outcome: Outcome::Unknown };
        self.cx.observe(self.item(id), what);
    }

    fn reply(&mut self, packet: Packet, new: bool) {
        let Some(Arrived { from, connection, message }) = self.arrived else { return };
        let how = if new { Handling::Stored } else { Handling::Suppressed };
        let id = match packet {
            Packet::Publish { id }
            | Packet::Accepted { id }
            | Packet::Deliver { id, .. }
            | Packet::Done { id, .. } => id,
        };
        let item = self.item(id);
        self.cx.observe(item, What::Handled { call: message.call, how });
        let body = Body::Response(http::Response::status(200));
        let answer = Message { cargo: Cargo::One(item), ..message.answer(body) };
        match self.over {
            Over::Datagrams => self.cx.datagram(from, answer),
            Over::Connections => self.cx.answer(connection, answer),
        }
    }

    fn tick(&mut self, after: u64) {
        self.cx.timer(Span::nanos(after), TICK, true);
    }

    fn note(&mut self, id: u32, note: Note) {
        let item = self.item(id);
        let what = match note {
            Note::Offered => What::Offered { door: BROKER },
            Note::Concluded => {
                let offered = Time(self.shape.offered_at(id));
                What::Concluded { door: BROKER, outcome: Outcome::Ok, offered }
            }
            Note::Stored => What::Born { place: AT_BROKER, cause: Birth::Stored },
            Note::Ended => What::Ended { place: AT_BROKER, cause: End::Completed },
            Note::Effect => {
                self.effects.add(item);
                What::Born { place: AT_APPLICATION, cause: Birth::Stored }
            }
        };
        self.cx.observe(item, what);
    }
}

impl Process for Member {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        let Member { node, shape, over, stream, effects } = self;
        match input {
            Input::Start | Input::Timer(_) => {
                let mut door = Door { cx, shape, over: *over, stream: *stream, effects, arrived: None };
                match input {
                    Input::Timer(TICK) => node.tick(&mut door),
                    Input::Timer(key) => node.expired(key as u32, &mut door),
                    _ => node.start(&mut door),
                }
            }
            Input::Message { from, connection, message } => {
                let id = message.cargo.first().unwrap_or_default().number;
                let packet = match (&message.body, &*node) {
                    (Body::Request(_), Node::Broker(_)) => Packet::Publish { id },
                    (Body::Request(_), _) => Packet::Deliver { id, sequence: message.tag },
                    (_, Node::Broker(_)) => Packet::Done { id, sequence: message.tag },
                    _ => Packet::Accepted { id },
                };
                let arrived = Some(Arrived { from, connection, message: &message });
                let mut door = Door { cx, shape, over: *over, stream: *stream, effects, arrived };
                node.packet(packet, &mut door);
            }
            Input::Disk(..) | Input::Closed { .. } | Input::Poke => {}
        }
    }

    fn crash(&mut self) {
        // Nothing in a relay crashes; its nodes have no durable state.
    }

    fn inventory(&self, out: &mut dyn FnMut(Held)) {
        let held = |place, item, copies, rest| Held { place, item, copies, rest, shut: false };
        if let Node::Broker(broker) = &self.node {
            for id in broker.held() {
                let item = Item { number: id, stream: self.stream, ..Item::default() };
                out(held(AT_BROKER, item, 1, false));
            }
        }
        for (item, copies) in self.effects.iter() {
            out(held(AT_APPLICATION, item, copies, true));
        }
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}
