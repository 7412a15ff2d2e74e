//! Slots, conditions, hooks, idle connections, zones: what is neither a plain fault nor a clone.

use std::sync::Arc;

use super::Bench;
use crate::blueprint::{Blueprint, Flow, Site, Timetable};
use crate::faults::{At, Condition, FaultKind, Hook, gray, network, process, zone};
use crate::ids::{ConnectionId, Item, PlaceId, ProcessId};
use crate::kernel::World;
use crate::message::{Body, Cargo, Message, broker, control, http};
use crate::node::shell::Presence;
use crate::node::{CloseReason, Context, Input, Process};
use crate::observe::{Birth, End, Held, Life, Observation, What};
use crate::plan::{Location, NodeInfo, PlaceRole, Plan};
use crate::random::name_hash;
use crate::time::{Span, Time};
use crate::units::Distribution;

type Handler = fn(Input, &mut Context<'_>);

/// A process that is nothing but a function.
#[derive(Clone, Debug)]
struct Just(Handler);

impl Process for Just {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        (self.0)(input, cx);
    }
    fn crash(&mut self) {}
    fn inventory(&self, _: &mut dyn FnMut(Held)) {}
    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}

fn nothing(_: Input, _: &mut Context<'_>) {}

struct Stage {
    plan: Plan,
    processes: Vec<Box<dyn Process>>,
}

impl Stage {
    fn new() -> Stage {
        let time = Timetable { warmup: Span::ZERO, run: Span::mins(30), drain: Span::ZERO };
        let mut blueprint = Blueprint { time, ..Blueprint::default() };
        blueprint.sites.insert("here".to_owned(), Site::default());
        blueprint.flows.insert("orders".to_owned(), Flow::default());
        Stage { plan: Plan::new(blueprint).expect("a plan"), processes: Vec::new() }
    }

    fn add(&mut self, name: &str, location: Location, handler: Handler) -> ProcessId {
        self.plan.nodes.push(NodeInfo { name: name.to_owned(), hash: name_hash(name), steps: Vec::new() });
        let id = self.plan.add_process(name, "", location);
        self.processes.push(Box::new(Just(handler)));
        id
    }

    fn fault(&mut self, kind: FaultKind) {
        self.plan.blueprint.faults.insert("trouble".to_owned(), kind);
    }

    fn run(self, seed: u64, until: Span) -> (World, Vec<Observation>) {
        let mut world = World::with_processes(Arc::new(self.plan), seed, self.processes).expect("a world");
        let mut seen = Vec::new();
        while world.next_at().is_some_and(|at| at < Time::ZERO + until) {
            world.step(&mut seen);
            assert!(world.links().balances());
        }
        (world, seen)
    }
}

const ZONE_1: Location = Location::Zone { site: 0, zone: 1 };
const SERVER: ProcessId = ProcessId(1);

fn request(number: u32) -> Message {
    let execution = crate::ids::Execution::default();
    let request = http::Request { part: 0, verb: http::Verb::Call, key: None, secret: 0, execution };
    Message::new(Body::Request(request)).carrying(Cargo::One(Item { number, ..Item::default() }))
}

fn closes(seen: &[Observation]) -> Vec<(ProcessId, u64)> {
    let told = |o: &Observation| match o.what {
        What::RunEnded { run, .. } => Some((o.process, run)),
        _ => None,
    };
    seen.iter().filter_map(told).collect()
}

fn tell_close(reason: CloseReason, cx: &mut Context<'_>) {
    cx.observe(Item::default(), What::RunEnded { run: reason as u64, done: true });
}

#[test]
fn a_slot_starts_and_stops_in_good_order_and_its_timers_die_with_it() {
    fn manager(input: Input, cx: &mut Context<'_>) {
        match input {
            Input::Start => {
                cx.timer(Span::secs(1), 1, false);
                cx.timer(Span::secs(5), 2, false);
                cx.timer(Span::secs(9), 1, false);
            }
            Input::Timer(1) => {
                cx.start_slot(SERVER);
                cx.tell(SERVER, request(1));
            }
            Input::Timer(2) => cx.stop_slot(SERVER),
            Input::Closed { reason, .. } => tell_close(reason, cx),
            _ => {}
        }
    }
    fn slot(input: Input, cx: &mut Context<'_>) {
        match input {
            Input::Start => cx.timer(Span::secs(6), 7, true),
            Input::Timer(_) => cx.observe(Item::default(), What::RunStarted { run: 7 }),
            _ => {}
        }
    }
    let mut stage = Stage::new();
    stage.add("manager", ZONE_1, manager);
    let slot = stage.add("slot", ZONE_1, slot);
    stage.plan.processes[slot.index()].dormant = true;
    let (world, seen) = stage.run(1, Span::secs(60));
    let lives: Vec<(u64, Life)> = seen
        .iter()
        .filter(|o| o.process == SERVER)
        .filter_map(
            |o| if let What::Life(life) = o.what { Some((o.at.0 / 1_000_000_000, life)) } else { None },
        )
        .collect();
    assert_eq!(lives, [(1, Life::Started), (5, Life::Stopped), (9, Life::Started)]);
    let fired: Vec<u64> = seen
        .iter()
        .filter(|o| matches!(o.what, What::RunStarted { .. }))
        .map(|o| o.at.0 / 1_000_000_000)
        .collect();
    assert_eq!(fired, [15], "the timer of the first life never fires");
    assert_eq!(closes(&seen), [(ProcessId(0), CloseReason::Closed as u64)]);
    assert_eq!((world.pending_work(), world.presence(SERVER)), (0, Presence::Alive));
}

#[test]
fn a_condition_begins_a_fault_when_it_comes_true() {
    fn queue(input: Input, cx: &mut Context<'_>) {
        let Input::Timer(number) = input else {
            cx.timer(Span::secs(1), 0, false);
            return;
        };
        let item = Item { number: number as u32, ..Item::default() };
        let place = PlaceId(0);
        cx.observe(item, What::Born { place, cause: Birth::Stored });
        if number % 4 == 3 {
            cx.observe(item, What::Ended { place, cause: End::Completed });
        }
        cx.timer(Span::secs(1), number + 1, false);
    }
    let mut stage = Stage::new();
    stage.add("queue", ZONE_1, queue);
    stage.add("other", ZONE_1, nothing);
    stage.plan.add_place("queue", "queue", PlaceRole::Queue);
    stage.fault(FaultKind::ProcCrash(process::Crash {
        target: "other".to_owned(),
        when: Some(Condition { entity: "queue".to_owned(), above: 10 }),
        lasts: Some(Span::secs(5)),
        ..process::Crash::default()
    }));
    let (world, seen) = stage.run(1, Span::mins(5));
    let crashes: Vec<Time> =
        seen.iter().filter(|o| o.what == What::Life(Life::Crashed)).map(|o| o.at).collect();
    // Three of four stay: the 14th birth is the 11th that waits.
    assert_eq!(crashes, [Time::ZERO + Span::secs(14)]);
    let count = world.fault_counts().next().expect("one fault");
    assert_eq!((count.armed, count.started, count.healed), (1, 1, 1));
}

#[test]
fn the_registry_switches_the_hooks_of_services_on_and_off() {
    fn service(input: Input, cx: &mut Context<'_>) {
        if let Input::Timer(number) = input {
            let item = Item { number: number as u32, ..Item::default() };
            if cx.strike(Hook::DependencyDown, 0, item, 0).is_some() {
                cx.observe(item, What::RunStarted { run: number });
            }
            cx.timer(Span::secs(1), number + 1, false);
        } else {
            cx.timer(Span::secs(1), 0, false);
        }
    }
    let run = |fault: gray::Down| {
        let mut stage = Stage::new();
        stage.add("service", ZONE_1, service);
        stage.fault(FaultKind::DepDown(fault));
        let (world, seen) = stage.run(1, Span::mins(31));
        let struck: Vec<u32> = seen
            .iter()
            .filter(|o| matches!(o.what, What::RunStarted { .. }))
            .map(|o| o.item.number)
            .collect();
        let marked = seen.iter().filter(|o| o.what == What::Touched && !o.by.is_empty()).count();
        assert_eq!(marked, struck.len());
        (struck, world.fault_counts().next().expect("one fault"))
    };
    let down = |at, lasts| gray::Down { target: "service".to_owned(), at, lasts, ..gray::Down::default() };
    let from = Some(At::Instant(Span::millis(10_500)));
    let (struck, count) = run(down(from, Some(Span::secs(5))));
    assert_eq!((struck, count.fired, count.healed), ((10..15).collect(), 5, 1));
    let (struck, _) = run(gray::Down { nth: Some(4), ..down(from, Some(Span::secs(10))) });
    assert_eq!(struck, [11, 15, 19]);
    let (struck, _) = run(gray::Down { times: Some(2), ..down(from, None) });
    assert_eq!(struck, [10, 11]);
    let (struck, count) = run(gray::Down { times: Some(6), at: Some(At::Random), ..down(None, None) });
    assert_eq!((struck.len(), count.armed, count.fired), (6, 6, 6), "each drawn instant is one blow");
}

#[test]
fn an_idle_connection_is_set_up_again_without_a_word() {
    fn client(input: Input, cx: &mut Context<'_>) {
        match input {
            Input::Start => {
                for (number, at) in [(1, 1), (2, 31), (3, 92)] {
                    cx.timer(Span::secs(at), number, true);
                }
            }
            Input::Timer(number) => {
                cx.call(crate::ids::Address { process: SERVER, part: 0 }, request(number as u32));
            }
            Input::Message { message, .. } => {
                let item = message.cargo.first().unwrap_or_default();
                cx.observe(item, What::RunStarted { run: 0 });
            }
            Input::Closed { reason, .. } => tell_close(reason, cx),
            Input::Disk(..) | Input::Poke => {}
        }
    }
    fn server(input: Input, cx: &mut Context<'_>) {
        if let Input::Message { connection, message, .. } = input {
            let answer = message.answer(Body::Response(http::Response::status(200)));
            cx.answer(connection, answer.carrying(message.cargo.clone()));
        }
    }
    let mut stage = Stage::new();
    stage.add("client", ZONE_1, client);
    stage.add("server", Location::Zone { site: 0, zone: 2 }, server);
    let (_, seen) = stage.run(1, Span::mins(5));
    let trips: Vec<u64> = [(1, 1), (2, 31), (3, 92)]
        .map(|(number, at)| {
            let answered =
                |o: &&Observation| o.item.number == number && matches!(o.what, What::RunStarted { .. });
            let at = Time::ZERO + Span::secs(at);
            seen.iter().find(answered).map_or(0, |o| o.at.since(at).0)
        })
        .into();
    assert!(trips[0] > 2 * trips[1] && trips[2] > 2 * trips[1], "{trips:?}: a set-up costs round trips");
    assert!(closes(&seen).is_empty());
}

#[test]
fn a_link_that_was_idle_for_ten_minutes_is_detached_and_both_sides_learn_it() {
    fn client(input: Input, cx: &mut Context<'_>) {
        match input {
            Input::Start => {
                let attach = broker::Command::Attach {
                    part: 0,
                    link: 1,
                    from: broker::Source::Any,
                    mode: broker::ReceiveMode::PeekLock,
                    credit: 1,
                };
                cx.tell(SERVER, Message::new(Body::Broker(attach)));
                cx.timer(Span::mins(9), 1, false);
                cx.timer(Span::mins(20), 1, false);
            }
            Input::Timer(_) => {
                cx.tell(SERVER, Message::new(Body::Broker(broker::Command::Credit { link: 1, more: 1 })))
            }
            Input::Closed { reason, .. } => tell_close(reason, cx),
            _ => {}
        }
    }
    fn server(input: Input, cx: &mut Context<'_>) {
        match input {
            Input::Message { .. } => cx.observe(Item::default(), What::RunStarted { run: 0 }),
            Input::Closed { reason, .. } => tell_close(reason, cx),
            _ => {}
        }
    }
    let mut stage = Stage::new();
    stage.add("client", ZONE_1, client);
    stage.add("server", ZONE_1, server);
    let (_, seen) = stage.run(1, Span::mins(25));
    let idle = CloseReason::Idle as u64;
    assert_eq!(closes(&seen), [(ProcessId(0), idle), (SERVER, idle)]);
    assert_eq!(seen.iter().filter(|o| matches!(o.what, What::RunStarted { .. })).count(), 2);
}

#[test]
fn a_silent_broker_is_noticed_by_its_heartbeat_and_a_silent_web_server_is_not() {
    fn client(input: Input, cx: &mut Context<'_>) {
        match input {
            Input::Start => {
                let attach = broker::Command::Attach {
                    part: 0,
                    link: 1,
                    from: broker::Source::Any,
                    mode: broker::ReceiveMode::PeekLock,
                    credit: 1,
                };
                cx.tell(SERVER, Message::new(Body::Broker(attach)));
                cx.tell(ProcessId(2), Message::new(Body::Control(control::Command::Drain)));
            }
            Input::Closed { peer, reason, .. } => {
                cx.observe(
                    Item { number: peer.0, ..Item::default() },
                    What::RunEnded { run: reason as u64, done: true },
                );
            }
            _ => {}
        }
    }
    let mut stage = Stage::new();
    stage.add("client", ZONE_1, client);
    let far = Location::Zone { site: 0, zone: 2 };
    stage.add("broker", far, nothing);
    stage.add("web", far, nothing);
    stage.fault(FaultKind::ZoneDown(zone::ZoneDown {
        target: "here/2".to_owned(),
        at: Some(At::Instant(Span::secs(10))),
        lasts: Some(Span::mins(5)),
        ..zone::ZoneDown::default()
    }));
    let (_, seen) = stage.run(1, Span::mins(20));
    let told: Vec<(u32, u64)> = seen
        .iter()
        .filter(|o| matches!(o.what, What::RunEnded { .. }))
        .map(|o| (o.item.number, o.at.0 / 1_000_000_000))
        .collect();
    assert_eq!(told, [(1, 70)], "the AMQP heartbeat fails after 60 s; nobody tells the HTTP client");
}

#[test]
fn a_redundant_service_blinks_when_a_zone_is_lost() {
    let mut stage = Stage::new();
    stage.add("service", Location::Redundant { site: 0, blip: Span::secs(20) }, nothing);
    stage.add("zonal", ZONE_1, nothing);
    stage.fault(FaultKind::ZoneDown(zone::ZoneDown {
        target: "here/1".to_owned(),
        at: Some(At::Instant(Span::secs(10))),
        lasts: Some(Span::mins(5)),
        ..zone::ZoneDown::default()
    }));
    let (_, seen) = stage.run(1, Span::mins(20));
    let lives: Vec<(u32, u64, Life)> = seen
        .iter()
        .filter_map(|o| match o.what {
            What::Life(life) if o.at > Time::ZERO => Some((o.process.0, o.at.0 / 1_000_000_000, life)),
            _ => None,
        })
        .collect();
    let expected =
        [(1, 10, Life::PowerLost), (0, 10, Life::Paused), (0, 30, Life::Resumed), (1, 310, Life::Started)];
    assert_eq!(lives, expected);
}

#[test]
fn any_zone_is_drawn_by_name_and_seed() {
    let zone_of = |seed: u64, before: usize| {
        let mut stage = Stage::new();
        for index in 0..before {
            stage.add(&format!("stranger-{index}"), Location::AnyZone { site: 0 }, nothing);
        }
        let id = stage.add("service", Location::AnyZone { site: 0 }, nothing);
        let (world, _) = stage.run(seed, Span::secs(1));
        match world.location(id) {
            Location::Zone { zone, .. } => zone,
            other => panic!("{other:?}"),
        }
    };
    let mut zones: Vec<u8> = (0..40).map(|seed| zone_of(seed, 0)).collect();
    assert_eq!(zones, (0..40).map(|seed| zone_of(seed, 5)).collect::<Vec<u8>>());
    zones.sort_unstable();
    zones.dedup();
    assert_eq!(zones, [1, 2, 3]);
}

#[test]
fn a_hidden_network_fault_spares_probes() {
    let delayed = |hidden| {
        let latency = network::Latency {
            target: "server".to_owned(),
            delay: Distribution::Constant(Span::millis(700)),
            hidden,
            ..network::Latency::default()
        };
        let seen = Bench::with(FaultKind::NetLatency(latency)).run();
        let beliefs = seen.seen.iter().find(|o| matches!(o.what, What::Believes { .. }));
        beliefs.is_some_and(|o| o.at > Time::ZERO + Span::millis(2300))
    };
    assert_eq!((delayed(false), delayed(true)), (true, false));
}

#[test]
fn messages_of_a_dead_connection_are_dropped_and_booked() {
    fn stubborn(input: Input, cx: &mut Context<'_>) {
        if let Input::Start = input {
            cx.answer(ConnectionId { slot: 3, generation: 1 }, request(1));
        }
    }
    let mut stage = Stage::new();
    stage.add("stubborn", ZONE_1, stubborn);
    let (world, _) = stage.run(1, Span::secs(1));
    assert_eq!((world.links().sent, world.links().dropped, world.pending_work()), (1, 1, 0));
}
