//! What the store has of a meter right now, for whoever asks between the controller's rounds: on every replica, also on those that
//! do not work.

use super::{held::HeldMeter, place::StoreFile};
use crate::{
    core::{
        calendar::Instant,
        usage::register::{Register, RegisterId},
    },
    evaluation::usage::{Heard, MeterFacts},
    store::{CatchUp, PersistentStore, StoreAddress, StoreError, meter::MeterId},
};
use moka::sync::Cache;
use std::sync::{Arc, Mutex as Lock, PoisonError};
use tokio::sync::Mutex;

/// How many meters are kept in memory: those that are asked for most.
const KEPT: u64 = 20_000;

/// A meter in memory, once it was loaded; one asks the store for it at a time.
pub(super) type KeptMeter = Arc<Mutex<Option<HeldMeter>>>;

/// Reads meters.
pub struct MeterReader {
    address: StoreAddress,
    /// Since when the store has been asked for.
    since: Instant,
    opened: Mutex<Option<OpenedStore>>,
    /// When the store has answered last.
    answered: Lock<Option<Instant>>,
    pub(super) meters: Cache<MeterId, KeptMeter>,
}

#[derive(Clone)]
struct OpenedStore {
    store: PersistentStore,
    file: Arc<Option<StoreFile>>,
}

impl MeterReader {
    /// Of the store at that address, which is asked for from `now` on.
    #[must_use]
    pub fn new(address: StoreAddress, now: Instant) -> Self {
        let meters = Cache::builder().max_capacity(KEPT).build();
        Self { address, since: now, opened: Mutex::default(), answered: Lock::default(), meters }
    }

    /// What is known of a meter: as the store has it now, or where it does not answer, as it had it last.
    pub async fn facts(&self, meter: &MeterId, now: Instant) -> Arc<MeterFacts> {
        let kept = self.meters.get_with(meter.clone(), KeptMeter::default);
        let mut held = kept.lock().await;
        if let Err(error) = self.renew(meter, &mut held).await {
            tracing::debug!(%error, "a meter could not be read");
            return self.last_known(held.as_ref());
        }
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        held.as_ref().map_or_else(|| self.last_known(None), |held| Arc::clone(held.facts()))
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
        Ok(self.open().await?.store)
    }

    /// Another one may be there when it answers again.
    pub(super) async fn close(&self) {
        *self.opened.lock().await = None;
    }

    async fn renew(&self, meter: &MeterId, held: &mut Option<HeldMeter>) -> Result<(), StoreError> {
        let OpenedStore { store, .. } = self.open().await?;
        let renewed = renew(&store, meter, held).await;
        if renewed.as_ref().is_err_and(StoreError::may_pass) {
            self.close().await;
        }
        renewed
    }

    async fn open(&self) -> Result<OpenedStore, StoreError> {
        let mut opened = self.opened.lock().await;
        if let Some(one) = opened.as_ref() {
            match one.file.as_ref().as_ref().map_or(Ok(()), StoreFile::check) {
                Ok(()) => return Ok(one.clone()),
                Err(error) => {
                    *opened = None;
                    self.meters.invalidate_all();
                    return Err(error);
                }
            }
        }
        let store = PersistentStore::open(&self.address).await?;
        let one = OpenedStore { store, file: Arc::new(StoreFile::of(&self.address)) };
        *opened = Some(one.clone());
        Ok(one)
    }

    /// While the store does not answer, what it said last counts, if it said anything.
    fn last_known(&self, held: Option<&HeldMeter>) -> Arc<MeterFacts> {
        let answered = *self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        match (held, answered) {
            (Some(held), Some(at)) => {
                Arc::new(MeterFacts { heard: Some(Heard::At(at)), ..MeterFacts::clone(held.facts()) })
            }
            _ => Arc::new(MeterFacts {
                memory: Arc::default(),
                ledger: Arc::default(),
                heard: Some(Heard::NotSince(self.since)),
            }),
        }
    }
}

async fn renew(store: &PersistentStore, meter: &MeterId, held: &mut Option<HeldMeter>) -> Result<(), StoreError> {
    if let Some(known) = held {
        let is_current = match store.since(meter, known.version()).await? {
            CatchUp::Current => true,
            CatchUp::Changes(changes) => known.add(changes, &[]).is_some(),
            CatchUp::Reload => false,
        };
        if is_current {
            return Ok(());
        }
    }
    *held = None;
    *held = Some(HeldMeter::load(store, meter).await?);
    Ok(())
}
