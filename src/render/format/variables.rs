//! Fields as variables: their names, and each as a data key of its own.

use std::collections::BTreeMap;

use super::leaves::{self, LeafValue};
use super::{FacetValues, FieldPath, FormatError, Obstacle};

const FORMAT: &str = "Keys";

/// Longest data key of a `ConfigMap` or `Secret`: that of a DNS subdomain, see `IsConfigMapKey` in Kubernetes.
pub(super) const KEY_LENGTH_MAX: usize = 253;

/// Each field as a data key with its value, for `envFrom`.
///
/// # Errors
/// [`FormatError`] if two fields would get one key, a key is too long, or a value is none that a variable can have.
pub fn keys(facets: &FacetValues) -> Result<BTreeMap<String, String>, FormatError> {
    let mut data = BTreeMap::new();
    for (name, leaf) in leaves::by_name(FORMAT, facets, variable_name)? {
        if name.len() > KEY_LENGTH_MAX {
            return Err(FormatError::NameTooLong { format: FORMAT, field: leaf.path, length: name.len() });
        }
        let value = match leaf.value {
            LeafValue::Text(text) if text.contains('\0') => {
                return Err(FormatError::Unwritable { format: FORMAT, field: leaf.path, obstacle: Obstacle::Nul });
            }
            LeafValue::Text(text) => text.to_owned(),
            LeafValue::Plain(text) | LeafValue::List(text) => text,
        };
        data.insert(name, value);
    }
    Ok(data)
}

/// `<FACET>_<FIELD>`. A facet's name starts with a letter, so the variable's does, too.
pub(super) fn variable_name(path: &FieldPath) -> String {
    path.names().map(upper_case).collect::<Vec<_>>().join("_")
}

fn upper_case(name: &str) -> String {
    name.chars()
        .map(|character| match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' => character.to_ascii_uppercase(),
            _ => '_',
        })
        .collect()
}
