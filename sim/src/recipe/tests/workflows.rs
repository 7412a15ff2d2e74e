//! Managed workflows: what one location keeps, what switching it off stops, when its runs are given up.

use super::bench::*;
use super::*;
use crate::message::{Body, Message, control, store};
use crate::node::Effect;
use crate::node::rig::{Rig, bodies, observed, sent};
use crate::observe::{Discard, End, Handling, Symptom};
use crate::recipe::hosts::LogicApp;
use crate::units::OneOrMany;

fn workflow(it: LogicApp) -> Plan {
    plan(vec![
        ("stock", database(&[])),
        ("psp", endpoint(&["charge"])),
        ("inbox", database(&["order"])),
        ("saga", NodeKind::LogicApp(it)),
    ])
    .expect("a plan")
}

fn saga() -> LogicApp {
    LogicApp {
        trigger: "http".to_owned(),
        steps: vec![
            reply(202),
            call("psp", "charge", ""),
            Step::Wait(step::Wait { target: Span::mins(10), name: None }),
            insert("stock", None),
        ],
        ..LogicApp::default()
    }
}

fn switched(it: LogicApp) -> Plan {
    workflow(LogicApp { enabled_in: OneOrMany::One("westeurope".to_owned()), ..it })
}

fn switch(rig: &mut Rig<'_>, plan: &Plan, on: bool) -> Vec<Effect> {
    let enable = Message::new(Body::Control(control::Command::Enable { part: 0, on }));
    rig.message(process(plan, "saga.control"), enable)
}

fn ask(rig: &mut Rig<'_>, call: u64, number: u32) -> Vec<Effect> {
    let effects = rig.message(CLIENT, request(call, item(number)));
    [effects, rig.advance(Span::millis(5))].concat()
}

fn ready(rig: &mut Rig<'_>) -> bool {
    let effects = rig.message(CLIENT, Message::new(Body::Probe));
    bodies(&effects).any(|body| *body == Body::ProbeAnswer { ready: true })
}

fn runs(effects: &[Effect]) -> usize {
    observed(effects).filter(|what| matches!(what, What::RunStarted { .. })).count()
}

fn writes(effects: &[Effect]) -> usize {
    bodies(effects).filter(|body| matches!(body, Body::Store(store::Command::Write { .. }))).count()
}

#[test]
fn one_that_is_switched_off_finishes_its_runs_and_begins_none() {
    let plan = switched(saga());
    let mut rig = bench(&plan, "saga");
    assert_eq!(replies(&ask(&mut rig, 1, 1)), [503], "it has not been told yet that it is on");
    let told = switch(&mut rig, &plan, true);
    assert!(bodies(&told).any(|body| *body == Body::ControlAnswer(control::Answer::Done)));
    assert!(ready(&mut rig));
    let begun = ask(&mut rig, 2, 1);
    assert_eq!((replies(&begun), requests(&begun).len()), (vec![202], 1));
    switch(&mut rig, &plan, false);
    assert!(!ready(&mut rig));
    let refused = ask(&mut rig, 3, 2);
    assert_eq!(replies(&refused), [404]);
    assert!(observed(&refused).any(|what| matches!(what, What::Handled { how: Handling::Rejected, .. })));
    answer(&mut rig, process(&plan, "psp"), &begun, status(200));
    assert_eq!(writes(&rig.advance(Span::mins(11))), 1, "the run went on");
}

#[test]
fn a_run_is_resumed_where_it_began_although_nobody_has_switched_that_location_on() {
    let plan = switched(saga());
    let mut rig = bench(&plan, "saga");
    switch(&mut rig, &plan, true);
    let first = requests(&ask(&mut rig, 1, 1));
    let resumed = [rig.crash(), rig.advance(Span::secs(20))].concat();
    assert_eq!(requests(&resumed), first);
    let asks = sent(&resumed)
        .filter(|message| matches!(message.body, Body::Control(control::Command::Ready { .. })))
        .count();
    assert!(asks > 1, "it asks its control plane until it is told: {asks}");
    assert_eq!(replies(&ask(&mut rig, 2, 2)), [503]);
    switch(&mut rig, &plan, true);
    assert_eq!(replies(&ask(&mut rig, 3, 2)), [202]);
}

#[test]
fn what_is_wanted_is_confirmed_at_once_and_takes_effect_after_a_while() {
    let plan = switched(saga());
    let mut rig = bench(&plan, "saga.control");
    let switches = |effects: &[Effect], on: bool| {
        let command = Body::Control(control::Command::Enable { part: 0, on });
        bodies(effects).any(|body| *body == command)
    };
    let off = Body::Control(control::Command::Enable { part: 0, on: false });
    let told = rig.message(CLIENT, Message { call: crate::ids::CallId(1), ..Message::new(off) });
    assert!(bodies(&told).any(|body| *body == Body::ControlAnswer(control::Answer::Done)));
    assert!(!switches(&told, false));
    assert!(!switches(&rig.advance(Span::millis(4_999)), false), "not before 5 s");
    assert!(switches(&rig.advance(Span::millis(25_002)), false), "after 30 s at the latest");
}

#[test]
fn a_recurrence_fires_while_it_is_on_in_step_with_the_clock() {
    let steps = vec![work(Span::secs(1))];
    let plan = switched(LogicApp { trigger: "every 1m".to_owned(), steps, ..LogicApp::default() });
    let mut rig = bench(&plan, "saga");
    assert_eq!(runs(&rig.advance(Span::mins(5))), 0);
    switch(&mut rig, &plan, true);
    assert_eq!(runs(&rig.advance(Span::mins(5))), 5);
    switch(&mut rig, &plan, false);
    assert_eq!(runs(&rig.advance(Span::mins(5))), 0);
    switch(&mut rig, &plan, true);
    switch(&mut rig, &plan, false);
    switch(&mut rig, &plan, true);
    assert_eq!(runs(&rig.advance(Span::mins(5))), 5, "and no tick twice");
}

#[test]
fn a_polling_trigger_looks_only_while_it_is_on() {
    let steps = vec![insert("stock", None), delete("inbox.order")];
    let plan = switched(LogicApp { trigger: "inbox.order".to_owned(), steps, ..LogicApp::default() });
    let polls = |effects: &[Effect]| {
        bodies(effects).filter(|body| matches!(body, Body::Store(store::Command::Poll { .. }))).count()
    };
    let mut rig = bench(&plan, "saga");
    assert_eq!(polls(&rig.advance(Span::mins(2))), 0);
    let looks = [switch(&mut rig, &plan, true), rig.advance(Span::mins(1))].concat();
    assert!(polls(&looks) > 0);
    switch(&mut rig, &plan, false);
    let poll = sent(&looks).find(|message| matches!(message.body, Body::Store(_))).expect("a poll").clone();
    let rows = Body::StoreAnswer(store::Answer::Rows { range: 0, upto: 0 });
    let late = poll.answer(rows).carrying(crate::message::Cargo::One(item(1)));
    assert_eq!(runs(&rig.message(process(&plan, "inbox"), late)), 0, "it stays where it is");
    assert_eq!(polls(&rig.advance(Span::mins(2))), 0);
}

#[test]
fn a_run_that_takes_too_long_is_given_up_in_a_wait_and_after_an_outage() {
    let five = LogicApp { run_duration: Some(Span::mins(5)), ..saga() };
    let plan = workflow(five);
    let place = plan.place_named("saga").expect("a place");
    let ended = What::Ended { place, cause: End::Discarded(Discard::Undeliverable) };
    for outage in [false, true] {
        let mut rig = bench(&plan, "saga");
        let begun = ask(&mut rig, 1, 1);
        let charged = answer(&mut rig, process(&plan, "psp"), &begun, status(200));
        let mut effects = [charged, rig.advance(Span::mins(4))].concat();
        assert!(!observed(&effects).any(|what| *what == ended));
        if outage {
            effects.extend(rig.crash());
        }
        effects.extend(rig.advance(Span::secs(61)));
        assert!(observed(&effects).any(|what| *what == ended));
        assert!(observed(&effects).any(|what| matches!(what, What::RunEnded { done: false, .. })));
        assert!(rig.held().is_empty() && writes(&rig.advance(Span::mins(20))) == 0);
    }
}

#[test]
fn a_stateless_run_is_gone_with_the_process() {
    let stateless = LogicApp { stateful: false, ..saga() };
    let plan = workflow(stateless.clone());
    assert_eq!(stateless.run_duration(), Span::mins(5));
    assert!(plan.place_named("saga").is_none(), "nothing is written down");
    let mut rig = bench(&plan, "saga");
    let begun = ask(&mut rig, 1, 1);
    assert_eq!((replies(&begun), requests(&begun).len()), (vec![202], 1));
    let after = [rig.crash(), rig.advance(Span::mins(20))].concat();
    assert!(requests(&after).is_empty());
}

#[test]
fn with_trigger_concurrency_only_so_many_requests_wait() {
    let plan = workflow(LogicApp { concurrency: Some(1), waiting_runs: Some(1), ..saga() });
    let mut rig = bench(&plan, "saga");
    assert_eq!(replies(&ask(&mut rig, 1, 1)), [202]);
    assert!(replies(&ask(&mut rig, 2, 2)).is_empty(), "it waits");
    let third = ask(&mut rig, 3, 3);
    assert_eq!(replies(&third), [429]);
    assert!(observed(&third).any(|what| *what == What::Symptom(Symptom::Throttled)));
}

#[test]
fn every_action_is_retried_four_times_whatever_its_connector_speaks() {
    let steps = vec![reply(202), insert("stock", None)];
    let plan = workflow(LogicApp { trigger: "http".to_owned(), steps, ..LogicApp::default() });
    let mut rig = bench(&plan, "saga");
    let mut effects = ask(&mut rig, 1, 1);
    let mut tries = 0;
    let away = store::Answer::Refused { error: store::Error::Unavailable, retry_after: None };
    while writes(&effects) > 0 {
        tries += 1;
        let answered = answer(&mut rig, process(&plan, "stock"), &effects, Body::StoreAnswer(away));
        effects = [answered, rig.advance(Span::secs(46))].concat();
    }
    assert_eq!(tries, 5);
    assert!(observed(&effects).any(|what| matches!(what, What::RunEnded { done: false, .. })));
}

#[test]
fn contradictions_are_refused() {
    let error = |it: LogicApp| {
        let nodes = vec![("stock", database(&[])), ("psp", endpoint(&["charge"]))];
        let nodes = nodes.into_iter().chain([("saga", NodeKind::LogicApp(it))]).collect();
        format!("{:?}", plan(nodes).err())
    };
    assert!(error(LogicApp { run_duration: Some(Span::ZERO), ..saga() }).contains("no time at all"));
    let on = OneOrMany::One("westeurope".to_owned());
    let trigger = "stock.change-feed".to_owned();
    assert!(error(LogicApp { enabled_in: on, trigger, ..saga() }).contains("cannot be switched off"));
}
