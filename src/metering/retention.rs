//! What is taken out of the store once nobody looks back so far and it cannot count any more: meter by meter, a few at a time.

use super::{REPORTED, desk::MeterDesk, held::HeldMeter};
use crate::{
    core::{
        calendar::Instant,
        usage::{memory::Memory, record::UsageRecord, retention::kept_since},
    },
    store::{MeterPruning, PersistentStore, StoreError, meter::MeterId},
};
use chrono::{TimeDelta, Utc};
use std::{sync::Arc, time::Duration};

/// How often each meter is looked at.
const INTERVAL: Duration = Duration::from_hours(1);
/// How many meters are looked at before others are served.
const METERS: u32 = 50;
/// How long differences are kept: whoever has not caught up in that time loads the meter anew.
const DIFFERENCES: TimeDelta = TimeDelta::days(1);

/// Whether the uses of a definition add up, by its state that serves.
pub type AddsUp = Arc<dyn Fn(&Arc<str>) -> bool + Send + Sync>;

/// How far it is.
#[derive(Debug, Default)]
pub struct PruningRound {
    begun: Option<tokio::time::Instant>,
    /// The meter that was looked at last; None where the round is over.
    last: Option<MeterId>,
}

impl PruningRound {
    /// Looks at the next meters, where it is time to.
    ///
    /// # Errors
    /// Where the store does not answer, or this replica may not write to it any more.
    pub async fn go_on(
        &mut self,
        desk: &MeterDesk,
        store: &PersistentStore,
        epoch: i64,
        adds_up: &AddsUp,
        now: Instant,
    ) -> Result<(), StoreError> {
        if self.last.is_none() {
            if self.begun.is_some_and(|begun| begun.elapsed() < INTERVAL) {
                return Ok(());
            }
            self.begun = Some(tokio::time::Instant::now());
        }
        let meters = store.versions(self.last.as_ref(), METERS).await?;
        for (meter, _) in &meters {
            match prune(desk, store, epoch, adds_up, meter, now).await {
                // It is told where the meter is loaded.
                Err(StoreError::Unreadable(_)) => {}
                done => done?,
            }
        }
        self.last = meters.last().filter(|_| meters.len() == METERS as usize).map(|(meter, _)| meter.clone());
        Ok(())
    }
}

async fn prune(
    desk: &MeterDesk,
    store: &PersistentStore,
    epoch: i64,
    adds_up: &AddsUp,
    meter: &MeterId,
    now: Instant,
) -> Result<(), StoreError> {
    let known = desk.state().meters.get(meter).map(HeldMeter::memory);
    let memory = match known {
        Some(memory) => memory,
        None => Arc::new(memory(store, meter).await?),
    };
    let pruning = MeterPruning {
        meter: meter.clone(),
        registers: Some(kept_since(&memory, now)),
        // Of what is in use nobody knows since when; and of what nobody says any more how it is metered, it may be that.
        deleted_only: !adds_up(&meter.definition),
        // As long as an object says it, it would be written again.
        deleted_only_of: Some(REPORTED),
        // They are stamped by the machine's clock, whatever moment is reckoned with.
        differences: Utc::now().checked_sub_signed(DIFFERENCES),
    };
    store.prune(epoch, &pruning).await
}

/// What is remembered of a meter that is not in memory.
async fn memory(store: &PersistentStore, meter: &MeterId) -> Result<Memory, StoreError> {
    let Some(text) = store.load(meter).await?.memory else { return Ok(Memory::default()) };
    let record = UsageRecord::read(&text).map_err(|error| StoreError::Unreadable(error.to_string()))?;
    Ok(record.memory)
}
