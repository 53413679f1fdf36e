//! Work that takes a processor for a while, on threads of its own.
//!
//! A thread can't be broken off. So it keeps the permit under which it runs until it is through, be it that nobody waits for it any
//! more, unless it is given another for it.

use rustix::time::{ClockId, clock_gettime};
use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// It panicked.
#[derive(Debug)]
pub struct Panicked;

/// What is being done on a thread.
pub struct Worker<R> {
    terms: Arc<Mutex<ThreadTerms>>,
    result: oneshot::Receiver<(R, Duration)>,
}

/// Under which terms a thread runs.
struct ThreadTerms {
    permit: Option<OwnedSemaphorePermit>,
    thread: Option<priority::Thread>,
    yields: bool,
    is_through: bool,
}

impl<R: Send + 'static> Worker<R> {
    /// Begins, on a thread that `yields` to others where it is said so. `end` is called before there is a result, be it that the
    /// work panics.
    ///
    /// # Errors
    /// Where there is no thread.
    pub fn begin(
        permit: Option<OwnedSemaphorePermit>,
        yields: bool,
        work: impl FnOnce() -> R + Send + 'static,
        end: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let terms = Arc::new(Mutex::new(ThreadTerms { permit, thread: None, yields, is_through: false }));
        let (sender, result) = oneshot::channel();
        let ending = Ending { terms: Arc::clone(&terms), end: Some(end) };
        thread::Builder::new().name("worker".to_owned()).spawn(move || {
            let ending = ending;
            lock(&ending.terms).begin();
            let before = processor_time();
            let result = work();
            let cost = processor_time().saturating_sub(before);
            drop(ending);
            // Nobody may wait for it any more.
            let _ = sender.send((result, cost));
        })?;
        Ok(Self { terms, result })
    }

    /// The result, and what it has cost of a processor.
    ///
    /// # Errors
    /// Where it panics.
    pub async fn result(&mut self) -> Result<(R, Duration), Panicked> {
        (&mut self.result).await.map_err(|_| Panicked)
    }

    /// From now on it runs under another permit, and gets what others leave of the processors. Not if it is through meanwhile.
    pub fn step_aside(&self, permit: OwnedSemaphorePermit) {
        let mut terms = lock(&self.terms);
        if terms.is_through {
            return;
        }
        terms.permit = Some(permit);
        terms.yields = true;
        if let Some(thread) = terms.thread {
            priority::lower(thread);
        }
    }
}

fn lock(terms: &Mutex<ThreadTerms>) -> MutexGuard<'_, ThreadTerms> {
    terms.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ThreadTerms {
    /// This thread has begun.
    fn begin(&mut self) {
        let thread = priority::this_thread();
        if self.yields {
            priority::lower(thread);
        }
        self.thread = Some(thread);
    }
}

/// Its permit becomes free, even if it panics.
struct Ending<E: FnOnce()> {
    terms: Arc<Mutex<ThreadTerms>>,
    end: Option<E>,
}

impl<E: FnOnce()> Drop for Ending<E> {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            end();
        }
        *lock(&self.terms) = ThreadTerms { permit: None, thread: None, yields: false, is_through: true };
    }
}

/// What this thread has had of a processor. On a busy machine, time by the clock would make everything look slow.
pub fn processor_time() -> Duration {
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
