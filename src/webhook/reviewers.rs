//! Where reviews are thought about: on threads of their own, so many at once.
//!
//! A review can't be broken off. One that nobody waits for any more goes on, and gives up its place to the next, as long as few
//! do: those get what others leave of the processors. More of them keep their places, so that there are never more threads than
//! that, whatever is asked how often.

use crate::controller::threads::{Panicked, Worker};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// How many abandoned reviews may go on beside the others.
const LEFT_BEHIND: usize = 2;

/// Those who think about the questions of one kind of caller.
#[derive(Clone)]
pub struct Reviewers {
    places: Arc<Semaphore>,
    left_behind: Arc<Semaphore>,
}

/// A review that somebody waits for.
struct Awaited<'a, R: Send + 'static> {
    worker: Worker<R>,
    left_behind: &'a Arc<Semaphore>,
}

/// A review did not come to its end, which is a mistake of the operator.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken;

impl Reviewers {
    /// Places for that many reviews at once.
    pub fn new(count: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(count)), left_behind: Arc::new(Semaphore::new(LEFT_BEHIND)) }
    }

    /// Does it when one of them is free, and waits for the result.
    pub async fn think<R: Send + 'static>(&self, work: impl FnOnce() -> R + Send + 'static) -> Result<R, Broken> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| Broken)?;
        let worker = Worker::begin(Some(place), false, work, || {}).map_err(|_| Broken)?;
        let mut awaited = Awaited { worker, left_behind: &self.left_behind };
        let result = awaited.worker.result().await;
        result.map(|(result, _)| result).map_err(|Panicked| Broken)
    }
}

impl<R: Send + 'static> Drop for Awaited<'_, R> {
    fn drop(&mut self) {
        if let Ok(permit) = Arc::clone(self.left_behind).try_acquire_owned() {
            self.worker.step_aside(permit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Broken, LEFT_BEHIND, Reviewers};
    use std::{sync::mpsc, time::Duration};
    use tokio::time::{Instant, timeout};

    /// Nobody waits for longer than a moment for a review that goes on until the sender is dropped. Whether it was begun.
    async fn leave(reviewers: &Reviewers) -> (mpsc::Sender<()>, bool) {
        let ((end, ends), (tell, begun)) = (mpsc::channel::<()>(), mpsc::channel());
        let work = move || {
            tell.send(()).ok();
            ends.recv().unwrap_err();
        };
        assert!(timeout(Duration::from_millis(200), reviewers.think(work)).await.is_err());
        (end, begun.recv().is_ok())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_nobody_waits_for_gives_up_its_place_as_long_as_few_do() {
        let reviewers = Reviewers::new(1);
        let mut ends = Vec::new();
        for _ in 0..LEFT_BEHIND {
            let (end, has_begun) = leave(&reviewers).await;
            assert!(has_begun);
            ends.push(end);
            assert_eq!(reviewers.think(|| 7).await, Ok(7));
        }
        let (end, has_begun) = leave(&reviewers).await;
        assert!(has_begun);
        let (never, has_begun) = leave(&reviewers).await;
        assert!(!has_begun, "the place is kept");
        drop((end, never, ends));
        let deadline = Instant::now() + Duration::from_secs(10);
        assert_eq!(timeout(deadline - Instant::now(), reviewers.think(|| 8)).await.unwrap(), Ok(8));
    }

    #[tokio::test]
    async fn a_panic_is_that_of_one_review() {
        let reviewers = Reviewers::new(1);
        assert_eq!(reviewers.think(|| -> u8 { panic!("on purpose") }).await, Err(Broken));
        assert_eq!(reviewers.think(|| 7).await, Ok(7));
    }
}
