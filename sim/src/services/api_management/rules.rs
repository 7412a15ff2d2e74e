//! The gateway's policies as a scenario writes them: `3 every 1s plus 2s up to 30s`, `5 in 1m for 30s`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::client::policy::text_value;
use crate::client::retry::Stepped;
use crate::time::Span;
use crate::units::{Ratio, UnitError};

/// `3 every 1s` (fixed), `3 every 1s plus 2s` (linear), `3 every 1s plus 2s up to 30s` (exponential);
/// `, first fast` for an immediate first one (facts 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How many further attempts, 1 to 50.
    pub count: u32,
    /// The pauses between them.
    pub pauses: Stepped,
}

impl FromStr for Retry {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let bad = || {
            UnitError(format!(
                "`{text}` is not a retry; write `3 every 1s`, `3 every 1s plus 2s` or `3 every 1s plus 2s up to 30s`"
            ))
        };
        let (rest, first_fast) = match text.split_once(", first fast") {
            Some((rest, "")) => (rest, true),
            Some(_) => return Err(bad()),
            None => (text, false),
        };
        let (count, rest) = rest.split_once(" every ").ok_or_else(bad)?;
        let count = count
            .trim()
            .parse()
            .ok()
            .filter(|n| (1..=50).contains(n))
            .ok_or_else(|| UnitError(format!("`{text}`: the number of further attempts is 1 to 50")))?;
        let (rest, most) = match rest.split_once(" up to ") {
            Some((rest, most)) => (rest, Some(most.parse()?)),
            None => (rest, None),
        };
        let (interval, delta) = match rest.split_once(" plus ") {
            Some((interval, delta)) => (interval.parse()?, Some(delta.parse()?)),
            None => (rest.parse()?, None),
        };
        if most.is_some() && delta.is_none() {
            return Err(bad());
        }
        Ok(Retry { count, pauses: Stepped { interval, delta, most, first_fast } })
    }
}
impl fmt::Display for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} every {}", self.count, self.pauses.interval)?;
        if let Some(delta) = self.pauses.delta {
            write!(f, " plus {delta}")?;
        }
        if let Some(most) = self.pauses.most {
            write!(f, " up to {most}")?;
        }
        if self.pauses.first_fast { f.write_str(", first fast") } else { Ok(()) }
    }
}
text_value!(
    Retry,
    "GatewayRetry",
    "How often a gateway tries again, and after which pauses.",
    "3 every 1s",
    "3 every 1s plus 2s up to 30s"
);

/// How a gateway uses a pool of backends (facts 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pool {
    /// One after the other, leaving out what is tripped.
    #[default]
    InTurn,
    /// The first that is not tripped: groups of priority, with one backend in each \[K\].
    InOrder,
}

impl Pool {
    /// Whether it is taken in turn.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Pool::InTurn
    }
}

/// `5 in 1m for 30s`, `50% in 1m for 30s`: trips after so many failures within the interval (or that
/// share of its calls), and stays tripped for so long (facts 6).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trip {
    /// What trips it.
    pub at: TripAt,
    /// Within which interval.
    pub within: Span,
    /// For how long no call is made.
    pub lasts: Span,
}

/// What trips a gateway's breaker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TripAt {
    /// So many failures.
    Count(u32),
    /// This share of the calls.
    Share(Ratio),
}

impl FromStr for Trip {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let bad = || {
            UnitError(format!(
                "`{text}` is not a breaker rule; write `5 in 1m for 30s` or `50% in 1m for 30s`"
            ))
        };
        let (at, rest) = text.split_once(" in ").ok_or_else(bad)?;
        let (within, lasts) = rest.split_once(" for ").ok_or_else(bad)?;
        let at = if at.trim().ends_with('%') {
            TripAt::Share(at.parse()?)
        } else {
            TripAt::Count(at.trim().parse().ok().filter(|n| *n > 0).ok_or_else(bad)?)
        };
        let within: Span = within.parse()?;
        if within.is_zero() {
            return Err(bad());
        }
        Ok(Trip { at, within, lasts: lasts.parse()? })
    }
}
impl fmt::Display for Trip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            TripAt::Count(n) => write!(f, "{n} in {} for {}", self.within, self.lasts),
            TripAt::Share(share) => write!(f, "{share} in {} for {}", self.within, self.lasts),
        }
    }
}
text_value!(
    Trip,
    "GatewayBreaker",
    "When a gateway stops calling a backend, and for how long.",
    "5 in 1m for 30s",
    "50% in 1m for 30s"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_parse_and_print_back() {
        for text in ["3 every 1s", "3 every 1s plus 2s", "50 every 500ms plus 2s up to 30s, first fast"] {
            assert_eq!(text.parse::<Retry>().map(|retry| retry.to_string()), Ok(text.to_owned()));
        }
        for text in ["5 in 1m for 30s", "50% in 1m for 1h"] {
            assert_eq!(text.parse::<Trip>().map(|trip| trip.to_string()), Ok(text.to_owned()));
        }
        for text in ["0 every 1s", "51 every 1s", "3", "3 every 1s up to 9s"] {
            assert!(text.parse::<Retry>().is_err(), "{text}");
        }
        for text in ["0 in 1m for 1s", "5 in 0s for 1s", "5 in 1m"] {
            assert!(text.parse::<Trip>().is_err(), "{text}");
        }
    }
}
