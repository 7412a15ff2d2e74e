//! Send, receive, settle, expire, dead-letter.

use super::*;
use crate::message::broker::Error;
use crate::services::service_bus::{ServiceBus, ServiceBusQueue};

fn one_queue(queue: ServiceBusQueue) -> Plan {
    let queue = ServiceBusQueue { of: "bus".to_owned(), ..queue };
    let mut plan = plan(vec![
        ("bus", NodeKind::ServiceBus(ServiceBus::default())),
        ("payments", NodeKind::ServiceBusQueue(queue)),
    ])
    .expect("a plan");
    plan.add_stream("shoppers", crate::ids::FlowId(0));
    plan
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

#[test]
fn standard_credits_throttle_the_namespace_until_the_next_second() {
    let queue = ServiceBusQueue { of: "bus".to_owned(), ..Default::default() };
    let plan = plan(vec![
        ("bus", NodeKind::ServiceBus(ServiceBus { credits: 3, ..Default::default() })),
        ("q", NodeKind::ServiceBusQueue(queue)),
    ])
    .expect("a plan");
    let mut rig = rig(&plan);
    let refused: Vec<usize> =
        (0..5).map(|n| events(&rig.message(1, send(0, &[n]).message(1))).len()).collect();
    assert_eq!(refused, [0, 0, 0, 1, 1]);
    assert_eq!(rig.gauge("credits"), Some((3.0, 3.0)));
    rig.advance(Span::secs(1));
    assert_eq!(rig.gauge("credits"), Some((0.0, 3.0)));
    assert!(events(&rig.message(1, send(0, &[9]).message(1))).is_empty());
}

#[test]
fn an_entity_that_is_full_takes_no_more_and_dead_letters_count() {
    let mut layout = {
        let plan = one_queue(ServiceBusQueue { max_size: crate::units::Bytes(2), ..Default::default() });
        let NodeKind::ServiceBus(bus) = plan.blueprint.nodes["bus"].clone() else { unreachable!() };
        let process = plan.endpoint("bus").expect("it").address.process;
        super::super::layout::Layout::of(&bus, "bus", process, None, &plan).expect("a layout")
    };
    layout.bytes = vec![1];
    let plan = one_queue(ServiceBusQueue::default());
    let process = plan.endpoint("bus").expect("it").address.process;
    let namespace = super::super::namespace::Namespace::new(layout);
    let mut rig = Rig::new(&plan, process, Box::new(namespace)).0;
    rig.message(1, send(0, &[1, 2]).message(1));
    rig.advance(MS);
    let lock = delivered(&rig.message(2, attach(0, 0, 1)))[0].1;
    rig.message(2, settle(0, lock, Settlement::DeadLetter));
    rig.advance(MS);
    let full = rig.message(1, send(0, &[3]).message(2));
    assert_eq!(events(&full), [Event::Refused(Error::QuotaExceeded)]);
    assert_eq!(rig.gauge("size"), Some((2.0, 2.0)));
    assert_eq!(
        (rig.gauge("receivers"), rig.gauge("connections")),
        (Some((1.0, 5000.0)), Some((2.0, 5000.0)))
    );
    let lock = delivered(&rig.message(3, attach(1, 0, 1)))[0].1;
    rig.message(3, settle(0, lock, Settlement::Complete));
    rig.advance(MS);
    assert!(events(&rig.message(1, send(0, &[3]).message(3))).is_empty());
}

#[test]
fn receive_and_delete_loses_what_was_on_the_wire() {
    let plan = one_queue(ServiceBusQueue::default());
    let mut rig = rig(&plan);
    rig.message(1, send(0, &[1]).message(1));
    rig.advance(MS);
    let (from, mode) = (Source::Any, ReceiveMode::ReceiveAndDelete);
    let attach = Message::new(Body::Broker(Command::Attach { part: 0, link: 0, from, mode, credit: 1 }));
    assert_eq!(delivered(&rig.message(2, attach)), [(1, 0, 0)]);
    assert!(rig.held().is_empty() && !rig.busy());
}

#[test]
fn a_message_hops_four_times_and_no_further() {
    let queue = |to: Option<&str>| {
        let forward_to = to.map(str::to_owned);
        NodeKind::ServiceBusQueue(ServiceBusQueue { of: "bus".to_owned(), forward_to, ..Default::default() })
    };
    let plan = plan(vec![
        ("bus", NodeKind::ServiceBus(ServiceBus::default())),
        ("a", queue(Some("b"))),
        ("b", queue(Some("c"))),
        ("c", queue(Some("d"))),
        ("d", queue(Some("e"))),
        ("e", queue(Some("f"))),
        ("f", queue(None)),
    ])
    .expect("a plan");
    let mut rig = rig(&plan);
    rig.message(1, send(part(&plan, "b"), &[1]).message(1));
    rig.message(1, send(part(&plan, "a"), &[2]).message(2));
    rig.advance(MS);
    let held: Vec<(String, u32)> =
        rig.held().iter().map(|h| (plan.place(h.place).name.clone(), h.item.number)).collect();
    assert_eq!(held, [("e.dead-letter".to_owned(), 2), ("f".to_owned(), 1)]);
}

/// A namespace that the test can look into.
#[derive(Clone, Debug)]
struct Glass(std::sync::Arc<std::sync::Mutex<super::super::namespace::Namespace>>);

impl crate::node::Process for Glass {
    fn handle(&mut self, input: crate::node::Input, cx: &mut crate::node::Context<'_>) {
        self.0.lock().expect("a lock").handle(input, cx);
    }
    fn crash(&mut self) {
        self.0.lock().expect("a lock").crash();
    }
    fn inventory(&self, out: &mut dyn FnMut(crate::observe::Held)) {
        self.0.lock().expect("a lock").inventory(out);
    }
    fn clone_box(&self) -> Box<dyn crate::node::Process> {
        Box::new(self.clone())
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn after_a_crash_it_equals_one_built_from_its_durable_state(
        steps in proptest::collection::vec((0u8..6, 0u32..9), 1..40),
        sessions in proptest::bool::ANY,
    ) {
        use super::super::namespace::{Namespace, Store};
        let window = Some(Span::secs(30));
        let plan = one_queue(ServiceBusQueue { sessions, dedup_window: window, ..Default::default() });
        let NodeKind::ServiceBus(bus) = plan.blueprint.nodes["bus"].clone() else { unreachable!() };
        let process = plan.endpoint("bus").expect("it").address.process;
        let layout = super::super::layout::Layout::of(&bus, "bus", process, None, &plan).expect("a layout");
        let glass = Glass(std::sync::Arc::new(std::sync::Mutex::new(Namespace::new(layout))));
        let mut rig = Rig::new(&plan, process, Box::new(glass.clone())).0;
        let mut locks: Vec<(u32, u64)> = Vec::new();
        for (step, n) in steps {
            let effects = match step {
                0 | 1 => {
                    let delay = if n == 8 { Span::secs(20) } else { Span::ZERO };
                    let session = if sessions { Once::KEY } else { Once::NONE };
                    rig.message(9, Send { session, delay, ..send(0, &[n]) }.message(1))
                }
                2 => {
                    let from = if sessions { Source::NextSession } else { Source::Any };
                    let (mode, credit) = (ReceiveMode::PeekLock, n % 3);
                    let command = Command::Attach { part: 0, link: 0, from, mode, credit };
                    rig.message(n % 2, Message::new(Body::Broker(command)))
                }
                3 => match locks.pop() {
                    Some((_, lock)) => {
                        let how = [Settlement::Complete, Settlement::Abandon, Settlement::Defer][n as usize % 3];
                        rig.message(n % 2, settle(0, lock, how))
                    }
                    None => Vec::new(),
                },
                4 => rig.advance(Span::secs(u64::from(n))),
                _ => rig.advance(MS),
            };
            locks.extend(delivered(&effects).iter().map(|d| (d.0, d.1)));
        }
        let (layout, store) = {
            let before = glass.0.lock().expect("a lock");
            let store = Store { entities: before.store.entities.clone(), last_lock: before.store.last_lock, tenure: None, shadows: Vec::new() };
            (before.layout.clone(), store)
        };
        let rebuilt = format!("{:?}", Namespace::rebuilt(layout, store));
        crate::node::Process::crash(&mut *glass.0.lock().expect("a lock"));
        proptest::prop_assert_eq!(format!("{:?}", glass.0.lock().expect("a lock")), rebuilt);
    }
}

#[test]
fn a_topic_gives_a_copy_to_each_subscription_that_takes_the_type_and_recognises_repetitions() {
    use crate::node::rig::observed;
    use crate::observe::{Birth, Discard, End, What};
    use crate::services::service_bus::{ServiceBusSubscription, ServiceBusTopic};
    let subscription = |types: Option<&str>| {
        let types = types.map(|word| vec![word.to_owned()]);
        NodeKind::ServiceBusSubscription(ServiceBusSubscription {
            of: "t".into(),
            types,
            ..Default::default()
        })
    };
    let dedup_window = Some(Span::mins(10));
    let plan = plan(vec![
        ("charges", subscription(Some("Charge"))),
        ("all", subscription(None)),
        (
            "t",
            NodeKind::ServiceBusTopic(ServiceBusTopic {
                of: "bus".into(),
                dedup_window,
                ..Default::default()
            }),
        ),
        ("bus", NodeKind::ServiceBus(ServiceBus::default())),
    ])
    .expect("a plan");
    let mut rig = rig(&plan);
    let t = part(&plan, "t");
    let charge = plan.type_id("Charge").expect("a type");
    let typed = |number: u32| Send { items: vec![item(number).typed(charge)], ..send(t, &[]) };
    rig.message(1, typed(1).message(1));
    let effects = rig.advance(MS);
    let born = observed(&effects).filter(|what| matches!(what, What::Born { cause: Birth::FannedOut, .. }));
    assert_eq!(born.count(), 2);
    assert!(observed(&effects).any(|what| matches!(what, What::Ended { cause: End::FannedOut, .. })));
    rig.message(1, send(t, &[2]).message(2));
    rig.advance(MS);
    let held: Vec<&str> = rig.held().iter().map(|h| plan.place(h.place).name.as_str()).collect();
    assert_eq!(held, ["charges", "all", "all"]);
    rig.message(1, typed(1).message(3));
    let effects = rig.advance(MS);
    assert!(observed(&effects).any(|what| matches!(what, What::Absorbed { .. })));
    assert_eq!((events(&effects), rig.held().len()), (vec![Event::Accepted { sequence: 0 }], 3));
    let nobody = What::Ended {
        place: plan.place_named("t").expect("it"),
        cause: End::Discarded(Discard::Unsubscribed),
    };
    assert!(!observed(&effects).any(|what| *what == nobody));
}

#[test]
fn a_scale_controller_learns_how_many_messages_are_active() {
    use crate::message::control::{Answer, Command};
    let plan = one_queue(ServiceBusQueue::default());
    let mut rig = rig(&plan);
    rig.message(1, send(0, &[1, 2, 3]).message(1));
    rig.advance(MS);
    rig.message(2, attach(0, 0, 1));
    let effects = rig.message(3, Message::new(Body::Control(Command::Depth { part: 0 })));
    let answers: Vec<&Body> = bodies(&effects).collect();
    assert_eq!(answers, [&Body::ControlAnswer(Answer::Depth { part: 0, waiting: 3 })]);
}
