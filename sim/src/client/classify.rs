//! What an answer means to the caller: one table for all protocols. `Failed` and `Refused` say that
//! nothing happened; whatever leaves that open is `Unknown`.

use crate::message::{Body, broker, control, credential, http, store};
use crate::observe::Outcome;
use crate::time::Span;

/// What the caller makes of the end of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What it believes about the attempt.
    pub outcome: Outcome,
    /// Whether trying again may help.
    pub transient: bool,
    /// Whether the callee refused because of load (HTTP 429, a database's 429).
    pub throttled: bool,
    /// Whether a broker said `ServiceBusy`: the whole client backs off (facts 1.2).
    pub busy: bool,
    /// Whether there was no answer at all.
    pub silent: bool,
    /// When to come again, where the callee says so.
    pub retry_after: Option<Span>,
}

impl Verdict {
    /// No answer: timed out, or the connection is gone. It may have happened.
    pub const NO_ANSWER: Verdict = Verdict { silent: true, ..Verdict::of(Outcome::Unknown, true) };

    /// A broker throttles: nothing happened, and the whole client backs off.
    pub const BUSY: Verdict = Verdict { busy: true, ..Verdict::of(Outcome::Failed, true) };

    /// The name of the callee led nowhere: nothing was sent.
    pub const UNRESOLVED: Verdict = Verdict::of(Outcome::Failed, true);

    const OK: Verdict = Verdict::of(Outcome::Ok, false);
    const NO: Verdict = Verdict::of(Outcome::Refused, false);

    const fn of(outcome: Outcome, transient: bool) -> Verdict {
        Verdict { outcome, transient, throttled: false, busy: false, silent: false, retry_after: None }
    }
}

/// What this answer means. A body that is no answer leaves everything open.
#[must_use]
pub fn classify(body: &Body) -> Verdict {
    match body {
        Body::Response(response) => http(*response),
        Body::BrokerEvent(event) => broker(event),
        Body::StoreAnswer(answer) => store(*answer),
        Body::ControlAnswer(control::Answer::Refused | control::Answer::Unavailable) => {
            Verdict::of(Outcome::Failed, true)
        }
        Body::ControlAnswer(control::Answer::Throttled { retry_after }) => {
            Verdict { retry_after: Some(*retry_after), throttled: true, ..Verdict::of(Outcome::Failed, true) }
        }
        Body::Granted(credential::Answer::Unavailable) => Verdict::of(Outcome::Failed, true),
        Body::Granted(credential::Answer::Throttled) => {
            Verdict { throttled: true, ..Verdict::of(Outcome::Failed, true) }
        }
        Body::Granted(_) => Verdict::OK,
        Body::ControlAnswer(_) | Body::ProbeAnswer { ready: true } => Verdict::OK,
        Body::ProbeAnswer { ready: false } => Verdict::of(Outcome::Failed, true),
        _ => Verdict::NO_ANSWER,
    }
}

/// HTTP (facts 5: 408, 429 and 5xx are retried; facts 6: a gateway's 429, 403 and 503 are given before
/// the backend is called, its 504 afterwards). A 503 says by RFC 9110 that the server does not handle the
/// request; 500, 502 and 504 may come after the effect.
fn http(response: http::Response) -> Verdict {
    let retry_after = response.retry_after;
    match response.status {
        0 => Verdict::NO_ANSWER, // the stream was reset
        200..=299 => Verdict::OK,
        408 => Verdict { retry_after, ..Verdict::of(Outcome::Unknown, true) },
        429 => Verdict { retry_after, throttled: true, ..Verdict::of(Outcome::Failed, true) },
        503 => Verdict { retry_after, ..Verdict::of(Outcome::Failed, true) },
        500..=599 => Verdict { retry_after, ..Verdict::of(Outcome::Unknown, true) },
        _ => Verdict::NO,
    }
}

/// Service Bus (facts 1.10: which errors are transient; facts 1.2: a throttled request is not looked at).
/// What cannot succeed as it is (too large, no such entity, lock lost) is a definite no; what could
/// succeed later (full, disabled, aborted) has failed.
fn broker(event: &broker::Event) -> Verdict {
    use broker::Error as E;
    let error = match event {
        broker::Event::Refused(error) | broker::Event::Detached { why: error, .. } => *error,
        _ => return Verdict::OK,
    };
    match error {
        E::ServiceBusy => Verdict::BUSY,
        E::ServiceTimeout | E::ServiceCommunicationProblem | E::GeneralError => {
            Verdict::of(Outcome::Unknown, true)
        }
        E::QuotaExceeded | E::MessagingEntityDisabled | E::SessionCannotBeLocked | E::TransactionAborted => {
            Verdict::of(Outcome::Failed, false)
        }
        E::MessageSizeExceeded
        | E::MessageLockLost
        | E::SessionLockLost
        | E::MessageNotFound
        | E::MessagingEntityNotFound
        | E::SessionIdRequired
        | E::InvalidOperation
        | E::ConsumerDisconnected => Verdict::NO,
    }
}

/// Databases and blob storage (the error's own documentation says what is known; facts 11.2).
fn store(answer: store::Answer) -> Verdict {
    use store::Error as E;
    let (error, retry_after) = match answer {
        store::Answer::Refused { error, retry_after } => (error, retry_after),
        store::Answer::NotLeased { .. } => return Verdict::NO,
        _ => return Verdict::OK,
    };
    let verdict = match error {
        E::Conflict | E::BadRequest | E::NotFound => Verdict::NO,
        E::TooManyRequests => Verdict { throttled: true, ..Verdict::of(Outcome::Failed, true) },
        E::Unavailable | E::Deadlock | E::ReadOnly | E::ConnectionLimit => Verdict::of(Outcome::Failed, true),
        E::Timeout => Verdict::of(Outcome::Unknown, true),
    };
    Verdict { retry_after, ..verdict }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_surely_had_no_effect_is_failed_or_refused() {
        for (status, outcome) in [
            (200, Outcome::Ok),
            (202, Outcome::Ok),
            (404, Outcome::Refused),
            (409, Outcome::Refused),
            (408, Outcome::Unknown),
            (429, Outcome::Failed),
            (500, Outcome::Unknown),
            (502, Outcome::Unknown),
            (503, Outcome::Failed),
            (504, Outcome::Unknown),
        ] {
            let body = Body::Response(http::Response::status(status));
            assert_eq!(classify(&body).outcome, outcome, "{status}");
        }
        let timeout = store::Answer::Refused { error: store::Error::Timeout, retry_after: None };
        assert_eq!(classify(&Body::StoreAnswer(timeout)).outcome, Outcome::Unknown);
    }

    #[test]
    fn the_table_agrees_with_what_the_protocols_say_about_their_errors() {
        use broker::Error as E;
        for error in [
            E::ServiceBusy,
            E::ServiceTimeout,
            E::ServiceCommunicationProblem,
            E::GeneralError,
            E::QuotaExceeded,
            E::MessageSizeExceeded,
            E::MessageLockLost,
            E::SessionLockLost,
            E::SessionCannotBeLocked,
            E::MessageNotFound,
            E::MessagingEntityDisabled,
            E::MessagingEntityNotFound,
            E::SessionIdRequired,
            E::TransactionAborted,
            E::InvalidOperation,
            E::ConsumerDisconnected,
        ] {
            let verdict = classify(&Body::BrokerEvent(broker::Event::Refused(error)));
            assert_eq!(verdict.outcome != Outcome::Unknown, error.is_definite(), "{error:?}");
            assert_eq!(verdict.transient, error.is_transient(), "{error:?}");
        }
        use store::Error as S;
        for error in [
            S::Conflict,
            S::TooManyRequests,
            S::Unavailable,
            S::Timeout,
            S::BadRequest,
            S::NotFound,
            S::Deadlock,
            S::ReadOnly,
            S::ConnectionLimit,
        ] {
            let answer = store::Answer::Refused { error, retry_after: None };
            let verdict = classify(&Body::StoreAnswer(answer));
            assert_eq!(verdict.outcome != Outcome::Unknown, error.is_definite(), "{error:?}");
            assert_eq!(verdict.transient, error.is_transient(), "{error:?}");
        }
    }
}
