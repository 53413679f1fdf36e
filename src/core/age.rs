//! Which object came first: the least is the oldest.

use super::{
    calendar::{Instant, parse_instant},
    source::{SourceId, SourceKind},
};
use crate::api::GRANTED_AT;
use chrono::DateTime;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::sync::Arc;

/// The order of age among organizations: when it was created, then UID, then name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrganizationAge {
    /// Its `creationTimestamp` alone: whoever may edit one could make it older than another by an annotation, and take its
    /// namespaces. One that has none is younger than all that have.
    pub made: Instant,
    /// Its UID.
    pub uid: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

impl OrganizationAge {
    /// Of an organization's metadata.
    #[must_use]
    pub fn of(metadata: &ObjectMeta) -> Self {
        Self {
            made: created(metadata).unwrap_or(Instant::MAX_UTC),
            uid: text(metadata.uid.as_ref()),
            name: text(metadata.name.as_ref()),
        }
    }
}

/// The order of age among sources: when it was made, then the order within that second, kind, UID, namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceAge {
    /// The annotation `entitlements.dev/granted-at`, else `creationTimestamp`. One that has neither is younger than all that have.
    pub made: Instant,
    /// The fraction of a second in that annotation, in nanoseconds. Times count in whole seconds, but of two grants that were made
    /// in one second, a restore has to say which came first: they have other UIDs afterwards.
    pub fraction: u32,
    /// Its kind.
    pub kind: SourceKind,
    /// Its UID.
    pub uid: Arc<str>,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

impl SourceAge {
    /// Of the metadata of a source. An unreadable `granted-at` counts as absent.
    #[must_use]
    pub fn of(kind: SourceKind, metadata: &ObjectMeta) -> Self {
        Self {
            made: granted_at(metadata).or_else(|| created(metadata)).unwrap_or(Instant::MAX_UTC),
            fraction: granted_at_fraction(metadata).unwrap_or_default(),
            kind,
            uid: text(metadata.uid.as_ref()),
            namespace: text(metadata.namespace.as_ref()),
            name: text(metadata.name.as_ref()),
        }
    }

    /// The source that is so old.
    #[must_use]
    pub fn id(&self) -> SourceId {
        SourceId { kind: self.kind, namespace: Arc::clone(&self.namespace), name: Arc::clone(&self.name) }
    }
}

/// The order of age among grants: that of their sources, then the definition. No two grants are of one age.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantAge {
    /// The age of the source that yields it.
    pub source: SourceAge,
    /// The definition's name.
    pub definition: Arc<str>,
}

fn granted_at(metadata: &ObjectMeta) -> Option<Instant> {
    let text = metadata.annotations.as_ref()?.get(GRANTED_AT)?;
    parse_instant(text).ok()
}

fn granted_at_fraction(metadata: &ObjectMeta) -> Option<u32> {
    let text = metadata.annotations.as_ref()?.get(GRANTED_AT)?;
    parse_instant(text).ok()?;
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_subsec_nanos())
}

/// Whether an object says itself when it was made.
#[must_use]
pub fn has_granted_at(metadata: &ObjectMeta) -> bool {
    metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(GRANTED_AT))
}

/// When an object was created.
#[must_use]
pub fn created(metadata: &ObjectMeta) -> Option<Instant> {
    let created = metadata.creation_timestamp.as_ref()?;
    DateTime::from_timestamp(created.0.as_second(), 0)
}

fn text(text: Option<&String>) -> Arc<str> {
    text.map(String::as_str).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::{GrantAge, SourceAge};
    use crate::core::{calendar::parse_instant, source::SourceKind};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

    fn age(made: &str, uid: &str, name: &str, definition: &str) -> GrantAge {
        let source = SourceAge {
            made: parse_instant(made).unwrap(),
            fraction: 0,
            kind: SourceKind::Instance,
            uid: uid.into(),
            namespace: "entitlements".into(),
            name: name.into(),
        };
        GrantAge { source, definition: definition.into() }
    }

    #[test]
    fn a_fraction_decides_within_one_second_before_the_uid() {
        let age = |granted_at: &str, uid: &str| {
            let annotations = [("entitlements.dev/granted-at".to_owned(), granted_at.to_owned())];
            let uid = Some(uid.to_owned());
            let metadata = ObjectMeta { annotations: Some(annotations.into()), uid, ..ObjectMeta::default() };
            SourceAge::of(SourceKind::Instance, &metadata)
        };
        let ages = [
            age("2027-01-01T00:00:00Z", "c"),
            age("2027-01-01T00:00:00Z", "d"),
            age("2027-01-01T01:00:00.000001+01:00", "b"),
            age("2027-01-01T00:00:00.9Z", "a"),
            age("2027-01-01T00:00:01Z", "a"),
        ];
        assert!(ages.windows(2).all(|pair| pair[0] < pair[1]), "{ages:?}");
        assert!(ages[..4].iter().all(|age| age.made == ages[0].made));
        let unreadable = [age("2027-01-01", "a"), age("2027-01-01T00:00:00.5", "a")];
        assert!(unreadable.iter().all(|age| age.fraction == 0));
    }

    #[test]
    fn the_oldest_comes_first_and_no_two_grants_are_of_one_age() {
        let (first, then) = ("2027-01-01T00:00:00Z", "2027-01-02T00:00:00Z");
        let ages = [
            age(first, "b", "z", "z"),
            age(then, "a", "b", "seats"),
            age(then, "a", "b", "sso"),
            age(then, "a", "c", "backup"),
            age(then, "b", "a", "backup"),
        ];
        assert!(ages.windows(2).all(|pair| pair[0] < pair[1]), "{ages:?}");
    }
}
