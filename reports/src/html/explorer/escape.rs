//! Names in a scenario are anybody's text. Here they are made harmless before they are shown: as the text of
//! an element or attribute, or as data inside a script element.

use crate::html::clean::clean;

/// A name as it is shown: what cannot be seen, or would change how the text around it is read, is written out.
pub(super) fn visible(name: &str) -> String {
    clean(name).into_owned()
}

/// Text for an element or a quoted attribute, in HTML and in SVG.
pub(super) fn text(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in clean(name).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A JSON document that may stand inside a script element: nothing in it ends the element or begins a comment.
pub(super) fn json_in_script(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_its_element_or_attribute() {
        assert_eq!(text("\u{202e}"), "⟨U+202E⟩");
        assert_eq!(text("<b a='1' c=\"2\">&"), "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;");
    }

    #[test]
    fn data_does_not_end_its_script() {
        let hostile = serde_json::to_string("</script><!--<script>\u{2028}\u{2029}").expect("prints");
        let safe = json_in_script(&hostile);
        assert!(!safe.contains('<') && !safe.contains('\u{2028}') && !safe.contains('\u{2029}'), "{safe}");
        let back: String = serde_json::from_str(&safe).expect("is still JSON");
        assert_eq!(back, "</script><!--<script>\u{2028}\u{2029}");
    }
}
