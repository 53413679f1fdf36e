//! One alarm for the earliest moment at which anything changes by time alone.

use crate::core::calendar::Instant;
use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// The longest sleep: how late a jump of the wall clock is noticed at most.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

/// The next moment of each key.
pub struct Timer<K> {
    state: Mutex<TimerState<K>>,
    changed: Notify,
}

struct TimerState<K> {
    moments: HashMap<K, Instant>,
    order: BTreeSet<(Instant, K)>,
    /// When it was last looked whether a moment has come.
    last_look: tokio::time::Instant,
}

impl<K: Clone + Hash + Ord> Timer<K> {
    /// Without moments.
    pub fn new() -> Self {
        let (moments, order) = (HashMap::new(), BTreeSet::new());
        let state = TimerState { moments, order, last_look: tokio::time::Instant::now() };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, TimerState<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the next moment of a key, in place of the one before.
    pub fn set(&self, key: &K, moment: Option<Instant>) {
        let mut state = self.state();
        if let Some(before) = state.moments.remove(key) {
            state.order.remove(&(before, key.clone()));
        }
        let Some(moment) = moment else { return };
        state.moments.insert(key.clone(), moment);
        state.order.insert((moment, key.clone()));
        let is_first = state.order.first().is_some_and(|(first, _)| *first == moment);
        drop(state);
        if is_first {
            self.changed.notify_one();
        }
    }

    /// How long ago the first moment has come that nobody has taken; no longer than nobody has looked, as the wall clock may have
    /// jumped.
    pub fn lateness(&self, now: Instant) -> Duration {
        let state = self.state();
        let late = state.order.first().and_then(|(first, _)| (now - *first).to_std().ok()).unwrap_or_default();
        late.min(state.last_look.elapsed())
    }

    /// Waits until moments have come, by the wall clock that `now` reads, never early, and takes all that have.
    pub async fn due(&self, now: impl Fn() -> Instant) -> Vec<K> {
        loop {
            let sleep = {
                let mut state = self.state();
                state.last_look = tokio::time::Instant::now();
                let current = now();
                let due = state.take_due(current);
                if !due.is_empty() {
                    return due;
                }
                state.order.first().map(|(moment, _)| sleep_until(*moment, current))
            };
            match sleep {
                Some(sleep) => tokio::select! {
                    () = tokio::time::sleep(sleep) => {}
                    () = self.changed.notified() => {}
                },
                None => self.changed.notified().await,
            }
        }
    }
}

fn sleep_until(moment: Instant, now: Instant) -> Duration {
    (moment - now).to_std().unwrap_or(Duration::ZERO).min(LONGEST_SLEEP)
}

impl<K: Clone + Hash + Ord> TimerState<K> {
    fn take_due(&mut self, now: Instant) -> Vec<K> {
        let mut due = Vec::new();
        while let Some((moment, key)) = self.order.pop_first() {
            if moment > now {
                self.order.insert((moment, key));
                break;
            }
            self.moments.remove(&key);
            due.push(key);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_SLEEP, Timer};
    use crate::core::calendar::Instant;
    use chrono::{DateTime, TimeDelta};
    use std::{cell::Cell, time::Duration};
    use tokio::time::timeout;

    fn at(milliseconds: i64) -> Instant {
        DateTime::UNIX_EPOCH + TimeDelta::milliseconds(milliseconds)
    }

    /// A wall clock that goes with the paused time of the test.
    fn clock() -> impl Fn() -> Instant {
        let start = tokio::time::Instant::now();
        move || DateTime::UNIX_EPOCH + TimeDelta::from_std(start.elapsed()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn wakes_at_the_moment_and_not_before() {
        let (timer, clock) = (Timer::new(), clock());
        timer.set(&"b", Some(at(2500)));
        timer.set(&"a", Some(at(1001)));
        assert_eq!(timer.due(&clock).await, ["a"]);
        assert_eq!(clock(), at(1001));
        assert_eq!(timer.due(&clock).await, ["b"]);
        assert_eq!(clock(), at(2500));
    }

    #[tokio::test(start_paused = true)]
    async fn all_of_one_moment_come_together() {
        let (timer, clock) = (Timer::new(), clock());
        for key in ["c", "a", "b"] {
            timer.set(&key, Some(at(5000)));
        }
        assert_eq!(timer.due(&clock).await, ["a", "b", "c"]);
    }

    #[tokio::test(start_paused = true)]
    async fn ten_thousand_moments_in_one_second_are_missed_by_none_and_early_by_none() {
        let (timer, clock) = (Timer::new(), clock());
        for key in 0..10_000_i64 {
            timer.set(&key, Some(at(5000 + key % 1000)));
        }
        let mut come = Vec::new();
        while come.len() < 10_000 {
            let due = timer.due(&clock).await;
            assert!(due.iter().all(|key| at(5000 + key % 1000) <= clock()));
            come.extend(due);
        }
        assert_eq!(clock(), at(5999));
        come.sort_unstable();
        assert_eq!(come, (0..10_000).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_moment_replaces_the_old_one() {
        let (timer, clock) = (Timer::new(), clock());
        timer.set(&"a", Some(at(1000)));
        timer.set(&"a", Some(at(3000)));
        timer.set(&"b", Some(at(2000)));
        timer.set(&"b", None);
        assert_eq!(timer.due(&clock).await, ["a"]);
        assert_eq!(clock(), at(3000));
        assert!(timeout(Duration::from_hours(1), timer.due(&clock)).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_sooner_moment_wakes_a_waiting_timer() {
        let (timer, clock) = (Timer::new(), clock());
        timer.set(&"a", Some(at(50_000)));
        let set = async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            timer.set(&"b", Some(at(20)));
        };
        assert_eq!(tokio::join!(timer.due(&clock), set).0, ["b"]);
        assert_eq!(clock(), at(20));
    }

    #[tokio::test(start_paused = true)]
    async fn a_jump_of_the_wall_clock_is_noticed() {
        let timer = Timer::new();
        let offset = Cell::new(0);
        let start = tokio::time::Instant::now();
        let clock = || at(offset.get()) + TimeDelta::from_std(start.elapsed()).unwrap();
        timer.set(&"a", Some(at(86_400_000)));
        let jump = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            offset.set(86_400_000);
            assert_eq!(timer.lateness(clock()), Duration::from_secs(1));
        };
        assert_eq!(tokio::join!(timer.due(clock), jump).0, ["a"]);
        assert_eq!(start.elapsed(), LONGEST_SLEEP);
        // Nobody looks any more.
        timer.set(&"a", Some(clock()));
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!(timer.lateness(clock()), Duration::from_hours(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_moment_two_hundred_years_ahead_is_no_problem() {
        let (timer, clock) = (Timer::new(), clock());
        timer.set(&"a", Some(Instant::MAX_UTC));
        assert!(timeout(Duration::from_hours(1), timer.due(&clock)).await.is_err());
    }
}
