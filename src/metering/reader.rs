//! What the store has of a meter right now, for whoever asks between the controller's rounds: on every replica, also on those that
//! do not work.

use super::{
    errands::SourceHearing,
    held::HeldMeter,
    place::StoreFile,
    probe::StoreProbe,
    sight::{KnownStore, StoreNumber, StoreSight},
};
use crate::{
    core::{
        calendar::Instant,
        usage::{
            inquiry::InquiryProgress,
            register::{Register, RegisterId},
        },
    },
    evaluation::usage::{Heard, MeterFacts},
    store::{CatchUp, PersistentStore, StoreAddress, StoreError, StoreIdentity, meter::MeterId},
};
use moka::sync::Cache;
use std::{
    sync::{
        Arc, Mutex as Lock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Mutex, time::Instant as Moment};

/// How many meters are kept in memory: those that are asked for most.
const KEPT: u64 = 20_000;

/// How long what was found to be current counts by how often the store was written alone: one that was restored may have been written
/// as often as the one before.
const CURRENT: Duration = Duration::from_mins(1);

/// A meter's place in memory; one asks the store for it at a time.
pub(super) type KeptMeter = Arc<Mutex<MeterPlace>>;

/// A meter in memory, once it was loaded.
#[derive(Debug, Default)]
pub(super) struct MeterPlace {
    /// The meter, as it was known last.
    pub held: Option<HeldMeter>,
    /// What the store said of itself before it was found to be current, and when that was.
    seen: Option<(StoreIdentity, Moment)>,
    /// Of which store it is, by its number.
    of: Option<StoreNumber>,
}

impl MeterPlace {
    /// Whether it was found to be current when the store had been written as often, or later.
    fn is_as_of(&self, identity: &StoreIdentity, store: StoreNumber) -> bool {
        let is_current = |(seen, at): &(StoreIdentity, Moment)| at.elapsed() < CURRENT && is_as_of(seen, identity);
        self.is_of(store) && self.seen.as_ref().is_some_and(is_current)
    }

    /// Whether what is in memory is of that store.
    pub(super) fn is_of(&self, store: StoreNumber) -> bool {
        self.held.is_some() && self.of == Some(store)
    }

    /// Takes in what was loaded from that store.
    pub(super) fn take(&mut self, held: HeldMeter, store: StoreNumber) {
        (self.held, self.of, self.seen) = (Some(held), Some(store), None);
    }

    /// It has to be loaded again. Until then, and while no store answers, it is what is known.
    pub(super) fn outdate(&mut self) {
        self.of = None;
    }
}

/// Whether the store had been written as often when that was seen, or oftener.
fn is_as_of(seen: &StoreIdentity, identity: &StoreIdentity) -> bool {
    seen.id == identity.id && seen.commits >= identity.commits
}

/// Reads meters.
pub struct MeterReader {
    address: StoreAddress,
    /// Since when the store has been asked for.
    since: Instant,
    opened: Arc<Mutex<Option<OpenedStore>>>,
    /// The same by a connection of its own, for whoever counts.
    counted: Mutex<Option<OpenedStore>>,
    probe: Arc<StoreProbe>,
    /// What was seen of the store.
    pub(super) sight: Arc<StoreSight>,
    /// When the store has answered last.
    answered: Lock<Option<Instant>>,
    /// How often its file was found to be gone, or another one.
    files: Arc<AtomicU64>,
    pub(super) meters: Cache<MeterId, KeptMeter>,
    /// What the store has of asking Prometheus, by definition, with what it said of itself before.
    sources: Cache<Arc<str>, (StoreIdentity, SourceHearing)>,
}

struct OpenedStore {
    store: PersistentStore,
    file: Option<StoreFile>,
}

/// What somebody else has read of a meter, who has the same store open.
#[derive(Clone, Debug)]
pub struct ReadElsewhere {
    /// As of which version.
    pub version: i64,
    /// What is known.
    pub facts: Arc<MeterFacts>,
    /// When the store has answered last.
    pub answered: Instant,
}

impl MeterReader {
    /// Of the store at that address, which is asked for from `now` on, with what was seen of it.
    #[must_use]
    pub fn new(address: StoreAddress, sight: Arc<StoreSight>, now: Instant) -> Self {
        let meters = Cache::builder().max_capacity(KEPT).build();
        Self {
            address,
            since: now,
            opened: Arc::default(),
            counted: Mutex::default(),
            probe: Arc::default(),
            sight,
            answered: Lock::default(),
            files: Arc::default(),
            meters,
            sources: Cache::builder().max_capacity(KEPT).build(),
        }
    }

    /// What is known of a meter: as the store has it now, or where it does not answer, as it had it last, be it that somebody else here
    /// has read that.
    pub async fn facts(
        &self,
        meter: &MeterId,
        now: Instant,
        elsewhere: impl FnOnce() -> Option<ReadElsewhere>,
    ) -> Arc<MeterFacts> {
        let identity = self.identity().await;
        let kept = self.kept(meter);
        let mut place = kept.lock().await;
        let renewed = match identity {
            Ok(identity) => self.renew(meter, &mut place, identity).await,
            Err(error) => Err(error),
        };
        if let Err(error) = renewed {
            tracing::debug!(%error, "a meter could not be read");
            return self.last_known(place.held.as_ref(), elsewhere().as_ref());
        }
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        place.held.as_ref().map_or_else(|| self.last_known(None, None), |held| Arc::clone(held.facts()))
    }

    /// What is known of the store, be it from long ago.
    pub(super) async fn known_store(&self) -> Result<KnownStore, StoreError> {
        let known = self.sight.known();
        if known.identity.is_some() {
            return Ok(known);
        }
        self.identity().await?;
        Ok(self.sight.known())
    }

    /// What the replica that asks Prometheus for a definition has heard last, as the store has it now, or where that does not answer,
    /// as it had it last. Whether it answers right now is not in the store: its last answer is.
    pub async fn source(&self, definition: &Arc<str>) -> SourceHearing {
        let known = self.sources.get(definition);
        let identity = self.identity().await;
        let is_current = |(seen, _): &&(StoreIdentity, SourceHearing)| {
            identity.as_ref().map_or(true, |identity| is_as_of(seen, identity))
        };
        if let Some((_, hearing)) = known.as_ref().filter(is_current) {
            return *hearing;
        }
        let read = async { self.store().await?.progress(&InquiryProgress::name(definition)).await };
        let (Ok(identity), Ok(kept)) = (identity, read.await) else {
            return known.map_or(SourceHearing { heard: None, answers: false }, |(_, hearing)| hearing);
        };
        let heard = kept.as_deref().and_then(InquiryProgress::read).map(|kept| kept.heard);
        let hearing = SourceHearing { heard, answers: false };
        self.sources.insert(Arc::clone(definition), (identity, hearing));
        hearing
    }

    /// Which store is asked now.
    pub(super) fn store_number(&self) -> StoreNumber {
        self.sight.number() + self.files.load(Ordering::SeqCst)
    }

    /// A meter's place in memory.
    pub(super) fn kept(&self, meter: &MeterId) -> KeptMeter {
        self.meters.get_with(meter.clone(), KeptMeter::default)
    }

    /// Which store it is, and how often it was written: as it says from now on.
    pub(super) async fn identity(&self) -> Result<StoreIdentity, StoreError> {
        let (place, address) = (Arc::clone(&self.opened), self.address.clone());
        let (sight, files) = (Arc::clone(&self.sight), Arc::clone(&self.files));
        let question = move || {
            let (place, address) = (Arc::clone(&place), address.clone());
            let (sight, files) = (Arc::clone(&sight), Arc::clone(&files));
            async move {
                let known = sight.known();
                let identity = open(&place, &address, &files).await?.identity().await;
                match &identity {
                    Ok(identity) => sight.saw(&known, identity),
                    Err(error) if error.may_pass() => *place.lock().await = None,
                    Err(_) => {}
                }
                identity
            }
        };
        self.probe.ask(question).await
    }

    /// A register as the store has it; none where it was never written.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn register(&self, meter: &MeterId, id: &RegisterId) -> Result<Option<Register>, StoreError> {
        let store = self.store().await?;
        Ok(store.known_registers(meter, std::slice::from_ref(id)).await?.remove(id))
    }

    /// The store, opened.
    pub(super) async fn store(&self) -> Result<PersistentStore, StoreError> {
        open(&self.opened, &self.address, &self.files).await
    }

    /// The store, opened for whoever counts.
    pub(super) async fn counted_store(&self) -> Result<PersistentStore, StoreError> {
        let opening = PersistentStore::open_for_one(&self.address);
        opened(&self.counted, &self.address, &self.files, opening).await
    }

    /// Another one may be there when it answers again.
    pub(super) async fn close(&self) {
        *self.opened.lock().await = None;
        *self.counted.lock().await = None;
    }

    async fn renew(&self, meter: &MeterId, place: &mut MeterPlace, identity: StoreIdentity) -> Result<(), StoreError> {
        // Before anything is read: what another store has counts as read from the one before, and is read again.
        let number = self.store_number();
        if place.is_as_of(&identity, number) {
            return Ok(());
        }
        let renewed = renew(&self.store().await?, number, meter, place).await;
        if renewed.as_ref().is_err_and(StoreError::may_pass) {
            self.close().await;
        }
        renewed?;
        place.seen = Some((identity, Moment::now()));
        Ok(())
    }

    /// While the store does not answer, what it said last counts, if it said anything.
    fn last_known(&self, held: Option<&HeldMeter>, elsewhere: Option<&ReadElsewhere>) -> Arc<MeterFacts> {
        let answered = *self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        let answered = answered.max(elsewhere.map(|read| read.answered));
        let own = held.map(|held| (held.version(), held.facts()));
        let theirs = elsewhere.map(|read| (read.version, &read.facts));
        let newest = own.into_iter().chain(theirs).max_by_key(|(version, _)| *version);
        match (newest, answered) {
            (Some((_, facts)), Some(at)) => facts.heard_as(Some(Heard::Until(at))),
            _ => Arc::new(MeterFacts {
                memory: Arc::default(),
                ledger: Arc::default(),
                heard: Some(Heard::NotSince(answered.unwrap_or(self.since))),
            }),
        }
    }
}

async fn open(
    place: &Mutex<Option<OpenedStore>>,
    address: &StoreAddress,
    files: &AtomicU64,
) -> Result<PersistentStore, StoreError> {
    opened(place, address, files, PersistentStore::open(address)).await
}

/// The store in its place; where none is, as it is opened now.
async fn opened(
    place: &Mutex<Option<OpenedStore>>,
    address: &StoreAddress,
    files: &AtomicU64,
    opening: impl Future<Output = Result<PersistentStore, StoreError>>,
) -> Result<PersistentStore, StoreError> {
    let mut opened = place.lock().await;
    if let Some(one) = opened.as_ref() {
        match one.file.as_ref().map_or(Ok(()), StoreFile::check) {
            Ok(()) => return Ok(one.store.clone()),
            Err(error) => {
                let is_another = one.file.as_ref().is_some_and(StoreFile::is_another);
                *opened = None;
                files.fetch_add(1, Ordering::SeqCst);
                if !is_another {
                    return Err(error);
                }
            }
        }
    }
    let store = opening.await?;
    let one = OpenedStore { store: store.clone(), file: StoreFile::of(address) };
    *opened = Some(one);
    Ok(store)
}

/// What was known stays until what is known now is loaded.
async fn renew(
    store: &PersistentStore,
    number: StoreNumber,
    meter: &MeterId,
    place: &mut MeterPlace,
) -> Result<(), StoreError> {
    let is_of = place.is_of(number);
    if let Some(known) = place.held.as_mut().filter(|_| is_of) {
        match store.since(meter, known.version()).await? {
            CatchUp::Current => return Ok(()),
            CatchUp::Changes(changes) => {
                if known.add(changes, &[]).is_some() {
                    return Ok(());
                }
                // What could be added in part only was never so.
                place.held = None;
            }
            CatchUp::Reload => {}
        }
    }
    place.take(HeldMeter::load(store, meter).await?, number);
    Ok(())
}
