//! The shape of a node says what it is: one for each role.

use crate::design::Role;

use super::layout::Rect;
use super::svg::number;

/// All roles, as the legend lists them.
pub(super) const ROLES: [Role; 6] =
    [Role::Load, Role::Gateway, Role::App, Role::Broker, Role::Store, Role::Control];

/// What a role is called.
pub(super) fn word(role: Role) -> &'static str {
    match role {
        Role::Load => "load",
        Role::Gateway => "gateway",
        Role::App => "app",
        Role::Broker => "broker",
        Role::Store => "store",
        Role::Control => "control",
    }
}

/// How much room a shape takes at its left and right, and above and below the text in it.
pub(super) fn padding(role: Role) -> (f64, f64) {
    match role {
        Role::Load => (14.0, 5.0),
        Role::Gateway => (13.0, 5.0),
        Role::Broker => (15.0, 5.0),
        Role::App | Role::Control => (9.0, 5.0),
        Role::Store => (8.0, 10.0),
    }
}

/// By how much its text stands beside and below the middle of the shape.
pub(super) fn off_middle(role: Role) -> (f64, f64) {
    match role {
        Role::Store => (0.0, 4.0),
        Role::Broker => (-4.0, 0.0),
        _ => (0.0, 0.0),
    }
}

const TIP: f64 = 10.0;
const BULGE: f64 = 7.0;
const LID: f64 = 5.0;

/// How much is cut off the corners of an octagon.
fn corner(height: f64) -> f64 {
    (height / 3.5).min(9.0)
}

/// The outline, as the data of a path.
pub(super) fn outline(role: Role, rect: &Rect) -> String {
    let (x, y, r, b) = (rect.x, rect.y, rect.right(), rect.bottom());
    let middle = rect.middle().y;
    match role {
        Role::Load => {
            let round = rect.height / 2.0;
            let data = [("M", x + round, y), ("H", r - round, y)];
            let arc = |to_x: f64, to_y: f64| format!("A{0} {0} 0 0 1 {1} {2}", n(round), n(to_x), n(to_y));
            format!("{}{}H{}{}Z", commands(&data), arc(r - round, b), n(x + round), arc(x + round, y))
        }
        Role::Gateway => {
            polygon(&[(x, middle), (x + TIP, y), (r - TIP, y), (r, middle), (r - TIP, b), (x + TIP, b)])
        }
        Role::App => rounded(rect, 3.0),
        Role::Broker => {
            let arc = |to_x: f64, to_y: f64, sweep: u8| {
                format!("A{} {} 0 0 {sweep} {} {}", n(BULGE), n(rect.height / 2.0), n(to_x), n(to_y))
            };
            let (left, right) = (x + BULGE, r - BULGE);
            format!(
                "M{} {}H{}{}H{}{}Z M{} {}{}",
                n(left),
                n(y),
                n(right),
                arc(right, b, 1),
                n(left),
                arc(left, y, 1),
                n(right),
                n(y),
                arc(right, b, 0)
            )
        }
        Role::Store => {
            let arc = |to_x: f64, to_y: f64, sweep: u8| {
                format!("A{} {} 0 0 {sweep} {} {}", n(rect.width / 2.0), n(LID), n(to_x), n(to_y))
            };
            let (top, bottom) = (y + LID, b - LID);
            format!(
                "M{} {}{}V{}{}Z M{} {}{}",
                n(x),
                n(top),
                arc(r, top, 1),
                n(bottom),
                arc(x, bottom, 1),
                n(x),
                n(top),
                arc(r, top, 0)
            )
        }
        Role::Control => {
            let cut = corner(rect.height);
            polygon(&[
                (x + cut, y),
                (r - cut, y),
                (r, y + cut),
                (r, b - cut),
                (r - cut, b),
                (x + cut, b),
                (x, b - cut),
                (x, y + cut),
            ])
        }
    }
}

/// How far the outline is from the left or right side of its rectangle, so far above or below the middle.
pub(super) fn inset(role: Role, height: f64, off_middle: f64) -> f64 {
    let half = height / 2.0;
    let off = off_middle.abs().min(half);
    match role {
        Role::Load => half - (half * half - off * off).sqrt(),
        Role::Gateway => TIP * off / half,
        Role::Broker => BULGE * (1.0 - (1.0 - (off / half) * (off / half)).sqrt()),
        Role::Control => (off - (half - corner(height))).max(0.0),
        Role::App | Role::Store => 0.0,
    }
}

fn rounded(rect: &Rect, round: f64) -> String {
    let (x, y, r, b) = (rect.x, rect.y, rect.right(), rect.bottom());
    let arc = |to_x: f64, to_y: f64| format!("A{0} {0} 0 0 1 {1} {2}", n(round), n(to_x), n(to_y));
    format!(
        "M{} {}H{}{}V{}{}H{}{}V{}{}Z",
        n(x + round),
        n(y),
        n(r - round),
        arc(r, y + round),
        n(b - round),
        arc(r - round, b),
        n(x + round),
        arc(x, b - round),
        n(y + round),
        arc(x + round, y)
    )
}

fn polygon(points: &[(f64, f64)]) -> String {
    let corners: Vec<String> = points.iter().map(|(x, y)| format!("{} {}", n(*x), n(*y))).collect();
    format!("M{}Z", corners.join("L"))
}

fn commands(steps: &[(&str, f64, f64)]) -> String {
    let told = |(letter, x, y): &(&str, f64, f64)| match *letter {
        "H" => format!("H{}", n(*x)),
        letter => format!("{letter}{} {}", n(*x), n(*y)),
    };
    steps.iter().map(told).collect()
}

fn n(value: f64) -> String {
    number(value)
}
