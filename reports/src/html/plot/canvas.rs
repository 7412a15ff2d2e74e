//! A sheet to draw on, in pixels of the page; drawn at twice the size, so that lines are smooth.

use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, IntoFont, ShapeStyle, TextStyle};

use super::ink::Ink;
use crate::html::Error;

/// Units of the picture in a pixel of the page.
pub(super) const SCALE: f64 = 2.0;
/// What the drawing library divides the size of a text by.
const TEXT: f64 = 1.24;

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Where a text is, relative to its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::html) enum Side {
    /// The text begins there.
    Right,
    /// It ends there.
    Left,
}

/// The shape of a point, so that a series is known without its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::html) enum Shape {
    /// A filled circle.
    Dot,
    /// A square.
    Square,
    /// A triangle.
    Triangle,
    /// A cross.
    Cross,
    /// An empty circle.
    Ring,
    /// A square on its tip.
    Diamond,
}

/// The shapes, in the order of the series.
pub(in crate::html) const SHAPES: [Shape; 6] =
    [Shape::Dot, Shape::Square, Shape::Triangle, Shape::Cross, Shape::Ring, Shape::Diamond];

/// A sheet.
pub(in crate::html) struct Canvas<'a> {
    pub(super) area: Area<'a>,
}

fn unit(pixels: f64) -> i32 {
    (pixels * SCALE).round() as i32
}

fn point((x, y): (f64, f64)) -> (i32, i32) {
    (unit(x), unit(y))
}

pub(super) fn stroke(ink: Ink, pixels: f64, alpha: f64) -> ShapeStyle {
    ShapeStyle { color: ink.mark().mix(alpha), filled: false, stroke_width: unit(pixels).max(1) as u32 }
}

fn fill(ink: Ink, alpha: f64) -> ShapeStyle {
    ShapeStyle { color: ink.mark().mix(alpha), filled: true, stroke_width: 0 }
}

pub(super) fn words(ink: Ink, size: f64, bold: bool) -> TextStyle<'static> {
    let style = if bold { FontStyle::Bold } else { FontStyle::Normal };
    let font = ("sans-serif", size * SCALE * TEXT, style).into_font();
    TextStyle { color: ink.mark().to_backend_color(), ..TextStyle::from(font) }
}

impl<'a> Canvas<'a> {
    /// An empty sheet of this size, which fills the string.
    pub(super) fn new(out: &'a mut String, width: f64, height: f64) -> Canvas<'a> {
        let size = (unit(width) as u32, unit(height) as u32);
        Canvas { area: SVGBackend::with_string(out, size).into_drawing_area() }
    }

    /// A filled rectangle.
    pub(in crate::html) fn block(
        &self,
        from: (f64, f64),
        to: (f64, f64),
        ink: Ink,
        alpha: f64,
    ) -> Result<(), Error> {
        Ok(self.area.draw(&Rectangle::new([point(from), point(to)], fill(ink, alpha)))?)
    }

    /// A line through points.
    pub(in crate::html) fn line(&self, points: &[(f64, f64)], ink: Ink, width: f64) -> Result<(), Error> {
        let points: Vec<(i32, i32)> = points.iter().copied().map(point).collect();
        Ok(self.area.draw(&PathElement::new(points, stroke(ink, width, 1.0)))?)
    }

    /// A filled area within points.
    pub(in crate::html) fn polygon(&self, points: &[(f64, f64)], ink: Ink, alpha: f64) -> Result<(), Error> {
        let points: Vec<(i32, i32)> = points.iter().copied().map(point).collect();
        Ok(self.area.draw(&Polygon::new(points, fill(ink, alpha)))?)
    }

    /// The mark of a series at a point.
    pub(in crate::html) fn shape(&self, at: (f64, f64), shape: Shape, ink: Ink) -> Result<(), Error> {
        let (x, y) = at;
        let r = 3.0;
        match shape {
            Shape::Dot => self.circle(at, r, fill(ink, 1.0)),
            Shape::Ring => self
                .circle(at, r, stroke(Ink::Paper, 0.0, 1.0).filled())
                .and_then(|()| self.circle(at, r, stroke(ink, 1.2, 1.0))),
            Shape::Square => self.block((x - 2.6, y - 2.6), (x + 2.6, y + 2.6), ink, 1.0),
            Shape::Triangle => {
                self.polygon(&[(x, y - 3.6), (x + 3.4, y + 2.6), (x - 3.4, y + 2.6)], ink, 1.0)
            }
            Shape::Diamond => {
                self.polygon(&[(x, y - 4.0), (x + 4.0, y), (x, y + 4.0), (x - 4.0, y)], ink, 1.0)
            }
            Shape::Cross => {
                self.line(&[(x - r, y - r), (x + r, y + r)], ink, 1.5)?;
                self.line(&[(x - r, y + r), (x + r, y - r)], ink, 1.5)
            }
        }
    }

    fn circle(&self, at: (f64, f64), radius: f64, style: ShapeStyle) -> Result<(), Error> {
        Ok(self.area.draw(&Circle::new(point(at), unit(radius), style))?)
    }

    /// A text whose middle is at this height.
    pub(in crate::html) fn text(
        &self,
        at: (f64, f64),
        text: &str,
        size: f64,
        ink: Ink,
        side: Side,
    ) -> Result<(), Error> {
        self.write(at, text, words(ink, size, false), side)
    }

    /// The same, bold.
    pub(in crate::html) fn heading(&self, at: (f64, f64), text: &str, size: f64) -> Result<(), Error> {
        self.write(at, text, words(Ink::Text, size, true), Side::Right)
    }

    fn write(&self, at: (f64, f64), text: &str, style: TextStyle<'_>, side: Side) -> Result<(), Error> {
        if text.is_empty() {
            return Ok(());
        }
        let side = match side {
            Side::Right => HPos::Left,
            Side::Left => HPos::Right,
        };
        let style = style.pos(Pos::new(side, VPos::Center));
        Ok(self.area.draw(&Text::new(text.to_owned(), point(at), style))?)
    }
}
