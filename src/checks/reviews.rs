//! Questions to the API server of who asks and what they may: how many are under way at once, and how long one may take.

use crate::metrics::ApiMetrics;
use kube::{Api, Client, Resource, api::PostParams};
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt::Debug, sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// How long a review may wait for its turn.
const TURN: Duration = Duration::from_secs(2);
/// How long it may take: some of what a request may take in all.
const PATIENCE: Duration = Duration::from_secs(4);

/// Reviews of one kind, such as `TokenReview`.
#[derive(Clone)]
pub struct ApiReviews<K> {
    reviews: Api<K>,
    /// The plural of the kind.
    resource: &'static str,
    metrics: ApiMetrics,
}

/// Why nothing is known of what was to be reviewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotReviewed {
    /// Too much is asked at once.
    Busy,
    /// The API server has not answered.
    Unanswered,
}

impl<K> ApiReviews<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize,
{
    /// By a cluster. `resource` is the plural of the kind.
    #[must_use]
    pub fn new(client: Client, resource: &'static str, metrics: ApiMetrics) -> Self {
        Self { reviews: Api::all(client), resource, metrics }
    }

    /// What the API server says, once each of these has a turn.
    ///
    /// # Errors
    /// Where one has none for two seconds, or the API server says nothing in time.
    pub async fn ask<const N: usize>(&self, review: &K, turns: [Arc<Semaphore>; N]) -> Result<K, NotReviewed> {
        let answer = self.try_ask(review, turns).await;
        let result = match answer {
            Ok(_) => "answered",
            Err(NotReviewed::Busy) => "busy",
            Err(NotReviewed::Unanswered) => "unanswered",
        };
        self.metrics.reviewed(self.resource, result);
        answer
    }

    async fn try_ask<const N: usize>(&self, review: &K, turns: [Arc<Semaphore>; N]) -> Result<K, NotReviewed> {
        let _turns = timeout(TURN, all(turns)).await.ok().flatten().ok_or(NotReviewed::Busy)?;
        let answer = timeout(PATIENCE, self.reviews.create(&PostParams::default(), review)).await;
        answer.ok().and_then(Result::ok).ok_or(NotReviewed::Unanswered)
    }
}

async fn all<const N: usize>(turns: [Arc<Semaphore>; N]) -> Option<Vec<OwnedSemaphorePermit>> {
    let mut taken = Vec::with_capacity(N);
    for turn in turns {
        taken.push(turn.acquire_owned().await.ok()?);
    }
    Some(taken)
}
