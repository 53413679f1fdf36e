//! An organization among the others.

use super::{
    Candidate, Findings, Refused, Verdict, costs,
    effects::{MOST_FILLED, budget, of_withdrawal},
    harmed, holding,
};
use crate::{
    core::{calendar::Instant, grant::GrantId},
    evaluation::{
        Limits, Snapshot, by_definition,
        delivery::Delivery,
        holding::Holding,
        impact::differences,
        object::{DesiredObject, ObjectKey},
        standing::{Standing, awaiting},
    },
    render::work::Budget,
};
use std::collections::{BTreeMap, BTreeSet};

/// The reason that is no fault of anyone: what is missing may come.
const MISSING: &str = "NamespaceMissing";
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
) -> Verdict {
    let (before, after) = (before.snapshot(), after.snapshot());
    let standings = (Standing::of(before), Standing::of(after));
    let earlier = holdings(before, &standings.0, now);
    if after.organization.is_none() {
        return deletion(&earlier, &standings.0, before.limits);
    }
    let mut found = findings(&standings.1, similar);
    // What was refused for want of the organization is no concern of a change of it.
    let later = holdings(after, &standings.1, now);
    found.warnings.extend(costs(&harmed(&earlier, &later)));
    if withdraws((&standings.0, &earlier), (&standings.1, &later)) {
        let mut budget = budget();
        let objects = delivered(&standings.0, &earlier, before.limits, &mut budget).zip(delivered(
            &standings.1,
            &later,
            after.limits,
            &mut budget,
        ));
        match objects {
            Some((before, after)) => found.warnings.extend(of_withdrawal(&differences(&before, &after))),
            None => found.warn(NOT_COUNTED),
        }
    }
    found.since(&findings(&standings.0, similar))
}

/// Whether something of what is delivered goes: its namespace is not served any more, or its grant not in force.
fn withdraws(before: (&Standing, &[Holding]), after: (&Standing, &[Holding])) -> bool {
    let in_force = |holdings: &[Holding]| -> BTreeSet<GrantId> {
        holdings.iter().flat_map(Holding::members_in_force).map(|member| member.grant.id.clone()).collect()
    };
    before.0.served.iter().any(|namespace| !after.0.served.contains(namespace))
        || !in_force(before.1).is_subset(&in_force(after.1))
}

/// The objects for what an organization holds, where it is not too much work to fill them.
fn delivered(
    standing: &Standing,
    holdings: &[Holding],
    limits: Limits,
    budget: &mut Budget,
) -> Option<BTreeMap<ObjectKey, DesiredObject>> {
    let in_force: usize = holdings.iter().map(|holding| holding.in_force.len()).sum();
    budget.begin().filter(|_| in_force <= MOST_FILLED)?;
    let delivery = Delivery::of(standing, holdings, None, limits, None, budget);
    delivery.resume.is_none().then_some(delivery.objects)
}

fn holdings<'a>(snapshot: &'a Snapshot, standing: &Standing, now: Instant) -> Vec<Holding<'a>> {
    by_definition(snapshot).into_keys().map(|name| holding(snapshot, standing, name, now)).collect()
}

fn findings(standing: &Standing, similar: &dyn Fn(&str) -> Option<String>) -> Findings {
    let mut findings = Findings::default();
    for (reason, message) in &standing.troubles {
        match *reason {
            MISSING => {}
            // Each namespace has its own.
            _ => findings.flaws.push((message.clone(), Refused::new(reason, message.clone()))),
        }
    }
    for namespace in &standing.awaited {
        let meant = similar(namespace).map(|name| format!("; did you mean {name}?")).unwrap_or_default();
        findings.warn(format!("{}{meant}", awaiting(namespace)));
    }
    findings
}

fn deletion(holdings: &[Holding], standing: &Standing, limits: Limits) -> Verdict {
    let in_force: Vec<_> = holdings.iter().flat_map(Holding::members_in_force).map(|member| &member.grant.id).collect();
    let warning = in_force.first().map(|grant| {
        format!(
            "with the organization, all that is delivered to it is withdrawn: {} in force now",
            count(in_force.len(), grant)
        )
    });
    let mut objects = delivered(standing, holdings, limits, &mut budget()).unwrap_or_default();
    // Nothing outlives the organization.
    for object in objects.values_mut() {
        object.is_retained = false;
    }
    let withdrawn = of_withdrawal(&differences(&objects, &BTreeMap::new()));
    Verdict { refused: None, warnings: warning.into_iter().chain(withdrawn).collect() }
}

fn count(grants: usize, example: &impl std::fmt::Display) -> String {
    match grants {
        1 => format!("the grant {example} is"),
        _ => format!("{grants} grants, such as {example}, are"),
    }
}
