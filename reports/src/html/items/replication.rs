//! Replication: how far a secondary is behind, which is what a failover at that instant would lose.

use maud::html;

use super::Panel;
use super::tracks::{self, Track};
use crate::html::Error;
use crate::html::build::Build;
use crate::html::doc::{Doc, NO_SERIES, at};
use crate::html::plot::{Plot, Unit};
use crate::html::table::{self, Table};
use crate::series::{PlaceSeries, Series};
use crate::words::{duration, grouped};

pub(super) fn panel(build: &mut Build, doc: &Doc<'_>) -> Result<Panel, Error> {
    let Some(series) = doc.series else { return Ok(Panel::Absent(NO_SERIES.to_owned())) };
    let mut lags: Vec<Lag> = series
        .places
        .iter()
        .filter(|place| !place.shadows.is_empty())
        .map(|place| Lag::of(series, place))
        .collect();
    if lags.is_empty() {
        return Ok(Panel::Silent);
    }
    lags.sort_by(|a, b| b.items.most().total_cmp(&a.items.most()));
    let (items, ages): (Vec<Track>, Vec<Track>) = lags.into_iter().map(|lag| (lag.items, lag.age)).unzip();
    let count = Plot {
        title: format!("Copies that the secondary does not hold{}", doc.of_seed()),
        desc: told(&items, |most| grouped(most as u64)),
        ..tracks::plot(doc, series, "replication", "copies at risk", Unit::Count, &items)
    };
    let age = Plot {
        title: format!("How far the secondary is behind{}", doc.of_seed()),
        desc: told(&ages, duration),
        ..tracks::plot(
            doc,
            series,
            "replication-age",
            "age of the oldest copy at risk, estimated from what came",
            Unit::Duration,
            &ages,
        )
    };
    let count = build.figure(&count, &tracks::sheet(series, "replication", &items))?;
    let age = build.figure(&age, &tracks::sheet(series, "replication-age", &ages))?;
    let table = build.table(&table(&items, &ages))?;
    Ok(Panel::Shown(
        html! { (count) (age) (table) @if let Some(note) = tracks::rest(&items) { p.note { (note) } } },
    ))
}

/// How far the secondary of a place is behind.
struct Lag {
    items: Track,
    age: Track,
}

/// The name of a place without the site of its copy: `store.row` of `store/westeurope.row`.
fn base(place: &str) -> (&str, &str) {
    let Some((node, rest)) = place.split_once('/') else { return (place, "") };
    (node, rest.split_once('.').map_or("", |(_, part)| part))
}

impl Lag {
    /// What the copies of the same place elsewhere hold, less what this one holds as a shadow or for its own.
    fn of(series: &Series, place: &PlaceSeries) -> Lag {
        let others = series
            .places
            .iter()
            .filter(|other| other.place != place.place && base(&other.place) == base(&place.place));
        let others: Vec<(&PlaceSeries, Vec<i64>)> = others.map(|other| (other, other.depth())).collect();
        let own = place.depth();
        let mut shadows = 0;
        let (mut items, mut ages) = (Vec::new(), Vec::new());
        for bin in 0..series.bins as usize {
            shadows += place.shadows.get(bin).copied().unwrap_or(0);
            let of = |depth: &[i64]| depth.get(bin).copied().unwrap_or(0);
            let most = others.iter().max_by_key(|(_, depth)| of(depth));
            // Without another copy in the document the shadows are those of the place's own copies.
            let (source, held) = most.map_or((place, of(&own)), |(other, depth)| (*other, of(depth)));
            let mine = if others.is_empty() { 0 } else { of(&own) };
            let behind = (held - mine - shadows).max(0) as u64;
            items.push(Some(behind as f64));
            ages.push(Some(newest(series, source, bin, behind)));
        }
        let name = place.place.clone();
        Lag { items: Track { name: name.clone(), values: items }, age: Track { name, values: ages } }
    }
}

/// How old the oldest of the newest so many copies is at the end of a bin.
fn newest(series: &Series, place: &PlaceSeries, bin: usize, count: u64) -> f64 {
    let mut missing = count;
    if missing == 0 {
        return 0.0;
    }
    for earlier in (0..=bin).rev() {
        let came = at(&place.came, earlier);
        if came >= missing {
            return (bin - earlier) as f64 * series.step + series.step * missing as f64 / came as f64;
        }
        missing -= came;
    }
    series.at(bin + 1) - series.start
}

fn told(tracks: &[Track], words: impl Fn(f64) -> String) -> String {
    let all: Vec<String> = tracks
        .iter()
        .take(4)
        .map(|track| format!("{} at most {}", track.name, words(track.most())))
        .collect();
    format!("{}.", all.join("; "))
}

fn table(items: &[Track], ages: &[Track]) -> Table {
    let columns = vec![
        table::words("Secondary", "secondary"),
        table::numbers("Copies at risk, at most", "most_copies"),
        table::numbers("At the end", "copies_at_the_end"),
        table::numbers("Behind, at most", "most_behind_s"),
    ];
    let rows = items.iter().zip(ages).map(|(items, ages)| {
        let end = items.values.last().copied().flatten().unwrap_or(0.0);
        vec![
            table::text(&items.name),
            table::count(items.most() as u64),
            table::count(end as u64),
            table::span(Some(ages.most())),
        ]
    });
    Table::new("replication", "Secondaries", columns).rows(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_risk_is_what_the_others_hold_and_this_one_does_not() {
        let place = |name: &str, came: &[u64], shadows: &[i64]| PlaceSeries {
            place: name.into(),
            came: came.to_vec(),
            left: vec![0; 4],
            shadows: shadows.to_vec(),
            ..PlaceSeries::default()
        };
        let places = vec![
            place("store/west.row", &[10, 10, 10, 0], &[]),
            place("store/north.row", &[0, 0, 0, 25], &[8, 10, 7, -25]),
        ];
        let series = Series { start: 0.0, step: 10.0, bins: 4, places, ..Series::default() };
        let lag = Lag::of(&series, &series.places[1]);
        // In the end it was promoted: its shadows are copies of its own, and five are lost.
        assert_eq!(lag.items.values, [Some(2.0), Some(2.0), Some(5.0), Some(5.0)]);
        assert_eq!(lag.age.values[2], Some(5.0));
    }
}
