//! Tests of the engine and of its faults on a small world of test processes.

mod bench_world;
mod engine_faults;
mod life;
mod runs_on;

pub(super) use bench_world::{Bench, Seen};
