//! One run: its verdict first, then each table, the story of a violation, and how to see it again.

use super::page::{Cell, Ink, Page, ink, mark, plain};
use super::replay_command;
use super::words::{clock, grouped, rate, reasons, room};
use crate::results::{Results, SeedResult, Violation};
use crate::verdict::Verdict;

impl Page {
    pub(super) fn banner(&mut self, results: &Results) {
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

    pub(super) fn run(&mut self, results: &Results, seed: &SeedResult) {
        self.contracts(seed);
        self.objectives(seed);
        self.faults(seed);
        self.ledger(seed);
        self.errors(seed);
        self.doubts(seed);
        self.stories(seed);
        self.footer(results, seed);
    }

    pub(super) fn contracts(&mut self, seed: &SeedResult) {
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

    pub(super) fn objectives(&mut self, seed: &SeedResult) {
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

    pub(super) fn faults(&mut self, seed: &SeedResult) {
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

    pub(super) fn ledger(&mut self, seed: &SeedResult) {
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

    pub(super) fn errors(&mut self, seed: &SeedResult) {
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

    pub(super) fn doubts(&mut self, seed: &SeedResult) {
        if seed.doubts.is_empty() || seed.verdict == Verdict::Pass {
            return;
        }
        self.heading("What could not be shown", "");
        for doubt in &seed.doubts {
            self.paragraph(&format!("- {doubt}"), 2);
        }
    }

    pub(super) fn stories(&mut self, seed: &SeedResult) {
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

    pub(super) fn story(&mut self, violation: &Violation) {
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

    pub(super) fn footer(&mut self, results: &Results, seed: &SeedResult) {
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
}
