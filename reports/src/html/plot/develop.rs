//! From what the drawing library writes to what a page holds: without its frame, with real colours and dashes
//! in place of marks, and with cells of one colour in one path.

use super::ink::{Home, Ink};

/// The elements of a picture.
pub(super) fn develop(svg: &str, home: Home) -> String {
    let body = svg.split_once('\n').map_or("", |(_, rest)| rest);
    let body = body.trim_end().strip_suffix("</svg>").unwrap_or(body);
    coloured(&joined(body), home)
}

/// Rectangles of one colour that follow each other, in one path; what is said by default, not said.
fn joined(body: &str) -> String {
    let mut out = String::with_capacity(body.len());
    let mut open: Option<(String, String)> = None;
    for line in body.lines() {
        let line = line.replace(" opacity=\"1\"", "").replace(" stroke=\"none\"", "");
        let line = line.replace(" font-family=\"sans-serif\"", "");
        match (rectangle(&line), &mut open) {
            (Some((path, paint)), Some((paths, same))) if paint == same => paths.push_str(&path),
            (Some((path, paint)), _) => {
                close(&mut out, open.take());
                open = Some((path, paint.to_owned()));
            }
            (None, _) => {
                close(&mut out, open.take());
                out.push_str(&line);
                // Words stand on lines of their own, with their tags around them.
                if line.starts_with('<') && !line.starts_with("<text") {
                    out.push('\n');
                }
            }
        }
    }
    close(&mut out, open);
    out
}

fn close(out: &mut String, open: Option<(String, String)>) {
    if let Some((path, paint)) = open {
        out.push_str("<path d=\"");
        out.push_str(&path);
        out.push_str("\" ");
        out.push_str(&paint);
        out.push_str("/>\n");
    }
}

/// A filled rectangle as a part of a path, and its paint.
fn rectangle(line: &str) -> Option<(String, &str)> {
    let rest = line.strip_prefix("<rect x=\"")?.strip_suffix("/>")?;
    let (x, rest) = rest.split_once("\" y=\"")?;
    let (y, rest) = rest.split_once("\" width=\"")?;
    let (width, rest) = rest.split_once("\" height=\"")?;
    let (height, paint) = rest.split_once("\" ")?;
    paint.contains("fill=\"#").then(|| (format!("M{x} {y}h{width}v{height}h-{width}z"), paint))
}

/// Puts the real colours in place of the marks, and dashes where lines have them.
fn coloured(svg: &str, home: Home) -> String {
    let mut out = String::with_capacity(svg.len());
    let mut rest = svg;
    while let Some(at) = rest.find("=\"#FE") {
        let (before, mark) = rest.split_at(at);
        out.push_str(before);
        let Some(ink) = ink(mark) else {
            out.push_str(&mark[..2]);
            rest = &mark[2..];
            continue;
        };
        out.push_str("=\"");
        out.push_str(&if home == Home::Page { ink.variable() } else { ink.literal() });
        out.push('"');
        if before.ends_with("stroke") && !ink.dashes().is_empty() {
            out.push_str(" stroke-dasharray=\"");
            out.push_str(ink.dashes());
            out.push('"');
        }
        rest = &mark[10..];
    }
    out.push_str(rest);
    out
}

/// The ink of `="#FE0102"`.
fn ink(mark: &str) -> Option<Ink> {
    let code = u16::from_str_radix(mark.get(5..9)?, 16).ok()?;
    (mark.get(9..10)? == "\"").then_some(())?;
    Ink::of((code >> 8) as u8, (code & 0xff) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_becomes_a_variable_or_a_colour_and_lines_get_dashes() {
        let drawn = r##"<line stroke="#FE0101" x1="0"/><rect fill="#FE0101"/><rect fill="#FE0909"/>"##;
        let page = r##"<line stroke="var(--s1)" stroke-dasharray="12 6" x1="0"/><rect fill="var(--s1)"/><rect fill="#FE0909"/>"##;
        assert_eq!(coloured(drawn, Home::Page), page);
        let file = coloured(drawn, Home::File);
        assert!(file.contains(r##"<rect fill="#c44e00"/>"##) && !file.contains("var("), "{file}");
    }

    #[test]
    fn rectangles_of_one_paint_become_one_path() {
        let drawn = "<svg width=\"9\">\n\
            <rect x=\"1\" y=\"2\" width=\"3\" height=\"4\" opacity=\"1\" fill=\"#FE0300\" stroke=\"none\"/>\n\
            <rect x=\"5\" y=\"2\" width=\"3\" height=\"4\" opacity=\"1\" fill=\"#FE0300\" stroke=\"none\"/>\n\
            <rect x=\"9\" y=\"2\" width=\"3\" height=\"4\" opacity=\"1\" fill=\"#FE0301\" stroke=\"none\"/>\n\
            <text x=\"1\">\na &lt; b\n</text>\n</svg>\n";
        let expected = "<path d=\"M1 2h3v4h-3zM5 2h3v4h-3z\" fill=\"var(--h0)\"/>\n\
            <path d=\"M9 2h3v4h-3z\" fill=\"var(--h1)\"/>\n<text x=\"1\">a &lt; b</text>\n";
        assert_eq!(develop(drawn, Home::Page), expected);
    }
}
