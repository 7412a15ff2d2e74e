//! The front of a server: what endpoints and stores have in common before and after the work itself.
//! Requests queue for capacity, wait for their service time, and meet the faults of a dependency.

use crate::faults::Hook;
use crate::faults::local::{Strike, Value};
use crate::ids::{CallId, ConnectionId, Item};
use crate::kernel::slab::Slab;
use crate::message::control::{Answer, Command};
use crate::message::{Body, Message};
use crate::node::{Context, Gauge};
use crate::observe::{Handling, Symptom, What};
use crate::random::{Purpose, mix};
use crate::services::turns::Turns;
use crate::time::{Span, Time};
use crate::units::{Distribution, Rate, Sampler};

/// Answers somebody of the control plane, and books the call: what was not refused has been done.
pub fn answer_control(connection: ConnectionId, message: &Message, answer: Answer, cx: &mut Context<'_>) {
    if answer != Answer::Refused && message.call != CallId(0) {
        let how = Handling::Stored;
        cx.observe_on(connection, Item::default(), What::Handled { call: message.call, how });
    }
    cx.answer(connection, message.answer(Body::ControlAnswer(answer)));
}

/// Whether the control plane is down: what the platform does by itself (a failover, a published change) waits.
pub fn control_is_down(cx: &mut Context<'_>) -> bool {
    cx.strike(Hook::ControlPlaneDown, u16::MAX, Item::default(), 0).is_some()
}

/// What the control plane answers now instead of doing anything: it is down, or the limit of its requests is
/// used up.
pub fn control_fails(cx: &mut Context<'_>) -> Option<Answer> {
    if control_is_down(cx) {
        return Some(Answer::Unavailable);
    }
    let throttled = cx.strike(Hook::ControlPlaneThrottle, u16::MAX, Item::default(), 0)?;
    let Value::Span(retry_after) = throttled.value else { return Some(Answer::Unavailable) };
    Some(Answer::Throttled { retry_after })
}

/// Whether a request that would change something has been turned away by the control plane. Nothing of it has
/// happened then.
pub fn turned_away(
    connection: ConnectionId,
    message: &Message,
    command: Command,
    cx: &mut Context<'_>,
) -> bool {
    let fails = if command.manages() { control_fails(cx) } else { None };
    if let Some(answer) = fails {
        cx.answer(connection, message.answer(Body::ControlAnswer(answer)));
    }
    fails.is_some()
}

/// A request that is being served.
#[derive(Clone, Debug)]
pub struct Pending {
    /// On which connection it came.
    pub connection: ConnectionId,
    /// What it said.
    pub message: Message,
}

/// A queue in front of a server that serves so many requests a second, first come, first served.
/// Closed form: a request costs no event for waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Line {
    free_at: Time,
    turns: Turns,
}

impl Line {
    /// How long a request that arrives now waits for its turn, or `None` where more than `longest` wait
    /// already. The turn is taken whether or not its client is still there.
    pub fn join(&mut self, now: Time, capacity: Rate, longest: Option<u32>) -> Option<Span> {
        let interval = capacity.interval()?;
        let wait = self.free_at.since(now);
        if longest.is_some_and(|longest| wait.0 / interval.0 >= u64::from(longest)) {
            return None;
        }
        self.free_at = now + wait + interval;
        self.turns.take(now + wait, interval);
        Some(wait)
    }

    /// How much of its capacity is taken in this second. Only a look.
    #[must_use]
    pub fn gauge(&self, name: &'static str, capacity: Rate, now: Time) -> Gauge {
        let capacity = capacity.a_second();
        Gauge::rate(name, "requests", self.turns.share(now) * capacity, capacity, Span::secs(1))
    }

    /// How many wait for their turn, of so many that may. Only a look.
    #[must_use]
    pub fn waiting(&self, capacity: Rate, longest: u32, now: Time) -> Gauge {
        let interval = capacity.interval().unwrap_or(Span::FOREVER);
        let waiting = self.free_at.since(now).0 / interval.0;
        Gauge::level("waiting requests", "requests", waiting, longest.into())
    }
}

/// What is volatile about the front of a server.
#[derive(Clone, Debug, Default)]
pub struct Front {
    pending: Slab<Pending>,
    line: Line,
    throttle: Line,
    anonymous: u64,
    slow: Option<(Distribution, Sampler)>,
}

impl Front {
    /// Keeps a request while it is served; the slot is its timer's token.
    pub fn keep(&mut self, pending: Pending) -> u64 {
        u64::from(self.pending.insert(pending))
    }

    /// Takes the request of this timer.
    pub fn take(&mut self, token: u64) -> Option<Pending> {
        self.pending.take(u32::try_from(token).ok()?)
    }

    /// The request of this timer.
    #[must_use]
    pub fn look(&self, token: u64) -> Option<&Pending> {
        self.pending.get(u32::try_from(token).ok()?)
    }

    /// Nobody waits for the answer to the request of this timer any more.
    pub fn deafen(&mut self, token: u64) {
        if let Some(pending) = u32::try_from(token).ok().and_then(|slot| self.pending.get_mut(slot)) {
            pending.connection = ConnectionId::NONE;
        }
    }

    /// Nobody waits for any answer any more: all sessions are terminated. Returns the connections, each
    /// as often as somebody waited on it.
    pub fn deafen_all(&mut self) -> Vec<ConnectionId> {
        let slots: Vec<u32> = self.pending.iter().map(|(slot, _)| slot).collect();
        let pending = slots.into_iter().filter_map(|slot| {
            let pending = self.pending.get_mut(slot)?;
            Some(std::mem::replace(&mut pending.connection, ConnectionId::NONE))
        });
        pending.filter(|connection| *connection != ConnectionId::NONE).collect()
    }

    /// How many requests are being served.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.pending.len()
    }

    /// Waits for its turn; see [`Line::join`]. No capacity: no waiting.
    pub fn queue(&mut self, now: Time, capacity: Option<Rate>, longest: Option<u32>) -> Option<Span> {
        capacity.map_or(Some(Span::ZERO), |capacity| self.line.join(now, capacity, longest))
    }

    /// How much of its capacity is taken, and how many wait of those that may. Only a look.
    pub fn gauges(
        &self,
        now: Time,
        capacity: Option<Rate>,
        longest: Option<u32>,
        out: &mut dyn FnMut(Gauge),
    ) {
        let Some(capacity) = capacity else { return };
        out(self.line.gauge("capacity", capacity, now));
        if let Some(longest) = longest {
            out(self.line.waiting(capacity, longest, now));
        }
    }

    /// What tells this request apart from others about the same item, for draws: its execution and
    /// attempt; a request without an item is counted.
    pub fn occurrence(&mut self, message: &Message, run: u64) -> u64 {
        if message.cargo.is_empty() {
            self.anonymous += 1;
            return mix(self.anonymous, 0x616e_6f6e);
        }
        mix(run, u64::from(message.attempt))
    }

    /// Whether the dependency does not serve this request: down, down for some keys, or intermittently.
    /// Nothing of the request has happened then.
    pub fn is_down(&self, cx: &mut Context<'_>, part: u16, item: Item, occurrence: u64) -> bool {
        [
            (Hook::DependencyDown, 0),
            (Hook::StoreDown, 0),
            (Hook::DependencyPartial, 0),
            (Hook::DependencyIntermittent, occurrence),
        ]
        .into_iter()
        .any(|(hook, occurrence)| cx.strike(hook, part, item, occurrence).is_some())
    }

    /// Whether the whole dependency went down while a request was being served.
    pub fn went_down(&self, cx: &mut Context<'_>, part: u16, item: Item) -> bool {
        [Hook::DependencyDown, Hook::StoreDown]
            .into_iter()
            .any(|hook| cx.strike(hook, part, item, 0).is_some())
    }

    /// Whether a health probe finds it well.
    #[must_use]
    pub fn is_ready(&self, cx: &Context<'_>) -> bool {
        [Hook::DependencyDown, Hook::StoreDown].into_iter().all(|hook| cx.visible(hook, 0).is_none())
    }

    /// The service time of a request: drawn, as slow as the process is, and slower under `dep.slow`.
    pub fn service_time(
        &mut self,
        cx: &mut Context<'_>,
        usual: &Sampler,
        part: u16,
        item: Item,
        occurrence: u64,
    ) -> Span {
        let about = mix(occurrence, cx.plan().part_hash(cx.me(), part));
        let draw = cx.draw(Purpose::Work, [item.identity(), about]);
        let usual = cx.busy(usual.at(draw));
        match cx.strike(Hook::DependencySlow, part, item, occurrence) {
            Some(strike) => self.slowed(cx, usual, strike, item, occurrence),
            None => usual,
        }
    }

    /// A duration under a fault: a span or a drawn latency is added, a number is a factor in thousandths.
    /// What takes at least twice as long is delayed, as on the network.
    pub fn slowed(
        &mut self,
        cx: &mut Context<'_>,
        usual: Span,
        strike: Strike,
        item: Item,
        occurrence: u64,
    ) -> Span {
        let slowed = self.longer(cx, usual, strike, item, occurrence);
        if slowed >= usual.times(2) {
            cx.observe(item, What::Symptom(Symptom::Delayed));
        }
        slowed
    }

    fn longer(&mut self, cx: &Context<'_>, usual: Span, strike: Strike, item: Item, occurrence: u64) -> Span {
        match strike.value {
            Value::Span(extra) => usual + extra,
            Value::Number(factor) => usual.scaled(factor, 1000),
            Value::Latency(distribution) => {
                if self.slow.as_ref().is_none_or(|(of, _)| *of != distribution) {
                    self.slow = Some((distribution, distribution.sampler()));
                }
                let draw = cx.draw(Purpose::Jitter, [item.identity(), occurrence]);
                usual + self.slow.as_ref().map_or(Span::ZERO, |(_, sampler)| sampler.at(draw))
            }
            Value::None | Value::Rate(_) => usual.times(10),
        }
    }

    /// Whether a throttle of `db.throttle` refuses this request; how long to wait then.
    pub fn throttled(&mut self, cx: &mut Context<'_>, part: u16, item: Item) -> Option<Span> {
        let strike = cx.impaired(Hook::DatabaseThrottle, part)?;
        let rate = limit(strike)?;
        let interval = rate.interval().unwrap_or(Span::secs(1));
        // A second's worth may come at once, as in a budget that is filled up every second.
        let burst = (rate.a_second() as u32).max(1);
        if self.throttle.join(cx.now(), rate, Some(burst)).is_some() {
            return None;
        }
        cx.touched(item, strike);
        Some(interval)
    }

    /// Whether the fault `db.conn-pool-exhaust` leaves no connection for one more request.
    pub fn is_exhausted(&self, cx: &mut Context<'_>, part: u16, item: Item) -> bool {
        let Some(strike) = cx.impaired(Hook::ConnectionPool, part) else { return false };
        let left = if let Value::Number(left) = strike.value { left } else { 0 };
        let exhausted = self.pending.len() as u64 >= left;
        if exhausted {
            cx.touched(item, strike);
        }
        exhausted
    }
}

/// The limit that a throttling fault imposes.
#[must_use]
pub fn limit(strike: Strike) -> Option<Rate> {
    match strike.value {
        Value::Rate(rate) => Some(rate),
        Value::Number(count) => Some(Rate::per_second(count as f64)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_makes_requests_wait_in_turn_and_is_no_longer_than_allowed() {
        let mut line = Line::default();
        let capacity = Rate::per_second(10.0);
        let waits: Vec<_> = (0..4).map(|_| line.join(Time(0), capacity, Some(3))).collect();
        let ms = |n| Some(Span::millis(n));
        assert_eq!(waits, [ms(0), ms(100), ms(200), None]);
        let soon = Time(0) + Span::millis(50);
        assert_eq!(line.waiting(capacity, 3, soon).used, 2.0, "the third is being served from 200 ms on");
        let seen = line;
        assert!(
            (line.gauge("capacity", capacity, soon).share() - 0.3).abs() < 1e-9,
            "three in a second of ten"
        );
        assert_eq!(line, seen);
        assert_eq!(line.join(Time(0) + Span::secs(1), capacity, Some(3)), ms(0));
    }
}
