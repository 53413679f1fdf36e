//! A plan or an add-on, the plans that include it, and the subscriptions that have it.

use super::{AdmissionVerdict, Findings, some_of};
use crate::{
    api::{EntitlementPlan, EntitlementPlanSpec},
    core::{
        plan::{doubts, resolve},
        problem::Problem,
        reason::ReasonCode,
        source::SourceId,
    },
    evaluation::catalogue::{CatalogueEntry, CompiledDefinition, PlanCatalogue},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What a plan is judged with, or the plans that give a definition.
#[derive(Clone, Debug, Default)]
pub struct PlanSurroundings {
    /// The plans that it names or that include it, directly or not, with all that these include.
    pub plans: BTreeMap<Arc<str>, Arc<EntitlementPlan>>,
    /// Those that cannot be read.
    pub unreadable: BTreeSet<Arc<str>>,
    /// The definitions that all of these give.
    pub definitions: BTreeMap<Arc<str>, Arc<CatalogueEntry>>,
    /// The plans that include or give it, directly or not.
    pub includers: BTreeSet<Arc<str>>,
    /// How many subscriptions that name it are in force, or to be.
    pub live: usize,
    /// One of these.
    pub example: Option<SourceId>,
}

impl PlanSurroundings {
    /// The same with the plan as it is given.
    fn with(&self, name: &Arc<str>, spec: Option<&EntitlementPlanSpec>) -> Self {
        let mut changed = self.clone();
        match spec {
            Some(spec) => {
                changed.plans.insert(Arc::clone(name), Arc::new(EntitlementPlan::new(name, spec.clone())));
            }
            None => {
                changed.plans.remove(name);
            }
        }
        changed
    }

    /// What is wrong with a plan.
    fn problems(&self, name: &str) -> Vec<Problem> {
        let Some(plan) = self.plans.get(name) else { return Vec::new() };
        resolve(name, &plan.spec, &self.catalogue()).err().unwrap_or_default()
    }

    fn catalogue(&self) -> PlanCatalogue<'_> {
        let Self { plans, unreadable, definitions, .. } = self;
        PlanCatalogue { plans, unreadable, definitions }
    }

    /// The plans that include it directly.
    fn direct(&self, name: &str) -> Vec<&Arc<str>> {
        let includes = |plan: &&Arc<str>| {
            self.plans.get(&***plan).is_some_and(|plan| plan.spec.includes.iter().any(|include| include == name))
        };
        self.includers.iter().filter(includes).collect()
    }
}

/// What is said of a change of a plan: absent before where it is made, after where it is deleted.
#[must_use]
pub fn review_plan(
    name: &Arc<str>,
    before: Option<&EntitlementPlanSpec>,
    after: Option<&EntitlementPlanSpec>,
    known: &PlanSurroundings,
) -> AdmissionVerdict {
    let Some(after) = after else { return deletion(name, known) };
    if before == Some(after) {
        return AdmissionVerdict::default();
    }
    let (earlier, later) = (known.with(name, before), known.with(name, Some(after)));
    let was = before.map(|spec| findings(name, spec, &earlier)).unwrap_or_default();
    let mut found = findings(name, after, &later);
    found.warnings.extend(broken(&earlier, &later));
    found.since(&was)
}

/// A warning of the plans that were ready before and are no more.
fn broken(before: &PlanSurroundings, after: &PlanSurroundings) -> Option<String> {
    let were_ready = before.includers.iter().filter(|includer| before.problems(includer).is_empty());
    let broken: Vec<_> =
        were_ready.filter_map(|includer| Some((includer, after.problems(includer).into_iter().next()?))).collect();
    let (example, problem) = broken.first()?;
    let those = some_of(broken.len(), "plan", example);
    Some(format!("this breaks {those}: {problem}; until that is mended, the last valid revision serves"))
}

/// A warning of the plans that another state of a definition leaves not ready, or that it is gone.
pub fn broken_by_definition(
    name: &Arc<str>,
    after: Option<&CompiledDefinition>,
    known: &PlanSurroundings,
) -> Option<String> {
    if known.includers.is_empty() {
        return None;
    }
    let mut changed = known.clone();
    match after {
        Some(compiled) => {
            changed.definitions.insert(Arc::clone(name), Arc::new(CatalogueEntry::valid(compiled.clone())));
        }
        None => {
            changed.definitions.remove(name);
        }
    }
    broken(known, &changed)
}

/// Of each reason one, which names all that is wrong by it.
fn findings(name: &str, spec: &EntitlementPlanSpec, known: &PlanSurroundings) -> Findings {
    let mut findings = Findings::default();
    let mut problems = known.problems(name);
    while let Some(first) = problems.first().map(|problem| problem.reason) {
        let (same, others) = problems.into_iter().partition(|problem| problem.reason == first);
        if let Some(problem) = Problem::all(same) {
            findings.flaw(problem);
        }
        problems = others;
    }
    for doubt in doubts(spec, &known.catalogue()) {
        findings.warn(doubt.message);
    }
    findings
}

fn deletion(name: &Arc<str>, known: &PlanSurroundings) -> AdmissionVerdict {
    let mut verdict = AdmissionVerdict::default();
    let in_use = |message: String| Some(Problem::new(ReasonCode::InUse, message));
    let direct = known.direct(name);
    if let Some(example) = &known.example {
        let those = some_of(known.live, "subscription", example);
        let message = format!("plan {name} is still had by {those}: cancel or change what depends on it first");
        verdict.refused = in_use(message);
    } else if let Some(includer) = direct.first() {
        let those = some_of(direct.len(), "plan", includer);
        let message = format!("plan {name} is included by {those}: take it out of what includes it first");
        verdict.refused = in_use(message);
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::{PlanSurroundings, review_plan};
    use crate::{
        api::{EntitlementPlan, EntitlementPlanSpec},
        core::{reason::ReasonCode, source::SourceId},
        evaluation::admission::AdmissionVerdict,
    };
    use serde_json::{Value, json};
    use std::{collections::BTreeMap, sync::Arc};

    fn spec(spec: &Value) -> EntitlementPlanSpec {
        serde_json::from_value(spec.clone()).unwrap()
    }

    /// `pro` includes `basic`, and `extra` is an add-on.
    fn known() -> PlanSurroundings {
        let plan = |name: &str, written: Value| (name.into(), Arc::new(EntitlementPlan::new(name, spec(&written))));
        PlanSurroundings {
            plans: BTreeMap::from([
                plan("basic", json!({})),
                plan("pro", json!({"includes": ["basic"]})),
                plan("extra", json!({"type": "AddOn"})),
            ]),
            includers: ["pro".into()].into(),
            ..PlanSurroundings::default()
        }
    }

    fn basic(before: Option<&Value>, after: Option<&Value>) -> AdmissionVerdict {
        let (before, after) = (before.map(spec), after.map(spec));
        review_plan(&"basic".into(), before.as_ref(), after.as_ref(), &known())
    }

    fn refused(reason: ReasonCode, verdict: &AdmissionVerdict) -> String {
        let problem = verdict.refused.as_ref().unwrap();
        assert_eq!(problem.reason, reason);
        problem.message.clone()
    }

    #[test]
    fn a_plan_is_refused_as_its_condition_would_say() {
        assert_eq!(basic(None, Some(&json!({"addOns": ["extra"]}))), AdmissionVerdict::default());
        let verdict = basic(None, Some(&json!({"term": "soon", "includes": ["a", "b"]})));
        let message = refused(ReasonCode::IncludeNotFound, &verdict);
        let told = |name: &str| format!("there is no plan {name}: make it, or take it out of includes");
        assert_eq!(message, format!("{}; {}", told("a"), told("b")));
        let verdict = basic(Some(&json!({})), Some(&json!({"includes": ["pro"]})));
        let message = refused(ReasonCode::IncludeCycle, &verdict);
        assert_eq!(message, "basic includes pro, which includes basic: take one of them out of includes");
        // What is wrong already can be labelled, and mended bit by bit.
        let (wrong, described) = (json!({"includes": ["a", "b"]}), json!({"includes": ["a", "b"], "description": "x"}));
        assert_eq!(basic(Some(&wrong), Some(&described)), AdmissionVerdict::default());
        let mended = basic(Some(&wrong), Some(&json!({"includes": ["b"]})));
        assert_eq!((mended.refused, mended.warnings), (None, vec![format!("IncludeNotFound: {}", told("b"))]));
    }

    #[test]
    fn what_includes_it_is_not_forgotten() {
        let verdict = basic(Some(&json!({})), Some(&json!({"term": "P0D"})));
        let warning = "this breaks the plan pro: IncludeNotReady: the plan basic is not ready (InvalidDuration): mend it first; until that is mended, the last valid revision serves";
        assert_eq!(verdict.warnings, [warning]);
        refused(ReasonCode::InvalidDuration, &verdict);
    }

    #[test]
    fn an_add_on_that_is_none_is_warned_of() {
        let verdict = basic(None, Some(&json!({"addOns": ["extra", "pro", "gone"]})));
        assert_eq!(
            verdict.warnings,
            [
                "addOns: pro is of type Plan, and can be added to no subscription: name one of type AddOn",
                "addOns: there is no plan gone: it can be added as soon as it is there",
            ]
        );
        assert_eq!(verdict.refused, None);
    }

    #[test]
    fn a_plan_that_is_used_is_not_deleted() {
        let message = refused(ReasonCode::InUse, &basic(Some(&json!({})), None));
        assert_eq!(message, "plan basic is included by the plan pro: take it out of what includes it first");
        let mut known = known();
        known.live = 2;
        known.example = Some(SourceId::instance("entitlements", "a"));
        let message = refused(ReasonCode::InUse, &review_plan(&"pro".into(), Some(&spec(&json!({}))), None, &known));
        assert_eq!(
            message,
            "plan pro is still had by 2 subscriptions, such as entitlements/a: cancel or change what depends on it first"
        );
        let free = PlanSurroundings::default();
        assert_eq!(review_plan(&"pro".into(), Some(&spec(&json!({}))), None, &free), AdmissionVerdict::default());
    }
}
