//! Every value, its source, and the values that it was preferred to.

use super::grant::{Origin, OriginKind};
use crate::{
    core::facets::{Claim, Layer, Statement, claims, each_value, joined},
    core::{grant::GrantId, precedence::Merged, source::SourceId},
    evaluation::holding::{Holding, Member},
};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// One value of a facet.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FacetValue {
    /// The facet's name.
    pub facet: String,
    /// The way to the field: its names joined by dots, with a backslash before a dot that is part of a name.
    pub field: String,
    /// The value.
    pub value: Value,
    /// What gave it.
    pub origin: Origin,
    /// What would have given it otherwise, in the order in which it would count.
    pub overridden: Vec<Overridden>,
}

/// A value that another was preferred to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Overridden {
    /// The value.
    pub value: Value,
    /// What gave it.
    pub origin: Origin,
}

/// Where a secret value comes from. The value itself is never told.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretValue {
    /// The facet's name.
    pub facet: String,
    /// The secret field.
    pub field: String,
    /// The source of the grant that names the Secret, by the field of its kind: `namespace/name`.
    #[serde(flatten)]
    pub source: SourceId,
    /// The Secret's name.
    pub secret: String,
    /// The key in it.
    pub key: String,
    /// Why it cannot be used.
    pub problem: Option<String>,
}

type Parts<'a> = (Merged, Vec<(&'a Member, &'a Statement)>);

/// Every value, and the grants that have a part in them.
pub fn explain(holding: &Holding, merged: Option<&Parts<'_>>) -> (Vec<FacetValue>, BTreeSet<GrantId>) {
    let (Some(definition), Some((merged, parts))) = (holding.definition(), merged) else { return <_>::default() };
    let statements: Vec<&Statement> = parts.iter().map(|(_, statement)| *statement).collect();
    let origin = |claim: &Claim| {
        let grant = claim.grant.and_then(|index| parts.get(index)).map(|(member, _)| &member.grant.id.source);
        origin(&claim.layer, grant)
    };
    let mut values = Vec::new();
    for (facet, fields) in &merged.values {
        each_value(fields, &mut |path, value| {
            let mut claims = claims(definition, facet, path, &statements);
            let Some(first) = claims.next() else { return };
            let overridden =
                claims.filter_map(|claim| Some(Overridden { value: claim.value?.clone(), origin: origin(&claim) }));
            values.push(FacetValue {
                facet: facet.clone(),
                field: joined(path),
                value: value.clone(),
                origin: origin(&first),
                overridden: overridden.collect(),
            });
        });
    }
    (values, parts.iter().map(|(member, _)| member.grant.id.clone()).collect())
}

fn origin(layer: &Layer, source: Option<&SourceId>) -> Origin {
    let kind = match layer {
        Layer::Default => return Origin::of(OriginKind::Default, None),
        Layer::Preset => return Origin::of(OriginKind::Definition, None),
        Layer::Source => source.map_or(OriginKind::Definition, |source| OriginKind::Source(source.kind)),
        Layer::Plan(_) => OriginKind::Plan,
        Layer::AddOn(_) => OriginKind::AddOn,
        Layer::Configure => OriginKind::Configure,
        Layer::Add(_) => OriginKind::Add,
        Layer::Amendment(_) => OriginKind::Amendment,
    };
    Origin { names: layer.names(), ..Origin::of(kind, source.cloned()) }
}

/// The sources of secret values that grants in force name; the first of a field holds.
pub fn secrets(holding: &Holding) -> Vec<SecretValue> {
    let mut seen = BTreeSet::new();
    let sources = holding
        .members_in_force()
        .flat_map(|member| member.grant.secret_facets.iter().map(move |source| (member, source)));
    let first = sources.filter(|(_, source)| seen.insert((source.facet.as_str(), source.field.as_str())));
    let mut secrets: Vec<SecretValue> = first
        .map(|(member, source)| SecretValue {
            facet: source.facet.clone(),
            field: source.field.clone(),
            source: member.grant.id.source.clone(),
            secret: source.secret_key_ref.name.clone(),
            key: source.secret_key_ref.key.clone(),
            problem: member
                .facets
                .missing
                .iter()
                .find(|(missing, _)| missing == source)
                .map(|(_, why)| why.message.clone()),
        })
        .collect();
    secrets.sort_by(|one, other| (&one.facet, &one.field).cmp(&(&other.facet, &other.field)));
    secrets
}
