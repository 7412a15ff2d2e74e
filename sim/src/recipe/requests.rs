//! The trigger `http`, and pushes of an event router: each request waits for its reply.

use crate::ids::{CallId, ConnectionId, Item};
use crate::kernel::slab::Slab;
use crate::message::{Body, Cargo, Message, http};
use crate::node::Context;
use crate::observe::{Handling, Outcome};
use crate::recipe::position::Ending;
use crate::recipe::trigger::Ticket;

#[derive(Clone, Debug)]
struct Pending {
    connection: ConnectionId,
    call: CallId,
    tag: u32,
    attempt: u16,
    item: Item,
}

/// The requests without a reply.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    pending: Slab<Pending>,
    /// Whether an event router sends them.
    pushed: bool,
}

impl Requests {
    /// No request yet.
    #[must_use]
    pub fn new(pushed: bool) -> Requests {
        Requests { pending: Slab::default(), pushed }
    }

    /// Forgets all of them: the process died.
    pub fn crash(&mut self) {
        self.pending = Slab::default();
    }

    /// Keeps a request until it is answered.
    pub fn accept(&mut self, connection: ConnectionId, message: &Message) -> Ticket {
        Ticket(self.pending.insert(Pending {
            connection,
            call: message.call,
            tag: message.tag,
            attempt: message.attempt,
            item: message.cargo.first().unwrap_or_default(),
        }))
    }

    /// Forgets a request that somebody else answered.
    pub fn forget(&mut self, ticket: Ticket) {
        self.pending.take(ticket.0);
    }

    /// Answers a request. A success says that it took effect, a 4xx that it did not; a 5xx leaves it open.
    pub fn reply(&mut self, ticket: Ticket, status: u16, cx: &mut Context<'_>) {
        let Some(pending) = self.pending.take(ticket.0) else { return };
        let how = match status {
            200..=299 => Some(Handling::Stored),
            // 408 and 429 are no verdict on the request.
            400..=499 if status != 408 && status != 429 => Some(Handling::Rejected),
            _ => None,
        };
        if let Some(how) = how {
            cx.handled_about(pending.connection, pending.item, pending.call, how);
        }
        let answer = Message {
            call: pending.call,
            tag: pending.tag,
            attempt: pending.attempt,
            cargo: Cargo::None,
            body: Body::Response(http::Response::status(status)),
        };
        cx.answer(pending.connection, answer);
    }

    /// The run is over: a request without a reply is answered 409 (refused) or 500, a push 500.
    pub fn ended(&mut self, ticket: Ticket, ending: Ending, cx: &mut Context<'_>) {
        let status = match ending.outcome {
            Outcome::Refused if !self.pushed => 409,
            _ => 500,
        };
        self.reply(ticket, status, cx);
    }
}
