//! The connections of a namespace, which are limited in number.

use crate::faults::local::{Strike, Value};
use crate::ids::ConnectionId;
use crate::node::Gauge;

/// The connections that have been used, for the quota.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connections {
    /// The generation of the open connection in each slot; 0: none.
    open: Vec<u32>,
    count: u32,
}

impl Connections {
    /// Lets a connection in, or not: known ones always.
    ///
    /// # Errors
    /// With the fault that lowered the quota, if one did.
    pub(crate) fn admit(
        &mut self,
        connection: ConnectionId,
        most: u32,
        fault: Option<Strike>,
    ) -> Result<(), Option<Strike>> {
        if connection == ConnectionId::NONE {
            return Ok(());
        }
        let slot = connection.slot as usize;
        if self.open.len() <= slot {
            self.open.resize(slot + 1, 0);
        }
        if self.open[slot] == connection.generation {
            return Ok(());
        }
        let allowed = match fault {
            Some(Strike { value: Value::Number(n), .. }) => n.min(u64::from(most)),
            Some(_) => 0,
            None => u64::from(most),
        };
        if u64::from(self.count) >= allowed {
            return Err(fault);
        }
        self.count += u32::from(self.open[slot] == 0);
        self.open[slot] = connection.generation;
        Ok(())
    }

    /// How many there are, of so many that there may be.
    pub(crate) fn gauge(&self, most: u32) -> Gauge {
        Gauge::level("connections", "connections", self.count.into(), most.into())
    }

    pub(crate) fn close(&mut self, connection: ConnectionId) {
        if let Some(open) = self.open.get_mut(connection.slot as usize)
            && *open == connection.generation
        {
            *open = 0;
            self.count -= 1;
        }
    }
}
