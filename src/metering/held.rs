//! One meter in memory.

use super::{REPORTED, intake::differences};
use crate::{
    core::{
        calendar::Instant,
        usage::{
            memory::Memory,
            record::{UnreadableRecord, UsageRecord},
            register::{Register, RegisterId},
            state::SaidCrossing,
        },
    },
    evaluation::usage::{Heard, MeterFacts},
    store::{
        PersistentStore, StoreError,
        meter::{MeterChanges, MeterDifference, MeterId, MeterWrite, RegisterWrite, StoredMeter},
    },
};
use std::{collections::BTreeMap, sync::Arc};

/// One meter, as the store had it last.
#[derive(Debug)]
pub struct HeldMeter {
    stored: StoredMeter,
    record: UsageRecord,
    facts: Arc<MeterFacts>,
    said: Arc<[SaidCrossing]>,
    /// The registers that EntitlementUsage objects gave, but for those that were taken back.
    reported: BTreeMap<RegisterId, Register>,
    /// As of when the last of these was said, also of what was taken back.
    latest: Option<Instant>,
}

impl HeldMeter {
    /// One that was loaded, with the registers of EntitlementUsage objects.
    ///
    /// # Errors
    /// Where what is remembered of it cannot be read.
    pub fn of(stored: StoredMeter, registers: Vec<(RegisterId, Register)>) -> Result<Self, UnreadableRecord> {
        let record = record(&stored)?;
        let latest = registers.iter().map(|(_, register)| register.as_of).max();
        let reported = registers.into_iter().filter(|(_, register)| !register.deleted).collect();
        Ok(Self {
            facts: facts(&stored, &record),
            said: record.said.as_slice().into(),
            stored,
            record,
            reported,
            latest,
        })
    }

    /// One as the store has it now, without the registers of EntitlementUsage objects.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn load(store: &PersistentStore, meter: &MeterId) -> Result<Self, StoreError> {
        Self::of(store.load(meter).await?, Vec::new()).map_err(|error| StoreError::Unreadable(error.to_string()))
    }

    /// Adds what is not on the disk yet. Whether it can be counted; otherwise nothing of it counts any more.
    pub fn stage(&mut self, differences: &[MeterDifference]) -> bool {
        self.release();
        let is_added = self.stored.add_all(differences).is_ok();
        let ledger = Arc::clone(&self.stored.ledger);
        self.facts = Arc::new(MeterFacts { ledger, ..MeterFacts::clone(&self.facts) });
        is_added
    }

    /// What was added is on the disk, as that version.
    pub fn is_of(&mut self, version: i64) {
        self.stored.version = version;
    }

    /// Its version.
    pub fn version(&self) -> i64 {
        self.stored.version
    }

    /// What is remembered of it.
    pub fn memory(&self) -> Arc<Memory> {
        Arc::clone(&self.facts.memory)
    }

    /// What an evaluation takes from it.
    pub fn facts(&self) -> &Arc<MeterFacts> {
        &self.facts
    }

    /// The crossings that were said.
    pub fn said(&self) -> &Arc<[SaidCrossing]> {
        &self.said
    }

    /// These crossings were said; the store may not have them yet.
    pub fn say(&mut self, said: &[SaidCrossing]) {
        if *self.said != *said {
            self.said = said.into();
        }
    }

    /// How many of these registers the store has as they are.
    pub fn counted(&self, registers: &BTreeMap<RegisterId, Register>) -> usize {
        let stored = |id: &RegisterId| Some((id.clone(), self.reported.get(id)?.clone()));
        let stored: BTreeMap<_, _> = registers.keys().filter_map(stored).collect();
        registers.len() - differences(&stored, registers, Instant::MIN_UTC).len()
    }

    /// What has to be written so that it has these registers, and that record; None where it does.
    pub fn write(
        &self,
        meter: MeterId,
        registers: &BTreeMap<RegisterId, Register>,
        record: Option<&UsageRecord>,
        now: Instant,
    ) -> Option<MeterWrite> {
        let as_of = self.latest.map_or(now, |latest| latest.max(now));
        let registers = differences(&self.reported, registers, as_of);
        let text = record.map(UsageRecord::text);
        let memory = text.filter(|text| *text != self.record.text());
        (!registers.is_empty() || memory.is_some()).then_some(MeterWrite { meter, registers, memory })
    }

    /// Lets go of the sums, so that nothing has to be copied as they change.
    fn release(&mut self) {
        self.facts = Arc::new(MeterFacts { ledger: Arc::default(), ..MeterFacts::clone(&self.facts) });
    }

    /// Takes over what the store has since. Whether there is anything new but what is remembered; None where it has to be loaded again.
    pub fn add(&mut self, changes: MeterChanges, written: &[RegisterWrite]) -> Option<bool> {
        let is_news =
            !changes.differences.is_empty() || written.iter().any(|write| write.id.origin.starts_with(REPORTED));
        self.release();
        self.stored.add(changes).ok()?;
        self.record = record(&self.stored).ok()?;
        self.facts = facts(&self.stored, &self.record);
        self.said = self.record.said.as_slice().into();
        for write in written.iter().filter(|write| write.id.origin.starts_with(REPORTED)) {
            self.latest = self.latest.max(Some(write.as_of));
            if write.deleted {
                self.reported.remove(&write.id);
                continue;
            }
            let (at, channel) = (write.at.unwrap_or(write.as_of), write.channel.clone());
            let register = Register { at, channel, amount: write.amount, as_of: write.as_of, deleted: false };
            self.reported.insert(write.id.clone(), register);
        }
        Some(is_news)
    }
}

fn record(stored: &StoredMeter) -> Result<UsageRecord, UnreadableRecord> {
    stored.memory.as_deref().map_or_else(|| Ok(UsageRecord::default()), UsageRecord::read)
}

fn facts(stored: &StoredMeter, record: &UsageRecord) -> Arc<MeterFacts> {
    Arc::new(MeterFacts {
        memory: Arc::new(record.memory.clone()),
        ledger: Arc::clone(&stored.ledger),
        heard: Some(Heard::Always),
    })
}
