//! How the protocols behave on a connection: what it costs to set one up, when an idle one is closed,
//! when each side gives a silent peer up.

use crate::message::Body;
use crate::time::Span;

/// What is spoken on a connection; decided by its first message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// HTTPS with keep-alive.
    Http,
    /// AMQP over TLS.
    Amqp,
    /// A database protocol over TLS.
    Database,
}

impl Speech {
    /// By the first message.
    #[must_use]
    pub const fn of(body: &Body) -> Speech {
        match body {
            Body::Broker(_) | Body::BrokerEvent(_) | Body::Replica(_) => Speech::Amqp,
            Body::Store(_) | Body::StoreAnswer(_) | Body::Owners(_) => Speech::Database,
            _ => Speech::Http,
        }
    }

    /// How it behaves.
    #[must_use]
    pub const fn manners(self) -> &'static Manners {
        match self {
            Speech::Http => &HTTP,
            Speech::Amqp => &AMQP,
            Speech::Database => &DATABASE,
        }
    }
}

/// The behaviour of a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manners {
    /// Round trips before the first message.
    pub set_up: u64,
    /// An unused connection is closed after this.
    pub idle: Span,
    /// What is sent and not acknowledged for so long ends the connection.
    pub gives_up: Span,
    /// A peer that says nothing, not even a heartbeat, for so long ends the connection; `FOREVER`: it is
    /// not noticed without traffic.
    pub silence: Span,
}

/// TCP 1 and TLS 1.3 1 round trip. Idle: the one minute after which .NET's connection pool lets go.
/// Giving up: the request time-outs of the callers come first as a rule.
const HTTP: Manners =
    Manners { set_up: 2, idle: Span::secs(60), gives_up: Span::secs(100), silence: Span::FOREVER };

/// TCP 1, TLS 2, SASL 1, open, begin and attach 2 round trips. Idle: 10 minutes (facts 1.1). Giving up and
/// silence: 60 s, the SDK's operation time-out and the idle time-out that it asks for.
const AMQP: Manners =
    Manners { set_up: 6, idle: Span::mins(10), gives_up: Span::secs(60), silence: Span::secs(60) };

/// TCP 1, pre-login and TLS 3, login 1 round trips. Silence: keep-alive of `SqlClient`, 30 s and ten probes.
const DATABASE: Manners =
    Manners { set_up: 5, idle: Span::mins(4), gives_up: Span::secs(30), silence: Span::secs(40) };

/// The first retransmission time-out on an established connection; doubles.
pub const RETRANSMISSION: Span = Span::millis(200);
/// The first retransmission time-out of a handshake (RFC 6298); doubles.
pub const HANDSHAKE_RETRANSMISSION: Span = Span::secs(1);
/// A handshake that gets no answer is given up after this (the default of Windows: 3, 6 and 12 s).
pub const HANDSHAKE_GIVES_UP: Span = Span::secs(21);
