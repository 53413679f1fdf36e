//! Where evaluating and compiling is done: on threads of its own, a few at once, with expensive work apart from cheap work.
//!
//! This work cannot be interrupted; the budgets of schemas and templates bound it. There are two lanes, so that nobody waits for
//! what another has made expensive. What took long the last time goes to the slow lane, where such work waits for other slow
//! work and gets what the rest leaves of the processors. What takes long by surprise gives up its place in the quick lane and
//! goes on.

use super::{failure::Failure, limit::thinking, world::WorkItem};
use rustix::time::{ClockId, clock_gettime};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::sleep,
};

/// What takes more of a processor's time than this is slow from then on, until it takes less than half of it.
const SLOW: Duration = Duration::from_millis(100);
/// After this time, something in the quick lane gives up its place.
const PATIENCE: Duration = Duration::from_millis(100);
/// So many may have given it up and go on; more have to keep it.
const STRAGGLERS: usize = 16;

/// The lanes.
pub struct Lanes {
    quick: Arc<Semaphore>,
    slow: Arc<Semaphore>,
    stragglers: Arc<Semaphore>,
    slow_workers: Arc<Semaphore>,
    known: Mutex<Known>,
}

/// What is known of the cost of items.
#[derive(Default)]
struct Known {
    slow: HashSet<WorkItem>,
    /// Those that might have been slow for what they are made of, and are not.
    quick: HashSet<WorkItem>,
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
            // While something is written for one, the next is thought about.
            slow_workers: lane((processors / 2).max(1) + 1),
            known: Mutex::default(),
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

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether something took long the last time.
    fn is_slow(&self, item: &WorkItem) -> bool {
        self.known().slow.contains(item)
    }

    /// Whether something took long the last time, or has not been done yet and is made of something that takes long.
    fn may_be_slow(&self, item: &WorkItem, parts: impl IntoIterator<Item = WorkItem>) -> bool {
        let known = self.known();
        let is_suspect = || parts.into_iter().any(|part| known.slow.contains(&part));
        known.slow.contains(item) || (is_suspect() && !known.quick.contains(item))
    }

    /// Does for an item what tells how much it costs, in its turn.
    ///
    /// # Errors
    /// Where it panics.
    pub async fn run<R>(&self, item: &WorkItem, work: impl FnOnce() -> R + Send + 'static) -> Result<R, Failure>
    where
        R: Send + 'static,
    {
        self.run_with(item, [], work).await
    }

    /// The same for an item that is made of others, which tell beforehand what it may cost.
    ///
    /// # Errors
    /// Where it panics.
    pub async fn run_with<R>(
        &self,
        item: &WorkItem,
        parts: impl IntoIterator<Item = WorkItem>,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Failure>
    where
        R: Send + 'static,
    {
        let may_be_slow = self.may_be_slow(item, parts);
        let (result, cost) = thinking(self.think(may_be_slow, work)).await?;
        let mut known = self.known();
        if cost > SLOW {
            known.quick.remove(item);
            if known.slow.insert(item.clone()) {
                tracing::info!(?item, ?cost, "takes long, and waits for others that do from now on");
            }
        } else if cost < SLOW / 2 {
            known.slow.remove(item);
            if may_be_slow {
                known.quick.insert(item.clone());
            }
        }
        Ok(result)
    }

    /// Does what else there is to do for an item.
    ///
    /// # Errors
    /// Where it panics.
    pub async fn go_on<R>(&self, item: &WorkItem, work: impl FnOnce() -> R + Send + 'static) -> Result<R, Failure>
    where
        R: Send + 'static,
    {
        thinking(self.think(self.is_slow(item), work)).await.map(|(result, _)| result)
    }

    /// The result, and what it has cost.
    async fn think<R>(&self, is_slow: bool, work: impl FnOnce() -> R + Send + 'static) -> Result<(R, Duration), Failure>
    where
        R: Send + 'static,
    {
        let lane = if is_slow { &self.slow } else { &self.quick };
        let place = Place::new(Arc::clone(lane).acquire_owned().await.ok());
        if is_slow {
            place.yield_to_others();
        }
        let mut done = begin(Arc::clone(&place), work)?;
        if is_slow {
            return done.await.map_err(panicked);
        }
        tokio::select! {
            done = &mut done => return done.map_err(panicked),
            () = sleep(PATIENCE) => {}
        }
        tokio::select! {
            done = &mut done => return done.map_err(panicked),
            straggler = Arc::clone(&self.stragglers).acquire_owned() => place.step_aside(straggler.ok()),
        }
        done.await.map_err(panicked)
    }
}

fn panicked(_: oneshot::error::RecvError) -> Failure {
    Failure::Failed("it panicked: report it, with the lines before this one".to_owned())
}

/// On a thread of its own, which keeps its place until it is through, be it that nobody waits for it any more.
fn begin<R: Send + 'static>(
    place: Arc<Place>,
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<oneshot::Receiver<(R, Duration)>, Failure> {
    let (sender, receiver) = oneshot::channel();
    let thread = thread::Builder::new().name("lane".to_owned());
    let begun = thread.spawn(move || {
        let _leave = Leave(Arc::clone(&place));
        place.begin();
        let before = processor_time();
        let result = work();
        let cost = processor_time().saturating_sub(before);
        // Nobody may wait for it any more.
        let _ = sender.send((result, cost));
    });
    begun.map_err(|error| Failure::Failed(format!("there is no thread to think on: {error}")))?;
    Ok(receiver)
}

/// The place of a thread in a lane.
struct Place(Mutex<Occupied>);

struct Occupied {
    permit: Option<OwnedSemaphorePermit>,
    thread: Option<priority::Thread>,
    yields: bool,
}

impl Place {
    fn new(permit: Option<OwnedSemaphorePermit>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Occupied { permit, thread: None, yields: false })))
    }

    fn occupied(&self) -> MutexGuard<'_, Occupied> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This thread has begun.
    fn begin(&self) {
        let mut occupied = self.occupied();
        let thread = priority::this_thread();
        if occupied.yields {
            priority::lower(thread);
        }
        occupied.thread = Some(thread);
    }

    /// Its thread gets what others leave of the processors.
    fn yield_to_others(&self) {
        let mut occupied = self.occupied();
        occupied.yields = true;
        if let Some(thread) = occupied.thread {
            priority::lower(thread);
        }
    }

    /// Its place in the quick lane is free. Not if it is through meanwhile.
    fn step_aside(&self, straggler: Option<OwnedSemaphorePermit>) {
        let mut occupied = self.occupied();
        if occupied.permit.is_none() {
            return;
        }
        occupied.permit = straggler;
        drop(occupied);
        self.yield_to_others();
    }
}

/// Its place is free, be it that it panics.
struct Leave(Arc<Place>);

impl Drop for Leave {
    fn drop(&mut self) {
        let mut occupied = self.0.occupied();
        occupied.permit = None;
        occupied.thread = None;
    }
}

/// What this thread has had of a processor. On a busy machine, time by the clock would make everything look slow.
fn processor_time() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default()
}

/// Threads have a priority of their own on Linux alone; elsewhere all are alike.
#[cfg(target_os = "linux")]
mod priority {
    /// About a ninth of what others get, where all want to run.
    const NICE: i32 = 10;

    /// A thread that runs.
    pub type Thread = rustix::thread::Pid;

    /// The one that calls this.
    pub fn this_thread() -> Thread {
        rustix::thread::gettid()
    }

    /// It runs when others do not, for the rest of its life: nobody may raise it again.
    pub fn lower(thread: Thread) {
        if let Err(error) = rustix::process::setpriority_process(Some(thread), NICE) {
            tracing::debug!(%error, "the priority of a thread cannot be lowered");
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod priority {
    /// A thread that runs.
    pub type Thread = ();

    /// The one that calls this.
    pub fn this_thread() -> Thread {}

    /// Nothing can be done.
    pub fn lower(_: Thread) {}
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
            lanes.known().slow.insert(item.clone());
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
        let failed: Result<(), Failure> = lanes.run(&item("a"), || panic!("on purpose")).await;
        assert!(matches!(failed, Err(Failure::Failed(said)) if said.starts_with("it panicked")));
        lanes.run(&item("a"), || {}).await.unwrap();
    }
}
