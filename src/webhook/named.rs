//! What a request names, as it is stored now.

use super::review::Request;
use crate::{
    api::{EntitlementDefinition, EntitlementInstance, FacetDefinition, Organization},
    controller::{Knowledge, Reference, State},
    core::grant::GrantId,
};
use futures::future::try_join_all;
use kube::{Api, Client, Resource, core::DynamicObject};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt::Debug;

/// The objects that a request depends on.
pub fn references(request: &Request) -> Vec<Reference> {
    let object = request.object.as_ref().or(request.old_object.as_ref());
    let Some(spec) = object.and_then(|object: &DynamicObject| object.data.get("spec")) else { return Vec::new() };
    let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
    let kind = request.kind.kind.as_str();
    if kind == EntitlementInstance::kind(&()) {
        let namespace = request.namespace.as_deref().unwrap_or_default();
        let organization = text(spec, "organization").map(|name| Reference::Organization(name.into()));
        let definition = text(spec, "definition").map(|name| Reference::Definition(name.into()));
        let renewed = text(spec, "renews").map(|name| Reference::Grant(GrantId::new(namespace, &name)));
        return organization.into_iter().chain(definition).chain(renewed).collect();
    }
    if kind == EntitlementDefinition::kind(&()) {
        let facets = spec.get("facets").and_then(Value::as_array).into_iter().flatten();
        return facets
            .filter_map(|facet| text(facet, "definition"))
            .map(|name| Reference::Facet(name.into()))
            .collect();
    }
    Vec::new()
}

/// Whether all of them are known as they are stored now. Not if the API server does not say.
pub async fn are_known(client: &Client, knowledge: &Knowledge, references: &[Reference]) -> bool {
    let stored = try_join_all(references.iter().map(|reference| stored(client, reference))).await;
    stored.is_ok_and(|stored| stored.into_iter().eq(references.iter().map(|reference| knowledge.state(reference))))
}

async fn stored(client: &Client, reference: &Reference) -> kube::Result<Option<State>> {
    let client = client.clone();
    match reference {
        Reference::Organization(name) => state(Api::<Organization>::all(client), name).await,
        Reference::Definition(name) => state(Api::<EntitlementDefinition>::all(client), name).await,
        Reference::Facet(name) => state(Api::<FacetDefinition>::all(client), name).await,
        Reference::Grant(id) => state(Api::<EntitlementInstance>::namespaced(client, &id.namespace), &id.name).await,
    }
}

async fn state<K: Resource + Clone + Debug + DeserializeOwned>(api: Api<K>, name: &str) -> kube::Result<Option<State>> {
    Ok(api.get_metadata_opt(name).await?.map(|found| State::of(&found.metadata)))
}
