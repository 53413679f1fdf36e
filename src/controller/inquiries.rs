//! Asks Prometheus what is used, for each definition that says so, as long as this replica works on the cluster.
//!
//! Each definition is asked for by itself, a few at once, so that one whose query is slow holds up no other.

use super::{clock, context::ControllerContext, world::WorkItem};
use crate::{
    api::usage::UsageMode,
    core::{
        calendar,
        usage::{
            answer::PrometheusProblem,
            buckets::BucketProgress,
            inquiry::InquiryProgress,
            recount::{RecountRecord, RecountSpan},
            rules::UsageRules,
        },
    },
    evaluation::{
        decision::Decision,
        status::metered::{PrometheusStanding, StoreStanding},
    },
    metering::{InquiryAnswer, SourceHearing},
    prometheus::{PrometheusLook, PrometheusSource, UsageQuestion},
    store::StoreProgress,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, Semaphore},
    task::JoinSet,
    time::{Instant, sleep_until},
};

/// For how many definitions Prometheus is asked at once.
const AT_ONCE: usize = 8;
/// How soon what was answered in part is asked for on.
const SOON: Duration = Duration::from_secs(1);
/// How long nothing is looked at where nothing is due: whoever changes something says so.
const IDLE: Duration = Duration::from_mins(1);

/// What is known of asking Prometheus, for all others.
#[derive(Default)]
pub struct Inquiries {
    wake: Notify,
    standings: Mutex<BTreeMap<Arc<str>, PrometheusStanding>>,
    since: Mutex<AskedSince>,
    /// What became of the requests to count anew.
    recounts: Mutex<BTreeMap<Arc<str>, RecountRecord>>,
}

/// Since when definitions are asked for.
#[derive(Default)]
struct AskedSince {
    /// Since when each was asked for last.
    last: BTreeMap<Arc<str>, calendar::Instant>,
    /// Those that are to be asked for since an earlier moment now.
    earlier: BTreeSet<Arc<str>>,
}

/// A definition that Prometheus is asked for.
struct Asked {
    rules: Arc<UsageRules>,
    /// The request to count it anew, as it is written.
    recount: Option<String>,
    due: Instant,
    /// How many looks in a row came to nothing.
    failures: u32,
    is_under_way: bool,
    /// It is to be asked for once more, right after the look that is under way.
    is_hurried: bool,
}

/// What came of a look, and of keeping it.
struct Finished {
    definition: Arc<str>,
    rules: Arc<UsageRules>,
    era: (u64, u64),
    /// None where the store did not answer.
    outcome: Option<LookOutcome>,
}

struct LookOutcome {
    standing: PrometheusStanding,
    hearing: SourceHearing,
    is_behind: bool,
}

/// The task.
struct Inquirer {
    context: Arc<ControllerContext>,
    source: PrometheusSource,
    slots: Arc<Semaphore>,
    /// The tenure, and which beginning with a store.
    era: (u64, u64),
    asked: BTreeMap<Arc<str>, Asked>,
}

impl Inquiries {
    /// Something may be to be asked for that was not before.
    pub fn notice(&self) {
        self.wake.notify_one();
    }

    fn standings(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, PrometheusStanding>> {
        self.standings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it stands with asking for a definition.
    pub fn standing(&self, definition: &str) -> Option<PrometheusStanding> {
        self.standings().get(definition).cloned()
    }

    /// For which definitions Prometheus answers.
    pub fn answering(&self) -> BTreeMap<String, bool> {
        let answers = |standing: &PrometheusStanding| matches!(standing, PrometheusStanding::Answers(_));
        self.standings().iter().map(|(definition, standing)| (definition.to_string(), answers(standing))).collect()
    }

    /// Where an organization counts since an earlier moment than what was asked for, it is asked for now.
    pub fn decided(&self, decision: &Decision) {
        let asked_for = decision.meters.iter().filter(|(_, meter)| meter.rules.prometheus.is_some());
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        let AskedSince { last, earlier } = &mut *since;
        for (definition, meter) in asked_for {
            let counts = meter.counts_since(decision.at);
            if counts.zip(last.get(definition)).is_some_and(|(counts, asked)| counts < *asked) {
                earlier.insert(Arc::clone(definition));
                self.wake.notify_one();
            }
        }
    }

    fn asks_since(&self, definition: &Arc<str>, moment: calendar::Instant) {
        self.since.lock().unwrap_or_else(PoisonError::into_inner).last.insert(Arc::clone(definition), moment);
    }

    fn take_earlier(&self) -> BTreeSet<Arc<str>> {
        std::mem::take(&mut self.since.lock().unwrap_or_else(PoisonError::into_inner).earlier)
    }

    /// What became of the last request to count a definition anew, as far as it is known.
    pub fn recount(&self, definition: &str) -> Option<RecountRecord> {
        self.recounts.lock().unwrap_or_else(PoisonError::into_inner).get(definition).cloned()
    }

    /// Whether that is news.
    fn recounted(&self, definition: &Arc<str>, record: &RecountRecord) -> bool {
        let mut recounts = self.recounts.lock().unwrap_or_else(PoisonError::into_inner);
        recounts.insert(Arc::clone(definition), record.clone()).as_ref() != Some(record)
    }

    /// Whether that is news.
    fn stand(&self, definition: &Arc<str>, standing: PrometheusStanding) -> bool {
        let before = self.standings().insert(Arc::clone(definition), standing.clone());
        before != Some(standing)
    }
}

impl ControllerContext {
    /// How it stands with asking Prometheus for a definition.
    pub fn prometheus_standing(&self, definition: &str) -> PrometheusStanding {
        if self.options.prometheus.is_none() {
            return PrometheusStanding::Absent;
        }
        self.inquiries.standing(definition).unwrap_or(PrometheusStanding::Opening)
    }
}

/// Asks as long as the controller runs. It never ends, as no part of the controller does.
pub async fn run(context: Arc<ControllerContext>) {
    let source = context.options.prometheus.clone().filter(|_| context.meters.has_store());
    let Some(source) = source else { return std::future::pending().await };
    context.knows_everything().await;
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut inquirer = Inquirer { context, source, slots, era: (0, 0), asked: BTreeMap::new() };
    let mut looks: JoinSet<Finished> = JoinSet::new();
    loop {
        let next = inquirer.begin(&mut looks);
        let context = Arc::clone(&inquirer.context);
        tokio::select! {
            () = context.inquiries.wake.notified() => {}
            () = sleep_until(next) => {}
            Some(Ok(finished)) = looks.join_next(), if !looks.is_empty() => inquirer.finish(finished),
        }
    }
}

impl Inquirer {
    /// Begins all looks that are due. When the next one is.
    fn begin(&mut self, looks: &mut JoinSet<Finished>) -> Instant {
        let now = Instant::now();
        let works = matches!(self.context.meters.standing(), StoreStanding::Works | StoreStanding::Replaced(_));
        let Some(tenure) = self.context.gate.tenure_number().filter(|_| works) else { return now + SOON };
        let era = (tenure, self.context.meters.beginnings());
        if self.era != era {
            // Nothing is known of what the store has.
            self.era = era;
            self.asked.clear();
        }
        self.take_rules(now);
        for definition in self.context.inquiries.take_earlier() {
            if let Some(asked) = self.asked.get_mut(&definition).filter(|asked| asked.failures == 0) {
                (asked.due, asked.is_hurried) = (now, asked.is_under_way);
            }
        }
        for (definition, asked) in self.asked.iter_mut().filter(|(_, asked)| !asked.is_under_way && asked.due <= now) {
            asked.is_under_way = true;
            let (context, source) = (Arc::clone(&self.context), self.source.clone());
            let (slots, definition, rules) =
                (Arc::clone(&self.slots), Arc::clone(definition), Arc::clone(&asked.rules));
            looks.spawn(async move {
                let _slot = slots.acquire().await;
                let outcome = look(&context, &source, &definition, &rules).await;
                Finished { definition, rules, era, outcome }
            });
        }
        let waiting = self.asked.values().filter(|asked| !asked.is_under_way);
        waiting.map(|asked| asked.due).min().unwrap_or(now + IDLE).min(now + IDLE)
    }

    /// What is to be asked for is that of the definitions as they serve now.
    fn take_rules(&mut self, now: Instant) {
        let (rules, recounts) = self.context.world(|world| (world.rules_of_prometheus(), world.asked_recounts()));
        self.asked.retain(|definition, _| rules.contains_key(definition));
        self.context.inquiries.standings().retain(|definition, _| rules.contains_key(definition));
        for (definition, rules) in rules {
            match self.asked.get_mut(&definition) {
                Some(asked) if asked.rules == rules => {}
                Some(asked) => (asked.rules, asked.due, asked.failures) = (rules, now, 0),
                None => {
                    let asked =
                        Asked { rules, recount: None, due: now, failures: 0, is_under_way: false, is_hurried: false };
                    self.asked.insert(definition, asked);
                }
            }
        }
        for (definition, asked) in &mut self.asked {
            let recount = recounts.get(definition);
            if asked.recount.as_ref() != recount {
                (asked.recount, asked.due, asked.is_hurried) = (recount.cloned(), now, asked.is_under_way);
            }
        }
    }

    fn finish(&mut self, finished: Finished) {
        let Finished { definition, rules, era, outcome } = finished;
        let Some(asked) = self.asked.get_mut(&definition).filter(|_| era == self.era) else { return };
        asked.is_under_way = false;
        let is_answer = outcome.as_ref().is_some_and(|outcome| outcome.hearing.answers);
        asked.failures = if is_answer { 0 } else { asked.failures.saturating_add(1) };
        if asked.rules == rules && !std::mem::take(&mut asked.is_hurried) {
            asked.due = Instant::now() + pause(&rules, asked.failures, outcome.as_ref());
        }
        if let Some(outcome) = outcome {
            self.tell(&definition, outcome);
        }
    }

    /// Says what came of it where that is news: once to the log, in the definition's status, and to those whose usage it is.
    fn tell(&self, definition: &Arc<str>, outcome: LookOutcome) {
        let context = &self.context;
        let was_silent = matches!(context.inquiries.standing(definition), Some(PrometheusStanding::Silent(_)));
        let (problems, is_silent) =
            (outcome.standing.problems(), matches!(outcome.standing, PrometheusStanding::Silent(_)));
        if context.inquiries.stand(definition, outcome.standing) {
            match (is_silent, was_silent) {
                (true, false) => tracing::warn!(%definition, problems, "Prometheus does not tell what is used"),
                (false, true) => tracing::info!(%definition, "Prometheus tells what is used again"),
                _ => tracing::debug!(%definition, problems, "Prometheus was asked what is used"),
            }
            context.queue.add(WorkItem::Definition(Arc::clone(definition)));
        }
        hear(context, definition, outcome.hearing);
    }
}

fn pause(rules: &UsageRules, failures: u32, outcome: Option<&LookOutcome>) -> Duration {
    let rule = rules.prometheus.as_ref();
    let pause = match outcome.zip(rule).filter(|_| failures == 0) {
        Some((outcome, _)) if outcome.is_behind => return SOON,
        Some((_, rule)) => rules.pause_after_answer(rule, clock::now()),
        None => rules.pause_after_failures(failures),
    };
    pause.to_std().unwrap_or(SOON)
}

/// One look at what is used of a definition.
struct UsageLook<'a> {
    context: &'a ControllerContext,
    definition: &'a Arc<str>,
    rules: &'a UsageRules,
    /// What is known of asking for it.
    kept: Option<InquiryProgress>,
    /// What became of the request to count it anew, where there is one that may be done.
    recount: Option<RecountRecord>,
}

/// Asks for what is used of a definition, and has it kept. None where the store does not answer.
async fn look(
    context: &ControllerContext,
    source: &PrometheusSource,
    definition: &Arc<str>,
    rules: &UsageRules,
) -> Option<LookOutcome> {
    let kept = context.meters.progress_of(InquiryProgress::name(definition)).await?;
    let kept = kept.as_deref().and_then(InquiryProgress::read);
    if let Some(kept) = kept.as_ref().filter(|_| context.meters.hearing(definition).is_none()) {
        // Until Prometheus has answered it is as old as it was.
        hear(context, definition, SourceHearing { heard: Some(kept.heard), answers: false });
    }
    let recount = recount(context, definition, rules).await?;
    UsageLook { context, definition, rules, kept, recount }.take(source).await
}

/// The request to count a definition anew, with what became of it. None where the store does not answer.
async fn recount(
    context: &ControllerContext,
    definition: &Arc<str>,
    rules: &UsageRules,
) -> Option<Option<RecountRecord>> {
    let Some(request) = context.world(|world| world.asked_recount(definition)) else { return Some(None) };
    let span = RecountSpan::read(&request);
    if span.and_then(|span| span.check(Some(rules), clock::now())).is_err() {
        return Some(None);
    }
    let kept = context.meters.progress_of(RecountRecord::name(definition)).await?;
    let kept = kept.as_deref().and_then(RecountRecord::read).filter(|kept| kept.request == request);
    Some(Some(kept.unwrap_or(RecountRecord::new(request))))
}

/// What was heard of a definition. Those whose usage it is are worked on where that is news.
fn hear(context: &ControllerContext, definition: &Arc<str>, hearing: SourceHearing) {
    if context.meters.hear(definition, hearing) {
        let concerned = context.decisions.metering(definition).into_iter();
        context.queue.add_all(concerned.map(|(organization, _)| WorkItem::Organization(organization)));
    }
}

impl UsageLook<'_> {
    async fn take(mut self, source: &PrometheusSource) -> Option<LookOutcome> {
        let now = clock::now();
        let organizations: BTreeSet<Arc<str>> = self.context.world(|world| world.organization_names());
        let decided = self.context.decisions.metering(self.definition);
        let since = decided.iter().filter_map(|(_, meter)| meter.counts_since(now)).min().unwrap_or(now).min(now);
        self.context.inquiries.asks_since(self.definition, since);
        let known = self.kept.as_ref().and_then(|kept| kept.buckets.as_ref());
        let question = UsageQuestion { rules: self.rules, known, organizations: &organizations, since, now };
        let look = match self.recount.as_ref().and_then(span_to_count) {
            Some(span) => source.recount(&question, span.from, span.to).await,
            None => source.look(&question).await,
        };
        self.note_recount(&look);
        self.keep(look).await
    }

    /// What becomes of the request to count anew. While Prometheus is away it stays open; what it says against it is final.
    fn note_recount(&mut self, look: &PrometheusLook) {
        let Some(recount) = self.recount.as_mut().filter(|recount| !recount.done) else { return };
        let is_answer = look.heard.is_some();
        let is_behind = look.progress.as_ref().is_some_and(BucketProgress::is_behind);
        let is_away = !is_answer && look.problems.iter().all(PrometheusProblem::is_of_prometheus);
        recount.begun = is_answer;
        recount.done = !(is_away || is_answer && is_behind);
        recount.problems = look.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    }

    async fn keep(self, look: PrometheusLook) -> Option<LookOutcome> {
        let PrometheusLook { registers, progress, problems, heard } = look;
        let standing = PrometheusStanding::of(problems, heard.is_some());
        let is_behind = progress.as_ref().is_some_and(BucketProgress::is_behind);
        let noted = self
            .recount
            .as_ref()
            .map(|recount| StoreProgress { name: RecountRecord::name(self.definition), value: recount.text() });
        let known = self.kept.as_ref().map(|kept| kept.heard);
        let progress = heard.map(|heard| InquiryProgress { heard, buckets: progress });
        let progress = progress.as_ref().map(|progress| (&**self.definition, progress).into());
        let answer = InquiryAnswer {
            definition: Arc::clone(self.definition),
            registers,
            keeps_moments: self.rules.mode == UsageMode::Held,
            progress: progress.into_iter().chain(noted).collect(),
        };
        if !answer.progress.is_empty() && !self.context.meters.keep(answer).await {
            return None;
        }
        if let Some(recount) = &self.recount
            && self.context.inquiries.recounted(self.definition, recount)
        {
            self.context.queue.add(WorkItem::Definition(Arc::clone(self.definition)));
        }
        let hearing = SourceHearing { heard: heard.or(known), answers: heard.is_some() };
        Some(LookOutcome { standing, hearing, is_behind })
    }
}

/// What is still to be begun of a request; what has begun goes on by itself.
fn span_to_count(recount: &RecountRecord) -> Option<RecountSpan> {
    let has_begun = recount.done || recount.begun;
    if has_begun { None } else { RecountSpan::read(&recount.request).ok() }
}
