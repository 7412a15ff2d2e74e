//! The trigger `every 15m`: a run without items.

use crate::message::Cargo;
use crate::node::Context;
use crate::recipe::fed::{execution, space};
use crate::recipe::run::Start;
use crate::recipe::trigger::Ticket;
use crate::time::Span;

const TICK: u64 = space::TICK << 56;

/// The ticks of one instance.
#[derive(Clone, Debug)]
pub struct Ticker {
    every: Span,
    /// Whether it ticks.
    on: bool,
    /// Whether the next tick is on its way.
    due: bool,
}

impl Ticker {
    /// A tick every so often, the first after one period.
    #[must_use]
    pub fn new(every: Span) -> Ticker {
        Ticker { every, on: false, due: false }
    }

    /// Forgets the next tick; those that were missed while the process was down do not come again
    /// (facts 4.3).
    pub fn crash(&mut self) {
        *self = Ticker::new(self.every);
    }

    /// Begins to tick, in step with the clock and not with the start of the process.
    pub fn begin(&mut self, cx: &mut Context<'_>) {
        self.on = true;
        if !self.due {
            self.due = true;
            let passed = cx.wall().0 % self.every.0.max(1);
            cx.timer(Span(self.every.0 - passed), TICK, false);
        }
    }

    /// Ticks no more, until it begins again.
    pub fn stop(&mut self) {
        self.on = false;
    }

    /// Takes a tick.
    pub fn on_timer(&mut self, token: u64, app: u64, cx: &mut Context<'_>) -> Option<Start> {
        if token != TICK {
            return None;
        }
        self.due = false;
        if !self.on {
            return None;
        }
        self.begin(cx);
        let number = cx.wall().0 / self.every.0.max(1);
        let execution = execution(app, number, 0);
        Some(Start { ticket: Ticket(0), cargo: Cargo::None, execution, attempt: number })
    }
}
