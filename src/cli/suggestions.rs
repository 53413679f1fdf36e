//! What an unknown name was probably meant to be.

use super::{outcome::CommandFailure, terminal::harmless, text::on_one_line};
use crate::{
    core::{reason::ReasonCode, schema::wording::closest},
    offline::{Directory, EntitlementKind, Inventory, Listing, SearchResult},
};
use std::{
    cell::{Cell, OnceCell},
    sync::Arc,
};

/// Names that are compared at most: thousands of wrong names among thousands of right ones would take minutes.
const MAX_COMPARED: usize = 1_000_000;

/// How many names a message tells if one is unknown.
const FEW: usize = 10;

/// Says that there is nothing of that name, and what may have been meant.
#[must_use]
pub fn unknown(kind: &str, name: &str, known: &[&str]) -> CommandFailure {
    unknown_in(kind, name, "", known)
}

/// The same of a place, such as ` in namespace acme`.
#[must_use]
pub fn unknown_in(kind: &str, name: &str, place: &str, known: &[&str]) -> CommandFailure {
    let advice = match (closest(name, known), known) {
        (Some(near), _) => format!("did you mean {near}?"),
        (None, []) if place.is_empty() => "there is none at all".to_owned(),
        (None, []) => "there is none at all there, nor one of that name elsewhere".to_owned(),
        (None, known) if known.len() <= FEW => format!("there is {}", known.join(", ")),
        (None, _) => "look at its spelling".to_owned(),
    };
    CommandFailure::Usage(format!("there is no {kind} {}{place}: {advice}", harmless(name)))
}

/// The name of the organization that a person means.
///
/// # Errors
/// None is, or each of several may be: a sentence that says which there are.
pub fn organization<'a>(directory: &Directory<'a>, called: &str) -> Result<&'a str, CommandFailure> {
    match directory.find(called) {
        SearchResult::Found(listing) => Ok(listing.name),
        SearchResult::Several(all) => {
            let few: Vec<String> = all.iter().take(FEW).map(both_names).collect();
            let others = all.len() - few.len();
            let others = if others > 0 { format!(", and {others} more") } else { String::new() };
            let called = harmless(called);
            let sentence = format!("{called} may be any of {}{others}: give one of these names", few.join(", "));
            Err(CommandFailure::Usage(sentence))
        }
        SearchResult::Nothing(Some(near)) if closest(&called.to_lowercase(), &[near.name]).is_none() => {
            let near = both_names(&near);
            Err(CommandFailure::Usage(format!("there is no organization {}: did you mean {near}?", harmless(called))))
        }
        SearchResult::Nothing(Some(near)) => Err(CommandFailure::Usage(format!(
            "there is no organization {}: did you mean {}?",
            harmless(called),
            near.name
        ))),
        SearchResult::Nothing(None) => {
            let names: Vec<&str> = directory.listings().iter().map(|listing| listing.name).collect();
            Err(unknown("organization", called, &names))
        }
    }
}

/// The name of the definition that a person means.
///
/// # Errors
/// There is none of that name.
pub fn known_definition(inventory: &Inventory, name: &str) -> Result<Arc<str>, CommandFailure> {
    let handles = inventory.handles();
    let known = handles.iter().find(|handle| ****handle == *name);
    let names = || handles.iter().map(AsRef::as_ref).collect::<Vec<&str>>();
    known.map(|handle| Arc::clone(handle)).ok_or_else(|| unknown("definition", name, &names()))
}

/// A note that others go by the name, too, by which an organization was found.
#[must_use]
pub fn also_called(directory: &Directory<'_>, called: &str, found: &str) -> Option<String> {
    let all = directory.namesakes(called, found);
    let few: Vec<String> = all.iter().take(FEW).map(both_names).collect();
    (!few.is_empty()).then(|| format!("note: this is {found}; {} is called so, too: ask who is meant", few.join(", ")))
}

/// `acme (Acme GmbH)`
fn both_names(listing: &Listing<'_>) -> String {
    let shown = listing.display_name.map_or_else(String::new, |shown| format!(" ({})", on_one_line(shown)));
    format!("{}{shown}", listing.name)
}

/// The names that there are.
pub struct Suggestions<'a> {
    inventory: &'a Inventory,
    organizations: OnceCell<Vec<&'a str>>,
    definitions: OnceCell<Vec<&'a str>>,
    plans: OnceCell<Vec<&'a str>>,
    compared: Cell<usize>,
}

impl<'a> Suggestions<'a> {
    /// The names of an inventory.
    #[must_use]
    pub fn of(inventory: &'a Inventory) -> Self {
        let (organizations, definitions, plans) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { inventory, organizations, definitions, plans, compared: Cell::new(0) }
    }

    /// The name that was probably meant, by the reason for which the one that is written in an object of a kind is refused.
    #[must_use]
    pub fn closest(
        &self,
        kind: EntitlementKind,
        reason: ReasonCode,
        written: &str,
        namespace: Option<&str>,
    ) -> Option<String> {
        let names = |kind| self.inventory.names(kind);
        match reason {
            ReasonCode::OrganizationNotFound => {
                self.among(self.organizations.get_or_init(|| names(EntitlementKind::Organization)), written)
            }
            ReasonCode::DefinitionNotFound => {
                self.among(self.definitions.get_or_init(|| names(EntitlementKind::EntitlementDefinition)), written)
            }
            ReasonCode::IncludeNotFound | ReasonCode::PlanNotFound => {
                self.among(self.plans.get_or_init(|| names(EntitlementKind::EntitlementPlan)), written)
            }
            ReasonCode::RenewalInvalid => self.among(&self.inventory.sources_in(kind, namespace?), written),
            _ => None,
        }
    }

    fn among(&self, names: &[&str], written: &str) -> Option<String> {
        // A name that there is was refused for another reason.
        if names.contains(&written) {
            return None;
        }
        let compared = self.compared.get().saturating_add(names.len());
        self.compared.set(compared);
        if compared > MAX_COMPARED { None } else { closest(written, names).map(str::to_owned) }
    }
}
