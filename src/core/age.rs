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

/// The order of age among sources: when it was made, then kind, UID, namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceAge {
    /// The annotation `entitlements.dev/granted-at`, else `creationTimestamp`. One that has neither is younger than all that have.
    pub made: Instant,
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

    fn age(made: &str, uid: &str, name: &str, definition: &str) -> GrantAge {
        let source = SourceAge {
            made: parse_instant(made).unwrap(),
            kind: SourceKind::Instance,
            uid: uid.into(),
            namespace: "entitlements".into(),
            name: name.into(),
        };
        GrantAge { source, definition: definition.into() }
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
