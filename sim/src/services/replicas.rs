//! What stands before the replicas of a geo-replicated service: the name by which callers find the one that
//! leads, and the control plane of which people ask for promotions. Both are outside the replicas and
//! spread over the world; a new leader tells them, again and again until they hear it. In the rooms: the
//! [pair](Pair) of replicas itself, whatever it is that they replicate.

#[cfg(test)]
pub(crate) mod bench;
pub mod declare;
mod follow;
mod lead;
pub mod modes;
mod pair;
mod rise;
pub mod rows;
mod watch;

use follow::Follows;
pub use follow::Writes;
pub use lead::Leads;
pub use pair::{Channel, Mode, Pair, Paired, Replica, SYNC, Tenure};
pub use rise::Rises;
pub use watch::Watch;

use crate::faults::Hook;
use crate::ids::{Address, ConnectionId, Item, ProcessId};
use crate::kernel::slab::Slab;
use crate::message::control::{Answer, Command};
use crate::message::name::{self, ANY_PART};
use crate::message::replication::Record;
use crate::message::{Body, Message};
use crate::node::{Context, Input, Process};
use crate::observe::{Handling, Held, What};
use crate::random::Purpose;
use crate::services::front::{answer_control, turned_away};
use crate::time::Span;
use crate::units::Sampler;

/// Who leads, as far as is known: a higher term wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Leader {
    process: ProcessId,
    epoch: u32,
}

impl Leader {
    /// True: there is a new one.
    fn hear(&mut self, from: ProcessId, message: &Message) -> bool {
        let new = matches!(message.body, Body::Replica(Record::Lead { epoch, .. }) if epoch > self.epoch);
        if let Body::Replica(Record::Lead { epoch, .. }) = message.body
            && new
        {
            *self = Leader { process: from, epoch };
        }
        new
    }
}

/// The name servers of a name that leads to the replica that leads.
#[derive(Clone, Debug)]
pub struct NameServer {
    /// Durable: every server keeps the zone.
    leader: Leader,
    ttl: Span,
    lookup: Sampler,
    questions: Slab<(ProcessId, Message)>,
}

impl NameServer {
    /// A name that leads to `leader` at first. `lookup`: what a lookup takes besides the way.
    #[must_use]
    pub fn new(leader: ProcessId, ttl: Span, lookup: Sampler) -> NameServer {
        NameServer { leader: Leader { process: leader, epoch: 0 }, ttl, lookup, questions: Slab::default() }
    }

    /// It leads there from now on.
    pub fn lead(&mut self, process: ProcessId) {
        self.leader = Leader { process, epoch: self.leader.epoch };
    }

    fn ask(&mut self, from: ProcessId, message: Message, cx: &mut Context<'_>) {
        let serial = u64::from(message.attempt);
        if cx.strike(Hook::NameSilent, 0, Item::default(), serial).is_some() {
            return;
        }
        let identity = [cx.plan().process(from).hash, serial];
        let takes = self.lookup.at(cx.draw(Purpose::Work, identity));
        let slot = self.questions.insert((from, message));
        cx.timer(takes, u64::from(slot), false);
    }

    fn reply(&mut self, slot: u32, cx: &mut Context<'_>) {
        let Some((from, message)) = self.questions.take(slot) else { return };
        let serial = u64::from(message.attempt);
        let answer = if cx.strike(Hook::NameFails, 0, Item::default(), serial).is_some() {
            name::Answer::ServerFailure
        } else if cx.strike(Hook::NameMissing, 0, Item::default(), serial).is_some() {
            name::Answer::NoSuchName
        } else {
            let address = Address { process: self.leader.process, part: ANY_PART };
            name::Answer::Record { address, ttl: self.ttl }
        };
        cx.datagram(from, message.answer(Body::Record(answer)));
    }
}

impl Process for NameServer {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        match input {
            Input::Message { from, message, .. } => match message.body {
                Body::Lookup => self.ask(from, message, cx),
                Body::Probe => cx.datagram(from, message.answer(Body::ProbeAnswer { ready: true })),
                _ => {
                    self.leader.hear(from, &message);
                }
            },
            Input::Timer(slot) => self.reply(slot as u32, cx),
            Input::Start | Input::Closed { .. } | Input::Disk(..) | Input::Poke => {}
        }
    }

    fn crash(&mut self) {
        self.questions = Slab::default();
    }

    fn inventory(&self, _: &mut dyn FnMut(Held)) {}

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}

/// A request that is passed on.
#[derive(Clone, Debug)]
struct Passed {
    connection: ConnectionId,
    message: Message,
    to: ProcessId,
    /// Which request to all replicas it is a part of.
    of: Option<u32>,
}

/// A request that every replica has to answer.
#[derive(Clone, Debug)]
struct Gathered {
    connection: ConnectionId,
    message: Message,
    open: usize,
    refused: bool,
}

/// The control plane of a replicated service: it passes requests on, a promotion to the replica that is to
/// lead, everything else to the one that leads.
#[derive(Clone, Debug)]
pub struct ControlPlane {
    /// Durable.
    leader: Leader,
    /// Each replica and its site.
    replicas: Vec<(u8, ProcessId)>,
    passed: Slab<Passed>,
    gathered: Slab<Gathered>,
    /// Where the platform fails over by itself.
    watch: Option<Watch>,
}

impl ControlPlane {
    /// The control plane of these replicas.
    #[must_use]
    pub fn new(leader: ProcessId, replicas: Vec<(u8, ProcessId)>) -> ControlPlane {
        let leader = Leader { process: leader, epoch: 0 };
        ControlPlane { leader, replicas, passed: Slab::default(), gathered: Slab::default(), watch: None }
    }

    /// The same, and when the leader is away for too long it lets the other replica lead.
    #[must_use]
    pub fn watching(self, watch: Watch) -> ControlPlane {
        ControlPlane { watch: Some(watch), ..self }
    }

    fn ask(&mut self, connection: ConnectionId, message: Message, command: Command, cx: &mut Context<'_>) {
        if turned_away(connection, &message, command, cx) {
            return;
        }
        let to = match command {
            Command::Promote { to, .. } => {
                let found = self.replicas.iter().find(|(site, _)| *site == to);
                let Some((_, process)) = found else { return refuse(connection, &message, cx) };
                *process
            }
            Command::Replay { .. } => return self.ask_all(connection, &message, command, cx),
            _ => self.leader.process,
        };
        self.pass(Passed { connection, message: message.answer(Body::Probe), to, of: None }, command, cx);
    }

    fn pass(&mut self, passed: Passed, command: Command, cx: &mut Context<'_>) {
        let to = passed.to;
        let slot = self.passed.insert(passed);
        cx.tell(to, Message { tag: slot, ..Message::new(Body::Control(command)) });
    }

    /// Asks every replica; done when all have done it.
    fn ask_all(
        &mut self,
        connection: ConnectionId,
        message: &Message,
        command: Command,
        cx: &mut Context<'_>,
    ) {
        let (open, answer) = (self.replicas.len(), message.answer(Body::Probe));
        let of = self.gathered.insert(Gathered { connection, message: answer.clone(), open, refused: false });
        for (_, to) in self.replicas.clone() {
            self.pass(Passed { connection, message: answer.clone(), to, of: Some(of) }, command, cx);
        }
    }

    fn gather(&mut self, of: u32, answer: Answer, cx: &mut Context<'_>) {
        let Some(gathered) = self.gathered.get_mut(of) else { return };
        gathered.open -= 1;
        gathered.refused |= !matches!(answer, Answer::Done);
        if gathered.open == 0
            && let Some(Gathered { connection, message, refused, .. }) = self.gathered.take(of)
        {
            let answer = if refused { Answer::Refused } else { Answer::Done };
            answer_control(connection, &message, answer, cx);
        }
    }

    fn answered(&mut self, slot: u32, answer: Answer, cx: &mut Context<'_>) {
        let Some(Passed { connection, message, of, .. }) = self.passed.take(slot) else { return };
        if let Some(of) = of {
            return self.gather(of, answer, cx);
        }
        if answer == Answer::Refused {
            return refuse(connection, &message, cx);
        }
        let did = !matches!(answer, Answer::Unavailable | Answer::Throttled { .. });
        if did && message.call.0 != 0 {
            let what = What::Handled { call: message.call, how: Handling::Stored };
            cx.observe_on(connection, Item::default(), what);
        }
        cx.answer(connection, message.answer(Body::ControlAnswer(answer)));
    }

    /// A replica is away: what was passed on to it is refused.
    fn lost(&mut self, peer: ProcessId, cx: &mut Context<'_>) {
        let mut slots: Vec<u32> =
            self.passed.iter().filter(|(_, passed)| passed.to == peer).map(|(slot, _)| slot).collect();
        slots.sort_unstable();
        for slot in slots {
            self.answered(slot, Answer::Refused, cx);
        }
    }
}

fn refuse(connection: ConnectionId, message: &Message, cx: &mut Context<'_>) {
    cx.answer(connection, message.answer(Body::ControlAnswer(Answer::Refused)));
}

impl Process for ControlPlane {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        match input {
            Input::Message { from, connection, message } => match message.body {
                Body::Control(command) => self.ask(connection, message, command, cx),
                Body::ControlAnswer(answer) => self.answered(message.tag, answer, cx),
                Body::Probe => cx.datagram(from, message.answer(Body::ProbeAnswer { ready: true })),
                Body::ProbeAnswer { ready } if from == self.leader.process => {
                    self.watch.iter_mut().for_each(|watch| watch.answered(ready));
                }
                _ => {
                    if self.leader.hear(from, &message) {
                        self.watch.iter_mut().for_each(Watch::reset);
                    }
                }
            },
            Input::Closed { peer, .. } => self.lost(peer, cx),
            Input::Start => self.begin_watch(cx),
            Input::Timer(_) => self.look(cx),
            Input::Disk(..) | Input::Poke => {}
        }
    }

    fn crash(&mut self) {
        (self.passed, self.gathered) = (Slab::default(), Slab::default());
        self.watch.iter_mut().for_each(Watch::reset);
    }

    fn inventory(&self, _: &mut dyn FnMut(Held)) {}

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}
