//! One JSON object, for people to read as well.

use super::{FacetValues, FormatError};

pub(super) const FORMAT: &str = "Json";

pub(super) fn render(facets: &FacetValues) -> Result<String, FormatError> {
    // What the library says could quote a value.
    let mut text = serde_json::to_string_pretty(facets).map_err(|_| FormatError::Writer { format: FORMAT })?;
    text.push('\n');
    Ok(text)
}
