//! What a renewal states, and what cannot be renewed.

use super::*;
use crate::core::source::SourceKind;

/// What is granted and sold, at 00:30 of 1 December 2026 in Berlin, and that a grant or a subscription is there.
fn there(objects: &[Value]) -> Inventory {
    let mut inventory = super::inventory(&[]);
    let plan = |name: &str, spec: Value| json!({"apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementPlan", "metadata": {"name": name}, "spec": spec});
    let gives = |amount: u32| json!([{"name": "all", "entitlements": [{"definition": "seats", "amount": amount}]}]);
    let plans = [
        plan("starter", json!({"product": "platform", "groups": gives(5), "addOns": ["pack"], "term": "P1Y"})),
        plan("business", json!({"product": "platform", "groups": gives(25)})),
        plan("old", json!({"product": "platform", "groups": gives(3), "retired": true})),
        plan("films", json!({"groups": gives(1)})),
        plan("site", json!({"product": "platform", "groups": gives(1), "allowMultiple": true, "term": "P1Y"})),
        plan("pack", json!({"type": "AddOn", "groups": gives(2)})),
    ];
    for plan in &plans {
        inventory.add(EntitlementKind::EntitlementPlan, plan).unwrap();
    }
    for object in objects {
        let kind = EntitlementKind::of(object["kind"].as_str().unwrap()).unwrap();
        inventory.add(kind, object).unwrap();
    }
    inventory
}

fn subscription(spec: Value) -> Value {
    let mut object = instance(spec);
    object["kind"] = "EntitlementSubscription".into();
    object["spec"].as_object_mut().unwrap().remove("definition");
    object
}

/// The same with a name, which renews `acme-seats`.
fn renewing(object: &Value, name: &str, state: &str) -> Value {
    let mut renewal = object.clone();
    renewal["metadata"]["name"] = name.into();
    renewal["metadata"]["uid"] = name.into();
    for field in ["start", "end"] {
        renewal["spec"].as_object_mut().unwrap().remove(field);
    }
    renewal["spec"]["renews"] = "acme-seats".into();
    renewal["spec"]["state"] = state.into();
    renewal
}

fn renewed_of(objects: &[Value], request: &RenewalRequest) -> Result<Renewal, Unclear> {
    let object = &objects[0];
    let kind = if object["kind"] == "EntitlementInstance" { SourceKind::Instance } else { SourceKind::Subscription };
    let id = SourceId::new(kind, "entitlements", "acme-seats");
    there(objects).propose_renewal(&id, object, request, now())
}

fn renewed(object: Value) -> Renewal {
    renewed_of(&[object], &RenewalRequest::default()).unwrap()
}

fn refused(object: Value, plan: Option<&str>) -> String {
    let request = RenewalRequest { plan: plan.map(str::to_owned), ..RenewalRequest::default() };
    renewed_of(&[object], &request).unwrap_err().to_string()
}

/// Its spec without what each has.
fn states(renewal: &Renewal) -> Value {
    let mut spec = renewal.manifest["spec"].clone();
    let fields = spec.as_object_mut().unwrap();
    let common = ["organization", "definition", "renews"].map(|field| fields.remove(field));
    assert_eq!(common[0], Some("acme".into()));
    assert_eq!(common[2], Some("acme-seats".into()));
    spec
}

#[test]
fn a_renewal_is_a_whole_manifest() {
    let object = instance(
        json!({"start": "2026-01-01", "end": "2026-12-31", "state": "Active", "suspended": false, "priority": 0}),
    );
    let request = RenewalRequest {
        reason: Some("order 4712".to_owned()),
        to: Some(day("2027-06-30")),
        ..RenewalRequest::default()
    };
    let renewal = renewed_of(&[object], &request).unwrap();
    let expected = json!({
        "apiVersion": "entitlements.dev/v1alpha1",
        "kind": "EntitlementInstance",
        "metadata": {
            "name": "acme-seats-2027", "namespace": "entitlements",
            "annotations": {"entitlements.dev/reason": "order 4712"},
        },
        "spec": {"organization": "acme", "definition": "seats", "renews": "acme-seats", "end": "2027-06-30"},
    });
    assert_eq!(renewal.manifest, expected);
    assert_eq!(renewal.id, SourceId::instance("entitlements", "acme-seats-2027"));
    assert_eq!(renewal.remarks, Vec::<String>::new());
}

#[rstest]
#[case::none(json!({}), json!({}))]
#[case::own(json!({"amount": 7}), json!({"amount": 7}))]
#[case::as_written(json!({"amount": "7.50"}), json!({"amount": "7.50"}))]
#[case::effective(json!({"amount": 7, "amendments": [{"name": "a", "effective": "2026-06-01", "amount": 9}]}), json!({"amount": 9}))]
#[case::pending(
    json!({"amendments": [{"name": "b", "effective": "2026-12-15", "amount": 11}, {"name": "a", "effective": "2026-06-01", "amount": 9}]}),
    json!({"amount": 11})
)]
#[case::of_one_day_by_name(
    json!({"amendments": [{"name": "b", "effective": "2026-06-01", "amount": 11}, {"name": "a", "effective": "2026-06-01", "amount": 9}]}),
    json!({"amount": 11})
)]
#[case::revoked(
    json!({"amount": 7, "amendments": [{"name": "a", "effective": "2026-06-01", "amount": 9, "revoked": true}]}), json!({"amount": 7})
)]
#[case::after_its_end(json!({"amount": 7, "amendments": [{"name": "a", "effective": "2027-06-01", "amount": 9}]}), json!({"amount": 7}))]
#[case::unreadable(json!({"amount": 7, "amendments": [{"name": "a", "effective": "2026-06-01", "amount": "many"}]}), json!({"amount": 7}))]
#[case::facets(
    json!({
        "priority": 4, "suspended": true, "facets": {"backup": {"region": "eu", "window": {"start": "02:00"}}},
        "amendments": [
            {"name": "b", "effective": "2026-12-15", "facets": {"backup": {"retention": 365}}},
            {"name": "a", "effective": "2026-06-01", "facets": {"backup": {"retention": 90, "window": {"end": "03:00"}}}},
        ],
        "secretFacets": [{"facet": "backup", "field": "password", "secretKeyRef": {"name": "acme", "key": "password"}}],
    }),
    json!({
        "priority": 4, "suspended": true,
        "facets": {"backup": {"region": "eu", "retention": 365, "window": {"start": "02:00", "end": "03:00"}}},
        "secretFacets": [{"facet": "backup", "field": "password", "secretKeyRef": {"name": "acme", "key": "password"}}],
    })
)]
fn a_renewal_of_a_grant_states_what_that_comes_to(#[case] spec: Value, #[case] expected: Value) {
    let mut object = instance(spec);
    object["spec"]["start"] = "2026-01-01".into();
    object["spec"]["end"] = "2026-12-31".into();
    if expected.get("facets").is_some() {
        object["spec"]["definition"] = "backup".into();
    }
    assert_eq!(states(&renewed(object)), expected);
}

#[test]
fn what_is_yet_to_count_is_told() {
    let amendments = json!([
        {"name": "more", "effective": "2026-12-15", "amount": 11},
        {"name": "longer", "effective": "2026-12-15", "end": "2027-01-31"},
    ]);
    let renewal = renewed(instance(json!({"start": "2026-01-01", "end": "2026-12-31", "amendments": amendments})));
    assert_eq!(renewal.remarks, ["its amendment more, which counts from 2026-12-15 on, is in the renewal"]);
    // It begins with the end that is to come, and is called by that.
    assert_eq!(&*renewal.id.name, "acme-seats-2027");
}

#[test]
fn what_was_cancelled_comes_to_nothing_more() {
    let amendments = json!([
        {"name": "before", "effective": "2026-06-01", "amount": 9},
        {"name": "to-come", "effective": "2026-12-15", "amount": 11},
    ]);
    let renewal = renewed(instance(
        json!({"start": "2026-01-01", "end": "2027-12-31", "state": "Cancelled", "amendments": amendments}),
    ));
    assert_eq!(states(&renewal), json!({"amount": 9}));
    assert_eq!(&*renewal.id.name, "acme-seats-2026");
    assert_eq!(
        renewal.remarks,
        ["entitlements/acme-seats is cancelled, so its renewal follows nothing: it begins when it is made"]
    );
}

#[test]
fn a_late_renewal_counts_from_the_end_of_what_it_renews() {
    let renewal = renewed(instance(json!({"start": "2025-07-01", "end": "2026-06-30"})));
    assert_eq!(&*renewal.id.name, "acme-seats-2026");
    let said = "entitlements/acme-seats ended with 2026-06-30, and the term of its renewal counts from then on";
    assert_eq!(renewal.remarks, [said]);
}

#[test]
fn an_amount_that_the_definition_gives_no_more_is_told() {
    let accepted = |amount: &str| {
        let mut object = instance(json!({"start": "2026-01-01"}));
        object["status"]["accepted"] = json!({
            "timeZone": "Europe/Berlin", "term": "P1Y", "amount": amount, "start": "2026-01-01",
            "chain": {"name": "acme-seats", "uid": "u", "since": "2026-01-01T00:00:00Z", "day": 1},
        });
        renewed(object)
    };
    assert_eq!(accepted("25").remarks, Vec::<String>::new());
    let renewal = accepted("40");
    assert_eq!(states(&renewal), json!({}));
    let said = "it states no amount, and the 40 that it has were agreed before the definition was edited: its renewal gets 25; to keep 40, write amount: 40 into it";
    assert_eq!(renewal.remarks, [said]);
}

#[rstest]
#[case::draft(json!({"state": "Draft"}), "is a Draft, which has nothing to renew: activate it first")]
#[case::refused(json!({"start": "2026-12-31", "end": "2026-01-01"}), "is refused itself: InvalidTerm: the end 2026-01-01 is not after the start 2026-12-31: give a later end or an earlier start")]
#[case::endless(json!({"start": "2026-01-01", "end": "9999-12-31"}), "has no end, so nothing can follow it: give it an end by an amendment first")]
#[case::endless_soon(
    json!({"start": "2026-01-01", "end": "2026-12-31", "amendments": [{"name": "a", "effective": "2026-12-15", "end": "9999-12-31"}]}),
    "has no end, so nothing can follow it: give it an end by an amendment first"
)]
fn what_has_nothing_to_follow_is_refused(#[case] spec: Value, #[case] expected: &str) {
    let expected = format!("entitlements/acme-seats {expected}");
    assert_eq!(refused(instance(spec.clone()), None), expected);
    let mut spec = spec;
    spec["plan"] = "business".into();
    assert_eq!(refused(subscription(spec), None), expected);
}

#[test]
fn what_is_renewed_already_is_refused_and_a_draft_of_a_renewal_is_told() {
    let grant = instance(json!({"start": "2026-01-01", "end": "2026-12-31"}));
    let sold = subscription(json!({"start": "2026-01-01", "end": "2026-12-31", "plan": "starter"}));
    for object in [grant, sold] {
        let next = |state: &str| [object.clone(), renewing(&object, "next", state)];
        let said = "entitlements/acme-seats is renewed already by next: renew that one instead, or cancel it first";
        let refusal = renewed_of(&next("Active"), &RenewalRequest::default()).unwrap_err();
        assert_eq!(refusal, Unclear::Impossible(said.to_owned()));
        let renewal = renewed_of(&next("Draft"), &RenewalRequest::default()).unwrap();
        let said = "entitlements/next is to renew it too, and is a Draft: this is another renewal";
        assert_eq!(renewal.remarks, [said]);
        assert_eq!(renewed_of(&next("Cancelled"), &RenewalRequest::default()).unwrap().remarks, Vec::<String>::new());
    }
}

#[test]
fn a_renewal_has_a_name_that_nothing_has() {
    let grant = instance(json!({"start": "2026-01-01", "end": "2026-12-31"}));
    let named = |mut object: Value, name: &str| {
        object["metadata"]["name"] = name.into();
        object
    };
    // One of another kind would have to be told apart for good.
    let taken = [grant.clone(), named(subscription(json!({"plan": "films", "state": "Draft"})), "acme-seats-2027")];
    assert_eq!(&*renewed_of(&taken, &RenewalRequest::default()).unwrap().id.name, "acme-seats-2027-2");
    let called =
        |name: &str| renewed_of(&taken, &RenewalRequest { name: Some(name.to_owned()), ..RenewalRequest::default() });
    assert_eq!(&*called("acme-seats-2027").unwrap().id.name, "acme-seats-2027");
    let said = "there is a grant entitlements/acme-seats already, and none is overwritten: give another --name, or leave it out";
    assert_eq!(called("acme-seats"), Err(Unclear::Impossible(said.to_owned())));
}

#[test]
fn a_grant_has_no_plan() {
    let said = "entitlements/acme-seats is a grant of definition seats, which is to no plan: leave out --plan";
    assert_eq!(refused(instance(json!({"start": "2026-01-01", "end": "2026-12-31"})), Some("business")), said);
}

/// A subscription of 2026 to Starter with that.
fn starter(more: Value) -> Value {
    let mut object = subscription(more);
    for (field, value) in [("plan", "starter"), ("start", "2026-01-01"), ("end", "2026-12-31")] {
        object["spec"][field] = value.into();
    }
    object
}

#[rstest]
#[case::alone(json!({}), json!({"plan": "starter"}))]
#[case::as_the_api_server_has_it(
    json!({"agreement": "", "priority": 0, "suspended": false, "state": "Active", "addOns": [], "configure": []}), json!({"plan": "starter"})
)]
#[case::agreement(json!({"agreement": "2026-17", "priority": -2}), json!({"plan": "starter", "agreement": "2026-17", "priority": -2}))]
#[case::upgraded(json!({"amendments": [{"name": "a", "effective": "2026-06-01", "plan": "business"}]}), json!({"plan": "business"}))]
#[case::to_be_upgraded(json!({"amendments": [{"name": "a", "effective": "2026-12-15", "plan": "business"}]}), json!({"plan": "business"}))]
#[case::upgrade_after_its_end(json!({"amendments": [{"name": "a", "effective": "2027-01-15", "plan": "business"}]}), json!({"plan": "starter"}))]
#[case::upgrade_to_nothing(json!({"amendments": [{"name": "a", "effective": "2026-06-01", "plan": "nothing"}]}), json!({"plan": "starter"}))]
#[case::lists(
    json!({
        "addOns": [{"name": "p", "plan": "pack", "quantity": 3, "reason": "order"}],
        "add": [{"name": "s", "definition": "seats", "amount": 2, "start": "2027-06-01", "end": "2027-06-30"}],
        "remove": [{"name": "n", "definition": "backup"}],
        "configure": [{"definition": "backup", "secretFacets": [{"facet": "backup", "field": "password", "secretKeyRef": {"name": "s", "key": "k"}}]}],
    }),
    json!({
        "plan": "starter",
        "addOns": [{"name": "p", "plan": "pack", "quantity": 3, "reason": "order"}],
        "add": [{"name": "s", "definition": "seats", "amount": 2, "start": "2027-06-01", "end": "2027-06-30"}],
        "remove": [{"name": "n", "definition": "backup"}],
        "configure": [{"definition": "backup", "secretFacets": [{"facet": "backup", "field": "password", "secretKeyRef": {"name": "s", "key": "k"}}]}],
    })
)]
fn a_renewal_of_a_subscription_states_what_that_comes_to(#[case] more: Value, #[case] expected: Value) {
    assert_eq!(states(&renewed(starter(more))), expected);
}

#[rstest]
#[case::before("2026-06-30", false)]
#[case::on_its_last_day("2026-12-31", false)]
#[case::at_its_end("2026-12-31T23:00:00Z", false)]
#[case::a_second_later("2026-12-31T23:00:01Z", true)]
#[case::on_its_first_day("2027-01-01", true)]
#[case::never("9999-12-31", true)]
fn what_is_over_when_the_renewal_begins_is_left_out(#[case] end: &str, #[case] is_in_it: bool) {
    let lists = json!({
        "addOns": [{"name": "e", "plan": "pack", "start": "2026-01-01", "end": end}],
        "add": [{"name": "e", "definition": "seats", "amount": 2, "start": "2026-01-01", "end": end}],
        "remove": [{"name": "e", "definition": "seats", "start": "2026-01-01", "end": end}],
    });
    let renewal = renewed(starter(lists.clone()));
    let mut expected = if is_in_it { lists } else { json!({}) };
    expected["plan"] = "starter".into();
    assert_eq!(states(&renewal), expected);
    let told = ["addOns", "add", "remove"]
        .map(|list| format!("{list} e: left out, as it is over when the renewal begins: its end is {end}"));
    assert_eq!(renewal.remarks, if is_in_it { Vec::new() } else { told.to_vec() });
}

#[test]
fn what_would_not_count_is_left_out_and_what_counts_otherwise_stands_as_it_counts() {
    let mut object = starter(json!({
        "addOns": [
            {"name": "no", "plan": "nothing"},
            {"name": "p", "plan": "pack", "quantity": 3, "start": "2027-10-01", "end": "2027-09-01"},
        ],
        "remove": [{"name": "r", "definition": "seats", "start": "2027-10-01", "end": "2027-09-01"}],
    }));
    object["status"]["accepted"] = json!({
        "timeZone": "Europe/Berlin", "start": "2026-01-01", "end": "2026-12-31", "plan": "starter", "line": "platform",
        "chain": {"name": "acme-seats", "uid": "u", "since": "2026-01-01T00:00:00Z", "day": 1},
        "entries": [{"list": "addOns", "name": "p", "plan": "pack", "quantity": 2}],
    });
    let renewal = renewed(object);
    assert_eq!(states(&renewal), json!({"plan": "starter", "addOns": [{"name": "p", "plan": "pack", "quantity": 2}]}));
    let empty = "its end 2027-09-01T22:00:00Z is not after its start 2027-09-30T22:00:00Z: give a later end or an earlier start";
    let told = [
        "addOns no: left out, as it would not count: there is no plan nothing: make it, or name one that exists"
            .to_owned(),
        format!(
            "addOns p: as it counts now, and not as it is written: {empty}; until that is mended, it counts as it did before"
        ),
        format!("remove r: left out, as it would not count: {empty}"),
    ];
    assert_eq!(renewal.remarks, told);
}

#[rstest]
#[case::the_same("starter", "starter")]
#[case::another("business", "business")]
fn a_renewal_may_be_to_another_plan_of_the_line(#[case] plan: &str, #[case] expected: &str) {
    let request = RenewalRequest { plan: Some(plan.to_owned()), ..RenewalRequest::default() };
    assert_eq!(states(&renewed_of(&[starter(json!({}))], &request).unwrap()), json!({"plan": expected}));
}

#[rstest]
#[case("busines", "there is no plan busines: did you mean business?")]
#[case("pack", "plan pack is an AddOn, which is added to a plan: add an entry to spec.addOns of the subscription")]
#[case("old", "plan old is retired, and sold no longer: choose another, or leave out --plan to renew starter")]
#[case(
    "films",
    "plan films is of line films, and entitlements/acme-seats of line platform: renew it with a plan of the same product, or make a new subscription"
)]
#[case(
    "site",
    "plan site is of no line, as a client may have it several times, and entitlements/acme-seats of line platform: renew it with a plan of the same product, or make a new subscription"
)]
fn a_renewal_is_never_to_a_plan_that_it_cannot_have(#[case] plan: &str, #[case] expected: &str) {
    assert_eq!(refused(starter(json!({})), Some(plan)), expected);
}

#[test]
fn a_plan_that_a_client_may_have_several_times_is_renewed_with_itself() {
    let object = subscription(json!({"plan": "site", "start": "2026-01-01"}));
    assert_eq!(states(&renewed(object.clone())), json!({"plan": "site"}));
    let said = "entitlements/acme-seats is to plan site, which a client may have several times and changes to no other: leave out --plan, or make a new subscription";
    assert_eq!(refused(object, Some("business")), said);
}

/// What the operator makes of a renewal: its start and end.
fn decided(objects: &[Value], request: &RenewalRequest) -> (String, String) {
    let renewal = renewed_of(objects, request).unwrap();
    let mut inventory = there(objects);
    let subject = Subject::source(&renewal.id);
    inventory.add(subject.kind, &renewal.manifest).unwrap();
    let survey = inventory.survey(now());
    let status = survey.statuses[&subject].lifecycle().unwrap();
    (status.start.unwrap_or_default().to_owned(), status.end.unwrap_or_default().to_owned())
}

#[test]
fn a_renewal_follows_and_is_as_long() {
    let grant = instance(json!({"start": "2026-07-01", "end": "2026-12-31"}));
    let sold = starter(json!({"amendments": [{"name": "a", "effective": "2026-12-15", "end": "2027-01-31"}]}));
    let none = RenewalRequest::default();
    let term = |start: &str, end: &str| (format!("{start}T23:00:00Z"), end.to_owned());
    assert_eq!(decided(&[grant], &none), term("2026-12-31", "2027-06-30T22:00:00Z"));
    // As long as the term before the amendment.
    assert_eq!(decided(std::slice::from_ref(&sold), &none), term("2027-01-31", "2028-01-31T23:00:00Z"));
    // By the other plan, which has no term.
    let other = RenewalRequest { plan: Some("business".to_owned()), ..none };
    assert_eq!(decided(std::slice::from_ref(&sold), &other), term("2027-01-31", ""));
    let until = RenewalRequest { to: Some(later("P1Y")), ..other };
    assert_eq!(decided(&[sold], &until), term("2027-01-31", "2027-12-01T23:00:00Z"));
}
