//! The fields of facets as a flat list, for the formats that know no nesting.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::{Map, Value};

use super::{FacetValues, FieldPath, FormatError};

/// A value that is written under a name of its own.
pub(super) struct Leaf<'a> {
    pub(super) path: FieldPath,
    pub(super) value: LeafValue<'a>,
}

/// What a field can be once objects are taken apart and null is left out.
pub(super) enum LeafValue<'a> {
    /// A text as it is.
    Text(&'a str),
    /// A boolean or a number, as in JSON.
    Plain(String),
    /// A list as compact JSON.
    List(String),
}

/// All leaves by name.
///
/// # Errors
/// [`FormatError::NameTaken`] if `name` gives two of them the same.
pub(super) fn by_name<'a>(
    format: &'static str,
    facets: &'a FacetValues,
    name: impl Fn(&FieldPath) -> String,
) -> Result<BTreeMap<String, Leaf<'a>>, FormatError> {
    let mut named = BTreeMap::new();
    for leaf in leaves(facets) {
        match named.entry(name(&leaf.path)) {
            Entry::Vacant(free) => {
                free.insert(leaf);
            }
            Entry::Occupied(taken) => {
                return Err(FormatError::NameTaken {
                    format,
                    name: taken.key().clone(),
                    first: taken.get().path.clone(),
                    second: leaf.path,
                });
            }
        }
    }
    Ok(named)
}

fn leaves(facets: &FacetValues) -> Vec<Leaf<'_>> {
    let mut leaves = Vec::new();
    for (facet, fields) in facets {
        collect(&FieldPath::of_facet(facet), fields, &mut leaves);
    }
    leaves
}

fn collect<'a>(parent: &FieldPath, fields: &'a Map<String, Value>, leaves: &mut Vec<Leaf<'a>>) {
    for (name, value) in fields {
        let path = parent.member(name);
        let value = match value {
            Value::Null => continue,
            Value::Object(nested) => {
                collect(&path, nested, leaves);
                continue;
            }
            Value::String(text) => LeafValue::Text(text),
            Value::Bool(_) | Value::Number(_) => LeafValue::Plain(value.to_string()),
            Value::Array(_) => LeafValue::List(value.to_string()),
        };
        leaves.push(Leaf { path, value });
    }
}
