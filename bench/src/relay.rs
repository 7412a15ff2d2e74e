//! The reference relay, written once: producers hand messages to a broker, the broker hands them to
//! consumers, every hand-over is answered and repeated until it is. The nodes are state machines without
//! input or output of their own; each engine drives them in its own way through [`Port`].

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// So many messages of a producer may be without an answer; further ones wait.
pub const WINDOW: usize = 16;
/// A producer repeats a message that is not accepted after this long, in nanoseconds.
pub const RETRY: u64 = 500_000_000;
/// The broker delivers a message again that is not done after this long, in nanoseconds.
pub const REDELIVER: u64 = 1_000_000_000;
/// The share of packets that the network loses.
pub const LOSS: f64 = 0.01;
/// The one-way latency is uniform from here, in nanoseconds …
pub const LATENCY_FROM: u64 = 1_000_000;
/// … to here.
pub const LATENCY_TO: u64 = 20_000_000;

/// How large a relay is and how it is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// How many producers.
    pub producers: u32,
    /// How many consumers.
    pub consumers: u32,
    /// How many messages each producer sends.
    pub each: u32,
    /// From one message of a producer to its next, in nanoseconds.
    pub period: u64,
    /// The seed.
    pub seed: u64,
}

impl Shape {
    /// 4 producers, 4 consumers; so many messages at 100 a second from each producer.
    #[must_use]
    pub const fn reference(messages: u32) -> Shape {
        Shape { producers: 4, consumers: 4, each: messages / 4, period: 10_000_000, seed: 1 }
    }

    /// The same relay over 24 mostly idle hours: a message a minute from each producer, 5,760 in all.
    #[must_use]
    pub const fn idle_day() -> Shape {
        Shape { producers: 4, consumers: 4, each: 24 * 60, period: 60_000_000_000, seed: 1 }
    }

    /// So many nodes in all, with about so many messages at 400 a second in all, whatever the number of nodes.
    #[must_use]
    pub const fn sized(nodes: u32, messages: u32) -> Shape {
        let producers = (nodes - 1) / 2;
        Shape {
            producers,
            consumers: nodes - 1 - producers,
            each: messages.div_ceil(producers),
            period: producers as u64 * 2_500_000,
            seed: 1,
        }
    }

    /// The same with another seed.
    #[must_use]
    pub const fn seeded(self, seed: u64) -> Shape {
        Shape { seed, ..self }
    }

    /// How many nodes: the producers come first, then the broker, then the consumers.
    #[must_use]
    pub const fn nodes(&self) -> u32 {
        self.producers + 1 + self.consumers
    }

    /// The node that is the broker.
    #[must_use]
    pub const fn broker(&self) -> u32 {
        self.producers
    }

    /// How many messages there are in all. Their ids are dense from 0, in the order in which they are due.
    #[must_use]
    pub const fn messages(&self) -> u32 {
        self.each * self.producers
    }

    /// When a message is due at its producer, in nanoseconds.
    #[must_use]
    pub const fn offered_at(&self, id: u32) -> u64 {
        let (number, producer) = (id / self.producers, id % self.producers);
        self.first_tick(producer) + number as u64 * self.period
    }

    /// The simulated time in which the messages are offered, in nanoseconds.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.period * (self.each as u64 + 1)
    }

    /// The producers begin one after the other, spread over one period.
    const fn first_tick(&self, producer: u32) -> u64 {
        self.period + self.period * producer as u64 / self.producers as u64
    }
}

/// What goes over the network. Twelve bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Packet {
    /// Producer to broker: take this.
    Publish {
        /// The message.
        id: u32,
    },
    /// Broker to producer: it is taken.
    Accepted {
        /// The message.
        id: u32,
    },
    /// Broker to consumer: handle this.
    Deliver {
        /// The message.
        id: u32,
        /// The broker's number for it.
        sequence: u32,
    },
    /// Consumer to broker: it is handled.
    Done {
        /// The message.
        id: u32,
        /// The broker's number for it.
        sequence: u32,
    },
}

impl Packet {
    /// As bytes, for engines that carry bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 12] {
        let (kind, id, sequence) = match self {
            Packet::Publish { id } => (0u32, id, 0),
            Packet::Accepted { id } => (1, id, 0),
            Packet::Deliver { id, sequence } => (2, id, sequence),
            Packet::Done { id, sequence } => (3, id, sequence),
        };
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&kind.to_le_bytes());
        bytes[4..8].copy_from_slice(&id.to_le_bytes());
        bytes[8..].copy_from_slice(&sequence.to_le_bytes());
        bytes
    }

    /// From bytes; nothing if they are no packet.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Packet> {
        let word = |at: usize| {
            let part = bytes.get(at..at + 4)?;
            Some(u32::from_le_bytes(part.try_into().ok()?))
        };
        let (id, sequence) = (word(4)?, word(8)?);
        match word(0)? {
            0 => Some(Packet::Publish { id }),
            1 => Some(Packet::Accepted { id }),
            2 => Some(Packet::Deliver { id, sequence }),
            3 => Some(Packet::Done { id, sequence }),
            _ => None,
        }
    }
}

/// What a node tells about a message; an engine with books writes it into them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// A producer has it to send.
    Offered,
    /// Its producer knows that the broker has it.
    Concluded,
    /// The broker has taken it.
    Stored,
    /// The broker knows that a consumer has handled it.
    Ended,
    /// A consumer hands it to the application.
    Effect,
}

/// What an engine offers to a node while it handles something.
pub trait Port {
    /// Names an attempt to hand a message over.
    type Attempt: Copy;

    /// Sends a packet that wants an answer within `after` nanoseconds: else the node is told that `key`
    /// [expired](Node::expired). `count` is the number of the attempt, from 1.
    fn attempt(&mut self, to: u32, packet: Packet, key: u32, after: u64, count: u16) -> Self::Attempt;

    /// The answer to an attempt, or to an earlier one for the same message, has come.
    fn settle(&mut self, attempt: Self::Attempt, id: u32);

    /// An attempt has expired; another one follows.
    fn give_up(&mut self, attempt: Self::Attempt, id: u32);

    /// Answers the packet that is being handled. `new`: it took effect; else it was a repetition.
    fn reply(&mut self, packet: Packet, new: bool);

    /// Asks for a [tick](Node::tick) after so many nanoseconds.
    fn tick(&mut self, after: u64);

    /// Tells something about a message.
    fn note(&mut self, id: u32, note: Note);
}

/// Which numbers were seen, if they come roughly in order: memory follows what is out of order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    base: u32,
    words: VecDeque<u64>,
}

impl Seen {
    /// Adds a number. True if it is new.
    pub fn insert(&mut self, number: u32) -> bool {
        let Some(offset) = number.checked_sub(self.base) else { return false };
        let (word, bit) = (offset as usize / 64, offset % 64);
        while self.words.len() <= word {
            self.words.push_back(0);
        }
        let new = self.words[word] >> bit & 1 == 0;
        self.words[word] |= 1 << bit;
        while self.words.front() == Some(&u64::MAX) {
            self.words.pop_front();
            self.base += 64;
        }
        new
    }
}

/// A message that is handed over and not answered yet.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Pending<A> {
    id: u32,
    count: u16,
    attempt: A,
}

/// Sends a message at every tick, at most [`WINDOW`] of them unanswered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Producer<A> {
    shape: Shape,
    me: u32,
    offered: u32,
    sent: u32,
    pending: Vec<Pending<A>>,
}

/// Takes every message once and delivers it to one of the consumers until it is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Broker<A> {
    shape: Shape,
    seen: Vec<Seen>,
    /// The sequence number of the first of `pending`.
    first: u32,
    pending: VecDeque<Option<Pending<A>>>,
}

/// Hands every message to the application once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Consumer {
    consumers: u32,
    seen: Seen,
}

/// A node of the relay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Node<A> {
    /// A producer.
    Producer(Producer<A>),
    /// The broker.
    Broker(Broker<A>),
    /// A consumer.
    Consumer(Consumer),
}

impl<A: Copy> Node<A> {
    /// The node of this index in a relay of this shape.
    #[must_use]
    pub fn new(shape: Shape, index: u32) -> Node<A> {
        if index < shape.broker() {
            Node::Producer(Producer { shape, me: index, offered: 0, sent: 0, pending: Vec::new() })
        } else if index == shape.broker() {
            let seen = vec![Seen::default(); shape.producers as usize];
            Node::Broker(Broker { shape, seen, first: 0, pending: VecDeque::new() })
        } else {
            Node::Consumer(Consumer { consumers: shape.consumers, seen: Seen::default() })
        }
    }

    /// The node starts, at time zero.
    pub fn start(&mut self, port: &mut impl Port<Attempt = A>) {
        if let Node::Producer(producer) = self
            && producer.shape.each > 0
        {
            port.tick(producer.shape.first_tick(producer.me));
        }
    }

    /// A tick is due.
    #[inline]
    pub fn tick(&mut self, port: &mut impl Port<Attempt = A>) {
        if let Node::Producer(producer) = self {
            producer.tick(port);
        }
    }

    /// The attempt of this key has had no answer in time.
    #[inline]
    pub fn expired(&mut self, key: u32, port: &mut impl Port<Attempt = A>) {
        match self {
            Node::Producer(producer) => producer.expired(key, port),
            Node::Broker(broker) => broker.expired(key, port),
            Node::Consumer(_) => {}
        }
    }

    /// A packet has arrived.
    #[inline]
    pub fn packet(&mut self, packet: Packet, port: &mut impl Port<Attempt = A>) {
        match (self, packet) {
            (Node::Producer(producer), Packet::Accepted { id }) => producer.accepted(id, port),
            (Node::Broker(broker), Packet::Publish { id }) => broker.publish(id, port),
            (Node::Broker(broker), Packet::Done { sequence, .. }) => broker.done(sequence, port),
            (Node::Consumer(consumer), Packet::Deliver { id, sequence }) => {
                let new = consumer.seen.insert(sequence / consumer.consumers);
                if new {
                    port.note(id, Note::Effect);
                }
                port.reply(Packet::Done { id, sequence }, new);
            }
            _ => {}
        }
    }
}

impl<A: Copy> Producer<A> {
    fn tick(&mut self, port: &mut impl Port<Attempt = A>) {
        port.note(self.offered * self.shape.producers + self.me, Note::Offered);
        self.offered += 1;
        if self.offered < self.shape.each {
            port.tick(self.shape.period);
        }
        self.pump(port);
    }

    fn pump(&mut self, port: &mut impl Port<Attempt = A>) {
        while self.pending.len() < WINDOW && self.sent < self.offered {
            let id = self.sent * self.shape.producers + self.me;
            self.sent += 1;
            let attempt = port.attempt(self.shape.broker(), Packet::Publish { id }, id, RETRY, 1);
            self.pending.push(Pending { id, count: 1, attempt });
        }
    }

    fn accepted(&mut self, id: u32, port: &mut impl Port<Attempt = A>) {
        let Some(index) = self.pending.iter().position(|pending| pending.id == id) else { return };
        let pending = self.pending.swap_remove(index);
        port.settle(pending.attempt, id);
        port.note(id, Note::Concluded);
        self.pump(port);
    }

    fn expired(&mut self, id: u32, port: &mut impl Port<Attempt = A>) {
        let Some(pending) = self.pending.iter_mut().find(|pending| pending.id == id) else { return };
        port.give_up(pending.attempt, id);
        pending.count += 1;
        pending.attempt = port.attempt(self.shape.broker(), Packet::Publish { id }, id, RETRY, pending.count);
    }
}

impl<A: Copy> Broker<A> {
    fn publish(&mut self, id: u32, port: &mut impl Port<Attempt = A>) {
        let (producer, number) = (id % self.shape.producers, id / self.shape.producers);
        let new = self.seen[producer as usize].insert(number);
        if new {
            port.note(id, Note::Stored);
        }
        port.reply(Packet::Accepted { id }, new);
        if new {
            let sequence = self.first + self.pending.len() as u32;
            let attempt = self.deliver(id, sequence, 1, port);
            self.pending.push_back(Some(Pending { id, count: 1, attempt }));
        }
    }

    fn deliver(&self, id: u32, sequence: u32, count: u16, port: &mut impl Port<Attempt = A>) -> A {
        let consumer = self.shape.broker() + 1 + sequence % self.shape.consumers;
        port.attempt(consumer, Packet::Deliver { id, sequence }, sequence, REDELIVER, count)
    }

    fn done(&mut self, sequence: u32, port: &mut impl Port<Attempt = A>) {
        let Some(index) = sequence.checked_sub(self.first) else { return };
        let slot = self.pending.get_mut(index as usize);
        let Some(pending) = slot.and_then(Option::take) else { return };
        port.settle(pending.attempt, pending.id);
        port.note(pending.id, Note::Ended);
        while let Some(None) = self.pending.front() {
            self.pending.pop_front();
            self.first += 1;
        }
    }

    fn expired(&mut self, sequence: u32, port: &mut impl Port<Attempt = A>) {
        let Some(index) = sequence.checked_sub(self.first).map(|index| index as usize) else { return };
        let Some(Some(Pending { id, count, attempt })) = self.pending.get(index).copied() else { return };
        port.give_up(attempt, id);
        let attempt = self.deliver(id, sequence, count + 1, port);
        self.pending[index] = Some(Pending { id, count: count + 1, attempt });
    }

    /// The messages that are taken and not known to be done.
    pub fn held(&self) -> impl Iterator<Item = u32> + '_ {
        self.pending.iter().flatten().map(|pending| pending.id)
    }
}

/// Counts what reaches the application, and whether it is every message once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub delivered: u64,
    sum: u64,
}

impl Tally {
    /// One more.
    #[inline]
    pub fn add(&mut self, id: u32) {
        self.delivered += 1;
        self.sum = self.sum.wrapping_add(hash(id));
    }

    /// Two tallies together.
    #[must_use]
    pub const fn and(self, other: Tally) -> Tally {
        Tally { delivered: self.delivered + other.delivered, sum: self.sum.wrapping_add(other.sum) }
    }

    /// Whether it was every message of this relay once: by number and by the sum of their hashes.
    #[must_use]
    pub fn is_whole(&self, shape: &Shape) -> bool {
        let sum = (0..shape.messages()).fold(0u64, |sum, id| sum.wrapping_add(hash(id)));
        *self == Tally { delivered: u64::from(shape.messages()), sum }
    }
}

/// A hash of an id (the finaliser of SplitMix64).
const fn hash(id: u32) -> u64 {
    let mut z = (id as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_new_once_in_whatever_order() {
        let mut seen = Seen::default();
        let order = [3u32, 0, 1, 200, 2, 130, 64];
        assert!(order.iter().all(|number| seen.insert(*number)));
        assert!(order.iter().all(|number| !seen.insert(*number)));
        (0..1000).for_each(|number| assert_eq!(seen.insert(number), !order.contains(&number)));
        assert!(seen.words.len() <= 1, "what came in full is forgotten");
        assert!((0..1000).all(|number| !seen.insert(number)));
    }

    #[test]
    fn a_tally_knows_a_double_and_a_loss() {
        let shape = Shape::reference(8);
        let of = |ids: &[u32]| {
            let mut tally = Tally::default();
            ids.iter().for_each(|id| tally.add(*id));
            tally.is_whole(&shape)
        };
        assert!(of(&[7, 6, 5, 4, 3, 2, 1, 0]));
        assert!(!of(&[7, 6, 5, 4, 3, 2, 1]));
        assert!(!of(&[7, 6, 5, 4, 3, 2, 1, 1]));
    }

    #[test]
    fn packets_are_bytes_and_back() {
        for packet in [
            Packet::Publish { id: 7 },
            Packet::Accepted { id: u32::MAX },
            Packet::Deliver { id: 1, sequence: 2 },
            Packet::Done { id: 3, sequence: 4 },
        ] {
            assert_eq!(Packet::from_bytes(&packet.to_bytes()), Some(packet));
        }
        assert_eq!(Packet::from_bytes(&[9; 12]), None);
        assert_eq!(Packet::from_bytes(&[0; 5]), None);
        assert!(size_of::<Packet>() <= 12);
    }
}
