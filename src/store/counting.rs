//! One commit whose writes are decided while the meters are locked: of two who want the last one left, one gets it, whichever replica
//! they ask.
//!
//! The first statement on a meter upserts its row, which locks it in both databases until the commit. What others have written since
//! the version in memory is read after that, so nothing is missing when it is decided.

use super::{
    CatchUp, PersistentStore, StoreError,
    change::RegisterChanges,
    identity::{StoreIdentity, count_commit, read_identity},
    meter::{MeterChanges, MeterId},
    reading::changes_since,
    statements::{keep, known, raise_versions},
};
use crate::{core::usage::register::RegisterId, kill_points::KillPoint};
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
    /// It is on the disk. The new version of each meter, in the order of the turns, and what the store says of itself since.
    Kept(Vec<i64>, StoreIdentity),
    /// There was nothing to write, and nothing was.
    Nothing,
    /// What happened to a meter since the version in memory is not kept any more, or that version is of another history: it has to be
    /// loaded again. Nothing was written.
    Reload(MeterId),
    /// It is not the store that is known, but this one: nothing in memory counts any more. Nothing was written.
    Replaced(StoreIdentity),
}

impl PersistentStore {
    /// Decides and writes all of that in one commit, or nothing. The turns are in the order of their meters, each of another one:
    /// so two writers never wait for each other in a circle. `known` is what the store has said of itself: whether it is still that one is
    /// asked for together with the commit.
    ///
    /// # Errors
    /// [`StoreError`]; after [`StoreError::Slow`] and [`StoreError::Down`] it may have been written nevertheless.
    pub async fn count<T: MeterTurn>(
        &self,
        turns: &mut [T],
        known: &StoreIdentity,
    ) -> Result<CountOutcome, StoreError> {
        let mut connection = self.connection().await?;
        let done = self.within(count(&mut connection, turns, known)).await;
        self.settled(connection, done)
    }
}

async fn count<T: MeterTurn>(
    connection: &mut AnyConnection,
    turns: &mut [T],
    identity: &StoreIdentity,
) -> Result<CountOutcome, StoreError> {
    let mut transaction = connection.begin().await?;
    let raised = raise_versions(&mut transaction, &turns.iter().map(MeterTurn::meter).collect::<Vec<_>>()).await?;
    KillPoint::Locked.pass();
    let mut since = Vec::with_capacity(turns.len());
    for (turn, meter) in turns.iter().zip(&raised) {
        match changes(&mut transaction, turn, meter.before).await? {
            CatchUp::Current => since.push(None),
            CatchUp::Changes(changes) => since.push(Some(changes)),
            CatchUp::Reload => {
                transaction.rollback().await?;
                return Ok(CountOutcome::Reload(turn.meter().clone()));
            }
        }
    }
    let wanted = turns
        .iter()
        .zip(&raised)
        .flat_map(|(turn, meter)| turn.registers().into_iter().map(|register| (meter.id, register)));
    let wanted: Vec<_> = wanted.collect();
    let mut known = known(&mut transaction, &wanted).await?;
    let decided = turns.iter_mut().zip(&raised).zip(since).map(|((turn, meter), since)| {
        let mut registers = RegisterChanges::of(known.remove(&meter.id).unwrap_or_default());
        turn.decide(since, &mut registers);
        (*meter, registers)
    });
    let decided: Vec<_> = decided.collect();
    KillPoint::Decided.pass();
    if decided.iter().all(|(_, registers)| registers.changed.is_empty()) {
        let found = read_identity(&mut transaction).await?;
        transaction.rollback().await?;
        let is_another = found.replaces(identity).is_some();
        return Ok(if is_another { CountOutcome::Replaced(found) } else { CountOutcome::Nothing });
    }
    keep(&mut transaction, &decided).await?;
    KillPoint::Written.pass();
    let found = count_commit(&mut transaction).await?;
    if found.replaces(identity).is_some() {
        transaction.rollback().await?;
        return Ok(CountOutcome::Replaced(found));
    }
    KillPoint::Signed.pass();
    transaction.commit().await?;
    KillPoint::Committed.pass();
    let versions = raised.iter().map(|meter| meter.version).collect();
    Ok(CountOutcome::Kept(versions, StoreIdentity { commits: found.commits.saturating_add(1), ..found }))
}

/// What happened to a meter since the version in memory, up to the last one before this commit.
async fn changes<T: MeterTurn>(connection: &mut AnyConnection, turn: &T, before: i64) -> Result<CatchUp, StoreError> {
    let held = turn.version();
    if held == before {
        return Ok(CatchUp::Current);
    }
    Ok(match changes_since(connection, turn.meter(), held).await? {
        CatchUp::Changes(changes) => CatchUp::Changes(MeterChanges { version: before, ..changes }),
        CatchUp::Current | CatchUp::Reload => CatchUp::Reload,
    })
}
