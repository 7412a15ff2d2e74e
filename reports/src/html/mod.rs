//! The report as a page.

use crate::results::Results;

/// A file of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where it goes, relative to the folder of the report, with `/`.
    pub path: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// The files of the report.
///
/// # Errors
/// Only those of the serializers.
pub fn site(all: &[Results]) -> Result<Vec<File>, serde_json::Error> {
    let text = serde_json::to_string(all)?;
    Ok(vec![File { path: "index.html".to_owned(), bytes: text.into_bytes() }])
}
