//! What the terminal says, in words.

use crate::results::{ContractResult, Fates, Lateness, Recovery};
pub(super) use crate::words::{clock, counted, grouped, rate};

pub(crate) fn reasons(contract: &ContractResult) -> String {
    let parts: Vec<String> =
        contract.reasons.iter().map(|(reason, count)| format!("{} {reason}", grouped(*count))).collect();
    parts.join(", ")
}

/// A margin, in per cent of the bound.
pub(crate) fn room(margin: f64) -> String {
    match margin * 100.0 {
        percent if percent < -999.0 => "< -999%".to_owned(),
        percent => format!("{percent:+.0}%"),
    }
}

/// Seconds for people, to three digits: `53.8s`.
pub(super) fn span(seconds: f64) -> String {
    match seconds {
        s if s < 0.000_5 => "0s".to_owned(),
        s if s < 1.0 => format!("{:.0}ms", s * 1e3),
        s if s < 120.0 => format!("{s:.1}s"),
        s if s < 7200.0 => format!("{:.1}m", s / 60.0),
        s => format!("{:.1}h", s / 3600.0),
    }
}

/// How late an engine was, over one or more seeds: `on turmoil: 1,204 inputs, 3.1% late, at most 1.0ms`.
pub(super) fn late<'a>(engine: &str, seeds: impl Iterator<Item = &'a Lateness> + Clone) -> Option<String> {
    let inputs: u64 = seeds.clone().map(|seed| seed.inputs).sum();
    let late: u64 = seeds.clone().map(|seed| seed.late).sum();
    let max = seeds.map(|seed| seed.max).max_by(f64::total_cmp)?;
    let inputs_told = counted(inputs, "input");
    if late == 0 {
        return Some(format!("On {engine}: {inputs_told}, none late"));
    }
    let max = match max {
        max if max < 0.001 => format!("{:.0}us", max * 1e6),
        max if max < 0.01 => format!("{:.1}ms", max * 1e3),
        max => span(max),
    };
    Some(format!("On {engine}: {inputs_told}, {} late, at most {max}", share(late, inputs)))
}

/// A share that is more than nothing and less than all is never shown as nothing or all.
pub(crate) fn share(part: u64, all: u64) -> String {
    match part as f64 / all.max(1) as f64 * 100.0 {
        percent if percent < 0.1 => "< 0.1%".to_owned(),
        percent if percent > 99.9 && part < all => "> 99.9%".to_owned(),
        percent => format!("{percent:.1}%"),
    }
}

/// What one occurrence of a fault did, in two lines; `which` says which one it was.
pub(crate) fn recovery(recovery: &Recovery, which: Option<String>) -> Vec<String> {
    let after = |word: &str, seconds: Option<f64>, never: &str| {
        seconds.map_or_else(|| never.to_owned(), |seconds| format!("{word} {}", span(seconds)))
    };
    let mut parts = vec![after("impact", recovery.impact, "not impacted")];
    parts.push(after("detected", recovery.detected, "never detected"));
    if recovery.decided.is_some() {
        parts.push(after("decided", recovery.decided, ""));
        parts.push(after("acted", recovery.acted, "not acted to the end"));
    }
    if recovery.impact.is_some() {
        parts.push(after("recovered", recovery.recovered, "not recovered"));
    }
    parts.push(match recovery.backlog {
        None => "no backlog".to_owned(),
        Some(_) => after("drained", recovery.drained, "not drained"),
    });
    let mut facts = Vec::new();
    if recovery.bad > 0 {
        facts.push(format!("{} suffered", counted(recovery.bad, "item")));
    }
    if let Some(backlog) = recovery.backlog {
        facts.push(format!("the backlog rose to {}", grouped(backlog)));
    }
    facts.extend(which);
    let first = format!("{}: {}", recovery.fault, parts.join(", "));
    if facts.is_empty() { vec![first] } else { vec![first, facts.join("; ")] }
}

/// What became of the items of a contract, if that is not one thing.
pub(crate) fn fates(fates: &Fates) -> Option<String> {
    let known = [
        ("effected", fates.effected),
        ("doubled", fates.doubled),
        ("parked", fates.parked),
        ("superseded", fates.superseded),
        ("held", fates.held),
        ("stranded", fates.stranded),
        ("dead-lettered", fates.dead_lettered),
        ("expired", fates.expired),
        ("discarded", fates.discarded),
        ("lost", fates.lost),
        ("late", fates.late),
    ];
    let told = |list: &[(&str, u64)]| {
        let some = list.iter().filter(|(_, count)| *count > 0);
        some.map(|(word, count)| format!("{} {word}", grouped(*count))).collect::<Vec<_>>().join(", ")
    };
    let mut text = told(&known);
    let unknown = told(&[("effected", fates.unknown_effected), ("not effected", fates.unknown_absent)]);
    if !unknown.is_empty() {
        text.push_str(&format!("; answer unknown: {unknown}"));
    }
    (!text.is_empty()).then(|| format!("fates: {}", text.trim_start_matches("; ")))
}

/// Lines of at most so many characters; a word that is longer is cut.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    wrapped(text, width, width)
}

/// The same with another width for the first line.
pub(super) fn wrapped(text: &str, first: usize, others: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        loop {
            let used = lines.last().map_or(0, |line| line.chars().count());
            let width = if lines.len() == 1 { first } else { others };
            let room = width.saturating_sub(if used > 0 { used + 1 } else { 0 });
            if word.len() > room && used > 0 {
                lines.push(String::new());
                continue;
            }
            let rest = word.split_off(word.len().min(room.max(1)));
            if let Some(line) = lines.last_mut() {
                if used > 0 {
                    line.push(' ');
                }
                line.extend(word);
            }
            if rest.is_empty() {
                break;
            }
            lines.push(String::new());
            word = rest;
        }
    }
    lines
}
