//! What was held, from when to when, and how much.

use crate::{
    api::entitlement_definition::Aggregation,
    core::{
        amount::Amount,
        calendar::{Bound, Instant},
    },
};
use std::sync::Arc;

/// A half-open span of time in which a part has one amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldSpan {
    /// The first moment.
    pub from: Instant,
    /// The first moment after it, as it was foreseen.
    pub until: Bound,
    /// How much; none while it is suspended.
    pub amount: Option<Amount>,
}

impl HeldSpan {
    /// Whether a moment lies in it.
    #[must_use]
    pub fn has(&self, at: Instant) -> bool {
        self.from <= at && !self.until.has_come(at)
    }
}

/// What gives an allotment of its own: a chain of grants, an add-on, an override.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldPart {
    /// Which: as `instance entitlements/acme`, or `plan of subscription entitlements/acme`.
    pub name: Arc<str>,
    /// What takes first: the higher one.
    pub priority: i32,
    /// When it began.
    pub start: Instant,
    /// When it is over, as far as is known.
    pub end: Bound,
    /// How much it has from when to when: in order and apart. It is not in force in between.
    pub spans: Vec<HeldSpan>,
}

impl HeldPart {
    /// The span that a moment lies in.
    #[must_use]
    pub fn span(&self, at: Instant) -> Option<&HeldSpan> {
        let after = self.spans.partition_point(|span| span.from <= at);
        self.spans.get(after.checked_sub(1)?).filter(|span| span.has(at))
    }

    /// How much it has at a moment; none while it is suspended, or not held.
    #[must_use]
    pub fn amount(&self, at: Instant) -> Option<Amount> {
        self.span(at)?.amount
    }

    /// The order in which parts take: the higher priority, the earlier end, the earlier start, the name.
    pub(super) fn order(&self) -> impl Ord + use<'_> {
        (std::cmp::Reverse(self.priority), self.end, self.start, &*self.name)
    }
}

/// Spans in order and apart, where of those that touch and say the same one is made.
#[must_use]
pub fn joined(spans: impl IntoIterator<Item = HeldSpan>) -> Vec<HeldSpan> {
    let mut joined: Vec<HeldSpan> = Vec::new();
    for span in spans.into_iter().filter(|span| !span.until.has_come(span.from)) {
        match joined.last_mut() {
            Some(last) if last.until == Bound::At(span.from) && last.amount == span.amount => last.until = span.until,
            _ => joined.push(span),
        }
    }
    joined
}

/// At each moment the largest amount of the spans that cover it, which stand in no order and may overlap.
#[must_use]
pub fn largest(spans: &[HeldSpan]) -> Vec<HeldSpan> {
    at_each_moment(spans, Ord::max)
}

/// At each moment all amounts together of the spans that cover it, which stand in no order and may overlap.
#[must_use]
pub fn together(spans: &[HeldSpan]) -> Vec<HeldSpan> {
    at_each_moment(spans, |one, other| match (one, other) {
        (Some(one), Some(other)) => Some(one.together(other, Aggregation::Sum)),
        _ => one.or(other),
    })
}

fn at_each_moment(
    spans: &[HeldSpan],
    fold: impl Fn(Option<Amount>, Option<Amount>) -> Option<Amount>,
) -> Vec<HeldSpan> {
    let mut edges: Vec<Instant> = spans.iter().flat_map(|span| [Some(span.from), span.until.at()]).flatten().collect();
    edges.sort_unstable();
    edges.dedup();
    let piece = |(index, from): (usize, &Instant)| {
        let amount = spans.iter().filter(|span| span.has(*from)).map(|span| span.amount).reduce(&fold)?;
        let until = edges.get(index + 1).map_or(Bound::Never, |next| Bound::At(*next));
        Some(HeldSpan { from: *from, until, amount })
    };
    joined(edges.iter().enumerate().filter_map(piece))
}

/// The spans of time that any of these cover, in order and apart: those that touch or overlap are one.
pub(super) fn covered(spans: impl IntoIterator<Item = (Instant, Bound)>) -> Vec<(Instant, Bound)> {
    let mut spans: Vec<(Instant, Bound)> = spans.into_iter().filter(|(from, until)| !until.has_come(*from)).collect();
    spans.sort_unstable();
    let mut covered: Vec<(Instant, Bound)> = Vec::new();
    for (from, until) in spans {
        match covered.last_mut() {
            Some((_, last)) if *last >= Bound::At(from) => *last = until.max(*last),
            _ => covered.push((from, until)),
        }
    }
    covered
}
