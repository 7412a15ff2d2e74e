//! A queue, subscription or dead-letter queue as a trigger: one message is one run; settling it is a step.

use crate::ids::ProcessId;
use crate::kernel::slab::Slab;
use crate::message::broker::Settlement;
use crate::message::{Cargo, Message};
use crate::node::Context;
use crate::observe::Outcome;
use crate::random::mix;
use crate::recipe::fed::{Fed, execution};
use crate::recipe::position::{Ending, RunId};
use crate::recipe::run::Start;
use crate::recipe::trigger::{Acknowledged, Ticket};
use crate::services::service_bus::receiver::{Received, Receiver};
use crate::time::Time;

/// A message that is being handled.
#[derive(Clone, Debug, PartialEq)]
struct Open {
    handle: u64,
    /// The run that waits for its settlement.
    waits: Option<RunId>,
}

/// The messages of one instance.
#[derive(Clone, Debug)]
pub struct Intake {
    receiver: Receiver,
    app: u64,
    open: Slab<Open>,
}

impl Intake {
    /// An intake that has not begun. `app` is the hash of the app's name.
    #[must_use]
    pub fn new(receiver: Receiver, app: u64) -> Intake {
        Intake { receiver, app, open: Slab::default() }
    }

    /// Forgets what it has: the process died.
    pub fn crash(&mut self) {
        self.receiver.crash();
        self.open = Slab::default();
    }

    /// Begins to receive.
    pub fn begin(&mut self, cx: &mut Context<'_>) {
        self.receiver.on_start(cx);
    }

    /// Receives nothing new.
    pub fn stop(&mut self, cx: &mut Context<'_>) {
        self.receiver.stop(cx);
    }

    /// Receives nothing new until it begins again; what is worked on goes on.
    pub fn pause(&mut self, cx: &mut Context<'_>) {
        self.receiver.pause(cx);
    }

    /// Takes a message of the broker. False if it is for somebody else.
    pub fn on_message(&mut self, from: ProcessId, message: &Message, cx: &mut Context<'_>) -> bool {
        self.receiver.on_message(cx, from, message)
    }

    /// Takes a timer. False if it is somebody else's.
    pub fn on_timer(&mut self, token: u64, cx: &mut Context<'_>) -> bool {
        self.receiver.on_timer(cx, token)
    }

    /// The connection to a process is gone.
    pub fn on_closed(&mut self, peer: ProcessId, cx: &mut Context<'_>) {
        self.receiver.on_closed(cx, peer);
    }

    /// The broker that it receives from, and until when the client of that broker backs off.
    #[must_use]
    pub fn busy(&self) -> (ProcessId, Time) {
        (self.receiver.broker(), self.receiver.busy_until())
    }

    /// Another caller of this broker was told to back off: it is the same client.
    pub fn back_off(&mut self, broker: ProcessId, until: Time) {
        if broker == self.receiver.broker() {
            self.receiver.back_off(until);
        }
    }

    /// What the worker is to do next; to be emptied after every input.
    pub fn next(&mut self, cx: &mut Context<'_>) -> Option<Fed> {
        loop {
            match self.receiver.next()? {
                Received::Message(delivery) => {
                    let ticket = self.open.insert(Open { handle: delivery.handle, waits: None });
                    // The sequence number tells copies of one message apart, the count its deliveries.
                    let attempt = u64::from(delivery.delivery_count);
                    return Some(Fed::Start(Start {
                        ticket: Ticket(ticket),
                        cargo: Cargo::One(delivery.item),
                        execution: execution(self.app, delivery.identity, mix(delivery.sequence, attempt)),
                        attempt,
                    }));
                }
                Received::Settled { handle, outcome, .. } => {
                    let Some((slot, _)) = self.open.iter().find(|(_, open)| open.handle == handle) else {
                        // Given back by default; its run is over.
                        self.receiver.finish(handle, cx);
                        continue;
                    };
                    let Some(run) = self.open.get_mut(slot).and_then(|open| open.waits.take()) else {
                        continue;
                    };
                    return Some(Fed::Acknowledged(run, outcome));
                }
                // The run goes on, as the handler of a real client does: its settlement will fail.
                Received::LockLost { .. } | Received::Renewed { .. } => {}
            }
        }
    }

    /// Settles the message of a run; `last`: nothing follows in the recipe.
    pub fn settle(
        &mut self,
        (run, ticket): (RunId, Ticket),
        how: Settlement,
        last: bool,
        cx: &mut Context<'_>,
    ) -> Acknowledged {
        // A run that was resumed after a crash has lost its lock with the connection.
        let Some(open) = self.open.get_mut(ticket.0) else { return Acknowledged::Over(Outcome::Refused) };
        open.waits = Some(run);
        let handle = open.handle;
        self.receiver.settle(handle, how, last, cx);
        Acknowledged::Pending
    }

    /// The link and the lock of the message of a run.
    #[must_use]
    pub fn lock(&self, ticket: Ticket) -> Option<(u32, u64)> {
        self.receiver.lock_of(self.open.get(ticket.0)?.handle)
    }

    /// The run is over. A message that it did not settle is abandoned.
    pub fn ended(&mut self, ticket: Ticket, ending: Ending, cx: &mut Context<'_>) {
        let Some(open) = self.open.take(ticket.0) else { return };
        if ending.acknowledged {
            self.receiver.finish(open.handle, cx);
        } else {
            self.receiver.settle(open.handle, Settlement::Abandon, true, cx);
        }
    }
}
