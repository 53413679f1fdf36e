//! Grants as a fleet has them, for measuring: one definition with a facet and an output, organizations with a namespace each, and
//! grants with an end and a stated value.

use serde_json::{Value, json};

/// The namespace of the grants.
pub const SOURCES: &str = "entitlements";
/// The definition's name.
pub const DEFINITION: &str = "managed-backup";
/// The organizations that hold all grants together are a tenth as many.
pub const GRANTS_EACH: usize = 10;

pub fn definition() -> Value {
    let schema = json!({
        "type": "object",
        "properties": {"retentionDays": {"type": "integer", "default": 7}, "region": {"type": "string", "default": "eu-central"}},
    });
    json!({
        "apiVersion": "entitlements.dev/v1alpha1",
        "kind": "EntitlementDefinition",
        "metadata": {"name": DEFINITION},
        "spec": {
            "displayName": "Managed backup", "type": "Quantity", "unit": "machines", "amount": 5, "allowMultiple": true,
            "gracePeriod": "P7D",
            "facets": [{"name": "backup", "schema": schema}],
            "outputs": [{
                "name": "config", "kind": "ConfigMap", "objectName": "{{ instance.name }}",
                "items": [
                    {"key": "backup.yaml", "facet": "backup", "format": "Yaml"},
                    {"key": "machines", "template": "{{ instance.amount }}"},
                ],
            }],
        },
    })
}

/// The name of an organization, which is that of its namespace too.
pub fn organization_name(index: usize) -> String {
    format!("client-{index:05}")
}

pub fn organization(index: usize) -> Value {
    let name = organization_name(index);
    json!({
        "apiVersion": "entitlements.dev/v1alpha1",
        "kind": "Organization",
        "metadata": {"name": name},
        "spec": {"displayName": format!("Client {index} Ltd."), "timeZone": "Europe/Berlin", "namespaces": [name]},
    })
}

/// The name of a grant.
pub fn grant_name(index: usize) -> String {
    format!("client-{:05}-backup-{}", index / GRANTS_EACH, index % GRANTS_EACH)
}

/// A grant of the organization of that name.
pub fn grant(index: usize, organization: &str) -> Value {
    json!({
        "apiVersion": "entitlements.dev/v1alpha1",
        "kind": "EntitlementInstance",
        "metadata": {"name": grant_name(index), "namespace": SOURCES},
        "spec": {
            "organization": organization, "definition": DEFINITION, "end": "2034-12-31",
            "facets": {"backup": {"retentionDays": 7 + index % 30}},
        },
    })
}
