//! Limits: how near each node came to its own, which was reached first, who was told to come back later, and all
//! other signs of trouble.

use maud::{Markup, html};

use super::Panel;
use super::tracks::{self, Track, ranked};
use crate::html::Error;
use crate::html::build::Build;
use crate::html::doc::{Doc, NO_SERIES};
use crate::html::plot::{Plot, Unit};
use crate::html::table::{self, Cell, Table, Tone};
use crate::series::{LimitSeries, Series, SignSeries};
use crate::words::{duration, instant, number, percent};

/// The sign of a limit that was reached.
const THROTTLED: &str = "throttled";
/// From this share on a limit is near.
const NEAR: f64 = 0.8;

pub(super) fn panel(build: &mut Build, doc: &Doc<'_>) -> Result<Panel, Error> {
    let Some(series) = doc.series else { return Ok(Panel::Absent(NO_SERIES.to_owned())) };
    if series.signs.is_empty() && series.limits.is_empty() {
        return Ok(Panel::Absent("no node showed a sign of trouble".to_owned()));
    }
    let used = used(build, doc, series)?;
    let throttled = throttled(build, doc, series)?;
    let signs = if series.signs.is_empty() {
        html! { p.note { "No node showed a sign of trouble." } }
    } else {
        build.table(&signs(series))?
    };
    Ok(Panel::Shown(html! { (used) (throttled) (signs) }))
}

/// How near the nodes came to their limits.
fn used(build: &mut Build, doc: &Doc<'_>, series: &Series) -> Result<Markup, Error> {
    let limits = by_share(series);
    if limits.is_empty() {
        return Ok(html! {
            p.note {
                "The document does not say how near to its limits each node came: only the native engine can look, "
                "and a limit of which no more than 1 % was used is left out."
            }
        });
    }
    let several: Vec<&LimitSeries> = limits.iter().copied().filter(|limit| !is_single(limit)).collect();
    let lines = |most: f64| several.iter().map(|limit| shares(limit, most)).collect::<Vec<_>>();
    // One that is far above its limit would leave no room for the others.
    let drawn = lines(1.0);
    let table = build.table(&near(&limits))?;
    let sentence = html! { p { (first(&limits)) } };
    if drawn.is_empty() {
        return Ok(html! { (sentence) (table) });
    }
    let label = "share of the limit; more is drawn as all of it";
    let plot = Plot {
        title: format!("How much of its limit each node used{}", doc.of_seed()),
        desc: most(&several),
        ..tracks::plot(doc, series, "limits", label, Unit::Share, &drawn)
    };
    let figure = build.figure(&plot, &tracks::sheet(series, "limit-shares", &lines(f64::MAX)))?;
    Ok(html! {
        (sentence)
        (table)
        (figure)
        @if let Some(note) = tracks::rest(&drawn) { p.note { (note) } }
    })
}

/// All limits, that of which the largest share was used first; of those that were reached, that which was for the
/// longest time. By how much the last use went beyond a limit makes it no nearer.
fn by_share(series: &Series) -> Vec<&LimitSeries> {
    let mut limits: Vec<&LimitSeries> = series.limits.iter().collect();
    limits.sort_by(|a, b| {
        let share = b.peak.min(1.0).total_cmp(&a.peak.min(1.0));
        share.then(b.seconds_at_limit.total_cmp(&a.seconds_at_limit))
    });
    limits
}

/// The shares of one limit, as far as this.
fn shares(limit: &LimitSeries, most: f64) -> Track {
    let values = limit.share.iter().map(|share| Some(share.min(most))).collect();
    Track { name: format!("{}: {}", limit.node, limit.limit), values }
}

/// Which limit was reached first, in a sentence.
fn first(limits: &[&LimitSeries]) -> String {
    let reached = limits.iter().filter(|limit| !is_single(limit));
    let reached = reached.filter_map(|limit| Some((limit.first_reached?, limit)));
    let first = reached.min_by(|(a, _), (b, _)| a.total_cmp(b));
    match (first, limits.iter().find(|limit| !is_single(limit))) {
        (Some((at, limit)), _) => format!(
            "Reached first: {} of {} ({} {}), at {}; for {} in all.",
            limit.limit,
            limit.node,
            number(limit.most),
            limit.unit,
            instant(at),
            duration(limit.seconds_at_limit),
        ),
        (None, Some(limit)) => format!(
            "No limit was reached. Nearest: {} of {}, at most {}.",
            limit.limit,
            limit.node,
            percent(limit.peak)
        ),
        (None, None) => "No limit was reached that holds more than one.".to_owned(),
    }
}

/// Whether one use is all of it: whoever works at all reaches such a limit, which says nothing.
fn is_single(limit: &LimitSeries) -> bool {
    // What is counted within a time (`throughput units in 1s`) is used bit by bit.
    limit.most <= 1.0 && !limit.unit.contains(" in ")
}

/// What the plot shows, in words.
fn most(limits: &[&LimitSeries]) -> String {
    let told = limits.iter().take(4).map(|limit| {
        let (node, name) = (&limit.node, &limit.limit);
        format!("{node}: {name} at most {}, at {}", percent(limit.peak), instant(limit.peak_at))
    });
    format!("{}.", told.collect::<Vec<_>>().join("; "))
}

/// A row for each limit.
fn near(limits: &[&LimitSeries]) -> Table {
    let columns = vec![
        table::words("Node", "node"),
        table::words("Limit", "limit"),
        table::numbers("Highest use", "highest_use"),
        table::numbers("Of", "most"),
        table::hidden("unit"),
        table::numbers("Share", "share"),
        table::hidden("mean_share"),
        table::numbers("At", "at_s"),
        table::numbers("Reached first", "reached_first_s"),
        table::numbers("For", "time_at_limit_s"),
    ];
    let rows = limits.iter().map(|limit| {
        let at_limit = Some(limit.seconds_at_limit).filter(|seconds| *seconds > 0.0);
        vec![
            table::text(&limit.node),
            table::text(&limit.limit),
            table::exact(Some(limit.used)),
            table::value(limit.most, format!("{} {}", number(limit.most), limit.unit)),
            table::text(&limit.unit),
            table::share(Some(limit.peak)).tone(tone(limit)),
            table::share(Some(limit.mean)),
            table::instant(Some(limit.peak_at)),
            table::instant(limit.first_reached),
            table::span(at_limit),
        ]
    });
    let mut table = Table::new("limits", "How near to its limits each node came", columns).rows(rows);
    table.shown = 24;
    table
}

fn tone(limit: &LimitSeries) -> Tone {
    match limit.peak {
        _ if is_single(limit) => Tone::Plain,
        peak if peak >= 1.0 => Tone::Bad,
        peak if peak >= NEAR => Tone::Odd,
        _ => Tone::Plain,
    }
}

/// Who was told to come back later, over time.
fn throttled(build: &mut Build, doc: &Doc<'_>, series: &Series) -> Result<Markup, Error> {
    let throttled = series.signs.iter().filter(|sign| sign.sign == THROTTLED);
    let throttled = ranked(throttled.map(|sign| Track::rates(&sign.node, &sign.count, series)).collect());
    if throttled.is_empty() {
        return Ok(html! { p.note { "Nobody was throttled." } });
    }
    let plot = Plot {
        title: format!("Throttled{}", doc.of_seed()),
        desc: format!("Most at {}.", throttled[0].name),
        ..tracks::plot(doc, series, "throttled", "throttled a second", Unit::Number, &throttled)
    };
    let figure = build.figure(&plot, &tracks::sheet(series, "throttled", &throttled))?;
    Ok(html! {
        (figure)
        @if let Some(note) = tracks::rest(&throttled) { p.note { (note) } }
    })
}

/// A row for each node, a column for each sign.
fn signs(series: &Series) -> Table {
    let mut kinds: Vec<&str> = Vec::new();
    let mut nodes: Vec<&str> = Vec::new();
    for sign in &series.signs {
        if !kinds.contains(&sign.sign.as_str()) {
            kinds.push(&sign.sign);
        }
        if !nodes.contains(&sign.node.as_str()) {
            nodes.push(&sign.node);
        }
    }
    let sum = |sign: &SignSeries| sign.count.iter().sum::<u64>();
    let of = |node: &str, kind: &str| {
        series.signs.iter().filter(|sign| sign.node == node && sign.sign == kind).map(sum).sum::<u64>()
    };
    let all = |node: &str| kinds.iter().map(|kind| of(node, kind)).sum::<u64>();
    nodes.sort_by_key(|node| std::cmp::Reverse(all(node)));
    let mut columns = vec![table::words("Node", "node")];
    columns.extend(kinds.iter().map(|kind| table::numbers(&kind.replace('-', " "), kind)));
    let rows = nodes.iter().map(|node| {
        let mut cells: Vec<Cell> = vec![table::text(*node)];
        cells.extend(kinds.iter().map(|kind| match of(node, kind) {
            0 => Cell { raw: Some("0".to_owned()), ..table::none() },
            count => table::count(count),
        }));
        cells
    });
    let mut table = Table::new("signs", "Signs of trouble, node by node", columns).rows(rows);
    table.shown = 24;
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(node: &str, most: f64, peak: f64, first_reached: Option<f64>) -> LimitSeries {
        LimitSeries {
            node: node.into(),
            limit: "runs".into(),
            unit: "runs".into(),
            most,
            peak,
            first_reached,
            seconds_at_limit: 9.0,
            ..LimitSeries::default()
        }
    }

    #[test]
    fn the_first_that_was_reached_is_named_and_one_at_a_time_is_none() {
        let person = limit("person", 1.0, 1.0, Some(5.0));
        let late = limit("late", 4.0, 2.0, Some(70.0));
        let early = limit("early", 8.0, 1.0, Some(60.0));
        let far = limit("far", 8.0, 0.25, None);
        assert_eq!(
            first(&[&late, &person, &early, &far]),
            "Reached first: runs of early (8 runs), at 1 min; for 9 s in all."
        );
        assert_eq!(first(&[&person, &far]), "No limit was reached. Nearest: runs of far, at most 25 %.");
        let unit =
            LimitSeries { unit: "throughput units in 1s".into(), ..limit("hubs", 1.0, 1.0, Some(7.0)) };
        assert!(first(&[&person, &unit]).starts_with("Reached first: runs of hubs"));
        assert_eq!(first(&[&person]), "No limit was reached that holds more than one.");
    }
}
