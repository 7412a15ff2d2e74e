use std::sync::Arc;

use serde_json::{Value, json};

use crate::blueprint::Blueprint;
use crate::kernel::World;
use crate::observe::{Birth, Observation, Outcome, What};
use crate::plan::{Plan, PlanError};
use crate::time::Span;

/// An app that writes to a database with two replicas, workers that scale by what waits, and these faults.
fn plan(database: &[(&str, Value)], faults: Value, more: &[(&str, Value)]) -> Result<Plan, Vec<PlanError>> {
    let mut blueprint = json!({
        "time": { "warmup": "1m", "run": "100m", "drain": "60m" },
        "sites": { "west": { "zones": 3 }, "north": { "zones": 3 } },
        "flows": { "orders": { "key": "customer", "keys": 100, "size": "1KB" } },
        "policies": { "control": { "timeout": "3m", "retries": 5, "backoff": "fixed 30s" } },
        "nodes": {
            "shoppers": { "load": { "flow": "orders", "to": "api", "rate": "2/s", "policy": "none" } },
            "db": { "sql-database": { "in": ["west", "north"], "primary": "west", "holds": ["order"] } },
            "bus": { "service-bus": { "in": "north" } },
            "jobs": { "service-bus-queue": { "of": "bus" } },
            "api": { "container-app": { "in": "north", "trigger": "http", "policy": "none", "steps": [
                { "insert": { "target": "db.order", "once": "item", "timeout": "5s" } },
                { "send": { "target": "jobs", "once": "item" } },
                { "reply": { "target": 201 } },
            ] } },
            "worker": { "container-app": { "in": "north", "trigger": "jobs", "replicas": "1..4", "steps": [
                { "work": { "target": "1s" } }, { "complete": {} },
            ] } },
        },
        "faults": faults,
    });
    for (field, value) in database {
        blueprint["nodes"]["db"]["sql-database"][field] = value.clone();
    }
    for (name, node) in more {
        blueprint["nodes"][name] = node.clone();
    }
    let blueprint: Blueprint = serde_json::from_value(blueprint).expect("a blueprint");
    Plan::new(blueprint)
}

fn run(plan: Plan) -> (World, Vec<Observation>) {
    let mut world = World::new(Arc::new(plan), 11).expect("a world");
    let (mut seen, deadline) = (Vec::new(), world.plan().deadline());
    while world.next_at().is_some_and(|at| at <= deadline) && world.step(&mut seen) {}
    (world, seen)
}

/// How long after the end of the warm-up something was first stored at this place.
fn first_stored(world: &World, seen: &[Observation], place: &str) -> Option<Span> {
    let place = world.plan().place_named(place).expect("a place");
    let stored = |what: &What| matches!(what, What::Born { place: at, cause: Birth::Stored } if *at == place);
    seen.iter().find(|one| stored(&one.what)).map(|one| one.at.since(world.plan().begins()))
}

/// How many doors said yes, and how many did not, from the end of the warm-up on.
fn concluded(world: &World, seen: &[Observation]) -> (usize, usize) {
    let begins = world.plan().begins();
    let outcomes = seen.iter().filter(|one| one.at >= begins).filter_map(|one| match one.what {
        What::Concluded { outcome, .. } => Some(outcome == Outcome::Ok),
        _ => None,
    });
    outcomes.fold((0, 0), |(yes, no), ok| (yes + usize::from(ok), no + usize::from(!ok)))
}

fn runbook() -> (&'static str, Value) {
    let failover = json!({ "target": "db", "to": "north", "mode": "planned" });
    let runbook = json!({ "in": "north", "trigger": "every 10m", "policy": "control",
        "steps": [{ "failover": failover }] });
    ("runbook", json!({ "function-app": runbook }))
}

/// The first failover that is asked for (at the start of the warm-up, then every 10 minutes) and granted.
fn failed_over(fault: Value) -> (Option<Span>, (usize, usize)) {
    let faults = json!({ "locked": fault });
    let (world, seen) = run(plan(&[], faults, &[runbook()]).expect("a plan"));
    (first_stored(&world, &seen, "db/north.order"), concluded(&world, &seen))
}

#[test]
fn while_the_control_plane_is_down_nothing_fails_over_and_what_runs_goes_on() {
    for target in ["all", "sql-database", "db", "db/north", "sql-database/north", "north"] {
        let (after, (yes, no)) =
            failed_over(json!({ "control-plane.down": { "target": target, "for": "35m" } }));
        let after = after.expect("the other replica leads in the end");
        assert!(after > Span::mins(35) && after < Span::mins(50), "{target}: {after}");
        assert!(yes > 11_500 && no < 300, "{target}: {yes} and {no}");
    }
    // A replica elsewhere is managed elsewhere.
    for target in ["db/west", "sql-database/west", "west", "worker"] {
        let (after, _) = failed_over(json!({ "control-plane.down": { "target": target, "for": "35m" } }));
        assert!(after.is_some_and(|after| after < Span::mins(20)), "{target}: {after:?}");
    }
}

#[test]
fn a_throttled_request_comes_again_when_it_is_told_to() {
    let throttle = json!({ "target": "db", "retry-after": "2m", "for": "15m" });
    let (after, (_, no)) = failed_over(json!({ "control-plane.throttle": throttle }));
    let after = after.expect("the other replica leads in the end");
    assert!(after > Span::mins(15) && after < Span::mins(25), "{after}");
    assert!(no < 300, "{no}");
}

#[test]
fn the_platform_cannot_fail_over_by_itself_either() {
    let database = [("failover-policy", json!("microsoft-managed")), ("grace-period", json!("1h"))];
    let dark = json!({ "region.down": { "target": "west", "at": "3m", "for": "95m" } });
    let after = |faults| {
        let (world, seen) = run(plan(&database, faults, &[]).expect("a plan"));
        first_stored(&world, &seen, "db/north.order").expect("the other replica leads in the end")
    };
    let usual = after(json!({ "dark": dark.clone() }));
    assert!(usual > Span::mins(60) && usual < Span::mins(75), "{usual}");
    let locked = json!({ "control-plane.down": { "target": "db", "at": "2m", "for": "80m" } });
    let later = after(json!({ "dark": dark, "locked": locked }));
    assert!(later > Span::mins(82) && later < Span::mins(90), "{later}");
}

#[test]
fn an_autoscaler_adds_nothing_until_the_control_plane_is_back() {
    // Two messages a second for workers that do one: the first instance falls behind.
    let waits = |faults: Value| {
        let (world, seen) = run(plan(&[], faults, &[]).expect("a plan"));
        let jobs = world.plan().place_named("jobs").expect("a place");
        let at = world.plan().begins() + Span::mins(20);
        seen.iter().filter(|one| one.at < at).fold(0, |waiting: i64, one| match one.what {
            What::Born { place, .. } if place == jobs => waiting + 1,
            What::Ended { place, .. } if place == jobs => waiting - 1,
            _ => waiting,
        })
    };
    let usual = waits(json!({}));
    assert!(usual < 100, "{usual}");
    for id in ["control-plane.down", "control-plane.throttle"] {
        let (kind, whole) =
            (json!({ id: { "target": "container-app/north" } }), json!({ id: { "target": "worker" } }));
        for fault in [kind, whole] {
            let behind = waits(json!({ "locked": fault }));
            assert!(behind > 600, "{id}: {behind}");
        }
    }
}

#[test]
fn a_target_that_has_no_control_plane_is_refused() {
    let refused = |target: &str| {
        let faults = json!({ "locked": { "control-plane.down": { "target": target } } });
        let errors = plan(&[], faults, &[]).expect_err("refused");
        (errors[0].to_string(), errors[0].word, errors[0].help.clone().unwrap_or_default())
    };
    let (message, word, help) = refused("jobs");
    assert_eq!(word, "inapplicable");
    assert!(
        message.contains("`jobs` has no control plane of its own") && help.contains("`bus`"),
        "{message}"
    );
    for (target, word) in [
        ("moon", "dangling"),
        ("sql-database/moon", "dangling"),
        ("cosmos-db", "dangling"),
        ("shoppers", "inapplicable"),
        ("load", "inapplicable"),
        ("db/moon", "dangling"),
    ] {
        assert_eq!(refused(target).1, word, "{target}");
    }
}
