//! What is wrong with manifests, and how it is reported.
//!
//! | file | what it knows |
//! |---|---|
//! | `finding` | one mistake, and its place |
//! | `excerpt` | the line of a manifest, and which lines are hidden |
//! | `text` | findings as a compiler prints them |
//! | `json`, `sarif` | findings for programs |

mod excerpt;
mod finding;
mod json;
mod sarif;
mod text;

#[cfg(test)]
mod tests;

pub use excerpt::Excerpts;
pub use finding::{Excerpt, Finding, IN_CLUSTER, Label, Severity, SourceLocation};
pub use json::{json, one};
pub use sarif::sarif;
pub use text::say_all;

/// At most so many findings are kept and shown; the others are counted.
pub const MAX_FINDINGS: usize = 10_000;
