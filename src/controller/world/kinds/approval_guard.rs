//! The policies that protect approvals, and their bindings.

use super::{News, WatchedKind};
use crate::{
    controller::{
        guarded::Guarded,
        world::{
            World,
            guards::policy_of,
            store::{Identity, Reading},
        },
    },
    core::approval::{ApprovalGuard, ApprovalPolicy, ObservedGuard, PolicyPart},
};
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use kube::{Api, Client, Resource, api::ObjectMeta, runtime::watcher::Event};
use serde::Deserialize;
use serde_json::Value;
use std::{borrow::Cow, marker::PhantomData};

/// An object of a kind, with its spec as it was sent: what this version does not know would be lost otherwise.
#[derive(Clone, Debug, Deserialize)]
#[serde(bound = "")]
pub struct WithRawSpec<K> {
    #[serde(default)]
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Value,
    #[serde(skip)]
    kind: PhantomData<K>,
}

impl<K: Resource> Resource for WithRawSpec<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(dynamic)
    }

    fn group(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::group(dynamic)
    }

    fn version(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::version(dynamic)
    }

    fn plural(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(dynamic)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// One of the operator's own; None for those of others.
type OwnGuard = Option<Reading<ApprovalPolicy, ObservedGuard>>;

fn compared(part: PolicyPart, metadata: &ObjectMeta, spec: &Value) -> OwnGuard {
    let policy = policy_of(metadata)?;
    let value = ObservedGuard::read(ApprovalGuard { part, policy }, metadata, spec);
    Some(Reading { key: policy, identity: Identity::of(metadata), value })
}

/// Watches a kind: both of them the same way.
macro_rules! watched_guard {
    ($kind:ty, $part:expr) => {
        impl WatchedKind for $kind {
            const IS_DISPENSABLE: bool = true;
            type Object = Guarded<WithRawSpec<Self>>;
            type State = OwnGuard;

            fn api(client: Client, _namespace: &str) -> Api<Self::Object> {
                Api::all(client)
            }

            fn read(event: Event<Self::Object>) -> News<Self::State> {
                News::guarded(event, |object| compared($part, &object.metadata, &object.spec))
            }

            fn observe(world: &mut World, news: News<Self::State>) {
                world.observe_guard($part, news);
            }

            fn lose(world: &mut World) -> bool {
                world.lose_guards($part)
            }
        }
    };
}

watched_guard!(ValidatingAdmissionPolicy, PolicyPart::Policy);
watched_guard!(ValidatingAdmissionPolicyBinding, PolicyPart::Binding);

impl World {
    fn observe_guard(&mut self, part: PolicyPart, news: News<OwnGuard>) {
        let is_another = match news {
            News::ListBegins => {
                self.guards.begin_list(part);
                false
            }
            News::Listed(guard) | News::Changed(guard) => guard.is_some_and(|guard| self.guards.put(part, guard)),
            // What cannot be read is not what it has to be.
            News::Unreadable(metadata, _) => {
                compared(part, &metadata, &Value::Null).is_some_and(|guard| self.guards.put(part, guard))
            }
            News::Gone(metadata) => self.guards.remove(part, &metadata),
            News::ListEnds => self.guards.finish_list(part),
        };
        if is_another {
            self.changed_protection();
        }
    }

    fn lose_guards(&mut self, part: PolicyPart) -> bool {
        let (is_another, was_known) = self.guards.lose(part);
        if is_another {
            self.changed_protection();
        }
        was_known
    }
}
