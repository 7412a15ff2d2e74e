//! A flow picture: columns of bars, each as high as what it counts, and bands that lead from one column to the
//! next. What leaves a bar is never more than what came to it.

use super::canvas::{Canvas, Side};
use super::ink::Ink;
use super::text::fit;
use super::{Frame, Picture};
use crate::html::Error;
use crate::words::grouped;

/// How wide a bar is.
const BAR: f64 = 14.0;
/// The height of the largest column's bars together.
const HEIGHT: f64 = 190.0;
/// The least height for a bar's name, and the room between bars.
const LINE: f64 = 17.0;
const GAP: f64 = 5.0;
const SIZE: f64 = 12.0;
/// Steps of the curve of a band.
const STEPS: usize = 16;

/// A bar.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::html) struct Bar {
    /// What it counts.
    pub label: String,
    /// How many.
    pub count: u64,
    /// Its ink.
    pub ink: Ink,
    /// Which bar of the column before it comes from; nothing in the first.
    pub from: usize,
}

/// A flow picture.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::html) struct Sankey {
    /// The name of its files.
    pub name: String,
    /// What it shows.
    pub title: String,
    /// What is to be seen in it.
    pub desc: String,
    /// Its columns, from the left; bars that come from one bar follow each other, in the order of those.
    pub columns: Vec<Vec<Bar>>,
}

/// Where a bar is.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spot {
    top: f64,
    height: f64,
}

impl Sankey {
    fn scale(&self) -> f64 {
        let most = self.columns.iter().map(|column| column.iter().map(|bar| bar.count).sum::<u64>()).max();
        HEIGHT / most.unwrap_or(1).max(1) as f64
    }

    fn spots(&self, column: usize) -> Vec<Spot> {
        let scale = self.scale();
        let mut top = 0.0;
        let spot = |bar: &Bar| {
            let height = (bar.count as f64 * scale).max(1.5);
            let spot = Spot { top: top + ((LINE - height) / 2.0).max(0.0), height };
            top += height.max(LINE) + GAP;
            spot
        };
        self.columns[column].iter().map(spot).collect()
    }
}

impl Picture for Sankey {
    fn name(&self) -> &str {
        &self.name
    }

    fn title(&self) -> &str {
        &self.title
    }

    fn desc(&self) -> &str {
        &self.desc
    }

    fn height(&self, _: Frame) -> f64 {
        let bottoms = (0..self.columns.len()).flat_map(|column| self.spots(column));
        bottoms.map(|spot| spot.top + spot.height.max(LINE)).fold(0.0, f64::max) + 2.0 * GAP
    }

    fn draw(&self, canvas: &Canvas<'_>, frame: Frame, top: f64) -> Result<(), Error> {
        let pitch = (frame.width - 8.0) / self.columns.len().max(1) as f64;
        let left = |column: usize| 4.0 + pitch * column as f64;
        for column in 1..self.columns.len() {
            self.bands(canvas, column, (left(column - 1) + BAR, left(column)), top + GAP)?;
        }
        for (column, bars) in self.columns.iter().enumerate() {
            for (bar, spot) in bars.iter().zip(self.spots(column)) {
                let (x, y) = (left(column), top + GAP + spot.top);
                canvas.block((x, y), (x + BAR, y + spot.height), bar.ink, 1.0)?;
                let text = fit(&format!("{} {}", grouped(bar.count), bar.label), SIZE, pitch - BAR - 8.0);
                canvas.text((x + BAR + 5.0, y + spot.height / 2.0), &text, SIZE, Ink::Text, Side::Right)?;
            }
        }
        Ok(())
    }
}

impl Sankey {
    /// The bands that lead to a column.
    fn bands(&self, canvas: &Canvas<'_>, column: usize, across: (f64, f64), top: f64) -> Result<(), Error> {
        let scale = self.scale();
        let sources = self.spots(column - 1);
        let mut used = vec![0.0; sources.len()];
        for (bar, spot) in self.columns[column].iter().zip(self.spots(column)) {
            let Some((source, used)) = sources.get(bar.from).zip(used.get_mut(bar.from)) else { continue };
            let height = (bar.count as f64 * scale).max(0.75);
            let from = top + source.top + *used;
            *used += bar.count as f64 * scale;
            canvas.polygon(&band(across, (from, top + spot.top), height), bar.ink, 0.28)?;
        }
        Ok(())
    }
}

/// The outline of a band from one height to another.
fn band((left, right): (f64, f64), (from, to): (f64, f64), height: f64) -> Vec<(f64, f64)> {
    let curve = |step: usize| {
        let t = step as f64 / STEPS as f64;
        let eased = t * t * (3.0 - 2.0 * t);
        (left + (right - left) * t, from + (to - from) * eased)
    };
    let upper = (0..=STEPS).map(curve);
    let lower = (0..=STEPS).rev().map(curve).map(|(x, y)| (x, y + height));
    upper.chain(lower).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_what_they_count_and_names_never_overlap() {
        let bar = |count, from| Bar { label: "x".into(), count, ink: Ink::Series(0), from };
        let columns = vec![vec![bar(1000, 0)], vec![bar(990, 0), bar(9, 0), bar(1, 0)]];
        let sankey = Sankey { name: "x".into(), title: "x".into(), desc: "x".into(), columns };
        assert_eq!(sankey.spots(0), [Spot { top: 0.0, height: HEIGHT }]);
        let spots = sankey.spots(1);
        assert_eq!(spots[0].height, 0.99 * HEIGHT);
        let middles: Vec<f64> = spots.iter().map(|spot| spot.top + spot.height / 2.0).collect();
        assert!(middles.windows(2).all(|pair| pair[1] - pair[0] >= LINE), "{middles:?}");
    }
}
