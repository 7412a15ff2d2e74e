//! By how much items overtook each other on their way to a place, and how old what came again was. Bounded:
//! so many arrivals are remembered, whatever the run; those beyond are counted.

use std::collections::BTreeMap;

use beaufort_reports::series::{PlaceOrder, latency_bucket};
use beaufort_sim::ids::{Item, PlaceId};
use beaufort_sim::observe::{Observation, Outcome, What};
use beaufort_sim::plan::{PlaceInfo, Plan, StreamSlots};
use beaufort_sim::services::Service;
use beaufort_sim::time::Time;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::series::role;

/// At most so many arrivals are remembered, over all places: about 100 MB.
const MOST: usize = 1 << 21;

/// When an item was offered, and when its caller received success; zero before that.
#[derive(Clone, Copy, Debug, Default)]
struct Clock {
    offered: Time,
    acknowledged: Time,
}

/// A flow and a key of it.
type Key = (u16, u32);

/// What came to one place.
#[derive(Clone, Debug, Default)]
struct Arrivals {
    /// When each item came first.
    first: FxHashMap<u64, Time>,
    /// By key: when those that have come were offered, ascending.
    offers: FxHashMap<Key, SmallVec<[Time; 1]>>,
    overtaken: BTreeMap<u32, u64>,
    furthest: u32,
    recognised: BTreeMap<u16, u64>,
    again: BTreeMap<u16, u64>,
    unwatched: u64,
}

impl Arrivals {
    /// How many of the same key came before it that were offered only after it had been acknowledged; it has
    /// come itself from now on.
    fn distance(&mut self, key: Key, clock: Clock) -> u32 {
        let offers = self.offers.entry(key).or_default();
        let before = |offered: &Time| *offered <= clock.acknowledged;
        let acknowledged = clock.acknowledged > Time::ZERO;
        let distance = if acknowledged { offers.len() - offers.partition_point(before) } else { 0 };
        let place = offers.partition_point(|offered| *offered <= clock.offered);
        offers.insert(place, clock.offered);
        distance as u32
    }

    fn finish(self, plan: &Plan, place: PlaceId) -> PlaceOrder {
        let info = plan.place(place);
        PlaceOrder {
            place: info.name.clone(),
            role: role(plan, place),
            came: self.first.len() as u64,
            overtaken: self.overtaken.into_iter().collect(),
            furthest: self.furthest,
            recognised: self.recognised.into_iter().collect(),
            again: self.again.into_iter().collect(),
            window: window(plan, info),
            unwatched: self.unwatched,
        }
    }
}

/// For how long repetitions are recognised at a place, in seconds.
fn window(plan: &Plan, place: &PlaceInfo) -> Option<f64> {
    let nodes = &plan.blueprint.nodes;
    let whole = || nodes.get(&plan.nodes[place.node.index()].name);
    let window = nodes.get(&place.name).or_else(whole)?.repetition_window()?;
    Some(window.as_secs_f64())
}

/// All places of a run.
#[derive(Clone, Debug)]
pub(super) struct Orders {
    slots: StreamSlots,
    /// By stream: its flow.
    flows: Vec<u16>,
    /// By stream and number.
    clocks: Vec<Vec<Clock>>,
    places: Vec<Arrivals>,
    remembered: usize,
}

impl Orders {
    pub(super) fn new(plan: &Plan) -> Orders {
        Orders {
            slots: plan.stream_slots(),
            flows: plan.streams.iter().map(|stream| stream.flow.index() as u16).collect(),
            clocks: vec![Vec::new(); plan.streams.len()],
            places: vec![Arrivals::default(); plan.places.len()],
            remembered: 0,
        }
    }

    pub(super) fn observe(&mut self, seen: &Observation) {
        let (item, now) = (seen.item, seen.at);
        match seen.what {
            What::Offered { .. } => self.clock(item, |clock| clock.offered = now),
            What::Concluded { outcome: Outcome::Ok, .. } => {
                self.clock(item, |clock| clock.acknowledged = now)
            }
            What::Born { place, .. } | What::Moved { to: place, .. } => self.came(item, place, now),
            What::Absorbed { place } => self.recognised(item, place, now),
            _ => {}
        }
    }

    fn clock(&mut self, item: Item, set: impl FnOnce(&mut Clock)) {
        let Some(clocks) = self.clocks.get_mut(self.slots.index(item.stream)) else { return };
        if item.is_none() {
            return;
        }
        let number = item.number as usize;
        if number >= clocks.len() {
            clocks.resize(number + 1, Clock::default());
        }
        set(&mut clocks[number]);
    }

    fn came(&mut self, item: Item, place: PlaceId, now: Time) {
        let stream = self.slots.index(item.stream);
        let Some(clocks) = self.clocks.get(stream) else { return };
        let clock = clocks.get(item.number as usize).copied().unwrap_or_default();
        let Some(arrivals) = self.places.get_mut(place.index()) else { return };
        if let Some(first) = arrivals.first.get(&item.identity()) {
            *arrivals.again.entry(age(*first, now)).or_default() += 1;
            return;
        }
        if self.remembered == MOST {
            arrivals.unwatched += 1;
            return;
        }
        self.remembered += 1;
        arrivals.first.insert(item.identity(), now);
        let distance = arrivals.distance((self.flows[stream], item.key), clock);
        if distance > 0 {
            *arrivals.overtaken.entry(1 << distance.ilog2()).or_default() += 1;
            arrivals.furthest = arrivals.furthest.max(distance);
        }
    }

    fn recognised(&mut self, item: Item, place: PlaceId, now: Time) {
        let Some(arrivals) = self.places.get_mut(place.index()) else { return };
        match arrivals.first.get(&item.identity()) {
            Some(first) => *arrivals.recognised.entry(age(*first, now)).or_default() += 1,
            None => arrivals.unwatched += 1,
        }
    }

    /// The places at which something was overtaken or came again, in the order of the plan.
    pub(super) fn finish(self, plan: &Plan) -> Vec<PlaceOrder> {
        let places =
            self.places.into_iter().zip(0..).map(|(arrivals, id)| arrivals.finish(plan, PlaceId(id)));
        let odd = |place: &PlaceOrder| {
            let none = place.overtaken.is_empty() && place.recognised.is_empty() && place.again.is_empty();
            !none || place.unwatched > 0
        };
        places.filter(odd).collect()
    }
}

fn age(first: Time, now: Time) -> u16 {
    latency_bucket(now.since(first).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use beaufort_sim::time::Span;

    use super::*;

    fn at(seconds: u64) -> Time {
        Time::ZERO + Span::secs(seconds)
    }

    fn clock(offered: u64, acknowledged: u64) -> Clock {
        Clock { offered: at(offered), acknowledged: at(acknowledged) }
    }

    #[test]
    fn the_distance_counts_those_that_were_offered_after_the_acknowledgement() {
        let mut place = Arrivals::default();
        let key = (0, 7);
        assert_eq!(place.distance(key, clock(20, 21)), 0);
        assert_eq!(place.distance(key, clock(10, 11)), 1);
        assert_eq!(place.distance(key, clock(1, 15)), 1, "the second overlaps it");
        assert_eq!(place.distance(key, clock(2, 3)), 2);
        assert_eq!(place.distance(key, clock(4, 0)), 0, "it was never acknowledged");
        assert_eq!(place.distance((0, 8), clock(2, 3)), 0, "another key");
        assert_eq!(place.distance((1, 7), clock(2, 3)), 0, "another flow");
    }
}
