//! One commit: the writes of many meters, all or none of them.

use super::{
    PersistentStore, StoreError,
    change::RegisterChanges,
    meter::{MeterId, MeterOutcome, MeterWrite, check_text},
    statements::{keep, known, raise_versions},
};
use crate::core::usage::register::RegisterId;
use sqlx::{AnyConnection, Connection};
use std::collections::{BTreeMap, BTreeSet};

const LONGEST_PROGRESS_NAME: usize = 1024;
const LONGEST_PROGRESS: usize = 1 << 20;

/// How far something is that is done bit by bit, by name: kept in the same commit as what was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreProgress {
    /// Of what.
    pub name: String,
    /// How far, in the words of whoever does it.
    pub value: String,
}

impl StoreProgress {
    pub(super) fn check(&self) -> Result<(), StoreError> {
        check_text("the name of a progress", &self.name, LONGEST_PROGRESS_NAME)?;
        check_text("a progress", &self.value, LONGEST_PROGRESS)
    }
}

impl PersistentStore {
    /// Writes all of that in one commit, or nothing. `epoch` is that of the writer's lease.
    ///
    /// What became of each write, in their order.
    ///
    /// # Errors
    /// [`StoreError`]; after [`StoreError::Slow`] and [`StoreError::Down`] it may have been written nevertheless.
    pub async fn write(
        &self,
        epoch: i64,
        writes: &[MeterWrite],
        progress: &[StoreProgress],
    ) -> Result<Vec<MeterOutcome>, StoreError> {
        writes.iter().try_for_each(MeterWrite::check)?;
        progress.iter().try_for_each(StoreProgress::check)?;
        let mut connection = self.connection().await?;
        let done = self.within(commit(&mut connection, epoch, writes, progress)).await;
        self.settled(connection, done)
    }
}

async fn commit(
    connection: &mut AnyConnection,
    epoch: i64,
    writes: &[MeterWrite],
    progress: &[StoreProgress],
) -> Result<Vec<MeterOutcome>, StoreError> {
    let mut transaction = connection.begin().await?;
    let outcomes = write_meters(&mut transaction, writes).await?;
    for one in last_by_name(progress) {
        set_progress(&mut transaction, &one).await?;
    }
    sign(&mut transaction, epoch).await?;
    transaction.commit().await?;
    Ok(outcomes)
}

/// The places of each meter's writes, in the order of meters: two writers that lock the same meters never wait for each other in a
/// circle.
fn by_meter(writes: &[MeterWrite]) -> BTreeMap<MeterId, Vec<usize>> {
    let mut by_meter: BTreeMap<MeterId, Vec<usize>> = BTreeMap::new();
    for (place, write) in writes.iter().enumerate() {
        by_meter.entry(write.meter.clone()).or_default().push(place);
    }
    by_meter
}

/// Of each name what was said last, in the order of names, for the same reason.
fn last_by_name(progress: &[StoreProgress]) -> Vec<StoreProgress> {
    let by_name: BTreeMap<&str, &StoreProgress> = progress.iter().map(|one| (one.name.as_str(), one)).collect();
    by_name.into_values().cloned().collect()
}

async fn write_meters(connection: &mut AnyConnection, writes: &[MeterWrite]) -> Result<Vec<MeterOutcome>, StoreError> {
    let by_meter = by_meter(writes);
    let meters: Vec<&MeterId> = by_meter.keys().collect();
    let raised = raise_versions(connection, &meters).await?;
    let of_meter =
        |places: &[usize]| -> Vec<&MeterWrite> { places.iter().filter_map(|place| writes.get(*place)).collect() };
    let reported = |writes: &[&MeterWrite]| -> BTreeSet<RegisterId> {
        writes.iter().flat_map(|write| &write.registers).map(|one| one.id.clone()).collect()
    };
    let parts: Vec<_> = by_meter.into_values().map(|places| (of_meter(&places), places)).collect();
    let wanted = raised
        .iter()
        .zip(&parts)
        .flat_map(|(meter, (writes, _))| reported(writes).into_iter().map(|register| (meter.id, register)));
    let mut known = known(connection, &wanted.collect::<Vec<_>>()).await?;
    let (mut changed, mut outcomes) = (Vec::new(), BTreeMap::new());
    for (meter, (writes, places)) in raised.iter().zip(&parts) {
        let mut registers = RegisterChanges::of(known.remove(&meter.id).unwrap_or_default());
        let done = writes.iter().map(|write| {
            let taken = write.registers.iter().map(|report| registers.take(report)).collect();
            MeterOutcome { version: meter.version, registers: taken }
        });
        outcomes.extend(places.iter().copied().zip(done));
        changed.push((*meter, registers));
    }
    keep(connection, &changed).await?;
    for (meter, (writes, _)) in raised.iter().zip(&parts) {
        if let Some(memory) = writes.iter().rev().find_map(|write| write.memory.as_ref()) {
            keep_memory(connection, meter.id, meter.version, memory).await?;
        }
    }
    Ok(outcomes.into_values().collect())
}

async fn keep_memory(connection: &mut AnyConnection, meter: i64, version: i64, memory: &str) -> Result<(), StoreError> {
    let query = sqlx::query("UPDATE meter SET memory = $2, memory_version = $3 WHERE id = $1");
    query.bind(meter).bind(memory).bind(version).execute(connection).await?;
    Ok(())
}

async fn set_progress(connection: &mut AnyConnection, progress: &StoreProgress) -> Result<(), StoreError> {
    let query = sqlx::query(
        "INSERT INTO progress (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    );
    query.bind(&*progress.name).bind(&*progress.value).execute(connection).await?;
    Ok(())
}

/// The last statement of every commit, as all writers wait for this row: counts the commit, and refuses whoever has been
/// superseded.
pub(super) async fn sign(connection: &mut AnyConnection, epoch: i64) -> Result<(), StoreError> {
    let query = sqlx::query("UPDATE entitlement_store SET commits = commits + 1, epoch = $1 WHERE epoch <= $1");
    let signed = query.bind(epoch).execute(connection).await?;
    if signed.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Superseded) }
}
