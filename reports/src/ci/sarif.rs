//! SARIF 2.1.0, for the lines of a scenario: a rule for each contract, objective and fault, a result for each
//! that does not hold in a document, not for each item. All documents are one run, because GitHub refuses a
//! file with several of one category.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use serde_sarif::sarif::{
    ArtifactLocation, CodeFlow, Location, Message, MultiformatMessageString, PhysicalLocation, PropertyBag,
    Region, ReportingDescriptor, Result as Finding, ResultLevel, Run, Sarif, ThreadFlow, ThreadFlowLocation,
    Tool, ToolComponent,
};

use super::Unwritten;
use super::checks::{Check, Place, Subject, checks, place, title};
use super::story::fate;
use crate::plain::{clipped, plain};
use crate::results::{Results, Violation};
use crate::text::clock;
use crate::verdict::Verdict;

/// The schema by which the file is valid, as it names it.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// The key of the fingerprint: not `primaryLocationLineHash`, which GitHub computes itself, and complains
/// about in every line where it finds another.
const FINGERPRINT: &str = "beaufortCheck/v1";
/// So many seeds are listed in the properties of a result.
const SEEDS: usize = 100;
/// So many steps of an item's way are told.
const STEPS: usize = 200;
/// So many results: GitHub shows 5,000 of one file.
const RESULTS: usize = 5_000;

/// The documents as SARIF 2.1.0: what is violated, missed or a defect of Beaufort is an `error`, what is
/// degraded a `warning`, what could not be shown a `note`. A result has no location if the document does not
/// say in which file its scenario is.
///
/// # Errors
/// Only those of the serializer.
pub fn sarif(all: &[Results]) -> Result<String, Unwritten> {
    let mut rules: Vec<ReportingDescriptor> = Vec::new();
    let mut findings: Vec<Finding> = Vec::new();
    let checks =
        all.iter().flat_map(|results| checks(results).into_iter().map(move |check| (results, check)));
    for (results, check) in checks {
        let id = check.id();
        let known = rules.iter().position(|rule| rule.id == id);
        let index = known.unwrap_or_else(|| {
            rules.push(rule(&check, id.clone()));
            rules.len() - 1
        });
        if check.is_bad() && findings.len() < RESULTS {
            findings.push(finding(results, &check, id, index));
        }
    }
    let log = log(all, rules, findings);
    let text = serde_json::to_string_pretty(&log);
    text.map(|text| text + "\n").map_err(|error| Unwritten { format: "SARIF", why: error.to_string() })
}

fn log(all: &[Results], rules: Vec<ReportingDescriptor>, findings: Vec<Finding>) -> Sarif {
    let mut driver = ToolComponent::builder().name("Beaufort").rules(rules).build();
    let version = all.iter().map(|results| results.tool.as_str()).find(|version| !version.is_empty());
    driver.semantic_version = version.filter(|version| is_semantic(version)).map(str::to_owned);
    driver.version = version.map(|version| plain(version).into_owned());
    // Without details of its own, so that a workflow can give it a category.
    let run = Run::builder()
        .tool(Tool::builder().driver(driver).build())
        .column_kind(json!("unicodeCodePoints"))
        .results(findings)
        .build();
    Sarif::builder().schema(SCHEMA).version(json!("2.1.0")).runs(vec![run]).build()
}

/// The schema wants three numbers there.
fn is_semantic(version: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    version.split('.').count() == 3 && version.split('.').all(number)
}

fn rule(check: &Check<'_>, id: String) -> ReportingDescriptor {
    let what = match check.subject {
        Subject::Contract => "What must always be true",
        Subject::Objective => "How well it must work",
        Subject::Comparison => "How much better than another design it must be",
        Subject::Fault => "A fault that must be felt, or nothing is shown",
        Subject::Books => "The books of Beaufort itself must balance",
        Subject::Expectation => "A variant must come out as its scenario expects",
        Subject::Verdict => "The verdict as a whole",
    };
    let full = if check.about.is_empty() { what.to_owned() } else { format!("{what}: {}", check.about) };
    let text = |text: String| MultiformatMessageString::builder().text(message(&text)).build();
    ReportingDescriptor::builder()
        .id(id.as_str())
        .name(id.as_str())
        .short_description(text(id.clone()))
        .full_description(text(full))
        .build()
}

fn finding(results: &Results, check: &Check<'_>, id: String, index: usize) -> Finding {
    let mut lines = vec![format!("{}: {}", title(results), check.said)];
    lines.extend(check.notes.iter().cloned());
    lines.extend(check.listed(results));
    lines.extend(check.item.map(|item| format!("The first item: {}", fate(item))));
    lines.extend(check.command(results).map(|command| format!("Run it again: {command}")));
    let level = match check.verdict {
        Verdict::Pass | Verdict::Inconclusive => ResultLevel::Note,
        Verdict::Degraded => ResultLevel::Warning,
        Verdict::Fail | Verdict::Error => ResultLevel::Error,
    };
    let identity = format!("{}: {id}", title(results));
    let mut finding = Finding::builder()
        .rule_id(id)
        .rule_index(index as i64)
        .level(level)
        .message(Message::builder().text(message(&lines.join("\n"))).build())
        .partial_fingerprints(BTreeMap::from([(FINGERPRINT.to_owned(), identity)]))
        .properties(properties(results, check))
        .build();
    finding.locations = check.place(results).map(|place| vec![location(&place)]);
    let way = check.item.and_then(|item| code_flow(results, item));
    finding.code_flows = way.map(|way| vec![way]);
    finding
}

fn properties(results: &Results, check: &Check<'_>) -> PropertyBag {
    let shown = |text: &str| Value::from(plain(text).into_owned());
    let looked = check.look.and_then(|look| results.seeds.iter().find(|seed| seed.seed == look));
    let mut all = BTreeMap::from([
        ("scenario".to_owned(), shown(&results.scenario)),
        ("variant".to_owned(), shown(&results.variant)),
        ("engine".to_owned(), shown(&results.engine)),
        ("verdict".to_owned(), check.verdict.word().into()),
        ("seeds".to_owned(), check.seeds.iter().copied().take(SEEDS).collect()),
        ("seedsFailed".to_owned(), check.seeds.len().into()),
        ("seedsRun".to_owned(), results.seeds.len().into()),
    ]);
    all.extend(looked.map(|seed| ("seed".to_owned(), seed.seed.into())));
    all.extend(looked.map(|seed| ("digest".to_owned(), shown(&seed.digest))));
    all.extend(check.margin.map(|margin| ("margin".to_owned(), margin.into())));
    all.extend(check.command(results).map(|command| ("replay".to_owned(), command.into())));
    PropertyBag::builder().additional_properties(all).build()
}

fn location(place: &Place) -> Location {
    let file = ArtifactLocation::builder().uri(uri(&place.file)).build();
    let region = Region::builder().start_line(i64::from(place.line)).build();
    let physical = PhysicalLocation::builder().artifact_location(file).region(region).build();
    Location::builder().physical_location(physical).build()
}

/// The item's way, step by step, each at the line of its node.
fn code_flow(results: &Results, item: &Violation) -> Option<CodeFlow> {
    let steps = item.story.iter().filter(|step| !step.node.is_empty()).take(STEPS);
    let step = |step: &crate::results::Step| {
        // A process is `node#2` or `node/site#2`.
        let node = step.node.split(['#', '/']).next().unwrap_or_default();
        let faults = match step.faults.as_slice() {
            [] => String::new(),
            faults => format!(" (fault {})", faults.join(", ")),
        };
        let text = format!("{} {}: {}{faults}", clock(step.at_seconds), step.node, step.what);
        let mut location = location(&place(results, "nodes", node)?);
        location.message = Some(Message::builder().text(message(&plain(&text))).build());
        Some(ThreadFlowLocation::builder().location(location).build())
    };
    let steps: Vec<ThreadFlowLocation> = steps.filter_map(step).collect();
    if steps.is_empty() {
        return None;
    }
    Some(CodeFlow::builder().thread_flows(vec![ThreadFlow::builder().locations(steps).build()]).build())
}

/// A path as a URI: relative to the root of the repository, unless it is an absolute one.
fn uri(file: &str) -> String {
    let drive = matches!(file.as_bytes(), [letter, b':', b'/' | b'\\', ..] if letter.is_ascii_alphabetic());
    let file = if drive { file.replace('\\', "/") } else { file.to_owned() };
    let scheme = match (file.starts_with('/'), drive) {
        (true, _) => "file://",
        (_, true) => "file:///",
        _ => "",
    };
    let mut out = scheme.to_owned();
    for (index, byte) in file.bytes().enumerate() {
        let is_drive = drive && index == 1;
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            b':' if is_drive => out.push(':'),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// A text of a message. `[text](target)` would be a link there; brackets are escaped where one could be.
fn message(text: &str) -> String {
    let text = clipped_lines(text);
    if !text.contains("](") {
        return text;
    }
    text.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]")
}

/// Every line by itself made harmless and cut.
fn clipped_lines(text: &str) -> String {
    text.split('\n').map(|line| clipped(line, 1_000)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_uri() {
        for (path, expected) in [
            ("scenarios/order-flow.yaml", "scenarios/order-flow.yaml"),
            ("my design.yaml", "my%20design.yaml"),
            ("a:b/100%.yaml", "a%3Ab/100%25.yaml"),
            ("/home/me/ä.yaml", "file:///home/me/%C3%A4.yaml"),
            ("C:\\work\\x.yaml", "file:///C:/work/x.yaml"),
        ] {
            assert_eq!(uri(path), expected);
        }
    }

    #[test]
    fn a_name_makes_no_link() {
        assert_eq!(message("lost [worker-dies]"), "lost [worker-dies]");
        assert_eq!(message("[here](https://x) \\"), "\\[here\\](https://x) \\\\");
    }
}
