//! What can go wrong for a guest.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use beaufort_sim::guest::Asked;
use beaufort_sim::guest::request::Reply;
use beaufort_sim::observe::Outcome;

/// How something that a guest asked for failed, retries of the policy included.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A definite no: nothing happened, and trying again does not help (4xx, a conflict, a lost lock).
    #[error("refused")]
    Refused,
    /// A definite error: nothing happened; the retries are used up.
    #[error("failed; nothing happened")]
    Failed,
    /// No answer, or one that leaves it open: it may have happened.
    #[error("no answer; it may have happened")]
    Unknown,
    /// The guest asks for something that cannot be: a mistake in its code or in the scenario.
    #[error("{0}")]
    Wrong(String),
}

/// The same: how a call failed.
pub type CallError = Error;

/// The time was up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the time was up")]
pub struct Elapsed;

/// What a reply that carries nothing else means.
pub(super) fn plain(reply: Reply) -> Result<(), Error> {
    match reply {
        Reply::Done(Outcome::Ok) | Reply::Woken | Reply::Renewed(_) | Reply::Delivered(_) => Ok(()),
        Reply::Done(Outcome::Refused) => Err(Error::Refused),
        Reply::Done(Outcome::Failed) => Err(Error::Failed),
        Reply::Done(Outcome::Unknown) | Reply::Gone => Err(Error::Unknown),
        Reply::Wrong(what) => Err(Error::Wrong(what)),
    }
}

/// Polls for the reply. Nothing of a process that died goes on: where the reply is that it is gone, there
/// never is one, because code that tried again would spin for ever.
pub(super) fn alive(asked: Pin<&mut Asked>, cx: &mut Context<'_>) -> Poll<Reply> {
    match asked.poll(cx) {
        Poll::Ready(Reply::Gone) => Poll::Pending,
        other => other,
    }
}
