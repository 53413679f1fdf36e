//! Generated histories, told to the model, and to what is held against it.

use super::{
    generate::{Story, StoryTelling, StoryTurn, story},
    model::{ExceptionMemory, ExceptionOutcome, ExceptionState, look, moments},
    operator::ExceptionOperator,
    plain::ExceptionWorld,
};
use crate::{
    core::{
        calendar::{Instant, format_instant},
        source::SourceKind,
    },
    offline::{Bounds, tests::summary::flag},
};
use chrono::TimeDelta;
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A state that is seen.
struct ExceptionSight<'a> {
    world: &'a ExceptionWorld,
    now: Instant,
    /// What the model makes of it, and what it remembers then.
    said: &'a ExceptionState,
    memory: &'a ExceptionMemory,
    found: &'a ExceptionState,
    operator: &'a ExceptionOperator,
}

impl ExceptionSight<'_> {
    /// What the model says from now on, by time alone: each moment at which anything could change, with the state then.
    fn course(&self) -> Vec<(Instant, ExceptionState)> {
        let mut memory = self.memory.clone();
        let mut told = vec![(self.now, self.said.clone())];
        let mut now = self.now;
        while let Some(next) = moments(self.world, &memory, now).into_iter().find(|at| *at > now) {
            now = next;
            told.push((now, look(self.world, &mut memory, now)));
        }
        told
    }
}

/// Tells a history to the model and to the code, and lets `check` look at each state that is seen.
fn tell(
    story: &Story,
    check: &mut dyn FnMut(&ExceptionSight) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let mut telling = StoryTelling::new(story);
    let (mut memory, mut operator) = (ExceptionMemory::default(), ExceptionOperator::default());
    for turn in std::iter::once(None).chain(story.turns.iter().map(Some)) {
        if let Some(turn) = turn {
            telling.turn(turn);
        }
        if telling.is_missed {
            continue;
        }
        if let Some(StoryTurn::Forget) = turn {
            memory.forget();
            operator.forget();
        }
        let (world, now) = (&telling.world, telling.now);
        let said = look(world, &mut memory, now);
        let found = operator.look(&world.manifests(), now);
        check(&ExceptionSight { world, now, said: &said, memory: &memory, found: &found, operator: &operator })?;
    }
    Ok(())
}

/// Compares part by part, so that what differs is told.
fn same(found: &ExceptionState, said: &ExceptionState, now: Instant) -> Result<(), TestCaseError> {
    let now = format_instant(now);
    for (name, one) in &said.requests {
        prop_assert_eq!(&found.requests[name], one, "{} at {}: the code, and the model", name, now);
    }
    prop_assert_eq!(&found.held, &said.held, "held at {}: the code, and the model", now);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases() * 2, ..ProptestConfig::default() })]

    /// Everything is as the model says, and stays so if one looks again.
    #[test]
    fn every_story_is_decided_as_the_contract_says(story in story(14)) {
        tell(&story, &mut |sight| {
            same(sight.found, sight.said, sight.now)?;
            let mut again = sight.operator.clone();
            again.look(&sight.world.manifests(), sight.now);
            prop_assert_eq!(&again.statuses, &sight.operator.statuses);
            Ok(())
        })?;
    }

    /// "are final: later decisions, deletions and edits of the definition change nothing"
    #[test]
    fn what_is_settled_stays_settled(story in story(14)) {
        let story = story.without_forgetting();
        let mut settled: BTreeMap<String, ExceptionOutcome> = BTreeMap::new();
        tell(&story, &mut |sight| {
            for (name, verdict) in &sight.found.requests {
                let uid = sight.world.requests[name].uid.clone();
                if let Some(known) = settled.get(&uid) {
                    prop_assert_eq!(verdict.settled.as_ref(), Some(known), "{}", name);
                } else if let Some(now) = &verdict.settled {
                    settled.insert(uid, now.clone());
                }
            }
            Ok(())
        })?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases() / 2, ..ProptestConfig::default() })]

    /// "the next moment at which its phase, reason, start, end … changes by time alone", and the operator looks again then; what
    /// is held then is what the flags of now have told.
    #[test]
    fn what_comes_by_itself_is_told_before(story in story(10)) {
        tell(&story, &mut |sight| {
            let course = sight.course();
            for (name, one) in &sight.said.requests {
                let face = |state: &ExceptionState| {
                    let one = &state.requests[name];
                    (one.phase, one.reason, one.term)
                };
                let next = course.iter().find(|(_, state)| face(state) != face(sight.said));
                let next = next.map(|(at, state)| json!({"at": format_instant(*at), "phase": state.requests[name].phase}));
                let next = next.filter(|_| one.phase != "Cancelled");
                let told = transition(sight, name);
                prop_assert_eq!(told, next.unwrap_or(Value::Null), "next of {} at {}: the code, and the model", name, sight.now);
            }
            let next = course.iter().find(|(_, state)| state != sight.said).map(|(at, _)| *at);
            let is_awake = next.is_none_or(|next| sight.operator.next.is_some_and(|at| at <= next));
            prop_assert!(is_awake, "{:?} is too late for {:?}", sight.operator.next, next);
            if let Some(flags) = sight.operator.flags() {
                foretold(&flags, &course)?;
            }
            Ok(())
        })?;
    }

    /// Nothing changes before the operator looks again.
    #[test]
    fn in_between_nothing_changes(story in story(10), part in 0i64..1000) {
        tell(&story, &mut |sight| {
            let Some(next) = sight.operator.next else { return Ok(()) };
            prop_assert!(next > sight.now);
            let seconds = (next - sight.now).num_seconds() / 1000 * part;
            for at in [sight.now + TimeDelta::seconds(seconds), next - TimeDelta::seconds(1)] {
                let mut later = sight.operator.clone();
                later.look(&sight.world.manifests(), at);
                prop_assert_eq!(&later.statuses, &sight.operator.statuses, "at {}", at);
            }
            Ok(())
        })?;
    }

    /// The timeline is what looking at one moment after the other gives.
    #[test]
    fn the_timeline_is_what_looking_on_gives(story in story(8)) {
        tell(&story, &mut |sight| {
            let inventory = sight.operator.inventory(&sight.world.manifests(), sight.now);
            let bounds = Bounds { from: sight.now.into(), to: None, steps: 1000, work: 1_000_000 };
            let timeline = inventory.timeline(&bounds, |_| true);
            let mut told = Vec::new();
            for step in timeline.steps.iter().filter(|step| step.at > sight.now) {
                let own = step.grants.iter().filter(|change| change.grant.source.kind == SourceKind::Override && change.is_transition());
                told.extend(own.map(|change| (step.at, change.grant.source.name.to_string(), change.after.phase.as_str())));
            }
            let course = sight.course();
            let mut looked = Vec::new();
            for ((_, before), (at, after)) in course.iter().zip(course.iter().skip(1)) {
                let changed = after.requests.iter().filter(|(name, one)| before.requests[*name].phase != one.phase);
                looked.extend(changed.map(|(name, one)| (*at, name.clone(), one.phase)));
            }
            prop_assert_eq!(told, looked, "the timeline, and the model");
            Ok(())
        })?;
    }
}

fn transition(sight: &ExceptionSight, name: &str) -> Value {
    let uid = format!("\"EntitlementOverride\"/\"{}\"", sight.world.requests[name].uid);
    sight.operator.statuses[&uid]["nextTransition"].clone()
}

/// What is held at each moment is what the flags tell of it.
fn foretold(flags: &Value, course: &[(Instant, ExceptionState)]) -> Result<(), TestCaseError> {
    if flags["flags"].get("seats").is_none() {
        // What is only asked for is not in the summary, be it decided already.
        let is_asked_for = course[0].1.requests.values().any(|one| one.phase == "Requested");
        prop_assert!(is_asked_for || course.iter().all(|(_, state)| state.held.is_none()), "no flag");
        return Ok(());
    }
    for (at, state) in course {
        let flag = flag(flags, "seats", *at);
        let is_feature = flag.is_boolean();
        let shown = match state.held.as_deref() {
            None if is_feature => json!(false),
            None => json!(0),
            Some("on") => json!(true),
            Some("Unlimited") => json!(9_007_199_254_740_991_u64),
            Some(amount) => amount.parse().unwrap(),
        };
        prop_assert_eq!(flag, &shown, "the flag, and the model, at {}", at);
    }
    Ok(())
}

/// What the histories come to, so that a law that is kept is not kept for want of cases.
#[test]
fn the_stories_meet_everything() {
    let mut met: BTreeMap<String, usize> = BTreeMap::new();
    let mut runner = TestRunner::deterministic();
    for _ in 0..500 {
        let story = story(14).new_tree(&mut runner).unwrap().current();
        let mut telling = StoryTelling::new(&story);
        let mut memory = ExceptionMemory::default();
        for turn in &story.turns {
            telling.turn(turn);
            let state = look(&telling.world, &mut memory, telling.now);
            for one in state.requests.values() {
                let settled = match &one.settled {
                    Some(ExceptionOutcome::Accepted { .. }) => "accepted",
                    Some(ExceptionOutcome::Denied { .. }) => "denied",
                    Some(ExceptionOutcome::Expired { .. }) => "expired",
                    None => "open",
                };
                let approvals = one.approvals.clone().map(|approvals| format!("has {approvals}"));
                let told =
                    [Some(one.phase.to_owned()), one.reason.map(str::to_owned), Some(settled.to_owned()), approvals];
                for one in told.into_iter().flatten() {
                    *met.entry(one).or_default() += 1;
                }
            }
        }
    }
    let expected = [
        "Active",
        "Cancelled",
        "Expired",
        "Rejected",
        "Requested",
        "Suspended",
        "Waiting",
        "OrganizationNotFound",
        "NamespaceNotAllowed",
        "OrganizationNotReady",
        "DefinitionNotFound",
        "DefinitionNotReady",
        "OverridesRefused",
        "InvalidAmount",
        "InvalidTerm",
        "Denied",
        "ApprovalExpired",
        "ApprovalRequired",
        "accepted",
        "denied",
        "expired",
        "open",
        "has 0/1",
        "has 0/2",
        "has 1/2",
        "has 1/3",
    ];
    for one in expected {
        assert!(met.get(one).is_some_and(|times| *times >= 5), "{one}: {:?} times", met.get(one));
    }
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(64)
}
