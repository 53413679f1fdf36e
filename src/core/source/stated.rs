//! What a source states of its own lifecycle, whatever it grants.

use crate::{
    api::lifecycle::State,
    core::{
        acceptance::RecordedSpec,
        age::{SourceAge, created, has_granted_at},
        calendar::{Instant, InvalidMoment, Moment},
        grant::Stated,
        source::SourceKind,
    },
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::sync::Arc;

/// The part of a source's spec and metadata that the lifecycle goes by, but for its amendments.
#[derive(Clone, Debug, PartialEq)]
pub struct StatedSource {
    /// Which source it is, how old it is, and what decides between those of one age.
    pub age: SourceAge,
    /// The organization's name.
    pub organization: Arc<str>,
    /// What the owner wants.
    pub state: State,
    /// The first moment in force.
    pub start: Stated<Moment, InvalidMoment>,
    /// The first moment no longer in force.
    pub end: Stated<Moment, InvalidMoment>,
    /// The name of the source that it follows.
    pub renews: Option<Arc<str>>,
    /// The texts of its term, as written.
    pub written: Arc<RecordedSpec>,
    /// Withdrawn for now.
    pub suspended: bool,
    /// The higher, the earlier its facets count.
    pub priority: i32,
    /// Its generation.
    pub generation: i64,
    /// When it was created.
    pub created: Instant,
    /// It was made here and its spec has never been edited.
    pub is_as_made: bool,
}

/// What a spec states of a lifecycle, as written.
#[derive(Clone, Copy, Debug)]
pub struct WrittenLifecycle<'a> {
    /// The organization's name.
    pub organization: &'a str,
    /// What the owner wants.
    pub state: State,
    /// The first moment in force.
    pub start: Option<&'a str>,
    /// The first moment no longer in force.
    pub end: Option<&'a str>,
    /// The name of the source that it follows.
    pub renews: Option<&'a str>,
    /// Withdrawn for now.
    pub suspended: bool,
    /// The higher, the earlier its facets count.
    pub priority: i32,
}

/// What an effective-dated change of a source states, whatever else it changes.
#[derive(Clone, Debug, PartialEq)]
pub struct StatedAmendment {
    /// Its name in the source.
    pub name: String,
    /// From when on it counts.
    pub effective: Result<Moment, InvalidMoment>,
    /// The new end.
    pub end: Stated<Moment, InvalidMoment>,
    /// The text of the new end.
    pub written_end: Option<String>,
    /// Why, for people.
    pub reason: Option<String>,
    /// Taken back.
    pub revoked: bool,
}

impl StatedSource {
    /// What an object of a kind states.
    #[must_use]
    pub fn read(kind: SourceKind, metadata: &ObjectMeta, spec: &WrittenLifecycle) -> Self {
        let WrittenLifecycle { organization, state, start, end, renews, suspended, priority } = *spec;
        let written = |text: Option<&str>| text.map(str::to_owned);
        Self {
            age: SourceAge::of(kind, metadata),
            organization: organization.into(),
            state,
            start: start.map(str::parse),
            end: end.map(str::parse),
            renews: renews.map(Into::into),
            written: Arc::new(RecordedSpec { start: written(start), end: written(end), renews: written(renews) }),
            suspended,
            priority,
            generation: metadata.generation.unwrap_or(1),
            created: created(metadata).unwrap_or(Instant::MAX_UTC),
            is_as_made: metadata.generation == Some(1) && !has_granted_at(metadata),
        }
    }

    /// When it was made: the annotation `granted-at`, else its creation.
    #[must_use]
    pub fn made(&self) -> Instant {
        self.age.made
    }
}
