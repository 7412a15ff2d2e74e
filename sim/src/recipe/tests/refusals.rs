//! What `check` refuses, where, and in which words.

use super::bench::*;
use super::*;
use crate::ids::Once;
use crate::message::broker::ReceiveMode;
use crate::recipe::hosts::{ContainerApp, FunctionApp};
use crate::services::Service;
use crate::services::cosmos_db::CosmosDb;
use crate::services::service_bus::{ServiceBus, ServiceBusQueue};

/// The first thing that is wrong with this app among usual nodes: word, path, message.
fn refused(kind: NodeKind) -> (String, String, String) {
    let cosmos = CosmosDb {
        holds: vec!["order".to_owned(), "event".to_owned()],
        partition_by: Once::ITEM.and(Once::TYPE),
        ..CosmosDb::default()
    };
    let queue = ServiceBusQueue { of: "bus".to_owned(), ..ServiceBusQueue::default() };
    let nodes = vec![
        ("orders-db", database(&["order", "event"])),
        ("stock", database(&[])),
        ("orders", NodeKind::CosmosDb(cosmos)),
        ("psp", endpoint(&["charge"])),
        ("bus", NodeKind::ServiceBus(ServiceBus::default())),
        ("raw", NodeKind::ServiceBusQueue(queue)),
        ("api", kind),
    ];
    let error = match plan(nodes) {
        Err(errors) => errors.into_iter().next().expect("an error"),
        Ok(plan) => plan.blueprint.nodes["api"].build("api", &plan).map(|_| ()).expect_err("it is refused"),
    };
    assert!(error.help.is_some() || error.word == "dangling", "no advice: {error}");
    (error.word.to_owned(), error.path.join("."), error.message)
}

fn http(steps: Vec<Step>) -> NodeKind {
    NodeKind::ContainerApp(ContainerApp { trigger: "http".to_owned(), steps, ..ContainerApp::default() })
}

fn reader(trigger: &str, steps: Vec<Step>) -> NodeKind {
    NodeKind::FunctionApp(FunctionApp { trigger: trigger.to_owned(), steps, ..FunctionApp::default() })
}

fn named(mut step: Step, name: &str) -> Step {
    if let Step::Insert(insert) = &mut step {
        insert.name = Some(name.to_owned());
    }
    step
}

#[test]
fn what_cannot_work_is_refused_with_its_place_and_a_word() {
    let both = |a: &str, b: &str| transaction(vec![insert(a, None), insert(b, None)]);
    for (kind, word, path, message) in [
        (
            http(vec![insert("orders-db.ordr", None), reply(200)]),
            "dangling",
            "nodes.api.steps.0",
            "orders-db.ordr",
        ),
        (http(vec![insert("psp", None), reply(200)]), "dangling", "nodes.api.steps.0", "not a table"),
        (
            http(vec![work(Span::ZERO), send("orders-db", None), reply(200)]),
            "dangling",
            "nodes.api.steps.1",
            "nothing can be sent",
        ),
        (http(vec![insert("stock", None)]), "acknowledge", "nodes.api.steps", "never acknowledges"),
        (http(vec![reply(200), complete()]), "acknowledge", "nodes.api.steps.1", "does not fit the trigger"),
        (reader("raw", vec![insert("stock", None)]), "acknowledge", "nodes.api.steps", "never acknowledges"),
        (reader("raw", vec![complete(), reply(200)]), "acknowledge", "nodes.api.steps.1", "does not fit"),
        (
            reader("orders-db.event", vec![delete("orders-db.order")]),
            "acknowledge",
            "nodes.api.steps",
            "never",
        ),
        (reader("orders.change-feed", vec![complete()]), "acknowledge", "nodes.api.steps.0", "does not fit"),
        (reader("stock.change-feed", vec![complete()]), "dangling", "nodes.api.trigger", "no change feed"),
        (reader("nowhere", vec![complete()]), "dangling", "nodes.api.trigger", "nowhere"),
        (
            http(vec![both("orders-db.order", "stock"), reply(200)]),
            "transaction",
            "nodes.api.steps.0",
            "two databases",
        ),
        (
            http(vec![transaction(vec![insert("stock", None), send("raw", None)]), reply(200)]),
            "transaction",
            "nodes.api.steps.0",
            "a database and a broker",
        ),
        (
            http(vec![both("orders.order", "orders.event"), reply(200)]),
            "transaction",
            "nodes.api.steps.0",
            "two partitions",
        ),
        (
            http(vec![call("psp", "charge", "refund"), reply(200)]),
            "undo",
            "nodes.api.steps.0",
            "no operation `refund`",
        ),
        (
            http(vec![
                named(insert("stock", None), "a"),
                named(insert("orders-db.order", None), "a"),
                reply(200),
            ]),
            "step",
            "nodes.api.steps.a",
            "two steps are called `a`",
        ),
    ] {
        let (found_word, found_path, found) = refused(kind);
        assert_eq!((found_word.as_str(), found_path.as_str()), (word, path), "{found}");
        assert!(found.contains(message), "{found}");
    }
}

#[test]
fn receive_and_delete_leaves_nothing_to_complete() {
    let app = |steps| {
        NodeKind::FunctionApp(FunctionApp {
            trigger: "raw".to_owned(),
            receive: ReceiveMode::ReceiveAndDelete,
            steps,
            ..FunctionApp::default()
        })
    };
    let (word, _, message) = refused(app(vec![insert("stock", None), complete()]));
    assert_eq!(word, "acknowledge");
    assert!(message.contains("nothing to settle"), "{message}");
}
