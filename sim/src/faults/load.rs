//! Layer 14: more load, or other load. Each of these faults superposes a generator with a stream of its
//! own, so that the items of the original load stay what they are.

use crate::faults::placement::fault;
use crate::faults::{Action, Aim, FaultKind, Placement, Strikes};
use crate::ids::{FaultId, FlowId, StreamId};
use crate::plan::{Plan, PlanError};
use crate::random::{Purpose, name_hash};
use crate::services::NodeKind;
use crate::time::{Span, Time};
use crate::units::{Bytes, Rate, Ratio};

/// How much comes on top of the node's own load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Extra {
    /// So many times the node's own rate.
    Factor(f64),
    /// At this rate.
    Rate(Rate),
}

/// A generator that a fault superposes on a load node. The load node runs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Surge {
    /// Which fault; mark what it makes with it.
    pub fault: FaultId,
    /// The hash of its name; enters every draw of the generator.
    pub label: u64,
    /// The stream of its items, numbered from 0 over all its bursts.
    pub stream: StreamId,
    /// How much comes on top at full strength.
    pub extra: Extra,
    /// The key that all its items have; `None`: as the flow says.
    pub key: Option<u32>,
    /// Grows from nothing to full strength over this long.
    pub ramp: Span,
    /// How long each burst lasts.
    pub lasts: Span,
    placement: Placement,
}

impl Surge {
    /// The bursts, from and until when, given a draw `(names, purpose, identity)` such as
    /// [`Context::draw_for`](crate::node::Context::draw_for).
    #[must_use]
    pub fn windows(&self, plan: &Plan, draw: impl Fn(u64, Purpose, [u64; 2]) -> u64) -> Vec<(Time, Time)> {
        let below = |number, width: u64| {
            let draw = draw(self.label, Purpose::FaultTime, [number, 0]);
            ((u128::from(draw) * u128::from(width)) >> 64) as u64
        };
        let instants = self.placement.instants_by(plan.begins(), plan.ends(), below);
        instants.into_iter().map(|from| (from, (from + self.lasts).min(plan.ends()))).collect()
    }

    /// Its strength at an instant of a burst that began at `from`, from 0 to 1.
    #[must_use]
    pub fn strength(&self, from: Time, now: Time) -> f64 {
        if self.ramp.is_zero() { 1.0 } else { (now.since(from).0 as f64 / self.ramp.0 as f64).min(1.0) }
    }
}

/// The generators that the scenario's faults superpose on a load node, in file order.
#[must_use]
pub fn surges(plan: &Plan, node: &str) -> Vec<Surge> {
    let faults = plan.blueprint.faults.iter().enumerate();
    faults
        .filter_map(|(index, (name, kind))| {
            let load = kind.as_load().filter(|_| kind.target() == node)?;
            let placement = kind.placement();
            let lasts = placement.lasts.unwrap_or(plan.blueprint.time.run);
            Some(Surge {
                fault: FaultId(index as u16),
                label: name_hash(name),
                stream: plan.stream_named(name)?,
                extra: load.extra,
                key: load.key,
                ramp: load.ramp.or(placement.ramp).unwrap_or(Span::ZERO),
                lasts,
                placement,
            })
        })
        .collect()
}

/// What is particular to one of these faults.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    extra: Extra,
    key: Option<u32>,
    ramp: Option<Span>,
    bytes: Option<Bytes>,
}

impl Load {
    fn of(rate: Option<Rate>, factor: f64) -> Load {
        let extra = rate.map_or(Extra::Factor((factor - 1.0).max(0.0)), Extra::Rate);
        Load { extra, key: None, ramp: None, bytes: None }
    }
}

/// Adds the stream of every load fault to the plan.
pub(crate) fn declare(plan: &mut Plan) {
    let faults: Vec<(String, FaultKind)> =
        plan.blueprint.faults.iter().map(|(name, kind)| (name.clone(), kind.clone())).collect();
    for (name, kind) in faults {
        let Some(load) = kind.as_load() else { continue };
        let Some(NodeKind::Load(_)) = plan.blueprint.nodes.get(kind.target()) else { continue };
        let flow = flow_of(plan, kind.target()).unwrap_or_default();
        let stream = plan.add_stream(&name, flow);
        if let Some(bytes) = load.bytes {
            let index = plan.stream_index(stream);
            plan.streams[index].bytes = Some(bytes.0);
        }
    }
}

/// The flow of a load node's own stream, which bears the node's name.
fn flow_of(plan: &Plan, node: &str) -> Option<FlowId> {
    plan.streams.iter().find(|stream| stream.name == node).map(|stream| stream.flow)
}

fn actions(aim: &Aim<'_>) -> Result<Vec<Action>, PlanError> {
    match aim.plan.blueprint.nodes.get(aim.target) {
        Some(NodeKind::Load(_)) => Ok(vec![Action::Surge]),
        Some(other) => Err(aim
            .error(format!("`{}` cannot apply to a node of the kind `{}`", aim.id, other.word()))
            .help("it applies to: load")
            .word("inapplicable")),
        None => aim.named(aim.target).map(|_| Vec::new()),
    }
}

macro_rules! loads {
    ($name:ident, |$it:ident| $load:expr) => {
        impl Strikes for $name {
            fn actions(&self, aim: &Aim<'_>) -> Result<Vec<Action>, PlanError> {
                actions(aim)
            }
            fn as_load(&self) -> Option<Load> {
                let $it = self;
                Some($load)
            }
        }
    };
}

fault! {
    /// The load is this many times as high from one moment to the next.
    Step {
        /// How many times the node's own rate there is in all. Default: 2.
        factor: f64 = 2.0,
        /// Or: this much on top.
        #[serde(skip_serializing_if = "Option::is_none")]
        rate: Option<Rate> = None,
    }
}
loads!(Step, |it| Load::of(it.rate, it.factor));

fault! {
    /// The load grows to this many times its height over the whole of `for` (or over `ramp`).
    Ramp {
        /// How many times the node's own rate there is at the end. Default: 5.
        factor: f64 = 5.0,
        /// Or: this much on top.
        #[serde(skip_serializing_if = "Option::is_none")]
        rate: Option<Rate> = None,
    }
}
loads!(Ramp, |it| Load { ramp: it.ramp.or(it.lasts), ..Load::of(it.rate, it.factor) });

fault! {
    /// A short burst of many times the load.
    Spike {
        /// How many times the node's own rate there is in all. Default: 10.
        factor: f64 = 10.0,
        /// Or: this much on top.
        #[serde(skip_serializing_if = "Option::is_none")]
        rate: Option<Rate> = None,
    }
}
loads!(Spike, |it| Load::of(it.rate, it.factor));

fault! {
    /// Much load on one key.
    HotKey {
        /// Which key. Default: 0, the most used one.
        hot: u32 = 0,
        /// This share of the node's own rate comes on top, all of it on that key. Default: 100%.
        share: Ratio = Ratio(1.0),
        /// Or: this much on top.
        #[serde(skip_serializing_if = "Option::is_none")]
        rate: Option<Rate> = None,
    }
}
loads!(HotKey, |it| Load { key: Some(it.hot), ..Load::of(it.rate, 1.0 + it.share.0) });

fault! {
    /// One tenant (key) sends many times what all send together.
    TenantFlood {
        /// Which key. Default: 0.
        tenant: u32 = 0,
        /// How many times the node's own rate there is in all. Default: 10.
        factor: f64 = 10.0,
    }
}
loads!(TenantFlood, |it| Load { key: Some(it.tenant), ..Load::of(None, it.factor) });

fault! {
    /// Items of unusual size come on top.
    LargePayload {
        /// Their size. Default: 1MB.
        size: Bytes = Bytes(1 << 20),
        /// This share of the node's own rate. Default: 10%.
        share: Ratio = Ratio(0.1),
    }
}
loads!(LargePayload, |it| Load { bytes: Some(it.size), ..Load::of(None, 1.0 + it.share.0) });
