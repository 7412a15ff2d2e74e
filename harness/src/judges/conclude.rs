//! The verdict of a run, and the sentence about it.

use beaufort_reports::{SeedResult, Verdict, text::grouped};

/// The verdict of a run, and one sentence about it.
pub(super) fn conclude(result: &SeedResult) -> (Verdict, String) {
    if let Some(error) = result.errors.first() {
        let cause = format!(
            "internal error: the {} book does not balance at {}: {}",
            error.book, error.subject, error.message
        );
        return (Verdict::Error, cause);
    }
    let contract = result.contracts.iter().find(|contract| contract.verdict == Verdict::Fail);
    if let Some(contract) = contract {
        let reasons: Vec<String> =
            contract.reasons.iter().map(|(reason, n)| format!("{} {reason}", grouped(*n))).collect();
        let (reasons, checked) = (reasons.join(", "), grouped(contract.checked));
        let more = and_more(result.failed().count());
        let verb = contract.rule.split(' ').next();
        let what = match verb {
            Some("single-active" | "runs") => "runs",
            Some("consistent") => "reads",
            _ => "items",
        };
        let cause = format!("{} is violated: {reasons} of {checked} {what}{more}", contract.name);
        return (Verdict::Fail, cause);
    }
    let missed = |verdict: Verdict| result.objectives.iter().find(|o| o.verdict == verdict);
    if let Some(objective) = missed(Verdict::Fail) {
        let more = and_more(result.failed().count());
        let (name, achieved, target) = (&objective.name, &objective.achieved, &objective.target);
        return (Verdict::Fail, format!("{name} is missed: {achieved} instead of {target}{more}"));
    }
    if let Some(doubt) = result.doubts.first() {
        return (Verdict::Inconclusive, format!("{doubt}{}", and_more(result.doubts.len())));
    }
    if let Some(objective) = missed(Verdict::Degraded) {
        let cause = format!(
            "{} is not ideal: {} instead of {}",
            objective.name, objective.achieved, objective.target
        );
        return (Verdict::Degraded, cause);
    }
    let felt = result.faults.iter().filter(|fault| fault.felt > 0).count();
    let cause = match felt {
        0 => "every contract and objective holds".to_owned(),
        1 => "every contract and objective holds, and the fault was felt".to_owned(),
        n => format!("every contract and objective holds, and {n} faults were felt"),
    };
    (Verdict::Pass, cause)
}

/// How many there are beside the one that is told.
fn and_more(all: usize) -> String {
    if all > 1 { format!(" (and {} more)", all - 1) } else { String::new() }
}
