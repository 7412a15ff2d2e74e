//! Seeds: how the numbers of the objectives differ from seed to seed, and which seeds to look at.

use maud::{Markup, html};

use super::Panel;
use super::objectives::{main_number, median, target, told};
use crate::html::Error;
use crate::html::build::Build;
use crate::html::doc::Doc;
use crate::html::plot::{Axis, Ink, Layer, Plot, Shape, Unit};
use crate::html::table::{self, Cell, Table};
use crate::results::{ObjectiveResult, SeedResult};
use crate::text::replay_command;
use crate::words::grouped;

/// So many seeds are named.
const WORST: usize = 5;
/// Up to so many seeds each is a point; of more their number is drawn.
const POINTS: usize = 60;
/// So many columns has a distribution.
const COLUMNS: usize = 48;

pub(super) fn panel(build: &mut Build, doc: &Doc<'_>) -> Result<Panel, Error> {
    if !doc.sweep() {
        return Ok(Panel::Silent);
    }
    let seeds = &doc.results.seeds;
    let worst = build.table(&worst(doc))?;
    let mut strips: Vec<Markup> = Vec::new();
    let first = seeds.first().map_or(&[][..], |seed| seed.objectives.as_slice());
    let mut alike = Vec::new();
    for (index, objective) in first.iter().enumerate() {
        let Some(values) = Values::of(seeds, index) else { continue };
        if values.least() == values.most() {
            alike.push(format!("{}: {}", objective.name, told(values.name, values.least())));
            continue;
        }
        strips.push(build.figure(&strip(&values), &numbers(&values))?);
    }
    let all = build.sheet(&all(doc))?;
    Ok(Panel::Shown(html! {
        (worst)
        p.more { "All " (grouped(seeds.len() as u64)) " seeds, with the numbers of every objective: " a.file href=(all) { "CSV" } }
        @for strip in strips { (strip) }
        @if !alike.is_empty() { p.note { "The same on every seed: " (alike.join("; ")) "." } }
    }))
}

/// The number of one objective, seed by seed.
struct Values<'a> {
    objective: &'a ObjectiveResult,
    name: &'static str,
    /// By seed.
    all: Vec<(u64, f64)>,
    /// Seeds that have none: it never came to that.
    never: usize,
    bound: Option<f64>,
}

impl<'a> Values<'a> {
    fn of(seeds: &'a [SeedResult], index: usize) -> Option<Values<'a>> {
        let each = || seeds.iter().filter_map(move |seed| Some((seed.seed, seed.objectives.get(index)?)));
        let (name, objective) =
            each().find_map(|(_, objective)| Some((main_number(objective)?, objective)))?;
        let number = |objective: &ObjectiveResult| objective.numbers.0.get(name).copied();
        let all: Vec<(u64, f64)> =
            each().filter_map(|(seed, objective)| Some((seed, number(objective)?))).collect();
        let never = seeds.len() - all.len();
        let bound = each().find_map(|(_, objective)| bound(objective, number(objective)?));
        Some(Values { objective, name, all, never, bound })
    }

    fn sorted(&self) -> Vec<f64> {
        let mut values: Vec<f64> = self.all.iter().map(|(_, value)| *value).collect();
        values.sort_by(f64::total_cmp);
        values
    }

    fn least(&self) -> f64 {
        self.all.iter().map(|(_, value)| *value).fold(f64::INFINITY, f64::min)
    }

    fn most(&self) -> f64 {
        self.all.iter().map(|(_, value)| *value).fold(f64::NEG_INFINITY, f64::max)
    }
}

/// The bound, from how far the number is from it; only where the bound is about this number alone.
fn bound(objective: &ObjectiveResult, value: f64) -> Option<f64> {
    if let Some(share) = target(objective) {
        return Some(share);
    }
    let single = !objective.target.contains(',');
    let margin = objective.margin.filter(|margin| single && *margin < 1.0 && value > 0.0)?;
    // It was given as a share of the bound.
    Some(value / (1.0 - margin))
}

fn strip(values: &Values<'_>) -> Plot {
    let unit = match values.name {
        "share" => Unit::Share,
        "count" | "items" => Unit::Number,
        _ => Unit::Duration,
    };
    // A bound far away would leave no room for the seeds.
    let (least, most) = (values.least(), values.most());
    let width = most - least;
    let near = values.bound.filter(|bound| *bound > least - 2.0 * width && *bound < most + 2.0 * width);
    let ends = [Some(least), Some(most), near].into_iter().flatten();
    let (low, high) =
        ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), end| (low.min(end), high.max(end)));
    let room = (high - low) * 0.04;
    let roof = if unit == Unit::Share { 1.0 } else { f64::INFINITY };
    let label = format!("target: {}", values.objective.target);
    let x = if low > 0.0 && high / low > 50.0 && unit != Unit::Share {
        Axis::log(&label, unit, [low, high].into_iter())
    } else {
        Axis::linear(&label, unit, (low - room).max(0.0), (high + room).min(roof))
    };
    let mut layers = vec![seeds(values, &x)];
    if let Some(median) = median(values.sorted()) {
        layers.push(Layer::Mark {
            label: format!("median {}", told(values.name, median)),
            at: median,
            ink: Ink::Text,
        });
    }
    if let Some(bound) = near {
        layers.push(Layer::Mark { label: "bound".into(), at: bound, ink: Ink::Bound });
    }
    Plot {
        name: format!("seeds-{}", values.objective.name),
        title: format!("{} ({}), seed by seed", values.objective.name, values.objective.measure),
        desc: desc(values),
        x,
        y: Axis::linear("", Unit::Number, 0.0, 1.0),
        rows: vec!["seeds".to_owned()],
        height: Some(72.0),
        layers,
        ..Plot::default()
    }
}

/// Seeds as points one above the other, or as a distribution.
fn seeds(values: &Values<'_>, x: &Axis) -> Layer {
    let mut columns = vec![0usize; COLUMNS];
    let column = |value: f64| ((x.place(value) * COLUMNS as f64) as usize).min(COLUMNS - 1);
    for (_, value) in &values.all {
        columns[column(*value)] += 1;
    }
    let most = columns.iter().copied().max().unwrap_or(1).max(1) as f64;
    if values.all.len() > POINTS {
        let label = format!(
            "{} seeds, at most {} in a column",
            grouped(values.all.len() as u64),
            grouped(most as u64)
        );
        let columns = columns.into_iter().enumerate().filter(|(_, count)| *count > 0);
        let edge = |column: usize| column as f64 / COLUMNS as f64;
        let columns = columns.map(|(at, count)| (edge(at), edge(at + 1), count as f64 / most)).collect();
        return Layer::Columns { label, ink: Ink::Series(0), columns };
    }
    let mut below = vec![0usize; COLUMNS];
    let points = values.sorted().into_iter().map(|value| {
        let stack = &mut below[column(value)];
        *stack += 1;
        (value, (*stack as f64 - 0.5) / most.max(6.0))
    });
    Layer::Points {
        label: "a seed each".into(),
        ink: Ink::Series(0),
        shape: Shape::Dot,
        points: points.collect(),
    }
}

fn desc(values: &Values<'_>) -> String {
    let sorted = values.sorted();
    let at = |share: f64| {
        let place = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
        sorted.get(place).map_or(String::new(), |value| told(values.name, *value))
    };
    let never = match values.never {
        0 => String::new(),
        never => format!(" {} seeds have no number.", grouped(never as u64)),
    };
    format!("From {} to {}; the middle 80 % from {} to {}.{never}", at(0.0), at(1.0), at(0.1), at(0.9))
}

fn numbers(values: &Values<'_>) -> Table {
    let columns = vec![table::numbers("Seed", "seed"), table::numbers(values.name, values.name)];
    let rows = values
        .all
        .iter()
        .map(|(seed, value)| vec![table::value(*seed as f64, seed.to_string()), table::exact(Some(*value))]);
    Table::new(&format!("seeds-{}", values.objective.name), "Seeds", columns).rows(rows)
}

/// The worst seeds first: by verdict, then by the objective with least to spare.
fn ranked<'a>(doc: &Doc<'a>) -> Vec<&'a SeedResult> {
    let mut seeds: Vec<&SeedResult> = doc.results.seeds.iter().collect();
    let violated = |seed: &SeedResult| seed.contracts.iter().map(|contract| contract.violated).sum::<u64>();
    seeds.sort_by(|a, b| {
        let margins = margin(a).unwrap_or(f64::INFINITY).total_cmp(&margin(b).unwrap_or(f64::INFINITY));
        b.verdict.cmp(&a.verdict).then(violated(b).cmp(&violated(a))).then(margins).then(a.seed.cmp(&b.seed))
    });
    seeds
}

fn margin(seed: &SeedResult) -> Option<f64> {
    seed.objectives.iter().filter_map(|objective| objective.margin).min_by(f64::total_cmp)
}

fn worst(doc: &Doc<'_>) -> Table {
    let columns = vec![
        table::numbers("Seed", "seed"),
        table::words("Verdict", "verdict"),
        table::words("Why", "why"),
        table::numbers("Least margin", "least_margin_share"),
        table::words("See it again", "command"),
    ];
    let rows = ranked(doc).into_iter().take(WORST).map(|seed| {
        vec![
            number(seed.seed),
            table::verdict(seed.verdict),
            table::text(&seed.cause),
            margin(seed)
                .map_or_else(table::none, |margin| table::value(margin, format!("{:+.0} %", margin * 100.0))),
            table::code(replay_command(doc.results, seed.seed)),
        ]
    });
    Table::new("worst-seeds", format!("The worst {WORST} seeds"), columns).rows(rows)
}

fn number(seed: u64) -> Cell {
    Cell { raw: Some(seed.to_string()), ..table::text(seed.to_string()) }
}

/// Every seed with all of its numbers.
fn all(doc: &Doc<'_>) -> Table {
    let seeds = &doc.results.seeds;
    let first = seeds.first().map_or(&[][..], |seed| seed.objectives.as_slice());
    let mut columns = vec![
        table::numbers("Seed", "seed"),
        table::words("Verdict", "verdict"),
        table::numbers("Violations", "items_violating"),
        table::numbers("Least margin", "least_margin_share"),
    ];
    columns.extend(first.iter().map(|objective| table::numbers(&objective.name, &objective.name)));
    columns.push(table::words("Digest", "digest"));
    columns.push(table::words("Why", "why"));
    let names: Vec<Option<&'static str>> = (0..first.len())
        .map(|index| seeds.iter().find_map(|seed| main_number(seed.objectives.get(index)?)))
        .collect();
    let rows = seeds.iter().map(|seed| {
        let violated = seed.contracts.iter().map(|contract| contract.violated).sum();
        let mut cells = vec![
            number(seed.seed),
            table::verdict(seed.verdict),
            table::count(violated),
            table::exact(margin(seed)),
        ];
        cells.extend(names.iter().enumerate().map(|(index, name)| {
            let number = name.and_then(|name| seed.objectives.get(index)?.numbers.0.get(name).copied());
            table::exact(number)
        }));
        cells.extend([table::text(&seed.digest), table::text(&seed.cause)]);
        cells
    });
    Table::new("seeds", "Seeds", columns).rows(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::fixture;
    use crate::verdict::Verdict;

    #[test]
    fn the_worst_seeds_come_first_and_the_bound_is_found() {
        let mut results = fixture::sweep(9);
        results.seeds[4].verdict = Verdict::Error;
        results.seeds[7].contracts[1].violated = 99;
        let doc = Doc::new(&results, 0);
        let order: Vec<u64> = ranked(&doc).into_iter().map(|seed| seed.seed).take(2).collect();
        assert_eq!(order, [5, 8]);
        let values = Values::of(&results.seeds, 1).expect("numbers");
        assert!(values.bound.is_some_and(|bound| (bound - 0.8).abs() < 1e-9), "{:?}", values.bound);
        assert_eq!(Values::of(&results.seeds, 0).and_then(|values| values.bound), Some(0.995));
    }
}
