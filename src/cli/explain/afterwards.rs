//! What comes after a contract, if it does not come at once.

use super::moment;
use crate::{
    api::Phase,
    core::calendar::Instant,
    evaluation::explanation::{Entitlement, GrantExplanation},
    offline::GrantChange,
};

/// What comes after a contract, where that is not at once.
#[derive(Clone, Copy, Debug)]
pub enum Afterwards<'a> {
    /// The renewal that this is comes later.
    Renewed(&'a GrantExplanation, Instant),
    /// The renewal that this is does not come into force, as it is suspended.
    Suspended(&'a GrantExplanation),
    /// Another grant comes later.
    Again(&'a GrantExplanation, Instant),
    /// Nothing does.
    Nothing,
}

impl<'a> Afterwards<'a> {
    /// What comes after what is held up to a moment.
    #[must_use]
    pub fn of(entitlement: &'a Entitlement, end: Instant) -> Self {
        let coming = |grant: &'a GrantExplanation| {
            let start = grant.start.as_deref().and_then(moment)?;
            let is_ever = grant.end.as_deref().and_then(moment).is_none_or(|end| end > start);
            (grant.phase == Phase::Waiting && !grant.is_suspended && start >= end && is_ever).then_some((grant, start))
        };
        let next = |renews: bool| {
            let grants = entitlement.grants.iter().filter(move |grant| !renews || is_renewal(entitlement, grant));
            grants.filter_map(coming).min_by_key(|(_, start)| *start)
        };
        let suspended = || {
            let grants = entitlement.grants.iter();
            grants.filter(|grant| grant.is_suspended).find(|grant| is_renewal(entitlement, grant))
        };
        if let Some((grant, start)) = next(true) {
            return Self::Renewed(grant, start);
        }
        match (suspended(), next(false)) {
            (Some(grant), _) => Self::Suspended(grant),
            (None, Some((grant, start))) => Self::Again(grant, start),
            (None, None) => Self::Nothing,
        }
    }

    /// What renews a grant that goes out of force, if anything does.
    #[must_use]
    pub fn of_grant(entitlement: &'a Entitlement, change: &GrantChange) -> Self {
        let Some(renewal) = change.renewed_by.as_deref() else { return Self::Nothing };
        let renewal = change.grant.source.beside(renewal.into());
        let Some(grant) = entitlement.grants.iter().find(|grant| grant.source == renewal) else {
            return Self::Nothing;
        };
        match grant.start.as_deref().and_then(moment) {
            _ if grant.is_suspended => Self::Suspended(grant),
            Some(start) => Self::Renewed(grant, start),
            None => Self::Nothing,
        }
    }
}

/// Whether it validly renews one that is in force.
fn is_renewal(entitlement: &Entitlement, renewal: &GrantExplanation) -> bool {
    let renewed = entitlement.grants.iter().filter(|grant| grant.phase.is_in_force());
    let mut renewals = renewed.filter_map(|grant| Some(grant.source.beside(grant.renewed_by.clone()?)));
    renewals.any(|source| source == renewal.source)
}
