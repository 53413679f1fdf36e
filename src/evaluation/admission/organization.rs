//! An organization among the others.

use super::{Candidate, Findings, Refused, Verdict, costs, harmed, holding};
use crate::{
    core::calendar::Instant,
    evaluation::{Snapshot, by_definition, holding::Holding, standing::Standing},
};

/// The reason that is no fault of anyone: what is missing may come.
const MISSING: &str = "NamespaceMissing";

/// What is said of a change of an organization. Both candidates are of it, with the organization as it is before and after
/// the change: absent from the first where it is made, from the second where it is deleted.
#[must_use]
pub fn review_organization(before: &Candidate, after: &Candidate, now: Instant) -> Verdict {
    let (before, after) = (before.snapshot(), after.snapshot());
    let standings = (Standing::of(before), Standing::of(after));
    let earlier = holdings(before, &standings.0, now);
    if after.organization.is_none() {
        return deletion(&earlier);
    }
    let mut found = findings(&standings.1);
    // What was refused for want of the organization is no concern of a change of it.
    let later = holdings(after, &standings.1, now);
    found.warnings.extend(costs(&harmed(&earlier, &later)));
    found.since(&findings(&standings.0))
}

fn holdings<'a>(snapshot: &'a Snapshot, standing: &Standing, now: Instant) -> Vec<Holding<'a>> {
    by_definition(snapshot).into_keys().map(|name| holding(snapshot, standing, name, now)).collect()
}

fn findings(standing: &Standing) -> Findings {
    let mut findings = Findings::default();
    for (reason, message) in &standing.troubles {
        match *reason {
            MISSING => findings.warn(message.clone()),
            // Each namespace has its own.
            _ => findings.flaws.push((message.clone(), Refused::new(reason, message.clone()))),
        }
    }
    findings
}

fn deletion(holdings: &[Holding]) -> Verdict {
    let in_force: Vec<_> = holdings.iter().flat_map(Holding::members_in_force).map(|member| &member.grant.id).collect();
    let warning = in_force.first().map(|grant| {
        format!(
            "with the organization, all that is delivered to it is withdrawn: {} in force now",
            count(in_force.len(), grant)
        )
    });
    Verdict { refused: None, warnings: warning.into_iter().collect() }
}

fn count(grants: usize, example: &impl std::fmt::Display) -> String {
    match grants {
        1 => format!("the grant {example} is"),
        _ => format!("{grants} grants, such as {example}, are"),
    }
}
