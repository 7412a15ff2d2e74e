use super::*;
use crate::message::{Body, Message, control};
use crate::node::rig::{Rig, bodies};
use crate::recipe::Step;
use crate::recipe::hosts::FunctionApp;
use crate::services::NodeKind;
use crate::services::endpoint::EndpointService;

fn plan(alert: Alert) -> Result<Plan, Vec<PlanError>> {
    let mut blueprint = crate::blueprint::Blueprint::default();
    blueprint.sites.insert("west".to_owned(), crate::blueprint::Site::default());
    blueprint.flows.insert("orders".to_owned(), crate::blueprint::Flow::default());
    let runbook = FunctionApp {
        trigger: "it".to_owned(),
        steps: vec![Step::Work(crate::recipe::step::Work::default())],
        ..FunctionApp::default()
    };
    blueprint.nodes.insert("it".to_owned(), NodeKind::Alert(alert));
    blueprint.nodes.insert("door".to_owned(), NodeKind::Endpoint(EndpointService::default()));
    blueprint.nodes.insert("runbook".to_owned(), NodeKind::FunctionApp(runbook));
    Plan::new(blueprint)
}

fn alert() -> Alert {
    Alert {
        watch: "door.availability".to_owned(),
        below: Some(Threshold(0.5)),
        lasts: Span::mins(3),
        ..Alert::default()
    }
}

fn rig(plan: &Plan) -> Rig<'_> {
    let built = plan.blueprint.nodes["it"].build("it", plan).expect("it builds");
    let (id, process) = built.into_iter().next().expect("it has a process");
    Rig::new(plan, id, process).0
}

/// So many minutes in which the door answers its probes or not; the number of the last alarm in them, which is
/// told again and again because nobody answers here. 0: there was none.
fn minutes(rig: &mut Rig<'_>, door: ProcessId, count: u64, answers: bool) -> u32 {
    let mut last = 0;
    for _ in 0..count * 6 {
        let effects = rig.advance(Span::secs(10));
        for body in bodies(&effects) {
            if let Body::Control(control::Command::Raise { number }) = body {
                last = *number;
            }
        }
        if answers && bodies(&effects).any(|body| *body == Body::Probe) {
            rig.message(door.0, Message::new(Body::ProbeAnswer { ready: true }));
        }
    }
    last
}

fn door(plan: &Plan) -> ProcessId {
    plan.endpoint("door").expect("there is one").address.process
}

#[test]
fn it_is_raised_once_when_it_was_bad_for_long_enough() {
    let plan = plan(alert()).expect("a plan");
    let (mut rig, door) = (rig(&plan), door(&plan));
    assert_eq!(minutes(&mut rig, door, 10, true), 0);
    // The window empties in a minute; the third bad evaluation in a row raises it.
    assert_eq!(minutes(&mut rig, door, 2, false), 0);
    assert_eq!(minutes(&mut rig, door, 2, false), 1);
    assert_eq!(minutes(&mut rig, door, 10, false), 1, "told again to who did not answer, not raised again");
    // A minute of good answers in between does not resolve it; three do.
    minutes(&mut rig, door, 1, true);
    assert_eq!(minutes(&mut rig, door, 10, false), 1);
    minutes(&mut rig, door, 5, true);
    assert_eq!(minutes(&mut rig, door, 5, true), 0, "nobody is told of what is over");
    assert_eq!(minutes(&mut rig, door, 5, false), 2);
}

#[test]
fn one_that_waits_for_another_watches_only_when_that_was_raised_and_once_for_each_time() {
    let mut second = alert();
    second.once_after = Some("door".to_owned());
    let plan = plan(second).expect("a plan");
    let (mut rig, door) = (rig(&plan), door(&plan));
    assert_eq!(minutes(&mut rig, door, 10, false), 0);
    let raise = |number| Message {
        call: crate::ids::CallId(u64::from(number)),
        ..Message::new(Body::Control(control::Command::Raise { number }))
    };
    rig.message(7, raise(1));
    assert_eq!(minutes(&mut rig, door, 3, false), 1);
    minutes(&mut rig, door, 10, true);
    assert_eq!(minutes(&mut rig, door, 10, false), 0, "once");
    rig.message(7, raise(1));
    assert_eq!(minutes(&mut rig, door, 10, false), 0, "the same alarm, told twice");
    rig.message(7, raise(2));
    assert_eq!(minutes(&mut rig, door, 5, false), 2);
}

#[test]
fn one_that_is_switched_off_raises_nothing_and_begins_anew_when_it_is_switched_on() {
    let plan = plan(alert()).expect("a plan");
    let (mut rig, door) = (rig(&plan), door(&plan));
    let switch = |on| Message::new(Body::Control(control::Command::Enable { part: 0, on }));
    minutes(&mut rig, door, 3, true);
    rig.message(7, switch(false));
    assert_eq!(minutes(&mut rig, door, 10, false), 0);
    rig.crash();
    assert_eq!(minutes(&mut rig, door, 10, false), 0, "it is written down");
    rig.message(7, switch(true));
    assert_eq!(minutes(&mut rig, door, 2, false), 0, "what was before does not count");
    assert_eq!(minutes(&mut rig, door, 2, false), 1);
}

#[test]
fn after_a_crash_it_collects_a_whole_window_before_it_judges() {
    let plan = plan(alert()).expect("a plan");
    let (mut rig, door) = (rig(&plan), door(&plan));
    minutes(&mut rig, door, 3, true);
    rig.crash();
    assert_eq!(minutes(&mut rig, door, 3, false), 0);
    assert_eq!(minutes(&mut rig, door, 3, false), 1);
}

#[test]
fn a_metric_that_does_not_exist_or_a_bound_that_is_none_is_refused() {
    let error = |alert: Alert| match plan(alert) {
        Err(errors) => errors[0].to_string(),
        Ok(plan) => plan.blueprint.nodes["it"].build("it", &plan).expect_err("refused").to_string(),
    };
    assert!(error(Alert { watch: "door".to_owned(), ..alert() }).contains("names no metric"));
    assert!(error(Alert { watch: "door.colour".to_owned(), ..alert() }).contains("`colour` is no metric"));
    assert!(error(Alert { watch: "door.depth".to_owned(), ..alert() }).contains("nothing waits"));
    assert!(error(Alert { watch: "dor.availability".to_owned(), ..alert() }).contains("there is no `dor`"));
    assert!(error(Alert { below: None, ..alert() }).contains("never bad"));
    assert!(error(Alert { above: Some(Threshold(1.0)), ..alert() }).contains("two bounds"));
    assert!(error(Alert { every: Span::ZERO, ..alert() }).contains("no time at all"));
}
