use super::{fine, id, instance, now, refused, settled, snapshot, warned};
use crate::{
    api::EntitlementInstance,
    core::{calendar::parse_instant, namespace::NamespaceFacts, problem::Problem, reason::ReasonCode},
    evaluation::{
        Snapshot,
        admission::{AdmissionVerdict, Candidate, review_instance},
        catalogue::{CatalogueEntry, Present},
        evaluate,
        status::ideal,
    },
};
use rstest::rstest;
use serde_json::{Value, json};
use std::sync::Arc;

/// What is said of a change of the grant `a` among others.
fn review(
    others: &[EntitlementInstance],
    before: Option<EntitlementInstance>,
    after: Option<EntitlementInstance>,
) -> AdmissionVerdict {
    let with = |own: Option<EntitlementInstance>| {
        Candidate::of(snapshot(&others.iter().cloned().chain(own).collect::<Vec<_>>()))
    };
    review_instance(&with(before), &with(after), &id("a"), now())
}

fn made(spec: &Value) -> AdmissionVerdict {
    review(&[], None, Some(instance("a", spec)))
}

fn changed(before: &Value, after: &Value) -> AdmissionVerdict {
    review(&[], Some(instance("a", before)), Some(instance("a", after)))
}

#[test]
fn what_the_controller_accepts_passes() {
    for spec in [
        json!({}),
        json!({"amount": 7, "facets": {"limits": {"depth": 10}}, "end": "2027-01-01"}),
        json!({"state": "Draft"}),
    ] {
        assert_eq!(made(&spec), fine(), "{spec}");
    }
}

#[rstest]
#[case::unreadable_amount(json!({"amount": "many"}), "InvalidAmount")]
#[case::no_such_day(json!({"start": "2027-02-30"}), "InvalidTerm")]
#[case::empty_term(json!({"start": "2027-01-02", "end": "2027-01-01"}), "InvalidTerm")]
#[case::renews_nothing(json!({"renews": "nothing"}), "RenewalInvalid")]
#[case::renews_itself(json!({"renews": "a"}), "RenewalInvalid")]
#[case::unknown_definition(json!({"definition": "nothing"}), "DefinitionNotFound")]
fn refuses_with_the_reason_and_words_of_the_condition(#[case] spec: Value, #[case] reason: &'static str) {
    let condition = ideal(&evaluate(&snapshot(&[instance("a", &spec)]), now()))[0].conditions[0].clone();
    assert_eq!((condition.type_.as_str(), condition.reason.as_str()), ("Accepted", reason));
    assert_eq!(made(&spec), refused(reason, &condition.message));
}

#[test]
fn refuses_facets_in_the_words_of_the_condition() {
    let spec = json!({"facets": {"limits": {"depth": 11}}});
    let message = "facets.limits.depth: 11 is more than the maximum 10";
    assert_eq!(made(&spec), refused("FacetsInvalid", message));
    let status = ideal(&evaluate(&snapshot(&[instance("a", &spec)]), now())).remove(0);
    let condition = status.conditions.iter().find(|condition| condition.type_ == "FacetsValid").unwrap();
    assert_eq!(condition.message, message);
}

/// A snapshot in which something else is wrong than the grant.
fn reviewed_in(change: impl Fn(&mut Snapshot)) -> Option<&'static str> {
    let (mut before, mut after) = (snapshot(&[]), snapshot(&[instance("a", &json!({}))]));
    change(&mut before);
    change(&mut after);
    review_instance(&Candidate::of(before), &Candidate::of(after), &id("a"), now())
        .refused
        .map(|refused| refused.reason.as_str())
}

#[test]
fn refuses_for_what_it_refers_to() {
    assert_eq!(reviewed_in(|_| {}), None);
    assert_eq!(reviewed_in(|snapshot| snapshot.organization = None), Some("OrganizationNotFound"));
    let elsewhere = |snapshot: &mut Snapshot| {
        snapshot.organization = Some(Arc::new(super::organization(&json!({"assignableFrom": ["sales"]}))));
    };
    assert_eq!(reviewed_in(elsewhere), Some("NamespaceNotAllowed"));
    let zone = |snapshot: &mut Snapshot| {
        snapshot.organization = Some(Arc::new(super::organization(&json!({"timeZone": "Mars/Olympus"}))));
    };
    assert_eq!(reviewed_in(zone), Some("OrganizationNotReady"));
    let invalid = |snapshot: &mut Snapshot| {
        let entry = CatalogueEntry::clone(&snapshot.catalogue["seats"]);
        let present = Present::Invalid(Problem::new(ReasonCode::InvalidSchema, "mend it"));
        snapshot.catalogue.insert("seats".into(), Arc::new(CatalogueEntry { present, ..entry }));
    };
    assert_eq!(reviewed_in(invalid), Some("DefinitionNotReady"));
}

#[test]
fn refuses_a_duplicate_and_names_the_winner() {
    let others = settled(&[instance("first", &json!({}))], now());
    let message = "organization acme holds seats already by entitlements/first: this takes over when that one is over; renew it, amend it, or cancel one of the two";
    assert_eq!(review(&others, None, Some(instance("a", &json!({})))), refused("Duplicate", message));
    assert_eq!(review(&others, None, Some(instance("a", &json!({"definition": "pool"})))), fine());
    assert_eq!(review(&others, None, Some(instance("a", &json!({"state": "Draft"})))), fine());
    assert_eq!(review(&others, None, Some(instance("a", &json!({"state": "Cancelled"})))), fine());
}

#[test]
fn what_was_refused_before_can_be_changed_otherwise() {
    let mut labelled = instance("a", &json!({"amount": "many"}));
    labelled.metadata.labels = Some([("team".to_owned(), "red".to_owned())].into());
    assert_eq!(review(&[], Some(instance("a", &json!({"amount": "many"}))), Some(labelled)), fine());
    let verdict = changed(&json!({"amount": "many"}), &json!({"amount": "lots"}));
    assert!(verdict.refused.is_none() && verdict.warnings.len() == 1, "{verdict:?}");
    assert!(verdict.warnings[0].starts_with("InvalidAmount: "), "{verdict:?}");
    // Another reason is this change's.
    assert_eq!(
        changed(&json!({"amount": "many"}), &json!({"start": "2027-02-30"})).refused.unwrap().reason,
        "InvalidTerm"
    );
    // So are facets, whatever else is wrong.
    let both = json!({"amount": "many", "facets": {"limits": {"depth": 11}}});
    assert_eq!(changed(&json!({"amount": "many"}), &both).refused.unwrap().reason, "FacetsInvalid");
}

#[test]
fn taking_back_is_never_refused() {
    for spec in [json!({"renews": "nothing"}), json!({"amount": "many"}), json!({"facets": {"limits": {"depth": 11}}})]
    {
        let mut after = spec.clone();
        after["state"] = json!("Cancelled");
        assert_eq!(changed(&spec, &after), fine(), "{spec}");
        assert_eq!(made(&after), fine(), "{spec}");
    }
}

#[test]
fn a_draft_is_told_what_activating_it_would_give() {
    let renews = made(&json!({"state": "Draft", "renews": "nothing"}));
    assert!(renews.refused.is_none());
    assert!(
        renews.warnings[0].starts_with("activating it would be refused: RenewalInvalid: there is no instance nothing"),
        "{renews:?}"
    );
    let facets = made(&json!({"state": "Draft", "facets": {"limits": {"depth": 11}}}));
    assert_eq!(facets, warned(&["its facets are invalid: facets.limits.depth: 11 is more than the maximum 10"]));
    let empty = made(&json!({"state": "Draft", "start": "2027-01-02", "end": "2027-01-01"}));
    assert!(empty.refused.is_none() && empty.warnings.len() == 1, "{empty:?}");
    // Nothing makes these readable.
    for (spec, reason) in [(json!({"amount": "many"}), "InvalidAmount"), (json!({"end": "2027-02-30"}), "InvalidTerm")]
    {
        let mut draft = spec.clone();
        draft["state"] = json!("Draft");
        assert_eq!(made(&draft).refused.unwrap().reason, reason);
    }
    // It is said once.
    let mut labelled = instance("a", &json!({"state": "Draft", "renews": "nothing"}));
    labelled.metadata.labels = Some([("team".to_owned(), "red".to_owned())].into());
    assert_eq!(
        review(&[], Some(instance("a", &json!({"state": "Draft", "renews": "nothing"}))), Some(labelled)),
        fine()
    );
}

#[test]
fn warns_of_an_end_in_the_past() {
    let over = "it ended at 2026-06-11T00:00:00Z already, so nothing is delivered";
    assert_eq!(made(&json!({"end": "2026-06-10"})), warned(&[over]));
    let grace = "it ended at 2026-06-11T00:00:00Z already, and is delivered until 2026-07-11T00:00:00Z only, for its grace period";
    assert_eq!(made(&json!({"definition": "pool", "end": "2026-06-10"})), warned(&[grace]));
    assert_eq!(made(&json!({"end": "2026-07-01"})), fine());
    // It is said once.
    assert_eq!(changed(&json!({"end": "2026-06-10"}), &json!({"end": "2026-06-10", "priority": 3})), fine());
}

#[test]
fn a_new_amendment_that_cannot_count_is_refused() {
    let amendment = |name: &str, fields: Value| {
        let mut amendment = json!({"name": name, "effective": "2026-08-01"});
        amendment.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        amendment
    };
    let with = |amendments: &[Value]| json!({"end": "2027-01-01", "amendments": amendments});
    let bad = amendment("more", json!({"facets": {"limits": {"depth": 11}}}));
    let message = "amendment more: facets.limits.depth: 11 is more than the maximum 10";
    assert_eq!(changed(&with(&[]), &with(std::slice::from_ref(&bad))), refused("AmendmentIgnored", message));
    // One that is there cannot be taken away any more, so it bars nothing; and a restore brings it along.
    let good = amendment("end", json!({"end": "2027-06-30"}));
    assert_eq!(changed(&with(std::slice::from_ref(&bad)), &with(&[bad.clone(), good])), fine());
    assert_eq!(made(&with(std::slice::from_ref(&bad))), warned(&[&format!("it is ignored: {message}")]));
    let mut revoked = bad;
    revoked["revoked"] = json!(true);
    assert_eq!(changed(&with(&[]), &with(&[revoked])), fine());
    let late = amendment("late", json!({"effective": "2027-03-01", "amount": 9}));
    assert_eq!(changed(&with(&[]), &with(&[late])).refused.unwrap().reason, "AmendmentIgnored");
}

#[rstest]
#[case::states_nothing(json!({}), &[
    "it renews first, which states amount 250, but states none itself, so that of the definition counts, 5: state the amount that is to hold",
    "it renews first, which states facets.limits, but does not state that itself, so presets and defaults count: state what is to hold",
])]
#[case::states_the_amount(json!({"amount": 5}), &[
    "it renews first, which states facets.limits, but does not state that itself, so presets and defaults count: state what is to hold",
])]
#[case::states_it_by_an_amendment(
    json!({"amendments": [{"name": "b", "effective": "2026-10-01", "amount": 7, "facets": {"limits": {"depth": 2}}}]}),
    &[],
)]
#[case::states_all(json!({"amount": 250, "facets": {"limits": {"depth": 4}}}), &[])]
#[case::is_cancelled(json!({"state": "Cancelled"}), &[])]
fn warns_of_a_renewal_that_states_less(#[case] spec: Value, #[case] warnings: &[&str]) {
    let amended = json!([
        {"name": "more", "effective": "2026-07-01", "amount": 250},
        {"name": "back", "effective": "2026-08-01", "amount": 300, "revoked": true},
    ]);
    let first =
        json!({"start": "2026-01-01", "end": "2026-09-30", "facets": {"limits": {"depth": 3}}, "amendments": amended});
    let mut renewal = spec;
    renewal["renews"] = json!("first");
    let verdict = review(&[instance("first", &first)], None, Some(instance("a", &renewal)));
    assert_eq!(verdict, warned(warnings));
}

#[test]
fn warns_of_a_renewal_that_lifts_a_suspension() {
    let first = instance("first", &json!({"start": "2026-01-01", "end": "2026-09-30", "suspended": true}));
    let renewal = |more: Value| {
        let mut spec = json!({"renews": "first"});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        review(std::slice::from_ref(&first), None, Some(instance("a", &spec)))
    };
    let warning = "it renews first, which is suspended, but is not suspended itself, so what is withheld now is delivered again from its start on: set suspended: true here too, or take it off first";
    assert_eq!(renewal(json!({})), warned(&[warning]));
    assert_eq!(renewal(json!({"state": "Draft"})), warned(&[warning]));
    assert_eq!(renewal(json!({"suspended": true})), fine());
}

/// The organization is in UTC.
#[rstest]
#[case(
    "2026-12-31T23:59:59Z",
    Some(
        "it ends at 23:59:59 of 2026-12-31 where the client is, a second before that day is over: write the date 2026-12-31, whose whole day is included"
    )
)]
#[case(
    "2026-12-31T23:59:58Z",
    Some(
        "it ends at 23:59:58 of 2026-12-31 where the client is, 2 seconds before that day is over: write the date 2026-12-31, whose whole day is included"
    )
)]
#[case(
    "2027-01-01T00:59:00+01:00",
    Some(
        "it ends at 23:59:00 of 2026-12-31 where the client is, a minute before that day is over: write the date 2026-12-31, whose whole day is included"
    )
)]
#[case(
    "2026-12-31T23:59:59+01:00",
    Some(
        "it ends at 2026-12-31T23:59:59+01:00, a second before that day is over: write 2026-12-31T23:00:00Z, or the date 2026-12-31 if the whole day where the client is is meant"
    )
)]
#[case("2026-12-31", None)]
#[case("2027-01-01T00:00:00Z", None)]
#[case("2026-12-31T23:58:59Z", None)]
#[case("2026-12-31T12:59:59Z", None)]
fn warns_of_an_end_in_the_last_minute_of_a_day(#[case] end: &str, #[case] warning: Option<&str>) {
    let warnings: Vec<&str> = warning.into_iter().collect();
    assert_eq!(made(&json!({"end": end})), warned(&warnings));
    let amendment = json!({"name": "longer", "effective": "2026-08-01", "end": end});
    let amended = json!({"end": "2026-09-30", "amendments": [amendment]});
    assert_eq!(changed(&json!({"end": "2026-09-30"}), &amended), warned(&warnings));
    let mut revoked = amended.clone();
    revoked["amendments"][0]["revoked"] = json!(true);
    assert_eq!(made(&revoked), fine());
    // It is said once.
    let mut otherwise = amended.clone();
    otherwise["priority"] = json!(3);
    assert_eq!(changed(&amended, &otherwise), fine());
}

/// `first` from January to the end of September, renewed by `second`, both settled in June.
fn renewed() -> Vec<EntitlementInstance> {
    let first = instance("first", &json!({"start": "2026-01-01", "end": "2026-09-30"}));
    let second = instance("second", &json!({"renews": "first"}));
    settled(&[first, second], parse_instant("2026-06-15T00:00:00Z").unwrap())
}

fn deleted(name: &str, all: &[EntitlementInstance], change: impl Fn(&mut Snapshot), at: &str) -> AdmissionVerdict {
    let rest: Vec<_> = all.iter().filter(|one| one.metadata.name.as_deref() != Some(name)).cloned().collect();
    let (mut before, mut after) = (snapshot(all), snapshot(&rest));
    change(&mut before);
    change(&mut after);
    review_instance(&Candidate::of(before), &Candidate::of(after), &id(name), parse_instant(at).unwrap())
}

#[test]
fn a_renewed_grant_is_not_deleted_before_it_is_over() {
    let message = "entitlements/first is renewed by entitlements/second, which counts from 2026-10-01T00:00:00Z on, and until then this one holds seats: delete it after that, or cancel it first if it is to end now";
    assert_eq!(deleted("first", &renewed(), |_| {}, "2026-07-01T00:00:00Z"), refused("InUse", message));
    assert_eq!(deleted("first", &renewed(), |_| {}, "2026-10-01T00:00:00Z"), fine());
    assert_eq!(deleted("second", &renewed(), |_| {}, "2026-07-01T00:00:00Z"), fine());
    let mut cancelled = renewed();
    cancelled[0].spec.state = crate::api::lifecycle::State::Cancelled;
    assert_eq!(deleted("first", &cancelled, |_| {}, "2026-07-01T00:00:00Z"), fine());
}

#[test]
fn a_grant_is_not_deleted_whose_renewal_was_not_accepted_yet() {
    let mut unsettled = renewed();
    unsettled[1].status = None;
    let verdict = deleted("first", &unsettled, |_| {}, "2026-07-01T00:00:00Z").refused.unwrap();
    assert_eq!(verdict.reason, "InUse");
    assert!(
        verdict.message.starts_with("without entitlements/first, the grant entitlements/second, would be refused (RenewalInvalid: there is no instance first"),
        "{}",
        verdict.message
    );
}

#[test]
fn nothing_keeps_a_namespace_from_being_deleted() {
    let terminating = |snapshot: &mut Snapshot| {
        snapshot.namespaces.insert("entitlements".into(), NamespaceFacts::default());
    };
    assert_eq!(deleted("first", &renewed(), terminating, "2026-07-01T00:00:00Z"), fine());
}

#[test]
fn warns_of_a_change_that_leaves_a_renewal_no_time_in_force() {
    let first = instance("a", &json!({"start": "2026-01-01", "end": "2026-09-30"}));
    let second = instance("second", &json!({"renews": "a", "end": "2026-12-31"}));
    let all = settled(&[first, second], now());
    let mut extended = all[0].clone();
    extended.spec.amendments =
        serde_json::from_value(json!([{"name": "longer", "effective": "2026-07-01", "end": "2027-06-30"}])).unwrap();
    let warning = "this is at the cost of the grant entitlements/second: NeverInForce: the grant that this renews ends no earlier than this one: give it a later end by an amendment";
    assert_eq!(review(&all[1..], Some(all[0].clone()), Some(extended)), warned(&[warning]));
}

#[test]
fn others_that_a_change_would_have_refused_are_named() {
    let first = instance("a", &json!({"start": "2026-01-01", "end": "2026-09-30"}));
    let second = instance("second", &json!({"renews": "a"}));
    let all = settled(&[first, second], now());
    let mut unaccepted = all[1].clone();
    unaccepted.status = None;
    let mut draft = all[0].clone();
    draft.spec.state = crate::api::lifecycle::State::Draft;
    let verdict = review(&[unaccepted], Some(all[0].clone()), Some(draft));
    assert_eq!(verdict.refused, None);
    assert!(
        verdict.warnings[0].starts_with("this is at the cost of the grant entitlements/second: RenewalInvalid: "),
        "{verdict:?}"
    );
}
