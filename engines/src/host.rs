//! Runs one world on an engine: on a thread of its own, under a watchdog. An engine of tasks can live-lock
//! (a task that never yields keeps simulated time from moving), and nothing inside it can stop that.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use beaufort_sim::kernel::World;
use beaufort_sim::time::Time;

use crate::center::{Center, Referee, Shared, Station};
use crate::engine::{Engine, Refusal};
use crate::guest::Guests;
use crate::lateness::Lateness;

/// How often the watchdog looks.
const LOOK: Duration = Duration::from_millis(20);

/// Under which conditions a world is hosted.
#[derive(Clone, Copy, Debug)]
pub struct Conditions<'a> {
    /// So long, in wall-clock time, simulated time may stand still before the run is given up. Default: 60 s.
    pub patience: Duration,
    /// Turmoil's tick. Default: 1 ms, the least that it can. A longer one is faster and less punctual.
    pub tick: Duration,
    /// The programs that may take a node's place. Default: none.
    pub guests: Option<&'a Guests>,
    /// Set from outside to stop early.
    pub cancel: Option<&'a AtomicBool>,
}

impl Default for Conditions<'_> {
    fn default() -> Self {
        Conditions {
            patience: Duration::from_secs(60),
            tick: Duration::from_millis(1),
            guests: None,
            cancel: None,
        }
    }
}

/// What is left of a hosted run.
#[derive(Debug)]
pub struct Hosted<R> {
    /// The world at its end.
    pub world: World,
    /// Who watched it.
    pub referee: R,
    /// How late its inputs were.
    pub lateness: Lateness,
}

/// Why a hosted run has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// The engine cannot run it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Simulated time stood still.
    #[error(
        "{engine} is live-locked: simulated time has stood at {at:.3} s for {} s of wall clock while {host} \
         ran; a task there does not yield",
        patience.as_secs()
    )]
    Stuck {
        /// Which engine.
        engine: Engine,
        /// Which host ran.
        host: String,
        /// How far it had come.
        at: Stamp,
        /// How long it was waited for.
        patience: Duration,
    },
    /// A host or the engine failed.
    #[error("{engine} failed at {at:.3} s while {host} ran: {message}")]
    Failed {
        /// Which engine.
        engine: Engine,
        /// Which host ran.
        host: String,
        /// How far it had come.
        at: Stamp,
        /// What it said.
        message: String,
    },
    /// It was stopped from outside.
    #[error("interrupted")]
    Cancelled,
}

/// A simulated instant, in words of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp(pub Time);

impl std::fmt::Display for Stamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.0.as_secs_f64(), f)
    }
}

/// What a run shows of itself while it goes on.
#[derive(Clone, Debug)]
pub(crate) struct Pulse(Arc<Signs>);

#[derive(Debug)]
struct Signs {
    now: AtomicU64,
    running: AtomicUsize,
    stop: AtomicBool,
    failed: Mutex<Option<String>>,
}

impl Pulse {
    fn new() -> Pulse {
        Pulse(Arc::new(Signs {
            now: AtomicU64::new(0),
            running: AtomicUsize::new(usize::MAX),
            stop: AtomicBool::new(false),
            failed: Mutex::new(None),
        }))
    }

    /// A host runs at this instant.
    pub(crate) fn beat(&self, station: Station, now: Time) {
        self.0.now.store(now.0, Ordering::Relaxed);
        self.0.running.store(station.0, Ordering::Relaxed);
    }

    /// The kernel's part of a host is done; what runs now is the engine's or a guest's.
    pub(crate) fn rest(&self) {
        self.0.running.store(usize::MAX, Ordering::Relaxed);
    }

    /// The run is to end.
    pub(crate) fn stop(&self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }

    /// Whether the run is to end.
    pub(crate) fn is_stopped(&self) -> bool {
        self.0.stop.load(Ordering::Relaxed)
    }

    /// Something is wrong with the run itself.
    pub(crate) fn fail(&self, message: String) {
        self.0.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(message);
        self.stop();
    }

    fn failure(&self) -> Option<String> {
        self.0.failed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn now(&self) -> Time {
        Time(self.0.now.load(Ordering::Relaxed))
    }
}

/// Runs a world on an engine until its referee says that it is over. The seed orders the engine's own tasks.
///
/// # Errors
/// If the engine cannot run it, stands still or fails, or if it is stopped from outside.
pub fn host<R: Referee>(
    engine: Engine,
    world: World,
    referee: R,
    #[cfg_attr(not(madsim), expect(unused_variables, reason = "only madsim has a seed of its own"))]
    seed: u64,
    conditions: Conditions<'_>,
) -> Result<Hosted<R>, HostError> {
    let plan = Arc::clone(world.plan());
    engine.accepts(&plan)?;
    let pulse = Pulse::new();
    let (done, wait) = channel();
    let name = |station: usize| match plan.processes.get(station) {
        Some(process) => process.name.clone(),
        None => "the engine".to_owned(),
    };
    let failed = |pulse: &Pulse, message: String| HostError::Failed {
        engine,
        host: name(pulse.0.running.load(Ordering::Relaxed)),
        at: Stamp(pulse.now()),
        message,
    };
    let (inner, tick) = (pulse.clone(), conditions.tick);
    let guests = conditions.guests.cloned().unwrap_or_default();
    // A fresh thread for every run: madsim seeds the standard library's hash maps once for each thread.
    let worker = thread::Builder::new().name(format!("{engine}")).spawn(move || {
        let center = play(engine, world, referee, seed, (&guests, tick), &inner);
        // Nobody waits any more if the watchdog has given up.
        let _ = done.send(center);
    });
    let worker = worker.map_err(|error| failed(&pulse, format!("no thread: {error}")))?;
    let outcome = attend(&wait, &pulse, &conditions);
    match outcome {
        Attended::Done(center) => {
            let _ = worker.join();
            if conditions.cancel.is_some_and(|cancel| cancel.load(Ordering::Relaxed)) {
                return Err(HostError::Cancelled);
            }
            if let Some(message) = pulse.failure() {
                return Err(failed(&pulse, message));
            }
            let center = center.map_err(|message| failed(&pulse, message))?;
            let (world, referee, lateness) = center.end();
            Ok(Hosted { world, referee, lateness })
        }
        Attended::Gone => {
            let message =
                worker.join().err().map_or_else(|| "it ended early".to_owned(), |panic| said(&*panic));
            Err(failed(&pulse, message))
        }
        Attended::Stuck => Err(HostError::Stuck {
            engine,
            host: name(pulse.0.running.load(Ordering::Relaxed)),
            at: Stamp(pulse.now()),
            patience: conditions.patience,
        }),
        Attended::Cancelled => Err(HostError::Cancelled),
    }
}

enum Attended<T> {
    Done(T),
    Gone,
    Stuck,
    Cancelled,
}

/// Waits for the run, and watches that it goes on.
fn attend<T>(wait: &std::sync::mpsc::Receiver<T>, pulse: &Pulse, conditions: &Conditions<'_>) -> Attended<T> {
    let (mut seen, mut still) = (pulse.now(), Duration::ZERO);
    loop {
        match wait.recv_timeout(LOOK) {
            Ok(done) => return Attended::Done(done),
            Err(RecvTimeoutError::Disconnected) => return Attended::Gone,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let cancelled = conditions.cancel.is_some_and(|cancel| cancel.load(Ordering::Relaxed));
        if cancelled {
            pulse.stop();
        }
        still = if pulse.now() == seen { still + LOOK } else { Duration::ZERO };
        seen = pulse.now();
        if cancelled && still >= Duration::from_secs(2) {
            return Attended::Cancelled;
        }
        if still >= conditions.patience {
            return Attended::Stuck;
        }
    }
}

/// What a panic said.
fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it panicked".to_owned())
}

fn play<R: Referee>(
    engine: Engine,
    world: World,
    referee: R,
    #[cfg_attr(not(madsim), expect(unused_variables, reason = "only madsim has a seed of its own"))]
    seed: u64,
    (guests, tick): (&Guests, Duration),
    pulse: &Pulse,
) -> Result<Center<R>, String> {
    let shared = Shared::new(world, referee);
    match engine {
        Engine::Native => return Err("the native kernel hosts no tasks".to_owned()),
        Engine::Turmoil => crate::on_turmoil::run(&shared, pulse, guests, tick)?,
        #[cfg(madsim)]
        Engine::Madsim => crate::on_madsim::run(&shared, pulse, guests, seed),
        #[cfg(not(madsim))]
        Engine::Madsim => return Err(Refusal::NotBuilt.to_string()),
    }
    shared.into_inner().ok_or_else(|| "a host outlived the run".to_owned())
}
