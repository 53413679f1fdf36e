//! What is kept of a source of grants.

use super::{
    agenda::AgendaEntry,
    kinds::WatchedKind,
    store::{Identity, Reading},
};
use crate::{
    api::{
        Phase,
        lifecycle::{SourceStatus, State},
    },
    controller::guarded::Guarded,
    core::{
        acceptance::Acceptance,
        age::SourceAge,
        facets,
        grant::{Grant, Remembered},
        source::{
            SourceId, SourceKind,
            stated::StatedSource,
            subscription::{AgreedEntry, Subscription},
        },
    },
    evaluation::{
        SecretName, decided::DecidedSource, decision::Decision, holding::is_held, moments::Moments, plan::Fingerprint,
        status::Statuses,
    },
};
use k8s_openapi::NamespaceResourceScope;
use kube::Resource;
use serde::de::DeserializeOwned;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    sync::Arc,
};

/// Facets of which what is stated is not valid, by definition.
pub type InvalidFacets = BTreeMap<Arc<str>, BTreeSet<Arc<str>>>;

/// Revisions that were agreed, by plan.
pub type Pins = BTreeMap<Arc<str>, Arc<str>>;

static NO_PINS: Pins = Pins::new();

/// A kind of objects that grants come from.
pub trait SourceObject:
    WatchedKind<Object = Guarded<Self>, State = Reading<SourceId, WholeSource>>
    + Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + Sync
{
    /// Which kind of source.
    const KIND: SourceKind;
    /// What the operator says of one.
    type Status: SourceStatus;

    /// What it says, as a source.
    fn source(&self) -> GrantSource;

    /// What was said of it.
    fn said(&self) -> Option<&Self::Status>;

    /// The facets for which it states something invalid, while it is held.
    fn invalid(&self) -> InvalidFacets;

    /// Those that a decision is about, each with what is to be said of it, where anything can be.
    fn told<'a>(decision: &'a Decision, statuses: &'a Statuses) -> Vec<(DecidedSource<'a>, &'a Self::Status)>;
}

/// A source of grants, as it was read.
#[derive(Clone, Debug)]
pub enum GrantSource {
    /// An instance, which is one grant.
    Instance(Arc<Grant>),
    /// A subscription.
    Subscription(Arc<Subscription>),
    /// An override, which is one grant.
    Override(Arc<Grant>),
}

/// What is kept of a source.
#[derive(Clone, Debug)]
pub enum KeptSource {
    /// All that an evaluation reads.
    Whole(WholeSource),
    /// Only its existence.
    Barred(BarredSource),
}

/// A source whose organization lets it be named from its namespace.
#[derive(Clone, Debug)]
pub struct WholeSource {
    /// What it says.
    pub source: GrantSource,
    /// The fingerprint of its status; None if it has none.
    pub status: Option<Fingerprint>,
    /// The moments that its status tells, where these are still asked for.
    pub moments: Option<Moments>,
    /// In state Active, and its status has a record of acceptance.
    is_accepted: bool,
    /// The facets for which it states something invalid, while it is held.
    invalid: InvalidFacets,
    /// What its status tells of its life.
    pub agenda: AgendaEntry,
}

/// A source whose organization does not let it be named from its namespace, or does not exist. Whoever may make sources anywhere
/// can make many and large ones, so nothing of what it says is kept; it is read again when that is needed.
#[derive(Clone, Debug)]
pub struct BarredSource {
    kind: SourceKind,
    organization: Arc<str>,
    /// The definition of an instance or an override, the plan of a subscription.
    subject: Arc<str>,
    state: State,
    generation: i64,
    /// The age of a source in state Active whose status has a record of acceptance.
    accepted: Option<Box<SourceAge>>,
    /// By plan: the revision that was agreed. Should the source be allowed again, it is as it was.
    pins: Pins,
    agenda: AgendaEntry,
}

impl GrantSource {
    /// What it states of its own lifecycle.
    pub fn stated(&self) -> &StatedSource {
        match self {
            Self::Instance(grant) | Self::Override(grant) => &grant.source,
            Self::Subscription(subscription) => &subscription.source,
        }
    }

    /// Which source it is.
    pub fn id(&self) -> SourceId {
        match self {
            Self::Instance(grant) | Self::Override(grant) => grant.id.source.clone(),
            Self::Subscription(subscription) => subscription.id(),
        }
    }

    /// The grant, if it is an instance or an override.
    pub fn grant(&self) -> Option<&Arc<Grant>> {
        match self {
            Self::Instance(grant) | Self::Override(grant) => Some(grant),
            Self::Subscription(_) => None,
        }
    }

    /// The subscription, if it is one.
    pub fn subscription(&self) -> Option<&Arc<Subscription>> {
        match self {
            Self::Instance(_) | Self::Override(_) => None,
            Self::Subscription(subscription) => Some(subscription),
        }
    }

    /// What its status remembers.
    pub fn remembered(&self) -> &Remembered {
        match self {
            Self::Instance(grant) | Self::Override(grant) => &grant.remembered,
            Self::Subscription(subscription) => &subscription.remembered,
        }
    }

    /// The definition of an instance or an override, the plan of a subscription.
    pub fn subject(&self) -> &Arc<str> {
        match self {
            Self::Instance(grant) | Self::Override(grant) => &grant.id.definition,
            Self::Subscription(subscription) => &subscription.plan,
        }
    }

    /// The definitions that it names, each with whether it gives it by itself, now or then. Those that its plans give are not among
    /// them.
    pub fn definitions(&self) -> BTreeMap<&Arc<str>, bool> {
        match self {
            Self::Instance(grant) | Self::Override(grant) => BTreeMap::from([(&grant.id.definition, true)]),
            Self::Subscription(subscription) => {
                let mut all: BTreeMap<_, _> = subscription.definitions().map(|name| (name, false)).collect();
                let added = subscription.add.iter().map(|entry| &entry.definition);
                let recorded = subscription.agreed.entries.values().filter_map(|entry| match entry {
                    AgreedEntry::Addition(addition) => Some(&addition.definition),
                    AgreedEntry::AddOn(_) => None,
                });
                let remembered = subscription.rights.iter().filter(|(_, right)| !right.removed);
                let given = added.chain(recorded).chain(remembered.map(|(definition, _)| definition));
                all.extend(given.map(|name| (name, true)));
                all
            }
        }
    }

    /// The plans that it names.
    pub fn plans(&self) -> BTreeSet<&Arc<str>> {
        self.subscription().into_iter().flat_map(|subscription| subscription.plans()).collect()
    }

    /// By plan: the revision that was agreed.
    pub fn pins(&self) -> &Pins {
        self.subscription().map_or(&NO_PINS, |subscription| &subscription.agreed.plans)
    }

    /// The Secrets that it takes values from.
    pub fn secrets(&self) -> Vec<SecretName> {
        match self {
            Self::Instance(grant) | Self::Override(grant) => facets::sources(grant).collect(),
            Self::Subscription(subscription) => subscription.sources().collect(),
        }
    }

    /// Whether it is in force or to be, as far as its status says so already.
    pub fn is_live(&self) -> bool {
        is_live(self.remembered(), self.stated().state)
    }
}

impl KeptSource {
    /// As a whole where its organization lets it be named, or else that it is there.
    pub fn of(source: WholeSource, is_allowed: bool) -> Self {
        let whole = Self::Whole(source);
        if is_allowed { whole } else { whole.barred() }
    }

    /// What is left of it when its organization lets it be named no more.
    pub fn barred(&self) -> Self {
        let Self::Whole(held) = self else { return self.clone() };
        let stated = held.source.stated();
        Self::Barred(BarredSource {
            kind: stated.age.kind,
            organization: Arc::clone(&stated.organization),
            subject: Arc::clone(held.source.subject()),
            state: stated.state,
            generation: stated.generation,
            accepted: held.is_accepted.then(|| Box::new(stated.age.clone())),
            pins: held.source.pins().clone(),
            agenda: held.agenda,
        })
    }

    /// What its status tells of its life.
    pub fn agenda(&self) -> AgendaEntry {
        match self {
            Self::Whole(held) => held.agenda,
            Self::Barred(barred) => barred.agenda,
        }
    }

    /// Where it is whole.
    pub fn whole(&self) -> Option<&WholeSource> {
        match self {
            Self::Whole(held) => Some(held),
            Self::Barred(_) => None,
        }
    }

    /// Its kind.
    pub fn kind(&self) -> SourceKind {
        match self {
            Self::Whole(held) => held.source.stated().age.kind,
            Self::Barred(barred) => barred.kind,
        }
    }

    /// The organization's name.
    pub fn organization(&self) -> &Arc<str> {
        match self {
            Self::Whole(held) => &held.source.stated().organization,
            Self::Barred(barred) => &barred.organization,
        }
    }

    /// The definition of an instance or an override, the plan of a subscription.
    pub fn subject(&self) -> &Arc<str> {
        match self {
            Self::Whole(held) => held.source.subject(),
            Self::Barred(barred) => &barred.subject,
        }
    }

    /// Its generation.
    pub fn generation(&self) -> i64 {
        match self {
            Self::Whole(held) => held.source.stated().generation,
            Self::Barred(barred) => barred.generation,
        }
    }

    /// How old it is, where it was accepted and is in state Active.
    pub fn accepted(&self) -> Option<&SourceAge> {
        match self {
            Self::Whole(held) => held.is_accepted.then(|| &held.source.stated().age),
            Self::Barred(barred) => barred.accepted.as_deref(),
        }
    }

    /// By plan: the revision that was agreed.
    pub fn pins(&self) -> &Pins {
        match self {
            Self::Whole(held) => held.source.pins(),
            Self::Barred(barred) => &barred.pins,
        }
    }

    /// The phase of one that is barred.
    pub fn phase_barred(&self) -> Option<Phase> {
        let Self::Barred(barred) = self else { return None };
        Some(match barred.state {
            State::Draft => Phase::Draft,
            State::Active => Phase::Rejected,
            State::Cancelled => Phase::Cancelled,
        })
    }

    /// The facets for which it states something invalid, while it is held.
    pub fn invalid(&self) -> Option<&InvalidFacets> {
        self.whole().map(|held| &held.invalid)
    }

    /// The Secrets that it takes values from.
    pub fn secrets(&self) -> Vec<SecretName> {
        self.whole().map(|held| held.source.secrets()).unwrap_or_default()
    }
}

impl WholeSource {
    /// Reads a source.
    pub fn read<K: SourceObject>(object: &K) -> Reading<SourceId, Self> {
        let source = object.source();
        let metadata = object.meta();
        let version = Identity::version_of(metadata.resource_version.as_deref());
        let stated = source.stated();
        let said = object.said().map(SourceStatus::lifecycle);
        let value = Self {
            status: object.said().and_then(Fingerprint::of_json),
            moments: said.and_then(|said| Moments::read(metadata.generation, said)),
            is_accepted: stated.state == State::Active && said.is_some_and(|said| said.is_accepted),
            invalid: object.invalid(),
            agenda: said.map(AgendaEntry::of).unwrap_or_default(),
            source,
        };
        let stated = value.source.stated();
        let identity = Identity { uid: Arc::clone(&stated.age.uid), version };
        Reading { key: value.source.id(), identity, value }
    }

    /// Has it share the record of its acceptance with what was decided, which its status tells.
    pub fn share_record(&mut self, decided: Option<&Arc<Acceptance>>) {
        let accepted = match &mut self.source {
            GrantSource::Instance(grant) | GrantSource::Override(grant) if grant.accepted.as_ref() == decided => {
                &mut Arc::make_mut(grant).accepted
            }
            GrantSource::Subscription(subscription) if subscription.accepted.as_ref() == decided => {
                &mut Arc::make_mut(subscription).accepted
            }
            _ => return,
        };
        *accepted = decided.cloned();
    }

    /// Whether its status says so.
    pub fn is_in_force(&self) -> bool {
        self.agenda.phase().is_some_and(Phase::is_in_force)
    }
}

/// Whether a source in that state is in force or to be, as far as its status says so already.
pub fn is_live(remembered: &Remembered, state: State) -> bool {
    remembered.phase.map_or(state == State::Active, is_held)
}

/// The sources that name one organization from where they may not.
#[derive(Debug, Default)]
pub struct BarredSources {
    ids: BTreeSet<SourceId>,
    /// How many there are of each kind in each phase.
    pub phases: BTreeMap<(SourceKind, Phase), u64>,
}

impl BarredSources {
    /// One more.
    pub fn add(&mut self, id: &SourceId, phase: Phase) {
        self.ids.insert(id.clone());
        *self.phases.entry((id.kind, phase)).or_default() += 1;
    }

    /// One less. True if none is left.
    pub fn remove(&mut self, id: &SourceId, phase: Phase) -> bool {
        self.ids.remove(id);
        if let Some(count) = self.phases.get_mut(&(id.kind, phase)) {
            *count = count.saturating_sub(1);
        }
        self.phases.retain(|_, count| *count > 0);
        self.ids.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &SourceId> {
        self.ids.iter()
    }

    /// Whether there is one in a namespace.
    pub fn is_any_within(&self, namespace: &str) -> bool {
        SourceKind::ALL.iter().any(|kind| {
            let mut from = self.ids.range(SourceId::new(*kind, namespace, "")..);
            from.next().is_some_and(|id| id.kind == *kind && &*id.namespace == namespace)
        })
    }
}
