//! The instance: an EntitlementInstance grants one organization one definition.
//!
//! Reading never fails. What cannot be read is kept as such, and is a reason to refuse the grant later.

use super::{
    SourceId, SourceKind,
    stated::{StatedAmendment, StatedSource, WrittenLifecycle},
};
use crate::{
    api::{EntitlementInstance, EntitlementInstanceSpec, EntitlementInstanceStatus, entitlement_instance},
    core::{
        amount::Amount,
        grant::{Grant, GrantAmendment, GrantId, Remembered, RememberedCondition, StatedGrant},
        usage::caps,
    },
};
use std::sync::Arc;

/// The one grant that an instance yields, with what its status remembers.
#[must_use]
pub fn grant(instance: &EntitlementInstance) -> Grant {
    let metadata = &instance.metadata;
    let spec = &instance.spec;
    let source = StatedSource::read(SourceKind::Instance, metadata, &written(spec));
    let grant = Grant::new(StatedGrant {
        id: GrantId { source: source.age.id(), definition: spec.definition.as_str().into() },
        source,
        amount: spec.amount.as_ref().map(Amount::read),
        channels: caps::stated(&spec.channels),
        facets: Arc::new(spec.facets.clone()),
        secret_facets: spec.secret_facets.clone(),
        amendments: spec.amendments.iter().map(amendment).collect(),
        request: None,
    });
    match &instance.status {
        Some(status) => remembering(grant, status),
        None => grant,
    }
}

/// Which source an instance is.
#[must_use]
pub fn id(instance: &EntitlementInstance) -> SourceId {
    let metadata = &instance.metadata;
    SourceId::instance(metadata.namespace.as_deref().unwrap_or_default(), metadata.name.as_deref().unwrap_or_default())
}

/// The grant of an instance with what another status of it remembers.
#[must_use]
pub fn remembering(grant: Grant, status: &EntitlementInstanceStatus) -> Grant {
    let remembered = Remembered {
        phase: status.phase,
        facets: status.facets.clone().map(Arc::new),
        notices: status.notices.clone(),
        conditions: status.conditions.iter().map(RememberedCondition::from).collect(),
        settlement: None,
    };
    grant.remembering(status.accepted.as_ref(), remembered)
}

fn written(spec: &EntitlementInstanceSpec) -> WrittenLifecycle<'_> {
    WrittenLifecycle {
        organization: &spec.organization,
        state: spec.state,
        start: spec.start.as_deref(),
        end: spec.end.as_deref(),
        renews: spec.renews.as_deref(),
        suspended: spec.suspended,
        priority: spec.priority,
    }
}

fn amendment(amendment: &entitlement_instance::Amendment) -> GrantAmendment {
    GrantAmendment {
        stated: StatedAmendment {
            name: amendment.name.clone(),
            effective: amendment.effective.parse(),
            end: amendment.end.as_deref().map(str::parse),
            written_end: amendment.end.clone(),
            reason: amendment.reason.clone(),
            revoked: amendment.revoked,
        },
        amount: amendment.amount.as_ref().map(Amount::read),
        channels: amendment.channels.as_deref().map(caps::read),
        facets: amendment.facets.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::grant;
    use crate::api::{EntitlementInstance, Phase};
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

    #[test]
    fn of_a_status_it_is_remembered_what_may_be() {
        let status = json!({
            "phase": "Active",
            "facets": {"backup": {"retention": 90}},
            "notices": [{"before": "P30D", "end": "2027-01-31T00:00:00Z", "at": "2027-01-01T00:00:00Z"}],
        });
        let remembered = grant(&instance(&json!({}), &json!({}), &status)).remembered;
        assert_eq!(remembered.phase, Some(Phase::Active));
        assert_eq!(serde_json::to_value(remembered.facets).unwrap(), status["facets"]);
        assert_eq!(serde_json::to_value(remembered.notices).unwrap(), status["notices"]);
    }
}
