//! The bare engine: pairs of processes that throw an item back and forth, no judges, no faults. The figure
//! is kernel events a second.

use std::hint::black_box;
use std::sync::Arc;

use beaufort_sim::blueprint::{Blueprint, Flow, Site, Timetable};
use beaufort_sim::ids::{Address, Item, ProcessId};
use beaufort_sim::kernel::World;
use beaufort_sim::message::{Body, Cargo, Message, http};
use beaufort_sim::node::{Context, Input, Process};
use beaufort_sim::observe::{Held, Nobody};
use beaufort_sim::plan::{Location, NodeInfo, Plan};
use beaufort_sim::random::name_hash;
use beaufort_sim::time::Span;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

/// Answers every message with another; the first of a pair serves.
#[derive(Clone, Debug)]
struct Player {
    serves: Option<ProcessId>,
    balls: u32,
}

impl Player {
    fn throw(&self, cx: &mut Context<'_>, item: Item) {
        let Some(to) = self.serves else { return };
        let execution = beaufort_sim::ids::Execution::default();
        let request = http::Request { part: 0, verb: http::Verb::Call, key: None, secret: 0, execution };
        cx.call(
            Address { process: to, part: 0 },
            Message::new(Body::Request(request)).carrying(Cargo::One(item)),
        );
    }
}

impl Process for Player {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        match input {
            Input::Start => {
                for number in 0..self.balls {
                    self.throw(cx, Item { number, ..Item::default() });
                }
            }
            Input::Message { connection, message, .. } => match message.body {
                Body::Request(_) => {
                    let answer = message.answer(Body::Response(http::Response::status(200)));
                    cx.answer(connection, answer.carrying(message.cargo.clone()));
                }
                _ => {
                    let item = message.cargo.first().unwrap_or_default();
                    // A time-out that is armed and cancelled with every call, as real callers do.
                    let timer = cx.timeout(Span::secs(5), 1, true);
                    cx.cancel(timer);
                    self.throw(cx, item);
                }
            },
            _ => {}
        }
    }
    fn crash(&mut self) {}
    fn inventory(&self, _: &mut dyn FnMut(Held)) {}
    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}

fn world(pairs: u32, balls: u32) -> World {
    let time = Timetable { warmup: Span::ZERO, run: Span::hours(1), drain: Span::ZERO };
    let mut blueprint = Blueprint { time, ..Blueprint::default() };
    blueprint.sites.insert("here".to_owned(), Site::default());
    blueprint.flows.insert("balls".to_owned(), Flow::default());
    let mut plan = Plan::new(blueprint).unwrap_or_else(|errors| unreachable!("{errors:?}"));
    let mut processes: Vec<Box<dyn Process>> = Vec::new();
    for pair in 0..pairs {
        for (side, zone) in [("a", 1), ("b", 2)] {
            let name = format!("{side}{pair}");
            plan.nodes.push(NodeInfo { name: name.clone(), hash: name_hash(&name), steps: Vec::new() });
            let id = plan.add_process(&name, "", Location::Zone { site: 0, zone });
            let serves = (side == "a").then_some(ProcessId(id.0 + 1));
            processes.push(Box::new(Player { serves, balls }));
        }
    }
    World::with_processes(Arc::new(plan), 1, processes).unwrap_or_else(|errors| unreachable!("{errors:?}"))
}

const EVENTS: u64 = 200_000;

fn relay(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("kernel");
    group.throughput(Throughput::Elements(EVENTS)).sample_size(20);
    for (pairs, balls) in [(8, 8), (64, 8)] {
        let start = world(pairs, balls);
        group.bench_function(format!("{pairs} pairs, {} in flight", pairs * balls), |bencher| {
            bencher.iter_batched(
                || start.clone(),
                |mut world| {
                    while world.events() < EVENTS && world.step(&mut Nobody) {}
                    black_box(world.digest())
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, relay);
criterion_main!(benches);
