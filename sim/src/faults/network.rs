//! Layer 1: the network path. On a stream loss and corruption cost delay, and duplication and reordering
//! are not felt; datagrams (probes) show them all.

use crate::faults::placement::fault;
use crate::faults::{Action, Aim, Strikes};
use crate::network::{Burst, Disturbance, Silence, Wrong};
use crate::plan::PlanError;
use crate::time::Span;
use crate::units::{Bandwidth, Bytes, Distribution, Ratio};

/// Declares a fault that disturbs the paths of its target.
macro_rules! disturbs {
    ($name:ty, |$it:ident| $wrong:expr) => {
        impl Strikes for $name {
            fn actions(&self, aim: &Aim<'_>) -> Result<Vec<Action>, PlanError> {
                let $it = self;
                Ok(vec![Action::Network(Disturbance::new(aim, aim.scope()?, $wrong))])
            }
        }
    };
}

fault! {
    /// Messages take longer.
    Latency {
        /// How much longer each of them takes. Default: 100ms.
        delay: Distribution = Distribution::Constant(Span::millis(100)),
    }
}
disturbs!(Latency, |it| Wrong::Latency(it.delay.sampler()));

fault! {
    /// Messages take longer by an amount that varies uniformly.
    Jitter {
        /// At most so much longer. Default: 50ms.
        spread: Span = Span::millis(50),
    }
}
disturbs!(Jitter, |it| Wrong::Latency(Distribution::Uniform(Span::ZERO, it.spread).sampler()));

fault! {
    /// Packets are lost: a retransmission later on a stream, gone for a datagram.
    Loss {
        /// The share of messages that is lost. Default: 1%.
        rate: Ratio = Ratio(0.01),
        /// How long a burst is on average; losses then come in bursts and the rate is that over all time.
        #[serde(skip_serializing_if = "Option::is_none")]
        burst: Option<Span> = None,
        /// The share that is lost within a burst. Default: 50%.
        in_burst: Ratio = Ratio(0.5),
    }
}
disturbs!(Loss, |it| Wrong::Loss {
    rate: it.rate.0,
    burst: it.burst.map(|length| Burst { length, rate: it.in_burst.0.max(it.rate.0) }),
});

fault! {
    /// Packets arrive damaged and are thrown away: the same as lost.
    Corrupt {
        /// The share of messages that is damaged. Default: 1%.
        rate: Ratio = Ratio(0.01),
    }
}
disturbs!(Corrupt, |it| Wrong::Loss { rate: it.rate.0, burst: None });

fault! {
    /// Datagrams arrive twice.
    Duplicate {
        /// The share that does. Default: 1%.
        rate: Ratio = Ratio(0.01),
    }
}
disturbs!(Duplicate, |it| Wrong::Duplicate(it.rate.0));

fault! {
    /// Datagrams are overtaken by later ones.
    Reorder {
        /// The share that is held back. Default: 1%.
        rate: Ratio = Ratio(0.01),
        /// For how long. Default: 50ms.
        gap: Distribution = Distribution::Constant(Span::millis(50)),
    }
}
disturbs!(Reorder, |it| Wrong::Reorder { rate: it.rate.0, gap: it.gap.sampler() });

fault! {
    /// The path carries no more than this.
    Slowness {
        /// How much it carries, in each direction. Default: 1Mbps.
        limit: Bandwidth = Bandwidth(125_000),
    }
}
disturbs!(Slowness, |it| Wrong::Bandwidth(it.limit.0.max(1)));

fault! {
    /// Nothing gets through between the two sides: `a <-> b`, `a -> b` (one way), or a name and the rest.
    Partition {}
}
disturbs!(Partition, |_it| Wrong::cut());

fault! {
    /// Regions lose sight of one another.
    CrossRegionCut {}
}
disturbs!(CrossRegionCut, |_it| Wrong::cut());

fault! {
    /// The path comes and goes.
    Flap {
        /// How long a cycle takes. Default: 10s.
        period: Span = Span::secs(10),
        /// The share of a cycle in which nothing gets through. Default: 50%.
        duty: Ratio = Ratio(0.5),
    }
}
disturbs!(Flap, |it| Wrong::Cut {
    how: Silence::Silent,
    only_new: false,
    flap: Some((it.period.0.max(1), (it.period.0 as f64 * it.duty.0) as u64)),
});

fault! {
    /// A rule drops packets without a word; peers learn by time-out.
    Blackhole {
        /// Only connections that are not yet established, as with a changed security group (documented
        /// by Chaos Studio). Default: false.
        only_new: bool = false,
    }
}
disturbs!(Blackhole, |it| Wrong::Cut { how: Silence::Silent, only_new: it.only_new, flap: None });

fault! {
    /// A rule refuses connections with a reset.
    Reject {
        /// Only connections that are not yet established. Default: true.
        only_new: bool = true,
    }
}
disturbs!(Reject, |it| Wrong::Cut { how: Silence::Reset, only_new: it.only_new, flap: None });

fault! {
    /// Connections are reset: all at once when it begins, or with `chance` at each message.
    ResetPeer {}
}
impl Strikes for ResetPeer {
    fn actions(&self, aim: &Aim<'_>) -> Result<Vec<Action>, PlanError> {
        let scope = aim.scope()?;
        Ok(vec![match self.chance {
            Some(chance) => Action::Network(Disturbance::new(aim, scope, Wrong::Reset(chance.0))),
            None => Action::Reset(Disturbance::new(aim, scope, Wrong::Reset(1.0))),
        }])
    }
}

fault! {
    /// A connection is reset when it has carried so many bytes.
    LimitData {
        /// So many. Default: 1MB.
        bytes: Bytes = Bytes(1 << 20),
    }
}
disturbs!(LimitData, |it| Wrong::LimitData(it.bytes.0));

fault! {
    /// No more than so many connections; further ones are refused (exhausted source ports, a full table).
    ConnectionLimit {
        /// So many. Default: 10.
        max: u32 = 10,
    }
}
disturbs!(ConnectionLimit, |it| Wrong::ConnectionLimit(it.max));
