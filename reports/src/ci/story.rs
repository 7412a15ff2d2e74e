//! The way of an item in a few lines.

use crate::plain::{clipped, plain};
use crate::results::Violation;
use crate::text::clock;

/// So many lines at most.
pub(super) const LINES: usize = 15;
/// So many of them are the beginning, where there are more steps: how it ends says more than how it begins.
const BEGINNING: usize = 5;
/// So wide is a line at most, and the name of a node in it.
const LINE: usize = 160;
const NODE: usize = 32;

/// What became of the item: `orders 4711 (key 17), lost at ledger: no copy is left`.
pub(super) fn fate(item: &Violation) -> String {
    let key = item.key.map_or(String::new(), |key| format!(" (key {key})"));
    let detail = if item.detail.is_empty() { "" } else { ": " };
    let text = format!("{}{key}, {} at {}{detail}{}", item.item, item.reason, item.place, item.detail);
    clipped(&text, 2 * LINE)
}

/// The steps of the item's way, with the times at which they happened; what is left out of the middle is
/// counted.
pub(super) fn steps(item: &Violation) -> Vec<String> {
    let rows: Vec<[String; 3]> = item.story.iter().map(row).collect();
    let (head, tail) = match rows.len() {
        all if all <= LINES => (rows.as_slice(), &rows[..0]),
        all => (&rows[..BEGINNING], &rows[all - (LINES - BEGINNING - 1)..]),
    };
    let length = |text: &str| text.chars().count();
    let width = |column: usize| head.iter().chain(tail).map(|row| length(&row[column])).max().unwrap_or(0);
    let (times, nodes) = (width(0), width(1));
    let line = |[time, node, what]: &[String; 3]| {
        clipped(format!("{time:>times$}  {node:nodes$}  {what}").trim_end(), LINE)
    };
    let mut lines: Vec<String> = head.iter().map(line).collect();
    if !tail.is_empty() {
        lines.push(format!("{:>times$}  ({} steps left out)", "", rows.len() - head.len() - tail.len()));
    }
    lines.extend(tail.iter().map(line));
    lines
}

fn row(step: &crate::results::Step) -> [String; 3] {
    let time = if step.node.is_empty() { String::new() } else { clock(step.at_seconds) };
    let faults = match step.faults.as_slice() {
        [] => String::new(),
        faults => format!(" [{}]", faults.join(", ")),
    };
    [time, clipped(&step.node, NODE), plain(&format!("{}{faults}", step.what)).into_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Step;

    fn item(steps: usize) -> Violation {
        let step = |number: usize| Step {
            at_seconds: number as f64,
            node: "a".into(),
            what: format!("step {number}"),
            faults: if number == 2 { vec!["f".into(), "g".into()] } else { vec![] },
        };
        Violation { story: (1..=steps).map(step).collect(), ..Violation::default() }
    }

    #[test]
    fn a_long_story_loses_its_middle_and_says_so() {
        let all = steps(&item(LINES));
        assert_eq!((all.len(), all[1].as_str()), (LINES, " 2.000s  a  step 2 [f, g]"));
        let cut = steps(&item(40));
        assert_eq!(cut.len(), LINES);
        assert_eq!(cut[5].trim(), "(26 steps left out)");
        assert_eq!(cut[6], "32.000s  a  step 32");
        assert_eq!(cut[14], "40.000s  a  step 40");
    }

    #[test]
    fn the_fate_names_the_item_and_the_place() {
        let lost = Violation {
            item: "orders 7".into(),
            key: Some(3),
            reason: "lost".into(),
            place: "ledger".into(),
            detail: "no copy\nis left".into(),
            ..Violation::default()
        };
        assert_eq!(fate(&lost), "orders 7 (key 3), lost at ledger: no copy\\nis left");
    }
}
