use super::{definition, entry, fine, id, instance, now, refused, seats, settled, snapshot, warned};
use crate::{
    core::{definition::Schemas, secret::Secret},
    evaluation::admission::{AdmissionVerdict, Candidate, DefinitionUse, FacetUser, review_definition, review_facet},
};
use rstest::rstest;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

fn schemas() -> Schemas {
    BTreeMap::from([("limits".to_owned(), Arc::new(limits(10)))])
}

fn limits(maximum: u64) -> Value {
    json!({"type": "object", "properties": {"depth": {"type": "integer", "maximum": maximum}}})
}

/// A grant of `seats` whose depth is 7, in force.
fn used() -> DefinitionUse {
    let grants = settled(&[instance("a", &json!({"facets": {"limits": {"depth": 7}}}))], now());
    DefinitionUse {
        live: 1,
        example: Some(id("a")),
        holders: vec![Candidate::of(snapshot(&grants))],
        ..DefinitionUse::default()
    }
}

fn changed(before: Option<&Value>, after: Option<&Value>, used: &DefinitionUse) -> AdmissionVerdict {
    let spec = |spec: Option<&Value>| spec.map(|spec| definition("seats", spec).spec);
    review_definition(&"seats".into(), spec(before).as_ref(), spec(after).as_ref(), &schemas(), used, now())
}

fn made(spec: &Value) -> AdmissionVerdict {
    changed(None, Some(spec), &DefinitionUse::default())
}

#[rstest]
#[case::template(
    json!({"type": "Feature", "outputs": [{"name": "o", "kind": "ConfigMap", "items": [{"key": "k", "template": "{{ a b }}"}]}]}),
    "InvalidTemplate"
)]
#[case::schema(json!({"type": "Feature", "facets": [{"name": "f", "schema": {"type": "string"}}]}), "InvalidSchema")]
#[case::facet(json!({"type": "Feature", "facets": [{"name": "f", "definition": "nothing"}]}), "FacetNotFound")]
#[case::preset(json!({"type": "Feature", "facets": [{"name": "f", "definition": "limits", "values": {"depth": 11}}]}), "InvalidPreset")]
#[case::term(json!({"type": "Feature", "term": "P0D"}), "InvalidDuration")]
fn a_definition_is_refused_as_its_condition_would_say(#[case] spec: Value, #[case] reason: &'static str) {
    let problem =
        crate::evaluation::admission::definition::compile("seats", &definition("seats", &spec).spec, &schemas())
            .unwrap_err();
    assert_eq!(problem.reason, reason);
    assert_eq!(made(&spec), refused(reason, &problem.message));
    // What is wrong already can be labelled, and mended bit by bit.
    let mut described = spec.clone();
    described["description"] = json!("text");
    assert_eq!(changed(Some(&spec), Some(&described), &DefinitionUse::default()), fine());
}

#[test]
fn a_definition_that_can_be_granted_passes() {
    assert_eq!(made(&seats()), fine());
    assert_eq!(made(&json!({"type": "Feature", "facets": [{"name": "f", "definition": "limits"}]})), fine());
}

fn with_output(item: &Value) -> Value {
    json!({
        "type": "Feature",
        "facets": [
            {"name": "limits", "definition": "limits", "values": {"depth": 3}},
            {"name": "db", "schema": {"type": "object", "properties": {
                "host": {"type": "string"}, "port": {"type": "integer"}, "password": {"type": "string", "writeOnly": true},
            }}, "values": {"host": "db", "port": 1}},
        ],
        "outputs": [{"name": "o", "kind": "ConfigMap", "items": [item]}],
    })
}

#[rstest]
#[case::one_field(
    json!({"key": "k", "template": "{{ facets.db.host }}"}),
    &[
        "facets.db.password is secret, and no output of kind Secret shows it: nobody receives it",
        "facets.db.port is preset, and no output shows it: only the summary does",
        "no output shows anything of facet limits: only the summary does",
    ]
)]
#[case::everything_but_secrets(
    json!({"key": "k", "format": "Env"}),
    &["facets.db.password is secret, and no output of kind Secret shows it: nobody receives it"]
)]
fn warns_of_what_no_output_shows(#[case] item: Value, #[case] warnings: &[&str]) {
    assert_eq!(made(&with_output(&item)), warned(warnings));
}

#[test]
fn what_a_secret_shows_is_used_and_a_catalogue_without_outputs_means_the_summary() {
    let mut spec = with_output(&json!({"key": "k", "format": "Env"}));
    spec["outputs"][0]["kind"] = json!("Secret");
    assert_eq!(made(&spec), fine());
    spec["outputs"] = json!([]);
    assert_eq!(
        made(&spec),
        warned(&["facets.db.password is secret, and no output of kind Secret shows it: nobody receives it"])
    );
}

#[test]
fn warns_how_many_grants_an_edit_makes_invalid() {
    let mut stricter = seats();
    stricter["facets"][0]["schema"]["properties"]["depth"]["maximum"] = json!(5);
    let warning = "this makes facets invalid, whose last valid values go on, of the grant entitlements/a: facets.limits.depth: 7 is more than the maximum 5";
    assert_eq!(changed(Some(&seats()), Some(&stricter), &used()), warned(&[warning]));
    let mut laxer = seats();
    laxer["facets"][0]["schema"]["properties"]["depth"]["maximum"] = json!(7);
    assert_eq!(changed(Some(&seats()), Some(&laxer), &used()), fine());
}

#[test]
fn a_definition_is_not_deleted_while_grants_are_live() {
    let message =
        "definition seats is still held, by the grant entitlements/a: cancel or delete what depends on it first";
    assert_eq!(changed(Some(&seats()), None, &used()), refused("InUse", message));
    let three = DefinitionUse { live: 3, ..used() };
    let message = "definition seats is still held, by 3 grants, such as entitlements/a: cancel or delete what depends on it first";
    assert_eq!(changed(Some(&seats()), None, &three), refused("InUse", message));
    assert_eq!(changed(Some(&seats()), None, &DefinitionUse::default()), fine());
}

fn user(used: DefinitionUse) -> FacetUser {
    let mut spec = seats();
    spec["facets"] = json!([{"name": "limits", "definition": "limits", "values": {"depth": 4}}]);
    FacetUser { name: "seats".into(), spec: definition("seats", &spec).spec, schemas: schemas(), used }
}

fn facet(before: Option<&Value>, after: Option<&Value>, users: &[FacetUser]) -> AdmissionVerdict {
    let shared = |schema: Option<&Value>| schema.cloned().map(Arc::new);
    review_facet("limits", shared(before).as_ref(), shared(after).as_ref(), users, now())
}

#[test]
fn a_facet_definition_is_refused_as_its_condition_would_say() {
    let bad = json!({"type": "string"});
    let problem = crate::evaluation::status::facet_definition::schema_problem(&bad).unwrap();
    assert_eq!(facet(None, Some(&bad), &[]), refused("InvalidSchema", &problem.message));
    assert_eq!(facet(Some(&bad), Some(&bad), &[]), fine());
    assert_eq!(facet(None, Some(&limits(10)), &[]), fine());
}

#[test]
fn a_facet_definition_is_not_to_break_what_uses_it() {
    let message = "this breaks the definition seats: facets.limits.depth: 4 is more than the maximum 3";
    assert_eq!(facet(Some(&limits(10)), Some(&limits(3)), &[user(used())]), refused("InvalidPreset", message));
    let warning = "this makes facets invalid, whose last valid values go on, of the grant entitlements/a: facets.limits.depth: 7 is more than the maximum 5";
    assert_eq!(facet(Some(&limits(10)), Some(&limits(5)), &[user(used())]), warned(&[warning]));
    // What was broken before is not this change's.
    assert_eq!(facet(Some(&limits(3)), Some(&limits(2)), &[user(DefinitionUse::default())]), fine());
    assert_eq!(facet(None, Some(&limits(3)), &[user(DefinitionUse::default())]), fine());
}

#[test]
fn a_facet_definition_is_not_deleted_while_grants_depend_on_it() {
    let message = "facet definition limits is used by the definition seats, of which there are grants: take it out of what uses it first";
    assert_eq!(facet(Some(&limits(10)), None, &[user(used())]), refused("InUse", message));
    let warning = "without the facet definition limits, the definition seats cannot be granted";
    assert_eq!(facet(Some(&limits(10)), None, &[user(DefinitionUse::default())]), warned(&[warning]));
    assert_eq!(facet(Some(&limits(10)), None, &[]), fine());
}

/// A definition whose facet has a secret field of at least that length.
fn protected(least: usize) -> Value {
    let password = json!({"type": "string", "writeOnly": true, "minLength": least});
    json!({
        "type": "Quantity", "unit": "seats", "amount": 5,
        "facets": [{"name": "db", "schema": {"type": "object", "properties": {"password": password}, "required": ["password"]}}],
        "outputs": [{"name": "o", "kind": "Secret", "items": [{"key": "k", "format": "Env"}]}],
    })
}

/// A grant of it that takes a value of 17 characters from a Secret, or from one that is not there.
fn protected_use(is_there: bool) -> DefinitionUse {
    let source = json!({"facet": "db", "field": "password", "secretKeyRef": {"name": "db", "key": "password"}});
    let mut known = snapshot(&settled(&[instance("a", &json!({"secretFacets": [source]}))], now()));
    known.catalogue.insert("seats".into(), entry("seats", &protected(1)));
    if is_there {
        let data = BTreeMap::from([("password".to_owned(), Secret::new(b"correct horse bat".to_vec()))]);
        known.secrets.insert(("entitlements".into(), "db".into()), Arc::new(data));
    }
    DefinitionUse { live: 1, example: Some(id("a")), holders: vec![Candidate::of(known)], ..DefinitionUse::default() }
}

#[test]
fn no_answer_depends_on_a_secret() {
    for is_there in [true, false] {
        let used = protected_use(is_there);
        assert!(used.holders[0].snapshot().secrets.is_empty());
        for least in [0, 17, 18, 1000] {
            assert_eq!(changed(Some(&protected(1)), Some(&protected(least)), &used), fine(), "{is_there} {least}");
        }
    }
}

#[test]
fn defaults_that_are_never_filled_in_are_a_warning() {
    let pools = json!({"type": "object", "additionalProperties": {"properties": {"replicas": {"default": 1}}}});
    let plain = json!({"type": "object"});
    let warning = "schema/additionalProperties/properties/replicas/default: is never filled in, as defaults are taken from \
                   `properties`, `items` and local `$ref` alone: name the fields there, or have each grant state them";
    assert_eq!(facet(Some(&plain), Some(&pools), &[]), warned(&[warning]));
    let described = json!({"type": "object", "title": "Pools", "additionalProperties": pools["additionalProperties"]});
    assert_eq!(facet(Some(&pools), Some(&described), &[]), fine(), "nothing new");
    let of = |schema: &Value| json!({"type": "Feature", "facets": [{"name": "pools", "schema": schema}]});
    let verdict = changed(Some(&of(&plain)), Some(&of(&pools)), &DefinitionUse::default());
    assert_eq!(verdict, warned(&[&format!("facet pools: {warning}")]));
}
