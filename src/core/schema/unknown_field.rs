//! The words for a field that the schema does not know.

use super::phrase::{list, shorten};

/// Names longer than this have no near match looked for.
const MAX_COMPARED: usize = 64;

/// Says what the field may have been meant to be.
pub(super) fn explain(name: &str, known: &[&str]) -> String {
    if name == "true" || name == "false" {
        let written = if name == "true" {
            "y, yes or on"
        } else {
            "n, no or off"
        };
        return format!(
            "unknown field; if it is written {written} in the manifest, put it in quotes, as the YAML reader of kubectl \
             takes it for the boolean {name}"
        );
    }
    if let Some(near) = closest(name, known) {
        return format!("unknown field; did you mean {}?", shorten(near));
    }
    if known.is_empty() {
        return "unknown field; none are allowed here".to_owned();
    }
    format!(
        "unknown field; known are {}",
        list(known.iter().map(|name| shorten(name)))
    )
}

/// The name that a third of the letters, and at least one, would have to be changed for at most.
fn closest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
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
