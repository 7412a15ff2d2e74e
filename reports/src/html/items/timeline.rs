//! Faults and health, side by side in time: what was done to the design, and who was not well.

use maud::html;

use super::Panel;
use crate::html::Error;
use crate::html::build::Build;
use crate::html::doc::Doc;
use crate::html::plot::{Axis, Ink, Layer, Plot, Unit};
use crate::html::table::{self, Cell, Table, Tone};
use crate::results::{FaultResult, SeedResult};
use crate::series::{HealthLane, LaneKind, Series};
use crate::words::{counted, grouped, instant};

/// So many lanes are drawn one by one; of more, those about one node are drawn as one.
const LANES: usize = 32;
/// So many rows are drawn at most.
const ROWS: usize = 44;

/// States, in the order of their inks, with the words that a document has for them.
const STATES: [(&str, &[&str]); 6] = [
    ("down", &["stopped", "crashed", "power-lost"]),
    ("paused", &["paused"]),
    ("unready", &["unready"]),
    ("breaker open", &["open"]),
    ("breaker half open", &["half-open"]),
    ("acting", &["acting"]),
];

pub(super) fn panel(build: &mut Build, doc: &Doc<'_>) -> Result<Panel, Error> {
    let Some(seed) = doc.focus else { return Ok(Panel::Absent("no seed has finished".to_owned())) };
    if seed.faults.is_empty() && doc.series.is_none_or(|series| series.lanes.is_empty()) {
        return Ok(Panel::Absent("there were no faults, and nobody was ever unwell".to_owned()));
    }
    let mut parts = Vec::new();
    if let Some(series) = doc.series {
        let (lanes, merged) = bounded(&series.lanes);
        let plot = plot(doc, series, seed, &lanes);
        let rows = plot.rows.len();
        parts.push(build.figure(&plot, &spans(seed, &series.lanes))?);
        let all = seed.faults.iter().filter(|fault| !fault.windows.is_empty()).count() + lanes.len();
        for note in notes(series, merged, all.saturating_sub(rows)) {
            parts.push(html! { p.note { (note) } });
        }
    }
    if !seed.faults.is_empty() {
        parts.push(build.table(&faults(doc, seed))?);
    }
    Ok(Panel::Shown(html! { @for part in parts { (part) } }))
}

/// Lanes as they are, or those about one node and of one kind as one.
fn bounded(lanes: &[HealthLane]) -> (Vec<HealthLane>, bool) {
    if lanes.len() <= LANES {
        return (lanes.to_vec(), false);
    }
    let mut merged: Vec<(HealthLane, usize)> = Vec::new();
    for lane in lanes {
        match merged.iter_mut().find(|(other, _)| other.node == lane.node && other.kind == lane.kind) {
            Some((other, count)) => {
                other.spans.extend(lane.spans.iter().cloned());
                *count += 1;
            }
            None => merged.push((lane.clone(), 1)),
        }
    }
    let named = merged.into_iter().map(|(lane, count)| {
        let name = match lane.kind {
            LaneKind::Process | LaneKind::Action => format!("{}, any of {count}", lane.node),
            LaneKind::Readiness => format!("{}, any of {count} beliefs", lane.node),
            LaneKind::Breaker => format!("{}, any of {count} breakers", lane.node),
        };
        HealthLane { name: if count > 1 { name } else { lane.name.clone() }, ..lane }
    });
    (named.collect(), true)
}

fn notes(series: &Series, merged: bool, left_out: usize) -> Vec<String> {
    let more: u64 = series.lanes.iter().map(|lane| lane.more).sum();
    let mut notes = Vec::new();
    if merged {
        notes.push(
            "There are many processes: those of one node share a lane. Single ones are in the CSV file."
                .to_owned(),
        );
    }
    if left_out > 0 {
        notes.push(format!("{} are in the CSV file only.", counted(left_out as u64, "more lane")));
    }
    if more > 0 {
        notes.push(format!("{} beyond the bound of the document are not shown.", counted(more, "span")));
    }
    notes
}

fn plot(doc: &Doc<'_>, series: &Series, seed: &SeedResult, lanes: &[HealthLane]) -> Plot {
    let mut rows = Vec::new();
    let mut active = Vec::new();
    for fault in seed.faults.iter().filter(|fault| !fault.windows.is_empty()) {
        if rows.len() < ROWS / 2 {
            active
                .extend(fault.windows.iter().map(|[from, to]| (rows.len(), *from, *to, fault.fault.clone())));
            rows.push(fault.name.clone());
        }
    }
    let mut of_state: Vec<Vec<(usize, f64, f64, String)>> = vec![Vec::new(); STATES.len()];
    for lane in lanes {
        if rows.len() >= ROWS {
            break;
        }
        for span in &lane.spans {
            let known = STATES.iter().position(|(_, words)| words.contains(&span.state.as_str()));
            of_state[known.unwrap_or(0)].push((rows.len(), span.from, span.to, String::new()));
        }
        rows.push(lane.name.clone());
    }
    let mut layers = vec![Layer::Bars { label: "fault active".into(), ink: Ink::Fault, spans: active }];
    for ((spans, (label, _)), ink) in of_state.into_iter().zip(STATES).zip(0..) {
        if !spans.is_empty() {
            layers.push(Layer::Bars { label: label.into(), ink: Ink::Area(ink), spans });
        }
    }
    Plot {
        name: "timeline".into(),
        title: format!("Faults and health{}", doc.of_seed()),
        desc: desc(seed),
        x: Axis::time(series.start, series.end()),
        y: Axis::linear("", Unit::Number, 0.0, 1.0),
        rows,
        layers,
        ..Plot::default()
    }
}

fn desc(seed: &SeedResult) -> String {
    let timed = seed.faults.iter().filter(|fault| !fault.random);
    let told = timed.filter_map(|fault| {
        let [from, to] = fault.windows.first()?;
        Some(format!("{} from {} to {}", fault.name, instant(*from), instant(*to)))
    });
    let told: Vec<String> = told.take(8).collect();
    if told.is_empty() {
        "A lane for each fault and for everybody who was not well.".to_owned()
    } else {
        format!("{}.", told.join("; "))
    }
}

/// Every span as a file.
fn spans(seed: &SeedResult, lanes: &[HealthLane]) -> Table {
    let columns = vec![
        table::words("Lane", "lane"),
        table::words("Node", "node"),
        table::words("Kind", "kind"),
        table::words("State", "state"),
        table::numbers("From", "from_s"),
        table::numbers("To", "to_s"),
    ];
    let row = |name: &str, node: &str, kind: &str, state: &str, from: f64, to: f64| -> Vec<Cell> {
        vec![
            table::text(name),
            table::text(node),
            table::text(kind),
            table::text(state),
            table::instant(Some(from)),
            table::instant(Some(to)),
        ]
    };
    let faults = seed.faults.iter().flat_map(|fault| {
        fault
            .windows
            .iter()
            .map(move |[from, to]| row(&fault.name, &fault.target, "fault", &fault.fault, *from, *to))
    });
    let kind = |kind: LaneKind| match kind {
        LaneKind::Process => "process",
        LaneKind::Readiness => "readiness",
        LaneKind::Breaker => "breaker",
        LaneKind::Action => "action",
    };
    let health = lanes.iter().flat_map(|lane| {
        lane.spans
            .iter()
            .map(move |span| row(&lane.name, &lane.node, kind(lane.kind), &span.state, span.from, span.to))
    });
    Table::new("timeline", "Faults and health", columns).rows(faults.chain(health))
}

fn faults(doc: &Doc<'_>, seed: &SeedResult) -> Table {
    let columns = vec![
        table::words("Fault", "fault"),
        table::words("What", "what"),
        table::words("Strikes", "strikes"),
        table::words("Active", "active"),
        table::numbers("Fired", "fired"),
        table::numbers("Felt", "felt"),
        table::numbers("Felt on seeds", "felt_on_seeds"),
        table::numbers("Detected after", "detected_after_s"),
    ];
    let seeds = &doc.results.seeds;
    let rows = seed.faults.iter().enumerate().map(|(index, fault)| {
        let on =
            seeds.iter().filter(|seed| seed.faults.get(index).is_some_and(|fault| fault.felt > 0)).count();
        let tone = match (on, fault.random) {
            (0, false) => Tone::Odd,
            (0, true) => Tone::Faint,
            _ => Tone::Plain,
        };
        vec![
            table::text(&fault.name).to(doc.line("faults", &fault.name)),
            table::text(&fault.fault),
            table::text(&fault.target),
            table::text(active(fault)),
            table::count(fault.fired),
            table::count(fault.felt),
            table::value(on as f64, format!("{} of {}", grouped(on as u64), grouped(seeds.len() as u64)))
                .tone(tone),
            table::span(fault.detected_after),
        ]
    });
    Table::new("faults", format!("Faults{}", doc.of_seed()), columns).rows(rows)
}

/// When a fault was active, in words.
fn active(fault: &FaultResult) -> String {
    let Some([from, to]) = fault.windows.first() else {
        return if fault.fired > 0 { "at times that were not kept" } else { "never" }.to_owned();
    };
    let times = match fault.windows.len() as u64 - 1 + fault.more_windows {
        0 => String::new(),
        more => format!(", and {} more", counted(more, "time")),
    };
    format!("{} to {}{times}", instant(*from), instant(*to))
}
