//! Questions to the API server of who asks and what they may: how many are under way at once, and how long one may take.

use crate::metrics::ApiMetrics;
use kube::{Api, Client, Resource, api::PostParams};
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt::Debug, sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::timeout};

/// How long a review may take: some of what a request may take in all.
const PATIENCE: Duration = Duration::from_secs(4);
/// How many reviews of a kind are under way at once, so that whoever asks much keeps the API server from nothing else.
const AT_ONCE: usize = 16;

/// Reviews of one kind, such as `TokenReview`.
#[derive(Clone)]
pub struct ApiReviews<K> {
    reviews: Api<K>,
    under_way: Arc<Semaphore>,
    /// The plural of the kind.
    resource: &'static str,
    metrics: ApiMetrics,
}

/// The API server has not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the API server does not answer")]
pub struct NotReviewed;

impl<K> ApiReviews<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize,
{
    /// By a cluster. `resource` is the plural of the kind.
    #[must_use]
    pub fn new(client: Client, resource: &'static str, metrics: ApiMetrics) -> Self {
        Self { reviews: Api::all(client), under_way: Arc::new(Semaphore::new(AT_ONCE)), resource, metrics }
    }

    /// What the API server says.
    ///
    /// # Errors
    /// Where it says nothing in time.
    pub async fn ask(&self, review: &K) -> Result<K, NotReviewed> {
        let asked = async {
            let _turn = self.under_way.acquire().await.ok()?;
            self.reviews.create(&PostParams::default(), review).await.ok()
        };
        let answer = timeout(PATIENCE, asked).await.ok().flatten();
        self.metrics.reviewed(self.resource, if answer.is_some() { "answered" } else { "unanswered" });
        answer.ok_or(NotReviewed)
    }
}
