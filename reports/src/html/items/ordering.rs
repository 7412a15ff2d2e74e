//! Order and repetition: what came twice and was recognised, what was not, and what overtook what.

use maud::html;

use super::tracks::{self, Track, ranked};
use super::{Panel, distances};
use crate::html::Error;
use crate::html::build::Build;
use crate::html::doc::Doc;
use crate::html::plot::{Plot, Unit};
use crate::html::table::{self, Table, Tone};
use crate::results::{ContractResult, SeedResult};
use crate::words::grouped;

pub(super) fn panel(build: &mut Build, doc: &Doc<'_>) -> Result<Panel, Error> {
    let Some(seed) = doc.focus else { return Ok(Panel::Absent("no seed has finished".to_owned())) };
    let mut parts = Vec::new();
    let contracts = contracts(doc);
    if !contracts.rows.is_empty() {
        parts.push(build.table(&contracts)?);
    }
    let places = places(doc, seed);
    if !places.rows.is_empty() {
        parts.push(build.table(&places)?);
    }
    if let Some(series) = doc.series {
        let absorbed = series.places.iter().map(|place| Track::rates(&place.place, &place.absorbed, series));
        let absorbed = ranked(absorbed.collect());
        if !absorbed.is_empty() {
            let plot = Plot {
                title: format!("Repetitions that were recognised and had no effect{}", doc.of_seed()),
                desc: format!("Most at {}.", absorbed[0].name),
                ..tracks::plot(doc, series, "absorbed", "repetitions a second", Unit::Number, &absorbed)
            };
            parts.push(build.figure(&plot, &tracks::sheet(series, "absorbed", &absorbed))?);
            parts.extend(tracks::rest(&absorbed).map(|note| html! { p.note { (note) } }));
        }
        parts.extend(distances::parts(build, doc, series)?);
    }
    if parts.is_empty() {
        return Ok(Panel::Absent("nothing was repeated, and no contract is about order".to_owned()));
    }
    Ok(Panel::Shown(html! {
        @for part in parts { (part) }
    }))
}

/// Contracts about order and about effects that must not come twice.
fn contracts(doc: &Doc<'_>) -> Table {
    let columns = vec![
        table::words("Contract", "contract"),
        table::words("Verdict", "verdict"),
        table::words("Promises", "promises"),
        table::numbers("Items checked", "items_checked"),
        table::numbers("More than one effect", "doubled"),
        table::numbers("Overtaken", "reordered"),
    ];
    let seeds = &doc.results.seeds;
    let about = |contract: &&ContractResult| {
        let kinds = ["ordered ", "at-most-once ", "exactly-once ", "at-least-once "];
        kinds.iter().any(|kind| contract.rule.starts_with(kind))
    };
    let first = seeds.first().map_or(&[][..], |seed| seed.contracts.as_slice());
    let rows = first.iter().enumerate().filter(|(_, contract)| about(contract)).map(|(index, contract)| {
        let all = || seeds.iter().filter_map(move |seed| seed.contracts.get(index));
        let worst = all().map(|contract| contract.verdict).max().unwrap_or_default();
        let reason = |word: &str| all().filter_map(|contract| contract.reasons.get(word)).sum::<u64>();
        let doubled: u64 = all().map(|contract| contract.fates.doubled).sum();
        vec![
            table::text(&contract.name),
            table::verdict(worst),
            table::text(&contract.rule).tone(Tone::Faint),
            table::count(all().map(|contract| contract.checked).sum()),
            table::count(doubled.max(reason("doubled"))),
            table::count(reason("reordered")),
        ]
    });
    let caption = if doc.sweep() {
        "Contracts about order and repetition, over all seeds"
    } else {
        "Contracts about order and repetition"
    };
    Table::new("order", caption, columns).rows(rows)
}

/// Places that recognised repetitions, or where effects were taken back.
fn places(doc: &Doc<'_>, seed: &SeedResult) -> Table {
    let columns = vec![
        table::words("Place", "place"),
        table::numbers("Came", "came"),
        table::numbers("Repetitions without effect", "absorbed"),
        table::numbers("For each that came", "absorbed_share"),
        table::numbers("Effects taken back", "undone"),
    ];
    let odd = seed.ledger.places.iter().filter(|place| place.absorbed > 0 || place.undone > 0);
    let rows = odd.map(|place| {
        let came = place.born + place.moved_in;
        let share = (came > 0).then(|| place.absorbed as f64 / came as f64);
        vec![
            table::text(&place.place),
            table::value(came as f64, grouped(came)),
            table::count(place.absorbed),
            table::share(share),
            table::count(place.undone),
        ]
    });
    Table::new("repetitions", format!("Repetitions{}", doc.of_seed()), columns).rows(rows)
}
