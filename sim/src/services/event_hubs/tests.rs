mod capture;
mod geo;

use super::*;
use crate::blueprint::{Blueprint, Flow, Site};
use crate::faults::Hook;
use crate::faults::local::Value;
use crate::ids::{Execution, FlowId, Item, Once, StreamId};
use crate::message::broker::{Command, Error, Event};
use crate::message::{Body, Cargo, Message, control};
use crate::node::Effect;
use crate::node::rig::{Rig, bodies, observed};
use crate::observe::{End, What};
use crate::plan::{Plan, PlanError};
use crate::recipe::hosts::ContainerApp;
use crate::services::bench::{Books, fault, message};
use crate::services::{NodeKind, Service};
use crate::time::Span;
use crate::units::Bytes;

const HUB: u16 = 0;
const DEFAULT: u16 = 1;
const BILLING: u16 = 2;

fn hub() -> EventHub {
    EventHub {
        of: "ingest".to_owned(),
        partitions: 2,
        consumer_groups: vec!["billing".to_owned()],
        ..EventHub::default()
    }
}

fn blueprint(namespace: EventHubs, hub: EventHub) -> Blueprint {
    let mut blueprint = Blueprint::default();
    blueprint.sites.insert("westeurope".to_owned(), Site::default());
    blueprint.flows.insert("readings".to_owned(), Flow { size: Bytes(1 << 10), ..Flow::default() });
    blueprint.nodes.insert("ingest".to_owned(), NodeKind::EventHubs(namespace));
    blueprint.nodes.insert("telemetry".to_owned(), NodeKind::EventHub(hub));
    blueprint
}

/// A namespace with a hub that both groups read.
fn plan(namespace: EventHubs, hub: EventHub) -> Result<Plan, Vec<PlanError>> {
    let mut blueprint = blueprint(namespace, hub);
    for (name, trigger) in [("reader", "telemetry"), ("billing", "telemetry.billing")] {
        let app = ContainerApp { trigger: trigger.to_owned(), ..ContainerApp::default() };
        blueprint.nodes.insert(name.to_owned(), NodeKind::ContainerApp(app));
    }
    let mut plan = Plan::new(blueprint)?;
    plan.add_stream("devices", FlowId(0));
    Ok(plan)
}

fn rig(plan: &Plan) -> Rig<'_> {
    let built = plan.blueprint.nodes["ingest"].build("ingest", plan).expect("it builds");
    let (id, process) = built.into_iter().next().expect("it has a process");
    Rig::new(plan, id, process).0
}

fn item(number: u32, key: u32) -> Item {
    Item { number, key, stream: StreamId::named("devices"), ..Item::default() }
}

fn send(call: u64, items: &[Item], key: Once) -> Message {
    let execution = Execution { run: call, message: call };
    let command = Command::Send {
        part: HUB,
        once: Once::NONE,
        session: key,
        execution,
        ttl: Span::FOREVER,
        delay: Span::ZERO,
    };
    message(call, Cargo::of(items.to_vec()), Body::Broker(command))
}

/// A request of a reader.
#[derive(Clone, Copy)]
struct Ask {
    part: u16,
    partition: u16,
    after: u64,
    owner: u64,
    opens: bool,
    done: u64,
}

fn ask(part: u16, partition: u16, owner: u64) -> Ask {
    Ask { part, partition, after: 0, owner, opens: true, done: 0 }
}

impl Ask {
    fn message(self) -> Message {
        let Ask { part, partition, after, owner, opens, done } = self;
        Message::new(Body::Broker(Command::Receive { part, partition, after, max: 50, owner, opens, done }))
    }
}

/// What was received: the numbers of the items, and up to where.
fn received(effects: &[Effect]) -> Vec<(Vec<u32>, u64)> {
    let mut all = Vec::new();
    for effect in effects {
        let Effect::Answer { message, .. } = effect else { continue };
        if let Body::BrokerEvent(Event::Received { upto, .. }) = message.body {
            all.push((message.cargo.items().iter().map(|item| item.number).collect(), upto));
        }
    }
    all
}

fn refused(effects: &[Effect]) -> Vec<Error> {
    let refused = bodies(effects).filter_map(|body| match body {
        Body::BrokerEvent(Event::Refused(error)) => Some(*error),
        _ => None,
    });
    refused.collect()
}

fn accepted(effects: &[Effect]) -> usize {
    bodies(effects).filter(|body| matches!(body, Body::BrokerEvent(Event::Accepted { .. }))).count()
}

fn ended(effects: &[Effect], with: End) -> usize {
    observed(effects).filter(|what| matches!(what, What::Ended { cause, .. } if *cause == with)).count()
}

/// Everything that is in a partition, for a group that reads it from the start.
fn contents(rig: &mut Rig<'_>, part: u16, partition: u16) -> Vec<u32> {
    let mut effects = rig.message(90, ask(part, partition, 90).message());
    // It may have to wait for its turn to go out.
    effects.extend(rig.advance(Span::millis(50)));
    received(&effects).into_iter().next().map(|(items, _)| items).unwrap_or_default()
}

#[test]
fn a_key_keeps_its_partition_and_without_a_key_they_take_turns() {
    let plan = plan(EventHubs::default(), hub()).expect("right");
    let mut rig = rig(&plan);
    for number in 0..40 {
        rig.message(5, send(u64::from(number), &[item(number, number % 4)], Once::KEY));
        rig.advance(Span::millis(5));
    }
    let logs = [contents(&mut rig, DEFAULT, 0), contents(&mut rig, DEFAULT, 1)];
    assert_eq!(logs[0].len() + logs[1].len(), 40);
    for log in &logs {
        assert!(log.is_sorted(), "in order within a partition");
    }
    for key in 0..4 {
        let homes = logs.iter().filter(|log| log.iter().any(|number| number % 4 == key)).count();
        assert_eq!(homes, 1, "key {key}");
    }
    for number in 40..44 {
        rig.message(5, send(u64::from(number), &[item(number, 0)], Once::NONE));
        rig.advance(Span::millis(5));
    }
    let more = [
        contents(&mut rig, BILLING, 0).len() - logs[0].len(),
        contents(&mut rig, BILLING, 1).len() - logs[1].len(),
    ];
    assert_eq!(more, [2, 2]);
}

#[test]
fn a_reader_waits_for_what_comes_and_is_told_when_nothing_does() {
    let plan = plan(EventHubs::default(), hub()).expect("right");
    let mut rig = rig(&plan);
    assert!(received(&rig.message(7, ask(DEFAULT, 0, 7).message())).is_empty());
    assert!(!rig.busy(), "waiting for nothing is upkeep");
    let effects = rig.advance(LONG_POLL);
    assert_eq!(received(&effects), [(Vec::new(), 0)]);
    rig.message(7, Ask { opens: false, ..ask(DEFAULT, 0, 7) }.message());
    rig.message(7, Ask { opens: false, ..ask(DEFAULT, 1, 7) }.message());
    rig.message(5, send(1, &[item(1, 3)], Once::KEY));
    let effects = rig.advance(Span::millis(5));
    assert_eq!(received(&effects), [(vec![1], 1)]);
    assert_eq!(accepted(&effects), 1);
}

#[test]
fn the_newest_reader_wins_and_the_one_before_is_told() {
    let plan = plan(EventHubs::default(), hub()).expect("right");
    let mut rig = rig(&plan);
    rig.message(7, ask(DEFAULT, 0, 7).message());
    let effects = rig.message(8, ask(DEFAULT, 0, 8).message());
    assert_eq!(refused(&effects), [Error::ConsumerDisconnected]);
    let again = Ask { opens: false, ..ask(DEFAULT, 0, 7) };
    assert_eq!(refused(&rig.message(7, again.message())), [Error::ConsumerDisconnected]);
    assert!(refused(&rig.message(7, ask(BILLING, 0, 7).message())).is_empty(), "another group");
}

#[test]
fn the_books_hold_a_copy_until_every_group_that_is_read_has_done_it() {
    let plan = plan(EventHubs::default(), EventHub { partitions: 1, ..hub() }).expect("right");
    let mut rig = rig(&plan);
    let mut books = Books::default();
    for number in 0..3 {
        rig.message(5, send(u64::from(number), &[item(number, 0)], Once::KEY));
        books.book(&rig.advance(Span::millis(5)));
    }
    let read = |rig: &mut Rig<'_>, part, done| {
        rig.message(7, Ask { after: done, done, ..ask(part, 0, u64::from(part)) }.message())
    };
    let effects = read(&mut rig, DEFAULT, 3);
    assert_eq!(ended(&effects, End::Completed), 0);
    let effects = read(&mut rig, BILLING, 2);
    assert_eq!(ended(&effects, End::Completed), 2);
    books.book(&effects);
    assert_eq!(books.held(&rig), books.copies);
    assert_eq!(contents(&mut rig, DEFAULT, 0), [0, 1, 2], "the log keeps them");
    let depth = rig.message(9, Message::new(Body::Control(control::Command::Depth { part: BILLING })));
    let waiting = bodies(&depth).find_map(|body| match body {
        Body::ControlAnswer(control::Answer::Depth { waiting, .. }) => Some(*waiting),
        _ => None,
    });
    assert_eq!(waiting, Some(1));
}

#[test]
fn what_is_not_read_within_the_retention_is_lost_and_the_reader_goes_on_with_what_is_left() {
    let short = EventHub { partitions: 1, retention: Span::hours(1), ..hub() };
    let plan = plan(EventHubs::default(), short).expect("right");
    let mut rig = rig(&plan);
    let mut books = Books::default();
    rig.message(5, send(1, &[item(1, 0), item(2, 0)], Once::KEY));
    books.book(&rig.advance(Span::mins(30)));
    rig.message(5, send(2, &[item(3, 0)], Once::KEY));
    rig.advance(Span::millis(5));
    assert!(!rig.busy(), "retention is upkeep");
    let effects = rig.advance(Span::mins(31));
    assert_eq!(ended(&effects, End::Expired), 2);
    let effects = rig.message(7, ask(DEFAULT, 0, 7).message());
    assert_eq!(received(&effects), [(vec![3], 3)]);
}

#[test]
fn beyond_its_throughput_units_publishers_are_throttled_until_it_has_inflated() {
    let config = EventHubs { auto_inflate: Some(2), ..EventHubs::default() };
    let plan = plan(config, hub()).expect("right");
    let mut rig = rig(&plan);
    let burst = |rig: &mut Rig<'_>, from: u32| {
        let mut effects = Vec::new();
        for number in from..from + 15 {
            // A hundred events of a kilobyte each: the events are used up first.
            let items: Vec<Item> = (0..100).map(|one| item(number * 100 + one, number)).collect();
            effects.extend(rig.message(5, send(u64::from(number), &items, Once::KEY)));
        }
        refused(&effects).iter().filter(|error| **error == Error::ServiceBusy).count()
    };
    assert_eq!(burst(&mut rig, 0), 5);
    rig.advance(Span::secs(1));
    assert_eq!(burst(&mut rig, 20), 5);
    rig.advance(Span::secs(31));
    assert_eq!(burst(&mut rig, 40), 0, "two units now");
    rig.advance(Span::hours(3));
    assert_eq!(burst(&mut rig, 60), 0, "and never one less");
}

#[test]
fn a_batch_that_is_refused_for_its_bytes_uses_up_no_events() {
    let mut blueprint = blueprint(EventHubs::default(), hub());
    blueprint.flows.insert("readings".to_owned(), Flow { size: Bytes(2 << 10), ..Flow::default() });
    let mut plan = Plan::new(blueprint).expect("right");
    plan.add_stream("devices", FlowId(0));
    let mut rig = rig(&plan);
    let mut call = 0;
    let mut batch = |events: u32| {
        call += 1;
        let items: Vec<Item> = (0..events).map(|one| item(call * 1000 + one, call)).collect();
        refused(&rig.message(5, send(u64::from(call), &items, Once::KEY)))
    };
    // 2 KB an event, so that a unit's megabyte holds 512 of its 1000 events.
    assert_eq!(batch(300), []);
    for _ in 0..3 {
        assert_eq!(batch(300), [Error::ServiceBusy], "1200 KB");
    }
    assert_eq!(batch(200), [], "500 events and 1000 KB are within the unit");
    assert_eq!(rig.gauge("ingress events"), Some((500.0, 1000.0)));
    let all = f64::from(1 << 20);
    assert_eq!(rig.gauge("ingress bytes"), Some((all, all)), "a batch was refused for them");
}

#[test]
fn what_goes_out_is_slowed_down_without_an_error() {
    let plan = plan(EventHubs::default(), EventHub { partitions: 1, ..hub() }).expect("right");
    let mut rig = rig(&plan);
    for number in 0..18 {
        let items: Vec<Item> = (0..50).map(|one| item(number * 50 + one, 0)).collect();
        rig.message(5, send(u64::from(number), &items, Once::KEY));
        rig.advance(Span::millis(100));
    }
    let begin = rig.now;
    let mut after = 0;
    while after < 900 {
        let mut effects = rig.message(7, Ask { after, ..ask(DEFAULT, 0, 7) }.message());
        assert!(refused(&effects).is_empty());
        while received(&effects).is_empty() {
            effects = rig.advance(Span::millis(1));
        }
        after = received(&effects)[0].1;
    }
    let (used, units) = rig.gauge("egress").expect("it has units");
    // From 1.8 s on; what is counted is the second that began at 2 s.
    assert!(used > 0.2 && used < 0.25 && units == 1.0, "{used}");
    assert_eq!(rig.gauge("connections"), Some((2.0, 5000.0)));
    // The first of 18 pages goes at once; each keeps the way busy for 50 KB of 2 MB a second.
    let took = rig.now.since(begin);
    assert!(took > Span::millis(410) && took < Span::millis(440), "{took}");
}

#[test]
fn faults_strike_at_their_hooks() {
    let plan = plan(EventHubs::default(), hub()).expect("right");
    let refusals = [
        (Hook::BrokerBusy, Error::ServiceBusy),
        (Hook::StoreDown, Error::GeneralError),
        (Hook::EntityDisabledForSend, Error::MessagingEntityDisabled),
        (Hook::MessageTooLarge, Error::MessageSizeExceeded),
    ];
    for (hook, error) in refusals {
        let mut rig = rig(&plan);
        rig.fault(fault(hook, Value::None));
        assert_eq!(refused(&rig.message(5, send(1, &[item(1, 0)], Once::KEY))), [error], "{hook:?}");
    }
    let mut rig = rig(&plan);
    rig.message(7, ask(DEFAULT, 0, 7).message());
    rig.message(7, ask(DEFAULT, 1, 7).message());
    rig.fault(fault(Hook::EntityDisabledForReceive, Value::None));
    rig.message(5, send(1, &[item(1, 0)], Once::KEY));
    let effects = rig.advance(Span::millis(5));
    assert_eq!(refused(&effects), [Error::MessagingEntityDisabled; 2]);
    assert!(received(&effects).is_empty());
}

#[test]
fn after_a_crash_it_equals_one_that_is_newly_built_with_the_same_logs() {
    let plan = plan(EventHubs::default(), hub()).expect("right");
    let mut rig = rig(&plan);
    let fresh = format!("{:?}", rig.process);
    rig.message(7, ask(DEFAULT, 0, 7).message());
    rig.message(5, send(1, &[], Once::KEY));
    rig.crash();
    assert_eq!(format!("{:?}", rig.process), fresh);
    rig.message(5, send(2, &[item(1, 0)], Once::KEY));
    rig.advance(Span::millis(5));
    rig.crash();
    let all = contents(&mut rig, DEFAULT, 0).len() + contents(&mut rig, DEFAULT, 1).len();
    assert_eq!(all, 1);
}

#[test]
fn what_a_tier_does_not_have_is_refused_with_advice() {
    let words = |namespace: EventHubs, hub: EventHub| match Plan::new(blueprint(namespace, hub)) {
        Ok(plan) => plan.blueprint.nodes["ingest"].build("ingest", &plan).map(|_| ()).map_err(|e| vec![e]),
        Err(errors) => Err(errors),
    };
    let fails = |namespace, hub, what: &str| {
        let errors = words(namespace, hub).expect_err(what);
        let text = format!("{} {}", errors[0], errors[0].help.clone().unwrap_or_default());
        assert!(text.contains(what), "{text}");
    };
    let premium = || EventHubs { tier: Tier::Premium, ..EventHubs::default() };
    let basic = || EventHubs { tier: Tier::Basic, ..EventHubs::default() };
    fails(basic(), hub(), "at most 1");
    fails(EventHubs::default(), EventHub { partitions: 33, ..hub() }, "1 to 32");
    fails(EventHubs::default(), EventHub { retention: Span::days(8), ..hub() }, "1h to 7d");
    fails(EventHubs { throughput_units: 41, ..EventHubs::default() }, hub(), "1 to 40");
    fails(EventHubs { throughput_units: 2, ..premium() }, hub(), "has no throughput units");
    fails(EventHubs { units: 17, ..premium() }, hub(), "1 to 16");
    fails(EventHubs { auto_inflate: Some(4), ..basic() }, hub(), "does not inflate");
    fails(EventHubs { auto_inflate: Some(1), ..EventHubs::default() }, hub(), "cannot grow");
    let twice = vec!["a".to_owned(), "a".to_owned()];
    fails(EventHubs::default(), EventHub { consumer_groups: twice, ..hub() }, "twice");
    fails(EventHubs::default(), EventHub { of: "telemetry".to_owned(), ..hub() }, "is a event-hub");
    words(premium(), EventHub { partitions: 100, retention: Span::days(90), ..hub() }).expect("right");
}
