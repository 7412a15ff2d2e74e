//! The report as a page: self-contained, for people who want to see what happened. Every picture and every
//! table is a file of its own too. Drawn from results documents alone; the same documents give the same bytes.

mod build;
mod clean;
mod doc;
pub mod explorer;
mod items;
mod page;
mod plot;
mod table;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

use plotters::drawing::DrawingAreaErrorKind;

use crate::results::Results;
use build::Detail;

/// A file of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where it belongs, relative to the report's folder, with `/`.
    pub path: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// Why a report cannot be drawn. None depends on the document: each would be a defect of Beaufort.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A picture.
    #[error("a plot cannot be drawn: {0}")]
    Plot(String),
    /// A table.
    #[error("a table cannot be written: {0}")]
    Table(String),
    /// A run to step through.
    #[error("a trace cannot be written: {0}")]
    Trace(String),
}

impl From<DrawingAreaErrorKind<std::io::Error>> for Error {
    fn from(error: DrawingAreaErrorKind<std::io::Error>) -> Error {
        Error::Plot(format!("{error:?}"))
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Error {
        Error::Trace(error.to_string())
    }
}

impl From<csv::Error> for Error {
    fn from(error: csv::Error) -> Error {
        Error::Table(error.to_string())
    }
}

/// How many bytes a page may have.
pub const PAGE_BYTES: usize = 2_000_000;

/// Draws the report of one or more documents: `index.html`, `plots/*.svg`, `tables/*.csv`. A page that would be
/// too large has fewer details: first no pictures of their own for narrow screens, then pictures and runs to step
/// through only of documents that do not pass, then nothing to step through, then pictures only as files.
///
/// # Errors
/// Only if Beaufort itself is at fault.
pub fn site(all: &[Results]) -> Result<Vec<File>, Error> {
    let mut files = Vec::new();
    for detail in [Detail::All, Detail::Wide, Detail::Failing, Detail::Still, Detail::Files] {
        files = page::site(all, detail)?;
        if files.first().is_some_and(|page| page.bytes.len() < PAGE_BYTES) {
            break;
        }
    }
    Ok(files)
}
