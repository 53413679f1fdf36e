//! Registers summed up by moment and channel. A difference is added in the time of a lookup; nobody reads a register again for
//! that.

use super::register::Register;
use crate::core::calendar::Instant;
use chrono::TimeDelta;
use rust_decimal::Decimal;
use std::{collections::BTreeMap, sync::Arc};

/// A moment, and the channel by which something was used then. A moment without a channel is before the same one with any.
type Place = (Instant, Option<Arc<str>>);

/// What was used when, and by which channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    sums: BTreeMap<Place, Decimal>,
}

/// A sum that no decimal holds any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what is used comes to more than can be counted (28 digits): correct the register that is wrong")]
pub struct Overflow;

impl Ledger {
    /// Of registers, in any order.
    ///
    /// # Errors
    /// [`Overflow`]
    pub fn of<'a>(registers: impl IntoIterator<Item = &'a Register>) -> Result<Self, Overflow> {
        let mut ledger = Self::default();
        for register in registers {
            ledger.add(register.at, register.channel.as_ref(), register.counted())?;
        }
        Ok(ledger)
    }

    /// Adds a difference, which may be negative. What comes to nothing is forgotten.
    ///
    /// # Errors
    /// [`Overflow`]; the ledger is then as it was.
    pub fn add(&mut self, at: Instant, channel: Option<&Arc<str>>, difference: Decimal) -> Result<(), Overflow> {
        let place = (at, channel.cloned());
        let known = self.sums.get(&place).copied().unwrap_or_default();
        let sum = exact_sum(known, difference).ok_or(Overflow)?;
        if sum.is_zero() {
            self.sums.remove(&place);
        } else {
            self.sums.insert(place, sum);
        }
        Ok(())
    }

    /// All of a half-open span of time together; more than a decimal holds stands at the greatest.
    #[must_use]
    pub fn between(&self, from: Instant, until: Instant) -> Decimal {
        self.entries(from, until).fold(Decimal::ZERO, |sum, (_, one)| sum.saturating_add(one))
    }

    /// What each moment of a half-open span of time comes to, by channel.
    pub fn entries(&self, from: Instant, until: Instant) -> impl Iterator<Item = (Option<&Arc<str>>, Decimal)> {
        let range = (from < until).then(|| self.sums.range((from, None)..(until, None)));
        range.into_iter().flatten().map(|((_, channel), sum)| (channel.as_ref(), *sum))
    }

    /// The first moment at which anything was used.
    #[must_use]
    pub fn first(&self) -> Option<Instant> {
        self.sums.first_key_value().map(|((at, _), _)| *at)
    }

    /// The first moment after one at which anything was used.
    #[must_use]
    pub fn first_after(&self, at: Instant) -> Option<Instant> {
        let after = at.checked_add_signed(TimeDelta::seconds(1))?;
        self.sums.range((after, None)..).next().map(|((at, _), _)| *at)
    }

    /// Forgets what lies before a moment.
    pub fn forget_before(&mut self, at: Instant) {
        self.sums = self.sums.split_off(&(at, None));
    }
}

/// The sum, but where a decimal cannot hold all of its digits: a rounded one would not come back to what it was.
fn exact_sum(one: Decimal, other: Decimal) -> Option<Decimal> {
    let (one, other) = (one.normalize(), other.normalize());
    let sum = one.checked_add(other)?;
    (sum.scale() >= one.scale().max(other.scale())).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::usage::tests::scene::moment;
    use rstest::rstest;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[rstest]
    #[case::beyond_a_decimal("79228162514264337593543950335", "1")]
    #[case::with_more_digits_than_a_decimal_has("79228162514264337593543950335", "0.000000001")]
    #[case::below_a_decimal("-79228162514264337593543950335", "-1")]
    fn what_cannot_be_counted_changes_nothing(#[case] known: &str, #[case] more: &str) {
        let at = moment("01-10");
        let mut ledger = Ledger::default();
        ledger.add(at, None, decimal(known)).unwrap();
        let before = ledger.clone();
        assert_eq!(ledger.add(at, None, decimal(more)), Err(Overflow));
        assert_eq!(ledger, before);
    }

    #[test]
    fn sums_of_several_moments_stand_at_the_greatest() {
        let mut ledger = Ledger::default();
        ledger.add(moment("01-10"), None, Decimal::MAX).unwrap();
        ledger.add(moment("01-11"), None, Decimal::MAX).unwrap();
        assert_eq!(ledger.between(moment("01-10"), moment("01-12")), Decimal::MAX);
        assert_eq!(ledger.between(moment("01-12"), moment("01-10")), Decimal::ZERO);
    }

    #[test]
    fn what_comes_to_nothing_is_forgotten() {
        let (at, phone) = (moment("01-10"), Arc::from("phone"));
        let mut ledger = Ledger::default();
        ledger.add(at, Some(&phone), decimal("2.50")).unwrap();
        ledger.add(at, None, Decimal::ONE).unwrap();
        assert_eq!(ledger.between(at, moment("01-11")), decimal("3.5"));
        assert_eq!(ledger.between(moment("01-09"), at), Decimal::ZERO);
        ledger.add(at, Some(&phone), decimal("-2.5")).unwrap();
        ledger.add(at, None, -Decimal::ONE).unwrap();
        assert_eq!(ledger, Ledger::default());
        assert_eq!(ledger.first(), None);
    }

    #[test]
    fn what_lies_before_a_moment_is_forgotten() {
        let phone = Arc::from("phone");
        let mut ledger = Ledger::default();
        for at in ["01-10", "01-11", "01-12"] {
            ledger.add(moment(at), Some(&phone), Decimal::ONE).unwrap();
        }
        ledger.forget_before(moment("01-11"));
        assert_eq!(ledger.first(), Some(moment("01-11")));
        assert_eq!(ledger.between(moment("01-01"), moment("02-01")), Decimal::TWO);
    }
}
