//! `beaufort schema`: the JSON Schema of a scenario file.

use clap::Args;

use super::{Exit, Terminal};
use crate::scenario::model::Scenario;
use crate::scenario::schema::flatten;

const EXAMPLES: &str = "\
Examples:
  beaufort schema > scenario.schema.json

An editor with a YAML language server completes and checks a scenario that
begins with this line:
  # yaml-language-server: $schema=scenario.schema.json";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Schema {}

impl Schema {
    pub(super) fn run(&self, terminal: &mut Terminal<'_>) -> Exit {
        let schema = flatten(schemars::schema_for!(Scenario));
        match serde_json::to_string_pretty(&schema) {
            Ok(text) => {
                terminal.result(&(text + "\n"));
                Exit::Pass
            }
            Err(error) => terminal.defect(&error.to_string()),
        }
    }
}
