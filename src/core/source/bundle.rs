//! A source that exists in tests only. It shows what a further kind of source takes, and that one source may yield several grants.

use super::{SourceId, SourceKind, stated::StatedSource};
use crate::{
    api::lifecycle::State,
    core::{
        acceptance::RecordedSpec,
        age::{SourceAge, created},
        amount::Amount,
        calendar::Instant,
        grant::{Grant, GrantId, StatedGrant},
    },
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::sync::Arc;

/// It grants an organization several definitions at once.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// Its metadata.
    pub metadata: ObjectMeta,
    /// The organization's name.
    pub organization: Arc<str>,
    /// Each definition that it grants, once, with how much of it.
    pub entries: Vec<(Arc<str>, Option<Amount>)>,
}

/// The grants that a bundle yields, one for each definition.
pub fn grants(bundle: &Bundle) -> impl Iterator<Item = Grant> {
    let metadata = &bundle.metadata;
    let age = SourceAge::of(SourceKind::Bundle, metadata);
    let id = SourceId::new(SourceKind::Bundle, &age.namespace, &age.name);
    bundle.entries.iter().map(move |(definition, amount)| {
        Grant::new(StatedGrant {
            id: GrantId { source: id.clone(), definition: Arc::clone(definition) },
            source: StatedSource {
                age: age.clone(),
                organization: Arc::clone(&bundle.organization),
                state: State::Active,
                start: None,
                end: None,
                renews: None,
                written: Arc::new(RecordedSpec::default()),
                suspended: false,
                priority: 0,
                generation: metadata.generation.unwrap_or(1),
                created: created(metadata).unwrap_or(Instant::MAX_UTC),
                is_as_made: true,
            },
            amount: amount.map(Ok),
            channels: None,
            facets: Arc::default(),
            secret_facets: Vec::new(),
            amendments: Vec::new(),
            request: None,
        })
    })
}
