//! Whether so much more of an entitlement may be used, for somebody who answers a call.

use super::{Inventory, When, inventory::Named, namespace_owners::NamespaceOwners, zone_of};
use crate::{
    core::{
        calendar::{Instant, Tz, parse_instant},
        usage::{allowance::UsageRequest, ledger::Ledger, memory::Memory, state::UsageState},
    },
    evaluation::{
        Snapshot,
        catalogue::CatalogueEntry,
        check::{CheckAnswer, CheckQuestion, SoldCatalogue, check, options},
        decision::decide_alone,
        explanation::UsageExplanation,
        usage::{Heard, MeterFacts},
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
    /// How its use stands as the operator says in the organization's status, where only that can be told: it counts more than
    /// manifests report, such as what services have counted by its API.
    pub said: Option<UsageState>,
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
        let mut decision = decide_alone(&snapshot, entitlement, now);
        let serving = snapshot.catalogue.get(entitlement).and_then(|entry| entry.serving.clone());
        let definition = serving.as_ref().map(|compiled| &compiled.terms);
        let question = CheckQuestion { entitlement, definition, request };
        let mut answer = check(&decision, &question);
        // What manifests report is a part of what the operator counts: what is too much for it is too much.
        let said =
            said_by_the_operator(&snapshot, entitlement, now).filter(|_| answer.allowed && answer.usage.is_some());
        if said.is_some() {
            snapshot.meters.insert(Arc::clone(entitlement), Arc::new(unheard(now)));
            decision = decide_alone(&snapshot, entitlement, now);
            answer = check(&decision, &question);
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
            usage: decision
                .meters
                .get(entitlement)
                .filter(|_| said.is_none())
                .and_then(|meter| UsageExplanation::of(meter)),
            said,
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

/// The state that the organization's status tells of that moment: since then, and until the allotment is new.
fn said_by_the_operator(snapshot: &Snapshot, entitlement: &str, now: Instant) -> Option<UsageState> {
    let status = snapshot.organization.as_ref()?.status.as_ref()?;
    let said = status.usage.iter().find(|said| said.definition == entitlement)?;
    let moment = |text: &str| parse_instant(text).ok();
    let is_new = said.resets_at.as_deref().and_then(moment).is_some_and(|at| at <= now);
    (moment(&said.since)? <= now && !is_new).then_some(said.state)
}

/// What is known where nobody but the operator knows what is used.
fn unheard(now: Instant) -> MeterFacts {
    MeterFacts {
        memory: Arc::new(Memory::default()),
        ledger: Arc::new(Ledger::default()),
        heard: Some(Heard::NotSince(now)),
    }
}
