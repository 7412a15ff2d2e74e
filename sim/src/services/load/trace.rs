//! Arrivals from a CSV file: `at,key`, with a header line.

use std::path::Path;

use serde::Deserialize;

use crate::time::{Span, Time};

/// One arrival: when, and with which key (drawn if none).
pub(super) type Row = (Time, Option<u32>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    at: Span,
    #[serde(default)]
    key: Option<u32>,
}

/// Reads a trace. Rows from the end of the run on are left out.
///
/// # Errors
/// In words for the user, with the line: an unreadable file, an unknown column, a time without a unit or
/// before the previous one, a key that the flow does not have.
pub(super) fn read(file: &Path, begins: Time, ends: Time, keys: u32) -> Result<Vec<Row>, String> {
    let shown = file.display();
    let reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(file);
    let mut reader = reader.map_err(|error| format!("the trace `{shown}` cannot be read: {error}"))?;
    let mut rows: Vec<Row> = Vec::new();
    for (index, line) in reader.deserialize::<Line>().enumerate() {
        let number = index + 2; // after the header
        let line = line.map_err(|error| format!("`{shown}`, line {number}: {error}"))?;
        let at = begins + line.at;
        if rows.last().is_some_and(|(before, _)| *before > at) {
            return Err(format!(
                "`{shown}`, line {number}: {} is before the line above it; sort the file",
                line.at
            ));
        }
        if let Some(key) = line.key.filter(|key| *key >= keys) {
            return Err(format!(
                "`{shown}`, line {number}: key {key}, but the flow has the keys 0 to {}",
                keys.saturating_sub(1)
            ));
        }
        if at < ends {
            rows.push((at, line.key));
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(name: &str, text: &str) -> Result<Vec<Row>, String> {
        let file = std::env::temp_dir().join(format!("beaufort-trace-{}-{name}.csv", std::process::id()));
        std::fs::write(&file, text).unwrap();
        let rows = read(&file, Time(100), Time::ZERO + Span::mins(1), 10);
        std::fs::remove_file(&file).unwrap();
        rows
    }

    #[test]
    fn rows_count_from_the_end_of_the_warm_up_and_stop_at_the_end_of_the_run() {
        let rows = trace("good", "at,key\n0s,3\n1.5s,\n2m,1\n").unwrap();
        assert_eq!(rows, [(Time(100), Some(3)), (Time(1_500_000_100), None)]);
        assert_eq!(trace("keyless", "at\n1s\n").unwrap().len(), 1);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (name, text, part) in [
            ("unit", "at,key\n1s,1\n5,2\n", "line 3"),
            ("order", "at\n2s\n1s\n", "sort the file"),
            ("key", "at,key\n1s,10\n", "keys 0 to 9"),
            ("column", "at,kee\n1s,1\n", "kee"),
        ] {
            let error = trace(name, text).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        assert!(read(Path::new("no/such.csv"), Time(0), Time(1), 1).unwrap_err().contains("no/such.csv"));
    }
}
