//! Patches: a design and its mistakes in one file.
//!
//! A patch is a path and a value, in a variant (`nodes.payments.lock: 5s`) or on the command line
//! (`--set nodes.payments.lock=5s`). A path names a section, an entry and then fields; a step of
//! a recipe by its `as`, or by its verb if that occurs once in the list. Two segments add or
//! replace a whole entry; more have to lead to something that exists, up to the last, which may
//! be a new field. `null` removes, as if it had never been written.

use super::diagnostics::{Diagnostic, SourceId, Sources, Span, did_you_mean, listed, short};
use super::parse::parse_part;
use super::patch::{HEADER, SECTION, patch};
use super::tree::{Key, Kind, Tree};

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
            format!("there are {}", listed(&names).replace(" or ", " and "))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scenario::diagnostics::one_line;
    use crate::scenario::print::print;
    use crate::scenario::sample::trees;
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
            ("nodes.a.b={", "is missing"),
            ("nodes.a.b=# c", "empty"),
            ("nodes.a.b=a\u{0}", "invisible"),
        ] {
            let mut sources = Sources::new();
            let errors = parse_set(&mut sources, text).unwrap_err();
            let line = one_line(&errors[0], &sources);
            assert!(line.starts_with("--set:1:") && line.contains(word), "{text:?}: {line}");
        }
    }

    proptest! {
        #[test]
        fn no_patch_makes_it_panic(
            base in trees(),
            patches in proptest::collection::vec(("[a-d.]{0,9}|nodes\\.worker\\.steps\\.[a-z]{1,8}(\\.once)?", trees()), 0..6),
        ) {
            let patches: Vec<_> = patches.into_iter().map(|(path, value)| (Key::new(path), value)).collect();
            let _ = apply(&base, &patches);
            let _ = apply(&tree_of(BASE), &patches);
            for name in names(&base) {
                let _ = variant(&base, name);
            }
        }
    }
}
