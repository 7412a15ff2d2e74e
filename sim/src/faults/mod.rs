//! Faults: one registry for all of them. A fault is armed when the run begins, fires when it alters an
//! event, and heals through the same registry.

pub mod config;
pub mod local;

pub use config::{FaultKind, Placement};

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
    // Apps.
    Poison,
    StepException,
    ColdStart,
    SlowStart,
    Hang,
    // Load.
    LoadStep,
    LoadSpike,
    HotKey,
    LargePayload,
}
