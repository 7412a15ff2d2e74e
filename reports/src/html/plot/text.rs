//! How wide words are, as far as that can be said without the font: the fonts of systems differ, so with some
//! room to spare.

/// The width of a text in pixels, at a size.
pub(in crate::html) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(em).sum::<f64>() * size
}

fn em(letter: char) -> f64 {
    match letter {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | '(' | ')' | '[' | ']' | ' ' => 0.31,
        'f' | 'r' | 't' | '-' | '/' | 'I' => 0.4,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.9,
        'A'..='Z' => 0.7,
        letter if letter.is_ascii() => 0.58,
        _ => 1.0,
    }
}

/// As much of a text as there is room for, with a mark where something is missing.
pub(in crate::html) fn fit(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut used = em('…') * size;
    let fits = |letter: &char| {
        used += em(*letter) * size;
        used <= room
    };
    let kept: String = text.chars().take_while(fits).collect();
    if kept.is_empty() { String::new() } else { kept.trim_end().to_owned() + "…" }
}

/// The same with what is missing in the middle: names that begin alike often differ at their ends.
pub(in crate::html) fn fit_ends(text: &str, size: f64, room: f64) -> String {
    let letters: Vec<char> = text.chars().collect();
    if width(text, size) <= room {
        return text.to_owned();
    }
    for kept in (2..letters.len()).rev() {
        let (head, tail) = (kept.div_ceil(2), kept / 2);
        let short: String =
            letters[..head].iter().chain(['…'].iter()).chain(&letters[letters.len() - tail..]).collect();
        if width(&short, size) <= room {
            return short;
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_cut_with_a_mark() {
        assert_eq!(fit("payment-worker", 10.0, 200.0), "payment-worker");
        let cut = fit("payment-worker", 10.0, 50.0);
        assert!(cut.ends_with('…') && width(&cut, 10.0) <= 50.0, "{cut}");
        assert_eq!(fit("payment-worker", 10.0, 4.0), "");
        assert_eq!(fit_ends("ingest about ingest#2", 10.0, 80.0), "ingest …gest#2");
    }
}
