//! Accounts in several regions: what is refused, whatever happens in whatever order, and a world.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::geo::{NORTH, Regions, WEST, account, plan_of};
use super::*;
use crate::blueprint::Blueprint;
use crate::ids::PlaceId;
use crate::kernel::World;
use crate::message::control::Transition;
use crate::observe::{Observation, Outcome};
use crate::units::OneOrMany;

fn refused(config: CosmosDb) -> (String, &'static str) {
    let errors = plan_of(config).expect_err("it cannot be");
    assert!(errors[0].help.is_some(), "{errors:?}");
    (errors[0].path[2..].concat(), errors[0].word)
}

#[test]
fn what_cannot_be_is_refused() {
    let two = || account(2);
    let primary = |name: &str| CosmosDb { primary: Some(name.to_owned()), ..two() };
    assert_eq!(refused(primary("east")), ("primary".to_owned(), "primary"));
    let strong = CosmosDb { consistency: Consistency::Strong, writes: Writes::Multi, ..two() };
    assert_eq!(refused(strong), ("consistency".to_owned(), "consistency"));
    let bound = |writes, level| CosmosDb { staleness_writes: Some(writes), consistency: level, ..two() };
    assert_eq!(refused(bound(200_000, Consistency::Session)).1, "staleness");
    assert_eq!(refused(bound(10, Consistency::BoundedStaleness)).1, "staleness");
    assert!(plan_of(bound(200_000, Consistency::BoundedStaleness)).is_ok());
    let alone = CosmosDb { site: OneOrMany::One("west".to_owned()), ..two() };
    assert_eq!(refused(alone).1, "regions");
    let named = CosmosDb { holds: vec!["conflicts".to_owned()], ..two() };
    assert_eq!(refused(named).0, "holds");
    let elsewhere = CosmosDb { site: OneOrMany::Many(vec!["west".to_owned(), "south".to_owned()]), ..two() };
    assert_eq!(refused(elsewhere), ("in".to_owned(), "dangling"));
}

#[test]
fn strong_consistency_over_half_the_world_is_refused() {
    let far = CosmosDb {
        site: OneOrMany::Many(vec!["westeurope".to_owned(), "southeastasia".to_owned()]),
        consistency: Consistency::Strong,
        ..config()
    };
    assert_eq!(far.check_regions("store").expect_err("too far").word, "distance");
    let near = OneOrMany::Many(vec!["westeurope".to_owned(), "northeurope".to_owned()]);
    assert!(CosmosDb { site: near, ..far }.check_regions("store").is_ok());
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Write(usize, WriteVerb, u32),
    Isolate(usize, bool),
    Crash(usize),
    Back(usize),
    Wait(u64),
    FailOver(usize, Transition),
}

fn act(regions: usize) -> impl Strategy<Value = Act> {
    let verb = prop_oneof![
        4 => Just(WriteVerb::Insert),
        2 => Just(WriteVerb::Upsert),
        1 => Just(WriteVerb::Append),
    ];
    prop_oneof![
        8 => (0..regions, verb, 0..30u32).prop_map(|(of, verb, number)| Act::Write(of, verb, number)),
        3 => (0..regions, any::<bool>()).prop_map(|(of, cut)| Act::Isolate(of, cut)),
        1 => (0..regions).prop_map(Act::Crash),
        2 => (0..regions).prop_map(Act::Back),
        6 => prop_oneof![Just(1), Just(6), Just(30), Just(7_000), Just(130_000), Just(2_000_000)]
            .prop_map(Act::Wait),
        3 => (0..regions, any::<bool>()).prop_map(|(to, forced)| {
            Act::FailOver(to, if forced { Transition::Forced } else { Transition::Planned })
        }),
    ]
}

/// Whatever happens: all books close, nothing that was acknowledged is lost, one leads in the end and all the
/// others have what it has.
fn play(config: CosmosDb, acts: &[Act]) -> Result<(), TestCaseError> {
    let regions = config.site.names().len();
    let plan = plan_of(config).expect("a plan");
    let mut all = Regions::new(&plan);
    for act in acts {
        match *act {
            Act::Write(of, verb, number) if !all.down[of] => all.write_as(of, verb, number),
            Act::Isolate(of, cut) => all.isolate(of, cut),
            Act::Crash(of) if !all.down[of] => all.crash(of),
            Act::Back(of) if all.down[of] => all.back(of),
            Act::Wait(ms) => all.advance(Span::millis(ms)),
            Act::FailOver(to, mode) if !all.down[to] => all.fail_over(to, mode),
            _ => {}
        }
        all.check();
    }
    all.heal();
    all.check();
    let leading: Vec<usize> = (0..regions).filter(|of| all.leads(*of)).collect();
    prop_assert_eq!(leading.len(), 1, "one leads: {:?}", acts);
    let leader = leading[0];
    let held: BTreeSet<u32> = all.held(leader).into_iter().collect();
    let known: BTreeSet<u32> = held.iter().copied().chain(all.conflicts()).collect();
    for number in &all.written {
        prop_assert!(known.contains(number), "{number} is lost: {acts:?}");
    }
    for of in (0..regions).filter(|of| *of != leader) {
        prop_assert_eq!(all.held(of).len(), 0, "a region that follows has no book: {:?}", acts);
        prop_assert_eq!(all.shadowed(of), held.len(), "they converge: {:?}", acts);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, ..ProptestConfig::default() })]

    #[test]
    fn two_regions_lose_nothing_that_was_acknowledged(acts in prop::collection::vec(act(2), 1..40)) {
        play(account(2), &acts)?;
    }

    #[test]
    fn nor_do_three_under_strong_consistency(acts in prop::collection::vec(act(3), 1..40)) {
        play(CosmosDb { consistency: Consistency::Strong, ..account(3) }, &acts)?;
    }
}

#[test]
fn a_failover_there_and_back() {
    let there_and_back = [
        Act::Write(WEST, WriteVerb::Insert, 1),
        Act::Wait(30),
        Act::FailOver(NORTH, Transition::Planned),
        Act::Wait(130_000),
        Act::Write(NORTH, WriteVerb::Insert, 2),
        Act::Wait(30),
        Act::FailOver(WEST, Transition::Planned),
        Act::Wait(130_000),
    ];
    play(account(2), &there_and_back).expect("nothing is lost");
}

/// Devices in the west write; the two regions lose sight of each other, and somebody lets the north lead.
fn world() -> World {
    let blueprint = serde_json::json!({
        "time": { "warmup": "1m", "run": "60m", "drain": "60m" },
        "sites": {
            "west": { "kind": "region", "zones": 3 },
            "north": { "kind": "region", "zones": 3 },
        },
        "flows": { "orders": { "key": "device", "keys": 100, "size": "1KB" } },
        "policies": {
            "patient": { "timeout": "10s", "retries": 200, "backoff": "fixed 20s" },
            "control": { "timeout": "5m", "retries": 20, "backoff": "fixed 30s" },
        },
        "nodes": {
            "devices": { "load": { "flow": "orders", "to": "ingest", "rate": "5/s", "policy": "none" } },
            "store": { "cosmos-db": {
                "in": ["west", "north"], "holds": ["order"], "throughput": "4000RU/s", "region-return": "5m",
            } },
            "bus": { "service-bus": { "in": "north", "tier": "premium" } },
            "raw": { "service-bus-queue": { "of": "bus", "max-delivery": 100 } },
            "ingest": { "container-app": {
                "in": "west", "trigger": "http", "policy": "patient", "concurrency": 10000,
                "steps": [
                    { "upsert": { "target": "store.order", "once": "item" } },
                    { "reply": { "target": 202 } },
                ],
            } },
            "scorer": { "function-app": { "in": "north", "trigger": "raw", "policy": "patient", "steps": [
                { "upsert": { "target": "store.order", "once": "item" } },
                { "complete": {} },
            ] } },
            "runbook": { "function-app": { "in": "north", "trigger": "every 8m", "policy": "control", "steps": [
                { "failover": { "target": "store", "to": "north", "mode": "forced" } },
            ] } },
            "repair": { "function-app": { "in": "north", "trigger": "every 50m", "policy": "control", "steps": [
                { "verify": { "target": "store", "is": "in-sync" } },
                { "resubmit": { "target": "store.conflicts", "to": "raw" } },
            ] } },
        },
        "faults": { "cut": { "net.partition": {
            "target": "west <-> north", "at": "3m", "for": "20m",
        } } },
    });
    let blueprint: Blueprint = serde_json::from_value(blueprint).expect("a blueprint");
    World::new(Arc::new(Plan::new(blueprint).expect("a plan")), 11).expect("a world")
}

#[test]
fn what_two_write_regions_in_a_split_world_accepted_is_all_there_in_the_end() {
    let mut world = world();
    let mut seen: Vec<Observation> = Vec::new();
    let deadline = world.plan().deadline();
    while world.next_at().is_some_and(|at| at <= deadline) && world.step(&mut seen) {}
    let mut open: BTreeMap<(PlaceId, u64), i64> = BTreeMap::new();
    for one in &seen {
        let mut book = |place, by| *open.entry((place, one.item.identity())).or_insert(0) += by;
        match one.what {
            What::Born { place, .. } => book(place, 1),
            What::Ended { place, .. } => book(place, -1),
            What::Moved { from, to, .. } => {
                book(from, -1);
                book(to, 1);
            }
            _ => {}
        }
    }
    let place = |name: &str| world.plan().place_named(name).expect("a place");
    let (north, conflicts) = (place("store/north.order"), place("store.conflicts"));
    let mut there: BTreeSet<u32> = BTreeSet::new();
    world.inventory(&mut |held| {
        *open.entry((held.place, held.item.identity())).or_insert(0) -= i64::from(held.copies);
        assert!(held.place == north, "everything rests in the north: {held:?}");
        there.insert(held.item.number);
    });
    open.retain(|_, count| *count != 0);
    assert!(open.is_empty(), "{open:?}");
    let numbers = |fits: &dyn Fn(&What) -> bool| -> BTreeSet<u32> {
        seen.iter().filter(|one| fits(&one.what)).map(|one| one.item.number).collect()
    };
    let accepted = numbers(&|what| matches!(what, What::Concluded { outcome: Outcome::Ok, .. }));
    let tail = numbers(&|what| matches!(what, What::Moved { to, .. } if *to == conflicts));
    assert!(accepted.len() > 10_000 && tail.len() > 1000, "{} {}", accepted.len(), tail.len());
    let lost: Vec<&u32> = accepted.difference(&there).collect();
    assert!(lost.is_empty(), "{lost:?}");
    // Until it hears the name again, the west goes on writing into the old region: that is the tail.
    let reborn = numbers(&|what| matches!(what, What::Born { cause: crate::observe::Birth::Reborn, .. }));
    assert!(reborn.len() > 500 && reborn.is_disjoint(&tail), "{}", reborn.len());
}
