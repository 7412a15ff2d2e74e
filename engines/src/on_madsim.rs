//! Madsim: one node for each process, TCP between them. Its own loss is off and its latency zero, for the
//! scenario's transport has drawn them already; what remains is its least sleep of a millisecond, which
//! each read of a stream costs.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use beaufort_sim::time::{Span, Time};
use madsim::net::{TcpListener, TcpStream};
use madsim::runtime::{Handle, NodeHandle, Runtime};
use madsim::time::{TimeHandle, sleep};
use madsim::{Config, task};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::center::{Order, Posted, Referee, Shared, Station};
use crate::guest::Guests;
use crate::host::Pulse;
use crate::station::{Clock, Life, serve};

const PORT: u16 = 5671;
/// Madsim's least sleep.
const PACE: Duration = Duration::from_millis(1);
/// How often the run is looked at from outside.
const LOOK: Duration = Duration::from_secs(1);

/// Runs a world to its end. The seed only orders madsim's own tasks.
pub(crate) fn run<R: Referee>(shared: &Shared<R>, pulse: &Pulse, guests: &Guests, seed: u64) {
    let mut config = Config::default();
    config.net.packet_loss_rate = 0.0;
    config.net.send_latency = Duration::ZERO..Duration::from_nanos(1);
    Runtime::with_seed_and_config(seed, config).block_on(direct(shared, pulse, guests));
}

/// Starts the nodes and does with them what the faults ask for, until the run is over.
async fn direct<R: Referee>(shared: &Shared<R>, pulse: &Pulse, guests: &Guests) {
    let (conductor, bell) = {
        let center = shared.lock();
        (center.conductor(), center.orders_bell())
    };
    let handle = Handle::current();
    let nodes: Vec<NodeHandle> =
        (0..=conductor.0).map(|host| start(&handle, shared, pulse, guests, Station(host))).collect();
    while !pulse.is_stopped() {
        tokio::select! {
            biased;
            () = bell.notified() => {}
            () = sleep(LOOK) => {}
        }
        for order in shared.lock().take_orders() {
            match order {
                Order::Crash(Station(host)) => handle.kill(nodes[host].id()),
                Order::Restart(Station(host)) => handle.restart(nodes[host].id()),
                Order::Pause(Station(host)) => handle.pause(nodes[host].id()),
                Order::Resume(Station(host)) => handle.resume(nodes[host].id()),
            }
        }
    }
    // Madsim leaks the tasks that are alive when its runtime is dropped.
    nodes.iter().for_each(|node| handle.kill(node.id()));
    sleep(LOOK).await;
}

fn start<R: Referee>(
    handle: &Handle,
    shared: &Shared<R>,
    pulse: &Pulse,
    guests: &Guests,
    me: Station,
) -> NodeHandle {
    let life = Life { shared: shared.clone(), me, pulse: pulse.clone(), guests: guests.clone() };
    let name = format!("host-{}", me.0);
    handle.create_node().name(name).ip(address(me).ip()).init(move || live(life.clone())).build()
}

fn address(station: Station) -> SocketAddr {
    let [.., high, low] = (station.0 as u32 + 1).to_be_bytes();
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 1, high, low)), PORT)
}

async fn live<R: Referee>(life: Life<R>) {
    let listener = match TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await {
        Ok(listener) => listener,
        Err(error) => return life.pulse.fail(format!("a socket of madsim: {error}")),
    };
    let (arrived, wire) = unbounded_channel();
    task::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            task::spawn(read(stream, arrived.clone()));
        }
    });
    let mut writers: Vec<Option<UnboundedSender<Vec<u8>>>> = Vec::new();
    let post = move |Posted { to, bytes }: Posted| {
        if writers.len() <= to.0 {
            writers.resize(to.0 + 1, None);
        }
        let writer = writers[to.0].get_or_insert_with(|| {
            let (queue, queued) = unbounded_channel();
            task::spawn(write(to, queued));
            queue
        });
        // A writer ends only with its node.
        let _ = writer.send(bytes);
    };
    serve(life, Nanos(TimeHandle::current()), wire, post).await;
}

/// One stream comes in: each parcel with its length before it.
async fn read(mut stream: TcpStream, arrived: UnboundedSender<Vec<u8>>) {
    while let Ok(length) = stream.read_u32().await {
        let mut parcel = vec![0; length as usize];
        if stream.read_exact(&mut parcel).await.is_err() || arrived.send(parcel).is_err() {
            return;
        }
    }
}

/// All that goes to one host. A stream that its death has broken is opened anew.
async fn write(to: Station, mut queued: UnboundedReceiver<Vec<u8>>) {
    let mut stream = None;
    let mut batch = Vec::new();
    while let Some(parcel) = queued.recv().await {
        frame(&mut batch, &parcel);
        while let Ok(parcel) = queued.try_recv() {
            frame(&mut batch, &parcel);
        }
        // Twice: once on the stream that there is, once on a new one. Whoever is not there any more has
        // nothing to read: the conductor has taken its parcels over.
        for _ in 0..2 {
            if stream.is_none() {
                stream = TcpStream::connect(address(to)).await.ok();
            }
            let Some(open) = &mut stream else { continue };
            if open.write_all(&batch).await.is_ok() && open.flush().await.is_ok() {
                break;
            }
            stream = None;
        }
        batch.clear();
        // Each read costs the receiver this long: what comes faster would queue up there.
        sleep(PACE).await;
    }
}

fn frame(batch: &mut Vec<u8>, parcel: &[u8]) {
    batch.extend_from_slice(&(parcel.len() as u32).to_be_bytes());
    batch.extend_from_slice(parcel);
}

/// Madsim's clock.
struct Nanos(TimeHandle);

impl Clock for Nanos {
    fn now(&self) -> Time {
        Time(u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    async fn sleep_until(&self, at: Time) {
        if at == Time::NEVER {
            std::future::pending::<()>().await;
        }
        let Span(nanos) = at.since(self.now());
        self.0.sleep(Duration::from_nanos(nanos)).await;
    }
}
