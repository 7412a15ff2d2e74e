//! The services, and the one list of them. To add a service: a file here with its configuration, its
//! state machine and its tests, and one line in the list below.

use crate::ids::ProcessId;
use crate::node::Process;
use crate::plan::{Plan, PlanError};
use crate::time::Span;
use crate::units::OneOrMany;

/// What the world needs to know of a kind of node.
pub trait Service {
    /// One line for `beaufort list` and the documentation.
    fn about(&self) -> &'static str;

    /// The node that this one is a part of.
    fn of(&self) -> Option<&str> {
        None
    }

    /// The sites that it names; none for a part of a whole, which is where the whole is.
    fn sites(&self) -> Option<&OneOrMany> {
        None
    }

    /// The same, to be changed.
    fn sites_mut(&mut self) -> Option<&mut OneOrMany> {
        None
    }

    /// Whether it is one thing in several sites, whose replicas know each other, instead of a copy in each.
    fn replicates(&self) -> bool {
        false
    }

    /// Whether its copies in several sites are reached by a name of their own, which leads to one of them.
    fn has_name(&self) -> bool {
        false
    }

    /// For how long it recognises a repetition of what it has taken, counted from the first time: the window
    /// of duplicate detection, the life of an idempotency key. None where it recognises none, or has no
    /// bound.
    fn repetition_window(&self) -> Option<Span> {
        None
    }

    /// Why this fault cannot apply to the node as it is configured (credits on a Premium namespace), if so.
    fn refuses(&self, fault: &crate::faults::FaultKind) -> Option<String> {
        let _ = fault;
        None
    }

    /// The names from which its recipe takes copies: its triggers (`orders-db.event`, `orders.change-feed`;
    /// with `only`, just those parts: `orders.event`). A table that is named here is a queue: a row in it
    /// waits for a consumer and is not at rest.
    fn consumes(&self) -> Vec<String> {
        Vec::new()
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
            fn sites(&self) -> Option<&OneOrMany> {
                match self { $(NodeKind::$variant(config) => config.sites(),)+ }
            }
            fn sites_mut(&mut self) -> Option<&mut OneOrMany> {
                match self { $(NodeKind::$variant(config) => config.sites_mut(),)+ }
            }
            fn replicates(&self) -> bool {
                match self { $(NodeKind::$variant(config) => config.replicates(),)+ }
            }
            fn has_name(&self) -> bool {
                match self { $(NodeKind::$variant(config) => config.has_name(),)+ }
            }
            fn repetition_window(&self) -> Option<Span> {
                match self { $(NodeKind::$variant(config) => config.repetition_window(),)+ }
            }
            fn refuses(&self, fault: &crate::faults::FaultKind) -> Option<String> {
                match self { $(NodeKind::$variant(config) => config.refuses(fault),)+ }
            }
            fn consumes(&self) -> Vec<String> {
                match self { $(NodeKind::$variant(config) => config.consumes(),)+ }
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

pub mod alert;
pub mod api_management;
#[cfg(test)]
pub(crate) mod bench;
mod commits;
mod connections;
pub mod cosmos_db;
pub mod endpoint;
pub mod entra_id;
pub mod event_grid;
pub mod event_hubs;
pub mod front;
pub mod front_door;
pub mod key_vault;
pub mod load;
pub mod ownership;
pub mod replicas;
pub mod service_bus;
pub mod sla;
pub mod sql_database;
pub mod storage_container;
pub mod store;
pub mod tables;
mod throttle;
pub mod traffic_manager;
mod turns;
mod window;

kinds! {
    /// An API gateway.
    "api-management" => ApiManagement(api_management::ApiManagement),
    /// A metric alert.
    "alert" => Alert(alert::Alert),
    /// A topic of an event router.
    "event-grid-topic" => EventGridTopic(event_grid::EventGridTopic),
    /// A subscription of an event router's topic.
    "event-grid-subscription" => EventGridSubscription(event_grid::EventGridSubscription),
    /// An Event Hubs namespace.
    "event-hubs" => EventHubs(event_hubs::EventHubs),
    /// An event hub of a namespace.
    "event-hub" => EventHub(event_hubs::EventHub),
    /// A generator of items.
    "load" => Load(load::Load),
    /// Your own async code.
    "guest" => Guest(crate::guest::Guest),
    /// An app in containers: replicas behind an ingress; a crash forgets what runs.
    "container-app" => ContainerApp(crate::recipe::hosts::ContainerApp),
    /// Functions: a crash forgets what runs, the trigger delivers again.
    "function-app" => FunctionApp(crate::recipe::hosts::FunctionApp),
    /// A managed workflow: each step is written down; a crash resumes at the step that was under way.
    "logic-app" => LogicApp(crate::recipe::hosts::LogicApp),
    /// A person who notices after a while, and then does one thing after the other.
    "operator" => Operator(crate::recipe::hosts::Operator),
    /// Anything that is called and is not ours.
    "endpoint" => Endpoint(endpoint::EndpointService),
    /// Cosmos DB, API for NoSQL.
    "cosmos-db" => CosmosDb(cosmos_db::CosmosDb),
    /// A container of blobs.
    "storage-container" => StorageContainer(storage_container::StorageContainer),
    /// A Service Bus namespace.
    "service-bus" => ServiceBus(service_bus::ServiceBus),
    /// A queue of a Service Bus namespace.
    "service-bus-queue" => ServiceBusQueue(service_bus::ServiceBusQueue),
    /// A topic of a Service Bus namespace.
    "service-bus-topic" => ServiceBusTopic(service_bus::ServiceBusTopic),
    /// A subscription of a Service Bus topic.
    "service-bus-subscription" => ServiceBusSubscription(service_bus::ServiceBusSubscription),
    /// An identity provider.
    "entra-id" => EntraId(entra_id::EntraId),
    /// A vault of secrets.
    "key-vault" => KeyVault(key_vault::KeyVault),
    /// A database of Azure SQL.
    "sql-database" => SqlDatabase(sql_database::SqlDatabase),
    /// A global reverse proxy.
    "front-door" => FrontDoor(front_door::FrontDoor),
    /// A name that leads to healthy endpoints.
    "traffic-manager" => TrafficManager(traffic_manager::TrafficManager),
}
