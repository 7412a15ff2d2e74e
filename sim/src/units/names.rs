//! Names as they are written in a scenario: one or several of nodes, and the parts of an identity.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{UnitError, wrong};
use crate::ids::Once;

impl FromStr for Once {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        text.split('+').try_fold(Once::NONE, |sum, part| {
            let part = match part.trim() {
                "item" => Once::ITEM,
                "key" => Once::KEY,
                "message" => Once::MESSAGE,
                "run" => Once::RUN,
                "type" => Once::TYPE,
                _ => {
                    return Err(wrong(
                        text,
                        "an identity (item, key, message, run, type, joined by +)",
                        "item+type",
                    ));
                }
            };
            Ok(sum.and(part))
        })
    }
}
impl fmt::Display for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const PARTS: [(Once, &str); 5] = [
            (Once::ITEM, "item"),
            (Once::KEY, "key"),
            (Once::MESSAGE, "message"),
            (Once::RUN, "run"),
            (Once::TYPE, "type"),
        ];
        let names: Vec<&str> =
            PARTS.iter().filter(|(part, _)| self.has(*part)).map(|(_, name)| *name).collect();
        f.write_str(&names.join("+"))
    }
}

impl JsonSchema for Once {
    fn schema_name() -> Cow<'static, str> {
        "Once".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "By what the receiver may recognise a repetition: item, key, message, run, type, joined by +.",
            "examples": ["item", "item+type"],
        })
    }
}

/// How `once:` and `session:` are written in a scenario (`item+type`); in messages it is a byte.
pub mod once_text {
    use serde::de::Error as _;

    use super::{Cow, Deserialize, Deserializer, Once, Serializer, UnitError};

    /// Reads `item+type`.
    ///
    /// # Errors
    /// Where a part is none of item, key, message, run, type.
    pub fn deserialize<'de, T: Deserializer<'de>>(from: T) -> Result<Option<Once>, T::Error> {
        let text = <Option<Cow<'de, str>>>::deserialize(from)?;
        text.map(|text| text.parse()).transpose().map_err(|e: UnitError| T::Error::custom(e.0))
    }

    /// Prints `item+type`.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: Serializer>(once: &Option<Once>, to: S) -> Result<S::Ok, S::Error> {
        match once {
            Some(once) => to.collect_str(once),
            None => to.serialize_none(),
        }
    }
}

/// The same where there is always one: `partition-by: key`.
pub mod identity_text {
    use serde::de::Error as _;

    use super::{Cow, Deserialize, Deserializer, Once, Serializer, UnitError};

    /// Reads `item+type`.
    ///
    /// # Errors
    /// Where a part is none of item, key, message, run, type.
    pub fn deserialize<'de, T: Deserializer<'de>>(from: T) -> Result<Once, T::Error> {
        let text = <Cow<'de, str>>::deserialize(from)?;
        text.parse().map_err(|e: UnitError| T::Error::custom(e.0))
    }

    /// Prints `item+type`.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: Serializer>(once: &Once, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(once)
    }
}

/// One name or a list of names (`each of`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One name.
    One(String),
    /// Each of these.
    Many(Vec<String>),
}

impl Default for OneOrMany {
    fn default() -> Self {
        OneOrMany::Many(Vec::new())
    }
}

impl OneOrMany {
    /// Whether nothing is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names().is_empty()
    }
    /// All names.
    #[must_use]
    pub fn names(&self) -> &[String] {
        match self {
            OneOrMany::One(name) => std::slice::from_ref(name),
            OneOrMany::Many(names) => names,
        }
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<T: Deserializer<'de>>(from: T) -> Result<Self, T::Error> {
        struct Names;
        impl<'de> serde::de::Visitor<'de> for Names {
            type Value = OneOrMany;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or a list of names")
            }
            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany::One(name.to_owned()))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<OneOrMany, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = seq.next_element()? {
                    names.push(name);
                }
                Ok(OneOrMany::Many(names))
            }
        }
        from.deserialize_any(Names)
    }
}
