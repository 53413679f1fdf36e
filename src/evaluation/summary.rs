//! The summary of what an organization holds.

use super::{
    course::{Held, course},
    holding::{Holding, Member, is_held},
    standing::Standing,
};
use crate::{
    core::{
        calendar::{Instant, format_instant},
        facets::{Layer, Statement, provenance},
    },
    render::summary::{Entry, GrantSource, Sources, Summary, ValueSource},
};
use std::collections::BTreeMap;

/// The summary; absent where it cannot be told, as the definition of a grant was lost.
#[must_use]
pub fn summary(standing: &Standing, holdings: &[Holding], now: Instant) -> Option<Summary> {
    let mut entitlements = BTreeMap::new();
    for holding in holdings.iter().filter(|holding| holding.members.iter().any(|member| is_held(member.verdict.phase)))
    {
        entitlements.insert(holding.name.to_string(), entry(holding, now)?);
    }
    Some(Summary { organization: standing.name.to_string(), entitlements })
}

fn entry(holding: &Holding, now: Instant) -> Option<Entry> {
    let definition = holding.definition()?;
    let is_entitled = !holding.in_force.is_empty();
    let merged = holding.merged();
    let run = holding.run(now);
    let facets = merged.as_ref().map(|(merged, _)| merged.values.clone()).unwrap_or_default();
    let parts = merged.map(|(_, parts)| parts).unwrap_or_default();
    let statements: Vec<&Statement> = parts.iter().map(|(_, statement)| *statement).collect();
    let origins = provenance(definition, &facets, &statements);
    let source = |(layer, index): (Layer, Option<usize>)| {
        value_source(layer, index.and_then(|index| parts.get(index)).map(|(member, _)| *member))
    };
    let total = holding.total();
    let present = is_entitled.then_some(Held { amount: total, facets: &facets });
    Some(Entry {
        course: course(holding, present.as_ref(), now),
        entitled: is_entitled,
        type_: definition.type_.as_str(),
        unit: definition.unit.clone(),
        amount: total.map(|amount| amount.to_string()),
        valid_from: run.map(|(start, _)| format_instant(start)),
        valid_until: run.and_then(|(_, end)| end.at()).map(format_instant),
        facets,
        sources: Sources {
            grants: holding.members.iter().filter(|member| is_held(member.verdict.phase)).map(grant_source).collect(),
            facets: origins
                .into_iter()
                .map(|(facet, fields)| {
                    (facet, fields.into_iter().map(|(path, origin)| (path, source(origin))).collect())
                })
                .collect(),
        },
    })
}

fn grant_source(member: &Member) -> GrantSource {
    GrantSource {
        instance: member.grant.id.to_string(),
        phase: member.verdict.phase,
        amount: member.amount.map(|amount| amount.to_string()),
    }
}

fn value_source(layer: Layer, member: Option<&Member>) -> ValueSource {
    let instance = member.map(|member| member.grant.id.to_string());
    let (layer, amendment) = match layer {
        Layer::Default => ("Default", None),
        Layer::Preset => ("Preset", None),
        Layer::Instance => ("Instance", None),
        Layer::Amendment(name) => ("Amendment", Some(name)),
    };
    ValueSource { layer, instance, amendment }
}
