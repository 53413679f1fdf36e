//! Plans among other objects.

use super::{inventory, now};
use crate::offline::{EntitlementKind, Inventory, Status, Subject};
use serde_json::{Value, json};

fn objects() -> Vec<(EntitlementKind, Value)> {
    let plan =
        |name: &str, spec: Value| (EntitlementKind::EntitlementPlan, json!({"metadata": {"name": name}, "spec": spec}));
    let definition = |name: &str, spec: Value| {
        (EntitlementKind::EntitlementDefinition, json!({"metadata": {"name": name}, "spec": spec}))
    };
    vec![
        plan(
            "basic",
            json!({"groups": [{"name": "base", "entitlements": [{"definition": "seats", "amount": 10}, {"definition": "sso"}]}]}),
        ),
        plan(
            "pro",
            json!({"includes": ["basic"], "groups": [{"name": "team", "entitlements": [{"definition": "seats", "amount": 50}]}]}),
        ),
        plan(
            "wrong",
            json!({"includes": ["pro", "gone"], "groups": [{"name": "team", "entitlements": [{"definition": "nix"}]}]}),
        ),
        plan("above", json!({"includes": ["wrong"]})),
        definition("seats", json!({"type": "Quantity", "unit": "seats", "amount": 1})),
        definition("sso", json!({"type": "Feature"})),
    ]
}

fn of(objects: impl IntoIterator<Item = (EntitlementKind, Value)>) -> Inventory {
    let mut inventory = inventory();
    for (kind, object) in objects {
        inventory.add(kind, &object).unwrap();
    }
    inventory
}

#[test]
fn plans_are_read_with_all_others_in_any_order() {
    for inventory in [of(objects()), of(objects().into_iter().rev())] {
        let plans = inventory.plans(&inventory.catalogue());
        let given = |name: &str| {
            let serving = plans[name].serving.as_ref()?;
            Some(serving.entries.iter().map(|entry| entry.definition.to_string()).collect::<Vec<_>>())
        };
        let both = Some(vec!["seats".to_owned(), "sso".to_owned()]);
        assert_eq!(["basic", "pro", "wrong", "above"].map(given), [both.clone(), both, None, None]);
        let survey = inventory.survey(now());
        let told: Vec<_> = survey
            .flaws
            .iter()
            .flat_map(|(subject, flaws)| flaws.iter().map(move |flaw| (subject.name.to_string(), &flaw.problem)))
            .map(|(name, problem)| format!("{name} {} {}", problem.reason, problem.pointer))
            .collect();
        assert_eq!(
            told,
            [
                "above IncludeNotReady /spec/includes/0",
                "wrong IncludeNotFound /spec/includes/1",
                "wrong DefinitionNotFound /spec/groups/0/entitlements/0/definition",
            ]
        );
        let subject = Subject::cluster_scoped(EntitlementKind::EntitlementPlan, &"wrong".into());
        assert_eq!(survey.problems[&subject].reason, "IncludeNotFound");
    }
}

#[test]
fn an_add_on_that_is_none_is_doubted() {
    let mut objects = objects();
    objects[0].1["spec"]["addOns"] = json!(["pro", "gone"]);
    let survey = of(objects).survey(now());
    let subject = Subject::cluster_scoped(EntitlementKind::EntitlementPlan, &"basic".into());
    let told =
        survey.doubts[&subject].iter().map(|doubt| format!("{} {}", doubt.problem.reason, doubt.problem.pointer));
    assert_eq!(told.collect::<Vec<_>>(), ["PlanNotReady /spec/addOns/0", "PlanNotFound /spec/addOns/1"]);
    let Status::Plan(status) = &survey.statuses[&subject] else { panic!() };
    assert_eq!((status.entitlements, status.conditions[0].reason.as_str()), (2, "Valid"));
}

/// Whoever follows has what was agreed before.
#[test]
fn what_plans_were_is_agreed_by_them() {
    let old = of(objects());
    let mut edited = objects();
    edited[0].1["spec"]["groups"][0]["entitlements"][0]["amount"] = json!(20);
    let mut new = of(edited);
    new.follow(&old, now());
    let before = old.plans(&old.catalogue());
    let after = new.plans(&new.catalogue());
    let amount = |plan: &crate::core::plan::Plan| plan.entry("seats").unwrap().amount.taken().unwrap().to_string();
    let revision = before["basic"].revision.as_deref().unwrap();
    let (name, agreed) = after["basic"].history.agreed(revision).unwrap();
    assert_eq!((&**name, amount(agreed)), (revision, "10".to_owned()));
    assert_eq!(amount(after["basic"].serving.as_ref().unwrap()), "20");
    assert_ne!(after["basic"].revision, before["basic"].revision);
    assert_eq!(after["pro"].revision, before["pro"].revision);
}
