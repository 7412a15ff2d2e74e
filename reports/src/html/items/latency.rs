//! Latency at each door: where the answers lay over time, and how the slow ones changed with the faults.

use maud::html;

use super::Panel;
use super::tracks::{self, Track};
use crate::html::Error;
use crate::html::build::Build;
use crate::html::doc::{Doc, NO_SERIES, middle, offered_until};
use crate::html::plot::{Axis, Cell, Ink, Layer, Plot, Unit};
use crate::html::table::{self, Table};
use crate::series::{DoorSeries, LATENCY_BUCKETS, Series, latency_bound as bound};
use crate::words::{duration, grouped};

/// So many columns a heat map has at most.
const COLUMNS: usize = 96;
/// So many buckets of the document are one cell.
const BUCKETS: u16 = 2;
/// The quantiles that are told.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0)];

/// Counts by bucket.
pub(super) type Histogram = Vec<(u16, u64)>;

pub(super) fn panel(build: &mut Build, doc: &Doc<'_>) -> Result<Panel, Error> {
    let Some(series) = doc.series else { return Ok(Panel::Absent(NO_SERIES.to_owned())) };
    let known = |door: &&DoorSeries| door.latency.iter().any(|bin| !bin.is_empty());
    let doors: Vec<&DoorSeries> = series.doors.iter().filter(known).collect();
    if doors.is_empty() {
        return Ok(Panel::Absent("no item had success".to_owned()));
    }
    let mut parts = Vec::new();
    for door in doors {
        let quantiles = quantiles(series, door);
        let sheet = tracks::sheet(series, &format!("latency-{}", door.door), &quantiles);
        parts.push(build.figure(&heat(doc, series, door), &sheet)?);
        let phases = phases(doc, series, door);
        parts.push(build.figure(&tail(doc, door, &phases), &tail_numbers(door, &phases))?);
        parts.push(build.table(&table(door, &phases))?);
    }
    Ok(Panel::Shown(html! {
        @for part in parts { (part) }
        p.note { "Latencies are kept in buckets, each 15 % wider than the one before; a quantile is the end of its bucket." }
    }))
}

/// What the bins from here to there hold together.
fn histogram(door: &DoorSeries, bins: impl Iterator<Item = usize>) -> Histogram {
    let mut counts: std::collections::BTreeMap<u16, u64> = std::collections::BTreeMap::new();
    for (bucket, count) in bins.filter_map(|bin| door.latency.get(bin)).flatten() {
        *counts.entry((*bucket).min(LATENCY_BUCKETS - 1)).or_default() += u64::from(*count);
    }
    counts.into_iter().collect()
}

/// The end of the bucket that holds the quantile.
pub(super) fn quantile(histogram: &[(u16, u64)], share: f64) -> Option<f64> {
    let all: u64 = histogram.iter().map(|(_, count)| count).sum();
    let rank = ((all as f64 * share).ceil() as u64).max(1);
    let mut below = 0;
    let found = histogram.iter().find(|(_, count)| {
        below += count;
        below >= rank
    });
    found.map(|(bucket, _)| bound(bucket + 1))
}

fn quantiles(series: &Series, door: &DoorSeries) -> Vec<Track> {
    let bins: Vec<Histogram> = (0..series.bins as usize).map(|bin| histogram(door, bin..bin + 1)).collect();
    let track = |(name, share): (&str, f64)| Track {
        name: name.to_owned(),
        values: bins.iter().map(|bin| quantile(bin, share)).collect(),
    };
    QUANTILES.into_iter().map(track).collect()
}

fn heat(doc: &Doc<'_>, series: &Series, door: &DoorSeries) -> Plot {
    let until = offered_until(series);
    let bins = (0..series.bins as usize).filter(|bin| series.at(*bin) < until).count();
    let wide = bins.div_ceil(COLUMNS).max(1);
    let mut cells = Vec::new();
    let mut lines: Vec<Vec<(f64, Option<f64>)>> = vec![Vec::new(); QUANTILES.len()];
    for first in (0..bins).step_by(wide) {
        let last = (first + wide).min(bins);
        let column = histogram(door, first..last);
        for ((_, share), line) in QUANTILES.into_iter().zip(&mut lines) {
            line.push(((series.at(first) + series.at(last)) / 2.0, quantile(&column, share)));
        }
        let mut merged: Histogram = Vec::new();
        for (bucket, count) in column {
            let low = bucket / BUCKETS * BUCKETS;
            match merged.last_mut() {
                Some(last) if last.0 == low => last.1 += count,
                _ => merged.push((low, count)),
            }
        }
        cells.extend(merged.into_iter().map(|(low, count)| Cell {
            x: (series.at(first), series.at(last)),
            y: (bound(low), bound(low + BUCKETS)),
            count,
        }));
    }
    let ends = cells.iter().flat_map(|cell| [cell.y.0, cell.y.1]).collect::<Vec<f64>>();
    let slowest = ends.iter().copied().fold(0.0, f64::max);
    let mut layers = vec![Layer::Cells { label: "items a cell".into(), cells }];
    for (((name, _), points), ink) in QUANTILES.into_iter().zip(lines).zip([1, 3, 4, 5]) {
        layers.push(Layer::Line { label: name.to_owned(), ink: Ink::Series(ink), points });
    }
    Plot {
        name: format!("latency-{}", door.door),
        title: format!("Latency of success at {}{}", door.door, doc.of_seed()),
        desc: format!("The slowest success took up to {}.", duration(slowest)),
        x: Axis::time(series.start, until),
        y: Axis::log("from offered to success, retries included", Unit::Duration, ends.into_iter()),
        shades: doc.shades.clone(),
        layers,
        ..Plot::default()
    }
}

/// The latencies of a part of the run.
struct Phase {
    name: &'static str,
    histogram: Histogram,
}

/// Before, during and after the faults that have instants of their own; everything, if there are none.
fn phases(doc: &Doc<'_>, series: &Series, door: &DoorSeries) -> Vec<Phase> {
    let timed = doc.shades.iter().filter(|shade| !shade.chance && !shade.always);
    let windows: Vec<&[f64; 2]> = timed.flat_map(|shade| &shade.windows).collect();
    let all = doc.counted();
    if windows.is_empty() {
        return vec![Phase { name: "all of the run", histogram: histogram(door, all.into_iter()) }];
    }
    let begin = windows.iter().map(|window| window[0]).fold(f64::INFINITY, f64::min);
    let struck = |bin: usize| windows.iter().any(|[a, b]| series.at(bin + 1) > *a && series.at(bin) < *b);
    let of = |name, is: &dyn Fn(usize) -> bool| Phase {
        name,
        histogram: histogram(door, all.iter().copied().filter(|bin| is(*bin))),
    };
    let phases = [
        of("before the first fault", &|bin| !struck(bin) && middle(series, bin) < begin),
        of("while a fault is active", &|bin| struck(bin)),
        of("after a fault", &|bin| !struck(bin) && middle(series, bin) >= begin),
    ];
    phases.into_iter().filter(|phase| !phase.histogram.is_empty()).collect()
}

/// For each bucket the share of the items that took longer than its end.
fn slower(phase: &Phase) -> Vec<(f64, f64)> {
    let all: u64 = phase.histogram.iter().map(|(_, count)| count).sum();
    let mut rest = all;
    let first = phase.histogram.first().map(|(bucket, _)| (bound(*bucket), 1.0));
    let ends = phase.histogram.iter().map(|(bucket, count)| {
        rest -= count;
        (bound(bucket + 1), rest as f64 / all.max(1) as f64)
    });
    first.into_iter().chain(ends.collect::<Vec<_>>()).collect()
}

fn tail(doc: &Doc<'_>, door: &DoorSeries, phases: &[Phase]) -> Plot {
    let curves: Vec<Vec<(f64, f64)>> = phases.iter().map(slower).collect();
    let all = || curves.iter().flatten();
    let least = all().map(|(_, share)| *share).filter(|share| *share > 0.0).fold(1.0, f64::min);
    let layer = |((phase, curve), ink): ((&Phase, &Vec<(f64, f64)>), u8)| {
        // The last point lies at no share at all, which has no place on this axis: the line goes down there.
        let points = curve.iter().map(|(at, share)| (*at, Some(share.max(least / 2.0)))).collect();
        Layer::Line { label: phase.name.to_owned(), ink: Ink::Series(ink), points }
    };
    let y = [least / 2.0, 1.0].into_iter();
    Plot {
        name: format!("latency-tail-{}", door.door),
        title: format!("Slow answers at {}{}: the share that took longer", door.door, doc.of_seed()),
        desc: phases.iter().map(told).collect::<Vec<_>>().join(" "),
        x: Axis { label: "latency".into(), ..Axis::log("", Unit::Duration, all().map(|(at, _)| *at)) },
        y: Axis::log("of the items took longer than this", Unit::Share, y),
        layers: phases.iter().zip(&curves).zip(0..).map(layer).collect(),
        ..Plot::default()
    }
}

fn told(phase: &Phase) -> String {
    let of = |share| quantile(&phase.histogram, share).map_or("-".to_owned(), duration);
    format!("{}: p50 {}, p99 {}.", phase.name, of(0.5), of(0.99))
}

fn tail_numbers(door: &DoorSeries, phases: &[Phase]) -> Table {
    let columns = vec![
        table::words("Part", "part"),
        table::numbers("Longer than", "longer_than_s"),
        table::numbers("Share", "share"),
    ];
    let rows = phases.iter().flat_map(|phase| {
        let curve = slower(phase).into_iter();
        curve.map(|(at, share)| {
            vec![table::text(phase.name), table::exact(Some(at)), table::exact(Some(share))]
        })
    });
    Table::new(&format!("latency-tail-{}", door.door), "Slow answers", columns).rows(rows)
}

fn table(door: &DoorSeries, phases: &[Phase]) -> Table {
    let mut columns = vec![table::words("Part of the run", "part"), table::numbers("Items", "items")];
    let quantiles = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];
    columns.extend(quantiles.map(|(name, _)| table::numbers(name, &format!("{}_s", name.replace('.', "_")))));
    let rows = phases.iter().map(|phase| {
        let all: u64 = phase.histogram.iter().map(|(_, count)| count).sum();
        let mut cells = vec![table::text(phase.name), table::value(all as f64, grouped(all))];
        cells.extend(quantiles.map(|(_, share)| table::span(quantile(&phase.histogram, share))));
        cells
    });
    Table::new(
        &format!("latency-parts-{}", door.door),
        format!("Latency of success at {}", door.door),
        columns,
    )
    .rows(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::fixture;

    #[test]
    fn a_quantile_is_the_end_of_the_bucket_that_holds_it() {
        let histogram = [(16, 50), (32, 49), (48, 1)];
        let told = [0.5, 0.51, 0.99, 1.0].map(|share| quantile(&histogram, share).map(duration));
        let expected = ["12 ms", "115 ms", "115 ms", "1.2 s"].map(|text| Some(text.to_owned()));
        assert_eq!(told, expected);
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn the_run_is_split_by_its_timed_faults() {
        let results = fixture::run();
        let doc = Doc::new(&results, 0);
        let series = doc.series.expect("series");
        let phases = phases(&doc, series, &series.doors[0]);
        let names: Vec<&str> = phases.iter().map(|phase| phase.name).collect();
        assert_eq!(names, ["before the first fault", "while a fault is active", "after a fault"]);
        let [before, during, _] = phases.as_slice() else { panic!("three") };
        let (before, during) = (quantile(&before.histogram, 0.99), quantile(&during.histogram, 0.99));
        assert!(during > before.map(|p99| p99 * 5.0), "{during:?} {before:?}");
        assert_eq!(slower(&phases[0]).last().map(|(_, share)| *share), Some(0.0));
    }
}
