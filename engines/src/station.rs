//! The loop of one host, the same on every engine: take in what came, do what is due, let the guest go on,
//! put on the wire what follows, sleep until the next.

use std::future::Future;

use beaufort_sim::time::Time;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::center::{Center, Posted, Referee, Shared, Station, Turn};
use crate::door::Door;
use crate::guest::Guests;
use crate::host::Pulse;

/// The clock of an engine.
pub(crate) trait Clock {
    /// How far the simulated time is.
    fn now(&self) -> Time;
    /// Waits, as exactly as the engine can.
    fn sleep_until(&self, at: Time) -> impl Future<Output = ()> + Send;
}

/// What a host is given to live with.
pub(crate) struct Life<R> {
    pub(crate) shared: Shared<R>,
    pub(crate) me: Station,
    pub(crate) pulse: Pulse,
    pub(crate) guests: Guests,
}

impl<R> Clone for Life<R> {
    fn clone(&self) -> Self {
        Life {
            shared: self.shared.clone(),
            me: self.me,
            pulse: self.pulse.clone(),
            guests: self.guests.clone(),
        }
    }
}

/// Runs one host, whose sockets are open, until the run is over or the engine kills it. What comes off the
/// wire comes in by `wire`.
pub(crate) async fn serve<R: Referee>(
    life: Life<R>,
    clock: impl Clock,
    mut wire: UnboundedReceiver<Vec<u8>>,
    mut post: impl FnMut(Posted),
) {
    let Life { shared, me, pulse, guests } = life;
    let (bell, mailbox) = {
        let mut center = shared.lock();
        center.open(me);
        (center.bell(me), center.mailbox(me))
    };
    let mut door = mailbox.map(|mailbox| Door::new(mailbox, guests));
    loop {
        let now = clock.now();
        pulse.beat(me, now);
        let Turn { posted, next, up, over } = {
            let mut center = shared.lock();
            while let Ok(bytes) = wire.try_recv() {
                take_in(&mut center, &bytes, &pulse);
            }
            center.turn(me, now)
        };
        if over {
            pulse.stop();
            return;
        }
        posted.into_iter().for_each(&mut post);
        if let Some(door) = &mut door
            && up
        {
            // In no time: at the instant to which the process has come.
            if door.attend().await {
                shared.lock().poke(me, None);
                continue;
            }
            if next <= now {
                continue;
            }
        }
        pulse.rest();
        let wait = async {
            match &mut door {
                Some(door) if up => {
                    door.wait(|| {
                        pulse.beat(me, clock.now());
                        shared.lock().set_clocks(me, clock.now());
                    })
                    .await;
                }
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(bytes) = wire.recv() => take_in(&mut shared.lock(), &bytes, &pulse),
            () = bell.notified() => {}
            () = wait => shared.lock().poke(me, Some(clock.now())),
            () = clock.sleep_until(next) => {}
        }
    }
}

fn take_in<R: Referee>(center: &mut Center<R>, bytes: &[u8], pulse: &Pulse) {
    if let Err(error) = center.take_in(bytes) {
        pulse.fail(format!("what came off the wire cannot be read: {error}"));
    }
}
