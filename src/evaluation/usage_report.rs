//! What counts of a report of usage where it lies, and why none of it does.

use super::catalogue::{CatalogueEntry, Present};
use crate::{
    api::Organization,
    core::{
        calendar::{Instant, Tz, parse_zone},
        namespace::{NamespaceFacts, may_report},
        problem::Problem,
        reason::ReasonCode,
        usage::{
            report::{ReportReading, StatedReport},
            rules::UsageRules,
        },
    },
};
use std::sync::Arc;

/// All that has to be known to tell whether a report may be made where it is.
#[derive(Clone, Debug)]
pub struct ReportPlace {
    /// The organization that it names, where that exists.
    pub organization: Option<Arc<Organization>>,
    /// What is known of its namespace.
    pub facts: NamespaceFacts,
}

/// All that has to be known to judge a report.
#[derive(Clone, Debug)]
pub struct ReportSurroundings {
    /// Where it is.
    pub place: ReportPlace,
    /// The definition that it names, where there ever was one.
    pub entry: Option<Arc<CatalogueEntry>>,
}

impl ReportPlace {
    /// The organization's time zone, where that can be read.
    ///
    /// # Errors
    /// Why the organization may not be named from where the report is.
    pub fn zone(&self, report: &StatedReport) -> Result<Option<Tz>, Problem> {
        let (name, namespace) = (&report.organization, &*report.id.namespace);
        let Some(organization) = self.organization.as_deref() else {
            let message =
                format!("there is no organization {name}: make it, or make the report anew for one that exists");
            return Err(Problem::new(ReasonCode::OrganizationNotFound, message).at("/spec/organization"));
        };
        if !may_report(organization, namespace) {
            let message = format!(
                "organization {name} does not let its usage be reported from namespace {namespace}: make the report in one of its reportableFrom ({})",
                organization.spec.reportable_from.join(", ")
            );
            return Err(Problem::new(ReasonCode::NamespaceNotAllowed, message).at("/spec/organization"));
        }
        if let Some(tenant) = self.facts.tenant(namespace) {
            let message = format!(
                "namespace {namespace} is one of organization {tenant}'s own, and a tenant must not report its own usage: make the report in a namespace that no organization lists"
            );
            return Err(Problem::new(ReasonCode::NamespaceNotAllowed, message).at("/spec/organization"));
        }
        Ok(parse_zone(&organization.spec.time_zone).ok())
    }
}

impl ReportSurroundings {
    /// What counts of a report at a moment.
    ///
    /// # Errors
    /// Why nothing of it counts, and what to do.
    pub fn take(&self, report: &StatedReport, now: Instant) -> Result<ReportReading, Problem> {
        let zone = self.place.zone(report)?;
        Ok(report.take(self.rules(&report.definition)?, zone, now))
    }

    /// How the definition is metered, by its state that serves.
    ///
    /// # Errors
    /// Why it is not.
    pub fn rules(&self, definition: &str) -> Result<&UsageRules, Problem> {
        let problem = |reason, message: String| Problem::new(reason, message).at("/spec/definition");
        let missing = || {
            let message =
                format!("there is no definition {definition}: make it, or make the report anew for one that exists");
            problem(ReasonCode::DefinitionNotFound, message)
        };
        let entry = self.entry.as_deref().ok_or_else(missing)?;
        let Some(serving) = entry.serving.as_deref() else {
            return Err(match &entry.present {
                Present::Invalid(why) => {
                    problem(ReasonCode::DefinitionNotReady, format!("definition {definition} cannot be metered: {why}"))
                }
                Present::Missing | Present::Valid => missing(),
            });
        };
        let Some(rules) = serving.terms.usage.as_deref() else {
            let message = format!(
                "definition {definition} is not metered: give it the field usage, or make the report anew for one that has it"
            );
            return Err(problem(ReasonCode::NotMetered, message));
        };
        if rules.prometheus.is_some() {
            let message = format!(
                "what is used of definition {definition} is taken from Prometheus, and nothing else is counted: delete the report, or take usage.prometheus out of the definition"
            );
            return Err(problem(ReasonCode::MeteredByPrometheus, message));
        }
        Ok(rules)
    }
}

#[cfg(test)]
mod tests {
    use super::{ReportPlace, ReportSurroundings};
    use crate::{
        api::Organization,
        core::{
            calendar::parse_instant, namespace::NamespaceFacts, problem::Problem, reason::ReasonCode,
            usage::report::StatedReport,
        },
        evaluation::catalogue::{CatalogueEntry, CompiledDefinition, DefinitionState, Present},
    };
    use rstest::rstest;
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn organization(reportable_from: &[&str]) -> Option<Arc<Organization>> {
        let organization = json!({"metadata": {"name": "acme"}, "spec": {
            "namespaces": ["shop"], "timeZone": "Europe/Berlin", "reportableFrom": reportable_from,
        }});
        serde_json::from_value(organization).map(Arc::new).ok()
    }

    fn entry(usage: &Value) -> Arc<CatalogueEntry> {
        let spec = json!({"type": "Quantity", "unit": "hours", "amount": 10, "usage": usage});
        let state = DefinitionState::gather(&serde_json::from_value(spec).unwrap(), |_| None).unwrap();
        Arc::new(CatalogueEntry::valid(CompiledDefinition::compile("support", &state).unwrap()))
    }

    fn nothing_serves(present: Present) -> Arc<CatalogueEntry> {
        Arc::new(CatalogueEntry { present, serving: None, revision: None, history: Arc::default() })
    }

    fn report() -> StatedReport {
        let report = json!({"metadata": {"name": "march", "namespace": "desk"}, "spec": {
            "organization": "acme", "definition": "support",
            "registers": [{"key": "CASE-1", "at": "2027-03-01", "amount": 1}],
        }});
        StatedReport::read(&serde_json::from_value(report).unwrap(), parse_instant("2027-03-02T00:00:00Z").unwrap())
    }

    #[rstest]
    #[case::counted(organization(&["desk"]), None, Some(entry(&json!({"mode": "Consumed"}))), None)]
    #[case::of_nobody(
        None,
        None,
        None,
        Some(
            "OrganizationNotFound: there is no organization acme: make it, or make the report anew for one that exists"
        )
    )]
    #[case::from_elsewhere(organization(&["entitlements", "billing"]), None, None, Some("NamespaceNotAllowed: organization acme does not let its usage be reported from namespace desk: make the report in one of its reportableFrom (entitlements, billing)"))]
    #[case::by_a_tenant(organization(&["desk"]), Some("globex"), None, Some("NamespaceNotAllowed: namespace desk is one of organization globex's own, and a tenant must not report its own usage: make the report in a namespace that no organization lists"))]
    #[case::of_nothing(organization(&["desk"]), None, None, Some("DefinitionNotFound: there is no definition support: make it, or make the report anew for one that exists"))]
    #[case::of_what_is_gone(organization(&["desk"]), None, Some(nothing_serves(Present::Missing)), Some("DefinitionNotFound: there is no definition support: make it, or make the report anew for one that exists"))]
    #[case::never_valid(organization(&["desk"]), None, Some(nothing_serves(Present::Invalid(Problem::new(ReasonCode::InvalidUsage, "mend it")))), Some("DefinitionNotReady: definition support cannot be metered: InvalidUsage: mend it"))]
    #[case::not_metered(organization(&["desk"]), None, Some(entry(&Value::Null)), Some("NotMetered: definition support is not metered: give it the field usage, or make the report anew for one that has it"))]
    #[case::by_prometheus(organization(&["desk"]), None, Some(entry(&json!({"mode": "Consumed", "period": "P1M", "prometheus": {"query": "up"}}))), Some("MeteredByPrometheus: what is used of definition support is taken from Prometheus, and nothing else is counted: delete the report, or take usage.prometheus out of the definition"))]
    fn it_counts_where_it_may_be_reported(
        #[case] organization: Option<Arc<Organization>>,
        #[case] claimed_by: Option<&str>,
        #[case] entry: Option<Arc<CatalogueEntry>>,
        #[case] expected: Option<&str>,
    ) {
        let facts = NamespaceFacts { claimed_by: claimed_by.map(str::to_owned), ..NamespaceFacts::default() };
        let around = ReportSurroundings { place: ReportPlace { organization, facts }, entry };
        let taken = around.take(&report(), parse_instant("2027-03-02T00:00:00Z").unwrap());
        assert_eq!(taken.as_ref().err().map(ToString::to_string).as_deref(), expected);
        assert_eq!(taken.map_or(0, |reading| reading.registers.len()), usize::from(expected.is_none()));
    }
}
