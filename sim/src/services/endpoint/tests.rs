use super::*;
use crate::faults::local::{Active, Frequency};
use crate::ids::{FaultId, Once};
use crate::node::rig::{Rig, observed};
use crate::observe::Handling::{Rejected, Stored, Suppressed};
use crate::plan::Plan;
use crate::services::NodeKind;
use crate::services::bench::{
    births, fault, handlings, is_ready, item, plan as plan_of, request, rig, status, touched,
};
use crate::units::{Distribution, Ratio};

const CHARGE: u16 = 0;
const REFUND: u16 = 1;

fn config() -> EndpointService {
    let operation = |text: &str| text.parse().expect("an operation");
    EndpointService {
        ops: vec![operation("charge"), operation("refund undoes charge")],
        latency: Distribution::Constant(Span::millis(100)),
        ..EndpointService::default()
    }
}

fn plan(config: EndpointService) -> Plan {
    plan_of(NodeKind::Endpoint(config)).expect("the plan is right")
}

fn ask(rig: &mut Rig<'_>, call: u64, part: u16, number: u32, once: Once) -> Vec<crate::node::Effect> {
    let mut effects = rig.message(1, request(call, part, item(number), once));
    effects.extend(rig.advance(Span::secs(60)));
    effects
}

#[test]
fn the_effect_comes_at_the_end_of_the_latency_and_before_the_answer() {
    let plan = plan(config());
    let mut rig = rig(&plan);
    assert!(rig.message(1, request(1, CHARGE, item(1), Once::ITEM)).is_empty());
    assert!(rig.busy());
    assert!(rig.advance(Span::millis(99)).is_empty());
    let effects = rig.advance(Span::millis(1));
    assert_eq!((births(&effects), status(&effects)), (1, Some(200)));
    let place = plan.place_named("it.charge").expect("the place");
    assert!(observed(&effects).any(|what| *what == What::Born { place, cause: Birth::Stored }));
    assert_eq!(
        rig.held(),
        [Held { place, item: Item { key: 0, ..item(1) }, copies: 1, rest: true, shut: false }]
    );
}

#[test]
fn a_key_is_recognised_and_without_one_every_call_is_an_effect() {
    let plan = plan(config());
    let mut rig = rig(&plan);
    assert_eq!(handlings(&ask(&mut rig, 1, CHARGE, 1, Once::ITEM)), [Stored]);
    let again = ask(&mut rig, 2, CHARGE, 1, Once::ITEM);
    assert_eq!((handlings(&again), births(&again), status(&again)), (vec![Suppressed], 0, Some(200)));
    assert_eq!(births(&ask(&mut rig, 3, CHARGE, 1, Once::RUN)), 1);
    assert_eq!(births(&ask(&mut rig, 4, CHARGE, 1, Once::NONE)), 1);
    assert_eq!(rig.held()[0].copies, 3);
}

#[test]
fn a_key_is_forgotten_after_its_window_and_zero_takes_none() {
    for (window, before, after) in [(Span::mins(2), 0, 1), (Span::ZERO, 1, 1)] {
        let plan = plan(EndpointService { idempotency_keys: window, ..config() });
        let mut rig = rig(&plan);
        for (call, once) in [(1, Once::ITEM), (2, Once::MESSAGE)] {
            assert_eq!(births(&ask(&mut rig, call, CHARGE, 1, once)), 1);
            assert_eq!(births(&ask(&mut rig, call + 10, CHARGE, 1, once)), before);
            rig.advance(Span::mins(2));
            assert_eq!(births(&ask(&mut rig, call + 20, CHARGE, 1, once)), after);
        }
    }
}

#[test]
fn what_is_undone_counts_once_and_a_late_call_is_refused() {
    for remembers in [true, false] {
        let plan = plan(EndpointService { remembers_undo: remembers, ..config() });
        let mut rig = rig(&plan);
        ask(&mut rig, 1, CHARGE, 1, Once::ITEM);
        let effects = ask(&mut rig, 2, REFUND, 1, Once::ITEM);
        assert!(observed(&effects).any(|what| matches!(what, What::Undone { .. })));
        assert_eq!(births(&effects), 1);
        // The undoing overtakes: nothing to undo yet, and the late call must not stand.
        let effects = ask(&mut rig, 3, REFUND, 2, Once::ITEM);
        assert_eq!((handlings(&effects), births(&effects)), (vec![Suppressed], 0));
        let late = ask(&mut rig, 4, CHARGE, 2, Once::ITEM);
        let expected = if remembers { (Some(422), 0) } else { (Some(200), 1) };
        assert_eq!((status(&late), births(&late)), expected);
    }
}

#[test]
fn a_refund_without_a_key_pays_twice() {
    let plan = plan(EndpointService { idempotency_keys: Span::ZERO, ..config() });
    let mut rig = rig(&plan);
    ask(&mut rig, 1, CHARGE, 1, Once::ITEM);
    let twice: usize = (2..4).map(|call| births(&ask(&mut rig, call, REFUND, 1, Once::ITEM))).sum();
    assert_eq!(twice, 2);
}

#[test]
fn a_refusal_is_about_the_item_and_stays() {
    let plan = plan(EndpointService { refuses: Ratio(0.3), ..config() });
    let mut rig = rig(&plan);
    let mut refused = 0;
    for number in 0..400 {
        let call = u64::from(number) * 10 + 1;
        let first = status(&ask(&mut rig, call, CHARGE, number, Once::RUN));
        let again = ask(&mut rig, call + 1, CHARGE, number, Once::RUN);
        assert_eq!(status(&again), first);
        if first == Some(422) {
            refused += 1;
            assert_eq!(handlings(&again), [Rejected]);
        }
    }
    assert!((80..160).contains(&refused), "{refused} of 400 are refused");
}

#[test]
fn requests_wait_in_line_for_capacity_and_a_bounded_line_refuses() {
    let plan = plan(EndpointService { capacity: Some(Rate::per_second(10.0)), queue: Some(2), ..config() });
    let mut rig = rig(&plan);
    let statuses: Vec<_> =
        (0..4).map(|n| status(&rig.message(1, request(n + 1, CHARGE, item(n as u32), Once::ITEM)))).collect();
    assert_eq!(statuses, [None, None, Some(503), Some(503)]);
    assert_eq!(rig.gauge("waiting requests"), Some((2.0, 2.0)));
    let (used, limit) = rig.gauge("capacity").expect("it has one");
    assert!((used - 2.0).abs() < 1e-6 && limit == 10.0, "two turns of ten in a second: {used}");
    assert_eq!(births(&rig.advance(Span::millis(100))), 1);
    assert_eq!(births(&rig.advance(Span::millis(99))), 0);
    assert_eq!(births(&rig.advance(Span::millis(1))), 1);
}

#[test]
fn every_hook_strikes_has_its_effect_and_heals() {
    // What the caller sees, and how many effects there are.
    let cases = [
        (Hook::DependencyDown, Value::None, Some(503), 0),
        (Hook::DependencyIntermittent, Value::None, Some(503), 0),
        (Hook::DependencyPartial, Value::None, Some(503), 0),
        (Hook::HttpStatus, Value::Number(429), Some(429), 0),
        (Hook::HttpAbort, Value::None, Some(502), 0),
        (Hook::HttpCutResponse, Value::None, Some(502), 1),
        (Hook::DependencyWrongAnswer, Value::None, Some(200), 0),
        (Hook::ConnectionPool, Value::Number(0), Some(503), 0),
        (Hook::DependencySlow, Value::Span(Span::secs(8)), Some(200), 1),
        (Hook::HttpDelay, Value::Span(Span::secs(8)), Some(200), 1),
        (Hook::HttpSlowBody, Value::Span(Span::secs(8)), Some(200), 1),
    ];
    for (hook, value, expected, effect) in cases {
        let plan = plan(config());
        let mut rig = rig(&plan);
        rig.fault(fault(hook, value));
        let struck = ask(&mut rig, 1, CHARGE, 1, Once::ITEM);
        assert_eq!((status(&struck), births(&struck)), (expected, effect), "{hook:?}");
        assert!(touched(&struck), "{hook:?} is not marked");
        rig.faults.end(FaultId(0));
        let healed = ask(&mut rig, 2, CHARGE, 2, Once::ITEM);
        assert_eq!((status(&healed), births(&healed), touched(&healed)), (Some(200), 1, false), "{hook:?}");
    }
}

#[test]
fn a_slow_dependency_delays_the_effect_and_a_slow_body_does_not() {
    for (hook, births_by_then) in [(Hook::DependencySlow, 0), (Hook::HttpDelay, 0), (Hook::HttpSlowBody, 1)] {
        let plan = plan(config());
        let mut rig = rig(&plan);
        rig.fault(fault(hook, Value::Latency(Distribution::Constant(Span::secs(8)))));
        rig.message(1, request(1, CHARGE, item(1), Once::ITEM));
        let early = rig.advance(Span::secs(8));
        assert_eq!((births(&early), status(&early)), (births_by_then, None), "{hook:?}");
        let late = rig.advance(Span::secs(1));
        assert_eq!(status(&late), Some(200));
    }
}

#[test]
fn a_partial_outage_is_about_keys_and_one_of_an_operation_about_that_operation() {
    let plan = plan(config());
    let mut rig = rig(&plan);
    rig.fault(Active { frequency: Frequency::Chance(0.5), ..fault(Hook::DependencyPartial, Value::None) });
    let down =
        |rig: &mut Rig<'_>, call, number| status(&ask(rig, call, CHARGE, number, Once::ITEM)) == Some(503);
    let by_key: Vec<bool> = (0..7).map(|number| down(&mut rig, 100 + u64::from(number), number)).collect();
    let again: Vec<bool> = (7..14).map(|number| down(&mut rig, 200 + u64::from(number), number)).collect();
    assert_eq!(by_key, again);
    assert!(by_key.contains(&true) && by_key.contains(&false));
    rig.faults.end(FaultId(0));
    rig.fault(Active { part: Some(REFUND), ..fault(Hook::DependencyDown, Value::None) });
    assert!(!down(&mut rig, 300, 20));
    assert_eq!(status(&ask(&mut rig, 301, REFUND, 20, Once::ITEM)), Some(503));
}

#[test]
fn probes_see_an_outage_unless_it_is_hidden() {
    let plan = plan(config());
    for hidden in [false, true] {
        let mut rig = rig(&plan);
        assert_eq!(is_ready(&mut rig), Some(true));
        rig.fault(Active { hidden, ..fault(Hook::DependencyDown, Value::None) });
        assert_eq!(is_ready(&mut rig), Some(hidden));
    }
}

#[test]
fn after_a_crash_it_is_like_one_newly_built_from_its_records() {
    let plan = plan(EndpointService { capacity: Some(Rate::per_second(5.0)), ..config() });
    let mut rig = rig(&plan);
    ask(&mut rig, 1, CHARGE, 1, Once::ITEM);
    let fresh = format!("{:?}", rig.process);
    rig.message(1, request(2, CHARGE, item(2), Once::ITEM));
    rig.message(1, request(3, CHARGE, item(3), Once::RUN));
    assert_ne!(format!("{:?}", rig.process), fresh);
    rig.crash();
    let config = EndpointService { capacity: Some(Rate::per_second(5.0)), ..config() };
    let mut twin = config.process("it", &plan).expect("it builds");
    twin.records.effects[0].add(item(1));
    twin.records.keys.remember(
        0,
        Once::ITEM.identity(item(1), crate::ids::Execution::default()).unwrap_or(0),
        item(1),
        None,
    );
    assert_eq!(format!("{:?}", rig.process), format!("{twin:?}"));
    assert_eq!(births(&rig.advance(Span::secs(9))), 0, "what was being served is lost");
}

#[test]
fn an_operation_that_undoes_nothing_known_is_refused_by_the_plan() {
    let ops = vec!["refund undoes charge".parse().expect("an operation")];
    let errors = plan_of(NodeKind::Endpoint(EndpointService { ops, ..config() })).expect_err("it dangles");
    assert_eq!((errors[0].path.join("."), errors[0].word), ("nodes.it.ops".to_owned(), "dangling"));
    let lame = EndpointService { capacity: Some(Rate::per_second(0.0)), ..config() };
    assert!(plan_of(NodeKind::Endpoint(lame)).is_err());
}
