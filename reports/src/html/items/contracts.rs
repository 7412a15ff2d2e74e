//! The contracts: on how many items each was checked, what violates it, and how far it was put to the test.

use maud::html;

use super::Panel;
use crate::html::Error;
use crate::html::build::Build;
use crate::html::doc::Doc;
use crate::html::table::{self, Cell, Table, Tone};
use crate::results::{ContractResult, SeedResult};
use crate::verdict::Verdict;
use crate::words::{self, grouped};

pub(super) fn panel(build: &mut Build, doc: &Doc<'_>) -> Result<Panel, Error> {
    let seeds = &doc.results.seeds;
    let Some(first) = seeds.first() else {
        return Ok(Panel::Absent("no seed has finished".to_owned()));
    };
    if first.contracts.is_empty() {
        return Ok(Panel::Absent("the scenario makes no promises".to_owned()));
    }
    let mut columns = vec![
        table::words("Contract", "contract"),
        table::words("Verdict", "verdict"),
        table::words("Promises", "promises"),
        table::numbers("Items checked", "items_checked"),
        table::numbers("Items violating it", "items_violating"),
        table::words("How", "how"),
        table::words("First violation", "first_violation"),
    ];
    if doc.sweep() {
        columns.push(table::numbers("On seeds", "seeds_violating"));
    }
    let rows = (0..first.contracts.len()).filter_map(|index| row(doc, seeds, index));
    let caption = if doc.sweep() { "Contracts, over all seeds" } else { "Contracts" };
    let contracts = build.table(&Table::new("contracts", caption, columns).rows(rows))?;
    let doubts = doubts(first);
    Ok(Panel::Shown(html! {
        (contracts)
        p.note { (coverage(seeds)) }
        @if !doubts.is_empty() {
            ul { @for doubt in doubts { li { (doubt) } } }
        }
    }))
}

fn row(doc: &Doc<'_>, seeds: &[SeedResult], index: usize) -> Option<Vec<Cell>> {
    let all = || seeds.iter().filter_map(move |seed| Some((seed, seed.contracts.get(index)?)));
    let worst = all().map(|(_, contract)| contract.verdict).max()?;
    let contract = seeds.first()?.contracts.get(index)?;
    let failed = all().filter(|(_, contract)| contract.verdict == Verdict::Fail).count() as u64;
    let mut sum = ContractResult::default();
    for (reason, count) in all().flat_map(|(_, contract)| &contract.reasons) {
        *sum.reasons.entry(reason.clone()).or_default() += count;
    }
    let how: Vec<String> =
        sum.reasons.iter().map(|(reason, count)| format!("{} {reason}", grouped(*count))).collect();
    let of = format!("{} of {}", grouped(failed), grouped(seeds.len() as u64));
    let mut cells = vec![
        table::text(&contract.name).to(doc.line("always", &contract.name)),
        table::verdict(worst),
        table::text(&contract.rule).tone(Tone::Faint),
        table::count(all().map(|(_, contract)| contract.checked).sum()),
        table::count(all().map(|(_, contract)| contract.violated).sum()),
        table::text(how.join(", ")),
        violation(doc, all()),
    ];
    if doc.sweep() {
        cells.push(table::value(failed as f64, of));
    }
    Some(cells)
}

/// The first violation over the seeds: when, which item, and where its story is if the page tells it.
fn violation<'a>(doc: &Doc<'_>, mut all: impl Iterator<Item = (&'a SeedResult, &'a ContractResult)>) -> Cell {
    let first = all.find_map(|(seed, contract)| Some((seed, contract.violations.first()?)));
    let Some((seed, violation)) = first else { return table::none() };
    let at = violation.at_seconds.map_or(String::new(), |at| format!(" at {}", words::instant(at)));
    let which = if doc.sweep() { format!(", seed {}", seed.seed) } else { String::new() };
    let cell = table::text(format!("{}{at}{which}", violation.item));
    let told = super::story::told(doc).is_some_and(|told| std::ptr::eq(told.item, violation));
    cell.to(told.then(|| doc.link("story")))
}

/// Why contracts are inconclusive, in the first seed.
fn doubts(seed: &SeedResult) -> Vec<String> {
    let doubted = seed.contracts.iter().filter(|contract| !contract.doubt.is_empty());
    doubted.map(|contract| format!("{}: {}", contract.name, contract.doubt)).collect()
}

/// Whether the faults that the contracts are to survive were really there.
fn coverage(seeds: &[SeedResult]) -> String {
    let Some(first) = seeds.first().filter(|seed| !seed.faults.is_empty()) else {
        return "There were no faults: the contracts were checked in fair weather only.".to_owned();
    };
    let felt =
        |index: &usize| seeds.iter().any(|seed| seed.faults.get(*index).is_some_and(|fault| fault.felt > 0));
    let (felt, not): (Vec<usize>, Vec<usize>) = (0..first.faults.len()).partition(felt);
    let all = words::counted(first.faults.len() as u64, "fault");
    let names: Vec<&str> =
        not.iter().filter_map(|index| Some(first.faults.get(*index)?.name.as_str())).collect();
    match names.as_slice() {
        [] => format!("Put to the test by {all}, each felt by somebody."),
        names => format!("Put to the test by {} of {all}; nobody felt {}.", felt.len(), names.join(", ")),
    }
}
