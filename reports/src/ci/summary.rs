//! Markdown for the summary of a pull request or a pipeline: what failed first, as short as that can be said,
//! and what somebody needs to look at it.

use super::checks::{Check, Subject, cause, checks, first_of, title, verdict, verdict_told};
use super::markdown::{block, cell, code, command, html, sentence};
use super::story::{fate, steps};
use crate::results::Results;
use crate::text::words::room;
use crate::text::{Style, grouped, replay_command, timeline};
use crate::verdict::Verdict;
use crate::words::counted;

/// The summary is never longer than this, in bytes. GitHub drops one above 1 MiB; below a fifth of it several
/// fit into one job.
pub const SUMMARY_BYTES: usize = 200_000;
/// So much of it the table may take.
const TABLE_BYTES: usize = 80_000;
/// So much is kept for the sentence about what was left out.
const SPARE_BYTES: usize = 500;
/// So many checks of one document are listed.
const LISTED: usize = 20;

/// The documents as Markdown of at most [`SUMMARY_BYTES`] bytes: the verdict and the counts; a table of all,
/// the worst first; and for each that fails or shows nothing its cause, the way of the first item, what the
/// doors did over time, and the command that runs it again. What does not fit is left out by whole sections,
/// and a sentence says how many.
#[must_use]
pub fn summary(all: &[Results]) -> String {
    let mut sorted: Vec<&Results> = all.iter().collect();
    sorted.sort_by_key(|results| std::cmp::Reverse(verdict(results)));
    let mut text = head(&sorted);
    if sorted.is_empty() {
        return text;
    }
    table(&sorted, &mut text);
    let to_tell = |results: &&&Results| verdict(results) > Verdict::Degraded;
    let sections: Vec<&Results> = sorted.iter().filter(to_tell).copied().collect();
    for (told, results) in sections.iter().enumerate() {
        let section = section(results);
        if text.len() + section.len() + SPARE_BYTES > SUMMARY_BYTES {
            let left = counted((sections.len() - told) as u64, "more failure");
            let was = if sections.len() - told == 1 { "was" } else { "were" };
            text.push_str(&format!("\n{left} {was} left out here, because the summary would be too long.\n"));
            break;
        }
        text.push_str(&section);
    }
    text
}

/// The worst verdict, and how many designs have which.
fn head(sorted: &[&Results]) -> String {
    let Some(worst) = sorted.first() else { return "## Beaufort: nothing was run\n".to_owned() };
    let worst = verdict(worst);
    let order = [Verdict::Error, Verdict::Fail, Verdict::Inconclusive, Verdict::Degraded, Verdict::Pass];
    let counts = order.into_iter().filter_map(|one| {
        let count = sorted.iter().filter(|results| verdict(results) == one).count();
        (count > 0).then(|| format!("{} {one}", grouped(count as u64)))
    });
    let counts: Vec<String> = counts.collect();
    let seeds: u64 = sorted.iter().map(|results| results.seeds.len() as u64).sum();
    let (designs, seeds) = (counted(sorted.len() as u64, "design"), counted(seeds, "seed"));
    format!(
        "## Beaufort: {}\n\n{designs} on {seeds}: {}.\n\n",
        worst.word().to_uppercase(),
        counts.join(", ")
    )
}

fn table(sorted: &[&Results], text: &mut String) {
    text.push_str("| scenario | verdict | worst margin | seeds | run again |\n");
    text.push_str("| --- | --- | --- | ---: | --- |\n");
    let end = text.len() + TABLE_BYTES;
    for (told, results) in sorted.iter().enumerate() {
        let row = row(results);
        if text.len() + row.len() > end {
            let left = sorted.len() - told;
            let worst = verdict(results);
            text.push_str(&format!(
                "\n{} left out of the table; none of them is worse than {worst}.\n",
                counted(left as u64, "more design"),
            ));
            return;
        }
        text.push_str(&row);
    }
}

fn row(results: &Results) -> String {
    let verdict = match verdict(results) {
        Verdict::Pass => verdict_told(results),
        _ => format!("**{}**", verdict_told(results)),
    };
    let checks = checks(results);
    let worst = checks.iter().filter_map(|check| Some((check.margin?, check.name)));
    let worst = worst.min_by(|a, b| a.0.total_cmp(&b.0));
    let margin =
        worst.map_or(String::new(), |(margin, name)| format!("{} {}", sentence(&room(margin)), code(name)));
    let first = first_of(results);
    let again = first.map_or(String::new(), |seed| command(&replay_command(results, seed.seed)));
    let cells = [code(&title(results)), verdict, margin, seeds(results), again];
    let cells: Vec<String> = cells.iter().map(|markdown| cell(markdown)).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// How many seeds have the verdict; of one seed which it is.
fn seeds(results: &Results) -> String {
    match results.seeds.as_slice() {
        [] => "none".to_owned(),
        [one] => format!("seed {}", one.seed),
        many => {
            let like = many.iter().filter(|seed| seed.verdict == results.verdict).count();
            let interrupted = match results.seeds_asked.saturating_sub(many.len() as u64) {
                0 => String::new(),
                left => format!(" ({} not run)", grouped(left)),
            };
            format!("{} of {}{interrupted}", grouped(like as u64), grouped(many.len() as u64))
        }
    }
}

fn section(results: &Results) -> String {
    let word = verdict(results).word().to_uppercase();
    let checks = checks(results);
    let bad: Vec<&Check<'_>> = checks.iter().filter(|check| check.verdict > Verdict::Degraded).collect();
    let mut text = format!("\n<details><summary>{word} {}: ", html(&title(results)));
    text.push_str(&format!("{}</summary>\n\n", html(&cause(results))));
    for check in bad.iter().take(LISTED) {
        text.push_str(&bullet(results, check));
    }
    if bad.len() > LISTED {
        text.push_str(&format!("- and {} more\n", bad.len() - LISTED));
    }
    let told = bad.iter().find(|check| check.item.is_some_and(|item| !item.story.is_empty()));
    if let Some((check, item)) = told.and_then(|check| Some((check, check.item?))) {
        let on = check.look.map_or(String::new(), |seed| format!(", on seed {seed}"));
        text.push_str(&format!(
            "\nThe first item of {}{on}: {}\n\n",
            code(check.name),
            sentence(&fate(item))
        ));
        text.push_str(&block("text", &steps(item)));
    }
    let series = results.seeds.iter().find(|seed| seed.series.is_some() && seed.verdict == results.verdict);
    if let Some(seed) = series {
        let lines = timeline(seed, Style { speed: false, ..Style::default() });
        if !lines.is_empty() {
            text.push_str(&format!("\nSeed {} over time:\n\n", seed.seed));
            text.push_str(&block("text", &lines));
        }
    }
    let again = bad.iter().find_map(|check| check.command(results));
    text.push_str(
        &again.map_or(String::new(), |again| format!("\nRun it again:\n\n{}", block("sh", &[again]))),
    );
    text.push_str("\n</details>\n");
    text
}

/// What does not hold, where it is written, and why.
fn bullet(results: &Results, check: &Check<'_>) -> String {
    let word = match check.subject {
        Subject::Contract => "contract ",
        Subject::Objective => "objective ",
        Subject::Comparison => "comparison ",
        Subject::Fault => "fault ",
        Subject::Books | Subject::Expectation | Subject::Verdict => "",
    };
    let name = match check.name {
        "" => String::new(),
        name => format!("{word}{}: ", code(name)),
    };
    let place = match check.place(results) {
        Some(place) if !check.name.is_empty() => {
            format!(" ({})", code(&format!("{}:{}", place.file, place.line)))
        }
        _ => String::new(),
    };
    let seeds = check.listed(results).map_or(String::new(), |seeds| format!(" ({seeds})"));
    let mut text = format!("- {name}{}{seeds}{place}\n", sentence(&check.said));
    for note in &check.notes {
        text.push_str(&format!("  - {}\n", sentence(note)));
    }
    text
}
