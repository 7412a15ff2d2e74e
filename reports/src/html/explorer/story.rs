//! The story of a failing item as a space-time diagram: a column for each node, time downwards, one row for each
//! step. Rows are not to scale; where nothing happened for long, the columns are torn and the time is told.

use std::fmt::Write as _;

use crate::results::{FaultResult, Step, Violation};

use crate::words::{duration, moment};

use super::escape;
use super::svg::{self, number};

const STYLE: &str = include_str!("story.css");
const SIZE: f64 = 12.0;
/// Where the columns begin: before them stands the time.
const GUTTER: f64 = 112.0;
const COLUMN: f64 = 82.0;
const STRIP: f64 = 58.0;
const HEADER: f64 = 42.0;
const LINE: f64 = 15.0;
const WORDS: f64 = 330.0;
/// How many faults have a column of their own.
const STRIPS: usize = 3;

/// The story of a violation as one SVG, complete in itself. None where the violation has no story.
#[must_use]
pub fn story_diagram(violation: &Violation, faults: &[FaultResult]) -> Option<String> {
    if violation.story.is_empty() {
        return None;
    }
    let diagram = Diagram::new(violation, faults);
    let name = format!("The story of {}: {}", violation.item, violation.reason);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"story-diagram\" role=\"img\" aria-label=\"{0}\" {1}>\
         <title>{0}</title><style>{STYLE}</style>",
        escape::text(&name),
        svg::size(diagram.width(), diagram.height()),
    );
    diagram.draw_faults(&mut out);
    diagram.draw_columns(&mut out);
    diagram.draw_tears(&mut out);
    diagram.draw_way(&mut out);
    diagram.draw_steps(&mut out);
    diagram.draw_end(&mut out);
    out.push_str("</svg>");
    Some(out)
}

struct Diagram<'a> {
    violation: &'a Violation,
    /// The nodes, in the order in which the item came to them.
    nodes: Vec<&'a str>,
    /// The faults that are shown, with the windows that fall into the story.
    faults: Vec<(&'a FaultResult, Vec<[f64; 2]>)>,
    rows: Vec<Row<'a>>,
}

struct Row<'a> {
    step: &'a Step,
    column: usize,
    y: f64,
    /// How long nothing happened before it, where that is told.
    gap: Option<f64>,
    since: f64,
    words: Vec<String>,
}

impl<'a> Diagram<'a> {
    fn new(violation: &'a Violation, faults: &'a [FaultResult]) -> Diagram<'a> {
        let mut nodes: Vec<&str> = Vec::new();
        for step in &violation.story {
            if !nodes.contains(&node_of(step)) {
                nodes.push(node_of(step));
            }
        }
        let rows = rows(&violation.story, &nodes);
        Diagram { violation, nodes, faults: shown(faults, &violation.story), rows }
    }

    fn strip_x(&self, index: usize) -> f64 {
        GUTTER + (index as f64 + 0.5) * STRIP
    }

    fn x(&self, column: usize) -> f64 {
        GUTTER + self.faults.len() as f64 * STRIP + (column as f64 + 0.5) * COLUMN
    }

    fn words_x(&self) -> f64 {
        self.x(self.nodes.len() - 1) + COLUMN / 2.0 + 6.0
    }

    fn width(&self) -> f64 {
        self.words_x() + WORDS + 8.0
    }

    /// Where the row of the end stands.
    fn end(&self) -> f64 {
        self.rows.last().map_or(HEADER, Row::bottom) + 16.0
    }

    fn height(&self) -> f64 {
        self.end() + LINE * self.end_words().len() as f64 + 4.0
    }

    /// The height of an instant: in between two rows in proportion.
    fn y(&self, at: f64) -> f64 {
        let (first, last) = (&self.rows[0], &self.rows[self.rows.len() - 1]);
        if at <= first.step.at_seconds {
            return HEADER + 4.0;
        }
        let next = self.rows.iter().position(|row| row.step.at_seconds >= at);
        let Some(next) = next else { return last.bottom() };
        let (a, b) = (&self.rows[next.saturating_sub(1)], &self.rows[next]);
        let span = b.step.at_seconds - a.step.at_seconds;
        if span > 0.0 { a.y + (b.y - a.y) * (at - a.step.at_seconds) / span } else { b.y }
    }

    fn draw_faults(&self, out: &mut String) {
        for (index, (fault, windows)) in self.faults.iter().enumerate() {
            let x = self.strip_x(index);
            let about = format!("{}: {} {}", fault.name, fault.fault, fault.target);
            let _ = write!(out, "<g>{}", svg::title(&about));
            header(out, "head fault-name", x, STRIP - 4.0, &fault.name);
            for [from, to] in windows {
                let (top, bottom) = (self.y(*from), self.y(*to));
                let height = number((bottom - top).max(4.0));
                let (left, across) = (number(x - 5.0), number(self.words_x() - 6.0 - x));
                let told = format!("{} from {} to {}", fault.name, moment(*from), moment(*to));
                let (y, title) = (number(top), svg::title(&told));
                let rect = |class: &str, width: &str| {
                    format!(
                        "<rect class=\"{class}\" x=\"{left}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>"
                    )
                };
                let whole = top <= HEADER + 4.0 && bottom >= self.rows[self.rows.len() - 1].bottom();
                let band = if whole { String::new() } else { rect("band", &across) };
                let _ = write!(out, "<g>{title}{band}{}</g>", rect("strip", "10"));
            }
            out.push_str("</g>");
        }
    }

    fn draw_columns(&self, out: &mut String) {
        let bottom = self.end() + 6.0;
        for (column, node) in self.nodes.iter().enumerate() {
            let x = self.x(column);
            let _ = write!(out, "<g>{}", svg::title(node));
            header(out, "head", x, COLUMN - 6.0, node);
            let (x, top, bottom) = (number(x), number(HEADER), number(bottom));
            let _ = write!(out, "<path class=\"life\" d=\"M{x} {top}V{bottom}\"/></g>");
        }
    }

    /// Where the columns are torn, for how long nothing happened.
    fn draw_tears(&self, out: &mut String) {
        for row in &self.rows {
            let Some(gap) = row.gap else { continue };
            let y = row.y - 25.0;
            let told = format!("{} later", duration(gap));
            let _ = write!(out, "<g>{}", svg::title(&told));
            for column in 0..self.nodes.len() {
                let (x, y) = (number(self.x(column) - 7.0), number(y));
                let _ = write!(out, "<path class=\"tear\" d=\"M{x} {y}l4 -4 6 8 4 -4\"/>");
            }
            out.push_str(&svg::line("gap", self.words_x(), y + 4.0, "start", &told));
            out.push_str("</g>");
        }
    }

    /// The item's way: along a column where it stays, from column to column where it goes.
    fn draw_way(&self, out: &mut String) {
        for pair in self.rows.windows(2) {
            let (a, b) = (&pair[0], &pair[1]);
            let ((ax, ay), (bx, by)) = ((self.x(a.column), a.y), (self.x(b.column), b.y));
            if a.column == b.column {
                let told = format!("stays at {}", self.nodes[a.column]);
                let (x, ay, by, title) = (number(ax), number(ay), number(by), svg::title(&told));
                let _ = write!(out, "<path class=\"stay\" d=\"M{x} {ay}V{by}\">{title}</path>");
                continue;
            }
            let told = format!("from {} to {}", self.nodes[a.column], self.nodes[b.column]);
            let _ = write!(out, "<g>{}{}</g>", svg::title(&told), arrow((ax, ay), (bx, by)));
        }
    }

    fn draw_steps(&self, out: &mut String) {
        let mut absolute = true;
        for row in &self.rows {
            let (x, y) = (self.x(row.column), row.y);
            let when = moment(row.step.at_seconds);
            let _ = write!(out, "<g>{}", svg::title(&format!("{when}, {}", told(row.step))));
            absolute |= row.gap.is_some();
            let time = match (absolute, row.since) {
                (true, _) => when,
                (false, since) if since < 0.000_000_5 => String::new(),
                (false, since) => format!("+{}", duration(since)),
            };
            absolute = false;
            out.push_str(&svg::line("when", GUTTER - 8.0, y + 4.0, "end", &time));
            let (cx, cy) = (number(x), number(y));
            if row.step.faults.is_empty() {
                let _ = write!(out, "<circle class=\"dot\" cx=\"{cx}\" cy=\"{cy}\" r=\"5\"/>");
            } else {
                let _ = write!(out, "<path class=\"struck\" d=\"M{cx} {cy}m0 -8l8 8 -8 8 -8 -8Z\"/>");
            }
            for (index, line) in row.words.iter().enumerate() {
                let class = if index == 0 { "who" } else { "what" };
                out.push_str(&svg::line(class, self.words_x(), y + 4.0 + index as f64 * LINE, "start", line));
            }
            out.push_str("</g>");
        }
    }

    fn end_words(&self) -> Vec<String> {
        let violation = self.violation;
        let place =
            if violation.place.is_empty() { String::new() } else { format!(" at {}", violation.place) };
        let detail =
            if violation.detail.is_empty() { String::new() } else { format!(": {}", violation.detail) };
        wrapped(&escape::visible(&format!("{}{place}{detail}", violation.reason)))
    }

    /// How it ended: a cross where something is missing, two rings where there is too much, else a square.
    fn draw_end(&self, out: &mut String) {
        let words = self.end_words();
        let at = place_node(&self.violation.place);
        let missing = self.nodes.iter().position(|node| *node == at);
        let column = missing.unwrap_or_else(|| self.rows.last().map_or(0, |row| row.column));
        let (x, y) = (number(self.x(column)), number(self.end()));
        let mark = match self.violation.reason.as_str() {
            "lost" | "stuck" | "absent" | "expired" | "discarded" => {
                format!("<path class=\"end\" d=\"M{x} {y}m-8 -8l16 16m0 -16l-16 16\"/>")
            }
            "doubled" => format!(
                "<circle class=\"end\" cx=\"{x}\" cy=\"{y}\" r=\"4\"/><circle class=\"end\" cx=\"{x}\" cy=\"{y}\" r=\"9\"/>"
            ),
            _ => format!("<path class=\"end\" d=\"M{x} {y}m-7 -7h14v14h-14Z\"/>"),
        };
        let _ = write!(out, "<g>{}{mark}", svg::title(&words.join(" ")));
        for (index, line) in words.iter().enumerate() {
            let y = self.end() + 4.0 + index as f64 * LINE;
            out.push_str(&svg::line("ended", self.words_x(), y, "start", line));
        }
        out.push_str("</g>");
    }
}

impl Row<'_> {
    fn bottom(&self) -> f64 {
        self.y + LINE * self.words.len() as f64
    }
}

/// The node of a step, whose process it may name: `orders-api#5`.
fn node_of(step: &Step) -> &str {
    step.node.split('#').next().unwrap_or(&step.node)
}

/// The node of a place: `psp.charge`.
fn place_node(place: &str) -> &str {
    place.split('.').next().unwrap_or(place)
}

fn rows<'a>(story: &'a [Step], nodes: &[&str]) -> Vec<Row<'a>> {
    let long = long_gap(story);
    let mut rows: Vec<Row<'a>> = Vec::new();
    let mut y = HEADER + 20.0;
    for (index, step) in story.iter().enumerate() {
        let since = if index > 0 { step.at_seconds - story[index - 1].at_seconds } else { 0.0 };
        let gap = (since > long).then_some(since);
        if gap.is_some() {
            y += 30.0;
        }
        let column = nodes.iter().position(|node| *node == node_of(step)).unwrap_or(0);
        let mut words = vec![escape::visible(&step.node)];
        words.extend(wrapped(&happened(step)));
        let row = Row { step, column, y, gap, since, words };
        y = row.bottom() + 8.0;
        rows.push(row);
    }
    rows
}

/// From which span on it is told how long nothing happened: half a second, or ten times what is usual.
fn long_gap(story: &[Step]) -> f64 {
    let mut gaps: Vec<f64> = story
        .windows(2)
        .map(|pair| pair[1].at_seconds - pair[0].at_seconds)
        .filter(|gap| *gap > 0.0)
        .collect();
    gaps.sort_by(f64::total_cmp);
    gaps.get(gaps.len() / 2).map_or(0.5, |median| (median * 10.0).max(0.5))
}

fn happened(step: &Step) -> String {
    let faults = match step.faults.as_slice() {
        [] => String::new(),
        faults => format!(" ({})", faults.join(", ")),
    };
    escape::visible(&format!("{}{faults}", step.what))
}

fn told(step: &Step) -> String {
    format!("{}: {}", escape::visible(&step.node), happened(step))
}

fn wrapped(words: &str) -> Vec<String> {
    svg::lines(words, SIZE, WORDS, 4)
}

/// The faults to show: those that the story names, then those whose windows fall into it, the shortest first.
fn shown<'a>(faults: &'a [FaultResult], story: &[Step]) -> Vec<(&'a FaultResult, Vec<[f64; 2]>)> {
    let (first, last) = (story.first(), story.last());
    let (from, to) = (first.map_or(0.0, |step| step.at_seconds), last.map_or(0.0, |step| step.at_seconds));
    let within = |fault: &FaultResult| -> Vec<[f64; 2]> {
        fault.windows.iter().filter(|window| window[0] <= to && window[1] >= from).copied().collect()
    };
    let named = |fault: &FaultResult| story.iter().any(|step| step.faults.contains(&fault.name));
    let length = |fault: &FaultResult| -> f64 {
        within(fault).iter().map(|window| window[1].min(to) - window[0].max(from)).sum()
    };
    let mut all: Vec<&FaultResult> = faults.iter().filter(|fault| !within(fault).is_empty()).collect();
    all.sort_by(|a, b| named(b).cmp(&named(a)).then(length(a).total_cmp(&length(b))));
    all.truncate(STRIPS);
    all.into_iter().map(|fault| (fault, within(fault))).collect()
}

/// The head of a column, in two lines at most, the last just above the column.
fn header(out: &mut String, class: &str, x: f64, room: f64, name: &str) {
    let lines = svg::lines(&escape::visible(name), SIZE, room, 2);
    for (index, line) in lines.iter().enumerate() {
        let y = HEADER - 8.0 - (lines.len() - 1 - index) as f64 * LINE;
        out.push_str(&svg::line(class, x, y, "middle", line));
    }
}

fn arrow(from: (f64, f64), to: (f64, f64)) -> String {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = (dx * dx + dy * dy).sqrt().max(1.0);
    let (ux, uy) = (dx / length, dy / length);
    let (tip_x, tip_y) = (to.0 - ux * 7.0, to.1 - uy * 7.0);
    let (back_x, back_y) = (tip_x - ux * 8.0, tip_y - uy * 8.0);
    let corner = |side: f64| format!("{} {}", number(back_x - uy * side), number(back_y + ux * side));
    format!(
        "<path class=\"go\" d=\"M{} {}L{} {}\"/><path class=\"tip\" d=\"M{} {}L{}L{}Z\"/>",
        number(from.0),
        number(from.1),
        number(back_x),
        number(back_y),
        number(tip_x),
        number(tip_y),
        corner(4.0),
        corner(-4.0)
    )
}
