//! What is kept of an instance.

use super::{
    agenda::AgendaEntry,
    store::{Identity, Reading},
};
use crate::{
    api::{EntitlementInstance, Phase, lifecycle::State},
    core::{
        acceptance::Acceptance,
        age::SourceAge,
        facets,
        grant::Grant,
        source::{SourceId, instance},
    },
    evaluation::{SecretName, holding::is_held, moments::Moments, plan::Fingerprint, status::grants::GrantCount},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock},
};

/// What is kept of an instance.
#[derive(Clone, Debug)]
pub enum KeptInstance {
    /// All that an evaluation reads.
    Whole(WholeInstance),
    /// Only its existence.
    Barred(BarredInstance),
}

/// An instance whose organization lets it be named from its namespace.
#[derive(Clone, Debug)]
pub struct WholeInstance {
    /// The grant.
    pub grant: Arc<Grant>,
    /// The fingerprint of its status; None if it has none.
    pub status: Option<Fingerprint>,
    /// The moments that its status tells, where these are still asked for.
    pub moments: Option<Moments>,
    /// In state Active, and its status has a record of acceptance.
    is_accepted: bool,
    /// What it counts for, by its status.
    count: GrantCount,
    /// What its status tells of its life.
    pub agenda: AgendaEntry,
}

/// An instance whose organization does not let it be named from its namespace, or does not exist. Whoever may make instances
/// anywhere can make many and large ones, so nothing of what it says is kept; it is read again when that is needed.
#[derive(Clone, Debug)]
pub struct BarredInstance {
    organization: Arc<str>,
    definition: Arc<str>,
    state: State,
    generation: i64,
    /// The age of an instance in state Active whose status has a record of acceptance.
    accepted: Option<Box<SourceAge>>,
    agenda: AgendaEntry,
}

impl KeptInstance {
    /// As a whole where its organization lets it be named, or else that it is there.
    pub fn of(instance: WholeInstance, is_allowed: bool) -> Self {
        let whole = Self::Whole(instance);
        if is_allowed { whole } else { whole.barred() }
    }

    /// What is left of it when its organization lets it be named no more.
    pub fn barred(&self) -> Self {
        let Self::Whole(held) = self else { return self.clone() };
        let grant = &held.grant;
        Self::Barred(BarredInstance {
            organization: Arc::clone(&grant.organization),
            definition: Arc::clone(&grant.id.definition),
            state: grant.state,
            generation: grant.generation,
            accepted: held.is_accepted.then(|| Box::new(grant.age.clone())),
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
    pub fn whole(&self) -> Option<&WholeInstance> {
        match self {
            Self::Whole(held) => Some(held),
            Self::Barred(_) => None,
        }
    }

    /// The organization's name.
    pub fn organization(&self) -> &Arc<str> {
        match self {
            Self::Whole(held) => &held.grant.organization,
            Self::Barred(barred) => &barred.organization,
        }
    }

    /// The definition's name.
    pub fn definition(&self) -> &Arc<str> {
        match self {
            Self::Whole(held) => &held.grant.id.definition,
            Self::Barred(barred) => &barred.definition,
        }
    }

    /// The source's generation.
    pub fn generation(&self) -> i64 {
        match self {
            Self::Whole(held) => held.grant.generation,
            Self::Barred(barred) => barred.generation,
        }
    }

    /// How old it is, where it was accepted and is in state Active.
    pub fn accepted(&self) -> Option<&SourceAge> {
        match self {
            Self::Whole(held) => held.is_accepted.then_some(&held.grant.age),
            Self::Barred(barred) => barred.accepted.as_deref(),
        }
    }

    /// Whether its status says so.
    pub fn is_in_force(&self) -> bool {
        self.whole().is_some_and(|held| held.count.is_in_force)
    }

    /// Whether it is whole and in force or to be, as far as its status says so already.
    pub fn is_live(&self) -> bool {
        self.whole().is_some_and(|held| is_live(&held.grant))
    }

    /// The facets for which it states something invalid, while it is held.
    pub fn invalid(&self) -> &BTreeSet<Arc<str>> {
        static NONE: LazyLock<BTreeSet<Arc<str>>> = LazyLock::new(BTreeSet::new);
        self.whole().map_or(&*NONE, |held| &held.count.invalid)
    }

    /// The Secrets that it takes values from.
    pub fn sources(&self) -> impl Iterator<Item = SecretName> {
        self.whole().into_iter().flat_map(WholeInstance::sources)
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
}

impl WholeInstance {
    /// Reads an instance.
    pub fn read(instance: &EntitlementInstance) -> Reading<SourceId, Self> {
        let grant = instance::grant(instance);
        let key = grant.id.source.clone();
        let version = Identity::version_of(instance.metadata.resource_version.as_deref());
        let identity = Identity { uid: Arc::clone(&grant.age.uid), version };
        let value = Self {
            grant: Arc::new(grant),
            status: instance.status.as_ref().and_then(Fingerprint::of_json),
            moments: Moments::read(instance),
            is_accepted: is_accepted(instance),
            count: count(instance),
            agenda: AgendaEntry::of(instance),
        };
        Reading { key, identity, value }
    }

    /// Has it share the record of its acceptance with what was decided, which its status tells.
    pub fn share_record(&mut self, decided: Option<&Arc<Acceptance>>) {
        if self.grant.accepted.as_ref() == decided {
            Arc::make_mut(&mut self.grant).accepted = decided.cloned();
        }
    }

    /// The Secrets that it takes values from.
    pub fn sources(&self) -> impl Iterator<Item = SecretName> {
        facets::sources(&self.grant)
    }
}

/// Whether it is in force or to be, as far as its status says so already.
pub fn is_live(grant: &Grant) -> bool {
    grant.remembered.phase.map_or(grant.state == State::Active, is_held)
}

fn is_accepted(instance: &EntitlementInstance) -> bool {
    let has_record = instance.status.as_ref().is_some_and(|status| status.accepted.is_some());
    has_record && instance.spec.state == State::Active
}

fn count(instance: &EntitlementInstance) -> GrantCount {
    let Some(status) = &instance.status else { return GrantCount::default() };
    GrantCount::of(status.phase, status.violations.iter().map(|violation| violation.facet.as_str()))
}

/// The instances that name one organization from where they may not.
#[derive(Debug, Default)]
pub struct BarredInstances {
    ids: BTreeSet<SourceId>,
    /// How many there are in each phase.
    pub phases: BTreeMap<Phase, u64>,
}

impl BarredInstances {
    /// One more.
    pub fn add(&mut self, id: &SourceId, phase: Phase) {
        self.ids.insert(id.clone());
        *self.phases.entry(phase).or_default() += 1;
    }

    /// One less. True if none is left.
    pub fn remove(&mut self, id: &SourceId, phase: Phase) -> bool {
        self.ids.remove(id);
        if let Some(count) = self.phases.get_mut(&phase) {
            *count = count.saturating_sub(1);
        }
        self.phases.retain(|_, count| *count > 0);
        self.ids.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &SourceId> {
        self.ids.iter()
    }

    /// Those in a namespace.
    pub fn within<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a SourceId> {
        let first = SourceId::instance(namespace, "");
        self.ids.range(first..).take_while(move |id| &*id.namespace == namespace)
    }
}
