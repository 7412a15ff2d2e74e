//! The caller on the bench: one process that does nothing but call.

use proptest::prelude::*;

use super::*;
use crate::blueprint::Blueprint;
use crate::client::policy::{Backoff, BreakerRule};
use crate::message::{Cargo, broker, http};
use crate::node::rig::{Rig, observed, sent};
use crate::node::{CloseReason, Effect, Input, Process};
use crate::observe::{Belief, Held};
use crate::plan::Plan;
use crate::units::Ratio;

const PEER: u32 = 1;
const SPACE: u8 = 7;
/// A timer of the bench, not of the caller: it makes the next call.
const NEXT: u64 = 0;

/// Makes a call for every `NEXT`, and shows what came of it as `RunEnded`.
#[derive(Clone, Debug)]
struct Bench {
    caller: Caller<u32>,
    calls: u32,
    finished: Vec<(u32, Outcome, u16)>,
    sent: Vec<u32>,
}

impl Process for Bench {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        match input {
            Input::Timer(NEXT) => {
                let item = Item { number: self.calls, ..Item::default() };
                let body = Body::Probe; // what is said does not matter here
                let to = Address { process: ProcessId(PEER), part: 0 };
                self.caller.call(cx, to, Message::new(body).carrying(Cargo::One(item)), self.calls);
                self.calls += 1;
            }
            Input::Timer(token) => assert!(self.caller.on_timer(cx, token)),
            Input::Message { message, .. } => assert!(self.caller.on_message(cx, &message)),
            Input::Closed { peer, .. } => self.caller.on_closed(cx, peer),
            Input::Start | Input::Disk(..) | Input::Poke => {}
        }
        while let Some(progress) = self.caller.next() {
            match progress {
                Progress::Sent(owner) => self.sent.push(owner),
                Progress::Finished(f) => {
                    self.finished.push((f.owner, f.outcome, f.attempts));
                    let done = f.outcome == Outcome::Ok;
                    cx.observe(Item::default(), What::RunEnded { run: u64::from(f.owner), done });
                }
            }
        }
    }
    fn crash(&mut self) {
        self.caller.crash();
    }
    fn inventory(&self, _: &mut dyn FnMut(Held)) {}
    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}

fn plan() -> Plan {
    Plan::new(Blueprint::default()).unwrap()
}

fn bench<'a>(plan: &'a Plan, policy: &Policy, sdk: Sdk) -> Rig<'a> {
    let caller = Caller::new(policy, sdk, 42, SPACE);
    let bench = Bench { caller, calls: 0, finished: Vec::new(), sent: Vec::new() };
    Rig::new(plan, ProcessId(0), Box::new(bench)).0
}

fn policy(retries: u32) -> Policy {
    Policy {
        timeout: Some(Span::secs(2)),
        retries: Some(retries),
        backoff: Some(Backoff::Fixed(Span::secs(1))),
        ..Policy::default()
    }
}

fn next(rig: &mut Rig<'_>) -> Vec<Effect> {
    rig.input(Input::Timer(NEXT))
}

fn messages(effects: &[Effect]) -> Vec<Message> {
    sent(effects).cloned().collect()
}

fn status(rig: &mut Rig<'_>, message: &Message, status: u16) -> Vec<Effect> {
    rig.message(PEER, message.answer(Body::Response(http::Response::status(status))))
}

fn answered(effects: &[Effect]) -> Vec<Outcome> {
    let outcome = |what: &What| match what {
        What::Answered { outcome, .. } => Some(*outcome),
        _ => None,
    };
    observed(effects).filter_map(outcome).collect()
}

fn ends(effects: &[Effect]) -> Vec<(u64, bool)> {
    let end = |what: &What| match what {
        What::RunEnded { run, done } => Some((*run, *done)),
        _ => None,
    };
    observed(effects).filter_map(end).collect()
}

fn shown(rig: &Rig<'_>) -> String {
    format!("{:?}", rig.process)
}

#[test]
fn an_answer_ends_the_call_and_its_timeout() {
    let plan = plan();
    let mut rig = bench(&plan, &policy(2), Sdk::Http);
    let first = messages(&next(&mut rig)).remove(0);
    assert_eq!((first.attempt, first.call.0 > 0), (1, true));
    let effects = status(&mut rig, &first, 200);
    assert_eq!((answered(&effects), ends(&effects)), (vec![Outcome::Ok], vec![(0, true)]));
    assert!(!rig.busy());
    assert!(rig.advance(Span::mins(5)).is_empty());
}

#[test]
fn a_timeout_is_retried_with_the_same_message_and_a_late_answer_is_ignored() {
    let plan = plan();
    let mut rig = bench(&plan, &policy(1), Sdk::Http);
    let first = messages(&next(&mut rig)).remove(0);
    let effects = rig.advance(Span::secs(2));
    assert_eq!(answered(&effects), [Outcome::Unknown]);
    assert!(observed(&effects).any(|what| *what == What::Symptom(Symptom::Timeout)));
    let effects = rig.advance(Span::secs(1));
    let second = messages(&effects).remove(0);
    assert!(observed(&effects).any(|what| *what == What::Symptom(Symptom::Retry)));
    assert_eq!((second.attempt, &second.body, &second.cargo), (2, &first.body, &first.cargo));
    assert!(status(&mut rig, &first, 200).is_empty(), "the first attempt is over");
    // A definite error after an attempt that may have happened leaves the call unknown.
    let effects = status(&mut rig, &second, 429);
    assert_eq!(answered(&effects), [Outcome::Failed]);
    assert!(shown(&rig).contains("finished: [(0, Unknown, 2)]"), "{}", shown(&rig));
    assert!(!rig.busy());
}

#[test]
fn an_error_is_told_apart_from_a_stream_that_was_reset() {
    let plan = plan();
    for (code, symptom) in [(500, Symptom::Error), (0, Symptom::Reset)] {
        let mut rig = bench(&plan, &policy(0), Sdk::Http);
        let message = messages(&next(&mut rig)).remove(0);
        let effects = status(&mut rig, &message, code);
        assert_eq!(answered(&effects), [Outcome::Unknown]);
        assert!(observed(&effects).any(|what| *what == What::Symptom(symptom)), "{code}");
    }
}

#[test]
fn a_refusal_is_not_retried_and_a_definite_error_stays_definite() {
    let plan = plan();
    let mut rig = bench(&plan, &policy(1), Sdk::Http);
    let first = messages(&next(&mut rig)).remove(0);
    assert_eq!(answered(&status(&mut rig, &first, 404)), [Outcome::Refused]);
    let second = messages(&next(&mut rig)).remove(0);
    status(&mut rig, &second, 503);
    let third = messages(&rig.advance(Span::secs(1))).remove(0);
    status(&mut rig, &third, 503);
    assert!(shown(&rig).contains("[(0, Refused, 1), (1, Failed, 2)]"), "{}", shown(&rig));
}

#[test]
fn a_closed_connection_leaves_every_open_attempt_unknown() {
    let plan = plan();
    let mut rig = bench(&plan, &policy(0), Sdk::Http);
    next(&mut rig);
    next(&mut rig);
    let effects = rig.closed(PEER, CloseReason::Reset);
    assert_eq!(answered(&effects), [Outcome::Unknown, Outcome::Unknown]);
    assert_eq!(ends(&effects).len(), 2);
    assert!(!rig.busy());
}

fn busy(rig: &mut Rig<'_>, message: &Message) -> Vec<Effect> {
    let busy = Body::BrokerEvent(broker::Event::Refused(broker::Error::ServiceBusy));
    rig.message(PEER, message.answer(busy))
}

fn attempts(messages: &[Message]) -> Vec<u16> {
    messages.iter().map(|message| message.attempt).collect()
}

#[test]
fn while_the_client_backs_off_every_call_waits_ten_seconds_of_its_own() {
    let plan = plan();
    let mut rig = bench(&plan, &Policy::default(), Sdk::ServiceBus);
    let first = messages(&next(&mut rig)).remove(0);
    busy(&mut rig, &first);
    rig.advance(Span::secs(1));
    assert!(messages(&next(&mut rig)).is_empty(), "another call waits as well");
    // Its wait begins with the call, that of the first one after the pause of 1.6 s: they do not come together.
    assert!(messages(&rig.advance(Span::millis(9_999))).is_empty());
    assert_eq!(attempts(&messages(&rig.advance(Span::millis(1)))), [1]);
    assert!(messages(&rig.advance(Span::millis(600))).is_empty());
    assert_eq!(attempts(&messages(&rig.advance(Span::millis(64)))), [2]);
    assert_eq!(attempts(&messages(&next(&mut rig))), [1], "and then it is over");
}

#[test]
fn a_further_busy_answer_does_not_prolong_the_back_off() {
    let plan = plan();
    let mut rig = bench(&plan, &Policy::default(), Sdk::ServiceBus);
    let calls: Vec<Message> = (0..2).flat_map(|_| messages(&next(&mut rig))).collect();
    busy(&mut rig, &calls[0]);
    rig.advance(Span::secs(9));
    busy(&mut rig, &calls[1]);
    rig.advance(Span::millis(999));
    assert!(messages(&next(&mut rig)).is_empty());
    rig.advance(Span::millis(1));
    assert_eq!(attempts(&messages(&next(&mut rig))), [1]);
}

#[test]
fn a_call_with_short_attempts_uses_up_its_retries_while_the_client_backs_off() {
    let plan = plan();
    // Attempts of 2 s, pauses of 1 s: failed after 2, 5 and 8 s.
    let mut rig = bench(&plan, &policy(2), Sdk::ServiceBus);
    let first = messages(&next(&mut rig)).remove(0);
    busy(&mut rig, &first);
    next(&mut rig);
    assert!(ends(&rig.advance(Span::millis(7_999))).is_empty());
    let effects = rig.advance(Span::millis(1));
    assert_eq!((messages(&effects), ends(&effects)), (vec![], vec![(1, false)]));
    assert!(shown(&rig).contains("(1, Failed, 0)"), "no attempt was made, so nothing happened");
}

#[test]
fn an_open_breaker_fails_calls_or_lets_them_wait() {
    let plan = plan();
    let rule = BreakerRule { share: Ratio(1.0), of: 2, open_for: Span::secs(30) };
    for when_open in [WhenOpen::Fail, WhenOpen::Wait] {
        let policy = Policy { breaker: Some(rule), when_open: Some(when_open), ..policy(0) };
        let mut rig = bench(&plan, &policy, Sdk::Http);
        for _ in 0..2 {
            let message = messages(&next(&mut rig)).remove(0);
            status(&mut rig, &message, 503);
        }
        let effects = next(&mut rig);
        assert!(messages(&effects).is_empty());
        assert_eq!(ends(&effects).len(), usize::from(when_open == WhenOpen::Fail));
        let effects = rig.advance(Span::secs(30));
        if when_open == WhenOpen::Fail {
            assert!(messages(&effects).is_empty());
            continue;
        }
        let subject = ProcessId(PEER);
        assert!(
            observed(&effects).any(|w| *w == What::Believes { subject, belief: Belief::BreakerHalfOpen })
        );
        let trial = messages(&effects).remove(0);
        let effects = status(&mut rig, &trial, 503);
        assert!(observed(&effects).any(|w| *w == What::Believes { subject, belief: Belief::BreakerOpen }));
        assert!(!rig.busy());
    }
}

#[test]
fn the_limit_lets_calls_through_first_come_first_served() {
    let plan = plan();
    let mut rig = bench(&plan, &Policy { in_flight: Some(2), ..policy(1) }, Sdk::Http);
    let mut open: Vec<Message> = (0..5).flat_map(|_| messages(&next(&mut rig))).collect();
    assert_eq!(open.len(), 2);
    // A pause does not give the place away.
    status(&mut rig, &open[0], 503);
    assert!(messages(&rig.advance(Span::millis(999))).is_empty());
    let again = messages(&rig.advance(Span::millis(1))).remove(0);
    for message in [again, open.remove(1)] {
        open.extend(messages(&status(&mut rig, &message, 200)));
    }
    let order: Vec<u32> = open[1..].iter().filter_map(|m| m.cargo.first()).map(|item| item.number).collect();
    assert_eq!(order, [2, 3]);
}

#[test]
fn a_cancelled_call_is_heard_of_no_more_and_makes_room() {
    let plan = plan();
    let mut random = Rig::new(&plan, ProcessId(0), Box::new(Canceller::new())).0;
    let effects = random.input(Input::Timer(NEXT));
    assert_eq!(answered(&effects), [Outcome::Unknown]);
    assert_eq!(messages(&effects).len(), 2, "the call that waited for a place is sent");
    assert!(random.busy());
    assert_eq!(ends(&random.advance(Span::mins(1))), []);
}

/// Makes three calls with one place, cancels the third (at the door) and the first (on the wire).
#[derive(Clone, Debug)]
struct Canceller(Caller<u32>);

impl Canceller {
    fn new() -> Canceller {
        Canceller(Caller::new(&Policy { in_flight: Some(1), ..policy(0) }, Sdk::Http, 1, SPACE))
    }
}

impl Process for Canceller {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        match input {
            Input::Timer(NEXT) => {
                let to = Address { process: ProcessId(PEER), part: 0 };
                let calls: Vec<CallHandle> = (0..3)
                    .map(|number| {
                        let cargo = Cargo::One(Item { number, ..Item::default() });
                        self.0.call(cx, to, Message::new(Body::Probe).carrying(cargo), number)
                    })
                    .collect();
                for call in [calls[2], calls[0], calls[0]] {
                    self.0.cancel(cx, call);
                }
                assert_eq!(self.0.len(), 1);
            }
            Input::Timer(token) => assert!(self.0.on_timer(cx, token)),
            _ => {}
        }
    }
    fn crash(&mut self) {
        self.0.crash();
    }
    fn inventory(&self, _: &mut dyn FnMut(Held)) {}
    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}

#[test]
fn after_a_crash_it_is_as_new() {
    let plan = plan();
    let rule = BreakerRule { share: Ratio(0.5), of: 3, open_for: Span::secs(3) };
    let policy = Policy { breaker: Some(rule), budget: Some(Ratio(0.1)), in_flight: Some(2), ..policy(3) };
    let mut caller: Caller<u32> = Caller::new(&policy, Sdk::Http, 42, SPACE);
    let new = format!("{caller:?}");
    let mut rig = bench(&plan, &policy, Sdk::Http);
    for _ in 0..4 {
        for message in messages(&next(&mut rig)) {
            status(&mut rig, &message, 503);
        }
    }
    rig.crash();
    assert!(shown(&rig).contains(&format!("caller: {new}")), "{}", shown(&rig));
    caller.crash();
    assert_eq!(format!("{caller:?}"), new);
}

proptest! {
    /// Whatever the callee does: every attempt is answered once, a call has at most one open attempt,
    /// the attempts stay within the policy, every call ends, and nothing is left behind.
    #[test]
    fn every_call_ends_with_one_attempt_at_a_time(
        retries in 0u32..4,
        in_flight in 1u32..4,
        when_open in prop::bool::ANY,
        steps in prop::collection::vec((0u8..6, 0u64..2500), 1..60),
    ) {
        let plan = plan();
        let rule = BreakerRule { share: Ratio(0.5), of: 4, open_for: Span::secs(3) };
        let when_open = Some(if when_open { WhenOpen::Wait } else { WhenOpen::Fail });
        let policy = Policy { in_flight: Some(in_flight), breaker: Some(rule), when_open, ..policy(retries) };
        let mut rig = bench(&plan, &policy, Sdk::Http);
        let mut log = Vec::new();
        let mut calls = 0u64;
        for (action, millis) in steps {
            let open = open_attempts(&log);
            let effects = match (action, open.first()) {
                (0 | 1, _) => { calls += 1; next(&mut rig) }
                (2, Some(message)) => status(&mut rig, message, 200),
                (3, Some(message)) => status(&mut rig, message, 503),
                (4, _) => rig.closed(PEER, CloseReason::Reset),
                _ => rig.advance(Span::millis(millis)),
            };
            log.extend(effects);
            let open = open_attempts(&log);
            prop_assert!(open.len() <= in_flight as usize);
            let mut items: Vec<_> = open.iter().map(|message| message.cargo.clone()).collect();
            items.dedup();
            prop_assert_eq!(items.len(), open.len(), "two open attempts of one call");
            prop_assert!(open.iter().all(|message| u32::from(message.attempt) <= retries + 1));
        }
        log.extend(rig.advance(Span::hours(1)));
        prop_assert!(open_attempts(&log).is_empty());
        let mut done: Vec<u64> = ends(&log).into_iter().map(|(run, _)| run).collect();
        done.sort_unstable();
        prop_assert_eq!(done, (0..calls).collect::<Vec<_>>());
        prop_assert!(!rig.busy());
    }
}

/// The messages that were sent and not yet booked as answered; fails if one is answered twice.
fn open_attempts(log: &[Effect]) -> Vec<Message> {
    let mut open: Vec<Message> = Vec::new();
    for effect in log {
        match effect {
            Effect::Call { message, .. } => open.push(message.clone()),
            Effect::Observe { what: What::Answered { call, .. }, .. } => {
                let at = open.iter().position(|message| message.call == *call);
                open.remove(at.expect("answered once, after it was sent"));
            }
            _ => {}
        }
    }
    open.sort_by_key(|message| message.cargo.first());
    open
}
