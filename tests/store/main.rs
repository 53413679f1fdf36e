//! The store on both databases: SQLite in a folder of each test, and a real PostgreSQL that the tests start.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "they fail a test")]

mod place;
mod registers;
mod server;
