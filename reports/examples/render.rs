//! Draws a report from results documents: `cargo run -p beaufort-reports --example render -- DIR RESULTS.json…`.

use std::error::Error;
use std::path::Path;

use beaufort_reports::Results;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: render DIR RESULTS.json…")?;
    let mut all = Vec::new();
    for path in arguments {
        all.push(Results::from_json(&std::fs::read_to_string(path)?)?);
    }
    for file in beaufort_reports::html::site(&all)? {
        let path = Path::new(&folder).join(&file.path);
        std::fs::create_dir_all(path.parent().ok_or("a file has a folder")?)?;
        std::fs::write(path, &file.bytes)?;
    }
    Ok(())
}
