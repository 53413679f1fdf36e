//! Whether so much more of an entitlement may be used, for somebody who answers a call.

use super::{Inventory, OperatorsCount, When, inventory::Named, namespace_owners::NamespaceOwners, zone_of};
use crate::{
    core::{
        calendar::{Instant, Tz},
        usage::allowance::UsageRequest,
    },
    evaluation::{
        Snapshot,
        catalogue::CatalogueEntry,
        check::{CheckAnswer, CheckQuestion, CheckReason, CheckedUsage, SoldCatalogue, check, options},
        decision::decide_alone,
        explanation::UsageExplanation,
    },
};
use std::{collections::BTreeSet, sync::Arc};

/// What is answered to a check, with what there is to say beside it.
#[derive(Clone, Debug)]
pub struct CheckedEntitlement {
    /// The moment.
    pub now: Instant,
    /// The time zone in which the organization reckons.
    pub zone: Tz,
    /// The answer.
    pub answer: CheckAnswer,
    /// The organization's name for people.
    pub organization_name: Option<String>,
    /// The entitlement's name for people.
    pub entitlement_name: Option<String>,
    /// How its use stands, where it is metered and in force.
    pub usage: Option<UsageExplanation>,
    /// What the operator says of its use in the organization's status, where it does: it counts more than manifests report.
    pub said: Option<OperatorsCount>,
    /// How its use stands by reports alone, where that is too much already of what the operator counts.
    pub reported: Option<CheckedUsage>,
    /// The channels that the definition knows.
    pub channels: Vec<Arc<str>>,
}

impl Inventory {
    /// Whether so much more of an entitlement may be used, and if not, with which add-ons and plans where that is asked for. Absent
    /// where nothing names the organization.
    #[must_use]
    pub fn check(
        &self,
        organization: &str,
        entitlement: &Arc<str>,
        request: UsageRequest,
        when: impl Into<When>,
        with_options: bool,
    ) -> Option<CheckedEntitlement> {
        let definitions = self.catalogue();
        let mut snapshot = self.snapshot_of(organization)?;
        self.add_entitlement(&mut snapshot, entitlement, &definitions);
        let zone = zone_of(snapshot.organization.as_deref());
        let now = when.into().first(zone);
        let decision = decide_alone(&snapshot, entitlement, now);
        let serving = snapshot.catalogue.get(entitlement).and_then(|entry| entry.serving.clone());
        let definition = serving.as_ref().map(|compiled| &compiled.terms);
        let question = CheckQuestion { entitlement, definition, request };
        let mut answer = check(&decision, &question);
        let mut usage = decision.meters.get(entitlement).and_then(|meter| UsageExplanation::of(meter));
        let said = OperatorsCount::of(snapshot.organization.as_deref(), entitlement, now);
        let said = said.filter(|_| answer.usage.is_some());
        let mut reported = None;
        if let Some(said) = said {
            let is_too_much = !answer.allowed && answer.reason != CheckReason::UsageUnknown;
            reported = answer.usage.clone().filter(|_| is_too_much);
            usage = usage.map(|usage| said.explained(usage, &snapshot, entitlement, now));
            let notice = self.store_notice(entitlement);
            if let Some(counted) = usage.as_mut().and_then(|usage| usage.counted.as_mut()) {
                counted.notice.clone_from(&notice);
            }
            match said.decide(&snapshot, entitlement, now).filter(|_| !is_too_much) {
                Some(decision) => answer = check(&decision, &question),
                None => answer.usage = answer.usage.map(|usage| said.answered(usage)),
            }
            answer.usage = answer.usage.map(|usage| CheckedUsage { notice, ..usage });
        }
        if with_options && !answer.allowed && said.is_none() {
            let plans = self.plans(&definitions);
            let sold = SoldCatalogue { plans: &plans, definitions: &definitions };
            answer.options = Some(options(&snapshot, sold, entitlement, request, now));
        }
        let rules = definition.and_then(|definition| definition.usage.as_deref());
        Some(CheckedEntitlement {
            now,
            zone,
            answer,
            organization_name: snapshot.organization.as_ref().and_then(|one| one.spec.display_name.clone()),
            entitlement_name: definition.and_then(|definition| definition.display_name.clone()),
            usage,
            said,
            reported,
            channels: rules.map(|rules| rules.channels.keys().cloned().collect()).unwrap_or_default(),
        })
    }

    /// Adds what there is to know of an entitlement that the organization does not hold.
    fn add_entitlement(&self, snapshot: &mut Snapshot, name: &Arc<str>, definitions: &Named<CatalogueEntry>) {
        let Some(entry) = definitions.get(name).filter(|_| !snapshot.catalogue.contains_key(name)) else { return };
        snapshot.catalogue.insert(Arc::clone(name), Arc::clone(entry));
        let owners = NamespaceOwners::of(self);
        let named = BTreeSet::from([Arc::clone(name)]);
        snapshot.meters.extend(self.meters(&snapshot.name, &named, definitions, &owners));
    }
}
