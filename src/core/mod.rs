//! The rules: what is granted to whom, from when to when, how much, and with which facets.
//!
//! Pure: no client, no clock, no I/O, no async. Everything that can be decided is decided here.

pub mod acceptance;
pub mod age;
pub mod amount;
pub mod approval;
pub mod authority;
pub mod belief;
pub mod calendar;
pub mod definition;
pub mod excerpt;
pub mod facets;
pub mod grant;
pub mod lifecycle;
pub mod name;
pub mod namespace;
pub mod percent;
pub mod plan;
pub mod precedence;
pub mod problem;
pub mod reason;
pub mod refusal;
pub mod reserved_name;
pub mod schema;
pub mod secret;
pub mod served;
pub mod source;
pub mod subscription;
pub mod usage;
