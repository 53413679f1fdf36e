//! What the status of a subscription says, condition by condition, and what it remembers.

use super::{inventory, now};
use crate::{
    core::source::SourceId,
    core::source::SourceKind,
    offline::{EntitlementKind, Inventory, Subject},
};
use rstest::rstest;
use serde_json::{Value, json};

/// Starter gives 5 seats; Business 25, with the add-on Extra; Old is retired; and there is a feature that no plan has.
fn offered() -> Inventory {
    let mut inventory = inventory();
    let mut add = |kind, name: &str, spec: Value| {
        let metadata = json!({"name": name, "creationTimestamp": "2026-01-01T00:00:00Z"});
        inventory.add(kind, &json!({"metadata": metadata, "spec": spec})).unwrap();
    };
    add(EntitlementKind::Organization, "acme", json!({"namespaces": ["acme"], "timeZone": "Europe/Berlin"}));
    let schema = json!({"type": "object", "properties": {"depth": {"type": "integer", "maximum": 9}, "text": {"type": "string"}}});
    let facets = json!([{"name": "limits", "schema": schema}]);
    let seats = json!({"type": "Quantity", "unit": "seats", "amount": 1, "facets": facets});
    add(EntitlementKind::EntitlementDefinition, "seats", seats);
    add(EntitlementKind::EntitlementDefinition, "sso", json!({"type": "Feature", "facets": facets}));
    let plan = |amount: u32, more: Value| {
        let mut spec =
            json!({"groups": [{"name": "all", "entitlements": [{"definition": "seats", "amount": amount}]}]});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    let kind = EntitlementKind::EntitlementPlan;
    add(kind, "starter", plan(5, json!({"product": "office", "term": "P1Y"})));
    add(kind, "business", plan(25, json!({"product": "office", "addOns": ["extra"], "gracePeriod": "P7D"})));
    add(kind, "old", plan(9, json!({"product": "office", "retired": true})));
    add(kind, "other", plan(7, json!({})));
    add(kind, "extra", plan(5, json!({"type": "AddOn"})));
    inventory
}

/// The status of the only subscription, which was made on 2026-06-01.
fn status(spec: &Value) -> Value {
    status_of(&mut offered(), spec)
}

fn status_of(inventory: &mut Inventory, spec: &Value) -> Value {
    let mut whole = json!({"organization": "acme", "plan": "business", "start": "2026-06-01"});
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    let metadata = json!({
        "name": "ours", "namespace": "entitlements", "uid": "u-ours", "creationTimestamp": "2026-06-01T00:00:00Z",
    });
    inventory.add(EntitlementKind::EntitlementSubscription, &json!({"metadata": metadata, "spec": whole})).unwrap();
    let survey = inventory.survey(now());
    let subject = Subject::source(&SourceId::new(SourceKind::Subscription, "entitlements", "ours"));
    survey.statuses[&subject].to_json().unwrap()
}

fn condition(status: &Value, type_: &str) -> String {
    let all = status["conditions"].as_array().unwrap();
    let one = all.iter().find(|one| one["type"] == type_).unwrap();
    format!(
        "{} {}: {}",
        one["status"].as_str().unwrap(),
        one["reason"].as_str().unwrap(),
        one["message"].as_str().unwrap()
    )
}

#[rstest]
#[case::no_organization(json!({"organization": "nobody"}), "OrganizationNotFound")]
#[case::no_plan(json!({"plan": "none"}), "PlanNotFound")]
#[case::an_add_on(json!({"plan": "extra"}), "PlanNotReady")]
#[case::retired(json!({"plan": "old"}), "PlanRetired")]
#[case::a_renewal_of_nobody(json!({"renews": "nobody"}), "RenewalInvalid")]
#[case::no_time(json!({"end": "2026-05-01"}), "InvalidTerm")]
#[case::no_date(json!({"end": "soon"}), "InvalidTerm")]
#[case::the_plan_goes_before_the_renewal(json!({"plan": "none", "renews": "nobody", "end": "soon"}), "PlanNotFound")]
#[case::the_renewal_goes_before_the_term(json!({"renews": "nobody", "end": "soon"}), "RenewalInvalid")]
fn a_refused_one_gives_nothing_and_says_why(#[case] spec: Value, #[case] reason: &str) {
    let status = status(&spec);
    assert_eq!(status["phase"], "Rejected");
    for type_ in ["Accepted", "Ready"] {
        let condition = condition(&status, type_);
        assert!(condition.starts_with(&format!("False {reason}: ")), "{condition}");
    }
    assert_eq!((&status["entitlements"], &status["accepted"]), (&Value::Null, &Value::Null));
}

#[test]
fn what_was_taken_is_recorded() {
    let status = status(&json!({
        "agreement": "A-1",
        "addOns": [{"name": "more", "plan": "extra", "quantity": 3, "end": "2026-12-31"}, {"name": "none", "plan": "none"}],
        "add": [{"name": "gift", "definition": "seats"}, {"name": "sign-on", "definition": "sso", "start": "2027-01-01"}],
        "remove": [{"name": "no", "definition": "sso"}],
        "amendments": [{"name": "down", "effective": "2027-06-01", "plan": "starter"}, {"name": "off", "effective": "2027-07-01", "plan": "other"}],
    }));
    let accepted = &status["accepted"];
    let plans: Vec<&str> =
        accepted["plans"].as_array().unwrap().iter().map(|one| one["plan"].as_str().unwrap()).collect();
    assert_eq!(plans, ["business", "extra", "starter"]);
    assert_eq!(
        accepted["entries"],
        json!([
            {"list": "addOns", "name": "more", "plan": "extra", "quantity": 3, "end": "2026-12-31"},
            {"list": "add", "name": "gift", "definition": "seats", "amount": "1"},
            {"list": "add", "name": "sign-on", "definition": "sso", "start": "2027-01-01"},
        ])
    );
    assert_eq!(
        (&accepted["line"], &accepted["plan"], &accepted["agreement"], &accepted["gracePeriod"], &accepted["term"]),
        (&json!("office"), &json!("business"), &json!("A-1"), &json!("P7D"), &Value::Null)
    );
    assert_eq!(status["addOns"], "extra x 3");
    assert_eq!(status["plan"], "business");
    assert_eq!(
        status["entitlements"],
        json!([
            {"definition": "seats", "entitled": true, "amount": "41"},
            {"definition": "sso", "entitled": false},
        ])
    );
    assert_eq!(status["entries"][0]["name"], "none");
    let ready = condition(&status, "Ready");
    assert_eq!(ready, "False EntryIgnored: addOns none: there is no plan none: make it, or name one that exists");
    let amendments: Vec<&str> =
        status["amendments"].as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap()).collect();
    assert_eq!(amendments, ["Pending", "Ignored"]);
    assert_eq!(status["nextTransition"], json!({"at": "2026-12-31T23:00:00Z", "phase": "Active"}));
}

#[test]
fn a_draft_leaves_no_entry_out_and_records_nothing() {
    let status = status(&json!({"state": "Draft", "addOns": [{"name": "none", "plan": "none"}]}));
    assert_eq!((&status["phase"], &status["accepted"]), (&json!("Draft"), &Value::Null));
    assert_eq!(status["entries"][0]["name"], "none");
    assert!(condition(&status, "Ready").starts_with("True Draft: "), "{status}");
    let of_none = self::status(&json!({"state": "Draft", "plan": "none"}));
    assert!(!condition(&of_none, "Ready").contains("agreed"), "{of_none}");
}

#[test]
fn what_is_stated_for_later_has_to_be_valid_now() {
    let late = |depth: u32| {
        let facets = json!({"limits": {"depth": depth}});
        status(&json!({"add": [{"name": "gift", "definition": "seats", "facets": facets, "start": "2028-01-01"}]}))
    };
    assert!(condition(&late(9), "FacetsValid").starts_with("True Valid: "));
    let status = late(10);
    let expected = "seats: what is stated for later cannot be used: facets.limits.depth: 10 is more than the maximum 9";
    assert_eq!(condition(&status, "FacetsValid"), format!("False Invalid: {expected}"));
    assert_eq!(condition(&status, "Ready"), format!("False FacetsInvalid: {expected}"));
    assert_eq!(status["violations"][0]["definition"], "seats");
    assert_eq!(status["facets"], json!({"seats": {}}));
}

#[test]
fn facets_of_all_definitions_together_have_a_limit() {
    let text = "x".repeat(400 * 1024);
    let entry = |definition: &str| json!({"definition": definition, "facets": {"limits": {"text": text}}});
    let add = json!([{"name": "sign-on", "definition": "sso"}]);
    let one = status(&json!({"add": add, "configure": [entry("seats")]}));
    assert!(condition(&one, "FacetsValid").starts_with("True Valid: "));
    let both = status(&json!({"add": add, "configure": [entry("seats"), entry("sso")]}));
    let invalid = condition(&both, "FacetsValid");
    assert!(
        invalid.starts_with("False Invalid: sso: facets.limits: with it, what the subscription states comes to"),
        "{invalid}"
    );
    assert!(both["facets"].get("sso").is_none());
}

/// Nothing says any more what the plan gives: neither it, nor a revision of it.
#[rstest]
#[case::under_the_same_agreement(
    "",
    "False RevisionLost: the revision plan.business-REVISION of plan business, which was agreed, is lost: what was given is \
     given on; restore the ControllerRevision, or change spec.agreement to take the plan as it is now"
)]
#[case::under_another(
    "B",
    "False RevisionLost: nothing valid is known of plan business any more: what was given is given on; make the plan again, or \
     restore its ControllerRevision"
)]
fn a_plan_of_which_nothing_is_known_any_more_takes_nothing_away(#[case] agreement: &str, #[case] ready: &str) {
    let before = status_of(&mut offered(), &json!({}));
    let revision = before["accepted"]["plans"][0]["revision"].as_str().unwrap();
    let mut later = offered();
    later.plans.remove("business");
    let metadata = json!({
        "name": "ours", "namespace": "entitlements", "uid": "u-ours", "creationTimestamp": "2026-06-01T00:00:00Z",
    });
    let spec = json!({"organization": "acme", "plan": "business", "start": "2026-06-01", "agreement": agreement});
    later
        .add(EntitlementKind::EntitlementSubscription, &json!({"metadata": metadata, "spec": spec, "status": before}))
        .unwrap();
    let survey = later.survey(now());
    let subject = Subject::source(&SourceId::new(SourceKind::Subscription, "entitlements", "ours"));
    let status = survey.statuses[&subject].to_json().unwrap();
    assert_eq!((&status["phase"], &status["entitlements"]), (&json!("Active"), &before["entitlements"]));
    assert_eq!(condition(&status, "Ready").replace(revision, "plan.business-REVISION"), ready);
}

/// An add-on that it has is none of its plans, though it is recorded.
#[test]
fn an_amendment_to_an_add_on_that_it_has_is_ignored() {
    let spec = json!({
        "addOns": [{"name": "more", "plan": "extra"}],
        "amendments": [{"name": "wrong", "effective": "2026-06-02", "plan": "extra"}],
    });
    let first = status(&spec);
    let mut inventory = offered();
    let metadata = json!({
        "name": "ours", "namespace": "entitlements", "uid": "u-ours", "creationTimestamp": "2026-06-01T00:00:00Z",
    });
    let mut whole = json!({"organization": "acme", "plan": "business", "start": "2026-06-01"});
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    let object = json!({"metadata": metadata, "spec": whole, "status": first});
    inventory.add(EntitlementKind::EntitlementSubscription, &object).unwrap();
    let survey = inventory.survey(now());
    let subject = Subject::source(&SourceId::new(SourceKind::Subscription, "entitlements", "ours"));
    let second = survey.statuses[&subject].to_json().unwrap();
    for status in [first, second] {
        assert_eq!(status["amendments"][0]["state"], "Ignored");
        assert_eq!((&status["plan"], &status["entitlements"][0]["amount"]), (&json!("business"), &json!("30")));
    }
}
