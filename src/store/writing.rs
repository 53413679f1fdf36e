//! One commit: the writes of many meters, all or none of them.

use super::{
    PersistentStore, StoreError,
    change::RegisterChanges,
    connections::{fill_random, settled},
    meter::{MeterDifference, MeterId, MeterOutcome, MeterWrite, check_text},
    rows::{kept_channel, pieces, placeholders, register},
};
use crate::core::usage::register::{Register, RegisterId};
use chrono::Utc;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Row};
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
        settled(connection, done)
    }
}

async fn commit(
    connection: &mut AnyConnection,
    epoch: i64,
    writes: &[MeterWrite],
    progress: &[StoreProgress],
) -> Result<Vec<MeterOutcome>, StoreError> {
    let mut transaction = connection.begin().await?;
    let mut outcomes = BTreeMap::new();
    for (meter, places) in by_meter(writes) {
        let of_meter: Vec<&MeterWrite> = places.iter().filter_map(|place| writes.get(*place)).collect();
        let done = write_meter(&mut transaction, &meter, &of_meter).await?;
        outcomes.extend(places.into_iter().zip(done));
    }
    for one in last_by_name(progress) {
        set_progress(&mut transaction, &one).await?;
    }
    sign(&mut transaction, epoch).await?;
    transaction.commit().await?;
    Ok(outcomes.into_values().collect())
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

async fn write_meter(
    connection: &mut AnyConnection,
    meter: &MeterId,
    writes: &[&MeterWrite],
) -> Result<Vec<MeterOutcome>, StoreError> {
    let (id, version) = raise_version(connection, meter).await?;
    let reported: BTreeSet<&RegisterId> = writes.iter().flat_map(|write| &write.registers).map(|one| &one.id).collect();
    let reported: Vec<RegisterId> = reported.into_iter().cloned().collect();
    let mut changes = RegisterChanges::of(known(connection, id, &reported).await?);
    let outcomes = writes.iter().map(|write| {
        let registers = write.registers.iter().map(|report| changes.take(report)).collect();
        MeterOutcome { version, registers }
    });
    let outcomes = outcomes.collect();
    keep_registers(connection, id, &changes.changed).await?;
    keep_differences(connection, id, version, &changes.differences).await?;
    if let Some(memory) = writes.iter().rev().find_map(|write| write.memory.as_ref()) {
        keep_memory(connection, id, version, memory).await?;
    }
    Ok(outcomes)
}

/// The meter's number and its new version. That locks the meter until the commit, so it comes before anything is read.
pub(super) async fn raise_version(connection: &mut AnyConnection, meter: &MeterId) -> Result<(i64, i64), StoreError> {
    let row = sqlx::query(
        "INSERT INTO meter (id, organization, definition, version, pruned, memory_version) VALUES ($1, $2, $3, 1, 0, 0) \
         ON CONFLICT (organization, definition) DO UPDATE SET version = meter.version + 1 RETURNING id, version",
    )
    .bind(random_number()?)
    .bind(&*meter.organization)
    .bind(&*meter.definition)
    .fetch_one(connection)
    .await?;
    Ok((row.try_get("id")?, row.try_get("version")?))
}

/// A meter's number is random, as the databases count up in different words.
fn random_number() -> Result<i64, StoreError> {
    let mut bytes = [0; 8];
    fill_random(&mut bytes)?;
    Ok(i64::from_be_bytes(bytes) & i64::MAX)
}

/// Those of some registers of a meter that there are.
pub(super) async fn known(
    connection: &mut AnyConnection,
    meter: i64,
    wanted: &[RegisterId],
) -> Result<BTreeMap<RegisterId, Register>, StoreError> {
    let mut known = BTreeMap::new();
    for piece in pieces(wanted) {
        let mut query = sqlx::query(AssertSqlSafe(rows_of_keys(piece.len()))).bind(meter);
        for id in piece {
            query = query.bind(&*id.origin).bind(&*id.key);
        }
        for row in query.fetch_all(&mut *connection).await? {
            let (id, register) = register(&row)?;
            known.insert(id, register);
        }
    }
    Ok(known)
}

/// The rows of so many keys, each by itself: in a join with a list of keys, PostgreSQL would read the whole meter and compare each
/// row with each key.
fn rows_of_keys(keys: usize) -> String {
    let row = |key: usize| {
        format!(
            "SELECT origin, key, at, channel, amount, as_of, deleted FROM register \
             WHERE meter = $1 AND origin = ${} AND key = ${}",
            2 * key + 2,
            2 * key + 3
        )
    };
    (0..keys).map(row).collect::<Vec<_>>().join(" UNION ALL ")
}

pub(super) async fn keep_registers(
    connection: &mut AnyConnection,
    meter: i64,
    registers: &BTreeMap<RegisterId, Register>,
) -> Result<(), StoreError> {
    let rows: Vec<_> = registers.iter().collect();
    for piece in pieces(&rows) {
        let sql = format!(
            "INSERT INTO register (meter, origin, key, at, channel, amount, as_of, deleted) VALUES {} \
             ON CONFLICT (meter, origin, key) DO UPDATE SET at = excluded.at, channel = excluded.channel, \
             amount = excluded.amount, as_of = excluded.as_of, deleted = excluded.deleted",
            placeholders(piece.len(), 8, 1)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for (id, register) in piece {
            query = query.bind(meter).bind(&*id.origin).bind(&*id.key).bind(register.at.timestamp());
            query = query.bind(kept_channel(register.channel.as_ref())).bind(register.amount.to_string());
            query = query.bind(register.as_of.timestamp_micros()).bind(i64::from(register.deleted));
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

pub(super) async fn keep_differences(
    connection: &mut AnyConnection,
    meter: i64,
    version: i64,
    differences: &[MeterDifference],
) -> Result<(), StoreError> {
    let written = Utc::now().timestamp();
    let rows: Vec<_> = (0_i64..).zip(differences).collect();
    for piece in pieces(&rows) {
        let sql = format!(
            "INSERT INTO difference (meter, version, number, at, channel, amount, written) VALUES {}",
            placeholders(piece.len(), 7, 1)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for (number, difference) in piece {
            query = query.bind(meter).bind(version).bind(*number).bind(difference.at.timestamp());
            query = query.bind(kept_channel(difference.channel.as_ref())).bind(difference.amount.to_string());
            query = query.bind(written);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
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
