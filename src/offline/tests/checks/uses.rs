//! What becomes of uses that are asked for one after the other.

use super::scene::{CheckScene, told};
use crate::{
    core::{
        calendar::{Instant, parse_instant},
        usage::{ledger::Ledger, memory::Memory, register::Register},
    },
    evaluation::{
        Snapshot,
        usage::{Heard, MeterFacts},
        uses::{UseChange, UseJudge, UsePut, UseQuestion, UseVerdict},
    },
};
use rstest::rstest;
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

/// Who is asked, with what was counted by now.
struct UseDesk {
    snapshot: Snapshot,
    registers: BTreeMap<String, Register>,
}

/// `2027-01-10` or `2027-01-10T12:00:00Z`
fn moment(text: &str) -> Instant {
    parse_instant(text).or_else(|_| parse_instant(&format!("{text}T00:00:00Z"))).unwrap()
}

fn put(amount: &str) -> UsePut {
    UsePut { amount: amount.parse().unwrap(), channel: None, at: None, as_of: None, always: false }
}

/// `5 by phone at 2027-01-10 always`
fn read(said: &str) -> UseChange {
    let mut words = said.split(' ');
    let first = words.next().unwrap();
    if first == "back" {
        return UseChange::TakeBack;
    }
    let mut change = put(first);
    while let Some(word) = words.next() {
        match word {
            "by" => change.channel = words.next().map(Into::into),
            "at" => change.at = words.next().map(moment),
            "as-of" => change.as_of = words.next().map(moment),
            "always" => change.always = true,
            _ => panic!("{word}"),
        }
    }
    UseChange::Put(change)
}

impl UseDesk {
    fn of(scene: &CheckScene) -> Self {
        Self { snapshot: scene.0.snapshots(&scene.0.catalogue()).remove(0), registers: BTreeMap::new() }
    }

    /// `yes: Allowed, 9 left` of what is counted; `no: Exhausted, 0 left`; or why nothing is decided.
    fn says(&mut self, now: &str, key: &str, said: &str) -> String {
        let (now, units) = (moment(now), Arc::from("units"));
        let serving = self.snapshot.catalogue["units"].serving.clone().unwrap();
        let change = read(said);
        let known = self.registers.get(key).cloned();
        let question = UseQuestion {
            entitlement: &units,
            definition: &serving.terms,
            known: known.as_ref(),
            change: &change,
            now,
        };
        let facts = facts_of(&self.registers);
        let snapshot = Arc::new(self.snapshot.clone());
        let mut judge = UseJudge::after(&snapshot, None);
        let first = match judge.judge(&facts, &question) {
            Ok(judgement) => judgement,
            Err(refusal) => return refusal.to_string(),
        };
        let first = (first.verdict.clone(), told(&judge.settle(first, &question, &facts).answer(question.definition)));
        // Whoever has judged before says the same of it.
        let again = judge.judge(&facts, &question).unwrap();
        assert_eq!(
            (again.verdict.clone(), told(&judge.settle(again, &question, &facts).answer(question.definition))),
            first
        );
        let judgement = judge.judge(&facts, &question).unwrap();
        let (verdict, is_unentitled) = (judgement.verdict.clone(), judgement.is_unentitled);
        let note = match &verdict {
            UseVerdict::Count(_) if is_unentitled => ", kept",
            UseVerdict::Count(_) => "",
            UseVerdict::Same => ", the same",
            UseVerdict::Older => ", older",
            UseVerdict::Denied => ", denied",
        };
        if let UseVerdict::Count(register) = verdict {
            self.registers.insert(key.to_owned(), register);
        }
        let settled = judge.settle(judgement, &question, &facts_of(&self.registers));
        let answer = settled.answer(question.definition);
        let left = answer.usage.as_ref().and_then(|usage| usage.remaining.clone());
        let left = left.map(|left| format!(", {left} left")).unwrap_or_default();
        format!("{}{left}{note}", told(&answer))
    }
}

fn facts_of(registers: &BTreeMap<String, Register>) -> Arc<MeterFacts> {
    let ledger = Ledger::of(registers.values()).unwrap();
    Arc::new(MeterFacts { memory: Arc::new(Memory::default()), ledger: Arc::new(ledger), heard: Some(Heard::Always) })
}

fn monthly(amount: u32) -> CheckScene {
    CheckScene::monthly().grant("a", &json!({ "amount": amount }))
}

fn held(amount: u32) -> CheckScene {
    CheckScene::metered(&json!({"mode": "Held"})).grant("a", &json!({ "amount": amount }))
}

fn by_channels(other: &str) -> CheckScene {
    let channels = json!([{"name": "phone", "amount": 8}, {"name": "email", "amount": 2}]);
    let usage = json!({"mode": "Consumed", "period": "P1M", "channels": channels, "otherChannels": other});
    CheckScene::metered(&usage).grant("a", &json!({"amount": 10}))
}

/// When, which key, what is said of it, and the answer.
type Said<'a> = (&'a str, &'a str, &'a str, &'a str);

#[rstest]
#[case::each_key_once(monthly(2), &[
    ("2027-01-10", "a", "1", "yes: Allowed, 1 left"),
    ("2027-01-10", "a", "1", "yes: Allowed, 1 left, the same"),
    ("2027-01-10", "b", "1", "yes: Allowed, 0 left"),
    ("2027-01-10", "c", "1", "no: Exhausted, 0 left, denied"),
    ("2027-01-10", "b", "1", "yes: Allowed, 0 left, the same"),
])]
#[case::a_case_that_takes_longer(monthly(10), &[
    ("2027-01-10", "case", "0", "yes: Allowed, 10 left"),
    ("2027-01-11", "case", "0.5", "yes: Allowed, 9.5 left"),
    ("2027-01-12", "case", "0.75", "yes: Allowed, 9.25 left"),
    ("2027-01-12", "case", "10.25", "no: Exhausted, 9.25 left, denied"),
    ("2027-01-12", "case", "10", "yes: Allowed, 0 left"),
    ("2027-01-12", "case", "back", "yes: Allowed, 10 left"),
    ("2027-01-12", "case", "back", "yes: Allowed, 10 left, the same"),
])]
#[case::less_is_always_allowed(monthly(10), &[
    ("2027-01-10", "a", "15 always", "no: Exhausted, 0 left"),
    ("2027-01-10", "a", "14", "yes: Allowed, 0 left"),
    ("2027-01-10", "a", "15", "no: Exhausted, 0 left, denied"),
    ("2027-01-10", "a", "3", "yes: Allowed, 7 left"),
])]
#[case::as_at_the_last_moment_of_its_period(monthly(10), &[
    ("2027-01-31T12:00:00Z", "late", "10", "yes: Allowed, 0 left"),
    ("2027-02-01T12:00:00Z", "late", "11", "no: Exhausted, 0 left, denied"),
    ("2027-02-01T12:00:00Z", "late", "9", "yes: Allowed, 1 left"),
    ("2027-02-01T12:00:00Z", "new", "2 at 2027-01-31", "no: Exhausted, 1 left, denied"),
    ("2027-02-01T12:00:00Z", "new", "2", "yes: Allowed, 8 left"),
])]
#[case::too_late(monthly(10), &[
    ("2027-01-31T12:00:00Z", "late", "5", "yes: Allowed, 5 left"),
    ("2027-02-02T00:00:00Z", "late", "5", "yes: Allowed, 5 left, the same"),
    ("2027-02-01T23:59:59Z", "late", "4", "yes: Allowed, 6 left"),
    ("2027-02-02T00:00:00Z", "late", "3", "its period ended at 2027-02-01T00:00:00Z, and uses of it were taken until \
      2027-02-02T00:00:00Z: correct it with an EntitlementUsage"),
    ("2027-02-02T00:00:00Z", "late", "back", "its period ended at 2027-02-01T00:00:00Z, and uses of it were taken until \
      2027-02-02T00:00:00Z: correct it with an EntitlementUsage"),
    ("2027-02-02T00:00:00Z", "late", "4 at 2027-02-02", "its period ended at 2027-02-01T00:00:00Z, and uses of it were \
      taken until 2027-02-02T00:00:00Z: correct it with an EntitlementUsage"),
])]
#[case::what_was_taken_back_begins_anew(monthly(10), &[
    ("2027-01-10", "a", "5", "yes: Allowed, 5 left"),
    ("2027-01-10", "a", "back", "yes: Allowed, 10 left"),
    ("2027-03-10", "a", "7", "yes: Allowed, 3 left"),
])]
#[case::into_another_period(monthly(10), &[
    ("2027-01-31T12:00:00Z", "a", "8", "yes: Allowed, 2 left"),
    ("2027-02-01T12:00:00Z", "b", "3", "yes: Allowed, 7 left"),
    ("2027-02-01T12:00:00Z", "a", "8 at 2027-02-01", "no: Exhausted, 7 left, denied"),
    ("2027-02-01T12:00:00Z", "a", "7 at 2027-02-01", "yes: Allowed, 0 left"),
])]
#[case::ahead(monthly(10), &[
    ("2027-01-31T23:58:00Z", "a", "1 at 2027-02-01T00:03:00Z", "yes: Allowed, 9 left"),
    ("2027-01-31T23:58:00Z", "b", "1 at 2027-02-01T00:03:01Z",
     "2027-02-01T00:03:01Z lies more than 5 minutes ahead: send it then"),
])]
#[case::seats(held(2), &[
    ("2027-01-10", "ada", "1", "yes: Allowed, 1 left"),
    ("2027-03-10", "bob", "1 at 2026-01-01", "yes: Allowed, 0 left"),
    ("2027-03-10", "eve", "1", "no: Exhausted, 0 left, denied"),
    ("2028-03-10", "ada", "back", "yes: Allowed, 1 left"),
    ("2028-03-10", "eve", "1", "yes: Allowed, 0 left"),
])]
#[case::channels(by_channels("Allow"), &[
    ("2027-01-10", "a", "2 by email", "yes: Allowed, 8 left"),
    ("2027-01-10", "b", "0.25 by email", "no: ChannelExhausted, 8 left, denied"),
    ("2027-01-10", "b", "1 by chat", "yes: Allowed, 7 left"),
    ("2027-01-10", "a", "2 by phone", "yes: Allowed, 7 left"),
    ("2027-01-10", "c", "2 by email", "yes: Allowed, 5 left"),
    ("2027-01-10", "a", "2 by email", "no: ChannelExhausted, 5 left, denied"),
])]
#[case::less_by_another_channel(by_channels("Allow"), &[
    ("2027-01-10", "a", "15 by phone always", "no: Exhausted, 0 left"),
    ("2027-01-10", "a", "12 by chat", "yes: Allowed, 0 left"),
    ("2027-01-10", "a", "9 by email", "no: ChannelExhausted, 0 left, denied"),
    ("2027-01-10", "a", "9 by chat", "yes: Allowed, 1 left"),
    ("2027-01-10", "a", "8 by phone", "yes: Allowed, 2 left"),
])]
#[case::a_channel_that_is_refused(by_channels("Refuse"), &[
    ("2027-01-10", "a", "1 by chat", "no: ChannelNotCovered, 10 left, denied"),
    ("2027-01-10", "a", "1 by chat always", "no: ChannelNotCovered, 10 left, denied"),
    ("2027-01-10", "a", "1 by email", "yes: Allowed, 9 left"),
])]
#[case::moved_from_where_it_did_not_count(
    CheckScene::metered(&json!({"mode": "Consumed", "period": "P1M", "anchor": "Calendar"}))
        .grant("a", &json!({"amount": 10, "start": "2027-01-05"})),
    &[
        ("2027-01-10", "a", "100 at 2027-01-04 always", "no: Waiting, kept"),
        ("2027-01-10", "a", "100 at 2027-01-06", "no: Exhausted, 10 left, denied"),
        ("2027-01-10", "a", "10 at 2027-01-06", "yes: Allowed, 0 left"),
        ("2027-01-10", "a", "10 at 2027-01-07", "yes: Allowed, 0 left"),
    ],
)]
#[case::less_at_another_moment_is_allowed(monthly(10), &[
    ("2027-01-10", "a", "15 always", "no: Exhausted, 0 left"),
    ("2027-01-10", "a", "14 at 2027-01-09", "yes: Allowed, 0 left"),
    ("2027-01-10", "a", "15 at 2027-01-08", "no: Exhausted, 0 left, denied"),
])]
#[case::moved_from_where_there_was_no_limit(
    monthly(10).grant("b", &json!({"amount": "Unlimited", "start": "2027-01-08", "end": "2027-01-09"})),
    &[
        ("2027-01-20", "a", "100 at 2027-01-08", "yes: Allowed, 10 left"),
        ("2027-01-20", "a", "100 at 2027-01-15", "no: Exhausted, 10 left, denied"),
        ("2027-01-20", "b", "10", "yes: Allowed, 0 left"),
        ("2027-01-20", "c", "5 at 2027-01-08", "yes: Allowed, 0 left"),
        ("2027-01-20", "c", "5 at 2027-01-10", "no: Exhausted, 0 left, denied"),
    ],
)]
#[case::each_grant_is_asked_for_the_uses_of_its_own_time(
    CheckScene::metered(&json!({"mode": "Consumed"}))
        .grant("a", &json!({"amount": 10, "end": "2027-01-14"}))
        .grant("b", &json!({"amount": 100, "start": "2027-01-15"})),
    &[
        ("2027-01-20", "a", "11 at 2027-01-12", "no: Exhausted, 10 left, denied"),
        ("2027-01-20", "a", "10 at 2027-01-12", "yes: Allowed, 0 left"),
        ("2027-01-20", "b", "1 at 2027-01-12", "no: Exhausted, 0 left, denied"),
        ("2027-01-20", "b", "100", "yes: Allowed, 0 left"),
        ("2027-01-20", "a", "back", "yes: Allowed, 10 left"),
        ("2027-01-20", "c", "10 at 2027-01-12", "yes: Allowed, 0 left"),
    ],
)]
#[case::when_nothing_was_held(CheckScene::monthly().grant("a", &json!({"amount": 10, "start": "2027-01-05"})), &[
    ("2027-01-10", "a", "1 at 2027-01-04", "no: Waiting, denied"),
    ("2027-01-10", "a", "1 at 2027-01-04 always", "no: Waiting, kept"),
    ("2027-01-10", "b", "1", "yes: Allowed, 9 left"),
])]
#[case::what_was_reserved_is_settled_after_its_end(
    CheckScene::monthly().grant("a", &json!({"amount": 10, "end": "2027-01-19"})),
    &[
        ("2027-01-19T23:00:00Z", "a", "4", "yes: Allowed, 6 left"),
        ("2027-01-20T01:00:00Z", "a", "6", "yes: Allowed, 4 left"),
        ("2027-01-20T01:00:00Z", "b", "1", "no: Expired, denied"),
        ("2027-01-20T01:00:00Z", "b", "5 at 2027-01-19", "no: Exhausted, 4 left, denied"),
    ],
)]
#[case::what_is_said_as_of_an_earlier_moment(monthly(10), &[
    ("2027-01-10", "a", "4 at 2027-01-08 always as-of 2027-01-09", "yes: Allowed, 6 left"),
    ("2027-01-10", "a", "5 at 2027-01-08 always as-of 2027-01-08", "yes: Allowed, 6 left, older"),
    ("2027-01-10", "a", "5 always as-of 2027-01-10T00:05:01Z",
     "2027-01-10T00:05:01Z lies more than 5 minutes ahead: send it then"),
    ("2027-01-10", "b", "1 always as-of 2027-01-09", "yes: Allowed, 5 left"),
    ("2027-01-10", "b", "back", "yes: Allowed, 6 left"),
    ("2027-01-09", "a", "5", "yes: Allowed, 5 left"),
    ("2027-01-08", "a", "6", "yes: Allowed, 4 left"),
])]
#[case::a_channel_that_is_not_covered_never_counts(by_channels("Refuse"), &[
    ("2027-01-10", "a", "1 by fax always", "no: ChannelNotCovered, 10 left, denied"),
    ("2027-01-10", "a", "1 by fax at 2026-12-31 always", "no: Waiting, denied"),
    ("2027-01-10", "a", "1 by phone at 2026-12-31 always", "no: Waiting, kept"),
])]
#[case::nobody_has_that_key(monthly(10), &[
    ("2027-01-10", "a", "back", "there is no such use of yours: each caller has keys of its own"),
])]
#[case::not_metered(CheckScene::of(&json!({})).grant("a", &json!({"amount": 5})), &[
    ("2027-01-10", "a", "1", "it is not metered: its definition has no usage, so there is nothing to count"),
])]
#[case::from_prometheus(
    CheckScene::metered(&json!({"mode": "Consumed", "period": "P1M", "prometheus": {"query": "increase(u[$bucket])"}}))
        .grant("a", &json!({})),
    &[("2027-01-10", "a", "1", "its usage is taken from Prometheus: uses by the API would be counted twice")],
)]
#[case::beyond_a_soft_limit(
    CheckScene::metered(&json!({"mode": "Consumed", "period": "P1M", "limit": "Soft"})).grant("a", &json!({"amount": 2})),
    &[
        ("2027-01-10", "a", "3", "yes: Overage, 0 left"),
        ("2027-01-10", "a", "2", "yes: Allowed, 0 left"),
    ],
)]
fn uses_are_counted_one_after_the_other(#[case] scene: CheckScene, #[case] said: &[Said]) {
    let mut desk = UseDesk::of(&scene);
    for (now, key, change, expected) in said {
        assert_eq!(desk.says(now, key, change), *expected, "{key} {change} at {now}");
    }
}
