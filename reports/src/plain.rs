//! Text out of a document, made harmless where one line of it is shown. Letters of every script stay; what
//! acts on its reader (control characters, marks that turn the direction of what follows, characters that
//! nobody sees, the commands of a pipeline's log) is written out, so that it is seen and does nothing.

use std::borrow::Cow;

/// How the commands begin that GitHub and Azure read out of a log, wherever in a line they stand.
const COMMANDS: [&str; 2] = ["##vso[", "##["];

/// The text in one line.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) && !text.contains("##") && !text.contains("::") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for (at, c) in text.char_indices() {
        if is_hidden(c) {
            out.extend(c.escape_default());
        } else if is_command(&text[at..]) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// The same, cut after so many characters.
pub(crate) fn clipped(text: &str, characters: usize) -> String {
    let text = plain(text);
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

/// Whether a character is not seen, or is seen by what it does to others.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
            | '\u{e0000}'..='\u{e007f}')
}

/// Whether a pipeline would take what begins here for a command: `##vso[`, `##[` or `::error`.
fn is_command(rest: &str) -> bool {
    let word = rest.strip_prefix("::").and_then(|rest| rest.chars().next());
    COMMANDS.iter().any(|command| rest.starts_with(command)) || word.is_some_and(|c| c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_written_out_and_what_is_read_stays() {
        for (text, shown) in [
            ("orders-api", "orders-api"),
            ("שלום и 注文 é", "שלום и 注文 é"),
            ("a\nb\tc\u{1b}[31m", "a\\nb\\tc\\u{1b}[31m"),
            ("safe\u{202e}evil", "safe\\u{202e}evil"),
            ("##vso[task.complete]", "\\u{23}#vso[task.complete]"),
            ("x ##[error]y", "x \\u{23}#[error]y"),
            ("::error::x", "\\u{3a}:error\\u{3a}:x"),
            ("## 4::1", "## 4::1"),
        ] {
            assert_eq!(plain(text), shown);
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(clipped("äöü", 3), "äöü");
        assert_eq!(clipped("äöüß", 3), "äöü…");
    }
}
