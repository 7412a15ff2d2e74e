//! The keyring of an instance, its tokens handed to it by hand.

use super::bench::*;
use super::*;
use crate::message::credential::{Answer, Identity, Question};
use crate::message::{Body, Message, store};
use crate::node::Effect;
use crate::node::rig::{Rig, bodies, sent};
use crate::recipe::hosts::ContainerApp;
use crate::services::entra_id::EntraId;

fn signing_in(identity: Identity) -> Plan {
    let api = ContainerApp {
        trigger: "http".to_owned(),
        policy: "none".to_owned(),
        tokens: Some("entra".to_owned()),
        identity: Some(identity),
        steps: vec![insert("stock", None), reply(200)],
        ..ContainerApp::default()
    };
    plan(vec![
        ("stock", database(&[])),
        ("entra", NodeKind::EntraId(EntraId::default())),
        ("api", NodeKind::ContainerApp(api)),
    ])
    .expect("a plan")
}

/// The questions about tokens among these effects: to whom, and the message.
fn asked(effects: &[Effect]) -> Vec<(u32, Message)> {
    let calls = effects.iter().filter_map(|effect| match effect {
        Effect::Call { to, message } if matches!(message.body, Body::Credential(_)) => {
            Some((to.0, message.clone()))
        }
        _ => None,
    });
    calls.collect()
}

fn grant(rig: &mut Rig<'_>, (to, question): &(u32, Message), lives: Span) -> Vec<Effect> {
    rig.message(*to, question.answer(Body::Granted(Answer::Token { lives })))
}

fn writes(effects: &[Effect]) -> bool {
    bodies(effects).any(|body| matches!(body, Body::Store(store::Command::Write { .. })))
}

fn start<'a>(plan: &'a Plan) -> (Rig<'a>, Vec<Effect>) {
    let (id, process) = build(plan, "api#0");
    Rig::new(plan, id, process)
}

#[test]
fn a_token_is_asked_for_at_the_start_and_renewed_before_its_end() {
    let plan = signing_in(Identity::ServicePrincipal);
    let (mut rig, effects) = start(&plan);
    let question = asked(&effects).remove(0);
    assert_eq!(question.0, process(&plan, "entra"));
    let started = rig.advance(Span::secs(5));
    assert!(bodies(&started).all(|body| !matches!(body, Body::Control(_))), "it waits for its token");
    let ready = grant(&mut rig, &question, Span::mins(60));
    assert!(bodies(&ready).any(|body| matches!(body, Body::Control(_))), "now it is ready");
    assert!(writes(&rig.message(CLIENT, request(1, item(1)))));
    assert!(asked(&rig.advance(Span::mins(54))).is_empty());
    let again = asked(&rig.advance(Span::secs(65)));
    assert_eq!(again.len(), 1);
    let serial = |message: &Message| match message.body {
        Body::Credential(Question::Token { serial, .. } | Question::Secret { serial, .. }) => serial,
        _ => 0,
    };
    assert_eq!((serial(&question.1), serial(&again[0].1)), (1, 2));
    grant(&mut rig, &again[0], Span::mins(60));
    rig.advance(Span::mins(50));
    assert!(writes(&rig.message(CLIENT, request(2, item(2)))), "it has a new one");
}

#[test]
fn a_call_without_a_token_fails_without_being_sent() {
    let plan = signing_in(Identity::ServicePrincipal);
    let (mut rig, effects) = start(&plan);
    rig.advance(Span::secs(5));
    grant(&mut rig, &asked(&effects)[0], Span::mins(60));
    // Nobody answers any more; it keeps asking, and goes on for as long as the token lasts.
    let questions = asked(&rig.advance(Span::mins(59)));
    assert!(questions.len() >= 8, "{}", questions.len());
    assert!(writes(&rig.message(CLIENT, request(1, item(1)))));
    rig.advance(Span::mins(2));
    let effects = rig.message(CLIENT, request(2, item(2)));
    assert!(!writes(&effects) && replies(&effects) == [500], "{effects:?}");
    let question = asked(&rig.advance(Span::mins(2))).pop().expect("it asks again");
    grant(&mut rig, &question, Span::mins(60));
    assert!(writes(&rig.message(CLIENT, request(3, item(3)))));
}

#[test]
fn a_managed_identity_turns_to_the_backup_of_its_region() {
    let plan = signing_in(Identity::Managed);
    let (mut rig, effects) = start(&plan);
    assert_eq!(asked(&effects)[0].0, process(&plan, "entra"));
    let later = asked(&rig.advance(Span::secs(50)));
    let backup = process(&plan, "entra.backup/westeurope");
    let question = later.iter().find(|(to, _)| *to == backup).expect("it asks the backup");
    grant(&mut rig, question, Span::days(1));
    assert!(writes(&rig.message(CLIENT, request(1, item(1)))));
    assert!(asked(&rig.advance(Span::hours(11))).is_empty());
    assert!(!asked(&rig.advance(Span::hours(2))).is_empty(), "half-way");
    assert!(writes(&rig.message(CLIENT, request(2, item(2)))), "a day is not over");
}

#[test]
fn a_crash_loses_the_tokens() {
    let plan = signing_in(Identity::Managed);
    let (id, process) = build(&plan, "api#0");
    let fresh = format!("{process:?}");
    let (mut rig, effects) = Rig::new(&plan, id, process);
    rig.advance(Span::secs(5));
    grant(&mut rig, &asked(&effects)[0], Span::days(1));
    rig.process.crash();
    assert_eq!(format!("{:?}", rig.process), fresh);
    let effects = rig.crash();
    assert_eq!(asked(&effects).len(), 1, "it asks anew");
    assert!(
        sent(&rig.message(CLIENT, request(1, item(1))))
            .all(|message| message.call.0 == 0 || !matches!(message.body, Body::Store(_)))
    );
}
