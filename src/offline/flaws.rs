//! What is wrong with each object, one by one and with the place. A status says it in one sentence.

use super::{EntitlementKind, Inventory, Subject, inventory::Named};
use crate::{
    api::{EntitlementDefinitionSpec, EntitlementPlanSpec, FacetDefinition, entitlement_definition::Facet},
    core::{
        calendar::parse_zone,
        definition::{Definition, FacetSet},
        grant::GrantId,
        plan::resolve,
        problem::Problem,
        reason::ReasonCode,
        schema::{GrantField, Schema, Violation},
    },
    evaluation::{
        self,
        catalogue::{CatalogueEntry, DefinitionState},
        decision::Decision,
        subscriptions::SubscriptionDecision,
    },
    render::output,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

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
    /// What is wrong, and where.
    pub problem: Problem,
    /// What is meant of the field there.
    pub aim: Aim,
    /// What was probably meant instead of what stands there.
    pub suggestion: Option<String>,
}

impl Flaw {
    pub(super) fn new(pointer: impl Into<String>, reason: ReasonCode, message: impl Into<String>) -> Self {
        Self::of("", Problem::new(reason, message).at(pointer))
    }

    /// A problem of what lies there.
    pub(super) fn of(parent: &str, problem: Problem) -> Self {
        Self { problem: problem.within(parent), aim: Aim::Value, suggestion: None }
    }
}

/// What is wrong with a facet definition.
pub(super) fn of_facet(facet: &FacetDefinition) -> Vec<Flaw> {
    schema_flaws("/spec", &facet.spec.schema)
}

impl Inventory {
    /// What is wrong with an organization and with what its grants state, by what is decided.
    pub(super) fn organization_flaws(&self, decision: &Decision) -> BTreeMap<Subject, Vec<Flaw>> {
        let found = evaluation::Flaws::of(decision);
        let zone = decision.standing.organization.as_ref().map(|organization| organization.spec.time_zone.as_str());
        let of_organization = found.organization.into_iter().map(|problem| Flaw {
            suggestion: zone.filter(|_| problem.reason == ReasonCode::InvalidTimeZone).and_then(meant_zone),
            ..Flaw::of("", problem)
        });
        let organization = Subject::cluster_scoped(EntitlementKind::Organization, &decision.standing.name);
        let mut flaws = BTreeMap::from([(organization, of_organization.collect::<Vec<_>>())]);
        for (id, problems) in found.facets {
            let subscription = decision.subscriptions.iter().find(|one| one.subscription.id() == id.source);
            let of_grant = match subscription {
                Some(decided) => subscription_flaws(decided, &id.definition, problems),
                None => self.facet_value_flaws(&id, problems),
            };
            flaws.entry(Subject::source(&id.source)).or_default().extend(of_grant);
        }
        flaws
    }

    /// What is wrong with a definition that is invalid.
    pub(super) fn definition_flaws(&self, name: &str, spec: &EntitlementDefinitionSpec) -> Vec<Flaw> {
        let facets = spec.facets.iter().enumerate();
        let flaws: Vec<Flaw> = facets.flat_map(|(index, facet)| self.facet_set_flaws(index, facet)).collect();
        if !flaws.is_empty() {
            return flaws;
        }
        let schema_of = |name: &str| self.facets.get(name).map(|facet| Arc::clone(&facet.spec.schema));
        let terms = DefinitionState::gather(spec, schema_of)
            .and_then(|source| Definition::read(name, &source.spec, &source.facets));
        match terms {
            Ok(terms) => output_flaws(&terms, spec),
            Err(problem) => vec![Flaw::of("/spec", problem)],
        }
    }

    /// What is wrong with a plan that is invalid.
    pub(super) fn plan_flaws(
        &self,
        name: &str,
        spec: &EntitlementPlanSpec,
        definitions: &Named<CatalogueEntry>,
    ) -> Vec<Flaw> {
        let problems = resolve(name, spec, &self.plan_catalogue(definitions)).err().unwrap_or_default();
        problems.into_iter().map(|problem| Flaw::of("/spec", problem)).collect()
    }

    fn facet_set_flaws(&self, index: usize, facet: &Facet) -> Vec<Flaw> {
        let pointer = format!("/spec/facets/{index}");
        if let Some(schema) = &facet.schema {
            let mut flaws = schema_flaws(&pointer, schema);
            if !flaws.is_empty() {
                for flaw in &mut flaws {
                    flaw.problem.message.insert_str(0, &format!("facet {}: ", facet.name));
                }
                return flaws;
            }
        }
        let named = facet.definition.iter();
        let schemas =
            named.filter_map(|name| Some((name.clone(), Arc::clone(&self.facets.get(name.as_str())?.spec.schema))));
        let Err(problem) = FacetSet::read(facet, &schemas.collect()) else { return Vec::new() };
        let part = match problem.reason {
            ReasonCode::InvalidPreset | ReasonCode::SecretInPlain => "values",
            _ if facet.definition.is_some() => "definition",
            _ => "name",
        };
        vec![Flaw::of(&format!("{pointer}/{part}"), problem)]
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
            ..Flaw::new(place(&violation), ReasonCode::FacetsInvalid, violation.message)
        };
        violations.into_iter().map(flaw).collect()
    }
}

/// What is wrong with the facets of a definition that a subscription gives: in the last of its entries that states it, or else
/// where it configures the definition. What its plan states is the plan's, and the subscription can state something else.
fn subscription_flaws(decided: &SubscriptionDecision, definition: &str, violations: Vec<Violation>) -> Vec<Flaw> {
    let stated = &decided.subscription;
    let additions = stated.add.iter().enumerate().filter(|(_, entry)| *entry.definition == *definition);
    let additions: Vec<(usize, Value)> = additions.map(|(index, entry)| (index, json!(*entry.facets))).collect();
    let configured = stated.configure.get(definition);
    let place = |violation: &Violation| {
        let pointer = violation.pointer_in_facets();
        let added = additions.iter().rev().find(|(_, facets)| facets.pointer(&pointer).is_some());
        match (violation.field, added, configured) {
            (GrantField::Facets, Some((index, _)), _) => format!("/spec/add/{index}/facets{pointer}"),
            (GrantField::Facets, None, Some(entry)) => format!("/spec/configure/{}/facets{pointer}", entry.index),
            (GrantField::SecretFacets, _, Some(entry)) => format!("/spec/configure/{}/secretFacets", entry.index),
            (_, _, None) => match additions.first() {
                Some((index, _)) => format!("/spec/add/{index}/definition"),
                None => "/spec/plan".to_owned(),
            },
        }
    };
    let flaw = |violation: Violation| Flaw {
        aim: if violation.is_of_name() { Aim::Name } else { Aim::Value },
        ..Flaw::new(place(&violation), ReasonCode::FacetsInvalid, format!("{definition}: {}", violation.message))
    };
    violations.into_iter().map(flaw).collect()
}

fn meant_zone(name: &str) -> Option<String> {
    parse_zone(name).err()?.suggestion().map(|zone| zone.name().to_owned())
}

fn schema_flaws(within: &str, schema: &Value) -> Vec<Flaw> {
    let Err(invalid) = Schema::compile(schema) else { return Vec::new() };
    let problems = invalid.problems().iter();
    problems
        .map(|problem| {
            Flaw::new(format!("{within}/schema{}", problem.pointer), ReasonCode::InvalidSchema, problem.to_string())
        })
        .collect()
}

fn output_flaws(terms: &Definition, spec: &EntitlementDefinitionSpec) -> Vec<Flaw> {
    let problems = output::compile(terms, &spec.outputs).err().unwrap_or_default();
    problems.into_iter().map(|problem| Flaw::of("/spec", problem)).collect()
}
