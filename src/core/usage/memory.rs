//! What is remembered of anchors and parts from one look to the next.
//!
//! Objects do not say when a grant was cancelled, suspended, or edited. So each look remembers what was in force: a change by time
//! has its own moment, as it was foreseen; any other counts from when it was noticed. A moment that nothing remembered covers
//! goes by the present objects.

use super::{
    anchor::{Anchor, Periods},
    part::{HeldPart, HeldSpan, joined},
    rules::UsageRules,
};
use crate::core::calendar::{Bound, Instant, Nominal};
use std::collections::BTreeMap;

/// What is remembered of one meter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// From when periods count, in the order in which they do.
    pub anchors: Vec<Anchor>,
    /// What was held when, by name.
    pub held: Vec<HeldPart>,
}

/// What the present objects say of one meter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Present {
    /// What is held, was and will be, by name.
    pub parts: Vec<HeldPart>,
    /// The nominal start and the day of the chain of what came into force first of what is Active, Grace or Suspended; else of
    /// what will.
    pub first: Option<(Nominal, u32)>,
}

impl Memory {
    /// What is remembered once the present objects were looked at.
    #[must_use]
    pub fn after(&self, rules: &UsageRules, present: &Present, now: Instant) -> Self {
        let held = parts(&self.held, &present.parts, now);
        let anchors = self.anchors(rules, present, &held, now);
        let mut memory = Self { anchors, held };
        memory.forget(rules, now);
        memory
    }

    fn anchors(&self, rules: &UsageRules, present: &Present, held: &[HeldPart], now: Instant) -> Vec<Anchor> {
        let Some(period) = rules.period else { return Vec::new() };
        let mut anchors = self.anchors.clone();
        if is_over(&anchors, held, now) {
            anchors.clear();
        }
        // One whose turn has not come yet is made anew with the period that is said now.
        anchors.retain(|anchor| anchor.since <= now || anchors_begin(&self.anchors) == Some(anchor.since));
        match anchors.last() {
            None => anchors.extend(present.first.and_then(|(start, day)| Anchor::of(rules, start, day))),
            Some(last) if last.period != period => {
                let boundary = Periods::of(&anchors).at(now).and_then(|period| period.until.at());
                let next = boundary.map(|since| Anchor { since, period, ..next_start(*last, since) });
                anchors.extend(next);
            }
            Some(_) => {}
        }
        anchors
    }

    /// "Kept for the open period and two before; without `period` while anything is held."
    fn forget(&mut self, rules: &UsageRules, now: Instant) {
        let oldest = match rules.period {
            None => {
                let is_held = self.held.iter().any(|part| !part.end.has_come(now));
                if !is_held {
                    self.held.clear();
                }
                return;
            }
            Some(_) => {
                let periods = Periods::of(&self.anchors);
                let open = periods.at(now);
                let before = open.and_then(|period| periods.before(period)).or(open);
                before.and_then(|period| periods.before(period)).or(before).map(|period| period.from)
            }
        };
        let Some(oldest) = oldest else { return };
        for part in &mut self.held {
            part.spans.retain(|span| !span.until.has_come(oldest));
        }
        self.held.retain(|part| !part.spans.is_empty());
        let first = self.anchors.iter().rposition(|anchor| anchor.since <= oldest).unwrap_or_default();
        self.anchors.drain(..first);
    }
}

fn anchors_begin(anchors: &[Anchor]) -> Option<Instant> {
    anchors.first().map(|anchor| anchor.since)
}

/// The boundary from which an edited period counts, as the start of an anchor of its own.
fn next_start(last: Anchor, since: Instant) -> Anchor {
    Anchor { since, start: Nominal::of_instant(since, last.start.zone()), ..last }
}

/// Whether the period is over in which nothing was held any more.
fn is_over(anchors: &[Anchor], held: &[HeldPart], now: Instant) -> bool {
    let ends = held.iter().flat_map(|part| part.spans.iter()).filter(|span| span.from <= now).map(|span| span.until);
    match ends.max() {
        None | Some(Bound::Never) => false,
        Some(Bound::At(end)) if end > now => false,
        Some(Bound::At(end)) => {
            let last = end - chrono::TimeDelta::seconds(1);
            Periods::of(anchors).at(last).is_none_or(|period| period.until.has_come(now))
        }
    }
}

/// What was held when: as it was remembered up to now, and as the present objects say from now on, and wherever nothing was
/// remembered.
fn parts(known: &[HeldPart], present: &[HeldPart], now: Instant) -> Vec<HeldPart> {
    let mut parts: BTreeMap<&str, (Option<&HeldPart>, Option<&HeldPart>)> = BTreeMap::new();
    for part in known {
        parts.entry(&part.name).or_default().0 = Some(part);
    }
    for part in present {
        parts.entry(&part.name).or_default().1 = Some(part);
    }
    parts.into_values().filter_map(|(known, present)| merged(known, present, now)).collect()
}

fn merged(known: Option<&HeldPart>, present: Option<&HeldPart>, now: Instant) -> Option<HeldPart> {
    let remembered = known.into_iter().flat_map(|part| &part.spans);
    let remembered: Vec<HeldSpan> = remembered
        .map(|span| HeldSpan { until: span.until.min(Bound::At(now)), ..*span })
        .filter(|span| !span.until.has_come(span.from))
        .collect();
    let said = present.map(|part| part.spans.as_slice()).unwrap_or_default();
    let mut spans: Vec<HeldSpan> = said.iter().flat_map(|span| uncovered(*span, &remembered)).collect();
    spans.extend(remembered);
    spans.sort_by_key(|span| span.from);
    let spans = joined(spans);
    let last = spans.last()?.until;
    let part = present.or(known)?;
    Some(HeldPart {
        start: spans.first()?.from.min(part.start),
        // What is not among the present objects any more was over when that was noticed.
        end: present.map_or(last, |part| part.end.max(last)),
        name: part.name.clone(),
        priority: part.priority,
        spans,
    })
}

/// What of a span none of others covers, which stand in order and apart.
fn uncovered(span: HeldSpan, others: &[HeldSpan]) -> Vec<HeldSpan> {
    let mut rest = Vec::new();
    let mut from = span.from;
    for other in others {
        if span.until <= Bound::At(other.from) || Bound::At(from) >= span.until {
            break;
        }
        if from < other.from {
            rest.push(HeldSpan { from, until: Bound::At(other.from), amount: span.amount });
        }
        match other.until {
            Bound::Never => return rest,
            Bound::At(until) => from = from.max(until),
        }
    }
    if Bound::At(from) < span.until {
        rest.push(HeldSpan { from, ..span });
    }
    rest
}
