//! The work to do: each key once, never twice at a time, again after failures with a growing delay.

mod nudges;

use super::backoff::Backoff;
use crate::metrics::QueueMetrics;
use nudges::Nudges;
use std::{
    collections::{BTreeSet, HashMap, VecDeque, hash_map::Entry},
    hash::{Hash, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// After failures.
const FAILED: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_mins(1));
/// The delay of what is refused as it is. Something else may have stood in its way after all, such as a policy.
const REFUSED_DELAY: Duration = Duration::from_mins(10);

/// A queue of keys.
pub struct Queue<K> {
    state: Mutex<QueueState<K>>,
    changed: Notify,
    jitter: RandomState,
}

/// How a queue stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueStanding {
    /// How many keys wait to be worked on now.
    pub depth: usize,
    /// How long the first of them has waited.
    pub longest_wait: Duration,
    /// How long ago anybody was ready to take one.
    pub last_turn: Duration,
}

struct QueueState<K> {
    ready: VecDeque<K>,
    /// Those of `ready`, and since when.
    is_ready: HashMap<K, Instant>,
    /// When somebody was last ready to take a key.
    last_turn: Instant,
    metrics: QueueMetrics,
    /// Keys that are worked on, and whether that has to be done again.
    running: HashMap<K, Rerun>,
    later: BTreeSet<(Instant, K)>,
    due: HashMap<K, Instant>,
    failures: HashMap<K, u32>,
    /// Keys that failed, and until when they wait for that.
    held: HashMap<K, Instant>,
    nudges: Nudges<K>,
}

/// Whether a key that is worked on has to be worked on again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rerun {
    No,
    /// As far as nothing holds it back.
    Gently,
    Now,
}

impl<K: Clone + Hash + Ord> Queue<K> {
    /// An empty queue, of which that is counted.
    pub fn new(metrics: QueueMetrics) -> Self {
        let state = QueueState {
            ready: VecDeque::new(),
            is_ready: HashMap::new(),
            last_turn: Instant::now(),
            metrics,
            running: HashMap::new(),
            later: BTreeSet::new(),
            due: HashMap::new(),
            failures: HashMap::new(),
            held: HashMap::new(),
            nudges: Nudges::default(),
        };
        Self { state: Mutex::new(state), changed: Notify::new(), jitter: RandomState::new() }
    }

    fn state(&self) -> MutexGuard<'_, QueueState<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key has to be worked on now; if it is being worked on, once more afterwards.
    pub fn add(&self, key: K) {
        self.add_all([key]);
    }

    /// The same for several.
    pub fn add_all(&self, keys: impl IntoIterator<Item = K>) {
        let mut state = self.state();
        let mut has_added = false;
        for key in keys {
            state.add(key);
            has_added = true;
        }
        drop(state);
        if has_added {
            self.changed.notify_one();
        }
    }

    /// Somebody else has done something for which the keys have to be looked at, and could do so without end: the delay of a
    /// failure is not cut short for it, and what comes of it again and again comes ever more rarely.
    pub fn nudge_all(&self, keys: impl IntoIterator<Item = K>) {
        let mut state = self.state();
        let now = Instant::now();
        let mut has_nudged = false;
        for key in keys {
            state.nudge(key, now);
            has_nudged = true;
        }
        drop(state);
        if has_nudged {
            self.changed.notify_one();
        }
    }

    /// The key has to be worked on when the delay is over, or sooner if something else asks for it.
    pub fn add_after(&self, key: K, delay: Duration) {
        self.state().postpone(key, Instant::now() + delay);
        self.changed.notify_one();
    }

    /// What has failed is tried again now rather than later: there is reason to think that it works again.
    pub fn retry_failed(&self) {
        let mut state = self.state();
        let failed: Vec<K> = state.failures.keys().filter(|key| state.due.contains_key(*key)).cloned().collect();
        for key in failed {
            state.add(key);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// The next key, which then is being worked on until [`Queue::done`] or [`Queue::failed`]. For one caller at a time.
    pub async fn next(&self) -> K {
        loop {
            let wake_at = {
                let mut state = self.state();
                let now = Instant::now();
                state.last_turn = now;
                state.promote(now);
                if let Some(key) = state.take() {
                    return key;
                }
                state.later.first().map(|(due, _)| *due)
            };
            match wake_at {
                Some(due) => tokio::select! {
                    () = sleep_until(due) => {}
                    () = self.changed.notified() => {}
                },
                None => self.changed.notified().await,
            }
        }
    }

    /// How it stands.
    pub fn standing(&self) -> QueueStanding {
        let state = self.state();
        let now = Instant::now();
        let first = state.ready.front().and_then(|key| state.is_ready.get(key));
        QueueStanding {
            depth: state.ready.len(),
            longest_wait: first.map_or(Duration::ZERO, |since| now.saturating_duration_since(*since)),
            last_turn: now.saturating_duration_since(state.last_turn),
        }
    }

    /// How often working on the key has failed since it last succeeded.
    pub fn failures(&self, key: &K) -> u32 {
        self.state().failures.get(key).copied().unwrap_or(0)
    }

    /// Working on the key is through.
    pub fn done(&self, key: &K) {
        let mut state = self.state();
        state.failures.remove(key);
        state.release(key);
        drop(state);
        self.changed.notify_one();
    }

    /// Working on the key is through for now, and it is not known whether what failed the last time would fail again.
    pub fn rest(&self, key: &K) {
        self.state().release(key);
        self.changed.notify_one();
    }

    /// Working on the key has failed: it is tried again. Returns after which delay.
    pub fn failed(&self, key: &K) -> Duration {
        let mut state = self.state();
        let failures = state.failures.entry(key.clone()).or_insert(0);
        *failures = failures.saturating_add(1);
        let delay = FAILED.scattered(*failures, &self.jitter, key);
        state.hold(key, Instant::now() + delay);
        drop(state);
        self.changed.notify_one();
        delay
    }

    /// Working on the key is refused as things are: it is tried again when something asks for it, or after long. Returns after
    /// which delay.
    pub fn refused(&self, key: &K) -> Duration {
        let mut state = self.state();
        state.failures.remove(key);
        state.hold(key, Instant::now() + REFUSED_DELAY);
        drop(state);
        self.changed.notify_one();
        REFUSED_DELAY
    }
}

impl<K: Clone + Hash + Ord> QueueState<K> {
    fn add(&mut self, key: K) {
        if let Some(due) = self.due.remove(&key) {
            self.later.remove(&(due, key.clone()));
        }
        self.held.remove(&key);
        if let Some(again) = self.running.get_mut(&key) {
            *again = Rerun::Now;
        } else if let Entry::Vacant(place) = self.is_ready.entry(key.clone()) {
            place.insert(Instant::now());
            self.metrics.added();
            self.ready.push_back(key);
        }
    }

    fn nudge(&mut self, key: K, now: Instant) {
        if let Some(again) = self.running.get_mut(&key) {
            *again = (*again).max(Rerun::Gently);
            return;
        }
        // It is worked on when what holds it back is over.
        if self.is_ready.contains_key(&key) || self.held.get(&key).is_some_and(|until| *until > now) {
            return;
        }
        let due = self.nudges.next(&key, now);
        if due <= now { self.add(key) } else { self.postpone(key, due) }
    }

    /// It has failed, and waits until then, unless something has come up for it in the meantime.
    fn hold(&mut self, key: &K, until: Instant) {
        self.metrics.retried();
        self.held.insert(key.clone(), until);
        self.postpone(key.clone(), until);
        self.release(key);
    }

    fn postpone(&mut self, key: K, due: Instant) {
        let is_sooner_already = self.due.get(&key).is_some_and(|planned| *planned <= due);
        if is_sooner_already || self.is_ready.contains_key(&key) {
            return;
        }
        if let Some(planned) = self.due.insert(key.clone(), due) {
            self.later.remove(&(planned, key.clone()));
        }
        self.later.insert((due, key));
    }

    fn promote(&mut self, now: Instant) {
        while let Some((due, key)) = self.later.pop_first() {
            if due > now {
                self.later.insert((due, key));
                return;
            }
            self.due.remove(&key);
            self.add(key);
        }
    }

    fn take(&mut self) -> Option<K> {
        let key = self.ready.pop_front()?;
        if let Some(since) = self.is_ready.remove(&key) {
            self.metrics.taken(since.elapsed());
        }
        self.running.insert(key.clone(), Rerun::No);
        Some(key)
    }

    fn release(&mut self, key: &K) {
        match self.running.remove(key) {
            Some(Rerun::Now) => self.add(key.clone()),
            Some(Rerun::Gently) => self.nudge(key.clone(), Instant::now()),
            Some(Rerun::No) | None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FAILED, Queue, QueueMetrics, REFUSED_DELAY};
    use std::time::Duration;
    use tokio::time::{Instant, timeout};

    async fn is_empty(queue: &Queue<&'static str>) -> bool {
        timeout(Duration::ZERO, queue.next()).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_queued_once() {
        let queue = Queue::new(QueueMetrics::default());
        queue.add_all(["a", "b", "a"]);
        assert_eq!((queue.next().await, queue.next().await), ("a", "b"));
        assert!(is_empty(&queue).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_is_worked_on_is_queued_again_behind_it() {
        let queue = Queue::new(QueueMetrics::default());
        queue.add("a");
        assert_eq!(queue.next().await, "a");
        queue.add_all(["a", "a"]);
        assert!(is_empty(&queue).await);
        queue.done(&"a");
        assert_eq!(queue.next().await, "a");
        queue.done(&"a");
        assert!(is_empty(&queue).await);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_put_off_is_no_success() {
        let queue = Queue::new(QueueMetrics::default());
        for failures in 1..4 {
            queue.add("a");
            assert_eq!(queue.next().await, "a");
            queue.failed(&"a");
            assert_eq!(queue.failures(&"a"), failures);
            queue.add("a");
            assert_eq!(queue.next().await, "a");
            queue.rest(&"a");
        }
        assert!(is_empty(&queue).await);
        queue.add("a");
        assert_eq!(queue.next().await, "a");
        queue.done(&"a");
        assert_eq!(queue.failures(&"a"), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_refused_waits_for_long_or_until_it_is_asked_for() {
        let queue = Queue::new(QueueMetrics::default());
        queue.add("a");
        assert_eq!(queue.next().await, "a");
        let before = Instant::now();
        assert_eq!(queue.refused(&"a"), REFUSED_DELAY);
        assert_eq!(queue.next().await, "a");
        assert!(before.elapsed() >= REFUSED_DELAY);
        queue.refused(&"a");
        queue.retry_failed();
        assert!(is_empty(&queue).await);
        queue.add("a");
        assert!(!is_empty(&queue).await);
    }

    #[tokio::test(start_paused = true)]
    async fn failures_delay_a_key_more_and_more() {
        let queue = Queue::new(QueueMetrics::default());
        queue.add("a");
        assert_eq!(queue.next().await, "a");
        for failures in 1..=20 {
            let (whole, delay) = (FAILED.delay(failures), queue.failed(&"a"));
            assert!(delay >= whole / 2 && delay <= whole, "{failures}: {delay:?}");
            assert_eq!(queue.failures(&"a"), failures);
            let before = Instant::now();
            assert_eq!(queue.next().await, "a");
            // tokio's timer counts whole milliseconds.
            assert!(before.elapsed() >= delay && before.elapsed() < delay + Duration::from_millis(2));
        }
        queue.done(&"a");
        assert_eq!(queue.failures(&"a"), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_failed_can_be_tried_again_at_once() {
        let queue = Queue::new(QueueMetrics::default());
        queue.add_all(["a", "b"]);
        queue.add_after("c", Duration::from_secs(1));
        assert_eq!((queue.next().await, queue.next().await), ("a", "b"));
        queue.failed(&"a");
        queue.done(&"b");
        queue.retry_failed();
        let before = Instant::now();
        assert_eq!(queue.next().await, "a");
        assert_eq!(before.elapsed(), Duration::ZERO);
        assert_eq!(queue.failures(&"a"), 1);
        assert!(is_empty(&queue).await);
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_overtakes_a_delay() {
        let queue = Queue::new(QueueMetrics::default());
        queue.add_after("a", Duration::from_mins(1));
        queue.add("a");
        let before = Instant::now();
        assert_eq!(queue.next().await, "a");
        assert_eq!(before.elapsed(), Duration::ZERO);
        queue.done(&"a");
        tokio::time::advance(Duration::from_mins(2)).await;
        assert!(is_empty(&queue).await);
    }

    #[tokio::test(start_paused = true)]
    async fn what_others_do_starts_nothing_before_its_delay() {
        let queue = Queue::new(QueueMetrics::default());
        queue.add("a");
        // Neither while it waits, nor while it is worked on.
        assert_eq!(queue.next().await, "a");
        for _ in 0..6 {
            queue.nudge_all(["a"]);
            let delay = queue.failed(&"a");
            let before = Instant::now();
            queue.nudge_all(["a"]);
            assert_eq!(queue.next().await, "a");
            assert!(before.elapsed() >= delay, "{:?} is before {delay:?}", before.elapsed());
        }
        queue.refused(&"a");
        queue.nudge_all(["a"]);
        let before = Instant::now();
        assert_eq!(queue.next().await, "a");
        assert!(before.elapsed() >= REFUSED_DELAY);
        // What has to be done is done at once, and what went well waits for nothing.
        queue.failed(&"a");
        queue.add("a");
        assert_eq!(queue.next().await, "a");
        queue.done(&"a");
        queue.nudge_all(["a"]);
        assert!(!is_empty(&queue).await);
    }

    #[tokio::test(start_paused = true)]
    async fn what_others_do_again_and_again_is_looked_at_ever_more_rarely() {
        let queue = Queue::new(QueueMetrics::default());
        let (started, mut looks) = (Instant::now(), Vec::new());
        for _ in 0..2000 {
            queue.nudge_all(["a"]);
            if let Ok(key) = timeout(Duration::ZERO, queue.next()).await {
                looks.push(started.elapsed().as_secs());
                queue.done(&key);
            }
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        assert_eq!(looks, [0, 1, 3, 7, 15, 31, 63, 123, 183]);
        tokio::time::advance(Duration::from_mins(6)).await;
        // The one that was still to come.
        assert!(!is_empty(&queue).await);
        queue.done(&"a");
        queue.nudge_all(["a"]);
        assert!(!is_empty(&queue).await);
    }

    #[tokio::test(start_paused = true)]
    async fn the_sooner_of_two_delays_counts() {
        let queue = Queue::new(QueueMetrics::default());
        let before = Instant::now();
        for seconds in [9, 3, 6] {
            queue.add_after("a", Duration::from_secs(seconds));
        }
        assert_eq!(queue.next().await, "a");
        assert_eq!(before.elapsed(), Duration::from_secs(3));
        queue.done(&"a");
        assert!(timeout(Duration::from_mins(1), queue.next()).await.is_err());
    }
}
