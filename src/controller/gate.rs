//! How many requests are under way at once, whatever they are for, and by which client they go.

use super::{
    intentions::Intentions,
    leadership::{Leadership, LeaseHold, Tenure},
};
use crate::connection::dispatching;
use futures::{StreamExt, stream};
use kube::Client;
use std::sync::Arc;
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
        let (held, works) = (holds.clone(), leadership.clone());
        let writer = dispatching(move || tenure(&held, &works)?.client());
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
        tenure(&self.holds, &self.leadership).is_some_and(|tenure| tenure.is_open())
    }

    /// Whether writes of other replicas may be news still.
    pub fn is_behind(&self) -> bool {
        tenure(&self.holds, &self.leadership).is_some_and(|tenure| tenure.is_behind())
    }

    /// The tenure in which this replica may write now.
    pub fn tenure_number(&self) -> Option<u64> {
        tenure(&self.holds, &self.leadership).filter(|tenure| tenure.is_open()).map(|tenure| tenure.number)
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

/// The tenure in which this replica holds the lease, if it has begun to work in it. What is still under way of an earlier one is
/// not sent in this one.
fn tenure(holds: &watch::Receiver<LeaseHold>, leadership: &Leadership) -> Option<Arc<Tenure>> {
    match &*holds.borrow() {
        LeaseHold::Held(tenure) => leadership.works_in(tenure).then(|| Arc::clone(tenure)),
        LeaseHold::Unknown | LeaseHold::Lost => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Gate;
    use crate::{
        connection::{BootTime, Fence},
        controller::leadership::{Leadership, LeadershipState, LeaseHold, OthersTurn, Tenure},
    };
    use k8s_openapi::api::core::v1::Namespace;
    use kube::{Api, Client, client::Body};
    use std::{
        convert::Infallible,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };
    use tokio::{sync::watch, time::Instant};

    /// A client that counts what it is asked for, and answers that all is well.
    fn counting(count: &Arc<AtomicUsize>) -> Client {
        let count = Arc::clone(count);
        let answer = move |_: http::Request<Body>| {
            count.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Ok::<_, Infallible>(http::Response::new(Body::from(b"{\"metadata\":{}}".to_vec()))))
        };
        Client::new(tower::service_fn(answer), "default")
    }

    #[tokio::test]
    async fn what_an_earlier_tenure_has_left_is_not_sent_in_the_next_one() {
        let count = Arc::default();
        let (turn, now) = (OthersTurn { number: 1, ended: Instant::now() }, Instant::now());
        let tenure = |number| {
            let fence = Arc::new(Fence::until(BootTime::MAX));
            LeaseHold::Held(Arc::new(Tenure::new(number, fence, counting(&count), turn, now)))
        };
        let (hold, holds) = watch::channel(tenure(1));
        let (stand, standing) = watch::channel(LeadershipState::Leads(1));
        let gate = Gate::new(counting(&count), 1, holds, Leadership::watching(standing));
        let api: Api<Namespace> = Api::all(gate.client());
        api.get("a").await.unwrap();
        assert_eq!((count.load(Ordering::SeqCst), gate.is_open(), gate.is_behind()), (1, true, true));

        // It holds the lease again. What it has begun does not know that yet.
        hold.send_replace(tenure(2));
        assert!(api.get("a").await.is_err());
        assert_eq!((count.load(Ordering::SeqCst), gate.is_open(), gate.is_behind()), (1, false, false));
        stand.send_replace(LeadershipState::Leads(2));
        api.get("a").await.unwrap();
        assert_eq!((count.load(Ordering::SeqCst), gate.is_open()), (2, true));
    }
}
