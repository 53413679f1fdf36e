//! A change from one set of manifests to another, as the cluster would take it.

use super::{
    manifests::Manifests,
    offline::{Examination, SourceArguments, is_readable, read},
    outcome::{CommandFailure, Outcome},
};
use crate::offline::When;
use std::path::{Path, PathBuf};

/// What came of the two sets.
pub enum Comparison {
    /// The old one cannot be read.
    Unreadable(Box<Examination>),
    /// The old one, and the new one as it comes after the old one.
    Read {
        /// Before.
        old: Box<Manifests>,
        /// After.
        new: Box<Examination>,
    },
}

/// Reads two sets of manifests. What is wrong with the old one is not of interest, unless it cannot be read.
///
/// # Errors
/// When that cannot be done, whatever the manifests are.
pub fn change(old: &Path, new: &[PathBuf], source: &SourceArguments, when: When) -> Result<Comparison, CommandFailure> {
    let old = Examination::of_reading(read(&[old.to_owned()], source, when)?);
    if old.outcome() == Outcome::Unreadable {
        return Ok(Comparison::Unreadable(Box::new(old)));
    }
    let mut new = read(new, source, when)?;
    if is_readable(&new.findings) {
        new.follow(&old.manifests, when)?;
    }
    Ok(Comparison::Read { old: Box::new(old.manifests), new: Box::new(Examination::of(new, when)) })
}
