//! What is found by what: each source is linked to all that it names, and unlinked before it is another.

use super::{Grants, SourceChange, of_definitions, of_plans};
use crate::{
    controller::world::{grants::naming::NamingCount, kept::KeptSource},
    core::source::{SourceId, SourceKind},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

impl Grants {
    pub(super) fn replace(
        &mut self,
        id: &SourceId,
        before: Option<&KeptSource>,
        after: Option<&KeptSource>,
    ) -> SourceChange {
        if let Some(kept) = before {
            self.unlink(id, kept);
        }
        if let Some(kept) = after {
            self.link(id, kept);
        }
        let both = || before.into_iter().chain(after);
        let secrets = |kept: Option<&KeptSource>| kept.map(KeptSource::secrets).into_iter().flatten().collect();
        let (secrets_before, secrets_after): (BTreeSet<_>, BTreeSet<_>) = (secrets(before), secrets(after));
        let phase = |kept: &KeptSource| Some((Arc::clone(kept.organization()), kept.phase_barred()?));
        let phases: BTreeSet<_> = before.and_then(phase).into_iter().collect();
        let phases_after: BTreeSet<_> = after.and_then(phase).into_iter().collect();
        let named = |kept: &KeptSource| (of_definitions(kept), of_plans(kept));
        let (named_before, named_after) = (before.map(named).unwrap_or_default(), after.map(named).unwrap_or_default());
        let invalid = |kept: Option<&KeptSource>| kept.and_then(KeptSource::invalid).cloned().unwrap_or_default();
        let invalid = differing(&invalid(before), &invalid(after), Clone::clone);
        let is_active = |count: &NamingCount| count.is_active;
        let mut definitions = differing(&named_before.0, &named_after.0, is_active);
        definitions.extend(invalid.iter().cloned());
        let mut plans = differing(&named_before.1, &named_after.1, is_active);
        let pins = |kept: Option<&KeptSource>| kept.map(KeptSource::pins).cloned().unwrap_or_default();
        plans.extend(differing(&pins(before), &pins(after), Arc::clone));
        let whole = both().filter(|kept| kept.whole().is_some());
        SourceChange {
            organizations: whole.map(|kept| Arc::clone(kept.organization())).collect(),
            counting: phases.symmetric_difference(&phases_after).map(|(name, _)| Arc::clone(name)).collect(),
            barred: after.filter(|kept| kept.whole().is_none()).map(|_| id.clone()),
            definitions,
            plans,
            invalid,
            secrets: secrets_after.symmetric_difference(&secrets_before).cloned().collect(),
        }
    }

    pub(super) fn link(&mut self, id: &SourceId, kept: &KeptSource) {
        let organization = kept.organization();
        self.agendas.entry(id.kind).or_default().add(kept.agenda());
        self.overrides.add(kept);
        if let Some(age) = kept.accepted() {
            self.holders.add(&id.namespace, age.clone());
        }
        for (plan, revision) in kept.pins() {
            count(self.pins.entry(Arc::clone(plan)).or_default(), revision);
        }
        if let Some(phase) = kept.phase_barred() {
            self.barred.entry(Arc::clone(organization)).or_default().add(id, phase);
            self.barred_by_subject(id.kind).entry(Arc::clone(kept.subject())).or_default().insert(id.clone());
            return;
        }
        self.by_organization.entry(Arc::clone(organization)).or_default().insert(id.clone());
        for (definition, count) in of_definitions(kept) {
            self.by_definition.entry(definition).or_default().add(organization, count);
        }
        for (plan, count) in of_plans(kept) {
            self.by_plan.entry(plan).or_default().add(organization, count);
        }
        count(self.by_namespace.entry(Arc::clone(&id.namespace)).or_default(), organization);
        for secret in kept.secrets() {
            count(self.by_secret.entry(secret).or_default(), organization);
        }
        for (definition, facets) in kept.invalid().into_iter().flatten() {
            self.invalid.add(definition, facets, id);
        }
    }

    fn unlink(&mut self, id: &SourceId, kept: &KeptSource) {
        let organization = kept.organization();
        self.agendas.entry(id.kind).or_default().remove(kept.agenda());
        self.overrides.remove(kept);
        if let Some(age) = kept.accepted() {
            self.holders.remove(&id.namespace, age);
        }
        for (plan, revision) in kept.pins() {
            prune(&mut self.pins, plan, |revisions| discount(revisions, revision));
        }
        if let Some(phase) = kept.phase_barred() {
            prune(&mut self.barred, organization, |ones| ones.remove(id, phase));
            remove_from(self.barred_by_subject(id.kind), kept.subject(), id);
            return;
        }
        remove_from(&mut self.by_organization, organization, id);
        for (definition, count) in of_definitions(kept) {
            prune(&mut self.by_definition, &definition, |named| named.remove(organization, count));
        }
        for (plan, count) in of_plans(kept) {
            prune(&mut self.by_plan, &plan, |named| named.remove(organization, count));
        }
        prune(&mut self.by_namespace, &id.namespace, |organizations| discount(organizations, organization));
        for secret in kept.secrets() {
            if self.by_secret.get_mut(&secret).is_some_and(|organizations| discount(organizations, organization)) {
                self.by_secret.remove(&secret);
            }
        }
        for (definition, facets) in kept.invalid().into_iter().flatten() {
            self.invalid.remove(definition, facets, id);
        }
    }

    fn barred_by_subject(&mut self, kind: SourceKind) -> &mut HashMap<Arc<str>, BTreeSet<SourceId>> {
        match kind {
            SourceKind::Subscription => &mut self.barred_to,
            SourceKind::Instance | SourceKind::Override => &mut self.barred_with,
            #[cfg(test)]
            SourceKind::Bundle => &mut self.barred_with,
        }
    }
}

/// The keys that one of the maps has and the other has not, or of whose values something else is to be told.
fn differing<V, T: PartialEq>(
    before: &BTreeMap<Arc<str>, V>,
    after: &BTreeMap<Arc<str>, V>,
    told: impl Fn(&V) -> T,
) -> BTreeSet<Arc<str>> {
    let names = before.keys().chain(after.keys());
    names.filter(|name| before.get(*name).map(&told) != after.get(*name).map(&told)).cloned().collect()
}

fn count(counts: &mut BTreeMap<Arc<str>, u64>, name: &Arc<str>) {
    *counts.entry(Arc::clone(name)).or_default() += 1;
}

/// True if nothing is left.
fn discount(counts: &mut BTreeMap<Arc<str>, u64>, name: &Arc<str>) -> bool {
    if let Some(count) = counts.get_mut(name) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(name);
        }
    }
    counts.is_empty()
}

/// Changes the entry of a key, and removes it if it is empty then.
fn prune<V>(map: &mut HashMap<Arc<str>, V>, key: &Arc<str>, change: impl FnOnce(&mut V) -> bool) {
    if map.get_mut(key).is_some_and(change) {
        map.remove(key);
    }
}

fn remove_from<V: Ord>(map: &mut HashMap<Arc<str>, BTreeSet<V>>, key: &Arc<str>, value: &V) {
    prune(map, key, |values| {
        values.remove(value);
        values.is_empty()
    });
}
