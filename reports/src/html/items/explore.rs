//! The topology as a picture and the run to step through, which have rooms of their own.

use super::Panel;
use crate::html::Error;
use crate::html::build::Build;
use crate::html::doc::Doc;

/// The picture of the topology with each node's health belongs here.
pub(super) fn topology(_: &mut Build, _: &Doc<'_>) -> Result<Panel, Error> {
    Ok(Panel::Silent)
}

/// The explorer of the trace belongs here.
pub(super) fn steps(_: &mut Build, _: &Doc<'_>) -> Result<Panel, Error> {
    Ok(Panel::Silent)
}
