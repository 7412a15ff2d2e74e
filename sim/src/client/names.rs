//! Names that may lead elsewhere tomorrow: who has one, where it leads as far as a process remembers, and
//! for how long it remembers. An address whose process is a *name* is an alias: a caller asks that process
//! where it leads ([`Body::Lookup`](crate::message::Body::Lookup)) and sends to what the record says.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::client::policy::text_value;
use crate::ids::{Address, NodeId, ProcessId};
use crate::message::name::ANY_PART;
use crate::time::{Span, Time};
use crate::units::UnitError;

/// A question that gets no answer is asked again after this (glibc's resolver: `timeout:5`) \[K\].
pub const ASK_AGAIN: Span = Span::secs(5);
/// So often a question is asked before the lookup has failed (glibc's resolver: `attempts:2`) \[K\].
pub const QUESTIONS: u8 = 2;

/// How long a process remembers where a name leads: `honour`, `resolve-once`, or at least a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dns {
    /// For the time to live of the record.
    #[default]
    Honour,
    /// As long as it lives.
    ResolveOnce,
    /// For the time to live, but at least so long (a cache that ignores short ones).
    AtLeast(Span),
}

impl Dns {
    /// Until when a record with this time to live is used.
    #[must_use]
    pub fn until(self, now: Time, ttl: Span) -> Time {
        match self {
            Dns::Honour => now + ttl,
            Dns::ResolveOnce => Time::NEVER,
            Dns::AtLeast(span) => now + ttl.max(span),
        }
    }

    /// Whether it does as the record says.
    #[must_use]
    pub const fn is_default(&self) -> bool {
        matches!(self, Dns::Honour)
    }
}

impl FromStr for Dns {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        match text {
            "honour" => Ok(Dns::Honour),
            "resolve-once" => Ok(Dns::ResolveOnce),
            span => span.parse().map(Dns::AtLeast).map_err(|_| {
                UnitError(format!(
                    "`{text}` is no way to keep records; write `honour`, `resolve-once` or `5m`"
                ))
            }),
        }
    }
}
impl fmt::Display for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dns::Honour => f.write_str("honour"),
            Dns::ResolveOnce => f.write_str("resolve-once"),
            Dns::AtLeast(span) => span.fmt(f),
        }
    }
}
text_value!(
    Dns,
    "Dns",
    "How long it remembers where a name leads: `honour` (the record's time to live), `resolve-once`, or at least a span.",
    "honour",
    "resolve-once",
    "5m"
);

/// The part of the plan that is about names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Naming {
    names: Vec<ProcessId>,
    /// Processes that have one address, that of the first.
    anycast: Vec<Vec<ProcessId>>,
    /// Every process of which an address may lead elsewhere.
    aliases: Vec<ProcessId>,
    dns: Vec<(NodeId, Dns)>,
}

impl Naming {
    /// Makes this process the one that answers for a name: its address is an alias from now on.
    pub fn add(&mut self, name: ProcessId) {
        self.names.push(name);
        self.aliases.push(name);
    }

    /// Gives these processes one address, that of the first: every client reaches the one that is nearest
    /// to it.
    pub fn add_anycast(&mut self, processes: Vec<ProcessId>) {
        self.aliases.extend(processes.first());
        self.anycast.push(processes);
    }

    /// Whether an address of this process may lead to another.
    #[inline]
    #[must_use]
    pub fn is_alias(&self, process: ProcessId) -> bool {
        !self.aliases.is_empty() && self.aliases.contains(&process)
    }

    /// Whether an address of this process has to be looked up.
    #[must_use]
    pub fn is_name(&self, process: ProcessId) -> bool {
        self.names.contains(&process)
    }

    /// The processes that share this one's address; none if it is its own.
    #[must_use]
    pub fn anycast(&self, process: ProcessId) -> &[ProcessId] {
        let found = self.anycast.iter().find(|group| group.first() == Some(&process));
        found.map_or(&[], Vec::as_slice)
    }

    /// Says how long the processes of a node remember records.
    pub fn keep(&mut self, node: NodeId, dns: Dns) {
        if !dns.is_default() {
            self.dns.push((node, dns));
        }
    }

    /// How long the processes of a node remember records.
    #[must_use]
    pub fn dns(&self, node: NodeId) -> Dns {
        self.dns.iter().find(|(of, _)| *of == node).map_or(Dns::Honour, |(_, dns)| *dns)
    }
}

/// Where a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// There.
    At(Address),
    /// Unknown: this process answers for the name.
    Ask(ProcessId),
}

/// A record that is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The name.
    name: ProcessId,
    address: Address,
    /// Until when it is used.
    pub until: Time,
}

impl Known {
    /// Where an address by this name leads.
    #[must_use]
    pub fn leads(&self, by: Address) -> Address {
        let part = if self.address.part == ANY_PART { by.part } else { self.address.part };
        Address { process: self.address.process, part }
    }
}

/// What one process remembers, shared by all its callers; lost in a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameCache {
    known: Vec<Known>,
}

impl NameCache {
    /// Where a name led when it was last asked for.
    #[must_use]
    pub fn get(&self, name: ProcessId) -> Option<Known> {
        self.known.iter().find(|known| known.name == name).copied()
    }

    /// Remembers a record.
    pub fn learn(&mut self, name: ProcessId, address: Address, until: Time) {
        self.known.retain(|known| known.name != name);
        self.known.push(Known { name, address, until });
    }
}
