//! Numbers and times in words, for every rendering.

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

/// How many a second; 0 where no time passed.
#[must_use]
pub fn rate(events: u64, seconds: f64) -> u64 {
    if seconds > 0.0 { (events as f64 / seconds) as u64 } else { 0 }
}

/// One thing, several things.
#[must_use]
pub fn counted(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// How long, for people, to three digits: `0 s`, `412 ms`, `12.4 s`, `18.5 min`, `2 h 5 min`, `3 d 4 h`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    let sign = if seconds < 0.0 { "-" } else { "" };
    let s = seconds.abs();
    let text = match s {
        s if s < 5e-7 => return "0 s".to_owned(),
        s if s < 0.000_999_5 => format!("{:.0} us", s * 1e6),
        s if s < 0.009_95 => format!("{} ms", trimmed(s * 1e3, 1)),
        s if s < 0.999_5 => format!("{:.0} ms", s * 1e3),
        s if s < 119.95 => format!("{} s", trimmed(s, 1)),
        s if s < 7197.0 => format!("{} min", trimmed(s / 60.0, 1)),
        s if s < 172_770.0 => two(s / 60.0, 60, "h", "min"),
        s => two(s / 3600.0, 24, "d", "h"),
    };
    format!("{sign}{text}")
}

/// When, on the clock of the scenario: `0 s`, `12.4 s`, `5 min 12.4 s`, `1 h 2 min 3 s`.
#[must_use]
pub fn instant(seconds: f64) -> String {
    let sign = if seconds < 0.0 { "-" } else { "" };
    let tenths = (seconds.abs() * 10.0).round() as u64;
    let (hours, minutes, rest) = (tenths / 36_000, tenths / 600 % 60, tenths % 600);
    let mut parts = Vec::new();
    if hours > 0 {
        parts.push(format!("{} h", grouped(hours)));
    }
    if minutes > 0 {
        parts.push(format!("{minutes} min"));
    }
    match (hours, rest % 10) {
        (0, 1..) => parts.push(format!("{}.{} s", rest / 10, rest % 10)),
        _ if rest >= 10 => parts.push(format!("{} s", rest / 10)),
        _ => {}
    }
    if parts.is_empty() { "0 s".to_owned() } else { format!("{sign}{}", parts.join(" ")) }
}

/// The same to the millisecond: `2 min 36.561 s`.
#[must_use]
pub fn moment(seconds: f64) -> String {
    let sign = if seconds < 0.0 { "-" } else { "" };
    let millis = (seconds.abs() * 1000.0).round() as u64;
    let (hours, minutes, rest) = (millis / 3_600_000, millis / 60_000 % 60, millis % 60_000);
    let hours = if hours > 0 { format!("{} h ", grouped(hours)) } else { String::new() };
    let minutes = if minutes > 0 || !hours.is_empty() { format!("{minutes} min ") } else { String::new() };
    format!("{sign}{hours}{minutes}{}.{:03} s", rest / 1000, rest % 1000)
}

/// A share in per cent, with so many digits that what is less than all is never shown as all: `99.95 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    let (low, high) = (value.abs() < 0.001 * (1.0 - 1e-9) && share != 0.0, value > 99.999 && share < 1.0);
    match (low, high) {
        (true, _) => "< 0.001 %".to_owned(),
        (_, true) => "> 99.999 %".to_owned(),
        _ if value.abs() < 0.1 || (99.0..100.0).contains(&value) => format!("{} %", trimmed(value, 3)),
        _ => format!("{} %", trimmed(value, 2)),
    }
}

/// A number of any size to about three digits, grouped: `0.25`, `1.5`, `412`, `12,345`.
#[must_use]
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let sign = if value < 0.0 { "-" } else { "" };
    match value.abs() {
        v if v < 1e-9 => "0".to_owned(),
        v if v < 1.0 => format!("{sign}{}", trimmed(v, 3)),
        v if v < 99.95 => format!("{sign}{}", trimmed(v, 1)),
        v => format!("{sign}{}", grouped(v.round() as u64)),
    }
}

/// So many digits after the point, less zeros at the end.
fn trimmed(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn two(small: f64, many: u64, big: &str, unit: &str) -> String {
    let small = small.round() as u64;
    let (high, low) = (small / many, small % many);
    if low == 0 {
        format!("{} {big}", grouped(high))
    } else {
        format!("{} {big} {low} {unit}", grouped(high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_and_three_digits() {
        let told = [0.0, 0.000_4, 0.0012, 0.412, 12.4, 119.99, 1110.0, 7199.0, 7500.0, 273_600.0, -90.0];
        let told = told.map(duration);
        let expected = [
            "0 s",
            "400 us",
            "1.2 ms",
            "412 ms",
            "12.4 s",
            "2 min",
            "18.5 min",
            "2 h",
            "2 h 5 min",
            "3 d 4 h",
            "-90 s",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn instants_are_read_as_on_a_clock() {
        let told = [0.0, 0.04, 12.44, 300.0, 312.4, 3723.4, 3600.0, -61.0].map(instant);
        let expected =
            ["0 s", "0 s", "12.4 s", "5 min", "5 min 12.4 s", "1 h 2 min 3 s", "1 h", "-1 min 1 s"];
        assert_eq!(told, expected);
    }

    #[test]
    fn moments_are_told_to_the_millisecond() {
        let told = [0.0, 156.5614, 3600.5, -0.25].map(moment);
        assert_eq!(told, ["0.000 s", "2 min 36.561 s", "1 h 0 min 0.500 s", "-0.250 s"]);
    }

    #[test]
    fn less_than_all_is_never_all() {
        let told = [1.0, 0.999_999_9, 0.9995, 0.5, 0.0, 0.000_000_1, 0.000_01].map(percent);
        assert_eq!(told, ["100 %", "> 99.999 %", "99.95 %", "50 %", "0 %", "< 0.001 %", "0.001 %"]);
        assert_eq!([0.25, 1.5, 412.4, 12_345.0].map(number), ["0.25", "1.5", "412", "12,345"]);
    }
}
