//! What a review looks at.

use super::super::{SecretSources, Snapshot};

/// An organization as a change would leave it, without any secret value.
///
/// Whoever asks chooses what is asked, such as a schema that a value would have to match; so an answer that depended on a
/// secret would tell it, bit by bit. There is no way to make one that has secrets: a secret field is there if the grant names
/// a source for it, and whatever the source holds is taken for valid.
#[derive(Clone, Debug)]
pub struct Candidate(Snapshot);

impl Candidate {
    /// What is known, without the secrets.
    #[must_use]
    pub fn of(snapshot: Snapshot) -> Self {
        Self(Snapshot { secrets: SecretSources::new(), ..snapshot })
    }

    /// What can be looked at.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.0
    }
}
