//! What a part gives in one period; without periods, in all.

use super::part::{HeldPart, HeldSpan};
use crate::core::{
    amount::Amount,
    calendar::{Bound, Instant},
};
use rust_decimal::Decimal;

/// A part's allotment of one period, while it is taken from.
#[derive(Clone, Debug)]
pub(super) struct Block<'a> {
    pub part: &'a HeldPart,
    /// When it is in force, within the period: in order and apart.
    spans: Vec<(Instant, Bound, Amount)>,
    /// For each span the most that it has from its beginning on, up to now.
    most: Vec<Amount>,
    pub taken: Decimal,
}

impl<'a> Block<'a> {
    /// What a part gives from one moment to another; none where it is never in force by `ahead`. Of what has more at `now` than
    /// before, that counts before too; what is only foreseen does not.
    pub fn of(part: &'a HeldPart, from: Instant, until: Bound, now: Instant, ahead: Instant) -> Option<Self> {
        let cut = |span: &HeldSpan| {
            let (start, end) = (span.from.max(from), span.until.min(until));
            Some((start, end, span.amount?)).filter(|_| !end.has_come(start) && start < ahead)
        };
        let spans: Vec<(Instant, Bound, Amount)> = part.spans.iter().filter_map(cut).collect();
        let mut most: Vec<Amount> = Vec::with_capacity(spans.len());
        let mut later = Amount::ZERO;
        for (start, _, amount) in spans.iter().rev() {
            most.push(later.max(*amount));
            if *start <= now {
                later = later.max(*amount);
            }
        }
        most.reverse();
        (!spans.is_empty()).then_some(Self { part, spans, most, taken: Decimal::ZERO })
    }

    /// What is left of it at the end of a period, and of how much: of what is suspended then, as it was before. None of what is over
    /// by then.
    pub fn left_at(&self, end: Instant) -> Option<(Amount, Amount)> {
        let is_held = |span: &HeldSpan| span.from < end && span.until >= Bound::At(end);
        let (_, _, amount) = self.spans.last()?;
        let left = match amount {
            Amount::Unlimited => Amount::Unlimited,
            Amount::Limited(amount) => Amount::Limited((*amount - self.taken).max(Decimal::ZERO)),
        };
        self.part.spans.iter().any(is_held).then_some((left, *amount))
    }

    /// The first moment of its window.
    pub fn from(&self) -> Instant {
        self.spans.first().map_or(self.part.start, |(from, _, _)| *from)
    }

    /// Whether a moment lies in its window.
    pub fn has(&self, at: Instant) -> bool {
        self.place(at).is_some()
    }

    /// How much it has at a moment.
    pub fn amount(&self, at: Instant) -> Option<Amount> {
        self.spans.get(self.place(at)?).map(|(_, _, amount)| *amount)
    }

    /// Takes of what was used at a moment, up to the most that it has from then on; gives back what is left of it.
    pub fn take(&mut self, at: Instant, used: Decimal) -> Decimal {
        let Some(most) = self.place(at).and_then(|place| self.most.get(place).copied()) else { return used };
        let taken = match most {
            Amount::Unlimited => used,
            Amount::Limited(most) => used.min((most - self.taken).max(Decimal::ZERO)),
        };
        self.taken = self.taken.saturating_add(taken);
        used - taken
    }

    fn place(&self, at: Instant) -> Option<usize> {
        let place = self.spans.partition_point(|(from, _, _)| *from <= at).checked_sub(1)?;
        self.spans.get(place).filter(|(_, until, _)| !until.has_come(at)).map(|_| place)
    }
}
