//! The relay on plain turmoil: a host for each node, one UDP socket each. Its own `fail_rate` breaks links
//! instead of losing packets, so losses are drawn here; its latencies are exponential between the bounds.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use turmoil::net::UdpSocket;

use crate::actor::Actor;
use crate::bare::Xoshiro;
use crate::relay::{LATENCY_FROM, LATENCY_TO, Packet, Shape, Tally};
use crate::{Figure, Stopwatch};

const PORT: u16 = 1000;
/// Past the last message so much time is given to what is still under way.
const PATIENCE: Duration = Duration::from_secs(600);

#[derive(Default)]
struct Shared {
    tally: Tally,
    packets: u64,
}

/// Runs a relay with this tick.
///
/// # Errors
/// In words, if turmoil gives up.
pub fn run(shape: &Shape, tick: Duration) -> Result<Figure, String> {
    let watch = Stopwatch::start();
    let length = Duration::from_nanos(shape.length()) + PATIENCE;
    let mut builder = turmoil::Builder::new();
    builder
        .tick_duration(tick)
        .simulation_duration(length)
        .min_message_latency(Duration::from_nanos(LATENCY_FROM))
        .max_message_latency(Duration::from_nanos(LATENCY_TO))
        .udp_capacity(1 << 16)
        .rng_seed(shape.seed);
    let mut sim = builder.build();
    let shared = Rc::new(RefCell::new(Shared::default()));
    for index in 0..shape.nodes() {
        let (shape, shared) = (*shape, Rc::clone(&shared));
        sim.client(address(index), async move { Ok(node(shape, index, &shared).await?) });
    }
    let all = u64::from(shape.messages());
    while shared.borrow().tally.delivered < all && sim.elapsed() < length {
        sim.step().map_err(|error| error.to_string())?;
    }
    let Shared { tally, packets } = &*shared.borrow();
    Ok(Figure {
        delivered: tally.delivered,
        whole: tally.is_whole(shape),
        packets: *packets,
        simulated: sim.elapsed().as_secs_f64(),
        wall: watch.seconds(),
        ..Figure::default()
    })
}

fn address(index: u32) -> IpAddr {
    Ipv4Addr::from_bits(Ipv4Addr::new(192, 168, 1, 0).to_bits() + index).into()
}

async fn node(shape: Shape, index: u32, shared: &RefCell<Shared>) -> std::io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
    let mut random = Xoshiro::new(shape.seed << 16 | u64::from(index));
    let mut actor = Actor::new(shape, index);
    let started = Instant::now();
    actor.start();
    let mut buffer = [0; 16];
    let first = Ipv4Addr::new(192, 168, 1, 0).to_bits();
    loop {
        actor.run(nanos(started));
        actor.count(&mut shared.borrow_mut().tally);
        for (to, packet) in std::mem::take(&mut actor.outbox) {
            shared.borrow_mut().packets += 1;
            if !random.loses() {
                socket.send_to(&packet.to_bytes(), (address(to), PORT)).await?;
            }
        }
        let due = actor.next_due();
        let wake = started + Duration::from_nanos(due.min(shape.length() * 2));
        tokio::select! {
            biased;
            received = socket.recv_from(&mut buffer) => {
                let (len, from) = received?;
                if let (Some(packet), SocketAddr::V4(from)) = (Packet::from_bytes(&buffer[..len]), from) {
                    actor.packet(nanos(started), from.ip().to_bits() - first, packet);
                }
            }
            () = sleep_until(wake) => {}
        }
    }
}

fn nanos(started: Instant) -> u64 {
    started.elapsed().as_nanos() as u64
}
