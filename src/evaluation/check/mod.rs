//! May they, now? Whether so much more of an entitlement may be used at a moment, by one organization.
//!
//! Two answers are kept apart: *entitled*, which is the lifecycle's, and *allowed*, which is for one request at one moment. What is
//! not metered is allowed to whoever is entitled, however much is asked for: nothing counts what is used of it.
//!
//! | file | what it knows |
//! |---|---|
//! | `answer` | what is answered, in the shape that programs read |
//! | `reason` | why |
//! | `flags` | the flags as they are then |
//! | `list` | all that an organization holds, with how much of it is used |
//! | `options` | the add-ons and plans with which it would be allowed |

mod answer;
mod flags;
mod list;
mod options;
mod reason;

pub use answer::{CheckAnswer, CheckedChannel, CheckedUsage};
pub use flags::{flag_now, flags_now, handles};
pub use list::{EntitlementList, ListedEntitlement};
pub use options::{CheckOption, OptionKind, SoldCatalogue, options};
pub use reason::CheckReason;

use answer::MeterStanding;

use super::{
    decision::Decision,
    holding::Holding,
    present::{MergedMembers, PresentRight},
    usage::HeldThen,
};
use crate::core::{
    amount::Amount,
    calendar::{Bound, Instant, format_instant},
    definition::Definition,
    usage::allowance::UsageRequest,
};
use std::sync::Arc;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct CheckQuestion<'a> {
    /// The entitlement, by its definition's name.
    pub entitlement: &'a str,
    /// The definition, as it is in the catalogue: of what is not held, nothing else says what it is.
    pub definition: Option<&'a Definition>,
    /// How much of it, in which way.
    pub request: UsageRequest<'a>,
}

/// Whether something is allowed, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckVerdict {
    /// Whether.
    pub allowed: bool,
    /// Why.
    pub reason: CheckReason,
}

impl CheckVerdict {
    /// What is said to a request for an entitlement at the moment of a decision.
    #[must_use]
    pub fn of(decision: &Decision, entitlement: &str, request: UsageRequest) -> Self {
        let holding = decision.holding(entitlement).map(AsRef::as_ref);
        let meter = decision.meters.get(entitlement).map(AsRef::as_ref);
        let reason = CheckReason::of(holding, meter, request, decision.at);
        Self { allowed: reason.is_allowed(meter), reason }
    }
}

/// Answers a question at the moment of a decision.
#[must_use]
pub fn check(decision: &Decision, question: &CheckQuestion) -> CheckAnswer {
    answer(decision, question, CheckVerdict::of(decision, question.entitlement, question.request))
}

/// Answers a question with what was said to it.
#[must_use]
pub fn answer(decision: &Decision, question: &CheckQuestion, said: CheckVerdict) -> CheckAnswer {
    AnswerParts::of(decision, question).answer(question, said)
}

/// What an answer about one entitlement is made of: little to keep, while the answer itself takes longer to make than the decision.
#[derive(Clone, Debug)]
pub struct AnswerParts {
    organization: Arc<str>,
    holding: Option<Arc<Holding>>,
    meter: Option<MeterStanding>,
    /// What was held at a moment that is over, as far as is remembered.
    held_then: Option<HeldThen>,
    at: Instant,
}

impl AnswerParts {
    /// What a decision says to a question.
    #[must_use]
    pub fn of(decision: &Decision, question: &CheckQuestion) -> Self {
        let meter = decision.meters.get(question.entitlement);
        Self {
            organization: Arc::clone(&decision.standing.name),
            holding: decision.holding(question.entitlement).cloned(),
            meter: meter.and_then(|meter| MeterStanding::of(meter, question.request.channel)),
            held_then: meter.and_then(|meter| meter.held_then),
            at: decision.at,
        }
    }

    /// Answers that question with what was said to it.
    #[must_use]
    pub fn answer(&self, question: &CheckQuestion, said: CheckVerdict) -> CheckAnswer {
        let CheckVerdict { allowed, reason } = said;
        let holding = self.holding.as_deref();
        let merged = holding.and_then(Holding::merged);
        let mut right = right(holding, merged.as_ref(), question.definition, reason, self.at);
        if let Some(held) = self.held_then {
            held_as_remembered(&mut right, held);
        }
        CheckAnswer {
            organization: self.organization.to_string(),
            entitlement: question.entitlement.to_owned(),
            entitled: right.entitled,
            allowed,
            reason,
            type_: right.type_,
            unit: right.unit,
            amount: right.amount,
            valid_from: right.valid_from,
            valid_until: right.valid_until,
            facets: right.facets,
            usage: self.meter.as_ref().map(MeterStanding::told),
            options: None,
            at: format_instant(self.at),
        }
    }
}

/// What the objects say of a moment that is over, put right by what is remembered of it.
fn held_as_remembered(right: &mut PresentRight, held: HeldThen) {
    right.entitled = held.run.is_some();
    right.amount = Some(held.amount.to_string());
    match held.run {
        Some((from, until)) => {
            right.valid_from = Some(from).filter(|from| *from != Instant::MIN_UTC).map(format_instant);
            right.valid_until = until.at().map(format_instant);
        }
        None => right.facets = <_>::default(),
    }
}

/// What is held; of what never was, what the catalogue says.
fn right(
    holding: Option<&Holding>,
    merged: Option<&MergedMembers>,
    definition: Option<&Definition>,
    reason: CheckReason,
    now: Instant,
) -> PresentRight {
    if let Some(holding) = holding {
        return PresentRight::of(holding, merged, run(holding, reason, now));
    }
    PresentRight {
        entitled: false,
        type_: definition.map(|definition| definition.type_.as_str()),
        unit: definition.and_then(|definition| definition.unit.clone()),
        amount: definition.and_then(|definition| definition.amount).map(|_| Amount::ZERO.to_string()),
        valid_from: None,
        valid_until: None,
        facets: <_>::default(),
    }
}

/// The run of time around the moment, else the next one. Of what is over, the last one tells when it ended.
fn run(holding: &Holding, reason: CheckReason, now: Instant) -> Option<(Instant, Bound)> {
    let last = || holding.runs.last().copied().filter(|_| reason == CheckReason::Expired);
    holding.run(now).or_else(last)
}
