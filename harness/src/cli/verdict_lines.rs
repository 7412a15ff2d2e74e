//! The verdict as the lines that a pipeline or a script reads: the last of standard output, stable.

use beaufort_reports::{Results, SeedResult, Verdict};

use beaufort_engines::Engine;

/// How a command line names this again: scenario, variant and changes.
#[derive(Clone, Debug)]
#[cfg_attr(test, derive(Default))]
pub(super) struct Subject {
    /// The program that is called.
    pub(super) program: String,
    /// The file or the name of a shipped scenario.
    pub(super) scenario: String,
    /// The variant; none for the base.
    pub(super) variant: Option<String>,
    /// The changes.
    pub(super) sets: Vec<String>,
    /// On what it runs.
    pub(super) engine: Engine,
}

impl Subject {
    /// `order-flow/dual-write`.
    pub(super) fn name(&self) -> String {
        match &self.variant {
            Some(variant) => format!("{}/{variant}", self.scenario),
            None => self.scenario.clone(),
        }
    }

    /// The scenario with its changes, as arguments of a command.
    pub(super) fn named(&self) -> String {
        let mut words = quoted(&self.scenario);
        for set in &self.sets {
            words.push_str(&format!(" --set {}", quoted(set)));
        }
        words
    }

    /// The command that gives the same run again.
    pub(super) fn replay(&self, seed: u64) -> String {
        let variant = self.variant.as_ref().map_or(String::new(), |variant| format!(" --variant {variant}"));
        let engine = match self.engine {
            Engine::Native => String::new(),
            engine => format!(" --engine {engine}"),
        };
        format!("{} run {}{variant} --seed {seed}{engine}", self.program, self.named())
    }
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "-_./=:,%+@".contains(c);
    match word.chars().all(harmless) && !word.is_empty() {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// The lines of one run or one sweep: the verdict with its cause; each line of the scenario that does
/// not hold, with the worst seed; and how to see that again.
pub(super) fn lines(results: &Results, subject: &Subject) -> String {
    let count = results.seeds.len();
    let mut text = format!("{}: {}", results.verdict, subject.name());
    match results.seeds.as_slice() {
        [only] => text.push_str(&format!(", seed {}, digest {}", only.seed, only.digest)),
        _ => text.push_str(&format!(", {count} seeds{}", counts(results))),
    }
    text.push('\n');
    let broken = broken(results);
    if !results.cause.is_empty() && results.verdict != Verdict::Pass && broken.is_empty() {
        text.push_str(&format!("  {}\n", results.cause));
    }
    for (name, told) in broken {
        text.push_str(&format!("  {name}: {told}\n"));
    }
    if let Some(worst) = worst(results).filter(|seed| seed.verdict != Verdict::Pass) {
        text.push_str(&format!("  replay: {}\n", subject.replay(worst.seed)));
    }
    text
}

/// How many seeds had which verdict, if not all the same.
fn counts(results: &Results) -> String {
    let all = [Verdict::Error, Verdict::Fail, Verdict::Inconclusive, Verdict::Degraded, Verdict::Pass];
    let counted: Vec<String> = all
        .iter()
        .map(|verdict| (verdict, results.seeds.iter().filter(|seed| seed.verdict == *verdict).count()))
        .filter(|(_, n)| *n > 0)
        .map(|(verdict, n)| format!("{n} {verdict}"))
        .collect();
    if counted.len() < 2 { String::new() } else { format!(": {}", counted.join(", ")) }
}

/// The seed to look at first: the earliest of the worst.
fn worst(results: &Results) -> Option<&SeedResult> {
    results.seeds.iter().rev().max_by_key(|seed| seed.verdict)
}

/// Each contract and objective that does not hold on some seed, and how, on the first such seed.
fn broken(results: &Results) -> Vec<(String, String)> {
    let mut lines: Vec<(String, String)> = Vec::new();
    for seed in &results.seeds {
        let at = format!("seed {}", seed.seed);
        for contract in seed.contracts.iter().filter(|c| c.verdict == Verdict::Fail) {
            let reasons: Vec<String> =
                contract.reasons.iter().map(|(reason, n)| format!("{n} {reason}")).collect();
            let first = contract.violations.first();
            let item = first.map_or(String::new(), |v| format!(", first {}", v.item));
            let when = first.and_then(|v| v.at_seconds).map_or(String::new(), |t| format!(" at {t:.3} s"));
            let told = format!("{} of {}{item}{when} ({at})", reasons.join(", "), contract.checked);
            add(&mut lines, &contract.name, told);
        }
        let missed = |verdict| matches!(verdict, Verdict::Fail | Verdict::Degraded);
        for goal in seed.objectives.iter().filter(|goal| missed(goal.verdict)) {
            add(&mut lines, &goal.name, format!("wanted {}, got {} ({at})", goal.target, goal.achieved));
        }
    }
    lines
}

fn add(lines: &mut Vec<(String, String)>, name: &str, told: String) {
    if lines.iter().all(|(known, _)| known != name) {
        lines.push((name.to_owned(), told));
    }
}

#[cfg(test)]
mod tests {
    use beaufort_reports::{ContractResult, ObjectiveResult, Violation};

    use super::*;

    fn seed(number: u64, verdict: Verdict) -> SeedResult {
        SeedResult { seed: number, digest: "abc".into(), verdict, ..SeedResult::default() }
    }

    fn subject() -> Subject {
        Subject {
            program: "beaufort".into(),
            scenario: "my design.yaml".into(),
            variant: Some("ack-first".into()),
            sets: vec!["nodes.a.lock=5s".into(), "nodes.a.types=[x, y]".into()],
            engine: Engine::Native,
        }
    }

    #[test]
    fn a_run_that_passes_is_one_line() {
        let results = Results { seeds: vec![seed(7, Verdict::Pass)], ..Results::default() };
        let subject = Subject { scenario: "order-flow".into(), ..Subject::default() };
        assert_eq!(lines(&results, &subject), "pass: order-flow, seed 7, digest abc\n");
    }

    #[test]
    fn a_sweep_that_fails_names_lines_and_a_replay() {
        let violation = Violation { item: "orders 12".into(), at_seconds: Some(1.5), ..Violation::default() };
        let contract = ContractResult {
            name: "charged-once".into(),
            verdict: Verdict::Fail,
            checked: 100,
            reasons: [("lost".to_owned(), 3)].into(),
            violations: vec![violation],
            ..ContractResult::default()
        };
        let goal = ObjectiveResult {
            name: "quick".into(),
            verdict: Verdict::Fail,
            target: "p99 800ms".into(),
            achieved: "p99 900ms".into(),
            ..ObjectiveResult::default()
        };
        let broken = SeedResult { contracts: vec![contract], ..seed(2, Verdict::Fail) };
        let slow = SeedResult { objectives: vec![goal], ..seed(3, Verdict::Fail) };
        let results = Results {
            verdict: Verdict::Fail,
            cause: "charged-once is violated".into(),
            seeds: vec![seed(1, Verdict::Pass), broken, slow],
            ..Results::default()
        };
        let expected = "\
fail: my design.yaml/ack-first, 3 seeds: 2 fail, 1 pass
  charged-once: 3 lost of 100, first orders 12 at 1.500 s (seed 2)
  quick: wanted p99 800ms, got p99 900ms (seed 3)
  replay: beaufort run 'my design.yaml' --set nodes.a.lock=5s --set 'nodes.a.types=[x, y]' --variant ack-first --seed 2
";
        assert_eq!(lines(&results, &subject()), expected);
        let hosted = Subject { engine: Engine::Turmoil, ..subject() };
        assert_eq!(lines(&results, &hosted), expected.replace("--seed 2", "--seed 2 --engine turmoil"));
    }
}
