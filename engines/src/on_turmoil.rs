//! Turmoil: one host for each process, UDP between them, ticks of a millisecond. Its own loss and latency
//! are off, for the scenario's transport has drawn them already.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use beaufort_sim::time::{Span, Time};
use tokio::sync::mpsc::unbounded_channel;
use turmoil::net::UdpSocket;
use turmoil::{Builder, Sim};

use crate::center::{Order, Posted, Referee, Shared, Station};
use crate::guest::Guests;
use crate::host::Pulse;
use crate::station::{Clock, Life, serve};

const PORT: u16 = 5671;
/// The largest parcel: a batch with thousands of items.
const LARGEST: usize = 1 << 20;
/// Datagrams that may wait at one host; turmoil drops more without a word.
const CAPACITY: usize = 1 << 16;

/// Runs a world to its end.
pub(crate) fn run<R: Referee>(
    shared: &Shared<R>,
    pulse: &Pulse,
    guests: &Guests,
    tick: Duration,
) -> Result<(), String> {
    let mut sim = Builder::new()
        .tick_duration(tick)
        .epoch(SystemTime::UNIX_EPOCH)
        .min_message_latency(Duration::ZERO)
        .max_message_latency(Duration::ZERO)
        .fail_rate(0.0)
        .udp_capacity(CAPACITY)
        .rng_seed(0)
        .build();
    let conductor = shared.lock().conductor();
    let addresses: Arc<Vec<IpAddr>> =
        Arc::new((0..=conductor.0).map(|host| sim.lookup(format!("host-{host}"))).collect());
    // The conductor first: a fault comes before all else of its tick.
    for station in std::iter::once(conductor.0).chain(0..conductor.0) {
        let (shared, pulse, guests) = (shared.clone(), pulse.clone(), guests.clone());
        let (life, addresses) =
            (Life { shared, me: Station(station), pulse, guests }, Arc::clone(&addresses));
        sim.host(format!("host-{station}"), move || live(life.clone(), Arc::clone(&addresses)));
    }
    while !pulse.is_stopped() {
        sim.step().map_err(|error| error.to_string())?;
        obey(&mut sim, shared, &addresses);
    }
    Ok(())
}

/// Crashes and restarts hosts. Turmoil has no pause: a process stands still by its shell.
fn obey<R: Referee>(sim: &mut Sim<'_>, shared: &Shared<R>, addresses: &[IpAddr]) {
    let orders = shared.lock().take_orders();
    for order in orders {
        match order {
            Order::Crash(Station(host)) => sim.crash(addresses[host]),
            Order::Restart(Station(host)) => sim.bounce(addresses[host]),
            Order::Pause(_) | Order::Resume(_) => {}
        }
    }
}

async fn live<R: Referee>(life: Life<R>, addresses: Arc<Vec<IpAddr>>) -> turmoil::Result {
    let socket = Arc::new(UdpSocket::bind((IpAddr::V4(Ipv4Addr::UNSPECIFIED), PORT)).await?);
    let (arrived, wire) = unbounded_channel();
    let (reader, broken) = (Arc::clone(&socket), life.pulse.clone());
    tokio::task::spawn_local(async move {
        let mut buffer = vec![0; LARGEST];
        loop {
            match reader.recv_from(&mut buffer).await {
                Ok((length, _)) => {
                    if arrived.send(buffer[..length].to_vec()).is_err() {
                        return;
                    }
                }
                Err(error) => broken.fail(format!("a socket of turmoil: {error}")),
            }
        }
    });
    let broken = life.pulse.clone();
    let post = move |Posted { to, bytes }: Posted| {
        if let Err(error) = socket.try_send_to(&bytes, SocketAddr::new(addresses[to.0], PORT)) {
            broken.fail(format!("a socket of turmoil: {error}"));
        }
    };
    serve(life, Ticks, wire, post).await;
    Ok(())
}

/// Turmoil's clock: time since the simulation began, whatever the host has been through.
struct Ticks;

impl Clock for Ticks {
    fn now(&self) -> Time {
        let elapsed = turmoil::sim_elapsed().unwrap_or_default();
        Time(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    }

    async fn sleep_until(&self, at: Time) {
        if at == Time::NEVER {
            std::future::pending::<()>().await;
        }
        let Span(nanos) = at.since(self.now());
        tokio::time::sleep(Duration::from_nanos(nanos)).await;
    }
}
