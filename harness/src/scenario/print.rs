//! A tree as the YAML that is written by hand: sections as blocks, entries as one line where they
//! fit, a recipe as a list of lines, quotes only where YAML needs them.

use super::path::{Path, Segment};
use super::tree::{Key, Kind, Tree};

/// Lines are kept within so many columns, where that is possible.
const WIDTH: usize = 100;

/// What to write behind the line of a key or list element; nothing for most of them.
pub type Notes<'n> = &'n dyn Fn(&Path) -> Option<String>;

/// The tree as YAML, ending with a line end.
pub fn print(tree: &Tree) -> String {
    print_with_notes(tree, &|_| None)
}

/// The tree as YAML, with a comment behind every line for which `notes` has one.
///
/// What has a note of its own gets a line of its own, even if its map would fit on one.
pub fn print_with_notes(tree: &Tree, notes: Notes<'_>) -> String {
    let mut printer = Printer { out: String::new(), notes, path: Path::root() };
    match &tree.kind {
        Kind::Map(entries) if !entries.is_empty() => printer.document(tree),
        Kind::Seq(items) if !items.is_empty() => printer.items(items, 0),
        _ => {
            printer.out = flow(tree);
            printer.out.push('\n');
        }
    }
    printer.out
}

struct Printer<'n> {
    out: String,
    notes: Notes<'n>,
    path: Path,
}

impl Printer<'_> {
    fn document(&mut self, tree: &Tree) {
        let mut spread_before = false;
        for (i, (key, value)) in tree.entries().unwrap_or_default().iter().enumerate() {
            let start = self.out.len();
            self.path.push_key(&key.name);
            self.entry(&key.name, value, 0);
            self.path.pop();
            // A section of several lines stands apart from what is before and after it.
            let spread = self.out[start..].lines().nth(1).is_some();
            if i > 0 && (spread || spread_before) {
                self.out.insert(start, '\n');
            }
            spread_before = spread;
        }
    }

    /// `key: value` with the line's indentation; the path already leads to the value.
    fn entry(&mut self, key: &str, value: &Tree, indent: usize) {
        self.indent(indent);
        self.out.push_str(&key_text(key));
        self.out.push(':');
        self.after_key(value, indent);
    }

    /// What comes behind `key:`, on the same line or below it.
    fn after_key(&mut self, value: &Tree, indent: usize) {
        if let Some(text) = self.fitting(value) {
            self.out.push(' ');
            self.out.push_str(&text);
            self.end_line();
            return;
        }
        self.end_line();
        match &value.kind {
            Kind::Map(entries) => {
                for (key, value) in entries {
                    self.path.push_key(&key.name);
                    self.entry(&key.name, value, indent + 2);
                    self.path.pop();
                }
            }
            Kind::Seq(items) => self.items(items, indent + 2),
            _ => {}
        }
    }

    fn items(&mut self, items: &[Tree], indent: usize) {
        for (index, item) in items.iter().enumerate() {
            self.path.push_index(index);
            self.indent(indent);
            self.out.push('-');
            self.item(item, indent);
            self.path.pop();
        }
    }

    /// What comes behind the `-` of a list.
    fn item(&mut self, item: &Tree, indent: usize) {
        let single = item.entries().is_some_and(|entries| entries.len() == 1);
        match (&item.kind, self.fitting(item)) {
            (_, Some(text)) if !single => {
                self.out.push(' ');
                self.out.push_str(&text);
                self.end_line();
            }
            (Kind::Map(entries), _) => self.spread_item(entries, indent),
            _ => {
                self.end_line();
                self.items(item.items().unwrap_or_default(), indent + 2);
            }
        }
    }

    /// A map whose first key stands behind the `-`.
    fn spread_item(&mut self, entries: &[(Key, Tree)], indent: usize) {
        for (i, (key, value)) in entries.iter().enumerate() {
            self.path.push_key(&key.name);
            if i == 0 {
                self.out.push(' ');
                self.out.push_str(&key_text(&key.name));
                self.out.push(':');
                self.after_key(value, indent + 2);
            } else {
                self.entry(&key.name, value, indent + 2);
            }
            self.path.pop();
        }
    }

    /// The value on one line, if it belongs on the line that has been begun.
    fn fitting(&mut self, value: &Tree) -> Option<String> {
        match &value.kind {
            Kind::Map(entries) if entries.is_empty() => return Some("{}".into()),
            Kind::Seq(items) if items.is_empty() => return Some("[]".into()),
            Kind::Map(_) | Kind::Seq(_) => {}
            _ => return Some(scalar(value, false)),
        }
        if self.wants_lines(value) || self.has_notes(value) {
            return None;
        }
        let column = self.out.len() - self.out.rfind('\n').map_or(0, |i| i + 1);
        flow_within(value, WIDTH.saturating_sub(column + 1))
    }

    /// A recipe wants a line for each step, and a section one for each entry.
    fn wants_lines(&self, value: &Tree) -> bool {
        let depth = self.path.segments().len();
        match &value.kind {
            Kind::Map(entries) => {
                let spread = |v: &Tree| holds_maps(v) || needs_block(v);
                (depth == 1 && entries.iter().any(|(_, v)| v.entries().is_some()))
                    || entries.iter().any(|(key, v)| !is_group(&key.name) && spread(v))
            }
            Kind::Seq(_) => holds_maps(value) && !self.in_step(),
            _ => false,
        }
    }

    /// Whether this list belongs to a step, as `transaction: [ … ]` does, and is no recipe.
    fn in_step(&self) -> bool {
        let segments = self.path.segments();
        matches!(segments, [.., Segment::Item { .. }, _])
    }

    fn has_notes(&mut self, value: &Tree) -> bool {
        match &value.kind {
            Kind::Map(entries) => entries.iter().any(|(key, value)| {
                self.path.push_key(&key.name);
                let found = (self.notes)(&self.path).is_some() || self.has_notes(value);
                self.path.pop();
                found
            }),
            Kind::Seq(items) => items.iter().enumerate().any(|(index, value)| {
                self.path.push_index(index);
                let found = (self.notes)(&self.path).is_some() || self.has_notes(value);
                self.path.pop();
                found
            }),
            _ => false,
        }
    }

    fn indent(&mut self, indent: usize) {
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    fn end_line(&mut self) {
        if let Some(note) = (self.notes)(&self.path) {
            let note: String = note.chars().map(|c| if is_odd(c) { ' ' } else { c }).collect();
            self.out.push_str("  # ");
            self.out.push_str(note.trim());
        }
        self.out.push('\n');
    }
}

/// The lists of steps that act together are part of one step's line.
fn is_group(key: &str) -> bool {
    matches!(key, "transaction" | "together")
}

fn holds_maps(value: &Tree) -> bool {
    let is_map = |v: &Tree| v.entries().is_some();
    value.items().is_some_and(|items| items.iter().any(is_map))
}

/// A text that needs quotes only because it would stand between braces.
fn needs_block(value: &Tree) -> bool {
    matches!(&value.kind, Kind::Str(text) if is_plain(text, false) && !is_plain(text, true))
}

fn flow(tree: &Tree) -> String {
    flow_within(tree, usize::MAX).unwrap_or_default()
}

/// The value on one line, unless it is longer than `most` columns.
fn flow_within(tree: &Tree, most: usize) -> Option<String> {
    let mut out = String::new();
    write_flow(tree, most, &mut out).then_some(out)
}

fn write_flow(tree: &Tree, most: usize, out: &mut String) -> bool {
    match &tree.kind {
        Kind::Map(entries) if entries.is_empty() => out.push_str("{}"),
        Kind::Map(entries) => {
            out.push_str("{ ");
            for (i, (key, value)) in entries.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                out.push_str(&flow_key(&key.name));
                out.push_str(": ");
                if !write_flow(value, most, out) {
                    return false;
                }
            }
            out.push_str(" }");
        }
        Kind::Seq(items) => {
            out.push('[');
            for (i, value) in items.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                if !write_flow(value, most, out) {
                    return false;
                }
            }
            out.push(']');
        }
        _ => out.push_str(&scalar(tree, true)),
    }
    out.chars().count() <= most
}

fn scalar(tree: &Tree, in_flow: bool) -> String {
    match &tree.kind {
        Kind::Null => "null".into(),
        Kind::Str(text) if is_plain(text, in_flow) => text.clone(),
        Kind::Str(text) => quoted(text),
        _ => tree.as_text().unwrap_or_default().to_owned(),
    }
}

fn key_text(key: &str) -> String {
    if is_plain_key(key, false) { key.to_owned() } else { quoted(key) }
}

fn flow_key(key: &str) -> String {
    if is_plain_key(key, true) { key.to_owned() } else { quoted(key) }
}

/// Keys are words whatever they look like: `404:` needs no quotes, `null:` would be odd.
fn is_plain_key(key: &str, in_flow: bool) -> bool {
    is_plain_text(key, in_flow) && !matches!(Kind::plain(key), Kind::Null)
}

/// Whether a text may be written without quotes and reads back as this text.
fn is_plain(text: &str, in_flow: bool) -> bool {
    is_plain_text(text, in_flow) && matches!(Kind::plain(text), Kind::Str(_))
}

fn is_plain_text(text: &str, in_flow: bool) -> bool {
    let Some(first) = text.chars().next() else {
        return false;
    };
    let brackets = [',', '[', ']', '{', '}'];
    let starts_badly = match first {
        '-' => text[1..].starts_with([' ', '-', ',', '[', ']', '{', '}']) || text.len() == 1,
        '?' | ':' | '#' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => true,
        c => brackets.contains(&c),
    };
    let spaced = text.starts_with(' ') || text.ends_with(' ');
    let reads_as_more = text.contains(": ") || text.contains(" #") || text.ends_with(':');
    // The parser takes a lone dash at the end of a flow text for the start of a list.
    let closes_flow = in_flow && (text.contains(brackets) || text.ends_with(" -"));
    // Three dots or dashes at the start of a line are a document marker.
    let marker = text.starts_with("...");
    !(starts_badly || spaced || reads_as_more || closes_flow || marker || text.chars().any(is_odd))
}

/// What cannot stand in a text without an escape.
fn is_odd(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_odd(c) => out.push_str(&escape(u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn escape(code: u32) -> String {
    match code {
        0..=0xff => format!("\\x{code:02x}"),
        0x100..=0xffff => format!("\\u{code:04x}"),
        _ => format!("\\U{code:08x}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scenario::diagnostics::{Diagnostic, Sources};
    use crate::scenario::sample::trees;
    use crate::scenario::tree::{MOST_DEPTH, parse_value};

    fn parse(text: &str) -> Result<Tree, Vec<Diagnostic>> {
        let mut sources = Sources::new();
        let id = sources.add("t", text);
        parse_value(&sources, id)
    }

    fn again(text: &str) -> String {
        print(&parse(text).unwrap())
    }

    #[test]
    fn prints_as_it_is_written_by_hand() {
        let text = "\
scenario: order-flow
why: An order, once placed, is charged exactly once.
time: { warmup: 1m, run: 30m, drain: 60m }

flows:
  orders: { key: customer, keys: 10000, skew: 1.1, size: 2KB }

nodes:
  shoppers: { kind: load, flow: orders, to: edge, rate: 50/s, policy: shopper }
  orders-db: { kind: sql-database, zone-redundant: true, holds: [order, event] }
  orders-api:
    kind: container-app
    replicas: 3
    steps:
      - work: 8ms p99 40ms
      - transaction: [{ insert: db.order, once: item }, { insert: db.event, once: item }]
      - { send: payments, type: AuthorizePayment, session: key, once: item, as: command }
      - reply: 202
      - complete
  relay: { trigger: daily 01:00, on-failure: [complete] }

variants:
  ack-first:
    why: The message is completed, then the effect happens.
    expect: { fail: charged-once, because: lost }
    nodes.relay: null
    nodes.worker.steps:
      - complete
      - work: 10:30
";
        assert_eq!(again(text), text);
    }

    #[test]
    fn long_lines_are_broken() {
        let long = "x".repeat(60);
        let text = format!("nodes:\n  a: {{ b: {long}, c: {long}, d: [{long}, {long}] }}\n");
        let expected =
            format!("nodes:\n  a:\n    b: {long}\n    c: {long}\n    d:\n      - {long}\n      - {long}\n");
        assert_eq!(again(&text), expected);
        let steps = format!("n:\n  s: [{{ transaction: [{{ insert: {long} }}, {{ insert: {long} }}] }}]");
        let expected =
            format!("n:\n  s:\n    - transaction:\n        - insert: {long}\n        - insert: {long}\n");
        assert_eq!(again(&steps), expected);
    }

    #[test]
    fn quotes_only_where_needed() {
        let check = |text: &str, expected: &str| {
            let tree = Tree::from(Kind::Map(vec![(Key::new("k"), Kind::text(text).into())]));
            assert_eq!(print(&tree), format!("k: {expected}\n"));
            assert_eq!(parse(&print(&tree)), Ok(tree));
        };
        for plain in ["a b", "on", "10:30", "0.05%", "a, b", "it's", "-x", "a#b", "1..4", "é", "a -> b"] {
            check(plain, plain);
        }
        for quoted in [
            "80", "true", "null", "~", "", " a", "a ", "- a", "a: b", "a #b", "a:", "1.5", "0x1F", "[a",
            "*a", "-", "---", "...",
        ] {
            check(quoted, &format!("\"{quoted}\""));
        }
        check("a\nb", "\"a\\nb\"");
        check("\u{7}\u{2028}", "\"\\x07\\u2028\"");
        check("say \"x\\y\" \u{1f980}", "say \"x\\y\" \u{1f980}");
        check("\"x\\y\"", "\"\\\"x\\\\y\\\"\"");
    }

    #[test]
    fn notes_stand_behind_their_line() {
        let tree =
            parse("time: { run: 30m, drain: 5m }\nnodes: { a: { kind: x, steps: [{ b: c, d: e }, f] } }")
                .unwrap();
        let notes = |path: &Path| match path.to_string().as_str() {
            "time.drain" => Some("default\nof ours".to_owned()),
            "nodes.a" => Some("a node".to_owned()),
            "nodes.a.steps.#1.d" => Some("facts 3.1".to_owned()),
            "nodes.a.steps.#2" => Some("a word".to_owned()),
            _ => None,
        };
        let expected = "\
time:
  run: 30m
  drain: 5m  # default of ours

nodes:
  a:  # a node
    kind: x
    steps:
      - b: c
        d: e  # facts 3.1
      - f  # a word
";
        assert_eq!(print_with_notes(&tree, &notes), expected);
        assert_eq!(parse(expected), Ok(tree));
    }

    #[test]
    fn scalars_and_empty_things_alone() {
        for text in ["42\n", "null\n", "{}\n", "[]\n", "\"\"\n", "a: {}\nb: []\n", "- 1\n- []\n- {}\n"] {
            assert_eq!(again(text), text);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn what_is_printed_reads_back(tree in trees()) {
            let printed = print(&tree);
            prop_assert_eq!(parse(&printed), Ok(tree.clone()), "{}", printed);
            prop_assert!(tree.depth() <= MOST_DEPTH);
        }

        #[test]
        fn what_is_printed_with_notes_reads_back(tree in trees()) {
            let printed = print_with_notes(&tree, &|path| Some(format!("at {path}\n#")));
            prop_assert_eq!(parse(&printed), Ok(tree), "{}", printed);
        }
    }
}
