//! The plan for scenes that are put together by hand.

pub(crate) mod cluster;
mod laws;
mod meddling;
mod objects;
mod retained;

use super::{Authorship, Fate, Fingerprint, Marks, Naming, Observed, Owner, Scene, observed::fingerprint};
use crate::{
    api::entitlement_definition::OutputKind,
    core::{grant::GrantId, secret::Secret},
    evaluation::{
        delivery::{Desired, Outputs},
        object::{Attribution, DesiredObject, ObjectContent, ObjectData, ObjectKey, SecretData, Wish},
    },
};
use std::{collections::BTreeMap, sync::Arc};

pub fn owner() -> Owner {
    owner_with_uid("uid-acme")
}

/// It has two namespaces, and objects also in one that it had.
pub fn owner_with_uid(uid: &str) -> Owner {
    let own = ["one", "two"].map(Into::into);
    Owner::new("acme".into(), uid.into(), own, ["one", "two", "left"].map(Into::into), "operator")
}

pub fn key(namespace: &str, name: &str) -> ObjectKey {
    ObjectKey { kind: OutputKind::ConfigMap, namespace: namespace.into(), name: name.into() }
}

pub fn grant(name: &str) -> GrantId {
    GrantId::of_instance("entitlements", name, "seats")
}

/// What an object says that was made for the grant.
pub fn made_for(name: &str) -> Attribution {
    let GrantId { source, definition } = grant(name);
    Attribution { source, definition: Some(definition) }
}

pub fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub fn content(data: &[(&str, &str)]) -> ObjectContent {
    ObjectContent {
        labels: texts(&[("ours", "yes")]),
        annotations: texts(&[("hash", "1")]),
        data: ObjectData::ConfigMap(texts(data)),
    }
}

pub fn secret(values: &[(&str, &[u8])]) -> ObjectData {
    let values = values.iter().map(|(key, value)| ((*key).to_owned(), Secret::new(value.to_vec())));
    ObjectData::Secret(SecretData { type_: "Opaque".into(), values: values.collect() })
}

pub fn wanted(grant: Option<GrantId>, content: ObjectContent) -> DesiredObject {
    DesiredObject { grant, wish: Wish::Write(Arc::new(content)), is_retained: false }
}

pub fn kept(name: &str) -> DesiredObject {
    DesiredObject { grant: Some(grant(name)), wish: Wish::Keep, is_retained: false }
}

/// As the operator made it for that grant of `acme`, with that content.
pub fn made(grant: Option<&str>, content: &ObjectContent) -> Observed {
    let keys: Vec<Box<str>> = match &content.data {
        ObjectData::ConfigMap(data) => data.keys().map(|key| key.as_str().into()).collect(),
        ObjectData::Secret(data) => data.values.keys().map(|key| key.as_str().into()).collect(),
    };
    Observed {
        uid: "uid-object".into(),
        version: 7,
        organization: Some("acme".into()),
        controller: Some("uid-acme".into()),
        made_for: grant.map(made_for),
        fate: Fate::Delete,
        naming: Naming::Itself,
        authorship: Authorship::Whole,
        labels: marks(&content.labels),
        annotations: marks(&content.annotations),
        data: fingerprint(&content.data),
        keys: keys.into(),
        has_binary_data: false,
        secret_type: content.data.secret_type().map(Into::into),
        is_fixed: false,
        is_terminating: false,
        finalizer: None,
    }
}

pub fn marks(pairs: &BTreeMap<String, String>) -> Marks {
    Marks::new(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())), pairs.keys().cloned())
}

pub fn other_data() -> Fingerprint {
    fingerprint(&content(&[("a", "drifted")]).data)
}

pub fn scene(objects: impl IntoIterator<Item = (ObjectKey, Observed)>) -> Scene {
    Scene {
        observed: objects.into_iter().map(|(key, observed)| (key, Arc::new(observed))).collect(),
        ..Scene::default()
    }
}

pub fn all(objects: impl IntoIterator<Item = (ObjectKey, DesiredObject)>) -> Desired {
    let objects: BTreeMap<_, _> = objects.into_iter().collect();
    let grants = objects.values().filter_map(|object| Some((object.grant.clone()?, Outputs::default()))).collect();
    Desired { objects, grants, ..Desired::default() }
}
