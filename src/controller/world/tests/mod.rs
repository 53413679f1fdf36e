//! What events make of the index, and what work comes of them.

mod authority;
mod barred;
mod candidate;
mod catalogue;
mod costs;
mod facts;
mod guards;
mod lists;
mod offers;
mod overrides;
mod ownership;
mod plans;
mod reach;
mod usage;
mod work;

use super::{
    Reading, SecretName, WholeSource, WorkItem, World,
    kinds::{News, WatchedKind},
};
use crate::{
    api::{
        EntitlementDefinition, EntitlementInstance, EntitlementOverride, EntitlementPlan, EntitlementSubscription,
        EntitlementUsage, FacetDefinition, Organization, OverrideDecision,
    },
    controller::{guarded::Guarded, output::OutputObject},
    core::source::SourceId,
    evaluation::{
        Limits,
        catalogue::{CatalogueEntry, CompiledDefinition, DefinitionState},
    },
};
use k8s_openapi::api::{
    admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding},
    apps::v1::ControllerRevision,
    core::v1::{ConfigMap, Namespace, Secret},
};
use kube::{api::PartialObjectMeta, runtime::watcher::Event};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};

/// Events as their watches hand them in.
impl World {
    /// Namespaces in which there is a source that may be read.
    pub fn source_namespaces(&self) -> BTreeSet<Arc<str>> {
        let all = self.grants.secrets().map(|(namespace, _)| Arc::clone(namespace));
        all.filter(|namespace| self.may_read_sources(namespace)).collect()
    }

    fn observe<K: WatchedKind>(&mut self, event: Event<K::Object>) {
        self.hear::<K>(K::read(event));
    }

    pub fn observe_organization(&mut self, event: Event<Guarded<Organization>>) {
        self.observe::<Organization>(event);
    }

    pub fn observe_namespace(&mut self, event: Event<Guarded<PartialObjectMeta<Namespace>>>) {
        self.observe::<Namespace>(event);
    }

    pub fn observe_instance(&mut self, event: Event<Guarded<EntitlementInstance>>) {
        self.observe::<EntitlementInstance>(event);
    }

    pub fn observe_subscription(&mut self, event: Event<Guarded<EntitlementSubscription>>) {
        self.observe::<EntitlementSubscription>(event);
    }

    pub fn observe_override(&mut self, event: Event<Guarded<EntitlementOverride>>) {
        self.observe::<EntitlementOverride>(event);
    }

    pub fn observe_decision(&mut self, event: Event<Guarded<OverrideDecision>>) {
        self.observe::<OverrideDecision>(event);
    }

    pub fn observe_usage(&mut self, event: Event<Guarded<EntitlementUsage>>) {
        self.observe::<EntitlementUsage>(event);
    }

    pub fn observe_definition(&mut self, event: Event<Guarded<EntitlementDefinition>>) {
        self.observe::<EntitlementDefinition>(event);
    }

    pub fn observe_plan(&mut self, event: Event<Guarded<EntitlementPlan>>) {
        self.observe::<EntitlementPlan>(event);
    }

    pub fn observe_facet(&mut self, event: Event<Guarded<FacetDefinition>>) {
        self.observe::<FacetDefinition>(event);
    }

    pub fn observe_revision(&mut self, event: Event<Guarded<ControllerRevision>>) {
        self.observe::<ControllerRevision>(event);
    }

    pub fn observe_output<K: OutputObject>(&mut self, event: Event<Guarded<K>>) {
        self.observe::<K>(event);
    }
}

/// The answer to a write of an instance's status.
pub fn as_written(instance: Value) -> Reading<SourceId, WholeSource> {
    WholeSource::read(&read::<EntitlementInstance>(instance))
}

/// The answer to a request for an instance.
pub fn fetched(instance: Value) -> News<Reading<SourceId, WholeSource>> {
    EntitlementInstance::read(Event::Apply(read(instance)))
}

/// What is read from JSON, whatever it is.
pub fn read<K: DeserializeOwned>(object: Value) -> K {
    serde_json::from_value(object).unwrap()
}

pub fn metadata(namespace: Option<&str>, name: &str, version: u64) -> Value {
    json!({
        "namespace": namespace, "name": name, "uid": format!("uid-{name}"), "resourceVersion": version.to_string(),
        "generation": version, "creationTimestamp": "2026-01-01T00:00:00Z",
    })
}

/// Everything is listed, with nothing in it.
pub fn empty() -> World {
    let mut world = World::new("operator", Limits::DEFAULT);
    finish_lists(&mut world);
    assert_eq!(world.take_work(), BTreeSet::new());
    world
}

/// Ends the lists that are under way, and lists nothing of the other kinds.
pub fn finish_lists(world: &mut World) {
    assert!(!world.is_ready());
    world.observe_organization(Event::InitDone);
    world.observe_namespace(Event::InitDone);
    world.observe_instance(Event::InitDone);
    world.observe_subscription(Event::InitDone);
    world.observe_override(Event::InitDone);
    world.observe_decision(Event::InitDone);
    world.observe_usage(Event::InitDone);
    world.observe_definition(Event::InitDone);
    world.observe_facet(Event::InitDone);
    world.observe_plan(Event::InitDone);
    world.observe_revision(Event::InitDone);
    world.observe_output::<ConfigMap>(Event::InitDone);
    world.observe::<ValidatingAdmissionPolicy>(Event::InitDone);
    world.observe::<ValidatingAdmissionPolicyBinding>(Event::InitDone);
    assert!(!world.is_ready());
    world.observe_output::<Secret>(Event::InitDone);
    assert!(world.is_ready());
}

/// A world of two organizations, `acme` in the namespace `one` and `globex` in `two`, with nothing left to do.
pub fn two_organizations() -> World {
    let mut world = empty();
    world.observe_organization(Event::Apply(organization("acme", &["one"], 1)));
    world.observe_organization(Event::Apply(organization("globex", &["two"], 1)));
    world.take_work();
    world
}

pub fn organization(name: &str, namespaces: &[&str], version: u64) -> Guarded<Organization> {
    read(json!({"metadata": metadata(None, name, version), "spec": {"namespaces": namespaces}}))
}

pub fn namespace(name: &str, version: u64, deleted: Option<&str>) -> Guarded<PartialObjectMeta<Namespace>> {
    let mut metadata = metadata(None, name, version);
    metadata["deletionTimestamp"] = deleted.into();
    read(json!({ "metadata": metadata }))
}

/// Of the definition `backup`, in the namespace `entitlements`.
pub fn instance(name: &str, organization: &str, version: u64, status: impl Into<Value>) -> Value {
    json!({
        "metadata": metadata(Some("entitlements"), name, version),
        "spec": {"organization": organization, "definition": "backup"},
        "status": status.into(),
    })
}

pub fn apply(world: &mut World, instance: Value) {
    world.observe_instance(Event::Apply(read::<Guarded<EntitlementInstance>>(instance)));
}

pub fn definition(name: &str, facet: &str, version: u64) -> Guarded<EntitlementDefinition> {
    let facets = json!([{"name": "f", "definition": facet}]);
    read(json!({"metadata": metadata(None, name, version), "spec": {"type": "Feature", "facets": facets}}))
}

pub fn facet(name: &str, version: u64) -> Guarded<FacetDefinition> {
    read(json!({"metadata": metadata(None, name, version), "spec": {"schema": {"type": "object"}}}))
}

pub fn revision(definition: &str, number: i64) -> ControllerRevision {
    let mut metadata = metadata(Some("operator"), &format!("{definition}-{number}"), u64::try_from(number).unwrap());
    metadata["labels"] =
        json!({"app.kubernetes.io/managed-by": "entitlement-operator", "entitlements.dev/definition": definition});
    read(json!({"metadata": metadata, "revision": number, "data": {}}))
}

/// As the operator makes them.
pub fn output(name: &str, organization: &str, version: u64) -> Guarded<ConfigMap> {
    let mut metadata = metadata(Some("one"), name, version);
    metadata["labels"] =
        json!({"app.kubernetes.io/managed-by": "entitlement-operator", "entitlements.dev/organization": organization});
    metadata["annotations"] = json!({"entitlements.dev/instance": "entitlements/a"});
    read(json!({"metadata": metadata, "data": {"a": "1"}}))
}

pub fn entry() -> Arc<CatalogueEntry> {
    let source = DefinitionState::gather(&read(json!({"type": "Feature"})), |_| None).unwrap();
    Arc::new(CatalogueEntry::valid(CompiledDefinition::compile("backup", &source).unwrap()))
}

pub fn organizations(names: &[&str]) -> BTreeSet<WorkItem> {
    names.iter().map(|name| WorkItem::Organization((*name).into())).collect()
}

pub fn definitions(names: &[&str]) -> BTreeSet<WorkItem> {
    names.iter().map(|name| WorkItem::Definition((*name).into())).collect()
}

pub fn source(name: &str) -> SecretName {
    ("entitlements".into(), name.into())
}
