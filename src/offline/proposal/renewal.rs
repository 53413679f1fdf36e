//! A renewal: what follows a grant or a subscription, and states all that that one comes to state.

use super::{
    TermDate, Unclear,
    name::{check_free, free_name_of_year},
    renewed_grant, renewed_subscription,
};
use crate::{
    api::{
        GROUP, REASON, VERSION,
        lifecycle::{AmendmentState, State},
    },
    core::{
        calendar::{Bound, Instant, Tz, format_until},
        lifecycle::{AmendmentOutcome, Verdict},
        source::{SourceId, SourceKind, stated::StatedSource},
    },
    evaluation::{
        decision::{Decision, decide},
        subscriptions::SubscriptionDecision,
    },
    offline::{Inventory, Subject, zone_of},
};
use chrono::Datelike;
use serde_json::{Value, json};

/// What a renewal is to be.
#[derive(Clone, Debug, Default)]
pub struct RenewalRequest {
    /// The plan of that of a subscription; absent: the one that the renewed one had last.
    pub plan: Option<String>,
    /// When it ends; absent: after as long as the renewed one, or by the other plan.
    pub to: Option<TermDate>,
    /// What it is to be called.
    pub name: Option<String>,
    /// Why, for people.
    pub reason: Option<String>,
}

/// A renewal.
#[derive(Clone, Debug, PartialEq)]
pub struct Renewal {
    /// Which source of grants it is.
    pub id: SourceId,
    /// Its manifest.
    pub manifest: Value,
    /// What has to be known besides, in sentences.
    pub remarks: Vec<String>,
}

/// What is renewed, as it is written and decided.
pub(super) struct RenewedSource<'a> {
    pub id: &'a SourceId,
    pub object: &'a Value,
    pub source: &'a StatedSource,
    pub verdict: &'a Verdict,
    /// In which the dates of the renewal are.
    pub zone: Tz,
    pub now: Instant,
}

impl Inventory {
    /// The renewal of a grant or a subscription: `object` is its manifest.
    ///
    /// # Errors
    /// Where it cannot be renewed, or what is asked for is not clear.
    pub fn propose_renewal(
        &self,
        id: &SourceId,
        object: &Value,
        request: &RenewalRequest,
        now: Instant,
    ) -> Result<Renewal, Unclear> {
        let unknown = || Unclear::Usage(format!("there is no {} {id}", id.kind.noun()));
        let decision = self.decided_of(id, now).ok_or_else(unknown)?;
        let zone = zone_of(decision.standing.organization.as_deref());
        if let Some(decided) = subscription_of(&decision, id) {
            let stated = &decided.subscription.stated;
            let renewed = RenewedSource { id, object, source: &stated.source, verdict: &decided.verdict, zone, now };
            let begin = renewed.begin(decided.renewed_by.as_deref())?;
            let plan = self.renewal_plan(&renewed, decided, request.plan.as_deref())?;
            let mut renewal = self.renewal(&renewed, begin, request)?;
            renewed_subscription::state(&mut renewal, &renewed, &plan, begin);
            self.drop_ignored(&mut renewal, now);
            return Ok(renewal);
        }
        let members = decision.grants().map(|(_, member)| member);
        let member = members.into_iter().find(|one| one.grant.id.source == *id).ok_or_else(unknown)?;
        let renewed = RenewedSource { id, object, source: &member.grant.source, verdict: &member.verdict, zone, now };
        let begin = renewed.begin(member.renewed_by.as_deref())?;
        if request.plan.is_some() {
            return Err(Unclear::Usage(format!(
                "{id} is a grant of definition {}, which is to no plan: leave out --plan",
                member.grant.id.definition
            )));
        }
        let mut renewal = self.renewal(&renewed, begin, request)?;
        renewed_grant::state(&mut renewal, &renewed, member);
        renewal.remarks.extend(self.another_preset(member));
        Ok(renewal)
    }

    /// What is decided of the organization of a source.
    pub(super) fn decided_of(&self, id: &SourceId, now: Instant) -> Option<Decision> {
        let snapshot = self.snapshot_of(self.organization_of(id)?)?;
        Some(decide(&snapshot, now))
    }

    /// What every renewal states, whatever it is of.
    fn renewal(&self, renewed: &RenewedSource, begin: Instant, request: &RenewalRequest) -> Result<Renewal, Unclear> {
        let RenewedSource { id, source, zone, now, .. } = *renewed;
        let has_name = |name: &str| {
            let of_kind = |kind| SourceId::new(kind, &id.namespace, name);
            // What two kinds have in common has to be told apart whenever it is named.
            self.grants.contains_key(&of_kind(SourceKind::Instance))
                || self.subscriptions.contains_key(&of_kind(SourceKind::Subscription))
        };
        let name = match &request.name {
            Some(name) => {
                let is_taken = self.organization_of(&id.beside(name.as_str().into())).is_some();
                check_free(id.kind, &id.namespace, name, is_taken)?;
                name.clone()
            }
            None => free_name_of_year(&id.name, zone.local(begin).year(), has_name),
        };
        let mut metadata = json!({ "name": name, "namespace": &*id.namespace });
        if let Some(reason) = &request.reason {
            metadata["annotations"] = json!({ REASON: reason });
        }
        let mut spec = json!({ "organization": &*source.organization, "renews": &*id.name });
        if let Some(to) = request.to {
            spec["end"] = to.moment(now, zone).to_string().into();
        }
        if source.priority != 0 {
            spec["priority"] = source.priority.into();
        }
        if source.suspended {
            spec["suspended"] = true.into();
        }
        let manifest = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": Subject::source(id).kind.as_str(),
            "metadata": metadata,
            "spec": spec,
        });
        let remarks = renewed.remarks(begin).into_iter().chain(self.rivals(renewed)).collect();
        Ok(Renewal { id: id.beside(name.into()), manifest, remarks })
    }

    /// Others that name what is renewed, and do not count as its renewal.
    fn rivals(&self, renewed: &RenewedSource) -> Vec<String> {
        let RenewedSource { id, source, .. } = renewed;
        let of_grants = self.grants.values().map(|grant| &grant.source);
        let sources = of_grants.chain(self.subscriptions.values().map(|subscription| &subscription.stated.source));
        let names_it = |other: &&StatedSource| {
            let renews = other.renews.clone().map(|name| other.age.id().beside(name));
            renews.as_ref() == Some(*id) && other.organization == source.organization
        };
        let rivals = sources.filter(names_it).filter(|other| other.state != State::Cancelled);
        let told = rivals.map(|other| {
            let what = if other.state == State::Draft { "is a Draft" } else { "is refused" };
            format!("{} is to renew it too, and {what}: this is another renewal", other.age.id())
        });
        told.collect()
    }
}

impl RenewedSource<'_> {
    /// When its renewal begins.
    fn begin(&self, renewed_by: Option<&str>) -> Result<Instant, Unclear> {
        let Self { id, source, verdict, .. } = self;
        let impossible = |why: String| Err(Unclear::Impossible(format!("{id} {why}")));
        if source.state == State::Draft {
            return impossible("is a Draft, which has nothing to renew: activate it first".to_owned());
        }
        if let Some(refusal) = &verdict.refusal {
            return impossible(format!("is refused itself: {}: {}", refusal.reason.as_str(), refusal.message));
        }
        if let Some(renewal) = renewed_by {
            return impossible(format!("is renewed already by {renewal}: renew that one instead, or cancel it first"));
        }
        if source.state == State::Cancelled {
            return Ok(self.now);
        }
        match verdict.final_end.instant() {
            Bound::At(end) => Ok(end),
            Bound::Never => {
                impossible("has no end, so nothing can follow it: give it an end by an amendment first".to_owned())
            }
        }
    }

    /// The amendments that count before the renewal begins, in the order in which they do.
    pub fn amendments(&self) -> impl DoubleEndedIterator<Item = &AmendmentOutcome> {
        let is_active = self.source.state == State::Active;
        self.verdict.amendments.iter().filter(move |outcome| match outcome.state {
            AmendmentState::Effective => true,
            // What was cancelled comes to nothing more.
            AmendmentState::Pending => is_active,
            AmendmentState::Ignored | AmendmentState::Revoked => false,
        })
    }

    /// A field of its spec, as it is written.
    pub fn written(&self, field: &str) -> Option<&Value> {
        self.object.get("spec")?.get(field).filter(|value| !value.is_null())
    }

    /// A field of one of its amendments, as it is written.
    pub fn amended(&self, outcome: &AmendmentOutcome, field: &str) -> Option<&Value> {
        self.written("amendments")?.get(outcome.index)?.get(field).filter(|value| !value.is_null())
    }

    fn remarks(&self, begin: Instant) -> Vec<String> {
        let Self { id, source, verdict, now, .. } = self;
        let mut remarks = Vec::new();
        if source.state == State::Cancelled {
            remarks.push(format!("{id} is cancelled, so its renewal follows nothing: it begins when it is made"));
        } else if begin <= *now
            && let Bound::At(end) = verdict.final_end
        {
            remarks.push(format!(
                "{id} ended with {}, and the term of its renewal counts from then on",
                format_until(end)
            ));
        }
        let pending = self.amendments().filter(|outcome| outcome.state == AmendmentState::Pending);
        // A new end is no more than when the renewal begins.
        let tells = |outcome: &&AmendmentOutcome| {
            ["amount", "channels", "facets", "plan"].iter().any(|field| self.amended(outcome, field).is_some())
        };
        remarks.extend(pending.filter(tells).map(|outcome| {
            let text = |field| self.amended(outcome, field).and_then(Value::as_str).unwrap_or_default();
            format!("its amendment {}, which counts from {} on, is in the renewal", text("name"), text("effective"))
        }));
        if source.suspended {
            remarks.push(format!("{id} is suspended, and so is its renewal: suspended: true is in it, too"));
        }
        remarks
    }
}

/// What is decided of a subscription.
pub(super) fn subscription_of<'a>(decision: &'a Decision, id: &SourceId) -> Option<&'a SubscriptionDecision> {
    decision.subscriptions.iter().map(AsRef::as_ref).find(|decided| decided.subscription.id() == *id)
}
