//! Every fault of the broker's part of the catalogue: it strikes, has its documented effect, and heals.

use super::*;
use crate::faults::Hook;
use crate::faults::local::{Active, Frequency, Value};
use crate::ids::FaultId;
use crate::message::broker::{Error, TransactionStep};
use crate::message::control;
use crate::node::rig::observed;
use crate::observe::{Birth, DeadLetterReason, Discard, End, What};
use crate::services::service_bus::{
    ServiceBus, ServiceBusQueue, ServiceBusSubscription, ServiceBusTopic, Tier,
};
use crate::units::Rate;

const MS: Span = Span::millis(2);

/// A premium namespace: q (0, 1), on (2, 3) which forwards to q, t (4) with s (5, 6), sessions z (7, 8).
fn house() -> Plan {
    let of = || "bus".to_owned();
    let queue =
        |queue| NodeKind::ServiceBusQueue(ServiceBusQueue { of: of(), lock: Span::secs(10), ..queue });
    plan(vec![
        ("bus", NodeKind::ServiceBus(ServiceBus { tier: Tier::Premium, ..Default::default() })),
        ("q", queue(ServiceBusQueue { dedup_window: Some(Span::mins(1)), ..Default::default() })),
        ("on", queue(ServiceBusQueue { forward_to: Some("q".to_owned()), ..Default::default() })),
        ("t", NodeKind::ServiceBusTopic(ServiceBusTopic { of: of(), ..Default::default() })),
        ("z", queue(ServiceBusQueue { sessions: true, ..Default::default() })),
        (
            "s",
            NodeKind::ServiceBusSubscription(ServiceBusSubscription {
                of: "t".to_owned(),
                ..Default::default()
            }),
        ),
    ])
    .expect("a plan")
}

fn fault(hook: Hook, part: u16, value: Value) -> Active {
    let (fault, label, frequency) = (FaultId(3), 1, Frequency::Always);
    Active { fault, label, hook, part: Some(part), frequency, left: None, value, hidden: false }
}

fn struck(effects: &[Effect]) -> bool {
    observed(effects).any(|what| *what == What::Touched)
}

fn heal(rig: &mut Rig<'_>) {
    rig.faults.end(FaultId(3));
}

/// Sends an item and returns all that came of it.
fn put(rig: &mut Rig<'_>, part: u16, number: u32) -> Vec<Effect> {
    let mut message = send(part, &[number]);
    message.session = Once::KEY;
    let mut effects = rig.message(1, message.message(u64::from(number) + 1));
    effects.extend(rig.advance(MS));
    effects
}

fn refusal(effects: &[Effect]) -> Option<Error> {
    events(effects).into_iter().find_map(|event| match event {
        Event::Refused(error) => Some(error),
        _ => None,
    })
}

fn places(rig: &Rig<'_>, plan: &Plan) -> Vec<String> {
    rig.held().iter().map(|held| plan.place(held.place).name.clone()).collect()
}

#[test]
fn faults_that_refuse_a_send_do_so_with_their_documented_error_and_heal() {
    let plan = house();
    let q = part(&plan, "q");
    for (hook, value, error) in [
        (Hook::EntityDisabledForSend, Value::None, Error::MessagingEntityDisabled),
        (Hook::EntityDeleted, Value::None, Error::MessagingEntityNotFound),
        (Hook::BrokerBusy, Value::None, Error::ServiceBusy),
        (Hook::BrokerThrottle, Value::Rate(Rate::per_second(0.0)), Error::ServiceBusy),
        (Hook::EntityFull, Value::None, Error::QuotaExceeded),
        (Hook::ConnectionQuota, Value::Number(0), Error::QuotaExceeded),
        (Hook::MessageTooLarge, Value::None, Error::MessageSizeExceeded),
        (Hook::StoreDown, Value::None, Error::GeneralError),
    ] {
        let mut rig = rig(&plan);
        rig.fault(fault(hook, q, value));
        let effects = put(&mut rig, q, 1);
        assert_eq!(refusal(&effects), Some(error), "{hook:?}");
        assert!(struck(&effects) && rig.held().is_empty(), "{hook:?}");
        heal(&mut rig);
        assert_eq!(refusal(&put(&mut rig, q, 1)), None, "{hook:?}");
        assert_eq!(rig.held().len(), 1, "{hook:?}");
    }
}

#[test]
fn a_throttle_lets_its_rate_through_and_delays_deliveries_to_the_next_grant() {
    let plan = house();
    let mut rig = rig(&plan);
    rig.fault(fault(Hook::BrokerThrottle, 0, Value::Rate(Rate::per_second(2.0))));
    let outcomes: Vec<Option<Error>> = (0..3).map(|n| refusal(&put(&mut rig, 0, n))).collect();
    assert_eq!(outcomes, [None, None, Some(Error::ServiceBusy)]);
    let now = rig.message(2, attach(0, 0, 5));
    assert!(delivered(&now).is_empty() && struck(&now));
    assert_eq!(delivered(&rig.advance(Span::secs(1))).len(), 2);
}

#[test]
fn faults_that_refuse_a_receiver_do_so_and_heal() {
    let plan = house();
    for (hook, error) in [
        (Hook::EntityDisabledForReceive, Error::MessagingEntityDisabled),
        (Hook::ReceiveQuota, Error::ServiceBusy),
    ] {
        let mut rig = rig(&plan);
        put(&mut rig, 0, 1);
        rig.fault(fault(hook, 0, Value::None));
        assert_eq!(refusal(&rig.message(2, attach(0, 0, 1))), Some(error));
        heal(&mut rig);
        assert_eq!(delivered(&rig.message(2, attach(0, 0, 1))).len(), 1);
    }
}

#[test]
fn disabling_for_receive_detaches_and_a_deleted_entity_loses_its_messages() {
    let plan = house();
    let mut rig = rig(&plan);
    rig.message(2, attach(0, 0, 5));
    rig.fault(fault(Hook::EntityDisabledForReceive, 0, Value::None));
    let effects = put(&mut rig, 0, 1);
    assert!(events(&effects).contains(&Event::Detached { link: 0, why: Error::MessagingEntityDisabled }));
    assert!(delivered(&effects).is_empty() && rig.held().len() == 1);
    heal(&mut rig);
    rig.fault(fault(Hook::EntityDeleted, 0, Value::None));
    let effects = put(&mut rig, 0, 2);
    let gone = End::Discarded(Discard::Fault);
    assert!(observed(&effects).any(|what| matches!(what, What::Ended { cause, .. } if *cause == gone)));
    assert!(rig.held().is_empty());
}

#[test]
fn a_lost_lock_refuses_the_settlement_and_delivers_again() {
    let plan = house();
    let mut rig = rig(&plan);
    put(&mut rig, 0, 1);
    let lock = delivered(&rig.message(2, attach(0, 0, 2)))[0].1;
    rig.fault(fault(Hook::LockLost, 0, Value::None));
    let effects = rig.message(2, settle(0, lock, Settlement::Complete));
    assert_eq!(refusal(&effects), Some(Error::MessageLockLost));
    let again = delivered(&effects);
    assert_eq!((again[0].0, again[0].2), (1, 1));
    heal(&mut rig);
    rig.message(2, settle(0, again[0].1, Settlement::Complete));
    assert_eq!(events(&rig.advance(MS)), [Event::Settled]);
}

fn attach_session(part: u16, link: u32) -> Message {
    let (from, mode) = (Source::NextSession, ReceiveMode::PeekLock);
    Message::new(Body::Broker(Command::Attach { part, link, from, mode, credit: 1 }))
}

#[test]
fn a_lost_session_lock_detaches_the_link_and_counts_the_delivery() {
    let plan = house();
    let z = part(&plan, "z");
    let mut rig = rig(&plan);
    put(&mut rig, z, 1);
    let lock = delivered(&rig.message(2, attach_session(z, 0)))[0].1;
    rig.advance(Span::secs(6));
    rig.fault(fault(Hook::SessionLockLost, z, Value::None));
    let effects = rig.message(2, settle(0, lock, Settlement::Complete));
    assert!(events(&effects).contains(&Event::Detached { link: 0, why: Error::SessionLockLost }));
    heal(&mut rig);
    let again = delivered(&rig.message(2, attach_session(z, 0)));
    assert_eq!((again[0].0, again[0].2), (1, 1));
    // The lock that was lost would have ended after 10 s; the next one goes on for 10 s of its own.
    assert_eq!(events(&rig.advance(Span::millis(9_999))), []);
    let effects = rig.advance(Span::millis(1));
    assert!(events(&effects).contains(&Event::Detached { link: 0, why: Error::SessionLockLost }));
}

#[test]
fn a_detached_link_leaves_the_message_for_the_next_one() {
    let plan = house();
    let mut rig = rig(&plan);
    rig.message(2, attach(0, 0, 2));
    rig.fault(fault(Hook::LinkDetach, 0, Value::None));
    let effects = put(&mut rig, 0, 1);
    let why = Error::ServiceCommunicationProblem;
    assert!(events(&effects).contains(&Event::Detached { link: 0, why }) && delivered(&effects).is_empty());
    heal(&mut rig);
    assert_eq!(delivered(&rig.message(2, attach(0, 0, 2))), [(1, delivered_lock(&rig), 0)]);
}

/// The token of the first lock that a namespace gives out for its first message.
fn delivered_lock(_: &Rig<'_>) -> u64 {
    super::super::namespace::lock_id(1, 0, 0)
}

#[test]
fn a_renewal_that_fails_lets_the_lock_run_out() {
    let plan = house();
    let mut rig = rig(&plan);
    put(&mut rig, 0, 1);
    let lock = delivered(&rig.message(2, attach(0, 0, 2)))[0].1;
    let renew = || Message::new(Body::Broker(Command::Renew { link: 0, lock }));
    rig.fault(fault(Hook::RenewFails, 0, Value::None));
    assert_eq!(refusal(&rig.message(2, renew())), Some(Error::GeneralError));
    heal(&mut rig);
    assert!(matches!(events(&rig.message(2, renew()))[..], [Event::Renewed { .. }]));
    assert_eq!(delivered(&rig.advance(Span::secs(10))).len(), 1);
}

#[test]
fn lost_answers_leave_the_client_in_doubt_about_what_happened() {
    let plan = house();
    let mut rig = rig(&plan);
    rig.fault(fault(Hook::SendAnswerLost, 0, Value::None));
    assert!(events(&put(&mut rig, 0, 1)).is_empty());
    assert_eq!(rig.held().len(), 1);
    heal(&mut rig);
    // The sender tries again; duplicate detection makes it look as if nothing had been.
    assert_eq!(events(&put(&mut rig, 0, 1)), [Event::Accepted { sequence: 0 }]);
    let lock = delivered(&rig.message(2, attach(0, 0, 1)))[0].1;
    rig.fault(fault(Hook::SettleAnswerLost, 0, Value::None));
    rig.message(2, settle(0, lock, Settlement::Complete));
    let effects = rig.advance(MS);
    assert!(events(&effects).is_empty() && rig.held().is_empty() && struck(&effects));
    heal(&mut rig);
    let again = rig.message(2, settle(0, lock, Settlement::Complete));
    assert_eq!(refusal(&again), Some(Error::MessageLockLost));
}

#[test]
fn a_doubled_message_is_booked_as_a_birth_and_delivered_twice() {
    let plan = house();
    let mut rig = rig(&plan);
    rig.fault(fault(Hook::DeliverTwice, 0, Value::None));
    rig.message(2, attach(0, 0, 9));
    let effects = put(&mut rig, 0, 1);
    let births: Vec<&What> = observed(&effects).filter(|what| matches!(what, What::Born { .. })).collect();
    assert!(matches!(births[..], [What::Born { .. }, What::Born { cause: Birth::Reborn, .. }]));
    assert_eq!(delivered(&effects).iter().map(|d| d.0).collect::<Vec<_>>(), [1, 1]);
    heal(&mut rig);
    assert_eq!(delivered(&put(&mut rig, 0, 2)).len(), 1);
}

#[test]
fn duplicate_detection_that_misses_stores_again() {
    let plan = house();
    let mut rig = rig(&plan);
    put(&mut rig, 0, 1);
    rig.fault(fault(Hook::DedupMiss, 0, Value::None));
    assert!(struck(&put(&mut rig, 0, 1)));
    heal(&mut rig);
    put(&mut rig, 0, 1);
    assert_eq!(rig.held().len(), 2);
}

#[test]
fn an_overtaken_message_comes_second() {
    let plan = house();
    let mut rig = rig(&plan);
    (1..4).for_each(|n| drop(put(&mut rig, 0, n)));
    rig.fault(fault(Hook::DeliverOutOfOrder, 0, Value::None));
    let order: Vec<u32> = delivered(&rig.message(2, attach(0, 0, 9))).iter().map(|d| d.0).collect();
    assert_eq!(order, [2, 1, 3]);
    heal(&mut rig);
    (4..6).for_each(|n| drop(put(&mut rig, 0, n)));
}

#[test]
fn delays_hold_a_message_back() {
    let plan = house();
    let mut rig = rig(&plan);
    rig.message(2, attach(0, 0, 9));
    rig.fault(fault(Hook::VisibilityDelay, 0, Value::Span(Span::secs(5))));
    assert!(delivered(&put(&mut rig, 0, 1)).is_empty());
    assert_eq!(delivered(&rig.advance(Span::secs(5))).len(), 1);
    heal(&mut rig);
    assert_eq!(delivered(&put(&mut rig, 0, 2)).len(), 1);

    rig.fault(fault(Hook::ScheduleLate, 0, Value::Span(Span::secs(5))));
    let late = Send { delay: Span::secs(2), ..send(0, &[3]) };
    rig.message(1, late.message(9));
    assert!(delivered(&rig.advance(Span::secs(6))).is_empty());
    assert_eq!(delivered(&rig.advance(Span::secs(2))).len(), 1);
}

#[test]
fn a_message_that_expires_by_fault_is_gone() {
    let plan = house();
    let mut rig = rig(&plan);
    rig.message(2, attach(0, 0, 9));
    rig.fault(fault(Hook::TtlExpire, 0, Value::None));
    let effects = put(&mut rig, 0, 1);
    assert!(observed(&effects).any(|what| matches!(what, What::Ended { cause: End::Expired, .. })));
    heal(&mut rig);
    assert_eq!(delivered(&put(&mut rig, 0, 2)).len(), 1);
}

#[test]
fn a_full_dead_letter_queue_leaves_the_message_where_it_is() {
    let plan = house();
    let mut rig = rig(&plan);
    put(&mut rig, 0, 1);
    let lock = delivered(&rig.message(2, attach(0, 0, 9)))[0].1;
    rig.fault(fault(Hook::DeadLetterFull, 0, Value::None));
    let effects = rig.message(2, settle(0, lock, Settlement::DeadLetter));
    assert_eq!(refusal(&effects), Some(Error::QuotaExceeded));
    assert_eq!(places(&rig, &plan), ["q"]);
    heal(&mut rig);
    rig.message(2, settle(0, lock, Settlement::DeadLetter));
    rig.advance(MS);
    assert_eq!(places(&rig, &plan), ["q.dead-letter"]);
}

#[test]
fn what_cannot_be_forwarded_goes_to_the_dead_letter_queue_of_the_source() {
    let plan = house();
    let on = part(&plan, "on");
    for (hook, at) in [(Hook::ForwardBroken, on), (Hook::EntityDisabledForSend, 0), (Hook::EntityFull, 0)] {
        let mut rig = rig(&plan);
        rig.fault(fault(hook, at, Value::None));
        let effects = put(&mut rig, on, 1);
        let reason = Some(DeadLetterReason::ForwardingFailed);
        assert!(observed(&effects).any(|what| matches!(what, What::Moved { reason: r, .. } if *r == reason)));
        assert_eq!(places(&rig, &plan), ["on.dead-letter"], "{hook:?}");
        heal(&mut rig);
        put(&mut rig, on, 2);
        assert_eq!(places(&rig, &plan), ["q", "on.dead-letter"], "{hook:?}");
    }
}

#[test]
fn topics_lose_copies_by_a_wrong_filter_or_a_missing_subscription() {
    let plan = house();
    let (t, s) = (part(&plan, "t"), part(&plan, "s"));
    for hook in [Hook::FilterMisroute, Hook::SubscriptionMissing] {
        let mut rig = rig(&plan);
        rig.fault(fault(hook, s, Value::None));
        let effects = put(&mut rig, t, 1);
        let nobody = End::Discarded(Discard::Unsubscribed);
        assert!(observed(&effects).any(|what| matches!(what, What::Ended { cause, .. } if *cause == nobody)));
        assert!(rig.held().is_empty());
        heal(&mut rig);
        put(&mut rig, t, 2);
        assert_eq!(places(&rig, &plan), ["s"]);
    }
}

#[test]
fn a_transaction_is_all_or_nothing() {
    let plan = house();
    let on = part(&plan, "t");
    let mut rig = rig(&plan);
    put(&mut rig, 0, 1);
    let lock = delivered(&rig.message(2, attach(0, 0, 9)))[0].1;
    let transaction = || {
        let steps = vec![
            TransactionStep::Settle { link: 0, lock, how: Settlement::Complete },
            TransactionStep::Send {
                part: on,
                once: Once::ITEM,
                session: Once::NONE,
                kind: Default::default(),
            },
        ];
        let operations = std::sync::Arc::new(steps);
        let command = Command::Transact { operations, execution: Execution::default() };
        Message::new(Body::Broker(command)).carrying(Cargo::One(item(1)))
    };
    rig.fault(fault(Hook::TransactionAborts, 0, Value::None));
    assert_eq!(refusal(&rig.message(2, transaction())), Some(Error::TransactionAborted));
    assert_eq!(places(&rig, &plan), ["q"]);
    heal(&mut rig);
    // A disabled destination: the message waits in the dead letters of the entity that hands it over.
    rig.fault(fault(Hook::EntityDisabledForSend, on, Value::None));
    rig.message(2, transaction());
    assert!(matches!(events(&rig.advance(MS))[..], [Event::Accepted { .. }]));
    assert_eq!(places(&rig, &plan), ["q.dead-letter"]);
}

#[test]
fn a_store_that_is_down_delivers_again_by_itself_when_it_is_back() {
    let plan = house();
    let mut rig = rig(&plan);
    put(&mut rig, 0, 1);
    rig.fault(fault(Hook::StoreDown, 0, Value::None));
    assert_eq!(refusal(&rig.message(2, attach(0, 0, 1))), Some(Error::GeneralError));
    heal(&mut rig);
    rig.message(2, attach(0, 0, 2));
    rig.fault(fault(Hook::StoreDown, 0, Value::None));
    rig.message(1, Message::new(Body::Control(control::Command::Enable { part: 0, on: true })));
    heal(&mut rig);
    assert_eq!(delivered(&rig.advance(Span::secs(11))).len(), 1);
}
