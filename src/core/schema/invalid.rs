//! Why a facet schema cannot be used.

use std::fmt;

/// At most so many problems of one schema are reported.
const MAX_PROBLEMS: usize = 20;

/// A facet schema that cannot be used, with each place and what to do there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct InvalidSchema {
    problems: Vec<SchemaProblem>,
}

impl InvalidSchema {
    /// Each problem, at least one and at most 20.
    #[must_use]
    pub fn problems(&self) -> &[SchemaProblem] {
        &self.problems
    }
}

impl fmt::Display for InvalidSchema {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(formatter, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl From<SchemaProblem> for InvalidSchema {
    fn from(problem: SchemaProblem) -> Self {
        Self { problems: vec![problem] }
    }
}

/// One thing that is wrong in a facet schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaProblem {
    /// JSON pointer into the schema; empty for the schema itself.
    pub pointer: String,
    /// What is wrong there and what to do.
    pub message: String,
}

impl SchemaProblem {
    pub(super) fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }
}

impl fmt::Display for SchemaProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "schema{}: {}", self.pointer, self.message)
    }
}

/// Gathers problems, each once, up to the reported number.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<SchemaProblem>);

impl Problems {
    pub(super) fn add(&mut self, problem: SchemaProblem) {
        if self.0.len() < MAX_PROBLEMS && !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there is one at that place or around it.
    pub(super) fn cover(&self, pointer: &str) -> bool {
        self.0.iter().filter(|problem| !problem.pointer.is_empty()).any(|problem| {
            let inside = pointer.strip_prefix(&problem.pointer);
            inside.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// Whether there is room for more.
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= MAX_PROBLEMS
    }

    pub(super) fn into_result(self) -> Result<(), InvalidSchema> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(InvalidSchema { problems: self.0 })
    }
}
