//! `logic-app`: a managed workflow. Each step is written down before it begins; a crash resumes at the
//! step that was under way. The runs of a location are in its region and nowhere else (facts 5, BCDR): when
//! the region is lost they stop where they are, and go on when it is back; no other location takes them over.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::client::keyring::{Keep, REFERENCE};
use crate::client::{Dns, Sdk};
use crate::ids::{Once, ProcessId};
use crate::message::broker::ReceiveMode;
use crate::message::credential::Identity;
use crate::node::Process;
use crate::plan::{Plan, PlanError};
use crate::recipe::Step;
use crate::recipe::compile::Recipe;
use crate::recipe::hosts::app::{App, FrontRules, ScaleRule, Spread, consumed, defaults};
use crate::recipe::keys::SignsIn;
use crate::services::Service;
use crate::time::Span;
use crate::units::{Distribution, OneOrMany, once_text};

/// A managed workflow: each step is written down before it begins, so that a crash resumes at the step
/// that was under way. Its calls retry by the documented default policy (facts 5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LogicApp {
    /// The site; several: a copy in each of them. Default: the only one.
    #[serde(rename = "in", skip_serializing_if = "OneOrMany::is_empty")]
    pub site: OneOrMany,
    /// The sites whose copies are switched on to begin with; the others wait to be enabled. One that is
    /// switched off starts no runs and takes no messages; the runs that it has go on (facts 5). Default:
    /// all, and none can be switched.
    #[serde(skip_serializing_if = "OneOrMany::is_empty")]
    pub enabled_in: OneOrMany,
    /// How long from a confirmed `enable` or `disable` until the workflow follows. Default: 5s..30s (not
    /// documented).
    pub switch: Distribution,
    /// What starts a run: `http`, a queue or subscription, a dead-letter queue, a table, an event
    /// subscription, `every 15m`.
    pub trigger: String,
    /// The recipe.
    pub steps: Vec<Step>,
    /// What is done after a definite no. Default: `on-failure`, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_refusal: Option<Vec<Step>>,
    /// What is done after trying and giving up. Default: `on-refusal`, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<Vec<Step>>,
    /// `once: item`: a further request for an item joins the run that there is or was. Default: each
    /// request starts a run.
    #[serde(with = "once_text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Once>")]
    pub once: Option<Once>,
    /// How many runs at once; more wait. Default: no limit (trigger concurrency is off, facts 5); of messages
    /// at most 1000 are taken from a broker at once \[K\].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// At most so many requests wait for one of these places; more are answered 429. Default: 10 more than
    /// `concurrency` (facts 5); no limit without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_runs: Option<u32>,
    /// Whether each step is written down before it begins. A stateless workflow keeps its runs in memory: a
    /// crash loses them. Default: true.
    pub stateful: bool,
    /// How long a run may take; then it is given up, between two steps or in a wait. Default: 90d; 5m where
    /// it is stateless (facts 5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_duration: Option<Span>,
    /// How long it remembers where a name leads: `honour` (the record's time to live, the default),
    /// `resolve-once`, or at least a span.
    #[serde(skip_serializing_if = "Dns::is_default")]
    pub dns: Dns,
    /// The secrets to which its settings refer (`vault.psp-key`): read when it starts and once a day; one that
    /// cannot be read then is the literal text of the reference until then (facts data 7). Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// Who issues the tokens without which it cannot call the services of its platform: a node of the kind
    /// `entra-id`. Default: its calls need none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<String>,
    /// As whom it signs in: `managed` or `service-principal`. Default: managed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// For which nodes that it calls it needs a token. Default: every database, storage account, namespace and
    /// topic.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tokens_for: Vec<String>,
    /// The policy of the steps that name none. Default: sdk; for calls that is 4 retries, 7.5s doubling
    /// to 45s (facts 5).
    pub policy: String,
    /// The policy of what is undone. Default: that of the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo_policy: Option<String>,
    /// Whether a step of which it is not known whether it happened is taken back too. Default: true.
    pub undo_unknown: bool,
    /// How often a polled source is looked at. Default: 1s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<Span>,
    /// At most so many items in one run, where the source gives several. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<u32>,
    /// How long the lock of a message is renewed while its run lasts. Default: 5m \[K\].
    pub renew_lock: Span,
}

impl Default for LogicApp {
    fn default() -> Self {
        Self {
            site: OneOrMany::default(),
            enabled_in: OneOrMany::default(),
            switch: Distribution::Uniform(Span::secs(5), Span::secs(30)),
            trigger: String::new(),
            steps: Vec::new(),
            on_refusal: None,
            on_failure: None,
            once: None,
            concurrency: None,
            waiting_runs: None,
            stateful: true,
            run_duration: None,
            dns: Dns::Honour,
            secrets: Vec::new(),
            tokens: None,
            identity: None,
            tokens_for: Vec::new(),
            policy: "sdk".to_owned(),
            undo_policy: None,
            undo_unknown: true,
            every: None,
            batch: None,
            renew_lock: Span::mins(5),
        }
    }
}

/// At most so many messages are taken from a broker at once by a workflow that says nothing \[K\].
const AT_ONCE: u32 = 1000;

impl LogicApp {
    pub(crate) fn run_duration(&self) -> Span {
        self.run_duration.unwrap_or(if self.stateful { Span::mins(90 * 24 * 60) } else { Span::mins(5) })
    }

    fn app<'a>(&'a self, name: &'a str, plan: &Plan) -> App<'a> {
        let defaults = defaults(&self.trigger, plan);
        let unused = ScaleRule {
            target: 1,
            every: Span::mins(1),
            step: 1,
            pause: Span::ZERO,
            cool_down: Span::FOREVER,
        };
        App {
            recipe: Recipe {
                node: name,
                trigger: &self.trigger,
                steps: &self.steps,
                on_refusal: self.on_refusal.as_deref(),
                on_failure: self.on_failure.as_deref(),
                policy: &self.policy,
                undo_policy: self.undo_policy.as_deref(),
                undo_unknown: self.undo_unknown,
                receive: ReceiveMode::PeekLock,
                http: Sdk::LogicApps,
                batch: self.batch.unwrap_or(1),
                signs_in: SignsIn {
                    tokens: self.tokens.as_deref(),
                    identity: self.identity,
                    only_for: &self.tokens_for,
                    secrets: &self.secrets,
                    keep: Keep::For(REFERENCE),
                },
            },
            site: &self.site,
            enabled_in: self.enabled_in.names(),
            spread: Spread::Managed { durable: self.stateful },
            dns: self.dns,
            concurrency: self.concurrency.unwrap_or(match defaults.reads_messages {
                true => AT_ONCE,
                false => u32::MAX,
            }),
            most_waiting: match (self.waiting_runs, self.concurrency) {
                (Some(most), _) => most as usize,
                (None, Some(concurrency)) => concurrency as usize + 10,
                (None, None) => usize::MAX,
            },
            start_up: Distribution::Constant(Span::ZERO),
            notices: None,
            joins: self.once.is_some(),
            every: self.every.unwrap_or(Span::secs(1)),
            prefetch: 0,
            renew_lock: self.renew_lock,
            session_idle: Span::secs(1),
            only: None,
            health: &[],
            hub: None,
            run_timeout: None,
            run_duration: Some(self.run_duration()),
            switch: Some(self.switch),
            front: FrontRules {
                period: Span::secs(10),
                threshold: 3,
                timeout: Span::secs(120),
                by_requests: unused,
                by_depth: unused,
            },
        }
    }
}

impl Service for LogicApp {
    fn about(&self) -> &'static str {
        "a managed workflow: each step is written down; a crash resumes at the step that was under way"
    }

    fn sites(&self) -> Option<&OneOrMany> {
        Some(&self.site)
    }

    fn sites_mut(&mut self) -> Option<&mut OneOrMany> {
        Some(&mut self.site)
    }
    fn consumes(&self) -> Vec<String> {
        consumed(&self.trigger, None)
    }
    fn declare(&self, name: &str, plan: &mut Plan) -> Result<(), PlanError> {
        if !self.enabled_in.is_empty() && self.trigger.ends_with(".change-feed") {
            let message = "a workflow that is started by a change feed cannot be switched off";
            return Err(PlanError::at(&["nodes", name, "enabled-in"], message)
                .help("write a `function-app`, or another trigger")
                .word("inapplicable"));
        }
        if self.run_duration().is_zero() {
            let message = "a run has no time at all";
            return Err(PlanError::at(&["nodes", name, "run-duration"], message)
                .help("write a duration above 0")
                .word("value"));
        }
        if self.once.is_some_and(|once| once != Once::ITEM) {
            let message = "a workflow recognises a request by its item only";
            return Err(PlanError::at(&["nodes", name, "once"], message).help("write `once: item`"));
        }
        self.app(name, plan).declare(plan)
    }
    fn build(&self, name: &str, plan: &Plan) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError> {
        self.app(name, plan).build(plan)
    }
}
