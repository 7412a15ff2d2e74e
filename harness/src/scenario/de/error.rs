//! What can go wrong on the way into a type, with its place, in words for users.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use super::Fields;
use crate::scenario::diagnostics::{Diagnostic, Span, listed, nearest, short};
use crate::scenario::path::{Path, Segment};
use crate::scenario::tree::{Kind, Tree};

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
pub(super) enum What {
    Message(String),
    UnknownField(String, Fields),
    UnknownVariant(String, Fields),
    MissingField(&'static str),
    DuplicateField(&'static str),
}

impl Error {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self::of(What::Message(message.into()))
    }

    pub(super) fn of(what: What) -> Self {
        Error(Box::new(Parts {
            what,
            span: None,
            path: Vec::new(),
            label: None,
            related: Vec::new(),
            help: None,
        }))
    }

    pub(super) fn mismatch(tree: &Tree, expected: &dyn Expected) -> Self {
        let message = format!("expected {}, found {}", plain(expected), tree.described());
        let error = Self::new(message);
        match &tree.kind {
            Kind::Null => error.help("give it a value, or leave the line out"),
            _ => error,
        }
    }

    /// Places the error, unless something inside has already done so more exactly.
    pub(super) fn at(mut self, span: Span) -> Self {
        self.0.span.get_or_insert(span);
        self
    }

    pub(super) fn inside(mut self, segment: Segment) -> Self {
        self.0.path.push(segment);
        self
    }

    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.0.label.get_or_insert(label.into());
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help.get_or_insert(help.into());
        self
    }

    pub(super) fn related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.0.related.push((span, label.into()));
        self
    }

    pub(super) fn what(&self) -> &What {
        &self.0.what
    }

    pub(super) fn is_placed(&self) -> bool {
        self.0.span.is_some()
    }

    pub(super) fn into_diagnostic(self, at: &Path) -> Diagnostic {
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
    pub(super) fn help(&self) -> Option<String> {
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
pub(super) fn plain(expected: &dyn Expected) -> String {
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
pub(super) fn suggestion(wrong: &str, likely: &[&str], all: &[&str]) -> String {
    const FEW: usize = 16;
    let guess = nearest(wrong, likely.iter().copied()).map(|n| format!("did you mean `{n}`?"));
    let list = match all.len() {
        0 => "nothing is known here".to_owned(),
        1 => format!("there is only `{}`", all[0]),
        _ => format!("there are {}", listed(all).replace(" or ", " and ")),
    };
    match guess {
        Some(guess) if all.len() > FEW => guess,
        Some(guess) => format!("{guess} T{}", list.trim_start_matches('t')),
        None => list,
    }
}
