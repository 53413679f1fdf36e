//! How often the store was written, asked once for all who ask at the same time: where that is as it was, nothing that is in memory is
//! out of date.

use crate::store::{StoreError, StoreIdentity};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// What the store says of itself, or why it does not.
type Answered = Result<StoreIdentity, StoreError>;

/// Who waits for an answer.
#[derive(Debug, Default)]
pub(super) struct StoreProbe {
    state: Mutex<ProbeState>,
}

#[derive(Debug, Default)]
struct ProbeState {
    waiting: Vec<oneshot::Sender<Answered>>,
    is_asking: bool,
}

impl StoreProbe {
    fn state(&self) -> MutexGuard<'_, ProbeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the store says from now on: an answer to a question that was put before does not count.
    pub async fn ask<F>(self: &Arc<Self>, question: impl Fn() -> F + Send + 'static) -> Answered
    where
        F: Future<Output = Answered> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let begins = {
            let mut state = self.state();
            state.waiting.push(answer);
            !std::mem::replace(&mut state.is_asking, true)
        };
        if begins {
            tokio::spawn(Arc::clone(self).ask_for_all(question));
        }
        answered.await.unwrap_or_else(|_| Err(StoreError::Down("the operator stops".to_owned())))
    }

    async fn ask_for_all<F>(self: Arc<Self>, question: impl Fn() -> F + Send)
    where
        F: Future<Output = Answered> + Send + 'static,
    {
        while let Some(waiting) = self.next() {
            let told = question().await;
            for one in waiting {
                // Whoever does not wait any more needs no answer.
                let _ = one.send(told.clone());
            }
        }
    }

    /// Whoever waits now; none where nobody does, and the next one begins anew.
    fn next(&self) -> Option<Vec<oneshot::Sender<Answered>>> {
        let mut state = self.state();
        let waiting = std::mem::take(&mut state.waiting);
        state.is_asking = !waiting.is_empty();
        state.is_asking.then_some(waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::StoreProbe;
    use crate::store::StoreIdentity;
    use futures::future::join_all;
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    };
    use tokio::sync::Semaphore;

    #[tokio::test]
    async fn who_asks_together_is_answered_together_and_never_by_an_earlier_question() {
        let (probe, asked, turns) =
            (Arc::new(StoreProbe::default()), Arc::new(AtomicU64::new(0)), Arc::new(Semaphore::new(0)));
        let ask = || {
            let (probe, asked, turns) = (Arc::clone(&probe), Arc::clone(&asked), Arc::clone(&turns));
            async move {
                let question = move || {
                    let commits = asked.fetch_add(1, SeqCst);
                    let turns = Arc::clone(&turns);
                    async move {
                        turns.acquire().await.unwrap().forget();
                        Ok(StoreIdentity { id: "a".to_owned(), commits })
                    }
                };
                probe.ask(question).await.unwrap().commits
            }
        };
        let first = tokio::spawn(ask());
        while asked.load(SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let others = tokio::spawn(join_all((0..50).map(|_| ask())));
        while probe.state().waiting.len() < 50 {
            tokio::task::yield_now().await;
        }
        turns.add_permits(2);
        assert_eq!(first.await.unwrap(), 0);
        assert_eq!(others.await.unwrap(), vec![1; 50]);
        turns.add_permits(1);
        assert_eq!(ask().await, 2);
    }
}
