//! What is said about a change before it is stored. The same function that decides later decides here, on the snapshot as the
//! change would leave it.
//!
//! A change is refused for what it makes wrong, not for what was wrong before: an object that is already refused can still be
//! given a label. What is legal, but hardly meant, is a warning.
//!
//! | file | what it knows |
//! |---|---|
//! | `candidate` | what a review looks at, which has no secrets |
//! | `source` | what is said of every source of grants: its term, its amendments, and its deletion |
//! | `instance` | a grant among those of its organization and definition |
//! | `overrides` | an override, and a decision on one |
//! | `subscription` | a subscription among those of its organization |
//! | `organization` | an organization among the others |
//! | `definition`, `facet` | the catalogue, and the grants that it serves |
//! | `plan` | a plan, those that include it, and the subscriptions that have it |
//! | `report` | a report of usage, with the others of its organization and definition |
//! | `effects` | what a change does to grants that are held, and to their objects |
//! | `unused` | parts of a definition that no output shows |

mod candidate;
mod definition;
mod effects;
mod facet;
mod instance;
mod organization;
mod overrides;
mod plan;
mod report;
mod source;
mod subscription;
#[cfg(test)]
mod tests;
mod unused;

pub use candidate::Candidate;
pub use definition::{DefinitionUse, review_definition};
pub use facet::{FacetUser, review_facet};
pub use instance::review_instance;
pub use organization::review_organization;
pub use overrides::{review_decision, review_override};
pub use plan::{PlanSurroundings, review_plan};
pub use report::{KnownUsage, review_report};
pub use subscription::review_subscription;

use super::{decided::DecidedSource, decision::Decision, status::NEVER_IN_FORCE};
use crate::{
    api::lifecycle::State,
    core::{problem::Problem, reason::ReasonCode, source::SourceId},
};
use std::{collections::BTreeSet, fmt};

/// What is said of a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdmissionVerdict {
    /// Why it is refused, if it is.
    pub refused: Option<Problem>,
    /// What is legal, but may not be what was meant, each as a sentence.
    pub warnings: Vec<String>,
}

/// What can be said of one state of an object.
#[derive(Clone, Debug, Default)]
struct Findings {
    /// What is wrong, each with what it is about.
    flaws: Vec<(String, Problem)>,
    /// What may not be meant.
    warnings: Vec<String>,
}

impl Findings {
    /// What is wrong and can exist only once.
    fn flaw(&mut self, problem: Problem) {
        self.flaws.push((problem.reason.to_string(), problem.placeless()));
    }

    fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// What is to be said of the change that leads from one state to this one.
    fn since(self, before: &Self) -> AdmissionVerdict {
        let mut verdict = AdmissionVerdict::default();
        for (about, flaw) in self.flaws {
            match before.flaws.iter().find(|(one, _)| *one == about) {
                Some((_, known)) if *known == flaw => {}
                Some(_) => verdict.warnings.push(flaw.to_string()),
                None => verdict.refused = verdict.refused.or(Some(flaw)),
            }
        }
        verdict.warnings.extend(self.warnings.into_iter().filter(|warning| !before.warnings.contains(warning)));
        verdict
    }
}

/// Sources of grants in state Active that a change would have refused, or leave without any time in force.
fn harmed(before: &Decision, after: &Decision) -> Vec<(SourceId, Problem)> {
    let unharmed = before.sources().filter(|source| harm(source).is_none());
    let unharmed: BTreeSet<SourceId> = unharmed.map(|source| source.id()).collect();
    let known =
        after.sources().filter(|source| source.stated.state == State::Active && unharmed.contains(&source.id()));
    known.filter_map(|source| Some((source.id(), harm(&source)?))).collect()
}

fn harm(source: &DecidedSource) -> Option<Problem> {
    let verdict = source.verdict;
    let empty = || verdict.is_never_in_force().then(|| Problem::new(ReasonCode::NeverInForce, NEVER_IN_FORCE));
    verdict.refusal.as_ref().map(Problem::from).or_else(empty)
}

/// A warning of what a change does to others.
fn costs(harmed: &[(SourceId, Problem)]) -> Option<String> {
    let (source, harm) = harmed.first()?;
    Some(format!("this is at the cost of {}: {harm}", some_of(harmed.len(), source.kind.noun(), source)))
}

/// `the grant entitlements/a`, or `3 grants, such as entitlements/a`.
fn some_of(count: usize, noun: &str, example: &impl fmt::Display) -> String {
    match count {
        1 => format!("the {noun} {example}"),
        _ => format!("{count} {noun}s, such as {example}"),
    }
}
