//! The store on both databases: SQLite in a folder of each test, and a real PostgreSQL that the tests start.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "they fail a test")]

mod child;
mod counting;
mod full;
mod hostile;
mod killed;
mod many;
mod opening;
mod outage;
mod place;
mod pruning;
mod registers;
mod replicas;
mod server;
mod writers;
