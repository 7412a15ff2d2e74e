//! The command line: one file for each subcommand, the exit codes in one place.
//!
//! Results go to standard output, words for people to standard error.

mod bench;
mod check;
mod files;
mod folder;
mod list;
mod new;
mod outputs;
mod play;
mod prepare;
mod program;
mod progress;
mod report;
mod run;
mod schema;
mod sweep;
pub mod terminal;
mod verdict_lines;

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

pub use program::program;
pub use terminal::Terminal;

pub use crate::verdict::Exit;

const ABOUT: &str = "A wind tunnel for integration architectures";

const LONG_ABOUT: &str = "\
A wind tunnel for integration architectures.

A scenario (YAML) describes a design, the load on it, the faults it must
survive and what must stay true. Beaufort runs it in a deterministic simulated
world and judges: does anything get lost, doubled or reordered, and how long is
the outage?";

const EXAMPLES: &str = "\
Examples:
  beaufort list                          what there is
  beaufort run order-flow                one run of a shipped scenario
  beaufort sweep order-flow --expect     are its mistakes found, all of them?
  beaufort new mine.yaml --from order-flow
                                         begin with a copy of a shipped scenario
  beaufort check mine.yaml               is it right, and are all its variants?";

/// The paragraph about exit codes below every `--help`.
const EXIT_CODES: &str = "\
Exit codes:
    0  pass, or degraded without --strict; done
    1  violated
    2  bad input: arguments, scenario, or an output that cannot be written
    3  inconclusive
    4  nothing selected
    5  degraded, with --strict
   70  internal error: a defect of Beaufort itself
  130  interrupted";

/// The arguments.
#[derive(Debug, Parser)]
#[command(name = "beaufort", version, about = ABOUT, long_about = LONG_ABOUT, max_term_width = 80)]
#[command(arg_required_else_help = false, subcommand_required = true, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what there is: scenarios, services, faults, contracts, objectives
    List(list::List),
    /// Say whether a scenario and all its variants are right, without running them
    Check(check::Check),
    /// Print the JSON Schema of a scenario file, for editors
    Schema(schema::Schema),
    /// Begin a scenario with a copy of a shipped one
    New(new::New),
    /// Run one seed of a scenario and judge it
    Run(run::Run),
    /// Run many seeds, of one design or of all variants, and judge them
    Sweep(sweep::Sweep),
    /// Draw the report of results, without running anything
    Report(report::Report),
    /// Measure how fast this kernel is, side by side with others
    Bench(bench::Bench),
}

impl Command {
    fn run(&self, terminal: &mut Terminal<'_>) -> Exit {
        match self {
            Command::List(command) => command.run(terminal),
            Command::Check(command) => command.run(terminal),
            Command::Schema(command) => command.run(terminal),
            Command::New(command) => command.run(terminal),
            Command::Run(command) => command.run(terminal),
            Command::Sweep(command) => command.run(terminal),
            Command::Report(command) => command.run(terminal),
            Command::Bench(command) => command.run(terminal),
        }
    }
}

/// Runs a command line; the first argument is the name of the program.
pub fn main_with(arguments: impl IntoIterator<Item = OsString>, terminal: &mut Terminal<'_>) -> Exit {
    let command = match parse(arguments, terminal) {
        Ok(command) => command,
        Err(exit) => return exit,
    };
    // A panic is a defect, and the caller has to be able to tell it from a verdict.
    let exit = catch_unwind(AssertUnwindSafe(|| command.run(terminal)))
        .unwrap_or_else(|_| terminal.defect("a panic, see above"));
    let failure = terminal.failure().map(|e| format!("error: cannot write to standard output: {e}\n"));
    if let Some(text) = failure {
        terminal.say(&text);
        return Exit::BadInput;
    }
    exit
}

fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    terminal: &mut Terminal<'_>,
) -> Result<Command, Exit> {
    let help = format!("{EXAMPLES}\n\n{}", EXIT_CODES);
    let command = Arguments::command().after_long_help(help);
    let parsed =
        command.try_get_matches_from(arguments).and_then(|matches| Arguments::from_arg_matches(&matches));
    let error = match parsed {
        Ok(arguments) => return Ok(arguments.command),
        Err(error) => error,
    };
    let text = |colour: bool| {
        let styled = error.render();
        if colour { styled.ansi().to_string() } else { styled.to_string() }
    };
    if error.use_stderr() {
        terminal.say(&text(terminal.colour_err));
        Err(Exit::BadInput)
    } else {
        terminal.result(&text(terminal.colour_out));
        Err(Exit::Pass)
    }
}
