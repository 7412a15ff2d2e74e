//! A node of the relay with its timers and what it wants to send: what the engines whose nodes are tasks share.

use serde::{Deserialize, Serialize};

use crate::lanes::{Due, Lanes};
use crate::relay::{Node, Note, Packet, Port, Shape, Tally};

/// A node, its timers, what it sends. Times are nanoseconds since its start.
#[derive(Debug, Serialize, Deserialize)]
pub struct Actor {
    node: Node<u32>,
    lanes: Lanes,
    /// What is to be sent, and to whom; the engine empties it.
    pub outbox: Vec<(u32, Packet)>,
    /// What has reached the application; the engine empties it.
    pub delivered: Vec<u32>,
}

impl Actor {
    /// The node of this index.
    #[must_use]
    pub fn new(shape: Shape, index: u32) -> Actor {
        let node = Node::new(shape, index);
        Actor { node, lanes: Lanes::default(), outbox: Vec::new(), delivered: Vec::new() }
    }

    /// It starts.
    pub fn start(&mut self) {
        let Actor { node, lanes, outbox, delivered } = self;
        node.start(&mut Door { now: 0, from: 0, lanes, outbox, delivered });
    }

    /// A packet has arrived.
    pub fn packet(&mut self, now: u64, from: u32, packet: Packet) {
        let Actor { node, lanes, outbox, delivered } = self;
        node.packet(packet, &mut Door { now, from, lanes, outbox, delivered });
    }

    /// Handles everything that is due.
    pub fn run(&mut self, now: u64) {
        while let Some(due) = self.lanes.pop(now) {
            let Actor { node, lanes, outbox, delivered } = self;
            let mut door = Door { now, from: 0, lanes, outbox, delivered };
            match due {
                Due::Tick => node.tick(&mut door),
                Due::Expired(key) => node.expired(key, &mut door),
            }
        }
    }

    /// When something is due next; `u64::MAX` for never.
    #[must_use]
    pub fn next_due(&self) -> u64 {
        self.lanes.next_due()
    }

    /// Enters what has reached the application.
    pub fn count(&mut self, tally: &mut Tally) {
        self.delivered.drain(..).for_each(|id| tally.add(id));
    }
}

struct Door<'a> {
    now: u64,
    from: u32,
    lanes: &'a mut Lanes,
    outbox: &'a mut Vec<(u32, Packet)>,
    delivered: &'a mut Vec<u32>,
}

impl Port for Door<'_> {
    type Attempt = u32;

    fn attempt(&mut self, to: u32, packet: Packet, key: u32, after: u64, _: u16) -> u32 {
        self.outbox.push((to, packet));
        self.lanes.attempt(self.now + after, key)
    }
    fn settle(&mut self, attempt: u32, _: u32) {
        self.lanes.cancel(attempt);
    }
    fn give_up(&mut self, _: u32, _: u32) {}
    fn reply(&mut self, packet: Packet, _: bool) {
        self.outbox.push((self.from, packet));
    }
    fn tick(&mut self, after: u64) {
        self.lanes.tick(self.now + after);
    }
    fn note(&mut self, id: u32, note: Note) {
        if note == Note::Effect {
            self.delivered.push(id);
        }
    }
}
