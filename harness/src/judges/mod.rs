//! The judges: they see observations, and nothing else of the world. One struct takes each observation
//! once and hands it to the books, the items, the objectives and the faults.

mod acknowledged;
pub(crate) mod activity;
mod bench;
pub mod comparison;
mod conclude;
pub mod config;
mod consistency;
mod copies;
mod durations;
mod end;
mod evaluate;
pub mod expect;
mod felt;
mod goals;
mod items;
mod meters;
pub(crate) mod naming;
mod order;
mod reach;
mod recovery;
mod replicas;
pub mod rules;
pub(crate) mod sends;
mod table;
mod tail;
mod weather;

#[cfg(test)]
pub(crate) mod golden;
#[cfg(test)]
mod golden_fates;
#[cfg(test)]
mod golden_goals;
#[cfg(test)]
mod golden_sites;
#[cfg(test)]
mod props;

use std::sync::Arc;

use beaufort_sim::ids::PlaceId;
use beaufort_sim::observe::{End as Ending, FaultPhase, Observation, Outcome, Sink, What};
use beaufort_sim::plan::{PlaceRole, Plan};
use beaufort_sim::time::Time;

pub use end::End;
pub use rules::Rules;

use activity::Activity;
use consistency::Consistency;
use copies::Copies;
use felt::Faults;
use items::{Copy, Items};
use meters::{Concluded, Meters};
use reach::Reach;
use replicas::Shadows;
use sends::Sends;
use weather::Weather;

use crate::recorders::Shares;

/// All judges of one run. A clone of it, with a clone of the world, is a snapshot.
#[derive(Clone, Debug)]
pub struct Judges {
    plan: Arc<Plan>,
    rules: Arc<Rules>,
    copies: Copies,
    sends: Sends,
    items: Items,
    meters: Meters,
    faults: Faults,
    weather: Weather,
    reach: Reach,
    activity: Activity,
    shadows: Shadows,
    consistency: Consistency,
    shares: Shares,
    /// Places that can have a backlog.
    queues: Arc<[PlaceId]>,
    last_booking: Time,
    now: Time,
}

impl Judges {
    /// Judges of these rules, before anything has happened.
    #[must_use]
    pub fn new(plan: &Arc<Plan>, rules: &Arc<Rules>) -> Judges {
        let places = plan.places.iter().enumerate();
        let queues = places.filter(|(_, place)| place.role == PlaceRole::Queue);
        Judges {
            copies: Copies::new(plan.places.len()),
            sends: Sends::default(),
            items: Items::new(plan, rules),
            meters: Meters::new(&rules.objectives, plan),
            faults: Faults::new(plan),
            weather: Weather::default(),
            reach: Reach::new(plan),
            activity: Activity::new(plan, rules),
            shadows: Shadows::new(plan.places.len(), rules),
            consistency: Consistency::new(plan, rules),
            shares: Shares::new(plan),
            queues: queues.map(|(index, _)| PlaceId(index as u16)).collect(),
            last_booking: Time::ZERO,
            now: Time::ZERO,
            plan: Arc::clone(plan),
            rules: Arc::clone(rules),
        }
    }

    /// When a copy last came, moved or went, or a caller was done.
    #[must_use]
    pub fn last_booking(&self) -> Time {
        self.last_booking
    }

    /// How many faults are active.
    #[must_use]
    pub fn active_faults(&self) -> u32 {
        self.faults.active()
    }

    /// How many items were offered so far.
    #[must_use]
    pub fn offered(&self) -> u64 {
        self.items.offered()
    }

    /// Roughly what the items and calls take, in bytes.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.items.tables.iter().map(table::ItemTable::bytes).sum::<usize>() + self.sends.remembered() * 24
    }

    fn sample(&mut self, now: Time) {
        let queues = self.queues.iter().filter(|place| self.copies.flows_off(**place));
        let backlog = queues.map(|place| self.copies.depth(*place)).sum();
        self.weather.sample(now, backlog);
        self.meters.sample(&self.rules.objectives, &self.copies, backlog, now);
    }

    fn fault(&mut self, fault: beaufort_sim::ids::FaultId, phase: FaultPhase, (event, now): (u64, Time)) {
        if !self.faults.phase(fault, phase, now) {
            return;
        }
        let background = self.rules.faults.get(fault.index()).is_some_and(|facts| facts.background);
        match phase {
            FaultPhase::Started if !background => self.weather.begin(now),
            FaultPhase::Healed if !background => self.weather.heal(now),
            _ => {}
        }
        self.meters.fault(&self.rules.objectives, fault, phase == FaultPhase::Started, (event, now));
    }
}

impl Sink for Judges {
    fn observe(&mut self, seen: &Observation) {
        let now = seen.at;
        self.now = now;
        if self.weather.due(now) {
            self.sample(now);
        }
        self.consistency.observe(seen);
        match seen.what {
            What::Sent { call, to } => self.sends.sent(call, to),
            What::Answered { call, outcome } => {
                if outcome != Outcome::Ok {
                    self.faults.observe(seen, self.sends.callee(call));
                }
                self.sends.answered(call, outcome, seen.process);
                self.meters.called(seen);
            }
            What::Handled { call, how } => {
                self.sends.handled(call, how, seen.process);
                self.meters.called(seen);
            }
            What::Born { place, cause } => {
                self.last_booking = now;
                self.copies.born(place, seen.item, cause);
                self.meters.born(&self.rules.objectives, place, seen.item, seen.event, now);
                let copy = Copy { item: seen.item, place, cause };
                self.items.born(&self.rules, &mut self.meters, &self.weather, copy, now);
            }
            What::Ended { place, cause } => {
                self.last_booking = now;
                self.copies.ended(place, seen.item, cause);
                self.meters.ended(&self.rules.objectives, place, seen.item, cause);
                self.items.ended(&self.rules, place, seen.item, cause, now);
                self.faults.observe(seen, None);
            }
            What::Moved { from, to, reason } => {
                self.last_booking = now;
                self.copies.moved(from, to, seen.item);
                if self.plan.place(from).role == PlaceRole::Effect {
                    // What leaves the place where it took effect (for a conflict feed) is no effect any more.
                    self.items.left(&self.rules, from, seen.item);
                    self.meters.ended(&self.rules.objectives, from, seen.item, Ending::FailoverTail);
                }
                let dead = reason.is_some();
                self.faults.observe(seen, None);
                self.items.moved(&self.rules, &mut self.meters, &self.weather, to, dead, seen.item, now);
            }
            What::Absorbed { place } => self.copies.absorbed(place),
            What::Undone { undone, by } => {
                self.copies.undone(undone);
                self.items.undone(&self.rules, undone, by, seen.item);
            }
            What::Offered { door } => {
                self.shares.observe(seen);
                self.items.offer(&self.rules, &self.weather, seen.item, now);
                self.meters.offered(&self.rules.objectives, door, now);
            }
            What::Concluded { door, outcome, offered } => {
                self.last_booking = now;
                self.shares.observe(seen);
                let done = Concluded { door, item: seen.item, offered, now, outcome };
                self.meters.concluded(&self.rules.objectives, &self.weather, done);
                self.items.concluded(&self.rules, &mut self.meters, &self.weather, seen.item, done);
            }
            What::Shadow { place, held } => self.shadows.note(place, seen.item, held),
            What::RunStarted { run } => {
                self.activity.begin(seen.process, run, seen.item, now);
                self.meters.run(&self.rules.objectives, &self.plan, seen.process, run, false, now);
            }
            What::RunEnded { run, .. } => {
                self.activity.end(seen.process, run, now);
                self.meters.run(&self.rules.objectives, &self.plan, seen.process, run, true, now);
            }
            What::Fault { fault, phase } => self.fault(fault, phase, (seen.event, now)),
            What::Symptom(_)
            | What::Trouble { .. }
            | What::Believes { .. }
            | What::Touched
            | What::TouchedProcess { .. } => self.faults.observe(seen, None),
            What::Life(life) => {
                self.reach.life(seen.process, life);
                self.activity.life(seen.process, life);
            }
            What::StepDone { .. } | What::Read { .. } => {}
        }
    }
}
