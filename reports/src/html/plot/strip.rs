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
}

/// How high a row is.
const ROW: f64 = 15.0;
const SIZE: f64 = 11.0;
/// More rows than these are drawn as one.
const ROWS: usize = 8;

/// The rows of a strip.
struct Row<'a> {
    name: String,
    shades: Vec<&'a Shade>,
}

fn rows(shades: &[Shade]) -> Vec<Row<'_>> {
    let timed: Vec<&Shade> = shades.iter().filter(|shade| !shade.chance).collect();
    let chance: Vec<&Shade> = shades.iter().filter(|shade| shade.chance).collect();
    let single = |shade: &&'_ Shade| shade.name.clone();
    let mut rows: Vec<Row<'_>> =
        timed.iter().map(|shade| Row { name: single(shade), shades: vec![shade] }).collect();
    if rows.len() > ROWS {
        let name = format!("{} faults", timed.len());
        rows = vec![Row { name, shades: timed }];
    }
    match chance.as_slice() {
        [] => {}
        [one] => rows.push(Row { name: single(one), shades: vec![one] }),
        many => rows.push(Row { name: format!("{} faults by chance", many.len()), shades: many.to_vec() }),
    }
    rows
}

/// How high the strip is.
pub(super) fn height(shades: &[Shade]) -> f64 {
    let rows = rows(shades).len() as f64;
    if rows > 0.0 { rows * ROW + 4.0 } else { 0.0 }
}

/// Draws the strip between `left` and `right`, from `top`.
pub(super) fn strip(
    canvas: &Canvas<'_>,
    shades: &[Shade],
    time: &Axis,
    (left, right): (f64, f64),
    top: f64,
) -> Result<(), Error> {
    for (index, row) in rows(shades).iter().enumerate() {
        let y = top + ROW * index as f64;
        let across = |at: f64| left + (right - left) * time.place(at);
        let mut spans: Vec<(f64, f64)> = row
            .shades
            .iter()
            .flat_map(|shade| &shade.windows)
            .filter(|[from, to]| *to >= time.from && *from <= time.to)
            .map(|[from, to]| (across(*from), across(*to).max(across(*from) + 1.5)))
            .collect();
        spans.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (from, to) in &spans {
            canvas.block((*from, y + 3.0), (to.min(right), y + ROW - 3.0), Ink::Fault, 1.0)?;
        }
        name(canvas, &row.name, &spans, (left, right), y + ROW / 2.0)?;
    }
    Ok(())
}

/// Writes the name of a row where it covers no bar, if there is room for it; else on a bar.
fn name(
    canvas: &Canvas<'_>,
    name: &str,
    spans: &[(f64, f64)],
    (left, right): (f64, f64),
    y: f64,
) -> Result<(), Error> {
    let first = spans.first().map_or(right, |span| span.0);
    let last = spans.iter().map(|span| span.1).fold(left, f64::max);
    let need = width(name, SIZE) + 8.0;
    if right - last >= need {
        return canvas.text((last + 4.0, y), name, SIZE, Ink::Text, Side::Right);
    }
    if first - left >= need {
        return canvas.text((first - 4.0, y), name, SIZE, Ink::Text, Side::Left);
    }
    let (from, room, ink) = widest(spans, (left, right));
    let text = fit(name, SIZE, room - 8.0);
    canvas.text((from + 4.0, y), &text, SIZE, ink, Side::Right)
}

/// The widest room in a row, between bars or on one.
fn widest(spans: &[(f64, f64)], (left, right): (f64, f64)) -> (f64, f64, Ink) {
    let mut best = (left, 0.0, Ink::Text);
    let mut free = left;
    for (from, to) in spans {
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

/// Shades the plot while faults are active; what is active all the time is not shaded.
pub(super) fn shade(
    canvas: &Canvas<'_>,
    shades: &[Shade],
    time: &Axis,
    (left, right): (f64, f64),
    (top, bottom): (f64, f64),
) -> Result<(), Error> {
    let across = |at: f64| left + (right - left) * time.place(at);
    let all = |window: &[f64; 2]| time.place(window[1]) - time.place(window[0]) > 0.8;
    let seen = |window: &&[f64; 2]| window[1] >= time.from && window[0] <= time.to && !all(window);
    for chance in [true, false] {
        let of = shades.iter().filter(|shade| shade.chance == chance);
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

    #[test]
    fn faults_by_chance_share_a_row_and_windows_that_overlap_are_one() {
        let shade = |name: &str, chance| Shade { name: name.into(), windows: vec![[0.0, 1.0]], chance };
        let all = [shade("zone-lost", false), shade("crashes", true), shade("resets", true)];
        let names: Vec<String> = rows(&all).into_iter().map(|row| row.name).collect();
        assert_eq!(names, ["zone-lost", "2 faults by chance"]);
        assert_eq!(rows(&all[..2])[1].name, "crashes");
        assert_eq!(merged(&[&[0.0, 2.0], &[1.0, 3.0], &[5.0, 6.0]]), [(0.0, 3.0), (5.0, 6.0)]);
    }

    #[test]
    fn a_name_that_has_no_room_beside_its_bar_stands_on_it() {
        assert_eq!(widest(&[(0.0, 100.0)], (0.0, 110.0)), (0.0, 100.0, Ink::Paper));
        assert_eq!(widest(&[(0.0, 10.0), (90.0, 110.0)], (0.0, 110.0)), (10.0, 80.0, Ink::Text));
    }
}
