//! Waiting in tests for what a cluster does in its own time.

use std::fmt::Display;
use std::time::Duration;

use crate::plane::poll;

/// Looks until `look` returns `Ok`, and returns what it found.
///
/// # Panics
/// When that is not so within `deadline`: with `what` was expected, and what the last look saw.
#[track_caller]
#[allow(clippy::panic, reason = "it fails a test")]
pub fn eventually<Found, Seen: Display>(
    deadline: Duration,
    what: &str,
    look: impl FnMut() -> Result<Found, Seen>,
) -> Found {
    match poll::until(deadline, look) {
        Ok(found) => found,
        Err(seen) => panic!("{what}: not so within {deadline:?}; last seen: {seen}"),
    }
}
