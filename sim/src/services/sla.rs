//! What providers promise: the published uptime of each kind of node, for the composition of a design's
//! availability. Nothing in the world goes by it.

use super::NodeKind;
use super::cosmos_db::Writes;
use super::{event_hubs, service_bus};

/// A published uptime.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sla {
    /// The share of the time.
    pub share: f64,
    /// Whether it stands in a document that was read; else it is the figure that is generally quoted.
    pub confirmed: bool,
}

const fn stated(share: f64) -> Option<Sla> {
    Some(Sla { share, confirmed: true })
}

const fn quoted(share: f64) -> Option<Sla> {
    Some(Sla { share, confirmed: false })
}

/// What is published for a node as it is configured (data facts, 10.1; of a Cosmos DB 1.3, for writes). None for
/// what is not a provider's service, for a tier without a promise, and for a part, which the promise for the whole
/// covers.
#[must_use]
pub fn published(kind: &NodeKind) -> Option<Sla> {
    match kind {
        NodeKind::CosmosDb(account) => match (account.writes, account.zone_redundant) {
            (Writes::Multi, _) if account.site.names().len() > 1 => stated(0.99999),
            (_, true) => stated(0.99995),
            (_, false) => stated(0.9999),
        },
        NodeKind::SqlDatabase(_) | NodeKind::FrontDoor(_) | NodeKind::EntraId(_) => stated(0.9999),
        NodeKind::StorageContainer(_) => stated(0.999),
        NodeKind::ContainerApp(_) => stated(0.9995),
        NodeKind::EventHubs(hubs) => match hubs.tier {
            event_hubs::Tier::Basic => None,
            event_hubs::Tier::Standard => stated(0.999),
            event_hubs::Tier::Premium => quoted(0.9995),
            event_hubs::Tier::Dedicated => stated(0.9999),
        },
        NodeKind::ServiceBus(bus) => match bus.tier {
            service_bus::Tier::Basic | service_bus::Tier::Standard => quoted(0.999),
            service_bus::Tier::Premium => quoted(0.9995),
        },
        NodeKind::ApiManagement(gateway) if gateway.site.names().len() > 1 => quoted(0.9999),
        NodeKind::ApiManagement(_) | NodeKind::FunctionApp(_) => quoted(0.9995),
        NodeKind::EventGridTopic(_) | NodeKind::TrafficManager(_) | NodeKind::KeyVault(_) => quoted(0.9999),
        NodeKind::LogicApp(_) => quoted(0.999),
        NodeKind::Alert(_)
        | NodeKind::Endpoint(_)
        | NodeKind::EventGridSubscription(_)
        | NodeKind::EventHub(_)
        | NodeKind::Guest(_)
        | NodeKind::Load(_)
        | NodeKind::Operator(_)
        | NodeKind::ServiceBusQueue(_)
        | NodeKind::ServiceBusTopic(_)
        | NodeKind::ServiceBusSubscription(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::cosmos_db::CosmosDb;
    use crate::services::event_hubs::EventHubs;
    use crate::services::service_bus::ServiceBusQueue;
    use crate::units::OneOrMany;

    #[test]
    fn what_is_configured_decides_what_is_promised() {
        let share = |kind: NodeKind| published(&kind).map(|sla| sla.share);
        let account = CosmosDb::default();
        assert_eq!(share(NodeKind::CosmosDb(account.clone())), Some(0.9999));
        let zones = CosmosDb { zone_redundant: true, ..account.clone() };
        assert_eq!(share(NodeKind::CosmosDb(zones)), Some(0.99995));
        let both = OneOrMany::Many(vec!["a".into(), "b".into()]);
        let both = CosmosDb { site: both, writes: Writes::Multi, ..account };
        assert_eq!(share(NodeKind::CosmosDb(both)), Some(0.99999));
        assert_eq!(share(NodeKind::ServiceBusQueue(ServiceBusQueue::default())), None);
        let hubs = EventHubs { tier: event_hubs::Tier::Premium, ..EventHubs::default() };
        assert_eq!(published(&NodeKind::EventHubs(hubs)), quoted(0.9995));
    }
}
