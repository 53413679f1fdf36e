//! What outputs are filled with, and what comes of filling them.

use super::{
    bearer::is_shared,
    catalogue::CompiledDefinition,
    content::{Extra, content},
    holding::{Holding, Member},
    memo::{Filled, Filler},
    object::{ObjectData, SecretData},
    standing::Standing,
};
use crate::{
    api::{
        entitlement_definition::{OutputKind, Per},
        facet_fields::FacetFields,
    },
    core::{
        calendar::format_instant,
        facets::{SecretFields, complete},
        grant::GrantId,
        problem::Problem,
        reason::ReasonCode,
    },
    render::{
        digest::Digest,
        filling::Filling,
        names::{ChainNames, DefinitionNames, DisplayedName, InstanceNames, Names, Total},
        output::{CompiledOutput, OutputError},
        work::Work,
    },
};
use std::{borrow::Cow, sync::Arc};

/// What outputs are filled with.
pub struct Values<'a> {
    names: Names<'a>,
    facets: FacetFields,
    secrets: Cow<'a, SecretFields>,
    /// The grants that it is from.
    members: Vec<&'a Member>,
}

/// What the outputs of a task are filled by; nothing where nothing valid was ever stated.
pub fn filler(
    standing: &Standing,
    holding: &Holding,
    compiled: &Arc<CompiledDefinition>,
    member: &Member,
    per: Per,
) -> Option<Filler> {
    let has_stated = |member: &&Member| member.facets.statement.is_some();
    let facets = |members: &mut dyn Iterator<Item = &Member>| -> Vec<_> {
        members.map(|member| Arc::clone(&member.facets)).collect()
    };
    let facets = match per {
        Per::Instance => facets(&mut std::iter::once(member).filter(has_stated)),
        Per::Definition => facets(&mut holding.members_in_force().filter(has_stated)),
    };
    let names = names(standing, holding, member, per);
    (!facets.is_empty()).then(|| Filler { compiled: Arc::clone(compiled), facets, names: Digest::of(&names) })
}

impl<'a> Values<'a> {
    /// Of one grant, or of all in force, as the outputs are for; nothing where nothing valid was ever stated. Those for all are
    /// the member's.
    pub fn of(standing: &'a Standing, holding: &'a Holding, member: &'a Member, per: Per) -> Option<Self> {
        match per {
            Per::Instance => Self::of_grant(standing, holding, member),
            Per::Definition => Self::of_all(standing, holding, member),
        }
    }

    /// What all outputs of that kind hold.
    pub fn fill(
        &self,
        standing: &Standing,
        compiled: &CompiledDefinition,
        grant: &GrantId,
        per: Per,
        work: &mut Work,
    ) -> Arc<[Filled]> {
        let filling = self.filling();
        let outputs = compiled.outputs.iter().filter(|output| output.per == per);
        let fill = |output: &CompiledOutput| {
            let missing = missing(output, self.members.iter().copied());
            fill(standing, grant, output, &filling, missing, work)
        };
        outputs.map(fill).collect()
    }

    /// The values for one grant; none if it never stated anything valid.
    fn of_grant(standing: &'a Standing, holding: &'a Holding, member: &'a Member) -> Option<Self> {
        let stated = member.facets.statement.as_ref()?.merged();
        Some(Self {
            names: names(standing, holding, member, Per::Instance),
            facets: complete(holding.definition()?, &std::iter::once(&stated)).ok()?,
            secrets: Cow::Borrowed(&member.facets.secrets),
            members: vec![member],
        })
    }

    /// The values for all grants in force, merged; none if no grant has a part in objects that are theirs together.
    fn of_all(standing: &'a Standing, holding: &'a Holding, bearer: &'a Member) -> Option<Self> {
        let (merged, parts) = holding.merged()?;
        if parts.is_empty() && is_shared(holding) {
            return None;
        }
        let mut secrets = SecretFields::new();
        for (member, _) in parts.iter().rev() {
            for (facet, fields) in &member.facets.secrets {
                secrets
                    .entry(facet.clone())
                    .or_default()
                    .extend(fields.iter().map(|(field, secret)| (field.clone(), secret.clone())));
            }
        }
        Some(Self {
            names: names(standing, holding, bearer, Per::Definition),
            facets: merged.values,
            secrets: Cow::Owned(secrets),
            members: parts.into_iter().map(|(member, _)| member).collect(),
        })
    }

    fn filling(&self) -> Filling<'_> {
        Filling::new(&self.names, &self.facets, &self.secrets)
    }
}

fn fill(
    standing: &Standing,
    grant: &GrantId,
    output: &CompiledOutput,
    filling: &Filling,
    missing: Option<Problem>,
    work: &mut Work,
) -> Filled {
    let name = match output.object_name(filling, work) {
        Ok(name) => name,
        Err(errors) => return Filled::Nameless(problem(&errors)),
    };
    if let Some(missing) = missing {
        return Filled::Kept(name, missing);
    }
    let data = match output.kind {
        OutputKind::ConfigMap => output.config_map(filling, work).map(ObjectData::ConfigMap),
        OutputKind::Secret => output
            .secret(filling, work)
            .map(|values| ObjectData::Secret(SecretData { type_: Arc::clone(&output.type_), values })),
    };
    match data {
        Ok(data) => {
            Filled::Written(name, content(standing, Some(&grant.definition), Some(grant), data, Extra::of(output)))
        }
        Err(errors) => Filled::Kept(name, problem(&errors)),
    }
}

/// All that is wrong with an output, for the reason of the first.
fn problem(errors: &[OutputError]) -> Problem {
    let reason = errors.first().map_or(ReasonCode::RenderFailed, OutputError::reason);
    Problem::new(reason, errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

/// The first secret field that a Secret would show and that has no value now.
fn missing<'a>(output: &CompiledOutput, members: impl Iterator<Item = &'a Member>) -> Option<Problem> {
    if output.kind != OutputKind::Secret {
        return None;
    }
    let mut all = members.flat_map(|member| &member.facets.missing);
    all.find(|(source, _)| output.could_show(&source.facet, &source.field)).map(|(_, missing)| missing.clone())
}

/// What templates see besides the facets. What all grants have together is named for one of them, and comes to what all come to.
fn names<'a>(standing: &'a Standing, holding: &'a Holding, member: &'a Member, per: Per) -> Names<'a> {
    let organization =
        standing.organization.as_ref().and_then(|organization| organization.spec.display_name.as_deref());
    let definition = holding.definition();
    let unknown = || DefinitionNames {
        named: DisplayedName { name: &holding.name, display_name: &holding.name },
        type_: "",
        unit: None,
    };
    let total = holding.total();
    let amount = match per {
        Per::Instance => Some(member.amount),
        Per::Definition => is_shared(holding).then_some(total),
    };
    let source = &member.grant.id.source;
    let chain = member.verdict.acceptance.as_deref().map_or(&source.name, |accepted| &accepted.chain.name);
    Names {
        organization: DisplayedName { name: &standing.name, display_name: organization.unwrap_or(&standing.name) },
        definition: definition.map_or_else(unknown, DefinitionNames::of),
        instance: amount.map(|amount| InstanceNames {
            kind: source.kind,
            name: &source.name,
            namespace: &source.namespace,
            amount: amount.map(|amount| amount.to_string()),
            start: member.start().map(format_instant).unwrap_or_default(),
            end: member.verdict.end.instant().at().map(format_instant),
        }),
        chain: amount.map(|_| ChainNames { name: chain }),
        total: Total { amount: total.map(|amount| amount.to_string()) },
    }
}
