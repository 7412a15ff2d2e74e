//! Markdown out of names that may be anything: what comes from a document is text, never markup.

use crate::plain::clipped;

/// So many characters of a name, and of a sentence, are shown.
const NAME: usize = 120;
const SENTENCE: usize = 1_000;

/// A sentence: no markup, no tag, no mention of a person, no link.
pub(super) fn sentence(text: &str) -> String {
    let text = clipped(text, SENTENCE);
    let mut out = String::with_capacity(text.len() + 16);
    for (at, c) in text.char_indices() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' => out.extend(['\\', c]),
            // A comment within them is not shown, and keeps GitHub from seeing a person, an issue, an address.
            '@' => out.push_str("@<!-- -->"),
            '#' if text[at + 1..].starts_with(|c: char| c.is_ascii_digit()) => out.push_str("#<!-- -->"),
            ':' if text[at..].starts_with("://") => out.push_str(":<!-- -->"),
            '.' if text[..at].to_ascii_lowercase().ends_with("www") => out.push_str("<!-- -->."),
            _ => out.push(c),
        }
    }
    out
}

/// A name or a command, letter for letter.
pub(super) fn code(text: &str) -> String {
    literal(&clipped(text, NAME))
}

/// The same without a limit that a command would suffer from.
pub(super) fn command(text: &str) -> String {
    literal(&clipped(text, SENTENCE))
}

fn literal(text: &str) -> String {
    let ticks = "`".repeat(longest_run(text, '`') + 1);
    // A code span may not begin or end with the sign that limits it.
    let edge = if text.starts_with('`') || text.ends_with('`') || text.trim().is_empty() { " " } else { "" };
    format!("{ticks}{edge}{text}{edge}{ticks}")
}

/// What stands in a cell of a table: a bar would end it, even within a code span.
pub(super) fn cell(markdown: &str) -> String {
    let mut out = String::with_capacity(markdown.len());
    let mut escaped = false;
    for c in markdown.chars() {
        if c == '|' && !escaped {
            out.push('\\');
        }
        escaped = c == '\\' && !escaped;
        out.push(c);
    }
    out
}

/// Text within a tag.
pub(super) fn html(text: &str) -> String {
    let text = clipped(text, SENTENCE);
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '@' => out.push_str("@<!-- -->"),
            _ => out.push(c),
        }
    }
    out
}

/// Lines as they are, in a block of code.
pub(super) fn block(language: &str, lines: &[String]) -> String {
    let longest = lines.iter().map(|line| longest_run(line, '`')).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}\n", lines.join("\n"))
}

fn longest_run(text: &str, sign: char) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == sign { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_has_no_markup() {
        assert_eq!(sentence("charged-once is violated: 12 lost"), "charged-once is violated: 12 lost");
        assert_eq!(
            sentence("<b>*x*_y_</b> [a](b) `c`"),
            "&lt;b&gt;\\*x\\*\\_y\\_&lt;/b&gt; \\[a\\](b) \\`c\\`"
        );
        assert_eq!(sentence("@who #12 https://x"), "@<!-- -->who #<!-- -->12 https:<!-- -->//x");
    }

    #[test]
    fn code_is_limited_by_more_ticks_than_are_in_it() {
        assert_eq!(code("order-flow"), "`order-flow`");
        assert_eq!(code("a``b`"), "``` a``b` ```");
        assert_eq!(block("text", &["x ```` y".to_owned()]), "`````text\nx ```` y\n`````\n");
    }

    #[test]
    fn a_bar_in_a_cell_is_escaped_once() {
        assert_eq!(cell(&code("a|b")), "`a\\|b`");
        assert_eq!(cell(&sentence("a|b")), "a\\|b");
    }
}
