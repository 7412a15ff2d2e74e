//! Receiving: receivers and the messages that they deliver.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use beaufort_sim::guest::request::{About, Delivered, From as Origin, Reply, Request};
use beaufort_sim::ids::Item;
use beaufort_sim::message::broker::{ReceiveMode, Settlement};
use beaufort_sim::time::{Span, Time};

use super::error::{Error, alive, plain};
use super::{Guest, to_span};

/// Receives from one queue, subscription or dead-letter queue.
#[derive(Clone, Debug)]
pub struct Receiver {
    guest: Guest,
    from: Origin,
}

impl Receiver {
    pub(super) fn new(guest: Guest, name: &str) -> Receiver {
        let from = Origin {
            name: name.to_owned(),
            mode: ReceiveMode::PeekLock,
            prefetch: 0,
            renew_lock: Span::ZERO,
            sessions: 1,
        };
        Receiver { guest, from }
    }

    /// Takes messages for good (receive-and-delete): the broker forgets a message when it puts it on the
    /// wire.
    #[must_use]
    pub fn receive_and_delete(mut self) -> Receiver {
        self.from.mode = ReceiveMode::ReceiveAndDelete;
        self
    }

    /// How many messages are fetched before they are asked for. Default: 0. This and the next two count when
    /// the guest first receives from the source.
    #[must_use]
    pub fn prefetch(mut self, prefetch: u32) -> Receiver {
        self.from.prefetch = prefetch;
        self
    }

    /// How long locks are renewed without being asked to. Default: not at all.
    #[must_use]
    pub fn renew_lock(mut self, span: Duration) -> Receiver {
        self.from.renew_lock = to_span(span);
        self
    }

    /// Of an entity with sessions: how many are kept at once. Default: 1.
    #[must_use]
    pub fn sessions(mut self, sessions: u32) -> Receiver {
        self.from.sessions = sessions;
        self
    }

    /// The next message; waits until there is one.
    ///
    /// Cancel safe: a message that arrives for a `receive` that was dropped is kept for the next one (its
    /// lock is running meanwhile). That holds for this future alone, not for code around it: what has
    /// been received is the caller's.
    ///
    /// # Errors
    /// Only if it cannot be received from the source at all. What fails on the way is tried again.
    pub async fn receive(&self) -> Result<Delivery, Error> {
        let mut asked = self.guest.ask(Request::Receive(self.from.clone()));
        match poll_fn(|cx| alive(Pin::new(&mut asked), cx)).await {
            Reply::Delivered(told) => {
                Ok(Delivery { guest: self.guest.clone(), told, settled: AtomicBool::new(false) })
            }
            other => Err(plain(other).err().unwrap_or(Error::Unknown)),
        }
    }
}

/// A message.
///
/// Dropped without having been settled, a message under peek-lock comes again when its lock expires. One
/// that was taken for good is lost with what holds it, unless it was [completed](Self::complete) before.
#[derive(Debug)]
pub struct Delivery {
    guest: Guest,
    told: Delivered,
    settled: AtomicBool,
}

impl Delivery {
    /// Its item: what the message is about.
    #[must_use]
    pub fn item(&self) -> Item {
        self.told.item
    }

    /// The number of the item: unique and dense within its generator.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.told.item.number
    }

    /// The key of the item (a customer, a device).
    #[must_use]
    pub fn key(&self) -> u32 {
        self.told.item.key
    }

    /// How many deliveries of the message had failed before.
    #[must_use]
    pub fn delivery_count(&self) -> u32 {
        self.told.delivery_count
    }

    /// The session; 0: none.
    #[must_use]
    pub fn session(&self) -> u64 {
        self.told.session
    }

    /// Until when it was locked when it was delivered, by the wall clock.
    #[must_use]
    pub fn locked_until(&self) -> Time {
        self.told.locked_until
    }

    /// Done. After receive-and-delete there is nothing to tell the broker: the guest says that it no longer
    /// needs the message.
    ///
    /// # Errors
    /// Refused: the lock is lost, and the message will come again. Failed: it can be tried again. Unknown:
    /// it may be done, or come again.
    pub async fn complete(&self) -> Result<(), Error> {
        self.settle(Settlement::Complete).await
    }

    /// Not done: available again at once, its delivery count raised.
    ///
    /// # Errors
    /// As for [`complete`](Self::complete).
    pub async fn abandon(&self) -> Result<(), Error> {
        self.settle(Settlement::Abandon).await
    }

    /// Moved to the dead-letter queue. The reason is for people; the model knows that the application did it.
    ///
    /// # Errors
    /// As for [`complete`](Self::complete).
    pub async fn dead_letter(&self, reason: &str) -> Result<(), Error> {
        let _ = reason;
        self.settle(Settlement::DeadLetter).await
    }

    async fn settle(&self, how: Settlement) -> Result<(), Error> {
        let delivery = self.told.delivery;
        let mut asked = self.guest.ask(Request::Settle { delivery, how });
        let outcome = plain(poll_fn(|cx| alive(Pin::new(&mut asked), cx)).await);
        if matches!(outcome, Ok(()) | Err(Error::Refused)) {
            self.settled.store(true, Ordering::Relaxed);
        }
        outcome
    }

    /// Extends its lock (that of its session). Returns until when it holds now, by the wall clock.
    ///
    /// # Errors
    /// Refused: the lock is lost. Failed or unknown: it can be tried again.
    pub async fn renew(&self) -> Result<Time, Error> {
        let mut asked = self.guest.ask(Request::Renew { delivery: self.told.delivery });
        match poll_fn(|cx| alive(Pin::new(&mut asked), cx)).await {
            Reply::Renewed(until) => Ok(until),
            other => Err(plain(other).err().unwrap_or(Error::Unknown)),
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if !self.settled.load(Ordering::Relaxed) {
            self.guest.tell(Request::Forget { delivery: self.told.delivery });
        }
    }
}

impl From<&Delivery> for About {
    fn from(delivery: &Delivery) -> About {
        About { item: delivery.told.item, execution: Some(delivery.told.execution) }
    }
}
