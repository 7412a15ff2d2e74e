//! The relay on plain madsim: a node for each node, with madsim's own losses and latencies. Every send and
//! every receive takes at least a millisecond there, after the message was taken: so there is one receiving
//! task for each peer, and sends overlap.

#![allow(clippy::disallowed_methods, reason = "inside madsim this clock shows simulated time")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use madsim::net::Endpoint;
use madsim::runtime::Runtime;
use madsim::time::{Instant, sleep, sleep_until};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::actor::Actor;
use crate::relay::{LATENCY_FROM, LATENCY_TO, LOSS, Packet, Shape, Tally};
use crate::{Figure, Stopwatch};

const PORT: u16 = 1000;

#[derive(Default)]
struct Shared {
    tally: Tally,
    packets: u64,
    done: Option<oneshot::Sender<()>>,
}

/// Runs a relay, on a thread of its own: madsim seeds the standard hasher once for each thread.
///
/// # Errors
/// In words, if madsim panics.
pub fn run(shape: &Shape) -> Result<Figure, String> {
    let shape = *shape;
    let run = std::thread::Builder::new().spawn(move || here(shape)).map_err(|error| error.to_string())?;
    run.join().map_err(|_| "a panic inside madsim".to_owned())
}

fn here(shape: Shape) -> Figure {
    let watch = Stopwatch::start();
    let mut config = madsim::Config::default();
    config.net.packet_loss_rate = LOSS;
    config.net.send_latency = Duration::from_nanos(LATENCY_FROM)..Duration::from_nanos(LATENCY_TO);
    let runtime = Runtime::with_seed_and_config(shape.seed, config);
    let (done, finished) = oneshot::channel();
    let shared = Arc::new(Mutex::new(Shared { done: Some(done), ..Shared::default() }));
    let simulated = runtime.block_on(async {
        let started = Instant::now();
        let handle = madsim::runtime::Handle::current();
        let mut nodes = Vec::new();
        for index in 0..shape.nodes() {
            let node = handle.create_node().ip(address(index)).build();
            let shared = Arc::clone(&shared);
            node.spawn(async move { member(shape, index, &shared).await });
            nodes.push(node);
        }
        let _ = finished.await;
        let simulated = started.elapsed().as_secs_f64();
        // A runtime that is dropped leaks the tasks that live.
        nodes.iter().for_each(|node| handle.kill(node.id()));
        sleep(Duration::from_secs(1)).await;
        simulated
    });
    let Shared { tally, packets, .. } = *shared.lock().unwrap_or_else(PoisonError::into_inner);
    Figure {
        delivered: tally.delivered,
        whole: tally.is_whole(&shape),
        packets,
        simulated,
        wall: watch.seconds(),
        ..Figure::default()
    }
}

fn address(index: u32) -> IpAddr {
    Ipv4Addr::from_bits(Ipv4Addr::new(10, 0, 1, 0).to_bits() + index).into()
}

/// The nodes that a node hears from.
fn peers(shape: &Shape, index: u32) -> Vec<u32> {
    let broker = shape.broker();
    if index == broker { (0..shape.nodes()).filter(|peer| *peer != broker).collect() } else { vec![broker] }
}

async fn member(shape: Shape, index: u32, shared: &Mutex<Shared>) -> std::io::Result<()> {
    let endpoint = Arc::new(Endpoint::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?);
    let (heard, mut inbox) = unbounded_channel();
    for peer in peers(&shape, index) {
        madsim::task::spawn(receive(Arc::clone(&endpoint), peer, heard.clone()));
    }
    serve(shape, index, &endpoint, &mut inbox, shared).await
}

/// Receives from one peer: the tag of a message is its sender.
async fn receive(endpoint: Arc<Endpoint>, peer: u32, heard: UnboundedSender<(u32, Packet)>) {
    let mut buffer = [0; 16];
    while let Ok((len, _)) = endpoint.recv_from(u64::from(peer), &mut buffer).await {
        if let Some(packet) = Packet::from_bytes(&buffer[..len]) {
            let _ = heard.send((peer, packet));
        }
    }
}

async fn serve(
    shape: Shape,
    index: u32,
    endpoint: &Endpoint,
    inbox: &mut UnboundedReceiver<(u32, Packet)>,
    shared: &Mutex<Shared>,
) -> std::io::Result<()> {
    let mut actor = Actor::new(shape, index);
    let started = Instant::now();
    actor.start();
    let mut sends = FuturesUnordered::new();
    loop {
        // Before any sleep: a sleep takes at least a millisecond.
        actor.run(nanos(started));
        for (to, packet) in std::mem::take(&mut actor.outbox) {
            shared.lock().unwrap_or_else(PoisonError::into_inner).packets += 1;
            let to = SocketAddr::new(address(to), PORT);
            sends.push(async move {
                let bytes = packet.to_bytes();
                endpoint.send_to(to, u64::from(index), &bytes).await
            });
        }
        if !actor.delivered.is_empty() {
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            actor.count(&mut shared.tally);
            if shared.tally.delivered >= u64::from(shape.messages())
                && let Some(done) = shared.done.take()
            {
                let _ = done.send(());
            }
        }
        let wake = started + Duration::from_nanos(actor.next_due().min(shape.length() * 2));
        tokio::select! {
            biased;
            Some((from, packet)) = inbox.recv() => actor.packet(nanos(started), from, packet),
            Some(sent) = sends.next(), if !sends.is_empty() => sent?,
            () = sleep_until(wake) => {}
        }
    }
}

fn nanos(started: Instant) -> u64 {
    started.elapsed().as_nanos() as u64
}
