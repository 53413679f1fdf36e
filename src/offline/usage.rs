//! What manifests report as used. Without a store nothing is remembered of what was held before: the present objects say it.

use super::{EntitlementKind, Flaw, Inventory, Subject, inventory::Named, namespace_owners::NamespaceOwners};
use crate::{
    api::{EntitlementUsageStatus, usage::UsageMode},
    core::{
        calendar::Instant,
        problem::Problem,
        reason::ReasonCode,
        usage::{
            ledger::Ledger,
            memory::Memory,
            report::{RefusedUse, ReportId, ReportReading, StatedReport},
        },
    },
    evaluation::{
        catalogue::CatalogueEntry,
        status::usage::{JudgedReport, report_status},
        usage::{Heard, MeterFacts, Meters, entitled_time},
        usage_report::{ReportPlace, ReportSurroundings},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

impl Inventory {
    /// Whether anything in the catalogue is metered, so that reports of usage are of interest.
    #[must_use]
    pub fn has_metered(&self) -> bool {
        self.definitions.values().any(|definition| definition.spec.usage.is_some())
    }

    /// The namespaces in which usage may be reported.
    #[must_use]
    pub fn reportable_from(&self) -> BTreeSet<Arc<str>> {
        let namespaces = self.organizations.values().flat_map(|organization| &organization.spec.reportable_from);
        namespaces.map(|namespace| namespace.as_str().into()).collect()
    }

    /// The reports of a namespace could not be seen: whatever may be reported from there is unknown.
    pub fn miss_reports(&mut self, namespace: Arc<str>) {
        self.unseen_reports.insert(namespace);
    }

    fn sees_reports_of(&self, organization: &str) -> bool {
        let organization = self.organizations.get(organization);
        let namespaces = organization.into_iter().flat_map(|organization| &organization.spec.reportable_from);
        namespaces.into_iter().all(|namespace| !self.unseen_reports.contains(namespace.as_str()))
    }

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
        let heard = self.sees_reports_of(organization).then_some(Heard::Always);
        let mut facts = |name: &Arc<str>| MeterFacts {
            memory: Arc::new(Memory::default()),
            ledger: Arc::new(ledgers.remove(&**name).unwrap_or_default()),
            heard,
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
        let Ok(reading) = self.report_surroundings(report, catalogue, tenancy).take(report, Instant::MAX_UTC) else {
            return;
        };
        for register in reading.registers.values() {
            // What comes to more than can be counted stands at what could be.
            let _ = ledger.add(register.at, register.channel.as_ref(), register.counted());
        }
    }

    fn report_surroundings(
        &self,
        report: &StatedReport,
        catalogue: &Named<CatalogueEntry>,
        tenancy: &NamespaceOwners,
    ) -> ReportSurroundings {
        ReportSurroundings {
            place: ReportPlace {
                organization: self.organizations.get(&report.organization).cloned(),
                facts: self.namespace_facts(&report.id.namespace, tenancy),
            },
            entry: catalogue.get(&report.definition).cloned(),
        }
    }

    /// What is decided of each report. `held` is what is decided of the organizations that are known, and when.
    pub(super) fn report_findings(
        &self,
        catalogue: &Named<CatalogueEntry>,
        held: &BTreeMap<Arc<str>, (Instant, Meters)>,
        now: Instant,
    ) -> Vec<ReportFindings> {
        if self.reports.is_empty() {
            return Vec::new();
        }
        let tenancy = NamespaceOwners::of(self);
        let nothing = (now, Meters::new());
        let findings = self.reports.values().map(|report| {
            let surroundings = self.report_surroundings(report, catalogue, &tenancy);
            let (now, meters) = held.get(&report.organization).unwrap_or(&nothing);
            ReportFindings {
                subject: subject(report),
                wrong: wrong(surroundings.take(report, Instant::MAX_UTC)),
                status: self.report_status(report, &surroundings, meters, *now),
            }
        });
        findings.collect()
    }

    /// The status that the operator would write, with a store.
    fn report_status(
        &self,
        report: &StatedReport,
        surroundings: &ReportSurroundings,
        meters: &Meters,
        now: Instant,
    ) -> EntitlementUsageStatus {
        let before = self.report_statuses.get(&report.id);
        let rules = surroundings.rules(&report.definition);
        let mode = rules.map_or(UsageMode::Held, |rules| rules.mode);
        let entitled = entitled_time(meters, &report.definition, mode, None, now);
        let taken = surroundings.take(report, now);
        let judged = taken.as_ref().map(|reading| JudgedReport { reading, entitled: entitled.as_ref() });
        report_status(report, before, judged, now)
    }
}

/// What is decided of a report.
pub(super) struct ReportFindings {
    /// The report.
    pub subject: Subject,
    /// What of it does not count and has to be mended. What only lies ahead counts by itself.
    pub wrong: Vec<Flaw>,
    /// Its status.
    pub status: EntitlementUsageStatus,
}

fn subject(report: &StatedReport) -> Subject {
    let ReportId { namespace, name } = report.id.clone();
    Subject { kind: EntitlementKind::EntitlementUsage, namespace: Some(namespace), name }
}

fn wrong(taken: Result<ReportReading, Problem>) -> Vec<Flaw> {
    let reading = match taken {
        Ok(reading) => reading,
        Err(problem) => return vec![Flaw::of("", problem)],
    };
    let more = reading.refused_in_all.saturating_sub(reading.refused.len());
    let flaw = |refused: RefusedUse| {
        let place = format!("/spec/registers/{}/{}", refused.index, refused.field);
        Flaw::new(place, ReasonCode::RegistersRefused, format!("{}: {}", refused.key, refused.message))
    };
    let mut wrong: Vec<Flaw> = reading.refused.into_iter().map(flaw).collect();
    if more > 0 {
        let message = format!("{more} more registers are not counted: mend these first");
        wrong.push(Flaw::new("/spec/registers", ReasonCode::RegistersRefused, message));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use crate::{
        api::conditions::ConditionStatus,
        core::calendar::parse_instant,
        offline::{EntitlementKind, Flaw, Inventory, Status, Subject},
    };
    use rstest::rstest;
    use serde_json::{Value, json};

    fn flaws(spec: &Value) -> (Vec<String>, Vec<String>) {
        let now = parse_instant("2027-03-10T12:00:00Z").unwrap();
        let mut inventory = Inventory::new(now, "operator");
        let organization = json!({"metadata": {"name": "acme"}, "spec": {"namespaces": ["shop"]}});
        inventory.add(EntitlementKind::Organization, &organization).unwrap();
        let definition = json!({"metadata": {"name": "support"}, "spec": {
            "type": "Quantity", "unit": "hours", "amount": 10,
            "usage": {"mode": "Consumed", "channels": [{"name": "phone"}], "otherChannels": "Refuse"},
        }});
        inventory.add(EntitlementKind::EntitlementDefinition, &definition).unwrap();
        let mut report = json!({"metadata": {"name": "march", "namespace": "entitlements"}, "spec": {
            "organization": "acme", "definition": "support", "registers": [],
        }});
        for (field, value) in spec.as_object().unwrap() {
            let part = if field == "namespace" { "metadata" } else { "spec" };
            report[part][field] = value.clone();
        }
        inventory.add(EntitlementKind::EntitlementUsage, &report).unwrap();
        let survey = inventory.survey(now);
        let subject = Subject {
            kind: EntitlementKind::EntitlementUsage,
            namespace: Some(report["metadata"]["namespace"].as_str().unwrap().into()),
            name: "march".into(),
        };
        let told = |flaws: Option<&Vec<Flaw>>| {
            let flaws = flaws.into_iter().flatten();
            flaws.map(|flaw| format!("{} {}", flaw.problem.pointer, flaw.problem)).collect()
        };
        (told(survey.flaws.get(&subject)), told(survey.doubts.get(&subject)))
    }

    #[rstest]
    #[case::nothing_is_held(None, &["a: it is dated 2027-03-02T00:00:00Z, when the organization did not hold it: it is kept, and counts once a grant covers that time; mend its at, or the start of the grant", "b: it is dated 2027-03-05T00:00:00Z, when the organization did not hold it: it is kept, and counts once a grant covers that time; mend its at, or the start of the grant"], 0)]
    #[case::some_of_it_was_before(Some("2027-03-03"), &["a: it is dated 2027-03-02T00:00:00Z, when the organization did not hold it: it is kept, and counts once a grant covers that time; mend its at, or the start of the grant"], 1)]
    #[case::all_of_it_is_covered(Some("2027-03-01"), &[], 2)]
    fn a_report_has_the_status_that_the_operator_would_give_it(
        #[case] held_since: Option<&str>,
        #[case] refused: &[&str],
        #[case] counted: u64,
    ) {
        let now = parse_instant("2027-03-10T12:00:00Z").unwrap();
        let mut inventory = Inventory::new(now, "operator");
        let organization = json!({"metadata": {"name": "acme"}, "spec": {"namespaces": ["shop"]}});
        inventory.add(EntitlementKind::Organization, &organization).unwrap();
        let definition = json!({"metadata": {"name": "support"}, "spec": {
            "type": "Quantity", "unit": "hours", "amount": 10, "usage": {"mode": "Consumed", "period": "P1M"},
        }});
        inventory.add(EntitlementKind::EntitlementDefinition, &definition).unwrap();
        if let Some(start) = held_since {
            let instance = json!({"metadata": {"name": "acme", "namespace": "entitlements"}, "spec": {
                "organization": "acme", "definition": "support", "start": start,
            }});
            inventory.add(EntitlementKind::EntitlementInstance, &instance).unwrap();
        }
        let report = json!({"metadata": {"name": "march", "namespace": "entitlements"}, "spec": {
            "organization": "acme", "definition": "support", "registers": [
                {"key": "a", "at": "2027-03-02", "amount": 1}, {"key": "b", "at": "2027-03-05", "amount": 1},
                {"key": "c", "at": "2027-03-20", "amount": 1},
            ],
        }});
        inventory.add(EntitlementKind::EntitlementUsage, &report).unwrap();
        let subject = Subject {
            kind: EntitlementKind::EntitlementUsage,
            namespace: Some("entitlements".into()),
            name: "march".into(),
        };
        let survey = inventory.survey(now);
        let Status::Usage(status) = &survey.statuses[&subject] else { panic!() };
        let told: Vec<String> = status.refused.iter().map(|one| format!("{}: {}", one.key, one.message)).collect();
        let ahead = "c: it is dated 2027-03-20T00:00:00Z, which lies ahead: it counts from then on";
        let expected: Vec<&str> = [ahead].into_iter().chain(refused.iter().copied()).collect();
        assert_eq!(told, expected);
        assert_eq!(status.counted, Some(counted));
        let ready = survey.statuses[&subject].condition("Ready").unwrap();
        assert_eq!((ready.status, ready.reason.as_str()), (ConditionStatus::False, "RegistersRefused"));
    }

    #[rstest]
    #[case::counted(json!({"registers": [{"key": "a", "at": "2027-03-01", "channel": "phone", "amount": 1}]}), &[], &[])]
    #[case::of_nothing(json!({"definition": "suport"}), &["/spec/definition DefinitionNotFound: there is no definition suport: make it, or make the report anew for one that exists"], &[])]
    #[case::of_nobody(json!({"organization": "acm"}), &["/spec/organization OrganizationNotFound: there is no organization acm: make it, or make the report anew for one that exists"], &[])]
    #[case::from_a_tenant(json!({"namespace": "shop"}), &["/spec/organization NamespaceNotAllowed: organization acme does not let its usage be reported from namespace shop: make the report in one of its reportableFrom (entitlements)"], &[])]
    #[case::wrong(
        json!({"registers": [
            {"key": "a", "at": "2027-03-01", "channel": "phone", "amount": 1},
            {"key": "a", "at": "2027-03-01", "channel": "phone", "amount": 1},
            {"key": "b", "at": "2027-03-01", "channel": "fax", "amount": 1},
            {"key": "c", "at": "2027-04-01", "channel": "phone", "amount": 1},
        ]}),
        &[
            "/spec/registers/1/key RegistersRefused: a: the key is there twice, and the first one counts: add up what they say, or give this one another key",
            "/spec/registers/2/channel RegistersRefused: b: channel \"fax\" is not covered: the definition has phone",
        ],
        &[],
    )]
    fn what_does_not_count_is_found_where_it_stands(
        #[case] spec: Value,
        #[case] wrong: &[&str],
        #[case] doubtful: &[&str],
    ) {
        let (found, doubts) = flaws(&spec);
        assert_eq!(found, wrong);
        assert_eq!(doubts, doubtful);
    }
}
