//! The deserializer of a map, seen in the way in which the flat grammar means it.

use std::cell::Cell;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, DeserializeSeed, Expected, Visitor};

use super::Fields;
use super::error::{Error, What, plain, suggestion};
use super::value::{Name, Value};
use crate::scenario::diagnostics::{Span, listed, nearest, short};
use crate::scenario::path::Segment;
use crate::scenario::tree::{Key, Kind, Tree};
use crate::scenario::{KIND, KIND_TAGGED, TARGET};

static NOTHING: Tree = Tree { kind: Kind::Null, span: Span::NONE };

/// A map, perhaps without the entry that has named the variant it belongs to.
#[derive(Clone)]
pub(super) struct View<'de, 'p> {
    pub(super) entries: &'de [(Key, Tree)],
    /// Where to point for something about the map as a whole.
    pub(super) head: Span,
    pub(super) tag: Tag<'de>,
    /// The fields that earlier members of a tuple struct have read.
    pub(super) taken: Vec<Fields>,
    /// Set for all but the last member of a tuple struct: read what is known and note it here.
    pub(super) part: Option<&'p Cell<Fields>>,
}

/// What named the variant that the map is the content of.
#[derive(Clone, Copy)]
pub(super) enum Tag<'de> {
    /// It is no variant's content.
    None,
    /// The entry at this position, `kind: word`.
    Kind(usize, &'de str),
    /// The entry at this position, `verb: object`.
    Verb(usize, &'de Key, &'de Tree),
    /// The word alone, without a map.
    Word(&'de str),
}

impl<'de, 'p> View<'de, 'p> {
    pub(super) fn empty(head: Span) -> Self {
        View { entries: &[], head, tag: Tag::None, taken: Vec::new(), part: None }
    }

    fn hides(&self, position: usize, key: &Key) -> bool {
        let tag = match self.tag {
            Tag::Kind(at, _) | Tag::Verb(at, ..) => at == position,
            Tag::None | Tag::Word(_) => false,
        };
        tag || self.taken.iter().any(|fields| fields.contains(&key.name.as_str()))
    }

    fn visible(&self) -> impl Iterator<Item = (usize, &'de Key, &'de Tree)> + '_ {
        let all = self.entries.iter().enumerate();
        all.filter(|(i, (key, _))| !self.hides(*i, key)).map(|(i, (key, value))| (i, key, value))
    }

    /// The value behind the verb, for a variant that holds a plain value and so no other fields.
    fn object(&self, expected: &dyn Expected) -> Result<(&'de Key, Value<'de>), Error> {
        match self.tag {
            Tag::Verb(_, verb, object) => match self.visible().next() {
                None => Ok((verb, Value(object))),
                Some((_, key, _)) => {
                    Err(Error::new(format!("`{}` takes no field `{}`", verb.name, short(&key.name)))
                        .at(key.span)
                        .help(format!("write only `{}: …`", verb.name)))
                }
            },
            Tag::Word(word) => Err(Error::new(format!("`{word}` needs a value"))
                .at(self.head)
                .help(format!("write `{word}: …`, {}", plain(expected)))),
            Tag::None | Tag::Kind(..) => {
                Err(Error::new(format!("expected {}, found a map", plain(expected))).at(self.head))
            }
        }
    }

    fn with_object<V: Visitor<'de>>(
        &self,
        visitor: V,
        read: impl FnOnce(Value<'de>, V) -> Result<V::Value, Error>,
    ) -> Result<V::Value, Error> {
        let (verb, object) = self.object(&visitor)?;
        read(object, visitor).map_err(|e| e.inside(Segment::Key(verb.name.clone())))
    }

    fn map<V: Visitor<'de>>(self, fields: Option<Fields>, visitor: V) -> Result<V::Value, Error> {
        let mut access = Entries { view: &self, fields, next: 0, offered: false, current: None };
        let result = visitor.visit_map(&mut access);
        let last = access.current.map(|(_, span, _)| span);
        result.map_err(|e| self.explain(e, last))
    }

    /// Places the errors that a type makes about the map as a whole.
    fn explain(&self, error: Error, last: Option<Span>) -> Error {
        if error.is_placed() {
            return error;
        }
        match (error.what(), self.tag) {
            (What::DuplicateField(_), _) => error.at(last.unwrap_or(self.head)),
            (What::MissingField(name), Tag::Word(word)) => {
                let help = format!("write `{{ {word}: , {name}: … }}`");
                error.at(self.head).help(help)
            }
            (What::MissingField(_), Tag::Kind(_, kind)) => {
                let label = format!("this `{kind}` lacks it");
                error.at(self.head).label(label)
            }
            _ => error.at(self.head),
        }
    }

    /// The error of a variant that cannot be without an object.
    fn objectless(&self) -> Error {
        let (name, span) = match self.tag {
            Tag::Verb(_, verb, _) => (verb.name.as_str(), verb.span),
            Tag::Word(word) | Tag::Kind(_, word) => (word, self.head),
            Tag::None => ("this", self.head),
        };
        Error::new(format!("`{name}` needs an object"))
            .at(span)
            .help(format!("write what it acts on: `{name}: …`"))
    }

    fn unknown(&self, key: &Key, fields: Fields) -> Error {
        let name = short(&key.name);
        if let (Tag::Verb(_, verb, _), TARGET) = (self.tag, key.name.as_str()) {
            return Error::new(format!("`{}` has no field `{name}`", verb.name))
                .at(key.span)
                .help(format!("what it acts on is written behind it: `{}: …`", verb.name));
        }
        let owner = match self.tag {
            Tag::None => None,
            Tag::Kind(_, word) | Tag::Word(word) => Some(word),
            Tag::Verb(_, verb, _) => Some(verb.name.as_str()),
        };
        let message = match owner {
            Some(owner) => format!("`{}` has no field `{name}`", short(owner)),
            None => format!("there is no field `{name}` here"),
        };
        let all = self.known(fields);
        let used = |f: &&str| self.entries.iter().any(|(k, _)| k.name == **f);
        let free: Vec<&str> = all.iter().copied().filter(|f| !used(f)).collect();
        Error::new(message).at(key.span).label("unknown").help(suggestion(&key.name, &free, &all))
    }

    /// The fields as the user knows them: with those of earlier members, without `target`.
    fn known(&self, fields: Fields) -> Vec<&'static str> {
        let flat = matches!(self.tag, Tag::Verb(..) | Tag::Word(_));
        let earlier = self.taken.iter().flat_map(|f| f.iter());
        let mut all: Vec<&str> = fields.iter().chain(earlier).copied().collect();
        all.retain(|f| !(flat && *f == TARGET));
        all
    }

    /// Which variant the map is, and what is left of it as that variant's content.
    fn variant(self, name: &str, variants: Fields) -> Result<Variant<'de, 'p>, Error> {
        let kind = self.visible().find(|(_, key, _)| key.name == KIND);
        match kind {
            Some((at, _, value)) if !variants.contains(&KIND) => self.kind(at, value, variants),
            _ if KIND_TAGGED.contains(&name) => Err(self.kindless(variants)),
            _ => self.verb(variants),
        }
    }

    fn kind(self, at: usize, value: &'de Tree, variants: Fields) -> Result<Variant<'de, 'p>, Error> {
        let Some(word) = value.as_text() else {
            let message = format!("expected a word, found {}", value.described());
            let error = Error::new(message).at(value.head());
            return Err(error.inside(Segment::Key(KIND.into())));
        };
        if !variants.contains(&word) {
            let message = format!("there is no kind `{}`", short(word));
            let error = Error::new(message).at(value.span).label("unknown");
            return Err(error.help(suggestion(word, variants, variants)));
        }
        let tag = Tag::Kind(at, word);
        let content = View { tag, ..self };
        Ok(Variant { name: word, content })
    }

    fn kindless(&self, variants: Fields) -> Error {
        let names: Vec<&Key> = self.visible().map(|(_, key, _)| key).collect();
        let typo = nearest(KIND, names.iter().map(|key| key.name.as_str()));
        let error = Error::new("the field `kind` is missing");
        match names.iter().find(|key| Some(key.name.as_str()) == typo) {
            Some(key) => error.at(key.span).help("did you mean `kind`?"),
            None => error.at(self.head).help(format!("write `kind: …`; there are {}", listed(variants))),
        }
    }

    fn verb(self, variants: Fields) -> Result<Variant<'de, 'p>, Error> {
        let known = |key: &Key| variants.contains(&key.name.as_str());
        let mut verbs = self.visible().filter(|(_, key, _)| known(key));
        match (verbs.next(), verbs.next()) {
            (Some((at, key, value)), None) => {
                drop(verbs);
                let tag = Tag::Verb(at, key, value);
                let content = View { tag, ..self };
                Ok(Variant { name: &key.name, content })
            }
            (Some((_, first, _)), Some((_, second, _))) => {
                let message = format!(
                    "`{}` and `{}` cannot stand in one entry: it says one thing",
                    first.name, second.name
                );
                Err(Error::new(message)
                    .at(second.span)
                    .related(first.span, "the first")
                    .help("make two entries of it"))
            }
            (None, _) => Err(self.verbless(variants)),
        }
    }

    fn verbless(&self, variants: Fields) -> Error {
        let keys: Vec<&Key> = self.visible().map(|(_, key, _)| key).collect();
        let close = |key: &&&Key| nearest(&key.name, variants.iter().copied()).is_some();
        // The verb is the first key by custom, but a misspelt one may stand anywhere.
        let Some(key) = keys.iter().find(close).or(keys.first()) else {
            return Error::new("this says nothing")
                .at(self.head)
                .help(format!("there are {}", listed(variants)));
        };
        Error::new(format!("`{}` is not known here", short(&key.name)))
            .at(key.span)
            .label("unknown")
            .help(suggestion(&key.name, variants, variants))
    }
}

macro_rules! take_the_object {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.with_object(visitor, |object, visitor| object.$method(visitor))
        }
    )*};
}

impl<'de> de::Deserializer<'de> for View<'de, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.tag {
            // A type that takes anything (`OneOrMany`, a unit) means the object, if that is all.
            Tag::Verb(..) if self.visible().next().is_none() => {
                self.with_object(visitor, |object, visitor| object.deserialize_any(visitor))
            }
            _ => self.map(None, visitor),
        }
    }

    take_the_object! {
        deserialize_bool deserialize_char deserialize_str deserialize_string
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_f32 deserialize_f64 deserialize_bytes deserialize_byte_buf
        deserialize_identifier deserialize_seq
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        self.with_object(visitor, |object, visitor| object.deserialize_tuple(len, visitor))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let nothing = match self.tag {
            Tag::Verb(_, _, object) => object.is_null() && self.visible().next().is_none(),
            Tag::Word(_) => true,
            Tag::None | Tag::Kind(..) => false,
        };
        if nothing { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.must_be_empty()?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let head = self.head;
        let members = Members { view: self, left: len, word: None };
        visitor.visit_seq(members).map_err(|e| e.at(head))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.map(None, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: Fields,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if let Some(part) = self.part {
            part.set(fields);
        }
        self.map(Some(fields), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: Fields,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if let Tag::Verb(..) | Tag::Word(_) = self.tag {
            return self
                .with_object(visitor, |object, visitor| object.deserialize_enum(name, variants, visitor));
        }
        let head = self.head;
        let variant = self.variant(name, variants)?;
        visitor.visit_enum(variant).map_err(|e| e.at(head))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}

impl View<'_, '_> {
    fn must_be_empty(&self) -> Result<(), Error> {
        if let Tag::Verb(_, verb, object) = self.tag
            && !object.is_null()
        {
            return Err(Error::new(format!("`{}` takes no object", verb.name))
                .at(object.head())
                .help(format!("write `{}` alone", verb.name)));
        }
        match self.visible().next() {
            None => Ok(()),
            Some((_, key, _)) => Err(self.unknown(key, &[])),
        }
    }
}

/// The members of a tuple struct that share one map.
pub(super) struct Members<'de, 'p> {
    pub(super) view: View<'de, 'p>,
    pub(super) left: usize,
    /// What the last member reads instead of the map.
    pub(super) word: Option<&'de Tree>,
}

impl<'de> de::SeqAccess<'de> for Members<'de, '_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        if self.left == 0 {
            return match self.word {
                Some(word) => seed.deserialize(Value(word)).map(Some),
                None => seed.deserialize(self.view.clone()).map(Some),
            };
        }
        let fields = Cell::new(&[] as Fields);
        let member = View {
            entries: self.view.entries,
            head: self.view.head,
            tag: self.view.tag,
            taken: self.view.taken.clone(),
            part: Some(&fields),
        };
        let value = seed.deserialize(member)?;
        self.view.taken.push(fields.get());
        Ok(Some(value))
    }
}

/// The entries of a view, one after the other; the object of a verb first, as `target`.
struct Entries<'de, 'p, 'v> {
    view: &'v View<'de, 'p>,
    /// The fields of the struct that is being read; none for a map with free keys.
    fields: Option<Fields>,
    next: usize,
    offered: bool,
    /// Name, place and value of the entry whose key was read last.
    current: Option<(&'de str, Span, &'de Tree)>,
}

impl<'de> Entries<'de, '_, '_> {
    /// The object of a verb. A struct that has a place for it is told that there is none: left
    /// out, it would be replaced by a default that nobody has written.
    fn target(&mut self) -> Option<(&'de str, Span, &'de Tree)> {
        if std::mem::replace(&mut self.offered, true) {
            return None;
        }
        let wanted = self.fields.is_some_and(|fields| fields.contains(&TARGET));
        match self.view.tag {
            Tag::Verb(_, verb, object) if wanted || !object.is_null() => {
                Some((&verb.name, verb.span, object))
            }
            Tag::Word(word) if wanted => Some((word, self.view.head, &NOTHING)),
            _ => None,
        }
    }

    fn check(&self, key: &Key) -> Result<(), Error> {
        let flat = matches!(self.view.tag, Tag::Verb(..));
        match self.fields {
            Some(fields) if !fields.contains(&key.name.as_str()) || flat && key.name == TARGET => {
                Err(self.view.unknown(key, fields))
            }
            _ => Ok(()),
        }
    }

    fn check_target(&self, verb: &str, object: &Tree) -> Result<(), Error> {
        match self.fields {
            Some(fields) if !fields.contains(&TARGET) => Err(Error::new(format!("`{verb}` takes no object"))
                .at(object.head())
                .help(format!("write `{verb}` alone, or with fields beside it"))),
            _ => Ok(()),
        }
    }

    fn advance(&mut self) -> Option<(&'de Key, &'de Tree)> {
        while let Some((key, value)) = self.view.entries.get(self.next) {
            let at = self.next;
            self.next += 1;
            let foreign =
                self.view.part.is_some() && self.fields.is_some_and(|f| !f.contains(&key.name.as_str()));
            if !self.view.hides(at, key) && !foreign {
                return Some((key, value));
            }
        }
        None
    }
}

impl<'de> de::MapAccess<'de> for Entries<'de, '_, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        // What stands behind the verb belongs to the variant, never to a part beside it.
        if self.view.part.is_none()
            && let Some((verb, span, object)) = self.target()
        {
            self.check_target(verb, object)?;
            self.current = Some((verb, span, object));
            return seed.deserialize(Name(TARGET)).map(Some);
        }
        let Some((key, value)) = self.advance() else {
            return Ok(None);
        };
        self.check(key)?;
        self.current = Some((&key.name, key.span, value));
        match seed.deserialize(Name(&key.name)) {
            Ok(key) => Ok(Some(key)),
            Err(e) => Err(e.at(key.span)),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let Some((name, _, value)) = self.current else {
            return Err(Error::new("a value was asked for before its key"));
        };
        let object = self.next == 0 && self.offered && self.view.part.is_none();
        match seed.deserialize(Value(value)) {
            Ok(value) => Ok(value),
            Err(_) if object && value.is_null() => Err(self.view.objectless()),
            Err(e) => Err(e.at(value.head()).inside(Segment::Key(name.to_owned()))),
        }
    }
}

/// A variant by name and what it holds.
pub(super) struct Variant<'de, 'p> {
    pub(super) name: &'de str,
    pub(super) content: View<'de, 'p>,
}

impl<'de, 'p> de::EnumAccess<'de> for Variant<'de, 'p> {
    type Error = Error;
    type Variant = View<'de, 'p>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, View<'de, 'p>), Error> {
        let name = BorrowedStrDeserializer::<Error>::new(self.name);
        Ok((seed.deserialize(name)?, self.content))
    }
}

impl<'de> de::VariantAccess<'de> for View<'de, '_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        self.must_be_empty()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        let head = self.head;
        seed.deserialize(self).map_err(|e| e.at(head))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        de::Deserializer::deserialize_tuple(self, len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: Fields, visitor: V) -> Result<V::Value, Error> {
        self.map(Some(fields), visitor)
    }
}
