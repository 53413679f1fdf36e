//! How much whoever asks may have under way at once.

use moka::sync::Cache;
use std::{hash::Hash, sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// How many are known to have anything under way.
const KNOWN: u64 = 10_000;
/// How long one is known who has nothing.
const IDLE: Duration = Duration::from_mins(1);

/// The turns of each.
pub struct FairTurns<K> {
    at_once: usize,
    known: Cache<K, Arc<Semaphore>>,
}

impl<K: Clone + Eq + Hash + Send + Sync + 'static> FairTurns<K> {
    /// So many at once of each.
    #[must_use]
    pub fn new(at_once: usize) -> Self {
        Self { at_once, known: Cache::builder().max_capacity(KNOWN).time_to_idle(IDLE).build() }
    }

    /// The turns of one.
    pub fn of(&self, key: &K) -> Arc<Semaphore> {
        self.known.get_with_by_ref(key, || Arc::new(Semaphore::new(self.at_once)))
    }
}
