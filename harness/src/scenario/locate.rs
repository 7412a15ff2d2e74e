//! From the plan's words for a place (`["nodes", "payments", "of"]`) to the place in the text.

use beaufort_sim::plan::PlanError;

use super::diagnostics::{Diagnostic, Span, did_you_mean};
use super::path::Path;
use super::steps::{given_name, own_name, verb};
use super::tree::{Key, Kind, Tree};
use super::{KIND, TARGET};

/// The error as a message that points into the text; `known` are the names that a dangling one may
/// have been meant to be.
pub fn diagnostic(tree: &Tree, error: &PlanError, known: &[String]) -> Diagnostic {
    let path: Vec<&str> = error.path.iter().map(String::as_str).collect();
    let quoted = quoted(&error.message);
    let message = match path.is_empty() {
        true => error.message.clone(),
        false => format!("{}: {}", in_words(tree, &path), error.message),
    };
    let guess = quoted.and_then(|name| did_you_mean(name, known.iter().map(String::as_str)));
    let help = match (&error.help, guess) {
        (Some(help), Some(guess)) if error.word == "dangling" => Some(format!("{guess} ({help})")),
        (Some(help), _) => Some(help.clone()),
        (None, guess) => guess,
    };
    Diagnostic::error(message, locate(tree, &path, quoted)).maybe_help(help)
}

/// The path as the language writes it: a step by its name.
fn in_words(tree: &Tree, path: &[&str]) -> String {
    let mut words = Path::root();
    let mut here = Some(tree);
    for segment in path {
        let index = here.and_then(Tree::items).and_then(|items| Some((items, position(items, segment)?)));
        match index {
            Some((items, index)) => words.push_item(index, own_name(items, index)),
            None => words.push_key(segment),
        }
        here = here.and_then(|here| step(here, segment)).map(|(_, next)| next);
    }
    words.to_string()
}

/// Where this path leads: the value at its end, or the key of the deepest entry that exists. If the
/// message quotes a name that stands inside of it, then there.
pub fn locate(tree: &Tree, path: &[&str], quoted: Option<&str>) -> Span {
    let mut here = tree;
    let mut key = None;
    let mut complete = true;
    for segment in path {
        let Some((next_key, next)) = step(here, segment) else {
            complete = false;
            break;
        };
        // A step has no key of its own; its verb stands for it.
        key = Some(next_key.map_or(next.head(), |key| key.span));
        here = next;
    }
    if let Some(found) = quoted.and_then(|name| mentioned(here, name)) {
        return found;
    }
    match &here.kind {
        Kind::Map(_) | Kind::Seq(_) | Kind::Null => key.unwrap_or(here.head()),
        _ if complete => here.span,
        _ => key.unwrap_or(here.span),
    }
}

/// Where this name stands, or the node of which it is a part: `psp` of `psp.charge`.
fn mentioned(here: &Tree, name: &str) -> Option<Span> {
    mention(here, name).or_else(|| mention(here, name.rsplit_once('.')?.0))
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

/// A step by its position, its `as` or its verb.
fn position(items: &[Tree], segment: &str) -> Option<usize> {
    if let Some(number) = segment.strip_prefix('#') {
        return number.parse::<usize>().ok()?.checked_sub(1).filter(|index| *index < items.len());
    }
    if let Ok(index) = segment.parse::<usize>() {
        return (index < items.len()).then_some(index);
    }
    let named = items.iter().position(|item| given_name(item) == Some(segment));
    named.or_else(|| items.iter().position(|item| verb(item) == Some(segment)))
}

/// A step of a recipe, also inside a group of steps.
fn find_step<'t>(items: &'t [Tree], segment: &str) -> Option<&'t Tree> {
    if let Some(index) = position(items, segment) {
        return items.get(index);
    }
    let groups = items.iter().filter_map(Tree::entries).filter_map(|entries| entries.first());
    groups.filter_map(|(_, group)| group.items()).find_map(|group| find_step(group, segment))
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
    fn a_step_is_named_in_words() {
        let mut sources = Sources::new();
        let id = sources.add("t", TEXT);
        let tree = parse(&sources, id).unwrap();
        assert_eq!(in_words(&tree, &["nodes", "worker", "steps", "1"]), "nodes.worker.steps.transaction");
        assert_eq!(in_words(&tree, &["nodes", "worker", "steps", "0", "op"]), "nodes.worker.steps.charge.op");
        assert_eq!(in_words(&tree, &["nodes", "no", "x"]), "nodes.no.x");
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
        assert_eq!(at(&["nodes", "worker", "steps", "charge"], "there is no `psp.x`"), "7:17 psp ");
        assert_eq!(at(&["nodes", "worker", "steps", "1"], "cannot"), "8:9 transaction ");
        assert_eq!(at(&["nodes", "worker", "steps", "insert", "target"], "no"), "8:33 db.row ");
        assert_eq!(at(&["nodes", "worker", "missing"], "is missing"), "2:3 worker ");
        assert_eq!(at(&["elsewhere"], "what?"), "1:1 nodes ");
    }
}
