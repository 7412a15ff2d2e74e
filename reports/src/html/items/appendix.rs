//! The appendix: what exactly was run, with what, and how long that took.

use maud::{Markup, html};

use super::Panel;
use crate::design::Source;
use crate::html::Error;
use crate::html::build::Build;
use crate::html::doc::Doc;
use crate::html::table::{self, Table};
use crate::results::{Lateness, NATIVE, SeedResult};
use crate::words::{counted, duration, grouped, percent, rate};

pub(super) fn panel(build: &mut Build, doc: &Doc<'_>) -> Result<Panel, Error> {
    let results = doc.results;
    let columns = vec![table::words("What", "what"), table::words("Value", "value")];
    let mut rows = vec![
        ("Scenario", results.scenario.clone()),
        ("Variant", doc.variant().to_owned()),
        ("File of the scenario", results.path.clone()),
        ("Hash of the scenario as resolved", results.scenario_hash.clone()),
        ("Engine", if results.engine.is_empty() { NATIVE.to_owned() } else { results.engine.clone() }),
        ("Program", results.program.clone()),
        ("Version", results.tool.clone()),
        ("Schema of the document", results.schema.to_string()),
    ];
    if let Some(seed) = doc.focus {
        rows.push(("Seed that is looked at closely", seed.seed.to_string()));
        rows.push(("Its digest", seed.digest.clone()));
    }
    rows.extend(timings(&results.seeds));
    if let Some(design) = doc.design() {
        rows.push((
            "Warm-up, load, deadline of the rest",
            [design.warmup, design.run, design.drain].map(duration).join(", "),
        ));
        rows.push(("Sites", design.sites.join(", ")));
    }
    let known = rows.into_iter().filter(|(_, value)| !value.is_empty());
    let table = Table::new("run", "What was run", columns)
        .rows(known.map(|(what, value)| vec![table::text(what), table::text(value)]));
    let table = build.table(&table)?;
    let source = doc.design().and_then(|design| design.source.as_ref());
    Ok(Panel::Shown(html! {
        (table)
        p.note {
            "Times of the scenario count from the end of the warm-up. Wall-clock times differ from run to run; everything "
            "else is the same whenever this seed is run with this version. Names of files are relative to where the "
            "command was run; those of shipped scenarios, to the project."
        }
        @match source {
            Some(source) => { (listing(doc, source)) }
            None => { p.note { "The document does not hold the text of the scenario." } }
        }
    }))
}

fn timings(seeds: &[SeedResult]) -> Vec<(&'static str, String)> {
    let events: u64 = seeds.iter().map(|seed| seed.events).sum();
    let wall: f64 = seeds.iter().map(|seed| seed.wall_seconds).sum();
    let simulated: f64 = seeds.iter().map(|seed| seed.simulated_seconds).sum();
    let speed = format!("{}, {} a second of a core", counted(events, "event"), grouped(rate(events, wall)));
    let mut rows = vec![
        ("Simulated, in", format!("{}, {} of a core", duration(simulated), duration(wall))),
        ("Kernel", speed),
    ];
    let late: Vec<&Lateness> = seeds.iter().filter_map(|seed| seed.lateness.as_ref()).collect();
    if let Some(most) = late.iter().map(|one| one.max).max_by(f64::total_cmp) {
        let inputs: u64 = late.iter().map(|one| one.inputs).sum();
        let share = late.iter().map(|one| one.late).sum::<u64>() as f64 / inputs.max(1) as f64;
        rows.push((
            "Inputs that were late",
            format!("{} of {}, at most {}", percent(share), grouped(inputs), duration(most)),
        ));
    }
    rows
}

fn listing(doc: &Doc<'_>, source: &Source) -> Markup {
    html! {
        h4 { "The scenario as written" }
        @if !source.file.is_empty() { p.note { (source.file) } }
        pre.source tabindex="0" role="group" aria-label="The scenario as written" {
            @for (index, line) in source.text.lines().enumerate() {
                span.line id=(doc.anchor(&format!("line-{}", index + 1))) data-line=(index + 1) { (line) "\n" }
            }
        }
    }
}
