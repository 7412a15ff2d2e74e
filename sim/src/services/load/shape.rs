//! How arrivals are spread over time: `constant`, `poisson`, `diurnal 20%`, `step 200/s from 5m`, `trace FILE`.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::client::policy::text_value;
use crate::time::{Span, Time};
use crate::units::{Rate, Ratio, UnitError};

/// How arrivals are spread.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Shape {
    /// At equal distances. The first comes after a part of the distance that is drawn from the seed.
    Constant,
    /// At random and independent of each other.
    #[default]
    Poisson,
    /// As `poisson`; the rate swings by this share around the mean, as a sine that begins at the mean
    /// with the end of the warm-up.
    Diurnal {
        /// By which share of the mean.
        swing: Ratio,
        /// How long a day is. Default: 24h.
        day: Span,
    },
    /// As `poisson`, with another rate from each of these instants (counted from the end of the warm-up).
    Step(Vec<(Span, Rate)>),
    /// As a file says, with the columns `at` (a duration with its unit, counted from the end of the
    /// warm-up, ascending) and, if wanted, `key` (a number below the flow's `keys`).
    Trace(PathBuf),
}

const DAY: Span = Span::days(1);

/// Into how many pieces of constant rate a day is cut (one minute of 24 hours).
const PIECES: u64 = 1440;

impl FromStr for Shape {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let bad = || {
            UnitError(format!(
                "`{text}` is not a shape; write `constant`, `poisson`, `diurnal 20%`, `step 200/s from 5m` or `trace FILE`"
            ))
        };
        let text = text.trim();
        match text.split_once(' ') {
            None if text == "constant" => Ok(Shape::Constant),
            None if text == "poisson" => Ok(Shape::Poisson),
            Some(("diurnal", rest)) => {
                let (swing, day) = match rest.split_once(" over ") {
                    Some((swing, day)) => (swing, day.parse()?),
                    None => (rest, DAY),
                };
                if day.is_zero() {
                    return Err(UnitError(format!("`{text}`: a day of no length")));
                }
                Ok(Shape::Diurnal { swing: swing.parse()?, day })
            }
            Some(("step", rest)) => {
                let step = |part: &str| -> Result<(Span, Rate), UnitError> {
                    let (rate, from) = part.split_once(" from ").ok_or_else(bad)?;
                    Ok((from.trim().parse()?, rate.trim().parse()?))
                };
                let steps = rest.split(',').map(step).collect::<Result<Vec<_>, _>>()?;
                if steps.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
                    return Err(UnitError(format!("`{text}`: the steps are not in order of time")));
                }
                Ok(Shape::Step(steps))
            }
            Some(("trace", file)) if !file.trim().is_empty() => Ok(Shape::Trace(file.trim().into())),
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Constant => f.write_str("constant"),
            Shape::Poisson => f.write_str("poisson"),
            Shape::Diurnal { swing, day } if *day == DAY => write!(f, "diurnal {swing}"),
            Shape::Diurnal { swing, day } => write!(f, "diurnal {swing} over {day}"),
            Shape::Step(steps) => {
                let steps: Vec<String> =
                    steps.iter().map(|(from, rate)| format!("{rate} from {from}")).collect();
                write!(f, "step {}", steps.join(", "))
            }
            Shape::Trace(file) => write!(f, "trace {}", file.display()),
        }
    }
}

text_value!(
    Shape,
    "Shape",
    "How arrivals are spread over time.",
    "constant",
    "poisson",
    "diurnal 20%",
    "step 200/s from 5m, 50/s from 10m",
    "trace orders.csv"
);

/// The rate over time, in pieces of constant rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Whether arrivals are at random within the rate.
    pub random: bool,
    rate: f64,
    course: Course,
}

#[derive(Clone, Debug, PartialEq)]
enum Course {
    Flat,
    /// From each instant on, so many a nanosecond.
    Steps(Vec<(Time, f64)>),
    Sine {
        begins: Time,
        swing: f64,
        day: Span,
    },
    /// Nothing but in these bursts; there so many times the rate of the profile below, or the own rate
    /// where there is none, growing to it over `ramp`.
    Bursts {
        below: Option<(f64, Arc<Profile>)>,
        windows: Vec<(Time, Time)>,
        ramp: Span,
    },
}

/// Into how many pieces of constant rate a ramp is cut.
const RAMP: u64 = 100;

impl Shape {
    /// The rate over time for this mean; instants count from `begins`. A trace has none.
    #[must_use]
    pub fn profile(&self, rate: Rate, begins: Time) -> Profile {
        let per_nano = |rate: Rate| rate.count / rate.per.0 as f64;
        let course = match self {
            Shape::Diurnal { swing, day } => Course::Sine { begins, swing: swing.0, day: *day },
            Shape::Step(steps) => {
                Course::Steps(steps.iter().map(|(from, rate)| (begins + *from, per_nano(*rate))).collect())
            }
            _ => Course::Flat,
        };
        Profile { random: *self != Shape::Constant, rate: per_nano(rate), course }
    }
}

/// How much a load fault adds.
#[derive(Clone, Debug, PartialEq)]
pub enum Strength {
    /// So many times the rate of the load that it strikes.
    Times(f64, Arc<Profile>),
    /// This rate.
    Rate(Rate),
}

impl Profile {
    /// Bursts of more load, each growing from nothing over `ramp`.
    #[must_use]
    pub fn bursts(strength: Strength, windows: Vec<(Time, Time)>, ramp: Span) -> Profile {
        let (rate, below) = match strength {
            Strength::Times(factor, below) => (0.0, Some((factor, below))),
            Strength::Rate(rate) => (rate.count / rate.per.0 as f64, None),
        };
        Profile { random: true, rate, course: Course::Bursts { below, windows, ramp } }
    }

    /// So many items, evenly spread over this span.
    #[must_use]
    pub fn even(items: usize, over: Span) -> Profile {
        Profile { random: true, rate: items as f64 / over.0.max(1) as f64, course: Course::Flat }
    }

    /// The instant by which so many items (a fraction is fine) are due after `from`, or `None` if that is
    /// not before `end`.
    #[must_use]
    pub fn after(&self, from: Time, mut items: f64, end: Time) -> Option<Time> {
        let mut at = from;
        while at < end {
            let (rate, until) = self.piece(at);
            let until = until.min(end);
            let most = rate * until.since(at).0 as f64;
            if items < most {
                return Some(at + Span((items / rate) as u64)).filter(|due| *due < end);
            }
            items -= most;
            at = until;
        }
        None
    }

    /// The rate (items a nanosecond) at this instant, and until when it holds.
    fn piece(&self, at: Time) -> (f64, Time) {
        match &self.course {
            Course::Flat => (self.rate, Time::NEVER),
            Course::Steps(steps) => {
                let next = steps.iter().position(|(from, _)| *from > at).unwrap_or(steps.len());
                let rate = next.checked_sub(1).map_or(self.rate, |now| steps[now].1);
                (rate, steps.get(next).map_or(Time::NEVER, |(from, _)| *from))
            }
            Course::Sine { begins, swing, day } => {
                // The warm-up is the evening before: whole days are added so that nothing is negative.
                let length = (day.0 / PIECES).max(1);
                let since = Time(at.0 + day.0.saturating_mul(begins.0 / day.0 + 1)).since(*begins).0;
                let number = since / length;
                let middle = (number as f64 + 0.5) * length as f64 / day.0 as f64;
                let rate = self.rate * (1.0 + swing * libm::sin(std::f64::consts::TAU * middle));
                (rate, at + Span((number + 1) * length - since))
            }
            Course::Bursts { below, windows, ramp } => {
                let Some((from, until)) = windows.iter().find(|(_, until)| *until > at) else {
                    return (0.0, Time::NEVER);
                };
                if at < *from {
                    return (0.0, *from);
                }
                let (full, changes) = match below {
                    Some((factor, below)) => {
                        let (rate, changes) = below.piece(at);
                        (factor * rate, changes)
                    }
                    None => (self.rate, Time::NEVER),
                };
                let until = changes.min(*until);
                let since = at.since(*from);
                if since >= *ramp {
                    return (full, until);
                }
                let length = (ramp.0 / RAMP).max(1);
                let piece = since.0 / length;
                let strength = ((piece as f64 + 0.5) / RAMP as f64).min(1.0);
                (full * strength, until.min(*from + Span((piece + 1) * length)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_parse_and_print_back() {
        for text in [
            "constant",
            "poisson",
            "diurnal 20%",
            "diurnal 20% over 1h",
            "step 200/s from 5m, 0/s from 10m",
            "trace a/b c.csv",
        ] {
            assert_eq!(text.parse::<Shape>().map(|shape| shape.to_string()), Ok(text.to_owned()));
        }
        for text in ["sawtooth", "step 5/s from 5m, 1/s from 5m", "trace", "diurnal"] {
            assert!(text.parse::<Shape>().is_err(), "{text}");
        }
    }

    fn count(profile: &Profile, from: Time, to: Time) -> usize {
        let next = |at: &Time| profile.after(*at, 1.0, to);
        std::iter::successors(profile.after(from, 0.5, to), next).count()
    }

    #[test]
    fn a_step_changes_the_rate_at_its_instant_even_in_the_middle_of_a_gap() {
        let begins = Time::ZERO + Span::mins(1);
        let shape = Shape::Step(vec![
            (Span::secs(10), Rate::per_second(100.0)),
            (Span::secs(20), Rate::per_second(0.0)),
        ]);
        let profile = shape.profile(Rate::per_second(0.0), begins);
        let first = profile.after(Time::ZERO, 0.5, Time::NEVER);
        assert_eq!(first, Some(begins + Span::secs(10) + Span::millis(5)));
        assert_eq!(count(&profile, Time::ZERO, begins + Span::hours(1)), 1000);
    }

    #[test]
    fn a_day_has_the_mean_rate_and_its_first_half_has_more() {
        let shape = Shape::Diurnal { swing: Ratio(0.5), day: Span::hours(1) };
        let profile = shape.profile(Rate::per_second(10.0), Time::ZERO + Span::mins(1));
        let (start, half) = (Time::ZERO + Span::mins(1), Span::mins(30));
        let (first, second) =
            (count(&profile, start, start + half), count(&profile, start + half, start + half + half));
        assert!((first + second).abs_diff(36_000) < 5, "{first} {second}");
        // The mean of the upper half of the sine is 2/pi.
        assert!(first.abs_diff(18_000 + 5_730) < 20, "{first}");
    }

    #[test]
    fn bursts_multiply_what_is_below_them_and_ramps_have_half_of_it() {
        let at = |secs| Time::ZERO + Span::secs(secs);
        let steps = Shape::Step(vec![(Span::secs(105), Rate::per_second(20.0))]);
        let below = Arc::new(steps.profile(Rate::per_second(10.0), Time::ZERO));
        let windows = vec![(at(100), at(110)), (at(200), at(210))];
        let times = Profile::bursts(Strength::Times(3.0, below), windows.clone(), Span::ZERO);
        assert_eq!(count(&times, at(0), at(150)), 3 * (50 + 100));
        assert_eq!(count(&times, at(0), at(1000)), 3 * (50 + 100 + 200));
        let ramp = Profile::bursts(Strength::Rate(Rate::per_second(100.0)), windows, Span::secs(10));
        assert!(count(&ramp, at(0), at(150)).abs_diff(500) < 3);
        assert!(count(&ramp, at(100), at(105)).abs_diff(125) < 3);
    }

    #[test]
    fn no_rate_gives_no_item() {
        let profile = Shape::Poisson.profile(Rate::per_second(0.0), Time::ZERO);
        assert_eq!(profile.after(Time::ZERO, 0.1, Time::ZERO + Span::days(1)), None);
    }
}
