//! Accounts in several regions: what is refused, whatever happens in whatever order, and a world.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::geo::{NORTH, Regions, WEST, account, plan_of};
use super::*;
use crate::ids::PlaceId;
use crate::kernel::World;
use crate::message::control::Transition;
use crate::observe::Outcome;
use crate::services::bench::{self, accepted, numbers};
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

fn everywhere(regions: usize) -> CosmosDb {
    CosmosDb { writes: Writes::Multi, ..account(regions) }
}

#[test]
fn where_all_regions_take_writes_each_has_its_own_in_its_book_and_shadows_of_the_rest() {
    let plan = plan_of(everywhere(3)).expect("a plan");
    let mut all = Regions::new(&plan);
    all.insert(WEST, &[1]);
    all.insert(NORTH, &[2]);
    assert_eq!((all.held(WEST), all.held(NORTH), all.held(2)), (vec![1], vec![2], vec![]));
    for of in 0..3 {
        assert_eq!(all.found(of), BTreeSet::from([1, 2]));
    }
    // Somebody else's document can be deleted.
    all.write_as(NORTH, WriteVerb::Delete, 1);
    all.advance(Span::millis(20));
    assert_eq!((all.held(WEST), all.found(WEST), all.found(2)), (vec![], [2].into(), [2].into()));
    all.fail_over(NORTH, Transition::Forced);
    all.insert(WEST, &[3]);
    assert!(all.errors(WEST).is_empty(), "there is nothing to fail over");
    all.check();
}

#[test]
fn of_two_writes_that_collide_the_later_wins_and_a_delete_always() {
    let plan = plan_of(everywhere(2)).expect("a plan");
    let mut all = Regions::new(&plan);
    all.insert(WEST, &[7, 8]);
    all.isolate(NORTH, true);
    all.insert(WEST, &[1]);
    all.insert(NORTH, &[1, 2]);
    all.write_as(WEST, WriteVerb::Delete, 7);
    all.write_as(NORTH, WriteVerb::Upsert, 7);
    all.advance(Span::millis(20));
    assert_eq!((all.held(WEST), all.held(NORTH)), (vec![1, 8], vec![1, 2]));
    assert_eq!(all.written.len(), 4, "an outage between the regions stops nobody");
    all.isolate(NORTH, false);
    all.advance(Span::secs(20));
    assert_eq!((all.held(WEST), all.held(NORTH)), (vec![8], vec![1, 2]), "north was later");
    assert_eq!((all.found(WEST), all.found(NORTH)), ([1, 2, 8].into(), [1, 2, 8].into()));
    assert!(all.conflicts().is_empty(), "the loser is discarded");
    all.check();
}

/// Whatever is written and deleted where: the books close, and in the end all regions have the same.
fn converge(regions: usize, acts: &[Act]) -> Result<(), TestCaseError> {
    let plan = plan_of(everywhere(regions)).expect("a plan");
    let mut all = Regions::new(&plan);
    let mut deleted: BTreeSet<u32> = BTreeSet::new();
    for act in acts {
        match *act {
            Act::Write(of, verb, number) if !all.down[of] => {
                if verb == WriteVerb::Delete {
                    deleted.insert(number);
                }
                all.write_as(of, verb, number);
            }
            Act::Isolate(of, cut) => all.isolate(of, cut),
            Act::Crash(of) if !all.down[of] => all.crash(of),
            Act::Back(of) if all.down[of] => all.back(of),
            Act::Wait(ms) => all.advance(Span::millis(ms)),
            _ => {}
        }
        all.check();
    }
    all.heal();
    all.check();
    let first = all.found(0);
    for of in 1..regions {
        prop_assert_eq!(&all.found(of), &first, "they converge: {:?}", acts);
    }
    for number in all.written.difference(&deleted) {
        prop_assert!(first.contains(number), "{number} is lost: {acts:?}");
    }
    let homes: usize = (0..regions).map(|of| all.held(of).len()).sum();
    prop_assert!(homes >= first.len(), "each is in some book: {:?}", acts);
    Ok(())
}

fn write_or_delete(regions: usize) -> impl Strategy<Value = Act> {
    let verb = prop_oneof![Just(WriteVerb::Insert), Just(WriteVerb::Upsert), Just(WriteVerb::Delete)];
    prop_oneof![
        2 => act(regions).prop_filter("one kind of row", |act| !matches!(act, Act::Write(_, WriteVerb::Append, _))),
        1 => (0..regions, verb, 0..6u32).prop_map(|(of, verb, number)| Act::Write(of, verb, number)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, ..ProptestConfig::default() })]

    #[test]
    fn two_write_regions_converge(acts in prop::collection::vec(write_or_delete(2), 1..40)) {
        converge(2, &acts)?;
    }

    #[test]
    fn three_write_regions_that_delete_nothing_converge(acts in prop::collection::vec(act(3), 1..40)) {
        converge(3, &acts)?;
    }
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
    bench::world(blueprint)
}

/// Apps in both regions write, and the account of one is away for a while.
fn active_active() -> World {
    let app = |site: &str| {
        serde_json::json!({ "container-app": {
            "in": site, "trigger": "http", "policy": "patient", "concurrency": 1000, "steps": [
                { "upsert": { "target": "store.order", "once": "item" } },
                { "reply": { "target": 202 } },
            ],
        } })
    };
    let load = |to: &str| {
        let load = serde_json::json!({ "flow": "orders", "to": to, "rate": "5/s", "policy": "none" });
        serde_json::json!({ "load": load })
    };
    let blueprint = serde_json::json!({
        "time": { "warmup": "1m", "run": "20m", "drain": "30m" },
        "sites": { "west": {}, "north": {} },
        "flows": { "orders": { "key": "device", "keys": 100, "size": "1KB" } },
        "policies": { "patient": { "timeout": "5s", "retries": 5, "backoff": "fixed 100ms" } },
        "nodes": {
            "here": load("in-west"), "there": load("in-north"),
            "in-west": app("west"), "in-north": app("north"),
            "store": { "cosmos-db": {
                "in": ["west", "north"], "holds": ["order"], "throughput": "4000RU/s", "writes": "multi",
            } },
        },
        "faults": { "dark": { "service.down": { "target": "store/west", "at": "3m", "for": "10m" } } },
    });
    bench::world(blueprint)
}

#[test]
fn where_both_regions_take_writes_the_app_goes_to_the_other_one_and_comes_back() {
    let mut world = active_active();
    let seen = bench::run_out(&mut world);
    let place = |name: &str| world.plan().place_named(name).expect("a place");
    let (west, north) = (place("store/west.order"), place("store/north.order"));
    let mut held: BTreeMap<PlaceId, BTreeSet<u64>> = BTreeMap::new();
    let mut shadows: BTreeMap<PlaceId, BTreeSet<u64>> = BTreeMap::new();
    world.inventory(&mut |one| {
        held.entry(one.place).or_default().insert(one.item.identity());
    });
    let mut lost = Vec::new();
    let begins = world.plan().begins();
    for one in &seen {
        match one.what {
            What::Shadow { place, held: true } => {
                shadows.entry(place).or_default().insert(one.item.identity());
            }
            What::Shadow { place, held: false } => {
                shadows.entry(place).or_default().remove(&one.item.identity());
            }
            What::Concluded { outcome, .. } if outcome != Outcome::Ok && one.at > begins => {
                lost.push((one.at.since(begins), outcome))
            }
            What::Born { place, .. } if place == west => {
                let after = one.at.since(begins);
                assert!(after < Span::mins(4) || after > Span::mins(13), "the west is away: {one:?}");
            }
            _ => {}
        }
    }
    assert_eq!(lost, [], "a request that finds the near region away goes to the other");
    let all = |place| held[&place].union(&shadows[&place]).copied().collect::<BTreeSet<u64>>();
    assert!(held[&west].len() > 1000 && held[&north].len() > 5000 + held[&west].len());
    assert_eq!(all(west), all(north), "in the end both have everything");
}

#[test]
fn the_service_fails_over_by_itself_after_its_time() {
    let blueprint = serde_json::json!({
        "time": { "warmup": "1m", "run": "60m", "drain": "30m" },
        "sites": { "west": {}, "north": {} },
        "flows": { "orders": { "key": "device", "keys": 100, "size": "1KB" } },
        "policies": { "patient": { "timeout": "5s", "retries": 200, "backoff": "fixed 20s" } },
        "nodes": {
            "devices": { "load": { "flow": "orders", "to": "ingest", "rate": "1/s", "policy": "none" } },
            "store": { "cosmos-db": {
                "in": ["west", "north"], "primary": "west", "holds": ["order"], "failover-time": "1m",
                "service-managed-failover": true, "service-managed-after": "10m",
            } },
            "ingest": { "container-app": {
                "in": "north", "trigger": "http", "policy": "patient", "concurrency": 10000, "steps": [
                    { "upsert": { "target": "store.order", "once": "item" } },
                    { "reply": { "target": 202 } },
                ],
            } },
        },
        "faults": { "dark": { "region.down": { "target": "west", "at": "5m", "for": "30m" } } },
    });
    let mut world = bench::world(blueprint);
    let seen = bench::run_out(&mut world);
    let north = world.plan().place_named("store/north.order").expect("a place");
    let begins = world.plan().begins();
    let first = seen.iter().find(|one| {
        matches!(one.what, What::Born { place, cause: crate::observe::Birth::Stored } if place == north)
    });
    let after = first.expect("it takes writes").at.since(begins + Span::mins(5));
    assert!(after > Span::mins(11) && after < Span::mins(14), "{after}");
}

#[test]
fn what_two_write_regions_in_a_split_world_accepted_is_all_there_in_the_end() {
    let mut world = world();
    let seen = bench::run_out(&mut world);
    bench::assert_closed(&world, &seen);
    let place = |name: &str| world.plan().place_named(name).expect("a place");
    let (north, conflicts) = (place("store/north.order"), place("store.conflicts"));
    let mut there: BTreeSet<u32> = BTreeSet::new();
    world.inventory(&mut |held| {
        assert!(held.place == north, "everything rests in the north: {held:?}");
        there.insert(held.item.number);
    });
    let accepted = accepted(&seen);
    let tail = numbers(&seen, |what| matches!(what, What::Moved { to, .. } if *to == conflicts));
    assert!(accepted.len() > 10_000 && tail.len() > 1000, "{} {}", accepted.len(), tail.len());
    let lost: Vec<&u32> = accepted.difference(&there).collect();
    assert!(lost.is_empty(), "{lost:?}");
    // Until it hears the name again, the west goes on writing into the old region: that is the tail.
    let reborn =
        numbers(&seen, |what| matches!(what, What::Born { cause: crate::observe::Birth::Reborn, .. }));
    assert!(reborn.len() > 500 && reborn.is_disjoint(&tail), "{}", reborn.len());
}
