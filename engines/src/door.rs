//! The guest of one host: its code, which is polled here, and the mailbox through which it talks to the
//! process that stands for it.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use beaufort_sim::guest::Mailbox;

use crate::guest::{Guests, Running};

/// The door of a host with a guest.
pub(crate) struct Door {
    mailbox: Arc<Mailbox>,
    guests: Guests,
    running: Option<Running>,
}

impl Door {
    pub(crate) fn new(mailbox: Arc<Mailbox>, guests: Guests) -> Door {
        Door { mailbox, guests, running: None }
    }

    /// After a turn of the process: starts the guest if it is due, ends it if it is not wanted any more, and
    /// lets it go on with what it was answered. True if it left something.
    pub(crate) async fn attend(&mut self) -> bool {
        if let Some(running) = self.guests.start(&self.mailbox) {
            self.running = Some(running);
        }
        if !self.mailbox.is_open() {
            self.running = None;
        }
        poll_fn(|cx| {
            self.poll(cx);
            Poll::Ready(())
        })
        .await;
        self.mailbox.has_requests()
    }

    /// Lets the guest run, and completes when it has left something. `before` is called before it is polled.
    pub(crate) async fn wait(&mut self, mut before: impl FnMut()) {
        poll_fn(|cx| {
            before();
            self.poll(cx);
            self.mailbox.on_poke(cx.waker());
            if self.mailbox.has_requests() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) {
        if let Some(running) = &mut self.running
            && Pin::new(running).poll(cx).is_ready()
        {
            self.running = None;
        }
    }
}
