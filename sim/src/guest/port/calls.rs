//! The calls of a guest: resolved by name, made by the clients that every caller has.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::client::caller::{CallHandle, Caller, Progress};
use crate::client::{Policy, Sdk};
use crate::guest::port::Settings;
use crate::guest::request::{Call, Verb};
use crate::ids::{Execution, Once, ProcessId, TypeId};
use crate::message::store::Operation;
use crate::message::{Body, Cargo, Message, broker, http, store};
use crate::node::Context;
use crate::observe::Outcome;
use crate::plan::{Endpoint, Plan, Protocol};
use crate::random::mix;
use crate::time::{Span, Time};

/// The number spaces of the callers are 1 to this; above are the receivers.
const MOST_ROUTES: usize = 99;

/// Somebody who is called in one way: one client with its own retries and breaker.
#[derive(Clone, Debug)]
struct Route {
    to: ProcessId,
    sdk: Sdk,
    policy: Policy,
    caller: Caller<u64>,
}

/// All calls of one replica.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls {
    routes: Vec<Route>,
    /// The calls under way, by request.
    under_way: BTreeMap<u64, (usize, CallHandle)>,
    over: VecDeque<(u64, Outcome)>,
}

impl Calls {
    /// Begins a call. `since`: when this life of the guest began; tells its executions apart.
    ///
    /// # Errors
    /// In words for people, if it cannot be made as it is asked for.
    pub(super) fn begin(
        &mut self,
        id: u64,
        call: &Call,
        settings: &Settings,
        since: Time,
        cx: &mut Context<'_>,
    ) -> Result<(), String> {
        let plan = cx.plan();
        let endpoint = plan.endpoint(&call.target).ok_or_else(|| unknown(&call.target, plan))?;
        let item = call.about.item;
        let execution = call.about.execution.unwrap_or_else(|| Execution {
            run: mix(settings.app ^ item.identity(), since.0),
            message: mix(item.identity(), u64::from(item.kind.0)),
        });
        let (body, kind) = body(call, endpoint, execution, plan)?;
        let cargo = match (item.is_none(), kind) {
            (true, _) => Cargo::None,
            (false, TypeId(0)) => Cargo::One(item),
            (false, kind) => Cargo::One(item.typed(kind)),
        };
        let route = self.route(call, endpoint, settings, plan)?;
        let message = Message::new(body).carrying(cargo);
        let handle = self.routes[route].caller.call(cx, endpoint.address, message, id);
        self.under_way.insert(id, (route, handle));
        self.take_progress(route);
        Ok(())
    }

    fn route(
        &mut self,
        call: &Call,
        to: &Endpoint,
        settings: &Settings,
        plan: &Plan,
    ) -> Result<usize, String> {
        let name = call.policy.as_deref().unwrap_or(&settings.policy);
        let Some(mut policy) = plan.policy(name) else {
            let mut known = vec!["none", "sdk"];
            known.extend(plan.blueprint.policies.keys().map(String::as_str));
            return Err(format!("there is no policy `{name}`; the policies are: {}", known.join(", ")));
        };
        if call.timeout.is_some() {
            policy.timeout = call.timeout;
        }
        let (to, sdk) = (to.address.process, Sdk::of(plan, to));
        let known =
            self.routes.iter().position(|route| (route.to, route.sdk) == (to, sdk) && route.policy == policy);
        if let Some(index) = known {
            return Ok(index);
        }
        if self.routes.len() >= MOST_ROUTES {
            return Err(format!("a guest can call others in at most {MOST_ROUTES} different ways"));
        }
        let hash = mix(settings.app, plan.process(to).hash);
        let caller = Caller::new(&policy, sdk, hash, self.routes.len() as u8 + 1);
        self.routes.push(Route { to, sdk, policy, caller });
        Ok(self.routes.len() - 1)
    }

    /// The guest no longer waits: the call is given up as it is.
    pub(super) fn cancel(&mut self, id: u64, cx: &mut Context<'_>) {
        if let Some((route, handle)) = self.under_way.remove(&id) {
            self.routes[route].caller.cancel(cx, handle);
            self.take_progress(route);
        }
    }

    /// The next call that is over.
    pub(super) fn next(&mut self) -> Option<(u64, Outcome)> {
        self.over.pop_front()
    }

    /// Takes an answer. False if it is to no call.
    pub(super) fn on_message(&mut self, message: &Message, cx: &mut Context<'_>) -> bool {
        self.any(|route| route.caller.on_message(cx, message))
    }

    /// Takes a timer. False if it is no call's.
    pub(super) fn on_timer(&mut self, token: u64, cx: &mut Context<'_>) -> bool {
        self.any(|route| route.caller.on_timer(cx, token))
    }

    fn any(&mut self, mut takes: impl FnMut(&mut Route) -> bool) -> bool {
        let Some(index) = self.routes.iter_mut().position(&mut takes) else { return false };
        self.take_progress(index);
        true
    }

    /// The connection to a process is gone.
    pub(super) fn on_closed(&mut self, peer: ProcessId, cx: &mut Context<'_>) {
        for index in 0..self.routes.len() {
            let to = self.routes[index].to;
            if to == peer || cx.plan().names.is_alias(to) {
                self.routes[index].caller.on_closed(cx, peer);
                self.take_progress(index);
            }
        }
    }

    /// Until when each client backs off.
    pub(super) fn busy(&self) -> impl Iterator<Item = (ProcessId, Time)> + '_ {
        let brokers = self.routes.iter().filter(|route| route.sdk == Sdk::ServiceBus);
        brokers.map(|route| (route.to, route.caller.busy_until()))
    }

    /// The client of this broker sends nothing more until then.
    pub(super) fn back_off(&mut self, broker: ProcessId, until: Time) {
        let brokers = self.routes.iter_mut().filter(|route| route.sdk == Sdk::ServiceBus);
        for route in brokers.filter(|route| route.to == broker) {
            route.caller.back_off(until);
        }
    }

    fn take_progress(&mut self, route: usize) {
        while let Some(progress) = self.routes[route].caller.next() {
            if let Progress::Finished(finished) = progress {
                self.under_way.remove(&finished.owner);
                self.over.push_back((finished.owner, finished.outcome));
            }
        }
    }
}

/// There is no such name: which ones there are.
pub(super) fn unknown(name: &str, plan: &Plan) -> String {
    let node = name.split('.').next().unwrap_or(name);
    let parts: Vec<&str> = plan
        .endpoints()
        .map(|(known, _)| known)
        .filter(|known| known.split('.').next() == Some(node))
        .collect();
    let nodes = || plan.nodes.iter().map(|node| node.name.as_str()).collect();
    let known: Vec<&str> = if parts.is_empty() { nodes() } else { parts };
    format!("there is no `{name}`; there is: {}", known.join(", "))
}

/// The request of a call, and the message type under which its item travels.
fn body(call: &Call, to: &Endpoint, execution: Execution, plan: &Plan) -> Result<(Body, TypeId), String> {
    let (target, part, once, item) = (&call.target, to.address.part, call.once, call.about.item);
    let kind = match call.kind.as_deref() {
        None => TypeId(0),
        Some(name) => plan.type_id(name).ok_or_else(|| {
            format!("the scenario knows no message type `{name}`; name it under `types:` of the guest")
        })?,
    };
    if item.is_none() && call.verb != Verb::Call {
        return Err(format!("what is sent to `{target}` or written there is about an item"));
    }
    let request = |verb, key| Body::Request(http::Request { part, verb, key, secret: 0, execution });
    match (call.verb, to.protocol) {
        (Verb::Call, Protocol::Http) => Ok((request(http::Verb::Call, once.identity(item, execution)), kind)),
        (Verb::Send, Protocol::EventTopic) => {
            if call.session != Once::NONE || !call.delay.is_zero() || call.ttl != Span::FOREVER {
                return Err(format!(
                    "`{target}`: an event router knows no session, delay or ttl of an event"
                ));
            }
            let typed = if kind.0 == 0 { item } else { item.typed(kind) };
            Ok((request(http::Verb::Publish, once.identity(typed, execution)), kind))
        }
        (Verb::Send, Protocol::Broker) => {
            let (session, delay, ttl) = (call.session, call.delay, call.ttl);
            Ok((Body::Broker(broker::Command::Send { part, once, session, execution, ttl, delay }), kind))
        }
        (Verb::Write(verb, by), Protocol::Store) => {
            if call.ttl != Span::FOREVER {
                crate::services::store::check_ttl(plan, &[], target).map_err(|error| error.message)?;
            }
            let operation = Operation { verb, part, once, by, ttl: call.ttl, kind };
            let operations = Arc::new(vec![operation]);
            Ok((Body::Store(store::Command::Write { operations, execution }), TypeId(0)))
        }
        (Verb::Read, Protocol::Store) => Ok((Body::Store(store::Command::Read { part }), TypeId(0))),
        (Verb::Call, _) => Err(format!("`{target}` cannot be called; name an app, a gateway or an endpoint")),
        (Verb::Send, _) => Err(format!("nothing can be sent to `{target}`; name a queue or a topic")),
        (Verb::Write(..) | Verb::Read, _) => {
            Err(format!("`{target}` is no store; name a table or container"))
        }
    }
}
