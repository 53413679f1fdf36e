//! Where evaluating and compiling is done: on threads of their own, so many at once, and what costs much apart from what does
//! not.
//!
//! Nothing of it can be broken off; it is bounded by the budgets of schemas and templates. So that nobody waits for what
//! another has made costly, there are two lanes. What took long the last time goes by the slow one, where such things wait for
//! each other. What takes long by surprise gives up its place in the quick lane while it goes on.

use super::{failure::Failure, world::WorkItem};
use rustix::time::{ClockId, clock_gettime};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{JoinError, spawn_blocking},
    time::sleep,
};

/// What takes more of a processor's time than this is slow from then on, until it takes less than half of it.
const SLOW: Duration = Duration::from_millis(100);
/// After this time, something in the quick lane gives up its place.
const PATIENCE: Duration = Duration::from_millis(100);
/// So many may have given it up and go on; more have to keep it.
const STRAGGLERS: usize = 4;

/// So many of those that are slow are worked on at once.
const SLOW_WORKERS: usize = 4;

/// The lanes.
pub struct Lanes {
    quick: Arc<Semaphore>,
    slow: Arc<Semaphore>,
    stragglers: Arc<Semaphore>,
    slow_workers: Arc<Semaphore>,
    slow_items: Mutex<HashSet<WorkItem>>,
}

/// Held by what is under way.
type Place = Arc<Mutex<Option<OwnedSemaphorePermit>>>;

impl Lanes {
    /// For this machine: all processors but one are for what is quick, and half of them at most for what is not.
    pub fn new() -> Self {
        Self::for_processors(thread::available_parallelism().map_or(1, usize::from))
    }

    fn for_processors(processors: usize) -> Self {
        let lane = |width: usize| Arc::new(Semaphore::new(width.max(1)));
        Self {
            quick: lane(processors - 1),
            slow: lane(processors / 2),
            stragglers: lane(STRAGGLERS),
            slow_workers: lane(SLOW_WORKERS),
            slow_items: Mutex::default(),
        }
    }

    /// The worker for an item: the one that it has been given, or, where it is slow, one of few that are for such items. However
    /// many of these there are, the others have workers.
    pub async fn worker_for(&self, item: &WorkItem, worker: OwnedSemaphorePermit) -> Option<OwnedSemaphorePermit> {
        if !self.is_slow(item) {
            return Some(worker);
        }
        drop(worker);
        Arc::clone(&self.slow_workers).acquire_owned().await.ok()
    }

    /// Whether something took long the last time.
    fn is_slow(&self, item: &WorkItem) -> bool {
        self.slow_items().contains(item)
    }

    fn slow_items(&self) -> MutexGuard<'_, HashSet<WorkItem>> {
        self.slow_items.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does for an item what tells how much it costs, in its turn.
    ///
    /// # Errors
    /// Where it panics.
    pub async fn run<R>(&self, item: &WorkItem, work: impl FnOnce() -> R + Send + 'static) -> Result<R, Failure>
    where
        R: Send + 'static,
    {
        let (result, cost) = self.go_on(item, work).await?;
        if cost < SLOW / 2 {
            self.slow_items().remove(item);
        }
        Ok(result)
    }

    /// Does what else there is to do for it, and returns what that has cost.
    ///
    /// # Errors
    /// Where it panics.
    pub async fn go_on<R>(
        &self,
        item: &WorkItem,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<(R, Duration), Failure>
    where
        R: Send + 'static,
    {
        let is_slow = self.is_slow(item);
        let lane = if is_slow { &self.slow } else { &self.quick };
        let place: Place = Arc::new(Mutex::new(Arc::clone(lane).acquire_owned().await.ok()));
        let held = Arc::clone(&place);
        let mut done = spawn_blocking(move || {
            let before = processor_time();
            let result = work();
            let cost = processor_time().saturating_sub(before);
            leave(&held);
            (result, cost)
        });
        if is_slow {
            return self.through(item, done.await);
        }
        tokio::select! {
            done = &mut done => return self.through(item, done),
            () = sleep(PATIENCE) => {}
        }
        tokio::select! {
            done = &mut done => return self.through(item, done),
            straggler = Arc::clone(&self.stragglers).acquire_owned() => step_aside(&place, straggler.ok()),
        }
        self.through(item, done.await)
    }

    fn through<R>(&self, item: &WorkItem, done: Result<(R, Duration), JoinError>) -> Result<(R, Duration), Failure> {
        let panicked = |_| Failure::Failed("it panicked: report it, with the lines before this one".to_owned());
        let (result, cost) = done.map_err(panicked)?;
        if cost > SLOW && self.slow_items().insert(item.clone()) {
            tracing::info!(?item, ?cost, "takes long, and waits for others that do from now on");
        }
        Ok((result, cost))
    }
}

/// Its place in the quick lane is free. Not if it is through meanwhile.
fn step_aside(place: &Place, straggler: Option<OwnedSemaphorePermit>) {
    let mut held = place.lock().unwrap_or_else(PoisonError::into_inner);
    if held.is_some() {
        *held = straggler;
    }
}

fn leave(place: &Place) {
    place.lock().unwrap_or_else(PoisonError::into_inner).take();
}

/// What this thread has had of a processor. On a busy machine, time by the clock would make everything look slow.
fn processor_time() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Lanes, PATIENCE, SLOW, processor_time};
    use crate::controller::{failure::Failure, world::WorkItem};
    use std::{
        sync::{Arc, mpsc},
        time::{Duration, Instant},
    };

    fn item(name: &str) -> WorkItem {
        WorkItem::Organization(name.into())
    }

    fn work(cost: Duration) {
        let before = processor_time();
        while processor_time().saturating_sub(before) < cost {
            std::hint::black_box(before);
        }
    }

    #[tokio::test]
    async fn what_takes_long_is_slow_until_it_does_not() {
        let lanes = Lanes::for_processors(2);
        for (cost, is_slow) in [(SLOW / 10, false), (SLOW * 2, true), (SLOW * 3 / 4, true), (SLOW / 10, false)] {
            lanes.run(&item("a"), move || work(cost)).await.unwrap();
            assert_eq!(lanes.is_slow(&item("a")), is_slow, "{cost:?}");
        }
    }

    #[tokio::test]
    async fn waiting_is_not_slow() {
        let lanes = Lanes::for_processors(2);
        lanes.run(&item("a"), || std::thread::sleep(SLOW * 2)).await.unwrap();
        assert!(!lanes.is_slow(&item("a")));
    }

    /// Works on items until they are told to end; returns how long another one takes meanwhile.
    async fn wait_beside(lanes: &Arc<Lanes>, items: &[WorkItem]) -> Duration {
        let (ends, tasks): (Vec<_>, Vec<_>) = items
            .iter()
            .map(|item| {
                let (end, ends) = mpsc::channel::<()>();
                let (lanes, item) = (Arc::clone(lanes), item.clone());
                (end, tokio::spawn(async move { lanes.run(&item, move || ends.recv().unwrap_err()).await.map(drop) }))
            })
            .unzip();
        tokio::task::yield_now().await;
        let begun = Instant::now();
        lanes.run(&item("other"), || {}).await.unwrap();
        let waited = begun.elapsed();
        drop(ends);
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        waited
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_takes_long_by_surprise_holds_up_others_shortly() {
        let lanes = Arc::new(Lanes::for_processors(2));
        assert!(wait_beside(&lanes, &[item("a")]).await < PATIENCE * 10);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_known_to_be_slow_holds_up_nobody() {
        let lanes = Arc::new(Lanes::for_processors(2));
        let slow: Vec<WorkItem> = (0..20).map(|number| item(&number.to_string())).collect();
        for item in &slow {
            lanes.slow_items().insert(item.clone());
        }
        assert!(wait_beside(&lanes, &slow).await < PATIENCE * 10);
    }

    #[tokio::test]
    async fn a_panic_is_the_failure_of_that_one_alone() {
        let lanes = Lanes::for_processors(1);
        let failed = lanes.run(&item("a"), || panic!("on purpose")).await;
        assert!(matches!(failed, Err(Failure::Failed(said)) if said.starts_with("it panicked")));
        lanes.run(&item("a"), || {}).await.unwrap();
    }
}
