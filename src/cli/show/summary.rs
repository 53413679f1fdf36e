//! The content of a summary, once it is valid by its schema.

use super::{
    coming::{Coming, coming},
    moment,
};
use crate::{
    cli::{outcome::CommandFailure, schema, terminal::harmless},
    core::{calendar::Instant, excerpt::first_characters},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// More mistakes are counted.
const MOST_MISTAKES: usize = 3;
/// A mistake may quote what stands there.
const MOST_CHARACTERS: usize = 200;

/// A summary.
#[derive(Debug, Deserialize)]
pub struct ReadSummary {
    /// The organization's name.
    pub organization: String,
    /// The entries by handle.
    pub entitlements: BTreeMap<String, ReadEntry>,
    /// As it is written.
    #[serde(skip)]
    whole: Value,
    /// The flags beside it; null without any.
    #[serde(skip)]
    flags: Value,
}

/// What an organization holds of one definition.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadEntry {
    /// In force when the summary was written.
    pub entitled: bool,
    /// For people.
    pub display_name: String,
    /// What is counted.
    pub unit: Option<String>,
    /// Absent for a Feature.
    pub amount: Option<String>,
    /// The run of time in force around then, or the next one.
    pub valid_from: Option<String>,
    /// Its end, grace included.
    pub valid_until: Option<String>,
    /// The end of the term.
    pub end: Option<String>,
    /// Facet, field, value.
    pub facets: BTreeMap<String, Map<String, Value>>,
}

impl ReadSummary {
    /// Reads a text that lies there.
    ///
    /// # Errors
    /// Where it is not a summary as the operator writes it.
    pub fn read(text: &str, place: &str) -> Result<Self, CommandFailure> {
        let wrong = |what: String| {
            CommandFailure::Usage(format!(
                "{}: this is no entitlements.json as the operator writes it: {}",
                harmless(place),
                harmless(&what)
            ))
        };
        let whole: Value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        let mistakes = mistakes(&whole)?;
        if !mistakes.is_empty() {
            return Err(wrong(mistakes.join("; ")));
        }
        let summary = Self::deserialize(&whole).map_err(|error| wrong(error.to_string()))?;
        Ok(Self { whole, ..summary })
    }

    /// Adds the flags beside it. Flags that cannot be read are not needed.
    #[must_use]
    pub fn with_flags(self, flags: Option<&str>) -> Self {
        let flags = flags.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        Self { flags, ..self }
    }

    /// The amount that comes after the one that a handle has now.
    #[must_use]
    pub fn coming(&self, handle: &str, now: Instant) -> Option<Coming> {
        let amount = self.entitlements.get(handle).filter(|entry| entry.entitled)?.amount.as_deref()?;
        coming(&self.flags, handle, amount, now)
    }

    /// Whether a handle was in force when the summary was written.
    #[must_use]
    pub fn is_entitled(&self, handle: &str) -> bool {
        self.entitlements.get(handle).is_some_and(|entry| entry.entitled)
    }

    /// As it is written; of one handle its entry, null where it has none.
    #[must_use]
    pub fn json(&self, handle: Option<&str>) -> &Value {
        match handle {
            None => &self.whole,
            Some(handle) => self.whole.get("entitlements").and_then(|all| all.get(handle)).unwrap_or(&Value::Null),
        }
    }

    /// A handle that has started or ended since the summary was written, so that it should say something else by now.
    #[must_use]
    pub fn outdated(&self, now: Instant) -> Option<&str> {
        let has_come = |at: &Option<String>| at.as_deref().and_then(moment).is_some_and(|at| at <= now);
        let is_outdated = |entry: &ReadEntry| {
            if entry.entitled { has_come(&entry.valid_until) } else { has_come(&entry.valid_from) }
        };
        self.entitlements.iter().find(|(_, entry)| is_outdated(entry)).map(|(handle, _)| handle.as_str())
    }
}

/// What is wrong with a summary by its schema.
fn mistakes(summary: &Value) -> Result<Vec<String>, CommandFailure> {
    let schema: Value = serde_json::from_str(schema::SUMMARY)?;
    let options = jsonschema::draft202012::options().should_validate_formats(true);
    let validator =
        options.build(&schema).map_err(|error| CommandFailure::Usage(format!("the schema of the summary: {error}")))?;
    let mut mistakes: Vec<String> = Vec::new();
    let mut more = 0;
    for error in validator.iter_errors(summary) {
        if mistakes.len() == MOST_MISTAKES {
            more += 1;
            continue;
        }
        let path = error.instance_path().to_string();
        let place = if path.is_empty() { String::new() } else { format!("{path}: ") };
        mistakes.push(first_characters(&format!("{place}{error}"), MOST_CHARACTERS).to_owned());
    }
    if more > 0 {
        mistakes.push(format!("and {more} more"));
    }
    Ok(mistakes)
}

#[cfg(test)]
mod tests {
    use super::ReadSummary;
    use crate::core::calendar::parse_instant;
    use serde_json::{Value, json};

    fn entry() -> Value {
        json!({
            "entitled": true, "displayName": "Seats", "type": "Quantity", "unit": "seats", "amount": "250",
            "validFrom": "2026-01-01T00:00:00Z", "validUntil": "2027-01-15T00:00:00Z", "end": "2027-01-01T00:00:00Z", "facets": {},
        })
    }

    fn read(entry: &Value) -> Result<ReadSummary, String> {
        let summary = json!({"organization": "acme", "entitlements": {"seats": entry}});
        ReadSummary::read(&summary.to_string(), "file").map_err(|failure| failure.to_string())
    }

    #[test]
    fn what_is_new_to_this_version_is_no_mistake() {
        let mut entry = entry();
        entry["new"] = json!(1);
        let summary = read(&entry).unwrap();
        assert_eq!(summary.json(Some("seats"))["new"], 1);
        assert_eq!(*summary.json(Some("other")), Value::Null);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let mut entry = entry();
        entry["amount"] = json!(250);
        let problem = read(&entry).unwrap_err();
        assert!(
            problem.starts_with(
                "file: this is no entitlements.json as the operator writes it: /entitlements/seats/amount: "
            ),
            "{problem}"
        );
        let problem = ReadSummary::read("\u{1b}[2J", "a\u{1b}b").unwrap_err().to_string();
        assert!(problem.starts_with("a\\u{1b}b: ") && !problem.contains('\u{1b}'), "{problem}");
    }

    #[test]
    fn a_summary_is_outdated_once_something_should_have_changed() {
        let waiting = json!({"entitled": false, "amount": "0"});
        let mut later = entry();
        later.as_object_mut().unwrap().extend(waiting.as_object().unwrap().clone());
        for (entry, at, expected) in [
            (entry(), "2027-01-14T23:59:59Z", None),
            (entry(), "2027-01-15T00:00:00Z", Some("seats")),
            (later.clone(), "2025-12-31T23:59:59Z", None),
            (later, "2026-01-01T00:00:00Z", Some("seats")),
        ] {
            assert_eq!(read(&entry).unwrap().outdated(parse_instant(at).unwrap()), expected, "{at}");
        }
    }
}
