//! The interpreter: points, outcomes, undoing, batches, faults in the app's own code.

use super::bench::*;
use super::*;
use crate::faults::Hook;
use crate::faults::local::Value;
use crate::message::{Body, Cargo, store};
use crate::node::Effect;
use crate::node::rig::{Rig, observed, sent};
use crate::observe::{Handling, Symptom};
use crate::recipe::hosts::ContainerApp;

fn app(steps: Vec<Step>) -> ContainerApp {
    ContainerApp { trigger: "http".to_owned(), steps, ..ContainerApp::default() }
}

fn with_app(app: ContainerApp) -> Plan {
    let services = ["reserve", "release undoes reserve", "charge", "refund undoes charge", "book"];
    plan(vec![
        ("orders-db", database(&["order", "event"])),
        ("psp", endpoint(&services)),
        ("api", NodeKind::ContainerApp(app)),
    ])
    .expect("a plan")
}

const RESERVE: u16 = 0;
const RELEASE: u16 = 1;
const CHARGE: u16 = 2;
const REFUND: u16 = 3;
const BOOK: u16 = 4;

fn handled(effects: &[Effect]) -> Vec<Handling> {
    observed(effects)
        .filter_map(|what| if let What::Handled { how, .. } = what { Some(*how) } else { None })
        .collect()
}

#[test]
fn a_run_passes_before_in_doubt_and_after_of_each_step_in_order() {
    let plan = with_app(app(vec![
        work(Span::millis(8)),
        transaction(vec![insert("orders-db.order", None), insert("orders-db.event", None)]),
        reply(202),
    ]));
    let mut rig = bench(&plan, "api#0");
    watch(&mut rig, &plan, plan.node("api").expect("a node"));
    let begun = rig.message(CLIENT, request(1, item(1)));
    assert_eq!(trace(&plan, "api", &begun), ["before work", "in doubt work"]);
    let written = rig.advance(Span::millis(8));
    assert_eq!(
        trace(&plan, "api", &written),
        ["after work", "before transaction", "call", "in doubt transaction"]
    );
    let Some(Body::Store(store::Command::Write { operations, .. })) = sent(&written).map(|m| &m.body).next()
    else {
        panic!("no write: {written:?}");
    };
    assert_eq!(operations.iter().map(|o| o.part).collect::<Vec<_>>(), [0, 1]);
    let replied = answer(&mut rig, process(&plan, "orders-db"), &written, done());
    assert_eq!(trace(&plan, "api", &replied), ["after transaction", "before reply", "answer", "after reply"]);
    assert_eq!((replies(&replied), handled(&replied)), (vec![202], vec![Handling::Stored]));
    assert!(!rig.busy());
}

/// Runs the saga until the given answers are used up; returns the parts that were called and the replies.
fn saga(plan: &Plan, answers: &[u16]) -> (Vec<u16>, Vec<u16>) {
    let mut rig = bench(plan, "api#0");
    let psp = process(plan, "psp");
    let (mut called, mut replied) = (Vec::new(), Vec::new());
    let mut effects = rig.message(CLIENT, request(1, item(1)));
    for code in answers {
        called.extend(requests(&effects).iter().map(|(part, _)| *part));
        effects = answer(&mut rig, psp, &effects, status(*code));
        replied.extend(replies(&effects));
    }
    called.extend(requests(&effects).iter().map(|(part, _)| *part));
    (called, replied)
}

fn steps_of_a_saga() -> Vec<Step> {
    vec![
        call("psp", "reserve", "release"),
        call("psp", "charge", "refund"),
        call("psp", "book", ""),
        reply(200),
    ]
}

#[test]
fn a_recipe_may_reply_first_and_does_each_step_once() {
    let plan = with_app(app(vec![
        reply(202),
        call("psp", "book", ""),
        work(Span::millis(1)),
        insert("orders-db.order", None),
    ]));
    let mut rig = bench(&plan, "api#0");
    let begun = rig.message(CLIENT, request(1, item(1)));
    assert_eq!((replies(&begun), requests(&begun).len()), (vec![202], 1));
    let called = answer(&mut rig, process(&plan, "psp"), &begun, status(200));
    assert!(requests(&called).is_empty());
    let writes = |effects: &[Effect]| sent(effects).filter(|m| matches!(m.body, Body::Store(_))).count();
    assert_eq!(writes(&rig.advance(Span::millis(1))), 1);
    assert_eq!(writes(&rig.advance(Span::secs(1))), 0);
}

#[test]
fn what_was_done_is_undone_in_reverse_order_and_the_request_is_refused() {
    let plan = with_app(app(steps_of_a_saga()));
    assert_eq!(saga(&plan, &[200, 200, 200]), (vec![RESERVE, CHARGE, BOOK], vec![200]));
    let (called, replied) = saga(&plan, &[200, 200, 422, 200, 200]);
    assert_eq!(called, [RESERVE, CHARGE, BOOK, REFUND, RELEASE]);
    assert_eq!(replied, [409]);
    // An undo that fails does not keep the others from being tried.
    assert_eq!(saga(&plan, &[200, 200, 422, 500, 200]), (called, replied));
}

#[test]
fn what_may_have_happened_is_undone_unless_told_otherwise() {
    let plan = with_app(app(steps_of_a_saga()));
    assert_eq!(saga(&plan, &[200, 500, 200, 200]), (vec![RESERVE, CHARGE, REFUND, RELEASE], vec![500]));
    // A definite error leaves nothing to undo.
    assert_eq!(saga(&plan, &[200, 503, 200]), (vec![RESERVE, CHARGE, RELEASE], vec![500]));
    let trusting = ContainerApp { undo_unknown: false, ..app(steps_of_a_saga()) };
    let plan = with_app(trusting);
    assert_eq!(saga(&plan, &[200, 500, 200]), (vec![RESERVE, CHARGE, RELEASE], vec![500]));
}

#[test]
fn after_the_pivot_nothing_is_undone() {
    let mut steps = steps_of_a_saga();
    if let Step::Call(charge) = &mut steps[1] {
        charge.pivot = true;
    }
    let plan = with_app(app(steps));
    assert_eq!(saga(&plan, &[200, 200, 422]), (vec![RESERVE, CHARGE, BOOK], vec![409]));
    assert_eq!(saga(&plan, &[200, 422, 200]), (vec![RESERVE, CHARGE, RELEASE], vec![409]));
}

#[test]
fn a_refusal_and_a_failure_have_handlers_that_stand_in_for_each_other() {
    let both = ContainerApp {
        on_refusal: Some(vec![reply(418)]),
        on_failure: Some(vec![reply(507)]),
        ..app(vec![call("psp", "book", ""), reply(200)])
    };
    let plan = with_app(both.clone());
    assert_eq!(saga(&plan, &[404]).1, [418]);
    assert_eq!(saga(&plan, &[503]).1, [507]);
    let plan = with_app(ContainerApp { on_refusal: None, ..both.clone() });
    assert_eq!(saga(&plan, &[404]).1, [507]);
    let plan = with_app(ContainerApp { on_failure: None, ..both });
    assert_eq!(saga(&plan, &[503]).1, [418]);
}

#[test]
fn steps_together_are_all_waited_for_and_a_failure_outweighs_a_refusal() {
    let together = step::Together {
        target: vec![
            call("psp", "reserve", "release"),
            call("psp", "charge", "refund"),
            call("psp", "book", ""),
        ],
        name: None,
    };
    let plan = with_app(app(vec![Step::Together(together), reply(200)]));
    for (codes, reply, undone) in [
        ([200, 200, 200], 200, vec![]),
        ([200, 422, 503], 500, vec![RELEASE]),
        ([422, 200, 422], 409, vec![REFUND]),
    ] {
        let mut rig = bench(&plan, "api#0");
        let psp = process(&plan, "psp");
        let begun = rig.message(CLIENT, request(1, item(1)));
        assert_eq!(requests(&begun).len(), 3);
        let calls: Vec<_> = sent(&begun).cloned().collect();
        let mut effects = Vec::new();
        for (call, code) in calls.iter().zip(codes) {
            assert_eq!(replies(&effects), Vec::<u16>::new(), "it did not wait for all");
            effects = rig.message(psp, call.answer(status(code)));
        }
        for part in undone {
            assert_eq!(requests(&effects).iter().map(|(part, _)| *part).collect::<Vec<_>>(), [part]);
            effects = answer(&mut rig, psp, &effects, status(200));
        }
        assert_eq!(replies(&effects), [reply]);
    }
}

fn polled(rig: &mut Rig<'_>, plan: &Plan, numbers: &[u32]) -> Vec<Effect> {
    let ticked = rig.advance(Span::secs(31));
    let db = process(plan, "orders-db");
    let poll = sent(&ticked)
        .filter(|m| matches!(m.body, Body::Store(store::Command::Poll { .. })))
        .last()
        .expect("a poll");
    let rows = Body::StoreAnswer(store::Answer::Rows { range: 0, upto: 0 });
    let cargo = Cargo::of(numbers.iter().map(|number| item(*number)).collect());
    rig.message(db, poll.answer(rows).carrying(cargo))
}

fn relay() -> Plan {
    let relay = ContainerApp {
        trigger: "orders-db.event".to_owned(),
        batch: Some(3),
        steps: vec![call("psp", "book", ""), insert("orders-db.order", None), delete("orders-db.event")],
        ..ContainerApp::default()
    };
    with_app(relay)
}

#[test]
fn a_batch_is_written_at_once_and_called_one_by_one() {
    let plan = relay();
    let mut rig = bench(&plan, "api#0");
    let (psp, db) = (process(&plan, "psp"), process(&plan, "orders-db"));
    let mut effects = polled(&mut rig, &plan, &[1, 2, 3]);
    for number in 1..=3 {
        let request = sent(&effects).last().expect("a call").clone();
        assert_eq!(request.cargo, Cargo::One(item(number)));
        effects = answer(&mut rig, psp, &effects, status(200));
    }
    for part in [0, 1] {
        let message = sent(&effects).last().expect("a write").clone();
        let Body::Store(store::Command::Write { operations, .. }) = &message.body else {
            panic!("{message:?}")
        };
        assert_eq!((message.cargo.items().len(), operations[0].part), (3, part));
        effects = answer(&mut rig, db, &effects, done());
    }
    // The batch was full, so that there may be more.
    assert!(sent(&effects).any(|m| matches!(m.body, Body::Store(store::Command::Poll { .. }))));
}

#[test]
fn a_batch_whose_call_fails_is_read_again_with_another_run() {
    let plan = relay();
    let mut rig = bench(&plan, "api#0");
    let psp = process(&plan, "psp");
    let key = |effects: &[Effect]| match sent(effects).last().map(|m| &m.body) {
        Some(Body::Request(request)) => (request.key, request.execution.run, request.execution.message),
        other => panic!("{other:?}"),
    };
    let first = polled(&mut rig, &plan, &[1, 2]);
    let failed = answer(&mut rig, psp, &first, status(503));
    assert!(observed(&failed).any(|what| *what == What::Symptom(Symptom::RunFailed)));
    let again = polled(&mut rig, &plan, &[1, 2]);
    assert_eq!(key(&first).0, key(&again).0, "the item is the same");
    assert_ne!(key(&first).1, key(&again).1, "the run is not");
    assert_eq!(key(&first).2, key(&again).2, "the message is");
}

#[test]
fn a_poison_item_throws_in_its_first_effect_every_time_and_others_do_not() {
    let plan = with_app(app(vec![work(Span::millis(1)), insert("orders-db.order", None), reply(200)]));
    let mut rig = bench(&plan, "api#0");
    let poison = crate::faults::local::Active {
        frequency: crate::faults::local::Frequency::Nth(2),
        ..fault(Hook::Poison, Value::None)
    };
    rig.fault(poison);
    for call in [1, 2] {
        rig.message(CLIENT, request(call, item(3)));
        let thrown = rig.advance(Span::millis(1));
        assert_eq!(replies(&thrown), [500]);
        assert!(sent(&thrown).all(|m| !matches!(m.body, Body::Store(_))), "nothing was sent");
        assert!(observed(&thrown).any(|what| *what == What::Touched));
    }
    rig.message(CLIENT, request(3, item(4)));
    assert!(sent(&rig.advance(Span::millis(1))).any(|m| matches!(m.body, Body::Store(_))));
}

#[test]
fn a_step_that_throws_fails_the_run_at_that_step_only() {
    let plan = with_app(app(vec![call("psp", "book", ""), insert("orders-db.order", None), reply(200)]));
    let insert = plan.step_index(plan.node("api").expect("a node"), "insert").expect("a step");
    let mut rig = bench(&plan, "api#0");
    rig.fault(crate::faults::local::Active { part: Some(insert), ..fault(Hook::StepException, Value::None) });
    let called = rig.message(CLIENT, request(1, item(1)));
    assert_eq!(requests(&called).len(), 1, "the first step is not concerned");
    let thrown = answer(&mut rig, process(&plan, "psp"), &called, status(200));
    assert_eq!(replies(&thrown), [500]);
}

#[test]
fn a_hung_run_takes_its_place_and_answers_nobody() {
    let single = ContainerApp { concurrency: Some(1), ..app(vec![work(Span::millis(1)), reply(200)]) };
    let plan = with_app(single);
    let mut rig = bench(&plan, "api#0");
    let hang = fault(Hook::Hang, Value::Span(Span::secs(30)));
    rig.fault(crate::faults::local::Active { left: Some(1), ..hang });
    rig.message(CLIENT, request(1, item(1)));
    let waits = rig.message(CLIENT, request(2, item(2)));
    assert!(observed(&waits).any(|what| *what == What::Symptom(Symptom::Throttled)));
    assert!(replies(&rig.advance(Span::secs(29))).is_empty());
    assert_eq!(replies(&rig.advance(Span::secs(2))), [200, 200]);
}

#[test]
fn a_slow_consumer_takes_longer_for_its_work() {
    let plan = with_app(app(vec![work(Span::millis(10)), reply(200)]));
    let mut rig = bench(&plan, "api#0");
    rig.fault(fault(Hook::SlowConsumer, Value::Number(3000)));
    rig.message(CLIENT, request(1, item(1)));
    assert!(replies(&rig.advance(Span::millis(29))).is_empty());
    assert_eq!(replies(&rig.advance(Span::millis(1))), [200]);
}

#[test]
fn a_slow_start_delays_what_an_instance_says_about_itself() {
    let plan = with_app(app(vec![reply(200)]));
    let (id, worker) = build(&plan, "api#0");
    let (mut rig, _) = Rig::new(&plan, id, worker);
    rig.advance(Span::secs(2));
    assert_eq!(replies(&rig.message(CLIENT, request(1, item(1)))), [200]);
    rig.fault(fault(Hook::SlowStart, Value::Span(Span::secs(60))));
    rig.crash();
    rig.advance(Span::secs(61));
    assert_eq!(replies(&rig.message(CLIENT, request(2, item(1)))), [503]);
    rig.advance(Span::secs(1));
    assert_eq!(replies(&rig.message(CLIENT, request(3, item(1)))), [200]);
}
