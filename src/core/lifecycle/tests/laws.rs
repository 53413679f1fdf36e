//! Generated histories, compared step by step with the plain model.

use super::{
    Row, World,
    history::{Telling, history},
    oracle::{Judgement, Oracle, Records},
};
use crate::{
    api::Phase,
    core::calendar::{Bound, Instant, format_instant},
};
use chrono::TimeDelta;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Decides, and checks everything that can be checked of it.
fn look(telling: &mut Telling) -> Result<(), TestCaseError> {
    let now = telling.now();
    let oracle = Oracle::new(&telling.world, &telling.records, now);
    let expected = oracle.judge();
    let (rows, in_force) = telling.world.decide(now);
    check_judgements(&expected, &rows)?;
    let mut reversed = telling.world.clone();
    reversed.instances.reverse();
    prop_assert_eq!(&reversed.decide(now).0, &rows, "in another order");
    check_seat(&telling.world, &telling.records, &expected)?;
    let after = records(&expected);
    check_handover(&telling.world, &after, &expected, now)?;
    check_next(&telling.world, &after, &rows, now)?;
    check_in_force(&telling.world, &after, &in_force, now)?;
    for row in &rows {
        telling.world.set_record(&row.name, row.record.clone());
    }
    telling.records = after;
    prop_assert_eq!(&telling.world.decide(now).0, &rows, "decided again");
    Ok(())
}

fn records(judgements: &BTreeMap<String, Judgement>) -> Records {
    judgements.iter().filter_map(|(name, judgement)| Some((name.clone(), judgement.record.clone()?))).collect()
}

fn check_judgements(expected: &BTreeMap<String, Judgement>, rows: &[Row]) -> Result<(), TestCaseError> {
    let found: BTreeMap<String, Judgement> = rows.iter().map(|row| (row.name.clone(), seen(row))).collect();
    prop_assert_eq!(&found, expected, "the model expects what stands right");
    Ok(())
}

fn seen(row: &Row) -> Judgement {
    Judgement {
        phase: row.phase,
        reason: row.reason,
        start: row.start,
        end: row.end,
        amendments: row.amendments.iter().map(|(name, state, _)| (name.clone(), *state)).collect(),
        amount: row.amount,
        record: row.record.clone(),
        renewed_by: row.renewed_by.clone(),
    }
}

/// "An organization has at most one chain of a definition alive: one that has an accepted member keeps the seat (should there
/// be several such, all stay)."
fn check_seat(world: &World, before: &Records, now: &BTreeMap<String, Judgement>) -> Result<(), TestCaseError> {
    let chain = |name: &str| {
        now[name]
            .record
            .as_ref()
            .and_then(|record| record.chain.clone())
            .map(|chain| (chain.since, chain.uid, chain.name))
    };
    let alive = |name: &&String| {
        !matches!(now[*name].phase, Phase::Draft | Phase::Cancelled | Phase::Rejected | Phase::Expired)
    };
    let namespace = |name: &str| {
        world
            .instances
            .iter()
            .find(|one| one.metadata.name.as_deref() == Some(name))
            .unwrap()
            .metadata
            .namespace
            .clone()
    };
    let seated: BTreeSet<_> = now.keys().filter(alive).map(|name| (namespace(name), chain(name))).collect();
    if !world.unique || seated.len() < 2 {
        return Ok(());
    }
    for one in seated {
        let mut members = now.keys().filter(|name| (namespace(name), chain(name)) == one);
        prop_assert!(members.any(|name| before.contains_key(name)), "{one:?} came beside others to the seat");
    }
    Ok(())
}

/// "A renewal never starts before `follows`": it is in force beside what it renews only where that got a later end after the
/// moment had been reached.
fn check_handover(
    world: &World,
    records: &Records,
    judgements: &BTreeMap<String, Judgement>,
    now: Instant,
) -> Result<(), TestCaseError> {
    let oracle = Oracle::new(world, records, now);
    for (name, renewal) in judgements.iter().filter(|(_, judgement)| judgement.phase.is_in_force()) {
        let Some(renewed) = oracle.renewed(name).filter(|renewed| judgements[*renewed].phase.is_in_force()) else {
            continue;
        };
        let follows = renewal.record.as_ref().and_then(|record| record.follows.clone());
        prop_assert_ne!(follows, Some(oracle.final_end(renewed).to_string()), "{} beside {}", name, renewed);
    }
    Ok(())
}

/// Whether what a transition changes differs.
fn differs(one: &Judgement, other: &Judgement) -> bool {
    let face = |judgement: &Judgement| {
        (judgement.phase, judgement.reason, judgement.start, judgement.end, judgement.amendments.clone())
    };
    face(one) != face(other)
}

/// "`nextTransition` is the next moment at which its phase, reason, start, end or an amendment of it changes by time alone."
fn check_next(world: &World, records: &Records, rows: &[Row], now: Instant) -> Result<(), TestCaseError> {
    let today = Oracle::new(world, records, now);
    let first = today.judge();
    let mut open: BTreeMap<&str, Option<(Instant, Phase)>> = BTreeMap::new();
    for row in rows {
        open.insert(&row.name, None);
    }
    let moments = today.moments();
    let second = TimeDelta::seconds(1);
    let between = moments.iter().zip(moments.iter().skip(1)).map(|(one, other)| *one + (*other - *one) / 2);
    let beside = moments.iter().flat_map(|at| [*at - second, *at, *at + second]);
    let probes: BTreeSet<Instant> = beside.chain(between).filter(|at| *at > now).collect();
    let mut carried = records.clone();
    for at in probes {
        let judgements = Oracle::new(world, &carried, at).judge();
        for (name, judgement) in &judgements {
            let slot = open.get_mut(name.as_str()).unwrap();
            if slot.is_none() && differs(&first[name], judgement) {
                *slot = Some((at, judgement.phase));
            }
        }
        carried = self::records(&judgements);
    }
    for row in rows {
        let watched = !matches!(row.phase, Phase::Draft | Phase::Cancelled);
        let expected = open[row.name.as_str()].filter(|_| watched);
        prop_assert_eq!(row.next, expected, "next transition of {} (the model is right)", &row.name);
    }
    Ok(())
}

/// The spans in force are the instants "at which the present specs, with the records as this evaluation leaves them, give
/// Active or Grace".
fn check_in_force(
    world: &World,
    records: &Records,
    spans: &[(Instant, Bound)],
    now: Instant,
) -> Result<(), TestCaseError> {
    let today = Oracle::new(world, records, now);
    let second = TimeDelta::seconds(1);
    for at in today.moments().into_iter().flat_map(|at| [at - second, at, at + second]).chain([now]) {
        let judgements = today.elsewhen(at).judge();
        let expected = judgements.values().any(|judgement| judgement.phase.is_in_force());
        let found = spans.iter().any(|(start, end)| *start <= at && !end.has_come(at));
        prop_assert_eq!(found, expected, "in force at {}: {:?}", format_instant(at), spans);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn every_history_is_decided_as_the_contract_says(history in history()) {
        let mut telling = Telling::new(&history);
        look(&mut telling)?;
        for event in &history.events {
            telling.happen(event);
            if !telling.unseen {
                look(&mut telling)?;
            }
        }
    }
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(256)
}
