//! An endpoint as a scenario writes it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{EndpointProcess, Offered, Setup};
use crate::ids::{Address, ProcessId};
use crate::node::Process;
use crate::plan::{Endpoint, Location, PlaceRole, Plan, PlanError, Protocol};
use crate::random::name_hash;
use crate::services::{NodeKind, Service};
use crate::time::Span;
use crate::units::{Distribution, OneOrMany, Rate, Ratio, UnitError};

/// Anything that is called and is not ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct EndpointService {
    /// The site in which it is. Default: none, it is on the internet.
    #[serde(rename = "in", skip_serializing_if = "OneOrMany::is_empty")]
    pub site: OneOrMany,
    /// What it can do: `[charge, refund undoes charge]`. An effect is named by node and operation
    /// (`psp.charge`). Default: one operation, named by the node alone.
    pub ops: Vec<Operation>,
    /// How long it works on a request; the effect comes at the end. Default: 50ms p99 500ms (an
    /// assumption; there is no documented value for somebody else's service).
    pub latency: Distribution,
    /// How many requests it serves in a time; more wait in line. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Rate>,
    /// How many requests may wait in line; more are answered 503. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<u32>,
    /// The share of items that it refuses for good (422), whatever the attempt. What undoes is never
    /// refused. Default: none.
    pub refuses: Ratio,
    /// How long it remembers idempotency keys; 0s: it takes none, and every call is a new effect.
    /// Default: 1d.
    pub idempotency_keys: Span,
    /// The secret of a vault that is its key (`vault.psp-key`): whoever does not present a version that is good is
    /// answered 401. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<String>,
    /// Whether an item that was undone is refused later: a call that was overtaken by its undoing.
    /// Default: true.
    pub remembers_undo: bool,
}

impl Default for EndpointService {
    fn default() -> Self {
        Self {
            site: OneOrMany::default(),
            ops: Vec::new(),
            latency: Distribution::Lognormal { median: Span::millis(50), p99: Span::millis(500) },
            capacity: None,
            queue: None,
            refuses: Ratio(0.0),
            idempotency_keys: Span::days(1),
            api_key: None,
            remembers_undo: true,
        }
    }
}

/// An operation: `charge`, or `refund undoes charge`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its name.
    pub name: String,
    /// The operation that it takes back.
    pub undoes: Option<String>,
}

impl FromStr for Operation {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            [name] => Ok(Operation { name: (*name).to_owned(), undoes: None }),
            [name, "undoes", other] => {
                Ok(Operation { name: (*name).to_owned(), undoes: Some((*other).to_owned()) })
            }
            _ => Err(UnitError(format!(
                "`{text}` is not an operation; write for example `charge` or `refund undoes charge`"
            ))),
        }
    }
}
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.undoes {
            Some(other) => write!(f, "{} undoes {other}", self.name),
            None => f.write_str(&self.name),
        }
    }
}
impl Serialize for Operation {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Operation {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        <Cow<'de, str>>::deserialize(from)?.parse().map_err(|e: UnitError| D::Error::custom(e.0))
    }
}
impl JsonSchema for Operation {
    fn schema_name() -> Cow<'static, str> {
        "Operation".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "An operation, and which other one it undoes.",
            "examples": ["charge", "refund undoes charge"]
        })
    }
}

impl EndpointService {
    fn place_name(&self, node: &str, operation: &Operation) -> String {
        format!("{node}.{}", operation.name)
    }

    fn position(&self, name: &str) -> Option<u16> {
        self.ops.iter().position(|operation| operation.name == name).map(|index| index as u16)
    }

    fn check(&self, node: &str) -> Result<(), PlanError> {
        let at = |field| ["nodes", node, field];
        for (index, operation) in self.ops.iter().enumerate() {
            if self.position(&operation.name) != Some(index as u16) {
                let message = format!("the operation `{}` is there twice", operation.name);
                return Err(PlanError::at(&at("ops"), message).help("each operation has a name of its own"));
            }
            if let Some(other) = &operation.undoes
                && (self.position(other).is_none() || *other == operation.name)
            {
                let known: Vec<&str> = self.ops.iter().map(|operation| operation.name.as_str()).collect();
                let message =
                    format!("`{}` undoes `{other}`, which is no other operation here", operation.name);
                let help = format!("the operations are: {}", known.join(", "));
                return Err(PlanError::at(&at("ops"), message).help(help).word("dangling"));
            }
        }
        if self.capacity.is_some_and(|capacity| capacity.interval().is_none()) {
            let error = PlanError::at(&at("capacity"), "a server with capacity 0 never answers");
            return Err(error.help("leave `capacity` out for no limit, or use the fault `dep.down`"));
        }
        if self.queue.is_some() && self.capacity.is_none() {
            let error = PlanError::at(&at("queue"), "nothing waits in line where there is no `capacity`");
            return Err(error.help("say how many requests it serves: `capacity: 80/s`"));
        }
        Ok(())
    }
}

impl Service for EndpointService {
    fn about(&self) -> &'static str {
        "anything that is called and is not ours"
    }

    fn sites(&self) -> Option<&OneOrMany> {
        Some(&self.site)
    }

    fn sites_mut(&mut self) -> Option<&mut OneOrMany> {
        Some(&mut self.site)
    }

    fn repetition_window(&self) -> Option<Span> {
        (self.idempotency_keys > Span::ZERO).then_some(self.idempotency_keys)
    }

    fn declare(&self, name: &str, plan: &mut Plan) -> Result<(), PlanError> {
        self.check(name)?;
        let location = if self.site.is_empty() {
            Location::Internet
        } else {
            Location::AnyZone { site: plan.site(name, &self.site)? }
        };
        let process = plan.add_process(name, "", location);
        let node = plan.node(name).unwrap_or_default();
        let mut whole = None;
        for (part, operation) in self.ops.iter().enumerate() {
            let full = self.place_name(name, operation);
            let place = Some(plan.add_place(name, &full, PlaceRole::Effect));
            let address = Address { process, part: part as u16 };
            plan.add_endpoint(&full, Endpoint { address, protocol: Protocol::Http, node, place });
            // An endpoint with one operation may be called by its own name.
            whole = if self.ops.len() == 1 { place } else { None };
        }
        if self.ops.is_empty() {
            whole = Some(plan.add_place(name, name, PlaceRole::Effect));
        }
        let address = Address { process, part: 0 };
        plan.add_endpoint(name, Endpoint { address, protocol: Protocol::Http, node, place: whole });
        Ok(())
    }

    fn build(&self, name: &str, plan: &Plan) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError> {
        let id = plan.resolve(name, "kind", name)?.address.process;
        Ok(vec![(id, Box::new(self.process(name, plan)?))])
    }
}

impl EndpointService {
    pub(super) fn process(&self, name: &str, plan: &Plan) -> Result<EndpointProcess, PlanError> {
        let whole = plan.resolve(name, "kind", name)?;
        if let Some(key) = &self.api_key {
            plan.resolve(name, "api-key", key)?;
            let vault = key.rsplit_once('.').and_then(|(vault, _)| plan.blueprint.nodes.get(vault));
            if !matches!(vault, Some(NodeKind::KeyVault(_))) {
                let message = format!("`{key}` is no secret of a vault");
                return Err(PlanError::at(&["nodes", name, "api-key"], message)
                    .help("name one of those that a `key-vault` holds: `vault.psp-key`")
                    .word("secrets"));
            }
        }
        let mut operations = Vec::new();
        for operation in &self.ops {
            let endpoint = plan.resolve(name, "ops", &self.place_name(name, operation))?;
            operations.push(Offered {
                hash: name_hash(&operation.name),
                place: endpoint.place.unwrap_or_default(),
                undoes: operation.undoes.as_deref().and_then(|other| self.position(other)),
            });
        }
        if self.ops.is_empty() {
            let place = whole.place.unwrap_or_default();
            operations.push(Offered { hash: name_hash(name), place, undoes: None });
        }
        Ok(EndpointProcess::new(Setup {
            operations,
            latency: self.latency.sampler(),
            capacity: self.capacity,
            queue: self.queue,
            refuses: self.refuses.0,
            keys: self.idempotency_keys,
            keyed: self.api_key.is_some(),
            remembers_undo: self.remembers_undo,
        }))
    }
}
