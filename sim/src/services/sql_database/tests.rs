mod geo;
mod regions;

use super::*;
use crate::faults::local::{Active, Frequency, Value};
use crate::ids::{FaultId, Once};
use crate::message::store::{Operation, WriteVerb};
use crate::node::Effect;
use crate::node::rig::{Rig, bodies, observed, sent};
use crate::observe::Handling::{Rejected, Stored, Suppressed};
use crate::observe::{End, What};
use crate::plan::{PlaceRole, Plan};
use crate::services::bench::{
    answers, births, error, fault, handlings, is_ready, item, message, operation, plan as plan_of, rig,
    touched, write,
};
use crate::services::store::check_ttl;
use crate::services::{NodeKind, Service};
use crate::time::Span;
use crate::units::{Distribution, OneOrMany};

const ORDER: u16 = 0;
const EVENT: u16 = 1;

fn config() -> SqlDatabase {
    SqlDatabase {
        holds: vec!["order".to_owned(), "event".to_owned()],
        latency: Distribution::Constant(Span::millis(2)),
        ..SqlDatabase::default()
    }
}

/// The plan of a database whose events are polled.
fn plan(config: SqlDatabase) -> Plan {
    let mut plan = plan_of(NodeKind::SqlDatabase(config)).expect("the plan is right");
    let event = plan.place_named("it.event").expect("the place");
    plan.places[event.index()].role = PlaceRole::Queue;
    plan
}

fn ask(rig: &mut Rig<'_>, message: Message) -> Vec<Effect> {
    let mut effects = rig.message(1, message);
    effects.extend(rig.advance(Span::secs(30)));
    effects
}

fn both(once: Once) -> [Operation; 2] {
    [operation(WriteVerb::Insert, ORDER, once), operation(WriteVerb::Insert, EVENT, once)]
}

fn poll(max: u32) -> Message {
    message(900, Cargo::None, Body::Store(Command::Poll { part: EVENT, max }))
}

#[test]
fn a_transaction_is_acknowledged_only_after_its_sync() {
    let plan = plan(config());
    let mut rig = rig(&plan);
    assert!(rig.message(1, write(1, &[item(1)], &both(Once::ITEM))).is_empty());
    assert!(rig.advance(Span::millis(2)).is_empty(), "it is served, but not on disk");
    assert!(rig.busy() && rig.held().is_empty());
    let effects = rig.advance(Span::millis(1));
    assert_eq!(answers(&effects), [Answer::Done { absorbed: false }]);
    assert_eq!((births(&effects), handlings(&effects)), (2, vec![Stored]));
    let rest: Vec<bool> = rig.held().iter().map(|held| held.rest).collect();
    assert_eq!(rest, [true, false], "an event waits for its reader, an order does not");
}

#[test]
fn a_repetition_is_absorbed_and_a_second_row_is_a_conflict() {
    let plan = plan(config());
    let mut rig = rig(&plan);
    // The second attempt comes while the first is under way.
    rig.message(1, write(1, &[item(1)], &both(Once::ITEM)));
    rig.message(1, write(2, &[item(1)], &both(Once::ITEM)));
    let effects = rig.advance(Span::secs(1));
    assert_eq!(answers(&effects), [Answer::Done { absorbed: false }, Answer::Done { absorbed: true }]);
    assert_eq!((births(&effects), handlings(&effects)), (2, vec![Stored, Suppressed]));
    let effects = ask(&mut rig, write(3, &[item(1)], &both(Once::NONE)));
    assert_eq!((error(&effects), births(&effects)), (Some(Error::Conflict), 0));
    assert_eq!(handlings(&effects), [Rejected]);
}

#[test]
fn a_polled_table_gives_the_oldest_rows_until_they_are_deleted() {
    let plan = plan(config());
    let mut rig = rig(&plan);
    let rows = |effects: &[Effect]| {
        sent(effects).map(|message| message.cargo.items().iter().map(|item| item.number).collect()).collect()
    };
    for number in [4, 2, 8] {
        ask(&mut rig, write(u64::from(number), &[item(number)], &both(Once::ITEM)));
    }
    let polled: Vec<Vec<u32>> = rows(&ask(&mut rig, poll(2)));
    assert_eq!(polled, [[4, 2]]);
    assert!(!rig.busy(), "a poll is upkeep");
    let effects =
        ask(&mut rig, write(11, &[item(4), item(2)], &[operation(WriteVerb::Delete, EVENT, Once::NONE)]));
    assert_eq!(
        observed(&effects).filter(|what| matches!(what, What::Ended { cause: End::Completed, .. })).count(),
        2
    );
    let polled: Vec<Vec<u32>> = rows(&ask(&mut rig, poll(2)));
    assert_eq!(polled, [[8]]);
    let depth = Body::Control(control::Command::Depth { part: EVENT });
    let effects = rig.message(1, message(0, Cargo::None, depth));
    let expected = Body::ControlAnswer(control::Answer::Depth { part: EVENT, waiting: 1 });
    assert_eq!(bodies(&effects).collect::<Vec<_>>(), [&expected]);
}

#[test]
fn a_crash_before_the_sync_loses_the_write_and_nothing_else() {
    let plan = plan(config());
    let mut rig = rig(&plan);
    ask(&mut rig, write(1, &[item(1)], &both(Once::ITEM)));
    rig.message(1, write(2, &[item(2)], &both(Once::ITEM)));
    rig.advance(Span::millis(2)); // in the log, not synced
    rig.message(1, write(3, &[item(3)], &both(Once::ITEM))); // being served
    rig.crash();
    assert!(rig.advance(Span::secs(9)).is_empty());
    let held: Vec<u32> = rig.held().iter().map(|held| held.item.number).collect();
    assert_eq!(held, [1, 1]);
    let tables = plan.blueprint.nodes["it"].build("it", &plan).expect("it builds");
    let mut twin = Rig::new(&plan, tables[0].0, tables[0].1.clone()).0;
    ask(&mut twin, write(1, &[item(1)], &both(Once::ITEM)));
    twin.crash();
    assert_eq!(format!("{:?}", rig.process), format!("{:?}", twin.process));
}

#[test]
fn after_a_crash_it_is_like_one_newly_built_from_its_tables() {
    let mut process = SqlDatabaseProcess::new(
        Setup {
            latency: Distribution::Constant(Span::ZERO).sampler(),
            workers: 9,
            capacity: None,
            pair: None,
        },
        vec![Table::new(crate::ids::PlaceId(0), true)],
    );
    process.volatile.written = 7;
    let pending = Pending { connection: ConnectionId::NONE, message: poll(1) };
    process.volatile.log.push_back((7, pending.clone()));
    process.volatile.front.keep(pending);
    process.crash();
    let setup = Setup {
        latency: Distribution::Constant(Span::ZERO).sampler(),
        workers: 9,
        capacity: None,
        pair: None,
    };
    let fresh = SqlDatabaseProcess::new(setup, process.tables.clone());
    assert_eq!(format!("{process:?}"), format!("{fresh:?}"));
}

#[test]
fn a_failover_terminates_what_is_in_flight_and_a_written_log_record_stays() {
    let plan = plan(config());
    let mut rig = rig(&plan);
    rig.message(1, write(1, &[item(1)], &both(Once::ITEM)));
    rig.advance(Span::millis(2)); // in the log
    rig.message(2, write(2, &[item(2)], &both(Once::ITEM))); // being served
    rig.fault(fault(Hook::StoreDown, Value::None));
    let effects = rig.advance(Span::secs(1));
    assert!(answers(&effects).is_empty(), "nobody is told");
    assert_eq!(
        (births(&effects), handlings(&effects)),
        (2, vec![Stored]),
        "the commit in flight is committed"
    );
    assert_eq!(effects.iter().filter(|effect| matches!(effect, Effect::Close { .. })).count(), 2);
    assert!(touched(&effects));
    let refused = ask(&mut rig, write(3, &[item(3)], &both(Once::ITEM)));
    assert_eq!((error(&refused), handlings(&refused)), (Some(Error::Unavailable), vec![Rejected]));
    rig.faults.end(FaultId(0));
    assert_eq!(births(&ask(&mut rig, write(4, &[item(3)], &both(Once::ITEM)))), 2);
}

#[test]
fn every_hook_strikes_has_its_effect_and_heals() {
    let cases = [
        (Hook::DependencyDown, Value::None, Some(Error::Unavailable), 0),
        (Hook::StoreDown, Value::None, Some(Error::Unavailable), 0),
        (Hook::DependencyIntermittent, Value::None, Some(Error::Unavailable), 0),
        (Hook::DependencyPartial, Value::None, Some(Error::Unavailable), 0),
        (Hook::DatabaseReadOnly, Value::None, Some(Error::ReadOnly), 0),
        (Hook::DatabaseDeadlock, Value::None, Some(Error::Deadlock), 0),
        (Hook::ConnectionPool, Value::Number(0), Some(Error::ConnectionLimit), 0),
        (Hook::DependencyWrongAnswer, Value::None, None, 0),
        (Hook::DependencySlow, Value::Span(Span::secs(8)), None, 2),
    ];
    for (hook, value, expected, effect) in cases {
        let plan = plan(config());
        let mut rig = rig(&plan);
        rig.fault(fault(hook, value));
        let struck = ask(&mut rig, write(1, &[item(1)], &both(Once::ITEM)));
        assert_eq!((error(&struck), births(&struck)), (expected, effect), "{hook:?}");
        assert!(touched(&struck), "{hook:?} is not marked");
        assert_eq!(answers(&struck).len(), 1, "{hook:?}");
        rig.faults.end(FaultId(0));
        let healed = ask(&mut rig, write(2, &[item(2)], &both(Once::ITEM)));
        assert_eq!((births(&healed), touched(&healed)), (2, false), "{hook:?}");
    }
}

#[test]
fn a_throttle_lets_a_second_s_worth_through_and_then_its_rate() {
    let plan = plan(config());
    let mut rig = rig(&plan);
    rig.fault(fault(Hook::DatabaseThrottle, Value::Number(10)));
    let mut burst = |from: u32, count: u32| -> usize {
        (from..from + count)
            .filter(|n| {
                let effects = rig.message(1, write(u64::from(*n), &[item(*n)], &both(Once::ITEM)));
                let refused = error(&effects) == Some(Error::TooManyRequests);
                if refused {
                    assert!(touched(&effects));
                }
                if *n == from + count - 1 {
                    rig.advance(Span::secs(1));
                }
                !refused
            })
            .count()
    };
    assert_eq!((burst(1, 50), burst(101, 50)), (10, 10));
    rig.faults.end(FaultId(0));
    assert_eq!(births(&ask(&mut rig, write(999, &[item(999)], &both(Once::ITEM)))), 2);
}

#[test]
fn rows_do_not_expire() {
    let plan = plan(config());
    let mut rig = rig(&plan);
    let mut insert = operation(WriteVerb::Insert, EVENT, Once::ITEM);
    insert.ttl = Span::mins(5);
    assert_eq!(error(&ask(&mut rig, write(1, &[item(1)], &[insert]))), Some(Error::BadRequest));
    let path = ["nodes", "api", "steps"];
    assert!(check_ttl(&plan, &path, "it.event").is_err());
    assert_eq!(check_ttl(&plan, &path, "somebody.else"), Ok(()));
}

#[test]
fn there_are_only_so_many_workers() {
    let plan = plan(SqlDatabase { workers: 2, ..config() });
    let mut rig = rig(&plan);
    let errors: Vec<_> =
        (1..4).map(|n| error(&rig.message(1, write(n, &[item(n as u32)], &both(Once::ITEM))))).collect();
    assert_eq!(errors, [None, None, Some(Error::ConnectionLimit)]);
    assert_eq!((rig.gauge("workers"), rig.gauge("capacity")), (Some((2.0, 2.0)), None));
    rig.advance(Span::secs(1));
    assert_eq!(rig.gauge("workers"), Some((0.0, 2.0)));
    assert_eq!(error(&rig.message(1, write(9, &[item(9)], &both(Once::ITEM)))), None);
}

#[test]
fn a_disk_error_rolls_back_that_transaction_only() {
    let plan = plan(config());
    let mut rig = rig(&plan);
    rig.message(1, write(1, &[item(1)], &both(Once::ITEM)));
    rig.message(1, write(2, &[item(2)], &both(Once::ITEM)));
    rig.advance(Span::millis(2));
    let failed = rig.input(Input::Disk(1, Err(DiskError::Failed)));
    assert_eq!((error(&failed), handlings(&failed)), (Some(Error::Unavailable), vec![Rejected]));
    let effects = rig.advance(Span::secs(1));
    assert_eq!((births(&effects), answers(&effects).len()), (2, 1));
}

#[test]
fn probes_see_an_outage_unless_it_is_hidden() {
    let plan = plan(config());
    for hidden in [false, true] {
        let mut rig = rig(&plan);
        assert_eq!(is_ready(&mut rig), Some(true));
        rig.fault(Active { hidden, ..fault(Hook::StoreDown, Value::None) });
        assert_eq!(is_ready(&mut rig), Some(hidden));
    }
}

#[test]
fn an_intermittent_fault_lets_a_further_attempt_through() {
    let plan = plan(config());
    let mut rig = rig(&plan);
    rig.fault(Active {
        frequency: Frequency::Chance(0.5),
        ..fault(Hook::DependencyIntermittent, Value::None)
    });
    let mut through = 0;
    for number in 0..50 {
        for attempt in 1..20 {
            let call = u64::from(number) * 100 + u64::from(attempt);
            let mut message = write(call, &[item(number)], &both(Once::ITEM));
            message.attempt = attempt;
            if births(&ask(&mut rig, message)) > 0 {
                through += 1;
                break;
            }
        }
    }
    assert_eq!(through, 50);
}

#[test]
fn a_database_that_contradicts_itself_is_refused() {
    let twice = SqlDatabase { holds: vec!["order".to_owned(); 2], ..config() };
    let idle = SqlDatabase { workers: 0, ..config() };
    for config in [twice, idle, SqlDatabase { site: OneOrMany::One("mars".to_owned()), ..config() }] {
        let errors = plan_of(NodeKind::SqlDatabase(config)).expect_err("it is wrong");
        assert!(
            !errors[0].message.is_empty()
                && errors[0].path.starts_with(&["nodes".to_owned(), "it".to_owned()])
        );
    }
}

mod conservation {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::ids::PlaceId;
    use crate::services::bench::Books;

    fn step() -> impl Strategy<Value = (u8, u32, u8, u64)> {
        (0..8u8, 0..6u32, 0..4u8, 0..4u64)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn what_was_born_and_has_not_ended_is_held(steps in prop::collection::vec(step(), 1..80)) {
            let plan = plan(config());
            let mut rig = rig(&plan);
            let mut books = Books::default();
            for (call, (what, number, once, wait)) in steps.into_iter().enumerate() {
                let once = [Once::NONE, Once::ITEM, Once::RUN, Once::KEY][usize::from(once)];
                let verb = match what {
                    0 | 1 => WriteVerb::Insert,
                    2 => WriteVerb::Upsert,
                    3 => WriteVerb::Append,
                    4 => WriteVerb::Increment,
                    5 | 6 => WriteVerb::Delete,
                    _ => {
                        books.book(&rig.crash());
                        continue;
                    }
                };
                let operations = [operation(WriteVerb::Upsert, ORDER, once), operation(verb, EVENT, once)];
                let items = [item(number), item(number + 1)];
                books.book(&rig.message(1, write(call as u64 + 1, &items, &operations)));
                books.book(&rig.advance(Span::millis(wait)));
                let held: BTreeMap<(PlaceId, u64), i64> = books.held(&rig);
                prop_assert_eq!(&held, &books.copies);
                prop_assert!(books.handled.values().all(|times| *times == 1));
            }
        }
    }
}
