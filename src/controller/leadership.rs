//! Which of several operators works on a cluster, if they run in namespaces of their own. The others change nothing, and the
//! next takes over when it has gone.
//!
//! Replicas in one namespace are one operator here: they share its mark.

pub mod mark;

use super::{clock, context::ControllerContext, failure::RequestRefusal, gate::Gate, output::FIELD_MANAGER};
use crate::api::ASSIGNMENT_NAMESPACE;
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api,
    api::{ObjectMeta, PartialObjectMeta, Patch, PatchParams},
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
/// After a mark could not be written.
const RETRY: Duration = Duration::from_secs(1);

/// Whether this operator works on the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeadershipState {
    /// Not known yet.
    Unknown,
    /// It does.
    Leads,
    /// The operator of that namespace does.
    Follows(Arc<str>),
}

/// What others may know of it.
#[derive(Clone, Debug)]
pub struct Leadership {
    standing: watch::Receiver<LeadershipState>,
}

impl Leadership {
    /// The leadership of an operator that is alone.
    #[cfg(test)]
    #[must_use]
    pub fn for_good() -> Self {
        Self { standing: watch::channel(LeadershipState::Leads).1 }
    }

    /// Whether this operator works on the cluster.
    #[must_use]
    pub fn leads(&self) -> bool {
        *self.standing.borrow() == LeadershipState::Leads
    }

    /// Waits until it does.
    pub async fn awaited(&self) {
        // The other end lives as long as the controller does.
        let _ = self.standing.clone().wait_for(|standing| *standing == LeadershipState::Leads).await;
    }
}

/// What is known of the namespace of grants, and what follows.
pub struct Candidacy {
    known: Mutex<AssignmentNamespace>,
    changed: Notify,
    standing: watch::Sender<LeadershipState>,
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
        }
    }
}

impl Candidacy {
    /// What others may know.
    pub fn leadership(&self) -> Leadership {
        Leadership { standing: self.standing.subscribe() }
    }

    /// Whether this operator works on the cluster.
    pub fn leads(&self) -> bool {
        *self.standing.borrow() == LeadershipState::Leads
    }

    fn known<R>(&self, access: impl FnOnce(&mut AssignmentNamespace) -> R) -> R {
        access(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes in an event of the watch of namespaces.
    pub fn observe(&self, event: &Event<PartialObjectMeta<Namespace>>) {
        let is_it = |metadata: &ObjectMeta| metadata.name.as_deref() == Some(ASSIGNMENT_NAMESPACE);
        match event {
            Event::Init => self.known(|known| known.is_listed = false),
            Event::Apply(namespace) | Event::InitApply(namespace) if is_it(&namespace.metadata) => {
                self.saw(&namespace.metadata);
            }
            Event::Delete(namespace) if is_it(&namespace.metadata) => self.lost(),
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
    let candidacy = &context.candidacy;
    if context.options.read_only {
        // It takes nothing from whoever works, and waits for nobody.
        candidacy.standing.send_replace(LeadershipState::Leads);
        return std::future::pending().await;
    }
    let own = context.options.namespace.as_str();
    let (mut told, mut complaints) = (None, Complaints(None));
    loop {
        let now = Instant::now();
        let question = format!("{own} {}", clock::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true));
        let next = candidacy.known(|known| {
            let version = known.version.clone()?;
            let sight = known.sight.as_mut()?;
            let step = step(sight, own, &question, context.options.patience, now);
            let leader = sight.mark.as_ref().map(|mark| mark.namespace.clone());
            if let Some(leader) = &leader {
                sight.is_second = leader != own;
            }
            Some((step, version, leader))
        });
        let until = match next {
            None => None,
            Some((LeadershipStep::Lead, ..)) => {
                lead(candidacy, &mut told);
                None
            }
            Some((LeadershipStep::Follow(due), _, leader)) => {
                follow(candidacy, leader, own, &mut told);
                Some(due)
            }
            Some((LeadershipStep::Write(mark), version, leader)) => {
                if leader.as_deref().is_some_and(|leader| leader != own) {
                    follow(candidacy, leader, own, &mut told);
                }
                if let Err(refusal) = write(&context, &mark, &version).await {
                    complaints.tell(&context, &refusal);
                    sleep(RETRY).await;
                }
                continue;
            }
        };
        let reminder = told.map(|told| told + REMINDER);
        tokio::select! {
            () = candidacy.changed.notified() => {}
            () = maybe(until) => {}
            () = maybe(reminder) => {}
        }
    }
}

async fn maybe(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn lead(candidacy: &Candidacy, told: &mut Option<Instant>) {
    if candidacy.standing.send_replace(LeadershipState::Leads) != LeadershipState::Leads && told.take().is_some() {
        tracing::info!("the other operator has gone: this one works on the cluster from now on");
    }
}

/// Where a mark has just been taken off, nobody knows yet.
fn follow(candidacy: &Candidacy, leader: Option<String>, own: &str, told: &mut Option<Instant>) {
    let Some(leader) = leader else { return };
    candidacy.standing.send_replace(LeadershipState::Follows(leader.as_str().into()));
    if told.is_none_or(|told| told.elapsed() >= REMINDER) {
        *told = Some(Instant::now());
        tracing::warn!("{}", words(&leader, own));
    }
}

/// What is said of another operator that works on the cluster.
#[must_use]
pub fn words(leader: &str, own: &str) -> String {
    format!(
        "the operator of namespace {leader} works on this cluster: that of {own} changes nothing, and takes over when the other has gone"
    )
}

/// Writes a mark, if the namespace is still as it was seen.
async fn write(context: &ControllerContext, mark: &Mark, version: &str) -> Result<(), RequestRefusal> {
    let written = patch(&context.gate, mark, version).await?;
    context.candidacy.known(|known| {
        if let Some(sight) = &mut known.sight {
            sight.has_asked |= mark.namespace != context.options.namespace;
        }
    });
    context.candidacy.saw(&written);
    Ok(())
}

/// Tells why a mark could not be written, once a minute.
struct Complaints(Option<Instant>);

impl Complaints {
    fn tell(&mut self, context: &ControllerContext, refusal: &RequestRefusal) {
        // The news is under way, or it is told already.
        let is_told =
            matches!(refusal, RequestRefusal::Changed | RequestRefusal::Gone) || context.outages.is_of_the_server();
        if is_told || self.0.is_some_and(|last| last.elapsed() < REMINDER) {
            return;
        }
        self.0 = Some(Instant::now());
        tracing::warn!(
            "the operator's mark on the namespace {ASSIGNMENT_NAMESPACE} could not be written, and is tried again: {refusal}"
        );
    }
}

async fn patch(gate: &Gate, mark: &Mark, version: &str) -> Result<ObjectMeta, RequestRefusal> {
    let text = serde_json::to_string(mark).map_err(|error| RequestRefusal::Invalid(error.to_string()))?;
    let patch = json!({"metadata": {"resourceVersion": version, "annotations": {MARK: text}}});
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let api: Api<Namespace> = Api::all(gate.client());
    let patched = api.patch_metadata(ASSIGNMENT_NAMESPACE, &parameters, &Patch::Merge(patch)).await;
    patched.map(|object| object.metadata).map_err(|error| RequestRefusal::of(&error))
}
