//! The verdict: what it is, why, and how to see it again.

use maud::{Markup, html};

use crate::html::doc::{Doc, troubles};
use crate::html::table::Tone;
use crate::results::{NATIVE, Results, SeedResult};
use crate::text::replay_command;
use crate::verdict::Verdict;
use crate::words::{counted, grouped};

/// The heading of a document: its scenario, variant, and verdict.
pub(in crate::html) fn heading(doc: &Doc<'_>) -> Markup {
    html! {
        bdi { (doc.results.scenario) } " / " bdi { (doc.variant()) } ": " (doc.results.verdict)
    }
}

/// The banner.
pub(in crate::html) fn banner(doc: &Doc<'_>) -> Markup {
    let results = doc.results;
    let class = match Tone::of(results.verdict) {
        Tone::Good => "banner good",
        Tone::Odd => "banner odd",
        _ => "banner bad",
    };
    html! {
        div class=(class) {
            p.verdict { (results.verdict.word().to_uppercase()) }
            p { (cause(results)) }
            (wrong(doc))
            (expected(results))
            (compared(results))
            dl {
                @if let Some(seed) = shown(doc) {
                    dt { "See it again" }
                    dd { code.command { (replay_command(results, seed.seed)) } }
                    dt { "Digest of seed " (seed.seed) }
                    dd { code { (seed.digest) } }
                }
                dt { "Seeds" }
                dd { (seeds(results)) }
                dt { "Beaufort" }
                dd {
                    (version(results))
                    @if !results.engine.is_empty() && results.engine != NATIVE { ", on " (results.engine) }
                }
                @if !results.scenario_hash.is_empty() {
                    dt { "Scenario" }
                    dd { @if !results.path.is_empty() { (results.path) ", " } "hash " code { (results.scenario_hash) } }
                }
            }
        }
    }
}

/// Which seed the command runs again: the first of the worst, where something is wrong; else the one that is
/// looked at closely.
fn shown<'a>(doc: &Doc<'a>) -> Option<&'a SeedResult> {
    let worst =
        doc.results.seeds.iter().find(|seed| seed.verdict == doc.results.verdict && troubles(seed.verdict));
    worst.or(doc.focus)
}

/// Defects of Beaufort that the books laid open, and what could not be shown, of that seed.
fn wrong(doc: &Doc<'_>) -> Markup {
    let Some(seed) = shown(doc).filter(|seed| seed.verdict != Verdict::Pass) else { return html! {} };
    html! {
        @if !seed.errors.is_empty() {
            p { strong { "This is a defect of Beaufort itself: its books do not balance." } }
            ul {
                @for error in &seed.errors {
                    li { "In the book of " (error.book) ", " bdi { (error.subject) } ": " (error.message) }
                }
            }
        }
        @if !seed.doubts.is_empty() {
            p { "What could not be shown:" }
            ul { @for doubt in &seed.doubts { li { (doubt) } } }
        }
    }
}

/// Of a sweep that compares: what was to come out, and whether it did.
fn expected(results: &Results) -> Markup {
    let Some(expected) = &results.expected else { return html! {} };
    html! {
        @if expected.differences.is_empty() {
            p { "As expected: " (expected.wanted) "." }
        } @else {
            p { strong { "Not as expected." } " Expected: " (expected.wanted) "." }
            ul { @for difference in &expected.differences { li { (difference) } } }
        }
    }
}

/// Whether it is as much better than other designs as the scenario claims, where it is not.
fn compared(results: &Results) -> Markup {
    let open = results.comparisons.iter().filter(|one| one.verdict != Verdict::Pass);
    html! {
        @for one in open {
            p {
                strong {
                    "Comparison " bdi { (one.name) }
                    @if one.verdict == Verdict::Inconclusive { " is not clear" } @else { " does not hold" }
                }
                ": " (one.said) "."
            }
        }
    }
}

fn cause(results: &Results) -> &str {
    match results.cause.as_str() {
        "" => "The document says nothing about why.",
        cause => cause,
    }
}

fn version(results: &Results) -> &str {
    if results.tool.is_empty() { "of an unknown version" } else { &results.tool }
}

/// How many seeds came out how: `200: 198 pass, 2 fail`.
fn seeds(results: &Results) -> String {
    let verdicts = [Verdict::Pass, Verdict::Degraded, Verdict::Inconclusive, Verdict::Fail, Verdict::Error];
    let counts = verdicts.into_iter().filter_map(|verdict| {
        let count = results.seeds.iter().filter(|seed| seed.verdict == verdict).count();
        (count > 0).then(|| format!("{} {verdict}", grouped(count as u64)))
    });
    let counts = counts.collect::<Vec<_>>().join(", ");
    let done = results.seeds.len() as u64;
    let all = match results.seeds_asked {
        asked if asked > done => format!("{} of {}", grouped(done), counted(asked, "seed")),
        _ => grouped(done),
    };
    match results.seeds.as_slice() {
        [one] if results.seeds_asked <= 1 => format!("only {}", one.seed),
        [] => all,
        _ => format!("{all}: {counts}"),
    }
}
