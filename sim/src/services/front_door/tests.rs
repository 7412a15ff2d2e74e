//! Two regions behind a front door, and clients all over the world.

use super::*;
use crate::blueprint::{Blueprint, Flow, Site, Timetable};
use crate::client::Policy;
use crate::faults::zone::RegionDown;
use crate::faults::{At, FaultKind, process};
use crate::kernel::World;
use crate::observe::{Belief, Observation, Outcome, What};
use crate::services::NodeKind;
use crate::services::endpoint::EndpointService;
use crate::services::load::{Load, Shape};
use crate::time::Time;
use crate::units::{OneOrMany, Rate};

const LOST: Span = Span::secs(200);

fn door() -> FrontDoor {
    FrontDoor { origins: vec!["west-app".into(), "north-app".into()], ..FrontDoor::default() }
}

/// Clients that call `front` ten times a second for ten minutes.
fn blueprint(front: FrontDoor) -> Blueprint {
    let mut blueprint = Blueprint {
        time: Timetable { warmup: Span::ZERO, run: Span::mins(10), drain: Span::mins(10) },
        ..Blueprint::default()
    };
    blueprint.sites.insert("west".into(), Site::default());
    blueprint.sites.insert("north".into(), Site::default());
    blueprint.flows.insert("readings".into(), Flow::default());
    let once = Policy { timeout: Some(Span::secs(2)), retries: Some(0), ..Policy::default() };
    blueprint.policies.insert("once".into(), once);
    for site in ["west", "north"] {
        let app = EndpointService { site: OneOrMany::One(site.into()), ..EndpointService::default() };
        blueprint.nodes.insert(format!("{site}-app"), NodeKind::Endpoint(app));
    }
    blueprint.nodes.insert("front".into(), NodeKind::FrontDoor(front));
    let load = Load {
        flow: "readings".into(),
        to: "front".into(),
        rate: Some(Rate::per_second(10.0)),
        shape: Shape::Constant,
        policy: "once".into(),
        ..Load::default()
    };
    blueprint.nodes.insert("devices".into(), NodeKind::Load(load));
    blueprint
}

fn lose(blueprint: &mut Blueprint, name: &str, site: &str) {
    let down = RegionDown {
        target: site.into(),
        at: Some(At::Instant(LOST)),
        lasts: Some(Span::mins(4)),
        ..RegionDown::default()
    };
    blueprint.faults.insert(name.into(), FaultKind::RegionDown(down));
}

fn run(blueprint: Blueprint, seed: u64) -> (World, Vec<Observation>) {
    let plan = Plan::new(blueprint).expect("a plan");
    let deadline = plan.deadline();
    let mut world = World::new(Arc::new(plan), seed).expect("the plan can be built");
    let mut seen = Vec::new();
    while world.next_at().is_some_and(|at| at <= deadline) && world.step(&mut seen) {}
    assert!(world.links().balances());
    assert_eq!((world.pending_work(), world.links().in_flight), (0, 0));
    (world, seen)
}

/// When requests went from the edge to this origin.
fn forwarded(world: &World, seen: &[Observation], app: &str) -> Vec<Time> {
    let app = world.plan().endpoint(app).expect("a name").address.process;
    let sent = |o: &&Observation| matches!(o.what, What::Sent { to, .. } if to.process == app);
    seen.iter().filter(sent).map(|o| o.at).collect()
}

#[test]
fn each_edge_location_gives_a_lost_origin_up_by_its_own_samples() {
    let mut blueprint = blueprint(FrontDoor { priorities: vec![1, 2], ..door() });
    lose(&mut blueprint, "lost", "west");
    let (world, seen) = run(blueprint, 7);
    let (west, north) = (forwarded(&world, &seen, "west-app"), forwarded(&world, &seen, "north-app"));
    let at = |span| Time::ZERO + span;
    assert!(west.iter().filter(|t| **t < at(LOST)).count() > 1900, "all to the first");
    let first = *north.first().expect("some go to the second");
    let last = *west.iter().rfind(|t| **t < at(Span::secs(440))).expect("some go to the first");
    // Two failed samples, each noticed when the next probe is due: one to three intervals.
    assert!(first > at(LOST + Span::secs(30)) && first < at(LOST + Span::secs(95)), "{first}");
    assert!(last > first && last < at(LOST + Span::secs(95)), "not all at once: {first}, {last}");
    let app = world.plan().endpoint("west-app").expect("a name").address.process;
    let given_up: Vec<_> = seen
        .iter()
        .filter(|o| o.what == What::Believes { subject: app, belief: Belief::Ready(false) })
        .map(|o| o.process)
        .collect();
    assert_eq!(given_up.len(), 3, "every edge location for itself: {given_up:?}");
    // It is back at 440 s; three of the last four samples have to be good.
    assert!(north.iter().all(|t| *t < at(Span::secs(440 + 125))), "{:?}", north.last());
    let bad = seen.iter().filter(|o| matches!(o.what, What::Concluded { outcome: Outcome::Unknown, .. }));
    assert!((300..1000).contains(&bad.count()));
}

#[test]
fn when_all_are_unhealthy_all_are_tried() {
    let mut blueprint = blueprint(FrontDoor { priorities: vec![1, 2], ..door() });
    lose(&mut blueprint, "lost", "west");
    lose(&mut blueprint, "lost-too", "north");
    let (world, seen) = run(blueprint, 7);
    let (from, to) = (Time::ZERO + LOST + Span::secs(100), Time::ZERO + Span::secs(440));
    let within = |app| forwarded(&world, &seen, app).iter().filter(|t| **t > from && **t < to).count();
    let (west, north) = (within("west-app"), within("north-app"));
    assert!(west > 500 && west.abs_diff(north) < 10, "in turn: {west} and {north}");
}

#[test]
fn weights_count_among_those_that_are_about_as_fast() {
    let share = |sensitivity| {
        let weights = vec![100, 300];
        let front = FrontDoor { weights, latency_sensitivity: sensitivity, ..door() };
        let (world, seen) = run(blueprint(front), 7);
        let (west, north) =
            (forwarded(&world, &seen, "west-app").len(), forwarded(&world, &seen, "north-app").len());
        north as f64 / (west + north) as f64
    };
    let shared = share(Span::secs(1));
    assert!((shared - 0.75).abs() < 0.01, "{shared}");
    let fastest = share(Span::ZERO);
    assert!((fastest - 0.75).abs() > 0.02, "only who was the fastest in the last probe counts: {fastest}");
}

#[test]
fn a_lost_edge_location_is_felt_by_its_own_clients_alone() {
    let mut blueprint = blueprint(door());
    let down = process::Crash { target: "front/1".into(), ..process::Crash::default() };
    blueprint.faults.insert("edge".into(), FaultKind::ProcCrash(down));
    let (_, seen) = run(blueprint, 7);
    let ok = |o: &&Observation| matches!(o.what, What::Concluded { outcome: Outcome::Ok, .. });
    let offered = seen.iter().filter(|o| matches!(o.what, What::Offered { .. })).count();
    let share = seen.iter().filter(ok).count() as f64 / offered as f64;
    assert!((0.55..0.78).contains(&share), "{share}");
}

#[test]
fn after_a_crash_an_edge_location_knows_nothing() {
    let plan = Plan::new(blueprint(door())).expect("a plan");
    let (id, process) = plan.blueprint.nodes["front"].build("front", &plan).expect("built").remove(0);
    let fresh = format!("{process:?}");
    let (mut rig, _) = crate::node::rig::Rig::new(&plan, id, process);
    rig.advance(Span::secs(100));
    assert!(format!("{:?}", rig.process) != fresh);
    rig.process.crash();
    assert!(format!("{:?}", rig.process) == fresh);
}

#[test]
fn what_the_facts_exclude_is_refused() {
    let refused = |front: FrontDoor| {
        let errors = Plan::new(blueprint(front)).expect_err("refused");
        errors.first().map(ToString::to_string).expect("an error")
    };
    assert!(refused(FrontDoor { origins: vec![], ..door() }).contains("nodes.front.origins"));
    assert!(refused(FrontDoor { probe: Span::secs(1), ..door() }).contains("5s to 255s"));
    assert!(refused(FrontDoor { successful_samples: 5, ..door() }).contains("at most so many"));
    assert!(refused(FrontDoor { priorities: vec![1], ..door() }).contains("for each origin"));
    assert!(refused(FrontDoor { timeout: Span::secs(300), ..door() }).contains("16s to 240s"));
}
