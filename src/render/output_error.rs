//! Why an output cannot be filled.

use super::{demands::Unmet, format::FormatError, template::TemplateError, work};
use crate::core::{name, reason::ReasonCode};

/// Why an output cannot be filled. No message holds a value, which may be secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutputError {
    /// A template failed.
    #[error("output {output}, {part}: {error}")]
    Template {
        /// The output.
        output: String,
        /// The object name, or the key.
        part: String,
        /// What failed.
        error: Box<TemplateError>,
    },
    /// Facets cannot be written in a format.
    #[error("output {output}, {part}: {error}")]
    Format {
        /// The output.
        output: String,
        /// The key, or `Keys`.
        part: String,
        /// What cannot be written.
        error: Box<FormatError>,
    },
    /// Two items fill one key.
    #[error("output {output}: two of its items fill the key {key}: rename one")]
    KeyTaken {
        /// The output.
        output: String,
        /// The key.
        key: String,
    },
    /// The object's name is none.
    #[error("output {output}: objectName gives {name:?}, which is no name for an object: it {fault}")]
    Name {
        /// The output.
        output: String,
        /// What the template gave, shortened.
        name: String,
        /// What a name has to be.
        fault: name::InvalidName,
    },
    /// The data of a Secret are not what its type demands.
    #[error("output {output}: {unmet}")]
    Unmet {
        /// The output.
        output: String,
        /// What is missing or wrong.
        unmet: Unmet,
    },
    /// The object's name is one that somebody else keeps in every namespace.
    #[error(
        "output {output}: objectName gives {name}, the name of an object that {keeper} keeps in every namespace: give it another"
    )]
    Reserved {
        /// The output.
        output: String,
        /// The name.
        name: String,
        /// Who keeps it.
        keeper: &'static str,
    },
    /// Parts that read secret fields cannot be filled. Which they are and why is not said: where the values decide, it would
    /// tell of them.
    #[error(
        "output {output}: what reads secret fields in it cannot be filled with the values that they have, and why is not said, as that would tell of the values: see that each is what the template, the format or the Secret's type asks for, and try it with values that are no secret"
    )]
    Secret {
        /// The output.
        output: String,
    },
    /// The outputs of the definition have been too much work already.
    #[error(
        "output {output}: the outputs of the definition are more work than is allowed for one grant, {} steps in all: make them simpler, or split the definition",
        work::MAX_OF_GRANT
    )]
    TooMuchWork {
        /// The output.
        output: String,
    },
}

impl OutputError {
    /// The reason of the condition `Delivered`.
    #[must_use]
    pub fn reason(&self) -> ReasonCode {
        match self {
            Self::Name { .. } => ReasonCode::InvalidName,
            Self::Reserved { .. } => ReasonCode::ReservedName,
            Self::Unmet { .. } => ReasonCode::InvalidSecret,
            Self::TooMuchWork { .. } => ReasonCode::TooMuchWork,
            _ => ReasonCode::RenderFailed,
        }
    }
}
