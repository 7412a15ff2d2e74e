//! Inks: what colours mean. A plot is drawn with one marked colour for each ink; afterwards the marks become
//! variables of the page's style sheet, so that one picture serves light and dark, or plain colours where a
//! picture is a file of its own. Beside its colour, each line has dashes, each area a pattern.

use maud::{Markup, html};
use plotters::style::RGBColor;

/// What something is drawn with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::html) enum Ink {
    /// Words and axes.
    Text,
    /// Words that matter less.
    Faint,
    /// The lines of a grid.
    Grid,
    /// The background.
    Paper,
    /// A fault.
    Fault,
    /// The time in which a fault is active.
    Shade,
    /// A bound.
    Bound,
    /// The series of a plot, from 0: another colour and other dashes each.
    Series(u8),
    /// An area with a pattern, from 0: another colour and another pattern each.
    Area(u8),
    /// How much: from 0, little, to `HEATS - 1`, most.
    Heat(u8),
}

/// How many series there are that can be told apart.
pub(in crate::html) const SERIES: u8 = 6;
/// How many levels of heat there are.
pub(in crate::html) const HEATS: u8 = 7;

/// The first byte of every mark.
const MARK: u8 = 0xfe;

/// Okabe and Ito's colours, dark enough for lines on white.
const LIGHT: [&str; SERIES as usize] = ["#0072b2", "#c44e00", "#00795a", "#a3417a", "#8a6d00", "#4d4d4d"];
/// Dashes, in half pixels.
const DASHES: [&str; SERIES as usize] = ["", "12 6", "4 5", "16 5 4 5", "8 4", "2 6"];
/// From little to most, lighter to darker.
const HEAT: [&str; HEATS as usize] =
    ["#e3ecf5", "#c0d6ea", "#95bbdd", "#639bca", "#3778b0", "#1d548a", "#0a2f57"];

impl Ink {
    /// The colour that marks it while it is drawn.
    pub(super) fn mark(self) -> RGBColor {
        let (kind, number) = match self {
            Ink::Text => (0, 0),
            Ink::Faint => (0, 1),
            Ink::Grid => (0, 2),
            Ink::Paper => (0, 3),
            Ink::Fault => (0, 4),
            Ink::Shade => (0, 5),
            Ink::Bound => (0, 6),
            Ink::Series(number) => (1, number % SERIES),
            Ink::Area(number) => (2, number % SERIES),
            Ink::Heat(level) => (3, level.min(HEATS - 1)),
        };
        RGBColor(MARK, kind, number)
    }

    pub(super) fn of(kind: u8, number: u8) -> Option<Ink> {
        Some(match (kind, number) {
            (0, 0) => Ink::Text,
            (0, 1) => Ink::Faint,
            (0, 2) => Ink::Grid,
            (0, 3) => Ink::Paper,
            (0, 4) => Ink::Fault,
            (0, 5) => Ink::Shade,
            (0, 6) => Ink::Bound,
            (1, 0..SERIES) => Ink::Series(number),
            (2, 0..SERIES) => Ink::Area(number),
            (3, 0..HEATS) => Ink::Heat(number),
            _ => return None,
        })
    }

    /// The plain colour.
    pub(super) fn literal(self) -> String {
        match self {
            Ink::Text => "#1c1c1c".to_owned(),
            Ink::Faint => "#595959".to_owned(),
            Ink::Grid => "#dedede".to_owned(),
            Ink::Paper => "#ffffff".to_owned(),
            Ink::Fault => "#8f3b1b".to_owned(),
            Ink::Shade => "#f3ddd2".to_owned(),
            Ink::Bound => "#9b1c1c".to_owned(),
            Ink::Series(number) => LIGHT[usize::from(number % SERIES)].to_owned(),
            Ink::Area(number) => format!("url(#area-{number})"),
            Ink::Heat(level) => HEAT[usize::from(level.min(HEATS - 1))].to_owned(),
        }
    }

    /// The variable of the style sheet.
    pub(super) fn variable(self) -> String {
        match self {
            Ink::Text => "var(--ink)".to_owned(),
            Ink::Faint => "var(--faint)".to_owned(),
            Ink::Grid => "var(--grid)".to_owned(),
            Ink::Paper => "var(--paper)".to_owned(),
            Ink::Fault => "var(--fault)".to_owned(),
            Ink::Shade => "var(--shade)".to_owned(),
            Ink::Bound => "var(--bound)".to_owned(),
            Ink::Series(number) => format!("var(--s{number})"),
            Ink::Area(number) => format!("url(#area-{number})"),
            Ink::Heat(level) => format!("var(--h{level})"),
        }
    }

    pub(super) fn dashes(self) -> &'static str {
        match self {
            Ink::Series(number) => DASHES[usize::from(number % SERIES)],
            Ink::Bound => "10 5",
            _ => "",
        }
    }
}

/// Where the picture will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::html) enum Home {
    /// In the page: colours are variables.
    Page,
    /// In a file of its own: colours are colours.
    File,
}

/// The patterns of areas: once in a page, once in every file.
pub(in crate::html) fn patterns(home: Home) -> Markup {
    let colour = |ink: Ink| if home == Home::Page { ink.variable() } else { ink.literal() };
    let strokes = [
        "M0 0h12v12H0z",
        "M-2 14L14 -2M-2 2L2 -2M10 14L14 10",
        "M-2 -2L14 14M10 -2L14 2M-2 10L2 14",
        "M0 3h12M0 9h12",
        "M3 0v12M9 0v12",
        "M2 2h3v3h-3zM8 8h3v3h-3z",
    ];
    html! {
        defs {
            @for (number, stroke) in (0..SERIES).zip(strokes) {
                @let line = colour(Ink::Series(number));
                pattern id={ "area-" (number) } width="12" height="12" patternUnits="userSpaceOnUse" {
                    rect width="12" height="12" fill=(colour(Ink::Paper)) {}
                    rect width="12" height="12" fill=(line) opacity="0.35" {}
                    @if number == 0 {
                        path d=(stroke) fill=(line) opacity="0.5" {}
                    } @else {
                        path d=(stroke) fill="none" stroke=(line) stroke-width="2" {}
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ink_is_told_from_its_mark() {
        let some = [Ink::Text, Ink::Shade, Ink::Bound, Ink::Series(5), Ink::Area(2), Ink::Heat(6)];
        for ink in some {
            let RGBColor(_, kind, number) = ink.mark();
            assert_eq!(Ink::of(kind, number), Some(ink));
        }
    }
}
