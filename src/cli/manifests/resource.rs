//! The CustomResourceDefinitions as checks of manifests. What the API server would refuse is refused, by the same schema and
//! the same rules.

use super::{
    node::{Content, Node},
    path::Path,
    rules::CelRules,
    structure::{Remark, Structured, structure},
    text::boolean_word,
};
use crate::{
    api::crd,
    core::schema::wording::{Visibility, closest, describe},
    offline::EntitlementKind,
};
use jsonschema::{ValidationError, Validator, error::ValidationErrorKind};
use serde_json::{Value, json};
use std::collections::HashMap;

/// The checks of all kinds.
pub struct Resources(HashMap<EntitlementKind, Resource>);

/// The checks of one kind.
struct Resource {
    schema: Value,
    values: Validator,
    rules: CelRules,
}

/// Why the checks cannot be made: the definitions of the kinds themselves are wrong, which tests rule out.
#[derive(Debug, thiserror::Error)]
#[error("the CustomResourceDefinition of {kind} cannot be used: {problem}")]
pub struct UnusableDefinition {
    kind: String,
    problem: String,
}

impl Resources {
    /// Makes the checks of the generated CustomResourceDefinitions.
    ///
    /// # Errors
    /// When one of those cannot be used.
    pub fn new() -> Result<Self, UnusableDefinition> {
        let mut resources = HashMap::new();
        for crd in crd::all() {
            let unusable = |problem: String| UnusableDefinition { kind: crd.spec.names.kind.clone(), problem };
            let kind = EntitlementKind::of(&crd.spec.names.kind).ok_or_else(|| unusable("unknown kind".to_owned()))?;
            let version = crd.spec.versions.first().and_then(|version| version.schema.as_ref());
            let schema = version.and_then(|schema| schema.open_api_v3_schema.as_ref());
            let schema = serde_json::to_value(schema).map_err(|error| unusable(error.to_string()))?;
            let resource = Resource::new(with_metadata(schema)).map_err(unusable)?;
            resources.insert(kind, resource);
        }
        Ok(Self(resources))
    }

    /// The object as the API server would keep it, with all that it would refuse. `text` is what it was read from.
    #[must_use]
    pub fn check(&self, kind: EntitlementKind, object: &Node, text: &str) -> Structured {
        let Some(resource) = self.0.get(&kind) else { return Structured::default() };
        resource.check(object, text)
    }

    /// What the API server would refuse of a change from one object to another, both as it would keep them.
    #[must_use]
    pub fn check_change(&self, kind: EntitlementKind, old: &Value, new: &Value) -> Vec<Remark> {
        self.0.get(&kind).map(|resource| resource.rules.check_change(old, new)).unwrap_or_default()
    }
}

impl Resource {
    fn new(schema: Value) -> Result<Self, String> {
        let mut plain = schema.clone();
        to_json_schema(&mut plain);
        let values = jsonschema::options().build(&plain).map_err(|error| error.to_string())?;
        Ok(Self { values, rules: CelRules::new(&schema), schema })
    }

    fn check(&self, object: &Node, text: &str) -> Structured {
        let mut structured = structure(&self.schema, object, text);
        let before = structured.errors.len();
        let remarks = self.values.iter_errors(&structured.value).map(|error| remark(&error, object, text));
        structured.errors.extend(remarks);
        // As in the API server, rules are asked only of objects that have the right types.
        if structured.errors.len() == before {
            structured.errors.extend(self.rules.check(&structured.value));
        }
        structured
    }
}

fn remark(error: &ValidationError, object: &Node, text: &str) -> Remark {
    let path = Path::of_pointer(error.instance_path().as_str(), object);
    let mut message = describe(error, Visibility::Shown);
    message.push_str(&quotes_hint(path.find(object), text));
    Remark { suggestion: suggestion(error), ..Remark::new(path, message) }
}

/// The option that was probably meant.
fn suggestion(error: &ValidationError) -> Option<String> {
    let ValidationErrorKind::Enum { options } = error.kind() else { return None };
    let options: Vec<&str> = options.as_array()?.iter().filter_map(Value::as_str).collect();
    closest(error.instance().as_str()?, &options).map(str::to_owned)
}

/// Says that an unquoted text may be what is wrong.
fn quotes_hint(node: Option<&Node>, text: &str) -> String {
    let word = node
        .filter(|node| matches!(node.content, Content::Boolean(_)))
        .and_then(|node| boolean_word(text, node.offset));
    word.map(|word| format!("; {word} is a boolean to kubectl: put it in quotes if it is a text")).unwrap_or_default()
}

/// Gives a schema the fields that Kubernetes adds to that of every kind.
fn with_metadata(mut schema: Value) -> Value {
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    if let Some(properties) = properties {
        properties.insert("apiVersion".to_owned(), json!({ "type": "string" }));
        properties.insert("kind".to_owned(), json!({ "type": "string" }));
        properties.insert("metadata".to_owned(), metadata());
    }
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.push("metadata".into());
    }
    schema
}

/// The metadata of every object
/// (<https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/>).
fn metadata() -> Value {
    let label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
    let subdomain = format!("{label}([.]{label})*");
    let word = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
    let key = json!({ "pattern": format!("^({subdomain}/)?{word}$") });
    let time = json!({ "type": "string" });
    let open_list =
        json!({ "type": "array", "items": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } });
    json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": { "type": "string", "maxLength": 253, "pattern": format!("^{subdomain}$") },
            "namespace": { "type": "string", "maxLength": 63, "pattern": format!("^{label}$") },
            "labels": {
                "type": "object",
                "propertyNames": key,
                "additionalProperties": { "type": "string", "maxLength": 63, "pattern": format!("^({word})?$") },
            },
            "annotations": { "type": "object", "propertyNames": key, "additionalProperties": { "type": "string" } },
            "creationTimestamp": time,
            "deletionGracePeriodSeconds": { "type": "integer" },
            "deletionTimestamp": time,
            "finalizers": { "type": "array", "items": { "type": "string" } },
            "generateName": { "type": "string" },
            "generation": { "type": "integer" },
            "managedFields": open_list,
            "ownerReferences": open_list,
            "resourceVersion": { "type": "string" },
            "selfLink": { "type": "string" },
            "uid": { "type": "string" },
        },
    })
}

/// Says in JSON Schema what the API server's dialect says in words of its own.
fn to_json_schema(schema: &mut Value) {
    let Some(keywords) = schema.as_object_mut() else { return };
    if keywords.remove("x-kubernetes-int-or-string").is_some() {
        keywords.insert("type".to_owned(), json!(["integer", "string"]));
    }
    if keywords.get("format").and_then(Value::as_str) == Some("int32") {
        keywords.entry("minimum").or_insert_with(|| i32::MIN.into());
        keywords.entry("maximum").or_insert_with(|| i32::MAX.into());
    }
    for name in ["minimum", "maximum"] {
        keywords.get_mut(name).into_iter().for_each(to_whole);
    }
    for name in ["items", "additionalProperties"] {
        keywords.get_mut(name).into_iter().for_each(to_json_schema);
    }
    let properties = keywords.get_mut("properties").and_then(Value::as_object_mut);
    properties.into_iter().flat_map(|properties| properties.values_mut()).for_each(to_json_schema);
}

/// A bound that is a whole number is written as one, as people are shown it.
fn to_whole(bound: &mut Value) {
    let whole = bound.as_f64().filter(|bound| bound.fract() == 0.0);
    if let Some(whole) = whole.and_then(|bound| format!("{bound:.0}").parse::<i64>().ok()) {
        *bound = whole.into();
    }
}
