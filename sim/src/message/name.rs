//! Between those who call by a name that may change and the service that knows where it leads.

use serde::{Deserialize, Serialize};

use crate::ids::Address;
use crate::time::Span;

/// The part of a record that keeps the part which the caller names: the name stands for a whole process.
pub const ANY_PART: u16 = u16::MAX;

/// The answer to a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The name leads there, and may be remembered for so long.
    Record {
        /// Where calls go. With the part [`ANY_PART`] that which the caller named stays.
        address: Address,
        /// The time to live.
        ttl: Span,
    },
    /// There is no such name (`NXDOMAIN`), or nothing behind it.
    NoSuchName,
    /// The server cannot tell (`SERVFAIL`).
    ServerFailure,
}
