//! Which member bears the objects that all grants in force of a definition have together.
//!
//! They are made for it: their annotation names it, and their status is counted for it. Where an organization can hold a definition
//! only once, templates see it too, so a grant that comes beside another changes neither the names nor the bearer of objects.

use super::holding::{Holding, Member};
use crate::core::{calendar::Instant, source::SourceKind};

/// Whether all grants in force have their objects together, and one of them stands for all: the definition does not allow several.
/// What a definition that is lost says is not known, and then nothing of it is to be lost.
pub fn is_shared(holding: &Holding) -> bool {
    holding.definition().is_none_or(|definition| !definition.allow_multiple)
}

/// The member that bears the objects for all: where they are shared, the newest of the oldest chain, else the oldest.
pub fn bearer(holding: &Holding) -> Option<&Member> {
    let in_force = holding.members_in_force();
    if !is_shared(holding) {
        return in_force.min_by(|one, other| one.grant.seniority().cmp(&other.grant.seniority()));
    }
    let oldest = in_force.clone().map(chain).min()?;
    let newest = |member: &Member| member.start().unwrap_or_default();
    in_force
        .filter(|member| chain(member) == oldest)
        .max_by(|one, other| (newest(one), one.grant.seniority()).cmp(&(newest(other), other.grant.seniority())))
}

/// What tells the chains of renewals apart, in the order of age. One that was never recorded begins with the grant.
fn chain(member: &Member) -> (Instant, SourceKind, &str, &str, &str) {
    let age = &member.grant.age;
    let (since, uid, name) = match member.verdict.acceptance.as_deref() {
        Some(accepted) => (accepted.chain.since, &accepted.chain.uid, &accepted.chain.name),
        None => (age.made, &age.uid, &age.name),
    };
    (since, age.kind, uid, &age.namespace, name)
}
