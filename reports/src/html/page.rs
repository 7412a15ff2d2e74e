//! The frame of the page: its head, its contents, a section for each document.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::build::{Build, Detail};
use super::doc::{Doc, troubles};
use super::items::{self, Panel};
use super::plot::{Home, patterns};
use super::table::{self, Table, Tone};
use super::{Error, File, clean};
use crate::results::Results;

const STYLE: &str = include_str!("style.css");

/// The files of a report with so much detail; the page is the first.
pub(super) fn site(all: &[Results], detail: Detail) -> Result<Vec<File>, Error> {
    let docs: Vec<Doc<'_>> =
        all.iter().enumerate().map(|(number, results)| Doc::new(results, number)).collect();
    let mut build = Build::new();
    let overview = if docs.len() > 1 { Some(build.table(&variants(&docs))?) } else { None };
    let mut parts = Vec::new();
    for doc in &docs {
        build.key = if docs.len() > 1 { doc.key() } else { String::new() };
        build.inline = match detail {
            Detail::All => Some(true),
            Detail::Wide => Some(false),
            Detail::Failing | Detail::Still => troubles(doc.results.verdict).then_some(false),
            Detail::Files => None,
        };
        build.explorers = match detail {
            Detail::All | Detail::Wide => true,
            Detail::Failing => troubles(doc.results.verdict),
            Detail::Still | Detail::Files => false,
        };
        parts.push(document(&mut build, doc)?);
    }
    let page = frame(&docs, &parts, overview.as_ref()).into_string();
    let mut files =
        vec![File { path: "index.html".to_owned(), bytes: clean::clean(&page).into_owned().into_bytes() }];
    files.append(&mut build.files);
    Ok(files)
}

/// The document's part of the page, and its part of the contents.
struct Part {
    contents: Markup,
    body: Markup,
}

fn document(build: &mut Build, doc: &Doc<'_>) -> Result<Part, Error> {
    let mut absent: Vec<(&str, String)> = Vec::new();
    let mut shown = Vec::new();
    for item in items::ALL {
        match (item.draw)(build, doc)? {
            Panel::Shown(body) => shown.push((item, body)),
            Panel::Absent(why) => absent.push((item.title, why)),
            Panel::Silent => {}
        }
    }
    let contents = html! {
        ul {
            @for (item, _) in &shown { li { a href=(doc.link(item.id)) { (item.title) } } }
            @if !absent.is_empty() { li { a href=(doc.link("absent")) { "What is not shown" } } }
        }
    };
    let body = html! {
        section aria-labelledby=(doc.anchor("doc")) {
            h2 id=(doc.anchor("doc")) { (items::banner::heading(doc)) }
            (items::banner::banner(doc))
            @for (item, body) in &shown {
                section {
                    h3 id=(doc.anchor(item.id)) { (item.title) }
                    p.question { (item.question) }
                    (body)
                }
            }
            @if !absent.is_empty() {
                section {
                    h3 id=(doc.anchor("absent")) { "What is not shown" }
                    ul { @for (title, why) in &absent { li { (title) ": " (why) "." } } }
                }
            }
        }
    };
    Ok(Part { contents, body })
}

/// Several documents at a glance.
fn variants(docs: &[Doc<'_>]) -> Table {
    let compared = docs.iter().any(|doc| doc.results.expected.is_some());
    let mut columns = vec![
        table::words("Variant", "variant"),
        table::words("Verdict", "verdict"),
        table::numbers("Seeds", "seeds"),
        table::words("Why", "why"),
    ];
    if compared {
        columns.push(table::words("As expected", "as_expected"));
    }
    let rows = docs.iter().map(|doc| {
        let results = doc.results;
        let mut cells = vec![
            table::text(doc.variant()).to(Some(doc.link("doc"))),
            table::verdict(results.verdict),
            table::count(results.seeds.len() as u64),
            table::text(&results.cause),
        ];
        if compared {
            cells.push(match &results.expected {
                None => table::none(),
                Some(expected) if expected.differences.is_empty() => table::text("yes").tone(Tone::Good),
                Some(expected) => {
                    table::text(format!("no: {}", expected.differences.join("; "))).tone(Tone::Bad)
                }
            });
        }
        cells
    });
    Table::new("variants", "Variants", columns).rows(rows)
}

fn title(docs: &[Doc<'_>]) -> String {
    let mut names: Vec<&str> = docs.iter().map(|doc| doc.results.scenario.as_str()).collect();
    names.dedup();
    match docs {
        [] => "Nothing was run".to_owned(),
        [_] => format!("Report on {}", names.join(", ")),
        many => format!("Report on {}, {} variants", names.join(", "), many.len()),
    }
}

fn frame(docs: &[Doc<'_>], parts: &[Part], overview: Option<&Markup>) -> Markup {
    let title = title(docs);
    let several = docs.len() > 1;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the results" }
                svg.defs aria-hidden="true" focusable="false" { (patterns(Home::Page)) }
                header {
                    h1 { (title) }
                    @if let Some(overview) = overview { (overview) }
                    nav aria-label="Contents" {
                        @for (doc, part) in docs.iter().zip(parts) {
                            @if several {
                                details {
                                    summary { "Items of " bdi { (doc.variant()) } }
                                    (part.contents)
                                }
                            } @else {
                                (part.contents)
                            }
                        }
                    }
                }
                main id="main" tabindex="-1" { @for part in parts { (part.body) } }
            }
        }
    }
}
