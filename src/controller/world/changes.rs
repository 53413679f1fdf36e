//! Who cares about a change: what becomes work, found through indexes.

use super::{
    World,
    catalogue::Serving,
    grants::{Grants, SourceChange},
    kept::BarredSources,
    tenancy::OrganizationChange,
};
use crate::{
    controller::work::WorkItem,
    core::{authority::ApiAuthority, source::SourceId},
    evaluation::{
        SecretName,
        catalogue::{CatalogueId, CatalogueKind},
    },
};
use std::{collections::BTreeSet, sync::Arc};

impl World {
    pub(super) fn touch_organization(&mut self, name: &Arc<str>) {
        self.work.insert(WorkItem::Organization(Arc::clone(name)));
    }

    pub(super) fn touch_organizations(&mut self, names: impl IntoIterator<Item = Arc<str>>) {
        self.work.extend(names.into_iter().map(WorkItem::Organization));
    }

    pub(super) fn touch_definition(&mut self, name: &Arc<str>) {
        self.work.insert(WorkItem::Definition(Arc::clone(name)));
    }

    pub(super) fn touch_catalogue(&mut self, object: &CatalogueId) {
        match object.kind {
            CatalogueKind::Definition => self.touch_definition(&object.name),
            CatalogueKind::Plan => self.touch_plan(&object.name),
            #[cfg(test)]
            CatalogueKind::Dummy => {}
        }
    }

    /// All who may see a namespace otherwise now: those that list it, and those with grants in it.
    pub(super) fn touch_namespace(&mut self, namespace: &str) {
        let names: Vec<_> =
            self.tenancy.claimants(namespace).chain(self.grants.organizations_in(namespace)).cloned().collect();
        self.touch_organizations(names);
        self.touch_reports_in(namespace);
    }

    /// Something has changed that is worth a write, but not one for each grant or organization that comes.
    pub(super) fn touch_gently(&mut self, item: WorkItem) {
        self.unsettled.push(item.clone());
        self.work.insert(item);
    }

    pub(super) fn changed_serving(&mut self, name: &Arc<str>, serving: &Serving) {
        if serving.changes_grants {
            let subscribers = self.catalogue.plans.giving(name).flat_map(|plan| self.grants.subscribers(plan));
            let subscribers = subscribers.map(|(organization, _)| organization);
            let names: BTreeSet<_> = self.grants.organizations_with(name).chain(subscribers).cloned().collect();
            if let Some(before) = &serving.replaced {
                for organization in &names {
                    self.edits.add(organization, name, before);
                }
            }
            self.touch_organizations(names);
            self.barred.extend(self.grants.barred_with(name).cloned());
            let plans = self.catalogue.plans.outdate_givers(name);
            self.touch_plans(plans);
            self.touch_reports_of(name);
        }
        if serving.changes_offers {
            let names: Vec<_> = self.tenancy.with_all_flags().cloned().collect();
            for name in names {
                self.touch_gently(WorkItem::Organization(name));
            }
        }
    }

    /// Another authority is to be told, by all whose summaries say so. That comes once in years, or when the operator starts.
    pub fn learn_authority(&mut self, authority: ApiAuthority) {
        if self.authority == authority {
            return;
        }
        self.authority = authority;
        let asks = |name: &&Arc<str>| self.tenancy.get(name).is_some_and(|organization| organization.spec.summary.ca);
        let names: Vec<_> = self.tenancy.organizations().filter(asks).cloned().collect();
        for name in names {
            self.touch_gently(WorkItem::Organization(name));
        }
    }

    pub(super) fn touch_users(&mut self, source: &SecretName) {
        let names: Vec<_> = self.grants.organizations_using(source).cloned().collect();
        self.touch_organizations(names);
    }

    /// Changes sources of one namespace, and touches everyone who cares but the sources' own organizations.
    pub(super) fn change_grants(
        &mut self,
        namespace: &Arc<str>,
        change: impl FnOnce(&mut Grants) -> Option<SourceChange>,
    ) -> Option<SourceChange> {
        let held_before = self.grants.holder(namespace);
        let change = change(&mut self.grants)?;
        self.changed_holder(namespace, held_before.as_ref());
        for name in &change.definitions {
            self.touch_gently(WorkItem::Definition(Arc::clone(name)));
        }
        for name in &change.plans {
            self.touch_gently(WorkItem::Plan(Arc::clone(name)));
        }
        self.touch_facets_of(&change.invalid);
        self.changed_secrets(&change.secrets);
        Some(change)
    }

    /// The oldest grant of a namespace may be another than before.
    pub(super) fn changed_holder(&mut self, namespace: &Arc<str>, before: Option<&SourceId>) {
        let now = self.grants.holder(namespace);
        if now.is_some() != before.is_some() {
            self.touch_namespace(namespace);
        } else if now.as_ref() != before {
            // Who lists a namespace of grants is told which grant stands in the way.
            self.touch_organizations(self.tenancy.claimants(namespace).cloned().collect::<Vec<_>>());
        }
    }

    /// Marks the facet definitions of these definitions: other grants may state something invalid now.
    pub(super) fn touch_facets_of(&mut self, definitions: &BTreeSet<Arc<str>>) {
        let facets: BTreeSet<_> = definitions.iter().flat_map(|name| self.catalogue.facets_of(name)).collect();
        for facet in facets {
            self.touch_gently(WorkItem::Facet(facet));
        }
    }

    pub(super) fn changed_secrets(&mut self, secrets: &BTreeSet<SecretName>) {
        self.source_namespaces_changed |= !secrets.is_empty();
        self.changed_source_namespaces.extend(secrets.iter().map(|(namespace, _)| Arc::clone(namespace)));
        self.work.extend(secrets.iter().cloned().map(WorkItem::Source));
    }

    /// Grants have come, gone or changed: their organizations have to be evaluated.
    pub(super) fn changed_grants(&mut self, change: SourceChange) {
        for name in change.organizations {
            self.touch_gently(WorkItem::Organization(name));
        }
        self.counting.extend(change.counting);
        self.barred.extend(change.barred);
    }

    pub(super) fn changed_organization(&mut self, change: &OrganizationChange) {
        self.touch_gently(WorkItem::Organization(Arc::clone(&change.name)));
        for namespace in &change.namespaces {
            self.touch_namespace(namespace);
        }
        if change.assignable_from_changed {
            let secrets = self.grants.of_organization(&change.name).flat_map(|held| held.source.secrets()).collect();
            self.changed_secrets(&secrets);
            self.changed_assignment(&change.name);
        }
        if change.reporting_changed {
            self.changed_reporting(&change.name);
        }
    }

    /// An organization lets itself be named from other namespaces than before. What it does not allow any more is kept no
    /// longer as a whole; what it allows now is read again.
    fn changed_assignment(&mut self, organization: &Arc<str>) {
        let held = self.grants.of_organization(organization).map(|held| held.source.id());
        let disallowed: Vec<_> = held.filter(|id| !self.tenancy.may_assign(organization, &id.namespace)).collect();
        for id in disallowed {
            let change = self.change_grants(&id.namespace, |grants| grants.bar(&id));
            self.changed_grants(change.unwrap_or_default());
        }
        let (allowed, barred): (Vec<_>, Vec<_>) = self
            .grants
            .barred(organization)
            .into_iter()
            .flat_map(BarredSources::iter)
            .cloned()
            .partition(|id| self.tenancy.may_assign(organization, &id.namespace));
        self.work.extend(allowed.into_iter().map(WorkItem::GrantSource));
        self.barred.extend(barred);
    }
}
