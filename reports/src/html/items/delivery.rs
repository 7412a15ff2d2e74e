//! The ledger of deliveries: what became of every item that was offered, as a flow that adds up.

use maud::{Markup, html};

use super::Panel;
use crate::html::Error;
use crate::html::build::Build;
use crate::html::doc::Doc;
use crate::html::plot::{Bar, Ink, Sankey};
use crate::html::table::{self, Cell, Table, Tone};
use crate::results::{ContractResult, Fates, FlowRow, PlaceRow, SeedResult, SendRow};
use crate::verdict::Verdict;
use crate::words::grouped;

/// As it should be, as it should not be, and between.
const GOOD: Ink = Ink::Series(2);
const BAD: Ink = Ink::Series(1);
const ODD: Ink = Ink::Series(5);
/// So many violated contracts of a flow have a picture of their own.
const PICTURES: usize = 3;

pub(super) fn panel(build: &mut Build, doc: &Doc<'_>) -> Result<Panel, Error> {
    let Some(seed) = doc.focus.filter(|seed| !seed.ledger.flows.is_empty()) else {
        return Ok(Panel::Absent("the books have no flow".to_owned()));
    };
    let mut parts = Vec::new();
    for flow in seed.ledger.flows.iter().filter(|flow| flow.offered > 0) {
        let contract = followed(seed, flow);
        let sankey = sankey(doc, flow, contract);
        parts.push(build.figure(&sankey, &flow_numbers(&sankey))?);
        parts.push(sum(flow));
        if let Some(contract) = contract.filter(|contract| covers(contract, flow)) {
            parts.push(html! {
                p.note { "The last column is what the contract " bdi { (contract.name) } " found of the accepted." }
            });
        }
        let others = seed.contracts.iter().filter(|contract| elsewhere(contract, flow));
        for contract in others.take(PICTURES) {
            let sankey = covered(doc, flow, contract);
            parts.push(build.figure(&sankey, &flow_numbers(&sankey))?);
        }
    }
    if seed.contracts.iter().any(|contract| known(&contract.fates) > 0) {
        parts.push(build.table(&fates(doc, seed))?);
    }
    if !seed.ledger.places.is_empty() {
        parts.push(build.table(&places(doc, seed))?);
    }
    if !seed.ledger.sends.is_empty() {
        parts.push(build.table(&sends(doc, seed))?);
    }
    Ok(Panel::Shown(html! { @for part in parts { (part) } }))
}

/// What can become of an item whose acceptance is known.
fn outcomes(fates: &Fates) -> [(&'static str, u64, Ink); 11] {
    [
        ("effected", fates.effected, GOOD),
        ("doubled", fates.doubled, ODD),
        ("parked", fates.parked, ODD),
        ("superseded", fates.superseded, ODD),
        ("on the way at the end", fates.late, ODD),
        ("held", fates.held, BAD),
        ("stranded", fates.stranded, BAD),
        ("dead-lettered", fates.dead_lettered, BAD),
        ("expired", fates.expired, BAD),
        ("discarded", fates.discarded, BAD),
        ("lost", fates.lost, BAD),
    ]
}

fn known(fates: &Fates) -> u64 {
    outcomes(fates).iter().map(|(_, count, _)| count).sum()
}

/// Whether a contract is about all items that were accepted at the door, and no others.
fn covers(contract: &ContractResult, flow: &FlowRow) -> bool {
    known(&contract.fates) == flow.accepted
}

/// The contract whose fates the picture follows: about this flow and about effects that must be there; one that
/// covers all that was accepted first, then one that is violated.
fn followed<'a>(seed: &'a SeedResult, flow: &FlowRow) -> Option<&'a ContractResult> {
    let about = |contract: &&ContractResult| {
        let (kind, of) = contract.rule.split_once(' ').unwrap_or_default();
        of == flow.flow && matches!(kind, "at-least-once" | "exactly-once") && known(&contract.fates) > 0
    };
    let weight = |contract: &&ContractResult| {
        let exactly = contract.rule.starts_with("exactly-once");
        (covers(contract, flow), contract.verdict == Verdict::Fail, exactly)
    };
    seed.contracts.iter().filter(about).rev().max_by_key(weight)
}

fn sankey(doc: &Doc<'_>, flow: &FlowRow, contract: Option<&ContractResult>) -> Sankey {
    let bar =
        |label: &str, count: u64, ink: Ink, from: usize| Bar { label: label.to_owned(), count, ink, from };
    let answers = [
        ("accepted", flow.accepted, GOOD),
        ("refused", flow.refused, ODD),
        ("failed", flow.failed, BAD),
        ("unknown", flow.unknown, ODD),
        ("open at the end", flow.open, ODD),
    ];
    let answers: Vec<(&str, u64, Ink)> = answers.into_iter().filter(|(_, count, _)| *count > 0).collect();
    let place = |label: &str| answers.iter().position(|(other, ..)| *other == label);
    let second: Vec<Bar> = answers.iter().map(|(label, count, ink)| bar(label, *count, *ink, 0)).collect();
    let mut third = Vec::new();
    if let Some(contract) = contract.filter(|contract| covers(contract, flow)) {
        let some = |(_, count, _): &(&str, u64, Ink)| *count > 0;
        if let Some(from) = place("accepted") {
            third.extend(
                outcomes(&contract.fates)
                    .into_iter()
                    .filter(some)
                    .map(|(label, count, ink)| bar(label, count, ink, from)),
            );
        }
        let (done, absent) = (contract.fates.unknown_effected, contract.fates.unknown_absent);
        if let Some(from) = place("unknown").filter(|_| done + absent <= flow.unknown) {
            let rest = flow.unknown - done - absent;
            let all =
                [("with an effect", done, ODD), ("without effect", absent, ODD), ("not followed", rest, ODD)];
            third
                .extend(all.into_iter().filter(some).map(|(label, count, ink)| bar(label, count, ink, from)));
        }
    }
    let mut columns = vec![vec![bar("offered", flow.offered, Ink::Series(0), 0)], second];
    if !third.is_empty() {
        columns.push(third);
    }
    Sankey {
        name: format!("delivery-{}", flow.flow),
        title: format!("What became of {}{}", flow.flow, doc.of_seed()),
        desc: told(&columns),
        columns,
    }
}

/// The columns of a picture in words.
fn told(columns: &[Vec<Bar>]) -> String {
    let bar = |bar: &Bar| format!("{} {}", grouped(bar.count), bar.label);
    let column = |column: &Vec<Bar>| column.iter().map(bar).collect::<Vec<_>>().join(", ");
    format!("{}.", columns.iter().map(column).collect::<Vec<_>>().join("; of these "))
}

fn flow_numbers(sankey: &Sankey) -> Table {
    let columns = vec![
        table::numbers("Step", "step"),
        table::words("From", "from"),
        table::words("What", "what"),
        table::numbers("Items", "items"),
    ];
    let rows = sankey.columns.iter().enumerate().flat_map(|(step, bars)| {
        bars.iter().map(move |bar| {
            let from = step.checked_sub(1).and_then(|before| sankey.columns[before].get(bar.from));
            let from = from.map_or("", |from| from.label.as_str());
            vec![
                table::count(step as u64 + 1),
                table::text(from),
                table::text(&bar.label),
                table::count(bar.count),
            ]
        })
    });
    Table::new(&sankey.name, &sankey.title, columns).rows(rows)
}

/// That the books of a flow add up, or that they do not.
fn sum(flow: &FlowRow) -> Markup {
    let parts = [
        ("accepted", flow.accepted),
        ("refused", flow.refused),
        ("failed", flow.failed),
        ("unknown", flow.unknown),
        ("open", flow.open),
    ];
    let all: u64 = parts.iter().map(|(_, count)| count).sum();
    let some = parts.iter().filter(|(_, count)| *count > 0);
    let told: Vec<String> = some.map(|(word, count)| format!("{} {word}", grouped(*count))).collect();
    let told = if told.is_empty() { "0".to_owned() } else { told.join(" + ") };
    html! {
        p {
            bdi { (flow.flow) } ": " (grouped(flow.offered)) " offered "
            @if all == flow.offered { "= " (told) "." }
            @else { strong.bad { "is not " (told) " = " (grouped(all)) ": the books do not balance." } }
        }
    }
}

/// Whether a contract about this flow is violated, and about other items than those accepted at the door.
fn elsewhere(contract: &&ContractResult, flow: &FlowRow) -> bool {
    let of = contract.rule.split_once(' ').map_or("", |(_, of)| of);
    let known = known(&contract.fates);
    contract.verdict == Verdict::Fail && of == flow.flow && known > 0 && known != flow.accepted
}

/// What became of the items that a contract is about.
fn covered(doc: &Doc<'_>, flow: &FlowRow, contract: &ContractResult) -> Sankey {
    let all =
        Bar { label: "accepted".to_owned(), count: known(&contract.fates), ink: Ink::Series(0), from: 0 };
    let fates = outcomes(&contract.fates).into_iter().filter(|(_, count, _)| *count > 0);
    let fates = fates.map(|(label, count, ink)| Bar { label: label.to_owned(), count, ink, from: 0 });
    let columns = vec![vec![all], fates.collect()];
    Sankey {
        name: format!("delivery-{}", contract.name),
        title: format!("What became of {}, as {} counts them{}", flow.flow, contract.name, doc.of_seed()),
        desc: told(&columns),
        columns,
    }
}

fn fates(doc: &Doc<'_>, seed: &SeedResult) -> Table {
    let contracts: Vec<&ContractResult> =
        seed.contracts.iter().filter(|contract| known(&contract.fates) > 0).collect();
    let names = outcomes(&Fates::default()).map(|(name, ..)| name);
    let of = |fates: &Fates, index: usize| outcomes(fates)[index].1;
    // Columns in which there is nothing but zeros say nothing.
    let used: Vec<usize> = (0..names.len())
        .filter(|index| *index == 0 || contracts.iter().any(|contract| of(&contract.fates, *index) > 0))
        .collect();
    let mut columns = vec![table::words("Contract", "contract"), table::numbers("Items", "items")];
    columns.extend(
        used.iter().map(|index| table::numbers(names[*index], &names[*index].replace([' ', '-'], "_"))),
    );
    columns.push(table::numbers("unknown, with an effect", "unknown_effected"));
    columns.push(table::numbers("unknown, without", "unknown_absent"));
    let rows = contracts.iter().map(|contract| {
        let mut cells = vec![table::text(&contract.name), table::count(known(&contract.fates))];
        cells.extend(used.iter().map(|index| {
            let bad = outcomes(&contract.fates)[*index].2 == BAD && of(&contract.fates, *index) > 0;
            table::count(of(&contract.fates, *index)).tone(if bad { Tone::Odd } else { Tone::Plain })
        }));
        cells.extend([
            table::count(contract.fates.unknown_effected),
            table::count(contract.fates.unknown_absent),
        ]);
        cells
    });
    let caption = format!("What became of the items that each contract is about{}", doc.of_seed());
    Table::new("fates", caption, columns).rows(rows)
}

fn places(doc: &Doc<'_>, seed: &SeedResult) -> Table {
    let names = ["Born", "Moved in", "Ended", "Moved out", "Held", "Expired", "Discarded", "Destroyed"];
    let of = |place: &PlaceRow| {
        [
            place.born,
            place.moved_in,
            place.ended,
            place.moved_out,
            place.held,
            place.expired,
            place.discarded,
            place.destroyed,
        ]
    };
    let used: Vec<usize> = (0..names.len())
        .filter(|index| *index < 5 || seed.ledger.places.iter().any(|place| of(place)[*index] > 0))
        .collect();
    let mut columns = vec![table::words("Place", "place")];
    columns.extend(
        used.iter()
            .map(|index| table::numbers(names[*index], &names[*index].to_lowercase().replace(' ', "_"))),
    );
    columns.push(table::words("Adds up", "adds_up"));
    let rows = seed.ledger.places.iter().map(|place| {
        let mut cells = vec![table::text(&place.place)];
        cells.extend(used.iter().map(|index| table::count(of(place)[*index])));
        let same = place.born + place.moved_in == place.ended + place.moved_out + place.held;
        cells.push(table::text(if same { "yes" } else { "no" }).tone(if same {
            Tone::Good
        } else {
            Tone::Bad
        }));
        cells
    });
    let caption = format!("Copies: born + moved in = ended + moved out + held{}", doc.of_seed());
    let mut table = Table::new("copies", caption, columns).rows(rows);
    table.shown = 24;
    table
}

/// What callers believe, and what was done.
fn sends(doc: &Doc<'_>, seed: &SeedResult) -> Table {
    let beliefs = ["ok", "refused", "failed", "unknown", "unanswered"];
    let deeds = ["stored", "suppressed", "rejected", "never_arrived"];
    let mut columns = vec![
        table::words("Called", "called"),
        table::numbers("Calls", "calls"),
        table::numbers("Said yes", "said_yes"),
        table::numbers("Of them repetitions", "said_yes_suppressed"),
        table::numbers("Definite no", "definite_no"),
        table::numbers("Unknown, yet done", "unknown_stored"),
        table::numbers("Unknown, not done", "unknown_not_stored"),
        table::numbers("Never answered", "never_answered"),
    ];
    let whole = beliefs.iter().flat_map(|belief| deeds.map(|deed| format!("{belief}_{deed}")));
    columns.extend(whole.map(|name| table::hidden(&name)));
    let rows = seed.ledger.sends.iter().map(row);
    let caption = format!("Calls: what callers believe, and what was done{}", doc.of_seed());
    let mut table = Table::new("beliefs", caption, columns).rows(rows);
    table.shown = 24;
    table
}

fn row(send: &SendRow) -> Vec<Cell> {
    let sum = |belief: usize| send.matrix[belief].iter().sum::<u64>();
    let unknown = &send.matrix[3];
    let mut cells = vec![
        table::text(&send.target),
        table::count(send.sent),
        table::count(sum(0)),
        table::count(send.matrix[0][1]),
        table::count(sum(1) + sum(2)),
        table::count(unknown[0] + unknown[1]).tone(if unknown[0] > 0 { Tone::Odd } else { Tone::Plain }),
        table::count(unknown[2] + unknown[3]),
        table::count(sum(4)),
    ];
    cells.extend(send.matrix.iter().flatten().map(|count| table::count(*count)));
    cells
}
