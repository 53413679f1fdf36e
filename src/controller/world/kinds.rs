//! The one list of the kinds that are watched as long as the controller runs.
//!
//! Each kind has a file here. It says where the objects are and which of them are watched, what has to be known before, what the
//! index keeps of one, what work there is of it, and what each event of its watch means.
//!
//! A new kind is such a file, an entry in [`WATCHES`], and its rules. What Rust's types or the cluster keep apart is in these
//! places, and something finds each that is forgotten:
//!
//! | place | what finds it |
//! |---|---|
//! | [`WorkItem`], if one of it is worked on by itself: its name in the log, how it is brought up to date | exhaustive matches, side by side in `controller/work.rs` |
//! | [`super::Reference`], if an object may be named by one that the webhook is asked about | an exhaustive match in `world/candidate.rs` |
//! | `installation/rights.rs`: the right to list and watch it, with its reason | a test below |
//! | `api/crd.rs`, if it is the operator's own: its CustomResourceDefinition, which `preflight` compares | the tests of `crds/` |
//!
//! Source Secrets are no entry here, as they are watched by namespace and as rows: see `controller/source_watches.rs`.

mod approval_guard;
mod definition;
mod facet;
mod instance;
mod namespace;
mod organization;
mod output;
mod override_decision;
mod overrides;
mod plan;
mod revision;
mod source;
mod subscription;
mod usage;

use super::{
    World,
    store::{Identity, Reading},
    tenancy::name_of,
};
use crate::{
    api::{
        EntitlementDefinition, EntitlementInstance, EntitlementOverride, EntitlementPlan, EntitlementSubscription,
        EntitlementUsage, FacetDefinition, LAST_APPLIED, Organization, OverrideDecision,
    },
    controller::{context::ControllerContext, guarded::Guarded, watch::follow, work::WorkItem},
    core::served::{NamespaceSet, ServedNamespaces},
};
use futures::{FutureExt, future::BoxFuture};
use k8s_openapi::api::{
    admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding},
    apps::v1::ControllerRevision,
    core::v1::{ConfigMap, Namespace, Secret},
};
use kube::{Api, Client, Resource, api::ObjectMeta, core::error_boundary::InvalidObject, runtime::watcher::Event};
use serde::de::DeserializeOwned;
use std::{borrow::Cow, fmt::Debug, sync::Arc};

/// All of them.
pub const WATCHES: [Watch; 15] = [
    Watch::of::<Organization>(),
    Watch::of::<FacetDefinition>(),
    Watch::of::<EntitlementDefinition>(),
    Watch::of::<EntitlementPlan>(),
    Watch::of::<EntitlementInstance>(),
    Watch::of::<EntitlementSubscription>(),
    Watch::of::<EntitlementOverride>(),
    Watch::of::<OverrideDecision>(),
    Watch::of::<EntitlementUsage>(),
    Watch::of::<Namespace>(),
    Watch::of::<ConfigMap>(),
    Watch::of::<Secret>(),
    Watch::of::<ControllerRevision>(),
    Watch::of::<ValidatingAdmissionPolicy>(),
    Watch::of::<ValidatingAdmissionPolicyBinding>(),
];

/// The kinds by which is decided who has what, and how much of it is used.
pub fn kinds_of_rights() -> [Cow<'static, str>; 9] {
    [
        Organization::kind(&()),
        FacetDefinition::kind(&()),
        EntitlementDefinition::kind(&()),
        EntitlementPlan::kind(&()),
        EntitlementInstance::kind(&()),
        EntitlementSubscription::kind(&()),
        EntitlementOverride::kind(&()),
        OverrideDecision::kind(&()),
        EntitlementUsage::kind(&()),
    ]
}

/// The watch of one kind.
pub struct Watch {
    /// The kind's name in the API, in the plural.
    pub resource: fn() -> Cow<'static, str>,
    /// The work that there is of all of it, once everything is listed.
    pub begin: fn(&mut World) -> Vec<WorkItem>,
    /// Watches it for ever.
    pub run: fn(Arc<ControllerContext>) -> BoxFuture<'static, ()>,
    /// The namespaces that it is watched in.
    pub within: fn(&ServedNamespaces) -> &NamespaceSet,
}

impl Watch {
    const fn of<K: WatchedKind>() -> Self {
        Self {
            resource: resource::<K>,
            begin: K::begin,
            run: |context| async move { follow::<K>(&context).await }.boxed(),
            within: K::within,
        }
    }
}

/// A kind that is watched.
pub trait WatchedKind: Sized + 'static {
    /// Whether only those are watched that have the operator's label.
    const IS_LABELLED: bool = false;
    /// Whether the operator begins without it where it cannot be watched.
    const IS_DISPENSABLE: bool = false;
    /// An object as the API server sends it.
    type Object: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static;
    /// What the index takes in of it.
    type State: Send;

    /// Where the objects are; `namespace` is the operator's own.
    fn api(client: Client, namespace: &str) -> Api<Self::Object>;

    /// The namespaces that it is watched in.
    fn within(_served: &ServedNamespaces) -> &NamespaceSet {
        &NamespaceSet::All
    }

    /// Where the objects of one of those are.
    fn api_within(client: Client, namespace: &str) -> Api<Self::Object> {
        Self::api(client, namespace)
    }

    /// A list of what is in one of those begins.
    fn begin_list_within(_world: &mut World, _namespace: &Arc<str>) {}

    /// Such a list is complete.
    fn finish_list_within(_world: &mut World, _namespace: &Arc<str>) {}

    /// The resources that have to be listed before it is watched.
    fn needs() -> Vec<Cow<'static, str>> {
        Vec::new()
    }

    /// It cannot be watched, and nothing that was known of it counts any more. Whether it was known until now.
    fn lose(_world: &mut World) -> bool {
        false
    }

    /// What others than the index have to know of an event.
    fn tell(_context: &ControllerContext, _event: &Event<Self::Object>) {}

    /// Reads and hashes all that the index needs of an event. Nobody waits for that.
    fn read(event: Event<Self::Object>) -> News<Self::State>;

    /// What an event means. All others wait for it.
    fn observe(world: &mut World, news: News<Self::State>);

    /// The work that there is of all of it, once everything is listed.
    fn begin(_world: &mut World) -> Vec<WorkItem> {
        Vec::new()
    }
}

/// The kind's name in the API, in the plural.
pub fn resource<K: WatchedKind>() -> Cow<'static, str> {
    K::Object::plural(&())
}

/// What a watch tells of the objects of a kind, read before anybody has to wait for the index.
pub enum News<S> {
    /// A list begins.
    ListBegins,
    /// An object that a list names.
    Listed(S),
    /// An object that has come, or changed.
    Changed(S),
    /// An object that can't be read, and why.
    Unreadable(ObjectMeta, String),
    /// An object that is gone.
    Gone(ObjectMeta),
    /// The list is complete.
    ListEnds,
}

impl<S> News<S> {
    /// The news of objects that may be unreadable.
    fn guarded<K: Resource<DynamicType = ()>>(event: Event<Guarded<K>>, read: impl FnOnce(K) -> S) -> Self {
        match event {
            Event::Init => Self::ListBegins,
            Event::InitDone => Self::ListEnds,
            Event::InitApply(Guarded(Ok(object))) => Self::Listed(read(object)),
            Event::Apply(Guarded(Ok(object))) => Self::Changed(read(object)),
            Event::InitApply(Guarded(Err(invalid))) | Event::Apply(Guarded(Err(invalid))) => {
                warn_unreadable::<K>(&invalid);
                Self::Unreadable(invalid.metadata, invalid.error)
            }
            Event::Delete(object) => Self::Gone(object.into_metadata()),
        }
    }
}

fn warn_unreadable<K: Resource<DynamicType = ()>>(invalid: &InvalidObject) {
    tracing::warn!(
        kind = %K::kind(&()),
        namespace = invalid.metadata.namespace.as_deref(),
        name = invalid.metadata.name.as_deref(),
        error = %invalid.error,
        "an object can't be read: its last readable state stays in use, if there was one"
    );
}

/// An object that is known by its name, without what nobody asks for.
pub fn named<K: Resource>(mut object: K) -> Reading<Arc<str>, Arc<K>> {
    let metadata = object.meta_mut();
    metadata.managed_fields = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove(LAST_APPLIED);
    }
    let (key, identity) = (name_of(object.meta()), Identity::of(object.meta()));
    Reading { key, identity, value: Arc::new(object) }
}

/// Two states of an object are the same to this if no more than the status differs.
struct ButForStatus<K>(Arc<K>);

impl<K: Resource> PartialEq for ButForStatus<K> {
    fn eq(&self, other: &Self) -> bool {
        let (one, other) = (self.0.meta(), other.0.meta());
        (&one.uid, one.generation, &one.annotations) == (&other.uid, other.generation, &other.annotations)
    }
}

fn but_for_status<K>(object: &Arc<K>) -> ButForStatus<K> {
    ButForStatus(Arc::clone(object))
}

fn namespace_of(metadata: &ObjectMeta) -> Arc<str> {
    metadata.namespace.as_deref().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::WATCHES;
    use crate::installation::{Duties, rights};
    use std::collections::BTreeSet;

    #[test]
    fn what_is_watched_is_what_there_is_a_right_to_watch() {
        let watched: BTreeSet<String> = WATCHES.iter().map(|watch| (watch.resource)().into_owned()).collect();
        assert_eq!(watched.len(), WATCHES.len());
        let may = rights(&Duties::default())
            .into_iter()
            .filter(|right| ["list", "watch"].iter().all(|verb| right.verbs.contains(verb)));
        assert_eq!(watched, may.map(|right| right.resource.to_owned()).collect());
    }
}
