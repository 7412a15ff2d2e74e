//! What cannot be built is refused with its word.

use super::*;
use crate::faults::FaultKind;
use crate::faults::load::LargePayload;
use crate::faults::queue_broker::Throttle;
use crate::message::broker::Error;
use crate::plan::PlanError;
use crate::services::load::Load;
use crate::services::service_bus::{
    ServiceBus, ServiceBusQueue, ServiceBusSubscription, ServiceBusTopic, Tier,
};
use crate::units::{Bytes, Rate};

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
        (ServiceBus { credits: 500, tier: Tier::Premium, ..standard() }, queue(), "tier"),
        (ServiceBus { units: 3, tier: Tier::Premium, ..standard() }, queue(), "units"),
    ];
    for (bus, queue, expected) in cases {
        let description = format!("{bus:?} {queue:?}");
        assert_eq!(word(bus, vec![("q", queue)]), expected, "{description}");
    }
    assert_eq!(word(standard(), vec![("a", to("b")), ("b", to("c")), ("c", to("a"))]), "cycle");
}

#[test]
fn credits_are_no_measure_for_a_premium_namespace() {
    let build = |tier, credits| {
        let throttle = Throttle { target: "bus".to_owned(), credits, ..Throttle::default() };
        let mut blueprint =
            plan(vec![("bus", NodeKind::ServiceBus(ServiceBus { tier, ..Default::default() }))])
                .expect("a plan")
                .blueprint
                .clone();
        blueprint.faults.insert("trouble".to_owned(), FaultKind::BrokerThrottle(throttle));
        Plan::new(blueprint).err().map(|errors| (errors[0].to_string(), errors[0].word))
    };
    assert_eq!(build(Tier::Premium, None), None);
    assert_eq!(build(Tier::Standard, Some(10)), None);
    let (text, word) = build(Tier::Premium, Some(10)).expect("refused");
    assert!(text.contains("a premium namespace has no credits"), "{text}");
    assert_eq!(word, "inapplicable");
}

/// The stream of a fault may have items of another size than its flow.
#[test]
fn items_of_unusual_size_have_that_size_for_the_broker() {
    let flow = Flow { size: Bytes(1 << 10), ..Flow::default() };
    let load =
        Load { flow: "orders".into(), to: "q".into(), rate: Some(Rate::per_second(1.0)), ..Load::default() };
    let mut blueprint = plan(vec![
        ("bus", NodeKind::ServiceBus(ServiceBus::default())),
        ("q", NodeKind::ServiceBusQueue(ServiceBusQueue { of: "bus".into(), ..Default::default() })),
        ("shop", NodeKind::Load(load)),
    ])
    .expect("a plan")
    .blueprint
    .clone();
    blueprint.flows.insert("orders".to_owned(), flow);
    let large = LargePayload { target: "shop".to_owned(), size: Bytes(300 << 10), ..LargePayload::default() };
    blueprint.faults.insert("trouble".to_owned(), FaultKind::LoadLargePayload(large));
    let plan = Plan::new(blueprint).expect("a plan");
    let mut rig = rig(&plan);
    for (name, refused) in [("shop", None), ("trouble", Some(Error::MessageSizeExceeded))] {
        let stream = plan.stream_named(name).expect("a stream");
        let mut message = send(part(&plan, "q"), &[1]);
        message.items[0].stream = stream;
        let mut effects = rig.message(1, message.message(u64::from(stream.0)));
        effects.extend(rig.advance(Span::millis(5)));
        let why = events(&effects).into_iter().find_map(|event| match event {
            Event::Refused(why) => Some(why),
            _ => None,
        });
        assert_eq!(why, refused, "{name}");
    }
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
