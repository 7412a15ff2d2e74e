//! The process that stands for one replica of a guest. It does what the guest asks with the clients that
//! every other caller has, and keeps the books of what the guest holds.
//!
//! A message that was taken for good (receive-and-delete) is held by the guest from then on, at a place
//! that bears the name of the node: it ends there when it is completed, and is destroyed when the guest
//! drops it or dies.

mod calls;
mod intakes;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::guest::mailbox::Mailbox;
use crate::guest::request::{Reply, Request};
use crate::ids::{ConnectionId, Item, PlaceId, ProcessId};
use crate::message::{Body, Message, control};
use crate::node::{Context, Input, Process};
use crate::observe::{End, Handling, Held, Outcome, Symptom, What};
use crate::random::Purpose;
use crate::time::{Span, Time};
use crate::units::Sampler;
use calls::Calls;
use intakes::{Intake, Open};

/// What the node says about its replicas.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The hash of the node's name; enters draws.
    pub app: u64,
    /// Where what a replica took for good rests until it is done with it.
    pub place: PlaceId,
    /// The policy of the calls that name none.
    pub policy: String,
    /// How long a replica takes from its start until its code runs.
    pub start_up: Sampler,
}

const SLEEP: u64 = 250;
const RENEWAL: u64 = 251;
const STARTED: u64 = 252;
const fn token(space: u64, request: u64) -> u64 {
    space << 56 | request & ((1 << 56) - 1)
}

/// How long the answer to a renewal may take: the try time-out of the client library (facts 1.10).
const RENEWAL_TIMEOUT: Span = Span::secs(60);
/// The pause before a program that ended is started again: doubles from the first to at most the second,
/// and is forgotten once the program has run for so long (the crash-loop back-off of Kubernetes \[K\]).
const BACK_OFF: (Span, Span) = (Span::secs(10), Span::mins(5));
const RUNS_WELL: Span = Span::mins(10);

/// One replica of a guest, seen from inside the world.
#[derive(Debug)]
pub struct Port {
    settings: Arc<Settings>,
    mailbox: Arc<Mailbox>,
    /// Whether the guest's code runs, or may.
    serves: bool,
    calls: Calls,
    intakes: Vec<Intake>,
    /// What the guest holds, by the request that received it.
    open: BTreeMap<u64, Open>,
    /// What died with the guest and is not booked yet. A matter of the books, not of the process.
    perished: Vec<Item>,
    /// How often in a row the program ended, and since when it runs: known to whoever starts it, not to
    /// the process, so that a crash does not take it away.
    ended: u32,
    since: Time,
}

impl Port {
    /// A replica that has not started.
    #[must_use]
    pub fn new(settings: Arc<Settings>, mailbox: Arc<Mailbox>) -> Port {
        Port {
            settings,
            mailbox,
            serves: false,
            calls: Calls::default(),
            intakes: Vec::new(),
            open: BTreeMap::new(),
            perished: Vec::new(),
            ended: 0,
            since: Time::ZERO,
        }
    }

    // -- Life. --

    fn start(&mut self, cx: &mut Context<'_>) {
        for item in std::mem::take(&mut self.perished) {
            cx.observe(item, What::Ended { place: self.settings.place, cause: End::Destroyed });
        }
        let draw = cx.draw(Purpose::ColdStart, [0, cx.now().0]);
        let start_up = self.settings.start_up.at(draw);
        let pause = match self.ended {
            0 => Span::ZERO,
            n => BACK_OFF.0.times(1 << (n - 1).min(16)).min(BACK_OFF.1),
        };
        cx.timer(pause + start_up, token(STARTED, 0), false);
    }

    fn serve(&mut self, cx: &mut Context<'_>) {
        self.serves = true;
        self.since = cx.now();
        self.mailbox.begin();
    }

    /// The guest's code returned: a process that exits. Whoever runs it starts it again after a pause.
    fn exit(&mut self, error: Option<String>, cx: &mut Context<'_>) {
        let me = cx.me();
        if let Some(words) = error {
            cx.trouble(me, Symptom::RunFailed);
            self.mailbox.keep_last_words(words);
        }
        let well = cx.now().since(self.since) >= RUNS_WELL;
        self.ended = if well { 1 } else { self.ended + 1 };
        self.serves = false;
        cx.stop_slot(me);
        cx.start_slot(me);
    }

    // -- What the guest asks. --

    fn take_requests(&mut self, cx: &mut Context<'_>) {
        while self.serves
            && let Some((id, request)) = self.mailbox.next()
        {
            self.request(id, request, cx);
        }
    }

    fn request(&mut self, id: u64, request: Request, cx: &mut Context<'_>) {
        match request {
            // While the guest holds a message, its time is spent on it.
            Request::Sleep(span) => cx.timer(span, token(SLEEP, id), !self.open.is_empty()),
            Request::Work(span) => cx.timer(cx.busy(span), token(SLEEP, id), true),
            Request::Receive(from) => {
                if let Err(wrong) = self.receive(id, &from, cx) {
                    self.mailbox.reply(id, Reply::Wrong(wrong));
                }
            }
            Request::Settle { delivery, how } => self.settle(id, delivery, how, cx),
            Request::Renew { delivery } => self.renew(id, delivery, cx),
            Request::Forget { delivery } => self.forget(delivery, cx),
            Request::Call(call) => match self.calls.begin(id, &call, &self.settings, self.since, cx) {
                Ok(()) => self.progress(cx),
                Err(wrong) => drop(self.mailbox.reply(id, Reply::Wrong(wrong))),
            },
            Request::Withdraw { request } => {
                self.calls.cancel(request, cx);
                self.progress(cx);
                self.put_back(request, cx);
            }
            Request::Exit { error } => self.exit(error, cx),
        }
    }

    /// Answers the calls that are over.
    fn progress(&mut self, cx: &mut Context<'_>) {
        while let Some((request, outcome)) = self.calls.next() {
            self.mailbox.reply(request, Reply::Done(outcome));
        }
        self.share_back_off(cx);
    }

    /// One client serves all callers and receivers of a broker: what one is told, all heed (facts 1.2).
    fn share_back_off(&mut self, cx: &Context<'_>) {
        let receivers =
            self.intakes.iter().map(|intake| (intake.receiver.broker(), intake.receiver.busy_until()));
        let busy: Vec<(ProcessId, Time)> =
            self.calls.busy().chain(receivers).filter(|(_, until)| *until > cx.now()).collect();
        for (broker, until) in busy {
            self.calls.back_off(broker, until);
            for intake in self.intakes.iter_mut().filter(|intake| intake.receiver.broker() == broker) {
                intake.receiver.back_off(until);
            }
        }
    }

    // -- Inputs. --

    fn message(
        &mut self,
        from: ProcessId,
        connection: ConnectionId,
        message: &Message,
        cx: &mut Context<'_>,
    ) {
        match message.body {
            Body::Probe => {
                cx.datagram(from, message.answer(Body::ProbeAnswer { ready: self.serves }));
            }
            Body::Control(command) => {
                let answer = match command {
                    control::Command::Verify { .. } => {
                        let what = What::Handled { call: message.call, how: Handling::Stored };
                        cx.observe_on(connection, Item::default(), what);
                        control::Answer::State { up: self.serves, in_sync: true }
                    }
                    _ => control::Answer::Refused,
                };
                cx.answer(connection, message.answer(Body::ControlAnswer(answer)));
            }
            _ if self.calls.on_message(message, cx) => {}
            _ => {
                let mut intakes = self.intakes.iter_mut();
                let _ = intakes.any(|intake| intake.receiver.on_message(cx, from, message));
            }
        }
    }

    fn timer(&mut self, timer: u64, cx: &mut Context<'_>) {
        let request = timer & ((1 << 56) - 1);
        match timer >> 56 {
            STARTED => self.serve(cx),
            SLEEP => drop(self.mailbox.reply(request, Reply::Woken)),
            RENEWAL => self.renewal_over(request),
            _ if self.calls.on_timer(timer, cx) => {}
            _ => {
                let mut intakes = self.intakes.iter_mut();
                let _ = intakes.any(|intake| intake.receiver.on_timer(cx, timer));
            }
        }
    }

    fn renewal_over(&mut self, request: u64) {
        let open = self.open.values_mut().find(|open| open.renewing == Some(request));
        if let Some(open) = open {
            open.renewing = None;
            self.mailbox.reply(request, Reply::Done(Outcome::Unknown));
        }
    }
}

impl Process for Port {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        self.mailbox.set_now(cx.now(), cx.wall());
        match input {
            Input::Start => self.start(cx),
            Input::Message { from, connection, message } => self.message(from, connection, &message, cx),
            Input::Timer(token) => self.timer(token, cx),
            Input::Closed { peer, .. } => {
                self.calls.on_closed(peer, cx);
                for intake in &mut self.intakes {
                    intake.receiver.on_closed(cx, peer);
                }
            }
            Input::Disk(..) | Input::Poke => {}
        }
        self.progress(cx);
        self.take_in(cx);
        self.take_requests(cx);
    }

    fn crash(&mut self) {
        let mut died = Vec::new();
        self.held(&mut |item| died.push(item));
        self.perished.extend(died);
        self.mailbox.close();
        self.serves = false;
        self.calls = Calls::default();
        self.intakes.clear();
        self.open.clear();
    }

    fn inventory(&self, out: &mut dyn FnMut(Held)) {
        let place = self.settings.place;
        self.held(&mut |item| out(Held { place, item, copies: 1, rest: false, shut: false }));
        for item in &self.perished {
            // Nobody will ever have it again; it is only not booked yet.
            out(Held { place, item: *item, copies: 1, rest: true, shut: false });
        }
    }

    fn mailbox(&self) -> Option<Arc<Mailbox>> {
        Some(Arc::clone(&self.mailbox))
    }

    /// The copy has a door of its own, at which nobody is: code that is running cannot be copied.
    fn clone_box(&self) -> Box<dyn Process> {
        let door = &self.mailbox;
        Box::new(Port {
            settings: Arc::clone(&self.settings),
            mailbox: Mailbox::new(door.node(), door.program(), door.replica()),
            serves: self.serves,
            calls: self.calls.clone(),
            intakes: self.intakes.clone(),
            open: self.open.clone(),
            perished: self.perished.clone(),
            ended: self.ended,
            since: self.since,
        })
    }
}
