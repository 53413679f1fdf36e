//! Which namespaces the operator serves: all, or only those that it is told.

use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock},
};

/// Namespaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NamespaceSet {
    /// All that there are.
    #[default]
    All,
    /// Only these.
    Only(Arc<BTreeSet<Arc<str>>>),
}

impl NamespaceSet {
    /// Those of that name; all, where none is named.
    #[must_use]
    pub fn named<S: AsRef<str>>(names: &[S]) -> Self {
        if names.is_empty() {
            return Self::All;
        }
        Self::Only(Arc::new(names.iter().map(|name| name.as_ref().into()).collect()))
    }

    /// Whether a namespace is among them.
    #[must_use]
    pub fn has(&self, namespace: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(namespace),
        }
    }

    /// Their names, where they are named.
    #[must_use]
    pub fn names(&self) -> Option<&BTreeSet<Arc<str>>> {
        match self {
            Self::All => None,
            Self::Only(names) => Some(names),
        }
    }
}

/// Which namespaces the operator serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServedNamespaces {
    all: NamespaceSet,
    secrets: NamespaceSet,
}

/// The operator cannot be restricted so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRestriction {
    /// Its own namespace is named.
    #[error(
        "{0} names {1}, the operator's own namespace, which it serves no client in and has its own rights in: leave it out"
    )]
    Own(&'static str, String),
    /// Secrets are to be served where nothing is.
    #[error(
        "--secret-namespaces names {0}, which --namespaces leaves out: name it there too, or leave it out of --secret-namespaces"
    )]
    Outside(String),
}

impl ServedNamespaces {
    /// All namespaces, where none are named, and their Secrets. `own` is the operator's own.
    ///
    /// # Errors
    /// Where they cannot be those.
    pub fn new<S: AsRef<str>>(namespaces: &[S], secrets: &[S], own: &str) -> Result<Self, InvalidRestriction> {
        for (flag, names) in [("--namespaces", namespaces), ("--secret-namespaces", secrets)] {
            if names.iter().any(|name| name.as_ref() == own) {
                return Err(InvalidRestriction::Own(flag, own.to_owned()));
            }
        }
        let all = NamespaceSet::named(namespaces);
        if let Some(outside) = secrets.iter().find(|name| !all.has(name.as_ref())) {
            return Err(InvalidRestriction::Outside(outside.as_ref().to_owned()));
        }
        let secrets = if secrets.is_empty() { all.clone() } else { NamespaceSet::named(secrets) };
        Ok(Self { all, secrets })
    }

    /// The namespaces.
    #[must_use]
    pub fn all(&self) -> &NamespaceSet {
        &self.all
    }

    /// Those whose Secrets are served.
    #[must_use]
    pub fn secrets(&self) -> &NamespaceSet {
        &self.secrets
    }

    /// Whether nothing is left out.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        (&self.all, &self.secrets) == (&NamespaceSet::All, &NamespaceSet::All)
    }

    /// Every namespace that is named.
    #[must_use]
    pub fn named(&self) -> &BTreeSet<Arc<str>> {
        static NONE: LazyLock<BTreeSet<Arc<str>>> = LazyLock::new(BTreeSet::new);
        self.all.names().or_else(|| self.secrets.names()).unwrap_or(&NONE)
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidRestriction, NamespaceSet, ServedNamespaces};
    use rstest::rstest;

    fn served(namespaces: &[&str], secrets: &[&str]) -> Result<ServedNamespaces, InvalidRestriction> {
        ServedNamespaces::new(namespaces, secrets, "operator")
    }

    fn named(served: &ServedNamespaces) -> Vec<&str> {
        served.named().iter().map(AsRef::as_ref).collect()
    }

    #[test]
    fn what_is_not_named_is_everything() {
        let all = served(&[], &[]).unwrap();
        assert!(all.is_everything() && all.all().has("a") && all.secrets().has("a"));
        assert_eq!(named(&all), Vec::<&str>::new());
        assert_eq!(all, ServedNamespaces::default());
    }

    #[test]
    fn secrets_are_served_where_all_else_is_unless_they_are_named() {
        let one = served(&["b", "a", "b"], &[]).unwrap();
        assert!(!one.is_everything() && one.all().has("a") && one.secrets().has("b") && !one.secrets().has("c"));
        assert_eq!(named(&one), ["a", "b"]);
        let other = served(&["b", "a"], &["a"]).unwrap();
        assert_eq!((other.all().has("b"), other.secrets().has("b"), named(&other)), (true, false, vec!["a", "b"]));
        let secrets = served(&[], &["a"]).unwrap();
        assert!(!secrets.is_everything() && secrets.all().has("b") && !secrets.secrets().has("b"));
        assert_eq!((secrets.all(), named(&secrets)), (&NamespaceSet::All, vec!["a"]));
    }

    #[rstest]
    #[case(&["a", "operator"], &[], InvalidRestriction::Own("--namespaces", "operator".to_owned()))]
    #[case(&[], &["operator"], InvalidRestriction::Own("--secret-namespaces", "operator".to_owned()))]
    #[case(&["a"], &["a", "b"], InvalidRestriction::Outside("b".to_owned()))]
    fn what_makes_no_sense_is_refused(
        #[case] namespaces: &[&str],
        #[case] secrets: &[&str],
        #[case] expected: InvalidRestriction,
    ) {
        assert_eq!(served(namespaces, secrets), Err(expected));
    }
}
