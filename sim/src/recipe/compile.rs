//! From the steps of a recipe to a program: every name is resolved and everything that cannot work is
//! refused here, with its place, so that nothing can go wrong for a silly reason while it runs.

use std::sync::Arc;

use crate::client::{Policy, Sdk};
use crate::ids::{Address, Once, TypeId};
use crate::message::broker::{ReceiveMode, Settlement};
use crate::message::control;
use crate::message::store::{Operation, WriteVerb};
use crate::plan::{Endpoint, Plan, PlanError, Protocol};
use crate::random::{mix, name_hash};
use crate::recipe::hosts::app::CONTROL;
use crate::recipe::keys::{Keys, SignsIn, is_secret};
use crate::recipe::program::{Block, Op, Program, Route, TransactedSend, Verb};
use crate::recipe::step::{Call, Failover, Promote, Send, Set, State, Step};
use crate::recipe::trigger::Source;
use crate::services::{NodeKind, Service as _};
use crate::time::Span;

/// At most so many operations in one recipe: a run remembers what it did in one word.
const MOST_OPS: usize = 64;

/// At most so many clients in one recipe: each has a number space of its own for its timers.
pub const MOST_ROUTES: usize = 200;

/// A recipe and what its host says about it.
#[derive(Clone, Copy, Debug)]
pub struct Recipe<'a> {
    /// The node that hosts it.
    pub node: &'a str,
    /// What starts a run, as written.
    pub trigger: &'a str,
    /// The steps.
    pub steps: &'a [Step],
    /// The steps after a definite no.
    pub on_refusal: Option<&'a [Step]>,
    /// The steps after trying and giving up.
    pub on_failure: Option<&'a [Step]>,
    /// The policy of every step that names none.
    pub policy: &'a str,
    /// The policy of the undos; none: that of the step that is undone.
    pub undo_policy: Option<&'a str>,
    /// Whether a step of which it is not known whether it happened is taken back too.
    pub undo_unknown: bool,
    /// How messages are taken.
    pub receive: ReceiveMode,
    /// The HTTP client of the host, whose documented defaults fill the gaps of a policy.
    pub http: Sdk,
    /// How many items one run may have.
    pub batch: u32,
    /// As whom the app signs in.
    pub signs_in: SignsIn<'a>,
}

/// Names the steps of the lists and the message types in them. Part of `declare`.
///
/// # Errors
/// If two steps are given the same name.
pub fn declare(recipe: &Recipe<'_>, plan: &mut Plan) -> Result<(), PlanError> {
    let mut given: Vec<&str> = Vec::new();
    for (list, steps) in recipe.lists() {
        for (index, step) in flat(steps).into_iter().enumerate() {
            if let Some(name) = step.adverbs().name() {
                if given.contains(&name) {
                    let here = place(recipe.node, list, step, index);
                    return Err(error(&here, format!("two steps are called `{name}`"))
                        .help("give each of them a name of its own with `as`")
                        .word("step"));
                }
                given.push(name);
            }
            plan.add_step(recipe.node, &step_name(list, step));
            match step {
                Step::Send(send) => send.kind.as_deref(),
                Step::Insert(write) => write.kind.as_deref(),
                Step::Upsert(write) => write.kind.as_deref(),
                Step::Append(write) => write.kind.as_deref(),
                _ => None,
            }
            .map(|kind| plan.add_type(kind));
        }
    }
    Ok(())
}

impl<'a> Recipe<'a> {
    fn lists(&self) -> Vec<(&'static str, &'a [Step])> {
        let lists =
            [("steps", Some(self.steps)), ("on-refusal", self.on_refusal), ("on-failure", self.on_failure)];
        lists.into_iter().filter_map(|(name, steps)| Some((name, steps?))).collect()
    }
}

/// The steps with those inside `together`; the parts of a transaction are not steps of their own.
fn flat(steps: &[Step]) -> Vec<&Step> {
    let mut all = Vec::new();
    for step in steps {
        all.push(step);
        match step {
            Step::Together(together) => all.extend(&together.target),
            Step::Transaction(transaction) => all.extend(&transaction.target),
            _ => {}
        }
    }
    all
}

/// What faults and observations call a step. The steps of the other lists have the list before their
/// verb, so that `after: complete` means the one in the recipe itself.
fn step_name(list: &str, step: &Step) -> String {
    match (step.adverbs().name(), list) {
        (Some(name), _) => name.to_owned(),
        (None, "steps") => step.verb().to_owned(),
        (None, _) => format!("{list}.{}", step.verb()),
    }
}

type Place = Vec<String>;

fn place(node: &str, list: &str, step: &Step, index: usize) -> Place {
    let name = step.adverbs().name().map_or_else(|| index.to_string(), str::to_owned);
    vec!["nodes".to_owned(), node.to_owned(), list.to_owned(), name]
}

fn error(place: &Place, message: impl Into<String>) -> PlanError {
    let path: Vec<&str> = place.iter().map(String::as_str).collect();
    PlanError::at(&path, message)
}

/// Compiles a recipe whose trigger is resolved. Part of `build`.
///
/// # Errors
/// If a step cannot be carried out as it is written, or the trigger is never acknowledged.
pub fn compile(recipe: &Recipe<'_>, source: &Source, plan: &Plan) -> Result<Program, PlanError> {
    let mut compiler = Compiler {
        recipe,
        source,
        plan,
        ops: Vec::new(),
        undos: Vec::new(),
        routes: Vec::new(),
        keys: Keys::new(recipe.node, &recipe.signs_in, plan)?,
        next_step: 0,
    };
    let main = compiler.block("steps", recipe.steps)?;
    let on_refusal = recipe.on_refusal.map(|steps| compiler.block("on-refusal", steps)).transpose()?;
    let on_failure = recipe.on_failure.map(|steps| compiler.block("on-failure", steps)).transpose()?;
    compiler.append_undos();
    if compiler.ops.len() > MOST_OPS {
        let message = format!("a recipe has at most {MOST_OPS} steps; this one has {}", compiler.ops.len());
        return Err(PlanError::at(&["nodes", recipe.node, "steps"], message).word("step"));
    }
    compiler.check_acknowledged()?;
    let status = flat(recipe.steps).into_iter().find_map(|step| match step {
        Step::Reply(reply) => Some(reply.target),
        _ => None,
    });
    Ok(Program {
        status: status.unwrap_or(202),
        app: name_hash(recipe.node),
        first_effect: (main.from..main.to).find(|op| compiler.ops[usize::from(*op)].verb.is_effectful()),
        ops: compiler.ops,
        main,
        on_refusal,
        on_failure,
        undo_unknown: recipe.undo_unknown,
        routes: compiler.routes,
        needs: compiler.keys.needs()?,
    })
}

struct Compiler<'a> {
    recipe: &'a Recipe<'a>,
    source: &'a Source,
    plan: &'a Plan,
    ops: Vec<Op>,
    /// The undo of an operation, until all lists are compiled.
    undos: Vec<(u16, Op)>,
    routes: Vec<Route>,
    keys: Keys<'a>,
    next_step: u16,
}

impl Compiler<'_> {
    fn block(&mut self, list: &str, steps: &[Step]) -> Result<Block, PlanError> {
        let from = self.ops.len() as u16;
        let mut index = 0;
        for step in steps {
            self.step(list, step, index)?;
            index += flat(std::slice::from_ref(step)).len();
        }
        Ok(Block { from, to: self.ops.len() as u16 })
    }

    fn step(&mut self, list: &str, step: &Step, index: usize) -> Result<(), PlanError> {
        let here = place(self.recipe.node, list, step, index);
        let number = self.next_step;
        self.next_step += 1;
        let at = self.ops.len() as u16;
        let hash = name_hash(&step_name(list, step));
        let op = |verb| Op { step: number, hash, verb, undo: None, pivot: pivot(step) };
        if let Step::Together(together) = step {
            self.ops.push(op(Verb::Together(Block { from: at + 1, to: at + 1 })));
            for (offset, part) in together.target.iter().enumerate() {
                if !may_be_together(part) {
                    let message = format!("`{}` cannot be done together with other steps", part.verb());
                    return Err(error(&here, message)
                        .help("`together` holds calls, sends, writes and reads")
                        .word("step"));
                }
                self.step(list, part, index + 1 + offset)?;
            }
            let to = self.ops.len() as u16;
            self.ops[usize::from(at)].verb = Verb::Together(Block { from: at + 1, to });
            return Ok(());
        }
        if let Step::Transaction(transaction) = step {
            self.next_step += transaction.target.len() as u16;
        }
        let verb = self.verb(&here, step)?;
        if let Step::Call(call) = step
            && let Some(undo) = &call.undo
        {
            let verb = self.undo(&here, call, undo)?;
            self.undos.push((at, op(verb)));
        }
        self.ops.push(op(verb));
        Ok(())
    }

    fn append_undos(&mut self) {
        for (of, undo) in std::mem::take(&mut self.undos) {
            self.ops[usize::from(of)].undo = Some(self.ops.len() as u16);
            self.ops.push(undo);
        }
    }

    fn verb(&mut self, here: &Place, step: &Step) -> Result<Verb, PlanError> {
        Ok(match step {
            Step::Work(work) => Verb::Work(work.target.0.sampler()),
            Step::Wait(wait) => Verb::Wait(wait.target),
            Step::Call(call) => self.call(here, step, call)?,
            Step::Send(send) => self.send(here, step, send)?,
            Step::Insert(_) | Step::Upsert(_) | Step::Append(_) | Step::Delete(_) | Step::Increment(_) => {
                let (table, operation) = self.write(here, step)?;
                let route = self.route(here, step, &table)?;
                Verb::Write { route, operations: Arc::new(vec![operation]) }
            }
            Step::Read(read) => {
                let endpoint = self.named(here, &read.target, Protocol::Store)?.clone();
                let place = endpoint.place.or_else(|| self.plan.place_anywhere(&read.target));
                Verb::Read { route: self.route(here, step, &endpoint)?, part: endpoint.address.part, place }
            }
            Step::Transaction(transaction) => self.transaction(here, step, &transaction.target)?,
            Step::Together(_) => return Err(error(here, "`together` cannot be nested").word("step")),
            Step::Reply(reply) => {
                self.must(here, step, matches!(self.source, Source::Http | Source::Push))?;
                if !(200..=599).contains(&reply.target) {
                    let message = format!("{} is not an HTTP status", reply.target);
                    return Err(error(here, message).help("write for example `reply: 202`").word("step"));
                }
                Verb::Reply(reply.target)
            }
            Step::Complete(_) => self.settle(here, step, Settlement::Complete)?,
            Step::Abandon(_) => self.settle(here, step, Settlement::Abandon)?,
            Step::DeadLetter(_) => self.settle(here, step, Settlement::DeadLetter)?,
            Step::Defer(_) => self.settle(here, step, Settlement::Defer)?,
            Step::Checkpoint(_) => {
                self.must(here, step, matches!(self.source, Source::Feed(_) | Source::Hub(_)))?;
                Verb::Checkpoint
            }
            Step::Verify(verify) => {
                let up = Some(verify.is);
                self.control(here, step, &verify.target, up, |part| control::Command::Verify { part })?
            }
            Step::Enable(it) => self
                .control(here, step, &it.target, None, |part| control::Command::Enable { part, on: true })?,
            Step::Disable(it) => self
                .control(here, step, &it.target, None, |part| control::Command::Enable { part, on: false })?,
            Step::Promote(Promote { target, to, mode, .. })
            | Step::Failover(Failover { target, to, mode, .. }) => {
                let (to, mode) = (self.site_of(here, target, to)?, *mode);
                self.control(here, step, target, None, |_| control::Command::Promote { to, mode })?
            }
            Step::Rotate(rotate) => {
                if !is_secret(&rotate.target, self.plan) {
                    return Err(error(here, format!("`{}` is no secret of a vault", rotate.target))
                        .help("name one of those that a `key-vault` holds: `vault.psp-key`")
                        .word("step"));
                }
                let overlap = rotate.overlap;
                self.control(here, step, &rotate.target, None, |part| control::Command::Rotate {
                    part,
                    overlap,
                })?
            }
            Step::Scale(scale) => {
                let to = scale.to;
                self.control(here, step, &scale.target, None, |_| control::Command::Scale { to })?
            }
            Step::Set(set) => {
                let listed = self.listed(here, set)?;
                self.control(here, step, &set.target, None, |_| control::Command::Set { listed })?
            }
            Step::Resubmit(resubmit) if self.plan.is_conflict_feed(&resubmit.target) => {
                let to = self.named(here, &resubmit.to, Protocol::Broker)?.address;
                self.control(here, step, &resubmit.target, None, |_| control::Command::Replay { to })?
            }
            Step::Resubmit(resubmit) => {
                let to = self.named(here, &resubmit.to, Protocol::Broker)?.address;
                let from = self.named(here, &resubmit.target, Protocol::Broker)?.address;
                if from.process != to.process {
                    let message =
                        format!("`{}` and `{}` are not in one namespace", resubmit.target, resubmit.to);
                    return Err(error(here, message).word("step"));
                }
                self.control(here, step, &resubmit.target, None, |part| control::Command::Resubmit {
                    part,
                    to: to.part,
                })?
            }
        })
    }

    /// What a step names.
    fn endpoint(&self, here: &Place, name: &str) -> Result<&Endpoint, PlanError> {
        self.plan.endpoint(name).ok_or_else(|| {
            let node = name.split('.').next().unwrap_or(name);
            let parts: Vec<&str> =
                self.plan.endpoints().map(|(n, _)| n).filter(|n| n.split('.').next() == Some(node)).collect();
            let dangling = error(here, format!("there is no `{name}`")).word("dangling");
            if parts.is_empty() { dangling } else { dangling.help(format!("there is: {}", parts.join(", "))) }
        })
    }

    /// What a step names, which must be spoken to in this protocol.
    fn named(&self, here: &Place, name: &str, protocol: Protocol) -> Result<&Endpoint, PlanError> {
        let endpoint = self.endpoint(here, name)?;
        if endpoint.protocol == protocol {
            return Ok(endpoint);
        }
        let wanted = match protocol {
            Protocol::Http => "something that can be called",
            Protocol::EventTopic => "a topic of an event router",
            Protocol::Broker => "a queue or topic of a broker",
            Protocol::Store => "a table or container",
            Protocol::None => "a node",
        };
        Err(error(here, format!("`{name}` is not {wanted}")).word("dangling"))
    }

    fn policy(&self, here: &Place, name: &str) -> Result<Policy, PlanError> {
        self.plan.policy(name).ok_or_else(|| {
            let mut known = vec!["none", "sdk"];
            known.extend(self.plan.blueprint.policies.keys().map(String::as_str));
            error(here, format!("there is no policy `{name}`"))
                .help(format!("the policies are: {}", known.join(", ")))
                .word("dangling")
        })
    }

    fn route(&mut self, here: &Place, step: &Step, to: &Endpoint) -> Result<u8, PlanError> {
        let name = step.adverbs().policy().unwrap_or(self.recipe.policy);
        let mut policy = self.policy(here, name)?;
        if let Some(timeout) = step.adverbs().timeout() {
            policy.timeout = Some(timeout);
        }
        self.route_with(here, to, policy)
    }

    fn route_with(&mut self, here: &Place, to: &Endpoint, policy: Policy) -> Result<u8, PlanError> {
        let need = self.keys.need(to)?;
        self.route_needing(here, to, policy, need)
    }

    fn route_needing(
        &mut self,
        here: &Place,
        to: &Endpoint,
        policy: Policy,
        need: Option<u16>,
    ) -> Result<u8, PlanError> {
        let sdk = match to.protocol {
            Protocol::Http => self.recipe.http,
            // Every action of a workflow retries by the same default, whatever its connector speaks.
            _ if self.recipe.http == Sdk::LogicApps => Sdk::LogicApps,
            _ => Sdk::of(self.plan, to),
        };
        // A breaker belongs to the callee, so another part does not make another route.
        let callee = self.plan.process(to.address.process).hash;
        let hash = mix(name_hash(self.recipe.node), callee);
        let route = Route { to: Address { part: 0, ..to.address }, sdk, policy, hash, need };
        if let Some(index) = self.routes.iter().position(|known| *known == route) {
            return Ok(index as u8);
        }
        if self.routes.len() >= MOST_ROUTES {
            let message = format!("a recipe can call others in at most {MOST_ROUTES} different ways");
            return Err(error(here, message).word("step"));
        }
        self.routes.push(route);
        Ok(self.routes.len() as u8 - 1)
    }

    fn kind(&self, name: Option<&str>) -> TypeId {
        name.and_then(|name| self.plan.type_id(name)).unwrap_or_default()
    }

    fn callee(&self, here: &Place, target: &str, op: Option<&str>) -> Result<Endpoint, PlanError> {
        let name = op.map_or_else(|| target.to_owned(), |op| format!("{target}.{op}"));
        Ok(self.named(here, &name, Protocol::Http)?.clone())
    }

    fn call(&mut self, here: &Place, step: &Step, call: &Call) -> Result<Verb, PlanError> {
        let callee = self.callee(here, &call.target, call.op.as_deref())?;
        let route = self.route(here, step, &callee)?;
        Ok(Verb::Call { route, part: callee.address.part, once: call.once.unwrap_or_default() })
    }

    fn undo(&mut self, here: &Place, call: &Call, undo: &str) -> Result<Verb, PlanError> {
        if self.recipe.batch > 1 {
            return Err(error(here, "what is undone is one item; a run of this recipe has a batch of them")
                .help("leave out `batch`, or `undo`")
                .word("undo"));
        }
        let callee = self.callee(here, &call.target, Some(undo)).map_err(|_| {
            error(here, format!("`{}` has no operation `{undo}` that could undo this", call.target))
                .help("declare it at the endpoint: `ops: [charge, refund undoes charge]`")
                .word("undo")
        })?;
        let policy = self.recipe.undo_policy.or(call.policy.as_deref()).unwrap_or(self.recipe.policy);
        let policy = self.policy(here, policy)?;
        let route = self.route_with(here, &callee, policy)?;
        Ok(Verb::Call { route, part: callee.address.part, once: call.once.unwrap_or_default() })
    }

    fn send(&mut self, here: &Place, step: &Step, send: &Send) -> Result<Verb, PlanError> {
        let endpoint = self.endpoint(here, &send.target)?.clone();
        let (address, protocol) = (endpoint.address, endpoint.protocol);
        let route = self.route(here, step, &endpoint)?;
        let (part, once, kind) =
            (address.part, send.once.unwrap_or_default(), self.kind(send.kind.as_deref()));
        let is_hub = self.is_hub(&endpoint);
        if let Some((message, help)) = misaddressed(send, is_hub) {
            return Err(error(here, message).help(help).word("step"));
        }
        match protocol {
            Protocol::Broker => Ok(Verb::Send {
                route,
                part,
                once,
                session: if is_hub { send.partition_key } else { send.session }.unwrap_or_default(),
                kind,
                ttl: send.ttl.unwrap_or(Span::FOREVER),
                delay: send.delay.unwrap_or_default(),
            }),
            Protocol::EventTopic => {
                if send.session.is_some() || send.delay.is_some() || send.ttl.is_some() {
                    return Err(error(here, "an event router knows no session, delay or ttl of an event")
                        .help("leave them out, or send to a queue or topic of a broker")
                        .word("step"));
                }
                Ok(Verb::Publish { route, part, once, kind })
            }
            _ => Err(error(here, format!("nothing can be sent to `{}`", send.target))
                .help("`send` is for queues and topics; use `call` for an app or endpoint, `insert` for a table")
                .word("dangling")),
        }
    }

    fn is_hub(&self, endpoint: &Endpoint) -> bool {
        let node = self.plan.blueprint.nodes.get_index(endpoint.node.index());
        matches!(node, Some((_, NodeKind::EventHub(_))))
    }

    fn write(&self, here: &Place, step: &Step) -> Result<(Endpoint, Operation), PlanError> {
        let (target, verb, once, ttl, kind, by) = match step {
            Step::Insert(w) => (&w.target, WriteVerb::Insert, w.once, w.ttl, w.kind.as_deref(), 1),
            Step::Upsert(w) => (&w.target, WriteVerb::Upsert, w.once, w.ttl, w.kind.as_deref(), 1),
            Step::Append(w) => (&w.target, WriteVerb::Append, w.once, w.ttl, w.kind.as_deref(), 1),
            Step::Delete(w) => (&w.target, WriteVerb::Delete, None, None, None, 1),
            Step::Increment(w) => (&w.target, WriteVerb::Increment, w.once, None, None, w.by.unwrap_or(1)),
            other => {
                return Err(error(here, format!("`{}` is not a write", other.verb())).word("transaction"));
            }
        };
        let table = self.named(here, target, Protocol::Store)?.clone();
        if ttl.is_some() {
            let path: Vec<&str> = here.iter().map(String::as_str).collect();
            crate::services::store::check_ttl(self.plan, &path, target)?;
        }
        let operation = Operation {
            verb,
            part: table.address.part,
            once: once.unwrap_or_default(),
            by,
            ttl: ttl.unwrap_or(Span::FOREVER),
            kind: self.kind(kind),
        };
        Ok((table, operation))
    }

    fn transaction(&mut self, here: &Place, step: &Step, parts: &[Step]) -> Result<Verb, PlanError> {
        let is_messaging = |part: &&Step| matches!(part, Step::Send(_)) || settlement_of(part).is_some();
        if parts.iter().all(|part| is_messaging(&part)) {
            return self.messaging_transaction(here, step, parts);
        }
        let mut operations = Vec::with_capacity(parts.len());
        let mut tables: Vec<Endpoint> = Vec::new();
        for part in parts {
            if is_messaging(&part) {
                return Err(spanning(here, "a database and a broker"));
            }
            let (table, operation) = self.write(here, part)?;
            operations.push(operation);
            tables.push(table);
        }
        let [first, others @ ..] = tables.as_slice() else {
            return Err(error(here, "the transaction is empty").word("transaction"));
        };
        if others.iter().any(|other| other.address.process != first.address.process) {
            return Err(spanning(here, "two databases"));
        }
        self.check_partition(here, first, &operations)?;
        let route = self.route(here, step, first)?;
        Ok(Verb::Write { route, operations: Arc::new(operations) })
    }

    /// A transactional batch of Cosmos DB reaches one partition key (facts 12.3).
    fn check_partition(
        &self,
        here: &Place,
        at: &Endpoint,
        operations: &[Operation],
    ) -> Result<(), PlanError> {
        let node = self.plan.blueprint.nodes.get_index(at.node.index());
        let Some((_, NodeKind::CosmosDb(store))) = node else { return Ok(()) };
        let differ = |a: &Operation, b: &Operation| a.part != b.part || a.kind != b.kind;
        let several_types = operations.windows(2).any(|pair| differ(&pair[0], &pair[1]));
        if store.partition_by.has(Once::TYPE) && several_types {
            return Err(spanning(here, "two partitions: the documents are partitioned by their type too"));
        }
        if self.recipe.batch > 1 {
            return Err(spanning(here, "the partitions of a batch of items"));
        }
        Ok(())
    }

    fn messaging_transaction(
        &mut self,
        here: &Place,
        step: &Step,
        parts: &[Step],
    ) -> Result<Verb, PlanError> {
        let (mut sends, mut settle, mut entities) = (Vec::new(), None, Vec::<Endpoint>::new());
        for part in parts {
            if let Some(how) = settlement_of(part) {
                if settle.is_some() {
                    return Err(error(here, "the message can be settled only once").word("transaction"));
                }
                self.settle(here, part, how)?;
                settle = Some(how);
                entities.extend(self.plan.endpoint(self.recipe.trigger).cloned());
            } else if let Step::Send(send) = part {
                if send.delay.is_some() || send.ttl.is_some() {
                    let message = "a send in a transaction takes neither delay nor ttl";
                    return Err(error(here, message).word("step"));
                }
                let entity = self.named(here, &send.target, Protocol::Broker)?.clone();
                if self.is_hub(&entity) {
                    let message = "event hubs have no transactions";
                    return Err(error(here, message).word("transaction"));
                }
                sends.push(TransactedSend {
                    part: entity.address.part,
                    once: send.once.unwrap_or_default(),
                    session: send.session.unwrap_or_default(),
                    kind: self.kind(send.kind.as_deref()),
                });
                entities.push(entity);
            }
        }
        let [first, others @ ..] = entities.as_slice() else {
            return Err(error(here, "the transaction is empty").word("transaction"));
        };
        if others.iter().any(|other| other.address.process != first.address.process) {
            return Err(spanning(here, "two namespaces"));
        }
        let route = self.route(here, step, first)?;
        Ok(Verb::Transact { route, sends, settle })
    }

    fn settle(&self, here: &Place, step: &Step, how: Settlement) -> Result<Verb, PlanError> {
        self.must(here, step, matches!(self.source, Source::Queue(_)))?;
        if self.recipe.receive == ReceiveMode::ReceiveAndDelete {
            let message = format!(
                "`{}` has nothing to settle: `receive: receive-and-delete` took the message for good",
                step.verb()
            );
            return Err(error(here, message)
                .help("leave it out, or receive with `peek-lock`")
                .word("acknowledge"));
        }
        Ok(Verb::Settle(how))
    }

    /// The site of a replica.
    fn site_of(&self, here: &Place, target: &str, to: &str) -> Result<u8, PlanError> {
        let sites: Vec<String> = match self.plan.blueprint.nodes.get(target) {
            Some(kind) if kind.replicates() => {
                kind.sites().map_or_else(Vec::new, |sites| sites.names().to_vec())
            }
            _ => Vec::new(),
        };
        let index =
            self.plan.blueprint.sites.get_index_of(to).filter(|_| sites.iter().any(|site| site == to));
        index.map(|index| index as u8).ok_or_else(|| {
            if sites.is_empty() {
                return error(here, format!("`{target}` has no replicas"))
                    .help("name a service that replicates to another site")
                    .word("replication");
            }
            error(here, format!("`{target}` has no replica in `{to}`"))
                .help(format!("its sites are: {}", sites.join(", ")))
                .word("dangling")
        })
    }

    fn control(
        &mut self,
        here: &Place,
        step: &Step,
        target: &str,
        up: Option<State>,
        command: impl Fn(u16) -> control::Command,
    ) -> Result<Verb, PlanError> {
        // Whether it is up, only it can say; what is wanted of it, its control plane is told.
        let plane = up.is_none().then(|| self.plan.endpoint(&format!("{target}{CONTROL}"))).flatten();
        let endpoint = plane.map_or_else(|| self.endpoint(here, target), Ok)?.clone();
        let policy = self.policy(here, step.adverbs().policy().unwrap_or(self.recipe.policy))?;
        // The control plane is HTTP, whatever the data plane speaks.
        let address = self.plan.control_of(endpoint.node).unwrap_or(endpoint.address);
        let plane = Endpoint { address, protocol: Protocol::Http, ..endpoint };
        // What is managed or looked at is no use of the node: neither its key nor a token for it is presented.
        let route = self.route_needing(
            here,
            &plane,
            Policy {
                timeout: step.adverbs().timeout().or(policy.timeout),
                // Who does not answer is not up; to ask until somebody does would answer another question.
                retries: if up.is_some() { Some(0) } else { policy.retries },
                ..policy
            },
            None,
        )?;
        Ok(Verb::Control { route, command: command(plane.address.part), up })
    }

    /// The endpoints of a routing profile that a step puts into use.
    fn listed(&self, here: &Place, set: &Set) -> Result<control::Listing, PlanError> {
        let Some(NodeKind::TrafficManager(profile)) = self.plan.blueprint.nodes.get(&set.target) else {
            let message = format!("`{}` has no list of endpoints", set.target);
            return Err(error(here, message).help("name a `traffic-manager`").word("step"));
        };
        if set.endpoints.is_empty() {
            return Err(error(here, "it is not said which endpoints are in use from then on")
                .help("write for example `endpoints: [ingest/northeurope]`")
                .word("step"));
        }
        let position = |name: &String| {
            let found = profile.endpoints.iter().position(|known| known == name);
            found.map(|position| position as u8).ok_or_else(|| {
                error(here, format!("`{name}` is not one of the endpoints of `{}`", set.target))
                    .help(format!("its endpoints are: {}", profile.endpoints.join(", ")))
                    .word("dangling")
            })
        };
        let positions: Vec<u8> = set.endpoints.iter().map(position).collect::<Result<_, _>>()?;
        Ok(control::Listing::of(&positions))
    }

    /// An acknowledgement must fit the trigger.
    fn must(&self, here: &Place, step: &Step, fits: bool) -> Result<(), PlanError> {
        if fits {
            return Ok(());
        }
        Err(error(here, format!("`{}` does not fit the trigger `{}`", step.verb(), self.recipe.trigger))
            .help(self.source.acknowledgement())
            .word("acknowledge"))
    }

    fn check_acknowledged(&self) -> Result<(), PlanError> {
        let polled = self.recipe.trigger;
        let acknowledges = |step: &&Step| match self.source {
            Source::Http | Source::Push => matches!(step, Step::Reply(_)),
            Source::Queue(_) => {
                settlement_of(step).is_some() || self.recipe.receive == ReceiveMode::ReceiveAndDelete
            }
            Source::Feed(_) | Source::Hub(_) => matches!(step, Step::Checkpoint(_)),
            Source::Table(_) => matches!(step, Step::Delete(delete) if delete.target == polled),
            Source::Timer(_) | Source::Alert => true,
        };
        if flat(self.recipe.steps).iter().any(acknowledges) {
            return Ok(());
        }
        let message = format!("the recipe never acknowledges its trigger `{polled}`: it falls off the end");
        Err(PlanError::at(&["nodes", self.recipe.node, "steps"], message)
            .help(self.source.acknowledgement())
            .word("acknowledge"))
    }
}

/// What is said of a send that its destination does not know.
fn misaddressed(send: &Send, is_hub: bool) -> Option<(&'static str, &'static str)> {
    let unknown = send.session.is_some() || send.once.is_some() || send.delay.is_some() || send.ttl.is_some();
    match is_hub {
        true if unknown => Some((
            "an event hub knows no session, message id, delay or ttl of an event",
            "`partition-key: key` keeps the events of a key in order; whoever reads them has to recognise repetitions",
        )),
        false if send.partition_key.is_some() => Some((
            "only an event hub has partition keys",
            "what keeps the messages of a queue in order is `session: key`",
        )),
        _ => None,
    }
}

fn pivot(step: &Step) -> bool {
    match step {
        Step::Call(step) => step.pivot,
        Step::Insert(step) => step.pivot,
        Step::Upsert(step) => step.pivot,
        Step::Append(step) => step.pivot,
        _ => false,
    }
}

fn may_be_together(step: &Step) -> bool {
    matches!(
        step,
        Step::Call(_)
            | Step::Send(_)
            | Step::Insert(_)
            | Step::Upsert(_)
            | Step::Append(_)
            | Step::Delete(_)
            | Step::Increment(_)
            | Step::Read(_)
    )
}

fn settlement_of(step: &Step) -> Option<Settlement> {
    match step {
        Step::Complete(_) => Some(Settlement::Complete),
        Step::Abandon(_) => Some(Settlement::Abandon),
        Step::DeadLetter(_) => Some(Settlement::DeadLetter),
        Step::Defer(_) => Some(Settlement::Defer),
        _ => None,
    }
}

fn spanning(here: &Place, what: &str) -> PlanError {
    error(here, format!("a transaction cannot span {what}"))
        .help("one SQL database, one Cosmos partition or one Service Bus namespace; write an outbox row in the same database and let a relay send it")
        .word("transaction")
}
