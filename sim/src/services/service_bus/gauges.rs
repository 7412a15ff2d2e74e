//! How near a namespace is to its limits (facts 1.1, 1.2): credits, throughput, connections, and of each entity
//! with a quota its size and its receivers.

use crate::node::Gauge;
use crate::services::replicas::Paired;
use crate::services::service_bus::layout::Role;
use crate::services::service_bus::namespace::Namespace;
use crate::time::Time;

impl Namespace {
    /// All of them. Only a look.
    pub(super) fn look(&self, now: Time, out: &mut dyn FnMut(Gauge)) {
        let (layout, live) = (&self.layout, &self.live);
        if let Some(limit) = layout.credits {
            out(live.credits.gauge("credits", "credits", limit, now));
        }
        if let Some(limit) = layout.ingress {
            out(live.ingress.gauge("ingress", "bytes", limit, now));
        }
        live.fault.gauge("credits", now).into_iter().for_each(&mut *out);
        out(live.connections.gauge(layout.max_connections));
        self.lag_gauge(now).into_iter().for_each(&mut *out);
        for (part, settings) in (0..).zip(&layout.entities) {
            if matches!(settings.role, Role::Queue | Role::Topic) {
                let used = self.store.entities[usize::from(part)].used;
                out(Gauge::level("size", "bytes", used, settings.max_size).at(settings.place));
                let receivers = (self.receivers(part), u64::from(layout.max_receivers));
                out(Gauge::level("receivers", "links", receivers.0, receivers.1).at(settings.place));
            }
        }
    }
}
