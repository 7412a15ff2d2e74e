//! Backlogs: how much waited where, for how long, and what was given up on.

use maud::html;

use super::Panel;
use super::tracks::{self, Track, ranked};
use crate::html::Error;
use crate::html::build::Build;
use crate::html::doc::{Doc, NO_SERIES, at};
use crate::html::plot::{Plot, Unit};
use crate::html::table::{self, Table};
use crate::series::{PlaceKind, PlaceSeries, Series};
use crate::words::{duration, grouped, instant};

pub(super) fn panel(build: &mut Build, doc: &Doc<'_>) -> Result<Panel, Error> {
    let Some(series) = doc.series else { return Ok(Panel::Absent(NO_SERIES.to_owned())) };
    let queues: Vec<&PlaceSeries> = of(series, PlaceKind::Queue);
    let dead: Vec<&PlaceSeries> = of(series, PlaceKind::DeadLetter);
    if queues.is_empty() && dead.is_empty() {
        return Ok(Panel::Absent("there is no place where something could wait".to_owned()));
    }
    let mut parts = Vec::new();
    let depths = ranked(queues.iter().map(|place| depth(place)).collect());
    if !depths.is_empty() {
        let plot = Plot {
            title: format!("Waiting, queue by queue{}", doc.of_seed()),
            desc: peaks(series, &depths, |most| grouped(most as u64)),
            ..tracks::plot(doc, series, "backlog", "copies that wait", Unit::Count, &depths)
        };
        parts.push(build.figure(&plot, &tracks::sheet(series, "backlog", &depths))?);
        parts.extend(tracks::rest(&depths).map(|note| html! { p.note { (note) } }));
        let named = |name: &str| queues.iter().find(|place| place.place == name);
        // In the order and inks of the depths.
        let ages: Vec<Track> =
            depths.iter().filter_map(|track| Some(age(series, named(&track.name)?))).collect();
        let plot = Plot {
            title: format!("Age of the oldest copy that waits{}", doc.of_seed()),
            desc: peaks(series, &ages, duration),
            ..tracks::plot(
                doc,
                series,
                "oldest",
                "estimated from what came and left: first in, first out",
                Unit::Duration,
                &ages,
            )
        };
        parts.push(build.figure(&plot, &tracks::sheet(series, "oldest", &ages))?);
    }
    let arrived =
        ranked(dead.iter().map(|place| Track::counts(&place.place, &summed(&place.came))).collect());
    if arrived.is_empty() {
        parts.push(html! { p.note { "Nothing came to a dead-letter place." } });
    } else {
        let plot = Plot {
            title: format!("Dead letters so far{}", doc.of_seed()),
            desc: peaks(series, &arrived, |most| grouped(most as u64)),
            ..tracks::plot(doc, series, "dead-letters", "dead letters so far", Unit::Count, &arrived)
        };
        parts.push(build.figure(&plot, &tracks::sheet(series, "dead-letters", &arrived))?);
    }
    parts.push(build.table(&table(series, &queues, &dead))?);
    Ok(Panel::Shown(html! { @for part in parts { (part) } }))
}

fn of(series: &Series, role: PlaceKind) -> Vec<&PlaceSeries> {
    series.places.iter().filter(|place| place.role == role).collect()
}

fn depth(place: &PlaceSeries) -> Track {
    let values = place.depth().into_iter().map(|depth| Some(depth.max(0) as f64)).collect();
    Track { name: place.place.clone(), values }
}

fn summed(counts: &[u64]) -> Vec<u64> {
    let mut sum = 0;
    let add = |count: &u64| {
        sum += count;
        sum
    };
    counts.iter().map(add).collect()
}

/// How old the oldest copy is at the end of each bin, if they leave in the order in which they came: it came
/// when so many had come as have left, and one more.
fn age(series: &Series, place: &PlaceSeries) -> Track {
    let (came, left) = (summed(&place.came), summed(&place.left));
    let mut first = 0;
    let values = (0..series.bins as usize).map(|bin| {
        let (all, gone) = (at(&came, bin), at(&left, bin));
        if all <= gone {
            return Some(0.0);
        }
        while first < bin && at(&came, first) <= gone {
            first += 1;
        }
        // On average it came in the middle of its bin.
        Some((series.at(bin + 1) - series.at(first) - series.step / 2.0).max(0.0))
    });
    Track { name: place.place.clone(), values: values.collect() }
}

fn peaks(series: &Series, tracks: &[Track], words: impl Fn(f64) -> String) -> String {
    let told = tracks.iter().take(4).filter_map(|track| {
        let most = track.most();
        let bin = track.values.iter().position(|value| *value == Some(most))?;
        Some(format!("{} at most {}, at {}", track.name, words(most), instant(series.at(bin + 1))))
    });
    format!("{}.", told.collect::<Vec<_>>().join("; "))
}

fn table(series: &Series, queues: &[&PlaceSeries], dead: &[&PlaceSeries]) -> Table {
    let columns = vec![
        table::words("Place", "place"),
        table::numbers("Came", "came"),
        table::numbers("Left", "left"),
        table::numbers("Most at a time", "most"),
        table::numbers("Most at", "most_at_s"),
        table::numbers("At the end", "at_the_end"),
        table::numbers("Oldest waited", "oldest_s"),
    ];
    let row = |place: &&PlaceSeries| {
        let depth = depth(place);
        let most = depth.most();
        let peak = depth.values.iter().position(|value| *value == Some(most)).filter(|_| most > 0.0);
        let end = depth.values.last().copied().flatten().unwrap_or(0.0);
        let sum = |counts: &[u64]| table::count(counts.iter().sum());
        vec![
            table::text(&place.place),
            sum(&place.came),
            sum(&place.left),
            table::count(most as u64),
            table::instant(peak.map(|bin| series.at(bin + 1))),
            table::count(end as u64),
            table::span(Some(age(series, place).most())),
        ]
    };
    let rows = queues.iter().chain(dead).map(row);
    Table::new("waiting", "Where copies wait", columns).rows(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_copy_came_when_as_many_had_come_as_have_left() {
        let series = Series { start: 0.0, step: 10.0, bins: 5, ..Series::default() };
        let place =
            PlaceSeries { came: vec![4, 4, 4, 0, 0], left: vec![0, 0, 2, 3, 7], ..PlaceSeries::default() };
        // In the fourth bin five have left: the sixth, which is the oldest, came in the second.
        let ages: Vec<f64> = age(&series, &place).values.into_iter().flatten().collect();
        assert_eq!(ages, [5.0, 15.0, 25.0, 25.0, 0.0]);
    }
}
