//! Names that people give: their form, and where two of them may not be the same.

use super::diagnostics::{Diagnostic, Span};
use super::tree::{Key, Tree};

/// Sections whose entries are named.
const NAMED: &[&str] = &[
    "sites",
    "links",
    "flows",
    "policies",
    "nodes",
    "faults",
    "always",
    "objectives",
    "variants",
    "compare",
];

/// Sections that share one space of names, and why.
const SHARED: &[(&[&str], &str)] = &[
    (&["always", "objectives", "compare"], "`expect` and reports name these lines without their section"),
    (&["nodes", "links"], "faults name both as their targets"),
    (&["sites", "links"], "faults name both as their targets"),
    (&["nodes", "faults"], "chance is drawn by these names, and so each needs its own"),
];

/// Names that exist already.
const TAKEN: &[(&str, &[&str])] =
    &[("sites", &["internet"]), ("policies", &["none", "sdk"]), ("variants", &["base"])];

/// Everything that is wrong with the names of a scenario.
pub fn check(tree: &Tree) -> Vec<Diagnostic> {
    let mut errors = Vec::new();
    if let Some(name) = tree.get("scenario")
        && let Some(text) = name.as_text()
        && !is_kebab(text)
    {
        errors.push(bad_form("scenario", text, name.span));
    }
    for &section in NAMED {
        for key in keys(tree, section) {
            if !is_kebab(&key.name) {
                errors.push(bad_form(section, &key.name, key.span));
            }
        }
    }
    for (section, taken) in TAKEN {
        for key in keys(tree, section).filter(|key| taken.contains(&key.name.as_str())) {
            let message = format!("{section}: `{}` exists already and cannot be declared", key.name);
            errors.push(Diagnostic::error(message, key.span).help("choose another name"));
        }
    }
    for (sections, why) in SHARED {
        errors.extend(twice(tree, sections, why));
    }
    errors
}

fn keys<'t>(tree: &'t Tree, section: &str) -> impl Iterator<Item = &'t Key> {
    let entries = tree.get(section).and_then(Tree::entries).unwrap_or_default();
    entries.iter().map(|(key, _)| key)
}

fn twice(tree: &Tree, sections: &[&str], why: &str) -> Vec<Diagnostic> {
    let mut seen: Vec<(&str, &Key)> = Vec::new();
    let mut errors = Vec::new();
    for &section in sections {
        for key in keys(tree, section) {
            let first = seen.iter().find(|(other, first)| *other != section && first.name == key.name);
            if let Some((other, first)) = first {
                let message = format!("`{}` is in `{other}` and in `{section}`", key.name);
                let error = Diagnostic::error(message, key.span).related(first.span, "the first");
                errors.push(error.help(format!("rename one of them: {why}")));
            }
            seen.push((section, key));
        }
    }
    errors
}

fn bad_form(section: &str, name: &str, span: Span) -> Diagnostic {
    let shown = super::diagnostics::short(name);
    let message = format!("{section}: `{shown}` is no name: names are kebab-case, as in `orders-api`");
    let error = Diagnostic::error(message, span);
    match kebab(name) {
        Some(better) => error.help(format!("write `{better}`")),
        None => error.help("begin with a small letter; go on with small letters, digits and single hyphens"),
    }
}

/// Whether this is a name: small letters and digits in words joined by single hyphens, the first a
/// letter. So a name never has a dot (a part) or a slash (a place) in it.
#[must_use]
pub fn is_kebab(name: &str) -> bool {
    let word = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    name.len() <= 100 && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.split('-').all(word)
}

/// The name that was probably meant.
fn kebab(name: &str) -> Option<String> {
    let mut out = String::new();
    let mut small_before = false;
    for c in name.chars() {
        let new_word = c.is_ascii_uppercase() && small_before;
        small_before = c.is_ascii_lowercase() || c.is_ascii_digit();
        match c {
            'A'..='Z' => {
                if new_word {
                    out.push('-');
                }
                out.push(c.to_ascii_lowercase());
            }
            'a'..='z' | '0'..='9' => out.push(c),
            _ if out.ends_with('-') || out.is_empty() => {}
            _ => out.push('-'),
        }
    }
    let better = out.trim_end_matches('-').to_owned();
    is_kebab(&better).then_some(better)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::diagnostics::Sources;
    use crate::scenario::tree::parse;

    fn errors(text: &str) -> Vec<String> {
        let mut sources = Sources::new();
        let id = sources.add("t", text);
        let told = |d: Diagnostic| format!("{} | {}", d.message, d.help.unwrap_or_default());
        check(&parse(&sources, id).unwrap()).into_iter().map(told).collect()
    }

    #[test]
    fn kebab_case() {
        for good in ["a", "orders-api", "zone-2", "a1-2b"] {
            assert!(is_kebab(good), "{good}");
        }
        for bad in ["", "A", "1a", "a_b", "a--b", "-a", "a-", "a.b", "a/b", "é", "a b"] {
            assert!(!is_kebab(bad), "{bad}");
        }
    }

    #[test]
    fn a_wrong_form_is_told_with_the_right_one() {
        assert_eq!(
            errors("nodes: { OrdersAPI: {}, psp_gateway: {}, a.b: {} }"),
            [
                "nodes: `OrdersAPI` is no name: names are kebab-case, as in `orders-api` | write `orders-api`",
                "nodes: `psp_gateway` is no name: names are kebab-case, as in `orders-api` | write `psp-gateway`",
                "nodes: `a.b` is no name: names are kebab-case, as in `orders-api` | write `a-b`",
            ]
        );
    }

    #[test]
    fn shared_and_taken_names() {
        let found =
            errors("always: { x: {} }\nobjectives: { x: {} }\npolicies: { sdk: {} }\nflows: { x: {} }");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("policies: `sdk` exists already"));
        assert!(found[1].starts_with("`x` is in `always` and in `objectives`"));
    }
}
