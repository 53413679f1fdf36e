//! What the renewal of a grant states: what the grant comes to state, with all its amendments.

use super::renewal::{Renewal, RenewedSource};
use crate::{
    api::entitlement_definition::Rollout, core::facets::Statement, evaluation::holding::Member, offline::Inventory,
};
use serde_json::json;

/// Writes it into the manifest.
pub fn state(renewal: &mut Renewal, renewed: &RenewedSource, member: &Member) {
    let spec = &mut renewal.manifest["spec"];
    spec["definition"] = json!(member.grant.id.definition);
    let amended = renewed.amendments().rev().find_map(|outcome| renewed.amended(outcome, "amount"));
    if let Some(amount) = amended.or_else(|| renewed.written("amount")) {
        spec["amount"] = amount.clone();
    }
    let amended = renewed.amendments().rev().find_map(|outcome| renewed.amended(outcome, "channels"));
    if let Some(channels) = amended.or_else(|| renewed.written("channels")) {
        spec["channels"] = channels.clone();
    }
    let counting: Vec<usize> = renewed.amendments().map(|outcome| outcome.index).collect();
    let facets = Statement::of(&member.grant, &counting).merged();
    if !facets.is_empty() {
        spec["facets"] = json!(facets);
    }
    if !member.grant.secret_facets.is_empty() {
        spec["secretFacets"] = json!(member.grant.secret_facets);
    }
}

impl Inventory {
    /// A sentence if a grant that states no amount has another than its definition gives by now: a renewal takes that.
    pub(super) fn another_preset(&self, member: &Member) -> Option<String> {
        let taken = member.verdict.acceptance.as_ref()?.amount?;
        let is_stated = member.grant.amount.is_some() || member.grant.amendments.iter().any(|one| one.amount.is_some());
        let entry = self.entry(&member.grant.id.definition);
        let terms = &entry.serving.as_ref()?.terms;
        let preset =
            terms.amount.filter(|preset| !is_stated && *preset != taken && terms.rollout == Rollout::Agreed)?;
        Some(format!(
            "it states no amount, and the {taken} that it has were agreed before the definition was edited: its renewal gets {preset}; to keep {taken}, write amount: {taken} into it"
        ))
    }
}
