//! The override: an EntitlementOverride grants one organization one definition for a time, once others have approved it.
//!
//! Reading never fails. What cannot be read is kept as such, and is a reason to refuse the grant later.

use super::{
    SourceKind,
    stated::{StatedSource, WrittenLifecycle},
};
use crate::{
    api::{
        EntitlementOverride, EntitlementOverrideStatus, OverrideDecision, RESTORED_BY,
        entitlement_override::{OverrideAcceptance, OverrideDenial, OverrideExpiry},
        lifecycle::State,
    },
    core::{
        acceptance::{Acceptance, Chain},
        age::created,
        amount::Amount,
        approval::{ExceptionRequest, Settlement, StatedDecision},
        calendar::{Bound, Instant, format_instant, parse_instant, parse_zone},
        grant::{Grant, GrantId, Remembered, RememberedCondition, StatedGrant},
    },
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::sync::Arc;

/// The one grant that an override yields, with what its status remembers.
#[must_use]
pub fn grant(one: &EntitlementOverride) -> Grant {
    let (metadata, spec) = (&one.metadata, &one.spec);
    let written = WrittenLifecycle {
        organization: &spec.organization,
        state: if spec.cancelled { State::Cancelled } else { State::Active },
        start: spec.start.as_deref(),
        end: Some(&spec.end),
        renews: None,
        suspended: false,
        priority: 0,
    };
    let source = StatedSource::read(SourceKind::Override, metadata, &written);
    let grant = Grant::new(StatedGrant {
        id: GrantId { source: source.age.id(), definition: spec.definition.as_str().into() },
        source,
        amount: spec.amount.as_ref().map(Amount::read),
        channels: None,
        facets: Arc::new(spec.facets.clone()),
        secret_facets: Vec::new(),
        amendments: Vec::new(),
        request: Some(Arc::new(ExceptionRequest {
            by: spec.requested_by.as_str().into(),
            restored_by: restored_by(metadata).map(Into::into),
            reason: spec.reason.as_str().into(),
            ticket: spec.ticket.as_deref().map(Into::into),
        })),
    });
    match &one.status {
        Some(status) => remembering(grant, status),
        None => grant,
    }
}

fn restored_by(metadata: &ObjectMeta) -> Option<&str> {
    metadata.annotations.as_ref()?.get(RESTORED_BY).map(String::as_str)
}

/// The grant of an override with what another status of it remembers.
#[must_use]
pub fn remembering(grant: Grant, status: &EntitlementOverrideStatus) -> Grant {
    let remembered = Remembered {
        phase: status.phase,
        facets: status.facets.clone().map(Arc::new),
        notices: Vec::new(),
        conditions: status.conditions.iter().map(RememberedCondition::from).collect(),
        settlement: settlement(status).map(Arc::new),
    };
    Grant { accepted: None, remembered, ..grant }.settled()
}

/// What a status says was decided for good. A record that cannot be read is none.
fn settlement(status: &EntitlementOverrideStatus) -> Option<Settlement> {
    let accepted = status.accepted.as_ref().and_then(|record| {
        Some(Settlement::Accepted {
            at: parse_instant(&record.at).ok()?,
            by: record.by.iter().map(|name| name.as_str().into()).collect(),
            zone: parse_zone(&record.time_zone).ok()?,
        })
    });
    let denied = || {
        let record = status.denied.as_ref()?;
        Some(Settlement::Denied { at: parse_instant(&record.at).ok()?, by: record.by.as_str().into() })
    };
    let expired =
        || status.expired.as_ref().and_then(|record| Some(Settlement::Expired { at: parse_instant(&record.at).ok()? }));
    accepted.or_else(denied).or_else(expired)
}

impl Settlement {
    /// As a status holds it: one of its three fields.
    #[must_use]
    pub fn records(&self) -> (Option<OverrideAcceptance>, Option<OverrideDenial>, Option<OverrideExpiry>) {
        match self {
            Self::Accepted { at, by, zone } => {
                let by = by.iter().map(ToString::to_string).collect();
                let time_zone = zone.name().to_owned();
                (Some(OverrideAcceptance { at: format_instant(*at), by, time_zone }), None, None)
            }
            Self::Denied { at, by } => {
                (None, Some(OverrideDenial { at: format_instant(*at), by: by.to_string() }), None)
            }
            Self::Expired { at } => (None, None, Some(OverrideExpiry { at: format_instant(*at) })),
        }
    }
}

impl Grant {
    /// With the record of acceptance that follows from what was decided for good: it is in force from its approval on, at the
    /// earliest.
    #[must_use]
    pub fn settled(mut self) -> Self {
        let Some(Settlement::Accepted { at, zone, .. }) = self.remembered.settlement.as_deref() else { return self };
        let acceptance = Acceptance {
            zone: *zone,
            term: None,
            grace: None,
            amount: None,
            since: None,
            length: None,
            follows: Some(Bound::At(*at)),
            chain: Chain {
                since: self.made(),
                uid: Arc::clone(&self.age.uid),
                name: Arc::clone(&self.age.name),
                day: 1,
            },
            spec: Arc::clone(&self.written),
        };
        self.accepted = Some(Arc::new(acceptance));
        self
    }
}

/// One person's yes or no.
#[must_use]
pub fn decision(one: &OverrideDecision) -> StatedDecision {
    let (metadata, spec) = (&one.metadata, &one.spec);
    StatedDecision {
        name: metadata.name.as_deref().unwrap_or_default().into(),
        namespace: metadata.namespace.as_deref().unwrap_or_default().into(),
        override_name: spec.override_.name.as_str().into(),
        override_uid: spec.override_.uid.as_str().into(),
        definition: spec.definition.as_str().into(),
        ruling: spec.decision,
        by: spec.decided_by.as_str().into(),
        comment: spec.comment.as_deref().map(Into::into),
        created: created(metadata).unwrap_or(Instant::MAX_UTC),
    }
}
