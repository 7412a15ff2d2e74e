//! `beaufort bench`: how fast this kernel is, side by side with others. Every case runs in a child of the
//! same executable, so that its peak memory is its own, and one that takes too long is stopped.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::time::Duration;

use beaufort_bench::Figure;
use beaufort_bench::case::{Case, Measured, Referee};
use beaufort_bench::native::{self, EFFECT, FLOW, Over, QUEUE};
use beaufort_bench::suite::{Cell, Plan, Report, Row, Section, ends_growth};
use beaufort_bench::{Shape, Stopwatch};
use beaufort_reports::Verdict;
use beaufort_sim::units::OneOrMany;
use clap::Args;
use indexmap::IndexMap;

use super::{Exit, Terminal};
use crate::judges::config::{AtLeastOnce, Contract};
use crate::judges::{End, Judges, Rules};
use crate::scenario::load::load;
use crate::sweep::{Plural, sweep};

const EXAMPLES: &str = "\
Examples:
  beaufort bench --quick         a first impression, in a minute or two
  beaufort bench                 everything, as the goals are stated
  beaufort bench --only relay    one section: relay, day, growth, sweep, memory
  beaufort bench --json          the figures for a program";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Bench {
    /// Fewer messages, each row once and for a few seconds at most
    #[arg(long)]
    quick: bool,
    /// Only this section or engine: a part of its name
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
    /// Run this case in this process and print what came of it
    #[arg(long, hide = true, value_name = "CASE")]
    case: Option<String>,
}

impl Bench {
    pub(super) fn run(&self, terminal: &mut Terminal<'_>) -> Exit {
        if let Some(case) = &self.case {
            return child(case, terminal);
        }
        let plan = if self.quick { Plan::QUICK } else { Plan::FULL };
        let mut sections = Vec::new();
        for section in Section::ALL {
            let cases: Vec<Case> =
                plan.cases(section).into_iter().filter(|c| self.wants(section, c)).collect();
            if cases.is_empty() {
                continue;
            }
            match measure_all(&plan, section, &cases, terminal) {
                Ok(rows) => sections.push((section, rows)),
                Err(exit) => return exit,
            }
        }
        if sections.is_empty() {
            let only = self.only.as_deref().unwrap_or_default();
            terminal.say(&format!("error: nothing of `{only}` is measured; see `beaufort bench --help`\n"));
            return Exit::NothingSelected;
        }
        let report = Report { plan, sections };
        let text = if self.json {
            serde_json::to_string_pretty(&report).map(|text| text + "\n").unwrap_or_default()
        } else {
            report.text()
        };
        terminal.result(&text);
        Exit::Pass
    }

    fn wants(&self, section: Section, case: &Case) -> bool {
        let Some(only) = &self.only else { return true };
        let engine =
            |case: &Case| matches!(case, Case::Relay { engine, .. } if engine.title().contains(only));
        section.name() == only || engine(case)
    }
}

/// Measures the cases of a section round by round, so that what else the machine does falls on all of them
/// alike, and takes the median of each.
fn measure_all(
    plan: &Plan,
    section: Section,
    cases: &[Case],
    terminal: &mut Terminal<'_>,
) -> Result<Vec<Row>, Exit> {
    let mut measured: Vec<(Case, Vec<Cell>)> = Vec::new();
    for case in cases {
        let smaller = measured.iter().rev().find(|(known, _)| is_same_engine(known, case));
        let hopeless = smaller.and_then(|(_, cells)| cells.last()).is_some_and(ends_growth);
        if section == Section::Growth && hopeless {
            continue;
        }
        if terminal.watched {
            terminal.say(&format!("{}: {case:?}\n", section.name()));
        }
        measured.push((*case, vec![spawn(case, plan.cap)]));
        if terminal.is_interrupted() {
            return Err(Exit::Interrupted);
        }
    }
    for round in 1..plan.runs {
        if terminal.watched {
            terminal.say(&format!("{}: round {} of {}\n", section.name(), round + 1, plan.runs));
        }
        for (case, cells) in measured.iter_mut().filter(|(_, cells)| cells.last().is_some_and(is_cheap)) {
            cells.push(spawn(case, plan.cap));
            if terminal.is_interrupted() {
                return Err(Exit::Interrupted);
            }
        }
    }
    Ok(measured.into_iter().map(|(case, cells)| Row { case, cell: median(cells) }).collect())
}

fn is_same_engine(a: &Case, b: &Case) -> bool {
    matches!((a, b), (Case::Relay { engine: a, .. }, Case::Relay { engine: b, .. }) if a == b)
}

/// Whether a case may be measured again: it ran, and for a few seconds only.
fn is_cheap(cell: &Cell) -> bool {
    cell.measured().is_some_and(|measured| measured.figure.wall < 5.0)
}

fn median(mut cells: Vec<Cell>) -> Cell {
    let wall = |cell: &Cell| cell.measured().map_or(f64::MAX, |measured| measured.figure.wall);
    cells.sort_by(|a, b| wall(a).total_cmp(&wall(b)));
    let middle = cells.len() / 2;
    cells.swap_remove(middle)
}

/// Runs a case in a process of its own, for so many seconds at most.
fn spawn(case: &Case, cap: u64) -> Cell {
    let start = || -> Result<Child, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let case = serde_json::to_string(case).map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.args(["bench", "--case", &case]).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|error| error.to_string())
    };
    let mut child = match start() {
        Ok(child) => child,
        Err(why) => return Cell::Not(why),
    };
    let (said, hears) = mpsc::channel();
    let (out, err) = (child.stdout.take(), child.stderr.take());
    std::thread::spawn(move || {
        let mut text = [String::new(), String::new()];
        // What cannot be read is no result; the reason is then the exit.
        let _ = out.map(|mut out| out.read_to_string(&mut text[0]));
        let _ = err.map(|mut err| err.read_to_string(&mut text[1]));
        let _ = said.send(text);
    });
    let heard = hears.recv_timeout(Duration::from_secs(cap));
    if heard.is_err() {
        let _ = child.kill();
    }
    let _ = child.wait();
    let Ok([out, err]) = heard else { return Cell::GaveUp(cap) };
    let last = |text: &str| text.lines().last().unwrap_or("it said nothing").to_owned();
    match serde_json::from_str::<Result<Measured, String>>(&out) {
        Ok(Ok(measured)) => Cell::Done(measured),
        Ok(Err(why)) => Cell::Not(why),
        Err(_) => Cell::Not(last(&err)),
    }
}

/// The other side of [`spawn`].
fn child(case: &str, terminal: &mut Terminal<'_>) -> Exit {
    let case: Case = match serde_json::from_str(case) {
        Ok(case) => case,
        Err(error) => {
            terminal.say(&format!("error: `{case}` is no case: {error}\n"));
            return Exit::BadInput;
        }
    };
    let result = case.run(&Judged);
    terminal.result(&serde_json::to_string(&result).unwrap_or_default());
    Exit::Pass
}

/// Runs the relay on this kernel with all judges, who must find it right, and sweeps.
struct Judged;

impl Referee for Judged {
    fn relay(&self, over: Over, shape: &Shape) -> Result<Figure, String> {
        let watch = Stopwatch::start();
        let words = |errors: Vec<beaufort_sim::plan::PlanError>| {
            errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        let plan = Arc::new(native::plan(shape).map_err(words)?);
        let promise = AtLeastOnce {
            target: FLOW.to_owned(),
            accepted_at: QUEUE.to_owned(),
            effect_at: OneOrMany::One(EFFECT.to_owned()),
            or_parked_in: None,
            latest_per: None,
        };
        let contracts = IndexMap::from([("relay".to_owned(), Contract::ExactlyOnce(promise))]);
        let rules = Arc::new(Rules::resolve(&plan, &contracts, &IndexMap::new()).map_err(words)?);
        let mut judges = Judges::new(&plan, &rules);
        let mut world = native::world(&plan, shape, over).map_err(words)?;
        let tally = native::drive(&mut world, &mut judges);
        let end = End {
            at: world.now().max(plan.ends()),
            quiescent: true,
            pending: world.pending_work(),
            next: None,
            links: Some(world.links()),
            faults: world.fault_counts().map(|count| [count.armed, count.fired]).collect(),
        };
        let result = judges.finish(&end, |out| world.inventory(out));
        if result.verdict != Verdict::Pass {
            return Err(format!("the judges say {:?}: {}", result.verdict, result.cause));
        }
        Ok(native::figure(&world, shape, tally, &watch))
    }

    fn sweep(&self, seeds: u64, jobs: usize) -> Result<Figure, String> {
        let sets = [
            "time.warmup=0s",
            "time.run=5m",
            "time.drain=30m",
            "faults.zone-lost=null",
            "faults.bus-throttled=null",
            "faults.psp-slow=null",
            "objectives.zone-recovery=null",
            "objectives.backlog=null",
        ];
        let sets = sets.map(str::to_owned);
        let refused = || "the shipped scenario cannot be read".to_owned();
        let loaded = load("order-flow", &sets).map_err(|_| refused())?;
        let resolved = loaded.resolve(None).map_err(|_| refused())?;
        let cancel = Arc::new(AtomicBool::new(false));
        let how = Plural { seeds: 0..seeds, jobs, ..Plural::new(&cancel) };
        let watch = Stopwatch::start();
        let results = sweep(&resolved.plan, &resolved.rules, &how).map_err(|error| error.to_string())?;
        Ok(Figure {
            delivered: results.len() as u64,
            whole: results.len() as u64 == seeds,
            events: results.iter().map(|result| result.events).sum(),
            wall: watch.seconds(),
            ..Figure::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_judges_find_the_relay_right() {
        for over in [Over::Datagrams, Over::Connections] {
            let shape = Shape::reference(2_000);
            let judged = Judged.relay(over, &shape).expect("passes");
            assert!(judged.whole);
            let alone = native::run_alone(&shape, over).expect("runs");
            assert_eq!(judged.digest, alone.digest, "judges change nothing");
        }
    }
}
