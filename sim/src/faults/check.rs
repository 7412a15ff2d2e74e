//! Whether the scenario's faults can do what they say: found out before anything runs.

use crate::faults::{Action, Aim, At, FaultKind, Placement};
use crate::ids::FaultId;
use crate::plan::{Plan, PlanError};
use crate::random::name_hash;
use crate::services::Service;

/// Everything that is wrong with the faults of a plan.
pub(crate) fn check(plan: &Plan) -> Vec<PlanError> {
    let mut errors = Vec::new();
    let faults = &plan.blueprint.faults;
    if faults.len() > 64 {
        let message = format!("there are {} faults", faults.len());
        errors.push(PlanError::at(&["faults"], message).help("at most 64 faults fit one scenario"));
    }
    for (index, (name, kind)) in faults.iter().enumerate() {
        let placement = kind.placement();
        let aim = aim(plan, index, name, kind, &placement);
        match kind.actions(&aim) {
            Err(error) => errors.push(error),
            Ok(actions) => {
                if placement.ramp.is_some() && !actions.iter().any(super::Action::can_ramp) {
                    let message = format!("`{}` happens or does not; it cannot grow", kind.id());
                    errors.push(PlanError::at(&["faults", name, "ramp"], message).word("inapplicable"));
                }
                errors.extend(check_frequency(name, kind, &placement, &actions));
                errors.extend(check_refusal(plan, name, kind));
                errors.extend(check_placement(plan, name, kind, &placement));
            }
        }
    }
    errors
}

/// The aim of one fault, before the seed has placed anything.
pub(crate) fn aim<'a>(
    plan: &'a Plan,
    index: usize,
    name: &'a str,
    kind: &'a FaultKind,
    placement: &'a Placement,
) -> Aim<'a> {
    Aim {
        plan,
        locations: &[],
        fault: FaultId(index as u16),
        name,
        label: name_hash(name),
        id: kind.id(),
        target: kind.target(),
        placement,
    }
}

/// A state or a limit strikes everything as long as it lasts.
fn check_frequency(
    name: &str,
    kind: &FaultKind,
    placement: &Placement,
    actions: &[Action],
) -> Option<PlanError> {
    let is_state = |action: &Action| matches!(action, Action::Local(_, active) if active.hook.is_state());
    let field = match placement {
        Placement { chance: Some(_), .. } => "chance",
        Placement { nth: Some(_), .. } => "nth",
        Placement { times: Some(_), .. } if !placement.is_repeated() => "times",
        _ => return None,
    };
    actions.iter().any(is_state).then(|| {
        let message = format!("`{}` is a state of the whole; it does not choose among items", kind.id());
        let help = "place it with `at`, `for`, `every` or `when`";
        PlanError::at(&["faults", name, field], message).help(help).word("inapplicable")
    })
}

/// A service may know that a fault cannot apply to it as it is configured.
fn check_refusal(plan: &Plan, name: &str, kind: &FaultKind) -> Option<PlanError> {
    let targets = plan.copies.of(kind.target());
    let node = targets.iter().find_map(|target| plan.blueprint.nodes.get(target))?;
    let why = node.refuses(kind)?;
    Some(PlanError::at(&["faults", name, kind.id()], why).word("inapplicable"))
}

fn check_placement(plan: &Plan, name: &str, kind: &FaultKind, placement: &Placement) -> Vec<PlanError> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, message: String, help: &str, word: &'static str| {
        errors.push(PlanError::at(&["faults", name, field], message).help(help).word(word));
    };
    let points =
        [("before", &placement.before), ("in-doubt", &placement.in_doubt), ("after", &placement.after)];
    let given: Vec<_> = points.iter().filter_map(|(field, step)| Some((*field, step.as_deref()?))).collect();
    if given.len() > 1 {
        let message = "a fault strikes at one point".to_owned();
        wrong(given[1].0, message, "keep one of before, in-doubt, after", "point");
    }
    if let Some((field, step)) = given.first().copied() {
        check_step(plan, kind.target(), step, |message, help, word| wrong(field, message, help, word));
    }
    if let Some(condition) = &placement.when
        && plan.place_named(&condition.entity).is_none()
    {
        let message = format!("nothing waits at `{}`", condition.entity);
        wrong("when", message, "name a queue, a subscription or a table", "dangling");
    }
    if placement.nth == Some(0) {
        wrong("nth", "every 0th item is none".to_owned(), "write a count from 1", "value");
    }
    if placement.times == Some(0) {
        wrong(
            "times",
            "0 times is never".to_owned(),
            "write a count from 1, or leave the fault out",
            "value",
        );
    }
    if placement.every.is_some_and(|every| every.is_zero()) {
        wrong("every", "again after no time at all".to_owned(), "write a duration above 0", "value");
    }
    if let Some(At::Instant(at)) = placement.at
        && at >= plan.blueprint.time.run
    {
        let message = format!("{at} is after the end of the run ({})", plan.blueprint.time.run);
        wrong("at", message, "instants count from the end of the warm-up", "value");
    }
    errors
}

fn check_step(plan: &Plan, target: &str, step: &str, mut wrong: impl FnMut(String, &str, &'static str)) {
    let Some(node) = plan.nodes_of(target).first().copied() else { return };
    let node_name = plan.copies.written(&plan.nodes[node.index()].name);
    let steps = &plan.nodes[node.index()].steps;
    if steps.is_empty() {
        let message = format!("`{node_name}` has no recipe, so there is no step at which to strike");
        wrong(message, "place the fault with `at`, `every` or `when`", "point");
    } else if plan.step_index(node, step).is_none() {
        let same = steps.iter().filter(|name| *name == step).count();
        let message = match same {
            0 => format!("`{node_name}` has no step `{step}`"),
            _ => format!("`{node_name}` has {same} steps named `{step}`"),
        };
        let help = match same {
            0 => format!("its steps are: {}", steps.join(", ")),
            _ => "give the one that is meant a name with `as`".to_owned(),
        };
        wrong(message, &help, "step");
    }
}

/// What is allowed, but hardly what is meant: each with its path and advice.
#[must_use]
pub fn warnings(plan: &Plan) -> Vec<PlanError> {
    let faults = plan.blueprint.faults.iter();
    faults
        .filter_map(|(name, kind)| match kind {
            FaultKind::NetDuplicate(_) | FaultKind::NetReorder(_) => Some(
                PlanError::at(
                    &["faults", name, kind.id()],
                    "on a stream (TCP, AMQP, HTTPS) neither duplication nor reordering is felt",
                )
                .help("only probes and names travel as datagrams; use msg.duplicate or msg.reorder for messages")
                .word("stream"),
            ),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blueprint::{Blueprint, Flow, Site};
    use crate::faults::{Condition, network, process, queue_broker, zone};
    use crate::services::NodeKind;
    use crate::services::endpoint::EndpointService;
    use crate::time::Span;

    fn plan(kind: FaultKind) -> Result<Plan, Vec<PlanError>> {
        let mut blueprint = Blueprint::default();
        blueprint.sites.insert("here".to_owned(), Site::default());
        blueprint.flows.insert("orders".to_owned(), Flow::default());
        let endpoint =
            EndpointService { ops: vec!["charge".parse().expect("an op")], ..EndpointService::default() };
        blueprint.nodes.insert("psp".to_owned(), NodeKind::Endpoint(endpoint));
        blueprint.faults.insert("trouble".to_owned(), kind);
        Plan::new(blueprint)
    }

    fn refusal(kind: FaultKind) -> (String, &'static str) {
        let errors = plan(kind).expect_err("refused");
        (errors[0].to_string(), errors[0].word)
    }

    fn crash(target: &str) -> process::Crash {
        process::Crash { target: target.to_owned(), ..process::Crash::default() }
    }

    #[test]
    fn an_unknown_target_step_or_place_is_dangling_and_the_error_says_where() {
        let (text, word) = refusal(FaultKind::ProcCrash(crash("pps")));
        assert_eq!((text.as_str(), word), ("faults.trouble.proc.crash: there is no `pps`", "dangling"));
        assert_eq!(refusal(FaultKind::ProcCrash(crash("psp/7"))).1, "dangling");
        let zone = zone::ZoneDown { target: "here/4".to_owned(), ..zone::ZoneDown::default() };
        assert_eq!(refusal(FaultKind::ZoneDown(zone)).1, "dangling");
        let arrow =
            network::Partition { target: "psp <-> ghost".to_owned(), ..network::Partition::default() };
        assert_eq!(refusal(FaultKind::NetPartition(arrow)).1, "dangling");
        let when = Some(Condition { entity: "ghost".to_owned(), above: 1 });
        assert_eq!(refusal(FaultKind::ProcCrash(process::Crash { when, ..crash("psp") })).1, "dangling");
    }

    #[test]
    fn a_fault_that_cannot_apply_is_refused() {
        let throttle =
            queue_broker::Throttle { target: "psp".to_owned(), ..queue_broker::Throttle::default() };
        let (text, word) = refusal(FaultKind::BrokerThrottle(throttle));
        assert!(text.contains("cannot apply to a node of the kind `endpoint`"), "{text}");
        assert_eq!(word, "inapplicable");
        assert_eq!(refusal(FaultKind::ProcCrash(crash("psp.charge"))).1, "inapplicable");
        let ramp = Some(Span::secs(1));
        assert_eq!(refusal(FaultKind::ProcCrash(process::Crash { ramp, ..crash("psp") })).1, "inapplicable");
    }

    #[test]
    fn a_point_needs_a_recipe_and_values_must_make_sense() {
        let after = Some("charge".to_owned());
        assert_eq!(refusal(FaultKind::ProcCrash(process::Crash { after, ..crash("psp") })).1, "point");
        let at = Some(At::Instant(Span::hours(9)));
        assert_eq!(refusal(FaultKind::ProcCrash(process::Crash { at, ..crash("psp") })).1, "value");
        assert_eq!(refusal(FaultKind::ProcCrash(process::Crash { nth: Some(0), ..crash("psp") })).1, "value");
    }

    #[test]
    fn a_datagram_fault_is_allowed_with_a_warning() {
        let double = network::Duplicate { target: "psp".to_owned(), ..network::Duplicate::default() };
        let plan = plan(FaultKind::NetDuplicate(double)).expect("a plan");
        assert_eq!(warnings(&plan).len(), 1);
    }

    #[test]
    fn the_catalogue_names_every_fault_once() {
        let mut ids: Vec<&str> = FaultKind::catalogue().iter().map(|(id, ..)| *id).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
        assert!(ids.iter().all(|id| id.chars().all(|c| c.is_ascii_lowercase() || ".-".contains(c))));
        assert!(ids.contains(&"msg.poison") && ids.contains(&"zone.down") && ids.contains(&"load.spike"));
    }
}
