//! Which object came first.

use super::calendar::{Instant, parse_instant};
use crate::api::GRANTED_AT;
use chrono::DateTime;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::sync::Arc;

/// The order of age everywhere: when it was made, then UID, then namespace, then name. The least is the oldest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Age {
    /// For a grant the annotation `entitlements.dev/granted-at`, else `creationTimestamp`; for an organization the latter
    /// alone. An object that has none is younger than all that have.
    pub made: Instant,
    /// The object's UID.
    pub uid: Arc<str>,
    /// Its namespace; empty for cluster-scoped ones.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

impl Age {
    /// Of a grant. An unreadable `granted-at` counts as absent.
    #[must_use]
    pub fn of_grant(metadata: &ObjectMeta) -> Self {
        Self::made_at(granted_at(metadata).or_else(|| created(metadata)), metadata)
    }

    /// Of an organization. Whoever may edit one could make it older than another by an annotation, and take its namespaces.
    #[must_use]
    pub fn of_organization(metadata: &ObjectMeta) -> Self {
        Self::made_at(created(metadata), metadata)
    }

    fn made_at(made: Option<Instant>, metadata: &ObjectMeta) -> Self {
        Self {
            made: made.unwrap_or(Instant::MAX_UTC),
            uid: metadata.uid.as_deref().unwrap_or_default().into(),
            namespace: metadata.namespace.as_deref().unwrap_or_default().into(),
            name: metadata.name.as_deref().unwrap_or_default().into(),
        }
    }
}

fn granted_at(metadata: &ObjectMeta) -> Option<Instant> {
    let text = metadata.annotations.as_ref()?.get(GRANTED_AT)?;
    parse_instant(text).ok()
}

/// When an object was created.
#[must_use]
pub fn created(metadata: &ObjectMeta) -> Option<Instant> {
    let created = metadata.creation_timestamp.as_ref()?;
    DateTime::from_timestamp(created.0.as_second(), 0)
}
