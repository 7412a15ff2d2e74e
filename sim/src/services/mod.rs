//! The services, and the one list of them. To add a service: a file here with its configuration, its
//! state machine and its tests, and one line in the list below.

use crate::ids::ProcessId;
use crate::node::Process;
use crate::plan::{Plan, PlanError};

/// What the world needs to know of a kind of node.
pub trait Service {
    /// One line for `beaufort list` and the documentation.
    fn about(&self) -> &'static str;

    /// The node that this one is a part of.
    fn of(&self) -> Option<&str> {
        None
    }

    /// Why this fault cannot apply to the node as it is configured (credits on a Premium namespace), if so.
    fn refuses(&self, fault: &crate::faults::FaultKind) -> Option<String> {
        let _ = fault;
        None
    }

    /// Adds its processes, places and names to the plan. Names of other nodes may not be resolved here,
    /// except that of the whole it is a part of.
    ///
    /// # Errors
    /// If its configuration contradicts itself, the facts or the node it is a part of.
    fn declare(&self, name: &str, plan: &mut Plan) -> Result<(), PlanError>;

    /// Builds the processes that it declared. Called once all names resolve.
    ///
    /// # Errors
    /// If it names something that does not exist or cannot be used in this way.
    fn build(&self, name: &str, plan: &Plan) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError>;
}

/// Declares [`NodeKind`]: one line for each kind.
macro_rules! kinds {
    ($($(#[$doc:meta])* $word:literal => $variant:ident($config:ty),)+) => {
        /// A node, by its `kind`.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        pub enum NodeKind {
            $($(#[$doc])* #[serde(rename = $word)] $variant($config),)+
        }

        impl NodeKind {
            /// The words that a scenario may write after `kind:`, each with one line about it.
            #[must_use]
            pub fn catalogue() -> Vec<(&'static str, &'static str)> {
                vec![$(($word, <$config>::default().about()),)+]
            }

            /// The word of this node's kind.
            #[must_use]
            pub fn word(&self) -> &'static str {
                match self { $(NodeKind::$variant(_) => $word,)+ }
            }
        }

        impl Service for NodeKind {
            fn about(&self) -> &'static str {
                match self { $(NodeKind::$variant(config) => config.about(),)+ }
            }
            fn of(&self) -> Option<&str> {
                match self { $(NodeKind::$variant(config) => config.of(),)+ }
            }
            fn refuses(&self, fault: &crate::faults::FaultKind) -> Option<String> {
                match self { $(NodeKind::$variant(config) => config.refuses(fault),)+ }
            }
            fn declare(&self, name: &str, plan: &mut Plan) -> Result<(), PlanError> {
                match self { $(NodeKind::$variant(config) => config.declare(name, plan),)+ }
            }
            fn build(&self, name: &str, plan: &Plan) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError> {
                match self { $(NodeKind::$variant(config) => config.build(name, plan),)+ }
            }
        }
    };
}

pub mod endpoint;
pub mod load;

kinds! {
    /// A generator of items.
    "load" => Load(load::Load),
    /// Anything that is called and is not ours.
    "endpoint" => Endpoint(endpoint::EndpointService),
}
