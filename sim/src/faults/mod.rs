//! Faults: one catalogue, one registry. A fault is armed when the run begins, fires when it alters an
//! event, and heals through the same registry. To add a fault: its struct in the file of its layer, and
//! one line in [`config`].

pub mod action;
pub mod aim;
pub mod check;
pub mod clock;
pub mod config;
pub mod control_plane;
pub mod data;
pub mod event_router;
pub mod gray;
pub mod http;
pub mod load;
pub mod local;
pub mod names;
pub mod network;
pub mod placement;
pub mod process;
pub mod queue_broker;
pub mod registry;
pub mod service;
pub mod zone;

pub use action::Action;
pub use aim::Aim;
pub use check::warnings;
pub use config::FaultKind;
pub use placement::{At, Common, Condition, Placement};
pub use registry::{FaultCount, Registry};

use crate::plan::PlanError;

/// How a fault's parameters become actions.
pub trait Strikes {
    /// What it does to the world.
    ///
    /// # Errors
    /// If its target does not exist or it cannot apply to it.
    fn actions(&self, aim: &Aim<'_>) -> Result<Vec<Action>, PlanError>;

    /// The generator that it superposes, if it is a fault of the load.
    #[doc(hidden)]
    fn as_load(&self) -> Option<load::Load> {
        None
    }
}

/// Where in a service a fault can strike. A service asks at these places; a fault names the place it
/// strikes at. A new fault at an existing hook needs no change in any service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each name says which decision is altered")]
pub enum Hook {
    // Brokers.
    EntityDisabledForSend,
    EntityDisabledForReceive,
    EntityDeleted,
    BrokerThrottle,
    BrokerBusy,
    EntityFull,
    ConnectionQuota,
    ReceiveQuota,
    MessageTooLarge,
    LockLost,
    SessionLockLost,
    LinkDetach,
    RenewFails,
    SettleAnswerLost,
    SendAnswerLost,
    DeliverTwice,
    DedupMiss,
    DeliverOutOfOrder,
    VisibilityDelay,
    ScheduleLate,
    TtlExpire,
    DeadLetterFull,
    ForwardBroken,
    FilterMisroute,
    SubscriptionMissing,
    TransactionAborts,
    StoreDown,
    SlowConsumer,
    // Event routers.
    PushFails,
    HandshakeFails,
    DeadLetterMissing,
    PushOutOfOrder,
    PushTwice,
    RouterThrottle,
    RouterMisfilter,
    // HTTP: gateways, apps, endpoints.
    HttpStatus,
    HttpAbort,
    HttpDelay,
    HttpCutResponse,
    HttpSlowBody,
    GatewayRateLimit,
    GatewayQuota,
    GatewayTimeout,
    GatewayBreakerStuck,
    GatewayDrain,
    JwtReject,
    // Dependencies: endpoints, stores.
    DependencySlow,
    DependencyDown,
    DependencyIntermittent,
    DependencyPartial,
    DependencyWrongAnswer,
    DatabaseThrottle,
    DatabaseReadOnly,
    DatabaseDeadlock,
    ConnectionPool,
    // Names, and those who remember where they led.
    NameMissing,
    NameFails,
    NameSilent,
    NameStale,
    ProbeFlap,
    // Control planes.
    ControlPlaneDown,
    ControlPlaneThrottle,
    // Apps.
    Poison,
    StepException,
    ColdStart,
    SlowStart,
    Hang,
}

impl Hook {
    /// Whether what is struck is a state or a limit of the whole, which lasts as long as the fault and
    /// cannot befall single items: there is nothing that `chance` or `nth` could choose from.
    #[must_use]
    pub const fn is_state(self) -> bool {
        matches!(
            self,
            Hook::EntityDisabledForReceive
                | Hook::EntityDeleted
                | Hook::BrokerThrottle
                | Hook::ConnectionQuota
                | Hook::ReceiveQuota
                | Hook::HandshakeFails
                | Hook::RouterThrottle
                | Hook::GatewayRateLimit
                | Hook::DatabaseThrottle
                | Hook::ConnectionPool
                | Hook::NameStale
        )
    }
}
