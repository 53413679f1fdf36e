//! What manifest follows from what is asked for.
#![allow(clippy::needless_pass_by_value, reason = "a value is written where it is used")]

mod renewal;

use super::*;
use crate::{
    api::{AmountField, REASON, lifecycle::SourceStatus},
    core::{
        calendar::{Instant, parse_instant},
        source::SourceId,
    },
    evaluation::Limits,
    offline::{EntitlementKind, Inventory, Status, Subject},
};
use rstest::rstest;
use serde_json::{Value, json};

const NOW: &str = "2026-11-30T23:30:00Z";

fn now() -> Instant {
    parse_instant(NOW).unwrap()
}

/// A client in Berlin, where it is 00:30 on 1 December, and what there is to grant.
fn inventory(grants: &[Value]) -> Inventory {
    let mut inventory = Inventory::new(now(), "entitlement-operator");
    inventory.limit(Limits::DEFAULT);
    let schema = json!({"type": "object", "properties": {
        "region": {"type": "string"}, "retention": {"type": "integer"}, "days": {"type": "array"},
        "window": {"type": "object", "properties": {"start": {"type": "string"}}},
        "password": {"type": "string", "writeOnly": true},
    }});
    let organization = |name: &str, allowed: &[&str]| {
        json!({
            "metadata": {"name": name},
            "spec": {"timeZone": "Europe/Berlin", "namespaces": [name], "assignableFrom": allowed},
        })
    };
    let definitions = [
        json!({"metadata": {"name": "seats"}, "spec": {"type": "Quantity", "unit": "seats", "amount": 25, "term": "P1Y"}}),
        json!({"metadata": {"name": "backup"}, "spec": {"type": "Feature", "facets": [{"name": "backup", "schema": schema}]}}),
    ];
    let organizations = [
        organization("acme", &["entitlements", "other"]),
        organization("single", &["sales"]),
        organization("several", &["sales", "desk"]),
        organization("barred", &[]),
    ];
    let kinded = |kind: EntitlementKind, object: &Value| {
        let mut object = object.clone();
        object["apiVersion"] = "entitlements.dev/v1alpha1".into();
        object["kind"] = kind.as_str().into();
        object
    };
    for (kind, objects) in [
        (EntitlementKind::Organization, &organizations[..]),
        (EntitlementKind::EntitlementDefinition, &definitions[..]),
        (EntitlementKind::EntitlementInstance, grants),
    ] {
        for object in objects {
            inventory.add(kind, &kinded(kind, object)).unwrap();
        }
    }
    inventory
}

fn request(organization: &str, definition: &str) -> GrantRequest {
    GrantRequest { organization: organization.to_owned(), definition: definition.to_owned(), ..GrantRequest::default() }
}

fn day(text: &str) -> TermDate {
    TermDate::At(text.parse().unwrap())
}

fn later(text: &str) -> TermDate {
    TermDate::Later(text.parse().unwrap())
}

fn setting(path: &[&str], text: &str) -> Setting {
    Setting { facet: "backup".to_owned(), path: path.iter().map(ToString::to_string).collect(), text: text.to_owned() }
}

fn spec(request: &GrantRequest) -> Value {
    inventory(&[]).propose_grant(request, now()).unwrap()["spec"].clone()
}

#[test]
fn a_grant_starts_today_where_the_client_is() {
    let manifest = inventory(&[]).propose_grant(&request("acme", "seats"), now()).unwrap();
    let expected = json!({
        "apiVersion": "entitlements.dev/v1alpha1",
        "kind": "EntitlementInstance",
        "metadata": {"name": "acme-seats", "namespace": "entitlements"},
        "spec": {"organization": "acme", "definition": "seats", "start": "2026-12-01"},
    });
    assert_eq!(manifest, expected);
}

#[test]
fn all_that_is_asked_for_stands_in_the_manifest() {
    let asked = GrantRequest {
        name: Some("more".to_owned()),
        namespace: Some("other".to_owned()),
        from: Some(day("2027-01-01")),
        to: Some(later("P90D")),
        amount: Some(AmountField::Text("2.5".to_owned())),
        reason: Some("order 4711".to_owned()),
        is_draft: true,
        ..request("acme", "seats")
    };
    let manifest = inventory(&[]).propose_grant(&asked, now()).unwrap();
    let metadata =
        json!({"name": "more", "namespace": "other", "annotations": {"entitlements.dev/reason": "order 4711"}});
    assert_eq!(manifest["metadata"], metadata);
    let spec = json!({
        "organization": "acme", "definition": "seats", "state": "Draft", "start": "2027-01-01", "end": "2027-03-01", "amount": "2.5",
    });
    assert_eq!(manifest["spec"], spec);
}

#[rstest]
#[case(later("P1D"), "2026-12-02")]
#[case(later("P1M"), "2027-01-01")]
#[case(later("PT12H"), "2026-12-01T11:30:00Z")]
#[case(later("P1DT1H"), "2026-12-02T00:30:00Z")]
#[case(day("9999-12-31"), "9999-12-31")]
#[case(day("2027-01-01T09:00:00+01:00"), "2027-01-01T08:00:00Z")]
fn an_end_is_a_day_of_the_client_or_a_moment(#[case] to: TermDate, #[case] expected: &str) {
    assert_eq!(spec(&GrantRequest { to: Some(to), ..request("acme", "seats") })["end"], expected);
}

#[test]
fn a_renewal_starts_when_what_it_renews_ends() {
    let renewal = GrantRequest { renews: Some("acme-seats".to_owned()), ..request("acme", "seats") };
    assert_eq!(spec(&renewal), json!({"organization": "acme", "definition": "seats", "renews": "acme-seats"}));
    let dated = GrantRequest { from: Some(day("2027-02-01")), ..renewal };
    assert_eq!(spec(&dated)["start"], "2027-02-01");
}

#[test]
fn settings_are_of_the_type_that_the_schema_wants() {
    let settings = vec![
        setting(&["region"], "12"),
        setting(&["retention"], "90"),
        setting(&["days"], "[\"mo\"]"),
        setting(&["window", "start"], "02:00"),
    ];
    let facets = &spec(&GrantRequest { settings, ..request("acme", "backup") })["facets"];
    let expected = json!({"region": "12", "retention": 90, "days": ["mo"], "window": {"start": "02:00"}});
    assert_eq!(*facets, json!({"backup": expected}));
}

#[rstest]
#[case::secret(&["password"], "backup.password is secret, and never given on a command line: put it into a Secret beside the grant, and say which with --secret backup.password=SECRET/KEY")]
#[case::inside_of_a_secret(&["password", "x"], "backup.password.x is secret, and never given on a command line: put it into a Secret beside the grant, and say which with --secret backup.password.x=SECRET/KEY")]
fn a_secret_is_never_set(#[case] path: &[&str], #[case] expected: &str) {
    let asked = GrantRequest { settings: vec![setting(path, "hunter2")], ..request("acme", "backup") };
    let said = inventory(&[]).propose_grant(&asked, now()).unwrap_err();
    assert_eq!(said, Unclear::Usage(expected.to_owned()));
}

#[test]
fn what_contradicts_itself_is_told() {
    let said = |settings: Vec<Setting>| {
        let asked = GrantRequest { settings, ..request("acme", "backup") };
        inventory(&[]).propose_grant(&asked, now()).unwrap_err().to_string()
    };
    assert_eq!(
        said(vec![setting(&["region"], "a"), setting(&["region"], "b")]),
        "backup.region is set twice: leave one out"
    );
    assert_eq!(
        said(vec![setting(&["region"], "a"), setting(&["region", "b"], "b")]),
        "backup.region.b is set twice: leave one out"
    );
    let other = Setting { facet: "bakcup".to_owned(), ..setting(&["region"], "a") };
    assert_eq!(
        said(vec![setting(&["pasword"], "hunter2")]),
        "facet backup names no field pasword: did you mean password?"
    );
    assert_eq!(said(vec![other]), "definition backup has no facet bakcup: did you mean backup?");
}

#[rstest]
#[case("acme", None, Ok("entitlements"))]
#[case("single", None, Ok("sales"))]
#[case("single", Some("desk"), Ok("desk"))]
#[case("several", None, Err("grants for organization several may lie in sales, desk: say in which with -n"))]
#[case("barred", None, Err("organization barred may be named in no namespace: add one to its spec.assignableFrom"))]
#[case("nobody", None, Err("there is no organization nobody"))]
fn a_grant_lies_where_the_organization_may_be_named(
    #[case] organization: &str,
    #[case] namespace: Option<&str>,
    #[case] expected: Result<&str, &str>,
) {
    let asked = GrantRequest { namespace: namespace.map(str::to_owned), ..request(organization, "seats") };
    let found = inventory(&[]).propose_grant(&asked, now());
    let found = found.map(|manifest| manifest["metadata"]["namespace"].as_str().unwrap().to_owned());
    assert_eq!(found.map_err(|error| error.to_string()), expected.map(str::to_owned).map_err(str::to_owned));
}

fn instance(spec: Value) -> Value {
    let mut object = json!({
        "apiVersion": "entitlements.dev/v1alpha1",
        "kind": "EntitlementInstance",
        "metadata": {
            "name": "acme-seats", "namespace": "entitlements", "uid": "u", "resourceVersion": "7", "generation": 1,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "annotations": {crate::api::LAST_APPLIED: "{}"},
        },
        "spec": spec,
        "status": {"observedGeneration": 1},
    });
    object["spec"]["organization"] = "acme".into();
    object["spec"]["definition"] = "seats".into();
    object
}

#[test]
fn a_name_that_is_taken_is_never_overwritten() {
    let there = inventory(&[instance(json!({}))]);
    let proposed = there.propose_grant(&request("acme", "seats"), now()).unwrap();
    assert_eq!(proposed["metadata"]["name"], "acme-seats-2");
    let asked = GrantRequest { name: Some("acme-seats".to_owned()), ..request("acme", "seats") };
    let said = "there is a grant entitlements/acme-seats already, and none is overwritten: give another --name, or leave it out";
    assert_eq!(there.propose_grant(&asked, now()), Err(Unclear::Impossible(said.to_owned())));
    let elsewhere = GrantRequest { namespace: Some("other".to_owned()), ..asked };
    assert_eq!(there.propose_grant(&elsewhere, now()).unwrap()["metadata"]["name"], "acme-seats");
}

/// What is proposed for a grant with that spec.
fn changed(spec: Value, change: RequestedChange, reason: Option<&str>) -> Result<Proposal, Unclear> {
    let object = instance(spec);
    let inventory = inventory(std::slice::from_ref(&object));
    let id = SourceId::instance("entitlements", "acme-seats");
    let survey = inventory.survey(now());
    let Status::Instance(status) = &survey.statuses[&Subject::source(&id)] else { panic!() };
    let request = ChangeRequest { change, reason: reason.map(str::to_owned) };
    inventory.propose_change(&id, &object, status.lifecycle(), &request, now())
}

fn patch(spec: Value, change: RequestedChange, reason: Option<&str>) -> Value {
    match changed(spec, change, reason) {
        Ok(Proposal::Change { patch, .. }) => patch,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_changed_manifest_has_nothing_of_the_cluster() {
    let Ok(Proposal::Change { manifest, patch, .. }) =
        changed(json!({"priority": 1}), RequestedChange::Suspend, Some("unpaid"))
    else {
        panic!()
    };
    let expected = json!({
        "apiVersion": "entitlements.dev/v1alpha1",
        "kind": "EntitlementInstance",
        "metadata": {"name": "acme-seats", "namespace": "entitlements", "annotations": {"entitlements.dev/reason": "unpaid"}},
        "spec": {"organization": "acme", "definition": "seats", "priority": 1, "suspended": true},
    });
    assert_eq!(manifest, expected);
    let annotations = json!({"annotations": {"entitlements.dev/reason": "unpaid"}});
    assert_eq!(patch, json!({"metadata": annotations, "spec": {"suspended": true}}));
}

#[test]
fn what_is_so_already_is_told_and_what_is_cancelled_stays_so() {
    let nothing = |sentence: &str| Ok(Proposal::Nothing(sentence.to_owned()));
    let cancelled = json!({"state": "Cancelled"});
    let extend = RequestedChange::Extend { to: day("2028-01-01"), from: None };
    assert_eq!(
        changed(json!({"suspended": true}), RequestedChange::Suspend, None),
        nothing("entitlements/acme-seats is suspended already")
    );
    assert_eq!(changed(json!({}), RequestedChange::Resume, None), nothing("entitlements/acme-seats is not suspended"));
    assert_eq!(
        changed(cancelled.clone(), RequestedChange::Cancel, None),
        nothing("entitlements/acme-seats is cancelled already")
    );
    for change in [RequestedChange::Suspend, RequestedChange::Resume, extend] {
        let said = "entitlements/acme-seats is cancelled, and stays so: make a new grant";
        assert_eq!(changed(cancelled.clone(), change, None), Err(Unclear::Impossible(said.to_owned())));
    }
    assert_eq!(patch(json!({}), RequestedChange::Cancel, None), json!({"spec": {"state": "Cancelled"}}));
    assert_eq!(patch(json!({"suspended": true}), RequestedChange::Resume, None), json!({"spec": {"suspended": false}}));
}

/// The amendment by which a grant with that term is extended.
fn extension(start: &str, end: &str, amendments: Value, to: &str, from: Option<&str>) -> Value {
    let change = RequestedChange::Extend { to: day(to), from: from.map(day) };
    let count = amendments.as_array().unwrap().len();
    let patch = patch(json!({"start": start, "end": end, "amendments": amendments}), change, Some("order 4711"));
    assert_eq!(patch["metadata"], Value::Null);
    let all = patch["spec"]["amendments"].as_array().unwrap();
    assert_eq!(all.len(), count + 1);
    all[count].clone()
}

#[rstest]
// 23:30 UTC is 00:30 of 1 December in Berlin.
#[case::in_force("2027-01-31", json!([]), None, NOW)]
#[case::from_a_day("2027-01-31", json!([]), Some("2027-01-01"), "2027-01-01")]
#[case::ended_at_midnight("2026-11-30", json!([]), None, "2026-11-30")]
#[case::ended_long_ago("2026-06-30", json!([]), None, "2026-06-30")]
#[case::ended_during_a_day("2026-06-30T12:00:00Z", json!([]), None, "2026-06-30")]
#[case::amended_on_its_last_day("2026-06-30", json!([{"name": "a", "effective": "2026-06-30", "amount": 3}]), None, "2026-06-30T21:59:59Z")]
#[case::extended_before("2026-06-30", json!([{"name": "a", "effective": "2026-06-01", "end": "2026-09-30"}]), None, "2026-09-30")]
#[case::taken_back("2026-06-30", json!([{"name": "a", "effective": "2026-06-30", "end": "2026-09-30", "revoked": true}]), None, "2026-06-30")]
fn an_extension_counts_from_now_or_from_the_last_day(
    #[case] end: &str,
    #[case] amendments: Value,
    #[case] from: Option<&str>,
    #[case] effective: &str,
) {
    let amendment = extension("2026-01-01", end, amendments, "2027-03-31", from);
    let expected =
        json!({"name": "extended-to-2027-03-31", "effective": effective, "end": "2027-03-31", "reason": "order 4711"});
    assert_eq!(amendment, expected);
}

#[test]
fn each_extension_has_a_name_of_its_own() {
    let before =
        json!([{"name": "extended-to-2027-03-31", "effective": "2026-06-01", "end": "2027-03-31", "revoked": true}]);
    let again = extension("2026-01-01", "2027-01-31", before, "2027-03-31", None);
    assert_eq!(again["name"], "extended-to-2027-03-31-2");
    assert_eq!(extension("2026-01-01", "2027-01-31", json!([]), "9999-12-31", None)["name"], "extended-for-good");
}

#[test]
fn a_draft_gets_another_end() {
    let extend = RequestedChange::Extend { to: later("P1M"), from: None };
    let draft = json!({"state": "Draft", "end": "2026-12-31"});
    let annotations = json!({"annotations": {"entitlements.dev/reason": "more"}});
    assert_eq!(patch(draft, extend, Some("more")), json!({"metadata": annotations, "spec": {"end": "2027-01-01"}}));
}

#[test]
fn nothing_is_made_shorter_or_longer_than_for_good() {
    let said = |spec: Value, to: &str| match changed(spec, RequestedChange::Extend { to: day(to), from: None }, None) {
        Err(unclear) => unclear.to_string(),
        other => panic!("{other:?}"),
    };
    let term = json!({"start": "2026-01-01", "end": "2027-01-31"});
    let lasts = "entitlements/acme-seats lasts until 2027-01-31 already: give a later --to; to end it earlier, add an amendment with kubectl edit, or cancel it";
    assert_eq!(said(term.clone(), "2027-01-31"), lasts);
    assert_eq!(said(term, "2026-12-31"), lasts);
    let hours = json!({"start": "2026-01-01", "end": "2027-01-31T12:00:00Z"});
    assert_eq!(said(hours, "2027-01-30"), lasts.replace("2027-01-31", "2027-01-31T12:00:00Z"));
    let for_good = json!({"start": "2026-01-01", "end": "9999-12-31"});
    assert_eq!(said(for_good, "2028-01-01"), "entitlements/acme-seats has no end, so there is nothing to extend");
}

/// What becomes of the annotations of a grant with these.
fn annotated(
    annotations: Value,
    is_suspended: bool,
    change: RequestedChange,
    reason: Option<&str>,
) -> (Value, Vec<String>) {
    let mut object = instance(json!({"suspended": is_suspended}));
    object["metadata"]["annotations"] = annotations;
    let inventory = inventory(std::slice::from_ref(&object));
    let id = SourceId::instance("entitlements", "acme-seats");
    let survey = inventory.survey(now());
    let Status::Instance(status) = &survey.statuses[&Subject::source(&id)] else { panic!() };
    let request = ChangeRequest { change, reason: reason.map(str::to_owned) };
    match inventory.propose_change(&id, &object, status.lifecycle(), &request, now()) {
        Ok(Proposal::Change { mut manifest, remarks, .. }) => (manifest["metadata"]["annotations"].take(), remarks),
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case::goes(json!({REASON: "unpaid"}), None, Value::Null, &[r#"its reason "unpaid" goes with the suspension"#])]
#[case::is_replaced(json!({REASON: "unpaid"}), Some("paid"), json!({REASON: "paid"}), &[])]
#[case::comes_back(
    json!({REASON: "unpaid", "entitlements.dev/reason-before-suspension": "order 4711", "a": "b"}), None,
    json!({REASON: "order 4711", "a": "b"}), &[r#"its reason "unpaid" goes with the suspension; it is "order 4711" again"#],
)]
#[case::stays(
    json!({REASON: "order 4711", "entitlements.dev/reason-before-suspension": "order 4711"}), None,
    json!({REASON: "order 4711"}), &[],
)]
#[case::none(json!({}), None, Value::Null, &[])]
fn the_reason_of_a_suspension_lasts_as_long_as_it_does(
    #[case] before: Value,
    #[case] reason: Option<&str>,
    #[case] after: Value,
    #[case] remarks: &[&str],
) {
    let (annotations, said) = annotated(before, true, RequestedChange::Resume, reason);
    assert_eq!(annotations, after);
    assert_eq!(said, remarks);
}

#[test]
fn a_suspension_keeps_the_reason_that_was_there() {
    let (annotations, _) = annotated(json!({REASON: "order 4711"}), false, RequestedChange::Suspend, Some("unpaid"));
    let expected = json!({REASON: "unpaid", "entitlements.dev/reason-before-suspension": "order 4711"});
    assert_eq!(annotations, expected);
    let (annotations, _) = annotated(json!({}), false, RequestedChange::Suspend, Some("unpaid"));
    assert_eq!(annotations, json!({REASON: "unpaid"}));
}

#[test]
fn a_suspended_organization_is_told_where_a_grant_is_resumed() {
    let resumed = |is_suspended: bool| {
        let object = instance(json!({"suspended": is_suspended}));
        let mut inventory = inventory(std::slice::from_ref(&object));
        let organization = json!({
            "apiVersion": "entitlements.dev/v1alpha1", "kind": "Organization",
            "metadata": {"name": "acme"}, "spec": {"namespaces": ["acme"], "suspended": true},
        });
        inventory.add(EntitlementKind::Organization, &organization).unwrap();
        let id = SourceId::instance("entitlements", "acme-seats");
        let survey = inventory.survey(now());
        let Status::Instance(status) = &survey.statuses[&Subject::source(&id)] else { panic!() };
        let request = ChangeRequest { change: RequestedChange::Resume, reason: None };
        inventory.propose_change(&id, &object, status.lifecycle(), &request, now())
    };
    let above = r#"its organization acme is suspended, and all its grants with it; to resume that: kubectl patch org acme --type merge --patch '{"spec":{"suspended":false}}'"#;
    let said = format!("entitlements/acme-seats is not suspended itself: {above}");
    assert_eq!(resumed(false), Err(Unclear::Impossible(said)));
    let Ok(Proposal::Change { remarks, .. }) = resumed(true) else { panic!() };
    assert_eq!(remarks, [above]);
}
