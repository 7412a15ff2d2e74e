//! Which credentials the calls of a recipe need.

use std::sync::Arc;

use crate::client::keyring::{Keep, Kind, Need};
use crate::ids::Address;
use crate::message::credential::Identity;
use crate::plan::{Endpoint, Plan, PlanError};
use crate::random::name_hash;
use crate::services::endpoint::EndpointService;
use crate::services::entra_id::backup;
use crate::services::{NodeKind, Service};

/// The kinds of node that take tokens of the identity provider.
const PLATFORM: &[&str] = &[
    "service-bus",
    "service-bus-queue",
    "service-bus-topic",
    "service-bus-subscription",
    "event-hubs",
    "event-hub",
    "event-grid-topic",
    "sql-database",
    "cosmos-db",
    "storage-container",
];

/// As whom an app signs in, and for which of its calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct SignsIn<'a> {
    /// The node that issues the tokens; none: it needs none.
    pub tokens: Option<&'a str>,
    /// As whom.
    pub identity: Option<Identity>,
    /// For which nodes; none: for all that are services of the platform.
    pub only_for: &'a [String],
    /// The secrets without which it does not start.
    pub secrets: &'a [String],
    /// How long it keeps them.
    pub keep: Keep,
}

/// Whether this names a secret of a vault.
pub(super) fn is_secret(name: &str, plan: &Plan) -> bool {
    let vault = name.rsplit_once('.').and_then(|(vault, _)| plan.blueprint.nodes.get(vault));
    matches!(vault, Some(NodeKind::KeyVault(_))) && plan.endpoint(name).is_some()
}

/// The credentials of a recipe that is being compiled.
#[derive(Debug)]
pub(super) struct Keys<'a> {
    node: &'a str,
    rules: &'a SignsIn<'a>,
    plan: &'a Plan,
    issuer: Option<Address>,
    /// Who stands in for the issuer.
    backup: Option<Address>,
    needs: Vec<Need>,
}

impl<'a> Keys<'a> {
    pub(super) fn new(node: &'a str, rules: &'a SignsIn<'a>, plan: &'a Plan) -> Result<Keys<'a>, PlanError> {
        let mut keys = Keys { node, rules, plan, issuer: None, backup: None, needs: Vec::new() };
        let at = |field: &str, message: String| PlanError::at(&["nodes", node, field], message);
        for secret in rules.secrets {
            let from = plan.resolve(node, "secrets", secret)?.address;
            if !is_secret(secret, plan) {
                return Err(at("secrets", format!("`{secret}` is no secret of a vault"))
                    .help("name one of those that a `key-vault` holds: `vault.psp-key`")
                    .word("secrets"));
            }
            keys.needs.push(Need { kind: Kind::Secret(rules.keep), from, backup: None });
        }
        let Some(tokens) = rules.tokens else {
            let given = [("identity", rules.identity.is_some()), ("tokens-for", !rules.only_for.is_empty())];
            return match given.iter().find(|(_, given)| *given) {
                Some((field, _)) => Err(at(field, format!("without `tokens` a `{field}` means nothing"))
                    .help("say who issues them: `tokens: NODE`, a node of the kind `entra-id`")
                    .word("tokens")),
                None => Ok(keys),
            };
        };
        keys.issuer = Some(plan.resolve(node, "tokens", tokens)?.address);
        if !matches!(plan.blueprint.nodes.get(tokens), Some(NodeKind::EntraId(_))) {
            let error = at("tokens", format!("`{tokens}` issues no tokens"));
            return Err(error.help("name a node of the kind `entra-id`").word("tokens"));
        }
        let id = plan.node(node).unwrap_or_default();
        let site = plan.processes_of(id).find_map(|(_, info)| info.location.site());
        let site = site.and_then(|site| plan.blueprint.sites.get_index(usize::from(site)));
        if let Some((site, _)) = site
            && keys.identity() == Identity::Managed
        {
            keys.backup = plan.endpoint(&backup(tokens, site)).map(|endpoint| endpoint.address);
        }
        Ok(keys)
    }

    fn identity(&self) -> Identity {
        self.rules.identity.unwrap_or_default()
    }

    /// The node to which this one belongs as a part: the namespace of a queue.
    fn whole(&self, name: &'a str) -> &'a str {
        let mut name = name;
        while let Some(of) = self.plan.blueprint.nodes.get(name).and_then(Service::of) {
            name = of;
        }
        name
    }

    /// Which credential a call to this callee needs, if any.
    ///
    /// # Errors
    /// If the callee has a key that the app does not have.
    pub(super) fn need(&mut self, to: &Endpoint) -> Result<Option<u16>, PlanError> {
        let called = self.plan.nodes[to.node.index()].name.as_str();
        let kind = self.plan.blueprint.nodes.get(called);
        let Some(NodeKind::Endpoint(EndpointService { api_key: Some(key), .. })) = kind else {
            return Ok(self.token(to));
        };
        // The needs begin with the secrets, in their order.
        let known = self.rules.secrets.iter().position(|secret| secret == key);
        known.map(|index| Some(index as u16)).ok_or_else(|| {
            let message = format!("the key of `{called}` is `{key}`, which it does not have");
            PlanError::at(&["nodes", self.node, "secrets"], message)
                .help(format!("write `secrets: [{key}]`"))
                .word("secrets")
        })
    }

    /// Which token a call to this callee needs, if any.
    fn token(&mut self, to: &Endpoint) -> Option<u16> {
        let from = self.issuer?;
        let called = self.plan.nodes[to.node.index()].name.as_str();
        let whole = self.whole(called);
        let kind = self.plan.blueprint.nodes.get(called).map(NodeKind::word)?;
        let means = |name: &String| {
            let written = |node: &str| self.plan.copies.written(node) == name;
            name == called || name == whole || written(called) || written(whole)
        };
        let wanted = match self.rules.only_for {
            [] => PLATFORM.contains(&kind),
            only => only.iter().any(means),
        };
        if !wanted {
            return None;
        }
        let (resource, identity) = (name_hash(whole), self.identity());
        let need = Need { kind: Kind::Token { resource, identity }, from, backup: self.backup };
        let known = self.needs.iter().position(|known| *known == need);
        let index = known.unwrap_or_else(|| {
            self.needs.push(need);
            self.needs.len() - 1
        });
        Some(index as u16)
    }

    /// All of them, once every step is compiled.
    pub(super) fn needs(self) -> Result<Arc<Vec<Need>>, PlanError> {
        let at = |message: String| PlanError::at(&["nodes", self.node, "tokens-for"], message);
        for name in self.rules.only_for {
            if self.plan.nodes_of(name).is_empty() {
                return Err(at(format!("there is no `{name}`")).word("dangling"));
            }
        }
        if self.issuer.is_some() && self.needs.len() == self.rules.secrets.len() {
            let error =
                PlanError::at(&["nodes", self.node, "tokens"], "no step of it calls what takes a token");
            return Err(error
                .help("leave it out, or say for which nodes: `tokens-for: [NODE]`")
                .word("tokens"));
        }
        Ok(Arc::new(self.needs))
    }
}
