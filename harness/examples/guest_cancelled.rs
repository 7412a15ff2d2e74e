//! A consumer that is wrong, in a way that only real code can be: it loses an order when a future is
//! cancelled between receive and complete.
//!
//! `next_order` receives an order, ships it and completes it, and the loop awaits it beside a heartbeat.
//! When the heartbeat is due while an order is being shipped, `select!` drops `next_order`, and with it the
//! order. The broker has forgotten it already: it was taken by receive-and-delete. In a test that takes less
//! than 15 s, or ships nothing at that moment, all is well.
//!
//! ```text
//! cargo run --release -p beaufort-harness --example guest_cancelled -- \
//!     sweep harness/examples/guests.yaml --seeds 20 --engine turmoil
//! ```

use std::process::ExitCode;
use std::time::Duration;

use beaufort_engines::guest::{Failure, Guest, Guests, Once, Receiver};

fn main() -> ExitCode {
    beaufort_harness::cli::program(Guests::new().with("orders-worker", orders_worker))
}

async fn orders_worker(guest: Guest) -> Result<(), Failure> {
    let orders = guest.receiver("orders-queue").receive_and_delete();
    let mut heartbeat = guest.sleep(Duration::from_secs(15));
    loop {
        tokio::select! {
            biased;
            () = &mut heartbeat => {
                // Here it would report that it is well.
                heartbeat = guest.sleep(Duration::from_secs(15));
            }
            // The mistake: this future does more than to receive.
            shipped = next_order(&guest, &orders) => shipped?,
        }
    }
}

async fn next_order(guest: &Guest, orders: &Receiver) -> Result<(), Failure> {
    let order = orders.receive().await?;
    guest.call("carrier.book", &order).once(Once::ITEM).await?;
    guest.insert("ledger", &order).once(Once::ITEM).await?;
    order.complete().await?;
    Ok(())
}
