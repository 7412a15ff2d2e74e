//! From typed values to a tree: the inverse of [`super::de`], so that what is written out reads
//! back as the same value.

use std::fmt;

use serde::Serialize;
use serde::ser;

use super::tree::{Key, Kind, Tree};
use super::{KIND, KIND_TAGGED, TARGET};

/// Writes a value as a tree without positions.
///
/// # Errors
/// The value has something that the language has no way to say, such as a map whose keys are no
/// words.
pub fn to_tree<T: Serialize + ?Sized>(value: &T) -> Result<Tree, Error> {
    value.serialize(Writer)
}

/// Why a value cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot be written as a scenario: {0}")]
pub struct Error(String);

impl ser::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Error(message.to_string())
    }
}

type Entries = Vec<(Key, Tree)>;

fn map(entries: Entries) -> Tree {
    Kind::Map(entries).into()
}

fn word(text: &str) -> Tree {
    Kind::text(text).into()
}

/// The content of a variant as one flat line.
fn variant(name: &str, variant: &str, content: Tree) -> Tree {
    if KIND_TAGGED.contains(&name) {
        return kind_line(variant, content);
    }
    match content.kind {
        Kind::Map(entries) => verb_line(variant, entries),
        _ => map(vec![(Key::new(variant), content)]),
    }
}

fn kind_line(variant: &str, content: Tree) -> Tree {
    let mut line = vec![(Key::new(KIND), word(variant))];
    match content.kind {
        Kind::Map(entries) => line.extend(entries),
        Kind::Null => {}
        _ => line.push((Key::new(TARGET), content)),
    }
    map(line)
}

fn verb_line(variant: &str, mut entries: Entries) -> Tree {
    if entries.is_empty() {
        return word(variant);
    }
    let at = entries.iter().position(|(key, _)| key.name == TARGET);
    let object = at.map_or(Tree::from(Kind::Null), |at| entries.remove(at).1);
    let mut line = vec![(Key::new(variant), object)];
    line.append(&mut entries);
    map(line)
}

/// The serializer.
struct Writer;

impl ser::Serializer for Writer {
    type Ok = Tree;
    type Error = Error;
    type SerializeSeq = List;
    type SerializeTuple = List;
    type SerializeTupleStruct = Members;
    type SerializeTupleVariant = VariantOf<List>;
    type SerializeMap = Pairs;
    type SerializeStruct = Fields;
    type SerializeStructVariant = VariantOf<Fields>;

    fn serialize_bool(self, v: bool) -> Result<Tree, Error> {
        Ok(Kind::bool(v).into())
    }

    fn serialize_i8(self, v: i8) -> Result<Tree, Error> {
        Ok(Kind::int(v).into())
    }

    fn serialize_i16(self, v: i16) -> Result<Tree, Error> {
        Ok(Kind::int(v).into())
    }

    fn serialize_i32(self, v: i32) -> Result<Tree, Error> {
        Ok(Kind::int(v).into())
    }

    fn serialize_i64(self, v: i64) -> Result<Tree, Error> {
        Ok(Kind::int(v).into())
    }

    fn serialize_u8(self, v: u8) -> Result<Tree, Error> {
        Ok(Kind::int(v).into())
    }

    fn serialize_u16(self, v: u16) -> Result<Tree, Error> {
        Ok(Kind::int(v).into())
    }

    fn serialize_u32(self, v: u32) -> Result<Tree, Error> {
        Ok(Kind::int(v).into())
    }

    fn serialize_u64(self, v: u64) -> Result<Tree, Error> {
        Ok(Kind::int(v).into())
    }

    fn serialize_f32(self, v: f32) -> Result<Tree, Error> {
        self.serialize_f64(f64::from(v))
    }

    fn serialize_f64(self, v: f64) -> Result<Tree, Error> {
        Ok(Kind::float(v).into())
    }

    fn serialize_char(self, v: char) -> Result<Tree, Error> {
        Ok(Kind::text(v).into())
    }

    fn serialize_str(self, v: &str) -> Result<Tree, Error> {
        Ok(word(v))
    }

    fn serialize_bytes(self, v: &[u8]) -> Result<Tree, Error> {
        v.serialize(self)
    }

    fn serialize_none(self) -> Result<Tree, Error> {
        Ok(Kind::Null.into())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Tree, Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Tree, Error> {
        Ok(Kind::Null.into())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<Tree, Error> {
        Ok(Kind::Null.into())
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<Tree, Error> {
        if KIND_TAGGED.contains(&name) {
            return Ok(kind_line(variant, Kind::Null.into()));
        }
        Ok(word(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<Tree, Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _index: u32,
        variant_name: &'static str,
        value: &T,
    ) -> Result<Tree, Error> {
        Ok(variant(name, variant_name, value.serialize(self)?))
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<List, Error> {
        Ok(List::default())
    }

    fn serialize_tuple(self, _len: usize) -> Result<List, Error> {
        Ok(List::default())
    }

    fn serialize_tuple_struct(self, _name: &'static str, _len: usize) -> Result<Members, Error> {
        Ok(Members::default())
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<VariantOf<List>, Error> {
        Ok(VariantOf { name, variant, content: List::default() })
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Pairs, Error> {
        Ok(Pairs::default())
    }

    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Fields, Error> {
        Ok(Fields::default())
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<VariantOf<Fields>, Error> {
        Ok(VariantOf { name, variant, content: Fields::default() })
    }
}

#[derive(Default)]
struct List(Vec<Tree>);

impl ser::SerializeSeq for List {
    type Ok = Tree;
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.0.push(to_tree(value)?);
        Ok(())
    }

    fn end(self) -> Result<Tree, Error> {
        Ok(Kind::Seq(self.0).into())
    }
}

impl ser::SerializeTuple for List {
    type Ok = Tree;
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        ser::SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<Tree, Error> {
        ser::SerializeSeq::end(self)
    }
}

/// The members of a tuple struct: one map, if all of them are maps.
#[derive(Default)]
struct Members(Vec<Tree>);

impl ser::SerializeTupleStruct for Members {
    type Ok = Tree;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.0.push(to_tree(value)?);
        Ok(())
    }

    fn end(self) -> Result<Tree, Error> {
        match merged(&self.0).map(|line| (twice(&line), line)) {
            Some((Some(key), _)) => Err(Error(format!("two members have a field `{key}`"))),
            Some((None, line)) => Ok(line),
            None => Ok(Kind::Seq(self.0).into()),
        }
    }
}

fn twice(line: &Tree) -> Option<String> {
    let entries = line.entries()?;
    let again = |(i, (key, _)): (usize, &(Key, Tree))| {
        let before = entries[..i].iter().any(|(k, _)| k.name == key.name);
        before.then(|| key.name.clone())
    };
    entries.iter().enumerate().find_map(again)
}

/// One flat line: what the last member says first, because that is what the line is about.
fn merged(members: &[Tree]) -> Option<Tree> {
    let (last, others) = members.split_last()?;
    let mut entries = Entries::new();
    for member in others {
        entries.extend_from_slice(member.entries()?);
    }
    match &last.kind {
        Kind::Map(line) => Some(map(line.iter().cloned().chain(entries).collect())),
        Kind::Str(_) if entries.is_empty() => Some(last.clone()),
        Kind::Str(verb) => {
            entries.insert(0, (Key::new(verb.as_str()), Kind::Null.into()));
            Some(map(entries))
        }
        _ => None,
    }
}

#[derive(Default)]
struct Fields(Entries);

impl Fields {
    fn add<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        let tree = to_tree(value)?;
        if !tree.is_null() {
            self.0.push((Key::new(key), tree));
        }
        Ok(())
    }
}

impl ser::SerializeStruct for Fields {
    type Ok = Tree;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.add(key, value)
    }

    fn end(self) -> Result<Tree, Error> {
        Ok(map(self.0))
    }
}

#[derive(Default)]
struct Pairs {
    entries: Entries,
    key: Option<Key>,
}

impl ser::SerializeMap for Pairs {
    type Ok = Tree;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        let tree = to_tree(key)?;
        match tree.as_text() {
            Some(text) if !text.is_empty() => self.key = Some(Key::new(text)),
            _ => return Err(Error(format!("a key has to be a word, not {}", tree.described()))),
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let Some(key) = self.key.take() else {
            return Err(Error("a value came before its key".into()));
        };
        self.entries.push((key, to_tree(value)?));
        Ok(())
    }

    fn end(self) -> Result<Tree, Error> {
        Ok(map(self.entries))
    }
}

struct VariantOf<C> {
    name: &'static str,
    variant: &'static str,
    content: C,
}

impl ser::SerializeTupleVariant for VariantOf<List> {
    type Ok = Tree;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        ser::SerializeSeq::serialize_element(&mut self.content, value)
    }

    fn end(self) -> Result<Tree, Error> {
        let content = ser::SerializeSeq::end(self.content)?;
        Ok(variant(self.name, self.variant, content))
    }
}

impl ser::SerializeStructVariant for VariantOf<Fields> {
    type Ok = Tree;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.content.add(key, value)
    }

    fn end(self) -> Result<Tree, Error> {
        let content = ser::SerializeStruct::end(self.content)?;
        Ok(variant(self.name, self.variant, content))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;
    use crate::scenario::de::from_tree;
    use crate::scenario::diagnostics::Sources;
    use crate::scenario::print::print;
    use crate::scenario::sample::{Ack, Common, Delay, NodeKind, Scenario, Step, Verb, scenarios};
    use crate::scenario::tree::parse_value;

    fn parse(text: &str) -> Tree {
        let mut sources = Sources::new();
        let id = sources.add("t", text);
        parse_value(&sources, id).unwrap()
    }

    /// Reads the text as a type, and finds that it is written as the same text.
    fn same<T: Serialize + for<'a> Deserialize<'a>>(text: &str) {
        let value: T = from_tree(&parse(text)).unwrap();
        assert_eq!(print(&to_tree(&value).unwrap()), format!("{text}\n"));
    }

    #[test]
    fn written_as_it_was_read() {
        for text in [
            "insert: orders-db.order\nonce: item",
            "work: 8ms",
            "reply: 202",
            "run: x\nat: 5ms",
            "complete",
            "complete: null\npolicy: x",
            "abandon",
            "notify: a",
        ] {
            same::<Verb>(text);
        }
        same::<NodeKind>("kind: sql-database\nzones: 3");
        same::<NodeKind>("kind: nothing");
        same::<Step>("insert: a\nonce: item\nas: b");
        same::<Step>("complete: null\nas: b");
        same::<Step>("abandon");
        same::<Scenario>(
            "scenario: s\n\nnodes:\n  a:\n    kind: app\n    trigger: http\n    steps:\n      - reply: 202\n      - { work: 1ms, as: b }\n      - complete",
        );
    }

    #[test]
    fn absent_fields_are_left_out_and_absent_values_are_not() {
        let verb = Verb::Complete(Ack { policy: None });
        assert_eq!(to_tree(&verb).unwrap(), Kind::text("complete").into());
        let map: BTreeMap<&str, Option<u8>> = [("a", None), ("b", Some(1))].into();
        assert_eq!(print(&to_tree(&map).unwrap()), "a: null\nb: 1\n");
    }

    #[test]
    fn texts_stay_texts() {
        let map: BTreeMap<&str, &str> = [("a", "80"), ("b", "true"), ("c", "on")].into();
        assert_eq!(print(&to_tree(&map).unwrap()), "a: \"80\"\nb: \"true\"\nc: on\n");
        assert_eq!(print(&to_tree(&1.0).unwrap()), "1.0\n");
        assert_eq!(print(&to_tree(&f64::NAN).unwrap()), ".nan\n");
        assert_eq!(print(&to_tree(&u64::MAX).unwrap()), "18446744073709551615\n");
        assert_eq!(print(&to_tree(&(1, "a", 'c', ())).unwrap()), "- 1\n- a\n- c\n- null\n");
    }

    #[test]
    fn keys_are_words() {
        let numbers: BTreeMap<u8, u8> = [(1, 2)].into();
        assert_eq!(print(&to_tree(&numbers).unwrap()), "1: 2\n");
        let lists: BTreeMap<Vec<u8>, u8> = [(vec![1], 2)].into();
        let error = to_tree(&lists).unwrap_err().to_string();
        assert!(error.contains("a key has to be a word, not a list"), "{error}");
        assert!(to_tree(&BTreeMap::from([("", 1)])).is_err());
    }

    #[test]
    fn members_that_are_no_maps_stay_a_list() {
        #[derive(Serialize)]
        struct Pair(u8, Delay);
        assert_eq!(print(&to_tree(&Pair(1, Delay(2))).unwrap()), "- 1\n- 2ms\n");
        let step = Step(Common { name: None, timeout: None }, Verb::Abandon);
        assert_eq!(to_tree(&step).unwrap(), Kind::text("abandon").into());
    }

    #[test]
    fn members_with_the_same_field_are_refused() {
        #[derive(Serialize)]
        struct Two(Ack, Ack);
        let ack = || Ack { policy: Some("x".into()) };
        assert!(to_tree(&Two(ack(), ack())).unwrap_err().to_string().contains("`policy`"));
    }

    proptest! {
        #[test]
        fn any_scenario_survives_text(scenario in scenarios()) {
            let printed = print(&to_tree(&scenario).unwrap());
            let read: Result<Scenario, _> = from_tree(&parse(&printed));
            prop_assert_eq!(read, Ok(scenario), "{}", printed);
        }
    }
}
