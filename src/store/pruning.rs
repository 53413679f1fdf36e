//! What is not kept for ever, taken out in small commits between which others write.

use super::{PersistentStore, StoreError, meter::MeterId, writing::sign};
use crate::core::{calendar::Instant, usage::register::RegisterId};
use sqlx::{AnyConnection, Connection, Row};

/// How many registers one commit looks at.
const REGISTERS: i64 = 1000;

/// How many differences one commit takes out, but for those of one version.
const DIFFERENCES: i64 = 1000;

/// What of a meter is not needed any more. No balance may need the registers: what lies before the open period and the two before
/// it, or of an allotment that has no period while anything is held, is the caller's to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeterPruning {
    /// Which one.
    pub meter: MeterId,
    /// Registers of a use before this moment; absent: none.
    pub registers: Option<Instant>,
    /// Only such as were taken back: of what is Held, which counts until then.
    pub deleted_only: bool,
    /// Of origins that begin so, too.
    pub deleted_only_of: Option<&'static str>,
    /// Differences that were written before this moment. Whoever holds an older version loads the meter again.
    pub differences: Option<Instant>,
}

impl PersistentStore {
    /// Takes out what is not needed any more.
    ///
    /// # Errors
    /// [`StoreError`]; what was taken out until then is.
    pub async fn prune(&self, epoch: i64, pruning: &MeterPruning) -> Result<(), StoreError> {
        if let Some(before) = pruning.registers {
            let mut next = Some(RegisterId { origin: "".into(), key: "".into() });
            while let Some(after) = next {
                let mut connection = self.connection().await?;
                let done = self.within(prune_registers(&mut connection, epoch, pruning, before, &after)).await;
                next = self.settled(connection, done)?;
            }
        }
        if let Some(before) = pruning.differences {
            let mut is_more = true;
            while is_more {
                let mut connection = self.connection().await?;
                let done = self.within(prune_differences(&mut connection, epoch, &pruning.meter, before)).await;
                is_more = self.settled(connection, done)?;
            }
        }
        Ok(())
    }
}

/// The meter's number, with the meter locked as by a write; none where there is no such meter.
async fn lock(connection: &mut AnyConnection, meter: &MeterId) -> Result<Option<i64>, StoreError> {
    let query =
        sqlx::query("UPDATE meter SET version = version WHERE organization = $1 AND definition = $2 RETURNING id");
    let row = query.bind(&*meter.organization).bind(&*meter.definition).fetch_optional(connection).await?;
    Ok(row.map(|row| row.try_get("id")).transpose()?)
}

/// Looks at the next registers, and says after which one to go on.
async fn prune_registers(
    connection: &mut AnyConnection,
    epoch: i64,
    pruning: &MeterPruning,
    before: Instant,
    after: &RegisterId,
) -> Result<Option<RegisterId>, StoreError> {
    let mut transaction = connection.begin().await?;
    let Some(meter) = lock(&mut transaction, &pruning.meter).await? else { return Ok(None) };
    let last = last_of_next(&mut transaction, meter, after).await?;
    let Some(last) = last else { return Ok(None) };
    let query = sqlx::query(
        "DELETE FROM register WHERE meter = $1 AND (origin, key) > ($2, $3) AND (origin, key) <= ($4, $5) \
         AND at < $6 AND deleted >= $7 AND (deleted = 1 OR substr(origin, 1, $8) <> $9)",
    );
    let query = query.bind(meter).bind(&*after.origin).bind(&*after.key).bind(&*last.origin).bind(&*last.key);
    let query = query.bind(before.timestamp()).bind(i64::from(pruning.deleted_only));
    // Where there is none, no beginning of an origin is the same: none is empty.
    let (length, beginning) = pruning.deleted_only_of.map_or((1, ""), |beginning| (beginning.len(), beginning));
    let query = query.bind(i32::try_from(length).unwrap_or(i32::MAX)).bind(beginning);
    let taken_out = query.execute(&mut *transaction).await?.rows_affected();
    sign(&mut transaction, epoch).await?;
    // A commit waits for the disk.
    if taken_out == 0 {
        transaction.rollback().await?;
    } else {
        transaction.commit().await?;
    }
    Ok(Some(last))
}

/// The last of the next registers after one; none where no more follow.
async fn last_of_next(
    connection: &mut AnyConnection,
    meter: i64,
    after: &RegisterId,
) -> Result<Option<RegisterId>, StoreError> {
    let query = sqlx::query(
        "SELECT origin, key FROM (SELECT origin, key FROM register WHERE meter = $1 AND (origin, key) > ($2, $3) \
         ORDER BY origin, key LIMIT $4) AS next ORDER BY origin DESC, key DESC LIMIT 1",
    );
    let query = query.bind(meter).bind(&*after.origin).bind(&*after.key).bind(REGISTERS);
    let Some(row) = query.fetch_optional(connection).await? else { return Ok(None) };
    let (origin, key): (&str, &str) = (row.try_get("origin")?, row.try_get("key")?);
    Ok(Some(RegisterId { origin: origin.into(), key: key.into() }))
}

/// Takes out the oldest differences, and says whether there may be more.
async fn prune_differences(
    connection: &mut AnyConnection,
    epoch: i64,
    meter: &MeterId,
    before: Instant,
) -> Result<bool, StoreError> {
    let mut transaction = connection.begin().await?;
    let Some(meter) = lock(&mut transaction, meter).await? else { return Ok(false) };
    let query = sqlx::query(
        "SELECT MAX(version) AS version FROM (SELECT version, written FROM difference WHERE meter = $1 \
         ORDER BY version LIMIT $3) AS next WHERE written < $2",
    );
    let row = query.bind(meter).bind(before.timestamp()).bind(DIFFERENCES).fetch_one(&mut *transaction).await?;
    let Some(last) = row.try_get::<Option<i64>, _>("version")? else { return Ok(false) };
    let query = sqlx::query("DELETE FROM difference WHERE meter = $1 AND version <= $2");
    query.bind(meter).bind(last).execute(&mut *transaction).await?;
    let query = sqlx::query("UPDATE meter SET pruned = $2 WHERE id = $1");
    query.bind(meter).bind(last).execute(&mut *transaction).await?;
    sign(&mut transaction, epoch).await?;
    transaction.commit().await?;
    Ok(true)
}
