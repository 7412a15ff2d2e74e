//! Layer 4: zones and regions. A lost zone is silent; what is spread over several zones blinks.

use crate::faults::placement::fault;
use crate::faults::{Action, Aim, Strikes};
use crate::network::{Disturbance, ProcessSet, Scope, Wrong};
use crate::plan::{Location, PlanError};
use crate::time::Span;
use crate::units::{Distribution, Ratio};

fault! {
    /// The zone loses its power: everything in it is silent until `for` is over. Zone-redundant services
    /// do not answer for their documented blip.
    ZoneDown {}
}
impl Strikes for ZoneDown {
    fn actions(&self, aim: &Aim<'_>) -> Result<Vec<Action>, PlanError> {
        let (site, zone) = aim.zone(false)?;
        let mut actions: Vec<Action> = aim.within(site, zone).into_iter().map(Action::PowerOff).collect();
        for id in aim.redundant(site) {
            if let Location::Redundant { blip, .. } = aim.plan.process(id).location
                && !blip.is_zero()
            {
                actions.push(Action::Blip(id, blip));
            }
        }
        Ok(actions)
    }
}

/// Everything inside against everything outside.
fn border(aim: &Aim<'_>, site: u8, zone: Option<u8>) -> Scope {
    let inside = ProcessSet::of(&aim.within(site, zone));
    let outside = inside.complement(aim.plan.processes.len());
    Scope { from: inside, to: outside, both: true }
}

fault! {
    /// The zone is cut off from all others and from outside; inside it works.
    ZoneIsolate {}
}
impl Strikes for ZoneIsolate {
    fn actions(&self, aim: &Aim<'_>) -> Result<Vec<Action>, PlanError> {
        let (site, zone) = aim.zone(false)?;
        Ok(vec![Action::Network(Disturbance::new(aim, border(aim, site, zone), Wrong::cut()))])
    }
}

fault! {
    /// Everything to and from the zone takes longer, and work in it too.
    ZoneSlow {
        /// How much longer a message takes. Default: 50ms p99 500ms.
        latency: Distribution = Distribution::Lognormal { median: Span::millis(50), p99: Span::millis(500) },
        /// How many times longer work takes. Default: 3.
        factor: f64 = 3.0,
    }
}
impl Strikes for ZoneSlow {
    fn actions(&self, aim: &Aim<'_>) -> Result<Vec<Action>, PlanError> {
        let (site, zone) = aim.zone(false)?;
        slow(aim, site, zone, self.latency, self.factor)
    }
}

fn slow(
    aim: &Aim<'_>,
    site: u8,
    zone: Option<u8>,
    latency: Distribution,
    factor: f64,
) -> Result<Vec<Action>, PlanError> {
    let wrong = Wrong::Latency(latency.sampler());
    let mut actions = vec![Action::Network(Disturbance::new(aim, border(aim, site, zone), wrong))];
    let factor = (factor.max(1.0) * 1000.0) as u64;
    actions.extend(aim.within(site, zone).into_iter().map(|id| Action::Slow(id, factor)));
    Ok(actions)
}

fault! {
    /// The whole site loses its power.
    RegionDown {}
}
impl Strikes for RegionDown {
    fn actions(&self, aim: &Aim<'_>) -> Result<Vec<Action>, PlanError> {
        let (site, _) = aim.zone(true)?;
        Ok(aim.within(site, None).into_iter().map(Action::PowerOff).collect())
    }
}

fault! {
    /// The whole site is cut off from outside; inside it works.
    RegionIsolate {}
}
impl Strikes for RegionIsolate {
    fn actions(&self, aim: &Aim<'_>) -> Result<Vec<Action>, PlanError> {
        let (site, _) = aim.zone(true)?;
        Ok(vec![Action::Network(Disturbance::new(aim, border(aim, site, None), Wrong::cut()))])
    }
}

fault! {
    /// The whole site is slow and loses messages.
    RegionBrownout {
        /// How much longer a message takes. Default: 50ms p99 500ms.
        latency: Distribution = Distribution::Lognormal { median: Span::millis(50), p99: Span::millis(500) },
        /// How many times longer work takes. Default: 3.
        factor: f64 = 3.0,
        /// The share of messages that is lost at the border. Default: 1%.
        loss: Ratio = Ratio(0.01),
    }
}
impl Strikes for RegionBrownout {
    fn actions(&self, aim: &Aim<'_>) -> Result<Vec<Action>, PlanError> {
        let (site, _) = aim.zone(true)?;
        let mut actions = slow(aim, site, None, self.latency, self.factor)?;
        let wrong = Wrong::Loss { rate: self.loss.0, burst: None };
        actions.push(Action::Network(Disturbance::new(aim, border(aim, site, None), wrong)));
        Ok(actions)
    }
}
