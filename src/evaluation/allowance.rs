//! How much all objects of one organization may come to together. Without a limit, a few short facets in many namespaces would
//! fill the cluster's store.

use super::{
    object::{ObjectContent, ObjectData},
    plan::{MAX_DATA_BYTES, data_bytes},
};
use crate::core::{problem::Problem, reason::ReasonCode};
use std::collections::BTreeMap;

/// What an evaluation keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes that an organization's objects in all its namespaces may come to.
    pub organization_bytes: u64,
}

impl Limits {
    /// Where nothing else is said.
    pub const DEFAULT: Self = Self { organization_bytes: 32 * 1024 * 1024 };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What is left of it. Whoever asks first gets it: the summary, then the oldest grant.
#[derive(Debug)]
pub struct Allowance<'a> {
    organization: &'a str,
    limit: u64,
    left: u64,
}

impl<'a> Allowance<'a> {
    /// All of an organization's.
    #[must_use]
    pub fn of(organization: &'a str, limits: Limits) -> Self {
        Self { organization, limit: limits.organization_bytes, left: limits.organization_bytes }
    }

    /// Takes what an object comes to in so many namespaces, or says why it is too much. One that Kubernetes would not store
    /// takes nothing, since it is never written.
    ///
    /// # Errors
    /// Where it is more than what is left.
    pub fn take(&mut self, content: &ObjectContent, namespaces: usize) -> Result<(), Problem> {
        if data_bytes(&content.data) > MAX_DATA_BYTES {
            return Ok(());
        }
        let bytes = bytes(content).saturating_mul(u64::try_from(namespaces).unwrap_or(u64::MAX));
        if let Some(left) = self.left.checked_sub(bytes) {
            self.left = left;
            return Ok(());
        }
        // How much is left, or how large this one is, would tell how long secret values are.
        let message = format!(
            "the objects of organization {} would come to more than the {} bytes that the operator allows, so nothing of this one is written or withdrawn; let the organization's grants write less or to fewer namespaces, or run the operator with a larger --organization-bytes",
            self.organization, self.limit
        );
        Err(Problem::new(ReasonCode::TooMuch, message))
    }
}

/// The stored size of an object, without what Kubernetes adds.
fn bytes(content: &ObjectContent) -> u64 {
    let texts = |pairs: &BTreeMap<String, String>| pairs.iter().map(|(key, value)| key.len() + value.len()).sum();
    let data: usize = match &content.data {
        ObjectData::ConfigMap(data) => texts(data),
        ObjectData::Secret(data) => {
            data.values.iter().map(|(key, value)| key.len() + value.expose_secret().len()).sum()
        }
    };
    let marks: usize = texts(&content.labels) + texts(&content.annotations);
    u64::try_from(data.saturating_add(marks)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Allowance, Limits};
    use crate::{
        core::{problem::Problem, secret::Secret},
        evaluation::{
            object::{ObjectContent, ObjectData, SecretData},
            plan::MAX_DATA_BYTES,
        },
    };
    use std::collections::BTreeMap;

    fn pair(key: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(key.to_owned(), value.to_owned())])
    }

    /// A ConfigMap of 2 + 3 + (1 + 6) bytes.
    fn config_map(value: &str) -> ObjectContent {
        ObjectContent {
            labels: pair("l", "1"),
            annotations: pair("a", "22"),
            data: ObjectData::ConfigMap(pair("k", value)),
        }
    }

    fn allowance(bytes: u64) -> Allowance<'static> {
        Allowance::of("acme", Limits { organization_bytes: bytes })
    }

    #[test]
    fn everything_that_is_stored_counts_in_each_namespace() {
        let mut allowance = allowance(36);
        assert_eq!(allowance.take(&config_map("123456"), 3), Ok(()));
        let Problem { reason, message, .. } = allowance.take(&config_map(""), 1).unwrap_err();
        assert_eq!(reason, "TooMuch");
        assert!(message.contains("organization acme would come to more than the 36 bytes"), "{message}");
        let values = BTreeMap::from([("k".to_owned(), Secret::new(b"123456".to_vec()))]);
        let data = SecretData { type_: "Opaque".into(), values };
        let secret = ObjectContent { data: ObjectData::Secret(data), ..config_map("") };
        let mut allowance = self::allowance(12);
        assert_eq!(allowance.take(&secret, 1), Ok(()));
        assert!(allowance.take(&config_map(""), 1).is_err());
    }

    #[test]
    fn what_does_not_fit_leaves_the_rest_to_others() {
        let mut allowance = allowance(20);
        assert!(allowance.take(&config_map("123456"), 2).is_err());
        assert_eq!(allowance.take(&config_map("123456"), 1), Ok(()));
        assert_eq!(allowance.take(&config_map("12"), 1), Ok(()));
        assert!(allowance.take(&config_map(""), 1).is_err());
        assert_eq!(allowance.take(&config_map(""), 0), Ok(()));
    }

    #[test]
    fn what_is_never_written_takes_nothing() {
        let mut allowance = allowance(6);
        assert_eq!(allowance.take(&config_map(&"x".repeat(MAX_DATA_BYTES + 1)), 1), Ok(()));
        assert_eq!(allowance.take(&config_map(""), 1), Ok(()));
    }
}
