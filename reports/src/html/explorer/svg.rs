//! A few words of SVG, and how wide a text is going to be.

use super::escape;

/// A number as SVG takes it: at most one decimal.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// The attributes for the size of a picture: a little smaller where there is less room, but never so small that
/// it cannot be read; then its box has to scroll.
pub(super) fn size(width: f64, height: f64) -> String {
    let (w, h) = (number(width), number(height));
    format!(
        "width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" \
         style=\"width:100%;height:auto;min-width:{}px;max-width:{w}px\"",
        number(width * 0.88),
    )
}

/// How wide a text is in a common sans-serif face, a little more rather than less.
pub(super) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(em).sum::<f64>() * size
}

/// The width of a character as a share of the size of its face.
fn em(c: char) -> f64 {
    match c {
        'i' | 'l' | 'j' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | 'I' => 0.3,
        't' | 'f' | 'r' | ' ' | '-' | '(' | ')' | '/' | '"' => 0.4,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.92,
        'a'..='z' | '0'..='9' => 0.6,
        'A'..='Z' | '_' => 0.72,
        c if u32::from(c) >= 0x1100 => 1.05,
        _ => 0.68,
    }
}

/// The text if it is no wider than that, else its beginning and an ellipsis.
pub(super) fn elided(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut used = width("\u{2026}", size);
    let fits = |c: &char| {
        used += em(*c) * size;
        used <= room
    };
    let mut short: String = text.chars().take_while(fits).collect();
    short.truncate(short.trim_end().len());
    short.push('\u{2026}');
    short
}

/// A name in at most so many lines of at most that width: broken after a hyphen, a slash, a dot, an underscore
/// or a space where there is one, else anywhere. Never empty.
pub(super) fn lines(text: &str, size: f64, room: f64, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut rest = text;
    while lines.len() + 1 < most && width(rest, size) > room {
        let cut = cut(rest, size, room);
        let (line, tail) = rest.split_at(cut);
        lines.push(line.trim_end().to_owned());
        rest = tail;
    }
    lines.push(elided(rest, size, room));
    lines
}

/// Where to break: after the last separator that fits, else after the last character that does.
fn cut(text: &str, size: f64, room: f64) -> usize {
    let (mut used, mut last, mut separator) = (0.0, 0, 0);
    for (index, c) in text.char_indices() {
        used += em(c) * size;
        if used > room && index > 0 {
            break;
        }
        last = index + c.len_utf8();
        if matches!(c, '-' | '/' | '.' | '_' | ' ') {
            separator = last;
        }
    }
    if separator > 0 { separator } else { last }
}

/// A line of text.
pub(super) fn line(class: &str, x: f64, y: f64, anchor: &str, words: &str) -> String {
    let (x, y, words) = (number(x), number(y), escape::text(words));
    let anchor = if anchor == "start" { String::new() } else { format!(" text-anchor=\"{anchor}\"") };
    format!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\"{anchor}>{words}</text>")
}

/// What a pointer or a screen reader is told about an element; its first child.
pub(super) fn title(words: &str) -> String {
    format!("<title>{}</title>", escape::text(words))
}

/// A picture of this room as a file, for programs that know neither the page's colours nor variables: the light
/// colours, written out.
#[must_use]
pub fn plain(svg: &str) -> String {
    let Some((before, rest)) = svg.split_once("<style>") else { return svg.to_owned() };
    let Some((style, after)) = rest.split_once("</style>") else { return svg.to_owned() };
    let is_dark = |rule: &&str| rule.starts_with("@media (prefers-color-scheme");
    let mut light: String = style.lines().filter(|rule| !is_dark(rule)).collect::<Vec<_>>().join("\n");
    while let Some((name, colour, declaration)) = variable(&light) {
        light = light.replace(&declaration, "").replace(&format!("var({name})"), &colour);
    }
    format!("{before}<style>{light}</style>{after}")
}

/// The first variable that a style declares as `--t-ink:var(--ink,#1c2128)`: its name, its own colour, and the
/// declaration.
fn variable(style: &str) -> Option<(String, String, String)> {
    let from = style.find("--t-")?;
    let declaration = &style[from..=from + style[from..].find(';')?];
    let (name, value) = declaration.trim_end_matches(';').split_once(':')?;
    let colour = value.split_once(',')?.1.strip_suffix(')')?;
    Some((name.to_owned(), colour.to_owned(), declaration.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_breaks_at_its_hyphen_and_then_ends_in_an_ellipsis() {
        assert_eq!(lines("payment-commands", 12.0, 80.0, 2), ["payment-", "commands"]);
        assert_eq!(lines("edge", 12.0, 80.0, 2), ["edge"]);
        let long = lines("a-name-that-goes-on-and-on-and-on-without-an-end", 12.0, 80.0, 2);
        assert_eq!(long.len(), 2);
        assert!(long[1].ends_with('\u{2026}') && width(&long[1], 12.0) <= 80.0, "{long:?}");
        assert_eq!(lines("mmmmmmmmmmmmmmmmmmmm", 12.0, 60.0, 2)[0].chars().count(), 5);
        assert_eq!(lines("", 12.0, 60.0, 2), [""]);
    }

    #[test]
    fn a_file_has_plain_light_colours() {
        let style = "<svg><style>.a{--t-ink:var(--ink,#111);--t-bad:var(--bad,#f00);color:var(--t-ink)}\n\
            @media (prefers-color-scheme:dark){.a{--t-ink:var(--ink,#eee)}}\n\
            .b{fill:var(--t-bad)}</style></svg>";
        let plain = plain(style);
        assert_eq!(plain, "<svg><style>.a{color:#111}\n.b{fill:#f00}</style></svg>");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([1.0, 1.26, -0.01, 100.0].map(number), ["1", "1.3", "0", "100"]);
    }
}
