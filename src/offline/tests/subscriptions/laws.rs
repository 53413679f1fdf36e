//! Generated histories, told to the model, and to what is held against it.

use super::{
    course::{Onlooker, course},
    generate::{Happening, Tale, TaleTelling, tale},
    gifts::{PlainVerdict, SubscriptionVerdict},
    memory::PlainMemory,
    operator::PlainOperator,
};
use crate::{
    api::{EntitlementDefinition, EntitlementInstance, EntitlementPlan, EntitlementSubscription, Organization},
    core::calendar::{Instant, format_instant},
};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A state that is seen, with what was remembered before, what the model says of it, and what happened last.
struct Sight<'a> {
    telling: &'a TaleTelling,
    before: &'a PlainMemory,
    verdict: &'a PlainVerdict,
    /// None where other things happened before it that nobody saw.
    happening: Option<&'a Happening>,
}

/// Tells a history to the model, and lets `check` look at each state that is seen.
fn tell(tale: &Tale, check: &mut dyn FnMut(&Sight) -> Result<(), TestCaseError>) -> Result<(), TestCaseError> {
    let mut telling = TaleTelling::new(tale);
    let mut memory = PlainMemory::default();
    let mut missed = false;
    for happening in std::iter::once(None).chain(tale.happenings.iter().map(Some)) {
        if let Some(happening) = happening {
            telling.happen(happening);
        }
        if telling.unseen {
            missed = true;
            continue;
        }
        let happening = happening.filter(|_| !std::mem::take(&mut missed));
        let before = memory.clone();
        let verdict = memory.look(&telling.world, telling.now());
        check(&Sight { telling: &telling, before: &before, verdict: &verdict, happening })?;
    }
    Ok(())
}

/// What subscriptions that are in force give.
fn given(verdict: &PlainVerdict) -> BTreeMap<&str, &BTreeMap<String, Option<String>>> {
    let in_force = verdict.subscriptions.iter().filter(|(_, one)| matches!(&*one.phase, "Active" | "Grace"));
    in_force.map(|(name, one)| (name.as_str(), &one.gives)).collect()
}

/// "By the plan's present `rollout`, `Agreed` uses the recorded one": the catalogue's own edits.
fn is_of_the_catalogue(happening: &Happening) -> bool {
    matches!(
        happening,
        Happening::EditPlan(..)
            | Happening::Reprice(..)
            | Happening::Retire(_)
            | Happening::DeletePlan(_)
            | Happening::EditAddOn(..)
            | Happening::DeleteAddOn(_)
            | Happening::DeleteDefinition(_)
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn looking_twice_changes_nothing(tale in tale(12)) {
        tell(&tale, &mut |Sight { telling, before, verdict, .. }| {
            let mut memory = PlainMemory::clone(before);
            memory.look(&telling.world, telling.now());
            let once = memory.clone();
            prop_assert_eq!(&memory.look(&telling.world, telling.now()), *verdict);
            prop_assert_eq!(memory, once);
            Ok(())
        })?;
    }

    /// "Only the lifecycle withdraws", and "what was agreed stays agreed".
    #[test]
    fn the_catalogue_takes_nothing_from_who_agreed(tale in tale(12)) {
        let mut last: Option<PlainVerdict> = None;
        tell(&tale, &mut |Sight { telling, verdict, happening, .. }| {
            let is_for_everyone = |rollout: &Option<String>| rollout.as_deref() == Some("Everyone");
            let plans = telling.world.plans.values().any(|plan| is_for_everyone(&plan.rollout));
            let definitions = telling.world.definitions.values().any(|one| is_for_everyone(&one.rollout));
            let former = last.replace(PlainVerdict::clone(verdict));
            if let (Some(former), Some(happening)) = (&former, happening)
                && is_of_the_catalogue(happening) && !plans && !definitions
            {
                for (name, amounts) in given(former) {
                    let after = &verdict.subscriptions[name];
                    prop_assert!(matches!(&*after.phase, "Active" | "Grace"), "{} is {}", name, after.phase);
                    for (definition, amount) in amounts {
                        prop_assert!(after.gives.contains_key(definition), "{name} gave {definition} {amount:?}");
                    }
                }
            }
            Ok(())
        })?;
    }

    /// Everything is as the model says.
    #[test]
    fn every_history_is_decided_as_the_contract_says(tale in tale(12)) {
        let mut operator = PlainOperator::default();
        tell(&tale, &mut |Sight { telling, verdict, .. }| {
            let now = telling.now();
            let found = operator.look(&telling.world, now);
            check(&found, verdict, now)
        })?;
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases() / 4, ..ProptestConfig::default() })]

    /// Statuses and the summary say what comes, as the model goes on to tell it.
    #[test]
    fn what_comes_is_told_as_the_contract_says(tale in tale(4)) {
        let mut operator = PlainOperator::default();
        tell(&tale, &mut |Sight { telling, before, .. }| {
            operator.look(&telling.world, telling.now());
            check_next(&operator, &course(&telling.world, before, telling.now()))
        })?;
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    /// Plans and instances of the model, and what the organization holds of these, are those of the code.
    #[test]
    fn plans_and_instances_are_as_the_model_says(tale in tale(12)) {
        let mut telling = TaleTelling::new(&tale);
        let (mut memory, mut operator) = (PlainMemory::default(), PlainOperator::default());
        for happening in std::iter::once(None).chain(tale.happenings.iter().map(Some)) {
            if let Some(happening) = happening {
                telling.happen(happening);
            }
            telling.world.subscriptions.clear();
            if !telling.unseen {
                let now = telling.now();
                prop_assert_eq!(operator.look(&telling.world, now), memory.look(&telling.world, now), "at {}", now);
            }
        }
    }

    /// Between two moments of the course nothing changes.
    #[test]
    fn the_course_names_every_change(tale in tale(0)) {
        tell(&tale, &mut |Sight { telling, before, .. }| {
            let told = course(&telling.world, before, telling.now());
            let mut memory = PlainMemory::clone(before);
            for ((_, state), (next, _)) in told.iter().zip(told.iter().skip(1)) {
                let verdict = memory.look(&telling.world, *next - chrono::TimeDelta::seconds(1));
                prop_assert_eq!(&verdict, state);
            }
            Ok(())
        })?;
    }
}

/// What the histories come to, so that a law that is kept is not kept for want of cases.
#[test]
fn the_histories_meet_everything() {
    let mut met: BTreeMap<String, usize> = BTreeMap::new();
    let mut runner = TestRunner::deterministic();
    for _ in 0..600 {
        let tale = tale(12).new_tree(&mut runner).unwrap().current();
        tell(&tale, &mut |Sight { verdict, .. }| {
            let reasons = verdict.plans.values().flatten().map(|reason| format!("plan {reason}"));
            let of_one = |one: &SubscriptionVerdict| {
                let left_out = one.left_out.iter().map(|(list, _)| format!("left out {list}"));
                let amendments = one.amendments.values().map(|state| format!("amendment {state}"));
                let removed = one.removed.iter().map(|_| "removed".to_owned());
                let amounts = one.gives.values().map(|amount| match amount.as_deref() {
                    Some("Unlimited") => "gives Unlimited".to_owned(),
                    Some("0") => "gives 0".to_owned(),
                    Some(_) => "gives some".to_owned(),
                    None => "gives a Feature".to_owned(),
                });
                let state = [one.phase.clone(), one.reason.clone().unwrap_or_default()];
                let renewed = one.renewed_by.iter().map(|_| "renewed".to_owned());
                left_out.chain(amendments).chain(removed).chain(amounts).chain(state).chain(renewed).collect::<Vec<_>>()
            };
            for one in reasons.chain(verdict.subscriptions.values().flat_map(of_one)) {
                *met.entry(one).or_default() += 1;
            }
            Ok(())
        })
        .unwrap();
    }
    let expected = [
        "Active",
        "Cancelled",
        "Draft",
        "Duplicate",
        "Expired",
        "Grace",
        "InvalidTerm",
        "NamespaceNotAllowed",
        "PlanNotFound",
        "PlanNotReady",
        "PlanRetired",
        "Rejected",
        "RenewalInvalid",
        "Suspended",
        "Waiting",
        "amendment Effective",
        "amendment Ignored",
        "amendment Pending",
        "amendment Revoked",
        "gives 0",
        "gives Unlimited",
        "gives a Feature",
        "gives some",
        "left out add",
        "left out addOns",
        "left out remove",
        "plan DefinitionNotFound",
        "plan DefinitionNotReady",
        "plan DuplicateEntitlement",
        "plan IncludeCycle",
        "plan IncludeNotFound",
        "plan IncludeNotReady",
        "plan InvalidAmount",
        "removed",
        "renewed",
    ];
    for one in expected {
        assert!(met.get(one).is_some_and(|times| *times >= 20), "{one}: {:?} times", met.get(one));
    }
}

/// Nothing that the model reads is misspelt in the manifests.
#[test]
fn each_manifest_is_an_object_of_its_kind() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..40 {
        let mut telling = TaleTelling::new(&tale(12).new_tree(&mut runner).unwrap().current());
        telling.world.subscriptions.values_mut().for_each(|made| made.spec.agreement = Some("2027".to_owned()));
        for manifest in telling.world.manifests() {
            let read = |manifest: &Value| match manifest["kind"].as_str().unwrap() {
                "Organization" => json!(Organization::deserialize(manifest).unwrap()),
                "EntitlementDefinition" => json!(EntitlementDefinition::deserialize(manifest).unwrap()),
                "EntitlementPlan" => json!(EntitlementPlan::deserialize(manifest).unwrap()),
                "EntitlementSubscription" => json!(EntitlementSubscription::deserialize(manifest).unwrap()),
                _ => json!(EntitlementInstance::deserialize(manifest).unwrap()),
            };
            assert_eq!(lost(&manifest["spec"], &read(&manifest)["spec"]), None, "{manifest:#}");
        }
    }
}

/// The first field with something in it that is not the same in what was read.
fn lost(written: &Value, read: &Value) -> Option<String> {
    match written {
        Value::Object(fields) => {
            fields.iter().find_map(|(name, value)| lost(value, &read[name]).map(|below| format!("{name}.{below}")))
        }
        Value::Array(items) => (0..)
            .zip(items)
            .find_map(|(index, item): (usize, _)| lost(item, &read[index]).map(|below| format!("{index}.{below}"))),
        Value::Bool(false) => None,
        // A whole number may be written as a text.
        other => (other != read && other.as_str() != Some(&read.to_string())).then(|| format!("{other} is {read}")),
    }
}

/// Compares part by part, so that what differs is told.
fn check(found: &PlainVerdict, expected: &PlainVerdict, now: Instant) -> Result<(), TestCaseError> {
    let at = format_instant(now);
    prop_assert_eq!(&found.plans, &expected.plans, "plans at {}: the code, and the model", at);
    prop_assert_eq!(&found.served, &expected.served, "entries of plans at {}: the code, and the model", at);
    for (name, one) in &expected.subscriptions {
        let found = comparable(&found.subscriptions[name], one);
        prop_assert_eq!(&found, one, "{} at {}: the code, and the model", name, at);
    }
    prop_assert_eq!(&found.instances, &expected.instances, "instances at {}: the code, and the model", at);
    prop_assert_eq!(&found.held, &expected.held, "held at {}: the code, and the model", at);
    Ok(())
}

/// "`nextTransition`, `validFrom`/`validUntil` … know windows, amendments and add-ons as they know a term."
fn check_next(operator: &PlainOperator, told: &[(Instant, PlainVerdict)]) -> Result<(), TestCaseError> {
    let (now, first) = &told[0];
    let face = |one: &SubscriptionVerdict| SubscriptionVerdict {
        left_out: BTreeSet::new(),
        removed: BTreeSet::new(),
        renewed_by: None,
        ..one.clone()
    };
    // While one is suspended its windows are told too, though they change nothing then.
    for (name, one) in first.subscriptions.iter().filter(|(_, one)| one.phase != "Suspended") {
        let changes = |(_, later): &&(Instant, PlainVerdict)| face(&later.subscriptions[name]) != face(one);
        let next = told.iter().find(changes).map(|(at, later)| (*at, later.subscriptions[name].phase.clone()));
        let next = next.filter(|_| !matches!(one.phase.as_str(), "Draft" | "Cancelled"));
        prop_assert_eq!(operator.next(name), next, "next of {} at {}: the code, and the model", name, now);
    }
    // An entry that is left out now may count once an amendment has changed the plan, which is not told ahead.
    if first.subscriptions.values().any(|one| !one.left_out.is_empty()) {
        return Ok(());
    }
    for (definition, (is_held, from, until)) in operator.valid() {
        let has = |(_, verdict): &&(Instant, PlainVerdict)| verdict.held.contains_key(&definition);
        let Some(start) = told.iter().position(|one| has(&one)) else {
            prop_assert_eq!((is_held, from), (false, None), "{} at {} is never held", definition, now);
            continue;
        };
        let end = told[start..].iter().find(|one| !has(one)).map(|(at, _)| *at);
        prop_assert_eq!(until, end, "until when {} is held at {}: the code, and the model", &definition, now);
        if !is_held {
            prop_assert_eq!(
                from,
                Some(told[start].0),
                "when {} comes at {}: the code, and the model",
                &definition,
                now
            );
        }
    }
    Ok(())
}

/// What the code says, without what the model has no word for.
fn comparable(found: &SubscriptionVerdict, expected: &SubscriptionVerdict) -> SubscriptionVerdict {
    let is_alive = matches!(found.phase.as_str(), "Waiting" | "Active" | "Grace" | "Suspended");
    let left_out = if is_alive { found.left_out.clone() } else { expected.left_out.clone() };
    // Beside what is away now there is what will be.
    let has_all = found.removed.is_superset(&expected.removed);
    let removed = if has_all { expected.removed.clone() } else { found.removed.clone() };
    let compared = SubscriptionVerdict { left_out, removed, parts: expected.parts.clone(), ..found.clone() };
    if found.phase != "Cancelled" {
        return compared;
    }
    // Amendments come to nothing any more.
    SubscriptionVerdict { amendments: expected.amendments.clone(), plan: expected.plan.clone(), ..compared }
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(64)
}
