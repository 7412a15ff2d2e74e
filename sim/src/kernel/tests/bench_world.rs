//! A client that calls and probes a server, and what can be seen of them.

use std::sync::Arc;

use crate::blueprint::{Blueprint, Flow, Site, Timetable};
use crate::faults::FaultKind;
use crate::ids::{Address, CallId, ConnectionId, Item, ProcessId};
use crate::kernel::World;
use crate::message::{Body, Cargo, Message, http};
use crate::node::{Context, Input, Point, Process};
use crate::observe::{Belief, Held, Observation, Outcome, Symptom, What};
use crate::plan::{Location, NodeInfo, Plan};
use crate::random::name_hash;
use crate::time::{Span, Time};

/// Calls its server at a steady pace, and probes it every second.
#[derive(Clone, Debug)]
pub(super) struct Client {
    server: ProcessId,
    every: Span,
    next: u32,
    last: u32,
    stream: &'static str,
}

/// Answers after some work, in two steps with a point between them.
#[derive(Clone, Debug, Default)]
pub(super) struct Server {
    work: Span,
    waiting: Vec<(u64, ConnectionId, Message)>,
    tokens: u64,
}

const PROBE: u64 = 1;
const CALL: u64 = 2;

impl Process for Client {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        match input {
            Input::Start => {
                cx.timer(self.every, CALL, true);
                cx.timer(Span::secs(1), PROBE, false);
            }
            Input::Timer(PROBE) => {
                cx.datagram(self.server, Message::new(Body::Probe));
                cx.timer(Span::secs(1), PROBE, false);
            }
            Input::Timer(_) if self.next < self.last => {
                let item = Item {
                    number: self.next,
                    stream: crate::ids::StreamId::named(self.stream),
                    ..Item::default()
                };
                self.next += 1;
                let request = http::Request {
                    secret: 0,
                    part: 0,
                    verb: http::Verb::Call,
                    key: None,
                    execution: crate::ids::Execution::default(),
                };
                let message = Message::new(Body::Request(request)).carrying(Cargo::One(item));
                cx.call(Address { process: self.server, part: 0 }, message);
                cx.timer(self.every, CALL, true);
            }
            Input::Message { message, .. } => match message.body {
                Body::ProbeAnswer { ready } => cx.believe(self.server, Belief::Ready(ready)),
                _ => {
                    let item = message.cargo.first().unwrap_or_default();
                    cx.observe(item, What::Answered { call: message.call, outcome: Outcome::Ok });
                }
            },
            Input::Closed { reason, .. } => {
                cx.observe(Item::default(), What::RunEnded { run: reason as u64, done: false });
            }
            Input::Timer(_) | Input::Disk(..) | Input::Poke => {}
        }
    }
    fn crash(&mut self) {}
    fn inventory(&self, _: &mut dyn FnMut(Held)) {}
    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}

impl Process for Server {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        match input {
            Input::Message { connection, message, from } => {
                if message.body == Body::Probe {
                    cx.datagram(from, message.answer(Body::ProbeAnswer { ready: true }));
                    return;
                }
                let item = message.cargo.first().unwrap_or_default();
                cx.observe(item, What::StepDone { step: 0, outcome: Outcome::Ok });
                cx.point(0, Point::After, item, u64::from(item.number));
                self.tokens += 1;
                self.waiting.push((self.tokens, connection, message));
                cx.timer(cx.busy(self.work), self.tokens, true);
            }
            Input::Timer(token) => {
                if let Some(index) = self.waiting.iter().position(|(waiting, ..)| *waiting == token) {
                    let (_, connection, message) = self.waiting.remove(index);
                    let answer = message.answer(Body::Response(http::Response::status(200)));
                    cx.answer(connection, answer.carrying(message.cargo.clone()));
                }
            }
            _ => {}
        }
    }
    fn crash(&mut self) {
        *self = Server { work: self.work, ..Server::default() };
    }
    fn inventory(&self, _: &mut dyn FnMut(Held)) {}
    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}

/// What the world is to be like.
#[derive(Clone, Debug)]
pub(in crate::kernel) struct Bench {
    pub(super) every: Span,
    pub(super) count: u32,
    pub(super) work: Span,
    pub(super) faults: Vec<(String, FaultKind)>,
    pub(super) strangers: bool,
    pub(super) seed: u64,
}

impl Default for Bench {
    fn default() -> Self {
        Bench {
            every: Span::millis(100),
            count: 1200,
            work: Span::millis(2),
            faults: Vec::new(),
            strangers: false,
            seed: 1,
        }
    }
}

impl Bench {
    pub(super) fn with(fault: FaultKind) -> Bench {
        Bench { faults: vec![("trouble".to_owned(), fault)], ..Bench::default() }
    }

    /// `client` in zone 1 calls `server` in zone 2; `replicas` of strangers come first if wanted, so that
    /// every index is another.
    pub(in crate::kernel) fn world(&self) -> World {
        let mut blueprint = Blueprint {
            time: Timetable { warmup: Span::ZERO, run: Span::mins(2), drain: Span::mins(30) },
            ..Blueprint::default()
        };
        blueprint.sites.insert("here".to_owned(), Site::default());
        blueprint.flows.insert("orders".to_owned(), Flow::default());
        let mut plan = Plan::new(blueprint).expect("a plan");
        plan.add_stream("client", crate::ids::FlowId(0));
        plan.add_stream("caller", crate::ids::FlowId(0));
        let mut processes: Vec<Box<dyn Process>> = Vec::new();
        let mut pairs = vec![("client", "server")];
        if self.strangers {
            pairs.insert(0, ("caller", "callee"));
        }
        for (client, server) in pairs {
            for name in [client, server] {
                plan.nodes.push(NodeInfo { name: name.to_owned(), hash: name_hash(name), steps: Vec::new() });
            }
            plan.add_step(server, "take");
            plan.add_step(server, "reply");
            let zone = |zone| Location::Zone { site: 0, zone };
            plan.add_process(client, "", zone(1));
            let callee = plan.add_process(server, "", zone(2));
            plan.processes[callee.index()].runs_recipe = true;
            let (every, last) = (self.every, self.count);
            processes.push(Box::new(Client { server: callee, every, next: 0, last, stream: client }));
            processes.push(Box::new(Server { work: self.work, ..Server::default() }));
        }
        plan.blueprint.faults = self.faults.iter().cloned().collect();
        World::with_processes(Arc::new(plan), self.seed, processes).expect("a world")
    }

    pub(super) fn run(&self) -> Seen {
        let mut world = self.world();
        let mut seen = Vec::new();
        let until = Time::ZERO + Span::mins(10);
        while world.next_at().is_some_and(|at| at < until) {
            world.step(&mut seen);
            assert!(world.links().balances(), "at {}: {:?}", world.now(), world.links());
        }
        Seen { world, seen }
    }
}

/// What was seen.
#[derive(Debug)]
pub(in crate::kernel) struct Seen {
    pub(super) world: World,
    pub(super) seen: Vec<Observation>,
}

impl Seen {
    pub(super) fn count(&self, fits: impl Fn(&What) -> bool) -> usize {
        self.seen.iter().filter(|seen| fits(&seen.what)).count()
    }

    pub(super) fn answered(&self) -> usize {
        self.count(|what| matches!(what, What::Answered { .. }))
    }

    pub(super) fn closed(&self, reason: crate::node::CloseReason) -> usize {
        self.count(|what| matches!(what, What::RunEnded { run, .. } if *run == reason as u64))
    }

    pub(super) fn symptoms(&self, wanted: Symptom) -> usize {
        self.count(|what| match what {
            What::Symptom(symptom) | What::Trouble { symptom, .. } => *symptom == wanted,
            _ => false,
        })
    }

    pub(super) fn ready(&self) -> usize {
        self.count(|what| matches!(what, What::Believes { .. }))
    }

    /// The longest time from a call to its answer, by the instant of the call.
    pub(super) fn round_trips(&self) -> Vec<(Time, Span)> {
        let mut sent: std::collections::BTreeMap<CallId, Time> = std::collections::BTreeMap::new();
        let mut trips = Vec::new();
        for seen in &self.seen {
            match seen.what {
                What::Sent { call, .. } => {
                    sent.insert(call, seen.at);
                }
                What::Answered { call, .. } => {
                    if let Some(at) = sent.get(&call) {
                        trips.push((*at, seen.at.since(*at)));
                    }
                }
                _ => {}
            }
        }
        trips
    }

    pub(super) fn slowest(&self) -> Span {
        self.round_trips().into_iter().map(|(_, span)| span).max().unwrap_or(Span::ZERO)
    }

    pub(super) fn fault(&self) -> crate::faults::FaultCount {
        self.world.fault_counts().next().unwrap_or_default()
    }
}
