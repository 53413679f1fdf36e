//! What the clerk does for whoever asks Prometheus: it looks up how far that is, and keeps what was answered together with it.

use super::{
    MeteringNews,
    clerk::{Clerk, REGISTERS},
    desk::MeterDesk,
};
use crate::{
    core::{
        calendar::Instant,
        usage::{
            inquiry::InquiryProgress,
            register::{Register, RegisterId},
        },
    },
    evaluation::{status::metered::MeteredRecord, usage::Heard},
    store::{
        PersistentStore, StoreError, StoreProgress,
        meter::{MeterId, MeterWrite, RegisterWrite},
    },
};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::oneshot;

/// What was answered of one definition, to be kept.
#[derive(Clone, Debug)]
pub struct InquiryAnswer {
    /// The definition.
    pub definition: Arc<str>,
    /// What is to be counted, by organization. What is not in it stays as it is.
    pub registers: BTreeMap<Arc<str>, Vec<(RegisterId, Register)>>,
    /// Whether a register that is known keeps its moment: what is Held has been since then.
    pub keeps_moments: bool,
    /// How far it is once all of that is kept.
    pub progress: Vec<StoreProgress>,
}

/// What was heard from Prometheus of one definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceHearing {
    /// When it answered last; none where it never has.
    pub heard: Option<Instant>,
    /// Whether it did when it was asked last.
    pub answers: bool,
}

/// What the clerk is asked to do, with the answer that is waited for. It is dropped where that cannot be done now.
#[derive(Debug)]
pub(super) enum Errand {
    /// To look up how far something is.
    LookUp(String, oneshot::Sender<Option<String>>),
    /// To tell how a definition was metered first.
    FirstMetered(MeteredErrand),
    /// To keep an answer.
    Keep(Box<InquiryAnswer>, oneshot::Sender<()>),
}

/// Asks how a definition was metered when something was first counted of it.
#[derive(Debug)]
pub(super) struct MeteredErrand {
    /// The definition.
    pub definition: Arc<str>,
    /// How it is metered now.
    pub said: MeteredRecord,
    /// Who waits for it.
    pub answer: oneshot::Sender<MeteredRecord>,
}

impl MeterDesk {
    /// How far something is that is done bit by bit, by its name in the store. None where the store does not answer now.
    pub async fn progress_of(&self, name: String) -> Option<Option<String>> {
        let (answer, answered) = oneshot::channel();
        self.send(Errand::LookUp(name, answer));
        answered.await.ok()
    }

    /// Keeps what was answered. Whether it is kept; otherwise it is to be asked for again.
    pub async fn keep(&self, answer: InquiryAnswer) -> bool {
        let (kept, is_kept) = oneshot::channel();
        self.send(Errand::Keep(Box::new(answer), kept));
        is_kept.await.is_ok()
    }

    pub(super) fn send(&self, errand: Errand) {
        self.state().errands.push_back(errand);
        self.wake.notify_one();
    }

    /// What was heard of a definition, from now on. Whether that is news to evaluations.
    pub fn hear(&self, definition: &Arc<str>, hearing: SourceHearing) -> bool {
        let mut state = self.state();
        let before = state.hearings.insert(Arc::clone(definition), hearing);
        let is_as_before = |before: SourceHearing| {
            before.answers == hearing.answers && before.heard.is_none() == hearing.heard.is_none()
        };
        let is_news = !before.is_some_and(is_as_before);
        state.heard_news += u64::from(is_news);
        is_news
    }

    /// A number that is another one once a store is begun with anew: nothing that was known of it counts any more.
    pub fn beginnings(&self) -> u64 {
        self.state().beginnings
    }

    /// A number that is another one once something is heard that is news: whoever decides meanwhile decides once more.
    pub fn heard_news(&self) -> u64 {
        self.state().heard_news
    }

    /// What was heard of a definition; None while the store has not said it.
    pub fn hearing(&self, definition: &str) -> Option<SourceHearing> {
        self.state().hearings.get(definition).copied()
    }

    /// When something was heard of a definition that Prometheus is asked for, where that was heard from the store.
    pub fn heard_from_source(&self, definition: &str, store: Option<Heard>) -> Option<Heard> {
        let Some(hearing) = self.hearing(definition) else {
            return Some(store.unwrap_or(Heard::Always).or_not_since(self.since));
        };
        hearing.limits(store)
    }
}

impl SourceHearing {
    /// When something was heard of what was heard from the store then.
    #[must_use]
    pub fn limits(self, store: Option<Heard>) -> Option<Heard> {
        let at = self.heard?;
        if self.answers {
            return store;
        }
        Some(match store? {
            Heard::Always => Heard::At(at),
            Heard::At(store) => Heard::At(at.min(store)),
            Heard::Until(store) => Heard::Until(at.min(store)),
            since @ Heard::NotSince(_) => since,
        })
    }
}

impl Heard {
    /// What was said last counts, until more is known.
    fn or_not_since(self, since: Instant) -> Self {
        match self {
            Self::Always => Self::NotSince(since),
            Self::At(at) | Self::Until(at) | Self::NotSince(at) => Self::NotSince(at),
        }
    }
}

impl<F: Fn(MeteringNews)> Clerk<'_, F> {
    /// Does what it was asked to do. Whether that was anything.
    pub(super) async fn do_errands(
        &mut self,
        store: &PersistentStore,
        tenure: Option<u64>,
    ) -> Result<bool, StoreError> {
        let mut has_done = false;
        loop {
            let errand = self.desk.state().errands.pop_front();
            // Whoever does not work has nobody to ask.
            let Some(errand) = errand.filter(|_| tenure.is_some()) else { return Ok(has_done) };
            has_done = true;
            match errand {
                Errand::LookUp(name, answer) => drop(answer.send(store.progress(&name).await?)),
                Errand::FirstMetered(MeteredErrand { definition, said, answer }) => {
                    match self.first_metered(store, &definition, said).await {
                        Ok(first) => drop(answer.send(first)),
                        Err(StoreError::Superseded) => {}
                        Err(error) => return Err(error),
                    }
                }
                Errand::Keep(kept, answer) => match self.keep(store, *kept).await {
                    Ok(()) => drop(answer.send(())),
                    Err(StoreError::Superseded) => {}
                    Err(error) if error.may_pass() => return Err(error),
                    Err(error) => tracing::error!(%error, "what Prometheus answered cannot be written"),
                },
            }
        }
    }

    /// Writes what differs from what is known, and how far that is together with the last of it.
    async fn keep(&mut self, store: &PersistentStore, answer: InquiryAnswer) -> Result<(), StoreError> {
        let mut batches: Vec<Vec<MeterWrite>> = vec![Vec::new()];
        let mut registers = 0;
        for (organization, all) in &answer.registers {
            let meter = MeterId { organization: Arc::clone(organization), definition: Arc::clone(&answer.definition) };
            let changed = changed(store, &meter, all, answer.keeps_moments).await?;
            if !changed.is_empty() && self.load(store, &meter).await? {
                (self.tell)(MeteringNews::Meters([Arc::clone(organization)].into()));
            }
            for piece in changed.chunks(REGISTERS) {
                registers += piece.len();
                if registers > REGISTERS {
                    registers = piece.len();
                    batches.push(Vec::new());
                }
                let write = MeterWrite { meter: meter.clone(), registers: piece.to_vec(), memory: None };
                if let Some(batch) = batches.last_mut() {
                    batch.push(write);
                }
            }
        }
        let last = batches.len().saturating_sub(1);
        for (number, writes) in batches.iter().enumerate() {
            let progress = if number == last { answer.progress.as_slice() } else { &[] };
            if writes.is_empty() && progress.is_empty() {
                continue;
            }
            self.commit(store, writes, progress).await?;
            let news = self.catch_up(store, writes).await?;
            if !news.is_empty() {
                (self.tell)(MeteringNews::Meters(news));
            }
        }
        Ok(())
    }
}

/// What of an answer is not known yet.
async fn changed(
    store: &PersistentStore,
    meter: &MeterId,
    all: &[(RegisterId, Register)],
    keeps_moments: bool,
) -> Result<Vec<RegisterWrite>, StoreError> {
    let wanted: Vec<RegisterId> = all.iter().map(|(id, _)| id.clone()).collect();
    let known = store.known_registers(meter, &wanted).await?;
    let changed = all.iter().filter_map(|(id, register)| {
        let known = known.get(id);
        if known.is_some_and(|known| says_the_same(known, register, keeps_moments)) {
            return None;
        }
        Some(RegisterWrite {
            id: id.clone(),
            at: (!keeps_moments).then_some(register.at),
            channel: register.channel.clone(),
            amount: register.amount,
            // What is answered now counts, however the clock was set.
            as_of: known.map_or(register.as_of, |known| known.as_of.max(register.as_of)),
            deleted: false,
        })
    });
    Ok(changed.collect())
}

fn says_the_same(known: &Register, said: &Register, keeps_moments: bool) -> bool {
    let is_then = keeps_moments || known.at == said.at;
    is_then && known.channel == said.channel && known.amount == said.amount && !known.deleted
}

/// The name and the text of how far an inquiry is.
impl From<(&str, &InquiryProgress)> for StoreProgress {
    fn from((definition, progress): (&str, &InquiryProgress)) -> Self {
        Self { name: InquiryProgress::name(definition), value: progress.text() }
    }
}
