//! A small language with everything that the flat grammar has, for the tests of this room.

use std::fmt;

use indexmap::IndexMap;
use proptest::prelude::*;
use schemars::JsonSchema;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::tree::{Key, Kind, Tree};

/// A unit type as the world has them: text with a unit, and nothing else.
#[derive(Clone, Debug, PartialEq, JsonSchema)]
#[schemars(with = "String")]
pub(crate) struct Delay(pub(crate) u64);

impl<'de> Deserialize<'de> for Delay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = text.strip_suffix("ms").and_then(|n| n.parse().ok());
        number
            .map(Delay)
            .ok_or_else(|| de::Error::custom(format!("`{text}` is not a duration; write `{text}ms`")))
    }
}

impl Serialize for Delay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}ms", self.0))
    }
}

/// One or a list of them, by a plain visitor.
#[derive(Clone, Debug, PartialEq, JsonSchema)]
#[schemars(with = "serde_json::Value")]
pub(crate) struct Many(pub(crate) Vec<String>);

impl<'de> Deserialize<'de> for Many {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrList)
    }
}

impl Serialize for Many {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            list => list.serialize(serializer),
        }
    }
}

struct OneOrList;

impl<'de> Visitor<'de> for OneOrList {
    type Value = Many;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name or a list of names")
    }

    fn visit_str<E>(self, text: &str) -> Result<Many, E> {
        Ok(Many(vec![text.to_owned()]))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Many, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = seq.next_element()? {
            list.push(item);
        }
        Ok(Many(list))
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Write {
    pub(crate) target: String,
    pub(crate) once: Option<String>,
    pub(crate) if_unchanged: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Ack {
    pub(crate) policy: Option<String>,
}

/// A struct whose every field has a default, even the object, which still has to be written.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Append {
    pub(crate) target: String,
    pub(crate) once: Option<String>,
    pub(crate) pivot: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Notice {
    pub(crate) target: Option<Many>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verb {
    /// Writes a row.
    Insert(Write),
    Append(Append),
    Work(Delay),
    Reply(u16),
    Transaction(Vec<Verb>),
    Run {
        target: String,
        at: Option<Delay>,
    },
    Complete(Ack),
    Abandon,
    /// Stops everything.
    Halt,
    Notify(Notice),
    Together(Many),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Common {
    #[serde(rename = "as")]
    pub(crate) name: Option<String>,
    pub(crate) timeout: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Step(pub(crate) Common, pub(crate) Verb);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Sql {
    pub(crate) zones: Option<u8>,
    pub(crate) holds: Option<Many>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Bus {
    pub(crate) lock: Delay,
    pub(crate) ratio: Option<f64>,
    pub(crate) hidden: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct App {
    pub(crate) trigger: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum NodeKind {
    SqlDatabase(Sql),
    ServiceBus(Bus),
    App(App),
    Nothing,
    /// Nothing, with a description.
    Void,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Scenario {
    pub(crate) scenario: String,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub(crate) nodes: IndexMap<String, NodeKind>,
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,6}(\\.[a-z]{1,4})?", "[0-9]{1,4}", ".{1,8}", Just("null".to_owned())]
}

fn maybe() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(word())
}

fn verbs() -> impl Strategy<Value = Verb> {
    let leaf = prop_oneof![
        (word(), maybe(), maybe()).prop_map(|(target, once, if_unchanged)| Verb::Insert(Write {
            target,
            once,
            if_unchanged
        })),
        (word(), maybe(), any::<bool>()).prop_map(|(target, once, pivot)| Verb::Append(Append {
            target,
            once,
            pivot
        })),
        any::<u64>().prop_map(|n| Verb::Work(Delay(n))),
        any::<u16>().prop_map(Verb::Reply),
        (word(), proptest::option::of(any::<u64>().prop_map(Delay)))
            .prop_map(|(target, at)| Verb::Run { target, at }),
        maybe().prop_map(|policy| Verb::Complete(Ack { policy })),
        Just(Verb::Abandon),
        Just(Verb::Halt),
        proptest::option::of(proptest::collection::vec(word(), 0..4).prop_map(Many))
            .prop_map(|target| Verb::Notify(Notice { target })),
        proptest::collection::vec(word(), 0..4).prop_map(|list| Verb::Together(Many(list))),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| proptest::collection::vec(inner, 0..4).prop_map(Verb::Transaction))
}

fn kinds() -> impl Strategy<Value = NodeKind> {
    let steps =
        (maybe(), maybe(), verbs()).prop_map(|(name, timeout, verb)| Step(Common { name, timeout }, verb));
    prop_oneof![
        (any::<Option<u8>>(), maybe()).prop_map(|(zones, holds)| {
            let holds = holds.map(|one| Many(vec![one]));
            NodeKind::SqlDatabase(Sql { zones, holds })
        }),
        (any::<u64>(), proptest::option::of(-1e9..1e9f64), any::<Option<bool>>())
            .prop_map(|(lock, ratio, hidden)| NodeKind::ServiceBus(Bus { lock: Delay(lock), ratio, hidden })),
        (word(), proptest::collection::vec(steps, 0..5))
            .prop_map(|(trigger, steps)| NodeKind::App(App { trigger, steps })),
        Just(NodeKind::Nothing),
        Just(NodeKind::Void),
    ]
}

/// Any scenario of the small language.
pub(crate) fn scenarios() -> impl Strategy<Value = Scenario> {
    let nodes = proptest::collection::vec((word(), kinds()), 0..5);
    (word(), nodes).prop_map(|(scenario, nodes)| Scenario { scenario, nodes: nodes.into_iter().collect() })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}",
        "[-+.:0-9a-fox_eE%/ ]{0,8}",
        "([a-c ]|[-:?{}\\[\\],&*!|>'\"%@#~`\\\\\n\t\r]|é|\u{85}|\u{2028}|\u{feff}|\u{1f980}){0,12}",
        ".{0,20}",
        prop_oneof![Just("null"), Just("true"), Just(".nan"), Just("---"), Just("0x1F"), Just("<<")]
            .prop_map(str::to_owned),
    ]
}

/// Any tree.
pub(crate) fn trees() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Kind::Null),
        any::<bool>().prop_map(Kind::bool),
        any::<i64>().prop_map(Kind::int),
        any::<f64>().prop_map(Kind::float),
        text().prop_map(Kind::text),
    ]
    .prop_map(Tree::from);
    leaf.prop_recursive(5, 60, 6, |inner| {
        let entries = prop::collection::vec((text(), inner.clone()), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(|items| Kind::Seq(items).into()),
            entries.prop_map(|entries| Kind::Map(unique(entries)).into()),
        ]
    })
}

fn unique(entries: Vec<(String, Tree)>) -> Vec<(Key, Tree)> {
    let mut kept: Vec<(Key, Tree)> = Vec::new();
    for (name, tree) in entries {
        if !name.is_empty() && kept.iter().all(|(key, _)| key.name != name) {
            kept.push((Key::new(name), tree));
        }
    }
    kept
}
