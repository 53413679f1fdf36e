//! Asks [`admission`] about a request, with what the controller knows.

use super::{
    named::{are_known, references},
    review::Request,
};
use crate::{
    api::{EntitlementDefinition, EntitlementInstance, FacetDefinition, Organization},
    controller::{Knowledge, clock},
    core::{calendar::Instant, grant::GrantId},
    evaluation::admission::{self, Verdict},
};
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::{
    Client, Resource,
    core::{DynamicObject, ObjectMeta},
};
use serde::de::DeserializeOwned;
use std::{sync::Arc, time::Duration};
use tokio::{sync::Semaphore, task::spawn_blocking, time};

/// What the controller knows is a moment behind what is stored, and manifests are applied together with what they name: so a
/// no is thought over after these times, and is no answer where what is named is not known as it is stored.
const SECOND_THOUGHTS: [Duration; 3] =
    [Duration::from_millis(50), Duration::from_millis(150), Duration::from_millis(400)];
/// An answer that comes later is not waited for.
const DEADLINE: Duration = Duration::from_millis(2500);
/// Questions that are thought about at once; others wait.
const CONCURRENCY: usize = 4;

/// Reasons that say that something which is named does not exist.
const MISSING: [&str; 4] = ["OrganizationNotFound", "DefinitionNotFound", "FacetNotFound", "RenewalInvalid"];

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// What there is has not been listed yet.
    #[error("the operator does not know the cluster yet")]
    NotReady,
    /// It would take too long.
    #[error("the operator has too much to do")]
    Busy,
    /// A mistake of the operator.
    #[error("the review did not come to its end: report it, with the operator's log")]
    Broken,
}

/// Answers questions.
#[derive(Clone)]
pub struct Judge {
    client: Client,
    knowledge: Knowledge,
    allows_missing: bool,
    places: Arc<Semaphore>,
}

impl Judge {
    /// With what the controller knows. What names something that does not exist can be allowed, with a warning.
    pub fn new(client: Client, knowledge: Knowledge, allows_missing: bool) -> Self {
        Self { client, knowledge, allows_missing, places: Arc::new(Semaphore::new(CONCURRENCY)) }
    }

    /// What is said of a change.
    ///
    /// # Errors
    /// Where nothing is: the API server goes on without an answer.
    pub async fn judge(&self, request: &Arc<Request>) -> Result<Verdict, NoAnswer> {
        if !self.knowledge.is_ready() {
            return Err(NoAnswer::NotReady);
        }
        time::timeout(DEADLINE, self.consider(request)).await.unwrap_or(Err(NoAnswer::Busy))
    }

    async fn consider(&self, request: &Arc<Request>) -> Result<Verdict, NoAnswer> {
        let mut said = self.think(request).await?;
        for wait in SECOND_THOUGHTS {
            if is_yes(said.as_ref()) {
                break;
            }
            time::sleep(wait).await;
            said = self.think(request).await?;
        }
        if is_yes(said.as_ref()) {
            return Ok(said.unwrap_or_default());
        }
        let references = references(request);
        // A watch may be further behind than that; and what it has caught up with meanwhile has not been thought about.
        let are_known = are_known(&self.client, &self.knowledge, &references).await;
        let said = if are_known { self.think(request).await? } else { None };
        let mut said = said.unwrap_or_else(|| unchecked("something that it depends on is still being read"));
        if self.allows_missing && references.iter().any(|reference| self.knowledge.state(reference).is_none()) {
            let missing = said.refused.take_if(|refused| MISSING.contains(&refused.reason));
            said.warnings.extend(missing.map(|refused| refused.to_string()));
        }
        Ok(said)
    }

    /// None where something that is needed for it is not known yet.
    async fn think(&self, request: &Arc<Request>) -> Result<Option<Verdict>, NoAnswer> {
        let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return Err(NoAnswer::Busy) };
        let (knowledge, request) = (self.knowledge.clone(), Arc::clone(request));
        let thought = spawn_blocking(move || {
            let _place = place;
            review(&knowledge, &request, clock::now())
        });
        thought.await.map_err(|_| NoAnswer::Broken)
    }
}

fn is_yes(said: Option<&Verdict>) -> bool {
    said.is_some_and(|verdict| verdict.refused.is_none())
}

fn unchecked(why: &str) -> Verdict {
    Verdict { refused: None, warnings: vec![format!("it was not checked: {why}; its status will say what is wrong")] }
}

fn review(knowledge: &Knowledge, request: &Request, now: Instant) -> Option<Verdict> {
    let kind = request.resource.resource.as_str();
    let review = match kind {
        _ if is_of::<EntitlementInstance>(kind) => of_instance,
        _ if is_of::<EntitlementDefinition>(kind) => of_definition,
        _ if is_of::<FacetDefinition>(kind) => of_facet,
        _ if is_of::<Organization>(kind) => of_organization,
        _ => return Some(Verdict::default()),
    };
    match review(knowledge, request, now) {
        Ok(verdict) => verdict,
        Err(error) => Some(unchecked(&format!("this version of the operator cannot read it ({error})"))),
    }
}

fn is_of<K: Resource<DynamicType = ()>>(plural: &str) -> bool {
    K::plural(&()) == plural
}

type Reviewed = Result<Option<Verdict>, serde_json::Error>;

/// An object before and after; absent where it is made, or deleted.
fn states<K: DeserializeOwned>(request: &Request) -> Result<(Option<K>, Option<K>), serde_json::Error> {
    let read = |object: &Option<DynamicObject>| {
        object.clone().map(|object| serde_json::to_value(object).and_then(serde_json::from_value))
    };
    Ok((read(&request.old_object).transpose()?, read(&request.object).transpose()?))
}

fn of_instance(knowledge: &Knowledge, request: &Request, now: Instant) -> Reviewed {
    let (before, mut after) = states::<EntitlementInstance>(request)?;
    if let Some(instance) = &mut after {
        date(instance.meta_mut(), now);
    }
    let Some(spec) = after.as_ref().or(before.as_ref()).map(|instance| &instance.spec) else { return Ok(None) };
    let id = GrantId::new(request.namespace.as_deref().unwrap_or_default(), &name(request));
    let known = |instance: Option<&EntitlementInstance>| {
        knowledge.with_grant(&spec.organization, &spec.definition, &id, instance)
    };
    let snapshots = known(before.as_ref()).zip(known(after.as_ref()));
    Ok(snapshots.map(|(before, after)| admission::review_instance(&before, &after, &id, now)))
}

fn of_organization(knowledge: &Knowledge, request: &Request, now: Instant) -> Reviewed {
    let (before, mut after) = states::<Organization>(request)?;
    if let Some(organization) = &mut after {
        date(organization.meta_mut(), now);
    }
    let known = |organization: Option<&Organization>| knowledge.with_organization(&name(request), organization);
    let snapshots = known(before.as_ref()).zip(known(after.as_ref()));
    Ok(snapshots.map(|(before, after)| admission::review_organization(&before, &after, now)))
}

fn of_definition(knowledge: &Knowledge, request: &Request, now: Instant) -> Reviewed {
    let (before, after) = states::<EntitlementDefinition>(request)?;
    let (before, after) = (before.map(|definition| definition.spec), after.map(|definition| definition.spec));
    let both = before.iter().chain(&after);
    let schemas = knowledge.schemas(both.flat_map(|spec| &spec.facets).filter_map(|facet| facet.definition.as_deref()));
    let name: Arc<str> = name(request).into();
    let used = knowledge.definition_use(&name);
    Ok(Some(admission::review_definition(&name, before.as_ref(), after.as_ref(), &schemas, &used, now)))
}

fn of_facet(knowledge: &Knowledge, request: &Request, now: Instant) -> Reviewed {
    let (before, after) = states::<FacetDefinition>(request)?;
    let (before, after) = (before.map(|facet| facet.spec.schema), after.map(|facet| facet.spec.schema));
    let users = knowledge.facet_users(&name(request));
    Ok(Some(admission::review_facet(&name(request), before.as_ref(), after.as_ref(), &users, now)))
}

/// How old an object is decides over what it gets. One that is being made is made now.
fn date(metadata: &mut ObjectMeta, now: Instant) {
    let created = || Time(Timestamp::from_second(now.timestamp()).unwrap_or_default());
    metadata.creation_timestamp.get_or_insert_with(created);
}

/// A request to create may leave the name to the API server.
fn name(request: &Request) -> String {
    let object = request.object.as_ref().and_then(|object| object.metadata.name.clone());
    object.unwrap_or_else(|| request.name.clone())
}
