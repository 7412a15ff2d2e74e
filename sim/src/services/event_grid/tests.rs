//! A topic on the bench, with two consumers (processes 1 and 2) and a container (process 3).

use crate::blueprint::{Blueprint, Flow, Site};
use crate::faults::Hook;
use crate::faults::local::{Active, Frequency, Value};
use crate::ids::{Address, CallId, FaultId, FlowId, Item, NodeId, PlaceId, ProcessId, TypeId};
use crate::message::http::{Request, Response, Verb};
use crate::message::{Body, Cargo, Message, store};
use crate::node::rig::{Rig, observed};
use crate::node::{CloseReason, Effect, Process};
use crate::observe::{Birth, Discard, End, Handling, Outcome, Symptom, What};
use crate::plan::{Endpoint, Plan, PlanError, Protocol};
use crate::services::event_grid::{EventGridSubscription, EventGridTopic};
use crate::services::{NodeKind, Service};
use crate::time::Span;
use crate::units::Rate;

const CLIENT: u32 = 9;
const A: u32 = 1;
const B: u32 = 2;
const CONTAINER: u32 = 3;
const TOPIC: PlaceId = PlaceId(0);
const TO_A: PlaceId = PlaceId(1);

fn blueprint(a: EventGridSubscription) -> Blueprint {
    let mut blueprint = Blueprint::default();
    blueprint.sites.insert("west".into(), Site::default());
    blueprint.flows.insert("orders".into(), Flow::default());
    let of = |config| EventGridSubscription { of: "placed".into(), ..config };
    blueprint.nodes.insert("placed".into(), NodeKind::EventGridTopic(EventGridTopic::default()));
    blueprint.nodes.insert("to-a".into(), NodeKind::EventGridSubscription(of(a)));
    let b = EventGridSubscription { types: Some(vec!["Special".into()]), ..Default::default() };
    blueprint.nodes.insert("to-b".into(), NodeKind::EventGridSubscription(of(b)));
    blueprint
}

fn plan(a: EventGridSubscription) -> Plan {
    let mut plan = Plan::new(blueprint(a)).unwrap();
    plan.add_stream("shoppers", FlowId(0));
    let address = |process| Address { process: ProcessId(process), part: 5 };
    plan.add_consumer("to-a", NodeId(0), address(A));
    plan.add_consumer("to-b", NodeId(0), address(B));
    let node = NodeId(0);
    let endpoint = Endpoint { address: address(CONTAINER), protocol: Protocol::Store, node, place: None };
    plan.add_endpoint("undelivered", endpoint);
    plan
}

fn build(plan: &Plan) -> Result<Box<dyn Process>, PlanError> {
    Ok(plan.blueprint.nodes["placed"].build("placed", plan)?.remove(0).1)
}

/// A topic whose endpoints are validated.
fn rig(plan: &Plan) -> Rig<'_> {
    let (mut rig, effects) = Rig::new(plan, ProcessId(0), build(plan).unwrap());
    for (to, message) in calls(&effects) {
        assert!(matches!(message.body, Body::Request(Request { verb: Verb::Validate, part: 5, .. })));
        rig.message(to, message.answer(Body::Response(Response::status(200))));
    }
    rig
}

fn calls(effects: &[Effect]) -> Vec<(u32, Message)> {
    let call = |effect: &Effect| match effect {
        Effect::Call { to, message } => Some((to.0, message.clone())),
        _ => None,
    };
    effects.iter().filter_map(call).collect()
}

fn item(number: u32) -> Item {
    Item { number, stream: crate::ids::StreamId::named("shoppers"), ..Item::default() }
}

fn publish_as(rig: &mut Rig<'_>, items: Vec<Item>) -> Vec<Effect> {
    let execution = Default::default();
    let request = Request { part: 0, verb: Verb::Publish, key: Some(7), secret: 0, execution };
    let call = CallId(5_000 + u64::from(items[0].number));
    let message = Message::new(Body::Request(request)).carrying(Cargo::of(items));
    let mut effects = rig.message(CLIENT, Message { call, attempt: 1, ..message });
    effects.extend(rig.advance(Span::millis(1))); // the disk of the bench
    effects
}

fn publish(rig: &mut Rig<'_>, number: u32) -> Vec<Effect> {
    publish_as(rig, vec![item(number)])
}

/// The status that the publisher gets.
fn status(effects: &[Effect]) -> Option<u16> {
    effects.iter().find_map(|effect| match effect {
        Effect::Answer { message: Message { body: Body::Response(response), .. }, .. } => {
            Some(response.status)
        }
        _ => None,
    })
}

fn answer(rig: &mut Rig<'_>, push: &(u32, Message), status: u16) -> Vec<Effect> {
    rig.message(push.0, push.1.answer(Body::Response(Response::status(status))))
}

fn ended(effects: &[Effect], place: PlaceId) -> Vec<End> {
    let end = |what: &What| match what {
        What::Ended { place: at, cause } if *at == place => Some(*cause),
        _ => None,
    };
    observed(effects).filter_map(end).collect()
}

fn fault(hook: Hook, value: Value) -> Active {
    let frequency = Frequency::Always;
    Active { fault: FaultId(0), label: 1, hook, part: None, frequency, left: None, value, hidden: false }
}

fn touched(effects: &[Effect]) -> bool {
    observed(effects).any(|what| *what == What::Touched)
}

/// Lets every attempt fail with this status and returns when they were made.
fn attempts(rig: &mut Rig<'_>, mut effects: Vec<Effect>, code: u16, within: Span) -> (Vec<u64>, Vec<Effect>) {
    let (start, mut times, mut log) = (rig.now, Vec::new(), Vec::new());
    while rig.now.since(start) < within {
        for push in calls(&effects).into_iter().filter(|(to, _)| *to == A) {
            times.push(rig.now.since(start).0 / 1_000_000_000);
            log.extend(answer(rig, &push, code));
        }
        effects = rig.advance(Span::secs(1));
        log.extend(effects.clone());
    }
    (times, log)
}

#[test]
fn an_event_is_accepted_when_it_is_on_disk_and_goes_to_every_matching_subscription() {
    let plan = plan(EventGridSubscription::default());
    let mut rig = rig(&plan);
    let effects = publish(&mut rig, 1);
    assert_eq!(status(&effects), Some(200));
    assert!(observed(&effects).any(|w| matches!(w, What::Handled { how: Handling::Stored, .. })));
    assert!(observed(&effects).any(|w| *w == What::Born { place: TOPIC, cause: Birth::Stored }));
    assert!(observed(&effects).any(|w| *w == What::Born { place: TO_A, cause: Birth::FannedOut }));
    assert_eq!(ended(&effects, TOPIC), [End::FannedOut]);
    let pushes = calls(&effects);
    assert_eq!(pushes.len(), 1, "the other subscription takes another type");
    assert!(matches!(
        pushes[0].1.body,
        Body::Request(Request { verb: Verb::Push, part: 5, key: Some(_), .. })
    ));
    assert_eq!(rig.held().len(), 1);
    assert_eq!(ended(&answer(&mut rig, &pushes[0], 200), TO_A), [End::Completed]);
    assert!(rig.held().is_empty() && !rig.busy());
    let special = item(2).typed(plan.type_id("Special").unwrap());
    let effects = publish_as(&mut rig, vec![special, item(3)]);
    assert_eq!(calls(&effects).len(), 3, "one of the two goes to both");
    assert_ne!(special.kind, TypeId(0));
}

#[test]
fn what_is_not_on_disk_at_a_crash_was_not_accepted() {
    let plan = plan(EventGridSubscription::default());
    let mut rig = rig(&plan);
    let request =
        Request { part: 0, verb: Verb::Publish, key: None, secret: 0, execution: Default::default() };
    let message = Message::new(Body::Request(request)).carrying(Cargo::One(item(1)));
    assert!(observed(&rig.message(CLIENT, message)).next().is_none());
    rig.crash();
    assert!(rig.held().is_empty());
    assert!(calls(&rig.advance(Span::mins(1))).is_empty());
}

#[test]
fn failed_attempts_follow_the_schedule_until_they_are_used_up() {
    let config = EventGridSubscription { max_attempts: 5, ..Default::default() };
    let plan = plan(config);
    let mut rig = rig(&plan);
    let first = publish(&mut rig, 1);
    let (times, log) = attempts(&mut rig, first, 500, Span::mins(30));
    // 0 s, then after 10 s, 30 s, 1 min and 5 min, each up to a twentieth longer.
    let wanted = [0, 10, 40, 100, 400];
    assert_eq!(times.len(), wanted.len(), "{times:?}");
    assert!(times.iter().zip(wanted).all(|(at, due)| (due..=due + due / 20 + 5).contains(at)), "{times:?}");
    assert_eq!(ended(&log, TO_A), [End::Discarded(Discard::Undeliverable)]);
    assert!(rig.held().is_empty() && !rig.busy());
}

#[test]
fn the_time_to_live_is_looked_at_only_when_an_attempt_is_due() {
    let config = EventGridSubscription { ttl: Span::mins(30), max_attempts: 10, ..Default::default() };
    let plan = plan(config);
    let mut rig = rig(&plan);
    let first = publish(&mut rig, 1);
    let (times, log) = attempts(&mut rig, first, 500, Span::mins(40));
    assert_eq!(times.len(), 6, "the documented example: six attempts only");
    assert_eq!(ended(&log, TO_A), []);
    assert_eq!(rig.held().len(), 1, "thirty minutes are long over");
    let log = rig.advance(Span::mins(15));
    assert_eq!(ended(&log, TO_A), [End::Expired]);
}

#[test]
fn an_undeliverable_event_becomes_a_dead_letter_five_minutes_after_its_last_attempt() {
    let config = EventGridSubscription { dead_letter: Some("undelivered".into()), ..Default::default() };
    let plan = plan(config);
    let mut rig = rig(&plan);
    let push = calls(&publish(&mut rig, 1)).remove(0);
    answer(&mut rig, &push, 400); // final
    assert!(calls(&rig.advance(Span::secs(299))).is_empty());
    let (to, write) = calls(&rig.advance(Span::secs(1))).remove(0);
    assert!(to == CONTAINER && matches!(write.body, Body::Store(store::Command::Write { .. })));
    assert_eq!(rig.held().len(), 1, "until the container has it");
    let done = Body::StoreAnswer(store::Answer::Done { absorbed: false });
    assert_eq!(ended(&rig.message(CONTAINER, write.answer(done)), TO_A), [End::Completed]);
    assert!(!rig.busy());
}

#[test]
fn an_event_is_dropped_when_the_container_is_unavailable_for_four_hours() {
    let config = EventGridSubscription { dead_letter: Some("undelivered".into()), ..Default::default() };
    let plan = plan(config);
    let mut rig = rig(&plan);
    let push = calls(&publish(&mut rig, 1)).remove(0);
    answer(&mut rig, &push, 413);
    let down = || {
        let error = store::Error::Unavailable;
        Body::StoreAnswer(store::Answer::Refused { error, retry_after: None })
    };
    let start = rig.now;
    let mut log = Vec::new();
    while ended(&log, TO_A).is_empty() && rig.now.since(start) < Span::hours(6) {
        let effects = rig.advance(Span::secs(1));
        for (to, write) in calls(&effects) {
            log.extend(rig.message(to, write.answer(down())));
        }
        log.extend(effects);
    }
    assert_eq!(ended(&log, TO_A), [End::Discarded(Discard::DeadLetterUnavailable)]);
    let minutes = rig.now.since(start).0 / 60_000_000_000;
    assert!((245..255).contains(&minutes), "{minutes}");
}

#[test]
fn no_answer_within_thirty_seconds_is_a_failure_but_a_late_success_still_counts() {
    let plan = plan(EventGridSubscription::default());
    let mut rig = rig(&plan);
    let push = calls(&publish(&mut rig, 1)).remove(0);
    let effects = rig.advance(Span::secs(30));
    assert!(observed(&effects).any(|w| matches!(w, What::Answered { outcome: Outcome::Unknown, .. })));
    assert!(observed(&effects).any(|w| *w == What::Symptom(Symptom::Timeout)));
    assert_eq!(ended(&answer(&mut rig, &push, 200), TO_A), [End::Completed]);
    assert!(calls(&rig.advance(Span::hours(1))).is_empty(), "it is not pushed again");
}

#[test]
fn a_broken_connection_means_another_attempt() {
    let plan = plan(EventGridSubscription::default());
    let mut rig = rig(&plan);
    publish(&mut rig, 1);
    let effects = rig.closed(A, CloseReason::Reset);
    assert!(observed(&effects).any(|w| matches!(w, What::Answered { outcome: Outcome::Unknown, .. })));
    let again = calls(&rig.advance(Span::secs(11))).remove(0);
    assert_eq!(again.1.attempt, 2);
    assert_eq!(ended(&answer(&mut rig, &again, 204), TO_A), [End::Completed]);
}

#[test]
fn ten_failures_in_a_row_put_the_subscription_on_probation_and_a_success_ends_it() {
    let plan = plan(EventGridSubscription::default());
    let mut rig = rig(&plan);
    for number in 0..10 {
        let push = calls(&publish(&mut rig, number)).remove(0);
        answer(&mut rig, &push, 404);
    }
    assert!(calls(&publish(&mut rig, 10)).is_empty(), "not even a new event is tried");
    assert!(calls(&rig.advance(Span::secs(295))).is_empty());
    let tried = calls(&rig.advance(Span::secs(10)));
    assert_eq!(tried.len(), 11, "all that has become due meanwhile");
    answer(&mut rig, &tried[0], 500);
    assert!(calls(&publish(&mut rig, 11)).is_empty(), "one more failure and it is back, for longer");
    answer(&mut rig, &tried[1], 200);
    assert_eq!(calls(&publish(&mut rig, 12)).len(), 1);
}

#[test]
fn at_most_so_many_pushes_are_under_way() {
    let plan = plan(EventGridSubscription { outstanding: 2, ..Default::default() });
    let mut rig = rig(&plan);
    let open: Vec<_> = (0..5).flat_map(|number| calls(&publish(&mut rig, number))).collect();
    assert_eq!(open.len(), 2);
    assert_eq!(calls(&answer(&mut rig, &open[0], 200)).len(), 1);
}

#[test]
fn nothing_is_pushed_before_the_endpoint_says_200_to_the_handshake() {
    let plan = plan(EventGridSubscription::default());
    let (mut rig, effects) = Rig::new(&plan, ProcessId(0), build(&plan).unwrap());
    let shake = calls(&effects).remove(0);
    assert!(calls(&publish(&mut rig, 1)).is_empty());
    answer(&mut rig, &shake, 202); // 202 is not valid
    let again = calls(&rig.advance(Span::secs(5))).remove(0);
    assert!(answer(&mut rig, &shake, 200).is_empty(), "an answer to an earlier handshake");
    let pushes = calls(&answer(&mut rig, &again, 200));
    assert_eq!(pushes.len(), 1, "what was published meanwhile is pushed now");
}

#[test]
fn after_a_crash_deliveries_go_on_where_they_were() {
    let config = EventGridSubscription { dead_letter: Some("undelivered".into()), ..Default::default() };
    let plan = plan(config);
    let mut rig = rig(&plan);
    let pushes: Vec<_> = (1..4).flat_map(|number| calls(&publish(&mut rig, number))).collect();
    answer(&mut rig, &pushes[0], 500);
    answer(&mut rig, &pushes[1], 400);
    rig.process.crash();
    let crashed = format!("{:?}", rig.process);
    // Newly built with the same durable state: what `crash` leaves must not depend on what was volatile.
    let mut again = rig.process.clone_box();
    again.crash();
    assert_eq!(crashed, format!("{again:?}"));
    for volatile in [
        "busy: Busy { activities: [], ready: [], outstanding: 0, handshake: None",
        "publishing: Slab { slots: []",
    ] {
        assert!(crashed.contains(volatile), "{crashed}");
    }
    let mut effects = rig.crash();
    effects.extend(rig.advance(Span::ZERO));
    let again = calls(&effects);
    assert_eq!(again.len(), 1, "only the push that was under way is repeated at once");
    assert_eq!((again[0].1.attempt, again[0].1.cargo.first()), (2, Some(item(3))));
    let later = calls(&rig.advance(Span::secs(11)));
    assert_eq!(later[0].1.cargo.first(), Some(item(1)));
    let dead = calls(&rig.advance(Span::mins(5)));
    assert!(dead.iter().any(|(to, write)| *to == CONTAINER && write.cargo.first() == Some(item(2))));
    assert_eq!(rig.held().len(), 3);
}

#[test]
fn a_new_topic_and_a_crashed_one_are_equal() {
    let plan = plan(EventGridSubscription::default());
    let mut rig = Rig::new(&plan, ProcessId(0), build(&plan).unwrap()).0;
    rig.fault(fault(Hook::RouterThrottle, Value::Rate(Rate::per_second(5.0))));
    let request =
        Request { part: 0, verb: Verb::Publish, key: None, secret: 0, execution: Default::default() };
    rig.message(CLIENT, Message::new(Body::Request(request)).carrying(Cargo::One(item(1))));
    rig.process.crash();
    assert_eq!(format!("{:?}", rig.process), format!("{:?}", build(&plan).unwrap()));
}

#[test]
fn a_failing_push_does_not_reach_the_endpoint_and_is_tried_again() {
    let plan = plan(EventGridSubscription::default());
    for (value, pause) in [(Value::Number(503), 30), (Value::Number(0), 40)] {
        let mut rig = rig(&plan);
        rig.fault(fault(Hook::PushFails, value));
        let effects = publish(&mut rig, 1);
        assert!(touched(&effects) && calls(&effects).is_empty());
        rig.faults.end(FaultId(0));
        assert!(calls(&rig.advance(Span::secs(pause - 1))).is_empty());
        assert_eq!(calls(&rig.advance(Span::secs(2))).len(), 1);
    }
}

#[test]
fn a_failing_handshake_leaves_the_subscription_without_copies_until_it_heals() {
    let plan = plan(EventGridSubscription::default());
    let mut rig = rig(&plan);
    rig.fault(Active { part: Some(1), ..fault(Hook::HandshakeFails, Value::None) });
    let effects = publish(&mut rig, 1);
    assert!(touched(&effects));
    assert_eq!(ended(&effects, TOPIC), [End::Discarded(Discard::Unsubscribed)]);
    let shake = calls(&effects).remove(0);
    assert!(observed(&answer(&mut rig, &shake, 200)).any(|w| matches!(w, What::Trouble { .. })));
    rig.faults.end(FaultId(0));
    let shake = calls(&rig.advance(Span::secs(5))).remove(0);
    answer(&mut rig, &shake, 200);
    assert_eq!(calls(&publish(&mut rig, 2)).len(), 1);
}

#[test]
fn a_missing_container_keeps_the_event_until_it_is_back() {
    let config = EventGridSubscription { dead_letter: Some("undelivered".into()), ..Default::default() };
    let plan = plan(config);
    let mut rig = rig(&plan);
    rig.fault(fault(Hook::DeadLetterMissing, Value::None));
    let push = calls(&publish(&mut rig, 1)).remove(0);
    answer(&mut rig, &push, 400);
    let effects = rig.advance(Span::mins(6));
    assert!(touched(&effects) && calls(&effects).is_empty());
    rig.faults.end(FaultId(0));
    assert_eq!(calls(&rig.advance(Span::mins(5))).len(), 1);
}

#[test]
fn pushes_can_be_doubled_and_overtaken() {
    let plan = plan(EventGridSubscription::default());
    let mut rig = rig(&plan);
    rig.fault(fault(Hook::PushTwice, Value::None));
    let pushes = calls(&publish(&mut rig, 1));
    assert_eq!(pushes.len(), 2);
    assert_eq!(pushes[0].1.body, pushes[1].1.body);
    for push in &pushes {
        let effects = answer(&mut rig, push, 200);
        assert_eq!(observed(&effects).filter(|w| matches!(w, What::Answered { .. })).count(), 1);
    }
    assert!(!rig.busy() && rig.held().is_empty());
    rig.faults.end(FaultId(0));
    rig.fault(Active { left: Some(1), ..fault(Hook::PushOutOfOrder, Value::None) });
    assert!(calls(&publish(&mut rig, 2)).is_empty());
    assert_eq!(calls(&publish(&mut rig, 3)).len(), 1);
    assert_eq!(calls(&rig.advance(Span::secs(5)))[0].1.cargo.first(), Some(item(2)));
}

#[test]
fn a_throttled_router_refuses_and_a_misfiltering_one_errs() {
    let plan = plan(EventGridSubscription::default());
    let mut rig = rig(&plan);
    rig.fault(fault(Hook::RouterThrottle, Value::Rate(Rate::per_second(1.0))));
    assert_eq!(status(&publish(&mut rig, 1)), Some(200));
    let effects = publish(&mut rig, 2);
    assert!(touched(&effects));
    assert_eq!(status(&effects), Some(429));
    assert!(observed(&effects).any(|w| matches!(w, What::Handled { how: Handling::Rejected, .. })));
    rig.faults.end(FaultId(0));
    rig.fault(fault(Hook::RouterMisfilter, Value::None));
    let effects = publish(&mut rig, 3);
    assert!(touched(&effects));
    assert_eq!(calls(&effects).iter().map(|(to, _)| *to).collect::<Vec<_>>(), [B]);
    rig.faults.end(FaultId(0));
    assert_eq!(calls(&publish(&mut rig, 4))[0].0, A);
}

#[test]
fn too_many_events_a_second_are_refused() {
    let plan = plan(EventGridSubscription::default());
    let mut rig = rig(&plan);
    let batch = |from: u32| (from..from + 900).map(item).collect::<Vec<_>>();
    let statuses: Vec<_> = (0..6).map(|n| status(&publish_as(&mut rig, batch(n * 900)))).collect();
    assert_eq!(statuses, [Some(200), Some(200), Some(200), Some(200), Some(200), Some(429)]);
    assert_eq!(rig.gauge("ingress"), Some((4500.0, 5000.0)));
    assert_eq!(rig.gauge("outstanding pushes"), Some((100.0, 100.0)));
    let large = (0..1025).map(item).collect();
    rig.advance(Span::secs(2));
    assert_eq!(status(&publish_as(&mut rig, large)), Some(413), "more than a megabyte");
}

#[test]
fn a_probe_is_answered() {
    let plan = plan(EventGridSubscription::default());
    let effects = rig(&plan).message(CLIENT, Message::new(Body::Probe));
    assert!(
        matches!(&effects[0], Effect::Answer { message, .. } if message.body == Body::ProbeAnswer { ready: true })
    );
}

#[test]
fn a_subscription_that_makes_no_sense_is_refused() {
    let error = |config| match Plan::new(blueprint(config)) {
        Err(errors) => errors[0].to_string(),
        Ok(plan) => build(&plan).unwrap_err().to_string(),
    };
    let config = EventGridSubscription::default;
    assert!(error(EventGridSubscription { ttl: Span::days(2), ..config() }).contains("between 1m and 24h"));
    assert!(error(EventGridSubscription { max_attempts: 31, ..config() }).contains("between 1 and 30"));
    assert!(error(config()).contains("nobody takes its events"));
    let mut plan = plan(EventGridSubscription { dead_letter: Some("nowhere".into()), ..config() });
    assert!(build(&plan).unwrap_err().to_string().contains("nowhere"));
    plan.add_consumer("to-a", NodeId(1), Address::default());
    assert!(build(&plan).unwrap_err().to_string().contains("several apps"));
    let mut stray = blueprint(config());
    stray.nodes.insert("to-c".into(), NodeKind::EventGridSubscription(config()));
    assert!(Plan::new(stray).unwrap_err()[0].to_string().contains("not an event-grid-topic"));
}
