//! Which grant goes first where several of a definition are in force, and what they come to together.

use super::{
    age::Age,
    amount::Amount,
    calendar::Instant,
    definition::Definition,
    facets::{Statement, SuppliedSecrets, check_values, complete},
};
use crate::api::entitlement_instance::FacetFields;
use std::cmp::Reverse;

/// What decides which grant goes first: the higher priority, then the later start, then the younger. The least goes first.
#[must_use]
pub fn rank(priority: i32, start: Instant, age: &Age) -> impl Ord + use<'_> {
    (Reverse(priority), Reverse(start), Reverse(age))
}

/// All amounts together.
#[must_use]
pub fn total(definition: &Definition, amounts: impl Iterator<Item = Amount>) -> Option<Amount> {
    amounts.reduce(|one, other| one.together(other, definition.aggregation))
}

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
    let mut taking_part = stated.len();
    loop {
        let part = stated.get(..taking_part).unwrap_or(&stated);
        let values = complete(definition, &part.iter().rev());
        let supplied = all(supplied.get(..taking_part).unwrap_or(supplied));
        match values {
            Ok(values) if taking_part <= 1 || check_values(definition, &values, &supplied).is_ok() => {
                return Merged { values, taking_part };
            }
            Err(_) if taking_part == 0 => return Merged { values: FacetFields::new(), taking_part },
            _ => taking_part -= 1,
        }
    }
}

fn all(supplied: &[SuppliedSecrets]) -> SuppliedSecrets {
    let mut all = SuppliedSecrets::new();
    for (facet, fields) in supplied.iter().flatten() {
        all.entry(facet.clone()).or_default().extend(fields.iter().cloned());
    }
    all
}

#[cfg(test)]
mod tests;
