//! Layer 5: queue brokers. The broker asks at its hooks; here is what each fault is called and carries.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::faults::aim::kinds::{BROKER, ENTITY, HOST, PUBLISHED, SWITCHED};
use crate::faults::local::Value;
use crate::faults::placement::{fault, hook_fault};
use crate::faults::{Action, Aim, Hook, Strikes};
use crate::plan::PlanError;
use crate::time::Span;
use crate::units::{Distribution, Rate};

/// Which side of an entity is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Sending and receiving.
    #[default]
    Both,
    /// Sending only.
    Send,
    /// Receiving only.
    Receive,
}

fault! {
    /// The entity is switched off (facts 1.4: the states Disabled, SendDisabled, ReceiveDisabled).
    EntityDisable {
        /// Which side. Default: both.
        side: Side = Side::Both,
    }
}
impl Strikes for EntityDisable {
    fn actions(&self, aim: &Aim<'_>) -> Result<Vec<Action>, PlanError> {
        let mut actions = Vec::new();
        if self.side != Side::Receive {
            actions.extend(aim.hook(SWITCHED, Hook::EntityDisabledForSend, Value::None)?);
        }
        if self.side != Side::Send {
            actions.extend(aim.hook(SWITCHED, Hook::EntityDisabledForReceive, Value::None)?);
        }
        Ok(actions)
    }
}

hook_fault! {
    /// The entity is deleted (and made again, empty of links, when the fault ends).
    EntityDelete {} on ENTITY, at Hook::EntityDeleted
}
hook_fault! {
    /// The namespace serves no more than `limit` operations a second and answers ServerBusy beyond.
    Throttle {
        /// So many operations. Default: 100/s.
        limit: Rate = Rate::per_second(100.0),
        /// Or: so many credits are left of what each second grants; a premium namespace and event hubs have none (facts 1.2).
        #[serde(skip_serializing_if = "Option::is_none")]
        credits: Option<u32> = None,
    } on PUBLISHED, at Hook::BrokerThrottle, |it| Value::Rate(
        it.credits.map_or(it.limit, |credits| Rate::per_second(f64::from(credits)))
    )
}
hook_fault! {
    /// The namespace answers ServerBusy; clients back off 10 s together (facts 1.10).
    ServerBusy {} on PUBLISHED, at Hook::BrokerBusy
}
hook_fault! {
    /// The entity is full (QuotaExceeded).
    EntityFull {} on ENTITY, at Hook::EntityFull
}
hook_fault! {
    /// No more than so many connections to the namespace.
    Connections {
        /// So many. Default: 1000 (facts 1.1).
        limit: u32 = 1000,
    } on PUBLISHED, at Hook::ConnectionQuota, |it| Value::Number(u64::from(it.limit))
}
hook_fault! {
    /// No more than so many concurrent receive requests.
    Receives {
        /// So many. Default: 5000 (facts 1.1).
        limit: u32 = 5000,
    } on BROKER, at Hook::ReceiveQuota, |it| Value::Number(u64::from(it.limit))
}
hook_fault! {
    /// A message is refused as too large.
    TooLarge {} on PUBLISHED, at Hook::MessageTooLarge
}
hook_fault! {
    /// The broker forgets the lock of a delivery before its time.
    LockLost {} on BROKER, at Hook::LockLost
}
hook_fault! {
    /// The broker forgets the lock of a session.
    SessionLockLost {} on BROKER, at Hook::SessionLockLost
}
hook_fault! {
    /// The broker detaches a link.
    LinkDetach {} on PUBLISHED, at Hook::LinkDetach
}
hook_fault! {
    /// A renewal of a lock fails.
    RenewFail {} on BROKER, at Hook::RenewFails
}
hook_fault! {
    /// A settlement is carried out, but its answer is lost.
    AckLost {} on BROKER, at Hook::SettleAnswerLost
}
hook_fault! {
    /// A message is stored, but its sender does not learn it.
    SendAckLost {} on PUBLISHED, at Hook::SendAnswerLost
}
hook_fault! {
    /// A message is delivered twice.
    Duplicate {} on BROKER, at Hook::DeliverTwice
}
hook_fault! {
    /// Duplicate detection does not recognise a repetition.
    DedupMiss {} on BROKER, at Hook::DedupMiss
}
hook_fault! {
    /// A message is delivered after later ones.
    Reorder {} on BROKER, at Hook::DeliverOutOfOrder
}
hook_fault! {
    /// A stored message becomes visible late.
    DelayVisibility {
        /// How late. Default: 5s.
        delay: Distribution = Distribution::Constant(Span::secs(5)),
    } on BROKER, at Hook::VisibilityDelay, |it| Value::Latency(it.delay)
}
hook_fault! {
    /// A scheduled message becomes active late.
    ScheduleLate {
        /// How late. Default: 30s.
        delay: Distribution = Distribution::Constant(Span::secs(30)),
    } on BROKER, at Hook::ScheduleLate, |it| Value::Latency(it.delay)
}
hook_fault! {
    /// Messages that the app cannot handle, however often they come. They stay poison beyond the end of
    /// the run; with `for`, the app is repaired after that long.
    Poison {} on HOST, at Hook::Poison
}
hook_fault! {
    /// A message expires before its time.
    TtlExpire {} on BROKER, at Hook::TtlExpire
}
hook_fault! {
    /// The dead-letter queue is full.
    DeadLetterFull {} on BROKER, at Hook::DeadLetterFull
}
hook_fault! {
    /// Forwarding to another entity does not work.
    ForwardBroken {} on BROKER, at Hook::ForwardBroken
}
hook_fault! {
    /// A topic's filter lets the wrong messages through.
    FilterMisroute {} on BROKER, at Hook::FilterMisroute
}
hook_fault! {
    /// A subscription is missing: it gets no copies.
    SubscriptionMissing {} on ENTITY, at Hook::SubscriptionMissing
}
hook_fault! {
    /// Transactions are rolled back.
    TransactionAborts {} on BROKER, at Hook::TransactionAborts
}
hook_fault! {
    /// The message store of an entity is not available.
    StoreDown {} on PUBLISHED, at Hook::StoreDown
}
hook_fault! {
    /// A consumer needs longer for each message.
    SlowConsumer {
        /// How much longer. Default: 1s.
        delay: Distribution = Distribution::Constant(Span::secs(1)),
    } on HOST, at Hook::SlowConsumer, |it| Value::Latency(it.delay)
}
