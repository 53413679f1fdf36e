//! What is read: a meter as a whole, and what happened to it since.

use super::{
    PersistentStore, StoreError,
    dialect::Dialect,
    meter::{MeterChanges, MeterId, StoredMeter},
    rows::{difference, register},
    statements::known,
};
use crate::core::usage::{
    ledger::Ledger,
    register::{Register, RegisterId},
};
use futures::TryStreamExt;
use sqlx::{AnyConnection, Connection, Row};
use std::{collections::BTreeMap, sync::Arc};

/// How to get from a version to the newest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatchUp {
    /// It is the newest.
    Current,
    /// By adding these.
    Changes(MeterChanges),
    /// By loading the meter again: what happened since is not kept any more, or the version is of another history than the store's, as
    /// after a restore.
    Reload,
}

/// A meter, and what there is of it, if that can be read.
pub type LoadedMeter = (MeterId, Result<StoredMeter, StoreError>);

impl PersistentStore {
    /// A meter as a whole. One that was never written is empty.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn load(&self, meter: &MeterId) -> Result<StoredMeter, StoreError> {
        let mut connection = self.connection().await?;
        let done = self.within_more(load(&mut connection, self.dialect, meter)).await;
        self.settled(connection, done)
    }

    /// The meters that there are and their versions, by name: at most `limit` of them, those that come after one.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn versions(&self, after: Option<&MeterId>, limit: u32) -> Result<Vec<(MeterId, i64)>, StoreError> {
        let mut connection = self.connection().await?;
        let done = self.within(versions(&mut connection, after, limit)).await;
        self.settled(connection, done)
    }

    /// The same with all that there is of each. What is wrong with one meter's rows harms no other.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn load_page(&self, after: Option<&MeterId>, limit: u32) -> Result<Vec<LoadedMeter>, StoreError> {
        let mut loaded = Vec::new();
        for (meter, _) in self.versions(after, limit).await? {
            match self.load(&meter).await {
                Err(error) if error.may_pass() => return Err(error),
                stored => loaded.push((meter, stored)),
            }
        }
        Ok(loaded)
    }

    /// What happened to a meter since a version.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn since(&self, meter: &MeterId, version: i64) -> Result<CatchUp, StoreError> {
        let mut connection = self.connection().await?;
        let done = self.within(since(&mut connection, self.dialect, meter, version)).await;
        self.settled(connection, done)
    }

    /// A meter's registers, by origin and key: at most `limit` of them, those that come after one.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn registers(
        &self,
        meter: &MeterId,
        after: Option<&RegisterId>,
        limit: u32,
    ) -> Result<Vec<(RegisterId, Register)>, StoreError> {
        let mut connection = self.connection().await?;
        let done = self.within(registers(&mut connection, meter, after, limit)).await;
        self.settled(connection, done)
    }

    /// Those of some registers of a meter that there are, also those that were taken back.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn known_registers(
        &self,
        meter: &MeterId,
        wanted: &[RegisterId],
    ) -> Result<BTreeMap<RegisterId, Register>, StoreError> {
        let mut connection = self.connection().await?;
        let done = self.within_more(known_registers(&mut connection, meter, wanted)).await;
        self.settled(connection, done)
    }

    /// Whether anything that was used of a definition is kept, by whomever, be it that it was taken back.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn has_uses(&self, definition: &str) -> Result<bool, StoreError> {
        let mut connection = self.connection().await?;
        let done = self.within(has_uses(&mut connection, definition)).await;
        self.settled(connection, done)
    }

    /// How far something is that is done bit by bit; none where it has not begun.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn progress(&self, name: &str) -> Result<Option<String>, StoreError> {
        let mut connection = self.connection().await?;
        let done = self.within(progress(&mut connection, name)).await;
        self.settled(connection, done)
    }
}

async fn load(connection: &mut AnyConnection, dialect: Dialect, meter: &MeterId) -> Result<StoredMeter, StoreError> {
    let mut transaction = connection.begin_with(dialect.begin_reading()).await?;
    let query = sqlx::query("SELECT id, version, memory FROM meter WHERE organization = $1 AND definition = $2");
    let query = query.bind(&*meter.organization).bind(&*meter.definition);
    let Some(row) = query.fetch_optional(&mut *transaction).await? else { return Ok(StoredMeter::default()) };
    let (id, version): (i64, i64) = (row.try_get("id")?, row.try_get("version")?);
    let memory: Option<String> = row.try_get("memory")?;
    let ledger = ledger(&mut transaction, id, meter).await?;
    transaction.commit().await?;
    Ok(StoredMeter { version, memory, ledger: Arc::new(ledger) })
}

async fn ledger(connection: &mut AnyConnection, id: i64, meter: &MeterId) -> Result<Ledger, StoreError> {
    let query = sqlx::query("SELECT at, channel, amount FROM register WHERE meter = $1 AND deleted = 0").bind(id);
    let mut rows = query.fetch(connection);
    let mut ledger = Ledger::default();
    while let Some(row) = rows.try_next().await? {
        let counted = difference(&row)?;
        let added = ledger.add(counted.at, counted.channel.as_ref(), counted.amount);
        added.map_err(|overflow| {
            StoreError::Unreadable(format!("{} of {}: {overflow}", meter.definition, meter.organization))
        })?;
    }
    Ok(ledger)
}

async fn versions(
    connection: &mut AnyConnection,
    after: Option<&MeterId>,
    limit: u32,
) -> Result<Vec<(MeterId, i64)>, StoreError> {
    let (organization, definition) = after.map_or(("", ""), |meter| (&*meter.organization, &*meter.definition));
    let query = sqlx::query(
        "SELECT organization, definition, version FROM meter WHERE (organization, definition) > ($1, $2) \
         ORDER BY organization, definition LIMIT $3",
    );
    let rows = query.bind(organization).bind(definition).bind(i64::from(limit)).fetch_all(connection).await?;
    let version = |row: &sqlx::any::AnyRow| -> Result<(MeterId, i64), StoreError> {
        let (organization, definition): (&str, &str) = (row.try_get("organization")?, row.try_get("definition")?);
        let meter = MeterId { organization: organization.into(), definition: definition.into() };
        Ok((meter, row.try_get("version")?))
    };
    rows.iter().map(version).collect()
}

async fn since(
    connection: &mut AnyConnection,
    dialect: Dialect,
    meter: &MeterId,
    held: i64,
) -> Result<CatchUp, StoreError> {
    if version(connection, meter).await? == held {
        return Ok(CatchUp::Current);
    }
    let mut transaction = connection.begin_with(dialect.begin_reading()).await?;
    let changes = changes_since(&mut transaction, meter, held).await?;
    transaction.commit().await?;
    Ok(changes)
}

/// What happened to a meter since a version, within a transaction.
pub(super) async fn changes_since(
    connection: &mut AnyConnection,
    meter: &MeterId,
    held: i64,
) -> Result<CatchUp, StoreError> {
    let query = sqlx::query(
        "SELECT id, version, pruned, memory_version, CASE WHEN memory_version > $3 THEN memory END AS memory FROM meter \
         WHERE organization = $1 AND definition = $2",
    );
    let query = query.bind(&*meter.organization).bind(&*meter.definition).bind(held);
    let Some(row) = query.fetch_optional(&mut *connection).await? else { return Ok(CatchUp::Reload) };
    let (id, version, pruned): (i64, i64, i64) = (row.try_get("id")?, row.try_get("version")?, row.try_get("pruned")?);
    if version < held || held < pruned {
        return Ok(CatchUp::Reload);
    }
    let query = sqlx::query(
        "SELECT version, at, channel, amount FROM difference WHERE meter = $1 AND version >= $2 ORDER BY version, number",
    );
    let rows = query.bind(id).bind(held).fetch_all(&mut *connection).await?;
    let versions = rows.iter().map(|row| row.try_get("version")).collect::<Result<Vec<i64>, _>>()?;
    let known = versions.iter().take_while(|version| **version == held).count();
    // What was written by an operator from before steps were random may have no difference.
    let is_of_this_history = known > 0 || [0, pruned, row.try_get("memory_version")?].contains(&held);
    if !is_of_this_history {
        return Ok(CatchUp::Reload);
    }
    let differences = rows.iter().skip(known).map(difference).collect::<Result<Vec<_>, _>>()?;
    let differences = differences.into_iter().filter(|one| !one.amount.is_zero()).collect();
    Ok(CatchUp::Changes(MeterChanges { version, memory: row.try_get("memory")?, differences }))
}

/// A meter's version; 0 where it was never written.
async fn version(connection: &mut AnyConnection, meter: &MeterId) -> Result<i64, StoreError> {
    let query = sqlx::query("SELECT version FROM meter WHERE organization = $1 AND definition = $2");
    let row = query.bind(&*meter.organization).bind(&*meter.definition).fetch_optional(connection).await?;
    Ok(row.map(|row| row.try_get("version")).transpose()?.unwrap_or_default())
}

async fn registers(
    connection: &mut AnyConnection,
    meter: &MeterId,
    after: Option<&RegisterId>,
    limit: u32,
) -> Result<Vec<(RegisterId, Register)>, StoreError> {
    let (origin, key) = after.map_or(("", ""), |id| (&*id.origin, &*id.key));
    let query = sqlx::query(
        "SELECT origin, key, at, channel, amount, as_of, deleted FROM register \
         WHERE meter = (SELECT id FROM meter WHERE organization = $1 AND definition = $2) AND (origin, key) > ($3, $4) \
         ORDER BY origin, key LIMIT $5",
    );
    let query = query.bind(&*meter.organization).bind(&*meter.definition).bind(origin).bind(key);
    let rows = query.bind(i64::from(limit)).fetch_all(connection).await?;
    rows.iter().map(register).collect()
}

async fn known_registers(
    connection: &mut AnyConnection,
    meter: &MeterId,
    wanted: &[RegisterId],
) -> Result<BTreeMap<RegisterId, Register>, StoreError> {
    let query = sqlx::query("SELECT id FROM meter WHERE organization = $1 AND definition = $2");
    let query = query.bind(&*meter.organization).bind(&*meter.definition);
    let Some(row) = query.fetch_optional(&mut *connection).await? else { return Ok(BTreeMap::new()) };
    let id: i64 = row.try_get("id")?;
    let wanted: Vec<_> = wanted.iter().map(|register| (id, register.clone())).collect();
    Ok(known(connection, &wanted).await?.remove(&id).unwrap_or_default())
}

async fn has_uses(connection: &mut AnyConnection, definition: &str) -> Result<bool, StoreError> {
    let query = sqlx::query(
        "SELECT 1 AS one FROM meter WHERE definition = $1 AND EXISTS (SELECT 1 FROM register WHERE register.meter = meter.id) LIMIT 1",
    );
    Ok(query.bind(definition).fetch_optional(connection).await?.is_some())
}

async fn progress(connection: &mut AnyConnection, name: &str) -> Result<Option<String>, StoreError> {
    let row = sqlx::query("SELECT value FROM progress WHERE name = $1").bind(name).fetch_optional(connection).await?;
    Ok(row.map(|row| row.try_get("value")).transpose()?)
}
