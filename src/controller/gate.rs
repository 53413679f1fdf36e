//! How many requests are under way at once, whatever they are for, and by which client they go.

use super::{
    intentions::Intentions,
    leadership::{Leadership, LeaseHold},
};
use crate::connection::dispatching;
use futures::{StreamExt, stream};
use kube::Client;
use tokio::sync::{Semaphore, SemaphorePermit, watch};

/// The clients, with a limit. While another operator works on the cluster, nobody passes.
pub struct Gate {
    reader: Client,
    writer: Client,
    holds: watch::Receiver<LeaseHold>,
    leadership: Leadership,
    passes: Semaphore,
    concurrency: usize,
    intentions: Option<Intentions>,
}

impl Gate {
    /// A gate for that many requests at once.
    pub fn new(reader: Client, concurrency: usize, holds: watch::Receiver<LeaseHold>, leadership: Leadership) -> Self {
        let concurrency = concurrency.max(1);
        let current = holds.clone();
        let writer = dispatching(move || match &*current.borrow() {
            LeaseHold::Held(tenure) => tenure.client(),
            LeaseHold::Unknown | LeaseHold::Lost => None,
        });
        let passes = Semaphore::new(concurrency);
        Self { reader, writer, holds, leadership, passes, concurrency, intentions: None }
    }

    /// The same for an operator that only reads.
    pub fn read_only(self) -> Self {
        Self { intentions: Some(Intentions::default()), writer: self.reader.clone(), ..self }
    }

    /// Where it only reads: what says that something would be written, in the place of writing it.
    pub fn intentions(&self) -> Option<&Intentions> {
        self.intentions.as_ref()
    }

    /// The client of whoever works: nothing of it is sent when this replica does not hold the lease. A request goes out while its
    /// sender holds a pass.
    pub fn client(&self) -> Client {
        self.writer.clone()
    }

    /// The client of whoever only reads.
    pub fn reader(&self) -> Client {
        self.reader.clone()
    }

    /// Whether this replica may write now.
    pub fn is_open(&self) -> bool {
        matches!(&*self.holds.borrow(), LeaseHold::Held(tenure) if tenure.is_open())
    }

    /// Whether writes of other replicas may be news still.
    pub fn is_behind(&self) -> bool {
        matches!(&*self.holds.borrow(), LeaseHold::Held(tenure) if tenure.is_behind())
    }

    /// Waits for a pass, which is given back when it is dropped. None only if the gate were closed, which it never is.
    pub async fn enter(&self) -> Option<SemaphorePermit<'_>> {
        self.leadership.awaited().await;
        self.passes.acquire().await.ok()
    }

    /// The same for who only reads, whoever works.
    pub async fn enter_to_read(&self) -> Option<SemaphorePermit<'_>> {
        self.passes.acquire().await.ok()
    }

    /// Runs all, as many at once as there may be requests, and returns what came of them in no particular order.
    pub async fn run_all<F: Future>(&self, futures: Vec<F>) -> Vec<F::Output> {
        stream::iter(futures).buffer_unordered(self.concurrency).collect().await
    }
}
