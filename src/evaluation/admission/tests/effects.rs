//! What a change does to grants that are held is said before it is stored.

use super::{definition, fine, instance, now, organization, snapshot, warned};
use crate::{
    api::AmountField,
    core::{acceptance::Acceptance, amount::Amount, definition::Schemas, namespace::NamespaceFacts, source},
    evaluation::{
        Snapshot,
        admission::{
            AdmissionVerdict, Candidate, DefinitionUse, FacetUser, review_definition, review_facet, review_organization,
        },
        catalogue::{CatalogueEntry, CompiledDefinition, DefinitionState},
        evaluate,
        status::ideal,
    },
};
use rstest::rstest;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

fn limits(default: u64) -> Value {
    json!({"type": "object", "properties": {
        "depth": {"type": "integer", "default": default},
        "token": {"type": "string", "writeOnly": true},
    }})
}

fn schemas(default: u64) -> Schemas {
    BTreeMap::from([("limits".to_owned(), Arc::new(limits(default)))])
}

/// Ten seats with an object for each grant.
fn seats(more: &Value) -> Value {
    let mut spec = json!({
        "type": "Quantity", "unit": "seats", "amount": 10, "allowMultiple": true,
        "facets": [{"name": "limits", "definition": "limits"}],
        "outputs": [config("{{ instance.amount }}")],
    });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec
}

fn config(template: &str) -> Value {
    json!({"name": "config", "kind": "ConfigMap", "items": [
        {"key": "seats", "template": template}, {"key": "depth", "template": "{{ facets.limits.depth }}"},
    ]})
}

fn login() -> Value {
    json!({"name": "login", "kind": "Secret", "objectName": "login-{{ instance.name }}", "items": [
        {"key": "token", "template": "{{ facets.limits.token }}"},
    ]})
}

/// An organization with these grants of `seats`, as they were accepted.
fn held(spec: &Value, grants: &[(&str, Value)]) -> Snapshot {
    let instances: Vec<_> = grants.iter().map(|(name, spec)| instance(name, spec)).collect();
    let source = DefinitionState::gather(&definition("seats", spec).spec, |_| Some(Arc::new(limits(1)))).unwrap();
    let compiled = CompiledDefinition::compile("seats", &source).unwrap();
    let mut snapshot = snapshot(&instances);
    snapshot.catalogue = BTreeMap::from([("seats".into(), Arc::new(CatalogueEntry::valid(compiled)))]);
    let evaluation = evaluate(&snapshot, now());
    let statuses = ideal(&evaluation);
    snapshot.grants = snapshot
        .grants
        .iter()
        .zip(statuses)
        .map(|(grant, status)| Arc::new(source::instance::remembering(grant.as_ref().clone(), &status)))
        .collect();
    snapshot
}

fn used(spec: &Value, grants: &[(&str, Value)]) -> DefinitionUse {
    DefinitionUse { live: grants.len(), holders: vec![Candidate::of(held(spec, grants))], ..DefinitionUse::default() }
}

fn edited(before: &Value, after: &Value, used: &DefinitionUse) -> AdmissionVerdict {
    let [before, after] = [before, after].map(|spec| definition("seats", spec).spec);
    review_definition(&"seats".into(), Some(&before), Some(&after), &schemas(1), used, now())
}

/// What an edit of `seats` with these grants is warned of.
fn warnings(before: &Value, after: &Value, grants: &[(&str, Value)]) -> Vec<String> {
    let verdict = edited(&seats(before), &seats(after), &used(&seats(before), grants));
    assert_eq!(verdict.refused, None);
    verdict.warnings.into_iter().filter(|warning| !warning.contains("nobody receives it")).collect()
}

fn plain(names: &[&'static str]) -> Vec<(&'static str, Value)> {
    names.iter().map(|name| (*name, json!({}))).collect()
}

const WAITS: &str = "2026-08-01";

#[rstest]
#[case::agreed(json!({}), json!({"amount": 4}), &[])]
#[case::everyone(
    json!({"rollout": "Everyone"}), json!({"rollout": "Everyone", "amount": 4}),
    &["2 grants in force change from 10 to 4 seats, and 1 not in force now", "2 objects in 1 namespace change"]
)]
#[case::from_now_on(
    json!({}), json!({"rollout": "Everyone", "amount": "Unlimited"}),
    &["2 grants in force change from 10 to Unlimited seats, and 1 not in force now", "2 objects in 1 namespace change"]
)]
#[case::no_more(json!({"rollout": "Everyone"}), json!({"amount": 4}), &[])]
#[case::a_description(json!({}), json!({"description": "Seats"}), &[])]
#[case::an_aggregation(json!({}), json!({"aggregation": "Max"}), &[])]
#[case::a_preset(
    json!({"facets": [{"name": "limits", "definition": "limits", "values": {"depth": 3}}]}),
    json!({"facets": [{"name": "limits", "definition": "limits", "values": {"depth": 5}}]}),
    &["facets.limits.depth becomes 5 instead of 3 for 3 grants of 1 organization", "2 objects in 1 namespace change"]
)]
#[case::a_facet_more(
    json!({}),
    json!({"facets": [
        {"name": "limits", "definition": "limits"},
        {"name": "region", "schema": {"type": "object", "properties": {"name": {"type": "string", "default": "eu"}}}},
    ], "outputs": [config("{{ instance.amount }} {{ facets.region.name }}")]}),
    &["facets.region.name comes as \"eu\" for 3 grants of 1 organization", "2 objects in 1 namespace change"]
)]
#[case::a_template(json!({}), json!({"outputs": [config("{{ total.amount }}")]}), &["2 objects in 1 namespace change"])]
#[case::an_output_less(json!({}), json!({"outputs": []}), &["2 objects in 1 namespace are withdrawn"])]
#[case::an_output_that_is_retained(
    json!({"outputs": [{"onEnd": "Retain", "name": "config", "kind": "ConfigMap", "items": [{"key": "k", "template": "{{ facets.limits.depth }}"}]}]}),
    json!({"outputs": []}),
    &["2 objects in 1 namespace are kept, as no longer in force"]
)]
#[case::another_name(
    json!({}),
    json!({"outputs": [{"objectName": "other-{{ instance.name }}", "name": "config", "kind": "ConfigMap", "items": [
        {"key": "k", "template": "{{ facets.limits.depth }}"}]}]}),
    &["2 objects in 1 namespace get another name"]
)]
#[case::an_output_more(
    json!({"outputs": []}), json!({"outputs": [config("{{ instance.amount }}")]}), &["2 objects in 1 namespace are new"]
)]
fn what_an_edit_changes_in_grants_is_said(#[case] before: Value, #[case] after: Value, #[case] expected: &[&str]) {
    let mut grants = plain(&["a", "b"]);
    grants.push(("c", json!({"start": WAITS})));
    assert_eq!(warnings(&before, &after, &grants), expected);
}

#[test]
fn one_is_one() {
    let (before, after) = (json!({"rollout": "Everyone"}), json!({"rollout": "Everyone", "amount": 4}));
    let expected = ["1 grant in force changes from 10 to 4 seats", "1 object in 1 namespace changes"];
    assert_eq!(warnings(&before, &after, &plain(&["a"])), expected);
    let waiting = [("a", json!({"start": WAITS}))];
    assert_eq!(warnings(&before, &after, &waiting), ["1 grant not in force now changes from 10 to 4 seats"]);
    // What the grant states itself stays.
    assert_eq!(warnings(&before, &after, &[("a", json!({"amount": 7}))]), [""; 0]);
    assert_eq!(warnings(&before, &after, &[]), [""; 0]);
}

#[test]
fn changes_of_one_kind_are_told_together_and_not_all_of_them() {
    let preset = |values: &Value| json!({"facets": [{"name": "limits", "schema": {"type": "object"}, "values": values}], "outputs": []});
    let values = |number: u32| json!({"a": number, "b": number, "c": number, "d": number, "e": number});
    let found = warnings(&preset(&values(1)), &preset(&values(2)), &plain(&["a", "b"]));
    let expected = ["a", "b", "c"]
        .map(|field| format!("facets.limits.{field} becomes 2 instead of 1 for 2 grants of 1 organization"));
    assert_eq!(found, [&expected[..], &["and 2 more values change".to_owned()]].concat());
}

#[test]
fn amounts_are_grouped_and_not_all_told() {
    let (everyone, agreed) = (seats(&json!({"rollout": "Everyone", "amount": 99})), seats(&json!({})));
    // Each was accepted with another amount.
    let mut snapshot = held(&agreed, &plain(&["a", "b", "c", "d", "e", "f"]));
    for (index, grant) in snapshot.grants.iter_mut().enumerate() {
        let grant = Arc::make_mut(grant);
        let amount = Amount::read(&AmountField::Whole(i64::try_from(index / 2 + index / 5).unwrap())).unwrap();
        let record = grant.accepted.as_ref().unwrap().as_ref().clone();
        grant.accepted = Some(Arc::new(Acceptance { amount: Some(amount), ..record }));
    }
    let used = DefinitionUse { live: 6, holders: vec![Candidate::of(snapshot)], ..DefinitionUse::default() };
    let warnings = edited(&agreed, &everyone, &used).warnings;
    let expected = [
        "2 grants in force change from 0 to 99 seats",
        "2 grants in force change from 1 to 99 seats",
        "1 grant in force changes from 2 to 99 seats",
        "and the amounts of 1 grant more change in 1 other way",
        "6 objects in 1 namespace change",
    ];
    assert_eq!(warnings[warnings.len() - 5..], expected);
}

#[test]
fn a_long_value_is_cut() {
    let preset = |text: &str| json!({"facets": [{"name": "limits", "schema": {"type": "object"}, "values": {"x".repeat(200): text}}], "outputs": []});
    let found = warnings(&preset(&"ä".repeat(500)), &preset(&"ö".repeat(500)), &plain(&["a"]));
    assert!(found[0].starts_with("facets.limits.xxx") && found[0].chars().count() <= 256, "{found:?}");
    assert!(found[0].ends_with("… for 1 grant of 1 organization"), "{found:?}");
}

/// A review is given no secret, so that its answer tells none.
#[test]
fn of_a_secret_only_that_it_is_not_looked_at_is_said() {
    let secret =
        json!({"secretFacets": [{"facet": "limits", "field": "token", "secretKeyRef": {"name": "s", "key": "k"}}]});
    let (before, mut after) = (json!({"outputs": [login()]}), json!({"outputs": [login()]}));
    after["outputs"][0]["items"][0]["template"] = json!("token: {{ facets.limits.token }}");
    let found = warnings(&before, &after, &[("a", secret)]);
    assert_eq!(found, ["what becomes of 1 Secret is not looked at, as a review knows no secret"]);
    // A field that becomes secret is not shown as it was.
    let schema =
        |is_secret: bool| json!({"type": "object", "properties": {"key": {"type": "string", "writeOnly": is_secret}}});
    let of = |is_secret: bool| json!({"facets": [{"name": "limits", "schema": schema(is_secret)}], "outputs": []});
    let found = warnings(&of(false), &of(true), &[("a", json!({"facets": {"limits": {"key": "xyzzy"}}}))]);
    assert!(!found.concat().contains("xyzzy"), "{found:?}");
}

#[test]
fn what_could_not_be_looked_at_is_said() {
    let (before, after) = (seats(&json!({"rollout": "Everyone"})), seats(&json!({"rollout": "Everyone", "amount": 4})));
    let mut used = used(&before, &plain(&["a", "b"]));
    (used.live, used.unseen) = (10_000, 9_998);
    let warnings = edited(&before, &after, &used).warnings;
    let expected = [
        "at least 2 grants in force change from 10 to 4 seats",
        "at least 2 objects in 1 namespace change",
        "this was looked at for 2 of 10000 grants",
    ];
    assert_eq!(warnings[warnings.len() - 3..], expected);
}

#[test]
fn a_facet_definition_reaches_the_grants_of_all_that_use_it() {
    let spec = seats(&json!({}));
    let user = FacetUser {
        name: "seats".into(),
        spec: definition("seats", &spec).spec,
        schemas: schemas(1),
        used: used(&spec, &plain(&["a", "b"])),
    };
    let (before, after) = (Arc::new(limits(1)), Arc::new(limits(2)));
    let found = review_facet("limits", Some(&before), Some(&after), &[user], now());
    let expected = [
        "facets.limits.depth becomes 2 instead of 1 for 2 grants of 1 organization",
        "2 objects in 1 namespace change",
    ];
    assert_eq!(found, warned(&expected));
}

/// An organization with grants `a`, `b` and `c`, of which the last is retained, in two namespaces.
fn client() -> Snapshot {
    let retained = json!({"allowMultiple": true, "outputs": [config("{{ instance.amount }}"), {
        "name": "kept", "kind": "ConfigMap", "onEnd": "Retain", "objectName": "kept-{{ instance.name }}",
        "items": [{"key": "depth", "template": "{{ facets.limits.depth }}"}],
    }]});
    let mut snapshot = held(&seats(&retained), &plain(&["a", "b", "c"]));
    let own = NamespaceFacts { present: true, claimed_by: Some("acme".to_owned()), ..NamespaceFacts::default() };
    snapshot.namespaces.insert("acme-staging".into(), own);
    snapshot
}

fn reorganized(before: &Value, after: Option<&Value>) -> AdmissionVerdict {
    let state = |spec: Option<&Value>| {
        let mut snapshot = client();
        snapshot.organization = spec.map(|spec| Arc::new(organization(spec)));
        Candidate::of(snapshot)
    };
    let similar = |name: &str| (name == "acme-stagin").then(|| "acme-staging".to_owned());
    review_organization(&state(Some(before)), &state(after), &similar, now())
}

const BOTH: [&str; 2] = ["acme", "acme-staging"];

#[test]
fn a_namespace_that_is_taken_off_says_what_goes() {
    let withdrawn = "3 objects of 3 grants are withdrawn in acme-staging, and 3 are kept, as no longer in force";
    let (both, one) = (json!({"namespaces": BOTH}), json!({"namespaces": ["acme"]}));
    assert_eq!(reorganized(&both, Some(&one)), warned(&[withdrawn]));
    assert_eq!(reorganized(&one, Some(&both)), fine());
    let missing = "namespace acme-stagin does not exist or is terminating: it is served as soon as it is there; did you mean acme-staging?";
    let mistyped = json!({"namespaces": ["acme", "acme-stagin"]});
    assert_eq!(reorganized(&both, Some(&mistyped)), warned(&[missing, withdrawn]));
    assert_eq!(reorganized(&mistyped, Some(&mistyped)), fine());
}

#[test]
fn whatever_withdraws_says_how_much() {
    let both = json!({"namespaces": BOTH});
    let withdrawn = |namespace: &str| {
        format!("3 objects of 3 grants are withdrawn in {namespace}, and 3 are kept, as no longer in force")
    };
    let all = BOTH.map(withdrawn);
    let suspended = reorganized(&both, Some(&json!({"namespaces": BOTH, "suspended": true})));
    assert_eq!(suspended.warnings, all);
    let barred = reorganized(&both, Some(&json!({"namespaces": BOTH, "assignableFrom": ["sales"]})));
    assert!(barred.warnings[0].starts_with("this is at the cost of 3 grants"), "{barred:?}");
    assert_eq!(barred.warnings[1..], all);
    // Nothing outlives the organization.
    let deleted = reorganized(&both, None);
    assert_eq!(
        deleted.warnings[1..],
        BOTH.map(|namespace| format!("6 objects of 3 grants are withdrawn in {namespace}"))
    );
}
