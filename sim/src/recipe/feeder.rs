//! A change feed, or a consumer group of an event hub, as a trigger: one page of a range is one run; the
//! checkpoint is a step.

use crate::client::feed::{Event, FeedProcessor, Page};
use crate::ids::ProcessId;
use crate::message::Message;
use crate::node::Context;
use crate::observe::Outcome;
use crate::recipe::fed::{Fed, execution};
use crate::recipe::position::{Ending, RunId};
use crate::recipe::run::Start;
use crate::recipe::trigger::{Acknowledged, Ticket};

/// A page that is being handled.
#[derive(Clone, Debug, PartialEq)]
struct Open {
    range: u16,
    upto: u64,
    /// The run that waits for its checkpoint.
    waits: Option<RunId>,
    /// Whether the lease is somebody else's by now.
    lost: bool,
}

/// The feed of one instance.
#[derive(Clone, Debug)]
pub struct Feeder {
    processor: FeedProcessor,
    app: u64,
    open: Vec<Option<Open>>,
    /// How often in a row each range was not finished; tells the draws of repeated runs apart.
    failures: Vec<(u16, u64)>,
    /// Whether the host checkpoints what has failed as well (facts 4.3: the Event Hubs trigger of Functions).
    regardless: bool,
    /// The ranges whose checkpoint the host itself is moving behind a page that has failed, and to where.
    passed: Vec<(u16, u64)>,
}

impl Feeder {
    /// A feeder that holds no lease yet. `app` is the hash of the app's name.
    #[must_use]
    pub fn new(processor: FeedProcessor, app: u64) -> Feeder {
        Feeder {
            processor,
            app,
            open: Vec::new(),
            failures: Vec::new(),
            regardless: false,
            passed: Vec::new(),
        }
    }

    /// The same for a host that checkpoints a page with or without exception.
    #[must_use]
    pub fn regardless(self, regardless: bool) -> Feeder {
        Feeder { regardless, ..self }
    }

    /// Forgets its leases and pages: the process died.
    pub fn crash(&mut self) {
        self.processor.crash();
        self.open.clear();
        self.failures.clear();
        self.passed.clear();
    }

    /// Begins to look for leases.
    pub fn begin(&mut self, cx: &mut Context<'_>) {
        self.processor.on_start(cx);
    }

    /// Gives its leases back, so that others may take them at once.
    pub fn stop(&mut self, cx: &mut Context<'_>) {
        self.processor.release(cx);
    }

    /// Takes an answer of the store.
    pub fn on_message(&mut self, message: &Message, cx: &mut Context<'_>) -> Option<Fed> {
        let event = self.processor.on_message(message, cx)?;
        self.event(event, cx)
    }

    /// Takes a timer.
    pub fn on_timer(&mut self, token: u64, cx: &mut Context<'_>) -> Option<Fed> {
        let event = self.processor.on_timer(token, cx)?;
        self.event(event, cx)
    }

    /// The connection to a process is gone.
    pub fn on_closed(&mut self, peer: ProcessId, cx: &mut Context<'_>) -> Vec<Fed> {
        let events = self.processor.on_closed(peer, cx);
        events.into_iter().filter_map(|event| self.event(event, cx)).collect()
    }

    fn event(&mut self, event: Event, cx: &mut Context<'_>) -> Option<Fed> {
        match event {
            Event::Page(page) => Some(Fed::Start(self.page(page, cx))),
            Event::Checkpointed { range } | Event::CheckpointFailed { range }
                if self.passed.iter().any(|(passed, _)| *passed == range) =>
            {
                // A later checkpoint makes up for one that failed.
                let upto =
                    self.passed.iter().find(|(passed, _)| *passed == range).map_or(0, |(_, upto)| *upto);
                self.passed.retain(|(passed, _)| *passed != range);
                self.processor.skip(range, upto, cx);
                None
            }
            Event::Checkpointed { range } => {
                self.waiting(range).map(|run| Fed::Acknowledged(run, Outcome::Ok))
            }
            Event::CheckpointFailed { range } => {
                self.waiting(range).map(|run| Fed::Acknowledged(run, Outcome::Unknown))
            }
            Event::Lost { range } => {
                self.passed.retain(|(passed, _)| *passed != range);
                let run = self.waiting(range);
                if let Some(open) = self.find(range) {
                    open.lost = true;
                }
                run.map(|run| Fed::Acknowledged(run, Outcome::Failed))
            }
        }
    }

    fn page(&mut self, page: Page, cx: &Context<'_>) -> Start {
        let open = Open { range: page.range, upto: page.upto, waits: None, lost: false };
        let free = self.open.iter().position(Option::is_none);
        let index = free.unwrap_or_else(|| {
            self.open.push(None);
            self.open.len() - 1
        });
        self.open[index] = Some(open);
        let first = page.cargo.first().unwrap_or_default();
        let attempt = self.failures.iter().find(|(range, _)| *range == page.range).map_or(0, |(_, n)| *n);
        // A feed does not count deliveries; the instant tells two runs for the same page apart.
        let execution = execution(self.app, first.identity(), cx.now().0);
        Start { ticket: Ticket(index as u32), cargo: page.cargo, execution, attempt }
    }

    fn find(&mut self, range: u16) -> Option<&mut Open> {
        self.open.iter_mut().flatten().find(|open| open.range == range && !open.lost)
    }

    fn waiting(&mut self, range: u16) -> Option<RunId> {
        self.find(range)?.waits.take()
    }

    /// Moves the checkpoint behind the page of this run.
    pub fn checkpoint(&mut self, run: RunId, ticket: Ticket, cx: &mut Context<'_>) -> Acknowledged {
        let Some(Some(open)) = self.open.get_mut(ticket.0 as usize) else {
            return Acknowledged::Over(Outcome::Failed);
        };
        if open.lost {
            return Acknowledged::Over(Outcome::Failed);
        }
        match self.processor.checkpoint(open.range, open.upto, cx) {
            None => {
                open.waits = Some(run);
                Acknowledged::Pending
            }
            Some(Event::Checkpointed { .. }) => Acknowledged::Over(Outcome::Ok),
            Some(_) => {
                open.lost = true;
                Acknowledged::Over(Outcome::Failed)
            }
        }
    }

    /// The run is over. A page that was not checkpointed is read again.
    pub fn ended(&mut self, ticket: Ticket, ending: Ending, cx: &mut Context<'_>) {
        let Some(Some(open)) = self.open.get_mut(ticket.0 as usize).map(Option::take) else { return };
        self.failures.retain(|(range, _)| *range != open.range || !ending.acknowledged);
        if open.lost {
            return;
        }
        if ending.acknowledged {
            return self.processor.done(open.range, cx);
        }
        if self.regardless {
            return self.pass(open.range, open.upto, cx);
        }
        match self.failures.iter_mut().find(|(range, _)| *range == open.range) {
            Some((_, failures)) => *failures += 1,
            None => self.failures.push((open.range, 1)),
        }
        self.processor.retry(open.range, cx);
    }

    /// Leaves a page behind that has failed.
    fn pass(&mut self, range: u16, upto: u64, cx: &mut Context<'_>) {
        match self.processor.checkpoint(range, upto, cx) {
            None => self.passed.push((range, upto)),
            Some(Event::Checkpointed { .. }) => self.processor.done(range, cx),
            Some(_) => {}
        }
    }
}
