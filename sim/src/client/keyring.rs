//! The keyring of a process: the credentials that its calls need, each fetched when the process starts and
//! again before it is over. Whoever finds none when it wants to call fails there and then, and sends nothing.

use std::sync::Arc;

use crate::client::caller::{Caller, Finished, Progress};
use crate::client::policy::{Backoff, Jitter, Policy};
use crate::client::retry::Sdk;
use crate::ids::{Address, ProcessId};
use crate::message::credential::{Answer, Identity, Question};
use crate::message::{Body, Message};
use crate::node::Context;
use crate::time::{Span, Time};

/// A token of a service principal is renewed so long before its end (Azure.Identity) \[K\].
const AHEAD: Span = Span::mins(5);
/// After a renewal that failed, so long passes until the next (Azure.Identity) \[K\].
const AGAIN: Span = Span::secs(30);

/// How long App Service and Functions keep what a reference to a vault led to (facts data 7).
pub const REFERENCE: Span = Span::days(1);
/// The version under which the text of a reference itself is presented, where it could not be read.
pub const LITERAL: u16 = u16::MAX;

/// One credential that a process needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Need {
    /// What it is.
    pub kind: Kind,
    /// Who issues or keeps it.
    pub from: Address,
    /// Who stands in where that one does not answer.
    pub backup: Option<Address>,
}

/// The kinds of credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A token for a resource.
    Token {
        /// The hash of the name of the node for whose calls it is.
        resource: u64,
        /// As whom it signs in.
        identity: Identity,
    },
    /// A secret.
    Secret(Keep),
}

/// How long the host keeps a secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Until a callee refuses it: the app itself keeps it in memory. It does not start without it.
    #[default]
    UntilRefused,
    /// For so long: the platform resolves a reference in the settings. One that cannot be resolved is the
    /// literal text of the reference for as long.
    For(Span),
}

/// Whose question it is: which need, and whether the backup was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    need: u16,
    backup: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Entry {
    /// How often it was asked for.
    serial: u32,
    asking: bool,
    /// Whether there has been an end to a question, good or bad.
    tried: bool,
}

/// The credentials of one process. What it has is in the process's [`NameCache`](crate::client::names::NameCache)
/// and, like that, lost in a crash.
#[derive(Clone, Debug)]
pub struct Keyring {
    needs: Arc<Vec<Need>>,
    entries: Vec<Entry>,
    caller: Caller<Asked>,
    /// For vaults, whose clients back off otherwise.
    vaults: Caller<Asked>,
    /// The secrets that have been fetched again.
    fetched: Vec<u16>,
    space: u8,
}

/// How secrets are asked for: after 1, 2, 4, 8 and 16 s again (facts data 7).
fn of_vaults() -> Policy {
    let backoff = Some(Backoff::Exponential(Span::secs(1), Span::secs(16)));
    Policy { retries: Some(5), backoff, ..policy() }
}

/// How tokens are asked for: 10 s for an attempt, three further ones after 0.8 s doubling (Azure.Core) \[K\].
fn policy() -> Policy {
    Policy {
        timeout: Some(Span::secs(10)),
        retries: Some(3),
        backoff: Some(Backoff::Exponential(Span::millis(800), Span::secs(60))),
        jitter: Some(Jitter::None),
        ..Policy::default()
    }
}

impl Keyring {
    /// An empty keyring for these needs. `name`: the hash of the app; `space` and the two after it are its
    /// number spaces of tags and timers.
    #[must_use]
    pub fn new(needs: Arc<Vec<Need>>, name: u64, space: u8) -> Keyring {
        let caller = Caller::new(&policy(), Sdk::AzureCore, name, space);
        let vaults = Caller::new(&of_vaults(), Sdk::AzureCore, name, space + 1);
        let (entries, fetched) = (vec![Entry::default(); needs.len()], Vec::new());
        Keyring { entries, needs, caller, vaults, fetched, space: space + 2 }
    }

    /// Forgets what it has asked: the process died.
    pub fn crash(&mut self) {
        self.entries.fill(Entry::default());
        self.caller.crash();
        self.vaults.crash();
        self.fetched.clear();
    }

    /// Asks for everything.
    pub fn begin(&mut self, cx: &mut Context<'_>) {
        for need in 0..self.needs.len() as u16 {
            self.ask(need, cx);
        }
    }

    /// Whether the process may begin: everything has been asked for once, with whatever outcome; what it does
    /// not start without is there.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.entries.iter().all(|entry| entry.tried)
    }

    /// Takes an answer. False if it is not for the keyring.
    pub fn on_message(&mut self, message: &Message, cx: &mut Context<'_>) -> bool {
        let mine = self.caller.on_message(cx, message) || self.vaults.on_message(cx, message);
        self.flow(cx);
        mine
    }

    /// Takes a timer. False if it is not the keyring's.
    pub fn on_timer(&mut self, token: u64, cx: &mut Context<'_>) -> bool {
        if token >> 56 == u64::from(self.space) {
            self.ask(token as u16, cx);
            return true;
        }
        let mine = self.caller.on_timer(cx, token) || self.vaults.on_timer(cx, token);
        self.flow(cx);
        mine
    }

    /// A connection is gone.
    pub fn on_closed(&mut self, peer: ProcessId, cx: &mut Context<'_>) {
        self.caller.on_closed(cx, peer);
        self.vaults.on_closed(cx, peer);
        self.flow(cx);
    }

    /// Fetches again what callees have refused.
    pub fn tend(&mut self, cx: &mut Context<'_>) {
        for need in cx.refused_credentials() {
            self.ask(need, cx);
        }
    }

    /// A secret that has been fetched again, for which calls may wait.
    pub fn fetched(&mut self) -> Option<u16> {
        self.fetched.pop()
    }

    fn ask(&mut self, need: u16, cx: &mut Context<'_>) {
        let Some(entry) = self.entries.get_mut(usize::from(need)).filter(|entry| !entry.asking) else {
            return;
        };
        entry.asking = true;
        entry.serial += 1;
        self.send(need, false, cx);
    }

    fn send(&mut self, need: u16, backup: bool, cx: &mut Context<'_>) {
        let index = usize::from(need);
        let (Some(wanted), Some(entry)) = (self.needs.get(index), self.entries.get(index)) else { return };
        let (serial, from) = (entry.serial, wanted.from);
        let to = wanted.backup.filter(|_| backup).unwrap_or(from);
        let (caller, question) = match wanted.kind {
            Kind::Token { resource, identity } => {
                (&mut self.caller, Question::Token { resource, identity, serial })
            }
            Kind::Secret(_) => (&mut self.vaults, Question::Secret { part: from.part, serial }),
        };
        caller.call(cx, to, Message::new(Body::Credential(question)), Asked { need, backup });
        self.flow(cx);
    }

    fn flow(&mut self, cx: &mut Context<'_>) {
        while let Some(progress) = self.caller.next().or_else(|| self.vaults.next()) {
            if let Progress::Finished(Finished { owner, answer, .. }) = progress {
                let answer = answer.and_then(|message| match message.body {
                    Body::Granted(answer) => Some(answer),
                    _ => None,
                });
                self.answered(owner, answer, cx);
            }
        }
    }

    fn answered(&mut self, asked: Asked, answer: Option<Answer>, cx: &mut Context<'_>) {
        let index = usize::from(asked.need);
        let (Some(need), Some(entry)) = (self.needs.get(index), self.entries.get_mut(index)) else { return };
        if answer_is_none(answer) && need.backup.is_some() && !asked.backup {
            return self.send(asked.need, true, cx);
        }
        entry.asking = false;
        let held = Credential { need: asked.need, version: 0, until: Time::NEVER, rereads: false };
        let had = cx.credential(asked.need).is_some();
        let (held, next) = match (need.kind, answer) {
            (Kind::Token { identity, .. }, Some(Answer::Token { lives })) => {
                (Some(Credential { until: cx.wall() + lives, ..held }), Some(renewed_after(identity, lives)))
            }
            (Kind::Secret(Keep::UntilRefused), Some(Answer::Secret { version })) => {
                (Some(Credential { version, rereads: true, ..held }), None)
            }
            (Kind::Secret(Keep::For(span)), Some(Answer::Secret { version })) => {
                (Some(Credential { version, ..held }), Some(span))
            }
            (Kind::Secret(Keep::For(span)), _) if !had => {
                (Some(Credential { version: LITERAL, ..held }), Some(span))
            }
            // The app still has one, which somebody may take; the next refusal asks again.
            (Kind::Secret(Keep::UntilRefused), _) if had => (None, None),
            _ => (None, Some(AGAIN)),
        };
        // An app that keeps its secrets itself does not start without them.
        let must = need.kind == Kind::Secret(Keep::UntilRefused);
        entry.tried |= !must || held.is_some();
        if let Some(held) = held {
            cx.hold_credential(held);
            self.fetched.push(asked.need);
        }
        if let Some(next) = next {
            cx.timer(next, u64::from(self.space) << 56 | u64::from(asked.need), false);
        }
    }
}

fn answer_is_none(answer: Option<Answer>) -> bool {
    !matches!(answer, Some(Answer::Token { .. } | Answer::Secret { .. }))
}

/// When the next token is asked for: shortly before the end; half-way where it lasts long (the field
/// `refresh_in` of tokens that live two hours and more \[K\]).
fn renewed_after(identity: Identity, lives: Span) -> Span {
    match identity {
        Identity::Managed => lives.scaled(1, 2),
        Identity::ServicePrincipal => Span(lives.0.saturating_sub(AHEAD.0)).max(AGAIN),
    }
}

/// A credential that a process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Which of its needs.
    pub need: u16,
    /// Which version; a token has none.
    pub version: u16,
    /// Until when it is good, on the wall clock.
    pub until: Time,
    /// Whether it is fetched again when a callee refuses it.
    pub rereads: bool,
}
