//! Hosts in small worlds.

use super::*;
use crate::observe::{Birth, Outcome};
use crate::recipe::hosts::ContainerApp;
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
        batch: 100,
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
