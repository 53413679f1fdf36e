//! The flags as they are written; real evaluators read them in `tests/readers.rs`.

use super::{FlagCourse, HeldRight, MoreAllowed, Stage, flag_values, flags};
use crate::{
    api::{AmountField, facet_fields::FacetFields},
    core::{
        amount::Amount,
        calendar::{Instant, parse_instant},
    },
};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

const START: &str = "2026-01-01T00:00:00Z";
const END: &str = "2027-01-01T00:00:00Z";

fn at(text: &str) -> Instant {
    parse_instant(text).unwrap()
}

fn amount(text: &str) -> Amount {
    Amount::read(&AmountField::Text(text.into())).unwrap()
}

fn facets(value: Value) -> FacetFields {
    serde_json::from_value(value).unwrap()
}

/// What is held: an amount, which a Feature has not, and facets.
type Holds = (Option<Amount>, FacetFields);

fn stage(from: &str, holds: Option<(&str, Value)>) -> Stage<Holds> {
    let holds = holds.map(|(text, fields)| ((!text.is_empty()).then(|| amount(text)), facets(fields)));
    Stage { from: at(from), holds }
}

fn of(has_amount: bool, stages: &[Stage<Holds>]) -> Value {
    fn each<T>(stages: &[Stage<Holds>], part: impl Fn(&Holds) -> T) -> Vec<Stage<T>> {
        stages.iter().map(|stage| Stage { from: stage.from, holds: stage.holds.as_ref().map(&part) }).collect()
    }
    let rights = each(stages, |(amount, _)| amount.map_or(HeldRight::On, HeldRight::Amount));
    let course = FlagCourse { rights, facets: Some(each(stages, |(_, facets)| facets.clone())), allowed: None };
    flags([("h", has_amount, &course)].into_iter())
}

/// What a flag is at a moment, by the few operators that are written.
fn value(flags: &Value, flag: &str, at: i64) -> Value {
    let flag = &flags["flags"][flag];
    let variant = flag.get("targeting").map_or(&flag["defaultVariant"], |rule| result(rule, at));
    flag["variants"][variant.as_str().unwrap()].clone()
}

fn result(rule: &Value, at: i64) -> &Value {
    let Some(parts) = rule.get("if") else { return rule };
    assert_eq!(parts[0]["<"][0], json!({"var": "$flagd.timestamp"}));
    assert_eq!(parts.as_array().unwrap().len(), 3);
    let is_before = at < parts[0]["<"][1].as_i64().unwrap();
    result(&parts[if is_before { 1 } else { 2 }], at)
}

#[test]
fn a_feature_is_on_for_its_term() {
    let flags = of(false, &[stage(START, Some(("", json!({})))), stage(END, None)]);
    assert_eq!(flags["$schema"], "https://flagd.dev/schema/v0/flags.json");
    let timestamp = json!({"var": "$flagd.timestamp"});
    let expected = json!({
        "state": "ENABLED",
        "variants": {"on": true, "off": false},
        "defaultVariant": "off",
        "targeting": {"if": [
            {"<": [timestamp, 1_767_225_600]},
            "off",
            {"if": [{"<": [timestamp, 1_798_761_600]}, "on", "off"]},
        ]},
    });
    assert_eq!(flags["flags"]["h"], expected);
    // Facets that hold nothing are the same as none.
    let none = json!({"state": "ENABLED", "variants": {"none": {}}, "defaultVariant": "none"});
    assert_eq!(flags["flags"]["h.facets"], none);
}

#[test]
fn what_never_comes_needs_no_rule() {
    let off = json!({"state": "ENABLED", "variants": {"off": false}, "defaultVariant": "off"});
    assert_eq!(of(false, &[])["flags"]["h"], off);
    let zero = json!({"state": "ENABLED", "variants": {"0": 0}, "defaultVariant": "0"});
    assert_eq!(of(true, &[])["flags"]["h"], zero);
}

#[test]
fn each_change_has_its_moment() {
    let fields = |size: u32| json!({"backup": {"size": size}});
    let flags = of(
        true,
        &[
            stage(START, Some(("2.5", fields(1)))),
            stage("2026-04-01T00:00:00Z", Some(("Unlimited", fields(1)))),
            stage("2026-07-01T00:00:00Z", Some(("Unlimited", fields(2)))),
            stage(END, None),
        ],
    );
    for (moment, number, size) in [
        ("2025-12-31T23:59:59Z", json!(0), None),
        (START, json!(2.5), Some(1)),
        ("2026-03-31T23:59:59Z", json!(2.5), Some(1)),
        ("2026-04-01T00:00:00Z", json!(9_007_199_254_740_991_u64), Some(1)),
        ("2026-07-01T00:00:00Z", json!(9_007_199_254_740_991_u64), Some(2)),
        ("2026-12-31T23:59:59Z", json!(9_007_199_254_740_991_u64), Some(2)),
        (END, json!(0), None),
    ] {
        let second = at(moment).timestamp();
        assert_eq!(value(&flags, "h", second), number, "{moment}");
        assert_eq!(value(&flags, "h.facets", second), size.map_or(json!({}), fields), "{moment}");
    }
    let names = flags["flags"]["h"]["variants"].as_object().unwrap().keys().collect::<Vec<_>>();
    assert_eq!(names, ["0", "2.5", "Unlimited"]);
}

#[rstest]
#[case("250", json!(250))]
#[case("0", json!(0))]
#[case("0.000000001", json!(0.000_000_001))]
#[case("999999999999999", json!(999_999_999_999_999_u64))]
#[case("999999999999999.999999999", json!(1e15))]
#[case("Unlimited", json!(9_007_199_254_740_991_u64))]
fn an_amount_is_a_number_that_every_reader_holds(#[case] text: &str, #[case] expected: Value) {
    let flags = of(true, &[stage(START, Some((text, json!({}))))]);
    assert_eq!(value(&flags, "h", at(START).timestamp()), expected);
}

#[test]
fn a_sum_beyond_what_readers_hold_is_the_greatest_that_they_do() {
    let great = |amount: Amount| {
        (0..4).fold(amount, |sum, _| sum.together(sum, crate::api::entitlement_definition::Aggregation::Sum))
    };
    for text in ["999999999999999", "999999999999999.5"] {
        let sum = great(amount(text));
        let flags = of(true, &[Stage { from: at(START), holds: Some((Some(sum), FacetFields::new())) }]);
        assert_eq!(value(&flags, "h", at(START).timestamp()), json!(9_007_199_254_740_991_u64));
        // The name is exact.
        assert!(flags["flags"]["h"]["variants"].get(sum.to_string()).is_some());
    }
}

#[test]
fn without_facets_there_is_no_flag_for_them() {
    let course = FlagCourse::default();
    let flags = flags([("h", false, &course)].into_iter());
    assert_eq!(flags["flags"].as_object().unwrap().keys().collect::<Vec<_>>(), ["h"]);
}

#[test]
fn facets_that_are_too_large_have_no_flag() {
    let of_length = |length: usize| of(false, &[stage(START, Some(("", json!({"f": {"text": "x".repeat(length)}}))))]);
    let small = of_length(1000)["flags"]["h.facets"].to_string().len();
    let most = 64 * 1024 - (small - 1000);
    assert!(of_length(most)["flags"].get("h.facets").is_some());
    assert!(of_length(most + 1)["flags"].get("h.facets").is_none());
    assert!(of_length(most + 1)["flags"].get("h").is_some());
}

proptest! {
    #[test]
    fn at_every_moment_the_last_stage_that_has_come_counts(
        gaps in prop::collection::vec((1i64..1000, prop::option::of(0u32..4)), 0..12),
        asked in prop::collection::vec(-10i64..12_000, 20),
    ) {
        let mut second = 0;
        let mut stages: Vec<Stage<Holds>> = Vec::new();
        for (gap, holds) in gaps {
            second += gap;
            let holds =
                holds.map(|size| (Some(amount(&size.to_string())), facets(json!({"f": {"size": size / 2}}))));
            stages.push(Stage { from: Instant::from_timestamp(second, 0).unwrap(), holds });
        }
        let numbers = of(true, &stages);
        let switches = of(false, &stages);
        let moments = stages.iter().flat_map(|stage| [stage.from.timestamp() - 1, stage.from.timestamp()]);
        for second in moments.chain(asked) {
            let stage = stages.iter().rev().find(|stage| stage.from.timestamp() <= second);
            let holds = stage.and_then(|stage| stage.holds.as_ref());
            prop_assert_eq!(value(&switches, "h", second), json!(holds.is_some()));
            let number = holds.and_then(|(amount, _)| *amount).unwrap_or(Amount::ZERO);
            prop_assert_eq!(value(&numbers, "h", second).to_string(), number.to_string());
            let fields = holds.map_or(json!({}), |(_, facets)| json!(facets));
            prop_assert_eq!(value(&numbers, "h.facets", second), fields);
        }
    }
}

#[test]
fn a_flag_has_the_value_of_its_moment() {
    let at = |day: &str| at(&format!("2027-01-{day}T00:00:00Z"));
    let stage = |day: &str, amount: Option<u32>| Stage {
        from: at(day),
        holds: amount.map(|amount| HeldRight::Amount(Amount::Limited(amount.into()))),
    };
    let course = FlagCourse {
        rights: vec![stage("02", Some(5)), stage("04", Some(7)), stage("06", None)],
        facets: None,
        allowed: Some(vec![Stage { from: at("03"), holds: Some(MoreAllowed) }]),
    };
    let values = |day: &str| {
        let values = flag_values("seats", true, &course, at(day));
        values.into_iter().map(|(key, value)| (key, value.variant, value.value, value.is_held)).collect::<Vec<_>>()
    };
    let told = |amount: u32, allowed: bool, is_held: bool| {
        let switch = if allowed { "on" } else { "off" };
        vec![
            ("seats".to_owned(), amount.to_string(), json!(amount), is_held),
            ("seats.allowed".to_owned(), switch.to_owned(), json!(allowed), is_held),
        ]
    };
    assert_eq!(values("01"), told(0, false, false));
    assert_eq!(values("02"), told(5, false, true));
    assert_eq!(values("05"), told(7, true, true));
    assert_eq!(values("06"), told(0, false, false));
}
