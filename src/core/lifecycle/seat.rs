//! Who has the seat of a definition of which an organization can hold only one chain.

use super::{Group, Ledger, phase::is_expired, settle::Settled};
use crate::{
    api::entitlement_instance::State,
    core::{
        acceptance::Chain,
        calendar::Instant,
        refusal::{Reason, Refusal},
    },
};
use std::{collections::BTreeMap, sync::Arc};

/// What tells chains apart, in the order of age.
type ChainKey<'a> = (Instant, &'a Arc<str>, &'a Arc<str>, &'a Arc<str>);

#[derive(Default)]
struct Contender {
    alive: Vec<usize>,
    holds: bool,
}

/// Refuses as `Duplicate` the living members of every chain but that which has the seat: one with an accepted living member
/// keeps it (should there be several such, all stay); a free seat goes to the oldest.
pub fn assign(group: &Group, ledger: &Ledger, settled: &mut [Settled], now: Instant) {
    if group.cases.len() < 2 {
        return;
    }
    let losers = losers(group, ledger, settled, now);
    for (loser, message) in losers {
        if let Some(settled) = settled.get_mut(loser) {
            settled.refusal = Some(Refusal::new(Reason::Duplicate, message));
        }
    }
}

fn losers(group: &Group, ledger: &Ledger, settled: &[Settled], now: Instant) -> Vec<(usize, String)> {
    let chains = chains(group, ledger, settled, now);
    if chains.len() < 2 {
        return Vec::new();
    }
    let is_held = chains.values().any(|chain| chain.holds);
    let oldest = chains.keys().next().copied();
    let stays = |key: &ChainKey, chain: &Contender| if is_held { chain.holds } else { Some(*key) == oldest };
    let winner = chains.iter().find(|(key, chain)| stays(key, chain)).and_then(|(_, chain)| chain.alive.first());
    let winner = winner.and_then(|winner| group.cases.get(*winner)).map(|case| case.grant.id.to_string()).unwrap_or_default();
    chains
        .iter()
        .filter(|(key, chain)| !stays(key, chain))
        .flat_map(|(_, chain)| chain.alive.iter().copied())
        .map(|loser| (loser, message(group, loser, &winner)))
        .collect()
}

fn message(group: &Group, loser: usize, winner: &str) -> String {
    let (organization, definition) =
        group.cases.get(loser).map_or(("", ""), |case| (&*case.grant.organization, &*case.grant.definition));
    format!(
        "organization {organization} holds {definition} already by {winner}: this takes over when that one is over; renew it, amend it, or cancel one of the two"
    )
}

/// The chains that are alive, oldest first: those with a member in state Active that is not refused and not Expired.
fn chains<'a>(group: &'a Group, ledger: &Ledger, settled: &'a [Settled], now: Instant) -> BTreeMap<ChainKey<'a>, Contender> {
    let mut chains: BTreeMap<ChainKey, Contender> = BTreeMap::new();
    for (index, (case, one)) in group.cases.iter().zip(settled).enumerate() {
        let Some(running) = one.running.as_ref().filter(|_| one.refusal.is_none()) else { continue };
        if case.grant.state != State::Active || is_expired(group, settled, index, now) {
            continue;
        }
        let Chain { since, uid, name, .. } = &running.acceptance.chain;
        let chain = chains.entry((*since, uid, &case.grant.id.namespace, name)).or_default();
        chain.alive.push(index);
        chain.holds |= ledger.get(index).is_some_and(Option::is_some);
    }
    chains
}
