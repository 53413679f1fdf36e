//! Registers summed up by moment and channel. A difference is added in the time of a lookup; nobody reads a register again for
//! that.

use super::register::Register;
use crate::core::calendar::Instant;
use rust_decimal::Decimal;
use std::{collections::BTreeMap, ops::Bound, sync::Arc};

/// What a moment's registers come to, by channel.
type Sums = BTreeMap<Option<Arc<str>>, Decimal>;

/// What was used when, and by which channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    sums: BTreeMap<Instant, Sums>,
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
        let sums = self.sums.entry(at).or_default();
        let known = sums.get(&channel.cloned()).copied().unwrap_or_default();
        let sum = known.checked_add(difference).ok_or(Overflow)?;
        if sum.is_zero() {
            sums.remove(&channel.cloned());
        } else {
            sums.insert(channel.cloned(), sum);
        }
        if sums.is_empty() {
            self.sums.remove(&at);
        }
        Ok(())
    }

    /// All of a half-open span of time together; more than a decimal holds stands at the greatest.
    #[must_use]
    pub fn between(&self, from: Instant, until: Instant) -> Decimal {
        self.within(from, until).flat_map(BTreeMap::values).fold(Decimal::ZERO, |sum, one| sum.saturating_add(*one))
    }

    /// The same of one channel.
    #[must_use]
    pub fn of_channel_between(&self, channel: &str, from: Instant, until: Instant) -> Decimal {
        let of_channel = self.within(from, until).flatten().filter(|(name, _)| name.as_deref() == Some(channel));
        of_channel.fold(Decimal::ZERO, |sum, (_, one)| sum.saturating_add(*one))
    }

    /// The first moment at which anything was used.
    #[must_use]
    pub fn first(&self) -> Option<Instant> {
        self.sums.first_key_value().map(|(at, _)| *at)
    }

    /// Forgets what lies before a moment.
    pub fn forget_before(&mut self, at: Instant) {
        self.sums = self.sums.split_off(&at);
    }

    fn within(&self, from: Instant, until: Instant) -> impl Iterator<Item = &Sums> {
        let range = (from < until).then(|| self.sums.range((Bound::Included(from), Bound::Excluded(until))));
        range.into_iter().flatten().map(|(_, sums)| sums)
    }
}
