//! A scenario as a tree in which every key and value knows where it was written.
//!
//! The tree follows the core schema of YAML 1.2: `on` and `yes` are text. Scalars keep what was
//! written, because `0.05%` and `10:30` only mean something to the type that reads them.

use super::diagnostics::{Span, short};
use super::path::{Path, Segment};

pub use super::parse::{MOST_BYTES, MOST_DEPTH, parse, parse_value, read};

/// A value and where it was written.
///
/// Two trees are equal if they say the same, wherever they were written.
#[derive(Clone, Debug)]
pub struct Tree {
    /// What it is.
    pub kind: Kind,
    /// Where it was written; [`Span::NONE`] if it was not.
    pub span: Span,
}

/// What a value is. Numbers and truth values carry their text as it was written.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Nothing: `null`, `~` or no value at all.
    Null,
    /// `true` or `false`.
    Bool(bool, String),
    /// A whole number.
    Int(i128, String),
    /// Any other number.
    Float(f64, String),
    /// Text.
    Str(String),
    /// A list.
    Seq(Vec<Tree>),
    /// A map, in the order in which it was written.
    Map(Vec<(Key, Tree)>),
}

/// A key and where it was written.
#[derive(Clone, Debug)]
pub struct Key {
    /// The key.
    pub name: String,
    /// Where it was written.
    pub span: Span,
}

impl Key {
    /// A key that was not read from a text.
    pub fn new(name: impl Into<String>) -> Self {
        Key { name: name.into(), span: Span::NONE }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Kind::Null, Kind::Null) => true,
            (Kind::Bool(_, a), Kind::Bool(_, b))
            | (Kind::Int(_, a), Kind::Int(_, b))
            | (Kind::Float(_, a), Kind::Float(_, b))
            | (Kind::Str(a), Kind::Str(b)) => a == b,
            (Kind::Seq(a), Kind::Seq(b)) => a == b,
            (Kind::Map(a), Kind::Map(b)) => a == b,
            _ => false,
        }
    }
}

impl From<Kind> for Tree {
    fn from(kind: Kind) -> Self {
        Tree { kind, span: Span::NONE }
    }
}

impl Kind {
    /// What an unquoted word means: the core schema of YAML 1.2.
    pub fn plain(text: &str) -> Kind {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => return Kind::Null,
            "true" | "True" | "TRUE" => return Kind::Bool(true, text.to_owned()),
            "false" | "False" | "FALSE" => return Kind::Bool(false, text.to_owned()),
            _ => {}
        }
        if let Some(value) = whole_number(text) {
            return Kind::Int(value, text.to_owned());
        }
        match number(text) {
            Some(value) => Kind::Float(value, text.to_owned()),
            None => Kind::Str(text.to_owned()),
        }
    }

    /// A truth value.
    pub fn bool(value: bool) -> Kind {
        Kind::Bool(value, value.to_string())
    }

    /// A whole number.
    pub fn int(value: impl Into<i128>) -> Kind {
        let value = value.into();
        Kind::Int(value, value.to_string())
    }

    /// A number that is written so that it reads back as one with a fraction.
    pub fn float(value: f64) -> Kind {
        let text = match value {
            v if v.is_nan() => String::from(".nan"),
            v if v == f64::INFINITY => String::from(".inf"),
            v if v == f64::NEG_INFINITY => String::from("-.inf"),
            v => format!("{v:?}"),
        };
        Kind::Float(value, text)
    }

    /// Text.
    pub fn text(value: impl Into<String>) -> Kind {
        Kind::Str(value.into())
    }
}

impl Tree {
    /// The entries, if this is a map.
    pub fn entries(&self) -> Option<&[(Key, Tree)]> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The elements, if this is a list.
    pub fn items(&self) -> Option<&[Tree]> {
        match &self.kind {
            Kind::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The text as it was written, if this is a scalar that says something.
    pub fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Bool(_, text) | Kind::Int(_, text) | Kind::Float(_, text) | Kind::Str(text) => Some(text),
            Kind::Null | Kind::Seq(_) | Kind::Map(_) => None,
        }
    }

    /// Whether there is nothing here.
    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    /// The entry of that key, if this is a map that has it.
    pub fn entry(&self, name: &str) -> Option<(&Key, &Tree)> {
        let (key, value) = self.entries()?.iter().find(|(key, _)| key.name == name)?;
        Some((key, value))
    }

    /// The value of that key, if this is a map that has it.
    pub fn get(&self, name: &str) -> Option<&Tree> {
        self.entry(name).map(|(_, value)| value)
    }

    /// The value at the end of a path, if it leads somewhere. Checks that run on typed values use
    /// it to find the place that an error is about.
    pub fn find(&self, path: &Path) -> Option<&Tree> {
        path.segments().iter().try_fold(self, Tree::step)
    }

    /// Where to point for a path: the value at its end, or the deepest that exists before it.
    pub fn locate(&self, path: &Path) -> Span {
        let mut here = self;
        for segment in path.segments() {
            match here.step(segment) {
                Some(next) => here = next,
                None => break,
            }
        }
        here.head()
    }

    /// The place to point at for something about this value as a whole: the first key of a map
    /// (a whole map may be a page long), else the value.
    pub fn head(&self) -> Span {
        match &self.kind {
            Kind::Map(entries) => entries.first().map_or(self.span, |(key, _)| key.span),
            _ => self.span,
        }
    }

    /// What this is, for a sentence: `` the text `abc` ``, `a list`.
    pub fn described(&self) -> String {
        match &self.kind {
            Kind::Null => String::from("nothing"),
            Kind::Bool(_, text) => format!("`{text}`"),
            Kind::Int(_, text) => format!("the number `{}`", short(text)),
            Kind::Float(_, text) => format!("the number `{}`", short(text)),
            Kind::Str(text) => format!("the text `{}`", short(text)),
            Kind::Seq(_) => String::from("a list"),
            Kind::Map(_) => String::from("a map"),
        }
    }

    /// How many levels of maps and lists there are.
    pub fn depth(&self) -> usize {
        match &self.kind {
            Kind::Seq(items) => 1 + items.iter().map(Tree::depth).max().unwrap_or(0),
            Kind::Map(entries) => 1 + entries.iter().map(|(_, v)| v.depth()).max().unwrap_or(0),
            _ => 0,
        }
    }

    fn step(&self, segment: &Segment) -> Option<&Tree> {
        match segment {
            Segment::Key(name) => self.get(name),
            Segment::Item { index, .. } => self.items()?.get(*index),
        }
    }
}

fn whole_number(text: &str) -> Option<i128> {
    if let Some(hex) = text.strip_prefix("0x") {
        let digits = hex.bytes().all(|b| b.is_ascii_hexdigit());
        return digits.then(|| i128::from_str_radix(hex, 16).ok())?;
    }
    if let Some(octal) = text.strip_prefix("0o") {
        let digits = octal.bytes().all(|b| (b'0'..=b'7').contains(&b));
        return digits.then(|| i128::from_str_radix(octal, 8).ok())?;
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let all = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    all.then(|| text.parse().ok())?
}

fn number(text: &str) -> Option<f64> {
    let (sign, bare) = match text.strip_prefix('-') {
        Some(bare) => (-1.0, bare),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    match bare {
        ".inf" | ".Inf" | ".INF" => return Some(sign * f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" if bare.len() == text.len() => return Some(f64::NAN),
        _ => {}
    }
    is_decimal(bare).then(|| text.parse().ok())?
}

/// `12`, `1.5`, `.5`, `2e9`: without a sign.
fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        Some((whole, part)) => digits(whole) && digits(part) && mantissa.len() > 1,
        None => !mantissa.is_empty() && digits(mantissa),
    };
    let exponent_fits = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['-', '+']).unwrap_or(e);
        !e.is_empty() && digits(e)
    });
    mantissa_fits && exponent_fits
}
