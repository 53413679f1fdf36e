//! That plans and subscriptions are kept as they were written, and how they are shown.

use super::{PLAN, SUBSCRIPTION, object};
use crate::{plane::PlaneOptions, stage::Stage};
use entitlement_operator::api::{EntitlementPlan, EntitlementSubscription, crd};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs};

/// A plan with every field.
const FULL_PLAN: &str = "
displayName: Business
description: For teams.
product: platform
type: Plan
includes: [starter, extras]
groups:
  - name: team
    displayName: Team
    description: For people.
    entitlements:
      - {definition: members, amount: 25, facets: {limits: {seats: 25}}}
      - {definition: storage, amount: '2.5', channels: [{name: backup, amount: 1}]}
addOns: [extra-seats, storage]
term: P1Y
gracePeriod: P7D
renewalNotices: [P30D]
allowMultiple: false
rollout: Agreed
retired: false
";

const FULL_PLAN_STATUS: &str = "
observedGeneration: 1
conditions:
  - {type: Ready, status: 'True', observedGeneration: 1, lastTransitionTime: '2027-01-01T00:00:00Z', reason: Valid, message: it is valid}
subscriptions: {total: 3, active: 2}
revision: plan-business-1
entitlements: 12
";

/// A subscription with every field.
const FULL_SUBSCRIPTION: &str = "
organization: acme
plan: business
state: Active
start: '2027-01-01'
end: '2027-12-31'
priority: 3
renews: acme-2026
suspended: false
agreement: order 7
addOns:
  - {name: seats, plan: extra-seats, quantity: 3, start: '2027-02-01', end: '2027-06-30', reason: a project}
add:
  - {name: weekend, definition: 4k, amount: 10, channels: [{name: stream, amount: 1}], facets: {video: {lines: 2160}}, start: '2027-06-01', end: '2027-06-03', reason: a wish}
remove:
  - {name: no-export, definition: export, start: '2027-02-01', end: '2027-03-01', reason: by law}
configure:
  - definition: backup
    facets: {backup: {days: 30}}
    secretFacets: [{facet: backup, field: password, secretKeyRef: {name: acme, key: password}}]
amendments:
  - {name: up, effective: '2027-04-01', plan: enterprise, end: '2028-12-31', reason: growth, revoked: false}
";

const FULL_SUBSCRIPTION_STATUS: &str = "
observedGeneration: 1
phase: Active
start: '2026-12-31T23:00:00Z'
end: '2027-12-31T23:00:00Z'
until: '2027-12-31'
plan: business
addOns: extra-seats x 3
entitlementCount: 14
nextTransition: {at: '2027-02-01T00:00:00Z', phase: Active}
accepted:
  timeZone: Europe/Berlin
  term: P1Y
  gracePeriod: P7D
  amount: 3
  since: '2026-12-31T23:00:00Z'
  length: P1Y
  follows: '2026-12-31T23:00:00Z'
  chain: {name: acme-2026, uid: u, since: '2026-01-01T00:00:00Z', day: 1}
  start: '2027-01-01'
  end: '2027-12-31'
  renews: acme-2026
  line: platform
  plans: [{plan: business, revision: plan-business-1}, {plan: extra-seats, revision: plan-extra-seats-1}]
  entries:
    - {list: addOns, name: seats, plan: extra-seats, quantity: 3, start: '2027-02-01', end: '2027-06-30'}
    - {list: add, name: weekend, definition: 4k, amount: '2.5', start: '2027-06-01', end: '2027-06-03'}
  plan: business
  agreement: order 7
facets: {backup: {backup: {days: 30}}}
renewedBy: acme-2028
violations: [{definition: backup, facet: backup, pointer: /days, rule: maximum, message: too many}]
amendments: [{name: up, state: Ignored, message: there is no such plan}]
entitlements:
  - {definition: members, entitled: true, amount: '40'}
  - {definition: export, entitled: false, removed: true}
entries: [{list: addOns, name: seats, message: the add-on is gone}]
notices: [{before: P30D, end: '2027-12-31T23:00:00Z', at: '2027-12-01T23:00:00Z'}]
outputs: {desired: 3, delivered: 2}
conditions:
  - {type: Ready, status: 'False', observedGeneration: 1, lastTransitionTime: '2027-01-01T00:00:00Z', reason: EntryIgnored, message: one is left out}
";

pub fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

/// The fields of a schema, by path, that a value does not have.
fn missing(schema: &Value, value: &Value, path: &str, found: &mut BTreeSet<String>) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        // A field that only some items of a list have is there if one has it.
        let values: Vec<&Value> = match value {
            Value::Array(items) => items.iter().filter_map(|item| item.get(name)).collect(),
            other => other.get(name).into_iter().collect(),
        };
        if values.is_empty() {
            found.insert(path);
            continue;
        }
        let all: Value =
            values.iter().flat_map(|value| value.as_array().cloned().unwrap_or(vec![(*value).clone()])).collect();
        missing(field, &all, &path, found);
        missing(&field["items"], &all, &path, found);
    }
}

/// What a schema has and a full object lacks.
pub fn lacking(kind: &str, part: &str, full: &Value) -> BTreeSet<String> {
    let found = crd::all().into_iter().find(|crd| crd.spec.names.kind == kind).unwrap();
    let found = serde_json::to_value(found).unwrap();
    let mut lacking = BTreeSet::new();
    let schema = &found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][part];
    missing(schema, full, part, &mut lacking);
    lacking
}

/// Lines in which every age, whatever it is, is shown as `now`.
pub fn ageless(shown: &str) -> String {
    let mut begin = None;
    let lines = shown.lines().map(|line| {
        begin = line.find("AGE").or(begin);
        let Some(begin) = begin.filter(|begin| line.len() > *begin && !line.contains("AGE")) else {
            return line.trim_end().to_owned();
        };
        let (before, rest) = line.split_at(begin);
        let age = rest.find(' ').unwrap_or(rest.len()).max(3).min(rest.len());
        format!("{before}now{}", &rest[age..]).trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

const SHOWN: &str = "
NAME     ORGANIZATION   PLAN       PHASE    READY   ENDS         AGE
acme     acme           business   Active   False   2027-12-31   now
globex   globex                                                  now";

const SHOWN_WIDE: &str = "
NAME     ORGANIZATION   PLAN       PHASE    READY   ENDS         AGE   ADD-ONS           ENTITLEMENTS
acme     acme           business   Active   False   2027-12-31   now   extra-seats x 3   14
globex   globex                                                  now";

const SHOWN_PLANS: &str = "
NAME          TYPE    PRODUCT    READY   SUBSCRIPTIONS   ENTITLEMENTS   AGE
business      Plan    platform   True    3               12             now
extra-seats   AddOn                      0               0              now";

/// Without an operator, so that a status is what the test says.
#[test]
fn plans_and_subscriptions_are_kept_as_written_and_shown_at_a_glance() {
    let stage = Stage::bare(PlaneOptions::default());
    stage.install_kinds();
    let applied = stage.plane.folder().join("full.json");
    let objects = [
        object(PLAN, "business", &yaml(FULL_PLAN)),
        object(PLAN, "extra-seats", &json!({"type": "AddOn"})),
        object(SUBSCRIPTION, "acme", &yaml(FULL_SUBSCRIPTION)),
        object(SUBSCRIPTION, "globex", &json!({"organization": "globex"})),
    ];
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    fs::write(&applied, list.to_string()).unwrap();
    let apply =
        |options: &[&str]| stage.kubectl(&[&["apply", "--filename", applied.to_str().unwrap()], options].concat());
    assert!(apply(&[]).lines().all(|line| line.ends_with(" created")));
    let status = |what: &str, status: &str| {
        let patch = json!({"status": yaml(status)}).to_string();
        stage.kubectl(&[
            "patch",
            what,
            "--namespace=entitlements",
            "--subresource=status",
            "--type=merge",
            "--patch",
            &patch,
        ]);
    };
    status("eplan/business", FULL_PLAN_STATUS);
    status("esub/acme", FULL_SUBSCRIPTION_STATUS);

    // What was written is what is there, and what the types read of it.
    let get = |what: &str| -> Value {
        serde_json::from_str(&stage.kubectl(&["get", what, "--namespace=entitlements", "--output=json"])).unwrap()
    };
    let (plan, subscription) = (get("eplan/business"), get("esub/acme"));
    for (kind, object, spec, status) in [
        (PLAN, &plan, FULL_PLAN, FULL_PLAN_STATUS),
        (SUBSCRIPTION, &subscription, FULL_SUBSCRIPTION, FULL_SUBSCRIPTION_STATUS),
    ] {
        for (part, written) in [("spec", yaml(spec)), ("status", yaml(status))] {
            assert_eq!(lacking(kind, part, &written), BTreeSet::new(), "{kind}: the test leaves fields out");
            assert_eq!(object[part], written, "{kind}");
        }
    }
    let typed: EntitlementPlan = serde_json::from_value(plan.clone()).unwrap();
    let typed = serde_json::to_value(typed).unwrap();
    assert_eq!((&typed["spec"], &typed["status"]), (&plan["spec"], &plan["status"]));
    let typed: EntitlementSubscription = serde_json::from_value(subscription.clone()).unwrap();
    let typed = serde_json::to_value(typed).unwrap();
    assert_eq!(
        (&typed["spec"]["addOns"], &typed["status"]),
        (&subscription["spec"]["addOns"], &subscription["status"])
    );

    // What is stated by default is there too, and nothing else.
    let fresh = get("eplan/extra-seats");
    assert_eq!(fresh["spec"], json!({"type": "AddOn", "allowMultiple": false, "rollout": "Agreed", "retired": false}));
    assert_eq!(
        fresh["status"],
        json!({"observedGeneration": -1, "subscriptions": {"total": 0, "active": 0}, "entitlements": 0})
    );
    let fresh = get("esub/globex");
    assert_eq!(
        fresh["spec"],
        json!({"organization": "globex", "plan": "business", "state": "Active", "priority": 0, "suspended": false, "agreement": ""})
    );
    assert_eq!(fresh["status"], json!({"observedGeneration": -1}));

    // Applying the same again changes nothing, in either way.
    let versions = || {
        stage.kubectl(&[
            "get",
            "eplan,esub",
            "--namespace=entitlements",
            "--output=jsonpath={.items[*].metadata.resourceVersion}",
        ])
    };
    let before = versions();
    assert!(apply(&[]).lines().all(|line| line.ends_with(" unchanged")));
    assert_eq!(versions(), before);
    let server_side = ["--server-side", "--field-manager=flux", "--force-conflicts"];
    assert!(apply(&server_side).lines().all(|line| line.ends_with(" serverside-applied")));
    let before = versions();
    apply(&server_side);
    assert_eq!(versions(), before);

    seen_at_a_glance(&stage);
    explained(&stage);
}

fn seen_at_a_glance(stage: &Stage) {
    let shown =
        |arguments: &[&str]| ageless(&stage.kubectl(&[&["get", "--namespace=entitlements"], arguments].concat()));
    assert_eq!(shown(&["esub"]), SHOWN.trim_start());
    assert_eq!(shown(&["esub", "--output=wide"]), SHOWN_WIDE.trim_start());
    assert_eq!(shown(&["eplan"]), SHOWN_PLANS.trim_start());
    assert_eq!(shown(&["eplan", "--output=wide"]), SHOWN_PLANS.trim_start());
    for (kind, selector, expected) in [
        ("esub", "spec.organization=acme", "acme"),
        ("esub", "spec.plan=business", "acme globex"),
        ("esub", "spec.plan=starter", ""),
        ("esub", "status.phase=Active", "acme"),
        ("esub", "status.phase=", "globex"),
        ("esub", "spec.organization=globex,spec.plan=business", "globex"),
        ("eplan", "spec.type=AddOn", "extra-seats"),
        ("eplan", "spec.type=Plan", "business"),
        ("eplan", "spec.product=platform", "business"),
        ("eplan", "spec.product=", "extra-seats"),
    ] {
        let names = shown(&[kind, "--field-selector", selector, "--output=jsonpath={.items[*].metadata.name}"]);
        assert_eq!(names, expected, "{kind} {selector}");
    }
    let listed = stage.kubectl(&["get", "entitlements", "--all-namespaces", "--output=name"]);
    for name in ["entitlementplan.entitlements.dev/business", "entitlementsubscription.entitlements.dev/globex"] {
        assert!(listed.contains(name), "{listed}");
    }
}

fn explained(stage: &Stage) {
    for (field, text) in [
        ("eplan", "What is sold together: a plan, or an add-on to plans."),
        ("eplan.spec.type", "`Plan`, which is subscribed to, or `AddOn`, which is added to a subscription."),
        ("eplan.spec.groups.entitlements.amount", "Absent: the definition's amount."),
        ("eplan.spec.rollout", "keep what was agreed. `Everyone`: at once."),
        ("esub", "One organization's subscription to one plan, with add-ons and what was agreed beside them."),
        ("esub.spec.addOns.quantity", "the amounts of the add-on are multiplied by it. 0 gives nothing."),
        ("esub.spec.remove", "and takes nothing away that `add` gives."),
        ("esub.spec.agreement", "Which agreement with the client this is"),
        ("esub.status.accepted.plans.revision", "The name of its ControllerRevision."),
    ] {
        let explained = stage.kubectl(&["explain", field]);
        let explained = explained.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(explained.contains(text), "{field}: {explained}");
    }
}
