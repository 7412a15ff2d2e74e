//! The gateway on the bench.

use super::*;
use crate::blueprint::{Blueprint, Site};
use crate::faults::local::{Active, Frequency};
use crate::ids::{Address, FaultId, NodeId, ProcessId};
use crate::node::rig::{Rig, observed, sent};
use crate::node::{CloseReason, Effect};
use crate::plan::Plan;
use crate::services::{NodeKind, Service};
use crate::units::OneOrMany;

/// The processes behind: `api-0`, `api-1`. The gateway is process 0.
const BACKEND: u32 = 1;
const CLIENT: u32 = 9;

fn plan(config: ApiManagement) -> Plan {
    let mut blueprint = Blueprint::default();
    blueprint.sites.insert("west".into(), Site::default());
    let backends = (0..2).map(|n| format!("api-{n}")).collect::<Vec<_>>();
    let backend =
        if config.backend.names().is_empty() { OneOrMany::One(backends[0].clone()) } else { config.backend };
    blueprint.nodes.insert("edge".into(), NodeKind::ApiManagement(ApiManagement { backend, ..config }));
    let mut plan = Plan::new(blueprint).unwrap();
    for (n, name) in (0..).zip(&backends) {
        let address = Address { process: ProcessId(BACKEND + n), part: 4 };
        plan.add_endpoint(name, Endpoint { address, protocol: Protocol::Http, node: NodeId(0), place: None });
    }
    plan
}

fn built(plan: &Plan) -> Box<dyn Process> {
    plan.blueprint.nodes["edge"].build("edge", plan).unwrap().remove(0).1
}

fn rig(plan: &Plan) -> Rig<'_> {
    Rig::new(plan, ProcessId(0), built(plan)).0
}

fn request(number: u32) -> Message {
    let body = http::Request {
        part: 0,
        verb: http::Verb::Call,
        key: Some(7),
        secret: 0,
        execution: Default::default(),
    };
    Message {
        call: CallId(1_000 + u64::from(number)),
        tag: number,
        attempt: 1,
        cargo: Cargo::One(Item {
            number,
            stream: crate::ids::StreamId::named("shoppers"),
            ..Item::default()
        }),
        body: Body::Request(body),
    }
}

fn ask(rig: &mut Rig<'_>, number: u32) -> Vec<Effect> {
    rig.message(CLIENT, request(number))
}

/// The requests that go to backends.
fn forwarded(effects: &[Effect]) -> Vec<(u32, Message)> {
    let call = |effect: &Effect| match effect {
        Effect::Call { to, message } => Some((to.0, message.clone())),
        _ => None,
    };
    effects.iter().filter_map(call).collect()
}

/// The statuses that go to clients.
fn statuses(effects: &[Effect]) -> Vec<u16> {
    let status = |message: &Message| match message.body {
        Body::Response(response) => Some(response.status),
        _ => None,
    };
    sent(effects).filter_map(status).collect()
}

fn retry_after(effects: &[Effect]) -> Option<Span> {
    sent(effects).find_map(|message| match message.body {
        Body::Response(response) => response.retry_after,
        _ => None,
    })
}

fn handled(effects: &[Effect]) -> Vec<Handling> {
    let how = |what: &What| match what {
        What::Handled { how, .. } => Some(*how),
        _ => None,
    };
    observed(effects).filter_map(how).collect()
}

fn back(rig: &mut Rig<'_>, to: &(u32, Message), status: u16) -> Vec<Effect> {
    rig.message(to.0, to.1.answer(Body::Response(http::Response::status(status))))
}

/// A whole exchange: the status that the client gets if the backend answers with this one.
fn exchange(rig: &mut Rig<'_>, number: u32, status: u16) -> Vec<u16> {
    let effects = ask(rig, number);
    match forwarded(&effects).first() {
        Some(to) => statuses(&back(rig, to, status)),
        None => statuses(&effects),
    }
}

fn fault(hook: Hook, value: Value) -> Active {
    let frequency = Frequency::Always;
    Active { fault: FaultId(0), label: 1, hook, part: None, frequency, left: None, value, hidden: false }
}

fn touched(effects: &[Effect]) -> bool {
    observed(effects).any(|what| *what == What::Touched)
}

#[test]
fn a_request_is_forwarded_with_its_key_and_the_answer_comes_back_as_it_is() {
    let plan = plan(ApiManagement::default());
    let mut rig = rig(&plan);
    for (number, status, how) in [
        (0, 202, vec![Handling::Stored]),
        (1, 404, vec![Handling::Rejected]),
        (2, 500, vec![]),
        (3, 503, vec![Handling::Rejected]),
        (4, 504, vec![]),
    ] {
        let to = forwarded(&ask(&mut rig, number)).remove(0);
        assert_eq!(to.0, BACKEND);
        assert!(matches!(to.1.body, Body::Request(http::Request { part: 4, key: Some(7), .. })));
        let effects = back(&mut rig, &to, status);
        assert_eq!((statuses(&effects), handled(&effects)), (vec![status], how));
        let answer = sent(&effects).next().unwrap();
        assert_eq!((answer.call, answer.tag, answer.attempt), (CallId(1_000 + u64::from(number)), number, 1));
    }
    assert!(!rig.busy() && rig.held().is_empty());
}

#[test]
fn without_an_answer_it_says_504_in_time_or_500_on_a_broken_connection() {
    let plan = plan(ApiManagement { timeout: Span::secs(15), ..ApiManagement::default() });
    let mut rig = rig(&plan);
    ask(&mut rig, 0);
    assert!(statuses(&rig.advance(Span::millis(14_999))).is_empty());
    let effects = rig.advance(Span::millis(1));
    assert_eq!((statuses(&effects), handled(&effects)), (vec![504], vec![]));
    ask(&mut rig, 1);
    let effects = rig.closed(BACKEND, CloseReason::Reset);
    assert_eq!((statuses(&effects), handled(&effects)), (vec![500], vec![]));
    assert!(!rig.busy());
}

#[test]
fn over_the_rate_limit_it_says_429_and_when_to_come_again() {
    let rate = Some("10/60s".parse().unwrap());
    let plan = plan(ApiManagement { rate_limit: rate, ..ApiManagement::default() });
    let mut rig = rig(&plan);
    for number in 0..10 {
        assert_eq!(exchange(&mut rig, number, 200), [200]);
    }
    let effects = ask(&mut rig, 10);
    assert_eq!((statuses(&effects), handled(&effects)), (vec![429], vec![Handling::Rejected]));
    assert_eq!(rig.gauge("rate limit"), Some((10.0, 10.0)));
    let wait = retry_after(&effects).unwrap();
    let before = format!("{:?}", rig.process);
    rig.process.gauges(rig.now + wait, &mut |gauge| assert_eq!(gauge.used, 0.0, "by then"));
    assert_eq!(format!("{:?}", rig.process), before, "a look ahead changes nothing");
    assert_eq!(statuses(&ask(&mut rig, 10)), [429]);
    rig.advance(wait);
    assert_eq!(exchange(&mut rig, 11, 200), [200], "after Retry-After it is let in");
}

#[test]
fn over_the_quota_it_says_403_until_the_period_ends_and_a_restart_does_not_help() {
    let quota = Some("2/1h".parse().unwrap());
    let plan = plan(ApiManagement { quota, ..ApiManagement::default() });
    let mut rig = rig(&plan);
    let all: Vec<u16> = (0..3).flat_map(|number| exchange(&mut rig, number, 200)).collect();
    assert_eq!(all, [200, 200, 403]);
    assert_eq!(rig.gauge("quota"), Some((2.0, 2.0)));
    rig.crash();
    assert_eq!(exchange(&mut rig, 3, 200), [403]);
    rig.advance(Span::hours(1));
    assert_eq!(rig.gauge("quota"), Some((0.0, 2.0)), "a new period");
    assert_eq!(exchange(&mut rig, 4, 200), [200]);
}

#[test]
fn too_many_requests_at_once_get_429() {
    let plan = plan(ApiManagement { concurrency: Some(1), ..ApiManagement::default() });
    let mut rig = rig(&plan);
    let first = forwarded(&ask(&mut rig, 0)).remove(0);
    assert_eq!(statuses(&ask(&mut rig, 1)), [429]);
    assert_eq!((rig.gauge("concurrency"), rig.gauge("quota")), (Some((1.0, 1.0)), None));
    back(&mut rig, &first, 200);
    assert_eq!(rig.gauge("concurrency"), Some((0.0, 1.0)));
    assert_eq!(exchange(&mut rig, 2, 200), [200]);
}

#[test]
fn it_tries_again_as_its_retry_says_and_passes_the_last_answer_on() {
    let retry = Some("2 every 1s".parse().unwrap());
    let plan = plan(ApiManagement { retry, ..ApiManagement::default() });
    let mut rig = rig(&plan);
    let mut effects = ask(&mut rig, 0);
    for attempt in 1..=3 {
        let to = forwarded(&effects).remove(0);
        assert_eq!(to.1.attempt, attempt);
        effects = back(&mut rig, &to, 500);
        effects.extend(rig.advance(Span::secs(1)));
    }
    assert_eq!(statuses(&effects), [500]);
}

#[test]
fn a_tripped_backend_is_not_called_and_comes_back_by_itself() {
    let breaker = Some("2 in 1m for 30s".parse().unwrap());
    let config = ApiManagement { breaker, health: vec!["api-0".into()], ..ApiManagement::default() };
    let plan = plan(config);
    let mut rig = rig(&plan);
    exchange(&mut rig, 0, 500);
    let to = forwarded(&ask(&mut rig, 1)).remove(0);
    let subject = ProcessId(BACKEND);
    let opened = What::Believes { subject, belief: Belief::BreakerOpen };
    assert!(observed(&back(&mut rig, &to, 502)).any(|what| *what == opened));
    assert_eq!(statuses(&ask(&mut rig, 2)), [503]);
    let ready = |rig: &mut Rig<'_>| {
        let effects = rig.message(CLIENT, Message::new(Body::Probe));
        let answer = sent(&effects).next().map(|message| message.body.clone());
        answer == Some(Body::ProbeAnswer { ready: true })
    };
    assert!(!ready(&mut rig));
    let closed = What::Believes { subject, belief: Belief::BreakerClosed };
    assert!(observed(&rig.advance(Span::secs(30))).any(|what| *what == closed));
    assert!(ready(&mut rig));
    assert_eq!(exchange(&mut rig, 3, 200), [200]);
}

#[test]
fn a_pool_is_taken_in_turn_and_goes_round_a_tripped_backend() {
    let backend = OneOrMany::Many(vec!["api-0".into(), "api-1".into()]);
    let breaker = Some("1 in 1m for 30s".parse().unwrap());
    let plan = plan(ApiManagement { backend, breaker, ..ApiManagement::default() });
    let mut rig = rig(&plan);
    let asked = |rig: &mut Rig<'_>, number, status| {
        let to = forwarded(&ask(rig, number)).remove(0);
        back(rig, &to, status);
        to.0
    };
    let turns: Vec<u32> = (0..4).map(|n| asked(&mut rig, n, if n == 2 { 500 } else { 200 })).collect();
    assert_eq!(turns, [1, 2, 1, 2]);
    let turns: Vec<u32> = (4..7).map(|n| asked(&mut rig, n, 200)).collect();
    assert_eq!(turns, [2, 2, 2]);
}

#[test]
fn each_fault_strikes_has_its_effect_and_heals() {
    let limit: Rate = "1/60s".parse().unwrap();
    for (hook, value, status, how) in [
        (Hook::HttpStatus, Value::Number(500), 500, None),
        (Hook::HttpStatus, Value::None, 503, Some(Handling::Rejected)),
        (Hook::HttpAbort, Value::None, 0, None),
        (Hook::JwtReject, Value::None, 401, Some(Handling::Rejected)),
        (Hook::GatewayRateLimit, Value::None, 429, Some(Handling::Rejected)),
        (Hook::GatewayQuota, Value::None, 403, Some(Handling::Rejected)),
        (Hook::GatewayBreakerStuck, Value::None, 503, Some(Handling::Rejected)),
        (Hook::GatewayDrain, Value::None, 503, Some(Handling::Rejected)),
        (Hook::GatewayRateLimit, Value::Rate(limit), 429, Some(Handling::Rejected)),
    ] {
        let plan = plan(ApiManagement::default());
        let mut rig = rig(&plan);
        rig.fault(fault(hook, value));
        if value == Value::Rate(limit) {
            assert_eq!(exchange(&mut rig, 5, 200), [200], "the first is within the limit of the fault");
        }
        let effects = ask(&mut rig, 0);
        assert!(touched(&effects), "{hook:?}");
        assert!(forwarded(&effects).is_empty(), "{hook:?}");
        assert_eq!((statuses(&effects), handled(&effects).pop()), (vec![status], how), "{hook:?}");
        rig.faults.end(FaultId(0));
        assert_eq!(exchange(&mut rig, 1, 200), [200], "{hook:?} heals");
        assert!(!rig.busy());
    }
}

#[test]
fn a_delay_and_a_slow_body_hold_a_request_up_before_and_after_the_backend() {
    let plan = plan(ApiManagement::default());
    let mut rig = rig(&plan);
    let two = Value::Span(Span::secs(2));
    rig.fault(fault(Hook::HttpDelay, two));
    assert!(forwarded(&ask(&mut rig, 0)).is_empty() && rig.busy());
    let to = forwarded(&rig.advance(Span::secs(2))).remove(0);
    rig.faults.end(FaultId(0));
    rig.fault(fault(Hook::HttpSlowBody, two));
    assert!(statuses(&back(&mut rig, &to, 200)).is_empty());
    let effects = rig.advance(Span::secs(2));
    assert_eq!((statuses(&effects), handled(&effects)), (vec![200], vec![Handling::Stored]));
    rig.faults.end(FaultId(0));
    assert_eq!(exchange(&mut rig, 1, 200), [200]);
}

#[test]
fn a_cut_response_hides_an_effect_that_happened() {
    let plan = plan(ApiManagement::default());
    let mut rig = rig(&plan);
    rig.fault(fault(Hook::HttpCutResponse, Value::None));
    let to = forwarded(&ask(&mut rig, 0)).remove(0);
    let effects = back(&mut rig, &to, 200);
    assert!(touched(&effects));
    assert_eq!((statuses(&effects), handled(&effects)), (vec![0], vec![Handling::Stored]));
}

#[test]
fn a_short_timeout_answers_504_while_the_backend_is_still_at_work() {
    let plan = plan(ApiManagement::default());
    let mut rig = rig(&plan);
    rig.fault(fault(Hook::GatewayTimeout, Value::Span(Span::secs(1))));
    let to = forwarded(&ask(&mut rig, 0)).remove(0);
    let effects = rig.advance(Span::secs(1));
    assert_eq!((statuses(&effects), handled(&effects)), (vec![504], vec![]));
    assert!(back(&mut rig, &to, 200).is_empty(), "its answer comes too late");
    let in_time = forwarded(&ask(&mut rig, 1)).remove(0);
    assert_eq!(statuses(&back(&mut rig, &in_time, 200)), [200]);
    assert!(!rig.busy());
}

#[test]
fn after_a_crash_it_equals_one_newly_built() {
    let config = ApiManagement {
        rate_limit: Some("10/60s".parse().unwrap()),
        breaker: Some("1 in 1m for 30s".parse().unwrap()),
        retry: Some("2 every 1s".parse().unwrap()),
        ..ApiManagement::default()
    };
    let plan = plan(config);
    let mut rig = rig(&plan);
    rig.fault(fault(Hook::GatewayRateLimit, Value::Rate(Rate::per_second(1.0))));
    ask(&mut rig, 0);
    ask(&mut rig, 1);
    exchange(&mut rig, 2, 500);
    assert_ne!(format!("{:?}", rig.process), format!("{:?}", built(&plan)));
    rig.crash();
    assert_eq!(format!("{:?}", rig.process), format!("{:?}", built(&plan)));
}

#[test]
fn a_gateway_that_makes_no_sense_is_refused() {
    let errors = |config: ApiManagement| {
        let mut blueprint = Blueprint::default();
        blueprint.sites.insert("west".into(), Site::default());
        blueprint.nodes.insert("edge".into(), NodeKind::ApiManagement(config));
        match Plan::new(blueprint) {
            Ok(plan) => plan.blueprint.nodes["edge"].build("edge", &plan).unwrap_err().to_string(),
            Err(errors) => errors[0].to_string(),
        }
    };
    let to = |name: &str| ApiManagement { backend: OneOrMany::One(name.into()), ..ApiManagement::default() };
    assert!(errors(ApiManagement::default()).contains("needs a backend"));
    assert!(errors(to("nowhere")).contains("there is no `nowhere`"));
    let rate_limit = Some("6000/10m".parse().unwrap());
    assert!(errors(ApiManagement { rate_limit, ..to("a") }).contains("at most 300s"));
    assert!(
        errors(ApiManagement { health: vec!["b".into()], ..to("a") }).contains("not one of its backends")
    );
}
