//! What conditions say of the life of a source, of whichever kind.

use super::Delivered;
use crate::{
    api::{
        Phase,
        conditions::{ACCEPTED, DELIVERED, ENTITLED},
        lifecycle::State,
    },
    core::{
        calendar::{Nominal, Tz, format_local, format_until},
        lifecycle::{Change, Verdict},
        problem::Problem,
        reason::ReasonCode,
        source::stated::StatedSource,
    },
    evaluation::conditions::Conditions,
};

/// Why it cannot be told what should be delivered for a grant that never stated facets that can be used.
const NO_VALID_FACETS: &str = "the grant has stated no facets yet that can be used, see FacetsValid";

/// A source, as it is decided.
#[derive(Clone, Copy)]
pub struct Life<'a> {
    /// What it states of itself.
    pub source: &'a StatedSource,
    /// What this moment gives.
    pub verdict: &'a Verdict,
    /// Its next change by time alone.
    pub change: Option<Change>,
}

impl Life<'_> {
    /// Sets `Accepted`.
    pub fn accepted(&self, conditions: &mut Conditions) {
        let noun = self.source.age.kind.noun();
        match (&self.verdict.refusal, self.source.state) {
            (Some(refusal), _) => conditions.set(ACCEPTED, false, refusal.reason.code(), refusal.message.clone()),
            (None, State::Draft) => {
                let message = format!("activating it would be accepted, if no other {noun} is a duplicate");
                conditions.set(ACCEPTED, true, ReasonCode::Draft, message);
            }
            (None, _) => {
                conditions.set(ACCEPTED, true, ReasonCode::Accepted, format!("the {noun} may be held"));
            }
        }
    }

    /// Sets `Entitled`.
    pub fn entitled(&self, conditions: &mut Conditions) {
        let phase = self.verdict.phase;
        conditions.set(ENTITLED, phase.is_in_force(), phase.into(), self.sentence());
    }

    /// Sets `Delivered`. `lost` says why it cannot be told what should be delivered, where no valid state of a definition is known.
    pub fn delivered(&self, conditions: &mut Conditions, delivery: &Delivered, lost: impl FnOnce() -> Option<Problem>) {
        match &delivery.problem {
            Some(Problem { reason, message, .. }) => conditions.set(DELIVERED, false, *reason, message.clone()),
            None if delivery.is_untold => {
                let unstated = || Problem::new(ReasonCode::FacetsInvalid, NO_VALID_FACETS);
                let Problem { reason, message: why, .. } = lost().unwrap_or_else(unstated);
                let message = format!("what was delivered stays as it is, as it cannot be told what should be: {why}");
                conditions.set_unknown(DELIVERED, reason, message);
            }
            None if self.verdict.phase.is_in_force() => {
                let message = "all objects are in the organization's namespaces";
                conditions.set(DELIVERED, true, ReasonCode::Delivered, message);
            }
            None => {
                let left = delivery.left.as_ref();
                let left = left.map(|Problem { message, .. }| format!(", but what it had may be left: {message}"));
                let noun = self.source.age.kind.noun();
                let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
                let message =
                    format!("{article} {noun} that is not in force delivers nothing{}", left.unwrap_or_default());
                conditions.set(DELIVERED, true, ReasonCode::NothingToDeliver, message);
            }
        }
    }

    /// Its phase, as a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let (verdict, noun) = (self.verdict, self.source.age.kind.noun());
        let start = verdict.term.map(|term| term.start);
        // Where the client is, as `status.until` tells it.
        let zone = start.map_or(Tz::UTC, Nominal::zone);
        let for_good = || "for good".to_owned();
        match verdict.phase {
            Phase::Draft => format!("the {noun} is a draft: set state to Active to activate it"),
            Phase::Cancelled => format!("the {noun} is cancelled"),
            Phase::Rejected => format!("the {noun} is refused: see Accepted"),
            Phase::Requested => format!("the {noun} is not approved yet: see Accepted"),
            Phase::Expired => format!("the {noun} is over"),
            Phase::Waiting => {
                let start = start.map(|start| format_local(start.instant(), zone));
                format!("the {noun} starts at {}", start.unwrap_or_default())
            }
            Phase::Suspended if self.source.suspended => {
                format!("the {noun} is suspended (its spec.suspended is true)")
            }
            Phase::Suspended => {
                format!("organization {} is suspended (its spec.suspended is true)", self.source.organization)
            }
            Phase::Active => {
                let end = verdict.end.at().map(|end| format!("until {}", format_until(end)));
                format!("in force {}", end.unwrap_or_else(for_good))
            }
            Phase::Grace => {
                let end = self.change.map(|change| format!("until {}", format_local(change.at, zone)));
                format!("past its end, still delivered {}", end.unwrap_or_else(for_good))
            }
        }
    }
}
