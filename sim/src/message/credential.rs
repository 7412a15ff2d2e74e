//! Between those who need a credential and those who give it out: an identity provider that issues tokens,
//! a vault that keeps secrets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Span;

/// As whom a workload signs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Identity {
    /// A managed identity: the platform keeps its tokens for about a day, and the backup authentication
    /// service of the region stands in for the token service (facts data 7).
    #[default]
    Managed,
    /// A service principal with a secret or certificate of its own: its tokens last 60 to 90 minutes, and
    /// nothing stands in (facts data 7).
    ServicePrincipal,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Question {
    /// A token for a resource.
    Token {
        /// The hash of the name of the node that will be called.
        resource: u64,
        /// As whom.
        identity: Identity,
        /// How many this process has asked for before, for this resource.
        serial: u32,
    },
    /// The current version of a secret.
    Secret {
        /// Which, by the numbering of the vault.
        part: u16,
        /// How many times this process has asked for it before.
        serial: u32,
    },
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// A token.
    Token {
        /// How long it is good.
        lives: Span,
    },
    /// A secret.
    Secret {
        /// Which version of it, from 1.
        version: u16,
    },
    /// Nothing, for now (503).
    Unavailable,
    /// Nothing: too many have asked (429).
    Throttled,
}
