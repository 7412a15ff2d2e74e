//! Send, receive, settle, expire, dead-letter.

use super::*;
use crate::message::broker::Error;
use crate::services::service_bus::{ServiceBus, ServiceBusQueue};

fn one_queue(queue: ServiceBusQueue) -> Plan {
    let queue = ServiceBusQueue { of: "bus".to_owned(), ..queue };
    plan(vec![
        ("bus", NodeKind::ServiceBus(ServiceBus::default())),
        ("payments", NodeKind::ServiceBusQueue(queue)),
    ])
    .expect("a plan")
}

const MS: Span = Span::millis(2);

#[test]
fn a_message_is_accepted_when_it_is_durable_and_delivered_under_lock() {
    let plan = one_queue(ServiceBusQueue::default());
    let mut rig = rig(&plan);
    let effects = rig.message(1, send(0, &[7]).message(1));
    assert!(events(&effects).is_empty() && rig.held().is_empty());
    let effects = rig.advance(MS);
    assert_eq!(events(&effects), [Event::Accepted { sequence: 1 }]);
    assert_eq!(rig.held().len(), 1);
    let got = delivered(&rig.message(2, attach(0, 9, 1)));
    assert_eq!((got[0].0, got[0].2), (7, 0));
    rig.message(2, settle(9, got[0].1, Settlement::Complete));
    assert_eq!(events(&rig.advance(MS)), [Event::Settled]);
    assert!(rig.held().is_empty() && !rig.busy());
}

#[test]
fn a_lock_expires_into_another_delivery_and_then_into_the_dead_letter_queue() {
    let plan = one_queue(ServiceBusQueue { max_delivery: 2, lock: Span::secs(10), ..Default::default() });
    let mut rig = rig(&plan);
    rig.message(1, send(0, &[1]).message(1));
    rig.advance(MS);
    let first = delivered(&rig.message(2, attach(0, 0, 5)))[0];
    let again = delivered(&rig.advance(Span::secs(10)));
    assert_eq!((again[0].0, again[0].2), (1, 1));
    let late = rig.message(2, settle(0, first.1, Settlement::Complete));
    assert_eq!(events(&late), [Event::Refused(Error::MessageLockLost)]);
    rig.message(2, settle(0, again[0].1, Settlement::Abandon));
    rig.advance(MS);
    let dead = plan.place_named("payments.dead-letter").expect("a place");
    assert_eq!(rig.held().iter().map(|held| held.place).collect::<Vec<_>>(), [dead]);
    let dead = part(&plan, "payments.dead-letter");
    assert_eq!(delivered(&rig.message(3, attach(dead, 0, 1))).len(), 1);
}
