//! The steps of a recipe as a scenario writes them: `verb: object`, then adverbs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::Once;
use crate::message::control::Transition;
use crate::time::Span;
use crate::units::{Distribution, once_text};

/// Declares [`Step`] and one struct for each verb. Every verb takes `as`; those that call somebody take
/// `policy` and `timeout` too.
macro_rules! verbs {
    (@struct $(#[$doc:meta])* local $variant:ident { $($(#[$fdoc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
        pub struct $variant {
            $($(#[$fdoc])* pub $field: $type,)*
            /// What the step is called. Default: its verb, where that occurs once.
            #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
            pub name: Option<String>,
        }
        impl Adverbs for $variant {
            fn name(&self) -> Option<&str> {
                self.name.as_deref()
            }
        }
    };
    (@struct $(#[$doc:meta])* remote $variant:ident { $($(#[$fdoc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
        pub struct $variant {
            $($(#[$fdoc])* pub $field: $type,)*
            /// What the step is called. Default: its verb, where that occurs once.
            #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
            pub name: Option<String>,
            /// How it is called: `none`, `sdk` or a named policy. Default: the policy of the app.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub policy: Option<String>,
            /// How long one attempt may take. Default: as the policy says.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub timeout: Option<Span>,
        }
        impl Adverbs for $variant {
            fn name(&self) -> Option<&str> {
                self.name.as_deref()
            }
            fn policy(&self) -> Option<&str> {
                self.policy.as_deref()
            }
            fn timeout(&self) -> Option<Span> {
                self.timeout
            }
        }
    };
    ($($(#[$doc:meta])* $word:literal $side:ident $variant:ident $body:tt)+) => {
        $(verbs! { @struct $(#[$doc])* $side $variant $body })+

        /// One step of a recipe.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        pub enum Step {
            $($(#[$doc])* #[serde(rename = $word)] $variant($variant),)+
        }

        impl Step {
            /// The verb.
            #[must_use]
            pub fn verb(&self) -> &'static str {
                match self { $(Step::$variant(_) => $word,)+ }
            }

            /// What every step has.
            #[must_use]
            pub fn adverbs(&self) -> &dyn Adverbs {
                match self { $(Step::$variant(step) => step,)+ }
            }

            /// The verbs, for the documentation.
            #[must_use]
            pub fn verbs() -> &'static [&'static str] {
                &[$($word,)+]
            }
        }
    };
}

/// What every step has.
pub trait Adverbs {
    /// What it is called (`as`).
    fn name(&self) -> Option<&str>;
    /// How it is called.
    fn policy(&self) -> Option<&str> {
        None
    }
    /// How long one attempt may take.
    fn timeout(&self) -> Option<Span> {
        None
    }
}

verbs! {
    /// Computes for so long; for an operator, a person's time.
    "work" local Work {
        /// How long.
        target: Duration,
    }

    /// Does nothing for so long. Survives a crash in a logic app only.
    "wait" local Wait {
        /// How long.
        target: Span,
    }

    /// Calls something over HTTP: an endpoint, a gateway, an app.
    "call" remote Call {
        /// Whom.
        target: String,
        /// Which operation of an endpoint.
        #[serde(skip_serializing_if = "Option::is_none")]
        op: Option<String>,
        /// The idempotency key: by what the callee may recognise a repetition. Default: none is sent.
        #[serde(with = "once_text", skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<Once>")]
        once: Option<Once>,
        /// The operation that takes this one back, if a later step is refused or fails.
        #[serde(skip_serializing_if = "Option::is_none")]
        undo: Option<String>,
        /// From here only forward: once it is done, nothing is taken back. Default: false.
        pivot: bool,
    }

    /// Sends the item to a queue, a topic of a broker, an event hub, or a topic of an event router.
    "send" remote Send {
        /// Where to.
        target: String,
        /// The message type. Default: the one under which the item came.
        #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
        kind: Option<String>,
        /// What makes the session id. Default: no session.
        #[serde(with = "once_text", skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<Once>")]
        session: Option<Once>,
        /// What makes the partition key, where it is sent to an event hub. Default: none, the partitions take
        /// turns.
        #[serde(with = "once_text", skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<Once>")]
        partition_key: Option<Once>,
        /// What makes the message id. Default: a new one each time.
        #[serde(with = "once_text", skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<Once>")]
        once: Option<Once>,
        /// It becomes visible only after this delay (a scheduled message). Default: at once.
        #[serde(skip_serializing_if = "Option::is_none")]
        delay: Option<Span>,
        /// The message's own time to live. Default: the entity's.
        #[serde(skip_serializing_if = "Option::is_none")]
        ttl: Option<Span>,
    }

    /// Writes a new row for the item; a conflict where there is one (absorbed with `once`).
    "insert" remote Insert {
        /// The table or container.
        target: String,
        /// By what the store recognises a repetition: an inbox row in the same transaction. Default: not at all.
        #[serde(with = "once_text", skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<Once>")]
        once: Option<Once>,
        /// The row's own time to live. Default: none.
        #[serde(skip_serializing_if = "Option::is_none")]
        ttl: Option<Span>,
        /// The message type under which the row is kept. Default: as the item came.
        #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
        kind: Option<String>,
        /// From here only forward: once it is done, nothing is taken back. Default: false.
        pivot: bool,
    }

    /// Writes a new row, or the same row again.
    "upsert" remote Upsert {
        /// The table or container.
        target: String,
        /// By what the store recognises a repetition. Default: not at all.
        #[serde(with = "once_text", skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<Once>")]
        once: Option<Once>,
        /// The row's own time to live. Default: none.
        #[serde(skip_serializing_if = "Option::is_none")]
        ttl: Option<Span>,
        /// The message type under which the row is kept. Default: as the item came.
        #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
        kind: Option<String>,
        /// From here only forward: once it is done, nothing is taken back. Default: false.
        pivot: bool,
    }

    /// Always writes a new row: not idempotent without `once`.
    "append" remote Append {
        /// The table or container.
        target: String,
        /// By what the store recognises a repetition. Default: not at all.
        #[serde(with = "once_text", skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<Once>")]
        once: Option<Once>,
        /// The row's own time to live. Default: none.
        #[serde(skip_serializing_if = "Option::is_none")]
        ttl: Option<Span>,
        /// The message type under which the row is kept. Default: as the item came.
        #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
        kind: Option<String>,
        /// From here only forward: once it is done, nothing is taken back. Default: false.
        pivot: bool,
    }

    /// Deletes the row of the item. Of the table that triggers the recipe: the acknowledgement.
    "delete" remote Delete {
        /// The table or container.
        target: String,
    }

    /// Changes a counter: not idempotent without `once`.
    "increment" remote Increment {
        /// The store, or one of its parts.
        target: String,
        /// By how much. Default: 1.
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<i64>,
        /// By what the store recognises a repetition. Default: not at all.
        #[serde(with = "once_text", skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<Once>")]
        once: Option<Once>,
    }

    /// Reads the row of the item.
    "read" remote Read {
        /// The table or container.
        target: String,
    }

    /// These steps, all or nothing: in one SQL database, one Cosmos partition or one Service Bus namespace.
    "transaction" remote Transaction {
        /// The steps.
        target: Vec<Step>,
    }

    /// These steps at the same time; all are waited for, the first failure counts.
    "together" local Together {
        /// The steps.
        target: Vec<Step>,
    }

    /// Answers the request that triggered the recipe.
    "reply" local Reply {
        /// The HTTP status.
        target: u16,
    }

    /// Completes the message that triggered the recipe.
    "complete" local Complete {}

    /// Moves the position in the change feed behind what triggered the recipe.
    "checkpoint" local Checkpoint {}

    /// Gives the message back; it is delivered again.
    "abandon" local Abandon {}

    /// Moves the message to the dead-letter queue.
    "dead-letter" local DeadLetter {
        /// The reason, for people.
        #[serde(skip_serializing_if = "Option::is_none")]
        target: Option<String>,
    }

    /// Sets the message aside; only receivable by its sequence number.
    "defer" local Defer {}

    /// Goes on only if it is true.
    "verify" remote Verify {
        /// The node.
        target: String,
        /// What must be so. Default: up.
        is: State,
    }

    /// Switches an entity or app on.
    "enable" remote Enable {
        /// The node.
        target: String,
    }

    /// Switches an entity or app off.
    "disable" remote Disable {
        /// The node.
        target: String,
    }

    /// Sets the number of instances of an app.
    "scale" remote Scale {
        /// The app.
        target: String,
        /// How many instances, within its own range.
        to: u16,
    }

    /// Replaces the list of endpoints of a routing profile.
    "set" remote Set {
        /// The profile.
        target: String,
        /// Those of its endpoints that are in use from now on, in order of priority.
        endpoints: Vec<String>,
    }

    /// Lets the replica in a site lead: a namespace's secondary becomes its primary.
    "promote" remote Promote {
        /// The replicated service.
        target: String,
        /// The site of the replica.
        to: String,
        /// `planned` (it catches up first) or `forced` (at once; what was not replicated is lost).
        /// Default: planned.
        mode: Transition,
    }

    /// Fails a database over: the replica in a site takes the writes.
    "failover" remote Failover {
        /// The replicated service.
        target: String,
        /// The site of the replica.
        to: String,
        /// `planned` (it catches up first) or `forced` (at once; what was not replicated is lost).
        /// Default: planned.
        mode: Transition,
    }

    /// Gives a secret a new version; whoever has the old one is refused once its overlap is over.
    "rotate" remote Rotate {
        /// The secret: `vault.psp-key`.
        target: String,
        /// How long the version before is good beside it. Default: 0s.
        overlap: Span,
    }

    /// Moves all dead letters of an entity to another, or sends what is in the conflict feed of a database.
    "resubmit" remote Resubmit {
        /// The dead-letter queue, or the conflict feed: `payments.dead-letter`, `store.conflicts`.
        target: String,
        /// Where to.
        to: String,
    }
}

/// How long `work` takes; a type of its own, because every step needs a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Duration(pub Distribution);

impl Default for Duration {
    fn default() -> Self {
        Duration(Distribution::Constant(Span::ZERO))
    }
}

/// What `verify` may ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It serves.
    #[default]
    Up,
    /// It does not.
    Down,
    /// It serves, and its replicas are in sync.
    InSync,
}
