//! Objects that come after others. What the cluster has by then counts for them, as if you had applied them over the others at a
//! moment.

use super::{Inventory, When, inventory::Named, zone_of};
use crate::{
    core::{
        calendar::Instant,
        grant::Grant,
        plan::Plan,
        source::{
            SourceId,
            subscription::{Agreed, Subscription},
        },
    },
    evaluation::{
        catalogue::{
            CatalogueEntry, CatalogueId, CatalogueKind, Catalogued, CompiledDefinition, KeepAction, KeptForm, Present,
            Revision,
        },
        decision::decide,
    },
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::sync::Arc;

/// The UID of objects that are made later than all others of the moment. It goes behind those of files, which have none.
const NEWCOMER: &str = "~";

impl Inventory {
    /// Lets these objects come after `old`: grants that were there go by the records that `old` leaves at that moment, what
    /// was valid in its catalogue is kept as revisions, and what was not there is younger than what was.
    pub fn follow(&mut self, old: &Self, when: impl Into<When>) {
        let when = when.into();
        self.inherit(old);
        let catalogue = old.catalogue();
        let mut subscribed = Vec::new();
        for snapshot in old.snapshots(&catalogue) {
            let now = when.first(zone_of(snapshot.organization.as_deref()));
            let decision = decide(&snapshot, now);
            subscribed.extend(decision.subscriptions.iter().map(|decided| decided.remembering()));
            for (_, member) in decision.grants() {
                if let Some(own) = self.grants.get_mut(&member.grant.id.source) {
                    *own = Arc::new(Grant::clone(own).succeeding(&member.remembering()));
                }
            }
        }
        for revision in old.revisions.iter() {
            self.revisions.insert(Arc::clone(revision));
        }
        for (name, entry) in catalogue.iter().filter(|(_, entry)| entry.present == Present::Valid) {
            let Some(state) = old.present(name).ok().filter(|state| self.present(name).as_ref().ok() != Some(state))
            else {
                continue;
            };
            // It tells no more of the time before than was known of that.
            let object = CatalogueKind::Definition.named(name);
            self.keep::<CompiledDefinition>(&object, &state, entry.history.since);
        }
        self.follow_plans(old, &catalogue);
        for before in subscribed {
            let Some(own) = self.subscriptions.get(&before.id()).cloned() else { continue };
            let before = self.with_revisions(before, old);
            self.subscriptions.insert(before.id(), Arc::new(Subscription::clone(&own).succeeding(&before)));
        }
        self.date_newcomers(old);
    }

    /// What the API server has given an object stays when the object is edited.
    fn inherit(&mut self, old: &Self) {
        for (name, organization) in &mut self.organizations {
            if let Some(old) = old.organizations.get(name) {
                let is_edited = organization.spec != old.spec;
                inherit(&mut Arc::make_mut(organization).metadata, &old.metadata, is_edited);
            }
        }
        for (name, definition) in &mut self.definitions {
            if let Some(old) = old.definitions.get(name) {
                let is_edited = definition.spec != old.spec;
                inherit(&mut Arc::make_mut(definition).metadata, &old.metadata, is_edited);
            }
        }
        for (name, plan) in &mut self.plans {
            if let Some(old) = old.plans.get(name) {
                let is_edited = plan.spec != old.spec;
                inherit(&mut Arc::make_mut(plan).metadata, &old.metadata, is_edited);
            }
        }
        for (id, subscription) in &mut self.subscriptions {
            let before = old.subscriptions.get(id).filter(|old| is_same(&subscription.age.uid, &old.age.uid));
            let Some(before) = before else { continue };
            let mut own = Subscription::clone(subscription).created_at(before.created);
            own.age.uid = Arc::clone(&before.age.uid);
            *subscription = Arc::new(own);
            if old.undated.contains(id) {
                self.undated.insert(id.clone());
            } else {
                self.undated.remove(id);
            }
        }
        for (id, grant) in &mut self.grants {
            let before = old.grants.get(id).filter(|old| is_same(&grant.age.uid, &old.age.uid));
            let Some(before) = before else { continue };
            let mut own = Grant::clone(grant).created_at(before.created);
            own.age.uid = Arc::clone(&before.age.uid);
            *grant = Arc::new(own);
            if old.undated.contains(id) {
                self.undated.insert(id.clone());
            } else {
                self.undated.remove(id);
            }
        }
    }

    /// What was valid of the plans is what was agreed by them.
    fn follow_plans(&mut self, old: &Self, definitions: &Named<CatalogueEntry>) {
        for name in old.plans.keys() {
            let Ok(state) = old.present_plan(name, definitions) else { continue };
            self.keep::<Plan>(&CatalogueKind::Plan.named(name), &state, None);
        }
    }

    /// The plans that a subscription has taken, by the revisions that are kept of them by now: files tell of none.
    fn with_revisions(&self, mut before: Subscription, old: &Self) -> Subscription {
        let knows_revisions = old.revisions.iter().next().is_some();
        let mut agreed = Agreed::clone(&before.agreed);
        for plan in &agreed.seen {
            if knows_revisions && agreed.plans.contains_key(plan) {
                continue;
            }
            if let Some(newest) = self.revisions.of(&CatalogueKind::Plan.named(plan)).last() {
                agreed.plans.insert(Arc::clone(plan), Arc::clone(&newest.name));
            }
        }
        before.agreed = Arc::new(agreed);
        before
    }

    /// Keeps a state of an object of the catalogue as its newest revision.
    fn keep<C: Catalogued>(&mut self, object: &CatalogueId, state: &C::State, made: Option<Instant>) {
        let revisions = self.revisions.of(object);
        match KeepAction::of(object, &revisions, KeptForm::of::<C>(state)) {
            KeepAction::Kept => {}
            KeepAction::Create(revision) => self.add_revision(Revision { made, ..revision }),
            // One that serves again becomes the newest, and stays as old as it is.
            KeepAction::Promote(before, revision)
            | KeepAction::Annotate(before, revision)
            | KeepAction::Replace(before, revision) => {
                self.revisions.remove(&before);
                self.add_revision(Revision { made: before.made, ..revision });
            }
        }
    }

    fn date_newcomers(&mut self, old: &Self) {
        let is_new = |id: &SourceId| !old.grants.contains_key(id);
        for (_, grant) in self.grants.iter_mut().filter(|(id, grant)| is_new(id) && grant.age.uid.is_empty()) {
            Arc::make_mut(grant).age.uid = NEWCOMER.into();
        }
        let is_new = |id: &SourceId| !old.subscriptions.contains_key(id);
        let subscriptions = self.subscriptions.iter_mut().filter(|(id, one)| is_new(id) && one.age.uid.is_empty());
        for (_, subscription) in subscriptions {
            Arc::make_mut(subscription).age.uid = NEWCOMER.into();
        }
        for (name, organization) in &mut self.organizations {
            if !old.organizations.contains_key(name) {
                Arc::make_mut(organization).metadata.uid.get_or_insert_with(|| NEWCOMER.to_owned());
            }
        }
    }
}

/// A file names no UID, and means what is there.
fn is_same(uid: &str, old: &str) -> bool {
    uid.is_empty() || uid == old
}

fn inherit(metadata: &mut ObjectMeta, old: &ObjectMeta, is_edited: bool) {
    if !is_same(metadata.uid.as_deref().unwrap_or_default(), old.uid.as_deref().unwrap_or_default()) {
        return;
    }
    let edited = old.generation.map(|generation| generation.saturating_add(i64::from(is_edited)));
    metadata.generation = edited.map(|edited| metadata.generation.map_or(edited, |generation| generation.max(edited)));
    metadata.uid.clone_from(&old.uid);
    metadata.creation_timestamp.clone_from(&old.creation_timestamp);
}
