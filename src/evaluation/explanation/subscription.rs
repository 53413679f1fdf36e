//! A subscription: how it stands, and what it gives of one definition, and why.

use super::grant::AmendmentExplanation;
use crate::{
    api::{
        Phase,
        lifecycle::{AmendmentState, State, Transition},
    },
    core::{
        calendar::{Bound, Instant, format_instant, format_until},
        source::{SourceId, subscription::Subscription},
        subscription::{PartOrigin, Removed, Window},
    },
    evaluation::{
        holding::Member,
        subscriptions::{Right, SubscriptionDecision},
        summary::part_source,
    },
    render::summary::PartSource,
};
use serde::Serialize;
use std::sync::Arc;

/// How one part of what a subscription gives of a definition stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum PartStanding {
    /// It counts.
    InForce,
    /// It begins later.
    Waiting,
    /// It is over.
    Expired,
    /// A removal keeps it away.
    Removed,
}

/// One part of what a subscription gives of a definition.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PartExplanation {
    /// Where it comes from, how much it is, and when.
    #[serde(flatten)]
    pub part: PartSource,
    /// Whether it was agreed with this client alone, and does not come with a plan or an add-on.
    pub explicit: bool,
    /// How it stands.
    pub standing: PartStanding,
    /// Why the client has it, for people.
    pub reason: Option<String>,
}

/// What keeps parts away.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RemovalExplanation {
    /// The definition.
    pub definition: Arc<str>,
    /// The entry's name.
    pub name: Arc<str>,
    /// The first moment after it; absent where that is the end of the subscription.
    pub until: Option<String>,
    /// Why, for people.
    pub reason: Option<String>,
}

/// A subscription, and why it stands as it does.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionExplanation {
    /// Which: `subscription`, as `namespace/name`.
    #[serde(flatten)]
    pub source: SourceId,
    /// Its phase.
    pub phase: Phase,
    /// Why it is refused; of a draft, why activating it would be.
    pub refusal: Option<String>,
    /// The plan in force.
    pub plan: Arc<str>,
    /// The first moment of its term.
    pub start: Option<String>,
    /// The first moment after its term; absent where never.
    pub end: Option<String>,
    /// The last day of its term, as its status has it for people.
    #[serde(skip)]
    pub until: Option<String>,
    /// The subscription that it renews.
    pub renews: Option<Arc<str>>,
    /// The subscription that renews it.
    pub renewed_by: Option<Arc<str>>,
    /// Its amendments.
    pub amendments: Vec<AmendmentExplanation>,
    /// What only a removal keeps away.
    pub removed: Vec<RemovalExplanation>,
    /// What there is to say about its entries and its plan.
    pub notes: Vec<EntryExplanation>,
    /// What is wrong with it, refused or not.
    pub problem: Option<String>,
    /// Its next change by time alone, of what it gives too.
    pub next: Option<Transition>,
}

/// What there is to say about an entry, or about the plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryExplanation {
    /// Whether something of it does not count as it is written.
    pub ignored: bool,
    /// What.
    pub message: String,
}

/// How a subscription stands.
pub fn explain(decided: &SubscriptionDecision) -> SubscriptionExplanation {
    let SubscriptionDecision { subscription, verdict, .. } = decided;
    let is_over = matches!(verdict.phase, Phase::Cancelled | Phase::Expired);
    let is_agreed = verdict.refusal.is_none() && subscription.state != State::Draft;
    let plan_note = decided.plan_note.iter().filter(|_| is_agreed);
    let notes = plan_note.map(|note| EntryExplanation { ignored: false, message: note.clone() });
    let entries = decided.notes.iter();
    let notes =
        notes.chain(entries.map(|note| EntryExplanation { ignored: note.is_ignored, message: note.to_string() }));
    SubscriptionExplanation {
        source: subscription.id(),
        phase: verdict.phase,
        refusal: verdict.refusal.as_ref().map(|refusal| refusal.message.clone()),
        plan: Arc::clone(&decided.plan),
        start: verdict.term.map(|term| format_instant(term.start.instant())),
        end: verdict.term.and_then(|_| verdict.end.instant().at()).map(format_instant),
        until: verdict.term.and(verdict.end.at()).map(format_until),
        renews: subscription.renews.clone(),
        renewed_by: decided.renewed_by.clone(),
        amendments: amendments(decided),
        removed: removed(decided),
        notes: notes.filter(|_| !is_over).collect(),
        problem: decided.lost.as_ref().filter(|_| !is_over).map(|problem| problem.message.clone()),
        next: decided.change.map(|change| Transition { at: format_instant(change.at), phase: change.phase }),
    }
}

fn amendments(decided: &SubscriptionDecision) -> Vec<AmendmentExplanation> {
    let parts = decided.subscription.amendments.iter().zip(decided.amendment_outcomes());
    let told = parts.map(|(amendment, (state, message)): (_, (AmendmentState, _))| AmendmentExplanation {
        name: amendment.name.clone(),
        effective: amendment.effective.as_ref().ok().map(ToString::to_string),
        state,
        plan: amendment.plan.clone(),
        amount: None,
        end: amendment.end.as_ref().and_then(|end| end.as_ref().ok()).map(ToString::to_string),
        facets: false,
        reason: amendment.reason.clone(),
        message,
    });
    told.collect()
}

fn removed(decided: &SubscriptionDecision) -> Vec<RemovalExplanation> {
    let told = decided.told_rights();
    let removed = told.iter().filter(|(_, right)| right.removed);
    let by = removed.filter_map(|(definition, _)| {
        let right = decided.rights.get(definition)?;
        let removal = right.removed_by(decided.at).or_else(|| right.removals.first())?;
        Some(removal_of(&decided.subscription, definition, removal, right))
    });
    by.collect()
}

fn removal_of(
    subscription: &Subscription,
    definition: &Arc<str>,
    removal: &Removed,
    right: &Right,
) -> RemovalExplanation {
    let entry = subscription.remove.iter().find(|entry| entry.name == removal.name);
    let over = right.pieces.last().map_or(Bound::Never, |piece| piece.window.until);
    RemovalExplanation {
        definition: Arc::clone(definition),
        name: Arc::clone(&removal.name),
        until: removal.window.until.at().filter(|until| over > Bound::At(*until)).map(format_instant),
        reason: entry.and_then(|entry| entry.reason.clone()),
    }
}

/// What keeps part of a right away now.
pub fn removal(decided: &SubscriptionDecision, member: &Member) -> Option<RemovalExplanation> {
    let right = member.right.as_deref()?;
    let removal = right.removed_by(decided.at)?;
    Some(removal_of(&decided.subscription, &member.grant.id.definition, removal, right))
}

/// What a right is made of at any time.
pub fn parts(decided: &SubscriptionDecision, member: &Member) -> Vec<PartExplanation> {
    let Some(right) = member.right.as_deref() else { return Vec::new() };
    let now = decided.at;
    let piece = right.pieces.iter().find(|piece| piece.window.has(now));
    let span = member.verdict.span();
    let told = right.parts.iter().enumerate().filter_map(|(index, part)| {
        let is_left = piece.is_some_and(|piece| piece.parts.contains(&index));
        let standing = match part.window {
            window if window.until.has_come(now) => PartStanding::Expired,
            window if window.from > now => PartStanding::Waiting,
            _ if is_left => PartStanding::InForce,
            _ => PartStanding::Removed,
        };
        Some(PartExplanation {
            part: part_source(part, span)?,
            explicit: matches!(part.origin, PartOrigin::Add { .. }),
            standing,
            reason: reason(&decided.subscription, &part.origin),
        })
    });
    told.collect()
}

fn reason(subscription: &Subscription, origin: &PartOrigin) -> Option<String> {
    match origin {
        PartOrigin::AddOn { name, .. } => subscription.add_ons.iter().find(|one| one.name == *name)?.reason.clone(),
        PartOrigin::Add { name } => subscription.add.iter().find(|one| one.name == *name)?.reason.clone(),
        PartOrigin::Plan { .. } | PartOrigin::Remembered => None,
    }
}

/// The unbroken time in which a right is given, around what is told of it now.
pub fn given(right: &Right, now: Instant) -> Option<Window> {
    let told = right.told(now)?.window;
    let mut runs: Vec<Window> = Vec::new();
    for piece in right.given() {
        match runs.last_mut() {
            Some(last) if last.until == Bound::At(piece.window.from) => last.until = piece.window.until,
            _ => runs.push(piece.window),
        }
    }
    runs.into_iter().find(|run| run.has(told.from))
}
