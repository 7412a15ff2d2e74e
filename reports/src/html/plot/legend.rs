//! The legend: in rows of its own above a plot, so that it covers nothing.

use super::canvas::{Canvas, SHAPES, Shape, Side};
use super::ink::{HEATS, Ink};
use super::text::{fit, width};
use super::{Layer, Plot};
use crate::html::Error;
use crate::words;

const ROW: f64 = 18.0;
const SIZE: f64 = 12.0;
/// How wide the sample beside a name is.
const SAMPLE: f64 = 26.0;
const GAP: f64 = 16.0;

/// What stands beside a name.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sample {
    Line(Ink, Option<Shape>),
    Block(Ink, f64),
    Point(Ink, Shape),
    Heat,
}

struct Entry {
    sample: Sample,
    text: String,
    x: f64,
    row: usize,
}

impl Sample {
    fn width(self) -> f64 {
        match self {
            Sample::Heat => 14.0 * f64::from(HEATS),
            Sample::Point(..) => 12.0,
            _ => SAMPLE,
        }
    }
}

/// The shape on a line, where there are several lines.
pub(super) fn mark(plot: &Plot, ink: Ink) -> Option<Shape> {
    let line = |layer: &&Layer| matches!(layer, Layer::Line { ink: Ink::Series(_), .. });
    match ink {
        Ink::Series(number) if plot.layers.iter().filter(line).count() > 1 => {
            SHAPES.get(usize::from(number)).copied()
        }
        _ => None,
    }
}

fn samples(plot: &Plot) -> Vec<(Sample, String)> {
    let one = |layer: &Layer| {
        let (sample, text) = match layer {
            Layer::Line { label, ink, .. } => (Sample::Line(*ink, mark(plot, *ink)), label.clone()),
            Layer::Band { label, ink: ink @ Ink::Area(_), .. } => (Sample::Block(*ink, 1.0), label.clone()),
            Layer::Band { label, ink, .. } => (Sample::Block(*ink, 0.2), label.clone()),
            Layer::Level { label, .. } => (Sample::Line(Ink::Bound, None), label.clone()),
            Layer::Mark { label, ink, .. } => (Sample::Line(*ink, None), label.clone()),
            Layer::Columns { label, ink, .. } => (Sample::Block(*ink, 1.0), label.clone()),
            Layer::Bars { label, ink, .. } => (Sample::Block(*ink, 1.0), label.clone()),
            Layer::Points { label, ink, shape, .. } => (Sample::Point(*ink, *shape), label.clone()),
            Layer::Cells { label, cells } => {
                let most = cells.iter().map(|cell| cell.count).max().unwrap_or(0);
                (Sample::Heat, format!("1 to {} {label}", words::grouped(most)))
            }
            Layer::Ray { .. } => return None,
        };
        Some((sample, text)).filter(|(_, text)| !text.is_empty())
    };
    plot.layers.iter().filter_map(one).collect()
}

fn entries(plot: &Plot, room: f64) -> Vec<Entry> {
    let (mut x, mut row) = (0.0, 0);
    let samples = samples(plot);
    let place = |(sample, text): (Sample, String)| {
        let text = fit(&text, SIZE, room - sample.width() - 6.0);
        let need = sample.width() + 6.0 + width(&text, SIZE);
        if x > 0.0 && x + need > room {
            (x, row) = (0.0, row + 1);
        }
        let entry = Entry { sample, text, x, row };
        x += need + GAP;
        entry
    };
    samples.into_iter().map(place).collect()
}

/// How high the legend is in this room.
pub(super) fn height(plot: &Plot, room: f64) -> f64 {
    entries(plot, room).last().map_or(0.0, |last| (last.row + 1) as f64 * ROW + 4.0)
}

/// Draws it.
pub(super) fn legend(plot: &Plot, canvas: &Canvas<'_>, left: f64, top: f64, room: f64) -> Result<(), Error> {
    for entry in entries(plot, room) {
        let (x, y) = (left + entry.x, top + ROW * (entry.row as f64 + 0.5));
        match entry.sample {
            Sample::Line(ink, shape) => {
                canvas.line(&[(x, y), (x + SAMPLE, y)], ink, 1.5)?;
                if let Some(shape) = shape {
                    canvas.shape((x + SAMPLE / 2.0, y), shape, ink)?;
                }
            }
            Sample::Block(ink, alpha) => canvas.block((x, y - 6.0), (x + SAMPLE, y + 6.0), ink, alpha)?,
            Sample::Point(ink, shape) => canvas.shape((x + 6.0, y), shape, ink)?,
            Sample::Heat => {
                for level in 0..HEATS {
                    let x = x + 14.0 * f64::from(level);
                    canvas.block((x, y - 6.0), (x + 14.0, y + 6.0), Ink::Heat(level), 1.0)?;
                }
            }
        }
        let at = (x + entry.sample.width() + 6.0, y);
        canvas.text(at, &entry.text, SIZE, Ink::Text, Side::Right)?;
    }
    Ok(())
}
