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
