//! The published round trips between regions: a table that is shipped, and how a distribution is fitted to it.

use crate::time::Span;
use crate::units::Distribution;

const TABLE: &str = include_str!("round_trips.csv");

/// Where the published median is missing, or above the newer 95th percentile because the route has changed since,
/// it is the 95th percentile divided by this: the middle of those pairs that have both (1.00 to 1.16).
const USUAL: f64 = 1.04;
const Z95: f64 = 1.644_853_626_951_472;
const Z99: f64 = 2.326_347_874_040_841;

/// The published round trip between two regions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Published {
    /// The median.
    pub median: Span,
    /// The 95th percentile.
    pub p95: Span,
}

impl Published {
    /// The round trip as a distribution: log-normal through both (facts data 13, "suggested fit").
    #[must_use]
    pub fn distribution(self) -> Distribution {
        let sigma = libm::log(self.p95.0 as f64 / self.median.0.max(1) as f64) / Z95;
        let p99 = Span((self.median.0 as f64 * libm::exp(sigma * Z99)) as u64);
        Distribution::Lognormal { median: self.median, p99 }
    }
}

/// The published round trip between two regions, in either order; none for a pair that is not in the table.
#[must_use]
pub fn published(a: &str, b: &str) -> Option<Published> {
    let (a, b) = (code(a), code(b));
    rows().find(|row| (row.0, row.1) == (&a, &b) || (row.0, row.1) == (&b, &a)).map(|row| fit(row.2, row.3))
}

/// The name of a region as Azure's tools write it: `west-europe` is `westeurope`.
fn code(name: &str) -> String {
    name.replace('-', "")
}

/// Regions, 95th percentile and median of every pair.
fn rows() -> impl Iterator<Item = (&'static str, &'static str, f64, Option<f64>)> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#')).skip(1);
    lines.filter_map(|line| {
        let mut cells = line.split(',');
        let (a, b, p95) = (cells.next()?, cells.next()?, cells.next()?.parse().ok()?);
        Some((a, b, p95, cells.next().and_then(|cell| cell.parse().ok())))
    })
}

fn fit(p95: f64, median: Option<f64>) -> Published {
    let span = |millis: f64| Span((millis * 1e6) as u64);
    let median = median.filter(|median| *median <= p95).unwrap_or(p95 / USUAL);
    Published { median: span(median), p95: span(p95) }
}

/// Whether a region's pair does not have it as its own pair (facts data 6).
#[must_use]
pub fn pairs_one_way(region: &str, pair: &str) -> bool {
    let (region, pair) = (code(region), code(pair));
    [("westus3", "eastus"), ("brazilsouth", "southcentralus"), ("westindia", "southindia")]
        .contains(&(region.as_str(), pair.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read_and_no_pair_twice() {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#')).count() - 1;
        let mut pairs: Vec<_> = rows().map(|(a, b, ..)| (a.min(b), a.max(b))).collect();
        assert_eq!(pairs.len(), lines);
        pairs.sort_unstable();
        pairs.dedup();
        assert_eq!(pairs.len(), lines);
    }

    #[test]
    fn a_pair_is_found_in_both_orders_and_spellings() {
        let there = published("eastus", "westeurope");
        assert_eq!(there, published("west-europe", "east-us"));
        assert_eq!(there, Some(Published { median: Span::millis(90), p95: Span::millis(90) }));
        assert_eq!(published("eastus", "elsewhere"), None);
        assert_eq!(published("eastus", "eastus"), None);
    }

    #[test]
    fn a_median_above_the_newer_percentile_is_not_believed() {
        let row = published("eastus", "northeurope").expect("a row");
        assert_eq!(row.p95, Span::millis(75));
        assert!(row.median < row.p95 && row.median > Span::millis(70), "{row:?}");
    }

    #[test]
    fn the_fit_goes_through_both_numbers() {
        for (a, b, ..) in rows() {
            let row = published(a, b).expect("a row");
            let sampler = row.distribution().sampler();
            let at = |q: f64| sampler.at((q * u64::MAX as f64) as u64).0 as f64;
            let near = |found: f64, wanted: Span| (found / wanted.0 as f64 - 1.0).abs() < 0.01;
            assert!(near(at(0.5), row.median) && near(at(0.95), row.p95), "{a} {b}: {row:?}");
        }
    }
}
