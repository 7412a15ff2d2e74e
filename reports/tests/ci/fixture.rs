//! Documents that the formats are drawn from: one of each verdict, and one in which every name is hostile.

use beaufort_reports::design::Source;
use beaufort_reports::series::DoorSeries;
use beaufort_reports::{
    BookError, ComparisonResult, ContractResult, Design, Fates, FaultResult, FlowRow, Ledger,
    ObjectiveResult, PlaceRow, Recovery, Results, SCHEMA, SeedResult, Series, Step, Verdict, Violation,
};

/// Everything that a format could take for its own: markup, quotes, ends of lines and of sections, escapes of
/// a terminal, marks that turn the direction, commands of a pipeline, separators of properties, links,
/// mentions; and Hebrew, which is only a script.
pub(crate) const HOSTILE: &str = "שלום<script>alert(\"1\")</script>&amp;'|`` [x](https://evil.example)\u{200b} @root #1 $x$ \
    \u{202e}olleh\u{1b}[31m\u{0}\u{9b}\u{fffe}\r\n::error::owned\n##vso[task.complete result=Failed;]##[error]\
    x]]>--></details></summary>```\n%0A%AZP25;,:= \\ {0} end";

fn step(at_seconds: f64, node: &str, what: &str, fault: &str) -> Step {
    let faults = if fault.is_empty() { vec![] } else { vec![fault.to_owned()] };
    Step { at_seconds, node: node.into(), what: what.into(), faults }
}

fn lost() -> Violation {
    Violation {
        item: "orders 4711".into(),
        number: 4711,
        key: Some(17),
        reason: "lost".into(),
        place: "ledger".into(),
        detail: "no copy is left".into(),
        story: vec![
            step(312.5, "shoppers", "offered to edge", ""),
            step(312.561, "orders-db", "effect at orders-db.order", ""),
            step(725.2, "payment-worker#1", "crashed in the middle of the run", "worker-crashes"),
        ],
        ..Violation::default()
    }
}

fn contract(name: &str, verdict: Verdict) -> ContractResult {
    let base = ContractResult {
        name: name.into(),
        rule: "exactly-once orders".into(),
        verdict,
        checked: 89_874,
        fates: Fates { effected: 89_862, ..Fates::default() },
        ..ContractResult::default()
    };
    if verdict != Verdict::Fail {
        return base;
    }
    ContractResult {
        violated: 12,
        reasons: [("lost".to_owned(), 12)].into(),
        fates: Fates { effected: 89_862, lost: 12, ..Fates::default() },
        violations: vec![lost()],
        ..base
    }
}

fn available(verdict: Verdict, margin: f64, achieved: &str) -> ObjectiveResult {
    ObjectiveResult {
        name: "available".into(),
        measure: "availability edge".into(),
        verdict,
        target: "at least 99.9%".into(),
        achieved: achieved.into(),
        margin: Some(margin),
        samples: 90_011,
        ..ObjectiveResult::default()
    }
}

fn recovery(verdict: Verdict) -> ObjectiveResult {
    let recovered = if verdict == Verdict::Fail { 300.0 } else { 53.8 };
    ObjectiveResult {
        name: "zone-recovery".into(),
        measure: "recovery-time zone-lost".into(),
        verdict,
        target: "below 90s".into(),
        achieved: if verdict == Verdict::Fail { "5.0m".into() } else { "53.8s".into() },
        margin: Some(1.0 - recovered / 90.0),
        samples: 1,
        recoveries: vec![Recovery {
            fault: "zone-lost".into(),
            door: "edge".into(),
            at_seconds: 600.0,
            bad: 1389,
            impact: Some(0.1),
            detected: Some(35.0),
            recovered: Some(recovered),
            ..Recovery::default()
        }],
        ..ObjectiveResult::default()
    }
}

fn faults(felt: u64) -> Vec<FaultResult> {
    let zone = FaultResult {
        name: "zone-lost".into(),
        fault: "zone.down".into(),
        target: "westeurope/1".into(),
        armed: 1,
        fired: 1,
        felt,
        windows: vec![[600.0, 900.0]],
        ..FaultResult::default()
    };
    let crash = FaultResult {
        name: "worker-crashes".into(),
        fault: "proc.crash".into(),
        target: "payment-worker".into(),
        armed: 1,
        fired: 87,
        felt: 80,
        random: true,
        windows: vec![[0.0, 1800.0]],
        ..FaultResult::default()
    };
    vec![zone, crash]
}

pub(crate) fn ledger() -> Ledger {
    let flow = FlowRow {
        flow: "orders".into(),
        offered: 90_011,
        accepted: 89_999,
        refused: 12,
        ..FlowRow::default()
    };
    let place = PlaceRow { place: "ledger".into(), born: 89_862, held: 89_862, ..PlaceRow::default() };
    Ledger { flows: vec![flow], places: vec![place], sends: vec![] }
}

pub(crate) fn seed(number: u64, verdict: Verdict) -> SeedResult {
    let failed = if verdict == Verdict::Fail { Verdict::Fail } else { Verdict::Pass };
    let goal = match verdict {
        Verdict::Degraded => available(Verdict::Degraded, -0.4, "99.86%"),
        _ => available(Verdict::Pass, 0.51, "99.951%"),
    };
    SeedResult {
        seed: number,
        digest: format!("00ff{number:04}"),
        verdict,
        cause: match verdict {
            Verdict::Fail => "charged-once is violated: 12 lost of 89,874 items (and 1 more)".into(),
            Verdict::Degraded => "available is not ideal: 99.86% instead of at least 99.9%".into(),
            Verdict::Inconclusive => "fault `zone-lost` struck, but nobody noticed".into(),
            Verdict::Error => "internal error: the copies book does not balance at ledger: 1 vanished".into(),
            Verdict::Pass => "every contract and objective holds, and 2 faults were felt".into(),
        },
        doubts: match verdict {
            Verdict::Inconclusive => vec!["fault `zone-lost` struck, but nobody noticed".into()],
            _ => vec![],
        },
        errors: match verdict {
            Verdict::Error => vec![BookError {
                book: "copies".into(),
                subject: "ledger".into(),
                message: "1 vanished: the book says 89,862, the inventory 89,861".into(),
            }],
            _ => vec![],
        },
        events: 3_121_004,
        events_per_item: 34.7,
        simulated_seconds: 2160.0,
        wall_seconds: 0.91,
        ledger: ledger(),
        contracts: vec![contract("reply-is-true", Verdict::Pass), contract("charged-once", failed)],
        objectives: vec![goal, recovery(failed)],
        faults: faults(if verdict == Verdict::Inconclusive { 0 } else { 2_113 }),
        ..SeedResult::default()
    }
}

/// Half an hour with a minute of warm-up and a drain, in bins of six seconds: an outage of one door, and a
/// long brownout of the other.
pub(crate) fn series() -> Series {
    let (start, step, bins) = (-60.0, 6.0, 360);
    let door = |name: &str, ok: &dyn Fn(f64) -> u64| {
        let at = |bin: u32| start + step * f64::from(bin);
        let offered = |at: f64| if at < 1800.0 { 300 } else { 0 };
        DoorSeries {
            door: name.into(),
            offered: (0..bins).map(|bin| offered(at(bin))).collect(),
            ok: (0..bins).map(|bin| ok(at(bin)).min(offered(at(bin)))).collect(),
            ..DoorSeries::default()
        }
    };
    let outage = |at: f64| if (600.0..650.0).contains(&at) { 20 } else { 300 };
    let slow = |at: f64| 300 - (((at - 900.0) / 3.0).clamp(0.0, 120.0) as u64);
    Series {
        start,
        step,
        bins,
        doors: vec![door("edge", &outage), door("admin", &slow)],
        ..Series::default()
    }
}

pub(crate) fn document(variant: &str, seeds: Vec<SeedResult>) -> Results {
    let verdict = seeds.iter().map(|seed| seed.verdict).max().unwrap_or(Verdict::Inconclusive);
    let worst: Vec<&SeedResult> = seeds.iter().filter(|seed| seed.verdict == verdict).collect();
    let cause = match (worst.first(), seeds.len()) {
        (None, _) => "no seed finished".to_owned(),
        (Some(first), 1) => first.cause.clone(),
        (Some(first), all) => format!("{} of {all} seeds; seed {}: {}", worst.len(), first.seed, first.cause),
    };
    let source = Source {
        file: "scenarios/order-flow.yaml".into(),
        text: "scenario: order-flow\n".into(),
        lines: [
            ("always.charged-once", 212),
            ("objectives.zone-recovery", 230),
            ("objectives.available", 228),
            ("compare.quicker", 240),
            ("faults.zone-lost", 180),
            ("nodes.payment-worker", 97),
        ]
        .map(|(name, line)| (name.to_owned(), line))
        .into(),
    };
    Results {
        schema: SCHEMA,
        tool: "0.1.0".into(),
        scenario: "order-flow".into(),
        variant: variant.into(),
        path: "order-flow".into(),
        verdict,
        cause,
        seeds_asked: seeds.len() as u64,
        design: Some(Design { source: Some(source), ..Design::default() }),
        seeds,
        ..Results::default()
    }
}

/// A sweep of three seeds, two of which fail; the first of them has its series.
pub(crate) fn failing() -> Results {
    let told = SeedResult { series: Some(series()), ..seed(2, Verdict::Fail) };
    document("ack-first", vec![seed(1, Verdict::Pass), told, seed(3, Verdict::Fail)])
}

/// One of each verdict; the failing one a sweep.
pub(crate) fn one_of_each() -> Vec<Results> {
    vec![
        document("base", vec![seed(1, Verdict::Pass)]),
        document("slow", vec![seed(1, Verdict::Degraded)]),
        document("no-traffic", vec![seed(1, Verdict::Inconclusive)]),
        failing(),
        document("leaky", vec![seed(1, Verdict::Error)]),
    ]
}

/// A design that passes alone and is not as much better than another as it must be.
pub(crate) fn not_better(verdict: Verdict) -> Results {
    let comparison = ComparisonResult {
        name: "quicker".into(),
        measure: "recovery-time zone-lost".into(),
        of: "base".into(),
        relation: "shorter-than".into(),
        than: "by-hand".into(),
        by: "50%".into(),
        verdict,
        said: "recovery-time zone-lost of base is 4.0% shorter than of by-hand (3.0% to 5.0%, 20 pairs), wanted \
               shorter by at least 50%"
            .into(),
        gain: Some(0.04),
        low: Some(0.03),
        high: Some(0.05),
        pairs: 20,
    };
    Results { comparisons: vec![comparison], ..document("base", vec![seed(1, Verdict::Pass)]) }
}

/// The failing document with hostile text wherever there is text.
pub(crate) fn hostile() -> Results {
    let nasty = || HOSTILE.to_owned();
    let mut results = failing();
    for text in [&mut results.scenario, &mut results.variant, &mut results.engine, &mut results.cause] {
        *text = nasty();
    }
    for text in [&mut results.path, &mut results.tool, &mut results.program] {
        *text = nasty();
    }
    let source = results.design.as_mut().and_then(|design| design.source.as_mut()).expect("a source");
    source.file = nasty();
    source.lines = [(format!("always.{HOSTILE}"), 212)].into();
    results.comparisons = not_better(Verdict::Fail).comparisons;
    for one in &mut results.comparisons {
        for text in [&mut one.name, &mut one.measure, &mut one.of, &mut one.relation] {
            *text = nasty();
        }
        for text in [&mut one.than, &mut one.by, &mut one.said] {
            *text = nasty();
        }
    }
    for seed in &mut results.seeds {
        seed.digest = nasty();
        seed.cause = nasty();
        seed.doubts = vec![nasty()];
        for flow in &mut seed.ledger.flows {
            flow.flow = nasty();
        }
        for place in &mut seed.ledger.places {
            place.place = nasty();
        }
        for contract in &mut seed.contracts {
            contract.rule = nasty();
            contract.doubt = nasty();
            if contract.name == "charged-once" {
                contract.name = nasty();
                contract.reasons = [(nasty(), 12)].into();
            }
            for violation in &mut contract.violations {
                for text in [&mut violation.item, &mut violation.reason, &mut violation.detail] {
                    *text = nasty();
                }
                violation.place = nasty();
                violation.stream = nasty();
                for step in &mut violation.story {
                    (step.node, step.what, step.faults) = (nasty(), nasty(), vec![nasty()]);
                }
            }
        }
        for goal in &mut seed.objectives {
            for text in [&mut goal.name, &mut goal.measure, &mut goal.target, &mut goal.achieved] {
                *text = format!("{text}{HOSTILE}");
            }
            for recovery in &mut goal.recoveries {
                (recovery.fault, recovery.door) = (nasty(), nasty());
            }
        }
        for fault in &mut seed.faults {
            for text in [&mut fault.name, &mut fault.fault, &mut fault.target] {
                *text = format!("{text}{HOSTILE}");
            }
        }
        for door in seed.series.iter_mut().flat_map(|series| &mut series.doors) {
            door.door = nasty();
        }
    }
    results
}
