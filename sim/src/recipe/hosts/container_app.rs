//! `container-app`: replicas behind an ingress. A crash forgets the runs of the replica.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::client::keyring::Keep;
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

/// An app in containers: replicas over the zones of its site, an ingress that probes them and balances,
/// scaling by requests or by what waits. A crash forgets what runs in the replica.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ContainerApp {
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
    /// How many replicas: `3`, or `1..4` to scale. Default: 1.
    pub replicas: Count,
    /// How many runs at once in one replica; more wait. Default: 100 for requests \[K\]; for messages 1,
    /// for sessions 8, as the processor of the client library \[K\].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// How long it remembers where a name leads: `honour` (the record's time to live, the default),
    /// `resolve-once`, or at least a span.
    #[serde(skip_serializing_if = "Dns::is_default")]
    pub dns: Dns,
    /// The secrets without which a replica does not start (`vault.psp-key`). It keeps them in memory and reads
    /// them again when a callee refuses them (facts data 7). Default: none.
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
    /// feed, 10 for an event hub.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<u32>,
    /// How many messages are fetched before they are asked for. Default: 0; 300 events of an event
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
    /// How long the lock of a message is renewed while its run lasts. Default: 5m, as the processor of the
    /// client library \[K\].
    pub renew_lock: Span,
    /// How long a session is kept when no further message comes. Default: 1s; the client library waits
    /// its try time-out of 60s \[K\], which with many short sessions leaves most places idle.
    pub session_idle: Span,
    /// How messages are taken. Default: peek-lock.
    pub receive: ReceiveMode,
    /// Which part of the source it reads, of a store that holds several. Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
    /// The nodes without which a replica does not call itself ready. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub health: Vec<String>,
    /// How long a replica takes from its start until it serves. Default: 2s \[K\].
    pub start_up: Distribution,
    /// How often the ingress probes the readiness of each replica. Default: 10s (Kubernetes \[K\]).
    pub probe_every: Span,
    /// After so many failed probes a replica gets no requests. Default: 3 (Kubernetes \[K\]).
    pub probe_failures: u8,
    /// How long a request may take at the ingress. Default: 240s \[K\].
    pub request_timeout: Span,
    /// With a range of replicas: so many concurrent requests for each. Default: 10 \[K\].
    pub scale_at_requests: u32,
    /// With a range of replicas: so many waiting messages for each. Default: 5 \[K\].
    pub scale_at_depth: u32,
    /// A replica goes after so long with less to do. Default: 5m \[K\].
    pub cool_down: Span,
}

impl Default for ContainerApp {
    fn default() -> Self {
        Self {
            site: OneOrMany::default(),
            enabled_in: OneOrMany::default(),
            trigger: String::new(),
            steps: Vec::new(),
            on_refusal: None,
            on_failure: None,
            replicas: Count::exactly(1),
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
            start_up: Distribution::Constant(Span::secs(2)),
            probe_every: Span::secs(10),
            probe_failures: 3,
            request_timeout: Span::secs(240),
            scale_at_requests: 10,
            scale_at_depth: 5,
            cool_down: Span::mins(5),
        }
    }
}

impl ContainerApp {
    fn app<'a>(&'a self, name: &'a str, plan: &Plan) -> App<'a> {
        let defaults = defaults(&self.trigger, plan);
        // Unlike the trigger of a function, the client library's own processor takes one message at a time.
        let usual = if defaults.reads_messages && !defaults.sessions { 1 } else { defaults.concurrency };
        let rule = |target, every| ScaleRule {
            target,
            every,
            step: 4,
            pause: Span::secs(15),
            cool_down: self.cool_down,
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
                receive: self.receive,
                http: Sdk::Http,
                batch: self.batch.unwrap_or(defaults.batch),
                signs_in: SignsIn {
                    tokens: self.tokens.as_deref(),
                    identity: self.identity,
                    only_for: &self.tokens_for,
                    secrets: &self.secrets,
                    keep: Keep::UntilRefused,
                },
            },
            site: &self.site,
            enabled_in: self.enabled_in.names(),
            spread: Spread::Instances(self.replicas),
            dns: self.dns,
            concurrency: self.concurrency.unwrap_or(usual),
            most_waiting: usize::MAX,
            start_up: self.start_up,
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
                regardless: false,
            }),
            run_timeout: None,
            run_duration: None,
            switch: None,
            front: FrontRules {
                period: self.probe_every,
                threshold: self.probe_failures,
                timeout: self.request_timeout,
                by_requests: rule(self.scale_at_requests, Span::secs(15)),
                by_depth: rule(self.scale_at_depth, Span::secs(30)),
            },
        }
    }
}

impl Service for ContainerApp {
    fn about(&self) -> &'static str {
        "an app in containers: replicas behind an ingress; a crash forgets what runs"
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
