//! From the plan's words for a place (`["nodes", "payments", "of"]`) to the place in the text.

use beaufort_sim::plan::PlanError;

use super::diagnostics::{Diagnostic, Span, did_you_mean};
use super::path::{given_name, verb};
use super::tree::{Key, Kind, Tree};
use super::{KIND, TARGET};

/// The error as a message that points into the text; `known` are the names that a dangling one may
/// have been meant to be.
pub fn diagnostic(tree: &Tree, error: &PlanError, known: &[String]) -> Diagnostic {
    let path: Vec<&str> = error.path.iter().map(String::as_str).collect();
    let quoted = quoted(&error.message);
    let message = match path.is_empty() {
        true => error.message.clone(),
        false => format!("{}: {}", path.join("."), error.message),
    };
    let guess = quoted.and_then(|name| did_you_mean(name, known.iter().map(String::as_str)));
    let help = match (&error.help, guess) {
        (Some(help), Some(guess)) if error.word == "dangling" => Some(format!("{guess} ({help})")),
        (Some(help), _) => Some(help.clone()),
        (None, guess) => guess,
    };
    Diagnostic::error(message, locate(tree, &path, quoted)).maybe_help(help)
}

/// Where this path leads: the value at its end, or the key of the deepest entry that exists. If the
/// message quotes a name that stands inside of it, then there.
pub fn locate(tree: &Tree, path: &[&str], quoted: Option<&str>) -> Span {
    let mut here = tree;
    let mut key: Option<&Key> = None;
    let mut complete = true;
    for segment in path {
        match step(here, segment) {
            Some((next_key, next)) => {
                key = next_key.or(key);
                here = next;
            }
            None => {
                complete = false;
                break;
            }
        }
    }
    if let Some(found) = quoted.and_then(|name| mention(here, name)) {
        return found;
    }
    match &here.kind {
        Kind::Map(_) | Kind::Seq(_) | Kind::Null => key.map_or(here.head(), |key| key.span),
        _ if complete => here.span,
        _ => key.map_or(here.span, |key| key.span),
    }
}

fn step<'t>(here: &'t Tree, segment: &str) -> Option<(Option<&'t Key>, &'t Tree)> {
    match &here.kind {
        Kind::Map(entries) => {
            let named = entries.iter().find(|(key, _)| key.name == segment);
            let object = || entries.iter().find(|(key, _)| segment == TARGET && key.name != KIND);
            named.or_else(object).map(|(key, value)| (Some(key), value))
        }
        Kind::Seq(items) => find_step(items, segment).map(|item| (None, item)),
        _ => None,
    }
}

/// A step by its position, its `as` or its verb, also inside a group of steps.
fn find_step<'t>(items: &'t [Tree], segment: &str) -> Option<&'t Tree> {
    if let Some(number) = segment.strip_prefix('#') {
        return items.get(number.parse::<usize>().ok()?.checked_sub(1)?);
    }
    if let Ok(index) = segment.parse::<usize>() {
        return items.get(index);
    }
    let named = items.iter().find(|item| given_name(item) == Some(segment));
    let by_verb = || items.iter().find(|item| verb(item) == Some(segment));
    let inside = || {
        let groups = items.iter().filter_map(Tree::entries).filter_map(|entries| entries.first());
        groups.filter_map(|(_, group)| group.items()).find_map(|group| find_step(group, segment))
    };
    named.or_else(by_verb).or_else(inside)
}

/// The first place at or below `here` where this very text stands, as a value or as a key.
fn mention(here: &Tree, text: &str) -> Option<Span> {
    match &here.kind {
        Kind::Map(entries) => entries
            .iter()
            .find_map(|(key, value)| if key.name == text { Some(key.span) } else { mention(value, text) }),
        Kind::Seq(items) => items.iter().find_map(|item| mention(item, text)),
        _ => (here.as_text() == Some(text)).then_some(here.span),
    }
}

/// The first thing that a message quotes in backticks.
fn quoted(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once('`')?;
    rest.split_once('`').map(|(quoted, _)| quoted).filter(|quoted| !quoted.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::diagnostics::Sources;
    use crate::scenario::tree::parse;

    const TEXT: &str = "\
nodes:
  worker:
    kind: function-app
    trigger: paymnts
    types: [a, b]
    steps:
      - { call: psp, as: charge }
      - transaction: [{ insert: db.row }]
faults:
  crash: { proc.crash: wroker }
";

    fn at(path: &[&str], message: &str) -> String {
        let mut sources = Sources::new();
        let id = sources.add("t", TEXT);
        let tree = parse(&sources, id).unwrap();
        let known = ["payments".to_owned(), "worker".to_owned()];
        let error = PlanError::at(path, message).word("dangling");
        let found = diagnostic(&tree, &error, &known);
        let at = sources.position(found.span).unwrap();
        let text = sources.text(found.span).unwrap();
        format!("{}:{} {text} {}", at.line, at.column, found.help.unwrap_or_default())
    }

    #[test]
    fn paths_of_the_plan_lead_into_the_text() {
        let dangling = "there is no `paymnts`";
        assert_eq!(at(&["nodes", "worker", "trigger"], dangling), "4:14 paymnts did you mean `payments`?");
        assert_eq!(at(&["faults", "crash", "target"], "no `wroker`"), "10:24 wroker did you mean `worker`?");
        assert_eq!(at(&["faults", "crash"], "no `wroker`"), "10:24 wroker did you mean `worker`?");
        assert_eq!(at(&["nodes", "worker", "types"], "type `b` does not exist"), "5:16 b ");
        assert_eq!(at(&["nodes", "worker", "steps", "charge", "call"], "no"), "7:17 psp ");
        assert_eq!(at(&["nodes", "worker", "steps", "#2", "insert"], "no `db.row`"), "8:33 db.row ");
        assert_eq!(at(&["nodes", "worker", "steps", "insert", "target"], "no"), "8:33 db.row ");
        assert_eq!(at(&["nodes", "worker", "missing"], "is missing"), "2:3 worker ");
        assert_eq!(at(&["elsewhere"], "what?"), "1:1 nodes ");
    }
}
