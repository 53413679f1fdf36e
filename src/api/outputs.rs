//! What statuses say of objects in the organizations' namespaces.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Numbers of objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutputCounts {
    /// That there should be.
    pub desired: u64,
    /// That there are, as they should be.
    pub delivered: u64,
}
