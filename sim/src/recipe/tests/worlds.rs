//! Hosts in small worlds.

use super::*;
use crate::observe::{Birth, Outcome, Symptom};
use crate::recipe::hosts::{ContainerApp, FunctionApp, LogicApp, Operator};
use crate::units::Count;

fn orders_api(steps: Vec<Step>) -> NodeKind {
    NodeKind::ContainerApp(ContainerApp {
        trigger: "http".to_owned(),
        replicas: Count::exactly(3),
        steps,
        ..ContainerApp::default()
    })
}

#[test]
fn a_container_app_writes_a_transaction_and_replies() {
    let once = Some(Once::ITEM);
    let steps = vec![
        work(Span::millis(8)),
        transaction(vec![insert("orders-db.order", once), insert("orders-db.event", once)]),
        reply(202),
    ];
    let nodes = vec![
        ("shoppers", load("orders-api")),
        ("orders-db", database(&["order", "event"])),
        ("orders-api", orders_api(steps)),
    ];
    let (world, seen) = run(plan(nodes).expect("a plan"));
    let ok = |what: &What| matches!(what, What::Concluded { outcome: Outcome::Ok, .. });
    let offered = count(&seen, |what| matches!(what, What::Offered { .. }));
    let born = |name: &str| {
        let place = world.plan().place_named(name).expect("a place");
        count(&seen, |what| matches!(what, What::Born { place: at, cause: Birth::Stored } if *at == place))
    };
    let warm = world.plan().begins();
    assert!(offered > 1000, "{offered}");
    let (late_offered, late_ok) = (
        after(&seen, warm).filter(|o| matches!(o.what, What::Offered { .. })).count(),
        after(&seen, warm).filter(|o| ok(&o.what)).count(),
    );
    assert!(late_ok.abs_diff(late_offered) < 5, "{late_ok} of {late_offered}");
    assert_eq!(born("orders-db.order"), born("orders-db.event"));
    assert_eq!(born("orders-db.order"), count(&seen, ok));
    let replicas: std::collections::BTreeSet<_> = seen
        .iter()
        .filter(|o| matches!(o.what, What::Handled { .. }))
        .map(|o| world.plan().process(o.process).name.clone())
        .collect();
    for replica in ["orders-api", "orders-api#0", "orders-api#1", "orders-api#2", "orders-db"] {
        assert!(replicas.contains(replica), "{replica} took no part: {replicas:?}");
    }
}

#[test]
fn a_relay_empties_the_table_that_triggers_it() {
    let steps = vec![insert("orders-db.event", None), reply(202)];
    let relay = ContainerApp {
        trigger: "orders-db.event".to_owned(),
        batch: Some(100),
        steps: vec![insert("copies", Some(Once::ITEM)), delete("orders-db.event")],
        ..ContainerApp::default()
    };
    let nodes = vec![
        ("shoppers", load("orders-api")),
        ("orders-db", database(&["event"])),
        ("copies", database(&[])),
        ("orders-api", orders_api(steps)),
        ("relay", NodeKind::ContainerApp(relay)),
    ];
    let (world, seen) = run(plan(nodes).expect("a plan"));
    let place = |name: &str| world.plan().place_named(name).expect("a place");
    let born = |at| count(&seen, |what| matches!(what, What::Born { place, .. } if *place == at));
    let event = place("orders-db.event");
    let ended = count(&seen, |what| matches!(what, What::Ended { place, .. } if *place == event));
    assert!(born(event) > 1000);
    assert_eq!(born(event), ended, "every event was taken");
    assert_eq!(born(event), born(place("copies")), "and had its effect");
    let mut held = 0;
    world.inventory(&mut |one| held += usize::from(one.place == event));
    assert_eq!(held, 0);
    assert_eq!(world.pending_work(), 0);
}

fn bus() -> Vec<(&'static str, NodeKind)> {
    use crate::services::service_bus::{ServiceBus, ServiceBusQueue};
    let queue = |name| {
        let queue = ServiceBusQueue { of: "bus".to_owned(), max_delivery: 3, ..ServiceBusQueue::default() };
        (name, NodeKind::ServiceBusQueue(queue))
    };
    vec![("bus", NodeKind::ServiceBus(ServiceBus::default())), queue("raw"), queue("repair")]
}

fn worker(steps: Vec<Step>) -> FunctionApp {
    FunctionApp { trigger: "raw".to_owned(), steps, ..FunctionApp::default() }
}

#[test]
fn a_function_completes_its_messages() {
    let mut nodes = bus();
    nodes.extend([
        ("shoppers", load("edge")),
        ("edge", orders_api(vec![send("raw", Some(Once::ITEM)), reply(202)])),
        ("ledger", database(&[])),
        ("worker", NodeKind::FunctionApp(worker(vec![insert("ledger", Some(Once::ITEM)), complete()]))),
    ]);
    let (world, seen) = run(plan(nodes).expect("a plan"));
    let place = |name: &str| world.plan().place_named(name).expect("a place");
    let born = |name: &str| {
        let at = place(name);
        count(&seen, |what| matches!(what, What::Born { place, .. } if *place == at))
    };
    assert!(born("raw") > 1000);
    assert_eq!(born("ledger"), born("raw"));
    assert_eq!(held(&world, "raw"), 0);
    let failed = count(&seen, |what| matches!(what, What::Symptom(Symptom::RunFailed)));
    assert_eq!(failed, 0);
    assert_eq!(world.pending_work(), 0);
}

#[test]
fn what_always_fails_is_dead_lettered_and_an_operator_moves_it() {
    let mut nodes = bus();
    // The conflict makes every run for a doubled item a definite no, and the message is abandoned.
    let steps = vec![insert("ledger", None), insert("ledger", None), complete()];
    let reviewer = Operator {
        trigger: "raw.dead-letter".to_owned(),
        notices: Distribution::Uniform(Span::mins(1), Span::mins(2)),
        steps: vec![work(Span::millis(100)), send("repair", Some(Once::ITEM)), complete()],
        ..Operator::default()
    };
    nodes.extend([
        ("shoppers", load("edge")),
        ("edge", orders_api(vec![send("raw", Some(Once::ITEM)), reply(202)])),
        ("ledger", database(&[])),
        ("worker", NodeKind::FunctionApp(worker(steps))),
        ("reviewer", NodeKind::Operator(reviewer)),
    ]);
    let (world, seen) = run(plan(nodes).expect("a plan"));
    let sent = world.plan().place_named("raw").expect("a place");
    let sent = count(&seen, |what| matches!(what, What::Born { place, .. } if *place == sent));
    assert!(sent > 1000);
    assert_eq!((held(&world, "raw"), held(&world, "raw.dead-letter")), (0, 0));
    assert_eq!(held(&world, "repair"), sent);
    let redelivered = count(&seen, |what| matches!(what, What::Symptom(Symptom::Redelivery)));
    assert!(redelivered >= 2 * sent, "three deliveries each: {redelivered} of {sent}");
    let first = world.plan().begins() + Span::secs(30);
    let repair = world.plan().place_named("repair").expect("a place");
    let early = seen.iter().filter(|o| o.at < first);
    let early = early.filter(|o| matches!(o.what, What::Born { place, .. } if place == repair)).count();
    assert_eq!(early, 0, "the person takes at least a minute to notice");
}

#[test]
fn a_logic_app_finishes_what_it_replied_to() {
    let steps = vec![reply(202), insert("ledger", Some(Once::ITEM))];
    let saga = LogicApp { trigger: "http".to_owned(), once: Some(Once::ITEM), steps, ..LogicApp::default() };
    let nodes =
        vec![("shoppers", load("saga")), ("ledger", database(&[])), ("saga", NodeKind::LogicApp(saga))];
    let (world, seen) = run(plan(nodes).expect("a plan"));
    let place = |name: &str| world.plan().place_named(name).expect("a place");
    let (saga, ledger) = (place("saga"), place("ledger"));
    let born = |at| count(&seen, |what| matches!(what, What::Born { place, .. } if *place == at));
    assert!(born(saga) > 1000);
    assert_eq!(born(ledger), born(saga));
    assert_eq!(born(saga), count(&seen, |what| matches!(what, What::Ended { place, .. } if *place == saga)));
    assert_eq!(held(&world, "saga"), 0);
    let ok = count(&seen, |what| matches!(what, What::Concluded { outcome: Outcome::Ok, .. }));
    assert_eq!(ok, born(saga));
}

#[test]
fn an_app_scales_with_what_waits_and_back() {
    let mut nodes = bus();
    let slow = FunctionApp {
        instances: Count { min: 1, max: 4 },
        concurrency: Some(1),
        cool_down: Span::secs(30),
        ..worker(vec![work(Span::millis(150)), complete()])
    };
    nodes.extend([
        ("shoppers", load("edge")),
        ("edge", orders_api(vec![send("raw", Some(Once::ITEM)), reply(202)])),
        ("worker", NodeKind::FunctionApp(slow)),
    ]);
    let (world, seen) = run(plan(nodes).expect("a plan"));
    let lives = |name: &str, life: crate::observe::Life| {
        let about = |o: &&Observation| world.plan().process(o.process).name == name;
        seen.iter().filter(about).filter(|o| o.what == What::Life(life)).count()
    };
    for slot in ["worker#1", "worker#2", "worker#3"] {
        assert_eq!(lives(slot, crate::observe::Life::Started), 1, "{slot}");
        assert_eq!(lives(slot, crate::observe::Life::Stopped), 1, "{slot}");
    }
    assert_eq!(lives("worker#0", crate::observe::Life::Stopped), 0);
    assert_eq!(held(&world, "raw"), 0);
    let failed = count(&seen, |what| matches!(what, What::Symptom(Symptom::RunFailed)));
    assert_eq!(failed, 0, "an instance that goes finishes what it has");
}

#[test]
fn the_reader_of_a_feed_scales_with_what_waits_in_the_part_that_it_reads() {
    let orders = crate::services::cosmos_db::CosmosDb {
        holds: vec!["order".to_owned(), "event".to_owned()],
        physical_partitions: Some(4),
        throughput: crate::units::RequestUnits(40_000),
        ..Default::default()
    };
    let relay = FunctionApp {
        trigger: "orders.change-feed".to_owned(),
        only: Some("event".to_owned()),
        instances: Count { min: 1, max: 3 },
        batch: Some(5),
        steps: vec![work(Span::secs(2)), Step::Checkpoint(step::Checkpoint::default())],
        ..FunctionApp::default()
    };
    let steps =
        vec![transaction(vec![insert("orders.order", None), insert("orders.event", None)]), reply(202)];
    let nodes = vec![
        ("shoppers", load("orders-api")),
        ("orders", NodeKind::CosmosDb(orders)),
        ("orders-api", orders_api(steps)),
        ("relay", NodeKind::FunctionApp(relay)),
    ];
    let (world, seen) = run(plan(nodes).expect("a plan"));
    for slot in ["relay#1", "relay#2"] {
        let about = |o: &&Observation| world.plan().process(o.process).name == slot;
        let started = seen.iter().filter(about).any(|o| o.what == What::Life(crate::observe::Life::Started));
        assert!(started, "{slot} was never started");
    }
}
