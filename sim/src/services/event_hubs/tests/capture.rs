//! What the service captures by itself.

use super::*;
use crate::message::store;
use crate::node::rig::sent;
use crate::services::storage_container::StorageContainer;

const LAKE: &str = "lake";

fn captured(capture: Capture) -> Result<Plan, Vec<PlanError>> {
    let hub = EventHub { partitions: 1, consumer_groups: Vec::new(), capture: Some(capture), ..hub() };
    let mut blueprint = blueprint(EventHubs::default(), hub);
    let lake = StorageContainer { holds: vec!["raw".to_owned()], ..StorageContainer::default() };
    blueprint.nodes.insert(LAKE.to_owned(), NodeKind::StorageContainer(lake));
    let mut plan = Plan::new(blueprint)?;
    plan.add_stream("devices", FlowId(0));
    Ok(plan)
}

fn capture() -> Capture {
    Capture { to: "lake.raw".to_owned(), ..Capture::default() }
}

/// The files among these effects: each with the numbers of its events.
fn files(effects: &[Effect]) -> Vec<(Message, Vec<u32>)> {
    let writes =
        sent(effects).filter(|message| matches!(message.body, Body::Store(store::Command::Write { .. })));
    let numbers = |message: &Message| message.cargo.items().iter().map(|item| item.number).collect();
    writes.map(|message| (message.clone(), numbers(message))).collect()
}

fn lake(plan: &Plan) -> u32 {
    plan.endpoint(LAKE).expect("the lake").address.process.0
}

fn done() -> Body {
    Body::StoreAnswer(store::Answer::Done { absorbed: false })
}

fn unavailable() -> Body {
    Body::StoreAnswer(store::Answer::Refused { error: store::Error::Unavailable, retry_after: None })
}

#[test]
fn a_file_is_written_when_the_window_is_over() {
    let plan = captured(capture()).expect("right");
    let mut rig = rig(&plan);
    let mut books = Books::default();
    rig.message(5, send(1, &[item(1, 0)], Once::KEY));
    let effects = rig.advance(Span::mins(4));
    books.book(&effects);
    assert!(files(&effects).is_empty() && rig.busy(), "an event waits: it is work");
    rig.message(5, send(2, &[item(2, 0)], Once::KEY));
    let effects = rig.advance(Span::secs(61));
    books.book(&effects);
    let [(file, numbers)] = &files(&effects)[..] else { panic!("one file") };
    assert_eq!(numbers, &[1, 2]);
    let effects = rig.message(lake(&plan), file.answer(done()));
    books.book(&effects);
    assert_eq!(ended(&effects, End::Completed), 2, "nobody else reads it");
    assert_eq!(books.held(&rig), books.copies);
    assert!(!rig.busy());
    assert!(files(&rig.advance(Span::mins(30))).is_empty(), "nothing comes, nothing is written");
}

#[test]
fn a_file_is_written_before_its_window_is_over_when_it_is_large_enough() {
    let plan = captured(Capture { size: Bytes(10 << 20), ..capture() }).expect("right");
    let mut rig = rig(&plan);
    let mut effects = Vec::new();
    // 11 MB in 14 s, as much as one throughput unit lets in.
    for second in 0..14 {
        for part in 0..8u32 {
            let first = second * 800 + part * 100;
            let items: Vec<Item> = (first..first + 100).map(|number| item(number, 0)).collect();
            rig.message(5, send(u64::from(first), &items, Once::KEY));
        }
        effects.extend(rig.advance(Span::secs(1)));
    }
    let [(_, numbers)] = &files(&effects)[..1] else { panic!("a file") };
    assert_eq!(numbers.len(), 10_000, "no more than a message may carry");
    assert_eq!(numbers[0], 0);
}

#[test]
fn what_came_while_the_container_was_away_is_written_later_and_once() {
    let plan = captured(capture()).expect("right");
    let mut rig = rig(&plan);
    let to = lake(&plan);
    rig.message(5, send(1, &[item(1, 0)], Once::KEY));
    let mut effects = rig.advance(Span::secs(301));
    let mut refusals = 0;
    // The client library gives up after its retries; the service tries again.
    for _ in 0..600 {
        let open: Vec<Message> = files(&effects).into_iter().map(|(file, _)| file).collect();
        effects = rig.advance(Span::secs(1));
        for file in open {
            refusals += 1;
            effects.extend(rig.message(to, file.answer(unavailable())));
        }
    }
    assert!(refusals > 10, "{refusals}");
    rig.message(5, send(2, &[item(2, 0)], Once::KEY));
    let mut written: Vec<Vec<u32>> = Vec::new();
    let mut completed = 0;
    for _ in 0..400 {
        let open = files(&effects);
        effects = rig.advance(Span::secs(1));
        for (file, numbers) in open {
            let answered = rig.message(to, file.answer(done()));
            completed += ended(&answered, End::Completed);
            written.push(numbers);
            effects.extend(answered);
        }
    }
    assert_eq!(completed, 2);
    assert_eq!(written.concat(), [1, 2]);
    assert!(rig.held().is_empty());
}

#[test]
fn after_a_crash_what_was_not_captured_is() {
    let plan = captured(capture()).expect("right");
    let mut rig = rig(&plan);
    rig.message(5, send(1, &[item(1, 0)], Once::KEY));
    rig.advance(Span::mins(2));
    rig.crash();
    let effects = rig.advance(Span::secs(301));
    assert_eq!(files(&effects).first().map(|(_, numbers)| numbers.clone()), Some(vec![1]));
}

#[test]
fn a_capture_that_is_not_possible_is_refused() {
    let fails = |capture: Capture, what: &str| {
        let errors = match captured(capture) {
            Ok(plan) => vec![plan.blueprint.nodes["ingest"].build("ingest", &plan).expect_err(what)],
            Err(errors) => errors,
        };
        let text = format!("{} {}", errors[0], errors[0].help.clone().unwrap_or_default());
        assert!(text.contains(what), "{text}");
    };
    fails(Capture { window: Span::secs(30), ..capture() }, "1m to 15m");
    fails(Capture { size: Bytes(1 << 20), ..capture() }, "10MB to 500MB");
    fails(Capture { to: "telemetry".to_owned(), ..capture() }, "storage-container");
    fails(Capture { to: "nowhere".to_owned(), ..capture() }, "there is no `nowhere`");
}
