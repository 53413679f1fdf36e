//! What an organization holds at one moment, and why, for people.
//!
//! | file | what it knows |
//! |---|---|
//! | `grant` | one grant: its phase, term, and amount, and where they come from |
//! | `exception` | of an override, who asked for it and why, and what others say to it |
//! | `told` | how far back the past can be told |
//! | `subscription` | a subscription: how it stands, and what it gives of one definition |
//! | `usage` | how much of it is used, and how much is left |
//! | `facets` | every value, its source, and the values that it was preferred to |

mod exception;
mod facets;
mod grant;
mod subscription;
mod told;
mod usage;

pub use exception::ExceptionExplanation;
pub use facets::{FacetValue, Overridden, SecretValue};
pub use grant::{AmendmentExplanation, GrantExplanation, Origin, OriginKind, Suspension};
pub use subscription::{EntryExplanation, PartExplanation, PartStanding, RemovalExplanation, SubscriptionExplanation};
pub use told::{Part, Record, Told, told_since};
pub use usage::{BalanceExplanation, BlockExplanation, ChannelExplanation, CountExplanation, UsageExplanation};

use super::{
    Evaluation,
    holding::{Holding, Member},
    status::{Delivered, not_ready},
    subscriptions::SubscriptionDecision,
};
use crate::core::calendar::{Instant, Tz};
use crate::{
    api::{Phase, entitlement_definition::Aggregation},
    core::calendar::format_instant,
};
use chrono::TimeDelta;
use serde::Serialize;
use std::sync::Arc;

/// What an organization holds at one moment, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The organization's name.
    pub organization: String,
    /// Its name for people.
    pub display_name: Option<String>,
    /// The time zone in which it reckons.
    #[serde(serialize_with = "zone_name")]
    pub time_zone: Tz,
    /// The moment that is spoken of.
    pub at: String,
    /// Whether all that it holds is suspended.
    pub suspended: bool,
    /// What is wrong with the organization itself.
    pub problems: Vec<String>,
    /// The subscriptions; of one definition alone, those that give or would give it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subscriptions: Vec<SubscriptionExplanation>,
    /// The entitlements, sorted by handle.
    pub entitlements: Vec<Entitlement>,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn zone_name<S: serde::Serializer>(zone: &Tz, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(zone.name())
}

/// What an organization holds of one definition, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entitlement {
    /// The handle, which is the definition's name.
    pub definition: String,
    /// Its name for people.
    pub display_name: Option<String>,
    /// `Feature`, `Quantity` or `Credit`; absent where no definition is known.
    #[serde(rename = "type")]
    pub type_: Option<&'static str>,
    /// What is counted; absent for a Feature.
    pub unit: Option<String>,
    /// In force at that moment.
    pub entitled: bool,
    /// The first moment of the unbroken run around that moment, else of the next one.
    pub valid_from: Option<String>,
    /// The first moment after that run; absent where open.
    pub valid_until: Option<String>,
    /// All amounts in force together; absent for a Feature.
    pub amount: Option<String>,
    /// How several amounts add up: `Sum` or `Max`; absent for a Feature.
    pub aggregation: Option<&'static str>,
    /// How its use stands, where it is metered and in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageExplanation>,
    /// Every grant: those in force in the order in which their values count, then the others.
    pub grants: Vec<GrantExplanation>,
    /// Every value that is not secret; empty where not entitled.
    pub facets: Vec<FacetValue>,
    /// Every secret value's source.
    pub secrets: Vec<SecretValue>,
    /// Why the definition itself cannot be granted now.
    pub problem: Option<String>,
    /// Since when the definition says what it says of amounts: what it said before is not on record.
    #[serde(skip)]
    pub record: Record,
}

impl Entitlement {
    /// Whether it can be told what was held before a moment. Whether anything that was put in force or withdrawn by hand since
    /// was in force then, nothing says.
    #[must_use]
    pub fn is_told_before(&self, at: Instant) -> bool {
        self.is_amount_told_before(at) && self.grants.iter().all(|grant| grant.turned.is_none_or(|turned| turned < at))
    }

    /// Whether it can be told what was held before a moment, and from then on.
    #[must_use]
    pub fn is_told_at(&self, at: Instant) -> bool {
        let began = |grant: &GrantExplanation| grant.began_before(at + TimeDelta::seconds(1));
        self.is_told_before(at) && self.amount_told(began).reaches_before(at)
    }

    /// Whether it can be told how much the grants that were in force before a moment came to. An edit of the catalogue changes
    /// nothing of what a grant states, or was promised.
    #[must_use]
    pub fn is_amount_told_before(&self, at: Instant) -> bool {
        self.amount_told(|grant| grant.began_before(at)).reaches_before(at)
    }

    /// From when on it can be told how much the grants come to that `counts` counts.
    #[must_use]
    pub fn amount_told(&self, counts: impl Fn(&GrantExplanation) -> bool) -> Told {
        if self.type_ == Some("Feature") {
            return Told::Always;
        }
        let counting = || self.grants.iter().filter(|grant| counts(grant));
        let amount = counting().any(|grant| grant.hangs_on_the_catalogue).then_some(self.record.amount);
        let aggregation = (counting().count() > 1).then_some(self.record.aggregation);
        amount.max(aggregation).unwrap_or(Told::Always)
    }
}

/// What an organization holds, and why; of one definition alone, if one is named. `since` says since when a definition says
/// what it says of amounts.
#[must_use]
pub fn explain(evaluation: &Evaluation, definition: Option<&str>, since: &dyn Fn(&str) -> Record) -> Explanation {
    let decision = &evaluation.decision;
    let standing = &decision.standing;
    let organization = standing.organization.as_deref();
    let is_chosen = |holding: &&Arc<Holding>| definition.is_none_or(|definition| definition == &*holding.name);
    let chosen = decision.holdings.iter().filter(is_chosen).filter(|holding| is_told(holding));
    let gives = |one: &&Arc<SubscriptionDecision>| {
        definition.is_none_or(|definition| {
            one.rights.contains_key(definition) || one.subscription.definitions().any(|named| **named == *definition)
        })
    };
    let subscriptions = decision.subscriptions.iter().filter(gives).map(|one| subscription::explain(one));
    let entitlements = chosen.map(|holding| entitlement(holding, evaluation, since(&holding.name)));
    Explanation {
        organization: standing.name.to_string(),
        display_name: organization.and_then(|organization| organization.spec.display_name.clone()),
        time_zone: standing.zone.unwrap_or(Tz::UTC),
        at: format_instant(decision.at),
        suspended: organization.is_some_and(|organization| organization.spec.suspended),
        entitlements: entitlements.collect(),
        subscriptions: subscriptions.collect(),
        problems: standing.problems.iter().chain(&decision.untold).map(|problem| problem.message.clone()).collect(),
    }
}

/// What a subscription that is refused or a draft would give is told with the subscription, once.
fn is_told_alone(member: &Member) -> bool {
    member.right.is_none() || !matches!(member.verdict.phase, Phase::Rejected | Phase::Draft)
}

/// Whether there is anything to tell of a definition by itself.
fn is_told(holding: &Holding) -> bool {
    holding.members.iter().any(is_told_alone)
}

fn entitlement(holding: &Holding, evaluation: &Evaluation, record: Record) -> Entitlement {
    let Evaluation { decision, desired } = evaluation;
    let now = decision.at;
    let organization = decision.standing.organization.as_deref();
    let definition = holding.definition();
    let run = holding.run(now);
    let merged = holding.merged();
    let (facets, taking_part) = facets::explain(holding, merged.as_ref());
    let order = in_order(holding);
    let grants = order.iter().filter_map(|index| {
        let member = holding.members.get(*index).filter(|member| is_told_alone(member))?;
        let given_by = decision.subscriptions.iter().find(|one| one.subscription.id() == member.grant.id.source);
        let given_by = given_by.map(AsRef::as_ref).filter(|_| member.right.is_some());
        let delivered = Delivered::ideally(desired.grants.get(&member.grant.id));
        let unready = not_ready(holding, member, &delivered);
        Some(grant::explain(holding, member, unready.as_ref(), organization, &taking_part, given_by, now))
    });
    let grants: Vec<GrantExplanation> = grants.collect();
    Entitlement {
        definition: holding.name.to_string(),
        display_name: definition.and_then(|definition| definition.display_name.clone()),
        type_: definition.map(|definition| definition.type_.as_str()),
        unit: definition.and_then(|definition| definition.unit.clone()),
        entitled: !holding.in_force.is_empty(),
        valid_from: run.map(|(start, _)| format_instant(start)),
        valid_until: run.and_then(|(_, end)| end.at()).map(format_instant),
        amount: holding.total().map(|amount| amount.to_string()),
        aggregation: definition.filter(|definition| definition.amount.is_some()).map(|definition| {
            match definition.aggregation {
                Aggregation::Sum => "Sum",
                Aggregation::Max => "Max",
            }
        }),
        usage: decision.meters.get(&holding.name).and_then(|meter| UsageExplanation::of(meter)),
        grants,
        facets,
        secrets: facets::secrets(holding),
        problem: problem(holding),
        record,
    }
}

/// Those in force in the order of precedence, then the others from the youngest on.
fn in_order(holding: &Holding) -> Vec<usize> {
    let mut others: Vec<usize> = (0..holding.members.len()).filter(|index| !holding.in_force.contains(index)).collect();
    others.sort_by_key(|index| {
        let member = holding.members.get(*index);
        std::cmp::Reverse(member.map(|member| (member.start(), member.grant.grant_age())))
    });
    holding.in_force.iter().copied().chain(others).collect()
}

fn problem(holding: &Holding) -> Option<String> {
    use super::catalogue::Present;
    let Some(entry) = &holding.entry else { return Some("there is no such definition in the catalogue".to_owned()) };
    let serves = entry.serving.as_ref().map_or("", |_| "; its last valid state serves what is granted already");
    match &entry.present {
        Present::Valid => None,
        Present::Missing => Some(format!("the definition is not in the catalogue any more{serves}")),
        Present::Invalid(problem) => Some(format!("the definition is invalid now: {}{serves}", problem.message)),
    }
}
