//! What the API server itself makes of overrides and decisions: what is refused, how large each field may be, what never changes, and how
//! they are shown.

use crate::{
    harness::{Cluster, cluster},
    plan_kinds::kept::{ageless, lacking, yaml},
    plane::PlaneOptions,
    schema::{locked, merged},
    stage::Stage,
};
use entitlement_operator::api::{EntitlementOverride, OverrideDecision};
use kube::api::{DynamicObject, Patch, PatchParams, ValidationDirective};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs};

const OVERRIDE: &str = "EntitlementOverride";
const DECISION: &str = "OverrideDecision";
const IMMUTABLE: &str = "an override is immutable, but for cancelled: cancel this one and ask for another";

/// An override or a decision of who makes it, with other fields of its spec; `null` leaves one out.
fn object(kind: &str, name: &str, spec: &Value) -> Value {
    let mut whole = match kind {
        OVERRIDE => json!({
            "organization": "acme", "definition": "seats", "amount": 10, "end": "2027-01-31", "requestedBy": "admin",
            "reason": "a trade fair in January",
        }),
        _ => json!({
            "override": {"name": "fair", "uid": "u"}, "definition": "seats", "decision": "Approve", "decidedBy": "admin",
        }),
    };
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    whole.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    json!({
        "apiVersion": "entitlements.dev/v1alpha1", "kind": kind,
        "metadata": {"name": name, "namespace": "entitlements"}, "spec": whole,
    })
}

/// What the API server says against its shape; nothing stays. That one names another than who makes it is no matter of that.
async fn judge(cluster: &Cluster, kind: &str, spec: &Value) -> Result<(), String> {
    let object: DynamicObject = serde_json::from_value(object(kind, &cluster.name, spec)).unwrap();
    let params =
        PatchParams { field_validation: Some(ValidationDirective::Strict), ..PatchParams::apply("test").force() };
    let api = cluster.api(kind, "entitlements");
    let judged = api.patch(&cluster.name, &params.dry_run(), &Patch::Apply(&object)).await;
    let judged = judged.map(drop).map_err(|error| error.to_string());
    judged.or_else(|error| if error.contains("denied request") { Ok(()) } else { Err(error) })
}

/// A spec with one field as large as it is told.
type Sized = fn(usize) -> Value;

fn text(length: usize) -> String {
    "a".repeat(length)
}

/// How large each field may be, from and to.
const BOUNDS: &[(&str, usize, usize, Sized)] = &[
    (OVERRIDE, 1, 63, |size| json!({"organization": text(size)})),
    (OVERRIDE, 1, 63, |size| json!({"definition": text(size)})),
    (OVERRIDE, 1, 15, |size| json!({"amount": "9".repeat(size)})),
    (OVERRIDE, 0, 64, |size| {
        let all: serde_json::Map<_, _> = (0..size).map(|number| (format!("f{number}"), json!({}))).collect();
        json!({ "facets": all })
    }),
    (OVERRIDE, 10, 1024, |size| json!({"reason": text(size)})),
    (OVERRIDE, 0, 256, |size| json!({"ticket": text(size)})),
    (OVERRIDE, 1, 1024, |size| json!({"requestedBy": text(size)})),
    (DECISION, 1, 253, |size| json!({"override": {"name": text(size), "uid": "u"}})),
    (DECISION, 1, 128, |size| json!({"override": {"name": "fair", "uid": text(size)}})),
    (DECISION, 1, 63, |size| json!({"definition": text(size)})),
    (DECISION, 0, 1024, |size| json!({"comment": text(size)})),
    (DECISION, 1, 1024, |size| json!({"decidedBy": text(size)})),
];

#[tokio::test]
async fn every_field_of_overrides_and_decisions_has_its_bounds() {
    let cluster = cluster().await;
    for (kind, least, most, sized) in BOUNDS {
        for size in [*least, *most] {
            let fits = judge(&cluster, kind, &sized(size)).await;
            assert_eq!(fits, Ok(()), "{kind} {size} {:.100}", sized(size).to_string());
        }
        for size in least.checked_sub(1).into_iter().chain([most + 1]) {
            let refused = judge(&cluster, kind, &sized(size)).await;
            assert!(refused.is_err(), "{kind} {:.100} may be {size}", sized(size).to_string());
        }
    }
}

/// Specs that are refused, and what the message says.
const REFUSED: &[(&str, &str, &str)] = &[
    (OVERRIDE, "{colour: red}", "colour"),
    (OVERRIDE, "{organization: null}", "organization: Required value"),
    (OVERRIDE, "{organization: Acme}", "spec.organization in body should match"),
    (OVERRIDE, "{definition: null}", "definition: Required value"),
    (OVERRIDE, "{definition: a.b}", "spec.definition in body should match"),
    (OVERRIDE, "{amount: -1}", "signs and exponents are refused"),
    (OVERRIDE, "{amount: '1e9'}", "signs and exponents are refused"),
    (OVERRIDE, "{facets: {f: 3}}", "facets"),
    (OVERRIDE, "{secretFacets: []}", "secretFacets"),
    (OVERRIDE, "{start: soon}", "must be a date such as 2027-01-31"),
    (OVERRIDE, "{end: null}", "end: Required value"),
    (OVERRIDE, "{end: '2027-02'}", "must be a date such as 2027-01-31"),
    (OVERRIDE, "{reason: null}", "reason: Required value"),
    (OVERRIDE, "{reason: a request}", "spec.reason in body should be at least 10 chars long"),
    (OVERRIDE, "{requestedBy: null}", "requestedBy: Required value"),
    (OVERRIDE, "{cancelled: 'yes'}", "cancelled"),
    (OVERRIDE, "{state: Draft}", "state"),
    (OVERRIDE, "{suspended: true}", "suspended"),
    (OVERRIDE, "{renews: before}", "renews"),
    (DECISION, "{colour: red}", "colour"),
    (DECISION, "{override: null}", "override: Required value"),
    (DECISION, "{override: {name: fair}}", "uid: Required value"),
    (DECISION, "{override: {uid: u}}", "name: Required value"),
    (DECISION, "{override: {name: ../x, uid: u}}", "spec.override.name in body should match"),
    (DECISION, "{definition: null}", "definition: Required value"),
    (DECISION, "{definition: A}", "spec.definition in body should match"),
    (DECISION, "{decision: null}", "decision: Required value"),
    (DECISION, "{decision: Maybe}", "Unsupported value"),
    (DECISION, "{decidedBy: null}", "decidedBy: Required value"),
];

#[tokio::test]
async fn what_is_wrong_in_itself_is_refused() {
    let cluster = cluster().await;
    for (kind, spec, message) in REFUSED {
        let told = judge(&cluster, kind, &yaml(spec)).await.expect_err(spec);
        assert!(told.contains(message), "{kind} {spec}: {told}");
    }
    for (kind, spec) in [
        (OVERRIDE, "{amount: null}"),
        (OVERRIDE, "{amount: Unlimited}"),
        (OVERRIDE, "{amount: '2.5', start: '2027-01-01', end: '2027-01-31T18:00:00+01:00', ticket: SALES-7}"),
        (DECISION, "{decision: Deny, comment: too many}"),
    ] {
        assert_eq!(judge(&cluster, kind, &yaml(spec)).await, Ok(()), "{spec}");
    }
}

#[tokio::test]
async fn nothing_of_an_override_changes_but_that_it_is_cancelled_for_good() {
    let cluster = cluster().await;
    let full = json!({
        "amount": 10, "facets": {"f": {"a": 1}}, "start": "2027-01-10", "ticket": "SALES-7",
    });
    cluster.create(object(OVERRIDE, &cluster.name, &full)).await.unwrap();
    let made = cluster.get(OVERRIDE, "entitlements", "$").await.unwrap();
    for spec in [
        json!({"organization": "globex"}),
        json!({"definition": "chairs"}),
        json!({"amount": 11}),
        json!({"amount": "10"}),
        json!({"amount": null}),
        json!({"facets": {"f": {"a": 2}}}),
        json!({"facets": {"g": {}}}),
        json!({"facets": null}),
        json!({"start": "2027-01-11"}),
        json!({"start": null}),
        json!({"end": "2027-02-01"}),
        json!({"reason": "another trade fair"}),
        json!({"ticket": "SALES-8"}),
        json!({"ticket": null}),
        json!({"requestedBy": "alice"}),
    ] {
        let told = locked(&made, &merged(&made, &spec)).join("; ");
        assert!(told.contains(IMMUTABLE), "{spec}: {told}");
        let refused = cluster.merge(OVERRIDE, "entitlements", "$", json!({"spec": spec})).await;
        let refused = refused.expect_err(&format!("{spec} should be refused"));
        assert!(refused.contains(IMMUTABLE), "{spec}: {refused}");
    }
    // What was left out is not given later.
    let bare = format!("{}-bare", cluster.name);
    cluster.create(object(OVERRIDE, &bare, &json!({"amount": null}))).await.unwrap();
    for spec in
        [json!({"amount": 1}), json!({"start": "2027-01-11"}), json!({"ticket": "A"}), json!({"facets": {"f": {}}})]
    {
        let refused = cluster.merge(OVERRIDE, "entitlements", &bare, json!({"spec": spec})).await.unwrap_err();
        assert!(refused.contains(IMMUTABLE), "{spec}: {refused}");
    }
    let labelled = json!({"metadata": {"labels": {"a": "b"}}});
    assert_eq!(cluster.merge(OVERRIDE, "entitlements", "$", labelled).await, Ok(()));
    let cancelled = |cancelled: Value| json!({"spec": {"cancelled": cancelled}});
    assert_eq!(cluster.merge(OVERRIDE, "entitlements", "$", cancelled(json!(true))).await, Ok(()));
    for back in [json!(false), Value::Null] {
        let refused = cluster.merge(OVERRIDE, "entitlements", "$", cancelled(back)).await.unwrap_err();
        assert!(refused.contains("a cancelled override stays cancelled: ask for another"), "{refused}");
    }
}

#[tokio::test]
async fn nothing_of_a_decision_changes() {
    let cluster = cluster().await;
    cluster.create(object(DECISION, &cluster.name, &json!({"comment": "as agreed"}))).await.unwrap();
    for spec in [
        json!({"override": {"name": "other"}}),
        json!({"override": {"uid": "other"}}),
        json!({"definition": "chairs"}),
        json!({"decision": "Deny"}),
        json!({"comment": "after all"}),
        json!({"comment": null}),
        json!({"decidedBy": "bob"}),
    ] {
        let refused = cluster.merge(DECISION, "entitlements", "$", json!({"spec": spec})).await;
        let refused = refused.expect_err(&format!("{spec} should be refused"));
        assert!(refused.contains("a decision is immutable: the first of each person counts"), "{spec}: {refused}");
    }
    cluster.delete(DECISION, "entitlements", "$").await;
}

/// An override with every field.
const FULL: &str = "
organization: acme
definition: seats
amount: 10
facets: {limits: {depth: 3}}
start: '2027-01-01'
end: '2027-01-31'
reason: a trade fair in January
ticket: SALES-7
requestedBy: admin
cancelled: true
";

/// Of those of the record of what was decided, one is there: all of them are here only that none is left out.
const FULL_STATUS: &str = "
observedGeneration: 1
phase: Active
start: '2026-12-31T23:00:00Z'
end: '2027-01-31T23:00:00Z'
until: '2027-01-31'
approvals: 2/2
nextTransition: {at: '2027-01-31T23:00:00Z', phase: Expired}
accepted: {at: '2026-12-30T10:00:00Z', by: [bob, carol], timeZone: Europe/Berlin}
denied: {at: '2026-12-30T10:00:00Z', by: bob}
expired: {at: '2026-12-30T10:00:00Z'}
facets: {limits: {depth: 3}}
violations: [{facet: limits, pointer: /depth, rule: maximum, message: too deep}]
outputs: {desired: 1, delivered: 1}
conditions:
  - {type: Ready, status: 'True', observedGeneration: 1, lastTransitionTime: '2027-01-01T00:00:00Z', reason: Active, message: in force}
";

const ASKED_STATUS: &str = "
observedGeneration: 1
phase: Requested
until: '2027-01-31'
approvals: 1/2
conditions:
  - {type: Ready, status: 'False', observedGeneration: 1, lastTransitionTime: '2027-01-01T00:00:00Z', reason: ApprovalRequired, message: one more}
";

const SHOWN: &str = "
NAME    ORGANIZATION   DEFINITION   AMOUNT   PHASE       APPROVALS   ENDS         AGE
asked   acme           seats        10       Requested   1/2         2027-01-31   now
fair    acme           seats        10       Active      2/2         2027-01-31   now
fresh   acme           sso                                                        now";

const SHOWN_WIDE: &str = "
NAME    ORGANIZATION   DEFINITION   AMOUNT   PHASE       APPROVALS   ENDS         AGE   REQUESTED-BY   READY   REASON
asked   acme           seats        10       Requested   1/2         2027-01-31   now   admin          False   ApprovalRequired
fair    acme           seats        10       Active      2/2         2027-01-31   now   admin          True    Active
fresh   acme           sso                                                        now   admin";

const SHOWN_DECISIONS: &str = "
NAME        OVERRIDE   DEFINITION   DECISION   DECIDED-BY   AGE
fair-bob    fair       seats        Approve    admin        now
fair-dora   fair       seats        Deny       admin        now";

const SHOWN_DECISIONS_WIDE: &str = "
NAME        OVERRIDE   DEFINITION   DECISION   DECIDED-BY   AGE   COMMENT
fair-bob    fair       seats        Approve    admin        now
fair-dora   fair       seats        Deny       admin        now   too many";

/// Without an operator, so that a status is what the test says.
#[test]
fn overrides_and_decisions_are_kept_as_written_and_shown_at_a_glance() {
    let stage = Stage::bare(PlaneOptions::default());
    stage.install_kinds();
    let applied = stage.plane.folder().join("full.json");
    let objects = [
        object(OVERRIDE, "fair", &yaml(FULL)),
        object(OVERRIDE, "asked", &json!({})),
        object(OVERRIDE, "fresh", &json!({"definition": "sso", "amount": null})),
        object(DECISION, "fair-bob", &json!({})),
        object(DECISION, "fair-dora", &json!({"decision": "Deny", "comment": "too many"})),
    ];
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    fs::write(&applied, list.to_string()).unwrap();
    stage.kubectl(&["apply", "--filename", applied.to_str().unwrap()]);
    for (what, status) in [("eovr/fair", FULL_STATUS), ("eovr/asked", ASKED_STATUS)] {
        let patch = json!({"status": yaml(status)}).to_string();
        let arguments = ["--namespace=entitlements", "--subresource=status", "--type=merge", "--patch", &patch];
        stage.kubectl(&[&["patch", what], &arguments[..]].concat());
    }
    let get = |what: &str| -> Value {
        serde_json::from_str(&stage.kubectl(&["get", what, "--namespace=entitlements", "--output=json"])).unwrap()
    };
    let made = get("eovr/fair");
    for (part, written) in [("spec", yaml(FULL)), ("status", yaml(FULL_STATUS))] {
        assert_eq!(lacking(OVERRIDE, part, &written), BTreeSet::new(), "the test leaves fields out");
        assert_eq!(made[part], written);
    }
    let typed: EntitlementOverride = serde_json::from_value(made.clone()).unwrap();
    let typed = serde_json::to_value(typed).unwrap();
    assert_eq!((&typed["spec"], &typed["status"]), (&made["spec"], &made["status"]));
    let decision = get("eodec/fair-dora");
    assert_eq!(lacking(DECISION, "spec", &decision["spec"]), BTreeSet::new());
    let typed: OverrideDecision = serde_json::from_value(decision.clone()).unwrap();
    assert_eq!(serde_json::to_value(typed).unwrap()["spec"], decision["spec"]);
    let fresh = get("eovr/fresh");
    assert_eq!((&fresh["spec"]["cancelled"], &fresh["status"]), (&json!(false), &json!({"observedGeneration": -1})));

    let shown =
        |arguments: &[&str]| ageless(&stage.kubectl(&[&["get", "--namespace=entitlements"], arguments].concat()));
    assert_eq!(shown(&["eovr"]), SHOWN.trim_start());
    assert_eq!(shown(&["eovr", "--output=wide"]), SHOWN_WIDE.trim_start());
    assert_eq!(shown(&["eodec"]), SHOWN_DECISIONS.trim_start());
    assert_eq!(shown(&["eodec", "--output=wide"]), SHOWN_DECISIONS_WIDE.trim_start());
    for (kind, selector, expected) in [
        ("eovr", "spec.organization=acme", "asked fair fresh"),
        ("eovr", "spec.definition=sso", "fresh"),
        ("eovr", "status.phase=Requested", "asked"),
        ("eodec", "spec.definition=seats", "fair-bob fair-dora"),
        ("eodec", "spec.definition=sso", ""),
    ] {
        let names = shown(&[kind, "--field-selector", selector, "--output=jsonpath={.items[*].metadata.name}"]);
        assert_eq!(names, expected, "{kind} {selector}");
    }
    let listed = stage.kubectl(&["get", "entitlements", "--all-namespaces", "--output=name"]);
    for name in ["entitlementoverride.entitlements.dev/fair", "overridedecision.entitlements.dev/fair-bob"] {
        assert!(listed.contains(name), "{listed}");
    }
    explained(&stage);
}

fn explained(stage: &Stage) {
    for (field, text) in [
        ("eovr", "An exception that ends: asked for by one person, approved by others."),
        ("eovr.spec.amount", "What is added to what the organization holds otherwise"),
        ("eovr.spec.start", "It is never in force before it is approved."),
        ("eovr.spec.end", "`overrides.maxTerm` allows."),
        ("eovr.spec.reason", "Why the exception is asked for, in 10 to 1,024 characters."),
        ("eovr.spec.requestedBy", "The user name of whoever asks"),
        ("eovr.spec.cancelled", "Takes the exception back, for good"),
        ("eovr.status.approvals", "How many approvals count, of how many it needs, such as `1/2`."),
        ("eovr.status.accepted.by", "Who approved, in the order of their decisions."),
        ("eodec", "One person's yes or no to one override"),
        ("eodec.spec.override.uid", "none that is made anew under its name"),
        ("eodec.spec.definition", "Deciding takes the verb `approve` on it."),
        ("eodec.spec.decidedBy", "The user name of whoever decides"),
        ("edef.spec.overrides", "approvals"),
    ] {
        let explained = stage.kubectl(&["explain", field]);
        let explained = explained.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(explained.contains(text), "{field}: {explained}");
    }
}
