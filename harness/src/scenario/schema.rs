//! The JSON Schema of the language, as editors need it: the schema that is derived from the
//! types, rewritten into the flat grammar that [`super::de`] reads.

use std::collections::BTreeSet;

use schemars::Schema;
use serde_json::{Map, Value, json};

use super::{KIND, KIND_TAGGED, TARGET};

type Object = Map<String, Value>;

const DEFINITIONS: &str = "$defs";
const REFERENCE: &str = "#/$defs/";

/// Rewrites a derived schema into the flat grammar.
///
/// - An externally tagged enum becomes `{ verb: target, …rest }`, and a word where that is enough.
/// - An enum that is kind-tagged becomes `{ kind: variant, …rest }`.
/// - A tuple struct of a struct and something flat becomes one map.
/// - Every struct refuses unknown fields, because reading does.
///
/// Definitions that nothing refers to any more are left out.
pub fn flatten(schema: Schema) -> Schema {
    let mut root = schema.to_value();
    let definitions = take_definitions(&mut root);
    let flattener = Flattener { definitions: &definitions };
    let title = root.get("title").and_then(Value::as_str).map(str::to_owned);
    let mut root = flattener.rewrite(&root, title.as_deref());
    let mut flat = Object::new();
    for (name, definition) in &definitions {
        flat.insert(name.clone(), flattener.rewrite(definition, Some(name)));
    }
    let used = reachable(&root, &flat);
    flat.retain(|name, _| used.contains(name));
    if let (Some(root), false) = (root.as_object_mut(), flat.is_empty()) {
        root.insert(DEFINITIONS.into(), Value::Object(flat));
    }
    Schema::try_from(root).unwrap_or_default()
}

fn take_definitions(root: &mut Value) -> Object {
    let taken = root.as_object_mut().and_then(|o| o.shift_remove(DEFINITIONS));
    match taken {
        Some(Value::Object(definitions)) => definitions,
        _ => Object::new(),
    }
}

/// The definitions that can be reached from the root.
fn reachable(root: &Value, definitions: &Object) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![root];
    while let Some(value) = waiting.pop() {
        match value {
            Value::Array(items) => waiting.extend(items),
            Value::Object(fields) => waiting.extend(fields.values()),
            Value::String(text) => {
                let name = text.strip_prefix(REFERENCE);
                let new = name.filter(|name| found.insert((*name).to_owned()));
                waiting.extend(new.and_then(|name| definitions.get(name)));
            }
            _ => {}
        }
    }
    found
}

/// One variant of an externally tagged enum.
enum Variant<'s> {
    Words(Vec<&'s Value>),
    /// A word that has a description of its own, as it was derived.
    Word(&'s Value, &'s Object),
    Content {
        name: &'s str,
        content: &'s Value,
        description: Option<&'s Value>,
    },
}

struct Flattener<'s> {
    /// As they were derived.
    definitions: &'s Object,
}

impl Flattener<'_> {
    fn rewrite(&self, schema: &Value, name: Option<&str>) -> Value {
        let Value::Object(object) = schema else {
            return schema.clone();
        };
        if let Some(flat) = self.tuple(object) {
            return flat;
        }
        if let Some(variants) = variants(object) {
            let tagged = name.is_some_and(|name| KIND_TAGGED.contains(&name));
            return self.enumeration(object, &variants, tagged);
        }
        Value::Object(self.rewrite_parts(object))
    }

    /// Rewrites every schema inside a schema that stays what it is.
    fn rewrite_parts(&self, object: &Object) -> Object {
        let mut flat = Object::new();
        for (keyword, value) in object {
            let value = match (keyword.as_str(), value) {
                ("properties" | "patternProperties", Value::Object(fields)) => {
                    let rewrite = |(k, v): (&String, &Value)| (k.clone(), self.rewrite(v, None));
                    Value::Object(fields.iter().map(rewrite).collect())
                }
                ("oneOf" | "anyOf" | "allOf" | "prefixItems", Value::Array(list)) => {
                    list.iter().map(|v| self.rewrite(v, None)).collect()
                }
                ("items" | "additionalProperties" | "not" | "propertyNames", value) => {
                    self.rewrite(value, None)
                }
                _ => value.clone(),
            };
            flat.insert(keyword.clone(), value);
        }
        let open = !flat.contains_key("additionalProperties") && !flat.contains_key("unevaluatedProperties");
        if flat.contains_key("properties") && open {
            flat.insert("additionalProperties".into(), Value::Bool(false));
        }
        flat
    }

    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let mut here = schema;
        // A reference to a reference is rare, a circle of them nonsense.
        for _ in 0..8 {
            let name = here.get("$ref").and_then(Value::as_str);
            match name.and_then(|n| self.definitions.get(n.strip_prefix(REFERENCE)?)) {
                Some(next) => here = next,
                None => break,
            }
        }
        here
    }

    fn enumeration(&self, object: &Object, variants: &[Variant<'_>], tagged: bool) -> Value {
        let mut lines = Vec::new();
        let mut words = Vec::new();
        for variant in variants {
            match variant {
                Variant::Words(names) if tagged => {
                    lines.extend(names.iter().map(|name| kind_line((*name).clone(), Object::new())));
                }
                Variant::Words(names) => words.extend(names.iter().map(|n| (*n).clone())),
                Variant::Word(name, schema) if tagged => {
                    let about = schema.get("description").map(|d| ("description".into(), d.clone()));
                    lines.push(kind_line((*name).clone(), about.into_iter().collect()));
                }
                Variant::Word(_, schema) => lines.push(Value::Object((*schema).clone())),
                Variant::Content { name, content, description } => {
                    let mut line =
                        if tagged { self.kind(name, content) } else { self.verb(name, content, &mut words) };
                    if let (Some(line), Some(text)) = (line.as_object_mut(), description) {
                        line.insert("description".into(), (*text).clone());
                    }
                    lines.push(line);
                }
            }
        }
        if !words.is_empty() {
            lines.insert(0, json!({ "type": "string", "enum": words }));
        }
        let mut flat = object.clone();
        flat.shift_remove("anyOf");
        flat.insert("oneOf".into(), Value::Array(lines));
        Value::Object(flat)
    }

    fn kind(&self, name: &str, content: &Value) -> Value {
        let name = Value::String(name.to_owned());
        match self.fields(content) {
            Some(fields) => kind_line(name, fields),
            None => {
                let target = self.rewrite(content, None);
                let fields = json!({ "properties": { TARGET: target }, "required": [TARGET] });
                kind_line(name, fields.as_object().cloned().unwrap_or_default())
            }
        }
    }

    /// The line of one verb; `words` gets the verb if it can stand alone.
    fn verb(&self, name: &str, content: &Value, words: &mut Vec<Value>) -> Value {
        let Some(mut line) = self.fields(content) else {
            let object = self.rewrite(content, None);
            return json!({
                "type": "object",
                "properties": { name: object },
                "required": [name],
                "additionalProperties": false,
            });
        };
        let mut fields = take_fields(&mut line);
        let mut required = take_required(&mut line);
        let target = fields.shift_remove(TARGET).map(without_default);
        let object = target.unwrap_or_else(|| json!({ "type": "null" }));
        required.retain(|field| field != TARGET);
        // A default of the type does not stand in for the object: see the reading.
        if required.is_empty() && self.takes_null(&object) {
            words.push(Value::String(name.to_owned()));
        }
        fields.shift_insert(0, name.to_owned(), object);
        required.insert(0, Value::String(name.to_owned()));
        close(line, fields, required)
    }

    fn takes_null(&self, schema: &Value) -> bool {
        let schema = self.resolve(schema);
        let null = Value::String("null".into());
        let is_null = |s: &Value| s.get("type") == Some(&null);
        let any_of = |list: &Value| list.as_array().is_some_and(|l| l.iter().any(is_null));
        match (schema.get("type"), schema.get("anyOf").or(schema.get("oneOf"))) {
            (Some(Value::Array(types)), _) => types.contains(&null),
            (Some(one), _) => *one == null,
            (None, Some(list)) => any_of(list),
            (None, None) => false,
        }
    }

    /// The schema of a struct, rewritten; nothing if it is no struct.
    fn fields(&self, schema: &Value) -> Option<Object> {
        let resolved = self.resolve(schema).as_object()?;
        let is_struct = resolved.get("type").and_then(Value::as_str) == Some("object")
            && !resolved.contains_key("oneOf")
            && !resolved.contains_key("anyOf")
            && (resolved.contains_key("properties")
                || !matches!(resolved.get("additionalProperties"), Some(Value::Object(_))));
        is_struct.then(|| self.rewrite_parts(resolved))
    }

    /// A tuple struct whose members share one map: all but the last are structs, and the last is
    /// a struct or an enum.
    fn tuple(&self, object: &Object) -> Option<Value> {
        let members = object.get("prefixItems")?.as_array()?;
        let (last, others) = members.split_last()?;
        let mut fields = Object::new();
        let mut required = Vec::new();
        for member in others {
            let mut part = self.fields(member)?;
            fields.extend(take_fields(&mut part));
            required.extend(take_required(&mut part));
        }
        let last = self.rewrite(self.resolve(last), reference(last));
        let mut flat = share(&last, &fields, &required)?;
        if let (Some(flat), Some(text)) = (flat.as_object_mut(), object.get("description")) {
            flat.insert("description".into(), text.clone());
        }
        Some(flat)
    }
}

fn without_default(mut schema: Value) -> Value {
    if let Some(object) = schema.as_object_mut() {
        object.shift_remove("default");
    }
    schema
}

fn reference(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix(REFERENCE)
}

/// `line`, a flat schema, with more fields.
fn share(line: &Value, fields: &Object, required: &[Value]) -> Option<Value> {
    if let Some(lines) = line.get("oneOf").and_then(Value::as_array) {
        let mut shared = Vec::new();
        for line in lines {
            // A word has no place for fields: beside them it is a verb without an object.
            let words = words(line);
            if !words.is_empty() {
                shared.extend(required.is_empty().then(|| line.clone()));
                let new = |word: &&Value| !lines.iter().any(|l| has_field(l, word));
                let bare = words.iter().filter(new);
                shared.extend(bare.filter_map(|word| bare_verb(word, fields, required)));
            } else {
                shared.push(share(line, fields, required)?);
            }
        }
        let mut flat = line.as_object()?.clone();
        flat.insert("oneOf".into(), Value::Array(shared));
        return Some(Value::Object(flat));
    }
    let mut line = line.as_object()?.clone();
    line.get("properties")?;
    let mut all = take_fields(&mut line);
    let mut needed = take_required(&mut line);
    for (name, field) in fields {
        all.entry(name.clone()).or_insert_with(|| field.clone());
    }
    needed.extend_from_slice(required);
    Some(close(line, all, needed))
}

fn words(schema: &Value) -> Vec<Value> {
    match (schema.get("enum"), schema.get("const")) {
        (Some(Value::Array(words)), _) => words.clone(),
        (_, Some(word)) => vec![word.clone()],
        _ => Vec::new(),
    }
}

fn has_field(line: &Value, word: &Value) -> bool {
    let fields = line.get("properties").and_then(Value::as_object);
    matches!((fields, word.as_str()), (Some(fields), Some(word)) if fields.contains_key(word))
}

fn bare_verb(word: &Value, fields: &Object, required: &[Value]) -> Option<Value> {
    let mut all = fields.clone();
    all.shift_insert(0, word.as_str()?.to_owned(), json!({ "type": "null" }));
    let mut needed = vec![word.clone()];
    needed.extend_from_slice(required);
    Some(close(Object::new(), all, needed))
}

fn kind_line(name: Value, mut line: Object) -> Value {
    let mut fields = take_fields(&mut line);
    let mut required = take_required(&mut line);
    fields.shift_insert(0, KIND.into(), json!({ "const": name }));
    required.insert(0, KIND.into());
    close(line, fields, required)
}

fn take_fields(object: &mut Object) -> Object {
    match object.shift_remove("properties") {
        Some(Value::Object(fields)) => fields,
        _ => Object::new(),
    }
}

fn take_required(object: &mut Object) -> Vec<Value> {
    match object.shift_remove("required") {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

fn close(mut object: Object, fields: Object, required: Vec<Value>) -> Value {
    object.insert("type".into(), "object".into());
    object.insert("properties".into(), Value::Object(fields));
    object.insert("required".into(), Value::Array(required));
    object.insert("additionalProperties".into(), Value::Bool(false));
    Value::Object(object)
}

/// The variants, if this is the schema of an externally tagged enum that holds something.
fn variants(object: &Object) -> Option<Vec<Variant<'_>>> {
    let list = object.get("oneOf").or_else(|| object.get("anyOf"))?.as_array()?;
    let variants: Vec<Variant<'_>> = list.iter().map(variant).collect::<Option<_>>()?;
    Some(variants)
}

fn variant(schema: &Value) -> Option<Variant<'_>> {
    let object = schema.as_object()?;
    match object.get("type")?.as_str()? {
        "string" => match (object.get("enum"), object.get("const")) {
            (Some(Value::Array(words)), _) => Some(Variant::Words(words.iter().collect())),
            (_, Some(word)) => Some(Variant::Word(word, object)),
            _ => None,
        },
        "object" => {
            let fields = object.get("properties")?.as_object()?;
            let (name, content) = fields.iter().next().filter(|_| fields.len() == 1)?;
            let closed = object.get("additionalProperties") == Some(&Value::Bool(false));
            let needed = object.get("required")?.as_array()?;
            (closed && needed.as_slice() == [Value::String(name.clone())]).then_some(Variant::Content {
                name,
                content,
                description: object.get("description"),
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;

    use super::*;
    use crate::scenario::de::from_tree;
    use crate::scenario::diagnostics::Sources;
    use crate::scenario::sample::{NodeKind, Scenario, Step, Verb};
    use crate::scenario::tree::parse_value;

    fn schema<T: JsonSchema>() -> Value {
        flatten(schemars::schema_for!(T)).to_value()
    }

    /// Whether a value fits a schema, for the keywords that we use.
    fn fits(value: &Value, schema: &Value, root: &Value) -> bool {
        let Some(object) = schema.as_object() else {
            return schema != &Value::Bool(false);
        };
        let sub = |schema: &Value| fits(value, schema, root);
        object.iter().all(|(keyword, rule)| match keyword.as_str() {
            "$ref" => {
                let pointer = rule.as_str().unwrap().trim_start_matches('#');
                sub(root.pointer(pointer).unwrap())
            }
            "type" => match rule {
                Value::Array(types) => types.iter().any(|t| is_type(value, t)),
                one => is_type(value, one),
            },
            "enum" => rule.as_array().unwrap().contains(value),
            "const" => rule == value,
            "oneOf" => rule.as_array().unwrap().iter().filter(|s| sub(s)).count() == 1,
            "anyOf" => rule.as_array().unwrap().iter().any(sub),
            "maximum" => value.as_f64().is_none_or(|v| v <= rule.as_f64().unwrap()),
            "items" => value.as_array().is_none_or(|l| l.iter().all(|v| fits(v, rule, root))),
            "required" => value
                .as_object()
                .is_none_or(|o| rule.as_array().unwrap().iter().all(|k| o.contains_key(k.as_str().unwrap()))),
            "properties" => value
                .as_object()
                .is_none_or(|o| o.iter().all(|(k, v)| rule.get(k).is_none_or(|s| fits(v, s, root)))),
            "additionalProperties" => value.as_object().is_none_or(|o| {
                let known = |k: &str| object.get("properties").is_some_and(|p| p.get(k).is_some());
                o.iter().all(|(k, v)| known(k) || fits(v, rule, root))
            }),
            "$schema" | "$defs" | "title" | "description" | "default" | "format" | "minimum" => true,
            other => panic!("the test does not know `{other}`"),
        })
    }

    fn is_type(value: &Value, name: &Value) -> bool {
        match name.as_str().unwrap() {
            "null" => value.is_null(),
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            other => panic!("no type {other}"),
        }
    }

    /// What reads as a type fits its schema, and what does not, does not.
    fn agree<T: JsonSchema + for<'a> serde::Deserialize<'a>>(good: &[&str], bad: &[&str]) {
        let schema = schema::<T>();
        let check = |text: &str| {
            let mut sources = Sources::new();
            let id = sources.add("t", text);
            let tree = parse_value(&sources, id).unwrap();
            let json: Value = from_tree(&tree).unwrap();
            (from_tree::<T>(&tree).is_ok(), fits(&json, &schema, &schema))
        };
        for text in good {
            assert_eq!(check(text), (true, true), "{text}\n{schema:#}");
        }
        for text in bad {
            assert_eq!(check(text), (false, false), "{text}\n{schema:#}");
        }
    }

    #[test]
    fn verbs() {
        agree::<Verb>(
            &[
                "{ insert: a, once: item }",
                "{ insert: a }",
                "work: 8ms",
                "reply: 202",
                "transaction: [{ insert: a }, abandon, { transaction: [complete] }]",
                "{ run: x, at: 5ms }",
                "complete",
                "{ complete: , policy: x }",
                "abandon",
                "halt",
                "{ notify: a }",
                "notify",
                "{ notify: }",
                "{ append: a, pivot: true }",
            ],
            &[
                "append",
                "{ append: }",
                "{ append: , once: x }",
                "{ insert: a, onse: item }",
                "{ insert: a, target: b }",
                "{ insert: }",
                "insert",
                "{ once: item }",
                "{}",
                "work",
                "{ work: 8ms, once: item }",
                "reply: 70000",
                "transaction: [{ insrt: a }]",
                "{ complete: x }",
                "abandn",
                "{ insert: a, reply: 200 }",
            ],
        );
    }

    #[test]
    fn kinds() {
        agree::<NodeKind>(
            &[
                "{ kind: sql-database, zones: 3 }",
                "{ kind: service-bus, lock: 5ms }",
                "{ kind: nothing }",
                "{ kind: void }",
            ],
            &[
                "{ kind: sql }",
                "{ zones: 3 }",
                "{ kind: service-bus }",
                "{ kind: nothing, a: b }",
                "nothing",
                "{ sql-database: { zones: 3 } }",
            ],
        );
    }

    #[test]
    fn members_that_share_a_map() {
        agree::<Step>(
            &[
                "{ insert: a, once: item, as: x }",
                "{ work: 8ms, timeout: p }",
                "complete",
                "{ complete: , as: x, policy: p, timeout: t }",
                "abandon",
                "{ abandon: , as: x }",
                "{ halt: , as: x }",
            ],
            &["{ insert: a, ass: x }", "{ as: x }", "{ insert: a, as: [] }", "abandn", "[]"],
        );
    }

    #[test]
    fn whole_scenarios() {
        agree::<Scenario>(
            &[
                "{ scenario: s, nodes: { a: { kind: nothing }, b: { kind: app, trigger: http, steps: [complete, { insert: a, as: b }] } } }",
                "scenario: s",
            ],
            &[
                "{ scenario: s, nodes: { a: { kind: app, trigger: http, steps: [compleet] } } }",
                "{ scenario: s, nodez: {} }",
                "{ nodes: {} }",
            ],
        );
    }

    #[test]
    fn words_keep_their_descriptions_and_nothing_is_left_over() {
        let schema = schema::<Verb>();
        let text = schema.to_string();
        assert!(text.contains("Stops everything"), "{schema:#}");
        assert!(text.contains("Writes a row"), "{schema:#}");
        assert!(!text.contains("\"target\""), "{schema:#}");
        assert!(schema.pointer("/$defs/Write").is_none(), "{schema:#}");
    }

    #[test]
    fn odd_schemas_do_no_harm() {
        for odd in [
            json!(true),
            json!({}),
            json!({ "$ref": "#/$defs/A", "$defs": { "A": { "$ref": "#/$defs/A" } } }),
            json!({ "oneOf": [] }),
            json!({ "oneOf": [1, "x", null] }),
            json!({ "prefixItems": [] }),
            json!({ "prefixItems": [{ "type": "string" }, { "type": "integer" }] }),
            json!({ "$defs": 3, "required": 5, "properties": [] }),
        ] {
            let schema = Schema::try_from(odd).unwrap();
            let _ = flatten(schema);
        }
    }
}
