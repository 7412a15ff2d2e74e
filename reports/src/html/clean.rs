//! What no page may contain: characters that are not shown and change what is, such as those that turn the
//! direction of the words after them. They are written out.

use std::borrow::Cow;

/// Whether a character does something else than being read.
fn hidden(letter: char) -> bool {
    match letter {
        '\n' | '\t' => false,
        '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{200b}'..='\u{200d}' | '\u{2028}' | '\u{2029}' => true,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => true,
        letter => letter.is_control(),
    }
}

/// The same text with such characters written out: `<U+202E>` in mathematical brackets, which mean nothing in
/// any format.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 32);
    for letter in text.chars() {
        if hidden(letter) {
            out.push_str(&format!("⟨U+{:04X}⟩", u32::from(letter)));
        } else {
            out.push(letter);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_written_out() {
        assert_eq!(clean("a\u{202e}b\0c\r\nd"), "a⟨U+202E⟩b⟨U+0000⟩c⟨U+000D⟩\nd");
        assert_eq!(clean("שלום\tx"), "שלום\tx");
    }
}
