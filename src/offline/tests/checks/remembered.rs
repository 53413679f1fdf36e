//! What a client has left as its subscription is changed from one look of the operator to the next.

use super::scene::{CheckScene, told};
use crate::{
    core::{
        calendar::{Instant, format_exact_instant, parse_instant},
        usage::{
            allowance::UsageRequest,
            ledger::Ledger,
            memory::{Memory, PresentParts},
            register::Register,
        },
    },
    evaluation::{
        check::{CheckAnswer, CheckQuestion, check},
        decision::{Decision, decide},
        usage::{Heard, MeterFacts},
    },
};
use chrono::TimeDelta;
use rstest::rstest;
use serde_json::{Value, json};
use std::sync::Arc;

fn moment(day: &str) -> Instant {
    parse_instant(&format!("2027-{day}T00:00:00Z")).unwrap()
}

/// An operator that remembers what it saw, of a client that has used what these registers say.
struct Watched {
    memory: Arc<Memory>,
    ledger: Arc<Ledger>,
}

impl Watched {
    fn used(uses: &[(&str, u32)]) -> Self {
        let register = |(day, amount): &(&str, u32)| {
            let at = moment(day);
            Register { at, channel: None, amount: (*amount).into(), as_of: at, deleted: false }
        };
        let registers: Vec<Register> = uses.iter().map(register).collect();
        Self { memory: Arc::default(), ledger: Arc::new(Ledger::of(&registers).unwrap()) }
    }

    /// The objects are looked at.
    fn sees(&mut self, scene: &CheckScene, day: &str) -> Decision {
        self.sees_at(scene, moment(day))
    }

    fn sees_at(&mut self, scene: &CheckScene, now: Instant) -> Decision {
        let mut snapshot = scene.0.snapshots(&scene.0.catalogue()).remove(0);
        let facts = MeterFacts {
            memory: Arc::clone(&self.memory),
            ledger: Arc::clone(&self.ledger),
            heard: Some(Heard::Always),
        };
        snapshot.meters.insert("units".into(), Arc::new(facts));
        let decision = decide(&snapshot, now);
        let rules = snapshot.catalogue["units"].serving.clone().unwrap().terms.usage.clone().unwrap();
        let held = decision.meters.get("units").map(|meter| meter.memory.clone());
        self.memory = Arc::new(held.unwrap_or_else(|| self.memory.after(&rules, &PresentParts::default(), now)));
        decision
    }
}

fn asked(decision: &Decision, amount: u32) -> CheckAnswer {
    let request = UsageRequest { amount: amount.into(), channel: None };
    check(decision, &CheckQuestion { entitlement: "units", definition: None, request })
}

/// `150000 allotted, 180000 used, 100000 left, 130000 excess`
fn usage(decision: &Decision) -> String {
    let usage = asked(decision, 1).usage.unwrap();
    let [allotted, used, left, excess] =
        [usage.allotted, usage.used, usage.remaining, usage.excess].map(Option::unwrap_or_default);
    format!("{allotted} allotted, {used} used, {left} left, {excess} excess")
}

/// To a plan of 200,000, and from 01-20 on to one of 50,000.
fn subscribed(more: &Value) -> CheckScene {
    let mut spec = json!({"amendments": [{"name": "smaller", "effective": "2027-01-20", "plan": "small"}]});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let allows = json!({"addOns": ["half", "top-up"]});
    CheckScene::monthly()
        .plan("half", 50_000, &json!({"type": "AddOn"}))
        .plan("top-up", 100_000, &json!({"type": "AddOn"}))
        .plan("large", 200_000, &allows)
        .plan("small", 50_000, &allows)
        .subscribes("large", &spec)
}

#[rstest]
#[case::an_add_on(json!({"addOns": [{"name": "more", "plan": "top-up"}]}))]
#[case::an_add_on_of_which_there_are_two(json!({"addOns": [{"name": "more", "plan": "half", "quantity": 2}]}))]
#[case::an_addition(json!({"add": [{"name": "more", "definition": "units", "amount": 100_000}]}))]
fn example_1_what_comes_later_without_a_start_takes_nothing_of_before_and_takes_nothing_with_it(#[case] more: Value) {
    let mut operator = Watched::used(&[("01-10", 180_000)]);
    assert_eq!(
        usage(&operator.sees(&subscribed(&json!({})), "01-19")),
        "200000 allotted, 180000 used, 20000 left, 0 excess"
    );
    let before = "50000 allotted, 180000 used, 0 left, 130000 excess";
    assert_eq!(usage(&operator.sees(&subscribed(&json!({})), "01-20")), before);
    for day in ["01-21", "01-22"] {
        let topped_up = operator.sees(&subscribed(&more), day);
        assert_eq!(usage(&topped_up), "150000 allotted, 180000 used, 100000 left, 130000 excess");
        assert_eq!(told(&asked(&topped_up, 100_000)), "yes: Allowed");
        assert_eq!(told(&asked(&topped_up, 100_001)), "no: Exhausted");
    }
    assert_eq!(usage(&operator.sees(&subscribed(&json!({})), "01-25")), before);
    let again = operator.sees(&subscribed(&more), "01-26");
    assert_eq!(usage(&again), "150000 allotted, 180000 used, 100000 left, 130000 excess");
}

#[rstest]
#[case::with_a_start_from_then_on("2027-01-05", "150000 allotted, 180000 used, 0 left, 30000 excess")]
#[case::with_a_later_start("2027-01-15", "150000 allotted, 180000 used, 100000 left, 130000 excess")]
fn what_states_its_start_counts_from_then_on(#[case] start: &str, #[case] expected: &str) {
    let mut operator = Watched::used(&[("01-10", 180_000)]);
    operator.sees(&subscribed(&json!({})), "01-20");
    let more = json!({"addOns": [{"name": "more", "plan": "top-up", "start": start, "end": "2027-06-30"}]});
    assert_eq!(usage(&operator.sees(&subscribed(&more), "01-21")), expected);
}

#[rstest]
#[case::beside_a_plan_from_that_very_moment(json!([]), "2027-01-21T00:00:00.800Z", "150000 allotted, 7 used, 149993 left, 0 excess")]
#[case::alone_from_the_beginning_of_that_second(
    json!([{"name": "none", "definition": "units"}]),
    "2027-01-21T00:00:00Z",
    "100000 allotted, 7 used, 99993 left, 0 excess",
)]
fn what_is_noticed_within_a_second_counts(#[case] remove: Value, #[case] from: &str, #[case] expected: &str) {
    let mut operator = Watched::used(&[("01-21", 7)]);
    operator.sees(&subscribed(&json!({})), "01-19");
    operator.sees(&subscribed(&json!({ "remove": remove })), "01-20");
    let more = json!({"remove": remove, "add": [{"name": "more", "definition": "units", "amount": 100_000}]});
    for milliseconds in [800, 900, 2000] {
        let seen = operator.sees_at(&subscribed(&more), moment("01-21") + TimeDelta::milliseconds(milliseconds));
        assert_eq!(usage(&seen), expected);
    }
    let added = operator.memory.held.iter().find(|part| part.name.starts_with("addition")).unwrap();
    assert_eq!(format_exact_instant(added.spans[0].from), from);
    assert!(operator.memory.anchors.iter().all(|anchor| anchor.since.timestamp_subsec_nanos() == 0));
}

#[test]
fn what_is_there_at_the_first_look_counts_with_its_subscription() {
    let mut operator = Watched::used(&[("01-10", 250_000)]);
    let both = subscribed(&json!({"addOns": [{"name": "more", "plan": "top-up"}]}));
    assert_eq!(usage(&operator.sees(&both, "01-19")), "300000 allotted, 250000 used, 50000 left, 0 excess");
    assert_eq!(
        usage(&operator.sees(&subscribed(&json!({})), "01-19")),
        "200000 allotted, 150000 used, 50000 left, 0 excess"
    );
}
