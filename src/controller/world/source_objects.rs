//! The kinds of objects that grants come from, as the index reads them.

use super::kept::{GrantSource, InvalidFacets, SourceObject};
use crate::{
    api::{
        EntitlementInstance, EntitlementInstanceStatus, EntitlementOverride, EntitlementOverrideStatus,
        EntitlementSubscription, EntitlementSubscriptionStatus,
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

/// A kind of which each object is one grant: its source, how its grant is read, and where its statuses are.
macro_rules! one_grant {
    ($object:ty, $status:ty, $kind:ident, $grant:path, $statuses:ident) => {
        impl SourceObject for $object {
            const KIND: SourceKind = SourceKind::$kind;
            type Status = $status;

            fn source(&self) -> GrantSource {
                GrantSource::$kind(Arc::new($grant(self)))
            }

            fn said(&self) -> Option<&Self::Status> {
                self.status.as_ref()
            }

            fn invalid(&self) -> InvalidFacets {
                let Some(status) = &self.status else { return InvalidFacets::new() };
                let violated = status.violations.iter().map(|violation| violation.facet.as_str());
                let invalid = GrantCount::of(status.phase, violated).invalid;
                let named = (!invalid.is_empty()).then(|| (self.spec.definition.as_str().into(), invalid));
                named.into_iter().collect()
            }

            fn told<'a>(decision: &'a Decision, statuses: &'a Statuses) -> Vec<(DecidedSource<'a>, &'a Self::Status)> {
                let grants = decision.grants().zip(&statuses.$statuses);
                grants.filter_map(|((_, member), status)| Some((member.into(), status.as_ref()?))).collect()
            }
        }
    };
}

one_grant!(EntitlementInstance, EntitlementInstanceStatus, Instance, instance::grant, grants);
one_grant!(EntitlementOverride, EntitlementOverrideStatus, Override, overrides::grant, overrides);

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
