//! The flags of an organization as they are at the moment of a decision.

use crate::{
    evaluation::{decision::Decision, memo::Memo, summary::summary},
    render::flags::{FlagValue, Offers, flag_values},
};
use std::collections::BTreeMap;

/// All flags of what is held, and of what else is offered, by their names.
#[must_use]
pub fn flags_now(decision: &Decision, offers: &Offers) -> BTreeMap<String, FlagValue> {
    let told = summary(decision, &mut Memo::default());
    let held = told.entitlements.iter();
    let held = held.flat_map(|(handle, entry)| flag_values(handle, entry.amount.is_some(), &entry.course, decision.at));
    let others = offers.iter().filter(|(handle, _)| !told.entitlements.contains_key(&***handle));
    let others =
        others.flat_map(|(handle, offer)| flag_values(handle, offer.has_amount, offer.not_held(), decision.at));
    held.chain(others).collect()
}

/// The handles that a flag of that name may be of: the last word may say which of a handle's flags is meant.
pub fn handles(key: &str) -> impl Iterator<Item = &str> {
    let shorter = [".facets", ".allowed"].into_iter().filter_map(|word| key.strip_suffix(word));
    std::iter::once(key).chain(shorter).filter(|handle| !handle.is_empty())
}

/// One flag of one handle, of what is decided of that alone. None where there is no such flag.
#[must_use]
pub fn flag_now(decision: &Decision, offers: &Offers, handle: &str, key: &str) -> Option<FlagValue> {
    let told = summary(decision, &mut Memo::default());
    let mut flags = match (told.entitlements.get(handle), offers.get(handle)) {
        (Some(entry), _) => flag_values(handle, entry.amount.is_some(), &entry.course, decision.at),
        (None, Some(offer)) => flag_values(handle, offer.has_amount, offer.not_held(), decision.at),
        (None, None) => return None,
    };
    flags.remove(key)
}
