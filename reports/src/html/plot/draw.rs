//! Drawing a plot: the room for each part, axes, shades, and the layers from back to front.

use plotters::chart::ChartBuilder;

use super::axis::Axis;
use super::canvas::{Canvas, Side, stroke, words};
use super::ink::{HEATS, Ink};
use super::text::{fit, fit_ends, width};
use super::{Cell, Frame, Layer, Plot, legend, strip};
use crate::html::Error;

/// The size of what is written at ticks.
const SIZE: f64 = 12.0;
/// The height of a row, where a plot has rows.
const ROW: f64 = 22.0;
/// The room right of a plot: half of the last tick's text.
const RIGHT: f64 = 26.0;
/// The room of the ticks' texts below a plot, and that of the axis' name.
const TICKS: f64 = 20.0;
const NAME: f64 = 18.0;

/// Where the parts of a plot are.
pub(super) struct Layout {
    left: f64,
    right: f64,
    legend: f64,
    name: f64,
    strip: f64,
    top: f64,
    base: f64,
    pub(super) bottom: f64,
    x: Axis,
    y: Axis,
}

impl Layout {
    pub(super) fn new(plot: &Plot, frame: Frame, top: f64) -> Layout {
        let rows = plot.rows.len();
        let usual = if rows > 0 { ROW * rows as f64 } else { frame.height };
        let height = plot.height.unwrap_or(usual);
        let y = if rows > 0 { plot.y.clone() } else { plot.y.with_ticks((height / 36.0).max(2.0)) };
        let widest = |texts: &mut dyn Iterator<Item = &str>| {
            texts.map(|text| width(text, SIZE)).fold(0.0, f64::max) + 12.0
        };
        let left = if plot.rows.is_empty() {
            widest(&mut y.ticks.iter().map(|(_, text)| text.as_str())).max(52.0)
        } else {
            widest(&mut plot.rows.iter().map(String::as_str)).clamp(52.0, frame.width * 0.36)
        };
        let right = frame.width - RIGHT;
        let x = spaced(&plot.x, right - left);
        let name = top + legend::height(plot, frame.width - 8.0);
        let strip = name + if plot.y.label.is_empty() { 4.0 } else { NAME };
        // At least half a line, so that the topmost tick has room.
        let begin = strip + strip::height(&plot.shades, &x, (left, right)).max(7.0);
        let base = begin + height;
        let bottom = base + TICKS + if x.label.is_empty() { 0.0 } else { NAME };
        Layout { left, right, legend: top, name, strip, top: begin, base, bottom, x, y }
    }

    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.across(x), self.base - (self.base - self.top) * self.y.place(y))
    }

    fn across(&self, x: f64) -> f64 {
        self.left + (self.right - self.left) * self.x.place(x)
    }
}

/// As many ticks as have room beside each other.
fn spaced(axis: &Axis, room: f64) -> Axis {
    let mut most = (room / 40.0).floor().max(2.0);
    loop {
        let spaced = axis.with_ticks(most);
        let need = spaced.ticks.iter().map(|(_, text)| width(text, SIZE) + 14.0);
        let places: Vec<f64> = spaced.ticks.iter().map(|(at, _)| room * axis.place(*at)).collect();
        let least = places.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
        if most <= 2.0 || need.fold(0.0, f64::max) <= least {
            return spaced;
        }
        most -= 1.0;
    }
}

/// Draws a plot below `top`.
pub(super) fn plot(plot: &Plot, canvas: &Canvas<'_>, frame: Frame, top: f64) -> Result<(), Error> {
    let layout = Layout::new(plot, frame, top);
    legend::legend(plot, canvas, 4.0, layout.legend, frame.width - 8.0)?;
    if !plot.y.label.is_empty() {
        let at = (4.0, layout.name + NAME / 2.0);
        canvas.text(at, &fit(&plot.y.label, SIZE, frame.width - 8.0), SIZE, Ink::Faint, Side::Right)?;
    }
    let across = (layout.left, layout.right);
    strip::strip(canvas, &plot.shades, &layout.x, across, layout.strip)?;
    strip::shade(canvas, &plot.shades, &layout.x, across, (layout.top, layout.base))?;
    if plot.rows.is_empty() {
        axes(canvas, &layout, true)?;
    } else {
        rows(plot, canvas, &layout)?;
        axes(canvas, &layout, false)?;
    }
    let name = (layout.right, layout.base + TICKS + NAME / 2.0);
    canvas.text(name, &plot.x.label, SIZE, Ink::Faint, Side::Left)?;
    for (index, layer) in plot.layers.iter().enumerate() {
        draw(plot, layer, index, canvas, &layout)?;
    }
    Ok(())
}

/// Axes with their ticks and grid, by the drawing library.
fn axes(canvas: &Canvas<'_>, layout: &Layout, upwards: bool) -> Result<(), Error> {
    let unit = |pixels: f64| (pixels * super::canvas::SCALE).round() as i32;
    let (width, height) = canvas.area.dim_in_pixel();
    let mut chart = ChartBuilder::on(&canvas.area)
        .margin_top(unit(layout.top))
        .margin_right(width as i32 - unit(layout.right))
        .margin_bottom(height as i32 - unit(layout.base + TICKS))
        .x_label_area_size(unit(TICKS))
        .y_label_area_size(unit(layout.left))
        .build_cartesian_2d(layout.x.clone(), layout.y.clone())?;
    let text = words(Ink::Text, SIZE, false);
    let grid = stroke(Ink::Grid, 0.5, 1.0);
    let axis = stroke(Ink::Faint, 0.5, 1.0);
    let mut mesh = chart.configure_mesh();
    mesh.bold_line_style(grid).axis_style(axis).label_style(text).set_all_tick_mark_size(4);
    mesh.x_labels(layout.x.ticks.len()).y_labels(if upwards { layout.y.ticks.len() } else { 0 });
    if !upwards {
        mesh.disable_y_mesh();
    }
    Ok(mesh.draw()?)
}

fn rows(plot: &Plot, canvas: &Canvas<'_>, layout: &Layout) -> Result<(), Error> {
    let row = (layout.base - layout.top) / plot.rows.len().max(1) as f64;
    for (index, name) in plot.rows.iter().enumerate() {
        let y = layout.top + row * index as f64;
        canvas.line(&[(layout.left, y), (layout.right, y)], Ink::Grid, 0.5)?;
        let text = fit_ends(name, SIZE, layout.left - 10.0);
        canvas.text((layout.left - 6.0, y + row / 2.0), &text, SIZE, Ink::Text, Side::Left)?;
    }
    Ok(())
}

fn draw(plot: &Plot, layer: &Layer, index: usize, canvas: &Canvas<'_>, layout: &Layout) -> Result<(), Error> {
    match layer {
        Layer::Line { ink, points, .. } => line(plot, canvas, layout, *ink, points, index),
        Layer::Band { ink, points, .. } => band(canvas, layout, *ink, points),
        Layer::Level { at, .. } => {
            let y = layout.at(layout.x.from, *at).1;
            canvas.line(&[(layout.left, y), (layout.right, y)], Ink::Bound, 1.0)
        }
        Layer::Ray { label, from, to } => {
            let (from, to) = (layout.at(from.0, from.1), layout.at(to.0, to.1));
            canvas.line(&[from, to], Ink::Faint, 0.75)?;
            // Each a little further up than the one before, so that names of steep rays keep apart.
            let part = 0.95 - 0.11 * index.min(8) as f64;
            let (x, y) = (from.0 + (to.0 - from.0) * part, from.1 + (to.1 - from.1) * part);
            let room = layout.right - x > width(label, 11.0) + 8.0;
            let (x, side) = if room { (x + 5.0, Side::Right) } else { (x - 5.0, Side::Left) };
            // On a ground of its own, where another ray passes behind it.
            let wide = width(label, 11.0);
            let left = if side == Side::Right { x - 2.0 } else { x - wide - 2.0 };
            canvas.block((left, y - 6.0), (left + wide + 4.0, y + 6.0), Ink::Paper, 0.85)?;
            canvas.text((x, y), label, 11.0, Ink::Faint, side)
        }
        Layer::Cells { cells, .. } => heat(canvas, layout, cells),
        Layer::Bars { ink, spans, .. } => bars(canvas, layout, *ink, spans),
        Layer::Mark { at, ink, .. } => {
            let x = layout.across(*at);
            canvas.line(&[(x, layout.top), (x, layout.base)], *ink, 1.0)
        }
        Layer::Columns { ink, columns, .. } => columns.iter().try_for_each(|(from, to, share)| {
            let across = |part: f64| layout.left + (layout.right - layout.left) * part;
            let top = layout.base - (layout.base - layout.top) * share.clamp(0.0, 1.0);
            canvas.block((across(*from), top), (across(*to), layout.base), *ink, 1.0)
        }),
        Layer::Points { ink, shape, points, .. } => {
            points.iter().try_for_each(|(x, y)| canvas.shape(layout.at(*x, *y), *shape, *ink))
        }
    }
}

/// The parts of a line between its gaps; what lies beyond the axis is a gap.
fn parts<T: Copy>(points: &[(f64, Option<T>)], axis: &Axis) -> Vec<Vec<(f64, T)>> {
    let room = (axis.to - axis.from) * 1e-6;
    let beyond = |x: f64| x < axis.from - room || x > axis.to + room;
    let split = points.split(|(x, value)| value.is_none() || beyond(*x));
    let known =
        |part: &[(f64, Option<T>)]| part.iter().filter_map(|(x, value)| Some((*x, (*value)?))).collect();
    split.map(known).filter(|part: &Vec<(f64, T)>| !part.is_empty()).collect()
}

fn line(
    plot: &Plot,
    canvas: &Canvas<'_>,
    layout: &Layout,
    ink: Ink,
    points: &[(f64, Option<f64>)],
    index: usize,
) -> Result<(), Error> {
    // Where each series has its marks: not all in one place.
    let every = 70.0;
    let mut next = layout.left + every * (0.3 + 0.31 * (index % 3) as f64);
    for part in parts(points, &layout.x) {
        let path: Vec<(f64, f64)> = part.iter().map(|(x, y)| layout.at(*x, *y)).collect();
        match path.as_slice() {
            [(x, y)] => canvas.line(&[(x - 1.5, *y), (x + 1.5, *y)], ink, 1.5)?,
            path => canvas.line(&thinned(path), ink, 1.5)?,
        }
        let Some(shape) = legend::mark(plot, ink) else { continue };
        for (x, y) in path {
            if x >= next {
                canvas.shape((x, y), shape, ink)?;
                next = x + every;
            }
        }
    }
    Ok(())
}

/// Without the points between two others of the same height.
fn thinned(path: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let inner = |at: usize| {
        at > 0 && at + 1 < path.len() && path[at - 1].1 == path[at].1 && path[at + 1].1 == path[at].1
    };
    (0..path.len()).filter(|at| !inner(*at)).map(|at| path[at]).collect()
}

fn band(
    canvas: &Canvas<'_>,
    layout: &Layout,
    ink: Ink,
    points: &[(f64, Option<(f64, f64)>)],
) -> Result<(), Error> {
    for part in parts(points, &layout.x) {
        let low: Vec<(f64, f64)> = part.iter().map(|(x, (low, _))| layout.at(*x, *low)).collect();
        let high: Vec<(f64, f64)> = part.iter().rev().map(|(x, (_, high))| layout.at(*x, *high)).collect();
        let outline: Vec<(f64, f64)> = thinned(&low).into_iter().chain(thinned(&high)).collect();
        canvas.polygon(&outline, ink, if matches!(ink, Ink::Area(_)) { 1.0 } else { 0.2 })?;
    }
    Ok(())
}

/// How hot a cell is: by the logarithm of its count.
fn level(count: u64, most: u64) -> u8 {
    if most <= 1 {
        return HEATS - 1;
    }
    let share = libm::log10(count.max(1) as f64) / libm::log10(most as f64);
    ((share * f64::from(HEATS)) as u8).min(HEATS - 1)
}

fn heat(canvas: &Canvas<'_>, layout: &Layout, cells: &[Cell]) -> Result<(), Error> {
    let most = cells.iter().map(|cell| cell.count).max().unwrap_or(0);
    for heat in 0..HEATS {
        for cell in cells.iter().filter(|cell| cell.count > 0 && level(cell.count, most) == heat) {
            let (from, to) = (layout.at(cell.x.0, cell.y.1), layout.at(cell.x.1, cell.y.0));
            canvas.block(from, to, Ink::Heat(heat), 1.0)?;
        }
    }
    Ok(())
}

fn bars(
    canvas: &Canvas<'_>,
    layout: &Layout,
    ink: Ink,
    spans: &[(usize, f64, f64, String)],
) -> Result<(), Error> {
    for (row, from, to, text) in spans {
        let y = layout.top + ROW * *row as f64;
        let (from, to) = (layout.across(*from), layout.across(*to));
        let to = to.max(from + 2.0);
        canvas.block((from, y + 4.0), (to, y + ROW - 3.0), ink, 1.0)?;
        if !text.is_empty() && width(text, 11.0) + 8.0 <= to - from && !matches!(ink, Ink::Area(_)) {
            canvas.text((from + 4.0, y + ROW / 2.0 + 0.5), text, 11.0, Ink::Paper, Side::Right)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_interrupted_where_nothing_is_known() {
        let points = [(0.0, Some(1.0)), (1.0, None), (2.0, Some(2.0)), (3.0, Some(3.0))];
        assert_eq!(parts(&points, &Axis::time(0.0, 5.0)), [vec![(0.0, 1.0)], vec![(2.0, 2.0), (3.0, 3.0)]]);
        assert_eq!(parts(&points, &Axis::time(0.0, 2.5)), [vec![(0.0, 1.0)], vec![(2.0, 2.0)]]);
    }

    #[test]
    fn the_hottest_cell_is_the_darkest_and_one_item_is_seen() {
        assert_eq!((level(1, 1000), level(1000, 1000), level(1, 1)), (0, HEATS - 1, HEATS - 1));
    }

    #[test]
    fn ticks_keep_their_distance() {
        let axis = spaced(&Axis::time(-60.0, 3.0 * 3600.0), 250.0);
        let texts: Vec<&str> = axis.ticks.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["0", "1 h", "2 h", "3 h"]);
    }
}
