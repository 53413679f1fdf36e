//! What manifests report as used. Without a store nothing is remembered of what was held before: the present objects say it.

use super::{Inventory, inventory::Named, namespace_owners::NamespaceOwners};
use crate::{
    core::{
        calendar::Instant,
        usage::{ledger::Ledger, memory::Memory, report::StatedReport},
    },
    evaluation::{
        catalogue::CatalogueEntry,
        usage::{Heard, MeterFacts},
        usage_report::ReportSurroundings,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

impl Inventory {
    /// What is known of the use of each metered definition, of those that are named, by an organization. What Prometheus says is
    /// not known.
    pub(super) fn meters(
        &self,
        organization: &str,
        named: &BTreeSet<Arc<str>>,
        catalogue: &Named<CatalogueEntry>,
        tenancy: &NamespaceOwners,
    ) -> BTreeMap<Arc<str>, Arc<MeterFacts>> {
        let is_reported = |name: &&Arc<str>| {
            let serving = catalogue.get(*name).and_then(|entry| entry.serving.as_deref());
            serving.and_then(|serving| serving.terms.usage.as_deref()).is_some_and(|rules| rules.prometheus.is_none())
        };
        let metered: Vec<&Arc<str>> = named.iter().filter(is_reported).collect();
        if metered.is_empty() {
            return BTreeMap::new();
        }
        let mut ledgers: BTreeMap<&str, Ledger> = BTreeMap::new();
        for report in self.reports.values().filter(|report| &*report.organization == organization) {
            let ledger = ledgers.entry(&report.definition).or_default();
            self.count(report, catalogue, tenancy, ledger);
        }
        let mut facts = |name: &Arc<str>| MeterFacts {
            memory: Arc::new(Memory::default()),
            ledger: Arc::new(ledgers.remove(&**name).unwrap_or_default()),
            heard: Some(Heard::Always),
        };
        metered.into_iter().map(|name| (Arc::clone(name), Arc::new(facts(name)))).collect()
    }

    /// Adds what a report says, also of what lies ahead: a balance counts what has come by its own moment.
    fn count(
        &self,
        report: &StatedReport,
        catalogue: &Named<CatalogueEntry>,
        tenancy: &NamespaceOwners,
        ledger: &mut Ledger,
    ) {
        let surroundings = ReportSurroundings {
            organization: self.organizations.get(&report.organization).cloned(),
            facts: self.namespace_facts(&report.id.namespace, tenancy),
            entry: catalogue.get(&report.definition).cloned(),
        };
        let Ok(reading) = surroundings.take(report, Instant::MAX_UTC) else { return };
        for register in reading.registers.values() {
            // What comes to more than can be counted stands at what could be.
            let _ = ledger.add(register.at, register.channel.as_ref(), register.counted());
        }
    }
}
