//! When, where in a recipe and how often a fault strikes: the parameters that every fault has.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::node::Point;
use crate::random::{Purpose, Random};
use crate::time::{Span, Time};
use crate::units::{Ratio, UnitError};

/// When a fault begins: an instant after the warm-up, or drawn from the seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// This long after the end of the warm-up.
    Instant(Span),
    /// Drawn from the seed within the run.
    Random,
}

impl FromStr for At {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        if text == "random" { Ok(At::Random) } else { text.parse().map(At::Instant) }
    }
}
impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Instant(span) => span.fmt(f),
            At::Random => f.write_str("random"),
        }
    }
}

/// A condition on the world: `raw.depth > 5000`, more than so many copies waiting at an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The entity or table.
    pub entity: String,
    /// More than so many.
    pub above: u64,
}

impl FromStr for Condition {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let bad =
            || UnitError(format!("`{text}` is not a condition; write for example `payments.depth > 5000`"));
        let (metric, above) = text.split_once('>').ok_or_else(bad)?;
        let entity = metric.trim().strip_suffix(".depth").ok_or_else(bad)?;
        let above = above.trim().parse().map_err(|_| bad())?;
        if entity.is_empty() { Err(bad()) } else { Ok(Condition { entity: entity.to_owned(), above }) }
    }
}
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.depth > {}", self.entity, self.above)
    }
}

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
text_value!(At, "At", "An instant after the end of the warm-up, or `random`.", "5m", "random");
text_value!(Condition, "Condition", "More copies than this wait at an entity.", "payments.depth > 5000");

/// The parameters that every fault has. (Each fault's struct repeats them, so that the file is read strictly.)
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Placement {
    /// From when, or at which instant.
    pub at: Option<At>,
    /// How long it lasts (a crash: how long the process is down). Default: to the end of the run.
    pub lasts: Option<Span>,
    /// At the start of a step: nothing sent.
    pub before: Option<String>,
    /// Sent, answer not seen.
    pub in_doubt: Option<String>,
    /// Answer consumed, next step not begun.
    pub after: Option<String>,
    /// When a condition holds.
    pub when: Option<Condition>,
    /// With this probability at each opportunity.
    pub chance: Option<Ratio>,
    /// At every n-th item.
    pub nth: Option<u32>,
    /// At most so often.
    pub times: Option<u32>,
    /// Again after this long.
    pub every: Option<Span>,
    /// In every instance, not only in the one that runs the step.
    pub all: bool,
    /// Grows to full strength over this long.
    pub ramp: Option<Span>,
    /// Health probes do not see it.
    pub hidden: bool,
}

impl Placement {
    /// The point of a recipe at which it strikes: the name of the step, and which point of it.
    #[must_use]
    pub fn point(&self) -> Option<(&str, Point)> {
        let before = self.before.as_deref().map(|step| (step, Point::Before));
        let in_doubt = self.in_doubt.as_deref().map(|step| (step, Point::InDoubt));
        let after = self.after.as_deref().map(|step| (step, Point::After));
        before.or(in_doubt).or(after)
    }

    /// Whether it begins at several instants, each of which is one blow.
    #[must_use]
    pub fn is_repeated(&self) -> bool {
        self.at == Some(At::Random) || self.every.is_some()
    }

    /// The instants at which it begins, ascending, within a run from `begins` to `ends`. A random one is
    /// drawn by the label and its number, so that every engine and generator agree about it.
    #[must_use]
    pub fn instants(&self, label: u64, random: &Random, begins: Time, ends: Time) -> Vec<Time> {
        self.instants_by(begins, ends, |number, width| {
            random.below(width, Purpose::FaultTime, label, [number, 0])
        })
    }

    /// The same with a draw `(number, width) -> 0..width` of the caller's own.
    #[must_use]
    pub fn instants_by(&self, begins: Time, ends: Time, draw: impl Fn(u64, u64) -> u64) -> Vec<Time> {
        let mut instants = match self.at {
            Some(At::Random) => {
                let last = Span(ends.since(begins).0.saturating_sub(self.lasts.map_or(0, |span| span.0)));
                let count = u64::from(self.times.unwrap_or(1));
                (0..count).map(|number| begins + Span(draw(number, last.0.max(1)))).collect()
            }
            at => {
                let first = begins
                    + at.map_or(Span::ZERO, |at| if let At::Instant(span) = at { span } else { Span::ZERO });
                match self.every {
                    Some(every) if !every.is_zero() => {
                        let most = self.times.map_or(u64::MAX, u64::from);
                        (0..most).map(|n| first + every.times(n)).take_while(|at| *at < ends).collect()
                    }
                    _ => vec![first],
                }
            }
        };
        instants.retain(|at| *at < ends);
        instants.sort_unstable();
        instants
    }
}

/// What the struct of every fault offers, whatever its own parameters.
pub trait Common {
    /// What it strikes.
    fn target(&self) -> &str;
    /// When and how often.
    fn placement(&self) -> Placement;
}

/// Declares the parameters of one fault: `target`, its own with their defaults, and those that every
/// fault has. Repeating them in each struct is what lets serde refuse an unknown key.
macro_rules! fault {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
        pub struct $name {
            /// What it strikes.
            pub target: String,
            $($(#[$field_doc])* pub $field: $type,)*
            /// From when, or at which instant after the warm-up; `random`: drawn from the seed.
            /// Default: from the start.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub at: Option<crate::faults::At>,
            /// How long it lasts (a crash: how long the process is down). Default: to the end of the run.
            #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
            pub lasts: Option<crate::time::Span>,
            /// At the start of this step of the target's recipe: nothing is sent.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub before: Option<String>,
            /// In the middle of this step: sent, and the answer not seen.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub in_doubt: Option<String>,
            /// After this step: its answer consumed, the next step not begun.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub after: Option<String>,
            /// When a condition comes true: `payments.depth > 5000`.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub when: Option<crate::faults::Condition>,
            /// With this probability at each opportunity. Default: always.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub chance: Option<crate::units::Ratio>,
            /// At every n-th item.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub nth: Option<u32>,
            /// At most so often; with `at: random`, exactly so often.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub times: Option<u32>,
            /// Again after this long.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub every: Option<crate::time::Span>,
            /// In every instance, not only in the one that runs the step.
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            pub all: bool,
            /// Grows to full strength over this long.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub ramp: Option<crate::time::Span>,
            /// Health probes do not see it.
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            pub hidden: bool,
        }

        impl Default for $name {
            fn default() -> Self {
                $name {
                    target: String::new(),
                    $($field: $default,)*
                    at: None, lasts: None, before: None, in_doubt: None, after: None, when: None,
                    chance: None, nth: None, times: None, every: None, all: false, ramp: None, hidden: false,
                }
            }
        }

        impl crate::faults::Common for $name {
            fn target(&self) -> &str {
                &self.target
            }
            fn placement(&self) -> crate::faults::Placement {
                crate::faults::Placement {
                    at: self.at,
                    lasts: self.lasts,
                    before: self.before.clone(),
                    in_doubt: self.in_doubt.clone(),
                    after: self.after.clone(),
                    when: self.when.clone(),
                    chance: self.chance,
                    nth: self.nth,
                    times: self.times,
                    every: self.every,
                    all: self.all,
                    ramp: self.ramp,
                    hidden: self.hidden,
                }
            }
        }
    };
}

/// Declares a fault that strikes at a hook of the services: its parameters, the kinds of node that have
/// the hook, and the value that a service learns.
macro_rules! hook_fault {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr,)* }
        on $kinds:expr, at $hook:expr $(, |$it:ident| $value:expr)?) => {
        crate::faults::placement::fault!($(#[$doc])* $name { $($(#[$field_doc])* $field: $type = $default,)* });
        impl crate::faults::Strikes for $name {
            fn actions(&self, aim: &crate::faults::Aim<'_>) -> Result<Vec<crate::faults::Action>, crate::plan::PlanError> {
                #[allow(unused_mut, unused_assignments)]
                let mut value = crate::faults::local::Value::None;
                $(let $it = self; value = $value;)?
                aim.hook($kinds, $hook, value)
            }
        }
    };
}

pub(crate) use {fault, hook_fault};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placements_read_and_print_back() {
        assert_eq!("random".parse::<At>().map(|at| at.to_string()), Ok("random".to_owned()));
        assert_eq!("5m".parse::<At>(), Ok(At::Instant(Span::mins(5))));
        let condition = Condition { entity: "raw".to_owned(), above: 5000 };
        assert_eq!(condition.to_string().parse(), Ok(condition));
        assert!("raw.depth < 5".parse::<Condition>().is_err());
        assert!("raw > 5".parse::<Condition>().is_err());
    }

    #[test]
    fn random_instants_lie_in_the_run_and_depend_on_seed_and_label_only() {
        let placement = Placement {
            at: Some(At::Random),
            times: Some(20),
            lasts: Some(Span::secs(30)),
            ..Placement::default()
        };
        let (begins, ends) = (Time::ZERO + Span::mins(1), Time::ZERO + Span::mins(11));
        let of = |seed, label| placement.instants(label, &Random::new(seed), begins, ends);
        assert_eq!(of(1, 7), of(1, 7));
        assert_ne!(of(1, 7), of(2, 7));
        assert_ne!(of(1, 7), of(1, 8));
        assert_eq!(of(1, 7).len(), 20);
        assert!(of(1, 7).iter().all(|at| *at >= begins && *at + Span::secs(30) <= ends));
    }

    #[test]
    fn a_repeated_fault_ends_with_the_run() {
        let placement = Placement {
            at: Some(At::Instant(Span::mins(1))),
            every: Some(Span::mins(4)),
            ..Placement::default()
        };
        let instants = placement.instants(0, &Random::new(1), Time::ZERO, Time::ZERO + Span::mins(10));
        assert_eq!(instants, [1, 5, 9].map(|n| Time::ZERO + Span::mins(n)));
    }
}
