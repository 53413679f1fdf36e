//! The file formats of a grant's facets.
//!
//! Every format gives the same bytes for the same values: names are sorted, and nothing but the values is written. A format
//! never bends a value that its readers could not read back. It refuses the value and says what to do.

mod env;
mod field_path;
mod json;
mod leaves;
mod properties;
mod toml;
mod variables;
pub(in crate::render) mod yaml;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

pub use field_path::{FieldPath, Segment};
pub use variables::keys;

/// The fields of each facet by the name of the facet, secret ones merged in or left out by the caller.
pub type FacetValues = BTreeMap<String, Map<String, Value>>;

/// A format that gives one text. [`keys`] gives a data key for each field instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `<FACET>_<FIELD>=value` lines that a POSIX `sh` and the common readers of .env files read alike.
    Env,
    /// One JSON object, indented by two spaces.
    Json,
    /// One mapping that readers of YAML 1.1 and 1.2 read alike.
    Yaml,
    /// One TOML document; null is left out.
    Toml,
    /// `facet.field=value` lines for `java.util.Properties`, in ASCII.
    Properties,
}

impl Format {
    /// Writes the facets; each line of the text ends with a line feed, so no field at all may give an empty text.
    ///
    /// # Errors
    /// [`FormatError`] names the field that this format cannot hold.
    pub fn render(self, facets: &FacetValues) -> Result<String, FormatError> {
        match self {
            Self::Env => env::render(facets),
            Self::Json => json::render(facets),
            Self::Yaml => Ok(yaml::render(facets)),
            Self::Toml => toml::render(facets),
            Self::Properties => properties::render(facets),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Env => env::FORMAT,
            Self::Json => json::FORMAT,
            Self::Yaml => yaml::FORMAT,
            Self::Toml => toml::FORMAT,
            Self::Properties => properties::FORMAT,
        })
    }
}

/// Why facets cannot be written in a format. It never holds a value, which may be secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// Two fields would be written under one name.
    #[error(
        "{format}: {first} and {second} would both be called {name}: rename one of the two fields, or write their facets in separate items"
    )]
    NameTaken {
        /// The name of the format.
        format: &'static str,
        /// What both would be called.
        name: String,
        /// The field that comes first in the order of facets and fields.
        first: FieldPath,
        /// The field that comes after it.
        second: FieldPath,
    },
    /// The name of a field is longer than a data key of a `ConfigMap` or `Secret` may be.
    #[error(
        "{format}: {field} would be called by a name of {length} characters, and a data key has at most {}: shorten the name of the field, or use Json",
        variables::KEY_LENGTH_MAX
    )]
    NameTooLong {
        /// The name of the format.
        format: &'static str,
        /// The field.
        field: FieldPath,
        /// How long its name would be, in characters.
        length: usize,
    },
    /// The format has no way to write a value.
    #[error("{format}: {field} {obstacle}")]
    Unwritable {
        /// The name of the format.
        format: &'static str,
        /// The field, or the part of it.
        field: FieldPath,
        /// What stands in the way, and what to do.
        obstacle: Obstacle,
    },
    /// The library that writes the format failed without a reason in the values.
    #[error("{format}: the facets could not be written: report this as a defect of the operator")]
    Writer {
        /// The name of the format.
        format: &'static str,
    },
}

/// What about a value a format cannot write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// No environment variable can hold a NUL.
    #[error("holds a NUL character, which no environment variable can: use Json")]
    Nul,
    /// Line ends are normalized by dotenv readers.
    #[error("holds a carriage return, which dotenv libraries read as a line feed: use Json or Keys")]
    CarriageReturn,
    /// python-dotenv interpolates whatever the quotes are.
    #[error("holds `${{…}}`, which python-dotenv replaces within any quotes: use Json or Keys")]
    Interpolation,
    /// Backslashes that one reader unescapes and another keeps.
    #[error(
        "holds a backslash at its end or before another backslash, which dotenv libraries and sh read differently: use Json or Keys"
    )]
    Backslash,
    /// A single quote beside something that is special within double quotes.
    #[error(
        "holds a single quote together with a double quote, a backtick, `$` or a backslash, and dotenv libraries and sh have no common quoting for that: use Json or Keys"
    )]
    Quotes,
    /// TOML has no null, and leaving it out of a list would move what is behind it.
    #[error("is null within a list, and TOML has no null: use Json or Yaml")]
    NullInList,
    /// TOML's whole numbers are signed and of 64 bits.
    #[error(
        "is beyond the whole numbers of TOML, which go from -9223372036854775808 to 9223372036854775807: use Json or Yaml"
    )]
    BeyondIntegers,
}
