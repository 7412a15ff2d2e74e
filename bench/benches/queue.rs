//! The event queue against a plain heap, under the "hold" model: take the first, put one in some time later.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;

use beaufort_bench::bare::Xoshiro;
use beaufort_sim::kernel::queue::{Entry, Queue};
use beaufort_sim::time::Time;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const STEPS: u64 = 100_000;

/// The pauses of a relay: most are a latency, some a time-out.
fn pause(random: &mut Xoshiro) -> u64 {
    if random.next_u64() & 15 == 0 { 1_000_000_000 } else { random.latency() }
}

fn queue(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("queue");
    group.throughput(Throughput::Elements(STEPS));
    for waiting in [8u32, 64, 1_000, 30_000] {
        group.bench_function(format!("calendar, {waiting} wait"), |bencher| {
            bencher.iter(|| {
                let mut random = Xoshiro::new(1);
                let mut queue = Queue::default();
                (0..waiting).for_each(|slot| queue.push(Time(pause(&mut random)), Entry::Arrival(slot)));
                for _ in 0..STEPS {
                    let Some((at, entry)) = queue.pop() else { break };
                    queue.push(Time(at.0 + pause(&mut random)), entry);
                }
                black_box(queue.next_at())
            });
        });
        group.bench_function(format!("binary heap, {waiting} wait"), |bencher| {
            bencher.iter(|| {
                let mut random = Xoshiro::new(1);
                let mut heap = BinaryHeap::new();
                let key = |at: u64, order: u64, slot: u32| {
                    Reverse(u128::from(at) << 64 | u128::from(order) << 26 | u128::from(slot))
                };
                (0..waiting).for_each(|slot| heap.push(key(pause(&mut random), u64::from(slot), slot)));
                for step in 0..STEPS {
                    let Some(Reverse(first)) = heap.pop() else { break };
                    let at = (first >> 64) as u64;
                    let slot = first as u32 & 0xff_ffff;
                    heap.push(key(at + pause(&mut random), u64::from(waiting) + step, slot));
                }
                black_box(heap.peek().copied())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, queue);
criterion_main!(benches);
