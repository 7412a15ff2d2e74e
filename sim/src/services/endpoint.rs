//! `endpoint`: anything that is called and is not ours (a payment provider, a carrier).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::ProcessId;
use crate::node::Process;
use crate::plan::{Plan, PlanError};
use crate::services::Service;

/// Anything that is called and is not ours.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct EndpointService {}

impl Service for EndpointService {
    fn about(&self) -> &'static str {
        "anything that is called and is not ours"
    }
    fn declare(&self, _: &str, _: &mut Plan) -> Result<(), PlanError> {
        Ok(())
    }
    fn build(&self, _: &str, _: &Plan) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError> {
        Ok(Vec::new())
    }
}
