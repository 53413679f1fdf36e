//! What each event of a watch means.

use super::{Identity, MadeAnew, SourceKey, WorkItem, World, tenancy::name_of};
use crate::{
    api::{EntitlementDefinition, EntitlementInstance, FacetDefinition, Organization},
    controller::{guarded::Guarded, output::OutputObject},
    core::grant::GrantId,
};
use k8s_openapi::api::{apps::v1::ControllerRevision, core::v1::Namespace};
use kube::{
    Resource,
    api::{ObjectMeta, PartialObjectMeta},
    core::error_boundary::InvalidObject,
    runtime::watcher::Event,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::time::Instant;

fn warn_unreadable<K: Resource<DynamicType = ()>>(invalid: &InvalidObject) {
    tracing::warn!(
        kind = %K::kind(&()),
        namespace = invalid.metadata.namespace.as_deref(),
        name = invalid.metadata.name.as_deref(),
        error = %invalid.error,
        "an object can't be read: its last readable state stays in use, if there was one"
    );
}

impl World {
    /// Of the watch of organizations.
    pub fn observe_organization(&mut self, event: Event<Guarded<Organization>>) {
        match event {
            Event::Init => self.tenancy.begin_list(),
            Event::Apply(Guarded(Ok(organization))) => {
                let name = name_of(&organization.metadata);
                let spec = |world: &Self| world.tenancy.get(&name).map(|known| spec_state(&known.metadata));
                self.take_in(&WorkItem::Organization(Arc::clone(&name)), spec, |world| {
                    world.put_organization(organization);
                });
            }
            Event::InitApply(Guarded(Ok(organization))) => self.put_organization(organization),
            Event::Apply(Guarded(Err(invalid))) | Event::InitApply(Guarded(Err(invalid))) => {
                warn_unreadable::<Organization>(&invalid);
                if let Some(change) = self.tenancy.put_unreadable(&invalid.metadata, invalid.error) {
                    self.changed_organization(&change);
                }
            }
            Event::Delete(organization) => {
                let change = self.tenancy.remove(organization.meta());
                self.changed_organization(&change);
            }
            Event::InitDone => {
                for change in self.tenancy.finish_list() {
                    self.changed_organization(&change);
                }
            }
        }
    }

    fn put_organization(&mut self, organization: Organization) {
        if let Some(change) = self.tenancy.put(organization) {
            self.changed_organization(&change);
        }
    }

    /// Of the watch of namespaces.
    pub fn observe_namespace(&mut self, event: Event<PartialObjectMeta<Namespace>>) {
        match event {
            Event::Init => self.tenancy.begin_namespaces(),
            Event::Apply(namespace) | Event::InitApply(namespace) => {
                let name = name_of(&namespace.metadata);
                if self.tenancy.put_namespace(&namespace.metadata) {
                    self.touch_namespace(&name);
                }
                self.saw_namespace(name, namespace.metadata.uid.as_deref().unwrap_or_default());
            }
            Event::Delete(namespace) => {
                self.tenancy.remove_namespace(&namespace.metadata);
                self.lost_namespace(&name_of(&namespace.metadata));
            }
            Event::InitDone => {
                for namespace in self.tenancy.finish_namespaces() {
                    self.lost_namespace(&namespace);
                }
            }
        }
    }

    fn saw_namespace(&mut self, namespace: Arc<str>, uid: &str) {
        if !self.lives.see(&namespace, uid) {
            return;
        }
        let owner = self.tenancy.claimants(&namespace).next();
        let organization = owner.and_then(|owner| self.tenancy.get(owner)).cloned();
        self.made_anew.extend(organization.map(|organization| MadeAnew { namespace, organization }));
    }

    fn lost_namespace(&mut self, namespace: &Arc<str>) {
        self.touch_namespace(namespace);
        if self.tenancy.claimants(namespace).next().is_none() {
            self.lives.forget(namespace);
        }
    }

    /// Of the watch of instances.
    pub fn observe_instance(&mut self, event: Event<Guarded<EntitlementInstance>>) {
        match event {
            Event::Init => self.grants.begin_list(),
            Event::Apply(Guarded(Ok(instance))) => {
                let metadata = &instance.metadata;
                let id = GrantId::new(&namespace_of(metadata), metadata.name.as_deref().unwrap_or_default());
                let spec = |world: &Self| Some((world.grants.uid(&id)?, world.grants.spec_state(&id)?));
                let item = WorkItem::Instance(id.clone());
                self.take_in(&item, spec, |world| world.observe_whole_instance(&instance));
            }
            Event::InitApply(Guarded(Ok(instance))) => self.observe_whole_instance(&instance),
            Event::Apply(Guarded(Err(invalid))) | Event::InitApply(Guarded(Err(invalid))) => {
                warn_unreadable::<EntitlementInstance>(&invalid);
                let namespace = namespace_of(&invalid.metadata);
                let change =
                    self.change_grants(&namespace, |grants| grants.put_unreadable(&invalid.metadata, invalid.error));
                self.changed_grants(change.unwrap_or_default());
            }
            Event::Delete(instance) => {
                let namespace = namespace_of(instance.meta());
                match self.change_grants(&namespace, |grants| grants.remove(instance.meta())) {
                    Some(change) => self.changed_grants(change),
                    None => self.lost_unreadable_instance(),
                }
            }
            Event::InitDone => self.finish_instances(),
        }
    }

    fn observe_whole_instance(&mut self, instance: &EntitlementInstance) {
        if let Some(change) = self.put_instance(instance) {
            self.changed_grants(change);
        }
    }

    fn finish_instances(&mut self) {
        for (namespace, change) in self.grants.finish_list() {
            self.touch_namespace(&namespace);
            let Some(change) = change else {
                self.lost_unreadable_instance();
                continue;
            };
            self.work.extend(change.definitions.iter().cloned().map(WorkItem::Definition));
            self.touch_facets_of(&change.invalid);
            self.changed_sources(&change.sources);
            self.changed_grants(change);
        }
    }

    /// What was delivered for an instance stays as long as it can't be read. Once it is gone, nobody knows whose that was.
    fn lost_unreadable_instance(&mut self) {
        let all: Vec<_> = self.tenancy.organizations().cloned().collect();
        self.touch_organizations(all);
    }

    /// Of the watch of definitions.
    pub fn observe_definition(&mut self, event: Event<Guarded<EntitlementDefinition>>) {
        match event {
            Event::Init => self.catalogue.begin_definitions(),
            Event::Apply(Guarded(Ok(definition))) => {
                let name = name_of(&definition.metadata);
                let spec = |world: &Self| world.catalogue.definition(&name).map(|known| spec_state(&known.metadata));
                self.take_in(&WorkItem::Definition(Arc::clone(&name)), spec, |world| {
                    world.put_definition(definition);
                });
            }
            Event::InitApply(Guarded(Ok(definition))) => self.put_definition(definition),
            Event::Apply(Guarded(Err(invalid))) | Event::InitApply(Guarded(Err(invalid))) => {
                warn_unreadable::<EntitlementDefinition>(&invalid);
                let name = name_of(&invalid.metadata);
                let facets_before = self.catalogue.facets_of(&name);
                if self.catalogue.put_unreadable_definition(&invalid.metadata, invalid.error) {
                    self.touch_definition(&name);
                    self.changed_facets_of(&name, &facets_before);
                }
            }
            Event::Delete(definition) => {
                let name = name_of(definition.meta());
                let facets_before = self.catalogue.facets_of(&name);
                self.catalogue.remove_definition(definition.meta());
                self.touch_definition(&name);
                self.changed_facets_of(&name, &facets_before);
            }
            Event::InitDone => {
                for name in self.catalogue.finish_definitions() {
                    self.touch_definition(&name);
                }
            }
        }
    }

    fn put_definition(&mut self, definition: EntitlementDefinition) {
        let name = name_of(&definition.metadata);
        let facets_before = self.catalogue.facets_of(&name);
        if self.catalogue.put_definition(definition).is_some() {
            self.touch_definition(&name);
            self.changed_facets_of(&name, &facets_before);
        }
    }

    /// What grants of a definition state counts for the facet definitions to which it refers, and for no others any more.
    fn changed_facets_of(&mut self, definition: &str, before: &BTreeSet<Arc<str>>) {
        let after = self.catalogue.facets_of(definition);
        for facet in before.symmetric_difference(&after) {
            self.touch_gently(WorkItem::Facet(Arc::clone(facet)));
        }
    }

    /// Of the watch of facet definitions.
    pub fn observe_facet(&mut self, event: Event<Guarded<FacetDefinition>>) {
        let definitions = match event {
            Event::Init => {
                self.catalogue.begin_facets();
                None
            }
            Event::Apply(Guarded(Ok(facet))) => {
                let name = name_of(&facet.metadata);
                let spec = |world: &Self| world.catalogue.facet(&name).map(|known| spec_state(&known.metadata));
                self.take_in(&WorkItem::Facet(Arc::clone(&name)), spec, |world| world.put_facet(facet));
                None
            }
            Event::InitApply(Guarded(Ok(facet))) => {
                self.put_facet(facet);
                None
            }
            Event::Apply(Guarded(Err(invalid))) | Event::InitApply(Guarded(Err(invalid))) => {
                warn_unreadable::<FacetDefinition>(&invalid);
                self.catalogue.put_unreadable_facet(&invalid.metadata, invalid.error)
            }
            Event::Delete(facet) => Some(self.catalogue.remove_facet(facet.meta())),
            Event::InitDone => Some(self.catalogue.finish_facets()),
        };
        self.work.extend(definitions.unwrap_or_default().into_iter().map(WorkItem::Definition));
    }

    fn put_facet(&mut self, facet: FacetDefinition) {
        let name = name_of(&facet.metadata);
        let Some(definitions) = self.catalogue.put_facet(facet) else { return };
        self.work.insert(WorkItem::Facet(name));
        self.work.extend(definitions.into_iter().map(WorkItem::Definition));
    }

    /// Of the watch of the operator's revisions.
    pub fn observe_revision(&mut self, event: Event<Guarded<ControllerRevision>>) {
        let definitions: BTreeSet<Arc<str>> = match event {
            Event::Init => {
                self.catalogue.begin_revisions();
                BTreeSet::new()
            }
            Event::Apply(Guarded(Ok(revision))) | Event::InitApply(Guarded(Ok(revision))) => {
                self.catalogue.put_revision(revision).into_iter().collect()
            }
            Event::Apply(Guarded(Err(invalid))) | Event::InitApply(Guarded(Err(invalid))) => {
                warn_unreadable::<ControllerRevision>(&invalid);
                self.catalogue.put_unreadable_revision(&invalid.metadata, invalid.error).into_iter().collect()
            }
            Event::Delete(revision) => self.catalogue.remove_revision(revision.meta()).into_iter().collect(),
            Event::InitDone => self.catalogue.finish_revisions(),
        };
        self.work.extend(definitions.into_iter().map(WorkItem::Definition));
    }

    /// Of the watch of one kind of outputs.
    pub fn observe_output<K: OutputObject>(&mut self, event: Event<Guarded<K>>) {
        let organizations = match event {
            Event::Init => {
                self.outputs.begin_list(K::KIND);
                BTreeSet::new()
            }
            Event::Apply(Guarded(Ok(object))) => {
                self.outputs.saw(&K::key_of(object.meta()), object.observed(), false, Instant::now())
            }
            Event::InitApply(Guarded(Ok(object))) => {
                self.outputs.saw(&K::key_of(object.meta()), object.observed(), true, Instant::now())
            }
            Event::Apply(Guarded(Err(invalid))) | Event::InitApply(Guarded(Err(invalid))) => {
                // Without the error, which may quote what a Secret holds.
                let (namespace, name) = (invalid.metadata.namespace.as_deref(), invalid.metadata.name.as_deref());
                tracing::warn!(kind = K::KIND.as_str(), namespace, name, "an output can't be read");
                self.outputs.put_unreadable(&K::key_of(&invalid.metadata), &invalid.metadata)
            }
            Event::Delete(object) => self.outputs.remove(&K::key_of(object.meta()), object.meta(), Instant::now()),
            Event::InitDone => self.outputs.finish_list(K::KIND, Instant::now()),
        };
        self.touch_organizations(organizations);
    }

    /// A watch of the Secrets in a namespace from which grants take values begins (anew): what was before is not known.
    pub fn began_sources(&mut self, namespace: &Arc<str>) {
        let sources = self.grants.sources().filter(|(of, _)| of == namespace);
        self.work.extend(sources.cloned().map(WorkItem::Source));
    }

    /// A Secret there is new or has changed. Nothing is kept of one that no grant refers to.
    pub fn saw_source(&mut self, namespace: &Arc<str>, name: Arc<str>, version: &str) {
        let key: SourceKey = (Arc::clone(namespace), name);
        let is_used = self.grants.organizations_using(&key).next().is_some();
        if is_used && self.sources.is_outdated(&key, Identity::version_of(Some(version))) {
            self.work.insert(WorkItem::Source(key));
        }
    }

    /// A Secret there is gone. It is read once more rather than believed, as the watch may be behind.
    pub fn lost_source(&mut self, namespace: &Arc<str>, name: Arc<str>) {
        let key: SourceKey = (Arc::clone(namespace), name);
        if self.grants.organizations_using(&key).next().is_some() {
            self.work.insert(WorkItem::Source(key));
        }
    }
}

/// What differs when more than the status has changed.
fn spec_state(metadata: &ObjectMeta) -> (Option<String>, Option<i64>, Option<BTreeMap<String, String>>) {
    (metadata.uid.clone(), metadata.generation, metadata.annotations.clone())
}

fn namespace_of(metadata: &ObjectMeta) -> Arc<str> {
    metadata.namespace.as_deref().unwrap_or_default().into()
}
