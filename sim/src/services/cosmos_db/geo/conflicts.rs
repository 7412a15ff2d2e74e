//! The conflict feed: what a region had written and not replicated when another took over (facts 1.8). It
//! stays there until somebody reads it and sends it again.

use super::{Ask, Row};
use crate::client::caller::{Caller, Progress};
use crate::client::{Policy, Sdk};
use crate::ids::{Address, ConnectionId, Execution, Once, ProcessId};
use crate::message::control::Answer;
use crate::message::{Body, Cargo, Message, broker};
use crate::node::Context;
use crate::observe::{End, Held, Outcome, What};
use crate::random::mix;
use crate::services::cosmos_db::CosmosDbProcess;
use crate::services::front::answer_control;
use crate::time::Span;

/// The number space of the timers and messages of a replay.
const SPACE: u8 = 1;

/// Everything in the feed is being sent somewhere.
#[derive(Clone, Debug)]
pub(in crate::services::cosmos_db) struct Replay {
    to: Address,
    rows: Vec<Row>,
    open: usize,
    caller: Caller<u32>,
    asks: Vec<Ask>,
}

impl CosmosDbProcess {
    /// Whether this region serves nobody at all.
    pub(in crate::services::cosmos_db) fn is_away(&self) -> bool {
        self.geo.as_ref().is_some_and(|geo| geo.offline || geo.leads && self.volatile.link.checking)
    }

    /// Sends everything in the feed to a queue or topic, and takes it out of the feed. The answer comes when
    /// all of it has arrived.
    pub(in crate::services::cosmos_db) fn replay(
        &mut self,
        connection: ConnectionId,
        message: &Message,
        to: Address,
        cx: &mut Context<'_>,
    ) {
        let away = self.is_away();
        let Some(geo) = self.geo.as_ref().filter(|_| !away) else {
            return answer_control(connection, message, Answer::Refused, cx);
        };
        if geo.conflicts.is_empty() {
            return answer_control(connection, message, Answer::Done, cx);
        }
        let ask = Ask { connection, message: message.answer(Body::Probe) };
        if let Some(replay) = &mut self.volatile.link.replay {
            if replay.to != to {
                return answer_control(connection, message, Answer::Refused, cx);
            }
            return replay.asks.push(ask);
        }
        let name = mix(cx.plan().process(cx.me()).hash, 0x636f_6e66);
        let rows = geo.conflicts.clone();
        let caller = Caller::new(&Policy::default(), Sdk::ServiceBus, name, SPACE);
        let mut replay = Replay { to, open: rows.len(), rows, caller, asks: vec![ask] };
        for (index, row) in replay.rows.iter().enumerate() {
            replay.caller.call(cx, to, resent(row, to), index as u32);
        }
        self.volatile.link.replay = Some(replay);
        self.replayed(cx);
    }

    pub(in crate::services::cosmos_db) fn replay_answer(&mut self, message: &Message, cx: &mut Context<'_>) {
        if let Some(replay) = &mut self.volatile.link.replay {
            replay.caller.on_message(cx, message);
            self.replayed(cx);
        }
    }

    pub(in crate::services::cosmos_db) fn replay_timer(&mut self, token: u64, cx: &mut Context<'_>) {
        if let Some(replay) = &mut self.volatile.link.replay {
            replay.caller.on_timer(cx, token);
            self.replayed(cx);
        }
    }

    pub(in crate::services::cosmos_db) fn replay_closed(&mut self, peer: ProcessId, cx: &mut Context<'_>) {
        if let Some(replay) = &mut self.volatile.link.replay {
            replay.caller.on_closed(cx, peer);
            self.replayed(cx);
        }
    }

    /// Takes out of the feed what has arrived.
    fn replayed(&mut self, cx: &mut Context<'_>) {
        let (Some(group), Some(geo)) = (&self.setup.group, &mut self.geo) else { return };
        let Some(replay) = &mut self.volatile.link.replay else { return };
        while let Some(progress) = replay.caller.next() {
            let Progress::Finished(finished) = progress else { continue };
            replay.open -= 1;
            let row = replay.rows[finished.owner as usize];
            if finished.outcome == Outcome::Ok
                && let Some(index) = geo.conflicts.iter().position(|known| *known == row)
            {
                geo.conflicts.remove(index);
                cx.observe(row.item, What::Ended { place: group.conflicts, cause: End::Completed });
            }
        }
        if replay.open > 0 {
            return;
        }
        let answer = if geo.conflicts.is_empty() { Answer::Done } else { Answer::Refused };
        let asks = self.volatile.link.replay.take().map_or_else(Vec::new, |replay| replay.asks);
        for Ask { connection, message } in asks {
            answer_control(connection, &message, answer, cx);
        }
    }

    /// What stands in the feed here.
    pub(in crate::services::cosmos_db) fn inventory_of_conflicts(&self, out: &mut dyn FnMut(Held)) {
        let (Some(group), Some(geo)) = (&self.setup.group, &self.geo) else { return };
        for row in &geo.conflicts {
            out(Held { place: group.conflicts, item: row.item, copies: 1, rest: true, shut: false });
        }
    }
}

/// A document as a new message.
fn resent(row: &Row, to: Address) -> Message {
    let run = mix(row.item.identity(), u64::from(row.part));
    let command = broker::Command::Send {
        part: to.part,
        once: Once::NONE,
        session: Once::NONE,
        execution: Execution { run, message: run },
        ttl: Span::FOREVER,
        delay: Span::ZERO,
    };
    Message::new(Body::Broker(command)).carrying(Cargo::One(row.item))
}
