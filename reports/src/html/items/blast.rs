//! The blast radius: for each fault and each door, how much of the success was lost while it was active.

use maud::html;

use super::Panel;
use crate::html::Error;
use crate::html::build::Build;
use crate::html::doc::{Doc, NO_SERIES, at, middle};
use crate::html::plot::Shade;
use crate::html::table::{self, Cell, Table, Tone};
use crate::results::FaultResult;
use crate::series::{DoorSeries, Series};
use crate::words::percent;

pub(super) fn panel(build: &mut Build, doc: &Doc<'_>) -> Result<Panel, Error> {
    let (Some(series), Some(seed)) = (doc.series, doc.focus) else {
        return Ok(Panel::Absent(NO_SERIES.to_owned()));
    };
    let active: Vec<&FaultResult> = seed.faults.iter().filter(|fault| !fault.windows.is_empty()).collect();
    if active.is_empty() || series.doors.is_empty() {
        return Ok(Panel::Absent("no fault was active while items were offered".to_owned()));
    }
    let mut columns = vec![
        table::words("Fault", "fault"),
        table::words("What", "what"),
        table::words("Component", "component"),
    ];
    columns.extend(
        series.doors.iter().map(|door| table::numbers(&door.door, &format!("lost_share_at_{}", door.door))),
    );
    columns.push(table::numbers("Detected after", "detected_after_s"));
    let rows = active.iter().map(|fault| {
        let mut cells = vec![table::text(&fault.name), table::text(&fault.fault), table::text(&fault.target)];
        cells.extend(series.doors.iter().map(|door| cell(&loss(doc, series, door, fault))));
        cells.push(table::span(fault.detected_after));
        cells
    });
    let caption = format!("Success lost at each door while a fault was active{}", doc.of_seed());
    let table = build.table(&Table::new("blast-radius", caption, columns).rows(rows))?;
    Ok(Panel::Shown(html! {
        (table)
        p.note {
            "Percentage points of success less than before the fault began, while no other timed fault was active. What "
            "strikes by chance is compared with the time between its strikes. Of timed faults that overlap, each is "
            "charged with all that was lost."
        }
    }))
}

/// How much less success there was.
#[derive(Debug, PartialEq)]
enum Loss {
    /// So much, as a share of the items offered.
    Of(f64),
    /// Nothing was offered while it was active.
    Idle,
    /// It struck only while others were active.
    Crowded,
    /// There was no time without faults before it.
    NoBefore,
}

fn loss(doc: &Doc<'_>, series: &Series, door: &DoorSeries, fault: &FaultResult) -> Loss {
    let struck = |bin: usize, windows: &[[f64; 2]]| {
        windows.iter().any(|[from, to]| series.at(bin + 1) > *from && series.at(bin) < *to)
    };
    let timed = |shade: &&Shade| !shade.chance && !shade.always && shade.name != fault.name;
    let calm = |bin: usize| doc.shades.iter().filter(timed).all(|shade| !struck(bin, &shade.windows));
    let by_it = |bin: usize| struck(bin, &fault.windows);
    let begins = fault.windows.iter().map(|window| window[0]).fold(f64::INFINITY, f64::min);
    let ends = fault.windows.iter().map(|window| window[1]).fold(f64::NEG_INFINITY, f64::max);
    let all = doc.counted().into_iter();
    let (before, during): (Vec<usize>, Vec<usize>) = if fault.random {
        // It strikes again and again: what it does is seen between its strikes, as far as those are known.
        all.filter(|bin| calm(*bin) && series.at(*bin) <= ends).partition(|bin| !by_it(*bin))
    } else {
        let near = |bin: &usize| by_it(*bin) || (middle(series, *bin) < begins && calm(*bin));
        all.filter(near).partition(|bin| !by_it(*bin))
    };
    let (before, during) = (share(door, before.into_iter()), share(door, during.into_iter()));
    match (before, during) {
        (_, None) if fault.random => Loss::Crowded,
        (_, None) => Loss::Idle,
        (None, _) => Loss::NoBefore,
        (Some(before), Some(during)) => Loss::Of((before - during).max(0.0)),
    }
}

fn share(door: &DoorSeries, bins: impl Iterator<Item = usize>) -> Option<f64> {
    let (mut offered, mut ok) = (0, 0);
    for bin in bins {
        offered += at(&door.offered, bin);
        ok += at(&door.ok, bin);
    }
    (offered > 0).then(|| ok as f64 / offered as f64)
}

fn cell(loss: &Loss) -> Cell {
    let words = |text: &str| Cell { raw: Some(String::new()), ..table::text(text).tone(Tone::Faint) };
    match loss {
        Loss::Idle => words("nothing offered"),
        Loss::Crowded => words("never alone"),
        Loss::NoBefore => words("no time before"),
        Loss::Of(lost) => {
            let level = match lost {
                lost if *lost < 0.000_5 => 0,
                lost if *lost < 0.01 => 1,
                lost if *lost < 0.1 => 2,
                lost if *lost < 0.5 => 3,
                _ => 4,
            };
            let text = if *lost < 5e-6 { "0".to_owned() } else { format!("-{}", percent(*lost)) };
            table::value(*lost, text).tone(Tone::Heat(level))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::fixture;

    #[test]
    fn what_is_lost_is_told_against_the_time_before() {
        let results = fixture::run();
        let doc = Doc::new(&results, 0);
        let series = doc.series.expect("series");
        let of = |name: &str| {
            let fault = results.seeds[0].faults.iter().find(|fault| fault.name == name).expect("fault");
            loss(&doc, series, &series.doors[0], fault)
        };
        let Loss::Of(zone) = of("zone-lost") else { panic!("it is known") };
        assert!((0.05..0.08).contains(&zone), "a quarter for 70 s of 300 s: {zone}");
        assert_eq!((of("bus-throttled"), of("poison")), (Loss::Of(0.0), Loss::NoBefore));
    }
}
