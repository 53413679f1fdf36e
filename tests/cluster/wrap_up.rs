//! What is looked at when the other tests are through. Tests are started in the order of their names, so this one is the last.

use crate::{
    harness::{cluster, shared_log, tests_under_way},
    leaks::Search,
    secrets::walk,
};
use std::time::{Duration, Instant};

/// Longer than all tests that may be under way when this one starts.
const PATIENCE: Duration = Duration::from_mins(10);

#[tokio::test]
async fn no_test_has_made_anything_show_a_secret() {
    let cluster = cluster().await;
    let started = Instant::now();
    while tests_under_way() > 1 && started.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let search = Search::of_all_planted();
    search.check("the operator's log", &shared_log());
    walk(&cluster, &search).await;
}
