//! An organization among the others.

use super::{
    AdmissionVerdict, Candidate, Findings, costs,
    effects::{MOST_FILLED, budget, of_withdrawal},
    harmed,
};
use crate::{
    core::{calendar::Instant, grant::GrantId, reason::ReasonCode},
    evaluation::{
        decision::{Decision, decide},
        delivery::deliver_grants,
        impact::differences,
        object::{DesiredObject, ObjectKey},
        standing::{Standing, awaiting},
    },
    render::work::Budget,
};
use std::collections::{BTreeMap, BTreeSet};

/// What is said where the objects of an organization are too much work to be looked at while someone waits.
const NOT_COUNTED: &str =
    "what this withdraws is not counted: the outputs of its grants are too much work to be filled here";

/// What is said of a change of an organization. Both candidates are of it, with the organization as it is before and after
/// the change: absent from the first where it is made, from the second where it is deleted. `similar` finds the namespace that
/// a name may have been meant for.
#[must_use]
pub fn review_organization(
    before: &Candidate,
    after: &Candidate,
    similar: &dyn Fn(&str) -> Option<String>,
    now: Instant,
) -> AdmissionVerdict {
    let (before, after) = (before.snapshot(), after.snapshot());
    let earlier = decide(before, now);
    if after.organization.is_none() {
        return deletion(&earlier);
    }
    let later = decide(after, now);
    let mut found = findings(&later.standing, similar);
    // What was refused for want of the organization is no concern of a change of it.
    found.warnings.extend(costs(&harmed(&earlier, &later)));
    if withdraws(&earlier, &later) {
        let mut budget = budget();
        let objects = delivered(&earlier, &mut budget);
        match objects.and_then(|objects| Some((objects, delivered(&later, &mut budget)?))) {
            Some((before, after)) => found.warnings.extend(of_withdrawal(&differences(&before, &after))),
            None => found.warn(NOT_COUNTED),
        }
    }
    found.since(&findings(&earlier.standing, similar))
}

/// Whether something of what is delivered goes: its namespace is not served any more, or its grant not in force.
fn withdraws(before: &Decision, after: &Decision) -> bool {
    let served = &after.standing.served;
    let ids = |decision: &Decision| -> BTreeSet<GrantId> { in_force(decision).cloned().collect() };
    before.standing.served.iter().any(|namespace| !served.contains(namespace)) || !ids(before).is_subset(&ids(after))
}

fn in_force(decision: &Decision) -> impl Iterator<Item = &GrantId> {
    let members = decision.holdings.iter().flat_map(|holding| holding.members_in_force());
    members.map(|member| &member.grant.id)
}

/// The objects for what an organization holds, where it is not too much work to fill them.
fn delivered(decision: &Decision, budget: &mut Budget) -> Option<BTreeMap<ObjectKey, DesiredObject>> {
    budget.begin().filter(|_| in_force(decision).count() <= MOST_FILLED)?;
    let desired = deliver_grants(decision, budget);
    desired.resume.is_none().then_some(desired.objects)
}

fn findings(standing: &Standing, similar: &dyn Fn(&str) -> Option<String>) -> Findings {
    let mut findings = Findings::default();
    // What is missing may come, and is no fault of anyone.
    for problem in standing.problems.iter().filter(|problem| problem.reason != ReasonCode::NamespaceMissing) {
        // Each namespace has its own.
        findings.flaws.push((problem.message.clone(), problem.clone().placeless()));
    }
    for namespace in &standing.awaited {
        let meant = similar(namespace).map(|name| format!("; did you mean {name}?")).unwrap_or_default();
        findings.warn(format!("{}{meant}", awaiting(namespace)));
    }
    findings
}

fn deletion(decision: &Decision) -> AdmissionVerdict {
    let in_force: Vec<_> = in_force(decision).collect();
    let warning = in_force.first().map(|grant| {
        format!(
            "with the organization, all that is delivered to it is withdrawn: {} in force now",
            count(in_force.len(), grant)
        )
    });
    let mut objects = delivered(decision, &mut budget()).unwrap_or_default();
    // Nothing outlives the organization.
    for object in objects.values_mut() {
        object.is_retained = false;
    }
    let withdrawn = of_withdrawal(&differences(&objects, &BTreeMap::new()));
    AdmissionVerdict { refused: None, warnings: warning.into_iter().chain(withdrawn).collect() }
}

fn count(grants: usize, example: &impl std::fmt::Display) -> String {
    match grants {
        1 => format!("the grant {example} is"),
        _ => format!("{grants} grants, such as {example}, are"),
    }
}
