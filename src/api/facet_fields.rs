//! Values of facets, as specs and statuses hold them.

use super::schema::OBJECT_NAME;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What facets state: facet name → field → value.
pub type FacetFields = BTreeMap<String, Map<String, Value>>;

/// Where the value of a secret field comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretFacet {
    /// The facet's name in the definition.
    #[schemars(length(min = 1, max = 63))]
    pub facet: String,
    /// The secret field of the facet.
    #[schemars(length(min = 1, max = 256))]
    pub field: String,
    /// The Secret in the namespace of the object that names it, and the key in it.
    pub secret_key_ref: SecretKeyRef,
}

/// A key of a Secret in the namespace of the object that names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct SecretKeyRef {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253), regex(pattern = OBJECT_NAME))]
    pub name: String,
    /// The key in its data.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

/// One thing that is wrong with the facets that a grant states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FacetViolation {
    /// The facet.
    #[schemars(length(max = 256))]
    pub facet: String,
    /// JSON pointer to the field in the facet; empty for the facet itself.
    #[schemars(length(max = 32768))]
    pub pointer: String,
    /// The keyword of the schema that is not met, such as `maximum`; `SecretInPlain` for a secret field that is stated
    /// under `facets`, `facets` for a facet that the definition does not have, `limit` for values beyond what is checked.
    #[schemars(length(max = 64))]
    pub rule: String,
    /// What is wrong, and what was expected. The value of a secret field is never shown.
    #[schemars(length(max = 32768))]
    pub message: String,
}
