//! The hosts' processes: what a crash leaves, and how a front owns its instances.

use super::bench::*;
use super::*;
use crate::ids::CallId;
use crate::message::{Body, Cargo, Message, broker, control, store};
use crate::node::rig::{Rig, bodies, observed, sent};
use crate::node::{CloseReason, Effect};
use crate::observe::{Belief, Birth, End, Handling};
use crate::recipe::hosts::{ContainerApp, FunctionApp, LogicApp, Operator};
use crate::services::cosmos_db::CosmosDb;
use crate::services::service_bus::{ServiceBus, ServiceBusQueue};
use crate::units::{Count, OneOrMany};

fn everything() -> Plan {
    let http = "http".to_owned();
    let queue = ServiceBusQueue { of: "bus".to_owned(), ..ServiceBusQueue::default() };
    let orders = CosmosDb { holds: vec!["event".to_owned()], ..CosmosDb::default() };
    let reader = |trigger: &str, acknowledge| {
        NodeKind::FunctionApp(FunctionApp {
            trigger: trigger.to_owned(),
            steps: vec![insert("stock", None), acknowledge],
            ..FunctionApp::default()
        })
    };
    let api = ContainerApp {
        trigger: http.clone(),
        replicas: Count::exactly(2),
        concurrency: Some(1),
        steps: vec![insert("stock", None), reply(200)],
        ..ContainerApp::default()
    };
    let saga = LogicApp {
        trigger: http,
        once: Some(Once::ITEM),
        steps: vec![
            reply(202),
            call("psp", "charge", "refund"),
            Step::Wait(step::Wait { target: Span::mins(10), name: None }),
            insert("stock", None),
        ],
        ..LogicApp::default()
    };
    plan(vec![
        ("stock", database(&[])),
        ("orders-db", database(&["event"])),
        ("orders", NodeKind::CosmosDb(orders)),
        ("psp", endpoint(&["charge", "refund undoes charge"])),
        ("bus", NodeKind::ServiceBus(ServiceBus::default())),
        ("raw", NodeKind::ServiceBusQueue(queue)),
        ("api", NodeKind::ContainerApp(api)),
        ("relay", reader("orders-db.event", delete("orders-db.event"))),
        ("worker", reader("raw", complete())),
        ("feeder", reader("orders.change-feed", Step::Checkpoint(step::Checkpoint::default()))),
        (
            "timer",
            NodeKind::FunctionApp(FunctionApp {
                trigger: "every 1s".to_owned(),
                steps: vec![work(Span::secs(30))],
                ..FunctionApp::default()
            }),
        ),
        ("saga", NodeKind::LogicApp(saga)),
        (
            "person",
            NodeKind::Operator(Operator {
                trigger: "raw.dead-letter".to_owned(),
                steps: vec![work(Span::secs(30)), complete()],
                ..Operator::default()
            }),
        ),
    ])
    .expect("a plan")
}

/// After what was done to it, a crash leaves the process as a newly built one.
fn crash_equals_new(plan: &Plan, name: &str, use_it: impl FnOnce(&mut Rig<'_>)) {
    let new = format!("{:?}", build(plan, name).1);
    let mut rig = bench(plan, name);
    use_it(&mut rig);
    assert_ne!(format!("{:?}", rig.process), new, "{name} was not in use");
    rig.process.crash();
    assert_eq!(format!("{:?}", rig.process), new, "{name}");
}

#[test]
fn after_a_crash_an_instance_equals_a_new_one() {
    let plan = everything();
    let process = |name: &str| process(&plan, name);
    crash_equals_new(&plan, "api#0", |rig| {
        rig.message(CLIENT, request(1, item(1)));
        rig.message(CLIENT, request(2, item(2)));
        assert_eq!(rig.gauge("concurrent runs"), Some((1.0, 1.0)), "the second one waits");
    });
    crash_equals_new(&plan, "relay#0", |rig| {
        let rows = Body::StoreAnswer(store::Answer::Rows { range: 0, upto: 0 });
        let polled = rig.advance(Span::secs(31));
        let poll = sent(&polled).last().expect("a poll").clone();
        rig.message(process("orders-db"), poll.answer(rows).carrying(Cargo::One(item(1))));
    });
    crash_equals_new(&plan, "worker#0", |rig| {
        deliver(rig, process("bus"));
    });
    crash_equals_new(&plan, "feeder#0", |rig| {
        let looked = rig.advance(Span::secs(17));
        let ask = sent(&looked).last().expect("a lease is asked for").clone();
        let leased = Body::StoreAnswer(store::Answer::Leased { range: 0, position: 0 });
        let reads = rig.message(process("orders"), ask.answer(leased));
        let read = sent(&reads)
            .find(|m| matches!(m.body, Body::Store(store::Command::ReadFeed { .. })))
            .expect("a read")
            .clone();
        let rows = Body::StoreAnswer(store::Answer::Rows { range: 0, upto: 9 });
        let run = rig.message(process("orders"), read.answer(rows).carrying(Cargo::One(item(1))));
        assert!(bodies(&run).any(|body| matches!(body, Body::Store(store::Command::Write { .. }))));
    });
    crash_equals_new(&plan, "timer#0", |_| {});
    crash_equals_new(&plan, "person", |rig| {
        deliver(rig, process("bus"));
        rig.advance(Span::mins(15));
    });
    let mut rig = bench(&plan, "saga");
    rig.message(CLIENT, request(1, item(1)));
    rig.advance(Span::millis(5));
    let (saved, again) = (
        rig.held(),
        format!("{:?}", {
            rig.process.crash();
            &rig.process
        }),
    );
    assert_eq!(saved.len(), 1);
    let mut other = bench(&plan, "saga");
    other.message(CLIENT, request(1, item(1)));
    other.advance(Span::millis(5));
    other.message(CLIENT, request(2, item(2)));
    other.process.crash();
    assert_eq!(format!("{:?}", other.process), again, "what was not synced is gone");
    crash_equals_new(&plan, "api", |rig| {
        ready(rig, &plan, 0);
        rig.message(CLIENT, request(1, item(1)));
    });
}

/// Opens the link and delivers one message.
fn deliver(rig: &mut Rig<'_>, bus: u32) -> Vec<Effect> {
    rig.process.crash();
    let mut effects = rig.crash();
    effects.extend(rig.advance(Span::secs(5)));
    let attach = sent(&effects)
        .find(|m| matches!(m.body, Body::Broker(broker::Command::Attach { .. })))
        .expect("an attach")
        .clone();
    let Body::Broker(broker::Command::Attach { link, .. }) = attach.body else { panic!("{attach:?}") };
    let locked_until = rig.now + Span::secs(60);
    let attached = broker::Event::Attached { link, session: 0, locked_until };
    rig.message(bus, attach.answer(Body::BrokerEvent(attached)));
    let delivered = broker::Event::Delivered {
        link,
        delivery_count: 0,
        lock: 1 << 63 | 5,
        locked_until,
        identity: 42,
        sequence: 7,
    };
    rig.message(bus, Message::new(Body::BrokerEvent(delivered)).carrying(Cargo::One(item(1))))
}

#[test]
fn a_message_is_completed_by_its_step_and_abandoned_when_the_run_fails() {
    let plan = everything();
    let (bus, stock) = (process(&plan, "bus"), process(&plan, "stock"));
    let settled = |effects: &[Effect]| {
        let how = bodies(effects).find_map(|body| match body {
            Body::Broker(broker::Command::Settle { how, .. }) => Some(*how),
            _ => None,
        });
        how.expect("it is settled")
    };
    let mut rig = bench(&plan, "worker#0");
    let written = deliver(&mut rig, bus);
    let completed = answer(&mut rig, stock, &written, done());
    assert_eq!(settled(&completed), broker::Settlement::Complete);
    let mut rig = bench(&plan, "worker#0");
    let written = deliver(&mut rig, bus);
    let conflict = store::Answer::Refused { error: store::Error::Conflict, retry_after: None };
    let refused = answer(&mut rig, stock, &written, Body::StoreAnswer(conflict));
    assert_eq!(settled(&refused), broker::Settlement::Abandon);
}

#[test]
fn a_lost_lock_takes_nothing_back() {
    let plan = everything();
    let (bus, stock) = (process(&plan, "bus"), process(&plan, "stock"));
    let mut rig = bench(&plan, "worker#0");
    let written = deliver(&mut rig, bus);
    let completed = answer(&mut rig, stock, &written, done());
    let lost = Body::BrokerEvent(broker::Event::Refused(broker::Error::MessageLockLost));
    let ended = answer(&mut rig, bus, &completed, lost);
    assert!(observed(&ended).any(|what| matches!(what, What::RunEnded { done: false, .. })));
    assert!(bodies(&ended).all(|body| !matches!(body, Body::Store(_) | Body::Request(_))));
}

#[test]
fn a_logic_app_resumes_at_the_step_that_was_under_way() {
    let plan = everything();
    let psp = process(&plan, "psp");
    let saga = plan.place_named("saga").expect("a place");
    let mut rig = bench(&plan, "saga");
    let accepted = rig.message(CLIENT, request(1, item(1)));
    assert!(replies(&accepted).is_empty(), "nothing is promised before it is written down");
    let mut effects = rig.advance(Span::millis(1));
    assert_eq!(replies(&effects), [202]);
    assert!(observed(&effects).any(|what| *what == What::Born { place: saga, cause: Birth::Stored }));
    effects.extend(rig.advance(Span::millis(1)));
    let first = requests(&effects);
    assert_eq!(first.len(), 1);
    assert_eq!(rig.held().len(), 1);

    let resumed = rig.crash();
    let resumed = [resumed, rig.advance(Span::millis(1))].concat();
    assert_eq!(requests(&resumed), first, "the same call with the same key");
    assert!(replies(&resumed).is_empty());
    assert_eq!(rig.held().len(), 1);

    // A further request joins the run; it is told what the first was told.
    let joined = rig.message(CLIENT, request(2, item(1)));
    assert_eq!(replies(&joined), [202]);
    assert!(observed(&joined).any(|what| matches!(what, What::Handled { how: Handling::Suppressed, .. })));

    // The wait goes on from where it was: five minutes before the crash, five after.
    answer(&mut rig, psp, &resumed, status(200));
    rig.advance(Span::mins(5));
    rig.crash();
    let early = rig.advance(Span(Span::mins(5).0 - Span::millis(10).0));
    assert!(bodies(&early).all(|body| !matches!(body, Body::Store(_))), "too early");
    let due = rig.advance(Span::millis(20));
    assert!(bodies(&due).any(|body| matches!(body, Body::Store(_))), "the wait began anew");
    let ended = answer(&mut rig, process(&plan, "stock"), &due, done());
    let ended = [ended, rig.advance(Span::millis(1))].concat();
    assert!(observed(&ended).any(|what| *what == What::Ended { place: saga, cause: End::Completed }));
    assert!(rig.held().is_empty());
    let late = rig.message(CLIENT, request(3, item(1)));
    assert_eq!(replies(&late), [202], "it joins a run that is over");
    assert!(!rig.busy());
}

#[test]
fn a_run_that_takes_too_long_restarts_the_instance() {
    let mut plan = everything();
    let Some(NodeKind::FunctionApp(timer)) = plan.blueprint.nodes.get_mut("timer") else {
        panic!("no timer")
    };
    timer.run_timeout = Span::secs(10);
    let mut rig = bench(&plan, "timer#0");
    let effects = rig.advance(Span::secs(12));
    let me = plan.processes.iter().position(|process| process.name == "timer#0").expect("a process") as u32;
    let me = crate::ids::ProcessId(me);
    assert!(effects.contains(&Effect::StopSlot(me)) && effects.contains(&Effect::StartSlot(me)));
}

// -- Fronts. --

fn slot(plan: &Plan, index: usize) -> u32 {
    let name = format!("api#{index}");
    plan.processes.iter().position(|process| process.name == name).expect("a replica") as u32
}

fn ready(rig: &mut Rig<'_>, plan: &Plan, index: usize) -> Vec<Effect> {
    let command = control::Command::Ready { instance: index as u16 };
    rig.message(slot(plan, index), Message::new(Body::Control(command)))
}

fn forwarded(effects: &[Effect]) -> Vec<u32> {
    let calls = effects.iter().filter_map(|effect| match effect {
        Effect::Call { to, message } if matches!(message.body, Body::Request(_)) => Some(to.0),
        _ => None,
    });
    calls.collect()
}

#[test]
fn a_front_sends_requests_to_ready_replicas_only() {
    let plan = everything();
    let mut rig = bench(&plan, "api");
    assert_eq!(replies(&rig.message(CLIENT, request(1, item(1)))), [503], "nobody is ready");
    ready(&mut rig, &plan, 0);
    for call in 0..20 {
        assert_eq!(forwarded(&rig.message(CLIENT, request(call, item(call as u32)))), [slot(&plan, 0)]);
    }
    ready(&mut rig, &plan, 1);
    let to: Vec<u32> = (0..200)
        .flat_map(|n| forwarded(&rig.message(CLIENT, request(100 + u64::from(n), item(n)))))
        .collect();
    let first = to.iter().filter(|to| **to == slot(&plan, 0)).count();
    assert!((70..130).contains(&first), "{first} of 200");
}

#[test]
fn a_front_hands_the_answer_back_and_books_what_it_says() {
    let plan = everything();
    for (code, how) in [(202, Some(Handling::Stored)), (409, Some(Handling::Rejected)), (500, None)] {
        let mut rig = bench(&plan, "api");
        ready(&mut rig, &plan, 0);
        let sent_on = rig.message(CLIENT, request(9, item(1)));
        let effects = answer(&mut rig, slot(&plan, 0), &sent_on, status(code));
        assert_eq!(replies(&effects), [code]);
        let reply = sent(&effects).last().expect("a reply");
        assert_eq!((reply.call, reply.tag), (CallId(9), 5), "it is the client's own call");
        let handled = observed(&effects).find_map(|what| match what {
            What::Handled { call: CallId(9), how } => Some(*how),
            _ => None,
        });
        assert_eq!(handled, how);
    }
}

#[test]
fn an_instance_is_ready_only_with_the_nodes_of_its_health() {
    let api = ContainerApp {
        trigger: "http".to_owned(),
        steps: vec![reply(200)],
        health: vec!["stock".to_owned()],
        ..ContainerApp::default()
    };
    let nodes = vec![("stock", database(&[])), ("api", NodeKind::ContainerApp(api))];
    let plan = plan(nodes).expect("a plan");
    let stock = process(&plan, "stock");
    let mut rig = bench(&plan, "api#0");
    let mut is_ready = |answered: Option<bool>| {
        let effects = rig.message(CLIENT, Message::new(Body::Probe));
        let asked = effects.iter().find_map(|effect| match effect {
            Effect::Datagram { to, message } if to.0 == stock => Some(message),
            _ => None,
        });
        if let (Some(ready), Some(asked)) = (answered, asked) {
            rig.message(stock, asked.answer(Body::ProbeAnswer { ready }));
        }
        bodies(&effects)
            .find_map(|body| if let Body::ProbeAnswer { ready } = body { Some(*ready) } else { None })
    };
    assert_eq!(is_ready(Some(true)), Some(true));
    assert_eq!(is_ready(Some(false)), Some(true), "it does not know yet");
    assert_eq!(is_ready(Some(true)), Some(false), "the store had said no");
    assert_eq!(is_ready(None), Some(true));
    assert_eq!(is_ready(Some(true)), Some(false), "the store had said nothing");
    assert_eq!(is_ready(Some(true)), Some(true));
}

#[test]
fn the_handshake_of_an_event_router_is_answered_and_booked() {
    let plan = everything();
    let mut rig = bench(&plan, "api#0");
    let mut handshake = request(4, item(0));
    if let Body::Request(request) = &mut handshake.body {
        request.verb = crate::message::http::Verb::Validate;
    }
    handshake.cargo = Cargo::None;
    let effects = rig.message(CLIENT, handshake);
    assert_eq!(replies(&effects), [200]);
    let booked = What::Handled { call: CallId(4), how: Handling::Suppressed };
    assert!(observed(&effects).any(|what| *what == booked));
    assert!(!rig.busy(), "no run is started");
}

#[test]
fn a_replica_that_dies_costs_its_requests_and_gets_no_more() {
    let plan = everything();
    let mut rig = bench(&plan, "api");
    ready(&mut rig, &plan, 0);
    rig.message(CLIENT, request(1, item(1)));
    let effects = rig.closed(slot(&plan, 0), CloseReason::Reset);
    assert_eq!(replies(&effects), [502]);
    assert!(
        observed(&effects).any(|what| matches!(what, What::Believes { belief: Belief::Ready(false), .. }))
    );
    assert_eq!(replies(&rig.message(CLIENT, request(2, item(2)))), [503]);
}

#[test]
fn a_silent_replica_is_out_after_its_probes_and_back_after_one() {
    let plan = everything();
    let mut rig = bench(&plan, "api");
    ready(&mut rig, &plan, 0);
    rig.advance(Span::secs(29));
    assert_eq!(forwarded(&rig.message(CLIENT, request(1, item(1)))).len(), 1, "not yet");
    rig.advance(Span::secs(11));
    assert_eq!(replies(&rig.message(CLIENT, request(2, item(2)))), [503]);
    let mut probe = Message::new(Body::ProbeAnswer { ready: true });
    probe.tag = 1 << 24;
    rig.message(slot(&plan, 0), probe);
    assert_eq!(forwarded(&rig.message(CLIENT, request(3, item(3)))).len(), 1);
}

#[test]
fn a_request_that_takes_too_long_is_given_up() {
    let plan = everything();
    let mut rig = bench(&plan, "api");
    ready(&mut rig, &plan, 0);
    let sent_on = rig.message(CLIENT, request(1, item(1)));
    let mut effects = Vec::new();
    for _ in 0..30 {
        let mut probe = Message::new(Body::ProbeAnswer { ready: true });
        probe.tag = 1 << 24;
        rig.message(slot(&plan, 0), probe);
        effects.extend(rig.advance(Span::secs(10)));
    }
    assert_eq!(replies(&effects), [504]);
    assert!(replies(&answer(&mut rig, slot(&plan, 0), &sent_on, status(200))).is_empty(), "too late");
}

fn switched(enabled_in: &str) -> Result<Plan, Vec<crate::plan::PlanError>> {
    let worker = FunctionApp {
        trigger: "raw".to_owned(),
        enabled_in: OneOrMany::One(enabled_in.to_owned()),
        instances: Count { min: 1, max: 2 },
        steps: vec![insert("stock", None), complete()],
        ..FunctionApp::default()
    };
    plan(vec![
        ("stock", database(&[])),
        ("bus", NodeKind::ServiceBus(ServiceBus::default())),
        (
            "raw",
            NodeKind::ServiceBusQueue(ServiceBusQueue { of: "bus".to_owned(), ..ServiceBusQueue::default() }),
        ),
        ("worker", NodeKind::FunctionApp(worker)),
    ])
}

#[test]
fn an_app_that_does_not_say_where_it_is_begins_enabled_in_the_only_site() {
    let plan = switched("westeurope").expect("a plan");
    let plane = build(&plan, "worker.control").1;
    assert!(format!("{plane:?}").contains("on: true"), "{plane:?}");
    let errors = switched("moon").err().map(|errors| format!("{errors:?}")).unwrap_or_default();
    assert!(errors.contains("enabled-in") && errors.contains("there is no site `moon`"), "{errors}");
}

#[test]
fn nothing_is_started_while_an_app_is_switched_off() {
    let plan = switched("westeurope").expect("a plan");
    let plane = process(&plan, "worker.control");
    let mut rig = bench(&plan, "worker.scaler");
    let enable = |on| Message::new(Body::Control(control::Command::Enable { part: 0, on }));
    let starts = |effects: &[Effect]| effects.iter().any(|effect| matches!(effect, Effect::StartSlot(_)));
    assert!(starts(&rig.message(plane, enable(true))));
    rig.message(plane, enable(false));
    assert!(!starts(&rig.advance(Span::mins(5))));
    assert!(starts(&rig.message(plane, enable(true))));
}

#[test]
fn a_late_answer_of_a_stopped_instance_does_not_keep_it_from_being_started_again() {
    let plan = switched("westeurope").expect("a plan");
    let plane = process(&plan, "worker.control");
    let slot = plan.processes.iter().position(|process| process.name == "worker#0").expect("one") as u32;
    let mut rig = bench(&plan, "worker.scaler");
    let enable = |on| Message::new(Body::Control(control::Command::Enable { part: 0, on }));
    let ready = Message::new(Body::Control(control::Command::Ready { instance: 0 }));
    let mut probe = Message::new(Body::ProbeAnswer { ready: false });
    probe.tag = 1 << 24;
    rig.message(plane, enable(false));
    let stopped = rig.message(slot, ready);
    assert!(stopped.iter().any(|effect| matches!(effect, Effect::StopSlot(_))), "{stopped:?}");
    rig.message(slot, probe);
    let enabled = rig.message(plane, enable(true));
    assert!(enabled.iter().any(|effect| matches!(effect, Effect::StartSlot(_))), "{enabled:?}");
    // Nothing is heard of it: it is started once more.
    let later = rig.advance(Span::mins(2));
    assert!(later.iter().any(|effect| matches!(effect, Effect::StartSlot(_))), "{later:?}");
}
