//! Results documents on their way out: to standard output, to a file.

use std::path::Path;

use beaufort_reports::Results;

use super::files::{self, Existing};
use super::{Exit, Terminal};

/// Where documents go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written<'a> {
    /// To standard output.
    pub(super) json: bool,
    /// To a file.
    pub(super) output: Option<&'a Path>,
}

/// Writes one document as JSON, several as JSON Lines: one a line.
///
/// # Errors
/// The exit code, when the reason has been said.
pub(super) fn write(results: &[Results], to: Written<'_>, terminal: &mut Terminal<'_>) -> Result<(), Exit> {
    if !to.json && to.output.is_none() {
        return Ok(());
    }
    let text = match text(results) {
        Ok(text) => text,
        Err(error) => {
            return Err(terminal.defect(&error.to_string()));
        }
    };
    if let Some(path) = to.output
        && let Err(wrong) = files::write(path, &text, Existing::Replace)
    {
        terminal.say(&format!("error: {wrong}\n"));
        return Err(Exit::BadInput);
    }
    if to.json {
        terminal.result(&text);
    }
    Ok(())
}

fn text(results: &[Results]) -> Result<String, serde_json::Error> {
    if let [only] = results {
        return Ok(only.to_json()? + "\n");
    }
    let lines: Result<Vec<String>, _> = results.iter().map(serde_json::to_string).collect();
    Ok(lines?.join("\n") + "\n")
}

/// Whether a file could be written here: better said before an hour of work than after it.
pub(super) fn precheck(output: Option<&Path>, terminal: &mut Terminal<'_>) -> Result<(), Exit> {
    let Some(path) = output else { return Ok(()) };
    match files::writable(path) {
        Ok(()) => Ok(()),
        Err(wrong) => {
            terminal.say(&format!("error: {wrong}\n"));
            Err(Exit::BadInput)
        }
    }
}
