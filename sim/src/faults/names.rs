//! Layer 2: names and routing. A name that cannot be looked up, one that is remembered too long, a prober
//! that sees what is not so.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::faults::aim::kinds::{CALLER, EDGE, NAME};
use crate::faults::local::Value;
use crate::faults::placement::{fault, hook_fault};
use crate::faults::{Action, Aim, Hook, Strikes};
use crate::plan::PlanError;

hook_fault! {
    /// The name does not exist (`NXDOMAIN`). Whoever still remembers where it led is not struck.
    NoSuchName {} on NAME, at Hook::NameMissing
}
hook_fault! {
    /// The name servers fail (`SERVFAIL`).
    ServerFailure {} on NAME, at Hook::NameFails
}
hook_fault! {
    /// The name servers do not answer.
    Silence {} on NAME, at Hook::NameSilent
}
hook_fault! {
    /// The target goes on using records whose time to live is over.
    StaleTtl {} on CALLER, at Hook::NameStale
}

fault! {
    /// An edge location is lost (`front/1`), or all of them: those whose nearest one it is get no answer.
    EdgeDown {}
}
impl Strikes for EdgeDown {
    fn actions(&self, aim: &Aim<'_>) -> Result<Vec<Action>, PlanError> {
        aim.each_of(EDGE, Action::PowerOff)
    }
}

/// What a prober that errs says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Says {
    /// The opposite of what it saw.
    #[default]
    Opposite,
    /// That all is well.
    Ok,
    /// That the probe failed.
    Fail,
}

hook_fault! {
    /// The probes of a router say what is not so (use `chance`): healthy endpoints fall out, dead ones stay.
    ProbeFlap {
        /// What they say. Default: the opposite of what is so.
        says: Says = Says::Opposite,
    } on NAME, at Hook::ProbeFlap, |it| match it.says {
        Says::Opposite => Value::None,
        Says::Ok => Value::Number(1),
        Says::Fail => Value::Number(0),
    }
}
