//! What can be wrong with the store, as far as it makes a difference what is done about it.

use sqlx::error::DatabaseError;

/// Why the store did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached. It is tried again.
    #[error("the store cannot be reached: {0}")]
    Down(String),
    /// It has no room. Nothing was kept.
    #[error("the store is full ({0}): enlarge its volume")]
    Full(String),
    /// It did not answer in time. What was to be written may have been; writing it again changes nothing then.
    #[error("the store did not answer in time: {0}")]
    Slow(String),
    /// It does not let the operator do that.
    #[error("the store refuses the operator: {0}")]
    Refused(String),
    /// A newer version of the operator has changed it.
    #[error(
        "the store has the schema {found}, and this version of the operator knows {known} at most: run the version that wrote it, or restore a backup from before"
    )]
    Newer {
        /// The schema that it has.
        found: i64,
        /// The newest that is known.
        known: i64,
    },
    /// It is the database of something else, and was left as it is.
    #[error("that is no store of the operator, and was left as it is: {0}")]
    Foreign(String),
    /// Another replica has taken over since. Nothing was kept.
    #[error("another replica leads since: nothing was written")]
    Superseded,
    /// What is kept in it cannot be read.
    #[error("what the store keeps cannot be read: {0}")]
    Unreadable(String),
    /// What was to be written can be kept by no store. Nothing was kept.
    #[error("that cannot be kept: {0}")]
    Unfit(String),
}

impl StoreError {
    /// Whether the same may succeed later, without anything being different about the request.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Down(_) | Self::Full(_) | Self::Slow(_) | Self::Refused(_))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(said) => of_database(said.as_ref()),
            sqlx::Error::PoolTimedOut => Self::Down("it gives no connection".to_owned()),
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
                Self::Unreadable(error.to_string())
            }
            // An address is checked before it is used, and what is told of it here could hold a password.
            sqlx::Error::Configuration(_) => Self::Refused("its address cannot be used".to_owned()),
            _ => Self::Down(error.to_string()),
        }
    }
}

fn of_database(said: &dyn DatabaseError) -> StoreError {
    let code = said.code().unwrap_or_default();
    let message = said.message().to_owned();
    // SQLite's codes are numbers of at most four digits, PostgreSQL's have five characters.
    match code.parse::<u32>() {
        Ok(number) if code.len() < 5 => of_sqlite(number, message),
        _ => of_postgres(&code, message),
    }
}

/// The lowest byte is what happened; the others say where.
pub(super) fn of_sqlite(code: u32, message: String) -> StoreError {
    match code & 0xff {
        5 | 6 => StoreError::Slow(message),
        13 => StoreError::Full(message),
        3 | 8 | 23 => StoreError::Refused(message),
        11 => StoreError::Unreadable(message),
        26 => StoreError::Foreign(message),
        10 => StoreError::Down(message),
        14 => StoreError::Down(format!("{message}: make its folder, and let the operator write there")),
        _ => StoreError::Unreadable(format!("{message} (code {code})")),
    }
}

pub(super) fn of_postgres(code: &str, message: String) -> StoreError {
    match code {
        "53100" => StoreError::Full(message),
        "57014" | "55P03" | "40001" | "40P01" => StoreError::Slow(message),
        "3D000" | "42501" | "25006" => StoreError::Refused(message),
        "58P01" | "58P02" => StoreError::Unreadable(message),
        _ => match code.get(..2) {
            Some("28") => StoreError::Refused(message),
            Some("08" | "53" | "57" | "58" | "25") => StoreError::Down(message),
            _ => StoreError::Unreadable(format!("{message} (code {code})")),
        },
    }
}
