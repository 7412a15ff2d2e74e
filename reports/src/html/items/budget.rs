//! The error budget: what an availability allows to fail, and how fast that was used up.

use maud::html;

use super::Panel;
use super::objectives::{door, target};
use crate::html::Error;
use crate::html::build::Build;
use crate::html::doc::{Doc, NO_SERIES, at};
use crate::html::plot::{Axis, Ink, Layer, Plot, Unit};
use crate::html::table::{self, Table};
use crate::results::ObjectiveResult;
use crate::series::{DoorSeries, Series};
use crate::words::{instant, number};

/// Rates to compare with: so many times as fast as would use up the budget in just the time of the run. The
/// last is the one at which the Google SRE book wakes somebody up.
const RATES: [f64; 3] = [1.0, 6.0, 14.4];
/// Less than this is not drawn.
const LEAST: f64 = -1.0;

pub(super) fn panel(build: &mut Build, doc: &Doc<'_>) -> Result<Panel, Error> {
    let (Some(series), Some(focus)) = (doc.series, doc.focus) else {
        return Ok(Panel::Absent(NO_SERIES.to_owned()));
    };
    let mut parts = Vec::new();
    let mut asked = false;
    for objective in &focus.objectives {
        let one = door(objective).and_then(|name| series.doors.iter().find(|one| one.door == name));
        let (Some(one), Some(target)) = (one, target(objective)) else { continue };
        asked = true;
        match burn(doc, one, objective, target) {
            Ok(burn) => {
                parts.push(build.figure(&plot(doc, series, objective, one, &burn), &numbers(series, &burn))?)
            }
            Err(why) => parts.push(html! { p.note { (objective.name) ": " (why) } }),
        }
    }
    if !asked {
        return Ok(Panel::Absent("no objective asks for an availability at a door".to_owned()));
    }
    Ok(Panel::Shown(html! { @for part in parts { (part) } }))
}

/// What is left of the budget after each bin: 1 at first, 0 when all of it is used.
struct Burn {
    left: Vec<(usize, f64)>,
}

fn burn(doc: &Doc<'_>, one: &DoorSeries, objective: &ObjectiveResult, target: f64) -> Result<Burn, String> {
    let bins = doc.counted();
    let all: u64 = bins.iter().map(|bin| at(&one.offered, *bin)).sum();
    // The line in the results counts the same items, give or take a bin's; else it counts a part of the run.
    let off = all.abs_diff(objective.samples) as f64 / all.max(1) as f64;
    if off > 0.05 {
        return Err("it counts only a part of the run, for which there is no series.".to_owned());
    }
    let allowed = (1.0 - target) * all as f64;
    if allowed <= 0.0 {
        return Err("it allows nothing to fail, so there is no budget to use up.".to_owned());
    }
    let mut bad = 0;
    let left = bins.into_iter().map(|bin| {
        bad += at(&one.offered, bin).saturating_sub(at(&one.ok, bin));
        (bin, 1.0 - bad as f64 / allowed)
    });
    Ok(Burn { left: left.collect() })
}

fn plot(doc: &Doc<'_>, series: &Series, objective: &ObjectiveResult, one: &DoorSeries, burn: &Burn) -> Plot {
    let (from, to) = doc.period().unwrap_or((series.start, series.end()));
    let mut points = vec![(from, Some(1.0))];
    points.extend(burn.left.iter().map(|(bin, left)| (series.at(bin + 1), Some(left.max(LEAST)))));
    let least = burn.left.iter().map(|(_, left)| *left).fold(0.0, f64::min).max(LEAST);
    let ray = |rate: f64| Layer::Ray {
        label: format!("{}x", number(rate)),
        from: (from, 1.0),
        to: (from + (to - from) / rate, 0.0),
    };
    let mut layers: Vec<Layer> = RATES.into_iter().map(ray).collect();
    layers.push(Layer::Level { label: "budget used up".into(), at: 0.0 });
    layers.push(Layer::Line { label: "budget left".into(), ink: Ink::Series(0), points });
    Plot {
        name: format!("budget-{}", objective.name),
        title: format!("Error budget of {} at {}{}", objective.name, one.door, doc.of_seed()),
        desc: desc(series, burn),
        x: Axis::time(from, to),
        y: Axis::linear(
            "of the budget left; thin lines: burn rates",
            Unit::Share,
            (least * 4.0).floor() / 4.0,
            1.0,
        ),
        shades: doc.shades.clone(),
        layers,
        ..Plot::default()
    }
}

fn desc(series: &Series, burn: &Burn) -> String {
    let end = burn.left.last().map_or(1.0, |(_, left)| *left);
    let percent = |left: f64| format!("{} %", number((left * 100.0).round()));
    let gone = burn.left.iter().find(|(_, left)| *left <= 0.0);
    let below = if end < LEAST { " The axis ends at -100 %." } else { "" };
    match gone {
        Some((bin, _)) => format!(
            "All of it was used by {}; at the end {} is left.{below}",
            instant(series.at(bin + 1)),
            percent(end)
        ),
        None => format!("At the end {} is left.", percent(end)),
    }
}

fn numbers(series: &Series, burn: &Burn) -> Table {
    let columns = vec![table::numbers("Until", "until_s"), table::numbers("Left", "budget_left_share")];
    let rows = burn
        .left
        .iter()
        .map(|(bin, left)| vec![table::instant(Some(series.at(bin + 1))), table::exact(Some(*left))]);
    Table::new("budget", "Error budget", columns).rows(rows)
}
