//! Which of several operators works on a cluster. The others change nothing, and the next takes over when it has gone.
//!
//! | file | what it knows |
//! |---|---|
//! | `lease` | the Lease by which replicas in one namespace choose, and what follows from it |
//! | `election` | how it is read, watched and written |
//! | `tenure` | a time during which this replica holds it |
//! | `mark` | the mark by which operators in namespaces of their own know each other: replicas share it, and only the one that holds the lease writes it |

mod election;
mod lease;
pub mod mark;
mod standing;
mod tenure;

pub use election::run as elect;
pub use standing::{Leadership, LeadershipPart, LeadershipState};
#[cfg(test)]
pub use tenure::OthersTurn;
pub use tenure::{LeaseHold, Tenure};

use super::{clock, context::ControllerContext, failure::RequestRefusal, guarded::Guarded, output::FIELD_MANAGER};
use crate::{api::ASSIGNMENT_NAMESPACE, connection::Fenced};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Resource,
    api::{ListParams, ObjectMeta, PartialObjectMeta, Patch, PatchParams},
    runtime::watcher::Event,
};
use mark::{LeadershipStep, MARK, Mark, Sight, step};
use serde_json::json;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, sleep_until},
};

/// How often the log repeats that another operator works on the cluster.
const REMINDER: Duration = Duration::from_mins(1);
/// The tenure of who only reads, and needs none.
const READING: u64 = 0;
/// After a mark could not be written.
const RETRY: Duration = Duration::from_secs(1);

/// How far the end of taking part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Farewell {
    No,
    Asked,
    Said,
}

/// The end of taking part, for who takes part.
pub struct Resignation(watch::Sender<Farewell>);

impl Resignation {
    async fn asked(&mut self) {
        let _ = self.0.subscribe().wait_for(|farewell| *farewell >= Farewell::Asked).await;
    }

    fn answer(&self) {
        self.0.send_replace(Farewell::Said);
    }
}

/// What is known of the lease and of the namespace of grants, and what follows.
pub struct Candidacy {
    known: Mutex<AssignmentNamespace>,
    changed: Notify,
    standing: watch::Sender<LeadershipState>,
    holds: watch::Sender<LeaseHold>,
    farewell: watch::Sender<Farewell>,
}

struct AssignmentNamespace {
    /// None before it was seen once.
    sight: Option<Sight>,
    /// The namespace's version; None if it does not exist.
    version: Option<String>,
    is_listed: bool,
}

impl Default for Candidacy {
    fn default() -> Self {
        Self {
            known: Mutex::new(AssignmentNamespace { sight: None, version: None, is_listed: false }),
            changed: Notify::new(),
            standing: watch::Sender::new(LeadershipState::Unknown),
            holds: watch::Sender::new(LeaseHold::Unknown),
            farewell: watch::Sender::new(Farewell::No),
        }
    }
}

impl Candidacy {
    /// What others may know.
    pub fn leadership(&self) -> Leadership {
        Leadership { standing: self.standing.subscribe() }
    }

    /// Whether this operator works on the cluster, and may write still.
    pub fn leads(&self) -> bool {
        let standing = self.standing.borrow().clone();
        match standing {
            LeadershipState::Leads(READING) => true,
            LeadershipState::Leads(_) => self.tenure().is_some_and(|tenure| tenure.is_open()),
            LeadershipState::Unknown | LeadershipState::StandsBy | LeadershipState::Follows(_) => false,
        }
    }

    /// What is known of the lease, whenever it changes.
    pub fn holds(&self) -> watch::Receiver<LeaseHold> {
        self.holds.subscribe()
    }

    /// As if that had been found out.
    #[cfg(test)]
    pub fn stand(&self, standing: LeadershipState) {
        self.standing.send_replace(standing);
    }

    fn tenure(&self) -> Option<Arc<Tenure>> {
        match &*self.holds.borrow() {
            LeaseHold::Held(tenure) => Some(Arc::clone(tenure)),
            LeaseHold::Unknown | LeaseHold::Lost => None,
        }
    }

    fn ending(&self) -> Resignation {
        Resignation(self.farewell.clone())
    }

    /// Gives the lease up, if this replica holds it.
    pub async fn give_up(&self) {
        self.farewell.send_replace(Farewell::Asked);
        let _ = self.farewell.subscribe().wait_for(|farewell| *farewell == Farewell::Said).await;
    }

    fn known<R>(&self, access: impl FnOnce(&mut AssignmentNamespace) -> R) -> R {
        access(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes in an event of the watch of namespaces.
    pub fn observe(&self, event: &Event<Guarded<PartialObjectMeta<Namespace>>>) {
        let is_it = |metadata: &ObjectMeta| metadata.name.as_deref() == Some(ASSIGNMENT_NAMESPACE);
        match event {
            Event::Init => self.known(|known| known.is_listed = false),
            Event::Apply(namespace) | Event::InitApply(namespace) if is_it(namespace.meta()) => {
                self.saw(namespace.meta());
            }
            Event::Delete(namespace) if is_it(namespace.meta()) => self.lost(),
            Event::InitDone => {
                if !self.known(|known| known.is_listed) {
                    self.lost();
                }
            }
            Event::Apply(_) | Event::InitApply(_) | Event::Delete(_) => {}
        }
    }

    fn saw(&self, metadata: &ObjectMeta) {
        let version = |text: &str| text.parse::<u64>().unwrap_or(0);
        let new = metadata.resource_version.as_deref().unwrap_or_default();
        self.known(|known| {
            known.is_listed = true;
            // The watch may be behind what was written.
            if known.version.as_deref().is_some_and(|seen| version(seen) > version(new)) {
                return;
            }
            known.version = Some(new.to_owned());
            known.see(Mark::read(metadata));
        });
        self.changed.notify_one();
    }

    /// Without the namespace, nobody can have a mark: who has worked on the cluster goes on.
    fn lost(&self) {
        self.known(|known| known.version = None);
    }
}

impl AssignmentNamespace {
    fn see(&mut self, mark: Option<Mark>) {
        match &mut self.sight {
            Some(sight) if sight.mark == mark => {}
            Some(sight) => (sight.mark, sight.since) = (mark, Instant::now()),
            None => {
                self.sight = Some(Sight { mark, since: Instant::now(), is_second: false, has_asked: false });
            }
        }
    }
}

/// Finds out who works on the cluster, for ever.
pub async fn run(context: Arc<ControllerContext>) {
    if context.options.read_only {
        // It takes nothing from whoever works, and waits for nobody.
        context.candidacy.standing.send_replace(LeadershipState::Leads(READING));
        return std::future::pending().await;
    }
    let mut tale = Tale::default();
    let mut holds = context.candidacy.holds();
    loop {
        let hold = holds.borrow_and_update().clone();
        match hold {
            LeaseHold::Held(tenure) => {
                tokio::select! {
                    _ = holds.changed() => {}
                    () = among_operators(&context, &tenure, &mut tale) => {}
                }
                continue;
            }
            LeaseHold::Lost => drop(context.candidacy.standing.send_replace(LeadershipState::StandsBy)),
            LeaseHold::Unknown => {}
        }
        if holds.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

/// What was told and done because of it.
#[derive(Default)]
struct Tale {
    /// When it was said last that another operator works on the cluster.
    told: Option<Instant>,
    complaints: Complaints,
    /// The last turn of others, by its number, after which this operator has worked; 0: there may have been another one since.
    turn: u64,
}

/// Finds out which of the operators in several namespaces works on the cluster, as long as this replica holds the lease of its own.
async fn among_operators(context: &ControllerContext, tenure: &Tenure, tale: &mut Tale) {
    let candidacy = &context.candidacy;
    let own = context.options.namespace.as_str();
    // What is known of the mark may be old, if this replica was cut off before it got the lease.
    let mut is_confirmed = false;
    loop {
        let now = Instant::now();
        let question = format!("{own} {}", clock::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true));
        let next = candidacy.known(|known| {
            let sight = known.sight.as_mut()?;
            let Some(version) = known.version.clone() else {
                // Without the namespace nobody can have a mark: who has worked on the cluster goes on.
                let is_own = sight.mark.as_ref().is_some_and(|mark| mark.namespace == own);
                return is_own.then_some((LeadershipStep::Lead, None, None));
            };
            let step = step(sight, own, &question, context.options.patience, now);
            let leader = sight.mark.as_ref().map(|mark| mark.namespace.clone());
            if let Some(leader) = &leader {
                sight.is_second = leader != own;
            }
            Some((step, Some(version), leader))
        });
        let until = match next {
            Some((LeadershipStep::Lead, ..)) if !is_confirmed => {
                wait_for_former(candidacy, tenure).await;
                if let Err(refusal) = look(context).await {
                    tale.complaints.tell(context, &refusal);
                    sleep(RETRY).await;
                } else {
                    is_confirmed = true;
                }
                continue;
            }
            Some((LeadershipStep::Lead, ..)) => {
                lead(context, tenure, tale);
                None
            }
            Some((LeadershipStep::Follow(due), _, leader)) => {
                follow(candidacy, leader, own, tale);
                Some(due)
            }
            Some((LeadershipStep::Write(mark), Some(version), leader)) => {
                let takes_over = mark.namespace == own && leader.as_deref() != Some(own);
                if leader.as_deref().is_some_and(|leader| leader != own) {
                    follow(candidacy, leader, own, tale);
                }
                match write(context, tenure, &mark, &version).await {
                    // It was as it is stored, and named nobody of this namespace.
                    Ok(()) => is_confirmed |= takes_over,
                    Err(refusal) => {
                        tale.complaints.tell(context, &refusal);
                        // The news is under way, mostly.
                        tokio::select! {
                            () = candidacy.changed.notified() => {}
                            () = sleep(RETRY) => {}
                        }
                    }
                }
                continue;
            }
            Some((LeadershipStep::Write(_), None, _)) | None => None,
        };
        let reminder = tale.told.map(|told| told + REMINDER);
        tokio::select! {
            () = candidacy.changed.notified() => {}
            () = maybe(until) => {}
            () = maybe(reminder) => {}
        }
    }
}

/// A replica of this namespace has worked. It may still, if this one has found no Lease.
async fn wait_for_former(candidacy: &Candidacy, tenure: &Tenure) {
    let wait = tenure.undisputed.saturating_duration_since(Instant::now());
    if wait.is_zero() {
        return;
    }
    candidacy.standing.send_replace(LeadershipState::StandsBy);
    tracing::info!(
        "the Lease is new though an operator of this namespace has worked before: in {wait:.0?}, that one has stopped"
    );
    sleep_until(tenure.undisputed).await;
}

async fn maybe(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn lead(context: &ControllerContext, tenure: &Tenure, tale: &mut Tale) {
    let standing = &context.candidacy.standing;
    let leads = LeadershipState::Leads(tenure.number);
    if *standing.borrow() == leads {
        return;
    }
    // Nobody takes anything up between what was known before and what is begun anew.
    standing.send_replace(LeadershipState::Unknown);
    let turn = std::mem::replace(&mut tale.turn, tenure.turn.number);
    context.begin_anew(turn != tenure.turn.number);
    standing.send_replace(leads);
    if tale.told.take().is_some() {
        tracing::info!("the other operator has gone: this one works on the cluster from now on");
    }
}

/// Where a mark has just been taken off, nobody knows yet.
fn follow(candidacy: &Candidacy, leader: Option<String>, own: &str, tale: &mut Tale) {
    let Some(leader) = leader else { return };
    candidacy.standing.send_replace(LeadershipState::Follows(leader.as_str().into()));
    // Whatever this one did before, the other has worked since.
    tale.turn = 0;
    if tale.told.is_none_or(|told| told.elapsed() >= REMINDER) {
        tale.told = Some(Instant::now());
        tracing::warn!("{}", words(&leader, own));
    }
}

/// Looks at the mark as it is stored now.
async fn look(context: &ControllerContext) -> Result<(), RequestRefusal> {
    let api: Api<Namespace> = Api::all(context.gate.reader());
    let only = ListParams::default().fields(&format!("metadata.name={ASSIGNMENT_NAMESPACE}"));
    let found = api.list_metadata(&only).await.map_err(|error| RequestRefusal::of(&error))?;
    match found.items.first() {
        Some(namespace) => context.candidacy.saw(&namespace.metadata),
        None => context.candidacy.lost(),
    }
    Ok(())
}

/// What is said of another operator that works on the cluster.
#[must_use]
pub fn words(leader: &str, own: &str) -> String {
    format!(
        "the operator of namespace {leader} works on this cluster: that of {own} changes nothing, and takes over when the other has gone"
    )
}

/// Writes a mark, if the namespace is still as it was seen.
async fn write(context: &ControllerContext, tenure: &Tenure, mark: &Mark, version: &str) -> Result<(), RequestRefusal> {
    let written = patch(tenure, mark, version).await?;
    context.candidacy.known(|known| {
        if let Some(sight) = &mut known.sight {
            sight.has_asked |= mark.namespace != context.options.namespace;
        }
    });
    context.candidacy.saw(&written);
    Ok(())
}

/// Tells why a mark could not be written, once a minute.
#[derive(Default)]
struct Complaints(Option<Instant>);

impl Complaints {
    fn tell(&mut self, context: &ControllerContext, refusal: &RequestRefusal) {
        // The news is under way, or it is told already.
        let is_told =
            matches!(refusal, RequestRefusal::Changed | RequestRefusal::Gone) || context.outages.is_of_the_server();
        let is_told = is_told || !context.candidacy.tenure().is_some_and(|tenure| tenure.is_open());
        if is_told || self.0.is_some_and(|last| last.elapsed() < REMINDER) {
            return;
        }
        self.0 = Some(Instant::now());
        tracing::warn!(
            "the operator's mark on the namespace {ASSIGNMENT_NAMESPACE} could not be written, and is tried again: {refusal}"
        );
    }
}

/// The gate is closed until it is known who works.
async fn patch(tenure: &Tenure, mark: &Mark, version: &str) -> Result<ObjectMeta, RequestRefusal> {
    let text = serde_json::to_string(mark).map_err(|error| RequestRefusal::Invalid(error.to_string()))?;
    let patch = json!({"metadata": {"resourceVersion": version, "annotations": {MARK: text}}});
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let client = tenure.client().ok_or_else(|| RequestRefusal::Unavailable(Fenced.to_string()))?;
    let api: Api<Namespace> = Api::all(client);
    let patched = api.patch_metadata(ASSIGNMENT_NAMESPACE, &parameters, &Patch::Merge(patch)).await;
    patched.map(|object| object.metadata).map_err(|error| RequestRefusal::of(&error))
}

#[cfg(test)]
mod tests;
