//! Patches: a design and its mistakes in one file.
//!
//! A patch is a path and a value, in a variant (`nodes.payments.lock: 5s`) or on the command line
//! (`--set nodes.payments.lock=5s`). A path names a section, an entry and then fields; a step of
//! a recipe by its `as`, or by its verb if that occurs once in the list. Two segments add or
//! replace a whole entry; more have to lead to something that exists, up to the last, which may
//! be a new field. `null` removes, as if it had never been written.

use super::diagnostics::{Diagnostic, SourceId, Sources, Span, did_you_mean, listed, short};
use super::path::{given_name, verb};
use super::tree::{Key, Kind, MOST_DEPTH, Tree, parse_part, too_deep};

/// The section that holds the variants.
const SECTION: &str = "variants";

/// The keys of a variant that are no paths.
pub const HEADER: &[&str] = &["why", "expect", "like", "may-fail"];

/// The lists of steps that are steps themselves.
const GROUPS: &[&str] = &["transaction", "together"];

/// A variant, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// The scenario with the patches applied, without the section `variants`.
    pub scenario: Tree,
    /// What the variant says about itself, [`HEADER`]: a map that its own type reads.
    pub header: Tree,
}

/// The scenario as it is without any variant.
pub fn base(tree: &Tree) -> Tree {
    let mut base = tree.clone();
    if let Kind::Map(entries) = &mut base.kind {
        entries.retain(|(key, _)| key.name != SECTION);
    }
    base
}

/// The names of the variants, in the order of the file.
pub fn names(tree: &Tree) -> Vec<&str> {
    let section = tree.get(SECTION).and_then(Tree::entries).unwrap_or_default();
    section.iter().map(|(key, _)| key.name.as_str()).collect()
}

/// The scenario of a variant: the base with the patches of all its `like` ancestors, the
/// remotest first, and then its own, in the order of the file.
///
/// # Errors
/// There is no variant of that name, its ancestors do not exist or go round in a circle, or one
/// of the patches cannot be applied.
pub fn variant(tree: &Tree, name: &str) -> Result<Variant, Vec<Diagnostic>> {
    let line = ancestry(tree, name).map_err(|e| vec![e])?;
    let mut patches = Vec::new();
    let mut header = Tree::from(Kind::Map(Vec::new()));
    for (key, body) in line {
        let entries = body.entries().ok_or_else(|| vec![not_a_variant(key, body)])?;
        let (about, paths): (Vec<_>, Vec<_>) =
            entries.iter().cloned().partition(|(key, _)| HEADER.contains(&key.name.as_str()));
        header = Tree { kind: Kind::Map(about), span: body.span };
        patches.extend(paths);
    }
    let scenario = apply(&base(tree), &patches)?;
    Ok(Variant { scenario, header })
}

/// Applies patches, one after the other.
///
/// # Errors
/// For each patch that cannot be applied, why; the ones after it are still tried.
pub fn apply(base: &Tree, patches: &[(Key, Tree)]) -> Result<Tree, Vec<Diagnostic>> {
    let mut tree = base.clone();
    let mut errors = Vec::new();
    for (key, value) in patches {
        if let Err(error) = patch(&mut tree, key, value) {
            errors.push(*error);
        }
    }
    if errors.is_empty() { Ok(tree) } else { Err(errors) }
}

/// Reads `PATH=VALUE`, the argument of `--set`, as a patch; the value is written in YAML.
///
/// # Errors
/// There is no `=`, no path or no value, or the value is not YAML.
pub fn parse_set(sources: &mut Sources, argument: &str) -> Result<(Key, Tree), Vec<Diagnostic>> {
    let id = sources.add("--set", argument);
    let whole = Span::new(id, 0, argument.len());
    let wrong = |message: &str, span| {
        let error = Diagnostic::error(message, span);
        Err(vec![error.help("write `--set nodes.NAME.FIELD=VALUE`; the value `null` removes")])
    };
    let Some((path, value)) = argument.split_once('=') else {
        return wrong("`--set` needs a path, `=` and a value", whole);
    };
    let name = path.trim();
    if name.is_empty() {
        return wrong("there is no path in front of the `=`", whole);
    }
    if value.trim().is_empty() {
        return wrong("there is no value behind the `=`", whole);
    }
    let value = set_value(argument, id, path.len() + 1)?;
    let start = path.len() - path.trim_start().len();
    let key = Key { name: name.to_owned(), span: Span::new(id, start, name.len()) };
    Ok((key, value))
}

fn set_value(argument: &str, id: SourceId, offset: usize) -> Result<Tree, Vec<Diagnostic>> {
    let quote = |mut errors: Vec<Diagnostic>| {
        for error in &mut errors {
            let help = "the value is YAML; a text with special characters has to be quoted";
            error.help.get_or_insert(help.into());
        }
        errors
    };
    parse_part(argument, id, offset).map_err(quote)
}

/// The variant and all it is like, the remotest ancestor first.
fn ancestry<'t>(tree: &'t Tree, name: &str) -> Result<Vec<(&'t Key, &'t Tree)>, Diagnostic> {
    let mut line: Vec<(&Key, &Tree)> = Vec::new();
    let mut wanted = name;
    let mut asked = Span::NONE;
    loop {
        let found = tree.get(SECTION).and_then(|section| section.entry(wanted));
        let Some((key, body)) = found else {
            return Err(no_variant(tree, wanted, asked));
        };
        if line.iter().any(|(seen, _)| seen.name == key.name) {
            return Err(circle(&line, key, asked));
        }
        line.push((key, body));
        match body.get("like") {
            None => break,
            Some(like) => {
                asked = like.head();
                wanted = like.as_text().ok_or_else(|| no_name(like))?;
            }
        }
    }
    line.reverse();
    Ok(line)
}

fn no_variant(tree: &Tree, name: &str, span: Span) -> Diagnostic {
    let names = names(tree);
    let help = did_you_mean(name, names.iter().copied()).unwrap_or_else(|| {
        if names.is_empty() {
            "this scenario has no variants".to_owned()
        } else {
            format!("there are {}", listed(&names))
        }
    });
    Diagnostic::error(format!("there is no variant `{}`", short(name)), span).help(help)
}

fn circle(line: &[(&Key, &Tree)], again: &Key, span: Span) -> Diagnostic {
    let names: Vec<&str> = line.iter().map(|(key, _)| key.name.as_str()).collect();
    let round = format!("{} -> {}", names.join(" -> "), again.name);
    Diagnostic::error(format!("variants are like each other in a circle: {round}"), span)
        .help("one of them has to be like the base: leave out its `like`")
}

fn no_name(like: &Tree) -> Diagnostic {
    let message = format!("`like` names one variant, and this is {}", like.described());
    Diagnostic::error(message, like.head())
}

fn not_a_variant(key: &Key, body: &Tree) -> Diagnostic {
    let message = format!("the variant `{}` has to be a map, not {}", short(&key.name), body.described());
    Diagnostic::error(message, body.head()).help("write `why`, `expect` and the patches into it")
}

/// Boxed, because the result is passed up through every level of the tree.
type Failed = Box<Diagnostic>;

/// One patch on its way down.
struct Patch<'p> {
    segments: Vec<&'p str>,
    key: &'p Key,
    value: &'p Tree,
}

fn patch(tree: &mut Tree, key: &Key, value: &Tree) -> Result<(), Failed> {
    let patch = Patch { segments: key.name.split('.').collect(), key, value };
    patch.check_form()?;
    if patch.segments.len() == 2 {
        return patch.entry(tree);
    }
    let section = patch.step_into_map(tree, 0)?;
    patch.descend(section, 1)
}

impl<'p> Patch<'p> {
    /// The place of some segments, if the path is written without escapes.
    fn span(&self, from: usize, to: usize) -> Span {
        if self.key.span.len as usize != self.key.name.len() {
            return self.key.span;
        }
        let length = |segments: &[&str]| segments.iter().map(|s| s.len() + 1).sum::<usize>();
        let start = length(&self.segments[..from]);
        let end = length(&self.segments[..to]).saturating_sub(1);
        self.key.span.part(start, end.saturating_sub(start))
    }

    fn error(&self, at: usize, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(format!("{}: {}", short(&self.key.name), message.into()), self.span(at, at + 1))
    }

    fn upto(&self, at: usize) -> String {
        self.segments[..at].join(".")
    }

    fn removes(&self) -> bool {
        self.value.is_null()
    }

    fn check_form(&self) -> Result<(), Failed> {
        let whole = || Diagnostic::error(format!("`{}` is no path", short(&self.key.name)), self.key.span);
        if self.segments.iter().any(|s| s.is_empty()) {
            return Err(Box::new(
                whole().help("a path is words with dots between them, such as `nodes.payments.lock`"),
            ));
        }
        if self.segments.len() < 2 {
            let help = did_you_mean(&self.key.name, HEADER.iter().copied()).unwrap_or_else(|| {
                "a path names a section and an entry, such as `nodes.payments`".to_owned()
            });
            return Err(Box::new(whole().help(help)));
        }
        if self.segments.len() + self.value.depth() > MOST_DEPTH {
            return Err(Box::new(too_deep(self.key.span)));
        }
        if self.segments[0] == SECTION {
            let error = self.error(0, "a patch cannot change the variants themselves");
            return Err(Box::new(error));
        }
        Ok(())
    }

    /// Two segments: a whole entry is added, replaced or removed.
    fn entry(&self, tree: &mut Tree) -> Result<(), Failed> {
        if !self.removes() && tree.get(self.segments[0]).is_none() {
            self.open_section(tree);
        }
        let section = self.step_into_map(tree, 0)?;
        self.set(section, 1)
    }

    /// The first entry of a section that the base does not have. Whether there may be such a
    /// section is for the type of a scenario to say, and it will point here.
    fn open_section(&self, tree: &mut Tree) {
        let key = Key { name: self.segments[0].to_owned(), span: self.span(0, 1) };
        let section = Tree { kind: Kind::Map(Vec::new()), span: self.key.span };
        if let Kind::Map(sections) = &mut tree.kind {
            sections.push((key, section));
        }
    }

    /// Goes on from `here`, which the segments before `at` have led to.
    fn descend(&self, here: &mut Tree, at: usize) -> Result<(), Failed> {
        if let Kind::Seq(_) = here.kind {
            return self.descend_list(here, at);
        }
        if let Kind::Map(entries) = &here.kind
            && self.ends_here(entries, at)
        {
            return self.set(here, at);
        }
        let width = self.width(here, at);
        let next = self.step_into_map(here, at)?;
        self.descend(next, at + width)
    }

    /// Whether what remains of the path is one field, new or known.
    fn ends_here(&self, entries: &[(Key, Tree)], at: usize) -> bool {
        let rest = self.segments[at..].join(".");
        let first = self.segments[at];
        let known = |name: &str| entries.iter().any(|(key, _)| key.name == name);
        at + 1 == self.segments.len() || (!known(first) && known(&rest))
    }

    /// How many segments the next key takes: one, unless the key itself has dots in it, as the
    /// verbs of faults do.
    fn width(&self, here: &Tree, at: usize) -> usize {
        let most = self.segments.len() - at;
        (1..=most).find(|n| here.get(&self.segments[at..at + n].join(".")).is_some()).unwrap_or(1)
    }

    fn step_into_map<'t>(&self, here: &'t mut Tree, at: usize) -> Result<&'t mut Tree, Failed> {
        let name = self.segments[at..at + self.width(here, at)].join(".");
        let described = here.described();
        let Kind::Map(entries) = &mut here.kind else {
            return Err(Box::new(self.no_way_into(at, &described)));
        };
        match entries.iter().position(|(key, _)| key.name == name) {
            Some(found) => Ok(&mut entries[found].1),
            None => Err(Box::new(self.leads_nowhere(at, entries))),
        }
    }

    fn no_way_into(&self, at: usize, described: &str) -> Diagnostic {
        if at == 0 {
            return self.error(0, format!("a scenario is a map of sections, not {described}"));
        }
        let message = format!("`{}` is {described} and has no fields", self.upto(at));
        self.error(at, message)
    }

    fn leads_nowhere(&self, at: usize, entries: &[(Key, Tree)]) -> Diagnostic {
        let name = self.segments[at];
        let names: Vec<&str> = entries.iter().map(|(key, _)| key.name.as_str()).collect();
        let place = match at {
            0 => "the scenario".to_owned(),
            _ => format!("`{}`", self.upto(at)),
        };
        let help = did_you_mean(name, names.iter().copied())
            .unwrap_or_else(|| format!("{place} has {}", listed(&names).replace(" or ", " and ")));
        self.error(at, format!("there is no `{name}` in {place}")).label("leads nowhere").help(help)
    }

    /// Writes or removes the field of a map that the rest of the path names.
    fn set(&self, here: &mut Tree, at: usize) -> Result<(), Failed> {
        let name = self.segments[at..].join(".");
        let described = here.described();
        let Kind::Map(entries) = &mut here.kind else {
            return Err(Box::new(self.no_way_into(at, &described)));
        };
        let found = entries.iter().position(|(key, _)| key.name == name);
        match (found, self.removes()) {
            (None, true) => return Err(Box::new(self.nothing_to_remove(at, entries))),
            (Some(found), true) => drop(entries.remove(found)),
            (Some(found), false) => entries[found] = self.field(name, at),
            (None, false) => entries.push(self.field(name, at)),
        }
        Ok(())
    }

    fn field(&self, name: String, at: usize) -> (Key, Tree) {
        let span = self.span(at, self.segments.len());
        (Key { name, span }, self.value.clone())
    }

    fn nothing_to_remove(&self, at: usize, entries: &[(Key, Tree)]) -> Diagnostic {
        let error = self.leads_nowhere(at, entries);
        error.label("there is nothing to remove")
    }

    fn descend_list(&self, here: &mut Tree, at: usize) -> Result<(), Failed> {
        let way = self.find_step(here, at)?;
        let Some((last, groups)) = way.split_last() else {
            return Ok(());
        };
        // Groups are looked into without a segment of the path for each.
        let depth = self.segments.len() + 2 * groups.len() + self.value.depth();
        if depth > MOST_DEPTH {
            return Err(Box::new(too_deep(self.key.span)));
        }
        let mut list = here;
        for hop in groups {
            list = hop.follow(list).ok_or_else(|| Box::new(self.lost(at)))?;
        }
        if at + 1 < self.segments.len() {
            let step = last.follow(list).ok_or_else(|| Box::new(self.lost(at)))?;
            spread_word(step);
            return self.descend(step, at + 1);
        }
        if let (Kind::Seq(items), Hop::Item(index)) = (&mut list.kind, last) {
            if self.removes() {
                items.remove(*index);
            } else {
                items[*index] = self.value.clone();
            }
        }
        Ok(())
    }

    fn lost(&self, at: usize) -> Diagnostic {
        self.error(at, "this leads nowhere")
    }

    /// The way to the step that a segment names, which may lie inside a group.
    fn find_step(&self, list: &Tree, at: usize) -> Result<Vec<Hop>, Failed> {
        let name = self.segments[at];
        let mut steps = Vec::new();
        collect_steps(list, &mut Vec::new(), &mut steps);
        let named = |by: fn(&Tree) -> Option<&str>| {
            let fitting = steps.iter().filter(move |(_, step)| by(step) == Some(name));
            fitting.collect::<Vec<_>>()
        };
        let by_name = named(given_name);
        let fitting = if by_name.is_empty() { named(verb) } else { by_name };
        match fitting.as_slice() {
            [(way, _)] => Ok(way.clone()),
            [] => Err(Box::new(self.no_step(at, &steps))),
            [(_, first), .., (_, last)] => Err(Box::new(
                self.error(at, format!("`{name}` is not the only step of that name in `{}`", self.upto(at)))
                    .related(first.head(), "this one")
                    .related(last.head(), "or this one")
                    .help("give the step that is meant a name of its own: `as: NAME`"),
            )),
        }
    }

    fn no_step(&self, at: usize, steps: &[(Vec<Hop>, &Tree)]) -> Diagnostic {
        let name = self.segments[at];
        let message = format!("there is no step `{name}` in `{}`", self.upto(at));
        let error = self.error(at, message).label("leads nowhere");
        if name.bytes().all(|b| b.is_ascii_digit()) {
            return error
                .help("steps have no numbers: use the `as` of the step, or its verb if that occurs once");
        }
        let mut names: Vec<&str> = Vec::new();
        for (_, step) in steps {
            names.extend(given_name(step).or_else(|| verb(step)).filter(|n| !names.contains(n)));
        }
        let all = || format!("there are {}", listed(&names).replace(" or ", " and "));
        error.help(did_you_mean(name, names.iter().copied()).unwrap_or_else(all))
    }
}

/// One move on the way to a step.
#[derive(Clone, Debug)]
enum Hop {
    /// To an element of a list.
    Item(usize),
    /// From an element of a list to the list that it holds under this key.
    Group(usize, &'static str),
}

impl Hop {
    fn follow<'t>(&self, list: &'t mut Tree) -> Option<&'t mut Tree> {
        let Kind::Seq(items) = &mut list.kind else {
            return None;
        };
        match self {
            Hop::Item(index) => items.get_mut(*index),
            Hop::Group(index, name) => match &mut items.get_mut(*index)?.kind {
                Kind::Map(entries) => {
                    let group = entries.iter_mut().find(|(key, _)| key.name == *name)?;
                    Some(&mut group.1)
                }
                _ => None,
            },
        }
    }
}

fn collect_steps<'t>(list: &'t Tree, way: &mut Vec<Hop>, found: &mut Vec<(Vec<Hop>, &'t Tree)>) {
    for (index, step) in list.items().unwrap_or_default().iter().enumerate() {
        way.push(Hop::Item(index));
        found.push((way.clone(), step));
        way.pop();
        for group in GROUPS {
            if let Some(inner) = step.get(group) {
                way.push(Hop::Group(index, group));
                collect_steps(inner, way, found);
                way.pop();
            }
        }
    }
}

/// `complete` becomes `{ complete: null }`, so that it can be given a field.
fn spread_word(step: &mut Tree) {
    if let Kind::Str(word) = &step.kind {
        let key = Key { name: word.clone(), span: step.span };
        let nothing = Tree { kind: Kind::Null, span: step.span };
        step.kind = Kind::Map(vec![(key, nothing)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::diagnostics::one_line;
    use crate::scenario::print::print;
    use crate::scenario::tree::{parse, parse_value};

    const BASE: &str = "\
scenario: s
nodes:
  payments: { kind: queue, lock: 60s, dead-letter: parked }
  worker:
    kind: app
    steps:
      - { call: psp, op: charge, once: item, as: charge }
      - transaction: [{ insert: db.order, once: item }, { insert: db.event, as: note }]
      - { together: [{ transaction: [{ upsert: deep }] }, { send: a }] }
      - { send: b }
      - complete
    on-failure: [abandon]
faults:
  x: { proc.crash: worker, after: charge, for: 3s }
";

    fn tree_of(text: &str) -> Tree {
        let mut sources = Sources::new();
        let id = sources.add("t", text);
        parse_value(&sources, id).unwrap()
    }

    /// The base with the patches of `text` applied, or the messages about them.
    fn patched(text: &str) -> Result<Tree, String> {
        let mut sources = Sources::new();
        let id = sources.add("base", BASE);
        let base = parse(&sources, id).unwrap();
        let id = sources.add("p", text);
        let patches = parse(&sources, id).unwrap();
        apply(&base, patches.entries().unwrap()).map_err(|errors| {
            let lines: Vec<String> = errors.iter().map(|d| one_line(d, &sources)).collect();
            lines.join("\n")
        })
    }

    fn same(patch: &str, from: &str, to: &str) {
        assert!(BASE.contains(from), "{from}");
        let expected = tree_of(&BASE.replacen(from, to, 1));
        let found = patched(patch).unwrap();
        assert_eq!(found, expected, "{}", print(&found));
    }

    #[test]
    fn whole_entries() {
        same("faults.y: { a: b }", "for: 3s }", "for: 3s }\n  y: { a: b }");
        same("faults.x: { a: b }", "{ proc.crash: worker, after: charge, for: 3s }", "{ a: b }");
        same("faults.x: null", "  x: { proc.crash: worker, after: charge, for: 3s }", "  {}");
        same("always.y: { a: b }", "for: 3s }", "for: 3s }\nalways:\n  y: { a: b }");
    }

    #[test]
    fn fields() {
        same("nodes.payments.lock: 5s", "lock: 60s", "lock: 5s");
        same("nodes.payments.lock: null", " lock: 60s,", "");
        same("nodes.payments.ttl: 5s", "parked }", "parked, ttl: 5s }");
        same("nodes.payments.dead-letter: x", "parked", "x");
        same("faults.x.for: 9s", "for: 3s", "for: 9s");
        same("faults.x.proc.crash: other", "proc.crash: worker", "proc.crash: other");
        same("faults.x.proc.crash: null", "proc.crash: worker, ", "");
        same("nodes.worker.on-failure: [complete]", "[abandon]", "[complete]");
        same("nodes.worker.on-failure.abandon.policy: x", "[abandon]", "[{ abandon: , policy: x }]");
    }

    #[test]
    fn steps() {
        same("nodes.worker.steps.charge.once: run", "once: item, as: charge", "once: run, as: charge");
        same("nodes.worker.steps.charge.once: null", "once: item, as: charge", "as: charge");
        same("nodes.worker.steps.charge.timeout: 1s", "as: charge }", "as: charge, timeout: 1s }");
        same("nodes.worker.steps.call.op: pay", "op: charge", "op: pay");
        same("nodes.worker.steps.call.call: z", "call: psp", "call: z");
        same("nodes.worker.steps.note.once: key", "as: note", "as: note, once: key");
        same("nodes.worker.steps.upsert.once: key", "upsert: deep", "upsert: deep, once: key");
        same("nodes.worker.steps.complete.policy: x", "- complete", "- { complete: , policy: x }");
        same("nodes.worker.steps.complete: null", "      - complete\n", "");
        same(
            "nodes.worker.steps.charge: checkpoint",
            "{ call: psp, op: charge, once: item, as: charge }",
            "checkpoint",
        );
        same("nodes.worker.steps.note: null", ", { insert: db.event, as: note }", "");
    }

    #[test]
    fn later_patches_see_earlier_ones() {
        same(
            "{ nodes.payments: { kind: topic }, nodes.payments.lock: 1s }",
            "{ kind: queue, lock: 60s, dead-letter: parked }",
            "{ kind: topic, lock: 1s }",
        );
    }

    #[test]
    fn paths_that_lead_nowhere() {
        for (patch, start, hint) in [
            (
                "nodes.payment.lock: 5s",
                "p:1:7: error: nodes.payment.lock: there is no `payment` in `nodes`",
                "`payments`?",
            ),
            ("nodez.payments.lock: 5s", "p:1:1: error: nodez.payments.lock: there is no `nodez`", "`nodes`?"),
            (
                "nodes.payments.lock.x: 5s",
                "p:1:21: error: nodes.payments.lock.x: `nodes.payments.lock` is the text `60s`",
                "",
            ),
            ("nodes.payments.a.b: 5s", "p:1:16:", "`nodes.payments` has `kind`, `lock` and `dead-letter`"),
            ("nodes.payments.lok: null", "p:1:16:", "did you mean `lock`?"),
            ("nodes.paymets: null", "p:1:7:", "did you mean `payments`?"),
            ("always.x: null", "p:1:1:", ""),
            ("scenario.x: 1", "p:1:10: error: scenario.x: `scenario` is the text `s` and has no fields", ""),
            ("nodes.worker.steps.chrge.once: x", "p:1:20:", "did you mean `charge`?"),
            ("nodes.worker.steps.0.once: x", "p:1:20:", "steps have no numbers"),
            (
                "nodes.worker.steps.once: x",
                "p:1:20: error: nodes.worker.steps.once: there is no step `once`",
                "",
            ),
            (
                "nodes.worker.steps.insert.once: x",
                "p:1:20: error: nodes.worker.steps.insert.once: `insert` is not the only step",
                "as: NAME",
            ),
            ("nodes.worker.steps.send.once: x", "p:1:20:", "as: NAME"),
            ("why-not: x", "p:1:1: error: `why-not` is no path", "a section and an entry"),
            ("expct: pass", "p:1:1: error: `expct` is no path", "did you mean `expect`?"),
            ("nodes..lock: 5s", "p:1:1: error: `nodes..lock` is no path", ""),
            (".: 5s", "p:1:1: error: `.` is no path", ""),
            ("variants.a.b: 5s", "p:1:1: error: variants.a.b: a patch cannot change", ""),
            ("\"nodes.paym\\u0065nt.lock\": 5s", "p:1:1: error: nodes.payment.lock: there is", ""),
        ] {
            let error = patched(patch).unwrap_err();
            assert!(error.starts_with(start) && error.contains(hint), "{error}");
        }
        let errors = patched("{ nodes.a.b: 1, nodes.payments.lock: 1s, nodes.c.d: 1 }").unwrap_err();
        assert_eq!(errors.lines().count(), 2, "{errors}");
    }

    #[test]
    fn patches_cannot_build_a_tower() {
        let deep = format!("nodes.payments.lock: {}{}", "[".repeat(30), "]".repeat(30));
        assert!(patched(&deep).unwrap_err().contains("deeper than 32"));
        let group = format!("{}{{ a: b, as: z }}{}", "{ transaction: [".repeat(12), "] }".repeat(12));
        let text = format!("nodes.worker.steps: [{group}]\nnodes.worker.steps.z.transaction: [{group}]\n");
        assert!(patched(&text).unwrap_err().contains("deeper than 32"));
        let long = format!("{}x: 1", "a.".repeat(500));
        assert!(patched(&long).unwrap_err().contains("deeper than 32"));
    }

    #[test]
    fn a_base_that_is_no_map() {
        for text in ["- a", "x"] {
            let key = Key::new("a.b");
            let patches = [(key, Tree::from(Kind::text("v")))];
            assert!(apply(&tree_of(text), &patches).is_err());
        }
    }

    const VARIANTS: &str = "\
scenario: s
nodes: { a: { lock: 1s, ttl: 1s } }
variants:
  child: { like: parent, why: c, nodes.a.lock: 3s, nodes.a.child: yes }
  parent: { why: p, expect: pass, nodes.a.lock: 2s, nodes.a.ttl: null }
  loop: { like: round }
  round: { like: loop }
  self: { like: self }
  orphan: { like: parnt }
  odd: { like: [parent] }
  word: just a word
  bad: { nodes.b.c: 1, nodes.d.e: 2 }
";

    fn variant_of(name: &str) -> Result<Variant, String> {
        let mut sources = Sources::new();
        let id = sources.add("t", VARIANTS);
        let tree = parse(&sources, id).unwrap();
        variant(&tree, name).map_err(|errors| {
            let lines: Vec<String> = errors.iter().map(|d| one_line(d, &sources)).collect();
            lines.join("\n")
        })
    }

    #[test]
    fn ancestors_first_then_file_order() {
        let child = variant_of("child").unwrap();
        assert_eq!(child.scenario, tree_of("{ scenario: s, nodes: { a: { lock: 3s, child: yes } } }"));
        assert_eq!(child.header, tree_of("{ like: parent, why: c }"));
        let parent = variant_of("parent").unwrap();
        assert_eq!(parent.scenario, tree_of("{ scenario: s, nodes: { a: { lock: 2s } } }"));
        assert_eq!(parent.header, tree_of("{ why: p, expect: pass }"));
    }

    #[test]
    fn base_and_names() {
        let tree = tree_of(VARIANTS);
        assert!(base(&tree).get("variants").is_none());
        assert_eq!(base(&tree).get("nodes"), tree.get("nodes"));
        assert_eq!(names(&tree)[..2], ["child", "parent"]);
        assert!(names(&tree_of("a: b")).is_empty());
        assert!(
            variant(&tree_of("a: b"), "x").unwrap_err()[0].help.as_deref()
                == Some("this scenario has no variants")
        );
    }

    #[test]
    fn variants_that_cannot_be() {
        for (name, start, hint) in [
            ("paren", "error: there is no variant `paren`", "did you mean `parent`?"),
            ("orphan", "t:9:19: error: there is no variant `parnt`", "did you mean `parent`?"),
            ("loop", "t:7:18: error: variants are like each other in a circle: loop -> round -> loop", ""),
            ("self", "t:8:17: error: variants are like each other in a circle: self -> self", ""),
            ("odd", "t:10:16: error: `like` names one variant, and this is a list", ""),
            ("word", "t:11:9: error: the variant `word` has to be a map", ""),
            ("bad", "t:12:16: error: nodes.b.c:", "nodes.d.e"),
        ] {
            let error = variant_of(name).unwrap_err();
            assert!(error.starts_with(start) && error.contains(hint), "{error}");
        }
    }

    #[test]
    fn set_on_the_command_line() {
        let mut sources = Sources::new();
        let base = {
            let id = sources.add("base", BASE);
            parse(&sources, id).unwrap()
        };
        let patch = parse_set(&mut sources, "nodes.payments.lock=5s").unwrap();
        let tree = apply(&base, &[patch]).unwrap();
        let lock = tree.get("nodes").and_then(|n| n.get("payments")?.get("lock")).unwrap();
        assert_eq!(lock, &Tree::from(Kind::text("5s")));
        assert_eq!(sources.text(lock.span), Some("5s"));
        let patch = parse_set(&mut sources, "faults.x = { proc.crash: a, at: 1m }").unwrap();
        assert_eq!(patch.1.entries().unwrap().len(), 2);
        let patch = parse_set(&mut sources, "faults.x=null").unwrap();
        assert_eq!(apply(&base, &[patch]).unwrap().get("faults").unwrap().entries().unwrap().len(), 0);
        let patch = parse_set(&mut sources, "faults.y.z=1").unwrap();
        let errors = apply(&base, &[patch]).unwrap_err();
        let line = one_line(&errors[0], &sources);
        assert!(line.starts_with("--set:1:8: error: faults.y.z: there is no `y`"), "{line}");
    }

    #[test]
    fn sets_that_are_wrong() {
        for (text, word) in [
            ("", "needs a path"),
            ("nodes.a.b", "needs a path"),
            ("=5", "no path"),
            ("nodes.a.b=", "no value"),
            ("nodes.a.b={", "not YAML"),
            ("nodes.a.b=# c", "empty"),
            ("nodes.a.b=a\u{0}", "invisible"),
        ] {
            let mut sources = Sources::new();
            let errors = parse_set(&mut sources, text).unwrap_err();
            let line = one_line(&errors[0], &sources);
            assert!(line.starts_with("--set:1:") && line.contains(word), "{text:?}: {line}");
        }
    }
}
