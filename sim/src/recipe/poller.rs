//! A table as a trigger: it is polled, the oldest rows first, one batch at a time.

use crate::client::names::Resolved;
use crate::ids::{Address, Item, ProcessId};
use crate::message::{Body, Message, name, store};
use crate::node::Context;
use crate::observe::Outcome;
use crate::recipe::fed::{execution, space};
use crate::recipe::position::Ending;
use crate::recipe::run::Start;
use crate::recipe::trigger::Ticket;
use crate::time::{Span, Time};

/// After so long an answer to a poll is not waited for any more; the command timeout of ADO.NET \[K\].
const GIVE_UP: Span = Span::secs(30);
const TICK: u64 = space::POLL << 56;
const TAG: u32 = (space::POLL as u32) << 24;

/// What a poller is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Polling {
    /// The table.
    pub table: Address,
    /// How often it looks when there is nothing more.
    pub every: Span,
    /// At most so many rows in one run.
    pub batch: u32,
    /// The hash of the app's name.
    pub app: u64,
}

/// The polls of one instance.
#[derive(Clone, Debug)]
pub struct Poller {
    polling: Polling,
    /// Whom it asked last.
    at: ProcessId,
    /// When the poll that is under way was sent; `NEVER`: none is.
    asked: Time,
    /// The number of that poll, so that a late answer to an earlier one is recognised.
    number: u32,
    /// Whether a batch is being handled.
    busy: bool,
    /// Whether the last batch was full, so that there is more.
    more: bool,
    /// Whether it looks no more, until it begins again.
    stopped: bool,
    /// Whether the next tick is on its way.
    ticks: bool,
    /// How often in a row a batch was not finished; tells the draws of repeated runs apart.
    failures: u64,
}

impl Poller {
    /// A poller that has not begun.
    #[must_use]
    pub fn new(polling: Polling) -> Poller {
        Poller {
            polling,
            at: polling.table.process,
            asked: Time::NEVER,
            number: 0,
            busy: false,
            more: false,
            stopped: false,
            ticks: false,
            failures: 0,
        }
    }

    /// Forgets what is under way: the process died.
    pub fn crash(&mut self) {
        *self = Poller::new(self.polling);
    }

    /// Begins to poll.
    pub fn begin(&mut self, cx: &mut Context<'_>) {
        self.stopped = false;
        if !self.busy {
            self.poll(cx);
        }
        if !self.ticks {
            self.tick(cx);
        }
    }

    fn tick(&mut self, cx: &mut Context<'_>) {
        self.ticks = true;
        cx.timer(self.polling.every, TICK, false);
    }

    /// Looks no more; what it has in hand goes on, and what an answer brings stays where it is.
    pub fn stop(&mut self) {
        (self.stopped, self.more) = (true, false);
        self.asked = Time::NEVER;
    }

    fn poll(&mut self, cx: &mut Context<'_>) {
        self.number = (self.number + 1) & 0x00ff_ffff;
        self.asked = cx.now();
        self.more = false;
        match cx.resolve(self.polling.table, Item::default()) {
            Resolved::At(at) => {
                self.at = at.process;
                let command = store::Command::Poll { part: at.part, max: self.polling.batch };
                let message = Message { tag: TAG | self.number, ..Message::new(Body::Store(command)) };
                cx.tell(at.process, message);
            }
            Resolved::Ask(name) => {
                cx.datagram(name, Message { tag: TAG | self.number, ..Message::new(Body::Lookup) });
            }
        }
    }

    /// The connection to the database is gone: its answer will not come.
    pub fn on_closed(&mut self, peer: ProcessId) {
        if peer == self.at {
            self.asked = Time::NEVER;
        }
    }

    /// Takes a tick.
    pub fn on_timer(&mut self, token: u64, cx: &mut Context<'_>) {
        if token != TICK {
            return;
        }
        self.ticks = false;
        if self.stopped {
            return;
        }
        let waits = self.asked != Time::NEVER && cx.now().since(self.asked) < GIVE_UP;
        if !self.busy && !waits {
            self.poll(cx);
        }
        self.tick(cx);
    }

    /// Takes the answer to a poll; a run starts if there are rows.
    pub fn on_message(&mut self, from: ProcessId, message: &Message, cx: &mut Context<'_>) -> Option<Start> {
        if message.tag != TAG | self.number || self.asked == Time::NEVER {
            return None;
        }
        let answer = match message.body {
            Body::StoreAnswer(answer) => answer,
            Body::Record(name::Answer::Record { address, ttl }) => {
                cx.learn(from, address, ttl);
                self.poll(cx);
                return None;
            }
            _ => return None,
        };
        self.asked = Time::NEVER;
        if !matches!(answer, store::Answer::Rows { .. }) {
            return None; // it looks again at the next tick
        }
        let first = message.cargo.first()?;
        self.busy = true;
        self.more = message.cargo.items().len() as u32 >= self.polling.batch;
        // The table does not count deliveries; the instant tells two runs for the same rows apart.
        let execution = execution(self.polling.app, first.identity(), cx.now().0);
        Some(Start { ticket: Ticket(0), cargo: message.cargo.clone(), execution, attempt: self.failures })
    }

    /// The run is over. What it did not delete is still there.
    pub fn ended(&mut self, ending: Ending) {
        self.busy = false;
        let well = ending.outcome == Outcome::Ok;
        self.failures = if well { 0 } else { self.failures + 1 };
        self.more &= well;
    }

    /// Polls again at once where the last batch was full.
    pub fn go_on(&mut self, cx: &mut Context<'_>) {
        if self.more && !self.busy {
            self.poll(cx);
        }
    }
}
