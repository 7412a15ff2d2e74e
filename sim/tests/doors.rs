//! Loads, gateways and event routers together in a small world, with the books kept by hand: what a load
//! is told must agree with what the callee did, and no copy of an event may come or go unbooked.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use std::collections::BTreeMap;
use std::sync::Arc;

use beaufort_sim::blueprint::{Blueprint, Flow, Site, Timetable};
use beaufort_sim::faults::event_router::PushFails;
use beaufort_sim::faults::http::CutResponse;
use beaufort_sim::faults::process::Crash;
use beaufort_sim::faults::{At, FaultKind};
use beaufort_sim::ids::{Once, PlaceId};
use beaufort_sim::kernel::World;
use beaufort_sim::observe::{Handling, Observation, Outcome, What};
use beaufort_sim::plan::Plan;
use beaufort_sim::recipe::hosts::ContainerApp;
use beaufort_sim::recipe::step::{self, Step};
use beaufort_sim::services::NodeKind;
use beaufort_sim::services::api_management::ApiManagement;
use beaufort_sim::services::event_grid::{EventGridSubscription, EventGridTopic};
use beaufort_sim::services::load::Load;
use beaufort_sim::services::sql_database::SqlDatabase;
use beaufort_sim::services::storage_container::StorageContainer;
use beaufort_sim::time::Span;
use beaufort_sim::units::{Count, OneOrMany, Rate, Ratio};

fn app(trigger: &str, steps: Vec<Step>) -> NodeKind {
    let replicas = Count::exactly(2);
    NodeKind::ContainerApp(ContainerApp {
        trigger: trigger.into(),
        replicas,
        steps,
        ..ContainerApp::default()
    })
}

fn reply(status: u16) -> Step {
    Step::Reply(step::Reply { target: status, name: None })
}

/// Shoppers, an edge, an app that publishes, and a consumer that writes.
fn blueprint() -> Blueprint {
    let mut blueprint = Blueprint {
        time: Timetable { warmup: Span::secs(20), run: Span::mins(2), drain: Span::hours(2) },
        ..Blueprint::default()
    };
    blueprint.sites.insert("west".into(), Site::default());
    blueprint.flows.insert("orders".into(), Flow::default());
    let once = Some(Once::ITEM);
    let load = Load {
        flow: "orders".into(),
        to: "edge".into(),
        rate: Some(Rate::per_second(20.0)),
        ..Load::default()
    };
    let edge = ApiManagement {
        backend: OneOrMany::One("orders-api".into()),
        timeout: Span::secs(15),
        rate_limit: Some("6000/60s".parse().unwrap()),
        ..ApiManagement::default()
    };
    let send = Step::Send(step::Send { target: "placed".into(), once, ..step::Send::default() });
    let insert = Step::Insert(step::Insert { target: "stock".into(), once, ..step::Insert::default() });
    let subscription = EventGridSubscription {
        of: "placed".into(),
        dead_letter: Some("undelivered".into()),
        ..EventGridSubscription::default()
    };
    for (name, kind) in [
        ("shoppers", NodeKind::Load(load)),
        ("edge", NodeKind::ApiManagement(edge)),
        ("orders-api", app("http", vec![send, reply(202)])),
        ("placed", NodeKind::EventGridTopic(EventGridTopic::default())),
        ("to-stock", NodeKind::EventGridSubscription(subscription)),
        ("undelivered", NodeKind::StorageContainer(StorageContainer::default())),
        ("stock", NodeKind::SqlDatabase(SqlDatabase::default())),
        ("inventory", app("to-stock", vec![insert, reply(200)])),
    ] {
        blueprint.nodes.insert(name.into(), kind);
    }
    blueprint
}

fn run(blueprint: Blueprint) -> (World, Vec<Observation>) {
    let plan = Plan::new(blueprint).expect("a plan");
    let deadline = plan.deadline();
    let mut world = World::new(Arc::new(plan), 7).expect("a world");
    let mut seen = Vec::new();
    while world.next_at().is_some_and(|at| at <= deadline) && world.step(&mut seen) {}
    (world, seen)
}

/// For every attempt, what the caller believes and what the callee did. `ok` without an effect and a
/// definite no with one are impossible.
fn check_sends(seen: &[Observation]) {
    let mut handled = BTreeMap::new();
    for observation in seen {
        if let What::Handled { call, how } = observation.what {
            assert!(handled.insert(call, how).is_none(), "handled twice: {observation:?}");
        }
    }
    let mut answered = BTreeMap::new();
    for observation in seen {
        let What::Answered { call, outcome } = observation.what else { continue };
        assert!(answered.insert(call, outcome).is_none(), "answered twice: {observation:?}");
        let effect = matches!(handled.get(&call), Some(Handling::Stored | Handling::Suppressed));
        match outcome {
            Outcome::Ok => assert!(effect, "ok without an effect: {observation:?}"),
            Outcome::Failed | Outcome::Refused => assert!(!effect, "a no with an effect: {observation:?}"),
            Outcome::Unknown => {}
        }
    }
    let sent = seen.iter().filter(|o| matches!(o.what, What::Sent { .. })).count();
    assert!(sent.abs_diff(answered.len()) < 3, "{sent} sent, {} answered", answered.len());
}

/// For every place and item: born and moved in is ended and moved out and held.
fn check_copies(world: &World, seen: &[Observation]) {
    let mut balance: BTreeMap<(PlaceId, u64), i64> = BTreeMap::new();
    for observation in seen {
        let mut book = |place, by| *balance.entry((place, observation.item.identity())).or_default() += by;
        match observation.what {
            What::Born { place, .. } => book(place, 1),
            What::Ended { place, .. } => book(place, -1),
            What::Moved { from, to, .. } => {
                book(from, -1);
                book(to, 1);
            }
            _ => {}
        }
    }
    world.inventory(&mut |held| {
        *balance.entry((held.place, held.item.identity())).or_default() -= i64::from(held.copies);
    });
    let wrong: Vec<_> = balance.iter().filter(|(_, sum)| **sum != 0).collect();
    assert!(wrong.is_empty(), "{} of {} do not balance: {wrong:?}", wrong.len(), balance.len());
}

fn born(world: &World, seen: &[Observation], place: &str) -> usize {
    let at = world.plan().place_named(place).expect("a place");
    seen.iter().filter(|o| matches!(o.what, What::Born { place, .. } if place == at)).count()
}

fn concluded(seen: &[Observation], wanted: Outcome) -> usize {
    seen.iter().filter(|o| matches!(o.what, What::Concluded { outcome, .. } if outcome == wanted)).count()
}

#[test]
fn what_is_ordered_at_the_edge_reaches_the_stock() {
    let (world, seen) = run(blueprint());
    check_sends(&seen);
    check_copies(&world, &seen);
    let offered = seen.iter().filter(|o| matches!(o.what, What::Offered { .. })).count();
    assert!(offered > 2000, "{offered}");
    let ok = concluded(&seen, Outcome::Ok);
    assert!(ok + 100 > offered, "{ok} of {offered}: only the start of the app may refuse some");
    assert_eq!(born(&world, &seen, "placed"), ok);
    assert_eq!(born(&world, &seen, "stock"), ok);
    assert_eq!(born(&world, &seen, "undelivered"), 0);
    assert_eq!(world.pending_work(), 0);
}

#[test]
fn the_same_seed_gives_the_same_world() {
    assert_eq!(run(blueprint()).0.digest(), run(blueprint()).0.digest());
}

#[test]
fn the_books_hold_under_faults_and_nothing_that_was_accepted_is_lost() {
    let mut blueprint = blueprint();
    let (at, lasts) = (Some(At::Instant(Span::secs(20))), Some(Span::secs(30)));
    let cut =
        CutResponse { target: "edge".into(), chance: Some(Ratio(0.2)), at, lasts, ..Default::default() };
    let fails =
        PushFails { target: "to-stock".into(), chance: Some(Ratio(0.3)), at, lasts, ..Default::default() };
    let crash = Crash {
        target: "placed".into(),
        at: Some(At::Instant(Span::secs(80))),
        lasts: Some(Span::secs(5)),
        ..Default::default()
    };
    blueprint.faults.insert("cut".into(), FaultKind::HttpCutResponse(cut));
    blueprint.faults.insert("fails".into(), FaultKind::PushHttpFail(fails));
    blueprint.faults.insert("crash".into(), FaultKind::ProcCrash(crash));
    let (world, seen) = run(blueprint);
    check_sends(&seen);
    check_copies(&world, &seen);
    assert!(concluded(&seen, Outcome::Unknown) > 50, "cut responses leave it open");
    assert_eq!(born(&world, &seen, "placed"), born(&world, &seen, "to-stock"));
    let absorbed = seen.iter().filter(|o| matches!(o.what, What::Absorbed { .. })).count();
    assert!(born(&world, &seen, "stock") + absorbed >= born(&world, &seen, "placed"));
    assert!(born(&world, &seen, "stock") >= concluded(&seen, Outcome::Ok));
    assert_eq!(world.pending_work(), 0);
}
