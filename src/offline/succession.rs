//! Objects as what comes after others: what is in the cluster by then counts for them, as it would had these been applied
//! over the others at a moment.

use super::{Inventory, When, zone_of};
use crate::{
    api::EntitlementDefinitionSpec,
    core::{
        age::created,
        calendar::Instant,
        grant::{Grant, GrantId},
    },
    evaluation::{
        catalogue::{Present, Revision, Source, revision_name},
        evaluate,
    },
};
use std::sync::Arc;

/// The UID of objects that are made later than all others of the moment. It goes behind those of files, which have none.
const NEWCOMER: &str = "~";

impl Inventory {
    /// Lets these objects come after `old`: grants that were there go by the records that `old` leaves at that moment, what
    /// was valid in its catalogue is kept as revisions, and what was not there is younger than what was.
    pub fn follow(&mut self, old: &Self, when: impl Into<When>) {
        let when = when.into();
        let catalogue = old.catalogue();
        for snapshot in old.snapshots(&catalogue) {
            let now = when.first(zone_of(snapshot.organization.as_deref()));
            for (grant, outcome) in snapshot.grants.iter().zip(evaluate(&snapshot, now).grants) {
                if let Some(own) = self.grants.get_mut(&grant.id) {
                    *own = Arc::new(Grant::clone(own).remembering(&outcome.status));
                }
            }
        }
        for (name, revisions) in &old.revisions {
            self.revisions.entry(Arc::clone(name)).or_default().extend(revisions.clone());
        }
        for (name, _) in catalogue.iter().filter(|(_, entry)| entry.present == Present::Valid) {
            let Some(definition) = old.definitions.get(name) else { continue };
            if let Some(source) = old.source(&definition.spec) {
                self.keep(name, &source, created(&definition.metadata));
            }
        }
        self.date_newcomers(old);
    }

    /// Keeps a source of a definition as its newest revision.
    fn keep(&mut self, name: &Arc<str>, source: &Source, made: Option<Instant>) {
        let Ok(data) = serde_json::to_value(source) else { return };
        let newest =
            self.revisions.get(name).and_then(|kept| kept.last_key_value()).map_or(0, |((number, _), _)| *number);
        self.add_revision(Revision {
            name: revision_name(name, &source.hash()).into(),
            definition: Arc::clone(name),
            number: newest.saturating_add(1),
            data,
            made,
        });
    }

    fn source(&self, spec: &EntitlementDefinitionSpec) -> Option<Source> {
        let schema_of = |facet: &str| self.facets.get(facet).map(|facet| facet.spec.schema.clone());
        Source::gather(spec, schema_of).ok()
    }

    fn date_newcomers(&mut self, old: &Self) {
        let is_new = |id: &GrantId| !old.grants.contains_key(id);
        for (_, grant) in self.grants.iter_mut().filter(|(id, grant)| is_new(id) && grant.age.uid.is_empty()) {
            Arc::make_mut(grant).age.uid = NEWCOMER.into();
        }
        for (name, organization) in &mut self.organizations {
            if !old.organizations.contains_key(name) {
                Arc::make_mut(organization).metadata.uid.get_or_insert_with(|| NEWCOMER.to_owned());
            }
        }
    }
}
