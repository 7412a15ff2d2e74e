//! A replicated namespace in a world: its region goes dark, a runbook promotes the other, clients follow
//! the name; and whatever happens in whatever order, the books close.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::geo::{NORTH, Pair, WEST, bus, plan_of};
use super::*;
use crate::kernel::World;
use crate::message::control::Transition;
use crate::observe::{Observation, Outcome, What};
use crate::services::bench::{self, accepted, numbers};
use crate::services::service_bus::Replication;

fn replicated(replication: &str) -> World {
    bench::world(serde_json::json!({
        "time": { "warmup": "1m", "run": "40m", "drain": "60m" },
        "sites": {
            "west": { "kind": "region", "zones": 3 },
            "north": { "kind": "region", "zones": 3 },
        },
        "flows": { "orders": { "key": "device", "keys": 100, "size": "1KB" } },
        "policies": {
            "patient": { "timeout": "10s", "retries": 40, "backoff": "fixed 20s" },
            "control": { "timeout": "60s", "retries": 20, "backoff": "fixed 30s" },
        },
        "nodes": {
            "devices": { "load": { "flow": "orders", "to": "ingest", "rate": "5/s", "policy": "none" } },
            "bus": { "service-bus": {
                "in": ["west", "north"], "tier": "premium", "replication": replication,
            } },
            "raw": { "service-bus-queue": { "of": "bus", "dedup-window": "30m", "max-delivery": 100 } },
            "store": { "sql-database": { "in": "north", "holds": ["order"] } },
            "ingest": { "container-app": { "in": "north", "trigger": "http", "steps": [
                { "send": { "target": "raw", "once": "item", "timeout": "5s" } },
                { "reply": { "target": 202 } },
            ] } },
            "scorer": { "function-app": { "in": "north", "trigger": "raw", "policy": "patient", "steps": [
                { "insert": { "target": "store.order", "once": "item" } },
                { "complete": {} },
            ] } },
            "runbook": { "function-app": { "in": "north", "trigger": "every 8m", "policy": "control", "steps": [
                { "promote": { "target": "bus", "to": "north", "mode": "forced" } },
            ] } },
        },
        "faults": { "dark": { "service.down": {
            "target": "bus/west", "at": "3m", "for": "25m",
        } } },
    }))
}

/// Runs it to its end; every place's book closes.
fn run(mut world: World) -> (World, Vec<Observation>) {
    let seen = bench::run_out(&mut world);
    bench::assert_closed(&world, &seen);
    (world, seen)
}

fn stored(world: &World, seen: &[Observation]) -> BTreeSet<u32> {
    let order = world.plan().place_named("store.order").expect("a place");
    numbers(seen, |what| matches!(what, What::Born { place, .. } if *place == order))
}

#[test]
fn after_a_forced_promotion_clients_find_the_new_primary_and_sync_loses_nothing() {
    let (world, seen) = run(replicated("sync"));
    let (accepted, stored) = (accepted(&seen), stored(&world, &seen));
    let north = world.plan().place_named("raw/north").expect("a place");
    let there = numbers(&seen, |what| matches!(what, What::Born { place, .. } if *place == north));
    assert!(there.len() > 1000, "{} went to the new primary", there.len());
    assert!(accepted.len() > 8000, "{}", accepted.len());
    let lost: Vec<&u32> = accepted.difference(&stored).collect();
    assert!(lost.is_empty(), "{lost:?}");
    let late =
        seen.iter().rev().find(|one| matches!(one.what, What::Concluded { outcome: Outcome::Failed, .. }));
    let begins = world.plan().begins();
    assert!(late.is_none_or(|one| one.at < begins + Span::mins(22)), "{late:?}");
}

#[test]
fn geo_dr_strands_what_was_queued_and_serves_under_the_same_name() {
    let (world, seen) = run(replicated("metadata-only"));
    let north = world.plan().place_named("raw/north").expect("a place");
    let there = numbers(&seen, |what| matches!(what, What::Born { place, .. } if *place == north));
    assert!(there.len() > 3000, "{} went to the new primary", there.len());
    assert!(
        !seen.iter().any(|one| matches!(one.what, What::Born { cause: crate::observe::Birth::Reborn, .. }))
    );
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Send(usize),
    Complete(usize),
    Cut(bool),
    Crash(usize),
    Back(usize),
    Wait(u64),
    Promote { of: usize, to: u8, mode: Transition },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..2usize).prop_map(Act::Send),
        4 => (0..2usize).prop_map(Act::Complete),
        2 => any::<bool>().prop_map(Act::Cut),
        1 => (0..2usize).prop_map(Act::Crash),
        2 => (0..2usize).prop_map(Act::Back),
        6 => prop_oneof![Just(1), Just(3), Just(30), Just(7_000), Just(400_000)].prop_map(Act::Wait),
        2 => (0..2usize, 0..2u8, any::<bool>()).prop_map(|(of, to, forced)| Act::Promote {
            of,
            to,
            mode: if forced { Transition::Forced } else { Transition::Planned },
        }),
    ]
}

/// What becomes of everything that was sent, whatever happens.
fn play(replication: Replication, acts: &[Act]) -> Result<(), TestCaseError> {
    let plan = plan_of(bus(replication)).expect("a plan");
    let mut pair = Pair::new(&plan);
    let mut forced = false;
    let mut next = 0;
    for act in acts {
        match *act {
            Act::Send(of) if !pair.down[of] => {
                pair.send(of, &[next]);
                next += 1;
            }
            Act::Complete(of) if !pair.down[of] => {
                let got = pair.receive(of);
                if let Some((number, lock, _)) = got.first() {
                    pair.complete_as(of, *number, *lock);
                }
            }
            Act::Cut(cut) => pair.cut = cut,
            Act::Crash(of) if !pair.down[of] => pair.crash(of),
            Act::Back(of) if pair.down[of] => pair.back(of),
            Act::Wait(ms) => pair.advance(Span::millis(ms)),
            Act::Promote { of, to, mode } if !pair.down[of] => {
                forced |= mode == Transition::Forced;
                pair.promote(of, to, mode);
            }
            _ => {}
        }
        pair.check();
    }
    pair.cut = false;
    for of in 0..2 {
        if pair.down[of] {
            pair.back(of);
        }
    }
    pair.advance(Span::mins(9));
    pair.advance(Span::mins(9));
    pair.check();
    let held: BTreeSet<u32> = pair.held(0).into_iter().chain(pair.held(1)).collect();
    for number in &pair.accepted {
        let done = pair.begun.contains(number);
        let tail = replication == Replication::Async && forced && pair.destroyed.contains(number);
        prop_assert!(held.contains(number) || done || tail, "{number} is lost; {acts:?}");
    }
    let serving = (0..2).filter(|of| pair.serves(*of)).count();
    prop_assert_eq!(serving, 1, "one leads: {:?}", acts);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn under_sync_nothing_that_was_acknowledged_is_ever_lost(acts in prop::collection::vec(act(), 1..40)) {
        play(Replication::Sync, &acts)?;
    }

    #[test]
    fn under_async_only_the_tail_of_a_forced_promotion_is(acts in prop::collection::vec(act(), 1..40)) {
        play(Replication::Async, &acts)?;
    }
}

#[test]
fn both_sites_can_be_promoted_to() {
    let there_and_back = [
        Act::Send(0),
        Act::Wait(30),
        Act::Promote { of: 0, to: NORTH, mode: Transition::Planned },
        Act::Wait(400_000),
        Act::Send(1),
        Act::Wait(30),
        Act::Promote { of: 0, to: WEST, mode: Transition::Planned },
        Act::Wait(400_000),
    ];
    play(Replication::Sync, &there_and_back).expect("nothing is lost");
}
