//! The words for a field that the schema does not know.

use serde_json::Value;

use super::phrase::{list, shorten};

/// Names longer than this have no near match looked for.
const MAX_COMPARED: usize = 64;

/// The names that YAML 1.1, which kubectl reads, takes for a boolean unless they are quoted
/// (<https://yaml.org/type/bool.html>).
const BOOLEANS: [(&str, [&str; 3]); 2] = [("true", ["y", "yes", "on"]), ("false", ["n", "no", "off"])];

/// Explains that the missing field `name` may be there under the name of a boolean.
pub(super) fn read_as_boolean(object: &Value, name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let (boolean, _) = BOOLEANS
        .into_iter()
        .find(|(boolean, names)| names.contains(&lower.as_str()) && object.get(*boolean).is_some())?;
    Some(format!(
        "; if it is in the manifest, put {name} in quotes, as the YAML reader of kubectl takes it for the boolean {boolean}"
    ))
}

/// Says what the field may have been meant to be.
pub(crate) fn explain(name: &str, known: &[&str]) -> String {
    if let Some((_, [one, two, three])) = BOOLEANS.iter().find(|(boolean, _)| *boolean == name) {
        return format!(
            "unknown field; if it is written {one}, {two} or {three} in the manifest, put it in quotes, as the YAML reader of kubectl \
             takes it for the boolean {name}"
        );
    }
    if let Some(boolean) = named_as_boolean(name, known) {
        return format!(
            "unknown field; the schema has the field {boolean}: if {name} is meant there, put it in quotes in the schema's manifest, as the \
             YAML reader of kubectl takes it for the boolean {boolean}"
        );
    }
    if let Some(near) = closest(name, known) {
        return format!("unknown field; did you mean {}?", shorten(near));
    }
    if known.is_empty() {
        return "unknown field; none are allowed here".to_owned();
    }
    format!("unknown field; known are {}", list(known.iter().map(|name| shorten(name))))
}

/// The boolean for which the schema's own manifest may have had this name.
fn named_as_boolean(name: &str, known: &[&str]) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    let is_meant =
        |(boolean, names): &(&'static str, [&str; 3])| names.contains(&lower.as_str()) && known.contains(boolean);
    BOOLEANS.iter().find(|entry| is_meant(entry)).map(|(boolean, _)| *boolean)
}

/// The name that a third of the letters, and at least one, would have to be changed for at most.
pub(crate) fn closest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    if name.len() > MAX_COMPARED {
        return None;
    }
    let allowed = (name.chars().count() / 3).max(1);
    known
        .iter()
        .filter(|candidate| candidate.len() <= MAX_COMPARED)
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), *candidate))
        .filter(|(changes, _)| *changes <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}
