//! How many reviews are under way at once, and how many bytes they may hold in all.

use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// What all reviews of one kind of caller share.
#[derive(Clone)]
pub struct ReviewBudget {
    reviews: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    patience: Duration,
}

/// What one review holds until it is answered.
pub struct ReviewShare {
    _review: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

impl ReviewBudget {
    /// A budget of reviews and bytes under way at once. A review waits at most `patience` for its share, before any of it is read.
    #[must_use]
    pub fn new(reviews: usize, bytes: usize, patience: Duration) -> Self {
        Self { reviews: Arc::new(Semaphore::new(reviews)), bytes: Arc::new(Semaphore::new(bytes)), patience }
    }

    /// The share of a review of so many bytes; None if too much is under way.
    pub async fn share(&self, bytes: usize) -> Option<ReviewShare> {
        let bytes = u32::try_from(bytes).ok()?;
        let both = async {
            let review = Arc::clone(&self.reviews).acquire_owned().await.ok()?;
            let bytes = Arc::clone(&self.bytes).acquire_many_owned(bytes).await.ok()?;
            Some(ReviewShare { _review: review, _bytes: bytes })
        };
        timeout(self.patience, both).await.ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::ReviewBudget;
    use std::time::Duration;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn what_is_too_much_is_told_so_after_a_while() {
        let budget = ReviewBudget::new(3, 100, Duration::from_millis(500));
        let large = budget.share(80).await.unwrap();
        let before = Instant::now();
        assert!(budget.share(30).await.is_none());
        assert_eq!(before.elapsed(), Duration::from_millis(500));
        let small = [budget.share(10).await.unwrap(), budget.share(10).await.unwrap()];
        assert!(budget.share(0).await.is_none(), "a fourth");
        drop(large);
        assert!(budget.share(80).await.is_some());
        drop(small);
        assert!(budget.share(101).await.is_none(), "more than there is");
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_no_patience_is_told_at_once() {
        let budget = ReviewBudget::new(1, 10, Duration::ZERO);
        let before = Instant::now();
        let share = budget.share(10).await.unwrap();
        assert!(budget.share(1).await.is_none());
        drop(share);
        assert!(budget.share(10).await.is_some());
        assert_eq!(before.elapsed(), Duration::ZERO);
    }
}
