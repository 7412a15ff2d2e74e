//! A host by hand: a native world whose guests are polled whenever they were woken.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use beaufort_sim::blueprint::{Blueprint, Flow, Site, Timetable};
use beaufort_sim::faults::FaultKind;
use beaufort_sim::guest::{Guest as Node, Mailbox};
use beaufort_sim::ids::ProcessId;
use beaufort_sim::kernel::World;
use beaufort_sim::node::shell::Presence;
use beaufort_sim::observe::{End, Life, Observation, What};
use beaufort_sim::plan::{Plan, PlanError};
use beaufort_sim::services::NodeKind;
use beaufort_sim::services::endpoint::EndpointService;
use beaufort_sim::services::load::Load;
use beaufort_sim::services::service_bus::{ServiceBus, ServiceBusQueue};
use beaufort_sim::services::sql_database::SqlDatabase;
use beaufort_sim::time::{Span, Time};
use beaufort_sim::units::Rate;

use crate::guest::{Guests, Running};

/// A scenario: shoppers send 5 orders a second to a queue for a minute; `worker` is a guest.
pub(super) fn blueprint() -> Blueprint {
    let mut blueprint = Blueprint {
        time: Timetable { warmup: Span::secs(10), run: Span::mins(1), drain: Span::mins(30) },
        ..Blueprint::default()
    };
    blueprint.sites.insert("westeurope".to_owned(), Site::default());
    blueprint.flows.insert("orders".to_owned(), Flow::default());
    let load = Load {
        flow: "orders".to_owned(),
        to: "orders-queue".to_owned(),
        rate: Some(Rate::per_second(5.0)),
        ..Load::default()
    };
    let queue = || ServiceBusQueue {
        of: "bus".to_owned(),
        lock: Span::secs(10),
        max_delivery: 3,
        ..ServiceBusQueue::default()
    };
    let psp =
        EndpointService { ops: vec!["charge".parse().expect("an operation")], ..EndpointService::default() };
    let nodes = [
        ("shoppers", NodeKind::Load(load)),
        ("bus", NodeKind::ServiceBus(ServiceBus::default())),
        ("orders-queue", NodeKind::ServiceBusQueue(queue())),
        ("next-queue", NodeKind::ServiceBusQueue(queue())),
        ("ledger", NodeKind::SqlDatabase(SqlDatabase::default())),
        ("psp", NodeKind::Endpoint(psp)),
        ("worker", NodeKind::Guest(Node { types: vec!["Paid".to_owned()], ..Node::default() })),
    ];
    for (name, kind) in nodes {
        blueprint.nodes.insert(name.to_owned(), kind);
    }
    blueprint
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Task {
    running: Running,
    woken: Arc<Flag>,
}

/// A world with its guests.
pub(super) struct Driver {
    pub(super) world: World,
    pub(super) seen: Vec<Observation>,
    guests: Guests,
    doors: Vec<(ProcessId, Arc<Mailbox>)>,
    tasks: BTreeMap<ProcessId, Task>,
    looked: usize,
    /// How often a guest was started.
    pub(super) started: usize,
}

impl Driver {
    pub(super) fn new(blueprint: Blueprint, guests: Guests) -> Driver {
        let plan = Arc::new(Plan::new(blueprint).expect("a plan"));
        let world = World::with_guests(plan, 7).expect("a world");
        let ids = (0..world.plan().processes.len() as u32).map(ProcessId);
        let doors = ids.filter_map(|id| Some((id, world.process(id).mailbox()?))).collect();
        let seen = Vec::new();
        Driver { world, seen, guests, doors, tasks: BTreeMap::new(), looked: 0, started: 0 }
    }

    /// Runs to the deadline.
    pub(super) fn run(blueprint: Blueprint, guests: Guests) -> Driver {
        guests.check(&Plan::new(blueprint.clone()).expect("a plan")).expect("registered");
        Driver::unchecked(blueprint, guests)
    }

    /// The same, whatever is registered.
    pub(super) fn unchecked(blueprint: Blueprint, guests: Guests) -> Driver {
        let mut driver = Driver::new(blueprint, guests);
        let deadline = driver.world.plan().deadline();
        driver.run_until(deadline);
        driver
    }

    pub(super) fn last_words(&self) -> Option<String> {
        self.doors.first().and_then(|(_, door)| door.last_words())
    }

    pub(super) fn run_until(&mut self, until: Time) {
        while self.world.next_at().is_some_and(|at| at <= until) {
            self.world.step(&mut self.seen);
            self.bury();
            self.settle();
        }
    }

    /// Drops the tasks of processes that died.
    fn bury(&mut self) {
        for seen in &self.seen[self.looked..] {
            if matches!(seen.what, What::Life(Life::Crashed | Life::Stopped | Life::PowerLost)) {
                self.tasks.remove(&seen.process);
            }
        }
        self.looked = self.seen.len();
    }

    /// Starts, polls and pokes until nobody has anything to do at this instant.
    fn settle(&mut self) {
        loop {
            let mut idle = true;
            for (id, door) in self.doors.clone() {
                if let Some(running) = self.guests.start(&door) {
                    self.started += 1;
                    let woken = Arc::new(Flag(AtomicBool::new(true)));
                    self.tasks.insert(id, Task { running, woken });
                }
                if let Some(task) = self.tasks.get_mut(&id)
                    && task.woken.0.swap(false, Ordering::Relaxed)
                {
                    idle = false;
                    let waker = Waker::from(Arc::clone(&task.woken));
                    let polled = Pin::new(&mut task.running).poll(&mut Context::from_waker(&waker));
                    if polled.is_ready() {
                        self.tasks.remove(&id);
                    }
                }
                if door.has_requests() && self.world.presence(id) == Presence::Alive {
                    idle = false;
                    self.world.poke(id, self.world.now(), &mut self.seen);
                    self.bury();
                }
            }
            if idle {
                return;
            }
        }
    }

    pub(super) fn count(&self, what: impl Fn(&What) -> bool) -> usize {
        self.seen.iter().filter(|seen| what(&seen.what)).count()
    }

    pub(super) fn born(&self, name: &str) -> usize {
        let at = self.world.plan().place_named(name).expect("a place");
        self.count(|what| matches!(what, What::Born { place, .. } if *place == at))
    }

    pub(super) fn ended(&self, name: &str, why: End) -> usize {
        let at = self.world.plan().place_named(name).expect("a place");
        self.count(|what| matches!(what, What::Ended { place, cause } if (*place, *cause) == (at, why)))
    }

    pub(super) fn held(&self, name: &str) -> usize {
        let at = self.world.plan().place_named(name).expect("a place");
        let mut held = 0;
        self.world.inventory(&mut |one| held += if one.place == at { one.copies as usize } else { 0 });
        held
    }

    /// At every place, for every item: born + moved in = ended + moved out + held.
    pub(super) fn books_balance(&self) {
        let mut book: BTreeMap<(u16, u64), i64> = BTreeMap::new();
        for seen in &self.seen {
            let mut enter = |place: beaufort_sim::ids::PlaceId, by| {
                *book.entry((place.0, seen.item.identity())).or_default() += by;
            };
            match seen.what {
                What::Born { place, .. } => enter(place, 1),
                What::Ended { place, .. } => enter(place, -1),
                What::Moved { from, to, .. } => {
                    enter(from, -1);
                    enter(to, 1);
                }
                _ => {}
            }
        }
        self.world.inventory(&mut |held| {
            *book.entry((held.place.0, held.item.identity())).or_default() -= i64::from(held.copies);
        });
        let wrong: Vec<_> = book.iter().filter(|(_, balance)| **balance != 0).collect();
        let places: Vec<&str> = self.world.plan().places.iter().map(|place| place.name.as_str()).collect();
        assert!(wrong.is_empty(), "out of balance: {wrong:?} of {places:?}");
    }
}

/// A fault on the guest's first replica after so many seconds of the run.
pub(super) fn with_fault(mut blueprint: Blueprint, fault: FaultKind) -> Blueprint {
    blueprint.faults.insert("struck".to_owned(), fault);
    blueprint
}

/// What is wrong with a plan, in words.
pub(super) fn words(errors: &[PlanError]) -> String {
    let help = |error: &PlanError| error.help.clone().unwrap_or_default();
    errors.iter().map(|error| format!("{error} ({})", help(error))).collect::<Vec<_>>().join("\n")
}
