//! One instance of an app: its trigger, the interpreter of its recipe, and whether it is ready. The same
//! for every host; hosts differ in what they are configured to be.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::client::keyring::Keyring;
use crate::client::names::Resolved;
use crate::faults::Hook;
use crate::faults::local::Value;
use crate::ids::{Address, ConnectionId, Item, ProcessId};
use crate::message::broker::Settlement;
use crate::message::{Body, Message, control, http, name};
use crate::node::{Context, Gauge, Input, Process};
use crate::observe::{Handling, Held, Outcome, Symptom, What};
use crate::random::{Purpose, mix};
use crate::recipe::alarm::Alarm;
use crate::recipe::fed::{Fed, execution, space};
use crate::recipe::feeder::Feeder;
use crate::recipe::intake::Intake;
use crate::recipe::poller::Poller;
use crate::recipe::position::{Ending, RunId};
use crate::recipe::requests::Requests;
use crate::recipe::run::{Interpreter, Start};
use crate::recipe::ticker::Ticker;
use crate::recipe::trigger::{Acknowledged, Door, Ticket};
use crate::time::{Span, Time};
use crate::units::Sampler;

/// How long a person who has done everything waits for more before turning to something else.
const TURNS_AWAY: Span = Span::secs(30);
const STARTED: u64 = space::LIFE << 56 | 1;
const NOTICED: u64 = space::LIFE << 56 | 2;
const IDLE: u64 = space::LIFE << 56 | 3;
const ASK: u64 = space::LIFE << 56 | 4;
/// So long an instance waits for the leave to begin before it asks again.
const PATIENCE: Span = Span::secs(5);
/// The top byte of the marks of its questions about the nodes that it depends on; no caller has it.
const HEALTH: u32 = 254;

/// What the host says about its instances.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where readiness is reported; none where nobody balances or scales.
    pub front: Option<ProcessId>,
    /// The number of the instance.
    pub index: u16,
    /// How long an instance takes from its start until it serves.
    pub start_up: Sampler,
    /// How many runs at once; more wait.
    pub concurrency: u32,
    /// How long a person takes to notice that there is something to do; none for machines.
    pub notices: Option<Sampler>,
    /// Whether a further request for an item joins the run that there is or was.
    pub joins: bool,
    /// The nodes without which it does not call itself ready.
    pub health: Vec<ProcessId>,
    /// Whether it begins only when its front says so: its app can be switched off.
    pub asks: bool,
    /// Whether it is a managed workflow: it is switched itself, and goes on with the runs that it has.
    pub managed: bool,
    /// At most so many requests wait for one of the `concurrency` places; more are answered 429.
    pub most_waiting: usize,
}

/// How far an instance is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Life {
    /// Not serving yet.
    #[default]
    Starting,
    Serving,
    /// Goes on with the runs that it has and begins none: its app is switched off, or it has not been told
    /// yet that it is on.
    Off,
    /// Finishes what it has and takes nothing new; then tells the front, whose command this was.
    Draining(ProcessId),
    Drained,
}

/// What is known of a node on which the readiness depends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Dependency {
    /// Whether a probe is under way.
    asked: bool,
    /// Whether it did not answer, or said no.
    down: bool,
}

/// What a person does about the work; machines attend from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attention {
    /// Does not know of any work.
    Away,
    /// Will notice soon.
    Noticing,
    /// Is at it.
    Attending,
    /// Has nothing to do, and turns to something else soon.
    Leaving,
}

/// The trigger of an instance.
#[derive(Clone, Debug)]
pub enum Trigger {
    /// Requests and pushes.
    Requests(Requests),
    /// A polled table.
    Poller(Poller),
    /// A timer.
    Ticker(Ticker),
    /// An alert.
    Alarm(Alarm),
    /// A change feed or an event hub.
    Feeder(Feeder),
    /// A queue, subscription or dead-letter queue.
    Intake(Box<Intake>),
}

/// One instance.
#[derive(Clone, Debug)]
pub struct Worker {
    settings: Arc<Settings>,
    trigger: Trigger,
    interpreter: Interpreter,
    life: Life,
    /// Whether its control plane has told it what is wanted, where it is switched itself.
    told: bool,
    /// Runs that wait for one of the `concurrency` places.
    waiting: VecDeque<Start>,
    attention: Attention,
    /// What is known of the `health` nodes, in their order.
    dependencies: Vec<Dependency>,
    /// The credentials that its calls need; none where they need none.
    keyring: Option<Box<Keyring>>,
    /// Whether it is up, and waits for its credentials before it serves.
    waits_for_keys: bool,
}

impl Worker {
    /// A new instance.
    #[must_use]
    pub fn new(settings: Arc<Settings>, trigger: Trigger, interpreter: Interpreter) -> Worker {
        let dependencies = vec![Dependency::default(); settings.health.len()];
        let program = interpreter.program();
        let keyring = (!program.needs.is_empty())
            .then(|| Box::new(Keyring::new(Arc::clone(&program.needs), program.app, space::KEYS)));
        Worker {
            keyring,
            waits_for_keys: false,
            settings,
            trigger,
            interpreter,
            life: Life::default(),
            told: false,
            waiting: VecDeque::new(),
            attention: Attention::Away,
            dependencies,
        }
    }

    fn start(&mut self, cx: &mut Context<'_>) {
        let identity = [0, cx.now().0];
        let mut after = self.settings.start_up.at(cx.draw(Purpose::ColdStart, identity));
        for hook in [Hook::ColdStart, Hook::SlowStart] {
            if let Some(strike) = cx.strike(hook, 0, Item::default(), cx.now().0) {
                after = after
                    + longer(strike.value, after, cx.draw(Purpose::ColdStart, [identity[0], hook as u64]));
            }
        }
        cx.timer(after, STARTED, false);
        if let Some(keyring) = &mut self.keyring {
            keyring.begin(cx);
        }
    }

    fn started(&mut self, cx: &mut Context<'_>) {
        self.waits_for_keys = self.keyring.as_ref().is_some_and(|keyring| !keyring.is_settled());
        if self.waits_for_keys {
            return;
        }
        if let Some(front) = self.settings.front {
            let ready = control::Command::Ready { instance: self.settings.index };
            cx.tell(front, Message::new(Body::Control(ready)));
        }
        if self.settings.asks {
            cx.timer(PATIENCE, ASK, false);
            if self.settings.managed && self.life == Life::Starting {
                self.life = Life::Off;
                self.interpreter.resume(&mut self.trigger, cx);
            }
        } else {
            self.interpreter.resume(&mut self.trigger, cx);
            self.serve(cx);
        }
    }

    fn serve(&mut self, cx: &mut Context<'_>) {
        self.life = Life::Serving;
        match &mut self.trigger {
            Trigger::Requests(_) | Trigger::Alarm(_) => {}
            Trigger::Poller(poller) => poller.begin(cx),
            Trigger::Ticker(ticker) => ticker.begin(cx),
            Trigger::Feeder(feeder) => feeder.begin(cx),
            Trigger::Intake(intake) => intake.begin(cx),
        }
    }

    /// Whether an answer was one for the keyring.
    fn key_came(&mut self, message: &Message, cx: &mut Context<'_>) -> bool {
        self.keyring.as_mut().is_some_and(|keyring| keyring.on_message(message, cx))
    }

    /// Goes on with its start when it has what it needs.
    fn look_at_keys(&mut self, cx: &mut Context<'_>) {
        while let Some(need) = self.keyring.as_mut().and_then(|keyring| keyring.fetched()) {
            self.interpreter.credential_came(need, &mut self.trigger, cx);
        }
        if self.waits_for_keys && self.keyring.as_ref().is_none_or(|keyring| keyring.is_settled()) {
            self.started(cx);
        }
    }

    fn message(&mut self, from: ProcessId, connection: ConnectionId, message: Message, cx: &mut Context<'_>) {
        if self.key_came(&message, cx) {
            return self.look_at_keys(cx);
        }
        match &message.body {
            Body::Probe => {
                // A hung process does not answer at all.
                if cx.visible(Hook::Hang, 0).is_none() {
                    self.ask_dependencies(cx);
                    let healthy = self.dependencies.iter().all(|node| !node.down);
                    let ready = self.life == Life::Serving && healthy;
                    cx.datagram(from, message.answer(Body::ProbeAnswer { ready }));
                }
            }
            Body::ProbeAnswer { ready } => {
                if message.tag >> 24 == HEALTH
                    && let Some(known) = self.dependencies.get_mut((message.tag & 0xffff) as usize)
                {
                    *known = Dependency { asked: false, down: !*ready };
                }
            }
            Body::Control(control::Command::Enable { on, .. }) if self.settings.front == Some(from) => {
                if self.settings.managed {
                    self.switch(*on, cx);
                    cx.answer(connection, message.answer(Body::ControlAnswer(control::Answer::Done)));
                } else if *on && self.life == Life::Starting {
                    self.serve(cx);
                }
            }
            Body::Record(name::Answer::Record { address, ttl }) if message.tag >> 24 == HEALTH => {
                cx.learn(from, *address, *ttl);
                self.ask_dependency((message.tag & 0xffff) as usize, cx);
            }
            Body::Control(control::Command::Drain) => {
                self.life = Life::Draining(from);
                match &mut self.trigger {
                    Trigger::Feeder(feeder) => feeder.stop(cx),
                    Trigger::Intake(intake) => intake.stop(cx),
                    _ => {}
                }
            }
            Body::Request(request) => self.request(connection, &message, *request, cx),
            Body::Control(command) => self.control(connection, &message, *command, cx),
            _ => {
                if self.interpreter.on_message(&message, &mut self.trigger, cx) {
                    return;
                }
                match &mut self.trigger {
                    Trigger::Poller(poller) => {
                        let start = poller.on_message(from, &message, cx);
                        self.waiting.extend(start);
                    }
                    Trigger::Feeder(feeder) => {
                        let fed = feeder.on_message(&message, cx);
                        self.fed(fed, cx);
                    }
                    Trigger::Intake(intake) => {
                        intake.on_message(from, &message, cx);
                        let (broker, until) = intake.busy();
                        if until > cx.now() {
                            self.interpreter.back_off(broker, until);
                        }
                    }
                    Trigger::Requests(_) | Trigger::Ticker(_) | Trigger::Alarm(_) => {}
                }
            }
        }
    }

    /// A managed workflow is switched on or off. Off, its trigger does not fire; runs that have begun, and
    /// those that wait for a place, go on (facts 5).
    fn switch(&mut self, on: bool, cx: &mut Context<'_>) {
        self.told = true;
        match (self.life, on) {
            (Life::Off, true) => self.serve(cx),
            (Life::Serving, false) => {
                self.life = Life::Off;
                match &mut self.trigger {
                    Trigger::Requests(_) | Trigger::Alarm(_) => {}
                    Trigger::Poller(poller) => poller.stop(),
                    Trigger::Ticker(ticker) => ticker.stop(),
                    Trigger::Feeder(feeder) => feeder.stop(cx),
                    Trigger::Intake(intake) => intake.pause(cx),
                }
            }
            _ => {}
        }
    }

    /// Probes the nodes on which its own readiness depends. One that did not answer since the last time
    /// is down.
    fn ask_dependencies(&mut self, cx: &mut Context<'_>) {
        for index in 0..self.dependencies.len() {
            let known = &mut self.dependencies[index];
            known.down |= known.asked;
            known.asked = true;
            self.ask_dependency(index, cx);
        }
    }

    fn ask_dependency(&self, index: usize, cx: &mut Context<'_>) {
        let Some(node) = self.settings.health.get(index) else { return };
        // Where its clients would write: of a store in several regions the own one, if that takes writes.
        let (to, body) = match cx.resolve_nearest(Address { process: *node, part: 0 }, true, Item::NONE) {
            Resolved::At(at) => (at.process, Body::Probe),
            Resolved::Ask(name) => (name, Body::Lookup),
        };
        cx.datagram(to, Message { tag: HEALTH << 24 | index as u32, ..Message::new(body) });
    }

    /// Where there is no front, an instance says itself how it is; it cannot switch itself off.
    fn control(
        &mut self,
        connection: ConnectionId,
        message: &Message,
        command: control::Command,
        cx: &mut Context<'_>,
    ) {
        let answer = match command {
            control::Command::Raise { number } => self.raised(connection, message, number, cx),
            control::Command::Verify { .. } => {
                cx.handled_about(connection, Item::default(), message.call, Handling::Stored);
                control::Answer::State { up: self.life == Life::Serving, in_sync: true }
            }
            _ => control::Answer::Refused,
        };
        cx.answer(connection, message.answer(Body::ControlAnswer(answer)));
    }

    fn raised(
        &mut self,
        connection: ConnectionId,
        message: &Message,
        number: u32,
        cx: &mut Context<'_>,
    ) -> control::Answer {
        let Trigger::Alarm(alarm) = &mut self.trigger else { return control::Answer::Refused };
        if self.life != Life::Serving {
            return control::Answer::Refused;
        }
        let start = alarm.raised(number, self.interpreter.program().app);
        let how = if start.is_some() { Handling::Stored } else { Handling::Suppressed };
        cx.handled_about(connection, Item::default(), message.call, how);
        self.waiting.extend(start);
        control::Answer::Done
    }

    fn request(
        &mut self,
        connection: ConnectionId,
        message: &Message,
        request: http::Request,
        cx: &mut Context<'_>,
    ) {
        let Trigger::Requests(requests) = &mut self.trigger else {
            return respond(connection, message, 404, cx);
        };
        match self.life {
            Life::Serving => {}
            // The trigger of a workflow that is switched off is not found [K].
            Life::Off if self.told => {
                let item = message.cargo.first().unwrap_or_default();
                cx.handled_about(connection, item, message.call, Handling::Rejected);
                return respond(connection, message, 404, cx);
            }
            _ => return respond(connection, message, 503, cx),
        }
        if request.verb == http::Verb::Validate {
            // Its ingress counts it as a call; a handshake has no effect.
            let item = message.cargo.first().unwrap_or_default();
            cx.handled_about(connection, item, message.call, Handling::Suppressed);
            return respond(connection, message, 200, cx);
        }
        let item = message.cargo.first().unwrap_or_default();
        if self.settings.joins {
            match joined(&mut self.interpreter, requests, connection, message, item) {
                Joined::No => {}
                Joined::Waits => return,
                Joined::Answered(status) => {
                    cx.handled_about(connection, item, message.call, Handling::Suppressed);
                    return respond(connection, message, status, cx);
                }
            }
        }
        if self.waiting.len() >= self.settings.most_waiting {
            cx.observe(item, What::Symptom(Symptom::Throttled));
            return respond(connection, message, 429, cx);
        }
        let identity = request.key.unwrap_or_else(|| mix(item.identity(), u64::from(item.kind.0)));
        let attempt = mix(request.execution.run, u64::from(message.attempt));
        let execution = execution(self.interpreter.program().app, identity, attempt);
        let ticket = requests.accept(connection, message);
        let start =
            Start { ticket, cargo: message.cargo.clone(), execution, attempt: u64::from(message.attempt) };
        if self.interpreter.len() as u32 >= self.settings.concurrency {
            cx.observe(item, What::Symptom(Symptom::Throttled));
        }
        self.waiting.push_back(start);
    }

    fn timer(&mut self, token: u64, cx: &mut Context<'_>) {
        if self.keyring.as_mut().is_some_and(|keyring| keyring.on_timer(token, cx)) {
            return self.look_at_keys(cx);
        }
        match token {
            STARTED => self.started(cx),
            ASK if self.life == Life::Starting || self.life == Life::Off && !self.told => self.started(cx),
            ASK => {}
            NOTICED => self.attention = Attention::Attending,
            IDLE if self.attention == Attention::Leaving => self.attention = Attention::Away,
            IDLE => {}
            _ if self.interpreter.on_timer(token, &mut self.trigger, cx) => {}
            _ => match &mut self.trigger {
                Trigger::Poller(poller) => poller.on_timer(token, cx),
                Trigger::Ticker(ticker) => {
                    let app = self.interpreter.program().app;
                    let start = ticker.on_timer(token, app, cx);
                    self.waiting.extend(start);
                }
                Trigger::Feeder(feeder) => {
                    let fed = feeder.on_timer(token, cx);
                    self.fed(fed, cx);
                }
                Trigger::Intake(intake) => {
                    intake.on_timer(token, cx);
                }
                Trigger::Requests(_) | Trigger::Alarm(_) => {}
            },
        }
    }

    /// Takes what the receiver of a broker has to say.
    fn take_in(&mut self, cx: &mut Context<'_>) {
        while let Trigger::Intake(intake) = &mut self.trigger
            && let Some(fed) = intake.next(cx)
        {
            self.fed(Some(fed), cx);
        }
    }

    fn fed(&mut self, fed: impl IntoIterator<Item = Fed>, cx: &mut Context<'_>) {
        for fed in fed {
            match fed {
                Fed::Start(start) => self.waiting.push_back(start),
                Fed::Acknowledged(run, outcome) => {
                    self.interpreter.acknowledged(run, outcome, &mut self.trigger, cx);
                }
            }
        }
    }

    fn closed(&mut self, peer: ProcessId, cx: &mut Context<'_>) {
        if let Some(keyring) = &mut self.keyring {
            keyring.on_closed(peer, cx);
            self.look_at_keys(cx);
        }
        self.interpreter.on_closed(peer, &mut self.trigger, cx);
        match &mut self.trigger {
            Trigger::Feeder(feeder) => {
                let fed = feeder.on_closed(peer, cx);
                self.fed(fed, cx);
            }
            Trigger::Intake(intake) => intake.on_closed(peer, cx),
            Trigger::Poller(poller) => poller.on_closed(peer),
            Trigger::Requests(_) | Trigger::Ticker(_) | Trigger::Alarm(_) => {}
        }
    }

    /// Starts what may start, and goes when it was told to and nothing is left.
    fn flow(&mut self, cx: &mut Context<'_>) {
        self.take_in(cx);
        if self.is_noticed(cx) {
            while (self.interpreter.len() as u32) < self.settings.concurrency
                && let Some(start) = self.waiting.pop_front()
            {
                self.interpreter.start(start, &mut self.trigger, cx);
                self.take_in(cx);
            }
        }
        if let Trigger::Poller(poller) = &mut self.trigger {
            poller.go_on(cx);
        }
        if let Life::Draining(front) = self.life
            && self.interpreter.is_empty()
            && self.waiting.is_empty()
        {
            self.life = Life::Drained;
            let done = Body::ControlAnswer(control::Answer::Done);
            cx.tell(front, Message { tag: u32::from(self.settings.index), ..Message::new(done) });
        }
    }

    /// A run took too long: the platform restarts the instance, and everything in it is lost.
    fn too_long(&mut self, cx: &mut Context<'_>) {
        let me = cx.me();
        cx.trouble(me, Symptom::Timeout);
        cx.stop_slot(me);
        cx.start_slot(me);
    }

    /// Whether a person knows that there is work; machines always do.
    fn is_noticed(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(notices) = &self.settings.notices else { return true };
        let idle = self.interpreter.is_empty() && self.waiting.is_empty();
        match self.attention {
            Attention::Away if !idle => {
                if let Some(first) = self.waiting.front() {
                    let item = first.cargo.first().unwrap_or_default();
                    let draw = cx.draw(Purpose::Human, [item.identity(), first.attempt]);
                    cx.timer(notices.at(draw), NOTICED, true);
                }
                self.attention = Attention::Noticing;
            }
            Attention::Attending if idle => {
                cx.timer(TURNS_AWAY, IDLE, false);
                self.attention = Attention::Leaving;
            }
            Attention::Leaving if !idle => self.attention = Attention::Attending,
            _ => {}
        }
        matches!(self.attention, Attention::Attending | Attention::Leaving)
    }
}

/// What becomes of a further request for an item.
enum Joined {
    /// It is the first.
    No,
    /// It waits for the reply of the run that there is.
    Waits,
    /// The run has replied already, with this status.
    Answered(u16),
}

fn joined(
    interpreter: &mut Interpreter,
    requests: &mut Requests,
    connection: ConnectionId,
    message: &Message,
    item: Item,
) -> Joined {
    let status = interpreter.program().status;
    let Some(run) = interpreter.find_item(item) else {
        let seen = interpreter.journal().is_some_and(|journal| journal.has_seen(item));
        return if seen { Joined::Answered(status) } else { Joined::No };
    };
    let ticket = requests.accept(connection, message);
    if interpreter.join(run, ticket) {
        return Joined::Waits;
    }
    requests.forget(ticket);
    Joined::Answered(status)
}

fn respond(connection: ConnectionId, message: &Message, status: u16, cx: &mut Context<'_>) {
    cx.answer(connection, message.answer(Body::Response(http::Response::status(status))));
}

fn longer(value: Value, normal: Span, draw: u64) -> Span {
    match value {
        Value::Span(more) => more,
        Value::Latency(more) => more.sampler().at(draw),
        Value::Number(factor) => normal.scaled(factor.saturating_sub(1000), 1000),
        Value::Rate(_) | Value::None => Span::ZERO,
    }
}

impl Process for Worker {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        match input {
            Input::Start => self.start(cx),
            Input::Message { from, connection, message } => self.message(from, connection, message, cx),
            Input::Timer(token) => self.timer(token, cx),
            Input::Disk(token, result) => {
                self.interpreter.on_disk(token, result.is_ok(), &mut self.trigger, cx);
            }
            Input::Closed { peer, .. } => self.closed(peer, cx),
            Input::Poke => {}
        }
        if let Some(keyring) = &mut self.keyring {
            keyring.tend(cx);
        }
        if self.interpreter.is_overdue() {
            return self.too_long(cx);
        }
        self.flow(cx);
    }

    fn crash(&mut self) {
        self.interpreter.crash();
        match &mut self.trigger {
            Trigger::Requests(requests) => requests.crash(),
            Trigger::Poller(poller) => poller.crash(),
            Trigger::Ticker(ticker) => ticker.crash(),
            Trigger::Alarm(alarm) => alarm.crash(),
            Trigger::Feeder(feeder) => feeder.crash(),
            Trigger::Intake(intake) => intake.crash(),
        }
        self.life = Life::default();
        self.told = false;
        self.waiting.clear();
        self.attention = Attention::Away;
        self.dependencies.fill(Dependency::default());
        self.keyring.iter_mut().for_each(|keyring| keyring.crash());
        self.waits_for_keys = false;
    }

    fn gauges(&self, _: Time, out: &mut dyn FnMut(Gauge)) {
        let Settings { concurrency, most_waiting, .. } = *self.settings;
        if concurrency != u32::MAX {
            let runs = self.interpreter.len() as u64;
            out(Gauge::level("concurrent runs", "runs", runs, concurrency.into()));
        }
        if most_waiting != usize::MAX {
            let waiting = self.waiting.len() as u64;
            out(Gauge::level("waiting requests", "requests", waiting, most_waiting as u64));
        }
        self.interpreter.gauges(out);
    }

    fn inventory(&self, out: &mut dyn FnMut(Held)) {
        if let Some(journal) = self.interpreter.journal() {
            journal.inventory(out);
        }
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}

impl Door for Trigger {
    fn reply(&mut self, ticket: Ticket, status: u16, cx: &mut Context<'_>) {
        if let Trigger::Requests(requests) = self {
            requests.reply(ticket, status, cx);
        }
    }

    fn settle(
        &mut self,
        who: (RunId, Ticket),
        how: Settlement,
        last: bool,
        cx: &mut Context<'_>,
    ) -> Acknowledged {
        match self {
            Trigger::Intake(intake) => intake.settle(who, how, last, cx),
            _ => Acknowledged::Over(Outcome::Failed),
        }
    }

    fn checkpoint(&mut self, run: RunId, ticket: Ticket, cx: &mut Context<'_>) -> Acknowledged {
        match self {
            Trigger::Feeder(feeder) => feeder.checkpoint(run, ticket, cx),
            _ => Acknowledged::Over(Outcome::Failed),
        }
    }

    fn back_off(&mut self, broker: ProcessId, until: Time) {
        if let Trigger::Intake(intake) = self {
            intake.back_off(broker, until);
        }
    }

    fn lock(&self, ticket: Ticket) -> Option<(u32, u64)> {
        match self {
            Trigger::Intake(intake) => intake.lock(ticket),
            _ => None,
        }
    }

    fn ended(&mut self, ticket: Ticket, ending: Ending, cx: &mut Context<'_>) {
        match self {
            Trigger::Requests(requests) => requests.ended(ticket, ending, cx),
            Trigger::Poller(poller) => poller.ended(ending),
            Trigger::Feeder(feeder) => feeder.ended(ticket, ending, cx),
            Trigger::Intake(intake) => intake.ended(ticket, ending, cx),
            Trigger::Ticker(_) | Trigger::Alarm(_) => {}
        }
    }
}

/// The part of an app that is called.
pub const ONLY_PART: u16 = 0;

/// The address of an app.
#[must_use]
pub const fn address(process: ProcessId) -> Address {
    Address { process, part: ONLY_PART }
}
