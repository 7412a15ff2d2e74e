//! Time in the simulated world: instants and spans in whole nanoseconds. No float decides an order.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};

/// An instant of simulated time, in nanoseconds since the world began (the warm-up included).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time(pub u64);

/// A length of simulated time, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub u64);

impl Time {
    /// The instant at which every world begins.
    pub const ZERO: Time = Time(0);
    /// Later than every instant that a run reaches.
    pub const NEVER: Time = Time(u64::MAX);

    /// The span from `earlier` to this instant; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Time) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// Seconds since the world began, for people only.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);
    /// Longer than every run.
    pub const FOREVER: Span = Span(u64::MAX);

    /// A span of whole nanoseconds.
    #[must_use]
    pub const fn nanos(n: u64) -> Span {
        Span(n)
    }
    /// A span of whole microseconds.
    #[must_use]
    pub const fn micros(n: u64) -> Span {
        Span(n.saturating_mul(1_000))
    }
    /// A span of whole milliseconds.
    #[must_use]
    pub const fn millis(n: u64) -> Span {
        Span(n.saturating_mul(1_000_000))
    }
    /// A span of whole seconds.
    #[must_use]
    pub const fn secs(n: u64) -> Span {
        Span(n.saturating_mul(1_000_000_000))
    }
    /// A span of whole minutes.
    #[must_use]
    pub const fn mins(n: u64) -> Span {
        Span::secs(n.saturating_mul(60))
    }
    /// A span of whole hours.
    #[must_use]
    pub const fn hours(n: u64) -> Span {
        Span::mins(n.saturating_mul(60))
    }
    /// A span of whole days.
    #[must_use]
    pub const fn days(n: u64) -> Span {
        Span::hours(n.saturating_mul(24))
    }
    /// Whether this span is empty.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
    /// Seconds, for people only.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }
    /// This span `n` times; saturates.
    #[must_use]
    pub const fn times(self, n: u64) -> Span {
        Span(self.0.saturating_mul(n))
    }
    /// This span scaled by `numerator / denominator` in integers; saturates.
    #[must_use]
    pub fn scaled(self, numerator: u64, denominator: u64) -> Span {
        let wide = u128::from(self.0) * u128::from(numerator) / u128::from(denominator.max(1));
        Span(u64::try_from(wide).unwrap_or(u64::MAX))
    }
}

impl Add<Span> for Time {
    type Output = Time;
    fn add(self, span: Span) -> Time {
        Time(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Time {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Sub<Span> for Time {
    type Output = Time;
    fn sub(self, span: Span) -> Time {
        Time(self.0.saturating_sub(span.0))
    }
}

impl Add for Span {
    type Output = Span;
    fn add(self, other: Span) -> Span {
        Span(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Span(self.0).fmt(f)
    }
}

/// Prints the shortest exact form with one unit where there is one (`250ms`, `90s`, `5m`), else
/// seconds with a fraction; always exact.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 7] = [
            (86_400_000_000_000, "d"),
            (3_600_000_000_000, "h"),
            (60_000_000_000, "m"),
            (1_000_000_000, "s"),
            (1_000_000, "ms"),
            (1_000, "us"),
            (1, "ns"),
        ];
        if self.0 == 0 {
            return f.write_str("0s");
        }
        for (size, unit) in UNITS {
            if self.0.is_multiple_of(size) && self.0 / size < 10_000 {
                return write!(f, "{}{unit}", self.0 / size);
            }
        }
        let fraction = format!("{:09}", self.0 % 1_000_000_000);
        write!(f, "{}.{}s", self.0 / 1_000_000_000, fraction.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_prints_in_its_largest_whole_unit() {
        for (span, text) in [
            (Span::ZERO, "0s"),
            (Span::millis(250), "250ms"),
            (Span::secs(90), "90s"),
            (Span::secs(120), "2m"),
            (Span::hours(24), "1d"),
            (Span::nanos(1_234_567_891), "1.234567891s"),
        ] {
            assert_eq!(span.to_string(), text);
        }
    }

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        assert_eq!(Time::NEVER + Span::secs(1), Time::NEVER);
        assert_eq!(Time(5).since(Time(9)), Span::ZERO);
        assert_eq!(Span::FOREVER.scaled(3, 2), Span::FOREVER);
    }
}
