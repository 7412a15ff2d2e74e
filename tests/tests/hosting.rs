//! Worlds on the engines that host processes: one history for each seed, books that balance, a watchdog
//! that finds what stands still, memory that stays flat.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test")]

use std::collections::BTreeSet;
#[cfg(madsim)]
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use beaufort_engines::guest::{Guest, Guests};
use beaufort_engines::{Conditions, Engine, HostError, Referee, host};
use beaufort_harness::run::{Options, run};
use beaufort_harness::scenario::resolve::Resolved;
use beaufort_reports::SeedResult;
use beaufort_sim::kernel::World;
use beaufort_sim::node::{Context, Input, Process};
use beaufort_sim::observe::{Held, Observation, Sink};
use beaufort_sim::time::{Span, Time};
use beaufort_tests::{EVERYTHING, resolve};

/// The engines of this build that host processes.
fn engines() -> Vec<Engine> {
    let plan = everything().plan;
    Engine::ALL.into_iter().filter(|e| *e != Engine::Native && e.accepts(&plan).is_ok()).collect()
}

fn everything() -> Resolved {
    resolve(EVERYTHING, None, &[]).expect("resolves")
}

fn on(engine: Engine, resolved: &Resolved, seed: u64) -> SeedResult {
    let hosting = Conditions { tick: Duration::from_millis(10), ..Conditions::default() };
    let options = Options { stories: 0, engine, hosting, ..Options::default() };
    run(&resolved.plan, &resolved.rules, seed, &options).expect("runs")
}

#[test]
fn a_seed_has_one_history_on_each_engine_and_its_books_balance() {
    let resolved = everything();
    let native = on(Engine::Native, &resolved, 1);
    for engine in engines() {
        let first = on(engine, &resolved, 1);
        let second = on(engine, &resolved, 1);
        assert_eq!(first.digest, second.digest, "{engine}");
        assert_eq!(first.lateness, second.lateness, "{engine}");
        assert_eq!(first.errors, [], "{engine}: the books balance");
        assert_eq!(first.offered(), native.offered(), "{engine}: the same load");
        assert_ne!(first.digest, native.digest, "{engine} orders inputs in its own way");
        let lateness = first.lateness.expect("a hosted run measures it");
        assert!(lateness.late > 0 && lateness.late * 2 < lateness.inputs, "{engine}: {lateness:?}");
        // Ticks of 10 ms here. The latest are a reader's that catches up: a hundred quick messages to and
        // fro, each of which the engine carries a tick later, until the other side had something else due. A
        // processor of events that takes over partitions has the longest chains of them.
        assert!(lateness.p99 < 0.025 && lateness.max < 0.5, "{engine}: {lateness:?}");
    }
}

// -- The watchdog. --

/// Beats every second; in the tenth it does what a defective guest might.
#[derive(Clone, Debug)]
struct Heart {
    beats: u32,
    end: Defect,
}

#[derive(Clone, Copy, Debug)]
enum Defect {
    None,
    /// Until this is set: a thread that spins on would take its core from the other tests.
    Spins(&'static AtomicBool),
    Panics,
}

impl Process for Heart {
    fn handle(&mut self, _: Input, cx: &mut Context<'_>) {
        self.beats += 1;
        if self.beats == 10 {
            match self.end {
                Defect::None => {}
                Defect::Spins(released) => {
                    while !released.load(Ordering::Relaxed) {
                        std::thread::yield_now();
                    }
                }
                Defect::Panics => panic!("arrhythmia"),
            }
        }
        cx.timer(Span::secs(1), 0, false);
    }
    fn crash(&mut self) {
        self.beats = 0;
    }
    fn inventory(&self, _: &mut dyn FnMut(Held)) {}
    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}

struct Minutes(u64);

impl Sink for Minutes {
    fn observe(&mut self, _: &Observation) {}
}

impl Referee for Minutes {
    fn look(&mut self, _: &World, now: Time) -> bool {
        now >= Time::ZERO + Span::mins(self.0)
    }
}

/// A world of hearts, of which the third has this defect before the first fault comes.
fn hearts(defect: Defect) -> World {
    let plan = everything().plan;
    let heart = |index| Heart { beats: 0, end: if index == 2 { defect } else { Defect::None } };
    let processes =
        (0..plan.processes.len()).map(|index| Box::new(heart(index)) as Box<dyn Process>).collect();
    World::with_processes(plan, 1, processes).expect("is built")
}

#[test]
fn a_host_that_never_yields_is_found_and_named() {
    for engine in engines() {
        let released = Box::leak(Box::new(AtomicBool::new(false)));
        // Long enough that a busy machine does not pass for a host that stands still.
        let conditions = Conditions { patience: Duration::from_secs(10), ..Conditions::default() };
        let world = hearts(Defect::Spins(released));
        let name = world.plan().processes[2].name.clone();
        let error = host(engine, world, Minutes(5), 1, conditions).map(|_| ()).expect_err("it stands still");
        released.store(true, Ordering::Relaxed);
        let HostError::Stuck { host, at, .. } = &error else { panic!("{error}") };
        assert_eq!(*host, name);
        assert!((8.9..9.2).contains(&at.0.as_secs_f64()), "{error}");
        assert!(error.to_string().contains("does not yield"), "{error}");
    }
}

#[test]
fn a_host_that_panics_is_an_error_that_names_it() {
    for engine in engines() {
        let error = host(engine, hearts(Defect::Panics), Minutes(5), 1, Conditions::default()).map(|_| ());
        let error = error.expect_err("it panicked").to_string();
        assert!(error.contains("failed at 9.0"), "{error}");
    }
}

#[test]
fn a_run_that_is_cancelled_ends() {
    for engine in engines() {
        let cancel = AtomicBool::new(true);
        let conditions = Conditions { cancel: Some(&cancel), ..Conditions::default() };
        let outcome =
            host(engine, hearts(Defect::None), Minutes(u64::MAX / 1_000_000_000_000), 1, conditions);
        assert_eq!(outcome.map(|_| ()).expect_err("stops"), HostError::Cancelled);
    }
}

/// Madsim leaks the tasks that live when a runtime is dropped, and turmoil keeps what is under way.
#[test]
#[ignore = "a soak: minutes"]
fn memory_stays_flat_over_a_thousand_seeds() {
    let short = [
        "time.warmup=0s",
        "time.run=5s",
        "time.drain=10s",
        "faults.bus-short=null",
        "faults.hot-partition=null",
        "objectives.caught-up=null",
    ];
    let resolved = resolve("transactional-outbox", None, &short).expect("resolves");
    for engine in Engine::ALL.into_iter().filter(|engine| engine.accepts(&resolved.plan).is_ok()) {
        let sweep = |seeds: std::ops::Range<u64>| seeds.for_each(|seed| drop(on(engine, &resolved, seed)));
        sweep(0..100);
        let early = resident();
        sweep(100..1000);
        let late = resident();
        println!("{engine}: {early} kB after 100 seeds, {late} kB after 1,000");
        assert!(late < early + early / 4 + 8_000, "{engine}: {early} kB, then {late} kB");
    }
}

/// What this process takes, in kB, where the system says so.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}

// -- Guests with sockets of their own. --

const PORT: u16 = 7000;

/// When a datagram came, by the second.
type Heard = Arc<Mutex<BTreeSet<u64>>>;

/// One guest sends to the other ten times a second, over sockets of the engine.
macro_rules! ping_pong {
    ($engine:ident, $heard:expr, |$socket:ident, $to:ident| $send:expr) => {{
        let heard: Heard = $heard;
        let ping = |guest: Guest| async move {
            let $socket = $engine::net::UdpSocket::bind(("0.0.0.0", PORT)).await?;
            let $to = (guest.address("pong", 0).ok_or("there is no pong")?, PORT);
            loop {
                $send.await?;
                guest.sleep(Duration::from_millis(100)).await;
            }
        };
        let pong = move |guest: Guest| {
            let heard = Arc::clone(&heard);
            async move {
                let socket = $engine::net::UdpSocket::bind(("0.0.0.0", PORT)).await?;
                let mut buffer = [0; 16];
                loop {
                    socket.recv_from(&mut buffer).await?;
                    heard.lock().unwrap().insert(guest.now().0 / 1_000_000_000);
                }
            }
        };
        Guests::new().with("ping", ping).with("pong", pong)
    }};
}

fn hears(engine: Engine, guests: &Guests, heard: &Heard) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/raw-sockets.yaml");
    let resolved = resolve(path, None, &[]).expect("resolves");
    let hosting = Conditions { guests: Some(guests), ..Conditions::default() };
    let options = Options { stories: 0, engine, hosting, ..Options::default() };
    let result = run(&resolved.plan, &resolved.rules, 1, &options).expect("runs");
    assert_eq!(result.errors, []);
    let heard = heard.lock().unwrap();
    let missed: Vec<u64> = (2..40).filter(|second| !heard.contains(second)).collect();
    // One that is sent in the instant of the cut may still be heard.
    let cut: Vec<u64> = missed.iter().copied().filter(|second| *second != 10).collect();
    assert_eq!(cut, (11..20).collect::<Vec<u64>>(), "{engine}: cut from 10 s to 20 s");
}

#[test]
fn a_partition_cuts_the_sockets_of_guests_on_turmoil() {
    let heard = Heard::default();
    let guests = ping_pong!(turmoil, Arc::clone(&heard), |socket, to| socket.send_to(b"ping", to));
    hears(Engine::Turmoil, &guests, &heard);
}

#[cfg(madsim)]
#[test]
fn a_partition_cuts_the_sockets_of_guests_on_madsim() {
    let heard = Heard::default();
    let guests =
        ping_pong!(madsim, Arc::clone(&heard), |socket, to| socket.send_to(SocketAddr::from(to), b"ping"));
    hears(Engine::Madsim, &guests, &heard);
}
