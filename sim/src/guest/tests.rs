//! The door and the port on the bench. Guests in whole worlds are tested where their client is.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use super::request::{Delivered, From, Reply, Request};
use super::*;
use crate::blueprint::{Blueprint, Flow, Site};
use crate::ids::{Item, ProcessId};
use crate::message::broker::{Command, Event, ReceiveMode};
use crate::message::{Body, Cargo, Message};
use crate::node::rig::{Rig, bodies, observed, sent};
use crate::node::{Effect, Input};
use crate::observe::{End, Outcome, What};
use crate::services::Service;
use crate::services::service_bus::{ServiceBus, ServiceBusQueue};
use crate::time::{Span, Time};

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn poll(asked: &mut Asked) -> Poll<Reply> {
    pin!(asked).poll(&mut Context::from_waker(Waker::noop()))
}

fn door() -> (Arc<Mailbox>, u64) {
    let door = Mailbox::new("worker", "worker", 0);
    door.begin();
    let epoch = door.take_start().expect("a guest is wanted");
    assert_eq!(door.take_start(), None, "once");
    (door, epoch)
}

#[test]
fn requests_come_in_order_and_a_reply_wakes_whoever_waits() {
    let (door, epoch) = door();
    let poked = Arc::new(Count::default());
    door.on_poke(&Waker::from(Arc::clone(&poked)));
    let (mut one, mut two) =
        (door.ask(epoch, Request::Sleep(Span(1))), door.ask(epoch, Request::Sleep(Span(2))));
    assert_eq!(poked.0.load(Ordering::Relaxed), 2);
    let (first, request) = door.next().expect("the first");
    assert_eq!(request, Request::Sleep(Span(1)));
    let woken = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&woken));
    assert_eq!(pin!(&mut one).poll(&mut Context::from_waker(&waker)), Poll::Pending);
    assert!(door.reply(first, Reply::Woken));
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert_eq!((poll(&mut one), poll(&mut two)), (Poll::Ready(Reply::Woken), Poll::Pending));
    assert_eq!(door.next().map(|(_, request)| request), Some(Request::Sleep(Span(2))));
    assert!(!door.has_requests());
}

#[test]
fn a_dropped_request_is_withdrawn_whether_or_not_it_was_taken() {
    let (door, epoch) = door();
    drop(door.ask(epoch, Request::Sleep(Span(1))));
    assert!(!door.has_requests(), "it had not been taken");
    let asked = door.ask(epoch, Request::Sleep(Span(1)));
    let (request, _) = door.next().expect("it is taken");
    drop(asked);
    assert_eq!(door.next().map(|(_, withdrawn)| withdrawn), Some(Request::Withdraw { request }));
    assert!(!door.reply(request, Reply::Woken), "nobody waits");
}

#[test]
fn a_life_that_is_over_gets_no_replies_and_asks_nothing_of_the_next() {
    let (door, epoch) = door();
    let (mut taken, mut left) =
        (door.ask(epoch, Request::Sleep(Span(1))), door.ask(epoch, Request::Sleep(Span(2))));
    let (request, _) = door.next().expect("one is taken");
    door.close();
    assert!(!door.has_requests() && !door.reply(request, Reply::Woken));
    assert_eq!((poll(&mut taken), poll(&mut left)), (Poll::Ready(Reply::Gone), Poll::Ready(Reply::Gone)));
    door.begin();
    let next = door.take_start().expect("the next life");
    assert_ne!(next, epoch);
    door.tell(epoch, Request::Forget { delivery: request });
    let mut late = door.ask(epoch, Request::Sleep(Span(1)));
    assert_eq!(poll(&mut late), Poll::Ready(Reply::Gone));
    drop((taken, left, late));
    assert!(!door.has_requests(), "nothing of the first life is left for the second");
}

const WORKER: ProcessId = ProcessId(1);

fn plan() -> Plan {
    let mut blueprint = Blueprint::default();
    blueprint.sites.insert("westeurope".to_owned(), Site::default());
    blueprint.flows.insert("orders".to_owned(), Flow::default());
    let queue = ServiceBusQueue { of: "bus".to_owned(), ..ServiceBusQueue::default() };
    for (name, kind) in [
        ("bus", NodeKind::ServiceBus(ServiceBus::default())),
        ("orders", NodeKind::ServiceBusQueue(queue)),
        ("worker", NodeKind::Guest(Guest::default())),
    ] {
        blueprint.nodes.insert(name.to_owned(), kind);
    }
    Plan::new(blueprint).expect("a plan")
}

/// A port whose guest may ask, with its door and the epoch of the guest.
fn bench(plan: &Plan) -> (Rig<'_>, Arc<Mailbox>, u64) {
    let (id, port) = plan.blueprint.nodes["worker"].build("worker", plan).expect("it builds").remove(0);
    assert_eq!(id, WORKER);
    let door = port.mailbox().expect("a door");
    let (mut rig, _) = Rig::new(plan, WORKER, port);
    assert_eq!(door.take_start(), None, "it takes a while to start");
    rig.advance(Span::secs(2));
    let epoch = door.take_start().expect("it serves");
    (rig, door, epoch)
}

fn receive(mode: ReceiveMode) -> Request {
    let name = "orders".to_owned();
    Request::Receive(From { name, mode, prefetch: 0, renew_lock: Span::ZERO, sessions: 1 })
}

/// Lets the broker accept the link that these effects open; returns its number and its credit.
fn attach(rig: &mut Rig<'_>, effects: &[Effect]) -> (u32, u32) {
    let attach = sent(effects).find(|message| matches!(message.body, Body::Broker(Command::Attach { .. })));
    let attach = attach.expect("it attaches").clone();
    let Body::Broker(Command::Attach { link, credit, .. }) = attach.body else { return (0, 0) };
    let event = Event::Attached { link, session: 0, locked_until: Time::ZERO };
    rig.message(0, attach.answer(Body::BrokerEvent(event)));
    (link, credit)
}

fn deliver(rig: &mut Rig<'_>, link: u32, number: u32) -> Vec<Effect> {
    let event = Event::Delivered {
        link,
        delivery_count: 0,
        lock: 0,
        locked_until: Time::ZERO,
        identity: u64::from(number),
        sequence: u64::from(number),
    };
    let item = Item { number, ..Item::default() };
    rig.message(0, Message::new(Body::BrokerEvent(event)).carrying(Cargo::One(item)))
}

fn credits(effects: &[Effect]) -> u32 {
    let more = |body: &Body| match body {
        Body::Broker(Command::Credit { more, .. }) => *more,
        _ => 0,
    };
    bodies(effects).map(more).sum()
}

fn delivered(asked: &mut Asked) -> Delivered {
    match poll(asked) {
        Poll::Ready(Reply::Delivered(delivered)) => delivered,
        other => panic!("no message: {other:?}"),
    }
}

#[test]
fn a_link_has_credit_only_while_somebody_receives() {
    let plan = plan();
    let (mut rig, door, epoch) = bench(&plan);
    let mut asked = door.ask(epoch, receive(ReceiveMode::ReceiveAndDelete));
    let effects = rig.input(Input::Poke);
    let (link, credit) = attach(&mut rig, &effects);
    assert_eq!(credit, 1);
    let effects = deliver(&mut rig, link, 7);
    assert_eq!(credits(&effects), 0, "nobody asks for a second one");
    assert_eq!(delivered(&mut asked).item.number, 7);
    let dropped = door.ask(epoch, receive(ReceiveMode::ReceiveAndDelete));
    assert_eq!(credits(&rig.input(Input::Poke)), 1);
    drop(dropped);
    rig.input(Input::Poke);
    let mut next = door.ask(epoch, receive(ReceiveMode::ReceiveAndDelete));
    assert_eq!(credits(&rig.input(Input::Poke)), 0, "the credit of the dropped one is still out");
    deliver(&mut rig, link, 8);
    assert_eq!(delivered(&mut next).item.number, 8);
}

#[test]
fn what_was_handed_over_to_a_receive_that_was_dropped_goes_to_the_next_in_order() {
    let plan = plan();
    let (mut rig, door, epoch) = bench(&plan);
    let first = door.ask(epoch, receive(ReceiveMode::ReceiveAndDelete));
    let second = door.ask(epoch, receive(ReceiveMode::ReceiveAndDelete));
    let effects = rig.input(Input::Poke);
    let (link, _) = attach(&mut rig, &effects);
    deliver(&mut rig, link, 1);
    deliver(&mut rig, link, 2);
    assert_eq!(rig.held().len(), 2);
    // Both replies are there, and nobody has taken them.
    drop((second, first));
    rig.input(Input::Poke);
    assert_eq!(rig.held().len(), 2, "nothing is lost");
    for number in [1, 2] {
        let mut again = door.ask(epoch, receive(ReceiveMode::ReceiveAndDelete));
        rig.input(Input::Poke);
        assert_eq!(delivered(&mut again).item.number, number);
    }
}

#[test]
fn what_was_taken_for_good_is_held_until_it_is_completed_or_dropped() {
    let plan = plan();
    let (mut rig, door, epoch) = bench(&plan);
    let mut ended = Vec::new();
    let mut link = 0;
    for (number, completes) in [(1, true), (2, false)] {
        let mut asked = door.ask(epoch, receive(ReceiveMode::ReceiveAndDelete));
        let effects = rig.input(Input::Poke);
        if number == 1 {
            (link, _) = attach(&mut rig, &effects);
        }
        let effects = deliver(&mut rig, link, number);
        assert!(observed(&effects).any(|what| matches!(what, What::Born { .. })));
        assert_eq!(rig.held().iter().map(|held| held.item.number).collect::<Vec<_>>(), [number]);
        let delivery = delivered(&mut asked).delivery;
        if completes {
            let how = crate::message::broker::Settlement::Complete;
            let mut asked = door.ask(epoch, Request::Settle { delivery, how });
            ended.extend(rig.input(Input::Poke));
            assert_eq!(poll(&mut asked), Poll::Ready(Reply::Done(Outcome::Ok)));
        } else {
            door.tell(epoch, Request::Forget { delivery });
            ended.extend(rig.input(Input::Poke));
        }
        assert!(rig.held().is_empty());
    }
    let causes: Vec<End> = observed(&ended)
        .filter_map(|what| match what {
            What::Ended { cause, .. } => Some(*cause),
            _ => None,
        })
        .collect();
    assert_eq!(causes, [End::Completed, End::Destroyed]);
}

#[test]
fn after_a_crash_it_is_as_new_and_books_what_died() {
    let plan = plan();
    let (mut rig, door, epoch) = bench(&plan);
    let mut asked = door.ask(epoch, receive(ReceiveMode::ReceiveAndDelete));
    let effects = rig.input(Input::Poke);
    let (link, _) = attach(&mut rig, &effects);
    deliver(&mut rig, link, 3);
    let _ = delivered(&mut asked);
    let mut sleeps = door.ask(epoch, Request::Sleep(Span::secs(60)));
    rig.input(Input::Poke);
    assert!(rig.busy(), "the guest holds a message, so its time is work");
    rig.process.crash();
    let held = rig.held();
    assert_eq!((held.len(), held[0].item.number, held[0].rest), (1, 3, true), "not booked yet");
    assert_eq!(poll(&mut sleeps), Poll::Ready(Reply::Gone));
    let effects = rig.crash();
    let destroyed = What::Ended { place: held[0].place, cause: End::Destroyed };
    assert_eq!(observed(&effects).collect::<Vec<_>>(), [&destroyed]);
    assert!(rig.held().is_empty());
    rig.process.crash();
    let fresh = plan.blueprint.nodes["worker"].build("worker", &plan).expect("it builds").remove(0).1;
    let bare = |process: &dyn std::fmt::Debug| {
        let text = format!("{process:?}");
        // Since when its last program ran is whoever starts it knows, not the process.
        text.split(", since: ").next().map(str::to_owned)
    };
    assert_eq!(bare(&rig.process), bare(&fresh));
}

#[test]
fn a_guest_that_ends_is_started_again_after_a_growing_pause() {
    let plan = plan();
    let (mut rig, door, mut epoch) = bench(&plan);
    for pause in [10, 20, 40] {
        door.tell(epoch, Request::Exit { error: Some("no luck".to_owned()) });
        let effects = rig.input(Input::Poke);
        assert!(effects.contains(&Effect::StopSlot(WORKER)) && effects.contains(&Effect::StartSlot(WORKER)));
        assert_eq!(door.last_words().as_deref(), Some("no luck"));
        rig.crash();
        rig.advance(Span::secs(pause + 1));
        assert_eq!(door.take_start(), None, "too early after {pause}s");
        rig.advance(Span::secs(1));
        epoch = door.take_start().expect("it starts again");
    }
    rig.advance(Span::mins(11));
    door.tell(epoch, Request::Exit { error: None });
    rig.input(Input::Poke);
    rig.crash();
    rig.advance(Span::secs(12));
    assert!(door.take_start().is_some(), "after it has run well, the pause is short again");
}

#[test]
fn a_mistake_of_the_guest_is_told_in_words() {
    let plan = plan();
    let (mut rig, door, epoch) = bench(&plan);
    let from = |name: &str| {
        Request::Receive(From {
            name: name.to_owned(),
            mode: ReceiveMode::PeekLock,
            prefetch: 0,
            renew_lock: Span::ZERO,
            sessions: 1,
        })
    };
    for (name, words) in [
        ("order", "there is no `order`; there is: bus, orders, worker"),
        ("orders.dead", "there is no `orders.dead`; there is: orders, orders.dead-letter"),
        ("worker", "`worker` cannot be received from; name a queue, a subscription or a dead-letter queue"),
    ] {
        let mut asked = door.ask(epoch, from(name));
        rig.input(Input::Poke);
        assert_eq!(poll(&mut asked), Poll::Ready(Reply::Wrong(words.to_owned())));
    }
}
