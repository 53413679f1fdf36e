//! What is said and written where no valid state of a definition is known: it is gone with all of its revisions, or it never
//! had one.

use super::{definition, instance, inventory, organization};
use crate::{
    api::{
        Condition, ConditionStatus, EntitlementInstanceStatus, Organization,
        conditions::{DELIVERED, FACETS_VALID, READY},
        entitlement_definition::OutputKind,
        organization::Flags,
    },
    core::source::SourceId,
    evaluation::{
        evaluate,
        explanation::{Record, Told, explain},
        object::{ObjectData, ObjectKey},
    },
    offline::{EntitlementKind, Inventory, Status, Subject, Survey},
};
use rstest::rstest;
use serde_json::{Value, json};

/// Facets that no definition has, so that it is invalid.
const INVALID: &str =
    r#"{"type": "Quantity", "unit": "seats", "amount": 4, "facets": [{"name": "x", "definition": "nix"}]}"#;
const WHY_INVALID: &str = "FacetNotFound: facet x: there is no FacetDefinition nix: make it, or give a schema here";

/// An accepted grant of `seats`, whose definition is nowhere, with that spec and recorded amount.
fn seats(spec: &Value, amount: &Value) -> crate::api::EntitlementInstance {
    let mut whole = json!({"organization": "acme", "definition": "seats", "start": "2026-01-01"});
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    let accepted = json!({
        "timeZone": "UTC", "amount": amount, "start": whole["start"], "end": whole.get("end"),
        "chain": {"name": "g", "uid": "", "since": "2026-01-01T00:00:00Z", "day": 1},
    });
    let mut grant = instance("entitlements", "g", &whole, &json!({"accepted": accepted}));
    grant.metadata.creation_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
    grant
}

/// Beside `q`, which is as it should be.
fn beside_q(acme: Organization, grant: crate::api::EntitlementInstance) -> Inventory {
    let mut inventory = inventory();
    inventory.add_organization(acme);
    inventory.add_definition(definition("q", &json!({"type": "Quantity", "unit": "seats", "amount": 10})));
    let held = json!({"organization": "acme", "definition": "q", "start": "2026-01-01"});
    inventory.add_instance(instance("entitlements", "q", &held, &Value::Null));
    inventory.add_instance(grant);
    inventory
}

fn acme() -> Organization {
    organization("acme", &["acme"], &json!({}))
}

fn condition(survey: &Survey, subject: &Subject, type_: &str) -> (ConditionStatus, String, String) {
    let Condition { status, reason, message, .. } = survey.statuses[subject].condition(type_).unwrap().clone();
    (status, reason, message)
}

fn of_acme() -> Subject {
    super::cluster_scoped(EntitlementKind::Organization, "acme")
}

fn of_grant() -> Subject {
    Subject::source(&SourceId::instance("entitlements", "g"))
}

fn status(survey: &Survey) -> &EntitlementInstanceStatus {
    let Status::Instance(status) = &survey.statuses[&of_grant()] else { panic!() };
    status
}

/// The handles that the summary has, in each of its files that is JSON; None where it is not written.
fn handles(survey: &Survey) -> Option<[Vec<String>; 2]> {
    let key = ObjectKey { kind: OutputKind::ConfigMap, namespace: "acme".into(), name: "entitlements".into() };
    let ObjectData::ConfigMap(data) = &survey.objects.get(&key)?.content.data else { panic!() };
    let names = |file: &str, part: &str| {
        let content: Value = serde_json::from_str(&data[file]).unwrap();
        content[part].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    Some([names("entitlements.json", "entitlements"), names("flags.json", "flags")])
}

#[rstest]
#[case::waiting(json!({"start": "2026-12-01"}))]
#[case::suspended(json!({"suspended": true}))]
#[case::over(json!({"end": "2026-05-31"}))]
#[case::cancelled(json!({"state": "Cancelled"}))]
fn what_is_not_in_force_holds_up_no_summary(
    #[case] spec: Value,
    #[values(Flags::Held, Flags::All)] flags: Flags,
    #[values(None, Some(INVALID))] present: Option<&str>,
) {
    let mut organization = acme();
    organization.spec.summary.flags = flags;
    let mut inventory = beside_q(organization, seats(&spec, &json!("10")));
    if let Some(spec) = present {
        inventory.add_definition(definition("seats", &serde_json::from_str(spec).unwrap()));
    }
    let survey = inventory.survey(super::now());
    assert_eq!(handles(&survey), Some([vec!["q".to_owned()], vec!["q".to_owned()]]));
    assert_eq!(condition(&survey, &of_acme(), READY).0, ConditionStatus::True);
}

#[rstest]
#[case::gone(
    None,
    "DefinitionNotFound",
    "definition seats does not exist, and no valid state of it is known: make it again, or cancel what is granted of it, such as entitlements/g"
)]
#[case::never_valid(
    Some(INVALID), "DefinitionNotReady",
    &format!("definition seats is invalid ({WHY_INVALID}), and no valid state of it is known: mend it, or cancel what is granted of it, such as entitlements/g")
)]
fn what_is_in_force_and_cannot_be_told_keeps_the_summary_and_says_so(
    #[case] present: Option<&str>,
    #[case] reason: &str,
    #[case] why: &str,
    #[values(json!({}), json!({"end": "2026-12-31"}))] spec: Value,
) {
    let mut inventory = beside_q(acme(), seats(&spec, &json!("10")));
    if let Some(spec) = present {
        inventory.add_definition(definition("seats", &serde_json::from_str(spec).unwrap()));
    }
    let survey = inventory.survey(super::now());
    assert_eq!(handles(&survey), None);
    let message = format!(
        "the summary entitlements stays as it was in every namespace, as it cannot be told what it should say of what is in force: {why}"
    );
    assert_eq!(condition(&survey, &of_acme(), READY), (ConditionStatus::False, reason.to_owned(), message.clone()));
    let flaws = &survey.flaws;
    let said: Vec<_> = flaws[&of_acme()]
        .iter()
        .map(|flaw| (flaw.problem.pointer.as_str(), flaw.problem.reason.as_str(), &flaw.problem.message))
        .collect();
    assert_eq!(said, [("/metadata/name", reason, &message)]);
    let snapshot = inventory.snapshots(&inventory.catalogue()).remove(0);
    let evaluation = evaluate(&snapshot, super::now());
    assert!(evaluation.desired.summary.is_none());
    let record = |_: &str| Record { amount: Told::Always, aggregation: Told::Always };
    let explanation = explain(&evaluation, Some("q"), &record);
    assert_eq!(explanation.problems, [message]);
}

#[test]
fn the_summary_goes_on_as_soon_as_what_cannot_be_told_is_over() {
    let inventory = beside_q(acme(), seats(&json!({"end": "2026-06-30"}), &json!("10")));
    let [before, after] = ["2026-06-30T23:59:59Z", "2026-07-01T00:00:00Z"]
        .map(|at| handles(&inventory.survey(crate::core::calendar::parse_instant(at).unwrap())));
    assert_eq!(before, None);
    assert_eq!(after, Some([vec!["q".to_owned()], vec!["q".to_owned()]]));
}

#[test]
fn several_that_cannot_be_told_are_named() {
    let mut inventory = beside_q(acme(), seats(&json!({}), &json!("10")));
    for (number, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let mut grant = seats(&json!({"definition": format!("lost-{number}")}), &Value::Null);
        grant.metadata.name = Some(name.to_owned());
        inventory.add_instance(grant);
    }
    let (_, reason, message) = condition(&inventory.survey(super::now()), &of_acme(), READY);
    assert_eq!(reason, "DefinitionNotFound");
    assert!(message.contains(": definition lost-0 does not exist"), "{message}");
    assert!(message.contains("; definition lost-2 does not exist"), "{message}");
    assert!(!message.contains("lost-3"), "{message}");
    assert!(message.ends_with("; and 2 definitions more"), "{message}");
}

/// "amount (what it comes to now)": by an amendment in force, else by the spec, else as it was agreed.
#[rstest]
#[case::recorded(json!({}), json!("10"), Some("10"))]
#[case::stated(json!({"amount": 7}), json!("10"), Some("7"))]
#[case::amended(
    json!({"amount": 7, "amendments": [{"name": "more", "effective": "2026-03-01", "amount": 12}]}), json!("10"), Some("12")
)]
#[case::amended_later(
    json!({"amount": 7, "amendments": [{"name": "more", "effective": "2026-09-01", "amount": 12}]}), json!("10"), Some("7")
)]
#[case::waiting(json!({"start": "2026-12-01"}), json!("10"), Some("10"))]
#[case::over(json!({"end": "2026-05-31"}), json!("10"), Some("10"))]
#[case::cancelled(json!({"state": "Cancelled"}), json!("10"), Some("10"))]
#[case::a_draft(json!({"state": "Draft", "amount": 7}), json!("10"), None)]
#[case::nothing_recorded(json!({}), Value::Null, None)]
fn an_accepted_grant_says_what_it_comes_to(
    #[case] spec: Value,
    #[case] recorded: Value,
    #[case] amount: Option<&str>,
    #[values(None, Some(INVALID))] present: Option<&str>,
) {
    let mut inventory = beside_q(acme(), seats(&spec, &recorded));
    if let Some(spec) = present {
        inventory.add_definition(definition("seats", &serde_json::from_str(spec).unwrap()));
    }
    assert_eq!(status(&inventory.survey(super::now())).amount.as_deref(), amount);
}

#[test]
fn a_refused_grant_comes_to_nothing() {
    let mut inventory = beside_q(acme(), seats(&json!({"amount": 7}), &json!("10")));
    let mut refused = seats(&json!({"amount": 7}), &Value::Null);
    (refused.metadata.name, refused.status) = (Some("refused".to_owned()), None);
    inventory.add_instance(refused);
    let survey = inventory.survey(super::now());
    let Status::Instance(status) = &survey.statuses[&Subject::source(&SourceId::instance("entitlements", "refused"))]
    else {
        panic!()
    };
    assert_eq!(status.amount, None);
}

#[rstest]
#[case::gone(
    None,
    "DefinitionNotFound",
    "there is no definition that says which facets there are",
    "definition seats does not exist, and no valid state of it is known"
)]
#[case::never_valid(
    Some(INVALID), "DefinitionNotReady",
    "no valid state of definition seats is known that says which facets there are: mend the definition",
    &format!("definition seats is invalid ({WHY_INVALID}), and no valid state of it is known")
)]
fn what_was_delivered_stays_and_is_not_called_all(
    #[case] present: Option<&str>,
    #[case] reason: &str,
    #[case] facets: &str,
    #[case] why: &str,
) {
    let mut inventory = beside_q(acme(), seats(&json!({}), &json!("10")));
    if let Some(spec) = present {
        inventory.add_definition(definition("seats", &serde_json::from_str(spec).unwrap()));
    }
    let survey = inventory.survey(super::now());
    let unknown = |message: String| (ConditionStatus::Unknown, reason.to_owned(), message);
    assert_eq!(condition(&survey, &of_grant(), FACETS_VALID), unknown(facets.to_owned()));
    let message = format!("what was delivered stays as it is, as it cannot be told what should be: {why}");
    assert_eq!(condition(&survey, &of_grant(), DELIVERED), unknown(message));
    assert_eq!(condition(&survey, &of_grant(), READY).1, reason);
}

/// The same where the definition is known, but nothing that the grant ever stated can be used.
#[test]
fn what_was_delivered_stays_where_no_valid_facets_were_ever_stated() {
    let mut inventory = inventory();
    inventory.add_organization(acme());
    let facet = json!({"name": "f", "schema": {"type": "object", "properties": {"size": {"type": "integer"}}}});
    let output =
        json!({"name": "o", "kind": "ConfigMap", "items": [{"key": "size", "template": "{{ facets.f.size }}"}]});
    inventory.add_definition(definition("seats", &json!({"type": "Feature", "facets": [facet], "outputs": [output]})));
    inventory.add_instance(seats(&json!({"facets": {"f": {"size": "much"}}}), &Value::Null));
    let survey = inventory.survey(super::now());
    let (status, reason, message) = condition(&survey, &of_grant(), DELIVERED);
    assert_eq!((status, reason.as_str()), (ConditionStatus::Unknown, "FacetsInvalid"));
    assert_eq!(
        message,
        "what was delivered stays as it is, as it cannot be told what should be: the grant has stated no facets yet that can be used, see FacetsValid"
    );
}
