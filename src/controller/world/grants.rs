//! The sources of grants, and who has how many of what.

mod links;
mod naming;
mod requests;

use super::{
    SecretName,
    agenda::{Agenda, AgendaEntry},
    decisions::Override,
    invalid::InvalidGrantIndex,
    kept::{BarredSources, GrantSource, KeptSource, WholeSource},
    sharing::GrantSharing,
    store::{Identity, ListsUnderWay, Put, PutUnreadable, Reading, Store},
};
use crate::{
    api::{entitlement_definition::InstanceCounts, entitlement_plan::PlanSubscriptions},
    core::{
        age::SourceAge,
        namespace::Claims,
        source::{SourceId, SourceKind},
    },
};
use kube::api::ObjectMeta;
pub use naming::HoldingCounts;
use naming::{NamedBySources, of_definitions, of_plans};
pub use requests::{OverrideCounts, PhaseCounts};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// A change of one source, as far as others may care.
#[derive(Debug, Default)]
pub struct SourceChange {
    /// Organizations that it names, before and after, and that let it.
    pub organizations: BTreeSet<Arc<str>>,
    /// Organizations that it names, before and after, and that do not: those for which that has changed.
    pub counting: BTreeSet<Arc<str>>,
    /// The source, if its organization does not let it be named.
    pub barred: Option<SourceId>,
    /// Definitions whose counts have changed.
    pub definitions: BTreeSet<Arc<str>>,
    /// Plans whose counts have changed, or of which other revisions than before are agreed.
    pub plans: BTreeSet<Arc<str>>,
    /// Definitions of which a source states what is not valid, or did so before: those for which that has changed.
    pub invalid: BTreeSet<Arc<str>>,
    /// Secrets that it names now and did not before, or the other way round.
    pub secrets: BTreeSet<SecretName>,
}

/// All sources, with what is asked of them.
#[derive(Default)]
pub struct Grants {
    stores: SourceStores,
    by_organization: HashMap<Arc<str>, BTreeSet<SourceId>>,
    /// By organization: the sources that name it from a namespace from which they may not.
    barred: HashMap<Arc<str>, BarredSources>,
    /// The instances and overrides among them, by definition.
    barred_with: HashMap<Arc<str>, BTreeSet<SourceId>>,
    /// The subscriptions among them, by plan.
    barred_to: HashMap<Arc<str>, BTreeSet<SourceId>>,
    by_definition: HashMap<Arc<str>, NamedBySources>,
    by_plan: HashMap<Arc<str>, NamedBySources>,
    /// By plan: the revisions of it that were agreed, each with how many records name it.
    pins: HashMap<Arc<str>, BTreeMap<Arc<str>, u64>>,
    /// How many sources each organization has in a namespace.
    by_namespace: HashMap<Arc<str>, BTreeMap<Arc<str>, u64>>,
    by_secret: BTreeMap<SecretName, BTreeMap<Arc<str>, u64>>,
    invalid: InvalidGrantIndex,
    agendas: BTreeMap<SourceKind, Agenda>,
    overrides: OverrideCounts,
    /// The accepted sources in a namespace, the oldest first.
    holders: Claims<SourceAge>,
    /// Sources that exist but can't be read, and about which nothing else is known. Shared with all readers.
    unreadable: Arc<BTreeSet<SourceId>>,
    sharing: GrantSharing,
}

/// The objects of each kind of sources.
#[derive(Default)]
struct SourceStores {
    instances: Store<SourceId, KeptSource>,
    subscriptions: Store<SourceId, KeptSource>,
    overrides: Store<SourceId, KeptSource>,
}

impl SourceStores {
    fn of(&self, kind: SourceKind) -> &Store<SourceId, KeptSource> {
        match kind {
            SourceKind::Instance => &self.instances,
            SourceKind::Subscription => &self.subscriptions,
            SourceKind::Override => &self.overrides,
            #[cfg(test)]
            SourceKind::Bundle => &self.instances,
        }
    }

    fn of_mut(&mut self, kind: SourceKind) -> &mut Store<SourceId, KeptSource> {
        match kind {
            SourceKind::Instance => &mut self.instances,
            SourceKind::Subscription => &mut self.subscriptions,
            SourceKind::Override => &mut self.overrides,
            #[cfg(test)]
            SourceKind::Bundle => &mut self.instances,
        }
    }

    fn get(&self, id: &SourceId) -> Option<&KeptSource> {
        self.of(id.kind).get(id)
    }

    fn is_unreadable(&self, id: &SourceId) -> bool {
        self.of(id.kind).unreadable(id).is_some()
    }
}

impl Grants {
    /// A state of a source, from the watch or from an answer; None if it is not news. It is kept as a whole where its
    /// organization lets it be named from its namespace.
    pub fn put(&mut self, source: Reading<SourceId, WholeSource>, is_allowed: bool) -> Option<SourceChange> {
        let Reading { key: id, mut identity, mut value } = source;
        if is_allowed {
            let known = self.stores.get(&id).and_then(KeptSource::whole).map(|known| &known.source);
            self.sharing.share(&mut value.source, known);
        } else {
            self.sharing.share_names(&mut value.source);
        }
        let id = value.source.id();
        identity.uid = Arc::clone(&value.source.stated().age.uid);
        let barred = if is_allowed { self.evict_barred(&id, &identity) } else { None };
        let after = KeptSource::of(value, is_allowed);
        let put = self.stores.of_mut(id.kind).put(id.clone(), identity, after.clone());
        self.note_readability(&id);
        let Put::Stored(before) = put else { return None };
        Some(self.replace(&id, before.or(barred).as_ref(), Some(&after)))
    }

    /// A source that could not be read, and why. What was known of it stays; None if that changes nothing.
    pub fn put_unreadable(&mut self, kind: SourceKind, metadata: &ObjectMeta, why: String) -> Option<SourceChange> {
        let (id, identity) = (id_of(kind, metadata), Identity::of(metadata));
        let barred = self.evict_barred(&id, &identity);
        let put = self.stores.of_mut(kind).put_unreadable(&id, identity, why);
        self.note_readability(&id);
        match put {
            PutUnreadable::Unknown(before) => Some(self.replace(&id, before.or(barred).as_ref(), None)),
            PutUnreadable::Stale | PutUnreadable::Kept => None,
        }
    }

    /// Only the existence of a barred source is known, so what an event says about the same state is news.
    fn evict_barred(&mut self, id: &SourceId, identity: &Identity) -> Option<KeptSource> {
        let store = self.stores.of_mut(id.kind);
        let is_barred = store.get(id).is_some_and(|kept| kept.whole().is_none());
        let is_current = store.identity(id).is_some_and(|known| known.version <= identity.version);
        if is_barred && is_current { store.evict(id) } else { None }
    }

    /// Its organization does not let a source be named any more. None if it did not before.
    pub fn bar(&mut self, id: &SourceId) -> Option<SourceChange> {
        let store = self.stores.of_mut(id.kind);
        let before = store.get(id).filter(|kept| kept.whole().is_some())?.clone();
        let after = before.barred();
        *store.get_mut(id)? = after.clone();
        Some(self.replace(id, Some(&before), Some(&after)))
    }

    /// The API server says that a source is gone. None if another has its name already.
    pub fn forget(&mut self, id: &SourceId, uid: &Arc<str>) -> Option<SourceChange> {
        let before = self.stores.of_mut(id.kind).forget(id, uid);
        self.note_readability(id);
        let before = before?;
        Some(self.replace(id, Some(&before), None))
    }

    /// A source is gone. None if nothing was known of it but that it was there, so that it can't be told whom that concerns.
    pub fn remove(&mut self, kind: SourceKind, metadata: &ObjectMeta) -> Option<SourceChange> {
        let id = id_of(kind, metadata);
        let was_unreadable = self.stores.is_unreadable(&id);
        let before = self.stores.of_mut(kind).remove(&id, &Identity::of(metadata));
        self.note_readability(&id);
        let is_unreadable = self.stores.is_unreadable(&id);
        (was_unreadable == is_unreadable).then(|| self.replace(&id, before.as_ref(), None))
    }

    /// Whether a source of that name is there, readable or not.
    pub fn has(&self, id: &SourceId) -> bool {
        self.stores.get(id).is_some() || self.is_unreadable(id)
    }

    /// What is taken in of a kind from now on counts as named by no list, until they are resumed.
    pub fn suspend_lists(&mut self, kind: SourceKind) -> ListsUnderWay<SourceId> {
        self.stores.of_mut(kind).suspend_lists()
    }

    /// The lists go on.
    pub fn resume_lists(&mut self, kind: SourceKind, lists: ListsUnderWay<SourceId>) {
        self.stores.of_mut(kind).resume_lists(lists);
    }

    /// A list of a kind begins.
    pub fn begin_list(&mut self, kind: SourceKind) {
        self.stores.of_mut(kind).begin_list();
    }

    /// A list is complete; what is gone, and has to be lost one by one.
    pub fn finish_list(&mut self, kind: SourceKind) -> Vec<(SourceId, Option<KeptSource>)> {
        self.stores.of_mut(kind).finish_list()
    }

    /// A list of one namespace begins.
    pub fn begin_list_within(&mut self, kind: SourceKind, namespace: &Arc<str>) {
        self.stores.of_mut(kind).begin_list_within(namespace);
    }

    /// A list of one namespace is complete; those of it that are gone.
    pub fn finish_list_within(
        &mut self,
        kind: SourceKind,
        namespace: &Arc<str>,
    ) -> Vec<(SourceId, Option<KeptSource>)> {
        self.stores.of_mut(kind).finish_list_within(namespace)
    }

    /// A source is gone that a list has not named. None where nothing was known of it.
    pub fn lose(&mut self, id: &SourceId, known: Option<KeptSource>) -> Option<SourceChange> {
        self.note_readability(id);
        Some(self.replace(id, Some(&known?), None))
    }

    /// How many sources of a kind there are.
    pub fn count(&self, kind: SourceKind) -> usize {
        self.stores.of(kind).keys().count()
    }

    /// How often a source has changed, not counting its status, and its age if it is whole.
    pub fn spec_state(&self, id: &SourceId) -> Option<(i64, Option<SourceAge>)> {
        let kept = self.stores.get(id)?;
        Some((kept.generation(), kept.whole().map(|held| held.source.stated().age.clone())))
    }

    /// A source that its organization lets be named.
    pub fn source(&self, id: &SourceId) -> Option<&GrantSource> {
        Some(&self.stores.get(id)?.whole()?.source)
    }

    /// The organization of a source that it does not let be named, as far as that is known of it.
    pub fn barred_organization(&self, id: &SourceId) -> Option<&Arc<str>> {
        self.stores.get(id).filter(|kept| kept.whole().is_none()).map(KeptSource::organization)
    }

    /// Those that name an organization from where they may not.
    pub fn barred(&self, organization: &str) -> Option<&BarredSources> {
        self.barred.get(organization)
    }

    /// All of a kind that name an organization from where they may not.
    pub fn all_barred(&self, kind: SourceKind) -> impl Iterator<Item = &SourceId> {
        self.barred.values().flat_map(BarredSources::iter).filter(move |id| id.kind == kind)
    }

    /// The instances and overrides of them that are of a definition.
    pub fn barred_with(&self, definition: &str) -> impl Iterator<Item = &SourceId> {
        self.barred_with.get(definition).into_iter().flatten()
    }

    /// The subscriptions of them that are to a plan.
    pub fn barred_to(&self, plan: &str) -> impl Iterator<Item = &SourceId> {
        self.barred_to.get(plan).into_iter().flatten()
    }

    /// Which object a source is, and in which state.
    pub fn metadata(&self, id: &SourceId) -> Option<ObjectMeta> {
        let identity = self.identity(id)?;
        Some(ObjectMeta {
            namespace: Some(id.namespace.to_string()),
            name: Some(id.name.to_string()),
            uid: Some(identity.uid.to_string()),
            resource_version: Some(identity.version.to_string()),
            ..ObjectMeta::default()
        })
    }

    /// Which object a source is, in which state.
    pub fn identity(&self, id: &SourceId) -> Option<&Identity> {
        self.stores.of(id.kind).identity(id)
    }

    /// The UID of a source.
    pub fn uid(&self, id: &SourceId) -> Option<Arc<str>> {
        Some(Arc::clone(&self.identity(id)?.uid))
    }

    /// Sources that an organization lets name it, in the order of their kinds and names.
    pub fn of_organization(&self, organization: &str) -> impl Iterator<Item = &WholeSource> {
        let ids = self.by_organization.get(organization).into_iter().flatten();
        ids.filter_map(|id| self.stores.get(id)?.whole())
    }

    /// The organization that lets an override name it. Its UID says which override that is, whatever the name.
    pub fn organization_of_override(&self, one: &Override) -> Option<Arc<str>> {
        let is_it = |id: &SourceId| self.identity(id).is_some_and(|identity| identity.uid == one.uid);
        let named = SourceId::new(SourceKind::Override, &one.namespace, &one.name);
        let id = Some(&named).filter(|id| is_it(id));
        let found =
            id.or_else(|| self.stores.overrides.keys().find(|id| id.namespace == one.namespace && is_it(id)))?;
        Some(Arc::clone(self.stores.get(found)?.organization()))
    }

    /// Organizations that let sources name them.
    pub fn organizations(&self) -> impl Iterator<Item = &Arc<str>> {
        self.by_organization.keys()
    }

    /// Organizations that let sources of a kind name them.
    pub fn organizations_of(&self, kind: SourceKind) -> BTreeSet<Arc<str>> {
        let whole = self.stores.of(kind).iter().filter_map(|(_, kept)| kept.whole());
        whole.map(|held| Arc::clone(&held.source.stated().organization)).collect()
    }

    /// Organizations that have sources which name a definition, and let these name them.
    pub fn organizations_with(&self, definition: &str) -> impl Iterator<Item = &Arc<str>> {
        self.holdings(definition).map(|(organization, _)| organization)
    }

    /// The same, with how many each has.
    pub fn holdings(&self, definition: &str) -> impl Iterator<Item = (&Arc<str>, &HoldingCounts)> {
        self.by_definition.get(definition).into_iter().flat_map(|named| &named.organizations)
    }

    /// Organizations that have subscriptions which name a plan, and let these name them, with how many each has.
    pub fn subscribers(&self, plan: &str) -> impl Iterator<Item = (&Arc<str>, &HoldingCounts)> {
        self.by_plan.get(plan).into_iter().flat_map(|named| &named.organizations)
    }

    /// How many sources give a definition by themselves, and are in force, or to be.
    pub fn live(&self, definition: &str) -> usize {
        self.by_definition.get(definition).map_or(0, |named| named.live)
    }

    /// How many subscriptions that name a plan are in force, or to be.
    pub fn live_to(&self, plan: &str) -> usize {
        self.by_plan.get(plan).map_or(0, |named| named.live)
    }

    /// How many instances of a definition there are.
    pub fn counts(&self, definition: &str) -> InstanceCounts {
        let (total, active) = self.by_definition.get(definition).map_or((0, 0), |named| (named.total, named.active));
        InstanceCounts {
            total: total + self.barred_with(definition).filter(|id| id.kind == SourceKind::Instance).count() as u64,
            active,
            invalid: self.invalid.count(definition, SourceKind::Instance),
        }
    }

    /// How many subscriptions name a plan.
    pub fn plan_counts(&self, plan: &str) -> PlanSubscriptions {
        let (total, active) = self.by_plan.get(plan).map_or((0, 0), |named| (named.total, named.active));
        let barred = self.barred_to.get(plan).map_or(0, |barred| barred.len() as u64);
        PlanSubscriptions { total: total + barred, active }
    }

    /// The revisions of a plan that were agreed with subscriptions.
    pub fn pinned(&self, plan: &str) -> BTreeSet<Arc<str>> {
        self.pins.get(plan).into_iter().flat_map(BTreeMap::keys).cloned().collect()
    }

    /// Whether a source names a definition.
    pub fn is_named(&self, definition: &str) -> bool {
        self.by_definition.contains_key(definition) || self.barred_with.contains_key(definition)
    }

    /// Sources that state what is not valid.
    pub fn invalid(&self) -> &InvalidGrantIndex {
        &self.invalid
    }

    /// Organizations that have sources in a namespace.
    pub fn organizations_in(&self, namespace: &str) -> impl Iterator<Item = &Arc<str>> {
        self.by_namespace.get(namespace).into_iter().flat_map(BTreeMap::keys)
    }

    /// The oldest accepted source in state Active of a namespace.
    pub fn holder(&self, namespace: &str) -> Option<SourceId> {
        self.holders.oldest(namespace).map(SourceAge::id)
    }

    /// By namespace: the accepted sources in state Active, the oldest first.
    pub fn holders(&self) -> &Claims<SourceAge> {
        &self.holders
    }

    /// Organizations whose sources take values from a Secret.
    pub fn organizations_using(&self, secret: &SecretName) -> impl Iterator<Item = &Arc<str>> {
        self.by_secret.get(secret).into_iter().flat_map(BTreeMap::keys)
    }

    /// All Secrets that sources take values from.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretName> {
        self.by_secret.keys()
    }

    /// Those in a namespace.
    pub fn secrets_in<'a>(&'a self, namespace: &'a Arc<str>) -> impl Iterator<Item = &'a SecretName> {
        let first: SecretName = (Arc::clone(namespace), "".into());
        self.by_secret.range(first..).map(|(key, _)| key).take_while(move |(of, _)| of == namespace)
    }

    /// What the statuses of all of a kind tell of their lives.
    pub fn agenda(&self, kind: SourceKind) -> &Agenda {
        static NONE: Agenda = Agenda::new();
        self.agendas.get(&kind).unwrap_or(&NONE)
    }

    /// The same of one of them.
    pub fn agenda_of(&self, id: &SourceId) -> Option<AgendaEntry> {
        self.stores.get(id).map(KeptSource::agenda)
    }

    /// How many overrides of each definition there are in each phase, and since when they wait.
    pub fn override_counts(&self) -> &OverrideCounts {
        &self.overrides
    }

    /// Whether a source is there, but can't be read, and nothing else is known of it.
    pub fn is_unreadable(&self, id: &SourceId) -> bool {
        self.stores.is_unreadable(id)
    }

    /// Sources that exist but can't be read, and about which nothing else is known.
    pub fn unreadable(&self) -> Arc<BTreeSet<SourceId>> {
        Arc::clone(&self.unreadable)
    }

    /// Keeps that set as the stores have it, after something has become of a source.
    fn note_readability(&mut self, id: &SourceId) {
        let is_unreadable = self.is_unreadable(id);
        if is_unreadable == self.unreadable.contains(id) {
            return;
        }
        let known = Arc::make_mut(&mut self.unreadable);
        if is_unreadable {
            known.insert(id.clone());
        } else {
            known.remove(id);
        }
    }
}

fn id_of(kind: SourceKind, metadata: &ObjectMeta) -> SourceId {
    let (namespace, name) = (metadata.namespace.as_deref(), metadata.name.as_deref());
    SourceId::new(kind, namespace.unwrap_or_default(), name.unwrap_or_default())
}

#[cfg(test)]
mod tests;
