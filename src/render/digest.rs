//! A digest of inputs, by which they are known again.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    sync::LazyLock,
};

/// The digest of inputs: two hashes, each with a key of its own, so that nobody can make two inputs that look alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest(u64, u64);

static HASHES: LazyLock<(RandomState, RandomState)> = LazyLock::new(Default::default);

impl Digest {
    /// Of inputs.
    #[must_use]
    pub fn of(inputs: &impl Hash) -> Self {
        Self(HASHES.0.hash_one(inputs), HASHES.1.hash_one(inputs))
    }
}
