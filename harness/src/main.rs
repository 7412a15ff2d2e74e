//! The command line.

use std::process::ExitCode;

use beaufort_engines::guest::Guests;

fn main() -> ExitCode {
    beaufort_harness::cli::program(Guests::new())
}
