//! From text to a [`Tree`].
//!
//! What YAML offers beyond plain maps, lists and scalars (anchors, aliases, tags, several
//! documents) is refused: a scenario is to be read by people. So is what could do harm: texts
//! that are too large or nested too deeply.

use std::io::Read;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, StrInput};

use super::diagnostics::{Diagnostic, SourceId, Sources, Span, short};
use super::tree::{Key, Kind, Tree};

/// The largest text that is read: a scenario is written by hand, and so is never that long.
pub const MOST_BYTES: usize = 1 << 20;

/// How deep maps and lists may be nested.
pub const MOST_DEPTH: usize = 32;

/// After so many errors in one text the rest is not looked at.
const MOST_ERRORS: usize = 20;

/// Reads a scenario: one document, which is a map.
///
/// # Errors
/// Everything that is wrong with the text as YAML, as far as it can be told at once; then
/// nothing else can be said about it.
pub fn parse(sources: &Sources, id: SourceId) -> Result<Tree, Vec<Diagnostic>> {
    let tree = parse_value(sources, id)?;
    if tree.entries().is_some() {
        return Ok(tree);
    }
    let error = Diagnostic::error(
        format!("a scenario is a map of sections, and this is {}", tree.described()),
        tree.span,
    );
    Err(vec![error.help("it begins with `scenario: NAME`, and a line such as `nodes:` opens a section")])
}

/// Reads one document, whatever it holds.
///
/// # Errors
/// As [`parse`].
pub fn parse_value(sources: &Sources, id: SourceId) -> Result<Tree, Vec<Diagnostic>> {
    match sources.get(id) {
        Some(source) => parse_part(&source.text, id, 0),
        None => Err(vec![Diagnostic::error("there is no such source", Span::NONE)]),
    }
}

/// Reads the text of `id` from `offset` on: the value of a `--set`.
pub(super) fn parse_part(text: &str, id: SourceId, offset: usize) -> Result<Tree, Vec<Diagnostic>> {
    // Nobody needs the position in a text that is refused for its size.
    if text.len() > MOST_BYTES {
        return Err(vec![too_large(Span::new(id, 0, 0))]);
    }
    let part = text.get(offset..).unwrap_or_default();
    if let Some(error) = refuse_control_characters(part, id, offset) {
        return Err(vec![error]);
    }
    Builder::new(part, id, offset).run()
}

/// Reads a file and adds it to the sources under its path.
///
/// Of a file that is too large no more than the limit is read.
///
/// # Errors
/// The file cannot be read, is too large, or is not UTF-8 text.
pub fn read(sources: &mut Sources, path: &std::path::Path) -> Result<SourceId, Diagnostic> {
    let name = path.display().to_string();
    if path.is_dir() {
        let folder = Diagnostic::error(format!("cannot read {name}: it is a folder"), Span::NONE);
        return Err(folder.help("name the file in it"));
    }
    let unreadable = |e: std::io::Error| Diagnostic::error(format!("cannot read {name}: {e}"), Span::NONE);
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > MOST_BYTES {
        let id = sources.add(name, "");
        return Err(too_large(Span::new(id, 0, 0)));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(sources.add(name, text)),
        Err(e) => Err(not_text(sources, name, &e)),
    }
}

fn not_text(sources: &mut Sources, name: String, error: &std::string::FromUtf8Error) -> Diagnostic {
    let valid = error.utf8_error().valid_up_to();
    let text = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
    let id = sources.add(name, text);
    Diagnostic::error("this is not text: a byte here is not UTF-8", Span::new(id, valid, 0))
        .help("save the file as UTF-8")
}

fn too_large(span: Span) -> Diagnostic {
    Diagnostic::error("the text is larger than 1 MB", span)
        .help("a scenario is written by hand and has a few hundred lines; is this the right file?")
}

pub(super) fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::error(format!("nested deeper than {MOST_DEPTH} levels"), span)
        .help("a scenario needs three levels: section, name, field")
}

/// Invisible characters are refused at once; the parser would take some for the end of the text.
fn refuse_control_characters(text: &str, id: SourceId, offset: usize) -> Option<Diagnostic> {
    let bad = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    let (at, c) = text.char_indices().find(|(_, c)| bad(*c))?;
    let span = Span::new(id, offset + at, c.len_utf8());
    let message = format!("an invisible character (U+{:04X}) has no place here", u32::from(c));
    Some(Diagnostic::error(message, span).help("delete it; in a quoted text it can be written as an escape"))
}

/// A map or list that is not closed yet.
enum Open {
    Seq(Vec<Tree>, Span),
    Map(Vec<(Key, Tree)>, Option<Key>, Span),
}

/// Builds the tree from the parser's events, without recursion: the text decides the depth.
struct Builder<'t> {
    parser: Parser<'t, StrInput<'t>>,
    places: Places<'t>,
    stack: Vec<Open>,
    root: Option<Tree>,
    errors: Vec<Diagnostic>,
}

impl<'t> Builder<'t> {
    fn new(text: &'t str, id: SourceId, offset: usize) -> Self {
        // A byte order mark is no part of the text, but it is a part of the file.
        let bare = text.strip_prefix('\u{feff}').unwrap_or(text);
        Builder {
            parser: Parser::new_from_str(bare),
            places: Places::new(bare, id, offset + text.len() - bare.len()),
            stack: Vec::new(),
            root: None,
            errors: Vec::new(),
        }
    }

    fn run(mut self) -> Result<Tree, Vec<Diagnostic>> {
        while let Some(next) = self.parser.next_event() {
            let go_on = match next {
                Ok((event, span)) => self.event(event, span),
                Err(error) => self.fail(self.complaint(&error)),
            };
            if !go_on || self.errors.len() >= MOST_ERRORS {
                break;
            }
        }
        match self.root {
            _ if !self.errors.is_empty() => Err(self.errors),
            Some(tree) if !tree.is_null() || !self.places.is_blank() => Ok(tree),
            _ => Err(vec![
                Diagnostic::error("the text is empty", self.places.start())
                    .help("a scenario begins with `scenario: NAME`"),
            ]),
        }
    }

    /// What the parser complains about, with the bracket that is still open: it is often the one
    /// that was forgotten.
    fn complaint(&self, error: &ScanError) -> Diagnostic {
        let diagnostic = not_yaml(error, &self.places);
        let innermost = self.stack.last().map(|(Open::Seq(_, at) | Open::Map(_, _, at))| *at);
        match innermost.filter(|at| self.places.is_bracket(*at) && !is_about_depth(error)) {
            Some(at) => diagnostic.related(at.part(0, 1), "opened here"),
            None => diagnostic,
        }
    }

    fn fail(&mut self, error: Diagnostic) -> bool {
        self.errors.push(error);
        false
    }

    /// Takes one event; false if the rest of the text makes no sense any more.
    fn event(&mut self, event: Event<'_>, span: saphyr_parser::Span) -> bool {
        let span = self.places.span(span);
        match event {
            Event::DocumentStart(_) if self.root.is_some() => {
                return self.fail(
                    Diagnostic::error("a second document begins here", span)
                        .help("one file holds one scenario; put the other one into its own file"),
                );
            }
            Event::Alias(_) => {
                self.errors.push(
                    Diagnostic::error("aliases (`*name`) are not used in scenarios", span)
                        .help("write the value out; for a text that begins with `*`, quote it"),
                );
                self.value(Kind::Null.into());
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.check_extras(anchor, tag.is_some(), span);
                return self.scalar(&text, style, span);
            }
            Event::SequenceStart(anchor, tag) => {
                self.check_extras(anchor, tag.is_some(), span);
                return self.open(Open::Seq(Vec::new(), span), span);
            }
            Event::MappingStart(anchor, tag) => {
                self.check_extras(anchor, tag.is_some(), span);
                return self.open(Open::Map(Vec::new(), None, span), span);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            _ => {}
        }
        true
    }

    fn check_extras(&mut self, anchor: usize, tagged: bool, span: Span) {
        if anchor != 0 {
            self.errors.push(
                Diagnostic::error("anchors (`&name`) are not used in scenarios", span)
                    .help("write the value out where it is needed"),
            );
        }
        if tagged {
            self.errors.push(
                Diagnostic::error("tags (`!name`) are not used in scenarios", span)
                    .help("for a number that is meant as text, quote it"),
            );
        }
    }

    fn open(&mut self, open: Open, span: Span) -> bool {
        if self.stack.len() >= MOST_DEPTH {
            return self.fail(too_deep(span));
        }
        if let Some(Open::Map(_, None, _)) = self.stack.last() {
            return self.fail(
                Diagnostic::error("a key has to be a word, not a list or a map", span)
                    .help("a text with braces or brackets has to be quoted"),
            );
        }
        self.stack.push(open);
        true
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, span: Span) -> bool {
        if let Some(Open::Map(_, key @ None, _)) = self.stack.last_mut() {
            if text.is_empty() {
                return self.fail(
                    Diagnostic::error("a key is missing here", span).help("an entry is written `key: value`"),
                );
            }
            *key = Some(Key { name: text.to_owned(), span });
            return true;
        }
        let kind = match style {
            ScalarStyle::Plain => Kind::plain(text),
            _ => Kind::text(text),
        };
        self.value(Tree { kind, span });
        true
    }

    fn close(&mut self, end: Span) {
        let whole = |start: Span| Span {
            len: end.offset.saturating_add(end.len).saturating_sub(start.offset),
            ..start
        };
        let tree = match self.stack.pop() {
            Some(Open::Seq(items, start)) => {
                Tree { kind: Kind::Seq(items), span: self.places.trimmed(whole(start)) }
            }
            Some(Open::Map(entries, _, start)) => {
                let errors = duplicates(&entries);
                self.errors.extend(errors.take(MOST_ERRORS));
                Tree { kind: Kind::Map(entries), span: self.places.trimmed(whole(start)) }
            }
            None => return,
        };
        self.value(tree);
    }

    fn value(&mut self, tree: Tree) {
        match self.stack.last_mut() {
            Some(Open::Seq(items, _)) => items.push(tree),
            Some(Open::Map(entries, key, _)) => match key.take() {
                Some(name) => entries.push((name, tree)),
                // Only an alias gets here, and it is an error already.
                None => *key = Some(Key::new("*")),
            },
            None => self.root = Some(tree),
        }
    }
}

fn duplicates(entries: &[(Key, Tree)]) -> impl Iterator<Item = Diagnostic> {
    let mut keys: Vec<&Key> = entries.iter().map(|(key, _)| key).collect();
    keys.sort_by(|a, b| a.name.cmp(&b.name).then(a.span.cmp(&b.span)));
    let mut again: Vec<(&Key, &Key)> =
        keys.windows(2).filter(|pair| pair[0].name == pair[1].name).map(|pair| (pair[1], pair[0])).collect();
    again.sort_by_key(|(key, _)| key.span);
    again.into_iter().map(|(key, first)| {
        Diagnostic::error(format!("`{}` is written twice", short(&key.name)), key.span)
            .label("again here")
            .related(first.span, "first here")
            .help("keep one of them; names within a map are unique")
    })
}

/// Turns the parser's positions, which count characters, into spans, which count bytes.
struct Places<'t> {
    text: &'t str,
    id: SourceId,
    base: usize,
    /// The byte of every character; empty if all of them have one byte.
    bytes: Vec<u32>,
}

impl<'t> Places<'t> {
    fn new(text: &'t str, id: SourceId, base: usize) -> Self {
        let bytes = if text.is_ascii() {
            Vec::new()
        } else {
            let starts = text.char_indices().map(|(at, _)| at);
            starts.map(|at| u32::try_from(at).unwrap_or(u32::MAX)).collect()
        };
        Places { text, id, base, bytes }
    }

    fn byte(&self, character: usize) -> usize {
        if self.bytes.is_empty() {
            return character.min(self.text.len());
        }
        self.bytes.get(character).map_or(self.text.len(), |b| *b as usize)
    }

    fn span(&self, span: saphyr_parser::Span) -> Span {
        let start = self.byte(span.start.index());
        let end = self.byte(span.end.index()).max(start);
        self.trimmed(Span::new(self.id, self.base + start, end - start))
    }

    /// Without the white space at its end.
    fn trimmed(&self, span: Span) -> Span {
        let start = (span.offset as usize).saturating_sub(self.base);
        let text = self.text.get(start..start + span.len as usize);
        let len = text.map_or(span.len as usize, |t| t.trim_end().len());
        Span::new(span.source, span.offset as usize, len)
    }

    fn is_bracket(&self, span: Span) -> bool {
        let start = (span.offset as usize).saturating_sub(self.base);
        self.text.get(start..).is_some_and(|t| t.starts_with(['{', '[']))
    }

    fn start(&self) -> Span {
        Span::new(self.id, self.base, 0)
    }

    /// Whether there is nothing but comments and markers.
    fn is_blank(&self) -> bool {
        let says_something = |line: &str| {
            let line = line.trim();
            !(line.is_empty() || line.starts_with('#') || line == "---" || line == "...")
        };
        !self.text.lines().any(says_something)
    }
}

/// The parser's complaint in words that help someone who does not know YAML's grammar.
fn not_yaml(error: &ScanError, places: &Places<'_>) -> Diagnostic {
    let start = places.byte(error.marker().index());
    let width = places.text.get(start..).and_then(|t| t.chars().next());
    let width = width.filter(|c| !c.is_whitespace()).map_or(0, char::len_utf8);
    let span = Span::new(places.id, places.base + start, width);
    if is_about_depth(error) {
        return too_deep(span);
    }
    let known = COMPLAINTS.iter().find(|(words, ..)| error.info().contains(words));
    match known {
        Some((_, message, help)) => Diagnostic::error(*message, span).help(*help),
        None => Diagnostic::error(format!("this is not YAML: {}", error.info()), span),
    }
}

/// Inside brackets the parser looks ahead and meets its own limit before we meet ours.
fn is_about_depth(error: &ScanError) -> bool {
    error.info().contains("recursion limit")
}

/// Words of the parser's complaints, what is wrong, and what would be right; the first fits.
const COMPLAINTS: &[(&str, &str, &str)] = &[
    (
        "mapping values are not allowed",
        "a `:` has no place here",
        "quote a text that has `: ` in it; or is the indentation off, or a `:` missing in the line before?",
    ),
    ("tab", "a tab has no place here", "indent with spaces"),
    (
        "flow mapping",
        "between braces this does not fit: a `,` or `}` was expected",
        "is the map closed, is a comma missing, or has a text with brackets in it to be quoted?",
    ),
    (
        "flow sequence",
        "between brackets this does not fit: a `,` or `]` was expected",
        "is the list closed, is a comma missing, or has a text with brackets in it to be quoted?",
    ),
    (
        "indentation in flow",
        "a map or list in braces goes on with too little indentation",
        "is it closed? If it goes on here, indent this line more than the one where it begins",
    ),
    (
        "expected node content",
        "a value or a closing bracket is missing here",
        "write the value, or take the comma out",
    ),
    ("misplaced bracket", "this bracket closes nothing", "take it out, or quote the text"),
    ("escape", "there is no such escape in a quoted text", "write `\\` for a backslash, or quote with `'`"),
    (
        "hexadecimal",
        "there is no such escape in a quoted text",
        "write `\\` for a backslash, or quote with `'`",
    ),
    ("trailing content", "after a quoted text the line has to end", "quote the text as a whole"),
    ("quoted scalar", "a quoted text is not closed", "write the closing quote"),
    (
        "expected key",
        "this line fits neither in the map above nor around it",
        "is the indentation right, and does the line read `key: value`?",
    ),
    (
        "'-' indicator",
        "this line fits neither in the list above nor around it",
        "is the indentation right, and does the line begin with `- `?",
    ),
    ("block sequence entries", "a `-` has no place here", "a list begins on the line below its key"),
    ("mapping keys are not", "a `?` has no place here", "quote a text that begins with `?`"),
    ("plain scalar", "a text cannot be written like this", "quote it"),
    ("multiline text", "a comment has no place within a text", "put it behind the text, or quote the text"),
    ("unknown anchor", "aliases (`*name`) are not used in scenarios", "quote a text that begins with `*`"),
    ("anchor", "anchors (`&name`) are not used in scenarios", "quote a text that begins with `&` or `*`"),
    ("tag", "tags (`!name`) are not used in scenarios", "quote a text that begins with `!`"),
    ("irective", "directives (`%`) are not used in scenarios", "quote a text that begins with `%`"),
    ("document start", "a line that begins with `%` has no place here", "quote a text that begins with `%`"),
    ("unexpected character", "a text cannot begin with this character", "quote the text"),
    ("block scalar", "the text below `|` or `>` is not indented as it should", "indent all its lines alike"),
    (
        "simple key",
        "a key has to be followed by `:` on the same line",
        "is a `:` missing, or the indentation off?",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::diagnostics::{Look, one_line, render};
    use crate::scenario::path::Path;

    fn parsed(text: &str) -> (Sources, Result<Tree, Vec<Diagnostic>>) {
        let mut sources = Sources::new();
        let id = sources.add("t.yaml", text);
        let tree = parse_value(&sources, id);
        (sources, tree)
    }

    fn tree(text: &str) -> Tree {
        parsed(text).1.unwrap()
    }

    fn refused(text: &str) -> String {
        let (sources, result) = parsed(text);
        let errors = result.unwrap_err();
        assert!(!render(&errors, &sources, Look::default()).is_empty());
        errors.iter().map(|d| one_line(d, &sources)).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn scalars_follow_the_core_schema_and_keep_their_text() {
        let kind = |text: &str| tree(&format!("a: {text}")).get("a").unwrap().kind.clone();
        for (text, expected) in [
            ("on", Kind::text("on")),
            ("yes", Kind::text("yes")),
            ("0.05%", Kind::text("0.05%")),
            ("6000/60s", Kind::text("6000/60s")),
            ("10:30", Kind::text("10:30")),
            ("1..4", Kind::text("1..4")),
            ("1.2.3", Kind::text("1.2.3")),
            ("8ms p99 40ms", Kind::text("8ms p99 40ms")),
            ("2026-01-01", Kind::text("2026-01-01")),
            ("'80'", Kind::text("80")),
            ("\"null\"", Kind::text("null")),
            ("0x", Kind::text("0x")),
            ("e5", Kind::text("e5")),
            (".", Kind::text(".")),
            ("+.nan", Kind::text("+.nan")),
            ("null", Kind::Null),
            ("~", Kind::Null),
            ("", Kind::Null),
            ("true", Kind::bool(true)),
            ("-1", Kind::int(-1)),
            ("2147483647", Kind::int(2_147_483_647)),
            ("1.5", Kind::float(1.5)),
            (".inf", Kind::float(f64::INFINITY)),
            ("-.inf", Kind::float(f64::NEG_INFINITY)),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
        assert!(matches!(kind("0x1F"), Kind::Int(31, t) if t == "0x1F"));
        assert!(matches!(kind("0o17"), Kind::Int(15, _)));
        assert!(matches!(kind("+5"), Kind::Int(5, t) if t == "+5"));
        assert!(matches!(kind("007"), Kind::Int(7, t) if t == "007"));
        assert!(matches!(kind("1e3"), Kind::Float(v, _) if v == 1000.0));
        assert!(matches!(kind(".5"), Kind::Float(v, _) if v == 0.5));
        assert!(matches!(kind(&"9".repeat(60)), Kind::Float(_, t) if t.len() == 60));
    }

    #[test]
    fn every_key_and_value_knows_its_place() {
        let text = "é: { kind: 'a b', n: [1, 22] }\nnext:\n  x: y  # c\n";
        let (sources, result) = parsed(text);
        let tree = result.unwrap();
        let of = |span| sources.text(span).unwrap();
        let (key, value) = tree.entry("é").unwrap();
        assert_eq!(of(key.span), "é");
        assert_eq!(of(value.span), "{ kind: 'a b', n: [1, 22] }");
        assert_eq!(of(value.get("kind").unwrap().span), "'a b'");
        let list = value.get("n").unwrap();
        assert_eq!(of(list.span), "[1, 22]");
        assert_eq!(of(list.items().unwrap()[1].span), "22");
        let (key, value) = tree.get("next").unwrap().entry("x").unwrap();
        assert_eq!((of(key.span), of(value.span)), ("x", "y"));
        let path = Path::of_keys(["next", "x", "beyond"]);
        assert!(tree.find(&path).is_none());
        assert_eq!(of(tree.locate(&path)), "y");
    }

    #[test]
    fn byte_order_mark_and_windows_line_ends() {
        let (sources, result) = parsed("\u{feff}a: 1\r\nbé: 2\r\nc: x\r\n");
        let tree = result.unwrap();
        let of = |name: &str| sources.text(tree.entry(name).unwrap().0.span).unwrap();
        assert_eq!((of("a"), of("bé"), of("c")), ("a", "bé", "c"));
    }

    #[test]
    fn empty_texts() {
        for text in ["", "  \n", "# only a comment\n", "---\n", "---\n...\n", "\u{feff}"] {
            assert!(refused(text).contains("the text is empty"), "{text:?}");
        }
        assert!(tree("null").is_null());
    }

    #[test]
    fn a_scenario_is_a_map() {
        let mut sources = Sources::new();
        for text in ["- a", "just text", "42", "null"] {
            let id = sources.add("t", text);
            let error = parse(&sources, id).unwrap_err();
            assert!(error[0].message.contains("a map of sections"), "{text}");
        }
    }

    #[test]
    fn duplicate_keys_are_all_found() {
        let text = refused("a: 1\nb: { c: 1, c: 2 }\na: 3\na: 4\n");
        assert!(text.contains("t.yaml:2:12: error: `c` is written twice"), "{text}");
        assert!(text.contains("t.yaml:3:1:"), "{text}");
        assert!(text.contains("t.yaml:4:1:"), "{text}");
        assert!(refused("{ 'a': 1, a: 2 }").contains("twice"));
    }

    #[test]
    fn what_yaml_offers_beyond_is_refused() {
        for (text, word) in [
            ("a: &x 1\n", "anchors"),
            ("a: &x [1]\n", "anchors"),
            ("a: &x 1\nb: *x\n", "aliases"),
            ("a: &x { k: 1 }\nb: { <<: *x }\n", "aliases"),
            ("a: &x 1\n*x : 2\n", "aliases"),
            ("b: *x\n", "aliases"),
            ("a: !!str 1\n", "tags"),
            ("a: !custom { b: 1 }\n", "tags"),
            ("a: 1\n---\nb: 2\n", "second document"),
            ("? [a, b]\n: 1\n", "has to be a word"),
            ("{ { a: 1 }: 1 }\n", "has to be a word"),
            (": 1\n", "key is missing"),
        ] {
            let errors = refused(text);
            assert!(errors.contains(word), "{text:?}: {errors}");
        }
    }

    #[test]
    fn texts_that_are_not_yaml() {
        for text in [
            "a: {",
            "a: [1, 2",
            "a: ]",
            "a: 'open\n",
            "a: \"open\n",
            "a: b: c\n",
            "a:\n\t- x\n",
            "a: 1\n  b: 2\n",
            "a:\n  b: 1\n c: 2\n",
            "a: @x\n",
            "a: `x`\n",
            "a: \"\\q\"\n",
            "after: x.steps[1] }\n{",
            "%YAML 9\n---\na: 1\n%",
            "{ after: a.steps[1] }",
            "a\nb: 1\n",
            "PK\u{3}\u{4}",
            "a: 1\u{0}b: 2\n",
            "a: \u{7f}\n",
        ] {
            let errors = refused(text);
            assert!(errors.contains("t.yaml:") && !errors.contains("this is not YAML"), "{text:?}: {errors}");
        }
    }

    #[test]
    fn an_open_bracket_is_shown() {
        let (sources, result) = parsed("nodes:\n  a: { kind: x\n  b: { kind: y }\n");
        let errors = result.unwrap_err();
        let opened = &errors[0].related[0];
        assert_eq!(opened.1, "opened here");
        assert_eq!(sources.position(opened.0).map(|p| (p.line, p.column)), Some((2, 6)));
    }

    #[test]
    fn deep_nesting_is_refused_without_harm() {
        assert!(parsed(&format!("{}{}", "[".repeat(32), "]".repeat(32))).1.is_ok());
        for text in [
            "[".repeat(33),
            "[".repeat(500_000),
            "{a: ".repeat(200_000),
            "- ".repeat(400_000),
            (0..1000).map(|i| format!("{}a:\n", " ".repeat(i))).collect(),
        ] {
            let errors = refused(&text);
            assert!(errors.contains("deeper than 32"), "{}: {errors}", &text[..20]);
        }
        assert!(refused(&"? ".repeat(400_000)).contains("a key has to be a word"));
    }

    #[test]
    fn large_texts_are_refused_and_long_ones_are_not_slow() {
        assert!(refused(&"a".repeat(10 << 20)).contains("larger than 1 MB"));
        let many: String = (0..70_000).map(|i| format!("k{i}: {i}\n")).collect();
        assert_eq!(tree(&many).entries().unwrap().len(), 70_000);
        let same = "k: 1\n".repeat(200_000);
        assert!(refused(&same).lines().count() <= 2 * MOST_ERRORS);
    }

    #[test]
    fn files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.yaml");
        let mut sources = Sources::new();
        assert!(read(&mut sources, &path).unwrap_err().message.contains("cannot read"));
        assert!(read(&mut sources, dir.path()).is_err());
        std::fs::write(&path, vec![b'a'; 10 << 20]).unwrap();
        let error = read(&mut sources, &path).unwrap_err();
        assert!(one_line(&error, &sources).contains("s.yaml:1:1: error: the text is larger than 1 MB"));
        std::fs::write(&path, b"a: 1\nb: \xff\n").unwrap();
        let error = read(&mut sources, &path).unwrap_err();
        assert!(one_line(&error, &sources).contains("s.yaml:2:4: error: this is not text"));
        std::fs::write(&path, b"a: 1\n").unwrap();
        let id = read(&mut sources, &path).unwrap();
        assert!(parse(&sources, id).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([a-c]|[-:?{}\\[\\],&*!|>'\"%@#~ \n\t]|é){0,40}") {
            let (sources, result) = parsed(&text);
            if let Err(errors) = result {
                proptest::prop_assert!(!render(&errors, &sources, Look::default()).is_empty());
            }
        }
    }
}
