//! What is kept of plans, and what was agreed by what is kept.

use super::{PlanCatalogue, PlanHistory, PlanState};
use crate::{
    api::{EntitlementDefinition, EntitlementPlan},
    core::{plan::Plan, problem::Problem, reason::ReasonCode},
    evaluation::catalogue::{
        CatalogueEntry, CatalogueIngredients, CatalogueKind, Catalogued, CompiledDefinition, DefinitionState,
        KeepAction, KeptForm, Present, Revision,
    },
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

fn entry(name: &str, spec: &Value) -> Arc<CatalogueEntry> {
    let object = json!({"metadata": {"name": name}, "spec": spec});
    let definition: EntitlementDefinition = serde_json::from_value(object).unwrap();
    let state = DefinitionState::gather(&definition.spec, |_| None).unwrap();
    Arc::new(CatalogueEntry::valid(CompiledDefinition::compile(name, &state).unwrap()))
}

/// The state of the plan `pro`, with seats of which there are so many by default, and with what it includes.
fn state(spec: &Value, preset: u32) -> Result<PlanState, Problem> {
    let plan = |name: &str, spec: &Value| {
        let object = json!({"metadata": {"name": name}, "spec": spec});
        (name.into(), Arc::new(serde_json::from_value::<EntitlementPlan>(object).unwrap()))
    };
    let basic = json!({"groups": [{"name": "base", "entitlements": [{"definition": "sso"}]}]});
    let plans = BTreeMap::from([plan("basic", &basic), plan("pro", spec)]);
    let seats = json!({"type": "Quantity", "unit": "seats", "amount": preset});
    let gone = CatalogueEntry {
        present: Present::Missing,
        ..CatalogueEntry::clone(&entry("gone", &json!({"type": "Feature"})))
    };
    let definitions = BTreeMap::from([
        ("sso".into(), entry("sso", &json!({"type": "Feature"}))),
        ("seats".into(), entry("seats", &seats)),
        ("gone".into(), Arc::new(gone)),
    ]);
    let unreadable = BTreeSet::new();
    let catalogue = PlanCatalogue { plans: &plans, unreadable: &unreadable, definitions: &definitions };
    PlanState::gather("pro", &plans["pro"].spec, &catalogue)
}

/// A plan of so many seats, sold so.
fn seats(amount: u32, sale: &Value) -> PlanState {
    let mut spec = sale.clone();
    spec["groups"] = json!([{"name": "base", "entitlements": [{"definition": "seats", "amount": amount}]}]);
    state(&spec, 10).unwrap()
}

/// The revisions after a state was kept.
fn keep(revisions: &[Arc<Revision>], state: &PlanState) -> (KeepAction, Vec<Arc<Revision>>) {
    let action = KeepAction::of(&CatalogueKind::Plan.named("pro"), revisions, KeptForm::of::<Plan>(state));
    let mut after = revisions.to_vec();
    match &action {
        KeepAction::Kept => {}
        KeepAction::Create(wanted) => after.push(Arc::new(wanted.clone())),
        KeepAction::Promote(before, wanted)
        | KeepAction::Annotate(before, wanted)
        | KeepAction::Replace(before, wanted) => {
            after.retain(|revision| revision != before);
            after.push(Arc::new(wanted.clone()));
        }
    }
    // As a watch brings them.
    let read = after.iter().map(|revision| Arc::new(Revision::read(revision.to_object()).unwrap()));
    (action, read.collect())
}

/// The revisions that come of states, one after the other.
fn kept(states: &[PlanState]) -> Vec<Arc<Revision>> {
    states.iter().fold(Vec::new(), |revisions, state| keep(&revisions, state).1)
}

fn name_of(state: &PlanState) -> String {
    Revision::name_of(&CatalogueKind::Plan.named("pro"), &KeptForm::of::<Plan>(state).hash)
}

fn ingredients<T>(revisions: &[Arc<Revision>], use_them: impl FnOnce(CatalogueIngredients<'_, Plan>) -> T) -> T {
    let object = CatalogueKind::Plan.named("pro");
    use_them(CatalogueIngredients {
        object: &object,
        metadata: None,
        revisions,
        served: None,
        guard: |compile| compile(),
    })
}

/// The seats that were agreed by the revision of a state.
fn agreed(history: &PlanHistory, state: &PlanState) -> Option<String> {
    let (_, plan) = history.agreed(&name_of(state))?;
    plan.entry("seats").and_then(|entry| entry.amount.taken()).map(|amount| amount.to_string())
}

#[test]
fn a_revision_holds_what_a_plan_gives_and_its_notices() {
    let spec = json!({
        "displayName": "Pro", "product": "video", "includes": ["basic"], "addOns": ["extra"], "term": "P1Y",
        "gracePeriod": "P7D", "renewalNotices": ["P30D"],
        "groups": [{"name": "team", "displayName": "Team", "entitlements": [{"definition": "seats"}]}],
    });
    let kept = KeptForm::of::<Plan>(&state(&spec, 10).unwrap());
    assert_eq!(
        kept.data,
        json!({
            "entries": [
                {"definition": "sso", "plan": "basic", "group": "base"},
                {"definition": "seats", "plan": "pro", "group": "team", "preset": "10"},
            ],
            "notices": ["P30D"],
        })
    );
    let beside: Value = serde_json::from_str(&kept.beside.unwrap()).unwrap();
    assert_eq!(
        beside,
        json!({
            "type": "Plan", "displayName": "Pro", "product": "video", "addOns": ["extra"], "term": "P1Y",
            "gracePeriod": "P7D", "allowMultiple": false, "rollout": "Agreed", "retired": false,
        })
    );
}

#[test]
fn what_is_kept_is_read_as_it_was() {
    let spec = json!({
        "type": "AddOn", "product": "video", "allowMultiple": false, "rollout": "Everyone", "retired": true,
        "groups": [{"name": "a", "entitlements": [{"definition": "seats", "amount": "2.50"}, {"definition": "sso"}]}],
    });
    let state = state(&spec, 10).unwrap();
    let plan = Plan::compile("pro", &state).unwrap();
    let (_, revisions) = keep(&[], &state);
    assert_eq!(&*revisions[0].name, name_of(&state));
    assert!(revisions[0].name.starts_with("plan.pro-"));
    let read = revisions[0].state::<Plan>().unwrap();
    assert_eq!((&read, Plan::compile_kept("pro", &read).unwrap()), (&state, plan));
}

#[test]
fn how_a_plan_is_sold_makes_no_other_revision_and_is_kept_current() {
    let before = seats(25, &json!({}));
    let revisions = kept(std::slice::from_ref(&before));
    for sale in [
        json!({"retired": true}),
        json!({"product": "video"}),
        json!({"addOns": ["extra"]}),
        json!({"term": "P1M"}),
        json!({"displayName": "Pro"}),
    ] {
        let after = seats(25, &sale);
        assert_eq!(name_of(&after), name_of(&before));
        let (action, annotated) = keep(&revisions, &after);
        assert!(matches!(action, KeepAction::Annotate(..)), "{sale}");
        assert_eq!((annotated.len(), annotated[0].number), (1, 1));
        assert_eq!(annotated[0].state::<Plan>(), Some(after.clone()));
        assert_eq!(keep(&annotated, &after).0, KeepAction::Kept);
    }
    for other in [seats(26, &json!({})), seats(25, &json!({"renewalNotices": []}))] {
        assert!(matches!(keep(&revisions, &other).0, KeepAction::Create(Revision { number: 2, .. })));
    }
    // An amount that it leaves out is taken with the revision.
    let preset =
        |amount| state(&json!({"groups": [{"name": "a", "entitlements": [{"definition": "seats"}]}]}), amount).unwrap();
    assert_ne!(name_of(&preset(10)), name_of(&preset(11)));
}

#[test]
fn a_revision_that_serves_for_everyone_is_marked_with_the_number_that_it_had() {
    let (a, b) = (seats(25, &json!({})), seats(30, &json!({"rollout": "Everyone"})));
    let marks = |revisions: &[Arc<Revision>]| {
        revisions.iter().map(|revision| (revision.number, revision.for_everyone)).collect::<Vec<_>>()
    };
    let revisions = kept(&[a.clone(), b.clone()]);
    assert_eq!(marks(&revisions), [(1, None), (2, Some(2))]);
    // Another rollout later takes nothing back, nor does it mark it anew when it comes again.
    let revisions = kept(&[a.clone(), b.clone(), seats(30, &json!({})), a.clone(), seats(30, &json!({}))]);
    assert_eq!(marks(&revisions), [(3, None), (4, Some(2))]);
    // One that is served for everyone only later is marked then.
    let revisions = kept(&[a.clone(), seats(25, &json!({"rollout": "Everyone"}))]);
    assert_eq!(marks(&revisions), [(1, Some(1))]);
}

/// 25 held; edited to 30 for everyone; then to 40 for who comes later.
#[test]
fn what_was_agreed_stays_agreed_unless_something_else_was_for_everyone() {
    let (older, old) = (seats(20, &json!({})), seats(25, &json!({})));
    let everyones = seats(30, &json!({"rollout": "Everyone"}));
    let later = seats(40, &json!({}));
    let history = |states: &[PlanState]| PlanHistory::of(None, &kept(states));
    let numbers = |history: &PlanHistory| {
        [&older, &old, &everyones, &later].map(|state| agreed(history, state).unwrap_or_default())
    };
    assert_eq!(numbers(&history(&[older.clone(), old.clone()])), ["20", "25", "", ""]);
    let all = [older.clone(), old.clone(), everyones.clone(), later.clone()];
    assert_eq!(numbers(&history(&all)), ["30", "30", "30", "40"]);
    // What was agreed anew since it was for everyone stays, too.
    let again = [older.clone(), everyones.clone(), old.clone(), everyones.clone()];
    assert_eq!(numbers(&history(&again)), ["30", "30", "30", ""]);
    let again = [older.clone(), everyones.clone(), old.clone(), seats(30, &json!({}))];
    assert_eq!(numbers(&history(&again)), ["30", "25", "30", ""]);
    assert_eq!(history(&all).agreed("plan.pro-0123456789"), None);
}

#[test]
fn what_serves_is_agreed_by_its_name_also_where_no_revision_of_it_is_kept() {
    let (old, new) = (seats(25, &json!({})), seats(30, &json!({})));
    let entry = ingredients(&[], |these| these.entry(Ok(new.clone())));
    assert_eq!(entry.revision.as_deref(), Some(&*name_of(&new)));
    assert_eq!(agreed(&entry.history, &new).as_deref(), Some("30"));
    let revisions = kept(std::slice::from_ref(&old));
    let entry = ingredients(&revisions, |these| these.entry(Ok(new.clone())));
    assert_eq!([&old, &new].map(|state| agreed(&entry.history, state)), [Some("25".to_owned()), Some("30".to_owned())]);
    // For everyone, it counts for those before.
    let everyones = seats(30, &json!({"rollout": "Everyone"}));
    let entry = ingredients(&revisions, |these| these.entry(Ok(everyones)));
    assert_eq!(agreed(&entry.history, &old).as_deref(), Some("30"));
}

#[test]
fn where_a_plan_is_invalid_its_last_valid_state_serves_as_it_was_sold_last() {
    let revisions =
        kept(&[seats(25, &json!({})), seats(30, &json!({"product": "video"})), seats(30, &json!({"retired": true}))]);
    let problem = state(&json!({"groups": [{"name": "a", "entitlements": [{"definition": "gone"}]}]}), 10).unwrap_err();
    assert_eq!(problem.reason, ReasonCode::DefinitionNotFound);
    for present in [Present::Invalid(problem), Present::Missing] {
        let entry = ingredients(&revisions, |these| these.entry(Err(present.clone())));
        assert_eq!(entry.present, present);
        assert_eq!(entry.revision.as_deref(), Some(&*revisions[1].name));
        let serving = entry.serving.as_deref().unwrap();
        assert!(serving.retired && serving.product.is_none());
        assert_eq!(serving.entry("seats").unwrap().amount.taken().unwrap().to_string(), "30");
    }
}
