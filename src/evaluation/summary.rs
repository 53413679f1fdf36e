//! The summary of what an organization holds.

use super::{
    course::{Held, course},
    decision::Decision,
    holding::{Holding, Member, is_held},
    memo::{EntryIngredients, EntryUsage, Memo},
    present::{MergedMembers, PresentRight},
    standing::Standing,
    subscriptions::Right,
};
use crate::{
    core::{
        approval::Approval,
        calendar::{Bound, Instant, format_instant},
        definition::Definition,
        facets::{Layer, Statement, provenance},
        lifecycle::Span,
        problem::Problem,
        reason::ReasonCode,
        subscription::{GrantPart, PartOrigin},
    },
    render::{
        flags::{FlagCourse, HeldRight, MoreAllowed, Stage},
        summary::{
            EntitlementSummary, EntrySources, PartSource, SummaryEntry, SummaryGrant, SummaryUsage, ValueSource,
        },
    },
};
use std::sync::Arc;

/// Definitions that are named where what is held of them cannot be told.
const MOST_NAMED: usize = 3;

/// The summary, without what is not in force and of whose definition nothing is known: it is not entitled either way.
#[must_use]
pub fn summary(decision: &Decision, memo: &mut Memo) -> EntitlementSummary {
    let Decision { standing, holdings, offers, authority, at, .. } = decision;
    let has_sources = standing.organization.as_ref().is_some_and(|organization| organization.spec.summary.sources);
    let held = holdings.iter().filter(|holding| holding.members.iter().any(|member| is_held(member.verdict.phase)));
    let told = held.filter_map(|holding| {
        let usage = decision.meters.get(&holding.name).map(|meter| meter.told());
        let ingredients = EntryIngredients { holding: Arc::clone(holding), has_sources, usage };
        let entry = memo.entry(ingredients, |of| entry(of, *at))?;
        Some((holding.name.to_string(), entry))
    });
    EntitlementSummary {
        organization: standing.name.to_string(),
        entitlements: told.collect(),
        offers: Arc::clone(offers),
        authority: authority.clone(),
    }
}

/// Why the summary stays as it is: something is in force of whose definition nothing is known, and an error withdraws nothing.
#[must_use]
pub fn untold(standing: &Standing, holdings: &[Arc<Holding>]) -> Option<Problem> {
    let organization = standing.organization.as_ref().filter(|_| standing.summary_problem.is_none())?;
    let lost = || holdings.iter().filter_map(|holding| Some((holding.members_in_force().next()?, holding.lost()?)));
    let (_, Problem { reason, .. }) = lost().next()?;
    let mut told: Vec<String> = lost().take(MOST_NAMED).map(|(member, lost)| sentence(member, &lost)).collect();
    match lost().count() - told.len() {
        0 => {}
        1 => told.push("and 1 definition more".to_owned()),
        others => told.push(format!("and {others} definitions more")),
    }
    let message = format!(
        "the summary {} stays as it was in every namespace, as it cannot be told what it should say of what is in force: {}",
        organization.spec.summary.name,
        told.join("; ")
    );
    Some(Problem::new(reason, message).at("/metadata/name"))
}

fn sentence(member: &Member, lost: &Problem) -> String {
    let mend = if lost.reason == ReasonCode::DefinitionNotReady { "mend it" } else { "make it again" };
    format!("{}: {mend}, or cancel what is granted of it, such as {}", lost.message, member.grant.id)
}

fn entry(of: &EntryIngredients, now: Instant) -> Option<SummaryEntry> {
    let EntryIngredients { holding, has_sources, usage } = of;
    let definition = holding.definition()?;
    let merged = holding.merged();
    let run = holding.run(now);
    let sources = (*has_sources).then(|| sources(holding, definition, merged.as_ref(), now));
    let right = PresentRight::of(holding, merged.as_ref(), run);
    let display_name = definition.display_name.as_ref().filter(|name| !name.is_empty());
    let present = right.entitled.then(|| Held { amount: holding.total(), facets: &right.facets });
    let course = course(holding, present.as_ref(), now);
    Some(SummaryEntry {
        course: FlagCourse { allowed: usage.map(|usage| allowed(&course.rights, usage)), ..course },
        usage: usage.and_then(|usage| usage.state).map(|state| SummaryUsage { state }),
        entitled: right.entitled,
        display_name: display_name.cloned().unwrap_or_else(|| holding.name.to_string()),
        type_: definition.type_.as_str(),
        unit: right.unit,
        amount: right.amount,
        valid_from: right.valid_from,
        valid_until: right.valid_until,
        end: end(holding, run, now).map(format_instant),
        facets: right.facets,
        sources,
    })
}

/// From when to when more may be used, as far as is known: of what is used up, nothing before its allotment is new.
fn allowed(rights: &[Stage<HeldRight>], usage: EntryUsage) -> Vec<Stage<MoreAllowed>> {
    let held = |stage: &Stage<HeldRight>| stage.holds.map(|_| MoreAllowed);
    if usage.is_allowed {
        return rights.iter().map(|stage| Stage { from: stage.from, holds: held(stage) }).collect();
    }
    let Some(reset) = usage.resets_at else { return Vec::new() };
    let then = rights.iter().rev().find(|stage| stage.from <= reset).and_then(held);
    let later = rights.iter().filter(|stage| stage.from > reset);
    let later = later.map(|stage| Stage { from: stage.from, holds: held(stage) });
    std::iter::once(Stage { from: reset, holds: then }).chain(later).collect()
}

/// The last end of a term, without grace, among the grants that the run is made of; where there is none, among all that are
/// held. Pending amendments count, as they do for the run.
fn end(holding: &Holding, run: Option<(Instant, Bound)>, now: Instant) -> Option<Instant> {
    let of_term = |member: &Member| member.verdict.final_end.instant();
    let of_run = |until: Bound| {
        let spans = holding.members.iter().flat_map(|member| member.spans.iter().map(move |span| (member, span)));
        let in_run = spans.filter(move |(_, (start, end))| Bound::At(*start) < until && !end.has_come(now));
        in_run.map(|(member, (_, end))| of_term(member).min(*end)).max()
    };
    let of_held = || holding.members.iter().filter(|member| is_held(member.verdict.phase)).map(of_term).max();
    let last = run.map_or_else(of_held, |(_, until)| of_run(until));
    last.and_then(Bound::at)
}

fn sources(holding: &Holding, definition: &Definition, merged: Option<&MergedMembers>, now: Instant) -> EntrySources {
    let parts = merged.map(|(_, parts)| parts.as_slice()).unwrap_or_default();
    let statements: Vec<&Statement> = parts.iter().map(|(_, statement)| *statement).collect();
    let source = |(layer, index): (Layer, Option<usize>)| {
        value_source(&layer, index.and_then(|index| parts.get(index)).map(|(member, _)| *member))
    };
    let origins = merged.map(|(merged, _)| provenance(definition, &merged.values, &statements)).into_iter().flatten();
    let facets = origins
        .map(|(facet, fields)| (facet, fields.into_iter().map(|(path, origin)| (path, source(origin))).collect()));
    EntrySources {
        facets: facets.collect(),
        grants: holding
            .members
            .iter()
            .filter(|member| is_held(member.verdict.phase))
            .map(|member| grant_source(member, now))
            .collect(),
    }
}

fn grant_source(member: &Member, now: Instant) -> SummaryGrant {
    let right = member.right.as_deref();
    let request = member.grant.request.as_deref();
    SummaryGrant {
        reason: request.map(|request| Arc::clone(&request.reason)),
        approved_by: member.approval.as_deref().map(Approval::approvers),
        source: member.grant.id.source.clone(),
        phase: member.verdict.phase,
        amount: member.amount.map(|amount| amount.to_string()),
        parts: right.map(|right| part_sources(member, right, now)).unwrap_or_default(),
        removed_by: right.and_then(|right| right.removed_by(now)).map(|removed| Arc::clone(&removed.name)),
    }
}

/// What a subscription's grant is made of now, or will be.
fn part_sources(member: &Member, right: &Right, now: Instant) -> Vec<PartSource> {
    let told = right.told(now);
    let parts = told.into_iter().flat_map(|piece| &piece.parts).filter_map(|index| right.parts.get(*index));
    let span = member.verdict.span();
    parts.filter_map(|part| part_source(part, span)).collect()
}

/// What is told of a part of a subscription's grant.
pub(super) fn part_source(part: &GrantPart, span: Option<Span>) -> Option<PartSource> {
    let (kind, plan, group, name, quantity) = match &part.origin {
        PartOrigin::Plan { plan, group } => ("Plan", Some(plan), Some(group), None, None),
        PartOrigin::AddOn { name, plan, group, quantity } => {
            ("AddOn", Some(plan), Some(group), Some(name), Some(*quantity))
        }
        PartOrigin::Add { name } => ("Add", None, None, Some(name), None),
        PartOrigin::Remembered => return None,
    };
    let window = part.window;
    let start = span.is_none_or(|span| span.start != Bound::At(window.from)).then_some(window.from);
    let end = window.until.at().filter(|until| span.is_none_or(|span| span.over > Bound::At(*until)));
    Some(PartSource {
        kind,
        plan: plan.cloned(),
        group: group.cloned(),
        name: name.cloned(),
        quantity,
        amount: part.amount.map(|amount| amount.to_string()),
        start: start.map(format_instant),
        end: end.map(format_instant),
    })
}

fn value_source(layer: &Layer, member: Option<&Member>) -> ValueSource {
    let source = member.map(|member| member.grant.id.source.clone());
    let stated = source.as_ref().map_or("", |source| source.kind.as_str());
    let names = layer.names();
    let layer = match layer {
        Layer::Default => "Default",
        Layer::Preset => "Preset",
        Layer::Source => stated,
        Layer::Plan(_) => "Plan",
        Layer::AddOn(_) => "AddOn",
        Layer::Configure => "Configure",
        Layer::Add(_) => "Add",
        Layer::Amendment(_) => "Amendment",
    };
    ValueSource { layer, source, names }
}
