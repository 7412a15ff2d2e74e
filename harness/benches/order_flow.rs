//! The shipped order flow, shortened, with all judges: kernel events a second as `run` counts them.

use std::hint::black_box;
use std::sync::Arc;

use beaufort_harness::judges::Rules;
use beaufort_harness::run::{Options, run};
use beaufort_harness::scenario::load::load;
use beaufort_sim::plan::Plan;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// What shortens the scenario: the faults that need the time of day go.
const SHORT: [&str; 7] = [
    "time.warmup=0s",
    "faults.zone-lost=null",
    "faults.bus-throttled=null",
    "faults.psp-slow=null",
    "objectives.zone-recovery=null",
    "objectives.backlog=null",
    "time.drain=30m",
];

fn scenario(sets: &[&str]) -> (Arc<Plan>, Arc<Rules>) {
    let sets: Vec<String> = SHORT.iter().chain(sets).map(|set| (*set).to_owned()).collect();
    let loaded = load("order-flow", &sets).unwrap_or_else(|refused| unreachable!("{refused:?}"));
    let resolved = loaded.resolve(None).unwrap_or_else(|refused| unreachable!("{refused:?}"));
    (resolved.plan, resolved.rules)
}

fn order_flow(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("order-flow");
    group.sample_size(10);
    // The first is the load as shipped; the second is what polls and probes alone cost.
    for (name, sets) in [
        ("5 minutes", ["time.run=5m"].as_slice()),
        ("24 idle hours", &["time.run=24h", "nodes.shoppers.rate=0/s"]),
    ] {
        let (plan, rules) = scenario(sets);
        let options = Options { stories: 0, ..Options::default() };
        let once = || run(&plan, &rules, 1, &options).unwrap_or_else(|error| unreachable!("{error}"));
        group.throughput(Throughput::Elements(once().events));
        group.bench_function(name, |bencher| bencher.iter(|| black_box(once().digest)));
    }
    group.finish();
}

criterion_group!(benches, order_flow);
criterion_main!(benches);
