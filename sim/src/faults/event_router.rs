//! Layer 7: event routers.

use crate::faults::Hook;
use crate::faults::aim::kinds::ROUTER;
use crate::faults::local::Value;
use crate::faults::placement::hook_fault;
use crate::units::Rate;

hook_fault! {
    /// Pushes do not reach their handler: something on the way answers with this status in its place.
    PushFails {
        /// The status; 0 is no answer. Default: 503.
        status: u16 = 503,
    } on ROUTER, at Hook::PushFails, |it| Value::Number(u64::from(it.status))
}
hook_fault! {
    /// The validation handshake of a subscription fails.
    HandshakeFails {} on ROUTER, at Hook::HandshakeFails
}
hook_fault! {
    /// The dead-letter destination does not exist.
    DeadLetterMissing {} on ROUTER, at Hook::DeadLetterMissing
}
hook_fault! {
    /// Events are pushed out of order.
    OutOfOrder {} on ROUTER, at Hook::PushOutOfOrder
}
hook_fault! {
    /// Events are pushed twice.
    PushTwice {} on ROUTER, at Hook::PushTwice
}
hook_fault! {
    /// The router takes no more than so many events.
    Throttle {
        /// So many. Default: 5000/s (facts 2.1).
        limit: Rate = Rate::per_second(5000.0),
    } on ROUTER, at Hook::RouterThrottle, |it| Value::Rate(it.limit)
}
hook_fault! {
    /// A subscription's filter lets the wrong events through.
    Misfilter {} on ROUTER, at Hook::RouterMisfilter
}
