//! Which credentials the calls of a recipe need.

use std::sync::Arc;

use crate::client::keyring::Need;
use crate::ids::Address;
use crate::message::credential::Identity;
use crate::plan::{Endpoint, Plan, PlanError};
use crate::random::name_hash;
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
    pub(super) fn need(&mut self, to: &Endpoint) -> Option<u16> {
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
        let (resource, identity, backup) = (name_hash(whole), self.identity(), self.backup);
        let need = Need { resource, identity, from, backup };
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
        if self.issuer.is_some() && self.needs.is_empty() {
            let error =
                PlanError::at(&["nodes", self.node, "tokens"], "no step of it calls what takes a token");
            return Err(error
                .help("leave it out, or say for which nodes: `tokens-for: [NODE]`")
                .word("tokens"));
        }
        Ok(Arc::new(self.needs))
    }
}
