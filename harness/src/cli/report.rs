//! `beaufort report`: from results documents to the report, without running anything again.

use std::path::PathBuf;

use beaufort_reports::Results;
use clap::Args;

use super::outputs::{Drawn, Pipeline};
use super::{Exit, Terminal};

const EXAMPLES: &str = "\
Examples:
  beaufort run order-flow --output results.json
  beaufort report results.json --out report";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Report {
    /// A results document, or several as JSON Lines, as `--output` writes them
    #[arg(value_name = "RESULTS")]
    results: PathBuf,
    /// The folder to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    pipeline: Pipeline,
}

impl Report {
    pub(super) fn run(&self, terminal: &mut Terminal<'_>) -> Exit {
        let drawn = Drawn::into(self.out.clone(), &self.pipeline);
        if let Err(exit) = drawn.precheck(terminal) {
            return exit;
        }
        let results = match self.read() {
            Ok(results) => results,
            Err(wrong) => {
                terminal.say(&format!("error: {wrong}\n"));
                return Exit::BadInput;
            }
        };
        match drawn.write(&results, terminal) {
            Ok(()) => Exit::Pass,
            Err(exit) => exit,
        }
    }

    fn read(&self) -> Result<Vec<Results>, String> {
        let shown = self.results.display();
        let text = std::fs::read_to_string(&self.results).map_err(|e| format!("cannot read {shown}: {e}"))?;
        if let Ok(one) = Results::from_json(&text) {
            return Ok(vec![one]);
        }
        let lines: Vec<(usize, &str)> =
            text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).collect();
        if lines.iter().all(|(_, line)| line.trim_start().starts_with('{')) && lines.len() > 1 {
            let parsed = lines.into_iter().map(|(number, line)| {
                Results::from_json(line).map_err(|wrong| format!("{shown}, line {}: {wrong}", number + 1))
            });
            return parsed.collect();
        }
        // As one document it is wrong too: that is said.
        Results::from_json(&text).map(|one| vec![one]).map_err(|wrong| format!("{shown}: {wrong}"))
    }
}
