//! What people read, drawn from fixed documents.

use super::*;
use crate::results::{ContractResult, SeedResult, Violation};
use crate::verdict::Verdict;
use crate::results::{FaultResult, FlowRow, ObjectiveResult, PlaceRow, Step};

fn failed_seed(seed: u64) -> SeedResult {
    let step = |at_seconds: f64, node: &str, what: &str| Step {
        at_seconds,
        node: node.into(),
        what: what.into(),
        faults: if what.contains("crash") { vec!["worker-crashes".into()] } else { vec![] },
    };
    let violation = Violation {
        item: "orders 4711".into(),
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
        cause: "charged-once is violated: 12 lost of 89874 items".into(),
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
                violations: vec![violation],
                ..ContractResult::default()
            },
        ],
        objectives: vec![ObjectiveResult {
            name: "available".into(),
            measure: "availability edge".into(),
            target: "at least 99.9%".into(),
            achieved: "99.951%".into(),
            margin: Some(0.51),
            samples: 90_011,
            ..ObjectiveResult::default()
        }],
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

#[test]
fn a_run_says_first_what_matters_and_last_how_to_see_it_again() {
    let text = render(&results(vec![failed_seed(3)]), Style { speed: false, ..Style::default() });
    let wanted = "\
FAIL  order-flow / ack-first  (seed 3)
charged-once is violated: 12 lost of 89874 items

Contracts                                             items checked / violations
  ok    reply-is-true  at-least-once orders  90,011
  FAIL  charged-once   exactly-once orders   89,874  12 lost

Objectives                                            target / achieved / margin
  ok  available  availability edge  at least 99.9%  99.951%  +51%

Faults                                                      armed / fired / felt
  worker-crashes  proc.crash payment-worker  1  87  80

Ledger
  orders: 90,011 offered = 89,999 accepted + 12 refused
  ledger  89,862 came  0 left  89,862 held  3 absorbed

The first violation of charged-once: item orders 4711 (key 17)
  lost at ledger: no copy is left
  5m12.500s  shoppers          offered to edge
  5m12.561s  orders-db         effect at orders-db.order
   1h02m05s  payment-worker#1  crashed in the middle of the run [worker-crashes]

Replay: beaufort run scenarios/order-flow.yaml --variant ack-first --seed 3
Digest: 00ff
";
    assert_eq!(text, wanted);
}

#[test]
fn a_sweep_counts_seeds_and_tells_the_first_failure() {
    let text = render(&results(vec![failed_seed(0), failed_seed(1)]), Style::default());
    for part in ["Seeds: 2 fail", "2 seeds: 24 lost", "2 of 2", "--seed 0", "events/s a core"] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
}

#[test]
fn no_line_is_wider_than_the_terminal_and_colour_comes_only_if_asked_for() {
    let mut seed = failed_seed(3);
    seed.contracts[0].name = "a-name-that-is-quite-a-bit-longer-than-names-usually-are".into();
    seed.objectives[0].target = "p50 200ms, p95 450ms, p99 800ms, max 12s".into();
    seed.objectives[0].achieved = "p50 150ms, p95 300ms, p99 412ms, max 3.1s".into();
    let wide = results(vec![seed]);
    let text = render(&wide, Style { speed: false, ..Style::default() });
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(!text.contains('\u{1b}'));
    let coloured = render(&wide, Style { colour: true, ..Style::default() });
    assert!(coloured.contains("\u{1b}[1;31mFAIL\u{1b}[0m"));
}

#[test]
fn numbers_are_grouped_and_times_have_units() {
    assert_eq!((grouped(0), grouped(1234567), grouped(999)), ("0".into(), "1,234,567".into(), "999".into()));
    assert_eq!(
        (clock(0.5), clock(-61.04), clock(3725.0)),
        ("0.500s".into(), "-1m01.040s".into(), "1h02m05s".into())
    );
}
