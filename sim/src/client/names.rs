//! Names that may lead elsewhere tomorrow: who has one, where it leads as far as a process remembers, and
//! for how long it remembers. An address whose process is a *name* is an alias: a caller asks that process
//! where it leads ([`Body::Lookup`](crate::message::Body::Lookup)) and sends to what the record says.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::client::keyring::Credential;
use crate::client::policy::text_value;
use crate::ids::{Address, NodeId, ProcessId};
use crate::message::name::ANY_PART;
use crate::time::{Span, Time};
use crate::units::UnitError;

/// A question that gets no answer is asked again after this (glibc's resolver: `timeout:5`) \[K\].
pub const ASK_AGAIN: Span = Span::secs(5);
/// How long a client library avoids a region of an account that did not answer (facts data 1.1: how often it
/// reads the list of regions).
pub const AVOIDED: Span = Span::mins(5);
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
    accounts: Vec<Account>,
    dns: Vec<(NodeId, Dns)>,
}

/// A store in several regions whose client library knows them all: it reads where it is, and asks again
/// where the write region is when it is turned away (facts data 1.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    name: ProcessId,
    /// In order of priority.
    replicas: Vec<(u8, ProcessId)>,
    /// Every region takes writes.
    multi: bool,
}

impl Account {
    /// The region in which somebody in this site reads.
    #[must_use]
    pub fn nearest(&self, site: Option<u8>) -> ProcessId {
        self.preferred(site).next().unwrap_or(self.name)
    }

    /// All regions, the own one first.
    pub fn preferred(&self, site: Option<u8>) -> impl Iterator<Item = ProcessId> + '_ {
        let here = move |(at, _): &&(u8, ProcessId)| Some(*at) == site;
        let own = self.replicas.iter().filter(here);
        own.chain(self.replicas.iter().filter(move |one| !here(one))).map(|(_, process)| *process)
    }

    /// Whether any region takes writes.
    #[must_use]
    pub const fn writes_anywhere(&self) -> bool {
        self.multi
    }
}

impl Naming {
    /// Makes this process the one that answers for a name: its address is an alias from now on.
    pub fn add(&mut self, name: ProcessId) {
        self.names.push(name);
        self.aliases.push(name);
    }

    /// Makes this name the one of an account in several regions, in order of priority; `multi`: all of them
    /// take writes.
    pub fn add_account(&mut self, name: ProcessId, replicas: Vec<(u8, ProcessId)>, multi: bool) {
        self.accounts.push(Account { name, replicas, multi });
    }

    /// The account of this name, if it is one.
    #[must_use]
    pub fn account(&self, name: ProcessId) -> Option<&Account> {
        self.accounts.iter().find(|account| account.name == name)
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
    /// Regions of accounts that did not answer, and until when each is avoided.
    avoided: Vec<(ProcessId, Time)>,
    /// The credentials that it has; see [`Keyring`](crate::client::keyring::Keyring).
    credentials: Vec<Credential>,
    /// The needs for which the callee refused what was presented.
    refused: Vec<u16>,
}

impl NameCache {
    /// Where a name led when it was last asked for.
    #[must_use]
    pub fn get(&self, name: ProcessId) -> Option<Known> {
        self.known.iter().find(|known| known.name == name).copied()
    }

    /// Forgets where a name led.
    pub fn forget(&mut self, name: ProcessId) {
        self.known.retain(|known| known.name != name);
    }

    /// Avoids a region of an account until then.
    pub fn avoid(&mut self, region: ProcessId, until: Time) {
        self.avoided.retain(|(known, _)| *known != region);
        self.avoided.push((region, until));
    }

    /// Whether a region of an account is avoided.
    #[must_use]
    pub fn avoids(&self, region: ProcessId, now: Time) -> bool {
        self.avoided.iter().any(|(known, until)| *known == region && now < *until)
    }

    /// Keeps a credential, in the place of the one that it had for this need.
    pub fn hold(&mut self, credential: Credential) {
        self.credentials.retain(|held| held.need != credential.need);
        self.credentials.push(credential);
    }

    /// The credential for a need, if it has one that is good.
    #[must_use]
    pub fn credential(&self, need: u16, wall: Time) -> Option<Credential> {
        self.credentials.iter().find(|held| held.need == need && wall < held.until).copied()
    }

    /// The callee refused this credential. True: another one will be fetched.
    pub fn refuse(&mut self, need: u16) -> bool {
        let reread = self.credentials.iter().any(|held| held.need == need && held.rereads);
        if reread && !self.refused.contains(&need) {
            self.refused.push(need);
        }
        reread
    }

    /// The needs whose credentials have to be fetched again.
    pub fn take_refused(&mut self) -> Vec<u16> {
        std::mem::take(&mut self.refused)
    }

    /// Remembers a record.
    pub fn learn(&mut self, name: ProcessId, address: Address, until: Time) {
        self.known.retain(|known| known.name != name);
        self.known.push(Known { name, address, until });
    }
}
