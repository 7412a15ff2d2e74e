//! What people read, drawn from fixed documents.

use super::*;
use crate::results::{BookError, ContractResult, Fates, Lateness, Recovery, SeedResult, Violation};
use crate::results::{FaultResult, FlowRow, ObjectiveResult, PlaceRow, Step};
use crate::verdict::Verdict;

fn recovery(impact: Option<f64>, detected: Option<f64>, recovered: Option<f64>) -> Recovery {
    Recovery {
        fault: "zone-lost".into(),
        door: "edge".into(),
        bad: if impact.is_some() { 1389 } else { 0 },
        impact,
        detected,
        recovered,
        backlog: impact.map(|_| 17_216),
        drained: recovered.map(|at| at + 80.0),
        ..Recovery::default()
    }
}

fn other(number: u32, place: &str) -> Violation {
    Violation { item: format!("orders {number}"), number, place: place.into(), ..Violation::default() }
}

fn failed_seed(seed: u64) -> SeedResult {
    let step = |at_seconds: f64, node: &str, what: &str| Step {
        at_seconds,
        node: node.into(),
        what: what.into(),
        faults: if what.contains("crash") { vec!["worker-crashes".into()] } else { vec![] },
    };
    let violation = Violation {
        item: "orders 4711".into(),
        number: 4711,
        key: Some(17),
        reason: "lost".into(),
        place: "ledger".into(),
        detail: "no copy is left".into(),
        story: vec![
            step(312.5, "shoppers", "offered to edge"),
            step(312.561, "orders-db", "effect at orders-db.order"),
            step(3725.2, "payment-worker#1", "crashed in the middle of the run"),
        ],
        ..Violation::default()
    };
    SeedResult {
        seed,
        digest: "00ff".into(),
        verdict: Verdict::Fail,
        cause: "charged-once is violated: 12 lost of 89,874 items".into(),
        events: 3_121_004,
        wall_seconds: 1.0,
        simulated_seconds: 5400.0,
        contracts: vec![
            ContractResult {
                name: "reply-is-true".into(),
                rule: "at-least-once orders".into(),
                checked: 90_011,
                ..ContractResult::default()
            },
            ContractResult {
                name: "charged-once".into(),
                rule: "exactly-once orders".into(),
                verdict: Verdict::Fail,
                checked: 89_874,
                violated: 12,
                reasons: [("lost".to_owned(), 12)].into(),
                fates: Fates {
                    effected: 89_860,
                    parked: 2,
                    lost: 12,
                    unknown_effected: 7,
                    ..Fates::default()
                },
                violations: vec![violation, other(4720, "ledger"), other(4811, "ledger"), other(4811, "psp")],
                ..ContractResult::default()
            },
        ],
        objectives: vec![
            ObjectiveResult {
                name: "available".into(),
                measure: "availability edge".into(),
                target: "at least 99.9%".into(),
                achieved: "99.951%".into(),
                margin: Some(0.51),
                samples: 90_011,
                ..ObjectiveResult::default()
            },
            ObjectiveResult {
                name: "zone-recovery".into(),
                measure: "recovery-time zone-lost".into(),
                verdict: Verdict::Fail,
                target: "below 90s".into(),
                achieved: "5.0m".into(),
                margin: Some(-2.33),
                samples: 2,
                recoveries: vec![
                    recovery(Some(0.1), Some(35.0), Some(53.8)),
                    recovery(Some(0.1), None, Some(300.0)),
                ],
                ..ObjectiveResult::default()
            },
        ],
        faults: vec![FaultResult {
            name: "worker-crashes".into(),
            fault: "proc.crash".into(),
            target: "payment-worker".into(),
            armed: 1,
            fired: 87,
            felt: 80,
            random: true,
            ..FaultResult::default()
        }],
        ledger: crate::results::Ledger {
            flows: vec![FlowRow {
                flow: "orders".into(),
                offered: 90_011,
                accepted: 89_999,
                refused: 12,
                ..FlowRow::default()
            }],
            places: vec![PlaceRow {
                place: "ledger".into(),
                born: 89_862,
                held: 89_862,
                absorbed: 3,
                ..PlaceRow::default()
            }],
            sends: vec![],
        },
        ..SeedResult::default()
    }
}

fn results(seeds: Vec<SeedResult>) -> Results {
    Results {
        scenario: "order-flow".into(),
        variant: "ack-first".into(),
        path: "scenarios/order-flow.yaml".into(),
        verdict: Verdict::Fail,
        cause: seeds[0].cause.clone(),
        seeds,
        ..Results::default()
    }
}

/// A run in which nothing is wrong.
fn fine_seed(seed: u64) -> SeedResult {
    let mut fine = failed_seed(seed);
    fine.verdict = Verdict::Pass;
    fine.cause = "every contract and objective holds, and the fault was felt".into();
    for contract in &mut fine.contracts {
        *contract = ContractResult { verdict: Verdict::Pass, violated: 0, ..contract.clone() };
        contract.reasons.clear();
        contract.violations.clear();
    }
    fine.objectives[1] = ObjectiveResult {
        verdict: Verdict::Pass,
        achieved: "not impacted".into(),
        margin: Some(1.0),
        recoveries: vec![recovery(None, Some(35.0), None)],
        ..fine.objectives[1].clone()
    };
    fine
}

const QUIET: Style = Style { colour: false, width: 80, speed: false, blocks: true };

fn document(variant: &str, seeds: Vec<SeedResult>) -> Results {
    let worst = seeds.iter().map(|seed| seed.verdict).max().unwrap_or_default();
    Results { variant: variant.into(), verdict: worst, ..results(seeds) }
}

#[test]
fn a_run_says_first_what_matters_and_last_how_to_see_it_again() {
    insta::assert_snapshot!(render(&document("ack-first", vec![failed_seed(3)]), QUIET));
}

#[test]
fn a_run_in_colour() {
    let text = render(&document("ack-first", vec![failed_seed(3)]), Style { colour: true, ..QUIET });
    insta::assert_snapshot!(text.replace('\u{1b}', "^"));
}

#[test]
fn a_run_that_passes_tells_what_the_fault_did() {
    let text = render(&document("base", vec![fine_seed(1)]), Style { speed: true, ..QUIET });
    insta::assert_snapshot!(text);
}

#[test]
fn a_run_by_which_nothing_is_shown() {
    let mut seed = fine_seed(1);
    seed.verdict = Verdict::Inconclusive;
    seed.doubts = vec![
        "fault `worker-crashes` struck, but nobody noticed".into(),
        "`charged-once`: 17 items were still on the way at the deadline; next: 17 copies wait in payments"
            .into(),
    ];
    seed.cause = format!("{} (and 1 more)", seed.doubts[0]);
    seed.contracts[1].verdict = Verdict::Inconclusive;
    seed.contracts[1].fates = Fates { effected: 89_857, late: 17, ..Fates::default() };
    seed.objectives[1].verdict = Verdict::Inconclusive;
    seed.objectives[1].achieved = "not impacted, but nobody felt the fault".into();
    seed.objectives[1].margin = None;
    seed.faults[0].random = false;
    seed.faults[0].felt = 0;
    insta::assert_snapshot!(render(&document("base", vec![seed]), QUIET));
}

#[test]
fn a_defect_of_our_own_is_told_as_such() {
    let mut seed = fine_seed(1);
    seed.verdict = Verdict::Error;
    seed.cause = "internal error: the copies book does not balance at ledger: 1 vanished".into();
    let message = "1 vanished: the book says 89,862, the inventory 89,861".to_owned();
    seed.errors = vec![BookError { book: "copies".into(), subject: "ledger".into(), message }];
    insta::assert_snapshot!(render(&document("base", vec![seed]), QUIET));
}

#[test]
fn a_sweep_counts_seeds_and_tells_the_first_failure() {
    let mut results = document("ack-first", vec![fine_seed(0), failed_seed(1), failed_seed(2)]);
    results.cause = "2 of 3 seeds; seed 1: charged-once is violated: 12 lost of 89,874 items".into();
    insta::assert_snapshot!(render(&results, QUIET));
}

#[test]
fn no_line_is_wider_than_the_page_and_colour_comes_only_if_asked_for() {
    let mut seed = failed_seed(3);
    seed.contracts[0].name = "a-name-that-is-quite-a-bit-longer-than-names-usually-are".into();
    seed.contracts[0].rule = "exactly-once a-flow-with-a-long-name".into();
    seed.contracts[1].violations[0].story[1].what = "word ".repeat(30);
    seed.contracts[1].violations[0].story[2].node = "a-node-with-a-name-of-forty-letters-or-so#12".into();
    seed.objectives[0].target = "p50 200ms, p95 450ms, p99 800ms, max 12s".into();
    seed.objectives[0].achieved = "p50 150ms, p95 300ms, p99 412ms, max 3.1s".into();
    seed.faults[0].target = "a-node-with-a-long-name.and-a-part-of-it/westeurope".into();
    seed.ledger.places[0].place = "a-store-with-a-long-name.and-a-part-with-one".into();
    seed.ledger.places[0].expired = 1_000_000;
    seed.ledger.places[0].destroyed = 1_000_000;
    seed.ledger.flows[0].unknown = 1_000_000;
    seed.ledger.flows[0].failed = 1_000_000;
    let wide = document("ack-first", vec![seed]);
    let many = document("ack-first", vec![wide.seeds[0].clone(), fine_seed(4)]);
    for text in [render(&wide, Style::default()), render(&many, Style::default())] {
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        assert!(!text.contains('\u{1b}'));
    }
    insta::assert_snapshot!(render(&wide, QUIET));
}

#[test]
fn a_recovery_names_what_did_not_happen() {
    let told = |one: &Recovery| words::recovery(one, None).join(" | ");
    let all = [
        recovery(Some(0.0), None, None),
        recovery(None, None, None),
        Recovery { backlog: Some(12), ..recovery(Some(61.0), Some(2.5), Some(7300.0)) },
    ];
    let told: Vec<String> = all.iter().map(told).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_word_that_is_wider_than_the_column_is_cut() {
    assert_eq!(words::wrap("a bcdefgh ij", 4), ["a", "bcde", "fgh", "ij"]);
    assert_eq!(words::wrap("", 4), [""]);
}

#[test]
fn numbers_are_grouped_and_times_have_units() {
    assert_eq!((grouped(0), grouped(1234567), grouped(999)), ("0".into(), "1,234,567".into(), "999".into()));
    assert_eq!(
        (clock(0.5), clock(-61.04), clock(3725.0)),
        ("0.500s".into(), "-1m01.040s".into(), "1h02m05s".into())
    );
}

#[test]
fn a_missed_availability_tells_the_way_of_the_first_item() {
    let mut seed = fine_seed(1);
    seed.verdict = Verdict::Fail;
    seed.cause = "available is missed: 0.000% instead of at least 99.9%".into();
    let mut item = other(12, "edge");
    item.reason = "refused".into();
    item.key = Some(3);
    let what = "edge refused in the end".into();
    item.story = vec![Step { at_seconds: 1.5, node: "shoppers".into(), what, faults: vec![] }];
    let goal = &mut seed.objectives[0];
    goal.verdict = Verdict::Fail;
    goal.achieved = "0.000%".into();
    goal.margin = Some(-999.0);
    goal.examples = vec![item];
    insta::assert_snapshot!(render(&document("base", vec![seed]), QUIET));
}

#[test]
fn another_engine_is_named_with_its_lateness_and_in_the_replay() {
    let hosted = |seed: SeedResult, late: u64| SeedResult {
        lateness: Some(Lateness { inputs: 1_204_113, late, p50: 0.0, p99: 0.0009, max: 0.001 }),
        ..seed
    };
    let on = |results: Results| Results { engine: "turmoil".into(), ..results };
    let run = on(document("ack-first", vec![hosted(failed_seed(3), 37_327)]));
    let sweep = on(document("ack-first", vec![hosted(fine_seed(0), 0), hosted(failed_seed(1), 12)]));
    let fine = on(document("base", vec![hosted(fine_seed(0), 0), hosted(fine_seed(1), 0)]));
    let texts = [&run, &sweep, &fine].map(|results| render(results, QUIET));
    for line in texts.iter().flat_map(|text| text.lines()) {
        assert!(line.chars().count() <= 80 || line.starts_with("Replay: "), "{line}");
    }
    let told = |line: &&str| line.contains("turmoil");
    let lines: Vec<&str> = texts.iter().flat_map(|text| text.lines().filter(told)).collect();
    insta::assert_snapshot!(lines.join("\n"));
}
