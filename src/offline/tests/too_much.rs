//! What one organization's objects may come to together.

use super::{Inventory, cluster_scoped, definition, instance, inventory, now, objects, organization, ready};
use crate::{
    api::ConditionStatus,
    core::source::SourceId,
    evaluation::Limits,
    offline::{EntitlementKind, Status, Subject, Survey},
};
use serde_json::{Value, json};

/// `acme` with so many namespaces, and grants of a definition that writes so many thousand bytes for them, each a day younger
/// than the one before.
fn with(namespaces: usize, grants: &[(&str, usize)]) -> Inventory {
    let mut inventory = inventory();
    let names: Vec<String> = (0..namespaces).map(|index| format!("n{index}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    inventory.add_organization(organization("acme", &names, &json!({})));
    let schema = json!({"type": "object", "properties": {"many": {"type": "integer", "maximum": 1000}}});
    let template = format!("{{% for i in range(facets.f.many | default(1)) %}}{}{{% endfor %}}", "x".repeat(1000));
    inventory.add_definition(definition(
        "text",
        &json!({
            "type": "Feature", "allowMultiple": true, "facets": [{"name": "f", "schema": schema}],
            "outputs": [{"name": "o", "kind": "ConfigMap", "objectName": "{{ instance.name }}", "items":
                [{"key": "text", "template": template}]}],
        }),
    ));
    for (day, (name, size)) in grants.iter().enumerate() {
        let spec = json!({"organization": "acme", "definition": "text", "facets": {"f": {"many": size}}});
        let mut instance = instance("entitlements", name, &spec, &Value::Null);
        let granted_at = format!("2026-06-{:02}T00:00:00Z", day + 1);
        let annotations = json!({"entitlements.dev/granted-at": granted_at});
        instance.metadata.annotations = serde_json::from_value(annotations).unwrap();
        inventory.add_instance(instance);
    }
    inventory
}

fn of(survey: &Survey, name: &str) -> (ConditionStatus, String) {
    ready(survey, &Subject::source(&SourceId::instance("entitlements", name)))
}

fn too_much() -> (ConditionStatus, String) {
    (ConditionStatus::False, "TooMuch".to_owned())
}

fn active() -> (ConditionStatus, String) {
    (ConditionStatus::True, "Active".to_owned())
}

#[test]
fn the_summary_and_the_older_grants_go_first() {
    let grants = [("d-oldest", 5), ("c-second", 20), ("b-third", 5), ("a-youngest", 9)];
    let mut inventory = with(2, &grants);
    inventory.limit(Limits { organization_bytes: 40_000 });
    let survey = inventory.survey(now());
    for (name, expected) in
        [("d-oldest", active()), ("c-second", too_much()), ("b-third", active()), ("a-youngest", too_much())]
    {
        assert_eq!(of(&survey, name), expected, "{name}");
    }
    let written: Vec<String> =
        ["b-third", "d-oldest", "entitlements"].iter().map(|name| format!("ConfigMap n0/{name} of acme")).collect();
    let of_first: Vec<String> = objects(&survey).into_iter().filter(|object| object.contains("n0/")).collect();
    assert_eq!(of_first, written);
    let Status::Instance(status) = &survey.statuses[&Subject::source(&SourceId::instance("entitlements", "c-second"))]
    else {
        panic!()
    };
    let delivered = status.conditions.iter().find(|condition| condition.type_ == "Delivered").unwrap();
    assert_eq!((delivered.status, delivered.reason.as_str()), (ConditionStatus::False, "TooMuch"));
    assert!(delivered.message.contains("--organization-bytes"), "{}", delivered.message);
    let outputs = status.outputs.unwrap();
    assert_eq!((outputs.desired, outputs.delivered), (2, 0));
}

#[test]
fn without_more_being_said_it_is_thirty_two_mebibytes() {
    // What is stored of each comes to some 300 bytes more than the text.
    for (namespaces, expected) in [(63, active()), (64, too_much())] {
        let survey = with(namespaces, &[("a", 525)]).survey(now());
        assert_eq!(of(&survey, "a"), expected, "{namespaces}");
        assert_eq!(objects(&survey).iter().filter(|object| object.contains("/entitlements ")).count(), namespaces);
    }
}

#[test]
fn a_summary_that_is_too_much_is_the_organizations_trouble() {
    let mut inventory = with(2, &[("a", 0)]);
    inventory.limit(Limits { organization_bytes: 700 });
    let survey = inventory.survey(now());
    assert_eq!(ready(&survey, &cluster_scoped(EntitlementKind::Organization, "acme")), too_much());
    // What fits is delivered still.
    assert_eq!(of(&survey, "a"), active());
    assert_eq!(objects(&survey), ["ConfigMap n0/a of acme", "ConfigMap n1/a of acme"]);
}
