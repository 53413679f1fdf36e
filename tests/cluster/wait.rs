//! Waiting in tests for what a cluster does in its own time.

use crate::{harness::seconds_from_now, plane::poll};
use serde_json::Value;
use std::{fmt::Display, time::Duration};

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

/// Waits until overrides that are asked for from now on can be approved: the policies have been there for a minute.
pub fn until_approvals_count(kubectl: &dyn Fn(&[&str]) -> String) {
    let policies = "validatingadmissionpolicies,validatingadmissionpolicybindings";
    let all: Value =
        serde_json::from_str(&kubectl(&["get", policies, "--output=json", "--show-managed-fields"])).unwrap();
    let metadata = || all["items"].as_array().unwrap().iter().map(|one| &one["metadata"]);
    let written = metadata().flat_map(|one| one["managedFields"].as_array().unwrap()).map(|entry| &entry["time"]);
    let times = written.chain(metadata().map(|one| &one["creationTimestamp"])).map(|time| time.as_str().unwrap());
    let youngest: chrono::DateTime<chrono::Utc> = times.max().unwrap().parse().unwrap();
    let covered = (youngest + chrono::TimeDelta::seconds(62)).format("%FT%TZ").to_string();
    eventually(Duration::from_mins(2), "approvals are protected", || {
        let now = seconds_from_now(0);
        if now >= covered { Ok(()) } else { Err(now) }
    });
}
