//! A grant: what, to whom, from when to when, how much, with which facets, and from which source.
//!
//! The core decides about grants. An EntitlementInstance is their first source; reading never fails: what cannot be read
//! is kept as such, and is a reason to refuse the grant later.

use super::{
    acceptance::{Acceptance, RecordedSpec},
    age::{self, Age},
    amount::{Amount, InvalidAmount},
    calendar::{Instant, InvalidMoment, Moment},
    source::SourceId,
};
use crate::api::{
    Condition, EntitlementInstance, EntitlementInstanceStatus, GRANTED_AT, Phase,
    entitlement_instance::{FacetFields, Notice, SecretFacet, State},
};
use std::{fmt, sync::Arc};

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
#[derive(Clone, Debug)]
pub struct Amendment {
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
    pub facets: Option<FacetFields>,
    /// Notices that were given.
    pub notices: Vec<Notice>,
    /// The conditions that were last written. The time of a transition is kept as long as its status stays, events tell what
    /// has changed since, and an explanation says by them since when; what is decided does not go by them.
    pub conditions: Vec<Condition>,
}

/// One grant of one definition to one organization.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Where it comes from.
    pub id: GrantId,
    /// How old it is, and what decides between those of one age.
    pub age: Age,
    /// The organization's name.
    pub organization: Arc<str>,
    /// The definition's name.
    pub definition: Arc<str>,
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
    pub written: RecordedSpec,
    /// Withdrawn for now.
    pub suspended: bool,
    /// As written, in the order of the list.
    pub amendments: Vec<Amendment>,
    /// The source's generation.
    pub generation: i64,
    /// When its source was created.
    pub created: Instant,
    /// Its source was made here and its spec has never been edited.
    pub is_as_made: bool,
    /// What it took from elsewhere when it was accepted; absent where the record no longer belongs to the spec.
    pub accepted: Option<Arc<Acceptance>>,
    /// What the status remembers.
    pub remembered: Remembered,
}

impl Grant {
    /// Reads an instance.
    #[must_use]
    pub fn read(instance: &EntitlementInstance) -> Self {
        let metadata = &instance.metadata;
        let spec = &instance.spec;
        let namespace = metadata.namespace.as_deref().unwrap_or_default();
        let name = metadata.name.as_deref().unwrap_or_default();
        let grant = Self {
            id: GrantId::of_instance(namespace, name, &spec.definition),
            age: Age::of_grant(metadata),
            organization: spec.organization.as_str().into(),
            definition: spec.definition.as_str().into(),
            state: spec.state,
            start: spec.start.as_deref().map(str::parse),
            end: spec.end.as_deref().map(str::parse),
            amount: spec.amount.as_ref().map(Amount::read),
            priority: spec.priority,
            facets: Arc::new(spec.facets.clone()),
            secret_facets: spec.secret_facets.clone(),
            renews: spec.renews.as_deref().map(Into::into),
            written: RecordedSpec::of(spec),
            suspended: spec.suspended,
            amendments: spec.amendments.iter().map(Amendment::read).collect(),
            generation: metadata.generation.unwrap_or(1),
            created: age::created(metadata).unwrap_or(Instant::MAX_UTC),
            is_as_made: metadata.generation == Some(1) && !has_granted_at(instance),
            accepted: None,
            remembered: Remembered::default(),
        };
        match &instance.status {
            Some(status) => grant.remembering(status),
            None => grant,
        }
    }

    /// The same grant with what a status remembers.
    #[must_use]
    pub fn remembering(mut self, status: &EntitlementInstanceStatus) -> Self {
        self.accepted = Acceptance::of(self.state, &self.written, status.accepted.as_ref()).map(Arc::new);
        self.remembered = Remembered::read(status);
        self
    }

    /// The same grant with another moment of its source's creation.
    #[must_use]
    pub fn created_at(mut self, created: Instant) -> Self {
        if self.age.made == self.created {
            self.age.made = created;
        }
        Self { created, ..self }
    }

    /// When the grant was made: the annotation `granted-at`, else the creation of its source.
    #[must_use]
    pub fn made(&self) -> Instant {
        self.age.made
    }

    /// Whether start, `granted-at` or a renewed grant say when it starts, so that it does not hang on the moment at which
    /// the object happens to be created.
    #[must_use]
    pub fn has_stated_start(instance: &EntitlementInstance) -> bool {
        has_granted_at(instance) || instance.spec.start.is_some() || instance.spec.renews.is_some()
    }
}

fn has_granted_at(instance: &EntitlementInstance) -> bool {
    instance.metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(GRANTED_AT))
}

impl Amendment {
    fn read(amendment: &crate::api::entitlement_instance::Amendment) -> Self {
        Self {
            name: amendment.name.clone(),
            effective: amendment.effective.parse(),
            amount: amendment.amount.as_ref().map(Amount::read),
            end: amendment.end.as_deref().map(str::parse),
            written_end: amendment.end.clone(),
            facets: amendment.facets.clone(),
            reason: amendment.reason.clone(),
            revoked: amendment.revoked,
        }
    }
}

impl Remembered {
    fn read(status: &EntitlementInstanceStatus) -> Self {
        Self {
            phase: status.phase,
            facets: status.facets.clone(),
            notices: status.notices.clone(),
            conditions: status.conditions.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Grant;
    use crate::api::{EntitlementInstance, Phase};
    use rstest::rstest;
    use serde_json::{Value, json};

    fn instance(annotations: &Value, terms: &Value, status: &Value) -> EntitlementInstance {
        let mut spec = terms.clone();
        spec["organization"] = "acme".into();
        spec["definition"] = "seats".into();
        serde_json::from_value(json!({
            "apiVersion": "entitlements.dev/v1alpha1",
            "kind": "EntitlementInstance",
            "metadata": {"name": "a", "namespace": "entitlements", "annotations": annotations},
            "spec": spec,
            "status": status,
        }))
        .unwrap()
    }

    #[rstest]
    #[case::nothing(json!({}), json!({"end": "2027-01-31"}), false)]
    #[case::granted_at(json!({"entitlements.dev/granted-at": "2027-01-01T00:00:00Z"}), json!({}), true)]
    #[case::another_annotation(json!({"note": "x"}), json!({}), false)]
    #[case::start(json!({}), json!({"start": "2027-01-01"}), true)]
    #[case::renews(json!({}), json!({"renews": "b"}), true)]
    fn a_start_is_stated_by_start_granted_at_or_a_renewed_grant(
        #[case] annotations: Value,
        #[case] terms: Value,
        #[case] expected: bool,
    ) {
        assert_eq!(Grant::has_stated_start(&instance(&annotations, &terms, &Value::Null)), expected);
    }

    #[test]
    fn of_a_status_it_is_remembered_what_may_be() {
        let status = json!({
            "phase": "Active",
            "facets": {"backup": {"retention": 90}},
            "notices": [{"before": "P30D", "end": "2027-01-31T00:00:00Z", "at": "2027-01-01T00:00:00Z"}],
        });
        let remembered = Grant::read(&instance(&json!({}), &json!({}), &status)).remembered;
        assert_eq!(remembered.phase, Some(Phase::Active));
        assert_eq!(serde_json::to_value(remembered.facets).unwrap(), status["facets"]);
        assert_eq!(serde_json::to_value(remembered.notices).unwrap(), status["notices"]);
    }
}
