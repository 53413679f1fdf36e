//! Where evaluating and compiling is done: on threads of its own, a few at once, with expensive work apart from cheap work.
//!
//! This work cannot be interrupted; the budgets of schemas and templates bound it. There are two lanes, so that nobody waits for
//! what another has made expensive. What took long the last time goes to the slow lane, where such work waits for other slow
//! work and gets what the rest leaves of the processors. What takes long by surprise gives up its place in the quick lane and
//! goes on.
//!
//! Should the budgets miss something, it is waited for no longer than [`OVERDUE`]. Then the attempt has failed, so nothing of it is
//! written, and its place goes to the next. The thread goes on, and until it is through, nothing is begun for the same item: an
//! item never takes more than one thread. The next attempt may take twice as long.

use super::{
    backoff::Backoff,
    failure::ReconcileFailure,
    limit::thinking,
    threads::{Panicked, Worker},
    work::WorkItem,
};
use std::{
    collections::{HashMap, HashSet},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};

/// What takes more of a processor's time than this is slow from then on, until it takes less than half of it.
const SLOW: Duration = Duration::from_millis(100);
/// After this time, something in the quick lane gives up its place.
const PATIENCE: Duration = Duration::from_millis(100);
/// How many may have given up their place and go on; any more have to keep it.
const STRAGGLERS: usize = 16;
/// How long something is waited for, by how often that was too short. This is no limit of what an organization may cost: it is many
/// times what the budgets let anything take.
const OVERDUE: Backoff = Backoff::new(Duration::from_mins(2), Duration::from_hours(1));
/// How many overdue ones may go on beside the others; any more have to keep their places.
const LEFT_BEHIND: usize = 16;

/// The lanes.
pub struct Lanes {
    quick: Arc<Semaphore>,
    slow: Arc<Semaphore>,
    stragglers: Arc<Semaphore>,
    left_behind: Arc<Semaphore>,
    slow_workers: Arc<Semaphore>,
    overdue: Backoff,
    costs: Mutex<Costs>,
    /// Items that there is a thread for.
    under_way: Arc<Mutex<HashSet<WorkItem>>>,
}

/// What is known of the cost of items.
#[derive(Default)]
struct Costs {
    slow: HashSet<WorkItem>,
    /// Those that might have been slow for what they are made of, and are not.
    quick: HashSet<WorkItem>,
    /// How often in a row an item was overdue.
    overdue: HashMap<WorkItem, u32>,
}

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
            left_behind: lane(LEFT_BEHIND),
            // While something is written for one, the next is thought about.
            slow_workers: lane((processors / 2).max(1) + 1),
            overdue: OVERDUE,
            costs: Mutex::default(),
            under_way: Arc::default(),
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

    fn costs(&self) -> MutexGuard<'_, Costs> {
        self.costs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether something took long the last time.
    fn is_slow(&self, item: &WorkItem) -> bool {
        self.costs().slow.contains(item)
    }

    /// Whether something took long the last time, or has not been done yet and is made of something that takes long.
    fn may_be_slow(&self, item: &WorkItem, parts: impl IntoIterator<Item = WorkItem>) -> bool {
        let costs = self.costs();
        let is_suspect = || parts.into_iter().any(|part| costs.slow.contains(&part));
        costs.slow.contains(item) || (is_suspect() && !costs.quick.contains(item))
    }

    /// Does for an item what tells how much it costs, in its turn.
    ///
    /// # Errors
    /// Where it panics, or is overdue.
    pub async fn run<R>(
        &self,
        item: &WorkItem,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, ReconcileFailure>
    where
        R: Send + 'static,
    {
        self.run_with(item, [], work).await
    }

    /// The same for an item that is made of others, which tell beforehand what it may cost.
    ///
    /// # Errors
    /// Where it panics, or is overdue.
    pub async fn run_with<R>(
        &self,
        item: &WorkItem,
        parts: impl IntoIterator<Item = WorkItem>,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, ReconcileFailure>
    where
        R: Send + 'static,
    {
        let may_be_slow = self.may_be_slow(item, parts);
        let (result, cost) = thinking(self.think(item, may_be_slow, work)).await?;
        let mut costs = self.costs();
        costs.overdue.remove(item);
        if cost > SLOW {
            costs.quick.remove(item);
            if costs.slow.insert(item.clone()) {
                tracing::info!(?item, ?cost, "is slow: from now on it waits for other slow work");
            }
        } else if cost < SLOW / 2 {
            costs.slow.remove(item);
            if may_be_slow {
                costs.quick.insert(item.clone());
            }
        }
        Ok(result)
    }

    /// Does what else there is to do for an item.
    ///
    /// # Errors
    /// Where it panics, or is overdue.
    pub async fn go_on<R>(
        &self,
        item: &WorkItem,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, ReconcileFailure>
    where
        R: Send + 'static,
    {
        thinking(self.think(item, self.is_slow(item), work)).await.map(|(result, _)| result)
    }

    /// The result, and what it has cost.
    async fn think<R>(
        &self,
        item: &WorkItem,
        is_slow: bool,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<(R, Duration), ReconcileFailure>
    where
        R: Send + 'static,
    {
        let lane = if is_slow { &self.slow } else { &self.quick };
        let place = Arc::clone(lane).acquire_owned().await.ok();
        let mut worker = self.begin(item, place, is_slow, work)?;
        let times = self.costs().overdue.get(item).copied().unwrap_or_default();
        let limit = self.overdue.delay(times.saturating_add(1));
        let result = {
            let (begun, mut attended) = (Instant::now(), pin!(self.attend(&mut worker, is_slow)));
            loop {
                match timeout(limit.saturating_sub(begun.elapsed()), &mut attended).await {
                    Ok(result) => break Some(result),
                    // Threads go by the real clock, whatever that of the timers does.
                    Err(_) if begun.elapsed() < limit => {}
                    Err(_) => break None,
                }
            }
        };
        let Some(result) = result else {
            self.leave_behind(item, &worker);
            return Err(ReconcileFailure::Failed(format!(
                "deciding it took longer than {} s, and still goes on: what was delivered stays as it is; report it",
                limit.as_secs()
            )));
        };
        result.map_err(|Panicked| {
            ReconcileFailure::Failed("it panicked: report it, with the lines before this one".to_owned())
        })
    }

    /// Begins on a thread, unless there is one for the item already.
    fn begin<R: Send + 'static>(
        &self,
        item: &WorkItem,
        place: Option<OwnedSemaphorePermit>,
        is_slow: bool,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<Worker<R>, ReconcileFailure> {
        if !under_way(&self.under_way).insert(item.clone()) {
            return Err(ReconcileFailure::Failed("deciding it the last time still goes on".to_owned()));
        }
        let (all, of) = (Arc::clone(&self.under_way), item.clone());
        let end = move || {
            under_way(&all).remove(&of);
        };
        let begun = Worker::begin(place, is_slow, work, end);
        begun.map_err(|error| ReconcileFailure::Failed(format!("there is no thread to think on: {error}")))
    }

    /// Waits for the result. What takes long by surprise gives up its place, as soon as there is room among those that have.
    async fn attend<R: Send + 'static>(
        &self,
        worker: &mut Worker<R>,
        is_slow: bool,
    ) -> Result<(R, Duration), Panicked> {
        if is_slow {
            return worker.result().await;
        }
        tokio::select! {
            result = worker.result() => return result,
            () = sleep(PATIENCE) => {}
        }
        let straggler = tokio::select! {
            result = worker.result() => return result,
            straggler = Arc::clone(&self.stragglers).acquire_owned() => straggler,
        };
        if let Ok(straggler) = straggler {
            worker.step_aside(straggler);
        }
        worker.result().await
    }

    /// It is waited for no longer.
    fn leave_behind<R: Send + 'static>(&self, item: &WorkItem, worker: &Worker<R>) {
        if let Ok(permit) = Arc::clone(&self.left_behind).try_acquire_owned() {
            worker.step_aside(permit);
        }
        let mut costs = self.costs();
        costs.quick.remove(item);
        costs.slow.insert(item.clone());
        let times = costs.overdue.entry(item.clone()).or_default();
        *times = times.saturating_add(1);
    }
}

fn under_way(all: &Mutex<HashSet<WorkItem>>) -> MutexGuard<'_, HashSet<WorkItem>> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{Backoff, LEFT_BEHIND, Lanes, PATIENCE, SLOW, under_way};
    use crate::controller::{failure::ReconcileFailure, threads::processor_time, work::WorkItem};
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
            lanes.costs().slow.insert(item.clone());
        }
        assert!(wait_beside(&lanes, &slow).await < PATIENCE * 10);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn more_surprises_than_processors_hold_up_others_shortly() {
        let lanes = Arc::new(Lanes::for_processors(1));
        let surprises: Vec<WorkItem> = (0..10).map(|number| item(&number.to_string())).collect();
        assert!(wait_beside(&lanes, &surprises).await < PATIENCE * 40);
    }

    #[tokio::test]
    async fn what_is_made_of_something_slow_is_slow_until_it_has_shown_otherwise() {
        let lanes = Lanes::for_processors(2);
        let part = || [WorkItem::Definition("costly".into())];
        lanes.run(&part()[0], || work(SLOW * 2)).await.unwrap();
        assert!(lanes.may_be_slow(&item("a"), part()) && !lanes.may_be_slow(&item("a"), []));
        lanes.run_with(&item("a"), part(), || {}).await.unwrap();
        assert!(!lanes.may_be_slow(&item("a"), part()) && lanes.may_be_slow(&item("b"), part()));
        lanes.run_with(&item("a"), part(), || work(SLOW * 2)).await.unwrap();
        assert!(lanes.may_be_slow(&item("a"), part()));
    }

    #[tokio::test]
    async fn a_panic_is_the_failure_of_that_one_alone() {
        let lanes = Lanes::for_processors(1);
        let failed: Result<(), ReconcileFailure> = lanes.run(&item("a"), || panic!("on purpose")).await;
        assert!(matches!(failed, Err(ReconcileFailure::Failed(said)) if said.starts_with("it panicked")));
        lanes.run(&item("a"), || {}).await.unwrap();
    }

    /// Lanes in which something is overdue that soon.
    fn impatient(limit: Duration) -> Lanes {
        Lanes { overdue: Backoff::new(limit, limit * 8), ..Lanes::for_processors(2) }
    }

    /// Work that goes on until it is told to end, and tells that it has begun.
    fn endless() -> (impl FnOnce() + Send + 'static, mpsc::Sender<()>, mpsc::Receiver<()>) {
        let ((end, ends), (tell, begun)) = (mpsc::channel::<()>(), mpsc::channel());
        let work = move || {
            tell.send(()).ok();
            ends.recv().unwrap_err();
        };
        (work, end, begun)
    }

    fn said(result: Result<(), ReconcileFailure>) -> String {
        result.unwrap_err().to_string()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_overdue_fails_and_holds_up_nobody_and_is_not_begun_a_second_time() {
        let lanes = impatient(Duration::from_millis(500));
        // The slow lane is one wide.
        lanes.costs().slow.extend([item("a"), item("b")]);
        let (work, end, begun) = endless();
        let overdue =
            "deciding it took longer than 0 s, and still goes on: what was delivered stays as it is; report it";
        assert_eq!(said(lanes.run(&item("a"), work).await), overdue);
        lanes.run(&item("b"), || {}).await.unwrap();
        let (again, _end, begun_again) = endless();
        assert_eq!(said(lanes.run(&item("a"), again).await), "deciding it the last time still goes on");
        assert!(begun.try_recv().is_ok() && begun_again.try_recv().is_err());
        drop(end);
        let deadline = Instant::now() + Duration::from_secs(10);
        while under_way(&lanes.under_way).contains(&item("a")) {
            assert!(Instant::now() < deadline, "it never ends");
            tokio::task::yield_now().await;
        }
        // The next attempt has more time, and gets to its end.
        lanes.run(&item("a"), || std::thread::sleep(Duration::from_millis(700))).await.unwrap();
        assert!(lanes.costs().overdue.is_empty());
        assert_eq!(lanes.left_behind.available_permits(), LEFT_BEHIND);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn so_many_that_are_overdue_go_on_beside_the_others_and_no_more() {
        let lanes = impatient(Duration::from_millis(20));
        let mut ends = Vec::new();
        for number in 0..LEFT_BEHIND {
            let (work, end, _begun) = endless();
            said(lanes.run(&item(&number.to_string()), work).await);
            ends.push(end);
        }
        assert_eq!((lanes.left_behind.available_permits(), lanes.quick.available_permits()), (0, 1));
        let (work, end, _begun) = endless();
        said(lanes.run(&item("one more"), work).await);
        assert_eq!(lanes.quick.available_permits(), 0, "it keeps its place");
        drop((end, ends));
    }
}
