//! Carries out what was planned in tenants' namespaces, and reports the results.

use super::{
    attempts::{DueWork, OfOrganization},
    context::ControllerContext,
    failure::RequestRefusal,
    put_back,
    scope::{Deleted, Occupant, OrganizationScope},
    warnings::warn_of,
    world::WorkItem,
};
use crate::{
    api::entitlement_definition::OnEnd,
    evaluation::{
        object::{ObjectContent, ObjectKey},
        plan::{Delivery, Fingerprint, Meddling, ObjectWrite, Observed, Outcomes, Owner, Stuck, Withdrawal},
    },
};
use std::{collections::BTreeMap, sync::Arc};
use tokio::time::Instant;

/// How often a request may fail for want of the API server before a status says so: most of the time it is back by then,
/// and a status would be written twice for nothing.
const SILENT_FAILURES: u32 = 3;

/// Carries out the plan of one organization.
pub struct Applier<'a> {
    context: &'a ControllerContext,
    scope: &'a OrganizationScope,
    owner: &'a Owner,
    observed: &'a BTreeMap<ObjectKey, Arc<Observed>>,
    failures: u32,
}

/// What is left to do.
#[derive(Debug, Default)]
pub struct Left {
    /// Some of it has to be tried again.
    pub retry: bool,
    /// There is more, which should follow at once.
    pub has_more: bool,
    /// When something that waits is worth another try.
    pub next: Option<Instant>,
}

impl Left {
    /// What a choice leaves undone.
    pub fn by<T>(choice: &DueWork<T>) -> Self {
        Self { retry: false, has_more: choice.has_more, next: choice.next }
    }

    /// Something was tried in vain: it waits until then, or has to be tried again soon.
    pub fn fail(&mut self, due: Option<Instant>) {
        self.retry |= due.is_none();
        self.next = [self.next, due].into_iter().flatten().min();
    }
}

/// An object that is to be made or put right.
struct WriteTask {
    key: ObjectKey,
    change: ObjectWrite,
    content: Arc<ObjectContent>,
    what: Fingerprint,
}

/// What came of one object.
struct WriteResult {
    key: ObjectKey,
    /// None where nothing can be said yet.
    delivery: Option<Delivery>,
    next: Next,
}

/// What follows of one object.
enum Next {
    /// Nothing, until something changes.
    Nothing,
    /// Others are worth a try now.
    Others,
    /// It was tried in vain, and waits until then, or has to be tried again soon.
    Again(Option<Instant>),
}

/// Looks again at foreign objects, and returns those names that are free now.
pub async fn look(
    context: &ControllerContext,
    scope: &OrganizationScope,
    organization: &Arc<str>,
    keys: Vec<ObjectKey>,
) -> Vec<ObjectKey> {
    let looks = keys.into_iter().map(|key| async { (scope.inspect(&key).await, key) }).collect();
    let mut free = Vec::new();
    for (occupant, key) in context.gate.run_all(looks).await {
        if matches!(occupant, Ok(Occupant::Foreign) | Err(_)) {
            context.world(|world| world.found_foreign(organization, key));
            continue;
        }
        context.world(|world| world.foreign_is_gone(organization, &key));
        free.push(key);
    }
    free
}

impl<'a> Applier<'a> {
    /// Carries out a plan for the organization of the scope; `observed` is what the plan was made for.
    pub fn new(
        context: &'a ControllerContext,
        scope: &'a OrganizationScope,
        owner: &'a Owner,
        observed: &'a BTreeMap<ObjectKey, Arc<Observed>>,
    ) -> Self {
        let failures = context.queue.failures(&WorkItem::Organization(Arc::clone(owner.name())));
        Self { context, scope, owner, observed, failures }
    }

    fn attempts<R>(&self, access: impl FnOnce(&mut OfOrganization) -> R) -> R {
        self.context.attempts(self.owner.name(), access)
    }

    /// Makes objects and puts them right.
    pub async fn write(
        &self,
        changes: Vec<(ObjectKey, ObjectWrite, Arc<ObjectContent>)>,
        outcomes: &mut Outcomes,
    ) -> Left {
        let work = changes.into_iter().map(|(key, change, content)| {
            let what = of_change(&change, &content);
            (key.clone(), what, WriteTask { key, change, content, what })
        });
        let choice = self.attempts(|all| all.writes.choose(work.collect(), Instant::now()));
        let mut left = Left::by(&choice);
        let waiting = choice.waiting.into_iter().map(|(task, why)| (task.key, Delivery::Failed(why)));
        outcomes.deliveries.extend(waiting);
        let writes = choice.now.into_iter().map(|task| self.carry_out(task)).collect();
        for written in self.context.gate.run_all(writes).await {
            match written.next {
                Next::Nothing => {}
                Next::Others => left.has_more = true,
                Next::Again(due) => left.fail(due),
            }
            outcomes.deliveries.extend(written.delivery.map(|delivery| (written.key, delivery)));
        }
        left
    }

    /// Deletes objects, or labels them as no longer in force.
    pub async fn withdraw(&self, withdrawals: Vec<Withdrawal>, outcomes: &mut Outcomes) -> Left {
        let work = withdrawals.into_iter().map(|withdrawal| {
            let what = of_state(withdrawal.uid(), withdrawal.version());
            (withdrawal.key().clone(), what, (withdrawal, what))
        });
        let choice = self.attempts(|all| all.withdrawals.choose(work.collect(), Instant::now()));
        let mut left = Left::by(&choice);
        for ((withdrawal, _), why) in choice.waiting {
            stick(&withdrawal, &why, outcomes);
        }
        let now = choice.now.into_iter();
        let ends = now.map(|(withdrawal, what)| async move { (self.end(&withdrawal).await, withdrawal, what) });
        for (result, withdrawal, what) in self.context.gate.run_all(ends.collect()).await {
            let key = withdrawal.key();
            match result {
                Ok(held) => {
                    left.has_more |= self.attempts(|all| all.withdrawals.done(key, what, Instant::now()));
                    let stuck = |held: Box<Observed>| Stuck::held(withdrawal.made_for().cloned(), key, &held);
                    outcomes.stuck.extend(held.map(stuck));
                }
                Err(refusal) => {
                    let fail =
                        |all: &mut OfOrganization| all.withdrawals.failed(key.clone(), what, &refusal, Instant::now());
                    left.fail(self.attempts(fail));
                    if let Some(why) = self.lasting(&refusal) {
                        stick(&withdrawal, &why, outcomes);
                    }
                }
            }
        }
        left
    }

    /// What holds the object, if something does.
    async fn end(&self, withdrawal: &Withdrawal) -> Result<Option<Box<Observed>>, RequestRefusal> {
        if let Some(intentions) = self.context.gate.intentions() {
            let action = match withdrawal.on_end() {
                OnEnd::Delete => "delete",
                OnEnd::Retain => "retain",
            };
            let what = Fingerprint::of_pairs([("", withdrawal.uid().as_bytes())]);
            intentions.tell(action, Some(self.owner.name()), withdrawal.key(), what);
            return Ok(None);
        }
        match withdrawal.on_end() {
            OnEnd::Delete => self.delete(withdrawal).await,
            OnEnd::Retain => self.retain(withdrawal).await.map(|()| None),
        }
    }

    async fn retain(&self, withdrawal: &Withdrawal) -> Result<(), RequestRefusal> {
        match self.scope.retain(withdrawal).await {
            Ok(retained) => {
                self.wrote(withdrawal.key(), retained);
                Ok(())
            }
            Err(RequestRefusal::Gone | RequestRefusal::NamespaceMissing) => {
                self.is_gone(withdrawal.key(), withdrawal.uid());
                Ok(())
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// What it was before others changed it, if they did.
    fn wrote(&self, key: &ObjectKey, observed: Observed) -> Option<Arc<Observed>> {
        self.context.world(|world| world.wrote_output(self.owner.name(), key, observed))
    }

    fn is_gone(&self, key: &ObjectKey, uid: &Arc<str>) {
        self.context.world(|world| world.output_is_gone(self.owner.name(), key, uid));
    }

    async fn carry_out(&self, task: WriteTask) -> WriteResult {
        let WriteTask { key, change, content, what } = task;
        if let Some(intentions) = self.context.gate.intentions() {
            intentions.tell(action_of(&change), Some(self.owner.name()), &key, of_content(&content));
            return WriteResult { key, delivery: Some(Delivery::Done), next: Next::Nothing };
        }
        let written = match &change {
            ObjectWrite::Create => self.scope.create(&key, &content).await,
            ObjectWrite::Update(edit) => self.scope.update(&key, &content, edit).await,
            ObjectWrite::Recreate(withdrawal) => self.recreate(withdrawal, &content).await,
        };
        match written {
            Ok(observed) => {
                let before = self.wrote(&key, observed);
                let found = self.observed.get(&key).map(AsRef::as_ref);
                if let Some(meddling) = Meddling::of(&content, found, before.as_deref()) {
                    put_back::tell(self.context, self.owner, &key, &content, meddling);
                }
                let is_hopeful = self.attempts(|all| all.writes.done(&key, what, Instant::now()));
                let next = if is_hopeful { Next::Others } else { Next::Nothing };
                WriteResult { key, delivery: Some(Delivery::Done), next }
            }
            Err(refusal) => self.settle(key, what, refusal).await,
        }
    }

    /// What could not be made anew is not deleted either: an error never withdraws.
    async fn recreate(&self, withdrawal: &Withdrawal, content: &ObjectContent) -> Result<Observed, RequestRefusal> {
        self.scope.try_out(withdrawal.key(), content).await?;
        if self.delete(withdrawal).await?.is_some() {
            return Err(RequestRefusal::Changed);
        }
        self.scope.create(withdrawal.key(), content).await
    }

    async fn delete(&self, withdrawal: &Withdrawal) -> Result<Option<Box<Observed>>, RequestRefusal> {
        match self.scope.withdraw(withdrawal).await {
            Ok(Deleted::Gone) | Err(RequestRefusal::Gone | RequestRefusal::NamespaceMissing) => {
                self.is_gone(withdrawal.key(), withdrawal.uid());
                Ok(None)
            }
            Ok(Deleted::Held(held)) => {
                self.wrote(withdrawal.key(), (*held).clone());
                Ok(Some(held))
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// What a refusal means for an object that should be there.
    async fn settle(&self, key: ObjectKey, what: Fingerprint, refusal: RequestRefusal) -> WriteResult {
        let refusal = match refusal {
            RequestRefusal::NamespaceMissing => {
                return WriteResult { key, delivery: Some(Delivery::NamespaceMissing), next: Next::Nothing };
            }
            RequestRefusal::Exists => match self.meet(&key).await {
                Ok(()) => return WriteResult { key, delivery: Some(Delivery::Conflict), next: Next::Nothing },
                Err(refusal) => refusal,
            },
            other => other,
        };
        match &refusal {
            RequestRefusal::Gone => {
                if let Some(observed) = self.observed.get(&key) {
                    self.is_gone(&key, &observed.uid);
                }
            }
            RequestRefusal::Changed | RequestRefusal::Exists => {}
            other => {
                warn_of!(self.context, "an output could not be written", organization = %self.owner.name(), object = %key, error = %other);
            }
        }
        let due = self.attempts(|all| all.writes.failed(key.clone(), what, &refusal, Instant::now()));
        WriteResult { key, delivery: self.lasting(&refusal).map(Delivery::Failed), next: Next::Again(due) }
    }

    /// Something has the name already: another's object, or one of ours that the watch has not shown yet.
    async fn meet(&self, key: &ObjectKey) -> Result<(), RequestRefusal> {
        match self.scope.inspect(key).await? {
            Occupant::Foreign => {
                tracing::debug!(organization = %self.owner.name(), object = %key, "somebody else's object has the name of an output");
                self.context.world(|world| world.found_foreign(self.owner.name(), key.clone()));
                Ok(())
            }
            Occupant::Own | Occupant::Nobody => Err(RequestRefusal::Changed),
        }
    }

    /// What a status says of a failure, if it says anything.
    fn lasting(&self, refusal: &RequestRefusal) -> Option<String> {
        match refusal {
            RequestRefusal::Invalid(message) | RequestRefusal::Denied(message) => Some(message.clone()),
            RequestRefusal::OutOfScope(_) => Some(refusal.to_string()),
            // The details of an outage change from one attempt to the next, and each change would be a write.
            RequestRefusal::Unavailable(_) if self.failures >= SILENT_FAILURES => {
                Some("the API server did not take it, and is asked again".to_owned())
            }
            _ => None,
        }
    }
}

/// What is said of an object that could not be withdrawn.
fn stick(withdrawal: &Withdrawal, why: &str, outcomes: &mut Outcomes) {
    let message = format!("{} could not be withdrawn: {why}", withdrawal.key());
    outcomes.stuck.push(Stuck::new(withdrawal.made_for().cloned(), message));
}

fn action_of(change: &ObjectWrite) -> &'static str {
    match change {
        ObjectWrite::Create => "create",
        ObjectWrite::Update(_) => "update",
        ObjectWrite::Recreate(_) => "recreate",
    }
}

/// The fingerprint of what an object should hold.
fn of_content(content: &ObjectContent) -> Fingerprint {
    let pairs = content.labels.iter().chain(&content.annotations);
    Fingerprint::of_pairs(pairs.map(|(key, value)| (key.as_str(), value.as_bytes())))
}

/// The fingerprint of a write and its content. Labels and annotations are enough: the hash of the data is among them.
fn of_change(change: &ObjectWrite, content: &ObjectContent) -> Fingerprint {
    let (kind, uid, version) = match change {
        ObjectWrite::Create => ("create", "", 0),
        ObjectWrite::Update(edit) => ("update", &*edit.uid, edit.version),
        ObjectWrite::Recreate(withdrawal) => ("recreate", &**withdrawal.uid(), withdrawal.version()),
    };
    let version = version.to_be_bytes();
    let type_ = content.data.secret_type().unwrap_or_default();
    let content = content.labels.iter().chain(&content.annotations);
    let content = content.map(|(key, value)| (key.as_str(), value.as_bytes()));
    let change = [(kind, uid.as_bytes()), (type_, version.as_slice())];
    Fingerprint::of_pairs(change.into_iter().chain(content))
}

/// The fingerprint of the state of an object.
fn of_state(uid: &str, version: u64) -> Fingerprint {
    Fingerprint::of_pairs([(uid, version.to_be_bytes().as_slice())])
}
