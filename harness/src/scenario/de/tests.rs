//! Reading, and above all reading what is wrong.

use std::collections::BTreeMap;
use std::fmt;

use proptest::prelude::*;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::*;

use crate::scenario::diagnostics::{Sources, one_line};
use crate::scenario::sample::{
    Ack, App, Bus, Common, Delay, Many, NodeKind, Notice, Scenario, Sql, Step, Verb, Write, trees,
};
use crate::scenario::ser::to_tree;
use crate::scenario::tree::{Key, Kind, parse_value};

fn read<T: for<'a> Deserialize<'a>>(text: &str) -> Result<T, String> {
    let mut sources = Sources::new();
    let id = sources.add("t", text);
    let tree = parse_value(&sources, id).unwrap();
    from_tree(&tree).map_err(|d| one_line(&d, &sources))
}

fn good<T: for<'a> Deserialize<'a>>(text: &str) -> T {
    read(text).unwrap()
}

fn bad<T: for<'a> Deserialize<'a> + fmt::Debug>(text: &str) -> String {
    read::<T>(text).unwrap_err()
}

fn write(target: &str, once: Option<&str>) -> Write {
    Write { target: target.into(), once: once.map(Into::into), if_unchanged: None }
}

#[test]
fn verbs() {
    let insert = Verb::Insert(write("orders-db.order", Some("item")));
    assert_eq!(good::<Verb>("{ insert: orders-db.order, once: item }"), insert);
    assert_eq!(good::<Verb>("notify"), Verb::Notify(Notice { target: None }));
    assert_eq!(good::<Verb>("{ notify: }"), Verb::Notify(Notice { target: None }));
    assert_eq!(good::<Verb>("{ once: item, insert: orders-db.order }"), insert);
    assert_eq!(good::<Verb>("{ insert: 80 }"), Verb::Insert(write("80", None)));
    assert_eq!(good::<Verb>("work: 8ms"), Verb::Work(Delay(8)));
    assert_eq!(good::<Verb>("reply: 202"), Verb::Reply(202));
    assert_eq!(
        good::<Verb>("transaction: [{ insert: a }, { insert: b, once: key }, abandon]"),
        Verb::Transaction(vec![
            Verb::Insert(write("a", None)),
            Verb::Insert(write("b", Some("key"))),
            Verb::Abandon
        ])
    );
    assert_eq!(good::<Verb>("{ run: x, at: 5ms }"), Verb::Run { target: "x".into(), at: Some(Delay(5)) });
    assert_eq!(good::<Verb>("together: a"), Verb::Together(Many(vec!["a".into()])));
    assert_eq!(good::<Verb>("together: [a, b]"), Verb::Together(Many(vec!["a".into(), "b".into()])));
}

#[test]
fn words() {
    assert_eq!(good::<Verb>("complete"), Verb::Complete(Ack::default()));
    assert_eq!(good::<Verb>("{ complete: }"), Verb::Complete(Ack::default()));
    assert_eq!(good::<Verb>("{ complete: , policy: x }"), Verb::Complete(Ack { policy: Some("x".into()) }));
    assert_eq!(good::<Verb>("abandon"), Verb::Abandon);
    assert_eq!(good::<Verb>("abandon: null"), Verb::Abandon);
}

#[test]
fn kinds() {
    assert_eq!(
        good::<NodeKind>("{ kind: sql-database, zones: 3, holds: order }"),
        NodeKind::SqlDatabase(Sql { zones: Some(3), holds: Some(Many(vec!["order".into()])) })
    );
    let bus = Bus { lock: Delay(5), ratio: Some(1.0), hidden: Some(true) };
    assert_eq!(
        good::<NodeKind>("{ lock: 5ms, kind: service-bus, ratio: 1, hidden: true }"),
        NodeKind::ServiceBus(bus)
    );
    assert_eq!(good::<NodeKind>("{ kind: nothing }"), NodeKind::Nothing);
}

#[test]
fn tuple_structs_share_a_map() {
    let common = |name: Option<&str>| Common { name: name.map(Into::into), timeout: None };
    assert_eq!(
        good::<Step>("{ as: charge, insert: a, once: item }"),
        Step(common(Some("charge")), Verb::Insert(write("a", Some("item"))))
    );
    assert_eq!(good::<Step>("work: 8ms"), Step(common(None), Verb::Work(Delay(8))));
    assert_eq!(good::<Step>("{ work: 8ms, as: w }"), Step(common(Some("w")), Verb::Work(Delay(8))));
    let error = bad::<Step>("{ insert: a, timout: x }");
    assert!(error.starts_with("t:1:14: error: `insert` has no field `timout`"), "{error}");
    assert!(error.contains("did you mean `timeout`?"), "{error}");
    let error = bad::<Step>("{ insert: a, as: [] }");
    assert!(error.contains("t:1:18: error: as: expected text, found a list"), "{error}");
}

#[test]
fn unknown_verbs_kinds_and_words() {
    for (error, start, hint) in [
        (bad::<Verb>("{ insrt: a, once: item }"), "t:1:3: error: `insrt`", "mean `insert`?"),
        (bad::<Verb>("{ once: item, insrt: a }"), "t:1:15: error: `insrt`", "mean `insert`?"),
        (bad::<Verb>("{ zebra: a }"), "t:1:3: error: `zebra`", "there are `insert`, "),
        (bad::<Verb>("{}"), "t:1:1: error: this says nothing", "there are"),
        (bad::<Verb>("compleet"), "t:1:1: error: `compleet`", "mean `complete`?"),
        (bad::<Verb>("[a]"), "t:1:1: error: expected", ""),
        (bad::<Verb>("null"), "t:1:1: error: expected", ""),
        (
            bad::<Verb>("{ insert: a, reply: 200 }"),
            "t:1:14: error: `insert` and `reply` cannot stand in one entry",
            "two entries",
        ),
        (
            bad::<NodeKind>("{ kind: sqldatabase }"),
            "t:1:9: error: there is no kind `sqldatabase`",
            "mean `sql-database`?",
        ),
        (bad::<NodeKind>("{ knd: nothing }"), "t:1:3: error: the field `kind` is", "mean `kind`?"),
        (bad::<NodeKind>("{ zones: 3 }"), "t:1:3: error: the field `kind` is", "`service-bus`"),
        (bad::<NodeKind>("{ kind: [a] }"), "t:1:9: error: kind: expected a word", ""),
        (bad::<NodeKind>("{ kind: }"), "t:1:7: error: kind: expected a word", ""),
    ] {
        assert!(error.starts_with(start) && error.contains(hint), "{error}");
    }
}

#[test]
fn unknown_and_missing_fields() {
    for (error, start, hint) in [
        (
            bad::<Verb>("{ insert: a, onse: item }"),
            "t:1:14: error: `insert` has no field `onse`",
            "did you mean `once`? There are `once` and `if-unchanged`",
        ),
        (bad::<Verb>("{ insert: a, target: b }"), "t:1:14: error: `insert` has no field", "`insert: …`"),
        (bad::<Verb>("{ reply: 200, once: a }"), "t:1:15: error: `reply` takes no field `once`", ""),
        (bad::<Verb>("{ abandon: , once: a }"), "t:1:14: error: `abandon` has no field `once`", ""),
        (bad::<Verb>("abandon: x"), "t:1:10: error: `abandon` takes no object", ""),
        (bad::<Verb>("complete: x"), "t:1:11: error: `complete` takes no object", ""),
        (bad::<Verb>("{ complete: , retry: x }"), "t:1:15: error: `complete` has no field `retry`", ""),
        (bad::<Verb>("insert"), "t:1:1: error: `insert` needs an object", "`insert: …`"),
        (bad::<Verb>("{ insert: , once: x }"), "t:1:3: error: `insert` needs an object", ""),
        (bad::<Verb>("append"), "t:1:1: error: `append` needs an object", "`append: …`"),
        (bad::<Verb>("{ append: }"), "t:1:3: error: `append` needs an object", ""),
        (bad::<Verb>("{ once: x, append: }"), "t:1:12: error: `append` needs an object", ""),
        (bad::<Verb>("append: []"), "t:1:9: error: append: expected text, found a list", ""),
        (bad::<Verb>("reply"), "t:1:1: error: `reply` needs a value", "`reply: …`"),
        (
            bad::<Verb>("{ run: a, onse: b }"),
            "t:1:11: error: `run` has no field `onse`",
            "there is only `at`",
        ),
        (
            bad::<NodeKind>("{ kind: service-bus, lok: 5ms }"),
            "t:1:22: error: `service-bus` has no field `lok`",
            "did you mean `lock`?",
        ),
        (bad::<NodeKind>("{ kind: service-bus }"), "t:1:3: error: the field `lock` is missing", ""),
        (bad::<App>("{ steps: [] }"), "t:1:3: error: the field `trigger` is missing", ""),
        (bad::<App>("{}"), "t:1:1: error: the field `trigger` is missing", ""),
        (bad::<App>("{ trigger: a, triger: b }"), "t:1:15: error: there is no field `triger` here", ""),
    ] {
        assert!(error.starts_with(start) && error.contains(hint), "{error}");
    }
}

#[test]
fn values_that_do_not_fit() {
    let bus = |field: &str| bad::<NodeKind>(&format!("{{ kind: service-bus, {field} }}"));
    for (error, expected) in [
        (bus("lock: 80"), "t:1:28: error: lock: `80` is not a duration; write `80ms`"),
        (bus("lock: { a: 1 }"), "lock: expected text, found a map"),
        (bus("lock: 1ms, ratio: abc"), "ratio: expected a number, found the text `abc`"),
        (bus("lock: 1ms, hidden: on"), "hidden: expected `true` or `false`, found the text `on`"),
        (bus("lock: "), "lock: expected text, found nothing (give it a value, or leave"),
        (
            bad::<Verb>("reply: abc"),
            "t:1:8: error: reply: expected a whole number from 0 to 65535, found the text `abc`",
        ),
        (
            bad::<Verb>("reply: 70000"),
            "reply: expected a whole number from 0 to 65535, found the number `70000`",
        ),
        (bad::<Verb>("reply: -1"), "found the number `-1`"),
        (bad::<Verb>("reply: 2.5"), "found the number `2.5`"),
        (bad::<Verb>("reply: 99999999999999999999999"), "too large"),
        (bad::<Verb>("reply: 9999999999999999999999999999999999999999999999999"), "found the number"),
        (bad::<Verb>("transaction: { a: b }"), "t:1:16: error: transaction: expected a list, found a map"),
        (bad::<Verb>("together: { a: b }"), "together: expected a name or a list of names, found a map"),
        (bad::<Verb>("together: [a, [b]]"), "t:1:15: error: together.#2: expected text, found a list"),
        (bad::<App>("[x, []]"), "expected a map, `{ field: value, … }`, found a list"),
        (bad::<App>("x"), "expected a map"),
        (bad::<(u8, u8)>("[1, 2, 3]"), "t:1:8: error: this list is too long"),
        (bad::<(u8, u8)>("[1]"), "error: expected"),
    ] {
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn paths_use_the_names_of_steps() {
    let named = "{ trigger: x, steps: [{ insert: a }, { insert: b, as: second, at: c }] }";
    assert!(bad::<App>(named).contains("steps.second: `insert` has no field `at`"));
    let unnamed = "{ trigger: x, steps: [{ insert: a }, { insert: b, once: [] }] }";
    assert!(bad::<App>(unnamed).contains("steps.#2.once: expected text"));
    let error = bad::<App>("{ trigger: x, steps: [{ insert: a }, { transaction: [{ reply: x }] }] }");
    assert!(error.contains("steps.transaction.reply: expected"), "{error}");
}

#[test]
fn sections_tell_all_wrong_entries() {
    let mut sources = Sources::new();
    let text = "a: { kind: nothing }\nb: { kind: nothin }\nc: 1\n";
    let id = sources.add("t", text);
    let tree = parse_value(&sources, id).unwrap();
    let at = Path::of_keys(["nodes"]);
    let errors = entries_at::<NodeKind>(&tree, &at).unwrap_err();
    let lines: Vec<String> = errors.iter().map(|d| one_line(d, &sources)).collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("t:2:12: error: nodes.b: there is no kind `nothin`"), "{lines:?}");
    assert!(lines[1].starts_with("t:3:4: error: nodes.c: "), "{lines:?}");
    assert!(entries_at::<NodeKind>(tree.get("c").unwrap(), &at).is_err());
    let id = sources.add("u", "a: { kind: nothing }");
    let tree = parse_value(&sources, id).unwrap();
    assert_eq!(entries_at::<NodeKind>(&tree, &at).unwrap().len(), 1);
}

#[test]
fn maps_and_anything() {
    let map: BTreeMap<u16, String> = good("{ 1: a, 22: on }");
    assert_eq!(map.get(&22).map(String::as_str), Some("on"));
    assert!(bad::<BTreeMap<u16, String>>("{ 1: a, x: b }").starts_with("t:1:9: error: expected a whole"));
    let _: IgnoredAny = good("{ a: [1, { b: c }], d: }");
    let map: BTreeMap<String, IgnoredAny> = good("{ a: [1, { b: c }], d: }");
    assert_eq!(map.len(), 2);
    let json: serde_json::Value = good("{ a: [1, -2, 2.5, true, null, x], b: { c: 10:30 } }");
    let expected = serde_json::json!({"a": [1, -2, 2.5, true, null, "x"], "b": {"c": "10:30"}});
    assert_eq!(json, expected);
    let pair: (u8, String) = good("[1, 2]");
    assert_eq!(pair, (1, "2".into()));
    let some: Option<Option<f64>> = good("3");
    assert_eq!(some, Some(Some(3.0)));
}

/// Trees of the words that the small language knows, in every wrong order.
fn almost() -> impl Strategy<Value = Tree> {
    let words =
        "insert|kind|app|complete|steps|trigger|target|as|once|nothing|transaction|work|8ms|2|true|null|~";
    let word = proptest::string::string_regex(words).unwrap().boxed();
    let leaf = word.clone().prop_map(|w: String| Tree::from(Kind::plain(&w)));
    leaf.prop_recursive(4, 40, 4, move |inner| {
        let entries = proptest::collection::vec((word.clone(), inner.clone()), 0..4);
        prop_oneof![
            proptest::collection::vec(inner, 0..4).prop_map(|items| Kind::Seq(items).into()),
            entries.prop_map(|list| {
                let entries = list.into_iter().map(|(name, value)| (Key::new(name), value));
                Kind::Map(entries.collect()).into()
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_tree_makes_it_panic(tree in prop_oneof![almost(), trees()]) {
        let _ = from_tree::<Scenario>(&tree);
        let _ = from_tree::<Step>(&tree);
        let _ = from_tree::<NodeKind>(&tree);
        let _ = from_tree::<Vec<Many>>(&tree);
        let _ = entries_at::<Verb>(&tree, &Path::root());
        let _ = from_tree::<serde_json::Value>(&tree);
    }

    #[test]
    fn what_is_read_is_written_as_the_same_value(tree in almost()) {
        if let Ok(step) = from_tree::<Step>(&tree) {
            let again = to_tree(&step).unwrap();
            prop_assert_eq!(from_tree::<Step>(&again), Ok(step));
        }
    }
}
