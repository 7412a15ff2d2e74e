//! A document as the page looks at it: the seed that is looked at closely, its series, its faults, its periods.

use super::build::slug;
use super::plot::Shade;
use crate::design::Design;
use crate::results::{FaultResult, Results, SeedResult};
use crate::series::{DoorSeries, Series};
use crate::verdict::Verdict;

/// Why a panel that needs series is left out.
pub(super) const NO_SERIES: &str = "the document has no series over time; a run by this version writes them";

/// A document.
pub(super) struct Doc<'a> {
    /// The document itself.
    pub results: &'a Results,
    /// The seed that is looked at closely: the first with series, else the first of the worst.
    pub focus: Option<&'a SeedResult>,
    /// The series of that seed.
    pub series: Option<&'a Series>,
    /// When its faults were active.
    pub shades: Vec<Shade>,
    /// What addresses within this document begin with.
    pub id: String,
}

impl<'a> Doc<'a> {
    /// The document with this number in the page, from 0.
    pub(super) fn new(results: &'a Results, number: usize) -> Doc<'a> {
        let with_series = results.seeds.iter().find(|seed| seed.series.is_some());
        let worst = results.seeds.iter().map(|seed| seed.verdict).max();
        let focus = with_series.or_else(|| results.seeds.iter().find(|seed| Some(seed.verdict) == worst));
        let series = focus.and_then(|seed| seed.series.as_ref()).filter(|series| sound(series));
        let doc = Doc { results, focus, series, shades: Vec::new(), id: format!("d{}-", number + 1) };
        Doc { shades: focus.map(|seed| shades(seed, doc.period())).unwrap_or_default(), ..doc }
    }

    /// What was run, where the document has it.
    pub(super) fn design(&self) -> Option<&'a Design> {
        self.results.design.as_ref()
    }

    /// The variant's name.
    pub(super) fn variant(&self) -> &'a str {
        match self.results.variant.as_str() {
            "" => "base",
            variant => variant,
        }
    }

    /// Whether it is of more than one seed.
    pub(super) fn sweep(&self) -> bool {
        self.results.seeds.len() > 1
    }

    /// The first and the last second in which load was offered and counts.
    pub(super) fn period(&self) -> Option<(f64, f64)> {
        let series = self.series?;
        let end = self.design().map(|design| design.run).filter(|run| *run > 0.0);
        Some((0.0f64.max(series.start), end.unwrap_or(series.end()).min(series.end())))
    }

    /// The bins of that period.
    pub(super) fn counted(&self) -> Vec<usize> {
        let (Some(series), Some((from, to))) = (self.series, self.period()) else { return Vec::new() };
        let inside = |bin: &usize| middle(series, *bin) >= from && middle(series, *bin) < to;
        (0..series.bins as usize).filter(inside).collect()
    }

    /// The address of an item of the page, within this document.
    pub(super) fn anchor(&self, id: &str) -> String {
        format!("{}{id}", self.id)
    }

    /// The same as a link.
    pub(super) fn link(&self, id: &str) -> String {
        format!("#{}{id}", self.id)
    }

    /// The line of the scenario in which something is said, as a link, where the page shows it.
    pub(super) fn line(&self, section: &str, name: &str) -> Option<String> {
        let line = self.design()?.source.as_ref()?.line(section, name)?;
        Some(self.link(&format!("line-{line}")))
    }

    /// A part of the names of this document's files.
    pub(super) fn key(&self) -> String {
        slug(self.variant())
    }

    /// In a few words which seed a picture is of, where there are several.
    pub(super) fn of_seed(&self) -> String {
        match self.focus {
            Some(focus) if self.sweep() => format!(", seed {}", focus.seed),
            _ => String::new(),
        }
    }
}

/// More bins than these no document has that was written by Beaufort.
const BINS: u32 = 100_000;

/// Whether something can be drawn from it.
fn sound(series: &Series) -> bool {
    (1..=BINS).contains(&series.bins)
        && series.step > 0.0
        && series.step.is_finite()
        && series.start.is_finite()
}

/// The middle of a bin, in seconds of the scenario.
pub(super) fn middle(series: &Series, bin: usize) -> f64 {
    series.at(bin) + series.step / 2.0
}

/// The share of successes in a bin, if anything was offered.
pub(super) fn success(door: &DoorSeries, bin: usize) -> Option<f64> {
    let offered = door.offered.get(bin).copied().unwrap_or(0);
    let ok = door.ok.get(bin).copied().unwrap_or(0);
    (offered > 0).then(|| ok as f64 / offered as f64)
}

/// The number of a series in a bin; 0 where it is too short.
pub(super) fn at(series: &[u64], bin: usize) -> u64 {
    series.get(bin).copied().unwrap_or(0)
}

/// The share of a period above which a fault is active nearly always.
const NEARLY: f64 = 0.8;

fn shades(seed: &SeedResult, period: Option<(f64, f64)>) -> Vec<Shade> {
    let active = seed.faults.iter().filter(|fault| !fault.windows.is_empty());
    let shade = |fault: &FaultResult| {
        let windows: Vec<[f64; 2]> = fault.windows.iter().copied().filter(|[from, to]| from <= to).collect();
        let always = period.is_some_and(|(from, to)| {
            let active: f64 = windows.iter().map(|[a, b]| (b.min(to) - a.max(from)).max(0.0)).sum();
            active > NEARLY * (to - from)
        });
        Shade { name: fault.name.clone(), windows, chance: fault.random, always }
    };
    active.map(shade).collect()
}

/// Where plots of doors end: soon after the last item was offered.
pub(super) fn offered_until(series: &Series) -> f64 {
    until(series, series.doors.iter().map(|door| &door.offered))
}

/// Where plots of everything else end: soon after the last item moved. What waits then waits on.
pub(super) fn active_until(series: &Series) -> f64 {
    let doors = series.doors.iter().map(|door| &door.offered);
    let places = series.places.iter().flat_map(|place| [&place.came, &place.left]);
    let calls = series.calls.iter().map(|calls| &calls.sent);
    let runs = series.runs.iter().flat_map(|runs| [&runs.started, &runs.done, &runs.failed]);
    let signs = series.signs.iter().map(|sign| &sign.count);
    until(series, doors.chain(places).chain(calls).chain(runs).chain(signs))
}

/// A little after the last bin in which one of these counts anything.
fn until<'a>(series: &Series, counts: impl Iterator<Item = &'a Vec<u64>>) -> f64 {
    let last = counts.filter_map(|counts| counts.iter().rposition(|count| *count > 0)).max().unwrap_or(0);
    let room = 1 + last / 40;
    series.at((last + 1 + room).min(series.bins as usize))
}

/// Whether a verdict is one that somebody has to do something about.
pub(super) fn troubles(verdict: Verdict) -> bool {
    verdict > Verdict::Degraded
}
