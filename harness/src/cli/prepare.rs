//! From a scenario and the name of a variant to something that can run, or to words about why not.

use super::{Exit, Terminal};
use crate::judges::expect::{Expect, Expected};
use crate::scenario::diagnostics::Diagnostic;
use crate::scenario::load::Loaded;
use crate::scenario::resolve::{BASE, Resolved, expect_lines};

/// A design that can run, or that is refused as it should be.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The variant; none for the base.
    pub(super) variant: Option<String>,
    /// What can run; nothing if it is refused as expected.
    pub(super) resolved: Option<Resolved>,
    /// Why it is refused, in a sentence; empty if it can run.
    pub(super) refused: String,
    /// What it must come out as.
    pub(super) expect: Option<Expect>,
}

/// Says what is odd about these designs, each thing once: the warnings of `check`.
pub(super) fn warn<'a>(
    loaded: &Loaded,
    designs: impl IntoIterator<Item = &'a Resolved>,
    terminal: &mut Terminal<'_>,
) {
    let mut warnings: Vec<Diagnostic> = Vec::new();
    for warning in designs.into_iter().flat_map(Resolved::warnings) {
        if !warnings.iter().any(|known| known.span == warning.span && known.message == warning.message) {
            warnings.push(warning);
        }
    }
    if !warnings.is_empty() {
        terminal.refuse(&loaded.refuse(warnings));
    }
}

/// Resolves a variant; `may_be_refused` if a variant that expects to be refused is no error.
///
/// # Errors
/// The exit code, when the reason has been said.
pub(super) fn prepare(
    loaded: &Loaded,
    variant: Option<&str>,
    may_be_refused: bool,
    terminal: &mut Terminal<'_>,
) -> Result<Prepared, Exit> {
    let variant = variant.filter(|name| *name != BASE);
    let named = variant.map(str::to_owned);
    match loaded.resolve(variant) {
        Ok(resolved) => {
            let wrong = variant.map(|name| expect_lines(loaded, name, &resolved)).unwrap_or_default();
            if may_be_refused && !wrong.is_empty() {
                terminal.refuse(&loaded.refuse(wrong));
                return Err(Exit::BadInput);
            }
            let expect = resolved.expected();
            Ok(Prepared { variant: named, resolved: Some(resolved), refused: String::new(), expect })
        }
        Err(refused) => {
            let expect = variant.and_then(|name| loaded.expected(name));
            if may_be_refused
                && let Some(Expect { verdict: Expected::Refused(word), .. }) = &expect
                && refused.words.contains(&word.as_str())
            {
                let why = refused.diagnostics.first().map(|first| first.message.clone());
                return Ok(Prepared {
                    variant: named,
                    resolved: None,
                    refused: why.unwrap_or_default(),
                    expect,
                });
            }
            terminal.refuse(&loaded.refuse(refused.diagnostics));
            Err(Exit::BadInput)
        }
    }
}
