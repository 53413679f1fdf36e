//! Which versions of Kubernetes the operator is made for.

use k8s_openapi::apimachinery::pkg::version::Info;
use std::fmt;

/// A minor version of Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KubernetesVersion {
    /// The first number.
    pub major: u16,
    /// The second.
    pub minor: u16,
}

/// The oldest that is supported: its API is the one that the types are generated from.
pub const OLDEST: KubernetesVersion = KubernetesVersion { major: 1, minor: 33 };

impl KubernetesVersion {
    /// The version that an API server tells; None where that is no number. Some providers put a sign after it.
    pub fn read(info: &Info) -> Option<Self> {
        let number = |text: &str| text.trim_end_matches(|sign: char| !sign.is_ascii_digit()).parse().ok();
        Some(Self { major: number(&info.major)?, minor: number(&info.minor)? })
    }
}

impl fmt::Display for KubernetesVersion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::{KubernetesVersion, OLDEST};
    use k8s_openapi::apimachinery::pkg::version::Info;

    fn read(major: &str, minor: &str) -> Option<String> {
        let info = Info { major: major.to_owned(), minor: minor.to_owned(), ..Info::default() };
        KubernetesVersion::read(&info).map(|version| format!("{version} {}", version < OLDEST))
    }

    #[test]
    fn versions_before_the_oldest_are_known_also_with_the_signs_of_providers() {
        for (major, minor, expected) in [
            ("1", "33", Some("1.33 false")),
            ("1", "32", Some("1.32 true")),
            ("1", "9", Some("1.9 true")),
            ("1", "32+", Some("1.32 true")),
            ("1", "37", Some("1.37 false")),
            ("2", "0", Some("2.0 false")),
            ("", "", None),
            ("1", "x", None),
        ] {
            assert_eq!(read(major, minor).as_deref(), expected, "{major}.{minor}");
        }
    }
}
