//! Lines, paragraphs and headings, with or without colour.

use std::fmt::Write as _;

use super::Style;
use super::words::wrapped;
use crate::plain::plain;
use crate::verdict::Verdict;

#[derive(Clone, Copy)]
pub(super) enum Ink {
    Good,
    Bad,
    Odd,
    Faint,
    Strong,
}

pub(super) struct Page {
    pub(super) out: String,
    pub(super) style: Style,
}

impl Page {
    pub(super) fn paint(&self, text: &str, ink: Ink) -> String {
        if !self.style.colour {
            return text.to_owned();
        }
        let code = match ink {
            Ink::Good => "32",
            Ink::Bad => "1;31",
            Ink::Odd => "33",
            Ink::Faint => "2",
            Ink::Strong => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    pub(super) fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "{text}");
    }

    /// A paragraph, wrapped, every line after so many blanks.
    pub(super) fn paragraph(&mut self, text: &str, indent: usize) {
        self.hanging(text, indent, indent, None);
    }

    /// A paragraph whose first line stands after `indent` blanks and the others after `others`.
    pub(super) fn hanging(&mut self, text: &str, indent: usize, others: usize, ink: Option<Ink>) {
        let room = |blanks: usize| self.style.width.saturating_sub(blanks).max(20);
        let text = &plain(text);
        for (index, line) in wrapped(text, room(indent), room(others)).into_iter().enumerate() {
            let blanks = if index == 0 { indent } else { others };
            let line = ink.map_or(line.clone(), |ink| self.paint(&line, ink));
            let _ = writeln!(self.out, "{:blanks$}{line}", "");
        }
    }

    /// A heading with a blank line before it.
    pub(super) fn heading(&mut self, text: &str) {
        self.line("");
        let head = self.paint(text, Ink::Strong);
        self.line(&head);
    }
}

pub(super) fn ink(verdict: Verdict) -> Ink {
    match verdict {
        Verdict::Pass => Ink::Good,
        Verdict::Degraded | Verdict::Inconclusive => Ink::Odd,
        Verdict::Fail | Verdict::Error => Ink::Bad,
    }
}

pub(super) fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "ok",
        Verdict::Degraded => "low",
        Verdict::Inconclusive => "?",
        Verdict::Fail => "FAIL",
        Verdict::Error => "ERR",
    }
}
