//! What is refused of a plan or a subscription that is wrong in itself, and what only looks wrong.

use super::{PLAN, SUBSCRIPTION, judge, object};
use crate::harness::cluster;
use serde_json::json;

/// Specs that are refused, and what the message says.
const REFUSED: &[(&str, &str, &str)] = &[
    (PLAN, "{colour: red}", "colour"),
    (PLAN, "{type: Bundle}", "Unsupported value"),
    (PLAN, "{rollout: Someone}", "Unsupported value"),
    (PLAN, "{retired: 'yes'}", "retired"),
    (PLAN, "{allowMultiple: 1}", "allowMultiple"),
    (PLAN, "{term: 1 year}", "must be an ISO 8601 duration"),
    (PLAN, "{gracePeriod: P1YT}", "must be an ISO 8601 duration"),
    (PLAN, "{renewalNotices: [-P1D]}", "must be an ISO 8601 duration"),
    (PLAN, "{includes: [Basic]}", "spec.includes[0] in body should match"),
    (PLAN, "{includes: ['']}", "spec.includes[0]"),
    (PLAN, "{includes: basic}", "includes"),
    (PLAN, "{addOns: [a.b]}", "spec.addOns[0] in body should match"),
    (PLAN, "{addOns: [a, a]}", "uplicate"),
    (PLAN, "{groups: [{displayName: A}]}", "name"),
    (PLAN, "{groups: [{name: A}]}", "name in body should match"),
    (PLAN, "{groups: [{name: a}, {name: a}]}", "uplicate"),
    (PLAN, "{groups: [{name: a, colour: red}]}", "colour"),
    (PLAN, "{groups: [{name: a, entitlements: [{amount: 3}]}]}", "definition"),
    (PLAN, "{groups: [{name: a, entitlements: [{definition: seats}, {definition: seats}]}]}", "uplicate"),
    (PLAN, "{groups: [{name: a, entitlements: [{definition: a/b}]}]}", "definition in body should match"),
    (PLAN, "{groups: [{name: a, entitlements: [{definition: a, amount: -1}]}]}", "signs and exponents are refused"),
    (PLAN, "{groups: [{name: a, entitlements: [{definition: a, amount: '1e9'}]}]}", "signs and exponents are refused"),
    (PLAN, "{groups: [{name: a, entitlements: [{definition: a, facets: {f: 3}}]}]}", "facets"),
    (PLAN, "{groups: [{name: a, entitlements: [{definition: a, secretFacets: []}]}]}", "secretFacets"),
    (PLAN, "{type: AddOn, includes: [basic]}", "an AddOn includes no plans"),
    (PLAN, "{type: AddOn, addOns: [extra]}", "an AddOn has no add-ons of its own"),
    (PLAN, "{type: AddOn, term: P1Y}", "an AddOn has no term"),
    (PLAN, "{type: AddOn, gracePeriod: P1D}", "an AddOn has no grace period"),
    (PLAN, "{type: AddOn, renewalNotices: [P1D]}", "an AddOn is renewed with its subscription"),
    (PLAN, "{type: AddOn, allowMultiple: true}", "an AddOn may always be added more than once"),
    (SUBSCRIPTION, "{colour: red}", "colour"),
    (SUBSCRIPTION, "{organization: Acme}", "spec.organization in body should match"),
    (SUBSCRIPTION, "{plan: a.b}", "spec.plan in body should match"),
    (SUBSCRIPTION, "{plan: ''}", "spec.plan"),
    (SUBSCRIPTION, "{state: Paused}", "Unsupported value"),
    (SUBSCRIPTION, "{start: 2027-02}", "must be a date such as 2027-01-31"),
    (SUBSCRIPTION, "{end: tomorrow}", "must be a date such as 2027-01-31"),
    (SUBSCRIPTION, "{end: '2027-01-31T00:00:00.5Z'}", "must be a date such as 2027-01-31"),
    (SUBSCRIPTION, "{priority: high}", "priority"),
    (SUBSCRIPTION, "{suspended: 'yes'}", "suspended"),
    (SUBSCRIPTION, "{agreement: 3}", "agreement"),
    (SUBSCRIPTION, "{renews: ../x}", "renews in body should match"),
    (SUBSCRIPTION, "{amount: 3}", "amount"),
    (SUBSCRIPTION, "{facets: {}}", "facets"),
    (SUBSCRIPTION, "{addOns: [{plan: extra}]}", "name"),
    (SUBSCRIPTION, "{addOns: [{name: a}]}", "plan: Required value"),
    (SUBSCRIPTION, "{addOns: [{name: a, plan: extra}, {name: a, plan: other}]}", "uplicate"),
    (SUBSCRIPTION, "{addOns: [{name: a, plan: extra, quantity: -1}]}", "greater than or equal to 0"),
    (SUBSCRIPTION, "{addOns: [{name: a, plan: extra, quantity: 1000001}]}", "less than or equal to 1000000"),
    (SUBSCRIPTION, "{addOns: [{name: a, plan: extra, quantity: 1.5}]}", "quantity"),
    (SUBSCRIPTION, "{addOns: [{name: a, plan: extra, quantity: '3'}]}", "quantity"),
    (SUBSCRIPTION, "{addOns: [{name: a, plan: extra, start: soon}]}", "must be a date such as 2027-01-31"),
    (SUBSCRIPTION, "{addOns: [{name: a, plan: extra, end: later}]}", "must be a date such as 2027-01-31"),
    (SUBSCRIPTION, "{addOns: [{name: a, plan: extra, amount: 3}]}", "amount"),
    (SUBSCRIPTION, "{add: [{name: a}]}", "definition: Required value"),
    (SUBSCRIPTION, "{add: [{definition: seats}]}", "name"),
    (SUBSCRIPTION, "{add: [{name: a, definition: Seats}]}", "definition in body should match"),
    (SUBSCRIPTION, "{add: [{name: a, definition: seats, amount: -1}]}", "signs and exponents are refused"),
    (SUBSCRIPTION, "{add: [{name: a, definition: seats, facets: {f: []}}]}", "facets"),
    (SUBSCRIPTION, "{add: [{name: a, definition: seats, start: 1}]}", "start"),
    (SUBSCRIPTION, "{add: [{name: a, definition: seats, end: never}]}", "must be a date such as 2027-01-31"),
    (SUBSCRIPTION, "{add: [{name: a, definition: seats, quantity: 3}]}", "quantity"),
    (SUBSCRIPTION, "{remove: [{name: a}]}", "definition: Required value"),
    (SUBSCRIPTION, "{remove: [{name: a, definition: seats, amount: 3}]}", "amount"),
    (SUBSCRIPTION, "{remove: [{name: a, definition: seats, start: soon}]}", "must be a date such as 2027-01-31"),
    (SUBSCRIPTION, "{remove: [{name: a, definition: seats, end: later}]}", "must be a date such as 2027-01-31"),
    (SUBSCRIPTION, "{configure: [{facets: {}}]}", "definition"),
    (SUBSCRIPTION, "{configure: [{definition: a}, {definition: a}]}", "uplicate"),
    (SUBSCRIPTION, "{configure: [{definition: a, amount: 3}]}", "amount"),
    (
        SUBSCRIPTION,
        "{configure: [{definition: a, secretFacets: [{facet: f, field: a}]}]}",
        "secretKeyRef: Required value",
    ),
    (
        SUBSCRIPTION,
        "{configure: [{definition: a, secretFacets: [{facet: f, field: a, secretKeyRef: {name: ../x, key: k}}]}]}",
        "secretKeyRef.name in body should match",
    ),
    (SUBSCRIPTION, "{amendments: [{name: a}]}", "effective: Required value"),
    (SUBSCRIPTION, "{amendments: [{name: a, effective: now}]}", "must be a date such as 2027-01-31"),
    (
        SUBSCRIPTION,
        "{amendments: [{name: a, effective: '2027-01-31', end: never}]}",
        "must be a date such as 2027-01-31",
    ),
    (SUBSCRIPTION, "{amendments: [{name: a, effective: '2027-01-31', plan: A}]}", "plan in body should match"),
    (SUBSCRIPTION, "{amendments: [{name: a, effective: '2027-01-31', amount: 3}]}", "amount"),
];

/// Specs that look wrong, or are at the edge, and are not refused.
const ALLOWED: &[(&str, &str)] = &[
    (PLAN, "{}"),
    (PLAN, "{type: AddOn}"),
    (PLAN, "{type: AddOn, includes: [], addOns: [], renewalNotices: [], allowMultiple: false}"),
    (PLAN, "{type: AddOn, product: p, retired: true, rollout: Everyone, groups: [{name: a}]}"),
    (PLAN, "{includes: [basic, basic]}"),
    // Whether one definition is there twice in a plan, the operator says.
    (PLAN, "{groups: [{name: a, entitlements: [{definition: s}]}, {name: b, entitlements: [{definition: s}]}]}"),
    (PLAN, "{groups: [{name: a, entitlements: [{definition: s, amount: Unlimited}, {definition: t, amount: '2.5'}]}]}"),
    (SUBSCRIPTION, "{}"),
    (SUBSCRIPTION, "{agreement: '', addOns: [], add: [], remove: [], configure: [], amendments: []}"),
    (SUBSCRIPTION, "{addOns: [{name: a, plan: extra, quantity: 0}, {name: b, plan: extra, quantity: 1000000}]}"),
    // A window that is empty leaves an entry out, and refuses nothing.
    (SUBSCRIPTION, "{add: [{name: a, definition: s, start: '2027-02-01', end: '2027-01-01'}]}"),
    (
        SUBSCRIPTION,
        "{add: [{name: a, definition: s}], remove: [{name: a, definition: s}], addOns: [{name: a, plan: s}]}",
    ),
    (SUBSCRIPTION, "{configure: [{definition: s}]}"),
];

#[tokio::test]
async fn of_plans_and_subscriptions_what_is_wrong_in_itself_is_refused() {
    let cluster = cluster().await;
    for (kind, spec, message) in REFUSED {
        let judged = judge(&cluster, kind, &serde_saphyr::from_str(spec).unwrap()).await;
        let refused = judged.expect_err(&format!("{kind} {spec} should be refused"));
        assert!(refused.contains(message), "{kind} {spec}: {refused}");
    }
    for (kind, spec) in ALLOWED {
        let judged = judge(&cluster, kind, &serde_saphyr::from_str(spec).unwrap()).await;
        assert!(judged.is_ok(), "{kind} {spec}: {judged:?}");
    }
    // Templating tools write null for what is not given.
    let nothing = json!({"product": null, "term": null, "renewalNotices": null, "groups": null});
    let made = cluster.create(object(PLAN, &cluster.name, &nothing)).await.unwrap();
    assert_eq!(made["spec"], json!({"type": "Plan", "allowMultiple": false, "rollout": "Agreed", "retired": false}));
    for (name, spec) in [("a.b", "{}"), ("a".repeat(64).as_str(), "{type: AddOn}")] {
        let refused = cluster.create(object(PLAN, name, &serde_saphyr::from_str(spec).unwrap())).await.unwrap_err();
        assert!(refused.contains("the name of a plan is a DNS label"), "{refused}");
    }
}
