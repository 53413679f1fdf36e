//! What happened to an entitlement, as far as it is on record: what time brought, from the grants, and what people did, from
//! their statuses.

use super::sentences;
use crate::{
    api::Phase,
    cli::timeline::source_name,
    core::calendar::{Instant, Tz},
    evaluation::explanation::{Entitlement, GrantExplanation},
    offline::{GrantChange, HoldingState, Passage, TimelineStep},
};

/// A grant went in or out of force otherwise than by its term.
#[derive(Clone, Copy, Debug)]
pub struct Turn<'a> {
    /// When.
    pub at: Instant,
    /// Which.
    pub grant: &'a GrantExplanation,
}

impl Turn<'_> {
    /// What happened, in a clause.
    #[must_use]
    pub fn happened(&self) -> String {
        let name = source_name(&self.grant.source);
        match self.grant.phase {
            Phase::Active | Phase::Grace => format!("{name} came into force again"),
            Phase::Suspended => format!("{name} was suspended"),
            Phase::Cancelled => format!("{name} was cancelled"),
            Phase::Draft => format!("{name} went back to Draft"),
            Phase::Rejected => format!("{name} was refused"),
            Phase::Requested => format!("{name} was asked for"),
            Phase::Expired | Phase::Waiting => format!("{name} was withdrawn"),
        }
    }
}

/// What was done by hand last to each of its grants.
pub fn turns(entitlement: &Entitlement) -> impl Iterator<Item = Turn<'_>> {
    entitlement.grants.iter().filter_map(|grant| Some(Turn { at: grant.turned?, grant }))
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEvent {
    /// When.
    pub at: Instant,
    /// What, in a sentence.
    pub what: String,
}

/// What happened last, in the order of time. What the client had is told as far as it is on record.
#[must_use]
pub fn last(entitlement: &Entitlement, passage: &Passage, zone: Tz, most: usize) -> Vec<HistoryEvent> {
    let definition = entitlement.definition.as_str();
    let holds = |step: &&TimelineStep| step.holdings.contains_key(definition);
    let by_time = passage.past.iter().filter(holds).filter_map(|step| {
        let what = told(step, entitlement, zone);
        (!what.is_empty()).then_some(HistoryEvent { at: step.at, what })
    });
    let by_hand = turns(entitlement).map(|turn| HistoryEvent { at: turn.at, what: turn.happened() });
    let mut events: Vec<HistoryEvent> = by_time.chain(by_hand).collect();
    events.sort_by_key(|event| event.at);
    events.split_off(events.len().saturating_sub(most))
}

fn told(step: &TimelineStep, entitlement: &Entitlement, zone: Tz) -> String {
    let definition = entitlement.definition.as_str();
    if entitlement.is_told_at(step.at) {
        return sentences::happens(step, definition, zone);
    }
    // Whether a grant was in force before it was put in force or withdrawn by hand, nothing says.
    let is_known = |change: &GrantChange| {
        turns(entitlement).all(|turn| turn.grant.source != change.grant.source || step.at > turn.at)
    };
    let grants = step.grants.iter().filter(|change| is_known(change)).cloned().collect();
    let is_on_record = turns(entitlement).all(|turn| step.at > turn.at);
    let holding = step.holdings.get_key_value(definition).filter(|_| is_on_record);
    let holdings =
        holding.filter(|(_, (before, after))| before.entitled != after.entitled).map(|(name, (before, after))| {
            (std::sync::Arc::clone(name), (whatever_amount(before), whatever_amount(after)))
        });
    let told = TimelineStep { grants, holdings: holdings.into_iter().collect(), ..step.clone() };
    sentences::happens(&told, definition, zone)
}

/// What is held, without the amount.
fn whatever_amount(held: &HoldingState) -> HoldingState {
    HoldingState { entitled: held.entitled, ..HoldingState::default() }
}

/// What happens next: what it holds changes, or anything of its grants.
pub fn next<'a>(
    entitlement: &'a Entitlement,
    passage: &'a Passage,
    now: Instant,
) -> impl Iterator<Item = &'a TimelineStep> {
    let definition = entitlement.definition.as_str();
    let is_about = move |step: &&TimelineStep| {
        step.holdings.contains_key(definition)
            || step.resets.contains_key(definition)
            || step.grants.iter().any(|change| &*change.definition == definition)
    };
    passage.future.iter().filter(move |step| step.at > now).filter(is_about)
}
