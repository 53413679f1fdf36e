//! A subscription's spec, read.

use super::{AddOn, Addition, Configuration, PlanAmendment, Removal, StatedSubscription, StatedWindow};
use crate::{
    api::{
        EntitlementSubscription, EntitlementSubscriptionSpec,
        entitlement_subscription::{AddEntry, AddOnEntry, RemoveEntry, SubscriptionAmendment},
    },
    core::{
        amount::Amount,
        source::{
            SourceKind,
            stated::{StatedAmendment, StatedSource, WrittenLifecycle},
        },
        usage::caps,
    },
};
use std::sync::Arc;

/// What it states.
pub fn stated(object: &EntitlementSubscription) -> StatedSubscription {
    let spec = &object.spec;
    StatedSubscription {
        source: StatedSource::read(SourceKind::Subscription, &object.metadata, &written(spec)),
        plan: spec.plan.as_str().into(),
        agreement: spec.agreement.as_str().into(),
        add_ons: spec.add_ons.iter().map(add_on).collect(),
        add: spec.add.iter().map(addition).collect(),
        remove: spec.remove.iter().map(removal).collect(),
        configure: spec
            .configure
            .iter()
            .enumerate()
            .map(|(index, entry)| {
                let facets = Arc::new(entry.facets.clone());
                let configuration = Configuration { index, facets, secret_facets: entry.secret_facets.clone() };
                (entry.definition.as_str().into(), configuration)
            })
            .collect(),
        amendments: spec.amendments.iter().map(amendment).collect(),
    }
}

fn written(spec: &EntitlementSubscriptionSpec) -> WrittenLifecycle<'_> {
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

fn add_on(entry: &AddOnEntry) -> AddOn {
    AddOn {
        name: entry.name.as_str().into(),
        plan: entry.plan.as_str().into(),
        quantity: entry.quantity,
        window: StatedWindow::of(entry.start.as_deref(), entry.end.as_deref()),
        reason: entry.reason.clone(),
    }
}

fn addition(entry: &AddEntry) -> Addition {
    Addition {
        name: entry.name.as_str().into(),
        definition: entry.definition.as_str().into(),
        amount: entry.amount.as_ref().map(Amount::read),
        channels: caps::stated(&entry.channels),
        facets: Arc::new(entry.facets.clone()),
        window: StatedWindow::of(entry.start.as_deref(), entry.end.as_deref()),
        reason: entry.reason.clone(),
    }
}

fn removal(entry: &RemoveEntry) -> Removal {
    Removal {
        name: entry.name.as_str().into(),
        definition: entry.definition.as_str().into(),
        window: StatedWindow::of(entry.start.as_deref(), entry.end.as_deref()),
        reason: entry.reason.clone(),
    }
}

fn amendment(amendment: &SubscriptionAmendment) -> PlanAmendment {
    PlanAmendment {
        stated: StatedAmendment {
            name: amendment.name.clone(),
            effective: amendment.effective.parse(),
            end: amendment.end.as_deref().map(str::parse),
            written_end: amendment.end.clone(),
            reason: amendment.reason.clone(),
            revoked: amendment.revoked,
        },
        plan: amendment.plan.as_deref().map(Into::into),
    }
}
