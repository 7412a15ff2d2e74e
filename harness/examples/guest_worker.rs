//! A consumer that is right: it receives under peek-lock, does its work so that a repetition changes
//! nothing, and completes last. Nothing it awaits is cancelled in the middle of an order.
//!
//! ```text
//! cargo run --release -p beaufort-harness --example guest_worker -- \
//!     sweep harness/examples/guests.yaml --seeds 20 --engine turmoil
//! ```

use std::process::ExitCode;
use std::time::Duration;

use beaufort_engines::guest::{Delivery, Error, Failure, Guest, Guests, Once};

fn main() -> ExitCode {
    beaufort_harness::cli::program(Guests::new().with("orders-worker", orders_worker))
}

async fn orders_worker(guest: Guest) -> Result<(), Failure> {
    let orders = guest.receiver("orders-queue");
    let mut heartbeat = guest.sleep(Duration::from_secs(15));
    loop {
        let order = tokio::select! {
            biased;
            () = &mut heartbeat => {
                // Here it would report that it is well.
                heartbeat = guest.sleep(Duration::from_secs(15));
                continue;
            }
            // Only this is cancelled, and it is cancel safe: no message is lost with it.
            order = orders.receive() => order?,
        };
        if let Err(trouble) = ship(&guest, &order).await {
            // Somebody may try again at once: everything in `ship` may be done twice.
            let _ = order.abandon().await;
            if let Error::Wrong(mistake) = trouble {
                return Err(mistake.into());
            }
        }
    }
}

async fn ship(guest: &Guest, order: &Delivery) -> Result<(), Error> {
    guest.call("carrier.book", order).once(Once::ITEM).await?;
    guest.insert("ledger", order).once(Once::ITEM).await?;
    // If the lock was lost meanwhile, the order comes again, and both steps are recognised.
    order.complete().await
}
