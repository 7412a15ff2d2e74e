//! Values with units, as they stand in a scenario: `250ms`, `50/s`, `2KB`, `99.9%`, `8ms p99 40ms`.
//! A bare number is an error unless it is a count or a ratio. Each type parses, prints back to the
//! same value, and describes itself to the JSON Schema.

mod distribution;
mod names;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use distribution::{Distribution, Sampler, exponential};
pub use names::{OneOrMany, identity_text, once_text};

use crate::time::Span;

/// Why a text is not the value that it should be, in words for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnitError(pub String);

fn wrong(text: &str, what: &str, example: &str) -> UnitError {
    UnitError(format!("`{text}` is not {what}; write for example `{example}`"))
}

/// Reads and prints a type as a string in YAML, with a schema that gives an example.
macro_rules! text_value {
    ($type:ty, $name:literal, $about:literal, $($example:literal),+) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from_text(from)
            }
        }
        text_schema!($type, $name, $about, $($example),+);
    };
}

macro_rules! text_schema {
    ($type:ty, $name:literal, $about:literal, $($example:literal),+) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": ["string", "number"], "description": $about, "examples": [$($example),+] })
            }
        }
    };
}

use {text_schema, text_value};

fn from_text<'de, T: FromStr<Err = UnitError>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    let text = <Cow<'de, str>>::deserialize(from)?;
    text.parse().map_err(|e: UnitError| D::Error::custom(e.0))
}

/// Splits `12.5ms` into the number and the unit behind it.
fn number_and_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text
        .char_indices()
        .find(|&(i, c)| !(c.is_ascii_digit() || c == '.' || (i == 0 && c == '-')))
        .map_or(text.len(), |(i, _)| i);
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim()))
}

/// What is larger than this cannot be counted in 64 bits, or is longer than any run.
fn in_range(text: &str, number: f64, unit: u64) -> Result<u64, UnitError> {
    match scaled(number, unit) {
        u64::MAX => Err(UnitError(format!("`{text}` is too large"))),
        value => Ok(value),
    }
}

/// An exact decimal times a unit, so that `0.1s` is 100,000,000 ns.
fn scaled(number: f64, unit: u64) -> u64 {
    let value = number * unit as f64;
    if value >= u64::MAX as f64 { u64::MAX } else { value.round() as u64 }
}

impl FromStr for Span {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let bad = || wrong(text, "a duration with a unit (ns, us, ms, s, m, h, d)", "250ms");
        let (number, unit) = number_and_unit(text).ok_or_else(bad)?;
        if number < 0.0 {
            return Err(UnitError(format!("`{text}` is negative; a duration cannot be")));
        }
        let size = match unit {
            "ns" => 1,
            "us" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            _ => return Err(bad()),
        };
        in_range(text, number, size).map(Span)
    }
}
text_schema!(Span, "Duration", "A duration with its unit: ns, us, ms, s, m, h, d.", "250ms", "5m");

/// For people a text, on a wire its nanoseconds.
impl Serialize for Span {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() { to.collect_str(self) } else { to.serialize_u64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if from.is_human_readable() { from_text(from) } else { u64::deserialize(from).map(Span) }
    }
}

/// The highest rate: one every microsecond.
const FASTEST: f64 = 1e6;

/// How often something happens: `50/s`, `6000/60s`, `100/5m`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// How many in each period; not negative.
    pub count: f64,
    /// The period; not zero.
    pub per: Span,
}

impl Rate {
    /// So many a second.
    #[must_use]
    pub const fn per_second(count: f64) -> Rate {
        Rate { count, per: Span::secs(1) }
    }
    /// How many in a second.
    #[must_use]
    pub fn a_second(self) -> f64 {
        self.count * 1e9 / self.per.0 as f64
    }
    /// The mean distance between two, or `None` at rate zero.
    #[must_use]
    pub fn interval(self) -> Option<Span> {
        (self.count > 0.0).then(|| Span((self.per.0 as f64 / self.count).max(1.0) as u64))
    }
}

impl FromStr for Rate {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let bad = || wrong(text, "a rate", "50/s");
        let (count, period) = text.split_once('/').ok_or_else(bad)?;
        let count: f64 = count.trim().parse().map_err(|_| bad())?;
        if !count.is_finite() || count < 0.0 {
            return Err(UnitError(format!("`{text}` is negative; a rate is zero or more")));
        }
        let period = period.trim();
        let unit_only = period.starts_with(|c: char| c.is_ascii_alphabetic());
        let per: Span =
            if unit_only { format!("1{period}").parse() } else { period.parse() }.map_err(|_| bad())?;
        if per.is_zero() {
            return Err(bad());
        }
        let rate = Rate { count, per };
        if rate.a_second() > FASTEST {
            return Err(UnitError(format!("`{text}` is too large; there is no rate above {FASTEST}/s")));
        }
        Ok(rate)
    }
}
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = self.per.to_string();
        let per = per.strip_prefix('1').filter(|rest| rest.starts_with(char::is_alphabetic)).unwrap_or(&per);
        write!(f, "{}/{per}", self.count)
    }
}
text_value!(Rate, "Rate", "A count per period.", "50/s", "6000/60s");

/// Provisioned throughput of a database: `4000RU/s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestUnits(pub u32);

impl FromStr for RequestUnits {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let digits = text.trim().strip_suffix("RU/s").map(str::trim);
        digits
            .and_then(|d| d.parse().ok())
            .map(RequestUnits)
            .ok_or_else(|| wrong(text, "a throughput in request units", "4000RU/s"))
    }
}
impl fmt::Display for RequestUnits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}RU/s", self.0)
    }
}
text_value!(RequestUnits, "RequestUnits", "Throughput in request units a second.", "4000RU/s");

/// A size in bytes: `2KB`, `256KB`, `1MB` (powers of 1,024).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

fn byte_unit(unit: &str) -> Option<u64> {
    Some(match unit {
        "B" => 1,
        "KB" => 1 << 10,
        "MB" => 1 << 20,
        "GB" => 1 << 30,
        "TB" => 1 << 40,
        _ => return None,
    })
}

impl FromStr for Bytes {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let bad = || wrong(text, "a size with a unit (B, KB, MB, GB, TB)", "2KB");
        let (number, unit) = number_and_unit(text).ok_or_else(bad)?;
        let size = byte_unit(unit).ok_or_else(bad)?;
        if number < 0.0 {
            return Err(UnitError(format!("`{text}` is negative; a size cannot be")));
        }
        in_range(text, number, size).map(Bytes)
    }
}
impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (size, unit) in [(1u64 << 40, "TB"), (1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")] {
            if self.0 > 0 && self.0.is_multiple_of(size) {
                return write!(f, "{}{unit}", self.0 / size);
            }
        }
        write!(f, "{}B", self.0)
    }
}
text_value!(Bytes, "Bytes", "A size with its unit: B, KB, MB, GB, TB.", "2KB");

/// Bytes a second: `100KB/s`, or bits as network people write them: `1Gbps`, `10Mbps`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth(pub u64);

impl FromStr for Bandwidth {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let bad = || wrong(text, "a bandwidth", "1Gbps` or `100KB/s");
        let (number, unit) = number_and_unit(text).ok_or_else(bad)?;
        let bytes = match unit {
            "kbps" | "Kbps" => 125.0,
            "Mbps" => 125_000.0,
            "Gbps" => 125_000_000.0,
            _ => unit.strip_suffix("/s").and_then(byte_unit).ok_or_else(bad)? as f64,
        };
        if number <= 0.0 {
            return Err(UnitError(format!(
                "`{text}` is not a bandwidth above zero; use a partition to cut a path"
            )));
        }
        let value = number * bytes;
        if value >= u64::MAX as f64 {
            return Err(UnitError(format!("`{text}` is too large")));
        }
        Ok(Bandwidth(value as u64))
    }
}
impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (size, unit) in [(125_000_000u64, "Gbps"), (125_000, "Mbps"), (125, "kbps")] {
            if self.0.is_multiple_of(size) {
                return write!(f, "{}{unit}", self.0 / size);
            }
        }
        write!(f, "{}/s", Bytes(self.0))
    }
}
text_value!(Bandwidth, "Bandwidth", "Bits or bytes a second.", "1Gbps", "100KB/s");

/// A share: `99.9%`, `0.05%`, or a bare number from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Ratio(pub f64);

/// A bound of a metric: a share (`10%`) or a number (`5000`).
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Threshold(pub f64);

impl FromStr for Threshold {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        if text.trim().ends_with('%') {
            return text.parse::<Ratio>().map(|share| Threshold(share.0));
        }
        let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
        number.map(Threshold).ok_or_else(|| wrong(text, "a share or a number", "10%"))
    }
}
impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
text_value!(Threshold, "Threshold", "A share such as 10%, or a number.", "10%", "5000");

impl FromStr for Ratio {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let bad = || wrong(text, "a share", "99.9%");
        let text_trimmed = text.trim();
        let value = match text_trimmed.strip_suffix('%') {
            // The exponent shifts the decimal point before rounding, so that 99.9% is the same number as 0.999.
            Some(percent) => format!("{}e-2", percent.trim()).parse::<f64>().map_err(|_| bad())?,
            None => text_trimmed.parse::<f64>().map_err(|_| bad())?,
        };
        if !(0.0..=1.0).contains(&value) {
            return Err(UnitError(format!("`{text}` is not between 0 and 1 (0% and 100%)")));
        }
        Ok(Ratio(value))
    }
}
impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Multiplying by 100 in binary leaves dust such as 99.90000000000001; nine digits hide it and lose nothing.
        let percent = format!("{:.9}", self.0 * 100.0);
        write!(f, "{}%", percent.trim_end_matches('0').trim_end_matches('.'))
    }
}
text_value!(Ratio, "Ratio", "A share from 0 to 1, or in per cent.", "99.9%", "0.05%");

/// More instances than any host has: Container Apps and Functions (Flex Consumption) have at most 1000.
const MOST_INSTANCES: u32 = 1_000;

/// How many there may be: `3`, or `1..4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// At least so many.
    pub min: u32,
    /// At most so many; not below `min`.
    pub max: u32,
}

impl Count {
    /// Always so many.
    #[must_use]
    pub const fn exactly(n: u32) -> Count {
        Count { min: n, max: n }
    }
}

impl FromStr for Count {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let bad = || wrong(text, "a count or a range of counts", "3` or `1..4");
        let (min, max) = text.split_once("..").unwrap_or((text, text));
        let (min, max) = (min.trim().parse().map_err(|_| bad())?, max.trim().parse().map_err(|_| bad())?);
        if max == 0 || min > max {
            return Err(UnitError(format!(
                "`{text}` leaves no instance; write at least 1, the smaller number first"
            )));
        }
        if max > MOST_INSTANCES {
            return Err(UnitError(format!("`{text}` is too many; there are at most {MOST_INSTANCES}")));
        }
        Ok(Count { min, max })
    }
}
impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min == self.max { write!(f, "{}", self.min) } else { write!(f, "{}..{}", self.min, self.max) }
    }
}
text_value!(Count, "Count", "A count, or a range of counts.", "3", "1..4");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Once;

    fn round<T: FromStr<Err = UnitError> + fmt::Display + PartialEq + fmt::Debug>(text: &str, value: T) {
        assert_eq!(text.parse::<T>().as_ref(), Ok(&value));
        assert_eq!(value.to_string().parse::<T>(), Ok(value));
    }

    #[test]
    fn values_parse_and_print_back() {
        round("250ms", Span::millis(250));
        round("0.5s", Span::millis(500));
        round("6000/60s", Rate { count: 6000.0, per: Span::secs(60) });
        round("50/s", Rate::per_second(50.0));
        round("4000RU/s", RequestUnits(4000));
        round("2KB", Bytes(2048));
        round("1Gbps", Bandwidth(125_000_000));
        round("100KB/s", Bandwidth(102_400));
        round("99.9%", Ratio(0.999));
        round("1..4", Count { min: 1, max: 4 });
        round("3", Count::exactly(3));
        round("item+type", Once::ITEM.and(Once::TYPE));
        round("5m..15m", Distribution::Uniform(Span::mins(5), Span::mins(15)));
        round("8ms p99 40ms", Distribution::Lognormal { median: Span::millis(8), p99: Span::millis(40) });
    }

    #[test]
    fn a_value_without_its_unit_or_out_of_range_is_refused_with_an_example() {
        for (error, part) in [
            ("8".parse::<Span>().map(|_| ()), "250ms"),
            ("-1s".parse::<Span>().map(|_| ()), "negative"),
            ("-5/s".parse::<Rate>().map(|_| ()), "negative"),
            ("50".parse::<Rate>().map(|_| ()), "50/s"),
            ("120%".parse::<Ratio>().map(|_| ()), "between 0 and 1"),
            ("4..1".parse::<Count>().map(|_| ()), "smaller number first"),
            ("15m..5m".parse::<Distribution>().map(|_| ()), "backwards"),
            ("banana".parse::<Distribution>().map(|_| ()), "8ms p99 40ms"),
            ("thing".parse::<Once>().map(|_| ()), "item+type"),
        ] {
            let error = error.expect_err("refused").0;
            assert!(error.contains(part), "{error}");
        }
    }
}
