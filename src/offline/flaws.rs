//! What is wrong with each object, one by one and with the place. A status says it in one sentence.

use super::{EntitlementKind, Inventory, Status, Subject, Survey, When, zone_of};
use crate::{
    api::{
        ConditionStatus, EntitlementDefinitionSpec,
        conditions::{FACETS_VALID, READY},
        entitlement_definition::Facet,
    },
    core::{
        calendar::parse_zone,
        definition::{Definition, FacetSet},
        grant::GrantId,
        problem::Problem,
        schema::{GrantField, Schema, Violation},
        source::SourceId,
    },
    evaluation::{self, catalogue::DefinitionState, decision::decide},
    render::output,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What of a field is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// Its name.
    Name,
    /// Its value.
    Value,
}

/// Something that is wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Where, as a JSON pointer into the object.
    pub pointer: String,
    /// What of it.
    pub aim: Aim,
    /// One word.
    pub reason: &'static str,
    /// A sentence that says what to do.
    pub message: String,
    /// What was probably meant instead of what stands there.
    pub suggestion: Option<String>,
}

impl Flaw {
    pub(super) fn new(pointer: impl Into<String>, reason: &'static str, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), aim: Aim::Value, reason, message: message.into(), suggestion: None }
    }

    /// A problem of what lies there.
    fn of(parent: &str, problem: Problem) -> Self {
        let Problem { reason, message, pointer } = problem.within(parent);
        Self::new(pointer, reason, message)
    }
}

impl Inventory {
    /// What is wrong with the objects that a survey of this inventory found something wrong with. What has no entry has
    /// nothing wrong but what its status says.
    #[must_use]
    pub fn flaws(&self, survey: &Survey, when: impl Into<When>) -> BTreeMap<Subject, Vec<Flaw>> {
        let is_wrong = |status: &Status| [READY, FACETS_VALID].iter().any(|type_| has_failed(status, type_));
        let wrong = survey.statuses.iter().filter(|(_, status)| is_wrong(status)).map(|(subject, _)| subject);
        let mut flaws = BTreeMap::new();
        let mut organizations = BTreeSet::new();
        for subject in wrong {
            match subject.kind {
                EntitlementKind::Organization => drop(organizations.insert(&subject.name)),
                EntitlementKind::FacetDefinition => drop(flaws.insert(subject.clone(), self.facet_flaws(subject))),
                EntitlementKind::EntitlementDefinition => {
                    flaws.insert(subject.clone(), self.definition_flaws(subject));
                }
                EntitlementKind::EntitlementInstance => organizations.extend(self.holder_of(subject)),
            }
        }
        if !organizations.is_empty() {
            self.add_organization_flaws(&organizations, when.into(), &mut flaws);
        }
        flaws.retain(|_, flaws| !flaws.is_empty());
        flaws
    }

    fn holder_of(&self, subject: &Subject) -> Option<&Arc<str>> {
        let id = SourceId::instance(subject.namespace.as_deref()?, &subject.name);
        self.organization_of(&id)
    }

    fn facet_flaws(&self, subject: &Subject) -> Vec<Flaw> {
        let facet = self.facets.get(&subject.name);
        facet.map(|facet| schema_flaws("/spec", &facet.spec.schema)).unwrap_or_default()
    }

    fn definition_flaws(&self, subject: &Subject) -> Vec<Flaw> {
        let Some(definition) = self.definitions.get(&subject.name) else { return Vec::new() };
        let spec = &definition.spec;
        let facets = spec.facets.iter().enumerate();
        let flaws: Vec<Flaw> = facets.flat_map(|(index, facet)| self.facet_set_flaws(index, facet)).collect();
        if !flaws.is_empty() {
            return flaws;
        }
        let schema_of = |name: &str| self.facets.get(name).map(|facet| Arc::clone(&facet.spec.schema));
        let terms = DefinitionState::gather(spec, schema_of)
            .and_then(|source| Definition::read(&subject.name, &source.spec, &source.facets));
        match terms {
            Ok(terms) => output_flaws(&terms, spec),
            Err(problem) => vec![Flaw::of("/spec", problem)],
        }
    }

    fn facet_set_flaws(&self, index: usize, facet: &Facet) -> Vec<Flaw> {
        let pointer = format!("/spec/facets/{index}");
        if let Some(schema) = &facet.schema {
            let mut flaws = schema_flaws(&pointer, schema);
            if !flaws.is_empty() {
                for flaw in &mut flaws {
                    flaw.message.insert_str(0, &format!("facet {}: ", facet.name));
                }
                return flaws;
            }
        }
        let named = facet.definition.iter();
        let schemas =
            named.filter_map(|name| Some((name.clone(), Arc::clone(&self.facets.get(name.as_str())?.spec.schema))));
        let Err(problem) = FacetSet::read(facet, &schemas.collect()) else { return Vec::new() };
        let part = match problem.reason {
            "InvalidPreset" | "SecretInPlain" => "values",
            _ if facet.definition.is_some() => "definition",
            _ => "name",
        };
        vec![Flaw::of(&format!("{pointer}/{part}"), problem)]
    }

    fn add_organization_flaws(
        &self,
        organizations: &BTreeSet<&Arc<str>>,
        when: When,
        flaws: &mut BTreeMap<Subject, Vec<Flaw>>,
    ) {
        let snapshots = self.snapshots(&self.catalogue());
        for snapshot in snapshots.iter().filter(|snapshot| organizations.contains(&snapshot.name)) {
            let now = when.first(zone_of(snapshot.organization.as_deref()));
            let found = evaluation::Flaws::of(&decide(snapshot, now));
            let zone = snapshot.organization.as_ref().map(|organization| organization.spec.time_zone.as_str());
            let of_organization = found.organization.into_iter().map(|problem| Flaw {
                suggestion: zone.filter(|_| problem.reason == "InvalidTimeZone").and_then(meant_zone),
                ..Flaw::of("", problem)
            });
            let subject = Subject::cluster_scoped(EntitlementKind::Organization, &snapshot.name);
            flaws.insert(subject, of_organization.collect());
            for (id, problems) in found.facets {
                let of_grant = self.facet_value_flaws(&id, problems);
                flaws.entry(Subject::instance(&id.source)).or_default().extend(of_grant);
            }
        }
    }

    /// What is wrong with what a grant states, in the last amendment that states it, or else in its facets.
    fn facet_value_flaws(&self, id: &GrantId, violations: Vec<Violation>) -> Vec<Flaw> {
        let amendments = self.grants.get(&id.source).map_or(&[][..], |grant| &grant.amendments);
        let amended: Vec<Value> = amendments.iter().map(|amendment| json!(amendment.facets)).collect();
        let place = |violation: &Violation| match violation.field {
            GrantField::SecretFacets => "/spec/secretFacets".to_owned(),
            GrantField::Facets => {
                let pointer = violation.pointer_in_facets();
                match amended.iter().rposition(|facets| facets.pointer(&pointer).is_some()) {
                    Some(index) => format!("/spec/amendments/{index}/facets{pointer}"),
                    None => format!("/spec/facets{pointer}"),
                }
            }
        };
        let flaw = |violation: Violation| Flaw {
            aim: if violation.is_of_name() { Aim::Name } else { Aim::Value },
            ..Flaw::new(place(&violation), "FacetsInvalid", violation.message)
        };
        violations.into_iter().map(flaw).collect()
    }
}

fn has_failed(status: &Status, type_: &str) -> bool {
    status.condition(type_).is_some_and(|condition| condition.status == ConditionStatus::False)
}

fn meant_zone(name: &str) -> Option<String> {
    parse_zone(name).err()?.suggestion().map(|zone| zone.name().to_owned())
}

fn schema_flaws(within: &str, schema: &Value) -> Vec<Flaw> {
    let Err(invalid) = Schema::compile(schema) else { return Vec::new() };
    let problems = invalid.problems().iter();
    problems
        .map(|problem| Flaw::new(format!("{within}/schema{}", problem.pointer), "InvalidSchema", problem.to_string()))
        .collect()
}

fn output_flaws(terms: &Definition, spec: &EntitlementDefinitionSpec) -> Vec<Flaw> {
    let problems = output::compile(terms, &spec.outputs).err().unwrap_or_default();
    problems.into_iter().map(|problem| Flaw::of("/spec", problem)).collect()
}
