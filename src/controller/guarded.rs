//! An object that may be unreadable, read without stopping the watch of its kind.
//!
//! kube's own guard reads the whole object first, and the reader gives up at 128 levels of nesting. One schema that deep, which
//! anyone who may write a definition can send, would stop its kind for all. This guard leaves out everything that deep. That
//! changes no answer, because far less is refused as too deep.
//!
//! Metadata can be that deep, too: whoever may edit an object, or the namespace itself, may write its `managedFields`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, core::error_boundary::InvalidObject};
use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error as _};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Containers deeper than this are read as null. More than schemas and values may have, and less than the reader takes.
const MAX_DEPTH: usize = 100;

/// An object, or why it can't be read.
#[derive(Clone, Debug)]
pub struct Guarded<K>(pub Result<K, InvalidObject>);

impl<K: Resource> Guarded<K> {
    /// Its metadata alone.
    pub fn into_metadata(self) -> ObjectMeta {
        match self.0 {
            Ok(mut object) => std::mem::take(object.meta_mut()),
            Err(invalid) => invalid.metadata,
        }
    }
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Guarded<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let error = match read(raw.get()) {
            Ok(object) => return Ok(Self(Ok(object))),
            Err(error) => error.to_string(),
        };
        let Partial { metadata } = read(raw.get()).map_err(D::Error::custom)?;
        Ok(Self(Err(InvalidObject { error, metadata })))
    }
}

#[derive(Deserialize)]
struct Partial {
    metadata: ObjectMeta,
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    // Only the text of an object that could not be read otherwise is gone through.
    serde_json::from_str(text).or_else(|error| match shallow(text) {
        Some(shallow) => serde_json::from_str(&shallow),
        None => Err(error),
    })
}

/// The JSON with null in the place of each container that lies too deep; None if there is none.
fn shallow(text: &str) -> Option<String> {
    let mut kept = String::new();
    let (mut depth, mut copied, mut in_text, mut is_escaped) = (0_usize, 0, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                depth += 1;
                if depth == MAX_DEPTH + 1 {
                    kept.push_str(text.get(copied..at)?);
                    kept.push_str("null");
                }
            }
            b']' | b'}' if !in_text => {
                if depth == MAX_DEPTH + 1 {
                    copied = at + 1;
                }
                depth = depth.checked_sub(1)?;
            }
            _ => {}
        }
    }
    if copied == 0 {
        return None;
    }
    kept.push_str(text.get(copied..)?);
    Some(kept)
}

impl<K: Resource> Resource for Guarded<K> {
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

    fn metadata_api() -> bool {
        K::metadata_api()
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.as_ref().map_or_else(|invalid| &invalid.metadata, K::meta)
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.as_mut().map_or_else(|invalid| &mut invalid.metadata, K::meta_mut)
    }
}

#[cfg(test)]
mod tests {
    use super::{Guarded, MAX_DEPTH, shallow};
    use crate::api::FacetDefinition;
    use kube::{
        Resource,
        core::{ObjectList, WatchEvent},
    };
    use serde_json::Value;

    fn facet(levels: usize) -> String {
        let schema = format!("{}{}{}", r#"{"not":"#.repeat(levels), "{}", "}".repeat(levels));
        let fields = format!("{}{}{}", r#"{"f:not":"#.repeat(levels), "{}", "}".repeat(levels));
        format!(
            r#"{{"apiVersion":"entitlements.dev/v1alpha1","kind":"FacetDefinition","metadata":{{"name":"a","managedFields":
            [{{"fieldsV1":{fields}}}]}},"spec":{{"schema":{schema}}}}}"#
        )
    }

    fn depth(value: &Value) -> usize {
        match value {
            Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
            _ => 0,
        }
    }

    #[test]
    fn reads_what_lies_deep_as_null() {
        for (levels, expected) in [(3, 4), (90, 91), (200, MAX_DEPTH - 2), (100_000, MAX_DEPTH - 2)] {
            let event: WatchEvent<Guarded<FacetDefinition>> =
                serde_json::from_str(&format!(r#"{{"type":"ADDED","object":{}}}"#, facet(levels))).unwrap();
            let WatchEvent::Added(Guarded(Ok(read))) = event else { panic!("{levels}: not read") };
            assert_eq!(read.metadata.name.as_deref(), Some("a"));
            assert_eq!(depth(&read.spec.schema), expected, "{levels}");
        }
    }

    #[test]
    fn one_that_cannot_be_read_harms_no_other() {
        let items = [
            facet(200),
            facet(1),
            r#"{"metadata":{"name":"b"},"spec":{"schema":3}}"#.to_owned(),
            r#"{"metadata":{"name":"c"}}"#.to_owned(),
        ];
        let list = format!(r#"{{"apiVersion":"v1","kind":"List","metadata":{{}},"items":[{}]}}"#, items.join(","));
        let list: ObjectList<Guarded<FacetDefinition>> = serde_json::from_str(&list).unwrap();
        let read: Vec<(Option<&str>, bool)> =
            list.items.iter().map(|one| (one.meta().name.as_deref(), one.0.is_ok())).collect();
        assert_eq!(read, [(Some("a"), true), (Some("a"), true), (Some("b"), true), (Some("c"), false)]);
    }

    #[test]
    fn brackets_in_texts_are_no_levels() {
        let text = format!(r#"{{"a":"{}\"[[\\"}}"#, "[{".repeat(300));
        assert_eq!(shallow(&text), None);
        let nested = format!("{}1{}", "[".repeat(MAX_DEPTH + 5), "]".repeat(MAX_DEPTH + 5));
        let expected = format!("{}null{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
        assert_eq!(shallow(&nested), Some(expected));
        let two = format!("{0}[],\"]\",[[1]]{1}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
        let expected = format!("{0}null,\"]\",null{1}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
        assert_eq!(shallow(&two), Some(expected));
    }
}
