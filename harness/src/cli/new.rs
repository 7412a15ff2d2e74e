//! `beaufort new`: begin with a copy of a shipped scenario.

use std::path::PathBuf;

use clap::Args;

use super::files::{self, Existing};
use super::{Exit, Terminal};
use crate::scenario::diagnostics::Sources;
use crate::scenario::load::{BadInput, shipped_named};

const EXAMPLES: &str = "\
Examples:
  beaufort new mine.yaml --from order-flow
  beaufort check mine.yaml";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct New {
    /// The file to write; it must not exist
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The shipped scenario to copy; `beaufort list scenarios` names them
    #[arg(long, value_name = "NAME")]
    from: String,
}

impl New {
    pub(super) fn run(&self, terminal: &mut Terminal<'_>) -> Exit {
        let shipped = match shipped_named(&self.from) {
            Ok(shipped) => shipped,
            Err(wrong) => {
                terminal.refuse(&BadInput { sources: Sources::new(), diagnostics: vec![wrong] });
                return Exit::BadInput;
            }
        };
        if let Err(wrong) = files::write(&self.file, shipped.text, Existing::Keep) {
            terminal.say(&format!("error: {wrong}\n"));
            return Exit::BadInput;
        }
        let file = self.file.display();
        terminal.say(&format!("wrote {file}, a copy of {}\nnext: beaufort check {file}\n", shipped.name));
        Exit::Pass
    }
}
