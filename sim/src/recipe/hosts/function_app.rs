//! `function-app`: instances that a scale controller starts and stops. A crash forgets the runs; the
//! trigger delivers again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::client::keyring::{Keep, REFERENCE};
use crate::client::{Dns, Sdk};
use crate::ids::ProcessId;
use crate::message::broker::ReceiveMode;
use crate::message::credential::Identity;
use crate::node::Process;
use crate::plan::{Plan, PlanError};
use crate::recipe::Step;
use crate::recipe::compile::Recipe;
use crate::recipe::hosts::app::{
    App, FrontRules, HubReading, LoadBalancing, ScaleRule, Spread, consumed, defaults,
};
use crate::recipe::keys::SignsIn;
use crate::services::Service;
use crate::time::Span;
use crate::units::{Count, Distribution, OneOrMany};

/// Functions: a trigger with its documented defaults, scaled by what waits. A crash forgets what runs in
/// the instance, and the trigger delivers again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct FunctionApp {
    /// The site; several: a copy in each of them. Default: the only one.
    #[serde(rename = "in", skip_serializing_if = "OneOrMany::is_empty")]
    pub site: OneOrMany,
    /// The sites whose copies are switched on to begin with; the others wait to be enabled. Default: all,
    /// and none can be switched.
    #[serde(skip_serializing_if = "OneOrMany::is_empty")]
    pub enabled_in: OneOrMany,
    /// What starts a run: `http`, a queue or subscription, a dead-letter queue, a change feed, a table, an
    /// event hub or one of its consumer groups, an event subscription, `every 15m`.
    pub trigger: String,
    /// The recipe.
    pub steps: Vec<Step>,
    /// What is done after a definite no. Default: `on-failure`, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_refusal: Option<Vec<Step>>,
    /// What is done after trying and giving up. Default: `on-refusal`, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<Vec<Step>>,
    /// How many instances: `2`, or `0..4` to scale. Default: 1.
    pub instances: Count,
    /// How many runs at once in one instance; with sessions, how many sessions. Default: 16 for messages,
    /// 8 for sessions (facts 4.2), 100 for requests \[K\].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// How long it remembers where a name leads: `honour` (the record's time to live, the default),
    /// `resolve-once`, or at least a span.
    #[serde(skip_serializing_if = "Dns::is_default")]
    pub dns: Dns,
    /// The secrets to which its settings refer (`vault.psp-key`): read when an instance starts and once a day;
    /// one that cannot be read then is the literal text of the reference until then (facts data 7). Default: none.
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
    /// The policy of the steps that name none. Default: sdk.
    pub policy: String,
    /// The policy of what is undone. Default: that of the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo_policy: Option<String>,
    /// Whether a step of which it is not known whether it happened is taken back too. Default: true.
    pub undo_unknown: bool,
    /// How often a polled source is looked at. Default: 1s for a table, 5s for a change feed (facts 1.7).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<Span>,
    /// At most so many items in one run, where the source gives several. Default: 1; 100 for a change
    /// feed, 10 for an event hub (facts 4.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<u32>,
    /// How many messages are fetched before they are asked for. Default: 0 (facts 4.3); 300 events of an event
    /// hub (facts 3.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefetch: Option<u32>,
    /// Of an event hub: the storage-container in which its instances write down who reads which partition,
    /// and how far it is. Default: the namespace keeps that itself, as for Kafka clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoints: Option<String>,
    /// Of an event hub: only every so many batches of a partition are checkpointed; after a crash the
    /// others are done again. Default: 1 (facts 4.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_every: Option<u32>,
    /// Of an event hub: how its instances share the partitions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_balancing: Option<LoadBalancing>,
    /// How long the lock of a message is renewed while its run lasts. Default: 5m (facts 4.3).
    pub renew_lock: Span,
    /// How long a session is kept when no further message comes. Default: 1s; the client library waits
    /// its try time-out of 60s \[K\], which with many short sessions leaves most places idle.
    pub session_idle: Span,
    /// How messages are taken. Default: peek-lock (facts 4.3).
    pub receive: ReceiveMode,
    /// Which part of the source it reads, of a store that holds several. Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
    /// The nodes without which an instance does not call itself ready. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub health: Vec<String>,
    /// How long an instance takes from its start until it serves. Default: 3s (not documented, facts 4.2).
    pub cold_start: Distribution,
    /// How long a run may take; then the instance is restarted, which kills its other runs too. Default:
    /// 30m (facts 4.1, Flex Consumption and Premium).
    pub run_timeout: Span,
    /// An instance goes after so long with less to do. Default: 20m (facts 4.2 \[K\]).
    pub cool_down: Span,
}

impl Default for FunctionApp {
    fn default() -> Self {
        Self {
            site: OneOrMany::default(),
            enabled_in: OneOrMany::default(),
            trigger: String::new(),
            steps: Vec::new(),
            on_refusal: None,
            on_failure: None,
            instances: Count::exactly(1),
            concurrency: None,
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
            prefetch: None,
            checkpoints: None,
            checkpoint_every: None,
            load_balancing: None,
            renew_lock: Span::mins(5),
            session_idle: Span::secs(1),
            receive: ReceiveMode::PeekLock,
            only: None,
            health: Vec::new(),
            cold_start: Distribution::Constant(Span::secs(3)),
            run_timeout: Span::mins(30),
            cool_down: Span::mins(20),
        }
    }
}

/// The front end gives up a request after so long, whatever the plan (facts 4.1).
const REQUEST_TIMEOUT: Span = Span::secs(230);

impl FunctionApp {
    fn app<'a>(&'a self, name: &'a str, plan: &Plan) -> App<'a> {
        let defaults = defaults(&self.trigger, plan);
        let concurrency = self.concurrency.unwrap_or(defaults.concurrency);
        let batch = self.batch.unwrap_or(defaults.batch);
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
                receive: self.receive,
                http: Sdk::Http,
                batch,
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
            spread: Spread::Instances(self.instances),
            dns: self.dns,
            concurrency,
            most_waiting: usize::MAX,
            start_up: self.cold_start,
            notices: None,
            joins: false,
            every: self.every.unwrap_or(defaults.every),
            prefetch: self.prefetch.unwrap_or(defaults.prefetch),
            renew_lock: self.renew_lock,
            session_idle: self.session_idle,
            only: self.only.as_deref(),
            health: &self.health,
            hub: Some(HubReading {
                checkpoints: self.checkpoints.as_deref(),
                every: self.checkpoint_every.unwrap_or(1),
                balancing: self.load_balancing.unwrap_or_default(),
                regardless: true,
            }),
            run_timeout: Some(self.run_timeout),
            run_duration: None,
            switch: None,
            front: FrontRules {
                period: Span::secs(10),
                threshold: 3,
                timeout: REQUEST_TIMEOUT,
                // At most one new instance a second for HTTP, one every 30 s for the others (facts 4.2).
                by_requests: ScaleRule {
                    target: concurrency,
                    every: Span::secs(1),
                    step: 1,
                    pause: Span::secs(1),
                    cool_down: self.cool_down,
                },
                by_depth: ScaleRule {
                    target: concurrency.max(batch),
                    every: Span::secs(10),
                    step: 1,
                    pause: Span::secs(30),
                    cool_down: self.cool_down,
                },
            },
        }
    }
}

impl Service for FunctionApp {
    fn about(&self) -> &'static str {
        "functions: a trigger with its documented defaults; a crash forgets what runs, the trigger delivers again"
    }

    fn sites(&self) -> Option<&OneOrMany> {
        Some(&self.site)
    }

    fn sites_mut(&mut self) -> Option<&mut OneOrMany> {
        Some(&mut self.site)
    }
    fn consumes(&self) -> Vec<String> {
        consumed(&self.trigger, self.only.as_deref())
    }
    fn declare(&self, name: &str, plan: &mut Plan) -> Result<(), PlanError> {
        self.app(name, plan).declare(plan)
    }
    fn build(&self, name: &str, plan: &Plan) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError> {
        self.app(name, plan).build(plan)
    }
}
