//! When it is time for writes that sum up many objects.
//!
//! A summary, and the counts in a status, change with every grant that comes. While many come, each of them would be rewritten
//! again and again, so they wait until things are quiet. What grants themselves need never waits.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    time::Duration,
};
use tokio::time::Instant;

/// How long nothing may have come for a key.
const QUIET: Duration = Duration::from_millis(50);
/// Many are coming if so many (a grant counts twice, for its organization and for its definition) ...
const BUSY_EVENTS: usize = 60;
/// ... came within this time, which is also how long a busy time may pause.
const BUSY_WINDOW: Duration = Duration::from_secs(3);
/// The longest that anything waits.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// What has come lately.
pub struct Debouncer<K> {
    recent: VecDeque<Instant>,
    pending: HashMap<K, Pending>,
}

struct Pending {
    since: Instant,
    last: Instant,
}

impl<K> Default for Debouncer<K> {
    fn default() -> Self {
        Self { recent: VecDeque::new(), pending: HashMap::new() }
    }
}

impl<K: Hash + Eq> Debouncer<K> {
    /// Something came for the key.
    pub fn touch(&mut self, key: K, now: Instant) {
        self.recent.push_back(now);
        if self.recent.len() > BUSY_EVENTS {
            self.recent.pop_front();
        }
        self.pending.entry(key).and_modify(|pending| pending.last = now).or_insert(Pending { since: now, last: now });
    }

    /// How long the key has to wait still; None if it is time, and then it has waited.
    pub fn wait(&mut self, key: &K, now: Instant) -> Option<Duration> {
        let pending = self.pending.get(key)?;
        let busy_until =
            self.recent.front().filter(|_| self.recent.len() == BUSY_EVENTS).map(|first| *first + BUSY_WINDOW);
        let quiet_at = busy_until.map_or(pending.last + QUIET, |busy| busy.max(pending.last + QUIET));
        let settled_at = quiet_at.min(pending.since + LONGEST_WAIT);
        if settled_at > now {
            return Some(settled_at - now);
        }
        self.pending.remove(key);
        None
    }

    /// The key need not wait.
    pub fn hurry(&mut self, key: &K) {
        self.pending.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::{Debouncer, LONGEST_WAIT};
    use std::time::Duration;
    use tokio::time::Instant;

    fn milliseconds(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn what_nothing_came_for_does_not_wait() {
        assert_eq!(Debouncer::default().wait(&"a", Instant::now()), None);
    }

    #[test]
    fn a_single_event_waits_for_a_moment() {
        let (mut settling, start) = (Debouncer::default(), Instant::now());
        settling.touch("a", start);
        assert_eq!(settling.wait(&"a", start + milliseconds(20)), Some(milliseconds(30)));
        assert_eq!(settling.wait(&"a", start + milliseconds(50)), None);
    }

    #[test]
    fn while_many_come_all_wait() {
        let (mut settling, start) = (Debouncer::default(), Instant::now());
        settling.touch("a", start);
        for event in 1..=60 {
            settling.touch("others", start + milliseconds(event * 20));
        }
        assert_eq!(settling.wait(&"a", start + milliseconds(1200)), Some(milliseconds(1820)));
        assert_eq!(settling.wait(&"a", start + milliseconds(3020)), None);
    }

    #[test]
    fn a_few_others_hold_up_nobody() {
        let (mut settling, start) = (Debouncer::default(), Instant::now());
        settling.touch("a", start);
        for event in 1..=58 {
            settling.touch("others", start + milliseconds(event * 20));
        }
        assert_eq!(settling.wait(&"a", start + milliseconds(1180)), None);
    }

    #[test]
    fn nothing_waits_forever() {
        let (mut settling, start) = (Debouncer::default(), Instant::now());
        let mut written = Vec::new();
        for event in 0..=4000 {
            let now = start + milliseconds(event * 10);
            settling.touch("a", now);
            if settling.wait(&"a", now).is_none() {
                written.push(now - start);
            }
        }
        assert_eq!(written, [LONGEST_WAIT]);
    }

    #[test]
    fn what_is_urgent_does_not_wait() {
        let (mut settling, start) = (Debouncer::default(), Instant::now());
        settling.touch("a", start);
        settling.hurry(&"a");
        assert_eq!(settling.wait(&"a", start), None);
    }
}
