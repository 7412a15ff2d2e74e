//! How near a namespace is to its limits (facts 3.1): what its throughput units let in and out, and connections.

use crate::node::Gauge;
use crate::services::event_hubs::layout;
use crate::services::event_hubs::namespace::Namespace;
use crate::services::replicas::Paired;
use crate::time::{Span, Time};

impl Namespace {
    /// All of them. Only a look.
    pub(super) fn look(&self, now: Time, out: &mut dyn FnMut(Gauge)) {
        if let Some(units) = self.store.units {
            let [events, bytes] = layout::ingress(units);
            out(self.live.ingress[0].gauge("ingress events", "events", events, now));
            out(self.live.ingress[1].gauge("ingress bytes", "bytes", bytes, now));
            // Events and bytes take their time of the same way out.
            let units = f64::from(units);
            let used = self.live.turns_out.share(now) * units;
            out(Gauge::rate("egress", "throughput units", used, units, Span::secs(1)));
        }
        self.live.fault.gauge("events", now).into_iter().for_each(&mut *out);
        out(self.live.connections.gauge(self.layout.max_connections));
        self.lag_gauge(now).into_iter().for_each(&mut *out);
    }
}
