//! The kinds of objects that grants come from, as the index reads them.

use super::kept::{GrantSource, InvalidFacets, SourceObject};
use crate::{
    api::{
        EntitlementInstance, EntitlementInstanceStatus, EntitlementOverride, EntitlementOverrideStatus,
        EntitlementSubscription, EntitlementSubscriptionStatus, Phase,
    },
    core::source::{SourceKind, instance, overrides, subscription},
    evaluation::{
        decided::DecidedSource,
        decision::Decision,
        holding::is_held,
        status::{Statuses, grants::GrantCount},
    },
};
use std::sync::Arc;

/// What the one grant of a source states that is not valid, while it is held.
fn invalid_facets<'a>(
    definition: &str,
    phase: Option<Phase>,
    violated: impl Iterator<Item = &'a str>,
) -> InvalidFacets {
    let invalid = GrantCount::of(phase, violated).invalid;
    if invalid.is_empty() { InvalidFacets::new() } else { [(definition.into(), invalid)].into() }
}

impl SourceObject for EntitlementInstance {
    const KIND: SourceKind = SourceKind::Instance;
    type Status = EntitlementInstanceStatus;

    fn source(&self) -> GrantSource {
        GrantSource::Instance(Arc::new(instance::grant(self)))
    }

    fn said(&self) -> Option<&Self::Status> {
        self.status.as_ref()
    }

    fn invalid(&self) -> InvalidFacets {
        let Some(status) = &self.status else { return InvalidFacets::new() };
        let violated = status.violations.iter().map(|violation| violation.facet.as_str());
        invalid_facets(&self.spec.definition, status.phase, violated)
    }

    fn told<'a>(decision: &'a Decision, statuses: &'a Statuses) -> Vec<(DecidedSource<'a>, &'a Self::Status)> {
        let grants = decision.grants().zip(&statuses.grants);
        grants.filter_map(|((_, member), status)| Some((member.into(), status.as_ref()?))).collect()
    }
}

impl SourceObject for EntitlementOverride {
    const KIND: SourceKind = SourceKind::Override;
    type Status = EntitlementOverrideStatus;

    fn source(&self) -> GrantSource {
        GrantSource::Override(Arc::new(overrides::grant(self)))
    }

    fn said(&self) -> Option<&Self::Status> {
        self.status.as_ref()
    }

    fn invalid(&self) -> InvalidFacets {
        let Some(status) = &self.status else { return InvalidFacets::new() };
        let violated = status.violations.iter().map(|violation| violation.facet.as_str());
        invalid_facets(&self.spec.definition, status.phase, violated)
    }

    fn told<'a>(decision: &'a Decision, statuses: &'a Statuses) -> Vec<(DecidedSource<'a>, &'a Self::Status)> {
        let grants = decision.grants().zip(&statuses.overrides);
        grants.filter_map(|((_, member), status)| Some((member.into(), status.as_ref()?))).collect()
    }
}

impl SourceObject for EntitlementSubscription {
    const KIND: SourceKind = SourceKind::Subscription;
    type Status = EntitlementSubscriptionStatus;

    fn source(&self) -> GrantSource {
        GrantSource::Subscription(Arc::new(subscription::subscription(self)))
    }

    fn said(&self) -> Option<&Self::Status> {
        self.status.as_ref()
    }

    fn invalid(&self) -> InvalidFacets {
        let mut invalid = InvalidFacets::new();
        let Some(status) = self.status.as_ref().filter(|status| status.phase.is_some_and(is_held)) else {
            return invalid;
        };
        for one in &status.violations {
            let facets = invalid.entry(one.definition.as_str().into()).or_default();
            facets.insert(one.violation.facet.as_str().into());
        }
        invalid
    }

    fn told<'a>(decision: &'a Decision, statuses: &'a Statuses) -> Vec<(DecidedSource<'a>, &'a Self::Status)> {
        let subscriptions = decision.subscriptions.iter().zip(&statuses.subscriptions);
        subscriptions.filter_map(|(decision, status)| Some((decision.as_ref().into(), status.as_ref()?))).collect()
    }
}
