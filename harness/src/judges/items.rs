//! What became of every item of every flow: one state word or two for each, counted as it happens, and
//! the checks that have to be made at once (order, delay, what a newer item covers).

use std::sync::Arc;

use beaufort_sim::ids::{Item, PlaceId, StreamId};
use beaufort_sim::observe::{Birth, End, Outcome};
use beaufort_sim::plan::{Plan, StreamSlots};
use beaufort_sim::time::Time;
use rustc_hash::FxHashMap;

use super::meters::{Concluded, Meters};
use super::order::{RealTime, Sequence};
use super::rules::{
    COLUMNS, CONCLUSION, ENDS, FlowRules, GROSS, Hook, Lane, Lanes, NET, NOWHERE, Rules, STANDING, all,
    conclusion, count, ends, lane, mark, uncount,
};
use super::table::ItemTable;
use super::weather::Weather;

/// Of each kind of anomaly at most so many are kept one by one; all are counted.
pub(crate) const KEPT: usize = 1_000;

/// An item and when something happened to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Incident {
    pub(crate) item: Item,
    pub(crate) at: Time,
    /// The effect that it is about.
    pub(crate) lane: Lane,
}

/// What a hook remembers between items.
#[derive(Clone, Debug)]
enum Memory {
    None,
    RealTime(RealTime),
    Sequence(Box<Sequence>),
    /// By key: when the newest effected item was accepted.
    Latest(Vec<u64>),
}

/// How the items of a flow fared at their door.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AtDoor {
    pub(crate) offered: u64,
    pub(crate) by_outcome: [u64; 4],
}

/// The items of a flow.
#[derive(Clone, Debug)]
pub(crate) struct FlowState {
    memories: Vec<Memory>,
    pub(crate) door: AtDoor,
    /// By lane: how often it counted before, during and after the timed faults.
    pub(crate) phases: Vec<[u64; 3]>,
    /// Items offered before, during and after.
    pub(crate) offers: [u64; 3],
    /// Second and further effects.
    pub(crate) doubles: Vec<Incident>,
    /// Places that take something back, as lanes of net effects.
    pub(crate) undoers: Vec<Lane>,
    /// By item and lane: how often a failover brought it back at the new place, where the old one has not
    /// yet been given up. Never iterated.
    reborn: FxHashMap<(u64, Lane), u32>,
}

/// The order contracts: what was checked and found, by contract.
#[derive(Clone, Debug, Default)]
pub(crate) struct OrderBook {
    pub(crate) checked: u64,
    pub(crate) overtaken: u64,
    pub(crate) incidents: Vec<Incident>,
}

/// All items.
#[derive(Clone, Debug)]
pub(crate) struct Items {
    slots: StreamSlots,
    flow_of: Arc<[u16]>,
    pub(crate) tables: Vec<ItemTable>,
    pub(crate) flows: Vec<FlowState>,
    pub(crate) orders: Vec<OrderBook>,
    /// Observations about items of no known generator.
    pub(crate) strangers: u64,
}

impl Items {
    pub(crate) fn new(plan: &Plan, rules: &Rules) -> Items {
        let memory = |hook: &Hook| match hook {
            Hook::Delay { .. } | Hook::Backlog { .. } => Memory::None,
            Hook::RealTime { .. } => Memory::RealTime(RealTime::default()),
            Hook::Sequence { .. } => Memory::Sequence(Box::default()),
            Hook::Latest { .. } => Memory::Latest(Vec::new()),
        };
        let flow = |flow: &FlowRules| FlowState {
            memories: flow.hooks.iter().map(memory).collect(),
            door: AtDoor::default(),
            phases: vec![[0; 3]; usize::from(flow.lanes)],
            offers: [0; 3],
            doubles: Vec::new(),
            undoers: Vec::new(),
            reborn: FxHashMap::default(),
        };
        let table = |stream: &beaufort_sim::plan::StreamInfo| {
            ItemTable::new(rules.flows.get(stream.flow.index()).map_or(1, |flow| flow.words) + 1)
        };
        Items {
            slots: plan.stream_slots(),
            flow_of: plan.streams.iter().map(|stream| stream.flow.0).collect(),
            tables: plan.streams.iter().map(table).collect(),
            flows: rules.flows.iter().map(flow).collect(),
            orders: vec![OrderBook::default(); rules.contracts.len()],
            strangers: 0,
        }
    }

    pub(crate) fn offered(&self) -> u64 {
        self.flows.iter().map(|flow| flow.door.offered).sum()
    }

    /// The flow of a stream.
    pub(crate) fn flow_of(&self, stream: StreamId) -> Option<usize> {
        self.flow_of.get(self.slots.index(stream)).map(|flow| usize::from(*flow))
    }

    fn flow(&mut self, item: Item) -> Option<usize> {
        let flow = self.flow_of(item.stream);
        if flow.is_none() {
            self.strangers += 1;
        }
        flow
    }

    /// An item is made.
    pub(crate) fn offer(&mut self, rules: &Rules, weather: &Weather, item: Item, now: Time) {
        let Some(flow) = self.flow(item) else { return };
        let state = &mut self.flows[flow];
        state.door.offered += 1;
        state.offers[weather.phase()] += 1;
        let clock = rules.flows[flow].clock;
        self.tables[self.slots.index(item.stream)].update(item.number, |words| {
            if let Some(clock) = clock {
                words[clock] = now.0.max(1);
            }
            stamp(words, now);
        });
    }

    /// Its caller is done with it.
    pub(crate) fn concluded(
        &mut self,
        rules: &Rules,
        meters: &mut Meters,
        weather: &Weather,
        item: Item,
        done: Concluded,
    ) {
        let Some(flow) = self.flow(item) else { return };
        self.flows[flow].door.by_outcome[done.outcome as usize] += 1;
        let bits = match done.outcome {
            Outcome::Ok => conclusion::OK,
            Outcome::Unknown => conclusion::UNKNOWN,
            Outcome::Refused => conclusion::REFUSED,
            Outcome::Failed => conclusion::FAILED,
        };
        let laws = &rules.flows[flow];
        self.tables[self.slots.index(item.stream)].update(item.number, |words| {
            mark(words, CONCLUSION, bits);
            if let Some(clock) = laws.clock {
                let settled = laws.real_time.iter().all(|effect| lane(words, *effect) > 0);
                words[clock + 1] = if settled || done.outcome != Outcome::Ok { 0 } else { done.now.0.max(1) };
                if settled {
                    words[clock] = 0;
                }
            }
            stamp(words, done.now);
        });
        let doors = laws.doors.iter().filter(|(doors, _)| doors.contains(&done.door));
        for (_, lane) in doors.filter(|_| done.outcome == Outcome::Ok) {
            self.hit(rules, meters, weather, flow, [*lane, NOWHERE, NOWHERE], item, done.now);
        }
    }

    /// A copy comes to be.
    pub(crate) fn born(
        &mut self,
        rules: &Rules,
        meters: &mut Meters,
        weather: &Weather,
        copy: Copy,
        now: Time,
    ) {
        let Copy { item, place, cause } = copy;
        let Some(flow) = self.flow(item) else { return };
        for mut lanes in rules.flows[flow].lanes_at(place) {
            if cause == Birth::Reborn {
                self.comes_back(flow, item, &mut lanes);
            }
            self.hit(rules, meters, weather, flow, lanes, item, now);
        }
    }

    /// What a failover brings back is the copy that has counted before, not another one; as long as the old
    /// place has not been given up, it is there twice.
    fn comes_back(&mut self, flow: usize, item: Item, lanes: &mut [Lane; COLUMNS]) {
        let gross = lanes[GROSS];
        let table = &mut self.tables[self.slots.index(item.stream)];
        if gross != NOWHERE && table.update(item.number, |words| lane(words, gross) > 0) {
            lanes[GROSS] = NOWHERE;
        }
        for column in [NET, STANDING] {
            let lane = std::mem::replace(&mut lanes[column], NOWHERE);
            if lane != NOWHERE {
                *self.flows[flow].reborn.entry((item.identity(), lane)).or_default() += 1;
            }
        }
    }

    /// A copy has left a place where it had taken effect.
    pub(crate) fn left(&mut self, rules: &Rules, place: PlaceId, item: Item) {
        let Some(flow) = self.flow(item) else { return };
        let table = &mut self.tables[self.slots.index(item.stream)];
        for which in rules.flows[flow].lanes_at(place).flatten().filter(|which| *which != NOWHERE) {
            table.update(item.number, |words| uncount(words, which));
        }
    }

    /// A place is given up: what was there has no effect any more, unless it came back elsewhere.
    fn given_up(&mut self, rules: &Rules, flow: usize, place: PlaceId, item: Item) {
        for lanes in rules.flows[flow].lanes_at(place) {
            for lane in [lanes[NET], lanes[STANDING]].into_iter().filter(|lane| *lane != NOWHERE) {
                let reborn = &mut self.flows[flow].reborn;
                match reborn.get_mut(&(item.identity(), lane)) {
                    Some(times) if *times > 1 => *times -= 1,
                    Some(_) => {
                        reborn.remove(&(item.identity(), lane));
                    }
                    None => {
                        let table = &mut self.tables[self.slots.index(item.stream)];
                        table.update(item.number, |words| uncount(words, lane));
                    }
                }
            }
        }
    }

    /// A copy moves; at its new place that counts as an arrival.
    pub(crate) fn moved(
        &mut self,
        rules: &Rules,
        meters: &mut Meters,
        weather: &Weather,
        to: PlaceId,
        dead: bool,
        item: Item,
        now: Time,
    ) {
        let Some(flow) = self.flow(item) else { return };
        if dead {
            self.tables[self.slots.index(item.stream)]
                .update(item.number, |w| mark(w, ENDS, ends::DEAD_LETTERED));
        }
        for lanes in rules.flows[flow].lanes_at(to) {
            self.hit(rules, meters, weather, flow, lanes, item, now);
        }
    }

    /// A copy ends.
    pub(crate) fn ended(&mut self, rules: &Rules, place: PlaceId, item: Item, cause: End, now: Time) {
        let bits = match cause {
            End::Completed | End::FannedOut => return,
            End::Expired => ends::EXPIRED,
            End::Discarded(_) => ends::DISCARDED,
            End::Destroyed | End::FailoverTail => ends::DESTROYED,
        };
        if let Some(flow) = self.flow(item) {
            if cause == End::FailoverTail {
                self.given_up(rules, flow, place, item);
            }
            self.tables[self.slots.index(item.stream)].update(item.number, |words| {
                mark(words, ENDS, bits);
                stamp(words, now);
            });
        }
    }

    /// An effect is taken back.
    pub(crate) fn undone(&mut self, rules: &Rules, undone: PlaceId, by: PlaceId, item: Item) {
        let Some(flow) = self.flow(item) else { return };
        let laws = &rules.flows[flow];
        let net = |place| laws.lanes_at(place).map(|lanes| lanes[NET]).filter(|net| *net != NOWHERE);
        let (undone, by): (Lanes, Lanes) = (net(undone).collect(), net(by).collect());
        for by in by.iter().filter(|by| !undone.contains(by)) {
            if !self.flows[flow].undoers.contains(by) {
                self.flows[flow].undoers.push(*by);
            }
        }
        let table = &mut self.tables[self.slots.index(item.stream)];
        undone.iter().for_each(|lane| table.update(item.number, |words| uncount(words, *lane)));
    }

    /// Counts on the lanes of an item, and runs the hooks of a lane that counts for the first time.
    fn hit(
        &mut self,
        rules: &Rules,
        meters: &mut Meters,
        weather: &Weather,
        flow: usize,
        lanes: [Lane; COLUMNS],
        item: Item,
        now: Time,
    ) {
        let state = &mut self.flows[flow];
        let orders = &mut self.orders;
        let laws = &rules.flows[flow];
        self.tables[self.slots.index(item.stream)].update(item.number, |words| {
            stamp(words, now);
            let net = lanes[NET];
            if net != NOWHERE {
                count(words, net);
                state.phases[usize::from(net)][weather.phase()] += 1;
            }
            for lane in [lanes[GROSS], lanes[STANDING]].into_iter().filter(|lane| *lane != NOWHERE) {
                state.phases[usize::from(lane)][weather.phase()] += 1;
                if count(words, lane) > 0 {
                    if state.doubles.len() < KEPT {
                        state.doubles.push(Incident { item, at: now, lane });
                    }
                    continue;
                }
                for index in &laws.interest[usize::from(lane)] {
                    let index = usize::from(*index);
                    let mut scene = Scene { words, item, now, lane, orders, meters, weather };
                    scene.run(rules, laws, &laws.hooks[index], &mut state.memories[index]);
                }
                if let Some(clock) = laws.clock
                    && laws.real_time.contains(&lane)
                    && words[clock + 1] != 0
                    && all(words, &laws.real_time)
                {
                    words[clock..clock + 2].fill(0);
                }
            }
        });
    }

    /// Whether an item without its effect is covered by a newer one, by what this hook remembers.
    pub(crate) fn superseded(&self, flow: usize, hook: usize, words: &[u64], register: usize) -> bool {
        let Some(Memory::Latest(newest)) = self.flows[flow].memories.get(hook) else { return false };
        let (accepted, key) = (words[register], words[register + 1]);
        key > 0 && newest.get(key as usize - 1).is_some_and(|newest| *newest > accepted)
    }

    /// When second effects happened, by item and lane.
    pub(crate) fn doubled_at(&self, flow: usize) -> FxHashMap<(u64, Lane), Incident> {
        let mut times = FxHashMap::default();
        for incident in &self.flows[flow].doubles {
            times.entry((incident.item.identity(), incident.lane)).or_insert(*incident);
        }
        times
    }
}

/// A copy that comes to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Copy {
    pub(crate) item: Item,
    pub(crate) place: PlaceId,
    pub(crate) cause: Birth,
}

/// The last word of an item is when it was last booked.
fn stamp(words: &mut [u64], now: Time) {
    if let Some(last) = words.last_mut() {
        *last = now.0.max(1);
    }
}

/// A lane of an item counts for the first time.
struct Scene<'a> {
    words: &'a mut [u64],
    item: Item,
    now: Time,
    lane: Lane,
    orders: &'a mut [OrderBook],
    meters: &'a mut Meters,
    weather: &'a Weather,
}

impl Scene<'_> {
    fn run(&mut self, rules: &Rules, laws: &FlowRules, hook: &Hook, memory: &mut Memory) {
        match (hook, memory) {
            (Hook::Delay { objective, start, end, register }, _) => {
                let since = match (all(self.words, start), self.words[*register]) {
                    (false, _) => return,
                    (true, 0) => self.now,
                    (true, since) => Time(since),
                };
                if all(self.words, end) {
                    self.words[*register] = 0;
                    self.meters.delay(&rules.objectives, self.weather, *objective, since, self.now);
                    self.meters.late(&rules.objectives, *objective, self.item.stream, since, self.now);
                } else {
                    self.words[*register] = since.0.max(1);
                }
            }
            (Hook::Backlog { objective, start, end }, _) => {
                let more = match (all(self.words, start), all(self.words, end)) {
                    (true, false) if start.contains(&self.lane) => 1,
                    (true, true) if !start.contains(&self.lane) => -1,
                    _ => return,
                };
                self.meters.waits(*objective, more);
            }
            (Hook::RealTime { contract, effect }, Memory::RealTime(order)) => {
                let Some(clock) = laws.clock else { return };
                let (offered, acknowledged) = (self.words[clock], self.words[clock + 1]);
                let overtaken = order.effect(self.item.key, offered, acknowledged);
                self.ordered(*contract, *effect, overtaken);
            }
            (Hook::Sequence { contract, start, effect, register }, Memory::Sequence(order)) => {
                if self.lane == *effect {
                    let sequence = self.words[*register] as u32;
                    self.words[*register] = 0;
                    let overtaken = order.effect(self.item, sequence);
                    self.ordered(*contract, *effect, overtaken);
                } else if all(self.words, start) {
                    let sequence = order.accept(self.item.key);
                    if lane(self.words, *effect) == 0 {
                        self.words[*register] = u64::from(sequence);
                        return;
                    }
                    let (now, contract, effect) = (self.now, *contract, *effect);
                    let orders = &mut *self.orders;
                    order.accept_late(self.item, sequence, |item| {
                        overtake(&mut orders[contract], Incident { item, at: now, lane: effect });
                    });
                }
            }
            (Hook::Latest { start, end, register }, Memory::Latest(newest)) => {
                let register = *register;
                if all(self.words, start) && self.words[register] == 0 {
                    self.words[register] = self.now.0.max(1);
                    self.words[register + 1] = u64::from(self.item.key) + 1;
                }
                if self.words[register] != 0 && all(self.words, end) {
                    let key = self.item.key as usize;
                    if key >= newest.len() {
                        newest.resize(key + 1, 0);
                    }
                    newest[key] = newest[key].max(self.words[register]);
                    self.words[register..register + 2].fill(0);
                }
            }
            _ => {}
        }
    }

    fn ordered(&mut self, contract: usize, effect: Lane, overtaken: bool) {
        let book = &mut self.orders[contract];
        book.checked += 1;
        if overtaken {
            overtake(book, Incident { item: self.item, at: self.now, lane: effect });
        }
    }
}

fn overtake(book: &mut OrderBook, incident: Incident) {
    book.overtaken += 1;
    if book.incidents.len() < KEPT {
        book.incidents.push(incident);
    }
}
