//! A facet definition, and the definitions that use it.

use super::{
    AdmissionVerdict, Findings,
    definition::{DefinitionUse, affect, compile},
    effects::{Effects, budget},
    some_of,
};
use crate::{
    api::EntitlementDefinitionSpec,
    core::{calendar::Instant, definition::Schemas, problem::Problem, reason::ReasonCode, schema::idle_defaults},
    evaluation::status::facet_definition::schema_problem,
};
use serde_json::Value;
use std::sync::Arc;

/// A definition that uses a facet definition.
#[derive(Clone, Debug)]
pub struct FacetUser {
    /// The definition's name.
    pub name: Arc<str>,
    /// What it says.
    pub spec: EntitlementDefinitionSpec,
    /// The schemas of the FacetDefinitions that it refers to.
    pub schemas: Schemas,
    /// Its grants.
    pub used: DefinitionUse,
}

/// What is said of a change of a facet definition's schema: absent before where it is made, after where it is deleted.
#[must_use]
pub fn review_facet(
    name: &str,
    before: Option<&Arc<Value>>,
    after: Option<&Arc<Value>>,
    users: &[FacetUser],
    now: Instant,
) -> AdmissionVerdict {
    let Some(after) = after else { return deletion(name, users) };
    if before == Some(after) {
        return AdmissionVerdict::default();
    }
    let known = before.map(|schema| of_schema(schema)).unwrap_or_default();
    let mut found = of_schema(after);
    if found.flaws.is_empty() {
        of_users(&mut found, name, before, after, users, now);
    }
    found.since(&known)
}

fn of_schema(schema: &Value) -> Findings {
    let mut findings = Findings::default();
    match schema_problem(schema) {
        Some(problem) => findings.flaw(problem),
        None => findings.warnings.extend(idle_defaults(schema).iter().map(ToString::to_string)),
    }
    findings
}

/// Definitions that could be granted with the schema as it is, and can't be with the new one.
fn of_users(
    findings: &mut Findings,
    name: &str,
    before: Option<&Arc<Value>>,
    after: &Arc<Value>,
    users: &[FacetUser],
    now: Instant,
) {
    let mut broken = Vec::new();
    let (live, unseen) =
        users.iter().fold((0, 0), |(live, unseen), user| (live + user.used.live, unseen + user.used.unseen));
    let (mut effects, mut budget) = (Effects::of(live, unseen), budget());
    for user in users {
        let compiled = |schema: Option<&Arc<Value>>| {
            let mut schemas = user.schemas.clone();
            schemas.remove(name);
            schemas.extend(schema.map(|schema| (name.to_owned(), Arc::clone(schema))));
            compile(&user.name, &user.spec, &schemas)
        };
        match compiled(Some(after)) {
            Ok(compiled) => affect(&mut effects, &user.name, compiled, &user.used, false, &mut budget, now),
            Err(problem) if compiled(before).is_ok() => broken.push((&user.name, problem)),
            Err(_) => {}
        }
    }
    findings.warnings.extend(effects.warnings());
    if let Some((definition, problem)) = broken.first() {
        let those = some_of(broken.len(), "definition", definition);
        findings.flaw(Problem::new(problem.reason, format!("this breaks {those}: {}", problem.message)));
    }
}

fn deletion(name: &str, users: &[FacetUser]) -> AdmissionVerdict {
    let mut verdict = AdmissionVerdict::default();
    let live: Vec<_> = users.iter().filter(|user| user.used.live > 0).collect();
    if let Some(user) = live.first() {
        let those = some_of(live.len(), "definition", &user.name);
        let message = format!(
            "facet definition {name} is used by {those}, of which there are grants: take it out of what uses it first"
        );
        verdict.refused = Some(Problem::new(ReasonCode::InUse, message));
    } else if let Some(user) = users.first() {
        let those = some_of(users.len(), "definition", &user.name);
        verdict.warnings.push(format!("without the facet definition {name}, {those} cannot be granted"));
    }
    verdict
}
