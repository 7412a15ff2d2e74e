//! Calls, sends, publications and writes of a guest.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use beaufort_sim::guest::Asked;
use beaufort_sim::guest::request::{self, About, Request, Verb};
use beaufort_sim::ids::Once;
use beaufort_sim::message::store::WriteVerb;
use beaufort_sim::time::Span;

use super::error::{Error, alive, plain};
use super::{Guest, to_span};

/// Something that is to be called, sent or written: await it.
#[derive(Clone, Debug)]
#[must_use = "nothing is called until it is awaited"]
pub struct Call {
    guest: Guest,
    call: request::Call,
}

impl Guest {
    fn prepare(&self, target: &str, verb: Verb, about: About) -> Call {
        let call = request::Call {
            target: target.to_owned(),
            verb,
            about,
            once: Once::NONE,
            session: Once::NONE,
            kind: None,
            policy: None,
            timeout: None,
            delay: Span::ZERO,
            ttl: Span::FOREVER,
        };
        Call { guest: self.clone(), call }
    }

    /// Calls an app, a gateway, or an operation of an endpoint (`psp.charge`) about an item.
    pub fn call(&self, target: &str, about: impl Into<About>) -> Call {
        self.prepare(target, Verb::Call, about.into())
    }

    /// Sends a message to a queue or topic of a broker.
    pub fn send(&self, target: &str, about: impl Into<About>) -> Call {
        self.prepare(target, Verb::Send, about.into())
    }

    /// Publishes to a topic: of an event router, or of a broker.
    pub fn publish(&self, topic: &str, about: impl Into<About>) -> Call {
        self.prepare(topic, Verb::Send, about.into())
    }

    /// Inserts a row into a table or container. Where there is one already, that is refused, unless
    /// [`once`](Call::once) recognises the repetition.
    pub fn insert(&self, table: &str, about: impl Into<About>) -> Call {
        self.prepare(table, Verb::Write(WriteVerb::Insert, 1), about.into())
    }

    /// Inserts the row, or writes the same row again.
    pub fn upsert(&self, table: &str, about: impl Into<About>) -> Call {
        self.prepare(table, Verb::Write(WriteVerb::Upsert, 1), about.into())
    }

    /// Writes a new row, always.
    pub fn append(&self, table: &str, about: impl Into<About>) -> Call {
        self.prepare(table, Verb::Write(WriteVerb::Append, 1), about.into())
    }

    /// Deletes the row of the item.
    pub fn delete(&self, table: &str, about: impl Into<About>) -> Call {
        self.prepare(table, Verb::Write(WriteVerb::Delete, 1), about.into())
    }

    /// Changes a counter by so much; a repetition does it again, unless [`once`](Call::once) recognises it.
    pub fn increment(&self, table: &str, about: impl Into<About>, by: i64) -> Call {
        self.prepare(table, Verb::Write(WriteVerb::Increment, by), about.into())
    }

    /// Reads the row of the item; refused if there is none.
    pub fn read(&self, table: &str, about: impl Into<About>) -> Call {
        self.prepare(table, Verb::Read, about.into())
    }
}

impl Call {
    /// By what the receiver may recognise a repetition: an idempotency key, a message id, an inbox row.
    /// Default: not at all.
    pub fn once(mut self, once: Once) -> Call {
        self.call.once = once;
        self
    }

    /// The session of the message. Default: none.
    pub fn session(mut self, session: Once) -> Call {
        self.call.session = session;
        self
    }

    /// Under which message type it is sent or kept; the scenario must know it (`types:` of the guest).
    /// Default: as it came.
    pub fn kind(mut self, kind: &str) -> Call {
        self.call.kind = Some(kind.to_owned());
        self
    }

    /// Under which policy of the scenario. Default: that of the node.
    pub fn policy(mut self, policy: &str) -> Call {
        self.call.policy = Some(policy.to_owned());
        self
    }

    /// How long one attempt may take. Default: what the policy says.
    pub fn timeout(mut self, timeout: Duration) -> Call {
        self.call.timeout = Some(to_span(timeout));
        self
    }

    /// A message that is enqueued only after this delay.
    pub fn delay(mut self, delay: Duration) -> Call {
        self.call.delay = to_span(delay);
        self
    }

    /// The message's or the row's own time to live. Default: that of the entity.
    pub fn ttl(mut self, ttl: Duration) -> Call {
        self.call.ttl = to_span(ttl);
        self
    }
}

impl IntoFuture for Call {
    type Output = Result<(), Error>;
    type IntoFuture = Calling;
    fn into_future(self) -> Calling {
        Calling(self.guest.ask(Request::Call(Box::new(self.call))))
    }
}

/// A call under way. Dropped, it is given up as it is: no further attempt is made, and whether the last
/// one took effect is unknown.
#[derive(Debug)]
pub struct Calling(Asked);

impl Future for Calling {
    type Output = Result<(), Error>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        alive(Pin::new(&mut self.0), cx).map(plain)
    }
}
