//! A time limit for which thinking does not count: that takes as long as it has to, and as the lanes let it.

use std::{
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

tokio::task_local! {
    static THOUGHT: Thought;
}

/// How long has been thought.
#[derive(Clone, Default)]
struct Thought(Arc<Mutex<Clock>>);

#[derive(Default)]
struct Clock {
    before: Duration,
    since: Option<Instant>,
}

impl Thought {
    fn clock(&self) -> MutexGuard<'_, Clock> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn so_far(&self) -> Duration {
        let clock = self.clock();
        clock.before + clock.since.map(|since| since.elapsed()).unwrap_or_default()
    }
}

/// Took longer than it may.
#[derive(Debug, PartialEq, Eq)]
pub struct Elapsed;

/// Does something that may take so long, not counting what it spends [`thinking`].
pub async fn within<R>(limit: Duration, work: impl Future<Output = R>) -> Result<R, Elapsed> {
    let (thought, begun) = (Thought::default(), Instant::now());
    let mut work = pin!(THOUGHT.scope(thought.clone(), work));
    loop {
        let until = begun + limit + thought.so_far();
        tokio::select! {
            result = &mut work => return Ok(result),
            () = sleep_until(until) => {}
        }
        if Instant::now() >= begun + limit + thought.so_far() {
            return Err(Elapsed);
        }
    }
}

/// Thinks, and waits for its turn to.
pub async fn thinking<R>(work: impl Future<Output = R>) -> R {
    let begin = |thought: &Thought| thought.clock().since = Some(Instant::now());
    let end = |thought: &Thought| {
        let mut clock = thought.clock();
        let passed = clock.since.take().map(|since| since.elapsed()).unwrap_or_default();
        clock.before += passed;
    };
    // Not all who think are limited.
    let _ = THOUGHT.try_with(begin);
    let result = work.await;
    let _ = THOUGHT.try_with(end);
    result
}

#[cfg(test)]
mod tests {
    use super::{Elapsed, thinking, within};
    use std::time::Duration;
    use tokio::time::{Instant, sleep};

    const LIMIT: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn what_takes_longer_is_broken_off() {
        assert_eq!(within(LIMIT, sleep(LIMIT / 2)).await, Ok(()));
        let begun = Instant::now();
        assert_eq!(within(LIMIT, sleep(LIMIT * 2)).await, Err(Elapsed));
        assert!(begun.elapsed() < LIMIT * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn thinking_does_not_count() {
        let work = async {
            for _ in 0..3 {
                thinking(sleep(LIMIT * 2)).await;
                sleep(LIMIT / 4).await;
            }
        };
        assert_eq!(within(LIMIT, work).await, Ok(()));
        let work = async {
            thinking(sleep(LIMIT * 2)).await;
            sleep(LIMIT * 2).await;
        };
        let begun = Instant::now();
        assert_eq!(within(LIMIT, work).await, Err(Elapsed));
        assert!(begun.elapsed() < LIMIT * 4);
        thinking(sleep(LIMIT)).await;
    }
}
