//! What `beaufort bench` measures, section by section, and how it is told.

use serde::{Deserialize, Serialize};

use crate::case::{Case, Engine, Measured};
use crate::relay::Shape;

/// What came of one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cell {
    /// It ran.
    Done(Measured),
    /// It was stopped after so many seconds.
    GaveUp(u64),
    /// It cannot run here, or went wrong, for this reason.
    Not(String),
}

impl Cell {
    /// The figures, if it ran.
    #[must_use]
    pub fn measured(&self) -> Option<&Measured> {
        if let Cell::Done(measured) = self { Some(measured) } else { None }
    }

    fn wall(&self) -> Option<f64> {
        self.measured().map(|measured| measured.figure.wall)
    }
}

/// A case with what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What was measured.
    pub case: Case,
    /// What came of it.
    pub cell: Cell,
}

/// The sections of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Section {
    /// The reference relay.
    Relay,
    /// The same over 24 mostly idle hours.
    Day,
    /// The same traffic between more and more nodes.
    Growth,
    /// A sweep on one core and on two.
    Sweep,
    /// Very many messages: memory.
    Memory,
}

impl Section {
    /// All of them, in order.
    pub const ALL: [Section; 5] =
        [Section::Relay, Section::Day, Section::Growth, Section::Sweep, Section::Memory];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Section::Relay => "relay",
            Section::Day => "day",
            Section::Growth => "growth",
            Section::Sweep => "sweep",
            Section::Memory => "memory",
        }
    }
}

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The messages of the reference relay.
    pub relay: u32,
    /// The messages of a relay that grows.
    pub growth: u32,
    /// The same for the peers, which are slower.
    pub growth_peers: u32,
    /// The messages of the section on memory.
    pub memory: u32,
    /// The seeds of the sweep.
    pub seeds: u64,
    /// A row may take so many seconds.
    pub cap: u64,
    /// So often a row is measured where that is cheap; the median counts.
    pub runs: usize,
}

impl Plan {
    /// Everything, as the goals are stated.
    pub const FULL: Plan = Plan {
        relay: 100_000,
        growth: 100_000,
        growth_peers: 10_000,
        memory: 10_000_000,
        seeds: 32,
        cap: 60,
        runs: 3,
    };
    /// A first impression, in well under a minute.
    pub const QUICK: Plan = Plan {
        relay: 20_000,
        growth: 20_000,
        growth_peers: 1_000,
        memory: 200_000,
        seeds: 4,
        cap: 4,
        runs: 1,
    };

    /// The cases of a section.
    #[must_use]
    pub fn cases(&self, section: Section) -> Vec<Case> {
        let relay = |engine, shape| Case::Relay { engine, shape };
        match section {
            Section::Relay => Engine::ALL.map(|engine| relay(engine, Shape::reference(self.relay))).into(),
            Section::Day => Engine::ALL.map(|engine| relay(engine, Shape::idle_day())).into(),
            Section::Growth => GROWING
                .into_iter()
                .flat_map(|engine| {
                    let messages = if is_peer(engine) { self.growth_peers } else { self.growth };
                    SIZES.map(|nodes| relay(engine, Shape::sized(nodes, messages)))
                })
                .collect(),
            Section::Sweep => [1, 2].map(|jobs| Case::Sweep { seeds: self.seeds, jobs }).into(),
            Section::Memory => [Engine::Native, Engine::Connections, Engine::Wheel]
                .map(|engine| relay(engine, Shape::reference(self.memory)))
                .into(),
        }
    }
}

/// The numbers of nodes at which growth is measured.
pub const SIZES: [u32; 5] = [25, 50, 100, 200, 1000];
const GROWING: [Engine; 8] = [
    Engine::Native,
    Engine::Connections,
    Engine::Wheel,
    Engine::Heap,
    Engine::Nexosim,
    Engine::Madsim,
    Engine::Turmoil10,
    Engine::Turmoil1,
];

const fn is_peer(engine: Engine) -> bool {
    matches!(engine, Engine::Nexosim | Engine::Madsim | Engine::Turmoil10 | Engine::Turmoil1)
}

/// Whether a larger size is pointless after this cell: it would not come back either.
#[must_use]
pub const fn ends_growth(cell: &Cell) -> bool {
    !matches!(cell, Cell::Done(_))
}

/// Everything that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// How much was asked for.
    pub plan: Plan,
    /// The rows, by section.
    pub sections: Vec<(Section, Vec<Row>)>,
}

impl Report {
    fn rows(&self, section: Section) -> &[Row] {
        self.sections.iter().find(|(known, _)| *known == section).map_or(&[], |(_, rows)| rows)
    }

    fn wall(&self, section: Section, engine: Engine) -> Option<f64> {
        let meant = |row: &&Row| matches!(row.case, Case::Relay { engine: e, .. } if e == engine);
        self.rows(section).iter().find(meant).and_then(|row| row.cell.wall())
    }

    /// The cost of one packet at each size, in nanoseconds.
    fn growth(&self, engine: Engine) -> Vec<(u32, &Cell)> {
        let of = |row: &'_ Row| match row.case {
            Case::Relay { engine: e, shape } if e == engine => Some(shape.nodes()),
            _ => None,
        };
        self.rows(Section::Growth).iter().filter_map(|row| Some((of(row)?, &row.cell))).collect()
    }

    /// The table and the goals, at most 80 columns wide.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        for (section, rows) in &self.sections {
            match section {
                Section::Relay => {
                    let title = format!("Relay, {} messages", grouped(u64::from(self.plan.relay)));
                    self.rows_text(&title, *section, rows, &mut out);
                }
                Section::Day => {
                    self.rows_text("Relay, 24 mostly idle hours, 5,760 messages", *section, rows, &mut out);
                }
                Section::Growth => self.growth_text(&mut out),
                Section::Sweep => sweep_text(rows, &mut out),
                Section::Memory => {
                    let title = format!("Relay, {} messages", grouped(u64::from(self.plan.memory)));
                    self.rows_text(&title, *section, rows, &mut out);
                }
            }
            out.push('\n');
        }
        out.push_str("Goals\n");
        for goal in self.goals() {
            out.push_str(&format!("  {goal}\n"));
        }
        out
    }

    fn rows_text(&self, title: &str, section: Section, rows: &[Row], out: &mut String) {
        let ours = self.wall(section, Engine::Native);
        out.push_str(&format!("{title}\n"));
        out.push_str(&line("", ["delivered/s", "sim s/s", "wall", "of ours", "peak"]));
        for row in rows {
            let Case::Relay { engine, .. } = row.case else { continue };
            match &row.cell {
                Cell::Done(Measured { figure, peak }) => {
                    let rate = grouped((figure.delivered as f64 / figure.wall) as u64);
                    let pace = grouped((figure.simulated / figure.wall) as u64);
                    let share = ours.map_or(String::new(), |ours| format!("{} x", short(ours / figure.wall)));
                    let peak = peak.map_or(String::new(), |peak| format!("{:.1} MB", peak as f64 / 1e6));
                    out.push_str(&line(engine.title(), [&rate, &pace, &seconds(figure.wall), &share, &peak]));
                }
                Cell::GaveUp(after) => {
                    out.push_str(&format!("  {:<22} gave up after {after} s\n", engine.title()));
                }
                Cell::Not(why) => out.push_str(&not(engine.title(), why)),
            }
        }
    }

    fn growth_text(&self, out: &mut String) {
        out.push_str("The same traffic between more nodes: nanoseconds for a packet\n");
        let sizes = SIZES.map(|nodes| format!("{nodes} nodes"));
        out.push_str(&line("", sizes.each_ref().map(String::as_str)));
        for engine in GROWING {
            let cells = self.growth(engine);
            if let Some((_, Cell::Not(why))) = cells.first() {
                out.push_str(&not(engine.title(), why));
                continue;
            }
            let told = |nodes: u32| match cells.iter().find(|(size, _)| *size == nodes) {
                Some((_, Cell::Done(m))) => grouped((m.figure.wall * 1e9 / m.figure.packets as f64) as u64),
                Some((_, Cell::GaveUp(after))) => format!("> {after} s"),
                Some((_, Cell::Not(_))) => "failed".to_owned(),
                None => "-".to_owned(),
            };
            let told = SIZES.map(told);
            out.push_str(&line(engine.title(), told.each_ref().map(String::as_str)));
        }
    }

    /// The goals, each with what came of it.
    #[must_use]
    pub fn goals(&self) -> Vec<String> {
        let mut goals = Vec::new();
        let relay = |engine| self.wall(Section::Relay, engine);
        let bare = |section| {
            let both = [self.wall(section, Engine::Wheel)?, self.wall(section, Engine::Heap)?];
            Some(both[0].min(both[1]))
        };
        let mut at_least = |what: &str, unit: &str, value: Option<f64>, goal: f64| {
            goals.push(told(what, unit, value, goal, value.is_some_and(|value| value >= goal)));
        };
        let ratio = |a: Option<f64>, b: Option<f64>| Some(a? / b?);
        let native = relay(Engine::Native);
        at_least("relay: at least 0.5 of the bare loop", "", ratio(bare(Section::Relay), native), 0.5);
        for (engine, goal) in [(Engine::Madsim, 6.0), (Engine::Turmoil1, 20.0), (Engine::Nexosim, 3.0)] {
            let what = format!("relay: at least {goal} x {}", engine.title());
            at_least(&what, " x", ratio(relay(engine), native), goal);
        }
        let sweep: Vec<Option<f64>> = self.rows(Section::Sweep).iter().map(|row| row.cell.wall()).collect();
        let faster = sweep.first().zip(sweep.get(1)).and_then(|(one, two)| ratio(*one, *two));
        at_least("sweep: two cores at least 1.9 x one", " x", faster, 1.9);
        let mut at_most = |what: &str, value: Option<f64>, goal: f64| {
            goals.push(told(what, " x", value, goal, value.is_some_and(|value| value <= goal)));
        };
        let day = ratio(self.wall(Section::Day, Engine::Native), bare(Section::Day));
        at_most("24 idle hours: at most 4 x the bare loop", day, 4.0);
        let cost = |nodes: u32| {
            let cells = self.growth(Engine::Native);
            let (_, cell) = cells.into_iter().find(|(size, _)| *size == nodes)?;
            cell.measured().map(|m| m.figure.wall / m.figure.events as f64)
        };
        at_most("25 to 1,000 nodes: cost of an event at most 1.5 x", ratio(cost(1000), cost(25)), 1.5);
        goals
    }
}

fn told(what: &str, unit: &str, value: Option<f64>, goal: f64, met: bool) -> String {
    match value {
        None => format!("not measured   {what}"),
        Some(value) if met => format!("met      {:>6}{unit:<2} {what}", short(value)),
        Some(value) => {
            let missed = format!("{what} (missed by {:.0} %)", (value / goal - 1.0).abs() * 100.0);
            format!("MISSED   {:>6}{unit:<2} {missed}", short(value))
        }
    }
}

fn sweep_text(rows: &[Row], out: &mut String) {
    out.push_str("Sweep of order-flow, five minutes of it, with all judges\n");
    for row in rows {
        let Case::Sweep { seeds, jobs } = row.case else { continue };
        let name = format!("{seeds} seeds, {jobs} core{}", if jobs == 1 { "" } else { "s" });
        match &row.cell {
            Cell::Done(Measured { figure, peak }) => {
                let rate = grouped((figure.events as f64 / figure.wall) as u64);
                let peak = peak.map_or(String::new(), |peak| format!(", {:.1} MB", peak as f64 / 1e6));
                let wall = seconds(figure.wall);
                out.push_str(&format!("  {name:<22} {wall:>10}  {rate} events/s{peak}\n"));
            }
            Cell::GaveUp(after) => out.push_str(&format!("  {name:<22} gave up after {after} s\n")),
            Cell::Not(why) => out.push_str(&not(&name, why)),
        }
    }
}

fn line(title: &str, cells: [&str; 5]) -> String {
    let [a, b, c, d, e] = cells;
    format!("  {title:<22}{a:>12}{b:>11}{c:>11}{d:>11}{e:>11}").trim_end().to_owned() + "\n"
}

/// A line that says why there is none, broken where it gets too long.
fn not(title: &str, why: &str) -> String {
    match why.split_once(": ").filter(|_| why.len() > 54) {
        Some((first, rest)) => format!("  {title:<22} {first}:\n    {rest}\n"),
        None => format!("  {title:<22} {why}\n"),
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn seconds(wall: f64) -> String {
    if wall < 0.1 { format!("{:.1} ms", wall * 1e3) } else { format!("{wall:.2} s") }
}

fn short(value: f64) -> String {
    match value {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v if v >= 0.1 => format!("{v:.2}"),
        v => format!("{v:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Figure;

    fn report(wall: impl Fn(&Case) -> Cell) -> Report {
        let row = |case: Case| Row { case, cell: wall(&case) };
        let section = |s: Section| (s, Plan::FULL.cases(s).into_iter().map(row).collect());
        Report { plan: Plan::FULL, sections: Section::ALL.map(section).into() }
    }

    fn took(wall: f64) -> Cell {
        let figure = Figure {
            delivered: 100_000,
            whole: true,
            packets: 400_000,
            events: 500_000,
            simulated: 86_400.0,
            wall,
            digest: None,
        };
        Cell::Done(Measured { figure, peak: Some(8_000_000) })
    }

    #[test]
    fn the_table_fits_80_columns_whatever_came_of_the_rows() {
        let why = "not in this build: build with --config 'build.rustflags=[\"--cfg\",\"madsim\"]'";
        for cell in [took(0.05), took(1234.5), Cell::GaveUp(60), Cell::Not(why.to_owned())] {
            let text = report(|_| cell.clone()).text();
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        }
    }

    #[test]
    fn goals_say_by_how_much_they_are_missed() {
        let goals = report(|case| match case {
            Case::Relay { engine: Engine::Native, .. } => took(1.0),
            Case::Relay { engine: Engine::Wheel | Engine::Heap, .. } => took(0.25),
            Case::Relay { engine: Engine::Madsim, .. } => took(9.0),
            Case::Relay { .. } => Cell::GaveUp(60),
            Case::Sweep { jobs, .. } => took(2.0 / *jobs as f64),
        })
        .goals();
        assert!(
            goals[0].starts_with("MISSED     0.25") && goals[0].ends_with("(missed by 50 %)"),
            "{goals:?}"
        );
        assert!(goals[1].starts_with("met        9.00 x"), "{goals:?}");
        assert!(goals[2].starts_with("not measured"), "{goals:?}");
        assert!(
            goals[4].starts_with("met        2.00 x relay") || goals[4].contains("two cores"),
            "{goals:?}"
        );
    }
}
