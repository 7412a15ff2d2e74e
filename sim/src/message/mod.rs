//! What processes say to each other: one small enum over the protocols. Ids, not strings; at most 96
//! bytes, because the event queue moves them.

pub mod broker;
pub mod control;
pub mod credential;
pub mod http;
pub mod name;
pub mod replication;
pub mod store;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{CallId, Item};

/// One message on a connection, or one datagram.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The attempt of a call to which this belongs; an answer carries the id of its request.
    pub call: CallId,
    /// The caller's own mark, returned with the answer so that it finds its call again.
    pub tag: u32,
    /// Which attempt of the call this is, from 1; returned with the answer.
    pub attempt: u16,
    /// The items that it carries.
    pub cargo: Cargo,
    /// What it says.
    pub body: Body,
}

impl Message {
    /// A message that belongs to no call: pushed by a server, or a datagram.
    #[must_use]
    pub fn new(body: Body) -> Message {
        Message { call: CallId(0), tag: 0, attempt: 0, cargo: Cargo::None, body }
    }

    /// Takes the message out of its place and leaves an empty one there.
    #[inline]
    #[must_use]
    pub fn take(&mut self) -> Message {
        std::mem::replace(self, Message::new(Body::Probe))
    }

    /// The same with cargo.
    #[must_use]
    pub fn carrying(mut self, cargo: Cargo) -> Message {
        self.cargo = cargo;
        self
    }

    /// The answer to this message. It repeats the cargo only if told to by [`carrying`](Self::carrying).
    #[must_use]
    pub fn answer(&self, body: Body) -> Message {
        Message { call: self.call, tag: self.tag, attempt: self.attempt, cargo: Cargo::None, body }
    }
}

/// The items of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cargo {
    /// No item.
    #[default]
    None,
    /// One item.
    One(Item),
    /// An immutable batch, shared.
    Many(Arc<Vec<Item>>),
}

impl Cargo {
    /// The items as a slice.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        match self {
            Cargo::None => &[],
            Cargo::One(item) => std::slice::from_ref(item),
            Cargo::Many(items) => items,
        }
    }

    /// The first item.
    #[must_use]
    pub fn first(&self) -> Option<Item> {
        self.items().first().copied()
    }

    /// Whether it carries no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items().is_empty()
    }

    /// A cargo of these items, in the smallest form.
    #[must_use]
    pub fn of(items: Vec<Item>) -> Cargo {
        match items.as_slice() {
            [] => Cargo::None,
            [one] => Cargo::One(*one),
            _ => Cargo::Many(Arc::new(items)),
        }
    }
}

/// What a message says, by protocol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Body {
    /// A request over HTTPS: to an app, a gateway, an endpoint, an event topic; and a push of an event.
    Request(http::Request),
    /// Its answer.
    Response(http::Response),
    /// AMQP, client to broker.
    Broker(broker::Command),
    /// AMQP, broker to client.
    BrokerEvent(broker::Event),
    /// A database or blob storage, client to server.
    Store(store::Command),
    /// Its answer.
    StoreAnswer(store::Answer),
    /// Its answer where the owners of partitions were asked for: by partition, as far as any was written.
    Owners(Arc<Vec<store::Ownership>>),
    /// A health probe (a datagram here: what matters is its loss and its delay).
    Probe,
    /// The answer to a probe.
    ProbeAnswer {
        /// Whether the target says that it can serve.
        ready: bool,
    },
    /// Where does this name lead? Asked of the process that answers for the name (a datagram).
    Lookup,
    /// The answer to a lookup.
    Record(name::Answer),
    /// Between an app's instances and what manages them, and from people and automation to a service.
    Control(control::Command),
    /// Its answer.
    ControlAnswer(control::Answer),
    /// Who needs a credential asks for it.
    Credential(credential::Question),
    /// Its answer.
    Granted(credential::Answer),
    /// Between the replicas of a geo-replicated service.
    Replica(replication::Record),
}

const _: () = assert!(size_of::<Message>() <= 96, "a message must stay small: the event queue moves it");
