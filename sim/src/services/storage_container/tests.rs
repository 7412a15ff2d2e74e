mod geo;

use super::*;
use crate::faults::local::Value;
use crate::ids::{FaultId, Once};
use crate::message::store::{Answer, WriteVerb};
use crate::node::Effect;
use crate::node::rig::Rig;
use crate::services::NodeKind;
use crate::services::bench::{
    answers, births, error, fault, handlings, is_ready, item, operation, plan as plan_of, rig, touched, write,
};

fn config() -> StorageContainer {
    StorageContainer { latency: Distribution::Constant(Span::millis(5)), ..StorageContainer::default() }
}

fn plan(config: StorageContainer) -> Plan {
    plan_of(NodeKind::StorageContainer(config)).expect("the plan is right")
}

fn put(call: u64, number: u32, once: Once) -> Message {
    write(call, &[item(number)], &[operation(WriteVerb::Insert, 0, once)])
}

fn ask(rig: &mut Rig<'_>, message: Message) -> Vec<Effect> {
    let mut effects = rig.message(1, message);
    effects.extend(rig.advance(Span::secs(30)));
    effects
}

#[test]
fn a_blob_is_acknowledged_after_its_sync_and_then_rests() {
    let plan = plan(config());
    let place = plan.place_named("it").expect("the place");
    assert_eq!(plan.place(place).role, PlaceRole::DeadLetter);
    let mut rig = rig(&plan);
    rig.message(1, put(1, 1, Once::ITEM));
    assert!(rig.advance(Span::millis(5)).is_empty() && rig.held().is_empty());
    let effects = rig.advance(Span::millis(1));
    assert_eq!((answers(&effects), births(&effects)), (vec![Answer::Done { absorbed: false }], 1));
    assert!(rig.held().iter().all(|held| held.rest && held.copies == 1));
    assert_eq!(births(&ask(&mut rig, put(2, 1, Once::ITEM))), 0);
    assert_eq!(error(&ask(&mut rig, put(3, 1, Once::NONE))), Some(Error::Conflict));
}

#[test]
fn every_hook_strikes_has_its_effect_and_heals() {
    let cases = [
        (Hook::DependencyDown, Value::None, Some(Error::Unavailable), 0),
        (Hook::StoreDown, Value::None, Some(Error::Unavailable), 0),
        (Hook::DependencyIntermittent, Value::None, Some(Error::Unavailable), 0),
        (Hook::DependencyPartial, Value::None, Some(Error::Unavailable), 0),
        (Hook::DatabaseReadOnly, Value::None, Some(Error::ReadOnly), 0),
        (Hook::ConnectionPool, Value::Number(0), Some(Error::ConnectionLimit), 0),
        (Hook::DependencyWrongAnswer, Value::None, None, 0),
        (Hook::DependencySlow, Value::Number(3000), None, 1),
    ];
    for (hook, value, expected, effect) in cases {
        let plan = plan(config());
        let mut rig = rig(&plan);
        rig.fault(fault(hook, value));
        let struck = ask(&mut rig, put(1, 1, Once::ITEM));
        assert_eq!((error(&struck), births(&struck)), (expected, effect), "{hook:?}");
        assert!(touched(&struck), "{hook:?} is not marked");
        rig.faults.end(FaultId(0));
        let healed = ask(&mut rig, put(2, 2, Once::ITEM));
        assert_eq!((births(&healed), touched(&healed)), (1, false), "{hook:?}");
    }
}

#[test]
fn above_the_request_rate_it_says_busy() {
    let plan = plan(StorageContainer { request_rate: Rate::per_second(3.0), ..config() });
    let mut rig = rig(&plan);
    let errors: Vec<_> = (1..6).map(|n| error(&rig.message(1, put(n, n as u32, Once::ITEM)))).collect();
    let busy = Some(Error::TooManyRequests);
    assert_eq!(errors, [None, None, None, busy, busy]);
    // Three turns of a third of a second each.
    let (used, limit) = rig.gauge("request rate").expect("it has one");
    assert!((used - 3.0).abs() < 1e-6 && limit == 3.0, "{used} of {limit}");
    rig.advance(Span::secs(1));
    assert_eq!(error(&rig.message(1, put(9, 9, Once::ITEM))), None);
}

#[test]
fn an_outage_leaves_writes_in_flight_open() {
    let plan = plan(config());
    let mut rig = rig(&plan);
    rig.message(1, put(1, 1, Once::ITEM));
    rig.advance(Span::millis(5)); // the copies are being written
    rig.message(1, put(2, 2, Once::ITEM));
    rig.fault(fault(Hook::StoreDown, Value::None));
    assert_eq!(is_ready(&mut rig), Some(false));
    let effects = rig.advance(Span::secs(1));
    assert_eq!((births(&effects), handlings(&effects).len(), answers(&effects).len()), (1, 1, 0));
    assert_eq!(effects.iter().filter(|effect| matches!(effect, Effect::Close { .. })).count(), 2);
}

#[test]
fn after_a_crash_it_is_like_one_newly_built_from_its_blobs() {
    let plan = plan(config());
    let mut process = config().process("it", None, &plan).expect("it builds");
    let pending = Pending { connection: ConnectionId::NONE, message: put(1, 1, Once::ITEM) };
    process.volatile.front.keep(pending);
    process.volatile.requests.join(crate::time::Time(7), Rate::per_second(1.0), None);
    process.crash();
    assert_eq!(
        format!("{process:?}"),
        format!("{:?}", config().process("it", None, &plan).expect("it builds"))
    );
    let mut rig = rig(&plan);
    ask(&mut rig, put(1, 1, Once::ITEM));
    rig.message(1, put(2, 2, Once::ITEM));
    rig.crash();
    assert!(rig.advance(Span::secs(1)).is_empty());
    assert_eq!(rig.held().len(), 1);
}
