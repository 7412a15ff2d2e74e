//! Apps and the broker: one client for all steps, transactions that settle the trigger, scaling from zero.

use super::bench::*;
use super::*;
use crate::ids::{CallId, Item};
use crate::message::broker::{self, Settlement, TransactionStep};
use crate::message::{Body, Cargo, Message};
use crate::node::Effect;
use crate::node::rig::{Rig, bodies, observed, sent};
use crate::observe::{Life, Symptom};
use crate::recipe::hosts::{ContainerApp, FunctionApp};
use crate::services::service_bus::{ServiceBus, ServiceBusQueue};
use crate::units::Count;

fn queue() -> NodeKind {
    NodeKind::ServiceBusQueue(ServiceBusQueue { of: "bus".to_owned(), ..ServiceBusQueue::default() })
}

fn bus_with(more: Vec<(&'static str, NodeKind)>) -> Plan {
    let mut nodes =
        vec![("bus", NodeKind::ServiceBus(ServiceBus::default())), ("raw", queue()), ("done", queue())];
    nodes.extend(more);
    plan(nodes).expect("a plan")
}

fn calls(effects: &[Effect]) -> Vec<Message> {
    sent(effects).filter(|message| message.call != CallId(0)).cloned().collect()
}

fn says(event: broker::Event) -> Body {
    Body::BrokerEvent(event)
}

#[test]
fn all_policies_for_one_broker_are_one_client_that_backs_off_as_a_whole() {
    let by = |policy: &str, target: &str| {
        Step::Send(step::Send {
            target: target.to_owned(),
            policy: Some(policy.to_owned()),
            ..Default::default()
        })
    };
    let app = ContainerApp {
        trigger: "http".to_owned(),
        steps: vec![by("sdk", "raw"), by("none", "done"), reply(202)],
        ..ContainerApp::default()
    };
    let plan = bus_with(vec![("app", NodeKind::ContainerApp(app))]);
    let bus = process(&plan, "bus");
    let mut rig = bench(&plan, "app#0");
    let first = calls(&rig.message(CLIENT, request(1, item(1))));
    let second = calls(&rig.message(CLIENT, request(2, item(2))));
    let busy = says(broker::Event::Refused(broker::Error::ServiceBusy));
    rig.message(bus, second[0].answer(busy));
    let accepted = says(broker::Event::Accepted { sequence: 1 });
    // The other step has another policy, and its first attempt comes now.
    assert!(calls(&rig.message(bus, first[0].answer(accepted))).is_empty());
    assert!(calls(&rig.advance(Span::millis(9_999))).is_empty());
    let to: Vec<u32> = calls(&rig.advance(Span::millis(1))).iter().filter_map(number).collect();
    assert_eq!(to, [1]);
}

fn number(message: &Message) -> Option<u32> {
    message.cargo.first().map(|item: Item| item.number)
}

/// An attached worker, with this message delivered.
fn delivered(rig: &mut Rig<'_>, bus: u32) -> Vec<Effect> {
    rig.process.crash();
    let mut effects = rig.crash();
    effects.extend(rig.advance(Span::secs(5)));
    let attach = sent(&effects).find_map(|message| match message.body {
        Body::Broker(broker::Command::Attach { link, credit, .. }) => Some((message.clone(), link, credit)),
        _ => None,
    });
    let (attach, link, credit) = attach.expect("an attach");
    assert_eq!(credit, 5, "two runs at once, and three messages ahead");
    let locked_until = rig.now + Span::secs(60);
    rig.message(bus, attach.answer(says(broker::Event::Attached { link, session: 0, locked_until })));
    let event = broker::Event::Delivered {
        link,
        delivery_count: 0,
        lock: 1 << 63 | 5,
        locked_until,
        identity: 42,
        sequence: 7,
    };
    rig.message(bus, Message::new(says(event)).carrying(Cargo::One(item(1))))
}

#[test]
fn a_transaction_settles_its_trigger_together_with_what_it_sends() {
    let worker = FunctionApp {
        trigger: "raw".to_owned(),
        concurrency: Some(2),
        prefetch: Some(3),
        steps: vec![transaction(vec![send("done", Some(Once::ITEM)), complete()])],
        ..FunctionApp::default()
    };
    let plan = bus_with(vec![("worker", NodeKind::FunctionApp(worker))]);
    let bus = process(&plan, "bus");
    let settles = |effects: &[Effect]| {
        bodies(effects).filter(|body| matches!(body, Body::Broker(broker::Command::Settle { .. }))).count()
    };
    for (answer, done) in [
        (broker::Event::Accepted { sequence: 1 }, true),
        (broker::Event::Refused(broker::Error::TransactionAborted), false),
    ] {
        let mut rig = bench(&plan, "worker#0");
        let effects = delivered(&mut rig, bus);
        let asked = calls(&effects);
        let Some(Body::Broker(broker::Command::Transact { operations, .. })) = asked.first().map(|m| &m.body)
        else {
            panic!("{asked:?}")
        };
        let parts: Vec<bool> = operations
            .iter()
            .map(|part| matches!(part, TransactionStep::Settle { how: Settlement::Complete, .. }))
            .collect();
        assert_eq!((parts, settles(&effects)), (vec![false, true], 0));
        let ended = rig.message(bus, asked[0].answer(says(answer)));
        assert!(observed(&ended).any(|what| matches!(what, What::RunEnded { done: d, .. } if *d == done)));
        assert_eq!(settles(&ended), usize::from(!done), "abandoned if it was rolled back");
    }
}

#[test]
fn an_app_scales_from_zero_when_something_waits_and_back_to_zero() {
    let edge = ContainerApp {
        trigger: "http".to_owned(),
        steps: vec![send("raw", Some(Once::ITEM)), reply(202)],
        ..ContainerApp::default()
    };
    let worker = FunctionApp {
        trigger: "raw".to_owned(),
        instances: Count { min: 0, max: 2 },
        cool_down: Span::secs(30),
        steps: vec![complete()],
        ..FunctionApp::default()
    };
    let plan = bus_with(vec![
        ("shoppers", load("edge")),
        ("edge", NodeKind::ContainerApp(edge)),
        ("worker", NodeKind::FunctionApp(worker)),
    ]);
    let (world, seen) = run(plan);
    let raw = world.plan().place_named("raw").expect("a place");
    let first_at = |what: &dyn Fn(&Observation) -> bool| {
        seen.iter().find(|observation| what(observation)).map(|observation| observation.at)
    };
    let of = |observation: &Observation, name: &str, life| {
        world.plan().process(observation.process).name == name && observation.what == What::Life(life)
    };
    let waits = first_at(&|o| matches!(o.what, What::Born { place, .. } if place == raw)).expect("a message");
    let started = first_at(&|o| of(o, "worker#0", Life::Started)).expect("it starts");
    assert!(started > waits, "nobody is there before there is something to do");
    let ended = first_at(&|o| matches!(o.what, What::Ended { place, .. } if place == raw)).expect("done");
    assert!(ended.since(started) >= Span::secs(3), "the first message waits for the cold start");
    // A quick consumer leaves nothing waiting and may go in between; in the end both are gone.
    for name in ["worker#0", "worker#1"] {
        let life = |o: &&Observation| {
            matches!(o.what, What::Life(_)) && world.plan().process(o.process).name == name
        };
        let last = seen.iter().rfind(life).map(|observation| &observation.what);
        assert!(last.is_none_or(|life| *life == What::Life(Life::Stopped)), "{name}: {last:?}");
    }
    assert_eq!((held(&world, "raw"), world.pending_work()), (0, 0));
    assert_eq!(count(&seen, |what| *what == What::Symptom(Symptom::RunFailed)), 0);
}
