//! Copies: a node that is in several sites becomes one node for each of them before anything else is done,
//! `ingest` in two regions the nodes `ingest/westeurope` and `ingest/northeurope`. The parts of a whole are
//! where the whole is. A copy speaks with the copies in its own site: what it calls `raw` is
//! `raw/westeurope`, where there is such a thing. A service that replicates is one node, in several sites.

use indexmap::IndexMap;
use serde_json::Value;

use crate::blueprint::Blueprint;
use crate::plan::PlanError;
use crate::services::{NodeKind, Service};
use crate::units::OneOrMany;

/// The nodes that have copies: for each its sites, in the order of the file. And those that are one node
/// with a replica in each of several sites.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Copies(IndexMap<String, Vec<String>>, IndexMap<String, Vec<String>>);

/// Fields whose text is never the name of a node.
const NO_NAMES: [&str; 17] = [
    "policy",
    "undo-policy",
    "as",
    "type",
    "types",
    "flow",
    "key",
    "session",
    "partition-key",
    "once",
    "only",
    "in",
    "enabled-in",
    "identity",
    "mode",
    "reason",
    "program",
];

impl Copies {
    /// Puts a node for each copy into the blueprint.
    ///
    /// # Errors
    /// If a node is in the same site twice.
    pub(super) fn expand(blueprint: &mut Blueprint) -> Result<Copies, Vec<PlanError>> {
        let copies = Copies::found(blueprint)?;
        if copies.0.is_empty() {
            return Ok(copies);
        }
        let mut nodes = IndexMap::new();
        for (name, kind) in std::mem::take(&mut blueprint.nodes) {
            match copies.0.get(&name) {
                Some(sites) => {
                    nodes.extend(
                        sites.iter().map(|site| (copy(&name, site), copies.localised(&kind, site, true))),
                    );
                }
                None => {
                    let kind = match kind.sites() {
                        Some(OneOrMany::One(site)) => copies.localised(&kind, site, false),
                        _ => kind,
                    };
                    nodes.insert(name, kind);
                }
            }
        }
        blueprint.nodes = nodes;
        Ok(copies)
    }

    fn found(blueprint: &Blueprint) -> Result<Copies, Vec<PlanError>> {
        let mut copies = Copies::default();
        let mut errors = Vec::new();
        for (name, kind) in &blueprint.nodes {
            let whole = whole_of(kind, blueprint);
            let sites = whole.sites().map_or(&[][..], OneOrMany::names);
            if let Some(twice) = sites.iter().enumerate().find(|(index, site)| sites[..*index].contains(site))
            {
                let message = format!("it is in `{}` twice", twice.1);
                errors.push(PlanError::at(&["nodes", name, "in"], message).help("name each site once"));
            } else if sites.len() > 1 {
                let known = if whole.replicates() { &mut copies.1 } else { &mut copies.0 };
                known.insert(name.clone(), sites.to_vec());
            }
        }
        if errors.is_empty() { Ok(copies) } else { Err(errors) }
    }

    /// The copies, or the replicas, that a name means: of a node (`ingest`) or of a part of one
    /// (`store.reading`); itself, if it has none.
    pub fn of(&self, name: &str) -> Vec<String> {
        let (node, part) = split(name);
        match self.0.get(node).or_else(|| self.1.get(node)) {
            Some(sites) => sites.iter().map(|site| format!("{}{part}", copy(node, site))).collect(),
            None => vec![name.to_owned()],
        }
    }

    /// The sites in which a node has copies; none if it has none.
    #[must_use]
    pub fn sites(&self, name: &str) -> &[String] {
        self.0.get(split(name).0).map_or(&[], Vec::as_slice)
    }

    /// The name that the scenario gives to a node: `ingest` for `ingest/westeurope`.
    #[must_use]
    pub fn written<'a>(&self, name: &'a str) -> &'a str {
        match name.rsplit_once('/') {
            Some((node, site)) if self.sites(node).iter().any(|known| known == site) => node,
            _ => name,
        }
    }

    /// A node as it is in one site: where it names what has a copy there, it means that copy.
    fn localised(&self, kind: &NodeKind, site: &str, is_copy: bool) -> NodeKind {
        let Ok(mut value) = serde_json::to_value(kind) else { return kind.clone() };
        self.localise(&mut value, site);
        let Ok(mut kind) = serde_json::from_value::<NodeKind>(value) else { return kind.clone() };
        if is_copy && let Some(sites) = kind.sites_mut() {
            *sites = OneOrMany::One(site.to_owned());
        }
        kind
    }

    fn localise(&self, value: &mut Value, site: &str) {
        match value {
            Value::String(text) => {
                let (node, part) = split(text);
                if self.0.get(node).is_some_and(|sites| sites.iter().any(|known| known == site)) {
                    *text = format!("{}{part}", copy(node, site));
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.localise(value, site)),
            Value::Object(fields) => {
                let named = fields.iter_mut().filter(|(field, _)| !NO_NAMES.contains(&field.as_str()));
                named.for_each(|(_, value)| self.localise(value, site));
            }
            _ => {}
        }
    }
}

fn copy(node: &str, site: &str) -> String {
    format!("{node}/{site}")
}

/// A node and what of it: `store` and `.reading`.
fn split(name: &str) -> (&str, &str) {
    name.split_at(name.find('.').unwrap_or(name.len()))
}

/// What a part is a part of, in the end.
fn whole_of<'a>(kind: &'a NodeKind, blueprint: &'a Blueprint) -> &'a NodeKind {
    let of = |kind: &NodeKind| kind.of().and_then(|of| blueprint.nodes.get(of));
    let whole = of(kind).unwrap_or(kind);
    of(whole).unwrap_or(whole)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]
mod tests {
    use super::*;
    use crate::blueprint::{Flow, Site};
    use crate::plan::Plan;

    fn blueprint(nodes: Value) -> Blueprint {
        let mut blueprint = Blueprint::default();
        for site in ["west", "north"] {
            blueprint.sites.insert(site.to_owned(), Site::default());
        }
        blueprint.flows.insert("orders".to_owned(), Flow::default());
        let Value::Object(nodes) = nodes else { return blueprint };
        for (name, kind) in nodes {
            blueprint.nodes.insert(name, serde_json::from_value(kind).expect("a node"));
        }
        blueprint
    }

    fn two_regions() -> Value {
        serde_json::json!({
            "bus": { "service-bus": { "in": ["west", "north"] } },
            "raw": { "service-bus-queue": { "of": "bus" } },
            "store": { "sql-database": { "in": ["west", "north"], "holds": ["reading"] } },
            "worker": { "container-app": {
                "in": ["west", "north"],
                "trigger": "raw",
                "steps": [
                    { "insert": { "target": "store.reading", "as": "store" } },
                    { "call": { "target": "audit" } },
                    { "complete": {} },
                ],
            } },
            "audit": { "endpoint": { "in": "north" } },
        })
    }

    #[test]
    fn a_node_in_two_sites_becomes_two_that_speak_with_what_is_in_their_own() {
        let plan = Plan::new(blueprint(two_regions())).expect("a plan");
        let names: Vec<&str> = plan.nodes.iter().map(|node| node.name.as_str()).collect();
        let pairs = ["bus", "raw", "store", "worker"];
        let expected: Vec<String> =
            pairs.iter().flat_map(|name| ["west", "north"].map(|site| copy(name, site))).collect();
        // The object of a JSON text is sorted by its names.
        assert_eq!(names.iter().filter(|name| **name != "audit").count(), expected.len());
        assert!(expected.iter().all(|name| names.contains(&name.as_str())), "{names:?}");
        let NodeKind::ContainerApp(worker) = &plan.blueprint.nodes["worker/north"] else { return };
        assert_eq!(worker.trigger, "raw/north");
        let steps = serde_json::to_string(&worker.steps).expect("text");
        assert!(steps.contains(r#""store/north.reading""#) && steps.contains(r#""audit""#), "{steps}");
        assert!(steps.contains(r#""as":"store""#), "the name of a step stays: {steps}");
        assert_eq!(plan.copies.of("store.reading"), ["store/west.reading", "store/north.reading"]);
        assert_eq!((plan.copies.written("raw/west"), plan.copies.written("raw/1")), ("raw", "raw/1"));
        assert_eq!(plan.nodes_of("worker").len(), 2);
        assert_eq!(plan.consumers_of("raw/west").len(), 1);
    }

    #[test]
    fn who_is_nowhere_has_to_say_which_copy_is_meant() {
        let mut nodes = two_regions();
        nodes["audit"] = serde_json::json!({ "load": { "flow": "orders", "to": "raw", "rate": "1/s" } });
        let plan = Plan::new(blueprint(nodes)).expect("names are resolved when the world is built");
        let error = plan.blueprint.nodes["audit"].build("audit", &plan).expect_err("no such name");
        let help = error.help.clone().unwrap_or_default();
        assert!(error.to_string().contains("a copy in each of west, north"), "{error}");
        assert!(help.contains("`raw/west` or `raw/north`"), "{help}");
    }

    #[test]
    fn a_mistake_of_all_copies_is_told_once_of_the_node_in_the_file() {
        let mut nodes = two_regions();
        nodes["worker"]["container-app"]["concurrency"] = 0.into();
        let errors = Plan::new(blueprint(nodes)).expect_err("nothing runs");
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(errors[0].path, ["nodes", "worker", "concurrency"]);
        let mut nodes = two_regions();
        nodes["bus"]["service-bus"]["in"] = serde_json::json!(["west", "west"]);
        let errors = Plan::new(blueprint(nodes)).expect_err("twice in one place");
        assert_eq!(errors[0].path, ["nodes", "bus", "in"]);
    }
}
