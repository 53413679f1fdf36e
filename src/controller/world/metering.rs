//! What metering asks the index: what is metered, what is reported, and by which rules.

use super::{WorkItem, World};
use crate::{
    core::usage::{
        recount::RECOUNT,
        report::{ReportId, StatedReport},
        rules::UsageRules,
    },
    evaluation::usage_report::ReportSurroundings,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

impl World {
    /// How a definition is metered, by its state that serves.
    pub fn usage_rules(&self, definition: &Arc<str>) -> Option<Arc<UsageRules>> {
        self.catalogue.entry(definition).ok()??.serving.as_ref()?.terms.usage.clone()
    }

    /// The definitions that Prometheus is asked for, by their states that serve.
    pub fn rules_of_prometheus(&self) -> BTreeMap<Arc<str>, Arc<UsageRules>> {
        let rules =
            self.catalogue.definition_names().filter_map(|name| Some((Arc::clone(name), self.usage_rules(name)?)));
        rules.filter(|(_, rules)| rules.prometheus.is_some()).collect()
    }

    /// What asks for a definition to be counted anew, as it is written.
    pub fn asked_recount(&self, definition: &Arc<str>) -> Option<String> {
        self.catalogue.definition(definition)?.metadata.annotations.as_ref()?.get(RECOUNT).cloned()
    }

    /// All that asks for that, by definition.
    pub fn asked_recounts(&self) -> BTreeMap<Arc<str>, String> {
        let asked = |name: &Arc<str>| Some((Arc::clone(name), self.asked_recount(name)?));
        self.catalogue.definition_names().filter_map(asked).collect()
    }

    /// The names of all organizations.
    pub fn organization_names(&self) -> BTreeSet<Arc<str>> {
        self.tenancy.organizations().cloned().collect()
    }

    /// What is reported of an organization, with what each report is judged by; None where that is not known yet.
    pub fn reported(&self, organization: &str) -> Vec<(Arc<StatedReport>, Option<ReportSurroundings>)> {
        let reports = self.reports_of(organization).into_values().flatten();
        let judged = |report: Arc<StatedReport>| {
            let around = self.report_surroundings(&report);
            (report, around)
        };
        reports.map(judged).collect()
    }

    /// What a report that is made or changed is judged by, and the others of its organization and definition. None while something of
    /// it is not known yet.
    pub fn report_neighbours(&self, report: &StatedReport) -> Option<(ReportSurroundings, Vec<Arc<StatedReport>>)> {
        let around = self.report_surroundings(report)?;
        let mut others = self.reports_of(&report.organization).remove(&report.definition).unwrap_or_default();
        others.retain(|other| other.id != report.id);
        Some((around, others))
    }

    /// The reports of an organization's usage that are known as a whole.
    pub fn report_ids(&self, organization: &str) -> Vec<ReportId> {
        self.reports_of(organization).into_values().flatten().map(|report| report.id.clone()).collect()
    }

    /// All that says how the store is: metered definitions, and reports.
    pub fn metered_work(&mut self) -> Vec<WorkItem> {
        let is_metered = |name: &&Arc<str>| {
            self.catalogue.definition(name).is_some_and(|definition| definition.spec.usage.is_some())
                || self.usage_rules(name).is_some()
        };
        let metered = self.catalogue.definition_names().filter(is_metered).cloned().map(WorkItem::Definition);
        let metered: Vec<WorkItem> = metered.collect();
        metered.into_iter().chain(self.begin_reports()).collect()
    }
}
