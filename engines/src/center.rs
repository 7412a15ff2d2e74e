//! What the hosts of one run share: the world, its judge, and for each host what has come to it. A host
//! holds everything until it is due, and takes it at the instant at which it was due.
//!
//! While a host is down or stands still, nobody runs in its place but its operating system: it answers
//! with resets, keeps what arrives, or is silent. The conductor plays it.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use beaufort_sim::guest::Mailbox;
use beaufort_sim::ids::ProcessId;
use beaufort_sim::kernel::{Due, Freight, World};
use beaufort_sim::node::shell::Standing;
use beaufort_sim::observe::Sink;
use beaufort_sim::time::{Span, Time};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::guest::AddressBook;
use crate::lateness::Lateness;

/// So often the referee is asked even when nothing happens.
const LOOK: Span = Span::secs(1);

/// Who watches a run and says when it is over.
pub trait Referee: Sink + Send + 'static {
    /// Asked again and again. True: the run is over.
    fn look(&mut self, world: &World, now: Time) -> bool;
}

/// A host of the run: one for each process, and the conductor after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Station(pub(crate) usize);

/// What the engine is to do with a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Kill it: its tasks and sockets are gone.
    Crash(Station),
    /// Start it anew.
    Restart(Station),
    /// Let it stand still.
    Pause(Station),
    /// Let it go on.
    Resume(Station),
    /// Let nothing through from the one to the other.
    Cut(Station, Station),
    /// Let everything through again.
    Mend(Station, Station),
}

/// What goes over a wire of the engine.
#[derive(Debug, Serialize, Deserialize)]
struct Parcel {
    slot: u32,
    serial: u64,
    freight: Freight,
}

/// What a station is to put on the wire.
#[derive(Debug)]
pub(crate) struct Posted {
    pub(crate) to: Station,
    pub(crate) bytes: Vec<u8>,
}

/// What a turn of a station comes to.
#[derive(Debug)]
pub(crate) struct Turn {
    /// What it puts on the wire.
    pub(crate) posted: Vec<Posted>,
    /// When it has something to do next.
    pub(crate) next: Time,
    /// Whether its process runs.
    pub(crate) up: bool,
    /// Whether the run is over.
    pub(crate) over: bool,
}

/// A flight that is on a wire of the engine, or has come off it.
#[derive(Clone, Copy, Debug)]
struct Ticket {
    serial: u64,
    at: Time,
    from: ProcessId,
    to: ProcessId,
    /// Whether it lies at its destination and waits to be due.
    landed: bool,
}

/// Something that waits at a host until it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    Arrival(u32),
    Alarm(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    at: Time,
    order: u64,
    task: Task,
}

/// One host, as the center sees it.
#[derive(Debug, Default)]
struct Desk {
    waiting: BinaryHeap<Reverse<Waiting>>,
    /// How far it has come.
    last: Time,
    /// How the engine keeps it, or has been told to.
    standing: Standing,
    /// Whether its sockets are open: an engine drops what comes before.
    open: bool,
    /// Whether it has a guest.
    guest: bool,
    bell: Arc<Notify>,
}

/// What all hosts of a run share.
#[derive(Debug)]
pub(crate) struct Center<R> {
    world: World,
    referee: R,
    desks: Vec<Desk>,
    tickets: Vec<Option<Ticket>>,
    serial: u64,
    order: u64,
    next_fault: Time,
    next_look: Time,
    orders: Vec<Order>,
    orders_bell: Arc<Notify>,
    /// Between which hosts of guests the engine lets nothing through.
    cuts: BTreeSet<(usize, usize)>,
    outbox: Vec<Posted>,
    lateness: Lateness,
    over: bool,
}

/// The center as its hosts hold it. Only one of them runs at a time; the lock is never waited for.
#[derive(Debug)]
pub(crate) struct Shared<R>(Arc<Mutex<Center<R>>>);

impl<R> Clone for Shared<R> {
    fn clone(&self) -> Self {
        Shared(Arc::clone(&self.0))
    }
}

impl<R: Referee> Shared<R> {
    pub(crate) fn new(world: World, referee: R) -> Shared<R> {
        Shared(Arc::new(Mutex::new(Center::new(world, referee))))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Center<R>> {
        // A panic of one host ends the run; whoever reports it may still read the state.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The center, when all hosts are gone.
    pub(crate) fn into_inner(self) -> Option<Center<R>> {
        Arc::into_inner(self.0).map(|center| center.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<R: Referee> Center<R> {
    fn new(world: World, referee: R) -> Center<R> {
        let count = world.plan().processes.len() + 1;
        let mut center = Center {
            desks: std::iter::repeat_with(Desk::default).take(count).collect(),
            world,
            referee,
            tickets: Vec::new(),
            serial: 0,
            order: 0,
            next_fault: Time::NEVER,
            next_look: Time::ZERO,
            orders: Vec::new(),
            orders_bell: Arc::default(),
            cuts: BTreeSet::new(),
            outbox: Vec::new(),
            lateness: Lateness::default(),
            over: false,
        };
        for host in 0..count - 1 {
            center.desks[host].guest = center.mailbox(Station(host)).is_some();
        }
        center.route();
        center
    }

    /// The conductor's station.
    pub(crate) fn conductor(&self) -> Station {
        Station(self.desks.len() - 1)
    }

    pub(crate) fn bell(&self, station: Station) -> Arc<Notify> {
        Arc::clone(&self.desks[station.0].bell)
    }

    /// The sockets of a host are open: from now on it is sent to over the wire.
    pub(crate) fn open(&mut self, station: Station) {
        self.desks[station.0].open = true;
    }

    /// Rings when there are orders, or when the run is over.
    #[cfg(madsim)]
    pub(crate) fn orders_bell(&self) -> Arc<Notify> {
        Arc::clone(&self.orders_bell)
    }

    /// What the engine is to do with its hosts since it was asked last.
    pub(crate) fn take_orders(&mut self) -> Vec<Order> {
        std::mem::take(&mut self.orders)
    }

    pub(crate) fn end(self) -> (World, R, Lateness) {
        (self.world, self.referee, self.lateness)
    }

    /// Freight came off a wire.
    pub(crate) fn take_in(&mut self, bytes: &[u8]) -> Result<(), postcard::Error> {
        let Parcel { slot, serial, freight } = postcard::from_bytes(bytes)?;
        let Some(ticket) = self.tickets.get_mut(slot as usize).and_then(Option::as_mut) else {
            return Ok(());
        };
        // What the conductor has taken over meanwhile is not taken twice.
        if ticket.serial == serial && !ticket.landed {
            ticket.landed = true;
            let (at, to) = (ticket.at, ticket.to);
            debug_assert_eq!(self.world.freight(slot), Some(&freight), "the wire form says all");
            self.world.unload(slot, freight);
            self.put(to, at, Task::Arrival(slot));
        }
        Ok(())
    }

    /// Lets a station do everything that is due by now; one with a guest only the next thing, so that the
    /// guest hears of it before the one after.
    pub(crate) fn turn(&mut self, me: Station, now: Time) -> Turn {
        if self.over {
            return Turn { posted: Vec::new(), next: Time::NEVER, up: false, over: true };
        }
        let next = if me == self.conductor() { self.conduct(now) } else { self.serve(me, now) };
        if now >= self.world.plan().ends() || now >= self.next_look {
            self.next_look = now + LOOK;
            self.over |= self.referee.look(&self.world, now);
        }
        if self.over {
            self.desks.iter().for_each(|desk| desk.bell.notify_one());
            self.orders_bell.notify_one();
        }
        let up = self.desks[me.0].standing == Standing::Up;
        Turn { posted: std::mem::take(&mut self.outbox), next, up, over: self.over }
    }

    /// The guest of a host has left something for its process: now, or at the instant to which it has come.
    pub(crate) fn poke(&mut self, me: Station, now: Option<Time>) {
        let at = self.step(me, now.unwrap_or(self.desks[me.0].last));
        self.world.poke(ProcessId(me.0 as u32), at, &mut self.referee);
        self.route();
    }

    /// The door at which the guest of a host leaves its requests, if it has one.
    pub(crate) fn mailbox(&self, me: Station) -> Option<Arc<Mailbox>> {
        if me == self.conductor() { None } else { self.world.process(ProcessId(me.0 as u32)).mailbox() }
    }

    /// Where the replicas of guests are, for sockets of their own.
    pub(crate) fn addresses(&self, address: impl Fn(Station) -> IpAddr) -> AddressBook {
        let hosts = (0..self.desks.len()).map(Station);
        let door = |station| Some((station, self.mailbox(station)?));
        let entry = |(station, mailbox): (Station, Arc<Mailbox>)| {
            ((mailbox.node().to_owned(), mailbox.replica()), address(station))
        };
        hosts.filter_map(door).map(entry).collect()
    }

    /// What the clocks of a guest show when it is polled now.
    pub(crate) fn set_clocks(&self, me: Station, now: Time) {
        if let Some(mailbox) = self.mailbox(me) {
            let (local, wall) = self.world.clocks(ProcessId(me.0 as u32), now);
            mailbox.set_now(local, wall);
        }
    }

    /// A host does what is due to it, if it runs.
    fn serve(&mut self, me: Station, now: Time) -> Time {
        if self.desks[me.0].standing != Standing::Up {
            return Time::NEVER;
        }
        let process = ProcessId(me.0 as u32);
        loop {
            let wake = self.world.wakes_at(process);
            let held = self.desks[me.0].next();
            if wake.min(held) > now {
                return wake.min(held);
            }
            if wake <= held {
                let at = self.step(me, wake);
                self.world.wake_process(process, at, &mut self.referee);
            } else {
                self.take_up(me);
            }
            self.route();
            if self.desks[me.0].standing != Standing::Up {
                return Time::NEVER;
            }
            if self.desks[me.0].guest {
                return self.world.wakes_at(process).min(self.desks[me.0].next());
            }
        }
    }

    /// The first thing that waits at a desk happens.
    fn take_up(&mut self, station: Station) {
        let Some(Reverse(Waiting { at: due, task, .. })) = self.desks[station.0].waiting.pop() else {
            return;
        };
        let at = self.step(station, due);
        match task {
            Task::Arrival(slot) => {
                self.tickets[slot as usize] = None;
                self.world.arrive_at(slot, at, &mut self.referee);
            }
            Task::Alarm(slot) => self.world.alarm_at(slot, at, &mut self.referee),
        }
    }

    /// A station goes on to this instant, or stays where it is if it has been further already.
    fn step(&mut self, station: Station, due: Time) -> Time {
        let desk = &mut self.desks[station.0];
        desk.last = desk.last.max(due);
        self.lateness.record(desk.last.since(due));
        desk.last
    }

    /// Faults, and the hosts that cannot answer for themselves.
    fn conduct(&mut self, now: Time) -> Time {
        loop {
            let absent = (0..self.desks.len() - 1).filter(|&host| self.desks[host].standing != Standing::Up);
            let held = absent.map(|host| (self.desks[host].next(), host)).min();
            let (at, host) = held.unwrap_or((Time::NEVER, 0));
            if self.next_fault.min(at) > now {
                self.survey(now);
                return self.next_fault.min(at).min(now + LOOK);
            }
            if self.next_fault <= at {
                self.strike();
            } else {
                self.take_up(Station(host));
            }
            self.route();
        }
    }

    /// Faults begin and end: after all that any host has done already.
    fn strike(&mut self) {
        let due = std::mem::replace(&mut self.next_fault, Time::NEVER);
        let at = self.desks.iter().map(|desk| desk.last).fold(due, Time::max);
        self.lateness.record(at.since(due));
        let conductor = self.conductor();
        self.desks[conductor.0].last = at;
        self.world.advance_faults_at(at, &mut self.referee);
    }

    /// What a cut stops, it also stops between sockets that guests have opened by themselves: these the
    /// transport does not see. (A flapping cut is followed once a second.)
    fn survey(&mut self, now: Time) {
        let guests: Vec<usize> = (0..self.desks.len()).filter(|&host| self.desks[host].guest).collect();
        for (&from, &to) in guests.iter().flat_map(|from| guests.iter().map(move |to| (from, to))) {
            if from == to {
                continue;
            }
            let (sender, receiver) = (ProcessId(from as u32), ProcessId(to as u32));
            match (self.world.is_cut(sender, receiver, now), self.cuts.contains(&(from, to))) {
                (true, false) => {
                    self.cuts.insert((from, to));
                    self.orders.push(Order::Cut(Station(from), Station(to)));
                    // The transport has decided already what becomes of its own parcels.
                    self.take_over(|ticket| (ticket.from, ticket.to) == (sender, receiver));
                }
                (false, true) => {
                    self.cuts.remove(&(from, to));
                    self.orders.push(Order::Mend(Station(from), Station(to)));
                }
                _ => continue,
            }
            self.orders_bell.notify_one();
        }
    }

    // -- What follows from it. --

    fn put(&mut self, process: ProcessId, at: Time, task: Task) {
        self.order += 1;
        let desk = &mut self.desks[process.index()];
        desk.waiting.push(Reverse(Waiting { at, order: self.order, task }));
        self.ring(process);
    }

    /// Tells whoever acts for a process that there is something to do.
    fn ring(&self, process: ProcessId) {
        let conductor = self.desks.len() - 1;
        let absent = self.desks[process.index()].standing != Standing::Up;
        let host = if absent { conductor } else { process.index() };
        self.desks[host].bell.notify_one();
    }

    /// Takes over the world's agenda: each thing to the host that it concerns. Then the engine's orders.
    fn route(&mut self) {
        while let Some((at, due)) = self.world.next_due() {
            match due {
                Due::Wake(process) => self.ring(process),
                Due::Alarm { slot, owner } => self.put(owner, at, Task::Alarm(slot)),
                Due::Fault => {
                    self.next_fault = self.next_fault.min(at);
                    self.desks[self.desks.len() - 1].bell.notify_one();
                }
                Due::Arrival { slot, from, to } => self.send(slot, at, from, to),
            }
        }
        for host in 0..self.desks.len() - 1 {
            let standing = self.world.standing(ProcessId(host as u32));
            if standing != self.desks[host].standing {
                self.change(host, standing);
            }
        }
    }

    /// Puts freight on the wire; to a host that is not there, on its desk.
    fn send(&mut self, slot: u32, at: Time, from: ProcessId, to: ProcessId) {
        self.serial += 1;
        let serial = self.serial;
        let desk = &self.desks[to.index()];
        let cut = self.cuts.contains(&(from.index(), to.index()));
        let there = desk.standing == Standing::Up && desk.open && !cut;
        if self.tickets.len() <= slot as usize {
            self.tickets.resize(slot as usize + 1, None);
        }
        let mut ticket = Ticket { serial, at, from, to, landed: true };
        let parcel = self.world.freight(slot).filter(|_| there).cloned();
        let bytes = parcel.and_then(|freight| postcard::to_allocvec(&Parcel { slot, serial, freight }).ok());
        match bytes {
            Some(bytes) => {
                ticket.landed = false;
                self.outbox.push(Posted { to: Station(to.index()), bytes });
            }
            None => self.put(to, at, Task::Arrival(slot)),
        }
        self.tickets[slot as usize] = Some(ticket);
    }

    /// A fault has changed how a host stands: the engine is to do it, and what is on the wire to it or from
    /// it must not depend on tasks that are no more.
    fn change(&mut self, host: usize, standing: Standing) {
        let before = std::mem::replace(&mut self.desks[host].standing, standing);
        let (station, process) = (Station(host), ProcessId(host as u32));
        if before == Standing::Down {
            self.orders.push(Order::Restart(station));
        }
        self.orders.extend(match (before, standing) {
            (_, Standing::Down) => Some(Order::Crash(station)),
            (_, Standing::Paused) => Some(Order::Pause(station)),
            (Standing::Paused, Standing::Up) => Some(Order::Resume(station)),
            (_, Standing::Up) => None,
        });
        self.orders_bell.notify_one();
        if standing == Standing::Up {
            self.ring(process);
            return;
        }
        self.world.forget_wake(process);
        self.desks[host].open &= standing == Standing::Paused;
        self.take_over(|ticket| ticket.to == process || ticket.from == process);
        self.ring(process);
    }

    /// What is on the wire, of these, is carried by the conductor.
    fn take_over(&mut self, which: impl Fn(&Ticket) -> bool) {
        for slot in 0..self.tickets.len() {
            if let Some(ticket) = &mut self.tickets[slot]
                && !ticket.landed
                && which(ticket)
            {
                ticket.landed = true;
                let (at, to) = (ticket.at, ticket.to);
                self.put(to, at, Task::Arrival(slot as u32));
            }
        }
    }
}

impl Desk {
    fn next(&self) -> Time {
        self.waiting.peek().map_or(Time::NEVER, |Reverse(first)| first.at)
    }
}
