//! ConfigMaps and Secrets as objects that the operator writes and recognises.

use super::{handwriting::Handwriting, world::Identity};
use crate::{
    api::{GROUP, Organization, entitlement_definition::OutputKind},
    evaluation::{
        object::{Attribution, ObjectData, ObjectKey},
        plan::{Fate, Fingerprint, Marks, Naming, Observed, Owner},
    },
    render::demands::OPAQUE,
};
use k8s_openapi::{
    ByteString, NamespaceResourceScope,
    api::core::v1::{ConfigMap, Secret},
};
use kube::{Resource, api::ObjectMeta};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    collections::{BTreeMap, BTreeSet},
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
    fn content(&self) -> OutputContent<'_>;

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
        let handwriting = Handwriting::of(metadata);
        Observed {
            uid: identity.uid,
            version: identity.version,
            organization: labels.and_then(Observed::organization_in).map(Into::into),
            controller: controller(metadata).map(Into::into),
            made_for: Attribution::of(labels, annotations, |key| handwriting.vouches_for(key)),
            fate: fate(metadata, &handwriting),
            naming: Naming::of(annotations, &Self::key_of(metadata)),
            authorship: handwriting.authorship(content.pairs.iter().map(|(key, _)| *key)),
            labels: marks(labels, &handwriting.labels),
            annotations: marks(annotations, &handwriting.annotations),
            data: Fingerprint::of_pairs(content.pairs.iter().copied()),
            keys: content.pairs.iter().map(|(key, _)| (*key).into()).collect(),
            has_binary_data: content.has_binary_data,
            secret_type: content.secret_type.map(secret_type),
            is_fixed: content.is_fixed,
            is_terminating: metadata.deletion_timestamp.is_some(),
            finalizer: metadata.finalizers.iter().flatten().next().map(|name| name.as_str().into()),
        }
    }
}

/// What is found in an output.
pub struct OutputContent<'a> {
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

    fn content(&self) -> OutputContent<'_> {
        OutputContent {
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

    fn content(&self) -> OutputContent<'_> {
        OutputContent {
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
pub fn is_of(metadata: &ObjectMeta, key: &ObjectKey, owner: &Owner) -> bool {
    metadata.labels.as_ref().and_then(Observed::organization_in) == Some(owner.name())
        && controller(metadata) == Some(owner.uid())
        && Naming::of(metadata.annotations.as_ref(), key) != Naming::Another
}

/// Whether metadata are those of an object that yields to any grant which asks for its name, as [`Observed::yields`] tells it
/// of a whole object.
pub fn yields(metadata: &ObjectMeta, key: &ObjectKey) -> bool {
    fate(metadata, &Handwriting::of(metadata)) == Fate::Retained
        && metadata.labels.as_ref().and_then(Observed::organization_in).is_some()
        && controller(metadata).is_some()
        && Naming::of(metadata.annotations.as_ref(), key) != Naming::Another
}

/// What is to become of an object with these metadata.
pub fn fate(metadata: &ObjectMeta, handwriting: &Handwriting) -> Fate {
    Fate::of(metadata.labels.as_ref(), metadata.annotations.as_ref(), |key| handwriting.vouches_for(key))
}

/// The UID of the controlling owner, where that is an organization.
pub fn controller(metadata: &ObjectMeta) -> Option<&str> {
    let owners = metadata.owner_references.as_ref()?;
    let controller = owners.iter().find(|owner| owner.controller == Some(true))?;
    let group = controller.api_version.split_once('/').map(|(group, _)| group);
    (controller.kind == Organization::kind(&()) && group == Some(GROUP)).then_some(controller.uid.as_str())
}

fn marks(pairs: Option<&BTreeMap<String, String>>, set_by_operator: &BTreeSet<String>) -> Marks {
    let pairs = pairs.into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()));
    Marks::new(pairs, set_by_operator.iter().cloned())
}
