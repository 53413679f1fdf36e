//! The path that only the API server is told: a caller that uses it is taken for the API server, and no other is.
//!
//! API servers present no certificate unless they are set up to. But the `ValidatingWebhookConfiguration`, which tenants cannot
//! read, tells them where to send reviews. So a part of that path that nobody can guess tells them from everyone else who
//! reaches the port. It is made of the private key that all replicas share, and changes with it.

use super::options::PATH;
use crate::core::secret::Secret;
use crate::server::certificate::Certificate;
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex, PoisonError};

/// What the key is hashed with, so that the hash is of no other use.
const PURPOSE: &[u8] = b"entitlements.dev webhook path\0";
/// Bytes of the hash that a path has: nobody guesses 128 bits.
const BYTES: usize = 16;
/// The newest, and the one before it, by which API servers that have not heard of the newest still ask.
const MOST: usize = 2;

/// A path that cannot be guessed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass(Secret<String>);

impl Pass {
    /// The one that goes with a certificate.
    #[must_use]
    pub fn of(certificate: &Certificate) -> Self {
        let hash = Sha256::new().chain_update(PURPOSE).chain_update(certificate.key.expose_secret()).finalize();
        let part = hex::encode(hash.get(..BYTES).unwrap_or_default());
        Self(Secret::new(format!("{PATH}/{part}")))
    }

    /// The path, for the API server.
    #[must_use]
    pub fn path(&self) -> &str {
        self.0.expose_secret()
    }
}

/// The paths by which the API server may come now.
#[derive(Clone, Debug, Default)]
pub struct Passes(Arc<Mutex<Vec<Pass>>>);

impl Passes {
    /// From now on that path is one of them.
    pub fn admit(&self, pass: &Pass) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.first() == Some(pass) {
            return;
        }
        known.retain(|one| one != pass);
        known.insert(0, pass.clone());
        known.truncate(MOST);
    }

    /// Whether a path is one of them.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        let asked = Pass(Secret::new(path.to_owned()));
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // All are looked at, so that the time it takes tells nothing.
        known.iter().filter(|one| **one == asked).count() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::{Pass, Passes};
    use crate::{core::secret::Secret, server::certificate::Certificate};

    fn pass(key: &str) -> Pass {
        let key = Secret::new(key.as_bytes().to_vec());
        Pass::of(&Certificate { chain: Vec::new(), key, authorities: Vec::new() })
    }

    #[test]
    fn a_path_is_of_its_key_alone() {
        assert_eq!(pass("one").path(), "/validate/cfb1d45ec3e92012077465d1ec563e66");
        assert_eq!(pass("one"), pass("one"));
        assert_ne!(pass("one"), pass("two"));
        assert!(!format!("{:?}", pass("one")).contains("validate"));
    }

    #[test]
    fn the_newest_two_are_known() {
        let passes = Passes::default();
        assert!(!passes.has(pass("one").path()));
        for key in ["one", "two", "two", "three"] {
            passes.admit(&pass(key));
        }
        assert!(!passes.has(pass("one").path()));
        assert!(passes.has(pass("two").path()) && passes.has(pass("three").path()));
        assert!(!passes.has("/validate") && !passes.has("/validate/") && !passes.has(""));
    }
}
