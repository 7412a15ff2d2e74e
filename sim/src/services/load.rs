//! `load`: a generator of items.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::ProcessId;
use crate::node::Process;
use crate::plan::{Plan, PlanError};
use crate::services::Service;

/// A generator of items.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Load {}

impl Service for Load {
    fn about(&self) -> &'static str {
        "a generator of items"
    }
    fn declare(&self, _: &str, _: &mut Plan) -> Result<(), PlanError> {
        Ok(())
    }
    fn build(&self, _: &str, _: &Plan) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError> {
        Ok(Vec::new())
    }
}
