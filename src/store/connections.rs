//! Connections to the store, each call's deadline, and what becomes of a connection that did not keep it.

use super::{StoreAddress, StoreError, dialect::Dialect, schema};
use rustls::crypto::ring::default_provider;
use sqlx::{
    Any, AnyConnection, AnyPool, ConnectOptions, Connection, Row,
    any::{AnyConnectOptions, AnyPoolOptions, install_default_drivers},
    pool::PoolConnection,
};
use std::{
    fmt,
    path::Path,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant as Moment, error::Elapsed, sleep, timeout};

/// How long one waits for a connection.
const TO_CONNECT: Duration = Duration::from_secs(3);

/// How long a call may take once it has one.
const TO_ANSWER: Duration = Duration::from_secs(10);

/// The same for what reads or makes very much at once.
const TO_ANSWER_MUCH: Duration = Duration::from_mins(1);

/// How long one waits for another process that prepares the same file.
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// How long a connection is taken to be good that has answered.
const JUST_USED: Duration = Duration::from_secs(1);

/// How long a connection may be unused.
const IDLE: Duration = Duration::from_mins(5);

/// The store: a handle, which is cheap to clone. Each call has a deadline.
#[derive(Clone)]
pub struct PersistentStore {
    pool: AnyPool,
    pub(super) dialect: Dialect,
    address: StoreAddress,
    /// Of a store for one: the connection between two calls.
    kept: Option<Arc<Mutex<Option<KeptConnection>>>>,
}

/// A connection, and since when it is unused.
struct KeptConnection {
    connection: PoolConnection<Any>,
    since: Moment,
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
        Self::open_with(address, address.dialect.connections(), None).await
    }

    /// Opens the store for one who calls it again and again, and waits for each answer: by one connection, which is kept between two
    /// calls and has its statements and pages at hand. With several, each in its turn, SQLite would read anew what the others have
    /// written; and a pool asks each connection whether it is there as it is given back.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub async fn open_for_one(address: &StoreAddress) -> Result<Self, StoreError> {
        Self::open_with(address, 1, Some(Arc::default())).await
    }

    async fn open_with(
        address: &StoreAddress,
        connections: u32,
        kept: Option<Arc<Mutex<Option<KeptConnection>>>>,
    ) -> Result<Self, StoreError> {
        install_default_drivers();
        let dialect = address.dialect;
        let options = AnyConnectOptions::from_str(address.url.expose_secret())?.disable_statement_logging();
        // By a connection of its own: a pool tries again and again, and in the end says only that it got none.
        prepare(&options, dialect).await.map_err(|error| of_folder(address).unwrap_or(error))?;
        let pool = AnyPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(TO_CONNECT)
            .idle_timeout(IDLE)
            .test_before_acquire(false)
            .before_acquire(|connection, state| Box::pin(async move { Ok(is_there(connection, state.idle_for).await) }))
            .after_connect(move |connection, _| Box::pin(async move { begin_session(connection, dialect).await }))
            .connect_lazy_with(options);
        Ok(Self { pool, dialect, address: address.clone(), kept })
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> &StoreAddress {
        &self.address
    }

    /// Ends all connections once they have done what they do. A server that stands still hears of it later.
    pub async fn close(&self) {
        let _ = timeout(TO_CONNECT, self.pool.close()).await;
    }

    pub(super) async fn connection(&self) -> Result<PoolConnection<Any>, StoreError> {
        let kept = self.kept.as_ref().and_then(|kept| kept.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(KeptConnection { mut connection, since }) = kept {
            if is_there(&mut connection, since.elapsed()).await {
                return Ok(connection);
            }
            connection.close_on_drop();
        }
        Ok(self.pool.acquire().await?)
    }

    /// What came of a call. A connection that did not answer in time is not used again: nobody knows what it would answer next.
    pub(super) fn settled<T>(
        &self,
        mut connection: PoolConnection<Any>,
        done: Result<Result<T, StoreError>, Elapsed>,
    ) -> Result<T, StoreError> {
        let Ok(done) = done else {
            connection.close_on_drop();
            return Err(deadline());
        };
        if done.is_err() {
            // What it had begun may not have been taken back yet when it is asked next.
            connection.close_on_drop();
        }
        if let Some(kept) = self.kept.as_ref().filter(|_| done.is_ok()) {
            let connection = KeptConnection { connection, since: Moment::now() };
            *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
        }
        done
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

/// SQLite says of a folder only that it cannot be opened.
fn of_folder(address: &StoreAddress) -> Option<StoreError> {
    let shown = address.to_string();
    let folder = shown.strip_prefix("sqlite://").filter(|path| Path::new(path).is_dir())?;
    Some(StoreError::Down(format!("{folder} is a folder: name a file in it, such as sqlite://{folder}/store.db")))
}

/// Whether a connection is still good. One that was used just now says so at its next statement, and needs no question before each.
async fn is_there(connection: &mut AnyConnection, idle: Duration) -> bool {
    idle < JUST_USED || timeout(TO_CONNECT, connection.ping()).await.is_ok_and(|answered| answered.is_ok())
}

async fn begin_session(connection: &mut AnyConnection, dialect: Dialect) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(dialect.session()).execute(connection).await.map(drop)
}

async fn prepare(options: &AnyConnectOptions, dialect: Dialect) -> Result<(), StoreError> {
    let connected = timeout(TO_CONNECT, AnyConnection::connect_with(options)).await;
    let mut connection = connected.map_err(|_| StoreError::Down(format!("no answer within {TO_CONNECT:?}")))??;
    let done = timeout(TO_ANSWER_MUCH, prepare_tables(&mut connection, dialect)).await;
    done.map_err(|_| deadline())??;
    // What is prepared is; and whoever does not take leave is disconnected.
    let _ = timeout(TO_CONNECT, connection.close()).await;
    Ok(())
}

/// What is there is looked at before anything is changed: even the journal is a mark on somebody else's file.
async fn prepare_tables(connection: &mut AnyConnection, dialect: Dialect) -> Result<(), StoreError> {
    begin_session(connection, dialect).await?;
    schema::migrate(connection, dialect, random_id()?).await?;
    if dialect == Dialect::Postgres {
        return Ok(());
    }
    let mode = loop {
        match keep_write_ahead_log(connection).await {
            // Another process begins to keep it. Nothing waits for that by itself.
            Err(StoreError::Slow(_)) => sleep(BETWEEN_TRIES).await,
            done => break done?,
        }
    };
    if mode == "wal" {
        return Ok(());
    }
    Err(StoreError::Refused(format!(
        "its file system keeps no write-ahead log (the journal is {mode:?}): give it a volume of block storage"
    )))
}

/// The journal that SQLite keeps from now on.
async fn keep_write_ahead_log(connection: &mut AnyConnection) -> Result<String, StoreError> {
    Ok(sqlx::query("PRAGMA journal_mode = WAL").fetch_one(connection).await?.try_get(0)?)
}

fn deadline() -> StoreError {
    StoreError::Slow("its deadline has passed".to_owned())
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
