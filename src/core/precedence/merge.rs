//! The facets of several grants together. If they do not go together, the last ones are left out.

use crate::{
    api::facet_fields::FacetFields,
    core::{
        definition::{Definition, FacetSet},
        facets::{Fields, Statement, SuppliedSecrets, complete, complete_facet},
    },
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

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

/// Looks for how many grants go together. Each facet is looked at by itself, and only at those numbers of grants at which it
/// changes: a grant that says nothing of it, or nothing that one before it does not say, leaves its values as they are. So a facet
/// is checked about once for each field that is stated, however many grants there are.
///
/// Halving would not do. What goes together does not always do so in part: where a schema says that a field `a` needs a field `b`,
/// grants that state `c`, `a` and `b` are valid all three, and with the first alone, but not with the first two. Halving would
/// look at the first two, and leave `b` out.
pub(super) struct Search<'a> {
    definition: &'a Definition,
    stated: &'a [FacetFields],
    supplied: &'a [SuppliedSecrets],
    /// How often a facet was merged and checked.
    pub(super) checks: usize,
}

impl<'a> Search<'a> {
    pub(super) fn new(definition: &'a Definition, stated: &'a [FacetFields], supplied: &'a [SuppliedSecrets]) -> Self {
        Self { definition, stated, supplied, checks: 0 }
    }

    /// The most grants, from the first on, whose facets are valid together; at least one, if there is one.
    pub(super) fn most(&mut self) -> usize {
        let definition = self.definition;
        let mut facets: Vec<Turns> = definition.facets.values().map(|facet| self.turns(facet)).collect();
        let mut count = self.stated.len();
        while count > 1 {
            let unsound = facets.iter_mut().find_map(|facet| {
                let at = facet.at(count);
                if facet.sound != Some(at) && !self.is_sound(facet.of, at) {
                    return Some(at);
                }
                facet.sound = Some(at);
                None
            });
            let Some(at) = unsound else { return count };
            // Without those from there on, nothing of the facet was otherwise.
            count = at.saturating_sub(1).max(1);
        }
        count
    }

    /// At which numbers of grants a facet changes.
    fn turns(&self, facet: &'a FacetSet) -> Turns<'a> {
        let (mut shape, mut supplied) = (Shape::default(), BTreeSet::new());
        let mut at = Vec::new();
        for (index, stated) in self.stated.iter().enumerate() {
            let says = stated.get(&*facet.name).is_some_and(|fields| shape.add(fields));
            let secrets = self.supplied.get(index).and_then(|supplied| supplied.get(&*facet.name));
            let before = supplied.len();
            supplied.extend(secrets.into_iter().flatten());
            if says || supplied.len() > before {
                at.push(index + 1);
            }
        }
        Turns { of: facet, at, sound: None }
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

/// At which numbers of grants a facet changes.
struct Turns<'a> {
    of: &'a FacetSet,
    /// In ascending order.
    at: Vec<usize>,
    /// The last of them that was found valid.
    sound: Option<usize>,
}

impl Turns<'_> {
    /// The number of grants that gives the same as so many.
    fn at(&self, count: usize) -> usize {
        let turns = self.at.partition_point(|at| *at <= count);
        turns.checked_sub(1).and_then(|last| self.at.get(last)).copied().unwrap_or_default()
    }
}

/// The fields that are stated so far.
#[derive(Default)]
struct Shape(BTreeMap<String, Shaped>);

/// What is stated of one field.
enum Shaped {
    /// Whatever is stated besides, with less precedence, says nothing new.
    Closed,
    /// An object, to which more may be added.
    Open(Shape),
}

impl Shape {
    fn of(fields: &Fields) -> Self {
        Self(fields.iter().map(|(name, value)| (name.clone(), Shaped::of(value))).collect())
    }

    /// Something is stated with less precedence than all before. Whether that changes anything.
    fn add(&mut self, fields: &Fields) -> bool {
        let mut changes = false;
        for (name, value) in fields {
            match (self.0.get_mut(name), value) {
                (None, _) => {
                    self.0.insert(name.clone(), Shaped::of(value));
                    changes = true;
                }
                (Some(Shaped::Closed), _) => {}
                (Some(Shaped::Open(shape)), Value::Object(fields)) => changes |= shape.add(fields),
                // It hides what would be added to the object from below it.
                (Some(shaped), _) => {
                    *shaped = Shaped::Closed;
                    changes = true;
                }
            }
        }
        changes
    }
}

impl Shaped {
    fn of(value: &Value) -> Self {
        match value {
            Value::Object(fields) => Self::Open(Shape::of(fields)),
            _ => Self::Closed,
        }
    }
}
