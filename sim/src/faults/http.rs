//! Layer 8: HTTP and API gateways.

use crate::faults::Hook;
use crate::faults::aim::kinds::{GATEWAY, HTTP};
use crate::faults::local::Value;
use crate::faults::placement::hook_fault;
use crate::time::Span;
use crate::units::{Distribution, Rate};

hook_fault! {
    /// Requests are answered with this status and not carried out.
    Status {
        /// The status. Default: 503.
        status: u16 = 503,
    } on HTTP, at Hook::HttpStatus, |it| Value::Number(u64::from(it.status))
}
hook_fault! {
    /// The connection is closed in the middle of a request, before it is carried out.
    Abort {} on HTTP, at Hook::HttpAbort
}
hook_fault! {
    /// Requests wait before they are carried out.
    Delay {
        /// How long. Default: 1s.
        delay: Distribution = Distribution::Constant(Span::secs(1)),
    } on HTTP, at Hook::HttpDelay, |it| Value::Latency(it.delay)
}
hook_fault! {
    /// A request is carried out, but its response breaks off.
    CutResponse {} on HTTP, at Hook::HttpCutResponse
}
hook_fault! {
    /// A request is carried out, but its response takes long to arrive.
    SlowBody {
        /// How long. Default: 10s.
        delay: Distribution = Distribution::Constant(Span::secs(10)),
    } on HTTP, at Hook::HttpSlowBody, |it| Value::Latency(it.delay)
}
hook_fault! {
    /// The gateway lets no more than so many requests through and answers 429 beyond.
    RateLimit {
        /// So many. Default: 100/s.
        limit: Rate = Rate::per_second(100.0),
    } on GATEWAY, at Hook::GatewayRateLimit, |it| Value::Rate(it.limit)
}
hook_fault! {
    /// The gateway's quota is used up (403).
    Quota {} on GATEWAY, at Hook::GatewayQuota
}
hook_fault! {
    /// The gateway gives up on its backend after this time.
    TimeoutMismatch {
        /// This time. Default: 1s.
        timeout: Span = Span::secs(1),
    } on GATEWAY, at Hook::GatewayTimeout, |it| Value::Span(it.timeout)
}
hook_fault! {
    /// The gateway's circuit breaker stays open.
    BreakerStuckOpen {} on GATEWAY, at Hook::GatewayBreakerStuck
}
hook_fault! {
    /// The gateway takes its backend out of rotation.
    BackendDrain {} on GATEWAY, at Hook::GatewayDrain
}
hook_fault! {
    /// Tokens are rejected (401).
    JwtReject {} on GATEWAY, at Hook::JwtReject
}
