//! One run: its verdict first, then each table, the story of a violation, and how to see it again.

use super::page::{Ink, Page, ink, mark};
use super::table::{Cell, Column, Row, plain};
use super::words::{clock, counted, fates, grouped, late, rate, reasons, recovery, room};
use super::{engine, replay_command};
use crate::plain::plain as harmless;
use crate::results::{ContractResult, Lateness, Recovery, Results, SeedResult, Violation};
use crate::verdict::Verdict;

/// So many items are named that violate a contract.
const NAMED: usize = 8;

impl Page {
    pub(super) fn banner(&mut self, results: &Results) {
        let word = results.verdict.word().to_uppercase();
        let variant = match results.variant.as_str() {
            "" | "base" => String::new(),
            variant => format!(" / {}", harmless(variant)),
        };
        let seeds = match results.seeds.as_slice() {
            [one] => format!("seed {}", one.seed),
            many => format!("{} of {} seeds", many.len(), results.seeds_asked.max(many.len() as u64)),
        };
        let seeds =
            seeds + &engine(results).map_or(String::new(), |engine| format!(", on {}", harmless(engine)));
        let scenario = harmless(&results.scenario);
        let head = format!("{}  {scenario}{variant}  ({seeds})", self.paint(&word, ink(results.verdict)));
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
        if matches!(seed.verdict, Verdict::Fail | Verdict::Degraded) {
            self.timeline(seed);
        }
        self.footer(results, seed);
    }

    fn contracts(&mut self, seed: &SeedResult) {
        if seed.contracts.is_empty() {
            return;
        }
        let row = |contract: &ContractResult| {
            let (said, fates) = match contract.verdict {
                Verdict::Fail => (reasons(contract), fates(&contract.fates)),
                Verdict::Inconclusive => ("not shown".to_owned(), fates(&contract.fates)),
                _ => (String::new(), None),
            };
            let ink = ink(contract.verdict);
            let cells = vec![
                (mark(contract.verdict).to_owned(), Some(ink)),
                plain(contract.name.clone()),
                (contract.rule.clone(), Some(Ink::Faint)),
                plain(grouped(contract.checked)),
                (said, Some(ink)),
            ];
            Row { cells, notes: fates.into_iter().collect() }
        };
        let columns = [
            Column::Words(""),
            Column::Words(""),
            Column::Spare,
            Column::Number("items"),
            Column::Words("violations"),
        ];
        self.table("Contracts", &columns, seed.contracts.iter().map(row).collect());
    }

    fn objectives(&mut self, seed: &SeedResult) {
        if seed.objectives.is_empty() {
            return;
        }
        let rows = seed.objectives.iter().map(|objective| {
            let ink = ink(objective.verdict);
            let margin = objective.margin.map_or(String::new(), room);
            let cells = vec![
                (mark(objective.verdict).to_owned(), Some(ink)),
                plain(objective.name.clone()),
                (objective.measure.clone(), Some(Ink::Faint)),
                plain(objective.target.clone()),
                (objective.achieved.clone(), Some(ink)),
                plain(margin),
            ];
            let several = objective.recoveries.len();
            let which = (several > 1).then(|| format!("the worst of {several} times"));
            let worst = Recovery::worst(&objective.recoveries);
            let notes = worst.map(|worst| recovery(worst, which)).unwrap_or_default();
            Row { cells, notes }
        });
        let columns = [
            Column::Words(""),
            Column::Words(""),
            Column::Spare,
            Column::Words("target"),
            Column::Words("achieved"),
            Column::Number("margin"),
        ];
        let rows = rows.collect();
        self.table("Objectives", &columns, rows);
    }

    fn faults(&mut self, seed: &SeedResult) {
        if seed.faults.is_empty() {
            return;
        }
        let rows = seed.faults.iter().map(|fault| {
            let felt = match (fault.felt, fault.random) {
                (0, true) => Some(Ink::Faint),
                (0, false) => Some(Ink::Odd),
                _ => None,
            };
            let cells: Vec<Cell> = vec![
                plain(fault.name.clone()),
                (format!("{} {}", fault.fault, fault.target), Some(Ink::Faint)),
                plain(grouped(fault.armed)),
                plain(grouped(fault.fired)),
                (grouped(fault.felt), felt),
            ];
            Row::from(cells)
        });
        let columns = [
            Column::Words(""),
            Column::Words(""),
            Column::Number("armed"),
            Column::Number("fired"),
            Column::Number("felt"),
        ];
        self.table("Faults", &columns, rows.collect());
    }

    fn ledger(&mut self, seed: &SeedResult) {
        self.heading("Items");
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
            self.hanging(&text, 2, 4, None);
        }
        if seed.ledger.places.is_empty() {
            return;
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
            let cells: Vec<Cell> = vec![
                plain(place.place.clone()),
                plain(grouped(place.born + place.moved_in)),
                plain(grouped(place.ended + place.moved_out)),
                plain(grouped(place.held)),
                (notes.join(", "), Some(Ink::Faint)),
            ];
            Row::from(cells)
        });
        let columns = [
            Column::Words(""),
            Column::Number("came"),
            Column::Number("left"),
            Column::Number("held"),
            Column::Words(""),
        ];
        self.table("Copies", &columns, rows.collect());
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
        self.heading("What could not be shown");
        for doubt in &seed.doubts {
            self.hanging(&format!("- {doubt}"), 2, 4, None);
        }
    }

    pub(super) fn stories(&mut self, seed: &SeedResult) {
        let failed = seed.contracts.iter().filter(|contract| contract.verdict == Verdict::Fail);
        let told = failed.flat_map(|contract| contract.violations.iter().map(move |v| (contract, v)));
        let Some((contract, violation)) =
            told.clone().find(|(_, v)| !v.story.is_empty()).or(told.clone().next())
        else {
            return self.example(seed);
        };
        self.line("");
        let key = violation.key.map_or(String::new(), |key| format!(" (key {key})"));
        let head = format!("The first violation of {}: item {}{key}", contract.name, violation.item);
        self.hanging(&head, 0, 2, Some(Ink::Strong));
        let detail = if violation.detail.is_empty() { "" } else { ": " };
        let text = format!("{} at {}{detail}{}", violation.reason, violation.place, violation.detail);
        self.hanging(&text, 2, 2, Some(Ink::Bad));
        self.story(violation);
        self.others(contract, violation);
    }

    /// Where no contract is violated, the first item of a goal that is missed.
    fn example(&mut self, seed: &SeedResult) {
        let missed = seed.objectives.iter().filter_map(|goal| Some((goal, goal.examples.first()?)));
        let Some((goal, item)) = missed.max_by_key(|(_, item)| !item.story.is_empty()) else { return };
        self.line("");
        let key = item.key.map_or(String::new(), |key| format!(" (key {key})"));
        let head = format!("The first item without success for {}: {}{key}", goal.name, item.item);
        self.hanging(&head, 0, 2, Some(Ink::Strong));
        self.hanging(&format!("{} at {}", item.reason, item.place), 2, 2, Some(Ink::Bad));
        self.story(item);
    }

    fn story(&mut self, violation: &Violation) {
        let rows = violation.story.iter().map(|step| {
            let faults = match step.faults.as_slice() {
                [] => String::new(),
                faults => format!(" [{}]", faults.join(", ")),
            };
            let time = if step.node.is_empty() { String::new() } else { clock(step.at_seconds) };
            let cells: Vec<Cell> = vec![
                (time, Some(Ink::Faint)),
                plain(step.node.clone()),
                plain(format!("{}{faults}", step.what)),
            ];
            Row::from(cells)
        });
        let columns = [Column::Number(""), Column::Words(""), Column::Words("")];
        self.table("", &columns, rows.collect());
    }

    /// Which other items violate the contract.
    fn others(&mut self, contract: &ContractResult, told: &Violation) {
        let same = |v: &Violation| (v.number, &v.stream) == (told.number, &told.stream);
        let mut names: Vec<&str> = Vec::new();
        for violation in contract.violations.iter().filter(|v| !same(v)) {
            if !names.contains(&violation.item.as_str()) {
                names.push(&violation.item);
            }
        }
        let all = contract.violated.saturating_sub(1);
        names.truncate(NAMED);
        // Of one flow the numbers will do.
        let flow = told.item.rsplit_once(' ').map_or("", |(flow, _)| flow);
        let numbers = names.iter().map(|name| {
            name.rsplit_once(' ').filter(|(other, _)| *other == flow).map_or(*name, |(_, number)| number)
        });
        let names: Vec<&str> = numbers.collect();
        if names.is_empty() || all == 0 {
            return;
        }
        let more = all.saturating_sub(names.len() as u64);
        let more = if more == 0 { String::new() } else { format!(" and {} more", grouped(more)) };
        let text = format!("{} like it: {flow} {}{more}", counted(all, "other"), names.join(", "));
        self.hanging(&text, 2, 4, None);
    }

    pub(super) fn replay(&mut self, results: &Results, seed: u64) {
        self.line("");
        let replay = format!("Replay: {}", replay_command(results, seed));
        // Never wrapped: it is there to be copied.
        let replay = self.paint(&harmless(&replay), Ink::Strong);
        self.line(&replay);
    }

    /// How far the engine was from the instants at which things were due.
    pub(super) fn lateness<'a>(
        &mut self,
        results: &Results,
        seeds: impl Iterator<Item = &'a Lateness> + Clone,
    ) {
        if let Some(engine) = engine(results)
            && let Some(text) = late(engine, seeds)
        {
            self.hanging(&text, 0, 8, Some(Ink::Faint));
        }
    }

    fn footer(&mut self, results: &Results, seed: &SeedResult) {
        self.replay(results, seed.seed);
        self.hanging(&format!("Digest: {}", seed.digest), 0, 8, Some(Ink::Faint));
        self.lateness(results, seed.lateness.iter());
        if self.style.speed {
            let text = format!(
                "Speed: {} simulated in {:.2} s; {} events, {}/s, {:.1} an item",
                clock(seed.simulated_seconds.round()).replace(".000", ""),
                seed.wall_seconds,
                grouped(seed.events),
                grouped(rate(seed.events, seed.wall_seconds)),
                seed.events_per_item,
            );
            self.hanging(&text, 0, 7, Some(Ink::Faint));
        }
    }
}
