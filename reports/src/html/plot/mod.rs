//! Pictures: what is drawn is said once, and drawn for the page (wide and narrow, in the colours of the style
//! sheet) and for a file of its own.

mod axis;
mod canvas;
mod develop;
mod draw;
mod ink;
mod legend;
mod sankey;
mod strip;
mod text;

pub(super) use axis::{Axis, Unit};
pub(super) use canvas::{Canvas, Shape};
pub(super) use ink::{Home, Ink, SERIES, patterns};
pub(super) use sankey::{Bar, Sankey};
pub(super) use strip::Shade;

use super::Error;

/// For which room a picture is drawn, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Frame {
    /// How wide it is.
    pub width: f64,
    /// How high its plot is, without legend and labels.
    pub height: f64,
}

/// For a page on a desk, and for files.
pub(super) const WIDE: Frame = Frame { width: 780.0, height: 220.0 };
/// For a page in a hand.
pub(super) const NARROW: Frame = Frame { width: 372.0, height: 190.0 };

/// What a plot consists of, from back to front.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Layer {
    /// A line through points, interrupted where there is none.
    Line {
        /// What it is.
        label: String,
        /// Its ink.
        ink: Ink,
        /// Its points, ascending.
        points: Vec<(f64, Option<f64>)>,
    },
    /// The area between two lines.
    Band {
        /// What it is.
        label: String,
        /// Its ink.
        ink: Ink,
        /// Its points, ascending: from where to where.
        points: Vec<(f64, Option<(f64, f64)>)>,
    },
    /// A level that means something.
    Level {
        /// What it is.
        label: String,
        /// Where.
        at: f64,
    },
    /// A straight line to compare with, with its name at its end.
    Ray {
        /// Its name.
        label: String,
        /// Where it begins.
        from: (f64, f64),
        /// Where it ends.
        to: (f64, f64),
    },
    /// Cells of a heat map.
    Cells {
        /// What a cell counts.
        label: String,
        /// Its cells.
        cells: Vec<Cell>,
    },
    /// Spans in rows.
    Bars {
        /// What they are.
        label: String,
        /// Their ink.
        ink: Ink,
        /// The row (from 0), from when until when, and what is written at it.
        spans: Vec<(usize, f64, f64, String)>,
    },
    /// A value across that means something.
    Mark {
        /// What it is.
        label: String,
        /// Where.
        at: f64,
        /// Its ink.
        ink: Ink,
    },
    /// Columns of a distribution.
    Columns {
        /// What they are.
        label: String,
        /// Their ink.
        ink: Ink,
        /// From where to where, as parts of the axis across, and how high, as a part of the plot's height.
        columns: Vec<(f64, f64, f64)>,
    },
    /// Single points.
    Points {
        /// What they are.
        label: String,
        /// Their ink.
        ink: Ink,
        /// Their shape.
        shape: Shape,
        /// Where.
        points: Vec<(f64, f64)>,
    },
}

/// A cell of a heat map: from where to where, and how many.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cell {
    /// From and to, across.
    pub x: (f64, f64),
    /// From and to, upwards.
    pub y: (f64, f64),
    /// How many.
    pub count: u64,
}

/// A plot.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plot {
    /// The name of its files.
    pub name: String,
    /// What it shows, in a line.
    pub title: String,
    /// What is to be seen in it, for somebody who does not see it.
    pub desc: String,
    /// Across.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// Names of rows, from the top, if it consists of such.
    pub rows: Vec<String>,
    /// How high it is, if it is not as high as others.
    pub height: Option<f64>,
    /// Faults to be shown behind it.
    pub shades: Vec<Shade>,
    /// What it consists of.
    pub layers: Vec<Layer>,
}

/// Something that can be drawn for any room.
pub(super) trait Picture {
    /// The name of its files.
    fn name(&self) -> &str;
    /// What it shows, in a line.
    fn title(&self) -> &str;
    /// What is to be seen in it.
    fn desc(&self) -> &str;
    /// How high it is in this room, without a title.
    fn height(&self, frame: Frame) -> f64;
    /// Draws it below `top`.
    fn draw(&self, canvas: &Canvas<'_>, frame: Frame, top: f64) -> Result<(), Error>;
}

impl Picture for Plot {
    fn name(&self) -> &str {
        &self.name
    }

    fn title(&self) -> &str {
        &self.title
    }

    fn desc(&self) -> &str {
        &self.desc
    }

    fn height(&self, frame: Frame) -> f64 {
        draw::Layout::new(self, frame, 0.0).bottom
    }

    fn draw(&self, canvas: &Canvas<'_>, frame: Frame, top: f64) -> Result<(), Error> {
        draw::plot(self, canvas, frame, top)
    }
}

/// A picture as the elements of an SVG, with its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Drawn {
    /// How wide it is.
    pub width: u32,
    /// How high it is.
    pub height: u32,
    /// What it consists of.
    pub body: String,
}

/// Draws a picture; a file of its own has its title in it.
pub(super) fn drawn(picture: &dyn Picture, frame: Frame, home: Home) -> Result<Drawn, Error> {
    let top = if home == Home::File { 34.0 } else { 0.0 };
    let height = (picture.height(frame) + top).ceil();
    let mut svg = String::new();
    {
        let canvas = Canvas::new(&mut svg, frame.width, height);
        if home == Home::File {
            canvas.block((0.0, 0.0), (frame.width, height), Ink::Paper, 1.0)?;
            let title = text::fit(picture.title(), 15.0, frame.width - 24.0);
            canvas.heading((12.0, 20.0), &title, 15.0)?;
        }
        picture.draw(&canvas, frame, top)?;
        canvas.area.present()?;
    }
    let body = develop::develop(&svg, home);
    let unit = |pixels: f64| (pixels * canvas::SCALE).round() as u32;
    Ok(Drawn { width: unit(frame.width), height: unit(height), body })
}
