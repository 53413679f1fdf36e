//! A grant: what, to whom, from when to when, how much, with which facets, and from which source.
//!
//! The core decides about grants, wherever they come from: see `source`. What cannot be read of them is kept as such, and is a
//! reason to refuse the grant later.

use super::{
    acceptance::{Acceptance, RecordedSpec},
    age::GrantAge,
    amount::{Amount, InvalidAmount},
    calendar::{Instant, InvalidMoment, Moment},
    source::SourceId,
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
    /// Its name in the grant.
    pub name: String,
    /// From when on it counts.
    pub effective: Result<Moment, InvalidMoment>,
    /// The new amount.
    pub amount: Stated<Amount, InvalidAmount>,
    /// The new end.
    pub end: Stated<Moment, InvalidMoment>,
    /// The text of the new end.
    pub written_end: Option<String>,
    /// Values merged over those before.
    pub facets: Option<FacetFields>,
    /// Why, for people.
    pub reason: Option<String>,
    /// Taken back.
    pub revoked: bool,
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
    /// Where it comes from, and of what it is.
    pub id: GrantId,
    /// How old it is, and what decides between those of one age.
    pub age: GrantAge,
    /// The organization's name.
    pub organization: Arc<str>,
    /// What the owner wants.
    pub state: State,
    /// The first moment in force.
    pub start: Stated<Moment, InvalidMoment>,
    /// The first moment no longer in force.
    pub end: Stated<Moment, InvalidMoment>,
    /// Overrides the definition's amount.
    pub amount: Stated<Amount, InvalidAmount>,
    /// The higher, the earlier its facets count.
    pub priority: i32,
    /// Stated values.
    pub facets: Arc<FacetFields>,
    /// Sources of secret values.
    pub secret_facets: Vec<SecretFacet>,
    /// The name of the grant that it follows.
    pub renews: Option<Arc<str>>,
    /// The texts of its term, as written.
    pub written: Arc<RecordedSpec>,
    /// Withdrawn for now.
    pub suspended: bool,
    /// As written, in the order of the list.
    pub amendments: Vec<GrantAmendment>,
    /// The source's generation.
    pub generation: i64,
    /// When its source was created.
    pub created: Instant,
    /// Its source was made here and its spec has never been edited.
    pub is_as_made: bool,
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
        self.accepted = accepted.map(|accepted| Arc::new(accepted.of_source(&self.age.source)));
        self.remembered = remembered;
        self
    }

    /// The same grant with what another of the same source remembers: it was there before, and is edited.
    #[must_use]
    pub fn succeeding(mut self, before: &Self) -> Self {
        let is_of_spec = self.state != State::Draft && before.written == self.written;
        self.accepted = before.accepted.clone().filter(|_| is_of_spec);
        self.remembered = before.remembered.clone();
        self
    }

    /// The same grant with another moment of its source's creation.
    #[must_use]
    pub fn created_at(mut self, created: Instant) -> Self {
        if self.age.source.made == self.created {
            self.age.source.made = created;
        }
        self.created = created;
        self
    }

    /// When the grant was made: the annotation `granted-at`, else the creation of its source.
    #[must_use]
    pub fn made(&self) -> Instant {
        self.age.source.made
    }
}
