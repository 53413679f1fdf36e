//! Which store it is, and how often it was written: so that another one, or an older copy of it, is noticed.

use super::{PersistentStore, StoreError};
use sqlx::{AnyConnection, Row, any::AnyRow};

/// Which store it is, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreIdentity {
    /// Random, from when it was made.
    pub id: String,
    /// How often it was written.
    pub commits: u64,
}

/// How a store is not what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreReplacement {
    /// It is another one.
    Another,
    /// It is an older copy: what was written since is not in it.
    Older,
}

impl StoreIdentity {
    /// Whether this is not the continuation of what was known of the store.
    #[must_use]
    pub fn replaces(&self, known: &Self) -> Option<StoreReplacement> {
        if self.id != known.id {
            return Some(StoreReplacement::Another);
        }
        (self.commits < known.commits).then_some(StoreReplacement::Older)
    }
}

impl PersistentStore {
    /// Which store it is. Asking for it is also how one learns whether it answers.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn identity(&self) -> Result<StoreIdentity, StoreError> {
        let mut connection = self.connection().await?;
        let done = self.within(read_identity(&mut connection)).await;
        self.settled(connection, done)
    }

    /// The epoch of the writer that wrote last. Whoever takes over writes with a greater one.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn epoch(&self) -> Result<i64, StoreError> {
        let mut connection = self.connection().await?;
        let done = self.within(epoch(&mut connection)).await;
        self.settled(connection, done)
    }
}

async fn epoch(connection: &mut AnyConnection) -> Result<i64, StoreError> {
    let row = sqlx::query("SELECT epoch FROM entitlement_store").fetch_one(connection).await?;
    Ok(row.try_get("epoch")?)
}

pub(super) async fn read_identity(connection: &mut AnyConnection) -> Result<StoreIdentity, StoreError> {
    read(&sqlx::query("SELECT id, commits FROM entitlement_store").fetch_one(connection).await?)
}

/// Counts a commit, and which store it was before. It is the last statement, as all writers wait for this row. Whoever leads makes no
/// difference.
pub(super) async fn count_commit(connection: &mut AnyConnection) -> Result<StoreIdentity, StoreError> {
    let counted =
        sqlx::query("UPDATE entitlement_store SET commits = commits + 1 RETURNING id, commits - 1 AS commits");
    read(&counted.fetch_one(connection).await?)
}

fn read(row: &AnyRow) -> Result<StoreIdentity, StoreError> {
    let commits: i64 = row.try_get("commits")?;
    Ok(StoreIdentity { id: row.try_get("id")?, commits: u64::try_from(commits).unwrap_or_default() })
}
