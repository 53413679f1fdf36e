//! What the answers to the operator's own requests tell. It knows at once what it has written, deleted, and read, so no echo of
//! the watches makes it work again.

use super::{
    World,
    grants::SourceChange,
    kept::{SourceObject, WholeSource},
    kinds::News,
    store::Reading,
};
use crate::{
    api::{EntitlementDefinition, FacetDefinition, Organization},
    core::source::SourceId,
    evaluation::{catalogue::Revision, object::ObjectKey, plan::Observed},
};
use std::sync::Arc;
use tokio::time::Instant;

impl World {
    /// The answer to a write of the status of a source of grants.
    pub fn wrote_source(&mut self, source: Reading<SourceId, WholeSource>) {
        let id = source.key.clone();
        self.hear_answer(&id, |world| {
            let before = world.grants.spec_state(&id);
            let Some(change) = world.put_source(source) else { return };
            // Its own status is no reason to evaluate an organization again; a spec that came along with the answer is.
            if before == world.grants.spec_state(&id) {
                world.counting.extend(change.counting);
            } else {
                world.changed_grants(change);
            }
        });
    }

    /// Takes in what an answer says of a source. It may be late: one that is known no more has gone since, and a list that is under
    /// way names those that are there.
    fn hear_answer(&mut self, id: &SourceId, take_in: impl FnOnce(&mut Self)) {
        if !self.grants.has(id) {
            return;
        }
        let lists = self.grants.suspend_lists(id.kind);
        take_in(self);
        self.grants.resume_lists(id.kind, lists);
    }

    /// A source was read again, which had this UID before; None if there is none. Of another that has come meanwhile, that says
    /// nothing.
    pub fn fetched_source<K: SourceObject>(
        &mut self,
        id: &SourceId,
        uid: Option<&Arc<str>>,
        news: Option<News<Reading<SourceId, WholeSource>>>,
    ) {
        if let Some(news) = news {
            self.hear_answer(id, |world| K::observe(world, news));
            return;
        }
        let Some(uid) = uid else { return };
        let change = self.change_grants(&id.namespace, |grants| grants.forget(id, uid));
        self.changed_grants(change.unwrap_or_default());
    }

    /// A source can't be read again, and why. It is there, but nothing is known of it.
    pub fn source_is_unreadable(&mut self, id: &SourceId, why: &str) {
        let Some(metadata) = self.grants.metadata(id) else { return };
        let change =
            self.change_grants(&id.namespace, |grants| grants.put_unreadable(id.kind, &metadata, why.to_owned()));
        self.changed_grants(change.unwrap_or_default());
    }

    /// Takes in a state of a source, and touches everyone who cares but its own organization.
    pub(super) fn put_source(&mut self, source: Reading<SourceId, WholeSource>) -> Option<SourceChange> {
        let namespace = Arc::clone(&source.key.namespace);
        let is_allowed = self.tenancy.may_assign(&source.value.source.stated().organization, &namespace);
        self.change_grants(&namespace, |grants| grants.put(source, is_allowed))
    }

    /// The answer to a write of an organization's status, which had those namespaces.
    pub fn wrote_organization(
        &mut self,
        organization: Reading<Arc<str>, Arc<Organization>>,
        namespaces: Option<&[String]>,
    ) {
        // One that is known no more has gone since.
        let Some(known) = self.tenancy.get(&organization.key) else { return };
        let metadata = &organization.value.metadata;
        let is_news = metadata.generation != known.metadata.generation;
        if let Some(namespaces) = namespaces {
            self.tenancy.remember(metadata, namespaces);
        }
        if let Some(change) = self.tenancy.put(organization)
            && is_news
        {
            self.changed_organization(&change);
        }
    }

    /// The answer to a write of a definition's status.
    pub fn wrote_definition(&mut self, definition: Reading<Arc<str>, Arc<EntitlementDefinition>>) {
        let name = Arc::clone(&definition.key);
        if self.catalogue.definition(&name).is_none() {
            return;
        }
        if self.catalogue.put_definition(definition) == Some(true) {
            self.touch_definition(&name);
        }
    }

    /// The answer to a write of a facet definition's status.
    pub fn wrote_facet(&mut self, facet: Reading<Arc<str>, Arc<FacetDefinition>>) {
        if self.catalogue.facet(&facet.key).is_none() {
            return;
        }
        for definition in self.catalogue.put_facet(facet).unwrap_or_default() {
            self.touch_definition(&definition);
        }
    }

    /// The answer to a write of an output of the organization. What it was before others changed it, if they did.
    pub fn wrote_output(
        &mut self,
        organization: &Arc<str>,
        key: &ObjectKey,
        observed: Observed,
    ) -> Option<Arc<Observed>> {
        let (touched, was) = self.outputs.wrote(organization, key, observed, Instant::now());
        self.touch_organizations(touched.into_iter().filter(|name| name != organization));
        was
    }

    /// Whether it is to be told that the output is put back, as it was not told lately.
    pub fn tells_of_output(&mut self, key: &ObjectKey) -> bool {
        self.outputs.contention.tells(key, Instant::now())
    }

    /// The UID of a grant's source.
    pub fn uid_of(&self, id: &SourceId) -> Option<Arc<str>> {
        self.grants.uid(id)
    }

    /// The operator has deleted an output of the organization, or found that it is gone.
    pub fn output_is_gone(&mut self, organization: &Arc<str>, key: &ObjectKey, uid: &Arc<str>) {
        let touched = self.outputs.forget(organization, key, uid, Instant::now());
        self.touch_organizations(touched.into_iter().filter(|name| name != organization));
    }

    /// The object of another at a name that the organization wants, if the operator watches it: the organization is touched
    /// when it changes.
    pub fn stranger_at(&mut self, organization: &Arc<str>, key: &ObjectKey) -> Option<Arc<Observed>> {
        self.outputs.await_name(organization, key)
    }

    /// Something that the operator did not make has a name that the organization wants.
    pub fn found_foreign(&mut self, organization: &Arc<str>, key: ObjectKey) {
        self.outputs.put_foreign(organization, key, Instant::now());
    }

    /// Nothing foreign has the name any more, or it is not wanted any more.
    pub fn foreign_is_gone(&mut self, organization: &str, key: &ObjectKey) {
        self.outputs.remove_foreign(organization, key);
    }

    /// When to look again at what stands in the organization's way.
    pub fn next_look(&self, organization: &str) -> Option<Instant> {
        self.outputs.next_look(organization, Instant::now())
    }

    /// The answer to a write of a revision.
    pub fn wrote_revision(&mut self, revision: Reading<Arc<str>, Option<Arc<Revision>>>) {
        self.catalogue.put_revision(revision);
    }

    /// The operator has deleted a revision, or found that it is gone.
    pub fn revision_is_gone(&mut self, name: &Arc<str>) {
        self.catalogue.forget_revision(name);
    }
}
