//! JUnit XML, for the test tab of a pipeline: a suite for each document, a case for each contract, objective
//! and fault. There are no times in it: the wall clock differs from run to run, and the time of the world is
//! not what a reader of such a report takes a time for.
//!
//! Azure ignores attachments, so what somebody needs to look at a failure stands in `system-out` of its case:
//! where it is written, which seeds, and the command that runs it again.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::Unwritten;
use super::checks::{Check, Subject, checks, first_of, title, verdict, verdict_told};
use super::story::{fate, steps};
use crate::plain::{clipped, plain};
use crate::results::Results;
use crate::text::words::room;
use crate::text::{Style, render, replay_command};
use crate::verdict::Verdict;

/// So many characters of a sentence stand in an attribute.
const MESSAGE: usize = 500;

/// The documents as JUnit XML, valid by the schema that Jenkins reads such files with (junit-10.xsd): a
/// violated contract or a missed objective is a `failure`, a defect of Beaufort itself an `error`, what could
/// not be shown `skipped`. What is degraded passes, as it does for the exit code; its case says so.
///
/// # Errors
/// Only those of the serializer.
pub fn junit(all: &[Results]) -> Result<String, Unwritten> {
    let mut report = Report::new("beaufort");
    report.add_test_suites(all.iter().map(suite));
    let text = report.to_string().map_err(|error| Unwritten { format: "JUnit", why: error.to_string() })?;
    // The crate counts what was skipped at the root too, where the schema knows no such attribute, and
    // Jenkins refuses a file that does not keep to it. The root is the first element.
    Ok(text.replacen(&format!(" skipped=\"{}\"", report.skipped), "", 1))
}

fn suite(results: &Results) -> TestSuite {
    let name = title(results);
    let checks = checks(results);
    let mut suite = TestSuite::new(name.as_str());
    suite.add_properties(properties(results, &checks));
    suite.add_test_cases(checks.iter().map(|check| case(results, check, &name)));
    if verdict(results) > Verdict::Pass {
        let style = Style { speed: false, ..Style::default() };
        suite.set_system_out(format!("\n{}", render(results, style)));
    }
    suite
}

fn properties(results: &Results, checks: &[Check<'_>]) -> Vec<(String, String)> {
    let first = first_of(results);
    let seeds: Vec<String> = results.seeds.iter().take(20).map(|seed| seed.seed.to_string()).collect();
    let more = if results.seeds.len() > seeds.len() { ", …" } else { "" };
    let digest = first.map_or(String::new(), |seed| match results.seeds.len() {
        1 => seed.digest.clone(),
        _ => format!("{} (seed {})", seed.digest, seed.seed),
    });
    let mut all = vec![
        ("tool".to_owned(), format!("beaufort {}", results.tool)),
        ("engine".to_owned(), results.engine.clone()),
        ("scenario".to_owned(), results.scenario.clone()),
        ("variant".to_owned(), results.variant.clone()),
        ("verdict".to_owned(), verdict_told(results)),
        ("cause".to_owned(), results.cause.clone()),
        ("seeds".to_owned(), format!("{}{more}", seeds.join(", "))),
        ("seeds.count".to_owned(), results.seeds.len().to_string()),
        ("seeds.asked".to_owned(), results.seeds_asked.max(results.seeds.len() as u64).to_string()),
        ("digest".to_owned(), digest),
        ("replay".to_owned(), first.map_or(String::new(), |seed| replay_command(results, seed.seed))),
    ];
    let margins = checks.iter().filter_map(|check| Some((check, check.margin?)));
    all.extend(margins.map(|(check, margin)| (format!("margin.{}", check.name), room(margin))));
    let shown = |(name, value): (String, String)| (clipped(&name, MESSAGE), clipped(&value, MESSAGE));
    all.into_iter().filter(|(_, value)| !value.is_empty()).map(shown).collect()
}

fn case(results: &Results, check: &Check<'_>, suite: &str) -> TestCase {
    let status = match check.verdict {
        Verdict::Pass | Verdict::Degraded => TestCaseStatus::success(),
        Verdict::Inconclusive => TestCaseStatus::skipped(),
        Verdict::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Error => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    let mut case = TestCase::new(check.id(), status);
    case.set_classname(suite);
    if check.verdict > Verdict::Degraded {
        case.status.set_message(clipped(&check.said, MESSAGE));
        case.status.set_type(kind(check));
        case.status.set_description(format!("\n{}\n", body(results, check).join("\n")));
    }
    if check.is_bad() || check.subject == Subject::Expectation {
        case.set_system_out(format!("\n{}\n", output(results, check).join("\n")));
    }
    case
}

/// What a consumer groups failures by.
fn kind(check: &Check<'_>) -> &'static str {
    match (check.verdict, check.subject) {
        (Verdict::Error, _) => "internal-error",
        (Verdict::Inconclusive, _) => "inconclusive",
        (_, Subject::Contract) => "violated",
        (_, Subject::Objective | Subject::Comparison) => "missed",
        (_, Subject::Expectation) => "unexpected",
        _ => "failed",
    }
}

fn body(results: &Results, check: &Check<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(Some(check.about.clone()).filter(|about| !about.is_empty()));
    lines.push(check.said.clone());
    lines.extend(check.notes.iter().cloned());
    lines.extend(check.listed(results));
    if let Some(item) = check.item {
        let seed = check.look.map_or(String::new(), |seed| format!(", on seed {seed}"));
        lines.push(format!("The first item{seed}: {}", fate(item)));
        lines.extend(steps(item));
    }
    lines.extend(check.command(results).map(|command| format!("Run it again: {command}")));
    lines
}

fn output(results: &Results, check: &Check<'_>) -> Vec<String> {
    let mut lines = vec![check.said.clone()];
    if let Some(place) = check.place(results) {
        lines.push(format!("Written in {}:{}", plain(&place.file), place.line));
    }
    lines.extend(check.listed(results).map(|seeds| format!("On {seeds}")));
    let looked = check.look.and_then(|look| results.seeds.iter().find(|seed| seed.seed == look));
    lines.extend(looked.map(|seed| format!("Digest of seed {}: {}", seed.seed, plain(&seed.digest))));
    lines.extend(check.command(results).map(|command| format!("Run it again: {command}")));
    lines
}
