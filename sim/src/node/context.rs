//! What a process may do while it handles an input. Everything that leaves the process is appended to
//! an ordered list of effects, which the engine applies afterwards; a crash at a point cuts the list.

use crate::client::keyring::Credential;
use crate::client::names::{AVOIDED, NameCache, Resolved};
use crate::faults::Hook;
use crate::faults::local::{LocalFaults, Strike};
use crate::ids::{Address, CallId, ConnectionId, FaultMask, Item, ProcessId};
use crate::message::Message;
use crate::node::timers::{TimerId, Timers};
use crate::observe::{Belief, Handling, Observation, Sink, Symptom, What};
use crate::plan::Plan;
use crate::random::{Purpose, Random, mix};
use crate::time::{Span, Time};
use crate::units::Sampler;

/// A place in the execution of a step at which a fault can strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Point {
    /// Nothing of the step has been sent.
    Before,
    /// Its request is sent, the answer not seen.
    InDoubt,
    /// Its answer is consumed, the next step not begun.
    After,
}

/// What the engine is to do, in order, after `handle` returns.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Put a request on the connection to that process, opening it if there is none.
    Call {
        /// To whom.
        to: ProcessId,
        /// What.
        message: Message,
    },
    /// Put a message on an open connection (an answer, a push); lost if it is gone.
    Answer {
        /// On which.
        connection: ConnectionId,
        /// What.
        message: Message,
    },
    /// Send a datagram.
    Datagram {
        /// To whom.
        to: ProcessId,
        /// What.
        message: Message,
    },
    /// Close a connection in good order.
    Close {
        /// Which.
        connection: ConnectionId,
    },
    /// Make an observation; the engine fills in time, process and lineage.
    Observe {
        /// On which connection.
        connection: ConnectionId,
        /// About which item.
        item: Item,
        /// Which faults touched it.
        by: FaultMask,
        /// What.
        what: What,
    },
    /// A point of a recipe that some fault watches was reached.
    Point {
        /// The step.
        step: u16,
        /// Which of its points.
        point: Point,
        /// The item of the run (the first of a batch).
        item: Item,
        /// The run.
        run: u64,
    },
    /// Start a dormant slot (scale out).
    StartSlot(ProcessId),
    /// Stop a slot in good order (scale in).
    StopSlot(ProcessId),
}

/// Whom observations go to at once, as long as nothing that leaves the process stands before them: then
/// their order is the same as if they were effects.
pub struct Scene<'a> {
    /// Who sees them.
    pub sink: &'a mut dyn Sink,
    /// True time.
    pub at: Time,
    /// The kernel event.
    pub event: u64,
    /// The kernel event that caused it.
    pub parent: u64,
    /// Which life of the process it is.
    pub incarnation: u32,
}

impl std::fmt::Debug for Scene<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scene").field("at", &self.at).field("event", &self.event).finish_non_exhaustive()
    }
}

/// The parts of the engine that a context borrows.
#[derive(Debug)]
pub struct Parts<'a> {
    /// Who runs.
    pub me: ProcessId,
    /// Local monotonic time.
    pub now: Time,
    /// Local wall-clock time.
    pub wall: Time,
    /// The plan of the world.
    pub plan: &'a Plan,
    /// Chance.
    pub random: &'a Random,
    /// The process's timers, which run on local monotonic time.
    pub timers: &'a mut Timers,
    /// Where effects go.
    pub effects: &'a mut Vec<Effect>,
    /// The last call id given out.
    pub calls: &'a mut u64,
    /// The faults that are active in this process.
    pub faults: &'a mut LocalFaults,
    /// Where the names lead that it has looked up.
    pub names: &'a mut NameCache,
    /// The latency of a sync.
    pub disk: &'a Sampler,
    /// How much slower than normal it runs, in thousandths (1000: as fast as ever).
    pub slowness: u64,
    /// Where observations go at once; without it all of them are effects.
    pub scene: Option<Scene<'a>>,
}

/// What a process may do.
#[derive(Debug)]
pub struct Context<'a> {
    parts: Parts<'a>,
}

impl<'a> Context<'a> {
    /// For engines and test rigs.
    #[inline]
    #[must_use]
    pub fn new(parts: Parts<'a>) -> Self {
        Self { parts }
    }

    /// Who runs.
    #[must_use]
    pub fn me(&self) -> ProcessId {
        self.parts.me
    }

    /// The local monotonic clock: drifts, never jumps. Timers and timeouts run on it.
    #[must_use]
    pub fn now(&self) -> Time {
        self.parts.now
    }

    /// The local wall clock: skews and jumps. Lock expiry, time to live and tokens run on it.
    #[must_use]
    pub fn wall(&self) -> Time {
        self.parts.wall
    }

    /// The plan of the world: names, places, flows.
    #[must_use]
    pub fn plan(&self) -> &'a Plan {
        self.parts.plan
    }

    /// A uniform draw for this purpose in this process about this identity.
    #[must_use]
    pub fn draw(&self, purpose: Purpose, identity: [u64; 2]) -> u64 {
        self.parts.random.draw(purpose, self.parts.plan.process(self.parts.me).hash, identity)
    }

    /// A draw that is the same in every replica of the app: names the app, not the process.
    #[must_use]
    pub fn draw_for(&self, names: u64, purpose: Purpose, identity: [u64; 2]) -> u64 {
        self.parts.random.draw(purpose, names, identity)
    }

    /// Sends a request and observes that it was sent. Returns the id of this attempt.
    #[inline]
    pub fn call(&mut self, to: Address, mut message: Message) -> CallId {
        *self.parts.calls += 1;
        let call = CallId(*self.parts.calls);
        message.call = call;
        let item = message.cargo.first().unwrap_or_default();
        self.observe(item, What::Sent { call, to });
        self.parts.effects.push(Effect::Call { to: to.process, message });
        call
    }

    /// The same by a datagram: nobody but the caller sends it again.
    #[inline]
    pub fn ask(&mut self, to: Address, mut message: Message) -> CallId {
        *self.parts.calls += 1;
        let call = CallId(*self.parts.calls);
        message.call = call;
        let item = message.cargo.first().unwrap_or_default();
        self.observe(item, What::Sent { call, to });
        self.parts.effects.push(Effect::Datagram { to: to.process, message });
        call
    }

    /// Puts a command that is no call (nobody counts an answer: credit, detach, a notice) on the
    /// connection to that process.
    pub fn tell(&mut self, to: ProcessId, message: Message) {
        self.parts.effects.push(Effect::Call { to, message });
    }

    /// Puts a message on an open connection: an answer, a push. Lost if the connection is gone.
    #[inline]
    pub fn answer(&mut self, connection: ConnectionId, message: Message) {
        self.parts.effects.push(Effect::Answer { connection, message });
    }

    /// Sends a datagram: may be lost, doubled, overtaken.
    #[inline]
    pub fn datagram(&mut self, to: ProcessId, message: Message) {
        self.parts.effects.push(Effect::Datagram { to, message });
    }

    /// Closes a connection in good order.
    pub fn close(&mut self, connection: ConnectionId) {
        self.parts.effects.push(Effect::Close { connection });
    }

    /// Arms a timer that cannot be cancelled. `work`: it is armed for an item (and keeps the world from
    /// being quiescent), not upkeep.
    #[inline]
    pub fn timer(&mut self, after: Span, token: u64, work: bool) {
        let due = self.parts.now + after;
        self.parts.timers.at(due, token, work);
    }

    /// Arms a timeout of a recurring duration; it can be cancelled, and cancelling is cheap.
    #[inline]
    pub fn timeout(&mut self, after: Span, token: u64, work: bool) -> TimerId {
        self.parts.timers.timeout(self.parts.now, after, token, work)
    }

    /// Cancels a timeout; nothing happens if it has fired.
    #[inline]
    pub fn cancel(&mut self, timer: TimerId) {
        self.parts.timers.cancel(timer);
    }

    /// Asks for a sync; [`Input::Disk`](crate::node::Input::Disk) with this token follows after the
    /// latency of the disk. Syncs of one process complete in order only if their latencies allow; use
    /// ascending tokens and [`Durable::synced`](crate::node::Durable::synced). `about` is the (first)
    /// item that is written; it keys the latency.
    pub fn sync(&mut self, token: u64, about: Item) {
        let draw = self.draw(Purpose::Disk, [about.identity(), u64::from(about.kind.0)]);
        let latency = self.busy(self.parts.disk.at(draw));
        let due = self.parts.now + latency;
        self.parts.timers.disk(due, token);
    }

    /// How long this process needs for work that takes so long at full speed.
    #[must_use]
    pub fn busy(&self, span: Span) -> Span {
        if self.parts.slowness == 1000 { span } else { span.scaled(self.parts.slowness, 1000) }
    }

    /// Observes something about an item.
    #[inline]
    pub fn observe(&mut self, item: Item, what: What) {
        self.observe_on(ConnectionId::NONE, item, what);
    }

    /// Observes something about an item on a connection.
    #[inline]
    pub fn observe_on(&mut self, connection: ConnectionId, item: Item, what: What) {
        self.note(connection, item, FaultMask::NONE, what);
    }

    /// Books what became of a call; a message that is no call has no place in the books.
    pub fn handled(&mut self, on: ConnectionId, message: &Message, how: Handling) {
        self.handled_about(on, message.cargo.first().unwrap_or_default(), message.call, how);
    }

    /// The same of a call that is about another item than the first of its cargo, or of one whose message is
    /// not kept.
    pub fn handled_about(&mut self, on: ConnectionId, item: Item, call: CallId, how: Handling) {
        if call != CallId(0) {
            self.observe_on(on, item, What::Handled { call, how });
        }
    }

    fn note(&mut self, connection: ConnectionId, item: Item, by: FaultMask, what: What) {
        if self.parts.effects.is_empty()
            && let Some(Scene { sink, at, event, parent, incarnation }) = &mut self.parts.scene
        {
            sink.observe(&Observation {
                at: *at,
                event: *event,
                parent: *parent,
                process: self.parts.me,
                incarnation: *incarnation,
                connection,
                item,
                by,
                what,
            });
            return;
        }
        self.parts.effects.push(Effect::Observe { connection, item, by, what });
    }

    /// Observes something about every item of a cargo.
    pub fn observe_each(&mut self, items: &[Item], what: What) {
        for item in items {
            self.observe(*item, what);
        }
    }

    /// Observes a sign of trouble about another process, without an item.
    pub fn trouble(&mut self, subject: ProcessId, symptom: Symptom) {
        self.observe(Item::default(), What::Trouble { subject, symptom });
    }

    /// Observes that this process now believes something else about another.
    pub fn believe(&mut self, subject: ProcessId, belief: Belief) {
        self.observe(Item::default(), What::Believes { subject, belief });
    }

    /// Asks whether an active fault strikes here: at this hook, for this part, on this item.
    /// `occurrence` tells repetitions about the same item apart (attempt, delivery); pass 0 where the
    /// fault must strike the same item every time. Without an item repetitions are told apart by their
    /// instant. A strike is counted and observed as *fired*.
    #[inline]
    pub fn strike(&mut self, hook: Hook, part: u16, item: Item, occurrence: u64) -> Option<Strike> {
        if self.parts.faults.is_quiet() {
            return None;
        }
        self.strike_here(hook, part, item, occurrence)
    }

    fn strike_here(&mut self, hook: Hook, part: u16, item: Item, occurrence: u64) -> Option<Strike> {
        let occurrence = if item.is_none() { mix(occurrence, self.parts.now.0) } else { occurrence };
        let strike = self.parts.faults.strike(self.parts.random, hook, part, item, occurrence)?;
        self.touched(item, strike);
        Some(strike)
    }

    /// Asks whether a lasting fault is active at this hook for this part, without striking: for limits
    /// and slowness that the service applies itself. Call [`touched`](Self::touched) when it alters something.
    #[must_use]
    pub fn impaired(&self, hook: Hook, part: u16) -> Option<Strike> {
        if self.parts.faults.is_quiet() { None } else { self.parts.faults.active(hook, part) }
    }

    /// The same for the answer to a health probe: a hidden fault is not seen by probes.
    #[must_use]
    pub fn visible(&self, hook: Hook, part: u16) -> Option<Strike> {
        if self.parts.faults.is_quiet() { None } else { self.parts.faults.visible(hook, part) }
    }

    /// Observes that a fault altered what happens to this item; without an item, what this process does.
    pub fn touched(&mut self, item: Item, strike: Strike) {
        self.parts.faults.fired(strike.fault);
        let by = FaultMask::of(strike.fault);
        let what =
            if item.is_none() { What::TouchedProcess { subject: self.parts.me } } else { What::Touched };
        self.note(ConnectionId::NONE, item, by, what);
    }

    /// Where a call to this address goes: there, or where its name leads as far as this process knows. A
    /// name that has to be looked up is asked of the process that is returned. `item`: whom the call is
    /// about.
    #[inline]
    pub fn resolve(&mut self, to: Address, item: Item) -> Resolved {
        if self.parts.plan.names.is_alias(to.process) {
            self.resolve_name(to, item)
        } else {
            Resolved::At(to)
        }
    }

    /// The same for what an account in several regions answers in any of them: reads, and where all of them
    /// take writes, everything. The nearest region that is not avoided, without a lookup.
    #[inline]
    pub fn resolve_nearest(&mut self, to: Address, writes: bool, item: Item) -> Resolved {
        match self.nearest_region(to.process, writes) {
            Some(process) => Resolved::At(Address { process, ..to }),
            None => self.resolve(to, item),
        }
    }

    /// The nearest region of an account that is not avoided; none if this is no account, or takes writes in
    /// one place only.
    #[must_use]
    pub fn nearest_region(&self, account: ProcessId, writes: bool) -> Option<ProcessId> {
        let account = self.parts.plan.names.account(account)?;
        if writes && !account.writes_anywhere() {
            return None;
        }
        let site = self.parts.plan.process(self.parts.me).location.site();
        let (now, names) = (self.parts.now, &self.parts.names);
        let near = account.preferred(site).find(|region| !names.avoids(*region, now));
        Some(near.unwrap_or_else(|| account.nearest(site)))
    }

    /// A call by the name of an account failed at this region: another one is read from for a while, and
    /// where writes go is asked again (facts data 1.8). False if this is no account.
    pub fn region_failed(&mut self, account: ProcessId, region: ProcessId) -> bool {
        let known = self.parts.plan.names.account(account).is_some();
        if known {
            self.parts.names.forget(account);
            self.parts.names.avoid(region, self.parts.now + AVOIDED);
        }
        known
    }

    fn resolve_name(&mut self, to: Address, item: Item) -> Resolved {
        let mut at = to;
        // A name may lead to another one; the plan refuses circles.
        while self.parts.plan.names.is_name(at.process) {
            let Some(known) = self.parts.names.get(at.process) else { return Resolved::Ask(at.process) };
            if self.parts.now > known.until {
                let Some(strike) = self.impaired(Hook::NameStale, 0) else {
                    return Resolved::Ask(at.process);
                };
                self.touched(item, strike);
            }
            at = known.leads(at);
        }
        let process = self.nearest(at.process, item).unwrap_or(at.process);
        Resolved::At(Address { process, ..at })
    }

    /// Which of the processes that share an address is the nearest: always the same for a client, which is
    /// this process, or somebody on the internet for whom it calls.
    fn nearest(&self, address: ProcessId, item: Item) -> Option<ProcessId> {
        let plan = self.parts.plan;
        let me = plan.process(self.parts.me);
        let somebody = if me.location.site().is_none() { u64::from(item.key) } else { 0 };
        let weight = |process: &ProcessId| {
            let hash = plan.process(*process).hash;
            self.parts.random.draw(Purpose::Balance, hash, [me.hash, somebody])
        };
        plan.names.anycast(address).iter().copied().max_by_key(weight)
    }

    /// Remembers where a name leads, for as long as this process keeps records.
    pub fn learn(&mut self, name: ProcessId, address: Address, ttl: Span) {
        let keeps = self.parts.plan.names.dns(self.parts.plan.process(self.parts.me).node);
        self.parts.names.learn(name, address, keeps.until(self.parts.now, ttl));
    }

    /// Keeps a credential for one of the needs of this process.
    pub fn hold_credential(&mut self, credential: Credential) {
        self.parts.names.hold(credential);
    }

    /// A callee refused the credential for this need. True: another one will be fetched.
    pub fn credential_refused(&mut self, need: u16) -> bool {
        self.parts.names.refuse(need)
    }

    /// The needs whose credentials were refused since the last time.
    pub fn refused_credentials(&mut self) -> Vec<u16> {
        self.parts.names.take_refused()
    }

    /// The credential for a need, if there is one that is good.
    #[must_use]
    pub fn credential(&self, need: u16) -> Option<Credential> {
        self.parts.names.credential(need, self.parts.wall)
    }

    /// Observes that a fault altered what this process makes of another.
    pub fn touched_about(&mut self, subject: ProcessId, strike: Strike) {
        let what = What::TouchedProcess { subject };
        self.note(ConnectionId::NONE, Item::default(), FaultMask::of(strike.fault), what);
    }

    /// Passes a point of a recipe. Only the points that some fault watches cost anything.
    pub fn point(&mut self, step: u16, point: Point, item: Item, run: u64) {
        if self.parts.faults.watches(step, point) {
            self.parts.effects.push(Effect::Point { step, point, item, run });
        }
    }

    /// Starts a dormant slot.
    pub fn start_slot(&mut self, slot: ProcessId) {
        self.parts.effects.push(Effect::StartSlot(slot));
    }

    /// Stops a slot in good order.
    pub fn stop_slot(&mut self, slot: ProcessId) {
        self.parts.effects.push(Effect::StopSlot(slot));
    }
}
