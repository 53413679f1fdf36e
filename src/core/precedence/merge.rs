//! The facets of several grants together. If they do not go together, the last ones are left out.

use crate::{
    api::entitlement_instance::FacetFields,
    core::{
        definition::{Definition, FacetSet},
        facets::{Statement, SuppliedSecrets, complete, complete_facet},
    },
};
use std::{collections::BTreeMap, sync::Arc};

/// The facets of several grants, merged.
#[derive(Clone, Debug)]
pub struct Merged {
    /// The whole values.
    pub values: FacetFields,
    /// How many of the grants, from the first on, have a part in them.
    pub taking_part: usize,
}

/// Merges what several grants state, which stand in the order of precedence: each field takes the value of the first that
/// states it. Should the merged values not validate together, the last one is left out until they do, or one is left.
#[must_use]
pub fn merge_statements(definition: &Definition, statements: &[&Statement], supplied: &[SuppliedSecrets]) -> Merged {
    let stated: Vec<FacetFields> = statements.iter().map(|statement| statement.merged()).collect();
    let taking_part = Search::new(definition, &stated, supplied).most();
    let whole = |count: usize| complete(definition, &stated.get(..count).unwrap_or(&stated).iter().rev());
    if let Ok(values) = whole(taking_part) {
        return Merged { values, taking_part };
    }
    // One alone that cannot be filled with defaults has no part either.
    Merged { values: whole(0).unwrap_or_default(), taking_part: 0 }
}

/// Looks for how many grants go together. Each facet is looked at by itself, and again only if one is left out that says
/// something of it: most say nothing.
pub(super) struct Search<'a> {
    definition: &'a Definition,
    stated: &'a [FacetFields],
    supplied: &'a [SuppliedSecrets],
    /// Of each facet that was found valid, up to which of the grants that say something of it.
    sound: BTreeMap<Arc<str>, usize>,
    /// How often a facet was merged and checked.
    pub(super) checks: usize,
}

impl<'a> Search<'a> {
    pub(super) fn new(definition: &'a Definition, stated: &'a [FacetFields], supplied: &'a [SuppliedSecrets]) -> Self {
        Self { definition, stated, supplied, sound: BTreeMap::new(), checks: 0 }
    }

    /// The most grants, from the first on, whose facets are valid together; at least one, if there is one.
    pub(super) fn most(&mut self) -> usize {
        let mut count = self.stated.len();
        while count > 1 {
            let Some(heard) = self.first_unsound(count) else { return count };
            // Without those behind it, nothing of the facet changes.
            count = heard.saturating_sub(1).max(1);
        }
        count
    }

    /// Of a facet that is not valid with so many grants: how many there are up to the last that says something of it.
    fn first_unsound(&mut self, count: usize) -> Option<usize> {
        let definition = self.definition;
        definition.facets.values().find_map(|facet| {
            let heard = (1..=count).rev().find(|index| self.says(index - 1, &facet.name)).unwrap_or(0);
            if self.sound.get(&facet.name) == Some(&heard) {
                return None;
            }
            if !self.is_sound(facet, heard) {
                return Some(heard);
            }
            self.sound.insert(Arc::clone(&facet.name), heard);
            None
        })
    }

    fn says(&self, index: usize, facet: &str) -> bool {
        let states =
            self.stated.get(index).and_then(|stated| stated.get(facet)).is_some_and(|fields| !fields.is_empty());
        states || self.supplied.get(index).is_some_and(|supplied| supplied.contains_key(facet))
    }

    fn is_sound(&mut self, facet: &FacetSet, count: usize) -> bool {
        self.checks += 1;
        let stated = self.stated.get(..count).unwrap_or(self.stated).iter().rev();
        let Ok(values) = complete_facet(facet, stated) else { return false };
        let supplied = self.supplied.get(..count).unwrap_or(self.supplied).iter();
        let given = supplied.filter_map(|supplied| supplied.get(&*facet.name)).flatten().cloned().collect();
        facet.schema.accepts(&facet.name, &values, &given)
    }
}
