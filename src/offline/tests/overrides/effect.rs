//! What an override adds to what is held, and what is delivered of it.

use super::{desk::ExceptionDesk, plain::at};
use chrono::TimeDelta;
use rstest::rstest;
use serde_json::{Value, json};

const NOW: &str = "2027-03-12T00:00:00Z";
const APPROVED: &str = "2027-03-10T10:00:00Z";
const LONG_AGO: &str = "2026-01-01T00:00:00Z";
const TEMPLATE: &str = "{{ instance.kind }} {{ instance.name }} {{ chain.name }} {{ instance.amount }} of {{ total.amount }} {{ facets.f.depth }}";

/// Worked example 9.
#[test]
fn ten_beside_twenty_five_are_thirty_five_for_a_while() {
    let mut desk = ExceptionDesk::new();
    desk.instance("i", LONG_AGO, &json!({"amount": 25}));
    desk.ask("x", &json!({"start": "2027-03-15", "end": "2027-03-20"})).approve("x", APPROVED);
    let held = |moment: &str, seconds| desk.clone().look(at(moment) + TimeDelta::seconds(seconds)).unwrap();
    let (start, end) = ("2027-03-14T23:00:00Z", "2027-03-20T23:00:00Z");
    assert_eq!([held(start, -1), held(start, 0), held(end, -1), held(end, 0)], ["25", "35", "35", "25"]);
}

#[test]
fn it_is_there_from_its_approval_where_that_is_later() {
    let mut desk = ExceptionDesk::new();
    desk.instance("i", LONG_AGO, &json!({"amount": 25}));
    desk.ask("x", &json!({"start": "2027-03-01", "end": "2027-03-20"})).approve("x", APPROVED);
    let held = |seconds| desk.clone().look(at(APPROVED) + TimeDelta::seconds(seconds)).unwrap();
    assert_eq!([held(-1), held(1), held(2)], ["25", "25", "35"]);
    assert_eq!(desk.verdict(NOW).term, Some((at(APPROVED), at("2027-03-20T23:00:00Z"))));
}

/// "whose amount is added to what the other sources come to by `aggregation`, also where that is `Max`"
#[rstest]
#[case::max("Max", &[json!(5), json!(25)], &[json!(10)], "35")]
#[case::sum("Sum", &[json!(5), json!(25)], &[json!(10)], "40")]
#[case::smaller_than_the_rest("Max", &[json!(25)], &[json!(1)], "26")]
#[case::two_of_them("Max", &[json!(5), json!(25)], &[json!(10), json!(3)], "38")]
#[case::two_alone("Max", &[], &[json!(10), json!(3)], "13")]
#[case::alone("Sum", &[], &[json!(10)], "10")]
#[case::unlimited("Max", &[json!(25)], &[json!("Unlimited")], "Unlimited")]
#[case::over_unlimited("Sum", &[json!("Unlimited")], &[json!(10)], "Unlimited")]
#[case::parts("Max", &[json!("0.5")], &[json!("0.25")], "0.75")]
fn it_comes_on_top(#[case] aggregation: &str, #[case] held: &[Value], #[case] added: &[Value], #[case] expected: &str) {
    let mut desk = ExceptionDesk::new();
    desk.define("seats", &json!({"aggregation": aggregation, "allowMultiple": true}));
    for (index, amount) in held.iter().enumerate() {
        desk.instance(&format!("i{index}"), LONG_AGO, &json!({"amount": amount}));
    }
    for (index, amount) in added.iter().enumerate() {
        let name = format!("x{index}");
        desk.ask(&name, &json!({"amount": amount})).approve(&name, APPROVED);
    }
    assert_eq!(desk.held(NOW).as_deref(), Some(expected));
}

#[test]
fn a_feature_has_no_amount() {
    let mut desk = ExceptionDesk::new();
    desk.define("seats", &json!({"type": "Feature", "unit": null, "amount": null}));
    desk.ask("x", &json!({})).ask("y", &json!({"amount": null}));
    desk.approve("x", APPROVED).approve("y", APPROVED);
    assert_eq!((desk.held(NOW).as_deref(), desk.phase(NOW)), (Some("on"), ("Rejected", Some("InvalidAmount"))));
    assert_eq!(desk.status("y")["phase"], "Active");
}

/// Seats with an output and a facet.
fn outfit(more: &Value) -> Value {
    let schema = json!({
        "type": "object",
        "properties": {
            "depth": {"type": "integer", "default": 1, "maximum": 9},
            "token": {"type": "string", "writeOnly": true},
        },
    });
    let mut spec = json!({
        "facets": [{"name": "f", "schema": schema}],
        "outputs": [{"name": "o", "kind": "ConfigMap", "items": [{"key": "k", "template": TEMPLATE}]}],
    });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec
}

#[test]
fn alone_it_is_delivered_as_an_instance_would_be() {
    let mut desk = ExceptionDesk::new();
    desk.define("seats", &outfit(&json!({}))).ask("x", &json!({"facets": {"f": {"depth": 4}}}));
    desk.held(NOW);
    assert_eq!(desk.operator.objects(), Vec::<String>::new());
    desk.approve("x", APPROVED).held(NOW);
    assert_eq!(
        desk.operator.objects(),
        ["seats [entitlements.dev/override=entitlements/x] k: Override x x 10 of 10 4"]
    );
    assert_eq!(desk.status("x")["outputs"], json!({"desired": 1, "delivered": 1}));
    for (condition, reason) in [("Accepted", "Accepted"), ("Entitled", "Active"), ("Delivered", "Delivered")] {
        assert_eq!(desk.condition("x", condition), ("True".to_owned(), reason.to_owned()));
    }
    desk.held("2027-04-01T00:00:00Z");
    assert_eq!(desk.operator.objects(), Vec::<String>::new());
}

/// "one object for all grants in force of it, … `instance` and `chain` are those of the newest member in force of the oldest chain
/// in force, … but `instance.amount` is the total": a top-up changes neither name nor owner.
#[rstest]
#[case::beside_an_older_instance(LONG_AGO, "instance=entitlements/i] k: Instance i i 35 of 35")]
#[case::beside_a_younger_one("2027-03-11T00:00:00Z", "override=entitlements/x] k: Override x x 35 of 35")]
#[case::beside_one_as_old("2027-03-10T09:00:00Z", "instance=entitlements/i] k: Instance i i 35 of 35")]
fn what_is_held_once_is_one_object(#[case] made: &str, #[case] expected: &str) {
    let mut desk = ExceptionDesk::new();
    desk.define("seats", &outfit(&json!({}))).instance("i", made, &json!({"amount": 25}));
    desk.ask("x", &json!({})).approve("x", APPROVED).held(NOW);
    assert_eq!(desk.operator.objects(), [format!("seats [entitlements.dev/{expected} 1")]);
}

/// "each grant has its own, and behind a default name … an override's `-override`"
#[test]
fn of_what_there_may_be_several_each_has_its_own() {
    let mut desk = ExceptionDesk::new();
    desk.define("seats", &outfit(&json!({"allowMultiple": true}))).instance("x", LONG_AGO, &json!({"amount": 25}));
    desk.ask("x", &json!({"facets": {"f": {"depth": 4}}})).approve("x", APPROVED).held(NOW);
    let expected = [
        "seats-x [entitlements.dev/instance=entitlements/x] k: Instance x x 25 of 35 1",
        "seats-x-override [entitlements.dev/override=entitlements/x] k: Override x x 10 of 35 4",
    ];
    assert_eq!(desk.operator.objects(), expected);
}

/// "never takes the seat and is never a `Duplicate`"
#[test]
fn it_takes_nobody_s_place() {
    let mut desk = ExceptionDesk::new();
    desk.ask("x", &json!({})).ask("y", &json!({"amount": 3})).approve("x", APPROVED).approve("y", APPROVED);
    assert_eq!(desk.held(NOW).as_deref(), Some("13"));
    desk.instance("i", NOW, &json!({"amount": 25}));
    assert_eq!(desk.held(NOW).as_deref(), Some("38"));
    for name in ["x", "y"] {
        assert_eq!(desk.status(name)["phase"], "Active");
    }
}

/// Its priority is 0; then the later start goes first.
#[rstest]
#[case::begun_earlier(json!({"start": "2027-01-01"}), "4")]
#[case::begun_later(json!({"start": "2027-03-11"}), "7")]
#[case::of_priority(json!({"start": "2027-01-01", "priority": 1}), "7")]
#[case::of_less_priority(json!({"start": "2027-03-11", "priority": -1}), "4")]
#[case::that_states_nothing(json!({"start": "2027-03-11", "facets": {}}), "4")]
fn its_facets_go_by_precedence(#[case] more: Value, #[case] depth: &str) {
    let mut desk = ExceptionDesk::new();
    let mut spec = json!({"amount": 25, "facets": {"f": {"depth": 7}}});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    desk.define("seats", &outfit(&json!({}))).instance("i", LONG_AGO, &spec);
    desk.ask("x", &json!({"facets": {"f": {"depth": 4}}})).approve("x", APPROVED).held(NOW);
    assert_eq!(
        desk.operator.objects(),
        [format!("seats [entitlements.dev/instance=entitlements/i] k: Instance i i 35 of 35 {depth}")]
    );
}

/// "the grant keeps its phase, rights and amount"
#[rstest]
#[case::a_secret_in_plain(json!({"f": {"token": "hush"}}))]
#[case::against_the_schema(json!({"f": {"depth": 10}}))]
#[case::an_unknown_facet(json!({"g": {}}))]
fn facets_that_are_not_valid_change_no_amount(#[case] facets: Value) {
    let mut desk = ExceptionDesk::new();
    desk.define("seats", &outfit(&json!({}))).instance(
        "i",
        LONG_AGO,
        &json!({"amount": 25, "facets": {"f": {"depth": 7}}}),
    );
    desk.ask("x", &json!({"facets": facets})).approve("x", APPROVED);
    assert_eq!(desk.held(NOW).as_deref(), Some("35"));
    assert_eq!(desk.condition("x", "FacetsValid").0, "False");
    assert_eq!(desk.condition("x", "Entitled").0, "True");
    assert!(!format!("{:?}", desk.status("x")).contains("hush"));
    assert_eq!(
        desk.operator.objects(),
        ["seats [entitlements.dev/instance=entitlements/i] k: Instance i i 35 of 35 7"]
    );
}
