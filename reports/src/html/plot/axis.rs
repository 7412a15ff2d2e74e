//! Axes: which part of which scale, where its ticks are and what is written at them.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use crate::words;

/// What an axis shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::html) enum Unit {
    /// Instants of the scenario, in seconds.
    Time,
    /// How long, in seconds.
    Duration,
    /// Shares; ticks in per cent.
    Share,
    /// Things that are counted: nothing between one and the next.
    Count,
    /// Anything else.
    Number,
}

/// How values lie on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::html) enum Scale {
    /// Evenly.
    Linear,
    /// By their logarithm.
    Log,
}

/// An axis.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::html) struct Axis {
    /// What it says at its end: `orders a second`.
    pub label: String,
    /// Its unit.
    pub unit: Unit,
    /// Its scale.
    pub scale: Scale,
    /// Where it begins.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// Where its ticks are, with what is written there.
    pub ticks: Vec<(f64, String)>,
}

/// Steps of time that people count in, in seconds.
const STEPS: [f64; 26] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0,
    300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10_800.0, 21_600.0, 43_200.0,
];
const DAY: f64 = 86_400.0;

impl Default for Axis {
    fn default() -> Axis {
        Axis::linear("", Unit::Number, 0.0, 1.0)
    }
}

impl Axis {
    /// The time of a scenario.
    pub(in crate::html) fn time(from: f64, to: f64) -> Axis {
        Axis::linear("scenario time", Unit::Time, from, to)
    }

    /// A linear axis from exactly here to exactly there.
    pub(in crate::html) fn linear(label: &str, unit: Unit, from: f64, to: f64) -> Axis {
        let to = if to > from && to.is_finite() { to } else { from + 1.0 };
        Axis { label: label.to_owned(), unit, scale: Scale::Linear, from, to, ticks: Vec::new() }
    }

    /// A linear axis from 0 to a round number that has room for all of these.
    pub(in crate::html) fn up_to(label: &str, unit: Unit, values: impl Iterator<Item = f64>) -> Axis {
        let most = values.filter(|value| value.is_finite()).fold(0.0, f64::max);
        let most = if most > 0.0 { most } else { 1.0 };
        let step = match unit {
            Unit::Time | Unit::Duration => time_step(most, 5.0),
            Unit::Share | Unit::Number => round_step(most, 5.0),
            Unit::Count => round_step(most, 5.0).max(1.0),
        };
        Axis::linear(label, unit, 0.0, (most / step - 1e-9).ceil() * step)
    }

    /// A logarithmic axis with room for all of these.
    pub(in crate::html) fn log(label: &str, unit: Unit, values: impl Iterator<Item = f64>) -> Axis {
        let positive = values.filter(|value| value.is_finite() && *value > 0.0);
        let (mut least, mut most) = (f64::INFINITY, 0.0f64);
        for value in positive {
            (least, most) = (least.min(value), most.max(value));
        }
        if !least.is_finite() {
            (least, most) = (1.0, 10.0);
        }
        if most / least < 4.0 {
            let middle = (most * least).sqrt();
            (least, most) = (middle / 2.0, middle * 2.0);
        }
        let label = label.to_owned();
        Axis { label, unit, scale: Scale::Log, from: least, to: most, ticks: Vec::new() }
    }

    /// The same with at most so many ticks.
    pub(super) fn with_ticks(&self, most: f64) -> Axis {
        let ticks = match (self.scale, self.unit) {
            (Scale::Log, _) => self.log_ticks(most),
            (_, Unit::Time | Unit::Duration) => self.linear_ticks(time_step(self.to - self.from, most)),
            (_, Unit::Count) => self.linear_ticks(round_step(self.to - self.from, most).max(1.0)),
            _ => self.linear_ticks(round_step(self.to - self.from, most)),
        };
        Axis { ticks, ..self.clone() }
    }

    fn linear_ticks(&self, step: f64) -> Vec<(f64, String)> {
        let first = (self.from / step - 1e-9).ceil() as i64;
        let last = (self.to / step + 1e-9).floor() as i64;
        (first..=last).map(|n| n as f64 * step).map(|at| (at, self.tick(at, step))).collect()
    }

    fn tick(&self, at: f64, step: f64) -> String {
        match self.unit {
            Unit::Time if at == 0.0 => "0".to_owned(),
            Unit::Time => words::instant(at),
            Unit::Duration if at == 0.0 => "0".to_owned(),
            Unit::Duration => span(at, step),
            Unit::Share => share(at, step),
            Unit::Number | Unit::Count => number(at, step),
        }
    }

    fn log_ticks(&self, most: f64) -> Vec<(f64, String)> {
        let nice = match self.unit {
            Unit::Time | Unit::Duration => durations(),
            // Within few decades their halves and fifths too.
            _ if self.to / self.from <= 150.0 => decades(&[1.0, 2.0, 5.0]),
            _ => decades(&[1.0]),
        };
        let inside = |value: &f64| *value >= self.from * 0.999 && *value <= self.to * 1.001;
        let mut all: Vec<f64> = nice.into_iter().filter(inside).collect();
        while all.len() as f64 > most {
            all = all.into_iter().step_by(2).collect();
        }
        let text = |at: f64| match self.unit {
            Unit::Time | Unit::Duration => long(at),
            Unit::Share => words::percent(at),
            Unit::Number | Unit::Count => count(at),
        };
        all.into_iter().map(|at| (at, text(at))).collect()
    }

    /// How far along the axis a value is: 0 at its beginning, 1 at its end, never beyond.
    pub(in crate::html) fn place(&self, value: f64) -> f64 {
        let place = match self.scale {
            Scale::Linear => (value - self.from) / (self.to - self.from),
            Scale::Log if value <= 0.0 => 0.0,
            Scale::Log => libm::log10(value / self.from) / libm::log10(self.to / self.from),
        };
        if place.is_nan() { 0.0 } else { place.clamp(0.0, 1.0) }
    }
}

/// A step of 1, 2 or 5 times a power of ten, at most so many of which fit.
fn round_step(width: f64, most: f64) -> f64 {
    let least = (width / most.max(1.0)).max(f64::MIN_POSITIVE);
    let power = libm::pow(10.0, libm::log10(least).floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    steps.into_iter().find(|step| *step >= least * (1.0 - 1e-9)).unwrap_or(10.0 * power)
}

fn time_step(width: f64, most: f64) -> f64 {
    let least = width / most.max(1.0);
    if least < STEPS[0] {
        return round_step(width, most);
    }
    let step = STEPS.into_iter().find(|step| *step >= least * (1.0 - 1e-9));
    step.unwrap_or_else(|| (round_step(width / DAY, most)).max(1.0) * DAY)
}

/// Round durations of all magnitudes.
fn durations() -> Vec<f64> {
    let seconds = [
        0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 180.0, 600.0, 1800.0, 3600.0,
        10_800.0, 43_200.0,
    ];
    let days = [1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0];
    seconds.into_iter().chain(days.into_iter().map(|days| days * DAY)).collect()
}

fn decades(steps: &[f64]) -> Vec<f64> {
    let powers = (-12..=15).map(|power| libm::pow(10.0, f64::from(power)));
    powers.flat_map(|power| steps.iter().map(move |step| step * power)).collect()
}

/// A tick of a duration: from a minute on in whole units.
fn long(seconds: f64) -> String {
    if seconds < 60.0 { words::duration(seconds) } else { words::instant(seconds) }
}

/// The same below a minute with as many digits as the step needs.
fn span(seconds: f64, step: f64) -> String {
    match seconds.abs() {
        s if s >= 60.0 => words::instant(seconds),
        s if s < 1.0 && step < 1.0 => format!("{:.*} ms", digits(step * 1e3), seconds * 1e3),
        _ => format!("{:.*} s", digits(step), seconds),
    }
}

/// A tick of a number, with as many digits as the step needs.
fn number(value: f64, step: f64) -> String {
    match value.abs() {
        v if v < step / 2.0 => "0".to_owned(),
        v if v < 1e4 && digits(step) > 0 => format!("{:.*}", digits(step), value),
        v if v >= 1e6 && step >= 1e3 => count(value),
        v if v >= 1e4 && step >= 100.0 => count(value),
        _ => words::number(value),
    }
}

/// How many digits after the point tell a step from the next.
fn digits(step: f64) -> usize {
    (-libm::log10(step * (1.0 + 1e-9)).floor()).clamp(0.0, 6.0) as usize
}

/// A tick of a count: `0`, `500`, `2,000`, `20 k`, `1.5 M`.
fn count(value: f64) -> String {
    match value.abs() {
        v if v >= 1e6 => format!("{} M", words::number(value / 1e6)),
        v if v >= 1e4 => format!("{} k", words::number(value / 1e3)),
        _ => words::number(value),
    }
}

/// A tick of a share, with as many digits as the step needs.
fn share(value: f64, step: f64) -> String {
    format!("{:.*} %", digits(step * 100.0), value * 100.0)
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (low, high): (i32, i32)) -> i32 {
        low + (self.place(*value) * f64::from(high - low)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // There are no light lines between those at which something is written.
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.ticks.iter().map(|(at, _)| *at).collect()
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        let same = |tick: &&(f64, String)| tick.0 == *value;
        self.ticks.iter().find(same).map(|(_, text)| text.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: &Axis, most: f64) -> Vec<String> {
        axis.with_ticks(most).ticks.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn time_is_counted_in_minutes_and_hours() {
        let half_an_hour = Axis::time(-60.0, 1800.0);
        assert_eq!(
            texts(&half_an_hour, 8.0),
            ["0", "5 min", "10 min", "15 min", "20 min", "25 min", "30 min"]
        );
        assert_eq!(texts(&Axis::time(0.0, 14_400.0), 5.0), ["0", "1 h", "2 h", "3 h", "4 h"]);
        assert_eq!(texts(&Axis::time(0.0, 3.0), 4.0), ["0", "1 s", "2 s", "3 s"]);
        let longest = Axis::up_to("", Unit::Duration, [5000.0].into_iter());
        assert_eq!(texts(&longest, 4.0), ["0", "30 min", "1 h", "1 h 30 min"]);
    }

    #[test]
    fn counts_end_at_a_round_number() {
        let axis = Axis::up_to("orders", Unit::Number, [3.0, 43_000.0].into_iter());
        assert_eq!(
            (axis.to, texts(&axis, 5.0)),
            (50_000.0, ["0", "10 k", "20 k", "30 k", "40 k", "50 k"].map(String::from).to_vec())
        );
    }

    #[test]
    fn ticks_close_to_each_other_have_digits_that_tell_them_apart() {
        let told = |unit, from, to| texts(&Axis::linear("", unit, from, to), 4.0);
        assert_eq!(told(Unit::Duration, 2.84, 2.87), ["2.84 s", "2.85 s", "2.86 s", "2.87 s"]);
        assert_eq!(
            told(Unit::Duration, 0.0412, 0.0414),
            ["41.20 ms", "41.25 ms", "41.30 ms", "41.35 ms", "41.40 ms"]
        );
        assert_eq!(told(Unit::Number, 100.0, 101.0), ["100.0", "100.5", "101.0"]);
        assert_eq!(told(Unit::Number, 0.0, 40_000.0), ["0", "10 k", "20 k", "30 k", "40 k"]);
    }

    #[test]
    fn there_is_nothing_between_one_and_two_dead_letters() {
        assert_eq!(texts(&Axis::up_to("", Unit::Count, [2.0].into_iter()), 6.0), ["0", "1", "2"]);
        assert_eq!(
            texts(&Axis::up_to("", Unit::Number, [2.0].into_iter()), 6.0),
            ["0", "0.5", "1.0", "1.5", "2.0"]
        );
    }

    #[test]
    fn shares_have_the_digits_that_they_need() {
        let axis = Axis::linear("success", Unit::Share, 0.995, 1.0);
        assert_eq!(texts(&axis, 5.0), ["99.5 %", "99.6 %", "99.7 %", "99.8 %", "99.9 %", "100.0 %"]);
    }

    #[test]
    fn logarithms_have_round_durations() {
        let axis = Axis::log("latency", Unit::Duration, [0.004, 40.0].into_iter());
        assert_eq!(texts(&axis, 9.0), ["10 ms", "30 ms", "100 ms", "300 ms", "1 s", "3 s", "10 s", "30 s"]);
        assert_eq!((axis.place(0.004), axis.place(40.0), axis.place(0.0)), (0.0, 1.0, 0.0));
    }
}
