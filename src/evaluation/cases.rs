//! The grants of one definition as cases of the lifecycle: everything from outside that decides about each.

use super::{
    Snapshot,
    before::Before,
    catalogue::{CatalogueEntry, CompiledDefinition, Present},
    overrides::permission,
    standing::Standing,
};
use crate::{
    api::entitlement_definition::EntitlementType,
    core::{
        age::created,
        amount::{Amount, InvalidAmount},
        approval::Approval,
        belief::{Evidence, believed},
        definition::Definition,
        facets::{Statement, check_names, check_values, complete, supplied_secrets},
        grant::{Grant, GrantAmendment, Stated},
        lifecycle::{Case, PreparedAmendment, TakesOver},
        refusal::{Reason, Refusal},
        schema::Violation,
        usage::caps::{ChannelCaps, InvalidCap},
    },
};
use std::{cell::OnceCell, collections::HashSet, sync::Arc};

/// What decides from outside on all grants of one definition.
pub struct CaseSurroundings<'a> {
    /// What is read.
    pub snapshot: &'a Snapshot,
    /// How the organization stands.
    pub standing: &'a Standing,
    /// The catalogue's entry.
    pub entry: Option<&'a CatalogueEntry>,
    /// What still holds of an earlier decision.
    pub before: Option<&'a Before<'a>>,
    /// The UIDs of all grants, once somebody asks for one.
    uids: OnceCell<HashSet<&'a str>>,
}

impl<'a> CaseSurroundings<'a> {
    /// Those of the grants in a snapshot.
    pub fn of(
        snapshot: &'a Snapshot,
        standing: &'a Standing,
        entry: Option<&'a CatalogueEntry>,
        before: Option<&'a Before<'a>>,
    ) -> Self {
        Self { snapshot, standing, entry, before, uids: OnceCell::new() }
    }

    /// The definition that serves.
    pub fn definition(&self) -> Option<&'a Definition> {
        self.entry?.serving.as_ref().map(|compiled| &compiled.terms)
    }

    fn has(&self, uid: &str) -> bool {
        let uids = || self.snapshot.grants.iter().map(|grant| &*grant.age.uid).collect();
        self.uids.get_or_init(uids).contains(uid)
    }
}

/// The case of one grant, with how far it is if others have to approve it.
#[must_use]
pub fn case<'a>(surroundings: &CaseSurroundings, grant: &'a Grant, approval: Option<&Approval>) -> Case<'a> {
    if let Some(approval) = approval {
        return case_of_override(surroundings, grant, approval);
    }
    let CaseSurroundings { snapshot, standing, entry, before, .. } = *surroundings;
    let compiled = entry.and_then(|entry| entry.serving.as_ref());
    let serving = compiled.map(|compiled| &compiled.terms);
    let barred = standing.barred(&grant.source, snapshot.namespaces.get(&grant.id.source.namespace));
    let record = grant.accepted.as_ref().map(|record| believed(&grant.source, record, &evidence(surroundings)));
    let zone = record.as_ref().map(|record| record.zone).or(standing.zone);
    let amendments = zone.filter(|_| !grant.amendments.is_empty()).map(|zone| {
        let known = before.and_then(|before| before.amendments(compiled, grant, zone));
        known.unwrap_or_else(|| {
            let mut checker = AmendmentChecker { definition: serving, grant, counting: Vec::new() };
            PreparedAmendment::prepare(&grant.amendments, zone, |index, amendment| checker.fault(index, amendment))
                .into()
        })
    });
    Case {
        source: &grant.source,
        accepted: grant.accepted.as_ref(),
        record,
        history: entry.map(|entry| &entry.history).filter(|history| history.covers(&grant.source)).cloned(),
        unready: if barred.is_some() { None } else { unready(standing, entry, grant) },
        barred,
        zone: standing.zone,
        takes_over: TakesOver::Length,
        catalogue_term: serving.and_then(|serving| serving.term),
        catalogue_grace: serving.and_then(|serving| serving.grace),
        allotment: serving.map(Definition::allotment),
        suspended: grant.suspended || standing.is_suspended(),
        amendments: amendments.unwrap_or_default(),
        permission: None,
    }
}

/// The case of an override, whose definition gives it neither a term nor an amount. Its record comes from nobody but the operator,
/// which the API server sees to, so it is believed.
fn case_of_override<'a>(surroundings: &CaseSurroundings, grant: &'a Grant, approval: &Approval) -> Case<'a> {
    let CaseSurroundings { snapshot, standing, entry, .. } = *surroundings;
    let barred = standing.barred(&grant.source, snapshot.namespaces.get(&grant.id.source.namespace));
    Case {
        source: &grant.source,
        accepted: grant.accepted.as_ref(),
        record: grant.accepted.clone(),
        history: None,
        unready: if barred.is_some() { None } else { unready(standing, entry, grant) },
        barred,
        zone: standing.zone,
        takes_over: TakesOver::Nothing,
        catalogue_term: None,
        catalogue_grace: None,
        allotment: None,
        suspended: standing.is_suspended(),
        amendments: Arc::default(),
        permission: permission(surroundings, grant, approval),
    }
}

/// What there is to hold a record against.
fn evidence<'a>(surroundings: &'a CaseSurroundings) -> Evidence<'a, impl Fn(&str) -> bool> {
    let CaseSurroundings { standing, entry, .. } = *surroundings;
    let organization = standing.organization.as_ref().map(|organization| &organization.metadata);
    let unedited = organization.filter(|organization| organization.generation == Some(1)).and_then(created);
    Evidence {
        history: entry.map(|entry| entry.history.as_ref()),
        zone: standing.zone.zip(unedited),
        is_of_here: |uid: &str| surroundings.has(uid),
    }
}

/// That the organization's time zone is unknown, if it is.
pub fn unknown_zone(standing: &Standing) -> Option<Refusal> {
    if standing.zone.is_some() {
        return None;
    }
    let zone = standing.organization.as_ref().map_or("", |organization| &organization.spec.time_zone);
    let message = format!("organization {} has the unknown time zone {zone:?}: mend its spec.timeZone", standing.name);
    Some(Refusal::new(Reason::OrganizationNotReady, message))
}

/// Why a grant that was not accepted before is refused, apart from other grants and its term.
fn unready(standing: &Standing, entry: Option<&CatalogueEntry>, grant: &Grant) -> Option<Refusal> {
    if let Some(refusal) = unknown_zone(standing) {
        return Some(refusal);
    }
    let definition = &grant.id.definition;
    let missing = || {
        let message =
            format!("there is no definition {definition}: make it, or make the grant anew with one that exists");
        Refusal::new(Reason::DefinitionNotFound, message)
    };
    let Some(entry) = entry else { return Some(missing()) };
    match &entry.present {
        Present::Missing => return Some(missing()),
        Present::Invalid(problem) => {
            let message = format!("definition {definition} cannot be granted: {problem}");
            return Some(Refusal::new(Reason::DefinitionNotReady, message));
        }
        Present::Valid => {}
    }
    let serving: &CompiledDefinition = entry.serving.as_deref()?;
    if grant.request.is_some() {
        return unready_override(&serving.terms, grant);
    }
    let fault = amount_fault(&serving.terms, &grant.amount).or_else(|| channels_fault(&grant.channels));
    fault.map(|message| Refusal::new(Reason::InvalidAmount, message))
}

/// Why an override is refused by its definition, which is ready.
fn unready_override(definition: &Definition, grant: &Grant) -> Option<Refusal> {
    if definition.overrides.refused {
        let message = format!("there are no overrides of {}: its spec.overrides.refused is true", definition.name);
        return Some(Refusal::new(Reason::OverridesRefused, message));
    }
    let lacks_amount = grant.amount.is_none() && definition.type_ != EntitlementType::Feature;
    let lacking = || {
        format!("{} is counted: ask for another override that says in spec.amount how much it adds", definition.name)
    };
    let fault = amount_fault(definition, &grant.amount).or_else(|| lacks_amount.then(lacking));
    fault.map(|message| Refusal::new(Reason::InvalidAmount, message))
}

fn amount_fault(definition: &Definition, amount: &Stated<Amount, InvalidAmount>) -> Option<String> {
    match amount {
        Some(Err(error)) => Some(error.to_string()),
        Some(Ok(_)) if definition.type_ == EntitlementType::Feature => {
            Some(format!("{} is a Feature, which is on or off: remove amount", definition.name))
        }
        _ => None,
    }
}

fn channels_fault(channels: &Stated<Arc<ChannelCaps>, InvalidCap>) -> Option<String> {
    channels.as_ref()?.as_ref().err().map(ToString::to_string)
}

/// Says of amendments, in the order in which they count, what their definition does not allow.
struct AmendmentChecker<'a> {
    definition: Option<&'a Definition>,
    grant: &'a Grant,
    counting: Vec<usize>,
}

impl AmendmentChecker<'_> {
    fn fault(&mut self, index: usize, amendment: &GrantAmendment) -> Option<String> {
        if let Some(Err(error)) = &amendment.amount {
            return Some(error.to_string());
        }
        if let Some(fault) = channels_fault(&amendment.channels) {
            return Some(fault);
        }
        let definition = self.definition?;
        if let Some(fault) = amount_fault(definition, &amendment.amount) {
            return Some(fault);
        }
        amendment.facets.as_ref()?;
        let before = self.problems(definition);
        self.counting.push(index);
        let after = self.problems(definition);
        // What was wrong before the amendment is not its fault.
        let fault = after.into_iter().find(|problem| !before.contains(problem))?;
        self.counting.pop();
        Some(fault.to_string())
    }

    fn problems(&self, definition: &Definition) -> Vec<Violation> {
        let stated = Statement::of(self.grant, &self.counting).merged();
        let names = check_names(definition, &stated, self.grant);
        let values = complete(definition, &std::iter::once(&stated))
            .and_then(|values| check_values(definition, &values, &supplied_secrets(self.grant)));
        [names, values].into_iter().filter_map(Result::err).flatten().collect()
    }
}
