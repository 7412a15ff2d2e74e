//! Tokens in a world: the issuer is away, and what goes on with the tokens that there are.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::blueprint::Blueprint;
use crate::kernel::World;
use crate::observe::{Observation, Outcome, What};
use crate::plan::{Plan, PlanError};
use crate::time::{Span, Time};

/// Twenty replicas that insert a row for each request, ten a second; their tokens are of the first seconds.
fn plan(identity: &str, faults: Value) -> Result<Plan, Vec<PlanError>> {
    let blueprint = json!({
        "time": { "warmup": "1m", "run": "150m", "drain": "30m" },
        "sites": { "west": { "zones": 3 } },
        "flows": { "orders": { "key": "customer", "keys": 100, "size": "1KB" } },
        "nodes": {
            "shoppers": { "load": { "flow": "orders", "to": "api", "rate": "10/s", "policy": "none" } },
            "entra": { "entra-id": {} },
            "db": { "sql-database": { "holds": ["order"] } },
            "api": { "container-app": {
                "trigger": "http", "replicas": "20", "policy": "none", "tokens": "entra", "identity": identity,
                "steps": [{ "insert": { "target": "db.order", "once": "item" } }, { "reply": { "target": 201 } }],
            } },
        },
        "faults": faults,
    });
    let blueprint: Blueprint = serde_json::from_value(blueprint).expect("a blueprint");
    Plan::new(blueprint)
}

fn run(identity: &str, faults: Value) -> (World, Vec<Observation>) {
    let plan = plan(identity, faults).unwrap_or_else(|errors| panic!("{errors:?}"));
    let mut world = World::new(Arc::new(plan), 3).expect("a world");
    let (mut seen, deadline) = (Vec::new(), world.plan().deadline());
    while world.next_at().is_some_and(|at| at <= deadline) && world.step(&mut seen) {}
    (world, seen)
}

/// The share of requests without success between these minutes of the world's own time.
fn failing(seen: &[Observation], from: u64, to: u64) -> f64 {
    let at = |minute| Time::ZERO + Span::mins(minute);
    let (mut all, mut bad) = (0, 0);
    for one in seen.iter().filter(|one| at(from) <= one.at && one.at < at(to)) {
        if let What::Concluded { outcome, .. } = one.what {
            all += 1;
            bad += u32::from(outcome != Outcome::Ok);
        }
    }
    assert!(all > 0, "nothing was concluded from {from} to {to}");
    f64::from(bad) / f64::from(all)
}

fn outage(id: &str, target: &str) -> Value {
    json!({ "outage": { id: { "target": target, "at": "1m" } } })
}

#[test]
fn without_the_token_service_errors_ramp_up_from_60_to_90_minutes_for_service_principals() {
    for id in ["service.down", "dep.down"] {
        let (_, seen) = run("service-principal", outage(id, "entra"));
        assert_eq!(failing(&seen, 1, 60), 0.0, "{id}: every token lasts an hour");
        let ramp: Vec<f64> = (60..90).step_by(5).map(|minute| failing(&seen, minute, minute + 5)).collect();
        assert!(ramp.is_sorted() && ramp[0] < 0.3 && ramp[5] > 0.7, "{id}: {ramp:?}");
        let middle = failing(&seen, 70, 80);
        assert!((0.2..0.8).contains(&middle), "{id}: {middle}");
        assert_eq!(failing(&seen, 91, 150), 1.0, "{id}: no token lasts longer");
    }
}

#[test]
fn managed_identities_feel_nothing_of_it_and_neither_does_a_new_instance() {
    for id in ["service.down", "dep.down"] {
        let mut faults = outage(id, "entra");
        faults["again"] = json!({ "proc.restart": { "target": "api/3", "at": "30m", "for": "10s" } });
        let (world, seen) = run("managed", faults);
        let begins = world.plan().begins();
        let bad = seen.iter().filter(|one| {
            one.at >= begins && matches!(one.what, What::Concluded { outcome, .. } if outcome != Outcome::Ok)
        });
        // What the instance had in its hands when it was told to go.
        assert!(bad.count() < 3, "{id}");
    }
}

#[test]
fn a_service_principal_that_starts_during_the_outage_has_no_token() {
    let mut faults = outage("service.down", "entra");
    faults["again"] = json!({ "proc.restart": { "target": "api", "at": "30m", "for": "10s" } });
    let (_, seen) = run("service-principal", faults);
    assert_eq!(failing(&seen, 2, 30), 0.0);
    assert_eq!(failing(&seen, 33, 150), 1.0);
}

#[test]
fn tokens_are_renewed_in_time_and_after_an_outage_all_is_well_again() {
    let (_, seen) = run("service-principal", json!({}));
    assert_eq!(failing(&seen, 1, 150), 0.0);
    let short = json!({ "outage": { "service.down": { "target": "entra", "at": "1m", "for": "100m" } } });
    let (_, seen) = run("service-principal", short);
    assert_eq!(failing(&seen, 92, 100), 1.0);
    assert_eq!(failing(&seen, 104, 150), 0.0);
}

#[test]
fn the_backup_is_its_own_target_and_lost_with_its_region() {
    let mut faults = outage("service.down", "entra");
    faults["backup"] = json!({ "service.down": { "target": "entra.backup/west", "at": "1m" } });
    faults["again"] = json!({ "proc.restart": { "target": "api", "at": "30m", "for": "10s" } });
    let (_, seen) = run("managed", faults);
    assert_eq!(failing(&seen, 2, 30), 0.0, "what it has lasts a day");
    assert_eq!(failing(&seen, 33, 150), 1.0);
}

#[test]
fn what_cannot_be_is_refused() {
    let refused = |change: &[(&str, &str, Value)]| {
        let mut plan =
            serde_json::to_value(plan("managed", json!({})).expect("a plan").blueprint).expect("a value");
        for (node, field, value) in change {
            let kind =
                plan["nodes"][node].as_object_mut().expect("a node").values_mut().next().expect("a kind");
            kind[*field] = value.clone();
        }
        let plan = Plan::new(serde_json::from_value(plan).expect("a blueprint"));
        let world = plan.and_then(|plan| World::new(Arc::new(plan), 3));
        let errors = world.map(|_| ()).expect_err("refused");
        (errors[0].path.clone(), errors[0].word)
    };
    let at = |node: &str, field: &str| vec!["nodes".to_owned(), node.to_owned(), field.to_owned()];
    assert_eq!(refused(&[("api", "tokens", json!("db"))]), (at("api", "tokens"), "tokens"));
    assert_eq!(refused(&[("api", "tokens", json!("moon"))]), (at("api", "tokens"), "dangling"));
    assert_eq!(refused(&[("api", "tokens", Value::Null)]), (at("api", "identity"), "tokens"));
    assert_eq!(refused(&[("api", "tokens-for", json!(["moon"]))]), (at("api", "tokens-for"), "dangling"));
    assert_eq!(refused(&[("api", "tokens-for", json!(["shoppers"]))]), (at("api", "tokens"), "tokens"));
    let field = ("entra", "token-lifetime", json!("5m"));
    assert_eq!(refused(&[field]), (at("entra", "token-lifetime"), "token-lifetime"));
}
