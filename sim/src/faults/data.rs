//! Layer 10: databases and storage, as far as they have hooks.

use crate::faults::Hook;
use crate::faults::aim::kinds::{DATABASE, STORE};
use crate::faults::local::Value;
use crate::faults::placement::hook_fault;
use crate::units::RequestUnits;

hook_fault! {
    /// The store has only so many request units a second and answers 429 beyond.
    Throttle {
        /// So many. Default: 400RU/s.
        limit: RequestUnits = RequestUnits(400),
    } on STORE, at Hook::DatabaseThrottle, |it| Value::Number(u64::from(it.limit.0))
}
hook_fault! {
    /// The database is read-only (SQL 3906).
    ReadOnly {} on STORE, at Hook::DatabaseReadOnly
}
hook_fault! {
    /// Transactions are chosen as deadlock victims (SQL 1205).
    Deadlock {} on DATABASE, at Hook::DatabaseDeadlock
}
hook_fault! {
    /// No connection or worker is free (SQL 10928).
    PoolExhausted {} on STORE, at Hook::ConnectionPool
}
hook_fault! {
    /// The database fails over: unavailable for as long as the fault lasts.
    Failover {} on STORE, at Hook::DependencyDown
}
