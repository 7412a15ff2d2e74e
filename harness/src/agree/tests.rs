//! Made-up results for every branch of the comparison.

use beaufort_engines::Engine;
use beaufort_reports::{Achieved, BookError, FaultResult, FlowRow, Lateness, Ledger, Step, Violation};

use super::histories::differing_item;
use super::*;
use crate::scenario::load::load;

/// Its objectives: `available` at least 99.5%, `quick` p99 800ms, `zone-recovery` below 90s, `charged-soon`
/// p99 30s, `few-parked` at most 10, `backlog` below 10m. It is loaded for 31 minutes.
fn design() -> Resolved {
    let loaded = load("order-flow", &[]).unwrap_or_else(|bad| panic!("{:?}", bad.diagnostics));
    loaded.resolve(None).expect("resolves")
}

fn goal(name: &str, verdict: Verdict, label: &str, value: f64) -> ObjectiveResult {
    ObjectiveResult {
        name: name.into(),
        verdict,
        achieved: format!("{label} {value}"),
        samples: 1000,
        numbers: Achieved([(label.to_owned(), value)].into()),
        ..ObjectiveResult::default()
    }
}

fn promise(verdict: Verdict, violations: &[(u32, f64)]) -> ContractResult {
    let violation = |(number, at): &(u32, f64)| Violation {
        item: format!("orders {number}"),
        number: *number,
        stream: "shoppers".into(),
        reason: "lost".into(),
        place: "ledger".into(),
        at_seconds: Some(*at),
        ..Violation::default()
    };
    ContractResult {
        name: "charged-once".into(),
        verdict,
        checked: 1860,
        reasons: [("lost".to_owned(), violations.len() as u64)].into(),
        violations: violations.iter().map(violation).collect(),
        ..ContractResult::default()
    }
}

/// One item a second; one fault with one window.
fn run(contracts: Vec<ContractResult>, objectives: Vec<ObjectiveResult>) -> SeedResult {
    let flow = FlowRow { flow: "orders".into(), offered: 1860, accepted: 1860, ..FlowRow::default() };
    let fault = FaultResult { fired: 3, windows: vec![[5.0, 10.0]], ..FaultResult::default() };
    SeedResult {
        seed: 7,
        events_per_item: 19.5,
        ledger: Ledger { flows: vec![flow], ..Ledger::default() },
        faults: vec![fault],
        contracts,
        objectives,
        ..SeedResult::default()
    }
}

/// The same on an engine that was late by up to a millisecond: durations are off by at most 20 ms.
fn hosted(run: SeedResult) -> SeedResult {
    let lateness = Some(Lateness { inputs: 100, late: 3, max: 0.001, ..Lateness::default() });
    SeedResult { lateness, ..run }
}

fn only(kind: Kind, native: &SeedResult, other: &SeedResult) -> Row {
    let rows = compare(&design(), Engine::Turmoil, native, other);
    rows.into_iter().find(|row| row.kind == kind).expect("there is one")
}

#[test]
fn the_same_verdict_is_agreement_whatever_the_values() {
    let native = run(vec![promise(Verdict::Pass, &[])], vec![goal("quick", Verdict::Pass, "p99", 0.2)]);
    let other =
        hosted(run(vec![promise(Verdict::Pass, &[])], vec![goal("quick", Verdict::Pass, "p99", 0.7)]));
    let rows = compare(&design(), Engine::Turmoil, &native, &other);
    assert!(rows.iter().all(|row| row.agreement == Agreement::Agree), "{rows:?}");
    let kinds: Vec<Kind> = rows.iter().map(|row| row.kind).collect();
    assert_eq!(kinds, [Kind::Books, Kind::Flow, Kind::Contract, Kind::Objective]);
    assert_eq!(summary(&rows), "4 agree");
}

#[test]
fn a_contract_has_no_tolerance() {
    for other in [Verdict::Fail, Verdict::Inconclusive, Verdict::Error] {
        let native = run(vec![promise(Verdict::Pass, &[])], vec![]);
        let other = hosted(run(vec![promise(other, &[(3, 1.0)])], vec![]));
        assert_eq!(only(Kind::Contract, &native, &other).agreement, Agreement::Differ);
    }
    let native = run(vec![promise(Verdict::Pass, &[])], vec![]);
    let row = only(Kind::Contract, &native, &hosted(run(vec![], vec![])));
    assert_eq!((row.agreement, row.other.value.as_str()), (Agreement::Differ, "not judged"));
    let failed = run(vec![promise(Verdict::Fail, &[(3, 1.0)])], vec![]);
    let mut doubled = promise(Verdict::Fail, &[(3, 1.0)]);
    doubled.reasons = [("doubled".to_owned(), 7), ("lost".to_owned(), 1)].into();
    let row = only(Kind::Contract, &failed, &hosted(run(vec![doubled.clone()], vec![])));
    assert_eq!(row.agreement, Agreement::Differ, "most are doubled there, and none here");
    doubled.reasons.insert("lost".to_owned(), 9);
    let row = only(Kind::Contract, &failed, &hosted(run(vec![doubled], vec![])));
    assert_eq!(row.agreement, Agreement::Agree, "most are lost on both");
    // Neither is it agreement where both are defects.
    let broken = run(vec![promise(Verdict::Error, &[])], vec![]);
    assert_eq!(only(Kind::Contract, &broken, &run(vec![], vec![])).agreement, Agreement::Differ);
}

#[test]
fn what_the_native_engine_decides_otherwise_when_disturbed_a_little_is_too_close_to_call() {
    let native = run(vec![promise(Verdict::Pass, &[])], vec![]);
    let other = hosted(run(vec![promise(Verdict::Fail, &[(3, 1.0)])], vec![]));
    let agreement = |disturbed: &SeedResult| {
        let mut rows = compare(&design(), Engine::Turmoil, &native, &other);
        weigh(&mut rows, &design(), disturbed, &other);
        rows.into_iter().find(|row| row.kind == Kind::Contract).expect("there is one").agreement
    };
    assert_eq!(agreement(&native), Agreement::Differ, "it stands by what it said");
    assert_eq!(agreement(&run(vec![promise(Verdict::Fail, &[(8, 2.0)])], vec![])), Agreement::TooClose);
    let mut doubled = promise(Verdict::Fail, &[(3, 1.0)]);
    doubled.reasons = [("doubled".to_owned(), 7)].into();
    assert_eq!(agreement(&run(vec![doubled], vec![])), Agreement::Differ, "for another reason");
    // Fewer items offered, or books that do not balance, are never excused.
    let fewer = hosted(SeedResult { ledger: Ledger::default(), ..run(vec![], vec![]) });
    let mut rows = compare(&design(), Engine::Turmoil, &native, &fewer);
    weigh(&mut rows, &design(), &fewer, &fewer);
    let flow = rows.iter().find(|row| row.kind == Kind::Flow).expect("there is one");
    assert_eq!(flow.agreement, Agreement::Differ);
}

#[test]
fn a_run_is_disturbed_by_no_more_than_the_other_engine_was_late() {
    let late = |p99| Some(Lateness { inputs: 100, late: 3, p99, max: 0.5, ..Lateness::default() });
    let of = |p99| SeedResult { lateness: late(p99), ..SeedResult::default() };
    let greatest = |run: &SeedResult| tolerance::disturbances(run).fold(0.0, f64::max);
    assert!((greatest(&of(0.004)) - 0.004).abs() < 1e-12);
    assert!((greatest(&of(0.0)) - 1e-6).abs() < 1e-12);
    assert_eq!(tolerance::disturbances(&SeedResult::default()).count(), 0, "the native engine is exact");
}

#[test]
fn other_items_and_books_that_do_not_balance_differ() {
    let native = run(vec![], vec![]);
    let mut other = hosted(run(vec![], vec![]));
    other.ledger.flows[0].offered -= 1;
    assert_eq!(only(Kind::Flow, &native, &other).agreement, Agreement::Differ);
    assert_eq!(only(Kind::Books, &native, &other).agreement, Agreement::Agree);
    let error = BookError { book: "copies".into(), subject: "ledger".into(), message: "1 vanished".into() };
    other.errors = vec![error];
    assert_eq!(only(Kind::Books, &native, &other).agreement, Agreement::Differ);
    let same = SeedResult { errors: other.errors.clone(), ..native };
    assert_eq!(
        only(Kind::Books, &same, &other).agreement,
        Agreement::Differ,
        "a defect is never agreed upon"
    );
}

/// Durations 20 ms; edges 2, one item a second: 2 x 1.04 items flip.
#[test]
fn objectives_are_too_close_within_the_measured_tolerance_and_differ_beyond_it() {
    use Agreement::{Agree, Differ, TooClose};
    use Verdict::{Degraded, Error, Fail, Inconclusive, Pass};
    let cases = [
        ("quick", "p99", Pass, 0.79, Fail, 0.81, TooClose),
        ("quick", "p99", Pass, 0.79, Degraded, 0.81, TooClose),
        ("quick", "p99", Fail, 0.81, Pass, 0.79, TooClose),
        ("quick", "p99", Pass, 0.79, Fail, 0.83, Differ),
        ("quick", "p99", Pass, 0.75, Fail, 0.81, Differ),
        ("quick", "p99", Pass, 0.79, Inconclusive, 0.81, TooClose),
        ("quick", "p99", Inconclusive, 0.79, Pass, 0.2, TooClose),
        ("quick", "p99", Fail, 0.81, Inconclusive, 0.79, Differ),
        ("quick", "p99", Fail, 0.81, Error, 0.79, Differ),
        ("quick", "p99", Fail, 0.81, Fail, 2.0, Agree),
        // One item a second: 1.02 s.
        ("zone-recovery", "recovered", Pass, 89.1, Fail, 90.9, TooClose),
        ("zone-recovery", "recovered", Pass, 88.9, Fail, 90.9, Differ),
        ("backlog", "drained", Pass, 599.1, Fail, 600.9, TooClose),
        ("backlog", "drained", Pass, 599.1, Fail, 602.0, Differ),
        // 2.08 of 1000 items are 0.208%.
        ("available", "share", Pass, 0.9965, Fail, 0.9935, TooClose),
        ("available", "share", Pass, 0.9965, Fail, 0.9925, Differ),
        ("few-parked", "count", Pass, 10.0, Fail, 12.0, TooClose),
        ("few-parked", "count", Pass, 10.0, Fail, 13.0, Differ),
    ];
    for (name, label, native, x, other, y, expected) in cases {
        let native = run(vec![], vec![goal(name, native, label, x)]);
        let other = hosted(run(vec![], vec![goal(name, other, label, y)]));
        let found = only(Kind::Objective, &native, &other).agreement;
        assert_eq!(found, expected, "{name}: {x} and {y}");
    }
}

#[test]
fn where_nothing_was_late_there_is_no_tolerance() {
    let native = run(vec![], vec![goal("quick", Verdict::Pass, "p99", 0.799)]);
    let other = run(vec![], vec![goal("quick", Verdict::Fail, "p99", 0.801)]);
    assert_eq!(only(Kind::Objective, &native, &other).agreement, Agreement::Differ);
    let nothing = run(vec![], vec![goal("quick", Verdict::Inconclusive, "p99", 0.801)]);
    assert_eq!(only(Kind::Objective, &native, &nothing).agreement, Agreement::Differ);
    let punctual = SeedResult { lateness: Some(Lateness::default()), ..other };
    assert_eq!(only(Kind::Objective, &native, &punctual).agreement, Agreement::Differ);
    assert_eq!(Tolerance::measured(&design(), &native, &punctual), Tolerance::default());
}

#[test]
fn what_has_no_value_is_far_from_every_bound() {
    let native = run(vec![], vec![goal("zone-recovery", Verdict::Pass, "recovered", 89.9)]);
    let mut never = goal("zone-recovery", Verdict::Fail, "recovered", 0.0);
    never.numbers = Achieved::default();
    let other = hosted(run(vec![], vec![never]));
    assert_eq!(only(Kind::Objective, &native, &other).agreement, Agreement::Differ);
    let unknown = run(vec![], vec![goal("no-such-line", Verdict::Pass, "p99", 1.0)]);
    let other = hosted(run(vec![], vec![goal("no-such-line", Verdict::Fail, "p99", 1.0)]));
    assert_eq!(only(Kind::Objective, &unknown, &other).agreement, Agreement::Differ);
}

#[test]
fn the_table_fits_eighty_columns_and_shows_what_is_odd() {
    let native = run(
        vec![promise(Verdict::Pass, &[])],
        vec![goal("quick", Verdict::Pass, "p99", 0.79), goal("available", Verdict::Pass, "share", 1.0)],
    );
    let other = hosted(run(
        vec![promise(Verdict::Fail, &[(3, 1.0)])],
        vec![goal("quick", Verdict::Fail, "p99", 0.81), goal("available", Verdict::Pass, "share", 1.0)],
    ));
    let rows = compare(&design(), Engine::Turmoil, &native, &other);
    let expected = "\
order-flow/base, seed 7, turmoil: 3 agree, 1 too close, 1 DIFFER
                               native                  turmoil
  DIFFER    charged-once       1,860 items             fail: 1 lost of 1,860
  too close quick              p99 0.79                fail: p99 0.81
";
    assert_eq!(render(&rows, false), expected);
    let all = render(&rows, true);
    assert_eq!(all.lines().count(), 7, "{all}");
    let mut long = rows;
    long[2].name = "a-name-that-is-longer-than-the-column".into();
    long[2].other.value = "word ".repeat(30);
    assert!(render(&long, true).lines().all(|line| line.chars().count() <= 80));
}

#[test]
fn the_first_item_that_differs_is_the_earliest_on_either_side() {
    let item = |native: &[(u32, f64)], other: &[(u32, f64)]| {
        let found = differing_item(&promise(Verdict::Fail, native), &promise(Verdict::Fail, other));
        found.map(|(violation, on_native)| (violation.number, on_native))
    };
    assert_eq!(item(&[(1, 1.0), (5, 5.0)], &[(1, 1.2)]), Some((5, true)));
    assert_eq!(item(&[(1, 1.0), (5, 5.0)], &[(1, 1.2), (3, 3.0)]), Some((3, false)));
    assert_eq!(item(&[], &[(3, 3.0)]), Some((3, false)));
    assert_eq!(item(&[(1, 1.0)], &[(1, 2.0)]), None);
}

#[test]
fn histories_are_told_from_where_they_part() {
    let step = |at_seconds: f64, node: &str, what: &str| Step {
        at_seconds,
        node: node.into(),
        what: what.into(),
        faults: if what.contains("crash") { vec!["worker-crashes".into()] } else { vec![] },
    };
    let histories = Histories {
        contract: "charged-once".into(),
        item: "orders 3".into(),
        offence: "lost at ledger on turmoil only".into(),
        engine: Engine::Turmoil,
        sides: [
            vec![step(1.0, "shoppers", "offered to edge"), step(1.1, "ledger", "effect at ledger")],
            vec![step(1.001, "shoppers", "offered to edge"), step(1.1, "worker#1", "crashed")],
        ],
    };
    let expected = "\
charged-once: orders 3, lost at ledger on turmoil only
  the first step is the same:
         1.000s  shoppers: offered to edge
  then on native:
         1.100s  ledger: effect at ledger
  then on turmoil:
         1.100s  worker#1: crashed [worker-crashes]
";
    assert_eq!(histories.render(), expected);
    let silent = Histories { sides: [histories.sides[0].clone(), vec![]], ..histories };
    assert!(silent.render().ends_with("then on turmoil:\n    nothing more\n"), "{}", silent.render());
}

/// Two designs that differ in one step, judged by the same rules, stand in for two engines.
#[test]
fn a_contract_that_differs_is_told_by_two_recorded_histories() {
    use crate::run::{Options, run as run_seed};
    let sets = [
        "time.warmup=0s",
        "time.run=30s",
        "time.drain=30s",
        "faults.zone-lost=null",
        "faults.bus-throttled=null",
        "faults.psp-slow=null",
        "objectives.zone-recovery=null",
        "objectives.backlog=null",
    ];
    let sets = sets.map(str::to_owned);
    let resolve = |variant: Option<&str>, more: &[&str]| {
        let sets: Vec<String> = sets.iter().cloned().chain(more.iter().map(|&set| set.to_owned())).collect();
        let loaded = load("order-flow", &sets).unwrap_or_else(|bad| panic!("{:?}", bad.diagnostics));
        loaded.resolve(variant).expect("resolves")
    };
    let crashes =
        "faults.worker-crashes={ proc.crash: payment-worker, after: complete, chance: 2%, for: 2s }";
    let broken = resolve(Some("ack-first"), &[crashes]);
    let options = Options { stories: 0, ..Options::default() };
    let failed = run_seed(&broken.plan, &broken.rules, 1, &options).expect("runs");
    let lost = failed.contracts.iter().find(|c| c.name == "charged-once").expect("there");
    assert_eq!(lost.verdict, Verdict::Fail, "{lost:?}");
    let mut fine = failed.clone();
    for contract in &mut fine.contracts {
        *contract = ContractResult { verdict: Verdict::Pass, violations: vec![], ..contract.clone() };
    }
    let rows = compare(&broken, Engine::Native, &failed, &fine);
    assert!(rows.iter().any(|row| row.kind == Kind::Contract && row.agreement == Agreement::Differ));
    let told = histories(&broken.plan, "charged-once", &options, &failed, &fine).expect("runs");
    let told = told.expect("an item differs");
    assert!(told.sides[0].len() > 3, "{told:?}");
    // The same engine twice gives the same history.
    assert_eq!(told.sides[0], told.sides[1]);
    assert_eq!(told.common(), told.sides[0].len());
    assert!(told.sides[0].iter().any(|step| step.what.contains("crashed")), "{}", told.render());
}
