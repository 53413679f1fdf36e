//! Config maps and secrets as objects that the operator writes and recognises.

use super::world::Identity;
use crate::{
    api::{GROUP, Organization, entitlement_definition::OutputKind},
    evaluation::{
        object::{ObjectData, ObjectKey},
        plan::{Fate, Fingerprint, Marks, Observed, Owner},
    },
    render::demands::OPAQUE,
};
use k8s_openapi::{
    ByteString, NamespaceResourceScope,
    api::core::v1::{ConfigMap, Secret},
    apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry,
};
use kube::{Resource, api::ObjectMeta};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Arc, LazyLock},
};

/// The name under which the operator writes, as the API server records it with each field.
pub const FIELD_MANAGER: &str = "entitlement-operator";

/// One of the two kinds of outputs.
pub trait OutputObject:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
    + 'static
{
    /// Which kind.
    const KIND: OutputKind;

    /// An object with that data.
    fn with_data(metadata: ObjectMeta, data: &ObjectData) -> Self;

    /// What is found in it.
    fn content(&self) -> Content<'_>;

    /// Its name in full, from its metadata.
    fn key_of(metadata: &ObjectMeta) -> ObjectKey {
        ObjectKey {
            kind: Self::KIND,
            namespace: metadata.namespace.as_deref().unwrap_or_default().into(),
            name: metadata.name.as_deref().unwrap_or_default().into(),
        }
    }

    /// What is kept of it.
    fn observed(&self) -> Observed {
        let metadata = self.meta();
        let content = self.content();
        let identity = Identity::of(metadata);
        let labels = metadata.labels.as_ref();
        let annotations = metadata.annotations.as_ref();
        Observed {
            uid: identity.uid,
            version: identity.version,
            organization: labels.and_then(Observed::organization_in).map(Into::into),
            controller: controller(metadata).map(Into::into),
            instance: annotations.and_then(Observed::instance_in),
            fate: Fate::of(labels, annotations),
            labels: marks(labels, metadata, "f:labels"),
            annotations: marks(annotations, metadata, "f:annotations"),
            data: Fingerprint::of_pairs(content.pairs.iter().copied()),
            keys: content.pairs.iter().map(|(key, _)| (*key).into()).collect(),
            has_binary_data: content.has_binary_data,
            secret_type: content.secret_type.map(secret_type),
            is_fixed: content.is_fixed,
            is_terminating: metadata.deletion_timestamp.is_some(),
        }
    }
}

/// What is found in an output.
pub struct Content<'a> {
    /// Its data, in the order of the keys.
    pairs: Vec<(&'a str, &'a [u8])>,
    has_binary_data: bool,
    secret_type: Option<&'a str>,
    is_fixed: bool,
}

impl OutputObject for ConfigMap {
    const KIND: OutputKind = OutputKind::ConfigMap;

    fn with_data(metadata: ObjectMeta, data: &ObjectData) -> Self {
        let data = match data {
            ObjectData::ConfigMap(data) => data.clone(),
            // A secret value has no way into a ConfigMap, whatever was planned.
            ObjectData::Secret(_) => BTreeMap::new(),
        };
        Self { metadata, data: Some(data), ..Self::default() }
    }

    fn content(&self) -> Content<'_> {
        Content {
            pairs: self.data.iter().flatten().map(|(key, text)| (key.as_str(), text.as_bytes())).collect(),
            has_binary_data: self.binary_data.as_ref().is_some_and(|data| !data.is_empty()),
            secret_type: None,
            is_fixed: self.immutable.unwrap_or(false),
        }
    }
}

impl OutputObject for Secret {
    const KIND: OutputKind = OutputKind::Secret;

    fn with_data(metadata: ObjectMeta, data: &ObjectData) -> Self {
        let type_ = data.secret_type().map(str::to_owned);
        let data = match data {
            ObjectData::ConfigMap(data) => {
                data.iter().map(|(key, text)| (key.clone(), ByteString(text.clone().into()))).collect()
            }
            ObjectData::Secret(data) => {
                let values = data.values.iter();
                values.map(|(key, value)| (key.clone(), ByteString(value.expose_secret().clone()))).collect()
            }
        };
        Self { metadata, data: Some(data), type_, ..Self::default() }
    }

    fn content(&self) -> Content<'_> {
        Content {
            pairs: self.data.iter().flatten().map(|(key, value)| (key.as_str(), value.0.as_slice())).collect(),
            has_binary_data: false,
            secret_type: Some(self.type_.as_deref().unwrap_or_default()),
            is_fixed: self.immutable.unwrap_or(false),
        }
    }
}

/// Nearly all are of one type, which is kept in memory once.
fn secret_type(type_: &str) -> Arc<str> {
    static USUAL: LazyLock<Arc<str>> = LazyLock::new(|| OPAQUE.into());
    if type_ == OPAQUE { Arc::clone(&USUAL) } else { type_.into() }
}

/// Whether metadata are those of an object that the operator made for that organization, as [`Observed::is_of`] tells it of
/// a whole object.
pub fn is_of(metadata: &ObjectMeta, owner: &Owner) -> bool {
    metadata.labels.as_ref().and_then(Observed::organization_in) == Some(&owner.name)
        && controller(metadata) == Some(&owner.uid)
}

/// Whether metadata are those of an object that yields to any grant which asks for its name, as [`Observed::yields`] tells it
/// of a whole object.
pub fn yields(metadata: &ObjectMeta) -> bool {
    let labels = metadata.labels.as_ref();
    Fate::of(labels, None) == Fate::Retained
        && labels.and_then(Observed::organization_in).is_some()
        && controller(metadata).is_some()
}

/// The UID of the controlling owner, where that is an organization.
fn controller(metadata: &ObjectMeta) -> Option<&str> {
    let owners = metadata.owner_references.as_ref()?;
    let controller = owners.iter().find(|owner| owner.controller == Some(true))?;
    let group = controller.api_version.split_once('/').map(|(group, _)| group);
    (controller.kind == Organization::kind(&()) && group == Some(GROUP)).then_some(controller.uid.as_str())
}

fn marks(pairs: Option<&BTreeMap<String, String>>, metadata: &ObjectMeta, field: &str) -> Marks {
    let own = metadata.managed_fields.iter().flatten().filter(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER));
    let set_by_operator = own.flat_map(|entry| keys_under(entry, field));
    let pairs = pairs.into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()));
    Marks::new(pairs, set_by_operator)
}

/// The keys of the labels or annotations in an entry of `metadata.managedFields`, which names each field as `f:<name>`.
fn keys_under(entry: &ManagedFieldsEntry, field: &str) -> Vec<String> {
    let fields = entry.fields_v1.as_ref().and_then(|fields| fields.0.get("f:metadata")?.get(field)?.as_object());
    fields.into_iter().flatten().filter_map(|(key, _)| key.strip_prefix("f:").map(str::to_owned)).collect()
}
