//! What is measured: an engine and a load. A case is run in a process of its own, so that its peak memory is
//! its own and nothing that went before is in its caches.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::bare::{self, Events};
use crate::native::{self, Over};
use crate::relay::Shape;
use crate::{Figure, memory, on_turmoil};

/// What runs the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// This kernel with its books and judges, over datagrams, as the peers do it.
    Native,
    /// The same over connections, as the services of a scenario talk.
    Connections,
    /// This kernel with nobody who looks, over datagrams.
    Alone,
    /// The bare loop with buckets.
    Wheel,
    /// The bare loop with a heap.
    Heap,
    /// nexosim on one thread.
    Nexosim,
    /// madsim.
    Madsim,
    /// turmoil with ticks of 10 ms.
    Turmoil10,
    /// turmoil with ticks of 1 ms.
    Turmoil1,
}

impl Engine {
    /// All of them, in the order of the table.
    pub const ALL: [Engine; 9] = [
        Engine::Native,
        Engine::Connections,
        Engine::Alone,
        Engine::Wheel,
        Engine::Heap,
        Engine::Nexosim,
        Engine::Madsim,
        Engine::Turmoil10,
        Engine::Turmoil1,
    ];

    /// What the table calls it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Engine::Native => "beaufort",
            Engine::Connections => "beaufort, connections",
            Engine::Alone => "beaufort, no judges",
            Engine::Wheel => "bare loop, buckets",
            Engine::Heap => "bare loop, heap",
            Engine::Nexosim => "nexosim, 1 thread",
            Engine::Madsim => "madsim",
            Engine::Turmoil10 => "turmoil, 10 ms tick",
            Engine::Turmoil1 => "turmoil, 1 ms tick",
        }
    }

    /// Why this build does not have it, if it does not.
    #[must_use]
    pub const fn missing(self) -> Option<&'static str> {
        match self {
            Engine::Nexosim if !cfg!(feature = "peers") => {
                Some("not in this build: build with --features peers")
            }
            Engine::Madsim if !cfg!(madsim) => {
                Some(r#"not in this build: build with --config 'build.rustflags=["--cfg","madsim"]'"#)
            }
            _ => None,
        }
    }
}

/// One thing to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Case {
    /// A relay.
    Relay {
        /// On which engine.
        engine: Engine,
        /// Of which size.
        shape: Shape,
    },
    /// A sweep of a shipped scenario.
    Sweep {
        /// So many seeds.
        seeds: u64,
        /// On so many cores.
        jobs: usize,
    },
}

/// What came out, with the peak memory of the process that it ran in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The figures of the run.
    pub figure: Figure,
    /// The peak memory in bytes, where the system says it.
    pub peak: Option<u64>,
}

/// What only the harness can run: it knows the judges and the scenarios.
pub trait Referee {
    /// Runs a relay on this kernel with judges.
    ///
    /// # Errors
    /// In words, if it cannot be run or is not judged to be right.
    fn relay(&self, over: Over, shape: &Shape) -> Result<Figure, String>;

    /// Runs a sweep. `delivered` of its figure is the number of seeds.
    ///
    /// # Errors
    /// In words, if it cannot be run.
    fn sweep(&self, seeds: u64, jobs: usize) -> Result<Figure, String>;
}

impl Case {
    /// Runs it here and now.
    ///
    /// # Errors
    /// In words, if it cannot be run, or if not every message was delivered once.
    pub fn run(&self, referee: &dyn Referee) -> Result<Measured, String> {
        let figure = match self {
            Case::Relay { engine, shape } => relay(*engine, shape, referee)?,
            Case::Sweep { seeds, jobs } => referee.sweep(*seeds, *jobs)?,
        };
        if !figure.whole {
            return Err(format!("not every message was delivered once: {figure:?}"));
        }
        Ok(Measured { figure, peak: memory::peak() })
    }
}

fn relay(engine: Engine, shape: &Shape, referee: &dyn Referee) -> Result<Figure, String> {
    if let Some(missing) = engine.missing() {
        return Err(missing.to_owned());
    }
    match engine {
        Engine::Native => referee.relay(Over::Datagrams, shape),
        Engine::Connections => referee.relay(Over::Connections, shape),
        Engine::Alone => native::run_alone(shape, Over::Datagrams).map_err(|errors| errors[0].to_string()),
        Engine::Wheel => Ok(bare::run(shape, Events::Wheel)),
        Engine::Heap => Ok(bare::run(shape, Events::Heap)),
        Engine::Turmoil10 => on_turmoil::run(shape, Duration::from_millis(10)),
        Engine::Turmoil1 => on_turmoil::run(shape, Duration::from_millis(1)),
        #[cfg(madsim)]
        Engine::Madsim => crate::on_madsim::run(shape),
        #[cfg(feature = "peers")]
        Engine::Nexosim => crate::on_nexosim::run(shape),
        #[allow(unreachable_patterns, reason = "a full build has no engine left")]
        _ => Err("not in this build".to_owned()),
    }
}
