//! The one place that reads the wall clock.

use crate::core::calendar::Instant;
use chrono::{DateTime, Utc};
use std::time::SystemTime;

/// Now.
pub fn now() -> Instant {
    DateTime::<Utc>::from(SystemTime::now())
}
