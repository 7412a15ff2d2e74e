//! The transactional outbox (facts 12.3) in a small world.

use std::collections::BTreeMap;

use super::*;
use crate::blueprint::{Blueprint, Flow, Site, Timetable};
use crate::ids::{CallId, PlaceId};
use crate::kernel::World;
use crate::observe::{Observation, Outcome};
use crate::recipe::hosts::{ContainerApp, FunctionApp};
use crate::recipe::step::{Call, Checkpoint, Insert, Reply, Step, Transaction};
use crate::services::endpoint::EndpointService;
use crate::services::load::Load;
use crate::units::Rate;

fn insert(target: &str) -> Step {
    Step::Insert(Insert { target: target.to_owned(), once: Some(Once::ITEM), ..Insert::default() })
}

fn blueprint() -> Blueprint {
    let call = Call { target: "psp".to_owned(), once: Some(Once::ITEM), ..Call::default() };
    let api = ContainerApp {
        trigger: "http".to_owned(),
        steps: vec![
            Step::Transaction(Transaction {
                target: vec![insert("orders.order"), insert("orders.event")],
                ..Transaction::default()
            }),
            Step::Reply(Reply { target: 201, name: None }),
        ],
        ..ContainerApp::default()
    };
    let relay = FunctionApp {
        trigger: "orders.change-feed".to_owned(),
        only: Some("event".to_owned()),
        batch: Some(25),
        every: Some(Span::secs(3)),
        steps: vec![Step::Call(call), Step::Checkpoint(Checkpoint::default())],
        ..FunctionApp::default()
    };
    let rate = Some(Rate::per_second(20.0));
    let load = Load { flow: "orders".to_owned(), to: "api".to_owned(), rate, ..Load::default() };
    let mut blueprint = Blueprint {
        time: Timetable { warmup: Span::secs(30), run: Span::mins(2), drain: Span::mins(5) },
        ..Blueprint::default()
    };
    blueprint.sites.insert("westeurope".to_owned(), Site::default());
    blueprint.flows.insert("orders".to_owned(), Flow::default());
    for (name, kind) in [
        ("load", NodeKind::Load(load)),
        ("api", NodeKind::ContainerApp(api)),
        ("orders", NodeKind::CosmosDb(config())),
        ("relay", NodeKind::FunctionApp(relay)),
        ("psp", NodeKind::Endpoint(EndpointService::default())),
    ] {
        blueprint.nodes.insert(name.to_owned(), kind);
    }
    blueprint
}

fn run(world: &mut World) -> Vec<Observation> {
    let deadline = world.plan().deadline();
    let mut seen = Vec::new();
    while world.next_at().is_some_and(|at| at <= deadline) && world.step(&mut seen) {}
    seen
}

#[test]
fn every_order_is_charged_once_and_both_books_balance() {
    let plan = Plan::new(blueprint()).expect("the plan is right");
    let mut world = World::new(Arc::new(plan), 3).expect("the world can be built");
    let seen = run(&mut world);
    let mut copies: BTreeMap<(PlaceId, u64), i64> = BTreeMap::new();
    let mut sends: BTreeMap<CallId, (Option<Outcome>, Option<Handling>)> = BTreeMap::new();
    for one in &seen {
        match one.what {
            What::Born { place, .. } => *copies.entry((place, one.item.identity())).or_insert(0) += 1,
            What::Ended { place, .. } => *copies.entry((place, one.item.identity())).or_insert(0) -= 1,
            What::Answered { call, outcome } => sends.entry(call).or_default().0 = Some(outcome),
            What::Handled { call, how } => {
                let before = sends.entry(call).or_default().1.replace(how);
                assert_eq!(before, None, "a call is handled once");
            }
            _ => {}
        }
    }
    let mut held: BTreeMap<(PlaceId, u64), i64> = BTreeMap::new();
    let mut unrest = 0;
    world.inventory(&mut |one| {
        *held.entry((one.place, one.item.identity())).or_insert(0) += i64::from(one.copies);
        unrest += usize::from(!one.rest);
    });
    assert_eq!((&held, unrest), (&copies, 0));
    for (call, (outcome, how)) in &sends {
        let agrees = match outcome {
            Some(Outcome::Ok) => matches!(how, Some(Stored | Suppressed)),
            Some(Outcome::Failed | Outcome::Refused) => !matches!(how, Some(Stored | Suppressed)),
            Some(Outcome::Unknown) | None => true,
        };
        assert!(agrees, "{call:?}: {outcome:?} and {how:?}");
    }
    let at = |name: &str| {
        let place = world.plan().place_named(name).expect("the place");
        held.iter().filter(|((of, _), _)| *of == place).map(|(_, copies)| *copies).collect::<Vec<_>>()
    };
    assert!(at("orders.order").len() > 2000, "the load ran");
    assert_eq!(at("psp"), at("orders.order"));
    assert!(at("psp").iter().all(|copies| *copies == 1));
    assert_eq!(at("orders.event").len(), at("psp").len());
}
