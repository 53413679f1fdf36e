//! One grant: its phase, term, and amount, and where they come from.

use super::{
    exception::{self, ExceptionExplanation},
    subscription::{self, PartExplanation, RemovalExplanation},
};
use crate::{
    api::{
        ConditionStatus, Organization, Phase,
        conditions::{ACCEPTED, DELIVERED, ENTITLED},
        entitlement_definition::{Aggregation, Rollout},
        lifecycle::{AmendmentState, Transition},
    },
    core::{
        amount::Amount,
        approval::ApprovalOutcome,
        calendar::{Bound, Instant, format_instant, parse_instant},
        facets::{Layer, LayerNames},
        grant::{Grant, GrantAmendment, GrantId, RememberedCondition},
        precedence::Adding,
        problem::Problem,
        reason::ReasonCode,
        source::{SourceId, SourceKind},
        subscription::PartOrigin,
    },
    evaluation::{
        holding::{Holding, Member},
        subscriptions::{Right, SubscriptionDecision},
    },
};
use chrono::TimeDelta;
use serde::Serialize;
use std::{collections::BTreeSet, sync::Arc};

/// What gave a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// What kind of thing.
    pub kind: OriginKind,
    /// The source of the grant that gave it, by the field of its kind: `namespace/name`.
    #[serde(flatten)]
    pub source: Option<SourceId>,
    /// What of that source it is: its plan, entry or amendment.
    #[serde(flatten)]
    pub names: LayerNames,
}

/// What kind of thing gave a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum OriginKind {
    /// The schema of the facet.
    Default,
    /// The definition: a preset, its term, its amount where that is for everyone.
    Definition,
    /// What the definition gave when the grant was accepted.
    Agreement,
    /// An amendment of the grant.
    Amendment,
    /// The plan in force of a subscription.
    Plan,
    /// An add-on of a subscription.
    AddOn,
    /// What a subscription configures.
    Configure,
    /// What a subscription adds.
    Add,
    /// The grant that it renews.
    Renewal,
    /// The moment at which the grant was made.
    Creation,
    /// The moment at which an override was approved.
    Approval,
    /// What a source of that kind states.
    #[serde(untagged)]
    Source(SourceKind),
}

impl Origin {
    pub(super) fn of(kind: OriginKind, source: Option<SourceId>) -> Self {
        Self { kind, source, names: LayerNames::default() }
    }
}

/// What suspends a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Suspension {
    /// The grant itself.
    Grant,
    /// Its organization.
    Organization,
}

/// What has become of an amendment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AmendmentExplanation {
    /// Its name.
    pub name: String,
    /// From when on it counts, as written where that cannot be read.
    pub effective: Option<String>,
    /// Whether it counts.
    pub state: AmendmentState,
    /// The new plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Arc<str>>,
    /// The new amount.
    pub amount: Option<String>,
    /// The new end, as written.
    pub end: Option<String>,
    /// Whether it changes facets.
    pub facets: bool,
    /// Why it was made, for people.
    pub reason: Option<String>,
    /// Why it is ignored.
    pub message: Option<String>,
}

/// One grant, and why it is as it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own, that an answer tells")]
pub struct GrantExplanation {
    /// Its source, by the field of its kind: `namespace/name`.
    #[serde(flatten)]
    pub source: SourceId,
    /// Its phase.
    pub phase: Phase,
    /// Why it is refused; of a draft, why activating it would be.
    pub refusal: Option<String>,
    /// What suspends it.
    pub suspended_by: Option<Suspension>,
    /// Whether it is suspended by itself, in force by then or not.
    #[serde(skip)]
    pub is_suspended: bool,
    /// When it was last withdrawn or put in force, as its status remembers.
    pub since: Option<String>,
    /// When it was put in force or withdrawn otherwise than its term has it, as its status remembers: resumed, suspended,
    /// cancelled.
    #[serde(serialize_with = "instant_text")]
    pub turned: Option<Instant>,
    /// The first moment of its term.
    pub start: Option<String>,
    /// What gave the start.
    pub start_origin: Option<Origin>,
    /// The first moment after its term; absent where never.
    pub end: Option<String>,
    /// The last day of its term, as its status has it for people.
    #[serde(skip)]
    pub until: Option<String>,
    /// What gave the end.
    pub end_origin: Option<Origin>,
    /// Until when the configuration stays, where that is later than the end.
    pub grace_until: Option<String>,
    /// Its amount; absent for a Feature.
    pub amount: Option<String>,
    /// What gave the amount.
    pub amount_origin: Option<Origin>,
    /// What it is made of, where it is a subscription's: what comes with plan and add-ons, and what was agreed with this client alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartExplanation>,
    /// What keeps away what plan and add-ons would give of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed_by: Option<RemovalExplanation>,
    /// Whether its amount is the catalogue's, and was another if that was: none was agreed on record, and it states none.
    #[serde(skip)]
    pub hangs_on_the_catalogue: bool,
    /// Whether the amount is part of the total.
    pub counts: bool,
    /// Whether its values have a part in the configuration; false where they do not go together with those before it.
    pub takes_part: bool,
    /// Of an override: who asked for it and why, and what others say to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exception: Option<ExceptionExplanation>,
    /// The higher, the earlier its values count.
    pub priority: i32,
    /// The grant that it renews.
    pub renews: Option<Arc<str>>,
    /// The grant that renews it.
    pub renewed_by: Option<Arc<str>>,
    /// Its amendments.
    pub amendments: Vec<AmendmentExplanation>,
    /// What else is wrong with it.
    pub problem: Option<String>,
    /// Why not all of it is delivered, as its status remembers.
    pub undelivered: Option<String>,
    /// Its next change by time alone.
    pub next: Option<Transition>,
}

impl GrantExplanation {
    /// Whether it may have been in force before a moment.
    #[must_use]
    pub fn began_before(&self, at: Instant) -> bool {
        let is_new = matches!(self.phase, Phase::Draft | Phase::Rejected | Phase::Waiting) && self.turned.is_none();
        let start = self.start.as_deref().and_then(|start| parse_instant(start).ok());
        !is_new && start.is_none_or(|start| start < at)
    }

    /// Whether its term was over at a moment, grace included.
    #[must_use]
    pub fn is_over_at(&self, at: Instant) -> bool {
        let over = self.grace_until.as_deref().or(self.end.as_deref());
        over.and_then(|over| parse_instant(over).ok()).is_some_and(|over| over <= at)
    }
}

/// One grant, and why it is as it is; with the decision about the subscription that gives it, if one does.
pub fn explain(
    holding: &Holding,
    member: &Member,
    unready: Option<&Problem>,
    organization: Option<&Organization>,
    taking_part: &BTreeSet<GrantId>,
    given_by: Option<&SubscriptionDecision>,
    now: Instant,
) -> GrantExplanation {
    let grant = &member.grant;
    let verdict = &member.verdict;
    let of_term = verdict.term.and_then(|_| verdict.end.instant().at());
    let over = verdict.term.map(|term| term.after_grace(verdict.end));
    // What a subscription gives for a while begins and ends by itself.
    let given = member.right.as_deref().and_then(|right| subscription::given(right, now));
    let start = begin(member, now);
    let cut = given.and_then(|given| given.until.at()).filter(|until| of_term.is_none_or(|end| *until < end));
    let end = cut.or(of_term);
    let over = if cut.is_some() { None } else { over };
    GrantExplanation {
        source: grant.id.source.clone(),
        phase: verdict.phase,
        refusal: verdict.refusal.as_ref().map(|refusal| refusal.message.clone()),
        suspended_by: suspension(member, organization),
        is_suspended: grant.suspended,
        since: since(grant, verdict.phase),
        turned: turned(member, now),
        start: start.map(format_instant),
        start_origin: start.map(|start| match member.start() {
            Some(of_term) if of_term == start => start_origin(member),
            _ => Origin::of(OriginKind::Source(grant.id.source.kind), None),
        }),
        end: end.map(format_instant),
        until: member.until().filter(|_| cut.is_none()),
        end_origin: end.map(|_| match cut {
            Some(_) => Origin::of(OriginKind::Source(grant.id.source.kind), None),
            None => end_origin(member),
        }),
        grace_until: over.and_then(Bound::at).filter(|over| end.is_some_and(|end| end < *over)).map(format_instant),
        amount: member.amount.map(|amount| amount.to_string()),
        amount_origin: member.amount.map(|_| amount_origin(holding, member, now)),
        parts: given_by.map(|decided| subscription::parts(decided, member)).unwrap_or_default(),
        removed_by: given_by.and_then(|decided| subscription::removal(decided, member)),
        hangs_on_the_catalogue: hangs_on_the_catalogue(holding, member),
        counts: counts(holding, member),
        takes_part: taking_part.contains(&grant.id),
        exception: exception::explain(member),
        priority: grant.priority,
        renews: grant.renews.clone(),
        renewed_by: member.renewed_by.clone().filter(|_| cut.is_none()),
        amendments: amendments(member),
        problem: problem(member, unready),
        undelivered: undelivered(member, unready, now),
        next: member.change.map(|change| Transition { at: format_instant(change.at), phase: change.phase }),
    }
}

/// The first moment of its term; of what a subscription gives for a while, the first of that.
fn begin(member: &Member, now: Instant) -> Option<Instant> {
    let given = member.right.as_deref().and_then(|right| subscription::given(right, now));
    member.start().max(given.map(|given| given.from))
}

fn hangs_on_the_catalogue(holding: &Holding, member: &Member) -> bool {
    let is_agreed = holding.definition().is_none_or(|definition| definition.rollout == Rollout::Agreed)
        && member.grant.accepted.as_ref().is_some_and(|record| record.amount.is_some());
    // A subscription goes by its record, which says of every amount where it comes from.
    member.right.is_none() && member.amount.is_some() && member.grant.amount.is_none() && !is_agreed
}

/// The operator may be late, and a grant is made after its start.
const LATE: TimeDelta = TimeDelta::minutes(10);

/// When it went in or out of force at no moment at which its term does so.
fn turned(member: &Member, now: Instant) -> Option<Instant> {
    let entitled = remembered(&member.grant, ENTITLED)?;
    let is_in_force = member.verdict.phase.is_in_force();
    if entitled.observation.status != is_in_force.into() {
        return None;
    }
    let at = parse_instant(&entitled.since).ok().filter(|at| *at <= now)?;
    let start = begin(member, now).unwrap_or(member.grant.created);
    if at < start && member.right.is_some() {
        return None;
    }
    let begun = start.max(member.grant.created);
    // A grant that is judged for the first time after its start is put in force in that moment.
    let judged = remembered(&member.grant, ACCEPTED).filter(|one| one.observation.status == ConditionStatus::True);
    let judged = judged.and_then(|accepted| parse_instant(&accepted.since).ok());
    let is_after_its_beginning = at > begun + LATE || judged.is_some_and(|judged| start <= judged && judged < at);
    let over = member.verdict.term.and_then(|term| term.after_grace(member.verdict.end).at());
    let is_before_its_end = is_in_force || over.is_none_or(|over| at + LATE < over);
    (is_after_its_beginning && is_before_its_end && member.verdict.phase != Phase::Waiting).then_some(at)
}

/// What its status says of the delivery, where the evaluation has nothing against it.
fn undelivered(member: &Member, unready: Option<&Problem>, now: Instant) -> Option<String> {
    let delivered =
        remembered(&member.grant, DELIVERED).filter(|one| one.observation.status == ConditionStatus::False)?;
    let is_past = parse_instant(&delivered.since).is_ok_and(|at| at <= now);
    let is_told = problem(member, unready).is_some();
    (is_past && !is_told && member.verdict.phase.is_in_force()).then(|| delivered.observation.message.clone())
}

fn remembered<'a>(grant: &'a Grant, type_: &str) -> Option<&'a RememberedCondition> {
    grant.remembered.conditions.iter().find(|condition| condition.observation.type_ == type_)
}

#[allow(clippy::ref_option, reason = "serde calls it so")]
fn instant_text<S: serde::Serializer>(instant: &Option<Instant>, serializer: S) -> Result<S::Ok, S::Error> {
    serde::Serialize::serialize(&instant.map(format_instant), serializer)
}

/// What keeps it from being ready, but for a refusal, which is told by itself.
fn problem(member: &Member, unready: Option<&Problem>) -> Option<String> {
    // That something was not seen is nothing that is wrong with it.
    let is_told = |problem: &&Problem| {
        matches!(member.verdict.phase, Phase::Rejected | Phase::Requested)
            || problem.reason == ReasonCode::SecretNotSeen
    };
    unready.filter(|problem| !is_told(problem)).map(|problem| problem.message.clone())
}

fn suspension(member: &Member, organization: Option<&Organization>) -> Option<Suspension> {
    if member.verdict.phase != Phase::Suspended {
        return None;
    }
    let is_organizations = organization.is_some_and(|organization| organization.spec.suspended);
    Some(if is_organizations { Suspension::Organization } else { Suspension::Grant })
}

fn since(grant: &Grant, phase: Phase) -> Option<String> {
    let entitled = remembered(grant, ENTITLED)?;
    (entitled.observation.status == phase.is_in_force().into()).then(|| entitled.since.to_string())
}

fn start_origin(member: &Member) -> Origin {
    let grant = &member.grant;
    if let Some(approval) = &member.approval {
        let is_later = matches!(approval.outcome, ApprovalOutcome::Approved { at, .. } if member.start() == Some(at));
        let is_stated = grant.start.is_some() && !is_later;
        let kind = if is_stated { OriginKind::Source(grant.id.source.kind) } else { OriginKind::Approval };
        return Origin::of(kind, None);
    }
    let follows = member.verdict.acceptance.as_ref().and_then(|accepted| accepted.follows).and_then(Bound::at);
    if grant.renews.is_some() && follows == member.start() {
        return Origin::of(OriginKind::Renewal, None);
    }
    let kind = if grant.start.is_some() { OriginKind::Source(grant.id.source.kind) } else { OriginKind::Creation };
    Origin::of(kind, None)
}

fn end_origin(member: &Member) -> Origin {
    let grant = &member.grant;
    if let Some(amendment) = last_effective(member, |amendment| matches!(amendment.end, Some(Ok(_)))) {
        return by_amendment(amendment);
    }
    let has_length = || member.verdict.acceptance.as_ref().is_none_or(|accepted| accepted.length.is_some());
    let kind = match (&grant.end, &grant.renews) {
        (Some(_), _) => OriginKind::Source(grant.id.source.kind),
        (None, Some(_)) if has_length() => OriginKind::Renewal,
        (None, _) => OriginKind::Definition,
    };
    Origin::of(kind, None)
}

fn amount_origin(holding: &Holding, member: &Member, now: Instant) -> Origin {
    if let Some(right) = member.right.as_deref() {
        return right_origin(right, member, now);
    }
    if let Some(amendment) = last_effective(member, |amendment| amendment.amount().is_some()) {
        return by_amendment(amendment);
    }
    let is_agreed = holding.definition().is_none_or(|definition| definition.rollout == Rollout::Agreed);
    let kind = match member.grant.amount {
        Some(Ok(_)) => OriginKind::Source(member.grant.id.source.kind),
        _ if is_agreed && member.verdict.acceptance.is_some() => OriginKind::Agreement,
        _ => OriginKind::Definition,
    };
    Origin::of(kind, None)
}

/// What gives all of it, where that is one thing; else the subscription.
fn right_origin(right: &Right, member: &Member, now: Instant) -> Origin {
    let parts = right.told(now).map(|piece| piece.parts.as_slice()).unwrap_or_default();
    let only = match parts {
        [only] => right.parts.get(*only).map(|part| &part.origin),
        _ => None,
    };
    let (kind, layer) = match only {
        Some(PartOrigin::Plan { plan, .. }) => (OriginKind::Plan, Layer::Plan(Arc::clone(plan))),
        Some(PartOrigin::AddOn { name, .. }) => (OriginKind::AddOn, Layer::AddOn(Arc::clone(name))),
        Some(PartOrigin::Add { name }) => (OriginKind::Add, Layer::Add(Arc::clone(name))),
        Some(PartOrigin::Remembered) | None => {
            return Origin::of(OriginKind::Source(member.grant.id.source.kind), None);
        }
    };
    Origin { names: layer.names(), ..Origin::of(kind, None) }
}

fn by_amendment(amendment: &GrantAmendment) -> Origin {
    let names = Layer::Amendment(amendment.name.clone()).names();
    Origin { names, ..Origin::of(OriginKind::Amendment, None) }
}

/// Amendments are decided in the order in which they count, so the last one holds.
fn last_effective(member: &Member, gives: impl Fn(&GrantAmendment) -> bool) -> Option<&GrantAmendment> {
    let effective = member.verdict.effective().filter_map(|index| member.grant.amendments.get(index));
    effective.rev().find(|amendment| gives(amendment))
}

/// Where `Max` or an `Unlimited` decides, only those that have it do. What comes on top counts beside the greatest.
fn counts(holding: &Holding, member: &Member) -> bool {
    let (Some(amount), Some(total)) = (member.amount, holding.total()) else { return false };
    if !member.verdict.phase.is_in_force() {
        return false;
    }
    if total == Amount::Unlimited {
        return amount == total;
    }
    let is_sum = holding.definition().is_some_and(|definition| definition.aggregation == Aggregation::Sum);
    is_sum || member.addition() == Adding::OnTop || Some(amount) == greatest(holding)
}

/// The greatest of what does not come on top.
fn greatest(holding: &Holding) -> Option<Amount> {
    let aggregated = holding.members_in_force().filter(|member| member.addition() == Adding::ByAggregation);
    aggregated.filter_map(|member| member.amount).reduce(|one, other| one.together(other, Aggregation::Max))
}

fn amendments(member: &Member) -> Vec<AmendmentExplanation> {
    let parts = member.grant.amendments.iter().zip(member.amendment_outcomes());
    parts
        .map(|(amendment, (state, message))| AmendmentExplanation {
            name: amendment.name.clone(),
            effective: amendment.effective.as_ref().ok().map(ToString::to_string),
            state,
            plan: None,
            amount: amendment.amount().map(|amount| amount.to_string()),
            end: amendment.end.as_ref().and_then(|end| end.as_ref().ok()).map(ToString::to_string),
            facets: amendment.facets.is_some(),
            reason: amendment.reason.clone(),
            message,
        })
        .collect()
}
