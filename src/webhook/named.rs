//! The objects that a request names, as they are stored now.

use super::review::Question;
use crate::{
    api::{
        EntitlementDefinition, EntitlementInstance, EntitlementOverride, EntitlementPlan, EntitlementSubscription,
        EntitlementUsage, FacetDefinition, Organization,
    },
    controller::{Knowledge, ObjectState, Reference},
    core::{
        name::{dns_label, dns_subdomain},
        source::{SourceId, SourceKind},
    },
};
use futures::future::try_join_all;
use kube::{Api, Client, Resource};
use serde::{Deserialize, de::DeserializeOwned};
use std::{collections::BTreeSet, fmt::Debug};

#[derive(Deserialize)]
struct Object<S> {
    spec: S,
}

#[derive(Deserialize)]
struct InstanceSpec {
    organization: Option<String>,
    definition: Option<String>,
    renews: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SubscriptionSpec {
    organization: Option<String>,
    plan: Option<String>,
    renews: Option<String>,
    #[serde(default)]
    add_ons: Vec<NamedPlan>,
    #[serde(default)]
    amendments: Vec<NamedPlan>,
    #[serde(default)]
    add: Vec<NamedDefinition>,
}

#[derive(Deserialize)]
struct NamedPlan {
    plan: Option<String>,
}

#[derive(Deserialize)]
struct DefinitionSpec {
    #[serde(default)]
    facets: Vec<NamedDefinition>,
}

#[derive(Deserialize)]
struct PlanSpec {
    #[serde(default)]
    includes: Vec<String>,
    #[serde(default)]
    groups: Vec<NamedGroup>,
}

#[derive(Deserialize)]
struct NamedGroup {
    #[serde(default)]
    entitlements: Vec<NamedDefinition>,
}

#[derive(Deserialize)]
struct NamedDefinition {
    definition: Option<String>,
}

/// The objects that a question depends on; none where it cannot be read.
pub fn references(question: &Question) -> Vec<Reference> {
    match question.kind.as_str() {
        kind if kind == EntitlementInstance::kind(&()) => of_instance(question),
        kind if kind == EntitlementOverride::kind(&()) => of_instance(question),
        kind if kind == EntitlementUsage::kind(&()) => of_instance(question),
        kind if kind == EntitlementSubscription::kind(&()) => of_subscription(question),
        kind if kind == EntitlementDefinition::kind(&()) => of_definition(question),
        kind if kind == EntitlementPlan::kind(&()) => of_plan(question),
        _ => Vec::new(),
    }
}

fn spec<S: DeserializeOwned>(question: &Question) -> Option<S> {
    let (before, after) = question.states::<Object<S>>().ok()?;
    after.or(before).map(|object| object.spec)
}

/// Of an instance; or of an override or a report, which renew none.
fn of_instance(question: &Question) -> Vec<Reference> {
    let Some(spec) = spec::<InstanceSpec>(question) else { return Vec::new() };
    let namespace = question.namespace.as_deref().unwrap_or_default();
    let organization = spec.organization.map(|name| Reference::Organization(name.into()));
    let definition = spec.definition.map(|name| Reference::Definition(name.into()));
    let renewed = spec.renews.map(|name| Reference::Grant(SourceId::instance(namespace, &name)));
    organization.into_iter().chain(definition).chain(renewed).collect()
}

fn of_subscription(question: &Question) -> Vec<Reference> {
    let Some(spec) = spec::<SubscriptionSpec>(question) else { return Vec::new() };
    let namespace = question.namespace.as_deref().unwrap_or_default();
    let SubscriptionSpec { organization, plan, renews, add_ons, amendments, add } = spec;
    let named = add_ons.into_iter().chain(amendments).filter_map(|one| one.plan);
    let plans: BTreeSet<String> = plan.into_iter().chain(named).collect();
    let definitions: BTreeSet<String> = add.into_iter().filter_map(|one| one.definition).collect();
    let organization = organization.map(|name| Reference::Organization(name.into()));
    let renewed = renews.map(|name| Reference::Grant(SourceId::new(SourceKind::Subscription, namespace, &name)));
    let plans = plans.into_iter().map(|name| Reference::Plan(name.into()));
    let definitions = definitions.into_iter().map(|name| Reference::Definition(name.into()));
    organization.into_iter().chain(renewed).chain(plans).chain(definitions).collect()
}

fn of_definition(question: &Question) -> Vec<Reference> {
    let facets = spec::<DefinitionSpec>(question).map(|spec| spec.facets).unwrap_or_default();
    facets.into_iter().filter_map(|facet| facet.definition).map(|name| Reference::Facet(name.into())).collect()
}

fn of_plan(question: &Question) -> Vec<Reference> {
    let Some(spec) = spec::<PlanSpec>(question) else { return Vec::new() };
    let includes = spec.includes.into_iter().map(|name| Reference::Plan(name.into()));
    let given = spec.groups.into_iter().flat_map(|group| group.entitlements).filter_map(|one| one.definition);
    includes.chain(given.map(|name| Reference::Definition(name.into()))).collect()
}

/// Whether all of them are known as they are stored now. Not if the API server does not say.
pub async fn are_known(client: &Client, knowledge: &Knowledge, references: &[Reference]) -> bool {
    let stored = try_join_all(references.iter().map(|reference| stored(client, reference))).await;
    stored.is_ok_and(|stored| stored.into_iter().eq(references.iter().map(|reference| knowledge.state(reference))))
}

async fn stored(client: &Client, reference: &Reference) -> kube::Result<Option<ObjectState>> {
    // What is no name is stored nowhere, and is not asked for.
    if !is_name(reference) {
        return Ok(None);
    }
    let client = client.clone();
    match reference {
        Reference::Organization(name) => state(Api::<Organization>::all(client), name).await,
        Reference::Definition(name) => state(Api::<EntitlementDefinition>::all(client), name).await,
        Reference::Plan(name) => state(Api::<EntitlementPlan>::all(client), name).await,
        Reference::Facet(name) => state(Api::<FacetDefinition>::all(client), name).await,
        Reference::Grant(id) => match id.kind {
            SourceKind::Subscription => {
                state(Api::<EntitlementSubscription>::namespaced(client, &id.namespace), &id.name).await
            }
            SourceKind::Instance => {
                state(Api::<EntitlementInstance>::namespaced(client, &id.namespace), &id.name).await
            }
            SourceKind::Override => {
                state(Api::<EntitlementOverride>::namespaced(client, &id.namespace), &id.name).await
            }
            #[cfg(test)]
            SourceKind::Bundle => Ok(None),
        },
    }
}

fn is_name(reference: &Reference) -> bool {
    match reference {
        Reference::Organization(name)
        | Reference::Definition(name)
        | Reference::Plan(name)
        | Reference::Facet(name) => dns_label(name).is_ok(),
        Reference::Grant(id) => dns_label(&id.namespace).is_ok() && dns_subdomain(&id.name).is_ok(),
    }
}

async fn state<K: Resource + Clone + Debug + DeserializeOwned>(
    api: Api<K>,
    name: &str,
) -> kube::Result<Option<ObjectState>> {
    Ok(api.get_metadata_opt(name).await?.map(|found| ObjectState::of(&found.metadata)))
}

#[cfg(test)]
mod tests {
    use super::{are_known, references};
    use crate::{
        connection::FencedClients,
        controller::{Controller, ControllerOptions, Reference},
        core::source::SourceId,
        webhook::review,
    };
    use axum::{Json, Router, http::StatusCode, http::Uri};
    use kube::{Client, Config};
    use serde_json::{Value, json};
    use std::net::Ipv4Addr;
    use tokio::net::TcpListener;

    fn named(kind: &str, spec: &Value) -> Vec<Reference> {
        let question = json!({
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {
                "uid": "u",
                "kind": {"group": "entitlements.dev", "version": "v1alpha1", "kind": kind},
                "resource": {"group": "entitlements.dev", "version": "v1alpha1", "resource": "any"},
                "name": "a",
                "namespace": "sales",
                "operation": "CREATE",
                "userInfo": {},
                "object": {"apiVersion": "entitlements.dev/v1alpha1", "kind": kind, "metadata": {"name": "a"}, "spec": spec},
            },
        });
        references(&review::read(question.to_string().into()).unwrap())
    }

    #[test]
    fn what_is_named_is_found() {
        let renewal = json!({"organization": "acme", "definition": "seats", "renews": "before"});
        assert_eq!(
            named("EntitlementInstance", &renewal),
            [
                Reference::Organization("acme".into()),
                Reference::Definition("seats".into()),
                Reference::Grant(SourceId::instance("sales", "before")),
            ]
        );
        let definition = json!({"facets": [{"name": "f", "definition": "one"}, {"name": "g", "schema": {}}]});
        assert_eq!(named("EntitlementDefinition", &definition), [Reference::Facet("one".into())]);
        assert_eq!(named("Organization", &json!({"namespaces": ["a"]})), []);
    }

    /// An API server that has one organization, and tells of nothing else but facet definitions, which there are none of.
    async fn answer(uri: Uri) -> (StatusCode, Json<Value>) {
        let status = |code: StatusCode, reason: &str| {
            let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code.as_u16(), "message": "", "reason": reason});
            (code, Json(status))
        };
        match uri.path().trim_start_matches("/apis/entitlements.dev/v1alpha1/") {
            "organizations/acme" => {
                let metadata = json!({"name": "acme", "uid": "u", "generation": 1});
                let kind =
                    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata});
                (StatusCode::OK, Json(kind))
            }
            path if path.starts_with("organizations/") || path.starts_with("facetdefinitions/") => {
                status(StatusCode::NOT_FOUND, "NotFound")
            }
            _ => status(StatusCode::FORBIDDEN, "Forbidden"),
        }
    }

    #[tokio::test]
    async fn what_is_stored_and_not_known_yet_is_noticed() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        let config = Config::new(url.parse().unwrap());
        let client = Client::try_from(config.clone()).unwrap();
        // It knows nothing.
        let controller = Controller::new(client.clone(), FencedClients::new(config), ControllerOptions::default());
        let knowledge = controller.knowledge();
        for (reference, is_known) in [
            (Reference::Organization("acme".into()), false),
            (Reference::Organization("nobody".into()), true),
            (Reference::Facet("none".into()), true),
            // Where nothing is said, nothing is known.
            (Reference::Definition("seats".into()), false),
            // Where a name would lead elsewhere, it is known not to be stored.
            (Reference::Definition("../organizations/acme".into()), true),
            (Reference::Definition("seats?x=y".into()), true),
            (Reference::Grant(SourceId::instance("sales", "../../../../../api/v1/secrets")), true),
            (Reference::Grant(SourceId::instance("..", "a")), true),
        ] {
            let both = [Reference::Facet("none".into()), reference];
            assert_eq!(are_known(&client, &knowledge, &both).await, is_known, "{both:?}");
        }
    }
}
