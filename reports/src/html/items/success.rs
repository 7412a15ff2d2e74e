//! Success over time, door by door: the share of the items offered that got what they came for.

use maud::html;

use super::Panel;
use super::objectives::{door, target};
use crate::html::Error;
use crate::html::build::Build;
use crate::html::doc::{Doc, NO_SERIES, at, middle, offered_until, success};
use crate::html::plot::{Axis, Ink, Layer, Plot, Unit};
use crate::html::table::{self, Cell, Table};
use crate::results::ObjectiveResult;
use crate::series::{Band, DoorSeries, Series};
use crate::words::percent;

pub(super) fn panel(build: &mut Build, doc: &Doc<'_>) -> Result<Panel, Error> {
    let Some(series) = doc.series else { return Ok(Panel::Absent(NO_SERIES.to_owned())) };
    if series.doors.is_empty() {
        return Ok(Panel::Absent("nothing was offered at any door".to_owned()));
    }
    let mut figures = Vec::new();
    for one in &series.doors {
        let band = doc.results.bands.iter().find(|band| band.door == one.door);
        figures.push(build.figure(&plot(doc, series, one, band), &numbers(series, one, band))?);
    }
    Ok(Panel::Shown(html! { @for figure in figures { (figure) } }))
}

/// The availability that is asked for at a door.
fn asked<'a>(doc: &Doc<'a>, name: &str) -> Option<(&'a ObjectiveResult, f64)> {
    let mut all = doc.focus?.objectives.iter();
    all.find_map(|objective| (door(objective) == Some(name)).then_some((objective, target(objective)?)))
}

fn plot(doc: &Doc<'_>, series: &Series, one: &DoorSeries, band: Option<&Band>) -> Plot {
    let points: Vec<(f64, Option<f64>)> =
        (0..series.bins as usize).map(|bin| (middle(series, bin), success(one, bin))).collect();
    let mut layers = Vec::new();
    let mut least = points.iter().filter_map(|(_, share)| *share).fold(1.0, f64::min);
    if let Some(band) = band {
        let time = |bin: usize| band.start + band.step * (bin as f64 + 0.5);
        let both = band.p10.iter().zip(&band.p90).enumerate();
        let area = both.map(|(bin, (low, high))| (time(bin), low.zip(*high))).collect();
        layers.push(Layer::Band {
            label: "10th to 90th percentile of all seeds".into(),
            ink: Ink::Series(5),
            points: area,
        });
        let middle = band.p50.iter().enumerate().map(|(bin, share)| (time(bin), *share)).collect();
        layers.push(Layer::Line { label: "median of all seeds".into(), ink: Ink::Series(5), points: middle });
        least = band.p10.iter().flatten().copied().fold(least, f64::min);
    }
    let label =
        doc.focus.filter(|_| doc.sweep()).map_or("success".to_owned(), |seed| format!("seed {}", seed.seed));
    if let Some((objective, share)) = asked(doc, &one.door) {
        layers.push(Layer::Level { label: format!("{}: {}", objective.name, percent(share)), at: share });
        least = least.min(share);
    }
    layers.push(Layer::Line { label, ink: Ink::Series(0), points });
    Plot {
        name: format!("success-{}", one.door),
        title: format!("Success at {}{}", one.door, doc.of_seed()),
        desc: desc(series, one),
        x: Axis::time(series.start, offered_until(series)),
        y: Axis::linear("of the items offered then", Unit::Share, floor(least), 1.0),
        shades: doc.shades.clone(),
        layers,
        ..Plot::default()
    }
}

/// Where an axis of shares begins so that the least of them is seen and what is above it too.
pub(super) fn floor(least: f64) -> f64 {
    let floors = [0.998, 0.99, 0.98, 0.95, 0.9, 0.8, 0.5];
    floors.into_iter().find(|floor| least >= *floor + (1.0 - floor) * 0.02).unwrap_or(0.0)
}

fn desc(series: &Series, one: &DoorSeries) -> String {
    let known = (0..series.bins as usize).filter_map(|bin| Some((bin, success(one, bin)?)));
    let worst = known.min_by(|a, b| a.1.total_cmp(&b.1));
    match worst {
        None => "Nothing was offered.".to_owned(),
        Some((_, share)) if share >= 1.0 => "Every item had success at all times.".to_owned(),
        Some((bin, share)) => {
            let all: u64 = one.offered.iter().sum();
            let ok: u64 = one.ok.iter().sum();
            let at = crate::words::instant(series.at(bin));
            let mean = percent(ok as f64 / all.max(1) as f64);
            format!(
                "{mean} of all items had success; least, {}, of those offered from {at} on.",
                percent(share)
            )
        }
    }
}

fn numbers(series: &Series, one: &DoorSeries, band: Option<&Band>) -> Table {
    let mut columns = vec![table::numbers("From", "from_s")];
    columns.extend(["offered", "ok", "refused", "failed", "unknown"].map(|name| table::numbers(name, name)));
    columns.push(table::numbers("Success", "success_share"));
    // A band has bins of its own; where they are others than those of the series it stands in no row.
    let band = band.filter(|band| band.start == series.start && band.step == series.step);
    if band.is_some() {
        columns
            .extend(["p10", "p50", "p90"].map(|name| table::numbers(name, &format!("seeds_{name}_share"))));
    }
    let row = |bin: usize| -> Vec<Cell> {
        let mut cells = vec![table::instant(Some(series.at(bin)))];
        let counts = [&one.offered, &one.ok, &one.refused, &one.failed, &one.unknown];
        cells.extend(counts.map(|count| table::count(at(count, bin))));
        cells.push(table::share(success(one, bin)));
        if let Some(band) = band {
            let of = |shares: &[Option<f64>]| table::share(shares.get(bin).copied().flatten());
            cells.extend([of(&band.p10), of(&band.p50), of(&band.p90)]);
        }
        cells
    };
    Table::new(&format!("success-{}", one.door), "Success", columns).rows((0..series.bins as usize).map(row))
}
