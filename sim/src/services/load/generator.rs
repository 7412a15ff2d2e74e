//! The process behind a load: it offers each item when it is due and sees its call through.

use std::sync::Arc;

use crate::client::{Caller, Progress};
use crate::faults::load::{Extra, Surge};
use crate::faults::local::{Strike, Value};
use crate::ids::{Execution, Item, Once, StreamId, TypeId};
use crate::message::{Body, Cargo, Message, broker, http, store};
use crate::node::{Context, Gauge, Input, Process};
use crate::observe::{Held, What};
use crate::plan::{Endpoint, Plan, Protocol};
use crate::random::{Purpose, to_unit};
use crate::services::load::shape::Strength;
use crate::services::load::{Keys, Profile};
use crate::time::{Span, Time};
use crate::units::exponential;

/// The space of its caller's tokens; the tokens of arrivals are the numbers of the sources.
pub(super) const SPACE: u8 = 1;

/// When the items of a source are due.
#[derive(Clone, Debug)]
pub(super) enum Arrivals {
    /// Drawn, or at equal distances, at a rate that may change.
    Drawn(Arc<Profile>),
    /// As a file says.
    Trace(Arc<[(Time, Option<u32>)]>),
}

impl Arrivals {
    /// Its rate over time; for a trace the mean over the run.
    pub(super) fn profile(&self, plan: &Plan) -> Arc<Profile> {
        match self {
            Arrivals::Drawn(profile) => profile.clone(),
            Arrivals::Trace(rows) => Arc::new(Profile::even(rows.len(), plan.blueprint.time.run)),
        }
    }

    /// No item at all.
    fn none() -> Arrivals {
        Arrivals::Trace(Vec::new().into())
    }
}

/// A load fault on top of a load.
#[derive(Debug)]
pub(super) struct Superposed {
    pub(super) surge: Surge,
    /// The load that it multiplies.
    pub(super) below: Arc<Profile>,
}

/// One stream of items: the load itself, or a load fault on top of it.
#[derive(Clone, Debug)]
pub(super) struct Source {
    stream: StreamId,
    name: u64,
    arrivals: Arrivals,
    keys: Arc<Keys>,
    /// The load fault that this source is, if it is one.
    surge: Option<Arc<Superposed>>,
    /// How many items it has offered. What is offered has happened: this survives a crash.
    number: u32,
}

impl Source {
    pub(super) fn new(stream: StreamId, name: u64, arrivals: Arrivals, keys: Arc<Keys>) -> Source {
        Source { stream, name, arrivals, keys, surge: None, number: 0 }
    }

    /// The source of a load fault. When its bursts are is drawn from the seed, at the start.
    pub(super) fn superposed(surge: Surge, below: Arc<Profile>, keys: Arc<Keys>) -> Source {
        let (stream, name) = (surge.stream, surge.label);
        let surge = Some(Arc::new(Superposed { surge, below }));
        Source { surge, ..Source::new(stream, name, Arrivals::none(), keys) }
    }

    /// Draws when the bursts are, where it is a load fault.
    fn resolve(&mut self, cx: &Context<'_>) {
        let Some(superposed) = &self.surge else { return };
        let Superposed { surge, below } = &**superposed;
        let windows =
            surge.windows(cx.plan(), |names, purpose, identity| cx.draw_for(names, purpose, identity));
        let strength = match surge.extra {
            Extra::Factor(factor) => Strength::Times(factor, below.clone()),
            Extra::Rate(rate) => Strength::Rate(rate),
        };
        self.arrivals = Arrivals::Drawn(Arc::new(Profile::bursts(strength, windows, surge.ramp)));
    }

    /// When the next item is due, after the one that was due at `last` (`None`: it is the first).
    fn next_at(&self, cx: &Context<'_>, last: Option<Time>, ends: Time) -> Option<Time> {
        match &self.arrivals {
            Arrivals::Trace(rows) => rows.get(self.number as usize).map(|(at, _)| *at),
            Arrivals::Drawn(profile) => {
                let gap = if profile.random {
                    exponential(cx.draw_for(self.name, Purpose::Arrival, [u64::from(self.number), 0]))
                } else if last.is_none() {
                    to_unit(cx.draw_for(self.name, Purpose::Phase, [0, 0]))
                } else {
                    1.0
                };
                profile.after(last.unwrap_or(cx.now()), gap, ends)
            }
        }
    }

    /// Makes the next item.
    fn item(&mut self, cx: &Context<'_>) -> Item {
        let number = self.number;
        self.number += 1;
        let given = match &self.arrivals {
            Arrivals::Trace(rows) => rows.get(number as usize).and_then(|(_, key)| *key),
            Arrivals::Drawn(_) => None,
        };
        let given = given.or_else(|| self.surge.as_ref().and_then(|superposed| superposed.surge.key));
        let drawn = || self.keys.at(cx.draw_for(self.name, Purpose::Key, [u64::from(number), 0]));
        Item { number, key: given.unwrap_or_else(drawn), stream: self.stream, ..Item::default() }
    }
}

/// An item under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    item: Item,
    at: Time,
}

/// The process of a load.
#[derive(Clone, Debug)]
pub(super) struct Generator {
    door: Endpoint,
    ends: Time,
    sources: Vec<Source>,
    caller: Caller<Offer>,
    /// The write with which an item enters a table, where the door is one.
    insert: Arc<Vec<store::Operation>>,
}

impl Generator {
    pub(super) fn new(door: Endpoint, ends: Time, sources: Vec<Source>, caller: Caller<Offer>) -> Generator {
        let insert = store::Operation {
            verb: store::WriteVerb::Insert,
            part: door.address.part,
            once: Once::ITEM,
            by: 0,
            ttl: Span::FOREVER,
            kind: TypeId::default(),
        };
        Generator { door, ends, sources, caller, insert: Arc::new(vec![insert]) }
    }

    fn arm(&self, cx: &mut Context<'_>, index: usize, last: Option<Time>) {
        if let Some(at) = self.sources[index].next_at(cx, last, self.ends) {
            cx.timer(at.since(cx.now()), index as u64, true);
        }
    }

    fn offer(&mut self, cx: &mut Context<'_>, index: usize) {
        let Some(source) = self.sources.get_mut(index) else { return };
        let item = source.item(cx);
        if let Some(superposed) = &source.surge {
            cx.touched(item, Strike { fault: superposed.surge.fault, value: Value::None });
        }
        cx.observe(item, What::Offered { door: self.door.node });
        let message = request(&self.door, &self.insert, item);
        self.caller.call(cx, self.door.address, message, Offer { item, at: cx.now() });
        self.arm(cx, index, Some(cx.now()));
    }

    fn conclude(&mut self, cx: &mut Context<'_>) {
        while let Some(progress) = self.caller.next() {
            if let Progress::Finished(finished) = progress {
                let Offer { item, at } = finished.owner;
                let what = What::Concluded { door: self.door.node, outcome: finished.outcome, offered: at };
                cx.observe(item, what);
            }
        }
    }
}

/// What a client sends, in the language of the door. Its identity is the item: a further attempt (or a
/// user who presses the button again) is recognisable to a door that looks.
fn request(door: &Endpoint, insert: &Arc<Vec<store::Operation>>, item: Item) -> Message {
    let part = door.address.part;
    let execution = Execution { run: item.identity(), message: item.identity() };
    let request = |verb| {
        let key = Once::ITEM.identity(item, execution);
        Body::Request(http::Request { part, verb, key, secret: 0, execution })
    };
    let body = match door.protocol {
        Protocol::Http | Protocol::None => request(http::Verb::Call),
        Protocol::EventTopic => request(http::Verb::Publish),
        Protocol::Broker => Body::Broker(broker::Command::Send {
            part,
            once: Once::ITEM,
            session: Once::KEY,
            execution,
            ttl: Span::FOREVER,
            delay: Span::ZERO,
        }),
        Protocol::Store => Body::Store(store::Command::Write { operations: insert.clone(), execution }),
    };
    Message::new(body).carrying(Cargo::One(item))
}

impl Process for Generator {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        match input {
            Input::Start => {
                for index in 0..self.sources.len() {
                    self.sources[index].resolve(cx);
                    self.arm(cx, index, None);
                }
            }
            Input::Timer(token) if self.caller.on_timer(cx, token) => {}
            Input::Timer(token) => self.offer(cx, token as usize),
            Input::Message { connection, message, .. } => {
                if message.body == Body::Probe {
                    cx.answer(connection, message.answer(Body::ProbeAnswer { ready: true }));
                } else {
                    self.caller.on_message(cx, &message);
                }
            }
            Input::Closed { peer, .. } => self.caller.on_closed(cx, peer),
            Input::Disk(..) | Input::Poke => {}
        }
        self.conclude(cx);
    }

    fn crash(&mut self) {
        self.caller.crash();
        for source in self.sources.iter_mut().filter(|source| source.surge.is_some()) {
            source.arrivals = Arrivals::none();
        }
    }

    fn gauges(&self, _: Time, out: &mut dyn FnMut(Gauge)) {
        self.caller.gauge().into_iter().for_each(out);
    }

    fn inventory(&self, _: &mut dyn FnMut(Held)) {}

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blueprint::{Blueprint, Flow, Timetable};
    use crate::client::Policy;
    use crate::faults::load::{HotKey, Step};
    use crate::faults::{At, FaultKind};
    use crate::ids::{Address, NodeId, ProcessId};
    use crate::node::Effect;
    use crate::node::rig::{Rig, observed, sent};
    use crate::observe::Outcome;
    use crate::services::load::{Load, Shape};
    use crate::services::{NodeKind, Service};
    use crate::units::Rate;

    const DOOR: u32 = 1;

    fn load(rate: f64, shape: Shape) -> Load {
        let rate = Some(Rate::per_second(rate));
        Load {
            flow: "orders".into(),
            to: "door".into(),
            rate,
            shape,
            policy: "shopper".into(),
            ..Load::default()
        }
    }

    fn plan(load: Load) -> Plan {
        plan_with(load, None)
    }

    fn plan_with(load: Load, fault: Option<FaultKind>) -> Plan {
        let mut blueprint = Blueprint {
            time: Timetable { warmup: Span::secs(5), run: Span::secs(10), drain: Span::mins(1) },
            ..Blueprint::default()
        };
        blueprint.flows.insert("orders".into(), Flow { keys: 7, ..Flow::default() });
        let policy = Policy { timeout: Some(Span::secs(2)), retries: Some(1), ..Policy::default() };
        blueprint.policies.insert("shopper".into(), policy);
        blueprint.nodes.insert("shoppers".into(), NodeKind::Load(load));
        blueprint.faults.extend(fault.map(|fault| ("rush".to_owned(), fault)));
        let mut plan = Plan::new(blueprint).unwrap();
        let address = Address { process: ProcessId(DOOR), part: 3 };
        let node = NodeId(9);
        plan.add_endpoint("door", Endpoint { address, protocol: Protocol::Http, node, place: None });
        plan
    }

    fn rig(plan: &Plan) -> Rig<'_> {
        let NodeKind::Load(load) = &plan.blueprint.nodes["shoppers"] else { panic!() };
        let (id, process) = load.build("shoppers", plan).unwrap().pop().unwrap();
        Rig::new(plan, id, process).0
    }

    fn offered(effects: &[Effect]) -> Vec<Item> {
        let item = |effect: &Effect| match effect {
            Effect::Observe { item, what: What::Offered { .. }, .. } => Some(*item),
            _ => None,
        };
        effects.iter().filter_map(item).collect()
    }

    #[test]
    fn items_are_numbered_keyed_and_offered_until_the_end_of_the_run() {
        let plan = plan(load(100.0, Shape::Poisson));
        let mut rig = rig(&plan);
        let effects = rig.advance(Span::mins(5));
        let items = offered(&effects);
        // 15 s of warm-up and run at 100/s.
        assert!((1350..1650).contains(&items.len()), "{}", items.len());
        assert!(items.iter().enumerate().all(|(i, item)| item.number == i as u32 && item.key < 7));
        assert!(!rig.busy(), "nothing is left once every call has ended");
        let concluded = observed(&effects).filter(|what| matches!(what, What::Concluded { .. })).count();
        assert_eq!(concluded, items.len());
    }

    #[test]
    fn each_item_is_a_call_of_its_own_with_the_policy_of_the_load() {
        let plan = plan(load(1.0, Shape::Constant));
        let mut rig = rig(&plan);
        let effects = rig.advance(Span::secs(1));
        let first = sent(&effects).next().unwrap().clone();
        assert!(matches!(first.body, Body::Request(http::Request { part: 3, verb: http::Verb::Call, .. })));
        let effects = rig.message(DOOR, first.answer(Body::Response(http::Response::status(202))));
        let offered = |what: &&What| matches!(what, What::Concluded { outcome: Outcome::Ok, .. });
        assert_eq!(observed(&effects).filter(offered).count(), 1);
        // The others are never answered: one retry each, then unknown.
        let effects = rig.advance(Span::mins(1));
        let unknown = |what: &&What| matches!(what, What::Concluded { outcome: Outcome::Unknown, .. });
        assert_eq!(observed(&effects).filter(unknown).count(), 14);
        let again = sent(&effects).filter(|message| message.attempt == 2).count();
        assert_eq!(again, 14);
    }

    #[test]
    fn arrivals_do_not_depend_on_answers() {
        let plan = plan(load(20.0, Shape::Poisson));
        let times = |answer: bool| {
            let mut rig = rig(&plan);
            let mut times = Vec::new();
            while rig.now < Time::ZERO + Span::secs(16) {
                let effects = rig.advance(Span::millis(10));
                times.extend(offered(&effects).into_iter().map(|item| (item, rig.now)));
                for message in sent(&effects).filter(|_| answer) {
                    rig.message(DOOR, message.answer(Body::Response(http::Response::status(503))));
                }
            }
            times
        };
        assert_eq!(times(false), times(true));
    }

    #[test]
    fn a_load_fault_is_a_stream_of_its_own_and_shifts_nothing() {
        let (at, lasts) = (Some(At::Instant(Span::secs(2))), Some(Span::secs(3)));
        let target = "shoppers".to_owned();
        let step = Step { target: target.clone(), at, lasts, factor: 4.0, ..Step::default() };
        let hot = HotKey { target, at, lasts, hot: 5, ..HotKey::default() };
        let offers = |fault| {
            let plan = plan_with(load(50.0, Shape::Poisson), fault);
            let stream = plan.streams.first().map(|stream| stream.id);
            let mut rig = rig(&plan);
            let mut offers: Vec<(Item, Time)> = Vec::new();
            let mut touched = 0;
            while rig.now < Time::ZERO + Span::secs(16) {
                let effects = rig.advance(Span::millis(100));
                touched += observed(&effects).filter(|what| **what == What::Touched).count();
                offers.extend(offered(&effects).into_iter().map(|item| (item, rig.now)));
            }
            let (own, rush): (Vec<_>, Vec<_>) =
                offers.into_iter().partition(|(item, _)| Some(item.stream) == stream);
            assert_eq!(touched, rush.len());
            (own, rush)
        };
        let (calm, none) = offers(None);
        let (own, rush) = offers(Some(FaultKind::LoadStep(step)));
        assert!(none.is_empty() && own == calm);
        // Three times 50/s on top for 3 s, from 2 s after the warm-up of 5 s.
        assert!((380..520).contains(&rush.len()), "{}", rush.len());
        let within =
            |(_, at): &(Item, Time)| *at >= Time::ZERO + Span::secs(7) && *at <= Time::ZERO + Span::secs(10);
        assert!(rush.iter().all(within));
        let (own, rush) = offers(Some(FaultKind::LoadHotKey(hot)));
        assert!(own == calm && rush.len() > 100 && rush.iter().all(|(item, _)| item.key == 5));
    }

    #[test]
    fn after_a_crash_it_goes_on_with_new_numbers_and_remembers_no_call() {
        let plan = plan(load(10.0, Shape::Poisson));
        let mut rig = rig(&plan);
        let before = offered(&rig.advance(Span::secs(5))).len() as u32;
        rig.crash();
        let NodeKind::Load(load) = &plan.blueprint.nodes["shoppers"] else { panic!() };
        let (id, mut built) = load.build("shoppers", &plan).unwrap().pop().unwrap();
        let shown =
            |process: &dyn Process| format!("{process:?}").replace(&format!("number: {before}"), "number: 0");
        assert_eq!(shown(&*rig.process), shown(&*built), "only the numbering survives");
        built.crash();
        assert_eq!(id, ProcessId(0));
        let after = offered(&rig.advance(Span::secs(5)));
        assert_eq!(after.first().map(|item| item.number), Some(before));
    }

    #[test]
    fn a_load_that_makes_no_sense_is_refused_with_advice() {
        let refused = |load: Load| {
            let plan = plan(Load { flow: "orders".into(), ..Load::default() });
            let error = load.build("shoppers", &plan).expect_err("refused");
            format!("{error} {}", error.help.clone().unwrap_or_default())
        };
        let good = || load(1.0, Shape::Poisson);
        assert!(refused(Load { rate: None, ..good() }).contains("rate: 50/s"));
        assert!(refused(Load { policy: "eager".into(), ..good() }).contains("no policy `eager`"));
        assert!(refused(Load { to: "nowhere".into(), ..good() }).contains("nowhere"));
        assert!(refused(Load { shape: Shape::Trace("x.csv".into()), ..good() }).contains("leave `rate` out"));
        assert!(
            refused(Load { shape: Shape::Trace("x.csv".into()), rate: None, ..good() }).contains("x.csv")
        );
        let mut blueprint = Blueprint::default();
        blueprint.nodes.insert("shoppers".into(), NodeKind::Load(good()));
        assert!(Plan::new(blueprint).unwrap_err()[0].message.contains("no flow `orders`"));
    }
}
