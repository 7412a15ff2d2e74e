//! Numbers, times and reasons in words.

use crate::results::ContractResult;

pub(super) fn reasons(contract: &ContractResult) -> String {
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
pub(super) fn room(margin: f64) -> String {
    match margin * 100.0 {
        percent if percent < -999.0 => "< -999%".to_owned(),
        percent => format!("{percent:+.0}%"),
    }
}

pub(super) fn rate(events: u64, seconds: f64) -> u64 {
    if seconds > 0.0 { (events as f64 / seconds) as u64 } else { 0 }
}

pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
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
