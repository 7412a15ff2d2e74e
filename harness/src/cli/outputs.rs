//! Where results go besides the terminal: the document, the report, the formats of pipelines. The same
//! options for every command that has results.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use beaufort_reports::ci::{self, Host};
use beaufort_reports::text::grouped;
use beaufort_reports::{Results, SeedResult, html};
use beaufort_sim::plan::Plan;
use beaufort_sim::time::Time;
use clap::{Args, ValueEnum};
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
    #[arg(long, conflicts_with = "messages")]
    pub(super) json: bool,
    /// What standard output says while seeds finish: `human` or `json`, a line
    /// for each
    #[arg(
        long = "message-format",
        value_enum,
        value_name = "FORMAT",
        default_value_t,
        id = "messages",
        hide_possible_values = true
    )]
    pub(super) messages: Messages,
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
    /// Keep the way of this item for the report, such as "orders 4711"; may be given several times
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
    #[command(flatten)]
    pipeline: Pipeline,
}

/// The formats that pipelines read.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Pipeline {
    /// Write JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write SARIF, anchored at the lines of the scenario
    #[arg(long, value_name = "FILE")]
    sarif: Option<PathBuf>,
    /// Write a summary in Markdown
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
}

impl Drawn {
    /// Whether anything is to be drawn.
    pub(super) fn any(&self) -> bool {
        self.report.is_some() || self.pipeline.files().next().is_some()
    }

    /// Into that folder, and these files.
    pub(super) fn into(report: PathBuf, pipeline: &Pipeline) -> Drawn {
        Drawn { report: Some(report), pipeline: pipeline.clone() }
    }

    /// Whether all of it could be written: better said before an hour of work than after it.
    pub(super) fn precheck(&self, terminal: &mut Terminal<'_>) -> Result<(), Exit> {
        self.report.iter().try_for_each(|path| said(folder::replaceable(path), terminal))?;
        self.pipeline.files().try_for_each(|path| said(files::writable(path), terminal))
    }

    /// Draws it.
    ///
    /// # Errors
    /// The exit code, when the reason has been said.
    pub(super) fn write(&self, results: &[Results], terminal: &mut Terminal<'_>) -> Result<(), Exit> {
        self.pipeline.write(results, terminal)?;
        if let Some(path) = &self.report {
            let files = html::site(results).map_err(|e| terminal.defect(&e.to_string()))?;
            said(folder::replace(path, &files), terminal)?;
            terminal.say(&format!("Report: {}\n", path.join("index.html").display()));
        }
        Ok(())
    }
}

impl Pipeline {
    fn files(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.junit, &self.sarif, &self.summary].into_iter().flatten()
    }

    fn write(&self, results: &[Results], terminal: &mut Terminal<'_>) -> Result<(), Exit> {
        let file = |path: &Path, text: &str, terminal: &mut Terminal<'_>| {
            said(files::write(path, text, Existing::Replace), terminal)
        };
        if let Some(path) = &self.junit {
            let text = ci::junit(results).map_err(|e| terminal.defect(&e.to_string()))?;
            file(path, &text, terminal)?;
        }
        if let Some(path) = &self.sarif {
            let text = ci::sarif(results).map_err(|e| terminal.defect(&e.to_string()))?;
            file(path, &text, terminal)?;
        }
        if let Some(path) = &self.summary {
            let text = ci::summary(results);
            file(path, &text, terminal)?;
            said(show(path, &text, terminal), terminal)?;
        }
        Ok(())
    }
}

/// Lets the pipeline show a summary, if it runs in one.
fn show(path: &Path, text: &str, terminal: &mut Terminal<'_>) -> Result<(), String> {
    match terminal.pipeline.clone() {
        None => Ok(()),
        Some((Host::Azure, _)) => {
            let whole =
                std::path::absolute(path).map_err(|e| format!("cannot name {}: {e}", path.display()))?;
            terminal.log(&ci::upload_summary(&whole.to_string_lossy()));
            Ok(())
        }
        Some((Host::GitHub, None)) => Ok(()),
        Some((Host::GitHub, Some(page))) => {
            let cannot = |e: std::io::Error| format!("cannot write {}: {e}", page.display());
            let mut file = OpenOptions::new().append(true).create(true).open(&page).map_err(cannot)?;
            file.write_all(text.as_bytes()).map_err(cannot)
        }
    }
}

/// Prints what a pipeline shows at the lines of the scenario, if it runs in one.
pub(super) fn annotate(results: &[Results], terminal: &mut Terminal<'_>) {
    if let Some((host, _)) = terminal.pipeline.clone() {
        ci::annotations(results, host).iter().for_each(|line| terminal.log(line));
    }
}

/// How a command speaks while it works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Messages {
    /// The verdict, for people and scripts.
    #[default]
    Human,
    /// A line of JSON for each seed that finished, and for each design.
    Json,
}

impl Documents {
    /// Whether standard output is for programs.
    pub(super) fn is_structured(&self) -> bool {
        self.json || self.messages == Messages::Json
    }

    /// Says that a design is complete, to a program that listens.
    pub(super) fn complete(&self, results: &Results, terminal: &mut Terminal<'_>) {
        if self.messages == Messages::Json {
            terminal.result(&(ci::verdict_event(results) + "\n"));
        }
    }

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
