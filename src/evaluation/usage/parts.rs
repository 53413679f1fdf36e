//! What gives an allotment of its own, as the present objects say.
//!
//! A chain of instances is one part where there are periods, so that no renewal doubles what a period allots; without periods
//! each instance is one, as each has an allotment for its whole time. A subscription, or its chain, gives the part `plan`,
//! which a plan change resizes, and one for each add-on and `add` entry, by name. An override is one by itself.

use crate::{
    api::{Phase, entitlement_definition::Aggregation, lifecycle::AmendmentState},
    core::{
        amount::Amount,
        calendar::{Bound, Instant, Nominal},
        definition::Definition,
        source::{SourceKind, subscription::Beginning},
        subscription::PartOrigin,
        usage::{
            memory::{Memory, PresentParts},
            part::{HeldPart, HeldSpan, largest, together},
            rules::UsageRules,
        },
    },
    evaluation::{
        holding::{Holding, Member},
        subscriptions::Right,
    },
};
use chrono::SubsecRound as _;
use std::collections::BTreeMap;

/// What the present objects say of a metered definition.
///
/// An add-on or an addition without a start counts with its subscription, but nobody says when it came. Where anything is
/// remembered, it came after that, and what was used before is not taken from it: it would be gone with it. What is used within
/// the second in which it is noticed is overage that it takes of first, as of any other that begins later.
#[must_use]
pub fn present(
    holding: &Holding,
    definition: &Definition,
    rules: &UsageRules,
    known: &Memory,
    now: Instant,
) -> PresentParts {
    let noticed = noticed(known, now);
    let mut parts: BTreeMap<String, Gathered> = BTreeMap::new();
    for member in &holding.members {
        for (name, spans) in gives(member, definition, rules, noticed) {
            let part = parts.entry(name).or_default();
            part.priority = part.priority.max(Some(member.grant.priority));
            part.spans.extend(spans);
        }
    }
    let parts = parts.into_iter().filter_map(|(name, part)| part.held(name)).collect();
    PresentParts { parts, first: first(holding, now) }
}

/// Whether anything that a grant gives was held at a moment, as far as is remembered.
#[must_use]
pub fn gave(member: &Member, definition: &Definition, rules: &UsageRules, memory: &Memory, at: Instant) -> bool {
    let was_held = |name: &str| memory.held.iter().any(|part| *part.name == *name && part.amount(at).is_some());
    gives(member, definition, rules, None).iter().any(|(name, _)| was_held(name))
}

/// Since when what says nothing of it counts; none where nothing is remembered.
///
/// Uses are dated in whole seconds. Beside something that is in force it begins at this very moment, so that it takes nothing that was
/// used in this second before; where nothing is, with the second, as nothing was used in it that it could take.
fn noticed(known: &Memory, now: Instant) -> Option<Instant> {
    if known.held.is_empty() {
        return None;
    }
    let second = now.trunc_subsecs(0);
    let is_held = known.held.iter().any(|part| part.amount(second).is_some());
    Some(if is_held { now.trunc_subsecs(6) } else { second })
}

/// What all but overrides are together, where of several amounts the largest counts.
const LARGEST: &str = "the largest grant";

/// What is found of one part.
#[derive(Default)]
struct Gathered {
    priority: Option<i32>,
    /// In no order, and possibly overlapping.
    spans: Vec<HeldSpan>,
}

impl Gathered {
    fn held(self, name: String) -> Option<HeldPart> {
        let spans = largest(&self.spans);
        Some(HeldPart {
            name: name.into(),
            priority: self.priority.unwrap_or_default(),
            start: spans.first()?.from,
            end: spans.last()?.until,
            spans,
        })
    }
}

/// The parts that a grant gives, by name.
fn gives(
    member: &Member,
    definition: &Definition,
    rules: &UsageRules,
    noticed: Option<Instant>,
) -> Vec<(String, Vec<HeldSpan>)> {
    let each = gives_each(member, definition, rules, noticed);
    match (definition.aggregation, member.grant.id.source.kind) {
        (Aggregation::Sum, _) | (_, SourceKind::Override) => each,
        // What a subscription gives is one grant, however many parts it has.
        (Aggregation::Max, _) => {
            let spans: Vec<HeldSpan> = each.into_iter().flat_map(|(_, spans)| spans).collect();
            vec![(LARGEST.to_owned(), together(&spans))]
        }
    }
}

fn gives_each(
    member: &Member,
    definition: &Definition,
    rules: &UsageRules,
    noticed: Option<Instant>,
) -> Vec<(String, Vec<HeldSpan>)> {
    let source = &member.grant.id.source;
    // Where an allotment is for the whole time of what gives it, a renewal has one of its own.
    let chain = member.verdict.acceptance.as_ref().filter(|_| rules.period.is_some());
    let named = chain.map_or(&source.name, |accepted| &accepted.chain.name);
    let name = format!("{} {}/{named}", source.kind.field(), source.namespace);
    match member.right.as_deref() {
        None => vec![(name, spans(member, &amounts(member, definition)))],
        Some(right) => parts_of(member, right, definition, &name, noticed),
    }
}

/// From when on which amount, in order.
fn amounts(member: &Member, definition: &Definition) -> Vec<(Instant, Amount)> {
    let grant = &member.grant;
    let stated = grant.amount.as_ref().and_then(|amount| amount.as_ref().ok().copied());
    let accepted = || member.verdict.acceptance.as_ref().and_then(|accepted| accepted.amount);
    let first = stated.or_else(accepted).or(definition.amount).unwrap_or(Amount::ZERO);
    let counts = |state| matches!(state, AmendmentState::Effective | AmendmentState::Pending);
    let changes = member.amendments.iter().zip(&member.verdict.amendments).filter_map(|(amendment, outcome)| {
        let amount = grant.amendments.get(amendment.index)?.amount()?;
        Some((amendment.effective.filter(|_| counts(outcome.state))?, amount))
    });
    std::iter::once((Instant::MIN_UTC, first)).chain(changes).collect()
}

/// When it is in force, with each amount; while it is suspended, its whole term without one.
fn spans(member: &Member, amounts: &[(Instant, Amount)]) -> Vec<HeldSpan> {
    if member.verdict.phase == Phase::Suspended {
        return suspended(member).into_iter().collect();
    }
    let each = amounts.iter().enumerate().flat_map(|(index, (since, amount))| {
        let next = amounts.get(index + 1).map_or(Bound::Never, |(next, _)| Bound::At(*next));
        member.spans.iter().map(move |(from, until)| HeldSpan {
            from: (*from).max(*since),
            until: (*until).min(next),
            amount: Some(*amount),
        })
    });
    each.filter(|span| !span.until.has_come(span.from)).collect()
}

fn suspended(member: &Member) -> Option<HeldSpan> {
    let span = member.verdict.span()?;
    Some(HeldSpan { from: span.start.at()?, until: span.over, amount: None })
}

/// What a subscription gives: the plan in force, add-ons, and additions, each by itself.
fn parts_of(
    member: &Member,
    right: &Right,
    definition: &Definition,
    name: &str,
    noticed: Option<Instant>,
) -> Vec<(String, Vec<HeldSpan>)> {
    let mut parts: BTreeMap<String, Vec<HeldSpan>> = BTreeMap::new();
    for piece in &right.pieces {
        for part in piece.parts.iter().filter_map(|index| right.parts.get(*index)) {
            let noticed = noticed.filter(|_| part.beginning == Beginning::Unstated);
            let from = noticed.map_or(piece.window.from, |noticed| noticed.max(piece.window.from));
            let until = piece.window.until;
            let amount = part.amount.or(definition.amount).unwrap_or(Amount::ZERO);
            let spans = parts.entry(format!("{} of {name}", part_name(&part.origin))).or_default();
            if member.verdict.phase == Phase::Suspended {
                spans.extend((!until.has_come(from)).then_some(HeldSpan { from, until, amount: None }));
                continue;
            }
            let cut = member.spans.iter().map(|(start, end)| HeldSpan {
                from: from.max(*start),
                until: until.min(*end),
                amount: Some(amount),
            });
            spans.extend(cut.filter(|span| !span.until.has_come(span.from)));
        }
    }
    parts.into_iter().collect()
}

fn part_name(origin: &PartOrigin) -> String {
    match origin {
        PartOrigin::Plan { .. } | PartOrigin::Remembered => "plan".to_owned(),
        PartOrigin::AddOn { name, .. } => format!("add-on {name}"),
        PartOrigin::Add { name } => format!("addition {name}"),
    }
}

/// The nominal start and the day of the chain of what came into force first of the run around now; where nothing is Active, Grace
/// or Suspended, of what will.
fn first(holding: &Holding, now: Instant) -> Option<(Nominal, u32)> {
    let run = holding.run(now);
    let is_of_run = |member: &&Member| {
        let is_suspended = member.verdict.phase == Phase::Suspended;
        let meets = |(from, until): &(Instant, Bound)| {
            run.is_some_and(|(start, end)| Bound::At(*from) < end && Bound::At(start) < *until)
        };
        is_suspended || member.spans.iter().any(meets)
    };
    let start = |member: &Member| {
        let term = member.verdict.term?;
        // What a subscription gives later began later than it did.
        let given = member.right.as_deref().and_then(|right| right.given().map(|piece| piece.window.from).min());
        let start = match given {
            Some(given) if given > term.start.instant() => Nominal::of_instant(given, term.start.zone()),
            _ => term.start,
        };
        Some((start, if start == term.start { term.day } else { start.day() }))
    };
    let starts = holding.members.iter().filter(is_of_run).filter_map(start);
    starts.min_by_key(|(start, _)| start.instant())
}
