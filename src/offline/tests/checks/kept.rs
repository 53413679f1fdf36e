//! What was decided of a meter within a second is as good as what is decided anew.

use super::scene::CheckScene;
use crate::{
    core::{
        calendar::{Instant, parse_instant},
        usage::{ledger::Ledger, memory::Memory, register::Register},
    },
    evaluation::{
        Snapshot,
        catalogue::CompiledDefinition,
        check::CheckAnswer,
        decision::decide_metered,
        usage::{AskedMoment, Heard, MeterFacts},
        uses::{KeptDecision, UseChange, UseJudge, UsePut, UseQuestion, UseRefusal, UseVerdict},
    },
};
use chrono::TimeDelta;
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// A client that uses something, and what an operator has in memory of that.
struct UseHistory {
    now: Instant,
    registers: BTreeMap<String, Register>,
    facts: Arc<MeterFacts>,
    kept: Option<KeptDecision>,
}

/// One use, so long after the one before.
#[derive(Clone, Debug)]
struct Step {
    milliseconds: i64,
    /// What is held by then.
    held: usize,
    /// What is remembered meanwhile.
    memory: Remembered,
    /// It does not come to the disk.
    is_lost: bool,
    key: &'static str,
    change: UseChange,
}

/// What becomes of what is remembered.
#[derive(Clone, Copy, Debug)]
enum Remembered {
    Same,
    /// What is held is written down.
    Noted,
    /// Another replica has begun anew.
    Nothing,
}

type Judged = Result<(UseVerdict, bool, CheckAnswer), UseRefusal>;

impl UseHistory {
    fn step(&mut self, held: &[Snapshot], step: &Step) -> (Judged, Judged) {
        self.now += TimeDelta::milliseconds(step.milliseconds);
        let (units, snapshot) = (Arc::from("units"), Arc::new(held[step.held].clone()));
        let noted = || {
            let decided = decide_metered(&snapshot, &units, Arc::clone(&self.facts), AskedMoment::present(self.now));
            decided.meters.get(&units).map(|meter| meter.memory.clone()).unwrap_or_default()
        };
        let memory = match step.memory {
            Remembered::Same => None,
            Remembered::Noted => Some(noted()),
            Remembered::Nothing => Some(Memory::default()),
        };
        if let Some(memory) = memory {
            self.facts = Arc::new(MeterFacts { memory: Arc::new(memory), ..MeterFacts::clone(&self.facts) });
        }
        let serving = snapshot.catalogue["units"].serving.clone().unwrap();
        let mut as_kept = UseJudge::after(&snapshot, self.kept.take());
        let (found, facts) = self.judged(&mut as_kept, &units, &serving, step);
        let (expected, _) = self.judged(&mut UseJudge::after(&snapshot, None), &units, &serving, step);
        self.kept = as_kept.into_kept();
        if let (Ok((UseVerdict::Count(register), ..)), false) = (&found, step.is_lost) {
            self.registers.insert(step.key.to_owned(), register.clone());
            self.facts = facts;
        }
        (found, expected)
    }

    /// With what is known once it is done.
    fn judged(
        &self,
        judge: &mut UseJudge,
        units: &Arc<str>,
        serving: &CompiledDefinition,
        step: &Step,
    ) -> (Judged, Arc<MeterFacts>) {
        let (definition, known) = (&serving.terms, self.registers.get(step.key));
        let question = UseQuestion { entitlement: units, definition, known, change: &step.change, now: self.now };
        let judgement = match judge.judge(&self.facts, &question) {
            Ok(judgement) => judgement,
            Err(refusal) => return (Err(refusal), Arc::clone(&self.facts)),
        };
        let (verdict, is_unentitled) = (judgement.verdict.clone(), judgement.is_unentitled);
        let mut facts = Arc::clone(&self.facts);
        if let UseVerdict::Count(register) = &verdict {
            let mut registers = self.registers.clone();
            registers.insert(step.key.to_owned(), register.clone());
            let ledger = Arc::new(Ledger::of(registers.values()).unwrap());
            facts = Arc::new(MeterFacts { ledger, ..MeterFacts::clone(&facts) });
        }
        let settled = judge.settle(judgement, &question, &facts);
        (Ok((verdict, is_unentitled, settled.answer(definition))), facts)
    }
}

/// One of a few seconds.
fn near() -> impl Strategy<Value = String> {
    (0..4u32).prop_map(|second| format!("2027-01-10T12:00:0{second}Z"))
}

fn since() -> impl Strategy<Value = String> {
    prop_oneof![Just("2027-01-01".to_owned()), near()]
}

fn usage() -> impl Strategy<Value = Value> {
    let period = select(vec!["P1M", "P1D", "none", "Held"]);
    (period, any::<bool>(), option::of(0..5u32)).prop_map(|(period, is_soft, phone)| {
        let mut usage = json!({
            "mode": if period == "Held" { "Held" } else { "Consumed" }, "limit": if is_soft { "Soft" } else { "Hard" },
            "channels": [{"name": "phone", "amount": phone.map_or(json!("Unlimited"), |cap| json!(cap))}],
        });
        if period.starts_with('P') {
            usage["period"] = period.into();
        }
        usage
    })
}

fn grant() -> impl Strategy<Value = Value> {
    let amended = option::of((near(), 0..9u32));
    (1..9u32, since(), option::of(near()), amended, prop::bool::weighted(0.1)).prop_map(
        |(amount, start, end, amended, suspended)| {
            let mut grant = json!({"amount": amount, "start": start, "suspended": suspended});
            if let Some(end) = end {
                grant["end"] = end.into();
            }
            if let Some((effective, amount)) = amended {
                grant["amendments"] = json!([{"name": "then", "effective": effective, "amount": amount}]);
            }
            grant
        },
    )
}

/// A subscription to a plan of six, and from a moment on to one of two.
fn subscription() -> impl Strategy<Value = Value> {
    (since(), option::of(near())).prop_map(|(start, changed)| {
        let amendments = changed.map(|effective| json!({"name": "smaller", "effective": effective, "plan": "small"}));
        json!({"start": start, "amendments": amendments.into_iter().collect::<Vec<_>>()})
    })
}

fn change() -> impl Strategy<Value = UseChange> {
    let channel = option::of(select(vec!["phone", "chat"]));
    let put = (0..5u32, channel, option::of(near()), prop::bool::weighted(0.2));
    let put = put.prop_map(|(amount, channel, at, always)| {
        let at = at.map(|at| parse_instant(&at).unwrap());
        UseChange::Put(UsePut { amount: amount.into(), channel: channel.map(Into::into), at, as_of: None, always })
    });
    prop_oneof![9 => put, 1 => Just(UseChange::TakeBack)]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let delay = prop_oneof![Just(0), 1..50i64, 1..1500i64];
    let held = prop_oneof![9 => Just(0), 1 => Just(1usize)];
    let memory = prop_oneof![6 => Just(Remembered::Same), 3 => Just(Remembered::Noted), 1 => Just(Remembered::Nothing)];
    let step = (delay, held, memory, prop::bool::weighted(0.1), select(vec!["a", "b", "c"]), change());
    let step = step.prop_map(|(milliseconds, held, memory, is_lost, key, change)| Step {
        milliseconds,
        held,
        memory,
        is_lost,
        key,
        change,
    });
    vec(step, 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_kept_decision_says_what_a_new_one_does(
        usage in usage(), grants in vec(grant(), 1..4), others in vec(grant(), 1..3),
        subscription in option::of(subscription()), steps in steps(),
    ) {
        let scene = CheckScene::metered(&usage);
        let scene = subscription.iter().fold(scene, |scene, subscription| {
            scene.plan("large", 6, &json!({})).plan("small", 2, &json!({})).subscribes("large", subscription)
        });
        let named = |grants: Vec<Value>| (0..).map(|index: u32| format!("g{index}")).zip(grants).collect::<Vec<_>>();
        let with = |grants: &[(String, Value)]| grants.iter().fold(scene.clone(), |scene, (name, one)| scene.grant(name, one));
        let held = [named(grants), named(others)].map(|grants| {
            let scene = with(&grants);
            scene.0.snapshots(&scene.0.catalogue()).remove(0)
        });
        let (memory, ledger) = (Arc::new(Memory::default()), Arc::new(Ledger::default()));
        let mut history = UseHistory {
            now: parse_instant("2027-01-10T12:00:00Z").unwrap(),
            registers: BTreeMap::new(),
            facts: Arc::new(MeterFacts { memory, ledger, heard: Some(Heard::Always) }),
            kept: None,
        };
        for step in &steps {
            let (found, expected) = history.step(&held, step);
            prop_assert_eq!(found, expected, "{:?} at {}", step, history.now);
        }
    }
}
