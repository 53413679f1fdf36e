//! Where each value of merged facets comes from, and the ways to values.

use super::{Fields, Layer, Statement, find};
use crate::{api::facet_fields::FacetFields, core::definition::Definition};
use serde_json::Value;
use std::collections::BTreeMap;

/// What gives a value, or would give it if nothing went before.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim<'a> {
    /// The layer.
    pub layer: Layer,
    /// The index of the grant; absent for what no grant states.
    pub grant: Option<usize>,
    /// The value; absent for the schema's default.
    pub value: Option<&'a Value>,
}

/// All that claims one value of merged facets, what holds first. `statements` stand in the order of precedence.
pub fn claims<'a>(
    definition: &'a Definition,
    facet: &'a str,
    path: &'a [&'a str],
    statements: &'a [&'a Statement],
) -> impl Iterator<Item = Claim<'a>> {
    let stated = statements.iter().enumerate().flat_map(move |(index, statement)| {
        let claim = move |(layer, value): (&Layer, &'a Value)| Claim {
            layer: layer.clone(),
            grant: Some(index),
            value: Some(value),
        };
        statement.states(facet, path).map(claim)
    });
    let preset = definition.facets.get(facet).and_then(|facet| find(&facet.preset, path));
    let preset = preset.map(|value| Claim { layer: Layer::Preset, grant: None, value: Some(value) });
    let default = Claim { layer: Layer::Default, grant: None, value: None };
    stated.chain(preset).chain(std::iter::once(default))
}

/// Where each value of merged facets comes from: facet → way to the field ([`joined`]) → layer, and the index of the grant
/// that gave it. `statements` stand in the order of precedence, the first one wins.
#[must_use]
pub fn provenance(
    definition: &Definition,
    values: &FacetFields,
    statements: &[&Statement],
) -> BTreeMap<String, BTreeMap<String, (Layer, Option<usize>)>> {
    let mut all = BTreeMap::new();
    for (facet, fields) in values {
        let mut of_facet = BTreeMap::new();
        each_value(fields, &mut |path, _| {
            let origin = claims(definition, facet, path, statements).next();
            let origin = origin.map_or((Layer::Default, None), |claim| (claim.layer, claim.grant));
            of_facet.insert(joined(path), origin);
        });
        all.insert(facet.clone(), of_facet);
    }
    all
}

/// The way to a value as one text: names joined by dots, with a backslash before a dot or backslash that is part of a name,
/// so that no two ways have one text.
#[must_use]
pub fn joined(path: &[&str]) -> String {
    let mut text = String::new();
    for (index, name) in path.iter().enumerate() {
        if index > 0 {
            text.push('.');
        }
        for character in name.chars() {
            if matches!(character, '.' | '\\') {
                text.push('\\');
            }
            text.push(character);
        }
    }
    text
}

/// The names that [`joined`] makes into that text.
#[must_use]
pub fn split(text: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let plain = match character {
            '.' => None,
            '\\' => Some(characters.next().unwrap_or('\\')),
            character => Some(character),
        };
        match (plain, names.last_mut()) {
            (Some(plain), Some(name)) => name.push(plain),
            _ => names.push(String::new()),
        }
    }
    names
}

/// What one states and the other does not: whole facets by name, else the ways to the fields, behind the facet's name.
#[must_use]
pub fn unstated(one: &FacetFields, other: &FacetFields) -> Vec<String> {
    let mut missing = Vec::new();
    for (name, fields) in one {
        let Some(stated) = other.get(name).filter(|stated| !stated.is_empty()) else {
            if !fields.is_empty() {
                missing.push(name.clone());
            }
            continue;
        };
        each_value(fields, &mut |path, _| {
            if find(stated, path).is_none() {
                missing.push(format!("{name}.{}", joined(path)));
            }
        });
    }
    missing
}

/// Calls `each` for every value that is no object with fields of its own, with the way to it.
pub fn each_value(fields: &Fields, each: &mut impl FnMut(&[&str], &Value)) {
    descend(fields, &mut Vec::new(), each);
}

fn descend<'a>(fields: &'a Fields, path: &mut Vec<&'a str>, each: &mut impl FnMut(&[&str], &Value)) {
    for (name, value) in fields {
        path.push(name);
        match value {
            Value::Object(inner) if !inner.is_empty() => descend(inner, path, each),
            _ => each(path, value),
        }
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::{FacetFields, joined, split, unstated};
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_way_is_its_names_joined_by_dots_that_are_no_part_of_a_name() {
        for (path, text) in [
            (&["limits", "cpu"][..], "limits.cpu"),
            (&["limits.cpu"], r"limits\.cpu"),
            (&[r"limits\", "cpu"], r"limits\\.cpu"),
            (&[""], ""),
            (&["", ""], "."),
        ] {
            assert_eq!(joined(path), text);
        }
    }

    proptest! {
        #[test]
        fn no_two_ways_have_one_text(
            one in prop::collection::vec(r"[a.\\\\]{0,3}", 1..4),
            other in prop::collection::vec(r"[a.\\\\]{0,3}", 1..4),
        ) {
            let text = |names: &[String]| joined(&names.iter().map(String::as_str).collect::<Vec<_>>());
            prop_assert_eq!(text(&one) == text(&other), one == other);
            prop_assert_eq!(split(&text(&one)), one);
        }
    }

    #[test]
    fn what_one_states_and_the_other_does_not_is_told() {
        let of = |value| -> FacetFields { serde_json::from_value(value).unwrap() };
        let one =
            of(json!({"sso": {"domain": "a", "roles": {"admin": 1, "guest": []}}, "backup": {"days": 3}, "none": {}}));
        for (other, missing) in [
            (json!({}), &["backup", "sso"][..]),
            (json!({"sso": {}}), &["backup", "sso"]),
            (json!({"sso": {"domain": null}}), &["backup", "sso.roles.admin", "sso.roles.guest"]),
            (json!({"backup": {"days": 4}, "sso": {"domain": "b", "roles": {"admin": 2, "guest": 3}}}), &[]),
        ] {
            assert_eq!(unstated(&one, &of(other.clone())), missing, "{other}");
        }
    }
}
