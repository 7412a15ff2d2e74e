//! The story of the item that says most about what went wrong.

use maud::{PreEscaped, html};

use super::Panel;
use crate::html::Error;
use crate::html::build::Build;
use crate::html::doc::Doc;
use crate::html::explorer;
use crate::html::table::{self, Table};
use crate::results::{SeedResult, Violation};
use crate::verdict::Verdict;
use crate::words::moment;

/// What is told, and of which seed.
pub(super) struct Told<'a> {
    pub(super) item: &'a Violation,
    /// What it violates or misses.
    pub(super) of: String,
    pub(super) seed: &'a SeedResult,
}

/// The first violation of a contract that has a story, else the first without one, else the first item of a
/// missed objective; of the seed that is looked at closely, else of the first that has any.
pub(super) fn told<'a>(doc: &Doc<'a>) -> Option<Told<'a>> {
    doc.focus.into_iter().chain(&doc.results.seeds).find_map(of)
}

fn of(seed: &SeedResult) -> Option<Told<'_>> {
    let failed = seed.contracts.iter().filter(|contract| contract.verdict == Verdict::Fail);
    let all = failed.flat_map(|contract| contract.violations.iter().map(move |item| (&contract.name, item)));
    let violation = all.clone().find(|(_, item)| !item.story.is_empty()).or(all.clone().next());
    let violated = violation.map(|(name, item)| Told { item, of: format!("violates {name}"), seed });
    violated.or_else(|| {
        let missed = seed.objectives.iter().filter_map(|goal| Some((&goal.name, goal.examples.first()?)));
        let (name, item) = missed.max_by_key(|(_, item)| !item.story.is_empty())?;
        Some(Told { item, of: format!("had no success, which {name} asks for"), seed })
    })
}

pub(super) fn panel(build: &mut Build, doc: &Doc<'_>) -> Result<Panel, Error> {
    let Some(told) = told(doc) else { return Ok(Panel::Silent) };
    let item = told.item;
    let key = item.key.map_or(String::new(), |key| format!(" (key {key})"));
    let detail = if item.detail.is_empty() { String::new() } else { format!(": {}", item.detail) };
    let columns = vec![
        table::numbers("At", "at_s"),
        table::words("Node", "node"),
        table::words("What", "what"),
        table::words("Faults", "faults"),
    ];
    let rows = item.story.iter().map(|step| {
        let at = (!step.node.is_empty()).then_some(step.at_seconds);
        vec![
            table::instant(at),
            table::text(&step.node),
            table::text(&step.what),
            table::text(step.faults.join(", ")),
        ]
    });
    let file = build.sheet(&Table::new("story", "The way of an item", columns).rows(rows))?;
    let diagram = explorer::story_diagram(item, &told.seed.faults);
    let diagram = diagram.map(|picture| {
        let path = build.picture("story", &picture);
        (picture, path)
    });
    Ok(Panel::Shown(html! {
        p {
            "Item " bdi { (item.item) } (key) " of seed " (told.seed.seed) " " (told.of) ": "
            strong { (item.reason) " at " bdi { (item.place) } } (detail) "."
        }
        @if item.story.is_empty() {
            p { "Its way was not recorded." }
        } @else {
            @if let Some((picture, path)) = &diagram {
                div.scroll id=(doc.anchor("story-diagram")) tabindex="0" role="group" aria-label="The story as a diagram" {
                    (PreEscaped(picture))
                }
                p.more { "The same as steps: " a.file href=(path) { "SVG" } " " a.file href=(file) { "CSV" } }
            }
            ol.story {
                @for step in &item.story {
                    li {
                        span.at { @if !step.node.is_empty() { (moment(step.at_seconds)) } }
                        bdi { (step.node) }
                        span {
                            (step.what)
                            @if !step.faults.is_empty() { " " strong { "[" (step.faults.join(", ")) "]" } }
                        }
                    }
                }
            }
        }
    }))
}
