//! What the doors did over time, in a few lines: the share of the items that succeeded as a row of blocks,
//! the faults beneath at the time at which they were active, and a scale.

use super::Style;
use super::page::{Ink, Page};
use super::words::{clock, counted, grouped, share};
use crate::plain::clipped;
use crate::results::{FaultResult, SeedResult};
use crate::series::{DoorSeries, Series};
use crate::words::duration;

/// How many columns there are to draw in, where the page is wide enough.
const COLUMNS: usize = 72;
/// Blanks before a row.
const INDENT: usize = 2;
/// So many doors are shown, the worst; and so many faults, the first.
const DOORS: usize = 4;
const FAULTS: usize = 8;
/// So many characters of a name are shown.
const NAME: usize = 32;
/// So many columns lie between two marks of the scale at least.
const APART: usize = 9;
/// Distances of the marks of a scale, in seconds.
const STEPS: [f64; 20] = [
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10_800.0,
    21_600.0, 43_200.0, 86_400.0, 172_800.0, 604_800.0,
];
/// Less than all, from almost nothing to almost everything; and all.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const DIGITS: [char; 11] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '#'];

/// The lines of the timeline of a seed, without colour; none if it has no series, or nothing was offered.
#[must_use]
pub fn timeline(seed: &SeedResult, style: Style) -> Vec<String> {
    let mut page = Page { out: String::new(), style: Style { colour: false, ..style } };
    page.timeline_rows(seed);
    page.out.lines().map(str::to_owned).collect()
}

/// The columns, and what part of the run they show.
#[derive(Clone, Copy)]
struct Axis {
    columns: usize,
    bins: usize,
    from: f64,
    to: f64,
}

impl Axis {
    /// From the first bin to the last one in which something was offered: a deadline without load is not
    /// drawn.
    fn new(series: &Series, width: usize) -> Option<Axis> {
        let last = |door: &DoorSeries| door.offered.iter().rposition(|offered| *offered > 0);
        let bins = series.doors.iter().filter_map(last).max()? + 1;
        let columns = COLUMNS.min(width.saturating_sub(INDENT)).max(20);
        let (from, to) = (series.start, series.at(bins));
        (to > from).then_some(Axis { columns, bins, from, to })
    }

    /// The bins of a column: at least one, even where there are fewer bins than columns.
    fn range(self, column: usize) -> std::ops::Range<usize> {
        let from = column * self.bins / self.columns;
        from..((column + 1) * self.bins / self.columns).max(from + 1)
    }

    fn seconds(self) -> f64 {
        (self.to - self.from) / self.columns as f64
    }

    /// In which column an instant is; beyond the edges, the edge.
    fn column(self, at: f64) -> usize {
        let share = (at - self.from) / (self.to - self.from);
        ((share * self.columns as f64).max(0.0) as usize).min(self.columns)
    }
}

impl Page {
    /// The timeline of a seed that failed, with a heading.
    pub(super) fn timeline(&mut self, seed: &SeedResult) {
        let before = self.out.len();
        self.heading("What the doors did over time");
        let drawn = self.out.len();
        self.timeline_rows(seed);
        if self.out.len() == drawn {
            self.out.truncate(before);
        }
    }

    fn timeline_rows(&mut self, seed: &SeedResult) {
        let Some(series) = &seed.series else { return };
        let Some(axis) = Axis::new(series, self.style.width) else { return };
        let doors = worst(&series.doors);
        for door in &doors {
            self.door(door, series, axis);
        }
        let more = series.doors.len() - doors.len();
        if more > 0 {
            self.faint(&format!("and {} that did better", counted(more as u64, "door")));
        }
        self.faults_over_time(&seed.faults, axis);
        self.scale(axis);
        self.legend(axis);
    }

    fn door(&mut self, door: &DoorSeries, series: &Series, axis: Axis) {
        let (offered, ok) = sums(door, 0..door.offered.len());
        let columns: Vec<(u64, u64)> =
            (0..axis.columns).map(|column| sums(door, axis.range(column))).collect();
        let least = columns.iter().enumerate().filter(|(_, (offered, ok))| ok < offered);
        let least = least.min_by(|(_, a), (_, b)| fraction(**a).total_cmp(&fraction(**b)));
        let name = clipped(&door.door, NAME);
        let mut text = format!("{name}: {} of {}", part(ok, offered), counted(offered, "item"));
        if let Some((column, (offered, ok))) = least {
            let at = clock(series.at(axis.range(column).start).round());
            text.push_str(&format!(", lowest {} at {}", part(*ok, *offered), at.replace(".000", "")));
        }
        self.hanging(&text, INDENT, INDENT + 2, None);
        let glyphs: Vec<(char, bool)> = columns.into_iter().map(|column| self.glyph(column)).collect();
        let row = self.inked(&glyphs);
        self.line(&format!("{:INDENT$}{row}", ""));
    }

    /// The sign of a column, and whether something was lost in it.
    fn glyph(&self, (offered, ok): (u64, u64)) -> (char, bool) {
        let signs = if self.style.blocks { &BLOCKS[..] } else { &DIGITS[..] };
        let most = signs.len() - 1;
        match (offered, ok) {
            (0, _) => (' ', false),
            (offered, ok) if ok >= offered => (signs[most], false),
            both => (signs[((fraction(both) * most as f64) as usize).min(most - 1)], true),
        }
    }

    fn inked(&self, glyphs: &[(char, bool)]) -> String {
        let mut row = String::new();
        for run in glyphs.chunk_by(|a, b| a.1 == b.1) {
            let text: String = run.iter().map(|(sign, _)| sign).collect();
            let bad = run.first().is_some_and(|(_, bad)| *bad);
            row.push_str(&if bad { self.paint(&text, Ink::Bad) } else { text });
        }
        row.trim_end().to_owned()
    }

    fn faults_over_time(&mut self, faults: &[FaultResult], axis: Axis) {
        let active = faults.iter().filter(|fault| !spans(fault, axis).is_empty());
        let active: Vec<&FaultResult> = active.collect();
        for fault in active.iter().take(FAULTS) {
            let mark = if self.style.blocks { '━' } else { '=' };
            let name = match fault.more_windows {
                0 => clipped(&fault.name, NAME),
                more => format!("{} and {} times more", clipped(&fault.name, NAME), grouped(more)),
            };
            let row = placed(&name, &spans(fault, axis), mark, axis.columns);
            let row = self.paint(&row, Ink::Odd);
            self.line(&format!("{:INDENT$}{row}", ""));
        }
        if active.len() > FAULTS {
            self.faint(&format!("and {} more", counted((active.len() - FAULTS) as u64, "fault")));
        }
    }

    fn scale(&mut self, axis: Axis) {
        let step = STEPS.into_iter().find(|step| step / axis.seconds() >= APART as f64);
        let step = step.unwrap_or_else(|| (axis.seconds() * APART as f64 / 86_400.0).ceil() * 86_400.0);
        let mut row = String::new();
        let mut used = 0;
        let mut mark = (axis.from / step).ceil();
        while mark * step < axis.to {
            let text = format!("|{}", label(mark * step));
            let column = axis.column(mark * step);
            if column + text.len() <= axis.columns && (used == 0 || column > used) {
                row.push_str(&format!("{:1$}{text}", "", column - used));
                used = column + text.len();
            }
            mark += 1.0;
        }
        self.faint(&row);
    }

    fn legend(&mut self, axis: Axis) {
        let column = duration(axis.seconds());
        let text = if self.style.blocks {
            "█ all items succeeded, ▇ to ▁ fewer and fewer"
        } else {
            "# all items succeeded, 9 to 0 so many tenths of them"
        };
        self.hanging(&format!("{text}; {column} a column"), INDENT, INDENT, Some(Ink::Faint));
    }

    fn faint(&mut self, text: &str) {
        let text = self.paint(text, Ink::Faint);
        self.line(&format!("{:INDENT$}{text}", ""));
    }
}

/// The doors with the least success, in the order in which they stand.
fn worst(doors: &[DoorSeries]) -> Vec<&DoorSeries> {
    let used = doors.iter().filter(|door| door.offered.iter().any(|offered| *offered > 0));
    let mut ranked: Vec<(usize, &DoorSeries)> = used.enumerate().collect();
    ranked.sort_by(|(_, a), (_, b)| {
        let share = |door: &DoorSeries| fraction(sums(door, 0..door.offered.len()));
        share(a).total_cmp(&share(b))
    });
    ranked.truncate(DOORS);
    ranked.sort_by_key(|(index, _)| *index);
    ranked.into_iter().map(|(_, door)| door).collect()
}

/// How many items were offered in some bins, and how many of them succeeded.
fn sums(door: &DoorSeries, bins: std::ops::Range<usize>) -> (u64, u64) {
    let sum =
        |counts: &[u64]| counts.get(bins.start..bins.end.min(counts.len())).unwrap_or_default().iter().sum();
    (sum(&door.offered), sum(&door.ok))
}

/// A share in per cent; nothing is nothing.
fn part(ok: u64, offered: u64) -> String {
    if ok == 0 { "0%".to_owned() } else { share(ok, offered) }
}

fn fraction((offered, ok): (u64, u64)) -> f64 {
    if offered == 0 { 1.0 } else { ok as f64 / offered as f64 }
}

/// The columns in which a fault was active: from the first to the one after the last.
fn spans(fault: &FaultResult, axis: Axis) -> Vec<(usize, usize)> {
    let shown = fault.windows.iter().filter(|[from, to]| *to >= axis.from && *from < axis.to);
    let column = |[from, to]: &[f64; 2]| {
        let first = axis.column(*from).min(axis.columns - 1);
        // An end at the very beginning of a column does not reach into it.
        let end = axis.column(*to) + usize::from(axis.column(*to) < axis.columns);
        let exact = axis.from + axis.column(*to) as f64 * axis.seconds() >= *to;
        (first, (end - usize::from(exact && end > first + 1)).max(first + 1))
    };
    shown.map(column).collect()
}

/// Marks with a name where there is room for it: after them, before them, between two of them, or within one.
fn placed(name: &str, spans: &[(usize, usize)], mark: char, columns: usize) -> String {
    let mut row = vec![' '; columns];
    for (from, to) in spans {
        row[*from..(*to).min(columns)].fill(mark);
    }
    let name: Vec<char> = name.chars().collect();
    let end = row.iter().rposition(|c| *c != ' ').map_or(0, |last| last + 1);
    let begin = row.iter().position(|c| *c != ' ').unwrap_or(0);
    let room = name.len() + 1;
    let at = if end + room <= columns {
        end + 1
    } else if begin >= room {
        begin - room
    } else if let Some(gap) = gap(&row, name.len() + 2) {
        gap + 1
    } else {
        let (from, to) = spans.iter().copied().max_by_key(|(from, to)| to - from).unwrap_or((0, columns));
        let middle = (from + to) / 2;
        let at = middle.saturating_sub(name.len() / 2).min(columns.saturating_sub(name.len()));
        for blank in
            [at.checked_sub(1), Some(at + name.len())].into_iter().flatten().filter(|at| *at < columns)
        {
            row[blank] = ' ';
        }
        at
    };
    for (place, c) in row.iter_mut().skip(at).zip(name) {
        *place = c;
    }
    row.into_iter().collect::<String>().trim_end().to_owned()
}

/// Where so many blanks are.
fn gap(row: &[char], room: usize) -> Option<usize> {
    row.windows(room).position(|part| part.iter().all(|c| *c == ' '))
}

/// An instant on a scale, to its two greatest units: `0`, `30 s`, `5 min`, `2 h 15 min`, `3 d`.
fn label(seconds: f64) -> String {
    let sign = if seconds < 0.0 { "-" } else { "" };
    let all = seconds.abs().round() as u64;
    let parts = [(all / 86_400, "d"), (all / 3600 % 24, "h"), (all / 60 % 60, "min"), (all % 60, "s")];
    let parts = parts.iter().filter(|(count, _)| *count > 0).take(2);
    let parts: Vec<String> = parts.map(|(count, unit)| format!("{} {unit}", grouped(*count))).collect();
    if parts.is_empty() { "0".to_owned() } else { format!("{sign}{}", parts.join(" ")) }
}
