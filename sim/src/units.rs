//! Values with units, as they stand in a scenario: `250ms`, `50/s`, `2KB`, `99.9%`, `8ms p99 40ms`.
//! A bare number is an error unless it is a count or a ratio. Each type parses, prints back to the
//! same value, and describes itself to the JSON Schema.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::Once;
use crate::random::to_unit;
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

/// A duration that varies: `8ms` (constant), `5m..15m` (uniform), `8ms p99 40ms` (lognormal by its
/// median and its 99th percentile).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// Always the same.
    Constant(Span),
    /// Uniform between the two.
    Uniform(Span, Span),
    /// Lognormal: median and 99th percentile.
    Lognormal {
        /// Half of the draws are below it.
        median: Span,
        /// One draw in a hundred is above it.
        p99: Span,
    },
}

impl Distribution {
    /// The mean.
    #[must_use]
    pub fn mean(self) -> Span {
        match self {
            Distribution::Constant(span) => span,
            Distribution::Uniform(low, high) => Span(low.0.midpoint(high.0)),
            Distribution::Lognormal { median, p99 } => {
                let sigma = lognormal_sigma(median, p99);
                Span((median.0 as f64 * libm::exp(sigma * sigma / 2.0)) as u64)
            }
        }
    }

    /// Compiles it for fast drawing.
    #[must_use]
    pub fn sampler(self) -> Sampler {
        match self {
            Distribution::Constant(span) => Sampler::Constant(span),
            Distribution::Uniform(low, high) => Sampler::Uniform(low, high),
            Distribution::Lognormal { median, p99 } => Sampler::lognormal(median, p99),
        }
    }
}

const Z99: f64 = 2.326_347_874_040_841;

fn lognormal_sigma(median: Span, p99: Span) -> f64 {
    libm::log(p99.0 as f64 / median.0.max(1) as f64) / Z99
}

impl FromStr for Distribution {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        if let Some((low, high)) = text.split_once("..") {
            let (low, high): (Span, Span) = (low.parse()?, high.parse()?);
            if low > high {
                return Err(UnitError(format!("`{text}` runs backwards; write the shorter duration first")));
            }
            return Ok(Distribution::Uniform(low, high));
        }
        if let Some((median, p99)) = text.split_once(" p99 ") {
            let (median, p99): (Span, Span) = (median.parse()?, p99.parse()?);
            if p99 < median || median.is_zero() {
                return Err(UnitError(format!(
                    "`{text}`: the 99th percentile must not be below the median, nor the median zero"
                )));
            }
            return Ok(Distribution::Lognormal { median, p99 });
        }
        let constant = text.parse::<Span>();
        constant.map(Distribution::Constant).map_err(|_| {
            wrong(
                text,
                "a duration, a range or a median with its 99th percentile",
                "8ms`, `5m..15m` or `8ms p99 40ms",
            )
        })
    }
}
impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Distribution::Constant(span) => span.fmt(f),
            Distribution::Uniform(low, high) => write!(f, "{low}..{high}"),
            Distribution::Lognormal { median, p99 } => write!(f, "{median} p99 {p99}"),
        }
    }
}
text_value!(
    Distribution,
    "Distribution",
    "A duration, constant, uniform or lognormal.",
    "8ms",
    "5m..15m",
    "8ms p99 40ms"
);

/// A [`Distribution`] made ready for drawing: a table of quantiles, because a logarithm a draw is too dear.
#[derive(Clone, Debug, PartialEq)]
pub enum Sampler {
    /// Always the same.
    Constant(Span),
    /// Uniform between the two.
    Uniform(Span, Span),
    /// Quantiles at equal steps, interpolated.
    Table(Box<[u64]>),
}

const STEPS: usize = 1024;

impl Sampler {
    fn lognormal(median: Span, p99: Span) -> Sampler {
        let sigma = lognormal_sigma(median, p99);
        // The last step would be infinite; the table ends at the quantile in the middle of it.
        let quantile = |i: usize| {
            let p = (i as f64).clamp(0.25, STEPS as f64 - 0.25) / STEPS as f64;
            (median.0 as f64 * libm::exp(sigma * normal_quantile(p))) as u64
        };
        Sampler::Table((0..=STEPS).map(quantile).collect())
    }

    /// The value at this uniform 64-bit draw.
    #[must_use]
    pub fn at(&self, draw: u64) -> Span {
        match self {
            Sampler::Constant(span) => *span,
            Sampler::Uniform(low, high) => {
                let width = u128::from(high.0 - low.0) + 1;
                Span(low.0 + ((u128::from(draw) * width) >> 64) as u64)
            }
            Sampler::Table(quantiles) => {
                let step = (draw >> (64 - 10)) as usize;
                let (low, high) = (quantiles[step], quantiles[step + 1]);
                let within = (draw << 10) >> 32;
                Span(low + ((u128::from(high - low) * u128::from(within)) >> 32) as u64)
            }
        }
    }
}

/// The inverse of the normal distribution (Acklam's rational approximation, relative error below 1.2e-9).
fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const B: [f64; 5] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
    ];
    const C: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 4] =
        [7.784_695_709_041_462e-3, 3.224_671_290_700_398e-1, 2.445_134_137_142_996, 3.754_408_661_907_416];
    const LOW: f64 = 0.02425;
    let tail = |q: f64| {
        (((((C[0] * q + C[1]) * q + C[2]) * q + C[3]) * q + C[4]) * q + C[5])
            / ((((D[0] * q + D[1]) * q + D[2]) * q + D[3]) * q + 1.0)
    };
    if p < LOW {
        tail(libm::sqrt(-2.0 * libm::log(p)))
    } else if p > 1.0 - LOW {
        -tail(libm::sqrt(-2.0 * libm::log(1.0 - p)))
    } else {
        let q = p - 0.5;
        let r = q * q;
        (((((A[0] * r + A[1]) * r + A[2]) * r + A[3]) * r + A[4]) * r + A[5]) * q
            / (((((B[0] * r + B[1]) * r + B[2]) * r + B[3]) * r + B[4]) * r + 1.0)
    }
}

/// An exponential draw with mean 1, from a uniform 64-bit draw.
#[must_use]
pub fn exponential(draw: u64) -> f64 {
    -libm::log(1.0 - to_unit(draw))
}

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

impl FromStr for Once {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        text.split('+').try_fold(Once::NONE, |sum, part| {
            let part = match part.trim() {
                "item" => Once::ITEM,
                "key" => Once::KEY,
                "message" => Once::MESSAGE,
                "run" => Once::RUN,
                "type" => Once::TYPE,
                _ => {
                    return Err(wrong(
                        text,
                        "an identity (item, key, message, run, type, joined by +)",
                        "item+type",
                    ));
                }
            };
            Ok(sum.and(part))
        })
    }
}
impl fmt::Display for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const PARTS: [(Once, &str); 5] = [
            (Once::ITEM, "item"),
            (Once::KEY, "key"),
            (Once::MESSAGE, "message"),
            (Once::RUN, "run"),
            (Once::TYPE, "type"),
        ];
        let names: Vec<&str> =
            PARTS.iter().filter(|(part, _)| self.has(*part)).map(|(_, name)| *name).collect();
        f.write_str(&names.join("+"))
    }
}

impl JsonSchema for Once {
    fn schema_name() -> Cow<'static, str> {
        "Once".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "By what the receiver may recognise a repetition: item, key, message, run, type, joined by +.",
            "examples": ["item", "item+type"],
        })
    }
}

/// How `once:` and `session:` are written in a scenario (`item+type`); in messages it is a byte.
pub mod once_text {
    use serde::de::Error as _;

    use super::{Cow, Deserialize, Deserializer, Once, Serializer, UnitError};

    /// Reads `item+type`.
    ///
    /// # Errors
    /// Where a part is none of item, key, message, run, type.
    pub fn deserialize<'de, T: Deserializer<'de>>(from: T) -> Result<Option<Once>, T::Error> {
        let text = <Option<Cow<'de, str>>>::deserialize(from)?;
        text.map(|text| text.parse()).transpose().map_err(|e: UnitError| T::Error::custom(e.0))
    }

    /// Prints `item+type`.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: Serializer>(once: &Option<Once>, to: S) -> Result<S::Ok, S::Error> {
        match once {
            Some(once) => to.collect_str(once),
            None => to.serialize_none(),
        }
    }
}

/// The same where there is always one: `partition-by: key`.
pub mod identity_text {
    use serde::de::Error as _;

    use super::{Cow, Deserialize, Deserializer, Once, Serializer, UnitError};

    /// Reads `item+type`.
    ///
    /// # Errors
    /// Where a part is none of item, key, message, run, type.
    pub fn deserialize<'de, T: Deserializer<'de>>(from: T) -> Result<Once, T::Error> {
        let text = <Cow<'de, str>>::deserialize(from)?;
        text.parse().map_err(|e: UnitError| T::Error::custom(e.0))
    }

    /// Prints `item+type`.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: Serializer>(once: &Once, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(once)
    }
}

/// One name or a list of names (`each of`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One name.
    One(String),
    /// Each of these.
    Many(Vec<String>),
}

impl Default for OneOrMany {
    fn default() -> Self {
        OneOrMany::Many(Vec::new())
    }
}

impl OneOrMany {
    /// Whether nothing is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names().is_empty()
    }
    /// All names.
    #[must_use]
    pub fn names(&self) -> &[String] {
        match self {
            OneOrMany::One(name) => std::slice::from_ref(name),
            OneOrMany::Many(names) => names,
        }
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<T: Deserializer<'de>>(from: T) -> Result<Self, T::Error> {
        struct Names;
        impl<'de> serde::de::Visitor<'de> for Names {
            type Value = OneOrMany;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or a list of names")
            }
            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany::One(name.to_owned()))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<OneOrMany, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = seq.next_element()? {
                    names.push(name);
                }
                Ok(OneOrMany::Many(names))
            }
        }
        from.deserialize_any(Names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_lognormal_sampler_has_the_stated_median_and_tail() {
        let sampler = Distribution::Lognormal { median: Span::millis(8), p99: Span::millis(40) }.sampler();
        let random = crate::random::Random::new(1);
        let mut draws: Vec<u64> = (0..100_000u64)
            .map(|i| sampler.at(random.draw(crate::random::Purpose::Work, 0, [i, 0])).0)
            .collect();
        draws.sort_unstable();
        let close = |value: u64, wanted: Span| (value as f64 / wanted.0 as f64 - 1.0).abs() < 0.03;
        assert!(close(draws[50_000], Span::millis(8)), "{}", draws[50_000]);
        assert!(close(draws[99_000], Span::millis(40)), "{}", draws[99_000]);
    }
}
