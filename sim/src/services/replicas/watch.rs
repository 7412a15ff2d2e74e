//! What a service does by itself when its primary is away: it probes it from outside, waits for a grace
//! period, in which the primary may come back, and then lets the other replica lead by force. Nobody is asked.

use super::ControlPlane;
use crate::message::control::{Command, Transition};
use crate::message::{Body, Message};
use crate::node::Context;
use crate::observe::Belief;
use crate::random::Purpose;
use crate::services::front::control_is_down;
use crate::time::{Span, Time};
use crate::units::Sampler;

/// How often the leader is probed \[K\].
const EVERY: Span = Span::secs(30);

/// The platform's watch over the leader.
#[derive(Clone, Debug)]
pub struct Watch {
    grace: Span,
    activation: Sampler,
    /// Whether the last probe was answered well.
    well: bool,
    /// Since when it has not been.
    away: Option<Time>,
    /// When the failover is begun.
    due: Option<Time>,
}

impl Watch {
    /// A watch that waits for so long, and then takes so much longer to act.
    #[must_use]
    pub fn new(grace: Span, activation: Sampler) -> Watch {
        Watch { grace, activation, well: true, away: None, due: None }
    }

    /// All that it knew of the old leader is nothing to the new one; nor does it outlive a crash.
    pub(super) fn reset(&mut self) {
        (self.well, self.away, self.due) = (true, None, None);
    }

    pub(super) fn answered(&mut self, ready: bool) {
        self.well |= ready;
    }

    /// What has become of the last probe. True: it is time to act.
    fn judge(&mut self, epoch: u32, cx: &Context<'_>) -> bool {
        let now = cx.now();
        if self.well {
            (self.away, self.due) = (None, None);
            return false;
        }
        let away = *self.away.get_or_insert(now);
        if now.since(away) >= self.grace && self.due.is_none() {
            let takes = self.activation.at(cx.draw(Purpose::Work, [u64::from(epoch), 0]));
            self.due = Some(now + takes);
        }
        self.due.is_some_and(|due| due <= now)
    }
}

impl ControlPlane {
    /// The next look at the leader.
    pub(super) fn look(&mut self, cx: &mut Context<'_>) {
        let leader = self.leader.process;
        let other = self.replicas.iter().find(|(_, process)| *process != leader).copied();
        let Some(watch) = &mut self.watch else { return };
        let knew = watch.away.is_some();
        let acts = watch.judge(self.leader.epoch, cx);
        if watch.away.is_some() != knew {
            cx.believe(leader, Belief::Ready(knew));
        }
        watch.well = false;
        // The platform's own failover is the work of its control plane.
        if acts
            && let Some((to, process)) = other
            && !control_is_down(cx)
        {
            // Asked again at the next look, until somebody leads: nothing has to be remembered.
            let promote = Command::Promote { to, mode: Transition::Forced };
            cx.tell(process, Message { tag: u32::MAX, ..Message::new(Body::Control(promote)) });
        }
        cx.datagram(leader, Message::new(Body::Probe));
        cx.timer(EVERY, 0, false);
    }

    /// The first look.
    pub(super) fn begin_watch(&mut self, cx: &mut Context<'_>) {
        if let Some(watch) = &mut self.watch {
            watch.reset();
            cx.timer(EVERY, 0, false);
        }
    }
}
