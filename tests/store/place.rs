//! Where a test has its store, and short words for what it writes.

use crate::server::Server;
use chrono::{DateTime, Utc};
use entitlement_operator::{
    core::usage::register::RegisterId,
    store::{
        PersistentStore, StoreAddress, StoreError,
        meter::{MeterId, MeterOutcome, MeterWrite, RegisterWrite},
    },
};
use rust_decimal::Decimal;
use sqlx::{Connection as _, PgConnection};
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// An address where no store is yet.
pub struct Place {
    pub address: StoreAddress,
    /// The same as `sqlx` takes it, with all that is secret.
    pub url: String,
    pub folder: tempfile::TempDir,
}

impl Place {
    pub async fn new(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = match kind {
            Kind::Sqlite => format!("sqlite://{}/store.db", folder.path().display()),
            Kind::Postgres => database(Server::shared()).await,
        };
        Self { address: url.parse().unwrap(), url, folder }
    }

    pub async fn open(&self) -> PersistentStore {
        PersistentStore::open(&self.address).await.unwrap()
    }

    /// Executes statements behind the store's back.
    pub async fn execute(&self, sql: &'static str) {
        sqlx::any::install_default_drivers();
        let url = if self.address.is_shared() { self.url.clone() } else { format!("{}?mode=rwc", self.url) };
        let mut connection = sqlx::AnyConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// A new database of a server.
pub async fn database(server: &Server) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("store_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let mut connection = PgConnection::connect(&server.address("postgres")).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await.unwrap();
    server.address(&name)
}

pub fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub fn meter(organization: &str) -> MeterId {
    MeterId { organization: organization.into(), definition: "api-calls".into() }
}

/// A second of a day in 2027.
pub fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

/// A report as of a second, of a use in that second.
pub fn report(key: &str, second: i64, amount: &str) -> RegisterWrite {
    RegisterWrite {
        id: RegisterId { origin: "billing".into(), key: key.into() },
        at: Some(at(second)),
        channel: None,
        amount: amount.parse().unwrap(),
        as_of: at(second),
        deleted: false,
    }
}

pub fn write_of(organization: &str, registers: Vec<RegisterWrite>) -> MeterWrite {
    MeterWrite { meter: meter(organization), registers, memory: None }
}

pub async fn write(
    store: &PersistentStore,
    organization: &str,
    registers: Vec<RegisterWrite>,
) -> Result<MeterOutcome, StoreError> {
    let outcomes = store.write(1, &[write_of(organization, registers)], &[]).await?;
    Ok(outcomes.into_iter().next().unwrap())
}

/// All that a meter counts.
pub async fn total(store: &PersistentStore, organization: &str) -> Decimal {
    let stored = store.load(&meter(organization)).await.unwrap();
    stored.ledger.between(DateTime::UNIX_EPOCH, at(1_000_000_000))
}
