//! `beaufort check`: is a scenario right, and are all its variants?

use clap::Args;

use super::{Exit, Terminal};
use crate::scenario::diagnostics::Severity;
use crate::scenario::load::{Loaded, load};
use crate::scenario::resolve::{Checked, check};
use crate::scenario::written_out;

const EXAMPLES: &str = "\
Examples:
  beaufort check mine.yaml
  beaufort check order-flow --resolved   every default, and where it comes from
  beaufort check mine.yaml --set nodes.payments.lock=5s";

/// More messages than these help nobody: the first ones often cause the others.
const MOST: usize = 20;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Check {
    /// A scenario file, or the name of a shipped scenario
    #[arg(value_name = "SCENARIO")]
    scenario: String,
    /// Change a value, as a variant does; may be given several times
    #[arg(long = "set", value_name = "PATH=VALUE")]
    sets: Vec<String>,
    /// Print the scenario with every default written out and its source
    #[arg(long)]
    resolved: bool,
}

impl Check {
    pub(super) fn run(&self, terminal: &mut Terminal<'_>) -> Exit {
        let loaded = match load(&self.scenario, &self.sets) {
            Ok(loaded) => loaded,
            Err(bad) => {
                terminal.refuse(&bad);
                return Exit::BadInput;
            }
        };
        let checked = check(&loaded);
        let errors = checked.diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
        let shown = checked.diagnostics.iter().take(MOST).cloned().collect();
        terminal.refuse(&loaded.refuse(shown));
        if errors > 0 {
            let s = if errors == 1 { "" } else { "s" };
            let more = if errors > MOST { format!(", of which {MOST} are shown") } else { String::new() };
            terminal.say(&format!("{}: {errors} error{s}{more}\n", self.scenario));
            return Exit::BadInput;
        }
        self.accepted(&loaded, &checked, terminal)
    }

    fn accepted(&self, loaded: &Loaded, checked: &Checked, terminal: &mut Terminal<'_>) -> Exit {
        let Some(base) = &checked.base else {
            return terminal.defect("nothing is wrong, and yet there is no world");
        };
        let summary = summary(&loaded.asked, checked);
        if !self.resolved {
            terminal.result(&summary);
            return Exit::Pass;
        }
        terminal.say(&summary);
        match written_out::print(&base.scenario, &base.tree) {
            Ok(text) => {
                terminal.result(&text);
                Exit::Pass
            }
            Err(error) => terminal.defect(&error.to_string()),
        }
    }
}

fn summary(asked: &str, checked: &Checked) -> String {
    let counted = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let (nodes, faults) = match &checked.base {
        Some(base) => (base.scenario.nodes.len(), base.scenario.faults.len()),
        None => (0, 0),
    };
    let mut text = format!(
        "ok: {asked}, {}, {}, {}",
        counted(nodes, "node"),
        counted(faults, "fault"),
        counted(checked.variants, "variant")
    );
    if !checked.refused.is_empty() {
        text.push_str(&format!(" ({} refused, as expected)", checked.refused.join(", ")));
    }
    text.push('\n');
    text
}
