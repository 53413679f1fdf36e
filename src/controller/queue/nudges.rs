//! How long a key waits that others make be looked at again and again.

use crate::controller::backoff::Backoff;
use std::{collections::HashMap, hash::Hash, time::Duration};
use tokio::time::Instant;

/// How long a key waits each time after others have made it be looked at.
const PAUSE: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_mins(1));
/// After a rest of so long, it is looked at at once again.
const REST: Duration = Duration::from_mins(5);
/// How many keys are remembered before those that have rested are forgotten.
const MOST: usize = 1024;

/// When others have last made a key be looked at, and how often of late.
#[derive(Clone, Copy, Debug)]
struct Nudged {
    last: Instant,
    times: u32,
}

impl Nudged {
    fn has_rested(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) >= REST
    }
}

/// The keys that others have made be looked at of late.
pub struct Nudges<K>(HashMap<K, Nudged>);

impl<K> Default for Nudges<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Clone + Eq + Hash> Nudges<K> {
    /// Others make the key be looked at: when that is due.
    pub fn next(&mut self, key: &K, now: Instant) -> Instant {
        if self.0.len() >= MOST {
            self.0.retain(|_, nudged| !nudged.has_rested(now));
        }
        let before = self.0.get(key).filter(|nudged| !nudged.has_rested(now)).copied();
        let next = match before {
            None => Nudged { last: now, times: 1 },
            // One is still to come.
            Some(nudged) if nudged.last > now => nudged,
            Some(nudged) => {
                let pause = PAUSE.delay(nudged.times);
                Nudged { last: now.max(nudged.last + pause), times: nudged.times.saturating_add(1) }
            }
        };
        self.0.insert(key.clone(), next);
        next.last
    }
}
