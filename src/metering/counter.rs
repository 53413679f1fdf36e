//! Counts uses: asked for one by one, decided and written many in one commit, and acknowledged once that is on the disk.

use super::{
    held::HeldMeter,
    reader::{MeterPlace, MeterReader},
    sight::{KnownStore, StoreNumber},
};
use crate::{
    core::{calendar::Instant, usage::register::RegisterId},
    evaluation::{
        Snapshot,
        catalogue::CompiledDefinition,
        check::CheckAnswer,
        uses::{KeptDecision, SettledUse, UseChange, UseJudge, UseQuestion, UseRefusal, UseVerdict},
    },
    kill_points::KillPoint,
    store::{
        CountOutcome, MeterTurn, PersistentStore, RegisterChanges, StoreError,
        meter::{MeterChanges, MeterDifference, MeterId, RegisterWrite},
    },
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedMutexGuard, mpsc, oneshot},
    time::timeout,
};

/// How many uses wait at most.
const WAITING: usize = 4096;
/// How many uses one commit has at most.
const TOGETHER: usize = 256;
/// How long a use waits for its place in the queue.
const TO_QUEUE: Duration = Duration::from_secs(5);
/// How long what was decided is kept: it counts within a second.
const KEPT: Duration = Duration::from_secs(1);
/// How often a commit is tried for which a meter has to be loaded once more.
const LOADS: usize = 3;

/// A use, as it is asked for.
#[derive(Clone, Debug)]
pub struct UseRequest {
    /// The meter.
    pub meter: MeterId,
    /// Whose key.
    pub id: RegisterId,
    /// What is to become of it.
    pub change: UseChange,
}

/// What uses of a meter are judged by, but for the meter.
#[derive(Clone, Debug)]
pub struct MeterScene {
    /// What is known of the organization.
    pub snapshot: Arc<Snapshot>,
    /// The definition.
    pub definition: Arc<CompiledDefinition>,
}

/// Tells what uses of some meters are judged by, as it is known right now, in their order; none where nothing is.
pub type SceneTeller = Box<dyn Fn(&[&MeterId]) -> Vec<Option<MeterScene>> + Send + Sync>;

/// What became of a use.
#[derive(Clone, Debug)]
pub struct UseAnswer {
    /// What is kept.
    pub verdict: UseVerdict,
    /// It is kept and does not count, as nothing was held then.
    pub is_unentitled: bool,
    settled: SettledUse,
    definition: Arc<CompiledDefinition>,
}

impl UseAnswer {
    /// The decision, in words. They are made here, by whoever needs them, as all others wait for what is done before the commit.
    #[must_use]
    pub fn answer(&self) -> CheckAnswer {
        self.settled.answer(&self.definition.terms)
    }
}

/// Why nothing became of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCounted {
    /// It cannot be decided.
    #[error(transparent)]
    Refused(#[from] UseRefusal),
    /// The store does not do it now.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is not known what the organization holds.
    #[error("it cannot be told now what is held")]
    Untold,
}

type Counted = Result<UseAnswer, NotCounted>;

#[derive(Debug)]
struct WaitingUse {
    request: UseRequest,
    answer: oneshot::Sender<Counted>,
}

/// Counts uses: a handle, which is cheap to clone. The task ends with its last handle.
#[derive(Clone, Debug)]
pub struct UseCounter {
    sender: mpsc::Sender<WaitingUse>,
}

impl UseCounter {
    /// A task that counts in the store of a reader, by what is told of each meter, and by that clock.
    #[must_use]
    pub fn start(reader: Arc<MeterReader>, tell: SceneTeller, now: fn() -> Instant) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(work(reader, receiver, tell, now));
        Self { sender }
    }

    /// Counts a use, and waits until that is on the disk. Where the caller does not wait, it may be counted nevertheless.
    ///
    /// # Errors
    /// Where nothing became of it; after [`StoreError::Slow`] and [`StoreError::Down`] it may have been counted: the same once more
    /// tells.
    pub async fn count(&self, request: UseRequest) -> Counted {
        let (answer, answered) = oneshot::channel();
        let sent = timeout(TO_QUEUE, self.sender.send(WaitingUse { request, answer })).await;
        sent.map_err(|_| StoreError::Slow(format!("{WAITING} uses wait before this one")))?.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

fn stopped() -> StoreError {
    StoreError::Down("the operator stops".to_owned())
}

async fn work(
    reader: Arc<MeterReader>,
    mut receiver: mpsc::Receiver<WaitingUse>,
    tell: SceneTeller,
    now: fn() -> Instant,
) {
    let (mut waiting, mut decided) = (Vec::new(), DecidedBefore::default());
    while gather(&mut receiver, &mut waiting, &mut decided).await > 0 {
        // Nobody waits for these any more.
        waiting.retain(|one| !one.answer.is_closed());
        let mut by_meter: BTreeMap<MeterId, Vec<WaitingUse>> = BTreeMap::new();
        for one in waiting.drain(..) {
            by_meter.entry(one.request.meter.clone()).or_default().push(one);
        }
        KillPoint::Gathered.pass();
        let scenes = tell(&by_meter.keys().collect::<Vec<_>>());
        let told = by_meter.into_iter().zip(scenes).filter_map(|((meter, requests), scene)| {
            if let Some(scene) = scene {
                return Some((meter, scene, requests));
            }
            say_to_all(requests, &NotCounted::Untold);
            None
        });
        let told: Vec<_> = told.collect();
        if !told.is_empty() {
            decided.forget(now());
            count_together(&reader, told, now, &mut decided).await;
        }
    }
}

/// Waits for uses. What was decided is not kept while there are none.
async fn gather(
    receiver: &mut mpsc::Receiver<WaitingUse>,
    waiting: &mut Vec<WaitingUse>,
    decided: &mut DecidedBefore,
) -> usize {
    if !decided.by_meter.is_empty() {
        if let Ok(received) = timeout(KEPT, receiver.recv_many(waiting, TOGETHER)).await {
            return received;
        }
        *decided = DecidedBefore::default();
    }
    receiver.recv_many(waiting, TOGETHER).await
}

/// What was decided of meters within a second. Later it counts no more.
#[derive(Default)]
struct DecidedBefore {
    second: i64,
    by_meter: BTreeMap<MeterId, KeptDecision>,
}

impl DecidedBefore {
    fn forget(&mut self, now: Instant) {
        let second = now.timestamp();
        if second != self.second {
            *self = Self { second, ..Self::default() };
        }
    }
}

/// Counts uses of some meters in one commit, and answers them.
async fn count_together(
    reader: &MeterReader,
    by_meter: Vec<(MeterId, MeterScene, Vec<WaitingUse>)>,
    now: fn() -> Instant,
    decided: &mut DecidedBefore,
) {
    // Before it is opened: what another one has counts as read from the one before, and is read again.
    let number = reader.store_number();
    let opened = async { Ok((reader.counted_store().await?, reader.known_store().await?)) };
    let (store, known) = match opened.await {
        Ok(opened) => opened,
        Err(error) => {
            return say_to_all(by_meter.into_iter().flat_map(|(_, _, requests)| requests), &NotCounted::Store(error));
        }
    };
    let mut turns = Vec::with_capacity(by_meter.len());
    for (meter, scene, requests) in by_meter {
        // In the order of meters: nobody else takes more than one at once.
        let place = reader.kept(&meter).lock_owned().await;
        turns.push(UseTurn {
            decided: decided.by_meter.remove(&meter),
            meter,
            scene,
            place,
            requests,
            now,
            staged: Vec::new(),
            answers: Vec::new(),
            failure: None,
        });
    }
    let outcome = count(reader, &store, (known, number), &mut turns).await;
    if outcome.as_ref().is_err_and(StoreError::may_pass) {
        reader.close().await;
    }
    let answered = turns.into_iter().enumerate().map(|(index, mut turn)| {
        decided.by_meter.extend(turn.decided.take().map(|kept| (turn.meter.clone(), kept)));
        turn.end(outcome.as_ref().map(|versions| versions.as_ref().and_then(|all| all.get(index).copied())))
    });
    let answered: Vec<_> = answered.collect();
    // The next commit does not wait until all are told.
    tokio::spawn(async move { answered.into_iter().flatten().for_each(|(one, counted)| one.say(counted)) });
}

/// The new versions of all meters; none where nothing was written.
async fn count(
    reader: &MeterReader,
    store: &PersistentStore,
    (mut known, mut number): (KnownStore, StoreNumber),
    turns: &mut Vec<UseTurn>,
) -> Result<Option<Vec<i64>>, StoreError> {
    for _ in 0..LOADS {
        load(store, number, turns).await?;
        let identity =
            known.identity.as_ref().ok_or_else(|| StoreError::Down("it has not said which it is".to_owned()))?;
        match store.count(turns, identity).await? {
            CountOutcome::Kept(versions, identity) => {
                reader.sight.saw(&known, &identity);
                return Ok(Some(versions));
            }
            CountOutcome::Nothing => return Ok(None),
            CountOutcome::Reload(meter) => {
                turns.iter_mut().for_each(UseTurn::unstage);
                turns.iter_mut().filter(|turn| turn.meter == meter).for_each(|turn| turn.place.outdate());
            }
            CountOutcome::Replaced(found) => {
                // What others have in memory of the store before is forgotten by that, too.
                reader.sight.saw(&known, &found);
                known = reader.sight.known();
                number = reader.store_number();
                turns.iter_mut().for_each(UseTurn::forget);
            }
        }
    }
    Err(StoreError::Slow("others write the same meters faster than they can be read: try again".to_owned()))
}

/// Brings into memory what is not. A meter that cannot be read harms no other.
async fn load(store: &PersistentStore, number: StoreNumber, turns: &mut Vec<UseTurn>) -> Result<(), StoreError> {
    for turn in &mut *turns {
        if turn.place.is_of(number) {
            continue;
        }
        match HeldMeter::load(store, &turn.meter).await {
            Ok(held) => turn.place.take(held, number),
            Err(error) if error.may_pass() => return Err(error),
            Err(error) => turn.failure = Some(error),
        }
    }
    turns.retain_mut(|turn| {
        let Some(error) = turn.failure.take() else { return true };
        say_to_all(std::mem::take(&mut turn.requests), &NotCounted::Store(error));
        false
    });
    Ok(())
}

impl WaitingUse {
    fn say(self, counted: Counted) {
        // Whoever does not wait any more needs no answer.
        let _ = self.answer.send(counted);
    }
}

fn say_to_all(waiting: impl IntoIterator<Item = WaitingUse>, why: &NotCounted) {
    for one in waiting {
        one.say(Err(why.clone()));
    }
}

/// The uses of one meter, while nobody else here looks at it.
struct UseTurn {
    meter: MeterId,
    scene: MeterScene,
    place: OwnedMutexGuard<MeterPlace>,
    requests: Vec<WaitingUse>,
    now: fn() -> Instant,
    /// What was decided of it last.
    decided: Option<KeptDecision>,
    /// What is added to the sums in memory, and is not on the disk yet.
    staged: Vec<MeterDifference>,
    answers: Vec<Counted>,
    failure: Option<StoreError>,
}

impl MeterTurn for UseTurn {
    fn meter(&self) -> &MeterId {
        &self.meter
    }

    fn version(&self) -> i64 {
        self.place.held.as_ref().map(HeldMeter::version).unwrap_or_default()
    }

    fn registers(&self) -> Vec<RegisterId> {
        let ids: std::collections::BTreeSet<_> = self.requests.iter().map(|one| one.request.id.clone()).collect();
        ids.into_iter().collect()
    }

    fn decide(&mut self, since: Option<MeterChanges>, registers: &mut RegisterChanges) {
        let Self { meter, scene, place, requests, decided, staged, answers, now, .. } = self;
        let unreadable = || StoreError::Unreadable("what the meter comes to cannot be counted".to_owned());
        answers.clear();
        let added = match (place.held.as_mut(), since) {
            (Some(held), Some(since)) => held.add(since, &[]).map(|_| held),
            (held, _) => held,
        };
        let Some(held) = added else {
            answers.extend(requests.iter().map(|_| Err(unreadable().into())));
            place.held = None;
            return;
        };
        let mut judge = UseJudge::after(&scene.snapshot, decided.take());
        let mut counting = UseCounting { definition: &scene.definition, held, registers, staged, now: now() };
        answers.extend(requests.iter().map(|one| counting.count(&mut judge, meter, &one.request)));
        *decided = judge.into_kept();
    }
}

impl UseTurn {
    /// What was added goes out again: nobody knows whether it is on the disk.
    fn unstage(&mut self) {
        let staged = std::mem::take(&mut self.staged);
        let back: Vec<_> = staged.into_iter().map(|one| MeterDifference { amount: -one.amount, ..one }).collect();
        let is_back = self.place.held.as_mut().is_none_or(|held| held.stage(&back));
        if !is_back {
            self.place.held = None;
        }
    }

    /// Nothing is counted by what is known of it any more.
    fn forget(&mut self) {
        self.unstage();
        self.place.outdate();
    }

    /// What is answered, once it is known what became of the commit: the new version, or that nothing was written.
    fn end(mut self, outcome: Result<Option<i64>, &StoreError>) -> Vec<(WaitingUse, Counted)> {
        let requests = std::mem::take(&mut self.requests);
        match outcome {
            Ok(version) => {
                if let Some((held, version)) = self.place.held.as_mut().zip(version) {
                    held.is_of(version);
                }
                KillPoint::Summed.pass();
                requests.into_iter().zip(std::mem::take(&mut self.answers)).collect()
            }
            Err(error) => {
                self.unstage();
                requests.into_iter().map(|one| (one, Err(NotCounted::Store(error.clone())))).collect()
            }
        }
    }
}

/// What uses of one meter change, while they are counted one after the other.
struct UseCounting<'a> {
    definition: &'a Arc<CompiledDefinition>,
    held: &'a mut HeldMeter,
    registers: &'a mut RegisterChanges,
    staged: &'a mut Vec<MeterDifference>,
    now: Instant,
}

impl UseCounting<'_> {
    fn count(&mut self, judge: &mut UseJudge, meter: &MeterId, request: &UseRequest) -> Counted {
        let Self { definition, held, registers, staged, now } = self;
        let known = registers.known(&request.id).cloned();
        let (change, known) = (&request.change, known.as_ref());
        let entitlement = &meter.definition;
        let question = UseQuestion { entitlement, definition: &definition.terms, known, change, now: *now };
        let judgement = judge.judge(held.facts(), &question)?;
        let verdict = judgement.verdict.clone();
        let mut is_unentitled = false;
        if let UseVerdict::Count(register) = &verdict {
            let write = RegisterWrite {
                id: request.id.clone(),
                at: Some(register.at),
                channel: register.channel.clone(),
                amount: register.amount,
                as_of: register.as_of,
                deleted: register.deleted,
            };
            write.check()?;
            let before = registers.differences().len();
            registers.take(&write);
            let differences = registers.differences().get(before..).unwrap_or_default();
            if !held.stage(differences) {
                return Err(StoreError::Unreadable("what is used comes to more than can be counted".to_owned()).into());
            }
            staged.extend_from_slice(differences);
            is_unentitled = judgement.is_unentitled;
        }
        let settled = judge.settle(judgement, &question, held.facts());
        Ok(UseAnswer { verdict, is_unentitled, settled, definition: Arc::clone(definition) })
    }
}
