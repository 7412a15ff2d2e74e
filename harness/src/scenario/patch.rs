//! One patch on its way down a tree: finding what its path names, and writing or removing it.

use super::diagnostics::{Diagnostic, Span, did_you_mean, listed, short};
use super::parse::{MOST_DEPTH, too_deep};
use super::steps::{given_name, verb};
use super::tree::{Key, Kind, Tree};

/// The section that holds the variants.
pub(super) const SECTION: &str = "variants";

/// The keys of a variant that are no paths.
pub(super) const HEADER: &[&str] = &["why", "expect", "like", "may-fail"];

/// The lists of steps that are steps themselves.
const GROUPS: &[&str] = &["transaction", "together"];

/// Boxed, because the result is passed up through every level of the tree.
pub(super) type Failed = Box<Diagnostic>;

/// One patch on its way down.
struct Patch<'p> {
    segments: Vec<&'p str>,
    key: &'p Key,
    value: &'p Tree,
}

/// Applies one patch.
///
/// # Errors
/// The key is no path, or it leads nowhere.
pub(super) fn patch(tree: &mut Tree, key: &Key, value: &Tree) -> Result<(), Failed> {
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
