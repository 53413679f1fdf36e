//! The contract's sentences on facets and on several grants of a definition, as tests.

use super::{Adding, Merged, Tally, merge::Search, merge_statements, rank, total};
use crate::api::{AmountField, entitlement_definition::Aggregation};
use crate::{
    api::{EntitlementDefinitionSpec, EntitlementInstance},
    core::{
        amount::Amount,
        calendar::parse_instant,
        definition::Definition,
        facets::{Layer, Statement, check_names, check_values, complete, doubts, provenance, supplied_secrets},
        grant::Grant,
        source::instance,
    },
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

fn definition(facets: &Value) -> Definition {
    let spec = json!({"type": "Quantity", "unit": "seats", "amount": 5, "facets": facets});
    let spec: EntitlementDefinitionSpec = serde_json::from_value(spec).unwrap();
    Definition::read("storage", &spec, &BTreeMap::new()).unwrap()
}

/// A facet with a default, a preset, and a list; two of its values bear on each other.
fn backup() -> Definition {
    let schema = json!({
        "type": "object",
        "properties": {
            "retention": {"type": "integer", "default": 30},
            "region": {"type": "string"},
            "days": {"type": "array", "items": {"type": "string"}},
            "window": {"type": "object", "properties": {
                "from": {"type": "integer", "default": 1},
                "to": {"type": ["integer", "null"]},
            }},
            "password": {"type": "string", "writeOnly": true},
        },
        "not": {"required": ["days"], "properties": {"region": {"const": "us"}}},
    });
    definition(&json!([{"name": "backup", "schema": schema, "values": {"region": "eu"}}]))
}

fn grant(facets: &Value, amendments: &Value) -> Grant {
    let spec = json!({"organization": "acme", "definition": "storage", "facets": facets, "amendments": amendments});
    let instance: EntitlementInstance = serde_json::from_value(json!({
        "apiVersion": "entitlements.dev/v1alpha1",
        "kind": "EntitlementInstance",
        "metadata": {"name": "a", "namespace": "entitlements", "creationTimestamp": "2027-01-01T00:00:00Z"},
        "spec": spec,
    }))
    .unwrap();
    instance::grant(&instance)
}

fn statement(facets: &Value) -> Statement {
    Statement::of(&grant(&json!({"backup": facets}), &json!([])), &[])
}

fn values(statements: &[&Statement]) -> Value {
    let merged = merge_statements(&backup(), statements, &[]);
    serde_json::to_value(&merged.values["backup"]).unwrap()
}

#[test]
fn layers_are_defaults_then_presets_then_what_is_stated_then_defaults_inside_the_objects_that_are_there() {
    assert_eq!(values(&[&Statement::default()]), json!({"retention": 30, "region": "eu"}));
    let stated = statement(&json!({"region": "us", "window": {"to": 5}}));
    assert_eq!(values(&[&stated]), json!({"retention": 30, "region": "us", "window": {"from": 1, "to": 5}}));
}

#[test]
fn objects_merge_field_by_field_lists_are_replaced_whole_and_null_is_a_value() {
    let amendments = json!([
        {"name": "x", "effective": "2027-02-01", "facets": {"backup": {"window": {"to": null}, "days": ["sat"]}}},
        {"name": "y", "effective": "2027-03-01", "facets": {"backup": {"retention": 90}}},
    ]);
    let grant = grant(&json!({"backup": {"window": {"from": 2, "to": 5}, "days": ["mon", "tue"]}}), &amendments);
    let merged = Statement::of(&grant, &[0]).merged();
    let expected = json!({"backup": {"window": {"from": 2, "to": null}, "days": ["sat"]}});
    assert_eq!(serde_json::to_value(merged).unwrap(), expected, "only the amendments in force");
    let merged = Statement::of(&grant, &[0, 1]).merged();
    assert_eq!(merged["backup"]["retention"], 90);
    let remembered = Statement::remembered(Arc::new(merged.clone()));
    assert_eq!(remembered.merged(), merged);
}

#[test]
fn each_field_takes_the_value_that_the_first_grant_in_this_order_states() {
    let first = statement(&json!({"window": {"to": 5}}));
    let second = statement(&json!({"retention": 90, "window": {"from": 3, "to": 9}}));
    let merged = merge_statements(&backup(), &[&first, &second], &[]);
    assert_eq!(merged.taking_part, 2);
    let expected = json!({"retention": 90, "region": "eu", "window": {"from": 3, "to": 5}});
    assert_eq!(serde_json::to_value(&merged.values["backup"]).unwrap(), expected);
    assert_eq!(values(&[&Statement::default(), &second]), values(&[&second]), "a top-up that states nothing");
    let sources = provenance(&backup(), &merged.values, &[&first, &second]);
    let source = |path: &str| sources["backup"][path].clone();
    assert_eq!(source("window.to"), (Layer::Source, Some(0)));
    assert_eq!(source("window.from"), (Layer::Source, Some(1)));
    assert_eq!(source("retention"), (Layer::Source, Some(1)));
    assert_eq!(source("region"), (Layer::Preset, None));
    let empty = statement(&json!({"labels": {}}));
    let sources = provenance(&backup(), &merge_statements(&backup(), &[&empty], &[]).values, &[&empty]);
    assert_eq!(sources["backup"]["labels"], (Layer::Source, Some(0)), "an empty object is a value");
    let alone = merge_statements(&backup(), &[&first], &[]);
    let sources = provenance(&backup(), &alone.values, &[&first]);
    assert_eq!(sources["backup"]["retention"], (Layer::Default, None));
    assert_eq!(sources["backup"]["window.from"], (Layer::Default, None));
}

#[test]
fn an_amendment_goes_before_what_its_grant_stated() {
    let amendments = json!([{"name": "x", "effective": "2027-02-01", "facets": {"backup": {"retention": 90}}}]);
    let statement = Statement::of(&grant(&json!({"backup": {"retention": 7, "region": "us"}}), &amendments), &[0]);
    let merged = merge_statements(&backup(), &[&statement], &[]);
    let sources = provenance(&backup(), &merged.values, &[&statement]);
    assert_eq!(sources["backup"]["retention"], (Layer::Amendment("x".to_owned()), Some(0)));
    assert_eq!(sources["backup"]["region"], (Layer::Source, Some(0)));
}

#[test]
fn should_the_merged_values_not_validate_together_the_last_grant_is_left_out_until_they_do_or_one_is_left() {
    let (days, us) = (statement(&json!({"days": ["mon"]})), statement(&json!({"region": "us"})));
    let window = statement(&json!({"window": {"to": 5}}));
    let merged = merge_statements(&backup(), &[&days, &window, &us], &[]);
    assert_eq!(merged.taking_part, 2);
    let expected = json!({"retention": 30, "region": "eu", "days": ["mon"], "window": {"from": 1, "to": 5}});
    assert_eq!(serde_json::to_value(&merged.values["backup"]).unwrap(), expected);
    let invalid = statement(&json!({"days": ["mon"], "region": "us"}));
    assert_eq!(merge_statements(&backup(), &[&invalid, &window], &[]).taking_part, 1);
    assert_eq!(merge_statements(&backup(), &[], &[]).taking_part, 0);
}

#[test]
fn a_secret_that_any_of_them_supplies_is_there() {
    let schema = json!({"type": "object", "required": ["password", "token"], "properties": {
        "password": {"type": "string", "writeOnly": true}, "token": {"type": "string", "writeOnly": true},
    }});
    let definition = definition(&json!([{"name": "db", "schema": schema}]));
    let supplied = |field: &str| {
        let reference = json!({"name": "s", "key": "k"});
        let mut grant = grant(&json!({}), &json!([]));
        let source = json!({"facet": "db", "field": field, "secretKeyRef": reference});
        grant.secret_facets = serde_json::from_value(json!([source])).unwrap();
        supplied_secrets(&grant)
    };
    let (one, other) = (Statement::default(), Statement::default());
    let merged = merge_statements(&definition, &[&one, &other], &[supplied("password"), supplied("token")]);
    assert_eq!(merged.taking_part, 2);
    let merged = merge_statements(&definition, &[&one, &other], &[supplied("password"), supplied("password")]);
    assert_eq!(merged.taking_part, 1);
}

#[test]
fn higher_priority_first_then_the_later_start_then_the_younger() {
    let age = |made: &str| {
        let mut age = grant(&json!({}), &json!([])).grant_age();
        age.source.made = parse_instant(made).unwrap();
        age
    };
    let (old, young) = (age("2027-01-01T00:00:00Z"), age("2027-01-02T00:00:00Z"));
    let (early, late) = (old.source.made, young.source.made);
    assert!(rank(1, early, &old) < rank(0, late, &young), "priority");
    assert!(rank(0, early, &old) < rank(-1, late, &young), "priority below zero");
    assert!(rank(0, late, &old) < rank(0, early, &young), "start");
    assert!(rank(0, early, &young) < rank(0, early, &old), "age");
}

#[test]
fn amounts_add_up_by_aggregation() {
    let amounts =
        || [3, 4].into_iter().map(|amount| Amount::read(&serde_json::from_value(json!(amount)).unwrap()).unwrap());
    let mut definition = definition(&json!([]));
    let amounts = || amounts().map(|amount| (Adding::ByAggregation, amount));
    assert_eq!(total(&definition, amounts()).map(|total| total.to_string()).as_deref(), Some("7"));
    definition.aggregation = serde_json::from_value(json!("Max")).unwrap();
    assert_eq!(total(&definition, amounts()).map(|total| total.to_string()).as_deref(), Some("4"));
    assert_eq!(total(&definition, std::iter::empty()), None);
}

#[test]
fn what_a_grant_states_names_facets_and_secret_fields_that_there_are() {
    let definition = backup();
    let mut grant = grant(&json!({"bakcup": {}, "backup": {}}), &json!([]));
    let source =
        |facet: &str, field: &str| json!({"facet": facet, "field": field, "secretKeyRef": {"name": "s", "key": "k"}});
    grant.secret_facets = serde_json::from_value(json!([
        source("backup", "password"),
        source("backup", "region"),
        source("db", "password"),
    ]))
    .unwrap();
    let problems = check_names(&definition, &Statement::of(&grant, &[]).merged(), &grant).unwrap_err();
    assert_eq!(
        problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "facets.bakcup: definition storage has no such facet; it has backup",
            "secretFacets: facets.backup.region is not a secret field: state it under facets, or mark it writeOnly in the schema",
            "facets.db: definition storage has no such facet; it has backup",
        ]
    );
    grant.secret_facets.truncate(1);
    grant.facets = std::sync::Arc::default();
    assert!(check_names(&definition, &Statement::of(&grant, &[]).merged(), &grant).is_ok());
}

#[test]
fn whole_values_are_checked_against_the_schema() {
    let stated = statement(&json!({"retention": "long"})).merged();
    let values = complete(&backup(), &std::iter::once(&stated)).unwrap();
    let problems = check_values(&backup(), &values, &BTreeMap::new()).unwrap_err();
    assert_eq!((problems[0].facet.as_str(), problems[0].pointer.as_str()), ("backup", "/retention"));
    assert!(check_values(&backup(), &complete(&backup(), &std::iter::empty()).unwrap(), &BTreeMap::new()).is_ok());
}

#[test]
fn a_field_that_kubectl_made_a_boolean_of_is_doubted_where_the_schema_is_open() {
    let doubted = doubts(&backup(), &statement(&json!({"true": 1, "retention": 7})).merged());
    assert_eq!(doubted.len(), 1);
    assert_eq!((doubted[0].facet.as_str(), doubted[0].pointer.as_str()), ("backup", "/true"));
    assert_eq!(doubts(&backup(), &statement(&json!({"yes": 1})).merged()), []);
}

/// Two facets: of the one two fields exclude each other, of the other one a field needs another.
fn at_odds() -> Definition {
    let exclusive = json!({"type": "object", "not": {"required": ["a", "b"]}, "properties": {"a": {"default": 1}}});
    let needy = json!({"type": "object", "dependentRequired": {"a": ["b"]}, "properties": {"c": {"maximum": 5}}});
    definition(&json!([
        {"name": "exclusive", "schema": {"type": "object", "not": {"required": ["a", "b"]}}},
        {"name": "needy", "schema": needy},
        {"name": "filled", "schema": exclusive},
    ]))
}

#[test]
fn grants_that_say_nothing_of_what_is_at_odds_cost_nothing() {
    let definition = at_odds();
    let mut stated: Vec<_> = (0..3000).map(|_| Statement::default().merged()).collect();
    let state = |facets: Value| Statement::of(&grant(&facets, &json!([])), &[]).merged();
    stated[0] = state(json!({"exclusive": {"a": 1}}));
    stated[1000] = state(json!({"exclusive": {"c": 1}}));
    stated[2000] = state(json!({"exclusive": {"b": 1}, "needy": {"b": 1}}));
    stated[2500] = state(json!({"exclusive": {"c": 2}}));
    let mut search = Search::new(&definition, &stated, &[]);
    assert_eq!(search.most(), 2000);
    assert_eq!(search.checks, 4, "exclusive with three and with two of its fields; the others once");
}

#[test]
fn grants_that_repeat_what_is_at_odds_cost_one_check_of_each_facet() {
    let definition = at_odds();
    let state = |value: i64| Statement::of(&grant(&json!({"needy": {"a": value}}), &json!([])), &[]).merged();
    let stated: Vec<_> = (0..3000).map(state).collect();
    let mut search = Search::new(&definition, &stated, &[]);
    assert_eq!((search.most(), search.checks), (1, 3));
}

/// Why the number of grants that go together can't be found by halving.
#[test]
fn what_goes_together_need_not_do_so_in_part() {
    let definition = at_odds();
    let state = |facets: Value| Statement::of(&grant(&json!({"needy": facets}), &json!([])), &[]);
    let statements = [state(json!({"c": 1})), state(json!({"a": 1})), state(json!({"b": 1}))];
    let statements: Vec<&Statement> = statements.iter().collect();
    let taking_part = |count: usize| merge_statements(&definition, &statements[..count], &[]).taking_part;
    assert_eq!([1, 2, 3].map(taking_part), [1, 1, 3]);
}

/// What is at odds, step by step.
fn one_by_one(definition: &Definition, stated: &[&Statement]) -> Merged {
    let merged: Vec<_> = stated.iter().map(|statement| statement.merged()).collect();
    let mut taking_part = stated.len();
    loop {
        let values = complete(definition, &merged[..taking_part].iter().rev()).unwrap();
        if taking_part <= 1 || check_values(definition, &values, &BTreeMap::new()).is_ok() {
            return Merged { values, taking_part };
        }
        taking_part -= 1;
    }
}

fn facets_at_odds() -> impl Strategy<Value = Value> {
    let fields = prop::collection::btree_map(prop::sample::select(vec!["a", "b", "c"]), 0..9_i64, 0..3);
    let names = prop::sample::select(vec!["exclusive", "needy", "filled"]);
    prop::collection::btree_map(names, fields, 0..3).prop_map(|facets| json!(facets))
}

/// Of a field that may be an object, two parts exclude each other, and one of them is the definition's.
fn nested() -> Definition {
    let schema = json!({"type": "object", "not": {"required": ["x"], "properties": {"x": {"required": ["a", "b"]}}}});
    definition(&json!([{"name": "nested", "schema": schema, "values": {"x": {"b": 1}}}]))
}

fn nested_facets() -> impl Strategy<Value = Value> {
    let part = prop::collection::btree_map(prop::sample::select(vec!["a", "b", "c"]), 0..3_i64, 0..3);
    let field = prop_oneof![part.prop_map(|part| json!(part)), Just(json!(5)), Just(Value::Null)];
    let fields = prop::collection::btree_map(prop::sample::select(vec!["x", "y"]), field, 0..3);
    fields.prop_map(|fields| json!({ "nested": fields }))
}

fn amount() -> impl Strategy<Value = Amount> {
    let text = prop_oneof!["[0-9]{1,15}", "[0-9]{1,15}[.][0-9]{1,9}", "[0-3]", Just("Unlimited".to_owned())];
    text.prop_map(|text| Amount::read(&AmountField::Text(text)).unwrap())
}

fn addition() -> impl Strategy<Value = Adding> {
    prop_oneof![Just(Adding::ByAggregation), Just(Adding::OnTop)]
}

proptest! {
    #[test]
    fn the_last_are_left_out_as_though_one_by_one(all in prop::collection::vec(facets_at_odds(), 0..8)) {
        let definition = at_odds();
        let statements: Vec<_> = all.iter().map(|facets| Statement::of(&grant(facets, &json!([])), &[])).collect();
        let statements: Vec<&Statement> = statements.iter().collect();
        let (found, expected) = (merge_statements(&definition, &statements, &[]), one_by_one(&definition, &statements));
        prop_assert_eq!(found.taking_part, expected.taking_part);
        prop_assert_eq!(found.values, expected.values);
    }

    #[test]
    fn parts_of_fields_are_left_out_as_though_one_by_one(all in prop::collection::vec(nested_facets(), 0..6)) {
        let definition = nested();
        let statements: Vec<_> = all.iter().map(|facets| Statement::of(&grant(facets, &json!([])), &[])).collect();
        let statements: Vec<&Statement> = statements.iter().collect();
        let (found, expected) = (merge_statements(&definition, &statements, &[]), one_by_one(&definition, &statements));
        prop_assert_eq!(found.taking_part, expected.taking_part);
        prop_assert_eq!(found.values, expected.values);
    }

    /// What comes on top is added, whatever the others come to.
    #[test]
    fn what_is_on_top_is_added_to_what_the_others_come_to(
        amounts in prop::collection::vec(amount(), 0..6),
        on_top in prop::collection::vec(amount(), 0..6),
        is_sum in any::<bool>(),
    ) {
        let aggregation = if is_sum { Aggregation::Sum } else { Aggregation::Max };
        let definition = Definition { aggregation, ..backup() };
        let others = amounts.iter().copied().reduce(|one, other| one.together(other, aggregation));
        let expected = others.into_iter().chain(on_top.iter().copied());
        let expected = expected.reduce(|one, other| one.together(other, Aggregation::Sum));
        let all = amounts.into_iter().map(|amount| (Adding::ByAggregation, amount));
        let found = total(&definition, all.chain(on_top.into_iter().map(|amount| (Adding::OnTop, amount))));
        prop_assert_eq!(found, expected);
    }

    /// Whatever came and went, what is left adds up to what it adds up to anew.
    #[test]
    fn a_tally_is_the_total_of_what_is_left(
        amounts in prop::collection::vec((addition(), amount()), 0..12),
        taken in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        is_sum in any::<bool>(),
    ) {
        let aggregation = if is_sum { Aggregation::Sum } else { Aggregation::Max };
        let definition = Definition { aggregation, ..backup() };
        let mut tally = Tally::new(aggregation);
        let mut left = amounts.clone();
        for (addition, amount) in amounts {
            tally.add(addition, amount);
        }
        for index in taken.iter().take(left.len()) {
            prop_assert_eq!(tally.total(), total(&definition, left.iter().copied()));
            let (addition, amount) = left.swap_remove(index.index(left.len()));
            tally.remove(addition, amount);
        }
        let (found, expected) = (tally.total(), total(&definition, left.iter().copied()));
        prop_assert_eq!(found, expected);
        prop_assert_eq!(found.map(|amount| amount.to_string()), expected.map(|amount| amount.to_string()));
    }
}

#[test]
fn a_tally_of_a_hundred_thousand_great_amounts_is_exact() {
    let great = Amount::read(&AmountField::Text("999999999999999".to_owned())).unwrap();
    let mut tally = Tally::new(Aggregation::Sum);
    for _ in 0..100_000 {
        tally.add(Adding::ByAggregation, great);
    }
    assert_eq!(tally.total().unwrap().to_string(), "99999999999999900000");
    tally.add(Adding::ByAggregation, Amount::Unlimited);
    assert_eq!(tally.total(), Some(Amount::Unlimited));
    tally.remove(Adding::ByAggregation, Amount::Unlimited);
    for _ in 0..99_999 {
        tally.remove(Adding::ByAggregation, great);
    }
    assert_eq!(tally.total(), Some(great));
}
