//! The monitor of a profile: it probes the endpoints from its probing regions, each of which counts for
//! itself, tells the name servers who is degraded, and carries out what people and automation ask for.

use std::sync::Arc;

use crate::faults::Hook;
use crate::faults::local::Value;
use crate::ids::{ConnectionId, Item};
use crate::message::control::{Answer, Command, Listing};
use crate::message::{Body, Message};
use crate::node::{Context, Durable, Input, Process, TimerId};
use crate::observe::{Belief, Handling, Held, Symptom, What};
use crate::random::{Purpose, mix};
use crate::services::front::{control_is_down, turned_away};
use crate::services::traffic_manager::profile::{Profile, Records};
use crate::time::Span;

/// What is known of an endpoint (facts data 4.1). An endpoint that is not listed is *disabled*, and so not
/// probed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Not answered a probe yet; given out nevertheless.
    #[default]
    Checking,
    Online,
    Degraded,
}

/// What one probing region knows.
#[derive(Clone, Debug, Default, PartialEq)]
struct Region {
    /// The number of its round; a later answer to an earlier round counts no more.
    round: u16,
    /// The endpoints that have not answered in this round.
    waiting: u16,
    timer: Option<TimerId>,
    /// Failed probes in a row, by endpoint.
    failures: Vec<u8>,
    /// The endpoints that have answered well since it last gave them up.
    online: u16,
    /// The endpoints that it has given up.
    degraded: u16,
}

/// The monitor.
#[derive(Clone, Debug)]
pub(super) struct Monitor {
    profile: Arc<Profile>,
    /// Which endpoints are enabled, in order of priority.
    listed: Durable<Listing, Listing>,
    regions: Vec<Region>,
    states: Vec<State>,
    /// What the name servers were told last.
    told: Option<Records>,
}

impl crate::node::Apply<Listing> for Listing {
    fn apply(&mut self, listing: Listing) {
        *self = listing;
    }
}

const ROUND: u64 = 1;
const TIMEOUT: u64 = 2;

impl Monitor {
    pub(super) fn new(profile: Arc<Profile>) -> Monitor {
        let listed = Durable::new(Listing::all(profile.targets.len()));
        let (regions, states) = Monitor::nothing_known(&profile);
        Monitor { profile, listed, regions, states, told: None }
    }

    fn nothing_known(profile: &Profile) -> (Vec<Region>, Vec<State>) {
        let region = Region { failures: vec![0; profile.targets.len()], ..Region::default() };
        (vec![region; usize::from(profile.regions)], vec![State::default(); profile.targets.len()])
    }

    fn start(&self, cx: &mut Context<'_>) {
        for region in 0..self.regions.len() as u64 {
            let draw = cx.draw(Purpose::Phase, [region, 0]);
            let phase = Span(((u128::from(draw) * u128::from(self.profile.interval.0)) >> 64) as u64);
            cx.timer(phase, ROUND << 32 | region, false);
        }
    }

    // -- Probing. --

    fn round(&mut self, cx: &mut Context<'_>, index: usize) {
        cx.timer(self.profile.interval, ROUND << 32 | index as u64, false);
        let Some(region) = self.regions.get_mut(index) else { return };
        region.round = region.round.wrapping_add(1);
        region.waiting = self.listed.get().bits();
        for endpoint in self.listed.get().iter() {
            let Some(target) = self.profile.targets.get(usize::from(endpoint)) else { continue };
            let tag = (index as u32) << 8 | u32::from(endpoint);
            let probe = Message { tag, attempt: region.round, ..Message::new(Body::Probe) };
            cx.datagram(target.address.process, probe);
        }
        if region.waiting != 0 {
            region.timer = Some(cx.timeout(self.profile.timeout, TIMEOUT << 32 | index as u64, false));
        }
    }

    fn probed(&mut self, cx: &mut Context<'_>, message: &Message, ready: bool) {
        let (index, endpoint) = ((message.tag >> 8) as usize, message.tag as u8);
        let Some(region) = self.regions.get_mut(index) else { return };
        if message.attempt != region.round || region.waiting >> (endpoint & 15) & 1 == 0 {
            return;
        }
        region.waiting &= !(1 << endpoint);
        if region.waiting == 0
            && let Some(timer) = region.timer.take()
        {
            cx.cancel(timer);
        }
        let ready = self.flap(cx, index, endpoint, ready);
        self.count(cx, index, endpoint, if ready { None } else { Some(Symptom::Error) });
        self.judge(cx);
    }

    fn timed_out(&mut self, cx: &mut Context<'_>, index: usize) {
        let Some(region) = self.regions.get_mut(index) else { return };
        region.timer = None;
        let waiting = std::mem::take(&mut region.waiting);
        for endpoint in (0..self.profile.targets.len() as u8).filter(|endpoint| waiting >> endpoint & 1 == 1)
        {
            let ready = self.flap(cx, index, endpoint, false);
            self.count(cx, index, endpoint, if ready { None } else { Some(Symptom::Timeout) });
        }
        self.judge(cx);
    }

    /// A fault of the prober itself: what it says is not what it saw.
    fn flap(&self, cx: &mut Context<'_>, region: usize, endpoint: u8, ready: bool) -> bool {
        let says = match cx.impaired(Hook::ProbeFlap, 0).map(|strike| strike.value) {
            None => return ready,
            Some(Value::Number(says)) => says == 1,
            Some(_) => !ready,
        };
        let round = self.regions.get(region).map_or(0, |region| u64::from(region.round));
        let occurrence = mix(u64::from(endpoint), mix(region as u64, round));
        if says == ready {
            return ready;
        }
        let Some(strike) = cx.strike(Hook::ProbeFlap, 0, Item::default(), occurrence) else { return ready };
        if let Some(target) = self.profile.targets.get(usize::from(endpoint)) {
            cx.touched_about(target.address.process, strike);
        }
        says
    }

    /// One probing region counts one probe; `trouble` is what was wrong with it.
    fn count(&mut self, cx: &mut Context<'_>, index: usize, endpoint: u8, trouble: Option<Symptom>) {
        let (tolerated, bit) = (self.profile.tolerated, 1u16 << endpoint);
        let Some(region) = self.regions.get_mut(index) else { return };
        let Some(failures) = region.failures.get_mut(usize::from(endpoint)) else { return };
        let Some(symptom) = trouble else {
            *failures = 0;
            region.online |= bit;
            region.degraded &= !bit;
            return;
        };
        *failures = failures.saturating_add(1);
        if *failures > tolerated {
            region.degraded |= bit;
            region.online &= !bit;
        }
        if let Some(target) = self.profile.targets.get(usize::from(endpoint)) {
            cx.trouble(target.address.process, symptom);
        }
    }

    /// Draws the conclusions from what all regions know. An endpoint is degraded for as long as any region
    /// has given it up.
    fn judge(&mut self, cx: &mut Context<'_>) {
        let all =
            |known: fn(&Region) -> u16| self.regions.iter().fold(0, |bits, region| bits | known(region));
        let (degraded, online) = (all(|region| region.degraded), all(|region| region.online));
        for (index, state) in self.states.iter_mut().enumerate() {
            let before = *state;
            *state = match (degraded >> index & 1, online >> index & 1) {
                (1, _) => State::Degraded,
                (_, 1) => State::Online,
                _ => State::Checking,
            };
            let changed = (before == State::Degraded) != (*state == State::Degraded);
            if changed && let Some(target) = self.profile.targets.get(index) {
                cx.believe(target.address.process, Belief::Ready(*state != State::Degraded));
            }
        }
        self.publish(cx, degraded, false);
    }

    fn publish(&mut self, cx: &mut Context<'_>, degraded: u16, anyway: bool) {
        let records = Records { listed: *self.listed.get(), degraded };
        if self.told == Some(records) && !anyway {
            return;
        }
        // The name servers go on answering with what they were told last (facts data 4); it is tried again
        // after the next probe.
        if control_is_down(cx) {
            return;
        }
        self.told = Some(records);
        let publish = Command::Publish { listed: records.listed, degraded };
        cx.tell(self.profile.servers, Message::new(Body::Control(publish)));
    }

    fn degraded(&self) -> u16 {
        let bits = self.states.iter().enumerate().filter(|(_, state)| **state == State::Degraded);
        bits.fold(0, |bits, (index, _)| bits | 1 << index)
    }

    // -- Control plane. --

    fn control(
        &mut self,
        cx: &mut Context<'_>,
        connection: ConnectionId,
        message: &Message,
        command: Command,
    ) {
        if turned_away(connection, message, command, cx) {
            return;
        }
        let answer = match command {
            Command::Ready { .. } => return self.publish(cx, self.degraded(), true),
            Command::Set { listed }
                if listed.iter().all(|index| usize::from(index) < self.profile.targets.len()) =>
            {
                self.set(cx, listed);
                Answer::Done
            }
            Command::Verify { .. } => {
                Answer::State { up: self.states.contains(&State::Online), in_sync: true }
            }
            _ => Answer::Refused,
        };
        if answer != Answer::Refused {
            let what = What::Handled { call: message.call, how: Handling::Stored };
            cx.observe_on(connection, message.cargo.first().unwrap_or_default(), what);
        }
        cx.answer(connection, message.answer(Body::ControlAnswer(answer)));
    }

    /// Replaces the list of endpoints. What is new in it is checked from the beginning.
    fn set(&mut self, cx: &mut Context<'_>, listed: Listing) {
        let new = listed.bits() & !self.listed.get().bits();
        *self.listed.get_mut() = listed;
        let keep = listed.bits() & !new;
        for region in &mut self.regions {
            region.degraded &= keep;
            region.online &= keep;
            region.waiting &= keep;
            for (index, failures) in region.failures.iter_mut().enumerate() {
                *failures *= u8::from(keep >> index & 1 == 1);
            }
        }
        self.judge(cx);
    }
}

impl Process for Monitor {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        match input {
            Input::Start => self.start(cx),
            Input::Message { connection, message, .. } => match message.body {
                Body::ProbeAnswer { ready } => self.probed(cx, &message, ready),
                Body::Control(command) => self.control(cx, connection, &message, command),
                _ => {}
            },
            Input::Timer(token) => match token >> 32 {
                ROUND => self.round(cx, token as u32 as usize),
                _ => self.timed_out(cx, token as u32 as usize),
            },
            // What was told on it may not have arrived.
            Input::Closed { peer, .. } if peer == self.profile.servers => self.told = None,
            Input::Closed { .. } | Input::Disk(..) | Input::Poke => {}
        }
    }

    fn crash(&mut self) {
        self.listed.crash();
        (self.regions, self.states) = Monitor::nothing_known(&self.profile);
        self.told = None;
    }

    fn inventory(&self, _: &mut dyn FnMut(Held)) {}

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}
