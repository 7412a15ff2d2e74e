//! Spans and instants in words, with their units.

/// A span: `412 µs`, `85 ms`, `12.4 s`, `18.5 min`, `2 h 5 min`.
pub(super) fn span(seconds: f64) -> String {
    let s = seconds.abs();
    let told = match s {
        s if s < 0.000_000_5 => "0 s".to_owned(),
        s if s < 0.000_999_5 => format!("{:.0} \u{b5}s", s * 1e6),
        s if s < 0.009_995 => format!("{} ms", short(s * 1e3, 2)),
        s if s < 0.099_95 => format!("{} ms", short(s * 1e3, 1)),
        s if s < 0.999_5 => format!("{:.0} ms", s * 1e3),
        s if s < 99.95 => format!("{} s", short(s, 1)),
        s if s < 5_997.0 => format!("{} min", short(s / 60.0, 1)),
        s => {
            let minutes = (s / 60.0).round() as u64;
            format!("{} h {} min", minutes / 60, minutes % 60)
        }
    };
    if seconds < 0.0 && told != "0 s" { format!("\u{2212}{told}") } else { told }
}

/// A number without decimals that say nothing.
fn short(value: f64, decimals: usize) -> String {
    format!("{value:.decimals$}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// An instant of the scenario, to the millisecond: `4.123 s`, `4 min 5.123 s`, `1 h 2 min 3.000 s`.
pub(super) fn instant(seconds: f64) -> String {
    let sign = if seconds < 0.0 { "\u{2212}" } else { "" };
    let millis = (seconds.abs() * 1000.0).round() as u64;
    let (hours, minutes) = (millis / 3_600_000, millis / 60_000 % 60);
    let rest = format!("{}.{:03} s", millis / 1000 % 60, millis % 1000);
    match (hours, minutes) {
        (0, 0) => format!("{sign}{rest}"),
        (0, minutes) => format!("{sign}{minutes} min {rest}"),
        (hours, minutes) => format!("{sign}{hours} h {minutes} min {rest}"),
    }
}

/// A share that is more than nothing and less than all is never shown as nothing or all.
pub(super) fn share(part: f64) -> String {
    match part * 100.0 {
        percent if percent <= 0.0 => "0 %".to_owned(),
        percent if percent < 0.1 => "< 0.1 %".to_owned(),
        percent if percent < 9.95 => format!("{percent:.1} %"),
        percent if percent > 99.0 && percent < 100.0 => "> 99 %".to_owned(),
        percent => format!("{percent:.0} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_and_no_more_digits_than_say_something() {
        let short = [0.0, 0.000_412, 0.004_34, 0.013_4, 0.85].map(span);
        assert_eq!(short, ["0 s", "412 \u{b5}s", "4.34 ms", "13.4 ms", "850 ms"]);
        let long = [12.44, 99.96, 120.0, 1110.0, 7500.0, -60.0].map(span);
        assert_eq!(long, ["12.4 s", "1.7 min", "2 min", "18.5 min", "2 h 5 min", "\u{2212}60 s"]);
        assert_eq!(instant(245.1234), "4 min 5.123 s");
        assert_eq!(instant(-3723.0), "\u{2212}1 h 2 min 3.000 s");
        assert_eq!(instant(59.9996), "1 min 0.000 s");
        assert_eq!(
            [0.0, 0.0004, 0.031, 0.5, 0.9999, 1.0].map(share),
            ["0 %", "< 0.1 %", "3.1 %", "50 %", "> 99 %", "100 %"]
        );
    }
}
