//! Every engine delivers every message once; this kernel does it twice in the same way.

use std::time::Duration;

use beaufort_bench::bare::{self, Events};
use beaufort_bench::native::{self, Over};
use beaufort_bench::{Figure, Shape};

fn whole(shape: &Shape, figure: &Figure) {
    assert_eq!(figure.delivered, u64::from(shape.messages()), "{figure:?}");
    assert!(figure.whole, "{figure:?}");
    // A hundredth of the packets is lost, so there are repetitions.
    assert!(figure.packets > 4 * figure.delivered, "{figure:?}");
}

#[test]
fn the_bare_loop() {
    for shape in [Shape::reference(4_000), Shape::sized(100, 4_000), Shape::idle_day()] {
        let wheel = bare::run(&shape, Events::Wheel);
        whole(&shape, &wheel);
        let heap = bare::run(&shape, Events::Heap);
        whole(&shape, &heap);
        assert_eq!((wheel.events, wheel.simulated), (heap.events, heap.simulated), "whatever the queue");
    }
}

#[test]
fn this_kernel() {
    for over in [Over::Datagrams, Over::Connections] {
        for shape in [Shape::reference(4_000), Shape::sized(100, 4_000), Shape::idle_day()] {
            let figure = native::run_alone(&shape, over).unwrap();
            assert_eq!(figure.delivered, u64::from(shape.messages()), "{figure:?}");
            assert!(figure.whole, "{figure:?}");
            assert_eq!(native::run_alone(&shape, over).unwrap().digest, figure.digest, "same seed, same run");
            let other = native::run_alone(&shape.seeded(2), over).unwrap();
            assert_ne!(other.digest, figure.digest);
        }
    }
}

#[test]
fn turmoil() {
    for tick in [1, 10] {
        let shape = Shape::reference(2_000);
        whole(&shape, &beaufort_bench::on_turmoil::run(&shape, Duration::from_millis(tick)).unwrap());
    }
}

#[cfg(madsim)]
#[test]
fn madsim() {
    for shape in [Shape::reference(2_000), Shape::sized(25, 2_000)] {
        whole(&shape, &beaufort_bench::on_madsim::run(&shape).unwrap());
    }
}

#[cfg(feature = "peers")]
#[test]
fn nexosim() {
    for shape in [Shape::reference(2_000), Shape::sized(25, 2_000), Shape::idle_day()] {
        whole(&shape, &beaufort_bench::on_nexosim::run(&shape).unwrap());
    }
}
