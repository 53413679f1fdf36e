//! Which objects are listed, and how objects that the caller may not see are reported.

use super::{
    ClusterError, Scope,
    error::{explain, is_forbidden},
};
use crate::{
    api::{
        ASSIGNMENT_NAMESPACE, EntitlementDefinition, EntitlementInstance, EntitlementOverride, EntitlementPlan,
        EntitlementSubscription, EntitlementUsage, FacetDefinition, GROUP, Organization, OverrideDecision, VERSION,
    },
    cli::{
        diagnostics::{Excerpt, Finding, Severity, SourceLocation},
        manifests::{Document, DocumentOrigin, Manifests, SecretValues},
    },
    controller::{guarded::Guarded, leadership::mark::Mark},
    core::{name, secret::Secret},
    evaluation::{
        SecretName, SecretSources,
        catalogue::Revision,
        object::{MANAGED_BY, MANAGER},
    },
    installation::OPERATOR_NAMESPACE,
    offline::{EntitlementKind, Inventory, Subject},
};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::{
    apps::v1::ControllerRevision,
    core::v1::{Namespace, Secret as SecretObject},
};
use kube::{
    Api, Client, Resource,
    api::{ApiResource, DynamicObject, ListParams, ObjectMeta, PartialObjectMeta},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The reason of what was not seen.
pub const NOT_SEEN: &str = "NotSeen";

/// How many objects one answer holds at most.
const PAGE: u32 = 500;
/// How many requests are under way at once.
const AT_ONCE: usize = 16;

const ASK_ADMIN: &str = "ask for the role entitlements-view in the cluster (the right to view the kinds of entitlements.dev), or give manifests with -f";
const NAME_NAMESPACES: &str = "name those that you may read with -n, or ask for the right to view them all";

/// Reads a cluster.
pub struct ClusterReader<'a> {
    client: Client,
    url: String,
    scope: &'a Scope,
    manifests: Manifests,
}

impl<'a> ClusterReader<'a> {
    /// Reads by that client, which reaches that address.
    pub fn new(client: Client, url: String, scope: &'a Scope) -> Self {
        let manifests = Manifests {
            inventory: Inventory::new(scope.created, scope.operator_namespace.as_deref().unwrap_or(OPERATOR_NAMESPACE)),
            documents: BTreeMap::new(),
            refused: BTreeSet::new(),
            findings: Vec::new(),
            left_out: 0,
            ignored: BTreeMap::new(),
            sources: Vec::new(),
            known: BTreeSet::new(),
        };
        Self { client, url, scope, manifests }
    }

    /// Everything that an evaluation needs and the caller may see.
    pub async fn read(mut self) -> Result<Manifests, ClusterError> {
        self.read_kind::<Organization>(EntitlementKind::Organization, None, ASK_ADMIN).await?;
        self.read_kind::<FacetDefinition>(EntitlementKind::FacetDefinition, None, ASK_ADMIN).await?;
        self.read_kind::<EntitlementDefinition>(EntitlementKind::EntitlementDefinition, None, ASK_ADMIN).await?;
        self.read_kind::<EntitlementPlan>(EntitlementKind::EntitlementPlan, None, ASK_ADMIN).await?;
        self.read_grants().await?;
        self.read_reports().await?;
        self.read_namespaces().await?;
        self.read_revisions().await?;
        self.read_secrets().await?;
        Ok(self.manifests)
    }

    async fn read_grants(&mut self) -> Result<(), ClusterError> {
        if self.scope.namespaces.is_empty() {
            return match self.read_sources(None, NAME_NAMESPACES).await {
                Err(forbidden @ ClusterError::Forbidden { .. }) if self.scope.is_within_reach => {
                    self.read_assignable(forbidden).await
                }
                read => read,
            };
        }
        for namespace in &self.scope.namespaces {
            self.read_sources(Some(namespace), ASK_ADMIN).await?;
        }
        let seen = self.scope.namespaces.join(", ");
        self.note(format!("grants were looked for in {seen} alone: what lies elsewhere is not part of the answer"));
        Ok(())
    }

    /// The grants in the namespaces in which grants may lie, as far as the caller may see them.
    async fn read_assignable(&mut self, forbidden: ClusterError) -> Result<(), ClusterError> {
        let (mut seen, mut unseen) = (Vec::new(), Vec::new());
        for namespace in self.manifests.inventory.assignable_from() {
            match self.read_sources(Some(&namespace), ASK_ADMIN).await {
                Ok(()) => seen.push(namespace),
                Err(ClusterError::Forbidden { .. }) => unseen.push(namespace),
                Err(error) => return Err(error),
            }
        }
        if seen.is_empty() {
            return Err(forbidden);
        }
        if !unseen.is_empty() {
            let unseen = unseen.join(", ");
            self.note(format!("you may not list grants in {unseen}: what lies there is not part of the answer"));
        }
        Ok(())
    }

    /// All that grants come from.
    async fn read_sources(&mut self, namespace: Option<&str>, advice: &'static str) -> Result<(), ClusterError> {
        self.read_kind::<EntitlementInstance>(EntitlementKind::EntitlementInstance, namespace, advice).await?;
        self.read_kind::<EntitlementSubscription>(EntitlementKind::EntitlementSubscription, namespace, advice).await?;
        let kind = EntitlementKind::EntitlementOverride;
        let exceptions = self.read_kind::<EntitlementOverride>(kind, namespace, advice).await;
        if !self.may_leave_out(exceptions, namespace)? {
            return Ok(());
        }
        let decisions = self.read_kind::<OverrideDecision>(EntitlementKind::OverrideDecision, namespace, advice).await;
        self.may_leave_out(decisions, namespace).map(|_| ())
    }

    /// Whether exceptions could be read. Whoever has rights from before there were any, or to grants alone, is told that they are no
    /// part of the answer.
    fn may_leave_out(&mut self, read: Result<(), ClusterError>, namespace: Option<&str>) -> Result<bool, ClusterError> {
        let Err(error) = read else { return Ok(true) };
        let ClusterError::Forbidden { .. } = error else { return Err(error) };
        let place = namespace.map_or_else(|| "all namespaces".to_owned(), |namespace| format!("namespace {namespace}"));
        self.note(format!("you may not list exceptions in {place}: they are not part of the answer"));
        Ok(false)
    }

    /// What was reported as used. Where some of it cannot be seen, nothing is said of use, rather than too little.
    async fn read_reports(&mut self) -> Result<(), ClusterError> {
        if !self.manifests.inventory.has_metered() {
            return Ok(());
        }
        let kind = EntitlementKind::EntitlementUsage;
        let read = self.read_kind::<EntitlementUsage>(kind, None, ASK_ADMIN).await;
        let Err(ClusterError::Forbidden { .. }) = read else { return read };
        let mut unseen = Vec::new();
        for namespace in self.manifests.inventory.reportable_from() {
            match self.read_kind::<EntitlementUsage>(kind, Some(&namespace), ASK_ADMIN).await {
                Err(ClusterError::Forbidden { .. }) => unseen.push(namespace),
                read => read?,
            }
        }
        if !unseen.is_empty() {
            let places = unseen.join(", ");
            self.note(format!("you may not list reports of usage in {places}: what is used is not part of the answer"));
        }
        for namespace in unseen {
            self.manifests.inventory.miss_reports(namespace);
        }
        Ok(())
    }

    async fn read_kind<K>(
        &mut self,
        kind: EntitlementKind,
        namespace: Option<&str>,
        advice: &'static str,
    ) -> Result<(), ClusterError>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        let resource = ApiResource::erase::<K>(&());
        let api: Api<Guarded<DynamicObject>> = match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        let objects = list(&api, ListParams::default()).await;
        let place = match (kind.is_namespaced(), namespace) {
            (true, Some(namespace)) => format!(" in namespace {namespace}"),
            (true, None) => " in all namespaces".to_owned(),
            (false, _) => String::new(),
        };
        let what = format!("{}{place}", K::plural(&()));
        for object in objects.map_err(|error| explain(&error, &what, advice, &self.url))? {
            self.add(kind, object);
        }
        Ok(())
    }

    fn add(&mut self, kind: EntitlementKind, object: Guarded<DynamicObject>) {
        let metadata = object.meta();
        let subject = Subject {
            kind,
            namespace: metadata.namespace.as_deref().filter(|_| kind.is_namespaced()).map(Into::into),
            name: metadata.name.as_deref().unwrap_or_default().into(),
        };
        let value = object.0.map_err(|invalid| invalid.error);
        let value = value.and_then(|object| value_of(kind, &object).map_err(|error| error.to_string()));
        let added = value.and_then(|value| {
            let inventory = &mut self.manifests.inventory;
            let added = inventory.add(kind, &value).and_then(|()| match kind {
                EntitlementKind::EntitlementOverride => inventory.believe_operator(&value),
                _ => Ok(()),
            });
            added.map(|()| value).map_err(|error| error.to_string())
        });
        match added {
            Ok(value) => {
                self.manifests.documents.insert(subject, Document { origin: DocumentOrigin::in_cluster(), value });
            }
            Err(error) => self.note(format!("{subject} cannot be read, and is left out: {error}")),
        }
    }

    /// Without the right to list them, all are taken to exist.
    async fn read_namespaces(&mut self) -> Result<(), ClusterError> {
        let api: Api<Guarded<PartialObjectMeta<Namespace>>> = Api::all(self.client.clone());
        let mut names = BTreeSet::new();
        let (mut mark, mut present) = (None, BTreeSet::new());
        let mut params = ListParams::default().limit(PAGE);
        loop {
            let page = match api.list(&params).await {
                Ok(page) => page,
                Err(error) if is_forbidden(&error) => {
                    self.note("you may not list namespaces: all are taken to exist".to_owned());
                    self.follow(marked(&Api::all(self.client.clone())).await);
                    return Ok(());
                }
                Err(error) => return Err(explain(&error, "namespaces", ASK_ADMIN, &self.url)),
            };
            let found: Vec<ObjectMeta> = page.items.into_iter().map(Guarded::into_metadata).collect();
            let of_grants = found.iter().find(|one| one.name.as_deref() == Some(ASSIGNMENT_NAMESPACE));
            mark = mark.or_else(|| Mark::read(of_grants?));
            present.extend(found.iter().filter_map(|one| one.name.clone()));
            let lasting = found.into_iter().filter(|one| one.deletion_timestamp.is_none());
            names.extend(lasting.filter_map(|one| one.name).map(Arc::from));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = ListParams::default().limit(PAGE).continue_token(&token),
                None => break,
            }
        }
        if let Some(missing) = self.scope.namespaces.iter().find(|namespace| !present.contains(*namespace)) {
            return Err(ClusterError::NoNamespace(missing.clone(), self.url.clone()));
        }
        self.manifests.inventory.set_namespaces(names);
        self.follow(mark);
        Ok(())
    }

    /// The operator that works on the cluster is the one that is meant, where nobody says otherwise.
    fn follow(&mut self, mark: Option<Mark>) {
        if let (None, Some(mark)) = (&self.scope.operator_namespace, mark) {
            // It becomes a part of a URL.
            if name::dns_label(&mark.namespace).is_ok() {
                self.manifests.inventory.set_operator_namespace(&mark.namespace);
            }
        }
    }

    /// The last valid states of definitions; only needed where the present state cannot serve.
    async fn read_revisions(&mut self) -> Result<(), ClusterError> {
        let namespace = self.manifests.inventory.operator_namespace().to_owned();
        let api: Api<ControllerRevision> = Api::namespaced(self.client.clone(), &namespace);
        let params = ListParams::default().labels(&format!("{MANAGED_BY}={MANAGER}"));
        match list(&api, params).await {
            Ok(revisions) => {
                let revisions = revisions.into_iter().filter_map(Revision::read);
                revisions.for_each(|revision| self.manifests.inventory.add_revision(revision));
                Ok(())
            }
            Err(error) if is_forbidden(&error) => {
                self.note_unserved();
                Ok(())
            }
            Err(error) => {
                Err(explain(&error, &format!("controllerrevisions in namespace {namespace}"), ASK_ADMIN, &self.url))
            }
        }
    }

    fn note_unserved(&mut self) {
        let unserved = self.manifests.inventory.unserved();
        if unserved.is_empty() {
            return;
        }
        let names: Vec<&str> = unserved.iter().map(AsRef::as_ref).collect();
        let names = names.join(", ");
        self.note(format!(
            "you may not list controllerrevisions in namespace {}: the last valid state of {names} is not known, although it may serve",
            self.manifests.inventory.operator_namespace()
        ));
    }

    /// The Secrets that grants take values from.
    async fn read_secrets(&mut self) -> Result<(), ClusterError> {
        let wanted = self.manifests.inventory.sources_wanted();
        let sources = SoughtSecrets::read(&self.client, &self.url, wanted).await?;
        let unseen = sources.unseen();
        sources.add_to(&mut self.manifests.inventory);
        if !unseen.is_empty() {
            self.note(unseen_secrets(&unseen));
        }
        Ok(())
    }

    /// Says what was not seen.
    fn note(&mut self, message: String) {
        self.manifests.findings.push(not_seen(message));
    }
}

/// A note that something was not seen.
pub fn not_seen(message: String) -> Finding {
    Finding {
        location: SourceLocation { source: 0, path: DocumentOrigin::in_cluster().path, span: None },
        severity: Severity::Warning,
        label: None,
        reason: NOT_SEEN.to_owned(),
        field: String::new(),
        message,
        suggestion: None,
        rewrite: None,
        excerpt: Excerpt::Nothing,
    }
}

/// The mark on the namespace of grants, as far as the caller may see it.
async fn marked(namespaces: &Api<Namespace>) -> Option<Mark> {
    Mark::read(&namespaces.get_metadata(ASSIGNMENT_NAMESPACE).await.ok()?.metadata)
}

/// What is said of Secrets that may not be read.
pub fn unseen_secrets(names: &[String]) -> String {
    format!("you may not read the Secrets {}: what is made of their values is not part of the answer", names.join(", "))
}

/// An object as a manifest has it: those of a list may leave out what they are.
fn value_of(kind: EntitlementKind, object: &DynamicObject) -> Result<Value, serde_json::Error> {
    let mut value = serde_json::to_value(object)?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("apiVersion".to_owned(), format!("{GROUP}/{VERSION}").into());
        fields.insert("kind".to_owned(), kind.as_str().into());
    }
    Ok(value)
}

/// Secrets that were looked for. One that is in neither list is not there.
#[derive(Debug, Default)]
pub struct SoughtSecrets {
    found: SecretSources,
    forbidden: Vec<SecretName>,
}

impl SoughtSecrets {
    /// Looks for Secrets.
    pub async fn read(client: &Client, url: &str, wanted: BTreeSet<SecretName>) -> Result<Self, ClusterError> {
        let read = |(namespace, name): SecretName| async move {
            let api: Api<SecretObject> = Api::namespaced(client.clone(), &namespace);
            match api.get_opt(&name).await {
                Err(error) if is_forbidden(&error) => Ok(LookedUp::Forbidden((namespace, name))),
                Ok(Some(secret)) => Ok(LookedUp::Secret((namespace, name), data(secret))),
                Ok(None) => Ok(LookedUp::Nothing),
                Err(error) => Err(error),
            }
        };
        let found: Result<Vec<LookedUp>, kube::Error> =
            stream::iter(wanted).map(read).buffered(AT_ONCE).try_collect().await;
        let mut sources = Self::default();
        for found in found.map_err(|error| explain(&error, "secrets", ASK_ADMIN, url))? {
            match found {
                LookedUp::Secret(name, data) => drop(sources.found.insert(name, Arc::new(data))),
                LookedUp::Forbidden(name) => sources.forbidden.push(name),
                LookedUp::Nothing => {}
            }
        }
        Ok(sources)
    }

    /// The names of those that may not be read.
    pub fn unseen(&self) -> Vec<String> {
        self.forbidden.iter().map(|(namespace, name)| format!("{namespace}/{name}")).collect()
    }

    /// What grants take values from.
    pub fn add_to(self, inventory: &mut Inventory) {
        inventory.add_secrets(self.found);
        self.forbidden.into_iter().for_each(|name| inventory.add_unseen(name));
    }
}

fn data(secret: SecretObject) -> SecretValues {
    let data = secret.data.unwrap_or_default().into_iter();
    data.map(|(name, value)| (name, Secret::new(value.0))).collect()
}

enum LookedUp {
    Secret(SecretName, SecretValues),
    Forbidden(SecretName),
    Nothing,
}

/// All objects, page by page.
async fn list<K>(api: &Api<K>, params: ListParams) -> Result<Vec<K>, kube::Error>
where
    K: Clone + DeserializeOwned + std::fmt::Debug,
{
    let mut objects = Vec::new();
    let mut page_params = params.clone().limit(PAGE);
    loop {
        let page = match api.list(&page_params).await {
            // The pages of a list that changes much may be gone before the last is read.
            Err(kube::Error::Api(status)) if status.code == 410 && !objects.is_empty() => {
                return Ok(api.list(&params).await?.items);
            }
            page => page?,
        };
        objects.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page_params = params.clone().limit(PAGE).continue_token(&token),
            None => return Ok(objects),
        }
    }
}
