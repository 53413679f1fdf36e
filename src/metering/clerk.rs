//! The one task that talks to the store: it opens it, looks whether it answers, loads meters, and writes what is wanted.

use super::{
    REPORTED,
    desk::{DeskState, MeterDesk, MeterWish},
    follow::FOLLOWS,
    held::HeldMeter,
    place::StoreFile,
    retention::{AddsUp, PruningRound},
    sight::StoreNumber,
};
use crate::{
    core::{
        calendar::Instant,
        usage::register::{Register, RegisterId},
    },
    evaluation::status::metered::StoreStanding,
    store::{
        PersistentStore, StoreAddress, StoreError, StoreIdentity, StoreProgress,
        meter::{MeterChanges, MeterId, MeterWrite, RegisterWrite},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant as Moment, sleep, timeout};

/// How often it is looked whether the store answers, where nothing else is asked of it.
const PROBE: Duration = Duration::from_secs(5);
/// The pauses between attempts on a store that does not answer: each twice as long, up to the longest.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How many organizations are worked on at once.
const ORGANIZATIONS: usize = 64;
/// How many registers one commit has at most, but for one meter's.
pub(super) const REGISTERS: usize = 10_000;
/// How many registers are read at once.
pub(super) const PAGE: u32 = 1000;

/// What others are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeteringNews {
    /// The store has begun to answer, or ceased to.
    Standing(StoreStanding),
    /// More is known of these organizations' meters.
    Meters(BTreeSet<Arc<str>>),
}

/// Whether this replica may write, asked right before it does: the tenure in which it leads.
pub type WritePermission = Arc<dyn Fn() -> Option<u64> + Send + Sync>;

/// The task.
pub(super) struct Clerk<'a, F> {
    pub(super) desk: &'a MeterDesk,
    may_write: WritePermission,
    adds_up: AddsUp,
    now: fn() -> Instant,
    pub(super) tell: F,
    pruning: PruningRound,
    /// Which store it works with, of those that were found one in the place of the other.
    number: StoreNumber,
    /// The tenure that the epoch was claimed in, and the epoch.
    epoch: Option<(u64, i64)>,
    /// How often the store had been written when it was looked what others wrote.
    pub(super) followed: Option<u64>,
    /// When that was.
    pub(super) followed_at: Option<Moment>,
}

impl MeterDesk {
    /// Works with the store for ever, where there is one. Nobody waits for it.
    pub async fn run(
        &self,
        now: fn() -> Instant,
        may_write: WritePermission,
        adds_up: AddsUp,
        tell: impl Fn(MeteringNews),
    ) {
        let Some(address) = self.address() else { return std::future::pending().await };
        let pruning = PruningRound::default();
        let mut clerk = Clerk {
            desk: self,
            may_write,
            adds_up,
            now,
            tell,
            pruning,
            number: StoreNumber::default(),
            epoch: None,
            followed: None,
            followed_at: None,
        };
        let mut failures = 0;
        loop {
            if let Err(error) = clerk.attend(address, &mut failures).await {
                clerk.fail(&error);
            }
            let doubled = PAUSE.saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX));
            sleep(doubled.min(LONGEST_PAUSE)).await;
            failures = failures.saturating_add(1);
        }
    }
}

impl<F: Fn(MeteringNews)> Clerk<'_, F> {
    /// Opens the store, and works with it until it fails.
    async fn attend(&mut self, address: &StoreAddress, failures: &mut u32) -> Result<(), StoreError> {
        let store = PersistentStore::open(address).await?;
        let file = StoreFile::of(address);
        // Another one may have been put there.
        self.epoch = None;
        let attended = self.work_with(&store, file.as_ref(), failures).await;
        store.close().await;
        attended
    }

    async fn work_with(
        &mut self,
        store: &PersistentStore,
        file: Option<&StoreFile>,
        failures: &mut u32,
    ) -> Result<(), StoreError> {
        let stored = stored(store).await?;
        self.desk.state().begin(stored);
        loop {
            file.map_or(Ok(()), StoreFile::check)?;
            self.look(store).await?;
            self.answers();
            let is_followed = self.follow(store).await?;
            *failures = 0;
            let asking = std::mem::take(&mut self.desk.state().asking);
            let mut is_written = false;
            while self.bring(store).await? {
                is_written = true;
            }
            if is_written || !asking.is_empty() {
                // How often it was written is noted as the operator ends, and that may be now.
                self.look(store).await?;
            }
            for one in asking {
                let _ = one.send(());
            }
            self.prune(store).await?;
            // Whoever wants something in the meantime has left a note of it.
            let _ = timeout(if is_followed { PROBE } else { FOLLOWS }, self.desk.wake.notified()).await;
        }
    }

    /// Looks which store it is. Where another one, or an older copy, was put in its place, nothing that is known of it counts.
    async fn look(&mut self, store: &PersistentStore) -> Result<(), StoreError> {
        let identity = self.ask(store).await?;
        self.desk.state().identity = Some(identity);
        let number = self.desk.sight.number();
        if self.number != number {
            self.epoch = None;
            let stored = stored(store).await?;
            self.desk.state().begin(stored);
            self.number = number;
            if (self.may_write)().is_none() {
                self.desk.opened.notify_one();
            }
            (self.tell)(MeteringNews::Standing(StoreStanding::Works));
        }
        Ok(())
    }

    async fn ask(&self, store: &PersistentStore) -> Result<StoreIdentity, StoreError> {
        let known = self.desk.sight.known();
        let identity = store.identity().await?;
        self.desk.sight.saw(&known, &identity);
        Ok(identity)
    }

    fn answers(&self) {
        let mut state = self.desk.state();
        state.answered = Some((self.now)());
        let before = std::mem::replace(&mut state.standing, StoreStanding::Works);
        drop(state);
        if before != StoreStanding::Works {
            tracing::info!("the store answers: what is used is counted");
            (self.tell)(MeteringNews::Standing(StoreStanding::Works));
        }
    }

    fn fail(&self, error: &StoreError) {
        let standing = StoreStanding::Unavailable(error.to_string());
        let mut state = self.desk.state();
        let before = std::mem::replace(&mut state.standing, standing.clone());
        state.errands.clear();
        state.asking.clear();
        drop(state);
        if before != standing {
            tracing::warn!(%error, "the store cannot be used: rights go on, and what is used is counted once it can");
            (self.tell)(MeteringNews::Standing(standing));
        }
    }

    /// Does what is wanted of some organizations. Whether there is more.
    async fn bring(&mut self, store: &PersistentStore) -> Result<bool, StoreError> {
        let tenure = (self.may_write)();
        self.claim(store, tenure).await?;
        let has_done_errands = self.do_errands(store, tenure).await?;
        let wishes = self.desk.state().some_wishes();
        if wishes.is_empty() {
            return Ok(has_done_errands);
        }
        let done = self.grant(store, &wishes, tenure).await;
        let is_superseded = tenure.is_some() && self.epoch.is_none();
        if done.is_err() || is_superseded {
            // What was wanted is wanted still, but for what is said anew.
            let mut state = self.desk.state();
            for (organization, wishes) in wishes {
                state.wishes.entry(organization).or_insert(wishes);
            }
        }
        done.map(|()| true)
    }

    /// In a new tenure others may have written since.
    async fn claim(&mut self, store: &PersistentStore, tenure: Option<u64>) -> Result<(), StoreError> {
        let Some(tenure) = tenure else { return Ok(()) };
        if self.epoch.is_some_and(|(claimed, _)| claimed == tenure) {
            return Ok(());
        }
        // Before anything is written, as that would make an older copy look as new as what was noted.
        let identity = self.ask(store).await?;
        // Others here may have written to it since they found it.
        let first = self.desk.sight.replaced().map_or(identity, |replaced| replaced.first);
        let epoch = store.epoch().await?.saturating_add(1);
        let stored = stored(store).await?;
        let mut state = self.desk.state();
        state.begin(stored);
        state.opened = Some(first);
        drop(state);
        self.epoch = Some((tenure, epoch));
        self.desk.opened.notify_one();
        (self.tell)(MeteringNews::Standing(StoreStanding::Works));
        Ok(())
    }

    async fn grant(
        &mut self,
        store: &PersistentStore,
        wishes: &BTreeMap<Arc<str>, Vec<MeterWish>>,
        tenure: Option<u64>,
    ) -> Result<(), StoreError> {
        let mut news = BTreeSet::new();
        for (meter, _) in meters(wishes) {
            if self.load(store, &meter).await? {
                news.insert(meter.organization);
            }
        }
        if tenure.is_some() {
            for writes in self.batches(wishes) {
                news.extend(self.write(store, writes).await?);
            }
        }
        if !news.is_empty() {
            (self.tell)(MeteringNews::Meters(news));
        }
        Ok(())
    }

    /// Loads a meter that is not in memory. Whether it is now.
    pub(super) async fn load(&self, store: &PersistentStore, meter: &MeterId) -> Result<bool, StoreError> {
        if self.desk.state().meters.contains_key(meter) {
            return Ok(false);
        }
        let held = match held(store, meter).await {
            Err(error) if error.may_pass() => return Err(error),
            held => held,
        };
        match held {
            Ok(held) => {
                self.desk.state().meters.insert(meter.clone(), held);
                Ok(true)
            }
            Err(error) => {
                let MeterId { organization, definition } = meter;
                tracing::error!(%organization, %definition, %error, "what is used of it is not counted");
                Ok(false)
            }
        }
    }

    /// What has to be written, in pieces that one commit takes.
    fn batches(&self, wishes: &BTreeMap<Arc<str>, Vec<MeterWish>>) -> Vec<Vec<MeterWrite>> {
        let (state, now) = (self.desk.state(), (self.now)());
        let mut batches: Vec<Vec<MeterWrite>> = Vec::new();
        let mut registers = 0;
        for (meter, wish) in meters(wishes) {
            let write = |held: &HeldMeter| held.write(meter.clone(), &wish.registers, wish.record.as_ref(), now);
            let Some(write) = state.meters.get(&meter).and_then(write) else { continue };
            registers += write.registers.len();
            if let Some(batch) = batches.last_mut().filter(|_| registers <= REGISTERS) {
                batch.push(write);
                continue;
            }
            registers = write.registers.len();
            batches.push(vec![write]);
        }
        batches
    }

    /// Writes in one commit; where something in it can be kept by no store, each by itself. The organizations of which more is known.
    async fn write(
        &mut self,
        store: &PersistentStore,
        writes: Vec<MeterWrite>,
    ) -> Result<BTreeSet<Arc<str>>, StoreError> {
        match self.commit(store, &writes, &[]).await {
            Err(StoreError::Unfit(_) | StoreError::Unreadable(_)) if writes.len() > 1 => {}
            // What was wanted in another tenure is wanted no more, or is wanted anew.
            Err(StoreError::Superseded) => {
                self.epoch = None;
                return Ok(BTreeSet::new());
            }
            Err(StoreError::Unfit(why) | StoreError::Unreadable(why)) => {
                let meter = writes.first().map(|write| &write.meter);
                tracing::error!(?meter, why, "what is used cannot be written");
                return Ok(BTreeSet::new());
            }
            done => {
                done?;
                return self.catch_up(store, &writes).await;
            }
        }
        let mut news = BTreeSet::new();
        for write in writes {
            news.extend(Box::pin(self.write(store, vec![write])).await?);
        }
        Ok(news)
    }

    /// Takes out what is not needed any more, as far as it is time to.
    async fn prune(&mut self, store: &PersistentStore) -> Result<(), StoreError> {
        let epoch = self.epoch.filter(|(tenure, _)| (self.may_write)() == Some(*tenure));
        let Some((_, epoch)) = epoch else { return Ok(()) };
        match self.pruning.go_on(self.desk, store, epoch, &self.adds_up, (self.now)()).await {
            Err(StoreError::Superseded) => {
                self.epoch = None;
                Ok(())
            }
            done => done,
        }
    }

    pub(super) async fn commit(
        &mut self,
        store: &PersistentStore,
        writes: &[MeterWrite],
        progress: &[StoreProgress],
    ) -> Result<(), StoreError> {
        let epoch = self.epoch.filter(|(tenure, _)| (self.may_write)() == Some(*tenure));
        let Some((_, epoch)) = epoch else { return Err(StoreError::Superseded) };
        let begun = tokio::time::Instant::now();
        let written = store.write(epoch, writes, progress).await;
        if written.is_ok() {
            let registers = writes.iter().map(|write| write.registers.len()).sum();
            self.desk.metrics.stored(registers, begun.elapsed());
        }
        written.map(drop)
    }

    pub(super) async fn catch_up(
        &self,
        store: &PersistentStore,
        writes: &[MeterWrite],
    ) -> Result<BTreeSet<Arc<str>>, StoreError> {
        let mut news = BTreeSet::new();
        for write in writes {
            let meter = &write.meter;
            if self.renew(store, meter, &write.registers).await? {
                news.insert(Arc::clone(&meter.organization));
            }
        }
        Ok(news)
    }
}

/// A meter as the store has it.
async fn held(store: &PersistentStore, meter: &MeterId) -> Result<HeldMeter, StoreError> {
    let stored = store.load(meter).await?;
    let registers = reported(store, meter).await?;
    HeldMeter::of(stored, registers).map_err(|error| StoreError::Unreadable(error.to_string()))
}

/// All meters that the store has.
async fn stored(store: &PersistentStore) -> Result<BTreeSet<MeterId>, StoreError> {
    let mut all = BTreeSet::new();
    loop {
        let page = store.versions(all.last(), PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        all.extend(page.into_iter().map(|(meter, _)| meter));
        if is_last {
            return Ok(all);
        }
    }
}

/// The registers of a meter that EntitlementUsage objects gave.
async fn reported(store: &PersistentStore, meter: &MeterId) -> Result<Vec<(RegisterId, Register)>, StoreError> {
    let mut all = Vec::new();
    let mut after = RegisterId { origin: REPORTED.into(), key: "".into() };
    loop {
        let page = store.registers(meter, Some(&after), PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        let Some((last, _)) = page.last() else { return Ok(all) };
        after = last.clone();
        all.extend(page.into_iter().take_while(|(id, _)| id.origin.starts_with(REPORTED)));
        if is_last || !after.origin.starts_with(REPORTED) {
            return Ok(all);
        }
    }
}

fn meters(wishes: &BTreeMap<Arc<str>, Vec<MeterWish>>) -> impl Iterator<Item = (MeterId, &MeterWish)> {
    wishes.iter().flat_map(|(organization, wishes)| {
        wishes.iter().map(move |wish| {
            let definition = Arc::clone(&wish.definition);
            (MeterId { organization: Arc::clone(organization), definition }, wish)
        })
    })
}

impl DeskState {
    /// A store was opened that has these meters. Nothing that was known of them counts any more, as it may be another one.
    fn begin(&mut self, stored: BTreeSet<MeterId>) {
        self.meters.clear();
        self.hearings.clear();
        self.beginnings += 1;
        self.stored = stored;
    }

    /// Takes over what the store has since of a meter that was written. Whether others have to know; None where it has to be loaded
    /// again.
    pub(super) fn add(
        &mut self,
        meter: &MeterId,
        written: &[RegisterWrite],
        changes: Option<MeterChanges>,
    ) -> Option<bool> {
        let held = self.meters.get_mut(meter)?;
        let added = changes.and_then(|changes| held.add(changes, written));
        if added.is_none() {
            self.meters.remove(meter);
        }
        added
    }

    /// Takes what is wanted of some organizations.
    fn some_wishes(&mut self) -> BTreeMap<Arc<str>, Vec<MeterWish>> {
        let rest = self.wishes.keys().nth(ORGANIZATIONS).cloned();
        let rest = rest.map(|first| self.wishes.split_off(&first)).unwrap_or_default();
        std::mem::replace(&mut self.wishes, rest)
    }
}
