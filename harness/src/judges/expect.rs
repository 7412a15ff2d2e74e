//! What a variant must come out as, and whether it did.

use std::borrow::Cow;
use std::fmt;

use beaufort_reports::{SeedResult, Verdict};
use beaufort_sim::units::OneOrMany;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::config::Reason;

/// What a variant must come out as: `pass`, `{ fail: charged-once, because: doubled }`,
/// `{ degraded: quick }`, `{ refused: transaction }`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expect {
    /// The verdict.
    pub verdict: Expected,
    /// Further lines that may or may not be violated on a seed.
    pub may_fail: Vec<String>,
}

/// The verdict that is expected.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Expected {
    /// All lines hold on every seed.
    #[default]
    Pass,
    /// Exactly these lines are violated, on every seed.
    Fail {
        /// The lines of `always` and `objectives`.
        lines: Vec<String>,
        /// Among the reasons of each violated contract.
        because: Option<Reason>,
    },
    /// These `ideally` lines are missed, and nothing worse.
    Degraded(Vec<String>),
    /// The scenario is refused before it runs, with this word.
    Refused(String),
}

/// The map form.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Fields {
    /// The lines that must be violated on every seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    fail: Option<OneOrMany>,
    /// How.
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<Reason>,
    /// The `ideally` lines that must be missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    degraded: Option<OneOrMany>,
    /// The word of the error with which the scenario must be refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    /// Lines that may or may not be violated.
    #[serde(skip_serializing_if = "Option::is_none")]
    may_fail: Option<OneOrMany>,
}

impl Fields {
    fn into_expect(self) -> Result<Expect, String> {
        let names = |names: OneOrMany| names.names().to_vec();
        if self.because.is_some() && self.fail.is_none() {
            return Err("`because` explains `fail`; name the line that fails".to_owned());
        }
        let verdict = match (self.fail, self.degraded, self.refused) {
            (Some(lines), None, None) => Expected::Fail { lines: names(lines), because: self.because },
            (None, Some(lines), None) => Expected::Degraded(names(lines)),
            (None, None, Some(word)) => Expected::Refused(word),
            (None, None, None) => Expected::Pass,
            _ => return Err("expect one of `fail`, `degraded` and `refused`, not several".to_owned()),
        };
        Ok(Expect { verdict, may_fail: self.may_fail.map(names).unwrap_or_default() })
    }
}

impl<'de> Deserialize<'de> for Expect {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Expect;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "`pass`, `{ fail: line, because: reason }`, `{ degraded: line }` or `{ refused: word }`",
                )
            }
            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Expect, E> {
                match word {
                    "pass" => Ok(Expect::default()),
                    other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
                }
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Expect, A::Error> {
                let fields = Fields::deserialize(MapAccessDeserializer::new(map))?;
                fields.into_expect().map_err(A::Error::custom)
            }
        }
        from.deserialize_any(Visitor)
    }
}

impl Serialize for Expect {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let many = |names: &Vec<String>| match names.as_slice() {
            [] => None,
            [one] => Some(OneOrMany::One(one.clone())),
            _ => Some(OneOrMany::Many(names.clone())),
        };
        let mut fields = Fields { may_fail: many(&self.may_fail), ..Fields::default() };
        match &self.verdict {
            Expected::Pass if self.may_fail.is_empty() => return to.serialize_str("pass"),
            Expected::Pass => {}
            Expected::Fail { lines, because } => {
                fields.fail = many(lines);
                fields.because = *because;
            }
            Expected::Degraded(lines) => fields.degraded = many(lines),
            Expected::Refused(word) => fields.refused = Some(word.clone()),
        }
        fields.serialize(to)
    }
}

impl JsonSchema for Expect {
    fn schema_name() -> Cow<'static, str> {
        "Expect".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let map = generator.subschema_for::<Fields>();
        json_schema!({
            "description": "What the variant must come out as.",
            "anyOf": [{ "const": "pass" }, map],
        })
    }
}

impl Expect {
    /// What of this seed's result is not as expected; empty where it is.
    #[must_use]
    pub fn differences(&self, result: &SeedResult) -> Vec<String> {
        let mut found = Vec::new();
        if result.verdict == Verdict::Error {
            found.push(format!("the run has an internal error: {}", result.cause));
            return found;
        }
        let (lines, wanted, because) = match &self.verdict {
            Expected::Pass => (&[][..], Verdict::Pass, None),
            Expected::Fail { lines, because } => (lines.as_slice(), Verdict::Fail, *because),
            Expected::Degraded(lines) => (lines.as_slice(), Verdict::Degraded, None),
            Expected::Refused(word) => {
                found.push(format!("the scenario should have been refused ({word}), but it ran"));
                return found;
            }
        };
        for line in lines {
            match self.line(result, line) {
                None => found.push(format!("there is no line `{line}` in `always` or `objectives`")),
                Some((verdict, reasons)) => {
                    if verdict != wanted {
                        found.push(format!("`{line}` should {}, but it {}", verb(wanted), outcome(verdict)));
                    } else if let Some(because) = because
                        && !reasons.is_empty()
                        && !reasons.contains(&because.word().to_owned())
                    {
                        found.push(format!(
                            "`{line}` should fail because of `{because}`, but it fails because of {}",
                            reasons.join(", ")
                        ));
                    }
                }
            }
        }
        let all = result.contracts.iter().map(|c| (&c.name, c.verdict));
        for (name, verdict) in all.chain(result.objectives.iter().map(|o| (&o.name, o.verdict))) {
            if verdict == Verdict::Pass || lines.contains(name) || self.may_fail.contains(name) {
                continue;
            }
            if verdict == Verdict::Degraded && wanted == Verdict::Fail {
                continue; // a design that must fail may be worse than ideal as well
            }
            found.push(format!("`{name}` should hold, but it {}", outcome(verdict)));
        }
        if found.is_empty() && wanted == Verdict::Pass && result.verdict == Verdict::Inconclusive {
            found.push(format!("the run is inconclusive: {}", result.cause));
        }
        found
    }

    fn line(&self, result: &SeedResult, name: &str) -> Option<(Verdict, Vec<String>)> {
        if let Some(contract) = result.contracts.iter().find(|c| c.name == name) {
            return Some((contract.verdict, contract.reasons.keys().cloned().collect()));
        }
        result.objectives.iter().find(|o| o.name == name).map(|o| (o.verdict, Vec::new()))
    }
}

/// How a line came out, after `but it`.
fn outcome(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "holds",
        Verdict::Degraded => "is only not ideal",
        Verdict::Inconclusive => "is not shown",
        Verdict::Fail => "fails",
        Verdict::Error => "is an internal error",
    }
}

fn verb(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Degraded => "be degraded",
        Verdict::Inconclusive => "be inconclusive",
        Verdict::Fail => "fail",
        Verdict::Error => "be an error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Expect, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn every_form_is_read_and_printed_back() {
        for text in [
            r#""pass""#,
            r#"{"fail":"charged-once","because":"doubled"}"#,
            r#"{"fail":["a","b"],"may-fail":"c"}"#,
            r#"{"degraded":"quick"}"#,
            r#"{"refused":"transaction"}"#,
        ] {
            let expect = read(text).expect("reads");
            assert_eq!(serde_json::to_string(&expect).expect("prints"), text);
        }
    }

    #[test]
    fn nonsense_is_refused_in_words() {
        for (text, part) in [
            (r#""fails""#, "`pass`"),
            (r#"{"fail":"a","refused":"b"}"#, "not several"),
            (r#"{"because":"lost"}"#, "`because` explains `fail`"),
            (r#"{"fails":"a"}"#, "fails"),
        ] {
            let error = read(text).expect_err("refused").to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
