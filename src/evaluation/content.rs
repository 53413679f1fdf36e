//! What an object is to hold, with the marks by which it is known.

use super::{
    object::{
        CONTENT_HASH, DEFINITION, MANAGED_BY, MANAGER, ON_END, ORGANIZATION, ObjectContent, ObjectData, RETAIN, Wish,
    },
    plan::{MAX_DATA_BYTES, data_bytes},
    standing::Standing,
};
use crate::{api::entitlement_definition::OnEnd, core::grant::GrantId, render::output::CompiledOutput};
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeMap, sync::Arc};

/// What an output's object has besides that which every object has.
#[derive(Default)]
pub struct Extra {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

impl Extra {
    /// Of an output's object.
    pub fn of(output: &CompiledOutput) -> Self {
        let mut annotations = output.annotations.clone();
        if output.on_end == OnEnd::Retain {
            annotations.insert(ON_END.to_owned(), RETAIN.to_owned());
        }
        Self { labels: output.labels.clone(), annotations }
    }
}

/// What an object with that data is to hold, unless it is more than the API server takes.
pub fn content(
    standing: &Standing,
    definition: Option<&str>,
    grant: Option<&GrantId>,
    data: ObjectData,
    extra: Extra,
) -> Wish {
    let bytes = data_bytes(&data);
    if bytes > MAX_DATA_BYTES {
        return Wish::Refuse(bytes);
    }
    let Extra { mut labels, mut annotations } = extra;
    labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    labels.insert(ORGANIZATION.to_owned(), standing.name.to_string());
    if let Some(definition) = definition {
        labels.insert(DEFINITION.to_owned(), definition.to_owned());
    }
    if let Some(grant) = grant {
        annotations.insert(grant.source.kind.annotation().to_owned(), grant.source.to_string());
    }
    annotations.insert(CONTENT_HASH.to_owned(), content_hash(&data));
    Wish::Write(Arc::new(ObjectContent { labels, annotations, data }))
}

/// Hexadecimal SHA-256 of keys and values. That of a Secret stands on the Secret itself only.
fn content_hash(data: &ObjectData) -> String {
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    };
    match data {
        ObjectData::ConfigMap(data) => data.iter().for_each(|(key, value)| {
            add(key.as_bytes());
            add(value.as_bytes());
        }),
        ObjectData::Secret(data) => data.values.iter().for_each(|(key, value)| {
            add(key.as_bytes());
            add(value.expose_secret());
        }),
    }
    hex::encode(hash.finalize())
}
