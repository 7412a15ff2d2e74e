//! One relay on this kernel or on the bare loop, for a profiler:
//! `valgrind --tool=callgrind target/release/examples/profile native 20000`.

use beaufort_bench::Shape;
use beaufort_bench::bare::{self, Events};
use beaufort_bench::native::{self, Over};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let messages = arguments.get(2).and_then(|count| count.parse().ok()).unwrap_or(20_000);
    let shape = Shape::reference(messages);
    let figure = match arguments.get(1).map(String::as_str) {
        Some("wheel") => bare::run(&shape, Events::Wheel),
        Some("heap") => bare::run(&shape, Events::Heap),
        Some("connections") => native::run_alone(&shape, Over::Connections).unwrap_or_default(),
        _ => native::run_alone(&shape, Over::Datagrams).unwrap_or_default(),
    };
    #[expect(clippy::print_stdout, reason = "the result of an example")]
    {
        println!("{:.0} messages/s {figure:?}", figure.delivered as f64 / figure.wall);
    }
}
