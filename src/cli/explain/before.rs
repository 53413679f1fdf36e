//! What the client had before, as far as it is on record.

use super::{
    history::{Turn, turns},
    row::{HELD, RowWriter, Stand},
};
use crate::{
    api::Phase,
    cli::timeline::{amount, entry_name, source_name},
    core::calendar::Instant,
    offline::{GrantChange, HoldingState, SubscriptionChange, TimelineStep},
};
use chrono::TimeDelta;

/// How far back the table looks for what a client had before, if it still has something.
const RECENT: TimeDelta = TimeDelta::days(400);

/// What was before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormerHolding {
    /// What it was.
    pub had: String,
    /// The first moment at which it was no more.
    pub until: Instant,
    /// What happened then.
    pub why: String,
}

impl RowWriter<'_> {
    pub(super) fn before(&self, stand: Stand) -> Option<FormerHolding> {
        let by_time = self.before_by_time(stand);
        let by_hand = self.before_by_hand(stand);
        match (by_time, by_hand) {
            (Some(one), Some(other)) => Some(if one.until >= other.until { one } else { other }),
            (one, other) => one.or(other),
        }
    }

    fn before_by_time(&self, stand: Stand) -> Option<FormerHolding> {
        let definition = self.entitlement.definition.as_str();
        let (step, (before, after)) = self
            .passage
            .past
            .iter()
            .rev()
            .filter_map(|step| Some((step, step.holdings.get(definition)?)))
            .find(|(_, (before, after))| is_more_or_less(before, after))?;
        let is_recent = stand != Stand::Entitled || step.at > self.now - RECENT;
        let is_so = before.entitled && (stand == Stand::Entitled) == after.entitled;
        let how_much = self.entitlement.is_told_before(step.at);
        let is_on_record = how_much || (!after.entitled && turns(self.entitlement).all(|turn| turn.at < step.at));
        if !is_recent || !is_so || !is_on_record {
            return None;
        }
        let had = if how_much { held(before) } else { HELD.to_owned() };
        Some(FormerHolding { had, until: step.at, why: why(step, definition) })
    }

    /// What was withdrawn otherwise than by its term.
    fn before_by_hand(&self, stand: Stand) -> Option<FormerHolding> {
        let done = self.passage.by_hand.as_ref();
        let Some((done, had)) = done.and_then(|done| Some((done, done.before.as_ref()?))) else {
            return if stand == Stand::Entitled { None } else { self.before_refusal() };
        };
        let is_recent = stand != Stand::Entitled || done.at > self.now - RECENT;
        let is_so = had.entitled && (stand == Stand::Entitled) == done.after.entitled;
        if !is_recent || !is_so || !is_more_or_less(had, &done.after) {
            return None;
        }
        let had = if self.entitlement.is_amount_told_before(done.at) { held(had) } else { HELD.to_owned() };
        let turns = turns(self.entitlement).filter(|turn| turn.at == done.at);
        let why: Vec<String> = turns.map(|turn| turn.happened()).collect();
        Some(FormerHolding { had, until: done.at, why: why.join(", ") })
    }

    /// Something that was withdrawn; nobody can tell how much it came to together with the rest.
    fn before_refusal(&self) -> Option<FormerHolding> {
        let turns = turns(self.entitlement).filter(|turn| !turn.grant.phase.is_in_force());
        let turns: Vec<Turn> = turns.collect();
        let last = turns.iter().max_by_key(|turn| turn.at)?;
        let is_known = turns.len() == 1 && !last.grant.hangs_on_the_catalogue;
        let had = if is_known { self.quantity(last.grant.amount.as_deref()) } else { HELD.to_owned() };
        Some(FormerHolding { had, until: last.at, why: last.happened() })
    }
}

/// Whether the client has more or less after than before, whatever its settings.
pub(super) fn is_more_or_less(before: &HoldingState, after: &HoldingState) -> bool {
    before.entitled != after.entitled || (after.entitled && before.amount != after.amount)
}

/// `250 seats`, `yes`.
pub(super) fn held(held: &HoldingState) -> String {
    let told = amount(held);
    if told == "on" { "yes".to_owned() } else { told }
}

/// What happened in a step that is past.
fn why(step: &TimelineStep, definition: &str) -> String {
    let changes = step.grants.iter().filter(|change| &*change.definition == definition);
    let mut clauses: Vec<String> = changes.clone().flat_map(|change| happened(step, change)).collect();
    let is_told = |whole: &&SubscriptionChange| changes.clone().any(|change| change.grant.source == whole.source);
    let others = step.subscriptions.iter().filter(|whole| !is_told(whole));
    clauses.extend(others.flat_map(|whole| of_subscription(whole, definition)));
    clauses.join(", ")
}

fn happened(step: &TimelineStep, change: &GrantChange) -> Vec<String> {
    let name = source_name(&change.grant.source);
    let whole = step.subscription(&change.grant.source).filter(|whole| !whole.is_transition());
    if let Some(whole) = whole {
        return of_subscription(whole, &change.definition);
    }
    let mut clauses: Vec<String> =
        change.amendments.iter().map(|amendment| format!("amendment {amendment} of {name}")).collect();
    if !change.is_transition() {
        return clauses;
    }
    clauses.push(match (change.after.phase, &change.renewed_by) {
        (Phase::Expired, Some(renewal)) if step.successor(change).is_some() => format!("{name} passed to {renewal}"),
        (Phase::Expired, Some(renewal)) if change.before.phase == Phase::Grace => {
            format!("grace of {name} was over, {renewal} follows later")
        }
        (Phase::Expired, Some(renewal)) => format!("{name} ended, {renewal} follows later"),
        (Phase::Expired, None) if change.before.phase == Phase::Grace => {
            format!("grace of {name} was over, not renewed")
        }
        (Phase::Expired, None) => format!("{name} ended, not renewed"),
        (Phase::Active, _) => format!("{name} came into force"),
        (phase, _) => format!("{name} went to {}", phase.as_str()),
    });
    clauses
}

/// What changed of what a subscription gives of a definition while it went on.
fn of_subscription(whole: &SubscriptionChange, definition: &str) -> Vec<String> {
    let name = source_name(&whole.source);
    let (before, after) = (&whole.before.plan, &whole.after.plan);
    let plan = (before != after).then(|| format!("{name} went from {before} to {after}"));
    let entries = whole
        .entries_of(definition)
        .map(|(entry, begins)| format!("{} {}", entry_name(entry), if begins { "began" } else { "ended" }));
    plan.into_iter().chain(entries).collect()
}
