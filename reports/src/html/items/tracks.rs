//! Numbers over the bins of a series: as lines of a plot and as columns of a file.

use crate::html::doc::{Doc, active_until, middle};
use crate::html::plot::{Axis, Ink, Layer, Plot, SERIES, Unit};
use crate::html::table::{self, Table};
use crate::series::Series;

/// One number for each bin.
pub(super) struct Track {
    /// What it is.
    pub name: String,
    /// The numbers; none where there is nothing to say.
    pub values: Vec<Option<f64>>,
}

impl Track {
    /// Counts as they are.
    pub(super) fn counts(name: impl Into<String>, counts: &[u64]) -> Track {
        Track { name: name.into(), values: counts.iter().map(|count| Some(*count as f64)).collect() }
    }

    /// Counts, a second.
    pub(super) fn rates(name: impl Into<String>, counts: &[u64], series: &Series) -> Track {
        Track::counts(name, counts).scaled(1.0 / series.step)
    }

    fn scaled(self, by: f64) -> Track {
        Track { values: self.values.into_iter().map(|value| value.map(|value| value * by)).collect(), ..self }
    }

    /// The largest of its numbers.
    pub(super) fn most(&self) -> f64 {
        self.values.iter().flatten().copied().fold(0.0, f64::max)
    }

    /// As the line of a plot, in this ink, over the first bins.
    fn line(&self, series: &Series, bins: usize, ink: u8) -> Layer {
        let points = self.values.iter().take(bins).enumerate();
        let points = points.map(|(bin, value)| (middle(series, bin), *value)).collect();
        Layer::Line { label: self.name.clone(), ink: Ink::Series(ink), points }
    }
}

/// A plot of tracks over the time of the scenario, of no more than there are inks; `of` says what is counted.
pub(super) fn plot(
    doc: &Doc<'_>,
    series: &Series,
    name: &str,
    of: &str,
    unit: Unit,
    tracks: &[Track],
) -> Plot {
    let until = active_until(series);
    let bins = (0..series.bins as usize).filter(|bin| series.at(*bin) < until).count();
    let seen = tracks.iter().flat_map(|track| track.values.iter().take(bins)).flatten();
    Plot {
        name: name.to_owned(),
        x: Axis::time(series.start, until),
        y: Axis::up_to(of, unit, seen.copied()),
        shades: doc.shades.clone(),
        layers: tracks.iter().zip(0..SERIES).map(|(track, ink)| track.line(series, bins, ink)).collect(),
        ..Plot::default()
    }
}

/// The same numbers as a file: a column for each track.
pub(super) fn sheet(series: &Series, name: &str, tracks: &[Track]) -> Table {
    let mut columns = vec![table::numbers("From", "from_s")];
    columns.extend(tracks.iter().map(|track| table::numbers(&track.name, &track.name)));
    let rows = (0..series.bins as usize).map(|bin| {
        let mut cells = vec![table::instant(Some(series.at(bin)))];
        let value = |track: &Track| track.values.get(bin).copied().flatten();
        cells.extend(tracks.iter().map(|track| table::exact(value(track))));
        cells
    });
    Table::new(name, name, columns).rows(rows)
}

/// Tracks in the order of their largest numbers, without those that are nothing.
pub(super) fn ranked(mut tracks: Vec<Track>) -> Vec<Track> {
    tracks.retain(|track| track.most() > 0.0);
    tracks.sort_by(|a, b| b.most().total_cmp(&a.most()));
    tracks
}

/// What to say where there are more tracks than inks.
pub(super) fn rest(tracks: &[Track]) -> Option<String> {
    let more = tracks.len().saturating_sub(usize::from(SERIES));
    (more > 0).then(|| format!("The {SERIES} largest are drawn; the CSV file has {more} more."))
}
