//! Many requests in one commit: a commit waits for the disk, and that costs the same for one as for hundreds.

use super::{
    PersistentStore, StoreError,
    meter::{MeterOutcome, MeterWrite},
    writing::StoreProgress,
};
use std::time::Duration;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

/// How many requests wait at most.
const WAITING: usize = 1024;

/// How many requests one commit has at most.
const REQUESTS: usize = 256;

/// How many registers one commit has about at most.
const REGISTERS: usize = 10_000;

/// How long a request waits for its place in the queue.
const TO_QUEUE: Duration = Duration::from_secs(5);

/// What is to be written together, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreRequest {
    /// That of the writer's lease.
    pub epoch: i64,
    /// Of meters; with at most 10,000 registers.
    pub writes: Vec<MeterWrite>,
    /// Of what is done bit by bit.
    pub progress: Vec<StoreProgress>,
}

type Answer = Result<Vec<MeterOutcome>, StoreError>;

#[derive(Debug)]
struct Waiting {
    request: StoreRequest,
    answer: oneshot::Sender<Answer>,
}

/// Writes to the store: a handle, which is cheap to clone. The queue ends with its last handle.
#[derive(Clone, Debug)]
pub struct StoreQueue {
    sender: mpsc::Sender<Waiting>,
}

impl StoreQueue {
    /// A queue in front of a store, in a task of its own.
    #[must_use]
    pub fn start(store: PersistentStore) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(work(store, receiver));
        Self { sender }
    }

    /// Writes a request, and waits until it is on the disk. What became of each of its writes, in their order. If the caller does not
    /// wait, it may be written nevertheless.
    ///
    /// # Errors
    /// [`StoreError`], of this request alone.
    pub async fn write(&self, request: StoreRequest) -> Answer {
        request.check()?;
        let (answer, answered) = oneshot::channel();
        let sent = timeout(TO_QUEUE, self.sender.send(Waiting { request, answer })).await;
        sent.map_err(|_| StoreError::Slow(format!("{WAITING} requests wait before this one")))?
            .map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

fn stopped() -> StoreError {
    StoreError::Down("the operator stops".to_owned())
}

impl StoreRequest {
    fn registers(&self) -> usize {
        self.writes.iter().map(|write| write.registers.len()).sum()
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.registers() > REGISTERS {
            return Err(StoreError::Unfit(format!(
                "more than {REGISTERS} registers at once: write them one part after the other"
            )));
        }
        self.writes.iter().try_for_each(MeterWrite::check)?;
        self.progress.iter().try_for_each(StoreProgress::check)
    }
}

async fn work(store: PersistentStore, mut receiver: mpsc::Receiver<Waiting>) {
    let mut waiting = Vec::new();
    while receiver.recv_many(&mut waiting, REQUESTS).await > 0 {
        // Nobody waits for these any more.
        waiting.retain(|one| !one.answer.is_closed());
        while !waiting.is_empty() {
            let rest = waiting.split_off(together(&waiting));
            write_together(&store, std::mem::replace(&mut waiting, rest)).await;
        }
    }
}

/// How many of the first requests go into one commit: those of one epoch, up to a number of registers, and one at least.
fn together(waiting: &[Waiting]) -> usize {
    let epoch = waiting.first().map(|first| first.request.epoch);
    let mut registers = 0;
    let fitting = waiting.iter().take_while(|one| {
        registers += one.request.registers();
        Some(one.request.epoch) == epoch && registers <= REGISTERS
    });
    fitting.count().max(1)
}

async fn write_together(store: &PersistentStore, mut waiting: Vec<Waiting>) {
    let taken = waiting.iter_mut().map(|one| std::mem::take(&mut one.request));
    let requests: Vec<StoreRequest> = taken.collect();
    let answers: Vec<_> = waiting.into_iter().map(|one| one.answer).collect();
    match write_all(store, &requests).await {
        Ok(outcomes) => give(answers, outcomes.into_iter().map(Ok)),
        // One of them may be what cannot be written; the others must not suffer from it.
        Err(error) if requests.len() > 1 && !error.may_pass() => {
            for (request, answer) in requests.iter().zip(answers) {
                give([answer], [store.write(request.epoch, &request.writes, &request.progress).await]);
            }
        }
        Err(error) => give(answers, std::iter::repeat(Err(error))),
    }
}

fn give(answers: impl IntoIterator<Item = oneshot::Sender<Answer>>, outcomes: impl IntoIterator<Item = Answer>) {
    for (answer, outcome) in answers.into_iter().zip(outcomes) {
        // Whoever does not wait any more needs no answer.
        let _ = answer.send(outcome);
    }
}

/// What became of each request.
async fn write_all(store: &PersistentStore, requests: &[StoreRequest]) -> Result<Vec<Vec<MeterOutcome>>, StoreError> {
    let writes: Vec<MeterWrite> = requests.iter().flat_map(|request| &request.writes).cloned().collect();
    let progress: Vec<StoreProgress> = requests.iter().flat_map(|request| &request.progress).cloned().collect();
    let epoch = requests.first().map(|request| request.epoch).unwrap_or_default();
    let mut outcomes = store.write(epoch, &writes, &progress).await?.into_iter();
    Ok(requests.iter().map(|request| outcomes.by_ref().take(request.writes.len()).collect()).collect())
}
