//! Whether a store's file is still the one that was opened. Whoever has a file open reads and writes it even when it was deleted, and
//! nobody would ever see again what is written then.

use crate::store::{StoreAddress, StoreError};
use std::{fs, os::unix::fs::MetadataExt, path::PathBuf};

/// A store's file, as it was when it was opened.
pub struct StoreFile {
    path: PathBuf,
    number: Option<(u64, u64)>,
}

impl StoreFile {
    /// That of a store; None where it is none.
    pub fn of(address: &StoreAddress) -> Option<Self> {
        let shown = address.to_string();
        let path = PathBuf::from(shown.strip_prefix("sqlite://")?);
        let number = number(&path);
        // A path with escaped characters is not the file's.
        number.is_some().then_some(Self { path, number })
    }

    /// Whether it is still there.
    ///
    /// # Errors
    /// Where it is gone, or another one.
    pub fn check(&self) -> Result<(), StoreError> {
        if number(&self.path) == self.number {
            return Ok(());
        }
        Err(StoreError::Down(format!("its file {} was removed or replaced", self.path.display())))
    }

    /// Whether another one is in its place. Where none is, whoever moves them may be about to put one there.
    pub fn is_another(&self) -> bool {
        number(&self.path).is_some_and(|found| Some(found) != self.number)
    }
}

fn number(path: &PathBuf) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}
