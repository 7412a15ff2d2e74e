//! What cannot be built is refused with its word.

use super::*;
use crate::plan::PlanError;
use crate::services::service_bus::{
    ServiceBus, ServiceBusQueue, ServiceBusSubscription, ServiceBusTopic, Tier,
};

fn word(bus: ServiceBus, queues: Vec<(&str, ServiceBusQueue)>) -> &'static str {
    let mut nodes = vec![("bus", NodeKind::ServiceBus(bus))];
    nodes.extend(queues.into_iter().map(|(name, queue)| {
        let of = if queue.of.is_empty() { "bus".to_owned() } else { queue.of.clone() };
        (name, NodeKind::ServiceBusQueue(ServiceBusQueue { of, ..queue }))
    }));
    nodes.push(("t", NodeKind::ServiceBusTopic(ServiceBusTopic { of: "bus".into(), ..Default::default() })));
    first_error(nodes).map_or("", |error| error.word)
}

fn first_error(nodes: Vec<(&str, NodeKind)>) -> Option<PlanError> {
    match plan(nodes) {
        Err(mut errors) => Some(errors.remove(0)),
        Ok(plan) => plan.blueprint.nodes["bus"].build("bus", &plan).err(),
    }
}

fn to(name: &str) -> ServiceBusQueue {
    ServiceBusQueue { forward_to: Some(name.to_owned()), ..Default::default() }
}

#[test]
fn what_the_facts_exclude_is_refused() {
    let standard = ServiceBus::default;
    let basic = || ServiceBus { tier: Tier::Basic, ..ServiceBus::default() };
    let queue = ServiceBusQueue::default;
    assert_eq!(word(standard(), vec![("q", queue())]), "");
    let cases: Vec<(ServiceBus, ServiceBusQueue, &str)> = vec![
        (standard(), ServiceBusQueue { lock: Span::mins(6), ..queue() }, "lock"),
        (standard(), ServiceBusQueue { max_delivery: 0, ..queue() }, "max-delivery"),
        (standard(), ServiceBusQueue { dedup_window: Some(Span::secs(5)), ..queue() }, "dedup-window"),
        (standard(), ServiceBusQueue { ttl: Some(Span::millis(5)), ..queue() }, "ttl"),
        (standard(), ServiceBusQueue { of: "nobody".into(), ..queue() }, "dangling"),
        (standard(), ServiceBusQueue { of: "t".into(), ..queue() }, "of"),
        (standard(), to("nobody"), "dangling"),
        (standard(), ServiceBusQueue { sessions: true, ..to("t") }, "sessions"),
        (standard(), to("q"), "cycle"),
        (basic(), ServiceBusQueue { sessions: true, ..queue() }, "tier"),
        (basic(), ServiceBusQueue { dedup_window: Some(Span::mins(1)), ..queue() }, "tier"),
        (ServiceBus { units: 2, ..standard() }, queue(), "tier"),
        (ServiceBus { units: 3, tier: Tier::Premium, ..standard() }, queue(), "units"),
    ];
    for (bus, queue, expected) in cases {
        let description = format!("{bus:?} {queue:?}");
        assert_eq!(word(bus, vec![("q", queue)]), expected, "{description}");
    }
    assert_eq!(word(standard(), vec![("a", to("b")), ("b", to("c")), ("c", to("a"))]), "cycle");
}

#[test]
fn a_cycle_through_a_topic_is_found() {
    let subscription =
        ServiceBusSubscription { of: "t".to_owned(), forward_to: Some("q".to_owned()), ..Default::default() };
    let error = first_error(vec![
        ("bus", NodeKind::ServiceBus(ServiceBus::default())),
        ("t", NodeKind::ServiceBusTopic(ServiceBusTopic { of: "bus".into(), ..Default::default() })),
        ("q", NodeKind::ServiceBusQueue(ServiceBusQueue { of: "bus".into(), ..to("t") })),
        ("s", NodeKind::ServiceBusSubscription(subscription)),
    ]);
    assert_eq!(error.map(|error| (error.word, error.message)).unwrap().1, "cycle in auto-forward");
}
