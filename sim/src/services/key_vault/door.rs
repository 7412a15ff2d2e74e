//! The name of a vault that has a copy, and the platform's watch over its region: after a few minutes
//! without an answer the name leads to the copy, and back when the region has been there again for a while. Nobody
//! is asked.

use crate::ids::{Item, ProcessId};
use crate::message::{Body, Message};
use crate::node::{Context, Input, Process};
use crate::observe::{Belief, Held};
use crate::random::Purpose;
use crate::services::front::control_is_down;
use crate::services::replicas::NameServer;
use crate::time::{Span, Time};
use crate::units::{Distribution, Sampler};

/// How often the region is probed \[K\].
const EVERY: Span = Span::secs(10);
/// Marks the timer of the watch.
const LOOK: u64 = 1 << 40;

/// The name servers of a vault and the watch over it.
#[derive(Clone, Debug)]
pub(super) struct Door {
    names: NameServer,
    vault: ProcessId,
    copy: ProcessId,
    failover: Sampler,
    failback: Sampler,
    /// Durable: whether the name leads to the copy.
    away: bool,
    /// How often it has moved.
    moved: u32,
    /// Whether the last probe was answered.
    well: bool,
    /// Since when the probes have said otherwise than where the name leads.
    since: Option<Time>,
}

impl Door {
    pub(super) fn new(vault: ProcessId, copy: ProcessId, ttl: Span, moves: (Sampler, Sampler)) -> Door {
        let lookup = Distribution::Lognormal { median: Span::millis(25), p99: Span::millis(100) };
        let names = NameServer::new(vault, ttl, lookup.sampler());
        let (failover, failback) = moves;
        Door { names, vault, copy, failover, failback, away: false, moved: 0, well: true, since: None }
    }

    fn look(&mut self, cx: &mut Context<'_>) {
        cx.timer(EVERY, LOOK, false);
        let well = std::mem::take(&mut self.well);
        cx.datagram(self.vault, Message::new(Body::Probe));
        if well != self.away {
            self.since = None;
            return;
        }
        let now = cx.now();
        let since = *self.since.get_or_insert(now);
        let takes = if self.away { &self.failback } else { &self.failover };
        let takes = takes.at(cx.draw(Purpose::Work, [u64::from(self.moved), Item::default().identity()]));
        // The platform's own failover is the work of its control plane.
        if now.since(since) < takes || control_is_down(cx) {
            return;
        }
        (self.away, self.since, self.moved) = (!self.away, None, self.moved + 1);
        self.names.lead(if self.away { self.copy } else { self.vault });
        cx.believe(self.vault, Belief::Ready(!self.away));
    }
}

impl Process for Door {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        match input {
            Input::Start => {
                self.well = true;
                cx.timer(EVERY, LOOK, false);
            }
            Input::Timer(LOOK) => self.look(cx),
            Input::Message { from, message: Message { body: Body::ProbeAnswer { ready }, .. }, .. }
                if from == self.vault =>
            {
                self.well |= ready;
            }
            other => self.names.handle(other, cx),
        }
    }

    fn crash(&mut self) {
        (self.well, self.since) = (true, None);
        self.names.crash();
    }

    fn inventory(&self, _: &mut dyn FnMut(Held)) {}

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}
