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

/// All amounts together.
#[must_use]
pub fn total(definition: &Definition, amounts: impl Iterator<Item = Amount>) -> Option<Amount> {
    amounts.reduce(|one, other| one.together(other, definition.aggregation))
}

/// The digits behind the point that a sum is kept with: amounts have no more.
const SCALE: u32 = 9;

/// The total of amounts from which one can be taken away again: [`total`] of the rest, without adding up anew.
#[derive(Clone, Debug)]
pub struct Tally {
    aggregation: Aggregation,
    unlimited: usize,
    /// How often there is which number; for the greatest of them.
    numbers: BTreeMap<Decimal, usize>,
    /// The sum of the numbers, in units of the last digit.
    sum: i128,
}

impl Tally {
    /// No amounts.
    #[must_use]
    pub fn new(aggregation: Aggregation) -> Self {
        Self { aggregation, unlimited: 0, numbers: BTreeMap::new(), sum: 0 }
    }

    /// Adds an amount.
    pub fn add(&mut self, amount: Amount) {
        match amount {
            Amount::Unlimited => self.unlimited += 1,
            Amount::Limited(number) => {
                *self.numbers.entry(number).or_default() += 1;
                self.sum = self.sum.saturating_add(in_units(number));
            }
        }
    }

    /// Takes one away that was added.
    pub fn remove(&mut self, amount: Amount) {
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

    /// All of them together; None where there is none.
    #[must_use]
    pub fn total(&self) -> Option<Amount> {
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
