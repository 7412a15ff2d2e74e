//! The client with which a guest, ordinary async code of the user, talks to the simulated services; and the
//! registry of guests. It needs no runtime: futures here are plain `std` futures, so that a guest runs on
//! every engine that can poll one.
//!
//! ```
//! use beaufort_engines::guest::{Guests, Once};
//!
//! let guests = Guests::new().with("orders-worker", |guest| async move {
//!     let orders = guest.receiver("orders");
//!     loop {
//!         let order = orders.receive().await?;
//!         guest.insert("ledger", &order).once(Once::ITEM).await?;
//!         // If the lock was lost meanwhile, the order comes again, and the insert is absorbed.
//!         let _ = order.complete().await;
//!     }
//! });
//! assert_eq!(guests.names().collect::<Vec<_>>(), ["orders-worker"]);
//! ```
//!
//! # What works inside a guest
//!
//! `tokio::select!`, `tokio::pin!` and `tokio::sync` need no runtime and work on every engine. `tokio::time`
//! and `tokio::spawn` work on turmoil, which runs guests on a real tokio runtime; on madsim they panic, and
//! a guest that needs them depends on `madsim-tokio` in their place. [`Guest::sleep`] and
//! [`Guest::timeout`] work everywhere, and unlike tokio's they go by the clock of the guest's host, with
//! its drift. Only what is done through the client can be cut off, slowed and judged.
//!
//! A run is repeatable only as far as the guest is: iterate over no `HashMap`, write `biased;` into every
//! `select!` (without it tokio draws the order of the arms from a source that no seed governs), ask
//! [`Guest::now`] what time it is.
//!
//! # What a crash is
//!
//! When a fault strikes the replica, its future is dropped wherever it awaits, and after the restart the
//! program begins anew. A guest that returns, fails or panics is a process that exits: it is started again
//! after 10 s, then 20 s, up to 5 min, as an orchestrator does; after 10 min of running that is forgotten.
//! An error or a panic is told as trouble of the replica ([`Mailbox::last_words`] keeps its text).
//!
//! # For a host
//!
//! What an engine does for each process that has a [`mailbox`](beaufort_sim::node::Process::mailbox):
//!
//! 1. after *every* turn of the process: `if let Some(guest) = guests.start(&mailbox)` spawn it as a task.
//!    (It becomes due a start-up time after `Input::Start`, and again after the guest has exited.)
//! 2. when [`Mailbox::poked`] completes (or the waker given to [`Mailbox::on_poke`] fires and
//!    [`Mailbox::has_requests`]), give the process `Input::Poke` at the engine's current time. It may be
//!    done directly after every poll of the guest, too. Once more than needed does no harm.
//! 3. replies are filled in during the process's turn; their wakers wake the guest's task. The process sets
//!    the guest's clocks at every turn; where a guest is polled at other times (a `tokio::time::sleep` of its
//!    own), call [`Mailbox::set_now`] before.
//! 4. on a crash, a stop or a loss of power: after the process's `crash()`, drop the task. The mailbox is
//!    closed by then, and what the guest's destructors leave there is refused.
//! 5. while the process is paused, do not poll its guest: a process that stands still executes nothing.
//! 6. `Effect::StopSlot` and `StartSlot` may name the process itself: that is how a guest that exited is
//!    started again.
//!
//! Before a run: [`Guests::check`] says whether all guests of the plan are registered.

mod call;
mod error;
mod receiver;
mod registry;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use beaufort_sim::guest::Asked;
pub use beaufort_sim::guest::Mailbox;
pub use beaufort_sim::guest::request::About;
use beaufort_sim::guest::request::Request;
pub use beaufort_sim::ids::{Item, Once};
use beaufort_sim::time::{Span, Time};

pub use call::{Call, Calling};
pub use error::{CallError, Elapsed, Error};
pub use receiver::{Delivery, Receiver};
pub(crate) use registry::AddressBook;
pub use registry::{Failure, Guests, Running};

/// The guest's side of the door: what its code gets to work with. Cheap to clone.
#[derive(Clone)]
pub struct Guest {
    mailbox: Arc<Mailbox>,
    epoch: u64,
    addresses: Arc<AddressBook>,
}

impl Guest {
    pub(crate) fn new(mailbox: Arc<Mailbox>, epoch: u64, addresses: Arc<AddressBook>) -> Guest {
        Guest { mailbox, epoch, addresses }
    }

    /// The node whose place the guest takes.
    #[must_use]
    pub fn name(&self) -> &str {
        self.mailbox.node()
    }

    /// Which replica it is, from 0.
    #[must_use]
    pub fn replica(&self) -> u16 {
        self.mailbox.replica()
    }

    /// Where a replica of a guest is, this one or another: for sockets of one's own (`turmoil::net`,
    /// `madsim::net`). A partition of the scenario cuts them as well, by the engine; its latency, loss and
    /// bandwidth do not touch them.
    #[must_use]
    pub fn address(&self, node: &str, replica: u16) -> Option<IpAddr> {
        self.addresses.get(&(node.to_owned(), replica)).copied()
    }

    /// The monotonic clock of its host: drifts, never jumps.
    #[must_use]
    pub fn now(&self) -> Time {
        self.mailbox.clocks().0
    }

    /// The wall clock of its host: skews and jumps. Locks expire by it.
    #[must_use]
    pub fn wall(&self) -> Time {
        self.mailbox.clocks().1
    }

    /// Waits so long, by the monotonic clock of its host.
    pub fn sleep(&self, span: Duration) -> impl Future<Output = ()> + Send + Unpin + 'static + use<> {
        Idle(self.ask(Request::Sleep(to_span(span))))
    }

    /// Works so long: more while a fault slows the host down.
    pub fn work(&self, span: Duration) -> impl Future<Output = ()> + Send + Unpin + 'static + use<> {
        Idle(self.ask(Request::Work(to_span(span))))
    }

    /// Awaits the future for at most so long; then it is dropped.
    ///
    /// # Errors
    /// If it did not complete in time.
    pub async fn timeout<F: Future>(&self, span: Duration, future: F) -> Result<F::Output, Elapsed> {
        let (mut future, mut sleep) = (pin!(future), self.sleep(span));
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            Pin::new(&mut sleep).poll(cx).map(|()| Err(Elapsed))
        })
        .await
    }

    /// A receiver of a queue, a subscription (`name`) or a dead-letter queue (`name.dead-letter`). It
    /// takes messages by peek-lock, unless told otherwise.
    #[must_use]
    pub fn receiver(&self, name: &str) -> Receiver {
        Receiver::new(self.clone(), name)
    }

    fn ask(&self, request: Request) -> Asked {
        self.mailbox.ask(self.epoch, request)
    }

    fn tell(&self, request: Request) {
        self.mailbox.tell(self.epoch, request);
    }
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guest({}#{})", self.name(), self.replica())
    }
}

/// A stretch of time.
struct Idle(Asked);

impl Future for Idle {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        error::alive(Pin::new(&mut self.0), cx).map(drop)
    }
}

fn to_span(span: Duration) -> Span {
    Span::nanos(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
}
