//! A whole program of this command line: what the binary is, and what a program is that brings guests of
//! its own.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use beaufort_engines::guest::Guests;
use beaufort_reports::ci;

use super::{Exit, Terminal, main_with};

/// Runs the command line of this process: the whole of `beaufort`, with guests of one's own.
///
/// ```no_run
/// use beaufort_engines::guest::Guests;
///
/// fn main() -> std::process::ExitCode {
///     beaufort_harness::cli::program(Guests::new())
/// }
/// ```
#[must_use]
pub fn program(guests: Guests) -> ExitCode {
    let mut terminal = Terminal::plain(io::stdout(), io::stderr());
    let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    // Its runs can be run again only by itself.
    if !guests.is_empty()
        && let Ok(own) = std::env::current_exe()
        && let Some(name) = own.file_stem()
    {
        terminal.program = name.to_string_lossy().into_owned();
    }
    terminal.guests = guests;
    let env = |name: &str| std::env::var(name).ok();
    terminal.pipeline = ci::host(env).map(|host| (host, env("GITHUB_STEP_SUMMARY").map(PathBuf::from)));
    terminal.watched = io::stderr().is_terminal();
    terminal.colour_err = colours && terminal.watched;
    terminal.colour_out = colours && io::stdout().is_terminal();
    let interrupted = Arc::clone(&terminal.interrupted);
    // Without a handler the signal ends the program at once; that is worse, but no reason to stop.
    let _ = ctrlc::set_handler(move || {
        if interrupted.swap(true, Ordering::Relaxed) {
            // The second time the user does not want to wait for a report.
            std::process::exit(i32::from(Exit::Interrupted.code()));
        }
    });
    ExitCode::from(main_with(std::env::args_os(), &mut terminal).code())
}
