//! Connections to the store, each call's deadline, and what becomes of a connection that did not keep it.

use super::{StoreAddress, StoreError, dialect::Dialect, schema};
use rustls::crypto::ring::default_provider;
use sqlx::{
    Any, AnyConnection, AnyPool, ConnectOptions, Executor, Row,
    any::{AnyConnectOptions, AnyPoolOptions, install_default_drivers},
    pool::PoolConnection,
};
use std::{fmt, str::FromStr, time::Duration};
use tokio::time::{error::Elapsed, timeout};

/// How long one waits for a connection.
const TO_CONNECT: Duration = Duration::from_secs(3);

/// How long a call may take once it has one.
const TO_ANSWER: Duration = Duration::from_secs(10);

/// The same for what reads or makes very much at once.
const TO_ANSWER_MUCH: Duration = Duration::from_mins(1);

/// How long a connection may be unused.
const IDLE: Duration = Duration::from_mins(5);

/// The store: a handle, which is cheap to clone. Each call has a deadline.
#[derive(Clone)]
pub struct PersistentStore {
    pool: AnyPool,
    pub(super) dialect: Dialect,
    address: StoreAddress,
}

impl fmt::Debug for PersistentStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("PersistentStore").field(&self.address).finish()
    }
}

impl PersistentStore {
    /// Opens the store: makes it where there is none, and brings its schema up to date. One that cannot be reached now is opened by
    /// calling this again.
    ///
    /// # Errors
    /// [`StoreError`]: what is there is newer, of something else, or not to be reached. It is then as it was.
    pub async fn open(address: &StoreAddress) -> Result<Self, StoreError> {
        install_default_drivers();
        let dialect = address.dialect;
        let options = AnyConnectOptions::from_str(address.url.expose_secret())?.disable_statement_logging();
        let pool = AnyPoolOptions::new()
            .max_connections(dialect.connections())
            .acquire_timeout(TO_CONNECT)
            .idle_timeout(IDLE)
            .after_connect(move |connection, _| Box::pin(async move { begin_session(connection, dialect).await }))
            .connect_lazy_with(options);
        let store = Self { pool, dialect, address: address.clone() };
        let mut connection = store.connection().await?;
        let done = timeout(TO_ANSWER_MUCH, prepare(&mut connection, dialect)).await;
        settled(connection, done)?;
        Ok(store)
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> &StoreAddress {
        &self.address
    }

    /// Ends all connections once they have done what they do.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    pub(super) async fn connection(&self) -> Result<PoolConnection<Any>, StoreError> {
        Ok(self.pool.acquire().await?)
    }

    pub(super) async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<Result<T, StoreError>, Elapsed> {
        timeout(TO_ANSWER, work).await
    }

    pub(super) async fn within_more<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<Result<T, StoreError>, Elapsed> {
        timeout(TO_ANSWER_MUCH, work).await
    }
}

/// What came of a call. A connection that did not answer in time is not used again: nobody knows what it would answer next.
pub(super) fn settled<T>(
    mut connection: PoolConnection<Any>,
    done: Result<Result<T, StoreError>, Elapsed>,
) -> Result<T, StoreError> {
    done.unwrap_or_else(|_| {
        connection.close_on_drop();
        Err(StoreError::Slow("its deadline has passed".to_owned()))
    })
}

async fn begin_session(connection: &mut AnyConnection, dialect: Dialect) -> Result<(), sqlx::Error> {
    connection.execute(dialect.session()).await.map(drop)
}

/// What is there is looked at before anything is changed: even the journal is a mark on somebody else's file.
async fn prepare(connection: &mut AnyConnection, dialect: Dialect) -> Result<(), StoreError> {
    schema::migrate(connection, dialect, random_id()?).await?;
    if dialect == Dialect::Postgres {
        return Ok(());
    }
    let row = sqlx::query("PRAGMA journal_mode = WAL").fetch_one(connection).await?;
    let mode: String = row.try_get(0)?;
    if mode == "wal" {
        return Ok(());
    }
    Err(StoreError::Refused(format!(
        "its file system keeps no write-ahead log (the journal is {mode:?}): give it a volume of block storage"
    )))
}

/// A version 4 UUID.
fn random_id() -> Result<String, StoreError> {
    let mut bytes = [0; 16];
    fill_random(&mut bytes)?;
    let number = u128::from_be_bytes(bytes);
    let versioned = number & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{versioned:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| hex.get(range).unwrap_or_default().to_owned());
    Ok(parts.join("-"))
}

pub(super) fn fill_random(bytes: &mut [u8]) -> Result<(), StoreError> {
    let filled = default_provider().secure_random.fill(bytes);
    filled.map_err(|_| StoreError::Down("this machine gives no random numbers".to_owned()))
}
