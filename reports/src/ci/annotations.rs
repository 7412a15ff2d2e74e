//! Annotations: lines in the log of a pipeline that its host reads and shows at the line of the file.

use super::checks::{Check, checks, title, verdict};
use crate::plain::{clipped, plain};
use crate::results::Results;
use crate::verdict::Verdict;

/// So many annotations; GitHub shows ten of a kind for a step and drops the others without a word.
const SHOWN: usize = 9;
/// So many characters of a message, and of a title.
const MESSAGE: usize = 2_000;
const TITLE: usize = 200;

/// Who runs the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// GitHub Actions. A summary is appended to the file that `GITHUB_STEP_SUMMARY` names.
    GitHub,
    /// Azure Pipelines. A summary is a file that a line of the log names: [`upload_summary`].
    Azure,
}

/// Who runs the pipeline, as the environment says; none if nobody does.
pub fn host(env: impl Fn(&str) -> Option<String>) -> Option<Host> {
    let is_true = |name: &str| env(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if is_true("GITHUB_ACTIONS") {
        Some(Host::GitHub)
    } else if is_true("TF_BUILD") {
        Some(Host::Azure)
    } else {
        None
    }
}

/// The lines to print to standard output: the worst nine of what does not hold, and how many more there are.
/// On Azure one more says that the task is done with issues, if the worst verdict is degraded.
#[must_use]
pub fn annotations(all: &[Results], host: Host) -> Vec<String> {
    let mut bad: Vec<(&Results, Check<'_>)> = Vec::new();
    for results in all {
        bad.extend(checks(results).into_iter().filter(Check::is_bad).map(|check| (results, check)));
    }
    bad.sort_by_key(|(_, check)| std::cmp::Reverse(check.verdict));
    let mut lines: Vec<String> =
        bad.iter().take(SHOWN).map(|(results, check)| line(results, check, host)).collect();
    if let Some((_, next)) = bad.get(SHOWN) {
        let text = format!("and {} more; the summary and the JUnit file have all", bad.len() - SHOWN);
        lines
            .push(Note { verdict: next.verdict, place: None, title: "Beaufort".to_owned(), text }.line(host));
    }
    let worst = all.iter().map(verdict).max().unwrap_or_default();
    if host == Host::Azure && worst == Verdict::Degraded {
        lines.push("##vso[task.complete result=SucceededWithIssues;]degraded".to_owned());
    }
    lines
}

/// The line that tells Azure Pipelines to show a Markdown file as the summary of the job. The path must be
/// absolute.
#[must_use]
pub fn upload_summary(path: &str) -> String {
    format!("##vso[task.uploadsummary]{}", azure_text(path))
}

fn line(results: &Results, check: &Check<'_>, host: Host) -> String {
    let mut text = check.said.clone();
    if let Some(seeds) = check.listed(results) {
        text.push_str(&format!(" ({seeds})"));
    }
    if let Some(command) = check.command(results) {
        text.push_str(&format!("\nRun it again: {command}"));
    }
    let title = format!("{}: {}", title(results), check.id());
    let place = check.place(results).map(|place| (plain(&place.file).into_owned(), place.line));
    Note { verdict: check.verdict, place, title, text }.line(host)
}

struct Note {
    verdict: Verdict,
    place: Option<(String, u32)>,
    title: String,
    text: String,
}

impl Note {
    fn line(&self, host: Host) -> String {
        let kind = if self.verdict >= Verdict::Fail { "error" } else { "warning" };
        let text: Vec<String> = self.text.lines().map(|line| clipped(line, MESSAGE)).collect();
        let text = text.join("\n");
        let title = clipped(&self.title, TITLE);
        match host {
            Host::GitHub => {
                let place = self.place.as_ref();
                let place = place.map(|(file, line)| format!("file={},line={line},", github_property(file)));
                let title = github_property(&title);
                format!("::{kind} {}title={title}::{}", place.unwrap_or_default(), github_text(&text))
            }
            Host::Azure => {
                let place = self.place.as_ref();
                let place = place
                    .map(|(file, line)| format!("sourcepath={};linenumber={line};", azure_property(file)));
                let place = place.unwrap_or_default();
                format!("##vso[task.logissue type={kind};{place}]{}", azure_text(&format!("{title}: {text}")))
            }
        }
    }
}

fn escaped(text: &str, pairs: &[(char, &str)]) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match pairs.iter().find(|(sign, _)| *sign == c) {
            Some((_, code)) => out.push_str(code),
            None => out.push(c),
        }
    }
    out
}

fn github_text(text: &str) -> String {
    escaped(text, &[('%', "%25"), ('\r', "%0D"), ('\n', "%0A")])
}

fn github_property(text: &str) -> String {
    escaped(text, &[('%', "%25"), ('\r', "%0D"), ('\n', "%0A"), (':', "%3A"), (',', "%2C")])
}

fn azure_text(text: &str) -> String {
    escaped(text, &[('%', "%AZP25"), ('\r', "%0D"), ('\n', "%0A")])
}

fn azure_property(text: &str) -> String {
    escaped(text, &[('%', "%AZP25"), ('\r', "%0D"), ('\n', "%0A"), (';', "%3B"), (']', "%5D")])
}
