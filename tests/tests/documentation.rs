//! What the documentation lists is what there is.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use beaufort_engines::Engine;
use beaufort_sim::faults::{Action, FaultKind};

const ENGINES: &str = include_str!("../../docs/engines.md");

/// Names every action: one that is new does not compile until it has a name here, and the test fails until
/// the table has it.
macro_rules! actions {
    ($($pattern:pat => $name:literal,)+) => {
        const ACTIONS: &[&str] = &[$($name),+];
        const fn name(action: &Action) -> &'static str {
            match action { $($pattern => $name),+ }
        }
    };
}

actions! {
    Action::Crash(_) => "crash",
    Action::Stop(_) => "stop",
    Action::Pause(_) => "pause",
    Action::Hang(_) => "hang",
    Action::PowerOff(_) => "power-off",
    Action::Blip(..) => "blip",
    Action::Slow(..) => "slow",
    Action::Skew(..) => "skew",
    Action::Jump(..) => "jump",
    Action::Drift(..) => "drift",
    Action::Network(_) => "network",
    Action::Reset(_) => "reset",
    Action::Local(..) => "local",
    Action::Surge => "surge",
}

/// The rows of the table whose first heading is this.
fn rows<'a>(text: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let cells = |line: &'a str| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>();
    let lines = text.lines().skip_while(|line| !line.starts_with(&format!("| {heading} |")));
    lines.skip(2).take_while(|line| line.starts_with('|')).map(cells).collect()
}

#[test]
fn the_table_of_engines_says_who_carries_out_every_action() {
    let rows = rows(ENGINES, "action");
    let named: Vec<&str> = rows.iter().flat_map(|row| row[0].split(", ")).collect();
    for action in ACTIONS {
        assert!(named.contains(action), "docs/engines.md does not say who carries out `{action}`");
    }
    assert_eq!(named.len(), ACTIONS.len(), "{named:?}");
    for row in &rows {
        assert_eq!(row.len(), 2 + Engine::ALL.len(), "{row:?}");
        assert!(row.iter().all(|cell| !cell.is_empty()), "{row:?}");
    }
    assert_eq!(name(&Action::Surge), "surge");
}

#[test]
fn the_table_of_engines_names_every_fault_or_its_layer() {
    let rows = rows(ENGINES, "action");
    let column: String = rows.iter().map(|row| format!("{};", row[1])).collect();
    let layers: Vec<&str> = column
        .split(';')
        .flat_map(|cell| cell.split(", "))
        .map(|word| word.trim().trim_start_matches("layers ").trim_start_matches("layer "))
        .collect();
    for (id, layer, _) in FaultKind::catalogue() {
        let group = format!("`{}.*`", id.split('.').next().unwrap_or_default());
        let named = column.contains(&format!("`{id}`")) || column.contains(&group);
        assert!(named || layers.contains(&layer), "docs/engines.md names neither `{id}` nor layer {layer}");
    }
}

#[test]
fn every_engine_and_its_limit_are_documented() {
    for engine in Engine::ALL {
        assert!(rows(ENGINES, "engine").iter().any(|row| row[0].starts_with(&format!("`{engine}`"))));
    }
    for (engine, most) in [(Engine::Turmoil, "100 processes"), (Engine::Madsim, "1,000 processes")] {
        let limits = ENGINES.split("## Limits").nth(1).expect("there is a section about limits");
        let limits = rows(limits, "engine");
        assert!(limits.iter().any(|row| row[0] == format!("`{engine}`") && row[1] == most), "{limits:?}");
    }
}
