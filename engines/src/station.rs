//! The loop of one host, the same on every engine: take in what came, do what is due, put on the wire what
//! follows, sleep until the next.

use std::future::Future;

use beaufort_sim::time::Time;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::center::{Posted, Referee, Shared, Station};
use crate::host::Pulse;

/// The clock of an engine.
pub(crate) trait Clock {
    /// How far the simulated time is.
    fn now(&self) -> Time;
    /// Waits, as exactly as the engine can.
    fn sleep_until(&self, at: Time) -> impl Future<Output = ()> + Send;
}

/// Runs one host, whose sockets are open, until the run is over or the engine kills it. What comes off the wire comes in by `wire`.
pub(crate) async fn serve<R: Referee>(
    shared: Shared<R>,
    me: Station,
    pulse: Pulse,
    clock: impl Clock,
    mut wire: UnboundedReceiver<Vec<u8>>,
    mut post: impl FnMut(Posted),
) {
    let bell = {
        let mut center = shared.lock();
        center.open(me);
        center.bell(me)
    };
    loop {
        let now = clock.now();
        let (posted, next) = {
            let mut center = shared.lock();
            while let Ok(bytes) = wire.try_recv() {
                take_in(&mut center, &bytes, &pulse);
            }
            pulse.beat(me, now);
            let turn = center.turn(me, now);
            pulse.rest();
            if center.is_over() {
                pulse.stop();
                return;
            }
            turn
        };
        posted.into_iter().for_each(&mut post);
        tokio::select! {
            biased;
            Some(bytes) = wire.recv() => take_in(&mut shared.lock(), &bytes, &pulse),
            () = bell.notified() => {}
            () = clock.sleep_until(next) => {}
        }
    }
}

fn take_in<R: Referee>(center: &mut crate::center::Center<R>, bytes: &[u8], pulse: &Pulse) {
    if let Err(error) = center.take_in(bytes) {
        pulse.fail(format!("what came off the wire cannot be read: {error}"));
    }
}
