//! Whether what `compare` says can be judged at all: its designs exist, both have the line, and the words fit.

use super::diagnostics::{Diagnostic, did_you_mean, listed};
use super::load::Loaded;
use super::locate::locate;
use super::resolve::{BASE, Resolved};
use crate::judges::comparison::{Comparison, Relation};

/// What is wrong with the comparisons of a scenario.
#[must_use]
pub fn check(loaded: &Loaded, base: &Resolved) -> Vec<Diagnostic> {
    let comparisons = base.scenario.compare.iter();
    comparisons.filter_map(|(name, comparison)| check_one(loaded, base, name, comparison).err()).collect()
}

fn check_one(loaded: &Loaded, base: &Resolved, name: &str, one: &Comparison) -> Result<(), Diagnostic> {
    let wrong = |message: String, quoted: Option<&str>| {
        let span = locate(&base.tree, &["compare", name], quoted);
        Diagnostic::error(format!("compare.{name}: {message}"), span)
    };
    let words = |relations: &[Relation]| {
        listed(&relations.iter().map(|relation| relation.word()).collect::<Vec<_>>())
    };
    let Some((relation, than)) = one.relation() else {
        let message = format!("it says how the one design is better once: {}", words(one.fitting()));
        return Err(wrong(message, None));
    };
    if !one.fitting().contains(&relation) {
        let message = format!("`{}` cannot be said of `{}`", relation.word(), one.verb());
        return Err(wrong(message, None).help(format!("say {}", words(one.fitting()))));
    }
    let of = one.sides().of.as_str();
    if of == than {
        return Err(wrong(format!("`{of}` is compared with itself"), Some(of)));
    }
    let known: Vec<&str> = std::iter::once(BASE).chain(loaded.variants()).collect();
    for design in [of, than] {
        if !known.contains(&design) {
            let help = did_you_mean(design, known.iter().copied())
                .unwrap_or_else(|| format!("there are {}", listed(&known).replace(" or ", " and ")));
            return Err(wrong(format!("there is no variant `{design}`"), Some(design)).help(help));
        }
        let Ok(resolved) = loaded.resolve(Some(design)) else {
            return Err(wrong(format!("`{design}` is refused, and measures nothing"), Some(design)));
        };
        let found = one.found(&resolved.scenario.objectives);
        found.map_err(|message| wrong(format!("in `{design}` {message}"), Some(design)))?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use crate::scenario::load::load;
    use crate::scenario::resolve::check;

    /// What is wrong with the shipped stamps when they compare this.
    fn wrong(line: &str) -> Vec<String> {
        let loaded = load("mission-critical-stamps", &[format!("compare.line={line}")]).unwrap();
        check(&loaded).diagnostics.into_iter().map(|diagnostic| diagnostic.message).collect()
    }

    #[test]
    fn a_comparison_names_two_designs_that_measure_the_same() {
        let right = "{ latency: front, of: base, shorter-than: append }";
        assert_eq!(wrong(right), Vec::<String>::new());
        for (line, told) in [
            (right.replace("append", "apend"), "there is no variant `apend`"),
            (right.replace("append", "base"), "`base` is compared with itself"),
            (right.replace("latency: front", "latency: worker"), "no line of `objectives` measures"),
            (right.replace("shorter-than", "higher-than"), "`higher-than` cannot be said of `latency`"),
            (right.replace("shorter-than: append", "by: 10%"), "it says how the one design is better once"),
            (
                right
                    .replace("append", "shared-broker")
                    .replace("latency: front", "recovery-time: broker-lost"),
                "no line",
            ),
            ("{ delay: orders, of: base, shorter-than: append }".to_owned(), "say which `number`"),
        ] {
            let found = wrong(&line);
            assert!(found.len() == 1 && found[0].contains(told), "{line}: {found:?}");
        }
    }
}
