//! Which engines there are, and what each of them cannot do.

use std::fmt;
use std::str::FromStr;

use beaufort_sim::plan::Plan;

/// Turmoil's cost per tick grows with the third power of its hosts: 100 take 1.4 ms of wall clock for each
/// simulated millisecond.
const MOST_ON_TURMOIL: usize = 100;
/// Madsim's cost grows linearly, but each host has sockets and tasks of its own.
const MOST_ON_MADSIM: usize = 1000;

/// What runs a scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Engine {
    /// Beaufort's own kernel: one queue over all processes, exact to the nanosecond.
    #[default]
    Native,
    /// One turmoil host for each process, in ticks of a millisecond.
    Turmoil,
    /// One madsim node for each process.
    Madsim,
}

impl Engine {
    /// All of them.
    pub const ALL: [Engine; 3] = [Engine::Native, Engine::Turmoil, Engine::Madsim];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Engine::Native => "native",
            Engine::Turmoil => "turmoil",
            Engine::Madsim => "madsim",
        }
    }

    /// Whether it can run worlds of this plan.
    ///
    /// # Errors
    /// With the reason, and how to get the engine where it is missing.
    pub fn accepts(self, plan: &Plan) -> Result<(), Refusal> {
        let most = match self {
            Engine::Native => return Ok(()),
            Engine::Turmoil => MOST_ON_TURMOIL,
            Engine::Madsim if cfg!(madsim) => MOST_ON_MADSIM,
            Engine::Madsim => return Err(Refusal::NotBuilt),
        };
        let processes = plan.processes.len();
        if processes > most {
            return Err(Refusal::TooLarge { engine: self, processes, most });
        }
        Ok(())
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Engine {
    type Err = UnknownEngine;

    fn from_str(name: &str) -> Result<Engine, UnknownEngine> {
        let found = Engine::ALL.into_iter().find(|engine| engine.name() == name);
        found.ok_or_else(|| UnknownEngine(name.to_owned()))
    }
}

/// There is no engine of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no engine {0:?}: choose native, turmoil or madsim")]
pub struct UnknownEngine(pub String);

/// Why an engine does not run a scenario.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Madsim's simulator exists only under a setting of the compiler.
    #[error(
        "the engine madsim is not in this build: its simulator is compiled only under `--cfg madsim`. \
         Build with `cargo build --release --config 'build.rustflags=[\"--cfg\",\"madsim\"]'`, and without a \
         RUSTFLAGS variable, which would replace that setting (or add `--cfg madsim` to it)"
    )]
    NotBuilt,
    /// The engine does not stand so many hosts.
    #[error(
        "the scenario has {processes} processes, and {engine} hosts at most {most}: run it with `--engine native`"
    )]
    TooLarge {
        /// Which engine.
        engine: Engine,
        /// How many there are.
        processes: usize,
        /// How many it takes.
        most: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_its_engine_and_an_unknown_one_is_told_what_there_is() {
        for engine in Engine::ALL {
            assert_eq!(engine.to_string().parse(), Ok(engine));
        }
        let unknown = "tokio".parse::<Engine>().expect_err("there is none");
        assert_eq!(unknown.to_string(), "there is no engine \"tokio\": choose native, turmoil or madsim");
    }
}
