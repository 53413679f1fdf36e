//! Where the store is. A password is never shown.

use super::dialect::Dialect;
use crate::core::secret::Secret;
use sqlx::postgres::PgConnectOptions;
use std::{fmt, path::Path, str::FromStr};

/// Where the store is: `sqlite:///absolute/path.db`, or `postgres://user:password@host:port/database`.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreAddress {
    pub(super) dialect: Dialect,
    /// As `sqlx` takes it.
    pub(super) url: Secret<String>,
    /// Without anything secret.
    shown: String,
}

/// Why a text is no address of a store. It says nothing of the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStoreAddress {
    /// Neither database.
    #[error("a store is sqlite:///absolute/path.db or postgres://user:password@host:port/database")]
    Scheme,
    /// No file.
    #[error(
        "the path of a SQLite store begins with / and names a file: sqlite:///var/lib/entitlement-operator/store.db"
    )]
    Path,
    /// A query or a fragment.
    #[error("a SQLite store takes no parameters: write ? and # in its path as %3F and %23")]
    Parameters,
    /// Not readable as a URL.
    #[error(
        "the address of PostgreSQL cannot be read: it is postgres://user:password@host:port/database; write characters such as @ / # ? in the password as %40 %2F %23 %3F"
    )]
    Postgres,
    /// No database.
    #[error("the address of PostgreSQL names no database: postgres://user:password@host:port/database")]
    NoDatabase,
}

impl FromStr for StoreAddress {
    type Err = InvalidStoreAddress;

    fn from_str(text: &str) -> Result<Self, InvalidStoreAddress> {
        // A file that it comes from ends with a new line.
        let text = text.trim();
        if let Some(path) = text.strip_prefix("sqlite://") {
            return sqlite(path);
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return postgres(text);
        }
        Err(InvalidStoreAddress::Scheme)
    }
}

fn sqlite(path: &str) -> Result<StoreAddress, InvalidStoreAddress> {
    if path.contains(['?', '#']) {
        return Err(InvalidStoreAddress::Parameters);
    }
    if !Path::new(path).is_absolute() || path.ends_with('/') || path.contains('\0') {
        return Err(InvalidStoreAddress::Path);
    }
    let shown = format!("sqlite://{path}");
    let url = Secret::new(format!("{shown}?mode=rwc"));
    Ok(StoreAddress { dialect: Dialect::Sqlite, url, shown })
}

fn postgres(text: &str) -> Result<StoreAddress, InvalidStoreAddress> {
    let options = PgConnectOptions::from_str(text).map_err(|_| InvalidStoreAddress::Postgres)?;
    let database = options.get_database().ok_or(InvalidStoreAddress::NoDatabase)?;
    let place = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    let shown = format!("postgres://{place}/{database}");
    Ok(StoreAddress { dialect: Dialect::Postgres, url: Secret::new(text.to_owned()), shown })
}

impl StoreAddress {
    /// Whether several replicas can use it: a file belongs to one.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.dialect == Dialect::Postgres
    }
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}

impl fmt::Debug for StoreAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "StoreAddress({})", self.shown)
    }
}
