//! The tables, and how an older store gets them. Each migration is one transaction with what says that it was made.

use super::{StoreError, dialect::Dialect};
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Row};

/// The table by which a store is known.
const OWN: &str = "entitlement_store";

/// What each version of the schema adds to the one before. One that was released is never changed.
const MIGRATIONS: &[&[&str]] = &[&[
    "CREATE TABLE entitlement_store (one BIGINT NOT NULL PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL, \
     commits BIGINT NOT NULL, epoch BIGINT NOT NULL, schema BIGINT NOT NULL)",
    "CREATE TABLE meter (id BIGINT NOT NULL PRIMARY KEY, organization TEXT NOT NULL, definition TEXT NOT NULL, \
     version BIGINT NOT NULL, pruned BIGINT NOT NULL, memory TEXT, memory_version BIGINT NOT NULL, \
     UNIQUE (organization, definition))",
    "CREATE TABLE register (meter BIGINT NOT NULL, origin TEXT NOT NULL, key TEXT NOT NULL, at BIGINT NOT NULL, \
     channel TEXT NOT NULL, amount TEXT NOT NULL, as_of BIGINT NOT NULL, deleted BIGINT NOT NULL, \
     PRIMARY KEY (meter, origin, key))",
    "CREATE TABLE difference (meter BIGINT NOT NULL, version BIGINT NOT NULL, number BIGINT NOT NULL, \
     at BIGINT NOT NULL, channel TEXT NOT NULL, amount TEXT NOT NULL, written BIGINT NOT NULL, \
     PRIMARY KEY (meter, version, number))",
    "CREATE TABLE progress (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)",
]];

/// The newest schema.
fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Brings the tables to the newest schema; makes them where there is nothing yet, with `id` as the store's own.
pub(super) async fn migrate(connection: &mut AnyConnection, dialect: Dialect, id: String) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with(dialect.begin_migration()).await?;
    if let Some(lock) = dialect.lock_migration() {
        sqlx::query(lock).execute(&mut *transaction).await?;
    }
    let found = schema(&mut transaction, dialect).await?;
    let known = newest();
    if found.is_some_and(|found| found > known) {
        return Err(StoreError::Newer { found: found.unwrap_or_default(), known });
    }
    if found == Some(known) {
        return Ok(());
    }
    let made = usize::try_from(found.unwrap_or_default()).unwrap_or_default();
    let statements = MIGRATIONS.iter().skip(made).copied().flatten().map(|statement| dialect.definition(statement));
    for statement in statements.collect::<Vec<String>>() {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *transaction).await?;
    }
    let noted = match found {
        Some(_) => sqlx::query("UPDATE entitlement_store SET schema = $1").bind(known),
        None => sqlx::query("INSERT INTO entitlement_store (one, id, commits, epoch, schema) VALUES (1, $2, 0, 0, $1)")
            .bind(known)
            .bind(id),
    };
    noted.execute(&mut *transaction).await?;
    Ok(transaction.commit().await?)
}

/// The schema that there is; none where there is nothing.
async fn schema(connection: &mut AnyConnection, dialect: Dialect) -> Result<Option<i64>, StoreError> {
    let rows = sqlx::query(dialect.tables()).fetch_all(&mut *connection).await?;
    let tables: Vec<String> = rows.iter().map(|row| row.try_get("name")).collect::<Result<_, _>>()?;
    if tables.iter().any(|table| table == OWN) {
        let row = sqlx::query("SELECT schema FROM entitlement_store").fetch_one(connection).await?;
        return Ok(Some(row.try_get("schema")?));
    }
    match tables.first() {
        None => Ok(None),
        Some(other) => Err(StoreError::Foreign(format!(
            "it has the table {other:?} and not {OWN:?}; give the operator a database of its own"
        ))),
    }
}
