//! The objects of a survey as Kubernetes' tools show them.

use super::{manifests::Manifests, outcome::CommandFailure};
use crate::{
    api::{GROUP, VERSION},
    evaluation::object::{CONTENT_HASH, ObjectContent, ObjectData, ObjectKey},
    offline::{Survey, Written},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// What stands for a secret value.
const MASK: &str = "***";
/// Where kubectl keeps what was last applied.
const LAST_APPLIED: &str = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration";

/// Whether the values of Secrets are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// They are.
    Shown,
    /// `***` stands for them.
    Masked,
}

/// Every entitlement object with its status, then every object that would be written.
///
/// # Errors
/// When a status has no JSON, which plain data always has.
pub fn objects(manifests: &Manifests, survey: &Survey, secrets: Secrets) -> Result<Vec<Value>, CommandFailure> {
    let secret_fields = manifests.inventory.secret_fields();
    let mut objects = Vec::with_capacity(manifests.documents.len() + survey.objects.len());
    for (subject, document) in &manifests.documents {
        let mut object = document.value.clone();
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
        if let (Some(status), Some(fields)) = (survey.statuses.get(subject), object.as_object_mut()) {
            fields.insert("status".to_owned(), status.to_json()?);
        }
        if secrets == Secrets::Masked {
            mask(&mut object, &secret_fields);
        }
        objects.push(object);
    }
    objects.extend(survey.objects.iter().map(|(key, written)| output(key, written, secrets)));
    Ok(objects)
}

/// A secret that is given in plain is refused, but not shown for that. kubectl keeps another copy of it.
fn mask(object: &mut Value, secret_fields: &BTreeSet<String>) {
    if let Some(recorded) = object.pointer_mut("/status/facets") {
        mask_facets(recorded, secret_fields);
    }
    let Some(spec) = object.get_mut("spec") else { return };
    let mut is_masked = spec.get_mut("facets").is_some_and(|facets| mask_facets(facets, secret_fields));
    for amendment in spec.get_mut("amendments").and_then(Value::as_array_mut).into_iter().flatten() {
        is_masked |= amendment.get_mut("facets").is_some_and(|facets| mask_facets(facets, secret_fields));
    }
    if let Some(copy) = object.pointer_mut(LAST_APPLIED).filter(|_| is_masked) {
        *copy = MASK.into();
    }
}

/// Facets by name, as a grant states them, or in a list, as a definition presets them.
fn mask_facets(facets: &mut Value, secret_fields: &BTreeSet<String>) -> bool {
    let of_facets: Vec<&mut Value> = match facets {
        Value::Object(by_name) => by_name.values_mut().collect(),
        Value::Array(listed) => listed.iter_mut().filter_map(|facet| facet.get_mut("values")).collect(),
        _ => Vec::new(),
    };
    let fields = of_facets.into_iter().filter_map(Value::as_object_mut).flatten();
    let secret = fields.filter(|(name, _)| secret_fields.contains(*name)).map(|(_, value)| *value = MASK.into());
    secret.count() > 0
}

fn output(key: &ObjectKey, written: &Written, secrets: Secrets) -> Value {
    let ObjectContent { labels, data, .. } = &*written.content;
    let mut annotations = written.content.annotations_at(key);
    if matches!(data, ObjectData::Secret(_)) && secrets == Secrets::Masked {
        // A short secret could be found from its hash.
        annotations.entry(CONTENT_HASH.to_owned()).and_modify(|hash| MASK.clone_into(hash));
    }
    let mut object = json!({
        "apiVersion": "v1",
        "kind": key.kind.as_str(),
        "metadata": {
            "annotations": annotations,
            "labels": labels,
            "name": key.name,
            "namespace": key.namespace,
            "ownerReferences": [owner(written)],
        },
        "data": values(data, secrets),
    });
    if let (Some(type_), Some(fields)) = (data.secret_type(), object.as_object_mut()) {
        fields.insert("type".to_owned(), type_.into());
    }
    object
}

fn owner(written: &Written) -> Value {
    let mut owner = Map::new();
    owner.insert("apiVersion".to_owned(), format!("{GROUP}/{VERSION}").into());
    owner.insert("controller".to_owned(), true.into());
    owner.insert("kind".to_owned(), "Organization".into());
    owner.insert("name".to_owned(), written.owner.as_ref().into());
    if !written.owner_uid.is_empty() {
        owner.insert("uid".to_owned(), written.owner_uid.as_ref().into());
    }
    Value::Object(owner)
}

fn values(data: &ObjectData, secrets: Secrets) -> Map<String, Value> {
    match (data, secrets) {
        (ObjectData::ConfigMap(data), _) => {
            data.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect()
        }
        (ObjectData::Secret(data), Secrets::Masked) => {
            data.values.keys().map(|key| (key.clone(), MASK.into())).collect()
        }
        (ObjectData::Secret(data), Secrets::Shown) => data
            .values
            .iter()
            .map(|(key, value)| (key.clone(), BASE64_STANDARD.encode(value.expose_secret()).into()))
            .collect(),
    }
}
