//! One commit whose writes are decided while the meters are locked: of two who want the last one left, one gets it, whichever replica
//! they ask.
//!
//! The first statement on a meter upserts its row, which locks it in both databases until the commit. What others have written since
//! the version in memory is read after that, so nothing is missing when it is decided.

use super::{
    CatchUp, PersistentStore, StoreError,
    change::RegisterChanges,
    connections::settled,
    meter::{MeterChanges, MeterId},
    reading::changes_since,
    writing::{keep_differences, keep_registers, known, raise_version},
};
use crate::core::usage::register::RegisterId;
use sqlx::{AnyConnection, Connection};

/// What is to be decided of one meter.
pub trait MeterTurn: Send {
    /// Which one.
    fn meter(&self) -> &MeterId;

    /// The version of it in memory.
    fn version(&self) -> i64;

    /// The registers that have to be known.
    fn registers(&self) -> Vec<RegisterId>;

    /// Decides, now that nobody else can write: takes over what happened since the version in memory, and takes up in `registers`
    /// what is to be written.
    fn decide(&mut self, since: Option<MeterChanges>, registers: &mut RegisterChanges);
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CountOutcome {
    /// It is on the disk. The new version of each meter, in the order of the turns.
    Kept(Vec<i64>),
    /// There was nothing to write, and nothing was.
    Nothing,
    /// What happened to a meter since the version in memory is not kept any more: it has to be loaded again. Nothing was written.
    Reload(MeterId),
}

impl PersistentStore {
    /// Decides and writes all of that in one commit, or nothing. The turns are in the order of their meters, each of another one:
    /// so two writers never wait for each other in a circle.
    ///
    /// # Errors
    /// [`StoreError`]; after [`StoreError::Slow`] and [`StoreError::Down`] it may have been written nevertheless.
    pub async fn count<T: MeterTurn>(&self, turns: &mut [T]) -> Result<CountOutcome, StoreError> {
        let mut connection = self.connection().await?;
        let done = self.within(count(&mut connection, turns)).await;
        settled(connection, done)
    }
}

async fn count<T: MeterTurn>(connection: &mut AnyConnection, turns: &mut [T]) -> Result<CountOutcome, StoreError> {
    let mut transaction = connection.begin().await?;
    let mut versions = Vec::with_capacity(turns.len());
    let mut is_changed = false;
    for turn in turns {
        let Some((version, is_written)) = take_turn(&mut transaction, turn).await? else {
            transaction.rollback().await?;
            return Ok(CountOutcome::Reload(turn.meter().clone()));
        };
        versions.push(version);
        is_changed |= is_written;
    }
    if !is_changed {
        transaction.rollback().await?;
        return Ok(CountOutcome::Nothing);
    }
    count_commit(&mut transaction).await?;
    transaction.commit().await?;
    Ok(CountOutcome::Kept(versions))
}

/// The meter's new version, and whether anything is written of it; none where it has to be loaded again.
async fn take_turn<T: MeterTurn>(
    connection: &mut AnyConnection,
    turn: &mut T,
) -> Result<Option<(i64, bool)>, StoreError> {
    let (id, version) = raise_version(connection, turn.meter()).await?;
    let held = turn.version();
    let since = match version - held {
        1 => None,
        _ => match changes_since(connection, turn.meter(), held).await? {
            // The version that this commit will have is not there yet.
            CatchUp::Changes(changes) => Some(MeterChanges { version: version - 1, ..changes }),
            CatchUp::Current | CatchUp::Reload => return Ok(None),
        },
    };
    let mut registers = RegisterChanges::of(known(connection, id, &turn.registers()).await?);
    turn.decide(since, &mut registers);
    keep_registers(connection, id, &registers.changed).await?;
    keep_differences(connection, id, version, &registers.differences).await?;
    Ok(Some((version, !registers.changed.is_empty())))
}

/// The last statement of the commit, as all writers wait for this row. Whoever leads makes no difference: every replica counts.
async fn count_commit(connection: &mut AnyConnection) -> Result<(), StoreError> {
    sqlx::query("UPDATE entitlement_store SET commits = commits + 1").execute(connection).await?;
    Ok(())
}
