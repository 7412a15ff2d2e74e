//! Readers of event hubs in small worlds: what a crash of one of them costs.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::faults::FaultKind;
use crate::ids::{Item, PlaceId};
use crate::observe::Life;
use crate::recipe::hosts::ContainerApp;
use crate::recipe::hosts::FunctionApp;
use crate::recipe::hosts::app::LoadBalancing;
use crate::services::event_hubs::{EventHub, EventHubs};
use crate::services::storage_container::StorageContainer;
use crate::units::Count;

fn append(table: &str) -> Step {
    Step::Append(step::Append { target: table.to_owned(), ..step::Append::default() })
}

fn checkpoint() -> Step {
    Step::Checkpoint(step::Checkpoint::default())
}

fn reader(steps: Vec<Step>) -> ContainerApp {
    ContainerApp {
        trigger: "telemetry".to_owned(),
        replicas: Count::exactly(2),
        checkpoints: Some("progress".to_owned()),
        batch: Some(5),
        steps,
        ..ContainerApp::default()
    }
}

/// Devices, a hub of four partitions, two instances of this app that copy what they read.
fn hub_plan(app: NodeKind, run: Span, faults: &[(&str, serde_json::Value)]) -> Plan {
    let hub = EventHub { of: "ingest".to_owned(), ..EventHub::default() };
    let mut blueprint = Blueprint {
        time: Timetable { warmup: Span::secs(20), run, drain: Span::mins(10) },
        ..Blueprint::default()
    };
    blueprint.sites.insert("westeurope".to_owned(), Site::default());
    blueprint.flows.insert("orders".to_owned(), Flow { keys: 12, ..Flow::default() });
    let nodes = [
        ("devices", load("telemetry")),
        ("ingest", NodeKind::EventHubs(EventHubs::default())),
        ("telemetry", NodeKind::EventHub(hub)),
        ("progress", NodeKind::StorageContainer(StorageContainer::default())),
        ("copies", database(&[])),
        ("reader", app),
    ];
    blueprint.nodes.extend(nodes.map(|(name, kind)| (name.to_owned(), kind)));
    for (name, fault) in faults {
        let fault: FaultKind = serde_json::from_value(fault.clone()).expect("a fault");
        blueprint.faults.insert((*name).to_owned(), fault);
    }
    Plan::new(blueprint).expect("a plan")
}

/// What came to a place, in order.
fn born<'a>(world: &World, seen: &'a [Observation], place: &str) -> Vec<&'a Observation> {
    let at: PlaceId = world.plan().place_named(place).expect("a place");
    seen.iter().filter(|o| matches!(o.what, What::Born { place, .. } if place == at)).collect()
}

fn items(born: &[&Observation]) -> BTreeSet<Item> {
    born.iter().map(|o| o.item).collect()
}

/// The order of the items of each key at their first arrival.
fn by_key(born: &[&Observation]) -> BTreeMap<u32, Vec<u32>> {
    let (mut known, mut order) = (BTreeSet::new(), BTreeMap::<u32, Vec<u32>>::new());
    for o in born.iter().filter(|o| known.insert(o.item)) {
        order.entry(o.item.key).or_default().push(o.item.number);
    }
    order
}

fn crash(target: &str, at: u64, lasts: u64) -> serde_json::Value {
    serde_json::json!({ "proc.crash": { "target": target, "at": format!("{at}s"), "for": format!("{lasts}s") } })
}

#[test]
fn what_is_published_is_read_once_and_in_the_order_of_its_key() {
    let app = NodeKind::ContainerApp(reader(vec![append("copies"), checkpoint()]));
    let (world, seen) = run(hub_plan(app, Span::mins(1), &[]));
    let (published, copied) = (born(&world, &seen, "telemetry"), born(&world, &seen, "copies"));
    assert!(published.len() > 1000, "{}", published.len());
    assert_eq!(published.len(), copied.len());
    assert_eq!(by_key(&published), by_key(&copied));
    assert_eq!((held(&world, "telemetry"), world.pending_work()), (0, 0));
}

/// Facts 3.3: an owner who died is noticed after the expiration of its ownership and at most one interval
/// more, and what it had not checkpointed is read again.
#[test]
fn a_dead_owner_s_partitions_are_taken_over_after_expiration_and_at_most_an_interval() {
    let app = NodeKind::ContainerApp(reader(vec![append("copies"), work(Span::millis(300)), checkpoint()]));
    let (world, seen) = run(hub_plan(app, Span::mins(5), &[("dies", crash("reader/1", 60, 600))]));
    let (published, copied) = (born(&world, &seen, "telemetry"), born(&world, &seen, "copies"));
    assert_eq!(items(&published), items(&copied), "nothing is lost");
    let died = seen.iter().find(|o| o.what == What::Life(Life::Crashed)).expect("it died").at;
    // What was published to the partitions of the dead one waits, and begins to come all at once.
    let offered: BTreeMap<Item, Time> = published.iter().map(|o| (o.item, o.at)).collect();
    let waited = copied.iter().filter(|o| offered[&o.item] < died && o.at > died + Span::secs(30));
    let taken_over = waited.map(|o| o.at).min().expect("somebody takes over");
    let took = taken_over.since(died);
    assert!(took > Span::secs(90) && took <= Span::secs(155), "{took}");
    let mut known = BTreeSet::new();
    let again = copied.iter().filter(|o| !known.insert(o.item));
    // Handovers between the living, when it joins and when it is back, double some as well.
    let twice = again.filter(|o| o.at > died && o.at < died + Span::secs(200)).count();
    // At most one batch of each of its two partitions had its effect and no checkpoint.
    assert!((1..=10).contains(&twice), "{twice}");
}

#[test]
fn a_checkpoint_before_the_work_loses_what_the_dead_one_had_in_hand() {
    let app = NodeKind::ContainerApp(reader(vec![checkpoint(), work(Span::millis(300)), append("copies")]));
    let (world, seen) = run(hub_plan(app, Span::mins(5), &[("dies", crash("reader/1", 60, 600))]));
    let (published, copied) = (born(&world, &seen, "telemetry"), born(&world, &seen, "copies"));
    let lost = items(&published).len() - items(&copied).len();
    assert!((1..=10).contains(&lost), "{lost}");
    assert_eq!(held(&world, "telemetry"), 0, "the hub believes that all is done");
}

#[test]
fn functions_leave_behind_a_batch_that_failed() {
    let steps = vec![insert("copies", None), checkpoint()];
    let app = |instances| FunctionApp {
        trigger: "telemetry".to_owned(),
        instances: Count::exactly(instances),
        checkpoints: Some("progress".to_owned()),
        batch: Some(5),
        steps: steps.clone(),
        policy: "none".to_owned(),
        ..FunctionApp::default()
    };
    let down = serde_json::json!({ "dep.down": { "target": "copies", "at": "20s", "for": "10s" } });
    let (world, seen) =
        run(hub_plan(NodeKind::FunctionApp(app(1)), Span::mins(1), &[("outage", down.clone())]));
    let (published, copied) = (born(&world, &seen, "telemetry"), born(&world, &seen, "copies"));
    let lost = items(&published).len() - items(&copied).len();
    assert!((150..=230).contains(&lost), "what came in 10 s at 20 a second: {lost}");
    // A container app reads it again until it works.
    let patient = ContainerApp { policy: "none".to_owned(), ..reader(steps.clone()) };
    let (world, seen) = run(hub_plan(NodeKind::ContainerApp(patient), Span::mins(1), &[("outage", down)]));
    assert_eq!(items(&born(&world, &seen, "telemetry")), items(&born(&world, &seen, "copies")));
}

#[test]
fn while_the_checkpoint_store_is_down_work_is_done_again_and_nothing_is_lost() {
    let app = NodeKind::ContainerApp(reader(vec![append("copies"), checkpoint()]));
    let down = serde_json::json!({ "dep.down": { "target": "progress", "at": "20s", "for": "15s" } });
    let (world, seen) = run(hub_plan(app, Span::mins(1), &[("outage", down)]));
    let (published, copied) = (born(&world, &seen, "telemetry"), born(&world, &seen, "copies"));
    assert_eq!(items(&published), items(&copied));
    assert!(copied.len() > published.len() + 20, "{} of {}", copied.len(), published.len());
}

#[test]
fn with_a_checkpoint_after_every_fourth_batch_more_is_done_again() {
    let app = ContainerApp {
        checkpoint_every: Some(4),
        ..reader(vec![append("copies"), work(Span::millis(300)), checkpoint()])
    };
    let (world, seen) =
        run(hub_plan(NodeKind::ContainerApp(app), Span::mins(5), &[("dies", crash("reader/1", 60, 600))]));
    let (published, copied) = (born(&world, &seen, "telemetry"), born(&world, &seen, "copies"));
    assert_eq!(items(&published), items(&copied));
    assert!(copied.len() > published.len() && held(&world, "telemetry") <= 60);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Whoever dies, and when: everything is read at least once, and first in the order of its key.
    #[test]
    fn at_least_once_and_in_the_order_of_the_key_whoever_dies(
        first in (1u8..=2, 5u64..60, 1u64..40),
        second in (1u8..=2, 5u64..60, 1u64..40),
    ) {
        let quick = LoadBalancing { interval: Span::secs(5), expiration: Span::secs(15), ..LoadBalancing::default() };
        let app = ContainerApp {
            load_balancing: Some(quick),
            ..reader(vec![append("copies"), work(Span::millis(40)), checkpoint()])
        };
        let dies = |(who, at, lasts): (u8, u64, u64)| crash(&format!("reader/{who}"), at, lasts);
        let faults = [("first", dies(first)), ("second", dies(second))];
        let (world, seen) = run(hub_plan(NodeKind::ContainerApp(app), Span::mins(2), &faults));
        let (published, copied) = (born(&world, &seen, "telemetry"), born(&world, &seen, "copies"));
        prop_assert_eq!(items(&published), items(&copied));
        prop_assert_eq!(by_key(&published), by_key(&copied));
        prop_assert_eq!(held(&world, "telemetry"), 0);
    }
}
