//! Takes part in the choice among the replicas of one namespace: reads, watches and writes their Lease.
//!
//! The Lease is read and written by the client that no fence holds back. Everything else is written by the client of a tenure,
//! behind a fence that is open as long as this replica may work.

use super::{
    lease::{LeaseCandidate, LeaseRecord, LeaseStep},
    tenure::{LeaseHold, OthersTurn, Tenure},
};
use crate::{
    connection::{BootTime, Cause, Fence, WATCH_MARGIN, WATCH_SECONDS, moment},
    controller::{clock, context::ControllerContext, output::FIELD_MANAGER},
    installation::NAME,
};
use futures::TryStreamExt;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::Timestamp,
};
use kube::{
    Api, Error,
    api::{ObjectMeta, PostParams, WatchEvent, WatchParams},
};
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    time::{Instant, sleep, timeout},
};

/// After a watch has ended.
const WATCH_PAUSE: Duration = Duration::from_millis(200);
/// After a watch has failed.
const WATCH_RETRY: Duration = Duration::from_secs(1);
/// How often the log repeats that the Lease cannot be read or written.
const REMINDER: Duration = Duration::from_mins(1);
/// How often giving it up is tried.
const FAREWELLS: usize = 3;
/// How long one of these may take.
const FAREWELL_LIMIT: Duration = Duration::from_secs(1);

/// Takes part until the controller ends, and gives the lease up then.
pub async fn run(context: Arc<ControllerContext>) {
    let mut ends = context.candidacy.ending();
    if context.options.read_only {
        ends.asked().await;
        ends.answer();
        return std::future::pending().await;
    }
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut election = Election::new(&context);
    let api = election.api.clone();
    let mut watching = pin!(follow(&context, &api, &tell));
    loop {
        tokio::select! {
            () = &mut watching => {}
            () = election.go_on(&mut told) => {}
            () = ends.asked() => break,
        }
    }
    election.give_up().await;
    ends.answer();
    std::future::pending::<()>().await;
}

/// What the watch tells.
enum LeaseNews {
    Is(Box<Lease>),
    Gone(u64),
}

/// Tells of every change of the Lease, for ever.
async fn follow(context: &ControllerContext, api: &Api<Lease>, tell: &UnboundedSender<LeaseNews>) {
    const WHAT: &str = "leases";
    let parameters = WatchParams::default().fields(&format!("metadata.name={NAME}")).timeout(WATCH_SECONDS);
    let limit = Duration::from_secs(WATCH_SECONDS.into()) + WATCH_MARGIN;
    loop {
        // It begins with what is there.
        let failure = match api.watch(&parameters, "0").await {
            Ok(events) => {
                context.outages.works(WHAT);
                let mut events = pin!(events);
                while let Ok(Ok(Some(event))) = timeout(limit, events.try_next()).await {
                    let news = match event {
                        WatchEvent::Added(lease) | WatchEvent::Modified(lease) => LeaseNews::Is(Box::new(lease)),
                        WatchEvent::Deleted(lease) => LeaseNews::Gone(version(&lease)),
                        WatchEvent::Bookmark(_) => continue,
                        WatchEvent::Error(_) => break,
                    };
                    let _ = tell.send(news);
                }
                None
            }
            Err(error) => Some(Cause::of(&error)),
        };
        let pause = if failure.is_some() { WATCH_RETRY } else { WATCH_PAUSE };
        if let Some(cause) = failure {
            context.outages.failed(WHAT, cause);
        }
        sleep(pause).await;
    }
}

fn version(lease: &Lease) -> u64 {
    lease.metadata.resource_version.as_deref().and_then(|version| version.parse().ok()).unwrap_or(0)
}

/// Gives a lease up as other controllers do, and takes out the time at which it was taken: whoever only takes the holder out, while
/// that one works, does not do that.
fn clear(spec: &mut LeaseSpec) {
    (spec.holder_identity, spec.lease_duration_seconds) = (Some(String::new()), Some(1));
    (spec.renew_time, spec.acquire_time) = (now(), None);
}

fn record(lease: &Lease) -> LeaseRecord {
    let spec = lease.spec.as_ref();
    let seconds = spec.and_then(|spec| spec.lease_duration_seconds).and_then(|seconds| u64::try_from(seconds).ok());
    let holder = spec.and_then(|spec| spec.holder_identity.clone()).unwrap_or_default();
    LeaseRecord {
        version: version(lease),
        is_given_up: holder.is_empty() && seconds == Some(1) && spec.is_some_and(|spec| spec.acquire_time.is_none()),
        holder,
        duration: seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs),
    }
}

/// By connections of its own, so that none waits for those that others have left half open. No fence is before it.
fn api(context: &ControllerContext) -> Api<Lease> {
    let client = context.writers.client(&Arc::new(Fence::until(BootTime::MAX)));
    Api::namespaced(client.unwrap_or_else(|_| context.gate.reader()), &context.options.namespace)
}

/// What one replica does for it.
struct Election<'a> {
    context: &'a ControllerContext,
    api: Api<Lease>,
    candidate: LeaseCandidate,
    /// The Lease of the version that the candidate knows.
    known: Option<Lease>,
    tenures: u64,
    /// The last time during which others may have worked.
    turn: OthersTurn,
    /// From when on nobody works by a Lease that was deleted before this replica made one.
    undisputed: Instant,
    /// Who was said to work last.
    told: Option<String>,
    complained: Option<Instant>,
}

impl<'a> Election<'a> {
    fn new(context: &'a ControllerContext) -> Self {
        let options = &context.options;
        Self {
            context,
            api: api(context),
            candidate: LeaseCandidate::new(options.identity.clone(), options.lease_duration),
            known: None,
            tenures: 0,
            turn: OthersTurn { number: 0, ended: Instant::now() },
            undisputed: Instant::now(),
            told: None,
            complained: None,
        }
    }

    /// Does what there is to do now, or waits for it.
    async fn go_on(&mut self, told: &mut UnboundedReceiver<LeaseNews>) {
        while let Ok(news) = told.try_recv() {
            self.hear(news);
        }
        let now = moment();
        self.publish(now);
        match self.candidate.step(now) {
            LeaseStep::Read => self.read().await,
            LeaseStep::Write => self.write().await,
            LeaseStep::Wait(until) => {
                tokio::select! {
                    () = sleep(until.saturating_sub(now)) => {}
                    Some(news) = told.recv() => self.hear(news),
                }
            }
        }
        self.publish(moment());
    }

    fn hear(&mut self, news: LeaseNews) {
        match news {
            LeaseNews::Is(lease) => {
                self.candidate.saw(record(&lease), moment());
                self.keep(*lease);
            }
            LeaseNews::Gone(version) => self.candidate.saw_gone(version, moment()),
        }
    }

    /// Keeps the Lease whose version is known now.
    fn keep(&mut self, lease: Lease) {
        if self.candidate.version() == Some(version(&lease)) {
            self.known = Some(lease);
        }
    }

    async fn read(&mut self) {
        match timeout(self.candidate.patience(), self.api.get_opt(NAME)).await {
            Ok(Ok(Some(lease))) => {
                self.candidate.read(record(&lease), moment());
                self.keep(lease);
            }
            Ok(Ok(None)) => self.candidate.read_none(moment()),
            Ok(Err(error)) => self.failed("read", Some(&error)),
            Err(_) => self.failed("read", None),
        }
    }

    async fn write(&mut self) {
        let parameters = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let proposed = self.proposed();
        if self.candidate.finds_none() {
            self.undisputed = Instant::now() + self.candidate.duration();
        }
        self.candidate.tries();
        // The lease lasts from now on, however long the answer takes.
        let sent = moment();
        let limit = self.candidate.patience();
        let answer = match self.candidate.version() {
            Some(_) => timeout(limit, self.api.replace(NAME, &parameters, &proposed)).await,
            None => timeout(limit, self.api.create(&parameters, &proposed)).await,
        };
        match answer {
            Ok(Ok(lease)) => {
                self.candidate.wrote(record(&lease), sent, moment());
                self.keep(lease);
                self.complained = None;
            }
            Ok(Err(error)) => self.failed("written", Some(&error)),
            Err(_) => self.failed("written", None),
        }
    }

    /// The Lease with this replica as its holder. Whatever else stands in it stays.
    fn proposed(&self) -> Lease {
        let known = self.candidate.version().and(self.known.as_ref());
        let metadata = || ObjectMeta {
            name: Some(NAME.to_owned()),
            namespace: Some(self.context.options.namespace.clone()),
            ..ObjectMeta::default()
        };
        let mut lease = known.cloned().unwrap_or_else(|| Lease { metadata: metadata(), spec: None });
        lease.metadata.managed_fields = None;
        let now = now();
        let spec = lease.spec.get_or_insert_with(LeaseSpec::default);
        let own = self.candidate.identity();
        if spec.holder_identity.as_deref() != Some(own) {
            spec.acquire_time.clone_from(&now);
            let before = spec.lease_transitions.unwrap_or(0).max(0);
            spec.lease_transitions = Some(if known.is_some() { before.saturating_add(1) } else { 0 });
        }
        spec.holder_identity = Some(own.to_owned());
        spec.lease_duration_seconds = i32::try_from(self.candidate.duration().as_secs()).ok();
        spec.renew_time = now;
        lease
    }

    fn failed(&mut self, what: &str, error: Option<&Error>) {
        let has_changed = matches!(error, Some(Error::Api(status)) if matches!(status.code, 404 | 409));
        self.candidate.failed(has_changed, moment());
        let cause = error.map_or(Cause::Silent, Cause::of);
        if !matches!(error, Some(Error::Api(_))) {
            self.api = api(self.context);
        }
        tracing::debug!(%cause, "the lease could not be {what}");
        if has_changed || self.complained.is_some_and(|last| last.elapsed() < REMINDER) {
            return;
        }
        self.complained = Some(Instant::now());
        if !self.context.outages.is_of_the_server() {
            let namespace = &self.context.options.namespace;
            tracing::warn!("the Lease {namespace}/{NAME} could not be {what}, and is tried again: {cause}");
        }
    }

    /// Tells everybody whether this replica may work, and until when.
    fn publish(&mut self, now: BootTime) {
        let holder = self.candidate.holder();
        let is_other = holder.is_some_and(|holder| holder != self.candidate.identity());
        let holds = &self.context.candidacy.holds;
        let tenure = match &*holds.borrow() {
            LeaseHold::Held(tenure) => Some(Arc::clone(tenure)),
            LeaseHold::Unknown | LeaseHold::Lost => None,
        };
        match (self.candidate.works(now), tenure) {
            (Some(until), Some(tenure)) if tenure.fence.is_open() => tenure.fence.extend(until),
            (Some(until), _) => self.begin(until),
            (None, Some(tenure)) => {
                tenure.fence.close();
                holds.send_replace(LeaseHold::Lost);
                if let Some(holder) = holder.filter(|_| is_other) {
                    tracing::warn!("{holder} holds the lease now: this replica writes nothing more");
                } else if self.candidate.version().is_none() {
                    tracing::warn!("the Lease was deleted: this replica writes nothing until it holds one again");
                } else {
                    tracing::warn!(
                        "the lease could not be renewed in time: this replica writes nothing until it holds it again"
                    );
                }
                self.told = holder.filter(|_| is_other).map(str::to_owned);
            }
            (None, None) => {
                if self.candidate.is_informed() {
                    holds.send_if_modified(|hold| {
                        let is_news = matches!(hold, LeaseHold::Unknown);
                        *hold = LeaseHold::Lost;
                        is_news
                    });
                }
                if let Some(holder) = holder.filter(|holder| is_other && self.told.as_deref() != Some(*holder)) {
                    tracing::info!(
                        "{holder} holds the lease: this replica stands by, and takes over when the other has gone"
                    );
                    self.told = Some(holder.to_owned());
                }
            }
        }
    }

    fn begin(&mut self, until: BootTime) {
        let fence = Arc::new(Fence::until(until));
        let client = match self.context.writers.client(&fence) {
            Ok(client) => client,
            Err(error) => {
                tracing::warn!("this replica holds the lease, and cannot work: {error}");
                return;
            }
        };
        self.tenures += 1;
        tracing::info!(identity = self.candidate.identity(), "this replica holds the lease: it is the one that works");
        if self.candidate.succeeds() {
            self.turn = OthersTurn { number: self.turn.number + 1, ended: self.undisputed.max(Instant::now()) };
        }
        let tenure = Tenure::new(self.tenures, fence, client, self.turn, self.undisputed);
        self.context.candidacy.holds.send_replace(LeaseHold::Held(Arc::new(tenure)));
        self.told = None;
    }

    /// Lets the next one take over at once. Nothing is written any more when this is said.
    async fn give_up(&mut self) {
        let candidacy = &self.context.candidacy;
        let tenure = candidacy.tenure();
        let has_worked = tenure.as_ref().is_some_and(|tenure| candidacy.leadership().works_in(tenure));
        candidacy.holds.send_replace(LeaseHold::Lost);
        if let Some(tenure) = &tenure {
            tenure.fence.close();
        }
        self.candidate.gives_up();
        // Whoever held a Lease that was deleted may work still: the next one waits for that, as this one has.
        if !self.candidate.may_hold() || (!has_worked && Instant::now() < self.undisputed) {
            return;
        }
        if tenure.is_none() {
            // It was being written when this was asked for, and nobody has heard what came of it.
            self.read_anew().await;
        }
        for _ in 0..FAREWELLS {
            let Some(mut lease) = self.known.clone() else { return };
            let spec = lease.spec.get_or_insert_with(LeaseSpec::default);
            if spec.holder_identity.as_deref() != Some(self.candidate.identity()) {
                return;
            }
            clear(spec);
            let parameters = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
            if let Ok(Ok(_)) = timeout(FAREWELL_LIMIT, self.api.replace(NAME, &parameters, &lease)).await {
                tracing::info!("this replica has given up the lease");
                return;
            }
            // A renewal was under way, perhaps.
            self.read_anew().await;
        }
    }

    async fn read_anew(&mut self) {
        if let Ok(Ok(found)) = timeout(FAREWELL_LIMIT, self.api.get_opt(NAME)).await {
            self.known = found;
        }
    }
}

fn now() -> Option<MicroTime> {
    let now = clock::now();
    Timestamp::from_microsecond(now.timestamp_micros()).ok().map(MicroTime)
}

#[cfg(test)]
mod tests;
