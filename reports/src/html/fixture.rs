//! Documents for tests: a run of an order platform that loses a zone, with all that a document can hold.

use crate::design::{Design, DesignEdge, DesignNode, Role, Source};
use crate::results::{
    Achieved, ContractResult, Fates, FaultResult, FlowRow, Ledger, ObjectiveResult, PlaceRow, Recovery,
    Results, SCHEMA, SeedResult, SendRow, Step, Violation,
};
use crate::series::{
    Band, CallSeries, DoorSeries, HealthLane, HealthSpan, LaneKind, LimitSeries, PlaceKind, PlaceOrder,
    PlaceSeries, RunSeries, Series, SignSeries, latency_bucket,
};
use crate::trace::{Activity, Trace, TracedEvent, TracedItem, Traffic};
use crate::verdict::Verdict;

/// Bins: 10 s each, from one minute before the load counts until ten minutes after it.
const BINS: usize = 247;
const STEP: f64 = 10.0;
const START: f64 = -60.0;

fn at(bin: usize) -> f64 {
    START + STEP * bin as f64
}

/// A number from 0 to `below`, the same every time.
fn noise(seed: u64, bin: usize, below: u64) -> u64 {
    let mut x = (seed << 32) ^ (bin as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ (x >> 31)) % below.max(1)
}

fn bins(count: impl Fn(usize) -> u64) -> Vec<u64> {
    (0..BINS).map(count).collect()
}

fn load(bin: usize) -> bool {
    at(bin) < 1800.0
}

fn lost(bin: usize) -> bool {
    (300.0..370.0).contains(&at(bin))
}

fn door() -> DoorSeries {
    let offered = bins(|bin| if load(bin) { 500 + noise(1, bin, 40) } else { 0 });
    let refused = bins(|bin| if lost(bin) { offered[bin] / 4 } else { 0 });
    let failed = bins(|bin| if lost(bin) { noise(2, bin, 20) } else { 0 });
    let unknown = bins(|bin| u64::from(lost(bin)) * noise(3, bin, 6));
    let ok = bins(|bin| offered[bin] - refused[bin] - failed[bin] - unknown[bin]);
    let latency = (0..BINS).map(|bin| {
        let middle = if lost(bin) { 45 } else { 20 + (noise(4, bin, 3) as u16) };
        let share = [2, 9, 20, 30, 20, 10, 5, 2, 1, 1];
        let all = share
            .iter()
            .enumerate()
            .map(|(b, share)| (middle - 2 + 2 * b as u16, (ok[bin] * share / 100) as u32));
        all.filter(|(_, count)| *count > 0).collect()
    });
    let latency = latency.collect();
    DoorSeries { door: "edge".into(), offered, ok, refused, failed, unknown, latency }
}

fn place(name: &str, role: PlaceKind, came: Vec<u64>, lag: usize) -> PlaceSeries {
    let left = match role {
        PlaceKind::Queue => bins(|bin| if bin >= lag { came[bin - lag] } else { 0 }),
        _ => bins(|_| 0),
    };
    PlaceSeries { place: name.into(), role, came, left, ..PlaceSeries::default() }
}

fn places(ok: &[u64]) -> Vec<PlaceSeries> {
    let came = ok.to_vec();
    let mut commands = place("payment-commands", PlaceKind::Queue, came.clone(), 0);
    // While the zone is lost nothing leaves; afterwards what waits leaves at one and a half times the rate.
    let mut waiting = 0;
    for (bin, more) in came.iter().enumerate() {
        waiting += more;
        let most = if (300.0..600.0).contains(&at(bin)) { 200 } else { 800 };
        commands.left[bin] = waiting.min(most);
        waiting -= commands.left[bin];
    }
    let mut psp = place("psp.charge", PlaceKind::Effect, commands.left.clone(), 0);
    psp.absorbed = bins(|bin| if (300.0..700.0).contains(&at(bin)) { noise(7, bin, 9) } else { 0 });
    let mut orders = place("orders-db.order", PlaceKind::Effect, came.clone(), 0);
    orders.shadows = (0..BINS)
        .map(|bin| {
            let behind = if bin >= 3 { came[bin - 3] } else { 0 };
            if (300.0..600.0).contains(&at(bin)) { 0 } else { behind as i64 }
        })
        .collect();
    let dead = bins(|bin| u64::from(bin % 60 == 50 && load(bin)));
    vec![
        orders,
        place("order-placed", PlaceKind::Queue, came.clone(), 1),
        commands,
        place("payment-commands.dead-letter", PlaceKind::DeadLetter, dead, 0),
        psp,
    ]
}

fn span(from: f64, to: f64, state: &str) -> HealthSpan {
    HealthSpan { from, to, state: state.into() }
}

fn lanes() -> Vec<HealthLane> {
    let lane = |name: &str, node: &str, kind, spans| HealthLane {
        name: name.into(),
        node: node.into(),
        kind,
        spans,
        more: 0,
    };
    vec![
        lane("orders-api#0", "orders-api", LaneKind::Process, vec![span(300.0, 600.0, "power-lost")]),
        lane(
            "orders-api#1",
            "orders-api",
            LaneKind::Process,
            vec![span(330.0, 340.0, "crashed"), span(900.0, 903.0, "crashed")],
        ),
        lane("bus#0", "bus", LaneKind::Process, vec![span(300.0, 312.0, "paused")]),
        lane(
            "edge about orders-api#0",
            "orders-api",
            LaneKind::Readiness,
            vec![span(320.0, 630.0, "unready")],
        ),
        lane(
            "payment-worker#0 about psp",
            "psp",
            LaneKind::Breaker,
            vec![span(1210.0, 1240.0, "open"), span(1240.0, 1250.0, "half-open")],
        ),
        lane("operator", "operator", LaneKind::Action, vec![span(420.0, 480.0, "acting")]),
    ]
}

fn series() -> Series {
    let edge = door();
    let ok = edge.ok.clone();
    let sent = bins(|bin| edge.offered[bin] + if lost(bin) { 900 } else { noise(5, bin, 4) });
    let calls = vec![
        CallSeries {
            target: "edge".into(),
            retries: bins(|bin| sent[bin] - edge.offered[bin]),
            sent,
            ok: ok.clone(),
        },
        CallSeries {
            target: "psp".into(),
            sent: bins(|bin| ok[bin] + 9),
            retries: bins(|_| 9),
            ok: ok.clone(),
        },
    ];
    let sign = |node: &str, sign: &str, from: f64, to: f64, most: u64| SignSeries {
        node: node.into(),
        sign: sign.into(),
        count: bins(|bin| if (from..to).contains(&at(bin)) { noise(6, bin, most) } else { 0 }),
    };
    let runs = vec![
        RunSeries {
            node: "orders-api".into(),
            started: bins(|bin| ok[bin]),
            done: bins(|bin| ok[bin] - u64::from(lost(bin))),
            failed: bins(|bin| u64::from(lost(bin))),
        },
        RunSeries {
            node: "payment-worker".into(),
            started: bins(|bin| ok[bin] + 2),
            done: bins(|bin| ok[bin]),
            failed: bins(|_| 1),
        },
    ];
    Series {
        start: START,
        step: STEP,
        bins: BINS as u32,
        places: places(&ok),
        doors: vec![edge],
        calls,
        signs: vec![
            sign("bus", "throttled", 780.0, 900.0, 70),
            sign("orders-api", "timeout", 300.0, 340.0, 30),
        ],
        runs,
        lanes: lanes(),
        order: order(),
        limits: limits(),
    }
}

fn order() -> Vec<PlaceOrder> {
    let ages = |from: f64, to: f64, most: u64| {
        let buckets = (latency_bucket(from)..=latency_bucket(to)).enumerate();
        buckets.map(|(index, bucket)| (bucket, 1 + noise(9, index, most))).collect()
    };
    vec![
        PlaceOrder {
            place: "payment-commands".into(),
            came: 90_000,
            overtaken: vec![(1, 300), (2, 210), (4, 90), (8, 30), (32, 2)],
            furthest: 41,
            recognised: ages(0.4, 580.0, 40),
            window: Some(600.0),
            ..PlaceOrder::default()
        },
        PlaceOrder {
            place: "psp.charge".into(),
            role: PlaceKind::Effect,
            came: 90_000,
            overtaken: vec![(1, 280), (2, 190), (4, 60)],
            furthest: 7,
            again: ages(700.0, 4_000.0, 5),
            ..PlaceOrder::default()
        },
    ]
}

/// Limits: one that is far away, one that a fault sets, one that is overdrawn, a person.
fn limits() -> Vec<LimitSeries> {
    let limit = |node: &str, limit: &str, unit: &str, most: f64, share: &dyn Fn(usize) -> f64| {
        let share: Vec<f64> = (0..BINS).map(share).collect();
        let peak = share.iter().copied().fold(0.0, f64::max);
        let reached: Vec<usize> = (0..BINS).filter(|bin| share[*bin] >= 1.0).collect();
        LimitSeries {
            node: node.into(),
            limit: limit.into(),
            unit: unit.into(),
            most,
            used: peak * most,
            peak,
            peak_at: at(share.iter().position(|one| *one == peak).unwrap_or(0)),
            mean: share.iter().sum::<f64>() / BINS as f64,
            first_reached: reached.first().map(|bin| at(*bin)),
            seconds_at_limit: STEP * reached.len() as f64,
            share,
        }
    };
    let within = |bin: usize, from: f64, to: f64| (from..to).contains(&at(bin));
    let edge = |bin: usize| if load(bin) { 0.4921 } else { 0.0 };
    let runs =
        |bin: usize| if within(bin, 300.0, 700.0) { 1.0 } else { f64::from(u8::from(load(bin))) / 4.0 };
    let units = |bin: usize| if within(bin, 780.0, 900.0) { 1.25 } else { 0.5 };
    let person = |bin: usize| f64::from(u8::from(within(bin, 0.0, 60.0)));
    vec![
        limit("edge", "rate limit", "calls in 1m", 6000.0, &edge),
        limit("bus", "ingress", "bytes in 1s", 4_194_304.0, &units),
        limit("payment-worker", "concurrent runs", "runs", 16.0, &runs),
        limit("operator", "concurrent runs", "runs", 1.0, &person),
    ]
}

fn design() -> Design {
    let node = |name: &str, kind: &str, role, processes| DesignNode {
        name: name.into(),
        kind: kind.into(),
        role,
        processes,
        ..DesignNode::default()
    };
    let edge = |from: &str, to: &str| DesignEdge { from: from.into(), to: to.into(), used: 9 };
    Design {
        why: "Every order that is accepted is charged exactly once, whatever is lost.".into(),
        warmup: 60.0,
        run: 1800.0,
        drain: 600.0,
        sites: vec!["westeurope".into()],
        nodes: vec![
            node("shoppers", "load", Role::Load, 1),
            node("edge", "front-door", Role::Gateway, 2),
            node("orders-api", "container-app", Role::App, 2),
            node("orders-db", "sql-database", Role::Store, 1),
            node("bus", "service-bus", Role::Broker, 1),
            node("payment-worker", "container-app", Role::App, 2),
            node("psp", "http-service", Role::App, 1),
        ],
        edges: vec![edge("shoppers", "edge"), edge("edge", "orders-api"), edge("orders-api", "orders-db"), edge("orders-api", "bus"), edge("bus", "payment-worker"), edge("payment-worker", "psp")],
        source: Some(Source {
            file: "scenarios/order-flow.yaml".into(),
            text: "scenario: order-flow\nwhy: Every order that is accepted is charged exactly once.\nfaults:\n  zone-lost: { zone.down: westeurope/1, at: 5m, for: 5m }\nalways:\n  charged-once: { exactly-once: orders }\n".into(),
            lines: [("faults.zone-lost".to_owned(), 4), ("always.charged-once".to_owned(), 6)].into(),
        }),
    }
}

fn violation() -> Violation {
    let step = |at_seconds: f64, node: &str, what: &str, faults: &[&str]| Step {
        at_seconds,
        node: node.into(),
        what: what.into(),
        faults: faults.iter().map(|fault| (*fault).to_owned()).collect(),
    };
    Violation {
        item: "orders 4711".into(),
        number: 4711,
        stream: "shoppers".into(),
        key: Some(17),
        reason: "lost".into(),
        place: "ledger".into(),
        at_seconds: Some(312.561),
        detail: "no copy is left".into(),
        story: vec![
            step(312.5, "shoppers", "offered to edge", &[]),
            step(312.561, "orders-db", "effect at orders-db.order", &[]),
            step(325.2, "payment-worker#1", "crashed in the middle of the run", &["worker-crashes"]),
        ],
    }
}

fn contracts() -> Vec<ContractResult> {
    vec![
        ContractResult {
            name: "reply-is-true".into(),
            rule: "at-least-once orders".into(),
            checked: 96_000,
            fates: Fates { effected: 95_990, doubled: 10, ..Fates::default() },
            ..ContractResult::default()
        },
        ContractResult {
            name: "charged-once".into(),
            rule: "exactly-once orders".into(),
            verdict: Verdict::Fail,
            checked: 96_000,
            violated: 12,
            reasons: [("lost".to_owned(), 12)].into(),
            fates: Fates {
                effected: 95_986,
                parked: 2,
                lost: 12,
                unknown_effected: 7,
                unknown_absent: 4,
                ..Fates::default()
            },
            violations: vec![violation()],
            ..ContractResult::default()
        },
    ]
}

fn objectives(seed: u64) -> Vec<ObjectiveResult> {
    let number = |name: &str, value: f64| Achieved([(name.to_owned(), value)].into());
    let recovery = Recovery {
        fault: "zone-lost".into(),
        door: "edge".into(),
        at_seconds: 300.0,
        bad: 962,
        impact: Some(0.1),
        detected: Some(20.0),
        decided: Some(120.0),
        acted: Some(180.0),
        recovered: Some(69.8),
        backlog: Some(10_216),
        drained: Some(780.0),
    };
    let p99 = 0.4 + noise(seed, 1, 300) as f64 / 1000.0;
    vec![
        ObjectiveResult {
            name: "available".into(),
            measure: "availability edge".into(),
            verdict: Verdict::Fail,
            target: "at least 99.5%".into(),
            achieved: "98.987%".into(),
            margin: Some(-1.026),
            samples: 93_240,
            numbers: number("share", 0.98987),
            ..ObjectiveResult::default()
        },
        ObjectiveResult {
            name: "quick".into(),
            measure: "latency edge".into(),
            target: "p99 800ms".into(),
            achieved: format!("p99 {:.0}ms", p99 * 1e3),
            margin: Some((0.8 - p99) / 0.8),
            samples: 92_000,
            numbers: number("p99", p99),
            ..ObjectiveResult::default()
        },
        ObjectiveResult {
            name: "zone-recovery".into(),
            measure: "recovery-time zone-lost".into(),
            target: "below 90s".into(),
            achieved: "69.8s".into(),
            margin: Some(0.224),
            samples: 1,
            numbers: number("recovered", 69.8),
            recoveries: vec![recovery],
            ..ObjectiveResult::default()
        },
    ]
}

fn faults() -> Vec<FaultResult> {
    let fault = |name: &str, id: &str, target: &str, random, windows: &[[f64; 2]]| FaultResult {
        name: name.into(),
        fault: id.into(),
        target: target.into(),
        armed: 1,
        fired: 2028,
        felt: 13_247,
        random,
        windows: windows.to_vec(),
        detected_after: Some(20.0),
        ..FaultResult::default()
    };
    vec![
        fault("zone-lost", "zone.down", "westeurope/1", false, &[[300.0, 600.0]]),
        fault("bus-throttled", "broker.throttle", "bus", false, &[[780.0, 900.0]]),
        fault(
            "worker-crashes",
            "proc.crash",
            "payment-worker",
            true,
            &[[38.0, 43.0], [325.2, 330.2], [1400.0, 1405.0]],
        ),
        fault("poison", "msg.poison", "payment-worker", false, &[[0.0, 1800.0]]),
    ]
}

fn ledger(door: &DoorSeries) -> Ledger {
    let sum = |counts: &[u64]| counts.iter().sum::<u64>();
    let flow = FlowRow {
        flow: "orders".into(),
        offered: sum(&door.offered),
        accepted: sum(&door.ok),
        refused: sum(&door.refused),
        failed: sum(&door.failed),
        unknown: sum(&door.unknown),
        open: 0,
    };
    Ledger {
        places: vec![PlaceRow {
            place: "psp.charge".into(),
            born: flow.accepted,
            held: flow.accepted,
            absorbed: 742,
            ..PlaceRow::default()
        }],
        sends: vec![SendRow {
            target: "edge".into(),
            sent: flow.offered,
            matrix: [
                [flow.accepted, 0, 0, 0],
                [0, 0, flow.refused, 0],
                [0, 0, flow.failed, 0],
                [2, 0, 1, flow.unknown],
                [0; 4],
            ],
        }],
        flows: vec![flow],
    }
}

/// What the explorer shows: the way of the item that is lost.
fn trace() -> Trace {
    let name = |name: &str| name.to_owned();
    let items = vec![TracedItem {
        name: name("orders 4711"),
        flow: 0,
        key: 17,
        violates: name("charged-once"),
        events: vec![
            TracedEvent(312.5, 0, 0, Some(1), vec![]),
            TracedEvent(312.561, 1, 1, None, vec![]),
            TracedEvent(325.2, 2, 2, None, vec![1]),
        ],
    }];
    Trace {
        start: START,
        step: STEP,
        bins: BINS as u32,
        nodes: ["shoppers", "orders-api", "payment-worker"].map(name).to_vec(),
        processes: vec![(name("shoppers"), 0), (name("orders-api#0"), 1), (name("payment-worker#1"), 2)],
        flows: vec![name("orders")],
        faults: ["zone-lost", "worker-crashes"].map(name).to_vec(),
        words: ["offered to edge", "a run begins", "crashed in the middle of the run"].map(name).to_vec(),
        apart: true,
        activity: vec![Activity { count: vec![1; BINS], ..Activity::default() }],
        traffic: vec![Traffic { to: 1, count: vec![1; BINS], ..Traffic::default() }],
        items_all: 96_535,
        events_all: 3_000_000,
        items,
    }
}

/// A seed that fails, with series.
pub(super) fn failed(seed: u64) -> SeedResult {
    let series = series();
    let mut contracts = contracts();
    let ledger = ledger(&series.doors[0]);
    for contract in &mut contracts {
        contract.checked = ledger.flows[0].accepted;
        let fates = &mut contract.fates;
        fates.effected = contract.checked - fates.doubled - fates.parked - fates.lost;
    }
    SeedResult {
        seed,
        digest: "f6906d691e8508387373a0aa1fd0dc3b".into(),
        verdict: Verdict::Fail,
        cause: "charged-once is violated: 12 lost of 96,000 items".into(),
        events: 5_162_543,
        events_per_item: 55.4,
        simulated_seconds: 2460.0,
        wall_seconds: 2.78,
        ledger,
        contracts,
        objectives: objectives(seed),
        faults: faults(),
        series: Some(series),
        trace: Some(trace()),
        ..SeedResult::default()
    }
}

/// A document of one seed.
pub(super) fn run() -> Results {
    let seed = failed(3);
    Results {
        schema: SCHEMA,
        tool: "0.1.0".into(),
        scenario: "order-flow".into(),
        variant: "ack-first".into(),
        scenario_hash: "1f2e3d".into(),
        path: "scenarios/order-flow.yaml".into(),
        verdict: Verdict::Fail,
        cause: seed.cause.clone(),
        seeds_asked: 1,
        design: Some(design()),
        seeds: vec![seed],
        ..Results::default()
    }
}

/// A document of so many seeds; of the first there are series.
pub(super) fn sweep(seeds: u64) -> Results {
    let all = (1..=seeds).map(|seed| {
        let one = failed(seed);
        if seed > 1 { SeedResult { series: None, trace: None, ..one } } else { one }
    });
    let share = |below: f64| {
        (0..BINS)
            .map(|bin| load(bin).then(|| if lost(bin) { 0.75 - below } else { 1.0 - below / 100.0 }))
            .collect()
    };
    let band = Band {
        door: "edge".into(),
        start: START,
        step: STEP,
        p10: share(0.2),
        p50: share(0.1),
        p90: share(0.0),
    };
    Results { seeds: all.collect(), seeds_asked: seeds, bands: vec![band], ..run() }
}
