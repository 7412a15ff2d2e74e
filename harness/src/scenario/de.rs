//! From a tree to typed values: the flat grammar on top of externally tagged enums.
//!
//! A map is never copied on its way into a type, it is only looked at in another way (`View`),
//! and so every error points at the key or value that caused it:
//!
//! - `{ kind: sql-database, zones: 3 }` is the variant `sql-database` with the fields `zones`;
//! - `{ insert: orders-db.order, once: item }` is the variant `insert` with the fields `target`
//!   (what stands behind the verb) and `once`;
//! - `complete` is the variant `complete`, without fields;
//! - a tuple struct that is read from a map shares it among its members: each takes the fields
//!   it knows, the last one everything else. So fields that all variants of an enum have in
//!   common are written down once, `struct Step(Common, Verb)`.
//!
//! Reading is strict whether a type asks for it or not: an unknown field of a struct is an error.

use std::cell::Cell;
use std::fmt;

use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, DeserializeSeed, Expected, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::diagnostics::{Diagnostic, Span, listed, nearest, short};
use super::path::{Path, Segment};
use super::tree::{Key, Kind, Tree};
use super::{KIND, KIND_TAGGED, TARGET};

type Fields = &'static [&'static str];

/// Reads a typed value.
///
/// # Errors
/// The first thing that does not fit, with its place and the path to it.
pub fn from_tree<'de, T: Deserialize<'de>>(tree: &'de Tree) -> Result<T, Diagnostic> {
    from_tree_at(tree, &Path::root())
}

/// Reads a typed value that stands at `at` in the scenario: messages name the whole path.
///
/// # Errors
/// As [`from_tree`].
pub fn from_tree_at<'de, T: Deserialize<'de>>(tree: &'de Tree, at: &Path) -> Result<T, Diagnostic> {
    T::deserialize(Value(tree)).map_err(|e| e.into_diagnostic(at))
}

/// Reads a section, a map by name, entry by entry, so that one wrong entry does not hide the
/// errors of the others.
///
/// # Errors
/// For each entry that does not fit, the first thing in it that does not.
pub fn entries_at<'de, T: Deserialize<'de>>(
    section: &'de Tree,
    at: &Path,
) -> Result<IndexMap<String, T>, Vec<Diagnostic>> {
    let Some(entries) = section.entries() else {
        let message = format!("expected a map by name, found {}", section.described());
        return Err(vec![Error::new(message).at(section.span).into_diagnostic(at)]);
    };
    let mut read = IndexMap::with_capacity(entries.len());
    let mut errors = Vec::new();
    for (key, tree) in entries {
        let mut path = at.clone();
        path.push_key(&key.name);
        match from_tree_at(tree, &path) {
            Ok(value) => drop(read.insert(key.name.clone(), value)),
            Err(e) => errors.push(e),
        }
    }
    if errors.is_empty() { Ok(read) } else { Err(errors) }
}

/// What went wrong on the way into a type.
#[derive(Debug)]
pub struct Error(Box<Parts>);

#[derive(Debug)]
struct Parts {
    what: What,
    span: Option<Span>,
    /// From the innermost segment outwards.
    path: Vec<Segment>,
    label: Option<String>,
    related: Vec<(Span, String)>,
    help: Option<String>,
}

#[derive(Debug)]
enum What {
    Message(String),
    UnknownField(String, Fields),
    UnknownVariant(String, Fields),
    MissingField(&'static str),
    DuplicateField(&'static str),
}

impl Error {
    fn new(message: impl Into<String>) -> Self {
        Self::of(What::Message(message.into()))
    }

    fn of(what: What) -> Self {
        Error(Box::new(Parts {
            what,
            span: None,
            path: Vec::new(),
            label: None,
            related: Vec::new(),
            help: None,
        }))
    }

    fn mismatch(tree: &Tree, expected: &dyn Expected) -> Self {
        let message = format!("expected {}, found {}", plain(expected), tree.described());
        let error = Self::new(message);
        match &tree.kind {
            Kind::Null => error.help("give it a value, or leave the line out"),
            _ => error,
        }
    }

    /// Places the error, unless something inside has already done so more exactly.
    fn at(mut self, span: Span) -> Self {
        self.0.span.get_or_insert(span);
        self
    }

    fn inside(mut self, segment: Segment) -> Self {
        self.0.path.push(segment);
        self
    }

    fn label(mut self, label: impl Into<String>) -> Self {
        self.0.label.get_or_insert(label.into());
        self
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help.get_or_insert(help.into());
        self
    }

    fn related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.0.related.push((span, label.into()));
        self
    }

    fn is_placed(&self) -> bool {
        self.0.span.is_some()
    }

    fn into_diagnostic(self, at: &Path) -> Diagnostic {
        let parts = *self.0;
        let path = at.joined(&parts.path);
        let message = if path.is_root() { parts.what.to_string() } else { format!("{path}: {}", parts.what) };
        Diagnostic {
            label: parts.label,
            related: parts.related,
            ..Diagnostic::error(message, parts.span.unwrap_or(Span::NONE))
        }
        .maybe_help(parts.help.or_else(|| parts.what.help()))
    }
}

impl What {
    fn help(&self) -> Option<String> {
        match self {
            What::UnknownField(name, valid) | What::UnknownVariant(name, valid) => {
                Some(suggestion(name, valid, valid))
            }
            _ => None,
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Message(message) => f.write_str(message),
            What::UnknownField(name, _) => write!(f, "there is no field `{}` here", short(name)),
            What::UnknownVariant(name, _) => write!(f, "`{}` is not known here", short(name)),
            What::MissingField(name) => write!(f, "the field `{name}` is missing"),
            What::DuplicateField(name) => write!(f, "the field `{name}` is given twice"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.what.fmt(f)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Error::new(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Error::new(format!("expected {}, found {}", plain(expected), described(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Error::new(format!("expected {}, found {length} of them", plain(expected)))
    }

    fn unknown_variant(variant: &str, expected: Fields) -> Self {
        Self::of(What::UnknownVariant(variant.to_owned(), expected))
    }

    fn unknown_field(field: &str, expected: Fields) -> Self {
        Self::of(What::UnknownField(field.to_owned(), expected))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::of(What::MissingField(field))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::of(What::DuplicateField(field))
    }
}

/// What a type says it expects, without the names that only mean something in its source.
fn plain(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    let whole = "a whole number";
    match text.as_str() {
        "u8" => format!("{whole} from 0 to {}", u8::MAX),
        "u16" => format!("{whole} from 0 to {}", u16::MAX),
        "u32" => format!("{whole} from 0 to {}", u32::MAX),
        "u64" | "u128" | "usize" => format!("{whole}, not below zero"),
        "i8" => format!("{whole} from {} to {}", i8::MIN, i8::MAX),
        "i16" => format!("{whole} from {} to {}", i16::MIN, i16::MAX),
        "i32" | "i64" | "i128" | "isize" => whole.to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a string" | "string" | "a borrowed string" => "text".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a map, `{ key: value, … }`".to_owned(),
        "unit" => "nothing".to_owned(),
        other if other.starts_with("struct ") => "a map, `{ field: value, … }`".to_owned(),
        other if other.starts_with("tuple ") || other.starts_with("enum ") => {
            "a map, `{ field: value, … }`, or a word".to_owned()
        }
        _ => text,
    }
}

fn described(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(n) => format!("the number `{n}`"),
        Unexpected::Signed(n) => format!("the number `{n}`"),
        Unexpected::Float(n) => format!("the number `{n}`"),
        Unexpected::Char(c) => format!("the text `{c}`"),
        Unexpected::Str(text) => format!("the text `{}`", short(text)),
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a map".to_owned(),
        other => other.to_string(),
    }
}

/// What might have been meant, and all there is if that is not too much to read.
fn suggestion(wrong: &str, likely: &[&str], all: &[&str]) -> String {
    const FEW: usize = 16;
    let guess = nearest(wrong, likely.iter().copied()).map(|n| format!("did you mean `{n}`?"));
    let list = match all.len() {
        0 => "nothing is known here".to_owned(),
        1 => format!("there is only `{}`", all[0]),
        _ => format!("there are {}", listed(all).replace(" or ", " and ")),
    };
    match guess {
        Some(guess) if all.len() > FEW => guess,
        Some(guess) => format!("{guess} ({list})"),
        None => list,
    }
}

static NOTHING: Tree = Tree { kind: Kind::Null, span: Span::NONE };

/// The deserializer of a value as it was written.
struct Value<'de>(&'de Tree);

impl<'de> Value<'de> {
    fn view(self) -> Option<View<'de, 'static>> {
        self.0.entries().map(|entries| View {
            entries,
            head: self.0.head(),
            tag: Tag::None,
            taken: Vec::new(),
            part: None,
        })
    }

    fn integer<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Kind::Int(value, _) = self.0.kind else {
            return Err(Error::mismatch(self.0, &visitor).at(self.0.span));
        };
        visit_int(value, visitor).map_err(|e| e.at(self.0.span))
    }

    fn words<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.as_text() {
            Some(text) => visitor.visit_borrowed_str(text),
            None => Err(Error::mismatch(self.0, &visitor)),
        }
        .map_err(|e| e.at(self.0.head()))
    }

    fn list<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Some(items) = self.0.items() else {
            return Err(Error::mismatch(self.0, &visitor).at(self.0.head()));
        };
        let mut access = Items { items, next: 0 };
        let value = visitor.visit_seq(&mut access);
        match value {
            Ok(value) if access.next >= items.len() => Ok(value),
            Ok(_) => Err(Error::new("this list is too long").at(items[access.next].head())),
            Err(e) => Err(e.at(self.0.span)),
        }
    }
}

fn visit_int<'de, V: Visitor<'de>>(value: i128, visitor: V) -> Result<V::Value, Error> {
    if let Ok(value) = u64::try_from(value) {
        visitor.visit_u64(value)
    } else if let Ok(value) = i64::try_from(value) {
        visitor.visit_i64(value)
    } else {
        Err(Error::new(format!("the number `{value}` is too large")))
    }
}

impl<'de> de::Deserializer<'de> for Value<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let span = self.0.span;
        match &self.0.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Bool(value, _) => visitor.visit_bool(*value),
            Kind::Int(value, _) => visit_int(*value, visitor),
            Kind::Float(value, _) => visitor.visit_f64(*value),
            Kind::Str(text) => visitor.visit_borrowed_str(text),
            Kind::Seq(_) => return self.list(visitor),
            Kind::Map(_) => return self.deserialize_map(visitor),
        }
        .map_err(|e: Error| e.at(span))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.kind {
            Kind::Bool(value, _) => visitor.visit_bool(value),
            _ => Err(Error::mismatch(self.0, &visitor)),
        }
        .map_err(|e| e.at(self.0.head()))
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.kind {
            Kind::Float(value, _) => visitor.visit_f64(value),
            Kind::Int(value, _) => visitor.visit_f64(value as f64),
            _ => Err(Error::mismatch(self.0, &visitor)),
        }
        .map_err(|e| e.at(self.0.head()))
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.words(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.words(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.words(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.words(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let head = self.0.head();
        match self.0.kind {
            Kind::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
        .map_err(|e: Error| e.at(head))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.kind {
            Kind::Null => visitor.visit_unit(),
            _ => Err(Error::mismatch(self.0, &visitor)),
        }
        .map_err(|e| e.at(self.0.head()))
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
        let head = self.0.head();
        visitor.visit_newtype_struct(self).map_err(|e: Error| e.at(head))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.list(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Error> {
        self.list(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match (Value(self.0).view(), self.0.as_text()) {
            (Some(view), _) => view.deserialize_tuple_struct(name, len, visitor),
            // A word has no fields: they are absent for all members but the last, which it is.
            (None, Some(_)) => {
                let view = View::empty(self.0.span);
                let members = Members { view, left: len, word: Some(self.0) };
                visitor.visit_seq(members).map_err(|e| e.at(self.0.span))
            }
            (None, None) => self.list(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match Value(self.0).view() {
            Some(view) => view.deserialize_map(visitor),
            None => Err(Error::mismatch(self.0, &visitor).at(self.0.span)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: Fields,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match (Value(self.0).view(), &self.0.kind) {
            (Some(view), _) => view.deserialize_struct(name, fields, visitor),
            // A derived struct would take a list as its fields in order, which nobody can read.
            (None, Kind::Seq(_)) => Err(Error::mismatch(self.0, &visitor).at(self.0.span)),
            (None, _) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: Fields,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if let Some(view) = Value(self.0).view() {
            return view.deserialize_enum(name, variants, visitor);
        }
        let span = self.0.span;
        let Some(word) = self.0.as_text() else {
            return Err(Error::mismatch(self.0, &visitor).at(span));
        };
        if KIND_TAGGED.contains(&name) {
            let error = Error::mismatch(self.0, &"a map, `{ kind: …, field: value, … }`");
            return Err(error.at(span));
        }
        if !variants.contains(&word) {
            return Err(<Error as de::Error>::unknown_variant(word, variants).at(span));
        }
        let content = View { tag: Tag::Word(word), ..View::empty(span) };
        visitor.visit_enum(Variant { name: word, content }).map_err(|e| e.at(span))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { i128 u128 bytes byte_buf }
}

/// A map, perhaps without the entry that has named the variant it belongs to.
#[derive(Clone)]
struct View<'de, 'p> {
    entries: &'de [(Key, Tree)],
    /// Where to point for something about the map as a whole.
    head: Span,
    tag: Tag<'de>,
    /// The fields that earlier members of a tuple struct have read.
    taken: Vec<Fields>,
    /// Set for all but the last member of a tuple struct: read what is known and note it here.
    part: Option<&'p Cell<Fields>>,
}

/// What named the variant that the map is the content of.
#[derive(Clone, Copy)]
enum Tag<'de> {
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
    fn empty(head: Span) -> Self {
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
        match (&error.0.what, self.tag) {
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
struct Members<'de, 'p> {
    view: View<'de, 'p>,
    left: usize,
    /// What the last member reads instead of the map.
    word: Option<&'de Tree>,
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

struct Items<'de> {
    items: &'de [Tree],
    next: usize,
}

impl<'de> de::SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let index = self.next;
        let Some(item) = self.items.get(index) else {
            return Ok(None);
        };
        self.next += 1;
        seed.deserialize(Value(item))
            .map(Some)
            .map_err(|e| e.at(item.head()).inside(Segment::item(self.items, index)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len() - self.next)
    }
}

/// The deserializer of a key.
struct Name<'de>(&'de str);

impl<'de> Name<'de> {
    fn integer<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match Kind::plain(self.0) {
            Kind::Int(value, _) => visit_int(value, visitor),
            _ => visitor.visit_borrowed_str(self.0),
        }
    }
}

macro_rules! key_numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.integer(visitor)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Name<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(self.0)
    }

    key_numbers! {
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: Fields,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(BorrowedStrDeserializer::new(self.0))
    }

    forward_to_deserialize_any! {
        bool i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// A variant by name and what it holds.
struct Variant<'de, 'p> {
    name: &'de str,
    content: View<'de, 'p>,
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::de::IgnoredAny;

    use super::*;
    use crate::scenario::diagnostics::{Sources, one_line};
    use crate::scenario::sample::{
        Ack, App, Bus, Common, Delay, Many, NodeKind, Notice, Sql, Step, Verb, Write,
    };
    use crate::scenario::tree::parse_value;

    fn read<T: for<'a> Deserialize<'a>>(text: &str) -> Result<T, String> {
        let mut sources = Sources::new();
        let id = sources.add("t", text);
        let tree = parse_value(&sources, id).unwrap();
        from_tree(&tree).map_err(|d| one_line(&d, &sources))
    }

    fn good<T: for<'a> Deserialize<'a>>(text: &str) -> T {
        read(text).unwrap()
    }

    fn bad<T: for<'a> Deserialize<'a> + fmt::Debug>(text: &str) -> String {
        read::<T>(text).unwrap_err()
    }

    fn write(target: &str, once: Option<&str>) -> Write {
        Write { target: target.into(), once: once.map(Into::into), if_unchanged: None }
    }

    #[test]
    fn verbs() {
        let insert = Verb::Insert(write("orders-db.order", Some("item")));
        assert_eq!(good::<Verb>("{ insert: orders-db.order, once: item }"), insert);
        assert_eq!(good::<Verb>("notify"), Verb::Notify(Notice { target: None }));
        assert_eq!(good::<Verb>("{ notify: }"), Verb::Notify(Notice { target: None }));
        assert_eq!(good::<Verb>("{ once: item, insert: orders-db.order }"), insert);
        assert_eq!(good::<Verb>("{ insert: 80 }"), Verb::Insert(write("80", None)));
        assert_eq!(good::<Verb>("work: 8ms"), Verb::Work(Delay(8)));
        assert_eq!(good::<Verb>("reply: 202"), Verb::Reply(202));
        assert_eq!(
            good::<Verb>("transaction: [{ insert: a }, { insert: b, once: key }, abandon]"),
            Verb::Transaction(vec![
                Verb::Insert(write("a", None)),
                Verb::Insert(write("b", Some("key"))),
                Verb::Abandon
            ])
        );
        assert_eq!(good::<Verb>("{ run: x, at: 5ms }"), Verb::Run { target: "x".into(), at: Some(Delay(5)) });
        assert_eq!(good::<Verb>("together: a"), Verb::Together(Many(vec!["a".into()])));
        assert_eq!(good::<Verb>("together: [a, b]"), Verb::Together(Many(vec!["a".into(), "b".into()])));
    }

    #[test]
    fn words() {
        assert_eq!(good::<Verb>("complete"), Verb::Complete(Ack::default()));
        assert_eq!(good::<Verb>("{ complete: }"), Verb::Complete(Ack::default()));
        assert_eq!(
            good::<Verb>("{ complete: , policy: x }"),
            Verb::Complete(Ack { policy: Some("x".into()) })
        );
        assert_eq!(good::<Verb>("abandon"), Verb::Abandon);
        assert_eq!(good::<Verb>("abandon: null"), Verb::Abandon);
    }

    #[test]
    fn kinds() {
        assert_eq!(
            good::<NodeKind>("{ kind: sql-database, zones: 3, holds: order }"),
            NodeKind::SqlDatabase(Sql { zones: Some(3), holds: Some(Many(vec!["order".into()])) })
        );
        let bus = Bus { lock: Delay(5), ratio: Some(1.0), hidden: Some(true) };
        assert_eq!(
            good::<NodeKind>("{ lock: 5ms, kind: service-bus, ratio: 1, hidden: true }"),
            NodeKind::ServiceBus(bus)
        );
        assert_eq!(good::<NodeKind>("{ kind: nothing }"), NodeKind::Nothing);
    }

    #[test]
    fn tuple_structs_share_a_map() {
        let common = |name: Option<&str>| Common { name: name.map(Into::into), timeout: None };
        assert_eq!(
            good::<Step>("{ as: charge, insert: a, once: item }"),
            Step(common(Some("charge")), Verb::Insert(write("a", Some("item"))))
        );
        assert_eq!(good::<Step>("work: 8ms"), Step(common(None), Verb::Work(Delay(8))));
        assert_eq!(good::<Step>("{ work: 8ms, as: w }"), Step(common(Some("w")), Verb::Work(Delay(8))));
        let error = bad::<Step>("{ insert: a, timout: x }");
        assert!(error.starts_with("t:1:14: error: `insert` has no field `timout`"), "{error}");
        assert!(error.contains("did you mean `timeout`?"), "{error}");
        let error = bad::<Step>("{ insert: a, as: [] }");
        assert!(error.contains("t:1:18: error: as: expected text, found a list"), "{error}");
    }

    #[test]
    fn unknown_verbs_kinds_and_words() {
        for (error, start, hint) in [
            (bad::<Verb>("{ insrt: a, once: item }"), "t:1:3: error: `insrt`", "mean `insert`?"),
            (bad::<Verb>("{ once: item, insrt: a }"), "t:1:15: error: `insrt`", "mean `insert`?"),
            (bad::<Verb>("{ zebra: a }"), "t:1:3: error: `zebra`", "there are `insert`, "),
            (bad::<Verb>("{}"), "t:1:1: error: this says nothing", "there are"),
            (bad::<Verb>("compleet"), "t:1:1: error: `compleet`", "mean `complete`?"),
            (bad::<Verb>("[a]"), "t:1:1: error: expected", ""),
            (bad::<Verb>("null"), "t:1:1: error: expected", ""),
            (
                bad::<Verb>("{ insert: a, reply: 200 }"),
                "t:1:14: error: `insert` and `reply` cannot stand in one entry",
                "two entries",
            ),
            (
                bad::<NodeKind>("{ kind: sqldatabase }"),
                "t:1:9: error: there is no kind `sqldatabase`",
                "mean `sql-database`?",
            ),
            (bad::<NodeKind>("{ knd: nothing }"), "t:1:3: error: the field `kind` is", "mean `kind`?"),
            (bad::<NodeKind>("{ zones: 3 }"), "t:1:3: error: the field `kind` is", "`service-bus`"),
            (bad::<NodeKind>("{ kind: [a] }"), "t:1:9: error: kind: expected a word", ""),
            (bad::<NodeKind>("{ kind: }"), "t:1:7: error: kind: expected a word", ""),
        ] {
            assert!(error.starts_with(start) && error.contains(hint), "{error}");
        }
    }

    #[test]
    fn unknown_and_missing_fields() {
        for (error, start, hint) in [
            (
                bad::<Verb>("{ insert: a, onse: item }"),
                "t:1:14: error: `insert` has no field `onse`",
                "did you mean `once`? (there are `once` and `if-unchanged`)",
            ),
            (bad::<Verb>("{ insert: a, target: b }"), "t:1:14: error: `insert` has no field", "`insert: …`"),
            (bad::<Verb>("{ reply: 200, once: a }"), "t:1:15: error: `reply` takes no field `once`", ""),
            (bad::<Verb>("{ abandon: , once: a }"), "t:1:14: error: `abandon` has no field `once`", ""),
            (bad::<Verb>("abandon: x"), "t:1:10: error: `abandon` takes no object", ""),
            (bad::<Verb>("complete: x"), "t:1:11: error: `complete` takes no object", ""),
            (bad::<Verb>("{ complete: , retry: x }"), "t:1:15: error: `complete` has no field `retry`", ""),
            (bad::<Verb>("insert"), "t:1:1: error: `insert` needs an object", "`insert: …`"),
            (bad::<Verb>("{ insert: , once: x }"), "t:1:3: error: `insert` needs an object", ""),
            (bad::<Verb>("append"), "t:1:1: error: `append` needs an object", "`append: …`"),
            (bad::<Verb>("{ append: }"), "t:1:3: error: `append` needs an object", ""),
            (bad::<Verb>("{ once: x, append: }"), "t:1:12: error: `append` needs an object", ""),
            (bad::<Verb>("append: []"), "t:1:9: error: append: expected text, found a list", ""),
            (bad::<Verb>("reply"), "t:1:1: error: `reply` needs a value", "`reply: …`"),
            (
                bad::<Verb>("{ run: a, onse: b }"),
                "t:1:11: error: `run` has no field `onse`",
                "there is only `at`",
            ),
            (
                bad::<NodeKind>("{ kind: service-bus, lok: 5ms }"),
                "t:1:22: error: `service-bus` has no field `lok`",
                "did you mean `lock`?",
            ),
            (bad::<NodeKind>("{ kind: service-bus }"), "t:1:3: error: the field `lock` is missing", ""),
            (bad::<App>("{ steps: [] }"), "t:1:3: error: the field `trigger` is missing", ""),
            (bad::<App>("{}"), "t:1:1: error: the field `trigger` is missing", ""),
            (bad::<App>("{ trigger: a, triger: b }"), "t:1:15: error: there is no field `triger` here", ""),
        ] {
            assert!(error.starts_with(start) && error.contains(hint), "{error}");
        }
    }

    #[test]
    fn values_that_do_not_fit() {
        let bus = |field: &str| bad::<NodeKind>(&format!("{{ kind: service-bus, {field} }}"));
        for (error, expected) in [
            (bus("lock: 80"), "t:1:28: error: lock: `80` is not a duration; write `80ms`"),
            (bus("lock: { a: 1 }"), "lock: expected text, found a map"),
            (bus("lock: 1ms, ratio: abc"), "ratio: expected a number, found the text `abc`"),
            (bus("lock: 1ms, hidden: on"), "hidden: expected `true` or `false`, found the text `on`"),
            (bus("lock: "), "lock: expected text, found nothing (give it a value, or leave"),
            (
                bad::<Verb>("reply: abc"),
                "t:1:8: error: reply: expected a whole number from 0 to 65535, found the text `abc`",
            ),
            (
                bad::<Verb>("reply: 70000"),
                "reply: expected a whole number from 0 to 65535, found the number `70000`",
            ),
            (bad::<Verb>("reply: -1"), "found the number `-1`"),
            (bad::<Verb>("reply: 2.5"), "found the number `2.5`"),
            (bad::<Verb>("reply: 99999999999999999999999"), "too large"),
            (bad::<Verb>("reply: 9999999999999999999999999999999999999999999999999"), "found the number"),
            (
                bad::<Verb>("transaction: { a: b }"),
                "t:1:16: error: transaction: expected a list, found a map",
            ),
            (bad::<Verb>("together: { a: b }"), "together: expected a name or a list of names, found a map"),
            (bad::<Verb>("together: [a, [b]]"), "t:1:15: error: together.#2: expected text, found a list"),
            (bad::<App>("[x, []]"), "expected a map, `{ field: value, … }`, found a list"),
            (bad::<App>("x"), "expected a map"),
            (bad::<(u8, u8)>("[1, 2, 3]"), "t:1:8: error: this list is too long"),
            (bad::<(u8, u8)>("[1]"), "error: expected"),
        ] {
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn paths_use_the_names_of_steps() {
        let named = "{ trigger: x, steps: [{ insert: a }, { insert: b, as: second, at: c }] }";
        assert!(bad::<App>(named).contains("steps.second: `insert` has no field `at`"));
        let unnamed = "{ trigger: x, steps: [{ insert: a }, { insert: b, once: [] }] }";
        assert!(bad::<App>(unnamed).contains("steps.#2.once: expected text"));
        let error = bad::<App>("{ trigger: x, steps: [{ insert: a }, { transaction: [{ reply: x }] }] }");
        assert!(error.contains("steps.transaction.reply: expected"), "{error}");
    }

    #[test]
    fn sections_tell_all_wrong_entries() {
        let mut sources = Sources::new();
        let text = "a: { kind: nothing }\nb: { kind: nothin }\nc: 1\n";
        let id = sources.add("t", text);
        let tree = parse_value(&sources, id).unwrap();
        let at = Path::of_keys(["nodes"]);
        let errors = entries_at::<NodeKind>(&tree, &at).unwrap_err();
        let lines: Vec<String> = errors.iter().map(|d| one_line(d, &sources)).collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("t:2:12: error: nodes.b: there is no kind `nothin`"), "{lines:?}");
        assert!(lines[1].starts_with("t:3:4: error: nodes.c: "), "{lines:?}");
        assert!(entries_at::<NodeKind>(tree.get("c").unwrap(), &at).is_err());
        let id = sources.add("u", "a: { kind: nothing }");
        let tree = parse_value(&sources, id).unwrap();
        assert_eq!(entries_at::<NodeKind>(&tree, &at).unwrap().len(), 1);
    }

    #[test]
    fn maps_and_anything() {
        let map: BTreeMap<u16, String> = good("{ 1: a, 22: on }");
        assert_eq!(map.get(&22).map(String::as_str), Some("on"));
        assert!(bad::<BTreeMap<u16, String>>("{ 1: a, x: b }").starts_with("t:1:9: error: expected a whole"));
        let _: IgnoredAny = good("{ a: [1, { b: c }], d: }");
        let map: BTreeMap<String, IgnoredAny> = good("{ a: [1, { b: c }], d: }");
        assert_eq!(map.len(), 2);
        let json: serde_json::Value = good("{ a: [1, -2, 2.5, true, null, x], b: { c: 10:30 } }");
        let expected = serde_json::json!({"a": [1, -2, 2.5, true, null, "x"], "b": {"c": "10:30"}});
        assert_eq!(json, expected);
        let pair: (u8, String) = good("[1, 2]");
        assert_eq!(pair, (1, "2".into()));
        let some: Option<Option<f64>> = good("3");
        assert_eq!(some, Some(Some(3.0)));
    }
}
