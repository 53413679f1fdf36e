//! A grant: what, to whom, from when to when, how much, with which facets, and from which source.
//!
//! The core decides about grants, wherever they come from: see `source`. What cannot be read of them is kept as such, and is a
//! reason to refuse the grant later.

use super::{
    acceptance::Acceptance,
    age::GrantAge,
    amount::{Amount, InvalidAmount},
    approval::{ExceptionRequest, Settlement},
    calendar::Instant,
    source::{
        SourceId,
        stated::{StatedAmendment, StatedSource},
    },
    usage::caps::{ChannelCaps, InvalidCap},
};
use crate::api::{
    Condition, ConditionStatus, Phase,
    accepted_record::AcceptedRecord,
    facet_fields::{FacetFields, SecretFacet},
    lifecycle::{Notice, State},
};
use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::Arc,
};

/// Which grant: its source and its definition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantId {
    /// The source that yields it.
    pub source: SourceId,
    /// The definition's name.
    pub definition: Arc<str>,
}

impl GrantId {
    /// What a source grants of a definition.
    #[must_use]
    pub fn new(source: SourceId, definition: &str) -> Self {
        Self { source, definition: definition.into() }
    }

    /// What an instance of that namespace and name grants of a definition.
    #[must_use]
    pub fn of_instance(namespace: &str, name: &str, definition: &str) -> Self {
        Self::new(SourceId::instance(namespace, name), definition)
    }
}

impl fmt::Display for GrantId {
    /// Its source's namespace and name.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(formatter)
    }
}

/// A moment as written, and what it means.
pub type Stated<T, E> = Option<Result<T, E>>;

/// An effective-dated change of a grant.
#[derive(Clone, Debug, PartialEq)]
pub struct GrantAmendment {
    /// What an amendment of any source states.
    pub stated: StatedAmendment,
    /// The new amount.
    pub amount: Stated<Amount, InvalidAmount>,
    /// What can be used by each channel from then on.
    pub channels: Stated<Arc<ChannelCaps>, InvalidCap>,
    /// Values merged over those before.
    pub facets: Option<FacetFields>,
}

impl GrantAmendment {
    /// The new amount, where it can be read.
    #[must_use]
    pub fn amount(&self) -> Option<Amount> {
        self.amount.as_ref().and_then(|amount| amount.as_ref().ok().copied())
    }

    /// What can be used by each channel, where it says so and can be read.
    #[must_use]
    pub fn channels(&self) -> Option<&Arc<ChannelCaps>> {
        self.channels.as_ref()?.as_ref().ok()
    }
}

impl AsRef<StatedAmendment> for GrantAmendment {
    fn as_ref(&self) -> &StatedAmendment {
        &self.stated
    }
}

impl Deref for GrantAmendment {
    type Target = StatedAmendment;

    fn deref(&self) -> &StatedAmendment {
        &self.stated
    }
}

/// What the status remembers for the next evaluation, as it was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remembered {
    /// The phase that was last written. Events, the log, and the counts of grants that are held or in force go by it; what is
    /// decided does not.
    pub phase: Option<Phase>,
    /// The last stated facets that were valid.
    pub facets: Option<Arc<FacetFields>>,
    /// Notices that were given.
    pub notices: Vec<Notice>,
    /// The conditions that were last written. The time of a transition is kept as long as its status stays, events tell what
    /// has changed since, and an explanation says by them since when; what is decided does not go by them.
    pub conditions: Arc<[RememberedCondition]>,
    /// What was decided of an override for good.
    pub settlement: Option<Arc<Settlement>>,
}

/// A condition of a status. Of many grants most say the same, at different times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RememberedCondition {
    /// What it says.
    pub observation: Arc<Observation>,
    /// When its status last changed, as written.
    pub since: Arc<str>,
}

/// What a condition says, but for the time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Observation {
    /// What is observed.
    pub type_: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// The generation that it was observed at.
    pub observed_generation: Option<i64>,
    /// One word for programs.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
}

impl From<&Condition> for RememberedCondition {
    fn from(condition: &Condition) -> Self {
        let observation = Observation {
            type_: condition.type_.clone(),
            status: condition.status,
            observed_generation: condition.observed_generation,
            reason: condition.reason.clone(),
            message: condition.message.clone(),
        };
        Self { observation: Arc::new(observation), since: condition.last_transition_time.as_str().into() }
    }
}

impl From<&RememberedCondition> for Condition {
    fn from(RememberedCondition { observation, since }: &RememberedCondition) -> Self {
        Self {
            type_: observation.type_.clone(),
            status: observation.status,
            observed_generation: observation.observed_generation,
            last_transition_time: since.to_string(),
            reason: observation.reason.clone(),
            message: observation.message.clone(),
        }
    }
}

/// What a source states of a grant: all of it but its status.
#[derive(Clone, Debug, PartialEq)]
pub struct StatedGrant {
    /// What its source states of itself.
    pub source: StatedSource,
    /// Where it comes from, and of what it is.
    pub id: GrantId,
    /// Overrides the definition's amount.
    pub amount: Stated<Amount, InvalidAmount>,
    /// How much of it can be used by each channel.
    pub channels: Stated<Arc<ChannelCaps>, InvalidCap>,
    /// Stated values.
    pub facets: Arc<FacetFields>,
    /// Sources of secret values.
    pub secret_facets: Vec<SecretFacet>,
    /// As written, in the order of the list.
    pub amendments: Vec<GrantAmendment>,
    /// Who asked for it, where others have to approve.
    pub request: Option<Arc<ExceptionRequest>>,
}

impl Deref for StatedGrant {
    type Target = StatedSource;

    fn deref(&self) -> &StatedSource {
        &self.source
    }
}

impl DerefMut for StatedGrant {
    fn deref_mut(&mut self) -> &mut StatedSource {
        &mut self.source
    }
}

/// One grant of one definition to one organization.
#[derive(Clone, Debug)]
pub struct Grant {
    /// What its source states. A status is written now and then, and its grant shares this with the one before.
    pub stated: Arc<StatedGrant>,
    /// What it took from elsewhere when it was accepted; absent where the record no longer belongs to the spec.
    pub accepted: Option<Arc<Acceptance>>,
    /// What the status remembers.
    pub remembered: Remembered,
}

impl Deref for Grant {
    type Target = StatedGrant;

    fn deref(&self) -> &StatedGrant {
        &self.stated
    }
}

impl DerefMut for Grant {
    fn deref_mut(&mut self) -> &mut StatedGrant {
        Arc::make_mut(&mut self.stated)
    }
}

impl Grant {
    /// A grant of which nothing is remembered.
    #[must_use]
    pub fn new(stated: StatedGrant) -> Self {
        Self { stated: Arc::new(stated), accepted: None, remembered: Remembered::default() }
    }

    /// The same grant with what its source remembers of it: the record of its acceptance, and the rest.
    #[must_use]
    pub fn remembering(mut self, record: Option<&AcceptedRecord>, remembered: Remembered) -> Self {
        let accepted = Acceptance::of(self.state, &self.written, record);
        self.accepted = accepted.map(|accepted| Arc::new(accepted.of_source(&self.age)));
        self.remembered = remembered;
        self
    }

    /// The same grant with what another of the same source remembers: it was there before, and is edited.
    #[must_use]
    pub fn succeeding(mut self, before: &Self) -> Self {
        let is_of_spec = self.state != State::Draft && before.written == self.written;
        self.accepted = before.accepted.clone().filter(|_| is_of_spec);
        self.remembered = before.remembered.clone();
        self.settled()
    }

    /// The same grant with another moment of its source's creation.
    #[must_use]
    pub fn created_at(mut self, created: Instant) -> Self {
        if self.age.made == self.created {
            self.age.made = created;
        }
        self.created = created;
        self
    }

    /// How old it is among all grants.
    #[must_use]
    pub fn grant_age(&self) -> GrantAge {
        GrantAge { source: self.age.clone(), definition: Arc::clone(&self.id.definition) }
    }

    /// What decides which of two grants is older, the least being the oldest.
    #[must_use]
    pub fn seniority(&self) -> impl Ord + use<'_> {
        (&self.age, &self.id.definition)
    }
}
