//! A failover group in a world: its region goes dark, somebody or the platform fails over, callers follow
//! the listener, and the books close.

use std::collections::BTreeSet;

use super::*;
use crate::kernel::World;
use crate::observe::{Birth, Observation, Outcome};
use crate::services::bench;
use crate::time::Time;

/// A database whose primary is away from 3m for two hours; a runbook asks for a failover every 10 minutes.
fn world(database: serde_json::Value, mode: Option<&str>) -> World {
    let mut blueprint = serde_json::json!({
        "time": { "warmup": "1m", "run": "150m", "drain": "60m" },
        "sites": {
            "west": { "kind": "region", "zones": 3 },
            "north": { "kind": "region", "zones": 3 },
        },
        "flows": { "orders": { "key": "customer", "keys": 100, "size": "1KB" } },
        "policies": {
            "control": { "timeout": "3m", "retries": 20, "backoff": "fixed 30s" },
        },
        "nodes": {
            "shoppers": { "load": { "flow": "orders", "to": "api", "rate": "1/s", "policy": "none" } },
            "db": { "sql-database": database },
            "api": { "container-app": { "in": "north", "trigger": "http", "policy": "none", "steps": [
                { "insert": { "target": "db.order", "once": "item", "timeout": "5s" } },
                { "reply": { "target": 201 } },
            ] } },
        },
        "faults": { "dark": { "region.down": { "target": "west", "at": "3m", "for": "2h" } } },
    });
    if let Some(mode) = mode {
        let failover = serde_json::json!({ "target": "db", "to": "north", "mode": mode });
        blueprint["nodes"]["runbook"] = serde_json::json!({ "function-app": {
            "in": "north", "trigger": "every 10m", "policy": "control", "steps": [{ "failover": failover }],
        } });
    }
    bench::world(blueprint)
}

fn database() -> serde_json::Value {
    serde_json::json!({ "in": ["west", "north"], "primary": "west", "holds": ["order"] })
}

/// Runs it to its end; every place's book closes.
fn run(mut world: World) -> (World, Vec<Observation>) {
    let seen = bench::run_out(&mut world);
    bench::assert_closed(&world, &seen);
    (world, seen)
}

/// When the other primary wrote its first row, after the beginning of the fault.
fn written_again(world: &World, seen: &[Observation]) -> Option<Span> {
    let north = world.plan().place_named("db/north.order").expect("a place");
    let fresh = |what: &What| matches!(what, What::Born { place, cause: Birth::Stored } if *place == north);
    let dark: Time = world.plan().begins() + Span::mins(3);
    seen.iter().find(|one| fresh(&one.what)).map(|one| one.at.since(dark))
}

fn outcomes(seen: &[Observation], outcome: Outcome) -> usize {
    let fits = |what: &What| matches!(what, What::Concluded { outcome: o, .. } if *o == outcome);
    seen.iter().filter(|one| fits(&one.what)).count()
}

#[test]
fn a_forced_failover_by_a_runbook_takes_minutes_and_callers_follow_the_listener() {
    let (world, seen) = run(world(database(), Some("forced")));
    let after = written_again(&world, &seen).expect("the new primary writes");
    assert!(after > Span::mins(6) && after < Span::mins(10), "{after}");
    assert!(outcomes(&seen, Outcome::Ok) > 8000, "{}", outcomes(&seen, Outcome::Ok));
    let rows: BTreeSet<u32> = {
        let mut rows = BTreeSet::new();
        world.inventory(&mut |held| {
            rows.insert(held.item.number);
        });
        rows
    };
    assert!(rows.len() > 8000, "{}", rows.len());
}

#[test]
fn the_platform_waits_for_its_grace_period() {
    let mut database = database();
    database["failover-policy"] = "microsoft-managed".into();
    let (world, seen) = run(world(database, None));
    let after = written_again(&world, &seen).expect("the new primary writes");
    assert!(after > Span::mins(60) && after < Span::mins(75), "{after}");
}

#[test]
fn a_planned_failover_is_refused_while_the_primary_is_away() {
    let (world, seen) = run(world(database(), Some("planned")));
    let after = written_again(&world, &seen).expect("the new primary writes");
    assert!(after > Span::mins(119), "only when it is back: {after}");
}

#[test]
fn without_a_listener_callers_stay_with_the_old_server() {
    let mut database = database();
    database["replication"] = "geo-replication".into();
    let (world, seen) = run(world(database, Some("forced")));
    assert_eq!(written_again(&world, &seen), None);
    assert!(seen.iter().any(|one| matches!(one.what, What::Born { cause: Birth::Reborn, .. })));
}
