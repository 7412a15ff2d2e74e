//! The relay on nexosim, on one thread: a model for each node. A packet is an event that its sender
//! schedules for itself after the latency, and then sends on the port to its receiver.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nexosim::model::{Context, Model, schedulable};
use nexosim::ports::Output;
use nexosim::simulation::{Mailbox, SimInit};
use nexosim::time::MonotonicTime;
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::bare::Xoshiro;
use crate::relay::{Packet, Shape, Tally};
use crate::{Figure, Stopwatch};

#[derive(Debug, Default)]
struct Shared {
    tally: Tally,
    packets: u64,
}

/// A node of the relay.
#[derive(Serialize, Deserialize)]
struct Member {
    me: u32,
    actor: Actor,
    seed: u64,
    /// The ports, by the node that they lead to; only the broker has more than one.
    ports: Vec<Output<(u32, Packet)>>,
    wake: u64,
    #[serde(skip)]
    random: Option<Xoshiro>,
    #[serde(skip)]
    shared: Arc<Mutex<Shared>>,
}

#[Model]
impl Member {
    #[nexosim(init)]
    async fn init(&mut self, cx: &Context<Self>) {
        self.random = Some(Xoshiro::new(self.seed << 16 | u64::from(self.me)));
        self.actor.start();
        self.flush(cx);
    }

    /// A packet has arrived.
    async fn arrive(&mut self, (from, packet): (u32, Packet), cx: &Context<Self>) {
        self.actor.packet(nanos(cx), from, packet);
        self.flush(cx);
    }

    /// A packet has been under way for its latency.
    #[nexosim(schedulable)]
    async fn transmit(&mut self, (to, packet): (u32, Packet)) {
        let port = if self.ports.len() == 1 { 0 } else { to as usize };
        if let Some(port) = self.ports.get_mut(port) {
            port.send((self.me, packet)).await;
        }
    }

    /// A timer is due.
    #[nexosim(schedulable)]
    async fn wake(&mut self, at: u64, cx: &Context<Self>) {
        if at == self.wake {
            self.wake = u64::MAX;
            self.actor.run(nanos(cx));
            self.flush(cx);
        }
    }

    fn flush(&mut self, cx: &Context<Self>) {
        let Some(random) = &mut self.random else { return };
        if !self.actor.delivered.is_empty() || !self.actor.outbox.is_empty() {
            let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            shared.packets += self.actor.outbox.len() as u64;
            self.actor.count(&mut shared.tally);
        }
        for (to, packet) in self.actor.outbox.drain(..) {
            if !random.loses() {
                let after = Duration::from_nanos(random.latency());
                let _ = cx.schedule_event(after, schedulable!(Self::transmit), (to, packet));
            }
        }
        let due = self.actor.next_due();
        if due < self.wake {
            self.wake = due;
            let after = Duration::from_nanos(due.saturating_sub(nanos(cx)).max(1));
            let _ = cx.schedule_event(after, schedulable!(Self::wake), due);
        }
    }
}

fn nanos(cx: &Context<Member>) -> u64 {
    cx.time().duration_since(MonotonicTime::EPOCH).as_nanos() as u64
}

/// Runs a relay.
///
/// # Errors
/// In words, if nexosim gives up.
pub fn run(shape: &Shape) -> Result<Figure, String> {
    let watch = Stopwatch::start();
    let shared = Arc::new(Mutex::new(Shared::default()));
    let boxes: Vec<Mailbox<Member>> = (0..shape.nodes()).map(|_| Mailbox::with_capacity(64)).collect();
    let mut members: Vec<Member> = (0..shape.nodes())
        .map(|me| Member {
            me,
            actor: Actor::new(*shape, me),
            seed: shape.seed,
            ports: Vec::new(),
            wake: u64::MAX,
            random: None,
            shared: Arc::clone(&shared),
        })
        .collect();
    for (index, member) in members.iter_mut().enumerate() {
        let broker = shape.broker() as usize;
        let targets = if index == broker { 0..boxes.len() } else { broker..broker + 1 };
        for target in targets {
            let mut port = Output::default();
            if target != index {
                port.connect(Member::arrive, &boxes[target]);
            }
            member.ports.push(port);
        }
    }
    let mut bench = SimInit::with_num_threads(1);
    for (member, mailbox) in members.into_iter().zip(boxes) {
        let name = format!("node-{}", member.me);
        bench = bench.add_model(member, mailbox, &name);
    }
    let mut simulation = bench.init(MonotonicTime::EPOCH).map_err(|error| error.to_string())?;
    simulation.run().map_err(|error| error.to_string())?;
    let simulated = simulation.time().duration_since(MonotonicTime::EPOCH).as_secs_f64();
    let shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Figure {
        delivered: shared.tally.delivered,
        whole: shared.tally.is_whole(shape),
        packets: shared.packets,
        simulated,
        wall: watch.seconds(),
        ..Figure::default()
    })
}
