//! Whose objects are planned, and where they may be.

use crate::{
    api::entitlement_definition::OutputKind,
    core::namespace::{NamespaceAccess, is_reserved},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Whose objects are planned.
///
/// Nothing is written but in the namespaces that are the organization's now, and nothing is withdrawn but in those in which it
/// has or had objects. Whatever a spec or a status says, neither is ever a reserved one: this is the one place that sees to it.
#[derive(Clone, Debug)]
pub struct Owner {
    name: Arc<str>,
    uid: Arc<str>,
    namespaces: BTreeSet<Arc<str>>,
    remembered: BTreeSet<Arc<str>>,
    /// What is closed to the operator among them.
    closed: BTreeMap<Arc<str>, NamespaceAccess>,
}

/// A namespace in which objects of an organization may be withdrawn. Nothing but [`Owner::ground`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground(Arc<str>);

impl Ground {
    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &Arc<str> {
        &self.0
    }
}

impl Owner {
    /// An organization, by its name and UID. `namespaces` are those that are its own: it lists them, and no older one does;
    /// `remembered` those in which it has or had objects.
    #[must_use]
    pub fn new(
        name: Arc<str>,
        uid: Arc<str>,
        namespaces: impl IntoIterator<Item = Arc<str>>,
        remembered: impl IntoIterator<Item = Arc<str>>,
        operator_namespace: &str,
    ) -> Self {
        let may_be_a_tenants = |namespace: &Arc<str>| !is_reserved(namespace, operator_namespace);
        Self {
            name,
            uid,
            namespaces: namespaces.into_iter().filter(may_be_a_tenants).collect(),
            remembered: remembered.into_iter().filter(may_be_a_tenants).collect(),
            closed: BTreeMap::new(),
        }
    }

    /// The same where the operator can do no more in some namespaces than that.
    #[must_use]
    pub fn with_access(self, access: impl IntoIterator<Item = (Arc<str>, NamespaceAccess)>) -> Self {
        let is_closed = |(_, access): &(Arc<str>, NamespaceAccess)| *access != NamespaceAccess::Full;
        Self { closed: access.into_iter().filter(is_closed).collect(), ..self }
    }

    /// Whether the operator can read and write objects of a kind in a namespace.
    #[must_use]
    pub fn reaches(&self, kind: OutputKind, namespace: &str) -> bool {
        match self.closed.get(namespace) {
            None | Some(NamespaceAccess::Full) => true,
            Some(NamespaceAccess::NoSecrets(_)) => kind != OutputKind::Secret,
            Some(NamespaceAccess::Nothing(_)) => false,
        }
    }

    /// The organization's name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The organization's UID.
    #[must_use]
    pub fn uid(&self) -> &Arc<str> {
        &self.uid
    }

    /// The namespaces that are the organization's.
    #[must_use]
    pub fn namespaces(&self) -> &BTreeSet<Arc<str>> {
        &self.namespaces
    }

    /// The namespaces in which it has or had objects.
    #[must_use]
    pub fn remembered(&self) -> &BTreeSet<Arc<str>> {
        &self.remembered
    }

    /// Whether a namespace is the organization's.
    #[must_use]
    pub fn owns(&self, namespace: &str) -> bool {
        self.namespaces.contains(namespace)
    }

    /// The permission to withdraw objects in a namespace, if there is one.
    #[must_use]
    pub fn ground(&self, namespace: &str) -> Option<Ground> {
        let is_open = self.reaches(OutputKind::ConfigMap, namespace);
        self.remembered.get(namespace).filter(|_| is_open).cloned().map(Ground)
    }

    /// It is going to have objects there, as far as the namespaces are its own.
    pub fn remember(&mut self, namespaces: impl IntoIterator<Item = Arc<str>>) {
        let own = namespaces.into_iter().filter(|namespace| self.namespaces.contains(namespace));
        self.remembered.extend(own);
    }
}

#[cfg(test)]
mod tests {
    use super::Owner;

    fn owner() -> Owner {
        let all = ["one", "kube-system", "entitlements", "operator"].map(Into::into);
        let remembered = ["left", "kube-system", "kube-public", "entitlements", "operator"].map(Into::into);
        Owner::new("acme".into(), "uid".into(), all, remembered, "operator")
    }

    #[test]
    fn nothing_is_reserved_whatever_a_spec_or_a_status_says() {
        let owner = owner();
        assert_eq!(owner.namespaces(), &["one".into()].into());
        assert_eq!(owner.remembered(), &["left".into()].into());
        for reserved in ["kube-system", "kube-public", "entitlements", "operator"] {
            assert!(!owner.owns(reserved) && owner.ground(reserved).is_none(), "{reserved}");
        }
    }

    #[test]
    fn there_is_ground_only_where_it_has_or_had_objects() {
        let mut owner = owner();
        assert!(owner.ground("one").is_none() && owner.ground("left").is_some());
        owner.remember(["one", "other", "kube-system"].map(Into::into));
        assert!(owner.ground("one").is_some());
        assert!(owner.ground("other").is_none() && owner.ground("kube-system").is_none());
    }
}
