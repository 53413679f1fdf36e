//! What the two databases say differently. Everything else is said once for both.

use sqlx::{AnyConnection, Database as _, Sqlite};
use std::borrow::Cow;

/// A database that can be the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// That of a connection.
    pub(super) fn of(connection: &AnyConnection) -> Self {
        if connection.backend_name() == Sqlite::NAME { Self::Sqlite } else { Self::Postgres }
    }

    /// A parameter of a statement, each in its turn. SQLite looks for one with a number among all that have one, each time that it is
    /// bound: with hundreds of them, that takes longer than the statement itself.
    pub(super) fn parameter(self, number: usize) -> Cow<'static, str> {
        match self {
            Self::Sqlite => "?".into(),
            Self::Postgres => format!("${number}").into(),
        }
    }

    /// For each new connection. What was acknowledged is on the disk, nobody waits without end, and a client that is gone holds no
    /// lock for long. PostgreSQL always goes by the keys: a plan that it made and kept while a table was empty would read all of
    /// it for each piece of a write, until the table is analyzed. And it compiles nothing, which takes longer than any query here.
    pub(super) fn session(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "PRAGMA busy_timeout = 5000; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864"
            }
            Self::Postgres => {
                "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED; \
                 SET lock_timeout = '5s'; SET statement_timeout = '60s'; \
                 SET idle_in_transaction_session_timeout = '15s'; \
                 SET enable_seqscan = off; SET jit = off; \
                 SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
            }
        }
    }

    /// Begins what others of its kind wait for, as two replicas may start at once.
    pub(super) fn begin_migration(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }

    /// The lock for that, where beginning does not take it. The number is any: nothing else here locks by number.
    pub(super) fn lock_migration(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("SELECT pg_advisory_xact_lock(7308332185240952821)"),
        }
    }

    /// Begins several reads of one state.
    pub(super) fn begin_reading(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN",
            Self::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }

    /// The names of the tables that there are.
    pub(super) fn tables(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
            }
            Self::Postgres => {
                "SELECT CAST(relname AS TEXT) AS name FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p') AND relnamespace = \
                 (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = current_schema())"
            }
        }
    }

    /// A statement of the schema. Texts are compared byte by byte, whatever the database's language; and SQLite keeps rows in the
    /// order of their key instead of a second copy of each key.
    pub(super) fn definition(self, statement: &str) -> String {
        match self {
            Self::Sqlite if statement.starts_with("CREATE TABLE") => format!("{statement} WITHOUT ROWID"),
            Self::Sqlite => statement.to_owned(),
            Self::Postgres => statement.replace(" TEXT", " TEXT COLLATE \"C\""),
        }
    }

    /// How many connections there are at most.
    pub(super) fn connections(self) -> u32 {
        match self {
            Self::Sqlite => 4,
            Self::Postgres => 8,
        }
    }
}
