//! Identities: what travels, who handles it, where it rests. Small, dense and `Copy`; names live in
//! the [`Plan`](crate::plan::Plan).

use serde::{Deserialize, Serialize};

use crate::random::{mix, name_hash};

macro_rules! index {
    ($(#[$doc:meta])* $name:ident($int:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub $int);
        impl $name {
            /// As an index into a dense table.
            #[must_use]
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

index!(/// A unit of failure and atomicity: one replica of an app, one namespace, account or gateway.
    ProcessId(u32));
index!(/// A node of the scenario, in file order.
    NodeId(u16));
index!(/// Somewhere a copy of an item can rest or an effect can happen: a queue, a table, an operation.
    PlaceId(u16));
index!(/// A declared flow.
    FlowId(u16));
index!(/// A fault of the scenario, in file order; its label, never its index, enters a draw.
    FaultId(u16));
index!(/// One attempt of one call, unique in a run. A label only: it never enters a draw.
    CallId(u64));

/// The items of one generator of one flow. A load fault is a generator, and so a stream, of its own. A
/// [`label`], because it enters draws; the [plan](crate::plan::Plan::stream_index) leads to its table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StreamId(pub u16);

impl StreamId {
    /// The id of the stream of this name, unless it met another's label.
    #[must_use]
    pub fn named(name: &str) -> StreamId {
        StreamId(label(name, |_| false))
    }
}

/// A message type such as `AuthorizePayment`; 0 is "none". A [`label`], because it enters draws.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TypeId(pub u16);

/// A short identity that comes from a name alone, so that it is the same whoever else is there: only where
/// two names meet in one label does the later one give way. Never 0.
#[must_use]
pub fn label(name: &str, is_taken: impl Fn(u16) -> bool) -> u16 {
    let mut label = (name_hash(name) >> 48) as u16;
    while label == 0 || is_taken(label) {
        label = label.wrapping_add(1);
    }
    label
}

/// A thing that travels: the `number`-th item of its generator, and what this copy of it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Item {
    /// Dense within the stream, from 0.
    pub number: u32,
    /// The key (a customer, a device) by which it is ordered and partitioned.
    pub key: u32,
    /// Its generator.
    pub stream: StreamId,
    /// The message type under which this copy travels.
    pub kind: TypeId,
}

impl Default for Item {
    fn default() -> Self {
        Item::NONE
    }
}

impl Item {
    /// No item: what a request is about that carries none (a poll, a handshake, an attach). Unlike the
    /// first item of the first stream it bears no number that an item can have.
    pub const NONE: Item = Item { number: u32::MAX, key: 0, stream: StreamId(0), kind: TypeId(0) };

    /// Whether it is no item.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.number == u32::MAX
    }

    /// The identity of the item in a draw or a set: stream and number, not the type of the copy.
    #[must_use]
    pub const fn identity(self) -> u64 {
        ((self.stream.0 as u64) << 32) | self.number as u64
    }

    /// Whether both are copies of one item.
    #[must_use]
    pub fn same(self, other: Item) -> bool {
        self.identity() == other.identity()
    }

    /// This item under another message type.
    #[must_use]
    pub fn typed(self, kind: TypeId) -> Item {
        Item { kind, ..self }
    }
}

/// Where a call goes: a process, and the part of it (an entity, a table, an operation).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// The process that answers.
    pub process: ProcessId,
    /// Its part, by the numbering of that process.
    pub part: u16,
}

/// A connection between two processes; dies with either of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConnectionId {
    /// The place in the table of connections.
    pub slot: u32,
    /// How often that place had been used before.
    pub generation: u32,
}

impl ConnectionId {
    /// No connection: a datagram, or an input from outside.
    pub const NONE: ConnectionId = ConnectionId { slot: u32::MAX, generation: u32::MAX };
}

/// By what a receiver may recognise a repetition: the adverb `once:` (and `session:`), a sum of parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Once(pub u8);

impl Once {
    /// Nothing: every arrival is new.
    pub const NONE: Once = Once(0);
    /// The item, the same for ever.
    pub const ITEM: Once = Once(1);
    /// The item's key.
    pub const KEY: Once = Once(2);
    /// The message that triggered the run; the same over redeliveries.
    pub const MESSAGE: Once = Once(4);
    /// The run: new in every execution.
    pub const RUN: Once = Once(8);
    /// The message type of the copy.
    pub const TYPE: Once = Once(16);

    /// Whether nothing is to be recognised.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether this sum contains that part.
    #[must_use]
    pub const fn has(self, part: Once) -> bool {
        self.0 & part.0 != 0
    }

    /// Both parts.
    #[must_use]
    pub const fn and(self, other: Once) -> Once {
        Once(self.0 | other.0)
    }

    /// The identity of this item in this execution, or `None` where nothing is to be recognised.
    #[must_use]
    pub fn identity(self, item: Item, execution: Execution) -> Option<u64> {
        if self.is_none() {
            return None;
        }
        let mut hash = u64::from(self.0);
        if self.has(Once::ITEM) {
            hash = mix(hash, item.identity());
        }
        if self.has(Once::KEY) {
            hash = mix(hash, u64::from(item.key) ^ 0x6b65_7900);
        }
        if self.has(Once::MESSAGE) {
            hash = mix(hash, mix(execution.message, item.identity()));
        }
        if self.has(Once::RUN) {
            hash = mix(hash, mix(execution.run, item.identity()));
        }
        if self.has(Once::TYPE) {
            hash = mix(hash, u64::from(item.kind.0) ^ 0x7479_7065);
        }
        Some(hash)
    }
}

/// The execution in which a call is made: which run of the recipe, for which incoming message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// New in every run of the recipe.
    pub run: u64,
    /// The identity of the message that triggered the run; the same over redeliveries.
    pub message: u64,
}

/// A set of faults, by [`FaultId`]; at most 64 faults in a scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultMask(pub u64);

impl FaultMask {
    /// No fault.
    pub const NONE: FaultMask = FaultMask(0);

    /// Just this fault.
    #[must_use]
    pub const fn of(fault: FaultId) -> FaultMask {
        FaultMask(1 << (fault.0 & 63))
    }
    /// Both sets.
    #[must_use]
    pub const fn and(self, other: FaultMask) -> FaultMask {
        FaultMask(self.0 | other.0)
    }
    /// Whether it is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// Whether it holds this fault.
    #[must_use]
    pub const fn has(self, fault: FaultId) -> bool {
        self.0 & FaultMask::of(fault).0 != 0
    }
    /// The faults in it, ascending.
    pub fn iter(self) -> impl Iterator<Item = FaultId> {
        (0..64u16).filter(move |bit| self.0 >> bit & 1 == 1).map(FaultId)
    }
}
