//! A sweep: how many seeds came out how, the worst of each line, and the first seed to look at.

use super::page::{Ink, Page, ink, mark};
use super::table::{Cell, Column, Row, plain};
use super::words::{clock, grouped, rate, reasons, recovery};
use crate::results::{ContractResult, ObjectiveResult, Recovery, Results, SeedResult};
use crate::verdict::Verdict;

impl Page {
    pub(super) fn sweep(&mut self, results: &Results, seeds: &[SeedResult]) {
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
            self.timeline(seed);
            self.replay(results, seed.seed);
        }
        if worst.is_none() && (self.style.speed || seeds.iter().any(|seed| seed.lateness.is_some())) {
            self.line("");
        }
        self.lateness(results, seeds.iter().filter_map(|seed| seed.lateness.as_ref()));
        if self.style.speed {
            let events: u64 = seeds.iter().map(|seed| seed.events).sum();
            let wall: f64 = seeds.iter().map(|seed| seed.wall_seconds).sum();
            let simulated: f64 = seeds.iter().map(|seed| seed.simulated_seconds).sum();
            let text = format!(
                "Speed: {} simulated in {wall:.1} core seconds; {} events, {}/s a core",
                clock(simulated.round()).replace(".000", ""),
                grouped(events),
                grouped(rate(events, wall)),
            );
            self.hanging(&text, 0, 7, Some(Ink::Faint));
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
                n => format!("{n} of {} seeds: {}", seeds.len(), reasons(&sum)),
            };
            let cells: Vec<Cell> = vec![
                (mark(worst).to_owned(), Some(ink(worst))),
                plain(contract.name.clone()),
                (contract.rule.clone(), Some(Ink::Faint)),
                plain(grouped(all().map(|c| c.checked).sum())),
                (said, Some(ink(worst))),
            ];
            Row::from(cells)
        });
        let columns = [
            Column::Words(""),
            Column::Words(""),
            Column::Spare,
            Column::Number("items"),
            Column::Words("violated on"),
        ];
        self.table("Contracts", &columns, rows.collect());
    }

    fn sweep_objectives(&mut self, seeds: &[SeedResult]) {
        let Some(first) = seeds.first().filter(|seed| !seed.objectives.is_empty()) else { return };
        let rows = first.objectives.iter().enumerate().map(|(index, objective)| {
            let all = || seeds.iter().filter_map(|seed| seed.objectives.get(index));
            let missed = all().filter(|o| matches!(o.verdict, Verdict::Fail | Verdict::Degraded)).count();
            let worst = all().max_by(|a, b| {
                let margin = |o: &ObjectiveResult| o.margin.unwrap_or(0.0);
                a.verdict.cmp(&b.verdict).then(margin(b).total_cmp(&margin(a)))
            });
            let verdict = worst.map_or(Verdict::Pass, |o| o.verdict);
            let missed = if missed > 0 { format!("{missed} of {}", seeds.len()) } else { String::new() };
            let cells = vec![
                (mark(verdict).to_owned(), Some(ink(verdict))),
                plain(objective.name.clone()),
                (objective.measure.clone(), Some(Ink::Faint)),
                plain(objective.target.clone()),
                (worst.map_or(String::new(), |o| o.achieved.clone()), Some(ink(verdict))),
                plain(missed),
            ];
            Row { cells, notes: worst_recovery(seeds, index) }
        });
        let columns = [
            Column::Words(""),
            Column::Words(""),
            Column::Spare,
            Column::Words("target"),
            Column::Words("worst"),
            Column::Number("missed on"),
        ];
        self.table("Objectives", &columns, rows.collect());
    }

    fn sweep_faults(&mut self, seeds: &[SeedResult]) {
        let Some(first) = seeds.first().filter(|seed| !seed.faults.is_empty()) else { return };
        let rows = first.faults.iter().enumerate().map(|(index, fault)| {
            let all = || seeds.iter().filter_map(|seed| seed.faults.get(index));
            let felt = all().filter(|f| f.felt > 0).count();
            let odd = felt == 0 || (felt < seeds.len() && !fault.random);
            let cells: Vec<Cell> = vec![
                plain(fault.name.clone()),
                (format!("{} {}", fault.fault, fault.target), Some(Ink::Faint)),
                plain(grouped(all().map(|f| f.fired).sum())),
                plain(grouped(all().map(|f| f.felt).sum())),
                (format!("{felt} of {}", seeds.len()), odd.then_some(Ink::Odd)),
            ];
            Row::from(cells)
        });
        let columns = [
            Column::Words(""),
            Column::Words(""),
            Column::Number("fired"),
            Column::Number("felt"),
            Column::Number("felt on"),
        ];
        self.table("Faults", &columns, rows.collect());
    }
}

/// The worst recovery over all seeds, and on which.
fn worst_recovery(seeds: &[SeedResult], objective: usize) -> Vec<String> {
    let of = |seed: &SeedResult| {
        Recovery::worst(&seed.objectives.get(objective)?.recoveries).map(|worst| (seed.seed, worst.clone()))
    };
    let all = seeds.iter().filter_map(of);
    let worst = all.rev().max_by(|a, b| a.1.severity().total_cmp(&b.1.severity()));
    let Some((seed, worst)) = worst else { return Vec::new() };
    recovery(&worst, (seeds.len() > 1).then(|| format!("on seed {seed}")))
}
