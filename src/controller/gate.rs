//! How many requests are under way at once, whatever they are for.

use super::{intentions::Intentions, leadership::Leadership};
use futures::{StreamExt, stream};
use kube::Client;
use tokio::sync::{Semaphore, SemaphorePermit};

/// The client, with a limit. While another operator works on the cluster, nobody passes.
pub struct Gate {
    client: Client,
    leadership: Leadership,
    passes: Semaphore,
    concurrency: usize,
    intentions: Option<Intentions>,
}

impl Gate {
    /// A gate for that many requests at once.
    pub fn new(client: Client, concurrency: usize, leadership: Leadership) -> Self {
        let concurrency = concurrency.max(1);
        Self { client, leadership, passes: Semaphore::new(concurrency), concurrency, intentions: None }
    }

    /// The same for an operator that only reads.
    pub fn read_only(self) -> Self {
        Self { intentions: Some(Intentions::default()), ..self }
    }

    /// Where it only reads: what says that something would be written, in the place of writing it.
    pub fn intentions(&self) -> Option<&Intentions> {
        self.intentions.as_ref()
    }

    /// The client. A request goes out while its sender holds a pass.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Waits for a pass, which is given back when it is dropped. None only if the gate were closed, which it never is.
    pub async fn enter(&self) -> Option<SemaphorePermit<'_>> {
        self.leadership.awaited().await;
        self.passes.acquire().await.ok()
    }

    /// Runs all, as many at once as there may be requests, and returns what came of them in no particular order.
    pub async fn run_all<F: Future>(&self, futures: Vec<F>) -> Vec<F::Output> {
        stream::iter(futures).buffer_unordered(self.concurrency).collect().await
    }
}
