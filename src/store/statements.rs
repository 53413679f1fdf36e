//! What is written of meters, in statements of many rows: a commit takes about as many of them for one meter as for dozens.

use super::{
    StoreError,
    change::RegisterChanges,
    connections::fill_random,
    dialect::Dialect,
    meter::{MeterDifference, MeterId},
    rows::{given, kept_channel, pieces, register},
};
use crate::core::{
    calendar::Instant,
    usage::register::{Register, RegisterId},
};
use chrono::Utc;
use rust_decimal::Decimal;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use std::collections::BTreeMap;

/// What stands in a row of nothing.
const NO_TEXT: Option<&str> = None;

/// A meter whose version was raised, which locks it until the commit.
#[derive(Clone, Copy, Debug)]
pub(super) struct RaisedMeter {
    /// Its number.
    pub id: i64,
    /// Its version before; 0: it was never written.
    pub before: i64,
    /// Its new version.
    pub version: i64,
}

/// How far a version rises at most. Whoever holds a version must not meet another history at the same one, such as what was written
/// after a backup was restored: so it rises by a random step. A meter that is written a thousand times a second has versions for 130
/// years.
const LONGEST_STEP: i64 = 1 << 22;

/// Raises the versions of meters, each of another one and in the order of meters. That comes before anything is read.
pub(super) async fn raise_versions(
    connection: &mut AnyConnection,
    meters: &[&MeterId],
) -> Result<Vec<RaisedMeter>, StoreError> {
    let (dialect, mut raised) = (Dialect::of(connection), BTreeMap::new());
    let step = 1 + random_number()? % LONGEST_STEP;
    for piece in pieces(meters) {
        let sql = format!(
            "INSERT INTO meter (id, organization, definition, version, pruned, memory_version) \
             SELECT column1, column2, column3, column4, 0, 0 FROM {} \
             ON CONFLICT (organization, definition) DO UPDATE SET version = meter.version + excluded.version \
             RETURNING organization, definition, id, version",
            given(dialect, piece.len(), 4)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for meter in piece.rows {
            query = query.bind(random_number()?).bind(&*meter.organization).bind(&*meter.definition).bind(step);
        }
        for _ in 0..piece.empty {
            query = query.bind(None::<i64>).bind(NO_TEXT).bind(NO_TEXT).bind(None::<i64>);
        }
        for row in query.fetch_all(&mut *connection).await? {
            let (organization, definition): (&str, &str) = (row.try_get("organization")?, row.try_get("definition")?);
            let meter = MeterId { organization: organization.into(), definition: definition.into() };
            let version: i64 = row.try_get("version")?;
            raised.insert(meter, RaisedMeter { id: row.try_get("id")?, before: version - step, version });
        }
    }
    let missing = || StoreError::Unreadable("a meter that was written is not there".to_owned());
    meters.iter().map(|meter| raised.get(*meter).copied().ok_or_else(missing)).collect()
}

/// A meter's number is random, as the databases count up in different words.
fn random_number() -> Result<i64, StoreError> {
    let mut bytes = [0; 8];
    fill_random(&mut bytes)?;
    Ok(i64::from_be_bytes(bytes) & i64::MAX)
}

/// Those of some registers that there are, by the numbers of their meters.
pub(super) async fn known(
    connection: &mut AnyConnection,
    wanted: &[(i64, RegisterId)],
) -> Result<BTreeMap<i64, BTreeMap<RegisterId, Register>>, StoreError> {
    let dialect = Dialect::of(connection);
    let mut known: BTreeMap<i64, BTreeMap<_, _>> = BTreeMap::new();
    for piece in pieces(wanted) {
        let mut query = sqlx::query(AssertSqlSafe(rows_of_keys(dialect, piece.len())));
        for (meter, id) in piece.rows {
            query = query.bind(*meter).bind(&*id.origin).bind(&*id.key);
        }
        for _ in 0..piece.empty {
            query = query.bind(None::<i64>).bind(NO_TEXT).bind(NO_TEXT);
        }
        for row in query.fetch_all(&mut *connection).await? {
            let (id, register) = register(&row)?;
            known.entry(row.try_get("meter")?).or_default().insert(id, register);
        }
    }
    Ok(known)
}

/// The rows of so many keys, each by itself: in a join with a list of keys, PostgreSQL would read the whole meter and compare each
/// row with each key.
fn rows_of_keys(dialect: Dialect, keys: usize) -> String {
    let row = |key: usize| {
        format!(
            "SELECT meter, origin, key, at, channel, amount, as_of, deleted FROM register \
             WHERE meter = {} AND origin = {} AND key = {}",
            dialect.parameter(3 * key + 1),
            dialect.parameter(3 * key + 2),
            dialect.parameter(3 * key + 3)
        )
    };
    (0..keys).map(row).collect::<Vec<_>>().join(" UNION ALL ")
}

/// Keeps what changes of meters. Each version has a difference, be it none: by these, a version that somebody holds is known to be of
/// this history.
pub(super) async fn keep(
    connection: &mut AnyConnection,
    changed: &[(RaisedMeter, RegisterChanges)],
) -> Result<(), StoreError> {
    let registers = changed
        .iter()
        .flat_map(|(meter, changes)| changes.changed.iter().map(move |(id, register)| (meter.id, id, register)));
    keep_registers(connection, &registers.collect::<Vec<_>>()).await?;
    let sums: Vec<_> = changed.iter().map(|(meter, changes)| (meter, or_none(changes.sums()))).collect();
    let differences = sums
        .iter()
        .flat_map(|(meter, sums)| (0_i64..).zip(sums).map(move |(number, difference)| (**meter, number, difference)));
    keep_differences(connection, &differences.collect::<Vec<_>>()).await
}

/// One difference at least.
fn or_none(mut sums: Vec<MeterDifference>) -> Vec<MeterDifference> {
    if sums.is_empty() {
        sums.push(MeterDifference { at: Instant::UNIX_EPOCH, channel: None, amount: Decimal::ZERO });
    }
    sums
}

async fn keep_registers(
    connection: &mut AnyConnection,
    rows: &[(i64, &RegisterId, &Register)],
) -> Result<(), StoreError> {
    let dialect = Dialect::of(connection);
    for piece in pieces(rows) {
        let sql = format!(
            "INSERT INTO register (meter, origin, key, at, channel, amount, as_of, deleted) SELECT * FROM {} \
             ON CONFLICT (meter, origin, key) DO UPDATE SET at = excluded.at, channel = excluded.channel, \
             amount = excluded.amount, as_of = excluded.as_of, deleted = excluded.deleted",
            given(dialect, piece.len(), 8)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for (meter, id, register) in piece.rows {
            query = query.bind(*meter).bind(&*id.origin).bind(&*id.key).bind(register.at.timestamp());
            query = query.bind(kept_channel(register.channel.as_ref())).bind(register.amount.to_string());
            query = query.bind(register.as_of.timestamp_micros()).bind(i64::from(register.deleted));
        }
        for _ in 0..piece.empty {
            query = query.bind(None::<i64>).bind(NO_TEXT).bind(NO_TEXT).bind(None::<i64>);
            query = query.bind(NO_TEXT).bind(NO_TEXT).bind(None::<i64>).bind(None::<i64>);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

async fn keep_differences(
    connection: &mut AnyConnection,
    rows: &[(RaisedMeter, i64, &MeterDifference)],
) -> Result<(), StoreError> {
    let (dialect, written) = (Dialect::of(connection), Utc::now().timestamp());
    for piece in pieces(rows) {
        let sql = format!(
            "INSERT INTO difference (meter, version, number, at, channel, amount, written) SELECT * FROM {}",
            given(dialect, piece.len(), 7)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for (meter, number, difference) in piece.rows {
            query = query.bind(meter.id).bind(meter.version).bind(*number).bind(difference.at.timestamp());
            query = query.bind(kept_channel(difference.channel.as_ref())).bind(difference.amount.to_string());
            query = query.bind(written);
        }
        for _ in 0..piece.empty {
            query = query.bind(None::<i64>).bind(None::<i64>).bind(None::<i64>).bind(None::<i64>);
            query = query.bind(NO_TEXT).bind(NO_TEXT).bind(None::<i64>);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}
