//! What a client has left as its subscription is changed from one look of the operator to the next.

use super::scene::{CheckScene, told};
use crate::{
    core::{
        calendar::{Instant, format_exact_instant, parse_exact_instant, parse_instant},
        usage::{
            allowance::UsageRequest,
            ledger::Ledger,
            memory::{Memory, PresentParts},
            register::Register,
        },
    },
    evaluation::{
        Snapshot,
        check::{CheckAnswer, CheckQuestion, check},
        decision::{Decision, decide, decide_asked},
        usage::{AskedMoment, Heard, MeterFacts},
        uses::{UseChange, UseJudge, UsePut, UseQuestion, UseVerdict},
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

    fn facts(&self) -> Arc<MeterFacts> {
        let (memory, ledger) = (Arc::clone(&self.memory), Arc::clone(&self.ledger));
        Arc::new(MeterFacts { memory, ledger, heard: Some(Heard::Always) })
    }

    fn snapshot(&self, scene: &CheckScene) -> Snapshot {
        let definitions = scene.0.catalogue();
        let mut snapshot = scene.0.snapshots(&definitions).remove(0);
        snapshot.catalogue.entry("units".into()).or_insert_with(|| Arc::clone(&definitions["units"]));
        snapshot.meters.insert("units".into(), self.facts());
        snapshot
    }

    /// What is answered to so much that was used on a day, which comes in at that moment: `yes: Allowed`
    fn counts(&self, scene: &CheckScene, now: &str, amount: u32, at: &str) -> String {
        let put = UsePut { amount: amount.into(), channel: None, at: Some(moment(at)), as_of: None, always: false };
        self.puts(scene, now, put)
    }

    fn puts(&self, scene: &CheckScene, now: &str, put: UsePut) -> String {
        let (snapshot, units) = (Arc::new(self.snapshot(scene)), Arc::from("units"));
        let serving = snapshot.catalogue["units"].serving.clone().unwrap();
        let change = UseChange::Put(put);
        let now = parse_exact_instant(&format!("2027-{now}Z")).unwrap();
        let question =
            UseQuestion { entitlement: &units, definition: &serving.terms, known: None, change: &change, now };
        let (mut judge, facts) = (UseJudge::after(&snapshot, None), self.facts());
        let judgement = judge.judge(&facts, &question).unwrap();
        let is_counted = matches!(judgement.verdict, UseVerdict::Count(_));
        let answer = judge.settle(judgement, &question, &facts).answer(question.definition);
        assert_eq!(answer.allowed, is_counted);
        told(&answer)
    }

    /// The same of a check of a moment that is over.
    fn asked_of(&self, scene: &CheckScene, now: &str, at: &str) -> CheckAnswer {
        let asked = AskedMoment { at: moment(at), now: moment(now) };
        asked_for(&decide_asked(&self.snapshot(scene), &"units".into(), asked), 1)
    }

    fn sees_at(&mut self, scene: &CheckScene, now: Instant) -> Decision {
        let snapshot = self.snapshot(scene);
        let decision = decide(&snapshot, now);
        let rules = snapshot.catalogue["units"].serving.clone().unwrap().terms.usage.clone().unwrap();
        let held = decision.meters.get("units").map(|meter| meter.memory.clone());
        self.memory = Arc::new(held.unwrap_or_else(|| self.memory.after(&rules, &PresentParts::default(), now)));
        decision
    }
}

fn asked_for(decision: &Decision, amount: u32) -> CheckAnswer {
    let request = UsageRequest { amount: amount.into(), channel: None };
    check(decision, &CheckQuestion { entitlement: "units", definition: None, request })
}

/// `150000 allotted, 180000 used, 100000 left, 130000 excess`
fn usage(decision: &Decision) -> String {
    let usage = asked_for(decision, 1).usage.unwrap();
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
        assert_eq!(told(&asked_for(&topped_up, 100_000)), "yes: Allowed");
        assert_eq!(told(&asked_for(&topped_up, 100_001)), "no: Exhausted");
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

/// A client that holds so much of what is new each month.
fn monthly(more: &Value) -> CheckScene {
    CheckScene::monthly().grant("a", more)
}

/// What is used late is asked for by what was held then, and not by what the objects say since.
#[rstest]
#[case::it_was_less(json!({"amount": 10}), monthly(&json!({"amount": 100})), &[(10, "yes: Allowed"), (11, "no: Exhausted")])]
#[case::it_was_more(json!({"amount": 100}), monthly(&json!({"amount": 10})), &[(100, "yes: Allowed"), (101, "no: Exhausted")])]
#[case::suspended_since(
    json!({"amount": 10}),
    monthly(&json!({"amount": 10, "suspended": true})),
    &[(10, "yes: Allowed"), (11, "no: Exhausted")],
)]
#[case::cancelled_since(
    json!({"amount": 10}),
    monthly(&json!({"amount": 10, "state": "Cancelled"})),
    &[(10, "yes: Allowed"), (11, "no: Exhausted")],
)]
#[case::deleted_since(json!({"amount": 10}), CheckScene::monthly(), &[(10, "yes: Allowed"), (11, "no: Exhausted")])]
#[case::resumed_since(json!({"amount": 10, "suspended": true}), monthly(&json!({"amount": 10})), &[(1, "no: Suspended")])]
fn what_comes_in_late_goes_by_what_was_held(
    #[case] before: Value,
    #[case] after: CheckScene,
    #[case] said: &[(u32, &str)],
) {
    let mut operator = Watched::used(&[]);
    operator.sees(&monthly(&before), "01-05");
    operator.sees(&after, "02-01");
    for (amount, expected) in said {
        assert_eq!(operator.counts(&after, "02-01T10:00:00", *amount, "01-30"), *expected, "{amount}");
    }
}

/// The same within the period that is still open.
#[test]
fn what_was_begun_before_a_cancellation_is_settled_after_it() {
    let mut operator = Watched::used(&[]);
    operator.sees(&monthly(&json!({"amount": 10})), "01-05");
    let cancelled = monthly(&json!({"amount": 10, "state": "Cancelled"}));
    operator.sees(&cancelled, "01-15");
    assert_eq!(operator.counts(&cancelled, "01-16T00:00:00", 4, "01-10"), "yes: Allowed");
    assert_eq!(operator.counts(&cancelled, "01-16T00:00:00", 11, "01-10"), "no: Exhausted");
    assert_eq!(operator.counts(&cancelled, "01-16T00:00:00", 1, "01-15"), "no: NotHeld");
}

#[test]
fn a_moment_that_is_over_is_answered_by_what_is_remembered() {
    let mut operator = Watched::used(&[("01-05", 3)]);
    operator.sees(&monthly(&json!({"amount": 10})), "01-03");
    operator.sees(&monthly(&json!({"amount": 10, "suspended": true})), "01-10");
    let resumed = monthly(&json!({"amount": 50}));
    operator.sees(&resumed, "01-20");
    let told = |at: &str| {
        let answer = operator.asked_of(&resumed, "01-25", at);
        let left = answer.usage.as_ref().and_then(|usage| usage.remaining.clone());
        let entitled = if answer.entitled { "entitled" } else { "not entitled" };
        let days = [answer.valid_from, answer.valid_until].map(|day| day.map(|day| day[5..10].to_owned()));
        let [from, until] = days.map(Option::unwrap_or_default);
        let amount = answer.amount.unwrap();
        format!("{entitled} {from}..{until}, {}, {amount}, {} left", answer.reason, left.unwrap_or_default())
    };
    // What the objects said at the first look counts for all that was before.
    assert_eq!(told("01-02"), "entitled 01-01..01-10, Allowed, 10, 10 left");
    assert_eq!(told("01-06"), "entitled 01-01..01-10, Allowed, 10, 7 left");
    assert_eq!(told("01-15"), "not entitled 01-01.., Suspended, 0,  left");
    assert_eq!(told("01-21"), "entitled 01-20.., Allowed, 50, 47 left");
    assert_eq!(told("01-25"), "entitled 01-01.., Allowed, 50, 47 left");
    assert_eq!(told("02-02"), "entitled 01-01.., Allowed, 50, 50 left");
}

/// It was suspended in between, and all that it gives was used since.
#[test]
fn what_was_used_before_a_suspension_is_asked_for_beside_what_was_used_after_it() {
    let mut operator = Watched::used(&[("01-21", 8)]);
    let held = monthly(&json!({"amount": 10}));
    operator.sees(&held, "01-05");
    operator.sees(&monthly(&json!({"amount": 10, "suspended": true})), "01-10");
    assert_eq!(
        operator.counts(&monthly(&json!({"amount": 10, "suspended": true})), "01-15T00:00:00", 10, "01-06"),
        "yes: Allowed"
    );
    operator.sees(&held, "01-20");
    assert_eq!(operator.counts(&held, "01-22T00:00:00", 2, "01-06"), "yes: Allowed");
    assert_eq!(operator.counts(&held, "01-22T00:00:00", 3, "01-06"), "no: Exhausted");
    assert_eq!(operator.counts(&held, "02-01T10:00:00", 3, "01-06"), "no: Exhausted");
}

/// By the channels of the grant that was held then.
#[test]
fn what_comes_in_after_a_cancellation_keeps_to_the_caps_of_before() {
    let mut operator = Watched::used(&[]);
    let usage = json!({"mode": "Consumed", "period": "P1M", "channels": [{"name": "phone", "amount": 5}]});
    let grant = |state: &str| {
        let channels = json!([{"name": "phone", "amount": 20}]);
        CheckScene::metered(&usage).grant("a", &json!({"amount": 100, "channels": channels, "state": state}))
    };
    operator.sees(&grant("Active"), "01-05");
    operator.sees(&grant("Cancelled"), "01-15");
    for (amount, expected) in [(20, "yes: Allowed"), (21, "no: ChannelExhausted")] {
        let put = UsePut {
            amount: amount.into(),
            channel: Some("phone".into()),
            at: Some(moment("01-10")),
            as_of: None,
            always: false,
        };
        assert_eq!(operator.puts(&grant("Cancelled"), "01-16T00:00:00", put), expected, "{amount}");
    }
}

/// A suspension counts from when it is noted, though what was used in that second before stays.
#[test]
fn what_comes_in_right_after_a_suspension_is_not_counted() {
    let mut operator = Watched::used(&[]);
    operator.sees(&monthly(&json!({"amount": 10})), "01-05");
    let suspended = monthly(&json!({"amount": 10, "suspended": true}));
    operator.sees_at(&suspended, moment("01-10") + TimeDelta::milliseconds(400));
    let put = UsePut { amount: 1.into(), channel: None, at: None, as_of: None, always: false };
    assert_eq!(operator.puts(&suspended, "01-10T00:00:00.600", put), "no: Suspended");
}

/// A plan with its add-ons is one grant, of which the amount is that of all together.
#[test]
fn what_a_subscription_gives_is_the_largest_as_a_whole() {
    let scene = CheckScene::of(&json!({"aggregation": "Max", "usage": {"mode": "Consumed", "period": "P1M"}}))
        .plan("half", 50, &json!({"type": "AddOn"}))
        .plan("large", 100, &json!({"addOns": ["half"]}))
        .grant("a", &json!({"amount": 120}));
    let more = json!({"addOns": [{"name": "more", "plan": "half", "start": "2027-01-10", "end": "2027-01-20"}]});
    let scene = scene.subscribes("large", &more);
    for (at, allotted) in [("2027-01-09", 120), ("2027-01-10", 150), ("2027-01-20", 150), ("2027-01-21", 120)] {
        let answer = scene.ask_for("units", at, "1", None);
        let told = (answer.amount.unwrap(), answer.usage.unwrap().allotted.unwrap());
        assert_eq!(told, (allotted.to_string(), allotted.to_string()), "{at}");
    }
}
