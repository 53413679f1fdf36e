//! Which grant goes first if several of a definition are in force, and their total.

use super::{amount::Amount, calendar::Instant, definition::Definition};
use crate::api::entitlement_definition::Aggregation;
use rust_decimal::Decimal;
use std::{cmp::Reverse, collections::BTreeMap};

mod merge;

pub use merge::{Merged, merge_statements};

/// What decides which grant goes first: the higher priority, then the later start, then the younger. The least goes first.
#[must_use]
pub fn rank<A: Ord>(priority: i32, start: Instant, age: A) -> impl Ord + use<A> {
    (Reverse(priority), Reverse(start), Reverse(age))
}

/// How the amount of a grant adds up with those of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adding {
    /// By the aggregation of its definition.
    ByAggregation,
    /// On top of what that comes to.
    OnTop,
}

/// All amounts together.
#[must_use]
pub fn total(definition: &Definition, amounts: impl Iterator<Item = (Adding, Amount)>) -> Option<Amount> {
    let add = |sum: Option<Amount>, amount: Amount, aggregation: Aggregation| {
        Some(sum.map_or(amount, |sum| sum.together(amount, aggregation)))
    };
    let (aggregated, on_top) = amounts.fold((None, None), |(aggregated, on_top), (addition, amount)| match addition {
        Adding::ByAggregation => (add(aggregated, amount, definition.aggregation), on_top),
        Adding::OnTop => (aggregated, add(on_top, amount, Aggregation::Sum)),
    });
    both(aggregated, on_top)
}

fn both(aggregated: Option<Amount>, on_top: Option<Amount>) -> Option<Amount> {
    aggregated.into_iter().chain(on_top).reduce(|one, other| one.together(other, Aggregation::Sum))
}

/// The digits behind the point that a sum is kept with: amounts have no more.
const SCALE: u32 = 9;

/// The total of amounts from which one can be taken away again: [`total`] of the rest, without adding up anew.
#[derive(Clone, Debug)]
pub struct Tally {
    aggregated: AmountTally,
    on_top: AmountTally,
}

impl Tally {
    /// No amounts.
    #[must_use]
    pub fn new(aggregation: Aggregation) -> Self {
        Self { aggregated: AmountTally::new(aggregation), on_top: AmountTally::new(Aggregation::Sum) }
    }

    /// Adds an amount.
    pub fn add(&mut self, addition: Adding, amount: Amount) {
        self.part(addition).add(amount);
    }

    /// Takes one away that was added.
    pub fn remove(&mut self, addition: Adding, amount: Amount) {
        self.part(addition).remove(amount);
    }

    fn part(&mut self, addition: Adding) -> &mut AmountTally {
        match addition {
            Adding::ByAggregation => &mut self.aggregated,
            Adding::OnTop => &mut self.on_top,
        }
    }

    /// All of them together; None where there is none.
    #[must_use]
    pub fn total(&self) -> Option<Amount> {
        both(self.aggregated.total(), self.on_top.total())
    }
}

/// Amounts that add up in one way.
#[derive(Clone, Debug)]
struct AmountTally {
    aggregation: Aggregation,
    unlimited: usize,
    /// How often there is which number; for the greatest of them.
    numbers: BTreeMap<Decimal, usize>,
    /// The sum of the numbers, in units of the last digit.
    sum: i128,
}

impl AmountTally {
    fn new(aggregation: Aggregation) -> Self {
        Self { aggregation, unlimited: 0, numbers: BTreeMap::new(), sum: 0 }
    }

    fn add(&mut self, amount: Amount) {
        match amount {
            Amount::Unlimited => self.unlimited += 1,
            Amount::Limited(number) => {
                *self.numbers.entry(number).or_default() += 1;
                self.sum = self.sum.saturating_add(in_units(number));
            }
        }
    }

    fn remove(&mut self, amount: Amount) {
        let Amount::Limited(number) = amount else {
            self.unlimited = self.unlimited.saturating_sub(1);
            return;
        };
        let Some(count) = self.numbers.get_mut(&number) else { return };
        *count -= 1;
        if *count == 0 {
            self.numbers.remove(&number);
        }
        self.sum = self.sum.saturating_sub(in_units(number));
    }

    fn total(&self) -> Option<Amount> {
        if self.unlimited > 0 {
            return Some(Amount::Unlimited);
        }
        let (greatest, _) = self.numbers.last_key_value()?;
        Some(Amount::Limited(match self.aggregation {
            Aggregation::Max => *greatest,
            Aggregation::Sum => of_units(self.sum),
        }))
    }
}

fn in_units(number: Decimal) -> i128 {
    number.mantissa().saturating_mul(10_i128.saturating_pow(SCALE.saturating_sub(number.scale())))
}

/// A decimal with as many digits behind the point as there is room for.
fn of_units(mut units: i128) -> Decimal {
    for scale in (0..=SCALE).rev() {
        if let Ok(number) = Decimal::try_from_i128_with_scale(units, scale) {
            return number.normalize();
        }
        units /= 10;
    }
    Decimal::MAX
}

#[cfg(test)]
mod tests;
