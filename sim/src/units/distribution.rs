//! Durations that vary: how they are written, and how they are drawn.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{UnitError, from_text, text_schema, text_value, wrong};
use crate::random::to_unit;
use crate::time::Span;

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

#[cfg(test)]
mod tests {
    use super::*;

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
