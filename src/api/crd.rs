//! The CustomResourceDefinitions, generated from the types.

use super::{
    EntitlementDefinition, EntitlementInstance, EntitlementOverride, EntitlementPlan, EntitlementSubscription,
    EntitlementUsage, FacetDefinition, NOT_OBSERVED, Organization, OverrideDecision,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde_json::{Value, json};

/// The CustomResourceDefinitions, in the order in which `crds/` and `entitlement-operator crds` show them.
#[must_use]
pub fn all() -> Vec<CustomResourceDefinition> {
    let crds = [
        Organization::crd(),
        FacetDefinition::crd(),
        EntitlementDefinition::crd(),
        EntitlementPlan::crd(),
        EntitlementInstance::crd(),
        EntitlementSubscription::crd(),
        EntitlementOverride::crd(),
        OverrideDecision::crd(),
        EntitlementUsage::crd(),
    ];
    crds.into_iter().map(finish).collect()
}

fn finish(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let Some(root) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) else {
            continue;
        };
        tidy(root);
        mark_unobserved(root);
    }
    crd
}

/// A value that is null is pruned where the schema does not say `nullable`, so that `end: null`, as templating tools
/// write it, means the same as no `end`. Integer formats are dropped, as bounds say the same to every client. The lines of a
/// description are those of our source, at which `kubectl explain` would break its own.
fn tidy(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.description = schema.description.take().map(|text| flowing(&text));
    if schema.type_.as_deref() == Some("integer") {
        schema.minimum = schema.minimum.filter(|minimum| *minimum != 0.0 || schema.format.as_deref() != Some("int32"));
        schema.format = schema.format.take().filter(|format| !format.starts_with("uint"));
    }
    for property in schema.properties.iter_mut().flat_map(|properties| properties.values_mut()) {
        tidy(property);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        tidy(values);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        tidy(items);
    }
}

/// A text whose paragraphs are one line each.
fn flowing(text: &str) -> String {
    let paragraphs: Vec<String> = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect();
    paragraphs.join("\n\n")
}

/// Gives a fresh object the status "not yet seen": tools that follow kstatus take an object without a status for one that
/// is ready (fluxcd/kustomize-controller#387).
fn mark_unobserved(root: &mut JSONSchemaProps) {
    if let Some(status) = root.properties.as_mut().and_then(|properties| properties.get_mut("status")) {
        status.default = Some(JSON(json!({ "observedGeneration": NOT_OBSERVED })));
    }
}

/// The manifests of the kinds, one YAML text for each, with the file name that `crds/` has for it.
///
/// # Errors
/// When a definition cannot be written as YAML.
pub fn manifests() -> Result<Vec<(String, String)>, serde_json::Error> {
    all()
        .iter()
        .map(|crd| Ok((format!("{}.yaml", crd.spec.names.plural), crate::yaml::to_string(&manifest(crd)?))))
        .collect()
}

fn manifest(crd: &CustomResourceDefinition) -> Result<Value, serde_json::Error> {
    let mut manifest = serde_json::to_value(crd)?;
    if let Some(object) = manifest.as_object_mut() {
        object.remove("status");
    }
    Ok(manifest)
}
