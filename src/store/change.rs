//! What a write makes of the registers that there are.

use super::meter::{MeterDifference, RegisterOutcome, RegisterWrite};
use crate::core::{
    calendar::Instant,
    usage::register::{Register, RegisterId},
};
use chrono::SubsecRound as _;
use rust_decimal::Decimal;
use std::{collections::BTreeMap, sync::Arc};

/// 10^18. Below that, sums of amounts have all their digits.
const EXACT: Decimal = Decimal::from_parts(2_808_348_672, 232_830_643, 0, false, 0);

/// What is known of some registers of a meter, and what changes of it in a commit.
#[derive(Debug, Default)]
pub struct RegisterChanges {
    known: BTreeMap<RegisterId, Register>,
    /// What is to be kept from now on.
    pub(super) changed: BTreeMap<RegisterId, Register>,
    /// What that changes of the sums.
    pub(super) differences: Vec<MeterDifference>,
}

impl RegisterChanges {
    /// On what is known.
    pub(super) fn of(known: BTreeMap<RegisterId, Register>) -> Self {
        Self { known, ..Self::default() }
    }

    /// A register as it is, with what was taken up before.
    #[must_use]
    pub fn known(&self, id: &RegisterId) -> Option<&Register> {
        self.known.get(id)
    }

    /// What is to be added to the sums, of all that was taken up.
    #[must_use]
    pub fn differences(&self) -> &[MeterDifference] {
        &self.differences
    }

    /// The same, once for each sum: many uses of one second are one row, as everyone who follows the meter has to read it.
    pub(super) fn sums(&self) -> Vec<MeterDifference> {
        let mut sums: BTreeMap<(Instant, Option<Arc<str>>), Decimal> = BTreeMap::new();
        let mut apart = Vec::new();
        for one in &self.differences {
            let sum = sums.entry((one.at, one.channel.clone())).or_default();
            match sum.checked_add(one.amount).filter(|sum| sum.abs() < EXACT) {
                Some(more) => *sum = more,
                None => apart.push(one.clone()),
            }
        }
        let summed = sums.into_iter().map(|((at, channel), amount)| MeterDifference { at, channel, amount });
        summed.filter(|sum| !sum.amount.is_zero()).chain(apart).collect()
    }

    /// Takes up a report.
    pub fn take(&mut self, write: &RegisterWrite) -> RegisterOutcome {
        let known = self.known.get(&write.id);
        let register = register(write, known);
        if known.is_some_and(|known| !register.replaces(known)) {
            return RegisterOutcome::Older;
        }
        if known == Some(&register) {
            return RegisterOutcome::Unchanged;
        }
        let differences = differences(known, &register);
        let outcome = if differences.is_empty() { RegisterOutcome::Unchanged } else { RegisterOutcome::Counted };
        self.differences.extend(differences);
        self.known.insert(write.id.clone(), register.clone());
        self.changed.insert(write.id.clone(), register);
        outcome
    }
}

fn register(write: &RegisterWrite, known: Option<&Register>) -> Register {
    let at = write.at.or(known.map(|known| known.at)).unwrap_or(write.as_of);
    Register {
        at: whole_second(at),
        channel: write.channel.clone(),
        amount: write.amount.normalize(),
        as_of: write.as_of.trunc_subsecs(6),
        deleted: write.deleted,
    }
}

/// The second in which it lies. So is it kept; and what is held in memory must not differ from what is loaded.
fn whole_second(at: Instant) -> Instant {
    at.trunc_subsecs(0)
}

fn differences(known: Option<&Register>, register: &Register) -> Vec<MeterDifference> {
    let mut differences = Vec::new();
    let after = register.counted();
    match known {
        Some(known) if known.at == register.at && known.channel == register.channel => {
            differences.push(difference(register, after - known.counted()));
        }
        known => {
            differences.extend(known.map(|known| difference(known, -known.counted())));
            differences.push(difference(register, after));
        }
    }
    differences.retain(|difference| !difference.amount.is_zero());
    differences
}

fn difference(register: &Register, amount: Decimal) -> MeterDifference {
    MeterDifference { at: register.at, channel: register.channel.clone(), amount }
}
