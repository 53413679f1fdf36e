//! The kind `FacetDefinition`.

use super::{Condition, NOT_OBSERVED, organization::not_observed};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// A reusable, typed set of configuration fields.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "entitlements.dev",
    version = "v1alpha1",
    kind = "FacetDefinition",
    plural = "facetdefinitions",
    shortname = "facet",
    category = "entitlements",
    status = "FacetDefinitionStatus",
    derive = "PartialEq",
    doc = "A reusable, typed set of configuration fields, which EntitlementDefinitions refer to by name.",
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$')")
        .message("the name of a facet begins with a letter and has at most 63 lower-case letters, digits and '-'"),
    printcolumn(name = "Display", type_ = "string", json_path = ".spec.displayName"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason", description = "why it is ready, or is not"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct FacetDefinitionSpec {
    /// The facet's name, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub display_name: Option<String>,
    /// What the fields are for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub description: Option<String>,
    /// A JSON Schema (2020-12) with `type: object` at its root. Top-level properties marked `writeOnly: true` are
    /// secret and reach Secrets only: they are `type: string` and have nothing else but `title`, `description`,
    /// `minLength`, `maxLength` and `examples`. Defaults are valid by the schema itself, and are taken from `properties`,
    /// `items` and local `$ref`. References stay inside the schema.
    #[schemars(schema_with = "any_object")]
    pub schema: Arc<Value>,
}

pub(super) fn any_object(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

/// What the operator has made of the facet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FacetDefinitionStatus {
    /// The `metadata.generation` that this status speaks of; -1 until the operator has seen the object.
    #[serde(default = "not_observed")]
    pub observed_generation: i64,
    /// `Ready`: the schema can be used. `FacetsValid`: all grants that are held, of the definitions that use it, state fields
    /// of the facet that are valid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

impl Default for FacetDefinitionStatus {
    fn default() -> Self {
        Self { observed_generation: NOT_OBSERVED, conditions: Vec::new() }
    }
}
