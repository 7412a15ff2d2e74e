//! Throughput: what came, what went, and how often callers asked again for the same thing.

use maud::html;

use super::Panel;
use super::tracks::{self, Track, ranked};
use crate::html::Error;
use crate::html::build::Build;
use crate::html::doc::{Doc, NO_SERIES, at, offered_until};
use crate::html::plot::{Axis, Plot, Unit};
use crate::html::table::{self, Table};
use crate::series::{CallSeries, DoorSeries, PlaceKind, Series};
use crate::words::{instant, number};

pub(super) fn panel(build: &mut Build, doc: &Doc<'_>) -> Result<Panel, Error> {
    let Some(series) = doc.series else { return Ok(Panel::Absent(NO_SERIES.to_owned())) };
    let mut parts = Vec::new();
    for door in &series.doors {
        let tracks = door_tracks(series, door);
        let plot = Plot {
            x: Axis::time(series.start, offered_until(series)),
            title: format!("In and out at {}{}", door.door, doc.of_seed()),
            desc: peak(series, &tracks),
            ..tracks::plot(
                doc,
                series,
                &format!("throughput-{}", door.door),
                "a second",
                Unit::Number,
                &tracks,
            )
        };
        parts.push(build.figure(&plot, &tracks::sheet(series, &plot.name, &tracks))?);
    }
    let effects = effects(series);
    if !effects.is_empty() {
        let plot = Plot {
            title: format!("Effects{}", doc.of_seed()),
            desc: peak(series, &effects),
            ..tracks::plot(doc, series, "effects", "effects a second", Unit::Number, &effects)
        };
        parts.push(build.figure(&plot, &tracks::sheet(series, "effects", &effects))?);
        parts.extend(tracks::rest(&effects).map(|note| html! { p.note { (note) } }));
    }
    let factors = factors(series);
    if factors.is_empty() {
        parts.push(html! { p.note { "No call was tried again about the same item: nothing is amplified." } });
    } else {
        parts.push(build.figure(
            &amplification(doc, series, &factors),
            &tracks::sheet(series, "amplification", &factors),
        )?);
        parts.extend(tracks::rest(&factors).map(|note| html! { p.note { (note) } }));
    }
    if !series.calls.is_empty() {
        parts.push(build.table(&table(series))?);
    }
    Ok(Panel::Shown(html! { @for part in parts { (part) } }))
}

fn door_tracks(series: &Series, door: &DoorSeries) -> Vec<Track> {
    let mut tracks =
        vec![Track::rates("offered", &door.offered, series), Track::rates("had success", &door.ok, series)];
    if let Some(calls) = series.calls.iter().find(|calls| calls.target == door.door) {
        tracks.push(Track::rates("attempts", &calls.sent, series));
        if calls.retries.iter().any(|retries| *retries > 0) {
            tracks.push(Track::rates("of them retries", &calls.retries, series));
        }
    }
    tracks
}

fn effects(series: &Series) -> Vec<Track> {
    let places = series.places.iter().filter(|place| place.role == PlaceKind::Effect);
    ranked(places.map(|place| Track::rates(&place.place, &place.came, series)).collect())
}

/// How many attempts there were for each first one, target by target, where there were retries.
fn factors(series: &Series) -> Vec<Track> {
    let retried = |calls: &&CallSeries| calls.retries.iter().any(|retries| *retries > 0);
    // A retry comes some time after what it repeats: neighbours are taken together.
    let around =
        |counts: &[u64], bin: usize| (bin.saturating_sub(2)..bin + 3).map(|bin| at(counts, bin)).sum();
    let factor = |calls: &CallSeries| {
        let known = |bin: usize| at(&calls.sent, bin) > 0;
        let value = |bin: usize| amplified(around(&calls.sent, bin), around(&calls.retries, bin));
        let values = (0..series.bins as usize).map(|bin| known(bin).then(|| value(bin)).flatten());
        Track { name: calls.target.clone(), values: values.collect() }
    };
    ranked(series.calls.iter().filter(retried).map(factor).collect())
}

/// Attempts for each first one; where all of them are retries, as if one had been first.
fn amplified(sent: u64, retries: u64) -> Option<f64> {
    (sent > 0).then(|| sent as f64 / sent.saturating_sub(retries).max(1) as f64)
}

fn amplification(doc: &Doc<'_>, series: &Series, factors: &[Track]) -> Plot {
    let most = factors.iter().map(Track::most).fold(1.0, f64::max);
    let plot =
        tracks::plot(doc, series, "amplification", "attempts for each first one", Unit::Number, factors);
    let y = if most <= 12.0 {
        Axis { from: 1.0, to: plot.y.to.max(2.0), ..plot.y }
    } else {
        Axis::log("attempts for each first one", Unit::Number, [1.0, most * 1.2].into_iter())
    };
    Plot { title: format!("Retry amplification{}", doc.of_seed()), desc: peak(series, factors), y, ..plot }
}

/// The largest number of the first track that has it.
fn peak(series: &Series, tracks: &[Track]) -> String {
    let told = tracks.iter().take(4).filter_map(|track| {
        let most = track.most();
        let bin = track.values.iter().position(|value| *value == Some(most))?;
        Some(format!("{} at most {}, at {}", track.name, number(most), instant(series.at(bin))))
    });
    format!("{}.", told.collect::<Vec<_>>().join("; "))
}

fn table(series: &Series) -> Table {
    let columns = vec![
        table::words("Called", "called"),
        table::numbers("Attempts", "attempts"),
        table::numbers("Success", "success"),
        table::numbers("Retries", "retries"),
        table::numbers("Attempts for each first one", "amplification"),
    ];
    let sum = |counts: &[u64]| counts.iter().sum::<u64>();
    let mut calls: Vec<&CallSeries> = series.calls.iter().collect();
    calls.sort_by_key(|calls| std::cmp::Reverse(sum(&calls.retries)));
    let rows = calls.into_iter().map(|calls| {
        let (sent, retries) = (sum(&calls.sent), sum(&calls.retries));
        let factor = amplified(sent, retries);
        let told = factor.map_or_else(table::none, |factor| table::value(factor, format!("{factor:.2}")));
        vec![
            table::text(&calls.target),
            table::count(sent),
            table::count(sum(&calls.ok)),
            table::count(retries),
            told,
        ]
    });
    let mut table = Table::new("calls", "Calls, those with most retries first", columns).rows(rows);
    table.shown = 12;
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amplification_is_attempts_for_each_first_one() {
        assert_eq!((amplified(30, 20), amplified(0, 0), amplified(7, 7)), (Some(3.0), None, Some(7.0)));
    }
}
