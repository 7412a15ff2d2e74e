//! By how much items overtook each other, and how old repetitions were when they came.

use maud::{Markup, html};

use super::latency::{Histogram, quantile};
use crate::html::Error;
use crate::html::build::Build;
use crate::html::doc::Doc;
use crate::html::plot::{Axis, Ink, Layer, Plot, SERIES, Unit};
use crate::html::table::{self, Table, Tone};
use crate::series::{PlaceOrder, Series, latency_bound};
use crate::words::{duration, grouped};

/// The tables and plots about them; none where nothing was overtaken and nothing came again.
pub(super) fn parts(build: &mut Build, doc: &Doc<'_>, series: &Series) -> Result<Vec<Markup>, Error> {
    let mut parts = Vec::new();
    let mut overtaken: Vec<&PlaceOrder> = series.order.iter().filter(|place| all(place) > 0).collect();
    overtaken.sort_by_key(|place| std::cmp::Reverse(all(place)));
    if !overtaken.is_empty() {
        parts.push(build.table(&overtaken_items(doc, &overtaken))?);
        parts.push(build.figure(&distances(doc, &overtaken), &distance_numbers(&overtaken))?);
        parts.push(html! { p.note {
            "Overtaken: one of the same flow and key that was offered only after this one had been acknowledged \
             came to the place before it. Of two that overlapped neither overtakes the other. The distance \
             counts those that came before it."
        } });
    }
    let repetitions = repetitions(series);
    if !repetitions.is_empty() {
        parts.push(build.table(&ages(doc, &repetitions))?);
        parts.push(build.figure(&older(doc, &repetitions), &age_numbers(&repetitions))?);
    }
    let unwatched: u64 = series.order.iter().map(|place| place.unwatched).sum();
    if unwatched > 0 {
        let note =
            format!("{} more arrivals were not looked at: there was no room for them.", grouped(unwatched));
        parts.push(html! { p.note { (note) } });
    }
    Ok(parts)
}

/// How many were overtaken at a place.
fn all(place: &PlaceOrder) -> u64 {
    place.overtaken.iter().map(|(_, count)| count).sum()
}

/// How many were overtaken by at least so many, bucket by bucket.
fn at_least(place: &PlaceOrder) -> Vec<(u32, u64)> {
    let mut rest = all(place);
    let buckets = place.overtaken.iter().map(|(least, count)| {
        let here = rest;
        rest = rest.saturating_sub(*count);
        (*least, here)
    });
    buckets.collect()
}

fn overtaken_items(doc: &Doc<'_>, places: &[&PlaceOrder]) -> Table {
    let columns = vec![
        table::words("Place", "place"),
        table::numbers("Items that came", "came"),
        table::numbers("Overtaken", "overtaken"),
        table::numbers("Of all", "overtaken_share"),
        table::numbers("By one", "by_one"),
        table::numbers("Largest distance", "furthest"),
    ];
    let rows = places.iter().map(|place| {
        let by_one = place.overtaken.iter().find(|(least, _)| *least == 1).map_or(0, |(_, count)| *count);
        vec![
            table::text(&place.place),
            table::count(place.came),
            table::count(all(place)),
            table::share((place.came > 0).then(|| all(place) as f64 / place.came as f64)),
            table::count(by_one),
            table::count(u64::from(place.furthest)),
        ]
    });
    let caption = format!("Items that were overtaken{}", doc.of_seed());
    Table::new("overtaken-items", caption, columns).rows(rows)
}

fn distances(doc: &Doc<'_>, places: &[&PlaceOrder]) -> Plot {
    let places = &places[..places.len().min(usize::from(SERIES))];
    let ends = places.iter().flat_map(|place| [1.0, f64::from(place.furthest) + 1.0]);
    let layer = |(place, ink): (&&PlaceOrder, u8)| {
        let steps = at_least(place).into_iter().map(|(least, count)| (f64::from(least), Some(count as f64)));
        let points = steps.chain([(f64::from(place.furthest) + 1.0, Some(0.0))]).collect();
        Layer::Line { label: place.place.clone(), ink: Ink::Series(ink), points }
    };
    let furthest = places.iter().max_by_key(|place| place.furthest);
    let desc = furthest.map(|place| {
        let by = grouped(u64::from(place.furthest));
        format!("The largest distance is {by}, at {}.", place.place)
    });
    Plot {
        name: "overtaken".to_owned(),
        title: format!("By how many an item was overtaken{}", doc.of_seed()),
        desc: desc.unwrap_or_default(),
        x: Axis::log("overtaken by at least so many", Unit::Count, ends),
        y: Axis::up_to("items", Unit::Count, places.iter().map(|place| all(place) as f64)),
        layers: places.iter().zip(0..).map(layer).collect(),
        ..Plot::default()
    }
}

fn distance_numbers(places: &[&PlaceOrder]) -> Table {
    let columns = vec![
        table::words("Place", "place"),
        table::numbers("By at least", "by_at_least"),
        table::numbers("Items", "items"),
    ];
    let rows = places.iter().flat_map(|place| {
        let steps = at_least(place).into_iter();
        steps.map(|(least, count)| {
            vec![table::text(&place.place), table::count(u64::from(least)), table::count(count)]
        })
    });
    Table::new("overtaken", "By how many an item was overtaken", columns).rows(rows)
}

/// Repetitions of one sort at one place.
struct Repetitions<'a> {
    place: &'a PlaceOrder,
    recognised: bool,
    ages: &'a Histogram,
}

impl Repetitions<'_> {
    fn count(&self) -> u64 {
        self.ages.iter().map(|(_, count)| count).sum()
    }

    fn sort(&self) -> &'static str {
        if self.recognised { "recognised" } else { "came again" }
    }

    fn name(&self) -> String {
        format!("{}, {}", self.place.place, self.sort())
    }

    /// How many came when the window in which they would have been recognised had passed, to the bucket.
    fn too_late(&self) -> Option<u64> {
        let window = self.place.window.filter(|_| !self.recognised)?;
        let late = self.ages.iter().filter(|(bucket, _)| latency_bound(*bucket) >= window);
        Some(late.map(|(_, count)| count).sum())
    }

    /// For each bucket the share that was older than its end.
    fn older(&self) -> Vec<(f64, f64)> {
        let all = self.count().max(1) as f64;
        let mut rest = self.count();
        let first = self.ages.first().map(|(bucket, _)| (latency_bound(*bucket), 1.0));
        let ends = self.ages.iter().map(|(bucket, count)| {
            rest = rest.saturating_sub(*count);
            (latency_bound(bucket.saturating_add(1)), rest as f64 / all)
        });
        first.into_iter().chain(ends.collect::<Vec<_>>()).collect()
    }
}

fn repetitions(series: &Series) -> Vec<Repetitions<'_>> {
    let sorts = series.order.iter().flat_map(|place| {
        [(false, &place.again), (true, &place.recognised)].map(|(recognised, ages)| Repetitions {
            place,
            recognised,
            ages,
        })
    });
    let mut found: Vec<Repetitions<'_>> = sorts.filter(|sort| sort.count() > 0).collect();
    found.sort_by_key(|sort| (sort.recognised, std::cmp::Reverse(sort.count())));
    found
}

fn ages(doc: &Doc<'_>, repetitions: &[Repetitions<'_>]) -> Table {
    let columns = vec![
        table::words("Place", "place"),
        table::words("Repetitions", "sort"),
        table::numbers("Count", "count"),
        table::numbers("Age p50", "age_p50_s"),
        table::numbers("Age p99", "age_p99_s"),
        table::numbers("Oldest", "oldest_s"),
        table::numbers("Window", "window_s"),
        table::numbers("After the window", "after_window"),
    ];
    let rows = repetitions.iter().map(|sort| {
        let age = |share| table::span(quantile(sort.ages, share));
        let late = sort.too_late();
        vec![
            table::text(&sort.place.place),
            table::text(sort.sort()).tone(if sort.recognised { Tone::Faint } else { Tone::Plain }),
            table::count(sort.count()),
            age(0.5),
            age(0.99),
            age(1.0),
            table::span(sort.place.window),
            late.map_or_else(table::none, table::count),
        ]
    });
    let caption = format!("How old repetitions were when they came{}", doc.of_seed());
    Table::new("repetition-ages", caption, columns).rows(rows)
}

fn older(doc: &Doc<'_>, repetitions: &[Repetitions<'_>]) -> Plot {
    let shown = &repetitions[..repetitions.len().min(usize::from(SERIES))];
    let curves: Vec<Vec<(f64, f64)>> = shown.iter().map(Repetitions::older).collect();
    let windows = windows(shown);
    let ends = curves.iter().flatten().map(|(age, _)| *age).chain(windows.iter().map(|(_, window)| *window));
    let x = Axis::log("age: since the item first came there", Unit::Duration, ends);
    let lines = shown.iter().zip(&curves).zip(0..).map(|((sort, curve), ink)| {
        let points = curve.iter().map(|(age, share)| (*age, Some(*share))).collect();
        Layer::Line { label: sort.name(), ink: Ink::Series(ink), points }
    });
    let marks =
        windows.iter().map(|(label, at)| Layer::Mark { label: label.clone(), at: *at, ink: Ink::Bound });
    let oldest = shown.iter().filter_map(|sort| quantile(sort.ages, 1.0)).fold(0.0, f64::max);
    Plot {
        name: "repetition-age".to_owned(),
        title: format!("Age of repetitions: the share that was older{}", doc.of_seed()),
        desc: format!("The oldest was up to {} old.", duration(oldest)),
        x,
        y: Axis::linear("of the repetitions were older than this", Unit::Share, 0.0, 1.0),
        layers: lines.chain(marks).collect(),
        ..Plot::default()
    }
}

/// The windows in which the places recognise repetitions, each once.
fn windows(repetitions: &[Repetitions<'_>]) -> Vec<(String, f64)> {
    let mut windows: Vec<(Vec<&str>, f64)> = Vec::new();
    for place in repetitions.iter().map(|sort| sort.place) {
        let Some(window) = place.window.filter(|window| window.is_finite() && *window > 0.0) else {
            continue;
        };
        let found = windows.iter().position(|(_, known)| *known == window);
        let index = found.unwrap_or_else(|| {
            windows.push((Vec::new(), window));
            windows.len() - 1
        });
        if !windows[index].0.contains(&place.place.as_str()) {
            windows[index].0.push(&place.place);
        }
    }
    let told = |(places, window): (Vec<&str>, f64)| {
        let of = match places.as_slice() {
            [one, another, rest @ ..] if !rest.is_empty() => {
                format!("{one}, {another} and {} more", rest.len())
            }
            few => few.join(" and "),
        };
        (format!("window of {of}"), window)
    };
    windows.into_iter().map(told).collect()
}

fn age_numbers(repetitions: &[Repetitions<'_>]) -> Table {
    let columns = vec![
        table::words("Place", "place"),
        table::words("Repetitions", "sort"),
        table::numbers("Older than", "older_than_s"),
        table::numbers("Share", "share"),
    ];
    let rows = repetitions.iter().flat_map(|sort| {
        sort.older().into_iter().map(|(age, share)| {
            let (age, share) = (table::exact(Some(age)), table::exact(Some(share)));
            vec![table::text(&sort.place.place), table::text(sort.sort()), age, share]
        })
    });
    Table::new("repetition-age", "Age of repetitions", columns).rows(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::latency_bucket;

    fn place() -> PlaceOrder {
        PlaceOrder {
            place: "raw".into(),
            came: 100,
            overtaken: vec![(1, 6), (4, 3), (64, 1)],
            furthest: 70,
            again: vec![(latency_bucket(5.0), 3), (latency_bucket(2_000.0), 1)],
            recognised: vec![(latency_bucket(30.0), 9)],
            window: Some(600.0),
            ..PlaceOrder::default()
        }
    }

    #[test]
    fn each_step_counts_those_that_were_overtaken_by_at_least_so_many() {
        assert_eq!(at_least(&place()), [(1, 10), (4, 4), (64, 1)]);
    }

    #[test]
    fn what_came_after_the_window_is_told_apart() {
        let series = Series { order: vec![place()], ..Series::default() };
        let sorts = repetitions(&series);
        let told: Vec<_> = sorts.iter().map(|sort| (sort.sort(), sort.count(), sort.too_late())).collect();
        assert_eq!(told, [("came again", 4, Some(1)), ("recognised", 9, None)]);
        assert_eq!(sorts[0].older().last().map(|(_, share)| *share), Some(0.0));
        assert_eq!(windows(&sorts), [("window of raw".to_owned(), 600.0)]);
    }
}
