//! `operator`: a person who notices after a while, and then does one thing after the other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::client::{Dns, Sdk};
use crate::ids::ProcessId;
use crate::message::broker::ReceiveMode;
use crate::node::Process;
use crate::plan::{Plan, PlanError};
use crate::recipe::Step;
use crate::recipe::compile::Recipe;
use crate::recipe::hosts::app::{App, FrontRules, ScaleRule, Spread, consumed};
use crate::recipe::keys::SignsIn;
use crate::services::Service;
use crate::time::Span;
use crate::units::{Distribution, OneOrMany};

/// A person. Notices work after a while, then does one thing after the other; turns away when there is
/// nothing more. Holds the lock of a message for as long as it takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Operator {
    /// The site; several: a copy in each of them. Default: the only one.
    #[serde(rename = "in", skip_serializing_if = "OneOrMany::is_empty")]
    pub site: OneOrMany,
    /// What is to be done something about: a queue, a dead-letter queue, a table, `every 15m`.
    pub trigger: String,
    /// How long until the person notices. Default: 5m..15m.
    pub notices: Distribution,
    /// What the person does; `work` is their time.
    pub steps: Vec<Step>,
    /// What is done after a definite no. Default: `on-failure`, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_refusal: Option<Vec<Step>>,
    /// What is done after trying and giving up. Default: `on-refusal`, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<Vec<Step>>,
    /// How long it remembers where a name leads: `honour` (the record's time to live, the default),
    /// `resolve-once`, or at least a span.
    #[serde(skip_serializing_if = "Dns::is_default")]
    pub dns: Dns,
    /// The policy of the steps that name none. Default: sdk.
    pub policy: String,
    /// How often a table is looked at. Default: 1m.
    pub every: Span,
}

impl Default for Operator {
    fn default() -> Self {
        Self {
            site: OneOrMany::default(),
            trigger: String::new(),
            notices: Distribution::Uniform(Span::mins(5), Span::mins(15)),
            steps: Vec::new(),
            on_refusal: None,
            on_failure: None,
            dns: Dns::Honour,
            policy: "sdk".to_owned(),
            every: Span::mins(1),
        }
    }
}

impl Operator {
    fn app<'a>(&'a self, name: &'a str) -> App<'a> {
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
                undo_policy: None,
                undo_unknown: true,
                receive: ReceiveMode::PeekLock,
                http: Sdk::Http,
                batch: 1,
                signs_in: SignsIn::default(),
            },
            site: &self.site,
            enabled_in: &[],
            spread: Spread::Person,
            dns: self.dns,
            concurrency: 1,
            most_waiting: usize::MAX,
            start_up: Distribution::Constant(Span::ZERO),
            notices: Some(self.notices),
            joins: false,
            every: self.every,
            prefetch: 0,
            renew_lock: Span::FOREVER,
            session_idle: Span::secs(1),
            only: None,
            health: &[],
            hub: None,
            run_timeout: None,
            run_duration: None,
            switch: None,
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

impl Service for Operator {
    fn about(&self) -> &'static str {
        "a person who notices after a while, and then does one thing after the other"
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
        self.app(name).declare(plan)
    }
    fn build(&self, name: &str, plan: &Plan) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError> {
        self.app(name).build(plan)
    }
}
