use std::sync::Arc;

use serde_json::{Value, json};

use super::process::{Partition, Setup, Vault};
use crate::blueprint::Blueprint;
use crate::ids::{CallId, ProcessId};
use crate::kernel::World;
use crate::message::control::{self, Command};
use crate::message::credential::{Answer, Question};
use crate::message::{Body, Message};
use crate::node::Effect;
use crate::node::rig::{Rig, bodies};
use crate::observe::{Handling, Observation, Outcome, Symptom, What};
use crate::plan::{Plan, PlanError};
use crate::time::{Span, Time};
use crate::units::{Distribution, Rate};

/// An app in the north that calls an endpoint with a key; the vault is in the west, which is its pair.
fn blueprint(app: Value, faults: Value, more: &[(&str, Value)]) -> Value {
    let mut blueprint = json!({
        "time": { "warmup": "1m", "run": "2h", "drain": "30m" },
        "sites": { "west": { "zones": 3, "pair": "north" }, "north": { "zones": 3, "pair": "west" } },
        "flows": { "orders": { "key": "customer", "keys": 100, "size": "1KB" } },
        "policies": { "control": { "timeout": "2m", "retries": 3, "backoff": "fixed 30s" } },
        "nodes": {
            "shoppers": { "load": { "flow": "orders", "to": "api", "rate": "5/s", "policy": "none" } },
            "vault": { "key-vault": { "in": "west", "holds": ["other", "psp-key"] } },
            "psp": { "endpoint": { "api-key": "vault.psp-key", "latency": "20ms", "idempotency-keys": "0s" } },
            "api": app,
        },
        "faults": faults,
    });
    for (name, node) in more {
        blueprint["nodes"][name] = node.clone();
    }
    blueprint
}

fn steps() -> Value {
    json!([{ "call": { "target": "psp" } }, { "reply": { "target": 200 } }])
}

/// An app that keeps its secrets itself.
fn container_app() -> Value {
    json!({ "container-app": { "in": "north", "trigger": "http", "replicas": "3", "policy": "none",
        "secrets": ["vault.psp-key"], "steps": steps() } })
}

/// One whose settings refer to a secret.
fn function_app() -> Value {
    json!({ "function-app": { "in": "north", "trigger": "http", "instances": "3", "policy": "none",
        "secrets": ["vault.psp-key"], "steps": steps() } })
}

/// Rotates the key at 40m of the run.
fn rotation(overlap: &str) -> (&'static str, Value) {
    (
        "rotation",
        json!({ "function-app": { "in": "north", "trigger": "every 41m", "policy": "control",
        "steps": [{ "rotate": { "target": "vault.psp-key", "overlap": overlap } }] } }),
    )
}

fn plan(blueprint: Value) -> Result<Plan, Vec<PlanError>> {
    let blueprint: Blueprint = serde_json::from_value(blueprint).expect("a blueprint");
    Plan::new(blueprint)
}

fn run(app: Value, faults: Value, more: &[(&str, Value)]) -> (World, Vec<Observation>) {
    let plan = plan(blueprint(app, faults, more)).unwrap_or_else(|errors| panic!("{errors:?}"));
    let mut world = World::new(Arc::new(plan), 5).expect("a world");
    let (mut seen, deadline) = (Vec::new(), world.plan().deadline());
    while world.next_at().is_some_and(|at| at <= deadline) && world.step(&mut seen) {}
    (world, seen)
}

/// These minutes of the run.
fn during(seen: &[Observation], from: u64, to: u64) -> impl Iterator<Item = &Observation> {
    let at = |minute| Time::ZERO + Span::mins(1 + minute);
    seen.iter().filter(move |one| at(from) <= one.at && one.at < at(to))
}

/// The share of requests without success.
fn failing(seen: &[Observation], from: u64, to: u64) -> f64 {
    let (mut all, mut bad) = (0, 0);
    for one in during(seen, from, to) {
        if let What::Concluded { outcome, .. } = one.what {
            all += 1;
            bad += u32::from(outcome != Outcome::Ok);
        }
    }
    assert!(all > 0, "nothing was concluded from {from} to {to}");
    f64::from(bad) / f64::from(all)
}

/// How many requests an instance took.
fn served(world: &World, seen: &[Observation], instance: &str, from: u64, to: u64) -> usize {
    let handled = |one: &&Observation| {
        world.plan().process(one.process).name == instance
            && matches!(one.what, What::Handled { how: Handling::Stored, .. })
    };
    during(seen, from, to).filter(handled).count()
}

fn faults(outage: Value) -> Value {
    json!({
        "outage": outage,
        "again": { "proc.restart": { "target": "api/1", "at": "15m", "for": "10s" } },
    })
}

#[test]
fn an_app_does_not_start_without_its_secrets_and_those_that_run_go_on() {
    let outage = json!({ "service.down": { "target": "vault", "at": "10m", "for": "40m" } });
    let (world, seen) = run(container_app(), faults(outage), &[]);
    assert!(failing(&seen, 0, 120) < 0.001);
    assert!(served(&world, &seen, "api#0", 1, 14) > 500);
    assert_eq!(served(&world, &seen, "api#0", 16, 50), 0, "it waits for its secret");
    assert!(served(&world, &seen, "api#0", 55, 120) > 500);
    assert!(served(&world, &seen, "api#1", 16, 50) > 500);
}

#[test]
fn a_reference_that_cannot_be_resolved_is_its_literal_text_for_a_day() {
    let outage = json!({ "service.down": { "target": "vault", "at": "10m", "for": "40m" } });
    let (world, seen) = run(function_app(), faults(outage), &[]);
    assert_eq!(failing(&seen, 0, 15), 0.0);
    let (during, after) = (failing(&seen, 20, 50), failing(&seen, 60, 120));
    assert!((0.2..0.5).contains(&during), "one of three instances: {during}");
    assert!((0.2..0.5).contains(&after), "nobody starts it again: {after}");
    assert_eq!(served(&world, &seen, "api#0", 20, 120), 0);
}

#[test]
fn a_lost_region_is_read_from_its_copy_after_some_minutes() {
    let outage = json!({ "region.down": { "target": "west", "at": "14m", "for": "60m" } });
    let (world, seen) = run(container_app(), faults(outage), &[]);
    assert!(failing(&seen, 0, 120) < 0.001);
    assert_eq!(served(&world, &seen, "api#0", 16, 17), 0);
    assert!(served(&world, &seen, "api#0", 25, 74) > 500, "it found the copy");
}

#[test]
fn a_region_without_a_pair_has_no_copy() {
    let outage = json!({ "region.down": { "target": "west", "at": "14m", "for": "60m" } });
    let mut lone = blueprint(container_app(), faults(outage), &[]);
    lone["sites"] = json!({ "west": { "zones": 3 }, "north": { "zones": 3 } });
    let plan = plan(lone).expect("a plan");
    assert!(plan.endpoint("vault.copy").is_none());
    let mut world = World::new(Arc::new(plan), 5).expect("a world");
    let (mut seen, deadline) = (Vec::new(), world.plan().deadline());
    while world.next_at().is_some_and(|at| at <= deadline) && world.step(&mut seen) {}
    assert_eq!(served(&world, &seen, "api#0", 16, 74), 0);
    assert!(served(&world, &seen, "api#0", 80, 120) > 500);
}

#[test]
fn an_app_that_keeps_its_key_reads_it_again_when_it_is_refused() {
    let (_, seen) = run(container_app(), json!({}), &[rotation("0s")]);
    let refused = during(&seen, 39, 42).filter(|one| one.what == What::Symptom(Symptom::Error)).count();
    assert!(refused >= 3, "every replica once: {refused}");
    assert!(failing(&seen, 0, 120) < 0.001);
}

#[test]
fn a_stale_reference_is_refused_until_the_instance_starts_again() {
    let faults = json!({ "again": { "proc.restart": { "target": "api", "at": "60m", "for": "10s" } } });
    let (_, seen) = run(function_app(), faults, &[rotation("0s")]);
    assert_eq!(failing(&seen, 0, 39), 0.0);
    assert_eq!(failing(&seen, 41, 60), 1.0, "401");
    assert_eq!(failing(&seen, 62, 80), 0.0);
}

#[test]
fn with_an_overlap_nobody_is_refused_before_it_is_over() {
    let (_, seen) = run(function_app(), json!({}), &[rotation("30m")]);
    assert_eq!(failing(&seen, 0, 69), 0.0);
    assert_eq!(failing(&seen, 72, 80), 1.0, "a reference is kept for a day");
    let (_, seen) = run(container_app(), json!({}), &[rotation("30m")]);
    assert!(failing(&seen, 0, 120) < 0.001);
}

#[test]
fn nothing_is_rotated_while_only_the_copy_answers_and_what_was_rotated_before_is_there() {
    let outage = json!({ "outage": { "region.down": { "target": "west", "at": "30m", "for": "40m" } } });
    let (_, seen) = run(function_app(), outage, &[rotation("0s")]);
    assert_eq!(failing(&seen, 0, 80), 0.0, "the key is the one it was");
    let later = json!({
        "outage": { "region.down": { "target": "west", "at": "45m", "for": "60m" } },
        "again": { "proc.restart": { "target": "api", "at": "55m", "for": "10s" } },
    });
    let (_, seen) = run(function_app(), later, &[rotation("0s")]);
    assert_eq!(failing(&seen, 41, 54), 1.0);
    assert_eq!(failing(&seen, 58, 80), 0.0, "the copy has the new version");
}

#[test]
fn a_rotation_needs_the_control_plane() {
    let locked =
        json!({ "locked": { "control-plane.down": { "target": "vault", "at": "35m", "for": "30m" } } });
    let (_, seen) = run(function_app(), locked, &[rotation("0s")]);
    assert_eq!(failing(&seen, 0, 80), 0.0);
}

#[test]
fn what_cannot_be_is_refused() {
    let refused = |change: &[(&str, &str, Value)]| {
        let mut changed = blueprint(container_app(), json!({}), &[rotation("0s")]);
        for (node, field, value) in change {
            let kind =
                changed["nodes"][node].as_object_mut().expect("a node").values_mut().next().expect("a kind");
            kind[*field] = value.clone();
        }
        let world = plan(changed).and_then(|plan| World::new(Arc::new(plan), 3));
        let errors = world.map(|_| ()).expect_err("refused");
        (errors[0].path.join("."), errors[0].word)
    };
    let case = |node, field, value| refused(&[(node, field, value)]);
    assert_eq!(case("api", "secrets", json!([])), ("nodes.api.secrets".to_owned(), "secrets"));
    assert_eq!(case("api", "secrets", json!(["psp"])), ("nodes.api.secrets".to_owned(), "secrets"));
    assert_eq!(case("api", "secrets", json!(["vault.no"])), ("nodes.api.secrets".to_owned(), "dangling"));
    assert_eq!(case("psp", "api-key", json!("api")), ("nodes.psp.api-key".to_owned(), "secrets"));
    assert_eq!(case("vault", "holds", json!([])).0, "nodes.vault.holds");
    assert_eq!(case("vault", "transactions", json!("0/10s")).0, "nodes.vault.transactions");
    let steps = json!([{ "rotate": { "target": "psp" } }]);
    assert_eq!(case("rotation", "steps", steps).1, "step");
}

// -- On the bench. --

const WEST: u32 = 1;
const KEYED: u32 = 8;

/// A vault of one secret in three zones, whose key it is of one endpoint.
fn vault(plan: &Plan) -> Rig<'_> {
    let setup = Setup {
        secrets: vec![4],
        keyed: vec![vec![ProcessId(KEYED)]],
        partitions: vec![ProcessId(5), ProcessId(6), ProcessId(7)],
        copy: None,
        read_only: false,
        transactions: Rate { count: 4000.0, per: Span::secs(10) },
        latency: Distribution::Constant(Span::millis(1)).sampler(),
    };
    Rig::new(plan, ProcessId(WEST), Box::new(Vault::new(setup))).0
}

fn small() -> Plan {
    plan(blueprint(container_app(), json!({}), &[])).expect("a plan")
}

fn ask(rig: &mut Rig<'_>, serial: u32) -> Vec<Effect> {
    let question = Message::new(Body::Credential(Question::Secret { part: 0, serial }));
    rig.message(2, Message { call: CallId(u64::from(serial)), ..question })
}

fn granted(effects: &[Effect]) -> Vec<Answer> {
    bodies(effects)
        .filter_map(|body| if let Body::Granted(answer) = body { Some(*answer) } else { None })
        .collect()
}

#[test]
fn more_transactions_than_the_limit_are_throttled_and_do_not_count() {
    let plan = small();
    let mut rig = vault(&plan);
    let throttled =
        (1..=6000).filter(|serial| granted(&ask(&mut rig, *serial)) == [Answer::Throttled]).count();
    assert_eq!(throttled, 2000);
    assert_eq!(rig.gauge("transactions"), Some((4000.0, 4000.0)));
    let served = granted(&rig.advance(Span::secs(1)));
    assert_eq!(served.len(), 4000);
    assert!(served.iter().all(|answer| *answer == Answer::Secret { version: 1 }));
    assert_eq!(granted(&ask(&mut rig, 6001)), [Answer::Throttled]);
    rig.advance(Span::secs(10));
    assert_eq!(granted(&ask(&mut rig, 6002)), []);
    assert_eq!(granted(&rig.advance(Span::secs(1))), [Answer::Secret { version: 1 }]);
}

/// What the vault tells others: to whom, and what.
fn told(effects: &[Effect]) -> Vec<(u32, Message)> {
    let calls = effects.iter().filter_map(|effect| match effect {
        Effect::Call { to, message } => Some((to.0, message.clone())),
        _ => None,
    });
    calls.collect()
}

fn controlled(effects: &[Effect]) -> Vec<control::Answer> {
    let answers = bodies(effects).filter_map(|body| match body {
        Body::ControlAnswer(answer) => Some(*answer),
        _ => None,
    });
    answers.collect()
}

fn rotate(rig: &mut Rig<'_>) -> Vec<Effect> {
    let command = Command::Rotate { part: 0, overlap: Span::ZERO };
    rig.message(2, Message { call: CallId(77), ..Message::new(Body::Control(command)) })
}

fn confirm(rig: &mut Rig<'_>, (from, message): &(u32, Message)) -> Vec<Effect> {
    rig.message(*from, message.answer(Body::ControlAnswer(control::Answer::Done)))
}

#[test]
fn a_write_goes_to_one_zone_and_to_another_when_that_is_away() {
    let plan = small();
    let mut rig = vault(&plan);
    let first = told(&rotate(&mut rig));
    let later = rig.advance(Span::secs(30));
    assert_eq!(controlled(&later), [control::Answer::Unavailable], "its zone is away");
    assert!(told(&later).iter().all(|(to, _)| *to != KEYED), "nobody takes what has not been written");
    let second = told(&rotate(&mut rig));
    assert!((first[0].0, second[0].0) == (6, 7), "{first:?} {second:?}");
    let accept = told(&confirm(&mut rig, &second[0]));
    let expected = Body::Control(Command::Accept { version: 2, overlap: Span::ZERO });
    assert!(accept.len() == 1 && accept[0].0 == KEYED && accept[0].1.body == expected, "{accept:?}");
    ask(&mut rig, 1);
    assert_eq!(
        granted(&rig.advance(Span::millis(5))),
        [Answer::Secret { version: 1 }],
        "not everybody takes it yet"
    );
    assert_eq!(controlled(&confirm(&mut rig, &accept[0])), [control::Answer::Done]);
    ask(&mut rig, 2);
    assert_eq!(granted(&rig.advance(Span::millis(5))), [Answer::Secret { version: 2 }]);
    // What is written survives; what was under way does not.
    rig.crash();
    ask(&mut rig, 3);
    assert_eq!(granted(&rig.advance(Span::millis(5))), [Answer::Secret { version: 2 }]);
}

#[test]
fn a_crash_leaves_what_is_durable() {
    let plan = small();
    let mut rig = vault(&plan);
    let fresh = format!("{:?}", rig.process);
    ask(&mut rig, 1);
    rotate(&mut rig);
    rig.process.crash();
    assert_eq!(format!("{:?}", rig.process), fresh);
    let _ = Partition;
}
