//! What is wrong with a grant, as it is decided and would be delivered.

use crate::{
    api::{
        Phase,
        lifecycle::{AmendmentState, State},
    },
    core::{problem::Problem, reason::ReasonCode},
    evaluation::{
        holding::{Holding, Member},
        status::{Delivered, not_ready},
    },
};

/// What is wrong with a grant, as it is decided and would be delivered. What is wrong with its facets is told one by one, as
/// flaws.
#[derive(Clone, Debug)]
pub struct GrantFindings {
    /// What its owner wants.
    pub state: State,
    /// Its phase.
    pub phase: Phase,
    /// Why it would be refused, be it a draft.
    pub refusal: Option<Problem>,
    /// Why what the spec asks for is not done.
    pub unready: Option<Problem>,
    /// Amendments that do not count, each with its place.
    pub ignored: Vec<Problem>,
}

impl GrantFindings {
    /// Of one grant, with what came of its delivery.
    #[must_use]
    pub fn of(holding: &Holding, member: &Member, delivered: &Delivered) -> Self {
        Self {
            state: member.grant.state,
            phase: member.verdict.phase,
            refusal: member.verdict.refusal.as_ref().map(Problem::from),
            unready: not_ready(holding, member, delivered),
            ignored: ignored(member),
        }
    }

    /// Whether it is over, so that nothing needs to be said of it any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Expired | Phase::Cancelled)
    }
}

fn ignored(member: &Member) -> Vec<Problem> {
    let amendments = member.grant.amendments.iter().zip(member.amendment_outcomes()).enumerate();
    let ignored = amendments.filter(|(_, (_, (state, _)))| *state == AmendmentState::Ignored);
    let problem = |(index, (amendment, (_, message))): (usize, (&_, (_, Option<String>)))| {
        let amendment: &crate::core::grant::GrantAmendment = amendment;
        let why = message.unwrap_or_else(|| "it cannot count".to_owned());
        Problem::new(ReasonCode::AmendmentIgnored, format!("amendment {}: {why}", amendment.name))
            .at(format!("/spec/amendments/{index}/name"))
    };
    ignored.map(problem).collect()
}
