//! Where results go besides the terminal: the document, the report, the formats of pipelines. The same
//! options for every command that has results.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use beaufort_reports::text::grouped;
use beaufort_reports::{Results, SeedResult};
use beaufort_sim::plan::Plan;
use beaufort_sim::time::Time;
use clap::Args;
use parquet::errors::ParquetError;

use super::files::{self, Existing};
use super::{Exit, Terminal, folder};
use crate::recorders::named_items;
use crate::recorders::rows::Rows;
use crate::run::{Options, RunError, replay};

/// The document.
#[derive(Debug, Default, Args)]
pub(super) struct Documents {
    /// Print the results document instead of the verdict
    #[arg(long)]
    pub(super) json: bool,
    /// Write the results document to a file as well
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// What is recorded of a single run.
#[derive(Debug, Default, Args)]
pub(super) struct Recorded {
    /// Write every observation as a row of a Parquet file
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Keep the way of this item for the report, such as \"orders 4711\"; may be given several times
    #[arg(long = "item", value_name = "ITEM")]
    items: Vec<String>,
}

impl Recorded {
    /// As [`Drawn::precheck`].
    pub(super) fn precheck(&self, terminal: &mut Terminal<'_>) -> Result<(), Exit> {
        self.trace.iter().try_for_each(|path| said(files::writable(path), terminal))
    }

    /// The items that are to be kept.
    ///
    /// # Errors
    /// The exit code, when it has been said which name is wrong and what would be right.
    pub(super) fn items(&self, plan: &Plan, terminal: &mut Terminal<'_>) -> Result<Vec<u64>, Exit> {
        let found: Result<Vec<Vec<u64>>, String> =
            self.items.iter().map(|name| named_items(plan, name)).collect();
        match found {
            Ok(found) => Ok(found.concat()),
            Err(wrong) => said(Err(wrong), terminal).map(|()| Vec::new()),
        }
    }

    /// Runs the seed again, up to its end, and writes all that is observed.
    ///
    /// # Errors
    /// The exit code, when the reason has been said.
    pub(super) fn write(
        &self,
        plan: &Arc<Plan>,
        result: &SeedResult,
        options: &Options<'_>,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), Exit> {
        let Some(path) = &self.trace else { return Ok(()) };
        let until = Time((result.simulated_seconds * 1e9).round() as u64);
        let cannot = |why: &dyn std::fmt::Display| Err(format!("cannot write {}: {why}", path.display()));
        let file = match files::Draft::beside(path) {
            Ok(file) => file,
            Err(wrong) => return said(Err(wrong), terminal),
        };
        let rows = match file.handle().map_err(ParquetError::from).and_then(|to| Rows::new(plan, to)) {
            Ok(rows) => rows,
            Err(error) => return said(cannot(&error), terminal),
        };
        let (_, rows) = match replay(plan, result.seed, until, options, rows) {
            Ok(done) => done,
            Err(RunError::Cancelled) => return Err(Exit::Interrupted),
            Err(error) => return Err(terminal.defect(&error.to_string())),
        };
        let count = match rows.finish() {
            Ok(count) => count,
            Err(error) => return said(cannot(&error), terminal),
        };
        said(file.publish(path), terminal)?;
        terminal.say(&format!("Trace: {} ({} rows)\n", path.display(), grouped(count)));
        Ok(())
    }
}

/// What is drawn from it.
#[derive(Debug, Default, Args)]
pub(super) struct Drawn {
    /// Write the report to a folder: index.html, every plot, every table
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
}

impl Drawn {
    /// Whether anything is to be drawn.
    pub(super) fn any(&self) -> bool {
        self.report.is_some()
    }

    /// Into that folder, nothing else.
    pub(super) fn into(report: PathBuf) -> Drawn {
        Drawn { report: Some(report) }
    }

    /// Whether all of it could be written: better said before an hour of work than after it.
    pub(super) fn precheck(&self, terminal: &mut Terminal<'_>) -> Result<(), Exit> {
        self.report.iter().try_for_each(|path| said(folder::replaceable(path), terminal))
    }

    /// Draws it.
    ///
    /// # Errors
    /// The exit code, when the reason has been said.
    pub(super) fn write(&self, results: &[Results], terminal: &mut Terminal<'_>) -> Result<(), Exit> {
        if let Some(path) = &self.report {
            self.site(path, results, terminal)?;
        }
        Ok(())
    }

    fn site(&self, path: &Path, results: &[Results], terminal: &mut Terminal<'_>) -> Result<(), Exit> {
        let files = beaufort_reports::html::site(results).map_err(|e| terminal.defect(&e.to_string()))?;
        said(folder::replace(path, &files), terminal)?;
        terminal.say(&format!("Report: {}\n", path.join("index.html").display()));
        Ok(())
    }
}

impl Documents {
    /// Whether a document is asked for.
    pub(super) fn any(&self) -> bool {
        self.json || self.output.is_some()
    }

    /// As [`Drawn::precheck`].
    pub(super) fn precheck(&self, terminal: &mut Terminal<'_>) -> Result<(), Exit> {
        self.output.iter().try_for_each(|path| said(files::writable(path), terminal))
    }

    /// Writes the documents: one as a document, several as lines.
    ///
    /// # Errors
    /// The exit code, when the reason has been said.
    pub(super) fn write(&self, results: &[Results], terminal: &mut Terminal<'_>) -> Result<(), Exit> {
        if !self.any() {
            return Ok(());
        }
        let text = text(results).map_err(|error| terminal.defect(&error.to_string()))?;
        if let Some(path) = &self.output {
            said(files::write(path, &text, Existing::Replace), terminal)?;
        }
        if self.json {
            terminal.result(&text);
        }
        Ok(())
    }
}

/// One document as a whole, several as JSON Lines.
pub(super) fn text(results: &[Results]) -> Result<String, serde_json::Error> {
    if let [only] = results {
        return Ok(only.to_json()? + "\n");
    }
    let lines: Result<Vec<String>, _> = results.iter().map(serde_json::to_string).collect();
    Ok(lines?.join("\n") + "\n")
}

fn said(done: Result<(), String>, terminal: &mut Terminal<'_>) -> Result<(), Exit> {
    done.map_err(|wrong| {
        terminal.say(&format!("error: {wrong}\n"));
        Exit::BadInput
    })
}
