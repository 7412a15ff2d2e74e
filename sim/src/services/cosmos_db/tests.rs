mod conservation;
mod geo;
mod outbox;
mod regions;

use super::*;
use crate::faults::local::{Active, Value};
use crate::ids::FaultId;
use crate::message::store::WriteVerb;
use crate::node::Effect;
use crate::node::rig::{Rig, bodies, observed, sent};
use crate::observe::Handling::{Rejected, Stored, Suppressed};
use crate::plan::Plan;
use crate::services::bench::{
    answers, births, error, fault, handlings, is_ready, item, message, operation, plan as plan_of, rig,
    touched, write,
};
use crate::services::{NodeKind, Service};
use crate::units::{Distribution, RequestUnits};
use feed::Consumer;

const ORDER: u16 = 0;
const EVENT: u16 = 1;
const APP: u16 = 7;

fn config() -> CosmosDb {
    CosmosDb {
        holds: vec!["order".to_owned(), "event".to_owned()],
        throughput: RequestUnits(4000),
        write_latency: Distribution::Constant(Span::millis(5)),
        read_latency: Distribution::Constant(Span::millis(4)),
        ..CosmosDb::default()
    }
}

fn plan(config: CosmosDb) -> Plan {
    plan_of(NodeKind::CosmosDb(config)).expect("the plan is right")
}

/// An account whose events are read by an app.
fn read_account<'a>(config: &CosmosDb, plan: &'a Plan) -> Rig<'a> {
    let mut process = config.process("it", plan).expect("it builds");
    let consumers = vec![Consumer { processor: APP, parts: vec![EVENT] }];
    process.durable.feed = Feed::new(process.setup.ranges, consumers);
    if let Some(setup) = Arc::get_mut(&mut process.setup) {
        setup.waits = vec![false, true];
    }
    let (id, _) = config.build("it", plan).expect("it builds").remove(0);
    Rig::new(plan, id, Box::new(process)).0
}

fn ask(rig: &mut Rig<'_>, message: Message) -> Vec<Effect> {
    let mut effects = rig.message(1, message);
    effects.extend(rig.advance(Span::secs(1)));
    effects
}

fn both(once: Once) -> [Operation; 2] {
    [operation(WriteVerb::Insert, ORDER, once), operation(WriteVerb::Insert, EVENT, once)]
}

fn command(command: Command) -> Message {
    message(0, Cargo::None, Body::Store(command))
}

fn page(rig: &mut Rig<'_>, range: u16, after: u64, max: u32) -> (Vec<u32>, u64) {
    let effects = ask(rig, command(Command::ReadFeed { part: EVENT, range, after, max }));
    let found = sent(&effects).find_map(|message| match message.body {
        Body::StoreAnswer(Answer::Rows { upto, .. }) => {
            Some((message.cargo.items().iter().map(|item| item.number).collect(), upto))
        }
        _ => None,
    });
    found.expect("a page")
}

fn lease(rig: &mut Rig<'_>, range: u16, owner: u64, how: LeaseAction) -> Option<Answer> {
    answers(&ask(rig, command(Command::Lease { processor: APP, range, owner, how }))).first().copied()
}

#[test]
fn a_batch_takes_effect_as_a_whole_after_its_latency() {
    let plan = plan(config());
    let mut rig = rig(&plan);
    assert!(rig.message(1, write(1, &[item(1)], &both(Once::ITEM))).is_empty());
    assert!(rig.advance(Span::millis(4)).is_empty() && rig.busy());
    let effects = rig.advance(Span::millis(1));
    assert_eq!((births(&effects), handlings(&effects)), (2, vec![Stored]));
    let again = ask(&mut rig, write(2, &[item(1)], &both(Once::ITEM)));
    assert_eq!((births(&again), handlings(&again)), (0, vec![Suppressed]));
    let conflict = ask(&mut rig, write(3, &[item(1)], &both(Once::NONE)));
    assert_eq!((error(&conflict), handlings(&conflict)), (Some(Error::Conflict), vec![Rejected]));
    let missing = ask(&mut rig, write(4, &[item(5)], &[operation(WriteVerb::Delete, ORDER, Once::NONE)]));
    assert_eq!(error(&missing), Some(Error::NotFound));
}

#[test]
fn a_batch_reaches_one_logical_partition_and_keeps_to_its_limits() {
    let plan_by_key = plan(config());
    let mut rig_by_key = rig(&plan_by_key);
    // Items 1 and 8 have one key, 1 and 2 have not.
    assert_eq!(error(&ask(&mut rig_by_key, write(1, &[item(1), item(8)], &both(Once::ITEM)))), None);
    let over_two = ask(&mut rig_by_key, write(2, &[item(1), item(2)], &both(Once::ITEM)));
    assert_eq!(error(&over_two), Some(Error::BadRequest));
    let many: Vec<Item> = (0..51).map(|n| item(n * 7)).collect();
    assert_eq!(error(&ask(&mut rig_by_key, write(3, &many, &both(Once::ITEM)))), Some(Error::BadRequest));
    let by_type = CosmosDb { partition_by: Once::ITEM.and(Once::TYPE), ..config() };
    let plan_by_type = plan(by_type);
    let mut rig_by_type = rig(&plan_by_type);
    let over_types = ask(&mut rig_by_type, write(4, &[item(1)], &both(Once::ITEM)));
    assert_eq!(error(&over_types), Some(Error::BadRequest));
}

#[test]
fn over_budget_the_answer_is_429_until_the_second_is_over() {
    // One write of 1 KB takes 5 units: 400 units are 80 writes a second.
    let plan = plan(CosmosDb { throughput: RequestUnits(400), ..config() });
    let mut rig = rig(&plan);
    let insert = [operation(WriteVerb::Insert, ORDER, Once::ITEM)];
    rig.advance(Span::millis(400));
    let mut refused = 0;
    for number in 0..100 {
        let effects = rig.message(1, write(u64::from(number) + 1, &[item(number)], &insert));
        if let Some(Answer::Refused { error: Error::TooManyRequests, retry_after }) =
            answers(&effects).first()
        {
            assert_eq!(*retry_after, Some(Span::millis(600)));
            assert_eq!(handlings(&effects), [Rejected]);
            refused += 1;
        }
    }
    assert_eq!(refused, 20);
    assert_eq!(rig.gauge("request units"), Some((400.0, 400.0)));
    rig.advance(Span::millis(600));
    assert_eq!(rig.gauge("request units"), Some((0.0, 400.0)));
    assert_eq!(births(&ask(&mut rig, write(999, &[item(999)], &insert))), 1);
}

#[test]
fn a_hot_partition_is_throttled_while_the_others_are_idle() {
    let config = CosmosDb { physical_partitions: Some(4), throughput: RequestUnits(400), ..config() };
    let plan = plan(config);
    let mut rig = rig(&plan);
    let insert = [operation(WriteVerb::Insert, ORDER, Once::ITEM)];
    let hot = (0..50).filter(|n| {
        let effects = rig.message(1, write(u64::from(*n) + 1, &[item(n * 7)], &insert));
        error(&effects) == Some(Error::TooManyRequests)
    });
    assert_eq!(hot.count(), 30, "100 units of its own are 20 writes");
    let spread = (1..7).filter(|key| {
        let effects = rig.message(1, write(u64::from(*key) + 100, &[item(*key)], &insert));
        error(&effects).is_none()
    });
    assert!(spread.count() > 0, "the other partitions have their own budget");
    assert_eq!(rig.gauge("request units"), Some((100.0, 100.0)), "of the hot one");
}

#[test]
fn a_throttle_lowers_the_budget_and_heals() {
    let plan = plan(config());
    let mut rig = rig(&plan);
    rig.fault(fault(Hook::DatabaseThrottle, Value::Number(50)));
    let insert = [operation(WriteVerb::Insert, ORDER, Once::ITEM)];
    let mut count = |from: u32| -> usize {
        let through = (from..from + 30).filter(|n| {
            let effects = rig.message(1, write(u64::from(*n), &[item(*n)], &insert));
            let refused = error(&effects) == Some(Error::TooManyRequests);
            assert_eq!(touched(&effects), refused);
            !refused
        });
        let through = through.count();
        rig.faults.end(FaultId(0));
        rig.advance(Span::secs(2));
        through
    };
    assert_eq!((count(1), count(101)), (10, 30));
}

#[test]
fn every_change_stands_once_in_the_feed_in_the_order_of_writing() {
    let plan = plan(config());
    let mut rig = read_account(&config(), &plan);
    for number in [4, 2, 8] {
        ask(&mut rig, write(u64::from(number), &[item(number)], &both(Once::ITEM)));
        ask(&mut rig, write(u64::from(number) + 50, &[item(number)], &both(Once::ITEM)));
    }
    assert_eq!(page(&mut rig, 0, 0, 2), (vec![4, 2], 4));
    assert_eq!(page(&mut rig, 0, 4, 9), (vec![8], 6));
    assert_eq!(page(&mut rig, 0, 6, 9), (vec![], 6));
    // An upsert that is no repetition moves the row to the end of the feed (latest version).
    ask(&mut rig, write(90, &[item(4)], &[operation(WriteVerb::Upsert, EVENT, Once::NONE)]));
    assert_eq!(page(&mut rig, 0, 0, 9), (vec![2, 8, 4], 7));
    ask(&mut rig, write(91, &[item(2)], &[operation(WriteVerb::Delete, EVENT, Once::NONE)]));
    assert_eq!(page(&mut rig, 0, 0, 9), (vec![8, 4], 7));
}

#[test]
fn a_row_rests_once_every_reader_has_passed_it() {
    let plan = plan(config());
    let mut rig = read_account(&config(), &plan);
    for number in 0..4 {
        ask(&mut rig, write(u64::from(number) + 1, &[item(number)], &both(Once::ITEM)));
    }
    let waiting =
        |rig: &Rig<'_>| rig.held().iter().filter(|held| !held.rest).map(|held| held.copies).sum::<u32>();
    assert_eq!((waiting(&rig), rig.held().len()), (4, 8));
    assert_eq!(
        lease(&mut rig, u16::MAX, 1, LeaseAction::Acquire),
        Some(Answer::Leased { range: 0, position: 0 })
    );
    lease(&mut rig, 0, 1, LeaseAction::Checkpoint(4));
    assert_eq!((waiting(&rig), rig.held().len()), (2, 8));
    let depth =
        rig.message(1, message(0, Cargo::None, Body::Control(control::Command::Depth { part: EVENT })));
    let expected = Body::ControlAnswer(control::Answer::Depth { part: EVENT, waiting: 2 });
    assert_eq!(bodies(&depth).collect::<Vec<_>>(), [&expected]);
}

#[test]
fn a_row_that_expires_ends_and_leaves_the_feed() {
    let plan = plan(config());
    let mut rig = read_account(&config(), &plan);
    let mut event = operation(WriteVerb::Insert, EVENT, Once::ITEM);
    event.ttl = Span::secs(100);
    let operations = [operation(WriteVerb::Insert, ORDER, Once::ITEM), event];
    ask(&mut rig, write(1, &[item(1)], &operations));
    rig.advance(Span::secs(50));
    ask(&mut rig, write(2, &[item(2)], &operations));
    assert!(!rig.busy(), "a time to live is not work");
    let effects = rig.advance(Span::secs(60));
    assert_eq!(
        observed(&effects).filter(|what| matches!(what, What::Ended { cause: End::Expired, .. })).count(),
        1
    );
    assert_eq!(page(&mut rig, 0, 0, 9), (vec![2], 4));
    rig.process.crash();
    let effects = rig.crash();
    assert!(observed(&effects).next().is_none());
    let effects = rig.advance(Span::secs(60));
    assert_eq!(observed(&effects).count(), 1, "the time to live outlives a crash");
    assert_eq!((page(&mut rig, 0, 0, 9).0.len(), rig.held().len()), (0, 2));
}

#[test]
fn a_row_written_again_lives_longer() {
    let plan = plan(config());
    let mut rig = read_account(&config(), &plan);
    let mut event = operation(WriteVerb::Upsert, EVENT, Once::NONE);
    event.ttl = Span::secs(100);
    ask(&mut rig, write(1, &[item(1)], &[event]));
    rig.advance(Span::secs(60));
    ask(&mut rig, write(2, &[item(1)], &[event]));
    assert!(observed(&rig.advance(Span::secs(60))).next().is_none());
    assert_eq!(observed(&rig.advance(Span::secs(60))).count(), 1);
    assert!(rig.held().is_empty());
}

#[test]
fn a_request_that_takes_too_long_is_given_up_and_may_still_happen() {
    for (operations, happens) in [(both(Once::ITEM).to_vec(), 0), (both(Once::ITEM)[..1].to_vec(), 1)] {
        let plan = plan(config());
        let mut rig = rig(&plan);
        rig.fault(fault(Hook::DependencySlow, Value::Span(Span::secs(8))));
        rig.message(1, write(1, &[item(1)], &operations));
        let effects = rig.advance(Span::secs(5));
        assert_eq!((error(&effects), births(&effects)), (Some(Error::Timeout), 0));
        let effects = rig.advance(Span::secs(5));
        assert_eq!(births(&effects), happens);
    }
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
        (Hook::DatabaseThrottle, Value::Number(0), Some(Error::TooManyRequests), 0),
        (Hook::DependencyWrongAnswer, Value::None, None, 0),
        (Hook::DependencySlow, Value::Span(Span::millis(500)), None, 2),
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
fn an_outage_leaves_requests_in_flight_open_and_probes_see_it_unless_hidden() {
    let plan = plan(config());
    for hidden in [false, true] {
        let mut rig = rig(&plan);
        rig.message(1, write(1, &[item(1)], &both(Once::ITEM)));
        rig.fault(Active { hidden, ..fault(Hook::StoreDown, Value::None) });
        assert_eq!(is_ready(&mut rig), Some(hidden));
        let effects = rig.advance(Span::secs(1));
        assert!(answers(&effects).is_empty() && births(&effects) == 0 && touched(&effects));
        assert!(effects.iter().any(|effect| matches!(effect, Effect::Close { .. })));
    }
}

#[test]
fn after_a_crash_it_is_like_one_newly_built_from_its_durable_state() {
    let plan = plan(config());
    let mut process = config().process("it", &plan).expect("it builds");
    process.volatile.budgets.charge(0, 77);
    process.volatile.expiry_due = Time(9);
    let message = write(1, &[item(1)], &both(Once::ITEM));
    process.volatile.front.keep(Pending { connection: ConnectionId::NONE, message });
    process.durable.tables[0].place = crate::ids::PlaceId(5);
    process.crash();
    let mut fresh = config().process("it", &plan).expect("it builds");
    fresh.durable = process.durable.clone();
    assert_eq!(format!("{process:?}"), format!("{fresh:?}"));
}

#[test]
fn an_account_that_contradicts_itself_is_refused() {
    let wrong = [
        CosmosDb { partition_by: Once::RUN, ..config() },
        CosmosDb { partition_by: Once::NONE, ..config() },
        CosmosDb { throughput: RequestUnits(100), ..config() },
        CosmosDb { throughput: RequestUnits(50_000), physical_partitions: Some(2), ..config() },
        CosmosDb { holds: vec!["change-feed".to_owned()], ..config() },
    ];
    for config in wrong {
        let errors = plan_of(NodeKind::CosmosDb(config)).expect_err("it is wrong");
        assert!(errors[0].help.is_some(), "{errors:?}");
    }
    assert_eq!(CosmosDb { throughput: RequestUnits(25_000), ..config() }.ranges(), 3);
}
