//! What docs/openapi.yaml says of the API, and the OFREP specification of its part: every answer that a test gets is compared with
//! both.

use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

/// The description that is published.
pub static DESCRIPTION: LazyLock<Description> = LazyLock::new(|| {
    Description::read(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.yaml")), Extras::Refused)
});

/// The OFREP specification.
static SPECIFICATION: LazyLock<Description> = LazyLock::new(|| {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ofrep/openapi.yaml"));
    let mut specification = Description::read(text, Extras::Taken);
    // As it is written, a value is of exactly one kind, and each kind is one without a value too. We always give one.
    let values = &mut specification.document["components"]["schemas"]["evaluationSuccess"]["allOf"][1];
    let kinds = values["oneOf"].take().as_array().unwrap().clone();
    let with_values = kinds.into_iter().filter(|kind| kind["$ref"] != "#/components/schemas/codeDefaultFlag");
    *values = json!({"anyOf": with_values.collect::<Vec<_>>()});
    specification
});

/// What is wrong with an answer to a call.
pub fn problems(method: &str, path: &str, answer: Answer) -> Vec<String> {
    let mut problems = DESCRIPTION.problems(method, path, answer);
    // Of what cannot be evaluated now, it knows an error of the server alone.
    let status = if answer.status == 503 { 500 } else { answer.status };
    if path.starts_with("/ofrep/") {
        problems.extend(SPECIFICATION.problems(method, path, Answer { status, ..answer }));
    }
    problems
}

/// An answer.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    pub status: u16,
    /// With the status line.
    pub head: &'a str,
    pub body: &'a str,
}

impl Answer<'_> {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        headers.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }
}

/// What is refused by HTTP itself, before anything of a call is known.
const BEFORE_A_CALL: [u16; 3] = [400, 414, 431];

/// What is told to who asks for something that is not there.
const NO_CALL: [u16; 3] = [401, 404, 405];
const PROBLEM: &str = "application/problem+json";

/// What becomes of fields that a description does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extras {
    Refused,
    Taken,
}

/// An `OpenAPI` description.
pub struct Description {
    document: Value,
    extras: Extras,
}

impl Description {
    pub fn read(yaml: &str, extras: Extras) -> Self {
        let mut document: Value = serde_saphyr::from_str(yaml).unwrap();
        if extras == Extras::Refused {
            refuse_extras(&mut document);
        }
        Self { document, extras }
    }

    /// Each path with its methods, in capitals.
    pub fn calls(&self) -> BTreeMap<&str, BTreeSet<String>> {
        let paths = self.document["paths"].as_object().unwrap().iter();
        let methods = |path: &Value| path.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        paths.map(|(path, described)| (path.as_str(), methods(described))).collect()
    }

    /// What is described of a path: its methods.
    pub fn path(&self, path: &str) -> Option<&Value> {
        // A request may name the host too.
        let path = path.strip_prefix("http://127.0.0.1").unwrap_or(path).split('?').next().unwrap();
        let is_it = |template: &str| {
            let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
            let fits = |(part, name): (&&str, &&str)| part == name || part.starts_with('{');
            path.last() != Some(&"") && template.len() == path.len() && template.iter().zip(&path).all(fits)
        };
        let mut paths = self.document["paths"].as_object().unwrap().iter();
        paths.find(|(template, _)| is_it(template)).map(|(_, described)| described)
    }

    /// What is wrong with an answer to a call.
    pub fn problems(&self, method: &str, path: &str, answer: Answer) -> Vec<String> {
        if BEFORE_A_CALL.contains(&answer.status) && answer.body.is_empty() {
            return Vec::new();
        }
        let Some(call) = self.path(path).and_then(|path| path.get(method.to_lowercase())) else {
            let is_refused = NO_CALL.contains(&answer.status) && answer.header("content-type") == Some(PROBLEM);
            return if is_refused { Vec::new() } else { vec![format!("{method} {path} is not described")] };
        };
        let status = answer.status.to_string();
        let Some(described) = call["responses"].get(&status) else {
            return vec![format!("{method} {path}: {status} is not described: {}", answer.body)];
        };
        let described = self.resolved(described);
        let nothing = Map::new();
        let headers = described["headers"].as_object().unwrap_or(&nothing).keys();
        let mut problems: Vec<String> = headers
            .filter(|name| answer.header(name).is_none())
            .map(|name| format!("{method} {path}: {status} without the header {name}"))
            .collect();
        let Some(forms) = described["content"].as_object() else {
            let may_be_empty = self.extras == Extras::Taken || answer.body.is_empty();
            problems.extend((!may_be_empty).then(|| format!("{method} {path}: {status} has a body: {}", answer.body)));
            return problems;
        };
        let Some(form) = answer.header("content-type").and_then(|media_type| forms.get(media_type)) else {
            problems.push(format!("{method} {path}: {status} of another type: {}", answer.head));
            return problems;
        };
        let body: Value = serde_json::from_str(answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.body));
        let mut schema = form["schema"].clone();
        schema["components"] = self.document["components"].clone();
        let schema = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
        problems.extend(
            schema
                .iter_errors(&body)
                .map(|error| format!("{method} {path}: {status}: {}: {error}", error.instance_path())),
        );
        problems
    }

    fn resolved<'a>(&'a self, described: &'a Value) -> &'a Value {
        let reference = described["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        reference.map_or(described, |pointer| self.document.pointer(pointer).unwrap())
    }
}

/// Refuses what an object has and its schema does not, but for the parts that several schemas make up together.
fn refuse_extras(document: &mut Value) {
    let mut parts = BTreeSet::new();
    find_parts(&document["components"]["schemas"], false, &mut parts);
    for (name, schema) in document["components"]["schemas"].as_object_mut().unwrap() {
        let is_object = schema["type"] == "object" || schema.get("allOf").is_some();
        if is_object && !parts.contains(name) {
            schema["unevaluatedProperties"] = json!(false);
        }
    }
}

/// The schemas that stand within an `allOf`, by their names.
fn find_parts(schema: &Value, is_within: bool, parts: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            if let (true, Some(Value::String(reference))) = (is_within, fields.get("$ref")) {
                parts.insert(reference.rsplit('/').next().unwrap().to_owned());
            }
            for (name, field) in fields {
                find_parts(field, name == "allOf" || (is_within && name == "oneOf"), parts);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| find_parts(item, is_within, parts)),
        _ => {}
    }
}

#[test]
fn what_is_not_described_is_noticed() {
    let path = "/v1/organizations/acme/entitlements/seats/uses/a?b";
    let told = json!({"key": "a", "amount": "1", "channel": null, "at": "2027-01-01T00:00:00Z", "asOf": "2027-01-01T00:00:00Z"});
    let problems = |method: &str, status: u16, media_type: &str, body: &Value| {
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: {media_type}");
        DESCRIPTION.problems(method, path, Answer { status, head: &head, body: &body.to_string() })
    };
    assert_eq!(problems("GET", 200, "application/json", &told), Vec::<String>::new());
    let with = |field: &str, value: Value| {
        let mut told = told.clone();
        told[field] = value;
        told
    };
    for (method, status, media_type, body, said) in [
        ("GET", 200, "text/plain", told.clone(), "of another type"),
        ("GET", 201, "application/json", told.clone(), "201 is not described"),
        ("POST", 200, "application/json", told.clone(), "is not described"),
        ("GET", 200, "application/json", with("amount", json!(1)), "/amount: 1 is not of type"),
        ("GET", 200, "application/json", with("amount", json!("1.0")), "/amount: \"1.0\" does not match"),
        ("GET", 200, "application/json", with("at", json!("today")), "/at: \"today\" is not a \"date-time\""),
        ("GET", 200, "application/json", with("more", json!(1)), "'more' was unexpected"),
        ("GET", 401, "application/problem+json", told.clone(), "without the header WWW-Authenticate"),
    ] {
        let found = problems(method, status, media_type, &body);
        assert!(found.iter().any(|problem| problem.contains(said)), "{said}: {found:?}");
    }
}

#[test]
fn what_the_specification_does_not_have_is_noticed() {
    let problems = |status: u16, body: &Value| {
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json");
        SPECIFICATION.problems(
            "POST",
            "/ofrep/v1/evaluate/flags/a",
            Answer { status, head: &head, body: &body.to_string() },
        )
    };
    let told = |value: Value| json!({"key": "a", "reason": "STATIC", "variant": "not-held", "value": value});
    for value in [json!(true), json!(3), json!(2.5), json!({"a": [1]})] {
        assert_eq!(problems(200, &told(value)), Vec::<String>::new());
    }
    let without_value = json!({"key": "a", "reason": "STATIC"});
    let without_key = json!({"errorCode": "GENERAL", "errorDetails": "why"});
    let of_another_kind = json!({"key": "a", "reason": "BECAUSE", "value": 1});
    for (status, body) in [(200, told(Value::Null)), (200, without_value), (200, of_another_kind), (400, without_key)] {
        assert_eq!(problems(status, &body).len(), 1, "{body}");
    }
}
