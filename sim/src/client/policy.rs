//! Client policies as a scenario writes them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::time::Span;
use crate::units::{Ratio, UnitError};

/// How a caller behaves. A missing field has the default of the SDK for the callee (facts 1.10).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Policy {
    /// How long one attempt may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// How many further attempts follow a failed one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// The pause before a further attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Backoff>,
    /// How the pause is spread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Jitter>,
    /// Whether `Retry-After` of the callee counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<RetryAfter>,
    /// At most this share of attempts may be further ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Ratio>,
    /// When the caller stops calling for a while.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaker: Option<BreakerRule>,
    /// What becomes of a call while the breaker is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when_open: Option<WhenOpen>,
    /// At most so many calls at once; more wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<u32>,
}

/// The pause before a further attempt: `fixed 1s`, `exponential 500ms..30s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backoff {
    /// Always the same.
    Fixed(Span),
    /// Doubling from the first to at most the second.
    Exponential(Span, Span),
}

/// How the pause is spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Jitter {
    /// As computed.
    #[default]
    None,
    /// Uniform between zero and the computed pause.
    Full,
}

/// Whether `Retry-After` counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RetryAfter {
    /// The next attempt is not before it.
    #[default]
    Honour,
    /// As if it had not been sent.
    Ignore,
}

/// What becomes of a call while the breaker is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WhenOpen {
    /// It fails at once.
    #[default]
    Fail,
    /// It waits until the breaker lets it through.
    Wait,
}

/// `50% of 20 for 30s`: opens when that share of that many calls failed, for so long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakerRule {
    /// The share of failures that opens it.
    pub share: Ratio,
    /// Over how many of the latest calls.
    pub of: u32,
    /// How long it stays open.
    pub open_for: Span,
}

/// A type that is text in YAML: `FromStr` and `Display` make the rest.
macro_rules! text_value {
    ($type:ty, $name:literal, $about:literal, $($example:literal),+) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                <Cow<'de, str>>::deserialize(from)?.parse().map_err(|e: UnitError| D::Error::custom(e.0))
            }
        }
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "description": $about, "examples": [$($example),+] })
            }
        }
    };
}

pub(crate) use text_value;

impl FromStr for Backoff {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let bad =
            || UnitError(format!("`{text}` is not a back-off; write `fixed 1s` or `exponential 500ms..30s`"));
        let (kind, rest) = text.split_once(' ').ok_or_else(bad)?;
        match kind {
            "fixed" => Ok(Backoff::Fixed(rest.parse()?)),
            "exponential" => {
                let (first, most) = rest.split_once("..").ok_or_else(bad)?;
                Ok(Backoff::Exponential(first.parse()?, most.parse()?))
            }
            _ => Err(bad()),
        }
    }
}
impl fmt::Display for Backoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Backoff::Fixed(pause) => write!(f, "fixed {pause}"),
            Backoff::Exponential(first, most) => write!(f, "exponential {first}..{most}"),
        }
    }
}
text_value!(Backoff, "Backoff", "The pause before a further attempt.", "fixed 1s", "exponential 500ms..30s");

impl FromStr for BreakerRule {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let bad =
            || UnitError(format!("`{text}` is not a breaker rule; write for example `50% of 20 for 30s`"));
        let (share, rest) = text.split_once(" of ").ok_or_else(bad)?;
        let (of, open_for) = rest.split_once(" for ").ok_or_else(bad)?;
        let of = of.trim().parse().ok().filter(|n| *n > 0).ok_or_else(bad)?;
        Ok(BreakerRule { share: share.parse()?, of, open_for: open_for.parse()? })
    }
}
impl fmt::Display for BreakerRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} for {}", self.share, self.of, self.open_for)
    }
}
text_value!(
    BreakerRule,
    "BreakerRule",
    "When a circuit breaker opens, and for how long.",
    "50% of 20 for 30s"
);
