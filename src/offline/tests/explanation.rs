//! Tests of saying why an organization holds what it holds.

use super::{definition, instance, inventory, now, organization};
use crate::{
    api::{Phase, usage::UsageState},
    core::source::{SourceId, SourceKind},
    evaluation::explanation::{Entitlement, GrantExplanation, OriginKind, Suspension},
    offline::{AccountEffort, Inventory},
};
use serde_json::{Value, json};

const EFFORT: AccountEffort = AccountEffort { steps: 100, work: 10_000 };

fn with(spec: &Value, grants: &[(&str, Value)]) -> Inventory {
    let mut inventory = inventory();
    inventory.add_organization(organization("acme", &["acme"], &json!({})));
    inventory.add_definition(definition("thing", spec));
    for (name, more) in grants {
        let mut spec = json!({"organization": "acme", "definition": "thing", "start": "2026-01-01"});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        inventory.add_instance(instance("entitlements", name, &spec, &Value::Null));
    }
    inventory
}

fn explained(inventory: &Inventory) -> Entitlement {
    let mut explanation = inventory.account("acme", Some("thing"), now(), EFFORT).unwrap().explanation;
    assert_eq!(explanation.entitlements.len(), 1);
    explanation.entitlements.remove(0)
}

fn names(entitlement: &Entitlement) -> Vec<&str> {
    entitlement.grants.iter().map(|grant| &*grant.source.name).collect()
}

fn grant<'a>(entitlement: &'a Entitlement, name: &str) -> &'a GrantExplanation {
    entitlement.grants.iter().find(|grant| &*grant.source.name == name).unwrap()
}

#[test]
fn nothing_is_said_of_use_where_reports_cannot_be_seen() {
    let metered = json!({"type": "Quantity", "unit": "calls", "amount": 10, "usage": {"mode": "Consumed"}});
    let mut inventory = with(&metered, &[("a", json!({}))]);
    assert!(inventory.has_metered());
    assert_eq!(inventory.reportable_from(), ["entitlements".into()].into());
    let usage = |inventory: &Inventory| explained(inventory).usage.unwrap();
    assert_eq!(usage(&inventory).balance.unwrap().used, "0");
    inventory.miss_reports("elsewhere".into());
    assert_eq!(usage(&inventory).balance.unwrap().used, "0");
    inventory.miss_reports("entitlements".into());
    assert_eq!((usage(&inventory).state, usage(&inventory).balance), (UsageState::Unknown, None));
}

fn quantity(aggregation: &str) -> Value {
    json!({"type": "Quantity", "unit": "u", "amount": 1, "allowMultiple": true, "aggregation": aggregation})
}

#[test]
fn an_amount_is_told_with_its_parts() {
    let grants = [
        ("a", json!({"amount": 5})),
        ("b", json!({})),
        ("c", json!({"amount": 2, "amendments": [{"name": "x", "effective": "2026-02-01", "amount": 4}]})),
        ("d", json!({"amount": 9, "end": "2026-02-01"})),
    ];
    let counting = |aggregation: &str, more: &[(&str, Value)]| {
        let entitlement = explained(&with(&quantity(aggregation), &[&grants[..], more].concat()));
        let counting =
            entitlement.grants.iter().filter(|grant| grant.counts).map(|grant| grant.source.name.to_string());
        (entitlement.amount.clone().unwrap(), counting.collect::<Vec<_>>())
    };
    let sorted = |(amount, mut names): (String, Vec<String>)| {
        names.sort();
        (amount, names.join(" "))
    };
    assert_eq!(sorted(counting("Sum", &[])), ("10".to_owned(), "a b c".to_owned()));
    assert_eq!(sorted(counting("Max", &[])), ("5".to_owned(), "a".to_owned()));
    let unlimited = [("e", json!({"amount": "Unlimited"}))];
    assert_eq!(sorted(counting("Sum", &unlimited)), ("Unlimited".to_owned(), "e".to_owned()));
    let entitlement = explained(&with(&quantity("Sum"), &grants));
    let origin = |name: &str| grant(&entitlement, name).amount_origin.as_ref().map(|origin| origin.kind);
    assert_eq!(origin("a"), Some(OriginKind::Source(SourceKind::Instance)));
    assert_eq!(origin("b"), Some(OriginKind::Agreement));
    assert_eq!(origin("c"), Some(OriginKind::Amendment));
    assert_eq!(grant(&entitlement, "d").phase, Phase::Expired);
}

fn facets(required: &str) -> Value {
    let schema = json!({
        "type": "object",
        "properties": {"x": {"type": "integer", "default": 1}, "y": {"type": "string"}, "z": {"type": "integer"}},
        "oneOf": [{"required": [required]}, {"not": {"required": [required]}}],
        "maxProperties": 2,
    });
    json!({
        "type": "Feature", "allowMultiple": true,
        "facets": [{"name": "f", "schema": schema, "values": {"y": "preset"}}],
    })
}

#[test]
fn a_value_is_told_with_what_it_was_preferred_to() {
    let grants = [
        ("low", json!({"facets": {"f": {"x": 2, "y": "low"}}})),
        (
            "high",
            json!({"priority": 5, "facets": {"f": {"x": 3}}, "amendments": [
                {"name": "up", "effective": "2026-02-01", "facets": {"f": {"x": 4}}},
            ]}),
        ),
    ];
    let entitlement = explained(&with(&facets("x"), &grants));
    assert_eq!(names(&entitlement), ["high", "low"]);
    let [x, y] = entitlement.facets.as_slice() else { panic!("{:?}", entitlement.facets) };
    assert_eq!((x.field.as_str(), &x.value, x.origin.kind), ("x", &json!(4), OriginKind::Amendment));
    assert_eq!(x.origin.names.amendment.as_deref(), Some("up"));
    let source = |name: &str| Some(SourceId::instance("entitlements", name));
    let overridden: Vec<_> = x.overridden.iter().map(|one| (&one.value, one.origin.source.clone())).collect();
    assert_eq!(overridden, [(&json!(3), source("high")), (&json!(2), source("low"))]);
    assert_eq!((y.field.as_str(), &y.value, y.origin.source.clone()), ("y", &json!("low"), source("low")));
    let overridden: Vec<_> = y.overridden.iter().map(|one| (&one.value, one.origin.kind)).collect();
    assert_eq!(overridden, [(&json!("preset"), OriginKind::Definition)]);
}

#[test]
fn a_grant_whose_values_do_not_go_together_with_others_is_told() {
    let grants =
        [("one", json!({"priority": 1, "facets": {"f": {"x": 2}}})), ("two", json!({"facets": {"f": {"z": 2}}}))];
    let mut spec = facets("x");
    spec["facets"][0]["values"] = json!({});
    let entitlement = explained(&with(&spec, &grants));
    assert!(grant(&entitlement, "one").takes_part && grant(&entitlement, "two").takes_part);
    spec["facets"][0]["values"] = json!({"y": "preset"});
    let entitlement = explained(&with(&spec, &grants[..1]));
    assert!(grant(&entitlement, "one").takes_part);
    let third = ("three", json!({"priority": -1, "facets": {"f": {"z": 1}}}));
    let entitlement = explained(&with(&spec, &[grants[0].clone(), third]));
    assert!(grant(&entitlement, "one").takes_part && !grant(&entitlement, "three").takes_part);
}

#[test]
fn each_grant_says_why_it_stands_as_it_does() {
    let grants = [
        ("refused", json!({"end": "2025-01-01"})),
        ("draft", json!({"state": "Draft"})),
        ("cancelled", json!({"state": "Cancelled"})),
        ("suspended", json!({"suspended": true})),
        ("renewal", json!({"start": Value::Null, "renews": "first"})),
        ("first", json!({"end": "2026-02-28"})),
        ("tried", json!({"amendments": [{"name": "odd", "effective": "never", "reason": "why not"}]})),
    ];
    let entitlement = explained(&with(&quantity("Sum"), &grants));
    let of = |name: &str| grant(&entitlement, name);
    assert_eq!(of("refused").phase, Phase::Rejected);
    assert!(of("refused").refusal.is_some() && of("refused").problem.is_none());
    assert_eq!(of("suspended").suspended_by, Some(Suspension::Grant));
    assert_eq!((of("first").phase, of("first").renewed_by.as_deref()), (Phase::Expired, Some("renewal")));
    let kinds = |name: &str| {
        let kind = |origin: &Option<crate::evaluation::explanation::Origin>| origin.as_ref().map(|origin| origin.kind);
        (kind(&of(name).start_origin), kind(&of(name).end_origin))
    };
    assert_eq!(kinds("renewal"), (Some(OriginKind::Renewal), Some(OriginKind::Renewal)));
    assert_eq!(
        kinds("first"),
        (Some(OriginKind::Source(SourceKind::Instance)), Some(OriginKind::Source(SourceKind::Instance)))
    );
    assert_eq!(of("renewal").start.as_deref(), Some("2026-03-01T00:00:00Z"));
    let [odd] = of("tried").amendments.as_slice() else { panic!() };
    assert_eq!((odd.effective.as_deref(), odd.reason.as_deref()), (None, Some("why not")));
    assert!(odd.message.as_deref().unwrap().contains("never"));
    assert!(inventory().account("nobody", None, now(), EFFORT).is_none());
}

#[test]
fn a_secret_is_told_by_its_source_alone() {
    let schema = json!({"type": "object", "properties": {"p": {"type": "string", "writeOnly": true}}});
    let spec = json!({"type": "Feature", "facets": [{"name": "f", "schema": schema}]});
    let source = json!({"facet": "f", "field": "p", "secretKeyRef": {"name": "s", "key": "k"}});
    let entitlement = explained(&with(&spec, &[("a", json!({"secretFacets": [source]}))]));
    let [secret] = entitlement.secrets.as_slice() else { panic!() };
    assert_eq!((secret.secret.as_str(), secret.key.as_str()), ("s", "k"));
    assert!(secret.problem.as_deref().unwrap().contains("there is no Secret s"), "{:?}", secret.problem);
}

/// What a status remembers of being put in force or withdrawn counts where its term does not say the same.
#[test]
fn what_was_done_by_hand_is_told_by_the_status() {
    let turned = |more: &Value, status: &str, when: &str| {
        let mut inventory = with(&quantity("Sum"), &[]);
        let mut spec = json!({"organization": "acme", "definition": "thing", "start": "2026-01-01"});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let condition =
            json!({"type": "Entitled", "status": status, "reason": "x", "message": "", "lastTransitionTime": when});
        let mut grant = instance("entitlements", "a", &spec, &json!({"conditions": [condition]}));
        grant.metadata.creation_timestamp = Some(serde_json::from_value(json!("2025-12-01T00:00:00Z")).unwrap());
        inventory.add_instance(grant);
        let turned = explained(&inventory).grants[0].turned;
        turned.map(crate::core::calendar::format_instant)
    };
    let later = "2026-03-03T03:03:03Z";
    let told = Some(later.to_owned());
    assert_eq!(turned(&json!({}), "True", later), told);
    assert_eq!(turned(&json!({"suspended": true}), "False", later), told);
    assert_eq!(turned(&json!({"state": "Cancelled"}), "False", later), told);
    assert_eq!(turned(&json!({"end": "2026-04-30"}), "False", later), told);
    // The operator was a little late, or the time has not come, or the status is of another phase.
    assert_eq!(turned(&json!({}), "True", "2026-01-01T00:05:00Z"), None);
    assert_eq!(turned(&json!({"suspended": true}), "False", "2025-12-01T00:00:01Z"), None);
    assert_eq!(turned(&json!({"end": "2026-03-02"}), "False", later), None);
    assert_eq!(turned(&json!({}), "True", "2036-03-03T03:03:03Z"), None);
    assert_eq!(turned(&json!({}), "False", later), None);
}
