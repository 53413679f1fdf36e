//! A change of a subscription's plan, by an amendment.

use super::{Proposal, TermDate, Unclear, change::as_written, name::free_name};
use crate::{
    api::{
        EntitlementSubscriptionStatus, GROUP, Phase, VERSION,
        entitlement_plan::PlanType,
        lifecycle::{SourceStatus, State},
    },
    core::{
        calendar::{Instant, Moment},
        schema::{merge, wording::closest},
        source::SourceId,
    },
    offline::{EntitlementKind, Inventory},
};
use serde_json::{Value, json};

/// What a subscription is to change to.
#[derive(Clone, Debug)]
pub struct PlanRequest {
    /// The plan.
    pub plan: String,
    /// From when on; absent: from now on.
    pub at: Option<TermDate>,
    /// Why, for people.
    pub reason: Option<String>,
}

impl Inventory {
    /// The change of a subscription to another plan: `object` is its manifest, and `status` its present status. The patch has what
    /// names the object, so it is a merge patch as well as a configuration for server-side apply.
    ///
    /// # Errors
    /// Where it cannot be, or is not clear.
    pub fn propose_plan(
        &self,
        id: &SourceId,
        object: &Value,
        status: &EntitlementSubscriptionStatus,
        request: &PlanRequest,
        now: Instant,
    ) -> Result<Proposal, Unclear> {
        let Some(subscription) = self.subscriptions.get(id) else {
            return Err(Unclear::Usage(format!("there is no subscription {id}")));
        };
        check_state(id, subscription.state, status)?;
        self.check_plan(&request.plan)?;
        let is_draft = subscription.state == State::Draft;
        let is_settled = subscription.amendments.iter().all(|one| one.plan.is_none() || one.revoked);
        let present = if is_draft { Some(&*subscription.plan) } else { status.plan.as_deref() };
        if present == Some(request.plan.as_str()) && is_settled {
            return Err(Unclear::Usage(format!("{id} is to the plan {} already: name another", request.plan)));
        }
        let spec = if is_draft {
            json!({ "plan": request.plan })
        } else {
            let zone = self.zone_of(&subscription.stated.source, status.lifecycle());
            let effective = request.at.map_or(Moment::Time(now), |at| at.moment(now, zone));
            let is_taken = |name: &str| subscription.amendments.iter().any(|other| other.name == name);
            let mut amendment = json!({
                "name": free_name(&format!("change-to-{}", request.plan), is_taken),
                "effective": effective.to_string(),
                "plan": request.plan,
            });
            if let Some(reason) = &request.reason {
                amendment["reason"] = reason.as_str().into();
            }
            let mut amendments =
                object.pointer("/spec/amendments").and_then(Value::as_array).cloned().unwrap_or_default();
            amendments.push(amendment);
            json!({ "amendments": amendments })
        };
        let patch = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": EntitlementKind::EntitlementSubscription.as_str(),
            "metadata": { "name": &*id.name, "namespace": &*id.namespace },
            "spec": spec,
        });
        let mut manifest = as_written(object);
        if let (Some(fields), Some(changes)) = (manifest.as_object_mut(), patch.as_object()) {
            merge(fields, changes);
        }
        Ok(Proposal::Change { manifest, patch, remarks: Vec::new() })
    }

    /// Whether there is such a plan, and it can be subscribed to.
    pub(super) fn check_plan(&self, plan: &str) -> Result<(), Unclear> {
        let known: Vec<&str> = self.names(EntitlementKind::EntitlementPlan);
        let Some(found) = self.plans.get(plan) else {
            let advice = match (closest(plan, &known), known.as_slice()) {
                (Some(near), _) => format!("did you mean {near}?"),
                (None, []) => "there is none at all".to_owned(),
                (None, _) => "look at its spelling".to_owned(),
            };
            return Err(Unclear::Usage(format!("there is no plan {plan}: {advice}")));
        };
        if found.spec.type_ == PlanType::AddOn {
            return Err(Unclear::Usage(format!(
                "plan {plan} is an AddOn, which is added to a plan: add an entry to spec.addOns of the subscription"
            )));
        }
        Ok(())
    }
}

fn check_state(id: &SourceId, state: State, status: &EntitlementSubscriptionStatus) -> Result<(), Unclear> {
    match (state, status.phase) {
        (State::Cancelled, _) => {
            Err(Unclear::Impossible(format!("{id} is cancelled, and stays so: make a new subscription")))
        }
        (_, Some(Phase::Expired)) => {
            Err(Unclear::Impossible(format!("{id} is over: make a new subscription that renews it")))
        }
        (State::Active, Some(Phase::Rejected)) => Err(Unclear::Impossible(format!(
            "{id} is refused, so there is nothing to change: see entitlement-operator validate"
        ))),
        _ => Ok(()),
    }
}
