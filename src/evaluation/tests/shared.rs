//! What several grants of a definition have together that an organization can hold only once.

mod planned;

use crate::{
    api::{
        EntitlementDefinition, EntitlementInstance, Organization, Phase, entitlement_definition::OutputKind,
        facet_fields::SecretFacet, outputs::OutputCounts,
    },
    core::{
        amount::Amount,
        authority::ApiAuthority,
        calendar::{Instant, parse_instant},
        grant::{Grant, GrantId},
        namespace::NamespaceFacts,
        secret::Secret,
        source::{
            SourceId, SourceKind,
            bundle::{self, Bundle},
            instance,
        },
    },
    evaluation::{
        Evaluation, Limits, Snapshot,
        catalogue::{CatalogueEntry, CompiledDefinition, DefinitionState},
        evaluate, evaluate_within,
        object::{Attribution, ObjectData, ObjectKey, Wish},
        plan::{Delivery, ObjectWrite, Observed, Outcomes, Owner, Scene, withdrawals, writes},
        status::statuses,
    },
    render::work::Budget,
};
use rstest::rstest;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

fn at(text: &str) -> Instant {
    parse_instant(text).unwrap()
}

fn now() -> Instant {
    at("2026-07-01T00:00:00Z")
}

fn read<K: serde::de::DeserializeOwned>(object: Value) -> K {
    serde_json::from_value(object).unwrap()
}

fn metadata(name: &str, made: &str) -> Value {
    let made = format!("{made}T00:00:00Z");
    json!({"namespace": "entitlements", "name": name, "uid": format!("u-{name}"), "generation": 1, "creationTimestamp": made})
}

/// What an instance grants: 2 seats.
fn of_instance(name: &str, made: &str, terms: &Value) -> Grant {
    let mut spec = json!({"organization": "acme", "definition": "seats", "amount": 2});
    spec.as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
    instance::grant(&read::<EntitlementInstance>(json!({"metadata": metadata(name, made), "spec": spec})))
}

/// What another source grants beside it: 3 seats.
fn top_up(name: &str, made: &str, terms: &Value) -> Grant {
    let bundle = Bundle {
        metadata: read(metadata(name, made)),
        organization: "acme".into(),
        entries: vec![("seats".into(), Amount::read(&read(terms["amount"].as_i64().unwrap_or(3).into())).ok())],
    };
    let mut grant = bundle::grants(&bundle).next().unwrap();
    grant.facets = Arc::new(read(terms.get("facets").cloned().unwrap_or(json!({}))));
    grant.secret_facets = read::<Vec<SecretFacet>>(terms.get("secretFacets").cloned().unwrap_or(json!([])));
    grant.start = terms["start"].as_str().map(str::parse);
    grant.end = terms["end"].as_str().map(str::parse);
    grant
}

/// Held once, with a ConfigMap that tells all that templates see.
const TEMPLATE: &str = "{{ instance.kind }} {{ instance.namespace }}/{{ instance.name }} {{ chain.name }} {{ instance.amount | default('-') }} {{ total.amount | default('-') }} {{ instance.start }} {{ instance.end | default('never') }} {{ facets.limits.depth }} {{ facets.limits.note }}";

fn entry(spec: &Value) -> Arc<CatalogueEntry> {
    let mut whole = json!({
        "type": "Quantity", "unit": "seats", "amount": 1,
        "facets": [{"name": "limits", "schema": {
            "type": "object", "not": {"required": ["one", "other"]},
            "properties": {
                "depth": {"type": "integer", "default": 1}, "note": {"type": "string", "default": "none"},
                "one": {"type": "boolean"}, "other": {"type": "boolean"},
                "token": {"type": "string", "writeOnly": true}, "key": {"type": "string", "writeOnly": true},
            },
        }}],
        "outputs": [{"name": "o", "kind": "ConfigMap", "items": [{"key": "k", "template": TEMPLATE}]}],
    });
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    let definition: EntitlementDefinition = read(json!({"metadata": {"name": "seats"}, "spec": whole}));
    let state = DefinitionState::gather(&definition.spec, |_| None).unwrap();
    Arc::new(CatalogueEntry::valid(CompiledDefinition::compile("seats", &state).unwrap()))
}

fn snapshot(spec: &Value, grants: &[Grant]) -> Snapshot {
    let organization: Organization = read(json!({
        "metadata": {"name": "acme", "uid": "u-acme", "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"namespaces": ["acme"]},
    }));
    let own = NamespaceFacts { present: true, claimed_by: Some("acme".to_owned()), ..NamespaceFacts::default() };
    let secret = |text: &str| {
        let data = ["token", "key"].map(|key| (key.to_owned(), Secret::new(format!("{text}-{key}").into_bytes())));
        (("entitlements".into(), text.into()), Arc::new(BTreeMap::from(data)))
    };
    Snapshot {
        approvals: Arc::default(),
        name: "acme".into(),
        organization: Some(Arc::new(organization)),
        grants: grants.iter().cloned().map(Arc::new).collect(),
        barred: BTreeMap::new(),
        catalogue: BTreeMap::from([("seats".into(), entry(spec))]),
        offers: Arc::default(),
        authority: ApiAuthority::Absent,
        plans: BTreeMap::new(),
        subscriptions: Vec::new(),
        meters: BTreeMap::new(),
        knows_revisions: true,
        secrets: BTreeMap::from([secret("first"), secret("second")]),
        unseen: Arc::default(),
        limits: Limits::DEFAULT,
        namespaces: BTreeMap::from([
            ("acme".into(), own),
            ("entitlements".into(), NamespaceFacts { present: true, ..NamespaceFacts::default() }),
        ]),
    }
}

fn key(kind: OutputKind, name: &str) -> ObjectKey {
    ObjectKey { kind, namespace: "acme".into(), name: name.into() }
}

/// Each object but the summary: its name, who it is for by its annotations, and its value.
fn objects(evaluation: &Evaluation) -> Vec<(String, String, String)> {
    let objects = evaluation.desired.objects.iter().filter(|(_, object)| object.grant.is_some());
    let told = |(key, object): (&ObjectKey, &crate::evaluation::object::DesiredObject)| {
        let Wish::Write(content) = &object.wish else {
            return (key.name.to_string(), "kept".to_owned(), String::new());
        };
        let sources = SourceKind::ALL.iter().filter_map(|kind| content.annotations.get_key_value(kind.annotation()));
        let sources: Vec<String> = sources.map(|(key, value)| format!("{key}: {value}")).collect();
        let value = match &content.data {
            ObjectData::ConfigMap(data) => data["k"].clone(),
            ObjectData::Secret(data) => String::from_utf8(data.values["k"].expose_secret().clone()).unwrap(),
        };
        assert_eq!(content.labels["entitlements.dev/definition"], "seats");
        (key.name.to_string(), sources.join(" "), value)
    };
    objects.map(told).collect()
}

const INSTANCE: &str = "entitlements.dev/instance: entitlements/";
const BUNDLE: &str = "entitlements.dev/bundle: entitlements/";

fn limits(fields: &Value) -> Value {
    json!({"facets": {"limits": fields}})
}

/// Made in March, for good; and what comes beside it.
fn seats() -> Grant {
    of_instance("i", "2026-03-01", &json!({}))
}

fn renewed() -> [Grant; 2] {
    [
        of_instance("i", "2026-03-01", &json!({"end": "2026-05-31"})),
        of_instance("j", "2026-05-01", &json!({"renews": "i", "end": "2026-12-31"})),
    ]
}

#[rstest]
#[case::one_alone(vec![seats()], INSTANCE, "Instance entitlements/i i 2 2 2026-03-01T00:00:00Z never 1 none")]
#[case::with_a_younger_top_up(
    vec![top_up("b", "2026-04-01", &json!({})), seats()],
    INSTANCE, "Instance entitlements/i i 5 5 2026-03-01T00:00:00Z never 1 none"
)]
#[case::with_several(
    vec![top_up("b", "2026-04-01", &json!({})), top_up("c", "2026-05-01", &json!({})), seats()],
    INSTANCE, "Instance entitlements/i i 8 8 2026-03-01T00:00:00Z never 1 none"
)]
#[case::with_one_as_old(
    vec![top_up("b", "2026-03-01", &json!({})), seats()],
    INSTANCE, "Instance entitlements/i i 5 5 2026-03-01T00:00:00Z never 1 none"
)]
#[case::with_an_older_top_up(
    vec![top_up("b", "2026-02-01", &json!({})), seats()],
    BUNDLE, "Bundle entitlements/b b 5 5 2026-02-01T00:00:00Z never 1 none"
)]
#[case::with_an_older_one_that_is_over(
    vec![top_up("b", "2026-02-01", &json!({"end": "2026-06-30"})), seats()],
    INSTANCE, "Instance entitlements/i i 2 2 2026-03-01T00:00:00Z never 1 none"
)]
#[case::with_one_that_is_to_begin(
    vec![top_up("b", "2026-02-01", &json!({"start": "2026-07-02"})), seats()],
    INSTANCE, "Instance entitlements/i i 2 2 2026-03-01T00:00:00Z never 1 none"
)]
#[case::the_instance_is_over(
    vec![top_up("b", "2026-04-01", &json!({})), of_instance("i", "2026-03-01", &json!({"end": "2026-06-30"}))],
    BUNDLE, "Bundle entitlements/b b 3 3 2026-04-01T00:00:00Z never 1 none"
)]
#[case::the_instance_is_suspended(
    vec![top_up("b", "2026-04-01", &json!({})), of_instance("i", "2026-03-01", &json!({"suspended": true}))],
    BUNDLE, "Bundle entitlements/b b 3 3 2026-04-01T00:00:00Z never 1 none"
)]
#[case::renewed(
    renewed().into(),
    INSTANCE, "Instance entitlements/j i 2 2 2026-06-01T00:00:00Z 2027-01-01T00:00:00Z 1 none"
)]
#[case::renewed_with_a_top_up_that_is_older_than_the_renewal(
    renewed().into_iter().chain([top_up("b", "2026-04-01", &json!({}))]).collect(),
    INSTANCE, "Instance entitlements/j i 5 5 2026-06-01T00:00:00Z 2027-01-01T00:00:00Z 1 none"
)]
#[case::the_later_start_goes_first(
    vec![top_up("b", "2026-04-01", &limits(&json!({"depth": 7}))), of_instance("i", "2026-03-01", &limits(&json!({"depth": 5, "note": "n"})))],
    INSTANCE, "Instance entitlements/i i 5 5 2026-03-01T00:00:00Z never 7 n"
)]
#[case::the_higher_priority_goes_first(
    vec![
        top_up("b", "2026-04-01", &limits(&json!({"depth": 7, "note": "m"}))),
        of_instance("i", "2026-03-01", &json!({"priority": 1, "facets": {"limits": {"depth": 5}}})),
    ],
    INSTANCE, "Instance entitlements/i i 5 5 2026-03-01T00:00:00Z never 5 m"
)]
#[case::what_does_not_go_together_has_no_part_but_in_the_amount(
    vec![
        top_up("b", "2026-04-01", &limits(&json!({"depth": 7, "one": true}))),
        of_instance("i", "2026-03-01", &limits(&json!({"note": "n", "other": true}))),
    ],
    INSTANCE, "Instance entitlements/i i 5 5 2026-03-01T00:00:00Z never 7 none"
)]
#[case::what_is_not_valid_has_no_part_but_in_the_amount(
    vec![
        top_up("b", "2026-04-01", &limits(&json!({"depth": "x"}))),
        of_instance("i", "2026-03-01", &limits(&json!({"note": "n"}))),
    ],
    INSTANCE, "Instance entitlements/i i 5 5 2026-03-01T00:00:00Z never 1 n"
)]
fn there_is_one_object_for_all_named_for_one(
    #[case] grants: Vec<Grant>,
    #[case] annotation: &str,
    #[case] value: &str,
) {
    let source = value.split(' ').nth(1).unwrap().split('/').nth(1).unwrap();
    let expected = vec![("seats".to_owned(), format!("{annotation}{source}"), value.to_owned())];
    let output =
        |per| json!([{"name": "o", "kind": "ConfigMap", "per": per, "items": [{"key": "k", "template": TEMPLATE}]}]);
    for per in ["Instance", "Definition"] {
        let evaluation = evaluate(&snapshot(&json!({"outputs": output(per)}), &grants), now());
        assert_eq!(objects(&evaluation), expected, "per {per}");
        let mut others = grants.clone();
        others.reverse();
        let evaluation = evaluate(&snapshot(&json!({"outputs": output(per)}), &others), now());
        assert_eq!(objects(&evaluation), expected, "whatever order they are read in");
    }
}

#[rstest]
#[case::the_greatest(json!({"aggregation": "Max"}), "3 3")]
#[case::unlimited(json!({"amount": "Unlimited"}), "5 5")]
#[case::a_feature(json!({"type": "Feature", "unit": null, "amount": null}), "- -")]
fn the_amount_is_that_of_all(#[case] spec: Value, #[case] amounts: &str) {
    let output = json!([{"name": "o", "kind": "ConfigMap", "items": [
        {"key": "k", "template": "{{ instance.amount | default('-') }} {{ total.amount | default('-') }}"},
    ]}]);
    let mut spec = spec;
    spec["outputs"] = output;
    let mut grants = [seats(), top_up("b", "2026-04-01", &json!({}))];
    if amounts == "- -" {
        for grant in &mut grants {
            grant.amount = None;
        }
    }
    let told: Vec<String> = objects(&evaluate(&snapshot(&spec, &grants), now())).into_iter().map(|one| one.2).collect();
    assert_eq!(told, [amounts]);
}

fn secret_output() -> Value {
    json!({"outputs": [{"name": "o", "kind": "Secret", "items": [
        {"key": "k", "template": "{{ facets.limits.token }} {{ facets.limits.key | default('-') }} {{ instance.name }}"},
    ]}]})
}

fn secrets(fields: &[(&str, &str)]) -> Value {
    let source = |(field, secret): &(&str, &str)| json!({"facet": "limits", "field": field, "secretKeyRef": {"name": secret, "key": field}});
    json!({"secretFacets": fields.iter().map(source).collect::<Vec<_>>()})
}

#[rstest]
#[case::of_the_instance(&[("token", "first")], &[], "first-token - i")]
#[case::of_both(&[("token", "first")], &[("key", "second")], "first-token second-key i")]
#[case::of_that_which_goes_first(&[("token", "first"), ("key", "first")], &[("key", "second")], "first-token second-key i")]
fn it_shows_the_secrets_of_those_that_its_facets_come_from(
    #[case] own: &[(&str, &str)],
    #[case] others: &[(&str, &str)],
    #[case] value: &str,
) {
    let grants = [of_instance("i", "2026-03-01", &secrets(own)), top_up("b", "2026-04-01", &secrets(others))];
    let evaluation = evaluate(&snapshot(&secret_output(), &grants), now());
    assert_eq!(objects(&evaluation), [("seats".to_owned(), format!("{INSTANCE}i"), value.to_owned())]);
}

/// It stays as it is until then, and each of them says why.
#[test]
fn a_secret_that_one_of_them_lacks_is_waited_for() {
    let grants = [
        of_instance("i", "2026-03-01", &secrets(&[("token", "first")])),
        top_up("b", "2026-04-01", &secrets(&[("key", "absent")])),
    ];
    let evaluation = evaluate(&snapshot(&secret_output(), &grants), now());
    assert_eq!(objects(&evaluation), [("seats".to_owned(), "kept".to_owned(), String::new())]);
    let message = "facets.limits.key: there is no Secret absent in namespace entitlements: make it";
    for outputs in evaluation.desired.grants.values() {
        assert_eq!(outputs.hindered.as_ref().unwrap().message, message);
    }
}

fn phases(evaluation: &Evaluation) -> Vec<(String, Phase, Option<String>)> {
    let told = |member: &crate::evaluation::holding::Member| {
        let refusal = member.verdict.refusal.as_ref().map(|refusal| refusal.reason.code().to_string());
        (member.grant.id.source.name.to_string(), member.verdict.phase, refusal)
    };
    evaluation.decision.grants().map(|(_, member)| told(member)).collect()
}

/// There is one seat, and only instances compete for it.
#[test]
fn what_no_instance_grants_is_no_duplicate_and_takes_no_seat() {
    let active = |name: &str| (name.to_owned(), Phase::Active, None);
    let duplicate = |name: &str| (name.to_owned(), Phase::Rejected, Some("Duplicate".to_owned()));
    let second = || of_instance("j", "2026-05-01", &json!({}));
    let older = || [top_up("a", "2026-01-01", &json!({})), top_up("b", "2026-02-01", &json!({}))];
    let of = |grants: &[Grant]| phases(&evaluate(&snapshot(&json!({}), grants), now()));
    let [a, b] = older();
    assert_eq!(of(&[a, seats(), b, second()]), [active("a"), active("i"), active("b"), duplicate("j")]);
    let [a, b] = older();
    assert_eq!(of(&[a, b]), [active("a"), active("b")]);
    // The seat goes on to the next instance, whatever is beside it.
    let over = of_instance("i", "2026-03-01", &json!({"end": "2026-06-30"}));
    let [a, _] = older();
    assert_eq!(of(&[a, over, second()]), [active("a"), ("i".to_owned(), Phase::Expired, None), active("j")]);
}

fn several(outputs: &Value) -> Value {
    json!({"allowMultiple": true, "outputs": outputs})
}

fn output(name: &str, more: &Value) -> Value {
    let mut output = json!({"name": name, "kind": "ConfigMap", "items": [{"key": "k", "template": "v"}]});
    output.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    output
}

#[rstest]
#[case::by_default(json!([output("o", &json!({}))]), &["seats-x i", "seats-x-bundle b"])]
#[case::of_several_outputs(
    json!([output("o", &json!({})), output("p", &json!({}))]),
    &["seats-x-o i", "seats-x-o-bundle b", "seats-x-p i", "seats-x-p-bundle b"]
)]
#[case::as_the_definition_says(json!([output("o", &json!({"objectName": "{{ instance.kind | lower }}-{{ chain.name }}"}))]), &["bundle-x b", "instance-x i"])]
#[case::for_all(json!([output("o", &json!({"per": "Definition"}))]), &["seats i"])]
#[case::of_one_name(json!([output("o", &json!({"objectName": "{{ chain.name }}"}))]), &["x i"])]
fn where_there_may_be_several_each_has_its_own(#[case] outputs: Value, #[case] expected: &[&str]) {
    let grants = [of_instance("x", "2026-03-01", &json!({})), top_up("x", "2026-04-01", &json!({}))];
    let evaluation = evaluate(&snapshot(&several(&outputs), &grants), now());
    let named: Vec<String> = objects(&evaluation)
        .iter()
        .map(|(name, by, _)| format!("{name} {}", if by.contains("bundle") { "b" } else { "i" }))
        .collect();
    assert_eq!(named, expected);
    let bundle = GrantId::new(SourceId::new(SourceKind::Bundle, "entitlements", "x"), "seats");
    let hindered = evaluation.desired.grants[&bundle].hindered.as_ref();
    let conflict = "ConfigMap acme/x belongs to entitlements/x: give one of the two another objectName";
    assert_eq!(hindered.map(|problem| problem.message.as_str()), (expected == ["x i"]).then_some(conflict));
    assert!(evaluation.desired.shared.is_empty());
}
