//! Hand-written histories in pairs: one that is barely valid, and the same with one event more or less.

use std::sync::Arc;

use beaufort_reports::{SeedResult, Verdict};
use beaufort_sim::blueprint::{Blueprint, Flow, Site, Timetable};
use beaufort_sim::ids::{
    Address, ConnectionId, FaultId, FaultMask, FlowId, Item, NodeId, PlaceId, ProcessId, StreamId,
};
use beaufort_sim::observe::{
    Birth, DeadLetterReason, End as Ending, FaultPhase, Held, Observation, Outcome, Sink, What,
};
use beaufort_sim::plan::{Endpoint, NodeInfo, PlaceRole, Plan, Protocol};
use beaufort_sim::time::{Span, Time};
use indexmap::IndexMap;

use super::config::{Contract, Objective};
use super::rules::Measure;
use super::{End, Judges, Rules};

pub(super) const DB: PlaceId = PlaceId(0);
pub(super) const QUEUE: PlaceId = PlaceId(1);
pub(super) const DEAD: PlaceId = PlaceId(2);
pub(super) const LEDGER: PlaceId = PlaceId(3);
pub(super) const CHARGE: PlaceId = PlaceId(4);
pub(super) const REFUND: PlaceId = PlaceId(5);
const DOOR: NodeId = NodeId(0);

/// One flow `orders`, one door `edge`, and places to keep things.
pub(crate) fn plan() -> Arc<Plan> {
    let mut blueprint = Blueprint {
        time: Timetable { warmup: Span::ZERO, run: Span::mins(10), drain: Span::mins(60) },
        ..Blueprint::default()
    };
    blueprint.flows.insert("orders".to_owned(), Flow { key: "customer".to_owned(), ..Flow::default() });
    let mut plan = Plan::new(blueprint).expect("an empty plan");
    for name in ["edge", "db", "payments", "ledger", "psp"] {
        plan.nodes.push(NodeInfo { name: name.to_owned(), hash: 0, steps: Vec::new() });
    }
    let door = Endpoint { address: Address::default(), protocol: Protocol::Http, node: DOOR, place: None };
    plan.add_endpoint("edge", door);
    for (node, place, role) in [
        ("db", "db.order", PlaceRole::Effect),
        ("payments", "payments", PlaceRole::Queue),
        ("payments", "payments.dead-letter", PlaceRole::DeadLetter),
        ("ledger", "ledger", PlaceRole::Effect),
        ("psp", "psp.charge", PlaceRole::Effect),
        ("psp", "psp.refund", PlaceRole::Effect),
    ] {
        plan.add_place(node, place, role);
    }
    plan.add_stream("shoppers", FlowId(0));
    Arc::new(plan)
}

/// What happened to an item, second by second.
#[derive(Clone, Copy, Debug)]
pub(super) enum E {
    Offer(u32),
    Done(u32, Outcome),
    Born(u32, PlaceId),
    Ended(u32, PlaceId),
    Expired(u32, PlaceId),
    Gone(u32, PlaceId, Ending),
    Dead(u32, PlaceId, PlaceId),
    Undone(u32, PlaceId, PlaceId),
}
use E::{Born, Dead, Done, Ended, Expired, Offer, Undone};
const OK: Outcome = Outcome::Ok;

pub(super) fn item(number: u32) -> Item {
    // Odd and even numbers are two customers.
    let stream = StreamId::named("shoppers");
    Item { number, key: number % 2, stream, ..Item::default() }
}

pub(super) fn observation(second: u64, item: Item, what: What) -> Observation {
    Observation {
        at: Time::ZERO + Span::secs(second),
        event: second,
        parent: 0,
        process: ProcessId(0),
        incarnation: 0,
        connection: ConnectionId::NONE,
        item,
        by: FaultMask::NONE,
        what,
    }
}

pub(super) fn history(events: &[E]) -> Vec<Observation> {
    let at = |second: usize| Time::ZERO + Span::secs(second as u64);
    let offered = |number: u32| {
        let offer = events.iter().position(|event| matches!(event, Offer(n) if *n == number));
        at(offer.unwrap_or(0))
    };
    let one = |(second, event): (usize, &E)| {
        let (number, what) = match *event {
            Offer(n) => (n, What::Offered { door: DOOR }),
            Done(n, outcome) => (n, What::Concluded { door: DOOR, outcome, offered: offered(n) }),
            Born(n, place) => (n, What::Born { place, cause: Birth::Stored }),
            Ended(n, place) => (n, What::Ended { place, cause: Ending::Completed }),
            E::Gone(n, place, cause) => (n, What::Ended { place, cause }),
            Expired(n, place) => (n, What::Ended { place, cause: Ending::Expired }),
            Dead(n, from, to) => (n, What::Moved { from, to, reason: Some(DeadLetterReason::Application) }),
            Undone(n, undone, by) => (n, What::Undone { undone, by }),
        };
        observation(second as u64, item(number), what)
    };
    events.iter().enumerate().map(one).collect()
}

/// What the books say must be held; that no other copy exists is what a correct world would report.
pub(super) fn holdings(history: &[Observation]) -> Vec<Held> {
    let mut held: IndexMap<(PlaceId, u32), i32> = IndexMap::new();
    for seen in history {
        let number = seen.item.number;
        match seen.what {
            What::Born { place, .. } => *held.entry((place, number)).or_default() += 1,
            What::Ended { place, .. } => *held.entry((place, number)).or_default() -= 1,
            What::Moved { from, to, .. } => {
                *held.entry((from, number)).or_default() -= 1;
                *held.entry((to, number)).or_default() += 1;
            }
            _ => {}
        }
    }
    let one = |((place, number), copies): ((PlaceId, u32), i32)| Held {
        place,
        item: item(number),
        copies: copies.unsigned_abs(),
        rest: place != QUEUE,
        shut: false,
    };
    held.into_iter().filter(|(_, copies)| *copies > 0).map(one).collect()
}

pub(super) fn rules(plan: &Plan, contracts: &[(&str, &str)], objectives: &[(&str, &str)]) -> Rules {
    let contracts: IndexMap<String, Contract> = contracts
        .iter()
        .map(|(name, text)| ((*name).to_owned(), serde_json::from_str(text).expect("a contract")))
        .collect();
    let objectives: IndexMap<String, Objective> = objectives
        .iter()
        .map(|(name, text)| ((*name).to_owned(), serde_json::from_str(text).expect("an objective")))
        .collect();
    Rules::resolve(plan, &contracts, &objectives).expect("resolves")
}

pub(super) fn judge(rules: Rules, history: &[Observation], quiescent: bool) -> SeedResult {
    let plan = plan();
    let mut judges = Judges::new(&plan, &Arc::new(rules));
    history.iter().for_each(|seen| judges.observe(seen));
    let at = history.last().map_or(Time::ZERO, |last| last.at) + Span::secs(1);
    let end = End { at: if quiescent { at } else { plan.deadline() }, quiescent, ..End::default() };
    let held = holdings(history);
    judges.finish(&end, |out| held.iter().for_each(|one| out(*one)))
}

/// The verdict of one contract and its reasons.
fn verdict(contract: &str, events: &[E]) -> (Verdict, Vec<String>) {
    let result = judge(rules(&plan(), &[("c", contract)], &[]), &history(events), true);
    assert!(result.errors.is_empty(), "{:?}", result.errors);
    let contract = &result.contracts[0];
    assert_eq!(contract.verdict == Verdict::Fail, contract.violated > 0);
    assert_eq!(contract.violations.len() as u64, contract.violated.min(20));
    (contract.verdict, contract.reasons.keys().cloned().collect())
}

/// The history passes; with the event at `index` left out, or with `more` after it, it fails so.
fn pair(contract: &str, valid: &[E], change: Change, reason: &str) {
    assert_eq!(verdict(contract, valid).0, Verdict::Pass, "{contract}: {valid:?}");
    let mut invalid = valid.to_vec();
    match change {
        Change::Without(index) => drop(invalid.remove(index)),
        Change::With(event) => invalid.push(event),
        Change::Swap(a, b) => invalid.swap(a, b),
    }
    let (verdict, reasons) = verdict(contract, &invalid);
    assert_eq!((verdict, reasons), (Verdict::Fail, vec![reason.to_owned()]), "{contract}: {invalid:?}");
}

enum Change {
    Without(usize),
    With(E),
    Swap(usize, usize),
}
use Change::{Swap, With, Without};

const AT_LEAST: &str = r#"{"at-least-once":{"target":"orders","accepted-at":"db.order","effect-at":["ledger"],"or-parked-in":"payments.dead-letter"}}"#;
const EXACTLY: &str =
    r#"{"exactly-once":{"target":"orders","accepted-at":"edge","effect-at":["db.order","ledger"]}}"#;

#[test]
fn at_least_once_needs_the_effect() {
    let valid = [Offer(0), Born(0, DB), Done(0, OK), Born(0, QUEUE), Ended(0, QUEUE), Born(0, LEDGER)];
    pair(AT_LEAST, &valid, Without(5), "lost");
    // With the end of the queue's copy left out as well, a copy is still there: stuck.
    let stuck = [Offer(0), Born(0, DB), Done(0, OK), Born(0, QUEUE)];
    assert_eq!(verdict(AT_LEAST, &stuck), (Verdict::Fail, vec!["stuck".to_owned()]));
}

#[test]
fn at_least_once_is_kept_by_parking_only_where_the_line_says_so() {
    let parked = [Offer(0), Born(0, DB), Done(0, OK), Born(0, QUEUE), Dead(0, QUEUE, DEAD)];
    pair(AT_LEAST, &parked, With(Ended(0, DEAD)), "lost");
    let strict = AT_LEAST.replace(r#","or-parked-in":"payments.dead-letter""#, "");
    assert_eq!(verdict(&strict, &parked), (Verdict::Fail, vec!["stuck".to_owned()]));
}

#[test]
fn an_expired_copy_is_told_as_the_cause() {
    let events = [Offer(0), Born(0, DB), Born(0, QUEUE), Expired(0, QUEUE)];
    let result = judge(rules(&plan(), &[("c", AT_LEAST)], &[]), &history(&events), true);
    assert_eq!(result.contracts[0].fates.expired, 1);
    assert!(result.contracts[0].violations[0].detail.contains("expired"));
}

#[test]
fn exactly_once_fails_by_one_more_and_by_one_less() {
    let valid = [Offer(0), Born(0, DB), Born(0, LEDGER), Done(0, OK)];
    pair(EXACTLY, &valid, With(Born(0, LEDGER)), "doubled");
    pair(EXACTLY, &valid, Without(2), "lost");
}

#[test]
fn a_door_accepts_only_what_the_caller_was_told() {
    for (outcome, fate) in [(Outcome::Unknown, 1), (Outcome::Refused, 0)] {
        let events =
            [Offer(0), Born(0, DB), Born(0, LEDGER), Done(0, OK), Offer(1), Born(1, DB), Done(1, outcome)];
        let result = judge(rules(&plan(), &[("c", EXACTLY)], &[]), &history(&events), true);
        assert_eq!(result.contracts[0].verdict, Verdict::Pass, "{:?}", result.contracts[0]);
        assert_eq!(result.contracts[0].fates.unknown_effected, fate);
    }
}

#[test]
fn at_most_once_sees_the_duplicate_of_an_item_of_long_ago() {
    let contract = r#"{"at-most-once":{"target":"orders","effect-at":"ledger"}}"#;
    let mut valid: Vec<E> = (0..5000).flat_map(|n| [Offer(n), Born(n, LEDGER), Done(n, OK)]).collect();
    pair(contract, &valid, With(Born(1, LEDGER)), "doubled");
    valid.push(Born(1, LEDGER));
    let result = judge(rules(&plan(), &[("c", contract)], &[]), &history(&valid), true);
    let violation = &result.contracts[0].violations[0];
    assert_eq!((violation.number, violation.at_seconds, violation.key), (1, Some(15_000.0), Some(1)));
}

#[test]
fn a_phantom_is_an_effect_that_nobody_accepted() {
    let contract = r#"{"no-phantom":{"target":"orders","accepted-at":"db.order","effect-at":"ledger"}}"#;
    // The effect may come first, as long as the acceptance follows.
    pair(contract, &[Offer(0), Born(0, LEDGER), Born(0, DB)], Without(2), "phantom");
    let contract = r#"{"no-phantom":{"target":"orders","accepted-at":"edge","effect-at":"ledger"}}"#;
    let told = [Offer(0), Born(0, LEDGER), Done(0, Outcome::Unknown)];
    assert_eq!(verdict(contract, &told).0, Verdict::Pass);
    let refused = [Offer(0), Born(0, LEDGER), Done(0, Outcome::Refused)];
    assert_eq!(verdict(contract, &refused), (Verdict::Fail, vec!["phantom".to_owned()]));
}

#[test]
fn order_against_a_place_is_the_sequence_in_which_it_stored() {
    let contract =
        r#"{"ordered":{"target":"orders","per":"customer","effect-at":"ledger","accepted-at":"db.order"}}"#;
    let valid = [Offer(0), Offer(2), Born(0, DB), Born(2, DB), Born(0, LEDGER), Born(2, LEDGER)];
    pair(contract, &valid, Swap(4, 5), "reordered");
    // Another customer's order, a lost one and a second effect do not matter.
    let other = [Offer(0), Offer(1), Born(0, DB), Born(1, DB), Born(1, LEDGER), Born(0, LEDGER)];
    assert_eq!(verdict(contract, &other).0, Verdict::Pass);
    let lost = [Offer(0), Offer(2), Born(0, DB), Born(2, DB), Born(2, LEDGER)];
    assert_eq!(verdict(contract, &lost).0, Verdict::Pass);
    // Effects before their acceptance are put in order when it comes.
    let early = [Born(2, LEDGER), Born(0, LEDGER), Born(2, DB), Born(0, DB)];
    let late = [Born(2, LEDGER), Born(0, LEDGER), Born(0, DB), Born(2, DB)];
    assert_eq!(verdict(contract, &early).0, Verdict::Pass);
    assert_eq!(verdict(contract, &late).0, Verdict::Fail);
}

#[test]
fn order_against_the_door_leaves_overlapping_requests_unordered() {
    let contract = r#"{"ordered":{"target":"orders","per":"customer","effect-at":"ledger"}}"#;
    let apart = [Offer(0), Done(0, OK), Offer(2), Done(2, OK), Born(0, LEDGER), Born(2, LEDGER)];
    pair(contract, &apart, Swap(4, 5), "reordered");
    let overlapping = [Offer(0), Offer(2), Done(0, OK), Done(2, OK), Born(2, LEDGER), Born(0, LEDGER)];
    assert_eq!(verdict(contract, &overlapping).0, Verdict::Pass);
}

#[test]
fn all_or_nothing_counts_what_was_not_undone() {
    let contract = r#"{"all-or-nothing":{"target":"orders","of":["psp","ledger"]}}"#;
    pair(contract, &[Offer(0), Born(0, CHARGE), Born(0, LEDGER)], Without(2), "partial");
    let compensated = [Offer(0), Born(0, CHARGE), Born(0, REFUND), Undone(0, CHARGE, REFUND)];
    pair(contract, &compensated, Without(3), "partial");
}

#[test]
fn an_effect_implies_the_others() {
    let contract = r#"{"implies":{"target":"orders","if":"db.order","then":["psp.charge","ledger"]}}"#;
    pair(contract, &[Offer(0), Born(0, DB), Born(0, CHARGE), Born(0, LEDGER)], Without(3), "partial");
    pair(contract, &[Offer(0), Born(0, CHARGE), Born(0, LEDGER), Born(0, DB)], Without(1), "partial");
}

#[test]
fn a_newer_item_covers_an_older_one_only_where_the_line_says_so() {
    let contract = r#"{"exactly-once":{"target":"orders","accepted-at":"db.order","effect-at":"ledger","latest-per":"customer"}}"#;
    let valid = [Offer(0), Offer(2), Born(0, DB), Born(2, DB), Born(2, LEDGER)];
    pair(contract, &valid, Swap(2, 3), "lost");
    let strict = contract.replace(r#","latest-per":"customer""#, "");
    assert_eq!(verdict(&strict, &valid).0, Verdict::Fail);
}

#[test]
fn what_is_under_way_at_the_deadline_is_late_and_inconclusive_unless_it_only_repeats() {
    let events = [Offer(0), Born(0, DB), Born(0, LEDGER), Offer(2), Born(2, DB), Born(2, QUEUE)];
    let mut history = history(&events);
    let run = |history: &[Observation]| judge(rules(&plan(), &[("c", AT_LEAST)], &[]), history, false);
    let stuck = run(&history);
    assert_eq!(stuck.contracts[0].verdict, Verdict::Fail);
    assert_eq!(stuck.contracts[0].reasons["stuck"], 1);
    if let Some(last) = history.last_mut() {
        last.at = plan().deadline() - Span::mins(1);
    }
    let late = run(&history);
    assert_eq!(late.contracts[0].verdict, Verdict::Inconclusive);
    assert!(late.cause.contains("still on the way"), "{}", late.cause);
}

#[test]
fn the_copies_book_notices_a_copy_that_vanished_came_from_nowhere_or_was_exchanged() {
    let plan = plan();
    let mut judges = Judges::new(
        &plan,
        &Arc::new(Rules::resolve(&plan, &IndexMap::new(), &IndexMap::new()).expect("empty")),
    );
    history(&[Offer(0), Offer(1), Born(0, QUEUE), Born(1, QUEUE), Ended(1, QUEUE)])
        .iter()
        .for_each(|o| judges.observe(o));
    let held = |number: u32| Held { place: QUEUE, item: item(number), copies: 1, rest: false, shut: false };
    let audit = |list: &[Held]| judges.audit(|out| list.iter().for_each(|one| out(*one)));
    assert_eq!(audit(&[held(0)]), []);
    assert!(audit(&[])[0].message.contains("1 vanished"));
    assert!(audit(&[held(0), held(1)])[0].message.contains("1 came from nowhere"));
    let error = &audit(&[held(1)])[0];
    assert!(error.message.contains("not those that were booked"), "{error:?}");
    assert_eq!(error.subject, "payments");
}

#[test]
fn an_imbalance_is_our_own_error_and_beats_every_verdict() {
    let plan = plan();
    let rules = rules(&plan, &[("c", EXACTLY)], &[]);
    let mut judges = Judges::new(&plan, &Arc::new(rules));
    history(&[Offer(0), Done(0, OK), Born(0, DB)]).iter().for_each(|o| judges.observe(o));
    let end = End { at: Time::ZERO + Span::secs(9), quiescent: true, ..End::default() };
    let result = judges.finish(&end, |_| {});
    assert_eq!(result.verdict, Verdict::Error);
    assert!(result.cause.contains("db.order"), "{}", result.cause);
}

#[test]
fn nothing_checked_and_no_traffic_are_inconclusive() {
    let result = judge(rules(&plan(), &[("c", EXACTLY)], &[]), &[], true);
    assert_eq!(result.verdict, Verdict::Inconclusive);
    assert_eq!(result.doubts.len(), 2, "{:?}", result.doubts);
}

/// For a minute every item has its effect at once; then, for 40 s of a fault, none has; then two a second.
fn outage() -> Vec<Observation> {
    let mut seen = Vec::new();
    let fault = |phase| What::Fault { fault: FaultId(0), phase };
    let mut shipped = 0;
    for second in 0..200u32 {
        let mut push =
            |number: u32, what: What| seen.push(observation(u64::from(second), item(number), what));
        match second {
            60 => push(0, fault(FaultPhase::Started)),
            100 => push(0, fault(FaultPhase::Healed)),
            _ => {}
        }
        push(second, What::Offered { door: DOOR });
        push(second, What::Born { place: DB, cause: Birth::Stored });
        let effects = if (60..100).contains(&second) { 0 } else { 2.min(second + 1 - shipped) };
        for _ in 0..effects {
            push(shipped, What::Born { place: LEDGER, cause: Birth::Stored });
            shipped += 1;
        }
    }
    seen
}

#[test]
fn a_backlog_lies_in_places_or_between_two_points_and_where_nothing_waits_nothing_is_proved() {
    let mut plan = (*plan()).clone();
    let fault = r#"{"entity.disable":{"target":"payments","at":"1m","for":"40s"}}"#;
    plan.blueprint.faults.insert("outage".to_owned(), serde_json::from_str(fault).expect("a fault"));
    let plan = Arc::new(plan);
    let flow = r#"{"drain-time":{"target":"orders","accepted-at":"db.order","effect-at":"ledger","after":"outage","below":"25s"}}"#;
    let place = r#"{"drain-time":{"target":"payments","after":"outage","below":"25s"}}"#;
    let rules = rules(&plan, &[("c", AT_LEAST)], &[("between", flow), ("queue", place)]);
    let mut judges = Judges::new(&plan, &Arc::new(rules));
    let history = outage();
    history.iter().for_each(|seen| judges.observe(seen));
    let held = holdings(&history);
    let end = End { at: Time::ZERO + Span::secs(200), quiescent: true, ..End::default() };
    let result = judges.finish(&end, |out| held.iter().for_each(|one| out(*one)));
    let [between, queue] = &result.objectives[..] else { panic!("{:?}", result.objectives) };
    // 40 wait when the fault is healed, and one less each second after; 10 are no backlog.
    assert_eq!((between.verdict, between.achieved.as_str()), (Verdict::Fail, "29.0s"), "{between:?}");
    assert_eq!(queue.verdict, Verdict::Inconclusive, "{queue:?}");
}

#[test]
fn the_backlog_of_a_flow_needs_both_points() {
    let mut plan = (*plan()).clone();
    let fault = r#"{"entity.disable":{"target":"payments"}}"#;
    plan.blueprint.faults.insert("outage".to_owned(), serde_json::from_str(fault).expect("a fault"));
    let half =
        r#"{"drain-time":{"target":"orders","accepted-at":"db.order","after":"outage","below":"25s"}}"#;
    let half = IndexMap::from([("half".to_owned(), serde_json::from_str(half).expect("an objective"))]);
    let errors = Rules::resolve(&plan, &IndexMap::new(), &half).expect_err("refused");
    assert!(errors[0].message.contains("between two points"), "{errors:?}");
}

#[test]
fn the_backlog_of_a_topic_is_in_its_subscriptions() {
    let nodes = r#"{
        "bus": {"service-bus": {}},
        "events": {"service-bus-topic": {"of": "bus"}},
        "shipping": {"service-bus-subscription": {"of": "events"}},
        "billing": {"service-bus-subscription": {"of": "events"}}
    }"#;
    let mut blueprint =
        Blueprint { nodes: serde_json::from_str(nodes).expect("nodes"), ..Blueprint::default() };
    blueprint.sites.insert("here".to_owned(), Site::default());
    let fault = r#"{"entity.disable":{"target":"events"}}"#;
    blueprint.faults.insert("outage".to_owned(), serde_json::from_str(fault).expect("a fault"));
    let plan = Plan::new(blueprint).expect("a plan");
    let drain = r#"{"drain-time":{"target":"events","after":"outage","below":"25s"}}"#;
    let rules = rules(&plan, &[], &[("drain", drain)]);
    let Measure::Drain { places, .. } = &rules.objectives[0].measure else { panic!("{rules:?}") };
    let names: Vec<&str> = places.iter().map(|place| plan.place(*place).name.as_str()).collect();
    assert_eq!(names, ["shipping", "billing"]);
}
