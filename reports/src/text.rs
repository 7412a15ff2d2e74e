//! The terminal rendering of a run and of a sweep, for someone who sees it for the first time: the verdict
//! and its cause first, then what was promised, what was measured, what was done to the design, the books,
//! the story of the first violation, and how to see it again. Eighty columns unless told otherwise.

use std::fmt::Write as _;

use crate::results::{ContractResult, Results, SeedResult, Violation};
use crate::verdict::Verdict;

/// How to render.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether to colour; the caller knows whether it is a terminal that wants it.
    pub colour: bool,
    /// Columns.
    pub width: usize,
    /// Whether to print the line about speed, which differs from run to run.
    pub speed: bool,
}

impl Default for Style {
    fn default() -> Self {
        Style { colour: false, width: 80, speed: true }
    }
}

/// Renders the results: of a run if there is one seed, of a sweep if there are more.
#[must_use]
pub fn render(results: &Results, style: Style) -> String {
    let mut page = Page { out: String::new(), style };
    page.banner(results);
    match results.seeds.as_slice() {
        [] => {}
        [one] => page.run(results, one),
        many => page.sweep(results, many),
    }
    page.out
}

/// The command that shows a seed again.
#[must_use]
pub fn replay_command(results: &Results, seed: u64) -> String {
    let path = if results.path.is_empty() { &results.scenario } else { &results.path };
    let variant = match results.variant.as_str() {
        "" | "base" => String::new(),
        variant => format!(" --variant {variant}"),
    };
    format!("beaufort run {path}{variant} --seed {seed}")
}

#[derive(Clone, Copy)]
enum Ink {
    Good,
    Bad,
    Odd,
    Faint,
    Strong,
}

struct Page {
    out: String,
    style: Style,
}

/// A cell: its text, and how it is written.
type Cell = (String, Option<Ink>);

fn plain(text: impl Into<String>) -> Cell {
    (text.into(), None)
}

impl Page {
    fn paint(&self, text: &str, ink: Ink) -> String {
        if !self.style.colour {
            return text.to_owned();
        }
        let code = match ink {
            Ink::Good => "32",
            Ink::Bad => "1;31",
            Ink::Odd => "33",
            Ink::Faint => "2",
            Ink::Strong => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "{text}");
    }

    /// A paragraph, wrapped, every line after so many blanks.
    fn paragraph(&mut self, text: &str, indent: usize) {
        for line in wrap(text, self.style.width.saturating_sub(indent).max(20)) {
            let _ = writeln!(self.out, "{:indent$}{line}", "");
        }
    }

    fn heading(&mut self, text: &str, columns: &str) {
        self.line("");
        let gap = self.style.width.saturating_sub(text.chars().count() + columns.chars().count());
        let head = format!("{}{:gap$}{}", self.paint(text, Ink::Strong), "", self.paint(columns, Ink::Faint));
        self.line(head.trim_end());
    }

    fn banner(&mut self, results: &Results) {
        let word = results.verdict.word().to_uppercase();
        let variant = match results.variant.as_str() {
            "" | "base" => String::new(),
            variant => format!(" / {variant}"),
        };
        let seeds = match results.seeds.as_slice() {
            [one] => format!("seed {}", one.seed),
            many => format!("{} of {} seeds", many.len(), results.seeds_asked.max(many.len() as u64)),
        };
        let head =
            format!("{}  {}{variant}  ({seeds})", self.paint(&word, ink(results.verdict)), results.scenario);
        self.line(&head);
        self.paragraph(&results.cause, 0);
    }

    fn run(&mut self, results: &Results, seed: &SeedResult) {
        self.contracts(seed);
        self.objectives(seed);
        self.faults(seed);
        self.ledger(seed);
        self.errors(seed);
        self.doubts(seed);
        self.stories(seed);
        self.footer(results, seed);
    }

    fn contracts(&mut self, seed: &SeedResult) {
        if seed.contracts.is_empty() {
            return;
        }
        self.heading("Contracts", "items checked / violations");
        let rows = seed.contracts.iter().map(|contract| {
            let said = match contract.verdict {
                Verdict::Fail => reasons(contract),
                Verdict::Inconclusive => "not shown".to_owned(),
                _ => String::new(),
            };
            let ink = ink(contract.verdict);
            vec![
                (mark(contract.verdict).to_owned(), Some(ink)),
                plain(contract.name.clone()),
                (contract.rule.clone(), Some(Ink::Faint)),
                plain(grouped(contract.checked)),
                (said, Some(ink)),
            ]
        });
        let rows: Vec<Vec<Cell>> = rows.collect();
        self.table(&rows, &[3], 2, Some(2));
    }

    fn objectives(&mut self, seed: &SeedResult) {
        if seed.objectives.is_empty() {
            return;
        }
        self.heading("Objectives", "target / achieved / margin");
        let rows = seed.objectives.iter().map(|objective| {
            let ink = ink(objective.verdict);
            let margin = objective.margin.map_or(String::new(), room);
            vec![
                (mark(objective.verdict).to_owned(), Some(ink)),
                plain(objective.name.clone()),
                (objective.measure.clone(), Some(Ink::Faint)),
                plain(objective.target.clone()),
                (objective.achieved.clone(), Some(ink)),
                plain(margin),
            ]
        });
        let rows: Vec<Vec<Cell>> = rows.collect();
        self.table(&rows, &[5], 2, Some(2));
    }

    fn faults(&mut self, seed: &SeedResult) {
        if seed.faults.is_empty() {
            return;
        }
        self.heading("Faults", "armed / fired / felt");
        let rows = seed.faults.iter().map(|fault| {
            let felt = match (fault.felt, fault.random) {
                (0, true) => Some(Ink::Faint),
                (0, false) => Some(Ink::Odd),
                _ => None,
            };
            vec![
                plain(fault.name.clone()),
                (format!("{} {}", fault.fault, fault.target), Some(Ink::Faint)),
                plain(grouped(fault.armed)),
                plain(grouped(fault.fired)),
                (grouped(fault.felt), felt),
            ]
        });
        let rows: Vec<Vec<Cell>> = rows.collect();
        self.table(&rows, &[2, 3, 4], 2, None);
    }

    fn ledger(&mut self, seed: &SeedResult) {
        self.heading("Ledger", "");
        for flow in &seed.ledger.flows {
            let parts = [
                ("accepted", flow.accepted),
                ("refused", flow.refused),
                ("failed", flow.failed),
                ("unknown", flow.unknown),
                ("open", flow.open),
            ];
            let parts = parts.iter().filter(|(name, n)| *n > 0 || *name == "accepted");
            let parts: Vec<String> = parts.map(|(name, n)| format!("{} {name}", grouped(*n))).collect();
            let text = format!("{}: {} offered = {}", flow.flow, grouped(flow.offered), parts.join(" + "));
            self.paragraph(&text, 2);
        }
        let rows = seed.ledger.places.iter().map(|place| {
            let mut notes = Vec::new();
            for (name, n) in [
                ("absorbed", place.absorbed),
                ("expired", place.expired),
                ("discarded", place.discarded),
                ("destroyed", place.destroyed),
                ("undone", place.undone),
            ] {
                if n > 0 {
                    notes.push(format!("{} {name}", grouped(n)));
                }
            }
            vec![
                plain(place.place.clone()),
                plain(format!("{} came", grouped(place.born + place.moved_in))),
                plain(format!("{} left", grouped(place.ended + place.moved_out))),
                plain(format!("{} held", grouped(place.held))),
                (notes.join(", "), Some(Ink::Faint)),
            ]
        });
        let rows: Vec<Vec<Cell>> = rows.collect();
        self.table(&rows, &[1, 2, 3], 2, None);
    }

    fn errors(&mut self, seed: &SeedResult) {
        if seed.errors.is_empty() {
            return;
        }
        let head = self.paint("Internal errors (a defect of Beaufort, not of the design)", Ink::Bad);
        self.line("");
        self.line(&head);
        for error in seed.errors.iter().take(10) {
            self.paragraph(&format!("{} book, {}: {}", error.book, error.subject, error.message), 2);
        }
    }

    fn doubts(&mut self, seed: &SeedResult) {
        if seed.doubts.is_empty() || seed.verdict == Verdict::Pass {
            return;
        }
        self.heading("What could not be shown", "");
        for doubt in &seed.doubts {
            self.paragraph(&format!("- {doubt}"), 2);
        }
    }

    fn stories(&mut self, seed: &SeedResult) {
        let failed = seed.contracts.iter().filter(|contract| contract.verdict == Verdict::Fail);
        let told = failed.flat_map(|contract| contract.violations.iter().map(move |v| (contract, v)));
        let Some((contract, violation)) =
            told.clone().find(|(_, v)| !v.story.is_empty()).or(told.clone().next())
        else {
            return;
        };
        self.line("");
        let key = violation.key.map_or(String::new(), |key| format!(" (key {key})"));
        let head = format!("The first violation of {}: item {}{key}", contract.name, violation.item);
        let head = self.paint(&head, Ink::Strong);
        self.line(&head);
        let detail = if violation.detail.is_empty() { "" } else { ": " };
        self.paragraph(
            &format!("{} at {}{detail}{}", violation.reason, violation.place, violation.detail),
            2,
        );
        self.story(violation);
    }

    fn story(&mut self, violation: &Violation) {
        let rows = violation.story.iter().map(|step| {
            let faults = match step.faults.as_slice() {
                [] => String::new(),
                faults => format!(" [{}]", faults.join(", ")),
            };
            let time = if step.node.is_empty() { String::new() } else { clock(step.at_seconds) };
            vec![(time, Some(Ink::Faint)), plain(step.node.clone()), plain(format!("{}{faults}", step.what))]
        });
        let rows: Vec<Vec<Cell>> = rows.collect();
        self.table(&rows, &[0], 2, None);
    }

    fn footer(&mut self, results: &Results, seed: &SeedResult) {
        self.line("");
        let replay = format!("Replay: {}", replay_command(results, seed.seed));
        let replay = self.paint(&replay, Ink::Strong);
        self.line(&replay);
        let digest = format!("Digest: {}", seed.digest);
        let digest = self.paint(&digest, Ink::Faint);
        self.line(&digest);
        if self.style.speed {
            let text = format!(
                "Speed:  {} events in {:.2} s = {} events/s, {:.1} events an item, {} simulated",
                grouped(seed.events),
                seed.wall_seconds,
                grouped(rate(seed.events, seed.wall_seconds)),
                seed.events_per_item,
                clock(seed.simulated_seconds),
            );
            let text = self.paint(&text, Ink::Faint);
            self.line(&text);
        }
    }

    // -- Sweeps --

    fn sweep(&mut self, results: &Results, seeds: &[SeedResult]) {
        self.tally(seeds);
        self.sweep_contracts(seeds);
        self.sweep_objectives(seeds);
        self.sweep_faults(seeds);
        let worst =
            seeds.iter().find(|seed| seed.verdict == results.verdict && seed.verdict > Verdict::Degraded);
        if let Some(seed) = worst {
            self.errors(seed);
            self.doubts(seed);
            self.stories(seed);
            self.line("");
            let replay = format!("Replay: {}", replay_command(results, seed.seed));
            let replay = self.paint(&replay, Ink::Strong);
            self.line(&replay);
        }
        if self.style.speed {
            let events: u64 = seeds.iter().map(|seed| seed.events).sum();
            let wall: f64 = seeds.iter().map(|seed| seed.wall_seconds).sum();
            let simulated: f64 = seeds.iter().map(|seed| seed.simulated_seconds).sum();
            let text = format!(
                "Speed:  {} events in {wall:.1} core seconds = {} events/s a core, {} simulated",
                grouped(events),
                grouped(rate(events, wall)),
                clock(simulated),
            );
            let text = self.paint(&text, Ink::Faint);
            self.line(&text);
        }
    }

    fn tally(&mut self, seeds: &[SeedResult]) {
        let verdicts =
            [Verdict::Pass, Verdict::Degraded, Verdict::Inconclusive, Verdict::Fail, Verdict::Error];
        let counts = verdicts.into_iter().filter_map(|verdict| {
            let count = seeds.iter().filter(|seed| seed.verdict == verdict).count();
            (count > 0).then(|| self.paint(&format!("{count} {verdict}"), ink(verdict)))
        });
        let text = counts.collect::<Vec<_>>().join(", ");
        self.line(&format!("Seeds: {text}"));
    }

    fn sweep_contracts(&mut self, seeds: &[SeedResult]) {
        let Some(first) = seeds.first().filter(|seed| !seed.contracts.is_empty()) else { return };
        self.heading("Contracts", "items checked / seeds that violate it");
        let rows = first.contracts.iter().enumerate().map(|(index, contract)| {
            let all = || seeds.iter().filter_map(|seed| seed.contracts.get(index));
            let worst = all().map(|c| c.verdict).max().unwrap_or_default();
            let failed = all().filter(|c| c.verdict == Verdict::Fail).count();
            let mut sum = ContractResult::default();
            for (reason, count) in all().flat_map(|c| &c.reasons) {
                *sum.reasons.entry(reason.clone()).or_default() += count;
            }
            let said = match failed {
                0 if worst == Verdict::Inconclusive => "not shown on every seed".to_owned(),
                0 => String::new(),
                n => format!("{n} seeds: {}", reasons(&sum)),
            };
            vec![
                (mark(worst).to_owned(), Some(ink(worst))),
                plain(contract.name.clone()),
                (contract.rule.clone(), Some(Ink::Faint)),
                plain(grouped(all().map(|c| c.checked).sum())),
                (said, Some(ink(worst))),
            ]
        });
        let rows: Vec<Vec<Cell>> = rows.collect();
        self.table(&rows, &[3], 2, Some(2));
    }

    fn sweep_objectives(&mut self, seeds: &[SeedResult]) {
        let Some(first) = seeds.first().filter(|seed| !seed.objectives.is_empty()) else { return };
        self.heading("Objectives", "target / worst seed / seeds that miss it");
        let rows = first.objectives.iter().enumerate().map(|(index, objective)| {
            let all = || seeds.iter().filter_map(|seed| seed.objectives.get(index));
            let missed = all().filter(|o| matches!(o.verdict, Verdict::Fail | Verdict::Degraded)).count();
            let worst = all().max_by(|a, b| {
                let margin = |o: &crate::results::ObjectiveResult| o.margin.unwrap_or(0.0);
                a.verdict.cmp(&b.verdict).then(margin(b).total_cmp(&margin(a)))
            });
            let verdict = worst.map_or(Verdict::Pass, |o| o.verdict);
            vec![
                (mark(verdict).to_owned(), Some(ink(verdict))),
                plain(objective.name.clone()),
                (objective.measure.clone(), Some(Ink::Faint)),
                plain(objective.target.clone()),
                (worst.map_or(String::new(), |o| o.achieved.clone()), Some(ink(verdict))),
                plain(if missed > 0 { format!("{missed} seeds") } else { String::new() }),
            ]
        });
        let rows: Vec<Vec<Cell>> = rows.collect();
        self.table(&rows, &[5], 2, Some(2));
    }

    fn sweep_faults(&mut self, seeds: &[SeedResult]) {
        let Some(first) = seeds.first().filter(|seed| !seed.faults.is_empty()) else { return };
        self.heading("Faults", "fired / felt / seeds in which it was felt");
        let rows = first.faults.iter().enumerate().map(|(index, fault)| {
            let all = || seeds.iter().filter_map(|seed| seed.faults.get(index));
            let felt = all().filter(|f| f.felt > 0).count();
            let odd = felt == 0 || (felt < seeds.len() && !fault.random);
            vec![
                plain(fault.name.clone()),
                (format!("{} {}", fault.fault, fault.target), Some(Ink::Faint)),
                plain(grouped(all().map(|f| f.fired).sum())),
                plain(grouped(all().map(|f| f.felt).sum())),
                (format!("{felt} of {}", seeds.len()), odd.then_some(Ink::Odd)),
            ]
        });
        let rows: Vec<Vec<Cell>> = rows.collect();
        self.table(&rows, &[2, 3, 4], 2, None);
    }

    /// Columns as wide as their widest cell; where that is too wide, a row's last words go to a line of
    /// their own. `right`: the columns that are numbers. `spare`: the column that is left out if then every
    /// row fits.
    fn table(&mut self, rows: &[Vec<Cell>], right: &[usize], indent: usize, spare: Option<usize>) {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width_of = |column: usize| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|(text, _)| text.chars().count())
                .max()
                .unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..columns).map(|column| width_of(column).min(34)).collect();
        let total: usize = indent + widths.iter().map(|width| width + 2).sum::<usize>();
        if let Some(spare) = spare.filter(|spare| *spare < columns && total > self.style.width + 2) {
            widths[spare] = 0;
        }
        for row in rows {
            let mut line = String::new();
            let mut used = 0;
            let mut first = true;
            for (column, (text, ink)) in row.iter().enumerate() {
                if widths[column] == 0 {
                    continue;
                }
                let length = text.chars().count();
                let gap = if first { indent } else { 2 };
                first = false;
                let wanted = gap + length.max(widths[column]);
                if used > indent && used + gap + length > self.style.width && length > 0 {
                    self.line(line.trim_end());
                    line = " ".repeat(indent + 6);
                    used = indent + 6;
                    let room = self.style.width.saturating_sub(used).max(20);
                    for part in wrap(text, room) {
                        let painted = ink.map_or(part.clone(), |ink| self.paint(&part, ink));
                        self.line(&format!("{line}{painted}"));
                    }
                    line.clear();
                    used = 0;
                    continue;
                }
                let painted = ink.map_or(text.clone(), |ink| self.paint(text, ink));
                let pad = " ".repeat(wanted - gap - length);
                let cell = if right.contains(&column) {
                    format!("{pad}{painted}")
                } else {
                    format!("{painted}{pad}")
                };
                let _ = write!(line, "{:gap$}{cell}", "");
                used += wanted;
            }
            if !line.trim().is_empty() {
                self.line(line.trim_end());
            }
        }
    }
}

fn ink(verdict: Verdict) -> Ink {
    match verdict {
        Verdict::Pass => Ink::Good,
        Verdict::Degraded | Verdict::Inconclusive => Ink::Odd,
        Verdict::Fail | Verdict::Error => Ink::Bad,
    }
}

fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "ok",
        Verdict::Degraded => "low",
        Verdict::Inconclusive => "?",
        Verdict::Fail => "FAIL",
        Verdict::Error => "ERR",
    }
}

fn reasons(contract: &ContractResult) -> String {
    let parts: Vec<String> =
        contract.reasons.iter().map(|(reason, count)| format!("{} {reason}", grouped(*count))).collect();
    parts.join(", ")
}

/// 1234567 as 1,234,567.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Seconds as `12.345s`, `4m05.123s`, `1h02m03s`; with its sign.
#[must_use]
pub fn clock(seconds: f64) -> String {
    let sign = if seconds < 0.0 { "-" } else { "" };
    let millis = (seconds.abs() * 1000.0).round() as u64;
    let (hours, minutes) = (millis / 3_600_000, millis / 60_000 % 60);
    let rest = millis % 60_000;
    if hours > 0 {
        format!("{sign}{hours}h{minutes:02}m{:02}s", rest / 1000)
    } else if minutes > 0 {
        format!("{sign}{minutes}m{:02}.{:03}s", rest / 1000, rest % 1000)
    } else {
        format!("{sign}{}.{:03}s", rest / 1000, rest % 1000)
    }
}

/// A margin, in per cent of the bound.
fn room(margin: f64) -> String {
    match margin * 100.0 {
        percent if percent < -999.0 => "< -999%".to_owned(),
        percent => format!("{percent:+.0}%"),
    }
}

fn rate(events: u64, seconds: f64) -> u64 {
    if seconds > 0.0 { (events as f64 / seconds) as u64 } else { 0 }
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().map_or(0, |line| line.chars().count());
        if line > 0 && line + 1 + word.chars().count() > width {
            lines.push(String::new());
        }
        if let Some(last) = lines.last_mut() {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{FaultResult, FlowRow, ObjectiveResult, PlaceRow, Step};

    fn failed_seed(seed: u64) -> SeedResult {
        let step = |at_seconds: f64, node: &str, what: &str| Step {
            at_seconds,
            node: node.into(),
            what: what.into(),
            faults: if what.contains("crash") { vec!["worker-crashes".into()] } else { vec![] },
        };
        let violation = Violation {
            item: "orders 4711".into(),
            key: Some(17),
            reason: "lost".into(),
            place: "ledger".into(),
            detail: "no copy is left".into(),
            story: vec![
                step(312.5, "shoppers", "offered to edge"),
                step(312.561, "orders-db", "effect at orders-db.order"),
                step(3725.2, "payment-worker#1", "crashed in the middle of the run"),
            ],
            ..Violation::default()
        };
        SeedResult {
            seed,
            digest: "00ff".into(),
            verdict: Verdict::Fail,
            cause: "charged-once is violated: 12 lost of 89874 items".into(),
            events: 3_121_004,
            wall_seconds: 1.0,
            simulated_seconds: 5400.0,
            contracts: vec![
                ContractResult {
                    name: "reply-is-true".into(),
                    rule: "at-least-once orders".into(),
                    checked: 90_011,
                    ..ContractResult::default()
                },
                ContractResult {
                    name: "charged-once".into(),
                    rule: "exactly-once orders".into(),
                    verdict: Verdict::Fail,
                    checked: 89_874,
                    violated: 12,
                    reasons: [("lost".to_owned(), 12)].into(),
                    violations: vec![violation],
                    ..ContractResult::default()
                },
            ],
            objectives: vec![ObjectiveResult {
                name: "available".into(),
                measure: "availability edge".into(),
                target: "at least 99.9%".into(),
                achieved: "99.951%".into(),
                margin: Some(0.51),
                samples: 90_011,
                ..ObjectiveResult::default()
            }],
            faults: vec![FaultResult {
                name: "worker-crashes".into(),
                fault: "proc.crash".into(),
                target: "payment-worker".into(),
                armed: 1,
                fired: 87,
                felt: 80,
                random: true,
                ..FaultResult::default()
            }],
            ledger: crate::results::Ledger {
                flows: vec![FlowRow {
                    flow: "orders".into(),
                    offered: 90_011,
                    accepted: 89_999,
                    refused: 12,
                    ..FlowRow::default()
                }],
                places: vec![PlaceRow {
                    place: "ledger".into(),
                    born: 89_862,
                    held: 89_862,
                    absorbed: 3,
                    ..PlaceRow::default()
                }],
                sends: vec![],
            },
            ..SeedResult::default()
        }
    }

    fn results(seeds: Vec<SeedResult>) -> Results {
        Results {
            scenario: "order-flow".into(),
            variant: "ack-first".into(),
            path: "scenarios/order-flow.yaml".into(),
            verdict: Verdict::Fail,
            cause: seeds[0].cause.clone(),
            seeds,
            ..Results::default()
        }
    }

    #[test]
    fn a_run_says_first_what_matters_and_last_how_to_see_it_again() {
        let text = render(&results(vec![failed_seed(3)]), Style { speed: false, ..Style::default() });
        let wanted = "\
FAIL  order-flow / ack-first  (seed 3)
charged-once is violated: 12 lost of 89874 items

Contracts                                             items checked / violations
  ok    reply-is-true  at-least-once orders  90,011
  FAIL  charged-once   exactly-once orders   89,874  12 lost

Objectives                                            target / achieved / margin
  ok  available  availability edge  at least 99.9%  99.951%  +51%

Faults                                                      armed / fired / felt
  worker-crashes  proc.crash payment-worker  1  87  80

Ledger
  orders: 90,011 offered = 89,999 accepted + 12 refused
  ledger  89,862 came  0 left  89,862 held  3 absorbed

The first violation of charged-once: item orders 4711 (key 17)
  lost at ledger: no copy is left
  5m12.500s  shoppers          offered to edge
  5m12.561s  orders-db         effect at orders-db.order
   1h02m05s  payment-worker#1  crashed in the middle of the run [worker-crashes]

Replay: beaufort run scenarios/order-flow.yaml --variant ack-first --seed 3
Digest: 00ff
";
        assert_eq!(text, wanted);
    }

    #[test]
    fn a_sweep_counts_seeds_and_tells_the_first_failure() {
        let text = render(&results(vec![failed_seed(0), failed_seed(1)]), Style::default());
        for part in ["Seeds: 2 fail", "2 seeds: 24 lost", "2 of 2", "--seed 0", "events/s a core"] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_colour_comes_only_if_asked_for() {
        let mut seed = failed_seed(3);
        seed.contracts[0].name = "a-name-that-is-quite-a-bit-longer-than-names-usually-are".into();
        seed.objectives[0].target = "p50 200ms, p95 450ms, p99 800ms, max 12s".into();
        seed.objectives[0].achieved = "p50 150ms, p95 300ms, p99 412ms, max 3.1s".into();
        let wide = results(vec![seed]);
        let text = render(&wide, Style { speed: false, ..Style::default() });
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        assert!(!text.contains('\u{1b}'));
        let coloured = render(&wide, Style { colour: true, ..Style::default() });
        assert!(coloured.contains("\u{1b}[1;31mFAIL\u{1b}[0m"));
    }

    #[test]
    fn numbers_are_grouped_and_times_have_units() {
        assert_eq!(
            (grouped(0), grouped(1234567), grouped(999)),
            ("0".into(), "1,234,567".into(), "999".into())
        );
        assert_eq!(
            (clock(0.5), clock(-61.04), clock(3725.0)),
            ("0.500s".into(), "-1m01.040s".into(), "1h02m05s".into())
        );
    }
}
