//! Requests and responses over HTTPS.

use serde::{Deserialize, Serialize};

use crate::ids::Execution;
use crate::time::Span;

/// A request. `part` says which operation (endpoint), topic (event router) or route is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The operation, topic or route, by the callee's own numbering; 0 where there is only one.
    pub part: u16,
    /// What kind of request it is.
    pub verb: Verb,
    /// The idempotency key, or `None`: the callee cannot recognise a repetition.
    pub key: Option<u64>,
    /// The version of the secret that is presented as the callee's key; 0: none.
    pub secret: u16,
    /// The execution of the caller, for what the callee derives from it.
    pub execution: Execution,
}

/// The kinds of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verb {
    /// Do something.
    Call,
    /// An event router delivers an event.
    Push,
    /// An event router asks whether the endpoint wants its events (the validation handshake).
    Validate,
    /// Publish to an event router.
    Publish,
}

/// A response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// The HTTP status code.
    pub status: u16,
    /// The header `Retry-After`.
    pub retry_after: Option<Span>,
}

impl Response {
    /// No response: the stream was reset (`RST_STREAM`), and the caller knows only that none will come.
    /// The connection with its other requests lives on.
    pub const RESET: Response = Response::status(0);

    /// A response without `Retry-After`.
    #[must_use]
    pub const fn status(status: u16) -> Response {
        Response { status, retry_after: None }
    }

    /// Whether the status says success (2xx).
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }
}
