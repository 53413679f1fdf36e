//! What is known of meters, and what is wanted of them.

use super::{
    errands::{Errand, SourceHearing},
    held::HeldMeter,
    reader::ReadElsewhere,
    sight::{ReplacedStore, StoreSight},
};
use crate::{
    core::{
        calendar::Instant,
        usage::{
            record::UsageRecord,
            register::{Register, RegisterId},
            state::SaidCrossing,
        },
    },
    evaluation::{
        status::metered::{MeteredRecord, StoreStanding},
        usage::{Heard, MeterFacts},
    },
    metrics::Metrics,
    store::{StoreAddress, StoreIdentity, meter::MeterId},
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Notify, oneshot};

/// What the store should have of one meter.
#[derive(Clone, Debug)]
pub struct MeterWish {
    /// The definition.
    pub definition: Arc<str>,
    /// The registers that objects report.
    pub registers: BTreeMap<RegisterId, Register>,
    /// What is to be remembered; None where that is not known yet.
    pub record: Option<UsageRecord>,
}

/// What is known of one meter.
#[derive(Clone, Debug)]
pub struct KnownMeter {
    /// What an evaluation takes.
    pub facts: Arc<MeterFacts>,
    /// The crossings that were said; None where the store has not answered yet.
    pub said: Option<Arc<[SaidCrossing]>>,
}

/// What is known of meters, and what is wanted of them, for all others to ask and to say.
#[derive(Debug)]
pub struct MeterDesk {
    address: Option<StoreAddress>,
    /// Since when it has been asked for.
    pub(super) since: Instant,
    pub(super) metrics: Metrics,
    pub(super) wake: Notify,
    /// Told when this replica begins to write to a store, or finds another one in its place.
    pub(super) opened: Notify,
    /// What whoever has it open here has seen of it.
    pub(super) sight: Arc<StoreSight>,
    state: Mutex<DeskState>,
}

/// What the desk keeps.
#[derive(Debug)]
pub(super) struct DeskState {
    pub(super) standing: StoreStanding,
    /// When the store has answered last.
    pub(super) answered: Option<Instant>,
    pub(super) meters: BTreeMap<MeterId, HeldMeter>,
    /// The meters that the store has, by name.
    pub(super) stored: BTreeSet<MeterId>,
    pub(super) wishes: BTreeMap<Arc<str>, Vec<MeterWish>>,
    /// Which store it is, as it was asked last.
    pub(super) identity: Option<StoreIdentity>,
    /// The same when this replica began to write to it, until that is compared with what was noted.
    pub(super) opened: Option<StoreIdentity>,
    /// Why it is not the store that it was.
    complaint: Option<String>,
    pub(super) errands: VecDeque<Errand>,
    /// Who waits until the store is asked which it is.
    pub(super) asking: Vec<oneshot::Sender<()>>,
    /// What was heard from Prometheus, by definition, as far as it is known.
    pub(super) hearings: BTreeMap<Arc<str>, SourceHearing>,
    /// How often anything of that was news.
    pub(super) heard_news: u64,
    /// How each definition is metered that is known to have been counted in no other way, and as of which beginning.
    pub(super) noted_metered: BTreeMap<Arc<str>, (u64, MeteredRecord)>,
    /// How often a store was begun with.
    pub(super) beginnings: u64,
}

impl MeterDesk {
    /// For the store at that address, if there is one; `now` is when it begins to be asked for.
    #[must_use]
    pub fn new(address: Option<StoreAddress>, now: Instant, metrics: &Metrics) -> Self {
        let standing = if address.is_some() { StoreStanding::Opening } else { StoreStanding::Absent };
        let state = DeskState {
            standing,
            answered: None,
            meters: BTreeMap::new(),
            stored: BTreeSet::new(),
            wishes: BTreeMap::new(),
            identity: None,
            opened: None,
            complaint: None,
            errands: VecDeque::new(),
            asking: Vec::new(),
            hearings: BTreeMap::new(),
            noted_metered: BTreeMap::new(),
            heard_news: 0,
            beginnings: 0,
        };
        let (metrics, state) = (metrics.clone(), Mutex::new(state));
        let sight = Arc::default();
        Self { address, since: now, metrics, wake: Notify::new(), opened: Notify::new(), sight, state }
    }

    /// Where the store is.
    pub(super) fn address(&self) -> Option<&StoreAddress> {
        self.address.as_ref()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, DeskState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is a store, be it that it does not answer.
    #[must_use]
    pub fn has_store(&self) -> bool {
        self.address.is_some()
    }

    /// How the store is.
    #[must_use]
    pub fn standing(&self) -> StoreStanding {
        let state = self.state();
        match (&state.standing, &state.complaint) {
            (StoreStanding::Works, Some(complaint)) => StoreStanding::Replaced(complaint.clone()),
            (standing, _) => standing.clone(),
        }
    }

    /// Which store it is, as it was asked last, and as it was when this replica began to write to it, if that was not compared yet.
    #[must_use]
    pub fn identity(&self) -> (Option<StoreIdentity>, Option<StoreIdentity>) {
        let state = self.state();
        (state.identity.clone(), state.opened.clone())
    }

    /// Has the store asked which it is, once all that is wanted by now is written, and waits for that. None where it does not answer:
    /// what was known stays.
    pub async fn ask_for_identity(&self) -> Option<StoreIdentity> {
        let (asking, is_asked) = oneshot::channel();
        self.state().asking.push(asking);
        self.wake.notify_one();
        // Dropped where the store does not answer.
        is_asked.await.ok()?;
        self.identity().0
    }

    /// That was compared with what was noted of it.
    pub fn compared(&self, opened: &StoreIdentity) {
        self.state().opened.take_if(|one| one == opened);
        self.sight.compared(opened);
    }

    /// What was found in the place of the store under this replica's hands, until that is compared.
    #[must_use]
    pub fn replaced(&self) -> Option<ReplacedStore> {
        self.sight.replaced()
    }

    /// What was seen of the store, for whoever else has it open here.
    #[must_use]
    pub fn sight(&self) -> Arc<StoreSight> {
        Arc::clone(&self.sight)
    }

    /// Why it is not the store that it was, if it is not. Whether that is news.
    pub fn complain(&self, complaint: Option<String>) -> bool {
        let mut state = self.state();
        let is_news = state.complaint != complaint;
        state.complaint = complaint;
        is_news
    }

    /// Waits until this replica begins to write to a store, or finds another one in its place.
    pub async fn is_opened(&self) {
        self.opened.notified().await;
    }

    /// What is known of an organization's meters, by definition; nothing where there is no store.
    pub fn known<'a>(
        &self,
        organization: &Arc<str>,
        definitions: impl Iterator<Item = &'a Arc<str>>,
    ) -> BTreeMap<Arc<str>, KnownMeter> {
        if self.address.is_none() {
            return BTreeMap::new();
        }
        let state = self.state();
        let known = |definition: &Arc<str>| {
            let meter = MeterId { organization: Arc::clone(organization), definition: Arc::clone(definition) };
            match state.meters.get(&meter) {
                Some(held) => KnownMeter { facts: state.heard(held), said: Some(Arc::clone(held.said())) },
                None => KnownMeter { facts: unheard(state.answered.unwrap_or(self.since)), said: None },
            }
        };
        definitions.map(|definition| (Arc::clone(definition), known(definition))).collect()
    }

    /// What was read last of a meter, for whoever reads for itself; None where the store has never said anything of it.
    pub fn read(&self, meter: &MeterId) -> Option<ReadElsewhere> {
        let state = self.state();
        let held = state.meters.get(meter)?;
        Some(ReadElsewhere { version: held.version(), facts: Arc::clone(held.facts()), answered: state.answered? })
    }

    /// How many of the registers of a meter are counted as they are; None while that is not known.
    pub fn counted(&self, meter: &MeterId, registers: &BTreeMap<RegisterId, Register>) -> Option<usize> {
        Some(self.state().meters.get(meter)?.counted(registers))
    }

    /// What the store should have of an organization from now on.
    pub fn wish(&self, organization: &Arc<str>, wishes: Vec<MeterWish>) {
        if self.address.is_none() || wishes.is_empty() {
            return;
        }
        self.state().take_wishes(organization, wishes);
        self.wake.notify_one();
    }

    /// The organizations of which something is known.
    #[must_use]
    pub fn organizations(&self) -> BTreeSet<Arc<str>> {
        let state = self.state();
        let stored = state.meters.keys().chain(&state.stored).map(|meter| Arc::clone(&meter.organization));
        stored.chain(state.wishes.keys().cloned()).collect()
    }

    /// The definitions of which the store has something of an organization.
    #[must_use]
    pub fn definitions(&self, organization: &Arc<str>) -> Vec<Arc<str>> {
        let first = MeterId { organization: Arc::clone(organization), definition: "".into() };
        let state = self.state();
        let is_its = |meter: &&MeterId| meter.organization == *organization;
        let stored = state.stored.range(first.clone()..).take_while(is_its);
        let held = state.meters.range(first..).map(|(meter, _)| meter).take_while(is_its);
        stored.chain(held).map(|meter| Arc::clone(&meter.definition)).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

fn unheard(since: Instant) -> Arc<MeterFacts> {
    Arc::new(MeterFacts { memory: Arc::default(), ledger: Arc::default(), heard: Some(Heard::NotSince(since)) })
}

impl DeskState {
    /// What is said of crossings by now is not said again before the store has it.
    fn take_wishes(&mut self, organization: &Arc<str>, wishes: Vec<MeterWish>) {
        for wish in &wishes {
            let meter = MeterId { organization: Arc::clone(organization), definition: Arc::clone(&wish.definition) };
            if let (Some(held), Some(record)) = (self.meters.get_mut(&meter), &wish.record) {
                held.say(&record.said);
            }
        }
        self.wishes.insert(Arc::clone(organization), wishes);
    }

    /// What an evaluation takes, with when it was heard of last: while the store answers, nothing of it can be out of date.
    fn heard(&self, held: &HeldMeter) -> Arc<MeterFacts> {
        if self.standing == StoreStanding::Works {
            return Arc::clone(held.facts());
        }
        held.facts().heard_as(self.answered.map(Heard::Until))
    }
}
