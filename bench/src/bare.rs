//! The limit: a loop over a queue of sixteen-byte messages, with nothing else around it. No books, no
//! identities, no faults other than the losses; a stream of random numbers instead of draws by name.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::lanes::{Due, Lanes};
use crate::relay::{LATENCY_FROM, LATENCY_TO, LOSS, Node, Note, Packet, Port, Shape, Tally};
use crate::{Figure, Stopwatch};

/// Which queue the loop has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Events {
    /// Buckets of a millisecond, the present one sorted.
    Wheel,
    /// A binary heap.
    Heap,
}

/// Runs a relay.
#[must_use]
pub fn run(shape: &Shape, events: Events) -> Figure {
    match events {
        Events::Wheel => drive(shape, Wheel::default()),
        Events::Heap => drive(shape, Heap::default()),
    }
}

/// A random number generator of the field's usual kind: xoshiro256++ (Blackman and Vigna).
#[derive(Clone, Debug)]
pub struct Xoshiro([u64; 4]);

impl Xoshiro {
    /// Seeded by SplitMix64, as its authors advise.
    #[must_use]
    pub fn new(seed: u64) -> Xoshiro {
        let mut state = seed;
        Xoshiro(std::array::from_fn(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        }))
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Whether a packet is lost.
    pub fn loses(&mut self) -> bool {
        self.next_u64() < (LOSS * u64::MAX as f64) as u64
    }

    /// How long a packet takes, in nanoseconds.
    pub fn latency(&mut self) -> u64 {
        let width = LATENCY_TO - LATENCY_FROM + 1;
        LATENCY_FROM + ((u128::from(self.next_u64()) * u128::from(width)) >> 64) as u64
    }
}

/// What the queue holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Wake,
    Packet { from: u16, packet: Packet },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    at: u64,
    /// The order of arrival and, in the lowest 12 bits, the node.
    order: u64,
    event: Event,
}

impl Entry {
    const fn key(&self) -> (u64, u64) {
        (self.at, self.order)
    }
}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

trait Queue: Default {
    fn push(&mut self, entry: Entry);
    fn pop(&mut self) -> Option<Entry>;
}

#[derive(Default)]
struct Heap(BinaryHeap<Reverse<Entry>>);

impl Queue for Heap {
    fn push(&mut self, entry: Entry) {
        self.0.push(Reverse(entry));
    }
    fn pop(&mut self) -> Option<Entry> {
        self.0.pop().map(|Reverse(entry)| entry)
    }
}

const SHIFT: u32 = 20;
const RING: usize = 64;

/// Buckets ahead, as many as there are bits in a word; what lies further on is in a heap.
struct Wheel {
    /// The present bucket, the last first.
    near: Vec<Entry>,
    ring: Vec<Vec<Entry>>,
    full: u64,
    base: u64,
    far: BinaryHeap<Reverse<Entry>>,
}

impl Default for Wheel {
    fn default() -> Wheel {
        Wheel { near: Vec::new(), ring: vec![Vec::new(); RING], full: 0, base: 0, far: BinaryHeap::new() }
    }
}

impl Queue for Wheel {
    #[inline]
    fn push(&mut self, entry: Entry) {
        let bucket = entry.at >> SHIFT;
        if bucket <= self.base {
            let place = self.near.partition_point(|other| other.key() > entry.key());
            self.near.insert(place, entry);
        } else if bucket - self.base < RING as u64 {
            self.ring[bucket as usize % RING].push(entry);
            self.full |= 1 << (bucket % RING as u64);
        } else {
            self.far.push(Reverse(entry));
        }
    }

    #[inline]
    fn pop(&mut self) -> Option<Entry> {
        if self.near.is_empty() {
            self.advance();
        }
        self.near.pop()
    }
}

impl Wheel {
    fn advance(&mut self) {
        if self.full != 0 {
            let ahead = self.full.rotate_right((self.base % RING as u64) as u32).trailing_zeros();
            self.base += u64::from(ahead);
            let index = self.base as usize % RING;
            self.full &= !(1 << index);
            std::mem::swap(&mut self.near, &mut self.ring[index]);
            self.near.sort_unstable_by_key(|entry| Reverse(entry.key()));
        } else if let Some(Reverse(first)) = self.far.peek() {
            self.base = first.at >> SHIFT;
        }
        while let Some(Reverse(first)) = self.far.peek()
            && (first.at >> SHIFT) - self.base < RING as u64
            && let Some(Reverse(entry)) = self.far.pop()
        {
            self.push(entry);
        }
    }
}

struct Loop<Q> {
    now: u64,
    queue: Q,
    order: u64,
    random: Xoshiro,
    tally: Tally,
    packets: u64,
    lanes: Vec<Lanes>,
    wakes: Vec<u64>,
}

impl<Q: Queue> Loop<Q> {
    fn schedule(&mut self, at: u64, node: u32, event: Event) {
        self.order += 1;
        self.queue.push(Entry { at, order: self.order << 12 | u64::from(node), event });
    }

    fn send(&mut self, from: u32, to: u32, packet: Packet) {
        self.packets += 1;
        if !self.random.loses() {
            let at = self.now + self.random.latency();
            self.schedule(at, to, Event::Packet { from: from as u16, packet });
        }
    }

    fn rearm(&mut self, node: u32) {
        let due = self.lanes[node as usize].next_due();
        if due < self.wakes[node as usize] {
            self.wakes[node as usize] = due;
            self.schedule(due, node, Event::Wake);
        }
    }
}

struct Door<'a, Q> {
    me: u32,
    from: u32,
    all: &'a mut Loop<Q>,
}

impl<Q: Queue> Port for Door<'_, Q> {
    type Attempt = u32;

    fn attempt(&mut self, to: u32, packet: Packet, key: u32, after: u64, _: u16) -> u32 {
        self.all.send(self.me, to, packet);
        let at = self.all.now + after;
        self.all.lanes[self.me as usize].attempt(at, key)
    }
    fn settle(&mut self, attempt: u32, _: u32) {
        self.all.lanes[self.me as usize].cancel(attempt);
    }
    fn give_up(&mut self, _: u32, _: u32) {}
    fn reply(&mut self, packet: Packet, _: bool) {
        self.all.send(self.me, self.from, packet);
    }
    fn tick(&mut self, after: u64) {
        let at = self.all.now + after;
        self.all.lanes[self.me as usize].tick(at);
    }
    fn note(&mut self, id: u32, note: Note) {
        if note == Note::Effect {
            self.all.tally.add(id);
        }
    }
}

fn drive<Q: Queue>(shape: &Shape, queue: Q) -> Figure {
    let watch = Stopwatch::start();
    let count = shape.nodes() as usize;
    let mut nodes: Vec<Node<u32>> = (0..shape.nodes()).map(|index| Node::new(*shape, index)).collect();
    let mut all = Loop {
        now: 0,
        queue,
        order: 0,
        random: Xoshiro::new(shape.seed),
        tally: Tally::default(),
        packets: 0,
        lanes: vec![Lanes::default(); count],
        wakes: vec![u64::MAX; count],
    };
    for (index, node) in nodes.iter_mut().enumerate() {
        node.start(&mut Door { me: index as u32, from: 0, all: &mut all });
        all.rearm(index as u32);
    }
    let mut events = 0;
    while let Some(Entry { at, order, event }) = all.queue.pop() {
        all.now = at;
        let me = (order & 0xfff) as u32;
        match event {
            Event::Packet { from, packet } => {
                events += 1;
                nodes[me as usize].packet(packet, &mut Door { me, from: u32::from(from), all: &mut all });
            }
            Event::Wake if all.wakes[me as usize] == at => {
                all.wakes[me as usize] = u64::MAX;
                while let Some(due) = all.lanes[me as usize].pop(at) {
                    events += 1;
                    let mut door = Door { me, from: 0, all: &mut all };
                    match due {
                        Due::Tick => nodes[me as usize].tick(&mut door),
                        Due::Expired(key) => nodes[me as usize].expired(key, &mut door),
                    }
                }
            }
            Event::Wake => {}
        }
        all.rearm(me);
    }
    Figure {
        delivered: all.tally.delivered,
        whole: all.tally.is_whole(shape),
        packets: all.packets,
        events,
        simulated: all.now as f64 / 1e9,
        wall: watch.seconds(),
        digest: None,
    }
}
