//! Faults above and behind a plot: for each that has instants of its own a row with its name, and a shade
//! behind what is drawn; those that strike by chance share a row.

use super::axis::Axis;
use super::canvas::{Canvas, Side};
use super::ink::Ink;
use super::text::{fit, width};
use crate::html::Error;

/// When a fault was active.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::html) struct Shade {
    /// Its name.
    pub name: String,
    /// When, in seconds of the scenario.
    pub windows: Vec<[f64; 2]>,
    /// Whether it strikes by chance, or at a step, not at an instant of its own.
    pub chance: bool,
    /// Whether it is active nearly all of the time: then a shade would say nothing.
    pub always: bool,
}

/// How high a row is.
const ROW: f64 = 15.0;
const SIZE: f64 = 11.0;
/// More rows than these are drawn as one.
const ROWS: usize = 8;

/// A name with its bars.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    name: String,
    /// From where to where, in pixels, ascending.
    bars: Vec<(f64, f64)>,
    /// Where its name begins, and on what.
    at: f64,
    on: Ink,
}

/// Where a strip is: from left to right, in pixels.
type Across = (f64, f64);

impl Entry {
    /// The bars of some faults under one name, if any of them is to be seen.
    fn new(name: &str, shades: &[&Shade], time: &Axis, across: Across) -> Option<Entry> {
        let (left, right) = across;
        let place = |at: f64| left + (right - left) * time.place(at);
        let windows = shades.iter().flat_map(|shade| &shade.windows);
        let seen = windows.filter(|[from, to]| *to >= time.from && *from <= time.to);
        let mut bars: Vec<(f64, f64)> =
            seen.map(|[from, to]| (place(*from), place(*to).max(place(*from) + 1.5).min(right))).collect();
        bars.sort_by(|a, b| a.0.total_cmp(&b.0));
        (!bars.is_empty()).then(|| Entry::named(name, bars, across))
    }

    /// Puts the name where it covers no bar, if there is room for it; else on a bar.
    fn named(name: &str, bars: Vec<(f64, f64)>, (left, right): Across) -> Entry {
        let first = bars.first().map_or(right, |bar| bar.0);
        let last = bars.iter().map(|bar| bar.1).fold(left, f64::max);
        let need = width(name, SIZE) + 8.0;
        if right - last >= need {
            return Entry { name: name.to_owned(), bars, at: last + 4.0, on: Ink::Text };
        }
        if first - left >= need {
            return Entry { name: name.to_owned(), bars, at: first - need + 4.0, on: Ink::Text };
        }
        let (from, room, on) = widest(&bars, (left, right));
        Entry { name: fit(name, SIZE, room - 8.0), bars, at: from + 4.0, on }
    }

    /// From where to where it takes up its row.
    fn extent(&self) -> (f64, f64) {
        let first = self.bars.first().map_or(self.at, |bar| bar.0);
        let last = self.bars.iter().map(|bar| bar.1).fold(self.at + width(&self.name, SIZE), f64::max);
        (first.min(self.at), last)
    }
}

/// The widest room in a row, between bars or on one.
fn widest(bars: &[(f64, f64)], (left, right): Across) -> (f64, f64, Ink) {
    let mut best = (left, 0.0, Ink::Text);
    let mut free = left;
    for (from, to) in bars {
        if from - free > best.1 {
            best = (free, from - free, Ink::Text);
        }
        if to - from > best.1 {
            best = (*from, to - from, Ink::Paper);
        }
        free = free.max(*to);
    }
    if right - free > best.1 { (free, right - free, Ink::Text) } else { best }
}

/// The rows of a strip: faults that have instants of their own, as many in a row as have room beside each
/// other, then those that strike by chance.
fn rows(shades: &[Shade], time: &Axis, across: Across) -> Vec<Vec<Entry>> {
    let (chance, timed): (Vec<&Shade>, Vec<&Shade>) = shades.iter().partition(|shade| shade.chance);
    let single = timed.iter().filter_map(|shade| Entry::new(&shade.name, &[shade], time, across));
    let mut single: Vec<Entry> = single.collect();
    single.sort_by(|a, b| a.extent().0.total_cmp(&b.extent().0));
    let mut rows: Vec<Vec<Entry>> = Vec::new();
    for entry in single {
        let free =
            |row: &&mut Vec<Entry>| row.last().is_none_or(|last| last.extent().1 + 10.0 <= entry.extent().0);
        match rows.iter_mut().find(free) {
            Some(row) => row.push(entry),
            None => rows.push(vec![entry]),
        }
    }
    if rows.len() > ROWS {
        let name = format!("{} faults", timed.len());
        rows = Entry::new(&name, &timed, time, across).map(|all| vec![vec![all]]).unwrap_or_default();
    }
    let name = match chance.as_slice() {
        [one] => one.name.clone(),
        many => format!("{} faults by chance", many.len()),
    };
    rows.extend(Entry::new(&name, &chance, time, across).map(|all| vec![all]));
    rows
}

/// How high the strip is.
pub(super) fn height(shades: &[Shade], time: &Axis, across: Across) -> f64 {
    let rows = rows(shades, time, across).len() as f64;
    if rows > 0.0 { rows * ROW + 4.0 } else { 0.0 }
}

/// Draws the strip between `left` and `right`, from `top`.
pub(super) fn strip(
    canvas: &Canvas<'_>,
    shades: &[Shade],
    time: &Axis,
    across: Across,
    top: f64,
) -> Result<(), Error> {
    for (index, row) in rows(shades, time, across).iter().enumerate() {
        let y = top + ROW * index as f64;
        for entry in row {
            // A name on a bar needs its height.
            let edge = if entry.on == Ink::Paper { 0.5 } else { 3.0 };
            for (from, to) in &entry.bars {
                canvas.block((*from, y + edge), (*to, y + ROW - edge), Ink::Fault, 1.0)?;
            }
            canvas.text((entry.at, y + ROW / 2.0), &entry.name, SIZE, entry.on, Side::Right)?;
        }
    }
    Ok(())
}

/// Shades the plot while faults are active.
pub(super) fn shade(
    canvas: &Canvas<'_>,
    shades: &[Shade],
    time: &Axis,
    (left, right): (f64, f64),
    (top, bottom): (f64, f64),
) -> Result<(), Error> {
    let across = |at: f64| left + (right - left) * time.place(at);
    let seen = |window: &&[f64; 2]| window[1] >= time.from && window[0] <= time.to;
    for chance in [true, false] {
        let of = shades.iter().filter(|shade| shade.chance == chance && !shade.always);
        let mut windows: Vec<&[f64; 2]> = of.flat_map(|shade| &shade.windows).filter(seen).collect();
        windows.sort_by(|a, b| a[0].total_cmp(&b[0]));
        for (from, to) in merged(&windows) {
            let (from, to) = (across(from), across(to));
            canvas.block(
                (from, top),
                (to.max(from + 1.0), bottom),
                Ink::Shade,
                if chance { 0.45 } else { 1.0 },
            )?;
        }
    }
    Ok(())
}

/// Windows that overlap, as one.
fn merged(windows: &[&[f64; 2]]) -> Vec<(f64, f64)> {
    let mut out: Vec<(f64, f64)> = Vec::new();
    for [from, to] in windows {
        match out.last_mut() {
            Some(last) if *from <= last.1 => last.1 = last.1.max(*to),
            _ => out.push((*from, *to)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shade(name: &str, from: f64, to: f64, chance: bool) -> Shade {
        Shade { name: name.into(), windows: vec![[from, to]], chance, always: false }
    }

    #[test]
    fn faults_share_a_row_where_they_have_room_and_those_by_chance_have_one() {
        let time = Axis::time(0.0, 1000.0);
        let names = |all: &[Shade], right: f64| -> Vec<Vec<String>> {
            let rows = rows(all, &time, (0.0, right));
            rows.into_iter().map(|row| row.into_iter().map(|entry| entry.name).collect()).collect()
        };
        let all = [
            shade("late", 700.0, 800.0, false),
            shade("crashes", 1.0, 2.0, true),
            shade("early", 100.0, 200.0, false),
            shade("resets", 5.0, 6.0, true),
        ];
        assert_eq!(names(&all, 1000.0), [vec!["early", "late"], vec!["2 faults by chance"]]);
        // Where the names have no room beside each other they have rows of their own.
        assert_eq!(names(&all, 60.0), [vec!["early"], vec!["late"], vec!["2 fault…"]]);
        assert_eq!(names(&all[..2], 1000.0)[1], ["crashes"]);
        assert_eq!(merged(&[&[0.0, 2.0], &[1.0, 3.0], &[5.0, 6.0]]), [(0.0, 3.0), (5.0, 6.0)]);
    }

    #[test]
    fn a_name_that_has_no_room_beside_its_bar_stands_on_it() {
        assert_eq!(widest(&[(0.0, 100.0)], (0.0, 110.0)), (0.0, 100.0, Ink::Paper));
        assert_eq!(widest(&[(0.0, 10.0), (90.0, 110.0)], (0.0, 110.0)), (10.0, 80.0, Ink::Text));
    }
}
