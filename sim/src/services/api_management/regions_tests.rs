//! A gateway in two regions, clients in both, and an app behind each gateway.

use std::sync::Arc;

use super::*;
use crate::blueprint::{Blueprint, Flow, Site, Timetable};
use crate::client::Policy;
use crate::faults::zone::RegionDown;
use crate::faults::{At, FaultKind};
use crate::ids::CallId;
use crate::kernel::World;
use crate::message::control::{Answer, Command, Listing};
use crate::message::{Body, Message};
use crate::node::rig::{Rig, bodies, sent};
use crate::observe::{Observation, Outcome, What};
use crate::recipe::Step;
use crate::recipe::hosts::FunctionApp;
use crate::recipe::step;
use crate::services::NodeKind;
use crate::services::alert::Alert;
use crate::services::bench::{run_out, sites};
use crate::services::endpoint::EndpointService;
use crate::services::load::{Load, Shape};
use crate::time::Time;
use crate::units::Threshold;

const RATE: f64 = 10.0;
const LOST: Span = Span::secs(200);
const RUN: Span = Span::mins(10);

fn both() -> OneOrMany {
    sites(&["west", "north"])
}

fn gateway() -> ApiManagement {
    ApiManagement { site: both(), backend: OneOrMany::One("api".to_owned()), ..ApiManagement::default() }
}

/// Clients in each region that call `gw` ten times a second for ten minutes.
fn blueprint(gateway: ApiManagement) -> Blueprint {
    let mut blueprint = Blueprint {
        time: Timetable { warmup: Span::ZERO, run: RUN, drain: Span::mins(10) },
        ..Blueprint::default()
    };
    for (site, pair) in [("west", "north"), ("north", "west")] {
        blueprint.sites.insert(site.into(), Site { pair: Some(pair.into()), ..Site::default() });
    }
    blueprint.flows.insert("orders".into(), Flow::default());
    let once = Policy { timeout: Some(Span::secs(2)), retries: Some(0), ..Policy::default() };
    blueprint.policies.insert("once".into(), once);
    let api = EndpointService { site: both(), ..EndpointService::default() };
    blueprint.nodes.insert("api".into(), NodeKind::Endpoint(api));
    blueprint.nodes.insert("gw".into(), NodeKind::ApiManagement(gateway));
    for site in ["west", "north"] {
        let load = Load {
            flow: "orders".into(),
            to: "gw".into(),
            place: site.into(),
            rate: Some(Rate::per_second(RATE)),
            shape: Shape::Constant,
            policy: "once".into(),
            ..Load::default()
        };
        blueprint.nodes.insert(format!("clients-{site}"), NodeKind::Load(load));
    }
    blueprint
}

fn losing(mut blueprint: Blueprint, site: &str) -> Blueprint {
    let down = RegionDown {
        target: site.into(),
        at: Some(At::Instant(LOST)),
        lasts: Some(Span::mins(4)),
        ..RegionDown::default()
    };
    blueprint.faults.insert("lost".into(), FaultKind::RegionDown(down));
    blueprint
}

fn run(blueprint: Blueprint) -> (World, Vec<Observation>) {
    let plan = Plan::new(blueprint).expect("a plan");
    let mut world = World::new(Arc::new(plan), 7).expect("the plan can be built");
    let seen = run_out(&mut world);
    assert!(world.links().balances());
    (world, seen)
}

/// When somebody called this.
fn calls(world: &World, seen: &[Observation], from: &str, to: &str) -> Vec<Time> {
    let plan = world.plan();
    let (from, to) = (plan.node(from), plan.endpoint(to).expect("a name").address.process);
    let by = |o: &&Observation| Some(plan.process(o.process).node) == from;
    let sent = |o: &&Observation| matches!(o.what, What::Sent { to: there, .. } if there.process == to);
    seen.iter().filter(by).filter(sent).map(|o| o.at).collect()
}

/// How many calls to `gw` came out like this, by whom, between these instants.
fn concluded(world: &World, seen: &[Observation], by: &str, of: Outcome, from: Span, until: Span) -> usize {
    let node = world.plan().node(by);
    let within = |o: &&Observation| o.at >= Time::ZERO + from && o.at < Time::ZERO + until;
    let fits = |o: &&Observation| matches!(o.what, What::Concluded { outcome, .. } if outcome == of);
    let by = |o: &&Observation| Some(world.plan().process(o.process).node) == node;
    seen.iter().filter(by).filter(within).filter(fits).count()
}

fn during(times: &[Time], from: Span, until: Span) -> usize {
    times.iter().filter(|at| **at >= Time::ZERO + from && **at < Time::ZERO + until).count()
}

#[test]
fn each_client_reaches_the_nearest_gateway_and_that_the_app_in_its_own_region() {
    let (world, seen) = run(blueprint(gateway()));
    for (own, other) in [("west", "north"), ("north", "west")] {
        let clients = format!("clients-{own}");
        assert!(calls(&world, &seen, &clients, &format!("gw/{own}")).len() > 5_900);
        assert!(calls(&world, &seen, &clients, &format!("gw/{other}")).is_empty());
        assert!(calls(&world, &seen, &format!("gw/{own}"), &format!("api/{own}")).len() > 5_900);
        assert!(calls(&world, &seen, &format!("gw/{own}"), &format!("api/{other}")).is_empty());
    }
}

#[test]
fn the_traffic_of_a_lost_region_goes_to_the_next_gateway_and_comes_back() {
    let (world, seen) = run(losing(blueprint(gateway()), "north"));
    // The clients are lost with their region; those on the internet are not.
    let west = calls(&world, &seen, "clients-west", "gw/west");
    assert!(during(&west, Span::ZERO, RUN) > 5_900, "nobody else notices");

    // To clients on the internet both are as near.
    let mut outside = blueprint(gateway());
    let NodeKind::Load(load) = &mut outside.nodes["clients-north"] else { panic!("a load") };
    load.place = Load::default().place;
    let (world, seen) = run(outside.clone());
    let to_north = !calls(&world, &seen, "clients-north", "gw/north").is_empty();
    let (own, other) = if to_north { ("north", "west") } else { ("west", "north") };
    let (world, seen) = run(losing(outside, own));
    let spare = calls(&world, &seen, "clients-north", &format!("gw/{other}"));
    assert_eq!(during(&spare, Span::ZERO, LOST), 0);
    // Four missed probes 30 s apart, and the time to live of a record: 60 s.
    let late = Span::secs(200 + 120 + 10 + 60 + 10);
    let ok = |from, until| concluded(&world, &seen, "clients-north", Outcome::Ok, from, until);
    let gap = ok(LOST + Span::secs(5), LOST + Span::secs(60));
    assert!(gap < 5, "what was under way is dropped, and the name still leads there: {gap}");
    assert!(ok(late, Span::mins(7)) >= 150, "then it leads to the other gateway");
    assert!(ok(Span::mins(9), RUN) > 590);
}

#[test]
fn a_limit_is_counted_by_each_gateway_for_itself() {
    let limit = Some(Rate { count: 5.0, per: Span::secs(1) });
    let passed = |gateway: ApiManagement| {
        let (world, seen) = run(blueprint(gateway));
        let of = |by: &str| concluded(&world, &seen, by, Outcome::Ok, Span::ZERO, RUN);
        of("clients-west") + of("clients-north")
    };
    let one = passed(ApiManagement {
        site: OneOrMany::One("west".to_owned()),
        backend: OneOrMany::One("api/west".to_owned()),
        rate_limit: limit,
        ..ApiManagement::default()
    });
    let two = passed(ApiManagement { rate_limit: limit, ..gateway() });
    assert!((2_900..=3_100).contains(&one), "{one}");
    assert!((5_800..=6_200).contains(&two), "twice as many pass: {two}");
}

/// `disable: gw/north` when an alert says so: as soon as `watched` has not answered for a minute.
fn with_a_runbook(gateway: ApiManagement, watched: &str) -> Blueprint {
    let mut blueprint = blueprint(gateway);
    let alert = Alert {
        site: OneOrMany::One("north".to_owned()),
        watch: format!("{watched}.availability"),
        below: Some(Threshold(0.5)),
        ..Alert::default()
    };
    blueprint.nodes.insert("noticed".into(), NodeKind::Alert(alert));
    let disable = step::Disable { target: "gw/north".to_owned(), ..step::Disable::default() };
    let runbook = FunctionApp {
        site: OneOrMany::One("north".to_owned()),
        trigger: "noticed".into(),
        steps: vec![Step::Disable(disable)],
        policy: "once".into(),
        ..FunctionApp::default()
    };
    blueprint.nodes.insert("runbook".into(), NodeKind::FunctionApp(runbook));
    losing(blueprint, "west")
}

#[test]
fn while_the_primary_region_is_lost_the_other_gateway_goes_on_and_nothing_can_be_changed() {
    let done = |seen: &[Observation]| {
        let ended = seen.iter().filter_map(|o| match o.what {
            What::RunEnded { done, .. } if o.item.is_none() => Some(done),
            _ => None,
        });
        ended.collect::<Vec<bool>>()
    };
    let (world, seen) = run(with_a_runbook(gateway(), "gw/west"));
    assert_eq!(done(&seen), [false], "nobody answers");
    assert!(concluded(&world, &seen, "clients-north", Outcome::Ok, Span::ZERO, RUN) > 5_900);
    assert!(calls(&world, &seen, "clients-north", "gw/west").is_empty());

    let primary = Some("north".to_owned());
    let (world, seen) = run(with_a_runbook(ApiManagement { primary, ..gateway() }, "gw/west"));
    assert_eq!(done(&seen), [true]);
    let west = calls(&world, &seen, "clients-north", "gw/west");
    assert!(!west.is_empty(), "out of the routing, although it serves");
}

fn management(plan: &Plan) -> Rig<'_> {
    let built = plan.blueprint.nodes["gw"].build("gw", plan).expect("it builds");
    let id = plan.endpoint("gw.management").expect("it has one").address.process;
    let (id, process) = built.into_iter().find(|(process, _)| *process == id).expect("it is built");
    Rig::new(plan, id, process).0
}

fn asked(rig: &mut Rig<'_>, call: u64, command: Command) -> Option<Answer> {
    let effects = rig.message(99, Message { call: CallId(call), ..Message::new(Body::Control(command)) });
    bodies(&effects)
        .find_map(|body| if let Body::ControlAnswer(answer) = body { Some(*answer) } else { None })
}

#[test]
fn a_change_is_everywhere_after_ten_seconds_and_survives_a_crash() {
    let plan = Plan::new(blueprint(gateway())).expect("a plan");
    let monitor = plan.control_of(plan.node("gw").expect("a node")).expect("one").process.0;
    let mut rig = management(&plan);
    let part = plan.endpoint("gw/north.control").expect("one").address.part;
    let off = Command::Enable { part, on: false };
    let in_sync = |rig: &mut Rig<'_>| asked(rig, 9, Command::Verify { part: 0 });
    assert_eq!(asked(&mut rig, 1, off), Some(Answer::Done));
    assert_eq!(in_sync(&mut rig), Some(Answer::State { up: true, in_sync: false }));
    assert!(sent(&rig.advance(Span::millis(9_999))).next().is_none());
    let set = Body::Control(Command::Set { listed: Listing::of(&[0]) });
    assert!(bodies(&rig.advance(Span::millis(2))).any(|body| *body == set));
    let again = rig.crash();
    let told = sent(&again).find(|message| message.body == set).expect("it is told again").clone();
    rig.message(monitor, told.answer(Body::ControlAnswer(Answer::Done)));
    assert_eq!(in_sync(&mut rig), Some(Answer::State { up: true, in_sync: true }));
    assert!(sent(&rig.advance(Span::mins(5))).next().is_none());
    let last = Command::Enable { part: 1 - part, on: false };
    assert_eq!(asked(&mut rig, 3, last), Some(Answer::Refused), "the last gateway stays");
}

#[test]
fn a_pool_in_order_is_the_own_backend_until_it_is_tripped() {
    let names = ["api", "api/west", "api/north"].map(str::to_owned);
    let gateway = ApiManagement {
        backend: OneOrMany::Many(names.to_vec()),
        pool: Pool::InOrder,
        breaker: Some("3 in 1m for 10m".parse().expect("a rule")),
        timeout: Span::secs(1),
        ..gateway()
    };
    let mut blueprint = blueprint(gateway);
    let down = crate::faults::service::ServiceDown {
        target: "api/west".into(),
        at: Some(At::Instant(LOST)),
        lasts: Some(Span::mins(4)),
        ..Default::default()
    };
    blueprint.faults.insert("lost".into(), FaultKind::ServiceDown(down));
    let (world, seen) = run(blueprint);
    let (own, other) =
        (calls(&world, &seen, "gw/west", "api/west"), calls(&world, &seen, "gw/west", "api/north"));
    assert_eq!(during(&other, Span::ZERO, LOST), 0);
    assert!(during(&own, Span::ZERO, LOST) > 1_900);
    let after = LOST + Span::secs(10);
    assert_eq!(during(&own, after, RUN), 0, "tripped for ten minutes");
    assert!(during(&other, after, RUN) > 3_800);
    assert!(calls(&world, &seen, "gw/north", "api/west").is_empty());
}

#[test]
fn contradictions_are_refused() {
    let error = |gateway: ApiManagement| format!("{:?}", Plan::new(blueprint(gateway)).err());
    let elsewhere = ApiManagement { primary: Some("moon".to_owned()), ..gateway() };
    assert!(error(elsewhere).contains("it has no gateway in `moon`"));
    let alone = ApiManagement {
        site: OneOrMany::One("west".to_owned()),
        primary: Some("west".to_owned()),
        ..gateway()
    };
    assert!(error(alone).contains("it is in one site"));
}
