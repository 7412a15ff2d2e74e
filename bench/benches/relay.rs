//! The reference relay on this kernel, with nobody who looks, and on the bare loop. `beaufort bench` has the
//! judges and the peers as well.

use std::hint::black_box;

use beaufort_bench::Shape;
use beaufort_bench::bare::{self, Events};
use beaufort_bench::native::{self, Over};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn relay(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("relay");
    group.sample_size(20);
    for (name, shape) in [("20,000 messages", Shape::reference(20_000)), ("24 idle hours", Shape::idle_day())]
    {
        group.throughput(Throughput::Elements(u64::from(shape.messages())));
        for (over, told) in [(Over::Datagrams, "datagrams"), (Over::Connections, "connections")] {
            group.bench_function(format!("beaufort, {told}, {name}"), |bencher| {
                bencher.iter(|| black_box(native::run_alone(&shape, over).map(|figure| figure.events)));
            });
        }
        for (events, told) in [(Events::Wheel, "buckets"), (Events::Heap, "heap")] {
            group.bench_function(format!("bare loop, {told}, {name}"), |bencher| {
                bencher.iter(|| black_box(bare::run(&shape, events).events));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, relay);
criterion_main!(benches);
