//! What all hosts of code have in common: processes, front, names and the compiled recipe.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::client::Dns;
use crate::client::feed::{FeedProcessor, FeedRules, Strategy, Wire};
use crate::ids::{Address, NodeId, ProcessId};
use crate::node::Process;
use crate::plan::{Endpoint, Location, PlaceRole, Plan, PlanError, Protocol};
use crate::random::name_hash;
use crate::recipe::alarm::Alarm;
use crate::recipe::compile::{self, Recipe};
use crate::recipe::fed::space;
use crate::recipe::feeder::Feeder;
use crate::recipe::hosts::control_plane::ControlPlane;
use crate::recipe::hosts::front::{Front, Fronting, Measure, Scaling};
use crate::recipe::intake::Intake;
use crate::recipe::journal::Journal;
use crate::recipe::poller::{Poller, Polling};
use crate::recipe::requests::Requests;
use crate::recipe::run::Interpreter;
use crate::recipe::ticker::Ticker;
use crate::recipe::trigger::Source;
use crate::recipe::worker::{ONLY_PART, Settings, Trigger, Worker};
use crate::services::service_bus::receiver::{Receiver, ReceiverRules};
use crate::services::{NodeKind, event_hubs};
use crate::time::Span;
use crate::units::{Count, Distribution, OneOrMany};

/// How long a managed part of the platform is not there when a zone is lost; "a few seconds" (facts 1.9).
pub const BLIP: Span = Span::secs(5);

/// What is added to the name of an app for its control plane.
pub const CONTROL: &str = ".control";

/// The processes of an app.
pub type Built = Vec<(ProcessId, Box<dyn Process>)>;

/// An app, as its host describes it.
#[derive(Clone, Debug)]
pub struct App<'a> {
    /// Its recipe.
    pub recipe: Recipe<'a>,
    /// In which site.
    pub site: &'a OneOrMany,
    /// The sites in which it is on to begin with, where it can be switched on and off; none: it is always on.
    pub enabled_in: &'a [String],
    /// Where its instances run.
    pub spread: Spread,
    /// How long it remembers where a name leads.
    pub dns: Dns,
    /// How many runs at once in one instance.
    pub concurrency: u32,
    /// At most so many requests wait for one of these places.
    pub most_waiting: usize,
    /// How long an instance takes from its start until it serves.
    pub start_up: Distribution,
    /// How long a person takes to notice that there is something to do.
    pub notices: Option<Distribution>,
    /// Whether a further request for an item joins the run that there is or was.
    pub joins: bool,
    /// How often a polled source is looked at.
    pub every: Span,
    /// How many messages are fetched before they are asked for.
    pub prefetch: u32,
    /// How long the lock of a message is renewed while its run lasts.
    pub renew_lock: Span,
    /// How long a session is kept when no further message comes.
    pub session_idle: Span,
    /// Which part of the source it reads, of a store that holds several.
    pub only: Option<&'a str>,
    /// How it reads an event hub; none: it cannot.
    pub hub: Option<HubReading<'a>>,
    /// The nodes without which an instance does not call itself ready.
    pub health: &'a [String],
    /// How long a run may take; then the instance is restarted.
    pub run_timeout: Option<Span>,
    /// How long a run may take; then it is given up, and no other.
    pub run_duration: Option<Span>,
    /// How long from a confirmed `enable` or `disable` until the app is told; none: at once.
    pub switch: Option<Distribution>,
    /// How the front works, where there is one.
    pub front: FrontRules,
}

/// How an app reads an event hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubReading<'a> {
    /// The checkpoint store; none: the namespace.
    pub checkpoints: Option<&'a str>,
    /// Only every so many batches are checkpointed.
    pub every: u32,
    /// How its instances share the partitions.
    pub balancing: LoadBalancing,
    /// Whether a batch that failed is checkpointed too.
    pub regardless: bool,
}

/// How the event processors of a consumer group share the partitions of a hub (facts 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LoadBalancing {
    /// `greedy`: an instance takes its whole share at once; `balanced`: at most one partition in each
    /// interval. Default: greedy (facts 3.3; balanced before 5.7 of the client library).
    pub strategy: Strategy,
    /// How often an instance renews what it owns and looks for what it may take. Default: 30s (facts 3.3).
    pub interval: Span,
    /// An owner who has not renewed for so long is written off. Default: 2m; at least twice the interval
    /// (facts 3.3).
    pub expiration: Span,
}

impl Default for LoadBalancing {
    fn default() -> Self {
        LoadBalancing { strategy: Strategy::Greedy, interval: Span::secs(30), expiration: Span::mins(2) }
    }
}

/// Where the instances of an app run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// So many instances, one zone after the other; a crash forgets their runs.
    Instances(Count),
    /// One managed process over all zones; whether a crash resumes its runs.
    Managed {
        /// Whether each step is written down.
        durable: bool,
    },
    /// One person.
    Person,
}

/// How the front of an app works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrontRules {
    /// How often readiness is probed.
    pub period: Span,
    /// After so many missed probes an instance is out.
    pub threshold: u8,
    /// How long a request may take.
    pub timeout: Span,
    /// How instances are added where they are called: so many requests for each.
    pub by_requests: ScaleRule,
    /// How they are added where they read: so many waiting messages for each.
    pub by_depth: ScaleRule,
}

/// A rule of scaling, before it is known what is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScaleRule {
    /// So much for each instance.
    pub target: u32,
    /// How often it is looked at.
    pub every: Span,
    /// At most so many instances more, each time.
    pub step: u16,
    /// The shortest time between two additions.
    pub pause: Span,
    /// An instance goes after so long with less to do.
    pub cool_down: Span,
}

/// What a trigger means for a host that says nothing about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// Runs at once in one instance of a function app: 16 for messages, 8 for sessions (facts 4.2).
    pub concurrency: u32,
    /// Items in one run: 100 for a change feed, 10 for an event hub (facts 4.2).
    pub batch: u32,
    /// How many are fetched ahead: 300 of an event hub (facts 3.3).
    pub prefetch: u32,
    /// How often the source is looked at: 5 s for a change feed (facts 1.7).
    pub every: Span,
    /// Whether it is a queue or subscription of a broker.
    pub reads_messages: bool,
    /// Whether they come in sessions.
    pub sessions: bool,
}

/// The defaults for this trigger.
#[must_use]
pub fn defaults(trigger: &str, plan: &Plan) -> Defaults {
    let (node, dead) = trigger.strip_suffix(".dead-letter").map_or((trigger, false), |node| (node, true));
    let (reads_messages, sessions) = match plan.blueprint.nodes.get(node) {
        Some(NodeKind::ServiceBusQueue(queue)) => (true, queue.sessions && !dead),
        Some(NodeKind::ServiceBusSubscription(subscription)) => (true, subscription.sessions && !dead),
        _ => (false, false),
    };
    let feed = trigger.ends_with(".change-feed");
    let (whole, _) = node.split_once('.').unwrap_or((node, ""));
    let hub = matches!(plan.blueprint.nodes.get(whole), Some(NodeKind::EventHub(_)));
    Defaults {
        concurrency: match (reads_messages, sessions) {
            (true, true) => 8,
            (true, false) => 16,
            (false, _) => 100,
        },
        batch: match () {
            () if feed => 100,
            () if hub => 10,
            () => 1,
        },
        prefetch: if hub { 300 } else { 0 },
        every: if feed { Span::secs(5) } else { Span::secs(1) },
        reads_messages,
        sessions,
    }
}

/// The name from which an app with this trigger takes copies.
#[must_use]
pub fn consumed(trigger: &str, only: Option<&str>) -> Vec<String> {
    match (trigger.strip_suffix(".change-feed"), only) {
        (Some(store), Some(part)) => vec![format!("{store}.{part}")],
        _ => vec![trigger.to_owned()],
    }
}

impl App<'_> {
    /// Adds the processes, names and steps of the app to the plan.
    ///
    /// # Errors
    /// If it contradicts itself.
    pub fn declare(&self, plan: &mut Plan) -> Result<(), PlanError> {
        let node = self.recipe.node;
        let location = self.location(plan)?;
        self.begins_on(plan)?;
        compile::declare(&self.recipe, plan)?;
        if self.recipe.batch == 0 {
            return Err(PlanError::at(&["nodes", node, "batch"], "a batch has at least one item"));
        }
        if self.concurrency == 0 {
            return Err(PlanError::at(&["nodes", node, "concurrency"], "it must be at least 1"));
        }
        let called = Source::calls(self.recipe.trigger, plan).is_some();
        let door = match self.spread {
            Spread::Managed { durable } => {
                if durable {
                    plan.add_place(node, node, PlaceRole::Queue);
                }
                let process = runs_recipe(plan.add_process(node, "", location), false, plan);
                self.declare_plane(plan);
                process
            }
            Spread::Person => runs_recipe(plan.add_process(node, "", location), false, plan),
            Spread::Instances(count) => self.declare_instances(count, called, location, plan),
        };
        let id = plan.node(node).unwrap_or_default();
        plan.names.keep(id, self.dns);
        let protocol = if called { Protocol::Http } else { Protocol::None };
        let address = Address { process: door, part: ONLY_PART };
        plan.add_endpoint(node, Endpoint { address, protocol, node: id, place: None });
        if self.recipe.trigger != "http" && !self.recipe.trigger.starts_with("every ") {
            plan.add_consumer(self.recipe.trigger, id, address);
        }
        Ok(())
    }

    fn can_be_switched(&self) -> bool {
        !self.enabled_in.is_empty()
    }

    /// Whether it is on to begin with.
    fn begins_on(&self, plan: &Plan) -> Result<bool, PlanError> {
        if !self.can_be_switched() {
            return Ok(true);
        }
        let node = self.recipe.node;
        let own = plan.site(node, self.site)?;
        let mut on = false;
        for site in self.enabled_in {
            on |= plan.site_named(node, "enabled-in", site)? == own;
        }
        Ok(on)
    }

    /// Where it is, or what manages it. A person who is not said to be anywhere, where there are several
    /// sites, is in none of them: at home.
    fn location(&self, plan: &Plan) -> Result<Location, PlanError> {
        let person = matches!(self.spread, Spread::Person);
        if person && self.site.names().is_empty() && plan.blueprint.sites.len() > 1 {
            return Ok(Location::Internet);
        }
        let site = plan.site(self.recipe.node, self.site)?;
        Ok(if person { Location::AnyZone { site } } else { Location::Redundant { site, blip: BLIP } })
    }

    fn declare_instances(
        &self,
        count: Count,
        called: bool,
        redundant: Location,
        plan: &mut Plan,
    ) -> ProcessId {
        let node = self.recipe.node;
        let site = redundant.site().unwrap_or_default();
        let zones =
            plan.blueprint.sites.get_index(usize::from(site)).map_or(1, |(_, site)| site.zones.max(1));
        let front = if called {
            Some(plan.add_process(node, "", redundant))
        } else if count.min != count.max || self.can_be_switched() {
            Some(plan.add_process(node, ".scaler", redundant))
        } else {
            None
        };
        let slots: Vec<ProcessId> = (0..count.max)
            .map(|index| {
                let zone = (index % u32::from(zones)) as u8 + 1;
                let slot = plan.add_process(node, &format!("#{index}"), Location::Zone { site, zone });
                runs_recipe(slot, index >= count.min || self.can_be_switched(), plan)
            })
            .collect();
        self.declare_plane(plan);
        front.or(slots.first().copied()).unwrap_or_default()
    }

    /// The control plane, where the app can be switched on and off.
    fn declare_plane(&self, plan: &mut Plan) {
        if !self.can_be_switched() {
            return;
        }
        let node = self.recipe.node;
        let plane = plan.add_process(node, CONTROL, Location::Internet);
        let endpoint = Endpoint {
            address: Address { process: plane, part: ONLY_PART },
            protocol: Protocol::None,
            node: plan.node(node).unwrap_or_default(),
            place: None,
        };
        plan.add_endpoint(&format!("{node}{CONTROL}"), endpoint);
    }

    /// Builds the processes of the app.
    ///
    /// # Errors
    /// If its recipe cannot work.
    pub fn build(&self, plan: &Plan) -> Result<Built, PlanError> {
        let node = self.recipe.node;
        let source = Source::resolve(node, self.recipe.trigger, plan)?;
        let program = Arc::new(compile::compile(&self.recipe, &source, plan)?);
        let id = plan.node(node).unwrap_or_default();
        let (slots, fronts) = split(id, plan);
        if matches!(source, Source::Hub(_)) {
            self.check_hub(plan)?;
        }
        let managed = matches!(self.spread, Spread::Managed { .. });
        let plane = plan.endpoint(&format!("{node}{CONTROL}")).map(|endpoint| endpoint.address.process);
        // A managed workflow has no front: its control plane speaks with it.
        let front = if managed { plane } else { fronts.first().copied() };
        let health = self.health_nodes(plan)?;
        let mut built = Built::new();
        for (index, slot) in slots.iter().enumerate() {
            let journal = match self.spread {
                Spread::Managed { durable: true } => plan.place_named(node).map(Journal::new),
                _ => None,
            };
            let settings = Settings {
                front,
                index: index as u16,
                start_up: self.start_up.sampler(),
                concurrency: self.concurrency,
                notices: self.notices.map(Distribution::sampler),
                joins: self.joins,
                health: health.clone(),
                asks: self.can_be_switched(),
                managed,
                most_waiting: self.most_waiting,
            };
            let interpreter = Interpreter::new(Arc::clone(&program), journal, self.run_timeout);
            let interpreter = interpreter.given_up_after(self.run_duration);
            let trigger = self.trigger(source, *slot, plan)?;
            built.push((*slot, Box::new(Worker::new(Arc::new(settings), trigger, interpreter))));
        }
        let switched = if managed { slots.first().copied() } else { front };
        if let (Some(plane), Some(switched)) = (plane, switched) {
            let plane_of = ControlPlane::new(switched, self.begins_on(plan)?);
            let plane_of = match self.switch {
                Some(delay) => plane_of.after(delay.sampler()),
                None => plane_of,
            };
            built.push((plane, Box::new(plane_of)));
        }
        if let Some(front) = front.filter(|_| !managed) {
            let fronting = self.fronting(slots, source, self.feed_part(plan)?);
            built.push((front, Box::new(Front::new(Arc::new(Fronting { plane, ..fronting })))));
        }
        Ok(built)
    }

    fn trigger(&self, source: Source, slot: ProcessId, plan: &Plan) -> Result<Trigger, PlanError> {
        Ok(match source {
            Source::Http => Trigger::Requests(Requests::new(false)),
            Source::Push => Trigger::Requests(Requests::new(true)),
            Source::Timer(every) => Trigger::Ticker(Ticker::new(every)),
            Source::Alert => Trigger::Alarm(Alarm::default()),
            Source::Table(table) => Trigger::Poller(Poller::new(Polling {
                table,
                every: self.every,
                batch: self.recipe.batch,
                app: name_hash(self.recipe.node),
            })),
            Source::Feed(store) => Trigger::Feeder(self.feeder(store, slot, plan)?),
            Source::Hub(group) => Trigger::Feeder(self.hub_feeder(group, slot, plan)?),
            Source::Queue(queue) => Trigger::Intake(Box::new(self.intake(queue, plan)?)),
        })
    }

    fn feeder(&self, store: Address, slot: ProcessId, plan: &Plan) -> Result<Feeder, PlanError> {
        let node = self.recipe.node;
        let part = self.feed_part(plan)?;
        let rules = FeedRules { poll: self.every, max: self.recipe.batch, ..FeedRules::default() };
        let app = name_hash(node);
        let processor = plan.node(node).unwrap_or_default().0;
        let owner = plan.process(slot).hash;
        let wire = Wire::ChangeFeed { store, part };
        let processor = FeedProcessor::new(wire, processor, owner, space::FEED, rules);
        Ok(Feeder::new(processor, app))
    }

    fn hub_feeder(&self, group: Address, slot: ProcessId, plan: &Plan) -> Result<Feeder, PlanError> {
        let node = self.recipe.node;
        let Some(reading) = self.hub else { return Err(self.wrong("trigger", "it reads no event hub")) };
        let Some((number, hub)) = event_hubs::group_number(group, plan) else {
            return Err(self.wrong("trigger", "there is no such consumer group"));
        };
        let namespace = Address { process: group.process, part: u16::MAX };
        let store = match reading.checkpoints {
            Some(name) => plan.resolve(node, "checkpoints", name)?.address,
            None => namespace,
        };
        let rules = FeedRules {
            acquire: reading.balancing.interval,
            expiration: reading.balancing.expiration,
            strategy: reading.balancing.strategy,
            max: self.recipe.batch,
            prefetch: self.prefetch,
            checkpoint_every: reading.every,
            ..FeedRules::of_event_processor()
        };
        let wire = Wire::Hub { group, partitions: hub.partitions, store };
        let processor = FeedProcessor::new(wire, number, plan.process(slot).hash, space::FEED, rules);
        Ok(Feeder::new(processor, name_hash(node)).regardless(reading.regardless))
    }

    fn wrong(&self, field: &str, message: impl Into<String>) -> PlanError {
        PlanError::at(&["nodes", self.recipe.node, field], message)
    }

    /// Whether it can read an event hub as it says.
    fn check_hub(&self, plan: &Plan) -> Result<(), PlanError> {
        let Some(reading) = self.hub else {
            return Err(self
                .wrong("trigger", "this host has no event processor")
                .help("a container-app or a function-app reads an event hub")
                .word("inapplicable"));
        };
        let balancing = reading.balancing;
        if balancing.interval.is_zero() || balancing.expiration < balancing.interval.times(2) {
            return Err(self
                .wrong("load-balancing", "an owner would be written off before it can renew")
                .help("`expiration` is at least twice the `interval`, better three times"));
        }
        if reading.every == 0 {
            return Err(self.wrong("checkpoint-every", "a checkpoint comes after at least one batch"));
        }
        let Some(name) = reading.checkpoints else { return Ok(()) };
        let endpoint = plan.resolve(self.recipe.node, "checkpoints", name)?;
        match plan.blueprint.nodes.get_index(endpoint.node.index()) {
            Some((_, NodeKind::StorageContainer(container))) if container.redundancy.is_geo() => Err(self
                .wrong("checkpoints", format!("`{name}` is copied to another region"))
                .help("checkpoints do not survive the failover of a container here; use one with `redundancy: zrs`")
                .word("redundancy")),
            Some((_, NodeKind::StorageContainer(_))) => Ok(()),
            _ => Err(self
                .wrong("checkpoints", format!("`{name}` keeps no checkpoints"))
                .help("it must name a storage-container; left out, the namespace itself keeps them")
                .word("dangling")),
        }
    }

    /// Which part of the feed it reads; all of them where it does not say.
    fn feed_part(&self, plan: &Plan) -> Result<u16, PlanError> {
        match (self.only, self.recipe.trigger.strip_suffix(".change-feed")) {
            (Some(only), Some(name)) => {
                Ok(plan.resolve(self.recipe.node, "only", &format!("{name}.{only}"))?.address.part)
            }
            _ => Ok(u16::MAX),
        }
    }

    fn intake(&self, queue: Address, plan: &Plan) -> Result<Intake, PlanError> {
        let app = name_hash(self.recipe.node);
        let rules = ReceiverRules {
            sessions: defaults(self.recipe.trigger, plan).sessions,
            concurrency: self.concurrency,
            prefetch: self.prefetch,
            mode: self.recipe.receive,
            renew_lock: self.renew_lock,
            session_idle: self.session_idle,
            ..ReceiverRules::default()
        };
        Ok(Intake::new(Receiver::new(queue, rules, app, space::RECEIVE), app))
    }

    fn health_nodes(&self, plan: &Plan) -> Result<Vec<ProcessId>, PlanError> {
        let nodes = self.health.iter();
        nodes.map(|name| Ok(plan.resolve(self.recipe.node, "health", name)?.address.process)).collect()
    }

    /// `feed`: which part of a change feed it reads.
    fn fronting(&self, slots: Vec<ProcessId>, source: Source, feed: u16) -> Fronting {
        let Spread::Instances(count) = self.spread else {
            return fixed(slots, self.front, 1);
        };
        let scaling = (count.min != count.max).then(|| {
            let (by, rule) = match source {
                Source::Queue(at) | Source::Table(at) => {
                    (Measure::Depth(at.process, at.part), self.front.by_depth)
                }
                Source::Feed(at) => (Measure::Depth(at.process, feed), self.front.by_depth),
                Source::Hub(at) => (Measure::Depth(at.process, at.part), self.front.by_depth),
                _ => (Measure::Requests, self.front.by_requests),
            };
            Scaling {
                by,
                target: rule.target,
                every: rule.every,
                step: rule.step,
                pause: rule.pause,
                cool_down: rule.cool_down,
            }
        });
        Fronting { scaling, ..fixed(slots, self.front, count.min as u16) }
    }
}

fn fixed(slots: Vec<ProcessId>, rules: FrontRules, min: u16) -> Fronting {
    Fronting {
        slots,
        min,
        period: rules.period,
        threshold: rules.threshold,
        timeout: rules.timeout,
        scaling: None,
        plane: None,
    }
}

fn runs_recipe(process: ProcessId, dormant: bool, plan: &mut Plan) -> ProcessId {
    if let Some(info) = plan.processes.get_mut(process.index()) {
        info.runs_recipe = true;
        info.dormant = dormant;
    }
    process
}

/// The instances of an app, and its front.
fn split(node: NodeId, plan: &Plan) -> (Vec<ProcessId>, Vec<ProcessId>) {
    let (slots, fronts): (Vec<_>, Vec<_>) = plan.processes_of(node).partition(|(_, info)| info.runs_recipe);
    let ids = |list: Vec<(ProcessId, _)>| list.into_iter().map(|(id, _)| id).collect();
    (ids(slots), ids(fronts))
}
