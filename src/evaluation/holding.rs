//! What an organization holds of one definition: its grants, decided, with their facets and amounts.

use super::{
    Snapshot,
    before::Before,
    cases::{CaseSurroundings, case},
    catalogue::{CatalogueEntry, CompiledDefinition, Present},
    course::{Later, later},
    facets::{GrantFacets, effective},
    notices::{Reminded, Reminders},
    overrides::{approval, settlement},
    standing::Standing,
    subscriptions::Right,
};
use crate::{
    api::{
        Phase,
        lifecycle::{AmendmentState, State},
    },
    core::{
        amount::Amount,
        approval::{Approval, Settlement},
        calendar::{Bound, Instant, format_until},
        definition::Definition,
        facets::{Statement, supplied_secrets},
        grant::{Grant, Remembered},
        lifecycle::{Change, Group, GroupSubject, Lineage, Outlook, PreparedAmendment, Verdict, groups},
        precedence::{Adding, Merged, merge_statements, rank, total},
        problem::Problem,
        reason::ReasonCode,
        source::{SourceKind, stated::StatedSource},
    },
};
use std::sync::Arc;

/// One grant, decided.
#[derive(Clone, Debug)]
pub struct Member {
    /// The grant.
    pub grant: Arc<Grant>,
    /// What this moment gives.
    pub verdict: Verdict,
    /// Its next change by time alone.
    pub change: Option<Change>,
    /// The grant that renews it validly.
    pub renewed_by: Option<Arc<str>>,
    /// Its facets.
    pub facets: Arc<GrantFacets>,
    /// Its amount now; absent for a Feature, and where neither a definition nor an acceptance says it.
    pub amount: Option<Amount>,
    /// The spans of time in which it is in force, in no order and possibly overlapping.
    pub spans: Box<[(Instant, Bound)]>,
    /// What it comes to from each pending amendment on.
    pub later: Arc<[Later]>,
    /// Its amendments in the order in which they count, read in its time zone.
    pub amendments: Arc<[PreparedAmendment]>,
    /// What is said before its end.
    pub reminders: Reminders,
    /// What a subscription gives of the definition, for a grant of one.
    pub right: Option<Arc<Right>>,
    /// How far an override is with its approvals.
    pub approval: Option<Arc<Approval>>,
}

impl Member {
    /// The grant as the next evaluation finds it, once all of this is written down. When conditions turned is not.
    #[must_use]
    pub fn remembering(&self) -> Grant {
        let remembered = Remembered {
            phase: Some(self.verdict.phase),
            facets: self.facets.remembered.clone(),
            notices: self.reminders.given.clone(),
            conditions: self.grant.remembered.conditions.clone(),
            settlement: self.settlement().map(Arc::new),
        };
        // A draft has no record: activating it goes by what is there then.
        let accepted = self.verdict.acceptance.clone().filter(|_| self.grant.state != State::Draft);
        Grant { accepted, remembered, ..Grant::clone(&self.grant) }
    }

    /// What is decided of an override for good.
    #[must_use]
    pub fn settlement(&self) -> Option<Settlement> {
        self.approval.as_deref().and_then(|approval| settlement(approval, &self.verdict))
    }

    /// What becomes of each amendment, in the order of the grant's list: its state, and why it is ignored.
    #[must_use]
    pub fn amendment_outcomes(&self) -> Vec<(AmendmentState, Option<String>)> {
        self.verdict.amendments_told("grant", self.grant.amendments.iter().map(|one| one.revoked))
    }

    /// The last day of its term, for people.
    #[must_use]
    pub fn until(&self) -> Option<String> {
        self.verdict.term.and(self.verdict.end.at()).map(format_until)
    }

    /// How its amount adds up with others.
    #[must_use]
    pub fn addition(&self) -> Adding {
        match self.grant.id.source.kind {
            SourceKind::Override => Adding::OnTop,
            _ => Adding::ByAggregation,
        }
    }

    /// Its start, where it has one.
    #[must_use]
    pub fn start(&self) -> Option<Instant> {
        self.verdict.term.map(|term| term.start.instant())
    }
}

/// What an organization holds of one definition.
#[derive(Clone, Debug)]
pub struct Holding {
    /// The definition's name.
    pub name: Arc<str>,
    /// The catalogue's entry.
    pub entry: Option<Arc<CatalogueEntry>>,
    /// All grants of it, in the snapshot's order.
    pub members: Vec<Member>,
    /// The members in force (indices into `members`), in the order of precedence.
    pub in_force: Vec<usize>,
    /// The runs of time in force, in order and apart.
    pub runs: Vec<(Instant, Bound)>,
    /// The next moment at which anything of it changes by time alone.
    pub next: Option<Instant>,
}

impl Holding {
    /// Decides the grants (by index in the snapshot) of one definition. What an earlier decision found out of the same inputs is
    /// taken from it.
    #[must_use]
    pub fn of(
        snapshot: &Snapshot,
        standing: &Standing,
        name: &Arc<str>,
        indices: &[usize],
        given: &[Arc<Member>],
        before: Option<&Before>,
        now: Instant,
    ) -> Self {
        let entry = snapshot.catalogue.get(name).cloned();
        let definition = entry.as_ref().and_then(|entry| entry.serving.as_deref()).map(|compiled| &compiled.terms);
        let grants: Vec<(usize, &Arc<Grant>)> =
            indices.iter().filter_map(|index| Some((*index, snapshot.grants.get(*index)?))).collect();
        let is_unique = definition.is_none_or(|definition| !definition.allow_multiple);
        let surroundings = CaseSurroundings::of(snapshot, standing, entry.as_deref(), before);
        let mut members = Vec::with_capacity(grants.len());
        let (instances, others): (Vec<_>, Vec<_>) =
            grants.into_iter().partition(|(_, grant)| grant.id.source.kind == SourceKind::Instance);
        // There is one seat for instances. What other sources give takes none, and is always possible beside it.
        for (grants, is_unique) in [(instances, is_unique), (others, false)] {
            let plain: Vec<&Grant> = grants.iter().map(|(_, grant)| grant.as_ref()).collect();
            for group in groups(&sources(&plain), is_unique) {
                let chosen: Vec<(usize, &Arc<Grant>)> =
                    group.iter().filter_map(|index| grants.get(*index).copied()).collect();
                members.extend(decide(&surroundings, name, &chosen, is_unique, now));
            }
        }
        members.sort_by_key(|(index, _)| *index);
        let mut members: Vec<Member> = members.into_iter().map(|(_, member)| member).collect();
        for member in &mut members {
            // Nothing can renew an override.
            let renewable = definition.filter(|_| member.grant.request.is_none());
            let notices = renewable.map(|definition| definition.notices.as_slice()).unwrap_or_default();
            let reminded = Reminded {
                source: &member.grant.source,
                verdict: &member.verdict,
                given: &member.grant.remembered.notices,
                is_renewed: member.renewed_by.is_some(),
                what: &member.grant.id.definition,
            };
            member.reminders = Reminders::of(notices, &reminded, now);
        }
        members.extend(given.iter().map(|member| Member::clone(member)));
        let in_force = in_force(&members);
        let runs = united(members.iter().flat_map(|member| member.spans.iter().copied()).collect());
        let approvals = members.iter().filter_map(|member| member.approval.as_ref()?.next);
        let changes = members.iter().filter_map(|member| member.change).map(|change| change.at).chain(approvals);
        let next = changes.chain(members.iter().filter_map(|member| member.reminders.next)).min();
        Self { name: Arc::clone(name), entry, members, in_force, runs, next }
    }

    /// The definition that serves, with its outputs.
    #[must_use]
    pub fn compiled(&self) -> Option<&Arc<CompiledDefinition>> {
        self.entry.as_ref()?.serving.as_ref()
    }

    /// The definition that serves.
    #[must_use]
    pub fn definition(&self) -> Option<&Definition> {
        self.compiled().map(|compiled| &compiled.terms)
    }

    /// Where no valid state of the definition is known: why.
    #[must_use]
    pub fn lost(&self) -> Option<Problem> {
        if self.definition().is_some() {
            return None;
        }
        Some(match self.entry.as_ref().map(|entry| &entry.present) {
            Some(Present::Invalid(problem)) => Problem::new(
                ReasonCode::DefinitionNotReady,
                format!("definition {} is invalid ({problem}), and no valid state of it is known", self.name),
            ),
            _ => Problem::new(
                ReasonCode::DefinitionNotFound,
                format!("definition {} does not exist, and no valid state of it is known", self.name),
            ),
        })
    }

    /// The members in force, in the order of precedence.
    pub fn members_in_force(&self) -> impl Iterator<Item = &Member> + Clone {
        self.in_force.iter().filter_map(|index| self.members.get(*index))
    }

    /// All amounts in force together; absent for a Feature, zero where nothing is in force.
    #[must_use]
    pub fn total(&self) -> Option<Amount> {
        let definition = self.definition()?;
        definition.amount?;
        let amounts = self.members_in_force().filter_map(|member| Some((member.addition(), member.amount?)));
        total(definition, amounts).or(Some(Amount::ZERO))
    }

    /// The facets of all grants in force, merged, with the members that have a part in them; absent where none has.
    #[must_use]
    pub fn merged(&self) -> Option<(Merged, Vec<(&Member, &Statement)>)> {
        let definition = self.definition()?;
        let parts: Vec<(&Member, &Statement)> =
            self.members_in_force().filter_map(|member| Some((member, member.facets.statement.as_ref()?))).collect();
        if parts.is_empty() {
            return None;
        }
        let merged = merge(definition, &parts);
        let taking_part = merged.taking_part;
        Some((merged, parts.into_iter().take(taking_part).collect()))
    }

    /// The unbroken run of time in force around `now`, else the next one.
    #[must_use]
    pub fn run(&self, now: Instant) -> Option<(Instant, Bound)> {
        self.runs.iter().copied().find(|(_, end)| !end.has_come(now))
    }
}

/// What members state, which stand in the order of precedence, merged.
#[must_use]
pub fn merge(definition: &Definition, parts: &[(&Member, &Statement)]) -> Merged {
    let statements: Vec<&Statement> = parts.iter().map(|(_, statement)| *statement).collect();
    let supplied: Vec<_> = parts.iter().map(|(member, _)| supplied_secrets(&member.grant)).collect();
    merge_statements(definition, &statements, &supplied)
}

/// What the sources of grants state.
fn sources<'a>(grants: &[&'a Grant]) -> Vec<&'a StatedSource> {
    grants.iter().map(|grant| &grant.source).collect()
}

fn decide(
    surroundings: &CaseSurroundings,
    name: &str,
    grants: &[(usize, &Arc<Grant>)],
    unique: bool,
    now: Instant,
) -> Vec<(usize, Member)> {
    let CaseSurroundings { snapshot, entry, before, .. } = *surroundings;
    let plain: Vec<&Grant> = grants.iter().map(|(_, grant)| grant.as_ref()).collect();
    let approvals: Vec<Option<Approval>> = plain.iter().map(|grant| approval(surroundings, grant, now)).collect();
    let cases =
        plain.iter().zip(&approvals).map(|(grant, approval)| case(surroundings, grant, approval.as_ref())).collect();
    let group =
        Group { subject: GroupSubject::Definition(name), cases, lineage: Lineage::of(&sources(&plain)), unique };
    let verdicts = group.decide(now);
    let outlook = Outlook::of(&group, &verdicts, now);
    let renewals: Vec<Option<Arc<str>>> = verdicts
        .iter()
        .map(|verdict| {
            verdict.renewed_by.and_then(|index| grants.get(index)).map(|(_, grant)| grant.id.source.name.clone())
        })
        .collect();
    let compiled = entry.and_then(|entry| entry.serving.as_ref());
    let definition = compiled.map(|compiled| &compiled.terms);
    let decided = verdicts.into_iter().zip(&group.cases).zip(outlook.changes).zip(outlook.in_force).zip(renewals);
    let members = grants.iter().zip(decided).zip(approvals);
    members
        .map(|(((index, grant), ((((verdict, case), change), spans), renewed_by)), approval)| {
            let awaited = approval.as_ref().and_then(|approval| awaited(surroundings, name, grant, approval));
            let (change, spans) = match awaited {
                Some(awaited) => (Some(awaited.change).filter(|change| change.phase != verdict.phase), awaited.spans),
                None => (change, spans),
            };
            let counting = effective(grant, &verdict);
            let facets = before.and_then(|before| before.facets(snapshot, compiled, grant, &counting));
            let facets = facets.unwrap_or_else(|| Arc::new(GrantFacets::of(snapshot, definition, grant, &counting)));
            let amount = amount(definition, grant, &verdict);
            let present = (amount, facets.statement.as_ref());
            let known = before.and_then(|before| before.later(grant, &verdict, &case.amendments, amount, &facets));
            let later =
                known.unwrap_or_else(|| later(snapshot, definition, grant, &verdict, &case.amendments, present).into());
            let reminders = Reminders::default();
            let member = Member {
                grant: Arc::clone(grant),
                right: None,
                approval: approval.map(Arc::new),
                reminders,
                facets,
                amount,
                verdict,
                change,
                renewed_by,
                spans,
                later,
                amendments: Arc::clone(&case.amendments),
            };
            (*index, member)
        })
        .collect()
}

/// What becomes of an override without anybody deciding anything.
struct AwaitedOutcome {
    /// When more is known, and the phase that it has then.
    change: Change,
    /// When it is in force.
    spans: Box<[(Instant, Bound)]>,
}

/// When more is known of an override without anybody deciding anything, the phase that it has then, and when it is in force.
fn awaited(
    surroundings: &CaseSurroundings,
    name: &str,
    grant: &Arc<Grant>,
    present: &Approval,
) -> Option<AwaitedOutcome> {
    let at = present.next?;
    let then = approval(surroundings, grant, at);
    let cases = vec![case(surroundings, grant, then.as_ref())];
    let lineage = Lineage::of(&sources(&[grant]));
    let group = Group { subject: GroupSubject::Definition(name), cases, lineage, unique: false };
    let verdicts = group.decide(at);
    let spans = Outlook::of(&group, &verdicts, at).in_force.into_iter().flatten();
    let spans = spans.map(|(start, end)| (start.max(at), end)).filter(|(start, end)| !end.has_come(*start));
    Some(AwaitedOutcome { change: Change { at, phase: verdicts.first()?.phase }, spans: spans.collect() })
}

fn amount(definition: Option<&Definition>, grant: &Grant, verdict: &Verdict) -> Option<Amount> {
    let Some(definition) = definition else {
        // What was agreed stays agreed, whether or not its definition is known.
        return verdict.acceptance.as_ref().and_then(|_| verdict.amount(grant));
    };
    let preset = definition.amount?;
    verdict.amount(grant).or(Some(preset))
}

fn in_force(members: &[Member]) -> Vec<usize> {
    let mut in_force: Vec<usize> = (0..members.len())
        .filter(|index| members.get(*index).is_some_and(|member| member.verdict.phase.is_in_force()))
        .collect();
    let rank = |index: usize| members.get(index).map(rank_of);
    in_force.sort_by(|one, other| rank(*one).cmp(&rank(*other)));
    in_force
}

/// What decides which member goes first; the least does.
#[must_use]
pub fn rank_of(member: &Member) -> impl Ord + use<'_> {
    rank(member.grant.priority, member.start().unwrap_or_default(), member.grant.seniority())
}

/// Runs that touch or overlap become one.
fn united(mut runs: Vec<(Instant, Bound)>) -> Vec<(Instant, Bound)> {
    runs.sort_unstable();
    let mut united: Vec<(Instant, Bound)> = Vec::with_capacity(runs.len());
    for (start, end) in runs {
        match united.last_mut() {
            Some((_, last)) if *last >= Bound::At(start) => *last = (*last).max(end),
            _ => united.push((start, end)),
        }
    }
    united
}

/// Whether a grant is shown in the summary.
#[must_use]
pub fn is_held(phase: Phase) -> bool {
    matches!(phase, Phase::Waiting | Phase::Active | Phase::Grace | Phase::Suspended)
}
