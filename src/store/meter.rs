//! Meters, what is written of them, and what becomes of it.

use super::StoreError;
use crate::core::{
    calendar::Instant,
    usage::{
        ledger::{Ledger, Overflow},
        register::RegisterId,
    },
};
use rust_decimal::Decimal;
use std::sync::Arc;

/// What usage is counted for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MeterId {
    /// The organization's name.
    pub organization: Arc<str>,
    /// The definition's name.
    pub definition: Arc<str>,
}

/// What is reported of a register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterWrite {
    /// Which one.
    pub id: RegisterId,
    /// When it was used, to the second; absent: as it was, or `as_of` if there was none.
    pub at: Option<Instant>,
    /// The way in which it was used.
    pub channel: Option<Arc<str>>,
    /// What it comes to: not negative, at most 15 digits before the point and 9 behind it.
    pub amount: Decimal,
    /// As of when that is said, to the microsecond.
    pub as_of: Instant,
    /// Whether it is taken back.
    pub deleted: bool,
}

/// What is to be written of one meter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeterWrite {
    /// Which one.
    pub meter: MeterId,
    /// Reports, in the order in which they came.
    pub registers: Vec<RegisterWrite>,
    /// What is remembered of it from now on; absent: what was.
    pub memory: Option<String>,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterOutcome {
    /// It changes what is used.
    Counted,
    /// It says what was known.
    Unchanged,
    /// More is known already: it changes nothing.
    Older,
}

/// What became of a meter's write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeterOutcome {
    /// The meter's version, which other writes of the same commit may share.
    pub version: i64,
    /// Of each report, in their order.
    pub registers: Vec<RegisterOutcome>,
}

/// What a version adds to a sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeterDifference {
    /// When it was used.
    pub at: Instant,
    /// By which channel.
    pub channel: Option<Arc<str>>,
    /// What is added; negative where it is taken away.
    pub amount: Decimal,
}

/// A meter as of one version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredMeter {
    /// As of which write of it, in numbers that rise by random steps; 0: it was never written.
    pub version: i64,
    /// What is remembered of it.
    pub memory: Option<String>,
    /// Its registers, summed up. Whoever looks at it shares it; it is copied only where somebody still does as it changes.
    pub ledger: Arc<Ledger>,
}

/// What happened to a meter since a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeterChanges {
    /// Up to which version.
    pub version: i64,
    /// What is remembered of it, if that was written since.
    pub memory: Option<String>,
    /// In the order in which they were written.
    pub differences: Vec<MeterDifference>,
}

impl StoredMeter {
    /// Takes over what happened since.
    ///
    /// # Errors
    /// [`Overflow`]; then it has to be loaded again.
    pub fn add(&mut self, changes: MeterChanges) -> Result<(), Overflow> {
        self.add_all(&changes.differences)?;
        if changes.memory.is_some() {
            self.memory = changes.memory;
        }
        self.version = changes.version;
        Ok(())
    }

    /// Adds differences, whose version has yet to be known.
    ///
    /// # Errors
    /// [`Overflow`]; then it has to be loaded again.
    pub fn add_all(&mut self, differences: &[MeterDifference]) -> Result<(), Overflow> {
        let ledger = Arc::make_mut(&mut self.ledger);
        let mut added = differences.iter();
        added.try_for_each(|one| ledger.add(one.at, one.channel.as_ref(), one.amount))
    }
}

const LONGEST_NAME: usize = 253;
const LONGEST_ORIGIN: usize = 512;
const LONGEST_KEY: usize = 128;
const LONGEST_MEMORY: usize = 4 << 20;
const FRACTION_DIGITS: u32 = 9;
const BELOW: i64 = 1_000_000_000_000_000;

impl MeterWrite {
    /// Whether any store could keep it. What cannot be kept must not come into a commit with others' writes.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        check_text("the organization's name", &self.meter.organization, LONGEST_NAME)?;
        check_text("the definition's name", &self.meter.definition, LONGEST_NAME)?;
        if self.memory.as_ref().is_some_and(|memory| memory.len() > LONGEST_MEMORY || memory.contains('\0')) {
            return Err(StoreError::Unfit(format!(
                "what is remembered has more than {LONGEST_MEMORY} bytes, or a NUL"
            )));
        }
        self.registers.iter().try_for_each(RegisterWrite::check)
    }
}

impl RegisterWrite {
    /// Whether any store could keep it.
    ///
    /// # Errors
    /// [`StoreError::Unfit`]
    pub fn check(&self) -> Result<(), StoreError> {
        check_text("the origin", &self.id.origin, LONGEST_ORIGIN)?;
        check_text("the key", &self.id.key, LONGEST_KEY)?;
        if let Some(channel) = &self.channel {
            check_text("the channel", channel, LONGEST_NAME)?;
        }
        let amount = self.amount.normalize();
        let fits = !amount.is_sign_negative() && amount.scale() <= FRACTION_DIGITS && amount < Decimal::from(BELOW);
        if fits { Ok(()) } else { Err(StoreError::Unfit(format!("the amount {amount} of the key {:?}", self.id.key))) }
    }
}

/// Whether a text can be kept: PostgreSQL has none with a NUL, and none that is too long for an index.
pub(super) fn check_text(what: &str, text: &str, longest: usize) -> Result<(), StoreError> {
    if text.is_empty() {
        return Err(StoreError::Unfit(format!("{what} is empty")));
    }
    if text.len() > longest {
        return Err(StoreError::Unfit(format!("{what} has {} bytes, and {longest} are the most", text.len())));
    }
    if text.contains('\0') {
        return Err(StoreError::Unfit(format!("{what} has a NUL character")));
    }
    Ok(())
}
