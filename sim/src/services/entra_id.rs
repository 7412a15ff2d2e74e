//! `entra-id`: an identity provider that issues tokens. It is global and in no site. In each region a backup
//! authentication service stands by that is isolated from it, and issues tokens to managed identities only.
//!
//! Tokens are checked where they are presented, without a question to whoever issued them: who has one goes
//! on with it whatever becomes of the issuer, until it is over.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{Address, ConnectionId, Item, ProcessId};
use crate::message::control::{self, Command};
use crate::message::credential::{Answer, Identity, Question};
use crate::message::{Body, Message};
use crate::node::{Context, Input, Process};
use crate::observe::{Handling, Held, What};
use crate::plan::{Endpoint, Location, Plan, PlanError, ProcessInfo, Protocol};
use crate::random::{Purpose, mix};
use crate::services::Service;
use crate::services::front::{Front, Pending, answer_control};
use crate::services::store::answer_probe;
use crate::time::Span;
use crate::units::{Distribution, Sampler};

/// What a configurable lifetime may be (facts data 7).
const LIFETIME: (Span, Span) = (Span::mins(10), Span::days(1));
/// So long the backup of a region does not answer when a zone is lost.
const BLIP: Span = Span::secs(5);

/// An identity provider that issues tokens: Entra ID.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct EntraId {
    /// How long the token of a service principal is good. Default: 60m..90m, a mean of 75 minutes (facts data 7);
    /// it can be configured from 10 minutes to a day.
    pub token_lifetime: Distribution,
    /// How long the platform keeps the token of a managed identity; not configurable there. Default: 1d (facts
    /// data 7).
    pub managed_lifetime: Span,
    /// How long it takes to issue one. Default: 50ms p99 500ms \[K\].
    pub latency: Distribution,
}

impl Default for EntraId {
    fn default() -> Self {
        Self {
            token_lifetime: Distribution::Uniform(Span::mins(60), Span::mins(90)),
            managed_lifetime: Span::days(1),
            latency: Distribution::Lognormal { median: Span::millis(50), p99: Span::millis(500) },
        }
    }
}

/// What the backup authentication service in this site is called.
#[must_use]
pub fn backup(name: &str, site: &str) -> String {
    format!("{name}.backup/{site}")
}

impl EntraId {
    fn check(&self, name: &str) -> Result<(), PlanError> {
        let (least, most) = LIFETIME;
        let (low, high) = match self.token_lifetime {
            Distribution::Constant(span) => (span, span),
            Distribution::Uniform(low, high) => (low, high),
            Distribution::Lognormal { median, p99 } => (median, p99),
        };
        if low < least || high > most {
            let message = format!("a token can be made to last from {least} to {most}");
            return Err(PlanError::at(&["nodes", name, "token-lifetime"], message)
                .help("leave it out for the usual 60m..90m")
                .word("token-lifetime"));
        }
        Ok(())
    }
}

impl Service for EntraId {
    fn about(&self) -> &'static str {
        "an identity provider: tokens for service principals and managed identities, with its regional backup"
    }

    fn declare(&self, name: &str, plan: &mut Plan) -> Result<(), PlanError> {
        self.check(name)?;
        let process = plan.add_process(name, "", Location::Internet);
        let node = plan.node(name).unwrap_or_default();
        let known = |name: &str, process: ProcessId, plan: &mut Plan| {
            let address = Address { process, part: 0 };
            plan.add_endpoint(name, Endpoint { address, protocol: Protocol::None, node, place: None });
        };
        known(name, process, plan);
        let sites: Vec<String> = plan.blueprint.sites.keys().cloned().collect();
        for (index, site) in sites.iter().enumerate() {
            let location = Location::Redundant { site: index as u8, blip: BLIP };
            let process = plan.add_process(name, &backup("", site), location);
            plan.set_apart(process);
            known(&backup(name, site), process, plan);
        }
        Ok(())
    }

    fn build(&self, name: &str, plan: &Plan) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError> {
        let setup = |isolated| {
            Arc::new(Setup {
                isolated,
                lifetime: self.token_lifetime.sampler(),
                managed: self.managed_lifetime,
                latency: self.latency.sampler(),
            })
        };
        let (service, backups) = (setup(false), setup(true));
        let node = plan.node(name).unwrap_or_default();
        let issuer = |(id, info): (ProcessId, &ProcessInfo)| {
            let setup = if info.apart { &backups } else { &service };
            let issuer: Box<dyn Process> =
                Box::new(Issuer { setup: Arc::clone(setup), front: Front::default() });
            (id, issuer)
        };
        Ok(plan.processes_of(node).map(issuer).collect())
    }
}

/// What never changes about an issuer.
#[derive(Debug)]
struct Setup {
    /// Whether it is a backup.
    isolated: bool,
    lifetime: Sampler,
    managed: Span,
    latency: Sampler,
}

/// The token service, or the backup of one region. It remembers nothing.
#[derive(Clone, Debug)]
struct Issuer {
    setup: Arc<Setup>,
    front: Front,
}

impl Issuer {
    fn ask(&mut self, from: ProcessId, connection: ConnectionId, message: Message, cx: &mut Context<'_>) {
        let Body::Credential(Question::Token { resource, identity, serial }) = message.body else { return };
        let unprotected = self.setup.isolated && identity == Identity::ServicePrincipal;
        let who = mix(cx.plan().process(from).hash, resource);
        let occurrence = mix(who, u64::from(serial));
        if unprotected || self.front.is_down(cx, 0, Item::default(), occurrence) {
            return answer(connection, &message, Answer::Unavailable, cx);
        }
        let takes = self.front.service_time(cx, &self.setup.latency, 0, Item::default(), occurrence);
        let lives = match identity {
            Identity::Managed => self.setup.managed,
            Identity::ServicePrincipal => {
                self.setup.lifetime.at(cx.draw(Purpose::Identity, [who, u64::from(serial)]))
            }
        };
        // The answer is known; only the time that it takes is to come.
        let granted = message.answer(Body::Granted(Answer::Token { lives }));
        let token = self.front.keep(Pending { connection, message: granted });
        cx.timer(takes, token, false);
    }

    fn finish(&mut self, pending: Pending, cx: &mut Context<'_>) {
        if self.front.went_down(cx, 0, Item::default()) {
            return;
        }
        let Body::Granted(granted) = pending.message.body else { return };
        answer(pending.connection, &pending.message, granted, cx);
    }
}

/// Answers, and books the call: nothing is stored, whatever the answer.
fn answer(connection: ConnectionId, message: &Message, granted: Answer, cx: &mut Context<'_>) {
    let how = match granted {
        Answer::Token { .. } | Answer::Secret { .. } => Handling::Suppressed,
        Answer::Unavailable | Answer::Throttled => Handling::Rejected,
    };
    cx.observe_on(connection, Item::default(), What::Handled { call: message.call, how });
    cx.answer(connection, message.answer(Body::Granted(granted)));
}

impl Process for Issuer {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        match input {
            Input::Message { from, connection, message } => match message.body {
                Body::Credential(_) => self.ask(from, connection, message, cx),
                Body::Probe => answer_probe(from, connection, &message, self.front.is_ready(cx), cx),
                Body::Control(Command::Verify { .. }) => {
                    let state = control::Answer::State { up: self.front.is_ready(cx), in_sync: true };
                    answer_control(connection, &message, state, cx);
                }
                Body::Control(_) => answer_control(connection, &message, control::Answer::Refused, cx),
                _ => {}
            },
            Input::Timer(token) => {
                if let Some(pending) = self.front.take(token) {
                    self.finish(pending, cx);
                }
            }
            Input::Start | Input::Disk(..) | Input::Closed { .. } | Input::Poke => {}
        }
    }

    fn crash(&mut self) {
        self.front = Front::default();
    }

    fn inventory(&self, _: &mut dyn FnMut(Held)) {}

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}
