//! Carries out what was planned in tenants' namespaces, and says what came of it.

use super::{
    context::Context,
    failure::Refusal,
    scope::{Deleted, Occupant, Scope},
    world::WorkItem,
};
use crate::{
    api::entitlement_definition::OnEnd,
    evaluation::{
        object::{ObjectContent, ObjectKey},
        plan::{Change, Delivery, Observed, Outcomes, Owner, Withdrawal},
    },
};
use std::{collections::BTreeMap, sync::Arc};

/// How often a request may fail for want of the API server before a status says so: most of the time it is back by then,
/// and a status would be written twice for nothing.
const SILENT_FAILURES: u32 = 3;

/// Carries out the plan of one organization.
pub struct Applier<'a> {
    context: &'a Context,
    scope: &'a Scope,
    owner: &'a Owner,
    observed: &'a BTreeMap<ObjectKey, Arc<Observed>>,
    failures: u32,
}

/// What came of one object.
struct Written {
    key: ObjectKey,
    /// None where nothing can be said yet.
    delivery: Option<Delivery>,
    /// It has to be tried again.
    retry: bool,
}

/// Looks again at foreign objects, and returns those names that are free now.
pub async fn look(context: &Context, scope: &Scope, organization: &Arc<str>, keys: Vec<ObjectKey>) -> Vec<ObjectKey> {
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
    /// Of the organization of the scope; `observed` is what the plan was made for.
    pub fn new(
        context: &'a Context,
        scope: &'a Scope,
        owner: &'a Owner,
        observed: &'a BTreeMap<ObjectKey, Arc<Observed>>,
    ) -> Self {
        let failures = context.queue.failures(&WorkItem::Organization(Arc::clone(&owner.name)));
        Self { context, scope, owner, observed, failures }
    }

    /// Makes objects and puts them right. True if some have to be tried again.
    pub async fn write(&self, changes: Vec<(ObjectKey, Change, Arc<ObjectContent>)>, outcomes: &mut Outcomes) -> bool {
        let writes = changes.into_iter().map(|(key, change, content)| self.carry_out(key, change, content)).collect();
        let results = self.context.gate.run_all(writes).await;
        let retry = results.iter().any(|written| written.retry);
        outcomes.deliveries.extend(results.into_iter().filter_map(|written| Some((written.key, written.delivery?))));
        retry
    }

    /// Deletes objects, or labels them as no longer in force. True if some have to be tried again.
    pub async fn withdraw(&self, withdrawals: Vec<Withdrawal>, outcomes: &mut Outcomes) -> bool {
        let withdrawals = withdrawals.into_iter().map(|one| async { (self.end(&one).await.err(), one) }).collect();
        let mut retry = false;
        for (refusal, withdrawal) in self.context.gate.run_all(withdrawals).await {
            let Some(refusal) = refusal else { continue };
            retry = true;
            if let (Some(id), Some(message)) = (withdrawal.instance, self.lasting(&refusal)) {
                outcomes.stuck.insert(id, format!("{} could not be withdrawn: {message}", withdrawal.key));
            }
        }
        retry
    }

    async fn end(&self, withdrawal: &Withdrawal) -> Result<(), Refusal> {
        match withdrawal.on_end {
            OnEnd::Delete => self.delete(&withdrawal.key).await,
            OnEnd::Retain => self.retain(&withdrawal.key).await,
        }
    }

    async fn retain(&self, key: &ObjectKey) -> Result<(), Refusal> {
        let observed = self.observed.get(key).ok_or(Refusal::Changed)?;
        match self.scope.retain(key, observed).await {
            Ok(retained) => {
                self.context.world(|world| world.wrote_output(key, retained));
                Ok(())
            }
            Err(Refusal::Gone | Refusal::NamespaceMissing) => {
                self.context.world(|world| world.output_is_gone(&self.owner.name, key, &observed.uid));
                Ok(())
            }
            Err(refusal) => Err(refusal),
        }
    }

    async fn carry_out(&self, key: ObjectKey, change: Change, content: Arc<ObjectContent>) -> Written {
        let written = match &change {
            Change::Create => self.scope.create(&key, &content).await,
            Change::Update(edit) => self.scope.update(&key, &content, edit).await,
            Change::Recreate => self.recreate(&key, &content).await,
        };
        match written {
            Ok(observed) => {
                self.context.world(|world| world.wrote_output(&key, observed));
                Written { key, delivery: Some(Delivery::Done), retry: false }
            }
            Err(refusal) => self.settle(key, refusal).await,
        }
    }

    async fn recreate(&self, key: &ObjectKey, content: &ObjectContent) -> Result<Observed, Refusal> {
        self.delete(key).await?;
        self.scope.create(key, content).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), Refusal> {
        let observed = self.observed.get(key).ok_or(Refusal::Changed)?;
        match self.scope.withdraw(key, observed).await {
            Ok(Deleted::Gone) | Err(Refusal::Gone | Refusal::NamespaceMissing) => {
                self.context.world(|world| world.output_is_gone(&self.owner.name, key, &observed.uid));
                Ok(())
            }
            Ok(Deleted::Held(held)) => {
                self.context.world(|world| world.wrote_output(key, held));
                Ok(())
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// What a refusal means for an object that should be there.
    async fn settle(&self, key: ObjectKey, refusal: Refusal) -> Written {
        let (delivery, retry) = match refusal {
            Refusal::Exists => self.meet(&key).await,
            Refusal::NamespaceMissing => (Some(Delivery::NamespaceMissing), false),
            Refusal::Gone => {
                if let Some(observed) = self.observed.get(&key) {
                    self.context.world(|world| world.output_is_gone(&self.owner.name, &key, &observed.uid));
                }
                (None, true)
            }
            Refusal::Changed => (None, true),
            other => {
                tracing::warn!(organization = %self.owner.name, object = %key, error = %other, "an output could not be written");
                (self.lasting(&other).map(Delivery::Failed), true)
            }
        };
        Written { key, delivery, retry }
    }

    /// Something has the name already: another's object, or one of ours that the watch has not shown yet.
    async fn meet(&self, key: &ObjectKey) -> (Option<Delivery>, bool) {
        match self.scope.inspect(key).await {
            Ok(Occupant::Foreign) => {
                tracing::info!(organization = %self.owner.name, object = %key, "an object of another has the name of an output");
                self.context.world(|world| world.found_foreign(&self.owner.name, key.clone()));
                (Some(Delivery::Conflict), false)
            }
            Ok(Occupant::Own | Occupant::Nobody) => (None, true),
            Err(refusal) => (self.lasting(&refusal).map(Delivery::Failed), true),
        }
    }

    /// What a status says of a failure, if it says anything.
    fn lasting(&self, refusal: &Refusal) -> Option<String> {
        match refusal {
            Refusal::Denied(message) => Some(message.clone()),
            Refusal::OutOfScope(_) => Some(refusal.to_string()),
            // The details of an outage change from one attempt to the next, and each change would be a write.
            Refusal::Unavailable(_) if self.failures >= SILENT_FAILURES => {
                Some("the API server did not take it, and is asked again".to_owned())
            }
            _ => None,
        }
    }
}
