//! That the README of the Helm chart, its schema and values.yaml tell of the same values.

use super::chart::{CHART, NAMESPACE, rendered};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

/// The paths of all values, down to what users fill in as a whole.
fn paths(values: &Value, schema: &Value, before: &str, found: &mut BTreeMap<String, Value>) {
    for (name, value) in values.as_object().unwrap() {
        let path = format!("{before}{name}");
        let schema = &schema["properties"][name];
        assert!(schema.is_object(), "values.schema.json does not know {path}");
        match value {
            Value::Object(fields) if schema["properties"].is_object() && !fields.is_empty() && path != "resources" => {
                paths(value, schema, &format!("{path}."), found);
            }
            _ => drop(found.insert(path, value.clone())),
        }
    }
}

fn values() -> BTreeMap<String, Value> {
    let text = fs::read_to_string(format!("{CHART}/values.yaml")).unwrap();
    let mut found = BTreeMap::new();
    paths(&serde_saphyr::from_str(&text).unwrap(), &schema(), "", &mut found);
    found
}

/// A line of values.yaml that gives a value, and the comment above it.
struct Documented {
    path: String,
    default: String,
    comment: String,
}

/// All of values.yaml, in its order, read as text, for YAML has no comments.
fn documented() -> Vec<Documented> {
    let text = fs::read_to_string(format!("{CHART}/values.yaml")).unwrap();
    let given = values();
    let (mut all, mut comment, mut above) = (Vec::new(), Vec::new(), Vec::<&str>::new());
    for line in text.lines() {
        let depth = (line.len() - line.trim_start().len()) / 2;
        let line = line.trim();
        if let Some(said) = line.strip_prefix("# ") {
            comment.push(said);
            continue;
        }
        let Some((name, value)) = line.split_once(':') else {
            comment.clear();
            continue;
        };
        above.truncate(depth);
        above.push(name);
        let path = above.join(".");
        if given.contains_key(&path) {
            let default = if value.is_empty() { "see values.yaml" } else { value.trim() };
            all.push(Documented { path, default: default.to_owned(), comment: comment.join(" ") });
        }
        comment.clear();
    }
    all
}

#[test]
fn the_readme_has_each_value_with_its_comment() {
    let documented = documented();
    assert_eq!(documented.iter().map(|one| one.path.clone()).collect::<BTreeSet<_>>(), values().into_keys().collect());
    let rows = documented.iter().map(|Documented { path, default, comment }| {
        assert!(comment.ends_with('.') && comment.len() > 8, "{path} has no comment: {comment:?}");
        format!("| `{path}` | `{default}` | {} |\n", comment.trim_end_matches('.'))
    });
    let table = format!("| value | default | what it does |\n|---|---|---|\n{}", rows.collect::<String>());
    let path = format!("{CHART}/README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let before = readme.split_once("| value | default |").unwrap().0;
    let expected = format!("{before}{table}");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &expected).unwrap();
    }
    assert!(fs::read_to_string(&path).unwrap() == expected, "UPDATE_GOLDEN=1 writes the table anew");
}

/// What may be emptied (`null`), because that means the same as empty, or takes a default away that is nothing but advice.
const MAY_BE_EMPTIED: [&str; 36] = [
    "affinity",
    "api.certificate.secretName",
    "extraArgs",
    "extraEnv",
    "image.digest",
    "image.tag",
    "imagePullSecrets",
    "leaseDuration",
    "logFilter",
    "metrics.dashboards.labels",
    "metrics.rules.labels",
    "metrics.serviceMonitor.interval",
    "metrics.serviceMonitor.labels",
    "networkPolicy.egress.allow",
    "networkPolicy.metricsFrom",
    "networkPolicy.apiFrom",
    "nodeSelector",
    "organizationBytes",
    "podAnnotations",
    "podLabels",
    "priorityClassName",
    "prometheus.certificateAuthorityKey",
    "prometheus.headerKey",
    "prometheus.secretName",
    "prometheus.timeout",
    "prometheus.tokenKey",
    "prometheus.url",
    "prometheus.user",
    "resources",
    "serviceAccount.annotations",
    "store.postgres.secretName",
    "store.sqlite.existingClaim",
    "store.sqlite.storageClassName",
    "tolerations",
    "topologySpreadConstraints",
    "tracing.endpoint",
];

/// A switch that is emptied would be off, and a restriction would be none, without that anybody says so.
#[test]
fn nothing_else_may_be_emptied() {
    let set = MAY_BE_EMPTIED.map(|value| format!("{value}=null")).join(",");
    rendered(NAMESPACE, &["--set", &set]);
    let mut required = BTreeSet::new();
    required_in(&schema(), "", &mut required);
    let all: BTreeSet<String> = values().into_keys().collect();
    let may: BTreeSet<String> = MAY_BE_EMPTIED.map(str::to_owned).into();
    assert_eq!(required, &all - &may);
}

fn required_in(schema: &Value, before: &str, found: &mut BTreeSet<String>) {
    let required = schema["required"].as_array();
    for (name, field) in schema["properties"].as_object().unwrap() {
        let path = format!("{before}{name}");
        let is_required = required.is_some_and(|names| names.contains(&json!(name)));
        if field["properties"].is_object() && path != "resources" {
            assert!(is_required, "{path}");
            required_in(field, &format!("{path}."), found);
        } else if is_required {
            found.insert(path);
        }
    }
}

fn schema() -> Value {
    serde_json::from_str(&fs::read_to_string(format!("{CHART}/values.schema.json")).unwrap()).unwrap()
}

#[test]
fn the_schema_knows_each_value_and_no_other() {
    let mut known = BTreeSet::new();
    in_schema(&schema(), "", &mut known);
    assert_eq!(known, values().into_keys().collect());
}

fn in_schema(schema: &Value, before: &str, found: &mut BTreeSet<String>) {
    for (name, field) in schema["properties"].as_object().unwrap() {
        let path = format!("{before}{name}");
        // Helm gives it to every chart.
        if path == "global" {
            continue;
        }
        if field["properties"].is_object() && path != "resources" {
            assert_eq!(field["additionalProperties"], false, "{path}");
            in_schema(field, &format!("{path}."), found);
        } else {
            found.insert(path);
        }
    }
}
